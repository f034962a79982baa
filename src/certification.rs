//! `lidr report certification`: a draft of the record that 47 CFR 1.20004(a)(1) asks a carrier for, about one interception.
//!
//! The rule lists six things, for every interception, with or without authorization. What the register and the rows say is filled
//! in; what they do not say is `unknown`. lidr says what it saw and what the register holds. Whether an interception was lawful, and
//! what follows, is for the people who sign: no sentence here concludes it.
use std::process::ExitCode;

use lidr_analytics::time::seconds_text;
use serde_json::{Map, Value};

use crate::{
    args::Certification,
    case::{
        Case, enclave,
        matching::{Facts, is_token, matching},
        text,
    },
    explain::print,
};

const UNKNOWN: &str = "unknown";
const TITLE: &str = "Draft certification of an interception, 47 CFR 1.20004(a)(1)";

/// One thing that the record asks for.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    number: &'static str,
    asks: &'static str,
    value: String,
    /// Where the value is from, or what is known besides.
    note: String,
}

pub(crate) fn run(args: &Certification) -> anyhow::Result<ExitCode> {
    let case = Case::open(&args.uid, &args.at)?;
    let orders = orders(&case)?;
    let fields = fields(&case, &orders);
    let page = if args.html { html(&case, &fields, &orders) } else { plain(&case, &fields, &orders) };
    let mut shown = vec![("finding", case.finding.clone())];
    for row in case.rows.iter().flatten() {
        shown.push((row.table, Value::Object(row.cells.clone())));
    }
    if let Ok(lines) = &orders {
        shown.push(("warrants", enclave::as_value(lines)));
    }
    let clear = enclave::open(&case, &args.at, "report certification", &shown)?;
    let resolve = |text: &str| if args.html { clear.clear_html(text) } else { clear.clear(text) };
    print(&resolve(&page))?;
    clear.told(&case)?;
    Ok(ExitCode::SUCCESS)
}

/// Orders of the register that name the task, its LIID, its content id or its target.
fn orders(case: &Case) -> anyhow::Result<Result<Vec<Map<String, Value>>, String>> {
    let site = match &case.site {
        Ok(site) if site.has("warrants") => site,
        Ok(_) => return Ok(Err("the site folder has no register".to_owned())),
        Err(why) => return Ok(Err(format!("no register at hand: {why}"))),
    };
    let lines = matching(case, site)?.into_iter().find(|m| m.table == "warrants").map(|m| m.matching);
    let lines = match lines {
        Some(lines) => lines,
        // The rule does not read the register; the record asks for it all the same.
        None => site
            .lines(&["warrants".to_owned()], &Facts::of(case).tokens())?
            .pop()
            .map(|(_, lines)| lines)
            .unwrap_or_default(),
    };
    let tokens = Facts::of(case).tokens();
    let names = |line: &Map<String, Value>| {
        ["order_id", "xid", "liid", "cccid", "target"]
            .iter()
            .any(|c| line.get(*c).and_then(Value::as_str).is_some_and(|t| tokens.contains(t)))
    };
    Ok(Ok(lines.into_iter().filter(names).collect()))
}

type Orders = Result<Vec<Map<String, Value>>, String>;

/// Values of a column of the orders, each once.
fn of_orders(orders: &Orders, column: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in orders.iter().flatten() {
        let value =
            line.get(column).filter(|v| !v.is_null()).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        out.extend(value.filter(|v| !v.is_empty() && !out.contains(v)));
    }
    out
}

/// Pseudonyms of targets that rows name, each once.
fn of_rows(case: &Case, column: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for row in case.rows.iter().flatten() {
        let value = row.cells.get(column).and_then(Value::as_str).map(str::to_owned);
        out.extend(value.filter(|v| !v.is_empty() && !out.contains(v)));
    }
    out
}

fn or_unknown(values: &[String]) -> String {
    if values.is_empty() { UNKNOWN.to_owned() } else { values.join(", ") }
}

fn fields(case: &Case, orders: &Orders) -> Vec<Field> {
    let seen = of_rows(case, "target");
    let ordered = of_orders(orders, "target");
    let (target, from) = match (seen.is_empty(), ordered.is_empty()) {
        (false, _) => (seen, "what the rows of the finding name"),
        (true, false) => (ordered, "the register's selector for that task"),
        (true, true) if case.rows.is_err() => {
            (Vec::new(), "no order that the finding itself names has it, and the finding's rows are not at hand")
        }
        (true, true) => (Vec::new(), "neither rows nor register name it"),
    };
    let first = case.finding.pointer("/finding_info/first_seen_time").and_then(Value::as_i64);
    let start = first.map_or_else(|| UNKNOWN.to_owned(), |ms| format!("{} UTC", seconds_text(ms * 1000)));
    let said = |column: &str, what: &str| match of_orders(orders, column) {
        values if values.is_empty() => String::new(),
        values => format!("{what}: {}", values.join(", ")),
    };
    let join = |notes: &[String]| notes.iter().filter(|n| !n.is_empty()).cloned().collect::<Vec<_>>().join("; ");
    let field = |number, asks, value: String, note: String| Field { number, asks, value, note };
    vec![
        field(
            "(i)",
            "telephone number(s) or circuit identification number(s) involved",
            or_unknown(&target),
            from.to_owned(),
        ),
        field(
            "(ii)",
            "start date and time of the opening of the circuit for law enforcement",
            start,
            join(&[
                "first seen by lidr; it may have begun before".to_owned(),
                said("start", "start of the order in the register"),
            ]),
        ),
        field(
            "(iii)",
            "identity of the law enforcement officer presenting the authorization",
            UNKNOWN.to_owned(),
            said("agency", "agency in the register, which holds no officer"),
        ),
        field(
            "(iv)",
            "name of the person signing the appropriate legal authorization",
            UNKNOWN.to_owned(),
            "the register holds no signatory".to_owned(),
        ),
        field(
            "(v)",
            "type of interception (pen register, trap and trace, Title III, FISA)",
            UNKNOWN.to_owned(),
            join(&[
                said("type", "product in the register, which holds no legal type"),
                said("emergency", "emergency order in the register"),
            ]),
        ),
        field(
            "(vi)",
            "name of the carrier personnel responsible for overseeing the interception",
            UNKNOWN.to_owned(),
            said("creator", "entered into the register by"),
        ),
    ]
}

/// What the register says, in one sentence that draws no conclusion.
fn register(orders: &Orders, rows_at_hand: bool) -> String {
    match orders {
        Err(why) => format!("The register was not compared: {why}."),
        Ok(lines) if lines.is_empty() && !rows_at_hand => {
            "The register was compared only with what the finding itself names, and no order at hand names that; the finding's rows are \
             not at hand."
                .to_owned()
        }
        Ok(lines) if lines.is_empty() => {
            "No order in the register at hand names the task, LIID, content id or target of this finding.".to_owned()
        }
        Ok(lines) => {
            let one = |line: &Map<String, Value>| {
                let cell = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or(UNKNOWN).to_owned();
                format!(
                    "order {} (state {}, from {} to {})",
                    cell("order_id"),
                    cell("state"),
                    cell("start"),
                    cell("end")
                )
            };
            format!("The register at hand names it in: {}.", lines.iter().map(one).collect::<Vec<_>>().join("; "))
        }
    }
}

/// Facts that help whoever fills in the rest.
fn context(case: &Case, orders: &Orders) -> Vec<(&'static str, String)> {
    // Titles and sentences of rules speak of what is usual; what is lawful they do not know, and here they would be read so.
    let times = case.finding.get("count").and_then(Value::as_u64).unwrap_or_default();
    let last = case.finding.pointer("/finding_info/last_seen_time").and_then(Value::as_i64).unwrap_or_default();
    let register_from = match (&case.site_from, &case.site) {
        (Some(from), _) => from.clone(),
        (None, Ok(_)) => "the site folder that was given, which is the one that judged".to_owned(),
        (None, Err(_)) => UNKNOWN.to_owned(),
    };
    vec![
        ("finding", format!("{} of rule {}", case.uid(), case.code())),
        ("times seen", format!("{times}, last {} UTC", seconds_text(last * 1000))),
        ("register", register(orders, case.rows.is_ok())),
        ("tasks", or_unknown(&resource(case, "task"))),
        ("elements", or_unknown(&resource(case, "device"))),
        (
            "evidence",
            format!(
                "{} places in captures and record files, listed by `lidr explain {}`",
                case.evidences().count(),
                case.uid()
            ),
        ),
        ("register from", register_from),
        ("site", or_unknown(&[case.own("site_hash")].into_iter().filter(|h| !h.is_empty()).collect::<Vec<_>>())),
    ]
}

fn resource(case: &Case, kind: &str) -> Vec<String> {
    let all = case.finding.get("resources").and_then(Value::as_array);
    all.into_iter().flatten().filter(|r| text(r, "/type") == kind).map(|r| text(r, "/name")).collect()
}

const CLOSING: &str = "This is a draft made by a program from what it saw and from the register that it was given. It is not signed, not complete where it \
    says unknown, and states no conclusion of law. 47 CFR 1.20004(a)(2) and (3) say who signs it and by when it is compiled.";
const VEILED: &str =
    "Identifiers are pseudonyms (32 hexadecimal digits). For cleared users: --site DIR --enclave-key FILE.";

fn plain(case: &Case, fields: &[Field], orders: &Orders) -> String {
    let mut out = format!("{}\n\n", TITLE);
    for f in fields {
        out.push_str(&format!("{:<6}{}\n      {}\n", f.number, f.asks, f.value));
        if !f.note.is_empty() {
            out.push_str(&format!("      ({})\n", f.note));
        }
        out.push('\n');
    }
    for (name, value) in context(case, orders) {
        out.push_str(&format!("{name:<14}{value}\n"));
    }
    out.push_str(&format!("\nsigned by     ____________________   date ____________________\n\n{CLOSING}\n"));
    if case.enclave_key.is_none() && out.split(|c: char| !c.is_ascii_alphanumeric()).any(is_token) {
        out.push_str(&format!("{VEILED}\n"));
    }
    out
}

/// Text inside HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn html(case: &Case, fields: &[Field], orders: &Orders) -> String {
    let row = |a: &str, b: &str, c: &str| {
        format!("<tr><th>{}</th><td>{}</td><td>{}</td></tr>\n", escaped(a), escaped(b), escaped(c))
    };
    let asked: String = fields
        .iter()
        .map(|f| {
            let note = if f.note.is_empty() { String::new() } else { format!(" ({})", f.note) };
            row(f.number, f.asks, &format!("{}{note}", f.value))
        })
        .collect();
    let known: String = context(case, orders).iter().map(|(name, value)| row(name, value, "")).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{TITLE}</title>\n\
         <style>body{{font:14px sans-serif;max-width:60em;margin:2em auto}}th{{text-align:left;vertical-align:top}}\
         td,th{{padding:.4em;border-bottom:1px solid #ccc}}</style></head><body>\n<h1>{TITLE}</h1>\n<table>\n{asked}</table>\n\
         <table>\n{known}</table>\n<p>signed by ____________________ date ____________________</p>\n<p>{}</p>\n</body></html>\n",
        escaped(&if case.enclave_key.is_none() { format!("{CLOSING} {VEILED}") } else { CLOSING.to_owned() })
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_register_holds_is_told_and_nothing_is_concluded() {
        let line = json!({ "order_id": "ab", "state": "expired", "start": "2026-01-01", "end": null });
        let said = register(&Ok(vec![line.as_object().cloned().unwrap()]), true);
        assert_eq!(said, "The register at hand names it in: order ab (state expired, from 2026-01-01 to unknown).");
        assert!(register(&Ok(Vec::new()), true).starts_with("No order"));
        assert!(register(&Ok(Vec::new()), false).contains("rows are not at hand"));
        assert!(register(&Err("none".into()), true).contains("was not compared: none"));
    }

    #[test]
    fn markup_in_a_value_stays_text() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
