//! One rule in the engine: its plan, its memory, its next window.
use std::collections::{BTreeMap, HashMap};

use arrow::{array::RecordBatch, error::ArrowError};
use lidr_rules::{Body, Rule};
use lidr_schema::TableId;

use crate::{
    EngineError, EngineOptions, Site,
    fold::{Facts, Hit},
    judge::{self, Moment, Seen},
    leaf::Slots,
    memory::Memory,
    message,
    plan::{Plan, Planner},
    rows::Rows,
};

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
}

/// What the site lacks that the rule cannot do without.
pub(crate) fn lacks(rule: &Rule, site: &Site) -> Option<String> {
    let missing: Vec<&str> =
        rule.needs.iter().map(String::as_str).filter(|n| TableId::named(n).is_none() && !site.has(n)).collect();
    (!missing.is_empty()).then(|| format!("needs site table {}", missing.join(", ")))
}

impl State {
    /// Plans a rule and its memories.
    pub(crate) fn new(rule: &Rule, planner: &Planner, site: &Site, options: &EngineOptions) -> Result<Self, EngineError> {
        let wrong = |message: String| EngineError::Rule { file: rule.file.clone(), message };
        let mut memories = BTreeMap::new();
        for (name, def) in &rule.remembers {
            let plan = planner.memory(def).map_err(wrong)?;
            let memory = Memory::new(def, plan, site).map_err(wrong)?;
            planner.add(name, std::sync::Arc::clone(&memory.schema)).map_err(wrong)?;
            memories.insert(name.clone(), memory);
        }
        let plan = plan(rule, planner, options);
        rule.remembers.keys().for_each(|name| planner.remove(name));
        let plan = plan.map_err(wrong)?;
        complete(rule, &plan).map_err(wrong)?;
        let events = plan.events();
        let sites = plan.tables.iter().filter(|t| lidr_rules::site::file_of(t).is_some()).cloned().collect();
        let without = rule.uses.iter().filter(|n| TableId::named(n).is_none() && !site.has(n)).cloned().collect();
        let facts = Facts { site_hash: site.hash().to_owned(), key_id: options.key_id.clone(), without };
        Ok(Self { plan, events, memories, sites, next: None, next_pending: None, facts })
    }

    /// Whether a window without rows is judged, too.
    fn judges_nothing(&self, rule: &Rule) -> bool {
        rule.absence || self.memories.values().any(|m| !m.is_empty())
    }

    /// Runs the rule on the rows due in [start - before, until).
    pub(crate) fn run(
        &mut self,
        rule: &Rule,
        planner: &Planner,
        site: &Site,
        rows: &mut Rows,
        edges: (i64, i64, i64, i64),
        moment: Moment,
    ) -> Result<Vec<Hit>, EngineError> {
        let (start, end, from, until) = edges;
        let any = self.events.iter().any(|t| rows.any(*t, from, until));
        if !any && !self.judges_nothing(rule) {
            return Ok(Vec::new());
        }
        let (mut slots, mut seen) = (HashMap::new(), Seen::new());
        let arrow = |e: ArrowError| failed(rule, e.to_string());
        for table in &self.events {
            let slice = rows.slice(*table, from, until).map_err(arrow)?;
            slots.insert(table.name().to_owned(), slice.batch.clone());
            seen.insert(*table, slice);
        }
        self.context(site, start, &mut slots).map_err(|m| failed(rule, m))?;
        let batches = planner.run(&mut self.plan, Slots(slots), (start, end)).map_err(|m| failed(rule, m))?;
        judge::hits(rule, site, &batches, &seen, moment).map_err(|m| failed(rule, m))
    }

    fn context(&mut self, site: &Site, start: i64, slots: &mut HashMap<String, RecordBatch>) -> Result<(), String> {
        for (name, memory) in &mut self.memories {
            slots.insert(name.clone(), memory.table(start)?);
        }
        for name in &self.sites {
            if let Some(table) = site.table(name) {
                slots.insert(name.clone(), table.clone());
            }
        }
        Ok(())
    }

    /// Writes the memory from the rows due in [start, end), in row order.
    pub(crate) fn learn(&mut self, rule: &Rule, planner: &Planner, rows: &mut Rows, start: i64, end: i64) -> Result<(), EngineError> {
        for memory in self.memories.values_mut() {
            let table = memory.def.from;
            if !rows.any(table, start, end) {
                continue;
            }
            let slice = rows.slice(table, start, end).map_err(|e| failed(rule, e.to_string()))?;
            let slots = HashMap::from([(table.name().to_owned(), slice.batch.clone())]);
            let batches = planner.run(&mut memory.plan, Slots(slots), (start, end)).map_err(|m| failed(rule, m))?;
            memory.learn(&batches).map_err(|m| failed(rule, m))?;
        }
        Ok(())
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
