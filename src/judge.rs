//! The judge as the verbs use it: engine and outputs behind one door, whoever feeds the rows.
use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Instant};

use anyhow::{Context, bail};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::TimestampMicrosecondType,
};
#[cfg(feature = "kafka")]
use lidr_analytics::snapshot::{SourceState, Tables};
use lidr_analytics::{
    BrokerOrigin, Engine, EngineOptions, EngineStats, Finding, Site,
    deliver::Deliveries,
    metrics::{Metrics, Usage},
};
use lidr_rules::Rule;
use lidr_schema::{
    Key, TableId,
    dynamic::{hint, nearest},
};
use serde_json::{Value, json};

#[cfg(feature = "kafka")]
use crate::state::State;
use crate::{
    account,
    args::{Judge, Range},
    deliver,
    out::{Outputs, Own},
    rules, usage,
};

/// Somebody who hears of every finding.
pub(crate) type Hear = Box<dyn FnMut(&Finding) -> anyhow::Result<()>>;

/// Where a source has to go on.
#[cfg(feature = "kafka")]
pub(crate) struct Resumed {
    pub(crate) source: SourceState,
    /// The first message of each partition whose rows are still needed.
    pub(crate) needed: BTreeMap<(String, i32), i64>,
}

/// Judges rows and writes findings.
pub(crate) struct Judging {
    engine: Engine,
    pub(crate) outputs: Outputs,
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Public name of the pseudonym key.
    pub(crate) key_id: String,
    /// Rows that were judged, by table.
    pub(crate) rows: BTreeMap<TableId, u64>,
    /// Findings outside are judged but not written.
    range: (i64, i64),
    /// Called with every finding that is written.
    also: Option<Hear>,
    /// Receivers of findings.
    deliveries: Deliveries,
    /// Reads the site's tables again.
    refresher: Option<crate::refresh::Refresher>,
    /// Where it writes down how far it has come.
    #[cfg(feature = "kafka")]
    pub(crate) state: Option<State>,
    /// Greatest due or promise so far: the end of the input for rules that argue from absence.
    end: i64,
}

impl Judging {
    /// Loads rules, plans them and opens the outputs, last: a run that cannot begin leaves nothing behind. `own` is for a run
    /// that goes on in the folder that it has.
    pub(crate) fn start(judge: &Judge, range: Range, key: &Key, site: Site, own: Option<Own>) -> anyhow::Result<Self> {
        let range = (range.from.unwrap_or(i64::MIN), range.to.unwrap_or(i64::MAX));
        if range.0 >= range.1 {
            bail!("--from is not before --to: no finding could be between them");
        }
        let set = rules::load(!judge.no_builtin, &judge.rules)?;
        let options = EngineOptions { key_id: key.id().to_owned(), tunables: tunables(&judge.tunables, &set.rules)? };
        if site.is_copy() {
            bail!(
                "--site: this is a copy that a run kept, for explanations and reports: needed the site folder itself to judge"
            );
        }
        let engine = Engine::new(&set.rules, site, options)?;
        let stats = engine.stats();
        for not in &stats.not_evaluated {
            tracing::debug!("{} is not evaluated: {}", not.code, not.reason);
        }
        let metrics = judge.metrics.map(crate::judge::serve).transpose()?;
        let deliveries = deliver::start(&judge.deliver, own.is_some(), metrics.as_ref())?;
        let (mut outputs, key_id) = (Outputs::open(judge, own)?, key.id().to_owned());
        outputs.site(engine.site())?;
        Ok(Self {
            engine,
            outputs,
            metrics,
            key_id,
            rows: BTreeMap::new(),
            range,
            also: None,
            deliveries,
            refresher: None,
            #[cfg(feature = "kafka")]
            state: None,
            end: i64::MIN,
        })
    }

    /// Calls this with every finding, too.
    pub(crate) fn also(mut self, also: Hear) -> Self {
        self.also = Some(also);
        self
    }

    /// Judges with the site's tables as they are read again.
    pub(crate) fn refreshed(mut self, refresher: Option<crate::refresh::Refresher>) -> Self {
        self.refresher = refresher;
        self
    }

    /// Goes on from what `state` holds, if it holds anything, and writes down there how far it has come; gives the source's part.
    #[cfg(feature = "kafka")]
    pub(crate) fn resume(&mut self, mut state: State) -> anyhow::Result<Option<Resumed>> {
        self.engine.keep_account();
        let saved = state.latest()?;
        self.state = Some(state);
        let Some((snapshot, tables)) = saved else { return Ok(None) };
        let (needed, watermark) = (snapshot.engine.needed(), snapshot.engine.watermark());
        for sentence in self.engine.resume(snapshot.engine, &tables)? {
            tracing::warn!("{sentence}");
        }
        self.end = watermark;
        Ok(Some(Resumed { source: snapshot.source, needed }))
    }

    /// Rows due before that time are not all there: they fill memory, and what is found in them is not written.
    #[cfg(feature = "kafka")]
    pub(crate) fn whole_from(&mut self, due: i64) {
        let from = due.saturating_add(1);
        if from > self.range.0 {
            let time = lidr_analytics::time::seconds_text(from);
            tracing::warn!("the topics hold everything from {time} UTC on only: findings before that are not written");
            self.range.0 = from;
        }
    }

    /// Rows that were judged before a restart.
    #[cfg(feature = "kafka")]
    pub(crate) fn context(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        origin: Option<Arc<BrokerOrigin>>,
    ) -> anyhow::Result<()> {
        Ok(self.engine.context(table, batch, origin)?)
    }

    /// All context is there.
    #[cfg(feature = "kafka")]
    pub(crate) fn resumed(&mut self) -> anyhow::Result<()> {
        Ok(self.engine.resumed()?)
    }

    /// The first message of each partition whose rows are still needed.
    #[cfg(feature = "kafka")]
    pub(crate) fn needed(&self) -> BTreeMap<(String, i32), i64> {
        self.engine.needed()
    }

    /// Writes down how far it has come, after all that it found is safe.
    #[cfg(feature = "kafka")]
    pub(crate) fn checkpoint(&mut self, source: SourceState) -> anyhow::Result<()> {
        let Some(state) = &mut self.state else { return Ok(()) };
        self.outputs.sync()?;
        let mut tables = Tables::default();
        let engine = self.engine.save(&mut tables)?;
        state.write(engine, source, &tables)
    }

    /// Takes a new copy of the site's tables, or notes that the one at hand is stale, before windows are judged.
    fn refresh(&mut self, watermark: i64) -> anyhow::Result<()> {
        let news = self.refresher.as_mut().map(|r| r.news(watermark > i64::MIN)).unwrap_or_default();
        if let Some(site) = news.site {
            // Findings that a full disk still takes must not end for want of a copy.
            if let Err(why) = self.outputs.site(&site) {
                tracing::error!("no copy of the site that judges from now on is kept: {why:#}");
            }
            self.engine.replace_site(site);
        }
        if let Some(old) = news.stale {
            let row = lidr_analytics::site::stale(watermark + 1, old.age, old.refresh, old.of);
            self.rows(TableId::Oddity, row, None)?;
        }
        Ok(())
    }

    /// Rows of one table.
    pub(crate) fn rows(
        &mut self,
        table: TableId,
        batch: RecordBatch,
        origin: Option<Arc<BrokerOrigin>>,
    ) -> anyhow::Result<()> {
        if let Some(metrics) = &self.metrics {
            metrics.rows_judged(table.name(), batch.num_rows() as u64);
            let due = batch.column_by_name("due").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            metrics.newest(due.and_then(arrow::compute::max).unwrap_or_default());
        }
        *self.rows.entry(table).or_default() += batch.num_rows() as u64;
        self.engine.push(table, batch, origin)?;
        Ok(())
    }

    /// No later row is due at or below this.
    pub(crate) fn watermark(&mut self, watermark: i64) -> anyhow::Result<()> {
        if watermark < i64::MAX {
            self.end = self.end.max(watermark);
            self.refresh(watermark)?;
            #[cfg(feature = "kafka")]
            if let Some(state) = &mut self.state {
                state.reached(watermark);
            }
        }
        let findings = self.engine.advance(watermark)?;
        self.write(findings)?;
        if let Some(metrics) = &self.metrics {
            metrics.engine(&self.engine.stats(), watermark);
        }
        Ok(())
    }

    /// Everybody has ended, the last at that time of its clock, and more may come.
    pub(crate) fn rest(&mut self, end: i64) -> anyhow::Result<()> {
        let findings = self.engine.rest(self.end.max(end))?;
        self.write(findings)?;
        if let Some(metrics) = &self.metrics {
            metrics.engine(&self.engine.stats(), self.end.max(end));
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
        // The disk first: what a broker or a receiver does not take is there.
        self.outputs.write(&inside)?;
        for finding in &inside {
            if let Some(metrics) = &self.metrics {
                metrics.finding(&finding.code, finding.severity);
            }
            self.deliveries.offer(finding);
            if let Some(also) = &mut self.also {
                also(finding)?;
            }
        }
        Ok(())
    }

    /// Which copy of the site judges.
    pub(crate) fn site_hash(&self) -> &str {
        self.engine.site().hash()
    }

    /// The end of a run: what still waits is delivered, and the summary told; the exit status.
    pub(crate) fn end(
        &mut self,
        verb: &str,
        workers: usize,
        started: Instant,
        mut own: Value,
        quiet: bool,
    ) -> anyhow::Result<ExitCode> {
        let delivered = self.deliveries.end();
        if !delivered.is_null() {
            account::put(&mut own, json!({ "deliveries": delivered }));
        }
        let summary = account::summary(verb, self, workers, started, own);
        self.outputs.end(&summary, quiet)
    }

    /// What the engine did.
    pub(crate) fn stats(&self) -> EngineStats {
        self.engine.stats()
    }
}

/// Serves `/metrics` for the rest of the process.
pub(crate) fn serve(address: std::net::SocketAddr) -> anyhow::Result<Arc<Metrics>> {
    let usage = Usage { resident_bytes: usage::rss_bytes, cpu_seconds: usage::cpu_seconds };
    let metrics = Arc::new(Metrics::new()?.with_usage(usage));
    lidr_analytics::metrics::serve(Arc::clone(&metrics), address).with_context(|| format!("metrics on {address}"))?;
    Ok(metrics)
}

type Tunables = BTreeMap<String, BTreeMap<String, Value>>;

/// `CODE.NAME=VALUE`, the value as JSON or else as text; of a rule that is loaded and has such a tunable.
fn tunables(given: &[String], rules: &[Rule]) -> anyhow::Result<Tunables> {
    let mut out = Tunables::new();
    for text in given {
        let parts = text.split_once('=').and_then(|(name, value)| Some((name.rsplit_once('.')?, value)));
        let Some(((code, name), value)) = parts else {
            bail!("--set {text}: needed CODE.NAME=VALUE, for instance LI-09.n=50")
        };
        let Some(rule) = rules.iter().find(|r| r.code == code) else {
            bail!("--set {text}: no rule `{code}`{}", hint(&nearest(code, rules.iter().map(|r| r.code.as_str()))))
        };
        if !rule.tunables.contains_key(name) {
            let near = hint(&nearest(name, rule.tunables.keys().map(String::as_str)));
            bail!("--set {text}: {code} has no tunable `{name}`{near}; `lidr rules show {code}` lists them");
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        out.entry(code.to_owned()).or_default().insert(name.to_owned(), value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunables_are_those_of_rules_that_are_loaded() {
        let rules = lidr_rules::load(true, &[]).unwrap().rules;
        let read = |text: &str| tunables(&[text.to_owned()], &rules).map_err(|e| e.to_string());
        let (code, name) =
            rules.iter().find_map(|r| Some((r.code.clone(), r.tunables.keys().next()?.clone()))).unwrap();
        assert_eq!(read(&format!("{code}.{name}=50")).unwrap()[&code][&name], 50);
        assert!(read("LI-99.n=3").unwrap_err().contains("no rule `LI-99`"));
        assert!(read(&format!("{code}.{name}x=3")).unwrap_err().contains(&format!("did you mean `{name}`?")));
        assert!(read("LI-09").unwrap_err().contains("needed CODE.NAME=VALUE"));
    }
}
