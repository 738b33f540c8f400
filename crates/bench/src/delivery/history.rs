//! Throughput with millions of delivered events in the log, all of today: the worst place for them.

use anyhow::Result;

use super::Bench;
use super::report::{Row, median, per_second, ratio};
use super::scene::Scene;
use crate::table::thousands;

const CHUNK: u64 = 1_000_000;

pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let (events, count) = (bench.count(10_000_000, CHUNK), bench.count(100_000, 20_000));
    let old = Scene::start(bench, &[], &[])?;
    let new = Scene::start(bench, &[], &[])?;
    for scene in [&old, &new] {
        scene.add_endpoint("one", "/ok/one", "")?;
        scene.drain(1_000, "/ok/one")?;
        scene.await_settled()?;
    }
    write_history(&old, events)?;
    let (mut plain, mut historic) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(3, 1) {
        plain.push(new.drain(count, "/ok/one")?.rate);
        historic.push(old.drain(count, "/ok/one")?.rate);
    }
    let ratio = ratio(&historic, &plain);
    let (plain, historic) = (median(&plain), median(&historic));
    let what = format!("backlog on {} events of history with their attempts", thousands(events as f64));
    let figure = format!("{} against {}", per_second(historic), per_second(plain));
    let row = Row::new(what, figure).share(bench.alone.share(historic)).ratio(ratio);
    Ok(vec![row.asked("0.90", ratio >= 0.9)])
}

/// Copies of a delivered event and its attempt; the engine's place in the log is moved behind them.
fn write_history(scene: &Scene, events: u64) -> Result<()> {
    scene.stop_engine()?;
    for _ in 0..events / CHUNK {
        scene.sql(&format!(
            "set synchronous_commit = off;
             insert into frontdesk.event
             select nextval('frontdesk_internal.event_id_seq'), pg_current_xact_id(), clock_timestamp(), e.op, e.depth, e.type, e.source, e.key,
               e.tenant, e.target, e.record, e.old_record, e.actor, e.user_id
             from (select * from frontdesk.event limit 1) e, generate_series(1, {CHUNK});
             insert into frontdesk_internal.attempt
             select nextval('frontdesk_internal.attempt_id_seq'), currval('frontdesk_internal.event_id_seq') - {CHUNK} + i, a.endpoint_id, a.attempt,
               clock_timestamp(), a.duration_ms, a.succeeded, a.status, a.error, a.detail, a.address, a.response, a.response_headers,
               a.response_body
             from (select * from frontdesk_internal.attempt limit 1) a, generate_series(1, {CHUNK}) i"
        ))?;
    }
    scene.sql(
        "update frontdesk_internal.cursor
         set last_snapshot = pg_current_snapshot(), current_snapshot = null, xid = '0', event_id = 0, since = clock_timestamp()
         where endpoint_id = 0;
         vacuum analyze frontdesk.event; vacuum analyze frontdesk_internal.attempt; checkpoint",
    )?;
    scene.start_engine()?;
    scene.await_settled()
}
