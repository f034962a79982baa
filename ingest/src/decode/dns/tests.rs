//! Messages in every shape, and how questions and answers meet.
use lidr_schema::{Ip, table::dns::Row};
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, dns, dst, ends, hex, oddities, oddity, run, src};

const S: i64 = 1_000_000;

/// `www.Example.com` A; id 0x1234.
const QUERY: &str = "1234 0100 0001 0000 0000 0000 03777777 074578616d706c65 03636f6d 00 0001 0001";
/// CNAME to `a.example.com` (ttl 300), then its address 192.0.2.7 (ttl 60), names compressed.
const ANSWER: &str = "1234 8180 0001 0002 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001
    c00c 0005 0001 0000012c 0004 0161 c010  c02d 0001 0001 0000003c 0004 c0000207";

fn rows(protocol: &Protocol, steps: &[Step]) -> Vec<Row> {
    dns(&run(protocol, steps)).into_iter().map(|(_, row)| row).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

#[test]
fn a_question_meets_its_answer() {
    let out = run(&UDP, &[src(0, hex(QUERY)), dst(S, hex(ANSWER))]);
    let all = dns(&out);
    let [(head, row)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((head.ts.0, head.due.0, head.src_ip), (0, S, ends(&UDP).src_ip));
    assert_eq!((row.query_id, &*row.qname, &*row.qtype, &*row.outcome), (0x1234, "www.example.com", "A", "ok"));
    assert_eq!((row.rcode.as_deref(), row.answers, row.min_ttl), (Some("NOERROR"), 2, Some(60)));
    assert_eq!((row.answer_ip, row.answer_name.as_deref()), (Some(Ip::v4([192, 0, 2, 7])), Some("a.example.com")));
    assert_eq!((row.answer_bytes, row.truncated), (hex(ANSWER).len() as u32, false));
    assert_eq!(oddities(&out), [""; 0]);
}

#[test]
fn repeats_and_disorder_are_one_row() {
    let (q, a) = (hex(QUERY), hex(ANSWER).into_iter().collect::<Vec<u8>>());
    let mut lower = a.clone();
    lower[17] = b'E';
    let repeated = [src(0, &q), src(1, &q), dst(2, &a), dst(3, &lower), src(4, &q), dst(5, &a)];
    assert_eq!(rows(&UDP, &repeated).len(), 1, "repeats of both halves");
    let late = rows(&UDP, &[dst(0, &a), src(1, &q)]);
    assert_eq!((late.len(), late[0].answers), (1, 2), "the capture put the answer first");
}

#[test]
fn without_an_answer_or_a_question() {
    let out = run(&UDP, &[src(0, hex(QUERY)), src(6 * S, [])]);
    let all = dns(&out);
    assert_eq!((&*all[0].1.outcome, all[0].0.due.0), ("unanswered", 5 * S));
    assert_eq!(&*rows(&UDP, &[src(0, hex(QUERY))])[0].outcome, "not_seen");
    let out = run(&UDP, &[dst(0, hex(ANSWER)), dst(3 * S, hex(ANSWER))]);
    let all = dns(&out);
    assert_eq!((all.len(), all[0].0.due.0, all[0].0.src_ip), (1, S, ends(&UDP).src_ip), "the asker is the source");
}

#[test]
fn codes_operations_and_cut_answers() {
    let cases = [(0x8183_u16, "NXDOMAIN", "ok"), (0x8185, "REFUSED", "refused"), (0x838f, "RCODE15", "refused")];
    for (flags, rcode, outcome) in cases {
        let mut answer = hex(QUERY);
        answer[2..4].copy_from_slice(&flags.to_be_bytes());
        let row = &rows(&UDP, &[src(0, hex(QUERY)), dst(1, &answer)])[0];
        assert_eq!((row.rcode.as_deref(), &*row.outcome, row.truncated), (Some(rcode), outcome, flags & 0x200 != 0));
    }
    let mut notify = hex(QUERY);
    notify[2] = 0x20;
    assert_eq!(rows(&UDP, &[src(0, notify)])[0].opcode.as_deref(), Some("notify"));
}

#[test]
fn pointers_that_do_not_go_back_are_odd() {
    for pointer in ["c00c", "c00e", "c0ff", "0161 c010 c00e"] {
        let out = run(&UDP, &[src(0, hex(&format!("1234 0100 0001 0000 0000 0000 {pointer} 0001 0001")))]);
        let details: Vec<_> = oddity(&out).into_iter().map(|(_, row)| row.detail).collect();
        assert_eq!(details, [Some("pointer_loop".into())], "{pointer}");
    }
}

#[test]
fn names_are_escaped_and_bounded() {
    let odd = hex("0001 0100 0001 0000 0000 0000 04 612e0aff 00 0010 0001");
    assert_eq!(&*rows(&UDP, &[src(0, odd)])[0].qname, "a\\.\\010\\255");
    let root = hex("0001 0100 0001 0000 0000 0000 00 0002 0001");
    assert_eq!(&*rows(&UDP, &[src(0, root)])[0].qname, ".");
    let mut long = hex("0001 0100 0001 0000 0000 0000");
    (0..5).for_each(|_| long.extend([vec![63], vec![b'a'; 63]].concat()));
    long.extend([0, 0, 1, 0, 1]);
    assert_eq!(oddities(&run(&UDP, &[src(0, long)])), ["malformed"]);
}

#[test]
fn a_cut_capture_is_no_malformed_message() {
    let answer = hex(ANSWER);
    let cut = Step { cut: 10, ..dst(1, &answer[..answer.len() - 10]) };
    let out = run(&UDP, &[src(0, hex(QUERY)), cut]);
    assert_eq!((dns(&out)[0].1.answers, oddities(&out)), (1, vec!["truncated".into()]));
}

#[test]
fn a_stream_split_anywhere_gives_the_same_rows() {
    let ask = [framed(&hex(QUERY)), framed(&hex("0009 0100 0001 0000 0000 0000 0162 00 001c 0001"))].concat();
    let answer = framed(&hex(ANSWER));
    let shown = |steps: &[Step]| format!("{:?}", rows(&TCP, steps));
    let whole = shown(&[src(0, &ask), dst(1, &answer)]);
    assert_eq!(rows(&TCP, &[src(0, &ask), dst(1, &answer)]).len(), 2);
    for at in 1..ask.len() {
        assert_eq!(shown(&[src(0, &ask[..at]), src(0, &ask[at..]), dst(1, &answer)]), whole, "question at {at}");
    }
    for at in 1..answer.len() {
        assert_eq!(shown(&[src(0, &ask), dst(1, &answer[..at]), dst(1, &answer[at..])]), whole, "answer at {at}");
    }
}

#[test]
fn the_probe_is_sure_of_whole_usual_messages_only() {
    assert_eq!((UDP.probe)(&hex(QUERY), Dir::Src), Verdict::Certain);
    assert_eq!((UDP.probe)(&hex(ANSWER), Dir::Dst), Verdict::Certain);
    assert_eq!((TCP.probe)(&framed(&hex(ANSWER)), Dir::Dst), Verdict::Certain);
    assert_eq!((TCP.probe)(&framed(&hex(ANSWER))[..30], Dir::Dst), Verdict::Maybe);
    let netbios = [hex("1234 0110 0001 0000 0000 0000 20"), vec![b'A'; 32], hex("00 0020 0001")].concat();
    assert_eq!((UDP.probe)(&netbios, Dir::Src), Verdict::Maybe);
    for bad in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 40], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2], b""] {
        assert_eq!((UDP.probe)(bad, Dir::Src), Verdict::No, "{bad:?}");
    }
}

#[test]
fn questions_over_the_bound_are_given_up_and_said() {
    let ask = |id: u16| src(0, [&id.to_be_bytes(), &hex(QUERY)[2..]].concat());
    let steps: Vec<Step> = (0..4100).map(ask).collect();
    let out = run(&UDP, &steps);
    assert_eq!((dns(&out).len(), oddities(&out)), (4100, vec!["bound".into()]));
}

#[test]
fn every_truncation_is_survived() {
    for message in [hex(QUERY), hex(ANSWER)] {
        for length in 0..message.len() {
            let out = run(&UDP, &[src(0, hex(QUERY)), dst(1, &message[..length])]);
            assert_eq!(oddities(&out), ["malformed"], "at {length}");
            (UDP.probe)(&message[..length], Dir::Src);
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in proptest::collection::vec(any::<u8>(), 0..200), response in any::<bool>()) {
        (UDP.probe)(&data, Dir::Src);
        (TCP.probe)(&data, Dir::Src);
        let step = if response { dst(0, &data) } else { src(0, &data) };
        run(&UDP, std::slice::from_ref(&step));
        run(&TCP, &[step]);
    }

    #[test]
    fn mutations_are_survived(at in 0_usize..200, to in any::<u8>()) {
        let mut answer = hex(ANSWER);
        let at = at % answer.len();
        answer[at] = to;
        prop_assert!(rows(&UDP, &[src(0, hex(QUERY)), dst(1, &answer)]).len() <= 18);
        rows(&TCP, &[src(0, framed(&hex(QUERY))), dst(1, framed(&answer))]);
    }
}
