//! Input that is not what it should be: a sentence that helps, or a row that says so, and the run goes on where it can.
use std::{fs, path::Path};

use crate::lidr::{Simulated, lidr, ok, summary};

/// Exit status 2 and a message that has all these words.
fn refused(args: &[&str], words: &[&str]) {
    let out = lidr(args);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{args:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{args:?} should say `{word}`: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

fn file(dir: &Path, name: &str, octets: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, octets).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_that_are_no_captures() {
    let dir = tempfile::tempdir().unwrap();
    refused(&["replay", &file(dir.path(), "a.pcap", b"hello world, no capture")], &["a.pcap", "not a capture"]);
    refused(&["replay", &file(dir.path(), "empty.pcap", b"")], &["empty.pcap", "empty"]);
    refused(&["replay", "/nowhere/x.pcap"], &["/nowhere/x.pcap"]);
}

#[test]
fn a_capture_cut_in_a_record_is_judged_as_far_as_it_goes() {
    let s = Simulated::new("s3", 500);
    let whole = fs::read(s.path("capture.pcap")).unwrap();
    let cut = file(&s.dir, "cut.pcap", &whole[..whole.len() - 11]);
    let out = s.dir.join("out");
    ok(["replay", &cut, "--quiet", "--out", out.to_str().unwrap()]);
    let summary = summary(&out);
    assert_eq!(summary["inputs"][0]["truncated"], true, "{summary}");
    assert!(summary["oddities"]["truncated"].as_u64().unwrap_or_default() >= 1, "{summary}");
}

#[test]
fn an_absurd_length_stops_that_file_only() {
    let s = Simulated::new("s3", 500);
    let mut octets = fs::read(s.path("capture.pcap")).unwrap();
    octets[24 + 8..24 + 12].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    let bad = file(&s.dir, "absurd.pcap", &octets);
    let out = s.dir.join("out");
    ok(["replay", &bad, &s.path("capture.pcap"), "--quiet", "--out", out.to_str().unwrap()]);
    assert!(summary(&out)["packets"].as_u64().unwrap() > 500);
}

#[test]
fn a_site_table_with_a_wrong_column_names_file_line_and_neighbour() {
    let dir = tempfile::tempdir().unwrap();
    let s = Simulated::new("s3", 500);
    file(dir.path(), "zones.csv", b"cidr,zoen,rank\n10.0.0.0/8,core,3\n");
    let site = dir.path().to_str().unwrap();
    refused(&["replay", &s.path("capture.pcap"), "--site", site], &["zones.csv", "zoen", "zone"]);
    file(dir.path(), "zones.csv", b"cidr,zone,rank\n10.0.0.0/8,core,3\nten,core,3\n");
    refused(&["replay", &s.path("capture.pcap"), "--site", site], &["zones.csv:3", "ten"]);
}

#[test]
fn a_rule_with_a_slip_names_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "title: t\nid: 6f1cbe0a-4c0f-4f0e-9a3b-6f8f7c2d1e0f\nlevel: high\nlogsource: {product: lidr, category: dns}\n\
                detection:\n  selection:\n    qnam: a.example\n  condition: selection\n";
    file(dir.path(), "slip.yml", rule.as_bytes());
    refused(&["rules", "check", "--rules", dir.path().to_str().unwrap()], &["slip.yml", "qnam", "qname"]);
    file(dir.path(), "slip.yml", b"title: [\n");
    refused(&["rules", "check", "--rules", dir.path().to_str().unwrap()], &["slip.yml"]);
}

#[test]
fn a_broker_that_does_not_answer_is_one_sentence() {
    let s = Simulated::new("s3", 100);
    refused(&["sensor", &s.path("capture.pcap"), "--kafka", "127.0.0.1:9", "--broker-wait", "0"], &["127.0.0.1:9"]);
    refused(
        &["watch", "--kafka", "127.0.0.1:9", "--broker-wait", "0", "--sensors", "local", "--until-eos"],
        &["127.0.0.1:9"],
    );
}

#[test]
fn sensors_refuse_to_start_without_a_key() {
    let s = Simulated::new("s3", 100);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lidr"));
    let out =
        command.args(["sensor", &s.path("capture.pcap"), "--kafka", "127.0.0.1:9"]).env_remove("LIDR_KEY").output();
    let out = out.unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--key-file"));
}

#[test]
fn an_output_folder_of_another_run_is_refused() {
    let s = Simulated::new("s3", 100);
    let out = s.path("out");
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--out", &out]);
    refused(&["replay", &s.path("capture.pcap"), "--quiet", "--out", &out], &["--force"]);
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--out", &out, "--force"]);
}

#[test]
fn fail_on_is_exit_status_one() {
    let s = Simulated::new("s3", 100);
    let out = lidr(["replay", &s.path("capture.pcap"), "--site", &s.path("site"), "--quiet", "--fail-on", "critical"]);
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stderr));
}
