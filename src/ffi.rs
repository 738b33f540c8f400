//! Small calls into PostgreSQL that are safe as they stand here.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::pg_sys::submodules::panic::pgrx_extern_c_guard;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// Where #[pg_guard] on a block of extern functions looks for it.
pub use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

/// The database that this process is connected to.
pub fn database() -> pg_sys::Oid {
    // SAFETY: set for the life of a process that is connected.
    unsafe { pg_sys::MyDatabaseId }
}

/// Whether the current role is a superuser. In a transaction.
pub fn is_superuser() -> bool {
    // SAFETY: looks the role up in the catalog.
    unsafe { pg_sys::superuser() }
}

/// Whether the current role has the rights of this one. In a transaction.
pub fn has_privileges_of(role: pg_sys::Oid) -> bool {
    // SAFETY: looks the roles up in the catalog.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), role) }
}

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

/// How many background workers the server can have.
pub fn worker_processes() -> usize {
    // SAFETY: set when the server starts.
    usize::try_from(unsafe { pg_sys::max_worker_processes }).unwrap_or(0)
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
        set_own_settings();
        pg_sys::pgstat_report_appname(c"frontdesk engine".as_ptr());
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
    }
}

/// What a database or a role may have set, and the engine works with values of its own of.
const OWN_SETTINGS: [(&CStr, &CStr); 33] = [
    (c"role", c"none"),
    (c"search_path", c"pg_catalog"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
    (c"statement_timeout", c"0"),
    (c"lock_timeout", c"0"),
    (c"transaction_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    (c"session_replication_role", c"origin"),
    (c"event_triggers", c"off"),
    (c"row_security", c"on"),
    (c"datestyle", c"ISO, MDY"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
    (c"client_encoding", c"UTF8"),
    (c"standard_conforming_strings", c"on"),
    (c"quote_all_identifiers", c"off"),
    (c"check_function_bodies", c"on"),
    (c"array_nulls", c"on"),
    (c"transform_null_equals", c"off"),
    (c"default_table_access_method", c"heap"),
    (c"default_tablespace", c""),
    (c"temp_tablespaces", c""),
    (c"default_toast_compression", c"pglz"),
    (c"plpgsql.extra_errors", c"none"),
    (c"plpgsql.extra_warnings", c"none"),
    (c"plpgsql.variable_conflict", c"error"),
    (c"frontdesk.account_id", c""),
    (c"frontdesk.user_id", c""),
];

/// # Safety
/// Right after a worker has connected, outside any transaction.
unsafe fn set_own_settings() {
    for (name, value) in OWN_SETTINGS {
        // SAFETY: C strings; no value of these is looked up in a catalog.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
            );
        }
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
