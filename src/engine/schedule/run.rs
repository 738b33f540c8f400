//! A run under way.

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::super::verbs::schedule::Begun;
use crate::job::Outcome;
use crate::job::worker::{Order, Work, Worker};

/// A command that does not hear the cancel is ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until a process is there that can be told.
const TRY_AGAIN: Duration = Duration::from_millis(10);

pub struct Run {
    pub id: i64,
    pub job: i64,
    pub owner: u32,
    pub attempt: i32,
    /// When it was due.
    pub due: i64,
    /// None: there was no free worker slot yet.
    pub worker: Option<Worker>,
    order: Option<Begun>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    /// Was told to stop.
    told: bool,
    cancelled: bool,
}

impl Run {
    pub fn new(begun: Begun, job: i64, attempt: i32, due: i64, timeout: Option<Duration>) -> Run {
        Run {
            id: begun.run,
            job,
            owner: begun.owner,
            attempt,
            due,
            worker: None,
            order: Some(begun),
            timeout,
            deadline: None,
            told: false,
            cancelled: false,
        }
    }

    /// Gives it to a process that waits, or tries to start one.
    pub fn start(&mut self, idle: &mut Vec<Worker>) {
        let Some(order) = self.order.as_ref().filter(|_| !self.cancelled) else { return };
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let (name, command) = (text(&order.name), text(&order.command));
        let database = crate::job::my_database();
        let (owner, work) = (order.owner, Work::Command);
        let order = Order { database, owner, work, generation: 0, name: &name, command: &command };
        self.worker = match idle.iter().position(|worker| worker.again(&order)) {
            Some(place) => Some(idle.swap_remove(place)),
            None => Worker::start(&order),
        };
        if self.worker.is_some() {
            self.order = None;
            self.deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        }
    }

    /// Somebody wants it to stop.
    pub fn cancel(&mut self) {
        if !self.cancelled {
            self.cancelled = true;
            self.deadline = Some(Instant::now());
        }
    }

    /// Cancels it when its time is over, and ends it when that does not help.
    pub fn enforce(&mut self) {
        let Some(worker) = &self.worker else { return };
        if self.deadline.is_none_or(|deadline| deadline > Instant::now()) {
            return;
        }
        if self.told {
            worker.end();
        } else {
            self.told = worker.cancel();
        }
        self.deadline = Some(Instant::now() + if self.told { PATIENCE } else { TRY_AGAIN });
    }

    pub fn end(&self) {
        if let Some(worker) = &self.worker {
            worker.end();
        }
    }

    /// What became of it; None while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.worker {
            Some(worker) => worker.outcome(),
            None => self.cancelled.then(|| Outcome {
                sqlstate: Some("57014".into()),
                message: "cancelled before it began".into(),
                ..Outcome::default()
            }),
        }
    }

    /// How long it may go on.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    pub fn pid(&self) -> Option<i32> {
        self.worker.as_ref().and_then(Worker::pid)
    }

    pub fn status(&self, outcome: &Outcome) -> &'static str {
        match outcome.sqlstate.as_deref() {
            None => "succeeded",
            Some(_) if self.cancelled => "cancelled",
            Some(_) if self.told || outcome.timed_out => "timed out",
            // ERRCODE_QUERY_CANCELED
            Some("57014") => "cancelled",
            Some(_) => "failed",
        }
    }
}
