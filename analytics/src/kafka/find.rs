//! The topics that a watch reads: it may be there before the broker, and before the first sensor.
use std::time::{Duration, Instant};

use lidr_broker::{Hearing, Trouble};
use lidr_schema::{TableId, table::ALL};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::SourceOptions;
use crate::feed::FeedError;

/// Between two looks for topics that are not there yet.
const TOPICS_EVERY: Duration = Duration::from_millis(500);

/// The partitions of all table topics, in a fixed order; waits for a broker, and for a sensor to make the topics.
///
/// # Errors
/// If patience is over, or it is told to stop.
pub(super) fn find(
    options: &SourceOptions,
    consumer: &BaseConsumer<Hearing>,
    trouble: &Trouble,
) -> Result<Vec<(TableId, String, i32)>, FeedError> {
    let (cluster, prefix, began) = (&options.cluster, &options.prefix, Instant::now());
    let mut said = false;
    loop {
        let metadata = cluster.reach(trouble, |within| {
            // Errors are told to whoever polls.
            drop(consumer.poll(Duration::ZERO));
            let metadata = consumer.fetch_metadata(None, within);
            drop(consumer.poll(Duration::ZERO));
            metadata
        })?;
        trouble.well();
        let mut partitions = Vec::new();
        for table in ALL {
            let name = format!("{prefix}.{}", table.name());
            let topic = metadata.topics().iter().find(|t| t.name() == name);
            let mut numbers: Vec<i32> = topic.into_iter().flat_map(|t| t.partitions()).map(|p| p.id()).collect();
            numbers.sort_unstable();
            partitions.extend(numbers.into_iter().map(|p| (*table, name.clone(), p)));
        }
        let why = format!("{}: no topics {prefix}.*: start a sensor, it makes them", cluster.brokers);
        match partitions.is_empty() {
            false => return Ok(partitions),
            true if cluster.stopped() => return Err(FeedError::Stopped),
            true if began.elapsed() >= cluster.wait => return Err(FeedError::Source(why)),
            true if !said => tracing::warn!("{why}; waiting for them"),
            true => {}
        }
        said = true;
        std::thread::sleep(TOPICS_EVERY);
    }
}
