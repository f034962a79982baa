//! How a row proves a finding: its ends, its conversation, the packets or the line of a record file it was read from.
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use lidr_schema::{
    Ends, Ip, RowKey,
    community::community_id,
    finding::{Connection, Endpoint, Evidence, protocol_name},
};
use serde_json::{Map, Value, json};

use crate::{Site, rows::Origin, udf::ip_at};

/// A row as it stands in a finding.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// Its place.
    pub(crate) key: RowKey,
    /// What is written.
    pub(crate) evidence: Evidence,
    /// Whether the protocol was read and not guessed.
    pub(crate) clear: bool,
    /// It came behind the watermark.
    pub(crate) late: bool,
}

/// The proof in a batch of one row.
pub(crate) fn proof(row: &RecordBatch, origin: &Origin, site: &Site) -> Option<Proof> {
    let address = |name: &str| ip_at(row.column_by_name(name)?.as_fixed_size_binary_opt()?, 0);
    let port = |name: &str| Some(row.column_by_name(name)?.as_primitive_opt::<UInt16Type>()?.value(0));
    let ends = Ends {
        src_ip: address("src_ip")?,
        dst_ip: address("dst_ip")?,
        src_port: port("src_port")?,
        dst_port: port("dst_port")?,
        proto: row.column_by_name("proto")?.as_primitive_opt::<UInt8Type>()?.value(0),
    };
    let key = key(row)?;
    // A record was no conversation, and does not always say both ends.
    let is_record = text(row, "file").is_some();
    let end = |ip: Ip, port| (!is_record || ip != Ip::default()).then(|| endpoint(ip, port, ends.proto, site));
    let evidence = Evidence {
        src_endpoint: end(ends.src_ip, ends.src_port),
        dst_endpoint: end(ends.dst_ip, ends.dst_port),
        connection_info: (!is_record).then(|| Connection {
            protocol_name: protocol_name(ends.proto),
            direction_id: 0,
            community_uid: community_id(&ends),
        }),
        data: data(row, &key, origin),
    };
    Some(Proof { clear: text(row, "trust").is_none_or(|t| t == "clear"), late: origin.late, key, evidence })
}

fn data(row: &RecordBatch, key: &RowKey, origin: &Origin) -> Map<String, Value> {
    let mut data = Map::new();
    match text(row, "file") {
        Some(file) => {
            data.insert("file".into(), json!(file));
            data.insert("line".into(), json!(key.frame));
        }
        None => {
            data.insert("capture".into(), json!(key.capture));
            data.insert("frame".into(), json!(key.frame));
        }
    }
    if let Some(broker) = &origin.broker {
        data.insert("topic".into(), json!(broker.topic));
        data.insert("partition".into(), json!(broker.partition));
        data.insert("offset".into(), json!(broker.first_offset));
    }
    data
}

fn key(row: &RecordBatch) -> Option<RowKey> {
    let time = |name: &str| Some(row.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(0));
    Some(RowKey {
        due: time("due")?,
        ts: time("ts")?,
        sensor: text(row, "sensor")?,
        capture: text(row, "capture")?,
        frame: row.column_by_name("frame")?.as_primitive_opt::<UInt64Type>()?.value(0),
        n: row.column_by_name("n")?.as_primitive_opt::<UInt32Type>()?.value(0),
    })
}

fn text(row: &RecordBatch, name: &str) -> Option<String> {
    let column: ArrayRef = cast(row.column_by_name(name)?, &DataType::Utf8).ok()?;
    let column: &StringArray = column.as_string_opt::<i32>()?;
    column.is_valid(0).then(|| column.value(0).to_owned())
}

fn endpoint(ip: Ip, port: u16, proto: u8, site: &Site) -> Endpoint {
    Endpoint {
        ip: ip.to_string(),
        port: matches!(proto, 6 | 17 | 132).then_some(port),
        zone: site.zones().of(ip).map(|z| z.name.clone()),
        hostname: site.name_of(ip).map(str::to_owned),
    }
}
