//! Rows that windows still need, in row order.
//!
//! Rows come in any order. At each watermark those that it passes are put in order and never move again, so that a window is a
//! run of slices that cost nothing, and a row's `rowid` (its table and its ordinal there) holds for as long as the row is kept.
//! Small runs are joined with their neighbours of the same size, so that few are left whatever the batches were.
use std::{
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
        UInt64Array,
    },
    compute::{concat_batches, interleave_record_batch},
    datatypes::{Int32Type, TimestampMicrosecondType, UInt32Type, UInt64Type},
    error::ArrowError,
};
use lidr_schema::TableId;

use crate::{BrokerOrigin, plan::event_schema};

/// Rows below this bit are the row's place in its table, bits above say which table.
const TABLE_SHIFT: u32 = 40;
/// Rows of a run that is not joined any more.
const FULL_RUN: usize = 65_536;

/// How a row came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// Where it stood in a broker.
    pub(crate) broker: Option<Arc<BrokerOrigin>>,
    /// It came behind the watermark.
    pub(crate) late: bool,
}

/// Rows of one table in row order.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    table: TableId,
    batch: RecordBatch,
    /// Ordinal of the first row in its table.
    first: i64,
    origins: Vec<Origin>,
    from: Vec<u32>,
}

#[derive(Debug, Default)]
struct Table {
    arrived: Vec<Run>,
    ahead: Vec<Run>,
    runs: VecDeque<Run>,
    next: i64,
}

/// Rows of all tables.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    tables: BTreeMap<TableId, Table>,
    held: u64,
    /// Most rows held at once.
    pub(crate) peak: u64,
}

/// The common columns that decide the order of rows.
struct Order<'a> {
    due: &'a TimestampMicrosecondArray,
    ts: &'a TimestampMicrosecondArray,
    sensor: &'a DictionaryArray<Int32Type>,
    capture: &'a DictionaryArray<Int32Type>,
    frame: &'a UInt64Array,
    n: &'a UInt32Array,
}

impl<'a> Order<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let time = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let name = |name: &str| batch.column_by_name(name)?.as_dictionary_opt::<Int32Type>();
        Some(Self {
            due: time("due")?,
            ts: time("ts")?,
            sensor: name("sensor")?,
            capture: name("capture")?,
            frame: batch.column_by_name("frame")?.as_primitive_opt::<UInt64Type>()?,
            n: batch.column_by_name("n")?.as_primitive_opt::<UInt32Type>()?,
        })
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let times =
            (self.due.value(row), self.ts.value(row)).cmp(&(other.due.value(other_row), other.ts.value(other_row)));
        times
            .then_with(|| word(self.sensor, row).cmp(word(other.sensor, other_row)))
            .then_with(|| word(self.capture, row).cmp(word(other.capture, other_row)))
            .then_with(|| {
                (self.frame.value(row), self.n.value(row))
                    .cmp(&(other.frame.value(other_row), other.n.value(other_row)))
            })
    }
}

fn word(column: &DictionaryArray<Int32Type>, row: usize) -> &str {
    let place = column.key(row);
    let value = place.and_then(|p| column.values().as_string_opt::<i32>().filter(|v| p < v.len()).map(|v| v.value(p)));
    value.unwrap_or_default()
}

fn headless(table: TableId) -> ArrowError {
    ArrowError::SchemaError(format!("rows of `{}` without their common columns", table.name()))
}

/// `due` of every row.
pub(crate) fn dues(batch: &RecordBatch) -> Option<&TimestampMicrosecondArray> {
    batch.column_by_name("due")?.as_primitive_opt::<TimestampMicrosecondType>()
}

impl Run {
    /// One batch as it came.
    fn new(table: TableId, batch: RecordBatch, broker: Option<Arc<BrokerOrigin>>) -> Self {
        let from = vec![0; batch.num_rows()];
        Self { table, batch, first: 0, origins: vec![Origin { broker, late: false }], from }
    }

    /// Runs of one table as one, in row order.
    fn merged(table: TableId, mut runs: Vec<Self>) -> Result<Self, ArrowError> {
        let orders =
            runs.iter().map(|r| Order::of(&r.batch)).collect::<Option<Vec<_>>>().ok_or_else(|| headless(table))?;
        let mut places: Vec<(usize, usize)> =
            runs.iter().enumerate().flat_map(|(number, run)| (0..run.len()).map(move |row| (number, row))).collect();
        let compare = |a: &(usize, usize), b: &(usize, usize)| match (orders.get(a.0), orders.get(b.0)) {
            (Some(x), Some(y)) => x.compare(a.1, y, b.1),
            _ => Ordering::Equal,
        };
        let sorted = places.is_sorted_by(|a, b| compare(a, b) != Ordering::Greater);
        if !sorted {
            places.sort_by(compare);
        }
        if sorted
            && runs.len() == 1
            && let Some(one) = runs.pop()
        {
            return Ok(one);
        }
        let batches: Vec<&RecordBatch> = runs.iter().map(|r| &r.batch).collect();
        let batch = match sorted {
            true => concat_batches(&table.def().schema(), batches)?,
            false => interleave_record_batch(&batches, &places)?,
        };
        let mut starts = Vec::new();
        let mut origins = Vec::new();
        for run in &runs {
            starts.push(origins.len());
            origins.extend(run.origins.iter().cloned());
        }
        let from = places.iter().map(|(number, row)| {
            let own = runs.get(*number).and_then(|r| r.from.get(*row)).copied().unwrap_or_default();
            let start = starts.get(*number).copied().unwrap_or_default();
            u32::try_from(start).unwrap_or(u32::MAX).saturating_add(own)
        });
        let from = from.collect();
        Ok(Self { table, batch, first: 0, origins, from })
    }

    /// The table.
    pub(crate) const fn table(&self) -> TableId {
        self.table
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    fn due(&self, row: usize) -> i64 {
        dues(&self.batch).map_or(0, |d| d.value(row))
    }

    /// The place of the first row whose `due` is at or after that time.
    fn place(&self, time: i64) -> usize {
        dues(&self.batch).map_or(0, |d| d.values().partition_point(|due| *due < time))
    }

    fn part(&self, start: usize, len: usize) -> Self {
        Self {
            table: self.table,
            batch: self.batch.slice(start, len),
            first: self.first + start as i64,
            origins: self.origins.clone(),
            from: self.from.iter().skip(start).take(len).copied().collect(),
        }
    }

    /// The rows as rules see them, with `rowid`.
    pub(crate) fn seen(&self, start: usize, len: usize) -> Result<RecordBatch, ArrowError> {
        let rows = self.batch.slice(start, len);
        let tag = (self.table as i64) << TABLE_SHIFT;
        let ids = (0..len as i64).map(|i| tag + self.first + start as i64 + i);
        let rowid: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        let columns = rows.columns().iter().cloned().chain([rowid]).collect();
        RecordBatch::try_new(event_schema(self.table), columns)
    }

    /// One row and how it came.
    pub(crate) fn row(&self, ordinal: i64) -> Option<(RecordBatch, Origin)> {
        let row = usize::try_from(ordinal - self.first).ok().filter(|r| *r < self.len())?;
        let origin = self.from.get(row).and_then(|i| self.origins.get(*i as usize)).cloned().unwrap_or_default();
        Some((self.batch.slice(row, 1), origin))
    }

    /// Rows behind the watermark count as due right after it; the rest stays as it is.
    fn on_time(self, watermark: i64) -> Result<Vec<Self>, ArrowError> {
        let late = if watermark == i64::MIN { 0 } else { self.place(watermark.saturating_add(1)) };
        if late == 0 {
            return Ok(vec![self]);
        }
        let (mut behind, rest) = (self.part(0, late), self.part(late, self.len() - late));
        let due = TimestampMicrosecondArray::from_value(watermark.saturating_add(1), late).with_timezone("UTC");
        let schema = behind.batch.schema();
        let columns = schema.fields().iter().zip(behind.batch.columns());
        let columns =
            columns.map(|(f, c)| if f.name() == "due" { Arc::new(due.clone()) as ArrayRef } else { Arc::clone(c) });
        behind.batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
        behind.origins.iter_mut().for_each(|o| o.late = true);
        Ok(if rest.len() == 0 { vec![behind] } else { vec![behind, rest] })
    }
}

impl Rows {
    /// Takes rows; gives the least and the greatest `due` among them.
    pub(crate) fn push(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        broker: Option<Arc<BrokerOrigin>>,
    ) -> Option<(i64, i64)> {
        let due = dues(&batch)?.values();
        let edges = (due.iter().copied().min()?, due.iter().copied().max()?);
        self.held += batch.num_rows() as u64;
        self.peak = self.peak.max(self.held);
        self.tables.entry(table).or_default().arrived.push(Run::new(table, batch, broker));
        Some(edges)
    }

    /// What came since the last call, in row order with its own `due`; the tables that windows read keep it, what is behind the
    /// watermark as if it were due right after it.
    pub(crate) fn arrivals(&mut self, watermark: i64, kept: impl Fn(TableId) -> bool) -> Result<Vec<Run>, ArrowError> {
        let mut out = Vec::new();
        for (id, table) in &mut self.tables {
            if table.arrived.is_empty() {
                continue;
            }
            let run = Run::merged(*id, std::mem::take(&mut table.arrived))?;
            if kept(*id) {
                table.ahead.extend(run.clone().on_time(watermark)?);
            } else {
                self.held = self.held.saturating_sub(run.len() as u64);
            }
            out.push(run);
        }
        Ok(out)
    }

    /// Rows that were judged before; those behind `watermark` were late then.
    pub(crate) fn context(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        broker: Option<Arc<BrokerOrigin>>,
        watermark: i64,
    ) -> Result<(), ArrowError> {
        let run = Run::merged(table, vec![Run::new(table, batch, broker)])?;
        self.held += run.len() as u64;
        self.peak = self.peak.max(self.held);
        self.tables.entry(table).or_default().ahead.extend(run.on_time(watermark)?);
        Ok(())
    }

    /// Puts what the watermark has passed in its place for good.
    pub(crate) fn settle(&mut self, watermark: i64) -> Result<(), ArrowError> {
        for (id, table) in &mut self.tables {
            let mut passed = Vec::new();
            for run in std::mem::take(&mut table.ahead) {
                let n = if watermark == i64::MAX { run.len() } else { run.place(watermark + 1) };
                if n == run.len() {
                    passed.push(run);
                } else {
                    if n > 0 {
                        passed.push(run.part(0, n));
                    }
                    table.ahead.push(run.part(n, run.len() - n));
                }
            }
            if !passed.is_empty() {
                table.append(Run::merged(*id, passed)?)?;
            }
        }
        Ok(())
    }

    /// Forgets what is due before the time that the table is still needed from.
    pub(crate) fn forget(&mut self, before: impl Fn(TableId) -> i64) {
        for (id, table) in &mut self.tables {
            let edge = before(*id);
            while table.runs.front().is_some_and(|r| r.len() == 0 || r.due(r.len() - 1) < edge) {
                table.runs.pop_front();
            }
        }
        let rows = |t: &Table| t.runs.iter().chain(&t.ahead).map(Run::len).sum::<usize>();
        self.held = self.tables.values().map(|t| rows(t) as u64).sum();
    }

    /// The least `due` at or after that time among settled rows of a table.
    pub(crate) fn next_due(&self, table: TableId, from: i64) -> Option<i64> {
        let runs = &self.tables.get(&table)?.runs;
        runs.iter().find_map(|r| Some(r.place(from)).filter(|p| *p < r.len()).map(|p| r.due(p)))
    }

    /// Whether a table has rows due in [from, to).
    pub(crate) fn any(&self, table: TableId, from: i64, to: i64) -> bool {
        self.next_due(table, from).is_some_and(|due| due < to)
    }

    /// The rows of a table due in [from, to), in row order.
    pub(crate) fn window(&self, table: TableId, from: i64, to: i64) -> Result<Vec<RecordBatch>, ArrowError> {
        let runs = self.tables.get(&table).into_iter().flat_map(|t| &t.runs);
        let spans = runs.map(|r| (r, r.place(from), r.place(to))).filter(|(_, a, b)| a < b);
        spans.map(|(r, a, b)| r.seen(a, b - a)).collect()
    }

    /// The row that a `rowid` names.
    pub(crate) fn row(&self, rowid: i64) -> Option<(RecordBatch, Origin)> {
        let (table, ordinal) = named(rowid)?;
        let runs = &self.tables.get(&table)?.runs;
        let after = runs.partition_point(|r| r.first <= ordinal);
        runs.get(after.checked_sub(1)?)?.row(ordinal)
    }
}

impl Table {
    fn append(&mut self, mut run: Run) -> Result<(), ArrowError> {
        run.first = self.next;
        self.next += run.len() as i64;
        while self.runs.back().is_some_and(|last| last.len() <= run.len() && last.len() + run.len() <= FULL_RUN) {
            let Some(last) = self.runs.pop_back() else { break };
            let first = last.first;
            run = Run::merged(run.table, vec![last, run])?;
            run.first = first;
        }
        self.runs.push_back(run);
        Ok(())
    }
}

/// The table and the ordinal that a `rowid` names.
pub(crate) fn named(rowid: i64) -> Option<(TableId, i64)> {
    let table = usize::try_from(rowid >> TABLE_SHIFT).ok()?;
    Some((*lidr_schema::table::ALL.get(table)?, rowid & ((1 << TABLE_SHIFT) - 1)))
}
