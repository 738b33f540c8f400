//! Names: every address is judged at the connect, and that address is the one dialled.

use std::time::Duration;

use courier::Config;
use courier::FailureKind::{AddressRefused, Connect, Dns};

use crate::common::{Names, Office, loopback, plain_receiver, post};

#[test]
fn a_name_that_resolves_to_a_private_address_is_refused() {
    let names = Names::new(&[
        ("internal.example", &["10.0.0.5"]),
        ("metadata.example", &["169.254.169.254"]),
        ("six.example", &["::ffff:127.0.0.1,fd00::1"]),
    ]);
    let office = Office::with(Config::default(), names);
    let failure = office.failure(post(0, "http://internal.example/"));
    let expected =
        "\"internal.example\" resolves to 10.0.0.5 in the private network 10.0.0.0/8, which must not be called";
    assert_eq!((failure.kind, failure.detail.as_str()), (AddressRefused, expected));
    assert_eq!(office.failure(post(0, "http://metadata.example/")).kind, AddressRefused);
    assert_eq!(office.failure(post(0, "http://six.example/")).kind, AddressRefused);
}

#[test]
fn localhost_is_refused_by_its_address() {
    let receiver = plain_receiver();
    let office = Office::open(Config::default());
    let failure = office.failure(post(0, &format!("http://localhost:{}/ok", receiver.address().port())));
    assert_eq!(failure.kind, AddressRefused);
    let literal = office.failure(post(0, &receiver.url("/ok")));
    assert_eq!(literal.kind, AddressRefused);
    assert!(literal.detail.starts_with("127.0.0.1 is in the loopback network"), "{}", literal.detail);
    assert_eq!(receiver.stats().total.requests, 0);
}

/// DNS rebinding: harmless at the first look-up, internal at the next. There is only one per connect, and what it gave
/// is what is judged and dialled; each further connect judges again.
#[test]
fn a_name_that_turns_private_is_refused_from_then_on() {
    let receiver = plain_receiver();
    let port = receiver.address().port();
    let names = Names::new(&[("rebind.example", &["127.0.0.2", "127.0.0.1"])]);
    // .2 plays the public address; the receiver listens on .1 only
    let config = Config { allow_networks: vec!["127.0.0.2/32".parse().unwrap()], ..Config::default() };
    let office = Office::with(config, names.clone());
    let url = format!("http://rebind.example:{port}/ok");
    let first = office.send(post(0, &url));
    assert_eq!(first.result.unwrap_err().kind, Connect);
    assert_eq!(first.address, Some([127, 0, 0, 2].into()));
    assert_eq!(names.look_ups("rebind.example"), 1);
    // the answer is remembered for five seconds
    std::thread::sleep(Duration::from_millis(5100));
    let second = office.send(post(1, &url));
    assert_eq!(second.result.unwrap_err().kind, AddressRefused);
    assert_eq!(second.address, None);
    assert_eq!(names.look_ups("rebind.example"), 2);
    assert_eq!(receiver.stats().total.requests, 0);
}

#[test]
fn of_several_addresses_only_allowed_ones_are_dialled() {
    let receiver = plain_receiver();
    let names = Names::new(&[("mixed.example", &["10.0.0.1,127.0.0.9,127.0.0.1"])]);
    let office = Office::with(loopback(), names);
    let receipt = office.send(post(0, &format!("http://mixed.example:{}/ok", receiver.address().port())));
    // .9 refuses the connection, .1 answers, 10.0.0.1 is never tried
    assert_eq!(receipt.address, Some([127, 0, 0, 1].into()));
    assert_eq!(receipt.result.unwrap().status, 200);
    assert!(receipt.duration < Duration::from_secs(2));
}

#[test]
fn a_name_nobody_knows() {
    let names = Names::new(&[("empty.example", &[""])]);
    let office = Office::with(loopback(), names);
    let failure = office.failure(post(0, "http://unknown.example/"));
    assert_eq!((failure.kind, failure.detail.as_str()), (Dns, "could not look up \"unknown.example\": no such name"));
    assert_eq!(office.failure(post(0, "http://empty.example/")).kind, Dns);
    // the system's resolver, which may be without any name server
    let mut request = post(0, "http://name.invalid/");
    request.timeout = Duration::from_secs(2);
    assert_eq!(Office::open(loopback()).failure(request).kind, Dns);
}

#[test]
fn a_resolver_that_panics_or_hangs_fails_its_request_only() {
    struct Odd;
    impl courier::Resolve for Odd {
        fn resolve(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            match host {
                "panic.example" => panic!("on purpose"),
                "hang.example" => std::thread::sleep(Duration::from_secs(3)),
                _ => {}
            }
            Ok(vec![[127, 0, 0, 1].into()])
        }
    }
    let receiver = plain_receiver();
    let office = Office::with(loopback(), std::sync::Arc::new(Odd));
    assert_eq!(office.failure(post(0, "http://panic.example/")).kind, Dns);
    let mut request = post(0, "http://hang.example/");
    request.timeout = Duration::from_millis(200);
    assert_eq!(office.failure(request).kind, Dns);
    let fine = format!("http://fine.example:{}/ok", receiver.address().port());
    assert_eq!(office.response(post(0, &fine)).status, 200);
    assert!(office.courier.is_alive());
}

#[test]
fn a_thousand_requests_look_a_name_up_once() {
    let receiver = plain_receiver();
    let names = Names::new(&[("busy.example", &["127.0.0.1"])]);
    let office = Office::with(loopback(), names.clone());
    let url = format!("http://busy.example:{}/ok", receiver.address().port());
    let receipts = office.send_all((0..1000).map(|id| post(id, &url)).collect());
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok()));
    assert_eq!(names.look_ups("busy.example"), 1);
}
