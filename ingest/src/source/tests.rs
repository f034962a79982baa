//! Captures of every kind, made here octet by octet, and the files of the reference collection where they are there.
use std::io::Cursor;

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
        out.push((p.ts, p.link, p.block[p.start..p.start + p.len].to_vec()));
    }
    (out, capture.cut.is_some())
}

#[test]
fn both_byte_orders_and_both_resolutions() {
    for (magic, big, part) in [(0xa1b2_c3d4, true, 5), (0xa1b2_c3d4, false, 5), (0xa1b2_3c4d, true, 5_999), (0xa1b2_3c4d, false, 5_000)] {
        let (packets, cut) = read(classic(magic, big, &[(7, part, b"ab"), (8, 0, b"")]));
        assert_eq!(packets, [(7_000_005, 1, b"ab".to_vec()), (8_000_000, 1, Vec::new())], "{magic:x} {big}");
        assert!(!cut);
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
    assert_eq!(short, [(5_000_000, 1, 3), (6_000_000, 101, 3), (7_000_000, 113, 5), (0, 113, 4)]);
    assert!(!cut);
}

#[test]
fn every_cut_of_a_file_is_said_and_gives_the_packets_before_it() {
    let ng = [section(false), interface(1, 6, false), enhanced(0, 1, b"abcd", false), enhanced(0, 2, b"efgh", false)].concat();
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
    len < file.len() && read(file[..len].to_vec()).0.is_empty() && len % 4 == 0
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
    assert_eq!(open(b"\x7fELF and more of it, at least 24"), "not a capture: needed the magic of pcap or pcapng, had 7f454c46");
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
    while let Some(p) = reader.packet().unwrap() {
        seen.push((p.ts / 1_000_000, p.input));
    }
    assert_eq!(seen, [(1, 0), (2, 1), (3, 0), (3, 1), (4, 1), (5, 0)]);
    assert_eq!(epoch(&inputs).unwrap(), epoch(&inputs).unwrap());
    assert_ne!(epoch(&inputs).unwrap(), epoch(&inputs[..1]).unwrap());
}
