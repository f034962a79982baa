//! `lidr report taps`: what stands at one moment, from an output folder that has a lake.
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use lidr_analytics::{Site, lake::Lake, report, site};
use lidr_schema::Key;
use serde_json::Value;

use crate::{
    args_report::{Look, Taps},
    case::enclave,
    copies, explain, folder, key, rules,
};

pub(crate) fn run(args: &Taps) -> anyhow::Result<ExitCode> {
    let key = match &args.enclave_key {
        Some(_) if matches!(args.format, Look::Csv | Look::Json) => {
            bail!(
                "--enclave-key: needed --format text or html, which people read; clear identifiers are not for programs"
            )
        }
        Some(path) => key::read(path)?,
        None => key::given_or_kept(&args.key)?,
    };
    let (site, note) = site(args, &key)?;
    let lake = Lake::open(&lake_of(&args.from), key.id())?;
    let rules = rules::load(true, &[])?.rules;
    let mut taps = report::taps(&lake, &site, &rules, args.at, key.id())?;
    taps.notes.extend(note);
    let text = match args.format {
        Look::Text => taps.text(),
        Look::Csv => taps.csv()?,
        Look::Html => taps.html(),
        Look::Json => taps.lines(),
    };
    let text = if args.enclave_key.is_some() { in_clear(args, &key, &taps.lines(), &text)? } else { text };
    match &args.out {
        None => explain::print(&text)?,
        Some(out) => {
            let path = if out.is_dir() { out.join(format!("taps.{}", args.format.ending())) } else { out.clone() };
            folder::put(&path, text.as_bytes(), 0o600)?;
            tracing::info!("{}: {}", path.display(), taps.counts());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The site as it was at the moment that was asked for, where a run kept it; else the one at hand, and a note that says so.
fn site(args: &Taps, key: &Key) -> anyhow::Result<(Site, Option<String>)> {
    let Some(at) = args.at else { return Ok((Site::load(args.site.as_deref(), key)?, None)) };
    let hash = copies::as_of(&args.from, at);
    if let Some(copy) = hash.as_deref().and_then(|hash| copies::of(&args.from, hash)) {
        match site::open_kept(&copy, Some(key)) {
            Ok(site) => {
                let short = site.hash().get(..16).unwrap_or_default();
                let from = format!("from the copy {short} that the run kept");
                return Ok((site, Some(format!("orders and other site tables are those of that time, {from}"))));
            }
            Err(why) => tracing::warn!("{why}"),
        }
    }
    let site = Site::load(args.site.as_deref(), key)?;
    if args.site.is_none() {
        return Ok((site, None));
    }
    Ok((site, Some("orders and other site tables are those of now: no copy of that time is kept, so that an order that has changed since is judged as it is now".to_owned())))
}

/// The page with what the register resolves, once the access is recorded.
fn in_clear(args: &Taps, key: &Key, lines: &str, page: &str) -> anyhow::Result<String> {
    let shown = [("taps", Value::from(lines)), ("page", Value::from(page))];
    let clear = enclave::view((&args.from, args.site.as_deref()), key, "report taps", "all taps", &shown)?;
    Ok(if matches!(args.format, Look::Html) { clear.clear_html(page) } else { clear.clear(page) })
}

/// The lake of an output folder, or the folder itself.
fn lake_of(from: &Path) -> PathBuf {
    let summary = fs::read(from.join("summary.json")).ok();
    let summary = summary.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let told = summary.as_ref().and_then(|s| s.get("lake")?.as_str()).map(PathBuf::from);
    let inside = [told, Some(from.join("lake"))].into_iter().flatten().find(|dir| dir.is_dir());
    inside.unwrap_or_else(|| from.to_owned())
}
