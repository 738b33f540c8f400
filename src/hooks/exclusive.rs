//! Commands that want a database for themselves: DROP DATABASE, RENAME, SET TABLESPACE, CREATE DATABASE ... TEMPLATE. The engine
//! of that database leaves for as long as they take, if the role that gives them may do that at all.

use std::ffi::CStr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::{launcher, shmem};

/// The database that the command wants for itself, when it has an engine, and when its rights would let it go on.
///
/// # Safety
/// A parsed command, in a transaction.
pub unsafe fn wanted(command: *mut pg_sys::Node) -> Option<pg_sys::Oid> {
    // SAFETY: a node's tag says its type.
    unsafe {
        match (*command).type_ {
            pg_sys::NodeTag::T_DropdbStmt => owned((*command.cast::<pg_sys::DropdbStmt>()).dbname),
            pg_sys::NodeTag::T_AlterDatabaseStmt => {
                let alter = &*command.cast::<pg_sys::AlterDatabaseStmt>();
                option(alter.options, c"tablespace")?;
                owned(alter.dbname)
            }
            pg_sys::NodeTag::T_RenameStmt => {
                let rename = &*command.cast::<pg_sys::RenameStmt>();
                let database = rename.renameType == pg_sys::ObjectType::OBJECT_DATABASE;
                if database && pg_sys::have_createdb_privilege() { owned(rename.subname) } else { None }
            }
            pg_sys::NodeTag::T_CreatedbStmt => {
                let options = (*command.cast::<pg_sys::CreatedbStmt>()).options;
                let template = with_engine(pg_sys::defGetString(option(options, c"template")?))?;
                let allowed = pg_sys::have_createdb_privilege() && (is_template(template) || is_owner(template));
                allowed.then_some(template)
            }
            _ => None,
        }
    }
}

unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: a list of options, or none.
    unsafe {
        let options = options.as_ref()?;
        (0..options.length as usize)
            .map(|at| (*options.elements.add(at)).ptr_value.cast::<pg_sys::DefElem>())
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}

unsafe fn owned(name: *const std::ffi::c_char) -> Option<pg_sys::Oid> {
    // SAFETY: as with_engine() and is_owner().
    unsafe { with_engine(name).filter(|database| is_owner(*database)) }
}

/// A database with an engine in it.
unsafe fn with_engine(name: *const std::ffi::c_char) -> Option<pg_sys::Oid> {
    if name.is_null() {
        return None;
    }
    // SAFETY: a C string; a missing database is InvalidOid, which the command itself reports.
    let oid = unsafe { pg_sys::get_database_oid(name, true) };
    let here = shmem::shared().slots.iter().any(|slot| oid.to_u32() != 0 && slot.database.load(SeqCst) == oid.to_u32());
    here.then_some(oid)
}

unsafe fn is_owner(database: pg_sys::Oid) -> bool {
    // SAFETY: a look at the catalog, in a transaction.
    unsafe { pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, database, pg_sys::GetUserId()) }
}

unsafe fn is_template(database: pg_sys::Oid) -> bool {
    // SAFETY: a row of pg_database, released after the look.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::DATABASEOID as i32, database.into());
        if tuple.is_null() {
            return false;
        }
        let is_template = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>()).datistemplate;
        pg_sys::ReleaseSysCache(tuple);
        is_template
    }
}

/// Runs the command without the engine of the database. The engine comes back where the database still is, whatever ends the
/// command: an error, a cancellation, or the end of this process.
pub fn without_engine(database: pg_sys::Oid, run: impl FnOnce()) {
    let argument = database.into_datum().unwrap_or(pg_sys::Datum::from(0_usize));
    // SAFETY: the callback is a function of this library; it is taken back below.
    unsafe { pg_sys::before_shmem_exit(Some(at_exit), argument) };
    PgTryBuilder::new(std::panic::AssertUnwindSafe(|| {
        send_away(database);
        run();
    }))
    .finally(move || {
        // SAFETY: the one that was registered last.
        unsafe { pg_sys::cancel_before_shmem_exit(Some(at_exit), argument) };
        call_back(database);
    })
    .execute();
}

#[pg_guard]
unsafe extern "C-unwind" fn at_exit(_code: std::ffi::c_int, database: pg_sys::Datum) {
    call_back(pg_sys::Oid::from(database.value() as u32));
}

/// Ends the engine of the database and waits until it is gone. It stops in the middle of nothing: what is in flight is sent again.
fn send_away(database: pg_sys::Oid) {
    let Some(slot) = shmem::slot(database) else { return };
    slot.wanted.store(shmem::UNWANTED, SeqCst);
    let end = Instant::now() + Duration::from_secs(5);
    while let Some(pid) = slot.engine.pid() {
        // SAFETY: the pid is that of our own engine, as it says in shared memory.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        if Instant::now() > end {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
        check_for_interrupts!();
    }
}

fn call_back(database: pg_sys::Oid) {
    if let Some(slot) = shmem::slot(database) {
        slot.wanted.store(shmem::WANTED, SeqCst);
        launcher::call();
    }
}
