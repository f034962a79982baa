//! A bundle in memory: made from parts, or read from a file.
use std::collections::BTreeMap;

use crate::{
    CustodyError, Entry, Facts, Manifest, Signer,
    archive::{self, MOST_OCTETS, Unpacked},
    manifest, sha256, sign,
};

/// Names of the two parts that the manifest cannot list.
const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.sig";

/// What goes into a bundle, by name.
#[derive(Debug, Default)]
pub struct Contents(BTreeMap<String, Vec<u8>>);

impl Contents {
    /// Adds a part.
    ///
    /// # Errors
    /// If the name does not fit or is there already, or the bundle would be larger than can be read again.
    pub fn add(&mut self, path: &str, octets: Vec<u8>) -> Result<(), CustodyError> {
        if !archive::fits(path) {
            return Err(CustodyError::Path(path.to_owned()));
        }
        let had = self.0.values().map(Vec::len).sum::<usize>() + octets.len();
        // Room for headers and the manifest.
        let most = MOST_OCTETS / 2;
        if had as u64 > most {
            return Err(CustodyError::TooLarge { what: "octets of evidence", most, had: had as u64 });
        }
        if [MANIFEST, SIGNATURE].contains(&path) || self.0.insert(path.to_owned(), octets).is_some() {
            return Err(CustodyError::Twice(path.to_owned()));
        }
        Ok(())
    }
}

/// A bundle.
#[derive(Debug)]
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    manifest_text: Vec<u8>,
    signature: Vec<u8>,
    parts: archive::Parts,
    oddities: Vec<String>,
}

impl Bundle {
    /// Lists and signs what is given; `previous` is the hash of the manifest before it.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn make(
        about: Facts,
        contents: Contents,
        previous: Option<String>,
        signer: &Signer,
    ) -> Result<Self, CustodyError> {
        let manifest = Manifest::of(about, previous, &signer.public(), &contents.0);
        let manifest_text = manifest.text()?.into_bytes();
        let signature = signer.sign(&manifest_text).to_vec();
        Ok(Self { manifest, manifest_text, signature, parts: contents.0.into_iter().collect(), oddities: Vec::new() })
    }

    /// The octets of its file.
    ///
    /// # Errors
    /// If packing fails.
    pub fn pack(&self) -> Result<Vec<u8>, CustodyError> {
        let own = [(MANIFEST.to_owned(), self.manifest_text.clone()), (SIGNATURE.to_owned(), self.signature.clone())];
        archive::pack(&[own.as_slice(), &self.parts].concat())
    }

    /// Reads a file. That it can be read says nothing yet of whether it is whole: [`crate::verify`] does.
    ///
    /// # Errors
    /// If it is no bundle.
    pub fn read(file: &[u8]) -> Result<Self, CustodyError> {
        let Unpacked { parts, oddities } = archive::unpack(file)?;
        let mut parts = parts.into_iter();
        let mut own = |name: &str, most: usize| match parts.next() {
            Some((path, octets)) if path == name && octets.len() <= most => Ok(octets),
            Some((path, octets)) => Err(CustodyError::Broken(format!(
                "needed {name} of at most {most} octets here, had {path} of {}",
                octets.len()
            ))),
            None => Err(CustodyError::Broken(format!("{name} is not there"))),
        };
        let manifest_text = own(MANIFEST, manifest::MOST_OCTETS)?;
        let signature = own(SIGNATURE, sign::SIGNATURE)?;
        let manifest = Manifest::read(&manifest_text)?;
        Ok(Self { manifest, manifest_text, signature, parts: parts.collect(), oddities })
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, path: &str) -> Option<&[u8]> {
        self.parts.iter().find(|(name, _)| name == path).map(|(_, octets)| octets.as_slice())
    }

    pub(crate) fn signed_octets(&self) -> (&[u8], &[u8]) {
        (&self.manifest_text, &self.signature)
    }

    /// What in it is not what its manifest says.
    pub(crate) fn differences(&self) -> Vec<String> {
        let mut out = self.oddities.clone();
        let listed: BTreeMap<&str, &Entry> = self.manifest.entries.iter().map(|e| (e.path.as_str(), e)).collect();
        let mut there: Vec<&str> = Vec::new();
        for (path, octets) in &self.parts {
            match listed.get(path.as_str()) {
                _ if there.contains(&path.as_str()) => out.push(format!("{path}: stands in it twice")),
                None => out.push(format!("{path}: was added, the manifest does not list it")),
                Some(entry) if entry.size != octets.len() as u64 || entry.sha256 != sha256(octets) => {
                    out.push(format!("{path}: was changed, its SHA-256 is not the one in the manifest"));
                }
                Some(_) => {}
            }
            there.push(path);
        }
        let missing = listed.keys().filter(|path| !there.contains(path));
        out.extend(missing.map(|path| format!("{path}: was removed, the manifest lists it")));
        if out.is_empty() && !listed.keys().eq(there.iter()) {
            out.push("the parts are not in the order of the manifest".to_owned());
        }
        out
    }

    #[cfg(test)]
    pub(crate) fn parts_mut(&mut self) -> &mut archive::Parts {
        &mut self.parts
    }
}
