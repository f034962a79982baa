//! Forms of the header before the intercepted packet, told apart by where a packet of IP fills the rest exactly.
use crate::decode::cursor::{Cursor, identifier};

/// Octets before the packet, in the order in which they are tried.
const HEADERS: [usize; 3] = [4, 12, 20];
/// The form that is only taken where the port is given.
const SHORT_TIME: usize = 8;
/// Seconds from the epoch of NTP to that of Unix.
const NTP_EPOCH: i64 = 2_208_988_800;
/// How far the sender's clock may be off, seconds.
const MOST_OFF: i64 = 86_400;
/// Characters of a case id.
const MOST_CASE: usize = 16;

/// A datagram as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// Octets before the packet.
    pub(super) header: usize,
    pub(super) id: u32,
    pub(super) case: Option<String>,
    /// `ipv4` or `ipv6`.
    pub(super) format: Option<&'static str>,
    /// Octets of the packet.
    pub(super) bytes: u64,
}

/// Whether a packet of IP may begin behind one of the headers: all that can be seen without knowing what the capture cut.
pub(super) fn likely(data: &[u8]) -> bool {
    HEADERS.iter().any(|header| data.get(*header..).is_some_and(|inner| packet(inner, None).is_some()))
}

impl Content {
    /// Reads a datagram of which `cut` octets were not captured; `now` is its time, µs.
    pub(super) fn read(data: &[u8], cut: u64, now: i64, given: bool) -> Option<Self> {
        let short = given.then_some(SHORT_TIME);
        HEADERS.into_iter().chain(short).find_map(|header| Self::with_header(header, data, cut, now))
    }

    fn with_header(header: usize, data: &[u8], cut: u64, now: i64) -> Option<Self> {
        let mut c = Cursor::new(data);
        let (id, rest) = (c.u32()?, c.take(header.checked_sub(4)?)?);
        let inner = c.rest();
        let whole = inner.len() as u64 + cut;
        let format = packet(inner, Some(whole))?;
        let mut time = Cursor::new(rest);
        if header >= 12 && (i64::from(time.u32()?) - NTP_EPOCH - now.div_euclid(1_000_000)).abs() > MOST_OFF {
            return None;
        }
        let case = rest.get(8..16).map(|case| identifier(case.trim_ascii_end(), MOST_CASE));
        Some(Self { header, id, case: case.filter(|c| !c.is_empty()), format: Some(format), bytes: whole })
    }
}

/// The version of a packet of IP that is `whole` octets long; where that is not known, of one that is not shorter than what is there.
fn packet(inner: &[u8], whole: Option<u64>) -> Option<&'static str> {
    let fits = |length: u64| whole.map_or(length >= inner.len() as u64, |whole| length == whole);
    match inner.first()? >> 4 {
        4 => ipv4(inner).filter(|length| fits(*length)).map(|_| "ipv4"),
        6 => ipv6(inner).filter(|length| fits(*length)).map(|_| "ipv6"),
        _ => None,
    }
}

/// Total length, where the header is a right one.
fn ipv4(inner: &[u8]) -> Option<u64> {
    let words = usize::from(inner.first()? & 0x0f);
    let header = inner.get(..words * 4).filter(|_| words >= 5)?;
    let mut c = Cursor::new(header.get(2..)?);
    let length = u64::from(c.u16()?);
    let alive = header.get(8).is_some_and(|hops| *hops > 0);
    let sum: u32 = header.chunks_exact(2).filter_map(|pair| pair.first_chunk()).map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (alive && length >= header.len() as u64 && folded == 0xffff).then_some(length)
}

/// Length, where the header is one of a packet that a host could have sent.
fn ipv6(inner: &[u8]) -> Option<u64> {
    let header = inner.get(..40)?;
    let mut c = Cursor::new(header.get(4..)?);
    let (length, next, hops) = (c.u16()?, c.u8()?, c.u8()?);
    let usual = matches!(next, 0 | 6 | 17 | 43 | 44 | 50 | 51 | 58 | 60 | 132);
    let multicast = header.get(8) == Some(&0xff);
    (usual && hops > 0 && !multicast && length > 0).then_some(u64::from(length) + 40)
}
