//! The site folder, looked through to its end: every table with its lines, every error with its place, what is not there.
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use lidr_analytics::site::{Found, survey};
use lidr_ingest::log::Sources;

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};
use crate::inputs::source_dirs;

/// Doubtful lines of a table that are told one by one.
const MOST: usize = 5;

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let Some(dir) = asked.args.site.as_deref() else {
        return vec![unchecked(
            "no site folder was named: without one only rules that need no table judge (below)",
            "--site DIR checks it; `lidr doctor --propose-site CAPTURE --out-site DIR` writes a first one",
        )];
    };
    let key = match asked.any_key() {
        Ok(key) => key,
        Err(why) => return vec![fail(format!("{why:#}"), "")],
    };
    let found = survey(dir, &key);
    let mut out: Vec<Check> = found.wrong.iter().map(|why| fail(why.to_string(), "")).collect();
    out.extend(found.doubts.iter().map(|doubt| warn(doubt.to_string(), "")));
    out.extend(found.tables.iter().flat_map(table));
    if found.tables.is_empty() && found.wrong.is_empty() {
        out.push(warn(
            format!("{} has no table", dir.display()),
            "is it the right folder? Tables are files such as zones.csv",
        ));
    }
    if !found.absent.is_empty() {
        out.push(unchecked(
            format!("not there: {}", found.absent.join(", ")),
            "rules that need one of them are not evaluated and named below; those that only use it judge with less confidence",
        ));
    }
    if !found.time_zone && found.is_sound() {
        out.push(warn(
            "site.toml names no time_zone: hours in accounts are taken for UTC",
            "time_zone = \"Europe/Berlin\", or yours",
        ));
    }
    out.extend(mappings(asked));
    out
}

fn table(found: &Found) -> Vec<Check> {
    let mut out: Vec<Check> = found.wrong.iter().map(|why| fail(why.to_string(), "")).collect();
    if found.more > 0 {
        out.push(fail(
            format!("{}: {} more errors", found.file, found.more),
            "mend the first ones: the others may go with them",
        ));
    }
    if found.wrong.is_empty() {
        out.push(match found.lines {
            0 => warn(
                format!("{}: no lines", found.file),
                "an empty table says that there are none; one that is not known is left out",
            ),
            n => ok(format!("{}: {n} {}", found.file, if n == 1 { "line" } else { "lines" })),
        });
    }
    out.extend(open_to_all(found));
    out.extend(found.doubts.iter().take(MOST).map(|doubt| warn(doubt.to_string(), "")));
    let more = found.doubts.len().saturating_sub(MOST);
    if more > 0 {
        out.push(warn(format!("{}: {more} more like these", found.file), ""));
    }
    out
}

/// A register that every user of this machine may read.
fn open_to_all(found: &Found) -> Option<Check> {
    let mode = fs::metadata(&found.file).ok().filter(|m| m.is_file())?.permissions().mode() & 0o777;
    let why = format!("{} has mode {mode:o}: every user of this machine may read who is tapped", found.file);
    (found.name == "warrants" && mode & 0o004 != 0).then(|| warn(why, format!("`chmod o-r {}`", found.file)))
}

/// The mappings of record files: all that is wrong with them.
fn mappings(asked: &Asked<'_>) -> Vec<Check> {
    let dirs = source_dirs(asked.args.site.as_deref(), &asked.args.decode.sources);
    if dirs.is_empty() {
        return Vec::new();
    }
    let Ok(key) = asked.any_key() else { return Vec::new() };
    match Sources::load(&dirs, &BTreeMap::new(), &key) {
        Ok(sources) => vec![ok(format!("mappings of record files: {}, lidr's own among them", sources.list().count()))],
        Err(why) => {
            why.to_string().lines().map(|line| fail(line, "`lidr sources show NAME` shows one that works")).collect()
        }
    }
}
