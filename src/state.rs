//! The folder of `watch --state`: snapshots, the newest of which a restart goes on from (contracts: restart of `watch`).
//!
//! A snapshot is written under a temporary name, synced and renamed; the one before it is kept, in case the newest is damaged. Who
//! works holds a lock on the folder; another watch stands by until the lock is free, which it is as soon as the holder's process
//! ends, however it ends, and goes on from the holder's state. So a standby needs nothing but the folder, shared by a file system with
//! locks (a local disk, NFS 4).
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use lidr_analytics::snapshot::{self, EngineState, Snapshot, SourceState, Tables};
use serde_json::Value;

use crate::folder;

/// Snapshots that are kept.
const KEPT: usize = 2;
/// How often a standby looks whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A snapshot is due when the watermark enters another of these, µs: windows close at its multiples, few of them more often.
const STEP: i64 = 60_000_000;

/// Makes sure that what was found is safe elsewhere.
pub(crate) type Settle = Box<dyn Fn() -> anyhow::Result<()>>;

/// A state folder that is ours.
pub(crate) struct State {
    dir: PathBuf,
    /// Held open: the lock goes with it.
    _lock: File,
    name: Value,
    every: Duration,
    settle: Option<Settle>,
    /// Somebody else had it first.
    waited: bool,
    next: u64,
    written: Option<Instant>,
    /// Step of the watermark of the last snapshot, and of now.
    steps: (i64, i64),
}

impl State {
    /// Takes the folder, waiting for it as long as somebody else holds it; nothing if `stop` is set meanwhile.
    pub(crate) fn open(dir: &Path, name: Value, every: Duration, stop: &AtomicBool) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        let lock = options.create(true).append(true).mode(0o600).open(&path);
        let lock = lock.with_context(|| path.display().to_string())?;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if stop.load(Ordering::Relaxed) => return Ok(None),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!("another watch holds {}: standing by", dir.display());
                    }
                    told = true;
                    thread::sleep(LOOK_EVERY);
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
            }
        }
        if told {
            tracing::info!("{} is free: taking over", dir.display());
        }
        let next = snapshots(dir)?.last().map_or(1, |(number, _)| number + 1);
        let (dir, steps) = (dir.to_owned(), (i64::MIN, i64::MIN));
        Ok(Some(Self { dir, _lock: lock, name, every, settle: None, waited: told, next, written: None, steps }))
    }

    /// Whether it was somebody else's when it was asked for.
    pub(crate) const fn waited(&self) -> bool {
        self.waited
    }

    /// Calls this before a snapshot is written: what was found before it must not be lost.
    pub(crate) fn after(mut self, settle: Settle) -> Self {
        self.settle = Some(settle);
        self
    }

    /// The newest snapshot that is whole. Damaged ones are said; with none left it is an error and not a fresh start, for somebody
    /// has to know that findings will be repeated.
    pub(crate) fn latest(&mut self) -> anyhow::Result<Option<(Snapshot, Tables)>> {
        let found = snapshots(&self.dir)?;
        let mut damaged = Vec::new();
        for (_, path) in found.iter().rev() {
            match read(path) {
                Ok((snapshot, _)) if snapshot.name != self.name => bail!(
                    "{}: needed the state of {}, had that of {}: take another folder for --state",
                    path.display(),
                    self.name,
                    snapshot.name
                ),
                Ok(whole) => {
                    if !damaged.is_empty() {
                        tracing::warn!("{}; the one before it, {}, is used", damaged.join("; "), path.display());
                    }
                    return Ok(Some(whole));
                }
                Err(why) => damaged.push(format!("{}: {why}", path.display())),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        bail!("no snapshot is whole: {}; remove them to begin with what the topics hold", damaged.join("; "))
    }

    /// The watermark has come so far.
    pub(crate) const fn reached(&mut self, watermark: i64) {
        self.steps.1 = watermark.div_euclid(STEP);
    }

    /// Whether windows have been judged since the last snapshot, and that is long enough ago.
    pub(crate) fn wants(&self) -> bool {
        self.steps.1 > self.steps.0 && self.written.is_none_or(|at| at.elapsed() >= self.every)
    }

    /// Writes a snapshot.
    pub(crate) fn write(&mut self, engine: EngineState, source: SourceState, tables: &Tables) -> anyhow::Result<()> {
        if let Some(settle) = &self.settle {
            settle()?;
        }
        let octets = snapshot::encode(&Snapshot { name: self.name.clone(), engine, source }, tables)?;
        folder::put(&self.dir.join(format!("snapshot-{:020}", self.next)), &octets, 0o600)?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).with_context(|| self.dir.display().to_string())?;
        self.next += 1;
        (self.written, self.steps.0) = (Some(Instant::now()), self.steps.1);
        let old = snapshots(&self.dir)?;
        for (_, path) in old.iter().rev().skip(KEPT) {
            fs::remove_file(path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<(Snapshot, Tables)> {
    let mut octets = Vec::new();
    File::open(path)?.read_to_end(&mut octets)?;
    Ok(snapshot::decode(&octets)?)
}

/// Snapshots by their number.
fn snapshots(dir: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let number = path.file_name().and_then(|n| n.to_str()?.strip_prefix("snapshot-")?.parse().ok());
        out.extend(number.map(|number: u64| (number, path)));
    }
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests;
