//! The judge as the verbs use it: engine and outputs behind one door, whoever feeds the rows.
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use lidr_analytics::{BrokerOrigin, Engine, EngineOptions, Finding, Site, metrics::Metrics};
use lidr_schema::{Key, TableId};
use serde_json::{Value, json};

use crate::{args::Judge, out::Outputs, rules};

/// Judges rows and writes findings.
pub(crate) struct Judging {
    engine: Engine,
    pub(crate) outputs: Outputs,
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Findings outside are judged but not written.
    range: (i64, i64),
    /// Called with every finding that is written.
    also: Option<Box<dyn FnMut(&Finding) -> anyhow::Result<()>>>,
    /// Greatest due or promise so far: the end of the input for rules that argue from absence.
    end: i64,
}

impl Judging {
    /// Loads rules, plans them and opens the outputs.
    pub(crate) fn start(judge: &Judge, key: &Key, site: Site) -> anyhow::Result<Self> {
        let set = rules::load(!judge.no_builtin, &judge.rules)?;
        let options = EngineOptions { key_id: key.id().to_owned(), tunables: tunables(&judge.tunables)? };
        let engine = Engine::new(&set.rules, site, options)?;
        let stats = engine.stats();
        for not in &stats.not_evaluated {
            tracing::debug!("{} is not evaluated: {}", not.code, not.reason);
        }
        let metrics = judge.metrics.map(crate::judge::serve).transpose()?;
        Ok(Self { engine, outputs: Outputs::open(judge)?, metrics, range: (i64::MIN, i64::MAX), also: None, end: i64::MIN })
    }

    /// Writes only findings with `at` in this range.
    pub(crate) fn within(mut self, from: Option<i64>, to: Option<i64>) -> Self {
        self.range = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
        self
    }

    /// Calls this with every finding, too.
    pub(crate) fn also(mut self, also: Box<dyn FnMut(&Finding) -> anyhow::Result<()>>) -> Self {
        self.also = Some(also);
        self
    }

    /// Rows of one table.
    pub(crate) fn rows(&mut self, table: TableId, batch: RecordBatch, origin: Option<Arc<BrokerOrigin>>) -> anyhow::Result<()> {
        if let Some(metrics) = &self.metrics {
            metrics.rows_judged(table.name(), batch.num_rows() as u64);
        }
        self.engine.push(table, batch, origin)?;
        Ok(())
    }

    /// No later row is due at or below this.
    pub(crate) fn watermark(&mut self, watermark: i64) -> anyhow::Result<()> {
        if watermark < i64::MAX {
            self.end = self.end.max(watermark);
        }
        let findings = self.engine.advance(watermark)?;
        self.write(findings)?;
        if let Some(metrics) = &self.metrics {
            metrics.engine(&self.engine.stats(), watermark);
        }
        Ok(())
    }

    /// The input has ended at that time of its clock.
    pub(crate) fn finish(&mut self, end: i64) -> anyhow::Result<()> {
        let findings = self.engine.finish(self.end.max(end))?;
        self.write(findings)?;
        if let Some(metrics) = &self.metrics {
            metrics.engine(&self.engine.stats(), self.end);
        }
        Ok(())
    }

    fn write(&mut self, findings: Vec<Finding>) -> anyhow::Result<()> {
        let (from, to) = self.range;
        let inside: Vec<Finding> = findings.into_iter().filter(|f| (from..to).contains(&f.time)).collect();
        for finding in &inside {
            if let Some(metrics) = &self.metrics {
                metrics.finding(&finding.code, finding.severity);
            }
            if let Some(also) = &mut self.also {
                also(finding)?;
            }
        }
        self.outputs.write(&inside)
    }

    /// What `summary.json` says of rules and findings.
    pub(crate) fn account(&self) -> (Value, Value) {
        let stats = self.engine.stats();
        let rules = json!({ "loaded": stats.loaded, "evaluated": stats.evaluated, "not_evaluated": stats.not_evaluated });
        (rules, self.outputs.by_severity())
    }
}

/// Serves `/metrics` for the rest of the process.
pub(crate) fn serve(address: std::net::SocketAddr) -> anyhow::Result<Arc<Metrics>> {
    let metrics = Arc::new(Metrics::new()?);
    lidr_analytics::metrics::serve(Arc::clone(&metrics), address).with_context(|| format!("metrics on {address}"))?;
    Ok(metrics)
}

type Tunables = std::collections::BTreeMap<String, std::collections::BTreeMap<String, Value>>;

/// `CODE.NAME=VALUE`, the value as JSON or else as text.
fn tunables(given: &[String]) -> anyhow::Result<Tunables> {
    let mut out = Tunables::new();
    for text in given {
        let parts = text.split_once('=').and_then(|(name, value)| Some((name.rsplit_once('.')?, value)));
        let Some(((code, name), value)) = parts else { bail!("--set {text}: needed CODE.NAME=VALUE, for instance LI-09.n=50") };
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        out.entry(code.to_owned()).or_default().insert(name.to_owned(), value);
    }
    Ok(out)
}
