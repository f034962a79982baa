//! Which finding explains which: decided by when they were made and by columns that agree, never by what ran first.
//!
//! Kept by the columns that rules compare, so that a finding among a hundred thousand costs a look and not a search; bounded, the
//! earliest made goes first.
use std::collections::{BTreeMap, BTreeSet};

use lidr_rules::Rule;

/// Findings that are kept so that others can be absorbed.
const MOST_MADE: usize = 100_000;
/// Findings that one finding lists.
const MOST_LISTED: usize = 20;

/// A rule's code, the columns that are compared, and their values.
pub(crate) type Place = (String, Vec<String>, Vec<String>);

/// A finding's id, when it was made, and its places.
pub(crate) type Kept = (String, i64, BTreeSet<Place>);

/// Findings of rules that absorb or are absorbed.
#[derive(Debug, Default)]
pub(crate) struct Absorbing {
    made: BTreeMap<Place, BTreeSet<(i64, String)>>,
    of: BTreeMap<String, (i64, BTreeSet<Place>)>,
    by_age: BTreeSet<(i64, String)>,
}

fn place(code: &str, by: &[String], values: &BTreeMap<String, String>) -> Option<Place> {
    let values: Option<Vec<String>> = by.iter().map(|c| values.get(c).filter(|v| !v.is_empty()).cloned()).collect();
    let values = values.filter(|v| !v.is_empty())?;
    Some((code.to_owned(), by.to_vec(), values))
}

impl Absorbing {
    /// Remembers when a finding was made and what it compares by; gives how many others were forgotten for it.
    pub(crate) fn note(
        &mut self,
        rules: &[Rule],
        rule: &Rule,
        uid: &str,
        made: i64,
        values: &BTreeMap<String, String>,
    ) -> u64 {
        let own = rule.absorbs.iter().map(|a| &a.by);
        let others = rules.iter().flat_map(|r| r.absorbs.iter().filter(|a| a.code == rule.code)).map(|a| &a.by);
        let places: BTreeSet<Place> = own.chain(others).filter_map(|by| place(&rule.code, by, values)).collect();
        if self.of.get(uid).is_some_and(|known| known.0 == made && known.1 == places) {
            return 0;
        }
        self.forget(uid);
        if places.is_empty() {
            return 0;
        }
        self.keep(uid, made, places);
        let mut lost = 0;
        while self.of.len() > MOST_MADE
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.forget(&oldest);
            lost += 1;
        }
        lost
    }

    /// Each finding with when it was made and what it compares by.
    pub(crate) fn saved(&self) -> Vec<Kept> {
        self.of.iter().map(|(uid, (made, places))| (uid.clone(), *made, places.clone())).collect()
    }

    /// What was saved.
    pub(crate) fn resumed(saved: Vec<Kept>) -> Self {
        let mut out = Self::default();
        for (uid, made, places) in saved {
            out.keep(&uid, made, places);
        }
        out
    }

    fn keep(&mut self, uid: &str, made: i64, places: BTreeSet<Place>) {
        for place in &places {
            self.made.entry(place.clone()).or_default().insert((made, uid.to_owned()));
        }
        self.of.insert(uid.to_owned(), (made, places));
        self.by_age.insert((made, uid.to_owned()));
    }

    /// Forgets a finding.
    pub(crate) fn forget(&mut self, uid: &str) {
        let Some((made, places)) = self.of.remove(uid) else { return };
        let entry = (made, uid.to_owned());
        for place in places {
            if let Some(list) = self.made.get_mut(&place) {
                list.remove(&entry);
                if list.is_empty() {
                    self.made.remove(&place);
                }
            }
        }
        self.by_age.remove(&entry);
    }

    /// The finding made earliest that explains one made at that time, and was made no later.
    pub(crate) fn absorbed_by(
        &self,
        rules: &[Rule],
        rule: &Rule,
        made: i64,
        values: &BTreeMap<String, String>,
    ) -> Option<String> {
        let explains = rules.iter().flat_map(|r| r.absorbs.iter().filter(|a| a.code == rule.code).map(move |a| (r, a)));
        let first =
            explains.filter_map(|(other, absorb)| self.made.get(&place(&other.code, &absorb.by, values)?)?.first());
        first.filter(|(then, _)| *then <= made).min().map(|(_, uid)| uid.clone())
    }

    /// Findings made before that time that one of this rule explains.
    pub(crate) fn absorbs(&self, rule: &Rule, made: i64, values: &BTreeMap<String, String>) -> Vec<String> {
        let lists = rule.absorbs.iter().filter_map(|a| self.made.get(&place(&a.code, &a.by, values)?));
        let before = lists.flat_map(|list| list.range(..(made, String::new())));
        let mut out: Vec<String> = before.take(MOST_LISTED).map(|(_, uid)| uid.clone()).collect();
        out.sort();
        out.dedup();
        out
    }
}
