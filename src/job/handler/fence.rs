//! What an engine ordered is not committed once another engine has begun: that one looks up in the log of attempts what was
//! done before, and what is not there it orders again. So it first makes all earlier orders void, and waits for those that
//! are being committed just then.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::error::raise;
use crate::shmem::{self, Slot};

/// How long an engine waits for commits.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// Of the engine whose order is committed; 0: the transaction is no order.
    static EXPECTED: Cell<u64> = const { Cell::new(0) };
    static COMMITTING: Cell<bool> = const { Cell::new(false) };
}

/// In a process, once.
pub fn init() {
    shmem::my_slot();
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

/// The present transaction commits only if this is still the engine.
pub fn expect(generation: u64) {
    EXPECTED.set(generation);
}

/// Is there another engine by now?
pub fn is_stale(generation: u64) -> bool {
    shmem::my_slot().is_none_or(|slot| slot.generation.load(SeqCst) != generation)
}

/// In the engine: from here on nothing is committed that an earlier one ordered. None: something is being committed for so
/// long that this must be tried again later.
pub fn advance(slot: &Slot) -> Option<u64> {
    let generation = slot.generation.fetch_add(1, SeqCst) + 1;
    let until = Instant::now() + PATIENCE;
    while slot.committing.load(SeqCst) != 0 {
        if Instant::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
        check_for_interrupts!();
    }
    Some(generation)
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    match event {
        pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT => {
            let expected = EXPECTED.get();
            if expected == 0 {
                return;
            }
            // First this, then the look: an engine first raises the number, and then looks who commits.
            if let Some(slot) = shmem::my_slot() {
                slot.committing.fetch_add(1, SeqCst);
                COMMITTING.set(true);
            }
            if is_stale(expected) {
                raise(
                    PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
                    "the engine that ordered this is gone",
                    Some("The next one orders it again.".into()),
                    None,
                );
            }
        }
        pg_sys::XactEvent::XACT_EVENT_COMMIT | pg_sys::XactEvent::XACT_EVENT_ABORT => {
            EXPECTED.set(0);
            if COMMITTING.replace(false)
                && let Some(slot) = shmem::my_slot()
            {
                slot.committing.fetch_sub(1, SeqCst);
            }
        }
        _ => {}
    }
}
