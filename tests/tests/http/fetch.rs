//! http_fetch(): the answer now, within the transaction.

use std::time::{Duration, Instant};

use tests::Desk;

#[test]
fn the_answer_comes_at_once() {
    let desk = Desk::open();
    let url = desk.receiver.url("/echo");
    let row = &desk.rows(&format!(
        "select status, convert_from(response_body, 'UTF8'), response_headers->>'content-type', host(address), duration_ms
         from frontdesk.http_fetch('post', '{url}', '{{\"X-A\": \"b\"}}', 'hello')"
    ))[0];
    let body: serde_json::Value = serde_json::from_str(row.get(1)).unwrap();
    assert_eq!(
        (row.get::<_, i32>(0), row.get::<_, &str>(2), row.get::<_, &str>(3)),
        (200, "application/json", "127.0.0.1")
    );
    assert_eq!(
        (body["method"].as_str(), body["body"].as_str(), body["headers"]["x-a"].as_str()),
        (Some("POST"), Some("hello"), Some("b"))
    );
    assert!(row.get::<_, f32>(4) > 0.0);
}

#[test]
fn statement_timeout_ends_it() {
    let desk = Desk::open();
    let started = Instant::now();
    let error = desk.error(&format!(
        "set statement_timeout = '300ms'; select frontdesk.http_fetch('GET', '{}', timeout_ms => 60000)",
        desk.receiver.url("/hang")
    ));
    assert!(error.contains("statement timeout"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn cancel_ends_it() {
    let desk = Desk::open();
    let mut session = desk.session();
    let cancel = session.cancel_token();
    let url = desk.receiver.url("/hang");
    let query = std::thread::spawn(move || {
        session.batch_execute(&format!("select frontdesk.http_fetch('GET', '{url}', timeout_ms => 60000)"))
    });
    desk.await_request("/hang");
    cancel.cancel_query(postgres::NoTls).unwrap();
    tests::wait_until("it has ended", || query.is_finished());
    let error = query.join().unwrap().unwrap_err();
    assert_eq!(error.as_db_error().unwrap().code().code(), "57014");
}

#[test]
fn its_own_timeout_is_an_error_that_says_so() {
    let desk = Desk::open();
    let error =
        desk.error(&format!("select frontdesk.http_fetch('GET', '{}', timeout_ms => 200)", desk.receiver.url("/hang")));
    assert!(error.contains("200 ms") || error.contains("timeout") || error.contains("in time"), "{error}");
}

#[test]
fn refused_addresses_are_refused() {
    let desk = Desk::open();
    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0x0a.1/",
        "http://[fe80::1]/",
        "ftp://example.com/",
    ] {
        let error = desk.error(&format!("select frontdesk.http_fetch('GET', '{url}')"));
        assert!(!error.is_empty(), "{url}");
    }
    let error = desk.error("select frontdesk.http_fetch('GET', 'http://169.254.169.254/')");
    assert!(error.contains("169.254.169.254"), "{error}");
}

#[test]
fn a_long_answer_is_cut() {
    let desk = Desk::open();
    let length: i32 = desk.get(&format!(
        "select length(response_body) from frontdesk.http_fetch('GET', '{}')",
        desk.receiver.url("/big/5000000")
    ));
    assert_eq!(length, 1024 * 1024);
}

#[test]
fn it_is_not_for_everyone() {
    let desk = Desk::open();
    assert!(!desk.get::<bool>(
        "select has_function_privilege('pg_monitor', 'frontdesk.http_fetch(text, text, jsonb, bytea, int)', 'execute')"
    ));
}

#[test]
fn a_receiver_that_misbehaves_is_an_error_and_the_session_goes_on() {
    let desk = Desk::open();
    for path in ["/reset", "/reset/headers", "/reset/body", "/close", "/garbage", "/headers-endless"] {
        desk.error(&format!("select frontdesk.http_fetch('GET', '{}')", desk.receiver.url(path)));
    }
    assert_eq!(
        desk.get::<i32>(&format!("select status from frontdesk.http_fetch('GET', '{}')", desk.receiver.url("/ok"))),
        200
    );
}
