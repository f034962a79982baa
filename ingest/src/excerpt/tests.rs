//! Frames of every kind, read again: what is kept, what is cut, what is missing.
use etherparse::PacketBuilder;

use super::*;
use crate::decode::testing::hex;

const SNMP: &str = "302902010104067075626c6963a01c020412345678020100020100300e300c06082b060102010101000500";
const X1: &[u8] =
    b"POST /X1 HTTP/1.1\r\nContent-Length: 90\r\n\r\n<X1Request xmlns=\"http://uri.etsi.org/03221/X1/2017/10\">";
/// An X2/X3 unit: version 0.5, type X2.
const X3: &str = "000500020000002800000004000500010000000000000000000000000000000000000000000000aabbccdd";

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(ports.0, ports.1);
    builder.write(&mut out, payload).unwrap();
    out
}

fn tcp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder =
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(ports.0, ports.1, 1, 1000);
    builder.write(&mut out, payload).unwrap();
    out
}

/// Those frames as a classic capture, and what an excerpt of all of them holds: lengths kept and lengths they had.
fn lengths(frames: &[Vec<u8>], keep: Keep) -> Vec<(usize, u32)> {
    let (_folder, path) = file(frames);
    let wanted = Wanted { path, capture: "c-00000".into(), frames: (1..=frames.len() as u64).collect() };
    let got = excerpt(&[wanted], keep, "lidr").unwrap();
    assert!(got.missing.is_empty() && got.written == frames.len() as u64);
    read_back(got.pcapng).into_iter().map(|(_, kept, whole)| (kept.len(), whole)).collect()
}

fn file(frames: &[Vec<u8>]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let mut out = hex("a1b2c3d4000200040000000000000000 0000ffff00000001");
    for (i, frame) in frames.iter().enumerate() {
        let len = frame.len() as u32;
        [7 + i as u32, 5, len, len].iter().for_each(|n| out.extend(n.to_be_bytes()));
        out.extend(frame);
    }
    std::fs::write(&path, out).unwrap();
    (folder, path)
}

fn read_back(pcapng: Vec<u8>) -> Vec<(i64, Vec<u8>, u32)> {
    let mut capture = Capture::open(Bytes::new(Box::new(std::io::Cursor::new(pcapng))).unwrap(), 0).unwrap();
    let mut out = Vec::new();
    while let Some(p) = capture.next().unwrap() {
        out.push((p.ts, capture.block()[p.start..p.start + p.len].to_vec(), p.wire_len));
    }
    assert!(capture.cut.is_none(), "it is a whole pcapng");
    out
}

#[test]
fn headers_alone_are_kept_unless_control_is_asked_for() {
    let frames = [udp((40_000, 161), &hex(SNMP)), tcp((40_000, 8080), X1), tcp((40_000, 9000), &hex(X3))];
    let whole: Vec<u32> = frames.iter().map(|f| f.len() as u32).collect();
    assert_eq!(lengths(&frames, Keep::Headers), [(42, whole[0]), (54, whole[1]), (54, whole[2])]);
    let control = lengths(&frames, Keep::Control);
    assert_eq!(control, [(whole[0] as usize, whole[0]), (whole[1] as usize, whole[1]), (54, whole[2])]);
}

#[test]
fn what_may_be_content_is_cut_even_then() {
    let inner = udp((40_000, 161), &hex(SNMP));
    let gtp = [hex("30ff0000 00000001"), inner[14..].to_vec()].concat();
    let vxlan = [hex("08000000 00000100"), inner.clone()].concat();
    let mut arp = inner.clone();
    arp[12..14].copy_from_slice(&[8, 6]);
    let mut fragment = inner.clone();
    fragment[20] = 0x20;
    let frames = [
        udp((2152, 2152), &gtp),
        udp((40_000, 4789), &vxlan),
        arp,
        fragment,
        tcp((40_000, 80), b"GET /mail HTTP/1.1\r\n\r\nsecret words"),
        udp((5000, 5001), b"anything at all"),
        vec![2; 9],
    ];
    let kept: Vec<usize> = lengths(&frames, Keep::Control).into_iter().map(|(kept, _)| kept).collect();
    assert_eq!(kept, [42, 42, 14, 14, 54, 42, 9]);
}

#[test]
fn frames_keep_number_time_and_place() {
    let (_folder, path) = file(&[vec![1; 20], udp((1, 2), b"x"), udp((3, 4), b"yz")]);
    let frames = [2, 3, 9].into();
    let got = excerpt(&[Wanted { path, capture: "c-00000".into(), frames }], Keep::Headers, "lidr 9").unwrap();
    assert_eq!((got.written, got.missing), (2, vec![("c-00000".to_owned(), 9)]));
    let text = String::from_utf8_lossy(&got.pcapng).into_owned();
    for part in ["lidr 9", "c-00000 frame 2, 1 octets cut by lidr", "c-00000 frame 3, 2 octets"] {
        assert!(text.contains(part), "{part}");
    }
    let times: Vec<i64> = read_back(got.pcapng).iter().map(|(ts, ..)| *ts).collect();
    assert_eq!(times, [8_000_005, 9_000_005]);
    let none = Wanted { path: "/nowhere".into(), capture: "c".into(), frames: [1].into() };
    assert!(excerpt(&[none], Keep::Headers, "lidr").unwrap_err().to_string().contains("/nowhere"));
}
