//! A finding in an output folder, by its id or the beginning of it.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::Value;

use super::text;

/// Findings that an error lists.
const MOST_LISTED: usize = 10;
/// Digits of an id that are enough to look for.
const SHORTEST: usize = 4;

/// Every line of one finding, as written, the oldest first, and the last of them.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) written: Vec<String>,
    pub(super) last: Value,
}

/// Looks for the finding whose id begins so.
pub(super) fn find(dir: &Path, prefix: &str) -> anyhow::Result<Lines> {
    let prefix = prefix.trim().to_lowercase();
    if prefix.len() < SHORTEST || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!(
            "`{prefix}` is no finding's id: needed at least {SHORTEST} hexadecimal digits, as findings.ndjson has them in finding_info.uid"
        );
    }
    let (mut found, mut others): (BTreeMap<String, Lines>, BTreeMap<String, String>) = Default::default();
    for path in files(dir)? {
        read(&path, |place, line, finding| {
            // A run that was cut off may have left half a line.
            let Ok(finding) = finding else {
                tracing::warn!("{place}: not a finding, passed over");
                return Ok(());
            };
            let uid = text(&finding, "/finding_info/uid");
            let what = format!(
                "{uid}  {:<6} {}",
                text(&finding, "/finding_info/analytic/uid"),
                text(&finding, "/finding_info/title")
            );
            if uid.starts_with(&prefix) {
                let lines = found.entry(uid).or_insert_with(|| Lines { written: Vec::new(), last: Value::Null });
                lines.written.push(line);
                lines.last = finding;
            } else if others.len() < MOST_LISTED {
                others.insert(uid, what);
            }
            Ok(())
        })?;
    }
    let many = found.len();
    match found.pop_first() {
        Some((_, lines)) if many == 1 => Ok(lines),
        Some((first, lines)) => {
            let all = std::iter::once((first, lines)).chain(found);
            let named = all.map(|(uid, l)| format!("  {uid}  {}", text(&l.last, "/finding_info/title")));
            bail!(
                "{many} findings begin with `{prefix}`, needed one:\n{}",
                named.take(MOST_LISTED).collect::<Vec<_>>().join("\n")
            )
        }
        None if others.is_empty() => bail!("{}: no findings in it", dir.display()),
        None => {
            let listed: Vec<String> = others.into_values().map(|l| format!("  {l}")).collect();
            bail!("{}: no finding `{prefix}`; findings in it are:\n{}", dir.display(), listed.join("\n"))
        }
    }
}

/// The files of findings, the oldest first: those that `--rotate` kept, then the one at hand.
pub(crate) fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(dir).with_context(|| format!("{}: needed an output folder (--out of a run)", dir.display()))?;
    let is_kept = |name: &str| name.starts_with("findings-") && name.ends_with(".ndjson");
    let mut out: Vec<PathBuf> =
        entries.flatten().filter(|e| is_kept(&e.file_name().to_string_lossy())).map(|e| e.path()).collect();
    out.sort();
    let now = dir.join("findings.ndjson");
    if now.exists() {
        out.push(now);
    }
    if out.is_empty() {
        bail!("{}: no findings.ndjson in it, needed an output folder (--out of a run)", dir.display());
    }
    Ok(out)
}

/// Gives each line of a file: where it is, its text, and what it says if it is JSON.
pub(crate) fn read(
    path: &Path,
    mut take: impl FnMut(&str, String, serde_json::Result<Value>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let place = || path.display().to_string();
    let file = BufReader::new(File::open(path).with_context(place)?);
    // A line may be cut in the middle of a letter.
    for (i, line) in file.split(b'\n').enumerate() {
        let line = String::from_utf8_lossy(&line.with_context(place)?).into_owned();
        if line.trim().is_empty() {
            continue;
        }
        let finding = serde_json::from_str(&line);
        take(&format!("{}:{}", path.display(), i + 1), line, finding)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_or_its_beginning_finds_every_line_of_one_finding() {
        let dir = tempfile::tempdir().unwrap();
        let line = |uid: &str, n: u32| format!("{{\"finding_info\":{{\"uid\":\"{uid}\",\"title\":\"T{n}\"}}}}\n");
        fs::write(dir.path().join("findings-2026-01-01T000000Z.ndjson"), line("aaaa1111", 1)).unwrap();
        fs::write(dir.path().join("findings.ndjson"), line("aaaa2222", 2) + &line("aaaa1111", 3) + "{\"cut").unwrap();
        let one = find(dir.path(), "AAAA1").unwrap();
        assert_eq!((one.written.len(), text(&one.last, "/finding_info/title")), (2, "T3".to_owned()));
        let said = |prefix: &str| find(dir.path(), prefix).unwrap_err().to_string();
        assert!(said("aaaa").contains("2 findings begin with `aaaa`") && said("aaaa").contains("aaaa2222"));
        assert!(said("bbbb").contains("no finding `bbbb`") && said("bbbb").contains("aaaa1111"));
        assert!(said("a").contains("at least 4") && said("wxyz").contains("hexadecimal"));
        assert!(find(&dir.path().join("none"), "aaaa").unwrap_err().to_string().contains("output folder"));
    }
}
