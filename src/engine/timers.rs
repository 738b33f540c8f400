//! Room 31 in the engine: it knows when something is due for the tables of whom, and sends their process. It reads no row of
//! theirs and runs no function: what goes wrong there is theirs alone.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::clock;
use super::timetable::LOOK_AGAIN;
use super::transaction::{Failure, transaction};
use super::verbs::schedule as verbs;
use crate::guc;
use crate::job::Outcome;
use crate::job::worker::{Order, Work, Worker};
use crate::shmem::Slot;

/// A process that found nothing to do, or all of it held by others, is not sent again at once.
const PAUSE: Duration = Duration::from_millis(50);
/// Beyond the time that a batch may take: then its process is ended, whatever it does.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Timers {
    pub looked_at: Option<Instant>,
    /// Owners of tables, and when something is due for each.
    due: HashMap<u32, i64>,
    visits: Vec<Visit>,
    /// Processes that wait a moment for another order.
    idle: Vec<Worker>,
    /// When each was seen to last: whoever waits longest is next.
    seen: HashMap<u32, Instant>,
    not_before: HashMap<u32, Instant>,
    /// There was no free worker slot.
    short: bool,
}

/// A process at work for an owner.
struct Visit {
    owner: u32,
    worker: Worker,
    /// Batches that it began, and when that was looked at.
    beats: u32,
    heard: Instant,
}

impl Timers {
    pub fn turn(&mut self, slot: &Slot, allowed: bool, polls: bool) -> Result<(), Failure> {
        if !allowed {
            self.abandon();
            self.looked_at = None;
            return Ok(());
        }
        self.collect()?;
        self.idle.retain(Worker::is_there);
        let due = slot.next_timer.load(SeqCst) <= clock::now();
        if due || self.looked_at.is_none_or(|at| polls && at.elapsed() >= LOOK_AGAIN) {
            self.look(slot)?;
        }
        self.send();
        Ok(())
    }

    /// How long nothing is to be done.
    pub fn limit(&self, slot: &Slot, now: i64, polls: bool) -> Option<Duration> {
        if self.looked_at.is_none() {
            return Some(Duration::ZERO);
        }
        let next = slot.next_timer.load(SeqCst);
        let until = (next != i64::MAX).then(|| Duration::from_micros(next.saturating_sub(now).max(0) as u64));
        let look = self.looked_at.filter(|_| polls).map(|at| LOOK_AGAIN.saturating_sub(at.elapsed()));
        let visit = self.visits.iter().map(|visit| patience().saturating_sub(visit.heard.elapsed())).min();
        let waiting = self.waiting(now).map(|owner| match self.not_before.get(&owner) {
            Some(moment) => moment.saturating_duration_since(Instant::now()),
            None => PAUSE,
        });
        [until, look, visit, waiting.min()].into_iter().flatten().min()
    }

    /// The engine leaves, or is to do nothing: what was begun is undone, and fired by the next.
    pub fn abandon(&mut self) {
        self.visits.drain(..).for_each(|visit| visit.worker.end());
        self.free();
    }

    /// Gives up the slots of the processes that wait.
    pub fn free(&mut self) {
        self.idle.drain(..).for_each(|worker| worker.end());
    }

    fn look(&mut self, slot: &Slot) -> Result<(), Failure> {
        // What is set from here on is not lost: it lowers the moment again, and wakes this process.
        slot.next_timer.store(i64::MAX, SeqCst);
        self.due = match transaction(verbs::timers) {
            Ok(due) => due.into_iter().collect(),
            Err(failure) => {
                slot.next_timer.store(i64::MIN, SeqCst);
                return Err(failure);
            }
        };
        self.looked_at = Some(Instant::now());
        let now = clock::now();
        let next = self.due.values().copied().filter(|due| *due > now).min();
        slot.next_timer.fetch_min(next.unwrap_or(i64::MAX), SeqCst);
        self.seen.retain(|owner, _| self.due.contains_key(owner));
        self.not_before.retain(|owner, _| self.due.contains_key(owner));
        Ok(())
    }

    /// Owners for whom something is due and nobody is at work.
    fn waiting(&self, now: i64) -> impl Iterator<Item = u32> {
        let visited = |owner: &u32| self.visits.iter().any(|visit| visit.owner == *owner);
        self.due.iter().filter(move |(owner, due)| **due <= now && !visited(owner)).map(|(owner, _)| *owner)
    }

    fn send(&mut self) {
        let now = Instant::now();
        let ready = |owner: &u32| self.not_before.get(owner).is_none_or(|moment| *moment <= now);
        let mut waiting: Vec<u32> = self.waiting(clock::now()).filter(ready).collect();
        waiting.sort_by_key(|owner| self.seen.get(owner).copied());
        self.short = false;
        for owner in waiting {
            if self.visits.len() >= most() {
                return;
            }
            let database = crate::job::my_database();
            let (name, command, work) = (c"reminders", c"", Work::Reminders);
            let order = Order { database, owner, work, generation: 0, name, command };
            let worker = match self.idle.iter().position(|worker| worker.again(&order)) {
                Some(place) => Some(self.idle.swap_remove(place)),
                None => {
                    if self.idle.len() + self.visits.len() >= most() && !self.idle.is_empty() {
                        self.idle.swap_remove(0).end();
                    }
                    Worker::start(&order)
                }
            };
            let Some(worker) = worker else {
                self.short = true;
                self.not_before.insert(owner, now + PAUSE);
                return;
            };
            self.seen.insert(owner, now);
            self.visits.push(Visit { owner, worker, beats: 0, heard: now });
        }
    }

    /// Whose process is done, or gone.
    fn collect(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let mut place = 0;
        while let Some(visit) = self.visits.get_mut(place) {
            let (beats, rule, timers) = visit.worker.at_work();
            if beats != visit.beats {
                (visit.beats, visit.heard) = (beats, now);
            }
            let Some(outcome) = visit.worker.outcome() else {
                if visit.heard.elapsed() > patience() {
                    visit.worker.end();
                    visit.heard = now;
                }
                place += 1;
                continue;
            };
            let visit = self.visits.swap_remove(place);
            self.looked_at = None;
            self.not_before.remove(&visit.owner);
            match outcome {
                Outcome { sqlstate: None, rows, .. } => {
                    if rows.is_none_or(|timers| timers == 0) {
                        self.not_before.insert(visit.owner, now + PAUSE);
                    }
                    self.idle.push(visit.worker);
                }
                Outcome { sqlstate: Some(code), message, .. } => {
                    self.not_before.insert(visit.owner, now + PAUSE);
                    transaction(|session| verbs::timers_failed(session, visit.owner, rule, timers, &code, &message))?;
                }
            }
        }
        Ok(())
    }

    /// Is there work that has no process?
    pub fn is_short(&self) -> bool {
        self.short
    }
}

fn patience() -> Duration {
    guc::reminder_timeout() + PATIENCE
}

/// Processes at once.
fn most() -> usize {
    guc::max_running_jobs().div_ceil(4).min(8)
}
