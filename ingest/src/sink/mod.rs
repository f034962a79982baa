//! Where rows go: a judge in the same process, Kafka, a Parquet lake.
#[cfg(feature = "kafka")]
mod kafka;
mod lake;

use arrow::array::RecordBatch;
#[cfg(feature = "kafka")]
pub use kafka::{KafkaCounters, KafkaSent, KafkaSink, KafkaSinkOptions};
pub use lake::{LakeOptions, LakeSink};
use lidr_schema::TableId;

/// Why a sink stopped the run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// Takes rows in row order (due, ts, sensor, capture, frame, n) and the promises between them.
pub trait Sink {
    /// Rows of one table, sorted, all with `due` at or below the floor that follows and above the floor before.
    ///
    /// # Errors
    /// If they cannot be taken; the run stops.
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError>;

    /// No later row has `due` at or below this, µs. At most clock - disorder - 1; `i64::MAX` after the last row.
    ///
    /// # Errors
    /// If the promise cannot be passed on; the run stops.
    fn floor(&mut self, promise: i64) -> Result<(), SinkError>;

    /// The input has ended, its clock at that time, µs (`i64::MIN` where there was no packet): whoever judges needs it, for what
    /// was not seen may still have been to come after it.
    ///
    /// # Errors
    /// If what waits cannot be passed on.
    fn end(&mut self, _clock: i64) -> Result<(), SinkError> {
        Ok(())
    }

    /// The input broke: what waits is passed on, without saying that it has ended.
    ///
    /// # Errors
    /// If it cannot be passed on.
    fn broke(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Two sinks, one after the other.
#[derive(Debug)]
pub struct Tee<A, B>(pub A, pub B);

impl<A: Sink, B: Sink> Sink for Tee<A, B> {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        self.0.rows(table, batch.clone())?;
        self.1.rows(table, batch)
    }
    fn floor(&mut self, promise: i64) -> Result<(), SinkError> {
        self.0.floor(promise)?;
        self.1.floor(promise)
    }
    fn end(&mut self, clock: i64) -> Result<(), SinkError> {
        self.0.end(clock)?;
        self.1.end(clock)
    }
    fn broke(&mut self) -> Result<(), SinkError> {
        self.0.broke()?;
        self.1.broke()
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        (**self).rows(table, batch)
    }
    fn floor(&mut self, promise: i64) -> Result<(), SinkError> {
        (**self).floor(promise)
    }
    fn end(&mut self, clock: i64) -> Result<(), SinkError> {
        (**self).end(clock)
    }
    fn broke(&mut self) -> Result<(), SinkError> {
        (**self).broke()
    }
}
