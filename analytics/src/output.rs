//! Findings as people read them.
use std::fmt::Write;

use lidr_schema::finding::{Activity, Evidence, Severity};
use serde_json::Value;

use crate::{Finding, time::seconds_text};

/// Frames that are listed.
const MOST_FRAMES: usize = 8;
/// Characters of a line.
const WIDTH: usize = 100;

/// A paragraph for people; colour where the caller knows that it is a terminal.
#[must_use]
pub fn text(finding: &Finding, colour: bool) -> String {
    let (on, off) = if colour { (shade(finding.severity), "\x1b[0m") } else { ("", "") };
    let state = match finding.activity {
        Activity::Create if finding.lidr.pending => " (not confirmed yet)",
        Activity::Create => "",
        Activity::Update => " (update)",
        Activity::Close => " (closed: explained)",
    };
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{on}{:<8} {}{off}  {}{state}", finding.severity.name().to_uppercase(), finding.code, finding.title);
    put(&mut out, "", &finding.message);
    put(&mut out, "when", &when(finding));
    put(&mut out, "evidence", &frames(&finding.evidences));
    if let Some(other) = &finding.lidr.absorbed_by {
        put(&mut out, "part of", other);
    }
    if finding.activity == Activity::Create && !finding.lidr.pending {
        put(&mut out, "look at", &finding.lidr.triage);
        put(&mut out, "harmless if", &finding.lidr.benign_if);
    }
    let mut sure = format!("{} confidence", finding.confidence.name());
    if !finding.lidr.without.is_empty() {
        let _ = write!(sure, "; judged without site table {}", finding.lidr.without.join(", "));
    }
    put(&mut out, "sure", &sure);
    put(&mut out, "id", &finding.uid);
    out.push('\n');
    out
}

const fn shade(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "\x1b[1;31m",
        Severity::High => "\x1b[31m",
        Severity::Medium => "\x1b[33m",
        _ => "\x1b[36m",
    }
}

fn when(finding: &Finding) -> String {
    let first = seconds_text(finding.first_seen);
    match finding.count {
        0 | 1 => format!("{first} UTC"),
        n => format!("{first} to {} UTC, {n} times", seconds_text(finding.last_seen)),
    }
}

/// Frame numbers, by capture.
fn frames(evidences: &[Evidence]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for evidence in evidences.iter().take(MOST_FRAMES) {
        let text = |name: &str| evidence.data.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let place = match (text("frame"), text("file"), text("line")) {
            (Some(frame), _, _) => format!("frame {frame}"),
            (_, Some(file), Some(line)) => format!("{file}:{line}"),
            _ => continue,
        };
        if !parts.contains(&place) {
            parts.push(place);
        }
    }
    let more = evidences.len().saturating_sub(MOST_FRAMES);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    let captures: std::collections::BTreeSet<&str> = evidences.iter().filter_map(|e| e.data.get("capture").and_then(Value::as_str)).collect();
    let of = captures.into_iter().collect::<Vec<_>>().join(", ");
    if of.is_empty() { parts.join(", ") } else { format!("{} of {of}", parts.join(", ")) }
}

/// A labelled line, wrapped under its label.
fn put(out: &mut String, label: &str, value: &str) {
    let mut line = String::new();
    let mut first = true;
    let mut flush = |line: &mut String| {
        if !line.is_empty() {
            let _ = writeln!(out, "  {:<12} {line}", if first && !label.is_empty() { label } else { "" });
            first = false;
            line.clear();
        }
    };
    for word in value.split_whitespace() {
        if line.len() + word.len() > WIDTH {
            flush(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    flush(&mut line);
}
