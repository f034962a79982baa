//! Units of X2 and X3 in every shape: published vectors, cut, split, damaged, many.
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{self, Step, delivery, dst, hex, key, oddities, run, src};
use lidr_schema::Kind;

const S: i64 = 1_000_000;

/// X3 with an IPv4 payload, attributes 6 to 17; decoded field by field with another program.
const X3: &str = "000500020000008c0000001c0005000329f28e1cf230486aa860f5a784ab91720000000000000001000600034e4631\
    00070004504f49310008000400000001000900086b02ceb4075bca00000a0004c0000201000b0004cb007109000e00023039000f00020035\
    00100001110011001c3c696d73693e3030313031303132333435363738393c2f696d73693e\
    4500001c0001000040117cc5c0000201cb007109303900350008d164";
/// X3 of an implementation that writes version 5.0 and timestamps of 12 octets; RTP.
const X3_V5: &str = "050000020000008d000000100008000300112233445566778899aabbccddeeff11111111111111110009000c00000000\
    6553f100000000000008000400000004000a0004c0a8010a000b00040a000005000e000213c4000f000213c40006000770726f632d303100\
    07000968756e7465722d3031001100157369703a616c696365406578616d706c652e636f6d80000001000000a0deadbeefdeadbeef";

fn keepalive() -> Vec<u8> {
    let mut unit = hex("0005000300000028");
    unit.resize(HEADER, 0);
    unit
}

/// A unit with a sequence number and a payload.
fn unit(kind: u16, xid: u8, sequence: u32, payload: usize) -> Vec<u8> {
    let mut unit = Vec::new();
    unit.extend([0, 5]);
    unit.extend(kind.to_be_bytes());
    unit.extend(48_u32.to_be_bytes());
    unit.extend((payload as u32).to_be_bytes());
    unit.extend([0, 9, 0, 3]);
    unit.extend([xid; 16]);
    unit.extend(7_u64.to_be_bytes());
    unit.extend([0, 8, 0, 4]);
    unit.extend(sequence.to_be_bytes());
    unit.extend(vec![0x55; payload]);
    unit
}

fn shown(steps: &[Step]) -> String {
    format!("{:?}", run(&X2X3, steps))
}

#[test]
fn a_published_unit_is_one_row() {
    let out = run(&X2X3, &[src(5, hex(X3))]);
    let rows = delivery(&out);
    let [(head, row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&*row.protocol, &*row.state, row.pdus, row.bytes), ("x3", "end", 1, 28));
    assert_eq!(row.task, Some(key().pseudonym(Kind::Xid, "29f28e1c-f230-486a-a860-f5a784ab9172")));
    assert_eq!(row.target, Some(key().pseudonym(Kind::Imsi, "001010123456789")));
    assert_eq!((row.ne_name.as_deref(), row.point.as_deref()), (Some("NF1"), Some("POI1")));
    assert_eq!((row.first_seq, row.last_seq, row.missing, row.correlation), (Some(1), Some(1), 0, Some(1)));
    assert_eq!((row.format.as_deref(), row.cleartext), (Some("ipv4"), true));
    assert_eq!((row.from_target, row.to_target), (1, 0), "direction 3");
    let ends = testing::ends(&X2X3);
    assert_eq!((row.ne, row.dest_ip, row.dest_port), (ends.src_ip, ends.dst_ip, ends.dst_port));
    assert_eq!((head.ts.0, head.due.0), (5, 5));
    assert_eq!(oddities(&out), [""; 0]);
}

#[test]
fn other_versions_and_both_directions_are_read() {
    let out = run(&X2X3, &[dst(5, hex(X3_V5))]);
    let rows = delivery(&out);
    let [(_, row)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.target, Some(key().pseudonym(Kind::Sip, "sip:alice@example.com")));
    assert_eq!((row.first_seq, row.bytes, row.format.as_deref()), (Some(4), 16, Some("rtp")));
    assert_eq!(row.ne, testing::ends(&X2X3).dst_ip, "the sender is the element, whoever opened the connection");
}

#[test]
fn rows_open_part_and_end_add_up() {
    let steps: Vec<Step> = (0..150).map(|i| src(i * S, unit(1, 1, i as u32, 10))).collect();
    let out = run(&X2X3, &steps);
    let rows = delivery(&out);
    let got: Vec<_> = rows.iter().map(|(h, r)| (&*r.state, r.part, h.due.0 / S, r.pdus)).collect();
    assert_eq!(got, [("open", 0, 2, 3), ("part", 1, 60, 58), ("part", 2, 120, 60), ("end", 3, 149, 29)]);
    assert_eq!(rows.iter().map(|(_, r)| r.bytes).sum::<u64>(), 1500);
    assert_eq!(rows.iter().map(|(_, r)| r.missing).sum::<u64>(), 0);
}

#[test]
fn a_short_conversation_is_an_end_row_and_a_silent_one_opens_by_deadline() {
    let out = run(&X2X3, &[src(0, unit(2, 1, 0, 0)), src(S, unit(2, 1, 1, 0))]);
    assert_eq!(delivery(&out).len(), 1, "closed before it was open");
    let out = run(&X2X3, &[src(0, unit(2, 1, 0, 0)), src(9 * S, [])]);
    let rows = delivery(&out);
    let got: Vec<_> = rows.iter().map(|(h, r)| (&*r.state, h.due.0 / S, r.pdus)).collect();
    assert_eq!(got, [("open", 2, 1), ("end", 9, 0)]);
}

#[test]
fn series_are_told_apart_by_task_and_kind() {
    let both = [unit(1, 1, 0, 5), unit(2, 1, 0, 50), unit(2, 2, 0, 500)].concat();
    let out = run(&X2X3, &[src(0, both)]);
    let got: Vec<_> = delivery(&out).iter().map(|(_, r)| (r.protocol.to_string(), r.bytes)).collect();
    assert_eq!(got, [("x2".into(), 5), ("x3".into(), 50), ("x3".into(), 500)]);
}

#[test]
fn skipped_sequence_numbers_are_counted() {
    let numbers = [u32::MAX - 1, u32::MAX, 0, 3, 2, 4, 1, 2];
    let out = run(&X2X3, &[src(0, numbers.map(|n| unit(2, 1, n, 0)).concat())]);
    let rows = delivery(&out);
    assert_eq!(rows[0].1.missing, 2, "1 and 2 after the wrap; a late one takes none off, counting anew adds none");
    assert_eq!((rows[0].1.first_seq, rows[0].1.last_seq), (Some(u32::MAX - 1), Some(2)));
}

#[test]
fn keepalives_are_on_the_rows_or_on_one_of_their_own() {
    let mut ack = keepalive();
    ack[3] = 4;
    let out = run(&X2X3, &[src(0, keepalive()), dst(1, &ack), src(9 * S, keepalive())]);
    let rows = delivery(&out);
    let got: Vec<_> = rows.iter().map(|(h, r)| (&*r.protocol, &*r.state, h.due.0, r.pdus, r.keepalives)).collect();
    assert_eq!(got, [("x2x3", "end", 9 * S, 0, 2)]);
    let steps = [src(0, unit(1, 1, 0, 0)), src(S, keepalive()), src(5 * S, keepalive()), dst(5 * S, ack)];
    let got: Vec<_> = delivery(&run(&X2X3, &steps)).iter().map(|(_, r)| (r.state.to_string(), r.keepalives)).collect();
    assert_eq!(got, [("open".into(), 1), ("end".into(), 1)]);
}

#[test]
fn tasks_over_the_bound_are_counted_together() {
    let mut all = Vec::new();
    for i in 0..4100_u32 {
        let mut one = unit(2, 9, i, 1);
        one[16..20].copy_from_slice(&i.to_be_bytes());
        all.extend(one);
    }
    let out = run(&X2X3, &[src(0, all)]);
    let rows = delivery(&out);
    assert_eq!(rows.len(), 4097);
    assert_eq!(rows.iter().map(|(_, r)| r.pdus).sum::<u64>(), 4100);
    let mixed = &rows[4096].1;
    assert_eq!((mixed.task, mixed.pdus, mixed.correlation), (None, 4, None));
    assert_eq!((mixed.first_seq, mixed.missing), (None, 0), "numbers of several series say nothing");
    assert_eq!(oddities(&out), ["bound"]);
}

#[test]
fn splits_anywhere_give_the_same_rows() {
    let all = [unit(1, 1, 0, 30), hex(X3), keepalive(), hex(X3_V5)].concat();
    let whole = shown(&[src(3, &all)]);
    for at in 1..all.len() {
        let (a, b) = all.split_at(at);
        let cut = [src(3, a), src(3, b)].map(|s| s);
        assert_eq!(frames_off(&shown(&cut)), frames_off(&whole), "split at {at}");
    }
    let octets: Vec<Step> = all.iter().map(|o| src(3, [*o])).collect();
    assert_eq!(frames_off(&shown(&octets)), frames_off(&whole), "octet by octet");
}

/// Frames and ordinals differ where packets do; everything else must not.
fn frames_off(text: &str) -> String {
    let mut out = String::new();
    for part in text.split(", ") {
        if !part.starts_with("frame: ") && !part.starts_with("n: ") {
            out.push_str(part);
        }
    }
    out
}

#[test]
fn after_a_loss_the_next_header_is_found() {
    let damaged = Step { gap: 100, ..src(S, [&[0x55; 33][..], &unit(2, 1, 9, 4)].concat()) };
    let out = run(&X2X3, &[src(0, unit(2, 1, 0, 4)), damaged]);
    assert_eq!(delivery(&out)[0].1.pdus, 2);
    let mut bad = unit(2, 1, 1, 4);
    bad[0] = 9;
    let out = run(&X2X3, &[src(0, [unit(2, 1, 0, 4), bad, unit(2, 1, 2, 4)].concat())]);
    assert_eq!((delivery(&out)[0].1.pdus, delivery(&out)[0].1.missing), (2, 1));
    assert_eq!(oddities(&out), ["malformed"]);
}

#[test]
fn attributes_that_do_not_fit_are_odd_and_the_unit_counts() {
    let mut bad = unit(2, 1, 1, 4);
    bad[42..44].copy_from_slice(&200_u16.to_be_bytes());
    let out = run(&X2X3, &[src(0, [unit(2, 1, 0, 4), bad].concat())]);
    assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (2, vec!["malformed".into()]));
}

#[test]
fn the_probe_is_sure_of_units_only() {
    for good in [hex(X3), hex(X3_V5), keepalive(), unit(1, 1, 1, 1)] {
        assert_eq!(probe(&good, Dir::Src), Verdict::Certain);
        assert_eq!(probe(&good[..HEADER], Dir::Src), Verdict::Certain);
        assert_eq!(probe(&good[..20], Dir::Src), Verdict::Maybe);
    }
    for bad in [&b"GET / HTTP/1.1\r\nHost: example.invalid\r\n\r\n"[..], &[0; 64], &[0, 5, 0, 9, 0, 0, 0, 40], b""] {
        assert_eq!(probe(bad, Dir::Src), Verdict::No, "{bad:?}");
    }
    let mut bad = hex(X3);
    bad[42] = 0xff;
    assert_eq!(probe(&bad, Dir::Src), Verdict::No, "attributes past the header");
}

#[test]
fn units_come_in_datagrams_too() {
    let both = [unit(1, 1, 0, 30), unit(2, 1, 0, 9)].concat();
    assert_eq!(probe_datagram(&both, Dir::Src), Verdict::Certain);
    let steps = [
        src(0, &both),
        src(S, unit(2, 1, 1, 9)),
        src(2 * S, keepalive()),
        dst(2 * S, hex(X3_V5)),
        src(3 * S, unit(2, 1, 4, 1)),
    ];
    let out = run(&UDP, &steps);
    assert_eq!(oddities(&out), [""; 0]);
    let mut sums: std::collections::BTreeMap<_, (u64, u64, u64)> = Default::default();
    for (head, row) in delivery(&out) {
        assert_eq!(head.proto, 17);
        let sum = sums.entry((row.ne.to_string(), row.protocol.to_string())).or_default();
        *sum = (sum.0 + row.pdus, sum.1 + row.bytes, sum.2 + row.missing);
    }
    let want = [(("10.0.0.1", "x2"), (1, 30, 0)), (("10.0.0.1", "x3"), (3, 19, 2)), (("10.0.0.2", "x3"), (1, 16, 0))];
    assert_eq!(sums.into_iter().collect::<Vec<_>>(), want.map(|((ne, p), sum)| ((ne.to_owned(), p.to_owned()), sum)));
}

#[test]
fn datagrams_that_are_not_whole_are_said() {
    let one = unit(2, 1, 0, 9);
    for length in 1..one.len() {
        let cut = Step { cut: (one.len() - length) as u32, ..src(S, &one[..length]) };
        let out = run(&UDP, &[src(0, &one), cut]);
        let whole_header = length >= 48;
        assert_eq!(delivery(&out)[0].1.pdus, 1 + u64::from(whole_header), "{length}");
        assert_eq!(oddities(&out), vec!["truncated"; usize::from(!whole_header)], "{length}");
        let out = run(&UDP, &[src(0, &one), src(S, &one[..length])]);
        assert_eq!(oddities(&out), ["malformed"], "{length}");
        let sure = probe_datagram(&one[..length], Dir::Src);
        assert_eq!(
            sure,
            if length < HEADER { Verdict::No } else { Verdict::Maybe },
            "{length}: the capture may have cut it"
        );
    }
    let out = run(&UDP, &[src(0, [&one[..], b"and more"].concat())]);
    assert_eq!((delivery(&out)[0].1.pdus, oddities(&out)), (1, vec!["malformed".into()]));
    assert!(run(&UDP, &[src(0, b"no unit at all, but as long as a header would be")]).is_empty());
}

#[test]
fn every_payload_format_and_direction_is_counted() {
    let formats = [
        "keepalive",
        "ts102232",
        "ts33128",
        "ts33108",
        "proprietary",
        "ipv4",
        "ipv6",
        "ethernet",
        "rtp",
        "sip",
        "dhcp",
        "radius",
        "gtpu",
        "msrp",
        "eps_iri",
        "mime",
        "unstructured",
        "other",
    ];
    for (number, name) in formats.into_iter().enumerate() {
        let mut one = unit(2, 1, 0, 4);
        one[13] = number as u8;
        assert_eq!(delivery(&run(&X2X3, &[src(0, one)]))[0].1.format.as_deref(), Some(name));
    }
    let towards = [0, 1, 2, 3, 4, 5].map(|direction| {
        let mut one = unit(2, 1, 0, 4);
        one[15] = direction;
        let row = delivery(&run(&X2X3, &[src(0, one)])).remove(0).1;
        (row.to_target, row.from_target)
    });
    assert_eq!(towards, [(0, 0), (0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]);
}

#[test]
fn attributes_are_as_long_as_their_type_is() {
    let with = |kind: u16, length: u16| {
        let mut one = unit(2, 1, 0, 0);
        one[4..8].copy_from_slice(&(52 + u32::from(length)).to_be_bytes());
        one.extend([kind.to_be_bytes(), length.to_be_bytes()].concat());
        one.extend(vec![0; usize::from(length)]);
        let out = run(&X2X3, &[src(0, one)]);
        assert_eq!(delivery(&out)[0].1.pdus, 1);
        oddities(&out).len()
    };
    for (kind, length) in [
        (9, 8),
        (9, 12),
        (10, 4),
        (11, 4),
        (12, 16),
        (13, 16),
        (14, 2),
        (15, 2),
        (16, 1),
        (1, 7),
        (4, 0),
        (22, 99),
        (999, 3),
    ] {
        assert_eq!(with(kind, length), 0, "{kind} {length}");
        assert_eq!(with(kind, length + 1), usize::from((8..=16).contains(&kind)), "{kind} {length} and one more");
    }
}

#[test]
fn every_truncation_is_survived() {
    let all = [hex(X3), hex(X3_V5)].concat();
    for length in 0..all.len() {
        let out = run(&X2X3, &[src(0, &all[..length])]);
        assert!(delivery(&out).len() <= 2, "at {length}");
        probe(&all[..length], Dir::Dst);
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
        probe(&data, Dir::Src);
        probe_datagram(&data, Dir::Src);
        run(&UDP, &[src(0, unit(1, 1, 0, 3)), src(1, &data)]);
        let (a, b) = data.split_at(at.min(data.len()));
        run(&X2X3, &[src(0, unit(1, 1, 0, 3)), src(1, a), src(2, b)]);
    }

    #[test]
    fn mutations_are_survived(at in 0_usize..168, to in any::<u8>(), gap in 0_u64..200) {
        let mut data = hex(X3);
        data[at] = to;
        let steps = [src(0, &data), Step { gap, ..src(1, &data) }, src(9 * S, hex(X3))];
        let rows = delivery(&run(&X2X3, &steps));
        prop_assert!(rows.iter().map(|(_, r)| r.pdus).sum::<u64>() <= 3);
    }
}
