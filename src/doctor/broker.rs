//! The broker: whether it answers, in a sentence with the next step where it does not; its topics, and whose messages they hold.
use lidr_analytics::kafka::probe::{Ask, Newest, Probe, Silent, Topic, ask};
use lidr_schema::wire::WireError;

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};
use crate::{args::Broker, folder, sensor::all_properties, settings::Properties};

/// A message from so far ahead comes from another clock, ms.
const AHEAD: i64 = 5_000;

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let args = asked.args;
    let Some(brokers) = &args.kafka else {
        return vec![unchecked("no broker was named; replay, hunt and live need none", "--kafka HOST:PORT asks it")];
    };
    let broker =
        Broker { kafka: brokers.clone(), topic_prefix: args.topic_prefix.clone(), property: args.property.clone() };
    let properties = match all_properties(&broker, asked.properties) {
        Ok(properties) => properties,
        Err(why) => return vec![fail(format!("{why:#}"), "")],
    };
    match ask(&Ask { brokers, prefix: &args.topic_prefix, group: &args.group, properties: &properties }) {
        Err(silent) => vec![unreachable(brokers, &silent, &properties)],
        Ok(probe) => answered(asked, brokers, &probe),
    }
}

fn unreachable(brokers: &str, silent: &Silent, properties: &Properties) -> Check {
    let all = silent.reasons.join("; ");
    let reason = silent.reasons.first().map_or(silent.error.as_str(), |reason| plain(reason));
    fail(format!("no broker answers at {brokers}: {reason}"), advice(&format!("{all}; {}", silent.error), properties))
}

/// A reason without the names of librdkafka's threads and states.
fn plain(reason: &str) -> &str {
    let reason = reason.rsplit_once("]: ").map_or(reason, |(_, rest)| rest);
    let reason = reason.split_once("/bootstrap: ").map_or(reason, |(_, rest)| rest);
    reason.rsplit_once(" (after ").map_or(reason, |(rest, _)| rest)
}

/// What to do, by what librdkafka said. The first that fits: the more exact ones stand first.
fn advice(said: &str, properties: &Properties) -> &'static str {
    let protocol = properties.get("security.protocol").map_or("plaintext", String::as_str).to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| said.to_lowercase().contains(w));
    if has(&["property `", "configuration property"]) {
        return "look at the names under [kafka] in the settings file and at -X: they are librdkafka's own";
    }
    if has(&["unsupported sasl mechanism", "not supported by broker", "mechanism handshake failed"]) {
        return "set sasl.mechanism under [kafka] to one that the broker offers, such as SCRAM-SHA-512";
    }
    if has(&["authentication failed", "sasl authentication error", "invalid credentials"]) {
        return "look at sasl.username and sasl.password under [kafka], and whether the broker has that user";
    }
    if has(&["hostname mismatch", "does not match target host", "ip address mismatch"]) {
        return "name the broker as its certificate does, or give the broker a certificate with this name";
    }
    if has(&["certificate verify failed", "unable to get local issuer", "self-signed", "self signed"]) {
        return "name the authority that signed the broker's certificate, ssl.ca.location under [kafka]; if that is right, the certificate has another \
                name than the one asked for";
    }
    if has(&["certificate required", "handshake failure", "bad certificate"]) {
        return "the broker wants a certificate of yours: ssl.certificate.location and ssl.key.location under [kafka]";
    }
    if has(&["plaintext broker listener"]) {
        return "the broker's port speaks no TLS: security.protocol=PLAINTEXT (or SASL_PLAINTEXT), or its other port";
    }
    if has(&["ssl listener", "incorrect security.protocol", "disconnected while requesting apiversion"])
        && !protocol.contains("ssl")
    {
        return "the broker's port seems to speak TLS or SASL: security.protocol=SSL or SASL_SSL under [kafka]";
    }
    if has(&["failed to resolve", "name or service not known"]) {
        return "the name is not known here: look at its spelling and at /etc/resolv.conf";
    }
    if has(&["location failed", "no such file", "permission denied"]) {
        return "the file that this property names cannot be read, or is none of its kind";
    }
    if has(&["connection refused"]) {
        return "nothing listens there: start the broker, or look at the port; it must be the one that `listeners` names";
    }
    if has(&["timed out", "timeout", "no route", "unreachable"]) {
        return "look at the address, at firewalls between, and whether the broker runs";
    }
    if protocol == "plaintext" {
        return "something is there and does not answer as a broker: if it speaks TLS or SASL, say so with security.protocol under [kafka]; else look at \
                the port and at the broker's own log";
    }
    "look at the address and the port, and at the broker's own log"
}

fn answered(asked: &Asked<'_>, brokers: &str, probe: &Probe) -> Vec<Check> {
    let n = probe.brokers.len();
    let cluster = probe.cluster.as_deref().map(|c| format!(", cluster {c}")).unwrap_or_default();
    let mut out = vec![ok(format!(
        "{brokers} answers: {n} {}{cluster} ({})",
        if n == 1 { "broker" } else { "brokers" },
        probe.brokers.join(", ")
    ))];
    out.extend(probe.reasons.iter().map(|why| {
        warn(
            format!("librdkafka says: {}", plain(why)),
            "not every broker of the list can be reached, or its name is not known here",
        )
    }));
    if n < 3 {
        let have = if n == 1 { "one broker".to_owned() } else { format!("{n} brokers") };
        out.push(warn(
            format!("{have}: rows have {n} {}, and go with the last", if n == 1 { "copy" } else { "copies" }),
            "three brokers, where nothing may be lost",
        ));
    }
    let missing: Vec<&Topic> = probe.topics.iter().filter(|t| t.partitions == 0 && t.refused.is_none()).collect();
    match (&probe.make, missing.is_empty()) {
        (Ok(replicas), _) => out.push(ok(format!(
            "topics may be made, with {replicas} {}",
            if *replicas == 1 { "replica" } else { "replicas" }
        ))),
        (Err(why), true) => {
            out.push(unchecked(format!("topics may not be made by this user ({why}); all are there"), ""))
        }
        (Err(why), false) => out.push(fail(
            format!("{} topics are missing and may not be made: {why}", missing.len()),
            format!("let this user create {}.*, or have them made: {}", asked.args.topic_prefix, names(&missing)),
        )),
    }
    if probe.topics.iter().all(|t| t.partitions == 0) {
        out.push(warn(
            format!("there are no topics {}.* yet", asked.args.topic_prefix),
            "start a sensor: it makes them; or --topic-prefix, if they have another one",
        ));
    } else if !missing.is_empty() {
        out.push(warn(
            format!("not there: {}", names(&missing)),
            "a sensor makes them when it starts, a watch that of findings",
        ));
    }
    if let Err(why) = &probe.group {
        out.push(fail(
            format!("consumer group {}: {why}", asked.args.group),
            "let this user read the group, or name another one with --group",
        ));
    }
    out.extend(probe.topics.iter().filter(|t| t.partitions > 0 || t.refused.is_some()).flat_map(|t| topic(asked, t)));
    out.extend(clocks(probe));
    out.push(unchecked(
        "whether messages may be produced: a broker says so only to whoever produces",
        "`lidr sensor` and `lidr watch` end with a sentence where they may not",
    ));
    out
}

fn names(topics: &[&Topic]) -> String {
    topics.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn topic(asked: &Asked<'_>, topic: &Topic) -> Vec<Check> {
    let name = &topic.name;
    if let Some(why) = &topic.refused {
        return vec![fail(format!("{name}: {why}"), "let this user read the topic (DESCRIBE and READ)")];
    }
    if topic.leaderless > 0 {
        let of = format!("{} of {} partitions", topic.leaderless, topic.partitions);
        return vec![fail(
            format!("{name}: no broker leads {of}"),
            "a broker is away: start it, or wait for the others to take over",
        )];
    }
    let mut out = Vec::new();
    let mut told = std::collections::BTreeSet::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_threads_are_no_reason() {
        let said = "[thrd:h:1/bootstrap]: h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(plain(said), "Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        assert_eq!(plain("Local: Timed out"), "Local: Timed out");
    }

    #[test]
    fn what_librdkafka_says_becomes_a_next_step() {
        let plain = Properties::new();
        let ssl = Properties::from([("security.protocol".into(), "SSL".into())]);
        for (said, properties, step) in [
            (
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                &plain,
                "nothing listens",
            ),
            ("Failed to resolve 'kafka:9092': Name or service not known", &plain, "name is not known"),
            (
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified",
                &ssl,
                "ssl.ca.location",
            ),
            ("SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?", &ssl, "speaks no TLS"),
            (
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?)",
                &plain,
                "seems to speak TLS",
            ),
            (
                "SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512",
                &ssl,
                "sasl.password",
            ),
            ("property `sasl.pasword`: No such configuration property", &ssl, "names under [kafka]"),
            ("Metadata fetch error: BrokerTransportFailure (Local: Broker transport failure)", &plain, "TLS or SASL"),
            ("Metadata fetch error: BrokerTransportFailure (Local: Broker transport failure)", &ssl, "own log"),
            (
                "Client creation error: ssl.ca.location failed: error:05880002:x509 certificate routines::system lib",
                &ssl,
                "cannot be read",
            ),
        ] {
            let had = advice(said, properties);
            assert!(had.contains(step), "{said}: {had}");
        }
    }
}
