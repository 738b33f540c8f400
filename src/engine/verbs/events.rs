//! Reading events: from the log, and from the retry table.

use pgrx::prelude::*;
use pgrx::spi::{SpiHeapTupleData, SpiResult};

use super::super::clock::timestamp;
use super::super::event::Event;
use super::super::lane::Mark;
use super::super::transaction::{Session, Xid8};
use super::{number, text, time, xid};
use crate::pg::record::{Record, Short};

/// Bytes of events read at once, besides the last one.
const BYTES: usize = 16 << 20;

/// Events read together.
pub struct Batch {
    pub events: Vec<Event>,
    /// There is nothing behind them.
    pub complete: bool,
}

pub fn read(session: &mut Session, mark: &Mark, limit: i32) -> SpiResult<Batch> {
    let Some(current) = &mark.current else { return Ok(Batch { events: Vec::new(), complete: true }) };
    let args = [
        mark.last.text().into(),
        current.text().into(),
        Xid8(mark.xid).into(),
        mark.id.into(),
        timestamp(mark.since).into(),
        timestamp(session.end("event")).into(),
        limit.into(),
    ];
    let rows = session.call("engine_read", &args)?;
    let few = rows.len() < limit as usize;
    let (events, whole) = within(rows, event)?;
    Ok(Batch { events, complete: few && whole })
}

/// These events, in this order, as far as they fit into a batch: `complete` says whether all did.
pub fn events(session: &mut Session, wanted: &[(i64, u64, i64)]) -> SpiResult<Batch> {
    let ids: Vec<i64> = wanted.iter().map(|(id, ..)| *id).collect();
    let xids: Vec<Xid8> = wanted.iter().map(|(_, xid, _)| Xid8(*xid)).collect();
    let times: Vec<TimestampWithTimeZone> = wanted.iter().map(|(.., at)| timestamp(*at)).collect();
    let rows = session.call("engine_events", &[ids.into(), xids.into(), times.into()])?;
    let (events, complete) = within(rows, event)?;
    Ok(Batch { events, complete })
}

/// A retry that is due.
pub struct Due {
    /// None where the event's day was dropped.
    pub event: Option<Event>,
    pub event_id: i64,
    pub endpoint: i64,
    /// Attempts made already.
    pub attempts: i32,
}

/// What is due, without what `is_loaded`; and whether that is all.
pub fn due(
    session: &mut Session,
    ready: Vec<i64>,
    now: i64,
    limit: i32,
    is_loaded: impl Fn(i64, i64) -> bool,
) -> SpiResult<(Vec<Due>, bool)> {
    let rows = session.call("engine_due", &[ready.into(), timestamp(now).into(), limit.into()])?;
    let few = rows.len() < limit as usize;
    let (mut due, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let (event_id, endpoint) = (number(&row, 1)?, number(&row, 13)?);
        if is_loaded(event_id, endpoint) {
            continue;
        }
        if bytes >= BYTES {
            return Ok((due, false));
        }
        let there = row.get::<i8>(4)?.is_some();
        let event = if there { Some(event(&row)?) } else { None };
        bytes += event.as_ref().map_or(0, Event::bytes);
        due.push(Due { event, event_id, endpoint, attempts: row.get(14)?.unwrap_or(0) });
    }
    Ok((due, few))
}

/// The first rows whose events fit into a batch; and whether those are all.
fn within<'conn>(
    rows: impl Iterator<Item = SpiHeapTupleData<'conn>>,
    event: impl Fn(&SpiHeapTupleData) -> SpiResult<Event>,
) -> SpiResult<(Vec<Event>, bool)> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for row in rows {
        if bytes >= BYTES {
            return Ok((events, false));
        }
        let event = event(&row)?;
        bytes += event.bytes();
        events.push(event);
    }
    Ok((events, true))
}

fn event(row: &SpiHeapTupleData) -> SpiResult<Event> {
    let mut unread = None;
    let mut short = |column| -> SpiResult<Option<String>> {
        match row.get::<Short>(column)? {
            Some(Short(Ok(text))) => Ok(Some(text)),
            Some(Short(Err(reason))) => {
                unread = Some(reason);
                Ok(None)
            }
            None => Ok(None),
        }
    };
    let (source, key) = (short(7)?, short(8)?);
    let mut record = |column| -> SpiResult<Option<String>> {
        if unread.is_some() {
            return Ok(None);
        }
        match row.get::<Record>(column)? {
            Some(Record(Ok(text))) => Ok(Some(text)),
            Some(Record(Err(reason))) => {
                unread = Some(reason);
                Ok(None)
            }
            None => Ok(None),
        }
    };
    let (record, old_record) = (record(11)?, record(12)?);
    Ok(Event {
        id: number(row, 1)?,
        xid: xid(row, 2)?,
        created_at: time(row, 3)?,
        op: char::from(row.get::<i8>(4)?.unwrap_or_default() as u8),
        depth: row.get(5)?.unwrap_or_default(),
        kind: text(row, 6)?,
        source,
        key,
        tenant: row.get(9)?,
        target: row.get(10)?,
        record,
        old_record,
        unread,
        ..Event::default()
    }
    .weighed())
}
