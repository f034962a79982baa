//! Copies of the site's tables in an output folder: one for each site that judged, and when which was read.
//!
//! `site/HASH` is a copy (`analytics/src/site/kept.rs`), `site/read.ndjson` has a line for each time a copy was taken, and one for the
//! end of the run: by the machine's clock, for what the register said at a moment is a fact of the world and not of the rows. A copy that
//! a finding refers to stays for ever; of the others the newest few do.
use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use lidr_analytics::{Site, site};
use serde_json::{Value, json};

use crate::folder::now;

/// Copies that are kept although no finding refers to them, the one at hand included.
const MOST_UNREFERRED: usize = 8;
/// A file in a copy that a finding refers to.
const REFERRED: &str = "referred";

/// The copies of a run.
#[derive(Debug)]
pub(crate) struct Copies {
    parent: PathBuf,
    /// The hash of the copy at hand.
    now: String,
    referred: BTreeSet<String>,
    /// Pseudonyms of identifiers in the copies.
    known: HashSet<[u8; 16]>,
}

impl Copies {
    /// Of a run that writes into this folder; `anew` where what an earlier run left there does not count.
    pub(crate) fn new(out: &Path, anew: bool) -> Self {
        let parent = out.join("site");
        if anew {
            for (_, dir) in all(&parent) {
                drop(fs::remove_dir_all(dir));
            }
            drop(fs::remove_file(parent.join("read.ndjson")));
        }
        // What a run that was cut off left half written or half removed.
        for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().ends_with(b".tmp") {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
        // The newest only: copies that findings refer to stay for ever, and a start must not take longer each month.
        let mut copies: Vec<_> = all(&parent).into_iter().map(|(_, dir)| (modified(&dir), dir)).collect();
        copies.sort();
        let newest = copies.iter().rev().take(MOST_UNREFERRED);
        let kept = newest.filter_map(|(_, dir)| site::open_kept(dir, None).ok());
        let known = kept.flat_map(|site| site.pseudonyms()).collect();
        Self { parent, now: String::new(), referred: BTreeSet::new(), known }
    }

    /// Keeps a copy of a site that judges from now on.
    pub(crate) fn take(&mut self, site: &Site) -> anyhow::Result<()> {
        self.known.extend(site.pseudonyms());
        let Some(dir) = site.keep(&self.parent, &self.known)? else { return Ok(()) };
        // The copies that were at hand last are kept longest, not those that were made last.
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(now().unsigned_abs());
        drop(File::open(dir).and_then(|dir| dir.set_modified(at)));
        let first = self.now.is_empty();
        site.hash().clone_into(&mut self.now);
        self.note(&json!({ "read": now(), "site_hash": site.hash(), "first": first }))?;
        self.prune()
    }

    /// A finding refers to the copy of that hash.
    pub(crate) fn refer(&mut self, hash: &str) -> anyhow::Result<()> {
        if self.referred.contains(hash) || !site::is_hash(hash) {
            return Ok(());
        }
        let path = self.parent.join(hash).join(REFERRED);
        if path.parent().is_some_and(Path::is_dir) {
            let mut options = OpenOptions::new();
            let made = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
            made.and_then(|file| file.sync_all()).with_context(|| path.display().to_string())?;
        }
        self.referred.insert(hash.to_owned());
        Ok(())
    }

    /// The run has ended: until now the last copy was what was judged with.
    pub(crate) fn end(&self) -> anyhow::Result<()> {
        if self.now.is_empty() { Ok(()) } else { self.note(&json!({ "ended": now() })) }
    }

    fn note(&self, line: &Value) -> anyhow::Result<()> {
        let path = self.parent.join("read.ndjson");
        let write = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| path.display().to_string())
    }

    /// Lets go of the oldest copies that no finding refers to.
    fn prune(&self) -> anyhow::Result<()> {
        let mut free: Vec<(SystemTime, PathBuf)> = Vec::new();
        for (hash, dir) in all(&self.parent).into_iter().filter(|(hash, _)| *hash != self.now) {
            if !self.referred.contains(&hash) && !dir.join(REFERRED).exists() {
                free.push((modified(&dir), dir));
            }
        }
        free.sort();
        for (_, dir) in free.iter().rev().skip(MOST_UNREFERRED - 1) {
            // Under a name that nobody takes for a copy first: what is removed half is none.
            let gone = self.parent.join(".gone.tmp");
            drop(fs::remove_dir_all(&gone));
            fs::rename(dir, &gone)
                .and_then(|()| fs::remove_dir_all(&gone))
                .with_context(|| dir.display().to_string())?;
        }
        File::open(&self.parent).and_then(|dir| dir.sync_all()).with_context(|| self.parent.display().to_string())
    }
}

/// When a copy was at hand last.
fn modified(dir: &Path) -> SystemTime {
    fs::metadata(dir).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Copies in a folder, by hash.
fn all(parent: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()));
    named.filter(|(name, _)| site::is_hash(name)).collect()
}

/// The copy of that site in an output folder, if it is there.
pub(crate) fn of(out: &Path, hash: &str) -> Option<PathBuf> {
    let dir = out.join("site").join(hash);
    (site::is_hash(hash) && dir.join("copy.json").is_file()).then_some(dir)
}

/// The hash of the copy that was in force at that time: read before it, and still at hand when the next one was or the run ended.
pub(crate) fn as_of(out: &Path, time: i64) -> Option<String> {
    let text = fs::read_to_string(out.join("site").join("read.ndjson")).ok()?;
    let mut found: Option<String> = None;
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let at = |name: &str| line.get(name).and_then(Value::as_i64);
        match (at("read"), at("ended")) {
            (Some(read), _) if read <= time => found = line.get("site_hash").and_then(Value::as_str).map(str::to_owned),
            (None, Some(ended)) if ended < time => found = None,
            // The run before was cut off: how long its last copy was in force nobody knows.
            (Some(_), _) if line.get("first") == Some(&Value::Bool(true)) => return None,
            (None, None) => {}
            _ => return found,
        }
    }
    // The run goes on, or was cut off: what was read last is known for no time that has no end.
    None
}

#[cfg(test)]
mod tests {
    use lidr_schema::Key;

    use super::*;

    fn site(name: &str) -> (tempfile::TempDir, Site) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sensors.csv"), format!("name\n{name}\n")).unwrap();
        let site = Site::load(Some(dir.path()), &Key::from_hex(&"0b".repeat(32)).unwrap()).unwrap();
        (dir, site)
    }

    #[test]
    fn a_copy_that_a_finding_refers_to_stays_and_of_the_others_the_newest_do() {
        let out = tempfile::tempdir().unwrap();
        let mut copies = Copies::new(out.path(), false);
        let sites: Vec<Site> = (0..12).map(|i| site(&format!("tap{i}")).1).collect();
        for (i, site) in sites.iter().enumerate() {
            copies.take(site).unwrap();
            if i == 1 {
                copies.refer(site.hash()).unwrap();
            }
            // Another process, as after a restart: what is referred to stands on disk.
            copies = Copies { now: copies.now.clone(), ..Copies::new(out.path(), false) };
        }
        let kept: Vec<bool> = sites.iter().map(|s| of(out.path(), s.hash()).is_some()).collect();
        assert_eq!(kept.iter().filter(|k| **k).count(), MOST_UNREFERRED + 1, "{kept:?}");
        assert!(kept[1] && kept[11] && !kept[0] && !kept[2], "{kept:?}");
        Copies::new(out.path(), true);
        assert!(of(out.path(), sites[1].hash()).is_none(), "a run that takes the folder over begins anew");
    }

    #[test]
    fn a_copy_was_in_force_from_its_reading_to_the_next_or_the_end() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("site")).unwrap();
        let write = |text: &str| fs::write(out.path().join("site/read.ndjson"), text).unwrap();
        let lines = "{\"read\":10,\"site_hash\":\"a\"}\n{\"read\":20,\"site_hash\":\"b\"}\n";
        write(lines);
        let at = |time| as_of(out.path(), time);
        assert_eq!([at(9), at(10), at(19)], [None, Some("a".to_owned()), Some("a".to_owned())]);
        assert_eq!(at(25), None, "nobody says how long the last one was in force");
        write(&format!("{lines}{{\"ended\":30}}\n{{\"read\":40,\"site_hash\":\"c\"}}\n{{\"ended\":50}}\n"));
        assert_eq!([at(25), at(35), at(45), at(60)], [Some("b".to_owned()), None, Some("c".to_owned()), None]);
        write(&format!("{lines}{{\"read\":40,\"site_hash\":\"c\",\"first\":true}}\n"));
        assert_eq!([at(15), at(35)], [Some("a".to_owned()), None], "the second one was cut off");
        assert_eq!(as_of(&out.path().join("none"), 10), None);
    }
}
