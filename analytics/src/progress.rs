//! What each sensor has promised on each partition, and so how far the watermark may go (contracts: promise, watermark).
//!
//! Pure: no broker, no clock. Messages come in the order of their partition and may come again; a message says how many rows were
//! sent before it, so that repeats are skipped row by row and a hole is noticed. A sensor's first message of another epoch ends its
//! older ones on that partition; what they repeat later is known and changes nothing.
//!
//! A sensor that whoever listens calls silent is not waited for until its promises have passed the watermark again. A run that begins
//! far behind the watermark is refused: its rows would all be late.
mod saved;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lidr_schema::wire::Headers;

/// A partition of a topic, by the ordinal that the source gave it.
pub type PartitionId = usize;

/// Epochs of a sensor on a partition that are told apart; a message of one that was forgotten would count as new.
const MOST_EPOCHS: usize = 64;

/// A run that begins more than this behind the watermark is refused, µs.
const FAR_BEHIND: i64 = 3_600_000_000;

/// What to do with a message's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Rows at its start that were read before.
    pub skip: u64,
    /// Rows that were never read: a hole before this message.
    pub hole: u64,
    /// The run is refused: it began too far behind.
    pub refused: bool,
}

#[derive(Debug, Default)]
struct Epoch {
    name: String,
    next_row: Option<u64>,
    promise: Option<i64>,
    ended: bool,
    /// It brought rows or a promise: whether it is too far behind was seen.
    met: bool,
    refused: bool,
}

impl Epoch {
    /// What it promises; one that has ended or is refused holds nothing.
    fn holds(&self) -> i64 {
        if self.ended || self.refused { i64::MAX } else { self.promise.unwrap_or(i64::MIN) }
    }
}

/// Promises of all sensors on all partitions.
#[derive(Debug)]
pub struct Progress {
    partitions: usize,
    expected: BTreeSet<String>,
    /// Epochs in the order in which they were met; the last one is the present one.
    epochs: BTreeMap<(String, PartitionId), VecDeque<Epoch>>,
    /// Sensors that are not waited for.
    silent: BTreeSet<String>,
    /// Whether runs that begin far behind are refused.
    refuses: bool,
    /// Up to here everything was judged, though nobody had promised it.
    rested: i64,
    watermark: i64,
    end: i64,
}

impl Progress {
    /// Waits for these sensors, on so many partitions.
    #[must_use]
    pub fn new(expected: impl IntoIterator<Item = String>, partitions: usize) -> Self {
        let (expected, epochs) = (expected.into_iter().collect(), BTreeMap::new());
        let (silent, refuses, rested) = (BTreeSet::new(), false, i64::MIN);
        Self { partitions, expected, epochs, silent, refuses, rested, watermark: i64::MIN, end: i64::MIN }
    }

    /// Refuses runs that begin far behind the watermark.
    pub const fn refuse_what_is_far_behind(&mut self) {
        self.refuses = true;
    }

    /// A message of a partition, whose first row is due then: which of its rows are new.
    pub fn message(&mut self, partition: PartitionId, headers: &Headers, first_due: Option<i64>) -> Accepted {
        self.expected.insert(headers.sensor.clone());
        let known = self.epochs.get(&(headers.sensor.clone(), partition));
        let met = known.is_some_and(|all| all.iter().any(|e| e.name == headers.epoch && e.met));
        let behind = !met && self.is_far_behind(headers, first_due);
        let epochs = self.epochs.entry((headers.sensor.clone(), partition)).or_default();
        if !epochs.iter().any(|e| e.name == headers.epoch) {
            epochs.push_back(Epoch { name: headers.epoch.clone(), ..Epoch::default() });
            if epochs.len() > MOST_EPOCHS {
                epochs.pop_front();
            }
        }
        // The one just added, if no other.
        let Some(epoch) = epochs.iter_mut().rfind(|e| e.name == headers.epoch) else {
            return Accepted::default();
        };
        if !epoch.met && (headers.rows > 0 || headers.promise > i64::MIN) {
            epoch.met = true;
            epoch.refused |= behind;
        }
        if epoch.refused {
            // The whole run is, wherever it was heard first.
            let runs = self.epochs.iter_mut().filter(|((sensor, _), _)| *sensor == headers.sensor);
            runs.flat_map(|(_, all)| all).filter(|e| e.name == headers.epoch).for_each(|e| e.refused = true);
            return Accepted { refused: true, ..Accepted::default() };
        }
        if headers.eos {
            self.end = self.end.max(headers.promise);
        }
        let next = epoch.next_row.unwrap_or(headers.seq);
        let (skip, hole) = (next.saturating_sub(headers.seq).min(headers.rows), headers.seq.saturating_sub(next));
        epoch.next_row = Some(next.max(headers.seq.saturating_add(headers.rows)));
        epoch.promise = Some(epoch.promise.unwrap_or(i64::MIN).max(headers.promise));
        epoch.ended |= headers.eos;
        Accepted { skip, hole, refused: false }
    }

    /// Whether a run that begins with this message would be refused: what it brings first is long judged, or it was refused elsewhere.
    fn is_far_behind(&self, headers: &Headers, first_due: Option<i64>) -> bool {
        let same = |sensor: &String, e: &Epoch| *sensor == headers.sensor && e.name == headers.epoch;
        let elsewhere = || self.epochs.iter().any(|((s, _), all)| all.iter().any(|e| same(s, e) && e.refused));
        let first = first_due.or((headers.promise > i64::MIN).then_some(headers.promise));
        let late = first.is_some_and(|first| first < self.judged().saturating_sub(FAR_BEHIND));
        self.refuses && (late || elsewhere())
    }

    /// Sensors that are waited for, or were.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        self.expected.iter().map(String::as_str)
    }

    /// Sensors that are not waited for.
    #[must_use]
    pub const fn silent(&self) -> &BTreeSet<String> {
        &self.silent
    }

    /// A sensor is not waited for any more; false if it was not anyway: it is silent already, or its run has ended.
    pub fn leave(&mut self, sensor: &str) -> bool {
        let waits = (0..self.partitions).any(|p| self.present(sensor, p).is_none_or(|e| !e.ended && !e.refused));
        waits && self.silent.insert(sensor.to_owned())
    }

    /// Sensors that are waited for again: their promises have passed the watermark, or their run has ended.
    pub fn rejoin(&mut self) -> Vec<String> {
        let holds = |sensor: &str, p| self.present(sensor, p).map_or(i64::MIN, Epoch::holds);
        let back = |sensor: &&String| (0..self.partitions).all(|p| holds(sensor, p) > self.watermark);
        let back: Vec<String> = self.silent.iter().filter(back).cloned().collect();
        self.silent.retain(|sensor| !back.contains(sensor));
        back
    }

    fn present(&self, sensor: &str, partition: PartitionId) -> Option<&Epoch> {
        self.epochs.get(&(sensor.to_owned(), partition))?.back()
    }

    /// The least promise of every expected sensor on every partition; a pair not heard of yet holds it. It never goes back.
    pub fn watermark(&mut self) -> i64 {
        let least = (0..self.partitions).map(|p| self.promise(p)).min().unwrap_or(i64::MAX);
        if least < i64::MAX && self.silent.len() < self.expected.len() {
            self.watermark = self.watermark.max(least);
        }
        self.watermark
    }

    fn has_ended(&self, sensor: &str) -> bool {
        let over = |e: &Epoch| e.ended || e.refused;
        (0..self.partitions).all(|p| self.present(sensor, p).is_some_and(over))
    }

    /// Whether the present run of every sensor that is waited for has ended on every partition, and there is one.
    #[must_use]
    pub fn ended(&self) -> bool {
        let (ended, open): (Vec<_>, Vec<_>) = self.expected().partition(|sensor| self.has_ended(sensor));
        !ended.is_empty() && open.iter().all(|sensor| self.silent.contains(*sensor))
    }

    /// Sensors whose present run has not ended on every partition.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.expected().filter(|sensor| !self.has_ended(sensor))
    }

    /// What is open was judged up to the greatest clock at which a run has ended.
    pub const fn rest(&mut self) {
        self.rested = self.end;
    }

    /// Up to where everything was judged.
    #[must_use]
    pub fn judged(&self) -> i64 {
        self.watermark.max(self.rested)
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
        let waited = self.expected.iter().filter(|sensor| !self.silent.contains(*sensor));
        waited.map(of).min().unwrap_or(i64::MIN)
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
        progress.message(0, &message("a", 0, 1, 100, false), None);
        progress.message(1, &message("a", 0, 1, 90, false), None);
        progress.message(0, &message("b", 0, 1, 80, false), None);
        assert_eq!(progress.watermark(), i64::MIN);
        progress.message(1, &message("b", 0, 1, 70, false), None);
        assert_eq!(progress.watermark(), 70);
        progress.message(0, &message("b", 1, 0, 70, true), None);
        progress.message(1, &message("b", 1, 0, 70, true), None);
        assert_eq!(progress.watermark(), 90, "what has ended holds nothing");
        assert!(!progress.ended());
    }

    #[test]
    fn repeats_are_skipped_row_by_row_and_a_hole_is_noticed() {
        let mut progress = Progress::new(["a".to_owned()], 1);
        let accepted = |p: &mut Progress, seq, rows| {
            let a = p.message(0, &message("a", seq, rows, 0, false), None);
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
        progress.message(0, &of("e1", 0, 2, 10, false), None);
        progress.message(0, &of("e1", 2, 0, 12, true), None);
        assert!(progress.ended());
        assert_eq!(progress.message(0, &of("e2", 0, 2, 20, false), None), Accepted::default());
        assert!(!progress.ended(), "the present run goes on");
        for old in [of("e1", 0, 2, 10, false), of("e1", 2, 0, 12, true)] {
            let rows = old.rows;
            assert_eq!(progress.message(0, &old, None), Accepted { skip: rows, ..Accepted::default() });
            assert!(!progress.ended() && progress.watermark() == 20);
        }
        assert_eq!(
            progress.message(0, &of("e2", 0, 2, 20, false), None).skip,
            2,
            "what was read of the present run is still known"
        );
        progress.message(0, &of("e2", 2, 0, 25, true), None);
        assert!(progress.ended());
        assert_eq!(progress.end(), 25);
        for i in 0..200 {
            progress.message(0, &of(&format!("x{i}"), 0, 1, 30, false), None);
        }
        assert!(progress.epochs.values().all(|e| e.len() == MOST_EPOCHS));
    }

    #[test]
    fn a_silent_sensor_is_not_waited_for_until_it_has_caught_up() {
        let mut progress = Progress::new(["a".to_owned(), "b".to_owned()], 1);
        progress.message(0, &message("a", 0, 1, 100, false), None);
        assert_eq!(progress.watermark(), i64::MIN, "b was not heard of");
        assert!(progress.leave("b") && !progress.leave("b"));
        assert_eq!(progress.watermark(), 100);
        progress.message(0, &message("b", 0, 1, 60, false), None);
        assert!(progress.rejoin().is_empty() && progress.watermark() == 100, "its rows are late");
        progress.message(0, &message("b", 1, 1, 110, false), None);
        assert_eq!(progress.rejoin(), ["b"]);
        progress.message(0, &message("a", 1, 1, 200, false), None);
        assert_eq!(progress.watermark(), 110, "waited for again");
        assert!(progress.leave("a") && progress.leave("b"));
        progress.message(0, &message("b", 2, 1, 300, false), None);
        assert_eq!(progress.watermark(), 110, "with no sensor left the watermark stands");
    }

    #[test]
    fn a_run_that_has_ended_is_not_silent() {
        let mut progress = Progress::new(["a".to_owned()], 1);
        progress.message(0, &message("a", 0, 1, 100, true), None);
        assert!(!progress.leave("a") && progress.ended());
    }

    #[test]
    fn a_run_that_begins_far_behind_is_refused_and_holds_nothing() {
        let hour = 3_600_000_000;
        let mut progress = Progress::new(["a".to_owned()], 2);
        progress.refuse_what_is_far_behind();
        progress.message(0, &message("a", 0, 1, 10 * hour, false), None);
        progress.message(1, &message("a", 0, 1, 10 * hour, false), None);
        assert_eq!(progress.watermark(), 10 * hour);
        let hello = Headers { sensor: "old".into(), epoch: "o".into(), promise: i64::MIN, ..Headers::default() };
        assert!(!progress.message(0, &hello, None).refused, "nobody knows yet");
        let old = Headers { rows: 2, promise: 2 * hour, ts_max: 2 * hour, ..hello };
        assert!(progress.message(0, &old, None).refused && progress.message(0, &old, None).refused);
        assert!(progress.message(1, &Headers { promise: 10 * hour, ..old.clone() }, None).refused, "nowhere");
        progress.message(0, &message("a", 1, 1, 11 * hour, false), None);
        progress.message(1, &message("a", 1, 1, 11 * hour, false), None);
        assert_eq!(progress.watermark(), 11 * hour, "it does not hold the others");
        let long = Headers { epoch: "l".into(), promise: 11 * hour, ..old.clone() };
        assert!(progress.message(0, &long, Some(8 * hour)).refused, "it ends now and began hours ago");
        let late = Headers { epoch: "p".into(), ts_max: 10 * hour + 1, promise: 10 * hour + 1, ..old };
        assert_eq!(
            progress.message(0, &late, Some(10 * hour + 1)),
            Accepted::default(),
            "an hour is late and not refused"
        );
    }

    #[test]
    fn numbers_that_somebody_made_up_do_no_harm() {
        let mut progress = Progress::new([], 1);
        progress.message(0, &message("a", u64::MAX, u64::MAX, i64::MAX, false), None);
        assert_eq!(
            progress.message(0, &message("a", 0, u64::MAX, i64::MIN, false), None),
            Accepted { skip: u64::MAX, ..Accepted::default() }
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
                let accepted = progress.message(partition, &headers, None);
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
