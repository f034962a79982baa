//! The command line as a user meets it: settings, output folders, what every verb says at its end, queries.
use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::lidr::{KEY, Simulated, lidr, ok, summary};

fn stderr(out: &std::process::Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn version_and_the_list_of_scenarios_need_nothing() {
    assert_eq!(ok(["--version"]), format!("lidr {}\n", env!("CARGO_PKG_VERSION")));
    assert!(ok(["simulate", "list"]).lines().any(|l| l.starts_with("s3-benign ")));
}

#[test]
fn a_hunt_says_what_a_replay_says() {
    let s = Simulated::new("s3", 300);
    let (lake, hunted, replayed) = (s.path("lake"), s.dir.join("hunted"), s.dir.join("replayed"));
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--hash", "--lake", &lake, "--out", text(&replayed)]);
    let out = lidr(["hunt", "--lake", &lake, "--out", text(&hunted)]);
    let said = stderr(&out);
    assert!(said.contains("not evaluated\n") && said.contains("LI-01, LI-02, LI-03, "), "{said}");
    assert!(said.contains(": needs site table warrants\n"), "by reason: {said}");
    assert!(said.contains("findings  ") && !said.contains("{\""), "{said}");
    let (hunt, replay) = (summary(&hunted), summary(&replayed));
    assert_eq!(hunt["rows"], replay["rows"], "{hunt}");
    assert_eq!((&hunt["rules"], &hunt["findings"]), (&replay["rules"], &replay["findings"]));
    for name in ["inputs", "dropped", "late", "workers", "key_id", "version", "peak_rss_bytes"] {
        assert!(!hunt[name].is_null() && !replay[name].is_null(), "{name}: {hunt}");
    }
    assert!(hunt["seconds"]["wall"].as_f64().unwrap() > 0.0 && hunt["inputs"][0]["files"].as_u64().unwrap() > 0);
    let sum = replay["inputs"][0]["sha256"].as_str().unwrap_or_default();
    assert_eq!(sum.len(), 64, "{replay}");
    // What an incident report needs to say how the run is repeated.
    assert_eq!((&replay["command"][0], &replay["command"][1]), (&"lidr".into(), &"replay".into()), "{replay}");
    assert_eq!(replay["site_hash"], hunt["site_hash"], "no site, either way");
}

#[test]
fn a_lake_is_queried_as_text_and_as_json() {
    let s = Simulated::new("s3", 300);
    let lake = s.path("lake");
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--lake", &lake]);
    let query = "SELECT src_ip, count(*) AS n FROM dns GROUP BY src_ip ORDER BY n DESC, src_ip LIMIT 1";
    assert!(ok(["hunt", "--lake", &lake, "--sql", query]).starts_with("src_ip"));
    let line: Value = serde_json::from_str(&ok(["hunt", "--lake", &lake, "--sql", query, "--format", "json"])).unwrap();
    assert!(line["n"].is_u64() && line["src_ip"].as_str().unwrap().contains('.'), "{line}");
    let orders = ok([
        "hunt",
        "--lake",
        &lake,
        "--site",
        &s.path("site"),
        "--sql",
        "SELECT count(*) AS n FROM warrants",
        "--format",
        "json",
    ]);
    assert!(orders.starts_with("{\"n\":") && orders != "{\"n\":0}\n", "{orders}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    let other = command
        .args(["hunt", "--lake", &lake, "--sql", query])
        .env("LIDR_KEY", KEY.replace('5', "6"))
        .output()
        .unwrap();
    assert!(other.status.code() == Some(2) && stderr(&other).contains("--key-file"), "{}", stderr(&other));
}

#[test]
fn what_cannot_begin_leaves_no_folder_that_is_in_the_way() {
    let s = Simulated::new("s3", 100);
    let out = s.path("out");
    let missing = lidr(["replay", "/nowhere/x.pcap", "--out", &out]);
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(stderr(&missing).matches("No such file").count(), 1, "said once: {}", stderr(&missing));
    assert!(!Path::new(&out).exists(), "a mistyped name makes nothing");
    assert_eq!(lidr(["hunt", "--lake", "/nowhere", "--out", &out]).status.code(), Some(2));
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--out", &out]);
}

#[test]
fn an_empty_input_beside_a_good_one_is_told_and_the_good_one_judged() {
    let s = Simulated::new("s3", 100);
    let (empty, out) = (s.path("empty.pcap"), s.dir.join("out"));
    fs::write(&empty, b"").unwrap();
    let run = lidr(["replay", &s.path("capture.pcap"), &empty, "--quiet", "--out", text(&out)]);
    assert!(run.status.code() == Some(2) && stderr(&run).contains("empty.pcap: empty"), "{}", stderr(&run));
    let summary = summary(&out);
    assert!(summary["packets"].as_u64().unwrap() > 100 && !run.stdout.is_empty());
    assert!(summary["inputs"][1]["error"].as_str().unwrap().starts_with("empty"), "{summary}");
}

#[test]
fn settings_that_nothing_reads_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.toml");
    let with = |settings: &str, args: &[&str]| {
        fs::write(&file, settings).unwrap();
        Command::new(env!("CARGO_BIN_EXE_lidr"))
            .args(args)
            .env("LIDR_CONFIG", &file)
            .env("LIDR_KEY", KEY)
            .output()
            .unwrap()
    };
    let said = stderr(&with("no_bultin = true\n", &["rules", "list"]));
    assert!(said.contains("settings.toml") && said.contains("did you mean `no-builtin`?"), "{said}");
    let listed = with("no_builtin = true\n", &["rules", "list"]);
    assert!(listed.status.success() && listed.stdout.is_empty(), "{}", stderr(&listed));
    for (args, word) in [
        (["replay", "x.pcap", "--set", "LI-99.n=3"], "no rule `LI-99`"),
        (["replay", "x.pcap", "--workers", "abc"], "needed a whole number from 1 to 256, had `abc`"),
        (["replay", "x.pcap", "--from", "yesterday"], "RFC 3339"),
    ] {
        fs::write(
            dir.path().join("x.pcap"),
            [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0],
        )
        .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
        let out = command.args(args).env("LIDR_KEY", KEY).current_dir(dir.path()).output().unwrap();
        assert!(out.status.code() == Some(2) && stderr(&out).contains(word), "{args:?}: {}", stderr(&out));
    }
}
