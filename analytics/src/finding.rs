//! A finding as the engine hands it out, and its line: OCSF Detection Finding (contracts: finding).
//!
//! Everything in the line follows from the rule, the rows and the site; nothing from when or how they were read, but for the
//! broker's topic, partition and offset in the evidence.
use lidr_schema::{
    finding::{Activity, Confidence, Evidence, OCSF_VERSION, Resource, Severity},
    hex,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::attack;

/// A finding in one of its states.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The id: the same wherever the finding is made.
    pub uid: String,
    /// Create, update or close.
    pub activity: Activity,
    /// Catalogue code of the rule.
    pub code: String,
    /// Version of the rule.
    pub version: u32,
    /// Title of the rule.
    pub title: String,
    /// Who did what to which system, when, and why that is unusual.
    pub message: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Event time of the finding, µs.
    pub time: i64,
    /// Least event time under this id, µs.
    pub first_seen: i64,
    /// Greatest event time under this id, µs.
    pub last_seen: i64,
    /// The moment it was first made, µs: what absorbing is decided by.
    pub made: i64,
    /// Distinct event times under this id.
    pub count: u64,
    /// What it is about, in the rule's order.
    pub resources: Vec<Resource>,
    /// The first rows that prove it, in row order.
    pub evidences: Vec<Evidence>,
    /// `attack.*` and `lidr.*` of the rule.
    pub tags: Vec<String>,
    /// What is lidr's own in the line.
    pub lidr: Own,
}

/// `unmapped.lidr` of a finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    /// Start and end of the window, µs; none for rules on single rows.
    pub window: Option<(i64, i64)>,
    /// SHA-256 of the rule's file.
    pub rule_sha256: String,
    /// What the rule cannot see.
    pub blind_spots: String,
    /// What would make it harmless.
    pub benign_if: String,
    /// What to look at next.
    pub triage: String,
    /// Which copy of the site judged it.
    pub site_hash: String,
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// The finding that explains this one.
    pub absorbed_by: Option<String>,
    /// Findings that this one explains.
    pub absorbs: Vec<String>,
    /// Tables that the rule would have used and that were absent.
    pub without: Vec<String>,
    /// Rules that argue from absence and are not judged where this finding holds.
    pub suspends: Vec<String>,
    /// Rows arrived behind the watermark.
    pub late: bool,
    /// Not confirmed yet: context after the window is still to come.
    pub pending: bool,
}

impl Finding {
    /// The OCSF line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let info = json!({
            "uid": self.uid,
            "title": self.title,
            "analytic": {
                "uid": self.code, "name": self.title, "version": self.version.to_string(), "type": "Rule", "type_id": 1,
            },
            "first_seen_time": millis(self.first_seen),
            "last_seen_time": millis(self.last_seen),
            "attacks": attack::attacks(&self.tags),
        });
        let resources: Vec<Value> = self.resources.iter().map(|r| json!({ "type": r.kind, "name": r.name })).collect();
        json!({
            "class_uid": 2004,
            "class_name": "Detection Finding",
            "category_uid": 2,
            "category_name": "Findings",
            "activity_id": self.activity.id(),
            "type_uid": 200_400 + u32::from(self.activity.id()),
            "time": millis(self.time),
            "metadata": {
                "version": OCSF_VERSION,
                "product": { "name": "lidr", "vendor_name": "lidr", "version": env!("CARGO_PKG_VERSION") },
            },
            "severity_id": self.severity.id(),
            "severity": title_case(self.severity.name()),
            "confidence_id": self.confidence.id(),
            "confidence": title_case(self.confidence.name()),
            "status_id": if self.activity == Activity::Close { 4 } else { 1 },
            "message": self.message,
            "finding_info": info,
            "resources": resources,
            "evidences": self.evidences,
            "count": self.count,
            "unmapped": { "lidr": self.lidr.to_json() },
        })
    }

    /// What decides whether a line says anything new: SHA-256 of all of it but the kind of line.
    pub(crate) fn digest(&self) -> String {
        let line = Self { activity: Activity::Create, ..self.clone() }.to_json().to_string();
        hex::encode(&Sha256::digest(line))
    }

    /// The entity's values, in the rule's order.
    #[must_use]
    pub fn entity(&self) -> Vec<String> {
        self.resources.iter().map(|r| r.name.clone()).collect()
    }
}

impl Own {
    fn to_json(&self) -> Value {
        let mut out = Map::new();
        let window = self.window.map(|(start, end)| json!({ "start": millis(start), "end": millis(end) }));
        out.insert("window".into(), window.unwrap_or(Value::Null));
        for (name, text) in [
            ("rule_sha256", &self.rule_sha256),
            ("blind_spots", &self.blind_spots),
            ("benign_if", &self.benign_if),
            ("triage", &self.triage),
            ("site_hash", &self.site_hash),
            ("key_id", &self.key_id),
        ] {
            out.insert(name.into(), json!(text));
        }
        out.insert("absorbed_by".into(), json!(self.absorbed_by));
        out.insert("absorbs".into(), json!(self.absorbs));
        for (name, list) in [("without", &self.without), ("suspends", &self.suspends)] {
            if !list.is_empty() {
                out.insert(name.into(), json!(list));
            }
        }
        for (name, set) in [("late", self.late), ("pending", self.pending)] {
            if set {
                out.insert(name.into(), json!(true));
            }
        }
        Value::Object(out)
    }
}

const fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

fn title_case(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
