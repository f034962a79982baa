//! Who may ask elements for taps: the manager of each element, where something beside the asking itself speaks for it.
//!
//! An intruder asks as a manager does, and often more. So nobody is proposed because it asked: the element itself must report to it
//! (notifications, X1 reports), or others must have asked that asked and changed less. Where only the second speaks for it, and wherever
//! one host alone asked, somebody is asked about it: a folder must not make an intruder a manager without a word.
use std::collections::{BTreeMap, BTreeSet};

use lidr_schema::Ip;

use super::{hosts::Seen, zones};

/// A host and the account under which it asked; X1 names are the asker's own, elements know the address.
type Who = (Ip, String);

/// How often somebody asked.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    asked: u64,
    changed: u64,
}

type Askers = BTreeMap<Who, Times>;

/// The manager that is proposed for an element.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) ip: Ip,
    /// As table `elements` has it.
    pub(super) text: String,
    pub(super) why: String,
}

/// Managers by their elements, and all who asked.
#[derive(Debug, Default)]
pub(super) struct Managers {
    of: BTreeMap<Ip, Manager>,
    asked: BTreeSet<Ip>,
}

impl Managers {
    pub(super) fn find(seen: &Seen<'_>, open: &mut Vec<String>) -> Self {
        let mut out = Self::default();
        for (ne, askers) in askers(seen) {
            out.asked.extend(askers.keys().map(|(ip, _)| *ip));
            let told: BTreeSet<Ip> = ["notifies", "reports to"]
                .iter()
                .flat_map(|fact| seen.of(fact))
                .filter(|f| f.host == ne)
                .filter_map(|f| f.other)
                .collect();
            let chosen = chosen(&askers, &told);
            questions(ne, &askers, chosen.as_ref().map(|(who, _)| *who), &told, open);
            if let Some((who, why)) = chosen {
                out.of.insert(ne, Manager { ip: who.0, text: text(who), why });
            }
        }
        out
    }

    /// The manager of an element.
    pub(super) fn of(&self, ne: Ip) -> Option<&Manager> {
        self.of.get(&ne)
    }

    /// Whether a host asked for taps, by whatever protocol.
    pub(super) fn asked(&self, ip: Ip) -> bool {
        self.asked.contains(&ip)
    }

    /// Whether a host asked for taps and is nobody's manager.
    pub(super) fn doubtful(&self, ip: Ip) -> bool {
        self.asked(ip) && !self.of.values().any(|m| m.ip == ip)
    }
}

/// Who asked which element, how often.
fn askers(seen: &Seen<'_>) -> BTreeMap<Ip, Askers> {
    let mut out: BTreeMap<Ip, Askers> = BTreeMap::new();
    for fact in ["handles taps", "asks by x1", "changes taps"] {
        for f in seen.of(fact) {
            let Some(ne) = f.other else { continue };
            let user = if fact == "asks by x1" { String::new() } else { f.value.clone() };
            let times = out.entry(ne).or_default().entry((f.host, user)).or_default();
            let count = if fact == "changes taps" { &mut times.changed } else { &mut times.asked };
            *count += f.n;
        }
    }
    out
}

/// Who is proposed, and why.
fn chosen<'a>(askers: &'a Askers, told: &BTreeSet<Ip>) -> Option<(&'a Who, String)> {
    let proven: BTreeSet<Ip> = askers.keys().map(|(ip, _)| *ip).filter(|ip| told.contains(ip)).collect();
    let (who, why) = if proven.len() == 1 {
        let own = askers.iter().filter(|((ip, _), _)| proven.contains(ip));
        (most(own)?, "the element reports to it".to_owned())
    } else {
        if hosts(askers) < 2 {
            return None;
        }
        let who = most(askers.iter())?;
        let times = askers.get(who)?;
        // A walk reads much and changes nothing.
        if askers.iter().any(|((ip, _), other)| *ip != who.0 && other.changed > times.changed) {
            return None;
        }
        (who, "asked it most often and changed most".to_owned())
    };
    let n = askers.get(who)?.asked;
    zones::is_private(who.0.to_std()).then(|| (who, format!("manager {}: {why}, {n} times asked", text(who))))
}

/// Who asked more often than anybody else; nobody where two asked as often.
fn most<'a>(askers: impl Iterator<Item = (&'a Who, &'a Times)>) -> Option<&'a Who> {
    let mut by_number: Vec<_> = askers.map(|(who, times)| (times.asked, who)).collect();
    by_number.sort_by(|a, b| b.cmp(a));
    match by_number.as_slice() {
        [(most, _), (second, _), ..] if most == second => None,
        [(_, who), ..] => Some(who),
        [] => None,
    }
}

fn hosts(askers: &Askers) -> usize {
    askers.keys().map(|(ip, _)| *ip).collect::<BTreeSet<_>>().len()
}

fn text((ip, user): &Who) -> String {
    if user.is_empty() { ip.to_string() } else { format!("{ip}/{user}") }
}

/// What somebody has to answer before any of them is believed.
fn questions(ne: Ip, askers: &Askers, chosen: Option<&Who>, told: &BTreeSet<Ip>, open: &mut Vec<String>) {
    let alone = hosts(askers) == 1;
    for (who, times) in askers {
        let (name, n) = (text(who), times.asked);
        let is_chosen = chosen == Some(who);
        let proposed = if is_chosen { "proposed" } else { "not proposed" };
        open.push(match chosen {
            _ if alone => format!(
                "{name} is the only one that asked {ne} for taps, {n} times: {proposed} as its manager. Whose is it? An intruder asks, too"
            ),
            Some(_) if is_chosen && told.contains(&who.0) => continue,
            Some(_) if is_chosen => format!(
                "{name} is proposed as manager of {ne} only because it asked and changed more than others did. Is it yours? An intruder may be busier"
            ),
            Some(other) => format!(
                "{name} asked {ne} for taps, {n} times: {} is proposed as its manager, this one is not. Who is that?",
                text(other)
            ),
            None => format!(
                "{name} asked {ne} for taps, {n} times, one of several: nothing tells which is its manager, not proposed. Who is that?"
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::hosts::tests::{fact, seen},
        *,
    };

    fn find(facts: &[lidr_analytics::report::Fact]) -> (Option<String>, Vec<String>) {
        let mut open = Vec::new();
        let managers = seen(facts, |seen| Managers::find(seen, &mut open));
        (managers.of("10.0.0.1".parse().unwrap()).map(|m| m.text.clone()), open)
    }

    #[test]
    fn whoever_asked_alone_is_not_a_manager_and_is_asked_about() {
        let (manager, open) = find(&[fact("handles taps", "10.20.0.99", "10.0.0.1", "netops", 18)]);
        assert!(manager.is_none() && open.len() == 1, "{open:?}");
        assert!(
            open[0].contains("10.20.0.99/netops is the only one that asked 10.0.0.1")
                && open[0].contains("not proposed")
        );
        // Two accounts of one host are no second asker.
        let (manager, open) = find(&[
            fact("handles taps", "10.20.0.99", "10.0.0.1", "netops", 18),
            fact("handles taps", "10.20.0.99", "10.0.0.1", "public", 2),
        ]);
        assert!(manager.is_none() && open.len() == 2, "{open:?}");
    }

    #[test]
    fn what_an_element_reports_to_is_its_manager_and_is_asked_about_where_it_asked_alone() {
        let mut facts = vec![
            fact("handles taps", "10.66.0.10", "10.0.0.1", "li", 5),
            fact("notifies", "10.0.0.1", "10.66.0.10", "trap", 3),
        ];
        let (manager, open) = find(&facts);
        assert!(
            manager.as_deref() == Some("10.66.0.10/li") && open.len() == 1 && open[0].contains("only one"),
            "{open:?}"
        );
        facts.push(fact("handles taps", "10.20.0.99", "10.0.0.1", "netops", 500));
        let (manager, open) = find(&facts);
        assert!(manager.as_deref() == Some("10.66.0.10/li") && open[0].starts_with("10.20.0.99/netops"), "{open:?}");
    }

    #[test]
    fn a_walk_does_not_outvote_who_changes_taps_and_who_is_busiest_is_asked_about() {
        let mut facts = vec![
            fact("handles taps", "10.66.0.10", "10.0.0.1", "li", 20),
            fact("changes taps", "10.66.0.10", "10.0.0.1", "li", 9),
            fact("handles taps", "10.20.0.99", "10.0.0.1", "netops", 500),
        ];
        let (manager, open) = find(&facts);
        assert!(manager.is_none() && open.len() == 2, "{open:?}");
        facts[2].n = 19;
        let (manager, open) = find(&facts);
        assert!(manager.as_deref() == Some("10.66.0.10/li") && open.len() == 2, "{open:?}");
        assert!(
            open.iter().any(|o| o.starts_with("10.66.0.10/li is proposed as manager") && o.contains("Is it yours?"))
        );
    }

    #[test]
    fn nobody_from_outside_is_a_manager() {
        let (manager, open) = find(&[
            fact("handles taps", "203.0.113.9", "10.0.0.1", "li", 5),
            fact("notifies", "10.0.0.1", "203.0.113.9", "trap", 3),
        ]);
        assert!(manager.is_none() && open.len() == 1, "{open:?}");
    }
}
