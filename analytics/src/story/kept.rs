//! The last line of each finding, as many as people can be told of; the rest is counted.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use lidr_schema::finding::Severity;

use super::Told;

/// Findings that are kept whole: a report shows a few hundred, a screen a few dozen.
const MOST_KEPT: usize = 20_000;
/// Findings of which at least the severity is known.
const MOST_COUNTED: usize = 2_000_000;

/// Findings by id, the last line of each. At the bound the least severe and then the latest go first.
#[derive(Debug)]
pub struct Kept {
    whole: BTreeMap<String, Told>,
    order: BTreeSet<(Severity, Reverse<i64>, String)>,
    /// Severity, and whether it proved harmless.
    counted: BTreeMap<String, (Severity, bool)>,
    /// How many of each severity, so that a run may ask with every finding.
    by_severity: BTreeMap<Severity, usize>,
    most: usize,
    /// Least and greatest event time of open ones that are not kept.
    beyond: Option<(i64, i64)>,
    /// Lines of findings beyond any bound.
    pub uncounted: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self::of_at_most(MOST_KEPT)
    }
}

impl Kept {
    pub(crate) fn of_at_most(most: usize) -> Self {
        Self {
            whole: BTreeMap::new(),
            order: BTreeSet::new(),
            counted: BTreeMap::new(),
            by_severity: BTreeMap::new(),
            most,
            beyond: None,
            uncounted: 0,
        }
    }

    /// Takes a line; a later one of the same finding stands for the earlier one.
    pub fn take(&mut self, told: Told) {
        if !self.counted.contains_key(&told.uid) && self.counted.len() >= MOST_COUNTED {
            self.uncounted += 1;
            return;
        }
        let before = self.counted.insert(told.uid.clone(), (told.severity, told.closed));
        if let Some(n) = before.and_then(|(severity, _)| self.by_severity.get_mut(&severity)) {
            *n -= 1;
        }
        *self.by_severity.entry(told.severity).or_default() += 1;
        if let Some(before) = self.whole.remove(&told.uid) {
            self.order.remove(&place(&before));
        }
        self.order.insert(place(&told));
        self.whole.insert(told.uid.clone(), told);
        if self.whole.len() > self.most
            && let Some((_, _, least)) = self.order.pop_first()
        {
            self.leave(&least);
        }
    }

    /// Keeps no more of it than that it came, and when.
    fn leave(&mut self, uid: &str) {
        let Some(told) = self.whole.remove(uid).filter(|told| !told.closed) else { return };
        let (first, last) = self.beyond.unwrap_or((told.first, told.last));
        self.beyond = Some((first.min(told.first), last.max(told.last)));
    }

    /// How many distinct findings came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counted.len()
    }

    /// Whether none came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// How many came of each severity, the greatest first; those of which there are none are left out.
    #[must_use]
    pub fn by_severity(&self) -> Vec<(Severity, usize)> {
        self.by_severity.iter().rev().map(|(s, n)| (*s, *n)).filter(|(_, n)| *n > 0).collect()
    }

    /// How many of them stand, of each severity, the greatest first: what proved harmless is not counted.
    #[must_use]
    pub fn open(&self) -> Vec<(Severity, usize)> {
        let mut count: BTreeMap<Severity, usize> = BTreeMap::new();
        for (severity, _) in self.counted.values().filter(|(_, closed)| !closed) {
            *count.entry(*severity).or_default() += 1;
        }
        count.into_iter().rev().collect()
    }

    /// From when to when those that stand go, µs.
    #[must_use]
    pub fn time(&self) -> Option<(i64, i64)> {
        let open = self.whole.values().filter(|told| !told.closed).map(|told| (told.first, told.last));
        open.chain(self.beyond).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Findings that came and are not kept.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.counted.len() - self.whole.len()
    }

    /// Those that are kept, in the order of time.
    #[must_use]
    pub fn told(self) -> Vec<Told> {
        let mut all: Vec<Told> = self.whole.into_values().collect();
        all.sort_by_cached_key(Told::key);
        all
    }
}

fn place(told: &Told) -> (Severity, Reverse<i64>, String) {
    (told.severity, Reverse(told.first), told.uid.clone())
}
