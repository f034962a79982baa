//! Rows that windows still need, and how a row proves a finding.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt8Array},
    compute::{cast, interleave_record_batch},
    datatypes::{DataType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
    error::ArrowError,
};
use lidr_schema::{
    Ends, Ip, RowKey, TableId,
    community::community_id,
    finding::{Connection, Endpoint, Evidence, protocol_name},
};
use serde_json::{Map, json};

use crate::{BrokerOrigin, Site, plan::event_schema, udf::ip_at};

/// Rows below this bit are the row's place in its table, bits above say which table.
const TABLE_SHIFT: u32 = 40;
/// Windows whose rows are kept for the next rule of the same shape.
const CACHED: usize = 8;

#[derive(Clone, Debug)]
struct Held {
    batch: RecordBatch,
    least: i64,
    most: i64,
    origin: Option<Arc<BrokerOrigin>>,
}

/// Rows of one table in some span of time, in row order, with `rowid`.
#[derive(Debug)]
pub(crate) struct Slice {
    /// The rows.
    pub(crate) batch: RecordBatch,
    origins: Vec<Option<Arc<BrokerOrigin>>>,
    from: Vec<u32>,
}

/// Rows of all tables.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    tables: BTreeMap<TableId, Vec<Held>>,
    cache: HashMap<(TableId, i64, i64), Arc<Slice>>,
    held: u64,
    /// Most rows held at once.
    pub(crate) peak: u64,
}

fn micros(batch: &RecordBatch, name: &str) -> Option<Vec<i64>> {
    batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>().map(|c| c.values().to_vec())
}

impl Rows {
    /// Takes rows; gives the least and the greatest `due` among them.
    pub(crate) fn push(&mut self, table: TableId, batch: RecordBatch, origin: Option<Arc<BrokerOrigin>>) -> Option<(i64, i64)> {
        let due = micros(&batch, "due")?;
        let (least, most) = (due.iter().copied().min()?, due.iter().copied().max()?);
        self.held += batch.num_rows() as u64;
        self.peak = self.peak.max(self.held);
        self.tables.entry(table).or_default().push(Held { batch, least, most, origin });
        Some((least, most))
    }

    /// Forgets what is due before that time.
    pub(crate) fn forget(&mut self, before: i64) {
        for held in self.tables.values_mut() {
            held.retain(|h| h.most >= before);
        }
        self.held = self.tables.values().flatten().map(|h| h.batch.num_rows() as u64).sum();
        self.cache.clear();
    }

    /// Whether a table has rows due in [from, to).
    pub(crate) fn any(&self, table: TableId, from: i64, to: i64) -> bool {
        self.tables.get(&table).into_iter().flatten().any(|h| {
            let inside = |d: &i64| (from..to).contains(d);
            h.least < to && h.most >= from && (inside(&h.least) || inside(&h.most) || micros(&h.batch, "due").is_some_and(|d| d.iter().any(inside)))
        })
    }

    /// The rows of a table due in [from, to).
    pub(crate) fn slice(&mut self, table: TableId, from: i64, to: i64) -> Result<Arc<Slice>, ArrowError> {
        if let Some(known) = self.cache.get(&(table, from, to)) {
            return Ok(Arc::clone(known));
        }
        let none = Vec::new();
        let held: Vec<&Held> =
            self.tables.get(&table).unwrap_or(&none).iter().filter(|h| h.least < to && h.most >= from).collect();
        let slice = Arc::new(Slice::gather(table, &held, from, to)?);
        if self.cache.len() >= CACHED {
            self.cache.clear();
        }
        self.cache.insert((table, from, to), Arc::clone(&slice));
        Ok(slice)
    }
}

/// The key of every row of a batch.
fn keys(batch: &RecordBatch) -> Option<Vec<RowKey>> {
    let text = |name: &str| cast(batch.column_by_name(name)?, &DataType::Utf8).ok();
    let (due, ts) = (micros(batch, "due")?, micros(batch, "ts")?);
    let (sensor, capture) = (text("sensor")?, text("capture")?);
    let (sensor, capture) = (sensor.as_string_opt::<i32>()?, capture.as_string_opt::<i32>()?);
    let frame = batch.column_by_name("frame")?.as_primitive_opt::<UInt64Type>()?;
    let n = batch.column_by_name("n")?.as_primitive_opt::<UInt32Type>()?;
    let key = |i: usize| {
        Some(RowKey {
            due: *due.get(i)?,
            ts: *ts.get(i)?,
            sensor: sensor.value(i).to_owned(),
            capture: capture.value(i).to_owned(),
            frame: frame.value(i),
            n: n.value(i),
        })
    };
    (0..batch.num_rows()).map(key).collect()
}

impl Slice {
    fn gather(table: TableId, held: &[&Held], from: i64, to: i64) -> Result<Self, ArrowError> {
        let mut places = Vec::new();
        for (number, h) in held.iter().enumerate() {
            let keys = keys(&h.batch).ok_or_else(|| ArrowError::SchemaError(format!("rows of {} without their common columns", table.name())))?;
            places.extend(keys.into_iter().enumerate().filter(|(_, k)| (from..to).contains(&k.due)).map(|(row, k)| (k, number, row)));
        }
        places.sort();
        let batches: Vec<&RecordBatch> = held.iter().map(|h| &h.batch).collect();
        let indices: Vec<(usize, usize)> = places.iter().map(|(_, number, row)| (*number, *row)).collect();
        let rows = match batches.is_empty() {
            true => RecordBatch::new_empty(table.def().schema()),
            false => interleave_record_batch(&batches, &indices)?,
        };
        let first = (table as i64) << TABLE_SHIFT;
        let rowid: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows.num_rows() as i64).map(|i| first + i)));
        let columns = rows.columns().iter().cloned().chain([rowid]).collect();
        let batch = RecordBatch::try_new(event_schema(table), columns)?;
        let from = places.iter().map(|(_, number, _)| u32::try_from(*number).unwrap_or(u32::MAX)).collect();
        Ok(Self { batch, origins: held.iter().map(|h| h.origin.clone()).collect(), from })
    }
}

/// The table and the row that a `rowid` names.
pub(crate) fn place(rowid: i64) -> Option<(TableId, usize)> {
    let table = usize::try_from(rowid >> TABLE_SHIFT).ok()?;
    let row = usize::try_from(rowid & ((1 << TABLE_SHIFT) - 1)).ok()?;
    Some((*lidr_schema::table::ALL.get(table)?, row))
}

/// A row as it stands in a finding.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// Its place.
    pub(crate) key: RowKey,
    /// What is written.
    pub(crate) evidence: Evidence,
    /// Whether the protocol was read and not guessed.
    pub(crate) clear: bool,
}

impl Slice {
    /// The proof in one row.
    pub(crate) fn proof(&self, row: usize, site: &Site) -> Option<Proof> {
        let one = self.batch.slice(row, 1);
        let key = keys(&one)?.pop()?;
        let address = |name: &str| ip_at(one.column_by_name(name)?.as_fixed_size_binary_opt()?, 0);
        let port = |name: &str| Some(one.column_by_name(name)?.as_primitive_opt::<UInt16Type>()?.value(0));
        let proto: Option<&UInt8Array> = one.column_by_name("proto").and_then(|c| c.as_primitive_opt::<UInt8Type>());
        let ends = Ends {
            src_ip: address("src_ip")?,
            dst_ip: address("dst_ip")?,
            src_port: port("src_port")?,
            dst_port: port("dst_port")?,
            proto: proto?.value(0),
        };
        let text = |name: &str| -> Option<String> {
            let column: ArrayRef = cast(one.column_by_name(name)?, &DataType::Utf8).ok()?;
            let column: &StringArray = column.as_string_opt::<i32>()?;
            column.is_valid(0).then(|| column.value(0).to_owned())
        };
        let mut data = Map::new();
        match text("file") {
            Some(file) => {
                data.insert("file".into(), json!(file));
                data.insert("line".into(), json!(key.frame));
            }
            None => {
                data.insert("capture".into(), json!(key.capture));
                data.insert("frame".into(), json!(key.frame));
            }
        }
        let origin = self.from.get(row).and_then(|i| self.origins.get(*i as usize)).and_then(Option::as_ref);
        if let Some(origin) = origin {
            data.insert("topic".into(), json!(origin.topic));
            data.insert("partition".into(), json!(origin.partition));
            data.insert("offset".into(), json!(origin.first_offset));
        }
        let evidence = Evidence {
            src_endpoint: Some(endpoint(ends.src_ip, ends.src_port, ends.proto, site)),
            dst_endpoint: Some(endpoint(ends.dst_ip, ends.dst_port, ends.proto, site)),
            connection_info: Some(Connection {
                protocol_name: protocol_name(ends.proto),
                direction_id: 0,
                community_uid: community_id(&ends),
            }),
            data,
        };
        Some(Proof { key, evidence, clear: text("trust").is_none_or(|t| t == "clear") })
    }
}

fn endpoint(ip: Ip, port: u16, proto: u8, site: &Site) -> Endpoint {
    Endpoint {
        ip: ip.to_string(),
        port: matches!(proto, 6 | 17 | 132).then_some(port),
        zone: site.zones().of(ip).map(|z| z.name.clone()),
        hostname: site.name_of(ip).map(str::to_owned),
    }
}
