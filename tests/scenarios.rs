//! Every scenario finds what its `expected.yml` says, and its benign twin stays quiet.
use std::path::Path;

use crate::{
    lidr::{Simulated, last_lines, ok, summary},
    runs::replayed,
};

fn must_match(name: &'static str) {
    let run = replayed(name);
    let found: Vec<(&str, u64, Vec<&str>)> = run
        .findings
        .values()
        .map(|f| {
            let entity =
                f["resources"].as_array().into_iter().flatten().map(|r| r["name"].as_str().unwrap_or_default());
            let code = f["finding_info"]["analytic"]["uid"].as_str().unwrap();
            (code, f["severity_id"].as_u64().unwrap(), entity.collect())
        })
        .collect();
    let expected = lidr_scenarios::expected(Path::new(&run.s.dir)).expect("expected.yml reads");
    for want in &expected.expect {
        let hit = found.iter().any(|(code, severity, entity)| {
            *code == want.code
                && want.level.is_none_or(|l| u64::from(l.id()) <= *severity)
                && want.entity.as_ref().is_none_or(|e| e == entity)
        });
        assert!(hit, "{name}: {want:?} was not found; found {found:#?}");
    }
    for (code, severity, entity) in &found {
        let allowed =
            |e: &lidr_scenarios::Item| e.code == *code && e.level.is_none_or(|most| u64::from(most.id()) >= *severity);
        let known = expected.expect.iter().any(|e| e.code == *code) || expected.allow.iter().any(allowed);
        assert!(known, "{name}: {code} severity {severity} about {entity:?} is not expected");
    }
    let summary = summary(&run.out);
    assert!(summary["packets"].as_u64().unwrap() > 1000, "{summary}");
    assert_eq!(summary["oddities"].get("malformed"), None, "our own packets are well formed: {summary}");
}

#[test]
fn s3_tap_without_warrant() {
    must_match("s3");
}

#[test]
fn s3_benign_twin() {
    must_match("s3-benign");
}

#[test]
fn s4_redirect_of_a_lawful_tap() {
    must_match("s4");
}

#[test]
fn s4_benign_twin() {
    must_match("s4-benign");
}

#[test]
fn s5_product_that_nobody_ordered() {
    must_match("s5");
}

#[test]
fn s5_benign_twin() {
    must_match("s5-benign");
}

#[test]
fn s12_an_insider_reads_who_is_tapped() {
    must_match("s12");
}

#[test]
fn s12_benign_twin() {
    must_match("s12-benign");
}

#[test]
fn a_quiet_day_has_nothing_at_high_or_above() {
    must_match("quiet-benign");
}

#[test]
fn the_same_seed_writes_the_same_octets() {
    let (a, b) = (Simulated::new("s3", 500), Simulated::new("s3", 500));
    let read = |s: &Simulated| std::fs::read(s.path("capture.pcap")).unwrap();
    assert!(read(&a) == read(&b), "captures differ");
}

#[test]
fn a_site_may_be_missing_and_the_summary_says_what_was_not_judged() {
    let s = Simulated::new("s3", 500);
    let out = s.dir.join("bare");
    ok(["replay", &s.path("capture.pcap"), "--quiet", "--format", "json", "--out", out.to_str().unwrap()]);
    let summary = summary(&out);
    let not: Vec<_> = summary["rules"]["not_evaluated"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
    assert!(not.iter().any(|c| c == "LI-01"), "LI-01 needs the register: {not:?}");
    let codes: Vec<_> = last_lines(&out).into_values().map(|f| f["finding_info"]["analytic"]["uid"].clone()).collect();
    assert!(codes.iter().any(|c| c == "LI-16"), "switched-off notifications prove themselves: {codes:?}");
}
