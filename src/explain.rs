//! `lidr explain`: why a finding was made, from what is at hand.
//!
//! Rule, rows, frames, the site's lines that decided, what the rule had to do without, what would make it harmless. Identifiers are
//! pseudonyms; with the enclave's key they are told in clear once the access is recorded.
use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    process::ExitCode,
};

use anyhow::Context;
use lidr_analytics::{place::Place, time::seconds_text};
use lidr_rules::Body;
use serde_json::{Map, Value};

use crate::{
    args::Explain,
    case::{
        Case, enclave,
        matching::{Matching, matching},
        place, text, texts,
    },
};

/// Characters of a line.
const WIDTH: usize = 120;
/// Lines of a site table that are shown.
const MOST_LINES: usize = 12;
/// Columns of every row, which say where it is from and stand in the heading already.
const PLACED: [&str; 7] = ["due", "capture", "frame", "file", "n", "sensor", "community_id"];

pub(crate) fn run(args: &Explain) -> anyhow::Result<ExitCode> {
    let case = Case::open(&args.uid, &args.at)?;
    let site = match &case.site {
        Ok(site) => Ok(matching(&case, site)?),
        Err(why) => Err(why.clone()),
    };
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let page = page(&case, &site, colour);
    let mut shown = vec![("finding", case.finding.clone())];
    for row in case.rows.iter().flatten() {
        shown.push((row.table, Value::Object(row.cells.clone())));
    }
    for table in site.iter().flatten() {
        shown.push((table.table.as_str(), enclave::as_value(&table.matching)));
    }
    let clear = enclave::open(&case, &args.at, "explain", &shown)?;
    print(&clear.clear(&page))?;
    clear.told(&case)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output; whoever reads may have seen enough.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output"),
    }
}

/// The explanation, part by part. Writing to a `String` cannot fail.
struct Page {
    out: String,
    colour: bool,
}

impl Page {
    fn head(&mut self, title: &str) {
        let (on, off) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.out, "\n{on}{title}{off}");
    }

    /// A line, or several, of a name and what is to be said.
    fn put(&mut self, name: &str, words: &str) {
        let mut line = format!("  {name:<12}");
        let indent = line.len();
        for word in words.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH && line.trim().len() > name.len() {
                let _ = writeln!(self.out, "{}", line.trim_end());
                line = " ".repeat(indent);
            }
            line.push_str(word);
            line.push(' ');
        }
        let _ = writeln!(self.out, "{}", line.trim_end());
    }

    /// Text as it is, indented.
    fn verbatim(&mut self, text: &str) {
        text.trim_end().lines().for_each(|line| {
            let _ = writeln!(self.out, "    {line}");
        });
    }
}

fn page(case: &Case, site: &Result<Vec<Matching>, String>, colour: bool) -> String {
    let mut page = Page { out: String::new(), colour };
    found(case, &mut page);
    rule(case, &mut page);
    evidence(case, &mut page);
    decided(case, site, &mut page);
    without(case, &mut page);
    harmless(case, &mut page);
    page.out
}

fn found(case: &Case, page: &mut Page) {
    let f = &case.finding;
    let time = |name: &str| {
        f.pointer(name)
            .and_then(Value::as_i64)
            .map_or_else(|| "unknown".to_owned(), |t| format!("{} UTC", seconds_text(t * 1000)))
    };
    let state = match f.get("activity_id").and_then(Value::as_u64) {
        Some(3) => "closed: it proved harmless",
        Some(2) => "updated since it was made",
        _ if f.pointer("/unmapped/lidr/pending") == Some(&Value::Bool(true)) => "not confirmed yet",
        _ => "made once",
    };
    page.head(&format!("{} {}  {}", text(f, "/severity").to_uppercase(), case.code(), text(f, "/finding_info/title")));
    page.put("", &text(f, "/message"));
    page.put("first seen", &time("/finding_info/first_seen_time"));
    page.put("last seen", &time("/finding_info/last_seen_time"));
    page.put("times", &f.get("count").and_then(Value::as_u64).unwrap_or_default().to_string());
    for resource in f.get("resources").and_then(Value::as_array).into_iter().flatten() {
        page.put("about", &format!("{} {}", text(resource, "/type"), text(resource, "/name")));
    }
    page.put("confidence", &text(f, "/confidence").to_lowercase());
    page.put("state", state);
    let part_of = case.own("absorbed_by");
    if !part_of.is_empty() {
        page.put("part of", &part_of);
    }
    for other in texts(f, "/unmapped/lidr/absorbs") {
        page.put("explains", &other);
    }
    page.put("id", &case.uid());
}

fn rule(case: &Case, page: &mut Page) {
    page.head("The rule");
    let rule = match &case.rule {
        Ok(rule) => rule,
        Err(why) => {
            page.put("", &format!("not at hand: {why}"));
            return page.put("SHA-256", &case.own("rule_sha256"));
        }
    };
    page.put("id", &format!("{} version {} ({})", rule.code, rule.version, rule.id.as_deref().unwrap_or("no UUID")));
    page.put("file", &rule.file);
    page.put("SHA-256", &rule.sha256);
    page.put("finds", &rule.description);
    if let Some(window) = rule.window {
        let seconds = |micros: i64| format!("{} s", micros / 1_000_000);
        page.put(
            "window",
            &format!(
                "{}, {} before and {} after it are seen",
                seconds(window.size),
                seconds(window.before),
                seconds(window.after)
            ),
        );
    }
    match &rule.body {
        Body::Sql(sql) => {
            page.put("condition", "");
            page.verbatim(sql);
        }
        Body::Detection { table, .. } => match lidr_rules::text(rule) {
            Ok(file) => {
                page.put("condition", &format!("on each row of {}", table.name()));
                page.verbatim(&section(&file, "detection:"));
            }
            Err(problem) => page.put("condition", &problem.to_string()),
        },
    }
    if !rule.references.is_empty() {
        page.put("sources", &rule.references.join("; "));
    }
}

/// A top-level key of a YAML file and what is below it.
fn section(file: &str, key: &str) -> String {
    let lines = file.lines().skip_while(|line| !line.starts_with(key));
    let below = |line: &&str| line.is_empty() || line.starts_with([' ', '-', '#']);
    let mut lines = lines.peekable();
    let first = lines.next().unwrap_or_default();
    std::iter::once(first).chain(lines.take_while(below)).collect::<Vec<_>>().join("\n")
}

fn evidence(case: &Case, page: &mut Page) {
    page.head("The evidence");
    for (i, evidence) in case.evidences().enumerate() {
        page.put(&format!("{}", i + 1), &from_where(case, evidence));
        let conversation = conversation(evidence);
        if !conversation.is_empty() {
            page.put("", &conversation);
        }
        let here = place(evidence);
        for row in case.rows.iter().flatten().filter(|row| row_place(&row.cells) == here) {
            page.put("", &format!("{}: {}", row.table, cells(&row.cells)));
        }
    }
    if let Err(why) = &case.rows {
        page.put("rows", &format!("not at hand: {why}"));
    }
}

fn row_place(cells: &Map<String, Value>) -> Option<Place> {
    let name = |name: &str| cells.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = cells.get("frame").and_then(Value::as_u64)?;
    name("file").map(|file| Place::Line(file, number)).or_else(|| Some(Place::Frame(name("capture")?, number)))
}

/// A row's columns but those that are said already.
fn cells(cells: &Map<String, Value>) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let shown = cells.iter().filter(|(name, cell)| {
        !PLACED.contains(&name.as_str()) && !cell.is_null() && **cell != Value::String(String::new())
    });
    shown.map(|(name, cell)| format!("{name}={}", plain(cell))).collect::<Vec<_>>().join(" ")
}

fn from_where(case: &Case, evidence: &Value) -> String {
    match place(evidence) {
        Some(Place::Frame(capture, frame)) => {
            let inputs = case.summary.get("inputs").and_then(Value::as_array);
            let input = inputs.into_iter().flatten().find(|i| text(i, "/capture") == capture);
            let file = input.map_or_else(|| "its file is not in the summary".to_owned(), |i| text(i, "/path"));
            format!("frame {frame} of {file} (capture {capture})")
        }
        Some(Place::Line(file, line)) => format!("line {line} of {file}"),
        None => "its place is not known".to_owned(),
    }
}

fn conversation(evidence: &Value) -> String {
    let end = |name: &str| {
        let end = evidence.get(name)?;
        let port = end.get("port").and_then(Value::as_u64).map(|p| format!(":{p}")).unwrap_or_default();
        let known: Vec<String> =
            ["/hostname", "/zone"].iter().map(|p| text(end, p)).filter(|t| !t.is_empty()).collect();
        let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
        Some(format!("{}{port}{known}", text(end, "/ip")))
    };
    match (end("src_endpoint"), end("dst_endpoint")) {
        (Some(src), Some(dst)) => format!("{src} to {dst}, {}", text(evidence, "/connection_info/protocol_name"))
            .trim_end_matches(", ")
            .to_owned(),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

fn decided(case: &Case, site: &Result<Vec<Matching>, String>, page: &mut Page) {
    page.head("What in the site decided");
    if let Some(from) = &case.site_from {
        page.put("from", from);
    }
    let tables = match site {
        Ok(tables) if tables.is_empty() => return page.put("", "the rule reads no table of the site"),
        Ok(tables) => tables,
        Err(why) => return page.put("", &format!("not at hand: {why}")),
    };
    for table in tables {
        if table.matching.is_empty() {
            page.put("", &format!("{}: none of its {} lines speaks of what was found", table.table, table.lines));
        }
        for line in table.matching.iter().take(MOST_LINES) {
            page.put("", &format!("{}: {}", table.table, cells(line)));
        }
        if table.matching.len() > MOST_LINES {
            page.put("", &format!("{}: and {} lines more", table.table, table.matching.len() - MOST_LINES));
        }
    }
}

fn without(case: &Case, page: &mut Page) {
    page.head("What it had to do without");
    let absent = texts(&case.finding, "/unmapped/lidr/without");
    for table in &absent {
        page.put("", &format!("site table {table} was not there: confidence is one step lower"));
    }
    if case.finding.pointer("/unmapped/lidr/late") == Some(&Value::Bool(true)) {
        page.put("", "rows came behind the watermark and were judged late");
    }
    let dropped = case.summary.get("dropped").and_then(Value::as_object);
    for (bound, n) in dropped.into_iter().flatten().filter(|(_, n)| n.as_u64().is_some_and(|n| n > 0)) {
        page.put("", &format!("the run dropped {n} at the bound {bound}"));
    }
    page.put("cannot see", &case.own("blind_spots"));
}

fn harmless(case: &Case, page: &mut Page) {
    page.head("What would make it harmless");
    page.put("", &case.own("benign_if"));
    for known in case.rule.iter().flat_map(|rule| &rule.falsepositives) {
        page.put("-", known);
    }
    let triage = case.own("triage");
    if !triage.is_empty() {
        page.head("Look at next");
        page.put("", &triage);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_wrapped_and_a_section_ends_where_the_next_begins() {
        let mut page = Page { out: String::new(), colour: false };
        page.put("finds", &"word ".repeat(60));
        assert!(page.out.lines().count() > 2 && page.out.lines().all(|l| l.len() <= WIDTH), "{}", page.out);
        let file = "title: T\ndetection:\n  s: {query: x}\n\n  condition: s\nlevel: low\n";
        assert_eq!(section(file, "detection:"), "detection:\n  s: {query: x}\n\n  condition: s");
    }

    #[test]
    fn a_conversation_says_what_is_known_of_its_ends() {
        let both = json!({
            "src_endpoint": { "ip": "10.0.0.9", "port": 4000, "zone": "it" }, "dst_endpoint": { "ip": "10.0.0.1", "hostname": "pe1" },
            "connection_info": { "protocol_name": "udp" },
        });
        assert_eq!(conversation(&both), "10.0.0.9:4000 (it) to 10.0.0.1 (pe1), udp");
        assert_eq!(conversation(&json!({})), "");
    }
}
