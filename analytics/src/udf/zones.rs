//! The zone of an address, the longest range that holds it, and the carrier's time zone: where and at what hour something was.
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::tz::TimeZone;
use lidr_schema::{Cidr, Ip};

/// A zone of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// 0 outside … 9 intercept.
    pub rank: Option<i64>,
}

/// All ranges, by their length, the longest first: one look a length that occurs.
#[derive(Clone, Debug)]
pub struct Zones {
    lengths: Vec<(u8, HashMap<Ip, Zone>)>,
    time_zone: TimeZone,
}

/// The zones of the copy of the site that is at hand: plans are made once, so these are looked up when a plan runs.
#[derive(Debug, Default)]
pub(crate) struct ZonesNow(RwLock<Arc<Zones>>);

impl ZonesNow {
    pub(crate) fn new(zones: &Arc<Zones>) -> Self {
        Self(RwLock::new(Arc::clone(zones)))
    }

    pub(crate) fn get(&self) -> Arc<Zones> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, zones: &Arc<Zones>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(zones);
    }
}

impl Default for Zones {
    fn default() -> Self {
        Self { lengths: Vec::new(), time_zone: TimeZone::UTC }
    }
}

impl Zones {
    /// From ranges and their zones; of equal ranges the last one counts.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = (Cidr, Zone)>) -> Self {
        let mut by_length: HashMap<u8, HashMap<Ip, Zone>> = HashMap::new();
        for (range, zone) in ranges {
            by_length.entry(range.len128()).or_default().insert(range.first(), zone);
        }
        let mut lengths: Vec<_> = by_length.into_iter().collect();
        lengths.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        Self { lengths, time_zone: TimeZone::UTC }
    }

    /// The same ranges, with the hours of a time zone.
    #[must_use]
    pub fn in_time_zone(self, time_zone: TimeZone) -> Self {
        Self { time_zone, ..self }
    }

    /// The carrier's time zone; UTC where the site does not say.
    #[must_use]
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The zone of an address.
    #[must_use]
    pub fn of(&self, address: Ip) -> Option<&Zone> {
        let bits = u128::from_be_bytes(address.octets());
        self.lengths.iter().find_map(|(length, ranges)| {
            let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
            ranges.get(&Ip::new((bits & mask).to_be_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_range_wins() {
        let zone = |name: &str| Zone { name: name.into(), rank: None };
        let zones = Zones::new([
            ("0.0.0.0/0".parse().unwrap(), zone("internet")),
            ("10.0.0.0/8".parse().unwrap(), zone("core")),
            ("10.66.0.0/16".parse().unwrap(), zone("li-admin")),
        ]);
        let of = |a: &str| zones.of(a.parse().unwrap()).map(|z| z.name.as_str());
        assert_eq!(
            (of("10.66.0.1"), of("10.1.0.1"), of("8.8.8.8")),
            (Some("li-admin"), Some("core"), Some("internet"))
        );
        assert_eq!(of("2001:db8::1"), None, "0.0.0.0/0 is all of IPv4 only");
    }
}
