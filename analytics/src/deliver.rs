//! Findings to whoever acts on them: webhooks and Alertmanager (design: outputs).
//!
//! Every output has a queue and a thread of its own, so that judging never waits for a receiver. What would not page anybody is not
//! delivered: findings that another one explains (`absorbed_by`), and those below the output's level. A receiver that is away
//! (no connection, no answer, 408, 429, 502 to 504) is tried again until it is back, with pauses that double from half a second to a
//! minute, or as long as it asks for (`Retry-After`); one that answers any other 5xx is tried eight times; what it refuses is given up
//! at once. The queue is bounded: over the bound the least grave finding goes, of equals the newest, so that noise cannot crowd out
//! what matters. At the end the queue is emptied within a few seconds. Everything that was not delivered is counted, by outcome.
//!
//! A queue lives in memory: what waits in it when the process is killed is not sent later. `findings.ndjson` and Kafka are the
//! outputs that lose nothing.
mod alertmanager;
mod client;
mod queue;
mod sender;
#[cfg(test)]
mod tests;
mod webhook;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use lidr_schema::finding::{Activity, Severity};
use serde_json::{Value, json};
pub use webhook::Secret;

use self::{alertmanager::Alertmanager, client::Client, queue::Queue, sender::Sender, webhook::Webhook};
use crate::{Finding, metrics::Metrics};

/// Findings that were not confirmed yet and whose end is told to the output that had them.
const MOST_PENDING: usize = 10_000;

/// Why an output cannot be used; the address is not repeated, for it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DeliverError(pub(crate) String);

/// The kinds of output: label values of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A signed POST of each finding's line.
    Webhook,
    /// Alerts of Alertmanager's second API.
    Alertmanager,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Alertmanager => "alertmanager",
        }
    }
}

/// What became of a finding that an output took: label values of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver will not have it.
    Refused,
    /// The receiver broke over it, again and again.
    Failed,
    /// It went at the bound of the queue.
    Overflow,
    /// It still waited at the end.
    Left,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Refused, Self::Failed, Self::Overflow, Self::Left];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Overflow => "overflow",
            Self::Left => "left",
        }
    }
}

/// Where findings are delivered, and how.
#[derive(Debug)]
pub struct Options {
    /// Addresses of webhooks.
    pub webhooks: Vec<String>,
    /// What their messages are signed with.
    pub secret: Option<Secret>,
    /// Least severity that they get.
    pub webhook_level: Severity,
    /// Addresses of Alertmanagers.
    pub alertmanagers: Vec<String>,
    /// Least severity that they get.
    pub alertmanager_level: Severity,
    /// How long an alert stands, µs.
    pub hold: i64,
    /// Findings that may wait for each output.
    pub queue: usize,
    /// How long the queues may take to empty at the end.
    pub drain: Duration,
    /// The machine's clock, µs since the epoch: receivers compare the time of a message with theirs.
    pub now: fn() -> i64,
}

/// The outputs of a run.
#[derive(Debug, Default)]
pub struct Deliveries {
    outputs: Vec<Output>,
}

/// One output as the judge sees it.
#[derive(Debug)]
struct Output {
    level: Severity,
    queue: Arc<Queue>,
    /// Ids of findings that it was given and that may yet prove harmless.
    pending: BTreeSet<String>,
    thread: Option<JoinHandle<()>>,
}

impl Deliveries {
    /// Starts a thread for every output. Webhooks are not called before there is a finding.
    ///
    /// # Errors
    /// If an address is not one, or a thread cannot be started.
    pub fn start(options: &Options, metrics: Option<&Arc<Metrics>>) -> Result<Self, DeliverError> {
        let mut outputs = Vec::new();
        for text in &options.webhooks {
            let client = Client::new(text, "--webhook", "")?;
            if options.secret.is_none() {
                tracing::warn!(
                    "{}: findings are sent unsigned, give --webhook-secret-file so that the receiver knows whom they are from",
                    client.name()
                );
            }
            let format = Box::new(Webhook::new(options.secret.clone()));
            outputs.push(Output::start(Kind::Webhook, options.webhook_level, client, format, options, metrics)?);
        }
        for text in &options.alertmanagers {
            let client = Client::new(text, "--alertmanager", alertmanager::PATH)?;
            let format = Box::new(Alertmanager::new(options.hold, metrics.cloned()));
            outputs.push(Output::start(
                Kind::Alertmanager,
                options.alertmanager_level,
                client,
                format,
                options,
                metrics,
            )?);
        }
        Ok(Self { outputs })
    }

    /// Hands a finding to the outputs that want it.
    pub fn offer(&mut self, finding: &Finding) {
        let mut shared = None;
        for output in &mut self.outputs {
            if output.wants(finding) {
                output.queue.push(Arc::clone(shared.get_or_insert_with(|| Arc::new(finding.clone()))));
            }
        }
    }

    /// Empties the queues, within the bound, and ends the threads: what became of the findings, by output and outcome; null where
    /// there is no output.
    pub fn end(&mut self) -> Value {
        for output in &self.outputs {
            output.queue.stop();
        }
        let mut all: BTreeMap<Kind, BTreeMap<Outcome, u64>> = BTreeMap::new();
        for output in &mut self.outputs {
            output.join();
            let of_kind = all.entry(output.queue.kind()).or_default();
            for (outcome, n) in output.queue.counts() {
                *of_kind.entry(outcome).or_default() += n;
            }
        }
        let count = |counts: &BTreeMap<Outcome, u64>, o: Outcome| counts.get(&o).copied().unwrap_or_default();
        let of_kind = |(kind, counts): (&Kind, &BTreeMap<Outcome, u64>)| {
            let each = Outcome::ALL.iter().map(|o| (o.name().to_owned(), json!(count(counts, *o))));
            (kind.name().to_owned(), each.collect())
        };
        if all.is_empty() { Value::Null } else { Value::Object(all.iter().map(of_kind).collect()) }
    }
}

/// A run that ends in the middle still tells what it has found.
impl Drop for Deliveries {
    fn drop(&mut self) {
        self.end();
    }
}

impl Output {
    fn start(
        kind: Kind,
        level: Severity,
        client: Client,
        format: Box<dyn sender::Format>,
        options: &Options,
        metrics: Option<&Arc<Metrics>>,
    ) -> Result<Self, DeliverError> {
        tracing::info!("findings go to {}, {} and above", client.name(), level.name());
        let queue = Arc::new(Queue::new(kind, client.name().to_owned(), options.queue, metrics.cloned()));
        let sender = Sender::new(Arc::clone(&queue), format, client, options.now);
        let thread = sender.start(options.drain)?;
        Ok(Self { level, queue, pending: BTreeSet::new(), thread: Some(thread) })
    }

    /// Whether the finding is for this output. That something proved harmless is told to whoever was told of it.
    fn wants(&mut self, finding: &Finding) -> bool {
        if finding.lidr.absorbed_by.is_some() {
            return false;
        }
        if finding.activity == Activity::Close {
            return self.pending.remove(&finding.uid) || self.level == Severity::Informational;
        }
        if finding.severity < self.level {
            return false;
        }
        if finding.lidr.pending {
            if self.pending.len() >= MOST_PENDING {
                self.queue.forgotten();
                self.pending.pop_first();
            }
            self.pending.insert(finding.uid.clone());
        } else {
            self.pending.remove(&finding.uid);
        }
        true
    }

    fn join(&mut self) {
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("{}: the thread that delivers died: this is a defect of lidr", self.queue.name());
        }
        self.queue.settle();
    }
}
