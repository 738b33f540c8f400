//! Room 32: moments as people read them.

use locale::Style;
use pgrx::prelude::*;

use super::schedule::{find_zone, moment};
use crate::error::{OrReport, invalid};

/// Null beyond the years that the calendar has.
#[pg_extern(sql = false)]
fn format_time(
    at: Option<TimestampWithTimeZone>,
    timezone: Option<&str>,
    tag: Option<&str>,
    style: Option<&str>,
) -> Option<String> {
    let name = style.unwrap_or("full");
    let style = Style::parse(name)
        .unwrap_or_else(|| invalid(format!("style \"{name}\" is unknown"), Some(format!("One of {}.", Style::NAMES))));
    let (zone, tag) = (find_zone(timezone.unwrap_or("UTC")), tag.unwrap_or("en"));
    Some(locale::format(moment(i64::from(at?))?, &zone, tag, style).or_report())
}

/// Null beyond the years that the calendar has.
#[pg_extern(sql = false)]
fn vtimezone(timezone: &str, from: TimestampWithTimeZone, until: TimestampWithTimeZone) -> Option<Vec<String>> {
    let zone = find_zone(timezone);
    Some(locale::vtimezone(timezone, &zone, moment(i64::from(from))?, moment(i64::from(until))?))
}

#[pg_extern(sql = false)]
fn check_locale(tag: Option<&str>) -> String {
    locale::canonical(tag.unwrap_or_default()).or_report()
}
