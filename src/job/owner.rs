//! A query with the rights of a table's owner: casts and functions of that table must not run as the superuser the engine is.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::pg::role::as_role;

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
