//! Rows to Kafka: one Arrow IPC stream a message, with promises (contracts: topics).
//!
//! Rows of a table are split by the hash of its entity; a message holds rows of one (table, partition), at most 900 KiB, sent at
//! 512 KiB or when 250 ms have passed. A promise goes only with what was sent before it. Idempotent, all replicas acknowledge; a
//! message that cannot be delivered ends the run with a sentence, never with a lost row.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::{
    array::{Array, AsArray, RecordBatch, UInt32Array},
    compute::{concat_batches, take_record_batch},
    datatypes::{DataType, Int32Type, TimestampMicrosecondType},
};
use lidr_schema::{
    SCHEMA_VERSION, TableId,
    table::ALL,
    wire::{self, Headers, murmur2},
};
use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use super::{Sink, SinkError};

/// Encoded octets at which a message is sent, estimated from rows.
const SEND_AT: usize = 512 * 1024;
/// Most octets of a message's body.
const MOST: usize = 900 * 1024;
const SEND_AFTER: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whose rows they are and where they go.
#[derive(Clone, Debug)]
pub struct KafkaSinkOptions {
    /// Prefix of the topics, `lidr.v1`.
    pub prefix: String,
    /// The sensor's name.
    pub sensor: String,
    /// Name of the run.
    pub epoch: String,
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// Partitions of topics that are made.
    pub partitions: i32,
    /// librdkafka's own properties.
    pub properties: BTreeMap<String, String>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KafkaCounters {
    /// Messages, heartbeats included.
    pub messages: u64,
    /// Octets of their bodies.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

/// What was sent so far, to be read while a run goes on.
#[derive(Debug, Default)]
pub struct KafkaSent {
    messages: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
}

impl KafkaSent {
    fn add(&self, bytes: u64, rows: u64) {
        for (counter, n) in [(&self.messages, 1), (&self.bytes, bytes), (&self.rows, rows)] {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// How much it is now.
    #[must_use]
    pub fn now(&self) -> KafkaCounters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        KafkaCounters { messages: of(&self.messages), bytes: of(&self.bytes), rows: of(&self.rows) }
    }
}

/// Hears of every delivery.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
    reason: Mutex<String>,
}

struct Hearing(Arc<Deliveries>);

impl ClientContext for Hearing {}

impl ProducerContext for Hearing {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut reason) = self.0.reason.lock() {
                *reason = error.to_string();
            }
        }
    }
}

#[derive(Debug)]
struct Partition {
    rows: Vec<RecordBatch>,
    octets: usize,
    sent_rows: u64,
    last_send: Instant,
    since: Option<Instant>,
}

/// Produces rows to Kafka.
pub struct KafkaSink {
    brokers: String,
    options: KafkaSinkOptions,
    producer: ThreadedProducer<Hearing>,
    deliveries: Arc<Deliveries>,
    partitions: BTreeMap<(TableId, i32), Partition>,
    counts: BTreeMap<TableId, i32>,
    promise: i64,
    sent: Arc<KafkaSent>,
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KafkaSink({}, {:?})", self.brokers, self.sent.now())
    }
}

fn config(brokers: &str, properties: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    for (name, value) in properties {
        config.set(name, value);
    }
    config
}

impl KafkaSink {
    /// Reaches the brokers, makes the topics that are missing and says hello on every partition.
    ///
    /// # Errors
    /// If no broker answers within 10 s, or a topic can neither be found nor made.
    pub fn connect(brokers: &str, options: KafkaSinkOptions) -> Result<Self, SinkError> {
        let counts = topics(brokers, &options)?;
        let deliveries = Arc::new(Deliveries::default());
        let mut config = config(brokers, &options.properties);
        config.set("enable.idempotence", "true").set("acks", "all").set("queue.buffering.max.kbytes", "65536");
        config.set("message.max.bytes", "2000000").set("linger.ms", "5");
        let producer = config
            .create_with_context(Hearing(Arc::clone(&deliveries)))
            .map_err(|e| unreachable_broker(brokers, &e))?;
        let now = Instant::now();
        let blank = || Partition { rows: Vec::new(), octets: 0, sent_rows: 0, last_send: now, since: None };
        let partitions = counts.iter().flat_map(|(t, n)| (0..*n).map(|p| ((*t, p), blank()))).collect();
        let mut sink = Self {
            brokers: brokers.to_owned(),
            options,
            producer,
            deliveries,
            partitions,
            counts,
            promise: i64::MIN,
            sent: Arc::default(),
        };
        sink.send_all(true, false)?;
        Ok(sink)
    }

    /// What was sent so far, and will be.
    #[must_use]
    pub fn sent(&self) -> Arc<KafkaSent> {
        Arc::clone(&self.sent)
    }

    /// Sends what waits; with `all` a heartbeat where nothing does.
    fn send_all(&mut self, all: bool, eos: bool) -> Result<(), SinkError> {
        let keys: Vec<(TableId, i32)> = self.partitions.keys().copied().collect();
        for key in keys {
            let Some(partition) = self.partitions.get(&key) else { continue };
            let waits = !partition.rows.is_empty();
            if all || waits {
                self.send(key, eos)?;
            }
        }
        Ok(())
    }

    /// Sends what is old enough, and heartbeats where nothing was sent for a second.
    fn pace(&mut self) -> Result<(), SinkError> {
        let old = |p: &Partition| {
            p.octets >= SEND_AT
                || p.since.is_some_and(|s| s.elapsed() >= SEND_AFTER)
                || p.last_send.elapsed() >= HEARTBEAT
        };
        let keys: Vec<(TableId, i32)> = self.partitions.iter().filter(|(_, p)| old(p)).map(|(k, _)| *k).collect();
        keys.into_iter().try_for_each(|key| self.send(key, false))
    }

    fn send(&mut self, key: (TableId, i32), eos: bool) -> Result<(), SinkError> {
        let Some(partition) = self.partitions.get_mut(&key) else { return Ok(()) };
        let rows = std::mem::take(&mut partition.rows);
        (partition.octets, partition.since, partition.last_send) = (0, None, Instant::now());
        let schema = key.0.def().schema();
        let batch = concat_batches(&schema, &rows).map_err(|e| SinkError(e.to_string()))?;
        self.message(key, &batch, eos)
    }

    /// One message, or two halves where one would be too long. Only the last carries the promise.
    fn message(&mut self, key: (TableId, i32), batch: &RecordBatch, eos: bool) -> Result<(), SinkError> {
        let body = wire::encode(batch).map_err(|e| SinkError(e.to_string()))?;
        let rows = batch.num_rows();
        if body.len() > MOST && rows > 1 {
            let promise = self.promise;
            self.promise = i64::MIN;
            let first = self.message(key, &batch.slice(0, rows / 2), false);
            self.promise = promise;
            first?;
            return self.message(key, &batch.slice(rows / 2, rows - rows / 2), eos);
        }
        let (ts_min, ts_max) = span(batch);
        let Some(partition) = self.partitions.get_mut(&key) else { return Ok(()) };
        let headers = Headers {
            schema: SCHEMA_VERSION,
            sensor: self.options.sensor.clone(),
            epoch: self.options.epoch.clone(),
            seq: partition.sent_rows,
            rows: rows as u64,
            ts_min,
            ts_max,
            promise: self.promise,
            eos,
            key_id: self.options.key_id.clone(),
        };
        partition.sent_rows += rows as u64;
        self.sent.add(body.len() as u64, rows as u64);
        self.produce(key, &body, &headers)
    }

    fn produce(&self, key: (TableId, i32), body: &[u8], headers: &Headers) -> Result<(), SinkError> {
        let topic = format!("{}.{}", self.options.prefix, key.0.name());
        let pairs = headers.to_pairs();
        let owned = || {
            let add =
                |list: OwnedHeaders, (k, v): &(&str, String)| list.insert(Header { key: k, value: Some(v.as_str()) });
            pairs.iter().fold(OwnedHeaders::new(), add)
        };
        loop {
            let record = BaseRecord::<(), [u8]>::to(&topic).partition(key.1).payload(body).headers(owned());
            match self.producer.send(record) {
                Ok(()) => break,
                // The queue is full: the broker is slower than we are, so we wait with it.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                Err((error, _)) => return Err(SinkError(format!("{topic}: {error}"))),
            }
            self.delivered()?;
        }
        self.delivered()
    }

    fn flush(&self) -> Result<(), SinkError> {
        self.producer.flush(Duration::from_secs(60)).map_err(|e| SinkError(format!("{}: {e}", self.brokers)))?;
        self.delivered()
    }

    fn delivered(&self) -> Result<(), SinkError> {
        match self.deliveries.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            n => {
                let reason = self.deliveries.reason.lock().map(|r| r.clone()).unwrap_or_default();
                Err(SinkError(format!(
                    "{}: {n} messages were not delivered ({reason}); run the sensor again, receivers drop repeats",
                    self.brokers
                )))
            }
        }
    }
}

impl Sink for KafkaSink {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        let count = self.counts.get(&table).copied().unwrap_or(1).max(1);
        for (partition, rows) in split(table, &batch, count)? {
            let Some(place) = self.partitions.get_mut(&(table, partition)) else { continue };
            // Arrow's memory is a fair upper bound of what compression leaves; a third is what it usually leaves.
            place.octets += rows.get_array_memory_size() / 3;
            place.since.get_or_insert_with(Instant::now);
            place.rows.push(rows);
        }
        Ok(())
    }

    fn floor(&mut self, promise: i64) -> Result<(), SinkError> {
        if promise == i64::MAX {
            return Ok(());
        }
        self.promise = promise;
        self.pace()
    }

    /// The last message of a partition promises up to the clock at the end: nothing comes after it, and whoever waits for what did
    /// not come must know how long it was waited for.
    fn end(&mut self, clock: i64) -> Result<(), SinkError> {
        self.promise = clock.max(self.promise);
        self.send_all(true, true)?;
        self.flush()
    }

    fn broke(&mut self) -> Result<(), SinkError> {
        self.send_all(false, false)?;
        self.flush()
    }
}

fn unreachable_broker(brokers: &str, error: &KafkaError) -> SinkError {
    SinkError(format!(
        "cannot reach a Kafka broker at {brokers} within 10 s ({error}): check the address and that the broker runs"
    ))
}

/// Finds or makes the topics; gives their numbers of partitions.
fn topics(brokers: &str, options: &KafkaSinkOptions) -> Result<BTreeMap<TableId, i32>, SinkError> {
    let admin: AdminClient<DefaultClientContext> =
        config(brokers, &options.properties).create().map_err(|e| unreachable_broker(brokers, &e))?;
    let name = |t: TableId| format!("{}.{}", options.prefix, t.name());
    let find = |admin: &AdminClient<DefaultClientContext>| {
        let metadata = admin.inner().fetch_metadata(None, TIMEOUT).map_err(|e| unreachable_broker(brokers, &e))?;
        let topics: BTreeMap<String, i32> = metadata
            .topics()
            .iter()
            .map(|t| (t.name().to_owned(), i32::try_from(t.partitions().len()).unwrap_or(0)))
            .collect();
        Ok::<_, SinkError>((metadata.brokers().len(), topics))
    };
    let (count, there) = find(&admin)?;
    let missing: Vec<String> = ALL.iter().map(|t| name(*t)).filter(|n| !there.contains_key(n)).collect();
    if !missing.is_empty() {
        let replicas = i32::try_from(count.clamp(1, 3)).unwrap_or(1);
        let new: Vec<NewTopic<'_>> =
            missing.iter().map(|n| NewTopic::new(n, options.partitions, TopicReplication::Fixed(replicas))).collect();
        make(&admin, &new)?;
    }
    let began = Instant::now();
    loop {
        let (_, there) = find(&admin)?;
        let all: Option<BTreeMap<TableId, i32>> =
            ALL.iter().map(|t| there.get(&name(*t)).filter(|n| **n > 0).map(|n| (*t, *n))).collect();
        match all {
            Some(all) => return Ok(all),
            None if began.elapsed() > TIMEOUT => {
                return Err(SinkError(format!("{brokers}: topics {}.* were made but do not appear", options.prefix)));
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn make(admin: &AdminClient<DefaultClientContext>, new: &[NewTopic<'_>]) -> Result<(), SinkError> {
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    let made =
        super::wait::block_on(admin.create_topics(new, &options)).map_err(|e| SinkError(format!("topics: {e}")))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(SinkError(format!("topic {topic} cannot be made: {code}"))),
        }
    }
    Ok(())
}

/// Rows by partition, their order kept.
fn split(table: TableId, batch: &RecordBatch, count: i32) -> Result<BTreeMap<i32, RecordBatch>, SinkError> {
    let column = batch.column_by_name(table.def().partition_by);
    let hashes =
        column.and_then(|c| hashes(c.as_ref())).ok_or_else(|| SinkError(format!("{} has no entity", table.name())))?;
    let mut rows: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    for (row, hash) in hashes.into_iter().enumerate() {
        let partition = i32::try_from(hash % count.unsigned_abs()).unwrap_or_default();
        rows.entry(partition).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    let take = |(p, rows): (i32, Vec<u32>)| Ok((p, take_record_batch(batch, &UInt32Array::from(rows))?));
    rows.into_iter().map(take).collect::<Result<_, arrow::error::ArrowError>>().map_err(|e| SinkError(e.to_string()))
}

fn hashes(column: &dyn Array) -> Option<Vec<u32>> {
    match column.data_type() {
        DataType::FixedSizeBinary(_) => {
            column.as_fixed_size_binary_opt()?.iter().map(|v| Some(murmur2(v.unwrap_or_default()))).collect()
        }
        DataType::Dictionary(..) => {
            let names = column.as_dictionary_opt::<Int32Type>()?.downcast_dict::<arrow::array::StringArray>()?;
            Some(names.into_iter().map(|v| murmur2(v.unwrap_or_default().as_bytes())).collect())
        }
        _ => None,
    }
}

fn span(batch: &RecordBatch) -> (i64, i64) {
    let ts = batch.column_by_name("ts").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let least = ts.and_then(arrow::compute::min).unwrap_or_default();
    (least, ts.and_then(arrow::compute::max).unwrap_or_default())
}

#[cfg(test)]
mod tests;
