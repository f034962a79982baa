//! Rows that come from Kafka or a lake, given to the judge.
#[cfg(feature = "kafka")]
use std::collections::BTreeMap;
use std::{error::Error, sync::Arc};

use arrow::array::RecordBatch;
#[cfg(feature = "kafka")]
use lidr_analytics::snapshot::SourceState;
use lidr_analytics::{BrokerOrigin, feed::RowSink};
use lidr_schema::TableId;

use crate::judge::Judging;
#[cfg(feature = "kafka")]
use crate::state::State;

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

    #[cfg(feature = "kafka")]
    fn whole_from(&mut self, due: i64) -> Result<(), Failed> {
        self.0.whole_from(due);
        Ok(())
    }

    #[cfg(feature = "kafka")]
    fn context(&mut self, table: TableId, batch: RecordBatch, origin: Option<Arc<BrokerOrigin>>) -> Result<(), Failed> {
        self.0.context(table, batch, origin).map_err(Failed::from)
    }

    #[cfg(feature = "kafka")]
    fn keeps_state(&self) -> bool {
        self.0.state.is_some()
    }

    #[cfg(feature = "kafka")]
    fn wants_state(&self) -> bool {
        self.0.state.as_ref().is_some_and(State::wants)
    }

    #[cfg(feature = "kafka")]
    fn needed(&self) -> BTreeMap<(String, i32), i64> {
        self.0.needed()
    }

    #[cfg(feature = "kafka")]
    fn checkpoint(&mut self, source: SourceState) -> Result<(), Failed> {
        self.0.checkpoint(source).map_err(Failed::from)
    }
}
