//! Where findings go: standard output and the output folder.
//!
//! Standard output carries findings only: one by one as they are made (`watch`, `live`, `--all`, `--format json`), or at the end of a
//! run that ends, by story and on one screen. On a terminal the progress bar makes way for them.
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use lidr_analytics::{
    Finding, Site, output,
    story::{Kept, Told},
};
use lidr_schema::finding::Severity;
use serde_json::json;

pub(crate) use crate::folder::Own;
use crate::{
    account,
    args::{Judge, Shape},
    folder::Folder,
    log,
};

/// Takes findings as they are made.
#[derive(Debug)]
pub(crate) struct Outputs {
    folder: Option<Folder>,
    shape: Shape,
    /// Findings that are told at the end, where they are not told one by one.
    grouped: Option<Kept>,
    colour: bool,
    fail_on: Option<Severity>,
    failed: bool,
    /// Shows how far the run is, where somebody looks.
    pub(crate) bar: ProgressBar,
    /// Findings on this run, by id, with their greatest severity.
    pub(crate) seen: std::collections::BTreeMap<String, Severity>,
}

impl Outputs {
    /// Opens what the options ask for; `own` is for a run that goes on in the folder that it has.
    pub(crate) fn open(judge: &Judge, own: Option<Own>) -> anyhow::Result<Self> {
        Ok(Self {
            folder: judge.out.as_deref().map(|dir| Folder::open(dir, judge.force, own)).transpose()?,
            shape: judge.format,
            grouped: None,
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            fail_on: judge.fail_on,
            failed: false,
            bar: ProgressBar::hidden(),
            seen: Default::default(),
        })
    }

    /// Text for people comes at the end, by story, instead of one by one.
    pub(crate) fn group(&mut self) {
        self.grouped = (self.shape == Shape::Text).then(Kept::default);
    }

    /// Tells what was kept for the end.
    pub(crate) fn tell(&mut self) -> anyhow::Result<()> {
        match self.grouped.take() {
            Some(kept) => self.print(&output::digest(kept, self.colour)),
            None => Ok(()),
        }
    }

    /// Keeps a copy of the site that judges from now on.
    pub(crate) fn site(&mut self, site: &Site) -> anyhow::Result<()> {
        self.folder.as_mut().map_or(Ok(()), |folder| folder.copies.take(site))
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
        let value = finding.to_json();
        let line = value.to_string();
        if let Some(folder) = &mut self.folder {
            folder.copies.refer(&finding.lidr.site_hash)?;
            folder.append(&line)?;
        }
        if let Some(kept) = &mut self.grouped {
            kept.take(Told::read(&value).map_err(|lacks| anyhow!("a finding of {}: {lacks}", finding.code))?);
            self.bar.set_message(in_short(&kept.by_severity()));
            return Ok(());
        }
        match self.shape {
            Shape::Json => self.print(&format!("{line}\n")),
            Shape::Text => self.print(&output::text(finding, self.colour)),
        }
    }

    fn print(&self, text: &str) -> anyhow::Result<()> {
        match self.bar.suspend(|| io::stdout().write_all(text.as_bytes())) {
            // Whoever reads has seen enough (`lidr replay … | head`): the folder still gets everything.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("standard output"),
        }
    }

    /// What was written is on the disk.
    #[cfg(feature = "kafka")]
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        self.folder.as_ref().map_or(Ok(()), Folder::sync)
    }

    /// Distinct findings by severity.
    pub(crate) fn by_severity(&self) -> serde_json::Value {
        let count = |s: Severity| self.seen.values().filter(|v| **v == s).count();
        Severity::ALL.iter().map(|s| (s.name().to_owned(), serde_json::json!(count(*s)))).collect()
    }

    /// The end of a run: what was kept for it, its summary into the output folder and, unless `quiet`, to standard error; the exit status.
    pub(crate) fn end(&mut self, summary: &serde_json::Value, quiet: bool) -> anyhow::Result<ExitCode> {
        if let Some(folder) = &self.folder {
            folder.summary(summary)?;
            folder.copies.end()?;
        }
        let grouped = self.grouped.is_some();
        self.tell()?;
        if !quiet {
            account::tell(summary)?;
            if let Some(folder) = &self.folder {
                let dir = folder.dir.display();
                log::say(
                    "INFO",
                    &format!("written   {dir}\n"),
                    json!({ "message": "written", "folder": dir.to_string() }),
                )?;
            }
            if grouped && !self.seen.is_empty() && !log::is_json() {
                io::stderr().write_all(self.next().as_bytes())?;
            }
        }
        Ok(if self.failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// What to do with findings of which a screen shows the least.
    fn next(&self) -> String {
        let Some(folder) = &self.folder else {
            return "next      --all prints each finding in full, --out DIR keeps them for `lidr explain` and `lidr report incident`\n".to_owned();
        };
        let dir = folder.dir.display();
        format!(
            "next      lidr explain ID --from {dir}\n          lidr report incident --from {dir} --html report.html\n"
        )
    }
}

/// How many of which severity, for a line that has little room.
fn in_short(counts: &[(Severity, usize)]) -> String {
    counts.iter().map(|(s, n)| format!("{n} {}", s.name())).collect::<Vec<_>>().join(", ")
}
