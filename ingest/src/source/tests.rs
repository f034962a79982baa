//! Captures of every kind, made here octet by octet, and the files of the reference collection where they are there.
use std::io::Cursor;

use proptest::prelude::*;

use super::{bytes::Bytes, capture::Capture, *};

fn words(list: &[u32], big: bool) -> Vec<u8> {
    list.iter().flat_map(|w| if big { w.to_be_bytes() } else { w.to_le_bytes() }).collect()
}

fn classic(magic: u32, big: bool, packets: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut out = words(&[magic, 0x0004_0002, 0, 0, 65_535, 1], big);
    for (seconds, part, data) in packets {
        let len = data.len() as u32;
        out.extend(words(&[*seconds, *part, len, len], big));
        out.extend_from_slice(data);
    }
    out
}

fn block(kind: u32, body: &[u8], big: bool) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = body.len() as u32 + 12;
    [words(&[kind, len], big), body, words(&[len], big)].concat()
}

fn section(big: bool) -> Vec<u8> {
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX], big), big)
}

/// An interface with that link type and resolution.
fn interface(link: u16, resolution: u8, big: bool) -> Vec<u8> {
    let two = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut body = [two(link), two(0)].concat();
    body.extend(words(&[0], big));
    body.extend([two(9), two(1)].concat());
    body.extend([resolution, 0, 0, 0]);
    body.extend([two(0), two(0)].concat());
    block(1, &body, big)
}

fn enhanced(interface: u32, ticks: u64, data: &[u8], big: bool) -> Vec<u8> {
    let len = data.len() as u32;
    let head = words(&[interface, (ticks >> 32) as u32, ticks as u32, len, len], big);
    block(6, &[head, data.to_vec()].concat(), big)
}

fn read(file: Vec<u8>) -> (Vec<(i64, u32, Vec<u8>)>, bool) {
    let bytes = Bytes::new(Box::new(Cursor::new(file))).unwrap();
    let mut capture = Capture::open(bytes, 0).unwrap();
    let mut out = Vec::new();
    while let Some(p) = capture.next().unwrap() {
        out.push((p.ts, p.link, capture.block()[p.start..p.start + p.len].to_vec()));
    }
    (out, capture.cut.is_some())
}

#[test]
fn both_byte_orders_and_both_resolutions() {
    for (magic, big, part) in
        [(0xa1b2_c3d4, true, 5), (0xa1b2_c3d4, false, 5), (0xa1b2_3c4d, true, 5_999), (0xa1b2_3c4d, false, 5_000)]
    {
        let (packets, cut) = read(classic(magic, big, &[(7, part, b"ab"), (8, 0, b"")]));
        assert_eq!(packets, [(7_000_005, 1, b"ab".to_vec()), (8_000_000, 1, Vec::new())], "{magic:x} {big}");
        assert!(!cut);
    }
}

/// Interface statistics with these drops by the interface and by the system.
fn statistics(interface: u32, dropped: [u64; 2], big: bool) -> Vec<u8> {
    let two = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let eight = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut body = words(&[interface, 0, 0], big);
    for (code, count) in [5, 7].into_iter().zip(dropped) {
        body.extend([two(code), two(8)].concat());
        body.extend(eight(count));
    }
    block(5, &body, big)
}

#[test]
fn what_an_interface_dropped_is_counted_once() {
    for big in [true, false] {
        let unknown = statistics(0, [u64::MAX, u64::MAX], big);
        let mut file = [section(big), interface(1, 6, big), unknown, enhanced(0, 1_000_000, b"one", big)].concat();
        file.extend([statistics(0, [3, 2], big), enhanced(0, 2_000_000, b"two", big)].concat());
        // Totals since the capture began; an interface that was never described says nothing.
        file.extend([statistics(0, [3, 6], big), statistics(7, [9, 9], big)].concat());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcapng");
        std::fs::write(&path, file).unwrap();
        let mut reader = Reader::open(&[Input::Path { sensor: None, path }]).unwrap();
        while reader.next_block(&mut Vec::new()).unwrap().is_some() {}
        let odds: Vec<_> = reader.take_odds().into_iter().filter(|o| o.kind == "drop").collect();
        let told: Vec<_> = odds.iter().map(|o| (o.stage, o.count, o.stamp.ts, o.stamp.frame)).collect();
        assert_eq!(told, [("reader", 5, 1_000_000, 2), ("reader", 4, 2_000_000, 3)], "big: {big}");
        assert_eq!(reader.summary()[0].dropped, 9);
    }
}

#[test]
fn pcapng_with_sections_interfaces_resolutions_and_foreign_blocks() {
    let mut file = [section(false), interface(1, 6, false), interface(101, 9, false)].concat();
    file.extend(block(0x0000_0bad, b"a comment of somebody", false));
    file.extend(enhanced(0, 5_000_000, b"one", false));
    file.extend(enhanced(1, 6_000_000_000, b"two", false));
    file.extend([section(true), interface(113, 0x80 | 10, true)].concat());
    file.extend(enhanced(0, 7 * 1024, b"three", true));
    file.extend(block(3, &[words(&[4], true), b"four".to_vec()].concat(), true));
    let (packets, cut) = read(file);
    let short: Vec<_> = packets.iter().map(|(ts, link, data)| (*ts, *link, data.len())).collect();
    assert_eq!(short, [(5_000_000, 1, 3), (6_000_000, 101, 3), (7_000_000, 113, 5), (7_000_000, 113, 4)]);
    assert!(!cut);
}

#[test]
fn every_cut_of_a_file_is_said_and_gives_the_packets_before_it() {
    let ng = [section(false), interface(1, 6, false), enhanced(0, 1, b"abcd", false), enhanced(0, 2, b"efgh", false)]
        .concat();
    for file in [classic(0xa1b2_c3d4, false, &[(1, 0, b"abcd"), (2, 0, b"efgh")]), ng] {
        let whole = read(file.clone()).0.len();
        for len in 24..file.len() {
            let (packets, cut) = read(file[..len].to_vec());
            assert!(packets.len() < whole, "{len}");
            assert!(cut || len == 24 || packets.len() == 1 || read_boundary(&file, len), "a cut at {len} is not said");
        }
    }
}

/// Whether a file may end there: between two blocks.
fn read_boundary(file: &[u8], len: usize) -> bool {
    len < file.len() && read(file[..len].to_vec()).0.is_empty() && len.is_multiple_of(4)
}

#[test]
fn an_absurd_length_ends_the_file_there() {
    let mut file = classic(0xa1b2_c3d4, false, &[(1, 0, b"abcd"), (2, 0, b"efgh")]);
    file[24 + 20 + 8..24 + 20 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!((read(file.clone()).0.len(), read(file).1), (1, true));
}

#[test]
fn what_is_no_capture_says_what_it_was() {
    let open = |octets: &[u8]| {
        let bytes = Bytes::new(Box::new(Cursor::new(octets.to_vec()))).unwrap();
        Capture::open(bytes, 0).unwrap_err().to_string()
    };
    assert_eq!(open(b""), "empty: needed a pcap or pcapng capture, had 0 octets");
    assert_eq!(
        open(b"\x7fELF and more of it, at least 24"),
        "not a capture: needed a pcap or pcapng magic, had 7f454c46"
    );
}

#[test]
fn inputs_of_one_sensor_are_one_stream_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let inputs: Vec<Input> = [[(1, 0), (3, 0), (5, 0)], [(2, 0), (3, 0), (4, 0)]]
        .iter()
        .enumerate()
        .map(|(i, times)| {
            let path = dir.path().join(format!("{i}.pcap"));
            let packets: Vec<(u32, u32, &[u8])> = times.iter().map(|(s, u)| (*s, *u, b"x".as_slice())).collect();
            std::fs::write(&path, classic(0xa1b2_c3d4, false, &packets)).unwrap();
            Input::Path { sensor: None, path }
        })
        .collect();
    let mut reader = Reader::open(&inputs).unwrap();
    let mut seen = Vec::new();
    while let Some(Item::Packet(p, _)) = reader.item().unwrap() {
        seen.push((p.ts / 1_000_000, p.input));
    }
    assert_eq!(seen, [(1, 0), (2, 1), (3, 0), (3, 1), (4, 1), (5, 0)]);
    assert_eq!(epoch(&inputs, "", "").unwrap(), epoch(&inputs, "", "").unwrap());
    assert_ne!(epoch(&inputs, "", "").unwrap(), epoch(&inputs[..1], "", "").unwrap());
}

/// Writes files into a folder and reads them all as one sensor: records, oddities and the reader itself.
fn read_all(files: &[Vec<u8>]) -> (Vec<Record>, Vec<ReaderOdd>, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let inputs: Vec<Input> = files
        .iter()
        .enumerate()
        .map(|(i, file)| {
            let path = dir.path().join(i.to_string());
            std::fs::write(&path, file).unwrap();
            Input::Path { sensor: None, path }
        })
        .collect();
    let mut reader = Reader::open(&inputs).unwrap();
    let (mut records, mut odds) = (Vec::new(), Vec::new());
    while reader.next_block(&mut records).unwrap().is_some() {
        odds.extend(reader.take_odds());
    }
    reader.end();
    odds.extend(reader.take_odds());
    (records, odds, reader)
}

/// Packets one second apart from `from` on, each an IPv4 UDP packet.
fn seconds(from: u32, n: u32) -> Vec<u8> {
    let mut packet = [[2; 12].as_slice(), &[8, 0]].concat();
    etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9).udp(1, 2).write(&mut packet, b"x").unwrap();
    let packets: Vec<(u32, u32, &[u8])> = (from..from + n).map(|s| (s, 0, packet.as_slice())).collect();
    classic(0xa1b2_c3d4, false, &packets)
}

#[test]
fn a_cut_input_is_said_and_the_others_go_on() {
    let mut cut = seconds(100, 20);
    cut.truncate(cut.len() - 5);
    let (records, odds, reader) = read_all(&[cut, seconds(100, 50)]);
    let summary = reader.summary();
    assert_eq!(records.len(), 69);
    assert_eq!(summary.iter().map(|s| (s.packets, s.truncated)).collect::<Vec<_>>(), [(19, true), (50, false)]);
    let odd: Vec<_> = odds.iter().map(|o| (o.kind, o.detail, o.stamp.input, o.stamp.frame)).collect();
    assert_eq!(odd, [("truncated", "record", 0, 20)], "the frame that is cut has a number");
}

#[test]
fn a_cut_before_the_clock_starts_is_not_from_1970() {
    let empty = [seconds(0, 0), vec![1, 2, 3]].concat();
    let (_, odds, _) = read_all(&[empty, seconds(1_000_000, 5)]);
    let at: Vec<_> = odds.iter().map(|o| (o.kind, o.stamp.eff / 1_000_000)).collect();
    assert_eq!(at, [("truncated", 999_999)]);
}

#[test]
fn damaged_compression_ends_its_own_input_only() {
    let file = seconds(100, 30);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut gz, &file).unwrap();
    let whole = gz.finish().unwrap();
    let mut damaged = whole.clone();
    let n = damaged.len();
    damaged[n - 8..n - 4].fill(0x55);
    let (left, right) = file.split_at(500);
    let mut zst = [zstd::encode_all(left, 1).unwrap(), zstd::encode_all(right, 1).unwrap()].concat();
    zst.truncate(zst.len() - 3);
    for (name, file) in [("checksum", damaged), ("cut gzip", whole[..n - 12].to_vec()), ("cut zstd", zst)] {
        let (records, odds, reader) = read_all(&[seconds(100, 30), file]);
        assert!(records.len() >= 30, "{name}: {}", records.len());
        let summary = reader.summary();
        assert_eq!((summary[0].truncated, summary[1].truncated), (false, true), "{name}");
        assert_eq!(odds.iter().map(|o| o.kind).collect::<Vec<_>>(), ["truncated"], "{name}");
    }
}

#[test]
fn several_members_and_a_skippable_frame_are_one_capture() {
    let file = seconds(100, 30);
    let (left, right) = file.split_at(333);
    let gz = |part: &[u8]| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gz, part).unwrap();
        gz.finish().unwrap()
    };
    let zst = |part: &[u8]| zstd::encode_all(part, 1).unwrap();
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
    for packed in
        [[gz(left), gz(right)].concat(), [skippable.to_vec(), zst(left), skippable.to_vec(), zst(right)].concat()]
    {
        let size = packed.len() as u64;
        let (records, odds, reader) = read_all(&[packed]);
        assert_eq!((records.len(), odds.len()), (30, 0));
        assert_eq!((reader.position(), reader.total()), (size, size), "progress is counted in stored octets");
    }
}

#[test]
fn times_that_go_back_or_far_ahead_are_said() {
    let packets = |times: &[u32]| {
        let list: Vec<(u32, u32, &[u8])> = times.iter().map(|s| (*s, 0, b"".as_slice())).collect();
        classic(0xa1b2_c3d4, false, &list)
    };
    let mut times: Vec<u32> = (1000..1020).collect();
    times.extend([1010, 1020, 90_000, 1021]);
    let (_, odds, _) = read_all(&[packets(&times)]);
    let odd: Vec<_> =
        odds.iter().filter(|o| o.stage == "reader").map(|o| (o.kind, o.stamp.frame, o.stamp.eff / 1_000_000)).collect();
    assert_eq!(odd, [("time_back", 21, 1018), ("time_ahead", 23, 1020)]);
}

#[test]
fn no_resolution_and_no_offset_moves_time_out_of_its_range() {
    let two = |n: u16| n.to_le_bytes();
    let interface_at = |resolution: u8, offset: i64| {
        let head = [two(1), two(0), two(0), two(0), two(9), two(1), [resolution, 0], two(0), two(14), two(8)].concat();
        block(1, &[head, offset.to_le_bytes().to_vec(), two(0).to_vec(), two(0).to_vec()].concat(), false)
    };
    let cases = [(0, 0), (0, i64::MAX), (6, i64::MIN), (0xff, 0), (0x7f, -1), (9, i64::MIN)];
    let mut file = section(false);
    for (resolution, offset) in cases {
        file.extend(interface_at(resolution, offset));
    }
    for i in 0..300_u32 {
        let ticks = [0, u64::MAX, 1 << 40][i as usize % 3];
        file.extend(enhanced(i % cases.len() as u32, ticks, b"", false));
    }
    let (_, _, reader) = read_all(&[file]);
    let summary = &reader.summary()[0];
    assert_eq!((summary.packets, summary.truncated), (300, false));
    assert!(summary.first.unwrap() >= 0 && summary.last.unwrap() < 253_402_300_800_000_000);
}

#[test]
fn obsolete_packet_blocks_are_read() {
    let data = words(&[0x0007_0000, 0, 9, 2, 2], false);
    let file = [section(false), interface(1, 6, false), block(2, &[data, b"ab".to_vec()].concat(), false)].concat();
    assert_eq!(read(file).0, [(9, 1, b"ab".to_vec())]);
}

#[test]
fn a_header_that_ends_early_is_not_called_a_foreign_file() {
    let open = |octets: &[u8]| {
        Capture::open(Bytes::new(Box::new(Cursor::new(octets.to_vec()))).unwrap(), 0).unwrap_err().to_string()
    };
    let file = classic(0xa1b2_c3d4, false, &[]);
    assert_eq!(open(&file[..10]), "cut in its file header: needed 24 octets, had 10");
    assert_eq!(open(&section(true)[..6]), "cut in its file header: needed 28 octets, had 6");
    assert_eq!(
        open(b"\x0a\x0d\x0d\x0a\0\0\0\x1cnonsense"),
        "not a capture: needed a pcap or pcapng magic, had 0a0d0d0a"
    );
}

#[test]
fn what_can_be_read_once_is_named_by_its_run() {
    let stdin = [Input::Stdin { sensor: None }];
    assert_ne!(epoch(&stdin, "1", "").unwrap(), epoch(&stdin, "2", "").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pcap");
    std::fs::write(&path, seconds(1, 3)).unwrap();
    let file = [Input::Path { sensor: None, path }];
    assert_eq!(epoch(&file, "1", "").unwrap(), epoch(&file, "2", "").unwrap(), "a file is named by its content");
    assert_eq!(epoch(&file, "", "").unwrap().len(), 16);
    assert_ne!(epoch(&file, "", "").unwrap(), epoch(&file, "", "x1=8443;").unwrap(), "settings change rows");
}

#[test]
fn a_packet_without_a_time_has_that_of_the_one_before_and_it_is_said_once() {
    let simple = |data: &[u8]| block(3, &[words(&[data.len() as u32], false), data.to_vec()].concat(), false);
    let file = [
        section(false),
        interface(101, 6, false),
        enhanced(0, 7_000_000, b"one", false),
        simple(b"two"),
        simple(b"three"),
    ];
    let (_, odds, reader) = read_all(&[file.concat()]);
    let said: Vec<_> =
        odds.iter().filter(|o| o.stage == "reader").map(|o| (o.kind, o.stamp.frame, o.stamp.eff)).collect();
    assert_eq!(
        (said.as_slice(), reader.summary()[0].last),
        ([("time_unknown", 2, 7_000_000)].as_slice(), Some(7_000_000))
    );
}

#[test]
fn interfaces_beyond_the_bound_are_counted() {
    let mut file = section(true);
    (0..4100).for_each(|_| file.extend(interface(101, 6, true)));
    file.extend(enhanced(4095, 9_000_000, b"", true));
    file.extend(enhanced(4096, 9_000_000, b"", true));
    let (_, _, reader) = read_all(&[file]);
    assert_eq!(reader.counters().dropped.get("pcapng_interfaces"), Some(&4));
    assert_eq!((reader.summary()[0].packets, reader.summary()[0].truncated), (1, true));
}

#[test]
fn fragments_that_wait_at_the_end_are_said() {
    let ip = [0x45, 0, 0, 28, 0, 7, 0x20, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 20, 0, 0];
    let frame = [[2; 12].as_slice(), &[8, 0], &ip].concat();
    let (_, odds, reader) = read_all(&[classic(0xa1b2_c3d4, false, &[(50, 0, &frame), (60, 0, b"")])]);
    let said: Vec<_> = odds
        .iter()
        .filter(|o| o.stage == "fragment")
        .map(|o| (o.kind, o.detail, o.stamp.frame, o.stamp.eff, o.had))
        .collect();
    assert_eq!(said, [("truncated", "fragments missing", 1, 60_000_000, Some(8))]);
    assert_eq!(reader.counters().dropped.get("fragment_incomplete"), Some(&1));
}

/// Packets as both formats can hold them: µs, octets.
fn some_packets() -> impl Strategy<Value = Vec<(i64, Vec<u8>)>> {
    prop::collection::vec((0_i64..4_000_000_000_000_000, prop::collection::vec(any::<u8>(), 0..90)), 0..40)
}

fn both(packets: &[(i64, Vec<u8>)], big: bool) -> [Vec<u8>; 2] {
    let list: Vec<(u32, u32, &[u8])> =
        packets.iter().map(|(ts, data)| ((ts / 1_000_000) as u32, (ts % 1_000_000) as u32, data.as_slice())).collect();
    let mut ng = [section(big), interface(1, 6, big)].concat();
    packets.iter().for_each(|(ts, data)| ng.extend(enhanced(0, *ts as u64, data, big)));
    [classic(0xa1b2_c3d4, big, &list), ng]
}

proptest! {
    #[test]
    fn what_is_written_is_read(packets in some_packets(), big: bool) {
        for file in both(&packets, big) {
            let (got, cut) = read(file);
            prop_assert!(!cut);
            prop_assert_eq!(got.into_iter().map(|(ts, _, data)| (ts, data)).collect::<Vec<_>>(), packets.clone());
        }
    }

    #[test]
    fn no_damage_does_harm(
        packets in some_packets(),
        big: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        for mut file in both(&packets, big) {
            for (at, octet) in &damage {
                let at = at.index(file.len());
                file[at] = *octet;
            }
            let Ok(mut capture) = Capture::open(Bytes::new(Box::new(Cursor::new(file.clone()))).unwrap(), 0) else { continue };
            let mut octets = 0;
            while let Some(packet) = capture.next().unwrap() {
                prop_assert!(capture.block().get(packet.start..packet.start + packet.len).is_some());
                octets += packet.len + 16;
                prop_assert!(octets <= file.len(), "more was read than is there");
            }
        }
    }
}
