//! Room 31 in the engine: timers fire when they are due, so many in a transaction.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::clock;
use super::timetable::LOOK_AGAIN;
use super::transaction::{Failure, transaction};
use super::verbs::schedule as verbs;
use crate::shmem::Slot;

const BATCH: i32 = 1000;

#[derive(Default)]
pub struct Timers {
    pub looked_at: Option<Instant>,
}

impl Timers {
    pub fn turn(&mut self, slot: &Slot, allowed: bool, polls: bool) -> Result<(), Failure> {
        if !allowed {
            self.looked_at = None;
            return Ok(());
        }
        let now = clock::now();
        let due = slot.next_timer.load(SeqCst) <= now;
        if !due && self.looked_at.is_some_and(|at| !polls || at.elapsed() < LOOK_AGAIN) {
            return Ok(());
        }
        // What is set from here on is not lost: it lowers the moment again, and wakes this process.
        slot.next_timer.store(i64::MAX, SeqCst);
        let (_, next) = match transaction(|session| verbs::fire_timers(session, BATCH)) {
            Ok(fired) => fired,
            Err(failure) => {
                slot.next_timer.store(i64::MIN, SeqCst);
                return Err(failure);
            }
        };
        self.looked_at = Some(Instant::now());
        slot.next_timer.fetch_min(next.unwrap_or(i64::MAX), SeqCst);
        Ok(())
    }

    /// How long nothing is to be done.
    pub fn limit(&self, slot: &Slot, now: i64, polls: bool) -> Option<Duration> {
        let next = slot.next_timer.load(SeqCst);
        let until = (next != i64::MAX).then(|| Duration::from_micros(next.saturating_sub(now).max(0) as u64));
        let look = self.looked_at.filter(|_| polls).map(|at| LOOK_AGAIN.saturating_sub(at.elapsed()));
        [until, look].into_iter().flatten().min()
    }
}
