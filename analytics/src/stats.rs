//! What the engine did: the account that summaries and metrics are made of.
use std::{collections::BTreeMap, time::Duration};

/// A rule that was not evaluated, or not in all of its windows, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct NotEvaluated {
    /// Catalogue code of the rule.
    pub code: String,
    /// What it would have needed.
    pub reason: String,
    /// It was judged in other windows.
    pub partly: bool,
}

/// What the engine did.
#[derive(Clone, Debug, Default)]
pub struct EngineStats {
    /// Rules given.
    pub loaded: usize,
    /// Rules that judged, or would have if there had been rows.
    pub evaluated: usize,
    /// Rules that could not judge, in the order of their codes; with `partly`, rules that could not in some windows.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Windows that a rule was not judged in because a sensor was blind, by code.
    pub suspended: BTreeMap<String, u64>,
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
