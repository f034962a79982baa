//! Segments that came early, until what is before them comes or is given up.
use std::collections::VecDeque;

use crate::record::Stamp;

/// A segment.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) seq: u32,
    pub(super) octets: Vec<u8>,
    /// Octets of it that the capture cut off.
    pub(super) cut: usize,
    pub(super) stamp: Stamp,
}

/// Segments in the order of their sequence numbers: hundreds where a hole is never filled, nearly all of them taken from the
/// front and added at the back.
#[derive(Debug, Default)]
pub(super) struct Held {
    parts: VecDeque<Part>,
    octets: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Octets held, and what it costs to hold a segment at all: empty ones must not be free.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    /// The segment that comes first.
    pub(super) fn first(&self) -> Option<&Part> {
        self.parts.front()
    }

    /// Whether octets are held that a segment of that length brings again.
    pub(super) fn reaches_into(&self, seq: u32, length: usize) -> bool {
        self.parts.front().is_some_and(|first| (first.seq.wrapping_sub(seq) as usize) < length)
    }

    /// Holds of a segment what is not held already: the octets seen first win. True if octets that are held came with other
    /// content.
    pub(super) fn add(&mut self, seq: u32, octets: &[u8], cut: usize, stamp: Stamp) -> bool {
        let (mut at, mut differs, mut fresh) = (0, false, Vec::new());
        // Parts never overlap: those that end before the segment have nothing to do with it.
        let before = |part: &Part| !octets.is_empty() && reach(part, seq) <= 0;
        for part in self.parts.range(self.parts.partition_point(before)..) {
            // Where the part lies, counted from the segment's first octet.
            let (from, to) = (part.seq.wrapping_sub(seq).cast_signed(), reach(part, seq));
            let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
            if to == 0 && !octets.is_empty() || from > octets.len() {
                continue;
            }
            differs |= differ(part, seq, octets);
            if from > at {
                fresh.push(at..from.min(octets.len()));
            }
            at = at.max(to);
        }
        if at < octets.len() || octets.is_empty() && cut > 0 && at == 0 {
            fresh.push(at..octets.len());
        }
        for range in fresh {
            let last = range.end == octets.len();
            let start = seq.wrapping_add(u32::try_from(range.start).unwrap_or(u32::MAX));
            let octets = octets.get(range).unwrap_or_default().to_vec();
            self.insert(Part { seq: start, octets, cut: if last { cut } else { 0 }, stamp });
        }
        differs
    }

    fn insert(&mut self, part: Part) {
        self.octets += cost(part.octets.len());
        let at = self.parts.partition_point(|p| p.seq.wrapping_sub(part.seq).cast_signed() <= 0);
        self.parts.insert(at, part);
        // What a capture cut off one segment may be there in the next one.
        for i in [at.checked_sub(1), Some(at)].into_iter().flatten() {
            let next = self.parts.get(i + 1).map(|p| p.seq);
            if let (Some(next), Some(part)) = (next, self.parts.get_mut(i)) {
                let room = (next.wrapping_sub(part.seq) as usize).saturating_sub(part.octets.len());
                part.cut = part.cut.min(room);
            }
        }
    }

    /// The first segment, if it begins at or before that number.
    pub(super) fn take_at(&mut self, next: u32) -> Option<Part> {
        let first = self.parts.front()?;
        if first.seq.wrapping_sub(next).cast_signed() > 0 {
            return None;
        }
        let part = self.parts.pop_front()?;
        self.octets -= cost(part.octets.len());
        Some(part)
    }
}

/// Where a part ends, counted from that number.
fn reach(part: &Part, seq: u32) -> i32 {
    let from = part.seq.wrapping_sub(seq).cast_signed();
    from.saturating_add_unsigned(u32::try_from(part.octets.len()).unwrap_or(u32::MAX))
}

const fn cost(octets: usize) -> usize {
    octets + size_of::<Part>()
}

/// Whether both have an octet of the same number with different values.
fn differ(part: &Part, seq: u32, octets: &[u8]) -> bool {
    let shift = seq.wrapping_sub(part.seq).cast_signed();
    let (old, new) = match usize::try_from(shift) {
        Ok(shift) => (part.octets.get(shift..), Some(octets)),
        Err(_) => (Some(part.octets.as_slice()), octets.get(shift.unsigned_abs() as usize..)),
    };
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    old.iter().zip(new).any(|(a, b)| a != b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_held_wins_and_what_it_lacks_is_added() {
        let mut held = Held::default();
        assert!(!held.add(10, b"kl", 0, Stamp::default()));
        assert!(held.add(8, b"ij??mn", 3, Stamp::default()), "other octets");
        let parts: Vec<_> = held.parts.iter().map(|p| (p.seq, p.octets.as_slice(), p.cut)).collect();
        assert_eq!(parts, [(8, b"ij".as_slice(), 0), (10, b"kl", 0), (12, b"mn", 3)]);
        assert!(!held.add(15, b"p", 0, Stamp::default()));
        assert_eq!(held.parts[2].cut, 1, "what was cut off is there in part");
        assert!(!held.add(8, b"ijklmn", 0, Stamp::default()) && held.parts.len() == 4);
    }

    proptest! {
        #[test]
        fn each_octet_is_the_first_that_was_seen(
            start: u32,
            segments in prop::collection::vec((0_u32..200, prop::collection::vec(any::<u8>(), 1..40)), 1..30),
        ) {
            let (mut held, mut first) = (Held::default(), [None; 240]);
            for (at, octets) in &segments {
                held.add(start.wrapping_add(*at), octets, 0, Stamp::default());
                for (slot, octet) in first[*at as usize..].iter_mut().zip(octets) {
                    slot.get_or_insert(*octet);
                }
            }
            let mut got = [None; 240];
            for part in &held.parts {
                let at = part.seq.wrapping_sub(start) as usize;
                for (slot, octet) in got[at..].iter_mut().zip(&part.octets) {
                    prop_assert!(slot.replace(*octet).is_none(), "held twice");
                }
            }
            prop_assert_eq!(got, first);
            prop_assert_eq!(held.octets(), held.parts.iter().map(|p| cost(p.octets.len())).sum::<usize>());
        }
    }
}
