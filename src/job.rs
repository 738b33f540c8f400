//! A scheduled command: a process connected as its owner runs the command as a client's would be run and
//! hands the outcome to the engine through shared memory. It writes no table: its owner has no right to.

mod channel;
pub mod command;
mod first_row;
pub mod owner;
mod portal;
pub mod procedure;
pub mod signal;
pub mod worker;
pub mod zone;

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use crate::{guc, launcher, shmem};
use channel::Channel;

/// How long a process waits for another command.
const PATIENCE: Duration = Duration::from_millis(200);

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
}

/// The segment of this process, for the log hook.
static CHANNEL: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// # Safety
/// The entry point of a background worker, with the handle of its segment as argument.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn frontdesk_job_main(argument: pg_sys::Datum) {
    // SAFETY: at the start of the process, before signals are unblocked.
    unsafe { signal::handle_cancel() };
    launcher::handle_signals();
    let Some(channel) = Channel::attach(argument.value() as u32) else { return };
    CHANNEL.store(channel.address(), SeqCst);
    if channel.owner() == 0 {
        // Connected as nobody in particular it would be a superuser.
        return;
    }
    // SAFETY: once, at the start of a worker. The owner may have no right to log in, which is no reason not to work for it.
    // What ends the process from here on is kept by the hook.
    unsafe {
        pg_sys::emit_log_hook = Some(keep_fatal);
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            pg_sys::Oid::from(channel.database()),
            pg_sys::Oid::from(channel.owner()),
            pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK,
        );
    }
    loop {
        let (name, command) = channel.text();
        // SAFETY: this process's own entry.
        unsafe { pg_sys::pgstat_report_appname(signal::application(name).as_ptr()) };
        if guc::log_jobs() {
            log!("pg_frontdesk: job {}: {}", name.to_string_lossy(), command.to_string_lossy());
        }
        let outcome = run(command);
        channel.end(&outcome);
        if let Some(slot) = shmem::my_slot() {
            slot.engine.wake();
        }
        // After an error the process ends, whatever state it is in.
        if outcome.sqlstate.is_some() {
            return;
        }
        // SAFETY: connected, and outside any transaction.
        unsafe { portal::forget() };
        if !another(&channel) {
            return;
        }
    }
}

/// Waits a moment for another command of the same role.
fn another(channel: &Channel) -> bool {
    let until = Instant::now() + PATIENCE;
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
    .catch_others(|error| match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => {
            // SAFETY: whatever the command began is over.
            unsafe { pg_sys::AbortOutOfAnyTransaction() };
            let mut message = report.message().to_owned();
            for (title, text) in [("DETAIL", report.detail()), ("HINT", report.hint())] {
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    message.push_str(&format!("\n{title}: {text}"));
                }
            }
            Outcome { sqlstate: Some(portal::sqlstate(report.sql_error_code())), message, rows: None, result: None }
        }
    })
    .execute()
}

/// A FATAL error ends the process: no connection for this owner, or somebody terminated it.
#[pg_guard]
unsafe extern "C-unwind" fn keep_fatal(error: *mut pg_sys::ErrorData) {
    let address = CHANNEL.load(SeqCst);
    // SAFETY: the error is valid while it is reported; the segment stays mapped for the life of the process.
    unsafe {
        if !address.is_null() && !error.is_null() && (*error).elevel >= pg_sys::FATAL as i32 {
            let text = |text: *mut std::ffi::c_char| match text.is_null() {
                true => String::new(),
                false => CStr::from_ptr(text).to_string_lossy().into_owned(),
            };
            let sqlstate = portal::unpack((*error).sqlerrcode);
            let outcome = Outcome { sqlstate: Some(sqlstate), message: text((*error).message), ..Outcome::default() };
            Channel::at(address).end(&outcome);
        }
    }
}

/// Oid of the database that this process is connected to.
pub fn my_database() -> u32 {
    // SAFETY: set for the life of a backend.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}
