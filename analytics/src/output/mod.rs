//! Findings as people read them: one by one as they are made, or the stories that they are part of, on one screen.
mod digest;

use std::{collections::BTreeMap, fmt::Write};

pub use digest::digest;

use lidr_schema::finding::{Activity, Evidence, Severity};

use crate::{Finding, time::seconds_text};

/// Frames and lines that are listed.
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
    let _ = writeln!(
        out,
        "{on}{:<8} {}{off}  {}{state}",
        finding.severity.name().to_uppercase(),
        finding.code,
        plain(&finding.title)
    );
    put(&mut out, "", &finding.message);
    put(&mut out, "when", &when(finding));
    put(&mut out, "evidence", &places(&finding.evidences));
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

/// Where it is proved: frame numbers by capture, lines of record files.
pub(crate) fn places(evidences: &[Evidence]) -> String {
    let mut of_capture: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut lines: Vec<String> = Vec::new();
    for evidence in evidences.iter().take(MOST_FRAMES) {
        let text =
            |name: &str| evidence.data.get(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let (list, place) = match (text("frame"), text("file"), text("line")) {
            (_, Some(file), Some(line)) => (&mut lines, format!("{file}:{line}")),
            (Some(frame), ..) => {
                (of_capture.entry(text("capture").unwrap_or_default()).or_default(), format!("frame {frame}"))
            }
            _ => continue,
        };
        if !list.contains(&place) {
            list.push(place);
        }
    }
    let of = |(capture, frames): (&String, &Vec<String>)| format!("{} of {capture}", frames.join(", "));
    let mut parts: Vec<String> = of_capture.iter().map(of).chain(lines).collect();
    let more = evidences.len().saturating_sub(MOST_FRAMES);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

/// A labelled line, wrapped under its label.
fn put(out: &mut String, label: &str, value: &str) {
    for (i, line) in wrapped(value, WIDTH).into_iter().enumerate() {
        let _ = writeln!(out, "  {:<12} {line}", if i == 0 { label } else { "" });
    }
}

/// Words in lines of at most that many letters, but for a word that is longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in plain(text).split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text without what would move a cursor or turn the direction of writing. Names come from the wire, and none has such letters.
#[must_use]
pub fn plain(text: &str) -> String {
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if moves(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_stand_by_capture_and_lines_by_file() {
        let place =
            |data: serde_json::Value| Evidence { data: data.as_object().unwrap().clone(), ..Evidence::default() };
        let all = [
            place(json!({"capture": "e-00000", "frame": 7})),
            place(json!({"file": "audit.ndjson", "line": 17})),
            place(json!({"capture": "e-00000", "frame": 9})),
            place(json!({"capture": "e-00000", "frame": 9})),
            place(json!({"file": "audit.ndjson", "line": 18})),
        ];
        assert_eq!(places(&all), "frame 7, frame 9 of e-00000, audit.ndjson:17, audit.ndjson:18");
        let many: Vec<_> = (0..20).map(|i| place(json!({"file": "a", "line": i}))).collect();
        assert!(places(&many).ends_with("a:7, 12 more"));
    }
}
