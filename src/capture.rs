//! The trigger function: a row change becomes an event, in the user's transaction. What can be wrong about a watch was
//! found when it was declared, so that nothing about a row's content raises here.

mod canonical;
mod event;
mod extent;
mod fit;
mod jsonb;
mod moved;
mod normalize;
mod row;
mod score;
mod timer;
mod watch;

use pgrx::pg_sys;
use pgrx::prelude::*;

use canonical::Spelling;
use event::{Event, append};
use row::Row;
pub use score::models;
use watch::Watch;

use crate::error::raise;
use crate::{guc, wake};

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_capture() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk_internal.capture()`: an AFTER trigger, for each row or for each TRUNCATE, whose argument is the watch as JSON.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_capture(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: fcinfo is valid for this call; its context is a TriggerData when called as a trigger.
    unsafe {
        if !pgrx::trigger_support::called_as_trigger(fcinfo) {
            raise(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "frontdesk_internal.capture() is a trigger function",
                None,
                Some("Call frontdesk.watch('your_table'); it makes the trigger.".into()),
            );
        }
        capture(&*(*fcinfo).context.cast::<pg_sys::TriggerData>());
        // A trigger returns a null pointer, not NULL; what an AFTER trigger returns is ignored.
        (*fcinfo).isnull = false;
        pg_sys::Datum::from(0_usize)
    }
}

/// The row that is about to be written, as a trigger function of this schema gets it.
///
/// # Safety
/// `fcinfo` is that of the call. Its context is a TriggerData when called as a trigger, whose relation and tuples are valid
/// while it runs.
unsafe fn row_before<'a>(fcinfo: pg_sys::FunctionCallInfo, name: &str, hint: &str) -> (&'a pg_sys::TriggerData, Row) {
    // SAFETY: as promised by the caller.
    unsafe {
        let trigger = (*fcinfo).context.cast::<pg_sys::TriggerData>();
        let event = || (*trigger).tg_event;
        if !pgrx::trigger_support::called_as_trigger(fcinfo)
            || event() & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_BEFORE
            || event() & pg_sys::TRIGGER_EVENT_ROW == 0
            || event() & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_DELETE
        {
            raise(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                format!("frontdesk_internal.{name}() is a function of BEFORE INSERT OR UPDATE triggers, for each row"),
                None,
                Some(hint.into()),
            );
        }
        let tuple = match event() & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => (*trigger).tg_trigtuple,
            _ => (*trigger).tg_newtuple,
        };
        (&*trigger, Row::new(tuple, (*(*trigger).tg_relation).rd_att))
    }
}

/// Fired after the change of each row, or after a TRUNCATE, which alone comes without a row.
fn is_after(event: pg_sys::TriggerEvent) -> bool {
    event & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_AFTER
        && (event & pg_sys::TRIGGER_EVENT_ROW != 0)
            == (event & pg_sys::TRIGGER_EVENT_OPMASK != pg_sys::TRIGGER_EVENT_TRUNCATE)
}

/// # Safety
/// `trigger` is what PostgreSQL passed to a trigger function.
unsafe fn capture(trigger: &pg_sys::TriggerData) {
    let event = trigger.tg_event;
    if !is_after(event) {
        raise(
            PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            "frontdesk_internal.capture() is a function of AFTER triggers, for each row or for TRUNCATE",
            None,
            Some("Call frontdesk.watch(); it makes the trigger.".into()),
        );
    }
    // SAFETY: the relation and the tuples are valid while the trigger runs; which of them are there is said by tg_event.
    unsafe {
        let watch = Watch::of(trigger);
        let row = |tuple| Row::new(tuple, (*trigger.tg_relation).rd_att);
        let moved = moved::came_from(trigger, watch.origin);
        match event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => match moved {
                Some(old) => record(&watch, 'U', row(trigger.tg_trigtuple), Some(old)),
                None => record(&watch, 'I', row(trigger.tg_trigtuple), None),
            },
            pg_sys::TRIGGER_EVENT_DELETE => {
                let same = watch.clone();
                if !moved::leaves(trigger, watch.origin, move |row| record(&same, 'D', row, None)) {
                    record(&watch, 'D', row(trigger.tg_trigtuple), None);
                }
            }
            pg_sys::TRIGGER_EVENT_UPDATE => {
                record(&watch, 'U', row(trigger.tg_newtuple), Some(row(trigger.tg_trigtuple)))
            }
            _ => {
                append(&Event {
                    op: 'T',
                    kind: &format!("{}.truncated", watch.entity),
                    source: Some(&watch.source),
                    ..Event::default()
                });
                wake::for_events_at_commit();
            }
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_frontdesk_record_event() -> *const pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// `frontdesk_internal.record_event(type text, op "char", record jsonb, key text, tenant uuid, target bigint)`: an event that is no
/// row change. The record is kept as it is, not parsed and printed anew.
///
/// # Safety
/// Called by PostgreSQL's function manager with arguments of these types.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn frontdesk_record_event(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: as said above.
    unsafe {
        // A user is told what it was that needs to write; nextval() is not what they called.
        pg_sys::PreventCommandIfReadOnly(c"recording an event".as_ptr());
        let key = pgrx::pg_getarg::<String>(fcinfo, 3);
        let record = pgrx::pg_getarg_datum(fcinfo, 2);
        let most = guc::max_record_bytes().max(guc::max_payload_bytes());
        if record.is_some_and(|record| extent::Room(most).take_value(record, pg_sys::JSONBOID).is_err()) {
            raise(
                PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                "the data of the event is too large",
                Some(format!("It is more than {} kB, as jsonb or as text.", most / 1024)),
                Some("Send a reference to it instead; or raise frontdesk.max_record_kb.".into()),
            );
        }
        let op = char::from(pgrx::pg_getarg::<i8>(fcinfo, 1).unwrap_or_default() as u8);
        let target = pgrx::pg_getarg(fcinfo, 5);
        let id = append(&Event {
            op,
            kind: &pgrx::pg_getarg::<String>(fcinfo, 0).unwrap_or_default(),
            source: None,
            key: key.as_deref(),
            tenant: pgrx::pg_getarg_datum(fcinfo, 4),
            target,
            record,
            old_record: None,
        });
        if matches!(op, 'H' | 'S') || target.is_some() {
            wake::for_requests_at_commit();
        } else {
            wake::for_events_at_commit();
        }
        id.into()
    }
}

/// `row` is the row after the change, before it for a delete; `old` the row before an update.
unsafe fn record(watch: &Watch, op: char, row: Row, old: Option<Row>) {
    if !watch.operations.contains(op) {
        return;
    }
    // SAFETY: rows are of the watched relation, whose columns the watch was resolved against.
    unsafe {
        if let Some(old) = &old
            && !watch.columns.is_empty()
            && row.same_in(old, &watch.columns)
        {
            return;
        }
        let spelling = Spelling::enter(watch.needs);
        let (new, before) = (watch.fit.fitted(row), old.map(|old| watch.fit.fitted(old)));
        let before = before.as_ref();
        if let Some((condition, whole)) = &watch.condition
            && !condition.matches(&document(op, whole.write_fitted(&new), before.map(|old| whole.write_fitted(old))))
        {
            return spelling.leave();
        }
        let kind = match (op, &old, watch.state) {
            ('U', Some(old), Some(state)) if !row.same(old, state) => watch.state_type(row.text(state).as_deref()),
            ('I', ..) => watch.created.clone(),
            ('D', ..) => watch.deleted.clone(),
            _ => watch.updated.clone(),
        };
        append(&Event {
            op,
            kind: &kind,
            source: Some(&watch.source),
            key: row.key(&watch.key).as_deref(),
            tenant: watch.tenant.and_then(|tenant| row.datum(tenant)),
            target: None,
            record: watch.record.as_ref().map(|record| record.write_fitted(&new)),
            old_record: watch.record.as_ref().zip(before).map(|(record, old)| record.write_fitted(old)),
        });
        spelling.leave();
    }
    wake::for_events_at_commit();
}

/// What a condition sees: `{"op", "new", "old"}`.
unsafe fn document(op: char, record: pg_sys::Datum, old: Option<pg_sys::Datum>) -> serde_json::Value {
    // SAFETY: both are jsonb.
    let (record, old) = unsafe { (row::to_value(record), old.map(|old| row::to_value(old)).unwrap_or_default()) };
    match op {
        'I' => serde_json::json!({ "op": "insert", "new": record, "old": null }),
        'D' => serde_json::json!({ "op": "delete", "new": null, "old": record }),
        _ => serde_json::json!({ "op": "update", "new": record, "old": old }),
    }
}
