//! The captures are what they claim: same octets for a seed, checksums right, X2/X3 streams whole.
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

#[test]
fn every_checksum_is_right() {
    for name in ["s3", "s4"] {
        for (i, frame) in frames(name).iter().enumerate() {
            let packet = SlicedPacket::from_ethernet(frame).unwrap();
            let Some(NetSlice::Ipv4(ip)) = &packet.net else { continue };
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum(), "{name} frame {}", i + 1);
            match &packet.transport {
                Some(TransportSlice::Udp(udp)) => {
                    let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
                    assert_eq!(udp.checksum(), sum, "{name} frame {}", i + 1);
                }
                Some(TransportSlice::Tcp(tcp)) => {
                    let sum = tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap();
                    assert_eq!(tcp.checksum(), sum, "{name} frame {}", i + 1);
                }
                _ => {}
            }
        }
    }
}

/// tshark does not put X2/X3 streams together, so each is walked here, unit by unit, to its last octet.
#[test]
fn every_x2_x3_stream_is_whole() {
    let mut streams: BTreeMap<_, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for frame in frames("s4") {
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (&packet.net, &packet.transport) else { continue };
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
