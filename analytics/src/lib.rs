//! Rows to findings: windows on event time, memory, rules as cached DataFusion plans.
//!
//! The same engine judges a capture, a Kafka stream and a Parquet lake; who feeds it decides nothing but when it runs. It
//! never sees a packet and never asks what time it is.

mod absorb;
mod attack;
mod blind;
mod cases;
pub mod deliver;
mod detect;
mod engine;
mod error;
pub mod feed;
mod finding;
mod fold;
mod held;
mod judge;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lake;
mod leaf;
mod memory;
mod message;
pub mod metrics;
mod narrow;
pub mod output;
pub mod place;
mod plan;
pub mod progress;
mod proof;
pub mod query;
pub mod report;
mod rows;
mod runs;
pub mod site;
pub mod snapshot;
mod state;
mod stats;
mod stopwatch;
pub mod story;
pub mod time;
pub mod udf;
mod words;

pub use cases::{CaseResult, check_rules, run_cases};
pub use engine::{BrokerOrigin, Engine, EngineOptions};
pub use error::{EngineError, SiteError};
pub use finding::{Finding, Own};
pub use site::Site;
pub use stats::{EngineStats, NotEvaluated};

#[cfg(test)]
mod tests;
