//! The header of a unit and its attributes (TS 103 221-2 clause 5).
use lidr_schema::{Key, Kind, Name, Pseudonym};

use crate::decode::{
    cursor::{Cursor, printable},
    delivery::{Count, Facts, Unit},
    target,
};

/// Octets of the fixed header.
pub(super) const HEADER: usize = 40;
/// Octets of header and attributes at most.
const MOST_HEADER: u32 = 65_535;
/// Octets of payload at most.
const MOST_PAYLOAD: u32 = 16 << 20;
/// Payload directions (TS 103 221-2 table 6) that say who sent.
const TO_TARGET: u16 = 2;
const FROM_TARGET: u16 = 3;
const BOTH: u16 = 4;
/// Characters kept of a name.
const MOST_NAME: usize = 64;

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum UnitKind {
    X2,
    X3,
    Keepalive,
    Acknowledgement,
}

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) kind: UnitKind,
    /// Octets of header and attributes.
    pub(super) length: usize,
    pub(super) payload: u32,
    format: u16,
    direction: u16,
    pub(super) xid: [u8; 16],
    correlation: u64,
}

impl Header {
    /// Reads it off the front; none where it cannot be one.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(data);
        let version = c.u16().filter(|v| (0x0001..=0x00ff).contains(v) || *v == 0x0500)?;
        let kind = match c.u16()? {
            1 => UnitKind::X2,
            2 => UnitKind::X3,
            3 => UnitKind::Keepalive,
            4 => UnitKind::Acknowledgement,
            _ => return None,
        };
        let length = c.u32().filter(|l| (HEADER as u32..=MOST_HEADER).contains(l))?;
        let payload = c.u32().filter(|p| *p <= MOST_PAYLOAD)?;
        let (format, direction) = (c.u16()?, c.u16()?);
        let (xid, correlation) = (c.u128()?, c.u64()?);
        Some(Self { version, kind, length: length as usize, payload, format, direction, xid, correlation })
    }

    /// Whether its codes are known ones: asked when it is not yet sure that this is the protocol.
    pub(super) fn is_usual(&self) -> bool {
        let product = matches!(self.kind, UnitKind::X2 | UnitKind::X3);
        self.format <= 31 && self.direction <= 5 && (product || self.payload == 0)
    }

    /// Octets of the unit.
    pub(super) fn whole(&self) -> u64 {
        self.length as u64 + u64::from(self.payload)
    }

    /// The task; none where the unit names none.
    pub(super) fn task(&self, key: &Key) -> Option<Pseudonym> {
        (self.xid != [0; 16]).then(|| key.pseudonym(Kind::Xid, &uuid(self.xid)))
    }
}

/// Whether fewer octets than a header could begin one.
pub(super) fn may_begin(data: &[u8]) -> bool {
    let mut whole = [0; HEADER];
    for (to, from) in whole.iter_mut().zip(data) {
        *to = *from;
    }
    // What is not there yet must not speak against it: the least length stands in for one that is cut.
    if data.len() < 8
        && let Some(least) = whole.get_mut(4..8)
    {
        least.copy_from_slice(&(HEADER as u32).to_be_bytes());
    }
    Header::read(&whole).is_some_and(|h| h.is_usual())
}

/// Whether the attributes there fill `length` octets exactly, or could once the rest is there.
pub(super) fn attributes_fit(data: &[u8], length: usize) -> bool {
    let mut c = Cursor::new(data);
    let mut left = length;
    while left > 0 {
        if c.is_empty() && data.len() < length {
            return true;
        }
        let (Some(kind), Some(size)) = (c.u16(), c.u16()) else { return data.len() < length && left >= 4 };
        let size = usize::from(size);
        if kind == 0 || left < 4 + size {
            return false;
        }
        left -= 4 + size;
        if c.take(size).is_none() {
            return true;
        }
    }
    true
}

/// Where the next header is.
pub(super) enum Found {
    /// So many octets on; none before.
    At(usize),
    /// One begins here if its attributes fit, which takes so many octets to see.
    Needs(usize),
}

/// Looks for a header of that version with attributes that fit. What is passed holds none.
pub(super) fn find(data: &[u8], version: Option<u16>) -> Found {
    for (at, window) in data.windows(HEADER).enumerate() {
        let Some(header) = Header::read(window).filter(|h| h.is_usual() && version.is_none_or(|v| v == h.version))
        else {
            continue;
        };
        let there = data.get(at + HEADER..).unwrap_or_default();
        let attributes = there.get(..header.length - HEADER);
        match attributes {
            Some(attributes) if attributes_fit(attributes, attributes.len()) => return Found::At(at),
            Some(_) => {}
            None if !attributes_fit(there, header.length - HEADER) => {}
            None if at == 0 => return Found::Needs(header.length),
            None => return Found::At(at),
        }
    }
    match data.len().checked_sub(HEADER - 1) {
        None | Some(0) => Found::Needs(HEADER),
        Some(passed) => Found::At(passed),
    }
}

/// Attributes as far as they are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    sequence: Option<u32>,
    facts: Facts,
    /// Octets that they would have needed, where they do not fill the header's length.
    pub(super) short: Option<u64>,
    /// One of them is not as long as its type is.
    pub(super) misshapen: bool,
}

/// Whether an attribute of that type may be so long: sequence number, timestamp, addresses, ports, protocol.
const fn has_length(kind: u16, length: usize) -> bool {
    match kind {
        8 | 10 | 11 => length == 4,
        9 => matches!(length, 8 | 12),
        12 | 13 => length == 16,
        14 | 15 => length == 2,
        16 => length == 1,
        _ => true,
    }
}

impl Attributes {
    /// Reads them; unknown ones are passed over by their length.
    pub(super) fn read(octets: &[u8], key: &Key) -> Self {
        let mut all = Self::default();
        let mut c = Cursor::new(octets);
        while !c.is_empty() {
            let before = octets.len() - c.rest().len();
            let mut peek = c;
            let size = peek.u16().and_then(|_| peek.u16()).map_or(0, u64::from);
            let (Some(kind), Some(value)) = (c.u16(), c.counted16()) else {
                all.short = Some(before as u64 + 4 + size);
                break;
            };
            all.attribute(kind, value, key);
        }
        all
    }

    fn attribute(&mut self, kind: u16, value: &[u8], key: &Key) {
        let name = || Some(printable(value, MOST_NAME)).filter(|n| !n.is_empty()).map(Name::from);
        self.misshapen |= !has_length(kind, value.len());
        match kind {
            6 => self.facts.ne_name = name(),
            7 => self.facts.point = name(),
            8 => self.sequence = value.try_into().ok().map(u32::from_be_bytes),
            17 if self.facts.target.is_none() => {
                self.facts.target = target::pseudonym(key, &String::from_utf8_lossy(value));
            }
            _ => {}
        }
    }

    /// What the unit adds to its series.
    pub(super) fn unit(self, header: &Header) -> Unit {
        let count = Count {
            pdus: 1,
            bytes: u64::from(header.payload),
            from_target: u64::from(matches!(header.direction, FROM_TARGET | BOTH)),
            to_target: u64::from(matches!(header.direction, TO_TARGET | BOTH)),
            ..Count::default()
        };
        let (correlation, format) = (Some(header.correlation), Some(format_name(header.format)));
        let facts = Facts { correlation, format, ..self.facts };
        Unit { count, facts, sequence: self.sequence, records: Vec::new() }
    }
}

fn uuid(octets: [u8; 16]) -> String {
    let mut text = lidr_schema::hex::encode(&octets);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// Name of a payload format (TS 103 221-2 table 5).
fn format_name(format: u16) -> Name {
    Name::Borrowed(match format {
        0 => "keepalive",
        1 => "ts102232",
        2 => "ts33128",
        3 => "ts33108",
        4 => "proprietary",
        5 => "ipv4",
        6 => "ipv6",
        7 => "ethernet",
        8 => "rtp",
        9 => "sip",
        10 => "dhcp",
        11 => "radius",
        12 => "gtpu",
        13 => "msrp",
        14 => "eps_iri",
        15 => "mime",
        16 => "unstructured",
        _ => "other",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_must_fill_the_header() {
        assert!(attributes_fit(&[0, 8, 0, 1, 9], 5));
        assert!(!attributes_fit(&[0, 8, 0, 2, 9], 5), "longer than the header");
        assert!(!attributes_fit(&[0, 8, 0, 0, 9], 5), "an octet left over");
        assert!(attributes_fit(&[0, 8, 0], 5), "the rest may come");
    }

    #[test]
    fn a_uuid_is_hyphenated() {
        let octets = std::array::from_fn(|i| i as u8);
        assert_eq!(uuid(octets), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
