//! Disks that are full: a clear error, nothing half-written, and the next run goes on.
//!
//! Each test runs a script in a mount namespace of its own, with a file system of a few hundred KiB that goes with it. Where that is not
//! allowed the test says that it was skipped, or fails where it is required.
use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::{
    kafka_broker::broker,
    lidr::{KEY, last_lines, ok},
    runs::{Replayed, replayed},
};

/// Whether a file system can be mounted in a namespace of our own.
fn can_mount(test: &str) -> bool {
    let tried = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let why = match tried {
        Ok(out) if out.status.success() => return true,
        Ok(out) => String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    assert!(std::env::var_os("LIDR_REQUIRE_NETNS").is_none(), "a mount namespace is required: {why}");
    println!("\nskipped: {test}: no file system can be mounted in a namespace of its own: {why}");
    false
}

/// Runs `lidr` twice on a disk of so many KiB, the second time with room enough; what each run left and said is under `kept`.
fn twice(kept: &Path, kib: u32, args: &str) {
    let disk = kept.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let (lidr, disk, kept) = (env!("CARGO_BIN_EXE_lidr"), disk.display(), kept.display());
    let run = |name: &str| {
        format!(
            "{lidr} {args} >/dev/null 2>{kept}/{name}.log </dev/null; echo $? >{kept}/{name}.status; cp -r {disk} {kept}/{name}"
        )
    };
    let script = format!(
        "set -u; mount -t tmpfs -o size={kib}k none {disk}; {}; mount -o remount,size=64m {disk}; {}",
        run("full"),
        run("again")
    );
    let mut command = Command::new("unshare");
    let out =
        command.args(["--mount", "sh", "-c", &script]).env("LIDR_KEY", KEY).env("NO_COLOR", "1").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first run failed for want of room and said where; the second did not.
fn failed_then_went_on(kept: &Path, place: &str) {
    let (first, second) = (text(&kept.join("full.log")), text(&kept.join("again.log")));
    assert_eq!(text(&kept.join("full.status")).trim(), "2", "{first}");
    assert!(first.contains("No space left on device") && first.contains(place), "{first}");
    assert_eq!(text(&kept.join("again.status")).trim(), "0", "{second}");
}

/// Names of files below a folder that are no whole ones.
fn unfinished(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match path.is_dir() {
            true => out.extend(unfinished(&path)),
            false => out.extend(name.ends_with(".tmp").then_some(name)),
        }
    }
    out
}

/// The scenario in the broker, and a watch over it to its end.
fn watch(run: &Replayed, broker: &str, name: &str, more: &str) -> String {
    let prefix = format!("d{}.{name}", std::process::id());
    let site = run.s.path("site");
    let args = ["sensor", "--kafka", broker, "--topic-prefix", &prefix, "--name", "local", "--quiet", "--site", &site];
    ok(args.map(str::to_owned).into_iter().chain(run.s.inputs()));
    format!(
        "watch --kafka {broker} --topic-prefix {prefix} --sensors local --until-eos --no-produce --site {site} {more}"
    )
}

#[test]
fn a_full_output_folder_ends_watch_with_whole_lines_and_it_goes_on() {
    let test = "a_full_output_folder_ends_watch_with_whole_lines_and_it_goes_on";
    let Some(broker) = broker(test).filter(|_| can_mount(test)) else { return };
    let run = replayed("s4");
    let kept = run.s.dir.join("full-out");
    let disk = kept.join("disk");
    let args =
        watch(run, &broker, "out", &format!("--out {0}/out --state {1}", disk.display(), kept.join("state").display()));
    twice(&kept, 44, &args);
    failed_then_went_on(&kept, "out");
    let lines = text(&kept.join("full/out/findings.ndjson"));
    assert!(lines.is_empty() || lines.ends_with('\n'), "half a line: {lines}");
    let broken: Vec<&str> = lines.lines().filter(|l| serde_json::from_str::<serde_json::Value>(l).is_err()).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let ids: BTreeSet<String> = last_lines(&kept.join("again/out")).into_keys().collect();
    assert_eq!(ids, run.findings.keys().cloned().collect());
}

#[test]
fn a_full_state_folder_ends_watch_and_the_last_snapshot_stands() {
    let test = "a_full_state_folder_ends_watch_and_the_last_snapshot_stands";
    let Some(broker) = broker(test).filter(|_| can_mount(test)) else { return };
    let run = replayed("s4");
    let kept = run.s.dir.join("full-state");
    let out = kept.join("out");
    let more = format!("--out {} --state-every 0 --state {}/state", out.display(), kept.join("disk").display());
    let args = watch(run, &broker, "state", &more);
    twice(&kept, 16, &args);
    failed_then_went_on(&kept, "state/snapshot-");
    assert_eq!(unfinished(&kept.join("full")), Vec::<String>::new());
    let ids: BTreeSet<String> = last_lines(&out).into_keys().collect();
    assert_eq!(ids, run.findings.keys().cloned().collect());
}

#[test]
fn a_full_lake_ends_the_run_and_holds_whole_files_only() {
    let test = "a_full_lake_ends_the_run_and_holds_whole_files_only";
    if !can_mount(test) {
        return;
    }
    let run = replayed("s4");
    let kept = run.s.dir.join("full-lake");
    let inputs = run.s.inputs().join(" ");
    let args =
        format!("replay {inputs} --site {} --lake {}/lake --quiet", run.s.path("site"), kept.join("disk").display());
    twice(&kept, 60, &args);
    failed_then_went_on(&kept, "lake");
    assert_eq!(unfinished(&kept.join("full")), Vec::<String>::new());
    assert_eq!(unfinished(&kept.join("again")), Vec::<String>::new());
    let lake = kept.join("again/lake");
    let counted =
        ok(["hunt", "--lake", lake.to_str().unwrap(), "--sql", "SELECT count(*) AS n FROM flow", "--format", "json"]);
    let whole = ok(["hunt", "--lake", &run.lake, "--sql", "SELECT count(*) AS n FROM flow", "--format", "json"]);
    assert_eq!(counted, whole);
}
