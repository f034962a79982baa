//! `dns`: questions and their answers.
use super::table;
use crate::{cell::Name, ip::Ip};

table! {
    /// One question with its answer.
    "dns" by "src_ip" {
        /// Message id.
        query_id: u16,
        /// Name asked for, lower case, without the final dot.
        qname: Name,
        /// Type asked for: `A`, `AAAA`, `TXT`, …
        qtype: Name,
        /// Operation, where it is no query: `update`, `notify`, …
        opcode: Option<Name>,
        /// `NOERROR`, `NXDOMAIN`, …; null without an answer.
        rcode: Option<Name>,
        /// `ok`, `refused`, `unanswered`, `not_seen`.
        outcome: Name,
        /// Records in the answer section.
        answers: u32,
        /// First address answered.
        answer_ip: Option<Ip>,
        /// First name answered (CNAME, PTR, MX, NS).
        answer_name: Option<Name>,
        /// Least time to live in the answer section, s.
        min_ttl: Option<u32>,
        /// Octets of the answer.
        answer_bytes: u32,
        /// Whether the answer was cut.
        truncated: bool,
    }
}
