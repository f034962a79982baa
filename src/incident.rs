//! `lidr report incident`: what a responder hands over, from an output folder alone.
//!
//! No key, no site and no lake are needed: findings say pseudonyms, and the page says what they say.
use std::process::ExitCode;

use anyhow::{Context, bail};
use lidr_analytics::{
    report::Incident,
    story::{Kept, Told},
};

use crate::{
    args_report::Incident as Args,
    case::{self, find},
    folder,
};

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let dir = &args.from;
    let (findings, notes) = read(dir)?;
    let (_, summary) = case::summary(dir)?;
    let count = findings.len();
    let page = Incident { folder: dir.display().to_string(), findings, summary, notes }.html();
    let path = if args.html.is_dir() { args.html.join("report.html") } else { args.html.clone() };
    folder::put(&path, page.as_bytes(), 0o600)?;
    tracing::info!("{}: {count} findings", path.display());
    Ok(ExitCode::SUCCESS)
}

/// The last line of each finding. A line that a crash cut is said on the page; any other that is no finding is an error, for a report
/// that leaves findings out must not be handed over.
fn read(dir: &std::path::Path) -> anyhow::Result<(Kept, Vec<String>)> {
    let (mut kept, mut notes) = (Kept::default(), Vec::new());
    for path in find::files(dir)? {
        find::read(&path, |place, line, finding| {
            let finding = match finding {
                Ok(finding) => Told::read(&finding).map_err(|lacks| format!("{lacks}, which it has not")),
                Err(why) if why.is_eof() => {
                    notes.push(format!("{place} is cut: a run ended while it wrote that finding. If it went on later, it wrote the finding again."));
                    return Ok(());
                }
                Err(why) => Err(why.to_string()),
            };
            match finding {
                Ok(finding) => kept.take(finding),
                Err(why) => bail!("{place}: not a finding: {why}; `{}` …", line.chars().take(40).collect::<String>()),
            }
            Ok(())
        })
        .context("needed findings.ndjson as a run writes it, one OCSF finding a line")?;
    }
    if notes.len() > MOST_NOTES {
        let more = notes.len() - MOST_NOTES;
        notes.truncate(MOST_NOTES);
        notes.push(format!("{more} more lines are cut."));
    }
    Ok((kept, notes))
}

/// Cut lines that are told one by one.
const MOST_NOTES: usize = 5;
