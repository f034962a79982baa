//! A record becomes a row: the mapping's first matching entry says of which table, and what stands in its columns.
//!
//! What the conventions of a table make of a record needs no mapping: `protocol` is `record`, who asked is the row's source and
//! the element its destination, a switch that was put on is `enable`. Every way in which a record does not fit says the
//! mapping's line, so that whoever wrote it finds the place; a value is only repeated where the column holds no identifier.
use lidr_schema::{Key, Kind, TableId};
use serde_json::{Map, Value};

use super::{
    cell::{self, Cell, Hosts, Plain},
    fields::Fields,
    mapping::{Column, KindOf, Mapping, Source, When},
    time::Year,
};

/// Targets that a row lists.
const MOST_TARGETS: usize = 16;

/// Cells of a row in short form.
pub(crate) type Cells = Map<String, Value>;

/// What a record is.
#[derive(Debug)]
pub(super) enum Found<'m> {
    Row(TableId, Cells),
    /// Left out, and why.
    Skipped(&'m str),
}

/// Why a record does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Which column, or what of the format.
    pub(super) detail: &'static str,
    /// All of it, but for the record's own place.
    pub(super) message: String,
}

/// What rows are made with.
pub(super) struct Making<'a> {
    pub(super) key: &'a Key,
    pub(super) hosts: &'a Hosts,
    pub(super) year: Year,
    /// Names of hosts that have no address here.
    pub(super) unresolved: u64,
}

impl When {
    fn holds(&self, fields: &Fields<'_>) -> bool {
        self.0.iter().all(|(name, values)| {
            let text = fields.get(name).unwrap_or_default();
            values.iter().any(|v| v.is_match(text.trim()))
        })
    }
}

impl Mapping {
    /// When the record happened.
    pub(super) fn time_of(&self, fields: &Fields<'_>, year: &mut Year) -> Result<i64, Bad> {
        let Some(text) = self.time_fields.iter().find_map(|f| fields.get(f)) else {
            return Err(self.bad(
                "time",
                0,
                format!("no `{}`, which says when it happened", self.time_fields.join("` or `")),
            ));
        };
        let read = self.time.of_record(&text, year);
        read.map_err(|detail| {
            let hint = if detail == "time without a year" {
                ": add `year` to `time`, or put it into the file's name"
            } else {
                ""
            };
            self.bad(detail, 0, format!("{detail}, had `{}`{hint}", text.chars().take(64).collect::<String>()))
        })
    }

    /// What the record is.
    pub(super) fn row(&self, fields: &Fields<'_>, making: &mut Making<'_>) -> Result<Found<'_>, Bad> {
        if let Some((_, reason)) = self.skip.iter().find(|(when, _)| when.holds(fields)) {
            return Ok(Found::Skipped(reason));
        }
        let Some(rows) = self.rows.iter().find(|r| r.when.holds(fields)) else {
            return Ok(Found::Skipped("no entry of `rows`"));
        };
        let mut cells = Cells::new();
        for column in &rows.columns {
            self.column(rows.table, column, fields, making, &mut cells)?;
        }
        complete(rows.table, &mut cells);
        Ok(Found::Row(rows.table, cells))
    }

    fn column(
        &self,
        table: TableId,
        column: &Column,
        fields: &Fields<'_>,
        making: &mut Making<'_>,
        cells: &mut Cells,
    ) -> Result<(), Bad> {
        let mut unresolved = 0;
        for source in &column.sources {
            let Some(text) = self.text(column.name, source, fields)? else { continue };
            return match column.cell {
                Cell::Pseudonym => self.identifiers(column, source, &text, fields, making, cells),
                Cell::Time => {
                    let time = source.time.as_ref().unwrap_or(&self.time);
                    let micros = time.read(&text, &mut making.year.clone());
                    let micros = micros.map_err(|_| self.unfit(column.name, source, "a time of that format", &text))?;
                    cells.insert(column.name.to_owned(), micros.into());
                    Ok(())
                }
                _ if source.kind.is_some() => self.identifiers(column, source, &text, fields, making, cells),
                cell => {
                    match cell::plain(table.name(), column.name, cell, &text, making.hosts) {
                        Ok(Plain::Value(value)) => drop(cells.insert(column.name.to_owned(), value)),
                        // Another source may know the address.
                        Ok(Plain::Unresolved) => {
                            unresolved = 1;
                            continue;
                        }
                        Err(needed) => return Err(self.unfit(column.name, source, needed, &text)),
                    }
                    Ok(())
                }
            };
        }
        making.unresolved += unresolved;
        Ok(())
    }

    /// The text of a source, if it has one.
    fn text(&self, column: &'static str, source: &Source, fields: &Fields<'_>) -> Result<Option<String>, Bad> {
        let text = match &source.is {
            Some(constant) => Some(constant.clone()),
            None => fields.get(&source.field).map(|t| t.trim().to_owned()),
        };
        let text = match (&source.map, text) {
            (Some(map), Some(text)) => match map.get(&text.to_lowercase()).or(source.other.as_ref()) {
                Some(meant) => Some(meant.clone()),
                None => {
                    let message = format!("`{}` is not in the map of `{column}`", source.field);
                    let shown = if source.kind.is_some() {
                        String::new()
                    } else {
                        format!(": `{}`", text.chars().take(64).collect::<String>())
                    };
                    return Err(self.bad(column, source.line, message + &shown));
                }
            },
            (_, text) => text.or_else(|| source.other.clone()),
        };
        let text = match (&source.split, text) {
            (Some(between), Some(text)) => Some(
                text.split(between.as_str()).map(str::trim).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(";"),
            ),
            (_, text) => text,
        };
        Ok(text.filter(|t| !t.is_empty()))
    }

    fn identifiers(
        &self,
        column: &Column,
        source: &Source,
        text: &str,
        fields: &Fields<'_>,
        making: &Making<'_>,
        cells: &mut Cells,
    ) -> Result<(), Bad> {
        let kind = self.kind(column.name, source, fields)?;
        let parts: Vec<&str> = if source.split.is_some() { text.split(';').collect() } else { vec![text] };
        let all: Vec<_> = parts.iter().map(|part| cell::identifier(making.key, kind, part)).collect();
        let Some((kind, first, prefix)) = all.first() else { return Ok(()) };
        cells.insert(column.name.to_owned(), first.token().into());
        if column.name == "target" {
            cells.insert("target_kind".to_owned(), kind.prefix().into());
            cells.insert("targets".to_owned(), all.len().into());
            let list: Vec<String> = all.iter().take(MOST_TARGETS).map(|(_, p, _)| p.token()).collect();
            cells.insert("target_list".to_owned(), list.join(";").into());
            if let Some(length) = prefix {
                cells.insert("prefix_len".to_owned(), (*length).into());
            }
        }
        Ok(())
    }

    fn kind(&self, column: &'static str, source: &Source, fields: &Fields<'_>) -> Result<Kind, Bad> {
        match (&source.kind, cell::own_kind(column)) {
            (Some(KindOf::Is(kind)), _) => Ok(*kind),
            (Some(KindOf::Told(told)), _) => {
                let name = self.text(column, told, fields)?;
                let kind = name.as_deref().and_then(|n| Kind::named(&n.to_lowercase()));
                kind.ok_or_else(|| {
                    self.bad(column, told.line, format!("`{}` names no kind of identifier for `{column}`", told.field))
                })
            }
            (None, own) => Ok(own.unwrap_or(Kind::Other)),
        }
    }

    fn unfit(&self, column: &'static str, source: &Source, needed: &str, had: &str) -> Bad {
        let had: String = had.chars().take(64).collect();
        self.bad(column, source.line, format!("`{column}`: needed {needed}, had `{had}`"))
    }

    pub(super) fn bad(&self, detail: &'static str, line: usize, message: String) -> Bad {
        let place = if line > 0 { format!("{}:{line}", self.file) } else { self.file.clone() };
        Bad { detail, message: format!("{message} ({place})") }
    }
}

/// What the conventions of the table add.
fn complete(table: TableId, cells: &mut Cells) {
    let ends = match table {
        TableId::Tasking => {
            default(cells, "protocol", "record");
            default(cells, "outcome", "ok");
            cells.insert("schema_ok".to_owned(), true.into());
            let text = |name: &str, cells: &Cells| cells.get(name).and_then(Value::as_str).map(str::to_owned);
            if let Some(dids) = text("did", cells) {
                cells.insert("dids".to_owned(), dids.split(';').filter(|d| !d.trim().is_empty()).count().into());
            }
            match text("op", cells).as_deref() {
                Some("enable") => default(cells, "enable", true),
                Some("disable") => default(cells, "enable", false),
                _ => {}
            }
            [("src_ip", "actor"), ("dst_ip", "ne")]
        }
        TableId::Mgmt => {
            default(cells, "outcome", "none");
            [("src_ip", "actor"), ("dst_ip", "ne")]
        }
        TableId::Auth => {
            default(cells, "outcome", "unknown");
            default(cells, "confidence", "high");
            default(cells, "evidence", "record");
            [("src_ip", "rem_addr"), ("dst_ip", "nas")]
        }
        _ => return,
    };
    for (to, from) in ends {
        if let Some(address) = cells.get(from).cloned() {
            default(cells, to, address);
        }
    }
}

fn default(cells: &mut Cells, name: &str, value: impl Into<Value>) {
    cells.entry(name).or_insert_with(|| value.into());
}
