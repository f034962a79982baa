//! Frames of every kind, made by etherparse's builder or by hand; every truncation; random octets.
use std::sync::Arc;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

fn decode_all(frames: &mut Frames, link: u32, frame: &[u8], wire_len: usize) -> (Vec<Record>, Vec<ReaderOdd>) {
    let (mut out, mut odds) = (Vec::new(), Vec::new());
    let raw = RawPacket { ts: 1, link, wire_len: wire_len as u32, start: 0, len: frame.len(), input: 0, frame: 1 };
    let stamp = Stamp { ts: 1, eff: 1, frame: 1, input: 0 };
    frames.packet(&raw, &Arc::new(frame.to_vec()), stamp, 1, &mut out, &mut odds);
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
    for (link, frame) in [
        (1, ethernet(&packet)),
        (113, cooked),
        (276, cooked2),
        (101, packet.clone()),
        (0, null),
        (1, vlan),
        (1, mpls),
        (1, pppoe),
    ] {
        let (records, odds) = decode(link, &frame);
        assert_eq!(records.len(), 1, "link {link}: {odds:?}");
        assert_eq!(records[0].payload(), b"hello");
        assert_eq!((records[0].ports.0, records[0].ports.1, records[0].ip_len), (4000, 53, 33));
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
        (erspan2, "erspan2", Some(0)),
    ];
    for (packet, path, id) in cases {
        let (records, odds) = decode(1, &ethernet(&packet));
        assert_eq!(records.len(), 2, "{path}: {odds:?}");
        assert!(records[0].carrier && records[0].key.network == 0 && records[1].key.network != 0);
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
    assert_eq!((records[0].payload(), records[0].ports.1), ([7; 2000].as_slice(), 53));
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

/// A TCP packet with 20 octets of options and 100 of payload.
fn tcp_with_options() -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(40_000, 443, 7, 1024).ack(9);
    builder.options_raw(&[1; 20]).unwrap().write(&mut out, &[9; 100]).unwrap();
    out
}

/// Frames of every kind that is opened.
fn kinds() -> Vec<Vec<u8>> {
    let inner = udp(7, 8, b"in");
    let gtp = [[0x34, 255, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0x85, 1, 0, 0, 0].as_slice(), &inner].concat();
    let vxlan = [[8, 0, 0, 0, 0, 0, 5, 0].as_slice(), &ethernet(&inner)].concat();
    let erspan3 = [[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1].as_slice(), &[0; 11], &[1], &[0; 8], &ethernet(&inner)].concat();
    let mut six = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).icmpv6_echo_request(1, 2).write(&mut six, b"x").unwrap();
    let vlan = [[2; 12].as_slice(), &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0], &inner].concat();
    let mpls = [[2; 12].as_slice(), &[0x88, 0x47, 0, 1, 1, 64], &inner].concat();
    let pppoe = [[2; 12].as_slice(), &[0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21], &inner].concat();
    let packets = [
        tcp_with_options(),
        udp(2152, 2152, &gtp),
        udp(9, 4789, &vxlan),
        gre(0x6558, Some(1), &ethernet(&inner)),
        ip(47, &erspan3),
        ip(4, &inner),
        ip(132, &[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4]),
        six,
    ];
    packets.iter().map(|p| ethernet(p)).chain([vlan, mpls, pppoe]).collect()
}

#[test]
fn every_truncation_gives_a_record_or_says_why_not() {
    for frame in kinds() {
        let (whole, odds) = decode(1, &frame);
        assert!(!whole.is_empty() && odds.is_empty(), "{odds:?}");
        for len in 0..frame.len() {
            let (records, odds) = decode_all(&mut Frames::default(), 1, &frame[..len], frame.len());
            assert!(!records.is_empty() || !odds.is_empty(), "nothing said of {len} octets of {frame:02x?}");
            for (cut, uncut) in records.iter().zip(&whole) {
                assert_eq!(
                    (cut.key, cut.payload_len, cut.ip_len),
                    (uncut.key, uncut.payload_len, uncut.ip_len),
                    "{len}"
                );
                assert!(cut.payload_captured <= cut.payload_len && uncut.payload().starts_with(cut.payload()), "{len}");
            }
            // The same octets where the wire had no more: the length fields lie, and nothing breaks.
            decode(1, &frame[..len]);
        }
    }
}

#[test]
fn a_capture_that_cuts_tcp_options_keeps_the_conversation() {
    let frame = ethernet(&tcp_with_options());
    let (records, odds) = decode_all(&mut Frames::default(), 1, &frame[..64], frame.len());
    assert_eq!((records.len(), odds.len()), (1, 0));
    let r = &records[0];
    assert_eq!((r.ports.0, r.ports.1, r.tcp.seq, r.tcp.ack, r.tcp.flags), (40_000, 443, 7, 9, 16));
    assert_eq!((r.payload_len, r.payload_captured), (100, 0));
}

#[test]
fn overlapping_fragments_keep_the_first_octets_and_name_the_ends() {
    let whole = udp(1111, 53, &[7; 24]);
    let mut frames = Frames::default();
    let mut send = |offset: usize, part: &[u8], more: bool| {
        let mut head = whole[..20].to_vec();
        head[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        head[6..8].copy_from_slice(&((offset / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes());
        let packet = [head, part.to_vec()].concat();
        decode_all(&mut frames, 101, &packet, packet.len())
    };
    send(0, &whole[20..36], true);
    let (_, odds) = send(8, &[0xee; 8], true);
    assert_eq!(odds.iter().map(|o| (o.kind, o.ends.src_ip)).collect::<Vec<_>>(), [("overlap", Ip::v4([10, 0, 0, 1]))]);
    let (records, _) = send(16, &whole[36..], false);
    assert_eq!(records[0].payload(), [7; 24]);
    assert_eq!(records[0].ip_len as usize, whole.len());
}

#[test]
fn fragments_of_ipv6_are_put_together() {
    let mut whole = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(5, 53).write(&mut whole, &[3; 40]).unwrap();
    let mut frames = Frames::default();
    let mut records = Vec::new();
    for (from, to, more) in [(24, 48, 0), (0, 24, 1)] {
        let mut head = whole[..40].to_vec();
        head[6] = 44;
        head[4..6].copy_from_slice(&(8 + (to - from) as u16).to_be_bytes());
        // Only the first fragment's word about the protocol counts.
        let next = if from == 0 { 17 } else { 6 };
        let field = (from as u16 | more).to_be_bytes();
        let packet = [head, vec![next, 0, field[0], field[1], 0, 0, 0, 9], whole[40 + from..40 + to].to_vec()].concat();
        records.extend(decode_all(&mut frames, 101, &packet, packet.len()).0);
    }
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].payload(), records[0].ports.1, records[0].ip_len), ([3; 40].as_slice(), 53, 88));
}

#[test]
fn gre_with_every_flag_and_what_is_not_opened() {
    let inner = udp(7, 8, b"in");
    let every = ip(47, &[[0xb0, 0, 8, 0].as_slice(), &[0; 4], &[0, 0, 0, 7], &[0; 4], &inner].concat());
    let mpls = ip(47, &[[0, 0, 0x88, 0x47, 0, 1, 1, 64].as_slice(), &inner].concat());
    for (packet, id) in [(every, Some(7)), (mpls, None)] {
        let (records, odds) = decode(101, &packet);
        assert_eq!(records.len(), 2, "{odds:?}");
        assert_eq!((records[1].outer.as_deref().unwrap().id, records[1].payload()), (id, b"in".as_slice()));
    }
    let mut frames = Frames::default();
    for head in [[0x40, 0, 8, 0], [0x30, 1, 8, 0], [0, 0, 0x88, 0x3e]] {
        let packet = ip(47, &[head.as_slice(), &[0; 12]].concat());
        let (records, _) = decode_all(&mut frames, 101, &packet, packet.len());
        assert!(records.len() == 1 && !records[0].carrier, "the outer packet stays a record of its own");
    }
    let names: Vec<_> = frames.counters().skipped.into_keys().collect();
    assert_eq!(names, ["gre_other", "gre_routing", "gre_version"]);
}

#[test]
fn mirrors_with_a_port_of_the_settings_and_ppp_are_opened() {
    let inner = udp(7, 8, b"in");
    let wire = |port: u16, head: &[u8]| {
        let payload = [head, &inner].concat();
        ip(
            17,
            &[
                &5000_u16.to_be_bytes()[..],
                &port.to_be_bytes(),
                &(payload.len() as u16 + 8).to_be_bytes(),
                &[0, 0],
                &payload,
            ]
            .concat(),
        )
    };
    let ports = Ports::read(&["shim=8500".to_owned(), "tzsp=9999".to_owned()]).unwrap();
    let cases: [(&str, u16, &[u8]); 4] = [
        ("shim", 8500, &[0x60, 0, 4, 0xd2, 0, 0, 0x22, 0xb8]),
        ("jmirror", 30_030, &[0, 0, 3, 0, 0, 0, 0, 0x90]),
        ("jmirror", 30_030, &[0, 0, 3, 0, 0, 0, 0, 0x90, 0xff, 3, 0, 0x21]),
        ("tzsp", 9999, &[1, 0, 0, 7, 1]),
    ];
    for (name, port, head) in cases {
        let mut frames = Frames::default();
        frames.set_ports(ports.clone());
        let packet = wire(port, head);
        let (records, odds) = decode_all(&mut frames, 101, &packet, packet.len());
        assert_eq!(records.len(), 2, "{name}: {odds:?}");
        assert_eq!((&*records[1].outer.as_deref().unwrap().path, records[1].payload()), (name, b"in".as_slice()));
    }
    let packet = wire(8500, &[0x60, 0, 4, 0xd2, 0, 0, 0x22, 0xb8]);
    assert_eq!(decode(101, &packet).0.len(), 1, "not without being told");
    let pptp = ip(47, &[&[0x20, 1, 0x88, 0x0b, 0, 32, 0, 7, 0x21][..], &inner].concat());
    assert_eq!(decode(101, &pptp).0.len(), 2, "PPP inside enhanced GRE");
}

#[test]
fn pseudo_wires_are_opened_with_and_without_control_word() {
    let ethernet = [&[0x02; 12][..], &[8, 0], &udp(7, 8, b"in")].concat();
    let low = [&[0x00, 0x1b, 0x21, 1, 2, 3, 0x00, 0x1b, 0x21, 4, 5, 6, 8, 0][..], &udp(7, 8, b"in")].concat();
    let like_ip = [&[0x45, 0x1b, 0x21, 1, 2, 3, 0x00, 0x1b, 0x21, 4, 5, 6, 8, 0][..], &udp(7, 8, b"in")].concat();
    for (word, frame) in [(&[0_u8; 4][..], &ethernet), (&[], &ethernet), (&[0; 4], &low), (&[], &low), (&[], &like_ip)]
    {
        let packet = [&[0x11; 12][..], &[0x88, 0x47, 0x49, 0x30, 1, 0xff], word, frame].concat();
        let (records, odds) = decode(1, &packet);
        assert_eq!(records.len(), 1, "{odds:?}");
        assert_eq!(records[0].payload(), b"in");
    }
}

#[test]
fn erspan_says_its_session_and_broken_gtp_is_counted() {
    let inner = ethernet(&udp(7, 8, b"in"));
    let erspan2 =
        ip(47, &[[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1].as_slice(), &[0x10, 0, 0xfc | 1, 5, 0, 0, 0, 0], &inner].concat());
    assert_eq!(decode(101, &erspan2).0[1].outer.as_deref().unwrap().id, Some(0x105));
    let mut frames = Frames::default();
    let endless = [0x34, 255, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0x85, 0, 0, 0, 0];
    for gtp in [[0x34, 255, 0].as_slice(), &endless, &[0x30, 1, 0, 0, 0, 0, 0, 0]] {
        let packet = udp(2152, 2152, gtp);
        decode_all(&mut frames, 101, &packet, packet.len());
    }
    let names: Vec<_> = frames.counters().skipped.into_keys().collect();
    assert_eq!(names, ["gtpu_extensions", "gtpu_short", "gtpu_signalling"]);
}

#[test]
fn tunnels_in_tunnels_are_described_once() {
    let packet = gre(0x0800, Some(1), &gre(0x0800, Some(2), &udp(1, 2, b"x")));
    let mut frames = Frames::default();
    let (first, _) = decode_all(&mut frames, 101, &packet, packet.len());
    let (second, _) = decode_all(&mut frames, 101, &packet, packet.len());
    for (one, two) in first.iter().zip(&second).skip(1) {
        assert!(Arc::ptr_eq(one.outer.as_ref().unwrap(), two.outer.as_ref().unwrap()), "made anew for {:?}", two.outer);
    }
}

#[test]
fn icmp_that_nobody_answers_is_told_apart_by_type_and_code() {
    let key = |source: u8, kind: u8, code: u8| {
        let mut packet = ip(1, &[kind, code, 0, 0, 0, 0, 0, 0]);
        (packet[15], packet[19]) = (source, 3 - source);
        decode(101, &packet).0[0].key
    };
    assert_eq!(key(1, 8, 0), key(2, 0, 0), "echo and its reply");
    assert_ne!(key(1, 3, 1), key(1, 3, 3), "host and port unreachable");
    assert_ne!(key(1, 3, 1), key(2, 3, 1), "unreachable goes one way");
}

#[test]
fn an_unknown_link_is_said_once() {
    let mut frames = Frames::default();
    let mut said = 0;
    for link in [9999, 9999, 147, 9999] {
        said += decode_all(&mut frames, link, &[0; 40], 40).1.len();
    }
    assert_eq!((said, frames.counters().skipped["unknown_link"]), (2, 4));
}

#[test]
fn what_is_odd_names_the_ends_that_were_read() {
    let (_, odds) = decode(101, &ip(6, &[0; 7]));
    assert_eq!(
        odds.iter().map(|o| (o.kind, o.ends.src_ip, o.ends.proto)).collect::<Vec<_>>(),
        [("malformed", Ip::v4([192, 0, 2, 1]), 6)]
    );
}

proptest! {
    #[test]
    fn no_octets_do_harm(link in prop::sample::select(vec![0_u32, 1, 12, 14, 101, 108, 113, 228, 229, 276]), octets in prop::collection::vec(any::<u8>(), 0..200), lacking in 0_usize..3000) {
        decode_all(&mut Frames::default(), link, &octets, octets.len() + lacking);
    }

    #[test]
    fn no_change_of_a_good_frame_does_harm(at in 0_usize..200, value: u8, kind in 0_usize..11) {
        let mut frame = kinds().swap_remove(kind);
        let at = at % frame.len();
        frame[at] = value;
        decode(1, &frame);
    }
}

#[test]
fn networks_of_tenants_are_told_apart_and_directions_of_one_are_not() {
    let (there, back) = (udp(7, 8, b"in"), {
        let mut out = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).udp(8, 7).write(&mut out, b"in").unwrap();
        out
    });
    let between = |hosts: [u8; 2], proto: u8, payload: &[u8]| {
        let mut out = Vec::new();
        let builder = PacketBuilder::ipv4([192, 0, 2, hosts[0]], [192, 0, 2, hosts[1]], 9);
        builder.write(&mut out, IpNumber(proto), payload).unwrap();
        out
    };
    let carried = |hosts, port: u16, head: &[u8], inside: &[u8]| {
        let ports = [
            port.to_be_bytes(),
            port.to_be_bytes(),
            (8 + head.len() as u16 + inside.len() as u16).to_be_bytes(),
            [0, 0],
        ];
        between(hosts, 17, &[ports.concat().as_slice(), head, inside].concat())
    };
    let vxlan = |hosts, vni, inside: &[u8]| carried(hosts, 4789, &[8, 0, 0, 0, 0, 0, vni, 0], &ethernet(inside));
    let gtp =
        |hosts, teid, inside: &[u8]| carried(hosts, 2152, &[0x30, 255, 0, inside.len() as u8, 0, 0, 0, teid], inside);
    let gre = |hosts, kind: [u8; 2], key: u8, inside: &[u8]| {
        between(hosts, 47, &[[0x20, 0].as_slice(), &kind, &[0, 0, 0, key], inside].concat())
    };
    let (ip, eth) = ([8, 0], [0x65, 0x58]);
    let key = |packet: &[u8]| decode(101, packet).0.last().unwrap().key;
    // Who carries a VXLAN does not matter, nor which end a tunnel's identifier is of.
    assert_eq!(key(&vxlan([1, 2], 100, &there)), key(&vxlan([4, 3], 100, &back)));
    assert_ne!(key(&vxlan([1, 2], 100, &there)), key(&vxlan([1, 2], 200, &there)));
    assert_eq!(key(&gtp([1, 2], 5, &there)), key(&gtp([2, 1], 9, &back)));
    assert_ne!(key(&gtp([1, 2], 5, &there)), key(&gtp([1, 3], 5, &there)));
    assert_eq!(key(&gre([1, 2], ip, 5, &there)), key(&gre([2, 1], ip, 9, &back)));
    assert_eq!(key(&gre([1, 2], eth, 5, &ethernet(&there))), key(&gre([2, 1], eth, 5, &ethernet(&back))));
    assert_ne!(key(&gre([1, 2], eth, 5, &ethernet(&there))), key(&gre([1, 2], eth, 9, &ethernet(&there))));
    assert_eq!(key(&between([1, 2], 4, &there)), key(&between([2, 1], 4, &back)));
    // A tunnel in a tunnel is not the inner one alone.
    let nested = between([6, 7], 4, &gtp([1, 2], 5, &there));
    assert_eq!(decode(101, &nested).0.len(), 3);
    assert_ne!(key(&nested), key(&gtp([1, 2], 5, &there)));
    assert_eq!(
        (size_of::<crate::record::FlowKey>(), size_of::<Record>()),
        (48, 152),
        "what a packet costs on its way to its worker"
    );
}
