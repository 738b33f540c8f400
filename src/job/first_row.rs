//! Receives the rows of a result and keeps the first, as JSON.

use std::ffi::{CStr, c_int};

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
    seen: bool,
    json: Option<String>,
}

impl FirstRow {
    pub fn new() -> Box<FirstRow> {
        let receiver = pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(startup),
            rShutdown: Some(shutdown),
            rDestroy: Some(shutdown),
            mydest: pg_sys::CommandDest::DestSPI,
        };
        Box::new(FirstRow { receiver, seen: false, json: None })
    }

    pub fn receiver(&mut self) -> *mut pg_sys::DestReceiver {
        (self as *mut FirstRow).cast()
    }

    pub fn take(&mut self) -> Option<String> {
        self.json.take()
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(slot: *mut pg_sys::TupleTableSlot, receiver: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: the receiver is the first field of a FirstRow that outlives the portal; the slot holds a row.
    unsafe {
        let this = receiver.cast::<FirstRow>();
        if !(*this).seen {
            (*this).seen = true;
            let columns = pg_sys::BlessTupleDesc(pg_sys::CreateTupleDescCopy((*slot).tts_tupleDescriptor));
            let mut owned = false;
            let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut owned);
            let row = pg_sys::heap_copy_tuple_as_datum(tuple, columns);
            let json = datum_to_jsonb(row, COMPOSITE, pg_sys::InvalidOid);
            let text = pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(json)]);
            (*this).json = text.map(|text| text.to_string_lossy().into_owned());
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
