//! What to do about what a broker or its client complains of.

/// What a complaint contains, what to do then, and whether waiting may heal it. The first that fits counts.
const ADVICE: [(&[&str], &str, bool); 14] = [
    (
        &["configuration property", "property `"],
        "names of properties are librdkafka's own: look at -X, and at [kafka] in the settings file",
        false,
    ),
    (&["location failed"], "the file that the property names cannot be read, or is none of its kind", false),
    (
        &["PLAINTEXT broker listener"],
        "the broker's port speaks no TLS: security.protocol=PLAINTEXT or SASL_PLAINTEXT, or its other port",
        true,
    ),
    (
        &["certificate required", "alert handshake failure", "alert bad certificate"],
        "the broker wants a certificate: ssl.certificate.location and ssl.key.location",
        false,
    ),
    (
        &["Unsupported SASL mechanism", "mechanism handshake failed"],
        "set sasl.mechanism to one that the broker offers, such as SCRAM-SHA-512",
        false,
    ),
    (
        &["certificate verify failed", "certificate could not be verified"],
        "set ssl.ca.location to the certificate of the authority that signed the broker's, and reach the broker by a name that it holds",
        false,
    ),
    (
        &["invalid credentials", "SASL authentication error", "Authentication failed"],
        "check sasl.mechanism, sasl.username and sasl.password",
        false,
    ),
    (
        &["incorrect security.protocol", "SSL handshake failed"],
        "check security.protocol: one side speaks TLS and the other does not",
        true,
    ),
    (
        &["uthorization failed", "AuthorizationFailed", "not authorized"],
        "the user needs Describe and Write on the topics to produce, Describe and Read on them and on the group to consume, and Create on the cluster unless the topics are there",
        false,
    ),
    (
        &["size too large", "MessageSizeTooLarge", "MSG_SIZE_TOO_LARGE"],
        "raise max.message.bytes of the topic, or message.max.bytes of the broker",
        false,
    ),
    (
        &["nknown topic", "UnknownTopicOrPartition"],
        "the topic is gone: start again, a sensor makes the topics that are missing",
        false,
    ),
    (&["esolve"], "check the name of the broker", true),
    (&["nough replicas", "NotEnoughReplicas"], "too few brokers of the cluster are in sync: look at their logs", true),
    (&["refused", "down", "Disconnected", "timed out"], "check the address and that the broker runs", true),
];

fn find(complaint: &str) -> Option<&'static (&'static [&'static str], &'static str, bool)> {
    ADVICE.iter().find(|(signs, ..)| signs.iter().any(|sign| complaint.contains(sign)))
}

/// What to do next.
#[must_use]
pub fn next_step(complaint: &str) -> &'static str {
    find(complaint).map_or("check the address and that the broker runs", |(_, step, _)| step)
}

/// Whether waiting may heal it.
#[must_use]
pub fn heals(complaint: &str) -> bool {
    find(complaint).is_none_or(|(.., heals)| *heals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certificate_and_a_password_lack_does_not_heal() {
        let tls = "ssl://b:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                   broker certificate could not be verified";
        assert!(!heals(tls) && next_step(tls).contains("ssl.ca.location"));
        let sasl = "sasl_ssl://b:9093/bootstrap: SASL authentication error: Authentication failed during authentication due to \
                    invalid credentials with SASL mechanism SCRAM-SHA-512";
        assert!(!heals(sasl) && next_step(sasl).contains("sasl.password"));
        assert!(!heals("Broker: Topic authorization failed"));
        assert!(!heals("Message production error: MessageSizeTooLarge (Broker: Message size too large)"));
    }

    #[test]
    fn what_is_more_exact_is_said_first() {
        for (said, step) in [
            ("SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?", "speaks no TLS"),
            (
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration",
                "security.protocol",
            ),
            (
                "SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism",
                "one that the broker offers",
            ),
            ("property `sasl.pasword`: No such configuration property", "librdkafka's own"),
            (
                "Client creation error: ssl.ca.location failed: error:05880002:x509 certificate routines",
                "cannot be read",
            ),
        ] {
            assert!(next_step(said).contains(step), "{said}: {}", next_step(said));
        }
    }

    #[test]
    fn a_broker_that_is_away_may_come_back() {
        for text in
            ["b:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused", "", "1/1 brokers are down"]
        {
            assert!(heals(text) && next_step(text).contains("address"), "{text}");
        }
        assert!(heals("Failed to resolve 'x:9092': Name or service not known"));
    }
}
