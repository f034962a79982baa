//! What enters a queue leaves it with one outcome, and who gets what. The way over the network is tested with the binary
//! (`tests/webhook.rs`, `tests/alerting.rs`).
use std::collections::BTreeMap;

use lidr_schema::finding::Confidence;

use super::*;
use crate::Own;

/// A finding with little in it.
pub(super) fn finding(uid: &str, severity: Severity) -> Finding {
    Finding {
        uid: uid.to_owned(),
        activity: Activity::Create,
        code: "LI-01".to_owned(),
        version: 1,
        title: "Title".to_owned(),
        message: "Somebody did something.".to_owned(),
        severity,
        confidence: Confidence::High,
        time: 2_500_000,
        first_seen: 2_000_000,
        last_seen: 3_000_000,
        made: 4_000_000,
        count: 2,
        resources: Vec::new(),
        evidences: Vec::new(),
        tags: Vec::new(),
        lidr: Own::default(),
    }
}

fn waiting(queue: &Queue) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    queue.stop();
    let all = runtime.block_on(queue.next(100)).unwrap_or_default();
    all.iter().map(|f| f.uid.clone()).collect()
}

fn queue(most: usize) -> Queue {
    Queue::new(Kind::Webhook, "test".to_owned(), most, None)
}

#[test]
fn at_the_bound_the_least_grave_goes_and_of_equals_the_newest() {
    let queue = queue(3);
    let all = [
        ("a", Severity::Low),
        ("b", Severity::Critical),
        ("c", Severity::Low),
        ("d", Severity::Low),
        ("e", Severity::High),
        ("f", Severity::Informational),
        ("g", Severity::Critical),
    ];
    for (uid, severity) in all {
        queue.push(Arc::new(finding(uid, severity)));
    }
    assert_eq!(waiting(&queue), ["b", "e", "g"]);
    queue.done(Outcome::Delivered);
    assert_eq!(queue.counts(), BTreeMap::from([(Outcome::Delivered, 3), (Outcome::Overflow, 4)]));
}

#[test]
fn what_nobody_sent_was_left() {
    let queue = queue(9);
    for uid in ["a", "b", "c"] {
        queue.push(Arc::new(finding(uid, Severity::Low)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(queue.next(1)).map(|b| b.len()), Some(1));
    queue.stop();
    queue.settle();
    queue.settle();
    assert_eq!(queue.counts(), BTreeMap::from([(Outcome::Left, 3)]));
    assert!(runtime.block_on(queue.next(1)).is_none());
}

fn output(level: Severity) -> Output {
    Output { level, queue: Arc::new(queue(9)), pending: BTreeSet::new(), thread: None }
}

#[test]
fn what_another_finding_explains_and_what_is_too_low_is_not_delivered() {
    let mut output = output(Severity::Medium);
    assert!(output.wants(&finding("a", Severity::Medium)) && !output.wants(&finding("a", Severity::Low)));
    let mut part = finding("b", Severity::Critical);
    part.lidr.absorbed_by = Some("a".to_owned());
    assert!(!output.wants(&part));
}

#[test]
fn an_end_is_told_to_whoever_had_the_beginning() {
    let (mut all, mut some) = (output(Severity::Informational), output(Severity::High));
    let line = |uid: &str, severity, activity, pending| {
        let mut line = finding(uid, severity);
        (line.activity, line.lidr.pending) = (activity, pending);
        line
    };
    let close = |uid: &str| line(uid, Severity::Informational, Activity::Close, false);
    assert!(some.wants(&line("a", Severity::High, Activity::Create, true)));
    assert!(some.wants(&close("a")) && !some.wants(&close("a")), "once");
    assert!(!some.wants(&line("b", Severity::Informational, Activity::Create, true)) && !some.wants(&close("b")));
    assert!(some.wants(&line("c", Severity::High, Activity::Create, true)));
    assert!(some.wants(&line("c", Severity::Critical, Activity::Update, false)) && !some.wants(&close("c")));
    assert!(all.wants(&close("d")), "who gets all gets the end of what was told before a restart, too");
}

#[test]
fn addresses_are_looked_at_before_anything_starts() {
    let options = |webhook: &str| Options {
        webhooks: vec![webhook.to_owned()],
        secret: None,
        webhook_level: Severity::Low,
        alertmanagers: Vec::new(),
        alertmanager_level: Severity::Low,
        hold: 1,
        queue: 1,
        drain: Duration::ZERO,
        now: || 0,
    };
    let said = Deliveries::start(&options("s3cret"), None).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.contains("--webhook: needed http://HOST") && !said.contains("s3cret"), "{said}");
    // Nothing was found: nothing is sent, and the end does not wait.
    let mut deliveries = Deliveries::start(&options("http://127.0.0.1:1/"), None).unwrap();
    assert_eq!(deliveries.end()["webhook"]["delivered"], 0);
    assert!(Deliveries::default().end().is_null());
}
