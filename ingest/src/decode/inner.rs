//! Packets of IP as the payload of mirrors that have no mark of their own: whether one fills the rest of a datagram exactly.
//!
//! Only the header is looked at: version, lengths, checksum (IPv4), hops. What is inside is intercept product and is not read.
use super::cursor::Cursor;

/// The version of a packet of IP that is `whole` octets long; where that is not known, of one that is not shorter than what is there.
pub(super) fn packet(inner: &[u8], whole: Option<u64>) -> Option<&'static str> {
    let fits = |length: u64| whole.map_or(length >= inner.len() as u64, |whole| length == whole);
    match inner.first()? >> 4 {
        4 => ipv4(inner).filter(|length| fits(*length)).map(|_| "ipv4"),
        6 => ipv6(inner).filter(|length| fits(*length)).map(|_| "ipv6"),
        _ => None,
    }
}

/// Total length, where the header is a right one.
fn ipv4(inner: &[u8]) -> Option<u64> {
    let words = usize::from(inner.first()? & 0x0f);
    let header = inner.get(..words * 4).filter(|_| words >= 5)?;
    let mut c = Cursor::new(header.get(2..)?);
    let length = u64::from(c.u16()?);
    let alive = header.get(8).is_some_and(|hops| *hops > 0);
    let sum: u32 = header
        .chunks_exact(2)
        .filter_map(|pair| pair.first_chunk())
        .map(|pair| u32::from(u16::from_be_bytes(*pair)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (alive && length >= header.len() as u64 && folded == 0xffff).then_some(length)
}

/// Length, where the header is one of a packet that a host could have sent.
fn ipv6(inner: &[u8]) -> Option<u64> {
    let header = inner.get(..40)?;
    let mut c = Cursor::new(header.get(4..)?);
    let (length, next, hops) = (c.u16()?, c.u8()?, c.u8()?);
    let usual = matches!(next, 0 | 6 | 17 | 43 | 44 | 50 | 51 | 58 | 60 | 132);
    let multicast = header.get(8) == Some(&0xff);
    (usual && hops > 0 && !multicast && length > 0).then_some(u64::from(length) + 40)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(version: u8, octets: usize) -> Vec<u8> {
        let (mut out, body) = (Vec::new(), vec![7; octets]);
        match version {
            4 => etherparse::PacketBuilder::ipv4([192, 0, 2, 1], [203, 0, 113, 9], 9)
                .udp(1, 2)
                .write(&mut out, &body)
                .unwrap(),
            _ => etherparse::PacketBuilder::ipv6([0x20; 16], [0x21; 16], 9).udp(1, 2).write(&mut out, &body).unwrap(),
        }
        out
    }

    #[test]
    fn a_packet_fills_what_it_is_in() {
        for (version, name) in [(4, "ipv4"), (6, "ipv6")] {
            let whole = made(version, 30);
            let length = whole.len() as u64;
            assert_eq!(packet(&whole, Some(length)), Some(name));
            assert_eq!(packet(&whole[..40], Some(length)), Some(name), "cut by the capture");
            assert_eq!(
                [
                    packet(&whole, Some(length + 1)),
                    packet(&whole, Some(length - 1)),
                    packet(&whole[..19], Some(length))
                ],
                [None; 3]
            );
            assert_eq!(packet(&[&whole[..], &[0]].concat(), None), None, "shorter than what is there");
        }
    }

    proptest! {
        #[test]
        fn one_octet_wrong_in_a_header_is_seen(at in 0_usize..20, by in 1_u8..=255) {
            let mut whole = made(4, 30);
            whole[at] ^= by;
            prop_assert_eq!(packet(&whole, Some(58)), None);
        }

        #[test]
        fn no_octets_break_it(octets in prop::collection::vec(any::<u8>(), 0..60), whole in prop::option::of(0_u64..99)) {
            let _ = packet(&octets, whole);
        }
    }
}
