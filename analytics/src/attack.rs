//! ATT&CK in a finding: techniques of the rule's tags, in the numbering of v18 and of v19.
//!
//! v19 (2026) retired the family T1562 and split some of T1070; whoever receives findings may be on either, so both are written,
//! each with its version. The mapping is MITRE's own.
use serde_json::{Value, json};

/// Techniques that v19 numbers otherwise.
const RENUMBERED: [(&str, &str); 11] = [
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
    ("T1562.003", "T1685"),
];

/// `attacks[]` of a finding. Tags are Sigma's: `attack.t1020.001`, `attack.collection`, and `lidr.li.*` where ATT&CK has nothing.
pub(crate) fn attacks(tags: &[String]) -> Vec<Value> {
    let techniques: Vec<String> = tags.iter().filter_map(|t| t.strip_prefix("attack.t")).map(|id| format!("T{id}")).collect();
    let tactic = tags.iter().filter_map(|t| t.strip_prefix("attack.")).find(|t| !is_technique(t)).map(title);
    let one = |version: &str, id: &str| {
        let mut attack = json!({ "version": version, "technique": { "uid": id } });
        if let (Some(tactic), Some(object)) = (&tactic, attack.as_object_mut()) {
            object.insert("tactic".into(), json!({ "name": tactic }));
        }
        attack
    };
    let mut out = Vec::new();
    for id in &techniques {
        let new = RENUMBERED.iter().find(|(old, _)| old == id).map_or(id.as_str(), |(_, new)| new);
        out.push(one("18", id));
        out.push(one("19", new));
    }
    let own = tags.iter().filter(|t| t.starts_with("lidr."));
    out.extend(own.map(|t| json!({ "version": "lidr-1", "technique": { "uid": t } })));
    out
}

fn is_technique(tag: &str) -> bool {
    tag.strip_prefix('t').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `lateral-movement` as MITRE writes it.
fn title(tag: &str) -> String {
    let word = |w: &str| {
        let mut letters = w.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    tag.split(['-', '_']).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_numberings_and_our_own() {
        let tags = ["attack.defense-evasion", "attack.t1562.006", "lidr.li.notify-off"].map(str::to_owned);
        let made = super::attacks(&tags);
        let ids: Vec<_> = made.iter().map(|a| (a["version"].as_str().unwrap(), a["technique"]["uid"].as_str().unwrap())).collect();
        assert_eq!(ids, [("18", "T1562.006"), ("19", "T1685"), ("lidr-1", "lidr.li.notify-off")]);
        assert_eq!(made[0]["tactic"]["name"], "Defense Evasion");
    }
}
