//! Who gets what.

use tests::{Desk, body};

#[test]
fn patterns_choose_by_type() {
    let desk = Desk::open();
    for (name, patterns) in
        [("all", "{*}"), ("lead", "{lead.*}"), ("one", "{booking.*.cancelled}"), ("two", "{lead.won,deal.won}")]
    {
        desk.endpoint(
            name,
            &format!("/{name}"),
            &format!("events => '{{fence.up,{}}}', max_in_flight => 1", &patterns[1..patterns.len() - 1]),
        );
    }
    for kind in ["lead.won", "lead.lost.again", "booking.flights.cancelled", "booking.cancelled", "deal.won"] {
        desk.run(&format!("select frontdesk.emit('{kind}')"));
    }
    for name in ["all", "lead", "one", "two"] {
        desk.fence(&format!("/{name}"));
    }
    assert_eq!(
        desk.types("/all"),
        ["lead.won", "lead.lost.again", "booking.flights.cancelled", "booking.cancelled", "deal.won"]
    );
    assert_eq!(desk.types("/lead"), ["lead.won", "lead.lost.again"]);
    assert_eq!(desk.types("/one"), ["booking.flights.cancelled"]);
    assert_eq!(desk.types("/two"), ["lead.won", "deal.won"]);
}

#[test]
fn a_filter_looks_into_the_event() {
    let desk = Desk::with_leads();
    desk.endpoint(
        "won",
        "/won",
        r#"events => '{lead.*}', filter => '{"op": "update", "new.state": "won", "old.state": {"$ne": "won"}}'"#,
    );
    desk.endpoint("all", "/all", "max_in_flight => 1");
    desk.run("insert into lead values (1, 'Ada', 'won')");
    desk.run("insert into lead values (2, 'Bob', 'new')");
    desk.run("update lead set name = 'B.' where id = 2");
    desk.run("update lead set state = 'won'");
    assert_eq!(body(&desk.await_request("/won"))["data"]["id"], 2);
    desk.fence("/all");
    assert_eq!(desk.types("/won").len(), 1);
    assert_eq!(desk.types("/all").len(), 5);
}

#[test]
fn an_endpoint_of_a_tenant_gets_its_events_only() {
    let desk = Desk::open();
    let (mine, other) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
    desk.run(
        "create table lead (id int primary key, org uuid); select frontdesk.watch('lead', tenant_column => 'org')",
    );
    desk.endpoint("mine", "/mine", &format!("events => '{{lead.*}}', tenant => '{mine}'"));
    desk.endpoint("all", "/all", "");
    desk.run(&format!("insert into lead values (1, '{other}'), (2, '{mine}'), (3, null)"));
    assert_eq!(body(&desk.await_request("/mine"))["data"]["id"], 2);
    desk.await_requests("/all", 3);
    desk.fence("/all");
    assert_eq!(desk.requests("/mine").len(), 1);
}

#[test]
fn a_state_column_names_the_event() {
    let desk = Desk::open();
    desk.run("create table booking (id int primary key, state text, note text)");
    desk.run("select frontdesk.watch('booking', state_column => 'state')");
    desk.endpoint("crm", "/ok", "max_in_flight => 1");
    desk.run("insert into booking values (1, 'asked')");
    desk.run("update booking set note = 'window seat'");
    desk.run("update booking set state = 'confirmed'");
    desk.run("delete from booking");
    desk.await_requests("/ok", 4);
    assert_eq!(desk.types("/ok"), ["booking.created", "booking.updated", "booking.confirmed", "booking.deleted"]);
}

#[test]
fn an_endpoint_gets_nothing_older_than_itself() {
    let desk = Desk::with_leads();
    desk.run("insert into lead values (1, 'before')");
    desk.endpoint("late", "/ok", "");
    desk.run("insert into lead values (2, 'after')");
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "after");
    desk.fence("/ok");
    assert_eq!(desk.types("/ok").len(), 1);
    let why: String = desk.get("select outcome from frontdesk.explain_event((select min(id) from frontdesk.event))");
    assert_eq!(why, "made later");
}

#[test]
fn an_event_committed_after_an_endpoint_was_made_is_for_it_though_recorded_before() {
    let desk = Desk::with_leads();
    let mut early = desk.session();
    let mut transaction = early.transaction().unwrap();
    transaction.batch_execute("insert into lead values (1, 'Ada')").unwrap();
    desk.endpoint("crm", "/ok", "");
    transaction.commit().unwrap();
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "Ada");
}

#[test]
fn what_automations_caused_in_too_many_steps_is_recorded_only() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("set frontdesk.depth = 9; insert into lead values (1, 'too deep'); set frontdesk.depth = 8; insert into lead values (2, 'deep'); reset frontdesk.depth");
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "deep");
    desk.fence("/ok");
    assert_eq!(desk.types("/ok").len(), 1);
    assert_eq!(desk.count("frontdesk.event where depth = 9"), 1);
}

#[test]
fn test_endpoint_reaches_one_endpoint_whatever_its_patterns() {
    let desk = Desk::open();
    desk.endpoint("one", "/one", r#"events => '{lead.*}', filter => '{"op": "never"}'"#);
    desk.endpoint("two", "/two", "");
    desk.run("select frontdesk.test_endpoint('one', '{\"hello\": \"you\"}')");
    let body = body(&desk.await_request("/one"));
    assert_eq!((body["type"].as_str(), body["data"]["hello"].as_str()), (Some("endpoint.test"), Some("you")));
    desk.fence("/two");
    assert_eq!(desk.types("/two").len(), 0);
}

#[test]
fn the_seed_s_names_deliver() {
    let desk = Desk::open();
    let url = desk.receiver.url("/seed");
    desk.run(&format!("insert into frontdesk.webhook_configs (name, url, events, secret) values ('seed', '{url}', '{{order.*}}', 'a secret of the seed')"));
    desk.run("select frontdesk.send_webhook_with_retry('seed', 'order.paid', '{\"id\": 7}')");
    assert_eq!(body(&desk.await_request("/seed"))["data"]["id"], 7);
    desk.wait(
        "(select count(*) = 1 from frontdesk.webhook_logs where response_status = 200 and event_type = 'order.paid')",
    );
    desk.run("update frontdesk.webhook_configs set is_active = false where name = 'seed'");
    assert_eq!(desk.get::<String>("select state from frontdesk.endpoints where name = 'seed'"), "paused");
}
