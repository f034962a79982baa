//! The site folder: what is where, who may do what, which intercepts are lawful (contracts: site folder).
use std::path::Path;

use lidr_schema::Key;

use crate::SiteError;

/// The site's tables, typed, hashed where they hold identifiers.
#[derive(Clone, Debug, Default)]
pub struct Site {
    hash: String,
    sensors: Vec<String>,
}

impl Site {
    /// Reads a folder; none: a site of which nothing is known.
    ///
    /// # Errors
    /// If a file cannot be read or holds what its table has not.
    pub fn load(_dir: Option<&Path>, _key: &Key) -> Result<Self, SiteError> {
        Ok(Self::default())
    }

    /// Names in table `sensors`.
    #[must_use]
    pub fn sensors(&self) -> Vec<String> {
        self.sensors.clone()
    }

    /// SHA-256 over names and contents of the files, hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
