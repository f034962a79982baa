//! Rows in, findings out.
//!
//! Windows tumble on the watermark. A window is judged once no row can come that it would have to see; windows of all rules are
//! run in the order of the moments at which that is so, and what is found at one moment is written together. Results of rules on
//! single rows wait for the watermark to pass them, so that lines come in one order whatever the batches were.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use lidr_rules::{Rule, Window};
use lidr_schema::TableId;

use crate::{
    EngineError, Finding, Site,
    fold::{Facts, Fold, Hit},
    judge::Moment,
    plan::Planner,
    rows::Rows,
    state::{State, lacks},
    stopwatch::timed,
};

/// What a run decides beside the rules and the site.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// Values that the site changes: by rule code, then by name.
    pub tunables: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

/// Where a batch stood in a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerOrigin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Offset of the message that carried the batch.
    pub first_offset: i64,
}

/// A rule that was not evaluated, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct NotEvaluated {
    /// Catalogue code of the rule.
    pub code: String,
    /// What it would have needed.
    pub reason: String,
}

/// What the engine did.
#[derive(Clone, Debug, Default)]
pub struct EngineStats {
    /// Rules given.
    pub loaded: usize,
    /// Rules that judged, or would have if there had been rows.
    pub evaluated: usize,
    /// Rules that could not judge, in the order of their codes.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Time spent in each rule, by code.
    pub seconds: BTreeMap<String, Duration>,
    /// Rows pushed.
    pub rows: u64,
    /// Rows that came behind the watermark.
    pub late: u64,
    /// Most rows held at once.
    pub peak_rows: u64,
    /// What was dropped at a bound, by bound.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// The rule engine: single-threaded, no wall clock.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<Rule>,
    states: Vec<State>,
    facts: Vec<Facts>,
    planner: Planner,
    site: Site,
    rows: Rows,
    fold: Fold,
    /// Results on single rows that the watermark has not passed.
    waiting: BTreeMap<i64, Vec<(usize, Hit)>>,
    watermark: i64,
    due: Option<(i64, i64)>,
    stats: EngineStats,
}

/// A run that is due at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    moment: i64,
    rule: usize,
    window: i64,
    full: bool,
}

impl Engine {
    /// Plans every rule once.
    ///
    /// # Errors
    /// If a rule does not plan; the error names its file.
    pub fn new(rules: &[Rule], site: Site, options: EngineOptions) -> Result<Self, EngineError> {
        let planner = Planner::new(site.zones()).map_err(EngineError::Setup)?;
        let mut stats = EngineStats { loaded: rules.len(), ..EngineStats::default() };
        let (mut kept, mut states) = (Vec::new(), Vec::new());
        for rule in rules {
            if let Some(reason) = lacks(rule, &site) {
                stats.not_evaluated.push(NotEvaluated { code: rule.code.clone(), reason });
                continue;
            }
            states.push(State::new(rule, &planner, &site, &options)?);
            kept.push(rule.clone());
        }
        stats.evaluated = kept.len();
        stats.not_evaluated.sort();
        let facts = states.iter().map(|s| s.facts.clone()).collect();
        Ok(Self {
            rules: kept,
            states,
            facts,
            planner,
            site,
            rows: Rows::default(),
            fold: Fold::default(),
            waiting: BTreeMap::new(),
            watermark: i64::MIN,
            due: None,
            stats,
        })
    }

    /// Takes rows of one table, in any order that the watermark allows.
    ///
    /// # Errors
    /// If they are not rows of that table.
    pub fn push(&mut self, table: TableId, batch: RecordBatch, broker: Option<Arc<BrokerOrigin>>) -> Result<(), EngineError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.stats.rows += batch.num_rows() as u64;
        self.single_rows(table, &batch, broker.clone())?;
        let Some((least, most)) = self.rows.push(table, batch, broker) else {
            return Err(EngineError::Rows { table: table.name().to_owned(), message: "there is no column `due`".to_owned() });
        };
        if least <= self.watermark {
            self.stats.late += 1;
        }
        let (first, last) = self.due.unwrap_or((least, most));
        self.due = Some((first.min(least), last.max(most)));
        self.stats.peak_rows = self.rows.peak;
        Ok(())
    }

    /// Rules without a window judge rows as they come.
    fn single_rows(&mut self, table: TableId, batch: &RecordBatch, broker: Option<Arc<BrokerOrigin>>) -> Result<(), EngineError> {
        for (number, (rule, state)) in self.rules.iter().zip(&mut self.states).enumerate() {
            if rule.window.is_some() || !state.events.contains(&table) {
                continue;
            }
            let mut only = Rows::default();
            only.push(table, batch.clone(), broker.clone());
            let moment = Moment { window: None, made: None, pending: false };
            let edges = (i64::MIN, i64::MAX, i64::MIN, i64::MAX);
            let (hits, took) = timed(|| state.run(rule, &self.planner, &self.site, &mut only, edges, moment));
            *self.stats.seconds.entry(rule.code.clone()).or_default() += took;
            for hit in hits? {
                self.waiting.entry(hit.made).or_default().push((number, hit));
            }
        }
        Ok(())
    }

    /// Judges what is due: no later row has `due` at or below the watermark. `i64::MAX` only notes that the input has ended:
    /// [`Engine::finish`] must follow.
    ///
    /// # Errors
    /// If a query fails.
    pub fn advance(&mut self, watermark: i64) -> Result<Vec<Finding>, EngineError> {
        if watermark <= self.watermark || watermark == i64::MAX {
            return Ok(Vec::new());
        }
        self.watermark = watermark;
        let out = self.judge(watermark.saturating_add(1), None)?;
        self.rows.forget(self.needed());
        Ok(out)
    }

    /// Judges what is still open; `end` is the greatest clock or `due` of the input.
    ///
    /// # Errors
    /// If a query fails.
    pub fn finish(&mut self, end: i64) -> Result<Vec<Finding>, EngineError> {
        self.watermark = i64::MAX;
        let end = end.max(self.due.map_or(i64::MIN, |(_, last)| last));
        self.judge(i64::MAX, Some(end))
    }

    /// Everything whose moment is at or before `until`, moment by moment.
    fn judge(&mut self, until: i64, end: Option<i64>) -> Result<Vec<Finding>, EngineError> {
        let mut out = Vec::new();
        loop {
            let runs = self.next_runs(until);
            let row = self.waiting.keys().next().copied().filter(|made| *made < until);
            let run = runs.first().map(|r| r.moment);
            let Some(moment) = [row, run].into_iter().flatten().min() else { break };
            out.extend(self.fold.close(moment, &self.rules, &self.facts));
            for (number, hit) in self.waiting.remove(&moment).unwrap_or_default() {
                self.add(number, hit);
            }
            for run in runs.into_iter().filter(|r| r.moment == moment) {
                self.window(run, end)?;
            }
            out.extend(self.fold.moment(&self.rules, &self.facts));
        }
        out.extend(self.fold.close(until, &self.rules, &self.facts));
        Ok(out)
    }

    fn add(&mut self, number: usize, hit: Hit) {
        if let Some(rule) = self.rules.get(number) {
            self.fold.add(number, rule, hit);
        }
    }

    /// Each rule's next run, if it is due, in the order of moments.
    fn next_runs(&mut self, until: i64) -> Vec<Run> {
        let Some((first, last)) = self.due else { return Vec::new() };
        let mut out = Vec::new();
        for (number, (rule, state)) in self.rules.iter().zip(&mut self.states).enumerate() {
            let Some(w) = rule.window else { continue };
            let full = *state.next.get_or_insert(first.div_euclid(w.size));
            let early = *state.next_pending.get_or_insert(full);
            let candidates = [
                (full, (full + 1) * w.size + w.after, true),
                (early, (early + 1) * w.size, false),
            ];
            for (window, moment, is_full) in candidates {
                let wanted = is_full || rule.pending.is_some();
                if wanted && moment <= until && window * w.size <= last {
                    out.push(Run { moment, rule: number, window, full: is_full });
                }
            }
        }
        out.sort();
        out
    }

    fn window(&mut self, run: Run, end: Option<i64>) -> Result<(), EngineError> {
        let (Some(rule), Some(state)) = (self.rules.get(run.rule), self.states.get_mut(run.rule)) else { return Ok(()) };
        let Some(Window { size, before, after }) = rule.window else { return Ok(()) };
        let (start, stop) = (run.window * size, (run.window + 1) * size);
        let until = if run.full { stop + after } else { stop };
        if run.full {
            state.next = Some(run.window + 1);
        } else {
            state.next_pending = Some(run.window + 1);
        }
        // What was not seen may still have been to come.
        let blind = rule.absence && end.is_some_and(|end| until > end);
        if !blind {
            let moment = Moment { window: Some((start, stop)), made: Some(stop + after), pending: !run.full };
            let edges = (start, stop, start - before, until);
            let (hits, took) = timed(|| state.run(rule, &self.planner, &self.site, &mut self.rows, edges, moment));
            *self.stats.seconds.entry(rule.code.clone()).or_default() += took;
            for hit in hits? {
                self.fold.add(run.rule, rule, hit);
            }
        }
        if run.full {
            state.learn(rule, &self.planner, &mut self.rows, start, stop)?;
            if rule.pending.is_some() {
                self.fold.unconfirmed(run.rule, (start, stop));
            }
        }
        Ok(())
    }

    /// The least `due` that a window still to come may see.
    fn needed(&self) -> i64 {
        let each = self.rules.iter().zip(&self.states).filter_map(|(rule, state)| {
            let w = rule.window?;
            Some(state.next.map_or(i64::MIN, |next| next * w.size - w.before))
        });
        each.min().unwrap_or(i64::MAX)
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let mut stats = self.stats.clone();
        let forgotten: u64 = self.states.iter().map(State::forgotten).sum();
        for (bound, n) in [("memory", forgotten), ("absorb_list", self.fold.forgotten)] {
            if n > 0 {
                stats.dropped.insert(bound, n);
            }
        }
        stats
    }
}
