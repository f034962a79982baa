//! Which network a conversation inside a tunnel is in: the same addresses in two tenants' networks are two conversations.
//!
//! VXLAN (RFC 7348): its network identifier, whichever endpoints carry it. GRE with Ethernet inside (NVGRE, RFC 7637): key and
//! endpoints. GTP-U, other GRE, ERSPAN, IP in IP: the two endpoints in any order, because tunnel endpoint identifiers, keys and
//! sessions differ between the directions of one conversation. Tunnels in tunnels: each inside its carrier.
//!
//! VLANs, MPLS labels and PPPoE sessions are not part of it. A mirror often shows one direction of a conversation with its tag and
//! the other one without, or the same conversation before and after a router; apart, they would be two halves. A row says the VLAN
//! of its conversation's first packet; who has overlapping addresses in several VLANs gives each a sensor of its own.
//!
//! The number is a hash with a fixed key, not a seeded one, because rows must not differ between runs; two networks that share one
//! (1 in 2^64) and all addresses and ports of a conversation would be merged.
use std::hash::{DefaultHasher, Hash, Hasher};

use lidr_schema::Ip;

use super::{IpInfo, MOST_LAYERS};

/// What makes a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network {
    /// The network of the carrier.
    carrier: u64,
    /// The tunnel's endpoints, the lesser first, where they count.
    ends: Option<(Ip, Ip)>,
    /// The identifier, where it is the same in both directions.
    id: Option<u64>,
}

impl Network {
    /// Inside a tunnel between those addresses.
    pub(super) fn between(carrier: u64, info: &IpInfo) -> Self {
        let ends = Some((info.src.min(info.dst), info.src.max(info.dst)));
        Self { carrier, ends, id: None }
    }

    /// Of that name, whoever carries it.
    pub(super) const fn named(carrier: u64, id: Option<u64>) -> Self {
        Self { carrier, ends: None, id }
    }

    /// With an identifier as well.
    pub(super) const fn and(self, id: Option<u64>) -> Self {
        Self { id, ..self }
    }

    fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        // 0 is outside of any tunnel.
        hasher.finish().max(1)
    }
}

/// The last network met at each depth: packets of a tunnel often follow one another.
#[derive(Debug, Default)]
pub(super) struct Networks([Option<(Network, u64)>; MOST_LAYERS as usize]);

impl Networks {
    /// The number of a network, for flow keys.
    pub(super) fn number(&mut self, depth: u8, network: Network) -> u64 {
        let Some(last) = self.0.get_mut(usize::from(depth)) else { return network.number() };
        match last {
            Some((known, number)) if *known == network => *number,
            _ => last.insert((network, network.number())).1,
        }
    }
}
