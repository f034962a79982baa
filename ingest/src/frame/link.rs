//! Link headers: Ethernet, Linux cooked, raw IP, loopback; VLAN tags, MPLS labels and PPPoE sessions on the way to IP.
use super::{Context, ETHERNET, Frames, View, cut_or, encapsulation::holds_ethernet};

/// Tags and labels before IP.
const MOST_TAGS: usize = 8;
/// Unknown links that are told; packets on more of them are counted only.
const MOST_UNKNOWN: usize = 64;

fn two(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))
}

impl Frames {
    pub(super) fn link(&mut self, link: u32, view: View<'_>, context: &mut Context<'_>) {
        match link {
            ETHERNET => self.ethernet(view, context),
            // LINKTYPE_RAW and its names on BSD and OpenBSD, LINKTYPE_IPV4, LINKTYPE_IPV6
            12 | 14 | 101 | 228 | 229 => self.ip(view, context),
            0 | 108 => self.loopback(view, context),
            113 => self.ether_type_at(14, 16, view, context),
            276 => self.ether_type_at(0, 20, view, context),
            _ => {
                self.counters.skip("unknown_link");
                // Once a link: every packet on it would say the same.
                let of = (context.stamp.input, link);
                if self.unknown_links.len() < MOST_UNKNOWN && !self.unknown_links.contains(&of) {
                    self.unknown_links.push(of);
                    context.odd("unknown_link", "frame", "link type", 1, link as usize);
                }
            }
        }
    }

    pub(super) fn ethernet(&mut self, view: View<'_>, context: &mut Context<'_>) {
        self.ether_type_at(12, 14, view, context);
    }

    fn ether_type_at(&mut self, at: usize, head: usize, view: View<'_>, context: &mut Context<'_>) {
        match two(view.get(), at).filter(|_| view.len() >= head) {
            Some(kind) => self.ether_type(kind, view.skip(head), context),
            None => context.odd(cut_or(view, "malformed"), "frame", "link header", head, view.len()),
        }
    }

    /// BSD loopback: the address family of the host that captured, in its byte order.
    fn loopback(&mut self, view: View<'_>, context: &mut Context<'_>) {
        match view.get().first_chunk::<4>() {
            None => context.odd(cut_or(view, "malformed"), "frame", "link header", 4, view.len()),
            Some([2 | 24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 2 | 24 | 28 | 30]) => self.ip(view.skip(4), context),
            Some(_) => self.counters.skip("loopback_other"),
        }
    }

    pub(super) fn ether_type(&mut self, mut kind: u16, mut view: View<'_>, context: &mut Context<'_>) {
        for _ in 0..MOST_TAGS {
            match kind {
                0x0800 => return self.ip_of(4, view, context),
                0x86dd => return self.ip_of(6, view, context),
                0x8100 | 0x88a8 | 0x9100 => {
                    let (Some(tag), Some(next)) = (two(view.get(), 0), two(view.get(), 2)) else {
                        return context.odd(cut_or(view, "malformed"), "frame", "vlan tag", 4, view.len());
                    };
                    context.vlan = context.vlan.or(Some(tag & 0x0fff));
                    (kind, view) = (next, view.skip(4));
                }
                0x8847 | 0x8848 => return self.mpls(view, context),
                0x8864 => return self.pppoe(view, context),
                other => return self.counters.skip(not_opened(other)),
            }
        }
        context.odd("too_deep", "frame", "vlan tags", MOST_TAGS, MOST_TAGS);
    }

    /// The Ethernet type says which version must follow.
    fn ip_of(&mut self, version: u8, view: View<'_>, context: &mut Context<'_>) {
        match view.get().first() {
            Some(first) if first >> 4 != version => {
                self.counters.skip("ip_version");
                context.odd("malformed", "frame", "ip version", usize::from(version), usize::from(first >> 4));
            }
            _ => self.ip(view, context),
        }
    }

    pub(super) fn mpls(&mut self, mut view: View<'_>, context: &mut Context<'_>) {
        for _ in 0..MOST_TAGS {
            let Some([_, _, third, _]) = view.get().first_chunk::<4>().copied() else {
                return context.odd(cut_or(view, "malformed"), "frame", "mpls label", 4, view.len());
            };
            view = view.skip(4);
            if third & 1 == 1 {
                return match view.get().first().map(|o| o >> 4) {
                    // A pseudo-wire without control word begins with a hardware address, which may look like anything.
                    Some(4 | 6) if !holds_ethernet(view.get()) => self.ip(view, context),
                    // RFC 4385: a control word, then the pseudo-wire's Ethernet.
                    Some(0) if holds_ethernet(view.skip(4).get()) => self.ethernet(view.skip(4), context),
                    Some(_) if holds_ethernet(view.get()) => self.ethernet(view, context),
                    Some(0) => self.ethernet(view.skip(4), context),
                    Some(_) => self.counters.skip("mpls_other"),
                    None => context.odd(cut_or(view, "malformed"), "frame", "mpls payload", 1, 0),
                };
            }
        }
        context.odd("too_deep", "frame", "mpls labels", MOST_TAGS, MOST_TAGS);
    }

    fn pppoe(&mut self, view: View<'_>, context: &mut Context<'_>) {
        match view.len() < 8 {
            true => context.odd(cut_or(view, "malformed"), "frame", "pppoe header", 8, view.len()),
            false => self.ppp(view.skip(6), context),
        }
    }

    /// PPP (RFC 1661): address and control may be left out, and so may the first octet of the protocol.
    pub(super) fn ppp(&mut self, view: View<'_>, context: &mut Context<'_>) {
        let view = if two(view.get(), 0) == Some(0xff03) { view.skip(2) } else { view };
        match view.get() {
            [0x21 | 0x57, ..] => self.ip(view.skip(1), context),
            [0, 0x21 | 0x57, ..] => self.ip(view.skip(2), context),
            [] => context.odd(cut_or(view, "malformed"), "frame", "ppp header", 2, 0),
            _ => self.counters.skip("ppp_other"),
        }
    }
}

const fn not_opened(kind: u16) -> &'static str {
    match kind {
        0..=1500 => "llc",
        0x0806 => "arp",
        0x2000 => "cdp",
        0x88cc => "lldp",
        0x8863 => "pppoe_discovery",
        0x88e5 => "macsec",
        0x8809 => "slow_protocols",
        0x888e => "eapol",
        0x88f7 => "ptp",
        0x9000 => "loop_test",
        _ => "ether_type_other",
    }
}
