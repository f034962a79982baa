//! What travels through Kafka: one Arrow IPC stream a message, and headers that say what it is and what it promises.
//!
//! Compression is inside the IPC stream (zstd): the same octets on the wire carry three and a half times the rows that Kafka's
//! own compression would. Headers are text, so that any Kafka tool shows them.
use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    error::ArrowError,
    ipc::{
        CompressionType,
        reader::StreamReader,
        writer::{IpcWriteOptions, StreamWriter},
    },
};

use crate::{SCHEMA_VERSION, TableId, dynamic::conform};

/// Headers of a table message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `major.minor` of the tables.
    pub schema: (u16, u16),
    /// The sensor.
    pub sensor: String,
    /// Start of the sensor's run, or a hash of its file inputs.
    pub epoch: String,
    /// Rows sent before this message in (sensor, epoch, topic, partition).
    pub seq: u64,
    /// Rows in this message.
    pub rows: u64,
    /// Least `ts` of the rows, µs.
    pub ts_min: i64,
    /// Greatest `ts` of the rows, µs.
    pub ts_max: i64,
    /// No later row of this (sensor, epoch, topic, partition) has `due` at or below this, µs. With `eos`: the clock at the end.
    pub promise: i64,
    /// The epoch ends with this message.
    pub eos: bool,
    /// Public name of the pseudonym key.
    pub key_id: String,
}

/// Why a message cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A header is missing.
    #[error("message without header `{0}`")]
    MissingHeader(&'static str),
    /// A header does not parse.
    #[error("header `{name}`: needed {needed}, had `{had}`")]
    BadHeader {
        /// Which one.
        name: &'static str,
        /// What would fit.
        needed: &'static str,
        /// What was there.
        had: String,
    },
    /// The tables are newer than this reader.
    #[error("message of schema {0}.{1}, this lidr reads up to major {max}: update the reader", max = SCHEMA_VERSION.0)]
    NewerMajor(u16, u16),
    /// Another key made the pseudonyms.
    #[error("message of key {had}, this lidr has key {needed}: pseudonyms would never meet, give both the same key")]
    OtherKey {
        /// The reader's key.
        needed: String,
        /// The message's key.
        had: String,
    },
    /// The body is not what the headers say.
    #[error("message body: {0}")]
    Body(#[from] ArrowError),
}

impl Headers {
    /// As pairs of text, in a fixed order.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("schema", format!("{}.{}", self.schema.0, self.schema.1)),
            ("sensor", self.sensor.clone()),
            ("epoch", self.epoch.clone()),
            ("seq", self.seq.to_string()),
            ("rows", self.rows.to_string()),
            ("ts_min", self.ts_min.to_string()),
            ("ts_max", self.ts_max.to_string()),
            ("promise", self.promise.to_string()),
            ("eos", u8::from(self.eos).to_string()),
            ("key_id", self.key_id.clone()),
        ]
    }

    /// From pairs; unknown ones are ignored.
    ///
    /// # Errors
    /// If one is missing or does not parse, or the schema's major is newer.
    pub fn from_pairs<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, WireError> {
        let text = |name| get(name).ok_or(WireError::MissingHeader(name));
        fn number<T: std::str::FromStr>(name: &'static str, had: &str) -> Result<T, WireError> {
            had.parse().map_err(|_| WireError::BadHeader { name, needed: "a whole number", had: had.to_owned() })
        }
        let schema = text("schema")?;
        let (major, minor) = schema.split_once('.').ok_or_else(|| WireError::BadHeader {
            name: "schema",
            needed: "major.minor",
            had: schema.to_owned(),
        })?;
        let schema = (number("schema", major)?, number("schema", minor)?);
        if schema.0 > SCHEMA_VERSION.0 {
            return Err(WireError::NewerMajor(schema.0, schema.1));
        }
        Ok(Self {
            schema,
            sensor: text("sensor")?.to_owned(),
            epoch: text("epoch")?.to_owned(),
            seq: number("seq", text("seq")?)?,
            rows: number("rows", text("rows")?)?,
            ts_min: number("ts_min", text("ts_min")?)?,
            ts_max: number("ts_max", text("ts_max")?)?,
            promise: number("promise", text("promise")?)?,
            eos: text("eos")? == "1",
            key_id: text("key_id")?.to_owned(),
        })
    }

    /// Refuses pseudonyms of another key.
    ///
    /// # Errors
    /// If the key ids differ.
    pub fn check_key(&self, key_id: &str) -> Result<(), WireError> {
        if self.key_id == key_id {
            return Ok(());
        }
        Err(WireError::OtherKey { needed: key_id.to_owned(), had: self.key_id.clone() })
    }
}

/// One IPC stream of the batch; an empty body for no rows (a heartbeat).
///
/// # Errors
/// If arrow cannot write the batch.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>, WireError> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options)?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// The rows of a message, brought to the present schema of its table.
///
/// # Errors
/// If the body is not an IPC stream of that table.
pub fn decode(table: TableId, body: &[u8]) -> Result<Vec<RecordBatch>, WireError> {
    let schema = table.def().schema();
    read(body)?.iter().map(|batch| Ok(conform(batch, &Arc::clone(&schema))?)).collect()
}

/// The rows of an IPC stream, whatever they are.
///
/// # Errors
/// If it is none.
pub fn read(body: &[u8]) -> Result<Vec<RecordBatch>, WireError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    StreamReader::try_new(body, None)?.map(|batch| Ok(batch?)).collect()
}

/// Kafka's default partitioner hash (murmur2 with its seed), made positive: the partition of an entity is this modulo their number.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h: u32 = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (i, octet) in rest.iter().enumerate() {
            h ^= u32::from(*octet) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    (h ^ (h >> 15)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_and_a_newer_major_is_refused() {
        let mut headers = Headers { schema: (1, 7), sensor: "s".into(), promise: -5, eos: true, ..Headers::default() };
        let read = |h: &Headers| {
            let pairs = h.to_pairs();
            Headers::from_pairs(|n| pairs.iter().find(|(k, _)| *k == n).map(|(_, v)| v.as_str()))
        };
        assert_eq!(read(&headers).unwrap(), headers);
        headers.schema = (2, 0);
        assert!(read(&headers).unwrap_err().to_string().contains("update the reader"));
        assert!(headers.check_key("beef").is_err());
    }

    /// Values from Kafka's own unit test of its partitioner (UtilsTest).
    #[test]
    fn murmur2_is_kafkas() {
        for (text, hash) in
            [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
        {
            assert_eq!(murmur2(text.as_bytes()), hash as u32 & 0x7fff_ffff, "{text}");
        }
    }

    #[test]
    fn a_batch_survives_the_wire() {
        let key = crate::Key::from_hex(&"00".repeat(32)).unwrap();
        let rows = vec![serde_json::from_str(r#"{"qname": "a.example", "ts": 5}"#).unwrap()];
        let batch = crate::dynamic::from_json(TableId::Dns.def(), &rows, &key).unwrap();
        let body = encode(&batch).unwrap();
        assert_eq!(decode(TableId::Dns, &body).unwrap(), [batch]);
        assert!(decode(TableId::Dns, &body[..body.len() / 2]).is_err());
    }
}
