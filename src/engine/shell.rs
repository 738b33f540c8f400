//! The engine's loop: what happened goes into the core, what the core wants done is done, then it waits.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use courier::Courier;
use delivery::{Core, Input, Limits, Now, Reply, Rest};
use pgrx::prelude::*;

use super::handlers::Handlers;
use super::requests::Desk;
use super::timetable::Timetable;
use super::transaction::{Failure, become_the_only_one, forget_statements, settle_in, transaction};
use super::wait::{Bell, Waiter, connections, keep_memory, without_signals};
use super::{clock, courier_config, mark, verbs};
use crate::job::handler::fence;
use crate::launcher::asked_to_leave;
use crate::shmem::{EVENTS, Slot, WORK};
use crate::{guc, launcher};

const UPKEEP_INTERVAL: Duration = Duration::from_secs(6 * 3600);
/// When somebody reads the log while a partition is to be made or dropped.
const UPKEEP_RETRY: Duration = Duration::from_secs(60);
/// How long events may wait while there is no endpoint.
const UNHEARD: Duration = Duration::from_secs(1);
/// After a turn failed.
const PAUSE: Duration = Duration::from_secs(1);
/// After stop(): how long what is in flight may take to be answered.
const AFTER_STOP: Duration = Duration::from_secs(5);
/// After SIGTERM: a server that is being shut down waits for this process.
const AFTER_SIGNAL: Duration = Duration::from_secs(1);

pub struct Shell {
    pub slot: &'static Slot,
    pub core: Core,
    pub courier: Courier,
    pub desk: Desk,
    pub handlers: Handlers,
    waiter: Waiter,
    pub stopped: bool,
    leaving_since: Option<Instant>,
    pub timetable: Timetable,
    timetable_rest: Rest,
    upkeep_at: Instant,
    upkeep_rest: Rest,
    complaint: Option<String>,
}

/// After a turn.
enum Next {
    Wait(Duration),
    Leave,
}

/// This moment.
pub fn now() -> Now {
    Now { clock: clock::now(), steady: Instant::now() }
}

/// What the core may hold: half of the engine's memory. The other half is for what a batch takes while it is read and written.
pub fn limits() -> Limits {
    Limits { memory: guc::engine_memory_bytes() / 2, share: guc::endpoint_memory_bytes() }
}

impl Shell {
    /// None: there is nothing to do in this database.
    pub fn open(slot: &'static Slot) -> Result<Option<Shell>, Failure> {
        let there = transaction(|_| {
            become_the_only_one();
            settle_in();
            verbs::is_installed()
        })?;
        if !there {
            return Ok(None);
        }
        keep_memory();
        mark::open();
        let generation = become_the_orderer(slot)?;
        let mut desk = Desk::default();
        let Some(begun) = desk.boot(0)? else { return Ok(None) };
        slot.prepared.store(1, SeqCst);
        let bell = Bell::new().map_err(|error| Failure::new(error.to_string()))?;
        let limit = connections(guc::max_connections());
        slot.max_connections.store(limit as u64, SeqCst);
        let ring = bell.clone();
        let courier = without_signals(|| Courier::spawn(courier_config(limit), move || ring.ring()))
            .map_err(|error| Failure::new(error.to_string()))?;
        let mut shell = Shell {
            slot,
            core: begun.core,
            courier,
            desk,
            handlers: Handlers::new(generation),
            waiter: Waiter::new(bell),
            stopped: false,
            leaving_since: None,
            timetable: Timetable::default(),
            timetable_rest: Rest::default(),
            upkeep_at: Instant::now(),
            upkeep_rest: Rest::default(),
            complaint: None,
        };
        begun.complaints.iter().for_each(|complaint| shell.complain_once(complaint));
        slot.health.clear();
        slot.health.turned_at.store(clock::real(), SeqCst);
        slot.started_at.store(clock::real(), SeqCst);
        slot.delivered.store(0, SeqCst);
        slot.failed.store(0, SeqCst);
        log!(
            "pg_frontdesk: engine started, {} endpoints, up to {} connections{}",
            shell.core.endpoints(),
            limit,
            if shell.core.is_running() { "" } else { ", not sending: see frontdesk.status()" }
        );
        Ok(Some(shell))
    }

    /// Works until the extension or stop() sends it away (true), or it has to begin anew (false).
    pub fn work(mut self) -> bool {
        loop {
            if !self.courier.is_alive() {
                warning!("pg_frontdesk: the network thread ended");
                return false;
            }
            if launcher::reload() {
                self.courier.reconfigure(courier_config(self.slot.max_connections.load(SeqCst) as usize));
                self.core.handle(Input::Reconfigure, now());
            }
            match self.turn() {
                Ok(Next::Wait(limit)) => {
                    self.slot.health.turned_at.store(clock::real(), SeqCst);
                    if !self.fails() {
                        self.slot.health.failing.store(0, SeqCst);
                        self.complaint = None;
                    }
                    self.publish();
                    self.wait(limit);
                }
                Ok(Next::Leave) => return self.leave(),
                Err(_) if !is_installed() => return self.leave(),
                Err(failure) => {
                    self.fail(&failure);
                    self.waiter.wait(Some(PAUSE));
                }
            }
        }
    }

    fn turn(&mut self) -> Result<Next, Failure> {
        if self.slot.reboot.swap(0, SeqCst) != 0 {
            forget_statements();
            if !is_installed() {
                return Ok(Next::Leave);
            }
            self.reboot()?;
        }
        self.listen();
        self.collect();
        let leaving = self.stopped || asked_to_leave();
        self.core.limit(limits());
        self.core.handle(Input::Leave(leaving), now());
        while let Some(action) = self.core.poll(now()) {
            self.perform(action);
        }
        if self.core.fails() && !is_installed() {
            return Ok(Next::Leave);
        }
        // The configuration that was read may have stopped it.
        if self.stopped || leaving {
            return Ok(self.finish());
        }
        self.leaving_since = None;
        // It keeps to its own pauses.
        if let Some(failure) = self.timetable.turn(self.slot, self.core.is_running()) {
            self.timetable_rest.failed(failure.kind, now());
            self.fail(&failure);
        } else if !self.timetable.is_resting() {
            self.timetable_rest.went_well();
        }
        // Whoever has work is more in need of a slot than who waits for it.
        if self.timetable.is_short() {
            self.handlers.free();
        }
        if self.handlers.is_short() {
            self.timetable.free();
        }
        self.give();
        self.keep_up();
        Ok(Next::Wait(self.limit()))
    }

    /// As after a start, with what is in flight forgotten: it is sent again under the same webhook-id.
    fn reboot(&mut self) -> Result<(), Failure> {
        self.flush();
        self.handlers.abandon();
        let ordered = become_the_orderer(self.slot).inspect_err(|_| self.slot.reboot.store(1, SeqCst));
        self.handlers = Handlers::new(ordered?);
        match self.desk.boot(self.core.last_request())? {
            Some(begun) => {
                self.core.recall().for_each(|target| self.courier.recall(target.group()));
                self.core = begun.core;
                self.slot.prepared.store(1, SeqCst);
                begun.complaints.iter().for_each(|complaint| self.complain_once(complaint));
            }
            None => self.stopped = true,
        }
        Ok(())
    }

    /// Takes notice of what was committed, when it is to be looked at now.
    fn listen(&mut self) {
        let now = now();
        let waits = self.core.is_unheard() && self.core.looked(now) < UNHEARD;
        if waits && self.slot.pending.load(SeqCst) == EVENTS {
            return;
        }
        match self.slot.pending.swap(0, SeqCst) {
            0 => {}
            pending => self.core.handle(Input::Committed { work: pending == WORK }, now),
        }
    }

    /// Takes what came back.
    fn collect(&mut self) {
        let now = now();
        let handled = self.handlers.collect();
        // While what came back is looked at, they go on.
        self.give();
        for receipt in handled {
            let counter = match receipt.reply {
                Reply::Handled => Some(&self.slot.delivered),
                Reply::Failure { .. } => Some(&self.slot.failed),
                _ => None,
            };
            if let Some(counter) = counter {
                counter.fetch_add(1, SeqCst);
            }
            self.core.handle(Input::Receipt(receipt), now);
        }
        let mut receipts = Vec::new();
        self.courier.drain(&mut receipts);
        for receipt in receipts {
            let counter = if is_success(&receipt) { &self.slot.delivered } else { &self.slot.failed };
            let receipt = self.desk.receipt(receipt, &self.core);
            if !matches!(receipt.reply, Reply::Recalled) {
                counter.fetch_add(1, SeqCst);
            }
            self.core.handle(Input::Receipt(receipt), now);
        }
    }

    /// Writes what came back, at once.
    fn flush(&mut self) {
        while let Some(action) = self.core.flush(now()) {
            self.perform(action);
        }
    }

    /// Waits a moment for the answers to what is in flight, and writes them down: what is known to have been received is not
    /// sent again.
    fn finish(&mut self) -> Next {
        let patience = if asked_to_leave() { AFTER_SIGNAL } else { AFTER_STOP };
        let left = patience.saturating_sub(self.leaving_since.get_or_insert_with(Instant::now).elapsed());
        if self.core.is_flying() && !left.is_zero() {
            return Next::Wait(left);
        }
        self.flush();
        if let Some(save) = self.core.last_save() {
            self.perform(save);
        }
        if self.core.is_written() { Next::Leave } else { Next::Wait(PAUSE) }
    }

    /// True: for good, until somebody wants an engine again.
    fn leave(&mut self) -> bool {
        self.timetable.abandon();
        self.handlers.abandon();
        log!("pg_frontdesk: engine leaves the database");
        !asked_to_leave()
    }

    /// One step of the upkeep, when it is due.
    fn keep_up(&mut self) {
        if self.upkeep_at > Instant::now() || self.upkeep_rest.is_resting(now()) {
            return;
        }
        let next = match transaction(verbs::maintain_step) {
            Ok(Some(true)) => Ok(Duration::ZERO),
            Ok(Some(false)) => transaction(verbs::maintain_rest).map(|()| UPKEEP_INTERVAL),
            Ok(None) => Ok(UPKEEP_RETRY),
            Err(failure) => Err(failure),
        };
        match next {
            Ok(next) => {
                self.upkeep_rest.went_well();
                self.upkeep_at = Instant::now() + next;
            }
            Err(failure) => {
                self.upkeep_rest.failed(failure.kind, now());
                self.fail(&failure);
            }
        }
    }

    /// How long to wait at the most.
    fn limit(&mut self) -> Duration {
        let now = now();
        let mut limit = self.core.deadline(now);
        if limit.is_zero() {
            return limit;
        }
        let upkeep = self.upkeep_at.saturating_duration_since(now.steady);
        limit = limit.min(self.upkeep_rest.left(now).map_or(upkeep, |left| left.max(upkeep).max(SHORT)));
        if let Some(handlers) = self.handlers.limit() {
            limit = limit.min(handlers);
        }
        if let Some(timetable) = self.timetable.limit(self.slot, self.core.is_running()) {
            limit = limit.min(timetable);
        }
        if self.slot.pending.load(SeqCst) != 0 {
            limit = limit.min(UNHEARD.saturating_sub(self.core.looked(now)));
        }
        limit
    }

    /// Until something happens, or so long; or leaves the log alone for a while.
    fn wait(&mut self, limit: Duration) {
        let pause = self.core.pause(now());
        if pause.is_zero() {
            self.waiter.wait(Some(limit));
        } else {
            self.flush();
            std::thread::sleep(pause);
        }
    }

    /// Shows in shared memory where it stands.
    fn publish(&self) {
        let (slot, status) = (self.slot, self.core.status());
        slot.in_flight.store(status.in_flight as u64, SeqCst);
        slot.idle.store(status.idle.into(), SeqCst);
        slot.unheard.store(status.unheard.into(), SeqCst);
        slot.queued.store(status.queued as u64, SeqCst);
        slot.health.held.store(status.held as u64, SeqCst);
        slot.health.longest_queue.store(status.longest.0 as u64, SeqCst);
        slot.health.longest_queue_of.store(status.longest.1, SeqCst);
    }

    fn fails(&self) -> bool {
        self.core.fails() || self.timetable_rest.fails() || self.upkeep_rest.fails()
    }

    /// Something went wrong: it is shown in status() and, when it is new, written into the server's log.
    pub fn fail(&mut self, failure: &Failure) {
        self.slot.health.set_error(&failure.message);
        self.slot.health.failed_at.store(clock::real(), SeqCst);
        self.slot.health.failing.store(1, SeqCst);
        self.complain_once(&failure.message);
    }

    /// A line in the log when something new is wrong, not at every turn.
    pub fn complain_once(&mut self, message: &str) {
        if self.complaint.as_deref() != Some(message) {
            warning!("pg_frontdesk: {message}");
            self.complaint = Some(message.to_owned());
        }
    }
}

/// No wait for what failed is shorter.
const SHORT: Duration = Duration::from_millis(10);

/// From here on nothing is committed that another engine ordered of handlers; returns the number that orders go by.
fn become_the_orderer(slot: &Slot) -> Result<u64, Failure> {
    fence::advance(slot).ok_or_else(|| Failure::new("a transaction of a handler has been committing for seconds"))
}

fn is_installed() -> bool {
    transaction(|_| verbs::is_installed()).unwrap_or(true)
}

fn is_success(receipt: &courier::Receipt) -> bool {
    receipt.result.as_ref().is_ok_and(|response| retry::judge(response.status) == retry::Verdict::Success)
}
