//! Tunnels: GRE (RFC 2784, 2890) with ERSPAN I–III inside, VXLAN (RFC 7348), GTP-U (3GPP TS 29.281 §5).
use super::{Context, Frames, IpInfo, Network, View, cut_or};
use crate::record::Tcp;

/// GTP-U extension headers of one packet.
const MOST_EXTENSIONS: usize = 16;

/// A tunnel's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside<'a> {
    name: &'static str,
    id: Option<u64>,
    what: What,
    view: View<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Ip,
    Ethernet,
    /// An MPLS label stack.
    Mpls,
}

impl Frames {
    pub(super) fn open(&mut self, tunnel: Inside<'_>, info: IpInfo, context: &mut Context<'_>) {
        let between = Network::between(context.network, &info);
        let network = match (tunnel.name, tunnel.what) {
            ("vxlan", _) => Network::named(context.network, tunnel.id),
            ("gre", What::Ethernet) => between.and(tunnel.id),
            _ => between,
        };
        self.enter(tunnel.name, tunnel.id, network, info, context, |frames, context| match tunnel.what {
            What::Ip => frames.ip(tunnel.view, context),
            What::Ethernet => frames.ethernet(tunnel.view, context),
            What::Mpls => frames.mpls(tunnel.view, context),
        });
    }

    pub(super) fn gre(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let inside = match read_gre(view) {
            Ok(inside) => inside,
            Err(Some(name)) => {
                self.counters.skip(name);
                None
            }
            Err(None) => {
                context.odd(cut_or(view, "malformed"), "tunnel", "gre header", 4, view.len());
                None
            }
        };
        self.record(info, (0, 0), view, Tcp::default(), inside.is_some(), context);
        if let Some(inside) = inside {
            self.open(inside, info, context);
        }
    }

    pub(super) fn vxlan_inside<'a>(&mut self, view: View<'a>) -> Option<Inside<'a>> {
        let head = view.get().first_chunk::<8>().copied();
        let Some([_, _, _, _, a, b, c, _]) = head.filter(|[flags, ..]| flags & 0x08 != 0 && view.len() >= 8 + 14) else {
            self.counters.skip("vxlan_other");
            return None;
        };
        let id = u64::from(u32::from_be_bytes([0, a, b, c]));
        Some(Inside { name: "vxlan", id: Some(id), what: What::Ethernet, view: view.skip(8) })
    }

    pub(super) fn gtp_inside<'a>(&mut self, view: View<'a>) -> Option<Inside<'a>> {
        let Some([flags, kind, _, _, a, b, c, d]) = view.get().first_chunk::<8>().copied() else {
            self.counters.skip("gtpu_short");
            return None;
        };
        if flags >> 5 != 1 || flags & 0x10 == 0 {
            self.counters.skip("gtpu_version");
            return None;
        }
        if kind != 255 {
            self.counters.skip("gtpu_signalling");
            return None;
        }
        let rest = if flags & 7 == 0 { Some(view.skip(8)) } else { gtp_extensions(view.skip(8)) };
        let Some(rest) = rest else {
            self.counters.skip("gtpu_extensions");
            return None;
        };
        if !matches!(rest.get().first().map(|o| o >> 4), Some(4 | 6)) {
            self.counters.skip("gtpu_payload_other");
            return None;
        }
        let id = u64::from(u32::from_be_bytes([a, b, c, d]));
        Some(Inside { name: "gtpu", id: Some(id), what: What::Ip, view: rest })
    }
}

/// Passes over sequence number, N-PDU number and the chain of extension headers, each with its length in units of 4 octets.
fn gtp_extensions(view: View<'_>) -> Option<View<'_>> {
    let mut next = *view.get().get(3)?;
    let mut rest = view.skip(4);
    for _ in 0..MOST_EXTENSIONS {
        if next == 0 {
            return Some(rest);
        }
        let len = usize::from(*rest.get().first()?) * 4;
        next = *rest.get().get(len.checked_sub(1)?)?;
        rest = rest.skip(len);
    }
    None
}

/// The session of an ERSPAN II or III header: the low 10 bits of its second 16.
fn session(view: View<'_>) -> Option<u64> {
    let [_, _, high, low] = *view.get().first_chunk::<4>()?;
    Some(u64::from(u16::from_be_bytes([high, low]) & 0x03ff))
}

/// The payload of a GRE packet; or the name of one that is not opened; or nothing where the header is cut.
fn read_gre(view: View<'_>) -> Result<Option<Inside<'_>>, Option<&'static str>> {
    let octets = view.get();
    let [high, low, a, b] = *octets.first_chunk::<4>().ok_or(None)?;
    if low & 7 != 0 {
        return Err(Some("gre_version"));
    }
    // RFC 1701 source routes change where everything is, and nobody sends them (RFC 2784 §3).
    if high & 0x40 != 0 {
        return Err(Some("gre_routing"));
    }
    let mut at = 4;
    if high & 0x80 != 0 {
        at += 4;
    }
    let mut id = None;
    if high & 0x20 != 0 {
        let key = octets.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(None)?;
        id = Some(u64::from(u32::from_be_bytes(*key)));
        at += 4;
    }
    let sequence = high & 0x10 != 0;
    if sequence {
        at += 4;
    }
    if at > octets.len() {
        return Err(None);
    }
    let view = view.skip(at);
    let inside = |name, what, view| Ok(Some(Inside { name, id, what, view }));
    // ERSPAN II and III have a session of their own where GRE's key would be.
    let erspan = |name, head| Ok(Some(Inside { name, id: session(view).or(id), what: What::Ethernet, view: view.skip(head) }));
    match u16::from_be_bytes([a, b]) {
        0x0800 | 0x86dd => inside("gre", What::Ip, view),
        0x6558 => inside("gre", What::Ethernet, view),
        0x88be if !sequence => inside("erspan1", What::Ethernet, view),
        0x8847 | 0x8848 => inside("gre", What::Mpls, view),
        0x88be => erspan("erspan2", 8),
        0x22eb => {
            let platform = view.get().get(11).is_some_and(|flags| flags & 1 == 1);
            erspan("erspan3", if platform { 20 } else { 12 })
        }
        _ => Err(Some("gre_other")),
    }
}
