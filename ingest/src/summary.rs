//! What a run read, wrote, skipped and dropped.
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::source::InputSummary;

/// Counts of one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) flows: u64,
    pub(crate) peak_flows: u64,
    pub(crate) distinct_flow_keys: u64,
    decoded: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    oddities: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn drop_one(&mut self, bound: &'static str) {
        *self.dropped.entry(bound).or_default() += 1;
    }

    pub(crate) fn decoded(&mut self, protocol: &'static str) {
        *self.decoded.entry(protocol).or_default() += 1;
    }

    pub(crate) fn odd(&mut self, kind: &str) {
        match self.oddities.get_mut(kind) {
            Some(n) => *n += 1,
            None => drop(self.oddities.insert(kind.to_owned(), 1)),
        }
    }
}

/// What was read of record files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Records read.
    pub read: u64,
    /// Records that became rows.
    pub mapped: u64,
    /// Records that could not be understood.
    pub malformed: u64,
    /// Records left out, by the mapping's reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Records {
    /// Of all inputs together.
    pub(crate) fn of(inputs: &[InputSummary]) -> Self {
        let mut all = Self::default();
        for counts in inputs.iter().filter_map(|i| i.records.as_ref()) {
            all.read += counts.read;
            all.mapped += counts.mapped;
            all.malformed += counts.malformed;
            add(&mut all.skipped, &counts.skipped);
        }
        all
    }
}

/// The account of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The inputs.
    pub inputs: Vec<InputSummary>,
    /// Packets read.
    pub packets: u64,
    /// Octets of those packets on the wire.
    pub bytes: u64,
    /// Records of record files.
    pub records: Records,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Conversations by protocol recognised.
    pub decoded: BTreeMap<String, u64>,
    /// Not opened, by name.
    pub skipped: BTreeMap<String, u64>,
    /// Oddities by kind.
    pub oddities: BTreeMap<String, u64>,
    /// Dropped at a bound, by bound.
    pub dropped: BTreeMap<String, u64>,
    /// Conversations.
    pub flows: u64,
    /// Most conversations at once (the sum over workers).
    pub peak_flows: u64,
    /// Distinct TCP and UDP flow keys, inside and outside tunnels told apart; 0 unless asked for.
    pub distinct_flow_keys: u64,
    /// The clock at the end, µs.
    #[serde(skip)]
    pub clock: i64,
}

impl Summary {
    pub(crate) fn add_tally(&mut self, tally: &Tally) {
        self.flows += tally.flows;
        self.peak_flows += tally.peak_flows;
        self.distinct_flow_keys += tally.distinct_flow_keys;
        add(&mut self.decoded, &tally.decoded);
        add(&mut self.dropped, &tally.dropped);
        add(&mut self.oddities, &tally.oddities);
    }

    /// Several sensors as one account.
    #[must_use]
    pub fn merged(parts: &[Self]) -> Self {
        let mut all = Self { clock: i64::MIN, ..Self::default() };
        for part in parts {
            all.inputs.extend(part.inputs.iter().cloned());
            all.packets += part.packets;
            all.bytes += part.bytes;
            all.flows += part.flows;
            all.peak_flows += part.peak_flows;
            all.distinct_flow_keys += part.distinct_flow_keys;
            all.clock = all.clock.max(part.clock);
            all.records = Records::of(&all.inputs);
            add(&mut all.rows, &part.rows);
            add(&mut all.decoded, &part.decoded);
            add(&mut all.skipped, &part.skipped);
            add(&mut all.oddities, &part.oddities);
            add(&mut all.dropped, &part.dropped);
        }
        all
    }

    /// As `summary.json` holds it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

pub(crate) fn add<K: AsRef<str>>(to: &mut BTreeMap<String, u64>, from: &BTreeMap<K, u64>) {
    for (name, n) in from {
        *to.entry(name.as_ref().to_owned()).or_default() += n;
    }
}
