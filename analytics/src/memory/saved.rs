//! A memory in a snapshot: its table, and what it remembers.
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
};

use super::Memory;

impl Memory {
    /// What it remembers, as text: entries of another definition are not those that this one would have.
    pub(crate) fn definition(&self) -> String {
        let d = &self.def;
        let columns = [&d.key, &d.value, &d.rates].map(|names| names.join(","));
        format!("{} | {} | {} | {} | {}", d.from.name(), columns.join(" | "), d.add, d.drop, d.max)
    }

    /// Everything that it remembers.
    pub(crate) fn saved(&self) -> Result<RecordBatch, String> {
        self.build().map_err(|e| e.to_string())
    }

    /// Takes what was saved in place of what it has.
    pub(crate) fn resume(&mut self, saved: &RecordBatch) -> Result<(), String> {
        (self.entries, self.by_age, self.table) = Default::default();
        if saved.num_rows() == 0 {
            return Ok(());
        }
        let kinds = |batch: &RecordBatch| {
            batch.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect::<Vec<_>>()
        };
        if kinds(saved) != kinds(&RecordBatch::new_empty(std::sync::Arc::clone(&self.schema))) {
            return Err("its columns have changed".to_owned());
        }
        let time = |name: &str| saved.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let (Some(first), Some(last)) = (time("first_seen"), time("last_seen")) else {
            return Err("it has no times".to_owned());
        };
        let columns = saved.columns().get(..self.def.key.len() + self.def.value.len()).unwrap_or_default();
        let rate = |name: &String| saved.column_by_name(name).and_then(|c| c.as_primitive_opt::<Float64Type>());
        let rates: Vec<_> = self.def.rates.iter().map(rate).collect();
        let windows = saved.column_by_name("windows").and_then(|c| c.as_primitive_opt::<Int64Type>());
        for (row, key) in self.keys(columns)?.iter().enumerate() {
            let key = key.owned();
            self.put(key.clone(), columns, row, (first.value(row), last.value(row)))?;
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.windows = windows.filter(|w| row < w.len()).map_or(0, |w| w.value(row));
            entry.rates = rates.iter().map(|r| r.map_or(0.0, |r| r.value(row))).collect();
        }
        Ok(())
    }
}
