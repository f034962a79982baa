//! Queries of reports (`rules/reports/*.sql`), and which tunables of which rules they are judged by.
//!
//! A report and the findings of the same night must not contradict each other, so a report has no thresholds of its own. A file is
//! a row of steps: `-- table: NAME`, then one query, whose result later ones read under that name. One query with all of them as
//! common table expressions would be planned again wherever a name stands.
use std::collections::BTreeMap;

use serde_json::Value;

use crate::Rule;

/// A query that a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its file.
    pub file: &'static str,
    /// The query.
    pub sql: &'static str,
    /// Names in the query, and the rule and its tunable behind each.
    pub tunables: &'static [(&'static str, &'static str, &'static str)],
}

/// The state of every tap, reconciled from register, administration function, element and wire.
pub const TAPS: Report = Report {
    file: "rules/reports/taps.sql",
    sql: include_str!("../reports/taps.sql"),
    tunables: &[
        ("emergency", "LI-01", "emergency"),
        ("early", "LI-02", "early"),
        ("late", "LI-02", "late"),
        ("ended", "LI-14", "drain"),
        ("silence", "LI-15", "silence"),
        ("packets", "LI-15", "packets"),
    ],
};

/// What captures say about who is what, for a first site folder.
pub const SITE: Report =
    Report { file: "rules/reports/site.sql", sql: include_str!("../reports/site.sql"), tunables: &[] };

impl Report {
    /// Its queries in order, each with the name of the table that it makes.
    #[must_use]
    pub fn steps(&self) -> Vec<(&'static str, &'static str)> {
        let parts = self.sql.split("-- table: ").skip(1);
        parts.filter_map(|part| part.split_once('\n')).map(|(name, query)| (name.trim(), query.trim())).collect()
    }

    /// The values of its tunables.
    ///
    /// # Errors
    /// If a rule or a tunable of it is not loaded.
    pub fn values(&self, rules: &[Rule]) -> Result<BTreeMap<String, Value>, String> {
        let value = |code: &str, name: &str| rules.iter().find(|r| r.code == code)?.tunables.get(name);
        let one = |(own, code, name): &(&str, &str, &str)| match value(code, name) {
            Some(tunable) => Ok(((*own).to_owned(), tunable.default.clone())),
            None => Err(format!("{}: needed rule {code} with its tunable `{name}`", self.file)),
        };
        self.tunables.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_pack() {
        let rules = crate::load(true, &[]).unwrap().rules;
        let values = TAPS.values(&rules).unwrap();
        assert_eq!(values["silence"], "30 minutes");
        assert_eq!(values.len(), TAPS.tunables.len());
        assert!(TAPS.values(&[]).unwrap_err().contains("needed rule LI-01"));
    }

    #[test]
    fn every_step_has_a_name_of_its_own_and_a_query() {
        for report in [TAPS, SITE] {
            let steps = report.steps();
            let names: std::collections::BTreeSet<_> = steps.iter().map(|(name, _)| name).collect();
            assert_eq!((names.len(), steps.last().map(|(name, _)| *name)), (steps.len(), Some("answer")));
            assert!(steps.iter().all(|(_, query)| query.starts_with("SELECT ")), "{steps:?}");
        }
        assert!(!SITE.sql.contains('$'), "it has no thresholds");
    }

    #[test]
    fn every_name_in_the_query_is_known() {
        let given = ["start", "end", "blind", "destinations", "elements"];
        for part in TAPS.sql.lines().filter(|l| !l.trim_start().starts_with("--")).flat_map(|l| l.split('$').skip(1)) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(given.contains(&name.as_str()) || TAPS.tunables.iter().any(|(own, ..)| *own == name), "{name}");
        }
    }
}
