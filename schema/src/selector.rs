//! Selectors: one spelling for every way of writing whom an interception is for.
//!
//! A clerk types `+49 (0)40 1234-5`, an administration function sends `494012345`, an element of the IMS `tel:+49-40-12345`; all of
//! them mean one line, and a register that says one joins a task that says another only if both are hashed in the same form. So
//! there is one function for the register and for every decoder, [`normal`], and [`crate::Key::pseudonym`] calls it: nobody can
//! hash a selector around it. A global number is an `e164` whatever wrote it (telephone number, tel URI, SIP URI with
//! `user=phone`), and a range of one address is that address. What no country code can be seen in (`040 12345`, `110`) stays as it
//! is and meets only itself: lidr guesses no country. What has not the form of its kind stays as text and is told as such, so that
//! two broken selectors never become one.
//!
//! Forms: E.164 digits; IMSI (TS 23.003) 14 or 15 digits; IMEI of 14, 15 or 16 digits by its first 14 (TAC and serial number,
//! neither check digit nor software version); NAI (RFC 7542) with its realm in lower case; SIP (RFC 3261) as `user@host`, scheme,
//! password, parameters, headers and the port that it has anyway left out, the host in lower case; tel (RFC 3966); addresses
//! (RFC 5952, a mapped IPv4 address is IPv4) and ranges without host bits. Not read: carrier prefixes, enum domains, IMSIs inside
//! of NAIs.
use crate::{
    ip::{Cidr, Ip},
    pseudonym::Kind,
};

/// How a selector fits the form of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it should be.
    Good,
    /// A number that says no country: it meets only numbers that are written without one, too.
    National,
    /// It is none of its kind.
    Odd,
}

/// A selector in its one spelling.
#[derive(Clone, PartialEq, Eq)]
pub struct Normal {
    /// What it is in the end: a tel URI of a global number is an E.164 number.
    pub kind: Kind,
    /// The text that is hashed.
    pub text: String,
    /// Whether it has the form of its kind.
    pub form: Form,
}

impl std::fmt::Debug for Normal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Normal({:?}, {:?})", self.kind, self.form)
    }
}

/// What a kind needs, for whoever has to mend a register.
#[must_use]
pub const fn needed(kind: Kind) -> &'static str {
    match kind {
        Kind::E164 => "3 to 15 digits with the country code, as +494012345",
        Kind::Imsi => "14 or 15 digits",
        Kind::Imei => "14, 15 or 16 digits",
        Kind::Nai => "user@realm",
        Kind::Sip => "sip:user@host",
        Kind::Tel => "tel:+494012345",
        Kind::Ip => "an address",
        Kind::Prefix => "a range, as 192.0.2.0/24",
        _ => "a text",
    }
}

/// The one spelling of a selector.
#[must_use]
pub fn normal(kind: Kind, text: &str) -> Normal {
    let text = text.trim();
    let read = match kind {
        Kind::E164 => number(text),
        Kind::Imsi => digits(without(text, "imsi-"), 14..=15).map(|d| good(kind, d)),
        Kind::Imei => imei(text),
        Kind::Nai => nai(text),
        Kind::Sip => sip(text),
        Kind::Tel => tel(text),
        Kind::Ip | Kind::Prefix => range(text),
        Kind::Xid => {
            Some(good(kind, text.trim_matches(|c: char| c.is_whitespace() || "{}".contains(c)).to_ascii_lowercase()))
        }
        Kind::Liid | Kind::Cccid | Kind::Order | Kind::Circuit | Kind::Other => Some(good(kind, text.to_owned())),
    };
    read.unwrap_or_else(|| Normal { kind, text: text.to_ascii_lowercase(), form: Form::Odd })
}

const fn good(kind: Kind, text: String) -> Normal {
    Normal { kind, text, form: Form::Good }
}

/// The text behind a prefix, however that is written; the text itself where it has none.
fn without<'a>(text: &'a str, prefix: &str) -> &'a str {
    let head = text.get(..prefix.len()).filter(|h| h.eq_ignore_ascii_case(prefix));
    head.and_then(|_| text.get(prefix.len()..)).unwrap_or(text)
}

/// Digits with what people put between them, so many of them and nothing else.
fn digits(text: &str, most: std::ops::RangeInclusive<usize>) -> Option<String> {
    let between =
        |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{2011}' | '\u{2013}');
    let kept: String = text.chars().filter(|c| !between(*c)).collect();
    (kept.bytes().all(|o| o.is_ascii_digit()) && most.contains(&kept.len())).then_some(kept)
}

/// A telephone number: with its country code where `+`, `00` or nothing stands before it, national where one 0 does.
fn number(text: &str) -> Option<Normal> {
    let text = without(text, "msisdn-");
    let (text, plus) = text.strip_prefix('+').map_or((text, false), |rest| (rest, true));
    // The trunk digit that only callers inside of the country dial.
    let abroad = plus || text.starts_with("00");
    let text = if abroad { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let all = digits(&text, 1..=20)?;
    let global = if plus { Some(all.as_str()) } else { all.strip_prefix("00") };
    let national = global.is_none() && (all.starts_with('0') || all.len() < 7);
    let kept = global.unwrap_or(&all).to_owned();
    if national {
        return Some(Normal { kind: Kind::E164, text: kept, form: Form::National });
    }
    ((3..=15).contains(&kept.len()) && !kept.starts_with('0')).then(|| good(Kind::E164, kept))
}

fn imei(text: &str) -> Option<Normal> {
    let all = digits(without(without(text, "imeisv-"), "imei-"), 14..=16)?;
    Some(good(Kind::Imei, all.get(..14)?.to_owned()))
}

fn nai(text: &str) -> Option<Normal> {
    let Some((user, realm)) = text.rsplit_once('@') else {
        // A user without a realm is a user of the carrier's own.
        return (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| good(Kind::Nai, text.to_owned()));
    };
    let realm = realm.trim_end_matches('.').to_ascii_lowercase();
    (!realm.is_empty() && !text.contains(char::is_whitespace)).then(|| good(Kind::Nai, format!("{user}@{realm}")))
}

/// The URI inside of `"name" <uri>`.
fn inside(text: &str) -> &str {
    let between = |t| Some(str::split_once(t, '<')?.1.split_once('>')?.0.trim());
    between(text).unwrap_or(text)
}

fn sip(text: &str) -> Option<Normal> {
    let text = inside(text);
    if text.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("tel:")) {
        return tel(text);
    }
    let text = without(without(text, "sips:"), "sip:").trim_start();
    let (user, rest) = text.split_once('@').unwrap_or(("", text));
    let mut parameters = rest.split('?').next()?.split(';');
    let host = host(parameters.next()?)?;
    let phone = parameters.any(|p| p.trim().eq_ignore_ascii_case("user=phone"));
    let user = unescaped(user.split(':').next()?)?;
    let dialled = user.split(';').next().unwrap_or_default();
    if phone && dialled.starts_with('+') {
        return number(dialled);
    }
    Some(good(Kind::Sip, if user.is_empty() { format!("sip:{host}") } else { format!("sip:{user}@{host}") }))
}

/// A host without the port that SIP has anyway.
fn host(text: &str) -> Option<String> {
    let whole = text.trim().to_ascii_lowercase();
    let mut name = whole.as_str();
    while let Some(less) = [":5060", ":5061", "."].iter().find_map(|end| name.strip_suffix(end)) {
        name = less;
    }
    let fits = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
    (!name.is_empty() && name.chars().all(fits)).then(|| name.to_owned())
}

/// Escapes of what need not be escaped are the letters themselves (RFC 3261, 19.1.4); none where an escape is cut or no escape.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('%');
    out.push_str(parts.next()?);
    for part in parts {
        let code = part.get(..2).filter(|hex| hex.bytes().all(|o| o.is_ascii_hexdigit()))?;
        let letter = u8::from_str_radix(code, 16).ok().map(char::from)?;
        if letter.is_ascii_alphanumeric() || "-_.!~*'()&=+$,".contains(letter) {
            out.push(letter);
        } else {
            out.push('%');
            out.push_str(&code.to_ascii_uppercase());
        }
        out.push_str(part.get(2..)?);
    }
    Some(out)
}

fn tel(text: &str) -> Option<Normal> {
    let text = without(inside(text), "tel:");
    let mut parts = text.split(';');
    let dialled = parts.next()?;
    let context =
        parts.filter_map(|p| p.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("phone-context"));
    match context {
        // Numbers of a company's own exchange are numbers only there.
        Some((_, place)) if !dialled.starts_with('+') => {
            let place = place.trim().to_ascii_lowercase();
            digits(dialled, 1..=20).map(|d| good(Kind::Tel, format!("{d};phone-context={place}")))
        }
        _ => number(dialled),
    }
}

fn range(text: &str) -> Option<Normal> {
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = text.parse::<Ip>() {
        return Some(good(Kind::Ip, ip.to_string()));
    }
    let range: Cidr = text.parse().ok()?;
    let v4 = range.first().is_v4() && range.len128() >= 96;
    let length = if v4 { range.len128() - 96 } else { range.len128() };
    Some(match range.len128() {
        128 => good(Kind::Ip, range.first().to_string()),
        _ => good(Kind::Prefix, format!("{}/{length}", range.first())),
    })
}

#[cfg(test)]
mod tests;
