//! Results with one id are one finding: raised, folded, absorbed and closed (contracts: finding).
//!
//! Everything here is decided by event time: `at` chooses the bucket, `made` (when the window could be judged) decides who absorbs
//! whom, and lines of one moment are written in (code, entity) order. What ran first never shows.
use std::collections::{BTreeMap, BTreeSet};

use lidr_rules::Rule;
use lidr_schema::{
    RowKey,
    finding::{Activity, Confidence, Evidence, Resource, Severity, uid},
};

use crate::{
    Finding,
    finding::Own,
    rows::Proof,
};

/// Rows that a finding shows.
const MOST_EVIDENCE: usize = 20;
/// Distinct times that are counted in one bucket.
const MOST_TIMES: usize = 1_000_000;
/// Findings whose ids are kept so that others can be absorbed.
const MOST_MADE: usize = 100_000;

/// One result of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// Due of the row that completed it, µs.
    pub(crate) at: i64,
    /// When it could be known, µs.
    pub(crate) made: i64,
    /// How bad.
    pub(crate) severity: Severity,
    /// What it is about.
    pub(crate) entity: Vec<Resource>,
    /// The sentence.
    pub(crate) message: String,
    /// Values of the columns that absorbing compares.
    pub(crate) by: BTreeMap<String, String>,
    /// Rows that prove it.
    pub(crate) proofs: Vec<Proof>,
    /// The window it was found in.
    pub(crate) window: Option<(i64, i64)>,
    /// Found by the early run.
    pub(crate) pending: bool,
}

/// What the engine knows of a rule beside the rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) site_hash: String,
    pub(crate) key_id: String,
    pub(crate) without: Vec<String>,
}

#[derive(Debug)]
struct Open {
    rule: usize,
    entity: Vec<Resource>,
    closes: i64,
    severity: Severity,
    pick: (i64, String),
    window: Option<(i64, i64)>,
    times: BTreeSet<i64>,
    proofs: BTreeMap<RowKey, Evidence>,
    clear: bool,
    made: i64,
    pending: bool,
    /// Announced by the early run and not confirmed by the full one.
    refuted: bool,
    by: BTreeMap<String, String>,
    written: Option<Finding>,
}

#[derive(Debug)]
struct Made {
    made: i64,
    uid: String,
    by: BTreeMap<String, String>,
}

/// Findings that are open.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    open: BTreeMap<String, Open>,
    touched: BTreeSet<String>,
    made: BTreeMap<String, Vec<Made>>,
    made_count: usize,
    /// Ids dropped from the list that absorbing looks at.
    pub(crate) forgotten: u64,
}

/// The bucket of a time, and when it can be closed.
fn bucket(rule: &Rule, at: i64) -> (i64, i64) {
    let length = rule.bucket.max(1);
    let start = at.div_euclid(length) * length;
    let end = start + length;
    // The last window that may still find something in the bucket covers its last microsecond.
    let closes = rule.window.map_or(end, |w| ((end - 1).div_euclid(w.size) + 1) * w.size + w.after);
    (start, closes)
}

impl Fold {
    /// Adds a result.
    pub(crate) fn add(&mut self, number: usize, rule: &Rule, hit: Hit) {
        let (start, closes) = bucket(rule, hit.at);
        let names: Vec<String> = hit.entity.iter().map(|r| r.name.clone()).collect();
        let uid = uid(&rule.code, rule.version, &names, start);
        if let Some(open) = self.open.get_mut(&uid) {
            if hit.pending && !open.pending {
                return;
            }
            if open.pending && !hit.pending {
                // The full run judges anew what the early run only announced.
                open.pending = false;
                open.times.clear();
                open.severity = Severity::Informational;
                open.pick = (i64::MAX, String::new());
            }
            open.fold(hit);
            self.touched.insert(uid);
            return;
        }
        let mut open = Open {
            rule: number,
            entity: hit.entity.clone(),
            closes,
            severity: hit.severity,
            pick: (i64::MAX, String::new()),
            window: None,
            times: BTreeSet::new(),
            proofs: BTreeMap::new(),
            clear: true,
            made: hit.made,
            pending: hit.pending,
            refuted: false,
            by: BTreeMap::new(),
            written: None,
        };
        open.fold(hit);
        self.touched.insert(uid.clone());
        self.open.insert(uid, open);
    }

    /// The full run of a window is over: what the early run announced in it and nobody confirmed is closed.
    pub(crate) fn unconfirmed(&mut self, number: usize, window: (i64, i64)) {
        for (uid, open) in &mut self.open {
            if open.rule == number && open.pending && (window.0..window.1).contains(&open.pick.0) {
                open.refuted = true;
                self.touched.insert(uid.clone());
            }
        }
    }

    /// Lines for what changed at this moment, in (code, entity) order.
    pub(crate) fn moment(&mut self, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let touched = std::mem::take(&mut self.touched);
        for uid in &touched {
            self.note(rules, uid);
        }
        let mut out = Vec::new();
        for uid in touched {
            let Some(open) = self.open.get(&uid) else { continue };
            let closed = open.refuted;
            let activity = match (&open.written, closed) {
                (Some(_), true) => Activity::Close,
                (None, _) => Activity::Create,
                (Some(before), false) if open.severity > before.severity || before.lidr.pending && !open.pending => Activity::Update,
                _ => continue,
            };
            if let Some(finding) = self.line(&uid, activity, rules, facts) {
                out.push(finding.clone());
                self.keep(&uid, finding, closed);
            }
        }
        sort(&mut out);
        out
    }

    /// Last lines of the buckets that close before that time.
    pub(crate) fn close(&mut self, before: i64, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let mut done: Vec<(i64, String)> =
            self.open.iter().filter(|(_, o)| o.closes < before).map(|(id, o)| (o.closes, id.clone())).collect();
        done.sort();
        let mut out: Vec<(i64, Finding)> = Vec::new();
        for (closes, uid) in done {
            let changed = self.line(&uid, Activity::Update, rules, facts).filter(|line| {
                let before = self.open.get(&uid).and_then(|o| o.written.as_ref());
                before.is_none_or(|b| b.content() != line.content())
            });
            out.extend(changed.map(|line| (closes, line)));
            self.open.remove(&uid);
        }
        out.sort_by(|a, b| (a.0, &a.1.code, a.1.entity()).cmp(&(b.0, &b.1.code, b.1.entity())));
        out.into_iter().map(|(_, line)| line).collect()
    }

    fn keep(&mut self, uid: &str, finding: Finding, closed: bool) {
        if closed {
            self.open.remove(uid);
        } else if let Some(open) = self.open.get_mut(uid) {
            open.written = Some(finding);
        }
    }

    /// Remembers when it was made, for absorbing.
    fn note(&mut self, rules: &[Rule], uid: &str) {
        let Some(open) = self.open.get(uid) else { return };
        let Some(rule) = rules.get(open.rule) else { return };
        let list = self.made.entry(rule.code.clone()).or_default();
        if list.iter().rev().take(1000).any(|m| m.uid == uid) {
            return;
        }
        list.push(Made { made: open.made, uid: uid.to_owned(), by: open.by.clone() });
        self.made_count += 1;
        if self.made_count > MOST_MADE
            && let Some(longest) = self.made.values_mut().max_by_key(|l| l.len())
            && !longest.is_empty()
        {
            longest.remove(0);
            self.made_count -= 1;
            self.forgotten += 1;
        }
    }

    fn line(&self, uid: &str, activity: Activity, rules: &[Rule], facts: &[Facts]) -> Option<Finding> {
        let open = self.open.get(uid)?;
        let (rule, facts) = (rules.get(open.rule)?, facts.get(open.rule)?);
        let mut confidence = Confidence::High;
        if !open.clear {
            confidence = confidence.lower();
        }
        if !facts.without.is_empty() {
            confidence = confidence.lower();
        }
        let (at, message) = open.pick.clone();
        Some(Finding {
            uid: uid.to_owned(),
            activity,
            code: rule.code.clone(),
            version: rule.version,
            title: rule.title.clone(),
            message,
            severity: if activity == Activity::Close { Severity::Informational } else { open.severity },
            confidence,
            time: at,
            first_seen: open.times.first().copied().unwrap_or(at),
            last_seen: open.times.last().copied().unwrap_or(at),
            made: open.made,
            count: open.times.len() as u64,
            resources: open.entity.clone(),
            evidences: open.proofs.values().cloned().collect(),
            tags: rule.tags.clone(),
            lidr: Own {
                window: open.window,
                rule_sha256: rule.sha256.clone(),
                blind_spots: rule.blind_spots.clone(),
                benign_if: rule.benign_if.clone(),
                triage: rule.triage.clone(),
                site_hash: facts.site_hash.clone(),
                key_id: facts.key_id.clone(),
                absorbed_by: self.absorbed_by(open, rule, rules),
                absorbs: self.absorbs(open, rule),
                without: facts.without.clone(),
                late: false,
                pending: open.pending && activity != Activity::Close,
            },
        })
    }

    /// The finding made earliest that explains this one and was made no later than it.
    fn absorbed_by(&self, open: &Open, rule: &Rule, rules: &[Rule]) -> Option<String> {
        let explains = rules.iter().flat_map(|r| r.absorbs.iter().filter(|a| a.code == rule.code).map(move |a| (r, a)));
        let found = explains.flat_map(|(other, absorb)| {
            let made = self.made.get(&other.code).into_iter().flatten();
            made.filter(|m| m.made <= open.made && same(&absorb.by, &m.by, &open.by)).map(|m| (m.made, m.uid.clone()))
        });
        found.min().map(|(_, uid)| uid)
    }

    /// Findings made before this one that it explains.
    fn absorbs(&self, open: &Open, rule: &Rule) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for absorb in &rule.absorbs {
            let made = self.made.get(&absorb.code).into_iter().flatten();
            out.extend(made.filter(|m| m.made < open.made && same(&absorb.by, &open.by, &m.by)).map(|m| m.uid.clone()));
        }
        out.sort();
        out.dedup();
        out.truncate(MOST_EVIDENCE);
        out
    }
}

fn same(by: &[String], a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> bool {
    !by.is_empty() && by.iter().all(|column| matches!((a.get(column), b.get(column)), (Some(x), Some(y)) if x == y && !x.is_empty()))
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| (&a.code, a.entity()).cmp(&(&b.code, b.entity())));
}

impl Open {
    /// Highest severity, then least `at`, then least text.
    fn fold(&mut self, hit: Hit) {
        let better = hit.severity > self.severity
            || hit.severity == self.severity && (hit.at, &hit.message) < (self.pick.0, &self.pick.1);
        if better || self.times.is_empty() {
            self.severity = hit.severity;
            self.pick = (hit.at, hit.message);
            self.window = hit.window;
            self.by = hit.by;
        }
        if self.times.len() < MOST_TIMES {
            self.times.insert(hit.at);
        }
        self.made = self.made.min(hit.made);
        for proof in hit.proofs {
            self.clear &= proof.clear;
            self.proofs.insert(proof.key, proof.evidence);
            if self.proofs.len() > MOST_EVIDENCE {
                self.proofs.pop_last();
            }
        }
    }
}
