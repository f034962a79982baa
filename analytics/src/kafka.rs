//! Rows from Kafka, findings to Kafka: what both ends share.
//!
//! `source` reads the table topics and feeds a judge, `resume` goes on from a snapshot, `strange` says what becomes of messages that are none of ours, `findings`
//! produces what was found, `probe` is what `lidr doctor` asks.
mod findings;
pub mod probe;
mod resume;
mod source;
mod strange;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

pub use findings::FindingProducer;
use rdkafka::{ClientConfig, error::KafkaError};
pub use source::{Consumed, Source, SourceOptions};

use crate::feed::FeedError;

const TIMEOUT: Duration = Duration::from_secs(10);

fn config(brokers: &str, properties: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    for (name, value) in properties {
        config.set(name, value);
    }
    config
}

fn unreachable_broker(brokers: &str, error: &KafkaError) -> FeedError {
    FeedError::Source(format!(
        "cannot reach a Kafka broker at {brokers} within 10 s ({error}): check the address and that the broker runs"
    ))
}
