//! The door: how a role without any right on our tables uses a verb that writes them.
//!
//! A public verb is declared in C, all of them with the symbol `verb`; its work is the function of the same name and
//! argument types in schema frontdesk_internal, which nobody else may execute (`NAME_inner` for the few verbs that are in that
//! schema themselves, because only other verbs call them):
//!
//! ```sql
//! create or replace function frontdesk.unschedule(name text) returns boolean
//! language c as 'MODULE_PATHNAME', 'verb';
//! create or replace function frontdesk_internal.unschedule(name text) returns boolean
//! language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
//! begin
//!   delete from frontdesk_internal.job j
//!   where j.name = unschedule.name and pg_has_role(frontdesk_internal.caller(), j.owner, 'usage');
//!   return found;
//! end
//! $$;
//! ```
//!
//! The door calls it as the extension's owner, with the same arguments (defaults stand at the public one), and rolls the
//! role and every setting back when it returns or fails. Both are declared with the same result, volatility and strictness.
//! Inside, `frontdesk_internal.caller()` is the role that called. A verb called from within another keeps its caller.

mod callers;
mod inner;

use std::mem::{MaybeUninit, offset_of};
use std::ptr;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::panic::pgrx_extern_c_guard;

use crate::error::raise;
use inner::Inner;

pub use callers::{caller, current_role, init};

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_verb() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// A public verb, whatever its name, arguments and result.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn verb(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: fcinfo is valid for this call. An ERROR of the inner function jumps over this frame, which owns nothing that
    // must be dropped: the transaction's abort restores role and settings, as it does for SECURITY DEFINER, and `callers`
    // forgets the caller. So the error arrives as it was raised.
    unsafe {
        let Some(entered) = pgrx_extern_c_guard(|| enter(fcinfo)) else {
            return pg_sys::Datum::from(0_usize);
        };
        let mut call = MaybeUninit::<Call>::uninit();
        let base = call.as_mut_ptr().cast::<pg_sys::FunctionCallInfoBaseData>();
        // All that stands before the arguments, then as many of them as there are.
        ptr::copy_nonoverlapping(fcinfo.cast::<u8>(), base.cast::<u8>(), size_of_call((*fcinfo).nargs));
        (*base).flinfo = entered.flinfo;
        (*base).context = ptr::null_mut();
        (*base).isnull = false;
        let result = (entered.function)(base);
        (*fcinfo).isnull = (*base).isnull;
        pgrx_extern_c_guard(|| leave(&entered));
        result
    }
}

/// Room for a call with as many arguments as a function can have.
#[repr(C)]
struct Call {
    base: pg_sys::FunctionCallInfoBaseData,
    args: [MaybeUninit<pg_sys::NullableDatum>; pg_sys::FUNC_MAX_ARGS as usize],
}

const _: () = assert!(offset_of!(Call, args) == offset_of!(pg_sys::FunctionCallInfoBaseData, args));

fn size_of_call(nargs: i16) -> usize {
    offset_of!(Call, args) + nargs as usize * size_of::<pg_sys::NullableDatum>()
}

type Function = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

/// What is rolled back when the inner function returns.
#[derive(Clone, Copy)]
struct Entered {
    flinfo: *mut pg_sys::FmgrInfo,
    function: Function,
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
    depth: usize,
}

/// Becomes the extension's owner; None where a strict function has a null argument and so is not called.
unsafe fn enter(fcinfo: pg_sys::FunctionCallInfo) -> Option<Entered> {
    // SAFETY: fcinfo and its FmgrInfo are valid for the call.
    unsafe {
        let inner = Inner::of(fcinfo);
        let function = (*inner).flinfo.fn_addr.unwrap_or_else(|| not_a_verb());
        if (*inner).flinfo.fn_strict && has_null(fcinfo) {
            (*fcinfo).isnull = true;
            end_of_set(fcinfo);
            return None;
        }
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let within = context & pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32 != 0;
        let depth = callers::push(user, within && user == (*inner).owner);
        pg_sys::SetUserIdAndSecContext((*inner).owner, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
        let settings = pg_sys::NewGUCNestLevel();
        if !(*inner).has_search_path {
            pg_sys::RestrictSearchPath();
        }
        let flinfo = &raw mut (*inner).flinfo;
        Some(Entered { flinfo, function, user, context, settings, depth })
    }
}

unsafe fn leave(entered: &Entered) {
    callers::cut(entered.depth);
    // SAFETY: as it was before.
    unsafe {
        pg_sys::AtEOXact_GUC(false, entered.settings);
        pg_sys::SetUserIdAndSecContext(entered.user, entered.context);
    }
}

unsafe fn has_null(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: a call has nargs arguments.
    unsafe { (*fcinfo).args.as_slice((*fcinfo).nargs as usize).iter().any(|argument| argument.isnull) }
}

unsafe fn end_of_set(fcinfo: pg_sys::FunctionCallInfo) {
    // SAFETY: the node says what it is.
    unsafe {
        let set = (*fcinfo).resultinfo;
        if !set.is_null() && (*set).type_ == pg_sys::NodeTag::T_ReturnSetInfo {
            (*set.cast::<pg_sys::ReturnSetInfo>()).isDone = pg_sys::ExprDoneCond::ExprEndResult;
        }
    }
}

fn not_a_verb() -> ! {
    raise(
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
        "this function has no counterpart in schema frontdesk_internal",
        Some("A verb of pg_frontdesk is one function in two schemas, both owned by the owner of the extension.".into()),
        Some("alter extension pg_frontdesk update; see also the server log.".into()),
    )
}
