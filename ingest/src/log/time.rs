//! Times as record files write them.
//!
//! RFC 3339 with or without its offset (a blank for the `T` will do, a date alone is its midnight), seconds, milli- or
//! microseconds since 1970, the headers of syslog, or a `strftime` pattern. What names no offset is local time of the
//! mapping's zone, UTC unless it says; the hour that a change of clocks repeats is read as the first of the two, the hour that it
//! leaves out as the one after. RFC 3164 has no year: it comes from the mapping or from the file's name, belongs to the first
//! line, and goes on when December is followed by January, because logs are written in order.
use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::strtime::BrokenDownTime,
    tz::{TimeZone, TimeZoneDatabase},
};

/// 1990-01-01 and 2100-01-01, µs: a record outside was written by a clock that nobody had set.
const BELIEVED: std::ops::Range<i64> = 631_152_000_000_000..4_102_444_800_000_000;

/// Headers of syslog that have a year, and the C library's own way to write a time.
const DATED: [&str; 3] = ["%b %e %Y %H:%M:%S%.f", "%Y %b %e %H:%M:%S%.f", "%a %b %e %H:%M:%S %Y"];

/// How a time is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Format {
    Rfc3339,
    /// Micros of one unit since 1970.
    Epoch(f64),
    Syslog,
    Pattern(String),
}

/// A format and what it leaves open.
#[derive(Clone, Debug)]
pub(super) struct Time {
    pub(super) format: Format,
    pub(super) zone: TimeZone,
    pub(super) year: Option<i16>,
}

/// The year of a file whose times have none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Year {
    now: Option<i16>,
    month: i8,
}

impl Format {
    /// The format of that name, or the pattern.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rfc3339" => Self::Rfc3339,
            "epoch" => Self::Epoch(1e6),
            "epoch_ms" => Self::Epoch(1e3),
            "epoch_us" => Self::Epoch(1.0),
            "syslog" => Self::Syslog,
            pattern if pattern.contains('%') => Self::Pattern(pattern.to_owned()),
            _ => return None,
        })
    }
}

/// A zone of the tz database, `UTC`, or an offset `+01:00`. The database is the one inside the program: the same rows everywhere.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "Z") {
        return Some(TimeZone::UTC);
    }
    match TimeZoneDatabase::bundled().get(name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            format!("2000-01-01T00:00:00{name}[{name}]").parse::<jiff::Zoned>().ok().map(|z| z.time_zone().clone())
        }
    }
}

impl Year {
    /// Of a file: what the mapping says, else the first year in the file's name.
    pub(super) fn of(given: Option<i16>, file_name: &str) -> Self {
        let digits =
            |part: &[u8]| part.iter().all(u8::is_ascii_digit) && matches!(part, [b'1', b'9', ..] | [b'2', b'0', ..]);
        let found =
            file_name.as_bytes().windows(4).position(digits).and_then(|at| file_name.get(at..at + 4)?.parse().ok());
        Self { now: given.or(found), month: 0 }
    }

    /// Of a message that was heard then: its time is near, maybe in the year before or after.
    pub(super) fn near(micros: i64) -> Self {
        let then = Timestamp::from_microsecond(micros).map(|t| t.to_zoned(TimeZone::UTC));
        then.map_or(Self::default(), |t| Self { now: Some(t.year()), month: t.month() })
    }

    /// The year of a time in that month, which follows the one asked for before.
    fn at(&mut self, month: i8) -> Option<i16> {
        let now = self.now?;
        let next = match (self.month, month) {
            (11.., 1..=2) => now + 1,
            // A line of December that was written late.
            (1..=2, 11..) => now - 1,
            _ => now,
        };
        (self.now, self.month) = (Some(next), month);
        Some(next)
    }
}

impl Time {
    /// µs since 1970, or what is wrong with it.
    pub(super) fn read(&self, text: &str, year: &mut Year) -> Result<i64, &'static str> {
        let text = text.trim();
        match &self.format {
            Format::Rfc3339 => self.rfc3339(text),
            Format::Epoch(unit) => epoch(text, *unit),
            Format::Syslog if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(' ') => {
                self.rfc3339(text)
            }
            Format::Syslog => {
                let with_year = DATED.iter().find_map(|p| BrokenDownTime::parse(p, text).ok());
                self.broken(
                    with_year.or_else(|| BrokenDownTime::parse("%b %e %H:%M:%S%.f", text).ok()).ok_or("time")?,
                    year,
                )
            }
            Format::Pattern(pattern) => self.broken(BrokenDownTime::parse(pattern, text).map_err(|_| "time")?, year),
        }
    }

    /// The time of a record, which must be one that a clock can show today.
    pub(super) fn of_record(&self, text: &str, year: &mut Year) -> Result<i64, &'static str> {
        let micros = self.read(text, year)?;
        if BELIEVED.contains(&micros) { Ok(micros) } else { Err("time out of range") }
    }

    fn rfc3339(&self, text: &str) -> Result<i64, &'static str> {
        match text.parse::<Timestamp>() {
            Ok(time) => Ok(time.as_microsecond()),
            Err(_) => self.local(text.parse().map_err(|_| "time")?),
        }
    }

    fn broken(&self, mut time: BrokenDownTime, year: &mut Year) -> Result<i64, &'static str> {
        if time.year().is_none() && time.timestamp().is_none() {
            let month = time.month().ok_or("time")?;
            time.set_year(Some(year.at(month).ok_or("time without a year")?)).map_err(|_| "time")?;
        }
        if time.offset().is_some() || time.timestamp().is_some() {
            return time.to_timestamp().map(Timestamp::as_microsecond).map_err(|_| "time");
        }
        match time.hour() {
            Some(_) => self.local(time.to_datetime().map_err(|_| "time")?),
            None => self.local(time.to_date().map_err(|_| "time")?.at(0, 0, 0, 0)),
        }
    }

    fn local(&self, time: DateTime) -> Result<i64, &'static str> {
        self.zone.to_timestamp(time).map(Timestamp::as_microsecond).map_err(|_| "time")
    }
}

fn epoch(text: &str, unit: f64) -> Result<i64, &'static str> {
    let number: f64 = text.parse().map_err(|_| "time")?;
    let micros = (number * unit).round();
    // Beyond, a float does not tell one microsecond from the next.
    if micros.abs() < 9e15 { Ok(micros as i64) } else { Err("time") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, zone_name: &str, text: &str) -> Result<String, &'static str> {
        let time = Time { format: Format::named(format).unwrap(), zone: zone(zone_name).unwrap(), year: None };
        let micros = time.read(text, &mut Year::of(None, "syslog-2026.log"))?;
        Ok(Timestamp::from_microsecond(micros).unwrap().to_string())
    }

    #[test]
    fn every_format_is_read() {
        let ok = |format, text, at: &str| assert_eq!(read(format, "UTC", text).as_deref(), Ok(at), "{format} {text}");
        ok("rfc3339", "2026-11-20T02:13:05.25+01:00", "2026-11-20T01:13:05.25Z");
        ok("rfc3339", "2026-11-20 02:13:05", "2026-11-20T02:13:05Z");
        ok("rfc3339", "2026-11-20", "2026-11-20T00:00:00Z");
        ok("epoch", "1795140785.5", "2026-11-20T02:13:05.5Z");
        ok("epoch_ms", "1795140785500", "2026-11-20T02:13:05.5Z");
        ok("epoch_us", "1795140785500001", "2026-11-20T02:13:05.500001Z");
        ok("syslog", "Nov 20 02:13:05", "2026-11-20T02:13:05Z");
        ok("syslog", "Nov  2 02:13:05.123", "2026-11-02T02:13:05.123Z");
        ok("syslog", "Nov 20 2025 02:13:05", "2025-11-20T02:13:05Z");
        ok("syslog", "2025 Nov 20 02:13:05", "2025-11-20T02:13:05Z");
        ok("syslog", "Fri Nov 20 02:13:05 2026", "2026-11-20T02:13:05Z");
        ok("syslog", "2026-11-20T02:13:05.1-05:00", "2026-11-20T07:13:05.1Z");
        ok("%d.%m.%Y %H:%M:%S", "20.11.2026 02:13:05", "2026-11-20T02:13:05Z");
        ok("%d/%b/%Y:%H:%M:%S %z", "20/Nov/2026:02:13:05 +0200", "2026-11-20T00:13:05Z");
        ok("%d.%m.%Y", "20.11.2026", "2026-11-20T00:00:00Z");
    }

    #[test]
    fn what_names_no_offset_is_local_time_and_changes_of_clocks_are_certain() {
        let berlin = |text| read("rfc3339", "Europe/Berlin", text).unwrap();
        assert_eq!(berlin("2026-07-01 12:00:00"), "2026-07-01T10:00:00Z");
        assert_eq!(berlin("2026-10-25 02:30:00"), "2026-10-25T00:30:00Z", "twice: the first");
        assert_eq!(berlin("2026-03-29 02:30:00"), "2026-03-29T01:30:00Z", "never: the hour after");
        assert_eq!(berlin("2026-07-01T12:00:00Z"), "2026-07-01T12:00:00Z", "an offset that is there counts");
        assert_eq!(read("rfc3339", "+05:30", "2026-07-01 12:00:00").unwrap(), "2026-07-01T06:30:00Z");
        assert!(zone("Europe/Nowhere").is_none());
    }

    #[test]
    fn years_that_are_not_written_go_on_at_new_year() {
        let time = Time { format: Format::Syslog, zone: TimeZone::UTC, year: None };
        let mut year = Year::of(None, "router-20261230.log");
        let mut read = |text| Timestamp::from_microsecond(time.read(text, &mut year).unwrap()).unwrap().to_string();
        let all = ["Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58", "Jan  1 00:00:02"].map(&mut read);
        assert_eq!(all.map(|t| t[..4].to_owned()), ["2026", "2027", "2026", "2027"]);
        assert_eq!(time.read("Dec 31 23:59:59", &mut Year::of(None, "router.log")), Err("time without a year"));
    }

    #[test]
    fn what_is_no_time_is_said() {
        for (format, text) in
            [("rfc3339", "yesterday"), ("epoch", "x"), ("epoch", "1e300"), ("syslog", "Nov 40 02:13:05"), ("%Y", "a")]
        {
            assert_eq!(read(format, "UTC", text), Err("time"), "{format} {text}");
        }
        let time = Time { format: Format::Rfc3339, zone: TimeZone::UTC, year: None };
        assert_eq!(time.of_record("1970-01-01T00:00:00Z", &mut Year::default()), Err("time out of range"));
    }
}
