//! `lidr hunt`: the same rules over months of Parquet; or a query over it.
use std::{fs, io::Write, process::ExitCode, time::Instant};

use anyhow::{Context, bail};
use lidr_analytics::{Site, lake::Lake, query};
use serde_json::json;

use crate::{
    args::{Hunt, Shape},
    judge::Judging,
    key,
    take::Taker,
};

pub(crate) fn run(args: &Hunt, quiet: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let key = key::given_or_kept(&args.judge.key)?;
    let site = Site::load(args.judge.site.as_deref(), &key)?;
    let lake = Lake::open(&args.lake, key.id())?;
    if let Some(text) = question(args)? {
        let answer = query::ask(&lake, &site, &text)?;
        let text = match args.judge.format {
            Shape::Text => answer.table()?,
            Shape::Json => answer.lines()?,
        };
        std::io::stdout().write_all(text.as_bytes()).context("standard output")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut judging = Judging::start(&args.judge, args.range, &key, site, None)?;
    if !args.show.all {
        judging.outputs.group();
    }
    let done = lake.read(&mut Taker(&mut judging)).map_err(anyhow::Error::from);
    let done = done.and_then(|read| judging.finish(read.end).map(|()| read));
    if done.is_err() {
        judging.outputs.tell()?;
    }
    let read = done?;
    let input =
        json!({ "path": args.lake, "size": read.size, "files": read.files, "first": read.first, "last": read.last });
    judging.end("hunt", 1, started, json!({ "inputs": [input], "lake": args.lake }), quiet)
}

/// The query, wherever it stands.
fn question(args: &Hunt) -> anyhow::Result<Option<String>> {
    match (&args.sql, &args.sql_file) {
        (Some(_), Some(_)) => bail!("--sql and --sql-file: needed one of them, had both"),
        (Some(text), None) => Ok(Some(text.clone())),
        (None, Some(path)) => fs::read_to_string(path).with_context(|| path.display().to_string()).map(Some),
        (None, None) => Ok(None),
    }
}
