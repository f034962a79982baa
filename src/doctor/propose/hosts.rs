//! What hosts are, from the facts: roles, each with the sentence that speaks for it.
//!
//! One host has one role, the most intimate that was seen. Who asked an element for taps is its administration function only where
//! `managers.rs` says so, and is never network management. A host with a public address gets no role but that of an agency's receiver: what
//! speaks for it could be an intruder's doing as well, and is asked.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::report::{Fact, Stands};
use lidr_schema::Ip;

use super::{managers::Managers, zones};

/// What a host is, the most intimate first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Admf,
    Mdf,
    Lemf,
    Tap,
    Poi,
    Aaa,
    Management,
    Device,
}

impl Role {
    /// What it is called in questions.
    const fn text(self) -> &'static str {
        match self {
            Self::Admf => "an administration function",
            Self::Mdf => "a mediation function",
            Self::Lemf => "an agency's receiver",
            Self::Tap => "an element with a tap MIB",
            Self::Poi => "a point of interception",
            Self::Aaa => "an AAA server",
            Self::Management => "network management",
            Self::Device => "a device",
        }
    }

    /// Its name in table `elements`.
    pub(super) const fn element(self) -> Option<&'static str> {
        match self {
            Self::Admf => Some("admf"),
            Self::Mdf => Some("mdf"),
            Self::Lemf => Some("lemf"),
            Self::Tap => Some("ne-snmp-tap"),
            Self::Poi => Some("poi"),
            _ => None,
        }
    }
}

/// What is known of a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) roles: BTreeMap<Role, Vec<String>>,
}

impl Host {
    pub(super) fn role(&self) -> Option<Role> {
        self.roles.keys().next().copied()
    }
}

pub(super) type Hosts = BTreeMap<Ip, Host>;

/// The facts, and the paths of the captures that they name.
pub(super) struct Seen<'a> {
    pub(super) facts: &'a [Fact],
    pub(super) names: &'a BTreeMap<String, String>,
}

impl Seen<'_> {
    /// The facts that say this.
    pub(super) fn of<'a>(&'a self, fact: &'a str) -> impl Iterator<Item = &'a Fact> {
        self.facts.iter().filter(move |f| f.fact == fact)
    }

    /// Where a fact stands, for people.
    pub(super) fn at(&self, fact: &Fact) -> String {
        let (first, last) = &fact.places;
        let name = |stands: &Stands| self.names.get(&stands.0).cloned().unwrap_or_else(|| stands.0.clone());
        match (first.0 == last.0, first.1 == last.1) {
            (true, true) => format!("{} frame {}", name(first), first.1),
            (true, false) => format!("{} frames {} to {}", name(first), first.1, last.1),
            _ => format!("{} frame {} to {} frame {}", name(first), first.1, name(last), last.1),
        }
    }
}

/// What hosts are, each with its sentence; those with public addresses are asked about.
pub(super) fn roles(seen: &Seen<'_>, managers: &Managers, open: &mut Vec<String>) -> Vec<(Ip, Role, String)> {
    let mut all = intercept(seen, managers);
    all.extend(network(seen, managers, open));
    let may = |ip: &Ip, role: Role| role == Role::Lemf || zones::is_private(ip.to_std());
    let (own, outside): (Vec<_>, Vec<_>) = all.into_iter().partition(|(ip, role, _)| may(ip, *role));
    let mut asked = BTreeSet::new();
    for (ip, role, why) in outside.into_iter().filter(|(ip, role, _)| asked.insert((*ip, *role))) {
        let what = role.text();
        open.push(format!(
            "{ip} looks like {what}, {why}: a public address, not proposed. Whose is it? If it is yours, add it by hand"
        ));
    }
    own
}

/// Roles of intercept.
fn intercept(seen: &Seen<'_>, managers: &Managers) -> Vec<(Ip, Role, String)> {
    let mut out = Vec::new();
    let port = |f: &Fact| f.port.map(|p| format!(":{p}")).unwrap_or_default();
    for f in seen.of("asks by x1").chain(seen.of("handles taps")) {
        if f.other.and_then(|ne| managers.of(ne)).is_some_and(|m| m.ip == f.host) {
            let how = if f.fact == "asks by x1" { "sent X1 requests" } else { "handled taps by SNMP" };
            out.push((f.host, Role::Admf, format!("{how}: {} to {}{} ({})", f.n, other(f), port(f), seen.at(f))));
        }
    }
    for f in seen.of("is x1 element") {
        let name = if f.value.is_empty() { String::new() } else { format!(" as `{}`", f.value) };
        out.push((
            f.host,
            Role::Poi,
            format!("answers X1{name} on port {} ({})", f.port.unwrap_or_default(), seen.at(f)),
        ));
    }
    for f in seen.of("handles taps") {
        let Some(ne) = f.other else { continue };
        out.push((
            ne,
            Role::Tap,
            format!("its tap MIB was read or written {} times by {} ({})", f.n, f.host, seen.at(f)),
        ));
    }
    for f in seen.of("delivers") {
        let Some(to) = f.other else { continue };
        let why = format!("{} units of {} from {} to {to}{} ({})", f.n, f.value, f.host, port(f), seen.at(f));
        match f.value.as_str() {
            "hi2" | "hi3" | "hi" => {
                out.push((f.host, Role::Mdf, format!("sends handover: {why}")));
                out.push((to, Role::Lemf, format!("receives handover: {why}")));
            }
            // A mirror may be anybody's; what it is for does not show.
            "mirror" => {}
            // Mediation is the carrier's own: product that leaves it in this form is what an intruder would want.
            _ if !zones::is_private(to.to_std()) => {}
            _ => {
                out.push((f.host, Role::Poi, format!("sends product: {why}")));
                out.push((to, Role::Mdf, format!("receives product: {why}")));
            }
        }
    }
    out
}

/// The other host of a fact, for people.
pub(super) fn other(f: &Fact) -> String {
    f.other.map(|ip| ip.to_string()).unwrap_or_default()
}

/// Roles of the network and of those who run it.
fn network(seen: &Seen<'_>, managers: &Managers, open: &mut Vec<String>) -> Vec<(Ip, Role, String)> {
    let mut out = Vec::new();
    for f in seen.of("manages") {
        let Some(ne) = f.other else { continue };
        out.push((ne, Role::Device, format!("answered {} SNMP requests of {} ({})", f.n, f.host, seen.at(f))));
    }
    for f in seen.of("notifies") {
        out.push((f.host, Role::Device, format!("sent {} SNMP notifications to {} ({})", f.n, other(f), seen.at(f))));
    }
    for f in seen.of("serves").filter(|f| service(f).is_some_and(|kind| kind == "aaa")) {
        out.push((f.host, Role::Aaa, format!("answered {} of {} hosts ({})", f.value, f.peers, seen.at(f))));
    }
    let behind = behind(seen, managers, open);
    for f in seen.of("manages").filter(|f| !managers.asked(f.host) && !behind.contains(&f.host)) {
        out.push((f.host, Role::Management, format!("polls {} by SNMP, {} times ({})", other(f), f.n, seen.at(f))));
    }
    for f in seen.of("is told").filter(|f| !managers.asked(f.host)) {
        out.push((f.host, Role::Management, format!("is sent {} by {} hosts ({})", told(f), f.peers, seen.at(f))));
    }
    out
}

/// Hosts that poll no element more often than every other host does: one of two that poll the same may not belong there.
fn behind(seen: &Seen<'_>, managers: &Managers, open: &mut Vec<String>) -> BTreeSet<Ip> {
    let mut polls: BTreeMap<Ip, BTreeMap<Ip, u64>> = BTreeMap::new();
    for f in seen.of("manages") {
        let Some(ne) = f.other else { continue };
        *polls.entry(ne).or_default().entry(f.host).or_default() += f.n;
    }
    let mut first = BTreeSet::new();
    for by in polls.values() {
        let most = by.values().max().copied().unwrap_or_default();
        first.extend(by.iter().filter(|(_, n)| **n == most).map(|(ip, _)| *ip));
    }
    let behind: BTreeMap<Ip, &Fact> = seen
        .of("manages")
        .filter(|f| !first.contains(&f.host) && !managers.asked(f.host))
        .map(|f| (f.host, f))
        .collect();
    for (ip, f) in &behind {
        open.push(format!(
            "{ip} polls by SNMP what another host polls more often ({}, {}): not proposed as network management. Whose is it?",
            other(f),
            seen.at(f)
        ));
    }
    behind.into_keys().collect()
}

/// The kind of `allow` that a service is; none for what is no infrastructure.
pub(super) fn service(f: &Fact) -> Option<&'static str> {
    Some(match f.value.as_str() {
        "dns" => "dns",
        "ntp" => "ntp",
        "radius" | "tacacs" => "aaa",
        "syslog" => "syslog",
        _ => return None,
    })
}

/// What a port that only hears is for.
pub(super) fn told(f: &Fact) -> &'static str {
    match f.port {
        Some(162) => "SNMP notifications",
        Some(514) => "syslog",
        _ => "flow records",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A fact that stands in frame 1.
    pub(in super::super) fn fact(fact: &str, host: &str, other: &str, value: &str, n: u64) -> Fact {
        let place = ("c".to_owned(), 1);
        Fact {
            fact: fact.to_owned(),
            host: host.parse().unwrap(),
            other: other.parse().ok(),
            port: None,
            proto: None,
            value: value.to_owned(),
            n,
            peers: 1,
            places: (place.clone(), place),
        }
    }

    /// What these facts come to.
    pub(in super::super) fn seen<T>(facts: &[Fact], then: impl FnOnce(&Seen<'_>) -> T) -> T {
        then(&Seen { facts, names: &BTreeMap::new() })
    }

    #[test]
    fn a_host_that_polls_beside_the_network_management_is_asked_about() {
        let facts = [
            fact("manages", "10.20.0.20", "10.0.0.1", "ro", 90),
            fact("manages", "10.20.0.20", "10.0.0.2", "ro", 90),
            fact("manages", "10.20.0.77", "10.0.0.1", "ro", 5),
        ];
        let mut open = Vec::new();
        let all = seen(&facts, |seen| roles(seen, &Managers::default(), &mut open));
        let run: BTreeSet<Ip> =
            all.iter().filter(|(_, role, _)| *role == Role::Management).map(|(ip, ..)| *ip).collect();
        assert!(run.len() == 1 && run.contains(&"10.20.0.20".parse().unwrap()), "{run:?}");
        assert!(open.len() == 1 && open[0].starts_with("10.20.0.77 polls"), "{open:?}");
    }
}
