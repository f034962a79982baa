//! Rows that the reader itself gives, beside those of the workers: oddities of reader and frames, and rows of record files.
//!
//! They are one source of rows more for the row order, with the reader's own promise. Rows of record files are whole when they
//! are read: `due` is the record's effective time, `file` and `frame` say where it stands.
use std::{collections::BTreeMap, sync::Arc};

use lidr_schema::{Head, Micros, Name, Store, TableId, dynamic, table::oddity};
use serde_json::{Map, Value};

use crate::{
    sink::SinkError,
    source::{Reader, ReaderOdd, RecordRow},
    worker::{Chunk, Shared},
};

/// Keeps oddities that are found out by time apart from those that the frame itself shows: which comes first must not decide.
const LATER: u32 = 1 << 22;
/// Keeps rows of reader and frame decoder apart from those of the conversations in the same frame.
const READER_ROWS: u32 = 3 << 24;

/// What the reader has found since the last time.
#[derive(Debug)]
pub(crate) struct Own {
    odds: Vec<ReaderOdd>,
    rows: Vec<RecordRow>,
}

impl Own {
    /// Takes it from the reader.
    pub(crate) fn take(reader: &mut Reader) -> Self {
        Self { odds: reader.take_odds(), rows: reader.take_rows() }
    }
}

/// Writes the reader's rows.
pub(crate) struct OwnRows {
    shared: Arc<Shared>,
    last: (u16, u64, u32),
    /// Oddities by kind.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl OwnRows {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, last: (u16::MAX, 0, 0), counts: BTreeMap::new() }
    }

    /// The rows, and the promise that goes with them.
    pub(crate) fn chunk(&mut self, own: Own, floor: i64) -> Result<Chunk, SinkError> {
        let mut batches = self.records(own.rows)?;
        if !own.odds.is_empty() {
            batches.push((TableId::Oddity, self.oddities(&own.odds)));
        }
        Ok(Chunk { batches, floor, ..Chunk::default() })
    }

    fn records(&self, rows: Vec<RecordRow>) -> Result<Vec<(TableId, arrow::array::RecordBatch)>, SinkError> {
        let mut tables: BTreeMap<TableId, Vec<Map<String, Value>>> = BTreeMap::new();
        for RecordRow { table, stamp, mut cells } in rows {
            let own: [(&str, Value); 8] = [
                ("ts", stamp.ts.into()),
                ("due", stamp.eff.into()),
                ("sensor", self.shared.sensor.as_ref().into()),
                ("capture", self.shared.capture(stamp.input).into()),
                ("frame", stamp.frame.into()),
                ("file", self.file(stamp.input).map_or(Value::Null, |f| f.into_owned().into())),
                ("decoder", "record".into()),
                ("trust", "clear".into()),
            ];
            cells.extend(own.map(|(name, value)| (name.to_owned(), value)));
            tables.entry(table).or_default().push(cells);
        }
        let batch = |(table, rows): (TableId, Vec<_>)| {
            let batch = dynamic::from_json(table.def(), &rows, &self.shared.key);
            batch.map(|b| (table, b)).map_err(|e| SinkError(format!("rows of record files: {e}")))
        };
        tables.into_iter().map(batch).collect()
    }

    fn file(&self, input: u16) -> Option<Name> {
        self.shared.files.get(usize::from(input)).cloned().flatten()
    }

    fn oddities(&mut self, odds: &[ReaderOdd]) -> arrow::array::RecordBatch {
        let mut columns = oddity::Columns::default();
        for odd in odds {
            *self.counts.entry(odd.kind).or_default() += 1;
            let (input, frame) = (odd.stamp.input, odd.stamp.frame);
            let n = match odd.is_later() {
                true => LATER,
                false => {
                    let n = if (self.last.0, self.last.1) == (input, frame) { self.last.2 + 1 } else { 0 };
                    self.last = (input, frame, n);
                    n.min(LATER - 1)
                }
            };
            let mut head = Head {
                ts: Micros(odd.stamp.ts),
                due: Micros(odd.stamp.eff),
                sensor: self.shared.sensor.clone(),
                capture: self.shared.capture(input),
                frame,
                n: READER_ROWS | n,
                file: self.file(input),
                decoder: Name::Borrowed(odd.stage),
                trust: Name::Borrowed("clear"),
                ..Head::default()
            };
            head.set_ends(odd.ends);
            let row = oddity::Row {
                kind: Name::Borrowed(odd.kind),
                stage: Name::Borrowed(odd.stage),
                detail: Some(Name::Borrowed(odd.detail)),
                needed: odd.needed,
                had: odd.had,
                count: odd.count,
            };
            columns.push(head, row);
        }
        columns.finish()
    }
}
