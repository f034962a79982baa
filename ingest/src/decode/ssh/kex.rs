//! The key exchange offer: fingerprints, and what the two offers agree on (RFC 4253 §7.1).
use lidr_schema::hex;
use md5::{Digest, Md5};

use crate::{decode::cursor::Cursor, record::Dir};

/// What the choice of ciphers needs of an offer; index 0 is client to server.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    ciphers: [String; 2],
    macs: [String; 2],
    compressions: [String; 2],
    /// HASSH, if this is the client's offer.
    pub(super) client_print: String,
    /// HASSH server, if this is the server's offer.
    pub(super) server_print: String,
}

impl Offer {
    /// Reads the offer behind its message number.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(body);
        c.take(16)?;
        let mut list = || c.counted32().map(|l| String::from_utf8_lossy(l).into_owned());
        let kex = list()?;
        list()?;
        let ciphers = [list()?, list()?];
        let macs = [list()?, list()?];
        let compressions = [list()?, list()?];
        let print = |way: usize| {
            let parts = [Some(&kex), ciphers.get(way), macs.get(way), compressions.get(way)];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            hex::encode(&Md5::digest(parts.join(";")))
        };
        let (client_print, server_print) = (print(0), print(1));
        Some(Self { ciphers, macs, compressions, client_print, server_print })
    }
}

/// How long an encrypted packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    block: usize,
    /// Octets of the authentication code.
    pub(super) mac: usize,
    /// The length field is in clear, so packets can be told apart.
    pub(super) clear: bool,
    /// The length field is not part of what is padded.
    apart: bool,
}

impl Framing {
    /// What both sides agree on for that direction; none where lengths would say nothing.
    pub(super) fn agreed(client: &Offer, server: &Offer, dir: Dir) -> Option<Self> {
        let way = dir.index();
        let agree = |ours: &[String; 2], theirs: &[String; 2]| -> Option<String> {
            let (ours, theirs) = (ours.get(way)?, theirs.get(way)?);
            ours.split(',').find(|name| theirs.split(',').any(|t| t == *name)).map(str::to_owned)
        };
        // Compression from the start changes every length; the delayed kind begins after the login.
        if agree(&client.compressions, &server.compressions)?.as_str() == "zlib" {
            return None;
        }
        let cipher = agree(&client.ciphers, &server.ciphers)?;
        match cipher.as_str() {
            "chacha20-poly1305@openssh.com" => Some(Self::new(8, 16, false, true)),
            name if name.contains("gcm") => Some(Self::new(16, 16, true, true)),
            name => {
                let mac = agree(&client.macs, &server.macs)?;
                let block = if name.starts_with("aes") || name.starts_with("rijndael") { 16 } else { 8 };
                let apart = mac.contains("-etm@");
                Some(Self::new(block, mac_octets(&mac)?, apart, apart))
            }
        }
    }

    const fn new(block: usize, mac: usize, clear: bool, apart: bool) -> Self {
        Self { block, mac, clear, apart }
    }

    /// Octets on the wire of a packet with so much payload and no more padding than is due.
    pub(super) const fn wire(self, payload: usize) -> usize {
        // One octet says how much padding; there are four octets of it at least.
        let padded = payload + 5 + if self.apart { 0 } else { 4 };
        padded.next_multiple_of(self.block) + self.mac + if self.apart { 4 } else { 0 }
    }

    /// Octets that were padded, of so many on the wire.
    pub(super) const fn body(self, wire: usize) -> usize {
        wire.saturating_sub(self.mac + if self.apart { 4 } else { 0 })
    }
}

fn mac_octets(name: &str) -> Option<usize> {
    let base = name.split('@').next()?;
    let base = base.strip_suffix("-etm").unwrap_or(base);
    Some(match base {
        "hmac-sha2-512" => 64,
        "hmac-sha2-256" => 32,
        "hmac-sha1" | "hmac-ripemd160" => 20,
        "hmac-md5" | "umac-128" => 16,
        "hmac-sha1-96" | "hmac-md5-96" => 12,
        "umac-64" => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_seen_on_the_wire() {
        let chacha = Framing::new(8, 16, false, true);
        // OpenSSH 9.2: service accepted, login accepted, failure with three methods.
        assert_eq!((chacha.wire(17), chacha.wire(1), chacha.wire(45)), (44, 28, 76));
        let etm = Framing::new(16, 20, true, true);
        assert_eq!((etm.wire(17), etm.wire(1), etm.body(152)), (56, 40, 128));
        let plain = Framing::new(16, 32, false, false);
        assert_eq!((plain.wire(17), plain.wire(1)), (64, 48));
    }

    #[test]
    fn unknown_codes_are_not_guessed() {
        assert_eq!(mac_octets("umac-64-etm@openssh.com"), Some(8));
        assert_eq!(mac_octets("hmac-new"), None);
    }
}
