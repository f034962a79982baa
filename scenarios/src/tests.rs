//! The captures are what they claim: checksums right at every layer, nothing that tshark complains of, X2/X3 streams whole.
use std::collections::BTreeMap;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;
use crate::wire::x2x3;

fn frames(name: &str) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    write(name, dir.path(), &Options { seed: 3, background: 2_000 }).unwrap();
    let data = fs::read(dir.path().join("capture.pcap")).unwrap();
    let (mut at, mut out) = (24, Vec::new());
    while at < data.len() {
        let len = u32::from_le_bytes(data[at + 8..at + 12].try_into().unwrap()) as usize;
        out.push(data[at + 16..at + 16 + len].to_vec());
        at += 16 + len;
    }
    out
}

/// An Ethernet frame checked from the outside in, through tunnels; counts what was checked by the tunnels around it.
fn check(frame: &[u8], around: &str, seen: &mut BTreeMap<String, usize>) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let inside = match (&packet.net, &packet.transport) {
        (Some(NetSlice::Ipv4(ip)), transport) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            match transport {
                Some(TransportSlice::Udp(udp)) => {
                    assert_eq!(udp.checksum(), udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap());
                }
                Some(TransportSlice::Tcp(tcp)) => {
                    assert_eq!(tcp.checksum(), tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap());
                }
                _ => {}
            }
            tunnelled(ip.payload().ip_number.0, ip.payload().payload)
        }
        (Some(NetSlice::Ipv6(ip)), transport) => {
            let header = ip.header().to_header();
            match transport {
                Some(TransportSlice::Udp(udp)) => {
                    assert_eq!(udp.checksum(), udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap());
                }
                Some(TransportSlice::Tcp(tcp)) => {
                    assert_eq!(tcp.checksum(), tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap());
                }
                _ => {}
            }
            None
        }
        _ => None,
    };
    *seen.entry(around.to_owned()).or_default() += 1;
    if let Some((name, inner)) = inside {
        check(&inner, name, seen);
    }
}

/// What a tunnel carries, as an Ethernet frame.
fn tunnelled(proto: u8, payload: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let framed = |ip: &[u8]| {
        let kind: [u8; 2] = if ip[0] >> 4 == 4 { [0x08, 0] } else { [0x86, 0xdd] };
        [[2; 12].as_slice(), &kind, ip].concat()
    };
    match (proto, payload.get(2..4)) {
        (47, _) => Some(("gre", framed(&payload[4..]))),
        (17, Some([0x12, 0xb5])) => Some(("vxlan", payload[16..].to_vec())),
        (17, Some([0x08, 0x68])) => Some(("gtpu", framed(&payload[16..]))),
        _ => None,
    }
}

#[test]
fn every_checksum_is_right_inside_tunnels_too() {
    let mut seen = BTreeMap::new();
    for scenario in list() {
        frames(scenario.name).iter().for_each(|frame| check(frame, "plain", &mut seen));
    }
    for around in ["plain", "gre", "vxlan", "gtpu"] {
        assert!(seen.get(around).is_some_and(|n| *n > 20), "{around}: {seen:?}");
    }
}

/// Streams that tshark has no reassembly for and that are walked below: X2/X3.
const NOT_FOR_TSHARK: &str = "tcp.port == 9000";

/// What tshark finds wrong with a capture, a line a frame; none where there is no tshark.
fn complaints(capture: &Path) -> Option<Vec<String>> {
    let sums = ["ip", "tcp", "udp"].map(|p| format!("{p}.checksum.status == 0")).join(" || ");
    // Expert information at the level of an error.
    let filter = format!("(_ws.malformed || _ws.expert.severity >= 8388608 || {sums}) && !({NOT_FOR_TSHARK})");
    let mut command = std::process::Command::new("tshark");
    command.arg("-r").arg(capture).args([
        "-n",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "_ws.expert.message",
        "-Y",
        &filter,
    ]);
    ["ip", "tcp", "udp"].iter().for_each(|p| {
        command.args(["-o", &format!("{p}.check_checksum:TRUE")]);
    });
    let output = command.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn tshark_finds_nothing_wrong() {
    for scenario in list() {
        let dir = tempfile::tempdir().unwrap();
        write(scenario.name, dir.path(), &Options { seed: 3, background: 2_000 }).unwrap();
        let capture = dir.path().join("capture.pcap");
        let Some(found) = complaints(&capture) else {
            return println!("skipped: no tshark here, so nobody else has read the scenarios' captures");
        };
        assert!(found.is_empty(), "{}: {found:#?}", scenario.name);
    }
}

#[test]
fn tshark_would_find_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    write("s3", dir.path(), &Options { seed: 3, background: 200 }).unwrap();
    let path = dir.path().join("capture.pcap");
    let mut data = fs::read(&path).unwrap();
    // The count of questions of the first DNS message, and nothing else.
    let (mut at, mut spoilt) = (24, false);
    while !spoilt {
        let len = u32::from_le_bytes(data[at + 8..at + 12].try_into().unwrap()) as usize;
        let frame = &mut data[at + 16..at + 16 + len];
        spoilt = frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == [0, 53];
        if spoilt {
            frame[46..48].copy_from_slice(&[9, 9]);
        }
        at += 16 + len;
    }
    fs::write(&path, data).unwrap();
    let Some(found) = complaints(&path) else { return println!("skipped: no tshark here") };
    assert_eq!(found.len(), 1, "{found:?}");
}

/// tshark does not put X2/X3 streams together, so each is walked here, unit by unit, to its last octet.
#[test]
fn every_x2_x3_stream_is_whole() {
    let mut streams: BTreeMap<_, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for frame in frames("s4").into_iter().chain(frames("s5")) {
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (&packet.net, &packet.transport) else {
            continue;
        };
        if tcp.destination_port() == 9000 && !tcp.payload().is_empty() {
            let key = (ip.header().destination(), tcp.source_port());
            streams.entry(key).or_default().insert(tcp.sequence_number(), tcp.payload().to_vec());
        }
    }
    assert!(streams.len() >= 4, "{} streams", streams.len());
    for (key, parts) in streams {
        let mut octets = Vec::new();
        let first = *parts.keys().next().unwrap();
        for (seq, part) in parts {
            assert_eq!(seq.wrapping_sub(first) as usize, octets.len(), "a hole in {key:?}");
            octets.extend(part);
        }
        let (units, rest) = x2x3::walk(&octets);
        assert!(units.len() > 10 && rest == 0, "{key:?}: {} units, {rest} octets left", units.len());
    }
}

#[test]
fn expectations_read_and_name_known_levels() {
    for scenario in list() {
        let dir = tempfile::tempdir().unwrap();
        write(scenario.name, dir.path(), &Options { seed: 1, background: 0 }).unwrap();
        let expected = expected(dir.path()).unwrap();
        assert_eq!(expected.expect.is_empty(), scenario.name.ends_with("-benign"), "{}", scenario.name);
    }
}

#[test]
fn a_repeated_capture_goes_on_in_time() {
    let dir = tempfile::tempdir().unwrap();
    write("s3", dir.path(), &Options { seed: 1, background: 0 }).unwrap();
    let (from, to) = (dir.path().join("capture.pcap"), dir.path().join("three.pcap"));
    let packets = repeat_shifted(&from, &to, 3).unwrap();
    let (one, three) = (fs::read(from).unwrap(), fs::read(to).unwrap());
    assert_eq!(three.len() - 24, (one.len() - 24) * 3);
    assert_eq!(packets % 3, 0);
    let seconds = |at: usize| u32::from_le_bytes(three[at..at + 4].try_into().unwrap());
    assert!(seconds(one.len()) > seconds(24), "the second round is later");
}
