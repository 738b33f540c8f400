//! Zones as calendars read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use locale::vtimezone;

fn zone(name: &str, from: &str, until: &str) -> Vec<String> {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    vtimezone(name, &TimeZone::get(name).unwrap(), moment(from), moment(until))
}

#[test]
fn a_summer_appointment_has_its_summer_and_the_winter_after_it() {
    assert_eq!(
        zone("Europe/Madrid", "2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z"),
        [
            "BEGIN:VTIMEZONE",
            "TZID:Europe/Madrid",
            "BEGIN:DAYLIGHT",
            "DTSTART:20260329T020000",
            "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200",
            "TZNAME:CEST",
            "END:DAYLIGHT",
            "BEGIN:STANDARD",
            "DTSTART:20261025T030000",
            "TZOFFSETFROM:+0200",
            "TZOFFSETTO:+0100",
            "TZNAME:CET",
            "END:STANDARD",
            "END:VTIMEZONE",
        ]
    );
}

#[test]
fn an_appointment_over_a_change_has_both_sides() {
    let lines = zone("America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z");
    let changes: Vec<_> = lines.iter().filter(|line| line.starts_with("DTSTART")).map(String::as_str).collect();
    assert_eq!(changes, ["DTSTART:20251102T020000", "DTSTART:20260308T020000", "DTSTART:20261101T020000"]);
    let offsets: Vec<_> = lines.iter().filter(|line| line.starts_with("TZOFFSETTO")).map(String::as_str).collect();
    assert_eq!(offsets, ["TZOFFSETTO:-0500", "TZOFFSETTO:-0400", "TZOFFSETTO:-0500"]);
}

#[test]
fn a_zone_without_changes_has_one_observance() {
    let lines = zone("Asia/Kolkata", "2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z");
    assert_eq!(lines.iter().filter(|line| line.starts_with("BEGIN:")).count(), 2);
    assert!(lines.contains(&"TZOFFSETTO:+0530".into()), "{lines:?}");
    let lines = zone("Etc/GMT+5", "2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z");
    assert_eq!(lines[3..6], ["DTSTART:19691231T190000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0500"]);
}

#[test]
fn the_last_change_is_followed_by_none() {
    // Mexico gave up its summer time in 2022.
    let lines = zone("America/Mexico_City", "2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z");
    assert_eq!(lines.iter().filter(|line| line.starts_with("DTSTART")).count(), 1, "{lines:?}");
    assert!(lines.contains(&"TZOFFSETTO:-0600".into()));
}
