//! A rule's state in a snapshot.
use lidr_rules::Rule;

use super::State;
use crate::snapshot::{RuleState, SavedMemory, Tables};

impl State {
    /// How far it has come; the caller adds which rule it is.
    pub(crate) fn saved(&self, tables: &mut Tables) -> Result<RuleState, String> {
        let mut memories = std::collections::BTreeMap::new();
        for (name, memory) in &self.memories {
            let table = tables.put(memory.saved()?);
            memories.insert(name.clone(), SavedMemory { definition: memory.definition(), table });
        }
        Ok(RuleState {
            next: self.next,
            next_pending: self.next_pending,
            last_held: self.last_held,
            judged: self.judged,
            past_end: self.past_end,
            windows: self.windows,
            missed: self.missed,
            suspended: self.suspended.clone(),
            memories,
            ..RuleState::default()
        })
    }

    /// Goes on from there; gives sentences about memories that begin anew.
    pub(crate) fn resume(&mut self, rule: &Rule, saved: RuleState, tables: &Tables) -> Vec<String> {
        (self.next, self.next_pending, self.last_held) = (saved.next, saved.next_pending, saved.last_held);
        (self.judged, self.past_end, self.windows) = (saved.judged, saved.past_end, saved.windows);
        self.missed = saved.missed;
        self.suspended = saved.suspended;
        let mut said = Vec::new();
        for (name, memory) in &mut self.memories {
            let known = saved.memories.get(name).filter(|m| m.definition == memory.definition());
            let taken = match known.and_then(|m| tables.get(m.table)) {
                Some(table) => memory.resume(table),
                None => Err("its definition has changed".to_owned()),
            };
            said.extend(taken.err().map(|why| format!("{}: memory `{name}` begins anew: {why}", rule.code)));
        }
        said
    }

    /// A rule that was not judged before begins with the first window of which it sees every row, context included: of what was due up
    /// to `seen`, rows may have gone that no other rule needed.
    pub(crate) fn begin(&mut self, rule: &Rule, seen: i64) {
        let Some(window) = rule.window.filter(|_| seen > i64::MIN) else { return };
        self.next = Some(seen.saturating_add(window.before).div_euclid(window.size) + 1);
    }
}
