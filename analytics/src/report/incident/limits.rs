//! What lidr could not see: without this a page of findings would say more than is known, and a page without any would say "clean".
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Page;
use crate::{
    report::html::{escaped, table},
    words::many,
};

/// Findings of blindness that have a line.
const MOST_BLIND: usize = 12;
/// Records that are told of one input.
const MOST_RECORDS: usize = 5;
/// Rows of a table, and lines of a list.
const MOST_ROWS: usize = 50;

/// The third sentence.
pub(super) fn sentence(page: &Page<'_>) -> String {
    let rules = page.summary.get("rules");
    let number = |name: &str| rules.and_then(|r| r.get(name)).and_then(Value::as_u64).unwrap_or_default();
    let (loaded, evaluated) = (number("loaded"), number("evaluated"));
    if !page.is_accounted() {
        return "How much it could see is not known, because the run has written no summary: what is not told here is not shown to be absent."
            .to_owned();
    }
    let judged = match loaded.saturating_sub(evaluated) {
        0 => format!("All {loaded} rules judged"),
        n => format!("{evaluated} of {loaded} rules judged, and {n} could not"),
    };
    let partly = not_evaluated(page.summary, true).count();
    let mut lacks: Vec<String> = Vec::new();
    if partly > 0 {
        lacks.push(format!("{} judged only at times", many(partly, "rule")));
    }
    let blind: BTreeSet<&str> =
        blind(page).map(|f| f.resources.first().map(|r| r.name.as_str()).unwrap_or_default()).collect();
    if !blind.is_empty() {
        lacks.push(format!(
            "{} blind for a time",
            if blind.len() == 1 { "a sensor was".to_owned() } else { format!("{} sensors were", blind.len()) }
        ));
    }
    let dropped = sum(page.summary, "dropped");
    if dropped > 0 {
        lacks.push(format!("{dropped} items were dropped"));
    }
    let lost = dropped_before(page.summary);
    if lost > 0 {
        lacks.push(format!("{} lost before the capture was written", packets(lost)));
    }
    let cut = all_inputs(page.summary).filter(|input| unread(input).next().is_some()).count();
    if cut > 0 {
        lacks.push(format!(
            "{} cut or unreadable",
            if cut == 1 { "an input was".to_owned() } else { format!("{cut} inputs were") }
        ));
    }
    let lacks = if lacks.is_empty() { String::new() } else { format!("; {}", lacks.join(", ")) };
    let whole = loaded == evaluated && lacks.is_empty();
    let end = if whole {
        "; what no rule looks for, and what was encrypted, is still not shown to be absent."
    } else {
        ": what is not told here is not shown to be absent."
    };
    format!("{judged}{lacks}{end}")
}

/// The section's content.
pub(super) fn limits(page: &Page<'_>) -> String {
    let mut out = String::new();
    if !page.is_accounted() {
        out.push_str("<p class=\"note\">The run has not written its summary: it is still running, or was cut off. What it could not see is known only from its findings.</p>\n");
    }
    for note in page.notes {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(note)));
    }
    out.push_str(&rules(page));
    out.push_str(&blindness(page));
    out.push_str(&inputs(page.summary));
    if page.is_accounted() {
        out.push_str(&counts(page.summary));
    }
    out.push_str(&tables(page));
    out.push_str(
        "<h3>In any case</h3>\n<ul>\n<li>lidr does not decrypt: inside TLS, SSH and SNMPv3 with privacy it sees handshakes and conversations only.</li>\n\
         <li>It sees what the captures and records hold: what did not pass the tap, or was not recorded, is not in any finding.</li>\n\
         <li>What each rule is blind to stands with its findings; <code>lidr rules show CODE</code> has it for the others.</li>\n</ul>\n",
    );
    out
}

fn not_evaluated(summary: &Value, partly: bool) -> impl Iterator<Item = (&str, &str)> {
    let all = summary.pointer("/rules/not_evaluated").and_then(Value::as_array).into_iter().flatten();
    let all = all.filter(move |r| r.get("partly").and_then(Value::as_bool).unwrap_or_default() == partly);
    all.filter_map(|r| Some((r.get("code")?.as_str()?, r.get("reason")?.as_str()?)))
}

fn rules(page: &Page<'_>) -> String {
    let mut out = String::from("<h3>Rules that did not judge</h3>\n");
    let mut by_reason: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
    for partly in [false, true] {
        for (code, reason) in not_evaluated(page.summary, partly) {
            by_reason.entry((partly, reason)).or_default().push(code);
        }
    }
    if by_reason.is_empty() {
        let loaded = page.summary.pointer("/rules/loaded").and_then(Value::as_u64);
        return match loaded {
            Some(n) => format!("{out}<p>None: all {n} rules judged.</p>\n"),
            None => format!("{out}<p>Not known.</p>\n"),
        };
    }
    let row = |((partly, reason), codes): (&(bool, &str), &Vec<&str>)| {
        let how = if *partly { "at times" } else { "not at all" };
        vec![escaped(reason), format!("<span class=\"code\">{}</span>", escaped(&codes.join(", "))), how.to_owned()]
    };
    let rows: Vec<Vec<String>> = by_reason.iter().map(row).collect();
    out.push_str(&bounded(
        "Silence of these rules means nothing",
        &["Because", "Rules", "Not judged"],
        &rows,
        "reason",
    ));
    out
}

fn blind<'a>(page: &'a Page<'_>) -> impl Iterator<Item = &'a crate::story::Told> {
    page.told.iter().filter(|f| !f.suspends.is_empty() && !f.closed)
}

fn blindness(page: &Page<'_>) -> String {
    let all: Vec<_> = blind(page).collect();
    if all.is_empty() {
        return String::new();
    }
    let one = |f: &&crate::story::Told| {
        format!(
            "<li>{} <span class=\"soft\">Suspended: {}</span></li>\n",
            escaped(&f.message),
            escaped(&f.suspends.join(", "))
        )
    };
    let mut out =
        format!("<h3>Sensors that were blind</h3>\n<ul>\n{}", all.iter().take(MOST_BLIND).map(one).collect::<String>());
    if all.len() > MOST_BLIND {
        out.push_str(&format!("<li>And {}.</li>\n", many(all.len() - MOST_BLIND, "more time")));
    }
    out.push_str("</ul>\n");
    out
}

/// The first rows, and how many more there are.
fn bounded(caption: &str, heads: &[&str], rows: &[Vec<String>], what: &str) -> String {
    let shown = rows.get(..MOST_ROWS.min(rows.len())).unwrap_or_default();
    let mut out = table(caption, heads, shown);
    if rows.len() > shown.len() {
        let more = many(rows.len() - shown.len(), &format!("more {what}"));
        out.push_str(&format!("<p>And {more}, in <code>summary.json</code>.</p>\n"));
    }
    out
}

fn all_inputs(summary: &Value) -> impl Iterator<Item = &Value> {
    summary.get("inputs").and_then(Value::as_array).into_iter().flatten()
}

fn packets(n: u64) -> String {
    let text = many(usize::try_from(n).unwrap_or(usize::MAX), "packet");
    if n == 1 { format!("{text} was") } else { format!("{text} were") }
}

/// Why an input was not read to its end.
fn unread(input: &Value) -> impl Iterator<Item = String> {
    let error = input.get("error").and_then(Value::as_str).map(str::to_owned);
    let cut = input.get("truncated").and_then(Value::as_bool).unwrap_or_default();
    let cut = cut.then(|| "it ends in the middle of a record".to_owned());
    error.into_iter().chain(cut)
}

/// Packets that the interface lost that captured it.
fn dropped(input: &Value) -> Option<u64> {
    input.get("dropped").and_then(Value::as_u64).filter(|n| *n > 0)
}

/// Packets that interfaces lost that captured the inputs.
fn dropped_before(summary: &Value) -> u64 {
    all_inputs(summary).filter_map(dropped).fold(0, u64::saturating_add)
}

/// What was wrong with inputs.
fn troubles(summary: &Value) -> Vec<(String, String)> {
    let one = |input: &Value| {
        let path = input.get("path")?.as_str()?.to_owned();
        let lost = dropped(input).map(|n| {
            let n = many(usize::try_from(n).unwrap_or(usize::MAX), "packet");
            format!("the interface that captured it dropped {n}")
        });
        let said: Vec<String> = unread(input).chain(lost).collect();
        (!said.is_empty()).then(|| (path, said.join("; ")))
    };
    all_inputs(summary).filter_map(one).collect()
}

fn inputs(summary: &Value) -> String {
    let mut lines: Vec<String> = troubles(summary)
        .iter()
        .map(|(path, why)| format!("<li><span class=\"code\">{}</span>: {}</li>\n", escaped(path), escaped(why)))
        .collect();
    for input in all_inputs(summary) {
        let told = input.pointer("/records/first_malformed").and_then(Value::as_array).into_iter().flatten();
        lines.extend(
            told.filter_map(Value::as_str)
                .take(MOST_RECORDS)
                .map(|t| format!("<li>A record was not understood: {}</li>\n", escaped(t))),
        );
    }
    let more = lines.len().saturating_sub(MOST_ROWS);
    lines.truncate(MOST_ROWS);
    if more > 0 {
        lines.push(format!("<li>And {}, in <code>summary.json</code>.</li>\n", many(more, "more line")));
    }
    if lines.is_empty() { String::new() } else { format!("<h3>Inputs</h3>\n<ul>\n{}</ul>\n", lines.concat()) }
}

/// The sum of a map of counts.
fn sum(summary: &Value, name: &str) -> u64 {
    summary.get(name).and_then(Value::as_object).into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
}

fn counts(summary: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, what) in [
        ("dropped", "dropped at a bound, or lost"),
        ("oddities", "malformed or strange, kept as rows of oddity"),
        ("skipped", "met and not opened"),
    ] {
        let all = summary.get(name).and_then(Value::as_object).into_iter().flatten();
        for (kind, n) in all.filter(|(_, n)| n.as_u64().is_some_and(|n| n > 0)) {
            rows.push(vec![escaped(kind), what.to_owned(), n.to_string()]);
        }
    }
    if let Some(n) = summary.get("late").and_then(Value::as_u64).filter(|n| *n > 0) {
        rows.push(vec![
            "late rows".to_owned(),
            "came behind the watermark, and were judged as if due right after it".to_owned(),
            n.to_string(),
        ]);
    }
    if let Some(n) = summary.pointer("/records/malformed").and_then(Value::as_u64).filter(|n| *n > 0) {
        rows.push(vec!["records".to_owned(), "not understood".to_owned(), n.to_string()]);
    }
    let lost = dropped_before(summary);
    if lost > 0 {
        rows.push(vec!["packets".to_owned(), "lost before the capture was written".to_owned(), lost.to_string()]);
    }
    if rows.is_empty() {
        let whole = troubles(summary).is_empty();
        let beside = if whole { "Nothing" } else { "Beside what the inputs lack, nothing" };
        return format!("<h3>Losses</h3>\n<p>{beside} was dropped, and nothing malformed was met.</p>\n");
    }
    let heads = ["Kind", "What became of it", "How many"];
    format!("<h3>Losses and oddities</h3>\n{}", bounded("What was not read as it should be", &heads, &rows, "kind"))
}

/// Site tables that were missed.
fn tables(page: &Page<'_>) -> String {
    let mut missed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in page.told {
        for table in &finding.without {
            missed.entry(table).or_default().insert(&finding.code);
        }
    }
    if missed.is_empty() {
        return String::new();
    }
    let one = |(table, codes): (&&str, &BTreeSet<&str>)| {
        format!(
            "<li><span class=\"code\">{}</span>: findings of {} are a step less sure for want of it</li>\n",
            escaped(table),
            escaped(&codes.iter().copied().collect::<Vec<_>>().join(", "))
        )
    };
    format!("<h3>Site tables that were missed</h3>\n<ul>\n{}</ul>\n", missed.iter().map(one).collect::<String>())
}
