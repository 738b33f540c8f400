//! What is committed is sent, and nothing else.

use tests::{Desk, body};

fn names(desk: &Desk) -> Vec<String> {
    let name = |request| Some(body(request)["data"]["name"].as_str()?.to_owned());
    desk.requests("/ok").iter().filter_map(name).collect()
}

#[test]
fn a_rollback_sends_nothing() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("begin; insert into lead values (1, 'never'); rollback");
    desk.error("begin; insert into lead values (2, 'never'); select 1/0");
    desk.run("rollback");
    desk.run("insert into lead values (3, 'yes')");
    desk.fence("/ok");
    assert_eq!(names(&desk), ["yes"]);
}

#[test]
fn a_savepoint_that_is_rolled_back_takes_its_events_along() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "max_in_flight => 1");
    desk.run(
        "begin; insert into lead values (1, 'kept');
         savepoint s; insert into lead values (2, 'lost'); rollback to s;
         savepoint t; insert into lead values (3, 'kept too'); release t; commit",
    );
    desk.run("do $$ begin begin insert into lead values (4, 'lost'); perform 1/0; exception when others then null; end; end $$");
    desk.fence("/ok");
    assert_eq!(names(&desk), ["kept", "kept too"]);
}

#[test]
fn a_prepared_transaction_is_sent_when_it_is_committed() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("begin; insert into lead values (1, 'prepared'); prepare transaction 'p1'");
    desk.run("begin; insert into lead values (2, 'given up'); prepare transaction 'p2'");
    desk.run("insert into lead values (3, 'plain')");
    desk.fence("/ok");
    assert_eq!(names(&desk), ["plain"]);
    desk.run("rollback prepared 'p2'");
    desk.run("commit prepared 'p1'");
    desk.await_requests("/ok", 3);
    assert_eq!(names(&desk), ["plain", "prepared"]);
}

#[test]
fn a_transaction_prepared_before_the_engine_started_is_not_lost() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("begin; insert into lead values (1, 'prepared'); prepare transaction 'p3'");
    desk.fence("/ok");
    desk.run("select frontdesk.stop()");
    desk.wait("(select pid is null from frontdesk_internal.engine_slot())");
    desk.run("select frontdesk.start()");
    desk.run("commit prepared 'p3'");
    desk.await_requests("/ok", 2);
    assert_eq!(names(&desk), ["prepared"]);
}

#[test]
fn a_transaction_that_stays_open_loses_nothing_and_holds_up_nobody() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    let mut slow = desk.session();
    let mut transaction = slow.transaction().unwrap();
    transaction.batch_execute("insert into lead values (1, 'slow')").unwrap();
    for n in 2..20 {
        desk.run(&format!("insert into lead values ({n}, 'quick')"));
    }
    desk.await_requests("/ok", 18);
    // The engine's place in the log is written down meanwhile, and read again after a restart.
    desk.wait(
        "(select updated_at > now() - interval '10 s' and event_id >= 0 from frontdesk_internal.cursor where endpoint_id = 0)",
    );
    desk.run("select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()");
    desk.fence("/ok");
    transaction.batch_execute("insert into lead values (100, 'slow')").unwrap();
    transaction.commit().unwrap();
    desk.await_requests("/ok", 21);
    assert_eq!(names(&desk).iter().filter(|name| *name == "slow").count(), 2);
}

#[test]
fn events_written_while_the_clock_was_ahead_are_read() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    // In a day that was made ahead, then in one that was not; after each the clock is right again.
    for (n, ahead) in [(1, "3 days"), (3, "30 days")] {
        desk.run(&format!(
            "begin;
             insert into frontdesk.event (id, xid, created_at, op, depth, type, record, actor)
             values (nextval('frontdesk_internal.event_id_seq'), pg_current_xact_id(), now() + '{ahead}', 'E', 0, 'note.made', '{{}}', 'ada');
             select frontdesk.wake();
             commit"
        ));
        desk.await_requests("/ok", n);
        desk.run(&format!("insert into lead values ({n}, 'Ada')"));
        desk.await_requests("/ok", n + 1);
    }
}

#[test]
fn replicas_capture_nothing_unless_they_are_told_to() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("set session_replication_role = replica; insert into lead values (1, 'applied'); reset session_replication_role");
    desk.run("insert into lead values (2, 'own')");
    desk.fence("/ok");
    assert_eq!(names(&desk), ["own"]);
}

#[test]
fn rows_applied_by_logical_replication_become_events_where_the_trigger_is_enabled_for_it() {
    let desk = Desk::with_leads();
    let origin = tests::Database::empty_on(&desk.server);
    origin.run("create table lead (id int primary key, name text, state text default 'new')");
    origin.run("create publication leads for table lead");
    origin.run("select pg_create_logical_replication_slot('leads', 'pgoutput')");
    desk.endpoint("crm", "/ok", "");
    let trigger: String =
        desk.get("select quote_ident(tgname) from pg_trigger where tgrelid = 'lead'::regclass and tgtype & 1 = 1");
    desk.run(&format!("alter table lead enable always trigger {trigger}"));
    desk.run(&format!(
        "create subscription leads connection '{}' publication leads with (create_slot = false, copy_data = false)",
        desk.server.conninfo(&origin.name)
    ));
    origin.run("insert into lead values (1, 'from afar')");
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "from afar");
    desk.run("drop subscription leads");
}

#[test]
fn one_transaction_with_many_rows_is_sent_whole() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead select n, 'bulk' from generate_series(1, 5000) n");
    tests::wait_until("5000 came", || desk.stats("/ok").accepted_ids == 5000);
    assert_eq!(desk.stats("/ok").repeats, 0);
    desk.wait("(select count(*) = 5000 from frontdesk.delivery where state = 'delivered')");
}
