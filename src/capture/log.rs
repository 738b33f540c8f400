//! Appends an event to the log: straight into the day's partition, with its indexes, without the executor.

use std::borrow::Cow;
use std::cell::Cell;

use pgrx::{IntoDatum, PgSqlErrorCode, pg_sys};

use super::handle;
use super::partition::{USECS_PER_DAY, find, nextval_internal, of_day};
use crate::error::raise;
use crate::guc;

pub const COLUMNS: usize = 14;
/// In bytes. Keys are indexed where deliveries wait for each other, and an index takes 2.7 kB.
const LONGEST_KEY: usize = 1000;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    /// common/hashfn.h; not among pgrx's bindings.
    fn hash_bytes_extended(bytes: *const u8, length: std::ffi::c_int, seed: u64) -> u64;
}

/// What an event is; who, when and in which transaction is added by [`append`].
#[derive(Default)]
pub struct Event<'a> {
    pub op: char,
    pub kind: &'a str,
    pub source: Option<&'a str>,
    pub key: Option<&'a str>,
    /// A uuid.
    pub tenant: Option<pg_sys::Datum>,
    pub target: Option<i64>,
    /// A jsonb.
    pub record: Option<pg_sys::Datum>,
    /// A jsonb.
    pub old_record: Option<pg_sys::Datum>,
}

#[derive(Clone, Copy)]
struct Log {
    sequence: pg_sys::Oid,
    partition: pg_sys::Oid,
    day: i64,
}

thread_local! {
    static LOG: Cell<Option<Log>> = const { Cell::new(None) };
}

/// Returns the id of the event.
///
/// # Safety
/// Within a transaction; the datums are of the types said at [`Event`].
pub unsafe fn append(event: &Event) -> i64 {
    // SAFETY: plain reads of the session's state.
    let (at, xid, actor) = unsafe {
        (
            pg_sys::GetCurrentTimestamp(),
            pg_sys::GetTopFullTransactionId(),
            std::ffi::CStr::from_ptr(pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), false)),
        )
    };
    let log = current(at);
    // SAFETY: the partition's columns are those of sql/tables/10_event.sql, in their order.
    unsafe {
        let id = nextval_internal(log.sequence, false);
        let values: [Option<pg_sys::Datum>; COLUMNS] = [
            id.into_datum(),
            Some(pg_sys::Datum::from(xid.value)),
            Some(pg_sys::Datum::from(at)),
            (event.op as u8 as i8).into_datum(),
            guc::depth().into_datum(),
            event.kind.into_datum(),
            event.source.into_datum(),
            event.key.map(bounded).as_deref().into_datum(),
            event.tenant,
            event.target.into_datum(),
            event.record,
            event.old_record,
            actor.to_string_lossy().as_ref().into_datum(),
            guc::user_id().into_datum(),
        ];
        let nulls = values.map(|value| value.is_none());
        let datums = values.map(|value| value.unwrap_or(pg_sys::Datum::from(0_usize)));
        handle::insert(log.partition, xid.value, &datums, &nulls);
        id
    }
}

/// The key, or the beginning of a long one with its hash.
fn bounded(key: &str) -> Cow<'_, str> {
    if key.len() <= LONGEST_KEY {
        return key.into();
    }
    // SAFETY: reads the key's bytes.
    let hash = unsafe { hash_bytes_extended(key.as_ptr(), key.len().min(i32::MAX as usize) as std::ffi::c_int, 0) };
    format!("{}#{hash:016x}", &key[..key.floor_char_boundary(LONGEST_KEY - 17)]).into()
}

/// A relation of the log changed: look its partitions up again.
pub fn changed(relation: pg_sys::Oid) {
    if let Some(log) = LOG.get()
        && (relation == pg_sys::InvalidOid || relation == log.partition || relation == log.sequence)
    {
        LOG.set(None);
    }
}

/// The partition of this moment, locked.
fn current(at: pg_sys::TimestampTz) -> Log {
    let day = at.div_euclid(USECS_PER_DAY);
    loop {
        let log = LOG.get().filter(|log| log.day == day).unwrap_or_else(|| look_up(day));
        LOG.set(Some(log));
        // SAFETY: an oid from the catalog. Taking the lock lets news in: a partition for this day may have been attached,
        // or this one dropped, meanwhile.
        unsafe { pg_sys::LockRelationOid(log.partition, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) };
        if LOG.get().is_some_and(|now| now.partition == log.partition) {
            return log;
        }
    }
}

fn look_up(day: i64) -> Log {
    // A session that only emits has no watch that listens.
    super::watch::listen();
    match (find("event_id_seq"), of_day("event", day)) {
        (Some(sequence), Some(partition)) => Log { sequence, partition, day },
        _ => raise(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "the event log of pg_frontdesk is missing",
            None,
            Some("create extension pg_frontdesk; or remove the trigger _frontdesk_capture from the table.".into()),
        ),
    }
}
