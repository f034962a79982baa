//! What waits for an output, between the judge, who never waits, and the thread that sends.
//!
//! Whatever enters leaves with exactly one outcome, which is counted here and in the metrics.
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Kind, Outcome};
use crate::{Finding, metrics::Metrics};

/// A bounded queue of findings.
#[derive(Debug)]
pub(super) struct Queue {
    kind: Kind,
    /// Which receiver, for log lines.
    name: String,
    most: usize,
    metrics: Option<Arc<Metrics>>,
    state: Mutex<State>,
    /// Something came, or the end did.
    news: Notify,
    stopped: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Finding>>,
    /// Handed out, and no outcome yet.
    taken: usize,
    stopping: bool,
    counts: BTreeMap<Outcome, u64>,
}

impl Queue {
    pub(super) fn new(kind: Kind, name: String, most: usize, metrics: Option<Arc<Metrics>>) -> Self {
        if let Some(metrics) = &metrics {
            metrics.delivers(kind);
        }
        let (state, news, stopped) = (Mutex::default(), Notify::new(), Notify::new());
        Self { kind, name, most, metrics, state, news, stopped }
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn counts(&self) -> BTreeMap<Outcome, u64> {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a finding; over the bound the least grave goes, of equals the newest.
    pub(super) fn push(&self, finding: Arc<Finding>) {
        let mut state = self.lock();
        state.waiting.push_back(finding);
        if state.waiting.len() <= self.most {
            self.deeper(1);
            drop(state);
            self.news.notify_one();
            return;
        }
        let least = state.waiting.iter().enumerate().rev().min_by_key(|(_, f)| f.severity).map(|(at, _)| at);
        if let Some(at) = least {
            state.waiting.remove(at);
        }
        let gone = state.counts.entry(Outcome::Overflow).or_default();
        *gone += 1;
        let gone = *gone;
        drop(state);
        self.count(Outcome::Overflow, 1);
        // At one, two, four and so on: an outage must not fill the log.
        if gone.is_power_of_two() {
            tracing::warn!(
                "{}: {gone} findings were dropped, {} wait already: look at the receiver, or raise --deliver-queue; --out has them all",
                self.name,
                self.most
            );
        }
    }

    /// The next findings, `most` at a time; none once the end has come and nothing waits.
    pub(super) async fn next(&self, most: usize) -> Option<Vec<Arc<Finding>>> {
        loop {
            let news = self.news.notified();
            {
                let mut state = self.lock();
                if !state.waiting.is_empty() {
                    let n = most.clamp(1, state.waiting.len());
                    let batch: Vec<_> = state.waiting.drain(..n).collect();
                    state.taken = batch.len();
                    return Some(batch);
                }
                if state.stopping {
                    return None;
                }
            }
            news.await;
        }
    }

    /// What was handed out last has an outcome.
    pub(super) fn done(&self, outcome: Outcome) {
        let mut state = self.lock();
        let n = std::mem::take(&mut state.taken);
        *state.counts.entry(outcome).or_default() += n as u64;
        drop(state);
        self.deeper(-signed(n));
        self.count(outcome, n as u64);
    }

    /// Nothing more comes.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.news.notify_one();
        self.stopped.notify_waiters();
    }

    /// Waits until nothing more comes.
    pub(super) async fn stopped(&self) {
        let stopped = self.stopped.notified();
        if !self.lock().stopping {
            stopped.await;
        }
    }

    /// Nobody sends any more: what still waits was left.
    pub(super) fn settle(&self) {
        let mut state = self.lock();
        let n = state.waiting.len() + std::mem::take(&mut state.taken);
        state.waiting.clear();
        if n == 0 {
            return;
        }
        *state.counts.entry(Outcome::Left).or_default() += n as u64;
        drop(state);
        self.deeper(-signed(n));
        self.count(Outcome::Left, n as u64);
        tracing::warn!("{}: {n} findings were not delivered before the end: --out has them", self.name);
    }

    /// An attempt came to nothing and is made again.
    pub(super) fn retried(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.delivery_retried(self.kind);
        }
    }

    /// The end of a finding will not be told: too many wait for theirs.
    pub(super) fn forgotten(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.delivery_forgotten("pending");
        }
    }

    fn count(&self, outcome: Outcome, n: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.delivered(self.kind, outcome, n);
        }
    }

    fn deeper(&self, by: i64) {
        if let Some(metrics) = &self.metrics {
            metrics.delivery_queue(self.kind, by);
        }
    }
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
