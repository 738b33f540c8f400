//! The one way to another role: with its rights and no more, under a search_path that nobody can plant anything in, and with
//! nothing left of it afterwards, however it ends.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::error::raise;

/// Runs `body` with the rights of a role whose own code may run in it, as REFRESH MATERIALIZED VIEW does: neither the role nor a
/// setting, cursor, temporary table or deferred trigger made in it outlives it.
pub fn as_role<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    run(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION, body)
}

/// Runs `body`, a script of ours over tables of that role, with its rights. Constraints of them may be deferred, so `body` sees to
/// it that none is left to be checked with the rights of the caller.
pub fn as_installer<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    run(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE, body)
}

/// Runs `body`, which is code of ours, with the rights of the extension's owner.
pub fn as_extension<T>(body: impl FnOnce() -> T) -> T {
    run(extension_owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE, body)
}

fn run<T>(role: pg_sys::Oid, restrictions: u32, body: impl FnOnce() -> T) -> T {
    // The server takes it for granted that a session has a user.
    if role == pg_sys::InvalidOid {
        raise(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, "role with OID 0 does not exist", None, None);
    }
    let _before = Before::switch(role, restrictions);
    body()
}

/// Who this process was, and the settings that it had. An error comes by here as a panic, before the (sub)transaction it ends
/// puts back the same; where it is caught on its way no (sub)transaction would.
struct Before {
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
}

impl Before {
    fn switch(role: pg_sys::Oid, restrictions: u32) -> Before {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: in a transaction, whose end also ends what is begun here. Should the path not be set, the error takes the
        // transaction with it.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let settings = pg_sys::NewGUCNestLevel();
            let before = Before { user, context, settings };
            pg_sys::SetUserIdAndSecContext(role, context | restrictions as i32);
            pg_sys::RestrictSearchPath();
            before
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        // SAFETY: the level was begun by switch(); a body ends no transaction. Rolling back settings raises no error.
        unsafe {
            pg_sys::AtEOXact_GUC(false, self.settings);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}

/// The owner of the extension. Raises where it is not there.
pub fn extension_owner() -> pg_sys::Oid {
    thread_local! {
        /// Of the transaction with this number.
        static KNOWN: Cell<(u32, pg_sys::Oid)> = const { Cell::new((0, pg_sys::InvalidOid)) };
    }
    // SAFETY: in a transaction, whose number in this process is not 0.
    let transaction = unsafe { (*pg_sys::MyProc).vxid.lxid };
    let (of, owner) = KNOWN.get();
    if of == transaction && of != 0 {
        return owner;
    }
    let Some(owner) = read_owner() else {
        raise(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, "extension \"pg_frontdesk\" does not exist", None, None)
    };
    KNOWN.set((transaction, owner));
    owner
}

/// Read as it lies in the catalog: a query would be parsed under the caller's search_path.
fn read_owner() -> Option<pg_sys::Oid> {
    // SAFETY: in a transaction; the columns of pg_extension are those of FormData_pg_extension, and none of them is null.
    unsafe {
        let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(pg_sys::ExtensionRelationId, share);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_NAMEEQ.into(),
            pg_sys::Datum::from(c"pg_frontdesk".as_ptr()),
        );
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::ExtensionNameIndexId.into(),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let tuple = pg_sys::systable_getnext(scan);
        let owner = (!tuple.is_null()).then(|| {
            let header = (*tuple).t_data;
            let form = header.cast::<u8>().add((*header).t_hoff.into()).cast::<pg_sys::FormData_pg_extension>();
            (*form).extowner
        });
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, share);
        owner
    }
}
