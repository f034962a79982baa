//! Which sensors are silent: time of the wall, and nothing of the rows (contracts: late and silent).
//!
//! A sensor speaks on every partition at least once a second. One that has said nothing on one of them for so long, while the broker
//! answered and everything that it holds was read, is not there: windows do not wait for it any more. A broker that is away and a
//! backlog are no silence: they begin the time anew.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use arrow::record_batch::RecordBatch;
use lidr_schema::{Head, Micros, Name, Store, TableId, table::oddity};

use super::source::Source;
use crate::feed::{FeedError, RowSink};

/// Time between two rows that say that a sensor is silent, µs: every window has some.
const TELL_EVERY: i64 = 60_000_000;
/// Most rows about one sensor at once: a watermark that jumps by months must not cost millions.
const MOST_TOLD: i64 = 10_000;

/// When which sensor was heard last.
#[derive(Debug)]
pub(super) struct Silence {
    after: Duration,
    partitions: usize,
    /// Since when a sensor may be waited for that was never heard.
    began: Instant,
    heard: BTreeMap<String, Vec<Instant>>,
}

impl Silence {
    /// On so many partitions, silent after that time.
    pub(super) fn new(after: Duration, partitions: usize, now: Instant) -> Self {
        Self { after, partitions, began: now, heard: BTreeMap::new() }
    }

    /// A sensor spoke on a partition.
    pub(super) fn heard(&mut self, sensor: &str, partition: usize, now: Instant) {
        if !self.heard.contains_key(sensor) {
            self.heard.insert(sensor.to_owned(), vec![now; self.partitions]);
        }
        if let Some(last) = self.heard.get_mut(sensor).and_then(|all| all.get_mut(partition)) {
            *last = now;
        }
    }

    /// Nobody could be heard: the broker did not answer.
    pub(super) fn nobody(&mut self, now: Instant) {
        self.began = now;
        self.heard.values_mut().flatten().for_each(|last| *last = now);
    }

    /// A partition holds more than was read of it.
    pub(super) fn behind(&mut self, partition: usize, now: Instant) {
        self.began = now;
        self.heard.values_mut().filter_map(|all| all.get_mut(partition)).for_each(|last| *last = now);
    }

    /// Whether one of a sensor's partitions brought nothing of it for too long.
    pub(super) fn is_silent(&self, sensor: &str, now: Instant) -> bool {
        let long = |last: &Instant| now.saturating_duration_since(*last) >= self.after;
        self.heard.get(sensor).map_or_else(|| long(&self.began), |all| all.iter().any(long))
    }
}

impl Source {
    /// Who is silent, after a look at where the partitions end; an empty one has failed.
    pub(super) fn listen(&mut self, ends: &BTreeMap<(String, i32), i64>) {
        let now = Instant::now();
        if ends.is_empty() {
            self.silence.nobody(now);
            return;
        }
        for (number, (_, topic, partition)) in self.partitions.iter().enumerate() {
            let place = (topic.clone(), *partition);
            let read = self.read.get(&number).or_else(|| self.first.get(&place));
            // What came since the look before may well be on its way; what was there then should have been read.
            if self.ends.get(&place).or(ends.get(&place)).is_some_and(|end| read < Some(end)) {
                self.silence.behind(number, now);
            }
        }
        self.ends.clone_from(ends);
        // A run over what was recorded waits for everybody that it was told of.
        if self.options.until_eos {
            return;
        }
        let silent: Vec<String> =
            self.progress.expected().filter(|s| self.silence.is_silent(s, now)).map(str::to_owned).collect();
        let seconds = self.options.silence.as_secs();
        for sensor in silent.into_iter().filter(|sensor| self.progress.leave(sensor)) {
            self.told_silence = i64::MIN;
            tracing::warn!(
                "sensor {sensor} has said nothing for {seconds} s: windows do not wait for it, see whether it runs"
            );
        }
        for sensor in self.progress.rejoin() {
            tracing::info!("sensor {sensor} has caught up: windows wait for it again");
        }
    }

    /// Feeds rows that say who is silent while the watermark went from one time to another, before anything up to there is judged;
    /// whether there were any.
    pub(super) fn tell_silence(&mut self, from: i64, to: i64, taker: &mut dyn RowSink) -> Result<bool, FeedError> {
        let silent = self.progress.silent();
        if silent.is_empty() || to == i64::MIN || to <= from {
            return Ok(false);
        }
        // Nothing was judged before the first row.
        let from = from.max(self.oldest.min(to).saturating_sub(1));
        let step = TELL_EVERY.max((to - from) / MOST_TOLD);
        let first = (from + 1).max(self.told_silence.saturating_add(step));
        let dues: Vec<i64> = (0..).map(|n| first + n * step).take_while(|due| *due <= to).collect();
        let Some(last) = dues.last() else { return Ok(false) };
        self.told_silence = *last;
        taker.rows(TableId::Oddity, rows(silent, &dues), None)?;
        Ok(true)
    }
}

fn rows(sensors: &BTreeSet<String>, dues: &[i64]) -> RecordBatch {
    let mut columns = oddity::Columns::default();
    for (due, sensor) in dues.iter().flat_map(|due| sensors.iter().map(move |sensor| (*due, sensor))) {
        let head = Head {
            ts: Micros(due),
            due: Micros(due),
            sensor: Name::Owned(sensor.clone()),
            capture: Name::Borrowed("kafka"),
            decoder: Name::Borrowed("kafka"),
            trust: Name::Borrowed("clear"),
            ..Head::default()
        };
        let (kind, stage) = (Name::Borrowed("silent"), Name::Borrowed("kafka"));
        columns.push(head, oddity::Row { kind, stage, detail: None, needed: None, had: None, count: 1 });
    }
    columns.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_partition_without_a_word_is_silence_and_a_broker_that_is_away_is_not() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut silence = Silence::new(Duration::from_secs(60), 2, start);
        for partition in [0, 1] {
            silence.heard("a", partition, at(10));
        }
        silence.heard("a", 0, at(65));
        assert!(!silence.is_silent("a", at(69)) && silence.is_silent("a", at(70)), "its second partition");
        assert!(silence.is_silent("never heard", at(60)) && !silence.is_silent("never heard", at(59)));
        silence.heard("new", 0, at(60));
        assert!(!silence.is_silent("new", at(119)), "its time begins with its first word");
        silence.nobody(at(70));
        assert!(!silence.is_silent("a", at(129)) && silence.is_silent("a", at(130)));
        silence.behind(1, at(100));
        silence.heard("a", 0, at(100));
        assert!(!silence.is_silent("a", at(159)) && !silence.is_silent("never heard", at(159)));
    }
}
