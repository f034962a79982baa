//! Rows from Kafka, findings to Kafka.
//!
//! All partitions of all table topics are read from their start; what a message promises moves the watermark. The group only
//! commits offsets for lag display: what was read is known from the messages' own row numbers. Partitions far ahead of the others
//! are paused, so that a backlog does not have to fit into memory.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lidr_schema::{
    TableId,
    table::ALL,
    wire::{self, Headers},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    message::Headers as _,
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};

use crate::{
    BrokerOrigin, Finding,
    feed::{FeedError, RowSink},
    progress::Progress,
};

/// Partitions more than this ahead of the one that is furthest behind are paused, µs.
const AHEAD: i64 = 60_000_000;
const TIMEOUT: Duration = Duration::from_secs(10);
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Messages between two looks at who is ahead.
const BALANCE_EVERY: u64 = 256;

/// What to read.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Brokers, comma separated.
    pub brokers: String,
    /// Prefix of the topics, `lidr.v1`.
    pub prefix: String,
    /// Consumer group, for lag display.
    pub group: String,
    /// Sensors to wait for.
    pub sensors: Vec<String>,
    /// End once all of them have ended.
    pub until_eos: bool,
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// librdkafka's own properties.
    pub properties: BTreeMap<String, String>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
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
    /// Messages behind, by topic and partition.
    pub lag: BTreeMap<(String, i32), i64>,
}

fn config(brokers: &str, properties: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    for (name, value) in properties {
        config.set(name, value);
    }
    config
}

fn unreachable_broker(brokers: &str, error: &KafkaError) -> FeedError {
    FeedError::Source(format!("cannot reach a Kafka broker at {brokers} within 10 s ({error}): check the address and that the broker runs"))
}

/// A consumer of all table topics.
pub struct Source {
    options: SourceOptions,
    consumer: BaseConsumer,
    partitions: Vec<(TableId, String, i32)>,
    paused: BTreeSet<usize>,
    progress: Progress,
    consumed: Consumed,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} partitions)", self.partitions.len())
    }
}

impl Source {
    /// Finds the topics and assigns all their partitions, from the start.
    ///
    /// # Errors
    /// If no broker answers, or there are no topics of that prefix.
    pub fn connect(options: SourceOptions) -> Result<Self, FeedError> {
        let mut config = config(&options.brokers, &options.properties);
        config.set("group.id", &options.group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        config.set("queued.max.messages.kbytes", "65536").set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer = config.create().map_err(|e| unreachable_broker(&options.brokers, &e))?;
        let metadata = consumer.fetch_metadata(None, TIMEOUT).map_err(|e| unreachable_broker(&options.brokers, &e))?;
        let mut partitions = Vec::new();
        for table in ALL {
            let name = format!("{}.{}", options.prefix, table.name());
            let topic = metadata.topics().iter().find(|t| t.name() == name);
            let mut numbers: Vec<i32> = topic.into_iter().flat_map(|t| t.partitions()).map(|p| p.id()).collect();
            numbers.sort_unstable();
            partitions.extend(numbers.into_iter().map(|p| (*table, name.clone(), p)));
        }
        if partitions.is_empty() {
            return Err(FeedError::Source(format!("{}: no topics {}.*: start a sensor first, it makes them", options.brokers, options.prefix)));
        }
        let mut list = TopicPartitionList::new();
        for (_, topic, partition) in &partitions {
            list.add_partition_offset(topic, *partition, Offset::Beginning).map_err(|e| unreachable_broker(&options.brokers, &e))?;
        }
        consumer.assign(&list).map_err(|e| unreachable_broker(&options.brokers, &e))?;
        let progress = Progress::new(options.sensors.iter().cloned(), partitions.len());
        Ok(Self { options, consumer, partitions, paused: BTreeSet::new(), progress, consumed: Consumed::default() })
    }

    /// Feeds rows and watermarks until all sensors have ended (with `until_eos`) or `stop` is set.
    ///
    /// # Errors
    /// If the broker fails for good, a message is of another key or a newer schema, or judging fails.
    pub fn run(&mut self, taker: &mut dyn RowSink, stop: &AtomicBool, told: &mut dyn FnMut(&Consumed)) -> Result<(), FeedError> {
        let mut committed = Instant::now();
        let mut last = i64::MIN;
        while !stop.load(Ordering::Relaxed) {
            match self.consumer.poll(Duration::from_millis(200)) {
                None => self.balance(true)?,
                Some(Err(error)) => self.broken(&error)?,
                Some(Ok(message)) => {
                    // The message borrows the consumer; what is needed of it is copied out.
                    let message = message.detach();
                    self.message(&message, taker)?;
                    if self.consumed.messages % BALANCE_EVERY == 0 {
                        self.balance(false)?;
                    }
                }
            }
            let watermark = self.progress.watermark();
            if watermark > last {
                last = watermark;
                taker.watermark(watermark)?;
            }
            if self.options.until_eos && self.progress.ended() {
                break;
            }
            if committed.elapsed() >= COMMIT_EVERY {
                committed = Instant::now();
                self.commit();
                told(&self.consumed);
            }
        }
        self.commit();
        told(&self.consumed);
        Ok(())
    }

    fn broken(&self, error: &KafkaError) -> Result<(), FeedError> {
        match error.rdkafka_error_code() {
            // librdkafka goes on by itself once a broker is back.
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
                tracing::warn!("{}: {error}; trying again", self.options.brokers);
                Ok(())
            }
            _ => Err(FeedError::Source(format!("{}: {error}", self.options.brokers))),
        }
    }

    fn message(&mut self, message: &rdkafka::message::OwnedMessage, taker: &mut dyn RowSink) -> Result<(), FeedError> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let place = || format!("{topic}[{partition}]@{offset}");
        let Some((number, table)) = self.find(topic, partition) else { return Ok(()) };
        let pairs: BTreeMap<String, String> = message
            .headers()
            .into_iter()
            .flat_map(|h| h.iter())
            .filter_map(|h| Some((h.key.to_owned(), String::from_utf8(h.value?.to_vec()).ok()?)))
            .collect();
        let wrong = |e: wire::WireError| FeedError::Source(format!("{}: {e}", place()));
        let headers = Headers::from_pairs(|name| pairs.get(name).map(String::as_str)).map_err(wrong)?;
        headers.check_key(&self.options.key_id).map_err(wrong)?;
        let body = message.payload().unwrap_or_default();
        self.consumed.messages += 1;
        self.consumed.bytes += body.len() as u64;
        let batches = wire::decode(table, body).map_err(wrong)?;
        let accepted = self.progress.message(number, &headers);
        self.consumed.repeated += accepted.skip;
        self.consumed.missing += accepted.hole;
        if accepted.hole > 0 {
            tracing::warn!("{}: {} rows are missing before this message", place(), accepted.hole);
        }
        let origin = Arc::new(BrokerOrigin { topic: topic.to_owned(), partition, first_offset: offset });
        let mut skip = usize::try_from(accepted.skip).unwrap_or(usize::MAX);
        for batch in batches {
            let old = skip.min(batch.num_rows());
            skip -= old;
            let new = batch.slice(old, batch.num_rows() - old);
            self.consumed.rows += new.num_rows() as u64;
            if new.num_rows() > 0 {
                taker.rows(table, new, Some(Arc::clone(&origin)))?;
            }
        }
        Ok(())
    }

    fn find(&self, topic: &str, partition: i32) -> Option<(usize, TableId)> {
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
        done.map_err(|e| FeedError::Source(format!("{}: {e}", self.options.brokers)))
    }

    /// Commits what was read, for lag display, and looks how far behind we are.
    fn commit(&mut self) {
        let Ok(positions) = self.consumer.position() else { return };
        let mut list = TopicPartitionList::new();
        for element in positions.elements() {
            if let Offset::Offset(offset) = element.offset() {
                let (topic, partition) = (element.topic(), element.partition());
                // Without these a lag would not be shown; nothing is lost.
                let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset));
                let high = self.consumer.fetch_watermarks(topic, partition, Duration::from_millis(500)).map(|(_, high)| high);
                if let Ok(high) = high {
                    self.consumed.lag.insert((topic.to_owned(), partition), high - offset);
                }
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!("offsets were not committed: {error}");
        }
    }
}

/// Produces findings to `PREFIX.finding`, keyed by their id.
pub struct FindingProducer {
    topic: String,
    producer: BaseProducer,
}

impl std::fmt::Debug for FindingProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FindingProducer({})", self.topic)
    }
}

impl FindingProducer {
    /// Reaches the brokers and makes the topic if it is missing.
    ///
    /// # Errors
    /// If no broker answers or the topic cannot be made.
    pub fn connect(brokers: &str, prefix: &str, properties: &BTreeMap<String, String>) -> Result<Self, FeedError> {
        use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
        let topic = format!("{prefix}.finding");
        let mut config = config(brokers, properties);
        config.set("enable.idempotence", "true").set("acks", "all");
        let producer: BaseProducer = config.create().map_err(|e| unreachable_broker(brokers, &e))?;
        let metadata = producer.client().fetch_metadata(None, TIMEOUT).map_err(|e| unreachable_broker(brokers, &e))?;
        if !metadata.topics().iter().any(|t| t.name() == topic) {
            let admin: AdminClient<_> = config.create().map_err(|e| unreachable_broker(brokers, &e))?;
            let replicas = i32::try_from(metadata.brokers().len().clamp(1, 3)).unwrap_or(1);
            let new = [NewTopic::new(&topic, 4, TopicReplication::Fixed(replicas))];
            let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|e| FeedError::Source(e.to_string()))?;
            let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
            runtime.block_on(admin.create_topics(&new, &options)).map_err(|e| unreachable_broker(brokers, &e))?;
        }
        Ok(Self { topic, producer })
    }

    /// Sends a finding's line.
    ///
    /// # Errors
    /// If it cannot be queued within 10 s.
    pub fn send(&self, finding: &Finding) -> Result<(), FeedError> {
        let line = finding.to_json().to_string();
        let began = Instant::now();
        loop {
            let record = BaseRecord::to(&self.topic).key(&finding.uid).payload(&line);
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if began.elapsed() < TIMEOUT => {
                    self.producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => return Err(FeedError::Source(format!("{}: {error}", self.topic))),
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Waits until all are acknowledged.
    ///
    /// # Errors
    /// If that takes longer than 30 s.
    pub fn flush(&self) -> Result<(), FeedError> {
        self.producer.flush(Duration::from_secs(30)).map_err(|e| FeedError::Source(format!("{}: {e}", self.topic)))
    }
}
