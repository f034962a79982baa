//! What each sensor has promised on each partition, and so how far the watermark may go (contracts: promise, watermark).
//!
//! Pure: no broker, no clock. Messages come in the order of their partition and may come again; a message says how many rows were
//! sent before it, so that repeats are dropped row by row and a hole is noticed.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::wire::Headers;

/// A partition of a topic, by the ordinal that the source gave it.
pub type PartitionId = usize;

/// What to do with a message's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Rows at its start that were read before.
    pub skip: u64,
    /// Rows that were never read: a hole before this message.
    pub hole: u64,
}

#[derive(Debug, Default)]
struct Epoch {
    name: String,
    next_row: Option<u64>,
    promise: Option<i64>,
    ended: bool,
}

/// Promises of all sensors on all partitions.
#[derive(Debug)]
pub struct Progress {
    partitions: usize,
    expected: BTreeSet<String>,
    epochs: BTreeMap<(String, PartitionId), Epoch>,
    watermark: i64,
}

impl Progress {
    /// Waits for these sensors, on so many partitions.
    #[must_use]
    pub fn new(expected: impl IntoIterator<Item = String>, partitions: usize) -> Self {
        Self { partitions, expected: expected.into_iter().collect(), epochs: BTreeMap::new(), watermark: i64::MIN }
    }

    /// A message of a partition: which of its rows are new.
    pub fn message(&mut self, partition: PartitionId, headers: &Headers) -> Accepted {
        self.expected.insert(headers.sensor.clone());
        let epoch = self.epochs.entry((headers.sensor.clone(), partition)).or_default();
        if epoch.name != headers.epoch {
            // The first message of another run ends the older one here.
            *epoch = Epoch { name: headers.epoch.clone(), ..Epoch::default() };
        }
        let next = epoch.next_row.unwrap_or(headers.seq);
        let (skip, hole) = (next.saturating_sub(headers.seq).min(headers.rows), headers.seq.saturating_sub(next));
        epoch.next_row = Some(next.max(headers.seq + headers.rows));
        epoch.promise = Some(epoch.promise.unwrap_or(i64::MIN).max(headers.promise));
        epoch.ended |= headers.eos;
        Accepted { skip, hole }
    }

    /// The least promise of every expected sensor on every partition; a pair not heard of yet holds it. It never goes back.
    pub fn watermark(&mut self) -> i64 {
        let mut least = i64::MAX;
        for sensor in &self.expected {
            for partition in 0..self.partitions {
                let promise = match self.epochs.get(&(sensor.clone(), partition)) {
                    Some(epoch) if epoch.ended => i64::MAX,
                    Some(epoch) => epoch.promise.unwrap_or(i64::MIN),
                    None => i64::MIN,
                };
                least = least.min(promise);
            }
        }
        if least < i64::MAX && !self.expected.is_empty() {
            self.watermark = self.watermark.max(least);
        }
        self.watermark
    }

    /// Whether every expected sensor has ended on every partition.
    #[must_use]
    pub fn ended(&self) -> bool {
        let done = |sensor: &String| (0..self.partitions).all(|p| self.epochs.get(&(sensor.clone(), p)).is_some_and(|e| e.ended));
        !self.expected.is_empty() && self.expected.iter().all(done)
    }

    /// The least promise on one partition: partitions far ahead of the others need not be read.
    #[must_use]
    pub fn promise(&self, partition: PartitionId) -> i64 {
        let of = |sensor: &String| match self.epochs.get(&(sensor.clone(), partition)) {
            Some(epoch) if epoch.ended => i64::MAX,
            Some(epoch) => epoch.promise.unwrap_or(i64::MIN),
            None => i64::MIN,
        };
        self.expected.iter().map(of).min().unwrap_or(i64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(sensor: &str, seq: u64, rows: u64, promise: i64, eos: bool) -> Headers {
        Headers { sensor: sensor.into(), epoch: "e".into(), seq, rows, promise, eos, ..Headers::default() }
    }

    #[test]
    fn a_pair_not_heard_of_holds_the_watermark() {
        let mut progress = Progress::new(["a".to_owned(), "b".to_owned()], 2);
        progress.message(0, &message("a", 0, 1, 100, false));
        progress.message(1, &message("a", 0, 1, 90, false));
        progress.message(0, &message("b", 0, 1, 80, false));
        assert_eq!(progress.watermark(), i64::MIN);
        progress.message(1, &message("b", 0, 1, 70, false));
        assert_eq!(progress.watermark(), 70);
        progress.message(0, &message("b", 1, 0, 70, true));
        progress.message(1, &message("b", 1, 0, 70, true));
        assert_eq!(progress.watermark(), 90, "what has ended holds nothing");
        assert!(!progress.ended());
    }

    #[test]
    fn repeats_are_skipped_row_by_row_and_a_hole_is_noticed() {
        let mut progress = Progress::new(["a".to_owned()], 1);
        let accepted = |p: &mut Progress, seq, rows| {
            let a = p.message(0, &message("a", seq, rows, 0, false));
            (a.skip, a.hole)
        };
        assert_eq!(accepted(&mut progress, 10, 5), (0, 0), "the first number met is no hole");
        assert_eq!(accepted(&mut progress, 10, 5), (5, 0));
        assert_eq!(accepted(&mut progress, 12, 6), (3, 0), "a rerun may cut messages differently");
        assert_eq!(accepted(&mut progress, 20, 1), (0, 2));
    }

    proptest! {
        /// Partitions in any interleaving, any message again later: each row once, and the watermark never ahead of a row to come.
        #[test]
        fn any_schedule_gives_each_row_once(order in prop::collection::vec((0_usize..3, any::<bool>()), 1..200)) {
            let mut progress = Progress::new(["a".to_owned()], 3);
            let (mut sent, mut got, mut history) = ([0_u64; 3], [0_u64; 3], vec![Vec::new(), Vec::new(), Vec::new()]);
            let mut last = i64::MIN;
            for (partition, again) in order {
                let fresh = message("a", sent[partition], 2, sent[partition] as i64 + 1, false);
                let headers = if again { history[partition].last().cloned().unwrap_or_else(|| fresh.clone()) } else { fresh };
                sent[partition] = sent[partition].max(headers.seq + headers.rows);
                history[partition].push(headers.clone());
                let accepted = progress.message(partition, &headers);
                prop_assert_eq!(accepted.hole, 0);
                got[partition] += headers.rows - accepted.skip;
                let watermark = progress.watermark();
                prop_assert!(watermark >= last && watermark <= sent.iter().map(|s| *s as i64 - 1).min().unwrap().max(i64::MIN + 1).max(-1));
                last = watermark;
            }
            prop_assert_eq!(got, sent);
        }
    }
}
