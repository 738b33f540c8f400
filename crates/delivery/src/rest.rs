//! A part of the work that failed rests for a while, and holds up no other: a lock on the table of one is no matter of the rest.

use std::time::{Duration, Instant};

use crate::now::Now;

/// After a failure; twice as long after each one more.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// After it waited for a lock in vain: meanwhile nothing was delivered.
const LOCKED: Duration = Duration::from_secs(3);

/// Why a transaction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Somebody holds a lock.
    Lock,
    /// It may go better later as it is: no room, a cancelled statement, a deadlock, a server that shuts down.
    Passing,
    /// It would fail again: a value that does not fit, a row that is damaged.
    Lasting,
}

/// A part that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Settle,
    Refresh,
    Read,
    Retries,
    Save,
}

/// How one part does.
#[derive(Debug, Default)]
pub struct Rest {
    /// Until when it rests, and how often it failed in a row.
    failed: Option<(Instant, u32)>,
}

impl Rest {
    pub fn is_resting(&self, now: Now) -> bool {
        self.failed.is_some_and(|(until, _)| until > now.steady)
    }

    /// Whether it failed when it was last tried.
    pub fn fails(&self) -> bool {
        self.failed.is_some()
    }

    pub fn went_well(&mut self) {
        self.failed = None;
    }

    pub fn failed(&mut self, kind: FailureKind, now: Now) {
        let times = self.failed.map_or(0, |(_, times)| times);
        let pause = match kind {
            FailureKind::Lock => LOCKED,
            _ => (PAUSE * 2_u32.saturating_pow(times.min(10))).min(LONGEST_PAUSE),
        };
        self.failed = Some((now.steady + pause, times + 1));
    }

    /// How long until it is tried again, after it failed.
    pub fn left(&self, now: Now) -> Option<Duration> {
        self.failed.map(|(until, _)| until.saturating_duration_since(now.steady))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rests([Rest; Part::Save as usize + 1]);

impl Rests {
    pub(crate) fn of(&mut self, part: Part) -> &mut Rest {
        &mut self.0[part as usize]
    }

    pub(crate) fn is_resting(&self, part: Part, now: Now) -> bool {
        self.0[part as usize].is_resting(now)
    }

    pub(crate) fn fails(&self) -> bool {
        self.0.iter().any(Rest::fails)
    }

    /// How long until the first of them is tried again.
    pub(crate) fn left(&self, now: Now) -> Option<Duration> {
        self.0.iter().filter_map(|rest| rest.left(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_eight_seconds() {
        let now = Now { clock: 0, steady: Instant::now() };
        let mut rest = Rest::default();
        let pauses: Vec<u128> = (0..7)
            .map(|_| {
                rest.failed(FailureKind::Passing, now);
                rest.left(now).unwrap().as_millis()
            })
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        rest.went_well();
        assert!(!rest.fails() && !rest.is_resting(now));
        rest.failed(FailureKind::Lock, now);
        assert_eq!(rest.left(now), Some(LOCKED));
    }
}
