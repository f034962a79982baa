//! The engine as a whole: what the contract says of windows, memory, folding and determinism, each with rows that show it.
mod blindness;
mod folding;
mod narrowed;
mod refreshed;
mod shapes;
mod windows;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use lidr_rules::{Body, Entity, Remember, Rule, Window};
use lidr_schema::{
    Key, TableId, dynamic,
    finding::{Activity, Severity},
};
use serde_json::{Map, Value, json};

use crate::{Engine, EngineOptions, Finding, Site};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

pub(crate) fn key() -> Key {
    Key::from_hex(&"07".repeat(32)).unwrap()
}

/// A rule on tasking whose results name `actor`; tests change what they are about.
pub(crate) fn rule(code: &str, sql: &str, window: Option<Window>) -> Rule {
    Rule {
        code: code.into(),
        version: 1,
        title: format!("title of {code}"),
        id: None,
        status: "test".into(),
        description: String::new(),
        references: Vec::new(),
        tags: vec!["attack.t1020".into()],
        level: Severity::High,
        body: Body::Sql(sql.into()),
        window,
        pending: None,
        absence: false,
        suspends: false,
        entity: vec![Entity { col: "actor".into(), kind: "host".into() }],
        message: "{actor} did it".into(),
        severity_by: None,
        needs: Vec::new(),
        uses: Vec::new(),
        remembers: BTreeMap::new(),
        bucket: window.map_or(24 * HOUR, |w| w.size),
        absorbs: Vec::new(),
        by: "all".into(),
        tunables: BTreeMap::new(),
        blind_spots: "none".into(),
        triage: "look".into(),
        benign_if: "planned".into(),
        falsepositives: Vec::new(),
        tests: Vec::new(),
        sha256: "00".into(),
        file: format!("{code}.yml"),
        plain_sigma: false,
    }
}

pub(crate) const fn window(size: i64, before: i64, after: i64) -> Option<Window> {
    Some(Window { size, before, after, sweep: None })
}

pub(crate) fn remember(key: &[&str], add: &str, drop: &str) -> Remember {
    Remember {
        from: TableId::Tasking,
        key: key.iter().map(|k| (*k).to_owned()).collect(),
        value: Vec::new(),
        rates: Vec::new(),
        add: add.into(),
        drop: drop.into(),
        ttl: 400 * 24 * HOUR,
        max: 1000,
        seed_history: false,
    }
}

/// One tasking row: due and ts at that second, frame = its ordinal.
pub(crate) fn tasking(second: i64, frame: u64, more: &Value) -> Map<String, Value> {
    let mut row = json!({
        "ts": second * SECOND, "due": second * SECOND, "sensor": "s", "capture": "e-0", "frame": frame, "trust": "clear",
        "actor": "10.0.0.1", "ne": "10.9.0.1", "src_ip": "10.0.0.1", "dst_ip": "10.9.0.1", "proto": 6, "outcome": "ok",
    });
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    row.as_object().unwrap().clone()
}

pub(crate) fn batch(table: TableId, rows: &[Map<String, Value>]) -> RecordBatch {
    dynamic::from_json(table.def(), rows, &key()).unwrap()
}

pub(crate) fn site(tables: Value) -> Site {
    let tables = tables.as_object().unwrap().iter().map(|(name, rows)| {
        (name.clone(), rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect())
    });
    Site::from_short(&tables.collect(), &key()).unwrap()
}

pub(crate) fn engine(rules: &[Rule], site: Site) -> Engine {
    Engine::new(rules, site, EngineOptions { key_id: "k".into(), ..EngineOptions::default() }).unwrap()
}

/// All rows at once, then the end of the input.
pub(crate) fn judged(rules: &[Rule], rows: &[Map<String, Value>]) -> Vec<Finding> {
    let mut engine = engine(rules, Site::default());
    engine.push(TableId::Tasking, batch(TableId::Tasking, rows), None).unwrap();
    let out = engine.finish(i64::MIN).unwrap();
    assert_eq!(engine.failure(), None);
    out
}

/// Some finding.
pub(crate) fn finding() -> Finding {
    let found =
        judged(&[rule("A-1", "SELECT actor, due AS at, rowid FROM tasking", None)], &[tasking(1, 1, &json!({}))]);
    found.into_iter().next().unwrap()
}

/// The last line of each id, in order.
pub(crate) fn last(findings: &[Finding]) -> Vec<Finding> {
    let mut out = BTreeMap::new();
    for f in findings {
        out.insert(f.uid.clone(), f.clone());
    }
    out.into_values().map(|f| Finding { activity: Activity::Create, ..f }).collect()
}
