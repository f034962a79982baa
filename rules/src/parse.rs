//! A rule file to rules: every key of the grammar, defaults filled in, what does not fit reported with its line.
use std::collections::BTreeMap;

use lidr_schema::{TableId, finding::Severity, hex};
use sha2::{Digest, Sha256};

use crate::{
    Absorb, Body, Entity, Problem, Remember, Rule, Tunable, Window, case,
    fields::Keys,
    lint, mapping,
    problem::Report,
    sigma,
    units::{DAY, HOUR},
    yaml::{self, Node, Yaml},
};

/// Keys that Sigma defines, or that public collections use.
const SIGMA_KEYS: &[&str] = &[
    "title",
    "id",
    "name",
    "status",
    "description",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "level",
    "falsepositives",
    "logsource",
    "detection",
    "correlation",
    "fields",
    "related",
    "license",
    "taxonomy",
    "scope",
    "sigma-version",
    "regression_tests_path",
    "simulation",
];
/// Keys that are ours.
const OWN_KEYS: &[&str] = &[
    "code",
    "version",
    "sql",
    "window",
    "pending",
    "absence",
    "suspends",
    "entity",
    "message",
    "severity_by",
    "needs",
    "uses",
    "remembers",
    "suppress",
    "absorbs",
    "by",
    "tunables",
    "blind_spots",
    "triage",
    "benign_if",
    "tests",
    "at_reason",
];
const LEVELS: &[&str] = &["informational", "low", "medium", "high", "critical"];
const STATES: &[&str] = &["stable", "test", "experimental", "deprecated", "unsupported"];
const ENTITIES: &[&str] = &["host", "account", "task", "destination", "device", "credential"];

/// The rules of a file and what is doubtful in it.
///
/// # Errors
/// Every problem of the file, with its line.
pub(crate) fn file(name: &str, text: &str) -> Result<(Vec<Rule>, Vec<Problem>), Vec<Problem>> {
    let mut report = Report::new(name);
    let documents = yaml::documents(text).unwrap_or_else(|(line, message)| {
        report.error(line, message);
        Vec::new()
    });
    if documents.is_empty() && report.errors.is_empty() {
        report.error(0, "needed a rule, had an empty file");
    }
    let sha256 = hex::encode(&Sha256::digest(text.as_bytes()));
    let rules: Vec<Rule> = documents.iter().filter_map(|doc| rule(doc, name, &sha256, &mut report)).collect();
    if report.errors.is_empty() { Ok((rules, report.warnings)) } else { Err(report.errors) }
}

fn rule(doc: &Node, file: &str, sha256: &str, report: &mut Report) -> Option<Rule> {
    let known: Vec<&str> = SIGMA_KEYS.iter().chain(OWN_KEYS).copied().collect();
    let keys = Keys::open(doc, "a rule", &known, report)?;
    let plain = OWN_KEYS.iter().all(|k| keys.get(k).is_none());
    let id = keys.text("id", report);
    let code = if plain { id.clone() } else { keys.required("code", report) };
    if plain && id.is_empty() {
        report.error(doc.line, "a rule: needed `id` (a plain Sigma rule is known by it)");
    }
    let (body, mapped) = body(&keys, report)?;
    let window = window(&keys, report);
    let before = window.map_or(0, |w| w.before);
    let default_bucket = window.map_or(DAY, |w| w.size);
    let suppress = keys
        .get("suppress")
        .and_then(|n| Keys::open(n, "`suppress`", &["for"], report))
        .and_then(|k| k.duration("for", report));
    let bucket = suppress.unwrap_or(default_bucket);
    let title = keys.required("title", report);
    let rule = Rule {
        code,
        version: keys.number("version", report).unwrap_or(1),
        message: if plain { plain_message(&title) } else { keys.required("message", report) },
        title,
        id: (!id.is_empty()).then_some(id),
        status: keys.word("status", STATES, report).unwrap_or_else(|| "experimental".to_owned()),
        description: keys.text("description", report),
        references: keys.texts("references", report),
        tags: keys.texts("tags", report),
        level: level(&keys, "level", report).unwrap_or(Severity::Medium),
        body,
        window,
        pending: level(&keys, "pending", report),
        absence: keys.bool("absence", report),
        suspends: keys.word("suspends", &["absence"], report).is_some(),
        entity: if plain { src_and_dst() } else { entity(&keys, report) },
        severity_by: keys.get("severity_by").and_then(Node::scalar),
        needs: keys.texts("needs", report),
        uses: keys.texts("uses", report),
        remembers: remembers(&keys, report),
        bucket: if before > 0 { bucket.max(HOUR) } else { bucket },
        absorbs: absorbs(&keys, report),
        by: keys.word("by", &["src", "dst", "ne", "task", "all"], report).unwrap_or_else(|| "all".to_owned()),
        tunables: tunables(&keys, report),
        blind_spots: keys.text("blind_spots", report),
        triage: keys.text("triage", report),
        benign_if: keys.text("benign_if", report),
        falsepositives: keys.texts("falsepositives", report),
        tests: case::cases(&keys, report),
        sha256: sha256.to_owned(),
        file: file.to_owned(),
        plain_sigma: plain,
    };
    lint::rule(&rule, &keys, mapped, report);
    Some(rule)
}

/// The body, and whether its field names went through the mapping.
fn body(keys: &Keys<'_>, report: &mut Report) -> Option<(Body, bool)> {
    if keys.get("correlation").is_some() {
        report.error(
            keys.at("correlation"),
            "`correlation`: needed `detection` or `sql`; counts over time are a `sql` body with a `window`",
        );
        return None;
    }
    match (keys.get("sql"), keys.get("detection")) {
        (Some(sql), None) => match sql.text() {
            Some(text) => Some((Body::Sql(text.trim().to_owned()), false)),
            None => {
                report.error(sql.line, format!("`sql`: needed text, had {}", sql.kind()));
                None
            }
        },
        (None, Some(detection)) => {
            let Some(logsource) = keys.get("logsource") else {
                report.error(keys.line, "a rule with `detection` needed a `logsource`");
                return None;
            };
            let source = mapping::source(logsource, report)?;
            let own = sigma::compile(detection, source.table, &source.fields, report);
            let only = source.only.as_ref().map(|n| sigma::selection(n, source.table, report));
            let condition = match only {
                Some(only) => sigma::and(vec![only?, own?]),
                None => own?,
            };
            Some((Body::Detection { table: source.table, condition }, !source.fields.is_empty()))
        }
        (had, _) => {
            let had = if had.is_some() { "both" } else { "neither" };
            report.error(keys.line, format!("a rule: needed either `sql` or `detection`, had {had}"));
            None
        }
    }
}

fn plain_message(title: &str) -> String {
    format!("{}: {{src_ip}} to {{dst_ip}}", title.replace(['{', '}'], ""))
}

fn src_and_dst() -> Vec<Entity> {
    ["src_ip", "dst_ip"].map(|col| Entity { col: col.to_owned(), kind: "host".to_owned() }).into()
}

fn level(keys: &Keys<'_>, key: &str, report: &mut Report) -> Option<Severity> {
    keys.word(key, LEVELS, report).and_then(|l| Severity::named(&l))
}

fn window(keys: &Keys<'_>, report: &mut Report) -> Option<Window> {
    let node = keys.get("window")?;
    if node.text() == Some("none") {
        return None;
    }
    let keys = Keys::open(node, "`window`", &["size", "before", "after", "sweep"], report)?;
    let size = keys.duration("size", report).filter(|s| *s > 0);
    if size.is_none() {
        report.error(node.line, "`window`: needed a `size` above 0, or `none`");
    }
    let mut side = |key| keys.duration(key, report).unwrap_or_default();
    let (before, after) = (side("before"), side("after"));
    let sweep = keys.duration("sweep", report);
    if let (Some(size), Some(sweep)) = (size, sweep)
        && (sweep < size || sweep % size != 0)
    {
        report.error(node.line, "`window`: needed a `sweep` that is a multiple of `size`");
    }
    Some(Window { size: size?, before, after, sweep })
}

fn entity(keys: &Keys<'_>, report: &mut Report) -> Vec<Entity> {
    let mut out = Vec::new();
    for node in keys.list("entity", report) {
        let Some(entry) = Keys::open(node, "`entity`", &["col", "type"], report) else { continue };
        let kind = entry.word("type", ENTITIES, report).unwrap_or_default();
        if entry.get("type").is_none() {
            report.error(node.line, "`entity`: needed `type`");
        }
        out.push(Entity { col: entry.required("col", report), kind });
    }
    out
}

fn remembers(keys: &Keys<'_>, report: &mut Report) -> BTreeMap<String, Remember> {
    let mut out = BTreeMap::new();
    for (name, node) in keys.map("remembers", report) {
        let what = format!("memory `{}`", name.text);
        let known = ["from", "key", "value", "rates", "add", "drop", "ttl", "max", "seed"];
        let Some(entry) = Keys::open(node, &what, &known, report) else { continue };
        let from_name = entry.required("from", report);
        let Some(from) = TableId::named(&from_name) else {
            report.unknown(
                entry.at("from"),
                &format!("{what}: no table"),
                &from_name,
                lidr_schema::table::ALL.iter().map(|t| t.name()),
            );
            continue;
        };
        let memory = Remember {
            from,
            key: entry.texts("key", report),
            value: entry.texts("value", report),
            rates: entry.texts("rates", report),
            add: entry.text("add", report),
            drop: entry.text("drop", report),
            ttl: entry.duration("ttl", report).unwrap_or(400 * DAY),
            max: entry.number("max", report).unwrap_or(1_000_000),
            seed_history: entry.word("seed", &["history"], report).is_some(),
        };
        if memory.key.is_empty() {
            report.error(node.line, format!("{what}: needed `key`"));
        }
        for column in
            memory.key.iter().chain(&memory.value).chain(&memory.rates).filter(|c| from.def().column(c).is_none())
        {
            report.unknown(
                node.line,
                &format!("{what}: table `{from_name}` has no column"),
                column,
                from.def().columns.iter().map(|c| c.name),
            );
        }
        out.insert(name.text.clone(), memory);
    }
    out
}

fn absorbs(keys: &Keys<'_>, report: &mut Report) -> Vec<Absorb> {
    let mut out = Vec::new();
    for node in keys.list("absorbs", report) {
        let Some(entry) = Keys::open(node, "`absorbs`", &["code", "by"], report) else { continue };
        let absorb = Absorb { code: entry.required("code", report), by: entry.texts("by", report), line: node.line };
        if absorb.by.is_empty() {
            report.error(node.line, "`absorbs`: needed `by`, the columns that both results must agree in");
        }
        out.push(absorb);
    }
    out
}

fn tunables(keys: &Keys<'_>, report: &mut Report) -> BTreeMap<String, Tunable> {
    let mut out = BTreeMap::new();
    for (name, node) in keys.map("tunables", report) {
        let what = format!("tunable `{}`", name.text);
        let Some(entry) = Keys::open(node, &what, &["default", "unit", "meaning"], report) else { continue };
        let default = match entry.get("default") {
            Some(Node { value: Yaml::Int(_) | Yaml::Bool(_) | Yaml::Text(_), .. }) => {
                entry.get("default").map(Node::json)
            }
            _ => None,
        };
        let Some(default) = default else {
            report.error(node.line, format!("{what}: needed a `default` that is a whole number, text, true or false"));
            continue;
        };
        out.insert(
            name.text.clone(),
            Tunable { default, unit: entry.required("unit", report), meaning: entry.required("meaning", report) },
        );
    }
    out
}
