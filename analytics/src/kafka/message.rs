//! A message taken apart: its headers, its rows, and those of them that are new.
use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use lidr_schema::{
    TableId,
    wire::{self, Headers, WireError},
};
use rdkafka::Message as _;
use rdkafka::message::{Headers as _, OwnedMessage};

use crate::{engine::MOST_TIME, rows::dues};

/// The rows behind the first `skip` ones.
pub(super) fn after(batches: Vec<RecordBatch>, skip: u64) -> impl Iterator<Item = RecordBatch> {
    let mut skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let rest = move |batch: RecordBatch| {
        let old = skip.min(batch.num_rows());
        skip -= old;
        batch.slice(old, batch.num_rows() - old)
    };
    batches.into_iter().map(rest).filter(|batch| batch.num_rows() > 0)
}

pub(super) fn headers(message: &OwnedMessage) -> Result<Headers, WireError> {
    let headers = message.headers();
    let text =
        |h: rdkafka::message::Header<'_, &[u8]>| Some((h.key.to_owned(), String::from_utf8(h.value?.to_vec()).ok()?));
    let pairs: BTreeMap<String, String> = headers.into_iter().flat_map(|h| h.iter()).filter_map(text).collect();
    Headers::from_pairs(|name| pairs.get(name).map(String::as_str))
}

/// The rows of a message; if they are not what its headers say, why.
pub(super) fn body_of(table: TableId, body: &[u8], rows: u64) -> Result<Vec<RecordBatch>, String> {
    let batches = wire::decode(table, body).map_err(|e| e.to_string())?;
    let had: u64 = batches.iter().map(|b| b.num_rows() as u64).sum();
    if had != rows {
        return Err(format!("message body: needed the {rows} rows that its header says, had {had}"));
    }
    let times = batches.iter().filter_map(dues).flat_map(|due| due.values());
    if times.into_iter().any(|due| due.unsigned_abs() > MOST_TIME.unsigned_abs()) {
        return Err("message body: `due` is no time of this or the next thousand years".to_owned());
    }
    Ok(batches)
}
