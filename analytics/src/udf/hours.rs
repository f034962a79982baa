//! Hours as people live them: in the carrier's time zone, summer time included.
//!
//! `0;1;2;3;4@7-18` are weekdays (Monday is 0) and local hours, the first one in and the last one out; several such parts are
//! separated by `,`, a part without weekdays holds on every day, and a range that ends before it begins goes over midnight and
//! belongs to the day on which it began. What does not read so is null, and a rule treats it as unknown.
use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array},
    datatypes::TimestampMicrosecondType as Micros,
};
use datafusion::common::{DataFusionError, Result, exec_err};
use jiff::{Timestamp, tz::TimeZone};

use super::strings;

/// Weekday from Monday and hour at some moment.
fn local(zone: &TimeZone, micros: i64) -> Option<(i64, i64)> {
    let time = Timestamp::from_microsecond(micros).ok()?.to_zoned(zone.clone());
    Some((i64::from(time.weekday().to_monday_zero_offset()), i64::from(time.hour())))
}

fn times(array: &ArrayRef) -> Result<&arrow::array::PrimitiveArray<Micros>> {
    array.as_primitive_opt::<Micros>().ok_or_else(|| DataFusionError::Execution("needed a time in microseconds".into()))
}

/// `week_hour(time)`: the hour of the week, 0 is Monday from midnight.
pub(super) fn week_hour(zone: &TimeZone, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [moments] = arguments else { return exec_err!("week_hour needs a time") };
    let hour = |micros: Option<i64>| micros.and_then(|m| local(zone, m)).map(|(day, hour)| day * 24 + hour);
    Ok(Arc::new(times(moments)?.iter().map(hour).collect::<Int64Array>()))
}

/// `in_hours(hours, time)`: whether a moment lies in somebody's hours.
pub(super) fn in_hours(zone: &TimeZone, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [hours, moments] = arguments else { return exec_err!("in_hours needs hours and a time") };
    let (hours, moments) = (strings(hours)?, times(moments)?);
    let one = |i: usize| {
        if hours.is_null(i) || moments.is_null(i) {
            return None;
        }
        let (day, hour) = local(zone, moments.value(i))?;
        let parts: Option<Vec<bool>> = hours.value(i).split(',').map(|part| within(part, day, hour)).collect();
        parts.map(|parts| parts.contains(&true))
    };
    Ok(Arc::new((0..hours.len()).map(one).collect::<BooleanArray>()))
}

fn within(part: &str, day: i64, hour: i64) -> Option<bool> {
    let (days, range) = part.split_once('@').map_or(("", part), |(days, range)| (days, range));
    let days: Option<Vec<i64>> =
        days.split(';').map(str::trim).filter(|d| !d.is_empty()).map(|d| d.parse().ok()).collect();
    let days = days.filter(|days| days.iter().all(|d| (0..7).contains(d)))?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (i64, i64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    if !(0..24).contains(&from) || !(0..=24).contains(&to) {
        return None;
    }
    let on = |day: i64| days.is_empty() || days.contains(&day);
    Some(if from <= to {
        on(day) && from <= hour && hour < to
    } else {
        (on(day) && hour >= from) || (on((day + 6) % 7) && hour < to)
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::time::parse_rfc3339;

    fn column(times: &[&str]) -> ArrayRef {
        let micros = times.iter().map(|t| parse_rfc3339(t).unwrap());
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
    }

    #[test]
    fn hours_are_local_in_summer_and_in_winter() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // Friday, 2026-11-20, 03:12 local; Monday, 2026-07-06, 00:30 local.
        let out = week_hour(&berlin, &[column(&["2026-11-20T02:12:00Z", "2026-07-05T22:30:00Z"])]).unwrap();
        assert_eq!(out.as_primitive::<arrow::datatypes::Int64Type>().values(), &[4 * 24 + 3, 0]);
    }

    #[test]
    fn shifts_go_over_midnight_and_what_does_not_read_is_unknown() {
        let said = |hours: &str, time: &str| {
            let out = in_hours(&TimeZone::UTC, &[Arc::new(StringArray::from(vec![hours])), column(&[time])]).unwrap();
            out.as_boolean().iter().next().unwrap()
        };
        let friday = |hour: u8| format!("2026-11-20T{hour:02}:59:59Z");
        let saturday = |hour: u8| format!("2026-11-21T{hour:02}:00:00Z");
        assert_eq!(said("0;1;2;3;4@7-18", &friday(7)), Some(true));
        assert_eq!(said("0;1;2;3;4@7-18", &friday(18)), Some(false));
        assert_eq!(said("0;1;2;3;4@7-18", &saturday(9)), Some(false));
        assert_eq!(said("4@22-6", &saturday(5)), Some(true), "the night of Friday");
        assert_eq!(said("4@22-6", &friday(5)), Some(false), "the night of Thursday");
        assert_eq!(said("0;1@7-18,4;5@9-12", &saturday(9)), Some(true));
        assert_eq!(said("0-24", &saturday(0)), Some(true), "every day");
        assert_eq!(
            [said("weekdays", &friday(7)), said("7@7-18", &friday(7)), said("4@7-25", &friday(7))],
            [None, None, None]
        );
    }
}
