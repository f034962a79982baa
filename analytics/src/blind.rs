//! When a sensor was blind, and which windows of other rules that takes away.
//!
//! A rule that argues from absence ("no keepalive came", "no product flowed") lies where a sensor lost its feed: a collector that
//! fails must not become ten thousand criticals. So a rule with `suspends: absence` says of each of its windows which sensor was
//! blind in it, and a rule with `absence` is not judged in a window whose rows, context included, overlap such a window. It is
//! counted and named instead; what its early run announced stays as it is.
//!
//! Blindness must be known before absence is judged, so such a run waits until the suspending rules' windows have run that
//! overlap its rows: at once where its context ends with theirs, which all windows of whole multiples of five minutes do. Which
//! windows are blind follows from rows and watermark alone, so it is the same in a replay, through Kafka and in a hunt. Any blind
//! sensor suspends: which sensor would have seen what did not come, nobody can say.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lidr_rules::{Rule, Window};
use serde::{Deserialize, Serialize};

use crate::fold::Hit;

/// Stands for every sensor where the rule that would tell has failed.
const EVERY: &str = "any";
/// Names that a reason lists.
const MOST_NAMED: usize = 8;

/// Whether blindness of a sensor takes windows of this rule away.
pub(crate) const fn can_be_suspended(rule: &Rule) -> bool {
    rule.absence && !rule.suspends
}

/// The windows of the rules that suspend others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Vec<Window>);

impl Waits {
    pub(crate) fn of(rules: &[Rule]) -> Self {
        Self(rules.iter().filter(|r| r.suspends).filter_map(|r| r.window).collect())
    }

    /// When a run of the rule is made that sees rows due before `until`.
    pub(crate) fn moment(&self, rule: &Rule, until: i64) -> i64 {
        if !can_be_suspended(rule) {
            return until;
        }
        let known = self.0.iter().map(|w| ((until - 1).div_euclid(w.size) + 1) * w.size + w.after);
        known.fold(until, i64::max)
    }
}

/// A sensor that was blind, and the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Blind {
    code: String,
    sensor: String,
}

impl Blind {
    /// A suspending rule that has failed tells nothing any more: everything may be blind.
    pub(crate) fn everywhere(rule: &Rule) -> Self {
        Self { code: rule.code.clone(), sensor: EVERY.to_owned() }
    }
}

/// When which sensor was blind. Windows that touch are one span, so that a sensor that stays blind costs one entry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Blindness(#[serde(with = "crate::snapshot::pairs")] BTreeMap<Blind, VecDeque<(i64, i64)>>);

impl Blindness {
    /// Notes what a suspending rule found in a window.
    pub(crate) fn mark(&mut self, rule: &Rule, (start, stop): (i64, i64), hits: &[Hit]) {
        for resource in hits.iter().filter(|h| rule.suspends && !h.pending).flat_map(|h| &h.entity) {
            let blind = Blind { code: rule.code.clone(), sensor: resource.name.clone() };
            let spans = self.0.entry(blind).or_default();
            match spans.back_mut() {
                Some(last) if last.1 >= start => last.1 = last.1.max(stop),
                _ => spans.push_back((start, stop)),
            }
        }
    }

    /// Who was blind at some time in [from, until).
    pub(crate) fn over(&self, from: i64, until: i64) -> BTreeSet<&Blind> {
        let overlaps = |spans: &VecDeque<(i64, i64)>| spans.iter().any(|(start, stop)| *start < until && *stop > from);
        self.0.iter().filter(|(_, spans)| overlaps(spans)).map(|(blind, _)| blind).collect()
    }

    /// Every sensor that was blind at some time, with when.
    pub(crate) fn spans(&self) -> Vec<(String, i64, i64)> {
        let of = |(blind, spans): (&Blind, &VecDeque<(i64, i64)>)| {
            spans.iter().map(|(start, stop)| (blind.sensor.clone(), *start, *stop)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Lets go of what ended at or before that time.
    pub(crate) fn forget(&mut self, before: i64) {
        self.0.retain(|_, spans| {
            spans.retain(|(_, stop)| *stop > before);
            !spans.is_empty()
        });
    }
}

/// What a rule was not judged on because somebody was blind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Suspended {
    /// Windows.
    pub(crate) windows: u64,
    by: BTreeMap<String, BTreeSet<String>>,
}

impl Suspended {
    pub(crate) fn add(&mut self, blind: &BTreeSet<&Blind>) {
        self.windows += 1;
        for one in blind {
            // The list is for reading; more names than it shows are not kept.
            let names = self.by.entry(one.code.clone()).or_default();
            if names.len() <= MOST_NAMED {
                names.insert(one.sensor.clone());
            }
        }
    }

    /// What the summary says, if there is anything to say.
    pub(crate) fn reason(&self, of: u64) -> Option<String> {
        let who = self.by.iter().map(|(code, names)| format!("{} blind ({code})", sensors(names)));
        let who = who.collect::<Vec<_>>().join("; ");
        (self.windows > 0).then(|| format!("suspended in {} of {of} windows: {who}", self.windows))
    }
}

fn sensors(names: &BTreeSet<String>) -> String {
    let mut shown: Vec<&str> = names.iter().take(MOST_NAMED).map(String::as_str).collect();
    if names.len() > MOST_NAMED {
        shown.push("and more");
    }
    match shown.as_slice() {
        [EVERY] => "any sensor may have been".to_owned(),
        [one] => format!("sensor {one} was"),
        all => format!("sensors {} were", all.join(", ")),
    }
}
