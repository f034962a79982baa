//! Reads fields off the front of octets, in network order.
//!
//! Every read says `None` where the octets end, and nothing here can panic; what a short read means is the decoder's to say.

/// Octets not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Starts at the first octet.
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// What is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether everything was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` octets.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// One octet.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// Two octets.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three octets.
    pub(crate) fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four octets.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight octets.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Sixteen octets.
    pub(crate) fn u128(&mut self) -> Option<[u8; 16]> {
        self.array()
    }

    /// Octets behind a length of one octet.
    pub(crate) fn counted8(&mut self) -> Option<&'a [u8]> {
        let count = self.u8()?;
        self.take(usize::from(count))
    }

    /// Octets behind a length of two octets.
    pub(crate) fn counted16(&mut self) -> Option<&'a [u8]> {
        let count = self.u16()?;
        self.take(usize::from(count))
    }

    /// Octets behind a length of three octets.
    pub(crate) fn counted24(&mut self) -> Option<&'a [u8]> {
        let count = self.u24()?;
        self.take(usize::try_from(count).ok()?)
    }

    /// Octets behind a length of four octets.
    pub(crate) fn counted32(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(usize::try_from(count).ok()?)
    }
}

/// Text of at most `most` characters, what cannot be printed left out.
pub(crate) fn printable(octets: &[u8], most: usize) -> String {
    octets.iter().map(|o| char::from(*o)).filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect()
}

/// Text of an identifier that may be any octets: itself, or its hexadecimal digits where it is no text.
pub(crate) fn identifier(octets: &[u8], most: usize) -> String {
    let graphic = octets.iter().all(|o| o.is_ascii_graphic() || *o == b' ');
    if graphic { printable(octets, most) } else { lidr_schema::hex::encode(octets.get(..most / 2).unwrap_or(octets)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_network_order_and_end_where_the_octets_end() {
        let mut c = Cursor::new(&[1, 0, 2, 0, 0, 3, 1, 9, 7]);
        assert_eq!((c.u8(), c.u16(), c.u24()), (Some(1), Some(2), Some(3)));
        assert_eq!(c.counted8(), Some(&[9][..]));
        assert_eq!(c.u16(), None, "one octet is not two");
        assert_eq!((c.take(1), c.is_empty()), (Some(&[7][..]), true), "a read that fails takes nothing");
    }

    #[test]
    fn an_identifier_is_text_or_digits() {
        assert_eq!(identifier(b"LIID 1", 9), "LIID 1");
        assert_eq!([identifier(&[1, 0xff], 9), identifier(&[0xff; 9], 4)], ["01ff", "ffff"]);
    }

    #[test]
    fn text_is_printable_and_bounded() {
        assert_eq!(printable(b"a\x1b[31mb\0c", 4), "a[31");
    }
}
