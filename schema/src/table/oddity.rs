//! `oddity`: what was not as it should be, lidr's own losses included.
use super::table;
use crate::cell::Name;

table! {
    /// Something malformed, cut, missing or dropped, with the frame where it was met.
    "oddity" by "src_ip" {
        /// `malformed`, `truncated`, `gap`, `overlap`, `time_back`, `time_ahead`, `too_deep`, `bound`, `unknown_link`, …
        kind: Name,
        /// Where: `reader`, `frame`, `fragment`, `tcp`, `tunnel`, or the decoder.
        stage: Name,
        /// What exactly, from a closed set; never payload.
        detail: Option<Name>,
        /// Octets needed.
        needed: Option<u64>,
        /// Octets there.
        had: Option<u64>,
        /// How many times; more than one where they are counted together.
        count: u64,
    }
}
