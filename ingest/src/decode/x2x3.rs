//! X2 and X3: intercept product between a point of interception and a mediation function (ETSI TS 103 221-2).
//!
//! A TCP stream of units: a header of 40 octets, conditional attributes up to the header's length, payload. There is no fixed
//! port; the header's arithmetic tells the protocol. Read are the header and the attributes; the payload is passed over
//! without being held, so no product can stay here. What comes out is `delivery` rows, one series (see `decode::delivery`) per
//! (sender, kind of unit, task). A conversation of keepalives only is one row of protocol `x2x3`, because the unit does not say
//! which of the two it keeps alive.
//!
//! Versions differ between implementations (`00 05`, `00 01`, `05 00`) and all are read. After a loss the next header is
//! searched for. Not read: payload (TS 33.128 records, SIP), TLS-protected streams (those are `tls` rows), and the XML
//! variant of one vendor.
mod header;
#[cfg(test)]
mod tests;

use lidr_schema::Key;

use header::{Attributes, Found, HEADER, Header, UnitKind};

use super::{
    Decoder, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    delivery::{Series, Subject},
};
use crate::record::Dir;

/// X2 and X3 over TCP.
pub(super) const X2X3: Protocol =
    Protocol { name: "x2x3", transport: Transport::Stream, ports: &[], probe, start: || Box::new(X2x3::default()) };

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

fn get<T: Copy + Default>(pair: &[T; 2], dir: Dir) -> T {
    pair.get(dir.index()).copied().unwrap_or_default()
}

fn set<T>(pair: &mut [T; 2], dir: Dir, value: T) {
    if let Some(slot) = pair.get_mut(dir.index()) {
        *slot = value;
    }
}

struct X2x3 {
    /// By task; by the identifier's octets, all zero for none.
    series: Series<[u8; 16]>,
    /// Per direction: the version of its units, kept to find the next header after a loss.
    version: [Option<u16>; 2],
    /// Per direction: searching for the next header.
    lost: [bool; 2],
}

impl Default for X2x3 {
    fn default() -> Self {
        Self { series: Series::new(X2X3.name), version: [None; 2], lost: [false; 2] }
    }
}

impl X2x3 {
    /// Says that the stream is out of step; the next header is searched for from here.
    fn lose(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        set(&mut self.lost, segment.dir, true);
        let mark = rows.mark(segment.dir, segment.first);
        let odd = Odd { kind: "malformed", detail: "header", needed: Some(HEADER as u64), had: None };
        rows.odd(mark, segment.last.eff, odd);
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

    fn unit(&mut self, segment: &Segment<'_>, header: Header, attributes: &[u8], rows: &mut Rows<'_>) {
        let read = Attributes::read(attributes, rows.key);
        if let Some(needed) = read.short {
            let mark = rows.mark(segment.dir, segment.first);
            let (needed, had) = (Some(needed), Some(attributes.len() as u64));
            rows.odd(mark, segment.last.eff, Odd { kind: "malformed", detail: "attributes", needed, had });
        }
        let protocol = match header.kind {
            UnitKind::Acknowledgement => return self.series.answer(segment, rows),
            UnitKind::Keepalive => return self.series.keepalive(segment, rows),
            UnitKind::X2 => "x2",
            UnitKind::X3 => "x3",
        };
        let subject = |key: &Key| Subject { task: header.task(key), ..Subject::default() };
        self.series.count(segment, (protocol, header.xid), subject, read.unit(&header), rows);
    }
}

impl Decoder for X2x3 {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        self.series.expire(segment.last.eff, rows);
        if segment.gap > 0 {
            set(&mut self.lost, segment.dir, true);
        }
        if get(&self.lost, segment.dir)
            && let Some(progress) = self.search(&segment)
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
            self.lose(&segment, rows);
            return Progress::Taken(1);
        };
        let Some(attributes) = segment.data.get(HEADER..header.length) else {
            return Progress::NeedMore(header.length);
        };
        set(&mut self.version, segment.dir, Some(header.version));
        let whole = header.length as u64 + u64::from(header.payload);
        self.unit(&segment, header, attributes, rows);
        match usize::try_from(whole) {
            Ok(whole) if whole <= segment.data.len() => Progress::Taken(whole),
            _ => Progress::Skip(whole),
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.series.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.series.expire(now, rows);
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.series.end(now, rows);
    }
}
