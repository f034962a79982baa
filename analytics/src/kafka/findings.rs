//! Findings to `PREFIX.finding`, keyed by their id.
//!
//! A finding that did not arrive is not passed over: the run ends with a sentence, and started anew it sends again under the same id.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::KafkaError,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use super::{TIMEOUT, config, unreachable_broker};
use crate::{Finding, feed::FeedError};

const PARTITIONS: i32 = 4;
const FLUSH: Duration = Duration::from_secs(30);

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

/// Produces findings.
pub struct FindingProducer {
    topic: String,
    producer: ThreadedProducer<Hearing>,
    deliveries: Arc<Deliveries>,
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
        let topic = format!("{prefix}.finding");
        let deliveries = Arc::new(Deliveries::default());
        let mut config = config(brokers, properties);
        config.set("enable.idempotence", "true").set("acks", "all");
        let producer: ThreadedProducer<Hearing> = config
            .create_with_context(Hearing(Arc::clone(&deliveries)))
            .map_err(|e| unreachable_broker(brokers, &e))?;
        let metadata = producer.client().fetch_metadata(None, TIMEOUT).map_err(|e| unreachable_broker(brokers, &e))?;
        if !metadata.topics().iter().any(|t| t.name() == topic) {
            let admin = config.create().map_err(|e| unreachable_broker(brokers, &e))?;
            make(&admin, &topic, metadata.brokers().len())?;
        }
        Ok(Self { topic, producer, deliveries })
    }

    /// Sends a finding's line.
    ///
    /// # Errors
    /// If it cannot be queued within 10 s, or an earlier one was not delivered.
    pub fn send(&self, finding: &Finding) -> Result<(), FeedError> {
        let line = finding.to_json().to_string();
        let began = Instant::now();
        loop {
            match self.producer.send(BaseRecord::to(&self.topic).key(&finding.uid).payload(&line)) {
                Ok(()) => return self.delivered(),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if began.elapsed() < TIMEOUT => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err((error, _)) => return Err(FeedError::Source(format!("{}: {error}", self.topic))),
            }
        }
    }

    /// Waits until all are acknowledged.
    ///
    /// # Errors
    /// If that takes longer than 30 s, or one was not delivered.
    pub fn flush(&self) -> Result<(), FeedError> {
        self.producer.flush(FLUSH).map_err(|e| FeedError::Source(format!("{}: {e}", self.topic)))?;
        self.delivered()
    }

    fn delivered(&self) -> Result<(), FeedError> {
        match self.deliveries.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            n => {
                let reason = self.deliveries.reason.lock().map(|r| r.clone()).unwrap_or_default();
                let sentence =
                    "were not delivered, standard output and --out have them; run watch again, receivers drop repeats";
                Err(FeedError::Source(format!("{}: {n} findings {sentence} ({reason})", self.topic)))
            }
        }
    }
}

fn make(admin: &AdminClient<DefaultClientContext>, topic: &str, brokers: usize) -> Result<(), FeedError> {
    let replicas = i32::try_from(brokers.clamp(1, 3)).unwrap_or(1);
    let new = [NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(replicas))];
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|e| FeedError::Source(e.to_string()))?;
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    let made = runtime
        .block_on(admin.create_topics(&new, &options))
        .map_err(|e| FeedError::Source(format!("topic {topic}: {e}")))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(FeedError::Source(format!("topic {topic} cannot be made: {code}"))),
        }
    }
    Ok(())
}
