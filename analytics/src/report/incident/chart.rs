//! The timeline: a lane for each rule and severity, a mark for each finding, and the same as a table.
use std::collections::BTreeSet;

use lidr_schema::finding::Severity;

use crate::{
    output::places,
    report::html::{escaped, table},
    story::{Names, Told},
    time::{seconds_text, span},
    words::{many, short},
};

/// Lanes of the picture.
const MOST_LANES: usize = 16;
/// Rows of the table.
const MOST_ROWS: usize = 80;
const WIDTH: i64 = 940;
/// Below this width it scrolls, so that it can still be read.
const LEAST: i64 = 700;
/// Where the axis begins.
const LEFT: i64 = 372;
const LANE: i64 = 24;
const HEAD: i64 = 30;
const SECOND: i64 = 1_000_000;
/// Distances of marks on the axis that people read, s.
const STEPS: [i64; 18] = [
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 7_776_000,
    31_536_000,
];

/// A lane, or a row: findings of one rule at one severity, and where the page tells of them.
pub(super) struct Step<'a> {
    pub(super) anchor: String,
    pub(super) severity: Severity,
    pub(super) findings: Vec<&'a Told>,
}

impl Step<'_> {
    fn first(&self) -> i64 {
        self.findings.iter().map(|f| f.first).min().unwrap_or_default()
    }
}

/// The section's content.
pub(super) fn timeline(steps: &[Step<'_>], names: &Names) -> String {
    if steps.is_empty() {
        return "<p>There is nothing to show on it.</p>\n".to_owned();
    }
    format!("{}{}", picture(steps), rows(steps, names))
}

/// Least and greatest time of all.
fn reach(steps: &[Step<'_>]) -> (i64, i64) {
    let all = || steps.iter().flat_map(|s| &s.findings);
    (all().map(|f| f.first).min().unwrap_or_default(), all().map(|f| f.last).max().unwrap_or_default())
}

fn picture(steps: &[Step<'_>]) -> String {
    let (first, last) = reach(steps);
    let mut order: Vec<&Step<'_>> = steps.iter().collect();
    order.sort_by_key(|s| (std::cmp::Reverse(s.severity), s.first()));
    order.truncate(MOST_LANES);
    order.sort_by_key(|s| (s.first(), std::cmp::Reverse(s.severity)));
    let height = HEAD + LANE * i64::try_from(order.len()).unwrap_or_default() + 6;
    let x = |time: i64| {
        let (run, room) = (i128::from((last - first).max(1)), i128::from(WIDTH - LEFT - 24));
        LEFT + 8 + i64::try_from(i128::from(time - first) * room / run).unwrap_or_default()
    };
    let total: usize = steps.iter().map(|s| s.findings.len()).sum();
    let mut out = format!(
        "<figure>\n<div class=\"wide\" role=\"region\" aria-label=\"Timeline\" tabindex=\"0\">\n\
         <svg viewBox=\"0 0 {WIDTH} {height}\" style=\"min-width:{LEAST}px\" role=\"img\" aria-labelledby=\"time-title time-desc\" xmlns=\"http://www.w3.org/2000/svg\">\n\
         <title id=\"time-title\">Timeline, event time in UTC</title>\n<desc id=\"time-desc\">{} of {} from {}. The table below has {}.</desc>\n",
        many(total, "finding"),
        many(steps.len(), "kind"),
        span((first, last)),
        if total > MOST_ROWS { format!("the {MOST_ROWS} most severe of them") } else { "each of them".to_owned() },
    );
    for (time, name) in ticks(first, last) {
        let at = x(time);
        out.push_str(&format!(
            "<line class=\"grid\" x1=\"{at}\" y1=\"{}\" x2=\"{at}\" y2=\"{height}\"/><text class=\"sub\" x=\"{at}\" y=\"16\" text-anchor=\"middle\">{name}</text>\n",
            HEAD - 8
        ));
    }
    for (y, step) in (0i64..).map(|i| HEAD + LANE * i + LANE / 2).zip(&order) {
        out.push_str(&lane(step, y, x));
    }
    let more = steps.len().saturating_sub(order.len());
    let more =
        if more > 0 { format!(" Not drawn: {}, none more severe.", many(more, "more kind")) } else { String::new() };
    out.push_str(&format!(
        "</svg>\n</div>\n<figcaption>Event time in UTC, from {}.{more}</figcaption>\n</figure>\n",
        span((first, last))
    ));
    out
}

fn lane(step: &Step<'_>, y: i64, x: impl Fn(i64) -> i64) -> String {
    let level = step.severity.name();
    let (code, title) = step.findings.first().map(|f| (f.code.as_str(), f.title.as_str())).unwrap_or_default();
    let count = if step.findings.len() > 1 { format!(" ×{}", step.findings.len()) } else { String::new() };
    let code = short(code, 8);
    let mut out = format!(
        "<text class=\"code\" x=\"0\" y=\"{}\">{}</text><text class=\"sub\" x=\"62\" y=\"{}\">{}{count}</text>\n",
        y + 4,
        escaped(&code),
        y + 4,
        escaped(&short(title, 56)),
    );
    // Marks that fall on one another are one.
    let marks: BTreeSet<(i64, i64)> = step.findings.iter().map(|f| (x(f.first), x(f.last))).collect();
    for (from, to) in marks {
        let (start, width) = (from - 5, (to - from).max(0) + 10);
        out.push_str(&format!(
            "<rect class=\"mark is-{level}\" x=\"{start}\" y=\"{}\" width=\"{width}\" height=\"10\" rx=\"5\"/>",
            y - 5
        ));
    }
    out.push('\n');
    out
}

/// Times on the axis and what is written there: one to nine of them.
fn ticks(first: i64, last: i64) -> Vec<(i64, String)> {
    let run = (last - first) / SECOND;
    let step = STEPS.into_iter().find(|step| run / step <= 8).unwrap_or(31_536_000);
    let name = |time: i64| {
        let text = seconds_text(time);
        let part = if run >= 2 * 86_400 {
            text.get(..10)
        } else if run >= 86_400 {
            text.get(5..16)
        } else if step % 60 == 0 {
            text.get(11..16)
        } else {
            text.get(11..)
        };
        part.unwrap_or_default().to_owned()
    };
    if run == 0 {
        return vec![(first, seconds_text(first).get(11..).unwrap_or_default().to_owned())];
    }
    let step = step * SECOND;
    let from = first.div_euclid(step) + i64::from(first.rem_euclid(step) > 0);
    (from..).map(|k| k * step).take_while(|time| *time <= last).take(9).map(|time| (time, name(time))).collect()
}

fn rows(steps: &[Step<'_>], names: &Names) -> String {
    let mut all: Vec<(&Told, &Step<'_>)> = steps.iter().flat_map(|s| s.findings.iter().map(move |f| (*f, s))).collect();
    let total = all.len();
    // The most severe are kept, and then told in the order of time.
    all.sort_by_cached_key(|(f, _)| (std::cmp::Reverse(f.severity), f.key()));
    all.truncate(MOST_ROWS);
    all.sort_by_cached_key(|(f, _)| f.key());
    let row = |(f, step): &(&Told, &Step<'_>)| {
        let times = if f.count > 1 {
            format!("<br><span class=\"soft\">{} times, last {}</span>", f.count, seconds_text(f.last))
        } else {
            String::new()
        };
        vec![
            format!("<span class=\"t\">{}</span>{times}", seconds_text(f.first)),
            format!("<span class=\"level {level}\">{level}</span>", level = f.severity.name()),
            format!("<a href=\"#{}\">{}</a> {}", step.anchor, escaped(&f.code), escaped(&f.title)),
            escaped(&names.subject(&[f])),
            escaped(places(f.evidences.get(..1).unwrap_or_default()).split(" of ").next().unwrap_or_default()),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let mut out =
        table("In the order of time (UTC)", &["First seen", "Severity", "What", "Who and whom", "First proof"], &rows);
    if total > rows.len() {
        out.push_str(&format!("<p>And {}, no more severe than these: they stand under their rules below, or in <code>findings.ndjson</code>.</p>\n", many(total - rows.len(), "finding")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_marks_whatever_it_spans() {
        for (run, least, most) in [
            (0, 1, 1),
            (1, 1, 9),
            (7, 2, 9),
            (59, 2, 9),
            (3_700, 2, 9),
            (90_000, 2, 9),
            (86_400 * 40, 2, 9),
            (31_536_000 * 3, 1, 9),
        ] {
            let ticks = ticks(17 * SECOND, (17 + run) * SECOND);
            assert!((least..=most).contains(&ticks.len()), "{run}: {ticks:?}");
        }
        assert_eq!(ticks(0, 600 * SECOND).first().map(|t| t.1.clone()).unwrap(), "00:00");
    }
}
