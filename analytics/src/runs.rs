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

/// How far a judging goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Runs whose moment is at or before this.
    pub(crate) until: i64,
    /// Buckets that close before this get their last line.
    pub(crate) close: i64,
    /// The end of the input, where it has ended.
    pub(crate) end: Option<i64>,
    /// More may follow that end.
    pub(crate) open: bool,
}

/// Each rule's next run, if it is within reach, in the order of moments. Windows go from the one of the `first` due to the one of the
/// `last`.
pub(crate) fn next(
    rules: &[Rule],
    states: &[State],
    rows: &Rows,
    waits: &Waits,
    (first, last): (i64, i64),
    reach: Reach,
) -> Vec<Run> {
    let mut out = Vec::new();
    for (number, (rule, state)) in rules.iter().zip(states.iter()).enumerate() {
        let Some(w) = rule.window.filter(|_| state.failed.is_none()) else { continue };
        // Before a window has run, rows may still come that are due in an earlier one.
        let full = state.next.unwrap_or(first.div_euclid(w.size));
        let announced = state.next_pending.unwrap_or(full);
        for (window, after, full) in [(full, w.after, true), (announced, 0, false)] {
            let wanted = full || rule.pending.is_some();
            let Some(window) = state.next_window(rule, rows, window, after).filter(|_| wanted) else { continue };
            let until = (window + 1) * w.size + after;
            let moment = waits.moment(rule, until);
            // What was not seen may still come: such a window waits for it.
            let early = reach.open && rule.absence && reach.end.is_some_and(|end| until > end);
            if moment <= reach.until && window * w.size <= last && !early {
                out.push(Run { moment, last: can_be_suspended(rule), rule: number, window, full });
            }
        }
    }
    out.sort();
    out
}
