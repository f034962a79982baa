//! Which window of which rule is judged next.
//!
//! Runs are made in the order of the moments at which all is known that they would have to see; at one moment the rules that may
//! suspend others come before those that argue from absence.
use lidr_rules::Rule;

use crate::{
    blind::{Waits, can_be_suspended},
    rows::Rows,
    state::State,
};

/// A run that is due at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) moment: i64,
    /// It can be suspended, so it comes after those that suspend.
    last: bool,
    pub(crate) rule: usize,
    pub(crate) window: i64,
    /// Context after the window included; otherwise the early run at the window's end.
    pub(crate) full: bool,
}

/// Each rule's next run, if its moment is at or before `until`, in the order of moments. Windows go from the one of the `first`
/// due to the one of the `last`.
pub(crate) fn next(rules: &[Rule], states: &mut [State], rows: &Rows, waits: &Waits, (first, last): (i64, i64), until: i64) -> Vec<Run> {
    let mut out = Vec::new();
    for (number, (rule, state)) in rules.iter().zip(states).enumerate() {
        let Some(w) = rule.window.filter(|_| state.failed.is_none()) else { continue };
        let full = *state.next.get_or_insert(first.div_euclid(w.size));
        let early = *state.next_pending.get_or_insert(full);
        for (window, after, full) in [(full, w.after, true), (early, 0, false)] {
            let wanted = full || rule.pending.is_some();
            let Some(window) = state.next_window(rule, rows, window, after).filter(|_| wanted) else { continue };
            let moment = waits.moment(rule, (window + 1) * w.size + after);
            if moment <= until && window * w.size <= last {
                out.push(Run { moment, last: can_be_suspended(rule), rule: number, window, full });
            }
        }
    }
    out.sort();
    out
}
