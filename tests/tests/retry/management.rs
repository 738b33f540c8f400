//! Endpoints changed while deliveries are outstanding.

use tests::{Desk, body, wait_until};

#[test]
fn a_paused_endpoint_keeps_its_events_and_costs_no_row_for_each() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/shop", "");
    desk.endpoint("other", "/other", "");
    desk.run("select frontdesk.pause_endpoint('shop')");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 4000) n");
    wait_until("the other has all", || desk.stats("/other").accepted_ids == 4000);
    desk.fence("/other");
    assert_eq!(desk.stats("/shop").requests, 0);
    assert_eq!(desk.count("frontdesk_internal.retry"), 0);
    assert_eq!(desk.count("frontdesk.attempts where endpoint = 'shop'"), 0);
    desk.wait("(select behind from frontdesk.endpoints where name = 'shop')");
    assert_eq!(desk.get::<i64>("select endpoints_behind from frontdesk.status()"), 1);
    let why: String = desk.get(
        "select reason from frontdesk.explain_event((select min(id) from frontdesk.event)) where endpoint = 'shop'",
    );
    assert!(why.contains("paused"), "{why}");

    desk.run("select frontdesk.resume_endpoint('shop')");
    wait_until("it has caught up", || desk.stats("/shop").accepted_ids >= 4000);
    desk.fence("/shop");
    assert_eq!((desk.stats("/shop").accepted_ids, desk.stats("/shop").repeats), (4001 + 1, 0));
    desk.wait("(select not behind from frontdesk.endpoints where name = 'shop')");
}

#[test]
fn an_endpoint_added_inactive_gets_everything_once_it_is_resumed() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/shop", "active => false");
    desk.endpoint("other", "/other", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/other");
    desk.run("select frontdesk.alter_endpoint('shop', active => true)");
    assert_eq!(body(&desk.await_request("/shop"))["data"]["name"], "Ada");
}

#[test]
fn a_paused_endpoint_does_not_retry() {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"retry => '{"delays": ["300ms", "300ms", "300ms"]}'"#);
    desk.endpoint("other", "/other", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry)");
    desk.run("select frontdesk.pause_endpoint('shop')");
    desk.fence("/other");
    let before = desk.stats("/toggle/shop").requests;
    desk.run("select pg_sleep(0.8)");
    desk.fence("/other");
    assert_eq!(desk.stats("/toggle/shop").requests, before);
    desk.receiver.toggle("shop", 200);
    desk.run("select frontdesk.resume_endpoint('shop')");
    wait_until("it came after all", || desk.stats("/toggle/shop").accepted_ids >= 1);
}

#[test]
fn what_waits_is_sent_to_the_new_url() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/status/500", r#"retry => '{"delays": ["1s", "1s"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/status/500");
    desk.run(&format!(
        "select frontdesk.alter_endpoint('shop', url => '{}', payload => 'record')",
        desk.receiver.url("/new")
    ));
    assert_eq!(body(&desk.await_request("/new"))["name"], "Ada");
    assert_eq!(desk.requests("/status/500").len(), 1);
}

#[test]
fn an_endpoint_can_be_removed_with_deliveries_outstanding() {
    let desk = Desk::with_leads();
    desk.endpoint("hangs", "/hang", "max_in_flight => 5");
    desk.endpoint("fails", "/status/500", r#"retry => '{"delays": ["100ms", "100ms", "1h"]}'"#);
    desk.endpoint("other", "/other", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 20) n");
    desk.wait("(select count(*) > 0 from frontdesk_internal.retry)");
    desk.await_requests("/hang", 5);
    desk.run("select frontdesk.remove_endpoint('hangs'), frontdesk.remove_endpoint('fails')");
    desk.run("insert into lead values (21, 'Bob')");
    wait_until("the other has all", || desk.stats("/other").accepted_ids == 21);
    desk.wait("(select count(*) = 0 from frontdesk_internal.retry)");
    assert_eq!(desk.state(), "running");
    assert_eq!(desk.stats("/hang").requests, 5);
}

#[test]
fn limits_and_patterns_can_be_changed_while_events_wait() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/shop", "active => false");
    desk.run("insert into lead values (1, 'Ada'); select frontdesk.emit('order.paid')");
    desk.run("select frontdesk.alter_endpoint('shop', events => '{order.*,fence.*}', active => true)");
    desk.fence("/shop");
    assert_eq!(desk.types("/shop"), ["order.paid"]);
}
