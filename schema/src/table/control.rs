//! `control`: routing, time and key exchange.
use super::table;
use crate::{cell::Name, ip::Ip};

table! {
    /// One event of BGP, NTP or IKE.
    "control" by "src_ip" {
        /// `bgp`, `ntp`, `ike`.
        protocol: Name,
        /// Verb: `open`, `update`, `notification`, `request`, `response`, `init`, `auth`.
        op: Name,
        /// Autonomous system of the peer.
        asn: Option<u32>,
        /// Router or peer identifier.
        identifier: Option<Name>,
        /// Prefix announced or withdrawn: first address.
        prefix: Option<Ip>,
        /// Its length.
        prefix_len: Option<u8>,
        /// NTP stratum, BGP hold time, IKE exchange type.
        number: Option<u32>,
        /// NTP offset, µs.
        offset_us: Option<i64>,
        /// `ok`, `refused`, `unanswered`, `not_seen`.
        outcome: Name,
        /// Error code.
        error_code: Option<u32>,
    }
}
