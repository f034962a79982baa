//! How much of a frame may be kept.
//!
//! The answer errs towards too little: what is inside a tunnel, what was put together from fragments, what is sealed and what no
//! control protocol claims is cut. Control messages are those by which taps are set up and people log in: SNMP, RADIUS, DTCP, and
//! X1 or HI1 by the namespaces of ETSI, without which an XML body may be anything. Later segments of a long message carry no such mark
//! and are cut; what they said stands in the rows.
use std::sync::Arc;

use crate::{
    decode::{ALL, Protocol, Transport, Verdict},
    record::{Block, Dir, Record},
    source::RawPacket,
};

use super::Keep;

/// Protocols whose messages may be kept.
const CONTROL: [&str; 3] = ["snmp", "radius", "dtcp"];
/// Protocols by whose look nothing is decided: a message that may be kept is carried by the first, the others hold no content.
const NEUTRAL: [&str; 4] = ["http", "tls", "ssh", "dns"];
/// X1 (TS 103 221-1) and HI1 (TS 103 120).
const NAMESPACES: [&[u8]; 2] = [b"uri.etsi.org/03221/X1", b"uri.etsi.org/03120"];

/// Octets of the frame that are kept, from its start.
pub(super) fn kept(packet: &RawPacket, block: &Block, records: &[Record], keep: Keep) -> usize {
    // A record without payload holds no block; what was put together from fragments holds another one.
    let of_packet = |r: &&Record| r.block.as_ref().is_none_or(|own| Arc::ptr_eq(own, block));
    let outermost = records.first().filter(|r| r.layer == 0).filter(of_packet);
    let Some(record) = outermost else { return link_header(packet.link).min(packet.len) };
    let headers = (record.payload_start as usize).saturating_sub(packet.start).min(packet.len);
    match keep {
        // A second record is what a tunnel carries.
        Keep::Control if records.len() == 1 && !record.carrier && is_control(record) => {
            (headers + record.payload_captured as usize).min(packet.len)
        }
        _ => headers,
    }
}

/// Hardware addresses and the type of what follows: all that is kept of a frame that is not understood.
const fn link_header(link: u32) -> usize {
    match link {
        1 => 14,
        113 => 16,
        276 => 20,
        _ => 0,
    }
}

fn is_control(record: &Record) -> bool {
    let (payload, proto) = (record.payload(), record.key.proto);
    let transport = match proto {
        6 => Transport::Stream,
        17 => Transport::Datagram,
        _ => return false,
    };
    let verdict = |p: &Protocol| (p.probe)(payload, Dir::Src).max((p.probe)(payload, Dir::Dst));
    let on_port = |p: &Protocol| p.ports.contains(&record.ports.0) || p.ports.contains(&record.ports.1);
    let claims = |p: &&Protocol| match verdict(p) {
        Verdict::Certain | Verdict::Likely => true,
        Verdict::Maybe => on_port(p),
        Verdict::No => false,
    };
    let claimed: Vec<&str> = ALL.iter().filter(|p| p.transport == transport).filter(claims).map(|p| p.name).collect();
    let product = claimed.iter().any(|name| !CONTROL.contains(name) && !NEUTRAL.contains(name));
    // A port proves nothing here: product goes to any.
    let control =
        ALL.iter().any(|p| p.transport == transport && CONTROL.contains(&p.name) && verdict(p) == Verdict::Certain);
    let etsi = NAMESPACES.iter().any(|name| payload.windows(name.len()).any(|w| w == *name));
    !product && (control || etsi)
}
