//! A finding as its line tells it: what reports and people need of it, whoever wrote the line.
use std::cmp::Reverse;

use lidr_schema::finding::{Evidence, Resource, Severity};
use serde_json::Value;

/// A finding, read from its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its id.
    pub uid: String,
    /// Catalogue code of the rule.
    pub code: String,
    /// Version of the rule.
    pub version: String,
    /// Title of the rule.
    pub title: String,
    /// Who did what to which system.
    pub message: String,
    /// How bad.
    pub severity: Severity,
    /// How sure: `high`, `medium`, `low`.
    pub confidence: String,
    /// Least event time, µs.
    pub first: i64,
    /// Greatest event time, µs.
    pub last: i64,
    /// Distinct event times.
    pub count: u64,
    /// It proved harmless.
    pub closed: bool,
    /// It is not confirmed yet.
    pub pending: bool,
    /// Rows came behind the watermark.
    pub late: bool,
    /// What it is about.
    pub resources: Vec<Resource>,
    /// Rows that prove it.
    pub evidences: Vec<Evidence>,
    /// Techniques of ATT&CK, each once: id and name.
    pub techniques: Vec<String>,
    /// The finding that explains it.
    pub absorbed_by: Option<String>,
    /// Findings that it explains.
    pub absorbs: Vec<String>,
    /// Site tables that it had to do without.
    pub without: Vec<String>,
    /// Rules that are not judged where it holds.
    pub suspends: Vec<String>,
    /// What would make it harmless.
    pub benign_if: String,
    /// What to look at next.
    pub triage: String,
    /// What the rule cannot see.
    pub blind_spots: String,
    /// SHA-256 of the rule's file.
    pub rule_sha256: String,
    /// The copy of the site that judged.
    pub site_hash: String,
    /// Public name of the pseudonym key.
    pub key_id: String,
}

impl Told {
    /// Reads a line.
    ///
    /// # Errors
    /// What the line lacks.
    pub fn read(line: &Value) -> Result<Self, String> {
        let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let own = |name: &str| text(&format!("/unmapped/lidr/{name}"));
        let set = |name: &str| line.pointer(&format!("/unmapped/lidr/{name}")) == Some(&Value::Bool(true));
        let list = |name: &str| {
            let all = line.pointer(&format!("/unmapped/lidr/{name}")).and_then(Value::as_array);
            all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let needed = |pointer: &str| {
            Some(text(pointer))
                .filter(|t| !t.is_empty())
                .ok_or_else(|| format!("needed {}", pointer.get(1..).unwrap_or_default()))
        };
        let time = |pointer: &str| {
            let millis = line.pointer(pointer).and_then(Value::as_i64);
            millis
                .map(|ms| ms.saturating_mul(1000))
                .ok_or_else(|| format!("needed {}", pointer.get(1..).unwrap_or_default()))
        };
        let id = line.get("severity_id").and_then(Value::as_u64);
        let severity = Severity::ALL.into_iter().find(|s| Some(u64::from(s.id())) == id);
        Ok(Self {
            uid: needed("/finding_info/uid")?,
            code: needed("/finding_info/analytic/uid")?,
            version: text("/finding_info/analytic/version"),
            title: text("/finding_info/title"),
            message: text("/message"),
            severity: severity.ok_or_else(|| "needed severity_id from 1 to 5".to_owned())?,
            confidence: text("/confidence").to_lowercase(),
            first: time("/finding_info/first_seen_time")?,
            last: time("/finding_info/last_seen_time")?,
            count: line.get("count").and_then(Value::as_u64).unwrap_or(1),
            closed: line.get("activity_id").and_then(Value::as_u64) == Some(3),
            pending: set("pending"),
            late: set("late"),
            resources: resources(line),
            evidences: evidences(line)?,
            techniques: techniques(line),
            absorbed_by: Some(own("absorbed_by")).filter(|uid| !uid.is_empty()),
            absorbs: list("absorbs"),
            without: list("without"),
            suspends: list("suspends"),
            benign_if: own("benign_if"),
            triage: own("triage"),
            blind_spots: own("blind_spots"),
            rule_sha256: own("rule_sha256"),
            site_hash: own("site_hash"),
            key_id: own("key_id"),
        })
    }

    /// What findings are sorted by: time, then weight, then name.
    pub(crate) fn key(&self) -> (i64, Reverse<Severity>, String, String) {
        (self.first, Reverse(self.severity), self.code.clone(), self.uid.clone())
    }

    /// Addresses in its evidence, each with whether it is the one that asked.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (bool, &str)> {
        let all = self.evidences.iter().flat_map(|e| [(true, &e.src_endpoint), (false, &e.dst_endpoint)]);
        all.filter_map(|(source, end)| Some((source, end.as_ref()?.ip.as_str()))).filter(|(_, ip)| super::is_name(ip))
    }
}

fn resources(line: &Value) -> Vec<Resource> {
    let text = |r: &Value, name: &str| r.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all = line.get("resources").and_then(Value::as_array);
    all.into_iter().flatten().map(|r| Resource { kind: text(r, "type"), name: text(r, "name") }).collect()
}

fn evidences(line: &Value) -> Result<Vec<Evidence>, String> {
    let all = line.get("evidences").and_then(Value::as_array).into_iter().flatten();
    all.map(|e| serde_json::from_value(e.clone()).map_err(|why| format!("evidences: {why}"))).collect()
}

fn techniques(line: &Value) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for attack in line.pointer("/finding_info/attacks").and_then(Value::as_array).into_iter().flatten() {
        let text = |pointer: &str| attack.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let sub = text("/sub_technique/uid");
        let id = if sub.is_empty() { text("/technique/uid") } else { sub };
        let name = text("/technique/name");
        let shown = format!("{id} {name}").trim().to_owned();
        if !id.is_empty() && !out.contains(&shown) {
            out.push(shown);
        }
    }
    out
}
