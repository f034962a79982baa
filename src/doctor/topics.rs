//! Topics: whether they are there, may be made and read, and whose messages they hold.
use std::collections::{BTreeMap, BTreeSet};

use lidr_analytics::kafka::probe::{Newest, Probe, Topic};
use lidr_schema::wire::WireError;

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};
use crate::folder;

/// A message from so far ahead comes from another clock, ms.
const AHEAD: i64 = 5_000;

pub(super) fn checks(asked: &Asked<'_>, probe: &Probe) -> Vec<Check> {
    let mut out = made(asked, probe);
    let mut refused: BTreeMap<&str, Vec<&Topic>> = BTreeMap::new();
    for topic in &probe.topics {
        if let Some(why) = &topic.refused {
            refused.entry(why).or_default().push(topic);
        }
    }
    let next = "let this user see them (DESCRIBE); a watch must read them, too (READ), a sensor write them (WRITE)";
    out.extend(refused.iter().map(|(why, topics)| fail(format!("{}: {why}", names(topics)), next)));
    let there = probe.topics.iter().filter(|t| t.partitions > 0 && t.refused.is_none());
    out.extend(there.flat_map(|t| topic(asked, t)));
    out.extend(clocks(probe));
    out.push(unchecked(
        "whether messages may be produced: a broker says so only to whoever produces",
        "`lidr sensor` and `lidr watch` end with a sentence where they may not",
    ));
    out
}

/// Which topics are missing, and whether somebody may make them.
fn made(asked: &Asked<'_>, probe: &Probe) -> Vec<Check> {
    let prefix = &asked.args.topic_prefix;
    let seen = probe.topics.iter().all(|t| t.refused.is_none());
    let missing: Vec<&Topic> = probe.topics.iter().filter(|t| t.partitions == 0 && t.refused.is_none()).collect();
    let mut out = vec![match &probe.make {
        Ok(1) => ok("topics may be made, with 1 replica"),
        Ok(replicas) => ok(format!("topics may be made, with {replicas} replicas")),
        Err(why) if missing.is_empty() => {
            let none = if seen { "; none is missing" } else { "" };
            unchecked(format!("this user may make no topics ({why}){none}"), "")
        }
        Err(why) => fail(
            format!("missing topics: {}, and this user may make none: {why}", missing.len()),
            format!("let it create {prefix}.*, or have them made: {}", names(&missing)),
        ),
    }];
    if missing.len() == probe.topics.len() {
        let next = "start a sensor: it makes them; or --topic-prefix, if they have another one";
        out.push(warn(format!("there are no topics {prefix}.* yet"), next));
    } else if !missing.is_empty() {
        out.push(warn(
            format!("not there: {}", names(&missing)),
            "a sensor makes those of the tables when it starts, a watch that of findings",
        ));
    }
    out
}

fn names(topics: &[&Topic]) -> String {
    topics.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn topic(asked: &Asked<'_>, topic: &Topic) -> Vec<Check> {
    let name = &topic.name;
    if topic.leaderless > 0 {
        let of = format!("{} of {} partitions", topic.leaderless, topic.partitions);
        let next = "a broker is away: start it, or wait for the others to take over";
        return vec![fail(format!("{name}: no broker leads {of}"), next)];
    }
    let (mut out, mut told) = (Vec::new(), BTreeSet::new());
    for newest in topic.newest.iter().filter(|_| topic.table) {
        if let Some(check) = message(asked, name, newest).filter(|c| told.insert(c.what.clone())) {
            out.push(check);
        }
    }
    if out.is_empty() {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        out.push(ok(format!(
            "{name}: {} partition{}, {} replica{}, {} messages",
            topic.partitions,
            s(topic.partitions),
            topic.replicas,
            s(topic.replicas),
            topic.messages
        )));
    }
    out
}

/// What a watch would say of a message; nothing if it would take it.
fn message(asked: &Asked<'_>, topic: &str, newest: &Newest) -> Option<Check> {
    let at = format!("{topic}[{}]", newest.partition);
    match &newest.headers {
        Err(why @ WireError::NewerMajor(..)) => {
            Some(fail(format!("{at}: {why}"), "update lidr here before the sensors"))
        }
        Err(why) => Some(warn(
            format!("{at}: the newest message is none of lidr's ({why})"),
            "a watch passes over it, counts it and makes an oddity of it; see who writes there",
        )),
        Ok(headers) => match &asked.key {
            Ok(Some(key)) => headers.check_key(key.id()).err().map(|why| {
                fail(
                    format!("{topic}: sensor {}: {why}", headers.sensor),
                    "--key-file with the key that the sensor has, or another --topic-prefix",
                )
            }),
            _ => None,
        },
    }
}

/// Whether producers' clocks are ahead of ours. One that is behind cannot be told from one that has been silent.
fn clocks(probe: &Probe) -> Vec<Check> {
    let now = folder::now() / 1000;
    let newest = || probe.topics.iter().flat_map(|t| &t.newest);
    let Some(greatest) = newest().filter_map(|n| n.produced).max() else { return Vec::new() };
    if greatest <= now + AHEAD {
        return vec![ok(
            "no message was produced in this machine's future (a clock that is behind cannot be told from silence)",
        )];
    }
    let ahead = newest().filter(|n| n.produced.is_some_and(|t| t > now + AHEAD));
    let mut sensors: Vec<&str> = ahead.filter_map(|n| n.headers.as_ref().ok()).map(|h| h.sensor.as_str()).collect();
    sensors.sort_unstable();
    sensors.dedup();
    let who = if sensors.is_empty() { "a producer".to_owned() } else { format!("sensor {}", sensors.join(", ")) };
    vec![warn(
        format!("the clock of {who} is {} s ahead of this machine's, or this one is behind", (greatest - now) / 1000),
        "synchronise both: rows of live inputs have these times",
    )]
}
