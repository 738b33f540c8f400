//! Who works on what: idle connections, waiting requests, and the bound on both.
//!
//! The pool holds workers, not connections: a worker (see `worker.rs`) owns at most one connection. Over HTTP/1.1 it takes
//! one job after the other; over HTTP/2 it drives the connection while many jobs are under way on it (see `lanes.rs`).
//! When all `max_connections` workers are busy, requests wait per origin, and origins take turns. Before that, a request
//! waits until there are fewer of its group under way than may be.

mod lanes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::inbox::Job;
use crate::settings::Settings;
use crate::slot::Slot;
use crate::target::Origin;
use crate::wide::Wide;
use state::State;

/// How long a worker may go on with one origin while requests to others wait: long enough to make keep-alive worth it,
/// short enough that a busy origin cannot shut out the rest.
const TURN: Duration = Duration::from_millis(100);

pub(crate) struct Pool {
    state: Mutex<State>,
}

/// What is to be begun for a job.
pub(crate) enum Start {
    /// a worker that opens a connection for it
    Worker(Job),
    /// a stream on this connection
    Stream(Job, Arc<Wide>),
}

/// A worker that has just finished: what it holds, and where it may be reached when there is nothing to do.
pub(crate) struct Free<'a> {
    pub(crate) origin: &'a Arc<Origin>,
    pub(crate) slot: &'a Arc<Slot>,
    /// since when it has served this origin
    pub(crate) since: Instant,
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Pool {
        Pool { state: Mutex::new(State::new(settings)) }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.lock().settings.clone()
    }

    /// Workers, idle ones among them, waiting requests.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.workers, state.idle + state.idle_lanes(), state.waiting + state.held)
    }

    /// Gives the job to an idle worker, lets it wait, or says what is to be begun for it.
    pub(crate) fn place(&self, job: Job) -> Option<Start> {
        self.lock().place(job)
    }

    /// As [`Pool::place`], for a job that has been placed before and was not sent.
    pub(crate) fn place_again(&self, job: Job) -> Option<Start> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.assign(job)
    }

    /// One of the group is done. The next one may go; what was done frees a worker for it.
    pub(crate) fn done(&self, group: i64) {
        self.lock().done(group);
    }

    /// Takes out the jobs of the group that no worker has yet.
    pub(crate) fn recall(&self, group: i64) -> Vec<Job> {
        self.lock().recall(group)
    }

    /// The next job for a worker with a reusable connection. `None`: the worker is now on the idle list.
    pub(crate) fn next_or_park(&self, free: &Free<'_>) -> Option<Job> {
        let mut state = self.lock();
        let own = free.since.elapsed() < TURN;
        let job = own.then(|| state.take_of(free.origin)).flatten().or_else(|| state.take_turn());
        if job.is_none() {
            state.idle += 1;
            state.queue(free.origin).idle.push(free.slot.clone());
        }
        job
    }

    /// The next job for a worker that has no connection to `origin` any more. `None`: it is no longer counted and ends.
    pub(crate) fn next_or_leave(&self, origin: &Origin) -> Option<Job> {
        let mut state = self.lock();
        state.forget(origin);
        let surplus = state.workers > state.settings.max_connections;
        let job = if surplus { None } else { state.take_turn() };
        if job.is_none() {
            state.workers -= 1;
        }
        job
    }

    /// Takes an idle worker off the list; `false` when somebody else just did and is giving it something.
    pub(crate) fn unpark(&self, origin: &Origin, slot: &Arc<Slot>) -> bool {
        let mut state = self.lock();
        let Some(queue) = state.origins.get_mut(origin) else { return false };
        let Some(index) = queue.idle.iter().rposition(|other| Arc::ptr_eq(other, slot)) else { return false };
        queue.idle.remove(index);
        state.idle -= 1;
        true
    }

    /// To be called when a connection to `origin` is given up for one to another.
    pub(crate) fn forget(&self, origin: &Origin) {
        self.lock().forget(origin);
    }

    /// A connection speaks HTTP/1.1, or could not be opened. `counted`: others waited for it. Returns the jobs that are to
    /// be given a worker each.
    pub(crate) fn narrow(&self, origin: &Arc<Origin>, counted: bool) -> Vec<Job> {
        match origin.may_widen() {
            true => self.lock().narrow(origin, counted),
            false => Vec::new(),
        }
    }

    /// A connection speaks HTTP/2 and carries its first request; returns the jobs that go on it too.
    pub(crate) fn widen(&self, origin: &Arc<Origin>, wide: &Arc<Wide>, counted: bool) -> Vec<Job> {
        self.lock().widen(origin, wide, counted)
    }

    /// The next job for a connection of HTTP/2 on which one has ended.
    pub(crate) fn next_stream(&self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> Option<Job> {
        self.lock().next_stream(origin, wide)
    }

    /// The connection takes no new requests. Returns the jobs that are to be given a worker each.
    pub(crate) fn lose(&self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> Vec<Job> {
        let mut state = self.lock();
        state.lose(origin, wide);
        state.start_waiting()
    }

    /// Whether a connection of HTTP/2 has nothing to do; none gets on it afterwards.
    pub(crate) fn retire(&self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> bool {
        self.lock().retire(origin, wide)
    }

    pub(crate) fn remove_lane(&self, origin: &Arc<Origin>, wide: &Arc<Wide>) {
        self.lock().remove_lane(origin, wide);
    }

    /// Idle connections are closed, busy ones after what is under way: the new guard and authorities hold for all that
    /// follows. Returns the waiting jobs that there is room for now.
    pub(crate) fn reconfigure(&self, settings: Settings) -> Vec<Job> {
        let mut state = self.lock();
        state.settings = Arc::new(settings);
        state.close_idle();
        state.start_waiting()
    }

    /// No more work: waiting jobs are cut off, idle connections closed.
    pub(crate) fn close(&self) {
        let jobs = {
            let mut state = self.lock();
            state.closed = true;
            state.close_idle();
            state.drain()
        };
        // each reports itself on drop, outside the lock
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
