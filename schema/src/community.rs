//! Community ID v1: one text for a conversation, the same from Zeek, Suricata and lidr.
//!
//! `1:` and the base64 of SHA-1(seed u16, lesser address, greater address, protocol, 0, port, port), the ends ordered so that
//! both directions agree. ICMP puts type and code in place of ports, and maps the types that answer one another (Community ID
//! specification, Corelight; RFC 792, RFC 4443).
use sha1::{Digest, Sha1};

use crate::head::Ends;

/// Octets of the seed, which is 0.
const SEED: usize = 2;
/// Most octets that are hashed: seed, two addresses, protocol, 0, two ports.
const HASHED: usize = SEED + 2 * 16 + 2 + 2 * 2;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// The Community ID of a conversation, seed 0.
#[must_use]
pub fn community_id(ends: &Ends) -> String {
    let (src_port, dst_port, one_way) = ports(ends);
    let (src, dst) = (ends.src_ip.wire(), ends.dst_ip.wire());
    let forward = one_way || (src, src_port) <= (dst, dst_port);
    let (low, high, low_port, high_port) =
        if forward { (src, dst, src_port, dst_port) } else { (dst, src, dst_port, src_port) };
    let (low_port, high_port) = (low_port.to_be_bytes(), high_port.to_be_bytes());
    let ports: &[&[u8]] = if has_ports(ends.proto) { &[&low_port, &high_port] } else { &[] };
    // Put together first: it fits one block of the hash, which is then computed in one go.
    let (mut octets, mut length) = ([0; HASHED], SEED);
    for part in [low, high, &[ends.proto, 0]].iter().chain(ports) {
        if let Some(room) = octets.get_mut(length..length + part.len()) {
            room.copy_from_slice(part);
            length += part.len();
        }
    }
    let hash = Sha1::digest(octets.get(..length).unwrap_or_default());
    String::from_utf8([b"1:".as_slice(), &base64(&hash.into())].concat()).unwrap_or_default()
}

/// Base64 (RFC 4648 §4) of exactly so many octets: 28 characters, the last of them padding.
fn base64(octets: &[u8; 20]) -> [u8; 28] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| LETTERS.get(bits as usize & 63).copied().unwrap_or_default();
    let mut text = [b'='; 28];
    let (threes, rest) = octets.as_chunks::<3>();
    let (fours, _) = text.as_chunks_mut::<4>();
    let last_three = if let [a, b] = rest { [*a, *b, 0] } else { [0; 3] };
    for (four, [a, b, c]) in fours.iter_mut().zip(threes.iter().chain(std::iter::once(&last_three))) {
        let bits = u32::from(*a) << 16 | u32::from(*b) << 8 | u32::from(*c);
        *four = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
    }
    if let Some(padding) = text.last_mut() {
        *padding = b'=';
    }
    text
}

const fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 132 | ICMP | ICMP6)
}

/// Ports as they enter the hash, and whether the conversation has one direction only.
fn ports(ends: &Ends) -> (u16, u16, bool) {
    if !matches!(ends.proto, ICMP | ICMP6) {
        return (ends.src_port, ends.dst_port, false);
    }
    icmp_pair(ends.proto, ends.src_port)
        .map_or((ends.src_port, ends.dst_port, true), |other| (ends.src_port, other, false))
}

/// The ICMP (protocol 1) or ICMPv6 (58) type that answers this one, or that it answers.
#[must_use]
pub const fn icmp_pair(proto: u8, kind: u16) -> Option<u16> {
    if proto == ICMP6 { icmp6_answer(kind) } else { icmp_answer(kind) }
}

const fn icmp_answer(kind: u16) -> Option<u16> {
    Some(match kind {
        0 => 8,
        8 => 0,
        9 => 10,
        10 => 9,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

const fn icmp6_answer(kind: u16) -> Option<u16> {
    Some(match kind {
        128 => 129,
        129 => 128,
        130 => 131,
        131 => 130,
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(src: &str, dst: &str, src_port: u16, dst_port: u16, proto: u8) -> Ends {
        Ends { src_ip: src.parse().unwrap(), dst_ip: dst.parse().unwrap(), src_port, dst_port, proto }
    }

    /// Values of the specification's own reference output (corelight/community-id-spec, baseline directory).
    #[test]
    fn published_values() {
        let tcp = ends("128.232.110.120", "66.35.250.204", 34855, 80, 6);
        assert_eq!(community_id(&tcp), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        let udp = ends("192.168.1.52", "8.8.8.8", 54585, 53, 17);
        assert_eq!(community_id(&udp), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        let icmp = ends("192.168.0.89", "192.168.0.1", 8, 0, 1);
        assert_eq!(community_id(&icmp), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
    }

    #[test]
    fn both_directions_agree() {
        let there = ends("10.0.0.1", "10.0.0.2", 4000, 22, 6);
        let back = ends("10.0.0.2", "10.0.0.1", 22, 4000, 6);
        assert_eq!(community_id(&there), community_id(&back));
    }
}
