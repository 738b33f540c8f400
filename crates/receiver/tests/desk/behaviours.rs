//! What the paths do.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{ask, body, exchange, post, receiver};

#[test]
fn ordinary_answers() {
    let receiver = receiver();
    let get = |path: &str| ask(receiver.address(), "GET", path, &[], "");
    for (path, status) in [("/", 200), ("/ok/a/b", 200), ("/hook?x=1", 200), ("/status/404", 404), ("/gone", 410)] {
        assert_eq!(get(path).0, status, "{path}");
    }
    assert_eq!(body(&get("/ok").1), r#"{"ok":true}"#);
    assert!(get("/retry-after/30").1.contains("retry-after: 30\r\n"));
    assert!(get("/retry-after/Wed,%2021%20Oct%202065%2007:28:00%20GMT").1.contains("retry-after: Wed, 21 Oct 2065"));
    let (status, text) = get("/redirect?to=http%3A%2F%2F10.0.0.1%2F");
    assert_eq!(status, 302);
    assert!(text.contains("location: http://10.0.0.1/\r\n"));
    assert_eq!(body(&get("/big/100000").1).len(), 100_000);
    assert_eq!(body(&get("/big/0").1).len(), 0);
}

#[test]
fn delay_takes_its_time() {
    let receiver = receiver();
    let begun = Instant::now();
    assert_eq!(ask(receiver.address(), "POST", "/delay/150", &[], "").0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[test]
fn the_first_ones_fail_per_tag_or_per_id() {
    let receiver = receiver();
    let statuses = |path: &str, ids: &[&str]| ids.iter().map(|id| post(&receiver, path, id)).collect::<Vec<_>>();
    assert_eq!(statuses("/fail-first/2/a", &["1", "2", "3", "4"]), [500, 500, 200, 200]);
    assert_eq!(statuses("/fail-first/1/b", &["1", "2"]), [500, 200]);
    assert_eq!(statuses("/fail-first-each/1", &["1", "2", "1", "2", "1"]), [500, 500, 200, 200, 200]);
    let (_, text) = ask(receiver.address(), "POST", "/fail-first/1/c?retry-after=2", &[], "");
    assert!(text.contains("retry-after: 2\r\n"));
}

#[test]
fn echo_says_what_came() {
    let receiver = receiver();
    let (_, text) = ask(receiver.address(), "PUT", "/echo?x=y", &[("webhook-id", "msg_1"), ("x-a", "b")], "hello");
    let echo: receiver::Record = serde_json::from_str(body(&text)).unwrap();
    assert_eq!((echo.method.as_str(), echo.path.as_str(), echo.body.as_str()), ("PUT", "/echo?x=y", "hello"));
    assert_eq!((echo.id.as_deref(), echo.headers["x-a"].as_str()), (Some("msg_1"), "b"));
}

#[test]
fn broken_receivers_break() {
    let receiver = receiver();
    let get = |path: &str| exchange(receiver.address(), "GET", path, &[], "");
    assert_eq!(get("/reset").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(get("/reset/headers").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(get("/reset/body").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(get("/close").unwrap(), "");
    assert!(!get("/garbage").unwrap().starts_with("HTTP"));
    assert_eq!(receiver.stats().total.requests, 5);
    assert_eq!(receiver.stats().total.accepted, 0);
}

#[test]
fn what_never_ends_can_be_left() {
    let receiver = receiver();
    for path in ["/hang", "/drip/5", "/headers-endless"] {
        let mut stream = TcpStream::connect(receiver.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        let mut start = [0; 2000];
        let read = stream.read(&mut start);
        assert_eq!(read.is_err(), path == "/hang", "{path}");
    }
    assert_eq!(post(&receiver, "/ok", "1"), 200);
}

#[test]
fn a_connection_serves_many_requests_even_pipelined() {
    let receiver = receiver();
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /status/201 HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    }
    stream.write_all(b"GET /ok HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!((text.matches("HTTP/1.1 201").count(), text.matches("HTTP/1.1 200").count()), (3, 1));
}
