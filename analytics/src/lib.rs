//! Rows to findings: windows on event time, memory, rules as cached DataFusion plans.
//!
//! The same engine judges a capture, a Kafka stream and a Parquet lake; who feeds it decides nothing but when it runs. It
//! never sees a packet and never asks what time it is.

mod attack;
mod cases;
mod engine;
mod error;
mod finding;
pub mod output;
pub mod site;
pub mod time;

pub use cases::{CaseResult, check_rules, run_cases};
pub use engine::{BrokerOrigin, Engine, EngineOptions, EngineStats, NotEvaluated};
pub use error::{EngineError, SiteError};
pub use finding::{Finding, Own};
pub use site::Site;
