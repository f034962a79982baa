//! What may be asked of a column, by its type.
use arrow::datatypes::DataType;
use lidr_schema::{Column, TableId};

/// Columns that hold keyed hashes: a rule cannot name a value for them, it can only ask whether there is one.
const PSEUDONYMS: &[&str] = &["task", "liid", "target", "imsi", "msisdn", "imei"];

/// Type of a column, as far as conditions see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Address,
    Pseudonym,
    Int,
    Bool,
    Time,
}

impl Kind {
    pub(super) fn of(column: &Column) -> Self {
        match &column.data_type {
            DataType::FixedSizeBinary(_) if PSEUDONYMS.contains(&column.name) => Self::Pseudonym,
            DataType::FixedSizeBinary(_) => Self::Address,
            DataType::Boolean => Self::Bool,
            DataType::Timestamp(..) => Self::Time,
            kind if kind.is_integer() => Self::Int,
            _ => Self::Text,
        }
    }
}

/// The text columns that a keyword is looked for in: what the table says of itself, not where a row came from.
pub(super) fn text_columns(table: TableId) -> impl Iterator<Item = &'static str> {
    let common = lidr_schema::head::columns().len();
    table.def().columns.iter().skip(common).filter(|c| Kind::of(c) == Kind::Text).map(|c| c.name)
}
