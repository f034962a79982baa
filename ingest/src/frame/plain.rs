//! The packet that nearly every packet is, read in one go: Ethernet, IPv4 without options, TCP, nothing cut off and no fragment.
//!
//! It says of such a packet what the way through the layers says of it ([`super::link`], [`super::transport`]), without the steps of
//! every layer that it might have had, which take three times as long. Whatever is not quite like that goes that way.
use lidr_schema::Ip;

use super::{ETHERNET, IpInfo, View};
use crate::record::Tcp;

/// Octets of the three headers without options.
const HEADERS: usize = 14 + 20 + 20;

/// A plain packet.
pub(super) struct Plain<'a> {
    pub(super) info: IpInfo,
    pub(super) ports: (u16, u16),
    pub(super) tcp: Tcp,
    pub(super) payload: View<'a>,
}

impl<'a> Plain<'a> {
    /// The packet, where it is one.
    #[inline]
    pub(super) fn of(link: u32, view: View<'a>) -> Option<Self> {
        let h = view.get().first_chunk::<HEADERS>()?;
        // Ethernet type, version and length of the IP header, protocol, fragment offset and "more fragments".
        let is_plain = link == ETHERNET
            && [h[12], h[13], h[14]] == [0x08, 0x00, 0x45]
            && h[23] == 6
            && [h[20] & 0x3f, h[21]] == [0, 0];
        let total = usize::from(u16::from_be_bytes([h[16], h[17]]));
        let head = usize::from(h[46] >> 4) * 4;
        let is_whole = head >= 20 && total >= 20 + head && 14 + total <= view.len();
        if !is_plain || !is_whole {
            return None;
        }
        let (src, dst) = (Ip::v4([h[26], h[27], h[28], h[29]]), Ip::v4([h[30], h[31], h[32], h[33]]));
        let tcp = Tcp {
            seq: u32::from_be_bytes([h[38], h[39], h[40], h[41]]),
            ack: u32::from_be_bytes([h[42], h[43], h[44], h[45]]),
            flags: h[47],
            urgent: u16::from_be_bytes([h[52], h[53]]),
        };
        Some(Self {
            info: IpInfo { src, dst, proto: 6, ttl: h[22], len: total },
            ports: (u16::from_be_bytes([h[34], h[35]]), u16::from_be_bytes([h[36], h[37]])),
            tcp,
            // What follows is padding.
            payload: view.limit(14 + total).skip(34 + head),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        frame::{Context, Frames},
        record::{Block, Record, Stamp},
        source::ReaderOdd,
    };

    /// What the way through the layers makes of a packet.
    fn layers(block: &Block, cut: usize) -> (Vec<Record>, Vec<ReaderOdd>) {
        let (mut frames, mut out, mut odds) = (Frames::default(), Vec::new(), Vec::new());
        let mut context = Context {
            stamp: Stamp::default(),
            clock: 0,
            ends: lidr_schema::Ends::default(),
            vlan: None,
            outer: None,
            network: 0,
            layer: 0,
            out: &mut out,
            odds: &mut odds,
        };
        frames.link(ETHERNET, View::new(block, 0, block.len(), cut), &mut context);
        (out, odds)
    }

    fn packet(payload: usize) -> Vec<u8> {
        let mut octets = vec![0; HEADERS + payload];
        octets.iter_mut().zip(1..).for_each(|(o, n)| *o = n);
        octets[12..15].copy_from_slice(&[8, 0, 0x45]);
        octets[16..18].copy_from_slice(&(40 + payload as u16).to_be_bytes());
        octets[20..24].copy_from_slice(&[0x40, 0, 64, 6]);
        octets[46] = 0x50;
        octets
    }

    #[test]
    fn only_plain_packets_are_taken() {
        let is_plain = |octets: Vec<u8>| {
            let block = Arc::new(octets);
            Plain::of(ETHERNET, View::new(&block, 0, block.len(), 0)).is_some()
        };
        assert!(is_plain(packet(10)) && is_plain(packet(0)));
        let cases: [(usize, u8); 8] =
            [(12, 0x86), (14, 0x46), (14, 0x65), (20, 0x20), (21, 1), (23, 17), (46, 0x40), (46, 0xf0)];
        for (at, octet) in cases {
            let mut other = packet(10);
            other[at] = octet;
            assert!(!is_plain(other), "{at}");
        }
        assert!(!is_plain(packet(10)[..HEADERS + 9].to_vec()), "cut");
    }

    proptest! {
        #[test]
        fn a_plain_packet_is_what_the_layers_make_of_it(
            payload in 0_usize..80,
            padding in 0_usize..8,
            cut in 0_usize..3,
            changes in prop::collection::vec((12_usize..60, any::<u8>()), 0..3),
        ) {
            let mut octets = packet(payload);
            octets.extend(vec![0xee; padding]);
            for (at, octet) in changes {
                octets.get_mut(at).into_iter().for_each(|o| *o = octet);
            }
            let block = Arc::new(octets);
            let Some(plain) = Plain::of(ETHERNET, View::new(&block, 0, block.len(), cut)) else { return Ok(()) };
            let (records, odds) = layers(&block, cut);
            prop_assert!(odds.is_empty() && records.len() == 1, "{odds:?}");
            let r = &records[0];
            prop_assert_eq!((r.ends(), r.tcp, r.ttl), (plain.info.ends(plain.ports), plain.tcp, plain.info.ttl));
            prop_assert_eq!((r.ip_len as usize, r.payload_len as usize), (plain.info.len, plain.payload.len()));
            prop_assert_eq!((r.payload(), plain.payload.cut), (plain.payload.get(), 0));
        }
    }
}
