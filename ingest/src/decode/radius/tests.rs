//! Vectors of vendors' orders, logins and sessions, cut at every length.
use lidr_schema::{AnyRow, Head, Ip, Kind, table::signal};
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, auth, dst, hex, key, oddities, run as run_steps, src, tasking};

/// CoA-Request with Nokia's attributes: enable, destination, direction, intercept and session id.
const NOKIA: &str = "2b08005a000000000000000000000000000000002c0a30303030303031411a0c0000197f7a06000000021a0c0000197f7b06393939391a0c0000197f7d06000000011a0c0000197f8a06000004d21a0c0000197f8b06000022b8";
/// Access-Accept with Juniper's four salted attributes.
const JUNIPER: &str = "02090086000000000000000000000000000000002c0a30303030303031411a1a0000130a3a148001000000000000000000000000000000001a1a0000130a3c148002000000000000000000000000000000001a1a0000130a3d148003000000000000000000000000000000001a1a0000130a3b14800400000000000000000000000000000000";
/// CoA-Request with Cisco's attributes in clear, which should not be.
const CISCO: &str = "2b070088000000000000000000000000000000002c0a30303030303031411a1d000000090117696e746572636570742d69643d30303031303030311a1300000009010d6c692d616374696f6e3d311a1f0000000901196d642d69702d616464723d3139382e35312e3130302e371a1b0000000901156d642d706f72742d6e756d6265723d35303030";

const S: i64 = 1_000_000;

fn run(steps: &[Step]) -> Vec<(Head, AnyRow)> {
    run_steps(&PROTOCOL, steps)
}

fn signals(out: &[(Head, AnyRow)]) -> Vec<signal::Row> {
    out.iter().filter_map(|(_, r)| if let AnyRow::Signal(s) = r { Some((**s).clone()) } else { None }).collect()
}

/// A packet of a code, an identifier and attributes.
fn packet(code: u8, id: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend([*kind, value.len() as u8 + 2]);
        body.extend_from_slice(value);
    }
    let length = (20 + body.len()) as u16;
    [&[code, id][..], &length.to_be_bytes(), &[id; 16], &body].concat()
}

fn of_vendor(vendor: u32, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vendor.to_be_bytes().to_vec();
    for (kind, value) in attributes {
        out.extend([*kind, value.len() as u8 + 2]);
        out.extend_from_slice(value);
    }
    out
}

#[test]
fn a_change_of_authorisation_switches_interception_on() {
    let out = run(&[src(0, hex(NOKIA)), dst(10, packet(44, 8, &[]))]);
    let (head, row) = &tasking(&out)[0];
    assert_eq!(
        (&*row.op, row.enable, &*row.outcome, row.message.as_deref()),
        ("enable", Some(true), "ok", Some("CoA-Request"))
    );
    assert_eq!((row.actor, row.ne, head.due.0), (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]), 10));
    assert_eq!((row.task, row.cleartext), (Some(key().pseudonym(Kind::Cccid, "1234")), true));
    assert_eq!(
        (row.target_kind.as_deref(), row.target),
        (Some("session"), Some(key().pseudonym(Kind::Other, "0000001A")))
    );
    assert_eq!(signals(&out)[0].op, "coa");
    let refused = run(&[src(0, hex(NOKIA)), dst(10, packet(45, 8, &[(101, &[0, 0, 1, 0x91])]))]);
    assert_eq!(&*tasking(&refused)[0].1.outcome, "refused");
    assert_eq!(signals(&refused)[0].error_code, Some(0x191));
}

#[test]
fn salted_orders_are_seen_as_such() {
    let request = packet(1, 9, &[(1, b"alice@example.net"), (2, &[1; 16]), (4, &[10, 0, 0, 1]), (8, &[100, 64, 0, 9])]);
    let out = run(&[src(0, request), dst(10, hex(JUNIPER))]);
    let (_, row) = &tasking(&out)[0];
    assert_eq!((&*row.op, row.cleartext, row.message.as_deref()), ("unknown", false, Some("Access-Accept")));
    assert_eq!(
        (row.actor, row.ne),
        (Ip::v4([10, 0, 0, 2]), Ip::v4([10, 0, 0, 1])),
        "the server orders, the access server taps"
    );
    assert_eq!(row.target, Some(key().pseudonym(Kind::Nai, "alice@example.net")));
    let login = &auth(&out)[0].1;
    assert_eq!(
        (login.user.as_deref(), login.subscriber),
        (None, Some(key().pseudonym(Kind::Nai, "alice@example.net")))
    );
    assert!(!format!("{out:?}").contains("alice"), "no subscriber in clear");
    let alone = run(&[dst(0, hex(JUNIPER)), src(5 * S, packet(4, 1, &[]))]);
    assert_eq!(tasking(&alone).len(), 1, "an accept whose request is not in the capture");
}

#[test]
fn an_order_in_clear_names_its_destination() {
    let out = run(&[src(0, hex(CISCO)), src(9 * S, packet(12, 1, &[]))]);
    let row = &tasking(&out)[0].1;
    assert_eq!((&*row.op, &*row.outcome), ("enable", "unanswered"));
    assert_eq!((row.dest_ip, row.dest_port), (Some(Ip::v4([198, 51, 100, 7])), Some(5000)));
    assert_eq!(row.task, Some(key().pseudonym(Kind::Cccid, "00010001")));
}

#[test]
fn other_vendors_say_it_their_way() {
    let huawei = of_vendor(2011, &[(101, b"LI-77"), (102, &[192, 0, 2, 9]), (103, &[0, 0, 0x13, 0x88])]);
    let ericsson = of_vendor(2352, &[(162, &[0, 0, 0, 0]), (159, &[0, 0, 0, 5])]);
    let cable = of_vendor(4491, &[(44, &[192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2]), (48, &[0, 0, 0, 7])]);
    /// Attributes, the operation they order, where product goes.
    type Case<'a> = (&'a [u8], &'a str, Option<[u8; 4]>, Option<u16>);
    let cases: [Case<'_>; 3] = [
        (&huawei, "unknown", Some([192, 0, 2, 9]), Some(5000)),
        (&ericsson, "disable", None, None),
        (&cable, "enable", Some([192, 0, 2, 2]), Some(2)),
    ];
    for (value, op, ip, port) in cases {
        let out = run(&[src(0, packet(43, 1, &[(26, value)]))]);
        let row = &tasking(&out)[0].1;
        assert_eq!((&*row.op, row.dest_ip, row.dest_port), (op, ip.map(Ip::v4), port));
    }
    let none = run(&[src(0, packet(43, 1, &[(26, &of_vendor(9, &[(1, b"shell:priv-lvl=15")]))]))]);
    assert!(tasking(&none).is_empty(), "other attributes are no order");
}

#[test]
fn administrators_are_named_and_their_logins_judged() {
    let starent = [&8164_u32.to_be_bytes()[..], &[0, 21, 0, 8, 0, 0, 0, 5]].concat();
    let request = packet(1, 1, &[(1, b"ops7"), (2, &[1; 16]), (6, &[0, 0, 0, 1]), (31, b"10.20.0.9"), (80, &[0; 16])]);
    let accept = packet(2, 1, &[(26, &starent)]);
    let out = run(&[src(0, &request), src(5, &request), dst(10, accept)]);
    let rows = auth(&out);
    assert_eq!(rows.len(), 1, "a repeat is one attempt");
    let row = &rows[0].1;
    assert_eq!((row.user.as_deref(), &*row.outcome, row.method.as_deref()), (Some("ops7"), "ok", Some("pap")));
    assert_eq!(row.evidence.as_deref(), Some("access-accept with permission to intercept"));
    assert_eq!((row.rem_addr, row.message_authenticator), (Some(Ip::v4([10, 20, 0, 9])), Some(true)));
    let out = run(&[
        src(0, &request),
        dst(10, packet(11, 1, &[])),
        src(20, packet(1, 2, &[(79, b"x")])),
        dst(30, packet(3, 2, &[])),
    ]);
    assert_eq!(
        auth(&out)
            .iter()
            .map(|(_, r)| (r.outcome.to_string(), r.method.as_deref().map(str::to_owned)))
            .collect::<Vec<_>>(),
        [("refused".to_owned(), Some("eap".to_owned()))]
    );
}

#[test]
fn accounting_ties_a_subscriber_to_an_address() {
    let imsi = of_vendor(10_415, &[(1, b"001010123456789")]);
    let start = packet(
        4,
        3,
        &[(40, &[0, 0, 0, 1]), (44, b"S1"), (1, b"bob"), (31, b"+12025550100"), (8, &[100, 64, 0, 7]), (26, &imsi)],
    );
    let out = run(&[src(0, start), dst(10, packet(5, 3, &[]))]);
    let row = &signals(&out)[0];
    assert_eq!((&*row.op, &*row.outcome, row.user_ip), ("acct-start", "ok", Some(Ip::v4([100, 64, 0, 7]))));
    assert_eq!(row.msisdn, Some(key().pseudonym(Kind::E164, "12025550100")));
    assert_eq!(
        (row.imsi, row.session),
        (Some(key().pseudonym(Kind::Imsi, "001010123456789")), Some(key().pseudonym(Kind::Other, "S1")))
    );
    assert!(auth(&out).is_empty());
}

#[test]
fn every_truncation_is_odd_and_gives_no_row() {
    for text in [NOKIA, JUNIPER, CISCO] {
        let whole = hex(text);
        for length in 0..whole.len() {
            let cut = Step { cut: (whole.len() - length) as u32, ..src(S, &whole[..length]) };
            let out = run(&[src(0, packet(12, 99, &[])), cut]);
            assert_eq!((tasking(&out).len(), oddities(&out)), (0, vec!["truncated".to_owned()]), "{length}");
        }
        let mut longer = whole.clone();
        longer.extend([0; 9]);
        assert_eq!(tasking(&run(&[src(0, longer)])).len(), 1, "padding is no part of it");
    }
    let bad = [&packet(1, 1, &[])[..2], &[0, 22], &[0; 16], &[1, 9]].concat();
    assert_eq!(oddities(&run(&[src(0, packet(12, 9, &[])), src(1, bad)])), ["malformed"]);
}

#[test]
fn what_is_none_is_left_alone() {
    assert_eq!(packet::probe(&hex("01020304eead4d341f9add374500001c")), Verdict::No);
    assert_eq!(packet::probe(&packet(1, 1, &[(1, b"x")])), Verdict::Maybe);
    assert_eq!(packet::probe(&packet(1, 1, &[(80, &[0; 16])])), Verdict::Certain);
    assert!(run(&[src(0, [0xff; 40])]).is_empty());
}

proptest! {
    #[test]
    fn no_octets_do_harm(code in prop::sample::select(vec![1_u8, 2, 4, 43]), body in prop::collection::vec(any::<u8>(), 0..120), cut: bool) {
        let length = (20 + body.len()) as u16;
        let octets = [&[code, 1][..], &length.to_be_bytes(), &[0; 16], &body].concat();
        run(&[Step { cut: u32::from(cut), ..src(0, &octets) }, dst(1, &octets)]);
    }

    #[test]
    fn no_change_does_harm(at in 0_usize..200, value: u8) {
        for text in [NOKIA, JUNIPER, CISCO] {
            let mut octets = hex(text);
            let at = at % octets.len();
            octets[at] = value;
            run(&[src(0, &octets), dst(1, packet(44, 8, &[]))]);
        }
    }
}
