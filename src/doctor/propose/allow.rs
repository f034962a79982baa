//! What may be everywhere, from the facts: table `allow`. A host that hops from login to login is never proposed as a bastion.
use std::collections::BTreeMap;

use lidr_schema::Ip;

use super::{
    Entry,
    hosts::{Hosts, Role, Seen, service, told},
    managers::Managers,
    zones,
};

/// Clients that a public resolver or clock must have to be taken for the carrier's own; other public servers are never.
const CLIENTS: u64 = 3;

/// Why who only hears is not proposed.
const OUTSIDE: &str =
    "a public address, or one that asked for taps, not proposed. Whose is it? If it is yours, add it to allow";

pub(super) fn allow(seen: &Seen<'_>, hosts: &Hosts, managers: &Managers, open: &mut Vec<String>) -> Vec<Entry> {
    let mut out: BTreeMap<(String, Ip, u16), Vec<String>> = BTreeMap::new();
    let mut put = |kind: &str, ip: Ip, port: Option<u16>, why: String| {
        out.entry((kind.to_owned(), ip, port.unwrap_or_default())).or_default().push(why);
    };
    let mut few = 0;
    for f in seen.of("serves") {
        let Some(kind) = service(f) else { continue };
        // Anybody's resolver answers; the carrier's own have clients.
        let many = f.peers >= CLIENTS && matches!(kind, "dns" | "ntp");
        if zones::is_private(f.host.to_std()) || many {
            put(kind, f.host, f.port, format!("answered {} of {} hosts ({})", f.value, f.peers, seen.at(f)));
        } else {
            few += 1;
        }
    }
    if few > 0 {
        let why = "answered fewer than 3 hosts here, or are no resolvers and clocks: not proposed";
        open.push(format!(
            "{few} public servers of dns, ntp, syslog or AAA {why}. The carrier's own among them belong into allow"
        ));
    }
    let may_hear = |ip: Ip| zones::is_private(ip.to_std()) && !managers.doubtful(ip);
    for f in seen.of("is told") {
        let kind = match f.port {
            Some(162) => "trap",
            Some(514) => "syslog",
            _ => "flow_collector",
        };
        // Of public addresses `hosts.rs` asks.
        if managers.doubtful(f.host) {
            let at = seen.at(f);
            open.push(format!("{} is sent {} by {} hosts ({at}): {OUTSIDE}", f.host, told(f), f.peers));
        }
        if !may_hear(f.host) {
            continue;
        }
        put(kind, f.host, f.port, format!("is sent {} by {} hosts ({})", told(f), f.peers, seen.at(f)));
    }
    for f in seen.of("notifies") {
        let Some(to) = f.other else { continue };
        if !may_hear(to) {
            open.push(format!("{to} is sent {} SNMP notifications by {} ({}): {OUTSIDE}", f.n, f.host, seen.at(f)));
            continue;
        }
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
