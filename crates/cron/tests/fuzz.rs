//! Fuzz target: every schedule is read or refused, and its next runs are found at once and in order.

use cron::Schedule;
use fuzzing::{at_once, texts};
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

proptest! {
    #[test]
    fn the_next_runs_are_found_at_once(text in texts(CORPUS), second in -60_000_000_000_i64..250_000_000_000, zone in 0..4_usize) {
        at_once(&text, || {
            if let Ok(schedule) = Schedule::parse(&text) {
                let name = ["UTC", "America/St_Johns", "Australia/Lord_Howe", "Europe/Berlin"][zone];
                let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
                let mut last = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
                for _ in 0..5 {
                    let Some(next) = schedule.next_after(last, &zone) else { break };
                    prop_assert!(next > last, "{text}: {next} after {last} in {name}");
                    last = next;
                }
            }
            Ok(())
        })?;
    }
}
