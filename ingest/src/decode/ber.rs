//! BER (ITU-T X.690), whole messages in [`Ber`] and streams in [`walk::Walk`].
//!
//! A general parser is not used because senders accept and write lengths that are longer than they need be, and hiding a request
//! behind one must not hide it from us: such a length is read and noted. [`Ber`] reads as SNMP is written (RFC 3417 §8): definite
//! lengths, tags of one octet, no more than a datagram; anything else ends the reading. Streams of the handover interfaces have
//! indefinite lengths and values that nobody wants to hold: those are walked through.
pub(super) mod stream;
pub(super) mod walk;

use std::cell::Cell;

/// Why octets could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// What was wrong, from a closed set.
    pub(super) what: &'static str,
    /// Octets needed.
    pub(super) needed: u64,
    /// Octets there.
    pub(super) had: u64,
}

impl Bad {
    pub(super) const SHORT: &'static str = "length";

    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, needed: 0, had: 0 }
    }

    /// Whether octets were missing at the end.
    pub(super) fn is_short(&self) -> bool {
        self.what == Self::SHORT
    }
}

/// What was noted while one message was read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// A length, an integer or an object identifier took more octets than it needs.
    pub(super) nonminimal: Cell<bool>,
    /// The capture cut the message: read what is there.
    pub(super) cut: bool,
}

/// What stands before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The first octet; of a tag of several octets that one in the highest place and the number below it.
    pub(super) tag: u32,
    /// Octets of the value; none where a pair of zero octets ends it.
    pub(super) length: Option<u64>,
}

impl Head {
    /// Whether there are values inside the value.
    pub(super) const fn is_constructed(self) -> bool {
        let first = if self.tag > 0xff { self.tag >> 24 } else { self.tag };
        first & 0x20 != 0
    }
}

/// Octets of a tag's number beyond the first, at most.
const MOST_TAG: usize = 3;

/// Octets of one constructed value, read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ber<'a> {
    rest: &'a [u8],
    notes: &'a Notes,
}

/// One value with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tlv<'a> {
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
}

impl<'a> Ber<'a> {
    pub(super) const fn new(rest: &'a [u8], notes: &'a Notes) -> Self {
        Self { rest, notes }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A reader of other octets of the same message.
    pub(super) const fn of(&self, octets: &'a [u8]) -> Self {
        Self { rest: octets, notes: self.notes }
    }

    /// Whether the capture cut the message.
    pub(super) const fn is_cut(&self) -> bool {
        self.notes.cut
    }

    fn octet(&mut self) -> Result<u8, Bad> {
        let Some((first, rest)) = self.rest.split_first() else {
            return Err(Bad { what: Bad::SHORT, needed: 1, had: 0 });
        };
        self.rest = rest;
        Ok(*first)
    }

    /// Tag and length of the next value, whatever they are.
    pub(super) fn head(&mut self) -> Result<Head, Bad> {
        let first = self.octet()?;
        let mut tag = u32::from(first);
        if first & 0x1f == 0x1f {
            let mut number = 0;
            for place in 0.. {
                let octet = self.octet()?;
                number = number << 7 | u32::from(octet & 0x7f);
                if octet & 0x80 == 0 {
                    break;
                }
                if place + 1 == MOST_TAG {
                    return Err(Bad::new("tag"));
                }
            }
            tag = tag << 24 | number;
        }
        Ok(Head { tag, length: self.length()? })
    }

    fn length(&mut self) -> Result<Option<u64>, Bad> {
        let first = self.octet()?;
        let count = match first {
            0..=0x7f => return Ok(Some(u64::from(first))),
            0x80 => return Ok(None),
            0xff => return Err(Bad::new("tag")),
            _ => first & 0x7f,
        };
        let mut length = 0_u64;
        for place in 0..count {
            let octet = self.octet()?;
            if place == 0 && octet == 0 {
                self.notes.nonminimal.set(true);
            }
            length = length << 8 | u64::from(octet);
            if length > u64::from(u32::MAX) {
                return Err(Bad { what: "long", needed: length, had: self.rest.len() as u64 });
            }
        }
        if length < 0x80 {
            self.notes.nonminimal.set(true);
        }
        Ok(Some(length))
    }

    /// The next value, whatever it is.
    pub(super) fn next(&mut self) -> Result<Tlv<'a>, Bad> {
        let head = self.head()?;
        let tag = u8::try_from(head.tag).map_err(|_| Bad::new("tag"))?;
        let length = head.length.ok_or(Bad::new("indefinite"))?;
        let short = Bad { what: Bad::SHORT, needed: length, had: self.rest.len() as u64 };
        let length = usize::try_from(length).map_err(|_| Bad::new("long"))?;
        // In a cut message the inner values of a constructed one may still be whole.
        let length = if self.notes.cut && tag & 0x20 != 0 { length.min(self.rest.len()) } else { length };
        let (value, rest) = self.rest.split_at_checked(length).ok_or(short)?;
        self.rest = rest;
        Ok(Tlv { tag, value })
    }

    /// The next value, which must have that tag.
    pub(super) fn tagged(&mut self, tag: u8) -> Result<&'a [u8], Bad> {
        let next = self.next()?;
        if next.tag != tag {
            return Err(Bad::new("tag"));
        }
        Ok(next.value)
    }

    /// The inside of the next value, which must have that tag.
    pub(super) fn inside(&mut self, tag: u8) -> Result<Self, Bad> {
        Ok(Self { rest: self.tagged(tag)?, notes: self.notes })
    }

    /// The next value as a signed integer.
    pub(super) fn integer(&mut self) -> Result<i64, Bad> {
        let value = self.tagged(0x02)?;
        if matches!(value, [0, second, ..] if second & 0x80 == 0) {
            self.notes.nonminimal.set(true);
        }
        signed(value).ok_or(Bad::new("integer"))
    }

    /// The next value as an integer that has no sign and fits 32 bits.
    pub(super) fn unsigned(&mut self) -> Result<u32, Bad> {
        u32::try_from(self.integer()?).map_err(|_| Bad::new("integer"))
    }

    /// The next value as an object identifier.
    pub(super) fn oid(&mut self) -> Result<Oid<'a>, Bad> {
        let oid = Oid::read(self.tagged(0x06)?)?;
        if oid.nonminimal() {
            self.notes.nonminimal.set(true);
        }
        Ok(oid)
    }
}

/// A signed integer of at most 64 bits; zero octets before it do no harm.
pub(super) fn signed(value: &[u8]) -> Option<i64> {
    let first = value.first()?;
    let zeros = value.iter().take_while(|o| **o == 0).count();
    let rest = value.get(zeros..)?;
    let fill = if first & 0x80 == 0 { 0 } else { -1_i64 };
    let long = rest.len() > 8 || (zeros > 0 && rest.len() == 8 && rest.first()? & 0x80 != 0);
    (!long).then(|| rest.iter().fold(fill, |sum, octet| sum << 8 | i64::from(*octet)))
}

/// An integer without sign, as counters and gauges have it; what does not fit is the greatest.
pub(super) fn unsigned(value: &[u8]) -> Option<i64> {
    let zeros = value.iter().take_while(|o| **o == 0).count();
    let rest = value.get(zeros..).filter(|rest| rest.len() <= 8 && !value.is_empty())?;
    let sum = rest.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
    Some(i64::try_from(sum).unwrap_or(i64::MAX))
}

/// An object identifier: its encoded octets, checked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oid<'a>(&'a [u8]);

/// A number in decimal, without making a text of it first.
fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.extend(char::from_digit(number % 10, 10));
}

/// What fits no arc is the greatest one.
fn arc(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Sub-identifiers of one object identifier (RFC 3416 §4.1).
const MOST_ARCS: usize = 128;

impl<'a> Oid<'a> {
    /// Checks that every sub-identifier ends and fits 32 bits.
    pub(super) fn read(octets: &'a [u8]) -> Result<Self, Bad> {
        let (mut arcs, mut value) = (0_usize, 0_u64);
        for octet in octets {
            value = value << 7 | u64::from(octet & 0x7f);
            // The first sub-identifier holds two arcs: 40 × the first, and the second.
            if value > u64::from(u32::MAX) + 80 || (arcs > 0 && value > u64::from(u32::MAX)) {
                return Err(Bad::new("oid"));
            }
            if octet & 0x80 == 0 {
                (arcs, value) = (arcs + 1, 0);
            }
        }
        let open = octets.last().is_some_and(|o| o & 0x80 != 0);
        if open || arcs >= MOST_ARCS {
            return Err(Bad::new("oid"));
        }
        Ok(Self(octets))
    }

    fn nonminimal(self) -> bool {
        let begins = std::iter::once(true).chain(self.0.iter().map(|o| o & 0x80 == 0));
        self.0.iter().zip(begins).any(|(octet, begin)| begin && *octet == 0x80)
    }

    /// Its arcs in order.
    pub(super) fn arcs(self) -> impl Iterator<Item = u32> + 'a {
        let mut octets = self.0.iter();
        let (mut first, mut second) = (true, None);
        std::iter::from_fn(move || {
            if let Some(arc) = second.take() {
                return Some(arc);
            }
            let mut value = 0_u64;
            loop {
                let octet = octets.next()?;
                value = value << 7 | u64::from(octet & 0x7f);
                if octet & 0x80 == 0 {
                    break;
                }
            }
            if std::mem::take(&mut first) {
                let top = (value / 40).min(2);
                second = Some(arc(value - top * 40));
                return Some(arc(top));
            }
            Some(arc(value))
        })
    }

    /// The arcs after that prefix, if it has it.
    pub(super) fn after(self, prefix: &[u32]) -> Option<impl Iterator<Item = u32> + 'a> {
        let mut arcs = self.arcs();
        prefix.iter().all(|want| arcs.next() == Some(*want)).then_some(arcs)
    }

    /// Dotted text of at most so many arcs.
    pub(super) fn dotted(self, most: usize) -> String {
        let mut text = String::with_capacity(self.0.len() * 3);
        for (place, arc) in self.arcs().take(most).enumerate() {
            if place > 0 {
                text.push('.');
            }
            push_number(&mut text, arc);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn integer(octets: &[u8]) -> (Result<i64, Bad>, bool) {
        let notes = Notes::default();
        let value = Ber::new(octets, &notes).integer();
        (value, notes.nonminimal.get())
    }

    #[test]
    fn lengths_may_be_longer_than_needed_but_not_endless() {
        assert_eq!(integer(&[2, 1, 5]), (Ok(5), false));
        assert_eq!(integer(&[2, 0x81, 1, 5]), (Ok(5), true));
        assert_eq!(integer(&[2, 0x84, 0, 0, 0, 1, 5]), (Ok(5), true));
        assert_eq!(integer(&[2, 2, 0, 5]), (Ok(5), true));
        assert_eq!(integer(&[2, 0x80, 5, 0, 0]).0.unwrap_err().what, "indefinite");
        assert_eq!(integer(&[2, 0x85, 1, 0, 0, 0, 0, 5]).0.unwrap_err().what, "long");
        assert_eq!(
            integer(&[2, 0x84, 0xff, 0xff, 0xff, 0xff, 5]).0,
            Err(Bad { what: "length", needed: 0xffff_ffff, had: 1 })
        );
    }

    #[test]
    fn integers_keep_their_sign() {
        for (octets, want) in [(&[0xff_u8][..], Some(-1)), (&[0x80], Some(-128)), (&[0, 0x80], Some(128)), (&[], None)]
        {
            assert_eq!(signed(octets), want, "{octets:?}");
        }
        assert_eq!(signed(&[0x7f; 8]), Some(0x7f7f_7f7f_7f7f_7f7f));
        assert_eq!(signed(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(unsigned(&[0xff; 4]), Some(0xffff_ffff));
        assert_eq!(unsigned(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MAX));
    }

    #[test]
    fn object_identifiers_are_dotted() {
        let oid = Oid::read(&[0x2b, 6, 1, 4, 1, 9, 9, 0x83, 0x0f]).unwrap();
        assert_eq!(oid.dotted(128), "1.3.6.1.4.1.9.9.399");
        assert_eq!(oid.dotted(3), "1.3.6");
        assert_eq!(oid.after(&[1, 3, 6, 1, 4, 1, 9, 9]).unwrap().collect::<Vec<_>>(), [399]);
        assert_eq!(Oid::read(&[0x88, 0x37]).unwrap().dotted(9), "2.999");
        assert!(Oid::read(&[0x80, 0x2b]).unwrap().nonminimal());
        assert!(Oid::read(&[0x2b, 0x86]).is_err(), "the last sub-identifier does not end");
        assert!(Oid::read(&[1; 200]).is_err(), "too many arcs");
        assert!(Oid::read(&[0x2b, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err(), "more than 32 bits");
    }

    proptest! {
        #[test]
        fn no_octets_break_it(octets in prop::collection::vec(any::<u8>(), 0..64), cut: bool) {
            let notes = Notes { cut, ..Notes::default() };
            let mut ber = Ber::new(&octets, &notes);
            while let Ok(tlv) = ber.next() {
                if let Ok(oid) = Oid::read(tlv.value) {
                    prop_assert!(oid.arcs().count() <= MOST_ARCS);
                }
                let _ = (signed(tlv.value), unsigned(tlv.value));
            }
        }
    }
}
