//! The broker: whether it answers, in a sentence with the next step where it does not.
use lidr_analytics::kafka::probe::{Ask, Probe, Silent, ask};
use lidr_broker::{Settings, next_step};

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
    topics,
};
use crate::{args::Broker, sensor};

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let args = asked.args;
    let Some(brokers) = &args.kafka else {
        return vec![unchecked("no broker was named; replay, hunt and live need none", "--kafka HOST:PORT asks it")];
    };
    let broker = Broker {
        kafka: brokers.clone(),
        topic_prefix: args.topic_prefix.clone(),
        broker_wait: 0,
        broker_buffer: 1,
        property: args.property.clone(),
    };
    let cluster = match sensor::cluster(&broker, asked.properties) {
        Ok(cluster) => cluster,
        Err(why) => return vec![fail(format!("{why:#}"), "")],
    };
    match ask(&Ask { cluster: &cluster, prefix: &args.topic_prefix, group: &args.group }) {
        Err(silent) => vec![unreachable(&silent, &cluster)],
        Ok(probe) => answered(asked, brokers, &probe),
    }
}

fn unreachable(silent: &Silent, cluster: &Settings) -> Check {
    // The one of which most is known; which came first is chance.
    let general = next_step("");
    let known = silent.reasons.iter().find(|reason| next_step(reason) != general).or(silent.reasons.first());
    let reason = known.map_or(silent.error.as_str(), |reason| plain(reason));
    fail(format!("no broker answers at {}: {reason}", cluster.brokers), advice(reason, silent, cluster))
}

/// A reason without the names of librdkafka's threads and states.
fn plain(reason: &str) -> &str {
    let reason = reason.rsplit_once("]: ").map_or(reason, |(_, rest)| rest);
    let reason = reason.split_once("/bootstrap: ").map_or(reason, |(_, rest)| rest);
    reason.rsplit_once(" (after ").map_or(reason, |(rest, _)| rest)
}

/// What to do next. A connection that was taken and never answered leaves no reason behind.
fn advice(reason: &str, silent: &Silent, cluster: &Settings) -> &'static str {
    let plain = cluster.properties.get("security.protocol").is_none_or(|p| p.eq_ignore_ascii_case("plaintext"));
    if silent.reasons.is_empty() && plain && silent.error.contains("fetch error") {
        return "something is there and does not answer as a broker: if it speaks TLS or SASL, say so with security.protocol under [kafka]; else look at \
                the port and at the broker's own log";
    }
    if reason.contains("SSL connection closed") {
        return "the other side closed the TLS connection at once: does the broker's port speak TLS? Else security.protocol=PLAINTEXT, or its other port";
    }
    next_step(reason)
}

fn answered(asked: &Asked<'_>, brokers: &str, probe: &Probe) -> Vec<Check> {
    let n = probe.brokers.len();
    let cluster = probe.cluster.as_deref().map(|c| format!(", cluster {c}")).unwrap_or_default();
    let number = if n == 1 { "1 broker".to_owned() } else { format!("{n} brokers") };
    let mut out = vec![ok(format!("{brokers} answers: {number}{cluster} ({})", probe.brokers.join(", ")))];
    // What is refused is told where it belongs.
    let (refused, reasons): (Vec<&String>, Vec<&String>) =
        probe.reasons.iter().partition(|why| why.contains("authorization failed"));
    let next = "not every broker of the list can be reached, or its name is not known here";
    out.extend(reasons.iter().map(|why| warn(format!("librdkafka says: {}", plain(why)), next)));
    if n < 3 {
        out.push(warn(
            format!("{number}: what a topic holds is lost with the last one that has it"),
            "three brokers, where nothing may be lost",
        ));
    }
    let of_group = refused.into_iter().find(|why| why.contains("Group authorization"));
    if let Some(why) = of_group.or(probe.group.as_ref().err()) {
        let what = format!("consumer group {}: {}", asked.args.group, plain(why));
        out.push(warn(
            what,
            "let the user of the watch read the group, or name another one with --group; a sensor needs none",
        ));
    }
    out.extend(topics::checks(asked, probe));
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_of_threads_are_no_reason() {
        let said = "[thrd:h:1/bootstrap]: h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        assert_eq!(plain(said), "Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        assert_eq!(plain("Local: Timed out"), "Local: Timed out");
    }

    #[test]
    fn a_connection_that_is_taken_and_not_answered_may_want_tls() {
        let silent = Silent { error: "Meta data fetch error: BrokerTransportFailure".to_owned(), reasons: Vec::new() };
        let plain = Settings::new("h:1", &BTreeMap::new());
        let tls = Settings::new("h:1", &BTreeMap::from([("security.protocol".to_owned(), "SSL".to_owned())]));
        assert!(advice(&silent.error, &silent, &plain).contains("TLS or SASL"));
        assert!(advice(&silent.error, &silent, &tls).contains("check the address"));
        assert!(advice("Disconnected: SSL connection closed by peer", &silent, &tls).contains("PLAINTEXT"));
    }
}
