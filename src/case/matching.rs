//! Which rows of the site decided: lines of the rule's tables that speak of what the finding speaks of.
use std::{collections::BTreeSet, net::IpAddr};

use lidr_analytics::Site;
use lidr_rules::site::{file_of, needed};
use lidr_schema::Ip;
use serde_json::{Map, Value};

use super::Case;

/// Columns of rows whose text names somebody or something that a site table may name, too.
const NAMES: [&str; 9] = ["did", "actor_name", "ne_name", "user", "order", "destination", "account", "nas", "hostname"];

/// What a finding and its rows speak of: addresses, pseudonyms, names.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// As text.
    pub(crate) words: BTreeSet<String>,
    addresses: BTreeSet<Ip>,
}

/// Lines of one site table that match.
#[derive(Debug)]
pub(crate) struct Matching {
    /// Its name in SQL.
    pub(crate) table: String,
    /// Lines it has.
    pub(crate) lines: usize,
    /// Those that match.
    pub(crate) matching: Vec<Map<String, Value>>,
}

/// Whether a text is 16 octets as findings write pseudonyms.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Facts {
    /// Of a finding, its evidence and the rows behind it.
    pub(crate) fn of(case: &Case) -> Self {
        let mut facts = Self::default();
        let resources = case.finding.get("resources").and_then(Value::as_array);
        resources.into_iter().flatten().for_each(|r| facts.word(r.get("name")));
        for end in case.evidences().flat_map(|e| [e.get("src_endpoint"), e.get("dst_endpoint")]).flatten() {
            facts.word(end.get("ip"));
            facts.word(end.get("hostname"));
        }
        for row in case.rows.iter().flatten() {
            for (name, cell) in &row.cells {
                let text = cell.as_str().unwrap_or_default();
                if NAMES.contains(&name.as_str()) || is_token(text) || text.parse::<IpAddr>().is_ok() {
                    facts.word(Some(cell));
                }
                text.split(';')
                    .filter(|part| is_token(part))
                    .for_each(|part| facts.word(Some(&Value::String(part.to_owned()))));
            }
        }
        facts
    }

    /// Pseudonyms among them.
    pub(crate) fn tokens(&self) -> BTreeSet<String> {
        self.words.iter().filter(|w| is_token(w)).cloned().collect()
    }

    fn word(&mut self, value: Option<&Value>) {
        let Some(text) = value.and_then(Value::as_str).filter(|t| t.len() > 1 && *t != "unknown") else { return };
        self.words.insert(text.to_owned());
        self.addresses.extend(text.parse::<Ip>());
    }

    /// Whether a line of a site table speaks of one of them: by an equal cell, or by a range around an address.
    fn fit(&self, line: &Map<String, Value>) -> bool {
        let address = |name: &str| line.get(name).and_then(Value::as_str).and_then(|t| t.parse::<Ip>().ok());
        let around = match (address("first"), address("last")) {
            (Some(first), Some(last)) => self.addresses.range(first..=last).next().is_some(),
            _ => false,
        };
        let equal = |(name, cell): (&String, &Value)| {
            !matches!(name.as_str(), "first" | "last") && cell.as_str().is_some_and(|text| self.words.contains(text))
        };
        around || line.iter().any(equal)
    }
}

/// Site tables that a rule reads, as SQL knows them; all that are there where the rule is not at hand.
pub(crate) fn tables(case: &Case, site: &Site) -> Vec<String> {
    let present = site.present();
    let Ok(rule) = &case.rule else { return present };
    let named = rule.needs.iter().chain(&rule.uses).filter_map(|entry| file_of(needed(entry).0));
    let wanted: BTreeSet<String> = named.flat_map(|table| table.sql()).map(|sql| sql.name).collect();
    present.into_iter().filter(|name| wanted.contains(name)).collect()
}

/// The lines that decided, table by table; a table without any is told, too.
pub(crate) fn matching(case: &Case, site: &Site) -> anyhow::Result<Vec<Matching>> {
    let mut facts = Facts::of(case);
    let tokens = facts.tokens();
    let mut out: Vec<Matching> = Vec::new();
    let mut orders = BTreeSet::new();
    for (table, lines) in site.lines(&tables(case, site), &tokens)? {
        let total = lines.len();
        // What an order lists (its elements, its approvers) counts only where the order itself does.
        let fits = |line: &Map<String, Value>| match line.get("order_id").and_then(Value::as_str) {
            Some(order) if table != "warrants" => orders.contains(order),
            _ => facts.fit(line),
        };
        let matching: Vec<_> = lines.into_iter().filter(fits).collect();
        orders.extend(matching.iter().filter_map(|line| line.get("order_id")?.as_str().map(str::to_owned)));
        // What a ticket lists stands in a table of its own, by its id.
        matching.iter().for_each(|line| facts.word(line.get("id")));
        out.push(Matching { table, lines: total, matching });
    }
    also_by_list(&mut out, site.lines(&["tickets".to_owned()], &tokens)?.into_iter().flat_map(|(_, lines)| lines));
    Ok(out)
}

/// A ticket counts where what it lists does, although its own line names nothing of the finding.
fn also_by_list(all: &mut [Matching], tickets: impl Iterator<Item = Map<String, Value>>) {
    let listed = all.iter().filter(|m| m.table == "tickets_objects").flat_map(|m| &m.matching);
    let ids: BTreeSet<String> = listed.filter_map(|line| line.get("id")?.as_str().map(str::to_owned)).collect();
    let Some(own) = all.iter_mut().find(|m| m.table == "tickets") else { return };
    let of_list = |line: &Map<String, Value>| line.get("id").and_then(Value::as_str).is_some_and(|id| ids.contains(id));
    let more: Vec<_> = tickets.filter(|line| of_list(line) && !own.matching.contains(line)).collect();
    own.matching.extend(more);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn lines_fit_by_an_equal_cell_or_by_a_range() {
        let mut facts = Facts::default();
        [json!("10.1.2.3"), json!("pe1"), json!("unknown"), json!("0123456789abcdef0123456789abcdef")]
            .iter()
            .for_each(|v| facts.word(Some(v)));
        assert!(facts.fit(&line(json!({ "cidr": "10.0.0.0/8", "first": "10.0.0.0", "last": "10.255.255.255" }))));
        assert!(!facts.fit(&line(json!({ "cidr": "11.0.0.0/8", "first": "11.0.0.0", "last": "11.255.255.255" }))));
        assert!(
            facts.fit(&line(json!({ "name": "pe1" })))
                && !facts.fit(&line(json!({ "name": "pe10", "state": "unknown" })))
        );
        assert_eq!(facts.tokens().len(), 1);
        assert!(is_token("0123456789abcdef0123456789abcdef") && !is_token("0123456789ABCDEF0123456789ABCDEF"));
    }
}
