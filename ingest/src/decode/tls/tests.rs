//! Handshakes of several versions, cut, split, damaged, refused, unanswered. The hellos are put together here, field by field.
use lidr_schema::table::tls::Row;
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, dst, ends, oddities, run, run_as, src, tasking, tls};

const S: i64 = 1_000_000;

fn counted16(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

fn counted24(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[1..], content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &counted16(content)].concat()
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &counted16(content)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &counted24(body)].concat()
}

fn client_message() -> Vec<u8> {
    let name = counted16(&[&[0][..], &counted16(b"ADMF.example")].concat());
    let extensions = [
        extension(0x1a1a, &[]),
        extension(0, &name),
        extension(16, &counted16(b"\x02h2\x08http/1.1")),
        extension(43, &[6, 0x2a, 0x2a, 3, 4, 3, 3]),
        extension(13, &counted16(&[4, 3, 8, 4])),
    ]
    .concat();
    let body =
        [&[3, 3][..], &[7; 32], &[0], &counted16(&[0x1a, 0x1a, 0x13, 1, 0xc0, 0x2f]), &[1, 0], &counted16(&extensions)];
    message(1, &body.concat())
}

fn server_message(version: u16) -> Vec<u8> {
    let extensions = match version {
        0x0304 => extension(43, &[3, 4]),
        _ => extension(16, &counted16(b"\x02h2")),
    };
    let legacy = version.min(0x0303).to_be_bytes();
    message(2, &[&legacy[..], &[8; 32], &[0], &[0xc0, 0x2f], &[0], &counted16(&extensions)].concat())
}

fn certificate(leaf: &[u8]) -> Vec<u8> {
    message(11, &counted24(&[counted24(leaf), counted24(b"issuer")].concat()))
}

fn rows(steps: &[Step]) -> Vec<Row> {
    tls(&run(&PROTOCOL, steps)).into_iter().map(|(_, row)| row).collect()
}

fn client() -> Vec<u8> {
    record(22, &client_message())
}

#[test]
fn a_handshake_of_1_3_is_a_row_with_the_server_hello() {
    let steps = [src(1, client()), dst(2, record(22, &server_message(0x0304))), dst(3, record(23, &[1; 90]))];
    let out = run(&PROTOCOL, &steps);
    let all = tls(&out);
    let [(head, row)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((head.ts.0, head.due.0, head.src_ip), (1, 2, ends(&PROTOCOL).src_ip));
    assert_eq!((row.client_version.as_deref(), row.version.as_deref()), (Some("1.3"), Some("1.3")));
    assert_eq!((row.cipher.as_deref(), row.sni.as_deref()), (Some("c02f"), Some("admf.example")));
    assert_eq!((row.alpn.as_deref(), &*row.outcome, row.client_cert_requested), (Some("h2,http/1.1"), "ok", None));
    assert!(row.ja4.as_deref().unwrap().starts_with("t13d0204h2_"), "{:?}", row.ja4);
    assert_eq!(oddities(&out), [""; 0]);
}

#[test]
fn a_handshake_on_a_port_of_x1_is_tasking_of_which_only_the_ends_are_known() {
    let there = ends(&PROTOCOL);
    let seen = |steps: &[Step]| {
        let out = run_as(&PROTOCOL, there, Some("x1"), steps);
        let mut all = tasking(&out);
        assert_eq!((all.len(), tls(&out).len()), (1, 1));
        let (head, row) = all.remove(0);
        assert_eq!((&*head.trust, &*head.decoder, head.src_ip, head.dst_ip), ("port", "x1", row.actor, row.ne));
        assert_eq!((&*row.protocol, &*row.op, row.cleartext, row.message), ("x1", "unknown", false, None));
        (row.actor, row.outcome.into_owned(), head.due.0)
    };
    let steps = [src(1, client()), dst(2, record(22, &server_message(0x0304)))];
    assert_eq!(seen(&steps), (there.src_ip, "ok".to_owned(), 2));
    assert_eq!(seen(&[src(1, client()), dst(2, record(21, &[2, 40]))]).1, "refused");
    assert_eq!(seen(&[src(1, client()), dst(9 * S, [])]).1, "unanswered");
    let other = [dst(1, client()), src(2, record(22, &server_message(0x0304)))];
    assert_eq!(seen(&other).0, there.dst_ip, "the client asks, whoever the capture saw first");
    assert!(tasking(&run(&PROTOCOL, &steps)).is_empty(), "on any other port it is TLS");
}

#[test]
fn older_versions_show_certificates_and_who_was_asked() {
    let flight = [server_message(0x0303), certificate(b"server")].concat();
    let plain = rows(&[src(1, client()), dst(2, record(22, &[flight.clone(), message(14, &[])].concat()))]);
    assert_eq!((plain[0].version.as_deref(), plain[0].alpn_chosen.as_deref()), (Some("1.2"), Some("h2")));
    let digest = |octets: &[u8]| Some(hex::encode(&Sha256::digest(octets)));
    assert_eq!(plain[0].cert_sha256.as_deref(), digest(b"server").as_deref());
    assert_eq!((plain[0].client_cert_requested, plain[0].client_cert_sha256.as_deref()), (Some(false), None));
    let asked = record(22, &[flight, message(13, &[0; 4]), message(14, &[])].concat());
    let answer = record(22, &[certificate(b"client"), message(16, &[0; 8])].concat());
    let out = run(&PROTOCOL, &[src(1, client()), dst(2, asked), src(9, answer)]);
    let (head, row) = &tls(&out)[0];
    assert_eq!((head.due.0, row.client_cert_requested), (9, Some(true)));
    assert_eq!(row.client_cert_sha256.as_deref(), digest(b"client").as_deref());
}

#[test]
fn a_resumed_session_ends_with_the_change_of_cipher() {
    let resumed = [record(22, &server_message(0x0303)), record(20, &[1]), record(22, &[9; 40])].concat();
    let out = run(&PROTOCOL, &[src(1, client()), dst(2, resumed)]);
    assert_eq!((tls(&out).len(), &*tls(&out)[0].1.outcome, oddities(&out).len()), (1, "ok", 0));
}

#[test]
fn alerts_silence_and_loss() {
    let refused = rows(&[src(1, client()), dst(2, record(21, &[2, 40]))]);
    assert_eq!((&*refused[0].outcome, refused[0].error_code), ("refused", Some(40)));
    let warned = rows(&[src(1, client()), dst(2, record(21, &[1, 112])), dst(3, record(22, &server_message(0x0304)))]);
    assert_eq!((&*warned[0].outcome, warned[0].error_code), ("ok", None), "a warning refuses nothing");
    let out = run(&PROTOCOL, &[src(1, client()), dst(9 * S, record(22, &server_message(0x0304)))]);
    assert_eq!((&*tls(&out)[0].1.outcome, tls(&out)[0].0.due.0), ("unanswered", 5 * S + 1));
    assert_eq!(&*rows(&[src(1, client())])[0].outcome, "not_seen");
    let lossy = Step { gap: 9, ..dst(2, [5; 9]) };
    assert_eq!(&*rows(&[src(1, client()), lossy, src(9 * S, [])])[0].outcome, "not_seen");
}

#[test]
fn one_direction_and_drafts() {
    let sealed = record(22, &[0xee; 40]);
    let alone = [client(), record(22, &message(16, &[0; 8])), record(20, &[1]), sealed].concat();
    let out = run(&PROTOCOL, &[src(1, alone), src(9 * S, [])]);
    assert_eq!((&*tls(&out)[0].1.outcome, oddities(&out).len()), ("not_seen", 0), "what is encrypted is not read");
    let draft = message(2, &[&[0x7f, 0x12][..], &[8; 32], &[0x13, 1], &counted16(&extension(40, &[0; 4]))].concat());
    let row = &rows(&[src(1, client()), dst(2, record(22, &draft))])[0];
    assert_eq!((row.version.as_deref(), row.cipher.as_deref()), (Some("7f12"), Some("1301")));
}

#[test]
fn the_client_is_who_sent_the_client_hello() {
    let out = run(&PROTOCOL, &[dst(1, client()), src(2, record(22, &server_message(0x0304)))]);
    assert_eq!(tls(&out)[0].0.src_ip, ends(&PROTOCOL).dst_ip);
    let out = run(&PROTOCOL, &[dst(1, record(22, &server_message(0x0304)))]);
    assert_eq!((tls(&out)[0].0.src_ip, tls(&out)[0].1.ja4.as_deref()), (ends(&PROTOCOL).src_ip, None));
}

#[test]
fn splits_into_segments_and_records_change_nothing() {
    let flight = [server_message(0x0303), certificate(b"server"), message(14, &[])].concat();
    let (hello, answer) = (client(), record(22, &flight));
    let shown = |steps: &[Step]| format!("{:?}", rows(steps));
    let whole = shown(&[src(1, &hello), dst(1, &answer)]);
    for at in 1..hello.len() {
        assert_eq!(shown(&[src(1, &hello[..at]), src(1, &hello[at..]), dst(1, &answer)]), whole, "client at {at}");
    }
    for at in 1..answer.len() {
        assert_eq!(shown(&[src(1, &hello), dst(1, &answer[..at]), dst(1, &answer[at..])]), whole, "server at {at}");
    }
    let client = client_message();
    for at in 1..client.len() {
        let records = [record(22, &client[..at]), record(22, &client[at..])].concat();
        assert_eq!(shown(&[src(1, records), dst(1, &answer)]), whole, "records at {at}");
    }
}

#[test]
fn every_truncation_is_survived() {
    let hello = client_message();
    for length in 0..hello.len() - 4 {
        let short = record(22, &message(1, &hello[4..4 + length]));
        let out = run(&PROTOCOL, &[src(1, short), dst(2, record(22, &server_message(0x0304)))]);
        let odd = usize::from(length != 32 + 2 + 1 + 8 + 2);
        assert_eq!((tls(&out).len(), oddities(&out).len()), (1, odd), "at {length}");
        run(&PROTOCOL, &[src(1, &client()[..length])]);
        probe(&client()[..length], Dir::Src);
    }
}

#[test]
fn messages_over_the_bound_are_not_held() {
    let huge = [&[11][..], &[0xff; 3], &[0; 100]].concat();
    let out = run(&PROTOCOL, &[src(1, client()), dst(2, record(22, &[server_message(0x0303), huge].concat()))]);
    assert_eq!((tls(&out).len(), oddities(&out)), (1, vec!["bound".into()]));
}

#[test]
fn the_probe_is_sure_of_hellos_only() {
    assert_eq!(probe(&client(), Dir::Src), Verdict::Certain);
    assert_eq!(probe(&client()[..6], Dir::Src), Verdict::Maybe);
    assert_eq!(probe(&record(21, &[2, 40]), Dir::Dst), Verdict::Maybe);
    for bad in [&b"GET / HTTP/1.1\r\n"[..], &record(23, &[0; 30]), &[0; 20], b"", b"SSH-2.0-x\r\n"] {
        assert_eq!(probe(bad, Dir::Src), Verdict::No, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        probe(&data, Dir::Src);
        run(&PROTOCOL, &[src(0, &data)]);
        run(&PROTOCOL, &[src(0, client()), dst(1, record(22, &data)), src(2, &data)]);
    }

    #[test]
    fn mutations_are_survived(at in 0_usize..300, to in any::<u8>()) {
        let mut hello = client();
        let at = at % hello.len();
        hello[at] = to;
        prop_assert!(rows(&[src(0, hello), dst(1, record(22, &server_message(0x0303)))]).len() <= 1);
    }
}
