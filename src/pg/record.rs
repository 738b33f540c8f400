//! The columns of an event, bounded before they are read.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::{FromDatum, IntoDatum};

use super::measure::text_bytes;
use super::subtransaction::subtransaction;
use crate::guc;

/// A jsonb takes so many times the bytes of its text at the most: each element of `[1,1]` is an entry and a number.
const SPARSE: usize = 8;
/// Bytes of an event's key, type or source that are read.
const SHORT: usize = 16 << 10;

thread_local! {
    /// Whether what cannot be read is told apart from the rest.
    static APART: Cell<bool> = const { Cell::new(false) };
}

/// Reads with each column in a subtransaction: one that raises is known by its error, and the others are read.
pub fn apart<T>(read: impl FnOnce() -> T) -> T {
    APART.set(true);
    let result = read();
    APART.set(false);
    result
}

/// A jsonb as text, or why it is not read.
pub struct Record(pub Result<String, String>);

/// A text that is short, or why it is not read.
pub struct Short(pub Result<String, String>);

impl FromDatum for Record {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Record> {
        // SAFETY: a jsonb of a row that this transaction sees.
        (!is_null).then(|| Record(guarded(|| unsafe { json(datum, guc::max_read_bytes()) })))
    }
}

impl IntoDatum for Record {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        None
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for Short {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, oid: pg_sys::Oid) -> Option<Short> {
        // SAFETY: a text of a row that this transaction sees.
        let read = || unsafe {
            match pg_sys::toast_raw_datum_size(datum) {
                size if size > SHORT => Err(format!("its key has {size} bytes, at most {SHORT} are read")),
                _ => String::from_polymorphic_datum(datum, false, oid).ok_or_else(|| "its key cannot be read".into()),
            }
        };
        (!is_null).then(|| Short(guarded(read)))
    }
}

impl IntoDatum for Short {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        None
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTOID
    }
}

/// How many bytes a jsonb takes as text; None: it is damaged.
///
/// # Safety
/// `datum` is a jsonb.
pub unsafe fn json_bytes(datum: pg_sys::Datum) -> Option<u64> {
    // SAFETY: as promised; it is detoasted before it is looked at.
    unsafe {
        let jsonb = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
        text_bytes(std::slice::from_raw_parts(jsonb.cast::<u8>(), pgrx::varlena::varsize(jsonb)))
    }
}

fn guarded(read: impl FnOnce() -> Result<String, String>) -> Result<String, String> {
    if !APART.get() {
        return read();
    }
    let unread =
        |error: &ErrorReportWithLevel| format!("it cannot be read: {} ({:?})", error.message(), error.sql_error_code());
    subtransaction(read, unread).unwrap_or_else(Err)
}

/// # Safety
/// `datum` is a jsonb that may be compressed or out of line, in a transaction that sees it.
unsafe fn json(datum: pg_sys::Datum, most: usize) -> Result<String, String> {
    // SAFETY: as promised; what is detoasted belongs to us unless it is the datum itself, and is laid out as measured.
    unsafe {
        let raw = pg_sys::toast_raw_datum_size(datum);
        if raw > most.saturating_mul(SPARSE).saturating_add(1024) {
            return Err(too_large(raw as u64, most));
        }
        let stored: *mut pg_sys::varlena = datum.cast_mut_ptr();
        let jsonb = pg_sys::pg_detoast_datum(stored);
        let bytes = std::slice::from_raw_parts(jsonb.cast::<u8>(), pgrx::varlena::varsize(jsonb));
        let text = match text_bytes(bytes) {
            Some(length) if length <= most as u64 => print(jsonb, length as usize),
            Some(length) => Err(too_large(length, most)),
            None => Err("its record is damaged".into()),
        };
        if jsonb != stored {
            pg_sys::pfree(jsonb.cast());
        }
        text
    }
}

fn too_large(bytes: u64, most: usize) -> String {
    format!("the payload has {bytes} bytes or more, frontdesk.max_payload_kb and frontdesk.engine_memory allow {most}")
}

/// # Safety
/// A jsonb that is not toasted, whose text has at most `length` bytes.
unsafe fn print(jsonb: *mut pg_sys::varlena, length: usize) -> Result<String, String> {
    // SAFETY: the container follows the length word; the text ends with NUL and belongs to us.
    unsafe {
        let root = jsonb.cast::<u8>().add(pg_sys::VARHDRSZ).cast();
        let text = pg_sys::JsonbToCString(std::ptr::null_mut(), root, length as i32);
        let owned = CStr::from_ptr(text).to_str().map(str::to_owned);
        pg_sys::pfree(text.cast());
        owned.map_err(|_| "its record is damaged".into())
    }
}
