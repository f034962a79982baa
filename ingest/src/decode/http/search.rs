//! Where a message begins: at the start of a conversation, and again after octets were lost.
use super::Verdict;

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ", b"TRACE "];
/// Letters of a method: the longest registered one has 17.
pub(super) const MOST_METHOD: usize = 20;
/// Octets in which a request line must end its first line.
const MOST_LINE: usize = 2048;
const VERSION: &[u8] = b"HTTP/1.";

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A head may begin here.
    At(usize),
    /// None; so many octets at the end may be the beginning of one.
    Keep(usize),
}

pub(super) fn probe(data: &[u8]) -> Verdict {
    let begins = |start: &[u8]| data.starts_with(start) || start.starts_with(data) && data.len() >= 3;
    if begins(VERSION) || METHODS.iter().any(|m| begins(m)) {
        return Verdict::Certain;
    }
    // Other methods (WebDAV and the like) need the version behind them.
    let letters = data.iter().take_while(|o| o.is_ascii_uppercase() || **o == b'-').count();
    if !(3..=MOST_METHOD).contains(&letters) {
        return Verdict::No;
    }
    let line = data.split(|o| *o == b'\r').next().unwrap_or_default();
    match data.get(letters) {
        Some(b' ') if find(line, b" HTTP/1.").is_some() => Verdict::Certain,
        Some(b' ') if line.len() == data.len() => Verdict::Maybe,
        _ => Verdict::No,
    }
}

/// Whether a method is one: a word in capitals, and not the end of a body that ran into it.
pub(super) fn is_method(word: &str) -> bool {
    (1..=MOST_METHOD).contains(&word.len()) && word.bytes().all(|o| o.is_ascii_uppercase() || o == b'-')
}

/// The next place at which a head may begin. Bodies may end without a line end, so that it may be anywhere.
pub(super) fn next_head(data: &[u8]) -> Found {
    let mut from = 0;
    while let Some(place) = data.get(from..).and_then(|rest| find(rest, VERSION)).map(|p| p + from) {
        let before = place.checked_sub(1).and_then(|p| data.get(p));
        if before != Some(&b' ') {
            return Found::At(place);
        }
        if let Some(start) = data.get(..place).and_then(request_line) {
            return Found::At(start);
        }
        from = place + VERSION.len();
    }
    Found::Keep(data.len().min(MOST_LINE))
}

/// Where the request line that ends with these octets begins.
fn request_line(data: &[u8]) -> Option<usize> {
    let from = data.iter().rposition(|o| *o == b'\n').map_or(0, |p| p + 1).max(data.len().saturating_sub(MOST_LINE));
    let line = data.get(from..)?;
    METHODS.iter().filter_map(|m| line.windows(m.len()).rposition(|w| w == *m)).max().map(|p| from + p)
}

/// By its first octet: a stream that has lost octets is looked through as a whole.
fn find(data: &[u8], word: &[u8]) -> Option<usize> {
    let first = word.first()?;
    let mut from = 0;
    loop {
        let place = from + data.get(from..)?.iter().position(|o| o == first)?;
        if data.get(place..)?.starts_with(word) {
            return Some(place);
        }
        from = place + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_behind_bodies_without_a_line_end() {
        assert_eq!(next_head(b"}POST /X1/NE HTTP/1.1\r\n"), Found::At(1));
        assert_eq!(next_head(b"abcHTTP/1.1 200 OK\r\n"), Found::At(3));
        assert_eq!(next_head(b"GET / HTTP/1.1\r\n"), Found::At(0));
        assert_eq!(next_head(b"says HTTP/1.1 is old; HTTP/1.1 200"), Found::Keep(34), "a text that speaks of it");
        assert_eq!(next_head(&[b'x'; 5000]), Found::Keep(MOST_LINE));
    }

    #[test]
    fn methods_are_words_in_capitals() {
        assert_eq!(probe(b"PROPFIND /x HTTP/1.1\r\n"), Verdict::Certain);
        assert_eq!(probe(b"PROPFIND /x"), Verdict::Maybe);
        assert_eq!(probe(b"HELO mail.example\r\n"), Verdict::No);
        assert_eq!(probe(b"GE"), Verdict::No);
        assert!(is_method("M-SEARCH") && !is_method("abcPOST") && !is_method("LONGERTHANANYMETHODOFHTTPCANBE"));
    }
}
