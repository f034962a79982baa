//! `delivery`: intercept product that flows.
use super::table;
use crate::{
    cell::{Micros, Name},
    ip::Ip,
    pseudonym::Pseudonym,
};

table! {
    /// Product of one task on one stream and interval: X2, X3, HI2, HI3, CCC, CDC, mirrors. Rows `open`, `part` and `end` add up.
    /// No payload is kept.
    "delivery" by "ne" {
        /// `x2`, `x3`, `hi2`, `hi3`, `ccc` (also the mirrors of Cisco routers), `cdc`, `redbackli`, `mirror`; `x2x3` and `hi` for
        /// what does not say which of the two it is: keepalives alone, encrypted payload.
        protocol: Name,
        /// `open`, `part` or `end`.
        state: Name,
        /// Ordinal of the row inside its stream, from 0.
        part: u32,
        /// Who sends: the point of interception or mediation function.
        ne: Ip,
        /// Its name for itself.
        ne_name: Option<Name>,
        /// Interception point id.
        point: Option<Name>,
        /// Where the product goes.
        dest_ip: Ip,
        /// Port where the product goes.
        dest_port: u16,
        /// The task: XID or content id.
        task: Option<Pseudonym>,
        /// Lawful interception identifier.
        liid: Option<Pseudonym>,
        /// Communication identity number or correlation id.
        correlation: Option<u64>,
        /// Payload format: `ipv4`, `ipv6`, `sip`, `ts33128`, …
        format: Option<Name>,
        /// The last unit that the row counts.
        last_ts: Micros,
        /// Units of product, since the row before.
        pdus: u64,
        /// Payload octets of product, since the row before.
        bytes: u64,
        /// First sequence number, since the row before.
        first_seq: Option<u32>,
        /// Last sequence number, since the row before.
        last_seq: Option<u32>,
        /// Sequence numbers skipped, since the row before.
        missing: u64,
        /// Keepalives, since the row before.
        keepalives: u64,
        /// Matched target identifier, where the unit repeats it.
        target: Option<Pseudonym>,
        /// Whether it could be read on the wire.
        cleartext: bool,
        /// Authorisation country (TS 102 232-1).
        country: Option<Name>,
        /// Operator identifier (TS 102 232-1).
        operator: Option<Name>,
        /// Units sent from the target, since the row before.
        from_target: u64,
        /// Units sent to the target, since the row before.
        to_target: u64,
        /// Units whose payload is encrypted, since the row before.
        encrypted: u64,
        /// Integrity checks, since the row before.
        integrity: u64,
        /// Kinds of record since the row before, sorted, joined by `;`: `begin`, `continue`, `end`, `report` for IRI, message names for CDC.
        records: Option<Name>,
        /// Keepalives answered, since the row before.
        answers: u64,
    }
}
