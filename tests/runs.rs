//! Every scenario, written and replayed once for all tests: a run costs the planning of every rule.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use serde_json::Value;

use crate::lidr::{Simulated, last_lines, lidr};

/// Every scenario.
pub(crate) const NAMES: [&str; 9] =
    ["s3", "s3-benign", "s4", "s4-benign", "s5", "s5-benign", "s12", "s12-benign", "quiet-benign"];

/// A scenario and what one worker's replay of it wrote.
pub(crate) struct Replayed {
    /// Capture, site folder and what is expected.
    pub(crate) s: Simulated,
    /// The output folder.
    pub(crate) out: PathBuf,
    /// The lake.
    pub(crate) lake: String,
    /// The last line of each finding.
    pub(crate) findings: BTreeMap<String, Value>,
    /// Findings as text, and the log with the summary.
    pub(crate) told: [Vec<u8>; 2],
}

/// The scenario's replay; made when it is first asked for, whoever asks.
pub(crate) fn replayed(name: &'static str) -> &'static Replayed {
    static RUNS: Mutex<BTreeMap<&str, &OnceLock<Replayed>>> = Mutex::new(BTreeMap::new());
    let cell = *RUNS.lock().unwrap().entry(name).or_insert_with(|| Box::leak(Box::default()));
    cell.get_or_init(|| run(name))
}

fn run(name: &str) -> Replayed {
    let s = Simulated::at(folder().join(name), name, 3_000);
    let (out, lake) = (s.dir.join("replay"), s.path("lake"));
    let mut args = vec!["replay".to_owned()];
    args.extend(s.inputs());
    args.extend(["--site", &s.path("site"), "--out", out.to_str().unwrap(), "--lake", &lake].map(str::to_owned));
    args.extend(["--workers", "1", "-vv"].map(str::to_owned));
    let run = lidr(&args);
    assert!(run.status.success(), "{name}: exit {:?}\n{}", run.status.code(), String::from_utf8_lossy(&run.stderr));
    Replayed { findings: last_lines(&out), s, out, lake, told: [run.stdout, run.stderr] }
}

/// This process's folder. What a static holds is never dropped, so the folders of processes that have ended are removed here.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios");
        let own = std::process::id().to_string();
        for old in fs::read_dir(&all).into_iter().flatten().flatten() {
            if *old.file_name() == *own || !Path::new("/proc").join(old.file_name()).exists() {
                // Another run of the tests may be removing it, too.
                drop(fs::remove_dir_all(old.path()));
            }
        }
        all.join(own)
    })
}
