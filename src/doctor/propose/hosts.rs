//! What hosts are, from the facts: roles, each with the sentence that speaks for it.
//!
//! One host has one role, the most intimate that was seen. Who asked an element for taps is taken for its administration function only where one
//! host asked more often than any other: one of the others may be the intruder. A host that touched taps is never network management.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::report::{Fact, Stands};
use lidr_schema::Ip;

use super::zones;

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

/// What hosts are, each with its sentence.
pub(super) fn roles(seen: &Seen<'_>, askers: &Askers) -> Vec<(Ip, Role, String)> {
    let mut out = Vec::new();
    let other = |f: &Fact| f.other.map(|ip| ip.to_string()).unwrap_or_default();
    let port = |f: &Fact| f.port.map(|p| format!(":{p}")).unwrap_or_default();
    for f in seen.of("asks by x1").chain(seen.of("handles taps")) {
        let chosen = f.other.and_then(|ne| leader(askers.get(&ne)?));
        if chosen.is_some_and(|(ip, _)| *ip == f.host) {
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
    let touched = touched(seen);
    for f in seen.of("manages").filter(|f| !touched.contains(&f.host)) {
        out.push((f.host, Role::Management, format!("polls {} by SNMP, {} times ({})", other(f), f.n, seen.at(f))));
    }
    for f in seen.of("is told") {
        out.push((f.host, Role::Management, format!("is sent {} by {} hosts ({})", told(f), f.peers, seen.at(f))));
    }
    out
}

/// Hosts that asked for taps, by whatever protocol.
fn touched(seen: &Seen<'_>) -> BTreeSet<Ip> {
    seen.of("handles taps").chain(seen.of("asks by x1")).map(|f| f.host).collect()
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

/// Who asked which element for taps, under which account, how often.
pub(super) type Askers = BTreeMap<Ip, BTreeMap<(Ip, String), u64>>;

pub(super) fn askers(seen: &Seen<'_>) -> Askers {
    let mut out = Askers::new();
    for f in seen.of("handles taps").chain(seen.of("asks by x1")) {
        let Some(ne) = f.other else { continue };
        // An X1 name is the ADMF's own; elements know its address.
        let user = if f.fact == "asks by x1" { String::new() } else { f.value.clone() };
        *out.entry(ne).or_default().entry((f.host, user)).or_default() += f.n;
    }
    out
}

/// Who asked an element more often than anybody else; nobody where two asked as often.
pub(super) fn leader(askers: &BTreeMap<(Ip, String), u64>) -> Option<&(Ip, String)> {
    let mut by_number: Vec<_> = askers.iter().map(|(who, n)| (*n, who)).collect();
    by_number.sort_by(|a, b| b.cmp(a));
    match by_number.as_slice() {
        [(most, _), (second, _), ..] if most == second => None,
        [(_, who), ..] => Some(who),
        [] => None,
    }
}
