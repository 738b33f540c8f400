//! Every SQL call that the engine makes, by function name: sql/functions/25_engine.sql.

mod attempts;
mod events;
pub mod schedule;

pub use attempts::{Attempt, attempts};
pub use events::{Batch, Due, due, events, read};

use pgrx::prelude::*;
use pgrx::spi::{Spi, SpiHeapTupleData, SpiResult};

use super::clock::timestamp;
use super::event::Delivery;
use super::lane::Mark;
use super::transaction::{Session, Xid8};

pub struct Boot {
    pub installation: pgrx::Uuid,
    pub state: String,
    pub silent: bool,
    pub config_version: i64,
    pub extension_version: String,
}

pub fn boot(session: &mut Session) -> SpiResult<Option<Boot>> {
    let mut rows = session.call("engine_boot", &[])?;
    let Some(row) = rows.next() else { return Ok(None) };
    let Some(installation) = row.get(1)? else { return Ok(None) };
    Ok(Some(Boot {
        installation,
        state: text(&row, 2)?,
        silent: row.get(3)?.unwrap_or(true),
        config_version: number(&row, 4)?,
        extension_version: text(&row, 5)?,
    }))
}

/// A row of the cursor table: endpoint, snapshots as text, place, since.
pub struct Cursor {
    pub endpoint: i64,
    pub last: String,
    pub current: Option<String>,
    pub xid: u64,
    pub id: i64,
    pub since: i64,
}

pub fn cursors(session: &mut Session) -> SpiResult<Vec<Cursor>> {
    let rows = session.call("engine_cursors", &[])?;
    rows.map(|row| {
        Ok(Cursor {
            endpoint: number(&row, 1)?,
            last: text(&row, 2)?,
            current: row.get(3)?,
            xid: xid(&row, 4)?,
            id: number(&row, 5)?,
            since: time(&row, 6)?,
        })
    })
    .collect()
}

pub struct Window {
    pub snapshot: String,
    pub at: i64,
    pub config_version: i64,
}

/// Asked of the catalog, because without the extension there is no function to ask.
pub fn is_installed() -> SpiResult<bool> {
    let there = Spi::get_one("select exists (select from pg_extension where extname = 'pg_frontdesk')")?;
    Ok(there.unwrap_or(false))
}

pub fn window(session: &mut Session) -> SpiResult<Option<Window>> {
    let mut rows = session.call("engine_window", &[])?;
    let Some(row) = rows.next() else { return Ok(None) };
    Ok(Some(Window { snapshot: text(&row, 1)?, at: time(&row, 2)?, config_version: number(&row, 3)? }))
}

pub fn prepared(session: &mut Session) -> SpiResult<bool> {
    let row = session.call("engine_prepared", &[])?.next();
    Ok(row.map(|row| row.get(1)).transpose()?.flatten().unwrap_or(false))
}

/// The endpoints' settings as JSON.
pub fn settings(session: &mut Session) -> SpiResult<Vec<String>> {
    session.call("endpoint_settings", &[])?.map(|row| text(&row, 1)).collect()
}

/// The window's events behind `mark.id`, in order of ids, as (id, xid, created_at).
pub fn list(session: &mut Session, mark: &Mark, limit: i32) -> SpiResult<Vec<(i64, u64, i64)>> {
    let Some(current) = &mark.current else { return Ok(Vec::new()) };
    let args = [
        mark.last.text().into(),
        current.text().into(),
        mark.id.into(),
        timestamp(mark.since).into(),
        timestamp(session.end("event")).into(),
        limit.into(),
    ];
    session.call("engine_list", &args)?.map(|row| Ok((number(&row, 1)?, xid(&row, 2)?, time(&row, 3)?))).collect()
}

/// Of these events, the (event, endpoint) pairs that were attempted.
pub fn settled(session: &mut Session, ids: Vec<i64>) -> SpiResult<Vec<(i64, i64)>> {
    session.call("engine_settled", &[ids.into()])?.map(|row| Ok((number(&row, 1)?, number(&row, 2)?))).collect()
}

pub fn next_due(session: &mut Session, ready: Vec<i64>, now: i64) -> SpiResult<Option<i64>> {
    let mut rows = session.call("engine_next_due", &[ready.into(), timestamp(now).into()])?;
    match rows.next() {
        Some(row) => Ok(row.get::<TimestampWithTimeZone>(1)?.map(i64::from)),
        None => Ok(None),
    }
}

/// Forgets what waits for endpoints that were removed.
pub fn forget(session: &mut Session) -> SpiResult<()> {
    session.call("engine_forget", &[]).map(|_| ())
}

/// Ordered endpoints: (endpoint, key) with events in the retry table.
pub fn blocked(session: &mut Session) -> SpiResult<Vec<(i64, String)>> {
    session.call("engine_blocked", &[])?.map(|row| Ok((number(&row, 1)?, text(&row, 2)?))).collect()
}

/// Makes the next waiting event of this key due; false when none is left.
pub fn release(session: &mut Session, endpoint: i64, key: &str) -> SpiResult<bool> {
    let mut rows = session.call("engine_release", &[endpoint.into(), key.into()])?;
    Ok(match rows.next() {
        Some(row) => row.get(1)?.unwrap_or(false),
        None => false,
    })
}

/// A delivery to be tried again: attempts made, when (i64::MAX: when the event before it of its key is done), why.
pub struct Again {
    pub delivery: Delivery,
    pub attempts: i32,
    pub due_at: i64,
    pub key: Option<String>,
    pub reason: String,
}

pub fn retry(session: &mut Session, again: &[Again]) -> SpiResult<()> {
    if again.is_empty() {
        return Ok(());
    }
    let args = [
        column(again, |a| a.delivery.event.id).into(),
        column(again, |a| a.delivery.endpoint).into(),
        column(again, |a| Xid8(a.delivery.event.xid)).into(),
        column(again, |a| timestamp(a.delivery.event.created_at)).into(),
        column(again, |a| a.attempts).into(),
        column(again, |a| timestamp(a.due_at)).into(),
        column(again, |a| a.key.clone()).into(),
        column(again, |a| a.reason.clone()).into(),
    ];
    session.call("engine_retry", &args).map(|_| ())
}

pub fn done(session: &mut Session, done: &[(i64, i64)]) -> SpiResult<()> {
    if done.is_empty() {
        return Ok(());
    }
    session.call("engine_done", &[column(done, |d| d.0).into(), column(done, |d| d.1).into()]).map(|_| ())
}

/// Deliveries given up: attempts made, why.
pub struct Dead {
    pub delivery: Delivery,
    pub attempts: i32,
    pub reason: String,
}

pub fn dead(session: &mut Session, dead: &[Dead]) -> SpiResult<()> {
    if dead.is_empty() {
        return Ok(());
    }
    let args = [
        column(dead, |d| d.delivery.event.id).into(),
        column(dead, |d| d.delivery.endpoint).into(),
        column(dead, |d| Xid8(d.delivery.event.xid)).into(),
        column(dead, |d| timestamp(d.delivery.event.created_at)).into(),
        column(dead, |d| d.attempts).into(),
        column(dead, |d| d.reason.clone()).into(),
    ];
    session.call("engine_dead", &args).map(|_| ())
}

pub fn health(
    session: &mut Session,
    endpoint: i64,
    failures: i32,
    failing_since: Option<i64>,
    open_until: Option<i64>,
) -> SpiResult<()> {
    let args = [
        vec![endpoint].into(),
        vec![failures].into(),
        vec![failing_since.map(timestamp)].into(),
        vec![open_until.map(timestamp)].into(),
    ];
    session.call("engine_health", &args).map(|_| ())
}

pub fn disable(session: &mut Session, endpoint: i64, reason: &str) -> SpiResult<()> {
    session.call("engine_disable", &[endpoint.into(), reason.into()]).map(|_| ())
}

/// Why nothing is sent to an endpoint; None: nothing is wrong.
pub fn problem(session: &mut Session, endpoint: i64, reason: Option<&str>) -> SpiResult<()> {
    session.call("engine_problem", &[endpoint.into(), reason.map(str::to_owned).into()]).map(|_| ())
}

/// Emits endpoint.failing, endpoint.recovered or endpoint.disabled.
pub fn report(session: &mut Session, endpoint: i64, kind: &str, details: &serde_json::Value) -> SpiResult<()> {
    session.call("engine_report", &[endpoint.into(), kind.into(), details.to_string().into()]).map(|_| ())
}

pub fn save_cursors(session: &mut Session, marks: &[(i64, Mark)], dropped: Vec<i64>) -> SpiResult<()> {
    let args = [
        column(marks, |m| m.0).into(),
        column(marks, |m| m.1.last.text().to_owned()).into(),
        column(marks, |m| m.1.current.as_ref().map(|current| current.text().to_owned())).into(),
        column(marks, |m| Xid8(m.1.xid)).into(),
        column(marks, |m| m.1.id).into(),
        column(marks, |m| timestamp(m.1.since)).into(),
        dropped.into(),
    ];
    session.call("engine_save_cursors", &args).map(|_| ())
}

/// Makes or drops one partition: Some(true) when there may be more, None when somebody reads the log just now.
pub fn maintain_step(session: &mut Session) -> SpiResult<Option<bool>> {
    match session.call("maintain_step", &[])?.next() {
        Some(row) => row.get(1),
        None => Ok(Some(false)),
    }
}

pub fn maintain_rest(session: &mut Session) -> SpiResult<()> {
    session.call("maintain_rest", &[]).map(|_| ())
}

fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

fn text(row: &SpiHeapTupleData, column: usize) -> SpiResult<String> {
    Ok(row.get(column)?.unwrap_or_default())
}

fn number(row: &SpiHeapTupleData, column: usize) -> SpiResult<i64> {
    Ok(row.get(column)?.unwrap_or_default())
}

fn xid(row: &SpiHeapTupleData, column: usize) -> SpiResult<u64> {
    Ok(row.get::<Xid8>(column)?.map(|xid| xid.0).unwrap_or_default())
}

fn time(row: &SpiHeapTupleData, column: usize) -> SpiResult<i64> {
    Ok(row.get::<TimestampWithTimeZone>(column)?.map(i64::from).unwrap_or_default())
}
