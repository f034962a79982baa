//! Orders to intercept inside RADIUS: which attributes of which vendor they are, and what they say.
//!
//! Numbers are those of the vendors' dictionaries and manuals (Cisco IOS "RADIUS-Based Lawful Intercept", Juniper "dictionary.unisphere",
//! Nokia 7750 RADIUS attributes reference, Huawei, Ericsson, CableLabs). Values that RFC 2868 §3.5 salts are only known by their
//! shape: that an order was given, not what it says.
use lidr_schema::Ip;

use super::packet::{Attribute, Packet, address, number, text};

/// What an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    On,
    Off,
    /// Sent so that nobody sees from the attributes' presence who is tapped.
    Nothing,
    Unknown,
}

/// An order to intercept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) action: Action,
    /// The intercept's identifier, to be hashed.
    pub(super) id: Option<String>,
    pub(super) dest_ip: Option<Ip>,
    pub(super) dest_port: Option<u16>,
    /// Values are salt-encrypted.
    pub(super) encrypted: bool,
    pub(super) vendor: u32,
}

/// The order in a packet that can carry one: Access-Accept or CoA-Request.
pub(super) fn order(packet: &Packet<'_>) -> Option<Order> {
    if !matches!(packet.code, 2 | 43) {
        return None;
    }
    let mut order: Option<Order> = None;
    for attribute in packet.attributes() {
        let Some(vendor) = attribute.vendor else { continue };
        let mut next = order.clone().unwrap_or(Order {
            action: Action::Unknown,
            id: None,
            dest_ip: None,
            dest_port: None,
            encrypted: false,
            vendor,
        });
        if next.read(vendor, attribute) {
            order = Some(next);
        }
    }
    order
}

impl Order {
    /// Takes an attribute in; false where it is none of an order.
    fn read(&mut self, vendor: u32, a: &Attribute<'_>) -> bool {
        match (vendor, a.kind) {
            (9, 36) if matches!(a.value.len(), 18 | 34) && is_salted(a.value) => self.encrypted = true,
            (9, 1) => return self.pair(a.value),
            (4874, 58..=61) if is_salted(a.value) => self.encrypted = true,
            (4874, 58) => self.act(a.value, Some(0), Some(1), Some(2)),
            (4874, 59) => self.id = Some(handle(a.value)),
            (4874, 60) | (2011, 102) | (2352, 160) => self.dest_ip = to(a.value),
            (4874, 61) | (2011, 103) | (2352, 161) => self.dest_port = port(a.value),
            (6527, 122) => self.act(a.value, Some(3), Some(2), Some(1)),
            (6527, 123 | 124 | 125 | 137 | 139) => {}
            (6527, 138) | (2011, 101) | (2352, 159) => self.id = Some(handle(a.value)),
            (2011, 104 | 183) | (2352, 163) | (529 | 4846, 53) => {}
            (2352, 162) => self.act(a.value, Some(0), Some(1), Some(2)),
            (529 | 4846, 52) | (831, 10) => self.act(a.value, Some(0), Some(1), None),
            (4491, 44) if a.value.len() >= 12 => {
                self.action = Action::On;
                self.dest_ip = a.value.get(4..8).and_then(address);
                self.dest_port = a.value.get(10..12).and_then(port);
            }
            (4491, 48) => self.id = Some(handle(a.value)),
            (4491, 96 | 97) => self.action = Action::Off,
            _ => return false,
        }
        true
    }

    fn act(&mut self, value: &[u8], off: Option<u32>, on: Option<u32>, nothing: Option<u32>) {
        let said = number(value);
        self.action = match said {
            Some(_) if said == on => Action::On,
            Some(_) if said == off => Action::Off,
            Some(_) if said == nothing => Action::Nothing,
            _ => Action::Unknown,
        };
    }

    /// Cisco's attributes as text, which should have been encrypted.
    fn pair(&mut self, value: &[u8]) -> bool {
        let Some(text) = text(value) else { return false };
        let Some((name, value)) = text.split_once('=') else { return false };
        match name.trim().to_ascii_lowercase().as_str() {
            "intercept-id" => self.id = Some(value.to_owned()),
            "li-action" => {
                self.action = match value {
                    "0" => Action::Off,
                    "1" => Action::On,
                    "2" => Action::Nothing,
                    _ => Action::Unknown,
                }
            }
            "md-ip-addr" => self.dest_ip = value.parse().ok(),
            "md-port-number" => self.dest_port = value.parse().ok(),
            _ => return false,
        }
        true
    }
}

/// The shape of a salted value: a salt whose first bit is set, then whole blocks.
fn is_salted(value: &[u8]) -> bool {
    value.len() >= 18 && (value.len() - 2).is_multiple_of(16) && value.first().is_some_and(|o| o & 0x80 != 0)
}

/// An identifier: a number, or text, or octets as hexadecimal digits.
fn handle(value: &[u8]) -> String {
    match number(value) {
        Some(n) => n.to_string(),
        None => text(value).unwrap_or_else(|| lidr_schema::hex::encode(value)),
    }
}

fn to(value: &[u8]) -> Option<Ip> {
    address(value).or_else(|| text(value).and_then(|t| t.parse().ok()))
}

fn port(value: &[u8]) -> Option<u16> {
    match value {
        [a, b] => Some(u16::from_be_bytes([*a, *b])),
        _ => number(value).and_then(|n| n.try_into().ok()),
    }
}
