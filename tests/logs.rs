//! `--log-format json`: all of standard error is lines of JSON with a time, whatever says them.
use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    kafka_broker::broker,
    lidr::{KEY, Simulated},
    live::{Running, Syslog},
};

/// Every line as what it says; each has a time and a level.
fn lines(text: &str) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let all: Vec<Value> = text.lines().map(parsed).collect();
    for line in &all {
        let time = line["timestamp"].as_str().unwrap_or_default();
        assert!(time.len() > 19 && time.contains('T') && time.ends_with('Z'), "{line}");
        assert!(matches!(line["level"].as_str(), Some("ERROR" | "WARN" | "INFO")), "{line}");
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    all
}

fn run(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").envs(env.iter().copied());
    let out = command.output().unwrap();
    (out.status.code(), lines(&String::from_utf8(out.stderr).unwrap()))
}

fn summary<'a>(all: &'a [Value], verb: &str) -> &'a Value {
    let found = all.iter().map(|line| &line["fields"]["summary"]).find(|s| s["verb"] == verb);
    found.unwrap_or_else(|| panic!("no summary: {all:?}"))
}

#[test]
fn what_a_run_says_and_what_ends_it() {
    let s = Simulated::new("s3", 100);
    let (site, out, capture, empty) = (s.path("site"), s.path("out"), s.path("capture.pcap"), s.path("empty.pcap"));
    fs::write(&empty, b"").unwrap();
    let replay = ["replay", &capture, &empty, "--log-format", "json", "--site", &site, "--out", &out];
    let (code, all) = run(&replay, &[]);
    let ends = |all: &[Value], words: &str| {
        let last = all.last().expect("it says why");
        assert!(last["level"] == "ERROR" && last["fields"]["message"].as_str().unwrap().contains(words), "{last}");
    };
    assert_eq!((code, &summary(&all, "replay")["rules"]["loaded"].is_u64()), (Some(2), &true));
    ends(&all, "empty.pcap: empty");
    for (args, env, words) in [
        (&["watch", "--kafka", "127.0.0.1:1", "--log-format=json"][..], &[("LIDR_KEY", "")][..], "no pseudonym key"),
        (&["replay", "/nowhere/x.pcap"], &[("LIDR_LOG_FORMAT", "json")], "No such file"),
        (&["replay", "--log-format", "json", "--nope", "x"], &[], "--nope"),
        (&["live", "--log-format", "json"], &[("LIDR_CONFIG", "/nowhere/lidr.toml")], "/nowhere/lidr.toml"),
    ] {
        let (code, all) = run(args, env);
        assert_eq!((code, all.len()), (Some(2), 1), "{args:?}: {all:?}");
        ends(&all, words);
    }
}

#[test]
fn live_says_all_in_json() {
    let s = Syslog::new();
    let (out, site, rules) = (s.path("out"), s.path("site"), s.path("rules"));
    let listeners = s.listeners();
    let how = ["live", "--log-format", "json", "--no-builtin", "--rules", &rules, "--site", &site, "--out", &out];
    let args: Vec<&str> = how.into_iter().chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(s.dir.path(), &args);
    s.configure(1);
    running.until(|_| fs::metadata(Path::new(&out).join("findings.ndjson")).is_ok_and(|m| m.len() > 0), "it is found");
    let log = running.log.clone();
    running.end();
    let all = lines(&fs::read_to_string(log).unwrap());
    assert_eq!(summary(&all, "live")["findings"]["high"], 1, "{all:?}");
}

#[test]
fn sensor_and_watch_say_all_in_json() {
    let Some(broker) = broker("sensor_and_watch_say_all_in_json") else { return };
    let s = Simulated::new("s3", 100);
    let (site, capture, prefix) = (s.path("site"), s.path("capture.pcap"), format!("j{}", std::process::id()));
    let to = ["--kafka", &broker, "--topic-prefix", &prefix, "--log-format", "json"];
    let (code, all) = run(&[&["sensor", &capture, "--name", "tap1"], &to[..]].concat(), &[]);
    assert_eq!(code, Some(0), "{all:?}");
    assert!(all.iter().any(|line| line["fields"]["summary"]["packets"].is_u64()), "{all:?}");
    let watch = ["watch", "--sensors", "tap1", "--until-eos", "--no-produce", "--site", &site];
    let (code, all) = run(&[&watch[..], &to[..]].concat(), &[]);
    assert_eq!(code, Some(0), "{all:?}");
    assert!(summary(&all, "watch")["rows"]["flow"].is_u64());
}
