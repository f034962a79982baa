//! One rule in the engine: its plan, its memory, its next window.
mod saved;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow::array::RecordBatch;
use lidr_rules::{Body, Rule, site::needed};
use lidr_schema::TableId;

use crate::{
    EngineError, EngineOptions, Site,
    blind::Suspended,
    fold::{Facts, Hit},
    judge::{self, Moment, Seen},
    leaf::Slots,
    memory::Memory,
    message,
    plan::{Plan, Planner},
    rows::{Rows, Run, named},
};

/// Windows without rows that are judged in a row; a clock that jumps by years must not cost years.
const MOST_EMPTY: i64 = 10_000;

/// A rule that is judged.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<TableId>,
    memories: BTreeMap<String, Memory>,
    sites: Vec<String>,
    /// Ordinal of the next window whose full run is to come, and of the next early run.
    pub(crate) next: Option<i64>,
    pub(crate) next_pending: Option<i64>,
    pub(crate) facts: Facts,
    /// The last window that held rows.
    last_held: Option<i64>,
    /// Runs that judged, and runs that could not because their context goes past the end of the input.
    judged: u64,
    pub(crate) past_end: u64,
    /// Windows whose full run was due, and those of them in which a sensor was blind.
    pub(crate) windows: u64,
    pub(crate) suspended: Suspended,
    /// What the site that is at hand lacks, and windows that were not judged for it.
    pub(crate) lacks: Option<String>,
    pub(crate) missed: u64,
    /// Why the rule is judged no more.
    pub(crate) failed: Option<String>,
}

/// What the site lacks that the rule cannot do without.
pub(crate) fn lacks(rule: &Rule, site: &Site) -> Option<String> {
    let needs = || rule.needs.iter().map(|n| needed(n)).filter(|(table, _)| TableId::named(table).is_none());
    let missing: Vec<&str> = needs().map(|(table, _)| table).filter(|table| !site.has(table)).collect();
    if !missing.is_empty() {
        return Some(format!("needs site table {}", missing.join(", ")));
    }
    let empty = needs().find(|(table, columns)| !columns.is_empty() && !site.holds(table, columns));
    empty.map(|(table, columns)| format!("needs a value in column {} of site table {table}", columns.join(" or ")))
}

/// Site tables that the rule uses and has to do without.
fn without(rule: &Rule, site: &Site) -> Vec<String> {
    rule.uses.iter().filter(|n| TableId::named(n).is_none() && !site.has(n)).cloned().collect()
}

impl State {
    /// Plans a rule and its memories. What the pack holds is made ready when it first runs, for its tests have run it; anything else
    /// is now, so that its faults are known.
    pub(crate) fn new(
        rule: &Rule,
        planner: &Planner,
        site: &Site,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let wrong = |message: String| EngineError::Rule { file: rule.file.clone(), message };
        let tried = lidr_rules::is_packed(rule) && !options.tunables.contains_key(&rule.code);
        let mut memories = BTreeMap::new();
        for (name, def) in &rule.remembers {
            let mut plan = planner.memory(def).map_err(wrong)?;
            if !tried {
                planner.ready(&mut plan).map_err(wrong)?;
            }
            let memory = Memory::new(def, plan, site).map_err(wrong)?;
            planner.add(name, Arc::clone(&memory.schema)).map_err(wrong)?;
            memories.insert(name.clone(), memory);
        }
        let plan = plan(rule, planner, options);
        rule.remembers.keys().for_each(|name| planner.remove(name));
        let mut plan = plan.map_err(wrong)?;
        complete(rule, &plan).map_err(wrong)?;
        if !tried {
            planner.ready(&mut plan).map_err(wrong)?;
        }
        let events = plan.events();
        let sites = plan.tables.iter().filter(|t| lidr_rules::site::file_of(t).is_some()).cloned().collect();
        let facts = Facts { key_id: options.key_id.clone(), without: without(rule, site), suspends: Vec::new() };
        Ok(Self {
            plan,
            events,
            memories,
            sites,
            next: None,
            next_pending: None,
            facts,
            last_held: None,
            judged: 0,
            past_end: 0,
            windows: 0,
            suspended: Suspended::default(),
            lacks: None,
            missed: 0,
            failed: None,
        })
    }

    /// Makes all that it runs ready.
    pub(crate) fn ready(&mut self, planner: &Planner) -> Result<(), String> {
        planner.ready(&mut self.plan)?;
        self.memories.values_mut().try_for_each(|m| planner.ready(&mut m.plan).map(drop))
    }

    /// Whether it judges rows that come.
    pub(crate) const fn can_judge(&self) -> bool {
        self.failed.is_none() && self.lacks.is_none()
    }

    /// From now on the rule is judged with this site, or not at all for what it lacks.
    pub(crate) fn meet(&mut self, rule: &Rule, site: &Site) {
        let lacks = lacks(rule, site);
        match (&self.lacks, &lacks) {
            (None, Some(why)) => tracing::warn!("{} is not evaluated any more: {why}", rule.code),
            (Some(_), None) => tracing::info!("{} is evaluated again", rule.code),
            _ => {}
        }
        self.lacks = lacks;
        self.facts.without = without(rule, site);
    }

    /// Whether a window without rows is judged, too: something may follow from what was not seen, or from memory.
    pub(crate) fn judges_nothing(&self, rule: &Rule) -> bool {
        rule.absence || self.memories.iter().any(|(name, m)| !m.is_empty() && self.plan.direct.contains(name))
    }

    /// Event tables that the rule reads, its memories included.
    pub(crate) fn reads(&self) -> impl Iterator<Item = TableId> + '_ {
        self.events.iter().copied().chain(self.memories.values().map(|m| m.def.from))
    }

    /// The first window at or after `window` that has to be run: one with rows, or one that is judged without any, of which a
    /// long row is given up. `after` is the context that the run sees.
    pub(crate) fn next_window(&self, rule: &Rule, rows: &Rows, window: i64, after: i64) -> Option<i64> {
        let w = rule.window?;
        let due = self.reads().filter_map(|t| rows.next_due(t, window * w.size - w.before)).min();
        let held = due.map(|due| window.max((due - after).div_euclid(w.size)));
        let step = w.sweep.map_or(1, |sweep| (sweep / w.size).max(1));
        let swept = (window + step - 1).div_euclid(step) * step;
        let empty = (swept - self.last_held.unwrap_or(swept)) / step;
        if self.judges_nothing(rule) && empty <= MOST_EMPTY {
            Some(held.map_or(swept, |held| held.min(swept)))
        } else {
            held
        }
    }

    /// Notes a window that is about to run.
    pub(crate) fn note(&mut self, rows: &Rows, window: i64, (from, until): (i64, i64)) {
        if self.last_held.is_none() || self.reads().any(|t| rows.any(t, from, until)) {
            self.last_held = Some(window);
        }
    }

    /// Runs the rule on the rows due in [from, until).
    pub(crate) fn run(
        &mut self,
        rule: &Rule,
        planner: &Planner,
        site: &Site,
        rows: &Rows,
        (from, until): (i64, i64),
        moment: Moment,
    ) -> Result<Vec<Hit>, EngineError> {
        let mut slots = HashMap::new();
        for table in &self.events {
            let batches = rows.window(*table, from, until).map_err(|e| failed(rule, e.to_string()))?;
            slots.insert(table.name().to_owned(), batches);
        }
        self.judge(rule, planner, site, slots, &Seen(&|id| rows.row(id)), moment)
    }

    /// Runs the rule on rows of one table that have just come.
    pub(crate) fn run_on(
        &mut self,
        rule: &Rule,
        planner: &Planner,
        site: &Site,
        run: &Run,
        seen: &RecordBatch,
    ) -> Result<Vec<Hit>, EngineError> {
        let slots = HashMap::from([(run.table().name().to_owned(), vec![seen.clone()])]);
        let moment = Moment { window: None, made: None, pending: false };
        let find =
            |id: i64| named(id).filter(|(table, _)| *table == run.table()).and_then(|(_, ordinal)| run.row(ordinal));
        self.judge(rule, planner, site, slots, &Seen(&find), moment)
    }

    fn judge(
        &mut self,
        rule: &Rule,
        planner: &Planner,
        site: &Site,
        mut slots: HashMap<String, Vec<RecordBatch>>,
        seen: &Seen<'_>,
        moment: Moment,
    ) -> Result<Vec<Hit>, EngineError> {
        let (start, end) = moment.window.unwrap_or_default();
        self.context(site, start, &mut slots).map_err(|m| failed(rule, m))?;
        let slots = Slots::new(slots, Arc::clone(site.store()));
        let batches = planner.run(&mut self.plan, slots, (start, end)).map_err(|m| failed(rule, m))?;
        judge::hits(rule, site, &batches, seen, moment).map_err(|m| failed(rule, m))
    }

    fn context(
        &mut self,
        site: &Site,
        start: i64,
        slots: &mut HashMap<String, Vec<RecordBatch>>,
    ) -> Result<(), String> {
        for (name, memory) in &mut self.memories {
            slots.insert(name.clone(), vec![memory.table(start)?]);
        }
        for name in &self.sites {
            if let Some(table) = site.table(name) {
                slots.insert(name.clone(), vec![table.clone()]);
            }
        }
        Ok(())
    }

    /// Writes the memory from the rows due in [start, end), in row order.
    pub(crate) fn learn(
        &mut self,
        rule: &Rule,
        planner: &Planner,
        rows: &Rows,
        start: i64,
        end: i64,
    ) -> Result<(), EngineError> {
        for memory in self.memories.values_mut() {
            let table = memory.def.from;
            if !rows.any(table, start, end) {
                continue;
            }
            let batches = rows.window(table, start, end).map_err(|e| failed(rule, e.to_string()))?;
            let slots = HashMap::from([(table.name().to_owned(), batches)]);
            let slots = Slots::new(slots, Arc::default());
            let batches = planner.run(&mut memory.plan, slots, (start, end)).map_err(|m| failed(rule, m))?;
            memory.learn(&batches).map_err(|m| failed(rule, m))?;
        }
        Ok(())
    }

    /// The results of a run; a failure ends the rule.
    pub(crate) fn judged(&mut self, hits: Result<Vec<Hit>, EngineError>) -> Vec<Hit> {
        self.judged += 1;
        self.sound(hits).unwrap_or_default()
    }

    /// What came out, or nothing and the end of the rule.
    pub(crate) fn sound<T>(&mut self, result: Result<T, EngineError>) -> Option<T> {
        result.map_err(|error| self.failed = Some(error.to_string())).ok()
    }

    /// Why the rule is not evaluated, if that turned out on the way, and whether it is so in some windows only.
    pub(crate) fn reason(&self) -> Option<(String, bool)> {
        let past =
            || (self.past_end > 0 && self.judged == 0).then(|| "its windows go past the end of the input".to_owned());
        let missed = || {
            let (missed, of) = (self.missed, self.windows);
            (missed > 0).then(|| format!("a site table that it needs was missing in {missed} of {of} windows"))
        };
        let stopped = self.failed.clone().or_else(|| self.lacks.clone());
        let partly = stopped.is_none() && self.judged > 0;
        let reason = stopped.or_else(missed).or_else(|| self.suspended.reason(self.windows)).or_else(past)?;
        Some((reason, partly))
    }

    /// Entries that memories of this rule lost at their bound.
    pub(crate) fn forgotten(&self) -> u64 {
        self.memories.values().map(|m| m.forgotten).sum()
    }
}

fn failed(rule: &Rule, message: String) -> EngineError {
    EngineError::Run { file: rule.file.clone(), code: rule.code.clone(), message }
}

fn plan(rule: &Rule, planner: &Planner, options: &EngineOptions) -> Result<Plan, String> {
    match &rule.body {
        Body::Detection { table, condition } => planner.detection(*table, condition),
        Body::Sql(text) => {
            let mut values: BTreeMap<String, serde_json::Value> =
                rule.tunables.iter().map(|(name, t)| (name.clone(), t.default.clone())).collect();
            for (name, value) in options.tunables.get(&rule.code).into_iter().flatten() {
                if !values.contains_key(name) {
                    let near = lidr_schema::dynamic::nearest(name, values.keys().map(String::as_str));
                    return Err(format!("no tunable `{name}`{}", lidr_schema::dynamic::hint(&near)));
                }
                values.insert(name.clone(), value.clone());
            }
            planner.sql(text, &values)
        }
    }
}

/// Whether the plan returns what entity, message and severity name.
fn complete(rule: &Rule, plan: &Plan) -> Result<(), String> {
    let time = if matches!(rule.body, Body::Sql(_)) { vec!["at".to_owned()] } else { Vec::new() };
    let entity = rule.entity.iter().map(|e| e.col.clone());
    let named = entity.chain(rule.severity_by.clone()).chain(message::columns(&rule.message)).chain(time);
    for name in named {
        if plan.schema.column_with_name(&name).is_none() {
            let near = lidr_schema::dynamic::nearest(&name, plan.schema.fields().iter().map(|f| f.name().as_str()));
            return Err(format!("the query does not return `{name}`{}", lidr_schema::dynamic::hint(&near)));
        }
    }
    Ok(())
}
