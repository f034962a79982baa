//! Forms of the header before the intercepted packet, told apart by where a packet of IP fills the rest exactly.
//!
//! Where the port is given the operator's word is enough, and the frame decoder's reading is used, which also goes on inside. Where
//! it is not, checksum, hops and time must be right as well.
use crate::{
    decode::{
        cursor::{Cursor, identifier},
        inner::packet,
    },
    frame::encapsulation,
};

/// Octets before the packet, in the order in which they are tried.
const HEADERS: [usize; 3] = [4, 12, 20];
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
    pub(super) format: &'static str,
    /// Octets of the packet.
    pub(super) bytes: u64,
}

/// Whether a packet of IP may begin behind one of the headers: all that can be seen without knowing what the capture cut.
pub(super) fn likely(data: &[u8]) -> bool {
    HEADERS.iter().any(|header| data.get(*header..).is_some_and(|inner| packet(inner, None).is_some()))
}

impl Content {
    /// Reads a datagram to a port that was given, of which `cut` octets were not captured. What fits is taken.
    pub(super) fn given(data: &[u8], cut: u64) -> Option<Self> {
        let header = encapsulation::ccc(data).ok()?.skip;
        let version = data.get(header)? >> 4;
        Self::of(header, data, cut, if version == 4 { "ipv4" } else { "ipv6" })
    }

    /// Reads a datagram to any port; `now` is its time, µs.
    pub(super) fn read(data: &[u8], cut: u64, now: i64) -> Option<Self> {
        HEADERS.into_iter().find_map(|header| {
            let inner = data.get(header..)?;
            let format = packet(inner, Some(inner.len() as u64 + cut))?;
            let mut time = Cursor::new(data.get(4..)?);
            let off = |sent: u32| (i64::from(sent) - NTP_EPOCH - now.div_euclid(1_000_000)).abs();
            let timely = header == 4 || time.u32().is_some_and(|sent| off(sent) <= MOST_OFF);
            timely.then(|| Self::of(header, data, cut, format)).flatten()
        })
    }

    fn of(header: usize, data: &[u8], cut: u64, format: &'static str) -> Option<Self> {
        let mut c = Cursor::new(data);
        let (id, rest) = (c.u32()?, c.take(header.checked_sub(4)?)?);
        let case = rest.get(8..16).map(|case| identifier(case.trim_ascii_end(), MOST_CASE));
        let bytes = c.rest().len() as u64 + cut;
        Some(Self { header, id, case: case.filter(|c| !c.is_empty()), format, bytes })
    }
}
