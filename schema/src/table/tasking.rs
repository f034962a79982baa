//! `tasking`: who asked for which intercept.
use super::table;
use crate::{
    cell::{Micros, Name},
    ip::Ip,
    pseudonym::Pseudonym,
};

table! {
    /// One request about intercepts: a message of X1, a (PDU, content id) of SNMP, a DTCP, RADIUS-LI or HI1 message.
    /// Task, target and LIID are pseudonyms. `due` is the answer, or the request + 5 s.
    "tasking" by "ne" {
        /// `x1`, `snmp`, `dtcp`, `radius`, `hi1`, `record`.
        protocol: Name,
        /// `create`, `change`, `enable`, `disable`, `delete`, `list`, `get`, `destination_create`, `destination_change`,
        /// `destination_delete`, `notify_off`, `keepalive`, `report`; of orders in the register `order_create`, `order_change`,
        /// `order_delete`; `unknown` where the request is encrypted.
        op: Name,
        /// The protocol's own name of the message: X1 type, SNMP PDU.
        message: Option<Name>,
        /// What a list covers: `all`, `tasks`, `destinations`, `objects`, `status`, `tap`, `orders`.
        list_kind: Option<Name>,
        /// Who asked: the manager's address. Of a report, who was told.
        actor: Ip,
        /// ADMF id or USM user.
        actor_name: Option<Name>,
        /// The element asked. Of a report, the element that tells.
        ne: Ip,
        /// The element's identifier: NE id, SNMP engine id.
        ne_name: Option<Name>,
        /// The task: XID, content id or criteria id.
        task: Option<Pseudonym>,
        /// Lawful interception identifier.
        liid: Option<Pseudonym>,
        /// Destination ids, joined by `;`.
        did: Option<Name>,
        /// Number of destinations named.
        dids: u32,
        /// Kind of the first target.
        target_kind: Option<Name>,
        /// The first target.
        target: Option<Pseudonym>,
        /// Number of targets named.
        targets: u32,
        /// Prefix length of an address target.
        prefix_len: Option<u8>,
        /// Where the product is to go.
        dest_ip: Option<Ip>,
        /// Port where the product is to go.
        dest_port: Option<u16>,
        /// What is delivered: `X2Only`, `X3Only`, `X2andX3`, `HI2Only`, …; the transport for SNMP.
        delivery_type: Option<Name>,
        /// Notifications switched on or off by this request.
        notify: Option<bool>,
        /// Interception switched on or off by this request.
        enable: Option<bool>,
        /// End time given to the element.
        timeout: Option<Micros>,
        /// `ok`, `refused`, `unanswered`, `not_seen`.
        outcome: Name,
        /// Error code of the answer (TS 103 221-1 table 46, SNMP error-status).
        error_code: Option<u32>,
        /// Whether it could be read on the wire.
        cleartext: bool,
        /// SNMP security: `community`, `noAuthNoPriv`, `authNoPriv`, `authPriv`.
        level: Option<Name>,
        /// First object identifier of an SNMP request.
        first_oid: Option<Name>,
        /// Entries returned: varbinds under the MIB, tasks and destinations of a list.
        varbinds: u32,
        /// Whether the message followed its schema.
        schema_ok: bool,
        /// Start time given to the element, or of the order.
        start: Option<Micros>,
        /// Order or authorisation that the message or record names.
        order_id: Option<Pseudonym>,
        /// Every target named, as pseudonyms in hexadecimal joined by `;`, 16 at most; `targets` counts all.
        target_list: Option<Name>,
        /// Who approved it, where a message or record says so.
        approver: Option<Name>,
        /// State of the order or task as the message or record gives it, lower case: `approved`, `active`, `suspended`, `expired`,
        /// `fault`, …; what a report says; `identity_mismatch` where an element refused who asked (X1 errors 1030 to 1060).
        status: Option<Name>,
    }
}
