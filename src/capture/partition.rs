//! Partitions of the logs, which are by UTC day: `<log>_20261231`, or `<log>_default`. Each is a plain table of the extension,
//! without constraints, triggers or policies, so nothing is skipped when rows are put into it without the executor.

use std::ffi::CString;

use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_sys};

use crate::error::raise;

pub const USECS_PER_DAY: i64 = 86_400_000_000;
/// Julian day of 2000-01-01, where timestamps begin.
const EPOCH_JDATE: i64 = 2_451_545;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// commands/sequence.h; not among pgrx's bindings.
    pub fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// A relation of the extension.
pub fn find(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: look-ups in the system caches.
    let oid =
        unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(c"frontdesk".as_ptr(), true)) };
    Some(oid).filter(|oid| *oid != pg_sys::InvalidOid)
}

/// The partition for a day, counted from 2000-01-01.
pub fn of_day(log: &str, day: i64) -> Option<pg_sys::Oid> {
    let (mut year, mut month, mut date) = (0, 0, 0);
    // SAFETY: pure arithmetic.
    unsafe { pg_sys::j2date((day + EPOCH_JDATE) as i32, &mut year, &mut month, &mut date) };
    find(&format!("{log}_{year:04}{month:02}{date:02}")).or_else(|| find(&format!("{log}_default")))
}

/// The moment before which all rows of a log are; the end of time when its default partition has some. Whoever reads up to
/// there need not open the days that were made ahead.
///
/// # Safety
/// Within a transaction.
pub unsafe fn end(log: &str) -> i64 {
    const SHARE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
    let Some(parent) = find(log) else { return i64::MAX };
    // SAFETY: a log is partitioned by ranges of one column, a timestamptz.
    unsafe {
        let relation = pg_sys::table_open(parent, SHARE);
        let description = pg_sys::RelationGetPartitionDesc(relation, true);
        let bounds = (*description).boundinfo;
        let has_rows = |index: i32| {
            let Ok(index) = usize::try_from(index) else { return false };
            let partition = pg_sys::table_open(*(*description).oids.add(index), SHARE);
            let blocks = pg_sys::RelationGetNumberOfBlocksInFork(partition, pg_sys::ForkNumber::MAIN_FORKNUM);
            pg_sys::table_close(partition, KEEP);
            blocks > 0
        };
        let end = if bounds.is_null() || has_rows((*bounds).default_index) {
            i64::MAX
        } else {
            // What ends at a bound has the same place among the partitions as the bound among the bounds.
            let last = (0..(*bounds).ndatums as usize).rev().find(|bound| has_rows(*(*bounds).indexes.add(*bound)));
            last.map_or(i64::MIN, |bound| (**(*bounds).datums.add(bound)).value() as i64)
        };
        pg_sys::table_close(relation, KEEP);
        end
    }
}

/// Puts rows of one day, without their id, which comes first, into a log: with one record of WAL for a page of them.
/// No value may be so long that it is stored outside its row.
///
/// # Safety
/// Within a transaction; the values are of the log's columns from the second on.
pub unsafe fn append<const COLUMNS: usize>(
    log: &str,
    sequence: &str,
    day: i64,
    rows: &[[Option<pg_sys::Datum>; COLUMNS]],
) {
    let (Some(partition), Some(sequence)) = (of_day(log, day), find(sequence)) else {
        raise(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, format!("the log {log} of pg_frontdesk is missing"), None, None)
    };
    // SAFETY: as promised by the caller; each slot holds its tuple and frees it.
    unsafe {
        let relation = pg_sys::table_open(partition, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        let description = (*relation).rd_att;
        let mut slots: Vec<*mut pg_sys::TupleTableSlot> = rows
            .iter()
            .map(|row| {
                let id = nextval_internal(sequence, false).into_datum();
                let values = || std::iter::once(&id).chain(row);
                let mut nulls: Vec<bool> = values().map(Option::is_none).collect();
                let mut values: Vec<pg_sys::Datum> =
                    values().map(|value| value.unwrap_or(pg_sys::Datum::from(0_usize))).collect();
                let tuple = pg_sys::heap_form_tuple(description, values.as_mut_ptr(), nulls.as_mut_ptr());
                let slot = pg_sys::MakeSingleTupleTableSlot(description, &pg_sys::TTSOpsHeapTuple);
                pg_sys::ExecStoreHeapTuple(tuple, slot, true)
            })
            .collect();
        let indexes = pg_sys::CatalogOpenIndexes(relation);
        pg_sys::CatalogTuplesMultiInsertWithInfo(relation, slots.as_mut_ptr(), slots.len() as i32, indexes);
        pg_sys::CatalogCloseIndexes(indexes);
        for slot in slots {
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
}

/// An inet; None for what is no address.
pub fn inet(address: &str) -> Option<pg_sys::Datum> {
    let address: std::net::IpAddr = address.parse().ok()?;
    let text = CString::new(address.to_string()).ok()?;
    // SAFETY: inet_in takes a C string, and this one is an address.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::inet_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]) }
}
