//! A mapping: what a record's fields mean in the columns of a table. One file a source, checked by `compile` when it is loaded.
use std::collections::BTreeMap;

use lidr_schema::{Kind, TableId};
use regex::Regex;

use super::{cell::Cell, glob::Glob, time::Time};

/// How a file is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Ndjson,
    Csv,
    Syslog,
    Text,
}

/// A regular expression over a field, whose named groups become fields.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) regex: Regex,
}

/// All of these fields must have one of their values.
#[derive(Debug, Default)]
pub(super) struct When(pub(super) Vec<(String, Vec<Glob>)>);

/// Records that become rows of one table.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) table: TableId,
    pub(super) when: When,
    pub(super) columns: Vec<Column>,
}

/// Where a column's value comes from: the first source that has one.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) cell: Cell,
    pub(super) sources: Vec<Source>,
}

/// One place that a value may come from.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) line: usize,
    /// A constant.
    pub(super) is: Option<String>,
    pub(super) field: String,
    /// Lower case to what it means.
    pub(super) map: Option<BTreeMap<String, String>>,
    /// What it means where the map has nothing, or the field is not there.
    pub(super) other: Option<String>,
    pub(super) kind: Option<KindOf>,
    pub(super) split: Option<String>,
    pub(super) time: Option<Time>,
}

/// The kind of an identifier.
#[derive(Debug)]
pub(super) enum KindOf {
    Is(Kind),
    Told(Box<Source>),
}

/// A mapping.
#[derive(Debug)]
pub struct Mapping {
    /// The file, as it is called in messages.
    pub(super) file: String,
    /// Its name without folder and ending.
    pub(super) name: String,
    pub(super) title: String,
    /// The file's text.
    pub(super) text: String,
    pub(super) format: Format,
    /// Files that it is for, by name.
    pub(super) globs: Vec<(String, Glob)>,
    /// Listeners that it is for, by name.
    pub(super) listeners: Vec<(String, Glob)>,
    pub(super) delimiter: u8,
    /// Names of CSV cells, where no header line gives them.
    pub(super) header: Option<Vec<String>>,
    pub(super) time: Time,
    pub(super) time_fields: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) skip: Vec<(When, String)>,
    pub(super) rows: Vec<Rows>,
    /// Every field that is named, with its line.
    pub(super) fields: Vec<(usize, String)>,
}
