//! What was read of one input, as the summary has it.
use std::{collections::BTreeMap, fs::File, io, path::Path};

use lidr_schema::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::SourceError;
use crate::log::RecordCounts;

/// One input in the summary.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSummary {
    /// Its name as given.
    pub path: String,
    /// Its name in rows and findings: the run's and its ordinal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub capture: String,
    /// Octets of the file.
    pub size: u64,
    /// Packets read.
    pub packets: u64,
    /// Octets of those packets on the wire.
    pub bytes: u64,
    /// Time of its first packet, µs.
    pub first: Option<i64>,
    /// Time of its last packet, µs.
    pub last: Option<i64>,
    /// Packets that the capturing interfaces say they dropped (pcapng interface statistics).
    pub dropped: u64,
    /// Whether it is heard live and no file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// What came to a live input and was not decoded, by the bound where it was lost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, u64>,
    /// Whether it ended in the middle of a record.
    pub truncated: bool,
    /// SHA-256 of the file as it is stored, hex; only where somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was read of it, where it is a record file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordCounts>,
}

impl InputSummary {
    /// Something of it happened then; gives the latest time before.
    pub(super) fn seen(&mut self, ts: i64) -> i64 {
        self.first = Some(self.first.map_or(ts, |t| t.min(ts)));
        let before = self.last.unwrap_or(ts);
        self.last = Some(before.max(ts));
        before
    }

    /// Adds the file's SHA-256; standard input and pipes have none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn hash(&mut self) -> Result<(), SourceError> {
        let path = Path::new(&self.path);
        if path.is_file() {
            let mut hash = Sha256::new();
            let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hash));
            copied.map_err(|why| SourceError::Read { name: self.path.clone(), why })?;
            self.sha256 = Some(hex::encode(&hash.finalize()));
        }
        Ok(())
    }
}
