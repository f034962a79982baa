//! The cases in rule files: rows in short form, judged by the rule alone, compared with what must come out.
use std::collections::BTreeMap;

use lidr_rules::{Case, Rule};
use lidr_schema::{Key, Kind, TableId, dynamic};
use serde_json::{Map, Value, json};

use crate::{Engine, EngineOptions, Finding, Site, plan::Planner, state};

/// Start of the cases' window: 2026-01-01T00:00:00Z, which is a multiple of every window's size that divides a day.
const ORIGIN: i64 = 1_767_225_600_000_000;

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// What differs from what was expected; none: it passed.
    pub problem: Option<String>,
}

/// Runs the cases of a rule.
#[must_use]
pub fn run_cases(rule: &Rule) -> Vec<CaseResult> {
    let result = |case: &Case| CaseResult { name: case.name.clone(), problem: run(rule, case).err() };
    rule.tests.iter().map(result).collect()
}

/// Plans every rule against empty tables: (file, message) of those that do not plan.
#[must_use]
pub fn check_rules(rules: &[Rule]) -> Vec<(String, String)> {
    let site = Site::default();
    let planner = match Planner::new(&site) {
        Ok(planner) => planner,
        Err(message) => return vec![("(engine)".to_owned(), message)],
    };
    let mut out = Vec::new();
    for rule in rules {
        let planned = state::State::new(rule, &planner, &site, &EngineOptions::default());
        let ready = planned.map_err(|e| e.to_string()).and_then(|mut state| state.ready(&planner));
        if let Err(message) = ready {
            out.push((rule.file.clone(), message));
        }
    }
    out
}

fn run(rule: &Rule, case: &Case) -> Result<(), String> {
    // Nothing real is hashed with it: rows and register of a case only have to meet.
    let key = Key::from_hex(&"5c".repeat(32)).map_err(|e| e.to_string())?;
    let origin = rule.window.map_or(ORIGIN, |w| ORIGIN.div_euclid(w.size) * w.size);
    let site = Site::from_short(&absolute_site(&case.site, origin), &key).map_err(|e| e.to_string())?;
    let tunables = BTreeMap::from([(rule.code.clone(), case.set.clone())]);
    let options = EngineOptions { tunables, ..EngineOptions::default() };
    let mut engine = Engine::new(std::slice::from_ref(rule), site, options).map_err(|e| e.to_string())?;
    if let Some(not) = engine.stats().not_evaluated.first() {
        return compare(case, &[], Some(&not.reason), &key);
    }
    let mut last = origin;
    for (name, rows) in &case.given {
        let table = TableId::named(name).ok_or_else(|| format!("no table `{name}`"))?;
        let rows: Vec<Map<String, Value>> = rows.iter().enumerate().map(|(i, row)| full(row, i, origin)).collect();
        last = rows.iter().filter_map(|r| r.get("due").and_then(Value::as_i64)).fold(last, i64::max);
        let batch = dynamic::from_json(table.def(), &rows, &key).map_err(|e| e.to_string())?;
        engine.push(table, batch, None).map_err(|e| e.to_string())?;
    }
    let end = case.until.map_or(last, |until| origin + until);
    let mut findings = engine.advance(end).map_err(|e| e.to_string())?;
    if case.until.is_none() {
        findings.extend(engine.finish(end).map_err(|e| e.to_string())?);
    }
    findings.extend(engine.open());
    if let Some(message) = engine.failure() {
        return Err(message.to_owned());
    }
    let reason = engine.stats().not_evaluated.into_iter().find(|n| !n.partly).map(|n| n.reason);
    compare(case, &findings, reason.as_deref(), &key)
}

/// A row with its times filled in: `at` means both, `due` is `ts` unless told.
fn full(row: &Map<String, Value>, number: usize, origin: i64) -> Map<String, Value> {
    let mut out = row.clone();
    let at = out.remove("at").and_then(|v| v.as_i64());
    let time = |name: &str| row.get(name).and_then(Value::as_i64).or(at);
    let ts = origin + time("ts").or(time("due")).unwrap_or_default();
    let due = origin + time("due").or(time("ts")).unwrap_or_default();
    for (_, value) in out.iter_mut().filter(|(name, _)| matches!(name.as_str(), "last_ts" | "timeout" | "start")) {
        *value = value.as_i64().map_or(Value::Null, |t| json!(origin + t));
    }
    out.insert("ts".into(), json!(ts));
    out.insert("due".into(), json!(due));
    for (name, value) in [("sensor", json!("case")), ("capture", json!("case-00000")), ("trust", json!("clear"))] {
        out.entry(name).or_insert(value);
    }
    out.entry("frame").or_insert(json!(number + 1));
    out
}

/// Times of a case's site tables may be relative to the window's start, as `+2h` or `-1d`.
fn absolute_site(
    site: &BTreeMap<String, Vec<Map<String, Value>>>,
    origin: i64,
) -> BTreeMap<String, Vec<Map<String, Value>>> {
    let time = |value: &mut Value| {
        let relative = value.as_str().and_then(relative_micros);
        if let Some(micros) = relative {
            *value = json!(format!("{}Z", crate::time::seconds_text(origin + micros).replace(' ', "T")));
        }
    };
    let mut out = site.clone();
    out.values_mut().flatten().for_each(|row| row.values_mut().for_each(time));
    out
}

fn relative_micros(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let unit = rest.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: i64 = rest.strip_suffix(unit)?.parse().ok()?;
    Some(sign * number * seconds * 1_000_000)
}

/// The last state of every finding against what was expected.
fn compare(case: &Case, findings: &[Finding], not_evaluated: Option<&str>, key: &Key) -> Result<(), String> {
    match (not_evaluated, case.not_evaluated) {
        // A rule that did not look has shown nothing, least of all that it stays silent.
        (Some(reason), false) => {
            return Err(format!(
                "not evaluated: {reason}; give the case what the rule needs, or `expect: not_evaluated`"
            ));
        }
        (None, true) => {
            return Err(format!(
                "expected that the rule is not evaluated; it was, and found {}",
                shown(&findings.iter().collect::<Vec<_>>())
            ));
        }
        _ => {}
    }
    let mut last: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        if finding.activity == lidr_schema::finding::Activity::Close {
            last.remove(finding.uid.as_str());
        } else {
            last.insert(&finding.uid, finding);
        }
    }
    let mut found: Vec<&Finding> = last.into_values().collect();
    for want in &case.expect {
        let fits = |f: &&Finding| {
            let entity: Vec<String> = want.entity.iter().map(|text| hashed(text, key)).collect();
            f.entity() == entity
                && want.level.is_none_or(|l| f.severity == l)
                && want.count.is_none_or(|n| f.count == n)
        };
        match found.iter().position(fits) {
            Some(i) => drop(found.swap_remove(i)),
            None => {
                return Err(format!("expected {} of {:?}, found {}", level(want.level), want.entity, shown(&found)));
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(format!("expected nothing more, found {}", shown(&found))) }
}

/// A pseudonym stands in a case as `kind:text`, as it does in the case's rows.
fn hashed(text: &str, key: &Key) -> String {
    let kind = text.split_once(':').and_then(|(kind, rest)| Some((Kind::named(kind)?, rest)));
    kind.map_or_else(|| text.to_owned(), |(kind, rest)| key.pseudonym(kind, rest).token())
}

fn level(level: Option<lidr_schema::finding::Severity>) -> &'static str {
    level.map_or("a finding", lidr_schema::finding::Severity::name)
}

fn shown(findings: &[&Finding]) -> String {
    if findings.is_empty() {
        return "nothing".to_owned();
    }
    let one = |f: &&Finding| format!("{} of {:?} ({} times): {}", f.severity.name(), f.entity(), f.count, f.message);
    findings.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a rule's only case, with that expectation and that register.
    fn said(expect: &str, site: &str) -> Option<String> {
        let text = format!(
            "title: T\nid: 00000000-0000-4000-8000-000000000001\ncode: XX-01\nlevel: low\nneeds: [warrants]\n\
             logsource: {{product: lidr, category: tasking}}\ndetection: {{s: {{op: list}}, condition: s}}\n\
             entity: [{{col: actor, type: host}}]\nmessage: \"{{actor}}\"\ntests:\n\
             - {{name: fires, given: {{tasking: [{{op: list, actor: 10.0.0.1}}]}}, site: {{warrants: []}}, expect: [{{entity: [10.0.0.1]}}]}}\n\
             - {{name: silent, given: {{tasking: [{{op: get, actor: 10.0.0.1}}]}}, {site} expect: {expect}}}\n\
             - {{name: other, site: {{warrants: []}}, expect: none}}\n"
        );
        let rule = lidr_rules::parse_file("r.yml", &text).unwrap().remove(0);
        let results = run_cases(&rule);
        assert!(results[0].problem.is_none() && results[2].problem.is_none(), "{results:?}");
        results[1].problem.clone()
    }

    #[test]
    fn silence_of_a_rule_that_did_not_look_is_none() {
        let blind = said("none", "").unwrap();
        assert!(blind.contains("not evaluated: needs site table warrants"), "{blind}");
        assert_eq!(said("none", "site: {warrants: []},"), None);
        assert_eq!(said("not_evaluated", ""), None);
        assert!(said("not_evaluated", "site: {warrants: []},").unwrap().contains("it was, and found nothing"));
    }
}
