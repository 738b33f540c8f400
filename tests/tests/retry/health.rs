//! Endpoints that fail: the breaker, the reports, the end.

use tests::{Desk, body, wait_for};

#[test]
fn gone_disables_the_endpoint_and_tells_another() {
    let desk = Desk::with_leads();
    desk.endpoint("leaver", "/gone", "");
    desk.endpoint("ops", "/ops", "events => '{endpoint.*}'");
    desk.run("insert into lead values (1, 'Ada')");
    let report = body(&desk.await_request("/ops"));
    assert_eq!(report["type"], "endpoint.disabled");
    assert_eq!(report["data"]["endpoint"], "leaver");
    desk.wait(
        "(select state = 'disabled' and state_reason like '%410%' from frontdesk.endpoints where name = 'leaver')",
    );
    // Its events are kept until it is active again.
    desk.run("insert into lead values (2, 'Bob')");
    desk.endpoint("other", "/other", "");
    desk.fence("/other");
    assert_eq!(desk.requests("/gone").len(), 1);
    let url = desk.receiver.url("/back");
    desk.run(&format!("select frontdesk.alter_endpoint('leaver', url => '{url}', active => true)"));
    tests::wait_until("both leads came", || {
        let ids: Vec<_> = desk.requests("/back").iter().map(|request| body(request)["data"]["id"].clone()).collect();
        ids.contains(&1.into()) && ids.contains(&2.into())
    });
}

#[test]
fn the_breaker_opens_probes_and_drains() {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"events => '{lead.*}', max_in_flight => 5, retry => '{"delays": ["1s", "1s", "1s", "1s", "1s", "1s", "1s"]}'"#);
    desk.endpoint("ops", "/ops", "events => '{endpoint.*}'");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 60) n");
    let failing = body(&desk.await_request("/ops"));
    assert_eq!(
        (failing["type"].as_str(), failing["data"]["endpoint"].as_str()),
        (Some("endpoint.failing"), Some("shop"))
    );
    desk.wait("(select open_until > now() and failing_since is not null from frontdesk.endpoints where name = 'shop')");
    // Ten failures, and what had left before they were known.
    let before = desk.stats("/toggle/shop").requests;
    assert!((10..=20).contains(&before), "{before} requests before the breaker opened");
    desk.receiver.toggle("shop", 200);
    wait_for("all 60 were delivered", std::time::Duration::from_secs(20), || {
        desk.stats("/toggle/shop").accepted_ids == 60
    });
    desk.await_requests("/ops", 2);
    assert_eq!(body(&desk.requests("/ops")[1])["type"], "endpoint.recovered");
    desk.wait("(select failing_since is null and open_until is null and state = 'active' from frontdesk.endpoints where name = 'shop')");
    assert_eq!(desk.stats("/toggle/shop").needless, 0);
    desk.wait("(select count(*) = 0 from frontdesk_internal.retry)");
}

#[test]
fn while_the_breaker_is_open_one_probe_is_sent_and_no_row_written_per_event() {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"max_in_flight => 1, retry => '{"delays": ["100ms", "1h"]}'"#);
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 10) n");
    desk.wait("(select open_until > now() from frontdesk.endpoints where name = 'shop')");
    let rows = desk.count("frontdesk_internal.retry");
    let requests = desk.stats("/toggle/shop").requests;
    desk.run("insert into lead select n, 'Bob' from generate_series(11, 3000) n");
    desk.endpoint("other", "/other", "");
    desk.fence("/other");
    assert_eq!(desk.count("frontdesk_internal.retry"), rows);
    assert!(desk.count("frontdesk_internal.attempt where succeeded is false") <= 21);
    wait_for("a probe", std::time::Duration::from_secs(12), || desk.stats("/toggle/shop").requests > requests);
    assert_eq!(desk.stats("/toggle/shop").requests, requests + 1);
    let why: String = desk.get(
        "select string_agg(distinct outcome || ': ' || reason, '; ') from frontdesk.explain_event((select max(id) from frontdesk.event where type = 'lead.created')) where endpoint = 'shop'");
    assert!(why.starts_with("pending: "), "{why}");
}

#[test]
fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let desk = Desk::with_leads();
    desk.endpoint("dead", "/status/500", r#"events => '{lead.*}', retry => '{"delays": ["5h"]}'"#);
    desk.endpoint("ops", "/ops", "events => '{endpoint.disabled}'");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select failing_since is not null from frontdesk.endpoints where name = 'dead')");
    let later = |hours: i32| -> String {
        desk.get(&format!(
            "select to_char(now() at time zone 'UTC' + interval '{hours} hours', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        ))
    };
    desk.fake_now(&later(4 * 24));
    desk.run("insert into lead values (2, 'Bob')");
    desk.wait("(select count(*) >= 2 from frontdesk.attempts where endpoint = 'dead')");
    assert_eq!(desk.get::<String>("select state from frontdesk.endpoints where name = 'dead'"), "active");
    desk.fake_now(&later(5 * 24 + 1));
    desk.run("insert into lead values (3, 'Cleo')");
    let report = body(&desk.await_request("/ops"));
    assert_eq!(report["data"]["endpoint"], "dead");
    desk.wait(
        "(select state = 'disabled' and state_reason like '%five days%' from frontdesk.endpoints where name = 'dead')",
    );
}

#[test]
fn an_endpoint_is_not_told_of_its_own_failures() {
    let desk = Desk::with_leads();
    desk.endpoint("all", "/status/500", r#"events => '{*,endpoint.*,delivery.*}', retry => '{"delays": []}'"#);
    desk.endpoint("ops", "/ops", "events => '{delivery.*}'");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ops");
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ops", 2);
    assert_eq!(desk.requests("/status/500").len(), 2);
}

#[test]
fn a_star_does_not_take_the_engine_s_own_events() {
    let desk = Desk::with_leads();
    desk.endpoint("leaver", "/gone", "events => '{lead.*}'");
    desk.endpoint("all", "/all", "events => '{*}'");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk.event where type = 'endpoint.disabled')");
    desk.fence("/all");
    assert_eq!(desk.types("/all"), ["lead.created"]);
}
