//! Messages of call data: published vectors, every kind, cut, split, damaged.
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, delivery, dst, hex, key, oddities, oddity, run, src};
use crate::record::Dir;

const OPEN: &str = "3046800103a141a33f800843415345303030318105434d545331820d3230323631313232313131355aa30e300c8004303030318104434d5331a50a80083136\
    393039303630880103";
const RELEASE: &str =
    "3035800103a130a82e800843415345303030318105434d545331820d3230323631313232313131355aa30c8004303030318104434d5331";

fn tlv(tag: u8, inner: &[u8]) -> Vec<u8> {
    [&[tag, 0x82][..], &(inner.len() as u16).to_be_bytes(), inner].concat()
}

/// A message of that kind, with these fields after the common ones.
fn message(kind: u8, case: &str, fields: &[u8]) -> Vec<u8> {
    let common = [tlv(0x80, case.as_bytes()), tlv(0x81, b"CMTS1"), tlv(0x82, b"20261122111500Z")].concat();
    tlv(0x30, &[&[0x80, 1, 4][..], &tlv(0xa1, &tlv(kind, &[&common[..], fields].concat()))].concat())
}

fn shown(steps: &[Step]) -> String {
    let out = run(&PROTOCOL, steps);
    delivery(&out)
        .into_iter()
        .map(|(h, r)| format!("{} {} {r:?}", h.ts.0, h.due.0))
        .chain(oddities(&out))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn published_messages_are_read() {
    let out = run(&PROTOCOL, &[src(5, [hex(OPEN), hex(RELEASE)].concat())]);
    let rows = delivery(&out);
    let [(_, open), (_, release)] = rows.as_slice() else { panic!("{rows:?}") };
    let case = Some(key().pseudonym(Kind::Liid, "CASE0001"));
    assert_eq!((&*open.protocol, open.pdus, open.records.as_deref(), open.bytes), ("cdc", 1, Some("ccopen"), 65));
    assert_eq!(
        (open.liid, open.task),
        (case, Some(key().pseudonym(Kind::Cccid, "16909060"))),
        "0x01020304, as its content has it"
    );
    assert_eq!((release.liid, release.task, release.records.as_deref()), (case, None, Some("release")));
    assert_eq!((open.ne_name.as_deref(), oddities(&out)), (Some("CMTS1"), vec![]));
    let text = format!("{out:?}");
    assert!(!text.contains("CASE") && !text.contains("16909060"), "{text}");
}

#[test]
fn every_kind_has_its_name() {
    let kinds: Vec<u8> = (0xa1..=0xb4).filter(|tag| name(u32::from(*tag)).is_some()).collect();
    let out = run(
        &PROTOCOL,
        &[dst(0, kinds.iter().flat_map(|k| message(*k, "C1", &tlv(0xa3, &tlv(0x80, b"0001")))).collect::<Vec<_>>())],
    );
    let rows = delivery(&out);
    // A closing names its channel, here 1; all others are of no channel that is read.
    assert_eq!(rows.iter().map(|(_, r)| r.pdus).collect::<Vec<_>>(), [13, 1]);
    assert_eq!(rows[0].1.records.as_deref().unwrap().split(';').count(), 13);
    assert_eq!(
        (rows[1].1.records.as_deref(), rows[1].1.task),
        (Some("ccclose"), Some(key().pseudonym(Kind::Cccid, "1")))
    );
    let pair = tlv(0xa5, &tlv(0xa1, &[tlv(0x80, b"77"), tlv(0x81, b"78")].concat()));
    let rows = delivery(&run(&PROTOCOL, &[src(0, message(0xa3, "C1", &pair))]));
    assert_eq!(rows[0].1.task, Some(key().pseudonym(Kind::Cccid, "77")), "the first of a pair");
}

#[test]
fn unknown_kinds_are_odd_and_counted() {
    let out = run(&PROTOCOL, &[src(0, message(0xa4, "C1", &[]))]);
    assert_eq!((delivery(&out)[0].1.pdus, oddity(&out)[0].1.detail.as_deref()), (1, Some("message")));
    let out = run(&PROTOCOL, &[src(0, [hex(RELEASE), hex("3003020100"), hex(RELEASE)].concat())]);
    assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (2, vec!["malformed".into()]), "the next one is found");
}

#[test]
fn the_probe_knows_the_shape() {
    for good in [hex(OPEN), hex(RELEASE), message(0xb4, "c", &[])] {
        assert_eq!((PROTOCOL.probe)(&good, Dir::Src), Verdict::Certain);
        (1..16).for_each(|n| assert_eq!((PROTOCOL.probe)(&good[..n], Dir::Src), Verdict::Maybe, "{n}"));
    }
    for (at, to) in [
        (0, 0x31),
        (2, 0x81),
        (3, 2),
        (4, 5),
        (5, 0xa2),
        (7, 0xa0),
        (7, 0xb5),
        (9, 0x81),
        (10, 0),
        (10, 26),
        (11, 0x07),
        (1, 4),
        (6, 0x46),
    ] {
        let mut bad = hex(OPEN);
        bad[at] = to;
        assert_eq!((PROTOCOL.probe)(&bad, Dir::Src), Verdict::No, "{at} {to}");
    }
    // LDAP bind, SNMP, a certificate, a PS-PDU.
    for other in [
        "300c020101600702010304008000",
        "302902010104067075626c6963a01c",
        "308204a230820388",
        "305ca15480080400020205011100810d",
    ] {
        assert_eq!((PROTOCOL.probe)(&hex(other), Dir::Src), Verdict::No, "{other}");
    }
}

#[test]
fn splits_and_truncations_are_survived() {
    let all = [hex(OPEN), message(0xa5, "CASE0002", &tlv(0xa4, &[7; 300])), hex(RELEASE)].concat();
    let whole = shown(&[src(3, &all)]);
    for at in 1..all.len() {
        let (a, b) = all.split_at(at);
        assert_eq!(shown(&[src(3, a), src(3, b)]), whole, "split at {at}");
        assert!(oddities(&run(&PROTOCOL, &[src(3, a)])).is_empty(), "cut at {at}");
    }
    assert_eq!(shown(&all.iter().map(|o| src(3, [*o])).collect::<Vec<_>>()), whole, "octet by octet");
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..72, to in any::<u8>()) {
        let mut unit = hex(OPEN);
        unit[at] = to;
        let out = run(&PROTOCOL, &[src(0, hex(RELEASE)), src(1, &unit), src(2, &data), src(3, hex(RELEASE))]);
        prop_assert!((1..=4).contains(&delivery(&out).iter().map(|(_, r)| r.pdus).sum::<u64>()));
        (PROTOCOL.probe)(&data, Dir::Src);
    }
}
