//! Rows to Kafka: one Arrow IPC stream a message, with promises (contracts: topics).
//!
//! Rows of a table are split by the hash of its entity; a message holds rows of one (table, partition), at most 900 KiB or what the
//! topic takes, sent at 512 KiB or when 250 ms have passed. A promise goes only with what was sent before it. A broker that is away
//! is waited for: what is sent meanwhile stands in a bounded buffer, and once that is full the run waits, so that files are read later and
//! what is heard live fills its own queue, where each loss is counted. What cannot be delivered ends the run with a sentence,
//! never with a lost row that nobody knows of.
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::{
    array::{Array, AsArray, RecordBatch, UInt32Array},
    compute::{concat_batches, take_record_batch},
    datatypes::{DataType, Int32Type, TimestampMicrosecondType},
};
use lidr_broker::{BrokerError, Message, Producer, Settings, Topic, ensure};
use lidr_schema::{
    SCHEMA_VERSION, TableId,
    table::ALL,
    wire::{self, Headers, murmur2},
};

use super::{Sink, SinkError};

/// Encoded octets at which a message is sent, estimated from rows.
const SEND_AT: usize = 512 * 1024;
/// Most octets of a message's body.
const MOST: usize = 900 * 1024;
const SEND_AFTER: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Octets of a batch of messages that a broker takes unless it is told otherwise, and what headers and framing take of them.
const BATCH: usize = 1_000_000;
const FRAMING: usize = 4096;

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

#[derive(Debug)]
struct Partition {
    rows: Vec<RecordBatch>,
    octets: usize,
    sent_rows: u64,
    last_send: Instant,
    since: Option<Instant>,
}

/// Produces rows to Kafka.
#[derive(Debug)]
pub struct KafkaSink {
    options: KafkaSinkOptions,
    producer: Producer,
    partitions: BTreeMap<(TableId, i32), Partition>,
    topics: BTreeMap<TableId, Topic>,
    promise: i64,
    sent: Arc<KafkaSent>,
}

impl From<BrokerError> for SinkError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Stopped => Self(format!("{error}: what was heard until then did not reach one")),
            BrokerError::Failed(why) => Self(why),
        }
    }
}

impl KafkaSink {
    /// Reaches the brokers, makes the topics that are missing and says hello on every partition.
    ///
    /// # Errors
    /// If no broker answers in time, or a topic can neither be found nor made.
    pub fn connect(settings: &Settings, options: KafkaSinkOptions) -> Result<Self, SinkError> {
        let name = |table: TableId| format!("{}.{}", options.prefix, table.name());
        let names: Vec<String> = ALL.iter().map(|t| name(*t)).collect();
        let make = |batch: usize| {
            Producer::new(settings, |config| {
                config.set("message.max.bytes", "2000000").set("batch.size", batch.to_string()).set("linger.ms", "5");
            })
        };
        let mut producer = make(BATCH)?;
        let found = ensure(settings, &producer, &names, options.partitions)?;
        let topics: BTreeMap<TableId, Topic> = ALL.iter().filter_map(|t| Some((*t, *found.get(&name(*t))?))).collect();
        // librdkafka puts several messages into one batch, which the topic's bound is for.
        let batch = topics.values().filter_map(|t| t.most).fold(BATCH, usize::min);
        if batch < BATCH {
            producer = make(batch)?;
        }
        let now = Instant::now();
        let blank = || Partition { rows: Vec::new(), octets: 0, sent_rows: 0, last_send: now, since: None };
        let partitions =
            topics.iter().flat_map(|(t, topic)| (0..topic.partitions).map(|p| ((*t, p), blank()))).collect();
        let mut sink = Self { options, producer, partitions, topics, promise: i64::MIN, sent: Arc::default() };
        sink.send_all(true, false)?;
        Ok(sink)
    }

    /// Octets that a body of this table may have.
    fn most(&self, table: TableId) -> usize {
        let told = self.topics.get(&table).and_then(|t| t.most);
        told.map_or(MOST, |most| MOST.min(most.saturating_sub(FRAMING)))
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
        let old = |table: TableId, p: &Partition| {
            p.octets >= SEND_AT.min(self.most(table))
                || p.since.is_some_and(|s| s.elapsed() >= SEND_AFTER)
                || p.last_send.elapsed() >= HEARTBEAT
        };
        let keys: Vec<(TableId, i32)> = self.partitions.iter().filter(|(k, p)| old(k.0, p)).map(|(k, _)| *k).collect();
        keys.into_iter().try_for_each(|key| self.send(key, false))?;
        Ok(self.producer.look()?)
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
        if body.len() > self.most(key.0) && rows > 1 {
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
        let rows = usize::try_from(headers.rows).unwrap_or_default();
        let headers = headers.to_pairs();
        let partition = Some(key.1);
        Ok(self.producer.send(Message { topic: &topic, partition, key: None, body, headers: &headers, rows })?)
    }

    /// Waits until all is acknowledged; what is not by then is lost to Kafka, and the error says how much that is.
    fn flush(&self) -> Result<(), SinkError> {
        self.producer.flush().map_err(|error| {
            let rows = self.sent.now().rows.saturating_sub(self.producer.trouble().acknowledged().1);
            SinkError(format!("{error}; {rows} rows did not arrive: files can be sent again, receivers drop repeats"))
        })
    }
}

impl Sink for KafkaSink {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        let count = self.topics.get(&table).map_or(1, |t| t.partitions).max(1);
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
