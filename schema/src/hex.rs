//! Octets as lower-case hexadecimal text and back.

/// Two digits an octet, lower case.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    octets.iter().flat_map(|o| [digit(o >> 4), digit(o & 15)]).collect()
}

/// The octets of an even number of hex digits of either case; `None` for anything else.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let nibbles = nibbles?;
    let (pairs, rest) = nibbles.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn round_trip_and_refusals() {
        assert_eq!(super::encode(&[0, 0xaf, 9]), "00af09");
        assert_eq!(super::decode("00AF09"), Some(vec![0, 0xaf, 9]));
        assert!(super::decode("0").is_none() && super::decode("zz").is_none());
    }
}
