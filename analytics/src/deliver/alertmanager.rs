//! Alerts of Alertmanager's second API.
//!
//! A finding is an alert of its own: what identifies it are rule, severity and the finding's id. It stands from the time it was first
//! seen for as long as `--alertmanager-hold` says (a finding is an event: nothing ever says that a tap without a warrant is fine
//! again), and is told again every minute, as Alertmanager expects, for it forgets its alerts when it restarts; with nothing to tell,
//! that is how lidr knows that it is there. A finding that proved harmless ends. One that became graver gets a new alert, since its
//! severity, which routes are made of, is part of what identifies it; the one before it ends.
use std::{collections::BTreeMap, sync::Arc};

use lidr_schema::finding::Activity;
use serde_json::{Value, json};

use super::sender::{Format, Message};
use crate::{Finding, metrics::Metrics, time::rfc3339};

/// Where alerts are posted, below the address of an Alertmanager.
pub(super) const PATH: &str = "/api/v2/alerts";
/// Alerts in one message.
const MOST_ALERTS: usize = 64;
/// Alerts that are told again; beyond them the one that ends first is not, and stands where it was told of.
const MOST_STANDING: usize = 4_096;

/// Speaks to Alertmanager.
pub(super) struct Alertmanager {
    /// µs.
    hold: i64,
    /// By the finding's id.
    standing: BTreeMap<String, Alert>,
    metrics: Option<Arc<Metrics>>,
}

#[derive(Clone)]
struct Alert {
    labels: Value,
    annotations: Value,
    starts: i64,
    ends: i64,
}

impl Alert {
    fn of(finding: &Finding, now: i64, hold: i64) -> Self {
        let labels = json!({
            "alertname": finding.title,
            "code": finding.code,
            "severity": finding.severity.name(),
            "uid": finding.uid,
            "source": "lidr",
        });
        let mut annotations = json!({
            "summary": finding.message,
            "description": finding.lidr.triage,
            "harmless_if": finding.lidr.benign_if,
            "confidence": finding.confidence.name(),
            "first_seen": rfc3339(finding.first_seen),
            "last_seen": rfc3339(finding.last_seen),
            "count": finding.count.to_string(),
        });
        if let (true, Some(all)) = (finding.lidr.pending, annotations.as_object_mut()) {
            all.insert("pending".to_owned(), json!("not confirmed yet: what explains it may still come"));
        }
        Self { labels, annotations, starts: finding.first_seen.min(now), ends: now.saturating_add(hold) }
    }

    fn ended(self, at: i64) -> Self {
        Self { ends: at.max(self.starts), ..self }
    }

    fn json(&self) -> Value {
        json!({
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": rfc3339(self.starts),
            "endsAt": rfc3339(self.ends),
        })
    }
}

impl Alertmanager {
    pub(super) const fn new(hold: i64, metrics: Option<Arc<Metrics>>) -> Self {
        Self { hold, standing: BTreeMap::new(), metrics }
    }

    /// The alerts that tell of a finding, after those that end with it.
    fn alerts(&mut self, finding: &Finding, now: i64) -> Vec<Alert> {
        let before = self.standing.remove(&finding.uid);
        if finding.activity == Activity::Close {
            // One that was told before a restart ends by itself.
            return before.map(|alert| alert.ended(finding.time.min(now))).into_iter().collect();
        }
        let mut alert = Alert::of(finding, now, self.hold);
        match &before {
            // What changes of a finding that stands keeps its end: its bucket's close, hours later, is no new alarm.
            Some(before) if before.labels == alert.labels => alert.ends = before.ends,
            // One that stands no more is not raised by that either.
            None if finding.activity == Activity::Update && finding.last_seen < now.saturating_sub(self.hold) => {
                return Vec::new();
            }
            _ => {}
        }
        if self.standing.len() >= MOST_STANDING {
            self.crowded();
        }
        self.standing.insert(finding.uid.clone(), alert.clone());
        let other = before.filter(|before| before.labels != alert.labels).map(|before| before.ended(now));
        other.into_iter().chain([alert]).collect()
    }

    fn crowded(&mut self) {
        let first = self.standing.iter().min_by_key(|(_, alert)| alert.ends).map(|(uid, _)| uid.clone());
        if let Some(uid) = first {
            self.standing.remove(&uid);
        }
        if let Some(metrics) = &self.metrics {
            metrics.delivery_forgotten("alerts");
        }
    }
}

fn message(alerts: &[Alert]) -> Message {
    let all: Vec<Value> = alerts.iter().map(Alert::json).collect();
    Message { id: String::new(), body: Value::Array(all).to_string() }
}

impl Format for Alertmanager {
    fn most(&self) -> usize {
        MOST_ALERTS
    }

    fn message(&mut self, findings: &[Arc<Finding>], now: i64) -> Message {
        // Of one finding's lines only the last counts, but for what it ends.
        let mut all: Vec<Alert> = Vec::new();
        for finding in findings {
            for alert in self.alerts(finding, now) {
                all.retain(|other| other.labels != alert.labels);
                all.push(alert);
            }
        }
        message(&all)
    }

    fn headers(&self, _: &Message, _: i64) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn again(&mut self, now: i64) -> Vec<Message> {
        self.standing.retain(|_, alert| alert.ends > now);
        let all: Vec<Alert> = self.standing.values().cloned().collect();
        // No alert at all is a message that Alertmanager takes: it shows that the way is open.
        if all.is_empty() { vec![message(&[])] } else { all.chunks(MOST_ALERTS).map(message).collect() }
    }
}

#[cfg(test)]
mod tests {
    use lidr_schema::finding::Severity;

    use super::*;
    use crate::deliver::tests::finding;

    const MINUTE: i64 = 60_000_000;

    fn told(message: &Message) -> Vec<Value> {
        serde_json::from_str(&message.body).unwrap()
    }

    fn speaks() -> Alertmanager {
        Alertmanager::new(60 * MINUTE, None)
    }

    #[test]
    fn a_finding_stands_for_its_time_and_is_told_again() {
        let mut speaks = speaks();
        let now = 100 * MINUTE;
        let alert = told(&speaks.message(&[Arc::new(finding("a", Severity::High))], now)).remove(0);
        assert_eq!(
            alert["labels"],
            json!({"alertname": "Title", "code": "LI-01", "severity": "high", "uid": "a", "source": "lidr"})
        );
        assert_eq!(
            (&alert["startsAt"], &alert["endsAt"]),
            (&json!("1970-01-01T00:00:02Z"), &json!("1970-01-01T02:40:00Z"))
        );
        assert_eq!(told(&speaks.again(now + MINUTE)[0]), [alert], "the same, its end with it");
        assert!(told(&speaks.again(now + 61 * MINUTE)[0]).is_empty(), "its time is over");
    }

    #[test]
    fn a_graver_finding_is_another_alert_and_the_one_before_ends() {
        let mut speaks = speaks();
        let pending = finding("a", Severity::Informational);
        let mut raised = finding("a", Severity::Critical);
        raised.activity = Activity::Update;
        speaks.message(&[Arc::new(pending.clone())], MINUTE);
        let alerts = told(&speaks.message(&[Arc::new(raised.clone())], 2 * MINUTE));
        let severities: Vec<_> = alerts.iter().map(|a| a["labels"]["severity"].as_str().unwrap()).collect();
        assert_eq!(severities, ["informational", "critical"]);
        assert_eq!(alerts[0]["endsAt"], "1970-01-01T00:02:00Z");
        assert_eq!(told(&speaks.again(3 * MINUTE)[0]).len(), 1);
        // Both at once, after an outage.
        let alerts = told(&self::speaks().message(&[Arc::new(pending), Arc::new(raised)], 2 * MINUTE));
        assert_eq!((alerts.len(), &alerts[0]["endsAt"]), (2, &json!("1970-01-01T00:02:00Z")));
    }

    #[test]
    fn what_proved_harmless_ends() {
        let mut speaks = speaks();
        speaks.message(&[Arc::new(finding("a", Severity::Low))], 9 * MINUTE);
        let mut closed = finding("a", Severity::Informational);
        closed.activity = Activity::Close;
        closed.time = 8 * MINUTE;
        let alerts = told(&speaks.message(&[Arc::new(closed.clone())], 10 * MINUTE));
        assert_eq!(
            (&alerts[0]["labels"]["severity"], &alerts[0]["endsAt"]),
            (&json!("low"), &json!("1970-01-01T00:08:00Z"))
        );
        assert!(told(&speaks.again(10 * MINUTE)[0]).is_empty());
        assert_eq!(speaks.message(&[Arc::new(closed)], 10 * MINUTE).body, "[]", "nothing stands that could end");
    }

    #[test]
    fn what_is_told_again_is_bounded() {
        let mut speaks = speaks();
        for n in 0..=MOST_STANDING as i64 {
            speaks.message(&[Arc::new(finding(&n.to_string(), Severity::High))], n);
        }
        assert_eq!(speaks.standing.len(), MOST_STANDING);
        assert!(!speaks.standing.contains_key("0"), "the one that ends first");
        assert_eq!(speaks.again(1).len(), MOST_STANDING / MOST_ALERTS);
    }
}
