//! Rows in, findings out.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use lidr_rules::Rule;
use lidr_schema::TableId;

use crate::{EngineError, Finding, Site};

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
    stats: EngineStats,
}

impl Engine {
    /// Plans every rule once.
    ///
    /// # Errors
    /// If a rule does not plan; the error names its file.
    pub fn new(rules: &[Rule], _site: Site, _options: EngineOptions) -> Result<Self, EngineError> {
        Ok(Self { stats: EngineStats { loaded: rules.len(), ..EngineStats::default() } })
    }

    /// Takes rows of one table, in any order that the watermark allows.
    ///
    /// # Errors
    /// If they are not rows of that table.
    pub fn push(&mut self, _table: TableId, batch: RecordBatch, _broker: Option<Arc<BrokerOrigin>>) -> Result<(), EngineError> {
        self.stats.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Judges what is due: no later row has `due` at or below the watermark. `i64::MAX` only notes that the input has ended:
    /// [`Engine::finish`] must follow.
    ///
    /// # Errors
    /// If a query fails.
    pub fn advance(&mut self, _watermark: i64) -> Result<Vec<Finding>, EngineError> {
        Ok(Vec::new())
    }

    /// Judges what is still open; `end` is the greatest clock or `due` of the input.
    ///
    /// # Errors
    /// If a query fails.
    pub fn finish(&mut self, _end: i64) -> Result<Vec<Finding>, EngineError> {
        Ok(Vec::new())
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.stats.clone()
    }
}
