//! The findings, story by story: what one rule found in a story is told once, with every instance, its proof, and what would make it
//! harmless.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::finding::{Endpoint, Evidence, Resource, Severity};
use serde_json::Value;

use super::{MOST_STORIES, Page, by_weight};
use crate::{
    report::html::{escaped, facts, table},
    story::{Net, Story, Told, roots},
    time::{seconds_text, span},
    words::many,
};

/// Instances of a step that have a row.
const MOST_INSTANCES: usize = 25;
/// Pieces of evidence of a step that have a row.
const MOST_PROOFS: usize = 8;
/// Steps that are told at length.
const MOST_STEPS: usize = 60;

/// The section's content.
pub(super) fn found(page: &Page<'_>) -> String {
    if page.stories.is_empty() {
        return "<p>There are no findings.</p>\n".to_owned();
    }
    let mut out = String::from(
        "<p>A story is what several rules saw of one doing: findings that share a host, an account, a task or a system close in time. \
         The weightiest story comes first.</p>\n",
    );
    let mut left = MOST_STEPS;
    for (i, story) in page.stories.iter().take(MOST_STORIES).enumerate() {
        out.push_str(&of_story(page, i + 1, story, &mut left));
    }
    out.push_str(&rest(page));
    out
}

fn of_story(page: &Page<'_>, number: usize, story: &Story, left: &mut usize) -> String {
    let (own, explained) = page.of(story);
    let all: Vec<&Told> = own.iter().chain(&explained).copied().collect();
    let mut out = format!(
        "<section aria-labelledby=\"story-{number}\">\n<h3 id=\"story-{number}\"><span class=\"level {level}\">{level}</span>Story {number}: {}</h3>\n<p class=\"soft\">{}, {}</p>\n",
        escaped(&Net::of(&all).in_words(&all)),
        span(story.time),
        many(all.len(), "finding"),
        level = story.severity.name(),
    );
    let (steps, roots) = (by_weight(&own), roots(&all));
    let of = |step: &[&Told]| -> Vec<&Told> {
        let by = |f: &&&Told| step.iter().any(|s| roots.get(f.uid.as_str()).is_some_and(|root| *root == s.uid));
        explained.iter().filter(by).copied().collect()
    };
    let told = steps.len().min(*left);
    *left -= told;
    for (n, step) in steps.iter().take(told).enumerate() {
        out.push_str(&article(page, &format!("s{number}-{}", n + 1), step, &of(step)));
    }
    if steps.len() > told {
        let hidden = steps.iter().skip(told);
        let hidden: Vec<&Told> = hidden.flat_map(|step| step.iter().copied().chain(of(step))).collect();
        out.push_str(&counted("Findings of this story that are only counted here", &hidden));
    }
    out.push_str("</section>\n");
    out
}

fn article(page: &Page<'_>, anchor: &str, step: &[&Told], explains: &[&Told]) -> String {
    let Some(first) = step.first() else { return String::new() };
    let level = first.severity.name();
    let times = if step.len() > 1 { format!(", {}", many(step.len(), "finding")) } else { String::new() };
    let mut out = format!(
        "<article id=\"{anchor}\" class=\"is-{level}\">\n<h4><span class=\"level {level}\">{level}</span><span class=\"code\">{}</span> {}{times}</h4>\n<p>{}</p>\n",
        escaped(&first.code),
        escaped(&first.title),
        escaped(&first.message),
    );
    if step.len() > 1 {
        out.push_str(&instances(page, step));
    }
    out.push_str(&facts(&[
        ("Seen", seen(step)),
        ("About", if step.len() == 1 { resources(first) } else { String::new() }),
        ("Confidence", confidence(step)),
        ("ATT&CK", escaped(&first.techniques.join(", "))),
        ("Harmless if", escaped(&first.benign_if)),
        ("Look at next", escaped(&first.triage)),
        ("Rule is blind to", escaped(&first.blind_spots)),
        ("Explains", explained(explains)),
        ("Id", if step.len() == 1 { format!("<code>{}</code>", escaped(&first.uid)) } else { String::new() }),
    ]));
    out.push_str(&proofs(page, step));
    out.push_str("</article>\n");
    out
}

fn seen(step: &[&Told]) -> String {
    let run =
        (step.iter().map(|f| f.first).min().unwrap_or_default(), step.iter().map(|f| f.last).max().unwrap_or_default());
    let times: u64 = step.iter().map(|f| f.count).sum();
    if times > 1 { format!("{}, {times} times", span(run)) } else { span(run) }
}

/// How sure, the least first; what is not so of all of them says of how many it is.
fn confidence(step: &[&Told]) -> String {
    let of = |n: usize| if n == step.len() { String::new() } else { format!(" ({n} of {})", step.len()) };
    let mut levels: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for finding in step {
        let rank = ["low", "medium", "high"].iter().position(|l| *l == finding.confidence);
        *levels.entry((rank.map_or(0, |r| r + 1), finding.confidence.as_str())).or_default() += 1;
    }
    let levels = levels.into_iter().filter(|((_, name), _)| !name.is_empty());
    let mut said =
        vec![levels.map(|((_, name), n)| format!("{}{}", escaped(name), of(n))).collect::<Vec<_>>().join(", ")];
    let tables: BTreeSet<&str> = step.iter().flat_map(|f| &f.without).map(String::as_str).collect();
    if !tables.is_empty() {
        let n = step.iter().filter(|f| !f.without.is_empty()).count();
        let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
        said.push(format!("judged without site table {}{}", escaped(&tables), of(n)));
    }
    let late = step.iter().filter(|f| f.late).count();
    if late > 0 {
        said.push(format!("rows came late{}", of(late)));
    }
    let pending = step.iter().filter(|f| f.pending).count();
    if pending > 0 {
        said.push(format!("not confirmed yet{}: what comes after its window is still to be seen", of(pending)));
    }
    said.retain(|t| !t.is_empty());
    said.join("; ")
}

fn resources(finding: &Told) -> String {
    let one = |r: &Resource| format!("{} <span class=\"code\">{}</span>", escaped(&r.kind), escaped(&r.name));
    finding.resources.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn explained(all: &[&Told]) -> String {
    let one = |f: &&Told| {
        format!(
            "<li><span class=\"code\">{}</span> {}: {} <code>{}</code></li>",
            escaped(&f.code),
            escaped(&f.title),
            escaped(&f.message),
            escaped(&f.uid)
        )
    };
    let rows: String = all.iter().take(MOST_INSTANCES).map(one).collect();
    let more = all.len().saturating_sub(MOST_INSTANCES);
    let more = if more > 0 { format!("<li>and {}</li>", many(more, "more finding")) } else { String::new() };
    if all.is_empty() { String::new() } else { format!("<ul>{rows}{more}</ul>") }
}

fn instances(page: &Page<'_>, step: &[&Told]) -> String {
    let row = |f: &&Told| {
        let tasks = f.resources.iter().filter(|r| r.kind == "task").map(|r| r.name.get(..12).unwrap_or(&r.name));
        let tasks = tasks.map(|t| format!(" task <span class=\"code\">{}</span>", escaped(t))).collect::<String>();
        vec![
            format!("<span class=\"t\">{}</span>", seconds_text(f.first)),
            format!("{}{tasks}", escaped(&page.names.subject(&[f]))),
            f.evidences.first().map(|e| place(page, e)).unwrap_or_default(),
            format!("<code>{}</code>", escaped(f.uid.get(..8).unwrap_or(&f.uid))),
        ]
    };
    let rows: Vec<Vec<String>> = step.iter().take(MOST_INSTANCES).map(row).collect();
    let mut out = table("Each of them", &["First seen (UTC)", "About", "First proof", "Id"], &rows);
    if step.len() > rows.len() {
        out.push_str(&format!(
            "<p>And {}, in <code>findings.ndjson</code>.</p>\n",
            many(step.len() - rows.len(), "more finding")
        ));
    }
    out
}

/// The packets and lines that prove it, of several findings one each.
fn proofs(page: &Page<'_>, step: &[&Told]) -> String {
    let [one] = step else { return String::new() };
    let row = |e: &Evidence| {
        let by = e.connection_info.as_ref().map_or_else(String::new, |c| escaped(&c.protocol_name));
        vec![place(page, e), end(e.src_endpoint.as_ref()), end(e.dst_endpoint.as_ref()), by]
    };
    let rows: Vec<Vec<String>> = one.evidences.iter().take(MOST_PROOFS).map(row).collect();
    if rows.is_empty() {
        return "<p>No packet and no line proves it: it rests on what was not seen.</p>\n".to_owned();
    }
    let mut out = table("Evidence", &["Where", "From", "To", "Protocol"], &rows);
    if one.evidences.len() > rows.len() {
        let more = one.evidences.len() - rows.len();
        out.push_str(&format!(
            "<p class=\"soft\">And {}, in <code>findings.ndjson</code>.</p>\n",
            many(more, "more place")
        ));
    }
    out
}

fn end(end: Option<&Endpoint>) -> String {
    let Some(end) = end else { return "not said".to_owned() };
    let port = end.port.map(|p| format!(" port {p}")).unwrap_or_default();
    let known = [&end.hostname, &end.zone].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let known =
        if known.is_empty() { String::new() } else { format!(" <span class=\"soft\">({})</span>", escaped(&known)) };
    format!("<span class=\"code\">{}</span>{port}{known}", escaped(&end.ip))
}

/// The frame and its capture file, or the file and the line.
fn place(page: &Page<'_>, evidence: &Evidence) -> String {
    let text = |name: &str| evidence.data.get(name).and_then(Value::as_str);
    let number = |name: &str| evidence.data.get(name).and_then(Value::as_u64);
    match (text("file"), number("line"), text("capture"), number("frame")) {
        (Some(file), Some(line), ..) => format!("<span class=\"code\">{}:{line}</span>", escaped(file)),
        (_, _, Some(capture), Some(frame)) => {
            let inputs = page.summary.get("inputs").and_then(Value::as_array);
            let input =
                inputs.into_iter().flatten().find(|i| i.get("capture").and_then(Value::as_str) == Some(capture));
            let path = input.and_then(|i| i.get("path")?.as_str());
            let name = path.map_or_else(
                || format!("capture {capture}"),
                |path| path.rsplit('/').next().unwrap_or(path).to_owned(),
            );
            format!("frame {frame} of <span class=\"code\">{}</span>", escaped(&name))
        }
        _ => "not known".to_owned(),
    }
}

/// What has no section of its own, by rule.
fn rest(page: &Page<'_>) -> String {
    let mut out = String::new();
    let hidden = page.stories.iter().skip(MOST_STORIES);
    let hidden: Vec<&Told> = hidden.flat_map(|s| &s.findings).filter_map(|i| page.told.get(*i)).collect();
    if !hidden.is_empty() {
        let stories = page.stories.len() - MOST_STORIES;
        out.push_str(&format!("<h3>{}, none more severe</h3>\n", many(stories, "more story")));
        out.push_str(&counted("By rule; each stands in findings.ndjson, and lidr explain tells of it", &hidden));
    }
    if page.left_out > 0 || page.uncounted > 0 {
        let lines = if page.uncounted > 0 {
            format!(" {} more lines were not even counted.", page.uncounted)
        } else {
            String::new()
        };
        out.push_str(&format!(
            "<p>{} of the least severity are only in <code>findings.ndjson</code>: this page is made from the {} most severe.{lines}</p>\n",
            many(page.left_out, "more finding"),
            page.told.len()
        ));
    }
    let closed: Vec<&Told> = page.told.iter().filter(|f| f.closed).collect();
    if !closed.is_empty() {
        out.push_str("<h3>Closed</h3>\n<p>What came later explained these; they are in no story.</p>\n");
        out.push_str(&counted("By rule", &closed));
    }
    out
}

fn counted(caption: &str, findings: &[&Told]) -> String {
    let mut by_rule: BTreeMap<(std::cmp::Reverse<Severity>, &str), Vec<&Told>> = BTreeMap::new();
    for finding in findings {
        by_rule.entry((std::cmp::Reverse(finding.severity), &finding.code)).or_default().push(finding);
    }
    let row = |((severity, code), all): (&(std::cmp::Reverse<Severity>, &str), &Vec<&Told>)| {
        let first = all.first().map(|f| (f.title.as_str(), f.uid.get(..8).unwrap_or(&f.uid))).unwrap_or_default();
        vec![
            format!("<span class=\"code\">{}</span> {}", escaped(code), escaped(first.0)),
            severity.0.name().to_owned(),
            all.len().to_string(),
            seen(all),
            format!("<code>{}</code>", escaped(first.1)),
        ]
    };
    let rows: Vec<Vec<String>> = by_rule.iter().map(row).collect();
    table(caption, &["Rule", "Severity", "Findings", "Seen", "First id"], &rows)
}
