//! Whoever takes rows from Kafka or a lake and judges them.
use std::{collections::BTreeMap, error::Error, sync::Arc};

use arrow::array::RecordBatch;
use lidr_schema::TableId;

use crate::{BrokerOrigin, snapshot::SourceState};

/// Why a source stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The source itself.
    #[error("{0}")]
    Source(String),
    /// It was told to stop before it had begun.
    #[error("told to stop while waiting for a broker")]
    Stopped,
    /// Whoever takes the rows.
    #[error(transparent)]
    Taker(#[from] Box<dyn Error + Send + Sync>),
}

/// Takes rows and watermarks.
pub trait RowSink {
    /// Rows of one table.
    ///
    /// # Errors
    /// If they cannot be judged.
    fn rows(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        origin: Option<Arc<BrokerOrigin>>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// No later row is due at or below this, µs; told again where it stands still and rows have come.
    ///
    /// # Errors
    /// If judging fails.
    fn watermark(&mut self, watermark: i64) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Everybody has ended, the last at that time of its clock, and nothing has come for a while; more may.
    ///
    /// # Errors
    /// If judging fails.
    fn rest(&mut self, end: i64) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Before this time, µs, not all rows are there that there were: what follows from them is no finding.
    ///
    /// # Errors
    /// If that cannot be noted.
    fn whole_from(&mut self, _due: i64) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    /// Rows that were judged before a restart and that windows to come still need.
    ///
    /// # Errors
    /// If they are not rows of that table.
    fn context(
        &mut self,
        _table: TableId,
        _batch: RecordBatch,
        _origin: Option<Arc<BrokerOrigin>>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    /// Whether it writes down where it stands, for the next start.
    fn keeps_state(&self) -> bool {
        false
    }

    /// Whether it is time to.
    fn wants_state(&self) -> bool {
        false
    }

    /// The first message of each partition (topic, number) whose rows are still needed.
    fn needed(&self) -> BTreeMap<(String, i32), i64> {
        BTreeMap::new()
    }

    /// Writes it down: all that was fed is judged, and the source stands there.
    ///
    /// # Errors
    /// If it cannot be written.
    fn checkpoint(&mut self, _source: SourceState) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}
