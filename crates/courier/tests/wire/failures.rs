//! Each way in which an exchange can break, and what it is called.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use courier::FailureKind::{self, *};
use courier::{Bytes, Config};

use crate::common::{Office, failure_of, loopback, plain_receiver, post, read_request, server};

fn broken(path: &str) -> (FailureKind, String) {
    let receiver = plain_receiver();
    let failed = failure_of(post(0, &receiver.url(path)));
    // never sent again by itself: the connection was new
    assert_eq!(receiver.stats().total.requests, 1);
    failed
}

#[test]
fn reset_at_each_stage() {
    let (kind, detail) = broken("/reset");
    assert_eq!((kind, detail.as_str()), (Reset, "the connection was reset before it answered"));
    let (kind, detail) = broken("/reset/headers");
    assert_eq!((kind, detail.as_str()), (Reset, "the connection was reset before it answered"));
    let (kind, detail) = broken("/reset/body");
    let expected = "the connection was reset while sending the body of its response (status 200)";
    assert_eq!((kind, detail.as_str()), (Reset, expected));
    let (kind, detail) = broken("/close");
    assert_eq!((kind, detail.as_str()), (Reset, "the receiver closed the connection before it answered"));
}

#[test]
fn garbage_is_not_http() {
    let (kind, detail) = broken("/garbage");
    assert_eq!(kind, Protocol);
    assert!(detail.starts_with("not an HTTP/1.1 response"), "{detail}");
}

#[test]
fn endless_headers_are_cut_off() {
    let (kind, detail) = broken("/headers-endless");
    assert_eq!(kind, ResponseTooLarge, "{detail}");
}

#[test]
fn informational_answers_without_end_run_into_the_timeout() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut request = post(0, &format!("http://{address}/"));
    request.timeout = Duration::from_millis(300);
    assert_eq!(failure_of(request).0, Timeout);
}

#[test]
fn an_upgrade_nobody_asked_for_is_just_a_status() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nxx");
    });
    let office = Office::open(loopback());
    let receipt = office.send(post(0, &format!("http://{address}/")));
    assert!(matches!(receipt.result, Ok(ref response) if response.status == 101) || receipt.result.is_err());
    office.until("closed", |courier| courier.stats().connections == 0);
}

#[test]
fn no_answer_is_a_timeout_in_time() {
    let receiver = plain_receiver();
    for (path, expected) in [
        ("/hang", "no response headers within 300 ms"),
        ("/delay/60000", "no response headers within 300 ms"),
        ("/drip/20", "status 200 but no complete body within 300 ms"),
    ] {
        let mut request = post(0, &receiver.url(path));
        request.timeout = Duration::from_millis(300);
        let begun = Instant::now();
        let (kind, detail) = failure_of(request);
        assert_eq!((kind, detail.as_str()), (Timeout, expected));
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn a_receiver_that_never_reads_is_a_timeout() {
    let address = server(|_, stream| std::mem::forget(stream));
    let mut request = post(0, &format!("http://{address}/"));
    request.body = Bytes::from(vec![b'x'; 64 << 20]);
    request.timeout = Duration::from_millis(500);
    assert_eq!(failure_of(request).0, Timeout);
}

#[test]
fn a_huge_response_is_read_up_to_the_limit() {
    let receiver = plain_receiver();
    let office = Office::open(Config { max_response_bytes: 100_000, ..loopback() });
    let begun = Instant::now();
    let response = office.response(post(0, &receiver.url("/big/100000000")));
    assert_eq!((response.status, response.body.len(), response.truncated), (200, 4096, true));
    let mut request = post(0, &receiver.url("/big/100000000"));
    request.keep = usize::MAX;
    let response = office.response(request);
    assert_eq!((response.body.len(), response.truncated), (100_000, true));
    assert!(begun.elapsed() < Duration::from_secs(3));
    // the rest is still on its way: these connections are of no more use
    office.until("closed", |courier| courier.stats().connections == 0);
    let mut request = post(0, &receiver.url("/big/100000"));
    request.keep = usize::MAX;
    let response = office.response(request);
    assert_eq!((response.body.len(), response.truncated), (100_000, false));
    office.until("kept", |courier| courier.stats().idle == 1);
}

#[test]
fn an_endless_chunked_response_is_read_up_to_the_limit() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"a\r\n0123456789\r\n").is_ok() {}
    });
    let office = Office::open(Config { max_response_bytes: 50_000, ..loopback() });
    let response = office.response(post(0, &format!("http://{address}/")));
    assert_eq!((response.status, response.body.len(), response.truncated), (200, 4096, true));
}

#[test]
fn a_broken_chunk_is_refused() {
    for body in ["zz\r\nab\r\n", "ffffffffffffffffff\r\nab", "2\r\nabc\r\n0\r\n\r\n"] {
        let address = server(move |_, mut stream| {
            read_request(&mut stream);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        });
        let (kind, detail) = failure_of(post(0, &format!("http://{address}/")));
        assert_eq!(kind, Protocol, "{detail}");
    }
}

#[test]
fn nobody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (kind, detail) = failure_of(post(0, &format!("http://{address}/")));
    assert_eq!(kind, Connect);
    assert_eq!(detail, format!("could not connect to {address}: Connection refused"));
}

#[test]
fn a_listener_that_does_not_accept_is_a_connect_timeout() {
    // a full backlog: further connects hang
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let office = Office::open(loopback());
    let requests = (0..10).map(|id| {
        let mut request = post(id, &format!("http://{address}/"));
        request.timeout = Duration::from_millis(400);
        request
    });
    let receipts = office.send_all(requests.collect());
    let timed_out = receipts.iter().filter(|r| r.result.as_ref().is_err_and(|f| f.kind == ConnectTimeout)).count();
    assert!(timed_out >= 5, "{receipts:?}");
    assert!(receipts.iter().all(|r| r.result.as_ref().is_err_and(|f| f.kind == ConnectTimeout || f.kind == Timeout)));
}

#[test]
fn kinds_have_names() {
    let kinds = [
        (Dns, "dns"),
        (AddressRefused, "address_refused"),
        (Connect, "connect"),
        (ConnectTimeout, "connect_timeout"),
        (Tls, "tls"),
        (Timeout, "timeout"),
        (Reset, "reset"),
        (Protocol, "protocol"),
        (ResponseTooLarge, "response_too_large"),
        (Io, "io"),
        (Shutdown, "shutdown"),
        (Interrupted, "interrupted"),
    ];
    for (kind, name) in kinds {
        assert_eq!(kind.as_str(), name);
    }
}
