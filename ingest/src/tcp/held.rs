//! Segments that came early, until what is before them comes or is given up.
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

/// Segments in the order of their sequence numbers; few at a time, so a vector is the fastest map.
#[derive(Debug, Default)]
pub(super) struct Held {
    parts: Vec<Part>,
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
        self.parts.first()
    }

    /// Holds a segment; true if octets that are held already came with other content.
    pub(super) fn add(&mut self, seq: u32, octets: &[u8], cut: usize, stamp: Stamp) -> bool {
        let before = |part: &Part| part.seq.wrapping_sub(seq).cast_signed() <= 0;
        let at = self.parts.partition_point(before);
        let differs = self.parts.iter().any(|part| differ(part, seq, octets));
        let repeated = at.checked_sub(1).and_then(|i| self.parts.get(i)).is_some_and(|p| p.seq == seq && p.octets.len() >= octets.len());
        if repeated {
            return differs;
        }
        self.octets += cost(octets.len());
        self.parts.insert(at, Part { seq, octets: octets.to_vec(), cut, stamp });
        differs
    }

    /// The first segment, if it begins at or before that number.
    pub(super) fn take_at(&mut self, next: u32) -> Option<Part> {
        let first = self.parts.first()?;
        if first.seq.wrapping_sub(next).cast_signed() > 0 {
            return None;
        }
        let part = self.parts.remove(0);
        self.octets -= cost(part.octets.len());
        Some(part)
    }
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
