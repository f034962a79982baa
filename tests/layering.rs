//! The direction of dependencies, each line of the design proved from cargo's own metadata and from the sources.
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::tree::{code, files, read, root};

fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let out = cargo.output().expect("cargo metadata runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// Names that a package depends on outside its tests.
fn dependencies(package: &str) -> BTreeSet<String> {
    let all = metadata();
    let found = all["packages"].as_array().unwrap().iter().find(|p| p["name"] == package);
    let package = found.unwrap_or_else(|| panic!("no package {package}"));
    let normal = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
    normal.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
}

fn has_none(package: &str, banned: &[&str]) {
    let had = dependencies(package);
    for name in banned {
        assert!(!had.contains(*name), "{package} depends on {name}");
    }
}

#[test]
fn schema_is_a_leaf_without_io() {
    has_none(
        "lidr-schema",
        &[
            "lidr-ingest",
            "lidr-rules",
            "lidr-analytics",
            "lidr-scenarios",
            "tokio",
            "datafusion",
            "pcap",
            "etherparse",
            "rdkafka",
        ],
    );
    for file in files("schema/src", ".rs") {
        let code = code(&file);
        assert!(!code.contains("std::fs") && !code.contains("std::net::Tcp"), "{} does IO", file.display());
    }
}

#[test]
fn ingest_knows_no_rule_and_no_query_engine() {
    has_none("lidr-ingest", &["datafusion", "lidr-rules", "lidr-analytics"]);
    for file in files("ingest/src", ".rs") {
        let code = code(&file).to_lowercase();
        for word in ["severity", "att&ck", "mitre"] {
            assert!(!code.contains(word), "{} says {word}", file.display());
        }
    }
}

#[test]
fn analytics_never_sees_a_packet() {
    has_none("lidr-analytics", &["etherparse", "pcap", "lidr-ingest"]);
}

#[test]
fn rules_never_execute() {
    has_none("lidr-rules", &["datafusion", "tokio", "lidr-analytics", "lidr-ingest"]);
}

#[test]
fn custody_packs_and_signs_and_knows_nothing_of_what() {
    has_none(
        "lidr-custody",
        &["datafusion", "arrow", "etherparse", "lidr-ingest", "lidr-rules", "lidr-analytics", "tokio"],
    );
    for file in files("custody/src", ".rs") {
        let code = code(&file);
        assert!(!code.contains("std::fs") && !code.contains("SystemTime"), "{} reads files or a clock", file.display());
    }
}

#[test]
fn datafusion_lives_in_analytics_alone() {
    for package in
        ["lidr", "lidr-custody", "lidr-schema", "lidr-ingest", "lidr-rules", "lidr-scenarios", "lidr-benches"]
    {
        has_none(package, &["datafusion"]);
    }
}

/// The file of a module that has a folder of its own beside it.
fn module(file: &Path) -> PathBuf {
    let folder = file.parent().map(|f| f.with_extension("rs")).filter(|f| root().join(f).exists());
    folder.unwrap_or_else(|| file.to_owned())
}

#[test]
fn rdkafka_is_in_one_crate_and_in_the_module_that_consumes() {
    let owner = |f: &Path| if f.starts_with("broker") { PathBuf::from("broker") } else { module(f) };
    let folders = ["src", "schema/src", "broker/src", "ingest/src", "rules/src", "analytics/src", "scenarios/src"];
    let sources = folders.iter().flat_map(|f| files(f, ".rs")).filter(|f| !f.ends_with("tests.rs"));
    let users: BTreeSet<PathBuf> = sources.filter(|f| code(f).contains("rdkafka::")).map(|f| owner(&f)).collect();
    assert_eq!(users, ["analytics/src/kafka.rs", "broker"].map(PathBuf::from).into());
}

#[test]
fn the_broker_crate_knows_no_row() {
    has_none(
        "lidr-broker",
        &["arrow", "datafusion", "lidr-schema", "lidr-ingest", "lidr-rules", "lidr-analytics", "tokio"],
    );
}

#[test]
fn no_wall_clock_where_event_time_rules() {
    let wall = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
    // Pacing of sends and the Kafka source's silence test need wall time; so does a timer of how long a rule took.
    let allowed = ["analytics/src/kafka.rs", "analytics/src/metrics.rs", "analytics/src/stopwatch.rs"];
    for folder in ["schema/src", "rules/src", "analytics/src"] {
        for file in files(folder, ".rs").into_iter().filter(|f| !allowed.iter().any(|a| module(f) == Path::new(a))) {
            let code = code(&file);
            assert!(!wall.iter().any(|w| code.contains(w)), "{} reads a wall clock", file.display());
        }
    }
}

/// SQL text stands in rule files, in the queries of reports beside them, and in the one planning module.
#[test]
fn no_sql_outside_rules_and_the_planning_module() {
    for folder in ["src", "schema/src", "ingest/src", "rules/src", "analytics/src", "scenarios/src"] {
        let is_test = |f: &Path| f.components().any(|c| c.as_os_str().to_string_lossy().starts_with("tests"));
        for file in files(folder, ".rs").into_iter().filter(|f| !f.ends_with("analytics/src/plan.rs") && !is_test(f)) {
            let code = code(&file);
            let sql = code.lines().find(|l| l.contains("\"SELECT ") || l.contains("\"select "));
            assert!(sql.is_none(), "{}: {sql:?}", file.display());
        }
    }
}

#[test]
fn queries_of_reports_stand_beside_the_rules() {
    let queries = files(".", ".sql");
    assert!(!queries.is_empty(), "looked in the wrong place");
    let strange: Vec<_> =
        queries.into_iter().filter(|f| !f.starts_with("rules/reports") && !f.starts_with("tests")).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn one_version_of_arrow() {
    let lock = read("Cargo.lock".as_ref());
    for name in ["arrow", "arrow-array", "arrow-schema", "arrow-ipc", "parquet", "datafusion"] {
        let copies = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(copies, 1, "{name} is in the tree {copies} times");
    }
}
