//! Whatever is killed at whatever moment.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls};
use tests::{Database, Server, wait_for, wait_until};

use super::{assert_each_once, scene};

/// Sessions that insert leads until `done`, whatever happens to the server.
fn write(place: &str, next: &AtomicI32, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        let Ok(mut session) = Client::connect(place, NoTls) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        while !done.load(Ordering::SeqCst) {
            let first = next.fetch_add(3, Ordering::SeqCst);
            if session.execute("insert into lead select n from generate_series($1, $1 + 2) n", &[&first]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

/// Writers beside something that is done to the server so many times.
fn under_load(database: &Database, times: u32, mut trouble: impl FnMut(u32)) {
    let (next, done) = (AtomicI32::new(1), AtomicBool::new(false));
    let place = database.server.conninfo(&database.name);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| write(&place, &next, &done));
        }
        for round in 0..times {
            std::thread::sleep(Duration::from_millis(250 + u64::from(round * 137 % 400)));
            trouble(round);
        }
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::SeqCst);
    });
    database.reconnect();
    wait_until("the server is there", || database.server.psql("postgres", "select 1").is_ok());
    let leads = database.count("lead");
    assert!(leads > 100, "{leads} rows are no load");
    wait_for("all were handled", Duration::from_secs(60), || database.count("effect") >= leads);
    database.wait("(select in_flight + retrying + lag_events = 0 from frontdesk.status())");
    assert_each_once(database, leads);
    assert_eq!(database.count("frontdesk_internal.dead_letter"), 0);
}

/// Their processes, and the engine's, of this database.
const PROCESSES: &str = "from pg_stat_activity where datname = current_database()
    and backend_type in ('frontdesk job', 'frontdesk engine')";

#[test]
fn kill_9_of_a_process_at_random_moments_makes_no_effect_twice() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    scene(&database);
    database.run("select frontdesk.add_handler('one', 'leave(frontdesk.event)', events => '{lead.*}', batch => 7)");
    under_load(&database, 6, |_| {
        let Ok(mut session) = Client::connect(&server.conninfo(&database.name), NoTls) else { return };
        let sql = format!("select pid {PROCESSES} order by random() limit 1");
        let Ok(Some(row)) = session.query_opt(&sql, &[]) else { return };
        let pid: i32 = row.get(0);
        drop(session);
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        wait_for("the server is back", Duration::from_secs(60), || server.psql("postgres", "select 1").is_ok());
    });
}

#[test]
fn power_cuts_make_no_effect_twice() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    scene(&database);
    database.run("select frontdesk.add_handler('many', 'leave_all(frontdesk.event[])', events => '{lead.*}')");
    under_load(&database, 3, |_| {
        server.kill9().unwrap();
        server.start().unwrap();
    });
}

#[test]
fn engines_and_processes_that_are_terminated_at_random_moments_make_no_effect_twice() {
    let database = Database::create();
    scene(&database);
    // Slow enough that a transaction is under way at most moments.
    database.run(
        "create function slowly(e frontdesk.event[]) returns void language plpgsql as $$ begin
           perform pg_sleep(0.01); insert into public.effect (event, lead) select x.id, x.key::int from unnest(e) x; perform pg_sleep(0.01); end $$;
         select frontdesk.add_handler('slow', 'slowly(frontdesk.event[])', events => '{lead.*}', batch => 20, retry => '{\"delays\": [\"10ms\", \"10ms\", \"10ms\", \"10ms\"]}')",
    );
    under_load(&database, 25, |round| {
        let kind = if round % 2 == 0 { "frontdesk engine" } else { "frontdesk job" };
        let sql = format!("select pg_terminate_backend(pid) {PROCESSES} and backend_type = '{kind}'");
        let _ = database.server.psql(&database.name, &sql);
    });
}

#[test]
fn an_engine_that_begins_anew_makes_what_the_one_before_it_ordered_void() {
    let database = Database::create();
    scene(&database);
    database.run(
        "create function hangs(e frontdesk.event) returns void language plpgsql as $$ begin
           insert into public.effect (event, lead) values (e.id, e.key::int); perform pg_sleep(2); end $$;
         select frontdesk.add_handler('hangs', 'hangs(frontdesk.event)', events => '{lead.*}')",
    );
    database.run("insert into lead values (1)");
    let running = format!("exists (select {PROCESSES} and backend_type = 'frontdesk job' and backend_xid is not null)");
    database.wait(&running);
    let engine = database.engine();
    // Ended without a chance to end the process.
    database.run(&format!("select pg_terminate_backend({engine})"));
    database.wait(&format!("(select pid <> {engine} from frontdesk_internal.engine_slot())"));
    wait_for("it is handled", Duration::from_secs(20), || database.count("frontdesk.attempts where succeeded") == 1);
    std::thread::sleep(Duration::from_secs(2));
    assert_each_once(&database, 1);
}
