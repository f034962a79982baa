//! What the frame decoder met and did not open, or dropped at a bound, by name.
use std::collections::BTreeMap;

/// Counters of the frame decoder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameCounters {
    /// Not opened, by name: `arp`, `lldp`, `esp`, `icmp_other`, …
    pub skipped: BTreeMap<&'static str, u64>,
    /// Dropped at a bound, by bound.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Records made, by tunnel depth.
    pub records: u64,
    /// Fragments taken for reassembly.
    pub fragments: u64,
}

impl FrameCounters {
    /// Counts something that is not opened.
    pub(crate) fn skip(&mut self, name: &'static str) {
        *self.skipped.entry(name).or_default() += 1;
    }

    /// Counts something dropped at a bound.
    pub(crate) fn dropped(&mut self, bound: &'static str, n: u64) {
        if n > 0 {
            *self.dropped.entry(bound).or_default() += n;
        }
    }
}
