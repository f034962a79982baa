//! One rule on the rows of one window: a pure function of rule, rows, memory and site.
use std::{collections::BTreeMap, fmt};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use lidr_rules::Rule;
use lidr_schema::{
    finding::{Resource, Severity},
    hex,
};

use crate::{
    Site,
    fold::Hit,
    message,
    proof::{Proof, proof},
    rows::{Origin, named},
    udf::ip_at,
};

/// Rows of one result and one table that are looked up as proof; a finding shows no more of them.
const MOST_PROOFS: usize = 20;

/// Finds the row that a `rowid` names.
pub(crate) struct Seen<'a>(pub(crate) &'a dyn Fn(i64) -> Option<(RecordBatch, Origin)>);

impl fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen")
    }
}

/// Where results belong in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Results with `at` in [start, end) are kept.
    pub(crate) window: Option<(i64, i64)>,
    /// When the results could be known.
    pub(crate) made: Option<i64>,
    /// The early run.
    pub(crate) pending: bool,
}

/// What a rule's results mean.
pub(crate) fn hits(
    rule: &Rule,
    site: &Site,
    batches: &[RecordBatch],
    seen: &Seen<'_>,
    moment: Moment,
) -> Result<Vec<Hit>, String> {
    let mut out = Vec::new();
    for batch in batches {
        let columns = Columns::new(batch)?;
        let at = times(rule, batch)?;
        for (row, at) in at.into_iter().enumerate() {
            let Some(at) = at else { return Err("a result without `at`: it is null".to_owned()) };
            if moment.window.is_some_and(|(start, end)| at < start || at >= end) {
                continue;
            }
            out.push(one(rule, site, &columns, row, at, seen, moment)?);
        }
    }
    Ok(out)
}

fn times(rule: &Rule, batch: &RecordBatch) -> Result<Vec<Option<i64>>, String> {
    let name = if matches!(rule.body, lidr_rules::Body::Detection { .. }) { "due" } else { "at" };
    let column = batch.column_by_name(name).ok_or_else(|| format!("the query does not return `{name}`"))?;
    let micros =
        cast(column, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).map_err(|e| e.to_string())?;
    let micros = micros.as_primitive_opt::<TimestampMicrosecondType>().ok_or("`at` is no time")?;
    Ok(micros.iter().collect())
}

fn one(
    rule: &Rule,
    site: &Site,
    columns: &Columns<'_>,
    row: usize,
    at: i64,
    seen: &Seen<'_>,
    moment: Moment,
) -> Result<Hit, String> {
    let entity = rule.entity.iter().map(|e| {
        let name = columns
            .entity(&e.col, &e.kind, row)
            .ok_or_else(|| format!("the query does not return the entity `{}`", e.col))?;
        Ok(Resource { kind: e.kind.clone(), name })
    });
    let severity = match (&rule.pending, moment.pending) {
        (Some(level), true) => *level,
        _ => severity(rule, columns, row)?,
    };
    let by = columns.names().filter_map(|name| Some((name.to_owned(), columns.text(name, row)?))).collect();
    Ok(Hit {
        at,
        made: moment.made.unwrap_or(at),
        severity,
        entity: entity.collect::<Result<_, String>>()?,
        message: message::fill(&rule.message, site, columns, row),
        by,
        proofs: proofs(columns, row, seen, site),
        window: moment.window,
        pending: moment.pending,
        site_hash: site.hash().to_owned(),
    })
}

fn severity(rule: &Rule, columns: &Columns<'_>, row: usize) -> Result<Severity, String> {
    let Some(column) = &rule.severity_by else { return Ok(rule.level) };
    let text = columns.text(column, row).unwrap_or_default();
    Severity::named(&text).ok_or_else(|| format!("`{column}` names no level: had `{text}`"))
}

/// The rows that `rowid` columns name, the first ones of each table in row order; the finding puts tables together.
fn proofs(columns: &Columns<'_>, row: usize, seen: &Seen<'_>, site: &Site) -> Vec<Proof> {
    let mut ids = columns.rowids(row);
    ids.sort_unstable();
    ids.dedup();
    let mut taken = BTreeMap::new();
    ids.retain(|id| {
        let n = taken.entry(named(*id).map(|(table, _)| table)).or_insert(0_usize);
        *n += 1;
        *n <= MOST_PROOFS
    });
    let found = ids.into_iter().filter_map(|id| (seen.0)(id));
    found.filter_map(|(row, origin)| proof(&row, &origin, site)).collect()
}

/// The columns of a result.
pub(crate) struct Columns<'a> {
    batch: &'a RecordBatch,
    text: BTreeMap<&'a str, ArrayRef>,
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, String> {
        let mut text = BTreeMap::new();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let plain = match column.data_type() {
                DataType::FixedSizeBinary(_) | DataType::List(_) => continue,
                DataType::Timestamp(..) => {
                    let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
                    let micros = micros.map_err(|e| e.to_string())?;
                    let times = micros.as_primitive_opt::<TimestampMicrosecondType>().ok_or("a time that is none")?;
                    let text = times.iter().map(|t| t.map(crate::time::seconds_text));
                    std::sync::Arc::new(text.collect::<arrow::array::StringArray>()) as ArrayRef
                }
                _ => cast(column, &DataType::Utf8).map_err(|e| e.to_string())?,
            };
            // Arrow's schema lives as long as the batch.
            text.insert(field.name().as_str(), plain);
        }
        Ok(Self { batch, text })
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.batch.schema_ref().fields().iter().map(|f| f.name().as_str()).filter(|n| !n.starts_with("rowid"))
    }

    /// A cell as text: an address as address, a pseudonym as hex, a time to the second.
    pub(crate) fn text(&self, name: &str, row: usize) -> Option<String> {
        if let Some(ip) = self.address(name, row) {
            let octets = ip.octets();
            return Some(if is_pseudonym(name) { hex::encode(&octets) } else { ip.to_string() });
        }
        let column = self.text.get(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    /// A cell of 16 octets.
    pub(crate) fn address(&self, name: &str, row: usize) -> Option<lidr_schema::Ip> {
        ip_at(self.batch.column_by_name(name)?.as_fixed_size_binary_opt()?, row)
    }

    fn entity(&self, name: &str, kind: &str, row: usize) -> Option<String> {
        self.batch.column_by_name(name)?;
        let pseudonym = matches!(kind, "task" | "credential") || is_pseudonym(name);
        match self.address(name, row) {
            Some(ip) if pseudonym => Some(hex::encode(&ip.octets())),
            Some(ip) => Some(ip.to_string()),
            None => Some(self.text(name, row).unwrap_or_else(|| "unknown".to_owned())),
        }
    }

    fn rowids(&self, row: usize) -> Vec<i64> {
        let mut out = Vec::new();
        for (field, column) in self.batch.schema_ref().fields().iter().zip(self.batch.columns()) {
            if !field.name().starts_with("rowid") {
                continue;
            }
            if let Some(ids) = column.as_primitive_opt::<Int64Type>() {
                out.extend(ids.is_valid(row).then(|| ids.value(row)));
            } else if let Some(lists) = column.as_list_opt::<i32>().filter(|l| l.is_valid(row)) {
                let list = lists.value(row);
                out.extend(
                    list.as_primitive_opt::<Int64Type>()
                        .into_iter()
                        .flat_map(|l| l.iter().flatten().collect::<Vec<_>>()),
                );
            }
        }
        out
    }
}

/// Columns of 16 octets that are no addresses.
pub(crate) fn is_pseudonym(name: &str) -> bool {
    let kinds = [
        "task",
        "liid",
        "target",
        "xid",
        "cccid",
        "order_id",
        "imsi",
        "msisdn",
        "imei",
        "content_id",
        "nai",
        "session",
        "subscriber",
    ];
    kinds.iter().any(|kind| name == *kind || name.strip_suffix(kind).is_some_and(|rest| rest.ends_with('_')))
}
