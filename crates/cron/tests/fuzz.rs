//! Fuzz target: every schedule is read or refused, and its next runs are found at once and in order.

use std::time::{Duration, Instant};

use cron::Schedule;
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

/// A line each: what people write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

/// However long a text is in the making, what is made of it is made at once.
const LONGEST: Duration = Duration::from_secs(10);

/// Texts put together from parts of the corpus and from characters of any kind.
fn texts() -> impl Strategy<Value = String> {
    let line = any::<prop::sample::Index>().prop_map(|index| {
        let lines: Vec<&str> = CORPUS.lines().collect();
        index.get(&lines).to_string()
    });
    let part =
        (line.clone(), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(line, from, to)| {
            let characters: Vec<char> = line.chars().collect();
            let (from, to) = (from.index(characters.len() + 1), to.index(characters.len() + 1));
            characters[from.min(to)..from.max(to)].iter().collect::<String>()
        });
    let parts = prop::collection::vec(prop_oneof![4 => part, 1 => "\\PC{0,8}"], 1..5).prop_map(|parts| parts.concat());
    let repeated = (line.clone(), 1..200_usize).prop_map(|(line, times)| line.repeat(times));
    prop_oneof![3 => line, 6 => parts, 1 => repeated]
}

proptest! {
    #[test]
    fn the_next_runs_are_found_at_once(text in texts(), second in -60_000_000_000_i64..250_000_000_000, zone in 0..4_usize) {
        let started = Instant::now();
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
        prop_assert!(started.elapsed() < LONGEST, "{:?} for {text}", started.elapsed());
    }
}
