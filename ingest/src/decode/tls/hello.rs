//! The two hellos: what they offer and choose.
use lidr_schema::Name;

use super::{
    super::cursor::{Cursor, printable},
    ja4,
};

/// Characters of a server name at most (a DNS name).
const MOST_SNI: usize = 255;
/// Application protocols kept of an offer.
const MOST_ALPN: usize = 16;
/// Characters of an application protocol's name kept.
const MOST_ALPN_NAME: usize = 32;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Values that mean nothing, sent to keep servers tolerant (RFC 8701).
pub(super) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// Name of a version.
pub(super) fn version_name(version: u16) -> Name {
    Name::Borrowed(match version {
        0x0300 => "ssl3",
        0x0301 => "1.0",
        0x0302 => "1.1",
        0x0303 => "1.2",
        0x0304 => "1.3",
        other => return Name::Owned(format!("{other:04x}")),
    })
}

/// What the client offers.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientHello {
    pub(super) version: Option<u16>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Option<String>,
    pub(super) ja4: Option<String>,
}

/// What the fingerprint needs of a client hello.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) signatures: Vec<u16>,
    /// First application protocol, as it is.
    pub(super) alpn: Vec<u8>,
}

impl ClientHello {
    /// Reads it, and whether it was whole.
    pub(super) fn read(body: &[u8]) -> (Self, bool) {
        let mut hello = Self::default();
        let whole = hello.fill(body).is_some();
        (hello, whole)
    }

    fn fill(&mut self, body: &[u8]) -> Option<()> {
        let mut c = Cursor::new(body);
        let mut offer = Offer { version: c.u16()?, ..Offer::default() };
        self.version = Some(offer.version);
        c.take(32)?;
        c.counted8()?;
        offer.ciphers = values(c.counted16()?);
        c.counted8()?;
        // Without extensions, as SSL 3 and some 1.0 clients are.
        let list = if c.is_empty() { &[][..] } else { c.counted16()? };
        let mut list = Cursor::new(list);
        while !list.is_empty() {
            let (kind, content) = list.u16().zip(list.counted16())?;
            offer.extensions.push(kind);
            self.extension(kind, content, &mut offer)?;
        }
        self.version = Some(offer.version);
        self.ja4 = Some(ja4::fingerprint(&offer));
        Some(())
    }

    fn extension(&mut self, kind: u16, content: &[u8], offer: &mut Offer) -> Option<()> {
        let mut c = Cursor::new(content);
        match kind {
            SERVER_NAME => {
                let mut names = Cursor::new(c.counted16()?);
                let (_, name) = names.u8().zip(names.counted16())?;
                self.sni = Some(printable(name, MOST_SNI).to_ascii_lowercase());
            }
            SIGNATURE_ALGORITHMS => offer.signatures = values(c.counted16()?),
            ALPN => {
                let mut list = Cursor::new(c.counted16()?);
                let mut names = Vec::new();
                while !list.is_empty() {
                    names.push(list.counted8()?);
                }
                offer.alpn = names.first().map(|n| n.to_vec()).unwrap_or_default();
                let kept: Vec<_> = names.iter().take(MOST_ALPN).map(|n| printable(n, MOST_ALPN_NAME)).collect();
                self.alpn = Some(kept.join(","));
            }
            SUPPORTED_VERSIONS => {
                let offered = values(c.counted8()?);
                offer.version = offered.into_iter().filter(|v| !is_grease(*v)).max().unwrap_or(offer.version);
            }
            _ => {}
        }
        Some(())
    }
}

fn values(octets: &[u8]) -> Vec<u16> {
    let (pairs, _) = octets.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// What the server chose.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerHello {
    pub(super) version: u16,
    pub(super) cipher: u16,
    pub(super) alpn: Option<String>,
}

impl ServerHello {
    /// Reads it, and whether it was whole.
    pub(super) fn read(body: &[u8]) -> (Self, bool) {
        let mut hello = Self::default();
        let whole = hello.fill(body).is_some();
        (hello, whole)
    }

    /// Whether everything after it is encrypted.
    pub(super) const fn is_last(&self) -> bool {
        self.version >= 0x0304
    }

    fn fill(&mut self, body: &[u8]) -> Option<()> {
        let mut c = Cursor::new(body);
        self.version = c.u16()?;
        c.take(32)?;
        // Drafts of 1.3 up to the 21st have neither session nor compression here.
        let draft = self.version >> 8 == 0x7f;
        if !draft {
            c.counted8()?;
        }
        self.cipher = c.u16()?;
        if !draft {
            c.u8()?;
        }
        let list = if c.is_empty() { &[][..] } else { c.counted16()? };
        let mut list = Cursor::new(list);
        while !list.is_empty() {
            let (kind, content) = list.u16().zip(list.counted16())?;
            let mut content = Cursor::new(content);
            match kind {
                SUPPORTED_VERSIONS => self.version = content.u16()?,
                ALPN => {
                    let name = Cursor::new(content.counted16()?).counted8()?;
                    self.alpn = Some(printable(name, MOST_ALPN_NAME));
                }
                _ => {}
            }
        }
        Some(())
    }
}
