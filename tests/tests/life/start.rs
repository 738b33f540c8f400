//! Starting, stopping, pausing, with and without shared_preload_libraries.

use tests::{Database, Desk, Server, body, wait_until};

#[test]
fn preloaded_it_runs_by_itself_and_after_a_restart_too() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    assert_eq!(desk.state(), "running");
    let workers: Vec<String> =
        desk.list("select backend_type from pg_stat_activity where backend_type like 'frontdesk%' order by 1");
    assert_eq!(workers, ["frontdesk engine", "frontdesk launcher"]);
    server.restart().unwrap();
    desk.reconnect();
    // Without any commit that could wake it.
    desk.engine();
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ok", 2);
}

#[test]
fn without_preload_the_first_commit_starts_it() {
    let server = Server::without_preload(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    assert_eq!(desk.state(), "running");
    server.restart().unwrap();
    desk.reconnect();
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ok", 2);
}

#[test]
fn without_preload_start_starts_it() {
    let server = Server::without_preload(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    server.restart().unwrap();
    desk.reconnect();
    assert_eq!(desk.state(), "not running");
    assert_eq!(desk.get::<String>("select frontdesk.start()"), "starts at commit");
    desk.engine();
    assert_eq!(desk.state(), "running");
}

#[test]
fn without_preload_a_prepared_transaction_that_is_committed_wakes_nobody_and_is_sent() {
    let server = Server::without_preload(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.run(
        "begin;
         insert into lead values (1, 'prepared');
         select frontdesk.schedule_once(clock_timestamp(), 'create table done ()');
         prepare transaction 'p'",
    );
    desk.fence("/ok");
    // This session never loads the library, so that the engine hears nothing.
    desk.session().batch_execute("commit prepared 'p'").unwrap();
    wait_until("it came", || desk.types("/ok") == ["lead.created"]);
    desk.wait("to_regclass('done') is not null");
}

#[test]
fn stop_and_start() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.run("select frontdesk.stop()");
    desk.wait("(select pid is null from frontdesk_internal.engine_slot())");
    assert_eq!(desk.state(), "stopped");
    assert!(desk.get::<String>("select reason from frontdesk.status()").contains("stop() by postgres"));
    desk.run("insert into lead values (1, 'Ada')");
    desk.run("insert into lead values (2, 'Bob')");
    assert_eq!(desk.get::<i64>("select lag_events from frontdesk.status()"), 2);
    assert_eq!(desk.get::<Option<i32>>("select pid from frontdesk_internal.engine_slot()"), None);
    desk.run("select frontdesk.start()");
    desk.await_requests("/ok", 3);
    assert_eq!(desk.state(), "running");
    desk.wait("(select lag_events = 0 from frontdesk.status())");
}

#[test]
fn a_stop_that_is_rolled_back_stops_nothing() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("begin; select frontdesk.stop(); rollback");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    assert_eq!(desk.state(), "running");
}

#[test]
fn pause_and_resume() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.run("select frontdesk.pause('moving house')");
    let engine = desk.engine();
    desk.run("insert into lead values (1, 'Ada')");
    let row = &desk.rows("select state, reason, pid from frontdesk.status()")[0];
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, i32>(2)),
        ("paused", "moving house", engine)
    );
    let why: String = desk.get("select reason from frontdesk.explain_event((select max(id) from frontdesk.event))");
    assert!(why.contains("moving house"), "{why}");
    assert_eq!(desk.requests("/ok").len(), 1);
    desk.run("select frontdesk.resume()");
    desk.await_requests("/ok", 2);
}

#[test]
fn what_ends_is_started_again() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    let engine = desk.engine();
    desk.run(&format!("select pg_terminate_backend({engine})"));
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    assert_ne!(desk.engine(), engine);
    // The launcher too, which PostgreSQL brings back after five seconds.
    desk.run("select pg_terminate_backend(launcher_pid) from frontdesk_internal.engine_slot()");
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ok", 2);
    desk.wait("(select launcher_pid is not null from frontdesk_internal.engine_slot())");
    let engine = desk.engine();
    desk.run(&format!("select pg_terminate_backend({engine})"));
    desk.run("insert into lead values (3, 'Cleo')");
    desk.await_requests("/ok", 3);
}

#[test]
fn settings_count_after_a_reload() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", r#"retry => '{"delays": []}'"#);
    let engine = desk.engine();
    desk.run("insert into lead values (1, repeat('x', 20000))");
    desk.await_request("/ok");
    server.set(&[("frontdesk.max_payload_kb", "10")]).unwrap();
    server.reload().unwrap();
    wait_until("the smaller limit counts", || {
        desk.run("insert into lead select coalesce(max(id), 0) + 1, repeat('x', 20000) from lead");
        desk.count("frontdesk.dead_letters") > 0
    });
    assert_eq!(desk.engine(), engine);
}

#[test]
fn the_extension_can_be_dropped_and_made_again_while_the_engine_works() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    for n in 0..3 {
        desk.fence("/ok");
        desk.run("drop extension pg_frontdesk cascade");
        desk.run(&format!("insert into lead values ({n}, 'unwatched')"));
        desk.run("create extension pg_frontdesk");
        desk.run("select frontdesk.watch('lead')");
        desk.endpoint("crm", "/ok", "");
        desk.run(&format!("insert into lead values ({}, 'round {n}')", 100 + n));
        wait_until("its event came", || {
            desk.requests("/ok").iter().any(|request| body(request)["data"]["name"] == format!("round {n}"))
        });
    }
    assert_eq!(desk.state(), "running");
}

#[test]
fn an_engine_for_which_there_is_no_room_says_so() {
    // PostgreSQL's own launcher of subscriptions takes one, ours the other.
    let server = Server::preloaded(&[("max_worker_processes", "2")]);
    let database = Database::on(&server);
    database.wait(
        "(select state = 'not running' and reason like '%no free slot%max_worker_processes%' from frontdesk.status())",
    );
}
