//! A RADIUS packet: header, attributes, vendors' attributes, and what rows need of them.
use lidr_schema::Ip;

use super::{
    Verdict,
    li::{self, Order},
};
use crate::decode::cursor::Cursor;

/// Octets of code, identifier, length and authenticator.
const HEADER: usize = 20;
/// Octets of a packet (RFC 2865 §3).
const MOST_OCTETS: usize = 4096;
/// Octets of a text that is kept.
const MOST_TEXT: usize = 253;

/// An attribute; `vendor` where it is inside a vendor's (RFC 2865 §5.26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) vendor: Option<u32>,
    pub(super) kind: u16,
    pub(super) value: &'a [u8],
}

/// A packet, borrowed.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) code: u8,
    pub(super) id: u8,
    authenticator: [u8; 16],
    attributes: Vec<Attribute<'a>>,
    left_out: u32,
}

/// What is wrong with octets that are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) what: &'static str,
    pub(super) needed: usize,
    pub(super) had: usize,
    /// The capture cut it.
    pub(super) cut: bool,
}

/// The request that a code asks or answers.
pub(super) const fn family(code: u8) -> u8 {
    match code {
        1 | 2 | 3 | 11 | 12 => 1,
        4 | 5 => 4,
        40..=42 => 40,
        43..=45 => 43,
        other => other,
    }
}

const fn is_known(code: u8) -> bool {
    matches!(code, 1..=5 | 11..=13 | 40..=45)
}

/// RADIUS has no magic: a chain of attributes that ends where the header says is only taken for it on its ports, unless a
/// Message-Authenticator or a vendor's attribute stands in it.
pub(super) fn probe(data: &[u8]) -> Verdict {
    let Ok(packet) = Packet::read(data, false) else { return Verdict::No };
    let strong =
        |a: &Attribute<'_>| a.kind == 80 && a.value.len() == 16 || a.vendor.is_some_and(|v| (1..100_000).contains(&v));
    match packet.attributes.iter().any(strong) && packet.left_out == 0 {
        true => Verdict::Certain,
        false => Verdict::Maybe,
    }
}

impl<'a> Packet<'a> {
    /// Reads a datagram; octets behind the packet's length are padding (RFC 2865 §3).
    pub(super) fn read(data: &'a [u8], cut: bool) -> Result<Self, Bad> {
        let bad = |what, needed, had| Bad { what, needed, had, cut };
        let mut head = Cursor::new(data);
        let (Some(code), Some(id), Some(length), Some(authenticator)) = (head.u8(), head.u8(), head.u16(), head.u128())
        else {
            return Err(bad("length", HEADER, data.len()));
        };
        let length = usize::from(length);
        if !is_known(code) {
            return Err(bad("code", 1, usize::from(code)));
        }
        if !(HEADER..=MOST_OCTETS).contains(&length) {
            return Err(bad("length", HEADER, length));
        }
        let Some(body) = data.get(HEADER..length) else { return Err(bad("length", length, data.len())) };
        let mut packet = Self { code, id, authenticator, attributes: Vec::new(), left_out: 0 };
        let mut rest = Cursor::new(body);
        while !rest.is_empty() {
            let left = rest.rest().len();
            let (Some(kind), Some(value)) = (rest.u8(), value(&mut rest, 2)) else {
                return Err(Bad { cut: false, ..bad("attribute", 2, left) });
            };
            packet.attributes.push(Attribute { vendor: None, kind: u16::from(kind), value });
            if kind == 26 {
                packet.vendor(value);
            }
        }
        Ok(packet)
    }

    /// Attributes of a vendor; most have a type and a length of one octet each, the others are said by their own dictionaries.
    fn vendor(&mut self, value: &'a [u8]) {
        let mut rest = Cursor::new(value);
        let Some(vendor) = rest.u32() else { return self.left_out += 1 };
        while !rest.is_empty() {
            let kind = if matches!(vendor, 8164 | 4846) { rest.u16() } else { rest.u8().map(u16::from) };
            let value = match vendor {
                8164 => rest.u16().and_then(|n| usize::from(n).checked_sub(4)).and_then(|n| rest.take(n)),
                4846 => self::value(&mut rest, 3),
                _ => self::value(&mut rest, 2),
            };
            let (Some(kind), Some(value)) = (kind, value) else { return self.left_out += 1 };
            self.attributes.push(Attribute { vendor: Some(vendor), kind, value });
        }
    }

    /// The first value of an attribute that is no vendor's.
    fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.of(None, kind)
    }

    fn of(&self, vendor: Option<u32>, kind: u16) -> Option<&'a [u8]> {
        self.attributes.iter().find(|a| a.vendor == vendor && a.kind == kind).map(|a| a.value)
    }

    fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind).and_then(number)
    }

    pub(super) fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }
}

/// The value behind a length that counts itself and what stands before it.
fn value<'a>(rest: &mut Cursor<'a>, before: usize) -> Option<&'a [u8]> {
    let length = usize::from(rest.u8()?).checked_sub(before)?;
    rest.take(length)
}

/// A number of four octets.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// Printable text, so far as it is.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value.get(..MOST_TEXT).unwrap_or(value)).ok()?.trim_matches(['\0', ' ']);
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// An address of four or sixteen octets.
pub(super) fn address(value: &[u8]) -> Option<Ip> {
    match value.len() {
        4 => value.try_into().ok().map(Ip::v4),
        16 => value.try_into().ok().map(Ip::new),
        _ => None,
    }
}

/// What rows need of a packet. Subscribers' names stay in here until they are hashed.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) code: u8,
    pub(super) authenticator: [u8; 16],
    pub(super) user: Option<String>,
    pub(super) service: Option<u32>,
    pub(super) method: Option<&'static str>,
    pub(super) nas: Option<Ip>,
    pub(super) nas_name: Option<String>,
    pub(super) calling: Option<String>,
    pub(super) called: Option<String>,
    pub(super) framed: Option<Ip>,
    pub(super) session: Option<String>,
    pub(super) imsi: Option<String>,
    pub(super) imei: Option<String>,
    pub(super) status: Option<u32>,
    pub(super) cause: Option<u32>,
    pub(super) signed: bool,
    pub(super) li_administrator: bool,
    pub(super) order: Option<Order>,
    pub(super) left_out: u32,
}

impl Facts {
    pub(super) fn of(p: &Packet<'_>) -> Self {
        let string = |kind| p.get(kind).and_then(text);
        let gpp = |kind| p.of(Some(10_415), kind).and_then(text);
        let any = |kinds: &[u16]| kinds.iter().find_map(|kind| p.get(*kind)).and_then(address);
        Self {
            code: p.code,
            authenticator: p.authenticator,
            user: string(1),
            service: p.number(6),
            method: method(p),
            nas: any(&[4, 95]),
            nas_name: string(32),
            calling: string(31),
            called: string(30),
            framed: any(&[8, 168]),
            session: string(44),
            imsi: gpp(1),
            imei: gpp(20),
            status: p.number(40),
            cause: p.number(49).or_else(|| p.number(101)),
            signed: p.get(80).is_some(),
            // SN-Admin-Permission: bit 4 lets the account intercept (Starent dictionary).
            li_administrator: p.of(Some(8164), 21).and_then(number).is_some_and(|n| n & 4 != 0),
            order: li::order(p),
            left_out: p.left_out,
        }
    }

    /// Whether somebody logs in to the access server itself (RFC 2865 §5.6).
    pub(super) fn is_administrator(&self) -> bool {
        matches!(self.service, Some(1 | 3 | 6 | 7 | 9 | 11))
    }
}

fn method(p: &Packet<'_>) -> Option<&'static str> {
    let vendor_chap = |a: &Attribute<'_>| a.vendor == Some(311) && matches!(a.kind, 1 | 25);
    match () {
        () if p.get(79).is_some() => Some("eap"),
        () if p.get(3).is_some() => Some("chap"),
        () if p.get(2).is_some() => Some("pap"),
        () if p.attributes.iter().any(vendor_chap) => Some("mschap"),
        () => None,
    }
}
