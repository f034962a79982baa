//! Conversations from octets to rows: where they begin, what is missing, how they end; with one worker and with several.
use crate::{
    record::Dir::{Dst, Src},
    testing::{ACK, Packet, RST, S, START, Talk, datagram, merged, same_lines, sctp, ticking},
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
    let delays: Vec<i64> =
        lines.of("http").iter().map(|l| l["due"].parse::<i64>().unwrap() - l["ts"].parse::<i64>().unwrap()).collect();
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

#[test]
fn a_reset_that_no_end_can_have_sent_closes_nothing() {
    let mut talk = Talk::open(4000, 80, START);
    for seq in [0xdead_beef, 0x7777_0000] {
        talk.segment(Dst, RST, seq, b"");
    }
    talk.send(Src, HELLO);
    talk.send(Dst, ANSWER);
    talk.close();
    let lines = same_lines(&merged([talk.packets, ticking(START, START + 9 * S)]));
    assert_eq!(lines.columns("http", &["method", "status"]), ["GET 200"]);
    assert_eq!(
        lines.columns("mark", &["kind", "name", "src_port", "frame"]),
        ["tcp_odd reset_out_of_window 80 5"],
        "once"
    );
    let flows: Vec<_> =
        lines.of("flow").iter().filter(|l| l["proto"] == "6").map(|l| (&*l["state"], &*l["end_reason"])).collect();
    assert_eq!(flows, [("end", "fin")]);
}

#[test]
fn whoever_sends_on_has_not_reset() {
    let mut talk = Talk::open(4000, 80, START);
    talk.send(Src, HELLO);
    talk.send(Dst, ANSWER);
    talk.flags(Src, RST);
    talk.send(Dst, b"under way when the reset was sent");
    talk.at += S / 2;
    talk.send(Src, HELLO);
    talk.send(Dst, ANSWER);
    let lines = same_lines(&merged([talk.packets, ticking(START, START + 9 * S)]));
    assert_eq!(lines.columns("http", &["method", "status"]), ["GET 200", "GET 200"]);
    assert_eq!(lines.columns("mark", &["kind", "name", "src_port"]), ["tcp_odd data_after_reset 4000"]);
    let flows: Vec<_> =
        lines.of("flow").iter().filter(|l| l["proto"] == "6").map(|l| (&*l["end_reason"], &*l["src_port"])).collect();
    assert_eq!(flows, [("rst", "4000"), ("", "4000"), ("eof", "4000")]);
}

#[test]
fn what_was_sent_before_the_close_and_captured_after_it_is_read() {
    let mut talk = Talk::open(4000, 80, START);
    talk.send(Src, HELLO);
    let late = talk.lose(Dst, ANSWER);
    talk.flags(Src, ACK);
    talk.close();
    let closed = talk.at;
    talk.packets.push(late);
    let mut other = Talk::open(4001, 80, closed);
    other.send(Src, HELLO);
    other.flags(Dst, RST | ACK);
    let closed = other.at;
    let lines = same_lines(&[talk.packets, other.packets, ticking(closed, closed + 9 * S)].concat());
    assert_eq!(lines.columns("http", &["src_port", "status", "outcome"]), ["4000 200 ok", "4001  unanswered"]);
    assert_eq!(lines.of("http")[1]["due"], closed.to_string(), "nothing waits longer than the conversation");
    let flows = lines.columns("flow", &["end_reason", "dst_packets"]);
    assert!(flows.contains(&"fin 2".to_owned()), "its row was due with the close: {flows:?}");
}

/// A question or an answer about `a`.
fn dns(at: i64, id: u8, answer: bool) -> Packet {
    let mut message = vec![
        0,
        id,
        if answer { 0x81 } else { 1 },
        if answer { 0x80 } else { 0 },
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        b'a',
        0,
        0,
        1,
        0,
        1,
    ];
    message[7] = 0;
    datagram(at, if answer { Dst } else { Src }, [4000, 53], &message)
}

#[test]
fn a_question_waits_for_its_answer_whatever_else_was_captured_before() {
    let at = |ms: i64| START + ms * 1000;
    let packets = [
        dns(at(0), 1, false),
        dns(at(0), 2, false),
        dns(at(5500), 3, false),
        dns(at(4900), 1, true),
        dns(at(5600), 3, true),
        dns(at(5700), 2, true),
    ];
    let lines = same_lines(&[packets.to_vec(), ticking(at(5700), at(9000))].concat());
    let answered: Vec<_> = lines
        .of("dns")
        .iter()
        .map(|l| (&*l["query_id"], &*l["outcome"], l["due"].parse::<i64>().unwrap() - START))
        .collect();
    // The late answer is one that nobody asked for, due when no question can come that it answers.
    assert_eq!(
        answered,
        [("1", "ok", 4_900_000), ("2", "unanswered", 5_000_000), ("3", "ok", 5_600_000), ("2", "ok", 6_700_000)]
    );
}

#[test]
fn an_association_that_is_refused_is_none() {
    let (init, init_ack, abort, data, complete) = (1, 2, 6, 0, 14);
    let refused = vec![sctp(START, Src, init), sctp(START + 1000, Dst, abort)];
    let short: Vec<_> = [(Src, init), (Dst, init_ack), (Src, data), (Dst, complete), (Src, data)].to_vec();
    let short = short.into_iter().zip(1..).map(|((dir, chunk), i)| sctp(START + S + i * 1000, dir, chunk)).collect();
    let lines = same_lines(&merged([refused, short, ticking(START, START + 9 * S)]));
    let of = |l: &crate::testing::Line| format!("{} {} {}", l["end_reason"], l["established"], l["dst_packets"]);
    let flows: Vec<_> = lines.of("flow").iter().filter(|l| l["proto"] == "132").map(of).collect();
    assert_eq!(flows, ["abort false 1", "fin true 2"]);
}

/// Call content of PacketCable: four octets of id and a packet of IP.
fn content(id: u32, octets: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([192, 0, 2, 1], [203, 0, 113, 9], 9).udp(1, 2);
    builder.write(&mut packet, &vec![7; octets]).unwrap();
    [&id.to_be_bytes()[..], &packet].concat()
}

#[test]
fn what_only_seems_to_be_a_protocol_is_not_said_and_may_be_another() {
    let dns = crate::decode::testing::hex("1234010000010000000000000377777705696e766f630000010001");
    let mut talks = Vec::new();
    for i in 0..9_u16 {
        let (port, at) = (5000 + i, START + i64::from(i) * 100_000);
        let seem = |n: i64| datagram(at + n * S, Src, [port, 1813], &content(u32::from(i), 40));
        talks.push(match i % 3 {
            // Twice is not enough; then it is a query.
            0 => vec![seem(0), seem(1), datagram(at + 3 * S, Src, [port, 1813], &dns)],
            1 => vec![seem(0), seem(1)],
            _ => vec![seem(0), seem(1), seem(3), seem(9)],
        });
    }
    talks.push(ticking(START, START + 60 * S));
    let lines = same_lines(&merged(talks));
    assert_eq!(
        lines.columns("delivery", &["protocol", "state", "pdus", "trust"]),
        [["ccc open 3 inferred"; 3], ["ccc end 1 inferred"; 3]].concat()
    );
    assert_eq!(lines.of("dns").len(), 3);
    let apps: Vec<_> = lines
        .columns("flow", &["src_port", "state", "app"])
        .into_iter()
        .filter(|l| l.starts_with('5') && l.contains("end"))
        .collect();
    let app = |i: usize| apps.iter().find(|l| l.starts_with(&format!("500{i}"))).unwrap().rsplit(' ').next().unwrap();
    assert_eq!(
        [app(0), app(1), app(2)],
        ["dns", "radius", "ccc"],
        "of what is not sure the port decides, as for any conversation"
    );
}
