//! What is read of a PS-PDU (TS 102 232-1 annex A: implicit tags, explicit ones around choices), value by value.
use lidr_schema::Name;

use crate::decode::{
    Verdict,
    ber::{
        Ber, Head, Notes,
        stream::Message,
        unsigned,
        walk::{MOST_OCTETS, Visit, Want},
    },
    cursor::identifier,
};

/// 0.4.0.2.2.5.1, whatever version follows.
const DOMAIN: [u8; 6] = [0x04, 0x00, 0x02, 0x02, 0x05, 0x01];
/// Octets of a header, and of a LIID, at most; the standard has 25 for the latter, 50 digits where it is binary.
const MOST_HEADER: u64 = 4096;
pub(super) const MOST_LIID: usize = 50;
/// Characters kept of a name.
const MOST_NAME: usize = 64;
/// Encryption type "none" (TS 102 232-1): a container around payload in clear.
const NOT_ENCRYPTED: i64 = 1;

/// Where values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Pdu,
    Header,
    Communication,
    Network,
    Payload,
    Iris,
    Iri,
    Ccs,
    Cc,
    /// Contents of IRI or CC.
    Contents,
    Transport,
    Integrity,
    Notice,
    Container,
    /// Octets that are only counted.
    Opaque,
}

/// What the payload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Payload {
    #[default]
    Missing,
    Iri,
    Cc,
    Keepalive,
    Answer,
    /// An integrity check, over IRI (1) or CC (2).
    Integrity(Option<i64>),
    /// Another message of the transport.
    Transport,
    /// An HI1 notification: its name and the state that it tells.
    Notice(&'static str, &'static str),
    Encrypted,
    /// Payload of another interface.
    Other,
}

/// A PS-PDU as far as it is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Pdu {
    pub(super) liid: Vec<u8>,
    pub(super) country: Option<Name>,
    pub(super) operator: Option<Name>,
    pub(super) element: Option<Name>,
    pub(super) function: Option<Name>,
    pub(super) point: Option<Name>,
    pub(super) cin: Option<u64>,
    pub(super) sequence: Option<u32>,
    pub(super) payload: Payload,
    /// Type of encryption; none where the payload is in clear.
    pub(super) encryption: Option<i64>,
    pub(super) format: Option<&'static str>,
    pub(super) bytes: u64,
    /// Some CC was sent from, or to, the target.
    pub(super) from_target: bool,
    pub(super) to_target: bool,
    pub(super) records: Vec<&'static str>,
    /// What of it does not follow the standard.
    pub(super) wrong: Option<&'static str>,
}

impl Message for Pdu {
    type Place = Place;
    const OUTSIDE: Place = Place::Outside;

    fn begins(data: &[u8]) -> Verdict {
        let notes = Notes::default();
        let mut ber = Ber::new(data, &notes);
        for (tag, most) in [(0x30, MOST_OCTETS), (0xa1, MOST_HEADER)] {
            match ber.head() {
                Ok(head) if head.tag == tag && head.length.is_none_or(|length| length <= most) => {}
                Err(bad) if bad.is_short() && data.len() < 24 => return Verdict::Maybe,
                _ => return Verdict::No,
            }
        }
        match ber.head() {
            Ok(Head { tag: 0x80, length: Some(7 | 8) }) => {}
            Err(bad) if bad.is_short() => return Verdict::Maybe,
            _ => return Verdict::No,
        }
        let there = ber.rest();
        match there.first_chunk() {
            Some(domain) if *domain == DOMAIN => Verdict::Certain,
            None if DOMAIN.starts_with(there) => Verdict::Maybe,
            _ => Verdict::No,
        }
    }
}

impl Visit<Place> for Pdu {
    fn wants(&self, place: Place, head: Head) -> Want<Place> {
        use Place::{
            Cc, Ccs, Communication, Container, Contents, Header, Integrity, Iri, Iris, Network, Notice, Opaque,
            Outside, Payload, Pdu, Transport,
        };
        Want::Inside(match (place, head.tag) {
            (Outside, 0x30) => Pdu,
            (Pdu, 0xa1) => Header,
            (Pdu, 0xa2) => Payload,
            (Header, 0xa3) => Communication,
            (Communication, 0xa0) => Network,
            (Payload, 0xa0) => Iris,
            (Payload, 0xa1) => Ccs,
            (Payload, 0xa2) => Transport,
            (Payload, 0xa3) => Notice,
            (Payload, 0xa4) => Container,
            (Payload, _) | (Container, 0xa1) => Opaque,
            (Iris, 0x30) => Iri,
            (Ccs, 0x30) => Cc,
            (Iri | Cc, 0xa2) => Contents,
            (Transport, 0xa0) => Integrity,
            (Header, 0x81 | 0x82 | 0x84 | 0x86 | 0x89 | 0x8a)
            | (Communication | Iri | Cc | Container, 0x80)
            | (Communication, 0x81)
            | (Network, 0x80 | 0x81)
            | (Integrity, 0x82) => return Want::Value,
            _ => return Want::Nothing,
        })
    }

    fn meets(&mut self, place: Place, head: Head) {
        match (place, head.tag) {
            (Place::Payload, tag) => self.payload = payload(tag),
            (Place::Contents, tag) => self.format = Some(service(self.payload, tag)),
            (Place::Transport, tag) => self.transport(tag),
            (Place::Notice, tag) => self.payload = notice(tag),
            (Place::Container, 0x81) => self.bytes += head.length.unwrap_or(0),
            _ => {}
        }
    }

    fn value(&mut self, place: Place, tag: u32, octets: &[u8]) {
        let number = unsigned(octets);
        match (place, tag) {
            (Place::Header, 0x81) => self.identify(octets),
            (Place::Header, 0x82) => self.country = name(octets),
            (Place::Header, 0x84) => {
                self.sequence = number.and_then(|n| n.try_into().ok());
                self.expect(self.sequence.is_some(), "sequence");
            }
            (Place::Header, 0x86 | 0x89) => self.point = name(octets),
            (Place::Header, 0x8a) => self.function = name(octets),
            (Place::Communication, 0x81) => {
                self.cin = number.map(i64::unsigned_abs);
                self.expect(self.cin.is_some(), "cin");
            }
            (Place::Network, 0x80) => self.operator = name(octets),
            (Place::Network, 0x81) => self.element = name(octets),
            (Place::Iri, 0x80) => self.records.extend(number.and_then(iri_type)),
            (Place::Cc, 0x80) => {
                self.from_target |= number == Some(0);
                self.to_target |= number == Some(1);
            }
            (Place::Integrity, 0x82) => self.payload = Payload::Integrity(number),
            (Place::Container, 0x80) => self.encryption = number.filter(|n| *n != NOT_ENCRYPTED),
            _ => {}
        }
    }

    fn leaves(&mut self, place: Place, octets: u64) {
        if matches!(place, Place::Contents | Place::Opaque) {
            self.bytes += octets;
        }
    }
}

impl Pdu {
    fn identify(&mut self, octets: &[u8]) {
        self.expect((1..=MOST_LIID).contains(&octets.len()), "liid");
        self.liid = octets.get(..MOST_LIID).unwrap_or(octets).to_vec();
    }

    fn expect(&mut self, holds: bool, what: &'static str) {
        if !holds {
            self.wrong.get_or_insert(what);
        }
    }

    fn transport(&mut self, tag: u32) {
        self.payload = match tag {
            0xa0 => Payload::Integrity(None),
            0x83 => Payload::Keepalive,
            0x84 => Payload::Answer,
            _ => Payload::Transport,
        };
        self.records.extend(transport(tag));
    }
}

fn name(octets: &[u8]) -> Option<Name> {
    (!octets.is_empty()).then(|| Name::from(identifier(octets, MOST_NAME)))
}

const fn payload(tag: u32) -> Payload {
    match tag {
        0xa0 => Payload::Iri,
        0xa1 => Payload::Cc,
        0xa2 => Payload::Transport,
        0xa3 => Payload::Notice("hI1-Operation", "unknown"),
        0xa4 => Payload::Encrypted,
        _ => Payload::Other,
    }
}

const fn notice(tag: u32) -> Payload {
    match tag {
        0xa1 => Payload::Notice("liActivated", "active"),
        0xa2 => Payload::Notice("liDeactivated", "deactivated"),
        0xa3 => Payload::Notice("liModified", "modified"),
        0xa4 => Payload::Notice("alarms-indicator", "alarm"),
        _ => Payload::Notice("hI1-Operation", "unknown"),
    }
}

const fn iri_type(number: i64) -> Option<&'static str> {
    match number {
        1 => Some("begin"),
        2 => Some("end"),
        3 => Some("continue"),
        4 => Some("report"),
        _ => None,
    }
}

const fn transport(tag: u32) -> Option<&'static str> {
    Some(match tag {
        0x81 => "test",
        0x82 | 0xa2 => "padding",
        0x85 => "first_segment",
        0x86 => "last_segment",
        0x87 => "cin_reset",
        0xa8 => "operator_message",
        0xa9 => "option_request",
        0xaa => "option_response",
        0x8b => "option_complete",
        0x8c => "ack_request",
        0x8d => "ack_response",
        _ => return None,
    })
}

/// The service whose contents these are, by their tag in IRIContents or CCContents.
const fn service(payload: Payload, tag: u32) -> &'static str {
    let tag = if tag > 0xff { tag & 0x1f_ffff } else { tag & 0x1f };
    match (payload, tag) {
        (_, 1) => "email",
        (Payload::Iri, 2 | 3 | 20) | (Payload::Cc, 2) => "ip",
        (_, 4) | (Payload::Cc, 16) => "umts",
        (Payload::Iri, 5) => "ts101671",
        (_, 6) | (Payload::Iri, 7) => "l2",
        (Payload::Iri, 8 | 9) | (Payload::Cc, 7..=10) => "tam",
        (Payload::Iri, 10) | (Payload::Cc, 11) => "pstn",
        (Payload::Iri, 11) | (Payload::Cc, 12) => "ipmm",
        (_, 14) | (Payload::Cc, 18) => "messaging",
        (_, 15) | (Payload::Cc, 17) => "eps",
        (Payload::Iri, 16) | (Payload::Cc, 19) => "conf",
        (Payload::Iri, 17) => "prose",
        (Payload::Iri, 18) | (Payload::Cc, 21) => "gcse",
        (Payload::Iri, 19) | (Payload::Cc, 23) => "ts33128",
        (Payload::Cc, 20) => "voip",
        (Payload::Cc, 22) => "cs_voice",
        _ => "other",
    }
}
