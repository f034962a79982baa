//! `lidr evidence`: what stands behind a finding as one signed file, and the check of such files.
//!
//! A bundle holds the finding's lines, the rows, the rule's text, the site's tables with identifiers hashed, the run's summary with what
//! it dropped, the hashes of the inputs and the frames. Rule and site must be those that judged, inputs must be those that were read: what does
//! not match is refused, what is not at hand is said in the bundle and on standard error.
mod contents;
mod inputs;
mod signing;
mod verify;

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use lidr_custody::Bundle;

use crate::{
    args::{Evidence, EvidenceVerb},
    case::{Case, enclave},
    log,
};

/// Octets of a bundle that are read.
const MOST_OCTETS: u64 = 1 << 30;

pub(crate) fn run(args: &Evidence) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Some(EvidenceVerb::Verify(args)) => verify::run(args),
        None => make(args),
    }
}

fn make(args: &Evidence) -> anyhow::Result<ExitCode> {
    let uid = args.uid.as_deref().context("needed a finding's id")?;
    let file = args.file.as_deref().context("--file: needed the file to write")?;
    if file.exists() {
        bail!("{}: it is there already, and evidence is not replaced: choose another name", file.display());
    }
    let previous = args.previous.as_deref().map(previous).transpose()?;
    let case = Case::open(uid, &args.at)?;
    let inputs = inputs::Inputs::find(&case, &args.inputs)?;
    let (facts, contents) = contents::gather(&case, &inputs)?;
    let signer = signing::signer(args.sign_key.as_deref())?;
    if let Some(key) = &case.enclave_key {
        let fields = ["frames: control messages".to_owned()];
        let (now, viewer) = (crate::folder::now(), enclave::viewer());
        enclave::record(&case.dir, now, &viewer, "evidence", &case.uid(), key.id(), &fields)?;
    }
    let bundle = Bundle::make(facts, contents.parts, previous, &signer)?;
    write(file, &bundle.pack()?)?;
    for lack in &contents.lacks {
        log::inform(&format!("lacks     {lack}"))?;
    }
    let (parts, manifest) = (bundle.manifest.entries.len(), bundle.manifest.hash()?);
    log::inform(&format!("written   {} ({parts} parts, manifest {manifest})", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The hash that links to a bundle; a broken one is nothing to link to.
fn previous(path: &Path) -> anyhow::Result<String> {
    let named = (path.display().to_string(), read(path)?);
    let checked = lidr_custody::verify(&[named], &[]);
    let Some(checked) = checked.into_iter().next() else { bail!("{}: cannot be checked", path.display()) };
    match (checked.problems.first(), checked.hash) {
        (None, Some(hash)) => Ok(hash),
        (problem, _) => bail!("--previous {}: {}", path.display(), problem.map_or("it is no bundle", String::as_str)),
    }
}

/// A bundle's octets, as far as any bundle goes.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let place = || path.display().to_string();
    let mut octets = Vec::new();
    fs::File::open(path).with_context(place)?.take(MOST_OCTETS + 1).read_to_end(&mut octets).with_context(place)?;
    Ok(octets)
}

/// Writes a new file, whole or not at all.
fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let name = path.file_name().with_context(|| format!("--file {}: needed a file's name", path.display()))?;
    let temporary = path.with_file_name(format!(".{}.tmp", name.to_string_lossy()));
    let written = || -> std::io::Result<()> {
        // A file of that name is what a run that was cut off left, or somebody's link: neither is written into.
        drop(fs::remove_file(&temporary));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(octets)?;
        file.sync_all()?;
        // A link is refused where a file has come meanwhile; a rename would replace it.
        fs::hard_link(&temporary, path)
    };
    let result = written().with_context(|| path.display().to_string());
    drop(fs::remove_file(&temporary));
    result
}
