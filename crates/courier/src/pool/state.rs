//! The pool's state: which jobs wait where, and who may take which.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Start;
use super::lanes::{Lane, Protocols};
use crate::inbox::Job;
use crate::settings::Settings;
use crate::slot::{Hand, Slot};
use crate::target::Origin;

pub(super) struct State {
    pub(super) settings: Arc<Settings>,
    pub(super) workers: usize,
    /// workers on an idle list
    pub(super) idle: usize,
    pub(super) origins: HashMap<Arc<Origin>, Queue>,
    /// origins that may have requests waiting, in the order of their turns
    turns: VecDeque<Arc<Origin>>,
    pub(super) waiting: usize,
    groups: HashMap<i64, Group>,
    /// requests that wait for others of their group
    pub(super) held: usize,
    pub(super) protocols: Protocols,
    pub(super) closed: bool,
}

#[derive(Default)]
struct Group {
    /// under way, or waiting for a worker
    busy: usize,
    jobs: VecDeque<Job>,
}

#[derive(Default)]
pub(super) struct Queue {
    /// used from the end, so that what is not needed grows old and is closed
    pub(super) idle: Vec<Arc<Slot>>,
    pub(super) jobs: VecDeque<Job>,
    has_turn: bool,
    /// connections of HTTP/2
    pub(super) lanes: Vec<Lane>,
    /// connections being opened of which it is not known what they will speak
    pub(super) opening: usize,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.jobs.is_empty() && self.lanes.is_empty() && self.opening == 0
    }
}

impl State {
    pub(super) fn new(settings: Settings) -> State {
        State {
            settings: Arc::new(settings),
            workers: 0,
            idle: 0,
            origins: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            groups: HashMap::new(),
            held: 0,
            protocols: Protocols::default(),
            closed: false,
        }
    }

    pub(super) fn place(&mut self, job: Job) -> Option<Start> {
        if self.closed {
            return None;
        }
        let id = job.request.group;
        self.groups.entry(id).or_default().jobs.push_back(job);
        self.held += 1;
        self.admit(id).and_then(|job| self.assign(job))
    }

    pub(super) fn done(&mut self, id: i64) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.busy -= 1;
        }
        if let Some(job) = self.admit(id) {
            self.wait(job);
        }
        self.forget_group(id);
    }

    pub(super) fn recall(&mut self, id: i64) -> Vec<Job> {
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

    /// Every job that no worker has.
    pub(super) fn drain(&mut self) -> Vec<Job> {
        self.waiting = 0;
        self.held = 0;
        let held: Vec<Job> = self.groups.values_mut().flat_map(|group| group.jobs.drain(..)).collect();
        self.origins.values_mut().flat_map(|queue| queue.jobs.drain(..)).chain(held).collect()
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

    /// Finds somebody for the job; what is to be begun for it, or nothing when it was given away or waits.
    pub(super) fn assign(&mut self, mut job: Job) -> Option<Start> {
        let origin = job.request.target.origin.clone();
        if let Some(slot) = self.origins.get_mut(&origin).and_then(|queue| queue.idle.pop()) {
            self.idle -= 1;
            slot.give(Hand::Job(job));
            return None;
        }
        if let Some(wide) = self.board(&origin) {
            return Some(Start::Stream(job, wide));
        }
        if !self.may_open(&origin) {
            self.wait(job);
        } else if self.workers < self.settings.max_connections {
            self.workers += 1;
            self.opens(&mut job);
            return Some(Start::Worker(job));
        } else if let Some(slot) = self.any_idle() {
            self.opens(&mut job);
            slot.give(Hand::Job(job));
        } else {
            self.close_an_idle_lane();
            self.wait(job);
        }
        None
    }

    /// Lets the job wait for a worker.
    pub(super) fn wait(&mut self, job: Job) {
        let origin = job.request.target.origin.clone();
        let queue = self.queue(&origin);
        queue.jobs.push_back(job);
        if !std::mem::replace(&mut queue.has_turn, true) {
            self.turns.push_back(origin);
        }
        self.waiting += 1;
    }

    pub(super) fn queue(&mut self, origin: &Arc<Origin>) -> &mut Queue {
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

    pub(super) fn take_of(&mut self, origin: &Origin) -> Option<Job> {
        if self.waiting == 0 {
            return None;
        }
        let job = self.origins.get_mut(origin)?.jobs.pop_front()?;
        self.waiting -= 1;
        Some(job)
    }

    /// The next waiting job, origin by origin, for somebody who opens a connection for it.
    pub(super) fn take_turn(&mut self) -> Option<Job> {
        // those that wait for a connection under way keep their turn
        for _ in 0..self.turns.len() {
            let origin = self.turns.pop_front()?;
            let may_open = self.may_open(&origin);
            let Some(queue) = self.origins.get_mut(&origin) else { continue };
            let job = if may_open { queue.jobs.pop_front() } else { None };
            queue.has_turn = !queue.jobs.is_empty();
            if queue.has_turn {
                self.turns.push_back(origin);
            }
            if let Some(mut job) = job {
                self.waiting -= 1;
                self.opens(&mut job);
                return Some(job);
            }
        }
        None
    }

    /// The waiting jobs that there is room for now, each to be given a worker.
    pub(super) fn start_waiting(&mut self) -> Vec<Job> {
        let room = self.settings.max_connections.saturating_sub(self.workers);
        let jobs: Vec<Job> = std::iter::from_fn(|| self.take_turn()).take(room).collect();
        self.workers += jobs.len();
        jobs
    }

    /// Lets go of an origin without connections and waiting jobs: a table of all hosts ever called would only grow.
    pub(super) fn forget(&mut self, origin: &Origin) {
        if self.origins.get(origin).is_some_and(Queue::is_empty) {
            self.origins.remove(origin);
        }
    }

    pub(super) fn close_idle(&mut self) {
        for slot in self.origins.values_mut().flat_map(|queue| queue.idle.drain(..)) {
            slot.give(Hand::Close);
        }
        self.idle = 0;
        self.close_lanes();
    }
}
