//! Basic Encoding Rules (ITU-T X.690), definite lengths only: what SNMP needs.

/// An element with its tag and length.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let octets: Vec<u8> = len.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    let mut out = vec![tag];
    if len < 128 {
        out.push(u8::try_from(len).unwrap_or(0));
    } else {
        out.push(0x80 | u8::try_from(octets.len()).unwrap_or(0));
        out.extend(octets);
    }
    out.extend_from_slice(content);
    out
}

/// Several elements inside one.
pub(crate) fn seq(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// A number in two's complement, as short as may be.
pub(crate) fn int(tag: u8, value: i64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let spare = octets
        .windows(2)
        .take_while(|pair| matches!(pair, [0, b] if *b < 128) || matches!(pair, [255, b] if *b >= 128))
        .count();
    tlv(tag, octets.get(spare..).unwrap_or_default())
}

/// An object identifier.
pub(crate) fn oid(arcs: &[u32]) -> Vec<u8> {
    let (head, rest) = match arcs {
        [a, b, rest @ ..] => (a * 40 + b, rest),
        _ => (0, [].as_slice()),
    };
    let content: Vec<u8> = std::iter::once(head).chain(rest.iter().copied()).flat_map(base128).collect();
    tlv(0x06, &content)
}

fn base128(arc: u32) -> impl Iterator<Item = u8> {
    let used = (32 - arc.leading_zeros()).div_ceil(7).max(1);
    (0..used).rev().map(move |i| u8::try_from(arc >> (7 * i) & 0x7f).unwrap_or(0) | if i > 0 { 0x80 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::{int, oid, tlv};

    #[test]
    fn numbers_are_as_short_as_may_be() {
        assert_eq!(int(2, 0), [2, 1, 0]);
        assert_eq!(int(2, 127), [2, 1, 127]);
        assert_eq!(int(2, 128), [2, 2, 0, 128]);
        assert_eq!(int(2, -128), [2, 1, 128]);
        assert_eq!(int(0x42, 5000), [0x42, 2, 0x13, 0x88]);
    }

    #[test]
    fn the_tap_subtree_has_its_known_octets() {
        let tap2 = oid(&[1, 3, 6, 1, 4, 1, 9, 9, 399]);
        assert_eq!(tap2, [0x06, 9, 0x2b, 6, 1, 4, 1, 9, 9, 0x83, 0x0f]);
        assert_eq!(oid(&[1, 3, 1001]), [0x06, 3, 0x2b, 0x87, 0x69]);
    }

    #[test]
    fn long_lengths() {
        assert_eq!(tlv(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }
}
