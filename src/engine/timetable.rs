//! What is done at its time: jobs and timers. What goes wrong here stops no delivery.

use std::time::{Duration, Instant};

use super::clock;
use super::schedule::Scheduler;
use super::timers::Timers;
use super::transaction::{Failure, FailureKind};
use crate::shmem::Slot;

/// No wait is longer: the time of day may have been set, or the machine have slept, meanwhile.
const LONGEST: Duration = Duration::from_secs(60);
/// What nobody announces is found after this time.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a transaction failed.
const PAUSE: Duration = Duration::from_secs(1);
/// After it waited for a lock in vain, during which nothing was delivered.
const LOCKED: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Timetable {
    pub jobs: Scheduler,
    timers: Timers,
    /// There are prepared transactions, which a session that never loaded this library can commit.
    pub polls: bool,
    not_before: Option<Instant>,
}

impl Timetable {
    /// Everything is looked at in the next turn.
    pub fn look_again(&mut self) {
        self.jobs.looked_at = None;
        self.timers.looked_at = None;
    }

    /// Whether it rests after a failure.
    pub fn is_resting(&self) -> bool {
        self.not_before.is_some_and(|moment| moment > Instant::now())
    }

    /// One turn; the failure is to be complained about.
    pub fn turn(&mut self, slot: &Slot, allowed: bool) -> Option<Failure> {
        if self.is_resting() {
            return None;
        }
        let failure =
            self.jobs.turn(slot, allowed, self.polls).err().or(self.timers.turn(slot, allowed, self.polls).err());
        // Whoever has work is more in need of a slot than who waits for it.
        if self.jobs.is_short() {
            self.timers.free();
        }
        if self.timers.is_short() {
            self.jobs.free();
        }
        let pause = |failure: &Failure| if failure.kind == FailureKind::Lock { LOCKED } else { PAUSE };
        self.not_before = failure.as_ref().map(|failure| Instant::now() + pause(failure));
        failure
    }

    /// Is there work that has no process?
    pub fn is_short(&self) -> bool {
        self.jobs.is_short() || self.timers.is_short()
    }

    /// Gives up the slots of the processes that wait.
    pub fn free(&mut self) {
        self.jobs.free();
        self.timers.free();
    }

    /// The engine leaves.
    pub fn abandon(&mut self) {
        self.jobs.abandon();
        self.timers.abandon();
    }

    /// How long nothing is to be done; None: until something happens.
    pub fn limit(&self, slot: &Slot, allowed: bool) -> Option<Duration> {
        if let Some(moment) = self.not_before {
            return Some(moment.saturating_duration_since(Instant::now()));
        }
        if !allowed {
            return None;
        }
        let now = clock::now();
        let limit =
            [self.jobs.limit(now, self.polls), self.timers.limit(slot, now, self.polls)].into_iter().flatten().min();
        limit.map(|limit| limit.min(LONGEST))
    }
}
