//! From facts to entries: who is an element, a device, a manager, a destination.
//!
//! What hosts are is decided in `hosts.rs` and `managers.rs`; here they become lines of tables. A destination that somebody else than the
//! element's manager named, that is outside or was changed, and where product went beside them, is told as a question.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::report::Fact;
use lidr_schema::Ip;

use super::{
    Entry, Proposal, Table,
    allow::allow,
    hosts::{Host, Hosts, Role, Seen, other, roles},
    managers::Managers,
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
    let managers = Managers::find(&seen, &mut open);
    for f in seen.of("sends") {
        hosts.entry(f.host).or_default();
    }
    for (ip, role, why) in roles(&seen, &managers, &mut open) {
        hosts.entry(ip).or_default().roles.entry(role).or_default().push(why);
    }
    let zones = zones::zones(&hosts);
    let elements = elements(&seen, &hosts, &managers);
    let devices = devices(&hosts, &zones);
    let (destinations, allow) = (destinations(&seen, &managers, &mut open), allow(&seen, &hosts, &managers, &mut open));
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

fn elements(seen: &Seen<'_>, hosts: &Hosts, managers: &Managers) -> Vec<Entry> {
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
        let manager = managers.of(*ip);
        why.extend(manager.map(|m| m.why.clone()));
        let managers = manager.map(|m| m.text.clone()).unwrap_or_default();
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

/// Destinations inside that an element's manager made there; whatever else was named is asked about.
fn destinations(seen: &Seen<'_>, managers: &Managers, open: &mut Vec<String>) -> Vec<Entry> {
    let mut out: BTreeMap<&str, Entry> = BTreeMap::new();
    let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut asked = Vec::new();
    for f in seen.of("is destination") {
        let mut parts = f.value.splitn(4, ' ');
        let [ne, op, id, kind] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let (address, port) = (f.host.to_string(), f.port.map(|p| p.to_string()).unwrap_or_default());
        places.entry(id).or_default().insert(format!("{address}:{port}"));
        let by = other(f);
        let manager = ne.parse().ok().and_then(|ne| managers.of(ne)).is_some_and(|m| f.other == Some(m.ip));
        let why = format!("X1 requests of {by} to {ne} named it, {} times ({})", f.n, seen.at(f));
        let doubt = match (op, manager, zones::is_private(f.host.to_std())) {
            ("destination_create", true, true) => {
                let cells = vec![id.to_owned(), String::new(), address, port, kind.to_owned()];
                out.entry(id).or_insert(Entry { cells, why: Vec::new() }).why.push(why);
                continue;
            }
            ("destination_create", true, false) => "a public address".to_owned(),
            ("destination_create", false, _) => format!("{by} is not proposed as manager of {ne}"),
            _ => "it was changed to that".to_owned(),
        };
        asked.push((id, format!("destination {id} at {address}:{port}: {why}; {doubt}, not proposed. Whose is it?")));
    }
    for (id, at) in places.iter().filter(|(_, at)| at.len() > 1) {
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        open.push(format!(
            "destination {id} stood at {}: it was moved, not proposed. Which is right?",
            at.join(" and ")
        ));
        out.remove(id);
    }
    // A change to what is proposed anyway asks nothing, and what was moved is asked already.
    let alone = |id: &str| places.get(id).is_some_and(|at| at.len() == 1) && !out.contains_key(id);
    open.extend(asked.into_iter().filter(|(id, _)| alone(id)).map(|(_, question)| question));
    let known: Vec<(&str, &str)> =
        out.values().filter_map(|e| Some((e.cells.get(2)?.as_str(), e.cells.get(3)?.as_str()))).collect();
    open.extend(elsewhere(seen, &known));
    out.into_values().collect()
}

/// Where product went and no proposed destination stands, a sentence for each place.
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
        let what = match (handover, zones::is_private(to.to_std())) {
            (true, _) => {
                "it is an agency's receiver here only because handover came. Is it one? If it is a destination, add it"
            }
            (_, true) => {
                "it is a mediation function here only because product came. Is it yours? If it is a destination, add it under the id that elements know"
            }
            _ => "a public address that no proposed destination has: not proposed as mediation function. Whose is it?",
        };
        format!("product went to {to}:{port}: {came}; {what}")
    };
    places.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::hosts::tests::{fact, seen},
        *,
    };

    /// The destinations that these facts give, and the questions.
    fn named(facts: &[Fact]) -> (Vec<String>, Vec<String>) {
        seen(facts, |seen| {
            let managers = Managers::find(seen, &mut Vec::new());
            let mut open = Vec::new();
            let lines = destinations(seen, &managers, &mut open);
            (lines.into_iter().map(|e| e.cells.join(",")).collect(), open)
        })
    }

    #[test]
    fn only_destinations_inside_that_the_manager_made_are_proposed() {
        let mut facts = vec![
            fact("asks by x1", "10.66.0.10", "10.0.1.20", "admf01", 9),
            fact("reports to", "10.0.1.20", "10.66.0.10", "", 4),
            fact("asks by x1", "10.20.0.99", "10.0.1.20", "admf01", 90),
            fact("is destination", "10.66.0.20", "10.66.0.10", "10.0.1.20 destination_create A X2andX3", 1),
            fact("is destination", "10.20.0.98", "10.20.0.99", "10.0.1.20 destination_create B X2andX3", 1),
            fact("is destination", "203.0.113.5", "10.66.0.10", "10.0.1.20 destination_create C X2andX3", 1),
            fact("is destination", "10.66.0.21", "10.66.0.10", "10.0.1.20 destination_change D X2andX3", 1),
        ];
        let (lines, open) = named(&facts);
        assert_eq!(lines, ["A,,10.66.0.20,,X2andX3"], "{open:?}");
        assert_eq!(open.len(), 3, "{open:?}");
        for (at, why) in [
            ("10.20.0.98", "is not proposed as manager"),
            ("203.0.113.5", "a public address"),
            ("10.66.0.21", "it was changed"),
        ] {
            assert!(open.iter().any(|o| o.contains(at) && o.contains(why)), "{at}: {open:?}");
        }
        // The only one that asked is nobody's manager, and what it made is not proposed.
        facts.retain(|f| f.host.to_string() != "10.20.0.99" && f.fact != "reports to");
        assert!(named(&facts).0.is_empty());
    }
}
