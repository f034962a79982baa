//! Frames of every kind, made by etherparse's builder or by hand; every truncation; random octets.
use std::sync::Arc;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

fn decode_all(frames: &mut Frames, link: u32, frame: &[u8], wire_len: usize) -> (Vec<Record>, Vec<ReaderOdd>) {
    let (mut out, mut odds) = (Vec::new(), Vec::new());
    let raw = RawPacket {
        ts: 1,
        link,
        wire_len: wire_len as u32,
        block: Arc::new(frame.to_vec()),
        start: 0,
        len: frame.len(),
        input: 0,
        frame: 1,
    };
    let stamp = Stamp { ts: 1, eff: 1, frame: 1, input: 0 };
    frames.packet(&raw, stamp, 1, &mut out, &mut odds);
    (out, odds)
}

fn decode(link: u32, frame: &[u8]) -> (Vec<Record>, Vec<ReaderOdd>) {
    decode_all(&mut Frames::default(), link, frame, frame.len())
}

fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(src, dst);
    builder.write(&mut out, payload).unwrap();
    out
}

fn ethernet(ip: &[u8]) -> Vec<u8> {
    let kind: [u8; 2] = if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    [[2; 12].as_slice(), &kind, ip].concat()
}

/// An IPv4 packet of that protocol.
fn ip(proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 9);
    builder.write(&mut out, IpNumber(proto), payload).unwrap();
    out
}

fn gre(kind: u16, key: Option<u32>, inner: &[u8]) -> Vec<u8> {
    let flags: [u8; 2] = if key.is_some() { [0x20, 0] } else { [0, 0] };
    let key = key.map(u32::to_be_bytes);
    ip(47, &[flags.as_slice(), kind.to_be_bytes().as_slice(), key.as_ref().map_or(&[][..], |k| k), inner].concat())
}

#[test]
fn every_link_type_reaches_the_same_packet() {
    let packet = udp(4000, 53, b"hello");
    let cooked = [&[0; 14], [8, 0].as_slice(), &packet].concat();
    let cooked2 = [[8, 0].as_slice(), &[0; 18], &packet].concat();
    let vlan = [[2; 12].as_slice(), &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0], &packet].concat();
    let mpls = [[2; 12].as_slice(), &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64], &packet].concat();
    let pppoe = [[2; 12].as_slice(), &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21], &packet].concat();
    let null = [[2, 0, 0, 0].as_slice(), &packet].concat();
    for (link, frame) in
        [(1, ethernet(&packet)), (113, cooked), (276, cooked2), (101, packet.clone()), (0, null), (1, vlan), (1, mpls), (1, pppoe)]
    {
        let (records, odds) = decode(link, &frame);
        assert_eq!(records.len(), 1, "link {link}: {odds:?}");
        assert_eq!(records[0].payload(), b"hello");
        assert_eq!((records[0].ends.src_port, records[0].ends.dst_port, records[0].ip_len), (4000, 53, 33));
    }
}

#[test]
fn padding_is_not_payload_and_a_cut_is_known() {
    let mut frame = ethernet(&udp(1, 2, b"abc"));
    let whole = frame.len();
    frame.resize(60, 0);
    assert_eq!(decode(1, &frame).0[0].payload(), b"abc");
    let (records, _) = decode_all(&mut Frames::default(), 1, &frame[..whole - 2], whole);
    assert_eq!((records[0].payload_len, records[0].payload_captured), (3, 1));
}

#[test]
fn ipv6_extension_headers_are_passed_over() {
    let mut packet = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(5, 6).write(&mut packet, b"x").unwrap();
    let payload = packet.split_off(40);
    packet[6] = 0;
    packet[5] += 8;
    packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend(payload);
    let (records, odds) = decode(1, &ethernet(&packet));
    assert_eq!(records.first().map(|r| r.payload()), Some(b"x".as_slice()), "{odds:?}");
}

#[test]
fn tunnels_give_a_record_a_layer() {
    let inner = udp(7, 8, b"in");
    let vxlan = udp(9, 4789, &[[8, 0, 0, 0, 0, 0, 5, 0].as_slice(), &ethernet(&inner)].concat());
    let gtp = udp(2152, 2152, &[[0x34, 255, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0x85, 1, 0, 0, 0].as_slice(), &inner].concat());
    let erspan2 = ip(47, &[[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1].as_slice(), &[0; 8], &ethernet(&inner)].concat());
    let cases = [
        (gre(0x0800, Some(77), &inner), "gre", Some(77)),
        (gre(0x6558, None, &ethernet(&inner)), "gre", None),
        (vxlan, "vxlan", Some(5)),
        (gtp, "gtpu", Some(0x101)),
        (ip(4, &inner), "ipip", None),
        (erspan2, "erspan2", None),
    ];
    for (packet, path, id) in cases {
        let (records, odds) = decode(1, &ethernet(&packet));
        assert_eq!(records.len(), 2, "{path}: {odds:?}");
        assert!(records[0].carrier && !records[0].key.inner && records[1].key.inner);
        let outer = records[1].outer.as_deref().unwrap();
        assert_eq!((&*outer.path, outer.id, records[1].payload()), (path, id, b"in".as_slice()));
    }
}

#[test]
fn looped_tunnels_end_at_their_depth() {
    let mut packet = udp(1, 2, b"deep");
    for _ in 0..10 {
        packet = gre(0x0800, None, &packet);
    }
    let (records, odds) = decode(101, &packet);
    assert_eq!(records.len(), usize::from(MOST_LAYERS) + 1);
    assert_eq!(odds.iter().map(|o| o.kind).collect::<Vec<_>>(), ["too_deep"]);
    assert_eq!(records[4].outer.as_deref().map(|o| &*o.path), Some("gre/gre/gre/gre"));
}

#[test]
fn fragments_make_one_record_where_the_last_one_comes() {
    let whole = udp(1111, 53, &[7; 2000]);
    let payload = &whole[20..];
    let mut frames = Frames::default();
    let mut records = Vec::new();
    for (offset, end, more) in [(0, 1000, true), (1000, 2008, false)] {
        let mut head = whole[..20].to_vec();
        let part = &payload[offset..end];
        head[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        let field = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
        head[6..8].copy_from_slice(&field.to_be_bytes());
        let packet = [head, part.to_vec()].concat();
        records.extend(decode_all(&mut frames, 101, &packet, packet.len()).0);
    }
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].payload(), records[0].ends.dst_port), ([7; 2000].as_slice(), 53));
}

#[test]
fn both_directions_meet_in_one_key_also_for_ping() {
    let mut ping = Vec::new();
    PacketBuilder::ipv4([1, 1, 1, 1], [2, 2, 2, 2], 9).icmpv4_echo_request(1, 2).write(&mut ping, b"").unwrap();
    let mut pong = Vec::new();
    PacketBuilder::ipv4([2, 2, 2, 2], [1, 1, 1, 1], 9).icmpv4_echo_reply(1, 2).write(&mut pong, b"").unwrap();
    assert_eq!(decode(101, &ping).0[0].key, decode(101, &pong).0[0].key);
}

#[test]
fn what_is_not_opened_is_counted_under_its_name() {
    let mut frames = Frames::default();
    let arp = [[2; 12].as_slice(), &[8, 6], &[0; 28]].concat();
    decode_all(&mut frames, 1, &arp, arp.len());
    decode_all(&mut frames, 101, &ip(50, b"secret"), 26);
    decode_all(&mut frames, 9999, &arp, arp.len());
    let skipped = frames.counters().skipped;
    assert_eq!((skipped["arp"], skipped["esp"], skipped["unknown_link"]), (1, 1, 1));
}

#[test]
fn every_truncation_gives_a_record_or_says_why_not() {
    let inner = udp(7, 8, b"in");
    let gtp = udp(2152, 2152, &[[0x34, 255, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0x85, 1, 0, 0, 0].as_slice(), &inner].concat());
    for frame in [ethernet(&gtp), ethernet(&gre(0x6558, Some(1), &ethernet(&inner)))] {
        for len in 0..frame.len() {
            let (records, odds) = decode_all(&mut Frames::default(), 1, &frame[..len], frame.len());
            assert!(!records.is_empty() || !odds.is_empty(), "nothing said of {len} octets");
        }
    }
}

proptest! {
    #[test]
    fn no_octets_do_harm(link in prop::sample::select(vec![0_u32, 1, 101, 108, 113, 276]), octets in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(link, &octets);
    }

    #[test]
    fn no_change_of_a_good_frame_does_harm(at in 0_usize..100, value: u8) {
        let mut frame = ethernet(&gre(0x6558, Some(1), &ethernet(&udp(7, 2152, &[0x34; 60]))));
        let at = at % frame.len();
        frame[at] = value;
        decode(1, &frame);
    }
}
