//! DNS (RFC 1035): one question, and an answer with A, AAAA or no record.
use std::net::IpAddr;

fn name(text: &str) -> Vec<u8> {
    let mut out: Vec<u8> =
        text.split('.').flat_map(|l| std::iter::once(u8::try_from(l.len()).unwrap_or(0)).chain(l.bytes())).collect();
    out.push(0);
    out
}

fn head(id: u16, flags: u16, answers: u16, question: &str, kind: u16) -> Vec<u8> {
    let words = [id, flags, 1, answers, 0, 0];
    let mut out: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
    out.extend(name(question));
    out.extend([kind, 1].iter().flat_map(|w| w.to_be_bytes()));
    out
}

/// A question for addresses; type 1 is A, 28 AAAA.
pub(crate) fn query(id: u16, question: &str, kind: u16) -> Vec<u8> {
    head(id, 0x0100, 0, question, kind)
}

/// The answer of a recursive resolver.
pub(crate) fn answer(id: u16, question: &str, kind: u16, address: Option<IpAddr>) -> Vec<u8> {
    let mut out = head(id, 0x8180, u16::from(address.is_some()), question, kind);
    let Some(address) = address else { return out };
    let octets = match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    out.extend([0xc0, 0x0c]);
    out.extend([kind, 1, 0, 300, u16::try_from(octets.len()).unwrap_or(0)].iter().flat_map(|w| w.to_be_bytes()));
    out.extend(octets);
    out
}

#[cfg(test)]
mod tests {
    use super::{answer, query};

    #[test]
    fn question_and_answer() {
        let asked = query(7, "a.example", 1);
        assert_eq!(asked[12..], [1, b'a', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0, 0, 1, 0, 1]);
        let told = answer(7, "a.example", 1, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(told.len(), asked.len() + 16);
        assert_eq!(told[told.len() - 4..], [192, 0, 2, 1]);
    }
}
