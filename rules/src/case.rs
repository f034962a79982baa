//! The cases in a rule file: rows and site tables in short form, and the findings that must come out.
use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use lidr_schema::{TableDef, TableId, finding::Severity};
use serde_json::{Map, Value};

use crate::{
    Case, Expect,
    fields::Keys,
    model::Rule,
    problem::Report,
    site::{ColumnKind, SITE_TABLES, SiteTable},
    units,
    yaml::{Name, Node, Yaml},
};

/// What a case expects where the rule cannot judge: silence of a rule that did not look is no silence.
const NOT_EVALUATED: &str = "not_evaluated";
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// Every case of a file.
pub(crate) fn cases(keys: &Keys<'_>, report: &mut Report) -> Vec<Case> {
    keys.list("tests", report).iter().filter_map(|node| case(node, report)).collect()
}

fn case(node: &Node, report: &mut Report) -> Option<Case> {
    let keys = Keys::open(node, "a case", &["name", "given", "site", "until", "set", "expect"], report)?;
    let mut given = BTreeMap::new();
    for (name, rows) in keys.map("given", report) {
        match TableId::named(&name.text) {
            Some(table) => {
                drop(given.insert(name.text.clone(), each(rows, report, |n, r| event_row(n, table.def(), r))))
            }
            None => report.unknown(name.line, "no table", &name.text, lidr_schema::table::ALL.iter().map(|t| t.name())),
        }
    }
    let mut site = BTreeMap::new();
    for (name, rows) in keys.map("site", report) {
        match SiteTable::named(&name.text) {
            Some(table) => drop(site.insert(name.text.clone(), each(rows, report, |n, r| site_row(n, table, r)))),
            None => report.unknown(name.line, "no site table", &name.text, SITE_TABLES.iter().map(|t| t.name)),
        }
    }
    let name = keys.required("name", report);
    let until = keys.moment("until", report);
    let not_evaluated = keys.get("expect").and_then(Node::text) == Some(NOT_EVALUATED);
    let set = keys.map("set", report).iter().map(|(name, node)| (name.text.clone(), node.json())).collect();
    Some(Case { name, given, site, until, set, expect: expected(&keys, report), not_evaluated })
}

fn each(
    node: &Node,
    report: &mut Report,
    mut row: impl FnMut(&[(Name, Node)], &mut Report) -> Map<String, Value>,
) -> Vec<Map<String, Value>> {
    let Yaml::List(rows) = &node.value else {
        report.error(node.line, format!("rows: needed a list of maps, had {}", node.kind()));
        return Vec::new();
    };
    let mut out = Vec::new();
    for node in rows {
        match node.map() {
            Some(entries) => out.push(row(entries, report)),
            None => report.error(node.line, format!("a row: needed a map, had {}", node.kind())),
        }
    }
    out
}

fn event_row(entries: &[(Name, Node)], def: &TableDef, report: &mut Report) -> Map<String, Value> {
    let mut out = Map::from_iter([("ts".to_owned(), Value::from(0)), ("due".to_owned(), Value::from(0))]);
    for (name, node) in entries {
        if name.text == "at" {
            let at = moment(node, report);
            out.extend([("ts".to_owned(), at.clone()), ("due".to_owned(), at)]);
            continue;
        }
        match def.column(&name.text) {
            None => {
                let known = def.columns.iter().map(|c| c.name).chain(["at"]);
                report.unknown(name.line, &format!("table `{}` has no column", def.name), &name.text, known);
            }
            Some(c) if matches!(c.data_type, DataType::Timestamp(..)) => {
                drop(out.insert(name.text.clone(), moment(node, report)))
            }
            Some(_) => drop(out.insert(name.text.clone(), node.json())),
        }
    }
    out
}

/// A moment as µs after the window's start.
fn moment(node: &Node, report: &mut Report) -> Value {
    match (&node.value, node.text().and_then(units::moment)) {
        (_, Some(at)) => Value::from(at),
        (Yaml::Null, _) => Value::Null,
        _ => {
            report.error(node.line, "needed a moment after the window's start, such as +90s or -30d");
            Value::Null
        }
    }
}

fn site_row(entries: &[(Name, Node)], table: &SiteTable, report: &mut Report) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, node) in entries {
        let Some(column) = table.columns.iter().find(|c| c.name == name.text) else {
            let known = table.columns.iter().map(|c| c.name);
            report.unknown(name.line, &format!("site table `{}` has no column", table.name), &name.text, known);
            continue;
        };
        let value = match (&node.value, column.kind) {
            // Relative times stay as written: the site's own reader knows RFC 3339 and is given the window's start.
            (Yaml::List(list), ColumnKind::List(_) | ColumnKind::Ports) => {
                Value::from(list.iter().filter_map(Node::scalar).collect::<Vec<_>>().join(";"))
            }
            _ => node.json(),
        };
        out.insert(name.text.clone(), value);
    }
    out
}

fn expected(keys: &Keys<'_>, report: &mut Report) -> Vec<Expect> {
    match keys.get("expect") {
        Some(node) if [Some("none"), Some(NOT_EVALUATED)].contains(&node.text()) => Vec::new(),
        Some(_) => keys.list("expect", report).iter().filter_map(|n| expect(n, report)).collect(),
        None => {
            report.error(keys.line, "a case: needed `expect`, a list of findings, `none` or `not_evaluated`");
            Vec::new()
        }
    }
}

fn expect(node: &Node, report: &mut Report) -> Option<Expect> {
    let keys = Keys::open(node, "an expected finding", &["entity", "level", "count"], report)?;
    let level = keys.word("level", &LEVELS, report).and_then(|l| Severity::named(&l));
    Some(Expect { entity: keys.texts("entity", report), level, count: keys.number("count", report) })
}

/// A rule of our own must show that it fires and that it can stay silent; what it expects must have its entity's shape.
pub(crate) fn lint(rule: &Rule, keys: &Keys<'_>, report: &mut Report) {
    let line = keys.at("tests");
    if !rule.tests.iter().any(|t| !t.expect.is_empty()) {
        report.error(line, "`tests`: needed at least one case that fires");
    }
    if !rule.tests.iter().any(|t| t.expect.is_empty() && !t.not_evaluated) {
        report.error(line, "`tests`: needed at least one case that stays silent (`expect: none`)");
    }
    for test in &rule.tests {
        for name in test.set.keys().filter(|n| !rule.tunables.contains_key(*n)) {
            let what = format!("case `{}`: no tunable", test.name);
            report.unknown(line, &what, name, rule.tunables.keys().map(String::as_str));
        }
        if test.expect.iter().any(|e| e.entity.len() != rule.entity.len()) {
            report.error(
                line,
                format!("case `{}`: needed {} entity values in each expected finding", test.name, rule.entity.len()),
            );
        }
    }
}
