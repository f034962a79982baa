//! A run's findings on one screen, for somebody who is tired: stories, the weightiest first; in each who did what to whom, one line a
//! kind of finding, by what it is about; what does not fit is counted.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::finding::Severity;

use super::{places, plain, shade, wrapped};
use crate::{
    story::{Kept, Names, Net, Story, Told, roots, steps, stories},
    time::{seconds_text, span},
    words::{many, short},
};

/// Lines of the whole.
const MOST_LINES: usize = 30;
/// Letters of a line of words.
const WIDTH: usize = 100;
/// Letters of a title.
const TITLE: usize = 56;
/// Stories that are shown.
const MOST_STORIES: usize = 6;
/// Things that one rule found something of, and that have lines of their own.
const MOST_APART: usize = 2;
/// Stories that are shown, how many of them are told in words, and lines of findings that the first may have: the first that fits is taken.
const FITS: [(usize, usize, usize); 7] =
    [(MOST_STORIES, MOST_STORIES, 99), (MOST_STORIES, 1, 8), (4, 1, 8), (3, 1, 8), (2, 1, 10), (1, 1, 16), (1, 1, 8)];
/// Lines of findings that a story after the first may have, where not all fit.
const FEW: usize = 3;
/// Digits of an id that tell findings apart for people; `explain` takes them.
const SHORT: usize = 8;

/// The stories of these findings; empty where there are none. Colour where the caller knows that it is a terminal.
#[must_use]
pub fn digest(kept: Kept, colour: bool) -> String {
    let (left_out, uncounted) = (kept.left_out(), kept.uncounted);
    let told = kept.told();
    let all = stories(&told);
    let screen = Screen { told: &told, colour };
    let drafts: Vec<Draft<'_>> = all.iter().take(MOST_STORIES).map(|story| screen.draft(story)).collect();
    let page = |(most, words, rows): (usize, usize, usize)| {
        let own = |i: usize| if i == 0 || rows > MOST_LINES { rows } else { rows.min(FEW) };
        let blocks = drafts.iter().take(most).enumerate();
        let lines: Vec<String> = blocks.flat_map(|(i, draft)| screen.block(draft, i < words, own(i))).collect();
        (most.min(drafts.len()), lines)
    };
    let last = FITS.last().copied().unwrap_or((1, 0, 1));
    let fits = FITS.into_iter().map(page).find(|(_, lines)| lines.len() <= MOST_LINES);
    let (shown, mut lines) = fits.unwrap_or_else(|| page(last));
    let hidden: Vec<&Told> = all.iter().skip(shown).flat_map(|s| &s.findings).filter_map(|i| told.get(*i)).collect();
    if !hidden.is_empty() {
        let stories = all.len() - shown;
        lines.push(format!(
            "… and {} in {}: {}",
            many(hidden.len(), "finding"),
            many(stories, "more story"),
            levels(&hidden)
        ));
    }
    if left_out > 0 {
        lines.push(format!("… and {} of the least severity that are only counted", many(left_out, "finding")));
    }
    let closed = told.iter().filter(|f| f.closed).count();
    if closed > 0 {
        lines.push(format!("{} closed: what came later explained it", many(closed, "finding")));
    }
    if uncounted > 0 {
        lines.push(format!("… and {uncounted} lines of findings that are not even counted"));
    }
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.into_iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

struct Screen<'a> {
    told: &'a [Told],
    colour: bool,
}

/// A story before it is decided how much of it there is room for.
struct Draft<'a> {
    story: &'a Story,
    all: Vec<&'a Told>,
    head: Vec<String>,
    groups: Vec<(String, Vec<Vec<&'a Told>>)>,
}

impl<'a> Screen<'a> {
    fn draft(&self, story: &'a Story) -> Draft<'a> {
        let all: Vec<&Told> = story.findings.iter().filter_map(|i| self.told.get(*i)).collect();
        let roots = roots(&all);
        let listed = all.iter().filter(|f| roots.get(f.uid.as_str()).is_none_or(|root| *root == f.uid));
        let groups = by_subject(&listed.copied().collect::<Vec<_>>());
        Draft { story, head: self.head(story, &all), all, groups }
    }

    fn block(&self, draft: &Draft<'_>, words: bool, most: usize) -> Vec<String> {
        let mut lines = draft.head.clone();
        let weightiest = draft.story.weightiest(self.told);
        if let Some(finding) = weightiest.filter(|_| words) {
            lines.extend(cut(&finding.message, 3).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.rows(draft, most));
        if let Some(finding) = weightiest.filter(|f| words && !f.triage.is_empty()) {
            let name = |i: usize| if i == 0 { "look at" } else { "" };
            let look = cut(&finding.triage, 2);
            lines.extend(look.iter().enumerate().map(|(i, line)| format!("  {:<8} {line}", name(i))));
        }
        lines.push(String::new());
        lines
    }

    /// Who, whom, when.
    fn head(&self, story: &Story, all: &[&Told]) -> Vec<String> {
        let net = Net::of(all);
        let count = if all.len() > 1 { format!(", {}", many(all.len(), "finding")) } else { String::new() };
        let head = format!("{}, {}{count}", net.in_words(all), span(story.time));
        let name = story.severity.name().to_uppercase();
        let lines = wrapped(&head, WIDTH - 10);
        let start = |i: usize| if i == 0 { self.shaded(story.severity, &format!("{name:<8}")) } else { " ".repeat(8) };
        lines.iter().enumerate().map(|(i, line)| format!("{}  {}", start(i), self.bold(line))).collect()
    }

    /// A line for each kind of finding, under what they are about; where there is not room for all, for the most severe.
    fn rows(&self, draft: &Draft<'_>, most: usize) -> Vec<String> {
        let mut weight: Vec<_> = draft.groups.iter().flat_map(|(_, steps)| steps).filter_map(|s| s.first()).collect();
        weight.sort_by_cached_key(|f| (std::cmp::Reverse(f.severity), f.first, f.uid.clone()));
        let shown: BTreeSet<&str> = weight.into_iter().take(most).map(|f| f.uid.as_str()).collect();
        let row = Row {
            days: day(draft.story.time.0) != day(draft.story.time.1),
            width: width(&draft.all),
            explained: explained(&draft.all),
        };
        let (mut lines, mut rest) = (Vec::new(), Vec::new());
        for (about, steps) in &draft.groups {
            let is_shown = |step: &&Vec<&Told>| step.first().is_some_and(|f| shown.contains(f.uid.as_str()));
            let (own, others): (Vec<_>, Vec<_>) = steps.iter().partition(is_shown);
            rest.extend(others.into_iter().flatten().copied());
            if !own.is_empty() {
                lines.push(format!("  {}", plain(about)));
            }
            lines.extend(own.into_iter().filter_map(|step| self.row(&row, step)));
        }
        if !rest.is_empty() {
            lines.push(format!("    … and {} more: {}", rest.len(), levels(&rest)));
        }
        lines
    }

    /// Findings of one rule about one thing.
    fn row(&self, row: &Row<'_>, step: &[&Told]) -> Option<String> {
        let first = step.first()?;
        let time = seconds_text(first.first);
        let time = time.get(if row.days { 5.. } else { 11.. }).unwrap_or_default();
        let level = self.shaded(first.severity, &format!("{:<8}", first.severity.name()));
        let title = short(&first.title, row.width);
        let times = if step.len() > 1 { format!(" ×{}", step.len()) } else { String::new() };
        let explains = step.iter().filter_map(|s| row.explained.get(s.uid.as_str())).flatten();
        let explains: Vec<&Told> = explains.copied().collect();
        let explains = if explains.is_empty() { String::new() } else { format!("  with {}", codes(&explains)) };
        let pending = if first.pending { "  not confirmed yet" } else { "" };
        let proof = places(first.evidences.get(..1).unwrap_or_default());
        let proof = proof.split(" of ").next().unwrap_or_default();
        let id = first.uid.get(..SHORT).unwrap_or(&first.uid);
        let words = format!(
            "{:<6} {title:<width$}  {id}  {proof}{times}{explains}{pending}",
            short(&first.code, 12),
            width = row.width
        );
        Some(format!("    {time} {level} {}", plain(&words)))
    }

    fn shaded(&self, severity: Severity, text: &str) -> String {
        if self.colour { format!("{}{text}\x1b[0m", shade(severity)) } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What the rows of a story have in common.
struct Row<'a> {
    /// Times are told with their day.
    days: bool,
    /// Letters of a title.
    width: usize,
    /// What each finding explains.
    explained: BTreeMap<&'a str, Vec<&'a Told>>,
}

fn explained<'a>(all: &[&'a Told]) -> BTreeMap<&'a str, Vec<&'a Told>> {
    let roots = roots(all);
    let mut out: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for finding in all {
        if let Some(root) = roots.get(finding.uid.as_str()).filter(|root| **root != finding.uid) {
            out.entry(*root).or_default().push(*finding);
        }
    }
    out
}

/// What findings are about, and of each rule what it found of it; what one rule found of many things is one line.
fn by_subject<'a>(all: &[&'a Told]) -> Vec<(String, Vec<Vec<&'a Told>>)> {
    let names = Names::of(all.iter().copied());
    let mut groups: Vec<(String, Vec<Vec<&Told>>)> = Vec::new();
    let mut put = |about: String, step: Vec<&'a Told>| match groups.iter_mut().find(|(name, _)| *name == about) {
        Some((_, steps)) => steps.push(step),
        None => groups.push((about, vec![step])),
    };
    for step in steps(all) {
        let mut apart: Vec<(String, Vec<&Told>)> = Vec::new();
        for finding in &step {
            let about = names.subject(&[finding]);
            match apart.iter_mut().find(|(name, _)| *name == about) {
                Some((_, findings)) => findings.push(finding),
                None => apart.push((about, vec![finding])),
            }
        }
        match apart.len() > MOST_APART {
            true => put(names.subject(&step), step),
            false => apart.into_iter().for_each(|(about, findings)| put(about, findings)),
        }
    }
    groups
}

fn day(time: i64) -> i64 {
    time.div_euclid(86_400_000_000)
}

/// Letters of the longest title, as far as titles may go.
fn width(all: &[&Told]) -> usize {
    all.iter().map(|f| f.title.chars().count()).max().unwrap_or_default().min(TITLE)
}

/// The first lines of a text.
fn cut(text: &str, lines: usize) -> Vec<String> {
    let mut all = wrapped(text, WIDTH - 2);
    if all.len() > lines {
        all.truncate(lines);
        if let Some(last) = all.last_mut() {
            last.push('…');
        }
    }
    all
}

/// The rules of these findings, each with how many it made.
fn codes(findings: &[&Told]) -> String {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *count.entry(&finding.code).or_default() += 1;
    }
    let one = |(code, n): (&str, usize)| if n > 1 { format!("{code} ×{n}") } else { code.to_owned() };
    count.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How many of which severity.
fn levels(findings: &[&Told]) -> String {
    let count = |s: Severity| findings.iter().filter(|f| f.severity == s).count();
    let each = Severity::ALL.into_iter().rev().map(|s| (s, count(s))).filter(|(_, n)| *n > 0);
    each.map(|(s, n)| format!("{n} {}", s.name())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::story::tests::line;

    fn shown(lines: &[Value], colour: bool) -> String {
        let mut kept = Kept::default();
        lines.iter().for_each(|l| kept.take(Told::read(l).unwrap()));
        digest(kept, colour)
    }

    const ACT: &[(&str, &str)] = &[("host", "10.0.0.9"), ("device", "10.0.0.1")];

    #[test]
    fn a_story_says_who_what_when_proof_and_id() {
        let ends = [("10.0.0.9", "10.0.0.1=pe1")];
        let mut part = line("bbbbbbbbbb", "LI-14", 5, (9, 9), ACT, &ends);
        part["unmapped"]["lidr"]["absorbed_by"] = json!("aaaaaaaaaa");
        let text = shown(&[line("aaaaaaaaaa", "LI-01", 5, (5, 7), ACT, &ends), part], false);
        let expected = "\
CRITICAL  10.0.0.9 → pe1 (core), 1970-01-01 00:00:05 to 00:00:09 UTC, 2 findings
  LI-01 of aaaaaaaaaa
  10.0.0.9 → pe1
    00:00:05 critical LI-01  Title of LI-01  aaaaaaaa  frame 1  with LI-14
  look at  ask
";
        assert_eq!(text, expected);
        assert_eq!(shown(&[], false), "");
    }

    #[test]
    fn colour_is_asked_for_and_names_cannot_bring_their_own() {
        let mut hostile = line("aaaaaaaaaa", "LI-01", 5, (5, 5), &[("host", "\u{1b}[2Jx\u{202e}")], &[]);
        for field in ["/message", "/finding_info/title", "/unmapped/lidr/triage"] {
            *hostile.pointer_mut(field).unwrap() = json!("a\u{1b}]0;b\u{7}\nc\u{9b}31m");
        }
        let plain = shown(std::slice::from_ref(&hostile), false);
        assert!(!plain.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{plain:?}");
        let coloured = shown(&[hostile], true);
        assert_eq!(coloured.matches("\x1b[1;31m").count(), 2, "{coloured:?}");
        assert_eq!(coloured.matches('\x1b').count(), coloured.matches("\x1b[0m").count() * 2);
    }

    #[test]
    fn ten_thousand_findings_are_one_screen_and_none_is_forgotten() {
        let one = |i: i64| {
            let host = format!("10.{}.{}.9", i / 250, i % 250);
            // Every hundredth stands alone; the others are about one router.
            let device = if i % 100 == 0 { format!("10.200.0.{}", i / 100) } else { "10.0.0.1".to_owned() };
            line(
                &format!("{i:010}"),
                &format!("LM-{:02}", i % 23),
                1 + (i % 5) as u8,
                (i, i),
                &[("host", &host), ("device", &device)],
                &[],
            )
        };
        let lines: Vec<Value> = (0..10_000).map(one).collect();
        let text = shown(&lines, false);
        assert!(text.lines().count() <= MOST_LINES + 2, "{text}");
        assert!(text.contains(", 9900") && text.contains(" more: ") && text.contains("more stories: "), "{text}");
        assert_eq!(text.matches("critical LM-").count(), 8, "the most severe are those that are shown: {text}");
        assert!(text.lines().all(|l| l.chars().count() <= 120), "{text}");
    }

    #[test]
    fn a_pending_finding_says_so_and_days_are_told_where_there_are_two() {
        let mut pending = line("aaaaaaaaaa", "LI-01", 4, (86_399, 86_401), ACT, &[]);
        pending["unmapped"]["lidr"]["pending"] = json!(true);
        let text = shown(&[pending], false);
        assert!(text.contains("    01-01 23:59:59 high     LI-01 ") && text.contains("not confirmed yet"), "{text}");
    }
}
