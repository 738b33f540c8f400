//! A run under way.

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::super::verbs::schedule::Begun;
use crate::job::Outcome;
use crate::job::worker::{Order, Worker};

/// A command that does not hear the cancel is ended.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Run {
    pub id: i64,
    pub job: i64,
    pub attempt: i32,
    /// When it was due.
    pub due: i64,
    /// None: there was no free worker slot yet.
    pub worker: Option<Worker>,
    order: Option<Begun>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    timed_out: bool,
}

impl Run {
    pub fn new(begun: Begun, job: i64, attempt: i32, due: i64, timeout: Option<Duration>) -> Run {
        Run {
            id: begun.run,
            job,
            attempt,
            due,
            worker: None,
            order: Some(begun),
            timeout,
            deadline: None,
            timed_out: false,
        }
    }

    /// Tries to start its process.
    pub fn start(&mut self) {
        let Some(order) = &self.order else { return };
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let (name, command) = (text(&order.name), text(&order.command));
        let database = crate::job::my_database();
        self.worker =
            Worker::start(&Order { run: self.id, database, owner: order.owner, name: &name, command: &command });
        if self.worker.is_some() {
            self.order = None;
            self.deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        }
    }

    /// Cancels it when its time is over, and ends it when that does not help.
    pub fn enforce(&mut self) {
        let Some(worker) = &self.worker else { return };
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            worker.signal(self.timed_out);
            self.timed_out = true;
            self.deadline = Some(Instant::now() + PATIENCE);
        }
    }

    pub fn end(&self) {
        if let Some(worker) = &self.worker {
            worker.signal(true);
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
            Some(_) if self.timed_out => "timed out",
            // ERRCODE_QUERY_CANCELED
            Some("57014") => "cancelled",
            Some(_) => "failed",
        }
    }
}
