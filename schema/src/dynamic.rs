//! Rows from JSON in short form, and batches brought to the present schema.
//!
//! The cases in rule files and record inputs say only the columns they mean. Here they become full rows: addresses and names
//! from text, times from µs or RFC 3339-less numbers, pseudonyms from `kind:text` under a key.
use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int64Array, RecordBatch, StringArray, UInt64Array,
        new_null_array,
    },
    compute::cast,
    datatypes::{DataType, SchemaRef},
    error::ArrowError,
};
use serde_json::{Map, Value};

use crate::{Column, Ip, Key, Kind, Pseudonym, TableDef, hex};

/// Why a short row does not fit its table.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    /// A column that the table has not.
    #[error("table `{table}` has no column `{column}`{}", crate::dynamic::hint(.near))]
    UnknownColumn {
        /// The table.
        table: String,
        /// What was written.
        column: String,
        /// The nearest name it has.
        near: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("`{table}.{column}`: needed {needed}, had `{had}`")]
    BadValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What would fit.
        needed: &'static str,
        /// What was written.
        had: String,
    },
    /// Arrow refused the column.
    #[error("`{table}`: {why}")]
    Arrow {
        /// The table.
        table: String,
        /// Why: part of the sentence, so that it is no `source` that would say it again.
        why: ArrowError,
    },
}

/// `, did you mean …` where there is something near.
#[must_use]
pub fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default()
}

/// The nearest of some names, if it is near enough to be a slip of the pen (edit distance at most 2, or 3 from 8 letters on).
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let most = if word.len() >= 8 { 3 } else { 2 };
    let best = names.into_iter().map(|n| (distance(word, n), n)).min()?;
    (best.0 <= most && best.0 < word.len()).then(|| best.1.to_owned())
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (pair, y) in row.windows(2).zip(&b) {
            let (Some(diagonal), Some(above)) = (pair.first(), pair.get(1)) else { continue };
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != *y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Full rows of a table from short ones. Columns not named are null, or 0, "" and `false` where the table has no null.
///
/// # Errors
/// If a row names a column that the table has not, or a value does not fit.
pub fn from_json(def: &TableDef, rows: &[Map<String, Value>], key: &Key) -> Result<RecordBatch, BadRow> {
    for name in rows.iter().flat_map(Map::keys) {
        if def.column(name).is_none() {
            let near = nearest(name, def.columns.iter().map(|c| c.name));
            return Err(BadRow::UnknownColumn { table: def.name.to_owned(), column: name.clone(), near });
        }
    }
    let arrow_error = |why| BadRow::Arrow { table: def.name.to_owned(), why };
    let columns = def.columns.iter().map(|column| {
        let cells: Vec<Option<&Value>> = rows.iter().map(|r| r.get(column.name).filter(|v| !v.is_null())).collect();
        column_of(def, column, &cells, key)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(def.schema(), columns).map_err(arrow_error)
}

fn column_of(def: &TableDef, column: &Column, cells: &[Option<&Value>], key: &Key) -> Result<ArrayRef, BadRow> {
    let bad = |needed, had: &Value| BadRow::BadValue {
        table: def.name.to_owned(),
        column: column.name.to_owned(),
        needed,
        had: had.as_str().map_or_else(|| had.to_string(), str::to_owned),
    };
    let each = |needed, read: &dyn Fn(&Value) -> bool| {
        cells.iter().flatten().find(|v| !read(v)).map_or(Ok(()), |v| Err(bad(needed, v)))
    };
    let blank = !column.nullable;
    let array: ArrayRef = match &column.data_type {
        DataType::FixedSizeBinary(_) => {
            each("an address, or kind:text for a pseudonym", &|v| sixteen(v, key).is_some())?;
            let mut out = FixedSizeBinaryBuilder::new(16);
            for cell in cells {
                match cell.and_then(|v| sixteen(v, key)).or_else(|| blank.then_some([0; 16])) {
                    Some(octets) => {
                        out.append_value(octets).map_err(|why| BadRow::Arrow { table: def.name.to_owned(), why })?
                    }
                    None => out.append_null(),
                }
            }
            return Ok(Arc::new(out.finish()));
        }
        DataType::Boolean => {
            each("true or false", &Value::is_boolean)?;
            let read = |c: &Option<&Value>| c.and_then(Value::as_bool).or(blank.then_some(false));
            Arc::new(cells.iter().map(read).collect::<BooleanArray>())
        }
        DataType::Timestamp(..) | DataType::Int64 => {
            each("a whole number", &Value::is_i64)?;
            let read = |c: &Option<&Value>| c.and_then(Value::as_i64).or(blank.then_some(0));
            Arc::new(cells.iter().map(read).collect::<Int64Array>())
        }
        kind if kind.is_unsigned_integer() => {
            each("a whole number from 0", &Value::is_u64)?;
            let read = |c: &Option<&Value>| c.and_then(Value::as_u64).or(blank.then_some(0));
            Arc::new(cells.iter().map(read).collect::<UInt64Array>())
        }
        _ => {
            let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let read = |c: &Option<&Value>| c.map(text).or(blank.then(String::new));
            Arc::new(cells.iter().map(read).collect::<StringArray>())
        }
    };
    cast(&array, &column.data_type).map_err(|why| BadRow::Arrow { table: def.name.to_owned(), why })
}

/// An address, `kind:text` under the key, or 32 hex digits.
fn sixteen(value: &Value, key: &Key) -> Option<[u8; 16]> {
    let text = value.as_str()?;
    if let Ok(ip) = text.parse::<Ip>() {
        return Some(ip.octets());
    }
    if let Some((kind, rest)) = text.split_once(':')
        && let Some(kind) = Kind::named(kind)
    {
        return Some(key.pseudonym(kind, rest).octets());
    }
    let octets: [u8; 16] = hex::decode(text)?.try_into().ok()?;
    Some(Pseudonym::from_octets(octets).octets())
}

/// A batch of another minor version brought to the present schema: columns by name, missing ones null (or blank where the
/// table has no null), unknown ones left out.
///
/// # Errors
/// If a column cannot be cast to its present type.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field.data_type()),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
        None => blank(field.data_type(), batch.num_rows()),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn blank(data_type: &DataType, rows: usize) -> Result<ArrayRef, ArrowError> {
    let zero: ArrayRef = match data_type {
        DataType::FixedSizeBinary(_) => {
            let mut out = FixedSizeBinaryBuilder::with_capacity(rows, 16);
            for _ in 0..rows {
                out.append_value([0; 16])?;
            }
            return Ok(Arc::new(out.finish()));
        }
        DataType::Boolean => Arc::new(BooleanArray::from(vec![false; rows])),
        DataType::Utf8 | DataType::Dictionary(..) => Arc::new(StringArray::from(vec![""; rows])),
        _ => Arc::new(Int64Array::from(vec![0; rows])),
    };
    cast(&zero, data_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TableId;

    fn rows(text: &str) -> Vec<Map<String, Value>> {
        serde_json::from_str(text).unwrap()
    }
    fn key() -> Key {
        Key::from_hex(&"00".repeat(32)).unwrap()
    }

    #[test]
    fn every_table_takes_an_empty_row() {
        for table in crate::table::ALL {
            let batch = from_json(table.def(), &[Map::new()], &key()).unwrap();
            assert_eq!(batch.num_rows(), 1, "{}", table.name());
        }
    }

    #[test]
    fn a_misspelt_column_is_named_with_its_neighbour() {
        let error = from_json(TableId::Tasking.def(), &rows(r#"[{"actr": "10.0.0.1"}]"#), &key()).unwrap_err();
        assert_eq!(error.to_string(), "table `tasking` has no column `actr`, did you mean `actor`?");
        let error = from_json(TableId::Tasking.def(), &rows(r#"[{"actor": "ten"}]"#), &key()).unwrap_err();
        assert!(error.to_string().contains("`tasking.actor`"), "{error}");
    }

    #[test]
    fn a_batch_of_an_older_minor_gets_nulls() {
        let batch = from_json(TableId::Dns.def(), &rows(r#"[{"qname": "a.example"}]"#), &key()).unwrap();
        let old = batch.project(&(0..batch.num_columns() - 1).collect::<Vec<_>>()).unwrap();
        let new = conform(&old, &TableId::Dns.def().schema()).unwrap();
        assert_eq!(new.num_columns(), batch.num_columns());
    }
}
