//! Start, change, end, and trouble of the thread itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use courier::FailureKind::{AddressRefused, Shutdown};
use courier::{Config, Courier};

use crate::common::{Office, loopback, plain_receiver, post};

#[test]
fn shutdown_lets_finish_what_can_within_the_grace() {
    let receiver = plain_receiver();
    let office = Office::open(Config { max_connections: 2, ..loopback() });
    let batch =
        vec![post(0, &receiver.url("/delay/200")), post(1, &receiver.url("/hang")), post(2, &receiver.url("/ok"))];
    office.courier.send(batch);
    office.until("one waits", |courier| courier.stats().waiting == 1);
    let begun = Instant::now();
    let mut receipts = office.courier.shutdown(Duration::from_millis(600));
    assert!(begun.elapsed() < Duration::from_secs(2));
    receipts.sort_unstable_by_key(|receipt| receipt.id);
    assert_eq!(receipts.len(), 3);
    assert!(receipts[0].result.is_ok(), "{receipts:?}");
    assert_eq!(receipts[1].result.as_ref().unwrap_err().kind, Shutdown);
    assert_eq!(receipts[2].result.as_ref().unwrap_err().kind, Shutdown);
}

#[test]
fn shutdown_of_an_idle_courier_is_immediate() {
    let receiver = plain_receiver();
    let office = Office::open(loopback());
    office.response(post(0, &receiver.url("/ok")));
    let begun = Instant::now();
    assert!(office.courier.shutdown(Duration::from_secs(10)).is_empty());
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn the_bell_rings_once_for_many_receipts() {
    let receiver = plain_receiver();
    let rings = Arc::new(AtomicUsize::new(0));
    let counter = rings.clone();
    let ring = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let courier = Courier::spawn(loopback(), ring).unwrap();
    courier.send((0..100).map(|id| post(id, &receiver.url("/ok"))).collect());
    let begun = Instant::now();
    while courier.stats().open > 0 || receiver.stats().total.requests < 100 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(rings.load(Ordering::SeqCst), 1);
    let mut receipts = Vec::new();
    courier.drain(&mut receipts);
    assert_eq!(receipts.len(), 100);
    courier.send(vec![post(0, &receiver.url("/ok"))]);
    while rings.load(Ordering::SeqCst) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    // draining adds to what is there
    courier.drain(&mut receipts);
    assert_eq!(receipts.len(), 101);
}

#[test]
fn a_panic_in_the_thread_is_noticed() {
    let receiver = plain_receiver();
    let courier = Courier::spawn(loopback(), || panic!("on purpose")).unwrap();
    assert!(courier.is_alive());
    courier.send(vec![post(0, &receiver.url("/ok"))]);
    let begun = Instant::now();
    while courier.is_alive() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(2));
    }
    let receipts = courier.shutdown(Duration::ZERO);
    assert_eq!(receipts.len(), 1);
}

#[test]
fn a_new_configuration_holds_for_connections_that_are_open() {
    let receiver = plain_receiver();
    let office = Office::open(loopback());
    office.response(post(0, &receiver.url("/ok")));
    office.courier.send(vec![post(1, &receiver.url("/delay/300"))]);
    office.until("busy", |courier| courier.stats().idle == 0);
    office.courier.reconfigure(Config::default());
    // what is under way ends well, then nothing is left open
    assert!(office.receipts(1).remove(0).result.is_ok());
    assert_eq!(office.failure(post(2, &receiver.url("/ok"))).kind, AddressRefused);
    office.until("closed", |courier| courier.stats().connections == 0);
    office.courier.reconfigure(loopback());
    assert_eq!(office.response(post(3, &receiver.url("/ok"))).status, 200);
}

#[test]
fn a_receiver_that_comes_back_is_reached_again() {
    let receiver = plain_receiver();
    let address = receiver.address();
    let office = Office::open(loopback());
    let url = receiver.url("/ok");
    office.response(post(0, &url));
    drop(receiver);
    assert!(office.send(post(1, &url)).result.is_err());
    let options = receiver::Options { listen: address, ..receiver::Options::default() };
    let receiver = receiver::Receiver::spawn(options).unwrap();
    assert_eq!(office.response(post(2, &url)).status, 200);
    assert_eq!(receiver.stats().total.requests, 1);
}

#[test]
fn a_dropped_courier_ends_its_thread() {
    let receiver = plain_receiver();
    let held = Arc::new(());
    let inside = held.clone();
    let courier = Courier::spawn(loopback(), move || drop(inside.clone())).unwrap();
    courier.send(vec![post(0, &receiver.url("/hang"))]);
    drop(courier);
    let begun = Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_unusable_user_agent_is_replaced() {
    let receiver = plain_receiver();
    let office = Office::open(Config { user_agent: "a\r\nb".into(), ..loopback() });
    office.response(post(0, &receiver.url("/ok")));
    assert_eq!(receiver.last(1)[0].headers["user-agent"], "pg_frontdesk");
}

#[test]
fn an_absurd_timeout_is_no_overflow() {
    let receiver = plain_receiver();
    let mut request = post(0, &receiver.url("/ok"));
    request.timeout = Duration::MAX;
    assert_eq!(Office::open(loopback()).response(request).status, 200);
    let mut request = post(0, &receiver.url("/ok"));
    request.timeout = Duration::ZERO;
    // no time at all: loopback may be faster than the clock, but there is a receipt
    Office::open(loopback()).send(request);
}
