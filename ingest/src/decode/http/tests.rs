//! Conversations cut at every place, pipelined, chunked, cut short.
use lidr_schema::AnyRow;
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{self, Step, dst, oddities, oddity, run, src, tasking};

const GET: &[u8] = b"GET /%2577ebui_wsma_Http?x=secret HTTP/1.1\r\nHost: a.example\r\nUser-Agent: t\r\nPriv-Level: 15\r\nAuthorization: Basic c2VjcmV0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";

const NS: &str = "http://uri.etsi.org/03221/X1/2017/10";

fn https(rows: &[(lidr_schema::Head, AnyRow)]) -> Vec<http::Row> {
    testing::http(rows).into_iter().map(|(_, row)| row).collect()
}

fn post(media: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /X1/NE HTTP/1.1\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn x1(kind: &str) -> String {
    format!(
        "<X1Request xmlns=\"{NS}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><x1RequestMessage xsi:type=\"{kind}Request\">\
         <admfIdentifier>a</admfIdentifier><neIdentifier>n</neIdentifier></x1RequestMessage></X1Request>"
    )
}

fn outcomes(out: &[(lidr_schema::Head, AnyRow)]) -> Vec<(Option<u16>, String)> {
    https(out).into_iter().map(|row| (row.status, row.outcome.into_owned())).collect()
}

#[test]
fn a_request_and_its_answer_are_one_row_without_secrets() {
    let out = run(&PROTOCOL, &[src(0, GET), dst(10, OK)]);
    let row = &https(&out)[0];
    assert_eq!((&*row.path, &*row.path_decoded, row.has_query), ("/%2577ebui_wsma_Http", "/webui_wsma_http", true));
    assert_eq!((row.status, row.response_bytes, row.marks.as_deref()), (Some(200), 5, Some("priv-level")));
    assert_eq!((row.auth_scheme.as_deref(), &*row.outcome), (Some("basic"), "ok"));
    assert!(!format!("{out:?}").contains("c2VjcmV0") && !format!("{out:?}").contains("x=secret"));
}

#[test]
fn every_cut_gives_the_same_rows() {
    let stream = [GET, GET].concat();
    let answers =
        [OK, b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n".as_slice()]
            .concat();
    let whole = https(&run(&PROTOCOL, &[src(0, &stream), dst(10, &answers)]))
        .iter()
        .map(|r| (r.status, r.response_bytes))
        .collect::<Vec<_>>();
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
    assert_eq!(https(&out).iter().map(|r| r.outcome.as_ref()).collect::<Vec<_>>(), ["unanswered", "not_seen"]);
}

#[test]
fn a_length_that_no_body_has_is_said_and_does_no_harm() {
    for length in [u64::MAX, u64::MAX - 1, 1 << 49] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\nx");
        let out = run(&PROTOCOL, &[src(0, GET), dst(10, answer), src(20, GET)]);
        assert_eq!(outcomes(&out)[0], (Some(200), "ok".to_owned()));
        assert_eq!(oddity(&out)[0].1.detail.as_deref(), Some("content length"), "{length}");
    }
    let out = run(&PROTOCOL, &[src(0, GET), dst(10, "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello")]);
    assert_eq!(oddities(&out), ["malformed"], "a length that is no number");
}

#[test]
fn a_slow_request_is_judged_when_it_is_whole() {
    let body = x1("ActivateTask");
    let request = post("application/xml", body.as_bytes());
    let (first, rest) = request.split_at(request.len() - 20);
    let out = run(&PROTOCOL, &[src(0, first), src(10_000_000, rest), dst(10_100_000, OK)]);
    assert_eq!(outcomes(&out), [(Some(200), "ok".to_owned())]);
    assert!(tasking(&out).iter().all(|(head, _)| head.due.0 == 10_100_000));
    let early = run(
        &PROTOCOL,
        &[
            src(0, first),
            dst(100, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
            src(9_000_000, rest),
            src(9_500_000, GET),
        ],
    );
    assert_eq!(outcomes(&early)[0], (Some(403), "ok".to_owned()), "an answer that does not wait for the body");
    assert_eq!(&*tasking(&early)[0].1.outcome, "refused");
    let cut = run(&PROTOCOL, &[src(0, first)]);
    assert_eq!((outcomes(&cut), oddities(&cut)), (vec![(None, "not_seen".to_owned())], vec!["truncated".to_owned()]));
}

#[test]
fn after_lost_octets_answers_find_their_requests_again() {
    // The second request of three is lost; its answer belongs to nobody.
    let lost = Step { gap: 300, ..src(30, GET) };
    let out = run(&PROTOCOL, &[src(0, GET), dst(10, OK), dst(20, OK), lost, dst(40, OK)]);
    assert_eq!(outcomes(&out), [(Some(200), "ok".to_owned()), (Some(200), "ok".to_owned())]);
    // Part of an answer's body is lost, and the rest of it is no head.
    let rest = Step { gap: 5, ..dst(20, [b"body that goes on ".as_slice(), OK].concat()) };
    let long = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 900\r\n\r\n<begins";
    let out = run(&PROTOCOL, &[src(0, GET), dst(10, long), rest, src(30, GET), dst(40, OK)]);
    assert_eq!(outcomes(&out), [(None, "not_seen".to_owned()), (Some(200), "ok".to_owned())]);
    assert!(oddities(&out).is_empty(), "the gap itself is said by the stream");
}

#[test]
fn the_end_of_a_body_is_no_method() {
    let glued = Step { gap: 9, ..src(10, [b"secretbodyPOST".as_slice(), &GET[3..]].concat()) };
    let out = run(&PROTOCOL, &[src(0, GET), glued]);
    assert!(https(&out).iter().all(|row| row.method.len() <= 4), "{:?}", https(&out));
    let out = run(&PROTOCOL, &[src(0, GET), src(10, b"sECRETBODY /x HTTP/1.1\r\n\r\n")]);
    assert!(!format!("{out:?}").contains("sECRET"));
}

#[test]
fn a_container_is_read_whatever_its_type_says() {
    let text = x1("ListAllDetails");
    let wide: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (media, body) in
        [("application/octet-stream", text.as_bytes()), ("application/json", text.as_bytes()), ("text/xml", &wide)]
    {
        let out = run(&PROTOCOL, &[src(0, post(media, body))]);
        assert_eq!(tasking(&out)[0].1.message.as_deref(), Some("ListAllDetails"), "{media}");
    }
    let long = [text.as_bytes(), &vec![b' '; MOST_BODY]].concat();
    let out = run(&PROTOCOL, &[src(0, post("text/xml", &long)), dst(10, OK)]);
    assert_eq!((tasking(&out).len(), oddities(&out)), (0, vec!["bound".to_owned()]), "too long, and said");
    let chunked = format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n{:x}\r\n",
        text.len(),
        MOST_BODY
    );
    let out = run(&PROTOCOL, &[src(0, [chunked.as_bytes(), &vec![b' '; MOST_BODY], b"\r\n0\r\n\r\n"].concat())]);
    assert_eq!((outcomes(&out).len(), oddities(&out)), (1, vec!["bound".to_owned()]), "too long in chunks");
    // The first chunk is long and shows late what it is; the rest comes octet by octet.
    let late = format!(
        "<?xml version=\"1.0\"?><!--{}-->{}",
        " ".repeat(600),
        text.trim_start_matches("<?xml version=\"1.0\"?>")
    );
    let (first, rest) = late.split_at(late.len() - 100);
    let mut octets = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n", first.len());
    rest.chars().for_each(|c| octets.push_str(&format!("1\r\n{c}\r\n")));
    octets.push_str("0\r\n\r\n");
    assert_eq!(tasking(&run(&PROTOCOL, &[src(0, octets)])).len(), 1, "in many chunks");
}

#[test]
fn many_headers_are_read_over() {
    let many: String = (0..400).map(|n| format!("X-{n}: v\r\n")).collect();
    let out = run(&PROTOCOL, &[src(0, format!("GET / HTTP/1.1\r\n{many}\r\n")), dst(10, OK)]);
    assert_eq!(outcomes(&out), [(Some(200), "ok".to_owned())]);
}

#[test]
fn what_a_close_cuts_off_is_unanswered() {
    let request = post("text/xml", x1("ActivateTask").as_bytes());
    let out = run(&PROTOCOL, &[src(0, request), Step { closes: true, ..dst(10, "") }]);
    assert_eq!((outcomes(&out), &*tasking(&out)[0].1.outcome), (vec![(None, "unanswered".to_owned())], "unanswered"));
}

#[test]
fn every_truncation_is_one_row_at_most_and_never_a_false_answer() {
    for len in 0..OK.len() {
        let out = run(&PROTOCOL, &[src(0, GET), dst(10, &OK[..len])]);
        assert_eq!(outcomes(&out).len(), 1, "answer cut to {len}");
    }
    for len in 0..GET.len() {
        let out = run(&PROTOCOL, &[src(0, &GET[..len]), dst(10, OK)]);
        assert!(outcomes(&out).iter().all(|(status, _)| status.is_none()), "request cut to {len}");
    }
}

#[test]
fn after_an_upgrade_nothing_is_read() {
    let out = run(
        &PROTOCOL,
        &[src(0, GET), dst(1, "HTTP/1.1 101 Switching\r\n\r\n"), dst(2, "\x00\x01noise"), src(3, "\x00")],
    );
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
