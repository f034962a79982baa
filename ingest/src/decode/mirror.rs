//! Mirrors: traffic that a device copies to somebody, counted as delivery of intercept product.
//!
//! ERSPAN I–III and other GRE, VXLAN, TZSP, Juniper's jmirror and Nokia's shim are rows of protocol `mirror`, one series per kind and
//! session, from the outer source (the device) to the outer destination; `format` is the kind and `correlation` the key, network or
//! session. Whether a copy is somebody's tap or a customer's tunnel is the rules' to judge, who know the site; what is copied is
//! decoded elsewhere as conversations of its own, and only counted here. The identifier that jmirror and the shim carry is the
//! task's pseudonym. Mirrors without an IP header around them (RSPAN, MPLS pseudo-wires on the wire itself) have no ends to name.
use lidr_schema::{Kind, Name};

use super::{
    Decoder, Progress, Protocol, Rows, Segment, Transport, Verdict,
    delivery::{
        Count, Facts, Series, Subject, Unit,
        decoder::{Counted, Product},
    },
};
use crate::frame::encapsulation::{self, Read};

/// GRE, ERSPAN included.
pub(super) const GRE: Protocol = Protocol {
    name: "gre",
    transport: Transport::Gre,
    ports: &[],
    probe: |data, _| if encapsulation::gre(data).is_ok() { Verdict::Certain } else { Verdict::No },
    start: || start(encapsulation::gre),
};
/// VXLAN.
pub(super) const VXLAN: Protocol = Protocol {
    name: "vxlan",
    transport: Transport::Datagram,
    ports: &[4789],
    probe: |data, _| maybe(encapsulation::vxlan(data)),
    start: || start(encapsulation::vxlan),
};
/// TZSP.
pub(super) const TZSP: Protocol = Protocol {
    name: "tzsp",
    transport: Transport::Datagram,
    ports: &[37_008],
    probe: |data, _| maybe(encapsulation::tzsp(data)),
    start: || start(encapsulation::tzsp),
};
/// Juniper's mirrors.
pub(super) const JMIRROR: Protocol = Protocol {
    name: "jmirror",
    transport: Transport::Datagram,
    ports: &[30_030],
    probe: |data, _| maybe(encapsulation::jmirror(data)),
    start: || start(encapsulation::jmirror),
};
/// Nokia's mirrors, where the settings name their port.
pub(super) const SHIM: Protocol = Protocol {
    name: "shim",
    transport: Transport::Datagram,
    ports: &[],
    probe: |data, _| maybe(encapsulation::shim(data)),
    start: || start(encapsulation::shim),
};

fn maybe(read: Read) -> Verdict {
    if read.is_ok() { Verdict::Maybe } else { Verdict::No }
}

fn start(read: fn(&[u8]) -> Read) -> Box<dyn Decoder> {
    Counted::boxed(Mirror(read))
}

/// Reads the header of one kind.
struct Mirror(fn(&[u8]) -> Read);

impl Product for Mirror {
    /// Kind, network or session, intercept.
    type Id = (&'static str, Option<u64>, Option<u32>);
    const NAME: &'static str = "mirror";

    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<Self::Id>, rows: &mut Rows<'_>) -> Progress {
        // What is no copy was counted under its name when the frame was opened.
        if let Ok(inside) = (self.0)(segment.data) {
            let bytes = (segment.data.len() as u64 + u64::from(segment.cut)).saturating_sub(inside.skip as u64);
            let count = Count {
                pdus: 1,
                bytes,
                from_target: u64::from(inside.from_target == Some(true)),
                to_target: u64::from(inside.from_target == Some(false)),
                ..Count::default()
            };
            let facts = Facts { format: Some(Name::Borrowed(inside.name)), correlation: inside.id, ..Facts::default() };
            let task = inside.intercept;
            let subject = |key: &lidr_schema::Key| Subject {
                task: task.map(|id| key.pseudonym(Kind::Cccid, &id.to_string())),
                liid: None,
            };
            let id = (inside.name, inside.id, inside.intercept);
            series.count(segment, (Self::NAME, id), subject, Unit { count, facts, ..Unit::default() }, rows);
        }
        Progress::Taken(segment.data.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::testing::{Step, delivery, hex, key, run, src};

    const S: i64 = 1_000_000;
    const INNER: &str = "02aa0000000202aa0000000108004500001c0001000040117cc5c0000201cb007109303900350008d164";

    #[test]
    fn sessions_of_one_pair_are_series_of_their_own() {
        let one = hex(&format!("100088be00000007106418650000001 2{INNER}"));
        let other = hex(&format!("100088be00000007106418660000001 2{INNER}"));
        let out = run(&GRE, &[src(0, &one), src(S, &one), src(2 * S, &other), src(70 * S, &one)]);
        let rows = delivery(&out);
        let told: Vec<_> =
            rows.iter().map(|(_, r)| (r.format.as_deref(), r.correlation, r.state.as_ref(), r.pdus)).collect();
        let e = Some("erspan2");
        assert_eq!(
            told,
            [
                (e, Some(0x65), "open", 2),
                (e, Some(0x66), "open", 1),
                (e, Some(0x65), "part", 1),
                (e, Some(0x65), "end", 0),
                (e, Some(0x66), "end", 0)
            ]
        );
        assert!(rows.iter().all(|(_, r)| r.protocol == "mirror" && r.task.is_none()));
        assert_eq!(rows.iter().map(|(_, r)| r.bytes).sum::<u64>(), 4 * 42);
    }

    #[test]
    fn the_intercept_that_a_header_names_is_the_task() {
        let shim = hex(&format!("400004d2000022b8{INNER}"));
        let out = run(&SHIM, &[src(0, &shim), src(1, hex(&format!("600004d2000022b8{INNER}")))]);
        let (_, row) = &delivery(&out)[0];
        assert_eq!((row.task, row.from_target, row.to_target), (Some(key().pseudonym(Kind::Cccid, "1234")), 1, 1));
    }

    #[test]
    fn cut_copies_count_with_their_whole_length() {
        let whole = hex(&format!("0800000000303900{INNER}"));
        let cut = Step { cut: 20, ..src(0, &whole[..30]) };
        let (_, row) = &delivery(&run(&VXLAN, &[cut]))[0];
        assert_eq!((row.bytes, row.correlation), (42, Some(12_345)));
    }

    proptest! {
        #[test]
        fn no_octets_do_harm(a in prop::collection::vec(any::<u8>(), 0..80), b in prop::collection::vec(any::<u8>(), 0..80)) {
            for protocol in [&GRE, &VXLAN, &TZSP, &JMIRROR, &SHIM] {
                run(protocol, &[src(0, &a), src(1, &b)]);
            }
        }
    }
}
