//! The whole rows of a lake that came from certain frames or lines: what a finding's evidence only points at.
use std::collections::BTreeSet;

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, UInt64Type},
};
use lidr_schema::{TableId, dynamic::conform};
use serde_json::{Map, Value};

use crate::{
    feed::FeedError,
    lake::{Lake, Part, bad, builder},
    query::value,
};

/// Rows that are given out; a frame has few, and evidence has few frames.
const MOST_ROWS: usize = 10_000;

/// Where a row was read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A frame of a capture, by the capture's name in rows.
    Frame(String, u64),
    /// A line of a record file.
    Line(String, u64),
}

/// A row as JSON, pseudonyms and addresses as findings write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its table.
    pub table: &'static str,
    /// Its columns; those without a value are left out.
    pub cells: Map<String, Value>,
}

impl Lake {
    /// The rows that came from these places, table by table.
    ///
    /// # Errors
    /// If a file cannot be read, or there are more than 10,000.
    pub fn rows_of(&self, places: &BTreeSet<Place>) -> Result<Vec<Row>, FeedError> {
        let mut out = Vec::new();
        for part in self.parts().iter().filter(|part| may_hold(part, places)) {
            let reader = builder(part)?.with_batch_size(8192).build().map_err(|e| bad(&part.path, e))?;
            for batch in reader {
                let batch = batch.map_err(|e| bad(&part.path, e))?;
                let batch = conform(&batch, &part.table.def().schema()).map_err(|e| bad(&part.path, e))?;
                rows(part.table, &batch, places, &mut out)?;
                if out.len() > MOST_ROWS {
                    return Err(bad(&part.path, format!("needed at most {MOST_ROWS} rows for one finding, had more")));
                }
            }
        }
        Ok(out)
    }
}

/// A file's name begins with the run that wrote it, and so does the name of a capture.
fn may_hold(part: &Part, places: &BTreeSet<Place>) -> bool {
    let name = part.path.file_name().unwrap_or_default().to_string_lossy();
    let of = |place: &Place| match place {
        Place::Frame(capture, _) => capture
            .rsplit_once('-')
            .is_some_and(|(epoch, _)| name.strip_prefix(epoch).is_some_and(|rest| rest.starts_with('-'))),
        Place::Line(..) => true,
    };
    places.iter().any(of)
}

fn rows(table: TableId, batch: &RecordBatch, places: &BTreeSet<Place>, out: &mut Vec<Row>) -> Result<(), FeedError> {
    let texts = |name: &str| -> Option<StringArray> {
        Some(cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?.as_string_opt::<i32>()?.clone())
    };
    let frames = batch.column_by_name("frame").and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let (Some(captures), Some(frames)) = (texts("capture"), frames) else { return Ok(()) };
    let files = texts("file");
    for row in 0..batch.num_rows() {
        let number = frames.value(row);
        let file = files.as_ref().filter(|f| f.is_valid(row)).map(|f| f.value(row));
        let here = file.map_or_else(
            || Place::Frame(captures.value(row).to_owned(), number),
            |file| Place::Line(file.to_owned(), number),
        );
        if places.contains(&here) {
            let cells = batch.schema_ref().fields().iter().zip(batch.columns());
            let cells = cells.map(|(field, column)| Ok((field.name().clone(), value(field.name(), column, row)?)));
            let cells = cells.collect::<Result<Vec<_>, FeedError>>()?.into_iter().filter(|(_, cell)| !cell.is_null());
            out.push(Row { table: table.name(), cells: cells.collect() });
        }
    }
    Ok(())
}
