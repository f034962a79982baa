//! Records that are not packets, beside a capture: the same findings in three modes, proved by file and line.
use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    kafka_broker::broker,
    lidr::{Simulated, difference, last_lines, lidr, ok, summary},
    tree::{read, root},
};

/// A rule that only rows of an audit log can fire.
const RULE: &str = "title: Orders exported\nid: 6f1cbe0a-4c0f-4f0e-9a3b-6f8f7c2d1e1f\nlevel: high\n\
    logsource: {product: lidr, category: tasking}\n\
    detection:\n  selection: {protocol: record, list_kind: orders}\n  condition: selection\n";

struct Both {
    s: Simulated,
    capture: String,
    audit: String,
    site: String,
    rules: String,
}

impl Both {
    /// A scenario's capture, and an audit log of the same hour.
    fn new() -> Self {
        let s = Simulated::new("s3", 1_000);
        fs::create_dir(s.dir.join("rules")).unwrap();
        fs::write(s.dir.join("rules/export.yml"), RULE).unwrap();
        fs::copy(root().join("sources/samples/lims-audit.ndjson"), s.dir.join("audit.ndjson")).unwrap();
        let (capture, audit, site, rules) =
            (s.path("capture.pcap"), s.path("audit.ndjson"), s.path("site"), s.path("rules"));
        Self { s, capture, audit, site, rules }
    }

    fn judged(&self, out: &str, verb: &[&str]) -> BTreeMap<String, Value> {
        let out = self.s.dir.join(out);
        let mut args = verb.to_vec();
        let common = [
            "--site",
            &self.site,
            "--rules",
            &self.rules,
            "--format",
            "json",
            "--quiet",
            "--out",
            out.to_str().unwrap(),
        ];
        args.extend(common);
        ok(args);
        last_lines(&out)
    }
}

fn is_export(finding: &Value) -> bool {
    finding["finding_info"]["title"] == "Orders exported"
}

#[test]
fn a_capture_and_an_audit_log_are_one_input() {
    let both = Both::new();
    let lake = both.s.path("lake");
    let found = both.judged("replay", &["replay", &both.capture, &both.audit, "--lake", &lake]);
    let export = found.values().find(|f| is_export(f)).expect("the export is found");
    let evidence = &export["evidences"][0];
    assert_eq!(evidence["data"], serde_json::json!({"file": "audit.ndjson", "line": 3}), "{export}");
    assert_eq!(evidence["src_endpoint"]["ip"], "10.66.0.41");
    assert_eq!(evidence.get("connection_info"), None, "a record was no conversation: {evidence}");
    assert!(
        found.values().any(|f| f["finding_info"]["analytic"]["uid"] == "LI-09"),
        "the capture's own findings are there"
    );
    let summary = summary(&both.s.dir.join("replay"));
    assert_eq!(summary["records"]["read"], 9, "{summary}");
    assert_eq!(summary["records"]["malformed"], 2, "{summary}");
    let told = summary["inputs"][1]["records"]["first_malformed"][0].as_str().unwrap();
    assert!(told.contains("audit.ndjson:8") && told.contains("lims-audit.yml:"), "{told}");
    let one = both.judged("one", &["replay", &both.audit, &both.capture, "--workers", "1"]);
    assert!(
        one.values().any(|f| is_export(f) && f["evidences"] == export["evidences"]),
        "another order, another number of workers"
    );
    let hunted = both.judged("hunt", &["hunt", "--lake", &lake]);
    assert_eq!(difference(&found, &hunted), None);
}

#[test]
fn rows_of_an_audit_log_travel_through_kafka() {
    let Some(broker) = broker("rows_of_an_audit_log_travel_through_kafka") else { return };
    let both = Both::new();
    let found = both.judged("replay", &["replay", &both.capture, &both.audit]);
    let prefix = format!("t{}.records", std::process::id());
    ok([
        "sensor",
        &both.capture,
        &both.audit,
        "--site",
        &both.site,
        "--kafka",
        &broker,
        "--topic-prefix",
        &prefix,
        "--name",
        "local",
        "--quiet",
    ]);
    let watched = both.judged(
        "watch",
        &["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--sensors", "local", "--until-eos", "--no-produce"],
    );
    assert_eq!(difference(&found, &watched), None);
}

#[test]
fn a_finding_names_file_and_line_for_people_and_a_mapping_of_the_site_is_used() {
    let both = Both::new();
    let sources = both.s.dir.join("site/sources");
    fs::create_dir(&sources).unwrap();
    let mapping = read("sources/lims-audit.yml".as_ref()).replace("\"audit*.ndjson\"", "\"orders.rec\"");
    fs::write(sources.join("orders.yml"), mapping).unwrap();
    fs::rename(&both.audit, both.s.dir.join("orders.rec")).unwrap();
    let out = lidr(["replay", &both.s.path("orders.rec"), "--site", &both.site, "--rules", &both.rules]);
    let (text, told) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(text.contains("orders.rec:3"), "{text}\n{told}");
    assert!(told.contains("9 read, 6 mapped, 1 left out, 2 not understood"), "{told}");
    assert!(told.contains("orders.rec:8") && told.contains("orders.yml:"), "{told}");
    fs::write(sources.join("orders.yml"), "title: t\nformat: ndjsn\nfiles: x\nrows: []\n").unwrap();
    let out = lidr(["replay", &both.capture, "--site", &both.site]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && told.contains("orders.yml:2") && told.contains("ndjson"), "{told}");
}
