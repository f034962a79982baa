//! X2 and X3: intercept product between a point of interception and a mediation function (ETSI TS 103 221-2).
//!
//! Units in a TCP stream, or whole ones in UDP datagrams: a header of 40 octets, conditional attributes up to the header's length,
//! payload. There is no fixed port; the header's arithmetic tells the protocol. Read are the header and the attributes (all must
//! fill the header and be as long as their type is; timestamps have 8 or, of one implementation, 12 octets); the payload is passed over
//! without being held, so no product can stay here. What comes out is `delivery` rows, one series (see `decode::delivery`) per
//! (sender, kind of unit, task). A conversation of keepalives only is one row of protocol `x2x3`, because the unit does not say
//! which of the two it keeps alive.
//!
//! Versions differ between implementations (`00 05`, `00 01`, `05 00`) and all are read. After a loss in a stream the next header is
//! searched for. A unit of more than one direction counts for both. Not read: payload (TS 33.128 records, SIP), TLS-protected streams (those are `tls` rows), and the XML
//! variant of one vendor.
mod header;
#[cfg(test)]
mod tests;

use lidr_schema::Key;

use header::{Attributes, Found, HEADER, Header, UnitKind};

use super::{
    Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    delivery::{
        Series, Subject,
        decoder::{Counted, Product},
    },
};
use crate::record::Dir;

/// X2 and X3 over TCP.
pub(super) const X2X3: Protocol = Protocol {
    name: X2x3::NAME,
    transport: Transport::Stream,
    ports: &[],
    probe,
    start: || Counted::boxed(X2x3::default()),
};
/// X2 and X3 over UDP.
pub(super) const UDP: Protocol = Protocol {
    name: X2x3::NAME,
    transport: Transport::Datagram,
    ports: &[],
    probe: probe_datagram,
    start: || Counted::boxed(X2x3 { whole: true, ..X2x3::default() }),
};

fn probe(data: &[u8], _: Dir) -> Verdict {
    let Some(header) = Header::read(data) else {
        return if data.len() >= 8 && header::may_begin(data) { Verdict::Maybe } else { Verdict::No };
    };
    let attributes = data.get(HEADER..header.length.min(data.len())).unwrap_or_default();
    match header.is_usual() && header::attributes_fit(attributes, header.length - HEADER) {
        true => Verdict::Certain,
        false => Verdict::No,
    }
}

/// A datagram is units from front to back. One that the capture cut, which cannot be seen here, may only be.
fn probe_datagram(data: &[u8], dir: Dir) -> Verdict {
    let Some(header) = Header::read(data).filter(|_| probe(data, dir) == Verdict::Certain) else { return Verdict::No };
    match usize::try_from(header.whole()).ok().and_then(|whole| data.get(whole..)) {
        None => Verdict::Maybe,
        Some([]) => Verdict::Certain,
        Some(next) => probe_datagram(next, dir),
    }
}

fn get<T: Copy + Default>(pair: &[T; 2], dir: Dir) -> T {
    pair.get(dir.index()).copied().unwrap_or_default()
}

fn set<T>(pair: &mut [T; 2], dir: Dir, value: T) {
    if let Some(slot) = pair.get_mut(dir.index()) {
        *slot = value;
    }
}

#[derive(Default)]
struct X2x3 {
    /// Per direction: the version of its units, kept to find the next header after a loss.
    version: [Option<u16>; 2],
    /// Per direction: searching for the next header.
    lost: [bool; 2],
    /// Datagrams.
    whole: bool,
}

impl X2x3 {
    /// Says that the stream is out of step; the next header is searched for from here.
    fn lose(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        set(&mut self.lost, segment.dir, true);
        odd(segment, "malformed", "header", (HEADER as u64, segment.data.len()), rows);
    }

    /// Out of step: `None` once a header stands at the front, else what to do with the octets.
    fn search(&mut self, segment: &Segment<'_>) -> Option<Progress> {
        let version = get(&self.version, segment.dir).or_else(|| self.version.iter().copied().flatten().next());
        match header::find(segment.data, version) {
            Found::At(0) => {
                set(&mut self.lost, segment.dir, false);
                None
            }
            Found::At(skip) => Some(Progress::Taken(skip)),
            Found::Needs(length) => Some(Progress::NeedMore(length)),
        }
    }
}

impl X2x3 {
    /// Units from front to back; what is left over is odd.
    fn datagram(&mut self, segment: &Segment<'_>, series: &mut Series<Id>, rows: &mut Rows<'_>) -> Progress {
        let kind = if segment.cut > 0 { "truncated" } else { "malformed" };
        let mut rest = segment.data;
        while !rest.is_empty() {
            let Some(header) = Header::read(rest) else {
                if self.version == [None; 2] {
                    return Progress::NotMine;
                }
                odd(segment, kind, "header", (HEADER as u64, rest.len()), rows);
                break;
            };
            let Some(attributes) = rest.get(HEADER..header.length) else {
                odd(segment, kind, "attributes", (header.length as u64, rest.len()), rows);
                break;
            };
            set(&mut self.version, segment.dir, Some(header.version));
            let whole = header.whole();
            count(segment, header, attributes, series, rows);
            let next = usize::try_from(whole).ok().and_then(|whole| rest.get(whole..));
            if next.is_none() && segment.cut == 0 {
                odd(segment, kind, "payload", (whole, rest.len()), rows);
            }
            rest = next.unwrap_or_default();
        }
        Progress::Taken(segment.data.len())
    }
}

/// The task: the identifier's octets, all zero for none.
type Id = [u8; 16];

fn count(segment: &Segment<'_>, header: Header, attributes: &[u8], series: &mut Series<Id>, rows: &mut Rows<'_>) {
    let read = Attributes::read(attributes, rows.key);
    if let Some(needed) = read.short {
        odd(segment, "malformed", "attributes", (needed, attributes.len()), rows);
    } else if read.misshapen {
        odd(segment, "malformed", "attribute length", (0, attributes.len()), rows);
    }
    let protocol = match header.kind {
        UnitKind::Acknowledgement => return series.answer(segment, rows),
        UnitKind::Keepalive => return series.keepalive(segment, rows),
        UnitKind::X2 => "x2",
        UnitKind::X3 => "x3",
    };
    let subject = |key: &Key| Subject { task: header.task(key), ..Subject::default() };
    series.count(segment, (protocol, header.xid), subject, read.unit(&header), rows);
}

fn odd(
    segment: &Segment<'_>,
    kind: &'static str,
    detail: &'static str,
    (needed, had): (u64, usize),
    rows: &mut Rows<'_>,
) {
    let mark = rows.mark(segment.dir, segment.first);
    let needed = (needed > 0).then_some(needed);
    rows.odd(mark, segment.last.eff, Odd { kind, detail, needed, had: Some(had as u64) });
}

impl Product for X2x3 {
    type Id = Id;
    const NAME: &'static str = "x2x3";

    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<Id>, rows: &mut Rows<'_>) -> Progress {
        if self.whole {
            return self.datagram(segment, series, rows);
        }
        if segment.gap > 0 {
            set(&mut self.lost, segment.dir, true);
        }
        if get(&self.lost, segment.dir)
            && let Some(progress) = self.search(segment)
        {
            return progress;
        }
        if segment.data.len() < HEADER {
            return Progress::NeedMore(HEADER);
        }
        let Some(header) = Header::read(segment.data) else {
            if self.version == [None; 2] {
                return Progress::NotMine;
            }
            self.lose(segment, rows);
            return Progress::Taken(1);
        };
        let Some(attributes) = segment.data.get(HEADER..header.length) else {
            return Progress::NeedMore(header.length);
        };
        set(&mut self.version, segment.dir, Some(header.version));
        let whole = header.whole();
        count(segment, header, attributes, series, rows);
        match usize::try_from(whole) {
            Ok(whole) if whole <= segment.data.len() => Progress::Taken(whole),
            _ => Progress::Skip(whole),
        }
    }
}
