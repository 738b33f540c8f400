//! The logs, which are tables of PostgreSQL: whatever their owner may do to one (an index, a constraint, a column, a trigger,
//! a partition made or detached by hand) holds for the rows that are put into it here, because they are put in as the
//! executor does it, under the locks that it takes.

mod kept;
mod leaf;
mod table;

use std::ffi::CString;

use pgrx::{IntoDatum, PgSqlErrorCode, pg_sys};

pub use kept::{close, forget, init, insert};
pub use leaf::{Leaf, Value, end, find, of, unlock};
use table::Table;

use crate::error::raise;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// commands/sequence.h; not among pgrx's bindings.
    fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// A column of a log as its rows are made here: its name and its type.
pub type Column = (&'static str, pg_sys::Oid);

/// Of the log of attempts, as sql/tables/21_delivery.sql has them.
pub const ATTEMPT_COLUMNS: [Column; 14] = [
    ("id", pg_sys::INT8OID),
    ("event_id", pg_sys::INT8OID),
    ("endpoint_id", pg_sys::INT8OID),
    ("attempt", pg_sys::INT4OID),
    ("started_at", pg_sys::TIMESTAMPTZOID),
    ("duration_ms", pg_sys::FLOAT4OID),
    ("succeeded", pg_sys::BOOLOID),
    ("status", pg_sys::INT2OID),
    ("error", pg_sys::TEXTOID),
    ("detail", pg_sys::TEXTOID),
    ("address", pg_sys::INETOID),
    ("response", pg_sys::TEXTOID),
    ("response_headers", pg_sys::JSONBOID),
    ("response_body", pg_sys::BYTEAOID),
];

/// # Safety
/// `sequence` is one of the extension.
pub unsafe fn next_id(sequence: pg_sys::Oid) -> i64 {
    // SAFETY: as promised by the caller.
    unsafe { nextval_internal(sequence, false) }
}

/// Puts rows without their id, which is the first of `columns`, into a log, which is partitioned by the first of `columns` that
/// is a moment: with one record of WAL for a page of them.
///
/// # Safety
/// Within a transaction; the values are of the columns from the second on.
pub unsafe fn append<const COLUMNS: usize, const REST: usize>(
    log: &str,
    sequence: &str,
    columns: &'static [Column; COLUMNS],
    rows: &[[Option<pg_sys::Datum>; REST]],
) {
    let (Some(root), Some(sequence)) = (find(log), find(sequence)) else {
        raise(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, format!("the log {log} of pg_frontdesk is missing"), None, None)
    };
    let place = |column: Column| columns.iter().position(|other| *other == column)?.checked_sub(1);
    let moment =
        columns.iter().find(|(_, of_type)| *of_type == pg_sys::TIMESTAMPTZOID).and_then(|column| place(*column));
    let moment = |row: &[Option<pg_sys::Datum>; REST]| Some((*row.get(moment?)?)?.value() as i64);
    let mut rows = rows;
    while let Some(first) = rows.first() {
        let value = |name: &str, of_type: pg_sys::Oid| {
            columns.iter().find(|column| **column == (name, of_type)).and_then(|column| *first.get(place(*column)?)?)
        };
        // SAFETY: as promised by the caller; the partition stays locked to the end of the transaction.
        unsafe {
            let leaf = leaf::locked(root, &value);
            let belongs = |row| moment(row).is_some_and(|moment| leaf.from <= moment && moment < leaf.until);
            let count = rows.iter().take_while(|row| belongs(*row)).count().max(1);
            let whole = |row: &[Option<pg_sys::Datum>; REST]| -> Vec<Option<pg_sys::Datum>> {
                std::iter::once(next_id(sequence).into_datum()).chain(row.iter().copied()).collect()
            };
            let mut table = Table::open(leaf.oid, columns);
            table.put_all(&rows[..count].iter().map(whole).collect::<Vec<_>>());
            table.close();
            rows = &rows[count..];
        }
    }
}

/// An inet; None for what is no address.
pub fn inet(address: &str) -> Option<pg_sys::Datum> {
    let address: std::net::IpAddr = address.parse().ok()?;
    let text = CString::new(address.to_string()).ok()?;
    // SAFETY: inet_in takes a C string, and this one is an address.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::inet_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
}
