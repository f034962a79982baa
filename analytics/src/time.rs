//! Times as text: RFC 3339 in, RFC 3339 out, microseconds since the epoch in between.

/// Microseconds since the epoch of an RFC 3339 time (`2026-11-24T03:12:00Z`, `2026-11-24T03:12:00.5+01:00`).
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.trim().parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// UTC text of a time, to the second: `2026-11-24 03:12:00`.
#[must_use]
pub fn seconds_text(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// From when to when in UTC, each day once: `2026-11-24 03:12:00 to 03:15:00 UTC`.
#[must_use]
pub fn span((first, last): (i64, i64)) -> String {
    let (from, to) = (seconds_text(first), seconds_text(last));
    match (from == to, from.split_once(' '), to.split_once(' ')) {
        (false, Some((a, _)), Some((b, clock))) if a == b => format!("{from} to {clock} UTC"),
        (false, ..) => format!("{from} to {to} UTC"),
        (true, ..) => format!("{from} UTC"),
    }
}

/// RFC 3339 text of a time, UTC: `2026-11-24T02:12:00.5Z`.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
}

/// Microseconds since the epoch of a time as HTTP writes it: `Tue, 24 Nov 2026 02:12:00 GMT`.
pub(crate) fn parse_http(text: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let micros = parse_rfc3339("2026-11-24T03:12:00.5+01:00").unwrap();
        assert_eq!(micros % 1_000_000, 500_000);
        assert_eq!(seconds_text(micros), "2026-11-24 02:12:00");
        assert_eq!(rfc3339(micros), "2026-11-24T02:12:00.5Z");
        assert_eq!(parse_http("Tue, 24 Nov 2026 02:12:00 GMT"), Some(micros - 500_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_span_says_each_day_once() {
        let second = 1_000_000;
        assert_eq!(span((0, second / 2)), "1970-01-01 00:00:00 UTC");
        assert_eq!(span((0, 61 * second)), "1970-01-01 00:00:00 to 00:01:01 UTC");
        assert_eq!(span((0, 86_400 * second)), "1970-01-01 00:00:00 to 1970-01-02 00:00:00 UTC");
    }
}
