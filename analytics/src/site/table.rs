//! Lines of a site file to the tables that SQL sees.
use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, FixedSizeBinaryBuilder, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use lidr_rules::site::{ColumnKind, Item, PseudoKind, SiteColumn, SiteTable, SqlTable, SqlType};
use lidr_schema::{
    Cidr, Ip, Key, Kind, dynamic, hex,
    selector::{Form, Normal, needed, normal},
};
use sha2::{Digest, Sha256};

use super::odd::Odd;
use crate::time::parse_rfc3339;

/// A line of a file. It may hold raw selectors, so nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    /// Names of the columns, shared by all lines of a file.
    pub(super) names: Arc<[String]>,
    pub(super) cells: Vec<String>,
    /// It only names the columns.
    pub(super) header: bool,
}

/// What is doubtful in a file and no reason to refuse it: line and sentence.
pub(super) type Doubt = (usize, String);

/// A cell as SQL sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Null,
    Text(String),
    Sixteen([u8; 16]),
    Time(i64),
    Int(i64),
    Bool(bool),
}

/// Where and why a line does not fit.
pub(super) type Misfit = (usize, String);

type Rows = Vec<Vec<Cell>>;

/// The Arrow schema of a table that SQL sees.
pub(crate) fn schema_of(table: &SqlTable) -> SchemaRef {
    let field = |c: &lidr_rules::site::SqlColumn| Field::new(&c.name, data_type(c.sql), true);
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

fn data_type(sql: SqlType) -> DataType {
    match sql {
        SqlType::Text => DataType::Utf8,
        SqlType::Sixteen => DataType::FixedSizeBinary(16),
        SqlType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::Int => DataType::Int64,
        SqlType::Bool => DataType::Boolean,
    }
}

/// The table and those of its columns of several values, and what is doubtful in them.
///
/// Lines are let go of one by one: a register of 100,000 orders must not be in memory twice.
pub(super) fn build(
    table: &SiteTable,
    lines: Vec<Line>,
    key: &Key,
) -> Result<(BTreeMap<String, RecordBatch>, Vec<Doubt>), Misfit> {
    let mut rows: BTreeMap<String, Rows> = BTreeMap::new();
    let (mut places, mut odd, mut doubts) = (Places::default(), Odd::default(), Vec::new());
    for line in lines {
        places.of(table, &line)?;
        if !line.header {
            one(table, &line, &places, key, &mut rows, &mut doubts)?;
            odd.look(table, line.number, &|column| places.cell(table, &line, column), &mut doubts);
        }
    }
    let batches = table.sql().into_iter().map(|sql| {
        let batch = batch(&sql, &rows.remove(&sql.name).unwrap_or_default()).map_err(|m| (0, m))?;
        Ok((sql.name, batch))
    });
    Ok((batches.collect::<Result<_, Misfit>>()?, doubts))
}

/// Where the table's columns stand in a line: looked up once a file, not once a line.
#[derive(Default)]
struct Places {
    names: Option<Arc<[String]>>,
    at: Vec<Option<usize>>,
    kind: Option<usize>,
}

/// Whether a table has a column that nobody may see.
pub(super) fn holds_identifiers(table: &SiteTable) -> bool {
    table.columns.iter().any(|c| matches!(c.kind, ColumnKind::Pseudo(_)))
}

impl Places {
    fn of(&mut self, table: &SiteTable, line: &Line) -> Result<(), Misfit> {
        if self.names.as_ref().is_some_and(|names| Arc::ptr_eq(names, &line.names)) {
            return Ok(());
        }
        if let Some(misfit) = unknown(table, line).next() {
            return Err(misfit);
        }
        self.find(table, line);
        Ok(())
    }

    /// What stands in a column of a line.
    fn cell<'a>(&self, table: &SiteTable, line: &'a Line, column: &str) -> &'a str {
        let at = table.columns.iter().position(|c| c.name == column).and_then(|i| *self.at.get(i)?);
        at.and_then(|at| line.cells.get(at)).map_or("", |cell| cell.trim())
    }

    fn find(&mut self, table: &SiteTable, line: &Line) {
        let place = |column: &str| line.names.iter().position(|name| name == column);
        self.at = table.columns.iter().map(|c| place(c.name)).collect();
        self.kind = place("kind");
        self.names = Some(Arc::clone(&line.names));
    }
}

/// Columns of a file that its table has not.
fn unknown<'a>(table: &'a SiteTable, line: &'a Line) -> impl Iterator<Item = Misfit> + 'a {
    line.names.iter().filter(|name| !table.columns.iter().any(|c| c.name == **name)).map(|name| {
        // A register without its first line would show an order as the name of a column.
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if holds_identifiers(table) && !is_name {
            let why = "its first line names no columns (what stands there is not shown)";
            return (line.number, format!("table `{}`: {why}", table.name));
        }
        let near = dynamic::nearest(name, table.columns.iter().map(|c| c.name));
        (line.number, format!("table `{}` has no column `{name}`{}", table.name, dynamic::hint(&near)))
    })
}

/// Everything that does not fit or is doubtful in the lines of a table, and how many lines there are.
pub(super) fn check(table: &SiteTable, lines: &[Line], key: &Key) -> (usize, Vec<Misfit>, Vec<Doubt>) {
    let (mut places, mut odd) = (Places::default(), Odd::default());
    let (mut wrong, mut doubts) = (Vec::new(), Vec::new());
    for line in lines {
        if !places.names.as_ref().is_some_and(|names| Arc::ptr_eq(names, &line.names)) {
            wrong.extend(unknown(table, line));
            wrong.dedup();
            places.find(table, line);
        }
        if line.header {
            continue;
        }
        wrong.extend(one(table, line, &places, key, &mut BTreeMap::new(), &mut doubts).err());
        odd.look(table, line.number, &|column| places.cell(table, line, column), &mut doubts);
    }
    (lines.iter().filter(|line| !line.header).count(), wrong, doubts)
}

fn one(
    table: &SiteTable,
    line: &Line,
    places: &Places,
    key: &Key,
    rows: &mut BTreeMap<String, Rows>,
    doubts: &mut Vec<Doubt>,
) -> Result<(), Misfit> {
    let text = |at: Option<usize>| at.and_then(|at| line.cells.get(at)).map_or("", |cell| cell.trim());
    let columns = || table.columns.iter().zip(&places.at).map(|(column, at)| (column, text(*at)));
    let misfit = |column: &SiteColumn, value: &str, needed: &str| {
        // What may be an identifier is not shown, not even to say that it is none; columns may have changed places.
        let had = if holds_identifiers(table) { "a value that is not shown".to_owned() } else { format!("`{value}`") };
        (line.number, format!("column `{}`: needed {needed}, had {had}", column.name))
    };
    let mut own: Rows = vec![Vec::new()];
    for (column, value) in columns() {
        match column.kind {
            ColumnKind::List(_) => {}
            ColumnKind::Ports => {
                let ranges = ports(value).ok_or_else(|| misfit(column, value, "ports as 22;80;8000-8100"))?;
                own = own
                    .iter()
                    .flat_map(|row| {
                        ranges.iter().map(move |r| [row.clone(), vec![Cell::Int(r.0), Cell::Int(r.1)]].concat())
                    })
                    .collect();
            }
            ColumnKind::Pseudo(what) if !value.is_empty() => {
                let selector =
                    selector(what, value, text(places.kind)).map_err(|needed| misfit(column, value, needed))?;
                doubts.extend(doubt(&selector).map(|why| (line.number, format!("column `{}`: {why}", column.name))));
                own.iter_mut().for_each(|row| row.push(Cell::Sixteen(key.hashed(&selector).octets())));
            }
            kind => {
                let mut cells = cells(kind, value).map_err(|needed| misfit(column, value, needed))?;
                if kind == ColumnKind::Chain {
                    cells.push(Cell::Text(line_hash(line)));
                }
                own.iter_mut().for_each(|row| row.extend(cells.iter().cloned()));
            }
        }
    }
    let first = own.first().and_then(|r| r.first()).cloned().unwrap_or(Cell::Null);
    rows.entry(table.name.to_owned()).or_default().extend(own);
    for (column, value) in columns() {
        let ColumnKind::List(item) = column.kind else { continue };
        let list = rows.entry(format!("{}_{}", table.name, column.name)).or_default();
        for value in value.split(';').map(str::trim).filter(|v| !v.is_empty()) {
            let cells = item_cells(item, value).map_err(|needed| misfit(column, value, needed))?;
            list.push(std::iter::once(first.clone()).chain(cells).collect());
        }
    }
    Ok(())
}

/// What the next line's `prev_hash` must say: `printf %s LINE | sha256sum` where no cell is quoted.
fn line_hash(line: &Line) -> String {
    let cells: Vec<&str> = line.cells.iter().map(|cell| cell.trim()).collect();
    hex::encode(&Sha256::digest(cells.join(",")))
}

/// The cells of one value; what was needed where it does not fit.
fn cells(kind: ColumnKind, value: &str) -> Result<Vec<Cell>, &'static str> {
    let empty = value.is_empty();
    Ok(match kind {
        ColumnKind::Text | ColumnKind::Chain => vec![if empty { Cell::Null } else { Cell::Text(value.to_owned()) }],
        ColumnKind::Address if empty => vec![Cell::Null],
        ColumnKind::Address => vec![address(value)?],
        ColumnKind::Cidr if empty => vec![Cell::Null; 3],
        ColumnKind::Cidr => range(value)?,
        ColumnKind::Time if empty => vec![Cell::Null],
        ColumnKind::Time => {
            vec![Cell::Time(parse_rfc3339(value).ok_or("an RFC 3339 time, for instance 2026-11-24T03:12:00Z")?)]
        }
        ColumnKind::Int if empty => vec![Cell::Null],
        ColumnKind::Int => vec![Cell::Int(value.parse().map_err(|_| "a whole number")?)],
        ColumnKind::Bool => vec![Cell::Bool(truth(value)?)],
        ColumnKind::Protocol => vec![if empty { Cell::Null } else { Cell::Text(value.to_owned()) }, protocol(value)?],
        ColumnKind::Pseudo(_) => vec![Cell::Null],
        ColumnKind::Ports | ColumnKind::List(_) => Vec::new(),
    })
}

/// An identifier in its one spelling.
pub(super) fn selector(what: PseudoKind, value: &str, row_kind: &str) -> Result<Normal, &'static str> {
    let kind = match what {
        PseudoKind::Fixed(kind) => kind,
        PseudoKind::Order => Kind::Order,
        PseudoKind::Target => Kind::named(row_kind)
            .ok_or("a column `kind` of e164, imsi, imei, nai, sip, tel, ipv4, ipv6, prefix or circuit beside it")?,
    };
    // Cases of rules may name the kind themselves, as rows do.
    let text = value.split_once(':').filter(|(k, _)| Kind::named(k) == Some(kind)).map_or(value, |(_, rest)| rest);
    Ok(normal(kind, text))
}

/// What is to be said of a selector that meets less than its clerk may think.
fn doubt(selector: &Normal) -> Option<String> {
    match selector.form {
        Form::Good => None,
        Form::National => {
            Some("a number without its country code meets only numbers that are written without one".to_owned())
        }
        Form::Odd => Some(format!(
            "no {}: needed {}, is compared as it is written",
            selector.kind.prefix(),
            needed(selector.kind)
        )),
    }
}

fn item_cells(item: Item, value: &str) -> Result<Vec<Cell>, &'static str> {
    Ok(match item {
        Item::Text => vec![Cell::Text(value.to_owned())],
        Item::Address => vec![address(value)?],
        Item::Cidr => range(value)?,
        Item::Manager => {
            let (host, user) = value.split_once('/').map_or((value, None), |(h, u)| (h, Some(u)));
            vec![address(host)?, user.map_or(Cell::Null, |u| Cell::Text(u.to_owned()))]
        }
    })
}

fn address(value: &str) -> Result<Cell, &'static str> {
    value.parse::<Ip>().map(|ip| Cell::Sixteen(ip.octets())).map_err(|_| "an address")
}

fn range(value: &str) -> Result<Vec<Cell>, &'static str> {
    let range: Cidr = value.parse().map_err(|_| "an address or a range, for instance 10.0.0.0/8")?;
    Ok(vec![Cell::Text(value.to_owned()), Cell::Sixteen(range.first().octets()), Cell::Sixteen(range.last().octets())])
}

fn truth(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" | "" => Ok(false),
        _ => Err("true or false"),
    }
}

fn protocol(value: &str) -> Result<Cell, &'static str> {
    Ok(match value.to_ascii_lowercase().as_str() {
        "" | "any" => Cell::Null,
        "icmp" => Cell::Int(1),
        "tcp" => Cell::Int(6),
        "udp" => Cell::Int(17),
        "gre" => Cell::Int(47),
        "esp" => Cell::Int(50),
        "icmpv6" => Cell::Int(58),
        "sctp" => Cell::Int(132),
        number => Cell::Int(number.parse::<u8>().map(i64::from).map_err(|_| "a protocol's name or number, or any")?),
    })
}

/// Ranges of ports; empty means any.
fn ports(value: &str) -> Option<Vec<(i64, i64)>> {
    if value.is_empty() || value == "any" {
        return Some(vec![(0, 65_535)]);
    }
    let port = |t: &str| t.trim().parse::<u16>().ok().map(i64::from);
    let range = |part: &str| match part.split_once('-') {
        Some((a, b)) => Some((port(a)?, port(b)?)),
        None => port(part).map(|p| (p, p)),
    };
    value.split(';').map(range).collect()
}

fn batch(table: &SqlTable, rows: &Rows) -> Result<RecordBatch, String> {
    let columns = table.columns.iter().enumerate().map(|(i, column)| {
        let cells = rows.iter().map(move |row| row.get(i).unwrap_or(&Cell::Null));
        array(column.sql, cells).map_err(|e| e.to_string())
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema_of(table), columns, &options).map_err(|e| e.to_string())
}

fn array<'a>(sql: SqlType, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef, arrow::error::ArrowError> {
    macro_rules! collect {
        ($array:ty, $cell:pat => $value:expr) => {
            Arc::new(cells.map(|c| if let $cell = c { Some($value) } else { None }).collect::<$array>())
        };
    }
    Ok(match sql {
        SqlType::Text => collect!(StringArray, Cell::Text(text) => text.as_str()),
        SqlType::Int => collect!(Int64Array, Cell::Int(n) => *n),
        SqlType::Bool => collect!(BooleanArray, Cell::Bool(b) => *b),
        SqlType::Time => {
            let times: TimestampMicrosecondArray =
                cells.map(|c| if let Cell::Time(t) = c { Some(*t) } else { None }).collect();
            Arc::new(times.with_timezone("UTC"))
        }
        SqlType::Sixteen => {
            let mut out = FixedSizeBinaryBuilder::new(16);
            for cell in cells {
                match cell {
                    Cell::Sixteen(octets) => out.append_value(octets)?,
                    _ => out.append_null(),
                }
            }
            Arc::new(out.finish())
        }
    })
}
