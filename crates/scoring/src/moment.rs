use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Seconds since 1970 of a moment as JSON has it: RFC 3339, or a date or time of day without zone, taken as UTC; `None`
/// for what is none, infinity too.
pub fn seconds(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let moment: jiff::Timestamp = text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(moment.as_microsecond() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_postgresql_prints_moments() {
        for text in [
            "2026-01-01T01:00:00.5+01:00",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:00.5",
            "2026-01-01 00:00:00.5+00",
        ] {
            assert_eq!(seconds(&json!(text)), Some(1_767_225_600.5), "{text}");
        }
        assert_eq!(seconds(&json!("2026-01-01")), Some(1_767_225_600.0));
        for value in [json!("infinity"), json!("tomorrow"), json!(1), json!(null)] {
            assert_eq!(seconds(&value), None, "{value}");
        }
    }
}
