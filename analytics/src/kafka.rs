//! Rows from Kafka, findings to Kafka: what both ends share.
//!
//! `source` reads the table topics and feeds a judge, `resume` goes on from a snapshot, `strange` says what becomes of messages that are
//! none of ours, `silence` who is not waited for, `findings` produces what was found,
//! `probe` is what `lidr doctor` asks. How a cluster is reached and waited for is in the crate `lidr-broker`.
mod find;
mod findings;
mod message;
pub mod probe;
mod resume;
mod silence;
mod source;
mod strange;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use findings::FindingProducer;
use lidr_broker::BrokerError;
pub use source::{Consumed, Source, SourceOptions};

use crate::feed::FeedError;

const TIMEOUT: Duration = Duration::from_secs(10);

impl From<BrokerError> for FeedError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Stopped => Self::Stopped,
            BrokerError::Failed(why) => Self::Source(why),
        }
    }
}
