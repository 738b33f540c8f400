//! Room 00: clock, wake, the engine's slot.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::prelude::*;

use crate::engine::clock;
use crate::error::raise;
use crate::pg::door;
use crate::{guc, shmem, wake};

#[pg_extern(sql = false)]
fn caller() -> pg_sys::Oid {
    door::caller().unwrap_or_else(|| {
        raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "no verb of pg_frontdesk is running",
            Some("frontdesk_internal.caller() is the role that called one, for the verb itself to ask.".into()),
            None,
        )
    })
}

#[pg_extern(sql = false)]
fn clock_now() -> TimestampWithTimeZone {
    clock::timestamp(clock::now())
}

#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pg_extern(sql = false)]
fn wake_engine(reboot: Option<bool>) {
    if reboot == Some(true) {
        wake::reboot_at_commit();
    } else {
        wake::at_commit();
    }
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn engine_slot() -> TableIterator<
    'static,
    (
        name!(pid, Option<i32>),
        name!(launcher_pid, Option<i32>),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(in_flight, i64),
        name!(queued, i64),
        name!(delivered, i64),
        name!(failed, i64),
        name!(max_connections, i64),
        name!(idle, bool),
        name!(turned_at, Option<TimestampWithTimeZone>),
        name!(failing, bool),
        name!(error, Option<String>),
        name!(failed_at, Option<TimestampWithTimeZone>),
        name!(held, i64),
        name!(memory, i64),
        name!(longest_queue, i64),
        name!(longest_queue_of, Option<i64>),
        name!(has_news, bool),
    ),
> {
    let launcher = shmem::shared().launcher.pid();
    TableIterator::new(shmem::my_slot().into_iter().map(move |slot| {
        let pid = slot.engine.pid();
        (
            pid,
            launcher,
            pid.map(|_| clock::timestamp(slot.started_at.load(SeqCst))),
            slot.in_flight.load(SeqCst) as i64,
            slot.queued.load(SeqCst) as i64,
            slot.delivered.load(SeqCst) as i64,
            slot.failed.load(SeqCst) as i64,
            slot.max_connections.load(SeqCst) as i64,
            pid.is_some() && slot.idle.load(SeqCst) == 1 && slot.pending.load(SeqCst) == 0,
            moment(slot.health.turned_at.load(SeqCst)).filter(|_| pid.is_some()),
            pid.is_some() && slot.health.failing.load(SeqCst) == 1,
            slot.health.error(),
            moment(slot.health.failed_at.load(SeqCst)),
            slot.health.held.load(SeqCst) as i64,
            guc::engine_memory_bytes() as i64,
            slot.health.longest_queue.load(SeqCst) as i64,
            Some(slot.health.longest_queue_of.load(SeqCst)).filter(|_| slot.health.longest_queue.load(SeqCst) > 0),
            slot.pending.load(SeqCst) != 0,
        )
    }))
}

/// 0: never.
fn moment(micros: i64) -> Option<TimestampWithTimeZone> {
    (micros != 0).then(|| clock::timestamp(micros))
}
