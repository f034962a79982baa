//! A finding: one NDJSON line, OCSF Detection Finding (class 2004) of OCSF 1.5.0.
//!
//! The id is a hash of what was found, never of how: rule code, rule version, entity in the rule's order, bucket of time. The
//! same after replay, re-delivery and restart, so that whatever receives findings can drop repeats.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::hex;

/// OCSF release that findings follow.
pub const OCSF_VERSION: &str = "1.5.0";

/// OCSF severities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 1.
    Informational,
    /// 2.
    Low,
    /// 3.
    Medium,
    /// 4.
    High,
    /// 5.
    Critical,
}

impl Severity {
    /// OCSF's `severity_id`.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8 + 1
    }

    /// Name in rule files and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// All of them, least first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The severity of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// OCSF confidences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// 1.
    Low,
    /// 2.
    Medium,
    /// 3.
    High,
}

impl Confidence {
    /// OCSF's `confidence_id`.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8 + 1
    }

    /// One step less sure.
    #[must_use]
    pub const fn lower(self) -> Self {
        match self {
            Self::High => Self::Medium,
            _ => Self::Low,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a line says about its finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activity {
    /// First made.
    Create,
    /// Severity raised, or the account of its bucket.
    Update,
    /// A pending finding that proved harmless.
    Close,
}

impl Activity {
    /// OCSF's `activity_id`.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8 + 1
    }
}

/// The finding's id: hex of the first 16 octets of SHA-256 over length-prefixed (code, rule version, entity values, bucket).
#[must_use]
pub fn uid(code: &str, version: u32, entity: &[String], bucket: i64) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(text);
    };
    part(code);
    part(&version.to_string());
    entity.iter().for_each(|value| part(value));
    part(&bucket.to_string());
    hex::encode(hash.finalize().get(..16).unwrap_or_default())
}

/// What the finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// `host`, `account`, `task`, `destination`, `device`, `credential`.
    pub kind: String,
    /// Its name, address or pseudonym.
    pub name: String,
}

/// A row that proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_endpoint: Option<Endpoint>,
    /// Who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_endpoint: Option<Endpoint>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_info: Option<Connection>,
    /// Where the packets are: `capture` and `frame`, or `file` and `line`; `topic`, `partition`, `offset` beside a broker.
    pub data: Map<String, Value>,
}

/// One end of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address.
    pub ip: String,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Zone of the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Name from the site's tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// The conversation that a row belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `tcp`, `udp`, `sctp`, `icmp`, or the protocol number.
    pub protocol_name: String,
    /// OCSF: 0 unknown, 1 inbound, 2 outbound, 3 lateral.
    pub direction_id: u8,
    /// Community ID v1.
    pub community_uid: String,
}

/// Name of an IP protocol number, as OCSF's `protocol_name` wants it.
#[must_use]
pub fn protocol_name(proto: u8) -> String {
    match proto {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        58 => "ipv6-icmp",
        132 => "sctp",
        other => return other.to_string(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_every_part_and_on_its_borders() {
        let id = |entity: &[&str], bucket| {
            uid("LI-01", 1, &entity.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), bucket)
        };
        assert_eq!(id(&["a", "bc"], 0).len(), 32);
        assert_ne!(id(&["a", "bc"], 0), id(&["ab", "c"], 0));
        assert_ne!(id(&["a"], 0), id(&["a"], 1));
    }

    #[test]
    fn severities_are_ordered_and_named() {
        assert!(Severity::Critical > Severity::High);
        assert_eq!(Severity::named("low").map(Severity::id), Some(2));
    }
}
