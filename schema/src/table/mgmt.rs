//! `mgmt`: management of devices.
use super::table;
use crate::{cell::Name, ip::Ip, pseudonym::Pseudonym};

table! {
    /// One management operation: SNMP (a row per varbind of a SET, 64 at most; one per PDU for reads, and a `response` row for each
    /// packet counter of a tap that came back), NETCONF, device web, CLI accounting, TFTP, FTP, Smart Install, syslog.
    /// Community strings and passwords are never kept.
    "mgmt" by "ne" {
        /// `snmp`, `netconf`, `cli`, `tftp`, `ftp`, `smi`, `syslog`, `web`.
        protocol: Name,
        /// `get`, `getnext`, `getbulk`, `set`, `trap`, `inform`, `report`, `response`, `encrypted`, or the protocol's verb.
        op: Name,
        /// Version of the protocol: `v1`, `v2c`, `v3` for SNMP.
        version: Option<Name>,
        /// SNMP security: `community`, `noAuthNoPriv`, `authNoPriv`, `authPriv`.
        level: Option<Name>,
        /// The manager's address.
        actor: Ip,
        /// USM user or account.
        actor_name: Option<Name>,
        /// The network element's address.
        ne: Ip,
        /// SNMP engine id (hex) or the element's name for itself.
        ne_name: Option<Name>,
        /// Object identifier: of the varbind for a SET, the first of the PDU for reads.
        oid: Option<Name>,
        /// Name of the object, where it is known.
        object: Option<Name>,
        /// Integer value written or reported, where the object's values are no secret.
        value_int: Option<i64>,
        /// Address written, where the object is an address.
        value_ip: Option<Ip>,
        /// Other value that is no secret: file names, commands.
        value: Option<Name>,
        /// Lawful-intercept MIB that the PDU touches: `tap2`, `ip-tap`, `802-tap`, `user-connection-tap`, `mobility-tap`, `voip-tap`, `tap`, `pktc-es-tap`.
        tap: Option<Name>,
        /// Varbinds in the request.
        varbinds: u32,
        /// Varbinds returned that are no exception.
        returned: u32,
        /// Returned varbinds under a lawful-intercept MIB.
        tap_returned: u32,
        /// `ok`, `refused`, `unanswered`, `not_seen`, `none` (nothing is answered: traps).
        outcome: Name,
        /// Error status of the answer, or the code of the protocol.
        error_code: Option<u32>,
        /// Which usmStats counter a Report carried.
        report: Option<Name>,
        /// Boots of the authoritative engine.
        engine_boots: Option<u32>,
        /// Time of the authoritative engine, s.
        engine_time: Option<u32>,
        /// The tap that the object belongs to: content id.
        task: Option<Pseudonym>,
        /// sysUpTime that the message carries, 1/100 s.
        uptime: Option<u64>,
        /// Octets of the request.
        request_bytes: u32,
        /// Octets of the answer.
        response_bytes: u32,
    }
}
