//! Small calls into PostgreSQL that are safe as they stand here.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::pg_sys::submodules::panic::pgrx_extern_c_guard;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// Where #[pg_guard] on a block of extern functions looks for it.
pub use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

/// The time of day, in microseconds since 2000-01-01.
pub fn current_timestamp() -> i64 {
    // SAFETY: reads the system's clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// PostgreSQL's source of strong randomness.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // SAFETY: fills exactly N bytes.
    if !unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), N) } {
        error!("no source of strong randomness");
    }
    bytes
}

/// A backtrace for every ERROR that passes through Rust would cost 75 ms and fill its DETAIL.
pub fn forget_backtraces() {
    // SAFETY: called from _PG_init, while the process has one thread.
    unsafe {
        std::env::remove_var("RUST_BACKTRACE");
        std::env::remove_var("RUST_LIB_BACKTRACE");
    }
}

/// What a setting may be.
pub trait Check {
    /// What is wrong with the value, as a sentence.
    fn check(value: &str) -> Result<(), String>;
}

/// Defines a setting whose values are checked when they are given.
pub fn define_checked<C: Check>(
    name: &'static CStr,
    description: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
) {
    let flags = GucFlags::default();
    // SAFETY: the hook is guarded against panics.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            description,
            c"",
            setting,
            context,
            flags,
            Some(check::<C>),
            None,
            None,
        );
    }
}

unsafe extern "C-unwind" fn check<C: Check>(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL gives the new value; the detail is printed and forgotten right after.
    unsafe {
        pgrx_extern_c_guard(|| {
            if (*value).is_null() {
                return true;
            }
            let checked = C::check(&CStr::from_ptr(*value).to_string_lossy());
            if let Err(detail) = &checked {
                let detail = CString::new(detail.replace('\0', "")).unwrap_or_default();
                pg_sys::GUC_check_errdetail_string = pg_sys::pstrdup(detail.as_ptr());
            }
            checked.is_ok()
        })
    }
}

/// From now on a setting `frontdesk.*` that does not exist is an error.
pub fn reserve_settings() {
    // SAFETY: called from _PG_init with a constant string.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"frontdesk".as_ptr()) };
}

/// Connects a background worker to a database, as the superuser that owns the cluster. `at_exit` runs when the process
/// ends, with the database as argument.
pub fn enter_database(database: pg_sys::Oid, at_exit: fn(pg_sys::Oid)) {
    AT_EXIT.set(Some((database, at_exit)));
    // SAFETY: once, at the start of a worker.
    unsafe {
        pg_sys::before_shmem_exit(Some(leave_database), pg_sys::Datum::from(0_usize));
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        pg_sys::pgstat_report_appname(c"frontdesk engine".as_ptr());
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
    }
}

/// Whom to tell of which database.
type Farewell = (pg_sys::Oid, fn(pg_sys::Oid));

thread_local! {
    static AT_EXIT: Cell<Option<Farewell>> = const { Cell::new(None) };
}

#[pg_guard]
unsafe extern "C-unwind" fn leave_database(_code: std::ffi::c_int, _argument: pg_sys::Datum) {
    if let Some((database, at_exit)) = AT_EXIT.take() {
        at_exit(database);
    }
}
