//! Site files as lines of named cells, whatever format they came in.
use std::{path::Path, sync::Arc};

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use super::{error, table::Line};
use crate::SiteError;

/// CSV with a header line; line numbers are those of the file.
pub(super) fn csv(path: &Path, content: &[u8]) -> Result<Vec<Line>, SiteError> {
    let (lines, wrong) = csv_but(path, content, 1);
    wrong.into_iter().next().map_or(Ok(lines), Err)
}

/// The lines of a CSV that can be read, and why others cannot, until so many of them were met.
pub(super) fn csv_but(path: &Path, content: &[u8], most: usize) -> (Vec<Line>, Vec<SiteError>) {
    let bad = |e: &csv::Error| {
        error(path, e.position().map(|p| usize::try_from(p.line()).unwrap_or_default()), e.to_string())
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(content);
    let names: Arc<[String]> = match reader.headers() {
        Ok(names) => names.iter().map(str::to_owned).collect(),
        Err(e) => return (Vec::new(), vec![bad(&e)]),
    };
    // A file that was cut to nothing is no table without lines: that would say that there are no orders.
    if names.iter().all(String::is_empty) {
        return (
            Vec::new(),
            vec![error(path, Some(1), "needed a first line that names the columns, had none".to_owned())],
        );
    }
    let mut out = vec![Line { number: 1, names: Arc::clone(&names), cells: Vec::new(), header: true }];
    let mut wrong = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let number = record.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or_default());
                let cells = record.iter().map(str::to_owned).collect();
                out.push(Line { number, names: Arc::clone(&names), cells, header: false });
            }
            Err(e) => wrong.push(bad(&e)),
        }
        if wrong.len() >= most {
            break;
        }
    }
    (out, wrong)
}

/// Parquet; every column is read as text, the line is the row's number.
pub(super) fn parquet(path: &Path) -> Result<Vec<Line>, SiteError> {
    let bad = |message: String| error(path, None, message);
    let file = std::fs::File::open(path).map_err(|e| bad(e.to_string()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| bad(e.to_string()))?;
    let mut out = Vec::new();
    for batch in reader.build().map_err(|e| bad(e.to_string()))? {
        let batch = batch.map_err(|e| bad(e.to_string()))?;
        let first = out.len();
        let names: Arc<[String]> = batch.schema_ref().fields().iter().map(|f| f.name().clone()).collect();
        let line =
            |i: usize| Line { number: first + i + 1, names: Arc::clone(&names), cells: Vec::new(), header: false };
        out.extend((0..batch.num_rows()).map(line));
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let text = cast(column, &DataType::Utf8).map_err(|e| bad(format!("column `{}`: {e}", field.name())))?;
            for (line, cell) in out.iter_mut().skip(first).zip(text.as_string::<i32>()) {
                line.cells.push(cell.unwrap_or_default().to_owned());
            }
        }
    }
    Ok(out)
}

/// A row of a rule's case: several values may be a list.
pub(super) fn short(number: usize, row: &Map<String, Value>) -> Line {
    // In the order of their names, whatever order the map keeps: the hash of a line rests on it.
    let mut cells: Vec<_> = row.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    cells.sort();
    let (names, cells): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    Line { number, names: names.into(), cells, header: false }
}

/// A value of JSON as a cell.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}
