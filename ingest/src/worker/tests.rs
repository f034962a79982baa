//! Conversations from octets to rows: where they begin, what is missing, how they end; with one worker and with several.
use crate::{
    record::Dir::{Dst, Src},
    testing::{S, START, Talk, merged, same_lines, ticking},
};

const HELLO: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn what_was_held_is_due_when_the_hole_is_filled_or_given_up() {
    let mut talks = Vec::new();
    for port in 4000..4040_u16 {
        let mut talk = Talk::open(port, 80, START + i64::from(port % 7) * 300_000);
        talk.send(Src, &HELLO[..5]);
        let late = talk.lose(Src, &HELLO[5..9]);
        talk.send(Src, &HELLO[9..]);
        let filled = port % 2 == 0;
        // Filled 3.5 s later, or acknowledged by then and so never to come.
        talk.at += 3_500_000;
        if filled {
            talk.at += 1000;
            talk.packets.push((talk.at, late.1));
        }
        talk.send(Dst, ANSWER);
        talk.at += S;
        talk.close();
        talks.push(talk.packets);
    }
    talks.push(ticking(START, START + 12 * S));
    let lines = same_lines(&merged(talks));
    let delays: Vec<i64> = lines.of("http").iter().map(|l| l["due"].parse::<i64>().unwrap() - l["ts"].parse::<i64>().unwrap()).collect();
    assert!(delays.iter().filter(|d| **d > 3_500_000).count() >= 20, "{delays:?}");
}

#[test]
fn a_capture_that_begins_in_a_body_still_tells_what_follows() {
    for (port, dir, words) in [(80, Dst, "x".repeat(700)), (8080, Src, "y".repeat(700))] {
        let mut talk = Talk::new(4000, port, START);
        // More than is looked at: the direction is given up, and opened again once the other one is known.
        (0..6).for_each(|_| talk.send(dir, words.as_bytes()));
        if dir == Src {
            talk.send(Dst, ANSWER);
        }
        (0..3).for_each(|_| {
            talk.send(Src, HELLO);
            talk.send(Dst, ANSWER);
        });
        let lines = same_lines(&merged([talk.packets, ticking(START, START + 9 * S)]));
        let http = lines.columns("http", &["method", "status"]);
        assert_eq!(http.iter().filter(|line| *line == "GET 200").count(), 3, "{dir:?}: {http:?}");
    }
}

#[test]
fn first_octets_in_any_pieces_tell_the_protocol() {
    let unit = crate::decode::testing::hex(concat!(
        "000500020000008c0000001c0005000329f28e1cf230486aa860f5a784ab91720000000000000001000600034e463100070004504f49310008",
        "000400000001000900086b02ceb4075bca00000a0004c0000201000b0004cb007109000e00023039000f0002003500100001110011001c3c69",
        "6d73693e3030313031303132333435363738393c2f696d73693e4500001c0001000040117cc5c0000201cb007109303900350008d164"
    ));
    for first in 1..unit.len() {
        let mut talk = Talk::open(4000, 9000, START);
        talk.send(Src, &unit[..first]);
        talk.send(Src, &unit[first..]);
        let (lines, _) = crate::testing::lines(&merged([talk.packets, ticking(START, START + S)]), 1);
        assert_eq!(lines.columns("delivery", &["protocol", "pdus"]), ["x3 1"], "cut after {first}");
    }
    let mut talk = Talk::open(4000, 9000, START);
    unit.iter().for_each(|octet| talk.send(Src, &[*octet]));
    assert_eq!(crate::testing::lines(&talk.packets, 1).0.columns("delivery", &["pdus"]), ["1"]);
}
