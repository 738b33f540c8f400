//! Queries with the rights of a table's owner: casts and functions of that table must not run with the extension's.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::SpiResult;

use crate::error::worked;
use crate::pg::role::as_role;

/// Rows read at once.
const ROWS: i64 = 5000;

/// The first column of the query, whose arguments are keys and moments.
pub fn texts_as(
    role: pg_sys::Oid,
    query: &str,
    keys: Vec<Option<String>>,
    moments: Vec<Option<TimestampWithTimeZone>>,
) -> Vec<String> {
    let args: [DatumWithOid; 2] = [keys.into(), moments.into()];
    let rows = as_role(role, || {
        Spi::connect_mut(|client| {
            client.update(query, None, &args)?.filter_map(|row| row.get::<String>(1).transpose()).collect()
        })
    });
    worked(rows)
}

/// Hands on what a query gives, keys and moments, so many rows at a time; returns how many there were. What is handed to acts
/// with the rights of the caller.
pub fn each_as(
    role: pg_sys::Oid,
    query: &str,
    mut put: impl FnMut(Vec<Option<String>>, Vec<Option<TimestampWithTimeZone>>) -> SpiResult<()>,
) -> i64 {
    let mut count = 0;
    worked(Spi::connect_mut(|client| {
        let mut cursor = as_role(role, || client.try_open_cursor_mut(query, &[]))?;
        loop {
            let (keys, moments): (Vec<_>, Vec<_>) = as_role(role, || {
                let rows = cursor.fetch(ROWS)?;
                rows.map(|row| Ok((row.get(1)?, row.get(2)?))).collect::<SpiResult<Vec<_>>>()
            })?
            .into_iter()
            .unzip();
            if keys.is_empty() {
                return Ok(());
            }
            count += keys.len() as i64;
            put(keys, moments)?;
        }
    }));
    count
}
