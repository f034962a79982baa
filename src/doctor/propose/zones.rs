//! Zones from the roles of hosts: networks of 256 addresses (IPv6: /64), and single addresses where a network has several roles and
//! outside private ranges.
//!
//! A network whose hosts have one role is a zone of that role. Where roles are mixed the least intimate one names the network, and hosts of other
//! roles stand beside it alone. Private networks without any role get the zone `unassigned` and no rank, which rules take for unknown.
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lidr_schema::{Cidr, Ip};

use super::{
    Entry,
    hosts::{Hosts, Role},
};

/// Hosts of a network that are named in the evidence.
const MOST_NAMED: usize = 3;

/// The zones that are proposed.
pub(super) struct Proposed {
    pub(super) entries: Vec<Entry>,
}

impl Proposed {
    /// The zone of an address: that of the smallest range around it.
    pub(super) fn of(&self, ip: Ip) -> Option<String> {
        let cell = |e: &Entry, i: usize| e.cells.get(i).cloned();
        let around =
            self.entries.iter().filter_map(|e| Some((cell(e, 0)?.parse::<Cidr>().ok()?, cell(e, 0)?, cell(e, 1)?)));
        let length = |text: &str| text.split_once('/').and_then(|(_, n)| n.parse::<u8>().ok()).unwrap_or_default();
        around.filter(|(range, ..)| range.contains(ip)).max_by_key(|(_, text, _)| length(text)).map(|(.., zone)| zone)
    }
}

/// Zone and rank of a role: those of the contracts' list, from outside (0) to intercept (9).
const fn zone(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Admf => ("li-admin", "9"),
        Role::Mdf => ("li-mediation", "9"),
        Role::Lemf => ("li-handover", "9"),
        Role::Aaa => ("aaa", "6"),
        Role::Management => ("mgmt", "5"),
        Role::Tap | Role::Poi | Role::Device => ("core", "4"),
    }
}

pub(super) fn zones(hosts: &Hosts) -> Proposed {
    let mut networks: BTreeMap<(IpAddr, u8), Vec<Ip>> = BTreeMap::new();
    let (mut outside, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for (ip, host) in hosts {
        let address = ip.to_std();
        if !is_a_host(address) {
            continue;
        }
        match (host.role(), is_private(address), is_shared(address)) {
            (None, _, true) => drop(shared.insert(*ip)),
            (None, false, false) => drop(outside.insert(*ip)),
            // What stands beside a public address is not known to be anybody's.
            (_, false, _) => networks.entry((address, if ip.is_v4() { 32 } else { 128 })).or_default().push(*ip),
            _ => networks.entry(network(address)).or_default().push(*ip),
        }
    }
    let mut entries = Vec::new();
    for (whole, text) in [(true, "0.0.0.0/0"), (false, "::/0")] {
        let of: Vec<&Ip> = outside.iter().filter(|ip| ip.is_v4() == whole).collect();
        if !of.is_empty() {
            let why =
                format!("{} public addresses of which no role was seen, such as {}", of.len(), some(of.into_iter()));
            entries.push(entry(text, ("internet", "0"), why));
        }
    }
    if !shared.is_empty() {
        let why = format!(
            "{} addresses of the range between carriers and their customers (RFC 6598), such as {}",
            shared.len(),
            some(shared.iter())
        );
        entries.push(entry("100.64.0.0/10", ("customer", "1"), why));
    }
    let bare = |members: &Vec<Ip>| members.iter().all(|ip| hosts.get(ip).is_none_or(|h| h.role().is_none()));
    let many = networks.values().filter(|members| bare(members)).count() > MOST_UNASSIGNED;
    let mut rest: BTreeMap<&str, usize> = BTreeMap::new();
    for ((address, length), members) in networks {
        match BLOCKS.iter().find(|b| many && bare(&members) && members.iter().all(|ip| holds(b, *ip))) {
            Some(block) => *rest.entry(block).or_default() += 1,
            None => entries.extend(one(&format!("{address}/{length}"), &members, hosts)),
        }
    }
    for (block, number) in rest {
        let why = format!("{number} private networks of which no role was seen: too many to name");
        entries.push(entry(block, ("unassigned", ""), why));
    }
    Proposed { entries }
}

/// Rank of zones of intercept.
const INTIMATE: u8 = 9;
/// Networks without a role that are named one by one.
const MOST_UNASSIGNED: usize = 64;
/// The private ranges (RFC 1918, RFC 4193).
const BLOCKS: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

fn holds(block: &str, ip: Ip) -> bool {
    block.parse::<Cidr>().is_ok_and(|range| range.contains(ip))
}

/// The zone of a network, and those of hosts in it that are something else.
fn one(range: &str, members: &[Ip], hosts: &Hosts) -> Vec<Entry> {
    let role = |ip: &Ip| hosts.get(ip).and_then(|h| h.role());
    let mut by_zone: BTreeMap<(&str, &str), Vec<Ip>> = BTreeMap::new();
    for ip in members {
        if let Some(role) = role(ip) {
            by_zone.entry(zone(role)).or_default().push(*ip);
        }
    }
    let rank = |zone: &(&str, &str)| zone.1.parse::<u8>().unwrap_or_default();
    let Some(main) = by_zone.keys().min_by_key(|z| (rank(z), z.0)).copied() else {
        let why = format!(
            "a private network of which no role was seen (hosts: {}), such as {}",
            members.len(),
            some(members.iter())
        );
        return vec![entry(range, ("unassigned", ""), why)];
    };
    let mut out = Vec::new();
    let bare: Vec<&Ip> = members.iter().filter(|ip| role(ip).is_none()).collect();
    // Whoever stands beside intercept is not of it.
    let apart = rank(&main) == INTIMATE && !bare.is_empty();
    if apart {
        let why = format!(
            "{} hosts beside those of intercept, of which no role was seen, such as {}",
            bare.len(),
            some(bare.into_iter())
        );
        out.push(entry(range, ("unassigned", ""), why));
    }
    for (zone, own) in by_zone {
        if zone == main && !apart {
            let why = format!(
                "{} of {} hosts seen there have roles of this zone: {}",
                own.len(),
                members.len(),
                some(own.iter())
            );
            out.insert(0, entry(range, zone, why));
            continue;
        }
        for ip in own {
            let single = format!("{ip}/{}", if ip.is_v4() { 32 } else { 128 });
            let why = format!("{ip} has another role than others of {range}, see elements and allow");
            out.push(entry(&single, zone, why));
        }
    }
    out
}

fn entry(range: &str, (zone, rank): (&str, &str), why: String) -> Entry {
    Entry { cells: vec![range.to_owned(), zone.to_owned(), rank.to_owned()], why: vec![why] }
}

fn some<'a>(ips: impl Iterator<Item = &'a Ip>) -> String {
    ips.take(MOST_NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn network(address: IpAddr) -> (IpAddr, u8) {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            (IpAddr::from([a, b, c, 0]), 24)
        }
        IpAddr::V6(ip) => (IpAddr::from((u128::from(ip) >> 64 << 64).to_be_bytes()), 64),
    }
}

/// Whether an address can be that of one host for good.
pub(super) fn is_a_host(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(local || address.is_multicast() || address.is_loopback() || address.is_unspecified())
}

/// Whether an address is one that nobody outside can reach.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

fn is_shared(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(ip) if matches!(ip.octets(), [100, b, ..] if b & 0xc0 == 64))
}

#[cfg(test)]
mod tests {
    use super::{super::hosts::Host, *};

    fn hosts(list: &[(&str, Option<Role>)]) -> Hosts {
        let host = |role: &Option<Role>| Host { roles: role.iter().map(|r| (*r, vec!["seen".to_owned()])).collect() };
        list.iter().map(|(ip, role)| (ip.parse().unwrap(), host(role))).collect()
    }

    fn lines(list: &[(&str, Option<Role>)]) -> Vec<String> {
        zones(&hosts(list)).entries.iter().map(|e| e.cells.join(",")).collect()
    }

    #[test]
    fn a_network_of_one_role_is_a_zone_and_a_mixed_one_keeps_intimate_hosts_apart() {
        let all = lines(&[
            ("10.0.0.1", Some(Role::Tap)),
            ("10.0.0.2", Some(Role::Device)),
            ("10.66.0.10", Some(Role::Admf)),
            ("10.66.0.20", Some(Role::Mdf)),
            ("10.20.0.20", Some(Role::Management)),
            ("10.20.0.5", None),
            ("10.99.0.5", None),
        ]);
        assert_eq!(
            all,
            [
                "10.0.0.0/24,core,4",
                "10.20.0.0/24,mgmt,5",
                "10.66.0.0/24,li-admin,9",
                "10.66.0.20/32,li-mediation,9",
                "10.99.0.0/24,unassigned,"
            ]
        );
    }

    #[test]
    fn a_host_beside_intercept_is_not_in_its_zone() {
        let all = lines(&[("10.66.0.20", Some(Role::Mdf)), ("10.66.0.77", None)]);
        assert_eq!(all, ["10.66.0.0/24,unassigned,", "10.66.0.20/32,li-mediation,9"]);
    }

    #[test]
    fn networks_without_a_role_are_told_together_where_there_are_many() {
        let names: Vec<String> = (0..100).map(|i| format!("10.1.{i}.1")).collect();
        let list: Vec<(&str, Option<Role>)> = names.iter().map(|n| (n.as_str(), None)).collect();
        assert_eq!(lines(&list), ["10.0.0.0/8,unassigned,"]);
        assert_eq!(lines(&list[..60]).len(), 60);
        let mixed: Vec<_> = list.into_iter().chain([("10.1.3.2", Some(Role::Device))]).collect();
        assert_eq!(lines(&mixed), ["10.1.3.0/24,core,4", "10.0.0.0/8,unassigned,"]);
    }

    #[test]
    fn what_is_outside_is_one_zone_and_what_is_no_host_is_none() {
        let all = lines(&[
            ("8.8.8.8", None),
            ("2001:db8::1", None),
            ("100.64.3.4", None),
            ("224.0.0.5", None),
            ("fe80::1", None),
            ("255.255.255.255", None),
            ("198.51.100.7", Some(Role::Lemf)),
        ]);
        assert_eq!(
            all,
            ["0.0.0.0/0,internet,0", "::/0,internet,0", "100.64.0.0/10,customer,1", "198.51.100.7/32,li-handover,9"]
        );
    }
}
