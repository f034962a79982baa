//! A source that goes on where an earlier one stood.
//!
//! What windows to come still need is read again by a consumer of its own, message by message as it was taken then, before anything
//! is judged. Offsets mean something in their own cluster and topic only: another cluster is refused, and a partition that is
//! shorter than what was read of it is another one of the same name and is read from its start.
use std::{
    collections::{BTreeMap, BTreeSet},
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lidr_broker::told;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::OwnedMessage,
};

use super::{
    message::{after, body_of, headers},
    source::Source,
};
use crate::{
    BrokerOrigin,
    feed::{FeedError, RowSink},
    snapshot::{PartitionState, SourceState},
};

/// Longest wait for a message that has to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Offsets to read again, by partition: from, and up to which.
type Ranges = BTreeMap<usize, (i64, i64)>;

impl Source {
    /// Tells the taker to write down where everything stands, if it wants to or has to.
    pub(super) fn checkpoint(&mut self, taker: &mut dyn RowSink, forced: bool) -> Result<(), FeedError> {
        // What waits in `strange` for a watermark is in no snapshot.
        let sound = !self.read.is_empty() && self.strange.is_empty();
        if !sound || !(taker.wants_state() || forced && taker.keeps_state()) {
            return Ok(());
        }
        let needed = taker.needed();
        let numbers: BTreeMap<usize, i64> =
            needed.into_iter().filter_map(|((topic, p), first)| Some((self.find(&topic, p)?.0, first))).collect();
        self.repeats.retain(|(number, offset), _| numbers.get(number).is_some_and(|first| offset >= first));
        Ok(taker.checkpoint(self.state())?)
    }

    fn state(&self) -> SourceState {
        let one = |(number, (_, topic, partition)): (usize, &(_, String, i32))| {
            let repeats = self.repeats.range((number, i64::MIN)..=(number, i64::MAX));
            Some(PartitionState {
                topic: topic.clone(),
                partition: *partition,
                read: *self.read.get(&number)?,
                repeats: repeats.map(|((_, offset), rows)| (*offset, *rows)).collect(),
                epochs: self.progress.saved(number),
            })
        };
        let partitions = self.partitions.iter().enumerate().filter_map(one).collect();
        let (cluster, told) = (self.cluster.clone(), self.options.sensors.clone());
        let whole = self.whole;
        let mut out = SourceState { cluster, told, partitions, whole, ..SourceState::default() };
        self.progress.save(&mut out);
        out
    }

    /// Goes on from there: feeds `taker` the rows of the messages from `needed` on, as context, and reads on from where was read to.
    ///
    /// False if `stop` was set meanwhile.
    ///
    /// # Errors
    /// If it is another cluster, or what has to be there does not come.
    pub fn resume(
        &mut self,
        saved: &SourceState,
        needed: &BTreeMap<(String, i32), i64>,
        taker: &mut dyn RowSink,
        stop: &AtomicBool,
    ) -> Result<bool, FeedError> {
        if saved.cluster != self.cluster {
            return Err(FeedError::Source(format!(
                "{}: this is cluster `{}`, the state is of cluster `{}`: its offsets mean nothing here, take another folder for --state",
                self.options.cluster.brokers, self.cluster, saved.cluster
            )));
        }
        let (first, end) = (self.sure_edges(Offset::Beginning)?, self.sure_edges(Offset::End)?);
        self.progress.resume(saved);
        let mut whole = saved.whole;
        let mut again = Ranges::new();
        for of in &saved.partitions {
            let place = (of.topic.clone(), of.partition);
            let Some((number, _)) = self.find(&of.topic, of.partition) else {
                tracing::warn!("{}[{}]: the topic is gone", of.topic, of.partition);
                continue;
            };
            let (Some(first), Some(end)) = (first.get(&place).copied(), end.get(&place).copied()) else {
                return Err(FeedError::Source(format!(
                    "{}[{}]: the broker does not say where it begins and ends: start again once it does",
                    of.topic, of.partition
                )));
            };
            if of.read > end {
                let (topic, p, read) = (&of.topic, of.partition, of.read);
                tracing::warn!(
                    "{topic}[{p}]: {read} messages were read and it has {end}: it is another one, read from its start"
                );
                continue;
            }
            self.read.insert(number, of.read.max(first));
            self.progress.resume_partition(number, &of.epochs);
            self.repeats.extend(of.repeats.iter().map(|(offset, rows)| ((number, *offset), *rows)));
            let from = needed.get(&place).copied().unwrap_or(of.read);
            if from < first {
                let (topic, p) = (&of.topic, of.partition);
                tracing::warn!(
                    "{topic}[{p}]: messages {from} to {first} are gone, what is judged next lacks their rows"
                );
                whole = whole.max(of.epochs.iter().filter_map(|e| e.promise).max().unwrap_or(i64::MIN));
            }
            let from = from.max(first);
            if from < of.read {
                again.insert(number, (from, of.read));
            }
        }
        self.whole_from(whole, taker)?;
        if again.is_empty() { Ok(true) } else { self.reread(&again, taker, stop) }
    }

    fn reread(&self, again: &Ranges, taker: &mut dyn RowSink, stop: &AtomicBool) -> Result<bool, FeedError> {
        let broken = |e: KafkaError| FeedError::Source(format!("{}: {}", self.options.cluster.brokers, told(&e)));
        let mut settings = self.options.cluster.config();
        settings.set("group.id", &self.options.group).set("enable.auto.commit", "false");
        // Dropped at the end only: that waits for a broker, which may be what is missing.
        let consumer: ManuallyDrop<BaseConsumer> = ManuallyDrop::new(settings.create().map_err(broken)?);
        let mut list = TopicPartitionList::new();
        for (number, (from, _)) in again {
            let Some((_, topic, partition)) = self.partitions.get(*number) else { continue };
            list.add_partition_offset(topic, *partition, Offset::Offset(*from)).map_err(broken)?;
        }
        consumer.assign(&list).map_err(broken)?;
        let (mut heard, mut done, mut trouble) = (Instant::now(), BTreeSet::new(), String::new());
        while done.len() < again.len() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if heard.elapsed() > PATIENCE {
                let (brokers, within) = (&self.options.cluster.brokers, PATIENCE.as_secs());
                let what = "messages that have to be there did not come";
                return Err(FeedError::Source(format!("{brokers}: {what} within {within} s{trouble}")));
            }
            let message = match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    trouble = format!(" ({error})");
                    continue;
                }
                None => continue,
            };
            heard = Instant::now();
            let message = message.detach();
            let Some((number, _)) = self.find(message.topic(), message.partition()) else { continue };
            let Some((_, until)) = again.get(&number) else { continue };
            if message.offset() < *until {
                self.context(&message, number, taker)?;
            }
            if message.offset() + 1 >= *until {
                done.insert(number);
            }
        }
        drop(ManuallyDrop::into_inner(consumer));
        Ok(true)
    }

    /// Feeds the rows of a message that were taken from it then.
    fn context(&self, message: &OwnedMessage, number: usize, taker: &mut dyn RowSink) -> Result<(), FeedError> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let Some((table, _, _)) = self.partitions.get(number) else { return Ok(()) };
        // What was none of ours or broken then has given no rows.
        let Ok(headers) = headers(message) else { return Ok(()) };
        let Ok(batches) = body_of(*table, message.payload().unwrap_or_default(), headers.rows) else { return Ok(()) };
        let skip = self.repeats.get(&(number, offset)).copied().unwrap_or(0);
        let origin = BrokerOrigin { topic: topic.to_owned(), partition, first_offset: offset, beside: false };
        let origin = Arc::new(origin);
        for rows in after(batches, skip) {
            taker.context(*table, rows, Some(Arc::clone(&origin)))?;
        }
        Ok(())
    }
}
