//! Bodies: which are read, and how much of them.
//!
//! A body is read only if its first octets show an order to intercept (an X1 container, an HI1 message): content types are what the sender says they are. What is no
//! text or XML by its type and cannot hide one (pictures, fonts, video) is not looked at.
use std::borrow::Cow;

use super::{MOST_BODY, Odd, Rows, Segment, hi1};

/// Octets that show what a body is.
pub(super) const PEEK: usize = 512;

/// Whether a body of that content type is looked at.
pub(super) fn may_be_order(media: Option<&str>) -> bool {
    let Some(media) = media else { return true };
    !["image/", "video/", "audio/", "font/"].iter().any(|kind| media.starts_with(kind))
        && !matches!(media, "text/html" | "text/css" | "text/javascript" | "application/javascript")
}

/// Whether the first octets are those of an X1 container or HI1 message, in UTF-8 or UTF-16.
pub(super) fn is_order(first: &[u8]) -> bool {
    match first.contains(&0) {
        true => is_order_in(&first.iter().copied().filter(|o| *o != 0).collect::<Vec<u8>>()),
        false => is_order_in(first),
    }
}

fn is_order_in(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"X1Request", b"X1Response", b"X1TopLevelErrorResponse", b"uri.etsi.org/03221/X1"];
    // Looked through once: most bodies hold none of the words, and few of their first letters.
    let may_begin = |(at, octet): (usize, &u8)| if matches!(octet, b'X' | b'u' | b'H') { text.get(at..) } else { None };
    let mut places = text.iter().enumerate().filter_map(may_begin);
    places.any(|rest| WORDS.iter().chain(&hi1::WORDS).any(|word| rest.starts_with(word)))
}

/// A body as UTF-8: UTF-16 with a byte order mark, or with the zeros of its first `<`, is brought to it.
pub(super) fn utf8(body: &[u8]) -> Cow<'_, [u8]> {
    let read: fn([u8; 2]) -> u16 = match body {
        [0xfe, 0xff, ..] | [0, b'<', ..] => u16::from_be_bytes,
        [0xff, 0xfe, ..] | [b'<', 0, ..] => u16::from_le_bytes,
        _ => return Cow::Borrowed(body),
    };
    let units: Vec<u16> = body.as_chunks::<2>().0.iter().map(|pair| read(*pair)).collect();
    Cow::Owned(String::from_utf16_lossy(&units).trim_start_matches('\u{feff}').to_owned().into_bytes())
}

/// Says that a container is not read because of its length.
pub(super) fn too_long(length: u64, s: Segment<'_>, rows: &mut Rows<'_>) {
    let mark = rows.mark(s.dir, s.first);
    let odd = Odd { kind: "bound", detail: "order body", needed: Some(length), had: Some(MOST_BODY as u64) };
    rows.odd(mark, s.last.eff, odd);
}

/// A body in chunks so far.
#[derive(Debug)]
pub(super) struct Chunked {
    /// Octets so far.
    pub(super) total: u64,
    /// Those kept, as long as they may be an order.
    kept: Option<Vec<u8>>,
    /// The first chunks were looked at and show one. Once is enough: chunks may be of one octet each.
    sure: bool,
}

impl Chunked {
    pub(super) fn new(may_be_order: bool) -> Self {
        Self { total: 0, kept: may_be_order.then(Vec::new), sure: false }
    }

    /// Whether the next chunk, of that size, is kept.
    pub(super) fn wants(&mut self, size: u32, s: Segment<'_>, rows: &mut Rows<'_>) -> bool {
        let Some(kept) = &self.kept else { return false };
        if !self.sure && kept.len() >= PEEK {
            self.sure = is_order(kept);
            if !self.sure {
                self.kept = None;
                return false;
            }
        }
        if kept.len() + size as usize > MOST_BODY {
            if self.sure || is_order(kept) || kept.is_empty() && is_order(s.data) {
                too_long(self.total + u64::from(size), s, rows);
            }
            self.kept = None;
        }
        self.kept.is_some()
    }

    pub(super) fn add(&mut self, part: &[u8]) {
        self.total += part.len() as u64;
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(part);
        }
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_known_in_any_encoding() {
        let text = "<?xml version=\"1.0\"?><X1Request>é</X1Request>";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for body in [text.as_bytes(), &wide, &marked] {
            assert!(is_order(body));
            assert_eq!(utf8(body), text.as_bytes());
        }
        assert!(!is_order(b"<html>"));
    }

    #[test]
    fn only_what_can_hide_a_container_is_looked_at() {
        assert!(
            [None, Some("application/xml"), Some("application/octet-stream"), Some("application/json")]
                .into_iter()
                .all(may_be_order)
        );
        assert!([Some("image/png"), Some("text/html")].into_iter().all(|m| !may_be_order(m)));
    }
}
