//! Rows that come from Kafka or a lake, given to the judge.
use std::{error::Error, sync::Arc};

use arrow::array::RecordBatch;
use lidr_analytics::{BrokerOrigin, feed::RowSink};
use lidr_schema::TableId;

use crate::judge::Judging;

type Failed = Box<dyn Error + Send + Sync>;

/// Judges what a source feeds.
pub(crate) struct Taker<'a>(pub(crate) &'a mut Judging);

impl RowSink for Taker<'_> {
    fn rows(&mut self, table: TableId, batch: RecordBatch, origin: Option<Arc<BrokerOrigin>>) -> Result<(), Failed> {
        self.0.rows(table, batch, origin).map_err(Failed::from)
    }

    fn watermark(&mut self, watermark: i64) -> Result<(), Failed> {
        self.0.watermark(watermark).map_err(Failed::from)
    }

    fn rest(&mut self, end: i64) -> Result<(), Failed> {
        self.0.rest(end).map_err(Failed::from)
    }
}
