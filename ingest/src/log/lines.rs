//! A record file taken apart into records: lines, and for CSV what lies between quotes over several lines.
//!
//! A line is at most 256 KiB; of a longer one the beginning stands for the whole and is told as too long. Octets that are no UTF-8
//! are replaced, a byte order mark and carriage returns are dropped, blank lines count as lines and are no records. A quote
//! that is not closed within 64 lines makes its own line bad and no other: those read ahead are read again.
use std::{collections::VecDeque, io};

use crate::source::Bytes;

/// Most octets of a record.
const MOST_LINE: usize = 256 * 1024;
/// Most lines that one CSV record may span.
const MOST_SPAN: usize = 64;

/// A record as it stands in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    /// Its first line, from 1.
    pub(super) number: u64,
    pub(super) text: String,
    /// What is wrong with it already.
    pub(super) bad: Option<&'static str>,
}

/// Reads records.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Bytes,
    number: u64,
    /// Lines that were read ahead.
    again: VecDeque<Raw>,
}

impl Lines {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, number: 0, again: VecDeque::new() }
    }

    /// Octets read of the file as it is stored.
    pub(super) fn stored(&self) -> u64 {
        self.bytes.stored()
    }

    /// The line after the last one read.
    pub(super) const fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// The next line that is not blank.
    pub(super) fn line(&mut self) -> io::Result<Option<Raw>> {
        loop {
            let next = match self.again.pop_front() {
                Some(raw) => Some(raw),
                None => self.physical()?,
            };
            match next {
                Some(raw) if raw.bad.is_none() && raw.text.trim().is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    /// The next CSV record.
    pub(super) fn csv(&mut self) -> io::Result<Option<Raw>> {
        let Some(mut first) = self.line()? else { return Ok(None) };
        let mut open = quotes(&first.text) % 2 == 1;
        let mut ahead: Vec<Raw> = Vec::new();
        let mut octets = first.text.len();
        while open && first.bad.is_none() && ahead.len() < MOST_SPAN && octets < MOST_LINE {
            let next = match self.again.pop_front() {
                Some(raw) => Some(raw),
                None => self.physical()?,
            };
            let Some(raw) = next else { break };
            octets += raw.text.len();
            open ^= quotes(&raw.text) % 2 == 1;
            ahead.push(raw);
        }
        if open {
            ahead.into_iter().rev().for_each(|raw| self.again.push_front(raw));
            first.bad = first.bad.or(Some("a quote that is not closed"));
            return Ok(Some(first));
        }
        for raw in ahead {
            first.text.push('\n');
            first.text.push_str(&raw.text);
        }
        Ok(Some(first))
    }

    fn physical(&mut self) -> io::Result<Option<Raw>> {
        let mut looked = 0;
        let (length, ended) = loop {
            // One octet more than was looked at: whatever a read gives is enough, and what it gave before it failed is not lost.
            let there = self.bytes.want(looked + 1)?;
            let new = there.get(looked..).unwrap_or_default();
            match new.iter().position(|b| *b == b'\n') {
                Some(at) => break (looked + at, 1),
                None if new.is_empty() => break (looked, 0),
                None if there.len() > MOST_LINE => return self.too_long().map(Some),
                None => looked = there.len(),
            }
        };
        if length + ended == 0 {
            return Ok(None);
        }
        let text = self.text(length);
        let bad = (length > MOST_LINE).then_some("too long");
        self.bytes.take(length + ended);
        self.number += 1;
        Ok(Some(Raw { number: self.number, text, bad }))
    }

    /// The beginning of a line of which no end is in sight; the rest is passed over.
    fn too_long(&mut self) -> io::Result<Raw> {
        let text = self.text(128);
        loop {
            let there = self.bytes.want(1)?;
            let (seen, end) = (there.len(), there.iter().position(|b| *b == b'\n'));
            self.bytes.take(end.map_or(seen, |at| at + 1));
            if end.is_some() || seen == 0 {
                break;
            }
        }
        self.number += 1;
        Ok(Raw { number: self.number, text, bad: Some("too long") })
    }

    fn text(&self, length: usize) -> String {
        let octets = self.bytes.buffered().get(..length).unwrap_or_default();
        let octets = if self.number == 0 { octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets) } else { octets };
        String::from_utf8_lossy(octets.strip_suffix(b"\r").unwrap_or(octets)).into_owned()
    }
}

fn quotes(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'"').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(octets: &[u8]) -> Lines {
        Lines::new(Bytes::new(Box::new(io::Cursor::new(octets.to_vec()))).unwrap())
    }

    fn all(octets: &[u8], read: fn(&mut Lines) -> io::Result<Option<Raw>>) -> Vec<(u64, String, Option<&'static str>)> {
        let mut lines = lines(octets);
        std::iter::from_fn(|| read(&mut lines).unwrap()).map(|r| (r.number, r.text, r.bad)).collect()
    }

    #[test]
    fn lines_have_their_numbers() {
        let found = all(b"\xef\xbb\xbfa\r\n\n  \nb\xff\nc", Lines::line);
        assert_eq!(found, [(1, "a".to_owned(), None), (4, "b\u{fffd}".to_owned(), None), (5, "c".to_owned(), None)]);
        assert!(all(b"", Lines::line).is_empty());
    }

    #[test]
    fn a_line_without_end_is_one_bad_record() {
        let mut octets = vec![b'x'; 3 * MOST_LINE];
        octets.extend(b"\nafter\n");
        let found = all(&octets, Lines::line);
        assert_eq!(
            found.iter().map(|(n, t, bad)| (*n, t.len(), *bad)).collect::<Vec<_>>(),
            [(1, 128, Some("too long")), (2, 5, None)]
        );
        let whole = all(&octets[..2 * MOST_LINE], Lines::line);
        assert_eq!(whole.len(), 1, "the end of the file ends it too");
    }

    #[test]
    fn a_quoted_cell_may_span_lines() {
        let found = all(b"a;\"b\n\nc\";d\ne;f\n", Lines::csv);
        assert_eq!(found, [(1, "a;\"b\n\nc\";d".to_owned(), None), (4, "e;f".to_owned(), None)]);
    }

    #[test]
    fn a_stray_quote_spoils_its_own_line_only() {
        let mut octets = b"a;\"b\n".to_vec();
        (0..200).for_each(|i| octets.extend(format!("x;{i}\n").into_bytes()));
        let found = all(&octets, Lines::csv);
        assert_eq!(found.len(), 201);
        assert_eq!(found[0].2, Some("a quote that is not closed"));
        assert_eq!(found[200], (201, "x;199".to_owned(), None));
    }
}
