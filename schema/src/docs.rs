//! The contract as text: `schema.json`, which is committed and compared, and the tables' pages for rule authors.
use std::fmt::Write;

use serde_json::{Value, json};

use crate::{SCHEMA_VERSION, TableDef, TableId, table::ALL};

/// Every table with its columns, as `schema.json` holds it.
#[must_use]
pub fn schema_json() -> Value {
    let tables = ALL.iter().map(|t| {
        let def = t.def();
        let column = |c: &crate::Column| {
            json!({ "name": c.name, "type": type_name(&c.data_type), "nullable": c.nullable, "doc": c.doc })
        };
        let columns: Vec<Value> = def.columns.iter().map(column).collect();
        json!({ "name": def.name, "doc": def.doc, "partition_by": def.partition_by, "columns": columns })
    });
    json!({
        "version": format!("{}.{}", SCHEMA_VERSION.0, SCHEMA_VERSION.1),
        "tables": tables.collect::<Vec<_>>(),
    })
}

/// The page of one table, or of all of them.
#[must_use]
pub fn page(only: Option<TableId>) -> String {
    let mut out = String::new();
    for table in ALL.iter().filter(|t| only.is_none_or(|o| o == **t)) {
        one(&mut out, table.def());
    }
    out
}

fn one(out: &mut String, def: &TableDef) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "## {}\n{}\n", def.name, def.doc);
    for c in &def.columns {
        let null = if c.nullable { ", may be null" } else { "" };
        let _ = writeln!(out, "- `{}` ({}{null}): {}", c.name, type_name(&c.data_type), c.doc);
    }
    out.push('\n');
}

/// What a rule author calls an Arrow type.
#[must_use]
pub fn type_name(data_type: &arrow::datatypes::DataType) -> &'static str {
    use arrow::datatypes::DataType as T;
    match data_type {
        T::Dictionary(..) => "name",
        T::FixedSizeBinary(16) => "octets16",
        T::Timestamp(..) => "time_us",
        T::Utf8 => "text",
        T::Boolean => "bool",
        T::UInt8 => "u8",
        T::UInt16 => "u16",
        T::UInt32 => "u32",
        T::UInt64 => "u64",
        T::Int64 => "i64",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    /// `LIDR_BLESS=1` writes the file anew after an addition.
    #[test]
    fn the_committed_schema_is_the_declared_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        let mut made = serde_json::to_string_pretty(&super::schema_json()).unwrap();
        made.push('\n');
        if std::env::var_os("LIDR_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "schema.json differs from the tables: additions only, then LIDR_BLESS=1 cargo test -p lidr-schema"
        );
    }

    #[test]
    fn every_column_says_what_it_holds() {
        for table in crate::table::ALL {
            for column in &table.def().columns {
                assert!(!column.doc.is_empty(), "{}.{} has no doc comment", table.name(), column.name);
            }
        }
    }
}
