//! Findings that belong together: a story is what somebody did, as far as several rules saw it.
//!
//! Two findings belong together if one explains the other (`absorbed_by`), or if they speak of the same system, host, account or task
//! close in time: a day for who acts and for what is tapped, an hour for what is acted upon, since a router is in everybody's findings. A
//! story is a connected component of that. What says that lidr itself was blind (`suspends`) joins no other story by its
//! packets: blindness is nobody's deed.
//!
//! It is a pure function of the findings' last lines: the same findings, in whatever order they come, give the same stories.
mod kept;
mod net;
#[cfg(test)]
pub(crate) mod tests;
mod told;

use std::collections::{BTreeMap, BTreeSet};

pub use kept::Kept;
use lidr_schema::finding::{Resource, Severity};
pub use net::{Edge, Net, Node, Place};
pub use told::Told;

use crate::words::many;

const HOUR: i64 = 3_600_000_000;
/// How far apart two findings about one actor or task may be, µs.
const ACTOR: i64 = 24 * HOUR;
/// How far apart two findings about one system may be, µs.
const SYSTEM: i64 = HOUR;

/// Findings that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The greatest severity.
    pub severity: Severity,
    /// Least and greatest event time, µs.
    pub time: (i64, i64),
    /// Its findings, by their place in what was given, in the order of time.
    pub findings: Vec<usize>,
}

impl Story {
    /// The finding that tells most: the most severe one that no other explains; of several the one that stands first in the catalogue.
    #[must_use]
    pub fn weightiest<'a>(&self, told: &'a [Told]) -> Option<&'a Told> {
        let all = self.findings.iter().filter_map(|i| told.get(*i));
        all.min_by_key(|f| {
            (f.absorbed_by.is_some(), std::cmp::Reverse(f.severity), f.code.clone(), f.first, f.uid.clone())
        })
    }
}

/// The stories of these findings, the weightiest first. Findings that were closed because they proved harmless are in none.
#[must_use]
pub fn stories(told: &[Told]) -> Vec<Story> {
    let mut order: Vec<usize> = (0..told.len()).filter(|i| told.get(*i).is_some_and(|f| !f.closed)).collect();
    order.sort_by_key(|i| told.get(*i).map(Told::key));
    let mut groups = Groups::new(told.len());
    let names = Names::of(told);
    let mut by_entity: BTreeMap<String, Reached> = BTreeMap::new();
    for &i in &order {
        let Some(finding) = told.get(i) else { continue };
        for (entity, reach) in entities(finding, &names) {
            match by_entity.get_mut(&entity) {
                Some(known) => known.meet(i, finding, reach, &mut groups),
                None => drop(by_entity.insert(entity, Reached { last: finding.last, reach, by: i })),
            }
        }
    }
    let by_uid: BTreeMap<&str, usize> =
        order.iter().filter_map(|i| told.get(*i).map(|f| (f.uid.as_str(), *i))).collect();
    for &i in &order {
        let Some(finding) = told.get(i) else { continue };
        for other in finding.absorbed_by.iter().chain(&finding.absorbs) {
            if let Some(&other) = by_uid.get(other.as_str()) {
                groups.join(i, other);
            }
        }
    }
    collect(told, &order, &mut groups)
}

fn collect(told: &[Told], order: &[usize], groups: &mut Groups) -> Vec<Story> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &i in order {
        members.entry(groups.root(i)).or_default().push(i);
    }
    let story = |findings: Vec<usize>| {
        let all = || findings.iter().filter_map(|i| told.get(*i));
        let severity = all().map(|f| f.severity).max().unwrap_or(Severity::Informational);
        let first = all().map(|f| f.first).min().unwrap_or_default();
        let last = all().map(|f| f.last).max().unwrap_or_default();
        Story { severity, time: (first, last), findings }
    };
    let mut stories: Vec<Story> = members.into_values().map(story).collect();
    stories.sort_by_cached_key(|s| {
        let worst = s.findings.iter().filter_map(|i| told.get(*i)).filter(|f| f.severity == s.severity).count();
        let first = s.findings.first().and_then(|i| told.get(*i)).map(Told::key);
        (std::cmp::Reverse((s.severity, worst)), first)
    });
    stories
}

/// The furthest that findings about an entity have come.
struct Reached {
    last: i64,
    reach: i64,
    by: usize,
}

impl Reached {
    fn meet(&mut self, i: usize, finding: &Told, reach: i64, groups: &mut Groups) {
        if finding.first.saturating_sub(self.last) <= reach.min(self.reach) {
            groups.join(self.by, i);
        }
        if finding.last >= self.last {
            *self = Self { last: finding.last, reach, by: i };
        }
    }
}

/// What a finding speaks of, and how far that reaches.
fn entities(finding: &Told, names: &Names) -> BTreeMap<String, i64> {
    let mut out: BTreeMap<String, i64> = BTreeMap::new();
    let mut put = |name: String, reach: i64| {
        let known = out.entry(name).or_insert(reach);
        *known = reach.max(*known);
    };
    for resource in finding.resources.iter().filter(|r| is_name(&r.name)) {
        match resource.kind.as_str() {
            "host" | "destination" if is_system(resource) => put(names.of_system(&resource.name), ACTOR),
            "device" => put(names.of_system(&resource.name), SYSTEM),
            "account" | "task" => put(format!("{} {}", resource.kind, resource.name), ACTOR),
            // What a credential rule names is a manner ("without TLS"), which strangers may share.
            _ => {}
        }
    }
    if finding.suspends.is_empty() {
        for (source, ip) in finding.ends() {
            // Who asked acts; who was asked is acted upon.
            let named = finding.resources.iter().any(|r| r.kind == "host" && r.name == ip);
            put(names.of_system(ip), if source && named { ACTOR } else { SYSTEM });
        }
    }
    out
}

/// Whether it names anything: rules write these where a row does not say.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "unknown" | "-" | "none" | "0.0.0.0" | "::")
}

/// Whether a resource names a system: what rules say in words where they know no destination ("an order") is none.
fn is_system(resource: &Resource) -> bool {
    let words = resource.kind == "destination" && resource.name.contains(' ');
    matches!(resource.kind.as_str(), "host" | "device" | "destination") && is_name(&resource.name) && !words
}

/// Names of addresses, as the findings know them: a router with three addresses is one system.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// As these findings know them.
    pub fn of<'a>(told: impl IntoIterator<Item = &'a Told>) -> Self {
        let mut out: BTreeMap<String, String> = BTreeMap::new();
        let ends = told.into_iter().flat_map(|f| &f.evidences).flat_map(|e| [&e.src_endpoint, &e.dst_endpoint]);
        for end in ends.flatten() {
            if let Some(name) = end.hostname.as_ref().filter(|name| is_name(name)) {
                let known = out.entry(end.ip.clone()).or_insert_with(|| name.clone());
                // Tables may have changed meanwhile; the choice must not depend on the order of the findings.
                if name < known {
                    known.clone_from(name);
                }
            }
        }
        Self(out)
    }

    /// The name of an address, or what was given.
    #[must_use]
    pub fn of_system(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// What these findings are about: who, whom, and where to; several of a kind are counted.
    #[must_use]
    pub fn subject(&self, findings: &[&Told]) -> String {
        let told = |r: &&Resource| is_system(r) || (matches!(r.kind.as_str(), "account" | "task") && is_name(&r.name));
        let all = || findings.iter().flat_map(|f| &f.resources).filter(told);
        let of = |kind: &str, one: &str| {
            let names: BTreeSet<String> = all().filter(|r| r.kind == kind).map(|r| self.of_system(&r.name)).collect();
            match names.len() {
                0 => None,
                1 => names.first().cloned(),
                n => Some(many(n, one)),
            }
        };
        let systems = [of("host", "host"), of("device", "system"), of("destination", "destination")];
        let mut parts: Vec<String> = systems.into_iter().flatten().collect();
        // A device that logs in to itself, or is its own destination, is one thing.
        parts.dedup();
        if parts.is_empty() {
            parts.extend(of("account", "account"));
        }
        if parts.is_empty() {
            let task = of("task", "task").map(|t| t.get(..12).unwrap_or(&t).to_owned());
            parts.extend(task.map(|t| {
                if t.starts_with(|c: char| c.is_ascii_hexdigit()) && t.len() == 12 { format!("task {t}") } else { t }
            }));
        }
        if parts.is_empty() { "no system in particular".to_owned() } else { parts.join(" → ") }
    }
}

/// Of each of these findings the one that explains it in the end, itself where no other of them does. Of those that explain each
/// other in a circle the first by name stands for all: what explains nothing but itself must not vanish.
#[must_use]
pub fn roots<'a>(all: &[&'a Told]) -> BTreeMap<&'a str, &'a str> {
    let own: BTreeSet<&str> = all.iter().map(|f| f.uid.as_str()).collect();
    let by = all.iter().filter_map(|f| Some((f.uid.as_str(), f.absorbed_by.as_deref()?)));
    let by: BTreeMap<&str, &str> = by.filter(|(_, by)| own.contains(by)).collect();
    let mut out: BTreeMap<&str, &str> = BTreeMap::new();
    for start in own {
        let (mut path, mut seen, mut at) = (Vec::new(), BTreeSet::new(), start);
        let root = loop {
            if let Some(known) = out.get(at) {
                break *known;
            }
            if !seen.insert(at) {
                break path.iter().skip_while(|uid| **uid != at).min().copied().unwrap_or(at);
            }
            path.push(at);
            match by.get(at) {
                Some(next) => at = *next,
                None => break at,
            }
        };
        out.extend(path.into_iter().map(|uid| (uid, root)));
    }
    out
}

/// Which findings are one group so far.
struct Groups(Vec<usize>);

impl Groups {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn root(&mut self, mut i: usize) -> usize {
        while let Some(&up) = self.0.get(i).filter(|up| **up != i) {
            let above = self.0.get(up).copied().unwrap_or(up);
            if let Some(own) = self.0.get_mut(i) {
                *own = above;
            }
            i = up;
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(up) = self.0.get_mut(a.max(b)) {
            *up = a.min(b);
        }
    }
}

/// These findings by rule and severity, in the order of time: what happened, step by step.
#[must_use]
pub fn steps<'a>(findings: &[&'a Told]) -> Vec<Vec<&'a Told>> {
    let mut out: Vec<Vec<&Told>> = Vec::new();
    let mut place: BTreeMap<(&str, Severity), usize> = BTreeMap::new();
    for finding in findings {
        let at = *place.entry((finding.code.as_str(), finding.severity)).or_insert(out.len());
        match out.get_mut(at) {
            Some(step) => step.push(finding),
            None => out.push(vec![finding]),
        }
    }
    out
}
