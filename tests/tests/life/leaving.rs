//! What an engine leaves behind when it is ended: nothing that it knows and has not written down.

use tests::{Desk, Server, wait_until};

#[test]
fn what_is_in_flight_at_a_restart_is_awaited_and_not_sent_again() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/delay/150", "events => '{lead.*}'");
    desk.endpoint("fences", "/ok", "events => '{fence.*}'");
    for round in 1..=3 {
        desk.run(&format!("insert into lead values ({round}, 'Ada')"));
        wait_until("it left", || desk.get("select in_flight > 0 from frontdesk.status()"));
        server.restart().unwrap();
        desk.reconnect();
        desk.fence("/ok");
        desk.wait(&format!(
            "(select count(*) = {round} from frontdesk.attempts where endpoint = 'crm' and status = 200)"
        ));
    }
    desk.wait("(select in_flight + queued = 0 from frontdesk.status())");
    let attempts: Vec<String> = desk.list(
        "select format('%s %s %s %s', event_id, attempt, started_at, status) from frontdesk.attempts order by id",
    );
    assert_eq!(desk.stats("/delay/150").repeats, 0, "{:#?} {attempts:#?}", desk.requests("/delay/150"));
}

#[test]
fn a_restart_amid_a_backlog_repeats_nothing() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/delay/20", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 3000) n");
    for restarts in 1..=2 {
        wait_until("it is in the middle of it", || desk.stats("/delay/20").accepted_ids > restarts * 500);
        server.restart().unwrap();
        desk.reconnect();
    }
    wait_until("all came", || desk.stats("/delay/20").accepted_ids == 3000);
    assert_eq!(desk.stats("/delay/20").repeats, 0);
    desk.wait("(select count(distinct event_id) = 3000 from frontdesk_internal.attempt where succeeded)");
}

#[test]
fn neither_a_receiver_that_hangs_nor_a_locked_table_keeps_an_engine_from_ending() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("hanging", "/hang", "");
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    let engine = desk.engine();
    desk.run(&format!("select pg_terminate_backend({engine})"));
    desk.wait(&format!("(select coalesce(pid, 0) <> {engine} from frontdesk_internal.engine_slot())"));

    let engine = desk.engine();
    desk.fence("/ok");
    desk.wait("(select count(*) = 2 from frontdesk.attempts where endpoint = 'crm' and status = 200)");
    let mut rude = desk.session();
    let mut locked = rude.transaction().unwrap();
    locked.batch_execute("lock table frontdesk_internal.attempt in share mode").unwrap();
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ok", 3);
    desk.run(&format!("select pg_terminate_backend({engine})"));
    desk.wait(&format!("(select coalesce(pid, 0) <> {engine} from frontdesk_internal.engine_slot())"));
    locked.rollback().unwrap();
    // What could not be written down is sent once more, under the same webhook-id.
    desk.wait("(select count(*) = 3 from frontdesk.attempts where endpoint = 'crm' and status = 200)");
    assert_eq!(desk.stats("/ok").accepted_ids, 3);
}
