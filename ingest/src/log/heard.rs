//! Syslog that a listener hears: messages become rows through the mappings that name the listener.
//!
//! A listener is its own collector, so that mappings see what a collector would have filed: a message without a header that says
//! when and from whom (RFC 3164 §4.3.3; routers count their messages where others write the time) gets the time at which it came
//! and its sender's address, one of RFC 5424 without a time gets the former. Many systems write to one listener: a message is offered
//! to the mappings one after the other, the site's first, and becomes a row of the first that makes one of it. A time without a year
//! is the one nearest to when it came; a message whose time nobody can read was sent when it came.
use std::{borrow::Cow, net::IpAddr, sync::Arc};

use jiff::Timestamp;

use super::{
    Mapping, Outcome, RecordCounts, Sources,
    fields::Fields,
    row::{Bad, Found, Making},
    syslog::{self, RECEIVED, SENDER},
    time::Year,
};

/// Makes rows of what one listener hears.
#[derive(Debug)]
pub(crate) struct Listener {
    sources: Arc<Sources>,
    mappings: Vec<Arc<Mapping>>,
    name: String,
    heard: u64,
    counts: RecordCounts,
}

/// What a message is.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its running number, from 1.
    pub(crate) number: u64,
    /// When it was sent, µs; none where it does not say so that it could be read.
    pub(crate) ts: Option<i64>,
    pub(crate) outcome: Outcome,
}

impl Listener {
    /// With the mappings that name it; what is wrong where there is none.
    pub(crate) fn new(name: &str, sources: &Arc<Sources>) -> Result<Self, String> {
        let mappings = sources.listening(name);
        if mappings.is_empty() {
            return Err(format!(
                "no mapping is for a listener of that name: add `listeners: [{name}]` to one in `sources` of the site folder (CONTRIBUTING.md)"
            ));
        }
        let files: Vec<&str> = mappings.iter().map(|m| m.file.as_str()).collect();
        let counts = RecordCounts { mapping: files.join(", "), ..RecordCounts::default() };
        Ok(Self { sources: Arc::clone(sources), mappings, name: name.to_owned(), heard: 0, counts })
    }

    /// The account so far.
    pub(crate) const fn counts(&self) -> &RecordCounts {
        &self.counts
    }

    /// Messages so far.
    pub(crate) const fn heard(&self) -> u64 {
        self.heard
    }

    /// What a message becomes that came then, µs, from that address.
    pub(crate) fn outcome(&mut self, text: &str, sender: IpAddr, received: i64) -> Told {
        self.heard += 1;
        self.counts.read += 1;
        let (number, year) = (self.heard, Year::near(received));
        let at = Timestamp::from_microsecond(received).map(|t| t.to_string()).unwrap_or_default();
        let line = collected(text, &sender.to_string(), &at);
        let sources = Arc::clone(&self.sources);
        let (mut ts, mut skipped, mut bad) = (None, None, None);
        for mapping in self.mappings.clone() {
            let mut fields = match Fields::read(&mapping, &[], &line) {
                Ok(fields) => fields,
                Err(detail) => {
                    bad.get_or_insert_with(|| mapping.bad(detail, 0, detail.to_owned()));
                    continue;
                }
            };
            fields.also(SENDER, sender.to_string());
            fields.also(RECEIVED, at.clone());
            let time = mapping.time_of(&fields, &mut year.clone()).ok();
            ts = ts.or(time);
            let mut making = Making { key: &sources.key, hosts: &sources.hosts, year, unresolved: 0 };
            match mapping.row(&fields, &mut making) {
                Ok(Found::Row(table, cells)) => {
                    self.counts.unresolved_hosts += making.unresolved;
                    self.counts.mapped += 1;
                    return Told { number, ts: time, outcome: Outcome::Row(table, cells) };
                }
                Ok(Found::Skipped(reason)) => skipped = skipped.or_else(|| Some(reason.to_owned())),
                Err(why) => bad = bad.or(Some(why)),
            }
        }
        Told { number, ts, outcome: self.none(bad, skipped) }
    }

    /// No mapping made a row of it.
    fn none(&mut self, bad: Option<Bad>, skipped: Option<String>) -> Outcome {
        if let Some(bad) = bad {
            // Not with what was there: a stranger wrote it.
            let bad = Bad { message: format!("`{}` does not fit", bad.detail), ..bad };
            return self.counts.malformed(&self.name, self.heard, &bad);
        }
        *self.counts.skipped.entry(skipped.unwrap_or_default()).or_default() += 1;
        Outcome::Skipped
    }
}

/// The message as a collector would file it.
fn collected<'a>(text: &'a str, sender: &str, at: &str) -> Cow<'a, str> {
    if syslog::parse(text).is_some() {
        return text.into();
    }
    let (pri, rest) = syslog::priority(text);
    // User-level notice, as RFC 3164 has it where there is none.
    let pri = pri.unwrap_or(13);
    if let Some(rest) = rest.strip_prefix("1 - ") {
        let timed = format!("<{pri}>1 {at} {rest}");
        if syslog::parse(&timed).is_some() {
            return timed.into();
        }
    }
    format!("<{pri}>{at} {sender} {rest}").into()
}

#[cfg(test)]
mod tests {
    use lidr_schema::Key;

    use super::*;

    const AT: i64 = 1_795_140_785_000_000;
    const SITE: &str = r#"
title: Lines of our own
format: syslog
listeners: ["syslog-*-514"]
patterns:
  - {name: export, field: message, regex: 'exported (?<n>\d+) orders by (?<who>\S+)'}
skip:
  - {when: {pattern: ""}, reason: nothing of ours}
rows:
  - table: tasking
    columns: {op: {is: list}, list_kind: {is: orders}, actor_name: who, varbinds: n, ne: [host, sender]}
"#;

    fn listener(name: &str) -> Result<Listener, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("own.yml"), SITE).unwrap();
        let key = Key::from_hex(&"0b".repeat(32)).unwrap();
        Listener::new(name, &Sources::load(&[dir.path().to_owned()], &Default::default(), &key).unwrap())
    }

    fn told(listener: &mut Listener, text: &str) -> (Option<i64>, String) {
        let told = listener.outcome(text, IpAddr::from([10, 0, 0, 9]), AT);
        let outcome = match told.outcome {
            Outcome::Row(table, cells) => format!("{} {}", table.name(), serde_json::Value::Object(cells)),
            other => format!("{other:?}"),
        };
        (told.ts, outcome)
    }

    #[test]
    fn a_message_goes_to_the_first_mapping_that_makes_a_row_of_it() {
        let mut heard = listener("syslog-udp-514").unwrap();
        let (ts, own) = told(&mut heard, "<134>1 2026-11-20T02:13:05Z lims1 lims - - - exported 40 orders by clerk7");
        assert_eq!(ts, Some(1_795_140_785_000_000), "{own}");
        assert!(own.starts_with("tasking") && own.contains("clerk7") && own.contains("\"varbinds\":40"), "{own}");
        assert!(own.contains("\"ne\":\"10.0.0.9\""), "no table of the site has lims1: the sender stands for it: {own}");
        let (_, router) = told(
            &mut heard,
            "<189>29: *Nov 20 02:13:04.911: %SYS-5-CONFIG_I: Configured from console by noc1 on vty0 (10.20.0.10)",
        );
        assert!(router.starts_with("mgmt") && router.contains("noc1"), "{router}");
        assert_eq!(told(&mut heard, "<13>Nov 20 02:13:05 x su: hello").1, "Skipped");
        let counts = heard.counts();
        assert_eq!((counts.read, counts.mapped, counts.skipped["nothing of ours"]), (3, 2, 1));
    }

    #[test]
    fn a_listener_without_a_mapping_is_refused_and_each_has_its_own() {
        assert_eq!(listener("syslog-udp-514").unwrap().mappings.len(), 2, "the site's and that for routers");
        assert_eq!(listener("syslog-tcp-601").unwrap().mappings.len(), 1);
        let key = Key::from_hex(&"0b".repeat(32)).unwrap();
        let mut none = Sources::load(&[], &Default::default(), &key).unwrap();
        Arc::get_mut(&mut none).unwrap().tiers = [Vec::new(), Vec::new()];
        assert!(Listener::new("syslog-udp-514", &none).unwrap_err().contains("listeners: [syslog-udp-514]"));
    }

    #[test]
    fn what_lacks_a_header_gets_the_listeners() {
        let at = "2026-11-20T02:13:05Z";
        for (text, filed) in [
            ("<34>Nov 20 02:13:05 h su: x", "<34>Nov 20 02:13:05 h su: x"),
            ("<34>1 - h su 7 - - x", "<34>1 2026-11-20T02:13:05Z h su 7 - - x"),
            (
                "<189>29: pe1: *Mar  1 00:00:05: %A-1-B: c",
                "<189>2026-11-20T02:13:05Z 10.0.0.9 29: pe1: *Mar  1 00:00:05: %A-1-B: c",
            ),
            ("hello", "<13>2026-11-20T02:13:05Z 10.0.0.9 hello"),
            ("", "<13>2026-11-20T02:13:05Z 10.0.0.9 "),
        ] {
            assert_eq!(collected(text, "10.0.0.9", at), filed);
        }
    }

    #[test]
    fn a_time_without_a_year_is_the_nearest_and_one_that_cannot_be_read_is_none() {
        let mut heard = listener("syslog-udp-514").unwrap();
        // Received in the first hour of 2027.
        let new_year = 1_798_761_700_000_000;
        let outcome = heard.outcome("<1>Dec 31 23:59:59 x a: exported 1 orders by b", IpAddr::from([1; 4]), new_year);
        assert_eq!(outcome.ts, Some(1_798_761_599_000_000));
        let outcome = heard.outcome("<1>Feb 31 23:59:59 x a: exported 1 orders by b", IpAddr::from([1; 4]), new_year);
        assert!(outcome.ts.is_none() && matches!(outcome.outcome, Outcome::Row(..)), "{outcome:?}");
    }
}
