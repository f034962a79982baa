//! Who touched what: hosts and accounts, the systems that they reached, and where product went.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::finding::Severity;

use super::{Names, Told, is_name, is_system};
use crate::words::{listed, short};

/// Letters of a name in a sentence.
const LONGEST: usize = 60;

/// What a node is in the story, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A name that somebody logged in with.
    Account,
    /// Who asked.
    Host,
    /// What was asked: an element, a device, an administration function.
    System,
    /// Where product goes.
    Destination,
}

impl Place {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Host => "host",
            Self::System => "system",
            Self::Destination => "destination",
        }
    }
}

/// Somebody or something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, else its address.
    pub name: String,
    /// Its addresses, where it has a name.
    pub addresses: BTreeSet<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// What it is.
    pub place: Place,
    /// The greatest severity of findings that name it.
    pub severity: Severity,
    /// How many findings name it as what they are about.
    pub named: usize,
    /// How many findings show it.
    pub shown: usize,
}

impl Node {
    /// Its name as a sentence has room for it.
    pub(crate) fn short(&self) -> String {
        short(&self.name, LONGEST)
    }

    /// Its name and zone.
    fn in_words(&self) -> String {
        let name = self.short();
        self.zone.as_ref().map_or_else(|| name.clone(), |zone| format!("{name} ({})", short(zone, LONGEST)))
    }
}

/// What one did to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who, by its place among the nodes.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// Rules that found it, each with the greatest severity and how many findings.
    pub codes: BTreeMap<String, (Severity, usize)>,
    /// Least and greatest event time, µs.
    pub time: (i64, i64),
}

impl Edge {
    /// The greatest severity.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.codes.values().map(|(s, _)| *s).max().unwrap_or(Severity::Informational)
    }

    /// Its codes, the most severe first.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.codes.iter().map(|(code, (s, _))| (std::cmp::Reverse(*s), code.as_str())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, code)| code).collect()
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// The weightiest first.
    pub nodes: Vec<Node>,
    /// By their ends.
    pub edges: Vec<Edge>,
}

impl Net {
    /// Of these findings. Findings about lidr's own sensors show nobody touching anything.
    #[must_use]
    pub fn of(findings: &[&Told]) -> Self {
        let mut draft = Draft { names: Names::of(findings.iter().copied()), ..Draft::default() };
        for finding in findings.iter().filter(|f| f.suspends.is_empty() && !f.closed) {
            draft.add(finding);
        }
        draft.done()
    }

    /// Who did it, to whom, and where product went, in a few words.
    #[must_use]
    pub fn in_words(&self, findings: &[&Told]) -> String {
        let most = self.nodes.iter().map(|n| n.severity).max();
        let named = |place: Place| {
            // Of those that only stand in the evidence, such as a manager that is asked as always, nothing is claimed.
            let all = self.at(place).filter(|n| n.named > 0 && Some(n.severity) == most);
            listed(&all.map(Node::in_words).collect::<Vec<_>>(), 2)
        };
        let mut parts = [Place::Account, Place::Host, Place::System, Place::Destination].map(named).to_vec();
        parts.retain(|part| !part.is_empty());
        if !parts.is_empty() {
            return parts.join(" → ");
        }
        let names = Names::of(findings.iter().copied());
        names.subject(findings.get(..1).unwrap_or_default())
    }

    /// Names of the nodes of that place, the weightiest first.
    pub fn at(&self, place: Place) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |n| n.place == place)
    }
}

#[derive(Default)]
struct Half {
    kinds: BTreeSet<String>,
    addresses: BTreeSet<String>,
    zone: Option<String>,
    severity: Option<Severity>,
    named: usize,
    shown: usize,
}

#[derive(Default)]
struct Draft {
    names: Names,
    nodes: BTreeMap<(bool, String), Half>,
    edges: BTreeMap<(Key, Key), Edge>,
}

/// Whether it is an account, and its name: an account may be called like a host.
type Key = (bool, String);

impl Draft {
    fn add(&mut self, finding: &Told) {
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        for resource in finding.resources.iter().filter(|r| is_name(&r.name)) {
            let account = match resource.kind.as_str() {
                "account" => true,
                _ if is_system(resource) => false,
                _ => continue,
            };
            let key = self.key(account, &resource.name);
            let half = self.nodes.entry(key.clone()).or_default();
            half.kinds.insert(resource.kind.clone());
            half.named += usize::from(seen.insert(key.clone()));
            if key.1 != resource.name {
                half.addresses.insert(resource.name.clone());
            }
        }
        for end in finding.evidences.iter().flat_map(|e| [&e.src_endpoint, &e.dst_endpoint]).flatten() {
            if is_name(&end.ip) {
                let key = self.key(false, &end.ip);
                let half = self.nodes.entry(key.clone()).or_default();
                half.zone = half.zone.take().or_else(|| end.zone.clone());
                if key.1 != end.ip {
                    half.addresses.insert(end.ip.clone());
                }
                seen.insert(key);
            }
        }
        for key in &seen {
            let half = self.nodes.entry(key.clone()).or_default();
            half.severity = half.severity.max(Some(finding.severity));
            half.shown += 1;
        }
        for (from, to) in self.touches(finding) {
            self.touch(from, to, finding);
        }
    }

    /// Who touched what, as resources and evidence say it, each pair once.
    fn touches(&self, finding: &Told) -> BTreeSet<(Key, Key)> {
        let of = |kind: &str| -> Vec<Key> {
            let all = finding
                .resources
                .iter()
                .filter(|r| r.kind == kind && (is_system(r) || kind == "account" && is_name(&r.name)));
            all.map(|r| self.key(kind == "account", &r.name)).collect()
        };
        let mut out = BTreeSet::new();
        for e in &finding.evidences {
            if let (Some(src), Some(dst)) = (&e.src_endpoint, &e.dst_endpoint)
                && is_name(&src.ip)
                && is_name(&dst.ip)
            {
                out.insert((self.key(false, &src.ip), self.key(false, &dst.ip)));
            }
        }
        let (accounts, hosts, devices, destinations) = (of("account"), of("host"), of("device"), of("destination"));
        let asked: Vec<Key> =
            if devices.is_empty() { out.iter().map(|(_, to)| to.clone()).take(1).collect() } else { devices };
        let reached: BTreeSet<&Key> = out.iter().flat_map(|(from, to)| [from, to]).collect();
        let apart: Vec<(Key, Key)> = match (hosts.as_slice(), asked.as_slice()) {
            ([from, to, ..], []) => vec![(from.clone(), to.clone())],
            ([from, ..], [to, ..]) if !reached.contains(from) => vec![(from.clone(), to.clone())],
            _ => Vec::new(),
        };
        let moved = asked.iter().take(1).flat_map(|a| destinations.iter().map(move |d| (a.clone(), d.clone())));
        let by = if hosts.is_empty() { asked.first() } else { hosts.first() };
        let logged = by.into_iter().flat_map(|to| accounts.iter().map(move |a| (a.clone(), to.clone())));
        let more: Vec<(Key, Key)> = moved.chain(logged).chain(apart).collect();
        out.extend(more);
        out.retain(|(from, to)| from != to);
        out
    }

    fn key(&self, account: bool, name: &str) -> Key {
        (account, if account { name.to_owned() } else { self.names.of_system(name) })
    }

    fn touch(&mut self, from: Key, to: Key, finding: &Told) {
        let new = || Edge { from: 0, to: 0, codes: BTreeMap::new(), time: (finding.first, finding.last) };
        let edge = self.edges.entry((from, to)).or_insert_with(new);
        edge.time = (edge.time.0.min(finding.first), edge.time.1.max(finding.last));
        let code = edge.codes.entry(finding.code.clone()).or_insert((finding.severity, 0));
        *code = (code.0.max(finding.severity), code.1 + 1);
    }

    /// Of each node that is spoken to, whether only systems speak to it.
    fn spoken_to(&self) -> BTreeMap<&Key, bool> {
        let mut out = BTreeMap::new();
        for (from, to) in self.edges.keys() {
            let system = self.nodes.get(from).is_some_and(|half| half.kinds.contains("device"));
            *out.entry(to).or_insert(true) &= system;
        }
        out
    }

    /// Hosts that another host reached and that reached nobody: a rule that names two hosts means who came, and where to.
    fn reached(&self) -> BTreeSet<&Key> {
        let is_host = |key: &Key| !key.0 && self.nodes.get(key).is_some_and(|half| half.kinds.contains("host"));
        let sources: BTreeSet<&Key> = self.edges.keys().map(|(from, _)| from).collect();
        let pairs = self.edges.keys().filter(|(from, to)| is_host(from) && is_host(to));
        pairs.map(|(_, to)| to).filter(|to| !sources.contains(to)).collect()
    }

    fn done(self) -> Net {
        let mut all: Vec<(Key, Node)> = Vec::new();
        let (spoken_to, reached) = (self.spoken_to(), self.reached());
        for (key, half) in &self.nodes {
            let node = Node {
                name: key.1.clone(),
                addresses: half.addresses.clone(),
                zone: half.zone.clone(),
                place: if reached.contains(key) {
                    Place::System
                } else {
                    place(key, half, spoken_to.get(key).copied())
                },
                severity: half.severity.unwrap_or(Severity::Informational),
                named: half.named,
                shown: half.shown,
            };
            all.push((key.clone(), node));
        }
        all.sort_by(|(a, x), (b, y)| {
            (y.severity, y.named, y.shown).cmp(&(x.severity, x.named, x.shown)).then(a.cmp(b))
        });
        let index: BTreeMap<Key, usize> = all.iter().enumerate().map(|(i, (key, _))| (key.clone(), i)).collect();
        let nodes = all.into_iter().map(|(_, node)| node).collect();
        let number = |key: &Key| index.get(key).copied().unwrap_or_default();
        let edges = self.edges.into_iter().map(|((a, b), e)| Edge { from: number(&a), to: number(&b), ..e });
        let mut edges: Vec<Edge> = edges.collect();
        edges.sort_by_key(|e| (e.from, e.to));
        Net { nodes, edges }
    }
}

/// What a node is; `spoken_to` says whether only systems speak to it, if anybody does.
fn place(key: &Key, half: &Half, spoken_to: Option<bool>) -> Place {
    let is = |kind: &str| half.kinds.contains(kind);
    match spoken_to {
        _ if key.0 => Place::Account,
        _ if is("device") => Place::System,
        _ if is("destination") => Place::Destination,
        _ if is("host") => Place::Host,
        None => Place::Host,
        // It receives what systems send.
        Some(true) => Place::Destination,
        Some(false) => Place::System,
    }
}
