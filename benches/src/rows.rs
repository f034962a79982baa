//! One hash a table over every cell of every row, in row order: whether a change for speed has changed what is decoded.
//!
//! Batches may be cut differently; rows and their order may not. What was skipped, dropped and odd is said beside them.
use std::{
    collections::BTreeMap,
    fmt::Write,
    hash::{DefaultHasher, Hasher},
    path::Path,
};

use arrow::{
    array::RecordBatch,
    error::ArrowError,
    row::{RowConverter, SortField},
};
use lidr_ingest::{
    run,
    sink::{Sink, SinkError},
    source::{Input, Reader},
    summary::Summary,
};
use lidr_schema::TableId;

use crate::measure::config;

/// Rows of one table so far.
struct Hash {
    /// Gives octets that do not depend on how dictionaries were built.
    converter: RowConverter,
    rows: usize,
    hasher: DefaultHasher,
}

impl Hash {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let fields = batch.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(Self { converter: RowConverter::new(fields)?, rows: 0, hasher: DefaultHasher::new() })
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let rows = self.converter.convert_columns(batch.columns())?;
        self.rows += rows.num_rows();
        rows.iter().for_each(|row| self.hasher.write(row.data()));
        Ok(())
    }
}

#[derive(Default)]
struct Hashes(BTreeMap<TableId, Hash>);

impl Hashes {
    fn add(&mut self, table: TableId, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self.0.get_mut(&table) {
            Some(hash) => hash.add(batch),
            None => {
                let mut hash = Hash::of(batch)?;
                hash.add(batch)?;
                self.0.insert(table, hash);
                Ok(())
            }
        }
    }
}

impl Sink for Hashes {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        self.add(table, &batch).map_err(|e| SinkError(format!("rows of {}: {e}", table.name())))
    }
    fn floor(&mut self, _: i64) -> Result<(), SinkError> {
        Ok(())
    }
}

/// One line a table (its rows and their hash), then one with what was not decoded.
///
/// # Errors
/// If the capture cannot be read.
pub fn hashes(file: &Path, workers: usize) -> anyhow::Result<String> {
    let reader = Reader::open(&[Input::Path { sensor: None, path: file.to_owned() }])?;
    let mut hashes = Hashes::default();
    let summary = run::run(reader, &config(workers)?, &mut hashes, &mut |_| {})?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut out = String::new();
    for (table, Hash { rows, hasher, .. }) in &hashes.0 {
        writeln!(out, "{name} {} {rows} {:016x}", table.name(), hasher.finish())?;
    }
    let Summary { decoded, skipped, oddities, dropped, flows, .. } = &summary;
    writeln!(
        out,
        "{name} flows {flows} decoded {decoded:?} skipped {skipped:?} oddities {oddities:?} dropped {dropped:?}"
    )?;
    Ok(out)
}
