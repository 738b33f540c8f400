//! The parts of a turn. One that fails rests for a while, and holds up no other: a lock on the table of one is no matter of
//! the rest.

use std::time::{Duration, Instant};

use super::transaction::{Failure, FailureKind};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Settle,
    Refresh,
    Read,
    Retries,
    Timetable,
    Save,
    Upkeep,
}

const PARTS: usize = Part::Upkeep as usize + 1;
/// After a failure; twice as long after each one more.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// After it waited for a lock in vain: meanwhile nothing was delivered.
const LOCKED: Duration = Duration::from_secs(3);

#[derive(Default)]
pub struct Rests {
    /// Until when it rests, and how often it failed in a row.
    parts: [Option<(Instant, u32)>; PARTS],
}

impl Rests {
    pub fn is_resting(&self, part: Part) -> bool {
        self.parts[part as usize].is_some_and(|(until, _)| until > Instant::now())
    }

    /// Whether it failed when it was last tried.
    pub fn fails(&self) -> bool {
        self.parts.iter().any(Option::is_some)
    }

    pub fn went_well(&mut self, part: Part) {
        self.parts[part as usize] = None;
    }

    pub fn failed(&mut self, part: Part, failure: &Failure) {
        let times = self.parts[part as usize].map_or(0, |(_, times)| times);
        let pause = match failure.kind {
            FailureKind::Lock => LOCKED,
            _ => (PAUSE * 2_u32.saturating_pow(times.min(10))).min(LONGEST_PAUSE),
        };
        self.parts[part as usize] = Some((Instant::now() + pause, times + 1));
    }

    /// How long until the next of them is tried again.
    pub fn limit(&self) -> Option<Duration> {
        let now = Instant::now();
        self.parts.iter().flatten().map(|(until, _)| until.saturating_duration_since(now)).min()
    }
}
