//! X2 and X3 (ETSI TS 103 221-2): a header of 40 octets, attributes, payload. Version 0.5, as public implementations write it.
//! Payload is filler with a correct header: no capture of this crate holds the communication of anyone.

/// What a unit carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signalling: a SIP message.
    X2,
    /// Content: an IPv4 packet.
    X3,
    /// Are you there?
    Keepalive,
    /// I am.
    KeepaliveAck,
}

impl Kind {
    /// Type, payload format, direction.
    fn codes(self) -> (u16, u16, u16) {
        match self {
            Self::X2 => (1, 9, 3),
            Self::X3 => (2, 5, 3),
            Self::Keepalive => (3, 0, 0),
            Self::KeepaliveAck => (4, 0, 0),
        }
    }
}

/// One unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit<'a> {
    /// What it carries.
    pub(crate) kind: Kind,
    /// Task id, as text; empty for keepalives.
    pub(crate) xid: &'a str,
    /// Correlation id.
    pub(crate) correlation: u64,
    /// Sequence number.
    pub(crate) seq: u32,
    /// Time, µs since 1970.
    pub(crate) at: i64,
    /// Matched target.
    pub(crate) imsi: &'a str,
}

fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap_or(0);
    [&kind.to_be_bytes(), &len.to_be_bytes(), content].concat()
}

/// The unit's octets.
pub(crate) fn pdu(unit: Unit<'_>, payload: &[u8]) -> Vec<u8> {
    let (kind, format, direction) = unit.kind.codes();
    let mut attributes = attribute(8, &unit.seq.to_be_bytes());
    if format != 0 {
        let word = |n: i64| u32::try_from(n).unwrap_or(0).to_be_bytes();
        let time = [word(unit.at.div_euclid(1_000_000)), word(unit.at.rem_euclid(1_000_000) * 1_000)].concat();
        let target = format!("<imsi>{}</imsi>", unit.imsi);
        attributes.extend(
            [attribute(6, b"smf-1"), attribute(7, b"poi-01"), attribute(9, &time), attribute(17, target.as_bytes())]
                .concat(),
        );
    }
    let len = |n: usize| u32::try_from(n).unwrap_or(0).to_be_bytes();
    let mut out = vec![0, 5];
    out.extend(kind.to_be_bytes());
    out.extend(len(40 + attributes.len()));
    out.extend(len(payload.len()));
    out.extend(format.to_be_bytes());
    out.extend(direction.to_be_bytes());
    out.extend(uuid(unit.xid));
    out.extend(unit.correlation.to_be_bytes());
    out.extend(attributes);
    out.extend_from_slice(payload);
    out
}

/// The 16 octets of a UUID; zero where the text is none.
pub(crate) fn uuid(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}

/// A SIP message without content, about `call`.
pub(crate) fn sip(call: u64) -> Vec<u8> {
    format!(
        "MESSAGE sip:peer@ims.example SIP/2.0\r\nVia: SIP/2.0/TCP 100.64.7.7;branch=z9hG4bK{call:x}\r\nFrom: <sip:sub@ims.example>;tag={call:x}\r\n\
         To: <sip:peer@ims.example>\r\nCall-ID: {call:016x}@ims.example\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Every unit of a stream as (type, task, payload octets), and what is left over at its end.
#[cfg(test)]
pub(crate) fn walk(mut stream: &[u8]) -> (Vec<(u16, [u8; 16], usize)>, usize) {
    let mut out = Vec::new();
    while stream.len() >= 40 {
        let word = |at: usize| u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        let (head, payload) = (word(4), word(8));
        assert_eq!(stream[..2], [0, 5], "a unit starts where the one before ends");
        if stream.len() < head + payload {
            break;
        }
        out.push((u16::from_be_bytes([stream[2], stream[3]]), stream[16..32].try_into().unwrap(), payload));
        stream = &stream[head + payload..];
    }
    (out, stream.len())
}

#[cfg(test)]
mod tests {
    use super::{Kind, Unit, pdu, uuid, walk};

    const XID: &str = "29f28e1c-f230-486a-a860-f5a784ab9172";

    #[test]
    fn a_stream_walks_unit_by_unit() {
        let unit = Unit {
            kind: Kind::X3,
            xid: XID,
            correlation: 1,
            seq: 1,
            at: 1_795_346_100_123_456,
            imsi: "001010123456789",
        };
        let stream = [pdu(unit, &[0; 28]), pdu(Unit { kind: Kind::Keepalive, xid: "", ..unit }, &[])].concat();
        assert_eq!(walk(&stream), (vec![(2, uuid(XID), 28), (3, [0; 16], 0)], 0));
        assert_eq!(uuid(XID)[..2], [0x29, 0xf2]);
    }
}
