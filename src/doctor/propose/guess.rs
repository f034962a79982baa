//! From facts to entries: who is an element, a device, a manager, a server.
//!
//! One host has one role, the most intimate that was seen. Who asks for taps is proposed as the manager of an element only where one
//! host asked more than all others; the others are told and not proposed, for one of them may be the intruder. A host that touched taps is
//! never proposed as a network management system, nor one that hops from login to login as a bastion.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::report::{Fact, Stands};
use lidr_schema::Ip;

use super::{Entry, Proposal, Table, zones};

/// Clients that a public server must have to be taken for the carrier's own.
const CLIENTS: u64 = 3;
/// Facts that are told of one thing.
const MOST_NAMED: usize = 4;

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
    const fn element(self) -> Option<&'static str> {
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
    facts: &'a [Fact],
    names: &'a BTreeMap<String, String>,
}

impl Seen<'_> {
    fn of<'a>(&'a self, fact: &'a str) -> impl Iterator<Item = &'a Fact> {
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

/// Everything that is proposed.
pub(super) fn propose(facts: &[Fact], names: &BTreeMap<String, String>, sensor: &str) -> Proposal {
    let is_host = |ip: &Ip| zones::is_a_host(ip.to_std());
    let facts: Vec<Fact> = facts.iter().filter(|f| is_host(&f.host) && f.other.iter().all(is_host)).cloned().collect();
    let seen = Seen { facts: &facts, names };
    let mut open = Vec::new();
    let mut hosts = Hosts::new();
    let askers = askers(&seen);
    for f in seen.of("sends") {
        hosts.entry(f.host).or_default();
    }
    for (ip, role, why) in roles(&seen, &askers) {
        hosts.entry(ip).or_default().roles.entry(role).or_default().push(why);
    }
    let zones = zones::zones(&hosts);
    let elements = elements(&seen, &hosts, &askers, &mut open);
    let devices = devices(&hosts, &zones);
    let (destinations, allow) = (destinations(&seen, &mut open), allow(&seen, &hosts, &mut open));
    let why = vec!["the name under which these captures were read (--name)".to_owned()];
    let sensors =
        vec![Entry { cells: vec![sensor.to_owned(), String::new(), String::new(), "proposed".to_owned()], why }];
    let table = |name, columns, entries| Table { name, columns, entries };
    let tables = vec![
        table("zones", &["cidr", "zone", "rank"], zones.entries),
        table("devices", &["name", "role", "vendor", "addresses", "zone"], devices),
        table("elements", &["name", "role", "address", "identifier", "x1_port", "managers"], elements),
        table("destinations", &["id", "name", "address", "port", "kind"], destinations),
        table("allow", &["kind", "address", "port", "note"], allow),
        table("sensors", &["name", "sees", "x1_clear_port", "note"], sensors),
    ];
    Proposal { tables, open }
}

/// What hosts are, each with its sentence.
fn roles(seen: &Seen<'_>, askers: &Askers) -> Vec<(Ip, Role, String)> {
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
fn service(f: &Fact) -> Option<&'static str> {
    Some(match f.value.as_str() {
        "dns" => "dns",
        "ntp" => "ntp",
        "radius" | "tacacs" => "aaa",
        "syslog" => "syslog",
        _ => return None,
    })
}

/// What a port that only hears is for.
fn told(f: &Fact) -> &'static str {
    match f.port {
        Some(162) => "SNMP notifications",
        Some(514) => "syslog",
        _ => "flow records",
    }
}

/// Who asked which element for taps, under which account, how often.
type Askers = BTreeMap<Ip, BTreeMap<(Ip, String), u64>>;

fn askers(seen: &Seen<'_>) -> Askers {
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
fn leader(askers: &BTreeMap<(Ip, String), u64>) -> Option<&(Ip, String)> {
    let mut by_number: Vec<_> = askers.iter().map(|(who, n)| (*n, who)).collect();
    by_number.sort_by(|a, b| b.cmp(a));
    match by_number.as_slice() {
        [(most, _), (second, _), ..] if most == second => None,
        [(_, who), ..] => Some(who),
        [] => None,
    }
}

fn elements(seen: &Seen<'_>, hosts: &Hosts, askers: &Askers, open: &mut Vec<String>) -> Vec<Entry> {
    let mut out = Vec::new();
    for (ip, host) in hosts {
        let Some(role) = host.role().filter(|r| r.element().is_some()) else { continue };
        let mut why = host.roles.get(&role).cloned().unwrap_or_default();
        // Whatever sends product looks like a point of interception.
        let also = host.roles.keys().skip(1).filter(|r| **r != Role::Poi);
        let also: Vec<_> = also.filter_map(|r| r.element()).collect();
        if !also.is_empty() {
            why.push(format!("looks like {}, too: an element has one role here", also.join(", ")));
        }
        let managers = askers.get(ip).and_then(|askers| managed(*ip, askers, &mut why, open)).unwrap_or_default();
        let fact = match role {
            Role::Tap => "is engine",
            Role::Poi => "is x1 element",
            _ => "",
        };
        let identifier = match role {
            Role::Admf => only(seen.of("asks by x1").filter(|f| f.host == *ip)),
            _ => only(seen.of(fact).filter(|f| f.host == *ip)),
        };
        let port = (role == Role::Poi).then(|| seen.of("is x1 element").find(|f| f.host == *ip)?.port).flatten();
        let port = port.map(|p| p.to_string()).unwrap_or_default();
        let role = role.element().unwrap_or_default().to_owned();
        out.push(Entry { cells: vec![named(*ip), role, ip.to_string(), identifier, port, managers], why });
    }
    out
}

/// The manager that is proposed for an element, as the table has it.
fn managed(
    ne: Ip,
    askers: &BTreeMap<(Ip, String), u64>,
    why: &mut Vec<String>,
    open: &mut Vec<String>,
) -> Option<String> {
    let text = |(ip, user): &(Ip, String)| if user.is_empty() { ip.to_string() } else { format!("{ip}/{user}") };
    let chosen = leader(askers);
    for (who, n) in askers.iter().filter(|(who, _)| Some(*who) != chosen) {
        let than = chosen.map_or_else(|| "as many as another".to_owned(), |c| format!("fewer than {}", text(c)));
        open.push(format!(
            "{} asked {ne} for taps, {n} times, {than}: not proposed as its manager. Who is that?",
            text(who)
        ));
    }
    let chosen = chosen?;
    why.push(format!(
        "manager {}: asked it most often, {} times",
        text(chosen),
        askers.get(chosen).copied().unwrap_or_default()
    ));
    Some(text(chosen))
}

/// The name that all facts agree on.
fn only<'a>(facts: impl Iterator<Item = &'a Fact>) -> String {
    let names: BTreeSet<&str> = facts.map(|f| f.value.as_str()).filter(|v| !v.is_empty()).collect();
    match names.first() {
        Some(name) if names.len() == 1 => (*name).to_owned(),
        _ => String::new(),
    }
}

/// A name for a host of which nothing but the address is known.
pub(super) fn named(ip: Ip) -> String {
    format!("host-{}", ip.to_string().replace(['.', ':'], "-"))
}

fn devices(hosts: &Hosts, zones: &zones::Proposed) -> Vec<Entry> {
    let is_device = |host: &Host| host.roles.contains_key(&Role::Device) || host.roles.contains_key(&Role::Tap);
    let entry = |(ip, host): (&Ip, &Host)| {
        let why: Vec<String> =
            [Role::Tap, Role::Device].iter().filter_map(|r| host.roles.get(r)).flatten().take(3).cloned().collect();
        let zone = zones.of(*ip).unwrap_or_default();
        Entry { cells: vec![named(*ip), String::new(), String::new(), ip.to_string(), zone], why }
    };
    hosts.iter().filter(|(_, host)| is_device(host)).map(entry).collect()
}

fn destinations(seen: &Seen<'_>, open: &mut Vec<String>) -> Vec<Entry> {
    let mut out: BTreeMap<String, Entry> = BTreeMap::new();
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for f in seen.of("is destination") {
        let (id, kind) = f.value.split_once(' ').unwrap_or((&f.value, ""));
        let (address, port) = (f.host.to_string(), f.port.map(|p| p.to_string()).unwrap_or_default());
        places.entry(id.to_owned()).or_default().insert(format!("{address}:{port}"));
        let by = f.other.map(|ip| ip.to_string()).unwrap_or_default();
        let why = format!("an X1 request of {by} named it, {} times ({})", f.n, seen.at(f));
        let cells = vec![id.to_owned(), String::new(), address, port, kind.to_owned()];
        out.entry(id.to_owned()).or_insert(Entry { cells, why: Vec::new() }).why.push(why);
    }
    for (id, at) in places.iter().filter(|(_, at)| at.len() > 1) {
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        open.push(format!(
            "destination {id} stood at {}: it was moved, not proposed. Which is right?",
            at.join(" and ")
        ));
        out.remove(id);
    }
    let known: Vec<(&str, &str)> =
        out.values().filter_map(|e| Some((e.cells.get(2)?.as_str(), e.cells.get(3)?.as_str()))).collect();
    open.extend(elsewhere(seen, &known));
    out.into_values().collect()
}

/// Where product went that no request named, a sentence for each place.
fn elsewhere(seen: &Seen<'_>, known: &[(&str, &str)]) -> Vec<String> {
    let mut places: BTreeMap<(Ip, u16), Vec<&Fact>> = BTreeMap::new();
    for f in seen.of("delivers").filter(|f| f.value != "mirror") {
        let (Some(to), port) = (f.other, f.port.unwrap_or_default()) else { continue };
        if !known.contains(&(to.to_string().as_str(), port.to_string().as_str())) {
            places.entry((to, port)).or_default().push(f);
        }
    }
    let one = |((to, port), facts): ((Ip, u16), Vec<&Fact>)| {
        let came = |f: &&Fact| format!("{} units of {} from {} ({})", f.n, f.value, f.host, seen.at(f));
        let came = facts.iter().take(MOST_NAMED).map(came).collect::<Vec<_>>().join("; ");
        let handover = facts.iter().any(|f| f.value.starts_with("hi"));
        let what = if handover || zones::is_private(to.to_std()) {
            "no request named it. If it is a destination, add it under the id that elements know"
        } else {
            "a public address that no request named: not proposed as mediation function. Whose is it?"
        };
        format!("product went to {to}:{port}: {came}; {what}")
    };
    places.into_iter().map(one).collect()
}

fn allow(seen: &Seen<'_>, hosts: &Hosts, open: &mut Vec<String>) -> Vec<Entry> {
    let mut out: BTreeMap<(String, Ip, u16), Vec<String>> = BTreeMap::new();
    let mut put = |kind: &str, ip: Ip, port: Option<u16>, why: String| {
        out.entry((kind.to_owned(), ip, port.unwrap_or_default())).or_default().push(why);
    };
    let mut few = 0;
    for f in seen.of("serves") {
        let Some(kind) = service(f) else { continue };
        // Anybody's resolver answers; the carrier's own have clients.
        if zones::is_private(f.host.to_std()) || f.peers >= CLIENTS {
            put(kind, f.host, f.port, format!("answered {} of {} hosts ({})", f.value, f.peers, seen.at(f)));
        } else {
            few += 1;
        }
    }
    if few > 0 {
        let why = "answered fewer than 3 hosts here: not proposed";
        open.push(format!(
            "{few} public servers of dns, ntp, syslog or AAA {why}. The carrier's own among them belong into allow"
        ));
    }
    for f in seen.of("is told") {
        let kind = match f.port {
            Some(162) => "trap",
            Some(514) => "syslog",
            _ => "flow_collector",
        };
        put(kind, f.host, f.port, format!("is sent {} by {} hosts ({})", told(f), f.peers, seen.at(f)));
    }
    for f in seen.of("notifies") {
        let Some(to) = f.other else { continue };
        put("trap", to, Some(162), format!("is sent {} notifications by {} ({})", f.n, f.host, seen.at(f)));
    }
    for (ip, host) in hosts.iter().filter(|(_, host)| host.role() == Some(Role::Management)) {
        let polls = seen.of("manages").filter(|f| f.host == *ip).count();
        if polls > 0 {
            let why = host.roles.get(&Role::Management).into_iter().flatten().take(3).cloned().collect::<Vec<_>>();
            put("nms", *ip, Some(161), why.join("; "));
        }
    }
    hops(seen, open);
    let entry = |((kind, ip, port), why): ((String, Ip, u16), Vec<String>)| {
        let port = if port == 0 { String::new() } else { port.to_string() };
        Entry { cells: vec![kind, ip.to_string(), port, "proposed".to_owned()], why }
    };
    out.into_iter().map(entry).collect()
}

/// Hosts that are logged in to and log in to others: a bastion does that, and so does an intruder.
fn hops(seen: &Seen<'_>, open: &mut Vec<String>) {
    let logins = ["ssh", "telnet", "rdp"];
    for f in seen.of("logs in").filter(|f| f.peers >= 2) {
        let into = seen.of("serves").find(|s| s.host == f.host && logins.contains(&s.value.as_str()));
        if let Some(into) = into {
            open.push(format!(
                "{} is logged in to ({}) and logs in to {} others by {} ({}): a bastion does that, and so does an intruder. If it is yours, add it to \
                 allow as bastion",
                f.host, seen.at(into), f.peers, f.value, seen.at(f)
            ));
        }
    }
}
