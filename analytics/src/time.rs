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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let micros = parse_rfc3339("2026-11-24T03:12:00.5+01:00").unwrap();
        assert_eq!(micros % 1_000_000, 500_000);
        assert_eq!(seconds_text(micros), "2026-11-24 02:12:00");
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
