//! `lidr hunt`: the same rules over months of Parquet; or a query over it.
use std::{fs, io::Write, process::ExitCode};

use anyhow::Context;
use lidr_analytics::{Site, lake};
use serde_json::json;

use crate::{args::Hunt, judge::Judging, key, take::Taker, usage};

pub(crate) fn run(args: &Hunt, quiet: bool) -> anyhow::Result<ExitCode> {
    let key = key::given_or_kept(&args.judge.key)?;
    let site = Site::load(args.judge.site.as_deref(), &key)?;
    let query = match (&args.sql, &args.sql_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) => Some(fs::read_to_string(path).with_context(|| path.display().to_string())?),
        (None, None) => None,
    };
    if let Some(text) = query {
        writeln!(std::io::stdout(), "{}", lake::query(&args.lake, &site, &text)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut judging = Judging::start(&args.judge, &key, site)?.within(args.from, args.to);
    let end = lake::read(&args.lake, key.id(), &mut Taker(&mut judging))?;
    judging.finish(end)?;
    let (rules, findings) = judging.account();
    let summary = json!({
        "lake": args.lake,
        "rules": rules,
        "findings": findings,
        "seconds": { "cpu": usage::cpu_seconds() },
        "peak_rss_bytes": usage::peak_rss_bytes(),
        "version": env!("CARGO_PKG_VERSION"),
        "key_id": key.id(),
    });
    judging.outputs.summary(&summary)?;
    if !quiet {
        writeln!(std::io::stderr(), "findings  {findings}", findings = summary["findings"])?;
    }
    Ok(if judging.outputs.failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
