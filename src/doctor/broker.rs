//! The broker: whether it answers, in a sentence with the next step where it does not.
use lidr_analytics::kafka::probe::{Ask, Probe, Silent, ask};

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
    topics,
};
use crate::{args::Broker, sensor::all_properties, settings::Properties};

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
    let number = if n == 1 { "1 broker".to_owned() } else { format!("{n} brokers") };
    let mut out = vec![ok(format!("{brokers} answers: {number}{cluster} ({})", probe.brokers.join(", ")))];
    // What is refused is told where it belongs.
    let (refused, reasons): (Vec<&String>, Vec<&String>) =
        probe.reasons.iter().partition(|why| why.contains("authorization failed"));
    let next = "not every broker of the list can be reached, or its name is not known here";
    out.extend(reasons.iter().map(|why| warn(format!("librdkafka says: {}", plain(why)), next)));
    if n < 3 {
        out.push(warn(
            format!("{number}: what they hold goes with the last of them"),
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
