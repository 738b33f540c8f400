//! Reminders where it is not a plain row in a plain table on a plain day.

use std::time::Duration;

use tests::{Database, Server, wait_for, wait_until};

const VISITS: &str = "create table visit (id bigint primary key, starts_at timestamptz, status text default 'open');
    select frontdesk.remind('visit', 'starts_at', '-1 hour', 'visit.soon', '{\"status\": \"open\"}');";

fn fired(database: &Database) -> Vec<String> {
    database.list("select key from frontdesk.event where type = 'visit.soon' order by key")
}

#[test]
fn a_prepared_transaction_sets_timers_when_it_is_committed() {
    let server = Server::preloaded(&[("max_prepared_transactions", "5")]);
    let database = Database::on(&server);
    database.run(VISITS);
    database.run("begin; insert into visit values (1, now() + interval '1 hour'); prepare transaction 'visits'");
    database.run("begin; insert into visit values (2, now() + interval '1 hour'); prepare transaction 'undone'");
    database.run("insert into visit values (3, now() + interval '1 hour')");
    wait_until("the one that is committed", || fired(&database) == ["3"]);
    database.reconnect();
    database.run("commit prepared 'visits'");
    wait_until("the one that was prepared", || fired(&database) == ["1", "3"]);
    database.run("rollback prepared 'undone'");
    assert_eq!(database.count("frontdesk.timers"), 0);
}

#[test]
fn partitions_have_the_timers_of_their_table() {
    let database = Database::create();
    database.run(
        "create table visit (id bigint, starts_at timestamptz, status text default 'open', primary key (id)) partition by range (id);
         create table visit_low partition of visit for values from (0) to (10);
         insert into visit values (1, now() + interval '1 hour 2 seconds'), (2, now() + interval '2 days');
         select frontdesk.remind('visit', 'starts_at', '-1 hour', 'visit.soon', '{\"status\": \"open\"}');
         create table visit_high partition of visit for values from (10) to (20);
         insert into visit values (11, now() + interval '1 hour');
         insert into visit_high values (12, now() + interval '1 hour');
         create table visit_loose (like visit including all);
         insert into visit_loose values (21, now() + interval '2 days');
         alter table visit attach partition visit_loose for values from (20) to (30);
         insert into visit values (22, now() + interval '1 hour');
         -- A row that moves to another partition keeps its one timer.
         update visit set id = 13, starts_at = now() + interval '1 hour' where id = 2;",
    );
    wait_until("all of them", || fired(&database) == ["1", "11", "12", "13", "22"]);
    assert_eq!(database.count("frontdesk.event where type = 'visit.soon'"), 5);
}

#[test]
fn a_restored_dump_reminds_once_it_is_adopted() {
    let original = Database::create();
    original.run(VISITS);
    original.run(
        "insert into visit values (1, now() + interval '1 hour', 'open'), (2, now() + interval '2 days', 'open'), (3, now() + interval '1 hour', 'closed')",
    );
    wait_until("the first is reminded of", || fired(&original) == ["1"]);
    let dump = original.server.client("pg_dump", &original.name).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let server = Server::preloaded(&[]);
    let copy = Database::empty_on(&server);
    let script = format!("set client_min_messages = error;\n{}", String::from_utf8(dump.stdout).unwrap());
    server.psql(&copy.name, &script).unwrap();
    copy.run("insert into visit values (4, now() + interval '1 hour'), (5, now() + interval '1 hour 10 seconds')");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(fired(&copy), [] as [&str; 0], "a copy is silent");
    copy.run("select frontdesk.adopt()");
    // What was due before it was adopted is the original's; what comes is its own.
    wait_for("the new one", Duration::from_secs(40), || fired(&copy) == ["5"]);
    assert_eq!(copy.list::<String>("select key from frontdesk.timers"), ["2"]);
}

#[test]
fn a_crash_in_the_middle_fires_each_once() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    database.run(VISITS);
    database.run("insert into visit select n, now() + interval '1 hour 3 seconds' from generate_series(1, 20000) n");
    wait_for("some are fired", Duration::from_secs(30), || {
        database.count("frontdesk.event where type = 'visit.soon'") > 0
    });
    server.kill9().unwrap();
    server.start().unwrap();
    database.reconnect();
    wait_for("all are fired", Duration::from_secs(60), || {
        database.count("frontdesk.event where type = 'visit.soon'") >= 20_000
    });
    std::thread::sleep(Duration::from_secs(1));
    let twice = database
        .count("(select key from frontdesk.event where type = 'visit.soon' group by key having count(*) > 1) t");
    assert_eq!((database.count("frontdesk.event where type = 'visit.soon'"), twice), (20_000, 0));
}

#[test]
fn a_clock_set_back_repeats_nothing() {
    let server = Server::preloaded(&[("frontdesk.fake_now", "2026-06-01T12:00:00Z"), ("timezone", "UTC")]);
    let database = Database::on(&server);
    database.run(VISITS);
    database.run("insert into visit values (1, '2026-06-01T12:30:00Z'), (2, '2026-06-02T10:00:00Z')");
    wait_until("the first", || fired(&database) == ["1"]);
    let go = |moment: &str| {
        server.set(&[("frontdesk.fake_now", moment)]).unwrap();
        server.reload().unwrap();
    };
    go("2026-06-01T06:00:00Z");
    database.run("insert into visit values (3, '2026-06-01T06:30:00Z')");
    wait_until("one that is due by the clock that was set back", || fired(&database) == ["1", "3"]);
    go("2026-06-02T09:30:00Z");
    wait_until("the second", || fired(&database) == ["1", "2", "3"]);
    assert_eq!(database.count("frontdesk.event where type = 'visit.soon'"), 3);
}
