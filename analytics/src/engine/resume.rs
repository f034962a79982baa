//! The engine in a snapshot, and the engine that goes on from one.
//!
//! Rows are not in it: the source reads again those that windows to come still need and gives them to [`Engine::context`], which
//! judges nothing. What a rule or a memory was defined as is compared, so that a restart with other rules goes on with those that
//! stayed and begins the others at the first window of which they see every row.
use std::{collections::BTreeMap, sync::Arc};

use arrow::array::RecordBatch;
use lidr_rules::Window;
use lidr_schema::TableId;

use super::{Engine, fitting};
use crate::{
    BrokerOrigin, EngineError,
    fold::Fold,
    held::{Held, Late},
    rows::dues,
    snapshot::{EngineState, RuleState, SavedNote, Tables},
    state::State,
};

/// Watermarks that messages came behind, by their place in the broker.
pub(crate) type LateMessages = BTreeMap<(String, i32, i64), i64>;

fn shape(window: Option<Window>) -> Option<(i64, i64, i64)> {
    window.map(|w| (w.size, w.before, w.after))
}

impl Engine {
    /// From now on notes what a snapshot needs to know of the messages.
    pub fn keep_account(&mut self) {
        self.held.get_or_insert_default();
    }

    /// The first message of each partition (topic, number) whose rows are still needed.
    #[must_use]
    pub fn needed(&self) -> BTreeMap<(String, i32), i64> {
        self.held.as_ref().map(Held::first).unwrap_or_default()
    }

    /// Everything but the rows that messages hold.
    ///
    /// # Errors
    /// If a memory cannot be put into a table.
    pub fn save(&self, tables: &mut Tables) -> Result<EngineState, EngineError> {
        let mut rules = Vec::new();
        for (rule, state) in self.rules.iter().zip(&self.states).filter(|(_, state)| state.failed.is_none()) {
            let saved = state.saved(tables).map_err(EngineError::Setup)?;
            rules.push(RuleState { code: rule.code.clone(), window: shape(rule.window), ..saved });
        }
        let held = self.held.iter();
        let notes = held.clone().flat_map(Held::notes).map(|note| SavedNote {
            table: note.table.name().to_owned(),
            broker: note.broker.as_deref().cloned(),
            watermark: note.watermark,
            rows: tables.put(note.batch.clone()),
        });
        Ok(EngineState {
            watermark: self.watermark,
            due: self.due,
            rules,
            fold: self.fold.saved(&self.rules),
            blindness: self.blindness.clone(),
            notes: notes.collect(),
            needed: self.needed().into_iter().collect(),
            late: held.flat_map(Held::late).collect(),
        })
    }

    /// Goes on from a snapshot, before any row was pushed; gives sentences about what does not fit the rules of this run.
    /// [`Engine::context`] and then [`Engine::resumed`] must follow.
    ///
    /// # Errors
    /// If its own rows cannot be read.
    pub fn resume(&mut self, saved: EngineState, tables: &Tables) -> Result<Vec<String>, EngineError> {
        self.keep_account();
        (self.watermark, self.due, self.blindness) = (saved.watermark, saved.due, saved.blindness);
        self.recall(&saved.rules)?;
        let (fold, gone) = Fold::resumed(saved.fold, &self.rules);
        self.fold = fold;
        self.relate();
        let mut said: Vec<String> = gone
            .iter()
            .map(|code| format!("findings of {code} that were open get no last line: the rule has changed"))
            .collect();
        let seen = self.seen();
        let mut states: BTreeMap<String, RuleState> = saved.rules.into_iter().map(|r| (r.code.clone(), r)).collect();
        for (rule, state) in self.rules.iter().zip(&mut self.states) {
            let known = states.remove(&rule.code).filter(|s| s.window == shape(rule.window));
            match known {
                Some(known) => said.extend(state.resume(rule, known, tables)),
                None => {
                    state.begin(rule, seen);
                    said.extend(rule.window.map(|_| format!("{} was not judged before: it begins now", rule.code)));
                }
            }
        }
        for note in saved.notes {
            let (Some(table), Some(rows)) = (TableId::named(&note.table), tables.get(note.rows)) else { continue };
            self.again(table, rows.clone(), note.broker.map(Arc::new), Some(note.watermark))?;
        }
        self.late = saved.late.iter().map(Late::entry).collect();
        Ok(said)
    }

    /// Rules that were judged and that the site lacks something for now keep what they remember, and wait until it is back.
    fn recall(&mut self, saved: &[RuleState]) -> Result<(), EngineError> {
        for rule in std::mem::take(&mut self.absent) {
            if !saved.iter().any(|r| r.code == rule.code) {
                self.absent.push(rule);
                continue;
            }
            let mut state = State::new(&rule, &self.planner, &self.site, &self.options)?;
            state.meet(&rule, &self.site);
            self.stats.not_evaluated.retain(|not| not.code != rule.code);
            self.stats.evaluated += 1;
            self.facts.push(state.facts.clone());
            self.rules.push(rule);
            self.states.push(state);
        }
        Ok(())
    }

    /// Rows that were judged before and that windows to come still need.
    ///
    /// # Errors
    /// If they are not rows of that table.
    pub fn context(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        broker: Option<Arc<BrokerOrigin>>,
    ) -> Result<(), EngineError> {
        let place = broker.as_ref().map(|b| (b.topic.clone(), b.partition, b.first_offset));
        let late = place.and_then(|place| self.late.get(&place)).copied();
        self.again(table, batch, broker, late)
    }

    fn again(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        broker: Option<Arc<BrokerOrigin>>,
        watermark: Option<i64>,
    ) -> Result<(), EngineError> {
        let batch = fitting(table, &batch)?;
        let due = dues(&batch).map(|d| d.values().to_vec()).unwrap_or_default();
        let (Some(least), Some(most)) = (due.iter().min(), due.iter().max()) else { return Ok(()) };
        let behind = watermark.unwrap_or(i64::MIN);
        if let Some(held) = &mut self.held {
            held.push(table, &batch, broker.as_ref(), (*least, *most), behind);
        }
        let read = self.windowed().any(|(_, state)| state.reads().any(|t| t == table));
        if read {
            self.rows.context(table, batch, broker, behind).map_err(|e| EngineError::Setup(e.to_string()))?;
        }
        Ok(())
    }

    /// The rows that were needed are there.
    ///
    /// # Errors
    /// If they cannot be put in order.
    pub fn resumed(&mut self) -> Result<(), EngineError> {
        self.late.clear();
        self.settle(self.watermark)
    }
}

#[cfg(test)]
mod tests;
