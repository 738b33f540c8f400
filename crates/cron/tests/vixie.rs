//! The same answers as pg_cron's parser, which is Vixie's: a small reading of its grammar, written from its documentation and
//! its source's rules, asked about the documented examples and 10,000 generated expressions.

use cron::Schedule;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

struct Vixie {
    minutes: Vec<bool>,
    hours: Vec<bool>,
    days: Vec<bool>,
    months: Vec<bool>,
    weekdays: Vec<bool>,
    day_star: bool,
    weekday_star: bool,
    last_day: bool,
}

impl Vixie {
    fn parse(text: &str) -> Option<Vixie> {
        let text = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            _ => text,
        };
        let [minute, hour, day, month, weekday] = text.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        let mut weekdays = list(weekday, 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"])?;
        weekdays[0] |= weekdays[7];
        let months = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        Some(Vixie {
            minutes: list(minute, 0, 59, &[])?,
            hours: list(hour, 0, 23, &[])?,
            days: if day == "$" { vec![false; 32] } else { list(day, 1, 31, &[])? },
            months: list(month, 1, 12, &months)?,
            weekdays,
            day_star: day.starts_with('*'),
            weekday_star: weekday.starts_with('*'),
            last_day: day == "$",
        })
    }

    fn runs_on(&self, date: Date) -> bool {
        let day = self.days[date.day() as usize] || self.last_day && date.day() == date.days_in_month();
        let weekday = self.weekdays[date.weekday().to_sunday_zero_offset() as usize];
        let days = if self.day_star || self.weekday_star { day && weekday } else { day || weekday };
        self.months[date.month() as usize] && days
    }

    /// The first `count` runs from the beginning of this day on, within the years that follow.
    fn runs(&self, mut date: Date, count: usize) -> Vec<DateTime> {
        let mut found = Vec::new();
        for _ in 0..366 * 9 {
            if self.runs_on(date) {
                for hour in (0..24).filter(|hour| self.hours[*hour]) {
                    for minute in (0..60).filter(|minute| self.minutes[*minute]) {
                        found.push(date.at(hour as i8, minute as i8, 0, 0));
                        if found.len() == count {
                            return found;
                        }
                    }
                }
            }
            date = date.tomorrow().unwrap();
        }
        found
    }
}

fn list(text: &str, low: usize, high: usize, names: &[&str]) -> Option<Vec<bool>> {
    let mut set = vec![false; high + 1];
    for item in text.split(',') {
        let (range, step) = item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().unwrap_or(0)));
        let value = |text: &str| {
            names.iter().position(|name| *name == text.to_lowercase() && !text.is_empty()).or(text.parse().ok())
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (value(from)?, value(to)?),
            None => (value(range)?, value(range)?),
        };
        if from < low || to > high || from > to || step == 0 {
            return None;
        }
        (from..=to).step_by(step).for_each(|value| set[value] = true);
    }
    Some(set)
}

fn agree(text: &str) -> Result<(), String> {
    let vixie = Vixie::parse(text).ok_or(format!("{text}: the reference does not take it"))?;
    let start = jiff::civil::date(2026, 2, 27);
    let expected = vixie.runs(start, 5);
    let schedule = match Schedule::parse(text) {
        Ok(schedule) => schedule,
        // Vixie takes what never runs.
        Err(cron::ScheduleError::NeverRuns { .. }) if expected.is_empty() => return Ok(()),
        Err(error) => return Err(format!("{text}: {error}")),
    };
    let utc = TimeZone::UTC;
    let before = start.to_zoned(utc.clone()).unwrap().timestamp() - jiff::SignedDuration::from_secs(1);
    let ours: Vec<DateTime> =
        std::iter::successors(schedule.next_after(before, &utc), |last| schedule.next_after(*last, &utc))
            .take(expected.len())
            .map(|moment| utc.to_datetime(moment))
            .collect();
    if ours == expected { Ok(()) } else { Err(format!("{text}: {ours:?}, expected {expected:?}")) }
}

#[test]
fn the_documented_examples() {
    // README of pg_cron, and crontab(5).
    for text in [
        "30 3 * * 6",
        "0 10 * * *",
        "0 0 * * *",
        "*/5 * * * *",
        "0 12 $ * *",
        "0 4 * * *",
        "* * * * *",
        "5 0 * * *",
        "15 14 1 * *",
        "0 22 * * 1-5",
        "23 0-23/2 * * *",
        "5 4 * * sun",
        "0 4 8-14 * *",
        "30 4 1,15 * 5",
        "0 12 1-7 * *",
        "*/10 8-18 * jan-jun MON-FRI",
        "@hourly",
        "@daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "0 0 1-31 * *",
        "0,30 0-23/6 */2 * *",
        "0 0 * * 0,7",
        "0 0 */10 * 1-5",
    ] {
        agree(text).unwrap();
    }
}

#[test]
fn ten_thousand_generated_expressions() {
    let mut runner = TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    runner.run(&expression(), |text| agree(&text).map_err(TestCaseError::fail)).unwrap();
}

/// What we refuse or read otherwise, on purpose; docs/scheduler.md gives the reasons.
#[test]
fn the_differences() {
    // Taken by pg_cron, never runs there: an empty range, an impossible date.
    for text in ["0 22-2 * * *", "0 0 30 2 *"] {
        assert!(Schedule::parse(text).is_err(), "{text}");
    }
    // pg_cron drops the step after a single value; here it runs from the value to the end of the range.
    assert!(Schedule::parse("5/15 * * * *").is_ok());
    // Never fires in pg_cron.
    assert!(Schedule::parse("@yearly").is_ok());
    // Not taken by pg_cron.
    for text in
        ["0 0 L * *", "0 0 15W * *", "0 0 * * fri#2", "0 0 0 * * *", "90 seconds", "every 2 hours", "0 0 ? * monday"]
    {
        assert!(Schedule::parse(text).is_ok(), "{text}");
    }
}

fn expression() -> impl Strategy<Value = String> {
    const DAYS: [&str; 7] = ["sun", "Mon", "tue", "wed", "thu", "FRI", "sat"];
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    (
        field(0, 59, &[]),
        field(0, 23, &[]),
        prop_oneof![9 => field(1, 31, &[]), 1 => Just("$".to_string())],
        field(1, 12, &MONTHS),
        field(0, 7, &DAYS),
        prop_oneof![Just(" "), Just("  "), Just("\t")],
    )
        .prop_map(|(minute, hour, day, month, weekday, space)| [minute, hour, day, month, weekday].join(space))
}

fn field(low: u32, high: u32, names: &'static [&'static str]) -> BoxedStrategy<String> {
    let shown = move |value: u32, name: bool| match names.get((value - low) as usize) {
        Some(text) if name => text.to_string(),
        _ => value.to_string(),
    };
    let single = (low..=high, any::<bool>()).prop_map(move |(value, name)| shown(value, name));
    let range =
        (low..=high, low..=high, any::<bool>(), proptest::option::of(1..40_u32)).prop_map(move |(a, b, name, step)| {
            let step = step.map_or(String::new(), |step| format!("/{step}"));
            format!("{}-{}{step}", shown(a.min(b), name && a.max(b) != 7), shown(a.max(b), name && a.max(b) != 7))
        });
    let step = (1..70_u32).prop_map(|step| format!("*/{step}"));
    let item = prop_oneof![4 => single, 3 => range, 1 => step.clone()];
    prop_oneof![3 => Just("*".to_string()), 2 => step, 5 => proptest::collection::vec(item, 1..4).prop_map(|items| items.join(","))]
        .boxed()
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,40}") {
        let _ = Schedule::parse(&text);
    }

    #[test]
    fn never_panics_on_what_looks_right(text in "(@?every )?([0-9*/,LW#$a-z-]{1,6} ?){0,7}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let after = "2026-03-29T00:30:00Z".parse().unwrap();
            prop_assert!(schedule.next_after(after, &zone).is_none_or(|next| next > after));
        }
    }
}
