//! Appends an event to the log.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

use pgrx::{IntoDatum, PgSqlErrorCode, pg_sys};
use serde::Deserialize;

use crate::error::raise;
use crate::guc;
use crate::log::{self, Column, Leaf};

/// As sql/tables/10_event.sql has them.
const COLUMNS: [Column; 14] = [
    ("id", pg_sys::INT8OID),
    ("xid", pg_sys::XID8OID),
    ("created_at", pg_sys::TIMESTAMPTZOID),
    ("op", pg_sys::CHAROID),
    ("depth", pg_sys::INT2OID),
    ("type", pg_sys::TEXTOID),
    ("source", pg_sys::TEXTOID),
    ("key", pg_sys::TEXTOID),
    ("tenant", pg_sys::UUIDOID),
    ("target", pg_sys::INT8OID),
    ("record", pg_sys::JSONBOID),
    ("old_record", pg_sys::JSONBOID),
    ("actor", pg_sys::TEXTOID),
    ("user_id", pg_sys::TEXTOID),
];
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
    root: pg_sys::Oid,
    leaf: Leaf,
}

thread_local! {
    static LOG: Cell<Option<Log>> = const { Cell::new(None) };
    /// The claims of the last event, and the `sub` in them.
    static CLAIMS: RefCell<(String, Option<String>)> = const { RefCell::new((String::new(), None)) };
}

/// Returns the id of the event.
///
/// # Safety
/// Within a transaction; the datums are of the types said at [`Event`].
pub unsafe fn append(event: &Event) -> i64 {
    // SAFETY: plain reads of the session's state.
    let (at, xid) = unsafe { (pg_sys::GetCurrentTimestamp(), pg_sys::GetTopFullTransactionId()) };
    // SAFETY: the values are of the types that COLUMNS says, in its order.
    unsafe {
        let mut values: [Option<pg_sys::Datum>; COLUMNS.len()] = [
            None,
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
            actor().as_ref().into_datum(),
            user_id().into_datum(),
        ];
        let log = current(at, &|name, of_type| {
            COLUMNS.iter().zip(values).find(|(column, _)| **column == (name, of_type)).and_then(|(_, value)| value)
        });
        let id = log::next_id(log.sequence);
        values[0] = id.into_datum();
        log::insert(log.leaf.oid, xid.value, &COLUMNS, &values);
        id
    }
}

/// The session user; their number when the role was dropped while they were connected.
fn actor() -> Cow<'static, str> {
    // SAFETY: a look-up in the system caches; a name is a C string in this memory context, copied by the caller.
    unsafe {
        let user = pg_sys::GetSessionUserId();
        let name = pg_sys::GetUserNameFromId(user, true);
        if name.is_null() { user.to_u32().to_string().into() } else { CStr::from_ptr(name).to_string_lossy() }
    }
}

/// The application's user: what the setting says, else who the claims of PostgREST are about.
fn user_id() -> Option<String> {
    guc::user_id().or_else(|| {
        let claims = setting(c"request.jwt.claims").filter(|claims| !claims.is_empty())?;
        CLAIMS.with_borrow_mut(|(known, user)| {
            if known.as_bytes() != claims.as_bytes() {
                *user = subject(claims);
                claims.clone_into(known);
            }
            user.clone()
        })
    })
}

fn subject(claims: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
    }
    serde_json::from_str::<Claims>(claims).ok()?.sub.filter(|sub| !sub.is_empty())
}

fn setting(name: &CStr) -> Option<&'static str> {
    // SAFETY: a look-up; the value stays until the setting changes, and is used at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() { None } else { CStr::from_ptr(value).to_str().ok() }
    }
}

/// The key, or the beginning of a long one with its hash.
fn bounded(key: &str) -> Cow<'_, str> {
    if key.len() <= LONGEST_KEY {
        return key.into();
    }
    format!("{}#{:016x}", &key[..key.floor_char_boundary(LONGEST_KEY - 17)], hash(key.as_bytes())).into()
}

/// A number that stands for so many bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    // SAFETY: reads the bytes.
    unsafe { hash_bytes_extended(bytes.as_ptr(), bytes.len().min(i32::MAX as usize) as std::ffi::c_int, 0) }
}

/// A relation changed: if it is one of the log, its partitions are looked up again.
pub fn changed(relation: pg_sys::Oid) {
    let concerns = |log: Log| [log.leaf.oid, log.root, log.sequence].contains(&relation);
    if LOG.get().is_some_and(|log| relation == pg_sys::InvalidOid || concerns(log)) {
        LOG.set(None);
    }
}

/// The partition of this moment, locked.
fn current(at: pg_sys::TimestampTz, value: log::Value) -> Log {
    loop {
        let holds = |log: &Log| log.leaf.from <= at && at < log.leaf.until;
        let log = LOG.get().filter(holds).unwrap_or_else(|| look_up(value));
        LOG.set(Some(log));
        // SAFETY: an oid from the catalog. Taking the lock lets news in: a partition for this moment may have been attached,
        // or this one detached or dropped, meanwhile.
        unsafe { pg_sys::LockRelationOid(log.leaf.oid, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) };
        // News that leave the partition what it was are no reason to begin again: they may come without end.
        let now = LOG.get().filter(holds).unwrap_or_else(|| look_up(value));
        if now.leaf.oid == log.leaf.oid {
            LOG.set(Some(now));
            return now;
        }
        log::unlock(log.leaf.oid);
    }
}

fn look_up(value: log::Value) -> Log {
    // A session that only emits has no watch that listens.
    super::watch::listen();
    match (log::find("event_id_seq"), log::find("event")) {
        // SAFETY: within a transaction, as append() says.
        (Some(sequence), Some(root)) => Log { sequence, root, leaf: unsafe { log::of(root, value) } },
        _ => raise(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "the event log of pg_frontdesk is missing",
            None,
            Some("create extension pg_frontdesk; or call frontdesk.unwatch() for the table.".into()),
        ),
    }
}
