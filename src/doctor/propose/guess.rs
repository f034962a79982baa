//! From facts to entries: who is an element, a device, a manager, a destination.
//!
//! What hosts are is decided in `hosts.rs`; here they become lines of tables. Who asked for taps and is not proposed as a manager, and
//! where product went that no request named, is told as a question.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::report::Fact;
use lidr_schema::Ip;

use super::{
    Entry, Proposal, Table,
    allow::allow,
    hosts::{Askers, Host, Hosts, Role, Seen, askers, leader, roles},
    zones,
};

/// Facts that are told of one thing.
const MOST_NAMED: usize = 4;

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
