//! A run's findings on one screen, for somebody who is tired: stories, the weightiest first; in each who did what to whom, one line a
//! kind of finding, by what it is about; what does not fit is counted.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::finding::Severity;

use super::{places, plain, shade, wrapped};
use crate::{
    story::{Kept, Names, Net, Story, Told, steps, stories},
    time::{seconds_text, span},
    words::many,
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
/// How many stories are told in words, and how many lines of findings one may have: the first that fits is taken.
const FITS: [(usize, usize); 7] = [(9, 99), (2, 16), (1, 14), (1, 10), (1, 7), (1, 4), (0, 2)];
/// Digits of an id that tell findings apart for people; `explain` takes them.
const SHORT: usize = 8;

/// The stories of these findings; empty where there are none. Colour where the caller knows that it is a terminal.
#[must_use]
pub fn digest(kept: Kept, colour: bool) -> String {
    let left_out = kept.left_out();
    let told = kept.told();
    let all = stories(&told);
    let shown = all.get(..MOST_STORIES.min(all.len())).unwrap_or_default();
    let page = |(words, rows): (usize, usize)| -> Vec<String> {
        let screen = Screen { told: &told, colour };
        shown.iter().enumerate().flat_map(|(i, story)| screen.block(story, i < words, rows)).collect()
    };
    let mut lines = FITS.into_iter().map(page).find(|lines| lines.len() <= MOST_LINES).unwrap_or_else(|| page((0, 1)));
    let hidden: Vec<&Told> =
        all.iter().skip(shown.len()).flat_map(|s| &s.findings).filter_map(|i| told.get(*i)).collect();
    if !hidden.is_empty() {
        let stories = all.len() - shown.len();
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
    lines.into_iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

struct Screen<'a> {
    told: &'a [Told],
    colour: bool,
}

impl Screen<'_> {
    fn block(&self, story: &Story, words: bool, most: usize) -> Vec<String> {
        let all: Vec<&Told> = story.findings.iter().filter_map(|i| self.told.get(*i)).collect();
        let mut lines = self.head(story, &all);
        let weightiest = story.weightiest(self.told);
        if let Some(finding) = weightiest.filter(|_| words) {
            lines.extend(cut(&finding.message, 3).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.rows(story, &all, most));
        if let Some(finding) = weightiest.filter(|f| words && !f.triage.is_empty()) {
            let look = cut(&finding.triage, 2);
            lines.extend(
                look.iter().enumerate().map(|(i, line)| format!("  {:<8} {line}", if i == 0 { "look at" } else { "" })),
            );
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

    /// A line for each kind of finding, under what they are about.
    fn rows(&self, story: &Story, all: &[&Told], most: usize) -> Vec<String> {
        let own: BTreeSet<&str> = all.iter().map(|f| f.uid.as_str()).collect();
        let listed = all.iter().filter(|f| f.absorbed_by.as_deref().is_none_or(|uid| !own.contains(uid)));
        let groups = by_subject(&listed.copied().collect::<Vec<_>>());
        let row = Row { days: day(story.time.0) != day(story.time.1), width: width(all), all };
        let (mut lines, mut left, mut rest) = (Vec::new(), most, Vec::new());
        for (about, findings) in groups {
            let mut steps = findings;
            rest.extend(steps.split_off(steps.len().min(left)).into_iter().flatten());
            left -= steps.len();
            if !steps.is_empty() {
                lines.push(format!("  {}", plain(&about)));
            }
            lines.extend(steps.iter().filter_map(|step| self.row(&row, step)));
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
        let by = |f: &&&Told| step.iter().any(|s| f.absorbed_by.as_deref() == Some(s.uid.as_str()));
        let explains: Vec<&Told> = row.all.iter().filter(by).copied().collect();
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
    all: &'a [&'a Told],
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

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
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
