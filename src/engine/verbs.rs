//! Every SQL call that the engine makes, by function name: sql/functions/25_engine.sql.

mod attempts;
mod events;
pub mod schedule;

pub use attempts::attempts;
pub use events::{due, events, read};

use std::collections::BTreeMap;
use std::rc::Rc;

use delivery::{Again, Ask, Condition, Cursor, Dead, Place, Report, Save, Snapshot, Window};
use pgrx::prelude::*;
use pgrx::spi::{Spi, SpiHeapTupleData, SpiResult};
use serde_json::json;

use super::clock::{rfc3339, timestamp};
use super::transaction::{Session, Xid8};

/// Of the installation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Paused,
    Stopped,
}

impl State {
    fn of(word: &str) -> State {
        match word {
            "running" => State::Running,
            "stopped" => State::Stopped,
            _ => State::Paused,
        }
    }
}

pub struct Boot {
    pub installation: pgrx::Uuid,
    pub state: State,
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
        state: State::of(&text(&row, 2)?),
        silent: row.get(3)?.unwrap_or(true),
        config_version: number(&row, 4)?,
        extension_version: text(&row, 5)?,
    }))
}

/// Endpoint, and its place in the log.
pub fn cursors(session: &mut Session) -> SpiResult<Vec<(i64, Cursor)>> {
    let rows = session.call("engine_cursors", &[])?;
    rows.map(|row| {
        let current: Option<String> = row.get(3)?;
        let cursor = Cursor {
            current: current.map(|current| snapshot(&current)).transpose()?.map(Rc::new),
            xid: xid(&row, 4)?,
            id: number(&row, 5)?,
            ..Cursor::new(Rc::new(snapshot(&text(&row, 2)?)?), time(&row, 6)?)
        };
        Ok((number(&row, 1)?, cursor))
    })
    .collect()
}

fn snapshot(text: &str) -> SpiResult<Snapshot> {
    Snapshot::parse(text).ok_or(pgrx::spi::Error::InvalidPosition)
}

/// Asked of the catalog, because without the extension there is no function to ask.
pub fn is_installed() -> SpiResult<bool> {
    let there = Spi::get_one("select exists (select from pg_extension where extname = 'pg_frontdesk')")?;
    Ok(there.unwrap_or(false))
}

pub fn window(session: &mut Session) -> SpiResult<Window> {
    let row = session.call("engine_window", &[])?.next().ok_or(pgrx::spi::Error::InvalidPosition)?;
    Ok(Window { snapshot: snapshot(&text(&row, 1)?)?, at: time(&row, 2)?, version: number(&row, 3)? })
}

pub fn prepared(session: &mut Session) -> SpiResult<bool> {
    let row = session.call("engine_prepared", &[])?.next();
    Ok(row.map(|row| row.get(1)).transpose()?.flatten().unwrap_or(false))
}

/// The endpoints' settings as JSON.
pub fn settings(session: &mut Session) -> SpiResult<Vec<String>> {
    session.call("endpoint_settings", &[])?.map(|row| text(&row, 1)).collect()
}

/// The window's events behind `from.id`, in order of ids.
pub fn list(session: &mut Session, from: &Cursor, limit: i32) -> SpiResult<Vec<Place>> {
    let Some(current) = &from.current else { return Ok(Vec::new()) };
    let args = [
        from.last.text().into(),
        current.text().into(),
        from.id.into(),
        timestamp(from.since).into(),
        timestamp(session.end("event")).into(),
        limit.into(),
    ];
    session.call("engine_list", &args)?.map(|row| Ok((number(&row, 1)?, xid(&row, 2)?, time(&row, 3)?))).collect()
}

/// Of these events, the (event, endpoint) pairs that were attempted.
pub fn settled(session: &mut Session, ids: Vec<i64>) -> SpiResult<Vec<(i64, i64)>> {
    session.call("engine_settled", &[ids.into()])?.map(|row| Ok((number(&row, 1)?, number(&row, 2)?))).collect()
}

/// When the next retry is due that is not due yet.
pub fn next_due(session: &mut Session, ask: &Ask) -> SpiResult<Option<i64>> {
    let mut rows = session.call("engine_next_due", &[ask.endpoints.clone().into(), timestamp(ask.clock).into()])?;
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

pub fn retry(session: &mut Session, again: &[Again]) -> SpiResult<()> {
    if again.is_empty() {
        return Ok(());
    }
    let args = [
        column(again, |a| a.event.id).into(),
        column(again, |a| a.endpoint).into(),
        column(again, |a| Xid8(a.event.xid)).into(),
        column(again, |a| timestamp(a.event.created_at)).into(),
        column(again, |a| a.attempts).into(),
        column(again, |a| timestamp(a.due_at)).into(),
        column(again, |a| a.key.as_deref()).into(),
        column(again, |a| a.reason.as_ref()).into(),
    ];
    session.call("engine_retry", &args).map(|_| ())
}

pub fn done(session: &mut Session, done: &[(i64, i64)]) -> SpiResult<()> {
    if done.is_empty() {
        return Ok(());
    }
    session.call("engine_done", &[column(done, |d| d.0).into(), column(done, |d| d.1).into()]).map(|_| ())
}

pub fn dead(session: &mut Session, dead: &[Dead]) -> SpiResult<()> {
    if dead.is_empty() {
        return Ok(());
    }
    let args = [
        column(dead, |d| d.event.id).into(),
        column(dead, |d| d.endpoint).into(),
        column(dead, |d| Xid8(d.event.xid)).into(),
        column(dead, |d| timestamp(d.event.created_at)).into(),
        column(dead, |d| d.attempts).into(),
        column(dead, |d| d.reason.as_str()).into(),
    ];
    session.call("engine_dead", &args).map(|_| ())
}

pub fn health(session: &mut Session, health: &BTreeMap<i64, Condition>) -> SpiResult<()> {
    if health.is_empty() {
        return Ok(());
    }
    let of: Vec<(i64, Condition)> = health.iter().map(|(id, condition)| (*id, *condition)).collect();
    let args = [
        column(&of, |(id, _)| *id).into(),
        column(&of, |(_, condition)| condition.failures).into(),
        column(&of, |(_, condition)| condition.failing_since.map(timestamp)).into(),
        column(&of, |(_, condition)| condition.open_until.map(timestamp)).into(),
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

pub fn report(session: &mut Session, endpoint: i64, report: &Report) -> SpiResult<()> {
    let (kind, details) = match report {
        Report::Failing { reason, since } => {
            ("endpoint.failing", json!({ "reason": reason, "failing_since": rfc3339(*since) }))
        }
        Report::Recovered { since } => ("endpoint.recovered", json!({ "failing_since": rfc3339(*since) })),
        Report::Disabled { reason } => ("endpoint.disabled", json!({ "reason": reason })),
    };
    session.call("engine_report", &[endpoint.into(), kind.into(), details.to_string().into()]).map(|_| ())
}

pub fn save_cursors(session: &mut Session, save: &Save) -> SpiResult<()> {
    let cursors = &save.cursors;
    let args = [
        column(cursors, |(endpoint, _)| *endpoint).into(),
        column(cursors, |(_, cursor)| cursor.last.text()).into(),
        column(cursors, |(_, cursor)| cursor.current.as_ref().map(|current| current.text())).into(),
        column(cursors, |(_, cursor)| Xid8(cursor.xid)).into(),
        column(cursors, |(_, cursor)| cursor.id).into(),
        column(cursors, |(_, cursor)| timestamp(cursor.since)).into(),
        save.dropped.clone().into(),
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
