//! Tells the engine at commit that there is work: one latch for a transaction, none for one that is rolled back.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::{pg_guard, pg_sys};

use crate::shmem::{EVENTS, REQUESTS, Slot, WORK};
use crate::{launcher, log, shmem};

thread_local! {
    /// 0, EVENTS, REQUESTS or WORK.
    static WAKE: Cell<u32> = const { Cell::new(0) };
    static REBOOT: Cell<bool> = const { Cell::new(false) };
}

pub fn init() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

/// Wake the engine of this database when the present transaction commits.
pub fn at_commit() {
    register(WORK);
}

/// The same for events: without an endpoint nobody is in a hurry for them.
pub fn for_events_at_commit() {
    register(EVENTS);
}

/// The same for events that are not for endpoints alone.
pub fn for_requests_at_commit() {
    register(REQUESTS);
}

fn register(what: u32) {
    if WAKE.get() == 0 {
        // Attached now, because a commit may not fail.
        shmem::my_slot();
    }
    WAKE.set(WAKE.get().max(what));
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
    tell(slot, WORK);
}

fn tell(slot: &Slot, what: u32) {
    let told = slot.pending.fetch_max(what, SeqCst) != 0;
    if told && what == EVENTS && slot.unheard.load(SeqCst) == 1 && slot.engine.pid().is_some() {
        return;
    }
    if !slot.engine.wake() && slot.wanted.load(SeqCst) != shmem::UNWANTED {
        slot.wanted.store(shmem::WANTED, SeqCst);
        launcher::call();
    }
}

/// A transaction with something for the engine was prepared: from now on it looks by itself.
pub fn is_prepared() {
    if let Some(slot) = shmem::my_slot() {
        slot.prepared.store(1, SeqCst);
    }
    now(false);
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
            return log::close();
        }
        pg_sys::XactEvent::XACT_EVENT_ABORT => log::forget(),
        pg_sys::XactEvent::XACT_EVENT_COMMIT if WAKE.get() == WORK => now(REBOOT.get()),
        pg_sys::XactEvent::XACT_EVENT_COMMIT if WAKE.get() != 0 => {
            if let Some(slot) = shmem::my_slot() {
                tell(slot, WAKE.get());
            }
        }
        pg_sys::XactEvent::XACT_EVENT_PREPARE if WAKE.get() != 0 => is_prepared(),
        pg_sys::XactEvent::XACT_EVENT_COMMIT | pg_sys::XactEvent::XACT_EVENT_PREPARE => {}
        _ => return,
    }
    WAKE.set(0);
    REBOOT.set(false);
}
