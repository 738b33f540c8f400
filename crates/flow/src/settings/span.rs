//! Spans of time and moments, as nodes write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::fields::{Fields, Mistake};
use report::Report;

const UNITS: [(&str, f64); 5] =
    [("seconds", 1.0), ("minutes", 60.0), ("hours", 3_600.0), ("days", 86_400.0), ("weeks", 604_800.0)];
const EXAMPLE: &str =
    "{\"minutes\": 5}, {\"days\": 2}, {\"duration\": \"1h30m\"} or {\"until\": \"{{ appointment.starts_at }}\"}";

/// When a delay ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delay {
    For(Duration),
    /// Microseconds since 1970.
    Until(i64),
}

/// `seconds`, `minutes`, `hours`, `days`, added up; `duration` as text or with a `unit`; `until` with a `timezone`.
pub fn delay(fields: &Fields<'_>, days: u32) -> Result<Delay, Mistake> {
    if let Some(until) = fields.get(&["until"]) {
        return Ok(if fields.is_open(until) { Delay::Until(0) } else { Delay::Until(moment(fields, until)?) });
    }
    match span(fields, &["duration", "delay", "amount", "value"], days)? {
        Some(span) => Ok(Delay::For(span)),
        None => Err(Mistake::new("the delay says neither how long nor until when", format!("As in {EXAMPLE}."))),
    }
}

/// A span in the fields themselves, or in the first of `names`: text, seconds, or an object of units. None: not given.
pub fn span(fields: &Fields<'_>, names: &[&str], days: u32) -> Result<Option<Duration>, Mistake> {
    let mut seconds = 0.0;
    let mut said = false;
    for (unit, size) in UNITS {
        if fields.get(&[unit]).is_some() {
            said = true;
            seconds += fields.number(&[unit])?.unwrap_or_default() * size;
        }
    }
    if let Some(value) = fields.get(names).filter(|_| !said) {
        said = true;
        seconds = match value {
            value if fields.is_open(value) => 0.0,
            Value::Object(object) => {
                let inner = span(&fields.within(object), &[], days)?;
                inner
                    .ok_or_else(|| Mistake::new("a span of time has no unit", format!("As in {EXAMPLE}.")))?
                    .as_secs_f64()
            }
            Value::String(text) if text.trim().parse::<f64>().is_err() => {
                let parsed = retry::parse_duration(text);
                parsed.map_err(|error| Mistake::new(error.to_string(), error.hint().unwrap_or_default()))?.as_secs_f64()
            }
            _ => fields.number(names)?.unwrap_or_default() * unit(fields)?,
        };
    }
    let most = f64::from(days) * 86_400.0;
    if !(0.0..=most).contains(&seconds) {
        return Err(Mistake::new(format!("a span of time is not between 0 and {days} days"), "Use a shorter one."));
    }
    Ok(said.then(|| Duration::from_secs_f64(seconds)))
}

/// Microseconds of a span.
pub fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The seconds of the unit beside a number.
fn unit(fields: &Fields<'_>) -> Result<f64, Mistake> {
    let Some(name) = fields.text(&["unit", "units"])?.filter(|name| !crate::source::is_template(name)) else {
        return Ok(1.0);
    };
    let found = UNITS.iter().find(|(unit, _)| unit.trim_end_matches('s') == name.to_lowercase().trim_end_matches('s'));
    found.map(|(_, size)| *size).ok_or_else(|| {
        Mistake::new("\"unit\" is no unit of time", "Units are seconds, minutes, hours, days and weeks.")
    })
}

fn moment(fields: &Fields<'_>, value: &Value) -> Result<i64, Mistake> {
    let text = value.as_str().unwrap_or_default().trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_microsecond());
    }
    let zone = zone(fields)?;
    let moment = text.parse::<DateTime>().ok().and_then(|wanted| zone.to_timestamp(wanted).ok());
    moment.map(|moment| moment.as_microsecond()).ok_or_else(|| {
        let shown: String = value.to_string().chars().take(80).collect();
        Mistake::new(
            format!("\"until\" is not a moment: {shown}"),
            "As in \"2026-05-01T09:00:00Z\", or a date and time beside a \"timezone\".",
        )
    })
}

/// The zone that the fields name; UTC if none.
pub fn zone(fields: &Fields<'_>) -> Result<TimeZone, Mistake> {
    let Some(name) = fields.text(&["timezone", "timeZone"])?.filter(|name| !crate::source::is_template(name)) else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::get(&name).map_err(|_| {
        Mistake::new(format!("there is no time zone \"{}\"", crate::finding::shown(&name)), "As in \"Europe/Madrid\".")
    })
}
