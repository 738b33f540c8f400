//! Intervals: `30 seconds`, `every 2 hours`, `every 3 days`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::ScheduleError;
use crate::schedule_error::shown;

/// The first Monday of 1970: weeks begin on it.
const MONDAY: Date = Date::constant(1970, 1, 5);
const LONGEST_DAYS: i64 = 3660;

/// Counted from the epoch, so that the moments are the same whenever they are asked for and whoever was down meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Every {
    Seconds(i64),
    /// Local days, at midnight.
    Days(i64),
}

impl Every {
    /// None: this is no interval. `text` is trimmed.
    pub fn parse(text: &str) -> Option<Result<Every, ScheduleError>> {
        let lower = text.to_ascii_lowercase();
        let body = lower.strip_prefix('@').unwrap_or(&lower);
        let (rest, is_every) = match body.strip_prefix("every") {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_whitespace()) || rest.is_empty() => (rest, true),
            _ if body.len() < lower.len() => return None,
            _ => (body, false),
        };
        let rest_at = lower.len() - rest.len() + (rest.len() - rest.trim_ascii_start().len()) + 1;
        let rest = rest.trim_ascii();
        let digits =
            rest.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '+' || c == '.')).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let unit_at = rest_at + rest.len() - unit.trim_ascii_start().len();
        let unit = unit.trim_ascii();
        if !is_every && (number.is_empty() || unit.is_empty() || !unit.bytes().all(|byte| byte.is_ascii_alphabetic())) {
            return None;
        }
        Some(read(number, unit, rest_at, unit_at, is_every))
    }

    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Every::Seconds(seconds) => {
                let passed = after.as_second() - i64::from(after.subsec_nanosecond() < 0);
                Timestamp::from_second((passed.div_euclid(*seconds) + 1) * seconds).ok()
            }
            Every::Days(days) => {
                let mut date = zone.to_datetime(after).date();
                loop {
                    let past = i64::from(MONDAY.until(date).ok()?.get_days()).rem_euclid(*days);
                    date = if past == 0 { date } else { date.checked_add((days - past).days()).ok()? };
                    let moment = date.to_zoned(zone.clone()).ok()?.timestamp();
                    if moment > after {
                        return Some(moment);
                    }
                    date = date.tomorrow().ok()?;
                }
            }
        }
    }
}

fn read(number: &str, unit: &str, number_at: usize, unit_at: usize, is_every: bool) -> Result<Every, ScheduleError> {
    let wrong = |position, got: &str, expected| Err(ScheduleError::Interval { position, got: shown(got), expected });
    let count = match number {
        "" if is_every && !unit.is_empty() => 1,
        _ => match number.parse::<i64>() {
            Ok(count) if count > 0 => count,
            _ => return wrong(number_at, number, "a whole number of at least 1"),
        },
    };
    let (seconds, days) = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => (1, 0),
        "m" | "min" | "mins" | "minute" | "minutes" => (60, 0),
        "h" | "hr" | "hrs" | "hour" | "hours" => (3600, 0),
        "d" | "day" | "days" => (0, 1),
        "w" | "week" | "weeks" => (0, 7),
        _ => return wrong(unit_at, unit, "seconds, minutes, hours, days or weeks"),
    };
    let (seconds, days) = (count.saturating_mul(seconds), count.saturating_mul(days));
    if seconds > LONGEST_DAYS * 86_400 || days > LONGEST_DAYS {
        return wrong(number_at, number, "at most ten years");
    }
    Ok(if seconds > 0 { Every::Seconds(seconds) } else { Every::Days(days) })
}
