//! Calling a handler's function: by its oid, so that it is the one that was looked at, whatever lies under its name by now.

use std::mem::offset_of;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;

/// Microseconds since 2000-01-01.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Gives an array of events to a function that takes many, or one after the other to one that takes one. Settings and roles
/// that the function changes are changed back.
pub fn run(function: pg_sys::Oid, takes_many: bool, events: pg_sys::Datum) {
    // SAFETY: in a transaction with a snapshot, as the role that is to run it; `events` is an array of frontdesk.event, which
    // the function was found to take. What is allocated goes with the transaction, results sooner.
    unsafe {
        let settings = pg_sys::NewGUCNestLevel();
        let context = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"frontdesk handler".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        let mut looked_up = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info_cxt(function, &mut looked_up, pg_sys::CurrentMemoryContext);
        if takes_many {
            call(&mut looked_up, events, context);
        } else {
            for event in elements(events) {
                call(&mut looked_up, event, context);
            }
        }
        pg_sys::MemoryContextDelete(context);
        fire_deferred();
        pg_sys::AtEOXact_GUC(false, settings);
    }
}

/// What was deferred to the commit is done now, as by SET CONSTRAINTS ALL IMMEDIATE: nothing of the function's is left to be
/// done once rows of ours are written and locked.
///
/// # Safety
/// As in run().
unsafe fn fire_deferred() {
    let mut all = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: as promised; an empty list means all of them.
    unsafe { pg_sys::AfterTriggerSetState(&mut all) };
}

/// # Safety
/// As in run(); `context` is emptied afterwards.
unsafe fn call(function: *mut pg_sys::FmgrInfo, argument: pg_sys::Datum, context: pg_sys::MemoryContext) {
    // SAFETY: as promised; the call has one argument.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(context);
        let size = offset_of!(pg_sys::FunctionCallInfoBaseData, args) + size_of::<pg_sys::NullableDatum>();
        let info: pg_sys::FunctionCallInfo = pg_sys::palloc0(size).cast();
        (*info).flinfo = function;
        (*info).nargs = 1;
        if let Some(place) = (*info).args.as_mut_slice(1).first_mut() {
            *place = pg_sys::NullableDatum { value: argument, isnull: false };
        }
        // What the calls before it wrote is there to be seen.
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        if let Some(address) = (*function).fn_addr {
            pg_guard_ffi_boundary(|| address(info));
        }
        pg_sys::PopActiveSnapshot();
        pg_sys::CommandCounterIncrement();
        pg_sys::MemoryContextSwitchTo(before);
        pg_sys::MemoryContextReset(context);
    }
}

unsafe fn elements(array: pg_sys::Datum) -> Vec<pg_sys::Datum> {
    // SAFETY: an array of a composite type, whose values are of any length and aligned as doubles.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let align = b'd' as std::ffi::c_char;
        let element = (*array).elemtype;
        pg_sys::deconstruct_array(array, element, -1, false, align, &mut values, &mut nulls, &mut count);
        match usize::try_from(count) {
            Ok(count) if count > 0 => std::slice::from_raw_parts(values, count).to_vec(),
            _ => Vec::new(),
        }
    }
}
