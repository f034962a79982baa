//! Calendar times that protocols carry, as microseconds since the epoch.
//!
//! Two forms: SNMP's `DateAndTime` (RFC 2579 §2: 8 or 11 octets, without a zone read as UTC) and the profile of RFC 3339 that
//! XML Schema uses (`2026-11-22T11:15:00.123456Z`, fraction and zone optional). Leap seconds count as the second before.
use lidr_schema::Micros;

/// Days from 1970-01-01 to a day of the Gregorian calendar (H. Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// [year, month, day, hour, minute, second], if they are one.
fn civil([year, month, day, hour, minute, second]: [i64; 6], micros: i64) -> Option<i64> {
    let fits = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    fits.then(|| {
        let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second.min(59);
        seconds * 1_000_000 + micros
    })
}

/// An SNMP `DateAndTime`.
pub(super) fn date_and_time(octets: &[u8]) -> Option<Micros> {
    let (head, zone) = octets.split_at_checked(8)?;
    let &[y1, y2, month, day, hour, minute, second, tenth] = head else { return None };
    let year = i64::from(u16::from_be_bytes([y1, y2]));
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(i64::from);
    let local = civil([year, month, day, hour, minute, second], i64::from(tenth.min(9)) * 100_000)?;
    let east = match zone {
        [] => 0,
        &[sign @ (b'+' | b'-'), hours, minutes] => {
            let offset = i64::from(hours) * 60 + i64::from(minutes);
            if sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    Some(Micros(local - east * 60_000_000))
}

/// An XML Schema `dateTime`.
pub(super) fn date_time(text: &str) -> Option<Micros> {
    let (date, rest) = text.trim().split_once('T')?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = date.splitn(3, '-').chain(time.splitn(3, ':')).map(number);
    let mut next = || parts.next().flatten();
    let fields = [next()?, next()?, next()?, next()?, next()?, next()?];
    Some(Micros(civil(fields, micros(fraction)?)? - east(zone)? * 60_000_000))
}

fn number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn micros(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    number(fraction.get(..6).unwrap_or(fraction)).map(|n| n * 10_i64.pow(6 - fraction.len().min(6) as u32))
}

/// Minutes east of Greenwich.
fn east(zone: &str) -> Option<i64> {
    let offset = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        Some(number(hours)? * 60 + number(minutes)?)
    };
    match zone.split_at_checked(1) {
        None => Some(0),
        Some(("Z", "")) => Some(0),
        Some(("+", rest)) => offset(rest),
        Some(("-", rest)) => offset(rest).map(|o| -o),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn known_days_are_right() {
        let at = |text| date_time(text).map(|m| m.0);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2000-03-01T00:00:00Z"), Some(11_017 * DAY));
        assert_eq!(at("2026-11-22T11:15:00.123456Z"), Some(1_795_346_100_123_456));
        assert_eq!(at("2026-11-22T12:15:00.5+01:00"), Some(1_795_346_100_500_000));
        assert_eq!(at("2026-11-22T05:45:00-05:30"), Some(1_795_346_100_000_000));
        for wrong in
            ["", "2026-11-22", "2026-13-22T00:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T00:00:00Q", "x-y-zT::Z"]
        {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn date_and_time_has_eight_or_eleven_octets() {
        let utc = [0x07, 0xea, 11, 22, 11, 15, 0, 1];
        assert_eq!(date_and_time(&utc), Some(Micros(1_795_346_100_100_000)));
        assert_eq!(date_and_time(&[&utc[..], b"+\x01\x00"].concat()), Some(Micros(1_795_342_500_100_000)));
        for length in [0, 7, 9, 10] {
            assert_eq!(date_and_time(&vec![1; length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_input_breaks_it(text in "\\PC*", octets in prop::collection::vec(any::<u8>(), 0..14)) {
            let _ = (date_time(&text), date_and_time(&octets));
        }
    }
}
