//! Room 85: schema crm is made with the rights of the role that owns it.

use pgrx::prelude::*;

use crate::error::raise;
use crate::ffi::{has_privileges_of, is_superuser};
use crate::pg::lock::{self, Until};
use crate::pg::role::as_installer;

#[pg_extern(sql = false)]
fn crm_lock(owner: pg_sys::Oid) {
    if !has_privileges_of(owner) {
        raise(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, "must have the rights of the owner of crm", None, None);
    }
    lock::take(b"crm ", owner.to_u32().into(), true, Until::Commit);
}

/// A superuser calls it, for a role that is none: the script must not get back to the caller's rights.
#[pg_extern(sql = false)]
fn run_script(role: pg_sys::Oid, script: &str) {
    if !is_superuser() {
        raise(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "run_script() is part of install_crm()",
            None,
            Some("Call frontdesk.install_crm() as a superuser, or as the role that is to own schema crm.".into()),
        );
    }
    as_installer(role, || {
        Spi::connect_mut(|client| {
            client.update(script, None, &[])?;
            // What is checked at the end of the transaction would be checked with the rights of the caller.
            client.update("set constraints all immediate", None, &[]).map(|_| ())
        })
    })
    .unwrap_or_else(|error| error!("{error}"));
}
