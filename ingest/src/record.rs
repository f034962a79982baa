//! A decoded packet: what the reader hands to the worker that owns the flow.
//!
//! A tunnelled packet gives one record per layer, each under its own flow key, so that the carrier and what it carries are
//! conversations of their own and may live on different workers.
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use lidr_schema::{Ends, Ip, Outer};

/// Octets that records point into: a block of the capture, or a reassembled datagram.
pub type Block = Arc<Vec<u8>>;

/// When and where a packet was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Packet time, µs.
    pub ts: i64,
    /// Effective time, µs: max(ts, clock - disorder).
    pub eff: i64,
    /// Frame number in its capture, from 1.
    pub frame: u64,
    /// Ordinal of the input, from 0.
    pub input: u16,
}

/// Which end sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// From the end that opened the conversation.
    Src,
    /// From the other end.
    Dst,
}

impl Dir {
    /// 0 for `Src`, 1 for `Dst`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Src => Self::Dst,
            Self::Dst => Self::Src,
        }
    }
}

/// The key of a conversation: both ends in address order, so that both directions meet, in their network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowKey {
    /// The lesser (address, port).
    pub low: (Ip, u16),
    /// The greater (address, port).
    pub high: (Ip, u16),
    /// IANA protocol number.
    pub proto: u8,
    /// The network that the tunnels around it lead to, by number; 0 outside of any tunnel. VLANs are no part of it.
    pub network: u64,
}

impl Hash for FlowKey {
    /// Four words: an address as an array would be hashed octet by octet behind its length.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = u64::from(self.low.1) << 24 | u64::from(self.high.1) << 8 | u64::from(self.proto);
        state.write_u128(u128::from_ne_bytes(self.low.0.octets()));
        state.write_u128(u128::from_ne_bytes(self.high.0.octets()));
        state.write_u64(ports);
        state.write_u64(self.network);
    }
}

/// TCP's fields of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
    /// Urgent pointer.
    pub urgent: u16,
}

/// One layer of one packet.
#[derive(Clone, Debug)]
pub struct Record {
    /// The conversation.
    pub key: FlowKey,
    /// Seeded hash of the key: chooses the worker and the slot.
    pub hash: u64,
    /// It was sent by the lesser end of the key.
    pub from_low: bool,
    /// Source and destination port as they stand in its headers; of ICMP type and code.
    pub ports: (u16, u16),
    /// When and where.
    pub stamp: Stamp,
    /// The reader's clock at this packet, µs.
    pub clock: i64,
    /// TCP's fields; zero for other protocols.
    pub tcp: Tcp,
    /// Octets from the IP header on, by the length field.
    pub ip_len: u32,
    /// Payload octets above the transport header, by the length fields.
    pub payload_len: u32,
    /// The octets that `payload` points into, where any was captured.
    pub block: Option<Block>,
    /// Start of the captured payload in `block`.
    pub payload_start: u32,
    /// Octets of payload captured; fewer than `payload_len` where the capture was cut.
    pub payload_captured: u32,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Outermost VLAN id.
    pub vlan: Option<u16>,
    /// The tunnel it came in.
    pub outer: Option<Arc<Outer>>,
    /// 0 outside any tunnel, then one more a tunnel.
    pub layer: u8,
    /// The payload is a tunnel's and was opened: no decoder needs to look.
    pub carrier: bool,
}

impl Record {
    /// The packet's own direction: source and destination as they stand in its headers. They are in the key, turned by one bit, and
    /// not carried twice.
    #[must_use]
    pub const fn ends(&self) -> Ends {
        let (low, high) = (self.key.low.0, self.key.high.0);
        let (src_ip, dst_ip) = if self.from_low { (low, high) } else { (high, low) };
        Ends { src_ip, dst_ip, src_port: self.ports.0, dst_port: self.ports.1, proto: self.key.proto }
    }

    /// The captured payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let start = self.payload_start as usize;
        self.block.as_ref().and_then(|b| b.get(start..start + self.payload_captured as usize)).unwrap_or_default()
    }
}
