//! Reports: what stands at one moment, from a lake, and what happened, from an output folder (`incident`).
//!
//! A report over a lake reads the same rows as rules do, takes its query and thresholds from the rule pack, and knows pseudonyms only. It
//! depends on rows, site and moment alone, never on a clock, so that the same lake gives the same page for ever.
mod facts;
mod html;
mod incident;
mod page;
mod taps;
mod text;

pub use facts::{Fact, Stands, facts};
pub use incident::Incident;
pub use taps::{State, Tap, Taps, taps};

#[cfg(test)]
mod tests;
