//! Receives the rows of a result and keeps the first. As JSON it is wanted later, and may be what JSON cannot say: that undoes
//! nothing of the command.

use std::ffi::{CStr, c_int};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

unsafe extern "C-unwind" {
    /// utils/jsonfuncs.h; not among pgrx's bindings.
    fn datum_to_jsonb(value: pg_sys::Datum, category: u32, output_function: pg_sys::Oid) -> pg_sys::Datum;
}

/// JSONTYPE_COMPOSITE of utils/jsonfuncs.h.
const COMPOSITE: u32 = 9;

/// PostgreSQL sees the first field only.
#[repr(C)]
pub struct FirstRow {
    receiver: pg_sys::DestReceiver,
    /// Where the row is kept.
    context: pg_sys::MemoryContext,
    row: Option<pg_sys::Datum>,
}

impl FirstRow {
    pub fn new(context: pg_sys::MemoryContext) -> Box<FirstRow> {
        let receiver = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(startup),
            rShutdown: Some(shutdown),
            rDestroy: Some(shutdown),
            mydest: pg_sys::CommandDest::DestSPI,
        };
        Box::new(FirstRow { receiver, context, row: None })
    }

    pub fn receiver(&mut self) -> *mut pg_sys::DestReceiver {
        (self as *mut FirstRow).cast()
    }

    /// The row as JSON, or why it cannot be JSON.
    ///
    /// # Safety
    /// In the transaction that made the row, after it was made.
    pub unsafe fn json(&self) -> Option<Result<String, String>> {
        let row = self.row?;
        // SAFETY: as PL/pgSQL's exception block: what the types of the row do when they are written is undone if it fails.
        unsafe {
            let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(context);
            let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                let json = pg_sys::ffi::pg_guard_ffi_boundary(|| datum_to_jsonb(row, COMPOSITE, pg_sys::InvalidOid));
                let text = pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(json)]);
                let text = text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
                pg_sys::PopActiveSnapshot();
                pg_sys::ReleaseCurrentSubTransaction();
                Ok(text)
            }))
            .catch_others(|error| {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
                match error {
                    CaughtError::PostgresError(report)
                    | CaughtError::ErrorReport(report)
                    | CaughtError::RustPanic { ereport: report, .. } => Err(report.message().to_owned()),
                }
            })
            .execute();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
            Some(outcome)
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, receiver: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: the receiver is the first field of a FirstRow that outlives the portal; the slot holds a row.
    unsafe {
        let this = receiver.cast::<FirstRow>();
        if (*this).row.is_none() {
            let before = pg_sys::MemoryContextSwitchTo((*this).context);
            let columns = pg_sys::BlessTupleDesc(pg_sys::CreateTupleDescCopy((*slot).tts_tupleDescriptor));
            let mut owned = false;
            let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut owned);
            (*this).row = Some(pg_sys::heap_copy_tuple_as_datum(tuple, columns));
            pg_sys::MemoryContextSwitchTo(before);
        }
    }
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn startup(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: c_int,
    _columns: pg_sys::TupleDesc,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn shutdown(_receiver: *mut pg_sys::DestReceiver) {}
