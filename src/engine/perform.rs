//! What the core wants done: each a transaction, or a word to the network.

use std::sync::atomic::Ordering::SeqCst;

use delivery::{
    Action, Ask, Cursor, Due, Event, FailureKind, Input, Made, Outcomes, Page, Part, Read, Shipment, Target, What,
};
use pgrx::check_for_interrupts;
use pgrx::spi::SpiResult;

use super::booting::Configured;
use super::shell::{Shell, now};
use super::transaction::{Failure, Session, transaction};
use super::verbs;
use super::wait::flush;
use crate::launcher::asked_to_leave;
use crate::pg::record::apart;

impl Shell {
    pub fn perform(&mut self, action: Action) {
        let (part, result) = match action {
            Action::Send(shipments) => return self.send(&shipments),
            Action::Recall(target) => return self.recall(target),
            Action::Say(line) => return self.complain_once(&line),
            Action::Write(outcomes) => return self.write(outcomes),
            Action::Look => (Part::Refresh, self.look()),
            Action::Configure => (Part::Refresh, self.configure()),
            Action::Read(wanted) => (Part::Read, read(wanted)),
            Action::Due(ask) => (Part::Retries, self.due(&ask)),
            Action::Save(save) => {
                let saved = transaction(|session| verbs::save_cursors(session, &save));
                (Part::Save, saved.map(|()| Input::Saved(save)))
            }
        };
        let input = match result {
            Ok(input) => input,
            Err(failure) => {
                self.fail(&failure);
                Input::Failed(part, failure.kind)
            }
        };
        self.core.handle(input, now());
    }

    fn send(&mut self, shipments: &[Shipment]) {
        let now = now();
        let mut batch = Vec::with_capacity(shipments.len());
        let mut sent = Vec::with_capacity(shipments.len());
        for shipment in shipments {
            if let Some(id) = shipment.target.endpoint().filter(|id| self.desk.handler(*id).is_some()) {
                let task = self.desk.task(id, shipment, now.clock);
                // The process reads the event itself.
                let result = task.map(|task| {
                    self.handlers.push(id, task);
                    0
                });
                sent.push(Made { request: shipment.request, result });
                continue;
            }
            let made = self.desk.request(shipment, now.clock);
            if made.as_ref().is_err_and(|unsendable| !unsendable.hopeless) {
                self.slot.failed.fetch_add(1, SeqCst);
            }
            let result = made.map(|request| {
                let bytes = request.body.len();
                batch.push(request);
                bytes
            });
            sent.push(Made { request: shipment.request, result });
        }
        if !batch.is_empty() {
            self.courier.send(batch);
        }
        self.core.handle(Input::Sent(sent), now);
        self.give();
        check_for_interrupts!();
    }

    /// Handlers get what waits for them.
    pub fn give(&mut self) {
        let allowed = self.core.is_running() && !self.stopped && !asked_to_leave();
        self.handlers.give(&self.desk, allowed);
    }

    fn recall(&mut self, target: Target) {
        match target.endpoint().filter(|id| self.desk.handler(*id).is_some()) {
            Some(id) => self.handlers.recall(id),
            None => self.courier.recall(target.group()),
        }
    }

    fn write(&mut self, outcomes: Outcomes) {
        let input = match transaction(|session| record(session, &outcomes)) {
            Ok(free) => Input::Written(outcomes, free),
            Err(failure) => {
                self.fail(&failure);
                Input::Unwritten(outcomes, failure.kind, failure.message)
            }
        };
        self.core.handle(input, now());
    }

    fn look(&mut self) -> Result<Input, Failure> {
        // First: what is prepared no more is seen by the snapshot that follows.
        self.look_for_prepared()?;
        Ok(Input::Window(transaction(verbs::window)?))
    }

    /// As long as there are prepared transactions the log, the jobs and the timers are looked at now and then.
    fn look_for_prepared(&mut self) -> Result<(), Failure> {
        let before = self.timetable.polls;
        if self.slot.prepared.swap(0, SeqCst) != 0 {
            let there = transaction(verbs::prepared);
            if !matches!(there, Ok(false)) {
                self.slot.prepared.store(1, SeqCst);
            }
            self.timetable.polls = there?;
            self.core.handle(Input::Prepared(self.timetable.polls), now());
        }
        if before && !self.timetable.polls {
            self.timetable.look_again();
        }
        Ok(())
    }

    fn configure(&mut self) -> Result<Input, Failure> {
        let Configured { configuration, stopped, complaints, problems } = self.desk.configure()?;
        self.stopped = stopped;
        complaints.iter().for_each(|complaint| self.complain_once(complaint));
        for (id, problem) in problems {
            if let Err(failure) = transaction(|session| verbs::problem(session, id, problem.as_deref())) {
                self.fail(&failure);
            }
        }
        Ok(Input::Configuration(configuration))
    }

    fn due(&self, ask: &Ask) -> Result<Input, Failure> {
        let fetch = || {
            transaction(|session| {
                let is_loaded = |event, endpoint| self.core.is_loaded(event, endpoint);
                // The same moment for both, or what falls due between the two is in neither.
                let (rows, complete) = verbs::due(session, ask, is_loaded)?;
                Ok(Due { clock: ask.clock, rows, complete, next: verbs::next_due(session, ask)? })
            })
        };
        told_apart(fetch).map(Input::Due)
    }
}

fn read(read: Read) -> Result<Input, Failure> {
    if matches!(read.what, What::List) {
        let places = transaction(|session| verbs::list(session, &read.from, Read::LIST as i32))?;
        return Ok(Input::List(read, places));
    }
    let fetch = || {
        transaction(|session| {
            let (events, complete) = match &read.what {
                What::These(places) => verbs::events(session, places)?,
                What::Next | What::List => verbs::read(session, &read.from, Read::EVENTS as i32)?,
            };
            let ids = || events.iter().map(|event| event.id).collect();
            let attempted = if read.recheck { verbs::settled(session, ids())? } else { Vec::new() };
            Ok(Page { events, complete, attempted })
        })
    };
    let page = told_apart(fetch)?;
    flush_fresh(&page.events, &read.from);
    Ok(Input::Page(read, page))
}

/// What cannot be read as a whole is read once more, with what is at fault told apart.
fn told_apart<T>(fetch: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    match fetch() {
        Err(failure) if failure.kind == FailureKind::Lasting => apart(fetch),
        fetched => fetched,
    }
}

/// Nothing is sent that a crash can undo. Commits that are not on disk yet can only be recent ones.
fn flush_fresh(events: &[Event], from: &Cursor) {
    let horizon = from.current.as_ref().map_or(0, |current| current.xmax()).saturating_sub(1_000_000);
    flush(events.iter().map(|event| event.xid).filter(|xid| *xid >= horizon));
}

/// Returns the keys of which nothing waits any more.
fn record(session: &mut Session, outcomes: &Outcomes) -> SpiResult<Vec<(i64, String)>> {
    verbs::attempts(session, &outcomes.attempts)?;
    verbs::done(session, &outcomes.done)?;
    verbs::retry(session, &outcomes.again)?;
    verbs::dead(session, &outcomes.dead)?;
    let mut free = Vec::new();
    for (endpoint, key) in &outcomes.released {
        if !verbs::release(session, *endpoint, key)? {
            free.push((*endpoint, key.clone()));
        }
    }
    verbs::health(session, &outcomes.health)?;
    for (id, reason) in &outcomes.disabled {
        verbs::disable(session, *id, reason)?;
    }
    for (id, report) in &outcomes.reports {
        verbs::report(session, *id, report)?;
    }
    Ok(free)
}
