//! Tunnels and mirrors are opened: GRE with ERSPAN and PPP inside, VXLAN, GTP-U (3GPP TS 29.281 §5), TZSP, jmirror, shim, call content.
use super::{
    Context, Frames, IpInfo, Network, View, cut_or,
    encapsulation::{self, Inside, Read, What},
};
use crate::record::Tcp;

/// GTP-U extension headers of one packet.
const MOST_EXTENSIONS: usize = 16;
const GTP_U: u16 = 2152;

impl Frames {
    /// Goes on inside; `view` begins with the tunnel's header.
    pub(super) fn open(&mut self, tunnel: Inside, view: View<'_>, info: IpInfo, context: &mut Context<'_>) {
        let between = Network::between(context.network, &info);
        let network = match (tunnel.name, tunnel.what) {
            ("vxlan", _) => Network::named(context.network, tunnel.id),
            ("gre", What::Ethernet) => between.and(tunnel.id),
            _ => between,
        };
        let view = view.skip(tunnel.skip);
        self.enter(tunnel.name, tunnel.id, network, info, context, |frames, context| match tunnel.what {
            What::Ip => frames.ip(view, context),
            What::Ethernet => frames.ethernet(view, context),
            What::Mpls => frames.mpls(view, context),
            What::Ppp => frames.ppp(view, context),
        });
    }

    pub(super) fn gre(&mut self, info: IpInfo, view: View<'_>, context: &mut Context<'_>) {
        let inside = self.known(encapsulation::gre(view.get()));
        if let Err(()) = inside {
            context.odd(cut_or(view, "malformed"), "tunnel", "gre header", 4, view.len());
        }
        let inside = inside.ok().flatten();
        self.record(info, (0, 0), view, Tcp::default(), inside.is_some(), context);
        if let Some(inside) = inside {
            self.open(inside, view, info, context);
        }
    }

    /// What is inside, counted under its name where it is not opened; an error where the header is cut.
    fn known(&mut self, read: Read) -> Result<Option<Inside>, ()> {
        match read {
            Ok(inside) => Ok(Some(inside)),
            Err(Some(name)) => {
                self.counters.skip(name);
                Ok(None)
            }
            Err(None) => Err(()),
        }
    }

    /// The tunnel or mirror in a datagram, by its port.
    pub(super) fn in_datagram(&mut self, port: u16, view: View<'_>) -> Option<Inside> {
        let named = self.ports.of(port);
        let read: fn(&[u8]) -> Read = match (named, port) {
            (Some("vxlan"), _) | (None, 4789) => encapsulation::vxlan,
            (Some("tzsp"), _) | (None, 37_008) => encapsulation::tzsp,
            (Some("jmirror"), _) | (None, 30_030) => encapsulation::jmirror,
            (Some("shim"), _) => encapsulation::shim,
            (Some("ccc"), _) => encapsulation::ccc,
            (None, GTP_U) => return self.gtp_inside(view),
            _ => return None,
        };
        self.known(read(view.get())).ok().flatten()
    }

    fn gtp_inside(&mut self, view: View<'_>) -> Option<Inside> {
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
        let skip = view.len() - rest.len();
        Some(Inside { name: "gtpu", id: Some(id), what: What::Ip, skip, intercept: None, from_target: None })
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
