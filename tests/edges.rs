//! The edges of a capture: what was set up before it began, and what might have come after it ended.
use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    kafka_broker::broker,
    lidr::{Simulated, difference, last_lines, ok, replay},
};

const RECORD: usize = 16;
const SECOND: u64 = 1_000_000;

/// The records of a classic pcap as the scenarios write it: their times, µs, and all octets.
fn records(capture: &Path) -> Vec<(u64, Vec<u8>)> {
    let octets = fs::read(capture).unwrap();
    let (mut at, mut out) = (24, Vec::new());
    let word = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    while at < octets.len() {
        let next = at + RECORD + word(at + 8) as usize;
        out.push((u64::from(word(at)) * SECOND + u64::from(word(at + 4)), octets[at..next].to_vec()));
        at = next;
    }
    out
}

/// Writes the capture anew: its head and these records.
fn rewrite(capture: &Path, records: impl Iterator<Item = Vec<u8>>) {
    let mut octets = fs::read(capture).unwrap()[..24].to_vec();
    records.for_each(|r| octets.extend(r));
    fs::write(capture, octets).unwrap();
}

fn codes(findings: &BTreeMap<String, Value>) -> Vec<&str> {
    findings.values().filter_map(|f| f["finding_info"]["analytic"]["uid"].as_str()).collect()
}

/// Two tasks deliver; the capture begins after both were set up. What the register holds is no finding, what it does not hold is.
#[test]
fn a_task_older_than_the_capture_is_known_from_the_register() {
    let s = Simulated::new("s4-benign", 0);
    let capture = s.dir.join("capture.pcap");
    let all = records(&capture);
    let from = all[0].0 + 10 * 60 * SECOND;
    rewrite(&capture, all.iter().filter(|(time, _)| *time >= from).map(|(_, octets)| octets.clone()));
    let found = replay(&s, &s.dir.join("known"), &[]);
    assert!(!codes(&found).iter().any(|c| ["LI-01", "LI-04", "LI-05", "LI-14"].contains(c)), "{:?}", codes(&found));
    let register = s.dir.join("site/warrants.csv");
    let orders = fs::read_to_string(&register).unwrap();
    fs::write(
        &register,
        orders.lines().filter(|l| !l.starts_with("O-2026-012")).map(|l| format!("{l}\n")).collect::<String>(),
    )
    .unwrap();
    let found = replay(&s, &s.dir.join("unknown"), &[]);
    assert!(codes(&found).contains(&"LI-14"), "{:?}", codes(&found));
}

/// Hosts of which nothing was seen for three minutes.
const QUIET_HOSTS: &str = r#"
title: Hosts that have gone quiet
id: 5f0f7a52-6d2b-4a7e-9a0e-0d3c5f1f2b11
status: test
code: X-01
version: 1
description: Nothing was seen of a host for three minutes.
author: lidr
date: 2026-11-24
tags: [attack.t1021]
level: low
logsource: {product: lidr, category: flow}
sql: |
  SELECT f.src_ip, max(f.due) AS at, array_agg(f.rowid) AS rowids
  FROM flow f WHERE f.due >= $start AND f.due < $end
    AND NOT EXISTS (SELECT 1 FROM flow l WHERE l.src_ip = f.src_ip AND l.due >= $end)
  GROUP BY f.src_ip
window: {size: 1m, after: 3m}
absence: true
entity: [{col: src_ip, type: host}]
message: "nothing more of {src_ip}"
falsepositives: [all of them]
blind_spots: a test
triage: none
benign_if: always
tests:
  - name: nothing more
    given: {flow: [{at: +1s, src_ip: 10.0.0.1, dst_ip: 10.0.0.2, state: end}]}
    until: +10m
    expect: [{entity: [10.0.0.1]}]
  - name: more
    given: {flow: [{at: +1s, src_ip: 10.0.0.1, dst_ip: 10.0.0.2, state: open}, {at: +2m, src_ip: 10.0.0.1, dst_ip: 10.0.0.2, state: open}]}
    until: +4m
    expect: none
"#;

/// The last packet comes ten minutes later and makes no row: only the clock tells for how long nothing came. Replay, hunt and watch know the same clock.
#[test]
fn absence_at_the_end_is_judged_alike_in_all_modes() {
    let s = Simulated::new("s3", 500);
    let (capture, lake, rules) = (s.dir.join("capture.pcap"), s.path("lake"), s.path("rules"));
    fs::create_dir(&rules).unwrap();
    fs::write(Path::new(&rules).join("X-01-quiet.yml"), QUIET_HOSTS).unwrap();
    let own = ["--rules", &rules, "--no-builtin"];
    let short = replay(&s, &s.dir.join("short"), &own);

    let all = records(&capture);
    let last = all.last().unwrap().0 + 10 * 60 * SECOND;
    let mut arp = Vec::new();
    for word in [u32::try_from(last / SECOND).unwrap(), 0, 42, 42] {
        arp.extend(word.to_le_bytes());
    }
    arp.extend([0xff; 12].iter().chain(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]).chain(&[0; 20]));
    rewrite(&capture, all.into_iter().map(|(_, octets)| octets).chain([arp]));
    let replayed = replay(&s, &s.dir.join("replay"), &[&own[..], &["--lake", &lake]].concat());
    assert!(replayed.len() > short.len(), "{} and {} findings: the clock decides", replayed.len(), short.len());

    let site = s.path("site");
    let out = s.path("hunt");
    let told = ["--site", &site, "--format", "json", "--quiet", "--out"];
    ok([&["hunt", "--lake", &lake][..], &own[..], &told[..], &[&out]].concat());
    assert_eq!(difference(&replayed, &last_lines(Path::new(&out))), None, "hunt");

    let Some(broker) = broker("absence_at_the_end_is_judged_alike_in_all_modes") else { return };
    let (prefix, out, capture) = (format!("e{}", std::process::id()), s.path("watch"), s.path("capture.pcap"));
    let to = ["--kafka", &broker, "--topic-prefix", &prefix];
    ok([&["sensor", &capture, "--name", "local", "--quiet"][..], &to[..]].concat());
    ok([&["watch", "--sensors", "local", "--until-eos", "--no-produce"][..], &to[..], &own[..], &told[..], &[&out]]
        .concat());
    assert_eq!(difference(&replayed, &last_lines(Path::new(&out))), None, "watch");
}
