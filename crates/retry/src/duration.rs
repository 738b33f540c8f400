use std::time::Duration;

use report::Report;
use thiserror::Error;

/// A span as people write it: numbers with units, such as `250ms`, `5s`, `1h30m`, `1.5 hours`, `1 day 12 hours`.
///
/// Units are `ms`, `s`, `m`, `h`, `d`, `w` and their names in English, of either case; `m` is minutes.
///
/// # Errors
/// Empty text, a number without a unit, an unknown unit, a sign, or more than 500 years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim_ascii();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        if number.is_empty() {
            return Err(DurationError::NoNumber { text: shown(text) });
        }
        let (unit, after_unit) = split_while(after_number.trim_ascii_start(), |byte| byte.is_ascii_alphabetic());
        if unit.is_empty() {
            return Err(DurationError::NoUnit { text: shown(text) });
        }
        let unit_nanos =
            unit_nanos(unit).ok_or_else(|| DurationError::UnknownUnit { text: shown(text), unit: shown(unit) })?;
        nanos = scale(number, unit_nanos)
            .ok_or_else(|| DurationError::NoNumber { text: shown(text) })?
            .saturating_add(nanos);
        rest = after_unit.trim_ascii_start();
    }
    match u64::try_from(nanos) {
        Ok(nanos) if nanos <= MAX_NANOS => Ok(Duration::from_nanos(nanos)),
        _ => Err(DurationError::TooLong { text: shown(text) }),
    }
}

/// Why a text is no span. `text` is the input, cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    #[error("time is empty")]
    Empty,
    #[error("\"{text}\" is not a time")]
    NoNumber { text: String },
    #[error("\"{text}\" lacks a unit")]
    NoUnit { text: String },
    #[error("unknown unit \"{unit}\" in \"{text}\"")]
    UnknownUnit { text: String, unit: String },
    #[error("\"{text}\" is too long a time")]
    TooLong { text: String },
}

impl Report for DurationError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            DurationError::TooLong { .. } => "Use a shorter time.",
            DurationError::NoUnit { .. } => "Add a unit (ms, s, m, h, d, w), such as \"5s\" or \"1h30m\".",
            _ => "Write numbers with units (ms, s, m, h, d, w), such as \"250ms\", \"5s\" or \"1h30m\".",
        };
        Some(hint.into())
    }
}

const NANO: u128 = 1_000_000_000;
const MAX_NANOS: u64 = 500 * 366 * 86_400 * 1_000_000_000;

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => NANO / 1000,
        "s" | "sec" | "secs" | "second" | "seconds" => NANO,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * NANO,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600 * NANO,
        "d" | "day" | "days" => 86_400 * NANO,
        "w" | "week" | "weeks" => 7 * 86_400 * NANO,
        _ => return None,
    })
}

/// `number` (digits with at most one point) times `unit`, cut to whole nanoseconds; saturates far above the limit.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    // No unit has nanoseconds to show for a nineteenth decimal.
    let fraction = &fraction[..fraction.len().min(18)];
    let part = decimal(fraction) * unit / 10_u128.pow(fraction.len() as u32);
    Some(decimal(whole).saturating_mul(unit).saturating_add(part))
}

fn decimal(digits: &str) -> u128 {
    digits.bytes().fold(0, |value: u128, digit| value.saturating_mul(10).saturating_add(u128::from(digit - b'0')))
}

fn split_while(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !keep(byte)).unwrap_or(text.len());
    text.split_at(end)
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("0s", 0),
            (" 1 day 12 Hours ", 129_600_000),
            ("2 weeks", 1_209_600_000),
            ("5 M", 300_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text:?}");
        }
    }

    #[test]
    fn what_they_should_not() {
        let message = |text: &str| parse_duration(text).unwrap_err().to_string();
        assert_eq!(message(""), "time is empty");
        assert_eq!(message("5"), "\"5\" lacks a unit");
        assert_eq!(message("5s 3"), "\"5s 3\" lacks a unit");
        assert_eq!(message("-5s"), "\"-5s\" is not a time");
        assert_eq!(message("soon"), "\"soon\" is not a time");
        assert_eq!(message("1.2.3s"), "\"1.2.3s\" is not a time");
        assert_eq!(message(".s"), "\".s\" is not a time");
        assert_eq!(message("5 parsecs"), "unknown unit \"parsecs\" in \"5 parsecs\"");
        assert_eq!(message("501w 999999999999d"), "\"501w 999999999999d\" is too long a time");
        assert_eq!(message(&"9".repeat(400)), format!("\"{}\" lacks a unit", "9".repeat(64)));
        assert!(parse_duration(&format!("{}w", "9".repeat(400))).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn never_panics_on_what_looks_right(text in "([0-9.]{0,30} ?(ms|s|m|h|d|w|é)?){0,4}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn sums_its_parts(h in 0_u64..10_000, m in 0_u64..10_000, s in 0_u64..10_000, ms in 0_u64..10_000) {
            let expected = Duration::from_millis(((h * 60 + m) * 60 + s) * 1000 + ms);
            prop_assert_eq!(parse_duration(&format!("{h}h{m}m{s}s{ms}ms")), Ok(expected));
        }
    }
}
