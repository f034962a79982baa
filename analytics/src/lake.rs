//! Rows from a lake, in the order of `due`.
//!
//! Files are merged batch by batch: each file is sorted, so the least first row of all files is the next to come, and everything
//! before it may be judged. All files are looked into when the lake is opened: pseudonyms of another key or rows of a newer schema
//! are refused before anything is judged or asked. A file is read when its day is reached.
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::TimestampMicrosecondType,
};
use lidr_schema::{SCHEMA_VERSION, TableId, dynamic::conform, table::ALL};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::{
    feed::{FeedError, RowSink},
    time::parse_rfc3339,
};

/// One file of a lake.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) table: TableId,
    pub(crate) path: PathBuf,
}

enum Reading {
    Closed,
    Open { reader: Box<ParquetRecordBatchReader>, batch: RecordBatch },
}

pub(crate) fn bad(path: &Path, error: impl std::fmt::Display) -> FeedError {
    FeedError::Source(format!("{}: {error}", path.display()))
}

/// A lake that this run may read.
#[derive(Debug)]
pub struct Lake {
    dir: PathBuf,
    parts: Vec<Part>,
    size: u64,
    end: i64,
}

/// What was read of a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LakeRead {
    /// Files.
    pub files: usize,
    /// Their octets.
    pub size: u64,
    /// Least `due`, µs.
    pub first: i64,
    /// Greatest `due`, µs.
    pub last: i64,
    /// The end of the input: the greatest clock at which a run that wrote into the lake ended, or `last` where that is later, µs.
    pub end: i64,
}

impl Lake {
    /// Finds the files and looks at what they say of themselves.
    ///
    /// # Errors
    /// If there are none, or one cannot be read, has pseudonyms of another key or is of a newer major version.
    pub fn open(dir: &Path, key_id: &str) -> Result<Self, FeedError> {
        let parts = parts(dir)?;
        let (mut size, mut end) = (0, i64::MIN);
        for part in &parts {
            end = end.max(check(part, key_id)?);
            size += fs::metadata(&part.path).map_or(0, |m| m.len());
        }
        Ok(Self { dir: dir.to_owned(), parts, size, end })
    }

    /// Its files.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The folder of a table, if it has any rows.
    pub(crate) fn folder(&self, table: TableId) -> Option<PathBuf> {
        self.parts.iter().any(|p| p.table == table).then(|| self.dir.join(table.name()))
    }

    /// Feeds every row and a watermark after each batch.
    ///
    /// # Errors
    /// If a file cannot be read or judging fails.
    pub fn read(&self, taker: &mut dyn RowSink) -> Result<LakeRead, FeedError> {
        let mut heap = BinaryHeap::new();
        let mut readings: Vec<Reading> = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            heap.push(Reverse((day_start(&part.path), i)));
            readings.push(Reading::Closed);
        }
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        while let Some(Reverse((_, i))) = heap.pop() {
            let (Some(part), Some(reading)) = (self.parts.get(i), readings.get_mut(i)) else { continue };
            let next = match std::mem::replace(reading, Reading::Closed) {
                Reading::Closed => {
                    let mut reader =
                        builder(part)?.with_batch_size(8192).build().map(Box::new).map_err(|e| bad(&part.path, e))?;
                    batch(&mut reader, part)?.map(|b| (reader, b))
                }
                Reading::Open { mut reader, batch: now } => {
                    let (least, greatest) = span(&now);
                    (first, last) = (first.min(least), last.max(greatest));
                    taker.rows(part.table, now, None)?;
                    batch(&mut reader, part)?.map(|b| (reader, b))
                }
            };
            if let Some((reader, batch)) = next {
                heap.push(Reverse((span(&batch).0, i)));
                *reading = Reading::Open { reader, batch };
            }
            if let Some(Reverse((least, _))) = heap.peek() {
                taker.watermark(least - 1)?;
            }
        }
        Ok(LakeRead { files: self.parts.len(), size: self.size, first, last, end: self.end.max(last) })
    }
}

fn parts(dir: &Path) -> Result<Vec<Part>, FeedError> {
    let mut out = Vec::new();
    for table in ALL {
        walk(*table, &dir.join(table.name()), &mut out)?;
    }
    if out.is_empty() {
        return Err(bad(dir, "no rows: needed TABLE/day=…/sensor=…/*.parquet as `lidr replay --lake` writes them"));
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

fn walk(table: TableId, dir: &Path, out: &mut Vec<Part>) -> Result<(), FeedError> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).map_err(|e| bad(dir, e))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(table, &path, out)?;
        } else if path.extension().is_some_and(|e| e == "parquet") {
            out.push(Part { table, path });
        }
    }
    Ok(())
}

/// Midnight of the day in the path.
fn day_start(path: &Path) -> i64 {
    let day = path.components().find_map(|c| c.as_os_str().to_str()?.strip_prefix("day="));
    day.and_then(|d| parse_rfc3339(&format!("{d}T00:00:00Z"))).unwrap_or(i64::MIN + 1)
}

pub(crate) fn builder(part: &Part) -> Result<ParquetRecordBatchReaderBuilder<File>, FeedError> {
    let file = File::open(&part.path).map_err(|e| bad(&part.path, e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| bad(&part.path, e))
}

/// Whether a file's pseudonyms and columns are those that this run knows.
///
/// Gives the clock at the end of the run that wrote it, where it is one of its last.
fn check(part: &Part, key_id: &str) -> Result<i64, FeedError> {
    let builder = builder(part)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let value = |name: &str| metadata.iter().find(|kv| kv.key == name).and_then(|kv| kv.value.clone());
    if let Some(had) = value("lidr.key_id").filter(|had| had != key_id) {
        return Err(bad(
            &part.path,
            format!(
                "pseudonyms of key {had}, this lidr has key {key_id}: give --key-file of the key that wrote the lake"
            ),
        ));
    }
    let major = value("lidr.schema").and_then(|v| v.split('.').next().and_then(|m| m.parse::<u16>().ok()));
    if let Some(major) = major.filter(|m| *m > SCHEMA_VERSION.0) {
        return Err(bad(
            &part.path,
            format!("schema {major}, this lidr reads up to major {}: update lidr", SCHEMA_VERSION.0),
        ));
    }
    Ok(value("lidr.clock").and_then(|c| c.parse().ok()).unwrap_or(i64::MIN))
}

fn batch(reader: &mut ParquetRecordBatchReader, part: &Part) -> Result<Option<RecordBatch>, FeedError> {
    let Some(batch) = reader.next() else { return Ok(None) };
    let batch = batch.map_err(|e| bad(&part.path, e))?;
    conform(&batch, &part.table.def().schema()).map(Some).map_err(|e| bad(&part.path, e))
}

fn span(batch: &RecordBatch) -> (i64, i64) {
    let due = batch.column_by_name("due").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let least = due.and_then(arrow::compute::min).unwrap_or(i64::MIN + 1);
    (least, due.and_then(arrow::compute::max).unwrap_or(i64::MIN + 1))
}
