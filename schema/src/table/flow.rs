//! `flow`: every conversation, in rows that add up.
use super::table;
use crate::cell::{Micros, Name, Text};

table! {
    /// A conversation between two ends: an `open` row 2 s after its first packet, a `part` row each minute, an `end` row.
    /// Counts of its rows add up; `ts` is the first packet of the conversation in all of them.
    "flow" by "src_ip" {
        /// `open`, `part` or `end`.
        state: Name,
        /// Ordinal of the row inside its conversation, from 0.
        part: u32,
        /// The last packet that the row counts.
        last_ts: Micros,
        /// Protocol recognised by content, or by port where `trust` is `port`.
        app: Option<Name>,
        /// Packets from `src`, since the row before.
        src_packets: u64,
        /// Packets from `dst`, since the row before.
        dst_packets: u64,
        /// Octets from `src` counted from the IP header, since the row before.
        src_bytes: u64,
        /// Octets from `dst` counted from the IP header, since the row before.
        dst_bytes: u64,
        /// Payload octets from `src` above the transport header, since the row before.
        src_payload: u64,
        /// Payload octets from `dst` above the transport header, since the row before.
        dst_payload: u64,
        /// Whether `dst` has sent anything since the conversation began.
        answered: bool,
        /// Whether a TCP handshake was completed (or an SCTP association answered) since the conversation began.
        established: bool,
        /// Union of the TCP flags that `src` sent since the conversation began.
        src_flags: u8,
        /// Union of the TCP flags that `dst` sent since the conversation began.
        dst_flags: u8,
        /// What told the direction: `syn`, `synack`, `first` (first packet seen).
        direction_by: Name,
        /// Why it ended: `fin`, `rst`, `abort`, `idle`, `reuse`, `eof`, `evicted`; null unless `end`.
        end_reason: Option<Name>,
        /// TCP segments seen again, since the conversation began.
        retransmits: u32,
        /// TCP octets never seen, since the conversation began.
        gap_bytes: u64,
        /// Round trip between SYN and SYN+ACK, µs.
        rtt_us: Option<u32>,
        /// IP time to live (hop limit) of the first packet from `src`.
        src_ttl: Option<u8>,
        /// IP time to live (hop limit) of the first packet from `dst`.
        dst_ttl: Option<u8>,
        /// Community ID v1 of the conversation.
        community_id: Text,
    }
}
