//! Tells the engine at commit that there is work: one latch for a transaction, none for one that is rolled back.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::{pg_guard, pg_sys};

use crate::{capture, launcher, shmem};

thread_local! {
    static WAKE: Cell<bool> = const { Cell::new(false) };
    static REBOOT: Cell<bool> = const { Cell::new(false) };
}

pub fn init() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

/// Wake the engine of this database when the present transaction commits.
pub fn at_commit() {
    if !WAKE.get() {
        // Attached now, because a commit may not fail.
        shmem::my_slot();
        WAKE.set(true);
    }
}

/// The same, and the engine reads its identity, state and cursors anew.
pub fn reboot_at_commit() {
    REBOOT.set(true);
    at_commit();
}

/// There is work for the engine of this database. Called where nothing may fail.
pub fn now(reboot: bool) {
    let Some(slot) = shmem::my_slot() else { return };
    if reboot {
        slot.wanted.store(shmem::WANTED, SeqCst);
        slot.reboot.store(1, SeqCst);
    }
    slot.pending.store(1, SeqCst);
    if !slot.engine.wake() && slot.wanted.load(SeqCst) != shmem::UNWANTED {
        slot.wanted.store(shmem::WANTED, SeqCst);
        launcher::call();
    }
}

/// A prepared transaction was committed: which timers it set, and which jobs it changed, is known to nobody here.
pub fn prepared() {
    if let Some(slot) = shmem::my_slot() {
        slot.next_timer.store(i64::MIN, SeqCst);
        slot.jobs_changed.store(1, SeqCst);
    }
    now(false);
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => {
            return capture::close();
        }
        pg_sys::XactEvent::XACT_EVENT_ABORT => capture::forget(),
        pg_sys::XactEvent::XACT_EVENT_COMMIT if WAKE.get() => now(REBOOT.get()),
        pg_sys::XactEvent::XACT_EVENT_COMMIT | pg_sys::XactEvent::XACT_EVENT_PREPARE => {}
        _ => return,
    }
    WAKE.set(false);
    REBOOT.set(false);
}
