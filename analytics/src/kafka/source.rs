//! Rows from the table topics, fed to whoever judges them.
//!
//! All partitions of all table topics are read from their start; what a message promises moves the watermark. The group only
//! commits offsets for lag display: what was read is known from the messages' own row numbers. Partitions far ahead of the others
//! are paused, so that a backlog does not have to fit into memory.
//!
//! `until_eos` ends when every sensor has ended and everything has been read that was there at the start: a topic may hold several
//! runs of one sensor, one after the other. Without it nothing ends; when every sensor has ended and nothing has come for
//! `silence`, what is open is judged as it stands.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lidr_broker::{Hearing, Settings, Trouble, heals, next_step};
use lidr_schema::{TableId, wire::WireError};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
    message::OwnedMessage,
    types::RDKafkaErrorCode,
};

use super::{
    TIMEOUT,
    find::find,
    message::{after, body_of, headers},
    silence::Silence,
    strange::{Kind, Strange},
};
use crate::{
    BrokerOrigin,
    feed::{FeedError, RowSink},
    progress::Progress,
    rows::dues,
};

/// Partitions more than this ahead of the one that is furthest behind are paused, µs.
const AHEAD: i64 = 60_000_000;
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for how far the partitions reach; nothing is judged meanwhile.
const LAG_TIMEOUT: Duration = Duration::from_millis(500);
/// Messages between two looks at who is ahead.
const BALANCE_EVERY: u64 = 256;

/// What to read.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Where the brokers are.
    pub cluster: Settings,
    /// Prefix of the topics, `lidr.v1`.
    pub prefix: String,
    /// Consumer group, for lag display.
    pub group: String,
    /// Sensors to wait for.
    pub sensors: Vec<String>,
    /// End once all of them have ended.
    pub until_eos: bool,
    /// Without a message for so long, what is open is judged once all of them have ended.
    pub silence: Duration,
    /// Public name of the pseudonym key.
    pub key_id: String,
}

/// What was read.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Consumed {
    /// Messages.
    pub messages: u64,
    /// Octets of their bodies.
    pub bytes: u64,
    /// Rows that were new.
    pub rows: u64,
    /// Rows that had come before.
    pub repeated: u64,
    /// Rows that never came.
    pub missing: u64,
    /// Messages that were none of ours, or broken.
    pub broken: u64,
    /// Rows of runs that began too far behind.
    pub refused: u64,
    /// Sensors that are waited for, or were, and whether they are silent.
    pub sensors: BTreeMap<String, bool>,
    /// Messages behind, by topic and partition.
    #[serde(skip)]
    pub lag: BTreeMap<(String, i32), i64>,
}

/// A consumer of all table topics.
pub struct Source {
    pub(super) options: SourceOptions,
    pub(super) consumer: BaseConsumer<Hearing>,
    trouble: Arc<Trouble>,
    pub(super) partitions: Vec<(TableId, String, i32)>,
    /// Offset of the next message of each partition, where one was read.
    pub(super) read: BTreeMap<usize, i64>,
    /// Messages of which rows had come before: how many, by partition and offset.
    pub(super) repeats: BTreeMap<(usize, i64), u64>,
    /// Where partitions begin; those of which messages are gone, and from when on all partitions are whole.
    pub(super) first: BTreeMap<(String, i32), i64>,
    cut: BTreeSet<usize>,
    pub(super) whole: i64,
    pub(super) silence: Silence,
    /// Where partitions ended at the last look, and the least time at which a row was due.
    pub(super) ends: BTreeMap<(String, i32), i64>,
    pub(super) oldest: i64,
    /// When silence was told last, event time.
    pub(super) told_silence: i64,
    /// Which cluster this is.
    pub(super) cluster: String,
    /// Where partitions ended at the start, those that have not been read so far yet.
    unread: BTreeMap<usize, i64>,
    paused: BTreeSet<usize>,
    pub(super) progress: Progress,
    pub(super) strange: Strange,
    consumed: Consumed,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} partitions)", self.partitions.len())
    }
}

/// What a look at the broker brought.
enum Came {
    Nothing,
    /// The broker could not be reached: that is no silence.
    Failure,
    Message {
        rows: u64,
    },
}

impl Source {
    /// Finds the topics, waiting for brokers and for a sensor that makes them. [`Source::resume`] may follow, then [`Source::run`].
    ///
    /// # Errors
    /// If no broker answers in time, or there are no topics of that prefix.
    pub fn connect(options: SourceOptions) -> Result<Self, FeedError> {
        let cluster = &options.cluster;
        let trouble = Trouble::new(&cluster.brokers);
        let mut config = cluster.config();
        config.set("group.id", &options.group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        config.set("queued.max.messages.kbytes", "65536").set("fetch.wait.max.ms", "50");
        let consumer = config.create_with_context(Hearing(Arc::clone(&trouble)));
        let consumer: BaseConsumer<Hearing> = consumer.map_err(|e| cluster.refused(&e))?;
        let partitions = find(&options, &consumer, &trouble)?;
        let id = consumer.client().fetch_cluster_id(TIMEOUT).unwrap_or_default();
        let mut progress = Progress::new(options.sensors.iter().cloned(), partitions.len());
        if !options.until_eos {
            progress.refuse_what_is_far_behind();
        }
        let silence = Silence::new(options.silence, partitions.len(), Instant::now());
        let (unread, read, repeats) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (paused, strange, consumed) = (BTreeSet::new(), Strange::default(), Consumed::default());
        Ok(Self {
            options,
            consumer,
            trouble,
            partitions,
            read,
            repeats,
            first: BTreeMap::new(),
            cut: BTreeSet::new(),
            whole: i64::MIN,
            silence,
            ends: BTreeMap::new(),
            oldest: i64::MAX,
            told_silence: i64::MIN,
            cluster: id,
            unread,
            paused,
            progress,
            strange,
            consumed,
        })
    }

    /// Assigns all partitions, each from where it was read to.
    fn begin(&mut self) -> Result<(), FeedError> {
        let refused = |e: KafkaError| self.options.cluster.unreachable(&e.to_string());
        let mut list = TopicPartitionList::new();
        for (number, (_, topic, partition)) in self.partitions.iter().enumerate() {
            let from = self.read.get(&number).map_or(Offset::Beginning, |next| Offset::Offset(*next));
            list.add_partition_offset(topic, *partition, from).map_err(refused)?;
        }
        self.consumer.assign(&list).map_err(refused)?;
        self.first = self.sure_edges(Offset::Beginning)?;
        let numbered = || self.partitions.iter().enumerate().map(|(n, (_, topic, p))| (n, (topic.clone(), *p)));
        let cut = numbered().filter(|(n, place)| !self.read.contains_key(n) && self.first.get(place) > Some(&0));
        self.cut = cut.map(|(number, _)| number).collect();
        if self.options.until_eos {
            let last = self.sure_edges(Offset::End)?;
            let held = numbered().filter_map(|(number, place)| {
                let from = self.read.get(&number).or_else(|| self.first.get(&place));
                Some((number, *last.get(&place)?)).filter(|(_, end)| from < Some(end))
            });
            self.unread = held.collect();
        }
        self.silence.nobody(Instant::now());
        Ok(())
    }

    /// Where all partitions begin or end; waits for a broker that can tell.
    pub(super) fn sure_edges(&self, which: Offset) -> Result<BTreeMap<(String, i32), i64>, FeedError> {
        Ok(self.options.cluster.reach(&self.trouble, |within| self.edges(which, within))?)
    }

    /// Where all partitions begin or end, asked of each broker once.
    fn edges(&self, which: Offset, timeout: Duration) -> KafkaResult<BTreeMap<(String, i32), i64>> {
        let mut list = TopicPartitionList::new();
        for (_, topic, partition) in &self.partitions {
            list.add_partition_offset(topic, *partition, which)?;
        }
        let found = self.consumer.offsets_for_times(list, timeout)?;
        let known = found
            .elements()
            .into_iter()
            .filter_map(|e| Some(((e.topic().to_owned(), e.partition()), e.offset().to_raw()?)));
        Ok(known.filter(|(_, offset)| *offset >= 0).collect())
    }

    /// Feeds rows and watermarks until all sensors have ended (with `until_eos`; gives the greatest clock at which one did) or `stop`
    /// is set (gives nothing).
    ///
    /// # Errors
    /// If the broker fails for good, a message is of another key or a newer schema, or judging fails.
    pub fn run(
        &mut self,
        taker: &mut dyn RowSink,
        stop: &AtomicBool,
        told: &mut dyn FnMut(&Consumed),
    ) -> Result<Option<i64>, FeedError> {
        self.begin()?;
        let (mut committed, mut heard) = (Instant::now(), Instant::now());
        let (mut last, mut resting, mut ended) = (i64::MIN, false, false);
        while !stop.load(Ordering::Relaxed) && !ended {
            let came = self.poll(taker)?;
            if !matches!(came, Came::Nothing) {
                (heard, resting) = (Instant::now(), false);
            }
            // What there is to note belongs behind what was judged, and before what is judged now.
            let before = self.progress.judged();
            let watermark = self.progress.watermark();
            let judged = self.progress.judged();
            let at = if before > i64::MIN { before } else { judged };
            let mut odd = at > i64::MIN && self.strange.feed(at.saturating_add(1), taker)?;
            odd |= self.tell_silence(before, judged, taker)?;
            // Rules on single rows do not wait for the watermark.
            if odd || watermark > last || matches!(came, Came::Message { rows: 1.. }) {
                last = watermark;
                taker.watermark(watermark)?;
                self.checkpoint(taker, false)?;
            }
            let silent = heard.elapsed() >= self.options.silence;
            if silent && !resting && self.options.until_eos && !self.progress.ended() {
                resting = true;
                let open: Vec<&str> = self.progress.open().collect();
                tracing::warn!("nothing comes, and the end of {} is still waited for (--until-eos)", open.join(", "));
            }
            if self.progress.ended() {
                ended = self.options.until_eos && (self.unread.is_empty() || silent);
                if silent && !resting && !ended {
                    resting = true;
                    self.rest(taker)?;
                }
            }
            if committed.elapsed() >= COMMIT_EVERY {
                committed = Instant::now();
                self.commit();
                told(&self.consumed);
            }
        }
        if ended {
            self.strange.feed(self.progress.end(), taker)?;
        } else if taker.keeps_state() {
            // The next start judges what is open, with all that will have come by then.
            self.checkpoint(taker, true)?;
        } else if self.progress.ended() && !resting {
            self.rest(taker)?;
        }
        self.commit();
        told(&self.consumed);
        Ok(ended.then(|| self.progress.end()))
    }

    /// Before that time not everything is there.
    pub(super) fn whole_from(&mut self, due: i64, taker: &mut dyn RowSink) -> Result<(), FeedError> {
        if due > self.whole {
            self.whole = due;
            taker.whole_from(due)?;
        }
        Ok(())
    }

    fn rest(&mut self, taker: &mut dyn RowSink) -> Result<(), FeedError> {
        let end = self.progress.end();
        self.strange.feed(end, taker)?;
        self.tell_silence(self.progress.judged(), end, taker)?;
        self.progress.rest();
        Ok(taker.rest(end)?)
    }

    /// What was read so far.
    #[must_use]
    pub const fn consumed(&self) -> &Consumed {
        &self.consumed
    }

    fn poll(&mut self, taker: &mut dyn RowSink) -> Result<Came, FeedError> {
        match self.consumer.poll(Duration::from_millis(200)) {
            None => {
                self.balance(true)?;
                Ok(Came::Nothing)
            }
            Some(Err(error)) => {
                self.failed(&error)?;
                Ok(Came::Failure)
            }
            Some(Ok(message)) => {
                self.trouble.well();
                // The message borrows the consumer; what is needed of it is copied out.
                let message = message.detach();
                let rows = self.message(&message, taker)?;
                if self.consumed.messages.is_multiple_of(BALANCE_EVERY) {
                    self.balance(false)?;
                }
                Ok(Came::Message { rows })
            }
        }
    }

    fn failed(&self, error: &KafkaError) -> Result<(), FeedError> {
        use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
        let (brokers, why) = (&self.options.cluster.brokers, error.to_string());
        match error.rdkafka_error_code() {
            // librdkafka goes on by itself once a broker is back.
            Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve) if heals(&why) => {
                self.trouble.say(&self.trouble.latest().unwrap_or(why));
                Ok(())
            }
            _ => Err(FeedError::Source(format!("{brokers}: {why}: {}", next_step(&why)))),
        }
    }

    /// Feeds what is new in a message; gives the number of rows.
    fn message(&mut self, message: &OwnedMessage, taker: &mut dyn RowSink) -> Result<u64, FeedError> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let Some((number, table)) = self.find(topic, partition) else { return Ok(0) };
        if self.unread.get(&number).is_some_and(|end| offset + 1 >= *end) {
            self.unread.remove(&number);
        }
        self.read.insert(number, offset + 1);
        let body = message.payload().unwrap_or_default();
        self.consumed.messages += 1;
        self.consumed.bytes += body.len() as u64;
        let origin = Arc::new(BrokerOrigin { topic: topic.to_owned(), partition, first_offset: offset, beside: false });
        let refuse = |e: WireError| FeedError::Source(format!("{topic}[{partition}]@{offset}: {e}"));
        let headers = match headers(message) {
            Ok(headers) => headers,
            Err(error @ WireError::NewerMajor(..)) => return Err(refuse(error)),
            Err(error) => {
                self.consumed.broken += 1;
                self.strange.note(Kind::Broken, "", "headers", 1, &origin, &error.to_string());
                return Ok(0);
            }
        };
        headers.check_key(&self.options.key_id).map_err(refuse)?;
        let batches = body_of(table, body, headers.rows);
        let first_due = batches.iter().flatten().filter_map(|b| arrow::compute::min(dues(b)?)).min();
        let accepted = self.progress.message(number, &headers, first_due);
        if accepted.refused {
            self.consumed.refused += headers.rows;
            let why = "its run begins more than an hour behind what was judged: replay it, or send it under another --topic-prefix";
            self.strange.note(Kind::Behind, &headers.sensor, "rows", headers.rows, &origin, why);
            return Ok(0);
        }
        self.silence.heard(&headers.sensor, number, Instant::now());
        // What is gone of a partition was promised by what is left; before that not everything is there to be judged.
        if self.cut.contains(&number) && headers.promise > i64::MIN {
            self.cut.remove(&number);
            self.whole_from(headers.promise, taker)?;
        }
        self.oldest = self.oldest.min(first_due.unwrap_or(i64::MAX));
        if accepted.skip > 0 && taker.keeps_state() {
            self.repeats.insert((number, offset), accepted.skip);
        }
        if accepted.hole > 0 {
            self.consumed.missing += accepted.hole;
            let why = format!("{} rows are missing before this message", accepted.hole);
            self.strange.note(Kind::Hole, &headers.sensor, "rows", accepted.hole, &origin, &why);
        }
        let batches = match batches {
            Ok(batches) => batches,
            Err(why) => {
                self.consumed.broken += 1;
                self.consumed.missing += headers.rows - accepted.skip;
                self.strange.note(Kind::Broken, &headers.sensor, "body", 1, &origin, &why);
                return Ok(0);
            }
        };
        self.consumed.repeated += accepted.skip;
        let mut rows = 0;
        for new in after(batches, accepted.skip) {
            rows += new.num_rows() as u64;
            taker.rows(table, new, Some(Arc::clone(&origin)))?;
        }
        self.consumed.rows += rows;
        Ok(rows)
    }

    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<(usize, TableId)> {
        let at = self.partitions.iter().position(|(_, t, p)| t == topic && *p == partition)?;
        self.partitions.get(at).map(|(table, _, _)| (at, *table))
    }

    /// Pauses partitions that are far ahead and resumes the others; nothing stays paused while nothing comes.
    fn balance(&mut self, idle: bool) -> Result<(), FeedError> {
        let promises: Vec<i64> = (0..self.partitions.len()).map(|p| self.progress.promise(p)).collect();
        let least = promises.iter().copied().min().unwrap_or(i64::MIN);
        let far = |p: &i64| !idle && *p < i64::MAX && *p > least.saturating_add(AHEAD) && least > i64::MIN;
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        for (number, promise) in promises.iter().enumerate() {
            let Some((_, topic, partition)) = self.partitions.get(number) else { continue };
            match (far(promise), self.paused.contains(&number)) {
                (true, false) => {
                    self.paused.insert(number);
                    pause.add_partition(topic, *partition);
                }
                (false, true) => {
                    self.paused.remove(&number);
                    resume.add_partition(topic, *partition);
                }
                _ => {}
            }
        }
        let done = self.consumer.pause(&pause).and_then(|()| self.consumer.resume(&resume));
        done.map_err(|e| FeedError::Source(format!("{}: {e}", self.options.cluster.brokers)))
    }

    /// Commits what was read, for lag display, and looks how far behind we are.
    fn commit(&mut self) {
        let Ok(positions) = self.consumer.position() else { return };
        let ends = self.edges(Offset::End, LAG_TIMEOUT).unwrap_or_default();
        self.listen(&ends);
        let silent = self.progress.silent();
        self.consumed.sensors = self.progress.expected().map(|s| (s.to_owned(), silent.contains(s))).collect();
        let mut list = TopicPartitionList::new();
        for element in positions.elements() {
            let Offset::Offset(offset) = element.offset() else { continue };
            let place = (element.topic().to_owned(), element.partition());
            // Without these a lag would not be shown; nothing is lost.
            let _ = list.add_partition_offset(&place.0, place.1, Offset::Offset(offset));
            if let Some(end) = ends.get(&place) {
                self.consumed.lag.insert(place, end - offset);
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!("offsets were not committed: {error}");
        }
    }
}
