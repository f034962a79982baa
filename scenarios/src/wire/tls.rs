//! TLS 1.3 (RFC 8446) as it looks from outside: hellos that can be read, then records full of noise. The extensions and their order
//! are those of a common browser, without GREASE.
use crate::rng::Rng;

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap_or(0).to_be_bytes();
    [&[kind, 3, 3], len.as_slice(), content].concat()
}

fn handshake(kind: u8, content: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(content.len()).unwrap_or(0).to_be_bytes();
    [&[kind, a, b, c], content].concat()
}

fn sized(content: &[u8]) -> Vec<u8> {
    [u16::try_from(content.len()).unwrap_or(0).to_be_bytes().as_slice(), content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &sized(content)].concat()
}

fn words(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// A ClientHello that names `host`.
pub(crate) fn client_hello(rng: &mut Rng, host: &str) -> Vec<u8> {
    let ciphers = words(&[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8]);
    let sni = sized(&[&[0], sized(host.as_bytes()).as_slice()].concat());
    let share = sized(&[words(&[0x001d]), sized(&rng.octets(32))].concat());
    let alpn = sized(b"\x02h2\x08http/1.1");
    let extensions = [
        extension(0, &sni),
        extension(23, &[]),
        extension(65_281, &[0]),
        extension(10, &sized(&words(&[0x001d, 0x0017, 0x0018]))),
        extension(11, &[1, 0]),
        extension(16, &alpn),
        extension(13, &sized(&words(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]))),
        extension(51, &share),
        extension(45, &[1, 1]),
        extension(43, &[4, 3, 4, 3, 3]),
    ]
    .concat();
    let body =
        [[3, 3].as_slice(), &rng.octets(32), &[32], &rng.octets(32), &sized(&ciphers), &[1, 0], &sized(&extensions)]
            .concat();
    let mut out = record(22, &handshake(1, &body));
    if let Some(minor) = out.get_mut(2) {
        *minor = 1;
    }
    out
}

/// ServerHello, change of cipher, and an encrypted flight with the certificate.
pub(crate) fn server_flight(rng: &mut Rng) -> Vec<u8> {
    let share = [words(&[0x001d]), sized(&rng.octets(32))].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
    let body =
        [[3, 3].as_slice(), &rng.octets(32), &[32], &rng.octets(32), &[0x13, 0x01, 0], &sized(&extensions)].concat();
    let n = usize::try_from(rng.between(2_100, 3_900)).unwrap_or(2_100);
    [record(22, &handshake(2, &body)), record(20, &[1]), data(rng, n)].concat()
}

/// The client's change of cipher and Finished.
pub(crate) fn client_finished(rng: &mut Rng) -> Vec<u8> {
    [record(20, &[1]), data(rng, 53)].concat()
}

/// Application data of `n` octets, in records of at most 16 KiB.
pub(crate) fn data(rng: &mut Rng, n: usize) -> Vec<u8> {
    rng.octets(n).chunks(16_384).flat_map(|piece| record(23, piece)).collect()
}

#[cfg(test)]
mod tests {
    use super::{client_hello, data};
    use crate::rng::Rng;

    #[test]
    fn lengths_nest() {
        let hello = client_hello(&mut Rng::new(1), "www.example");
        assert_eq!(hello[..3], [22, 3, 1]);
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])) + 5, hello.len(), "record");
        assert_eq!(usize::from(u16::from_be_bytes([hello[7], hello[8]])) + 9, hello.len(), "handshake");
        assert_eq!(data(&mut Rng::new(1), 20_000).len(), 20_010);
    }
}
