//! Verification.

use std::time::{SystemTime, UNIX_EPOCH};

use receiver::{Options, Receiver};
use signing::{Secret, sign_standard};

use crate::client::ask;

const OURS: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEXT: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"type":"lead.created","data":{"name":"Zoë"}}"#;

fn receiver(verify: bool) -> Receiver {
    let secrets = vec![OURS.to_owned(), NEXT.to_owned()];
    Receiver::spawn(Options { secrets, verify, ..Options::default() }).unwrap()
}

/// Sends a request signed with `secret` as if it were `late` seconds ago.
fn send(receiver: &Receiver, secret: &str, late: i64, body: &str) -> u16 {
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 - late;
    let signature = sign_standard(&[Secret::parse(secret).unwrap()], "msg_1", timestamp, BODY.as_bytes());
    let timestamp = timestamp.to_string();
    let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    ask(receiver.address(), "POST", "/ok", &headers, body).0
}

#[test]
fn a_good_signature_with_any_of_the_secrets_is_accepted() {
    let receiver = receiver(true);
    assert_eq!(send(&receiver, OURS, 0, BODY), 200);
    assert_eq!(send(&receiver, NEXT, 200, BODY), 200);
    assert_eq!((receiver.stats().total.verified, receiver.stats().total.unverified), (2, 0));
    assert_eq!(receiver.last(1)[0].verified, Some(true));
}

#[test]
fn a_bad_one_is_refused_and_counted() {
    let receiver = receiver(true);
    assert_eq!(send(&receiver, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, BODY), 401);
    assert_eq!(send(&receiver, OURS, 400, BODY), 401);
    assert_eq!(send(&receiver, OURS, -400, BODY), 401);
    assert_eq!(send(&receiver, OURS, 0, &BODY.replace('Z', "z")), 401);
    assert_eq!(ask(receiver.address(), "POST", "/reset", &[], BODY).0, 401);
    let total = receiver.stats().total;
    assert_eq!((total.verified, total.unverified, total.accepted), (0, 5, 0));
}

#[test]
fn without_verify_it_only_counts() {
    let receiver = receiver(false);
    assert_eq!(send(&receiver, OURS, 400, BODY), 200);
    assert_eq!((receiver.stats().total.unverified, receiver.stats().total.accepted), (1, 1));
}

#[test]
fn a_secret_that_is_none_is_said() {
    let options = Options { secrets: vec!["whsec_x".into()], ..Options::default() };
    assert!(Receiver::spawn(options).is_err());
}
