//! Heads of HTTP messages: what rules need of them, and how long the body is.
use std::{borrow::Cow, mem::MaybeUninit};

use lidr_schema::{Name, table::http};

use super::search::is_method;

/// Headers of a usual message.
const HEADERS: usize = 64;
/// Headers of one message.
const MOST_HEADERS: usize = 2048;
/// Octets of a value that are kept.
const MOST_TEXT: usize = 256;
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

/// A header that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Host,
    Agent,
    Server,
    Media,
    Auth,
    Length,
    Encoding,
    /// Only whether it is there, by its name.
    Mark(&'static str),
}

/// The header of that name, where it is looked for: length and first letter leave one that it can be.
fn known(name: &str) -> Option<Known> {
    let first = name.as_bytes().first()?.to_ascii_lowercase();
    let (known, header) = match (name.len(), first) {
        (4, b'h') => ("host", Known::Host),
        (6, b's') => ("server", Known::Server),
        (7, b'u') => mark("upgrade"),
        (10, b'p') => mark("priv-level"),
        (10, b's') => mark("soapaction"),
        (10, b'u') => ("user-agent", Known::Agent),
        (12, b'c') => ("content-type", Known::Media),
        (13, b'a') => ("authorization", Known::Auth),
        (14, b'c') => ("content-length", Known::Length),
        (15, b'x') => mark("x-forwarded-for"),
        (16, b'p') => mark("proxy-connection"),
        (17, b't') => ("transfer-encoding", Known::Encoding),
        (22, b'x') => mark("x-http-method-override"),
        _ => return None,
    };
    known.eq_ignore_ascii_case(name).then_some(header)
}

const fn mark(name: &'static str) -> (&'static str, Known) {
    (name, Known::Mark(name))
}

/// A head and its length; nothing while it is not whole; what is wrong with it.
pub(super) fn parse(data: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    match parse_with(data, &mut [const { MaybeUninit::uninit() }; HEADERS]) {
        // Rare, and no reason to lose sight of a conversation.
        Err(httparse::Error::TooManyHeaders) => {
            parse_with(data, &mut vec![MaybeUninit::uninit(); MOST_HEADERS]).map_err(|_| "headers")
        }
        result => result.map_err(|_| "head"),
    }
}

/// `headers`: places for them, left as they are until one is read: 2 KiB of nothing a message would be seen in the profile.
fn parse_with<'a>(
    data: &'a [u8],
    headers: &mut [MaybeUninit<httparse::Header<'a>>],
) -> Result<Option<(Head, usize)>, httparse::Error> {
    let mut head = Head::default();
    if data.starts_with(b"HTTP/") || b"HTTP/".starts_with(data.get(..5).unwrap_or(data)) {
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut response, data, headers)?;
        let httparse::Status::Complete(taken) = status else { return Ok(None) };
        (head.status, head.version) = (response.code.unwrap_or_default(), response.version.unwrap_or_default());
        head.read(response.headers);
        return Ok(Some((head, taken)));
    }
    let mut request = httparse::Request::new(&mut []);
    let status = request.parse_with_uninit_headers(data, headers)?;
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
            let Some(known) = known(header.name) else { continue };
            if let Known::Mark(name) = known {
                self.marks.push(name);
                continue;
            }
            let value = text(header.value.get(..MOST_TEXT).unwrap_or(header.value));
            let value = value.trim();
            match known {
                Known::Host => self.host = Some(value.to_owned()),
                Known::Agent => self.agent = Some(value.to_owned()),
                Known::Server => self.server = Some(value.to_owned()),
                Known::Media => self.media = value.split(';').next().map(|m| m.trim().to_ascii_lowercase()),
                // The scheme is kept, the credential is not.
                Known::Auth => self.auth = value.split(' ').next().map(str::to_ascii_lowercase),
                // A length that cannot be read is as good as one that cannot be.
                Known::Length => self.length = Some(value.parse().unwrap_or(u64::MAX)),
                Known::Encoding => self.chunked = value.to_ascii_lowercase().contains("chunked"),
                Known::Mark(_) => {}
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
        let end = match path.len() <= MOST_TEXT {
            true => path.len(),
            false => path.char_indices().nth(MOST_TEXT).map_or(path.len(), |(at, _)| at),
        };
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

/// A value as text; nearly every one is, and then finding that out costs a word's comparison for eight octets.
fn text(octets: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(octets).map_or_else(|_| String::from_utf8_lossy(octets), Cow::Borrowed)
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
    fn headers_are_known_by_their_whole_name_in_any_case() {
        assert_eq!(known("Content-Length"), Some(Known::Length));
        assert_eq!(known("PRIV-LEVEL"), Some(Known::Mark("priv-level")));
        assert_eq!(known("X-Forwarded-For"), Some(Known::Mark("x-forwarded-for")));
        assert_eq!(["", "Accept", "Content-Lengtx", "Hosts"].map(known), [None; 4]);
    }

    #[test]
    fn octets_that_are_no_text_are_replaced() {
        let (head, _) = parse(b"GET / HTTP/1.1\r\nHost: a\xff\xc3\xa4b\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.host.as_deref(), Some("a\u{fffd}\u{e4}b"));
    }
}
