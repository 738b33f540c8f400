//! REASSIGN OWNED and DROP OWNED see jobs too, of which the catalog knows nothing.

use pgrx::pg_sys::NodeTag;
use pgrx::prelude::*;

use super::command::{element, length};
use crate::error::worked;
use crate::pg::role;

/// Is it one of the two?
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn is_about_owners(statement: *mut pg_sys::Node) -> bool {
    // SAFETY: as promised.
    matches!(unsafe { (*statement).type_ }, NodeTag::T_ReassignOwnedStmt | NodeTag::T_DropOwnedStmt)
}

/// After such a command, which has checked that the role that gives it has the rights of both roles.
///
/// # Safety
/// As above, in the transaction of the command.
#[pg_guard]
pub unsafe extern "C-unwind" fn owners_changed(statement: *mut pg_sys::Node) {
    // SAFETY: each is cast to what its tag says.
    let (roles, owner) = unsafe {
        if pg_sys::get_extension_oid(c"pg_frontdesk".as_ptr(), true) == pg_sys::InvalidOid {
            return;
        }
        match (*statement).type_ {
            NodeTag::T_ReassignOwnedStmt => {
                let statement = statement.cast::<pg_sys::ReassignOwnedStmt>();
                (oids((*statement).roles), Some(pg_sys::get_rolespec_oid((*statement).newrole, false)))
            }
            NodeTag::T_DropOwnedStmt => (oids((*statement.cast::<pg_sys::DropOwnedStmt>()).roles), None),
            _ => return,
        }
    };
    let args = [roles.into(), owner.into()];
    worked(role::as_extension(|| Spi::run_with_args("select frontdesk_internal.jobs_owners_changed($1, $2)", &args)));
}

/// # Safety
/// A list of RoleSpec.
unsafe fn oids(roles: *mut pg_sys::List) -> Vec<pg_sys::Oid> {
    // SAFETY: as promised.
    (0..unsafe { length(roles) }).map(|n| unsafe { pg_sys::get_rolespec_oid(element(roles, n), false) }).collect()
}
