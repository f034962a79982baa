//! What the engine remembers for a rule: keys of rows that passed a test, with the values of the last one.
//!
//! Written after a window has run, with the rows due inside it, in row order; read as a table of its own by the next window. A
//! later add replaces values and keeps `first_seen`; at the bound the entry added to longest ago goes.
//!
//! A memory with `rates` keeps what a key's rows of one window add up to, on the average: of all windows that had rows while they
//! are few, then with a weight of one in [`RATE_WINDOWS`] for each new one, so that it follows a network that changes over days.
mod saved;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
    row::{OwnedRow, RowConverter, SortField},
};
use datafusion::common::ScalarValue;
use lidr_rules::Remember;

use crate::{Site, plan::Plan};

/// Windows after which a rate's average lets go of the oldest ones: a day of windows of five minutes.
const RATE_WINDOWS: i64 = 288;

#[derive(Debug)]
struct Entry {
    cells: Vec<ScalarValue>,
    first: i64,
    last: i64,
    rates: Vec<f64>,
    /// Windows that the rates were learnt from, [`RATE_WINDOWS`] at most.
    windows: i64,
}

/// The memory of one rule under one name.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) def: Remember,
    pub(crate) plan: Plan,
    pub(crate) schema: SchemaRef,
    keys: RowConverter,
    entries: BTreeMap<OwnedRow, Entry>,
    /// Keys by the time they were last added to; 0 for those that the site knows without a time.
    by_age: BTreeMap<i64, BTreeSet<OwnedRow>>,
    table: Option<RecordBatch>,
    /// Entries that went at the bound.
    pub(crate) forgotten: u64,
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The schema of a memory table: key, value, `first_seen`, `last_seen`, and with rates their averages and `windows`.
fn schema_of(plan: &Plan, def: &Remember) -> SchemaRef {
    let own = plan.schema.fields().iter().take(def.key.len() + def.value.len());
    let own = own.map(|f| Field::new(f.name(), f.data_type().clone(), true));
    let times = ["first_seen", "last_seen"].map(|name| Field::new(name, time(), false));
    let rates = def.rates.iter().map(|name| Field::new(name, DataType::Float64, false));
    let windows = (!def.rates.is_empty()).then(|| Field::new("windows", DataType::Int64, false));
    Arc::new(Schema::new(own.chain(times).chain(rates).chain(windows).collect::<Vec<_>>()))
}

impl Memory {
    /// An empty memory, or one seeded from what the site knows.
    pub(crate) fn new(def: &Remember, plan: Plan, site: &Site) -> Result<Self, String> {
        let schema = schema_of(&plan, def);
        let fields = schema.fields().iter().take(def.key.len()).map(|f| SortField::new(f.data_type().clone()));
        let keys = RowConverter::new(fields.collect()).map_err(|e| e.to_string())?;
        let (entries, by_age) = (BTreeMap::new(), BTreeMap::new());
        let mut memory = Self { def: def.clone(), plan, schema, keys, entries, by_age, table: None, forgotten: 0 };
        if def.seed_history
            && let Some(history) = site.table("history").filter(|h| h.num_rows() > 0)
        {
            memory.seed(history)?;
        }
        Ok(memory)
    }

    /// Edges learnt elsewhere, so that a short capture can be judged.
    fn seed(&mut self, history: &RecordBatch) -> Result<(), String> {
        let source = |name: &str| match name {
            "src_ip" | "actor" | "src" => Some("src"),
            "dst_ip" | "ne" | "dst" => Some("dst"),
            "dst_port" | "port" => Some("port"),
            "proto" => Some("proto"),
            _ => None,
        };
        let columns = self.schema.fields().iter().take(self.def.key.len() + self.def.value.len()).map(|field| {
            match source(field.name()).and_then(|n| history.column_by_name(n)) {
                Some(column) => cast(column, field.data_type()).map_err(|e| e.to_string()),
                None => Ok(new_null_array(field.data_type(), history.num_rows())),
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let times = |name: &str| {
            let column = history.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            (0..history.num_rows())
                .map(|i| column.filter(|c| arrow::array::Array::is_valid(c, i)).map_or(0, |c| c.value(i)))
                .collect::<Vec<i64>>()
        };
        let (first, last) = (times("first_seen"), times("last_seen"));
        let keys = self.keys(&columns)?;
        for ((i, key), (first, last)) in keys.iter().enumerate().zip(first.into_iter().zip(last)) {
            self.put(key.owned(), &columns, i, (first, last.max(first)))?;
        }
        Ok(())
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes what the memory's plan gave for rows of a window, in row order.
    pub(crate) fn learn(&mut self, batches: &[RecordBatch]) -> Result<(), String> {
        let columns = self.def.key.len() + self.def.value.len();
        for batch in batches {
            let own = batch.columns().get(..columns).unwrap_or_default();
            let keys = self.keys(own)?;
            let flag = |name: &str| batch.column_by_name(name).and_then(|c| c.as_boolean_opt()).cloned();
            let time =
                |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            let (Some(add), Some(drop_), Some(due)) = (flag("lidr_add"), flag("lidr_drop"), time("lidr_due")) else {
                return Err("a memory's plan lost its columns".to_owned());
            };
            let first = time("lidr_first").unwrap_or(due);
            for (row, key) in keys.iter().enumerate() {
                if drop_.value(row) {
                    self.forget(key.owned());
                } else if add.value(row) {
                    self.put(key.owned(), own, row, (first.value(row), due.value(row)))?;
                    self.rate(&key.owned(), batch, row);
                }
            }
        }
        Ok(())
    }

    fn keys(&self, columns: &[ArrayRef]) -> Result<arrow::row::Rows, String> {
        self.keys.convert_columns(columns.get(..self.def.key.len()).unwrap_or_default()).map_err(|e| e.to_string())
    }

    /// One window more in the averages of a key: `row` holds what its rows add up to.
    fn rate(&mut self, key: &OwnedRow, batch: &RecordBatch, row: usize) {
        let Some(entry) = self.entries.get_mut(key).filter(|_| !self.def.rates.is_empty()) else { return };
        entry.windows = (entry.windows + 1).min(RATE_WINDOWS);
        for (name, mean) in self.def.rates.iter().zip(&mut entry.rates) {
            let sums = batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
            let sum = sums.map_or(0.0, |s| s.value(row) as f64);
            *mean += (sum - *mean) / entry.windows as f64;
        }
    }

    fn put(&mut self, key: OwnedRow, columns: &[ArrayRef], row: usize, (first, due): (i64, i64)) -> Result<(), String> {
        let cells = columns.iter().map(|c| ScalarValue::try_from_array(c, row).map_err(|e| e.to_string()));
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        self.table = None;
        match self.entries.get_mut(&key) {
            Some(entry) => {
                let (before, last) = (entry.last, entry.last.max(due));
                (entry.cells, entry.last) = (cells, last);
                self.unlist(before, &key);
                self.by_age.entry(last).or_default().insert(key);
            }
            None => {
                self.entries.insert(
                    key.clone(),
                    Entry { cells, first, last: due, rates: vec![0.0; self.def.rates.len()], windows: 0 },
                );
                self.by_age.entry(due).or_default().insert(key);
            }
        }
        while self.entries.len() > self.def.max
            && let Some((last, oldest)) =
                self.by_age.first_key_value().and_then(|(last, keys)| Some((*last, keys.first()?.clone())))
        {
            self.unlist(last, &oldest);
            self.entries.remove(&oldest);
            self.forgotten += 1;
        }
        Ok(())
    }

    fn unlist(&mut self, last: i64, key: &OwnedRow) {
        if let Some(keys) = self.by_age.get_mut(&last) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_age.remove(&last);
            }
        }
    }

    fn forget(&mut self, key: OwnedRow) {
        if let Some(entry) = self.entries.remove(&key) {
            self.unlist(entry.last, &key);
            self.table = None;
        }
    }

    /// The memory as a table, without what is too old at `start`.
    pub(crate) fn table(&mut self, start: i64) -> Result<RecordBatch, String> {
        // Edges from the site have no time of their own where none was given; they do not grow old.
        while let Some(last) = self
            .by_age
            .range(1..)
            .next()
            .map(|(last, _)| *last)
            .filter(|last| last.saturating_add(self.def.ttl) < start)
        {
            for key in self.by_age.remove(&last).into_iter().flatten() {
                self.entries.remove(&key);
            }
            self.table = None;
        }
        if let Some(table) = &self.table {
            return Ok(table.clone());
        }
        let table = self.build().map_err(|e| e.to_string())?;
        self.table = Some(table.clone());
        Ok(table)
    }

    fn build(&self) -> datafusion::common::Result<RecordBatch> {
        if self.entries.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let columns = self.def.key.len() + self.def.value.len();
        let mut arrays = (0..columns)
            .map(|i| ScalarValue::iter_to_array(self.entries.values().filter_map(|e| e.cells.get(i).cloned())))
            .collect::<datafusion::common::Result<Vec<ArrayRef>>>()?;
        let times = |pick: fn(&Entry) -> i64| {
            let values = TimestampMicrosecondArray::from_iter_values(self.entries.values().map(pick));
            Arc::new(values.with_timezone("UTC")) as ArrayRef
        };
        arrays.push(times(|e| e.first));
        arrays.push(times(|e| e.last));
        for i in 0..self.def.rates.len() {
            let means = self.entries.values().map(|e| e.rates.get(i).copied().unwrap_or_default());
            arrays.push(Arc::new(Float64Array::from_iter_values(means)));
        }
        if !self.def.rates.is_empty() {
            arrays.push(Arc::new(Int64Array::from_iter_values(self.entries.values().map(|e| e.windows))));
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}
