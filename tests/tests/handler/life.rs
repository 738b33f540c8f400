//! Handlers that are paused, changed and removed, and their processes.

use std::time::Duration;

use tests::{Database, wait_until};

use super::{assert_each_once, scene};

#[test]
fn events_committed_while_it_is_paused_are_handled_once_it_is_resumed() {
    let database = Database::create();
    scene(&database);
    database.run("select frontdesk.add_handler('many', 'leave_all(frontdesk.event[])', events => '{lead.*}')");
    database.run("insert into lead select n from generate_series(1, 1000) n");
    wait_until("the first are handled", || database.count("effect") == 1000);
    database.run("select frontdesk.pause_endpoint('many')");
    database.run("insert into lead select n from generate_series(1001, 5000) n");
    database.wait("(select behind from frontdesk.handlers)");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((database.count("effect"), database.count("frontdesk_internal.retry")), (1000, 0));
    database.run("select frontdesk.resume_endpoint('many')");
    wait_until("all are", || database.count("effect") == 5000);
    database.wait("(select not behind from frontdesk.handlers)");
    assert_each_once(&database, 5000);
}

#[test]
fn changes_under_load_lose_nothing_and_repeat_nothing() {
    let database = Database::create();
    scene(&database);
    database.run("select frontdesk.add_handler('many', 'leave_all(frontdesk.event[])', events => '{lead.*}')");
    for round in 0..20 {
        let from = round * 200 + 1;
        database.run(&format!("insert into lead select n from generate_series({from}, {from} + 199) n"));
        database.run(match round % 4 {
            0 => "select frontdesk.alter_handler('many', batch => 7, ordered => true)",
            1 => "select frontdesk.alter_handler('many', 'leave(frontdesk.event)', batch => 50)",
            2 => "select frontdesk.pause_endpoint('many'); select frontdesk.resume_endpoint('many')",
            _ => "select frontdesk.alter_handler('many', 'leave_all(frontdesk.event[])', ordered => false)",
        });
    }
    wait_until("all are handled", || database.count("effect") >= 4000);
    database.wait("(select in_flight + retrying + lag_events = 0 from frontdesk.status())");
    assert_each_once(&database, 4000);
}

#[test]
fn a_restored_dump_handles_nothing_before_it_is_adopted() {
    let original = Database::create();
    scene(&original);
    original.run("select frontdesk.add_handler('one', 'leave(frontdesk.event)', events => '{lead.*}')");
    original.run("insert into lead values (1)");
    wait_until("it is handled", || original.count("effect") == 1);
    let dump = original.server.client("pg_dump", &original.name).output().unwrap();
    let copy = Database::empty_on(&original.server);
    let script = String::from_utf8(dump.stdout).unwrap();
    copy.server.psql(&copy.name, &script).unwrap();
    copy.reconnect();
    copy.run("insert into lead values (2)");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(copy.count("effect"), 1);
    copy.run("select frontdesk.adopt(); insert into lead values (3)");
    wait_until("it is handled there", || copy.count("effect where lead = 3") == 1);
    assert_each_once(&copy, 2);
}

#[test]
fn its_process_waits_for_more_and_costs_nothing_meanwhile() {
    let database = Database::create();
    scene(&database);
    database.run("select frontdesk.add_handler('one', 'leave(frontdesk.event)', events => '{lead.*}')");
    database.run("insert into lead values (1)");
    wait_until("it is handled", || database.count("effect") == 1);
    let process =
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'frontdesk job'";
    let first: i32 = database.get(process);
    for n in 2..=50 {
        database.run(&format!("insert into lead values ({n})"));
    }
    wait_until("all are", || database.count("effect") == 50);
    assert_eq!(database.get::<i32>(process), first);
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(11..13).map(|times| times.iter().filter_map(|time| time.parse::<u64>().ok()).sum::<u64>())
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(ticks(), before, "it was at work while there was nothing to do");
    // Nor is it in the way of who wants the database for themselves.
    database.reconnect();
    database.server.psql("postgres", &format!("create database copy_of_{0} template {0}", database.name)).unwrap();
    database.server.psql("postgres", &format!("drop database copy_of_{} with (force)", database.name)).unwrap();
}
