//! Changes of the clocks, in twenty zones.

use cron::Schedule;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

const ZONES: [&str; 20] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
];

fn year_of_runs(schedule: &str, zone: &TimeZone, year: i16) -> Vec<Timestamp> {
    let schedule = Schedule::parse(schedule).unwrap();
    let begin = |year| civil::date(year, 1, 1).to_zoned(zone.clone()).unwrap().timestamp();
    let before = begin(year) - jiff::SignedDuration::from_secs(1);
    std::iter::successors(schedule.next_after(before, zone), |last| schedule.next_after(*last, zone))
        .take_while(|moment| *moment < begin(year + 1))
        .collect()
}

#[test]
fn a_daily_job_runs_once_a_day_at_every_hour_of_the_day() {
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        for hour in 0..24 {
            let runs = year_of_runs(&format!("30 {hour} * * *"), &zone, 2026);
            assert_eq!(runs.len(), 365, "{name} at {hour}:30");
            let late = runs.iter().filter(|run| {
                let local = run.to_zoned(zone.clone());
                (local.hour(), local.minute()) != (hour, 30)
            });
            // At most the one day whose hour is skipped (Morocco and Gaza have more changes) runs at another time.
            assert!(late.count() <= 2, "{name} at {hour}:30");
        }
    }
}

#[test]
fn an_hourly_job_runs_every_hour_that_passes() {
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let runs = year_of_runs("0 * * * *", &zone, 2026);
        let uneven = runs.windows(2).filter(|pair| (pair[1] - pair[0]).get_seconds() != 3600).count();
        // Lord Howe moves by half an hour, twice a year.
        assert_eq!(uneven, if name == "Australia/Lord_Howe" { 2 } else { 0 }, "{name}");
        let every = year_of_runs("every 1 hour", &zone, 2026);
        assert!(every.windows(2).all(|pair| (pair[1] - pair[0]).get_seconds() == 3600), "{name}");
    }
}

#[test]
fn every_minute_is_every_minute() {
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        for transition in zone.following("2025-12-31T00:00:00Z".parse().unwrap()).take(3) {
            let schedule = Schedule::parse("* * * * *").unwrap();
            let mut moment = transition.timestamp() - jiff::SignedDuration::from_hours(2);
            for _ in 0..240 {
                let next = schedule.next_after(moment, &zone).unwrap();
                assert_eq!((next - moment).get_seconds(), 60, "{name}");
                moment = next;
            }
        }
    }
}

#[test]
fn the_skipped_and_the_repeated_hour_in_berlin() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let on = |schedule: &str, day: &str| -> Vec<String> {
        let runs = year_of_runs(schedule, &zone, 2026);
        let local = runs.iter().map(|run| run.to_zoned(zone.clone()).strftime("%F %T%:z").to_string());
        local.filter(|run| run.starts_with(day)).collect()
    };
    assert_eq!(on("30 2 * * *", "2026-03-29"), ["2026-03-29 03:00:00+02:00"]);
    assert_eq!(on("15,45 2 * * *", "2026-03-29"), ["2026-03-29 03:00:00+02:00"]);
    assert_eq!(on("0 2,3 * * *", "2026-03-29"), ["2026-03-29 03:00:00+02:00"]);
    assert_eq!(on("*/15 2 * * *", "2026-03-29"), ["2026-03-29 03:00:00+02:00"]);
    assert_eq!(on("30 * * * *", "2026-03-29").len(), 23);
    assert_eq!(on("30 2 * * *", "2026-10-25"), ["2026-10-25 02:30:00+02:00"]);
    assert_eq!(on("*/30 2 * * *", "2026-10-25").len(), 4);
    assert_eq!(on("30 * * * *", "2026-10-25").len(), 25);
}

#[test]
fn a_skipped_day_in_samoa() {
    let zone = TimeZone::get("Pacific/Apia").unwrap();
    let runs = year_of_runs("0 9 * * *", &zone, 2011);
    let december: Vec<String> =
        runs.iter().map(|run| run.to_zoned(zone.clone()).strftime("%F %T").to_string()).collect();
    // 30 December 2011 did not take place.
    assert_eq!(december[december.len() - 3..], ["2011-12-29 09:00:00", "2011-12-31 00:00:00", "2011-12-31 09:00:00"]);
}
