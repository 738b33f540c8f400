//! Connections are used again, and a stale one costs nothing.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use courier::Config;
use courier::FailureKind::Reset;

use crate::common::{Office, loopback, plain_receiver, post, read_request, server};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn one_after_the_other_share_a_connection() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = accepted.clone();
    let address = server(move |_, mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::spawn(move || {
            while read_request(&mut stream).is_some() {
                stream.write_all(OK).unwrap();
            }
        });
    });
    let office = Office::open(loopback());
    for id in 0..50 {
        assert_eq!(office.response(post(id, &format!("http://{address}/"))).body, b"ok");
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
    office.until("idle", |courier| (courier.stats().connections, courier.stats().idle) == (1, 1));
}

#[test]
fn connection_close_is_honoured() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        // stays open: it is the client that must not use it again
        std::mem::forget(stream);
    });
    let office = Office::open(loopback());
    for id in 0..3 {
        assert_eq!(office.response(post(id, &format!("http://{address}/"))).status, 200);
        office.until("closed", |courier| courier.stats().connections == 0);
    }
}

#[test]
fn an_idle_connection_that_the_receiver_closes_is_let_go() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
    });
    let office = Office::open(loopback());
    for id in 0..3 {
        assert_eq!(office.response(post(id, &format!("http://{address}/"))).status, 200);
        office.until("closed", |courier| courier.stats().connections == 0);
    }
}

#[test]
fn a_kept_connection_that_breaks_before_the_answer_is_replaced_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    // each connection answers once, reads a second request and closes
    let address = server(move |_, mut stream| {
        let counter = counter.clone();
        std::thread::spawn(move || {
            if read_request(&mut stream).is_some() {
                counter.fetch_add(1, Ordering::Relaxed);
                stream.write_all(OK).unwrap();
                counter.fetch_add(usize::from(read_request(&mut stream).is_some()), Ordering::Relaxed);
            }
        });
    });
    let office = Office::open(loopback());
    for id in 0..4 {
        assert_eq!(office.response(post(id, &format!("http://{address}/"))).status, 200);
    }
    assert_eq!(requests.load(Ordering::Relaxed), 7);
}

#[test]
fn the_replacement_is_not_replaced() {
    let address = server(|number, mut stream| {
        read_request(&mut stream);
        if number == 0 {
            let _ = stream.write_all(OK);
            read_request(&mut stream);
        }
    });
    let office = Office::open(loopback());
    assert!(office.send(post(0, &format!("http://{address}/"))).result.is_ok());
    assert_eq!(office.failure(post(1, &format!("http://{address}/"))).kind, Reset);
}

#[test]
fn a_kept_connection_that_breaks_within_the_answer_is_a_failure() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(OK);
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 2");
    });
    let office = Office::open(loopback());
    assert!(office.send(post(0, &format!("http://{address}/"))).result.is_ok());
    assert_eq!(office.failure(post(1, &format!("http://{address}/"))).kind, Reset);
}

#[test]
fn what_is_idle_for_long_is_closed_and_the_newest_is_used_first() {
    let receiver = plain_receiver();
    let office = Office::open(Config { idle_timeout: Duration::from_millis(400), ..loopback() });
    office.send_all((0..10).map(|id| post(id, &receiver.url("/delay/50"))).collect());
    assert_eq!(office.courier.stats().connections, 10);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        office.response(post(0, &receiver.url("/ok")));
        std::thread::sleep(Duration::from_millis(20));
    }
    // one was enough, so one is left
    assert_eq!(office.courier.stats().connections, 1);
    office.until("all closed", |courier| courier.stats().connections == 0);
}

#[test]
fn ports_and_schemes_do_not_share() {
    let (one, two) = (plain_receiver(), plain_receiver());
    let office = Office::open(loopback());
    office.send_all(vec![post(0, &one.url("/ok")), post(1, &two.url("/ok"))]);
    office.until("both idle", |courier| courier.stats().idle == 2);
    assert_eq!((one.stats().total.requests, two.stats().total.requests), (1, 1));
}

#[test]
fn many_at_once_are_each_answered_with_their_own() {
    let receiver = plain_receiver();
    let office = Office::open(loopback());
    let requests = (0..2000).map(|id| {
        let mut request = post(id, &receiver.url(&format!("/echo/{id}")));
        request.body = format!("body {id}").into();
        request
    });
    for receipt in office.send_all(requests.collect()) {
        let echo: receiver::Record = serde_json::from_slice(&receipt.result.unwrap().body).unwrap();
        assert_eq!(echo.path, format!("/echo/{}", receipt.id));
        assert_eq!(echo.body, format!("body {}", receipt.id));
    }
    assert_eq!(receiver.stats().total.requests, 2000);
    assert!(office.courier.stats().connections <= 256);
}
