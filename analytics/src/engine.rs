//! Rows in, findings out.
//!
//! Windows tumble on the watermark. A window is judged once no row can come that it would have to see; windows of all rules are
//! run in the order of the moments at which that is so, and what is found at one moment is written together. Rules on single rows
//! do not wait for the watermark. A query that fails ends its rule, which is then counted among those that were not evaluated:
//! one row that somebody crafted must not stop the judging of all others.
mod resume;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::array::RecordBatch;
use lidr_rules::{Rule, Window};
use lidr_schema::{TableId, dynamic::conform};
use serde::{Deserialize, Serialize};

use crate::{
    EngineError, EngineStats, Finding, NotEvaluated, Site,
    blind::{Blind, Blindness, Waits, can_be_suspended},
    fold::{Facts, Fold, Hit},
    held::Held,
    judge::Moment,
    plan::Planner,
    rows::{Rows, dues},
    runs::{self, Reach, Run},
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerOrigin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Offset of the message that carried the batch.
    pub first_offset: i64,
    /// The rows tell of the message and were not in it: reading it again does not bring them back.
    pub beside: bool,
}

/// The rule engine: single-threaded, no wall clock.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<Rule>,
    /// Rules that the site lacks something for; they are planned once it does not any more.
    absent: Vec<Rule>,
    options: EngineOptions,
    states: Vec<State>,
    facts: Vec<Facts>,
    planner: Planner,
    site: Site,
    rows: Rows,
    fold: Fold,
    waits: Waits,
    blindness: Blindness,
    /// Whether blindness that no window to come may overlap is kept, for a report.
    keeps_blindness: bool,
    /// Results on single rows that are not written yet, by the moment they were made.
    waiting: BTreeMap<i64, Vec<(usize, Hit)>>,
    watermark: i64,
    due: Option<(i64, i64)>,
    /// What a snapshot needs to know of the messages, where snapshots are made.
    held: Option<Held>,
    /// Of messages that are read again: which watermark they came behind.
    late: resume::LateMessages,
    stats: EngineStats,
}

/// Greatest distance of a `due` from the epoch, µs: arithmetic on windows stays far from its limits.
pub(crate) const MOST_TIME: i64 = 40_000_000_000_000_000;

impl Engine {
    /// Plans every rule once.
    ///
    /// # Errors
    /// If a rule does not plan; the error names its file.
    pub fn new(rules: &[Rule], site: Site, options: EngineOptions) -> Result<Self, EngineError> {
        let planner = Planner::new(&site).map_err(EngineError::Setup)?;
        let mut stats = EngineStats { loaded: rules.len(), ..EngineStats::default() };
        let (mut kept, mut states, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules {
            if let Some(reason) = lacks(rule, &site) {
                stats.not_evaluated.push(NotEvaluated { code: rule.code.clone(), reason, partly: false });
                absent.push(rule.clone());
                continue;
            }
            states.push(State::new(rule, &planner, &site, &options)?);
            kept.push(rule.clone());
        }
        stats.evaluated = kept.len();
        stats.not_evaluated.sort();
        let facts = states.iter().map(|s| s.facts.clone()).collect();
        let mut engine = Self {
            rules: kept,
            absent,
            options,
            states,
            facts,
            planner,
            site,
            rows: Rows::default(),
            fold: Fold::default(),
            waits: Waits::default(),
            blindness: Blindness::default(),
            keeps_blindness: false,
            waiting: BTreeMap::new(),
            watermark: i64::MIN,
            due: None,
            held: None,
            late: BTreeMap::new(),
            stats,
        };
        engine.relate();
        Ok(engine)
    }

    /// What the rules at hand mean for each other: whom a blind sensor suspends, and who waits for that.
    fn relate(&mut self) {
        let suspended = self.rules.iter().filter(|r| can_be_suspended(r)).map(|r| r.code.clone());
        let suspended: Vec<String> = suspended.collect();
        for ((rule, state), facts) in self.rules.iter().zip(&mut self.states).zip(&mut self.facts) {
            if rule.suspends {
                facts.suspends = suspended.iter().filter(|code| **code != rule.code).cloned().collect();
                state.facts.suspends.clone_from(&facts.suspends);
            }
        }
        self.waits = Waits::of(&self.rules);
        self.fold.wait(self.waits.clone());
    }

    /// The greatest `due` of all that came: rows due up to it may have gone that no rule of then needed.
    fn seen(&self) -> i64 {
        self.due.map_or(self.watermark, |(_, last)| last.max(self.watermark))
    }

    /// Takes rows of one table, in any order that the watermark allows.
    ///
    /// # Errors
    /// If they are not rows of that table.
    pub fn push(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        broker: Option<Arc<BrokerOrigin>>,
    ) -> Result<(), EngineError> {
        if batch.num_rows() == 0 || self.watermark == i64::MAX {
            return Ok(());
        }
        let batch = fitting(table, &batch)?;
        let due = dues(&batch).map(|d| d.values().to_vec()).unwrap_or_default();
        self.stats.rows += batch.num_rows() as u64;
        self.stats.late += due.iter().filter(|d| **d <= self.watermark).count() as u64;
        if let Some(held) = &mut self.held
            && let (Some(least), Some(most)) = (due.iter().min(), due.iter().max())
        {
            held.push(table, &batch, broker.as_ref(), (*least, *most), self.watermark);
        }
        let Some((least, most)) = self.rows.push(table, batch, broker) else { return Ok(()) };
        let after = self.watermark.saturating_add(1);
        let (first, last) = self.due.unwrap_or((least.max(after), most.max(after)));
        self.due = Some((first.min(least.max(after)), last.max(most.max(after))));
        self.stats.peak_rows = self.rows.peak;
        Ok(())
    }

    /// Rules without a window judge rows as they come, whatever the watermark.
    fn arrive(&mut self) -> Result<(), EngineError> {
        let kept: BTreeSet<TableId> = self.windowed().flat_map(|(_, state)| state.reads()).collect();
        let runs = self.rows.arrivals(self.watermark, |table| kept.contains(&table));
        for run in runs.map_err(|e| EngineError::Setup(e.to_string()))? {
            let seen = run.seen(0, run.len()).map_err(|e| EngineError::Setup(e.to_string()))?;
            for (number, (rule, state)) in self.rules.iter().zip(&mut self.states).enumerate() {
                if rule.window.is_some() || !state.can_judge() || !state.events.contains(&run.table()) {
                    continue;
                }
                let (hits, took) = timed(|| state.run_on(rule, &self.planner, &self.site, &run, &seen));
                *self.stats.seconds.entry(rule.code.clone()).or_default() += took;
                for hit in state.judged(hits) {
                    self.waiting.entry(hit.made).or_default().push((number, hit));
                }
            }
        }
        Ok(())
    }

    fn windowed(&self) -> impl Iterator<Item = (&Rule, &State)> {
        self.rules.iter().zip(&self.states).filter(|(rule, _)| rule.window.is_some())
    }

    /// Judges what is due: no later row has `due` at or below the watermark. `i64::MAX` only notes that the input has ended:
    /// [`Engine::finish`] must follow.
    ///
    /// # Errors
    /// If rows cannot be put in order; a query that fails only ends its rule.
    pub fn advance(&mut self, watermark: i64) -> Result<Vec<Finding>, EngineError> {
        self.arrive()?;
        if watermark > self.watermark && watermark < i64::MAX {
            self.settle(watermark)?;
        }
        let until = self.watermark.saturating_add(1);
        let out = self.judge(Reach { until, close: until, end: None, open: false });
        self.forget();
        Ok(out)
    }

    /// Judges what is open although more may come, for nothing has for a while and everybody has ended: the watermark is the
    /// greatest `due`, windows that hold rows run. The one that holds the newest row stays open, so that what follows in it is
    /// judged together with what was there.
    ///
    /// # Errors
    /// If rows cannot be put in order; a query that fails only ends its rule.
    pub fn rest(&mut self, end: i64) -> Result<Vec<Finding>, EngineError> {
        self.arrive()?;
        let Some((_, last)) = self.due.filter(|_| self.watermark < i64::MAX) else { return Ok(Vec::new()) };
        if last > self.watermark {
            self.settle(last)?;
        }
        let mut out = self.judge(Reach {
            until: i64::MAX,
            close: self.watermark.saturating_add(1),
            end: Some(end.max(last)),
            open: true,
        });
        for (rule, state) in self.rules.iter().zip(&mut self.states) {
            let Some(w) = rule.window else { continue };
            let newest = last.div_euclid(w.size);
            state.next = state.next.map(|next| next.min(newest));
            state.next_pending = state.next_pending.map(|next| next.min(newest));
        }
        out.extend(self.fold.refresh(&self.rules, &self.facts));
        self.forget();
        Ok(out)
    }

    /// Judges what is still open; `end` is the greatest clock or `due` of the input.
    ///
    /// # Errors
    /// If rows cannot be put in order; a query that fails only ends its rule.
    pub fn finish(&mut self, end: i64) -> Result<Vec<Finding>, EngineError> {
        self.arrive()?;
        self.settle(i64::MAX)?;
        let end = end.max(self.due.map_or(i64::MIN, |(_, last)| last));
        let out = self.judge(Reach { until: i64::MAX, close: i64::MAX, end: Some(end), open: false });
        self.forget();
        Ok(out)
    }

    fn settle(&mut self, watermark: i64) -> Result<(), EngineError> {
        self.watermark = watermark;
        self.rows.settle(watermark).map_err(|e| EngineError::Setup(e.to_string()))
    }

    /// Everything within reach and every result on a single row, moment by moment.
    fn judge(&mut self, reach: Reach) -> Vec<Finding> {
        let mut out = Vec::new();
        let mut runs = self.next_runs(reach);
        loop {
            let row = self.waiting.keys().next().copied();
            let run = runs.first().map(|r| r.moment);
            let Some(moment) = [row, run].into_iter().flatten().min() else { break };
            out.extend(self.fold.close(moment.min(reach.close), &self.rules, &self.facts));
            for (number, hit) in self.waiting.remove(&moment).unwrap_or_default() {
                self.add(number, hit);
            }
            if run == Some(moment) {
                for run in runs.iter().filter(|r| r.moment == moment) {
                    self.window(*run, reach);
                }
                runs = self.next_runs(reach);
            }
            out.extend(self.fold.moment(&self.rules, &self.facts));
        }
        out.extend(self.fold.close(reach.close, &self.rules, &self.facts));
        out
    }

    /// What a query failed with, if one did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.states.iter().find_map(|s| s.failed.as_deref())
    }

    /// Findings that are open, as their last lines would be now.
    pub(crate) fn open(&self) -> Vec<Finding> {
        self.fold.lines(&self.rules, &self.facts)
    }

    fn add(&mut self, number: usize, hit: Hit) {
        if let Some(rule) = self.rules.get(number) {
            self.fold.add(number, rule, hit);
        }
    }

    fn next_runs(&self, reach: Reach) -> Vec<Run> {
        let Some(range) = self.due else { return Vec::new() };
        runs::next(&self.rules, &self.states, &self.rows, &self.waits, range, reach)
    }

    /// Suspending rules that have failed.
    fn deaf(&self) -> Vec<Blind> {
        let failed =
            self.rules.iter().zip(&self.states).filter(|(rule, state)| rule.suspends && state.failed.is_some());
        failed.map(|(rule, _)| Blind::everywhere(rule)).collect()
    }

    fn window(&mut self, run: Run, reach: Reach) {
        let deaf = self.deaf();
        let (Some(rule), Some(state)) = (self.rules.get(run.rule), self.states.get_mut(run.rule)) else { return };
        let Some(Window { size, before, after, .. }) = rule.window else { return };
        let (start, stop) = (run.window * size, (run.window + 1) * size);
        let until = if run.full { stop + after } else { stop };
        if run.full {
            state.next = Some(run.window + 1);
        } else {
            state.next_pending = Some(run.window + 1);
        }
        state.note(&self.rows, run.window, (start - before, until));
        // A window that stays open runs again: it counts then, and must not find its own rows in memory.
        let stays = reach.open && self.due.is_some_and(|(_, last)| last < stop);
        state.windows += u64::from(run.full && !stays);
        // What was not seen may still have been to come, or have been where nobody looked.
        let past = rule.absence && reach.end.is_some_and(|end| until > end);
        let blind: BTreeSet<&Blind> = match can_be_suspended(rule) {
            true => self.blindness.over(start - before, until).into_iter().chain(&deaf).collect(),
            false => BTreeSet::new(),
        };
        let lacks = state.lacks.is_some();
        let judged = !past && !lacks && blind.is_empty();
        if lacks {
            state.missed += u64::from(run.full && !stays);
        } else if past {
            state.past_end += 1;
        } else if !judged && run.full && !stays {
            state.suspended.add(&blind);
        } else if judged {
            let moment = Moment { window: Some((start, stop)), made: Some(stop + after), pending: !run.full };
            let (hits, took) =
                timed(|| state.run(rule, &self.planner, &self.site, &self.rows, (start - before, until), moment));
            *self.stats.seconds.entry(rule.code.clone()).or_default() += took;
            let hits = state.judged(hits);
            self.blindness.mark(rule, (start, stop), &hits);
            for hit in hits {
                self.fold.add(run.rule, rule, hit);
            }
        }
        if !run.full || state.failed.is_some() {
            return;
        }
        if !stays {
            let learnt = state.learn(rule, &self.planner, &self.rows, start, stop);
            state.sound(learnt);
        }
        if rule.pending.is_some() && judged {
            self.fold.unconfirmed(run.rule, (start, stop));
        }
    }

    /// Lets go of rows that no window to come may see.
    fn forget(&mut self) {
        let mut needed: BTreeMap<TableId, i64> = BTreeMap::new();
        let mut dark = i64::MAX;
        for (rule, state) in self.windowed().filter(|(_, s)| s.failed.is_none()) {
            let Some(w) = rule.window else { continue };
            let from = state.next.map_or(i64::MIN, |next| next * w.size - w.before);
            if can_be_suspended(rule) {
                dark = dark.min(from);
            }
            // An early run never comes after the full one, so the full one's rows are enough for both.
            for table in state.reads() {
                needed.entry(table).and_modify(|n| *n = from.min(*n)).or_insert(from);
            }
        }
        if !self.keeps_blindness {
            self.blindness.forget(dark);
        }
        let edge = |table: TableId| needed.get(&table).copied().unwrap_or(i64::MAX);
        self.rows.forget(edge);
        if let Some(held) = &mut self.held {
            held.forget(edge);
        }
    }

    /// Judges with this site from the next window on: what one call of [`Engine::advance`] judges, it judges with one copy. Memories
    /// that a table seeded stay as they were. Rules for which a table is missing now are not judged until it is back, and rules
    /// for which one was missing are judged from the first window of which they see every row.
    pub fn replace_site(&mut self, site: Site) {
        self.planner.meet(&site);
        for ((rule, state), facts) in self.rules.iter().zip(&mut self.states).zip(&mut self.facts) {
            state.meet(rule, &site);
            facts.without.clone_from(&state.facts.without);
        }
        for rule in std::mem::take(&mut self.absent) {
            let ready = lacks(&rule, &site).is_none();
            match ready.then(|| State::new(&rule, &self.planner, &site, &self.options)) {
                Some(Ok(state)) => self.join(rule, state),
                Some(Err(why)) => {
                    tracing::warn!("{} cannot be evaluated: {why}", rule.code);
                    self.absent.push(rule);
                }
                None => self.absent.push(rule),
            }
        }
        self.site = site;
        self.relate();
    }

    /// Takes a rule in that could not be judged until now.
    fn join(&mut self, rule: Rule, mut state: State) {
        tracing::info!("{} is evaluated from now on", rule.code);
        if self.watermark > i64::MIN {
            state.begin(&rule, self.seen());
        }
        self.stats.not_evaluated.retain(|not| not.code != rule.code);
        self.stats.evaluated += 1;
        self.facts.push(state.facts.clone());
        self.rules.push(rule);
        self.states.push(state);
    }

    /// The site that judges.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// Keeps all blindness that is found, for [`Engine::blind`].
    pub(crate) const fn keep_blindness(&mut self) {
        self.keeps_blindness = true;
    }

    /// Which sensor was found blind, from when until when.
    pub(crate) fn blind(&self) -> Vec<(String, i64, i64)> {
        self.blindness.spans()
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let mut stats = self.stats.clone();
        for (rule, state) in self.rules.iter().zip(&self.states) {
            if state.suspended.windows > 0 {
                stats.suspended.insert(rule.code.clone(), state.suspended.windows);
            }
            let Some((reason, partly)) = state.reason() else { continue };
            stats.evaluated -= usize::from(!partly);
            stats.not_evaluated.push(NotEvaluated { code: rule.code.clone(), reason, partly });
        }
        stats.not_evaluated.sort();
        let forgotten: u64 = self.states.iter().map(State::forgotten).sum();
        for (bound, n) in [
            ("memory", forgotten),
            ("absorb_list", self.fold.forgotten),
            ("open_findings", self.fold.closed_early),
            ("snapshot_notes", self.held.as_ref().map_or(0, |h| h.forgotten)),
        ] {
            if n > 0 {
                stats.dropped.insert(bound, n);
            }
        }
        stats
    }
}

/// The rows in the present schema of their table, if they are rows of it.
fn fitting(table: TableId, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
    let misfit = |message: String| EngineError::Rows { table: table.name().to_owned(), message };
    let batch = conform(batch, &table.def().schema()).map_err(|e| misfit(e.to_string()))?;
    let due = dues(&batch).into_iter().flat_map(|d| d.values());
    if due.into_iter().any(|d| d.unsigned_abs() > MOST_TIME.unsigned_abs()) {
        return Err(misfit("`due` is no time of this or the next thousand years".to_owned()));
    }
    Ok(batch)
}
