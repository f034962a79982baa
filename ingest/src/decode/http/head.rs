//! Heads of HTTP messages: what rules need of them, and how long the body is.
use std::borrow::Cow;

use lidr_schema::{Name, table::http};

use super::search::is_method;

/// Headers of a usual message.
const HEADERS: usize = 64;
/// Headers of one message.
const MOST_HEADERS: usize = 2048;
/// Octets of a value that are kept.
const MOST_TEXT: usize = 256;
/// Headers that rules look for.
const MARKS: [&str; 6] =
    ["priv-level", "x-forwarded-for", "x-http-method-override", "soapaction", "upgrade", "proxy-connection"];

/// Headers that are kept.
const KEPT: [&str; 7] =
    ["host", "user-agent", "server", "content-type", "authorization", "content-length", "transfer-encoding"];
/// Methods whose names need not be made.
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE"];

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// A head, as far as it is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    method: Option<Name>,
    path: String,
    status: u16,
    version: u8,
    host: Option<String>,
    agent: Option<String>,
    server: Option<String>,
    media: Option<String>,
    auth: Option<String>,
    marks: Vec<&'static str>,
    length: Option<u64>,
    chunked: bool,
}

/// Whether a header may be one that is looked for: few others have both length and first letter in common with one.
fn may_be_known(name: &str) -> bool {
    let first = name.bytes().next().map_or(0, |o| o.to_ascii_lowercase());
    matches!(
        (name.len(), first),
        (4, b'h')
            | (6 | 10, b's')
            | (7 | 10, b'u')
            | (10 | 16, b'p')
            | (12 | 14, b'c')
            | (13, b'a')
            | (15 | 22, b'x')
            | (17, b't')
    )
}

/// A head and its length; nothing while it is not whole; what is wrong with it.
pub(super) fn parse(data: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    match parse_with(data, &mut [httparse::EMPTY_HEADER; HEADERS]) {
        // Rare, and no reason to lose sight of a conversation.
        Err(httparse::Error::TooManyHeaders) => {
            parse_with(data, &mut vec![httparse::EMPTY_HEADER; MOST_HEADERS]).map_err(|_| "headers")
        }
        result => result.map_err(|_| "head"),
    }
}

fn parse_with<'a>(
    data: &'a [u8],
    headers: &mut [httparse::Header<'a>],
) -> Result<Option<(Head, usize)>, httparse::Error> {
    let mut head = Head::default();
    if data.starts_with(b"HTTP/") || b"HTTP/".starts_with(data.get(..5).unwrap_or(data)) {
        let mut response = httparse::Response::new(headers);
        let httparse::Status::Complete(taken) = response.parse(data)? else { return Ok(None) };
        (head.status, head.version) = (response.code.unwrap_or_default(), response.version.unwrap_or_default());
        head.read(response.headers);
        return Ok(Some((head, taken)));
    }
    let mut request = httparse::Request::new(headers);
    let status = request.parse(data)?;
    // The end of a body that ran into a request is no method.
    if request.method.is_some_and(|method| !is_method(method)) {
        return Err(httparse::Error::Token);
    }
    let httparse::Status::Complete(taken) = status else { return Ok(None) };
    let name = |method: &str| {
        METHODS.into_iter().find(|m| *m == method).map_or_else(|| Name::Owned(method.to_owned()), Name::Borrowed)
    };
    head.method = request.method.map(name);
    head.path = request.path.unwrap_or_default().to_owned();
    head.version = request.version.unwrap_or_default();
    head.read(request.headers);
    Ok(Some((head, taken)))
}

impl Head {
    fn read(&mut self, headers: &[httparse::Header<'_>]) {
        for header in headers {
            if !may_be_known(header.name) {
                continue;
            }
            let is = |known: &&&str| known.eq_ignore_ascii_case(header.name);
            self.marks.extend(MARKS.iter().find(is));
            let Some(name) = KEPT.iter().find(is) else { continue };
            let value = String::from_utf8_lossy(header.value.get(..MOST_TEXT).unwrap_or(header.value));
            let value = value.trim();
            match *name {
                "host" => self.host = Some(value.to_owned()),
                "user-agent" => self.agent = Some(value.to_owned()),
                "server" => self.server = Some(value.to_owned()),
                "content-type" => self.media = value.split(';').next().map(|m| m.trim().to_ascii_lowercase()),
                // The scheme is kept, the credential is not.
                "authorization" => self.auth = value.split(' ').next().map(str::to_ascii_lowercase),
                // A length that cannot be read is as good as one that cannot be.
                "content-length" => self.length = Some(value.parse().unwrap_or(u64::MAX)),
                _ => self.chunked = value.to_ascii_lowercase().contains("chunked"),
            }
        }
    }

    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    pub(super) fn informational(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Answers that have no body whatever their headers say (RFC 9112 §6.3).
    pub(super) fn bodyless(&self) -> bool {
        matches!(self.status, 101 | 204 | 304)
    }

    /// Whether something else is spoken afterwards.
    pub(super) fn switches(&self) -> bool {
        self.status == 101 || self.method.as_deref() == Some("CONNECT")
    }

    /// The content type, without its parameters.
    pub(super) fn media(&self) -> Option<&str> {
        self.media.as_deref()
    }

    /// The body's length, where the head tells it.
    pub(super) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The status of an answer that refuses.
    pub(super) fn refusal(&self) -> Option<u16> {
        Some(self.status).filter(|status| *status >= 400)
    }

    pub(super) fn framing(&self) -> Framing {
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) if self.method.is_some() => Framing::None,
            (false, None) => Framing::UntilClose,
        }
    }

    pub(super) fn request_row(self, bytes: u64) -> http::Row {
        let mut path = self.path;
        let query = path.find('?');
        let end = path.char_indices().nth(MOST_TEXT).map_or(path.len(), |(at, _)| at);
        path.truncate(query.unwrap_or(end).min(end));
        http::Row {
            method: self.method.unwrap_or_default(),
            host: self.host.map(Name::Owned),
            path_decoded: Name::Owned(decoded(&decoded(&path)).to_lowercase()),
            path: Name::Owned(path),
            has_query: query.is_some(),
            version: Name::Borrowed(if self.version == 0 { "1.0" } else { "1.1" }),
            user_agent: self.agent.map(Name::Owned),
            request_type: self.media.map(Name::Owned),
            auth_scheme: self.auth.map(Name::Owned),
            marks: (!self.marks.is_empty()).then(|| Name::Owned(self.marks.join(","))),
            request_bytes: bytes,
            outcome: "ok".into(),
            ..http::Row::default()
        }
    }

    /// Adds what the answer says.
    pub(super) fn complete(self, row: &mut http::Row, bytes: u64) {
        row.status = Some(self.status);
        row.server = self.server.map(Name::Owned);
        row.response_type = self.media.map(Name::Owned);
        row.response_bytes = bytes;
        row.outcome = "ok".into();
    }
}

/// Percent-decoded once (RFC 3986 §2.1); what is no escape stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = (*first == b'%').then(|| tail.first_chunk::<2>()).flatten();
        let octet = escape.and_then(|two| std::str::from_utf8(two).ok()).and_then(|t| u8::from_str_radix(t, 16).ok());
        match octet {
            Some(octet) => {
                out.push(octet);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_that_is_looked_for_may_be_known() {
        assert!(KEPT.iter().chain(&MARKS).all(|name| may_be_known(name) && may_be_known(&name.to_uppercase())));
        assert!(!may_be_known("") && !may_be_known("Accept"));
    }
}
