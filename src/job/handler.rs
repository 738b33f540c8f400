//! Events in a process of a handler's owner. What the owner's function does and that it did it are one transaction: the row
//! of `attempt` that says so is how an engine that begins anew knows it. A transaction that fails, in the function or at its
//! commit, is tried again by halves, until the event at fault is alone: that one is the engine's to try again or to give up.

mod call;
pub mod fence;
pub mod order;
mod report;
mod verbs;

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::channel::{Channel, Mark};
use super::portal::{self, Timeout, note_codes};
use super::{Outcome, failure, signal};
use crate::guc;
use crate::pg::role::as_extension;
use order::{Item, Orders};
pub use report::Report;
use verbs::Begun;

/// After so long the engine is told, and gives more.
const SLICE: Duration = Duration::from_millis(20);

/// Settings of the role and the database do not decide whether events are handled.
pub fn prepare() {
    for (name, value) in [
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_isolation", c"read committed"),
        (c"statement_timeout", c"0"),
        (c"transaction_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
    ] {
        super::set(name, value);
    }
    // Effects and progress are one commit: what a crash takes back is done again.
    if let Ok(true) = transaction(verbs::commits_by_default) {
        super::set(c"synchronous_commit", c"off");
    }
    fence::init();
    portal::keep_contexts();
}

/// Gives the events of an order to their handler. The outcome's result is a [`Report`]; what became of each event is marked.
pub fn run(channel: &Channel, text: &CStr) -> Outcome {
    note_codes();
    let Some(orders) = Orders::read(text) else {
        return Outcome {
            sqlstate: Some("XX000".into()),
            message: "the order cannot be read".into(),
            ..Outcome::default()
        };
    };
    report_activity(pg_sys::BackendState::STATE_RUNNING, channel.text().0);
    let begun = match transaction(|| as_extension(|| verbs::begin(orders.handler, channel.owner()))) {
        Ok(begun) => begun,
        Err(failed) => return failed,
    };
    let report = match begun {
        None => Report::gone(),
        Some(Begun { trouble: Some(trouble), .. }) => Report::broken(trouble),
        Some(how) => {
            let mut run = Run { channel, orders: &orders, how, report: Report::default() };
            if let Err(stopped) = run.all() {
                return stopped;
            }
            run.report
        }
    };
    report_activity(pg_sys::BackendState::STATE_IDLE, c"");
    Outcome { result: Some(report.write()), ..Outcome::default() }
}

fn report_activity(state: pg_sys::BackendState::Type, name: &CStr) {
    // SAFETY: this process's own entry.
    unsafe { pg_sys::pgstat_report_activity(state, name.as_ptr()) };
}

struct Run<'a> {
    channel: &'a Channel,
    orders: &'a Orders,
    how: Begun,
    report: Report,
}

/// Why a transaction came to nothing.
struct Failed {
    outcome: Outcome,
    timed_out: bool,
    /// There is another engine by now, which knows nothing of this order.
    stale: bool,
}

impl Run<'_> {
    /// Err: this process is to end.
    fn all(&mut self) -> Result<(), Outcome> {
        let began = Instant::now();
        for part in parts(&self.orders.items, self.how.batch) {
            self.settle(part)?;
            if began.elapsed() >= SLICE || self.report.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// Tries events together, and apart where that fails, until it is known what becomes of each.
    fn settle(&mut self, part: Vec<usize>) -> Result<(), Outcome> {
        let mut left = vec![part];
        while let Some(part) = left.pop() {
            match self.attempt(&part) {
                Ok(()) => self.channel.mark(&part, Mark::Done),
                Err(Failed { outcome, stale: true, .. }) => {
                    self.channel.mark(&part, Mark::None);
                    return Err(outcome);
                }
                Err(Failed { outcome, .. }) if part.len() == 1 => {
                    self.channel.mark(&part, Mark::Failed);
                    self.report.add(part[0], &outcome);
                    if self.report.is_full() {
                        break;
                    }
                }
                Err(failed) => {
                    self.channel.mark(&part, Mark::None);
                    // One that takes too long would do so in each half that it is in.
                    let size = if failed.timed_out { 1 } else { part.len().div_ceil(2) };
                    left.extend(part.chunks(size).rev().map(<[usize]>::to_vec));
                }
            }
        }
        Ok(())
    }

    fn attempt(&self, part: &[usize]) -> Result<(), Failed> {
        let items: Vec<Item> = part.iter().filter_map(|at| self.orders.items.get(*at).copied()).collect();
        let deadline = Instant::now() + self.how.timeout;
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            // SAFETY: outside any transaction; ended by commit().
            let xid = unsafe {
                start();
                pg_sys::GetTopFullTransactionId().value
            };
            self.channel.begin(xid, part);
            let _timeout = Timeout::start(self.how.timeout);
            let began = Instant::now();
            let started_at = call::now();
            let events = as_extension(|| crate::error::worked(verbs::events(&items)));
            guc::led_by(items.first().map_or(0, |item| item.depth).saturating_add(1));
            if let Some(events) = events {
                call::run(self.how.function, self.how.takes_many, events);
            }
            as_extension(|| {
                verbs::record(self.orders.handler, &items, started_at, began.elapsed());
                crate::error::worked(verbs::done(self.orders.handler, &items));
            });
            fence::expect(self.channel.generation());
            // SAFETY: ends what was begun above.
            unsafe { commit() };
            Ok(())
        }))
        .catch_others(|error| Err(failure(error)))
        .execute();
        guc::led_by(0);
        signal::forget_cancel();
        outcome.map_err(|outcome| Failed {
            timed_out: outcome.sqlstate.as_deref() == Some("57014") && Instant::now() >= deadline,
            stale: fence::is_stale(self.channel.generation()),
            outcome: Outcome { message: with_context(outcome.message), ..outcome },
        })
    }
}

/// Events that are given to the function in one transaction: so many, and led to by as many others, as what they lead to is
/// one further.
fn parts(items: &[Item], most: usize) -> Vec<Vec<usize>> {
    let mut places: Vec<usize> = (0..items.len()).collect();
    places.sort_by_key(|at| items[*at].depth);
    let alike = places.chunk_by(|a, b| items[*a].depth == items[*b].depth);
    alike.flat_map(|alike| alike.chunks(most.max(1))).map(<[usize]>::to_vec).collect()
}

fn with_context(message: String) -> String {
    match portal::take_context() {
        Some(context) => format!("{message}\nCONTEXT: {context}"),
        None => message,
    }
}

/// A transaction that only looks.
fn transaction<T>(body: impl FnOnce() -> pgrx::spi::SpiResult<T>) -> Result<T, Outcome> {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: outside any transaction; ended below.
        unsafe { start() };
        let value = crate::error::worked(body());
        // SAFETY: ends what was begun above.
        unsafe { commit() };
        Ok(value)
    }))
    .catch_others(|error| Err(failure(error)))
    .execute()
}

/// # Safety
/// Outside any transaction; as PostgreSQL's own background workers begin one.
unsafe fn start() {
    // SAFETY: as promised.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
}

/// # Safety
/// In a transaction that [`start`] began.
unsafe fn commit() {
    // SAFETY: as promised.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
        pg_sys::pgstat_report_stat(false);
    }
}
