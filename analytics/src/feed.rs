//! Whoever takes rows from Kafka or a lake and judges them.
use std::{error::Error, sync::Arc};

use arrow::array::RecordBatch;
use lidr_schema::TableId;

use crate::BrokerOrigin;

/// Why a source stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The source itself.
    #[error("{0}")]
    Source(String),
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
}
