//! Commands and settings of others that must not stop an engine, and those that send it away for a moment.

use std::time::Duration;

use tests::{Desk, Server, wait_until};

#[test]
fn who_may_not_have_the_database_does_not_end_its_engine() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    let engine = desk.engine();
    desk.run("do $$ begin create role mallory login; exception when duplicate_object then null; end $$");
    desk.reconnect();
    for command in [
        format!("drop database {}", desk.name),
        format!("alter database {} rename to mine", desk.name),
        format!("alter database {} set tablespace pg_default", desk.name),
        format!("create database copy template {}", desk.name),
    ] {
        let refused = desk.server.psql("postgres", &format!("set role mallory;\n{command}")).unwrap_err();
        assert!(format!("{refused:#}").contains("ERROR"), "{refused:#}");
    }
    desk.run("drop extension if exists nothing_of_this_name");
    desk.fence("/ok");
    assert_eq!(desk.engine(), engine);
}

#[test]
fn a_command_that_is_cancelled_in_the_middle_gives_the_engine_back() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    // Another session holds the database; the command waits for it and is cancelled.
    let other = desk.session();
    for timeout in ["1ms", "20ms", "300ms"] {
        let command = format!("set statement_timeout = '{timeout}';\ndrop database {}", desk.name);
        assert!(server.psql("postgres", &command).is_err());
        desk.wait("(select pid is not null from frontdesk_internal.engine_slot())");
    }
    drop(other);
    desk.run("insert into lead values (1, 'Ada')");
    wait_until("its event came", || desk.types("/ok").contains(&"lead.created".to_string()));
}

#[test]
fn the_extension_is_dropped_beside_writers_without_a_deadlock() {
    let server = Server::preloaded(&[]);
    let desk = watched_twice(&server);
    beside_writers(&server, &desk, Duration::from_millis(20), || {
        desk.run("set client_min_messages = warning; drop extension pg_frontdesk cascade");
    });
    assert!(!server.log().contains("deadlock detected"));
}

/// Beside writers in opposite orders that never pause there may be no moment to take both tables in.
#[test]
fn dropping_the_extension_gives_up_after_the_lock_timeout_and_leaves_everything_as_it_was() {
    let server = Server::preloaded(&[]);
    let desk = watched_twice(&server);
    beside_writers(&server, &desk, Duration::ZERO, || {
        let begun = std::time::Instant::now();
        let command = "set client_min_messages = warning; set lock_timeout = '2s'; drop extension pg_frontdesk cascade";
        match desk.session().batch_execute(command) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.code().map(postgres::error::SqlState::code), Some("55P03"), "{error:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    });
    assert!(!server.log().contains("deadlock detected"));
    if desk.count("pg_extension where extname = 'pg_frontdesk'") == 1 {
        let before = desk.count("frontdesk.event");
        desk.run("insert into lead (id) values (-1)");
        assert_ne!(desk.count("frontdesk.event"), before, "rows are captured as before");
    }
}

fn watched_twice(server: &std::sync::Arc<Server>) -> Desk {
    let desk = Desk::with_leads_on(server);
    desk.run("create table visit (id int primary key); select frontdesk.watch('visit')");
    desk
}

/// Runs it while three sessions write to both tables in opposite orders, on no row twice; `pause` is between their
/// transactions.
fn beside_writers(server: &Server, desk: &Desk, pause: Duration, act: impl FnOnce()) {
    use std::sync::atomic::{AtomicBool, Ordering};
    struct AtEnd<'a>(&'a AtomicBool);
    impl Drop for AtEnd<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let done = AtomicBool::new(false);
    let place = server.conninfo(&desk.name);
    std::thread::scope(|scope| {
        for (writer, tables) in [["lead", "visit"], ["visit", "lead"], ["lead", "visit"]].into_iter().enumerate() {
            let (done, place) = (&done, &place);
            scope.spawn(move || {
                let mut session = postgres::Client::connect(place, postgres::NoTls).unwrap();
                for n in 0.. {
                    let id = 1_000_000 * (writer + 1) + n;
                    let [first, second] = tables.map(|table| format!("insert into {table} (id) values ({id})"));
                    session
                        .batch_execute(&format!("begin; {first}; select pg_sleep(0.005); {second}; commit"))
                        .unwrap();
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            });
        }
        let _end = AtEnd(&done);
        std::thread::sleep(Duration::from_millis(500));
        act();
    });
}

#[test]
fn a_publication_of_all_tables_stops_nothing() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("create publication everything for all tables");
    desk.run("insert into lead values (1, 'Ada'); select frontdesk.schedule_once(clock_timestamp(), 'select 1')");
    desk.wait("(select status = 'succeeded' from frontdesk_internal.job_run)");
    desk.fence("/ok");
    desk.run("select frontdesk.maintain()");
    desk.run("delete from frontdesk.event; delete from frontdesk_internal.attempt; update frontdesk_internal.job_run set message = 'x'");
    desk.fence("/ok");
    assert_eq!(desk.state(), "running");
}

#[test]
fn whatever_a_database_has_set_its_engine_works() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    let engine = desk.engine();
    desk.run("do $$ begin create role app; exception when duplicate_object then null; end $$");
    for setting in [
        "role = 'app'",
        "default_transaction_read_only = on",
        "statement_timeout = '1ms'",
        "search_path = ''",
        "session_replication_role = replica",
        "timezone = '<-03>+03'",
        "datestyle = 'SQL, DMY'",
        "row_security = off",
        "default_transaction_isolation = 'serializable'",
        "plpgsql.extra_errors = 'all'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "lock_timeout = '1ms'",
    ] {
        desk.run(&format!("alter database {} set {setting}", desk.name));
    }
    desk.run("select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()");
    desk.wait(&format!("(select pid <> {engine} from frontdesk_internal.engine_slot())"));
    desk.run("insert into lead values (1, 'Ada')");
    wait_until("its event came", || desk.types("/ok") == ["lead.created"]);
    desk.wait("(select count(*) > 0 from frontdesk_internal.attempt where succeeded)");
}
