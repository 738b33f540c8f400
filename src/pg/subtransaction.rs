//! A subtransaction: what is done in it is undone when it raises, and the error is a value.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::prelude::*;

/// Within a transaction: what `body` did is undone when it raises, and `failed` says what becomes of the error.
pub fn subtransaction<T, E>(body: impl FnOnce() -> T, failed: fn(&ErrorReportWithLevel) -> E) -> Result<T, E> {
    // SAFETY: in a transaction; context and owner are set back as PL/pgSQL sets them for a block with an exception clause.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let back = move || {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        };
        PgTryBuilder::new(AssertUnwindSafe(|| {
            let value = body();
            pg_sys::ReleaseCurrentSubTransaction();
            back();
            Ok(value)
        }))
        .catch_others(|error| {
            let failure = failed(report(&error));
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            back();
            Err(failure)
        })
        .execute()
    }
}

/// What an error says, whichever way it came.
pub fn report(error: &CaughtError) -> &ErrorReportWithLevel {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => report,
    }
}
