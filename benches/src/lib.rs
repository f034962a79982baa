//! Measurements: what decoding one capture costs, and what a process has used.
//!
//! A crate of its own, without the query engine, so that `scripts/run-benches` builds in minutes; `lidr bench` is the same
//! measurement.
pub mod measure;
pub mod rows;
pub mod usage;
pub mod wire;
