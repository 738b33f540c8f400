//! A query with the rights of a table's owner: casts and functions of that table must not run as the superuser the engine is.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

/// The first column of the query, whose arguments are keys and moments.
pub fn query_as(
    role: pg_sys::Oid,
    query: &str,
    keys: Vec<String>,
    moments: Vec<TimestampWithTimeZone>,
) -> Vec<pgrx::JsonB> {
    let args: [DatumWithOid; 2] = [keys.into(), moments.into()];
    let rows = as_role(role, || {
        Spi::connect_mut(|client| {
            client
                .update(query, None, &args)?
                .filter_map(|row| row.get::<pgrx::JsonB>(1).transpose())
                .collect::<Result<Vec<pgrx::JsonB>, pgrx::spi::Error>>()
        })
    });
    rows.unwrap_or_else(|error| error!("{error}"))
}

/// Runs `body` with the rights of a role, and with no more than them.
pub fn as_role<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: restored below; an error aborts the (sub)transaction, which restores it too.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restricted = (pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION) as i32;
        pg_sys::SetUserIdAndSecContext(role, context | restricted);
    }
    let result = body();
    // SAFETY: as it was.
    unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
    result
}
