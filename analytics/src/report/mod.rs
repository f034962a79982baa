//! Reports over a lake: what stands at one moment, not what happened.
//!
//! A report reads the same rows as rules do, takes its query and thresholds from the rule pack, and knows pseudonyms only. It
//! depends on rows, site and moment alone, never on a clock, so that the same lake gives the same page for ever.
mod facts;
mod page;
mod taps;
mod text;

pub use facts::{Fact, Stands, facts};
pub use taps::{State, Tap, Taps, taps};

#[cfg(test)]
mod tests;
