//! Transport headers: ports, TCP's fields, where the payload begins; and the record itself.
use std::sync::Arc;

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};
use lidr_schema::{Ends, Ip};

use super::{Context, Frames, IpInfo, MOST_LAYERS, Network, View, cut_or};
use crate::record::{Block, FlowKey, Record, Tcp};

impl Frames {
    pub(super) fn transport(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        match info.proto {
            6 => self.tcp(info, view, context),
            17 => self.udp(info, view, context),
            132 => self.sctp(info, view, context),
            1 | 58 => self.icmp(info, view, context),
            4 | 41 => {
                self.record(info, (0, 0), view, Tcp::default(), true, context);
                let network = Network::between(context.network, &info);
                self.enter("ipip", None, network, info, context, |s, c| s.ip(view, c));
            }
            47 => self.gre(info, view, context),
            other => {
                self.counters.skip(not_opened(other));
                self.record(info, (0, 0), view, Tcp::default(), false, context);
            }
        }
    }

    fn tcp(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let Ok(header) = TcpHeaderSlice::from_slice(view.get()) else {
            if let Some((ports, tcp, head)) = cut_tcp(view) {
                return self.record(info, ports, view.skip(head), tcp, false, context);
            }
            return context.odd(cut_or(view, "malformed"), "frame", "tcp header", 20, view.len());
        };
        let flags = header.slice().get(13).copied().unwrap_or_default();
        let tcp = Tcp {
            seq: header.sequence_number(),
            ack: header.acknowledgment_number(),
            flags,
            urgent: header.urgent_pointer(),
        };
        let ports = (header.source_port(), header.destination_port());
        self.record(info, ports, view.skip(header.slice().len()), tcp, false, context);
    }

    fn udp(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let Ok(header) = UdpHeaderSlice::from_slice(view.get()) else {
            return context.odd(cut_or(view, "malformed"), "frame", "udp header", 8, view.len());
        };
        let ports = (header.source_port(), header.destination_port());
        let view = match usize::from(header.length()) {
            // RFC 2675 jumbograms and offload leave 0: the IP length decides.
            0 => view,
            short @ 1..8 => return context.odd("malformed", "frame", "udp length", 8, short),
            len if len > view.len() + view.cut => {
                context.odd("malformed", "frame", "udp length", len, view.len() + view.cut);
                view
            }
            len => view.limit(len),
        };
        let payload = view.skip(8);
        let tunnel = self.in_datagram(ports.1, payload);
        self.record(info, ports, payload, Tcp::default(), tunnel.is_some(), context);
        if let Some(tunnel) = tunnel {
            self.open(tunnel, payload, info, context);
        }
    }

    fn sctp(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let Some([a, b, c, d, ..]) = view.get().first_chunk::<12>().copied() else {
            return context.odd(cut_or(view, "malformed"), "frame", "sctp header", 12, view.len());
        };
        let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        self.record(info, ports, view.skip(12), Tcp::default(), false, context);
    }

    fn icmp(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let Some([kind, code, ..]) = view.get().first_chunk::<8>().copied() else {
            return context.odd(cut_or(view, "malformed"), "frame", "icmp header", 8, view.len());
        };
        self.record(info, (u16::from(kind), u16::from(code)), view.skip(8), Tcp::default(), false, context);
    }

    /// Writes the record of one layer.
    #[inline(always)]
    pub(super) fn record(
        &mut self,
        info: IpInfo,
        ports: (u16, u16),
        payload: View<'_>,
        tcp: Tcp,
        carrier: bool,
        context: &mut Context<'_>,
    ) {
        self.counters.records += 1;
        let ends = info.ends(ports);
        context.ends = ends;
        let (key, from_low) = key_of(&ends, context.network);
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        context.out.push(Record {
            hash: self.hash(&key),
            key,
            from_low,
            ports,
            stamp: context.stamp,
            clock: context.clock,
            tcp,
            ip_len: short(info.len),
            payload_len: short(payload.len() + payload.cut),
            block: (payload.len() > 0).then(|| Block::clone(payload.block)),
            payload_start: short(payload.start),
            payload_captured: short(payload.len()),
            ttl: info.ttl,
            vlan: context.vlan,
            outer: context.outer.as_ref().map(Arc::clone),
            layer: context.layer,
            carrier: carrier && context.layer < MOST_LAYERS,
        });
    }
}

/// What a capture left of a TCP header that it cut in the options: ports, fields and the length of the whole header. A short
/// snap length does so to every packet with timestamps, and their conversations are there all the same.
fn cut_tcp(view: View<'_>) -> Option<((u16, u16), Tcp, usize)> {
    let [a, b, c, d, seq @ .., offset, flags] = *view.get().first_chunk::<14>().filter(|_| view.cut > 0)?;
    let head = usize::from(offset >> 4) * 4;
    let (seq, ack) = (*seq.first_chunk::<4>()?, *seq.last_chunk::<4>()?);
    let tcp = Tcp { seq: u32::from_be_bytes(seq), ack: u32::from_be_bytes(ack), flags, urgent: 0 };
    let inside = (20..=view.len() + view.cut).contains(&head) && head > view.len();
    inside.then_some(((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])), tcp, head))
}

/// Both directions have one key: ends in order. For ICMP a type and the type that answers it meet in the lesser of both; types
/// without an answer go one way, each type and code by itself, as in the Community ID. With it whether the lesser end sent: of ICMP
/// the lesser address.
#[inline]
fn key_of(ends: &Ends, network: u64) -> (FlowKey, bool) {
    let (mut src, mut dst): ((Ip, u16), (Ip, u16)) = ((ends.src_ip, ends.src_port), (ends.dst_ip, ends.dst_port));
    if matches!(ends.proto, 1 | 58)
        && let Some(other) = lidr_schema::community::icmp_pair(ends.proto, ends.src_port)
    {
        let kind = other.min(ends.src_port);
        (src.1, dst.1) = (kind, kind);
    }
    let forward = src <= dst;
    let (low, high) = if forward { (src, dst) } else { (dst, src) };
    let from_low = if matches!(ends.proto, 1 | 58) { ends.from_low() } else { forward };
    (FlowKey { low, high, proto: ends.proto, network }, from_low)
}

const fn not_opened(proto: u8) -> &'static str {
    match proto {
        2 => "igmp",
        50 => "esp",
        51 => "ah",
        59 => "no_next_header",
        88 => "eigrp",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        97 => "etherip",
        115 => "l2tp",
        137 => "mpls_in_ip",
        _ => "ip_protocol_other",
    }
}
