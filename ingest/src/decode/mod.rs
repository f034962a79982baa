//! Decoders: payload of one conversation to rows.
//!
//! Decoding cannot fail, it can only be odd: broken input is evidence and becomes an `oddity` row. A protocol is found by
//! content first and by port second. A new protocol is its file here and its line in [`ALL`]; dispatch, documentation, fuzz
//! targets and benches come from that list.
mod ber;
mod ccc;
mod cdc;
#[cfg(test)]
mod collection;
mod cursor;
mod delivery;
mod dns;
mod dtcp;
mod hi;
mod hi1;
mod http;
mod inner;
mod mirror;
pub mod pairs;
pub mod ports;
mod radius;
mod redbackli;
mod rows;
mod snmp;
mod ssh;
mod target;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod when;
mod x1;
mod x2x3;

pub use rows::{Mark, Odd, Ordinals, Rows};
pub(crate) use target::MOST_LISTED;

use crate::record::{Dir, Stamp};

/// What a decoder runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP stream, put in order.
    Stream,
    /// UDP datagrams, one by one.
    Datagram,
    /// GRE packets, one by one.
    Gre,
}

/// How sure the first octets make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Something else.
    No,
    /// Could be; the port decides.
    Maybe,
    /// Looks like it, but several datagrams must agree before that can be said: tried where no other protocol is found.
    Likely,
    /// It is.
    Certain,
}

/// A protocol that lidr reads.
#[derive(Debug)]
pub struct Protocol {
    /// Name, as `app` and `decoder` say it.
    pub name: &'static str,
    /// What it runs on.
    pub transport: Transport,
    /// Ports that decide where the content only may be it.
    pub ports: &'static [u16],
    /// Looks at the first octets that one end sent.
    pub probe: fn(&[u8], Dir) -> Verdict,
    /// Starts a decoder for one conversation.
    pub start: fn() -> Box<dyn Decoder>,
}

/// Every protocol that lidr reads, in the order in which they are asked.
pub const ALL: &[Protocol] = &[
    snmp::PROTOCOL,
    x2x3::X2X3,
    x2x3::UDP,
    hi::PROTOCOL,
    cdc::PROTOCOL,
    http::PROTOCOL,
    ssh::PROTOCOL,
    tls::PROTOCOL,
    radius::PROTOCOL,
    dns::UDP,
    dns::TCP,
    dtcp::UDP,
    dtcp::TCP,
    mirror::GRE,
    mirror::VXLAN,
    mirror::TZSP,
    mirror::JMIRROR,
    mirror::SHIM,
    redbackli::PROTOCOL,
    ccc::PROTOCOL,
];

/// The protocols that a run looks for, by what they run on.
#[derive(Clone, Debug)]
pub(crate) struct Protocols([Vec<&'static Protocol>; 3]);

impl Protocols {
    /// All but those of these names.
    pub(crate) fn without(names: &[String]) -> Self {
        Self([Transport::Stream, Transport::Datagram, Transport::Gre].map(|transport| {
            ALL.iter().filter(|p| p.transport == transport && !names.iter().any(|n| n == p.name)).collect()
        }))
    }

    /// Those on that transport, in the order in which they are asked.
    pub(crate) fn on(&self, transport: Transport) -> impl Iterator<Item = &'static Protocol> {
        let Self([streams, datagrams, gre]) = self;
        let all = match transport {
            Transport::Stream => streams,
            Transport::Datagram => datagrams,
            Transport::Gre => gre,
        };
        all.iter().copied()
    }
}

/// Octets of one direction, in order.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Who sent them.
    pub dir: Dir,
    /// All octets not taken yet: those held back from earlier packets, then the new ones. A whole datagram for `Datagram`.
    pub data: &'a [u8],
    /// The packet that brought the first octet of `data`.
    pub first: Stamp,
    /// The packet by which the last one came to be known, be it that it filled a hole before octets captured long ago: its
    /// effective time is the `due` of what it completes.
    pub last: Stamp,
    /// Octets lost right before `data` (a gap in the stream); what was begun before them is void.
    pub gap: u64,
    /// Octets that the capture cut off the end of a datagram (snaplen).
    pub cut: u32,
}

/// What became of a segment. A decoder of datagrams returns `Taken(len)`, `NotMine` or `Done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// That many octets are dealt with; if that is fewer than all and more than none, decode is called again with the rest at once.
    Taken(usize),
    /// Nothing can be done before so many octets are there; the stream holds them back, up to its bound, and asks again.
    NeedMore(usize),
    /// Pass over so many octets, those not seen yet included, without holding them (a body that is of no interest).
    Skip(u64),
    /// A datagram was looked at, and it is not sure yet that this is the protocol: nothing is said of it.
    Unsure,
    /// Not this protocol after all.
    NotMine,
    /// Nothing more of interest in this direction; the stream stops holding octets.
    Done,
}

/// One conversation's decoder. State is bounded by the decoder itself, and what it drops at a bound it says with [`Rows::odd`].
pub trait Decoder: Send {
    /// Deals with octets.
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress;

    /// The least deadline of what waits for an answer, µs of effective time.
    fn deadline(&self) -> Option<i64> {
        None
    }

    /// Gives up what waits with a deadline before `now`; the rows' `due` is their deadline.
    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        let _ = (now, rows);
    }

    /// The conversation, or the input, has ended at `now`: what waits is given out with `due` = min(deadline, now).
    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        let _ = (now, rows);
    }
}
