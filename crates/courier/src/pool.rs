//! Who works on what: idle connections, waiting requests, and the bound on both.
//!
//! The pool holds workers, not connections: a worker (see `worker.rs`) owns at most one connection and takes one job after
//! the other. When all `max_connections` workers are busy, requests wait per origin, and origins take turns. Before that,
//! a request waits until there are fewer of its group under way than may be.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::inbox::Job;
use crate::settings::Settings;
use crate::slot::{Hand, Slot};
use crate::target::Origin;

/// How long a worker may go on with one origin while requests to others wait: long enough to make keep-alive worth it,
/// short enough that a busy origin cannot shut out the rest.
const TURN: Duration = Duration::from_millis(100);

pub(crate) struct Pool {
    state: Mutex<State>,
}

struct State {
    settings: Arc<Settings>,
    workers: usize,
    idle: usize,
    origins: HashMap<Arc<Origin>, Queue>,
    /// origins that may have requests waiting, in the order of their turns
    turns: VecDeque<Arc<Origin>>,
    waiting: usize,
    groups: HashMap<i64, Group>,
    /// requests that wait for others of their group
    held: usize,
    closed: bool,
}

#[derive(Default)]
struct Group {
    /// under way, or waiting for a worker
    busy: usize,
    jobs: VecDeque<Job>,
}

#[derive(Default)]
struct Queue {
    /// used from the end, so that what is not needed grows old and is closed
    idle: Vec<Arc<Slot>>,
    jobs: VecDeque<Job>,
    has_turn: bool,
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
        Pool {
            state: Mutex::new(State {
                settings: Arc::new(settings),
                workers: 0,
                idle: 0,
                origins: HashMap::new(),
                turns: VecDeque::new(),
                waiting: 0,
                groups: HashMap::new(),
                held: 0,
                closed: false,
            }),
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.lock().settings.clone()
    }

    /// Workers, idle ones among them, waiting requests.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.workers, state.idle, state.waiting + state.held)
    }

    /// Gives the job to an idle worker or lets it wait; hands it back when a new worker is to be started for it.
    pub(crate) fn place(&self, job: Job) -> Option<Job> {
        self.lock().place(job)
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

    /// Idle connections are closed, busy ones after their exchange: the new guard and authorities hold for all that
    /// follows. Returns the waiting jobs that there is room for now.
    pub(crate) fn reconfigure(&self, settings: Settings) -> Vec<Job> {
        let mut state = self.lock();
        state.settings = Arc::new(settings);
        state.close_idle();
        let room = state.settings.max_connections.saturating_sub(state.workers);
        let jobs: Vec<Job> = std::iter::from_fn(|| state.take_turn()).take(room).collect();
        state.workers += jobs.len();
        jobs
    }

    /// No more work: waiting jobs are cut off, idle connections closed.
    pub(crate) fn close(&self) {
        let jobs: Vec<Job> = {
            let mut state = self.lock();
            state.closed = true;
            state.close_idle();
            state.waiting = 0;
            state.held = 0;
            let held: Vec<Job> = state.groups.values_mut().flat_map(|group| group.jobs.drain(..)).collect();
            state.origins.values_mut().flat_map(|queue| queue.jobs.drain(..)).chain(held).collect()
        };
        // each reports itself on drop, outside the lock
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.jobs.is_empty()
    }
}

impl State {
    fn place(&mut self, job: Job) -> Option<Job> {
        if self.closed {
            return None;
        }
        let id = job.request.group;
        self.groups.entry(id).or_default().jobs.push_back(job);
        self.held += 1;
        self.admit(id).and_then(|job| self.assign(job))
    }

    fn done(&mut self, id: i64) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.busy -= 1;
        }
        if let Some(job) = self.admit(id) {
            self.wait(job);
        }
        self.forget_group(id);
    }

    fn recall(&mut self, id: i64) -> Vec<Job> {
        let Some(group) = self.groups.get_mut(&id) else { return Vec::new() };
        let mut jobs = Vec::new();
        self.origins.retain(|_, queue| {
            let (called, kept): (VecDeque<Job>, _) =
                std::mem::take(&mut queue.jobs).into_iter().partition(|job| job.request.group == id);
            jobs.extend(called);
            queue.jobs = kept;
            !queue.is_empty()
        });
        self.waiting -= jobs.len();
        group.busy -= jobs.len();
        self.held -= group.jobs.len();
        jobs.extend(group.jobs.drain(..));
        self.forget_group(id);
        jobs
    }

    fn forget_group(&mut self, id: i64) {
        if self.groups.get(&id).is_some_and(|group| group.busy == 0) {
            self.groups.remove(&id);
        }
    }

    /// The next job of the group, if it may go now.
    fn admit(&mut self, id: i64) -> Option<Job> {
        let group = self.groups.get_mut(&id)?;
        let at_once = group.jobs.front()?.request.at_once.max(1);
        if group.busy >= at_once {
            return None;
        }
        group.busy += 1;
        self.held -= 1;
        group.jobs.pop_front()
    }

    fn assign(&mut self, job: Job) -> Option<Job> {
        let origin = &job.request.target.origin;
        if let Some(slot) = self.origins.get_mut(origin).and_then(|queue| queue.idle.pop()) {
            self.idle -= 1;
            slot.give(Hand::Job(job));
            return None;
        }
        if self.workers < self.settings.max_connections {
            self.workers += 1;
            return Some(job);
        }
        if let Some(slot) = self.any_idle() {
            slot.give(Hand::Job(job));
            return None;
        }
        self.wait(job);
        None
    }

    /// Lets the job wait for a worker.
    fn wait(&mut self, job: Job) {
        let origin = job.request.target.origin.clone();
        let queue = self.queue(&origin);
        queue.jobs.push_back(job);
        if !std::mem::replace(&mut queue.has_turn, true) {
            self.turns.push_back(origin);
        }
        self.waiting += 1;
    }

    fn queue(&mut self, origin: &Arc<Origin>) -> &mut Queue {
        self.origins.entry(origin.clone()).or_default()
    }

    /// An idle worker of whatever origin; it will leave its connection for another.
    fn any_idle(&mut self) -> Option<Arc<Slot>> {
        if self.idle == 0 {
            return None;
        }
        let slot = self.origins.values_mut().find_map(|queue| queue.idle.pop())?;
        self.idle -= 1;
        Some(slot)
    }

    fn take_of(&mut self, origin: &Origin) -> Option<Job> {
        if self.waiting == 0 {
            return None;
        }
        let job = self.origins.get_mut(origin)?.jobs.pop_front()?;
        self.waiting -= 1;
        Some(job)
    }

    fn take_turn(&mut self) -> Option<Job> {
        while self.waiting > 0 {
            let origin = self.turns.pop_front()?;
            let Some(queue) = self.origins.get_mut(&origin) else { continue };
            let job = queue.jobs.pop_front();
            queue.has_turn = !queue.jobs.is_empty();
            if queue.has_turn {
                self.turns.push_back(origin);
            }
            if job.is_some() {
                self.waiting -= 1;
                return job;
            }
        }
        None
    }

    /// Lets go of an origin without idle connections and waiting jobs: a table of all hosts ever called would only grow.
    fn forget(&mut self, origin: &Origin) {
        if self.origins.get(origin).is_some_and(Queue::is_empty) {
            self.origins.remove(origin);
        }
    }

    fn close_idle(&mut self) {
        for slot in self.origins.values_mut().flat_map(|queue| queue.idle.drain(..)) {
            slot.give(Hand::Close);
        }
        self.idle = 0;
    }
}
