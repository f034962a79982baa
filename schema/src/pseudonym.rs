//! Pseudonyms: what stands in a row where a target, a task or an order was.
//!
//! First 16 octets of HMAC-SHA-256(key, "kind:canonical"). The key never leaves the machine; its `key_id` travels, so that two
//! parts with different keys refuse one another instead of joining nothing. There is no way back to the text, and no type here
//! prints it: a `Pseudonym` has no `Display` of its content, a `Key` none at all.
use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::{
    hex,
    selector::{Normal, normal},
};

/// The keyed hash of an identifier.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// From the 16 octets of a column.
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The 16 octets, for a column.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    /// Hexadecimal text of the hash, for findings.
    #[must_use]
    pub fn token(&self) -> String {
        hex::encode(&self.0)
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(…)")
    }
}

/// What kind of identifier is hashed; the kind is part of what is hashed, and decides the canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Telephone number, digits only.
    E164,
    /// Subscriber identity, digits only.
    Imsi,
    /// Equipment identity, its first 14 digits.
    Imei,
    /// Network access identifier, its realm in lower case.
    Nai,
    /// SIP URI without parameters, its host in lower case; one of a global number is that number.
    Sip,
    /// tel URI of a number that is no global one; a global one is `E164`.
    Tel,
    /// IP address, RFC 5952.
    Ip,
    /// Address range, `net/len`.
    Prefix,
    /// X1 task identity.
    Xid,
    /// Lawful interception identifier.
    Liid,
    /// Content identifier of a mirror (TAP2 content id, CCC-ID).
    Cccid,
    /// Order of the register.
    Order,
    /// Circuit or line name.
    Circuit,
    /// Any other kind of target.
    Other,
}

impl Kind {
    /// The prefix in what is hashed.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::E164 => "e164",
            Self::Imsi => "imsi",
            Self::Imei => "imei",
            Self::Nai => "nai",
            Self::Sip => "sip",
            Self::Tel => "tel",
            Self::Ip => "ip",
            Self::Prefix => "prefix",
            Self::Xid => "xid",
            Self::Liid => "liid",
            Self::Cccid => "cccid",
            Self::Order => "order",
            Self::Circuit => "circuit",
            Self::Other => "other",
        }
    }

    /// The kind of that name in the register and in rule tests.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "e164" => Self::E164,
            "imsi" => Self::Imsi,
            "imei" => Self::Imei,
            "nai" => Self::Nai,
            "sip" => Self::Sip,
            "tel" => Self::Tel,
            "ip" | "ipv4" | "ipv6" => Self::Ip,
            "prefix" => Self::Prefix,
            "xid" => Self::Xid,
            "liid" => Self::Liid,
            "cccid" => Self::Cccid,
            "order" => Self::Order,
            "circuit" => Self::Circuit,
            "other" => Self::Other,
            _ => return None,
        })
    }
}

/// The secret: 32 octets, from 64 hex digits on one line.
#[derive(Clone)]
pub struct Key {
    mac: Hmac<Sha256>,
    id: String,
}

/// Why a key could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the key is not usable: needed 64 hex digits on one line (32 octets), had {0} characters")]
pub struct BadKey(usize);

impl Key {
    /// Reads 64 hex digits; white space around them is ignored.
    ///
    /// # Errors
    /// If it is not exactly 64 hex digits.
    pub fn from_hex(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        let octets = hex::decode(text).filter(|o| o.len() == 32).ok_or(BadKey(text.len()))?;
        Self::from_octets(&octets).ok_or(BadKey(text.len()))
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(octets).ok()?;
        let digest = Sha256::new().chain_update("lidr key id").chain_update(octets).finalize();
        Some(Self { mac, id: hex::encode(digest.get(..4)?) })
    }

    /// The public name of the key: first 8 hex digits of SHA-256("lidr key id" | key).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pseudonym of an identifier, in whatever spelling.
    #[must_use]
    pub fn pseudonym(&self, kind: Kind, text: &str) -> Pseudonym {
        self.hashed(&normal(kind, text))
    }

    /// The pseudonym of a selector whose form has been looked at.
    #[must_use]
    pub fn hashed(&self, selector: &Normal) -> Pseudonym {
        let mut mac = self.mac.clone();
        mac.update(selector.kind.prefix().as_bytes());
        mac.update(b":");
        mac.update(selector.text.as_bytes());
        let mut out = [0; 16];
        for (to, from) in out.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        Pseudonym(out)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::from_hex(&"0b".repeat(32)).unwrap()
    }

    #[test]
    fn spellings_of_one_identifier_meet() {
        let same = |kind, a, b| assert_eq!(key().pseudonym(kind, a), key().pseudonym(kind, b), "{a} {b}");
        same(Kind::E164, "+49 4012-345", "494012345");
        same(Kind::Imei, "490154203237518", "49015420323751");
        same(Kind::Ip, "2001:db8:0:0:0:0:0:1", "2001:db8::1");
        same(Kind::Prefix, "192.0.2.7/24", "192.0.2.0/24");
        assert_eq!(key().pseudonym(Kind::Tel, "tel:+49-40-12345"), key().pseudonym(Kind::E164, "00494012345"));
        assert_ne!(key().pseudonym(Kind::Xid, "1"), key().pseudonym(Kind::Liid, "1"), "the kind counts");
    }

    #[test]
    fn nothing_prints_the_secret_or_the_text() {
        let shown = format!("{:?} {:?}", key(), key().pseudonym(Kind::Imsi, "001010123456789"));
        assert!(!shown.contains("0b0b") && !shown.contains("00101"), "{shown}");
    }

    #[test]
    fn a_short_key_says_what_was_there() {
        assert_eq!(Key::from_hex("abc").unwrap_err(), BadKey(3));
    }
}
