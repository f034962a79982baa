//! Mirrors of Ericsson (Redback) SmartEdge routers over UDP.
//!
//! A datagram is a list of attributes, type and length of one octet each, up to one of type 0, then the intercepted packet of IP.
//! Sequence number, intercept id and session id are always there, four octets each: with the packet behind them that tells the
//! protocol, whatever the port. What comes out is `delivery` rows, one series per (sender, intercept id, session): the intercept id is the task, the session the correlation. Source: the dissector of a public analyser and a vector
//! made after it; whether sequence numbers are of a session, as is taken here, and what the direction's values mean is not public.
//! Not read: direction, label, account, the packet.
use lidr_schema::{Key, Kind, Name};

use super::{
    Progress, Protocol, Rows, Segment, Transport, Verdict,
    cursor::Cursor,
    delivery::{
        Count, Facts, Series, Subject, Unit,
        decoder::{Counted, Product, wrong},
    },
    inner::packet,
};

/// Mirrors over UDP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: RedbackLi::NAME,
    transport: Transport::Datagram,
    ports: &[],
    probe: |data, _| match Mirrored::read(data, None) {
        Some(_) => Verdict::Certain,
        None => Verdict::No,
    },
    start: || Counted::boxed(RedbackLi),
};

/// Attributes of one datagram, at most: six types are known.
const MOST_ATTRIBUTES: usize = 16;

struct RedbackLi;

/// A datagram as far as it is kept.
struct Mirrored {
    sequence: u32,
    intercept: u32,
    session: u32,
    format: &'static str,
    bytes: u64,
}

impl Mirrored {
    /// Reads a datagram of which `cut` octets were not captured; where that is not known, some may be.
    fn read(data: &[u8], cut: Option<u64>) -> Option<Self> {
        let mut c = Cursor::new(data);
        let (mut sequence, mut intercept, mut session) = (None, None, None);
        for _ in 0..MOST_ATTRIBUTES {
            let (kind, value) = (c.u8()?, c.counted8()?);
            let number = || value.first_chunk().filter(|_| value.len() == 4).copied().map(u32::from_be_bytes);
            match kind {
                0 if value.len() <= 1 => break,
                1 => sequence = Some(number()?),
                2 => intercept = Some(number()?),
                3 => session = Some(number()?),
                4 | 20 | 40 => {}
                _ => return None,
            }
        }
        let inner = c.rest();
        let format = packet(inner, cut.map(|cut| inner.len() as u64 + cut))?;
        let bytes = inner.len() as u64 + cut.unwrap_or(0);
        Some(Self { sequence: sequence?, intercept: intercept?, session: session?, format, bytes })
    }
}

impl Product for RedbackLi {
    /// Intercept id and session.
    type Id = (u32, u32);
    const NAME: &'static str = "redbackli";

    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<Self::Id>, rows: &mut Rows<'_>) -> Progress {
        let taken = Progress::Taken(segment.data.len());
        let Some(read) = Mirrored::read(segment.data, Some(u64::from(segment.cut))) else {
            wrong("mirror", segment, rows);
            return taken;
        };
        let task = |key: &Key| key.pseudonym(Kind::Cccid, &read.intercept.to_string());
        let (correlation, format) = (Some(u64::from(read.session)), Some(Name::Borrowed(read.format)));
        let unit = Unit {
            count: Count { pdus: 1, bytes: read.bytes, ..Count::default() },
            facts: Facts { correlation, format, ..Facts::default() },
            sequence: Some(read.sequence),
            records: Vec::new(),
        };
        let subject = |key: &Key| Subject { task: Some(task(key)), liid: None };
        series.count(segment, (Self::NAME, (read.intercept, read.session)), subject, unit, rows);
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        decode::testing::{Step, delivery, hex, key, oddities, run, src},
        record::Dir,
    };

    const UNIT: &str =
        "0104000000070204000003e90304000000370401010001004500001c0001000040117cc5c0000201cb007109303900350008d164";

    fn numbered(sequence: u8) -> Vec<u8> {
        let mut unit = hex(UNIT);
        unit[5] = sequence;
        unit
    }

    #[test]
    fn a_mirrored_packet_is_counted() {
        let out = run(&PROTOCOL, &[src(5, hex(UNIT)), src(6, numbered(10))]);
        let rows = delivery(&out);
        let [(_, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((&*row.protocol, row.pdus, row.bytes, row.format.as_deref()), ("redbackli", 2, 56, Some("ipv4")));
        assert_eq!((row.task, row.correlation), (Some(key().pseudonym(Kind::Cccid, "1001")), Some(55)));
        assert_eq!((row.first_seq, row.last_seq, row.missing), (Some(7), Some(10), 2));
        assert!(oddities(&out).is_empty());
    }

    #[test]
    fn nothing_less_is_taken_for_it() {
        assert_eq!((PROTOCOL.probe)(&hex(UNIT), Dir::Src), Verdict::Certain);
        let cases = [(0, 5), (1, 3), (6, 9), (12, 4), (21, 2), (24, 0x55), (26, 1)];
        for (at, to) in cases {
            let mut bad = hex(UNIT);
            bad[at] = to;
            assert_eq!((PROTOCOL.probe)(&bad, Dir::Src), Verdict::No, "{at}");
        }
        // As long as the header of the packet is there, the rest may be missing: the capture may have cut it.
        (0..hex(UNIT).len())
            .for_each(|n| assert_eq!((PROTOCOL.probe)(&hex(UNIT)[..n], Dir::Src) == Verdict::Certain, n >= 44, "{n}"));
        let out =
            run(&PROTOCOL, &[src(0, hex(UNIT)), src(1, &hex(UNIT)[..45]), Step { cut: 7, ..src(2, &hex(UNIT)[..45]) }]);
        assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (2, vec!["malformed".into()]));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(data in prop::collection::vec(any::<u8>(), 0..80), at in 0_usize..52, to in any::<u8>(), cut in 0_u32..9) {
            let mut unit = hex(UNIT);
            unit[at] = to;
            (PROTOCOL.probe)(&data, Dir::Src);
            let out = run(&PROTOCOL, &[src(0, &data), Step { cut, ..src(1, &unit) }, src(2, hex(UNIT))]);
            prop_assert!((1..=3).contains(&delivery(&out).iter().map(|(_, r)| r.pdus).sum::<u64>()));
        }
    }
}
