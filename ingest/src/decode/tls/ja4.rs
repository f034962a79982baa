//! JA4, the fingerprint of a client hello, by its public description (FoxIO, BSD 3-Clause; only the TLS client fingerprint of
//! that family is free to ship, so no other one is here).
//!
//! `t13d1516h2_8daaf6152771_e5627efa2ab1`: transport, greatest version, `d` with a server name or `i` without, number of
//! ciphers, number of extensions, first and last character of the first application protocol; SHA-256 of the sorted ciphers;
//! SHA-256 of the sorted extensions and the signature algorithms in their order. Values of RFC 8701 are left out everywhere.
use lidr_schema::hex;
use sha2::{Digest, Sha256};

use super::hello::{Offer, is_grease};

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// What stands for the hash of nothing.
const NOTHING: &str = "000000000000";

/// The fingerprint.
pub(super) fn fingerprint(offer: &Offer) -> String {
    let real = |values: &[u16]| -> Vec<u16> { values.iter().copied().filter(|v| !is_grease(*v)).collect() };
    let (mut ciphers, extensions) = (real(&offer.ciphers), real(&offer.extensions));
    let head = format!(
        "t{}{}{:02}{:02}{}",
        version(offer.version),
        if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' },
        ciphers.len().min(99),
        extensions.len().min(99),
        alpn(&offer.alpn)
    );
    ciphers.sort_unstable();
    let mut kinds: Vec<u16> = extensions.into_iter().filter(|e| !matches!(*e, SERVER_NAME | ALPN)).collect();
    kinds.sort_unstable();
    let signatures = real(&offer.signatures);
    let mut second = list(&kinds);
    if !signatures.is_empty() {
        second = format!("{second}_{}", list(&signatures));
    }
    format!("{head}_{}_{}", hash(&list(&ciphers)), hash(&second))
}

const fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character; of their hexadecimal form where one of them is no letter or digit.
fn alpn(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    format!("{:x}{:x}", first >> 4, last & 15)
}

fn list(values: &[u16]) -> String {
    let mut text = String::with_capacity(values.len() * 5);
    for value in values {
        if !text.is_empty() {
            text.push(',');
        }
        let digits = [value >> 12, value >> 8, value >> 4, *value].map(|d| char::from_digit(u32::from(d & 15), 16));
        text.extend(digits.into_iter().flatten());
    }
    text
}

fn hash(text: &str) -> String {
    match text.is_empty() {
        true => NOTHING.into(),
        false => hex::encode(Sha256::digest(text).get(..6).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the public description: a browser's hello, in an order of our own with values of RFC 8701 mixed in.
    fn published() -> Offer {
        Offer {
            version: 0x0304,
            ciphers: vec![
                0x8a8a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
                0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0xdada, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                0xff01, 0x000b, 0x000a, 0x0015, 0x2a2a,
            ],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            alpn: b"h2".to_vec(),
        }
    }

    #[test]
    fn the_published_example_is_met() {
        assert_eq!(fingerprint(&published()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn parts_that_are_absent_have_their_marks() {
        let none = Offer { version: 0x0301, ..Offer::default() };
        assert_eq!(fingerprint(&none), "t10i000000_000000000000_000000000000");
        let unsigned = Offer { signatures: Vec::new(), ..published() };
        assert_ne!(fingerprint(&unsigned), fingerprint(&published()));
        assert_eq!((alpn(b"http/1.1"), alpn(&[0xab]), alpn(b"x\x0f")), ("h1".into(), "ab".into(), "7f".into()));
    }
}
