//! Bytes to rows: captures and live traffic become sorted Arrow batches.
//!
//! Reader and frame decoder on one thread, flows and protocol decoders on workers, row order and state that spans flows behind
//! them. Knows no rule, no severity and no query engine.
mod behind;
pub mod decode;
pub mod excerpt;
pub mod flow;
pub mod frame;
pub mod log;
mod order;
mod own;
pub mod record;
pub mod run;
pub mod sink;
pub mod source;
pub mod summary;
pub mod tcp;
#[cfg(test)]
mod testing;
mod worker;
