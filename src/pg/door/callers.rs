//! Who called the verbs that are running, the innermost last.

use std::cell::RefCell;
use std::ffi::c_void;

use pgrx::prelude::*;

#[derive(Clone, Copy)]
struct Caller {
    role: pg_sys::Oid,
    /// The (sub)transaction that it called in: when that is aborted, the verb did not return.
    level: i32,
}

thread_local! {
    static CALLERS: RefCell<Vec<Caller>> = const { RefCell::new(Vec::new()) };
}

pub fn init() {
    // SAFETY: the callbacks are functions of this library, which is never unloaded.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_subtransaction_end), std::ptr::null_mut());
    }
}

/// The role that called the verb that is running, if one is.
pub fn caller() -> Option<pg_sys::Oid> {
    CALLERS.with_borrow(|callers| callers.last().map(|caller| caller.role))
}

/// `current_user`.
pub fn current_role() -> pg_sys::Oid {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::GetUserId() }
}

/// A verb begins; `within` another one, whose rights its caller has only by it, the caller stays who it was.
/// Returns what to cut to when it returns.
pub fn push(role: pg_sys::Oid, within: bool) -> usize {
    // SAFETY: reads a number.
    let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    CALLERS.with_borrow_mut(|callers| {
        let role = callers.last().filter(|_| within).map_or(role, |caller| caller.role);
        callers.push(Caller { role, level });
        callers.len() - 1
    })
}

pub fn cut(depth: usize) {
    CALLERS.with_borrow_mut(|callers| callers.truncate(depth));
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE) {
        cut(0);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        // SAFETY: reads a number: the level of what is being aborted.
        let level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
        CALLERS.with_borrow_mut(|callers| {
            while callers.last().is_some_and(|caller| caller.level >= level) {
                callers.pop();
            }
        });
    }
}
