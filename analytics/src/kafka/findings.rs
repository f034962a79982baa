//! Findings to `PREFIX.finding`, keyed by their id.
//!
//! A finding that did not arrive is not passed over: the run ends with a sentence, and started anew it sends again under the same id.
use lidr_broker::{BrokerError, Message, Producer, Settings, ensure};

use crate::{Finding, feed::FeedError};

const PARTITIONS: i32 = 4;

/// Produces findings.
#[derive(Debug)]
pub struct FindingProducer {
    topic: String,
    producer: Producer,
}

impl FindingProducer {
    /// Reaches the brokers and makes the topic if it is missing.
    ///
    /// # Errors
    /// If no broker answers in time or the topic cannot be made.
    pub fn connect(settings: &Settings, prefix: &str) -> Result<Self, FeedError> {
        let topic = format!("{prefix}.finding");
        let producer = Producer::new(settings, |_| {})?;
        ensure(settings, &producer, std::slice::from_ref(&topic), PARTITIONS)?;
        Ok(Self { topic, producer })
    }

    /// Sends a finding's line; waits while a broker is away and the buffer is full.
    ///
    /// # Errors
    /// If an earlier one was refused, or patience with the broker is over.
    pub fn send(&self, finding: &Finding) -> Result<(), FeedError> {
        let line = finding.to_json().to_string();
        let (topic, key, body) = (&self.topic, Some(finding.uid.as_str()), line.as_bytes());
        let sent = self.producer.send(Message { topic, partition: None, key, body, headers: &[], rows: 1 });
        sent.map_err(said)
    }

    /// Waits until all are acknowledged.
    ///
    /// # Errors
    /// If one was refused, or patience with the broker is over.
    pub fn flush(&self) -> Result<(), FeedError> {
        self.producer.flush().map_err(said)
    }
}

fn said(error: BrokerError) -> FeedError {
    let whole = "standard output and --out have every finding; run watch again, receivers drop repeats";
    FeedError::Source(format!("{error}; {whole}"))
}
