//! Whether bundles are what was written, by whom, and in which order.
use crate::{Bundle, Manifest, PublicKey};

/// What was found of one bundle.
#[derive(Debug)]
pub struct Checked {
    /// Its name as given.
    pub name: String,
    /// What it says of itself, where it could be read.
    pub manifest: Option<Manifest>,
    /// SHA-256 of its manifest.
    pub hash: Option<String>,
    /// Whether a key that was given made the signature; none: no key was given, and it was checked with the key it names itself.
    pub by_known_key: Option<bool>,
    /// What is wrong with it; empty: nothing.
    pub problems: Vec<String>,
}

/// Checks bundles, given with their names in the order of their chain: each against its own manifest, the signature of that, and
/// the link to the one before. `keys` are those that may have signed; none: each bundle's own word is taken, but all must have one.
#[must_use]
pub fn verify(files: &[(String, Vec<u8>)], keys: &[PublicKey]) -> Vec<Checked> {
    let mut out: Vec<Checked> = Vec::new();
    for (name, octets) in files {
        let checked = one(name, octets, keys, out.last());
        out.push(checked);
    }
    out
}

fn one(name: &str, octets: &[u8], keys: &[PublicKey], before: Option<&Checked>) -> Checked {
    let mut checked =
        Checked { name: name.to_owned(), manifest: None, hash: None, by_known_key: None, problems: Vec::new() };
    match Bundle::read(octets) {
        Ok(bundle) => {
            checked.problems = bundle.differences();
            signature(&bundle, keys, &mut checked);
            if let Some(before) = before {
                link(&bundle.manifest, before, keys, &mut checked.problems);
            }
            checked.hash = bundle.manifest.hash().ok();
            checked.manifest = Some(bundle.manifest);
        }
        Err(error) => checked.problems.push(error.to_string()),
    }
    checked
}

fn signature(bundle: &Bundle, keys: &[PublicKey], checked: &mut Checked) {
    let (text, signature) = bundle.signed_octets();
    let Some(named) = PublicKey::from_hex(&bundle.manifest.public_key) else {
        return checked.problems.push("manifest.json: `public_key` is no Ed25519 key".to_owned());
    };
    if !named.signed(text, signature) {
        checked
            .problems
            .push("manifest.sig: it is not the signature of manifest.json by the key named there".to_owned());
    }
    if !keys.is_empty() {
        let known = keys.contains(&named);
        checked.by_known_key = Some(known);
        if !known {
            checked.problems.push(format!("it was signed with key {}, which is none of those given", named.hex()));
        }
    }
}

fn link(manifest: &Manifest, before: &Checked, keys: &[PublicKey], problems: &mut Vec<String>) {
    let (Some(hash), Some(other)) = (&before.hash, &before.manifest) else {
        return problems.push(format!("its link cannot be checked: {} cannot be read", before.name));
    };
    match &manifest.previous {
        None => problems.push(format!("it names no bundle before it, needed {} ({})", before.name, hash)),
        Some(previous) if previous != hash => {
            problems.push(format!(
                "the bundle before it has manifest {previous}, {} has {hash}: one is missing or out of order",
                before.name
            ));
        }
        Some(_) => {}
    }
    if keys.is_empty() && manifest.public_key != other.public_key {
        problems.push(format!(
            "it was signed with another key than {}: give --key for each that may have signed",
            before.name
        ));
    }
}
