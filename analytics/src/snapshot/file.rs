//! A snapshot as octets.
use std::ops::Range;

use lidr_schema::wire;
use sha2::{Digest, Sha256};

use super::{Snapshot, Tables};

const MAGIC: &[u8] = b"lidr state 1\n";
const DIGEST: usize = 32;
const LENGTH: usize = 8;

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is something else.
    #[error("octet 0: needed `lidr state 1`, had something else: no snapshot of this version of lidr")]
    Foreign,
    /// It was cut.
    #[error("octet {at}: needed {needed} octets, had {had}: the file was cut")]
    Cut {
        /// Where.
        at: usize,
        /// Octets that had to be there.
        needed: usize,
        /// Octets that were.
        had: usize,
    },
    /// The digest at its end is not that of what is before.
    #[error("its SHA-256 is not the one at its end: the file was changed or not written to its end")]
    Changed,
    /// JSON or a table does not parse.
    #[error("{0}")]
    Content(String),
}

/// The octets of a snapshot.
///
/// # Errors
/// If a table cannot be written.
pub fn encode(snapshot: &Snapshot, tables: &Tables) -> Result<Vec<u8>, Damage> {
    let json = serde_json::to_vec(snapshot).map_err(|e| Damage::Content(e.to_string()))?;
    let mut out = MAGIC.to_vec();
    put(&mut out, &json);
    for table in &tables.0 {
        put(&mut out, &wire::encode(table).map_err(|e| Damage::Content(e.to_string()))?);
    }
    let digest = Sha256::digest(&out);
    out.extend_from_slice(&digest);
    Ok(out)
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u64).to_le_bytes());
    out.extend_from_slice(part);
}

/// A snapshot from its octets.
///
/// # Errors
/// If they are not exactly what was written.
pub fn decode(octets: &[u8]) -> Result<(Snapshot, Tables), Damage> {
    if !octets.starts_with(MAGIC) {
        return Err(Damage::Foreign);
    }
    let end = octets.len().checked_sub(DIGEST).filter(|end| *end >= MAGIC.len());
    let end = end.ok_or(Damage::Cut { at: MAGIC.len(), needed: DIGEST, had: octets.len() - MAGIC.len() })?;
    let (content, digest) = octets.split_at(end);
    if Sha256::digest(content).as_slice() != digest {
        return Err(Damage::Changed);
    }
    let mut at = MAGIC.len();
    let json = take(content, &mut at)?;
    let snapshot = serde_json::from_slice(json).map_err(|e| Damage::Content(format!("its JSON: {e}")))?;
    let mut tables = Tables::default();
    while at < content.len() {
        let batches = wire::read(take(content, &mut at)?).map_err(|e| Damage::Content(format!("a table: {e}")))?;
        // One batch was written, or none of an empty table.
        let empty = || arrow::array::RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty()));
        tables.put(batches.into_iter().next().unwrap_or_else(empty));
    }
    Ok((snapshot, tables))
}

fn take<'a>(content: &'a [u8], at: &mut usize) -> Result<&'a [u8], Damage> {
    let part = |range: Range<usize>| {
        let (start, needed) = (range.start, range.len());
        content.get(range).ok_or(Damage::Cut { at: start, needed, had: content.len().saturating_sub(start) })
    };
    let length = part(*at..at.saturating_add(LENGTH))?;
    let length = length.try_into().map_or(u64::MAX, u64::from_le_bytes);
    let start = *at + LENGTH;
    let stop = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
    *at = stop;
    part(start..stop)
}
