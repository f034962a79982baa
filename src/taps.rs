//! `lidr report taps`: what stands at one moment, from an output folder that has a lake.
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use lidr_analytics::{Site, lake::Lake, report};

use crate::{
    args_report::{Look, Taps},
    key, rules,
};

pub(crate) fn run(args: &Taps) -> anyhow::Result<ExitCode> {
    let key = key::given_or_kept(&args.key)?;
    let site = Site::load(args.site.as_deref(), &key)?;
    let lake = Lake::open(&lake_of(&args.from), key.id())?;
    let rules = rules::load(true, &[])?.rules;
    let taps = report::taps(&lake, &site, &rules, args.at, key.id())?;
    let text = match args.format {
        Look::Text => taps.text(),
        Look::Csv => taps.csv()?,
        Look::Html => taps.html(),
        Look::Json => taps.lines(),
    };
    match &args.out {
        None => std::io::stdout().write_all(text.as_bytes()).context("standard output")?,
        Some(out) => {
            let path = if out.is_dir() { out.join(format!("taps.{}", args.format.ending())) } else { out.clone() };
            write(&path, &text)?;
            tracing::info!("{}: {}", path.display(), taps.counts());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The lake of an output folder, or the folder itself.
fn lake_of(from: &Path) -> PathBuf {
    let inside = from.join("lake");
    if inside.is_dir() { inside } else { from.to_owned() }
}

/// Under a temporary name first: nobody reads half a report.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).with_context(named)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(named)?;
    fs::rename(&temporary, path).with_context(named)
}
