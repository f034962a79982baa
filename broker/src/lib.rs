//! How a Kafka cluster is reached, waited for and written to: what both ends of a topic need alike.
//!
//! A broker that is away is no error until patience is over: librdkafka keeps trying, messages wait in a bounded buffer, whoever
//! produces waits once it is full, and the log says what to do. What does not heal by waiting (a wrong certificate, a wrong password,
//! no permission) ends at once with a sentence. Nothing is given up silently: what was not taken is an error that says how much.
mod advice;
mod hearing;
mod producer;
mod topics;
mod wait;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use advice::{heals, next_step};
pub use hearing::{Hearing, Trouble};
pub use producer::{Message, Producer};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, KafkaResult},
};
pub use topics::{Topic, ensure};
pub use wait::block_on;

/// Longest wait for one answer.
const ASK: Duration = Duration::from_secs(5);

/// Octets of messages that may wait for the broker, unless told otherwise.
pub const BUFFER: usize = 64 << 20;

/// An error without the value of a property, which may be a password.
#[must_use]
pub fn told(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, why, name, _) => format!("property `{name}`: {why}"),
        other => other.to_string(),
    }
}

/// Why it ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It was told to stop while it waited for the first answer of a broker.
    #[error("told to stop while waiting for a broker")]
    Stopped,
    /// The broker was away too long, or refuses.
    #[error("{0}")]
    Failed(String),
}

/// Where the cluster is, and how much patience there is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Brokers, HOST:PORT, comma separated.
    pub brokers: String,
    /// librdkafka's own properties.
    pub properties: BTreeMap<String, String>,
    /// Longest time without a broker at the start, or without an acknowledgement later.
    pub wait: Duration,
    /// An acknowledgement is waited for without end: who hears live loses what is at hand by giving up.
    pub endless: bool,
    /// Octets of messages that may wait for the broker.
    pub buffer: usize,
    /// Set when the run shall end: nothing is waited for any more.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Settings {
    /// With the usual buffer, and with no patience beyond one try.
    #[must_use]
    pub fn new(brokers: &str, properties: &BTreeMap<String, String>) -> Self {
        let (brokers, properties) = (brokers.to_owned(), properties.clone());
        Self { brokers, properties, wait: Duration::ZERO, endless: false, buffer: BUFFER, stop: None }
    }

    /// For a client of librdkafka.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// Whether the run shall end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Asks until there is an answer, as long as there is patience; `ask` gets the longest time that it may take.
    ///
    /// # Errors
    /// If no broker answers in time, or refuses in a way that waiting does not heal.
    pub fn reach<T>(
        &self,
        trouble: &Trouble,
        mut ask: impl FnMut(Duration) -> KafkaResult<T>,
    ) -> Result<T, BrokerError> {
        let began = Instant::now();
        loop {
            let error = match ask(ASK) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // What the connections complained of meanwhile says more than a request that ran out of time.
            let why = told(&error);
            let why = if heals(&why) { trouble.latest_since(began).unwrap_or(why) } else { why };
            if self.stopped() {
                return Err(BrokerError::Stopped);
            }
            if !heals(&why) || began.elapsed() >= self.wait {
                return Err(self.unreachable(&why));
            }
            trouble.say(&why);
        }
    }

    /// A client cannot be made.
    #[must_use]
    pub fn refused(&self, error: &KafkaError) -> BrokerError {
        let why = told(error);
        BrokerError::Failed(format!("{}: {why}: {}", self.brokers, next_step(&why)))
    }

    /// No broker answers, for that reason.
    #[must_use]
    pub fn unreachable(&self, why: &str) -> BrokerError {
        let brokers = &self.brokers;
        BrokerError::Failed(format!("cannot reach a Kafka broker at {brokers} ({why}): {}", next_step(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_is_refused_is_named_without_its_value() {
        let properties = BTreeMap::from([("sasl.pasword".to_owned(), "hunter2".to_owned())]);
        let error = Producer::new(&Settings::new("127.0.0.1:1", &properties), |_| {}).unwrap_err().to_string();
        assert!(error.contains("sasl.pasword") && !error.contains("hunter2"), "{error}");
    }
}
