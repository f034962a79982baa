//! Conversations cut at every place, pipelined, chunked, cut short.
use lidr_schema::AnyRow;
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{dst, run, src};

const GET: &[u8] = b"GET /%2577ebui_wsma_Http?x=secret HTTP/1.1\r\nHost: a.example\r\nUser-Agent: t\r\nPriv-Level: 15\r\nAuthorization: Basic c2VjcmV0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";

fn https(rows: &[(lidr_schema::Head, AnyRow)]) -> Vec<&http::Row> {
    rows.iter().filter_map(|(_, r)| if let AnyRow::Http(h) = r { Some(&**h) } else { None }).collect()
}

#[test]
fn a_request_and_its_answer_are_one_row_without_secrets() {
    let out = run(&PROTOCOL, &[src(0, GET), dst(10, OK)]);
    let row = https(&out)[0];
    assert_eq!((&*row.path, &*row.path_decoded, row.has_query), ("/%2577ebui_wsma_Http", "/webui_wsma_http", true));
    assert_eq!((row.status, row.response_bytes, row.marks.as_deref()), (Some(200), 5, Some("priv-level")));
    assert_eq!((row.auth_scheme.as_deref(), &*row.outcome), (Some("basic"), "ok"));
    assert!(!format!("{out:?}").contains("c2VjcmV0") && !format!("{out:?}").contains("x=secret"));
}

#[test]
fn every_cut_gives_the_same_rows() {
    let stream = [GET, GET].concat();
    let answers = [OK, b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n".as_slice()].concat();
    let whole = https(&run(&PROTOCOL, &[src(0, &stream), dst(10, &answers)])).iter().map(|r| (r.status, r.response_bytes)).collect::<Vec<_>>();
    assert_eq!(whole, [(Some(200), 5), (Some(404), 3)]);
    for cut in 1..answers.len() {
        let out = run(&PROTOCOL, &[src(0, &stream), dst(10, &answers[..cut]), dst(10, &answers[cut..])]);
        assert_eq!(https(&out).iter().map(|r| (r.status, r.response_bytes)).collect::<Vec<_>>(), whole, "cut at {cut}");
    }
    for cut in 1..stream.len() {
        let out = run(&PROTOCOL, &[src(0, &stream[..cut]), src(0, &stream[cut..]), dst(10, &answers)]);
        assert_eq!(https(&out).len(), 2, "cut at {cut}");
    }
}

#[test]
fn an_answer_that_does_not_come_is_said() {
    let out = run(&PROTOCOL, &[src(0, GET), src(9_000_000, GET)]);
    assert_eq!(https(&out).iter().map(|r| &*r.outcome).collect::<Vec<_>>(), ["unanswered", "not_seen"]);
}

#[test]
fn after_an_upgrade_nothing_is_read() {
    let out = run(&PROTOCOL, &[src(0, GET), dst(1, "HTTP/1.1 101 Switching\r\n\r\n"), dst(2, "\x00\x01noise"), src(3, "\x00")]);
    assert_eq!(https(&out)[0].status, Some(101));
}

proptest! {
    #[test]
    fn no_octets_do_harm(a in prop::collection::vec(any::<u8>(), 0..300), b in prop::collection::vec(any::<u8>(), 0..300)) {
        run(&PROTOCOL, &[src(0, GET), src(1, &a), dst(2, OK), dst(3, &b)]);
    }

    #[test]
    fn no_change_does_harm(at in 0_usize..200, value: u8) {
        let mut octets = OK.to_vec();
        let at = at % octets.len();
        octets[at] = value;
        run(&PROTOCOL, &[src(0, GET), dst(2, octets)]);
    }
}
