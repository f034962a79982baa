//! Addresses: one form for IPv4 and IPv6, so that a column, a comparison and a prefix test are one thing.
use std::{
    cmp::Ordering,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An IP address as 16 octets in network order; IPv4 is mapped into `::ffff:0:0/96` (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ip([u8; 16]);

impl Ord for Ip {
    /// As octets in network order, in one comparison: every packet's ends are compared.
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for Ip {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ip {
    /// From 16 octets in network order.
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// From the four octets of an IPv4 address.
    #[must_use]
    pub const fn v4(o: [u8; 4]) -> Self {
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, o[0], o[1], o[2], o[3]])
    }

    /// The 16 octets in network order.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    /// The octets as they stand on the wire: 4 for a mapped IPv4 address, 16 otherwise.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        match self.is_v4() {
            true => self.0.get(12..).unwrap_or_default(),
            false => &self.0,
        }
    }

    /// Whether this is a mapped IPv4 address.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        u128::from_be_bytes(self.0) >> 32 == 0xffff
    }

    /// The standard library's form.
    #[must_use]
    pub fn to_std(self) -> IpAddr {
        match Ipv6Addr::from(self.0).to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }
}

impl From<IpAddr> for Ip {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl From<Ipv4Addr> for Ip {
    fn from(address: Ipv4Addr) -> Self {
        Self::v4(address.octets())
    }
}

impl FromStr for Ip {
    type Err = std::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse::<IpAddr>().map(Self::from)
    }
}

impl fmt::Display for Ip {
    /// RFC 5952 text; a mapped address reads as IPv4.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_std().fmt(f)
    }
}

impl fmt::Debug for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_std().fmt(f)
    }
}

/// An address range `net/len`; the length counts from the start of the 128 bits (IPv4 `/8` is 104).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    first: Ip,
    last: Ip,
    len: u8,
}

impl Cidr {
    /// The least address of the range.
    #[must_use]
    pub const fn first(&self) -> Ip {
        self.first
    }

    /// The greatest address of the range.
    #[must_use]
    pub const fn last(&self) -> Ip {
        self.last
    }

    /// Prefix length in 128 bits.
    #[must_use]
    pub const fn len128(&self) -> u8 {
        self.len
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(&self, address: Ip) -> bool {
        self.first <= address && address <= self.last
    }
}

/// Why a text is not an address range.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an address range: needed ADDRESS or ADDRESS/LENGTH, for instance 10.0.0.0/8")]
pub struct BadCidr(String);

impl FromStr for Cidr {
    type Err = BadCidr;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadCidr(text.to_owned());
        let (address, len) = text.trim().split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: Ip = address.parse().map_err(|_| bad())?;
        // Of a mapped address that is written as IPv6, the length counts from the start of all 128 bits.
        let most = if text.contains(':') { 128 } else { 32 };
        let len: u8 = len.map_or(Ok(most), str::parse).map_err(|_| bad())?;
        if len > most {
            return Err(bad());
        }
        let len = len + (128 - most);
        let mask = u128::MAX.checked_shl(u32::from(128 - len)).unwrap_or(0);
        let first = u128::from_be_bytes(address.octets()) & mask;
        Ok(Self { first: Ip(first.to_be_bytes()), last: Ip((first | !mask).to_be_bytes()), len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_ends_and_nothing_beside_them() {
        let ten: Cidr = "10.0.0.0/8".parse().unwrap();
        for (address, inside) in [("10.0.0.0", true), ("10.255.255.255", true), ("11.0.0.0", false), ("::1", false)] {
            assert_eq!(ten.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!("::/0".parse::<Cidr>().unwrap().contains(Ip::v4([1, 2, 3, 4])));
        assert_eq!("::ffff:10.0.0.0/104".parse::<Cidr>(), Ok(ten));
        assert_eq!(
            "::1".parse::<Cidr>().map(|c| (c.first(), c.last())),
            "::1/128".parse().map(|c: Cidr| (c.last(), c.first()))
        );
        assert!("10.0.0.0/33".parse::<Cidr>().is_err() && "ten/8".parse::<Cidr>().is_err());
    }

    #[test]
    fn text_is_the_short_form() {
        assert_eq!(Ip::v4([10, 0, 0, 1]).to_string(), "10.0.0.1");
        assert_eq!("2001:db8:0:0::1".parse::<Ip>().unwrap().to_string(), "2001:db8::1");
        assert_eq!(Ip::v4([10, 0, 0, 1]).wire(), [10, 0, 0, 1]);
    }
}
