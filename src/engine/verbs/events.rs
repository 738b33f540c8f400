//! Reading events: from the log, and from the retry table.

use delivery::{Ask, Cursor, DueRow, Event, Op, Place, Read};
use pgrx::prelude::*;
use pgrx::spi::{SpiHeapTupleData, SpiResult};

use super::super::clock::timestamp;
use super::super::transaction::{Session, Xid8};
use super::{number, text, time, xid};
use crate::pg::record::{Record, Short};

/// Events, in order; and whether there is nothing behind them.
type Found = (Vec<Event>, bool);

/// The next events of the cursor's window.
pub fn read(session: &mut Session, from: &Cursor, limit: i32) -> SpiResult<Found> {
    let Some(current) = &from.current else { return Ok((Vec::new(), true)) };
    let args = [
        from.last.text().into(),
        current.text().into(),
        Xid8(from.xid).into(),
        from.id.into(),
        timestamp(from.since).into(),
        timestamp(session.end("event")).into(),
        limit.into(),
    ];
    let rows = session.call("engine_read", &args)?;
    let few = rows.len() < limit as usize;
    let (events, whole) = within(rows, event)?;
    Ok((events, few && whole))
}

/// These events, in this order, as far as they fit into a batch.
pub fn events(session: &mut Session, wanted: &[Place]) -> SpiResult<Found> {
    let ids: Vec<i64> = wanted.iter().map(|(id, ..)| *id).collect();
    let xids: Vec<Xid8> = wanted.iter().map(|(_, xid, _)| Xid8(*xid)).collect();
    let times: Vec<TimestampWithTimeZone> = wanted.iter().map(|(.., at)| timestamp(*at)).collect();
    let rows = session.call("engine_events", &[ids.into(), xids.into(), times.into()])?;
    within(rows, event)
}

/// What is due, without what `is_loaded`; and whether that is all.
pub fn due(session: &mut Session, ask: &Ask, is_loaded: impl Fn(i64, i64) -> bool) -> SpiResult<(Vec<DueRow>, bool)> {
    let limit = i32::try_from(ask.limit).unwrap_or(i32::MAX);
    let ready = ask.endpoints.clone();
    let rows = session.call("engine_due", &[ready.into(), timestamp(ask.clock).into(), limit.into()])?;
    let few = rows.len() < limit as usize;
    let (mut due, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let (event_id, endpoint) = (number(&row, 1)?, number(&row, 13)?);
        if is_loaded(event_id, endpoint) {
            continue;
        }
        if bytes >= Read::BYTES {
            return Ok((due, false));
        }
        let there = row.get::<i8>(4)?.is_some();
        let event = if there { Some(event(&row)?) } else { None };
        bytes += event.as_ref().map_or(0, Event::bytes);
        due.push(DueRow { event, event_id, endpoint, attempts: row.get(14)?.unwrap_or(0) });
    }
    Ok((due, few))
}

/// The first rows whose events fit into a batch; and whether those are all.
fn within<'conn>(
    rows: impl Iterator<Item = SpiHeapTupleData<'conn>>,
    event: impl Fn(&SpiHeapTupleData) -> SpiResult<Event>,
) -> SpiResult<Found> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for row in rows {
        if bytes >= Read::BYTES {
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
        op: Op::from_letter(row.get::<i8>(4)?.unwrap_or_default() as u8),
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
    })
}
