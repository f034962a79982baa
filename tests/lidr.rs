//! Runs the binary as a user does and reads what it wrote.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// A key for the tests; nothing real was ever hashed with it.
pub(crate) const KEY: &str = "5d1cbe0a4c0f4f0e9a3b6f8f7c2d1e0f5d1cbe0a4c0f4f0e9a3b6f8f7c2d1e0f";

/// Runs `lidr` with these arguments and the tests' key.
pub(crate) fn lidr<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").env("NO_COLOR", "1");
    command.output().expect("lidr runs")
}

/// A process that ends with the test, however that ends.
pub(crate) struct Process(pub(crate) Child);

impl std::ops::Deref for Process {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where all went well.
        drop((self.0.kill(), self.0.wait()));
    }
}

/// Starts `lidr` with these arguments and the tests' key, silently.
pub(crate) fn start(args: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").env("NO_COLOR", "1");
    Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lidr runs"))
}

/// Asks it to stop and demands exit status 0.
pub(crate) fn stop(mut child: Process) {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    let status = child.wait().expect("lidr ends");
    assert!(asked.success() && status.success(), "{status}");
}

/// Runs `lidr` and demands exit status 0; gives standard output.
pub(crate) fn ok<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> String {
    let out = lidr(args);
    assert!(out.status.success(), "exit {:?}\n{}", out.status.code(), String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("standard output is text")
}

/// A simulated scenario on disk.
pub(crate) struct Simulated {
    _folder: Option<tempfile::TempDir>,
    /// Its folder.
    pub(crate) dir: PathBuf,
}

impl Simulated {
    /// Writes the scenario with a little background.
    pub(crate) fn new(name: &str, background: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = Self::at(folder.path().join(name), name, background);
        Self { _folder: Some(folder), ..at }
    }

    /// Writes it into a folder that stays.
    pub(crate) fn at(dir: PathBuf, name: &str, background: u64) -> Self {
        ok(["simulate", name, "--seed", "7", "--background", &background.to_string(), "--out", dir.to_str().unwrap()]);
        Self { _folder: None, dir }
    }

    /// What a sensor reads of it: the capture, and the audit log where there is one.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let names = ["capture.pcap", "lims-audit.ndjson"];
        names.into_iter().map(|name| self.path(name)).filter(|path| Path::new(path).exists()).collect()
    }

    /// A path in it, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

/// Replays a scenario's capture into that folder; gives the last line of each finding.
pub(crate) fn replay(s: &Simulated, out: &Path, more: &[&str]) -> BTreeMap<String, Value> {
    let (inputs, site) = (s.inputs(), s.path("site"));
    let mut args = vec!["replay", "--site", &site, "--format", "json", "--quiet", "--out", out.to_str().unwrap()];
    args.extend(inputs.iter().map(String::as_str));
    args.extend(more);
    ok(args);
    last_lines(out)
}

/// The last line of each finding in an output folder, without what only a broker adds.
pub(crate) fn last_lines(dir: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(dir.join("findings.ndjson")).expect("findings.ndjson is there");
    let mut last = BTreeMap::new();
    for line in text.lines() {
        let mut finding: Value = serde_json::from_str(line).expect("a line is JSON");
        for evidence in finding["evidences"].as_array_mut().into_iter().flatten() {
            let data = evidence["data"].as_object_mut().expect("evidence has data");
            data.retain(|name, _| !matches!(name.as_str(), "topic" | "partition" | "offset"));
        }
        last.insert(finding["finding_info"]["uid"].as_str().unwrap().to_owned(), finding);
    }
    last
}

/// The summary of an output folder.
pub(crate) fn summary(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("summary.json")).expect("summary.json is there");
    serde_json::from_str(&text).expect("the summary is JSON")
}

/// Says where two accounts of the findings differ, or nothing.
pub(crate) fn difference(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Option<String> {
    let ids: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    ids.into_iter().find_map(|id| match (a.get(id), b.get(id)) {
        (Some(x), Some(y)) if x == y => None,
        (x, y) => Some(format!("{id}:\n{}\n{}", shown(x), shown(y))),
    })
}

fn shown(finding: Option<&Value>) -> String {
    finding.map_or_else(|| "(not there)".to_owned(), Value::to_string)
}
