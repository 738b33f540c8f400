//! The synchronous form.

use std::cell::Cell;
use std::time::{Duration, Instant};

use courier::FailureKind::{AddressRefused, Interrupted, Timeout};
use courier::{Config, Fetch};

use crate::common::{loopback, plain_receiver, post};

#[test]
fn a_fetch_waits_for_the_response() {
    let receiver = plain_receiver();
    let receipt = Fetch::start(loopback(), post(5, &receiver.url("/delay/120"))).unwrap().wait(&|| false);
    assert_eq!(receipt.id, 5);
    assert_eq!(receipt.result.unwrap().body, br#"{"ok":true}"#);
    assert!(receipt.duration >= Duration::from_millis(120));
}

#[test]
fn a_fetch_has_the_same_guard_and_limits() {
    let receiver = plain_receiver();
    let fetch = |config, request| Fetch::start(config, request).unwrap().wait(&|| false).result;
    assert_eq!(fetch(Config::default(), post(0, &receiver.url("/ok"))).unwrap_err().kind, AddressRefused);
    assert_eq!(fetch(loopback(), post(0, &receiver.url("/redirect?to=http://10.0.0.1/"))).unwrap().status, 302);
    let mut slow = post(0, &receiver.url("/drip/10"));
    slow.timeout = Duration::from_millis(200);
    assert_eq!(fetch(loopback(), slow).unwrap_err().kind, Timeout);
}

#[test]
fn a_fetch_can_be_interrupted() {
    let receiver = plain_receiver();
    let asked = Cell::new(0);
    let interrupted = || {
        asked.set(asked.get() + 1);
        asked.get() > 4
    };
    let begun = Instant::now();
    let receipt = Fetch::start(loopback(), post(9, &receiver.url("/hang"))).unwrap().wait(&interrupted);
    assert_eq!((receipt.id, receipt.result.unwrap_err().kind), (9, Interrupted));
    assert!(begun.elapsed() < Duration::from_millis(800), "{:?}", begun.elapsed());
}

#[test]
fn a_fetch_survives_an_interrupt_that_unwinds() {
    let receiver = plain_receiver();
    let fetch = Fetch::start(loopback(), post(0, &receiver.url("/hang"))).unwrap();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fetch.wait(&|| panic!("on purpose"))));
    assert!(unwound.is_err());
}
