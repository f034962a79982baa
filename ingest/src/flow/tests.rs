//! Rows at their exact times, counts that add up, and no trace of rhythm or workers.
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use lidr_schema::{Cidr, Ip, Key, TableId};
use proptest::prelude::*;

use crate::{
    decode::{Protocols, ports::Ports},
    record::{FlowKey, Record, Stamp, Tcp},
    source::clock::DISORDER,
    worker::{Chunk, Shared, Worker},
};

const S: i64 = 1_000_000;
const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

fn packet(at: i64, forward: bool, proto: u8, flags: u8, seq: u32) -> Record {
    let (a, b) = (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]));
    let key = FlowKey { low: (a, 4000), high: (b, 9), proto, network: 0 };
    Record {
        key,
        hash: 7,
        from_low: forward,
        ports: if forward { (4000, 9) } else { (9, 4000) },
        stamp: Stamp { ts: at, eff: at, frame: (at / 1000) as u64 + 1, input: 0 },
        clock: at,
        tcp: Tcp { seq, flags, ..Tcp::default() },
        ip_len: 100,
        payload_len: 0,
        block: None,
        payload_start: 0,
        payload_captured: 0,
        ttl: 64,
        vlan: None,
        outer: None,
        layer: 0,
        carrier: true,
    }
}

/// (state, due in ms, packets, reason) of the flow rows, in row order, ticking after every `rhythm` packets.
fn rows(packets: &[Record], rhythm: usize) -> Vec<(String, i64, u64, String)> {
    let shared = Shared {
        sensor: "s".into(),
        captures: vec!["e-00000".into()],
        files: Vec::new(),
        key: Key::from_hex(&"00".repeat(32)).unwrap(),
        most_flows: 100,
        count_keys: false,
        ports: Ports::default(),
        protocols: Protocols::without(&[]),
    };
    let mut worker = Worker::new(Arc::new(shared));
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut keep =
        |chunk: Chunk| batches.extend(chunk.batches.into_iter().filter(|(t, _)| *t == TableId::Flow).map(|(_, b)| b));
    let mut clock = 0;
    for part in packets.chunks(rhythm) {
        worker.records(part);
        clock = part.iter().map(|r| r.clock).max().unwrap().max(clock);
        worker.tick(clock);
        keep(worker.take(clock));
    }
    keep(worker.end(clock));
    let mut out: Vec<_> = batches.iter().flat_map(flow_rows).collect();
    out.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    out
}

fn flow_rows(batch: &RecordBatch) -> Vec<(String, i64, u64, String)> {
    let name = |column: &str, row: usize| {
        let text =
            arrow::compute::cast(batch.column_by_name(column).unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
        text.as_string::<i32>().iter().nth(row).flatten().unwrap_or("-").to_owned()
    };
    let number = |column: &str, row: usize| {
        batch.column_by_name(column).unwrap().as_primitive::<arrow::datatypes::UInt64Type>().value(row)
    };
    let due = batch.column_by_name("due").unwrap().as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
    (0..batch.num_rows())
        .map(|i| {
            (
                name("state", i),
                due.value(i) / 1000,
                number("src_packets", i) + number("dst_packets", i),
                name("end_reason", i),
            )
        })
        .collect()
}

fn short(rows: &[(String, i64, u64, String)]) -> Vec<(&str, i64, u64, &str)> {
    rows.iter().map(|(a, b, c, d)| (a.as_str(), *b, *c, d.as_str())).collect()
}

#[test]
fn a_tcp_conversation_opens_two_seconds_after_its_first_packet() {
    let packets = [packet(0, true, 6, SYN, 1), packet(40_000, false, 6, SYN | ACK, 9), packet(10 * S, true, 6, ACK, 2)];
    assert_eq!(short(&rows(&packets, 1)), [("open", 2000, 2, "-"), ("end", 10_000, 1, "eof")]);
}

#[test]
fn one_that_closes_before_has_its_end_row_only() {
    let packets = [packet(0, true, 6, SYN, 1), packet(S, false, 6, RST | ACK, 0), packet(9 * S, true, 17, 0, 0)];
    assert_eq!(short(&rows(&packets, 1))[0], ("end", 1000, 2, "rst"));
}

#[test]
fn fin_from_both_and_its_acknowledgement_close_and_what_trails_opens_nothing() {
    let packets = [
        packet(0, true, 6, SYN, 1),
        packet(1000, false, 6, SYN | ACK, 1),
        packet(2000, true, 6, FIN | ACK, 2),
        packet(3000, false, 6, FIN | ACK, 2),
        packet(4000, true, 6, ACK, 3),
        packet(5000, true, 6, ACK, 3),
        packet(9_000, true, 6, SYN, 77),
    ];
    assert_eq!(short(&rows(&packets, 1)), [("end", 4, 5, "fin"), ("end", 9, 1, "eof")]);
}

#[test]
fn a_datagram_conversation_opens_with_a_packet_and_ends_idle() {
    let mut packets = vec![packet(0, true, 17, 0, 0), packet(S, false, 17, 0, 0), packet(3 * S, true, 17, 0, 0)];
    packets.push(packet(40 * S, true, 17, 0, 0));
    assert_eq!(
        short(&rows(&packets, 1)),
        [("open", 3000, 3, "-"), ("end", 33_000, 0, "idle"), ("end", 40_000, 1, "eof")]
    );
}

#[test]
fn parts_come_with_the_first_packet_of_each_minute() {
    let packets: Vec<Record> = [0, 1, 59, 61, 62, 200, 201].iter().map(|s| packet(s * S, true, 6, ACK, 1)).collect();
    let expected =
        [("open", 2000, 2, "-"), ("part", 61_000, 2, "-"), ("part", 200_000, 2, "-"), ("end", 201_000, 1, "eof")];
    assert_eq!(short(&rows(&packets, 1)), expected);
}

#[test]
fn the_same_ports_with_another_number_are_another_conversation_and_a_retry_is_not() {
    let packets = [packet(0, true, 6, SYN, 1), packet(S, true, 6, SYN, 1), packet(10 * S, true, 6, SYN, 5)];
    assert_eq!(
        short(&rows(&packets, 1)),
        [("open", 2000, 2, "-"), ("end", 10_000, 0, "reuse"), ("end", 10_000, 1, "eof")]
    );
}

/// Packets of one pair of hosts: silence before each, who sends, what; some captured out of order.
fn packets() -> impl Strategy<Value = Vec<Record>> {
    let silence = prop_oneof![
        Just(10_000),
        Just(-600_000),
        Just(900_000),
        Just(2_000_000),
        Just(31_000_000),
        Just(61_000_000),
        Just(299_900_000),
        Just(300_100_000)
    ];
    let flags = prop_oneof![3 => Just(ACK), 1 => Just(SYN), 1 => Just(FIN | ACK), 1 => Just(RST)];
    let proto = prop_oneof![3 => Just(6_u8), 1 => Just(17), 1 => Just(132)];
    let one = (silence, any::<bool>(), proto, flags, prop_oneof![0_u32..300, any::<u32>()], any::<u8>());
    prop::collection::vec(one, 1..250).prop_map(|list| {
        let (mut at, mut clock) = (0_i64, 0_i64);
        let mut record = |(i, (silence, forward, proto, flags, seq, chunk)): (usize, (i64, bool, u8, u8, u32, u8))| {
            at = (at + silence).max(0);
            clock = clock.max(at);
            let mut record = packet(at, forward, proto, flags, seq);
            record.stamp = Stamp { eff: at.max(clock - DISORDER), frame: i as u64 + 1, ..record.stamp };
            record.clock = clock;
            if proto == 132 {
                (record.block, record.payload_captured, record.tcp) =
                    (Some(Arc::new(vec![chunk % 16])), 1, Tcp::default());
            }
            record
        };
        list.into_iter().enumerate().map(&mut record).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rhythm_does_not_show_and_each_packet_is_counted_once(packets in packets()) {
        let one = rows(&packets, 1);
        prop_assert_eq!(one.iter().map(|r| r.2).sum::<u64>() + trailing(&packets), packets.len() as u64);
        for rhythm in [2, 7, 64, 1000] {
            prop_assert_eq!(&rows(&packets, rhythm), &one, "rows depend on the rhythm {}", rhythm);
        }
    }
}

/// Packets right after a close: they are part of no conversation.
fn trailing(packets: &[Record]) -> u64 {
    let shared = Shared {
        sensor: "s".into(),
        captures: Vec::new(),
        files: Vec::new(),
        key: Key::from_hex(&"00".repeat(32)).unwrap(),
        most_flows: 100,
        count_keys: false,
        ports: Ports::default(),
        protocols: Protocols::without(&[]),
    };
    let mut worker = Worker::new(Arc::new(shared));
    worker.records(packets);
    let mut summary = crate::summary::Summary::default();
    summary.add_tally(&worker.tally);
    summary.dropped.get("tcp_after_close").copied().unwrap_or_default()
}

#[test]
fn the_flow_table_has_a_bound_and_a_counter() {
    let net: Cidr = "10.0.0.0/8".parse().unwrap();
    let shared = Shared {
        sensor: "s".into(),
        captures: Vec::new(),
        files: Vec::new(),
        key: Key::from_hex(&"00".repeat(32)).unwrap(),
        most_flows: 10,
        count_keys: true,
        ports: Ports::default(),
        protocols: Protocols::without(&[]),
    };
    let mut worker = Worker::new(Arc::new(shared));
    for i in 0..50_u16 {
        let mut record = packet(i64::from(i) * 1000, true, 6, SYN, 1);
        assert!(net.contains(record.ends().src_ip));
        (record.ports.0, record.key.low.1, record.hash) = (i, i, u64::from(i));
        worker.records(std::slice::from_ref(&record));
    }
    let chunk = worker.end(DISORDER);
    let mut summary = crate::summary::Summary::default();
    summary.add_tally(&worker.tally);
    assert_eq!((summary.dropped["flow_table"], summary.peak_flows, summary.distinct_flow_keys), (40, 10, 50));
    assert_eq!(chunk.batches[0].1.num_rows(), 50, "an evicted conversation has its end row");
}
