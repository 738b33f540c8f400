//! A process at work for a handler, and what became of what it was given.

use std::ffi::CString;
use std::time::{Duration, Instant};

use delivery::{Receipt, Reply};

use super::super::clock;
use super::super::settings::Handler;
use super::{Task, receipt};
use crate::job::handler::Report;
use crate::job::handler::order::Orders;
use crate::job::worker::{Mark, Order, Work, Worker, committed};

/// Beyond the time that a batch may take: then its process is ended, whatever it does.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Visit {
    pub handler: i64,
    pub owner: u32,
    pub tasks: Vec<Task>,
    worker: Worker,
    timeout: Duration,
    started_at: i64,
    began: Instant,
    /// Transactions that it began, and when that was looked at.
    beats: u32,
    heard: Instant,
    /// It may be given another order.
    is_well: bool,
}

/// What became of an order.
#[derive(Default)]
pub struct Ended {
    pub receipts: Vec<Receipt>,
    /// What was not begun, or undone by no fault of its own.
    pub again: Vec<Task>,
    /// So many are to go alone.
    pub alone: usize,
    /// The process could not begin its work.
    pub pause: bool,
}

impl Visit {
    /// None: there is no free worker slot.
    pub fn begin(
        handler: i64,
        name: &str,
        settings: &Handler,
        tasks: Vec<Task>,
        generation: u64,
        idle: &mut Vec<Worker>,
    ) -> Option<Visit> {
        let command = Orders { handler, items: tasks.iter().map(|task| task.item).collect() }.write();
        let name = CString::new(name).unwrap_or_default();
        let (database, owner, work) = (crate::job::my_database(), settings.owner, Work::Events);
        let order = Order { database, owner, work, generation, name: &name, command: &command };
        let worker = match idle.iter().position(|worker| worker.again(&order)) {
            Some(place) => idle.swap_remove(place),
            None => Worker::start(&order)?,
        };
        let now = Instant::now();
        let beats = worker.beats();
        Some(Visit {
            handler,
            owner,
            tasks,
            worker,
            timeout: settings.timeout,
            started_at: clock::real(),
            began: now,
            beats,
            heard: now,
            is_well: false,
        })
    }

    /// What became of it; None while it runs.
    pub fn ended(&mut self) -> Option<Ended> {
        let outcome = self.worker.outcome()?;
        let report = Report::read(outcome.result.as_deref());
        let (marks, xid) = self.worker.marks(self.tasks.len());
        self.is_well = outcome.sqlstate.is_none();
        let died = outcome.sqlstate.map(|code| format!("{code}: {}", outcome.message));
        let mut ended = Ended::default();
        let running = marks.iter().filter(|mark| **mark == Mark::Running).count();
        // Its transaction may have been committed before it could say so.
        let is_done = running > 0 && committed(xid);
        let took = self.began.elapsed().as_secs_f32() * 1000.0 / self.tasks.len().max(1) as f32;
        for (place, task) in self.tasks.drain(..).enumerate() {
            let reply = match marks.get(place).copied().unwrap_or(Mark::None) {
                Mark::Done => Reply::Handled,
                Mark::Running if is_done => Reply::Handled,
                Mark::Failed => {
                    let detail = report.failed.iter().find(|failure| failure.event == place);
                    let detail = detail.map(|failure| failure.detail.clone());
                    Reply::Failure { error: "sql", detail: detail.unwrap_or_else(|| "see the server log".into()) }
                }
                Mark::Running if running == 1 => {
                    let detail = died.clone().unwrap_or_else(|| "the handler's process exited unexpectedly".into());
                    Reply::Failure { error: "process", detail }
                }
                Mark::Running => {
                    ended.alone += 1;
                    ended.again.push(task);
                    continue;
                }
                Mark::None if report.gone => Reply::Recalled,
                Mark::None => match broken(&report, died.as_deref()) {
                    Some(reason) => Reply::Broken(reason),
                    None => {
                        ended.again.push(task);
                        continue;
                    }
                },
            };
            ended.receipts.push(receipt(task, self.started_at, took, reply));
        }
        ended.pause = died.is_some() && ended.receipts.is_empty();
        Some(ended)
    }

    /// Ends a process that has begun nothing new for too long.
    pub fn enforce(&mut self) {
        let beats = self.worker.beats();
        if beats != self.beats {
            (self.beats, self.heard) = (beats, Instant::now());
        } else if self.patience().is_zero() {
            self.worker.end();
            self.heard = Instant::now();
        }
    }

    /// How long it may go on before it is looked at.
    pub fn patience(&self) -> Duration {
        (self.timeout + PATIENCE).saturating_sub(self.heard.elapsed())
    }

    pub fn end(self) {
        self.worker.end();
    }

    /// The process, when it waits for another order.
    pub fn rest(self) -> Option<Worker> {
        Some(self.worker).filter(|_| self.is_well)
    }
}

/// Why the handler cannot run: its function says so, or nobody can be its owner (invalid authorization, no such role, or
/// one that may not connect).
fn broken(report: &Report, died: Option<&str>) -> Option<String> {
    let nobody = died.filter(|died| ["28", "42704", "42501"].iter().any(|code| died.starts_with(code)));
    report.broken.clone().or_else(|| nobody.map(|died| format!("its owner cannot connect: {died}")))
}
