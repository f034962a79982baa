//! Live inputs without an interface: packets and messages are told as the threads tell them, and listeners are spoken to over loopback.
use std::{
    io::Write,
    net::{TcpStream, UdpSocket},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use lidr_schema::Key;

use super::{
    queue::{Cause, Heard, Packets},
    reading::reader,
    *,
};
use crate::{
    record::Dir,
    run::{Config, run},
    source::clock::DISORDER,
    summary::Summary,
    testing::{Lines, Packet, S, Talk, datagram, lines, lines_from, merged},
};

const MAPPING: &str = r#"
title: Audit lines
format: syslog
listeners: ["syslog-*"]
patterns:
  - {name: export, field: message, regex: 'exported (?<n>\d+) orders by (?<who>\S+)'}
skip:
  - {when: {pattern: ""}, reason: nothing of ours}
rows:
  - table: tasking
    columns: {op: {is: list}, list_kind: {is: orders}, actor_name: who, varbinds: n, ne: sender}
"#;

fn mappings() -> Arc<Sources> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("audit.yml"), MAPPING).unwrap();
    Sources::load(&[dir.path().to_owned()], &Default::default(), &Key::from_hex(&"0b".repeat(32)).unwrap()).unwrap()
}

fn an_interface() -> Vec<LiveInput> {
    let summary = InputSummary { path: "eth0".to_owned(), live: true, ..InputSummary::default() };
    vec![LiveInput { summary, listener: None }]
}

/// As a capture thread would tell them, so many at a time.
fn told(packets: &[Packet], at_a_time: usize) -> Vec<Heard> {
    let mut first = 1;
    let tell = |part: &[Packet]| {
        let (mut block, mut captured) = (Vec::new(), Vec::new());
        for (ts, octets) in part {
            let (start, len) = (block.len() as u32, octets.len() as u32);
            captured.push(queue::Captured { ts: *ts, start, len, wire_len: len });
            block.extend_from_slice(octets);
        }
        let packets = Packets { input: 0, link: 1, first, block: Arc::new(block), packets: captured };
        first += part.len() as u64;
        Heard::Packets(packets)
    };
    packets.chunks(at_a_time).map(tell).collect()
}

/// A reader that finds this told, and that nobody tells anything more.
fn heard(all: Vec<Heard>) -> Reader {
    let (mouth, ear) = queue::queue(1 << 20);
    all.into_iter().for_each(|heard| mouth.tell(heard).unwrap());
    reader(ear, an_interface(), &Arc::default())
}

fn conversations(at: i64) -> Vec<Packet> {
    let mut web = Talk::open(40_000, 80, at);
    web.send(Dir::Src, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    web.send(Dir::Dst, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    web.close();
    let asked = datagram(
        at + S / 2,
        Dir::Src,
        [5000, 53],
        b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
    );
    merged([web.packets, vec![asked], vec![datagram(at + 4 * S, Dir::Dst, [7, 7], b"late")]])
}

#[test]
fn packets_give_the_rows_that_their_capture_gives() {
    let packets = conversations(host_time() - 10 * S);
    let (of_file, _) = lines(&packets, 1);
    assert!(!of_file.of("http").is_empty() && !of_file.of("flow").is_empty() && !of_file.of("dns").is_empty());
    for (workers, at_a_time) in [(1, 1), (1, 100), (2, 3)] {
        let (live, summary) = lines_from(heard(told(&packets, at_a_time)), workers);
        assert_eq!(live, of_file, "{workers} workers, {at_a_time} at a time");
        assert_eq!((summary.packets, summary.inputs[0].path.as_str()), (packets.len() as u64, "eth0"));
    }
}

#[test]
fn what_was_lost_is_counted_apart_and_is_an_oddity_each() {
    let at = host_time() - 10 * S;
    let mut all = told(&conversations(at), 100);
    for (cause, count) in [(Cause::Kernel, 5), (Cause::Interface, 7), (Cause::Queue, 11)] {
        all.push(Heard::Lost { input: 0, cause, count });
    }
    let (lines, summary) = lines_from(heard(all), 1);
    let drops: Vec<String> = lines.columns("oddity", &["kind", "stage", "detail", "count"]);
    let expected = ["drop reader kernel buffer 5", "drop reader capture interface 7", "drop reader queue 11"];
    assert_eq!(drops, expected);
    let bounds: Vec<(&str, u64)> = summary.dropped.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!(bounds, [("interface", 7), ("kernel_buffer", 5), ("queue", 11)]);
    assert_eq!(summary.inputs[0].dropped, 12, "what the capture says it dropped; the queue is ours");
}

#[test]
fn the_clock_goes_on_though_nothing_comes() {
    let (mouth, ear) = queue::queue(1 << 20);
    let mut quiet = reader(ear, an_interface(), &Arc::default());
    let (mut out, before) = (Vec::new(), host_time());
    let first = quiet.next_block(&mut out).unwrap().unwrap();
    let second = quiet.next_block(&mut out).unwrap().unwrap();
    assert!(first >= before - 2 * DISORDER && second - first >= 200_000 && second <= host_time() - 2 * DISORDER);
    assert!(quiet.is_time() && !quiet.is_time(), "a promise each time");
    // A packet that came meanwhile is not behind.
    let at = host_time();
    told(&[datagram(at, Dir::Src, [1, 2], b"x")], 1).into_iter().for_each(|h| mouth.tell(h).unwrap());
    assert_eq!(quiet.next_block(&mut out).unwrap(), Some(at));
    assert!(out.len() == 1 && quiet.take_odds().is_empty());
    drop(mouth);
    assert_eq!(quiet.next_block(&mut out).unwrap(), None);
}

#[test]
fn a_run_that_ends_before_it_heard_anything_ends() {
    for workers in [1, 2] {
        let (lines, summary) = lines_from(heard(Vec::new()), workers);
        assert_eq!((lines.tables.len(), summary.packets, summary.clock), (0, 0, i64::MIN), "{workers} workers");
    }
}

#[test]
fn a_time_far_from_this_machines_does_not_start_the_clock() {
    let mut absurd = heard(told(&[datagram(5 * S, Dir::Src, [1, 2], b"x")], 1));
    let clock = absurd.next_block(&mut Vec::new()).unwrap().unwrap();
    assert!(clock.abs_diff(host_time()) < 10 * S.unsigned_abs(), "{clock}");
    assert_eq!(absurd.take_odds()[0].kind, "time_back");
}

#[test]
fn an_input_that_breaks_ends_the_run_with_an_error_and_what_was_heard_becomes_rows() {
    let packets = conversations(host_time() - 10 * S);
    let (whole, _) = lines(&packets, 1);
    for workers in [1, 2] {
        let mut all = told(&packets, 100);
        all.push(Heard::Broke { input: 0, why: "the interface disappeared".to_owned() });
        let config = Config::new("here", workers, Key::from_hex(&"0b".repeat(32)).unwrap(), "test");
        let mut rows = Lines::default();
        let said = run(heard(all), &config, &mut rows, &mut |_| {}).unwrap_err().to_string();
        assert_eq!(said, "eth0: the interface disappeared", "{workers} workers");
        assert_eq!(rows.tables, whole.tables, "{workers} workers");
    }
}

/// Listeners on free ports of loopback, spoken to, and what became of it.
fn spoken(speak: impl FnOnce(&UdpSocket, &mut TcpStream)) -> (Lines, Summary, Vec<String>) {
    let address = "127.0.0.1:0".parse().unwrap();
    let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, address }).to_vec();
    let open = OpenInputs::open(&LiveOptions { listeners, ..LiveOptions::default() }, &mappings()).unwrap();
    let names = open.names();
    let port = |i: usize| names[i].rsplit('-').next().unwrap().parse::<u16>().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (udp_port, tcp_port) = (port(0), port(1));
    let reader = open.start(&stop).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(("127.0.0.1", udp_port)).unwrap();
    let mut tcp = TcpStream::connect(("127.0.0.1", tcp_port)).unwrap();
    speak(&udp, &mut tcp);
    drop(tcp);
    thread::sleep(Duration::from_millis(600));
    stop.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let (lines, summary) = lines_from(reader, 1);
    assert!(began.elapsed() < Duration::from_secs(5), "it stops");
    (lines, summary, names)
}

#[test]
fn messages_over_udp_and_tcp_become_rows_with_listener_and_number() {
    let before = host_time();
    let (lines, summary, names) = spoken(|udp, tcp| {
        udp.send(b"<134>1 2026-11-20T02:13:05Z lims1 lims - - - exported 40 orders by clerk7\n").unwrap();
        udp.send(b"<134>Nov 20 02:13:05 lims1 lims: clerk7 went home").unwrap();
        udp.send(b"exported 2 orders by clerk8").unwrap();
        let counted = "<134>1 - h a - - - exported 3 orders by clerk9";
        writeln!(tcp, "{} {counted}<134>1 - h a - - - exported 4 orders by clerk10", counted.len()).unwrap();
    });
    let mut rows = lines.columns("tasking", &["file", "frame", "actor_name", "varbinds", "decoder"]);
    rows.sort();
    let expected = [
        format!("{} 1 clerk9 3 record", names[1]),
        format!("{} 2 clerk10 4 record", names[1]),
        format!("{} 1 clerk7 40 record", names[0]),
        format!("{} 3 clerk8 2 record", names[0]),
    ];
    assert_eq!(rows, expected);
    for row in lines.of("tasking") {
        let at = |name: &str| row[name].parse::<i64>().unwrap();
        assert!(at("due") >= before && at("due") <= host_time(), "due when it came: {row:?}");
        assert!(row["ne"].ends_with("ffff7f000001"), "{row:?}");
        let written = row["actor_name"] == "clerk7";
        assert_eq!(
            at("ts") == 1_795_140_785_000_000,
            written,
            "what has no time of its own has that of its coming: {row:?}"
        );
    }
    let udp = summary.inputs[0].records.as_ref().unwrap();
    assert_eq!((udp.read, udp.mapped, udp.skipped["nothing of ours"]), (3, 2, 1));
    assert_eq!(summary.records.mapped, 4);
    assert_eq!(lines.columns("oddity", &["kind", "detail", "frame"])[..1], ["time_back record time 1"]);
}

#[test]
fn long_messages_and_streams_that_are_no_syslog_are_told() {
    let (lines, summary, _) = spoken(|udp, tcp| {
        let long = format!("<134>1 - h a - - - exported 5 orders by clerk7 {}", "x".repeat(20_000));
        udp.send(long.as_bytes()).unwrap();
        tcp.write_all(b"99999999 <134>").unwrap();
    });
    let odd: std::collections::BTreeSet<String> =
        lines.columns("oddity", &["kind", "stage", "detail", "had", "needed"]).into_iter().collect();
    assert!(odd.contains("truncated record syslog message 16384 20047"), "{odd:?}");
    assert!(odd.contains("malformed reader syslog framing  "), "{odd:?}");
    assert_eq!(lines.columns("tasking", &["actor_name"]), ["clerk7"], "its beginning is read");
    assert_eq!(summary.dropped["syslog_framing"], 1);
}
