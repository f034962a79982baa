//! Bytes to rows: captures and live traffic become sorted Arrow batches.
//!
//! Reader and frame decoder on one thread, flows and protocol decoders on workers, row order and state that spans flows behind
//! them. Knows no rule, no severity and no query engine.
pub mod decode;
pub mod frame;
pub mod record;
pub mod sink;
pub mod source;
