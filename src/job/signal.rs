//! Telling the engine that jobs or timers changed; telling a job to stop.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::Ordering::SeqCst;

use pgrx::{pg_guard, pg_sys};

use crate::{shmem, wake};

unsafe extern "C-unwind" {
    /// tcop/tcopprot.h: the handler as such, which pgrx's bindings wrap.
    fn StatementCancelHandler(signal: std::ffi::c_int);
}

thread_local! {
    static JOBS: Cell<bool> = const { Cell::new(false) };
    static TIMER: Cell<i64> = const { Cell::new(i64::MAX) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// The engine reads the jobs again when the present transaction commits.
pub fn jobs_changed() {
    register();
    JOBS.set(true);
}

/// A timer was set for this moment: the engine must be up by then.
pub fn timer_set(due: i64) {
    register();
    TIMER.set(TIMER.get().min(due));
}

fn register() {
    if !REGISTERED.replace(true) {
        // Attached now, because a commit may not fail.
        shmem::my_slot();
        // SAFETY: the callback is a function of this library, which is never unloaded.
        unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_COMMIT => {}
        pg_sys::XactEvent::XACT_EVENT_ABORT | pg_sys::XactEvent::XACT_EVENT_PREPARE => {
            let told = JOBS.replace(false) | (TIMER.replace(i64::MAX) != i64::MAX);
            if told && event == pg_sys::XactEvent::XACT_EVENT_PREPARE {
                wake::is_prepared();
            }
            return;
        }
        _ => return,
    }
    let (jobs, timer) = (JOBS.replace(false), TIMER.replace(i64::MAX));
    if !jobs && timer == i64::MAX {
        return;
    }
    if let Some(slot) = shmem::my_slot() {
        // SAFETY: a variable of this process. What the engine itself writes into jobs it knows.
        let jobs = jobs && slot.engine.pid() != Some(unsafe { pg_sys::MyProcPid });
        if jobs {
            slot.jobs_changed.store(1, SeqCst);
        }
        // Only the session that sets the earliest timer wakes the engine.
        let earliest = slot.next_timer.fetch_min(timer, SeqCst);
        if jobs || timer < earliest || slot.engine.pid().is_none() {
            wake::now(false);
        }
    }
}

/// What a job is called in pg_stat_activity.application_name, which has room for 63 bytes.
pub fn application(name: &CStr) -> CString {
    let mut text = format!("frontdesk job {}", name.to_string_lossy());
    text.truncate(text.floor_char_boundary(63));
    CString::new(text).unwrap_or_default()
}

/// A cancel that came too late for the command before is not one of the next.
pub fn forget_cancel() {
    // SAFETY: the flag is set by the signal handler, and reset here as PostgreSQL's own loop does.
    unsafe { (&raw mut pg_sys::QueryCancelPending).write_volatile(0) };
}

/// SIGINT cancels the statement, as in a client's backend.
///
/// # Safety
/// At the start of a worker, before signals are unblocked.
pub unsafe fn handle_cancel() {
    // SAFETY: PostgreSQL's own handler.
    unsafe { pg_sys::pqsignal(libc::SIGINT, Some(StatementCancelHandler)) };
}
