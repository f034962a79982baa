//! Results with one id are one finding: raised, folded, absorbed and closed (contracts: finding).
//!
//! Everything here is decided by event time: `at` chooses the bucket, `made` (when the window could be judged) decides who absorbs
//! whom, and lines of one moment are written in (code, entity) order. What ran first never shows.
mod saved;

use std::collections::{BTreeMap, BTreeSet};

use lidr_rules::Rule;
use lidr_schema::{
    RowKey,
    finding::{Activity, Confidence, Evidence, Resource, Severity, uid},
};
pub(crate) use saved::Saved;
use serde::{Deserialize, Serialize};

use crate::{Finding, absorb::Absorbing, blind::Waits, finding::Own, proof::Proof};

/// Rows that a finding shows.
const MOST_EVIDENCE: usize = 20;
/// Distinct times of one bucket that are kept to tell them apart; later ones count if they are later than all before.
const MOST_TIMES: usize = 4_096;
/// Findings that are open at once; beyond them the one that would close first gets its last line early.
const MOST_OPEN: usize = 100_000;

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
    /// Which copy of the site it was judged with.
    pub(crate) site_hash: String,
}

/// What the engine knows of a rule beside the rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) key_id: String,
    pub(crate) without: Vec<String>,
    /// Rules that its findings suspend.
    pub(crate) suspends: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    /// Its ordinal among the rules of this run.
    #[serde(skip)]
    rule: usize,
    entity: Vec<Resource>,
    closes: i64,
    severity: Severity,
    pick: (i64, String),
    window: Option<(i64, i64)>,
    site_hash: String,
    times: Times,
    #[serde(with = "crate::snapshot::pairs")]
    proofs: BTreeMap<RowKey, Evidence>,
    clear: bool,
    late: bool,
    made: i64,
    pending: bool,
    /// Announced by the early run and not confirmed by the full one.
    refuted: bool,
    by: BTreeMap<String, String>,
    written: Option<Written>,
}

/// What the last line said.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Written {
    severity: Severity,
    pending: bool,
    digest: String,
}

impl Written {
    fn of(line: &Finding) -> Self {
        Self { severity: line.severity, pending: line.lidr.pending, digest: line.digest() }
    }
}

/// Distinct times.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Times {
    kept: BTreeSet<i64>,
    first: Option<i64>,
    last: Option<i64>,
    count: u64,
}

impl Times {
    fn add(&mut self, at: i64) {
        let new = match self.kept.len() < MOST_TIMES {
            true => self.kept.insert(at),
            false => self.last.is_none_or(|last| at > last),
        };
        self.count += u64::from(new);
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }
}

/// Findings that are open.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    open: BTreeMap<String, Open>,
    closing: BTreeSet<(i64, String)>,
    touched: BTreeSet<String>,
    absorbing: Absorbing,
    waits: Waits,
    /// Ids dropped from the list that absorbing looks at.
    pub(crate) forgotten: u64,
    /// Findings whose last line was written before their bucket's end.
    pub(crate) closed_early: u64,
}

/// The bucket of a time, and when it can be closed.
fn bucket(rule: &Rule, at: i64, waits: &Waits) -> (i64, i64) {
    let length = rule.bucket.max(1);
    let start = at.div_euclid(length) * length;
    let end = start + length;
    // The last window that may still find something in the bucket covers its last microsecond.
    let closes = rule.window.map_or(end, |w| waits.moment(rule, ((end - 1).div_euclid(w.size) + 1) * w.size + w.after));
    (start, closes)
}

impl Fold {
    /// Runs wait so, as they do in the engine.
    pub(crate) fn wait(&mut self, waits: Waits) {
        self.waits = waits;
    }

    /// Adds a result.
    pub(crate) fn add(&mut self, number: usize, rule: &Rule, hit: Hit) {
        let (start, closes) = bucket(rule, hit.at, &self.waits);
        let names: Vec<String> = hit.entity.iter().map(|r| r.name.clone()).collect();
        let uid = uid(&rule.code, rule.version, &names, start);
        if let Some(open) = self.open.get_mut(&uid) {
            if hit.pending && !open.pending {
                return;
            }
            if open.pending && !hit.pending {
                // The full run judges anew what the early run only announced.
                open.pending = false;
                open.times = Times::default();
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
            site_hash: String::new(),
            times: Times::default(),
            proofs: BTreeMap::new(),
            clear: true,
            late: false,
            made: hit.made,
            pending: hit.pending,
            refuted: false,
            by: BTreeMap::new(),
            written: None,
        };
        open.fold(hit);
        self.touched.insert(uid.clone());
        self.closing.insert((closes, uid.clone()));
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
            let Some(open) = self.open.get(uid) else { continue };
            let Some(rule) = rules.get(open.rule) else { continue };
            self.forgotten += self.absorbing.note(rules, rule, uid, open.made, &open.by);
        }
        let mut out = Vec::new();
        for uid in touched {
            let Some(open) = self.open.get(&uid) else { continue };
            let closed = open.refuted;
            let activity = match (&open.written, closed) {
                (Some(_), true) => Activity::Close,
                (None, _) => Activity::Create,
                (Some(before), false) if open.severity > before.severity || before.pending && !open.pending => {
                    Activity::Update
                }
                _ => continue,
            };
            if let Some(finding) = self.line(&uid, activity, rules, facts) {
                self.keep(&uid, &finding, closed);
                out.push(finding);
            }
        }
        out.extend(self.crowded(rules, facts));
        sort(&mut out);
        out
    }

    /// Last lines of the buckets that close before that time.
    pub(crate) fn close(&mut self, before: i64, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let mut out: Vec<(i64, Finding)> = Vec::new();
        while let Some((closes, uid)) = self.closing.first().filter(|(closes, _)| *closes < before).cloned() {
            self.closing.remove(&(closes, uid.clone()));
            out.extend(self.last(&uid, rules, facts).map(|line| (closes, line)));
        }
        out.sort_by(|a, b| (a.0, &a.1.code, a.1.entity()).cmp(&(b.0, &b.1.code, b.1.entity())));
        out.into_iter().map(|(_, line)| line).collect()
    }

    /// Makes room at the bound.
    fn crowded(&mut self, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let mut out = Vec::new();
        while self.open.len() > MOST_OPEN
            && let Some((_, uid)) = self.closing.pop_first()
        {
            self.closed_early += 1;
            out.extend(self.last(&uid, rules, facts));
        }
        out
    }

    /// The last line of a finding, if it says anything new; the finding is not open any more.
    fn last(&mut self, uid: &str, rules: &[Rule], facts: &[Facts]) -> Option<Finding> {
        let line = self.line(uid, Activity::Update, rules, facts);
        let open = self.open.remove(uid)?;
        line.filter(|line| open.written.is_none_or(|before| before.digest != line.digest()))
    }

    /// Lines of what has changed since it was written; the findings stay open.
    pub(crate) fn refresh(&mut self, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let mut out = self.lines(rules, facts);
        out.retain(|line| {
            let Some(open) = self.open.get_mut(&line.uid) else { return false };
            let now = Written::of(line);
            let new = open.written.as_ref().is_none_or(|before| before.digest != now.digest);
            open.written = Some(now);
            new
        });
        out
    }

    /// Every open finding as its last line would be now.
    pub(crate) fn lines(&self, rules: &[Rule], facts: &[Facts]) -> Vec<Finding> {
        let mut out: Vec<Finding> =
            self.open.keys().filter_map(|uid| self.line(uid, Activity::Update, rules, facts)).collect();
        sort(&mut out);
        out
    }

    fn keep(&mut self, uid: &str, finding: &Finding, closed: bool) {
        if !closed {
            if let Some(open) = self.open.get_mut(uid) {
                open.written = Some(Written::of(finding));
            }
            return;
        }
        if let Some(open) = self.open.remove(uid) {
            self.closing.remove(&(open.closes, uid.to_owned()));
        }
        // What proved harmless explains nothing.
        self.absorbing.forget(uid);
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
            first_seen: open.times.first.unwrap_or(at),
            last_seen: open.times.last.unwrap_or(at),
            made: open.made,
            count: open.times.count,
            resources: open.entity.clone(),
            evidences: open.proofs.values().cloned().collect(),
            tags: rule.tags.clone(),
            lidr: Own {
                window: open.window,
                rule_sha256: rule.sha256.clone(),
                blind_spots: rule.blind_spots.clone(),
                benign_if: rule.benign_if.clone(),
                triage: rule.triage.clone(),
                site_hash: open.site_hash.clone(),
                key_id: facts.key_id.clone(),
                absorbed_by: self.absorbing.absorbed_by(rules, rule, open.made, &open.by),
                absorbs: self.absorbing.absorbs(rule, open.made, &open.by),
                without: facts.without.clone(),
                suspends: facts.suspends.clone(),
                late: open.late,
                pending: open.pending && activity != Activity::Close,
            },
        })
    }
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| (&a.code, a.entity()).cmp(&(&b.code, b.entity())));
}

impl Open {
    /// Highest severity, then least `at`, then least text.
    fn fold(&mut self, hit: Hit) {
        let better = hit.severity > self.severity
            || hit.severity == self.severity && (hit.at, &hit.message) < (self.pick.0, &self.pick.1);
        if better || self.times.count == 0 {
            self.severity = hit.severity;
            self.pick = (hit.at, hit.message);
            self.window = hit.window;
            self.site_hash = hit.site_hash;
            self.by = hit.by;
        }
        self.times.add(hit.at);
        self.made = self.made.min(hit.made);
        for proof in hit.proofs {
            self.clear &= proof.clear;
            self.late |= proof.late;
            self.proofs.insert(proof.key, proof.evidence);
            if self.proofs.len() > MOST_EVIDENCE {
                self.proofs.pop_last();
            }
        }
    }
}
