//! What a receiver sees of a request, and the caller of a response.

use courier::{Bytes, HeaderName, HeaderValue, Method, is_reserved_header};

use crate::common::{Office, loopback, plain_receiver, post};

#[test]
fn a_request_arrives_as_it_was_given() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    let mut request = post(7, &receiver.url("/hook?a=1&b=%20#part"));
    request.body = Bytes::from_static(b"a\x00\xffb");
    request.headers = vec![
        (HeaderName::from_static("x-one"), HeaderValue::from_static("1")),
        (HeaderName::from_static("x-one"), HeaderValue::from_static("2")),
    ];
    let receipt = office.send(request);
    assert_eq!((receipt.id, receipt.address), (7, Some([127, 0, 0, 1].into())));
    let seen = receiver.last(1).remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/hook?a=1&b=%20"));
    assert_eq!(seen.body, "a\0\u{fffd}b");
    assert_eq!(seen.headers["x-one"], "1, 2");
    assert_eq!(seen.headers["host"], receiver.address().to_string());
    assert_eq!(seen.headers["content-length"], "4");
    assert_eq!(seen.headers["user-agent"], "pg_frontdesk");
    assert_eq!(seen.headers["accept-encoding"], "identity");
    assert_eq!(seen.headers.len(), 5);
}

#[test]
fn headers_that_frame_the_message_cannot_be_set() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    let reserved = [
        ("host", "elsewhere"),
        ("content-length", "100"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "h2c"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("expect", "100-continue"),
        ("keep-alive", "x"),
        ("proxy-connection", "x"),
    ];
    let mut request = post(0, &receiver.url("/ok"));
    request.headers = vec![(HeaderName::from_static("user-agent"), HeaderValue::from_static("mine"))];
    for (name, value) in reserved {
        let name = HeaderName::from_static(name);
        assert!(is_reserved_header(&name), "{name}");
        request.headers.push((name, HeaderValue::from_static(value)));
    }
    office.response(request);
    let seen = receiver.last(1).remove(0);
    assert_eq!(seen.headers.keys().collect::<Vec<_>>(), ["accept-encoding", "content-length", "host", "user-agent"]);
    assert_eq!(seen.headers["user-agent"], "mine");
}

#[test]
fn any_status_is_a_response() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    for status in [200, 201, 204, 304, 400, 404, 410, 429, 500, 503, 599, 999] {
        assert_eq!(office.response(post(0, &receiver.url(&format!("/status/{status}")))).status, status);
    }
    let later = office.response(post(0, &receiver.url("/retry-after/120")));
    assert_eq!((later.status, later.retry_after.as_deref()), (503, Some("120")));
    assert!(later.headers.is_empty());
}

#[test]
fn headers_and_body_are_kept_as_far_as_asked() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    let mut request = post(0, &receiver.url("/ok"));
    request.keep_headers = true;
    let response = office.response(request.clone());
    assert!(response.headers.contains(&("content-type".into(), "application/json".into())));
    assert_eq!((response.body.as_slice(), response.truncated), (&br#"{"ok":true}"#[..], false));
    request.keep = 4;
    let response = office.response(request.clone());
    assert_eq!((response.body.as_slice(), response.truncated), (&br#"{"ok"#[..], true));
    request.keep = 0;
    let response = office.response(request);
    assert_eq!((response.body.len(), response.truncated), (0, true));
    let binary = office.response(post(0, &receiver.url("/binary")));
    assert_eq!(binary.body, b"a\xff\xfe\x00b");
    assert_eq!(office.courier.stats().connections, 1);
}

#[test]
fn every_method_goes_through_but_connect() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let mut request = post(0, &receiver.url("/ok"));
        request.method = method.clone();
        request.body = Bytes::new();
        assert_eq!(office.response(request).status, 200, "{method}");
        assert_eq!(receiver.last(1)[0].method, method.as_str());
    }
    let mut request = post(0, &receiver.url("/ok"));
    request.method = Method::CONNECT;
    assert_eq!(office.failure(request).kind.as_str(), "protocol");
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let (office, receiver) = (Office::open(loopback()), plain_receiver());
    for (status, to) in [(302, "http://169.254.169.254/latest/meta-data/"), (307, "/ok/elsewhere"), (308, "/ok")] {
        let mut request = post(0, &receiver.url(&format!("/redirect/{status}?to={to}")));
        request.keep_headers = true;
        let response = office.response(request);
        assert_eq!(response.status, status);
        assert!(response.headers.contains(&("location".into(), to.into())));
    }
    assert_eq!(receiver.stats().total.requests, 3);
    assert_eq!(receiver.stats().paths.len(), 3);
}
