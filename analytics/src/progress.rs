//! What each sensor has promised on each partition, and so how far the watermark may go (contracts: promise, watermark).
//!
//! Pure: no broker, no clock. Messages come in the order of their partition and may come again; a message says how many rows were
//! sent before it, so that repeats are skipped row by row and a hole is noticed. A sensor's first message of another epoch ends its
//! older ones on that partition; what they repeat later is known and changes nothing.
mod saved;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lidr_schema::wire::Headers;

/// A partition of a topic, by the ordinal that the source gave it.
pub type PartitionId = usize;

/// Epochs of a sensor on a partition that are told apart; a message of one that was forgotten would count as new.
const MOST_EPOCHS: usize = 64;

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

impl Epoch {
    /// What it promises; one that has ended holds nothing.
    fn holds(&self) -> i64 {
        if self.ended { i64::MAX } else { self.promise.unwrap_or(i64::MIN) }
    }
}

/// Promises of all sensors on all partitions.
#[derive(Debug)]
pub struct Progress {
    partitions: usize,
    expected: BTreeSet<String>,
    /// Epochs in the order in which they were met; the last one is the present one.
    epochs: BTreeMap<(String, PartitionId), VecDeque<Epoch>>,
    watermark: i64,
    end: i64,
}

impl Progress {
    /// Waits for these sensors, on so many partitions.
    #[must_use]
    pub fn new(expected: impl IntoIterator<Item = String>, partitions: usize) -> Self {
        let (expected, epochs) = (expected.into_iter().collect(), BTreeMap::new());
        Self { partitions, expected, epochs, watermark: i64::MIN, end: i64::MIN }
    }

    /// A message of a partition: which of its rows are new.
    pub fn message(&mut self, partition: PartitionId, headers: &Headers) -> Accepted {
        self.expected.insert(headers.sensor.clone());
        let epochs = self.epochs.entry((headers.sensor.clone(), partition)).or_default();
        if !epochs.iter().any(|e| e.name == headers.epoch) {
            epochs.push_back(Epoch { name: headers.epoch.clone(), ..Epoch::default() });
            if epochs.len() > MOST_EPOCHS {
                epochs.pop_front();
            }
        }
        if headers.eos {
            self.end = self.end.max(headers.promise);
        }
        // The one just added, if no other.
        let Some(epoch) = epochs.iter_mut().rfind(|e| e.name == headers.epoch) else {
            return Accepted { skip: 0, hole: 0 };
        };
        let next = epoch.next_row.unwrap_or(headers.seq);
        let (skip, hole) = (next.saturating_sub(headers.seq).min(headers.rows), headers.seq.saturating_sub(next));
        epoch.next_row = Some(next.max(headers.seq.saturating_add(headers.rows)));
        epoch.promise = Some(epoch.promise.unwrap_or(i64::MIN).max(headers.promise));
        epoch.ended |= headers.eos;
        Accepted { skip, hole }
    }

    fn present(&self, sensor: &str, partition: PartitionId) -> Option<&Epoch> {
        self.epochs.get(&(sensor.to_owned(), partition))?.back()
    }

    /// The least promise of every expected sensor on every partition; a pair not heard of yet holds it. It never goes back.
    pub fn watermark(&mut self) -> i64 {
        let least = (0..self.partitions).map(|p| self.promise(p)).min().unwrap_or(i64::MAX);
        if least < i64::MAX && !self.expected.is_empty() {
            self.watermark = self.watermark.max(least);
        }
        self.watermark
    }

    /// Whether the present run of every expected sensor has ended on every partition.
    #[must_use]
    pub fn ended(&self) -> bool {
        let done = |sensor: &String| (0..self.partitions).all(|p| self.present(sensor, p).is_some_and(|e| e.ended));
        !self.expected.is_empty() && self.expected.iter().all(done)
    }

    /// The greatest clock at which a run has ended.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// The least promise on one partition: partitions far ahead of the others need not be read.
    #[must_use]
    pub fn promise(&self, partition: PartitionId) -> i64 {
        let of = |sensor: &String| self.present(sensor, partition).map_or(i64::MIN, Epoch::holds);
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

    fn of(epoch: &str, seq: u64, rows: u64, promise: i64, eos: bool) -> Headers {
        Headers { epoch: epoch.into(), ..message("a", seq, rows, promise, eos) }
    }

    #[test]
    fn a_repeat_of_an_older_run_changes_nothing() {
        let mut progress = Progress::new(["a".to_owned()], 1);
        progress.message(0, &of("e1", 0, 2, 10, false));
        progress.message(0, &of("e1", 2, 0, 12, true));
        assert!(progress.ended());
        assert_eq!(progress.message(0, &of("e2", 0, 2, 20, false)), Accepted { skip: 0, hole: 0 });
        assert!(!progress.ended(), "the present run goes on");
        for old in [of("e1", 0, 2, 10, false), of("e1", 2, 0, 12, true)] {
            let rows = old.rows;
            assert_eq!(progress.message(0, &old), Accepted { skip: rows, hole: 0 });
            assert!(!progress.ended() && progress.watermark() == 20);
        }
        assert_eq!(
            progress.message(0, &of("e2", 0, 2, 20, false)).skip,
            2,
            "what was read of the present run is still known"
        );
        progress.message(0, &of("e2", 2, 0, 25, true));
        assert!(progress.ended());
        assert_eq!(progress.end(), 25);
        for i in 0..200 {
            progress.message(0, &of(&format!("x{i}"), 0, 1, 30, false));
        }
        assert!(progress.epochs.values().all(|e| e.len() == MOST_EPOCHS));
    }

    #[test]
    fn numbers_that_somebody_made_up_do_no_harm() {
        let mut progress = Progress::new([], 1);
        progress.message(0, &message("a", u64::MAX, u64::MAX, i64::MAX, false));
        assert_eq!(
            progress.message(0, &message("a", 0, u64::MAX, i64::MIN, false)),
            Accepted { skip: u64::MAX, hole: 0 }
        );
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
