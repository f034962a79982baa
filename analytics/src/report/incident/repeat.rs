//! How to repeat it: what was read, by which program with which rules and tables, and the commands.
use std::collections::BTreeSet;

use serde_json::Value;

use super::Page;
use crate::{
    report::html::{escaped, facts, table},
    time::span,
    words::{listed, many},
};

/// Inputs that have a row.
const MOST_INPUTS: usize = 50;

/// The section's content.
pub(super) fn repeat(page: &Page<'_>) -> String {
    let text = |name: &str| page.summary.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of_findings = |of: fn(&crate::story::Told) -> &str| -> BTreeSet<String> {
        page.told.iter().map(|f| of(f).to_owned()).filter(|t| !t.is_empty()).collect()
    };
    let code = |all: BTreeSet<String>| {
        all.iter().map(|t| format!("<code>{}</code>", escaped(t))).collect::<Vec<_>>().join("<br>")
    };
    let or = |own: String, more: BTreeSet<String>| {
        if own.is_empty() { more } else { more.into_iter().chain([own]).collect() }
    };
    let mut out = String::from(
        "<p>The same inputs, rules, tables and key give the same findings with the same ids, on any machine.</p>\n",
    );
    out.push_str(&format!("<pre class=\"code\">{}</pre>\n", escaped(&command(page.summary))));
    out.push_str(&beside(page.summary));
    out.push_str(&facts(&[
        ("lidr", escaped(&text("version"))),
        ("Key of the pseudonyms", code(or(text("key_id"), of_findings(|f| &f.key_id)))),
        ("Site tables (SHA-256)", code(or(text("site_hash"), of_findings(|f| &f.site_hash)))),
        ("Output folder", format!("<code>{}</code>", escaped(page.folder))),
    ]));
    out.push_str(&inputs(page.summary));
    out.push_str(&rules(page));
    let folder = quoted(page.folder);
    let site = if page.had_site() {
        format!(" --site {}", site(page.summary).map_or_else(|| "SITE".to_owned(), quoted))
    } else {
        String::new()
    };
    let commands = [
        format!("lidr explain ID --from {folder}{site}"),
        format!("lidr evidence ID --from {folder}{site} --file EVIDENCE.tar.zst"),
        "lidr evidence verify EVIDENCE.tar.zst".to_owned(),
    ];
    let commands: Vec<String> = commands.iter().map(|c| escaped(c)).collect();
    out.push_str(&format!(
        "<h3>One finding in full, and as evidence</h3>\n<pre class=\"code\">{}</pre>\n",
        commands.join("\n")
    ));
    out
}

/// A word of a command as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The command as it was given, or what is known of it.
fn command(summary: &Value) -> String {
    if summary.get("command").is_some_and(Value::is_array) {
        return words(summary).map(quoted).collect::<Vec<_>>().join(" ");
    }
    let Some(verb) = summary.get("verb").and_then(Value::as_str) else {
        return "The run has not told its command.".to_owned();
    };
    let paths = summary.get("inputs").and_then(Value::as_array).into_iter().flatten();
    let paths: Vec<String> = paths.filter_map(|i| i.get("path")?.as_str()).map(quoted).collect();
    format!("lidr {verb} {}   # options were not written down", paths.join(" "))
}

fn words(summary: &Value) -> impl Iterator<Item = &str> {
    summary.get("command").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The site folder that the command names.
fn site(summary: &Value) -> Option<&str> {
    let (mut found, mut next) = (None, false);
    for word in words(summary) {
        if next {
            found = Some(word);
        }
        found = word.strip_prefix("--site=").or(found);
        next = word == "--site";
    }
    found
}

/// What the command line does not say, for it came from a file or from the environment.
fn beside(summary: &Value) -> String {
    let file = summary.pointer("/settings/file").and_then(Value::as_str);
    let set = summary.pointer("/settings/environment").and_then(Value::as_array).into_iter().flatten();
    let set: Vec<&str> = set.filter_map(Value::as_str).collect();
    let code = |name: &str| format!("<code>{}</code>", escaped(name));
    let mut from: Vec<String> = file.map(|path| format!("the settings file {}", code(path))).into_iter().collect();
    if !set.is_empty() {
        from.push(format!("the environment ({})", set.iter().map(|n| code(n)).collect::<Vec<_>>().join(", ")));
    }
    if from.is_empty() {
        return String::new();
    }
    format!("<p>The run had settings beside its command line, from {}: they are needed again.</p>\n", listed(&from, 2))
}

fn inputs(summary: &Value) -> String {
    let Some(all) = summary.get("inputs").and_then(Value::as_array).filter(|all| !all.is_empty()) else {
        return "<p>What was read is not known: the run has written no summary.</p>\n".to_owned();
    };
    let number = |input: &Value, name: &str| input.get(name).and_then(Value::as_u64);
    let row = |input: &Value| {
        let time = |name: &str| input.get(name).and_then(Value::as_i64).filter(|t| *t > 0);
        let when = time("first").zip(time("last")).map_or_else(String::new, span);
        let read = input.pointer("/records/read").and_then(Value::as_u64).map(|n| format!("{n} records"));
        let read = read.or_else(|| number(input, "packets").map(|n| format!("{n} packets"))).unwrap_or_default();
        let size = number(input, "size").map(|n| format!("{n}")).unwrap_or_default();
        let hash = input
            .get("sha256")
            .and_then(Value::as_str)
            .map_or_else(|| "not taken (--hash)".to_owned(), |h| format!("<code>{}</code>", escaped(h)));
        let path = input.get("path").and_then(Value::as_str).unwrap_or_default();
        vec![format!("<span class=\"code\">{}</span>", escaped(path)), size, read, when, hash]
    };
    let rows: Vec<Vec<String>> = all.iter().take(MOST_INPUTS).map(row).collect();
    let mut out = table("What was read", &["Input", "Octets", "Held", "Time", "SHA-256"], &rows);
    if all.len() > rows.len() {
        out.push_str(&format!(
            "<p>And {}, in <code>summary.json</code>.</p>\n",
            many(all.len() - rows.len(), "more input")
        ));
    }
    out
}

fn rules(page: &Page<'_>) -> String {
    let all: BTreeSet<(&str, &str, &str)> =
        page.told.iter().map(|f| (f.code.as_str(), f.version.as_str(), f.rule_sha256.as_str())).collect();
    if all.is_empty() {
        return String::new();
    }
    let row = |(code, version, hash): &(&str, &str, &str)| {
        vec![
            format!("<span class=\"code\">{}</span>", escaped(code)),
            escaped(version),
            format!("<code>{}</code>", escaped(hash)),
        ]
    };
    table(
        "Rules that found something",
        &["Rule", "Version", "SHA-256 of its file"],
        &all.iter().map(row).collect::<Vec<_>>(),
    )
}
