//! What the first octets of a tunnel or mirror say: which one it is, whose, and what stands behind them.
//!
//! GRE (RFC 2784, 2890; version 1 of RFC 2637 for PPP) with ERSPAN I–III, VXLAN (RFC 7348), TZSP, Juniper's jmirror header, the
//! shim of Nokia's mirrors, and the call content header of PacketCable that Cisco's intercepts use, too. The last two have neither
//! port nor magic of their own and are only read where the settings name their port. One reading serves the frame decoder, which
//! goes on inside, and the decoders of mirrors, which count what is copied.

/// What stands behind the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Ip,
    Ethernet,
    /// An MPLS label stack.
    Mpls,
    /// PPP, with or without its address and control fields.
    Ppp,
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) name: &'static str,
    /// Key, network identifier or session.
    pub(crate) id: Option<u64>,
    pub(crate) what: What,
    /// Octets of the header.
    pub(crate) skip: usize,
    /// The intercept that the copy belongs to, where the header says it.
    pub(crate) intercept: Option<u32>,
    /// Whether the target sent it, where the header says it.
    pub(crate) from_target: Option<bool>,
}

impl Inside {
    const fn new(name: &'static str, id: Option<u64>, what: What, skip: usize) -> Self {
        Self { name, id, what, skip, intercept: None, from_target: None }
    }
}

/// A header that is not opened has a name to be counted under; one that is cut has none.
pub(crate) type Read = Result<Inside, Option<&'static str>>;

fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|four| u32::from_be_bytes(*four))
}

/// GRE.
pub(crate) fn gre(octets: &[u8]) -> Read {
    let [high, low, a, b] = *octets.first_chunk::<4>().ok_or(None)?;
    let kind = u16::from_be_bytes([a, b]);
    if low & 7 == 1 && kind == 0x880b {
        return pptp(octets, high, low);
    }
    if low & 7 != 0 {
        return Err(Some("gre_version"));
    }
    // RFC 1701 source routes change where everything is, and nobody sends them (RFC 2784 §3).
    if high & 0x40 != 0 {
        return Err(Some("gre_routing"));
    }
    let mut at = if high & 0x80 == 0 { 4 } else { 8 };
    let mut id = None;
    if high & 0x20 != 0 {
        id = Some(u64::from(word(octets, at).ok_or(None)?));
        at += 4;
    }
    let sequence = high & 0x10 != 0;
    if sequence {
        at += 4;
    }
    if at > octets.len() {
        return Err(None);
    }
    match kind {
        0x0800 | 0x86dd => Ok(Inside::new("gre", id, What::Ip, at)),
        0x6558 => Ok(Inside::new("gre", id, What::Ethernet, at)),
        0x8847 | 0x8848 => Ok(Inside::new("gre", id, What::Mpls, at)),
        0x88be if !sequence => Ok(Inside::new("erspan1", id, What::Ethernet, at)),
        0x88be => Ok(Inside::new("erspan2", session(octets, at).or(id), What::Ethernet, at + 8)),
        0x22eb => {
            let platform = octets.get(at + 11).is_some_and(|flags| flags & 1 == 1);
            Ok(Inside::new("erspan3", session(octets, at).or(id), What::Ethernet, at + if platform { 20 } else { 12 }))
        }
        _ => Err(Some("gre_other")),
    }
}

/// The session of an ERSPAN II or III header, which stands where GRE's key would: the low 10 bits of its second 16.
fn session(octets: &[u8], at: usize) -> Option<u64> {
    word(octets, at).map(|head| u64::from(head & 0x03ff))
}

/// Enhanced GRE (RFC 2637 §4.1): the key is payload length and call id; acknowledgements may stand alone.
fn pptp(octets: &[u8], high: u8, low: u8) -> Read {
    let call = word(octets, 4).ok_or(None)?;
    let at = 8 + if high & 0x10 == 0 { 0 } else { 4 } + if low & 0x80 == 0 { 0 } else { 4 };
    match call >> 16 {
        0 => Err(Some("gre_acknowledgement")),
        _ => Ok(Inside::new("pptp", Some(u64::from(call & 0xffff)), What::Ppp, at)),
    }
}

/// VXLAN.
pub(crate) fn vxlan(octets: &[u8]) -> Read {
    let head = word(octets, 0).filter(|head| head & 0x0800_0000 != 0 && octets.len() >= 8 + 14);
    let id = head.and_then(|_| word(octets, 4)).ok_or(Some("vxlan_other"))?;
    Ok(Inside::new("vxlan", Some(u64::from(id >> 8)), What::Ethernet, 8))
}

/// TZSP: version 1, type, protocol, then tags up to the end tag.
pub(crate) fn tzsp(octets: &[u8]) -> Read {
    /// Tags of one packet.
    const MOST_TAGS: usize = 64;
    let [1, kind, a, b] = *octets.first_chunk::<4>().ok_or(Some("tzsp_other"))? else { return Err(Some("tzsp_other")) };
    let what = match (kind, u16::from_be_bytes([a, b])) {
        (0 | 1, 1) => What::Ethernet,
        (0 | 1, 7) => What::Ip,
        (0 | 1, _) => return Err(Some("tzsp_link_other")),
        _ => return Err(Some("tzsp_control")),
    };
    let mut at = 4;
    for _ in 0..MOST_TAGS {
        match (octets.get(at), octets.get(at + 1)) {
            (Some(0), _) => at += 1,
            (Some(1), _) => return Ok(Inside::new("tzsp", None, what, at + 1)),
            (Some(_), Some(length)) => at += 2 + usize::from(*length),
            _ => return Err(Some("tzsp_other")),
        }
    }
    Err(Some("tzsp_other"))
}

/// Juniper's prepended header: two bits of version, 30 of the intercept, the session; then IP or PPP.
pub(crate) fn jmirror(octets: &[u8]) -> Read {
    let other = Some("jmirror_other");
    let (head, session) = (word(octets, 0).ok_or(other)?, word(octets, 4).ok_or(other)?);
    let what = match octets.get(8..).unwrap_or_default() {
        [0xff, 0x03, 0, 0x21 | 0x57, ..] => What::Ppp,
        rest if holds_ip(rest) => What::Ip,
        _ => return Err(other),
    };
    let inside = Inside::new("jmirror", Some(u64::from(session)), what, 8);
    Ok(Inside { intercept: Some(head & 0x3fff_ffff), ..inside })
}

/// Nokia's shim: two bits of version; direction and 29 bits of the intercept, or 30; the session; then Ethernet or IP.
pub(crate) fn shim(octets: &[u8]) -> Read {
    let other = Some("shim_other");
    let (head, session) = (word(octets, 0).ok_or(other)?, word(octets, 4).ok_or(other)?);
    let rest = octets.get(8..).unwrap_or_default();
    let (intercept, from_target) = match head >> 30 {
        0 => (head, None),
        1 => (head & 0x1fff_ffff, Some(head & 0x2000_0000 == 0)),
        _ => return Err(other),
    };
    let what = if holds_ip(rest) { What::Ip } else { What::Ethernet };
    if what == What::Ethernet && !holds_ethernet(rest) {
        return Err(other);
    }
    Ok(Inside { intercept: Some(intercept), from_target, ..Inside::new("shim", Some(u64::from(session)), what, 8) })
}

/// Call content of PacketCable (4, 12 and 20 octets, and one variant of 8): the datagram behind it has exactly its own length.
pub(crate) fn ccc(octets: &[u8]) -> Read {
    let head =
        [4, 12, 20, 8].into_iter().find(|head| octets.get(*head..).is_some_and(holds_ip)).ok_or(Some("ccc_other"))?;
    Ok(Inside { intercept: word(octets, 0), ..Inside::new("ccc", None, What::Ip, head) })
}

/// Whether octets are an IP packet of exactly their length; a capture's cut makes them shorter, never longer.
fn holds_ip(octets: &[u8]) -> bool {
    let length = |at: usize| {
        octets.get(at..).and_then(<[u8]>::first_chunk::<2>).map(|two| usize::from(u16::from_be_bytes(*two)))
    };
    match octets.first() {
        Some(0x45..=0x4f) => length(2).is_some_and(|total| total >= 20 && total >= octets.len()),
        Some(0x60..=0x6f) => length(4).is_some_and(|payload| payload + 40 >= octets.len()),
        _ => false,
    }
}

/// Whether octets may be an Ethernet frame of something that is opened or known.
pub(crate) fn holds_ethernet(octets: &[u8]) -> bool {
    let kind = octets.get(12..).and_then(<[u8]>::first_chunk::<2>).map(|two| u16::from_be_bytes(*two));
    matches!(
        kind,
        Some(0x0800 | 0x86dd | 0x0806 | 0x8100 | 0x88a8 | 0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x88cc | 0x88f7)
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::testing::hex;

    const IP: &str = "4500001c0001000040117cc5c0000201cb007109303900350008d164";

    fn with(head: &str) -> Vec<u8> {
        hex(&format!("{head}{IP}"))
    }

    #[test]
    fn headers_say_whose_copy_it_is() {
        let shim_head = hex(&format!("600004d2000022b802aa0000000202aa000000010800{IP}"));
        let read = shim(&shim_head).unwrap();
        assert_eq!(
            (read.intercept, read.id, read.from_target, read.what),
            (Some(1234), Some(8888), Some(false), What::Ethernet)
        );
        let read = jmirror(&with("0000030000000090")).unwrap();
        assert_eq!((read.intercept, read.id, read.what, read.skip), (Some(0x300), Some(0x90), What::Ip, 8));
        for (head, skip) in
            [("01020304", 4), ("01020304eead4d341f9add37", 12), ("01020304eead4d341f9add374341534530303031", 20)]
        {
            let read = ccc(&with(head)).unwrap();
            assert_eq!((read.intercept, read.skip), (Some(0x0102_0304), skip));
        }
        assert_eq!(
            ccc(&hex("0102030445000020000100004011")),
            Ok(Inside { intercept: Some(0x0102_0304), ..Inside::new("ccc", None, What::Ip, 4) }),
            "cut by the capture"
        );
        assert_eq!(ccc(&[with("01020304"), vec![0]].concat()), Err(Some("ccc_other")), "more than the packet says");
    }

    #[test]
    fn tunnels_are_told_apart() {
        let name = |read: Read| read.map(|inside| (inside.name, inside.id, inside.what, inside.skip));
        assert_eq!(name(gre(&with("3000080011223344 00000009"))), Ok(("gre", Some(0x1122_3344), What::Ip, 12)));
        assert_eq!(name(gre(&hex("000088be"))), Ok(("erspan1", None, What::Ethernet, 4)));
        assert_eq!(
            name(gre(&hex("100088be000000071064186500000012"))),
            Ok(("erspan2", Some(0x65), What::Ethernet, 16))
        );
        assert_eq!(
            name(gre(&hex("100022eb0000000820640065010203040000 0008"))),
            Ok(("erspan3", Some(0x65), What::Ethernet, 20))
        );
        assert_eq!(name(gre(&hex("3081880b00040007000000010000000200210000"))), Ok(("pptp", Some(7), What::Ppp, 16)));
        assert_eq!(gre(&hex("2081880b0000000700000001")), Err(Some("gre_acknowledgement")));
        assert_eq!(name(tzsp(&hex("010000010a03ffffff0001"))), Ok(("tzsp", None, What::Ethernet, 11)));
        assert_eq!(tzsp(&hex("01030001")), Err(Some("tzsp_control")));
        assert_eq!(vxlan(&hex("0800000000303900")), Err(Some("vxlan_other")), "nothing inside");
    }

    #[test]
    fn every_truncation_is_an_error_or_says_the_same() {
        let shim_whole = hex("600004d2000022b802aa0000000202aa00000001080045000000");
        type Case = (fn(&[u8]) -> Read, Vec<u8>);
        let cases: [Case; 5] = [
            (gre, with("3000080011223344 00000009")),
            (shim, shim_whole),
            (jmirror, with("0000030000000090")),
            (ccc, with("01020304")),
            (tzsp, hex("010000010a03ffffff0001")),
        ];
        for (read, whole) in cases {
            let all = read(&whole).unwrap();
            for length in 0..whole.len() {
                assert!(
                    read(&whole[..length]).is_ok_and(|short| short == all) || read(&whole[..length]).is_err(),
                    "{length}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            for read in [gre, vxlan, tzsp, jmirror, shim, ccc] {
                let _ = read(&octets);
            }
        }
    }
}
