//! What librdkafka tells beside what it is asked: deliveries, and brokers that cannot be reached.
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message as _,
    consumer::ConsumerContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
    types::RDKafkaErrorCode,
};

use crate::next_step;

/// Between two log lines about the same trouble.
const SAY_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    latest: Option<(Instant, String)>,
    /// The first message that was refused, and why.
    refused: Option<String>,
    said: Option<Instant>,
}

/// What is wrong with a cluster, as far as its clients in this process know.
#[derive(Debug)]
pub struct Trouble {
    brokers: String,
    state: Mutex<State>,
    away: AtomicBool,
    acknowledged: AtomicU64,
    rows: AtomicU64,
    refused: AtomicU64,
}

impl Trouble {
    /// Nothing yet.
    #[must_use]
    pub fn new(brokers: &str) -> Arc<Self> {
        Arc::new(Self {
            brokers: brokers.to_owned(),
            state: Mutex::default(),
            away: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every state is whole, whoever died holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest complaint, if the cluster has not been well since.
    #[must_use]
    pub fn latest(&self) -> Option<String> {
        self.state().latest.as_ref().map(|(_, why)| why.clone())
    }

    /// The latest complaint since then.
    #[must_use]
    pub fn latest_since(&self, began: Instant) -> Option<String> {
        self.state().latest.as_ref().filter(|(at, _)| *at >= began).map(|(_, why)| why.clone())
    }

    /// Says so in the log, if nothing was said for a while.
    pub fn say(&self, why: &str) {
        self.away.store(true, Ordering::Relaxed);
        let mut state = self.state();
        if state.said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            state.said = Some(Instant::now());
            tracing::warn!("{}: {why}; trying again: {}", self.brokers, next_step(why));
        }
    }

    /// The cluster answers.
    pub fn well(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            let mut state = self.state();
            (state.latest, state.said) = (None, None);
            tracing::info!("{}: answers again", self.brokers);
        }
    }

    fn hear(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL};
        let all = code == Some(AllBrokersDown);
        // That all are down says less than why each of them is.
        if !all {
            self.state().latest = Some((Instant::now(), reason.to_owned()));
        }
        match code {
            Some(AllBrokersDown | Authentication | SSL) => {
                self.say(&self.latest().unwrap_or_else(|| reason.to_owned()))
            }
            _ => tracing::debug!("{}: {reason}", self.brokers),
        }
    }

    fn delivery(&self, result: &DeliveryResult<'_>, rows: u64) {
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.rows.fetch_add(rows, Ordering::Relaxed);
                self.well();
            }
            Err((error, message)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.state().refused.get_or_insert_with(|| format!("{}: {error}", message.topic()));
            }
        }
    }

    /// Messages that brokers have acknowledged, and rows in them.
    #[must_use]
    pub fn acknowledged(&self) -> (u64, u64) {
        (self.acknowledged.load(Ordering::Relaxed), self.rows.load(Ordering::Relaxed))
    }

    /// How many messages were refused for good, and why the first one was.
    #[must_use]
    pub fn refused(&self) -> Option<(u64, String)> {
        let n = self.refused.load(Ordering::Relaxed);
        (n > 0).then(|| (n, self.state().refused.clone().unwrap_or_default()))
    }
}

/// A client's ear.
#[derive(Clone, Debug)]
pub struct Hearing(pub Arc<Trouble>);

impl ClientContext for Hearing {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.hear(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Hearing {}

impl ProducerContext for Hearing {
    /// Rows in the message.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, rows: usize) {
        self.0.delivery(result, rows as u64);
    }
}
