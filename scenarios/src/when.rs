//! Time as the protocols write it: µs since 1970 in, RFC 3339 (X1, site tables) and the DateAndTime of RFC 2579 (SNMP) out.
//! Days become dates by the proleptic Gregorian rule over eras of 400 years; leap seconds do not exist here.

/// One second, µs.
pub(crate) const SECOND: i64 = 1_000_000;
/// One minute, µs.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// One hour, µs.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// One day, µs.
pub(crate) const DAY: i64 = 24 * HOUR;

/// Year, month, day.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * m + 2) / 5 + 1)
}

/// Seconds of the day.
fn clock(at: i64) -> (i64, i64, i64) {
    let s = at.rem_euclid(DAY) / SECOND;
    (s / 3600, s / 60 % 60, s % 60)
}

/// `2026-11-10T09:00:00Z`
pub(crate) fn rfc3339(at: i64) -> String {
    let ((year, month, day), (h, m, s)) = (date(at.div_euclid(DAY)), clock(at));
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// `2026-11-10T09:00:00.123456Z`: the QualifiedMicrosecondDateTime of TS 103 280.
pub(crate) fn micros(at: i64) -> String {
    rfc3339(at).replace('Z', &format!(".{:06}Z", at.rem_euclid(SECOND)))
}

/// `DateAndTime` with the direction from UTC: 11 octets.
pub(crate) fn date_and_time(at: i64) -> Vec<u8> {
    let ((year, month, day), (h, m, s)) = (date(at.div_euclid(DAY)), clock(at));
    let mut out = u16::try_from(year).unwrap_or(0).to_be_bytes().to_vec();
    out.extend([month, day, h, m, s, at.rem_euclid(SECOND) / 100_000].map(|n| u8::try_from(n).unwrap_or(0)));
    out.extend([b'+', 0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::{date_and_time, micros, rfc3339};

    #[test]
    fn known_moments() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(micros(1_795_346_100_123_456), "2026-11-22T11:15:00.123456Z");
        assert_eq!(rfc3339(951_782_400_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(date_and_time(1_795_346_100_500_000), [0x07, 0xea, 11, 22, 11, 15, 0, 5, b'+', 0, 0]);
    }
}
