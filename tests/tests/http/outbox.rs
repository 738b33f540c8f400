//! http_post() and friends: sent after the commit, the answer kept.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Desk, receiver, wait_for};

/// Makes a request and waits for its answer: status, body, error.
fn ask(desk: &Desk, call: &str) -> (Option<i32>, Option<String>, Option<String>) {
    let id: i64 = desk.get(&format!("select frontdesk.{call}"));
    let row = &desk.rows(&format!("select status, body, error from frontdesk.await_response({id})"))[0];
    (row.get(0), row.get(1), row.get(2))
}

fn echo(desk: &Desk, call: &str) -> Value {
    let (status, body, error) = ask(desk, &call.replace("URL", &format!("'{}'", desk.receiver.url("/echo?a=b"))));
    assert_eq!((status, error), (Some(200), None));
    serde_json::from_str(&body.unwrap()).unwrap()
}

#[test]
fn every_method_is_sent() {
    let desk = Desk::open();
    let post = echo(&desk, "http_post(URL, '{\"a\": 1}', '{\"X-One\": \"1\"}')");
    assert_eq!((&post["method"], &post["path"]), (&json!("POST"), &json!("/echo?a=b")));
    assert_eq!(post["headers"]["content-type"], "application/json");
    assert_eq!(post["headers"]["x-one"], "1");
    assert_eq!(serde_json::from_str::<Value>(post["body"].as_str().unwrap()).unwrap(), json!({"a": 1}));
    assert_eq!(echo(&desk, "http_get(URL)")["method"], "GET");
    assert_eq!(echo(&desk, "http_put(URL, '[]')")["method"], "PUT");
    assert_eq!(echo(&desk, "http_patch(URL, '[]')")["method"], "PATCH");
    assert_eq!(echo(&desk, "http_delete(URL)")["method"], "DELETE");
    let form = echo(
        &desk,
        "http_request('post', URL, 'a=1&b=2', '{\"Content-Type\": \"application/x-www-form-urlencoded\"}')",
    );
    assert_eq!(
        (&form["body"], &form["headers"]["content-type"]),
        (&json!("a=1&b=2"), &json!("application/x-www-form-urlencoded"))
    );
}

#[test]
fn nothing_is_sent_for_a_transaction_that_is_rolled_back() {
    let desk = Desk::open();
    desk.run(&format!("begin; select frontdesk.http_post('{}'); rollback", desk.receiver.url("/never")));
    echo(&desk, "http_get(URL)");
    assert!(desk.requests("/never").is_empty());
}

#[test]
fn any_status_is_an_answer() {
    let desk = Desk::open();
    for status in [404, 500, 302] {
        let url = desk.receiver.url(&format!("/status/{status}"));
        assert_eq!(ask(&desk, &format!("http_get('{url}')")).0, Some(status));
        assert_eq!(desk.requests(&format!("/status/{status}")).len(), 1);
    }
    assert_eq!(desk.count("frontdesk_internal.retry") + desk.count("frontdesk_internal.dead_letter"), 0);
}

#[test]
fn a_request_is_signed_as_an_endpoint_s_are() {
    let desk = Desk::open();
    let secret = desk.endpoint("crm", "/ok", "events => '{none.such}'");
    let sent = echo(&desk, "http_post(URL, '{\"a\": 1}', sign_with => 'crm')");
    let headers = sent["headers"].to_string();
    let body = sent["body"].as_str().unwrap();
    assert!(desk.get::<bool>(&format!(
        "select frontdesk.verify_webhook('{secret}', $h${headers}$h$, convert_to($b${body}$b$, 'UTF8'))"
    )));
}

#[test]
fn bodies_are_bytes() {
    let desk = Desk::open();
    let url = desk.receiver.url("/binary");
    let id: i64 = desk.get(&format!(r"select frontdesk.http_request('PUT', '{url}', '\x00ff0041')"));
    let row = &desk.rows(&format!("select status, body from frontdesk.await_response({id})"))[0];
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (200, "a\u{fffd}\u{fffd}\u{fffd}b"));
    let bytes: Vec<u8> = desk.get("select response_body from frontdesk_internal.attempt");
    assert_eq!(bytes, b"a\xff\xfe\x00b");
    let came = desk.await_request("/binary");
    assert_eq!((came.headers["content-length"].as_str(), came.body.as_str()), ("4", "\0\u{fffd}\0A"));
}

#[test]
fn credentials_in_headers_are_sent_and_not_readable() {
    let desk = Desk::open();
    let sent = echo(
        &desk,
        "http_get(URL, '{\"Authorization\": \"Bearer t0p-s3cret\", \"X-Api-Key\": \"k3y-of-mine\", \"X-Plain\": \"plain\"}')",
    );
    let arrived = &desk.await_request("/echo?a=b").headers;
    assert_eq!(arrived["authorization"], "Bearer t0p-s3cret");
    assert_eq!(arrived["x-api-key"], "k3y-of-mine");
    assert_eq!(arrived["x-plain"], "plain");
    // A receiver that answers with what it was sent shows nobody the credentials that were in it.
    assert_eq!(sent["headers"]["authorization"], "********");
    assert_eq!(sent["headers"]["x-api-key"], "********");
    assert_eq!(sent["headers"]["x-plain"], "plain");
    let log: String = desk.get("select string_agg(e::text, ' ') from frontdesk.event e");
    assert!(log.contains("plain") && !log.contains("t0p-s3cret") && !log.contains("k3y-of-mine"), "{log}");
}

#[test]
fn response_headers_are_kept() {
    let desk = Desk::open();
    let url = desk.receiver.url("/redirect?to=http://elsewhere/");
    let id: i64 = desk.get(&format!("select frontdesk.http_get('{url}')"));
    let row = &desk.rows(&format!("select status, headers from frontdesk.await_response({id})"))[0];
    assert_eq!((row.get::<_, i32>(0), row.get::<_, Value>(1)["location"].clone()), (302, json!("http://elsewhere/")));
}

#[test]
fn a_receiver_that_is_not_there_yet_is_tried_again() {
    let desk = Desk::open();
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let id: i64 = desk.get(&format!("select frontdesk.http_post('http://127.0.0.1:{port}/up')"));
    desk.wait(&format!("(select error like 'connect:%' from frontdesk.response({id}))"));
    let options = receiver::Options { listen: ([127, 0, 0, 1], port).into(), ..Default::default() };
    let late = receiver::Receiver::spawn(options).unwrap();
    wait_for("the answer", Duration::from_secs(15), || {
        desk.get(&format!("select coalesce((select status = 200 from frontdesk.response({id})), false)"))
    });
    assert_eq!(late.stats().total.accepted, 1);
    assert_eq!(desk.count("frontdesk_internal.retry"), 0);
}

#[test]
fn what_never_succeeds_becomes_a_dead_letter_with_its_error() {
    let desk = Desk::open();
    // A port where nobody listens, and a request that is not repeated: garbage is a failure like a refused connection.
    let id: i64 = desk.get(&format!("select frontdesk.http_get('{}')", desk.receiver.url("/garbage")));
    desk.wait(&format!("(select error like 'protocol:%' from frontdesk.response({id}))"));
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry where endpoint_id = 0)");
    assert_eq!(desk.get::<i64>(&format!("select frontdesk.discard({id})")), 1);
}

#[test]
fn waiting_for_an_answer_has_an_end() {
    let desk = Desk::open();
    let id: i64 =
        desk.get(&format!("select frontdesk.http_get('{}', timeout_ms => 30000)", desk.receiver.url("/hang")));
    assert_eq!(desk.rows(&format!("select * from frontdesk.await_response({id}, '300 ms')")).len(), 0);
    assert!(
        desk.error(&format!(
            "begin; select frontdesk.await_response(frontdesk.http_get('{}'))",
            desk.receiver.url("/ok")
        ))
        .contains("commit")
    );
    desk.run("rollback");
}

#[test]
fn a_host_that_hangs_delays_no_other() {
    let desk = Desk::open();
    let other = receiver();
    desk.run(&format!(
        "select frontdesk.http_get('{}', timeout_ms => 60000) from generate_series(1, 300)",
        desk.receiver.url("/hang")
    ));
    desk.run(&format!("select frontdesk.http_get('{}') from generate_series(1, 300)", other.url("/ok")));
    tests::wait_until("the other answered all", || other.stats().total.accepted == 300);
    assert_eq!(desk.stats("/hang").requests, 64);
}

#[test]
fn others_may_not_read_an_answer() {
    let desk = Desk::open();
    let id: i64 = desk.get(&format!("select frontdesk.http_get('{}')", desk.receiver.url("/ok")));
    desk.run(&format!(
        "create role stranger_{0}; grant execute on function frontdesk.response(bigint) to stranger_{0}",
        desk.name
    ));
    let mut session = desk.session();
    session.batch_execute(&format!("set session authorization stranger_{}", desk.name)).unwrap();
    let error = session.query(&format!("select * from frontdesk.response({id})"), &[]).unwrap_err();
    assert_eq!(error.as_db_error().unwrap().code().code(), "42501");
    drop(session);
    desk.run(&format!("drop owned by stranger_{0}; drop role stranger_{0}", desk.name));
}

#[test]
fn an_address_that_must_not_be_called_is_the_response_and_no_error() {
    let desk = Desk::open();
    desk.run(
        "create table orders (id int primary key, url text);
         create function tell() returns trigger language plpgsql as
           $$ begin perform frontdesk.http_post(new.url); return new; end $$;
         create trigger tell after insert on orders for each row execute function tell();
         insert into orders values (1, 'http://169.254.169.254/latest/meta-data/')",
    );
    assert_eq!(desk.count("orders"), 1);
    let id: i64 = desk.get("select max(id) from frontdesk.event where type = 'http.request'");
    let row = &desk.rows(&format!("select status, error from frontdesk.await_response({id})"))[0];
    let (status, error): (Option<i32>, Option<String>) = (row.get(0), row.get(1));
    assert_eq!(status, None);
    assert!(error.as_ref().is_some_and(|error| error.contains("169.254.169.254")), "{error:?}");
}
