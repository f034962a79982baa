//! `expected.yml` of a scenario: what must be found, what may be, what later rules will find.
use std::{fs, path::Path};

use lidr_schema::finding::Severity;
use serde::Deserialize;

use crate::ScenarioError;

/// What a scenario expects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Must be found.
    pub expect: Vec<Item>,
    /// May be found beside, at most at the level that an item names.
    #[serde(default)]
    pub allow: Vec<Item>,
    /// Codes that rules still to come will find.
    #[serde(default)]
    pub later: Vec<String>,
}

/// A finding.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Catalogue code.
    pub code: String,
    /// At least this level; at most where it is only allowed.
    pub level: Option<Severity>,
    /// About this.
    pub entity: Option<Vec<String>>,
}

/// Reads `expected.yml` of a folder.
///
/// # Errors
/// If it is not there or does not read.
pub fn expected(dir: &Path) -> Result<Expected, ScenarioError> {
    let path = dir.join("expected.yml");
    let text = fs::read_to_string(&path).map_err(|e| ScenarioError::Io(path.display().to_string(), e))?;
    serde_saphyr::from_str(&text).map_err(|e| ScenarioError::Expected(e.to_string()))
}
