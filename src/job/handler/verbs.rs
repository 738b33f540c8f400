//! The verbs of room 25: sql/functions/25_handler.sql. They run with the rights of the extension's owner.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiResult, SpiTupleTable};

use super::order::Item;
use crate::log::{self, ATTEMPT_COLUMNS};

thread_local! {
    static STATEMENTS: RefCell<HashMap<&'static str, OwnedPreparedStatement>> = RefCell::default();
}

/// How a handler is to be called.
pub struct Begun {
    pub function: pg_sys::Oid,
    pub takes_many: bool,
    pub batch: usize,
    pub timeout: Duration,
    /// Why it cannot be.
    pub trouble: Option<String>,
}

/// Runs a query that is prepared once.
fn call<T>(
    query: &'static str,
    args: &[DatumWithOid],
    read: impl FnOnce(SpiTupleTable) -> SpiResult<T>,
) -> SpiResult<T> {
    Spi::connect_mut(|client| {
        if !STATEMENTS.with_borrow(|statements| statements.contains_key(query)) {
            let types: Vec<pg_sys::PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
            let statement = client.prepare_mut(query, &types)?.keep();
            STATEMENTS.with_borrow_mut(|statements| statements.insert(query, statement));
        }
        let rows = STATEMENTS.with_borrow(|statements| match statements.get(query) {
            // Not update(), which would take a transaction id for those too that only read.
            Some(statement) => client.select(statement, None, args),
            None => Err(pgrx::spi::Error::InvalidPosition),
        })?;
        read(rows)
    })
}

/// Whether neither the role nor the database says how commits are made.
pub fn commits_by_default() -> SpiResult<bool> {
    let query = "select s.source not in ('database', 'user', 'database user', 'command line')
      from pg_catalog.pg_settings s where s.name = 'synchronous_commit'";
    Ok(Spi::get_one(query)?.unwrap_or(false))
}

/// None: there is no such handler of this role any more.
pub fn begin(handler: i64, role: u32) -> SpiResult<Option<Begun>> {
    let args = [handler.into(), pg_sys::Oid::from(role).into()];
    call("select * from frontdesk_internal.handler_begin($1, $2)", &args, |mut rows| {
        let Some(row) = rows.next() else { return Ok(None) };
        let Some(batch) = row.get::<i32>(3)? else { return Ok(None) };
        Ok(Some(Begun {
            function: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
            takes_many: row.get(2)?.unwrap_or(false),
            batch: usize::try_from(batch).unwrap_or(1),
            timeout: Duration::from_millis(row.get::<i32>(4)?.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)),
            trouble: row.get(5)?,
        }))
    })
}

/// These events as an array, which lives as long as the transaction; None: they are gone.
pub fn events(items: &[Item]) -> SpiResult<Option<pg_sys::Datum>> {
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    let xids: Vec<String> = items.iter().map(|item| item.xid.to_string()).collect();
    let moments: Vec<TimestampWithTimeZone> = items.iter().filter_map(|item| item.created_at.try_into().ok()).collect();
    let args = [ids.into(), format!("{{{}}}", xids.join(",")).into(), moments.into()];
    call("select frontdesk_internal.handler_events($1, $2, $3)", &args, |mut rows| {
        let row = rows.next();
        Ok(row.map(|row| row.get::<Events>(1)).transpose()?.flatten().map(|events| events.0))
    })
}

/// That these events were handled.
pub fn record(handler: i64, items: &[Item], started_at: i64, took: Duration) {
    let share = took.as_secs_f32() * 1000.0 / items.len().max(1) as f32;
    let row = |item: &Item| {
        [
            item.id.into_datum(),
            handler.into_datum(),
            (item.attempts + 1).into_datum(),
            Some(pg_sys::Datum::from(started_at)),
            share.into_datum(),
            true.into_datum(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    // SAFETY: in a transaction; the values are of the columns, in their order.
    unsafe { log::append("attempt_success", "attempt_id_seq", &ATTEMPT_COLUMNS, &rows) };
}

/// Those that have a row in the retry table need none any more.
pub fn done(handler: i64, items: &[Item]) -> SpiResult<()> {
    let ids: Vec<i64> = items.iter().filter(|item| item.row).map(|item| item.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    call("select frontdesk_internal.handler_done($1, $2)", &[handler.into(), ids.into()], |_| Ok(()))
}

/// An array of events, of which SPI's memory has the original.
struct Events(pg_sys::Datum);

impl FromDatum for Events {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Events> {
        // SAFETY: an array, as the verb is declared; the copy goes with the transaction.
        (!is_null).then(|| unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
            pg_sys::MemoryContextSwitchTo(before);
            Events(pg_sys::Datum::from(copy))
        })
    }
}

impl IntoDatum for Events {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::ANYARRAYOID
    }

    fn is_compatible_with(_: pg_sys::Oid) -> bool {
        true
    }
}
