//! `lidr evidence verify`: whether bundles are what was written, by whom, in which order.
use std::{fs, process::ExitCode};

use anyhow::Context;
use lidr_custody::{Checked, PublicKey};

use super::read;
use crate::{args::Verify, explain, log};

pub(super) fn run(args: &Verify) -> anyhow::Result<ExitCode> {
    let mut keys = Vec::new();
    for path in &args.public_keys {
        let place = || path.display().to_string();
        let pem = fs::read_to_string(path).with_context(place)?;
        keys.push(PublicKey::from_pem(&pem).with_context(place)?);
    }
    let mut files = Vec::new();
    for path in &args.files {
        files.push((path.display().to_string(), read(path)?));
    }
    let checked = lidr_custody::verify(&files, &keys);
    let text: String = checked.iter().map(told).collect();
    explain::print(&text)?;
    let bad = checked.iter().filter(|c| !c.problems.is_empty()).count();
    if keys.is_empty() {
        log::inform("The key was not compared with a known one: give --public-key PUB.pem of who should have signed.")?;
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn told(checked: &Checked) -> String {
    let mut out = match checked.problems.is_empty() {
        true => format!("{}: as it was written\n", checked.name),
        false => format!("{}: NOT as it was written\n", checked.name),
    };
    for problem in &checked.problems {
        out.push_str(&format!("  problem   {problem}\n"));
    }
    let Some(manifest) = &checked.manifest else { return out };
    let signer = match checked.by_known_key {
        Some(true) => "a key that was given",
        Some(false) => "another key than those given",
        None => "the key it names itself",
    };
    let about = &manifest.about;
    for (name, value) in [
        ("finding", format!("{} ({})", about.finding, about.rule)),
        ("signed by", format!("{} ({signer})", manifest.public_key)),
        ("manifest", checked.hash.clone().unwrap_or_default()),
        ("previous", manifest.previous.clone().unwrap_or_else(|| "none: a chain begins here".to_owned())),
        ("parts", manifest.entries.len().to_string()),
        (
            "messages",
            if about.enclave {
                "control messages inside: for cleared users".to_owned()
            } else {
                "headers only".to_owned()
            },
        ),
    ] {
        out.push_str(&format!("  {name:<9} {value}\n"));
    }
    out
}
