//! One delivery, tried until it succeeds.

use std::time::{Duration, SystemTime};

use tests::Desk;

/// Seconds between the arrivals of two requests.
fn gaps(desk: &Desk, path: &str) -> Vec<f64> {
    let at: Vec<u64> = desk.requests(path).iter().map(|request| request.at_unix_us).collect();
    at.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect()
}

#[test]
fn it_is_tried_again_under_the_same_id() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/fail-first/2/a", r#"retry => '{"delays": ["200ms", "400ms", "1m"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    let came = desk.await_requests("/fail-first/2/a", 3);
    assert!(came.iter().all(|request| request.id == came[0].id && request.body == came[0].body));
    let gaps = gaps(&desk, "/fail-first/2/a");
    assert!((0.16..1.0).contains(&gaps[0]) && (0.32..1.2).contains(&gaps[1]), "{gaps:?}");
    desk.wait("(select count(*) = 1 from frontdesk.delivery where state = 'delivered' and attempts = 3)");
    let statuses: Vec<i16> = desk.list("select status from frontdesk.attempts order by id");
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(desk.count("frontdesk_internal.retry"), 0);
}

#[test]
fn a_retry_is_signed_at_its_own_time() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/fail-first/1/a", r#"retry => '{"delays": ["1500ms"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    let came = desk.await_requests("/fail-first/1/a", 2);
    assert_ne!(came[0].timestamp, came[1].timestamp);
    assert_ne!(came[0].headers["webhook-signature"], came[1].headers["webhook-signature"]);
}

#[test]
fn the_default_delays_begin_with_five_seconds() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/status/500", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry)");
    let delay: f64 = desk.get(
        "select extract(epoch from r.due_at - a.started_at)::float8 from frontdesk_internal.retry r join frontdesk_internal.attempt a using (event_id)");
    assert!((3.9..6.5).contains(&delay), "{delay}");
}

#[test]
fn retry_after_in_seconds_is_waited_for() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/fail-first/1/a?retry-after=2", r#"retry => '{"delays": ["10ms"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_requests("/fail-first/1/a?retry-after=2", 2);
    let gaps = gaps(&desk, "/fail-first/1/a?retry-after=2");
    assert!((1.9..4.0).contains(&gaps[0]), "{gaps:?}");
}

#[test]
fn retry_after_as_a_date_is_waited_for() {
    let desk = Desk::with_leads();
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(3600);
    let date: String = desk.get(&format!(
        r#"select to_char(to_timestamp({}) at time zone 'UTC', 'Dy, DD Mon YYYY HH24:MI:SS "GMT"')"#,
        seconds.as_secs()
    ));
    let path = format!("/retry-after/{}", date.replace(' ', "%20"));
    desk.endpoint("crm", &path, r#"retry => '{"delays": ["10ms"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request(&path);
    desk.wait("(select due_at between now() + '58 min' and now() + '61 min' from frontdesk_internal.retry)");
}

#[test]
fn a_receiver_that_has_too_much_is_left_alone_for_a_while() {
    for status in [429, 503] {
        let desk = Desk::with_leads();
        let path = "/toggle/busy";
        desk.receiver.toggle("busy", status);
        desk.endpoint(
            "crm",
            path,
            r#"max_in_flight => 1, retry => '{"delays": ["100ms", "100ms", "100ms", "100ms", "100ms"]}'"#,
        );
        desk.run("insert into lead select n, 'Ada' from generate_series(1, 20) n");
        desk.await_request(path);
        desk.receiver.toggle("busy", 200);
        desk.await_requests(path, 21);
        let gaps = gaps(&desk, path);
        assert!((0.9..3.0).contains(&gaps[0]), "the endpoint, not the delivery alone, waits a second: {gaps:?}");
        let failing: i64 = desk.get("select count(*) from frontdesk.event where type = 'endpoint.failing'");
        assert_eq!(failing, 0, "a throttle is no failure of the endpoint");
    }
}

#[test]
fn only_2xx_is_success_and_redirects_are_not_followed() {
    let desk = Desk::with_leads();
    let target = desk.receiver.url("/target");
    let redirect = format!("/redirect/307?to={target}");
    desk.endpoint("redirected", &redirect, "");
    desk.endpoint("created", "/status/201", "");
    desk.endpoint("not_modified", "/status/304", "");
    desk.endpoint("teapot", "/status/418", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 4 from frontdesk_internal.attempt)");
    let failed: Vec<String> = desk.list(
        "select endpoint || ' ' || status || ' ' || error from frontdesk.attempts where not succeeded order by 1",
    );
    assert_eq!(failed, ["not_modified 304 status", "redirected 307 status", "teapot 418 status"]);
    assert!(desk.requests("/target").is_empty());
}

#[test]
fn an_attempt_says_what_happened() {
    let desk = Desk::with_leads();
    desk.endpoint("ok", "/ok", "");
    desk.endpoint("big", "/big/20000", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 2 from frontdesk_internal.attempt)");
    let row = &desk.rows("select status, response, host(address), duration_ms, started_at <= clock_timestamp() from frontdesk.attempts where endpoint = 'ok'")[0];
    assert_eq!(
        (row.get::<_, i16>(0), row.get::<_, &str>(1), row.get::<_, &str>(2)),
        (200, "{\"ok\":true}", "127.0.0.1")
    );
    assert!(row.get::<_, f32>(3) > 0.0 && row.get::<_, bool>(4));
    assert_eq!(desk.get::<i32>("select length(response) from frontdesk.attempts where endpoint = 'big'"), 4096);
}
