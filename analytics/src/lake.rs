//! Rows from a lake, in the order of `due`; and queries over it.
//!
//! Files are merged batch by batch: each file is sorted, so the least first row of all files is the next to come, and everything
//! before it may be judged. A file is opened when its day is reached.
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::TimestampMicrosecondType,
};
use datafusion::{
    execution::context::SessionContext,
    prelude::{ParquetReadOptions, SessionConfig},
};
use lidr_schema::{SCHEMA_VERSION, TableId, dynamic::conform, table::ALL};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::{
    Site,
    feed::{FeedError, RowSink},
    leaf::Leaf,
    plan::event_schema,
    time::parse_rfc3339,
    udf::{self, Edges},
};

#[derive(Debug)]
struct Part {
    table: TableId,
    path: PathBuf,
}

enum Reading {
    Closed,
    Open { reader: Box<ParquetRecordBatchReader>, batch: RecordBatch },
}

fn bad(path: &Path, error: impl std::fmt::Display) -> FeedError {
    FeedError::Source(format!("{}: {error}", path.display()))
}

/// Feeds every row of the lake and a watermark after each batch; gives the greatest `due`.
///
/// # Errors
/// If the lake cannot be read, or its pseudonyms were made with another key, or it is of a newer major version.
pub fn read(dir: &Path, key_id: &str, taker: &mut dyn RowSink) -> Result<i64, FeedError> {
    let parts = parts(dir)?;
    let mut heap = BinaryHeap::new();
    let mut readings: Vec<Reading> = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        heap.push(Reverse((day_start(&part.path), i)));
        readings.push(Reading::Closed);
    }
    let mut last = i64::MIN;
    while let Some(Reverse((_, i))) = heap.pop() {
        let (Some(part), Some(reading)) = (parts.get(i), readings.get_mut(i)) else { continue };
        let next = match std::mem::replace(reading, Reading::Closed) {
            Reading::Closed => {
                let mut reader = open(part, key_id)?;
                batch(&mut reader, part)?.map(|b| (reader, b))
            }
            Reading::Open { mut reader, batch: now } => {
                last = last.max(span(&now).1);
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
    Ok(last)
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

fn open(part: &Part, key_id: &str) -> Result<Box<ParquetRecordBatchReader>, FeedError> {
    let file = File::open(&part.path).map_err(|e| bad(&part.path, e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| bad(&part.path, e))?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let value = |name: &str| metadata.iter().find(|kv| kv.key == name).and_then(|kv| kv.value.clone());
    if let Some(had) = value("lidr.key_id").filter(|had| had != key_id) {
        return Err(bad(&part.path, format!("pseudonyms of key {had}, this lidr has key {key_id}: give --key-file of the key that wrote the lake")));
    }
    let major = value("lidr.schema").and_then(|v| v.split('.').next().and_then(|m| m.parse::<u16>().ok()));
    if let Some(major) = major.filter(|m| *m > SCHEMA_VERSION.0) {
        return Err(bad(&part.path, format!("schema {major}, this lidr reads up to major {}: update lidr", SCHEMA_VERSION.0)));
    }
    builder.with_batch_size(8192).build().map(Box::new).map_err(|e| bad(&part.path, e))
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

/// The answer to a query over the lake, as a table of text.
///
/// # Errors
/// If the query does not plan or run; it may only read.
pub fn query(dir: &Path, site: &Site, text: &str) -> Result<String, FeedError> {
    let source = |e: datafusion::error::DataFusionError| FeedError::Source(e.strip_backtrace());
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    udf::register(&context, site.zones(), &Arc::new(Edges::default()));
    let runtime = tokio::runtime::Builder::new_multi_thread().build().map_err(|e| FeedError::Source(e.to_string()))?;
    runtime.block_on(async {
        for table in ALL {
            let folder = dir.join(table.name());
            if folder.exists() {
                let path = folder.display().to_string();
                context.register_parquet(table.name(), path, ParquetReadOptions::default()).await.map_err(source)?;
            } else {
                let leaf = Leaf::new(table.name(), event_schema(*table));
                context.register_table(table.name(), Arc::new(leaf)).map(drop).map_err(source)?;
            }
        }
        let options = crate::plan::read_only();
        let frame = context.sql_with_options(text, options).await.map_err(source)?;
        let batches = frame.collect().await.map_err(source)?;
        datafusion::arrow::util::pretty::pretty_format_batches(&batches).map(|t| t.to_string()).map_err(|e| FeedError::Source(e.to_string()))
    })
}
