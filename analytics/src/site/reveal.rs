//! The way back from a pseudonym, for who holds the key and the register: every identifier of the files is hashed and compared.
//!
//! There is no table of clear text anywhere: the files are read line by line, and only what was asked for is kept.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
};

use arrow::{
    array::{AsArray, RecordBatch},
    compute::cast,
    datatypes::DataType,
};
use lidr_rules::site::{ColumnKind, PseudoKind, SiteTable};
use lidr_schema::Key;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{error, files, table::selector, table_of};
use crate::SiteError;

/// The clear text of pseudonyms, by token, as far as the register in that folder has it.
///
/// # Errors
/// If a file cannot be read.
pub fn reveal(dir: &Path, key: &Key, wanted: &BTreeSet<String>) -> Result<BTreeMap<String, String>, SiteError> {
    if super::kept::is_kept(dir) {
        return Err(error(dir, None, "a kept copy holds nothing in clear: needed the site folder itself".to_owned()));
    }
    let mut search = Search { key, wanted, found: BTreeMap::new() };
    for path in files(dir)? {
        let Some(table) = table_of(&path)?.and_then(|name| SiteTable::named(&name)) else { continue };
        if !table.columns.iter().any(|c| matches!(c.kind, ColumnKind::Pseudo(_))) {
            continue;
        }
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => search.csv(table, &path)?,
            _ => search.parquet(table, &path)?,
        }
    }
    for (name, (_, lines)) in super::of_database(dir)? {
        let Some(table) = SiteTable::named(&name) else { continue };
        for line in &lines {
            search
                .line(table, |name| line.names.iter().position(|n| n == name).and_then(|i| line.cells.get(i)).cloned());
        }
    }
    Ok(search.found)
}

struct Search<'a> {
    key: &'a Key,
    wanted: &'a BTreeSet<String>,
    found: BTreeMap<String, String>,
}

impl Search<'_> {
    fn csv(&mut self, table: &SiteTable, path: &Path) -> Result<(), SiteError> {
        let bad = |e: csv::Error| {
            error(path, e.position().map(|p| usize::try_from(p.line()).unwrap_or_default()), e.to_string())
        };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(bad)?;
        let header = reader.headers().map_err(bad)?.clone();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(bad)? {
            self.line(table, |name| {
                header.iter().position(|h| h == name).and_then(|i| record.get(i)).map(str::to_owned)
            });
        }
        Ok(())
    }

    fn parquet(&mut self, table: &SiteTable, path: &Path) -> Result<(), SiteError> {
        let bad = |message: String| error(path, None, message);
        let file = File::open(path).map_err(|e| bad(e.to_string()))?;
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build()).map_err(|e| bad(e.to_string()))?;
        for batch in reader {
            let batch = batch.map_err(|e| bad(e.to_string()))?;
            for row in 0..batch.num_rows() {
                self.line(table, |name| cell(&batch, name, row));
            }
        }
        Ok(())
    }

    fn line(&mut self, table: &SiteTable, cell: impl Fn(&str) -> Option<String>) {
        let kind = cell("kind").unwrap_or_default();
        for column in table.columns {
            let ColumnKind::Pseudo(what) = column.kind else { continue };
            let Some(text) = cell(column.name).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()) else { continue };
            // A kind that does not exist was refused when the register was loaded.
            let Ok(selector) = selector(what, &text, &kind) else { continue };
            let token = self.key.hashed(&selector).token();
            if self.wanted.contains(&token) {
                self.found.insert(token, format!("{}:{text}", name_of(what, &kind)));
            }
        }
    }
}

fn name_of(what: PseudoKind, row_kind: &str) -> &str {
    match what {
        PseudoKind::Fixed(kind) => kind.prefix(),
        PseudoKind::Order => "order",
        PseudoKind::Target => row_kind,
    }
}

fn cell(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?.slice(row, 1);
    let text = cast(&column, &DataType::Utf8).ok()?;
    let text = text.as_string_opt::<i32>()?;
    text.iter().next().flatten().map(str::to_owned)
}
