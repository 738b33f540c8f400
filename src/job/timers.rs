//! Reminders in a process of the owner of their tables: what makes an event of a row is the owner's code, and runs here with
//! the owner's rights. Each batch is a transaction; one that fails is remembered in another.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use pgrx::spi::SpiResult;

use super::portal::{Timeout, note_codes};
use super::{Outcome, channel, failure};
use crate::error::worked;
use crate::{guc, launcher};

/// Timers in a transaction, at the most.
const BATCH: i32 = 1000;
/// After so long others have their turn.
const SLICE: Duration = Duration::from_secs(1);
/// How long a batch waits for a lock, before it is tried again later.
const LOCK_TIMEOUT: &std::ffi::CStr = c"2s";

/// What this process is about: remembered when it fails.
struct AtWork {
    rule: i64,
    /// How many at once; 0: not known yet.
    timers: i32,
    /// Of the first.
    key: Option<String>,
    moment: Option<TimestampWithTimeZone>,
}

thread_local! {
    static AT_WORK: RefCell<Option<AtWork>> = const { RefCell::new(None) };
}

pub fn at_work(rule: i64, timers: i32, key: Option<String>, moment: Option<TimestampWithTimeZone>) {
    AT_WORK.set(Some(AtWork { rule, timers, key, moment }));
    if let Some(channel) = channel::mine() {
        channel.note(rule, timers);
    }
}

/// Settings of the role and the database do not decide whether reminders are made.
pub fn prepare() {
    for (name, value) in [
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_isolation", c"read committed"),
        (c"lock_timeout", LOCK_TIMEOUT),
        (c"statement_timeout", c"0"),
        (c"transaction_timeout", c"0"),
        (c"row_security", c"on"),
        (c"jit", c"off"),
    ] {
        super::set(name, value);
    }
}

/// Fires what is due for this role; `rows` of the outcome: how many timers were looked at.
pub fn run(role: u32) -> Outcome {
    let began = Instant::now();
    let mut fired = 0;
    note_codes();
    while began.elapsed() < SLICE {
        launcher::reload();
        AT_WORK.set(None);
        match transaction(Some(guc::reminder_timeout()), || fire(role)) {
            Ok(None) => break,
            Ok(Some(timers)) => fired += timers,
            Err(failed) => {
                let remembered = transaction(None, || remember(role, &failed));
                if let Err(other) = remembered {
                    return other;
                }
                if AT_WORK.with_borrow(Option::is_none) {
                    return failed;
                }
            }
        }
    }
    Outcome { rows: Some(fired), ..Outcome::default() }
}

/// How many timers of one rule were looked at; None: nothing is due.
fn fire(role: u32) -> SpiResult<Option<i64>> {
    let args = [pg_sys::Oid::from(role).into(), BATCH.into()];
    Spi::get_one_with_args("select frontdesk_internal.timers_fire($1, $2)", &args)
}

fn remember(role: u32, failed: &Outcome) -> SpiResult<()> {
    AT_WORK.with_borrow(|work| {
        let Some(AtWork { rule, timers, key, moment }) = work else { return Ok(()) };
        let args = [
            pg_sys::Oid::from(role).into(),
            (*rule).into(),
            (*timers).into(),
            key.clone().into(),
            (*moment).into(),
            failed.sqlstate.clone().into(),
            failed.message.as_str().into(),
        ];
        Spi::run_with_args("select frontdesk_internal.timers_failed($1, $2, $3, $4, $5, $6, $7)", &args)
    })
}

/// A transaction with the rights of the extension, whose verbs switch to the owner's where the owner's code runs.
fn transaction<T>(timeout: Option<Duration>, body: impl FnOnce() -> SpiResult<T>) -> Result<T, Outcome> {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: outside any transaction; as PostgreSQL's own background workers begin and end one.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let running = timeout.map(Timeout::start);
        let value = crate::pg::role::as_extension(|| worked(body()));
        drop(running);
        // SAFETY: ends what was begun above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            pg_sys::pgstat_report_stat(false);
        }
        Ok(value)
    }))
    .catch_others(|error| Err(failure(error)))
    .execute()
}
