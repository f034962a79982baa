//! ATT&CK in a finding: techniques and tactics of the rule's tags, as v18 and as v19 have them.
//!
//! v19 (2026) retired the family T1562, split some of T1070, and put "Stealth" and "Defense Impairment" in the place of "Defense
//! Evasion"; whoever receives findings may be on either, so both are written, each with its version and its own names. The new
//! numbers are MITRE's own mapping; what it does not map (T1562.003) has no v19 entry. A technique gets those of the rule's
//! tactics that ATT&CK files it under, or else the first one that ATT&CK names; a sub-technique has the tactics of its technique.
//! A tactic of the rule that none of its techniques has stands by itself. Which half of Defense Evasion a technique fell to is
//! known here for the renumbered ones alone; others have no such tactic in v19.
use serde_json::{Value, json};

/// Techniques that v19 numbers otherwise; all of them are Defense Impairment there.
const RENUMBERED: [(&str, &str); 10] = [
    ("T1562", "T1685"),
    ("T1562.001", "T1685"),
    ("T1562.006", "T1685"),
    ("T1562.002", "T1685.001"),
    ("T1562.008", "T1685.002"),
    ("T1070.001", "T1685.005"),
    ("T1070.002", "T1685.006"),
    ("T1562.004", "T1686"),
    ("T1562.007", "T1686.001"),
    ("T1562.010", "T1689"),
];

/// Tactic of v18, and what v19 calls all of it; Defense Evasion has no one heir.
const EVASION: &str = "defense-evasion";
const IMPAIRMENT: &str = "defense-impairment";
/// Tactics that only v19 has.
const ONLY_V19: [&str; 2] = ["stealth", IMPAIRMENT];

/// Tactics of v18, by technique, the most usual first: what carriers' networks see of ATT&CK for enterprises.
const TACTICS: &[(&str, &[&str])] = &[
    ("collection", &["T1005", "T1074", "T1114", "T1119", "T1213", "T1560", "T1602"]),
    ("command-and-control", &["T1071", "T1090", "T1095", "T1104", "T1105", "T1571", "T1572", "T1573", "T1665"]),
    ("credential-access", &["T1040", "T1110", "T1552", "T1556", "T1557"]),
    ("discovery", &["T1016", "T1018", "T1046", "T1049", "T1087"]),
    ("execution", &["T1047", "T1059", "T1569", "T1609", "T1610"]),
    ("exfiltration", &["T1020", "T1029", "T1030", "T1041", "T1048", "T1537", "T1567"]),
    ("impact", &["T1485", "T1489", "T1498", "T1499", "T1529", "T1531", "T1565"]),
    ("initial-access", &["T1078", "T1133", "T1190", "T1195", "T1199"]),
    ("lateral-movement", &["T1021", "T1210", "T1550", "T1563", "T1570"]),
    ("persistence", &["T1098", "T1136", "T1505", "T1542", "T1543", "T1554"]),
    ("reconnaissance", &["T1590", "T1592", "T1595", "T1681"]),
    ("resource-development", &["T1583", "T1584", "T1586", "T1587", "T1588"]),
    (EVASION, &["T1027", "T1036", "T1070", "T1205", "T1562", "T1599", "T1600", "T1601"]),
    // What has a second home, and a third.
    ("collection", &["T1557"]),
    ("command-and-control", &["T1205"]),
    ("discovery", &["T1040"]),
    ("persistence", &["T1078", "T1133", "T1205", "T1556"]),
    ("privilege-escalation", &["T1078", "T1098", "T1543"]),
    (EVASION, &["T1078", "T1542", "T1550", "T1556", "T1610"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V18,
    V19,
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::V18 => "18",
            Self::V19 => "19",
        }
    }

    /// The number that a technique has, if there is one.
    fn number(self, id: &str) -> Option<&str> {
        let new = RENUMBERED.iter().find(|(old, _)| *old == id).map(|(_, new)| *new);
        match (self, new) {
            (Self::V18, _) => Some(id),
            (Self::V19, Some(new)) => Some(new),
            (Self::V19, None) => (parent(id) != "T1562").then_some(id),
        }
    }

    /// The tactics of a technique that has that number in v18.
    fn tactics(self, id: &str) -> Vec<&'static str> {
        if self == Self::V19 && RENUMBERED.iter().any(|(old, _)| *old == id) {
            return vec![IMPAIRMENT];
        }
        let homes = TACTICS.iter().filter(|(_, ids)| ids.contains(&parent(id))).map(|(tactic, _)| *tactic);
        homes.filter(|tactic| self == Self::V18 || *tactic != EVASION).collect()
    }

    /// Whether the rule's tag is the tactic, or the one that it came from or became.
    fn same(self, tag: &str, tactic: &str) -> bool {
        tag == tactic || tag == EVASION && tactic == IMPAIRMENT || ONLY_V19.contains(&tag) && tactic == EVASION
    }

    fn has(self, tactic: &str) -> bool {
        match self {
            Self::V18 => !ONLY_V19.contains(&tactic),
            Self::V19 => tactic != EVASION,
        }
    }

    fn attacks(self, techniques: &[String], wanted: &[&str]) -> Vec<Value> {
        let mut out = Vec::new();
        let mut covered = Vec::new();
        for id in techniques {
            let Some(number) = self.number(id) else { continue };
            let all = self.tactics(id);
            let mut chosen: Vec<&str> =
                all.iter().copied().filter(|t| wanted.iter().any(|w| self.same(w, t))).collect();
            covered.extend(wanted.iter().filter(|w| all.iter().any(|t| self.same(w, t))));
            if chosen.is_empty() {
                chosen = all.into_iter().take(1).collect();
            }
            if chosen.is_empty() {
                out.push(attack(self.name(), None, Some(number)));
            }
            out.extend(chosen.into_iter().map(|tactic| attack(self.name(), Some(tactic), Some(number))));
        }
        let alone = wanted.iter().filter(|w| !covered.contains(w) && self.has(w));
        out.extend(alone.map(|tactic| attack(self.name(), Some(tactic), None)));
        out
    }
}

/// `attacks[]` of a finding. Tags are Sigma's: `attack.t1020.001`, `attack.collection`, and `lidr.li.*` where ATT&CK has nothing.
pub(crate) fn attacks(tags: &[String]) -> Vec<Value> {
    let techniques: Vec<String> = tags
        .iter()
        .filter_map(|t| t.strip_prefix("attack.t"))
        .filter(|t| is_number(t))
        .map(|id| format!("T{id}"))
        .collect();
    let named = tags.iter().filter_map(|t| t.strip_prefix("attack."));
    let tactics: Vec<&str> =
        named.filter(|t| TACTICS.iter().any(|(known, _)| known == t) || ONLY_V19.contains(t)).collect();
    let mut out = Version::V18.attacks(&techniques, &tactics);
    out.extend(Version::V19.attacks(&techniques, &tactics));
    let own = tags.iter().filter(|t| t.starts_with("lidr."));
    out.extend(own.map(|t| attack("lidr-1", None, Some(t))));
    out
}

fn attack(version: &str, tactic: Option<&str>, technique: Option<&str>) -> Value {
    let mut out = json!({ "version": version });
    let mut put = |name: &str, value: Value| out.as_object_mut().map(|o| o.insert(name.to_owned(), value));
    if let Some(tactic) = tactic {
        put("tactic", json!({ "name": title(tactic) }));
    }
    if let Some(id) = technique {
        put("technique", json!({ "uid": parent(id) }));
        if parent(id) != id {
            put("sub_technique", json!({ "uid": id }));
        }
    }
    out
}

/// The technique that a sub-technique belongs to.
fn parent(id: &str) -> &str {
    if id.starts_with('T') { id.split('.').next().unwrap_or(id) } else { id }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// `lateral-movement` as MITRE writes it.
fn title(tag: &str) -> String {
    let word = |w: &str| {
        let mut letters = w.chars();
        match (w, letters.next()) {
            ("and", _) | (_, None) => w.to_owned(),
            (_, Some(first)) => first.to_uppercase().chain(letters).collect(),
        }
    };
    tag.split('-').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `version tactic/technique/sub-technique` of each entry.
    fn made(tags: &[&str]) -> Vec<String> {
        let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
        let part = |v: &Value| v.as_str().unwrap_or("-").to_owned();
        let one = |a: &Value| {
            let (tactic, technique, sub) =
                (part(&a["tactic"]["name"]), part(&a["technique"]["uid"]), part(&a["sub_technique"]["uid"]));
            format!("{} {tactic}/{technique}/{sub}", part(&a["version"]))
        };
        attacks(&tags).iter().map(one).collect()
    }

    #[test]
    fn both_numberings_each_with_its_own_tactics() {
        assert_eq!(
            made(&["attack.defense-evasion", "attack.t1562.006", "lidr.li.notify-off"]),
            ["18 Defense Evasion/T1562/T1562.006", "19 Defense Impairment/T1685/-", "lidr-1 -/lidr.li.notify-off/-"]
        );
        assert_eq!(made(&["attack.defense-impairment", "attack.t1070.001"])[0], "18 Defense Evasion/T1070/T1070.001");
        assert_eq!(made(&["attack.t1562.003"]), ["18 Defense Evasion/T1562/T1562.003"], "v19 has no such technique");
    }

    #[test]
    fn a_technique_has_its_own_tactics_and_not_the_rules_first() {
        let made = made(&["attack.collection", "attack.exfiltration", "attack.t1020.001", "attack.t1040"]);
        let v18 = ["18 Exfiltration/T1020/T1020.001", "18 Credential Access/T1040/-", "18 Collection/-/-"];
        assert_eq!(made[..3], v18);
        assert_eq!(made[3..], v18.map(|t| t.replacen("18", "19", 1)));
    }

    #[test]
    fn of_several_tactics_the_rule_chooses() {
        assert_eq!(made(&["attack.discovery", "attack.t1040"])[0], "18 Discovery/T1040/-");
        assert_eq!(made(&["attack.persistence", "attack.defense-evasion", "attack.t1078.003"])[..2].len(), 2);
        assert_eq!(made(&["attack.command-and-control", "attack.t1571"])[0], "18 Command and Control/T1571/-");
        assert_eq!(made(&["attack.t9999"]), ["18 -/T9999/-", "19 -/T9999/-"]);
    }

    #[test]
    fn v19_never_says_defense_evasion_and_the_pack_is_known() {
        for rule in lidr_rules::load(true, &[]).unwrap().rules {
            for attack in attacks(&rule.tags) {
                let tactic = attack["tactic"]["name"].as_str().unwrap_or_default();
                assert!(attack["version"] != "19" || tactic != "Defense Evasion", "{}: {attack}", rule.code);
                let known = attack["version"] == "lidr-1" || !tactic.is_empty();
                assert!(known, "{}: no tactic is known for {attack}", rule.code);
            }
        }
    }
}
