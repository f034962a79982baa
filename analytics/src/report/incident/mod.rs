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

use crate::{
    report::html::escaped,
    story::{Kept, Names, Net, Place, Story, Told, roots, steps, stories},
    time::{seconds_text, span},
    words::{listed, many, short},
};
use chart::Step;

/// Stories that have a section of their own.
const MOST_STORIES: usize = 12;
/// Steps that a sentence names.
const MOST_NAMED: usize = 6;
/// Names of a kind in a sentence.
const MOST_LISTED: usize = 3;
/// Letters of a subject in a sentence.
const LONGEST: usize = 120;

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
    /// Of those that stand.
    counts: &'a [(Severity, usize)],
    total: usize,
    closed: usize,
    /// From when to when those that stand go.
    time: (i64, i64),
    left_out: usize,
    uncounted: u64,
    names: Names,
}

impl Incident {
    /// The page.
    #[must_use]
    pub fn html(self) -> String {
        let (counts, all, time) = (self.findings.open(), self.findings.len(), self.findings.time());
        let total = counts.iter().map(|(_, n)| n).sum();
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
            closed: all - total,
            time: time.unwrap_or_default(),
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

    /// Whether the run, or what it found, knew a site.
    fn had_site(&self) -> bool {
        let run = self.summary.get("site_hash").and_then(Value::as_str).is_some_and(|hash| !hash.is_empty());
        run || self.told.iter().any(|f| !f.site_hash.is_empty())
    }

    /// Findings that stand.
    fn open(&self) -> Vec<&Told> {
        self.told.iter().filter(|f| !f.closed).collect()
    }

    /// The findings of one story, those that another of it explains apart.
    fn of(&self, story: &Story) -> (Vec<&Told>, Vec<&Told>) {
        let all: Vec<&Told> = story.findings.iter().filter_map(|i| self.told.get(*i)).collect();
        let roots = roots(&all);
        all.iter().partition(|f| roots.get(f.uid.as_str()).is_none_or(|root| *root == f.uid))
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
        let from = if seconds_text(self.time.0) == seconds_text(self.time.1) { "At" } else { "From" };
        let tell = match (self.stories.len(), self.total) {
            (1, 1) => "it tells".to_owned(),
            (1, _) => "they tell".to_owned(),
            (n, _) => format!("they make {n} stories, and the weightiest ({}) tells", span(story.time)),
        };
        let others = if self.stories.len() > 1 { "; the others stand below, none more severe" } else { "" };
        let who = format!(
            "{from} {} lidr made {} ({}): {tell} {}{others}.{}",
            span(self.time),
            many(self.total, "finding"),
            levels(self.counts),
            doing(&net, &all),
            self.closed_too(),
        );
        vec![who, in_order(&own, self.stories.len() > 1), limits::sentence(self)]
    }

    /// What was found and does not stand.
    fn closed_too(&self) -> String {
        match self.closed {
            0 => String::new(),
            1 => " One more was closed, because what came later explained it.".to_owned(),
            n => format!(" {n} more were closed, because what came later explained them."),
        }
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
        let found = match self.closed {
            0 => "its rules found nothing".to_owned(),
            n => format!("nothing that its rules found stands: {} closed, because what came later explained it", {
                let one = many(n, "finding");
                if n == 1 { format!("{one} was") } else { format!("{one} were") }
            }),
        };
        format!(
            "lidr looked at {packets}{}{when} and {found}.",
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

/// How many of which severity.
fn levels(counts: &[(Severity, usize)]) -> String {
    counts.iter().map(|(s, n)| format!("{n} {}", s.name())).collect::<Vec<_>>().join(", ")
}

/// What who did to whom.
fn doing(net: &Net, all: &[&Told]) -> String {
    let most = net.nodes.iter().map(|n| n.severity).max();
    let at = |place: Place| -> Vec<(usize, String)> {
        let all = net.nodes.iter().enumerate();
        let all = all.filter(|(_, n)| n.place == place && n.named > 0 && Some(n.severity) == most);
        all.map(|(i, n)| (i, format!("<strong>{}</strong>", escaped(&n.short())))).collect()
    };
    let names = |place: Place| at(place).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    let by = actors(net, &at(Place::Host), &at(Place::Account));
    let (on, destinations) = (listed(&names(Place::System), MOST_LISTED), names(Place::Destination));
    let to = match (destinations.is_empty(), by.is_empty() && on.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("what goes to {}", listed(&destinations, MOST_LISTED)),
        (false, false) => format!(", and what goes to {}", listed(&destinations, MOST_LISTED)),
    };
    match (by.is_empty(), on.is_empty()) {
        (false, false) => format!("what {by} did at {on}{to}"),
        (false, true) => format!("what {by} did{to}"),
        (true, false) => format!("what happened at {on}{to}"),
        (true, true) if to.is_empty() => {
            format!("of {}", escaped(&short(&Names::of(all.iter().copied()).subject(all), LONGEST)))
        }
        (true, true) => to,
    }
}

/// Who acted: an account stands with a host only where it is the only one, and a finding shows the two together.
fn actors(net: &Net, hosts: &[(usize, String)], accounts: &[(usize, String)]) -> String {
    let together =
        |account: usize| matches!(hosts, [(host, _)] if net.edges.iter().any(|e| (e.from, e.to) == (account, *host)));
    let (with, apart): (Vec<_>, Vec<_>) = accounts.iter().partition(|(i, _)| together(*i));
    let named = |all: &[&(usize, String)]| {
        let names: Vec<String> = all.iter().map(|(_, name)| name.clone()).collect();
        let kind = if names.len() > 1 { "accounts" } else { "account" };
        format!("{kind} {}", listed(&names, MOST_LISTED))
    };
    let hosts = listed(&hosts.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>(), MOST_LISTED);
    let with = if with.is_empty() { String::new() } else { format!(" ({})", named(&with)) };
    match (hosts.is_empty(), apart.is_empty()) {
        (_, true) => format!("{hosts}{with}"),
        (true, false) => named(&apart),
        (false, false) => format!("{hosts}{with}, and {},", named(&apart)),
    }
}

/// What was found, one after the other: of many steps the most severe. Where there are other stories it says that it tells of one.
fn in_order(own: &[&Told], others: bool) -> String {
    let mut all = by_weight(own);
    let hidden = all.split_off(MOST_NAMED.min(all.len()));
    all.sort_by_cached_key(|step| step.first().map(|f| f.key()));
    let mut day = String::new();
    let mut one = |step: &Vec<&Told>| {
        let Some(first) = step.first() else { return String::new() };
        let (title, time) = (short(&lower(&first.title), LONGEST), seconds_text(first.first));
        let times = if step.len() > 1 { format!(", {} times", step.len()) } else { String::new() };
        // The day is told where it is another one.
        let (date, clock) = time.split_once(' ').unwrap_or_default();
        let when = if date == day { clock.to_owned() } else { time.clone() };
        date.clone_into(&mut day);
        format!("{} (<span class=\"code\">{}</span> at {when}{times})", escaped(&title), escaped(&first.code))
    };
    let named: Vec<String> = all.iter().map(&mut one).collect();
    let mut rest: std::collections::BTreeMap<Severity, usize> = std::collections::BTreeMap::new();
    for first in hidden.iter().filter_map(|step| step.first()) {
        *rest.entry(first.severity).or_default() += 1;
    }
    let rest: Vec<(Severity, usize)> = rest.into_iter().rev().collect();
    let more = if rest.is_empty() {
        String::new()
    } else {
        format!("; and {}, none more severe ({})", many(hidden.len(), "more kind"), levels(&rest))
    };
    let intro = match (others, named.len() > 1) {
        (false, true) => "In the order of time (UTC): ",
        (false, false) => "It was found (times in UTC): ",
        (true, true) => "In that story, in the order of time (UTC): ",
        (true, false) => "In that story (times in UTC): ",
    };
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
