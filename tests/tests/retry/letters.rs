//! Deliveries that were given up.

use tests::{Desk, body, wait_until};

/// A desk with one dead letter: lead 1, for endpoint `shop`, which answers 500 until its toggle is set.
fn desk_with_a_dead_letter() -> Desk {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"retry => '{"delays": ["20ms", "20ms"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters)");
    desk
}

#[test]
fn after_the_last_delay_it_is_a_dead_letter_and_reported() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/status/500", r#"retry => '{"delays": ["20ms", "20ms"]}'"#);
    desk.endpoint("ops", "/ops", "events => '{delivery.exhausted}'");
    desk.run("insert into lead values (1, 'Ada')");
    let report = body(&desk.await_request("/ops"));
    assert_eq!(report["data"]["endpoint"], "shop");
    assert_eq!(report["data"]["event_type"], "lead.created");
    assert_eq!(report["data"]["attempts"], 3);
    assert_eq!(report["data"]["data"]["name"], "Ada");
    assert_eq!(desk.requests("/status/500").len(), 3);
    let row = &desk.rows("select endpoint, type, key, attempts, reason from frontdesk.dead_letters")[0];
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, &str>(2), row.get::<_, i32>(3)),
        ("shop", "lead.created", "1", 3)
    );
    assert!(row.get::<_, &str>(4).contains("500"));
    assert_eq!(desk.get::<i64>("select dead from frontdesk.status()"), 1);
}

#[test]
fn no_delays_at_all_is_one_attempt() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/status/500", r#"retry => '{"delays": []}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters where attempts = 1)");
    assert_eq!(desk.requests("/status/500").len(), 1);
}

#[test]
fn replay_sends_an_event_again_under_the_same_id() {
    let desk = desk_with_a_dead_letter();
    desk.receiver.toggle("shop", 200);
    let id: i64 = desk.get("select event_id from frontdesk.dead_letters");
    assert_eq!(desk.get::<i64>(&format!("select frontdesk.replay({id})")), 1);
    let came = desk.await_requests("/toggle/shop", 4);
    assert!(came.iter().all(|request| request.id == came[0].id));
    desk.wait("(select count(*) = 1 from frontdesk.delivery where state = 'delivered')");
    assert_eq!(desk.count("frontdesk.dead_letters") + desk.count("frontdesk_internal.retry"), 0);
}

#[test]
fn replay_to_an_endpoint_that_was_made_later() {
    let desk = Desk::with_leads();
    desk.run("insert into lead values (1, 'Ada')");
    desk.endpoint("late", "/late", "events => '{order.*}'");
    let id: i64 = desk.get("select max(id) from frontdesk.event");
    assert_eq!(desk.get::<i64>(&format!("select frontdesk.replay({id}, 'late')")), 1);
    assert_eq!(body(&desk.await_request("/late"))["data"]["name"], "Ada");
}

#[test]
fn replay_of_a_time_span_sends_its_dead_letters() {
    let desk = desk_with_a_dead_letter();
    desk.run("insert into lead values (2, 'Bob')");
    desk.wait("(select count(*) = 2 from frontdesk.dead_letters)");
    desk.receiver.toggle("shop", 200);
    desk.run("insert into lead values (3, 'Cleo')");
    wait_until("Cleo came", || desk.stats("/toggle/shop").accepted_ids == 1);
    assert_eq!(desk.get::<i64>("select frontdesk.replay('shop', now() - interval '1 hour')"), 2);
    wait_until("the dead letters came", || desk.stats("/toggle/shop").accepted_ids == 3);
    assert_eq!(desk.stats("/toggle/shop").needless, 0);
    assert_eq!(desk.get::<i64>("select frontdesk.replay('shop', now() - interval '1 hour', only_failed => false)"), 3);
    wait_until("all came again", || desk.stats("/toggle/shop").needless == 3);
    assert_eq!(
        desk.get::<i64>(
            "select frontdesk.replay('shop', now() - interval '2 hours', now() - interval '1 hour', false)"
        ),
        0
    );
}

#[test]
fn discard_forgets() {
    let desk = desk_with_a_dead_letter();
    desk.run("insert into lead values (2, 'Bob')");
    desk.wait("(select count(*) = 2 from frontdesk.dead_letters)");
    let id: i64 = desk.get("select min(event_id) from frontdesk.dead_letters");
    assert_eq!(desk.get::<i64>(&format!("select frontdesk.discard({id})")), 1);
    assert_eq!(desk.get::<i64>("select frontdesk.discard('shop')"), 1);
    assert_eq!(desk.count("frontdesk.dead_letters"), 0);
}

#[test]
fn discard_stops_what_waits_for_a_retry() {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"retry => '{"delays": ["1s"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry)");
    assert_eq!(desk.get::<i64>("select frontdesk.discard('shop')"), 1);
    desk.receiver.toggle("shop", 200);
    // Due a second after the first attempt at the latest 1.2 s: a later event shows that the moment has passed.
    desk.run("select pg_sleep(1.3)");
    desk.fence("/toggle/shop");
    assert_eq!(desk.types("/toggle/shop").len(), 1);
}
