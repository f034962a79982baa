//! Tests of SNMP: vectors, every way of cutting them, pairing, and octets that nobody meant.
use lidr_schema::{Kind, Micros, table};
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{self, Step, dst, hex, src};

const S: i64 = 1_000_000;

/// SET by community: mediation row 1001 to 198.51.100.7:5000 over UDP, stream 1 switched on, source 192.0.2.1/32.
const TAP: &str = "30820128020101040770726976617465a3820118020212670201000201003082010a301506102b060104010909830f010102010d8769020104301506102b060104010909830f01010201028769020101301806102b060104010909830f010102010387690404c6336407301606102b060104010909830f0101020104876942021388301506102b060104010909830f010102010b8769020101301606112b060104010909830f0102010102876901020101301606112b060104010909830f0102010103876901020101301606112b060104010909830f0102010106876901020104301906112b060104010909830a01010201058769010404c0000201301606112b060104010909830a0101020106876901420120301606112b060104010909830a0101020110876901020104";
const DISCOVERY: &str = "3038020103300e020101020300ffe30401040201030410300e0400020100020100040004000400301104000400a00b0201010201000201003000";
const TRAP: &str = "305602010104026c69a74d0201010201000201003042300e06082b06010201010300430201003019060a2b060106030101040100060b2b060104010909830f0002301506102b060104010909830f010102010d8769020101";

fn tlv(tag: u8, inside: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
    match inside.len() {
        0..128 => [&[tag, length[1]], inside].concat(),
        _ => [&[tag, 0x82, length[0], length[1]], inside].concat(),
    }
}

fn int(value: i32) -> Vec<u8> {
    let octets = i64::from(value).to_be_bytes();
    let first = (0..7).find(|at| octets[*at] != 0 || octets[at + 1] & 0x80 != 0).unwrap_or(7);
    tlv(2, &octets[first..])
}

fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u32> = text.split('.').map(|a| a.parse().unwrap()).collect();
    let subs = std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied());
    let octets = subs.flat_map(|sub| {
        let most = (0..5).rev().find(|p| sub >> (7 * p) != 0).unwrap_or(0);
        (0..=most).rev().map(move |p| (sub >> (7 * p)) as u8 & 0x7f | if p > 0 { 0x80 } else { 0 })
    });
    tlv(6, &octets.collect::<Vec<_>>())
}

fn pdu(tag: u8, id: i32, status: i32, binds: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let list: Vec<u8> = binds.iter().flat_map(|(o, v)| tlv(0x30, &[oid(o), v.clone()].concat())).collect();
    tlv(tag, &[int(id), int(status), int(0), tlv(0x30, &list)].concat())
}

fn v2c(pdu: &[u8]) -> Vec<u8> {
    tlv(0x30, &[int(1), tlv(4, b"secret"), pdu.to_vec()].concat())
}

fn v3(id: i32, flags: u8, user: &str, data: &[u8]) -> Vec<u8> {
    let header = tlv(0x30, &[int(id), int(65507), tlv(4, &[flags]), int(3)].concat());
    let engine = tlv(4, &hex("800000090300001122334455"));
    let usm =
        tlv(0x30, &[engine, int(5), int(123_456), tlv(4, user.as_bytes()), tlv(4, &[0; 12]), tlv(4, &[])].concat());
    let data =
        if flags & 2 != 0 { tlv(4, data) } else { tlv(0x30, &[tlv(4, &[]), tlv(4, &[]), data.to_vec()].concat()) };
    tlv(0x30, &[int(3), header, tlv(4, &usm), data].concat())
}

fn run(steps: &[Step]) -> Vec<(lidr_schema::Head, lidr_schema::AnyRow)> {
    testing::run(&PROTOCOL, steps)
}

fn null() -> Vec<u8> {
    vec![5, 0]
}

fn tasks(binds: &[(&str, Vec<u8>)]) -> Vec<table::tasking::Row> {
    let out = run(&[src(0, v2c(&pdu(0xa3, 7, 0, binds)))]);
    testing::tasking(&out).into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_tap_set_up_in_one_request_is_one_task_with_everything_in_it() {
    let answer = v2c(&pdu(0xa2, 0x1267, 0, &[]));
    let out = run(&[src(0, hex(TAP)), dst(S, answer)]);
    let tasks = testing::tasking(&out);
    assert_eq!(tasks.len(), 1, "{out:?}");
    let (head, task) = &tasks[0];
    assert_eq!((&*task.op, &*task.outcome, task.level.as_deref()), ("enable", "ok", Some("community")));
    assert_eq!((task.dest_ip.unwrap().to_string(), task.dest_port), ("198.51.100.7".to_owned(), Some(5000)));
    assert_eq!((task.target_kind.as_deref(), task.prefix_len, task.targets), (Some("ipv4"), Some(32), 1));
    assert_eq!(task.target, Some(testing::key().pseudonym(Kind::Ip, "192.0.2.1")));
    assert_eq!(task.task, Some(testing::key().pseudonym(Kind::Cccid, "1001")));
    assert_eq!((task.enable, task.notify, task.schema_ok), (Some(true), None, true));
    assert_eq!(task.target_list.as_deref(), Some(&*task.target.unwrap().token()));
    assert_eq!((head.ts.0, head.due.0), (0, S));
    let rows = testing::mgmt(&out);
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[0].1.object.as_deref(), Some("cTap2MediationStatus"));
    assert_eq!(rows[0].1.value_int, Some(4));
    assert!(rows.iter().all(|(_, r)| r.tap.is_some() && r.varbinds == 11 && r.value.is_none() && r.task == task.task));
    assert!(rows.iter().all(|(_, r)| (r.request_bytes, r.response_bytes) == (300, 27)), "{rows:?}");
    assert!(!format!("{out:?}").contains("1001"), "the content id is nowhere in clear");
    assert!(!format!("{out:?}").contains("192.0.2.1"), "the target is nowhere in clear");
    assert!(!format!("{out:?}").contains("private"), "the community is nowhere");
}

#[test]
fn the_strongest_act_names_the_row_and_the_others_stay_visible() {
    let m = |column: u32| format!("1.3.6.1.4.1.9.9.399.1.1.2.1.{column}.9");
    let (status, notify, timeout) = (m(13), m(12), m(10));
    let until = tlv(4, &[0x07, 0xf5, 1, 1, 0, 0, 0, 0]);
    let create = tasks(&[(&status, int(4)), (&notify, int(2)), (&timeout, until)]);
    assert_eq!((&*create[0].op, create[0].notify), ("create", Some(false)));
    assert_eq!(create[0].timeout, Some(Micros(2_114_380_800_000_000)));
    assert_eq!(&*tasks(&[(&notify, int(2))])[0].op, "notify_off");
    assert_eq!(&*tasks(&[(&notify, int(1))])[0].op, "change");
    assert_eq!(&*tasks(&[(&status, int(6)), (&notify, int(2))])[0].op, "delete");
    let stream = "1.3.6.1.4.1.9.9.399.1.2.1.1.3.9.1";
    assert_eq!((&*tasks(&[(stream, int(2))])[0].op, tasks(&[(stream, int(2))])[0].enable), ("disable", Some(false)));
    let port = m(4);
    assert!(!tasks(&[(&port, tlv(4, b"x"))])[0].schema_ok, "a port is a number");
}

#[test]
fn every_content_id_of_a_request_is_a_task() {
    let names: Vec<String> = (1..=70).map(|id| format!("1.3.6.1.4.1.9.9.399.1.2.1.1.6.{id}.1")).collect();
    let binds: Vec<_> = names.iter().map(|n| (n.as_str(), int(6))).collect();
    let out = run(&[src(0, v2c(&pdu(0xa3, 7, 0, &binds)))]);
    assert_eq!((testing::tasking(&out).len(), testing::mgmt(&out).len()), (64, 64));
    assert_eq!(testing::oddities(&out), ["bound"]);
    assert!(testing::tasking(&out).iter().all(|(_, t)| t.op == "delete" && t.outcome == "not_seen"));
}

#[test]
fn targets_of_the_other_mibs_are_read() {
    let key = testing::key();
    let filter = |mib: u32, column: u32| format!("1.3.6.1.4.1.9.9.{mib}.1.1.2.1.{column}.9.1");
    let (kind, id) = (filter(672, 3), filter(672, 4));
    let mobile = &tasks(&[(&kind, int(3)), (&id, tlv(4, b"001010123456789"))])[0];
    assert_eq!(mobile.target, Some(key.pseudonym(Kind::Imsi, "001010123456789")));
    let (from, length, to, to_length) = (filter(394, 5), filter(394, 6), filter(394, 3), filter(394, 4));
    let any = tlv(4, &[0, 0, 0, 0]);
    let wide = &tasks(&[(&to, any), (&to_length, int(0)), (&from, tlv(4, &[192, 0, 2, 0])), (&length, int(28))])[0];
    assert_eq!((wide.target_kind.as_deref(), wide.prefix_len, wide.targets), (Some("prefix"), Some(28), 1));
    let (called, called_kind, nai) = (filter(672, 2), filter(672, 1), tlv(4, b"a@b.example"));
    let both = [(&*called_kind, int(4)), (&called, nai), (&kind, int(3)), (&id, tlv(4, b"001010123456789"))];
    let two = &tasks(&both)[0];
    let all =
        [key.pseudonym(Kind::Imsi, "001010123456789"), key.pseudonym(Kind::Nai, "a@b.example")].map(|p| p.token());
    assert_eq!((two.targets, two.target_list.as_deref()), (2, Some(&*all.join(";"))));
    assert_eq!(wide.target, Some(key.pseudonym(Kind::Prefix, "192.0.2.0/28")));
    let session = filter(400, 1);
    assert_eq!(tasks(&[(&session, int(255))])[0].target_kind.as_deref(), Some("acct_session"));
    let voice = filter(716, 3);
    assert_eq!(tasks(&[(&voice, tlv(4, b"+494012345"))])[0].target, Some(key.pseudonym(Kind::E164, "494012345")));
}

#[test]
fn a_walk_counts_what_it_brought_home() {
    let tap = "1.3.6.1.4.1.9.9.399.1.1.2.1.3.9";
    let ask = v3(50, 5, "li-user", &pdu(0xa5, 50, 0, &[("1.3.6.1.4.1.9.9.399", null())]));
    let got = [(tap, tlv(4, &[1, 2, 3, 4])), ("1.3.6.1.4.1.9.9.400", null()), ("1.3.7", vec![0x82, 0])];
    let out = run(&[src(0, ask), dst(10, v3(50, 1, "li-user", &pdu(0xa2, 50, 0, &got)))]);
    let (_, row) = &testing::mgmt(&out)[0];
    assert_eq!((&*row.op, row.returned, row.tap_returned, row.tap.as_deref()), ("getbulk", 2, 2, Some("tap2")));
    assert_eq!((row.level.as_deref(), row.actor_name.as_deref()), (Some("authNoPriv"), Some("li-user")));
    assert_eq!(row.ne_name.as_deref(), Some("800000090300001122334455"));
    let (_, task) = &testing::tasking(&out)[0];
    assert_eq!((&*task.op, task.list_kind.as_deref(), task.varbinds, &*task.outcome), ("list", Some("tap"), 2, "ok"));
    assert_eq!(task.first_oid.as_deref(), Some("1.3.6.1.4.1.9.9.399"));
}

#[test]
fn a_walk_that_wanders_into_the_mib_is_seen_by_what_comes_back() {
    let ask = v2c(&pdu(0xa1, 3, 0, &[("1.3.6.1.4.1.9.9.398", null())]));
    let got = v2c(&pdu(0xa2, 3, 0, &[("1.3.6.1.4.1.9.9.399.1.2.1.1.3.9.1", int(1))]));
    let out = run(&[src(0, ask), dst(10, got)]);
    let (_, task) = &testing::tasking(&out)[0];
    assert_eq!(
        (&*task.op, task.varbinds, task.first_oid.as_deref()),
        ("list", 1, Some("1.3.6.1.4.1.9.9.399.1.2.1.1.3"))
    );
    assert_eq!(testing::mgmt(&out)[0].1.tap.as_deref(), Some("tap2"));
}

#[test]
fn refused_and_unanswered_say_so() {
    let name = "1.3.6.1.4.1.9.9.399.1.1.1.0";
    let get = |id| v2c(&pdu(0xa0, id, 0, &[(name, null())]));
    let out =
        run(&[src(0, get(1)), dst(5, v2c(&pdu(0xa2, 1, 2, &[(name, null())]))), src(10, get(2)), src(9 * S, get(3))]);
    let seen: Vec<_> =
        testing::tasking(&out).into_iter().map(|(h, t)| (t.outcome.into_owned(), t.error_code, h.due.0)).collect();
    let want = [("refused", Some(2), 5), ("unanswered", None, 5 * S + 10), ("not_seen", None, 9 * S)];
    assert_eq!(seen, want.map(|(o, e, d)| (o.to_owned(), e, d)));
    assert!(testing::tasking(&out).iter().all(|(_, t)| t.op == "get"));
}

#[test]
fn copies_make_no_second_row_and_another_request_with_the_same_id_does() {
    let get = v2c(&pdu(0xa0, 1, 0, &[("1.3.6.1.2.1.1.3.0", null())]));
    let set = v2c(&pdu(0xa3, 1, 0, &[("1.3.6.1.2.1.2.2.1.7.1", int(2))]));
    let answer = v2c(&pdu(0xa2, 1, 0, &[("1.3.6.1.2.1.1.3.0", tlv(0x43, &[1, 0]))]));
    let copies = run(&[src(0, &get), src(1, &get), dst(2, &answer), dst(3, &answer), src(4, &get)]);
    let rows = testing::mgmt(&copies);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].1.value_int, rows[0].1.object.as_deref()), (Some(256), Some("sysUpTime")));
    let both = run(&[src(0, &get), src(1, &set), dst(2, &answer)]);
    let ops: Vec<_> = testing::mgmt(&both).into_iter().map(|(_, r)| (r.op, r.outcome)).collect();
    assert_eq!(ops, [("get".into(), "not_seen".into()), ("set".into(), "ok".into())] as [(Name, Name); 2]);
}

#[test]
fn an_answer_waits_for_its_request_and_stands_alone_without_one() {
    let ask = v2c(&pdu(0xa0, 1, 0, &[("1.3.6.1.2.1.1.3.0", null())]));
    let answer = v2c(&pdu(0xa2, 1, 0, &[("1.3.6.1.2.1.1.3.0", tlv(0x43, &[9]))]));
    let late = run(&[dst(0, &answer), src(S / 2, &ask)]);
    assert_eq!(testing::mgmt(&late).iter().map(|(_, r)| &*r.outcome).collect::<Vec<_>>(), ["ok"]);
    let alone = run(&[dst(0, &answer), src(3 * S, &ask)]);
    let rows = testing::mgmt(&alone);
    assert_eq!(rows.iter().map(|(_, r)| &*r.op).collect::<Vec<_>>(), ["response", "get"]);
    assert_eq!((rows[0].0.due.0, rows[0].1.actor.to_string()), (S, "10.0.0.1".to_owned()));
}

#[test]
fn discovery_is_refused_and_a_wrong_digest_is_a_login() {
    let stats = |n: u32| format!("1.3.6.1.6.3.15.1.1.{n}.0");
    let (unknown, wrong) = (stats(4), stats(5));
    let report = |id, name: &str| v3(id, 0, "ops", &pdu(0xa8, 0, 0, &[(name, tlv(0x41, &[3]))]));
    let out = run(&[
        src(0, hex(DISCOVERY)),
        dst(1, report(1, &unknown)),
        src(2, v3(2, 7, "ops", &[9; 40])),
        dst(3, report(2, &wrong)),
    ]);
    let rows = testing::mgmt(&out);
    let seen: Vec<_> = rows.iter().map(|(_, r)| (&*r.op, &*r.outcome, r.report.as_deref())).collect();
    let want = [
        ("report", "none", Some("usmStatsUnknownEngineIDs")),
        ("get", "refused", None),
        ("report", "none", Some("usmStatsWrongDigests")),
        ("encrypted", "refused", None),
    ];
    assert_eq!(seen, want);
    assert!(rows.iter().all(|(h, r)| r.actor.to_string() == "10.0.0.1" && h.src_ip == r.actor));
    assert_eq!(rows[1].1.ne_name.as_deref(), Some("800000090300001122334455"), "the answer told the engine");
    let logins = testing::auth(&out);
    assert_eq!(logins.len(), 1);
    assert_eq!((logins[0].1.user.as_deref(), &*logins[0].1.outcome), (Some("ops"), "refused"));
}

#[test]
fn an_encrypted_exchange_shows_its_header() {
    let out = run(&[src(0, v3(8, 7, "li-user", &[1; 60])), dst(5, v3(8, 3, "li-user", &[2; 60]))]);
    let rows = testing::mgmt(&out);
    assert_eq!(rows.len(), 1);
    let row = &rows[0].1;
    assert_eq!((&*row.op, row.level.as_deref(), &*row.outcome), ("encrypted", Some("authPriv"), "ok"));
    assert_eq!(
        (row.actor_name.as_deref(), row.engine_boots, row.engine_time),
        (Some("li-user"), Some(5), Some(123_456))
    );
    assert!(testing::tasking(&out).is_empty() && row.oid.is_none());
}

#[test]
fn a_trap_names_its_notification_and_its_sender() {
    let out = run(&[dst(0, hex(TRAP))]);
    let (head, row) = &testing::mgmt(&out)[0];
    assert_eq!((&*row.op, &*row.outcome, row.object.as_deref()), ("trap", "none", Some("ciscoTap2MediationTimedOut")));
    assert_eq!(
        (row.tap.as_deref(), row.ne.to_string(), row.actor.to_string()),
        (Some("tap2"), "10.0.0.2".into(), "10.0.0.1".into())
    );
    assert_eq!(head.src_ip, row.ne);
}

fn v1_trap(enterprise: &str, generic: i32, specific: i32, binds: &[u8]) -> Vec<u8> {
    let ticks = tlv(0x43, &[0x01, 0x00]);
    let inside = [oid(enterprise), tlv(0x40, &[192, 0, 2, 1]), int(generic), int(specific), ticks, tlv(0x30, binds)];
    tlv(0x30, &[int(0), tlv(4, b"x"), tlv(0xa4, &inside.concat())].concat())
}

/// A version 2 notification of TAP2.
fn notification(tag: u8, number: u32, about: &(&str, Vec<u8>)) -> Vec<u8> {
    let uptime = ("1.3.6.1.2.1.1.3.0", tlv(0x43, &[9]));
    let name = ("1.3.6.1.6.3.1.1.4.1.0", oid(&format!("1.3.6.1.4.1.9.9.399.0.{number}")));
    v2c(&pdu(tag, 77, 0, &[uptime, name, about.clone()]))
}

#[test]
fn what_elements_tell_of_their_taps_are_reports() {
    let task = Some(testing::key().pseudonym(Kind::Cccid, "1001"));
    let status = ("1.3.6.1.4.1.9.9.399.1.1.2.1.13.1001", int(1));
    let debug = ("1.3.6.1.4.1.9.9.399.1.3.3.1.2.5", tlv(0x42, &[0x03, 0xe9]));
    let older = tlv(0x30, &[oid("1.3.6.1.4.1.9.9.252.1.1.2.1.13.1001"), int(1)].concat());
    let messages = [
        (
            notification(0xa7, 1, &("1.3.6.1.4.1.9.9.394.1.1.2.1.16.1001.1", int(1))),
            "ciscoTap2MIBActive",
            Some("active"),
        ),
        (notification(0xa7, 2, &status), "ciscoTap2MediationTimedOut", Some("expired")),
        (notification(0xa7, 3, &debug), "ciscoTap2MediationDebug", Some("fault")),
        (notification(0xa7, 5, &status), "ciscoTap2Switchover", None),
        (v1_trap("1.3.6.1.4.1.9.9.252", 6, 2, &older), "cTapMediationTimedOut", Some("expired")),
    ];
    for (message, name, state) in messages {
        let out = run(&[dst(3, message)]);
        assert!(!format!("{out:?}").contains("1001"), "{name}: the content id is nowhere in clear");
        let (_, row) = &testing::mgmt(&out)[0];
        assert_eq!((row.object.as_deref(), row.task, row.value_int), (Some(name), task, None));
        assert!(row.uptime.is_some_and(|t| t == 9 || t == 256), "{name}");
        let (head, row) = &testing::tasking(&out)[0];
        assert_eq!(
            (&*row.op, row.message.as_deref(), row.status.as_deref(), &*row.outcome),
            ("report", Some(name), state, "none")
        );
        assert_eq!(
            (row.task, row.ne.to_string(), row.actor.to_string(), head.due.0),
            (task, "10.0.0.2".into(), "10.0.0.1".into(), 3)
        );
    }
}

#[test]
fn an_inform_is_a_report_that_is_answered() {
    let about = ("1.3.6.1.4.1.9.9.399.1.1.2.1.13.1001", int(1));
    let out = run(&[dst(0, notification(0xa6, 2, &about)), src(5, v2c(&pdu(0xa2, 77, 0, &[])))]);
    let (head, row) = &testing::tasking(&out)[0];
    assert_eq!((&*row.op, &*row.outcome, head.due.0), ("report", "ok", 5));
    assert_eq!((row.ne, testing::mgmt(&out).len()), (head.src_ip, 1));
}

#[test]
fn counters_of_taps_are_rows_of_their_own() {
    let counter = |column: u32| format!("1.3.6.1.4.1.9.9.399.1.2.1.1.{column}.1001.1");
    let (packets, drops, status) = (counter(4), counter(5), counter(6));
    let ask = v2c(&pdu(0xa5, 4, 0, &[("1.3.6.1.4.1.9.9.399.1.2", null())]));
    let got = [(&*packets, tlv(0x41, &[1, 0])), (&*drops, tlv(0x41, &[3])), (&*status, int(1))];
    let out = run(&[src(0, ask), dst(7, v2c(&pdu(0xa2, 4, 0, &got)))]);
    let rows: Vec<_> = testing::mgmt(&out).into_iter().filter(|(_, r)| r.op == "response").collect();
    let seen: Vec<_> = rows.iter().map(|(h, r)| (h.ts.0, r.object.as_deref(), r.value_int)).collect();
    let want = [(7, Some("cTap2StreamInterceptedPackets"), Some(256)), (7, Some("cTap2StreamInterceptDrops"), Some(3))];
    assert_eq!(seen, want);
    let task = Some(testing::key().pseudonym(Kind::Cccid, "1001"));
    assert!(rows.iter().all(|(h, r)| r.task == task && r.actor == h.src_ip && r.actor.to_string() == "10.0.0.1"));
    assert_eq!(testing::tasking(&out)[0].1.varbinds, 3);
    let refused = run(&[dst(7, v2c(&pdu(0xa2, 4, 5, &got)))]);
    assert_eq!(testing::mgmt(&refused).len(), 1, "an error brings no values");
}

#[test]
fn streams_of_the_old_mib_are_on_unless_told_otherwise() {
    let column = |n: u32| format!("1.3.6.1.4.1.9.9.252.1.2.2.1.{n}.9.1");
    let (status, enable) = (column(19), column(16));
    let op = |binds: &[(&str, Vec<u8>)]| (tasks(binds)[0].op.to_string(), tasks(binds)[0].enable);
    assert_eq!(op(&[(&status, int(4))]), ("enable".into(), Some(true)));
    assert_eq!(op(&[(&enable, int(2)), (&status, int(4))]), ("create".into(), Some(false)));
    assert_eq!(op(&[(&status, int(5))]), ("create".into(), None));
    let later = "1.3.6.1.4.1.9.9.399.1.2.1.1.6.9.1";
    assert_eq!(op(&[(later, int(4))]), ("create".into(), None), "off unless told otherwise");
    let station = "1.3.6.1.4.1.9.9.252.1.2.3.1.5.9.1";
    assert_eq!(tasks(&[(station, tlv(4, &[0, 1, 2, 3, 4, 5]))])[0].target_kind.as_deref(), Some("mac"));
}

#[test]
fn a_version_1_trap_has_the_name_of_its_generic_number() {
    let body = |generic, specific| v1_trap("1.3.6.1.4.1.9.1.1", generic, specific, &[]);
    let out = run(&[src(0, body(2, 0)), src(1, body(6, 17))]);
    let seen: Vec<_> =
        testing::mgmt(&out).into_iter().map(|(_, r)| (r.object.map(Name::into_owned), r.oid.unwrap())).collect();
    assert_eq!(seen[0], (Some("linkDown".to_owned()), "1.3.6.1.6.3.1.1.5.3".into()));
    assert_eq!(seen[1], (None, "1.3.6.1.4.1.9.1.1.0.17".into()));
}

#[test]
fn a_product_is_named_once() {
    let answer = |id| v2c(&pdu(0xa2, id, 0, &[("1.3.6.1.2.1.1.2.0", oid("1.3.6.1.4.1.9.1.2137"))]));
    let ask = |id| v2c(&pdu(0xa0, id, 0, &[("1.3.6.1.2.1.1.2.0", null())]));
    let out = run(&[src(0, ask(1)), dst(1, answer(1)), src(2, ask(2)), dst(3, answer(2))]);
    let rows = testing::asset(&out);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].1.vendor.as_deref(), rows[0].1.host.to_string()), (Some("Cisco"), "10.0.0.2".to_owned()));
}

#[test]
fn longer_lengths_hide_nothing_and_endless_ones_are_malformed() {
    let plain = hex(TAP);
    let longer = [&[0x30, 0x84, 0, 0, 1, 0x28], &plain[4..]].concat();
    let out = run(&[src(0, longer)]);
    assert_eq!(testing::oddities(&out), ["nonminimal"]);
    assert_eq!(&*testing::tasking(&out)[0].1.op, "enable");
    for (broken, what) in [
        ([&[0x30, 0x80], &plain[4..], &[0, 0]].concat(), "indefinite"),
        ([&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], &plain[4..]].concat(), "length"),
    ] {
        let out = run(&[src(0, broken)]);
        let odd = testing::oddity(&out);
        assert_eq!((odd.len(), out.len()), (1, 1), "{what}");
        assert_eq!((&*odd[0].1.kind, odd[0].1.detail.as_deref()), ("malformed", Some(what)));
    }
}

#[test]
fn every_prefix_is_read_without_harm() {
    let messages = [
        hex(TAP),
        hex(DISCOVERY),
        hex(TRAP),
        v3(8, 7, "u", &[1; 60]),
        v3(9, 1, "u", &pdu(0xa2, 9, 0, &[("1.3", int(1))])),
    ];
    for message in &messages {
        for length in 0..message.len() {
            let whole = run(&[src(0, &message[..length])]);
            assert!(testing::oddities(&whole).iter().all(|k| k == "malformed"), "{length}: {whole:?}");
            assert_eq!(testing::mgmt(&whole).len(), 0, "{length}: a message that is not whole is not obeyed");
            let cut = Step { cut: (message.len() - length) as u32, ..src(0, &message[..length]) };
            assert!(testing::oddities(&run(&[cut])).iter().all(|k| k == "truncated"), "{length}");
        }
    }
}

#[test]
fn what_the_capture_kept_of_a_cut_request_counts() {
    let message = hex(TAP);
    let out = run(&[Step { cut: 99, ..src(0, &message[..message.len() - 99]) }]);
    let (_, task) = &testing::tasking(&out)[0];
    assert_eq!((&*task.op, task.dest_port), ("enable", Some(5000)));
}

#[test]
fn it_is_known_by_its_content() {
    for message in [hex(TAP), hex(DISCOVERY), hex(TRAP)] {
        assert_eq!(probe(&message, Dir::Src), Verdict::Certain);
        assert_ne!(probe(&message[..8], Dir::Src), Verdict::No);
    }
    // A DNS query, a connectionless LDAP search, text.
    for other in ["000101000001000000000000", "3025020101632004000a01000a0100", "474554202f"] {
        assert_eq!(probe(&hex(other), Dir::Src), Verdict::No, "{other}");
    }
}

proptest! {
    #[test]
    fn no_octets_break_it(octets in prop::collection::vec(any::<u8>(), 0..200), cut in 0_u32..9) {
        run(&[Step { cut, ..src(0, octets) }]);
    }

    #[test]
    fn no_change_of_a_message_breaks_it(at in 0_usize..300, to: u8, twice in 0_usize..300, cut in 0_u32..2) {
        for message in [TAP, DISCOVERY, TRAP] {
            let mut octets = hex(message);
            let length = octets.len();
            octets[at % length] = to;
            octets[twice % length] ^= to;
            run(&[Step { cut, ..src(0, &octets) }, dst(1, &octets), src(2, hex(message))]);
        }
    }
}
