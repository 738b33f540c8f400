//! DROP EXTENSION pg_frontdesk, beside transactions that write to watched tables.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

/// How long a moment is looked for in which all tables are free, where `lock_timeout` does not say.
const PATIENCE: Duration = Duration::from_secs(60);

const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;

/// Whether the command drops our extension, and the role that gives it may do that.
///
/// # Safety
/// A parsed command, in a transaction.
pub unsafe fn is_ours(drop: &pg_sys::DropStmt) -> bool {
    if drop.removeType != pg_sys::ObjectType::OBJECT_EXTENSION {
        return false;
    }
    // SAFETY: the objects of DROP EXTENSION are names.
    unsafe {
        let Some(objects) = drop.objects.as_ref() else { return false };
        let named = (0..objects.length as usize)
            .map(|at| (*objects.elements.add(at)).ptr_value.cast::<pg_sys::String>())
            .any(|name| CStr::from_ptr((*name).sval) == c"pg_frontdesk");
        let extension = extension();
        named
            && extension != pg_sys::InvalidOid
            && pg_sys::object_ownercheck(pg_sys::ExtensionRelationId, extension, pg_sys::GetUserId())
    }
}

fn extension() -> pg_sys::Oid {
    // SAFETY: a look at the catalog, in a transaction.
    unsafe { pg_sys::get_extension_oid(c"pg_frontdesk".as_ptr(), true) }
}

pub fn is_installed() -> bool {
    extension() != pg_sys::InvalidOid
}

/// Takes every lock that the command needs, before it takes the first of its own. A writer holds its table and then
/// wants the log; the command would take the log and then want the table. All are taken or none, so that it waits for
/// one table only while it holds no other. Beside writers that never pause there may be no moment to take all in.
pub fn lock_all() {
    let begun = Instant::now();
    // SAFETY: locks of this transaction. The engine has the extension's before any other, and so has the command.
    unsafe { pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension(), 0, EXCLUSIVE) };
    let mut first: Option<pg_sys::Oid> = None;
    loop {
        check_for_interrupts!();
        if let Some(relation) = first {
            // SAFETY: as above.
            unsafe { pg_sys::LockRelationOid(relation, EXCLUSIVE) };
        }
        let mut held: Vec<pg_sys::Oid> = first.into_iter().collect();
        let blocked = relations().into_iter().filter(|relation| Some(*relation) != first).find(|relation| {
            // SAFETY: as above.
            let got = unsafe { pg_sys::ConditionalLockRelationOid(*relation, EXCLUSIVE) };
            if got {
                held.push(*relation);
            }
            !got
        });
        let Some(blocked) = blocked else { return };
        for relation in held {
            // SAFETY: locks that were taken above.
            unsafe { pg_sys::UnlockRelationOid(relation, EXCLUSIVE) };
        }
        if begun.elapsed() > patience() {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
                "could not lock the watched tables all at once",
                "Transactions write to them without a pause. Try again when they have ended; nothing was dropped."
            );
        }
        first = Some(blocked);
    }
}

fn patience() -> Duration {
    // SAFETY: a setting, read in the main thread of a backend.
    match u64::try_from(unsafe { pg_sys::LockTimeout }) {
        Ok(milliseconds) if milliseconds > 0 => Duration::from_millis(milliseconds),
        _ => PATIENCE,
    }
}

/// None where the extension is of another version than the library, and has no such verb.
fn relations() -> Vec<pg_sys::Oid> {
    let known =
        Spi::get_one::<bool>("select pg_catalog.to_regprocedure('frontdesk_internal.dropped_relations()') is not null");
    if !matches!(known, Ok(Some(true))) {
        return Vec::new();
    }
    let found = Spi::get_one::<Vec<pg_sys::Oid>>("select frontdesk_internal.dropped_relations()");
    found.unwrap_or_else(|error| error!("{error}")).unwrap_or_default()
}
