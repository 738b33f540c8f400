//! What runs with the rights of somebody else runs in a process of theirs: a scheduled command, as a client's would be run, or
//! the reminders of their tables. The outcome goes to the engine through shared memory.

mod channel;
pub mod command;
mod first_row;
pub mod follow;
pub mod handler;
pub mod owner;
mod portal;
pub mod procedure;
pub mod signal;
pub mod timers;
pub mod worker;
pub mod zone;

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use crate::{guc, launcher, shmem};
use channel::{Channel, Work};

/// How long a process waits for another command.
const PATIENCE: Duration = Duration::from_millis(200);
/// And one for reminders, of which one often follows another.
const LONG_PATIENCE: Duration = Duration::from_secs(5);
/// And one for events: whoever waits for a handler's effects does not wait for a process to begin.
const HANDLERS_PATIENCE: Duration = Duration::from_secs(30);

/// What became of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// None: it succeeded.
    pub sqlstate: Option<String>,
    /// The error, or the tag of the last statement.
    pub message: String,
    /// Rows that the last statement that counts them affected or returned.
    pub rows: Option<i64>,
    /// The first row of the last result, as JSON.
    pub result: Option<String>,
    /// A timeout of the session ended it, not somebody.
    pub timed_out: bool,
}

/// # Safety
/// The entry point of a background worker, with the handle of its segment as argument.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn frontdesk_job_main(argument: pg_sys::Datum) {
    // SAFETY: at the start of the process, before signals are unblocked.
    unsafe { signal::handle_cancel() };
    launcher::handle_signals();
    let Some(channel) = Channel::attach(argument.value() as u32) else { return };
    if channel.owner() == 0 {
        // Connected as nobody in particular it would be a superuser.
        return;
    }
    // SAFETY: once, at the start of a worker. An owner that may not log in is worked for all the same.
    // What ends the process from here on is kept by the hook.
    unsafe {
        pg_sys::emit_log_hook = Some(keep_fatal);
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            pg_sys::Oid::from(channel.database()),
            pg_sys::Oid::from(channel.owner()),
            pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK,
        );
    }
    // It is the owner, whatever a setting of the database or the role says.
    set(c"role", c"none");
    match channel.work() {
        Work::Reminders => timers::prepare(),
        Work::Events => handler::prepare(),
        Work::Command => {}
    }
    loop {
        let (name, command) = channel.text();
        // SAFETY: this process's own entry.
        unsafe { pg_sys::pgstat_report_appname(signal::application(name).as_ptr()) };
        let outcome = match channel.work() {
            Work::Reminders => timers::run(channel.owner()),
            Work::Events => handler::run(&channel, command),
            Work::Command => {
                if guc::log_jobs() {
                    log!("pg_frontdesk: job {}: {}", name.to_string_lossy(), command.to_string_lossy());
                }
                run(command)
            }
        };
        channel.end(&outcome);
        if let Some(slot) = shmem::my_slot() {
            slot.engine.wake();
        }
        // After an error the process ends, whatever state it is in.
        if outcome.sqlstate.is_some() {
            return;
        }
        if channel.work() == Work::Command {
            // SAFETY: connected, and outside any transaction.
            unsafe { portal::forget() };
        }
        if !another(&channel) {
            return;
        }
    }
}

/// Waits a moment for another command of the same role.
fn another(channel: &Channel) -> bool {
    let patience = match channel.work() {
        Work::Command => PATIENCE,
        Work::Reminders => LONG_PATIENCE,
        Work::Events => HANDLERS_PATIENCE,
    };
    let until = Instant::now() + patience;
    loop {
        signal::forget_cancel();
        launcher::reload();
        if channel.is_given() {
            return true;
        }
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() && channel.leave() {
            return false;
        }
        let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        let milliseconds = rest.as_millis().max(1) as std::ffi::c_long;
        // SAFETY: the process's own latch.
        unsafe {
            pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, pg_sys::PG_WAIT_EXTENSION);
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        signal::forget_cancel();
        pgrx::check_for_interrupts!();
    }
}

fn run(command: &CStr) -> Outcome {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: connected, and outside any transaction.
        unsafe { portal::run(command) }
    }))
    .catch_others(|error| Outcome { timed_out: portal::has_timed_out(), ..failure(error) })
    .execute()
}

/// An error that was caught; whatever was under way is undone.
fn failure(error: CaughtError) -> Outcome {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => {
            // SAFETY: what the command began is over.
            unsafe { pg_sys::AbortOutOfAnyTransaction() };
            let mut message = report.message().to_owned();
            for (title, text) in [("DETAIL", report.detail()), ("HINT", report.hint())] {
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    message.push_str(&format!("\n{title}: {text}"));
                }
            }
            let sqlstate = Some(portal::sqlstate(report.sql_error_code()));
            Outcome { sqlstate, message, ..Outcome::default() }
        }
    }
}

/// A setting of this session.
fn set(name: &CStr, value: &CStr) {
    let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_SESSION);
    // SAFETY: connected, and outside any transaction.
    unsafe { pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source) };
}

/// A FATAL error ends the process: no connection for this owner, or somebody terminated it.
#[pg_guard]
unsafe extern "C-unwind" fn keep_fatal(error: *mut pg_sys::ErrorData) {
    // SAFETY: the error is valid while it is reported.
    unsafe {
        if let Some(channel) = channel::mine()
            && !error.is_null()
            && (*error).elevel >= pg_sys::FATAL as i32
        {
            let text = |text: *mut std::ffi::c_char| match text.is_null() {
                true => String::new(),
                false => CStr::from_ptr(text).to_string_lossy().into_owned(),
            };
            let sqlstate = portal::unpack((*error).sqlerrcode);
            let outcome = Outcome { sqlstate: Some(sqlstate), message: text((*error).message), ..Outcome::default() };
            channel.end(&outcome);
        }
    }
}

/// Oid of the database that this process is connected to.
pub fn my_database() -> u32 {
    // SAFETY: set for the life of a backend.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}
