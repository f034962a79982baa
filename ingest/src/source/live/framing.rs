//! Syslog messages in a stream of TCP: RFC 6587, both ways that are in use.
//!
//! Octet counting: `LENGTH SP MESSAGE`; a message begins with `<`, so that a line which happens to begin with digits is not taken
//! for a count. Else a message ends with a line feed (a NUL is taken, too, as some senders end theirs so). Each message may come in
//! either way. Of a message that is longer than a bound the beginning stands for the whole, and how long it was is told; the rest is
//! passed over as it comes, so that nothing grows. A count that no message has ends the stream: nothing after it can be trusted.

/// Most octets of a message that are kept: twice what RFC 5425 asks receivers to take.
pub(super) const MOST_MESSAGE: usize = 16 * 1024;
/// Counts that are believed.
const MOST_COUNT: usize = 1 << 20;
/// Digits of such a count.
const MOST_DIGITS: usize = 7;

/// A message, and how long it was where it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Framed {
    pub(super) octets: Vec<u8>,
    pub(super) cut_from: Option<u64>,
}

/// The stream is no syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// At the start of a message.
    Unknown,
    /// So many octets of it have not come.
    Counted(usize),
    /// Up to a line feed.
    Line,
}

/// Takes a stream apart, in whatever pieces it comes.
#[derive(Debug)]
pub(super) struct Framer {
    kind: Kind,
    /// What has come of the message at hand, or of its count; at most `MOST_MESSAGE`.
    held: Vec<u8>,
    /// Octets of it that were not kept.
    over: u64,
}

impl Framer {
    pub(super) const fn new() -> Self {
        Self { kind: Kind::Unknown, held: Vec::new(), over: 0 }
    }

    /// Takes what has come; every message that is whole by now goes to `out`.
    pub(super) fn push(&mut self, mut octets: &[u8], out: &mut Vec<Framed>) -> Result<(), Broken> {
        while !octets.is_empty() {
            octets = match self.kind {
                Kind::Unknown => self.begin(octets)?,
                Kind::Counted(left) => self.counted(left, octets, out),
                Kind::Line => self.line(octets, out),
            };
        }
        Ok(())
    }

    /// The stream has ended: what has come of a line is a message; of a counted one it is a part.
    pub(super) fn end(mut self) -> Option<Framed> {
        let lacks = match self.kind {
            Kind::Counted(left) => left as u64,
            Kind::Unknown | Kind::Line => 0,
        };
        if self.held.is_empty() {
            return None;
        }
        let whole = self.held.len() as u64 + self.over + lacks;
        Some(self.take(whole))
    }

    /// Looks at the start of a message until it says which kind it is; what is left of the octets.
    fn begin<'a>(&mut self, octets: &'a [u8]) -> Result<&'a [u8], Broken> {
        let Some((first, rest)) = octets.split_first() else { return Ok(octets) };
        let digits = self.held.iter().take_while(|b| b.is_ascii_digit()).count();
        let all_digits = digits == self.held.len();
        match first {
            // Blank lines, and the line feed that some senders put behind a counted message.
            b'\n' | b'\r' | 0 if self.held.is_empty() => return Ok(rest),
            b'1'..=b'9' if self.held.is_empty() => self.held.push(*first),
            b'0'..=b'9' if digits > 0 && all_digits && digits < 20 => self.held.push(*first),
            b' ' if digits > 0 && all_digits => self.held.push(*first),
            b'<' if digits > 0 && self.held.len() == digits + 1 => {
                let text = self.held.get(..digits).unwrap_or_default();
                let count = std::str::from_utf8(text).ok().and_then(|t| t.parse::<usize>().ok());
                let count = count.filter(|n| digits <= MOST_DIGITS && *n <= MOST_COUNT).ok_or(Broken)?;
                self.held.clear();
                self.kind = Kind::Counted(count);
                return Ok(octets);
            }
            _ => {
                self.kind = Kind::Line;
                return Ok(octets);
            }
        }
        Ok(rest)
    }

    fn counted<'a>(&mut self, left: usize, octets: &'a [u8], out: &mut Vec<Framed>) -> &'a [u8] {
        let (own, rest) = octets.split_at(left.min(octets.len()));
        self.keep(own);
        self.kind = Kind::Counted(left - own.len());
        if left == own.len() {
            out.push(self.whole());
        }
        rest
    }

    fn line<'a>(&mut self, octets: &'a [u8], out: &mut Vec<Framed>) -> &'a [u8] {
        let Some(end) = octets.iter().position(|b| matches!(b, b'\n' | 0)) else {
            self.keep(octets);
            return &[];
        };
        let (own, rest) = octets.split_at(end);
        self.keep(own);
        if self.held.iter().all(u8::is_ascii_whitespace) && self.over == 0 {
            self.held.clear();
            self.kind = Kind::Unknown;
        } else {
            out.push(self.whole());
        }
        rest.get(1..).unwrap_or_default()
    }

    fn keep(&mut self, octets: &[u8]) {
        let room = MOST_MESSAGE.saturating_sub(self.held.len()).min(octets.len());
        self.held.extend_from_slice(octets.get(..room).unwrap_or_default());
        self.over += (octets.len() - room) as u64;
    }

    fn whole(&mut self) -> Framed {
        let whole = self.held.len() as u64 + self.over;
        self.take(whole)
    }

    fn take(&mut self, whole: u64) -> Framed {
        let octets = std::mem::take(&mut self.held);
        let cut_from = (whole > octets.len() as u64).then_some(whole);
        (self.kind, self.over) = (Kind::Unknown, 0);
        Framed { octets, cut_from }
    }
}

/// The text of a message: octets that are no UTF-8 are replaced, line ends and NULs behind it dropped.
pub(super) fn text(octets: &[u8]) -> String {
    let end = octets.iter().rposition(|b| !matches!(b, b'\n' | b'\r' | 0)).map_or(0, |at| at + 1);
    String::from_utf8_lossy(octets.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(parts: &[&[u8]]) -> (Vec<String>, Option<Framed>) {
        let (mut framer, mut out) = (Framer::new(), Vec::new());
        for part in parts {
            framer.push(part, &mut out).unwrap();
        }
        (out.iter().map(|f| text(&f.octets)).collect(), framer.end())
    }

    #[test]
    fn both_framings_at_every_split() {
        let stream = b"11 <13>1 hello<14>plain line\r\n\n7 <13>a\nb2026-11-20T02:13:05 h a: no PRI\n12 monkeys: no count\n5 <1>xy<9>end";
        let expected = [
            "<13>1 hello",
            "<14>plain line",
            "<13>a\nb",
            "2026-11-20T02:13:05 h a: no PRI",
            "12 monkeys: no count",
            "<1>xy",
        ];
        for at in 0..=stream.len() {
            let (got, last) = all(&[&stream[..at], &stream[at..]]);
            assert_eq!(got, expected, "split at {at}");
            assert_eq!(last, Some(Framed { octets: b"<9>end".to_vec(), cut_from: None }), "split at {at}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(all(&single).0, expected);
    }

    #[test]
    fn long_messages_are_cut_and_what_follows_is_read() {
        let long = [b"<13>".to_vec(), vec![b'x'; 3 * MOST_MESSAGE]].concat();
        let counted = [format!("{} ", long.len()).into_bytes(), long.clone(), b"4 <1>a".to_vec()].concat();
        let lined = [long.clone(), b"\n<1>a\n".to_vec()].concat();
        for stream in [counted, lined] {
            let (mut framer, mut out) = (Framer::new(), Vec::new());
            stream.chunks(1000).for_each(|part| framer.push(part, &mut out).unwrap());
            assert_eq!((out.len(), out[0].octets.len(), out[0].cut_from), (2, MOST_MESSAGE, Some(long.len() as u64)));
            assert_eq!((text(&out[1].octets).as_str(), out[1].cut_from), ("<1>a", None));
        }
    }

    #[test]
    fn a_counted_message_that_does_not_end_is_told_as_a_part() {
        assert_eq!(all(&[b"9 <13>ab"]).1, Some(Framed { octets: b"<13>ab".to_vec(), cut_from: Some(9) }));
        assert_eq!(all(&[b"9 "]).1, Some(Framed { octets: b"9 ".to_vec(), cut_from: None }));
        assert_eq!(all(&[b"<1>a\n"]).1, None);
    }

    #[test]
    fn a_count_that_no_message_has_ends_the_stream() {
        for stream in [&b"99999999 <13>x"[..], b"1048577 <13>x", b"18446744073709551616 <13>"] {
            assert_eq!(Framer::new().push(stream, &mut Vec::new()), Err(Broken));
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "([0-9]{1,3} )?(<1>)?[a-z0-9 <>\n]{0,60}", at in 0..60_usize) {
            let octets = text.as_bytes();
            let (left, right) = octets.split_at(at.min(octets.len()));
            prop_assert_eq!(all(&[octets]), all(&[left, right]));
        }
    }
}
