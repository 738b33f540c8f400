//! Chaos: processes are killed under a mixed load while others reindex, rewrite, publish and alter. What a trigger of
//! the user's own wrote down is what was captured and what was received, no more and no less, and amcheck finds nothing.
//! `cargo xtask test hostile chaos` runs it; `PG_FRONTDESK_HOSTILE_SECONDS` says for how long.

mod load;
mod trouble;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::{Database, Desk, Server, wait_for};

/// The control is an ordinary table written by an ordinary trigger, in the same transaction as the row.
const TABLES: &str = "
    create sequence change;
    create table lead (id int primary key, n bigint not null default nextval('change'), name text, note text);
    create table control (n bigint not null, op text not null);
    create function control() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' then
        insert into public.control values (old.n, 'D');
        return old;
      end if;
      insert into public.control values (new.n, left(tg_op, 1));
      return new;
    end $$;
    create trigger control after insert or update or delete on lead for each row execute function control();
    select frontdesk.watch('lead');";

/// What the control, the log and the receiver know: a change's number and what it was.
type Changes = BTreeSet<(i64, String)>;

pub fn seconds(otherwise: u64) -> u64 {
    std::env::var("PG_FRONTDESK_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
#[ignore = "takes minutes: cargo xtask test hostile chaos"]
fn what_was_committed_is_captured_and_received_whatever_is_killed_and_rebuilt_meanwhile() {
    let server = Server::preloaded(&[("max_prepared_transactions", "50"), ("restart_after_crash", "on")]);
    let desk = Desk::on(&server);
    desk.run(TABLES);
    let payload = r#"{"data": {"n": "{{ data.n }}", "op": "{{ op }}"}}"#;
    desk.endpoint("crm", "/ok", &format!("events => '{{lead.*}}', payload => '{payload}'"));
    desk.reconnect();
    let place = server.conninfo(&desk.name);
    let done = AtomicBool::new(false);
    let started = Instant::now();
    let kills = std::thread::scope(|scope| {
        for worker in 0..3 {
            let (place, done) = (&place, &done);
            scope.spawn(move || load::run(place, worker, done));
        }
        let rebuilding = scope.spawn(|| trouble::rebuild(&place, &done));
        let killing = scope.spawn(|| trouble::kill(&server, &place, &done));
        while started.elapsed() < Duration::from_secs(seconds(60)) {
            std::thread::sleep(Duration::from_millis(200));
        }
        done.store(true, Ordering::SeqCst);
        let rebuilt = rebuilding.join().expect("who rebuilds");
        assert!(rebuilt > 5, "{rebuilt} rebuilds are no trouble");
        killing.join().expect("who kills")
    });
    assert!(kills > 2, "{kills} kills are no trouble");
    wait_for("the server is back", Duration::from_secs(60), || server.psql(&desk.name, "select 1").is_ok());
    desk.reconnect();
    load::resolve(&place);
    desk.run("drop publication if exists everything");

    let control = changes(&desk, "select n, op from control");
    assert!(control.len() > 500, "{} changes are no load", control.len());
    let captured =
        changes(&desk, "select (record->>'n')::bigint, op::text from frontdesk.event where op in ('I', 'U', 'D')");
    assert_same("captured", &control, &captured);
    let by_index = changes(
        &desk,
        "set enable_seqscan = off; select (record->>'n')::bigint, op::text from frontdesk.event where xid >= '0'::xid8
         and op in ('I', 'U', 'D')",
    );
    assert_same("found by an index", &control, &by_index);
    wait_for("all of it was received", Duration::from_secs(120), || received(&desk).len() >= control.len());
    assert_same("received", &control, &received(&desk));
}

fn received(desk: &Desk) -> Changes {
    let change = |data: serde_json::Value| {
        let op = data["op"].as_str()?.chars().next()?.to_uppercase().to_string();
        Some((data["n"].as_str()?.parse().ok()?, op))
    };
    desk.arrivals("/ok").into_iter().filter_map(|arrival| change(arrival.data?)).collect()
}

fn changes(database: &Database, sql: &str) -> Changes {
    let (before, query) = sql.rsplit_once(';').unwrap_or(("", sql));
    if !before.is_empty() {
        database.run(before);
    }
    database.rows(query).iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[track_caller]
fn assert_same(what: &str, control: &Changes, other: &Changes) {
    let missing: Vec<_> = control.difference(other).take(20).collect();
    let invented: Vec<_> = other.difference(control).take(20).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{what}: of {} changes {} are missing ({missing:?} …), {} never happened ({invented:?} …)",
        control.len(),
        control.difference(other).count(),
        other.difference(control).count()
    );
}
