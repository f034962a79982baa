//! `signal`: signalling of the mobile and voice core.
use super::table;
use crate::{cell::Name, ip::Ip, pseudonym::Pseudonym};

table! {
    /// One procedure of GTP-C, PFCP, Diameter, SIGTRAN, SCTP association set-up or SIP, or one message of RADIUS accounting.
    "signal" by "src_ip" {
        /// `gtpc`, `pfcp`, `diameter`, `sigtran`, `sctp`, `sip`, `radius`.
        protocol: Name,
        /// Name of the procedure or command.
        op: Name,
        /// Version of the protocol.
        version: Option<Name>,
        /// Number of the message type or command.
        code: u32,
        /// `ok`, `refused`, `unanswered`, `not_seen`.
        outcome: Name,
        /// Cause or result code.
        error_code: Option<u32>,
        /// Subscriber.
        imsi: Option<Pseudonym>,
        /// Number.
        msisdn: Option<Pseudonym>,
        /// Equipment.
        imei: Option<Pseudonym>,
        /// Access point name.
        apn: Option<Name>,
        /// Tunnel endpoint or session id of the sender.
        teid: Option<u64>,
        /// User-plane address named.
        user_ip: Option<Ip>,
        /// Origin host.
        origin_host: Option<Name>,
        /// Origin realm or network.
        origin_realm: Option<Name>,
        /// Destination host.
        dest_host: Option<Name>,
        /// Destination realm or network.
        dest_realm: Option<Name>,
        /// Application or payload protocol identifier.
        application: Option<u32>,
        /// Octets that could not be read as the protocol says.
        odd_bytes: u32,
        /// Subscriber's network access identifier.
        nai: Option<Pseudonym>,
        /// Session that accounting names.
        session: Option<Pseudonym>,
        /// Network access server, for RADIUS accounting.
        nas: Option<Ip>,
    }
}
