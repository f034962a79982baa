//! Durations and moments as rule files write them: `90s`, `5m`, `24h`, `400d`, `+90s`.

/// Units, longest name first where one begins with another; µs.
const UNITS: &[(&str, i64)] =
    &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Length of a day, µs.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Length of an hour, µs.
pub(crate) const HOUR: i64 = 3_600_000_000;

/// A duration in µs: a whole number and its unit, such as `90s`, `5m` or `400d`.
#[must_use]
pub fn duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let size = UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
    number.parse::<i64>().ok()?.checked_mul(size)
}

/// A moment relative to the start of a window, µs: a duration with its sign.
pub(crate) fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(before) = text.strip_prefix('-') {
        return duration(before).map(|d| -d);
    }
    duration(text.strip_prefix('+')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("5m"), Some(300_000_000));
        assert_eq!(duration("400d"), Some(400 * DAY));
        assert_eq!(duration("250ms"), Some(250_000));
        assert!([" ", "5", "m", "5 minutes", "-5m", "99999999999999d"].iter().all(|t| duration(t).is_none()));
    }

    #[test]
    fn moments_need_a_sign() {
        assert_eq!((moment("+90s"), moment("-30d"), moment("90s")), (Some(90_000_000), Some(-30 * DAY), None));
    }
}
