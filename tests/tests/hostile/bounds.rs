//! What is too large, too deep, or cannot be recorded is one dead letter with a reason: the engine stays small, and everything
//! else is delivered meanwhile.

use std::time::{Duration, Instant};

use tests::{Desk, Server, wait_until};

/// Memory of a process that is its own, in MB: the most that it has had is not told apart from shared memory, so it is asked
/// again and again.
fn own_memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Emits by `sql` on events `big.*`, and meanwhile small ones that another endpoint gets; returns the most that the engine had.
fn beside(desk: &Desk, sql: &str, dead: i64) -> u64 {
    desk.endpoint("small", "/small", "events => '{small.*}'");
    desk.endpoint("big", "/big", "events => '{big.*}'");
    let engine = desk.engine();
    desk.run(sql);
    desk.run("select frontdesk.emit('small.one', jsonb_build_object('n', n)) from generate_series(1, 500) n");
    let mut most = 0;
    wait_until("the small ones came and the large ones are dead letters", || {
        most = most.max(own_memory(engine));
        desk.stats("/small").accepted_ids == 500 && desk.count("frontdesk_internal.dead_letter") == dead
    });
    assert_eq!(desk.engine(), engine, "the engine is the same process");
    assert_eq!(desk.state(), "running");
    assert_eq!(desk.stats("/big").accepted_ids, 0);
    most
}

#[test]
fn numbers_of_two_bytes_that_are_131072_digits_each_are_known_by_their_size() {
    let desk = Desk::open();
    let most = beside(
        &desk,
        "select frontdesk.emit('big.number', ('[' || repeat('9e131071,', 100) || '1]')::jsonb) from generate_series(1, 50)",
        50,
    );
    assert!(most < 256, "{most} MB");
    let reason: String = desk.get("select reason from frontdesk_internal.dead_letter limit 1");
    assert!(reason.starts_with("payload: the payload has 13"), "{reason}");
    assert!(reason.contains("frontdesk.max_payload_kb"), "{reason}");
    // Its own report has everything but the data.
    let report: (i64, bool) = {
        let row = &desk.rows(
            "select count(*), bool_and(record -> 'data' = 'null') from frontdesk.event where type = 'delivery.exhausted'",
        )[0];
        (row.get(0), row.get(1))
    };
    assert_eq!(report, (50, true));
}

#[test]
fn rows_of_fifteen_megabytes_do_not_fill_the_engine() {
    let desk = Desk::open();
    let most = beside(
        &desk,
        "select frontdesk.emit('big.text', jsonb_build_object('n', n, 'a', repeat(md5(n::text), 468750))) from generate_series(1, 20) n",
        20,
    );
    assert!(most < 256, "{most} MB");
}

#[test]
fn many_large_events_for_a_receiver_that_hangs_leave_room_for_the_others() {
    let desk = Desk::open();
    desk.endpoint("hanging", "/hang", "events => '{big.*}', timeout_ms => 60000");
    desk.endpoint("small", "/small", "events => '{small.*}'");
    let engine = desk.engine();
    desk.run(
        "select frontdesk.emit('big.text', jsonb_build_object('n', n, 'a', repeat(md5(n::text), 28000))) from generate_series(1, 400) n",
    );
    desk.run("select frontdesk.emit('small.one', jsonb_build_object('n', n)) from generate_series(1, 500) n");
    let mut most = 0;
    wait_until("the small ones came", || {
        most = most.max(own_memory(engine));
        desk.stats("/small").accepted_ids == 500
    });
    assert!(most < 256, "{most} MB");
    let held: i64 = desk.get("select memory_used from frontdesk.status()");
    assert!((1 << 20..128 << 20).contains(&held), "{held} bytes");
}

#[test]
fn a_row_nested_deeper_than_a_filter_looks_is_delivered_and_explained() {
    let desk = Desk::open();
    desk.endpoint("filtered", "/filtered", r#"filter => '{"new.kind": "deep"}'"#);
    let id: i64 = desk.get(
        "select frontdesk.emit('deep.one', jsonb_build_object('kind', 'deep', 'a',
            (repeat('[', 300) || repeat(']', 300))::jsonb))",
    );
    desk.await_request("/filtered");
    // The attempt is written a moment after the receiver has answered it.
    let outcome =
        format!("select outcome = 'delivered' from frontdesk.explain_event({id}) where endpoint = 'filtered'");
    desk.wait(&format!("({outcome})"));
}

#[test]
fn what_cannot_be_recorded_is_told_apart_from_the_rest() {
    let desk = Desk::open();
    desk.endpoint("all", "/all", "events => '{*}'");
    // Whatever makes one row unwritable: here a constraint, of an owner who knows no better.
    desk.run(
        "alter table frontdesk_internal.attempt_failure add constraint no_seven check (event_id % 7 <> 0) not valid",
    );
    desk.endpoint("failing", "/status/500", r#"events => '{*}', retry => '{"delays": []}'"#);
    desk.run("select frontdesk.emit('some.thing', jsonb_build_object('n', n)) from generate_series(1, 70) n");
    wait_until("all came", || desk.stats("/all").accepted_ids >= 70);
    // Ten failures are enough for the endpoint to be left alone for a while.
    desk.wait("(select count(*) >= 10 from frontdesk_internal.dead_letter)");
    desk.fence("/all");
    let error: Option<String> = desk.get("select last_error from frontdesk.status()");
    assert!(error.unwrap_or_default().contains("no_seven"));
}

#[test]
fn a_lock_on_a_table_that_deliveries_do_not_need_delays_none_and_is_told() {
    let desk = Desk::open();
    desk.endpoint("good", "/good", "");
    desk.fence("/good");
    for table in ["frontdesk_internal.job", "frontdesk_internal.timer", "frontdesk_internal.retry"] {
        let mut holder = desk.session();
        holder.batch_execute(&format!("begin; lock table {table} in access exclusive mode")).unwrap();
        desk.run("select frontdesk.wake()");
        let began = Instant::now();
        for _ in 0..5 {
            desk.fence("/good");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(began.elapsed() < Duration::from_secs(8), "{table}: {:?}", began.elapsed());
        holder.batch_execute("rollback").unwrap();
    }
}

#[test]
fn nobody_keeps_the_engine_away_by_an_advisory_lock() {
    let server = Server::preloaded(&[]);
    let desk = Desk::on(&server);
    desk.endpoint("good", "/good", "");
    let mut holder = desk.session();
    holder.batch_execute("select pg_advisory_lock(7381245060419249003)").unwrap();
    desk.run("select frontdesk.stop()");
    desk.wait("(select state = 'stopped' and pid is null from frontdesk.status())");
    desk.run("select frontdesk.start()");
    desk.fence("/good");
}

#[test]
fn settings_of_a_database_do_not_change_what_the_engine_does() {
    let desk = Desk::open();
    desk.endpoint("good", "/good", "");
    desk.run(
        "do $$ begin
           execute format('alter database %I set default_transaction_read_only = on', current_database());
           execute format('alter database %I set role = pg_monitor', current_database());
           execute format('alter database %I set search_path = nowhere', current_database());
           execute format('alter database %I set statement_timeout = 1', current_database());
           execute format('alter database %I set datestyle = ''SQL, DMY''', current_database());
         end $$",
    );
    desk.run("select frontdesk.stop()");
    desk.wait("(select pid is null from frontdesk.status())");
    desk.run("select frontdesk.start()");
    desk.fence("/good");
    assert_eq!(desk.state(), "running");
}
