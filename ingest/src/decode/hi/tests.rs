//! PS-PDUs in every shape: published vectors, lengths of every form, cut, split, damaged, many.
use lidr_schema::Ip;
use proptest::prelude::*;

use super::*;
use crate::decode::{
    Verdict,
    testing::{self, Step, delivery, dst, hex, key, oddities, oddity, run, src, tasking},
};
use crate::record::Dir;

const S: i64 = 1_000_000;

/// Captured: a keepalive, an IRI-Begin, a CC with an ICMP echo from the target.
const KEEPALIVE: &str = "305ca15480080400020205011100810d6f70656e6c692d312e302e313082024e41a322a019800d4f70656e4c494578616d706c6581086d65\
    642d3630303181010082024e41840101a70b800460ada457810301c5ab880101a204a2028300";
const BEGIN: &str = "3082009da15a80080400020205011100810a585034354e4e3731305482024e5aa323a01a80084c69627472616365810e4c696274726163656465\
    766c616281010782024e5a8401008606746573743031a70b800460ada441810304a64c880101a23fa03d303b800101a236a234800405030a01a12c8001078\
    10b756e6b6e6f776e75736572820104830101a414810100a2068104ac1100028301018504ffffffff";
const ECHO: &str = "308200c7a15a80080400020205011100810a585034354e4e3731305482024e5aa323a01a80084c69627472616365810e4c6962747261636564657\
    66c616281010782024e5a8401008606746573743031a70b800460ada460810304fd9d880101a269a1673065800100a260a25e800405030a02a15680544500\
    00541df040004001c493ac110002ac110001080088ec2c3d000160a4ad600000000071fd040000000000101112131415161718191a1b1c1d1e1f2021222324\
    25262728292a2b2c2d2e2f3031323334353637";
/// Made and checked with an ASN.1 compiler: an answer, an integrity check over CC, CC with a CIN of 32 bits, a report of TS 33.128.
const ANSWER: &str = "3055a14d80070400020205012b810b4c4949442d30303031323382025553a316a00d80054f5045523181044e452d37810100820255538401008\
    51632303236313132323131313530302e3132333435365aa204a2028400";
const INTEGRITY: &str = "308186a14b80070400020205012b810b4c4949442d30303031323382025553a316a00d80054f5045523181044e452d378101638202555384\
    0107860449503031a70b80046b02ceb4810301e240880101a237a235a033a0060201050201068101018201028320000102030405060708090a0b0c0d0e0f\
    101112131415161718191a1b1c1d1e1f840102";
const CC_WIDE: &str = "308184a14f80070400020205012b810b4c4949442d30303031323382025553a31aa00d80054f5045523181044e452d37810500f0000001820255\
    5384012a860449503031a70b80046b02ceb4810301e240880101a231a12f302d800100a228a226800405030a02a11e801c4500001c0001000040112674c000\
    0201c63364023039003500080000";
const REPORT: &str = "305ca14b80070400020205012b810b4c4949442d30303031323382025553a316a00d80054f5045523181044e452d3781014e820255538401028\
    60449503031a70b80046b02ceb4810301e240880101a20da00b3009800104a20493023000";

/// How lengths of constructed values are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Short,
    Long,
    Indefinite,
}

fn tlv(form: Form, tag: u8, inner: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match form {
        Form::Indefinite if tag & 0x20 != 0 => return [&out[..], &[0x80], inner, &[0, 0]].concat(),
        Form::Short if inner.len() < 0x80 => out.push(inner.len() as u8),
        _ => out.extend([&[0x84][..], &(inner.len() as u32).to_be_bytes()].concat()),
    }
    [&out[..], inner].concat()
}

/// A PS-PDU with that payload.
fn pdu(form: Form, liid: &[u8], cin: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let t = |tag, inner: &[u8]| tlv(form, tag, inner);
    let number = |tag, n: u32| t(tag, &[&[0][..], &n.to_be_bytes()].concat());
    let network = t(0xa0, &[t(0x80, b"op1"), t(0x81, b"med1")].concat());
    let communication = t(0xa3, &[network, number(0x81, cin)].concat());
    // The domain's length is part of what tells the protocol, and always short.
    let domain = tlv(Form::Short, 0x80, &hex("0400020205012b"));
    let header = t(0xa1, &[domain, t(0x81, liid), t(0x82, b"DE"), communication, number(0x84, sequence)].concat());
    t(0x30, &[header, t(0xa2, payload)].concat())
}

/// CC of IP packets, so many octets each, with these directions.
fn cc(form: Form, sequence: u32, directions: &[u8], octets: usize) -> Vec<u8> {
    let t = |tag, inner: &[u8]| tlv(form, tag, inner);
    let packet = t(0xa2, &[t(0x80, &[5, 3, 10, 2]), t(0xa1, &t(0x80, &vec![0x45; octets]))].concat());
    let one = |d: &u8| t(0x30, &[t(0x80, &[*d]), t(0xa2, &packet)].concat());
    pdu(form, b"LIID-1", 7, sequence, &t(0xa1, &directions.iter().flat_map(one).collect::<Vec<_>>()))
}

fn shown(steps: &[Step]) -> String {
    let out = run(&PROTOCOL, steps);
    let rows = delivery(&out).into_iter().map(|(h, r)| format!("{} {} {r:?}", h.ts.0, h.due.0));
    let tasks = tasking(&out).into_iter().map(|(_, r)| format!("{r:?}"));
    rows.chain(tasks).chain(oddities(&out)).collect::<Vec<_>>().join("\n")
}

#[test]
fn captured_units_are_read() {
    let out = run(&PROTOCOL, &[src(5, hex(BEGIN)), src(6, hex(ECHO)), src(7, hex(KEEPALIVE))]);
    let rows = delivery(&out);
    let [(_, iri), (_, cc)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (&*iri.protocol, iri.pdus, iri.records.as_deref(), iri.format.as_deref()),
        ("hi2", 1, Some("begin"), Some("ip"))
    );
    assert_eq!((&*cc.protocol, cc.pdus, cc.from_target, cc.to_target, cc.records.as_deref()), ("hi3", 1, 1, 0, None));
    assert_eq!((iri.bytes, cc.bytes), (0x36, 0x60));
    assert_eq!((iri.keepalives, cc.keepalives), (1, 0));
    for row in [iri, cc] {
        assert_eq!(row.liid, Some(key().pseudonym(Kind::Liid, "XP45NN710T")));
        assert_eq!(
            (row.task, row.target, row.correlation, row.cleartext, row.encrypted),
            (None, None, Some(7), true, 0)
        );
        let names = [&row.country, &row.operator, &row.ne_name, &row.point].map(|n| n.clone().unwrap());
        assert_eq!(names, ["NZ", "Libtrace", "Libtracedevlab", "test01"]);
        assert_eq!((row.first_seq, row.last_seq, row.missing), (Some(0), Some(0), 0));
        assert_eq!((row.ne, row.dest_ip), (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2])));
    }
    assert_eq!(oddities(&out), [""; 0]);
}

#[test]
fn made_units_are_read() {
    let out = run(&PROTOCOL, &[src(5, [hex(CC_WIDE), hex(REPORT), hex(INTEGRITY)].concat())]);
    let rows = delivery(&out);
    let got: Vec<_> =
        rows.iter().map(|(_, r)| (&*r.protocol, r.correlation, r.pdus, r.integrity, r.format.as_deref())).collect();
    let cin = Some(4_026_531_841);
    assert_eq!(
        got,
        [("hi3", cin, 1, 0, Some("ip")), ("hi2", Some(78), 1, 0, Some("ts33128")), ("hi3", Some(99), 0, 1, None)]
    );
    assert_eq!(rows[1].1.records.as_deref(), Some("report"));
    assert_eq!(
        (rows[0].1.first_seq, rows[2].1.first_seq),
        (Some(42), None),
        "a check's number is of another row of numbers"
    );
}

#[test]
fn keepalives_alone_are_one_row_with_their_answers() {
    let out = run(&PROTOCOL, &[src(0, hex(KEEPALIVE)), dst(1, hex(ANSWER)), src(3 * S, hex(KEEPALIVE))]);
    let rows = delivery(&out);
    let [(_, row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&*row.protocol, row.pdus, row.keepalives, row.answers, row.liid), ("hi", 0, 2, 1, None));
    let out = run(&PROTOCOL, &[dst(1, hex(ANSWER))]);
    assert_eq!(delivery(&out)[0].1.ne, Ip::v4([10, 0, 0, 1]), "who is answered keeps it alive");
}

#[test]
fn lengths_of_every_form_say_the_same() {
    let all = |form| [cc(form, 0, &[0, 1], 90), cc(form, 1, &[2], 5000), cc(form, 4, &[], 0)].concat();
    for form in [Form::Short, Form::Long, Form::Indefinite] {
        let rows = delivery(&run(&PROTOCOL, &[src(0, all(form))]));
        let [(_, row)] = rows.as_slice() else { panic!("{form:?}: {rows:?}") };
        assert_eq!((row.pdus, row.from_target, row.to_target, row.missing), (3, 1, 1, 2), "{form:?}");
        assert!((5180..5300).contains(&row.bytes), "{form:?}: {}", row.bytes);
    }
}

#[test]
fn gaps_are_those_of_one_liid_and_cin() {
    let one = |liid: &[u8], cin, n| pdu(Form::Short, liid, cin, n, &tlv(Form::Short, 0xa1, &[]));
    let other = |n| pdu(Form::Short, b"a", 1, n, &tlv(Form::Short, 0xa0, &[]));
    let units = [
        one(b"a", 1, 0),
        one(b"b", 1, 0),
        one(b"a", 2, 0),
        other(0),
        one(b"a", 1, 1),
        one(b"b", 1, 3),
        other(1),
        one(b"a", 2, 1),
    ];
    let rows = delivery(&run(&PROTOCOL, &[src(0, units.concat())]));
    assert_eq!(rows.iter().map(|(_, r)| (r.pdus, r.missing)).collect::<Vec<_>>(), [(2, 0), (2, 2), (2, 0), (2, 0)]);
}

#[test]
fn encrypted_payload_is_counted_and_its_header_read() {
    let t = |tag, inner: &[u8]| tlv(Form::Short, tag, inner);
    let container = |kind: u8, form| pdu(form, b"a", 1, 0, &t(0xa4, &[t(0x80, &[kind]), t(0x81, &[7; 40])].concat()));
    let rows = delivery(&run(&PROTOCOL, &[src(0, container(4, Form::Short))]));
    let row = &rows[0].1;
    assert_eq!((&*row.protocol, row.pdus, row.encrypted, row.bytes, row.cleartext), ("hi", 1, 1, 40, false));
    assert_eq!(row.liid, Some(key().pseudonym(Kind::Liid, "a")));
    let rows = delivery(&run(&PROTOCOL, &[src(0, container(1, Form::Indefinite))]));
    assert_eq!((rows[0].1.encrypted, rows[0].1.cleartext), (0, true), "a container around clear text");
}

#[test]
fn notifications_are_reports_of_the_sender() {
    let t = |tag, inner: &[u8]| tlv(Form::Short, tag, inner);
    let told = |tag| pdu(Form::Short, b"LIID-1", 0, 0, &t(0xa3, &t(tag, &t(0x80, &[4]))));
    let out = run(&PROTOCOL, &[dst(5, [told(0xa1), told(0xa2), told(0xa3)].concat())]);
    let rows = tasking(&out);
    let got: Vec<_> =
        rows.iter().map(|(_, r)| (&*r.op, r.message.as_deref().unwrap(), r.status.as_deref().unwrap())).collect();
    assert_eq!(
        got,
        [
            ("report", "liActivated", "active"),
            ("report", "liDeactivated", "deactivated"),
            ("report", "liModified", "modified")
        ]
    );
    let (head, row) = &rows[0];
    assert_eq!(
        (row.ne, row.actor, row.dest_ip, head.src_ip),
        (Ip::v4([10, 0, 0, 2]), row.ne, Some(Ip::v4([10, 0, 0, 1])), row.ne)
    );
    assert_eq!(
        (&*row.protocol, row.liid, row.ne_name.as_deref()),
        ("hi1", Some(key().pseudonym(Kind::Liid, "LIID-1")), Some("med1"))
    );
    assert!(delivery(&out).is_empty(), "no product");
}

#[test]
fn a_binary_liid_is_hashed_as_its_digits() {
    let one = |liid: &[u8]| {
        delivery(&run(&PROTOCOL, &[src(0, pdu(Form::Short, liid, 1, 0, &tlv(Form::Short, 0xa1, &[])))]))[0].1.liid
    };
    assert_eq!(one(&[0, 0xff]), Some(key().pseudonym(Kind::Liid, "00ff")));
    assert_eq!(one(b"A 1"), Some(key().pseudonym(Kind::Liid, "A 1")));
}

#[test]
fn what_does_not_follow_the_standard_is_odd_and_still_counted() {
    let cut = |from: &[u8], to: &[u8]| {
        let all = cc(Form::Short, 5, &[0], 4);
        let at = all.windows(from.len()).position(|w| w == from).unwrap();
        [&all[..at], to, &all[at + from.len()..]].concat()
    };
    // Nine octets where a number of 32 bits belongs; the lengths around it grow with it.
    let mut long = cut(&hex("84050000000005"), &hex("8409ffffffffffffffffff"));
    (long[1], long[3]) = (long[1] + 4, long[3] + 4);
    let out = run(&PROTOCOL, &[src(0, long)]);
    assert_eq!(
        (delivery(&out)[0].1.pdus, delivery(&out)[0].1.first_seq, oddities(&out)),
        (1, None, vec!["malformed".into()])
    );
    assert_eq!(oddity(&out)[0].1.detail.as_deref(), Some("sequence"));
    let out =
        run(&PROTOCOL, &[src(0, [cc(Form::Short, 0, &[0], 4), hex("3000"), cc(Form::Short, 1, &[0], 4)].concat())]);
    assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (2, vec!["malformed".into()]), "the next one is found");
}

#[test]
fn nesting_is_bounded() {
    let deep = |depth: usize| [[0xa2, 0x80].repeat(depth), [0, 0].repeat(depth)].concat();
    let unit = |depth| pdu(Form::Indefinite, b"a", 1, 0, &tlv(Form::Indefinite, 0xa1, &deep(depth)));
    let rows = |depth| run(&PROTOCOL, &[src(0, [unit(depth), cc(Form::Short, 0, &[0], 4)].concat())]);
    assert_eq!((delivery(&rows(20)).len(), oddities(&rows(20)).len()), (2, 0));
    assert_eq!((delivery(&rows(40)).len(), oddities(&rows(40)).len()), (1, 1));
}

#[test]
fn after_a_loss_the_next_one_is_found() {
    let late = Step { gap: 100, ..src(S, [&[0x30, 0x82, 1][..], &cc(Form::Short, 3, &[0], 9)].concat()) };
    let out = run(&PROTOCOL, &[src(0, cc(Form::Short, 0, &[0], 9)), late]);
    assert_eq!((delivery(&out)[0].1.pdus, delivery(&out)[0].1.missing, oddities(&out).len()), (2, 2, 0));
    // A hole inside payload that is passed over is none.
    let unit = cc(Form::Short, 0, &[0], 900);
    let rest = Step { gap: 500, ..src(1, &unit[700..]) };
    let out = run(&PROTOCOL, &[src(0, &unit[..200]), rest, src(2, cc(Form::Short, 1, &[1], 9))]);
    assert_eq!((delivery(&out)[0].1.pdus, delivery(&out)[0].1.missing, oddities(&out).len()), (2, 0, 0));
}

#[test]
fn the_probe_knows_the_domain_and_nothing_else() {
    for good in [KEEPALIVE, BEGIN, ECHO, ANSWER, INTEGRITY, CC_WIDE, REPORT].map(hex) {
        assert_eq!((PROTOCOL.probe)(&good, Dir::Src), Verdict::Certain);
        (1..12).for_each(|n| assert_eq!((PROTOCOL.probe)(&good[..n], Dir::Src), Verdict::Maybe, "{n}"));
        let mut bad = good.clone();
        let at = bad.windows(6).position(|w| w == hex("040002020501")).unwrap();
        bad[at + 5] = 2;
        assert_eq!((PROTOCOL.probe)(&bad, Dir::Src), Verdict::No);
        assert!(delivery(&run(&PROTOCOL, &[src(0, bad)])).is_empty());
    }
    assert_eq!((PROTOCOL.probe)(&cc(Form::Indefinite, 0, &[0], 9), Dir::Src), Verdict::Certain);
    for bad in ["3084ffffffff", "308180a1820000", "300c020101600702010304008000", "16030100"] {
        assert_eq!(
            (PROTOCOL.probe)(&hex(bad), Dir::Src),
            if bad.starts_with("308180") { Verdict::Maybe } else { Verdict::No },
            "{bad}"
        );
    }
}

#[test]
fn splits_anywhere_give_the_same_rows() {
    let notice = pdu(Form::Indefinite, b"x", 0, 0, &tlv(Form::Long, 0xa3, &tlv(Form::Short, 0xa1, &[])));
    let all =
        [hex(BEGIN), hex(ECHO), cc(Form::Indefinite, 0, &[0, 1], 150), hex(INTEGRITY), notice, hex(KEEPALIVE)].concat();
    let whole = shown(&[src(3, &all)]);
    for at in 1..all.len() {
        let (a, b) = all.split_at(at);
        assert_eq!(shown(&[src(3, a), src(3, b)]), whole, "split at {at}");
    }
    assert_eq!(shown(&all.iter().map(|o| src(3, [*o])).collect::<Vec<_>>()), whole, "octet by octet");
}

#[test]
fn every_truncation_is_survived() {
    for unit in [BEGIN, ECHO, ANSWER, INTEGRITY, CC_WIDE, REPORT, KEEPALIVE].map(hex).into_iter().chain([cc(
        Form::Indefinite,
        0,
        &[0],
        30,
    )]) {
        for length in 0..unit.len() {
            let out = run(&PROTOCOL, &[src(0, &unit[..length])]);
            let pdus: u64 = delivery(&out).iter().map(|(_, r)| r.pdus).sum();
            assert!(pdus <= 1 && oddities(&out).is_empty(), "{pdus} at {length}: {:?}", oddities(&out));
            (PROTOCOL.probe)(&unit[..length], Dir::Dst);
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
        (PROTOCOL.probe)(&data, Dir::Src);
        let (a, b) = data.split_at(at.min(data.len()));
        run(&PROTOCOL, &[src(0, hex(ECHO)), src(1, a), src(2, b)]);
    }

    #[test]
    fn mutations_are_survived(at in 0_usize..200, to in any::<u8>(), gap in 0_u64..200, form in 0..3) {
        let form = [Form::Short, Form::Long, Form::Indefinite][form as usize];
        let mut data = cc(form, 0, &[0, 1], 20);
        let at = at % data.len();
        data[at] = to;
        let steps = [src(0, &data), Step { gap, ..src(1, &data) }, src(9 * S, hex(ECHO)), dst(9 * S, &data)];
        let out = run(&PROTOCOL, &steps);
        prop_assert!(delivery(&out).iter().map(|(_, r)| r.pdus).sum::<u64>() <= 4);
    }
}

#[test]
fn no_identifier_leaves_in_clear() {
    let out = run(
        &PROTOCOL,
        &[src(
            0,
            [
                hex(BEGIN),
                hex(ECHO),
                pdu(Form::Short, b"XP45NN710T", 0, 0, &tlv(Form::Short, 0xa3, &tlv(Form::Short, 0xa1, &[]))),
            ]
            .concat(),
        )],
    );
    let text = format!("{out:?}");
    assert!(!text.contains("XP45") && !text.contains("unknownuser"), "{text}");
    assert_eq!(testing::ends(&PROTOCOL).proto, 6);
}
