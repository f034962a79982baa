//! The incident report: what a responder hands over, as one page that needs nothing beside itself.
//!
//! Made of an output folder: the last line of each finding, and the run's summary. The page depends on these alone, never on a clock, so
//! that the same folder gives the same page. It has no script and loads nothing; what is bounded says how much was left out.
mod chart;
mod found;
mod graph;
mod layout;
mod limits;
mod repeat;
mod style;
#[cfg(test)]
mod tests;

use lidr_schema::finding::Severity;
use serde_json::Value;

use super::html;
use crate::{
    report::html::escaped,
    story::{Kept, Names, Net, Place, Story, Told, steps, stories},
    time::{seconds_text, span},
    words::many,
};
use chart::Step;

/// Stories that have a section of their own.
const MOST_STORIES: usize = 12;
/// Steps that a sentence names.
const MOST_NAMED: usize = 6;

/// What a page without findings must say.
const CLEAN: &str = "That is no statement that the network is clean.";

/// What a report is made of.
#[derive(Debug)]
pub struct Incident {
    /// The output folder, as it was given.
    pub folder: String,
    /// The findings.
    pub findings: Kept,
    /// The run's summary; null where there is none.
    pub summary: Value,
    /// What the folder itself lacks.
    pub notes: Vec<String>,
}

/// Everything at hand while the page is written.
struct Page<'a> {
    folder: &'a str,
    summary: &'a Value,
    notes: &'a [String],
    told: &'a [Told],
    stories: &'a [Story],
    counts: &'a [(Severity, usize)],
    total: usize,
    left_out: usize,
    uncounted: u64,
    names: Names,
}

impl Incident {
    /// The page.
    #[must_use]
    pub fn html(self) -> String {
        let (counts, total) = (self.findings.by_severity(), self.findings.len());
        let (left_out, uncounted) = (self.findings.left_out(), self.findings.uncounted);
        let told = self.findings.told();
        let stories = stories(&told);
        let page = Page {
            folder: &self.folder,
            summary: &self.summary,
            notes: &self.notes,
            told: &told,
            stories: &stories,
            counts: &counts,
            total,
            left_out,
            uncounted,
            names: Names::of(&told),
        };
        page.html()
    }
}

impl Page<'_> {
    fn html(&self) -> String {
        let sections = [
            ("what", "What happened", self.happened()),
            ("time", "Timeline", chart::timeline(&self.steps(), &self.names)),
            ("who", "Who touched which intercept system", graph::graph(&Net::of(&self.open()))),
            ("findings", "Findings", found::found(self)),
            ("limits", "What lidr could not see", limits::limits(self)),
            ("repeat", "How to repeat it", repeat::repeat(self)),
        ];
        let links: String =
            sections.iter().map(|(id, name, _)| format!("<li><a href=\"#{id}\">{name}</a></li>")).collect();
        let body: String = sections
            .iter()
            .map(|(id, name, text)| {
                format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{name}</h2>\n{text}</section>\n")
            })
            .collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>Incident report: {title}</title>\n<style>{style}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#what\">Skip to what happened</a>\n\
             <header>\n<h1>Incident report</h1>\n<p class=\"soft\">{head}</p>\n<nav aria-label=\"Sections\"><ul>{links}</ul></nav>\n</header>\n\
             <main>\n{body}</main>\n</body>\n</html>\n",
            title = escaped(&self.looked_at().unwrap_or_else(|| self.folder.to_owned())),
            style = style::STYLE,
            head = self.head(),
        )
    }

    fn head(&self) -> String {
        let data = self.looked_at().map_or_else(String::new, |when| format!("Data from {when}. "));
        format!(
            "{data}Made by lidr {} from what its run found. This page names hosts, accounts and addresses of the network; targets, tasks and orders \
             are pseudonyms. It says what was seen and what the site\u{2019}s tables hold, and draws no conclusion of law.",
            env!("CARGO_PKG_VERSION")
        )
    }

    /// The time that the inputs cover.
    fn looked_at(&self) -> Option<String> {
        let inputs = || self.summary.get("inputs").and_then(Value::as_array).into_iter().flatten();
        let time = |name: &'static str| inputs().filter_map(move |i| i.get(name)?.as_i64()).filter(|t| *t > 0);
        let run = (time("first").min()?, time("last").max()?);
        Some(span(run))
    }

    /// Whether the run has written its account; one that goes on (`watch`, `live`) has only said whose folder it is.
    fn is_accounted(&self) -> bool {
        self.summary.get("rules").is_some()
    }

    /// Findings that stand.
    fn open(&self) -> Vec<&Told> {
        self.told.iter().filter(|f| !f.closed).collect()
    }

    /// The findings of one story, those that another of it explains apart.
    fn of(&self, story: &Story) -> (Vec<&Told>, Vec<&Told>) {
        let all: Vec<&Told> = story.findings.iter().filter_map(|i| self.told.get(*i)).collect();
        let uids: std::collections::BTreeSet<&str> = all.iter().map(|f| f.uid.as_str()).collect();
        all.iter().partition(|f| f.absorbed_by.as_deref().is_none_or(|uid| !uids.contains(uid)))
    }

    /// Every step of every story that is told, with the place in the page that tells of it.
    fn steps(&self) -> Vec<Step<'_>> {
        let mut out = Vec::new();
        for (s, story) in self.stories.iter().take(MOST_STORIES).enumerate() {
            for (n, findings) in by_weight(&self.of(story).0).into_iter().enumerate() {
                let severity = findings.iter().map(|f| f.severity).max().unwrap_or(Severity::Informational);
                out.push(Step { anchor: format!("s{}-{}", s + 1, n + 1), severity, findings });
            }
        }
        out
    }

    fn happened(&self) -> String {
        let sentences: String = self.sentences().into_iter().map(|s| format!("<p>{s}</p>\n")).collect();
        let counts: String = self
            .counts
            .iter()
            .map(|(s, n)| format!("<li class=\"{name}\"><strong>{n}</strong> {name}</li>", name = s.name()))
            .collect();
        let counts = if counts.is_empty() {
            counts
        } else {
            format!("<ul class=\"counts\" aria-label=\"Findings by severity\">{counts}</ul>\n")
        };
        let first = self.stories.first().and_then(|s| s.weightiest(self.told));
        let next = first.filter(|f| !f.triage.is_empty()).map_or_else(String::new, |f| {
            format!("<p class=\"note\"><strong>Look at first:</strong> {}</p>\n", escaped(&f.triage))
        });
        format!("<div class=\"lead\">\n{sentences}</div>\n{counts}{next}")
    }

    /// Three of them: who and when, what in which order, what is not known.
    fn sentences(&self) -> Vec<String> {
        let Some(story) = self.stories.first() else {
            return vec![self.nothing(), limits::sentence(self), CLEAN.to_owned()];
        };
        let (own, explained) = self.of(story);
        let all: Vec<&Told> = own.iter().chain(&explained).copied().collect();
        let net = Net::of(&all);
        let levels: Vec<String> = self.counts.iter().map(|(s, n)| format!("{n} {}", s.name())).collect();
        let others = match self.stories.len() {
            1 => String::new(),
            n => format!("; {} of less weight stand below", many(n - 1, "other story")),
        };
        let from = if seconds_text(story.time.0) == seconds_text(story.time.1) { "At" } else { "From" };
        let tell = if self.total == 1 { "it tells" } else { "they tell" };
        let who = format!(
            "{from} {} lidr made {} ({}): {tell} {}{others}.",
            span(story.time),
            many(self.total, "finding"),
            levels.join(", "),
            doing(&net, &all),
        );
        vec![who, in_order(&own), limits::sentence(self)]
    }

    /// Where there is nothing to tell of.
    fn nothing(&self) -> String {
        let number = |name: &str| self.summary.get(name).and_then(Value::as_u64).unwrap_or_default();
        let rows = self.summary.get("rows").and_then(Value::as_object).into_iter().flatten();
        let rows: u64 = rows.filter_map(|(_, n)| n.as_u64()).sum();
        let packets = if number("packets") > 0 {
            format!("{} and ", many(usize::try_from(number("packets")).unwrap_or(usize::MAX), "packet"))
        } else {
            String::new()
        };
        let when = self.looked_at().map_or_else(String::new, |when| format!(" from {when}"));
        if !self.is_accounted() {
            return "The folder holds no finding, and the run has not written its summary: nothing can be said of what it looked at.".to_owned();
        }
        format!(
            "lidr looked at {packets}{}{when} and its rules found nothing.",
            many(usize::try_from(rows).unwrap_or(usize::MAX), "row")
        )
    }
}

/// Steps, the most severe first, and then in the order of time.
fn by_weight<'a>(findings: &[&'a Told]) -> Vec<Vec<&'a Told>> {
    let mut all = steps(findings);
    all.sort_by_cached_key(|step| step.first().map(|f| (std::cmp::Reverse(f.severity), f.key())));
    all
}

/// What who did to whom.
fn doing(net: &Net, all: &[&Told]) -> String {
    let most = net.nodes.iter().map(|n| n.severity).max();
    let names = |place: Place| -> Vec<String> {
        let all = net.at(place).filter(|n| n.named > 0 && Some(n.severity) == most);
        all.map(|n| format!("<strong>{}</strong>", escaped(&n.name))).collect()
    };
    let (accounts, hosts) = (names(Place::Account), names(Place::Host));
    let (systems, destinations) = (names(Place::System), names(Place::Destination));
    let by = match (hosts.as_slice(), accounts.as_slice()) {
        ([], []) => String::new(),
        ([], _) => format!("account {}", listed(&accounts)),
        (_, []) => listed(&hosts),
        _ => format!("{} (account {})", listed(&hosts), listed(&accounts)),
    };
    let on = listed(&systems);
    let to = match (destinations.is_empty(), by.is_empty() && on.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("what goes to {}", listed(&destinations)),
        (false, false) => format!(", and what goes to {}", listed(&destinations)),
    };
    match (by.is_empty(), on.is_empty()) {
        (false, false) => format!("what {by} did at {on}{to}"),
        (false, true) => format!("what {by} did{to}"),
        (true, false) => format!("what happened at {on}{to}"),
        (true, true) if to.is_empty() => format!("of {}", escaped(&Names::of(all.iter().copied()).subject(all))),
        (true, true) => to,
    }
}

/// The first three, and how many more.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(3);
    let first = names.get(..3.min(names.len())).unwrap_or_default();
    match (first, more) {
        ([one], 0) => one.clone(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// What was found, one after the other: of many steps the most severe.
fn in_order(own: &[&Told]) -> String {
    let mut all = by_weight(own);
    let total = all.len();
    all.truncate(MOST_NAMED);
    all.sort_by_cached_key(|step| step.first().map(|f| f.key()));
    let one = |step: &Vec<&Told>| {
        let Some(first) = step.first() else { return String::new() };
        let (title, time) = (lower(&first.title), seconds_text(first.first));
        let times = if step.len() > 1 { format!(", {} times", step.len()) } else { String::new() };
        format!(
            "{} (<span class=\"code\">{}</span> at {}{times})",
            escaped(&title),
            escaped(&first.code),
            time.get(11..).unwrap_or_default()
        )
    };
    let named: Vec<String> = all.iter().map(one).collect();
    let more = total - named.len();
    let more = if more > 0 { format!("; and {} of less weight", many(more, "more kind")) } else { String::new() };
    let intro = if named.len() > 1 { "In the order of time: " } else { "It was found: " };
    format!("{intro}{}{more}.", named.join("; "))
}

/// A title inside a sentence: a word that is no abbreviation begins small.
fn lower(title: &str) -> String {
    let mut letters = title.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => title.to_owned(),
    }
}
