//! Content of every form, with and without a port given; and everything that must not be taken for it.
use lidr_schema::{AnyRow, Head};
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{self, Step, delivery, hex, key, oddities, run, run_as, src};

const S: i64 = 1_000_000;
/// 2026-11-22T11:15:00Z, the time in the vectors.
const NOW: i64 = 1_795_346_100 * S;

const SMALL: &str = "010203044500001c0001000040117cc5c0000201cb007109303900350008d164";
const TIMED: &str = "01020304eead4d341f9add374500001c0001000040117cc5c0000201cb007109303900350008d164";
const CASED: &str = "01020304eead4d341f9add3743415345303030314500001c0001000040117cc5c0000201cb007109303900350008d164";

/// The smallest form around a packet of that version, with so many octets of payload.
fn small(id: u32, version: u8, payload: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    let body = vec![0x55; payload];
    let builder = match version {
        4 => etherparse::PacketBuilder::ipv4([192, 0, 2, 1], [203, 0, 113, 9], 9).udp(1, 2),
        _ => etherparse::PacketBuilder::ipv6([0x20; 16], [0x21; 16], 9).udp(1, 2),
    };
    builder.write(&mut packet, &body).unwrap();
    [&id.to_be_bytes()[..], &packet].concat()
}

fn given(steps: &[Step]) -> Vec<(Head, AnyRow)> {
    run_as(&PROTOCOL, testing::ends(&PROTOCOL), Some("ccc"), steps)
}

fn times(count: i64, unit: &[u8]) -> Vec<Step> {
    (0..count).map(|i| src(NOW + i * S, unit)).collect()
}

#[test]
fn published_forms_are_read_where_the_port_is_given() {
    for (unit, case) in [(SMALL, None), (TIMED, None), (CASED, Some(key().pseudonym(Kind::Liid, "CASE0001")))] {
        let out = given(&[src(NOW, hex(unit))]);
        let rows = delivery(&out);
        let [(_, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((&*row.protocol, row.pdus, row.bytes, row.format.as_deref()), ("ccc", 1, 28, Some("ipv4")));
        assert_eq!((row.task, row.liid), (Some(key().pseudonym(Kind::Cccid, "16909060")), case));
        assert!(oddities(&out).is_empty() && !format!("{out:?}").contains("16909060"));
    }
    let eight = hex(&SMALL.replacen("01020304", "0102030400000000", 1));
    assert_eq!(delivery(&given(&[src(NOW, &eight)]))[0].1.bytes, 28, "a form of 8 octets");
    assert!(delivery(&run(&PROTOCOL, &times(9, &eight))).is_empty(), "which two other mirrors have");
}

#[test]
fn content_is_asserted_when_three_agree() {
    for unit in [hex(SMALL), hex(TIMED), hex(CASED), small(7, 4, 900), small(7, 6, 900)] {
        assert_eq!((PROTOCOL.probe)(&unit, Dir::Src), Verdict::Likely);
        assert!(run(&PROTOCOL, &times(2, &unit)).is_empty(), "two say nothing");
        let out = run(&PROTOCOL, &times(3, &unit));
        let rows = delivery(&out);
        let [(head, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.pdus, &*row.state), (3, "end"));
        assert_eq!((head.ts.0, head.due.0), (NOW, NOW + 2 * S), "the first one counts, and is known with the third");
    }
}

#[test]
fn content_held_late_opens_late() {
    let out = run(&PROTOCOL, &[0, 10, 20, 21, 30].map(|s| src(NOW + s * S, hex(SMALL))));
    let got: Vec<_> = delivery(&out)
        .iter()
        .map(|(h, r)| ((h.ts.0 - NOW) / S, (h.due.0 - NOW) / S, r.state.to_string(), r.pdus))
        .collect();
    assert_eq!(got, [(0, 22, "open".into(), 4), (30, 30, "end".into(), 1)]);
}

#[test]
fn several_ids_of_one_sender_are_series() {
    let ids = [1, 2, 3, 1, 2, 3, 1, 2, 3, 3];
    let out = run(&PROTOCOL, &ids.map(|id| src(NOW, small(id, 4, 9))));
    assert_eq!(delivery(&out).iter().map(|(_, r)| r.pdus).collect::<Vec<_>>(), [3, 3, 4]);
    // Ids that never come again, as a counter in front of a packet would be, are none.
    assert!(run(&PROTOCOL, &(0..40).map(|id| src(NOW, small(id, 4, 9))).collect::<Vec<_>>()).is_empty());
}

#[test]
fn what_disagrees_is_not_taken_for_content() {
    let good = small(1, 4, 30);
    let change = |at: usize, to: u8| {
        let mut bad = good.clone();
        bad[at] = to;
        bad
    };
    let longer = [&good[..], &[0]].concat();
    let late = Step { eff: NOW + 2 * 86_400 * S, ..src(0, hex(TIMED)) };
    let others = [
        change(4, 0x65),
        change(7, 90),
        change(14, 1),
        change(12, 0),
        longer,
        good[..good.len() - 1].to_vec(),
        vec![0; 40],
        vec![],
    ];
    for bad in others {
        let steps = [src(NOW, &good), src(NOW, &good), src(NOW, &bad), src(NOW, &good), src(NOW, &good)];
        assert!(run(&PROTOCOL, &steps).is_empty(), "{bad:02x?}");
        assert!(run(&PROTOCOL, &times(9, &bad)).is_empty(), "{bad:02x?}");
    }
    assert!(run(&PROTOCOL, &vec![late; 5]).is_empty(), "a time of another day");
    let mixed = [src(NOW, hex(SMALL)), src(NOW, hex(TIMED)), src(NOW, hex(SMALL)), src(NOW, hex(SMALL))];
    assert!(run(&PROTOCOL, &mixed).is_empty(), "two forms");
    for port in TUNNELS {
        let ends = lidr_schema::Ends { dst_port: port, ..testing::ends(&PROTOCOL) };
        assert!(run_as(&PROTOCOL, ends, None, &times(9, &good)).is_empty(), "{port}");
    }
}

#[test]
fn where_the_port_is_given_other_datagrams_are_odd_once() {
    let out = given(&[src(NOW, [1, 2, 3]), src(NOW, small(1, 4, 5)), src(NOW, [0; 90])]);
    assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (1, vec!["malformed".into()]));
}

#[test]
fn cut_datagrams_are_content_by_their_whole_length() {
    let whole = small(1, 4, 800);
    let cut = |octets: usize, by: u32| Step { cut: by, ..src(NOW, &whole[..octets]) };
    let out = run(&PROTOCOL, &vec![cut(60, whole.len() as u32 - 60); 3]);
    assert_eq!((delivery(&out)[0].1.pdus, delivery(&out)[0].1.bytes), (3, 3 * (whole.len() as u64 - 4)));
    assert!(run(&PROTOCOL, &vec![cut(60, 10); 3]).is_empty());
    for octets in 0..whole.len().min(90) {
        given(&[cut(octets, 0)]);
        run(&PROTOCOL, &vec![cut(octets, (whole.len() - octets) as u32); 4]);
    }
}

#[test]
fn other_protocols_are_never_likely() {
    let dns = "1234010000010000000000000377777705696e766f6300000100010377777705696e766f630000010001";
    let radius = "0104003e000102030405060708090a0b0c0d0e0f0105626f62020c0102030405060708090a040645000001050600000045060600000002";
    let gtp = "30ff001cdeadbeef4500001c0001000040117cc5c0000201cb007109303900350008d164";
    let jmirror = "00000300000000904500001c0001000040117cc5c0000201cb007109303900350008d164";
    let shim = "600004d2000022b802aa0000000202aa0000000108004500001c0001000040117cc5c0000201cb007109303900350008d164";
    let redback =
        "0104000000070204000003e90304000000370401010001004500001c0001000040117cc5c0000201cb007109303900350008d164";
    for other in [dns, radius, gtp, jmirror, shim, redback].map(hex) {
        assert_eq!((PROTOCOL.probe)(&other, Dir::Src), Verdict::Maybe);
        assert!(run(&PROTOCOL, &times(9, &other)).is_empty());
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived_and_say_nothing(data in prop::collection::vec(any::<u8>(), 0..120), cut in 0_u32..9) {
        (PROTOCOL.probe)(&data, Dir::Src);
        let one = Step { cut, ..src(NOW, &data) };
        prop_assert!(run(&PROTOCOL, &vec![one.clone(); 4]).is_empty());
        given(&vec![one; 2]);
    }

    #[test]
    fn every_mutation_is_survived(at in 0_usize..48, to in any::<u8>()) {
        let mut unit = hex(CASED);
        unit[at] = to;
        let out = given(&[src(NOW, &unit), src(NOW, hex(CASED))]);
        prop_assert!((1..=2).contains(&delivery(&out).iter().map(|(_, r)| r.pdus).sum::<u64>()));
    }
}
