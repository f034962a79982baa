//! Messages to a cluster: none is lost without an error, and none waits without a bound.
use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use crate::{BrokerError, Hearing, Settings, Trouble, next_step};

/// After so long without an acknowledgement it is said.
const SAY_AFTER: Duration = Duration::from_secs(10);
/// How long a stop waits for acknowledgements: a run has ten seconds to end.
const STOP_WAIT: Duration = Duration::from_secs(4);
/// Between two looks.
const STEP: Duration = Duration::from_millis(10);

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition; none: by the hash of the key.
    pub partition: Option<i32>,
    /// Its key.
    pub key: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// Its headers.
    pub headers: &'a [(&'a str, String)],
    /// Rows in it.
    pub rows: usize,
}

impl<'a> Message<'a> {
    fn record(&self) -> BaseRecord<'a, str, [u8], usize> {
        let mut record = BaseRecord::with_opaque_to(self.topic, self.rows).payload(self.body);
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        if let Some(key) = self.key {
            record = record.key(key);
        }
        if self.headers.is_empty() {
            return record;
        }
        let add = |list: OwnedHeaders, (key, value): &(&str, String)| {
            list.insert(Header { key, value: Some(value.as_str()) })
        };
        record.headers(self.headers.iter().fold(OwnedHeaders::new(), add))
    }
}

/// An idempotent producer; every replica in sync acknowledges.
pub struct Producer {
    settings: Settings,
    producer: ThreadedProducer<Hearing>,
    trouble: Arc<Trouble>,
    /// Acknowledgements at the last look, and since when there were so many while something waited.
    seen: Cell<(u64, Instant)>,
    /// Since when the run shall end.
    stopping: Cell<Option<Instant>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Producer({})", self.settings.brokers)
    }
}

impl Producer {
    /// Makes one; nothing is asked of a broker yet. `tune` may set more properties.
    ///
    /// # Errors
    /// If librdkafka refuses a property.
    pub fn new(settings: &Settings, tune: impl FnOnce(&mut ClientConfig)) -> Result<Self, BrokerError> {
        let trouble = Trouble::new(&settings.brokers);
        let mut config = settings.config();
        config.set("enable.idempotence", "true").set("acks", "all");
        // Patience is ours: a message waits as long as somebody waits for it.
        config.set("message.timeout.ms", "0").set("queue.buffering.max.messages", "0");
        config.set("queue.buffering.max.kbytes", (settings.buffer / 1024).clamp(1, 2_147_483_647).to_string());
        tune(&mut config);
        let producer = config.create_with_context(Hearing(Arc::clone(&trouble)));
        let producer = producer.map_err(|e| settings.refused(&e))?;
        Ok(Self {
            settings: settings.clone(),
            producer,
            trouble,
            seen: Cell::new((0, Instant::now())),
            stopping: Cell::new(None),
        })
    }

    /// What is known of the cluster.
    #[must_use]
    pub fn trouble(&self) -> &Arc<Trouble> {
        &self.trouble
    }

    pub(crate) fn client(&self) -> &rdkafka::client::Client<Hearing> {
        self.producer.client()
    }

    /// Messages that wait for an acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or_default()
    }

    /// Queues a message; waits while the buffer is full.
    ///
    /// # Errors
    /// If an earlier message was refused, or patience is over.
    pub fn send(&self, message: Message<'_>) -> Result<(), BrokerError> {
        if self.waiting() == 0 {
            // Nothing has waited until now, however long ago the last look was.
            self.seen.set((self.trouble.acknowledged().0, Instant::now()));
        }
        loop {
            match self.producer.send(message.record()) {
                Ok(()) => return self.look(),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => thread::sleep(STEP),
                Err((error, _)) => {
                    let why = error.to_string();
                    return Err(BrokerError::Failed(format!("{}: {why}: {}", message.topic, next_step(&why))));
                }
            }
            self.look()?;
        }
    }

    /// Waits until every message is acknowledged.
    ///
    /// # Errors
    /// If one was refused, or patience is over.
    pub fn flush(&self) -> Result<(), BrokerError> {
        while self.producer.flush(STEP * 10).is_err() {
            self.look()?;
        }
        self.look()
    }

    /// Whether all goes well: nothing was refused, and acknowledgements come while something waits.
    ///
    /// # Errors
    /// If not.
    pub fn look(&self) -> Result<(), BrokerError> {
        if let Some((n, why)) = self.trouble.refused() {
            return Err(BrokerError::Failed(format!("{n} messages were refused ({why}): {}", next_step(&why))));
        }
        let ((acknowledged, _), waiting) = (self.trouble.acknowledged(), self.waiting());
        let (seen, since) = self.seen.get();
        if self.settings.stopped() && self.stopping.get().is_none() {
            self.stopping.set(Some(Instant::now()));
        }
        if waiting == 0 || acknowledged != seen {
            self.seen.set((acknowledged, Instant::now()));
        }
        // A stop has so long for all that waits, however slowly it goes.
        let over = self.stopping.get().is_some_and(|at| at.elapsed() >= STOP_WAIT);
        if waiting == 0 || acknowledged != seen && !over {
            return Ok(());
        }
        let stalled = since.elapsed();
        let patient = self.settings.endless || stalled < self.settings.wait.max(SAY_AFTER);
        let why = || self.trouble.latest().unwrap_or_else(|| "no acknowledgement comes".to_owned());
        if over || !patient {
            let (brokers, seconds, why) = (&self.settings.brokers, stalled.as_secs(), why());
            return Err(BrokerError::Failed(format!(
                "{brokers}: {waiting} messages were not taken, for {seconds} s now ({why}): {}",
                next_step(&why)
            )));
        }
        if stalled >= SAY_AFTER {
            self.trouble.say(&format!("{waiting} messages wait for an acknowledgement ({})", why()));
        }
        Ok(())
    }
}
