//! The manifest: what the bundle holds, where it comes from, what went before it.
//!
//! Its text is canonical: one way of writing the same facts, and reading demands that way, so that not even a space can change
//! unnoticed. `created` is the event time of the finding: the machine that packs has nothing to add to the evidence.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CustodyError, PublicKey, sha256};

/// What the file says it is.
const FORMAT: &str = "lidr-evidence";
/// Version of the manifest's shape.
const VERSION: u32 = 1;
/// Octets of a manifest that are believed.
pub(crate) const MOST_OCTETS: usize = 4 * 1024 * 1024;

/// One part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the archive.
    pub path: String,
    /// Its octets.
    pub size: u64,
    /// Their SHA-256, hex.
    pub sha256: String,
}

/// What a bundle says of the finding it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The finding's id.
    pub finding: String,
    /// The rule's code.
    pub rule: String,
    /// Event time of the finding, ms since the epoch.
    pub created: i64,
    /// Versions of what made finding and bundle, by name.
    pub versions: BTreeMap<String, String>,
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// Hash of the site folder that judged; empty where there was none.
    pub site_hash: String,
    /// Whether messages that may name a target are inside, in clear.
    pub enclave: bool,
}

/// The list that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `lidr-evidence`.
    pub format: String,
    /// Version of this shape.
    pub version: u32,
    /// About what.
    pub about: Facts,
    /// SHA-256 of the manifest of the bundle before this one; none: the first.
    pub previous: Option<String>,
    /// The key that signed, 32 octets as hex.
    pub public_key: String,
    /// What is inside, in the order of the names.
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// The manifest of these parts, which are in the order of their names.
    pub(crate) fn of(
        about: Facts,
        previous: Option<String>,
        key: &PublicKey,
        parts: &BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let entry = |(path, octets): (&String, &Vec<u8>)| Entry {
            path: path.clone(),
            size: octets.len() as u64,
            sha256: sha256(octets),
        };
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            about,
            previous,
            public_key: key.hex(),
            entries: parts.iter().map(entry).collect(),
        }
    }

    /// Its one text.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn text(&self) -> Result<String, CustodyError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|e| CustodyError::Manifest(e.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads that text, and no other that says the same.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read(octets: &[u8]) -> Result<Self, CustodyError> {
        let wrong = |message: String| CustodyError::Manifest(message);
        let manifest: Self = serde_json::from_slice(octets).map_err(|e| wrong(e.to_string()))?;
        if (manifest.format.as_str(), manifest.version) != (FORMAT, VERSION) {
            return Err(wrong(format!("needed {FORMAT} {VERSION}, had {} {}", manifest.format, manifest.version)));
        }
        if manifest.text()?.as_bytes() != octets {
            return Err(wrong("it is not written as lidr writes it: somebody edited it".to_owned()));
        }
        if !manifest.entries.is_sorted_by(|a, b| a.path < b.path) {
            return Err(wrong("its parts are not in the order of their names".to_owned()));
        }
        Ok(manifest)
    }

    /// What the next bundle names as `previous`.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn hash(&self) -> Result<String, CustodyError> {
        Ok(sha256(self.text()?.as_bytes()))
    }
}
