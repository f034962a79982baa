//! What kind of identifier a target is, by the names that ETSI TS 103 280 and TS 103 221-1 give them.
//!
//! X1 says it with an element name, X2 and X3 repeat it as a fragment of XML (`<E164Number>…</E164Number>`) or as a bare URI.
use lidr_schema::{Ip, Key, Kind, Name, Pseudonym};

/// Targets of one row that are listed.
pub(crate) const MOST_LISTED: usize = 16;

/// All targets of a row, as `tasking.target_list` has them: each once, 16 at most.
pub(crate) fn list(targets: impl IntoIterator<Item = Pseudonym>) -> Option<Name> {
    let mut all: Vec<Pseudonym> = Vec::new();
    for target in targets {
        if all.len() < MOST_LISTED && !all.contains(&target) {
            all.push(target);
        }
    }
    (!all.is_empty()).then(|| Name::Owned(all.iter().map(Pseudonym::token).collect::<Vec<_>>().join(";")))
}

/// An address, or a range of them. A range of one is that address: it joins the register whichever way it was written.
pub(crate) fn range(ip: Ip, length: Option<u8>) -> (Kind, String) {
    let whole = if ip.is_v4() { 32 } else { 128 };
    match length.filter(|l| *l < whole) {
        None => (Kind::Ip, ip.to_string()),
        Some(less) => (Kind::Prefix, format!("{ip}/{less}")),
    }
}

/// The kind behind an element's name, without its prefix.
pub(crate) fn kind_of(element: &str) -> Kind {
    match element.to_ascii_lowercase().as_str() {
        "e164number" | "gpsimsisdn" | "msisdn" => Kind::E164,
        "imsi" | "supiimsi" => Kind::Imsi,
        "imei" | "imeisv" | "peiimei" | "peiimeisv" => Kind::Imei,
        "nai" | "supinai" | "gpsinai" | "emailaddress" => Kind::Nai,
        "sipuri" | "impu" | "impi" => Kind::Sip,
        "teluri" => Kind::Tel,
        "ipv4address" | "ipv6address" => Kind::Ip,
        "ipv4cidr" | "ipv6cidr" => Kind::Prefix,
        "xid" => Kind::Xid,
        "liid" => Kind::Liid,
        _ => Kind::Other,
    }
}

/// The pseudonym of a target as a unit of product repeats it; none where the text is empty.
pub(crate) fn pseudonym(key: &Key, text: &str) -> Option<Pseudonym> {
    let (kind, text) = parse(text)?;
    Some(key.pseudonym(kind, text))
}

fn parse(text: &str) -> Option<(Kind, &str)> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    match text.strip_prefix('<') {
        Some(rest) => element(rest),
        None => Some((bare(text)?, text)),
    }
}

/// `name attributes>text</…`: the innermost element where they are nested.
fn element(text: &str) -> Option<(Kind, &str)> {
    let mut text = text;
    for _ in 0..4 {
        let (tag, rest) = text.split_once('>')?;
        let name = tag.split([' ', '\t', '\n', '/']).next()?;
        let name = name.rsplit(':').next()?;
        let (inner, _) = rest.split_once('<').unwrap_or((rest, ""));
        let inner = inner.trim();
        match rest.trim_start().strip_prefix('<') {
            Some(child) if inner.is_empty() => text = child,
            _ => return (!inner.is_empty()).then(|| (kind_of(name), inner)),
        }
    }
    None
}

fn bare(text: &str) -> Option<Kind> {
    let lower = text.get(..5).unwrap_or(text).to_ascii_lowercase();
    match () {
        () if text.is_empty() => None,
        () if lower.starts_with("sip:") || lower.starts_with("sips:") => Some(Kind::Sip),
        () if lower.starts_with("tel:") => Some(Kind::Tel),
        () if text.parse::<lidr_schema::Ip>().is_ok() => Some(Kind::Ip),
        () if text.contains('@') => Some(Kind::Nai),
        () => Some(Kind::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_and_bare_uris_say_their_kind() {
        assert_eq!(parse("<imsi>001010123456789</imsi>"), Some((Kind::Imsi, "001010123456789")));
        assert_eq!(parse("<e:E164Number xmlns:e=\"u\"> 49401 </e:E164Number>"), Some((Kind::E164, "49401")));
        assert_eq!(parse("<TargetIdentifier><imei>35</imei></TargetIdentifier>"), Some((Kind::Imei, "35")));
        assert_eq!(parse("SIP:a@b"), Some((Kind::Sip, "SIP:a@b")));
        assert_eq!(parse("tel:+49"), Some((Kind::Tel, "tel:+49")));
        assert_eq!(parse("192.0.2.1"), Some((Kind::Ip, "192.0.2.1")));
        assert_eq!(parse("a@realm"), Some((Kind::Nai, "a@realm")));
    }

    #[test]
    fn lists_are_bounded_and_ranges_of_one_are_addresses() {
        let one = |octet| Pseudonym::from_octets([octet; 16]);
        assert_eq!(list([]), None);
        assert_eq!(list([one(1), one(2), one(1)]).as_deref(), Some(&*["01".repeat(16), "02".repeat(16)].join(";")));
        assert_eq!(list((0..40).map(one)).unwrap().split(';').count(), MOST_LISTED);
        let v4 = Ip::v4([192, 0, 2, 1]);
        assert_eq!(
            [range(v4, None), range(v4, Some(32))],
            [(Kind::Ip, "192.0.2.1".to_owned()), (Kind::Ip, "192.0.2.1".to_owned())]
        );
        assert_eq!(range(v4, Some(28)), (Kind::Prefix, "192.0.2.1/28".to_owned()));
    }

    #[test]
    fn broken_fragments_are_no_target() {
        for text in ["", "<", "<imsi", "<imsi></imsi>", "<a><b><c><d><e>1</e></d></c></b></a>", "é", "<é>"] {
            assert_eq!(parse(text).filter(|(k, _)| *k != Kind::Other), None, "{text}");
        }
    }
}
