//! `mark`: facts read from payload that is not kept.
use super::table;
use crate::{cell::Name, ip::Ip};

table! {
    /// A fact about payload: a named byte pattern, an odd TCP header, a banner, an address that is then dialled.
    "mark" by "src_ip" {
        /// `pattern`, `tcp_odd`, `banner`, `not_protocol`, `dialled`.
        kind: Name,
        /// Which one.
        name: Name,
        /// Offset in the payload.
        offset: u32,
        /// Payload length.
        length: u32,
        /// Address found.
        value_ip: Option<Ip>,
        /// Port found.
        value_port: Option<u16>,
    }
}
