//! A proposed site folder must not make an intruder one of the carrier's own without asking.
use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::Path};

use crate::lidr::{Simulated, ok};

/// What is proposed from a capture: files by name.
fn proposed(dir: &Path, capture: &[u8]) -> BTreeMap<String, String> {
    let (file, out) = (dir.join("cut.pcap"), dir.join("proposed"));
    fs::write(&file, capture).unwrap();
    ok(["doctor", "--propose-site", file.to_str().unwrap(), "--out-site", out.to_str().unwrap()]);
    let one = |e: fs::DirEntry| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap());
    fs::read_dir(out).unwrap().flatten().map(one).collect()
}

fn tables(files: &BTreeMap<String, String>) -> String {
    files.iter().filter(|(name, _)| name.ends_with(".csv")).map(|(name, text)| format!("{name}\n{text}")).collect()
}

/// A capture without the packets of a host.
fn without(capture: &[u8], host: [u8; 4]) -> Vec<u8> {
    let (mut out, mut at) = (capture[..24].to_vec(), 24);
    while at < capture.len() {
        let length = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap()) as usize;
        let frame = &capture[at..at + 16 + length];
        if !frame[16..].iter().take(60).copied().collect::<Vec<_>>().windows(4).any(|w| w == host) {
            out.extend(frame);
        }
        at += 16 + length;
    }
    out
}

/// A capture of Ethernet.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for (i, packet) in packets.iter().enumerate() {
        let length = u32::try_from(packet.len()).unwrap();
        for word in [1_795_140_000, u32::try_from(i).unwrap() * 1_000, length, length] {
            out.extend(word.to_le_bytes());
        }
        out.extend(packet);
    }
    out
}

fn sum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.concat();
    let mut sum: u32 = words.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}

fn ipv4(protocol: u8, src: &str, dst: &str, inner: &[u8]) -> Vec<u8> {
    let [src, dst]: [Ipv4Addr; 2] = [src, dst].map(|ip| ip.parse().unwrap());
    let length = u16::try_from(20 + inner.len()).unwrap().to_be_bytes();
    let mut head = [&[0x45, 0][..], &length, &[0, 1, 0, 0, 64, protocol, 0, 0], &src.octets(), &dst.octets()].concat();
    let check = sum(&[&head]);
    head[10..12].copy_from_slice(&check);
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &head, inner].concat()
}

fn udp(src: (&str, u16), dst: (&str, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let head = [src.1, dst.1, length, 0].map(u16::to_be_bytes).concat();
    ipv4(17, src.0, dst.0, &[&head, payload].concat())
}

fn tcp(src: (&str, u16), dst: (&str, u16), payload: &[u8]) -> Vec<u8> {
    let mut head =
        [[src.1, dst.1].map(u16::to_be_bytes).concat(), vec![0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0]]
            .concat();
    let [from, to]: [Ipv4Addr; 2] = [src.0, dst.0].map(|ip| ip.parse().unwrap());
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let check = sum(&[&from.octets(), &to.octets(), &[0, 6], &length, &head, payload]);
    head[16..18].copy_from_slice(&check);
    ipv4(6, src.0, dst.0, &[head, payload.to_vec()].concat())
}

/// SNMP v2c about sysDescr: a request (0xa0) or an answer (0xa2).
fn snmp(kind: u8) -> Vec<u8> {
    let head = [0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', kind, 0x19];
    let rest = [2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 1, 0, 5, 0];
    [&head[..], &rest].concat()
}

#[test]
fn an_intruder_who_asked_alone_is_no_manager_and_somebody_is_asked() {
    let s = Simulated::new("s3", 300);
    let capture = without(&fs::read(s.path("capture.pcap")).unwrap(), [10, 66, 0, 10]);
    let files = proposed(&s.dir, &capture);
    let tables = tables(&files);
    assert!(tables.contains("ne-snmp-tap,10.0.0.1,800000090300001122334455,,\n"), "{tables}");
    assert!(!tables.contains("10.20.0.99") && !tables.contains("10-20-0-99") && !tables.contains("admf"), "{tables}");
    let page = &files["PROPOSED.md"];
    assert!(page.contains("10.20.0.99/netops is the only one that asked 10.0.0.1 for taps, 18 times"), "{page}");
}

#[test]
fn hosts_outside_that_poll_or_are_told_are_asked_about_and_not_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut packets = vec![
        udp(("10.0.0.1", 50_000), ("203.0.113.9", 2_055), &[0; 24]),
        udp(("10.0.0.1", 50_001), ("203.0.113.10", 514), b"<13>hello"),
        udp(("10.0.0.1", 50_002), ("10.20.0.30", 514), b"<13>hello"),
    ];
    for ne in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"] {
        packets.push(udp(("203.0.113.66", 40_000), (ne, 161), &snmp(0xa0)));
        packets.push(udp((ne, 161), ("203.0.113.66", 40_000), &snmp(0xa2)));
    }
    packets.push(udp(("203.0.113.9", 40_000), ("198.51.100.1", 161), &snmp(0xa0)));
    packets.push(udp(("198.51.100.1", 161), ("203.0.113.9", 40_000), &snmp(0xa2)));
    let files = proposed(dir.path(), &pcap(&packets));
    let (tables, page) = (tables(&files), &files["PROPOSED.md"]);
    assert!(!tables.contains("203.0.113.") && !tables.contains("198.51.100."), "{tables}");
    assert!(
        tables.contains("syslog,10.20.0.30,514,proposed\n") && tables.contains("10.20.0.0/24,mgmt,5\n"),
        "{tables}"
    );
    for host in ["203.0.113.9", "203.0.113.10", "203.0.113.66", "198.51.100.1"] {
        assert!(page.contains(&format!("- {host} looks like ")) && page.contains("Whose is it?"), "{host}: {page}");
    }
}

#[test]
fn what_sends_product_is_not_taken_for_its_receiver_by_messages_without_product() {
    let dir = tempfile::tempdir().unwrap();
    // X2/X3: a unit to the receiver, then a keepalive and an acknowledgement: whoever acknowledges looks like a receiver, and nothing came to it.
    let signal = |kind: u8| [&[0, 5, 0, kind, 0, 0, 0, 40][..], &[0; 32]].concat();
    let unit =
        [&[0, 5, 0, 2, 0, 0, 0, 40, 0, 0, 0, 8, 0, 5, 0, 1][..], &[0x29; 16], &[0; 8], &[0x45, 0, 0, 8, 0, 0, 0, 0]]
            .concat();
    let packets = [
        tcp(("10.1.2.10", 40_001), ("10.9.9.20", 42_069), &unit),
        tcp(("10.1.2.10", 40_002), ("10.9.9.20", 42_069), &signal(3)),
        tcp(("10.1.2.10", 40_003), ("10.9.9.20", 42_069), &signal(4)),
    ];
    let files = proposed(dir.path(), &pcap(&packets));
    let elements = &files["elements.csv"];
    assert!(elements.contains("poi,10.1.2.10,") && elements.contains("mdf,10.9.9.20,"), "{elements}");
    assert!(!elements.contains("mdf,10.1.2.10,") && !files["PROPOSED.md"].contains(" 0 units"), "{files:?}");
}
