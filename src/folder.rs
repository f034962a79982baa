//! The output folder (contracts: output folder).
//!
//! Beside findings and summary it holds copies of the site's tables that judged (`copies.rs`).
//! `findings.ndjson` is appended and flushed per finding, so that a run that is cut off has lost nothing; a line that found no room is
//! taken back, and one that a crash has cut is taken away when the folder is opened again: there are whole lines only.
//! `summary.json` is written under a temporary name and renamed. A folder with findings or the summary of another run is refused. A run that goes on for ever
//! (`watch`) writes at its start whose folder it is, opens its own again and appends; it may begin a new file at every multiple
//! of some time, by the clock of the machine: that is the operator's housekeeping and no finding depends on it.
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::copies::Copies;

/// A run that opens its own folder again.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// Fields of its summary by which it knows the folder.
    pub(crate) name: Value,
    /// Length of a file of findings, µs.
    pub(crate) rotate: Option<i64>,
}

/// An output folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    findings: File,
    rotate: Option<i64>,
    /// When the file at hand began to be written, µs since the epoch.
    since: i64,
    /// Sites that judged.
    pub(crate) copies: Copies,
}

impl Folder {
    /// Makes the folder or takes it over.
    pub(crate) fn open(dir: &Path, force: bool, own: Option<Own>) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join("findings.ndjson");
        let again = is_used(dir) && !force;
        if again && !own.as_ref().is_some_and(|own| is_own(dir, &own.name)) {
            bail!(
                "{} holds the findings of another run: choose another folder, or --force to replace them",
                dir.display()
            );
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(!again).mode(0o600);
        let mut findings = options.open(&path).with_context(|| path.display().to_string())?;
        let since = findings.metadata().and_then(|m| m.modified()).map_or_else(|_| now(), micros);
        if again {
            whole_lines(&mut findings).with_context(|| path.display().to_string())?;
        }
        let (rotate, copies) = (own.as_ref().and_then(|o| o.rotate), Copies::new(dir, !again));
        let folder = Self { dir: dir.to_owned(), findings, rotate, since, copies };
        if let Some(own) = own.filter(|_| !again) {
            folder.summary(&own.name)?;
        }
        Ok(folder)
    }

    /// Adds a line of findings.
    pub(crate) fn append(&mut self, line: &str) -> anyhow::Result<()> {
        self.turn(now())?;
        let done = add(&mut self.findings, format!("{line}\n").as_bytes());
        done.with_context(|| self.dir.join("findings.ndjson").display().to_string())
    }

    /// What was appended is on the disk.
    #[cfg(feature = "kafka")]
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        let done = self.findings.sync_data().and_then(|()| File::open(&self.dir)?.sync_all());
        done.with_context(|| self.dir.join("findings.ndjson").display().to_string())
    }

    /// Begins a new file where the time of the one at hand is over.
    fn turn(&mut self, now: i64) -> anyhow::Result<()> {
        let Some(length) = self.rotate.filter(|length| *length > 0) else { return Ok(()) };
        if now.div_euclid(length) <= self.since.div_euclid(length) {
            return Ok(());
        }
        let start = self.since.div_euclid(length) * length;
        self.since = now;
        let path = self.dir.join("findings.ndjson");
        if self.findings.metadata().with_context(|| path.display().to_string())?.len() == 0 {
            return Ok(());
        }
        let moved = self.findings.sync_all().and_then(|()| fs::rename(&path, self.kept(start)));
        moved.with_context(|| path.display().to_string())?;
        let mut options = OpenOptions::new();
        self.findings =
            options.write(true).create_new(true).mode(0o600).open(&path).with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// A free name for the file that began then.
    fn kept(&self, start: i64) -> PathBuf {
        let time = lidr_analytics::time::seconds_text(start).replace(' ', "T").replace(':', "");
        let first = self.dir.join(format!("findings-{time}Z.ndjson"));
        let more = (2..).map(|n: u64| self.dir.join(format!("findings-{time}Z-{n}.ndjson")));
        std::iter::once(first).chain(more).find(|path| !path.exists()).unwrap_or_default()
    }

    /// Writes the summary.
    pub(crate) fn summary(&self, summary: &Value) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(summary)?;
        text.push('\n');
        put(&self.dir.join("summary.json"), text.as_bytes(), 0o600)
    }
}

/// Whether a run has left findings or its summary in a folder.
pub(crate) fn is_used(dir: &Path) -> bool {
    fs::metadata(dir.join("findings.ndjson")).is_ok_and(|m| m.len() > 0) || dir.join("summary.json").exists()
}

/// Writes a file whole or not at all: under a temporary name beside it, synced, renamed.
pub(crate) fn put(path: &Path, octets: &[u8], mode: u32) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    // A file of that name is what a run that was cut off left, or somebody's link: neither is written into.
    drop(fs::remove_file(&temporary));
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(mode);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // What could not be written need not stay; the next run would replace it anyway.
        drop(fs::remove_file(&temporary));
    }
    done.with_context(|| path.display().to_string())
}

/// Appends all of it or nothing.
fn add(file: &mut File, octets: &[u8]) -> std::io::Result<()> {
    let before = file.seek(SeekFrom::End(0))?;
    file.write_all(octets).inspect_err(|_| {
        // A full disk takes the beginning of a line; the error is told either way.
        drop(file.set_len(before));
    })
}

/// Whether the folder's summary says what this run would say of itself.
fn is_own(dir: &Path, name: &Value) -> bool {
    let text = fs::read_to_string(dir.join("summary.json")).unwrap_or_default();
    let summary: Value = serde_json::from_str(&text).unwrap_or_default();
    name.as_object().is_some_and(|fields| fields.iter().all(|(field, value)| summary.get(field) == Some(value)))
}

/// Takes away a line at the end that a crash has cut: whoever goes on writes its finding again.
fn whole_lines(file: &mut File) -> std::io::Result<()> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::take(&mut *file, end - start).read_to_end(&mut part)?;
        if let Some(last) = part.iter().rposition(|octet| *octet == b'\n') {
            return file.set_len(start + last as u64 + 1);
        }
        end = start;
    }
    file.set_len(0)
}

/// The machine's clock, µs since the epoch: for the operator's files, never for findings.
pub(crate) fn now() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

fn micros(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn own(group: &str) -> Option<Own> {
        Some(Own { name: json!({ "verb": "watch", "group": group }), rotate: None })
    }

    #[test]
    fn a_folder_of_another_run_is_refused_and_an_empty_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        // A run that never came to a finding or a summary leaves a folder that is free.
        drop(Folder::open(dir.path(), false, None).unwrap());
        let mut folder = Folder::open(dir.path(), false, None).unwrap();
        folder.append("{}").unwrap();
        assert!(Folder::open(dir.path(), false, None).unwrap_err().to_string().contains("--force"));
        assert!(Folder::open(dir.path(), false, own("a")).is_err(), "a watch does not take the folder of a replay");
        drop(Folder::open(dir.path(), true, None).unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("findings.ndjson")).unwrap(), "");
    }

    #[test]
    fn a_watch_opens_its_own_folder_again_and_appends() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), false, own("a")).unwrap();
        folder.append("1").unwrap();
        // A crash in the middle of a line.
        write!(folder.findings, "2").unwrap();
        drop(folder);
        let mut folder = Folder::open(dir.path(), false, own("a")).unwrap();
        folder.append("3").unwrap();
        folder.summary(&json!({ "verb": "watch", "rows": {}, "group": "a" })).unwrap();
        Folder::open(dir.path(), false, own("a")).unwrap().append("4").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("findings.ndjson")).unwrap(), "1\n3\n4\n");
        assert!(Folder::open(dir.path(), false, own("b")).is_err(), "another group's");
        assert!(Folder::open(dir.path(), false, None).is_err(), "a replay does not append");
    }

    #[test]
    fn files_turn_with_the_time_and_none_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let day = 86_400_000_000;
        let mut folder = Folder::open(dir.path(), false, own("a")).unwrap();
        (folder.rotate, folder.since) = (Some(day), 20_000 * day + 5);
        folder.turn(20_001 * day).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing to keep of an empty file");
        for line in ["1", "2"] {
            folder.findings.write_all(line.as_bytes()).unwrap();
            folder.turn(20_001 * day + 1).unwrap();
            folder.turn(20_002 * day).unwrap();
            folder.since = 20_001 * day;
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let (first, second) = ("findings-2024-10-05T000000Z.ndjson", "findings-2024-10-05T000000Z-2.ndjson");
        assert_eq!((read(first), read(second), read("findings.ndjson")), ("1".into(), "2".into(), String::new()));
    }
}
