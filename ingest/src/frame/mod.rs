//! Frames to records: link headers, VLANs, IP, transport, tunnels; one record a layer.
//!
//! etherparse's single-header slices do the checking of lengths; what it has no header for (SCTP, GRE, VXLAN, GTP-U, MPLS, PPPoE,
//! ERSPAN) is read here. Tunnels are opened four deep. What is not opened is counted under its name, what does not fit its own
//! length fields becomes an oddity; checksums are not verified, because captures at the sender do not have them.
mod counters;
pub(crate) mod encapsulation;
mod fragment;
mod link;
mod network;
mod plain;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;

use std::{hash::BuildHasher, sync::Arc};

pub use counters::FrameCounters;
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice};
use fragment::{Fragments, Id, Outcome, Part};
use hashbrown::DefaultHashBuilder;
use lidr_schema::{Ends, Ip, Name, Outer};
use network::{Network, Networks};
use plain::Plain;

use crate::{
    decode::ports::Ports,
    record::{Block, FlowKey, Record, Stamp},
    source::{RawPacket, ReaderOdd},
};

/// Tunnels inside one another that are opened.
pub const MOST_LAYERS: u8 = 4;
/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;
/// IPv6 extension headers of one packet.
const MOST_EXTENSIONS: usize = 16;

/// The frame decoder of one reader.
#[derive(Debug, Default)]
pub struct Frames {
    counters: FrameCounters,
    fragments: Fragments,
    hasher: DefaultHashBuilder,
    /// The last tunnel met at each depth: packets of a tunnel often follow one another, so that it is rarely made anew.
    outers: [Option<Arc<Outer>>; MOST_LAYERS as usize],
    networks: Networks,
    /// Inputs and link types that were said to be unknown.
    unknown_links: Vec<(u16, u32)>,
    /// Ports that the settings give to mirrors.
    ports: Ports,
}

/// Octets of a packet from some header on.
#[derive(Clone, Copy, Debug)]
struct View<'a> {
    block: &'a Block,
    octets: &'a [u8],
    /// Where in the block they begin.
    start: usize,
    /// Octets that the capture cut off after them.
    cut: usize,
}

impl<'a> View<'a> {
    fn new(block: &'a Block, start: usize, len: usize, cut: usize) -> Self {
        Self { block, octets: block.get(start..start + len).unwrap_or_default(), start, cut }
    }
    const fn get(&self) -> &'a [u8] {
        self.octets
    }
    fn skip(self, octets: usize) -> Self {
        if let Some(rest) = self.octets.get(octets..) {
            return Self { octets: rest, start: self.start + octets, ..self };
        }
        // What is passed over beyond the captured octets is not there to be payload, either.
        let had = self.len();
        Self { octets: &[], start: self.start + had, cut: self.cut.saturating_sub(octets - had), ..self }
    }
    const fn len(&self) -> usize {
        self.octets.len()
    }
    /// At most so many octets; what the capture lacks of them stays cut.
    fn limit(self, octets: usize) -> Self {
        match self.octets.get(..octets) {
            Some(kept) => Self { octets: kept, cut: 0, ..self },
            None => Self { cut: octets - self.len(), ..self },
        }
    }
}

/// What is known of a packet on the way in.
struct Context<'a> {
    stamp: Stamp,
    clock: i64,
    /// As far as headers told so far.
    ends: Ends,
    vlan: Option<u16>,
    outer: Option<Arc<Outer>>,
    /// The network that the tunnels lead to; 0 outside of any.
    network: u64,
    layer: u8,
    out: &'a mut Vec<Record>,
    odds: &'a mut Vec<ReaderOdd>,
}

impl Context<'_> {
    fn odd(&mut self, kind: &'static str, stage: &'static str, detail: &'static str, needed: usize, had: usize) {
        let (needed, had) = (Some(needed as u64), Some(had as u64));
        self.odds.push(ReaderOdd { kind, stage, detail, needed, had, count: 1, stamp: self.stamp, ends: self.ends });
    }
}

/// The IP header's part of a record.
#[derive(Clone, Copy, Debug)]
struct IpInfo {
    src: Ip,
    dst: Ip,
    proto: u8,
    ttl: u8,
    /// Octets from the IP header on.
    len: usize,
}

impl IpInfo {
    const fn ends(&self, ports: (u16, u16)) -> Ends {
        Ends { src_ip: self.src, dst_ip: self.dst, src_port: ports.0, dst_port: ports.1, proto: self.proto }
    }
}

impl Frames {
    /// Tunnels and mirrors are looked for on these ports, too.
    pub(crate) fn set_ports(&mut self, ports: Ports) {
        self.ports = ports;
    }

    /// What was met and not opened so far.
    #[must_use]
    pub fn counters(&self) -> FrameCounters {
        let mut counters = self.counters.clone();
        counters.dropped("fragment_timeout", self.fragments.timed_out);
        counters.dropped("fragment_incomplete", self.fragments.incomplete);
        counters.dropped("fragment_table", self.fragments.crowded_out);
        counters
    }

    /// Says what has waited in vain until that time; no packet comes at or before it any more.
    pub(crate) fn lapse(&mut self, until: i64, odds: &mut Vec<ReaderOdd>) {
        odds.extend(self.fragments.lapse(until));
    }

    /// The input has ended: what waits waits in vain.
    pub(crate) fn end(&mut self, clock: i64) {
        self.fragments.end(clock);
    }

    /// Decodes one packet, whose octets stand in that block. A part of the reader's loop, like its record below: a call a packet with
    /// all that is known of it would be seen in the profile.
    #[inline(always)]
    pub(crate) fn packet(
        &mut self,
        p: &RawPacket,
        block: &Block,
        stamp: Stamp,
        clock: i64,
        out: &mut Vec<Record>,
        odds: &mut Vec<ReaderOdd>,
    ) {
        let cut = (p.wire_len as usize).saturating_sub(p.len);
        let view = View::new(block, p.start, p.len, cut);
        let mut context =
            Context { stamp, clock, ends: Ends::default(), vlan: None, outer: None, network: 0, layer: 0, out, odds };
        match Plain::of(p.link, view) {
            Some(Plain { info, ports, tcp, payload }) => {
                self.record(info, ports, payload, tcp, false, &mut context);
            }
            // Nor does the rest of IPv4 need a step through each layer that might have been before it.
            None if p.link == ETHERNET
                && matches!(view.get(), [_, _, _, _, _, _, _, _, _, _, _, _, 8, 0, 0x40..=0x4f, ..]) =>
            {
                self.ipv4(view.skip(14), &mut context);
            }
            None => self.link(p.link, view, &mut context),
        }
    }

    fn ip(&mut self, view: View<'_>, context: &mut Context<'_>) {
        match view.get().first().map(|o| o >> 4) {
            Some(4) => self.ipv4(view, context),
            Some(6) => self.ipv6(view, context),
            Some(_) => {
                self.counters.skip("ip_version");
                context.odd("malformed", "frame", "ip version", 1, view.len());
            }
            None => context.odd(cut_or(view, "malformed"), "frame", "ip header", 20, 0),
        }
    }

    fn ipv4(&mut self, view: View<'_>, context: &mut Context<'_>) {
        let Ok(header) = Ipv4HeaderSlice::from_slice(view.get()) else {
            return context.odd(cut_or(view, "malformed"), "frame", "ipv4 header", 20, view.len());
        };
        let head = header.slice().len();
        // A length of 0 is what segmentation offload leaves in a capture at the sender.
        let total = match usize::from(header.total_len()) {
            0 => view.len() + view.cut,
            total if total < head => return context.odd("malformed", "frame", "ipv4 length", head, total),
            total => total,
        };
        if total > view.len() + view.cut {
            context.odd("truncated", "frame", "ipv4 length", total, view.len() + view.cut);
        }
        let view = view.limit(total);
        let info = IpInfo {
            src: Ip::v4(header.source()),
            dst: Ip::v4(header.destination()),
            proto: header.protocol().0,
            ttl: header.ttl(),
            len: total,
        };
        context.ends = info.ends((0, 0));
        let payload = view.skip(head);
        if header.is_fragmenting_payload() {
            let offset = usize::from(header.fragments_offset().value()) * 8;
            let id = u32::from(header.identification());
            return self.fragment(info, id, offset, header.more_fragments(), payload, context);
        }
        self.transport(info, payload, context);
    }

    fn ipv6(&mut self, view: View<'_>, context: &mut Context<'_>) {
        let Ok(header) = Ipv6HeaderSlice::from_slice(view.get()) else {
            return context.odd(cut_or(view, "malformed"), "frame", "ipv6 header", 40, view.len());
        };
        let total = match usize::from(header.payload_length()) {
            0 => view.len() + view.cut,
            payload => 40 + payload,
        };
        if total > view.len() + view.cut {
            context.odd("truncated", "frame", "ipv6 length", total, view.len() + view.cut);
        }
        let (src, dst) = (Ip::new(header.source()), Ip::new(header.destination()));
        let mut info = IpInfo { src, dst, proto: header.next_header().0, ttl: header.hop_limit(), len: total };
        context.ends = info.ends((0, 0));
        let mut payload = view.limit(total).skip(40);
        for _ in 0..MOST_EXTENSIONS {
            let octets = payload.get();
            let next = octets.first().copied();
            let skip = match IpNumber(info.proto) {
                IpNumber::IPV6_HEADER_HOP_BY_HOP | IpNumber::IPV6_ROUTE_HEADER | IpNumber::IPV6_DESTINATION_OPTIONS => {
                    octets.get(1).map(|n| 8 + usize::from(*n) * 8)
                }
                IpNumber::AUTHENTICATION_HEADER => octets.get(1).map(|n| 8 + usize::from(*n) * 4),
                IpNumber::IPV6_FRAGMENTATION_HEADER => {
                    let Some(head) = octets.first_chunk::<8>() else {
                        return context.odd(
                            cut_or(payload, "malformed"),
                            "frame",
                            "ipv6 fragment header",
                            8,
                            octets.len(),
                        );
                    };
                    let [next, _, high, low, a, b, c, d] = *head;
                    let field = u16::from_be_bytes([high, low]);
                    info.proto = next;
                    let (offset, more) = (usize::from(field & !7), field & 1 == 1);
                    let rest = payload.skip(8);
                    if offset == 0 && !more {
                        payload = rest;
                        continue;
                    }
                    return self.fragment(info, u32::from_be_bytes([a, b, c, d]), offset, more, rest, context);
                }
                _ => return self.transport(info, payload, context),
            };
            let (Some(next), Some(skip)) = (next, skip.filter(|s| *s <= octets.len())) else {
                return context.odd(cut_or(payload, "malformed"), "frame", "ipv6 extension", 8, octets.len());
            };
            info.proto = next;
            payload = payload.skip(skip);
        }
        self.counters.dropped("ipv6_extensions", 1);
        context.odd("too_deep", "frame", "ipv6 extensions", MOST_EXTENSIONS, MOST_EXTENSIONS);
    }

    fn fragment(
        &mut self,
        mut info: IpInfo,
        id: u32,
        offset: usize,
        more: bool,
        payload: View<'_>,
        context: &mut Context<'_>,
    ) {
        self.counters.fragments += 1;
        if payload.cut > 0 {
            self.counters.dropped("fragment_cut", 1);
            return context.odd("truncated", "fragment", "fragment", payload.len() + payload.cut, payload.len());
        }
        let tunnel = context.outer.as_ref().and_then(|o| o.id);
        // In IPv6 the protocol of the first fragment counts, whatever the others say (RFC 8200 §4.5).
        let v4 = info.src.is_v4();
        let proto = if v4 { info.proto } else { IpNumber::IPV6_FRAGMENTATION_HEADER.0 };
        let id = Id { src: info.src, dst: info.dst, id, proto, layer: context.layer, vlan: context.vlan, tunnel };
        let part = Part { offset, more, proto: info.proto, data: payload.get() };
        let outcome = self.fragments.add(id, part, context.stamp);
        if self.fragments.overlapped {
            context.odd("overlap", "fragment", "fragments say different things", 0, payload.len());
        }
        match outcome {
            Outcome::Waits => {}
            Outcome::TooMany => self.counters.dropped("fragment_refused", 1),
            Outcome::Refused(detail) => {
                self.counters.dropped("fragment_refused", 1);
                context.odd("malformed", "fragment", detail, 0, payload.len());
            }
            Outcome::Complete(whole, proto) => {
                let end = whole.len();
                info.proto = proto;
                info.len = end + if v4 { 20 } else { 40 };
                context.ends = info.ends((0, 0));
                let block = Arc::new(whole);
                self.transport(info, View::new(&block, 0, end, 0), context);
            }
        }
    }

    /// Enters a tunnel: everything decoded by `inside` is one layer deeper.
    fn enter(
        &mut self,
        name: &'static str,
        id: Option<u64>,
        network: Network,
        info: IpInfo,
        context: &mut Context<'_>,
        inside: impl FnOnce(&mut Self, &mut Context<'_>),
    ) {
        if context.layer >= MOST_LAYERS {
            self.counters.dropped("tunnel_depth", 1);
            return context.odd("too_deep", "tunnel", name, usize::from(MOST_LAYERS) + 1, usize::from(MOST_LAYERS));
        }
        let before = context.outer.take();
        context.outer = Some(self.outer_of(before.as_deref(), usize::from(context.layer), name, id, info));
        let around = std::mem::replace(&mut context.network, self.networks.number(context.layer, network));
        context.layer += 1;
        inside(self, context);
        context.layer -= 1;
        context.network = around;
        context.outer = before;
    }

    fn outer_of(
        &mut self,
        before: Option<&Outer>,
        depth: usize,
        name: &'static str,
        id: Option<u64>,
        info: IpInfo,
    ) -> Arc<Outer> {
        let (src_ip, dst_ip) = before.map_or((info.src, info.dst), |o| (o.src_ip, o.dst_ip));
        let same_path = |path: &str| match before {
            None => path == name,
            Some(o) => path.strip_prefix(&*o.path).and_then(|p| p.strip_prefix('/')) == Some(name),
        };
        if let Some(Some(last)) = self.outers.get(depth)
            && (last.src_ip, last.dst_ip, last.id) == (src_ip, dst_ip, id)
            && same_path(&last.path)
        {
            return Arc::clone(last);
        }
        let path = before.map_or(Name::Borrowed(name), |o| Name::Owned(format!("{}/{name}", o.path)));
        let made = Arc::new(Outer { src_ip, dst_ip, path, id });
        if let Some(last) = self.outers.get_mut(depth) {
            *last = Some(Arc::clone(&made));
        }
        made
    }

    #[inline]
    fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one(key)
    }
}

/// What is wrong where octets are missing: the capture cut them, or they were never there.
const fn cut_or(view: View<'_>, kind: &'static str) -> &'static str {
    if view.cut > 0 { "truncated" } else { kind }
}
