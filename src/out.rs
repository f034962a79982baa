//! Where findings go: standard output and the output folder.
//!
//! Standard output carries findings only. `findings.ndjson` is appended and flushed per finding, so that a run that is cut off
//! has lost nothing; `summary.json` is written under a temporary name and renamed.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lidr_analytics::{Finding, output};
use lidr_schema::finding::Severity;

use crate::args::{Judge, Shape};

/// Takes findings as they are made.
#[derive(Debug)]
pub(crate) struct Outputs {
    folder: Option<Folder>,
    shape: Shape,
    colour: bool,
    fail_on: Option<Severity>,
    failed: bool,
    /// Findings on this run, by id, with their greatest severity.
    pub(crate) seen: std::collections::BTreeMap<String, Severity>,
}

impl Outputs {
    /// Opens what the options ask for.
    pub(crate) fn open(judge: &Judge) -> anyhow::Result<Self> {
        Ok(Self {
            folder: judge.out.as_deref().map(|dir| Folder::open(dir, judge.force)).transpose()?,
            shape: judge.format,
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            fail_on: judge.fail_on,
            failed: false,
            seen: Default::default(),
        })
    }

    /// Writes findings in the order in which they were made.
    pub(crate) fn write(&mut self, findings: &[Finding]) -> anyhow::Result<()> {
        for finding in findings {
            self.one(finding)?;
        }
        Ok(())
    }

    fn one(&mut self, finding: &Finding) -> anyhow::Result<()> {
        let most = self.seen.entry(finding.uid.clone()).or_insert(finding.severity);
        *most = finding.severity.max(*most);
        self.failed |= self.fail_on.is_some_and(|level| finding.severity >= level);
        let line = finding.to_json().to_string();
        if let Some(folder) = &mut self.folder {
            folder.append(&line)?;
        }
        let text = match self.shape {
            Shape::Json => format!("{line}\n"),
            Shape::Text => output::text(finding, self.colour),
        };
        match io::stdout().write_all(text.as_bytes()) {
            // Whoever reads has seen enough (`lidr replay … | head`): the folder still gets everything.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("standard output"),
        }
    }

    /// Whether a finding was at or above `--fail-on`.
    pub(crate) const fn failed(&self) -> bool {
        self.failed
    }

    /// Distinct findings by severity.
    pub(crate) fn by_severity(&self) -> serde_json::Value {
        let count = |s: Severity| self.seen.values().filter(|v| **v == s).count();
        Severity::ALL.iter().map(|s| (s.name().to_owned(), serde_json::json!(count(*s)))).collect()
    }

    /// Writes the summary into the output folder.
    pub(crate) fn summary(&self, summary: &serde_json::Value) -> anyhow::Result<()> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.summary(summary))
    }

    /// The output folder, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(|f| f.dir.as_path())
    }
}

#[derive(Debug)]
struct Folder {
    dir: PathBuf,
    findings: File,
}

impl Folder {
    fn open(dir: &Path, force: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join("findings.ndjson");
        if path.exists() && !force {
            bail!("{} holds the findings of another run: choose another folder, or --force to replace them", dir.display());
        }
        let mut options = OpenOptions::new();
        let findings = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        Ok(Self { dir: dir.to_owned(), findings: findings.with_context(|| path.display().to_string())? })
    }

    fn append(&mut self, line: &str) -> anyhow::Result<()> {
        let done = writeln!(self.findings, "{line}").and_then(|()| self.findings.flush());
        done.with_context(|| self.dir.join("findings.ndjson").display().to_string())
    }

    fn summary(&self, summary: &serde_json::Value) -> anyhow::Result<()> {
        let (path, temporary) = (self.dir.join("summary.json"), self.dir.join(".summary.json.tmp"));
        let mut text = serde_json::to_string_pretty(summary)?;
        text.push('\n');
        fs::write(&temporary, text).with_context(|| temporary.display().to_string())?;
        fs::rename(&temporary, &path).with_context(|| path.display().to_string())
    }
}
