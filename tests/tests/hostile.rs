//! Receivers that misbehave: recorded for what they are, and nobody else notices.

mod bounds;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use receiver::{Options, Receiver, Tls};
use tests::{Database, Desk, LEADS, Server, body};

const ONCE: &str = r#"retry => '{"delays": []}'"#;

/// Word and sentence of the only attempt on an endpoint.
fn attempt(desk: &Database, endpoint: &str) -> (String, String) {
    desk.wait(&format!("(select count(*) = 1 from frontdesk.attempts where endpoint = '{endpoint}')"));
    let row = &desk.rows(&format!("select error, detail from frontdesk.attempts where endpoint = '{endpoint}'"))[0];
    (row.get::<_, Option<String>>(0).unwrap_or_default(), row.get::<_, Option<String>>(1).unwrap_or_default())
}

#[test]
fn every_misbehaviour_is_an_error_of_its_own_and_delays_nobody() {
    let desk = Desk::with_leads();
    let expected = [
        ("reset", "/reset", "reset"),
        ("reset_headers", "/reset/headers", "reset"),
        ("reset_body", "/reset/body", "reset"),
        ("close", "/close", "reset"),
        ("garbage", "/garbage", "protocol"),
        ("endless", "/headers-endless", "response_too_large"),
        ("drip", "/drip/50", "timeout"),
        ("hang", "/hang", "timeout"),
        ("redirect", "/redirect?to=http://169.254.169.254/latest/meta-data/", "status"),
    ];
    for (name, path, _) in expected {
        desk.endpoint(name, path, &format!("{ONCE}, timeout_ms => 1500, events => '{{lead.*}}'"));
    }
    desk.endpoint("good", "/good", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 1) n");
    for (name, _, error) in expected {
        let (word, sentence) = attempt(&desk, name);
        assert_eq!(word, error, "{name}: {sentence}");
        assert!(sentence.len() > 10, "{name}: {sentence}");
        desk.wait(&format!("(select count(*) = 1 from frontdesk.dead_letters where endpoint = '{name}')"));
    }
    desk.fence("/good");
    assert_eq!(desk.types("/good"), ["lead.created"]);
    assert_eq!(desk.state(), "running");
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let desk = Desk::with_leads();
    desk.endpoint("big", "/big/100000000", "timeout_ms => 10000");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk.attempts where endpoint = 'big')");
    let row = &desk.rows("select succeeded, length(response) from frontdesk.attempts")[0];
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i32>(1)), (true, 4096));
}

#[test]
fn a_response_that_is_not_text_is_kept_as_text() {
    let desk = Desk::with_leads();
    desk.endpoint("binary", "/binary", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select succeeded and response = U&'a\\FFFD\\FFFD\\FFFDb' from frontdesk.attempts)");
}

#[test]
fn a_payload_over_the_limit_becomes_a_dead_letter_and_others_go_on() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "max_in_flight => 1");
    desk.run("insert into lead values (1, repeat('x', 1100000)), (2, 'Bob')");
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "Bob");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters where reason like 'payload: %' and key = '1')");
    assert_eq!(desk.count("frontdesk.attempts where not succeeded and error = 'payload'"), 1);
    assert_eq!(desk.get::<i32>("select failures from frontdesk.endpoints"), 0, "it is no fault of the endpoint");
}

#[test]
fn a_name_that_resolves_to_a_refused_address_is_refused_when_it_is_sent() {
    let server = Server::preloaded(&[("frontdesk.allow_networks", "")]);
    let desk = Desk::with_leads_on(&server);
    let port = desk.receiver.address().port();
    let refused = desk.error("select frontdesk.add_endpoint('literal', 'http://127.0.0.1/')");
    assert!(refused.contains("127.0.0.1"), "{refused}");
    desk.run(&format!("select frontdesk.add_endpoint('named', 'http://localhost:{port}/ok', {ONCE})"));
    desk.run("insert into lead values (1, 'Ada')");
    let (word, sentence) = attempt(&desk, "named");
    assert_eq!(word, "address_refused", "{sentence}");
    assert!(desk.requests("/ok").is_empty());
    let unheard = desk.error("alter system set frontdesk.allow_networks = '127.0.0.1, 10.0.0.0/33'");
    assert!(unheard.contains("\"10.0.0.0/33\" is not a network"), "{unheard}");
    // Allowed by a reload, without a restart.
    server.set(&[("frontdesk.allow_networks", "127.0.0.1/32, ::1/128")]).unwrap();
    server.reload().unwrap();
    tests::wait_until("the engine has heard of it", || {
        desk.run("select frontdesk.test_endpoint('named')");
        !desk.requests("/ok").is_empty()
    });
}

#[test]
fn an_address_that_is_no_longer_allowed_is_a_failed_attempt() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", ONCE);
    desk.fence("/ok");
    server.set(&[("frontdesk.allow_networks", "")]).unwrap();
    server.reload().unwrap();
    tests::wait_until("it is refused", || {
        desk.run("select frontdesk.test_endpoint('crm')");
        desk.count("frontdesk.attempts where not succeeded and error in ('url', 'address_refused')") > 0
    });
}

/// A receiver with a self-signed certificate.
fn secure(change: impl Fn(&mut CertificateParams)) -> Receiver {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    change(&mut params);
    serve(params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn serve(certificates: String, key: String) -> Receiver {
    Receiver::spawn(Options { tls: Some(Tls { certificates, key }), ..Options::default() }).unwrap()
}

#[test]
fn certificates_are_verified() {
    let desk = Desk::with_leads();
    let unknown = secure(|_| {});
    let expired = secure(|params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    for (name, receiver) in [("unknown", &unknown), ("expired", &expired)] {
        desk.run(&format!("select frontdesk.add_endpoint('{name}', '{}', {ONCE})", receiver.url("/ok")));
    }
    desk.run("insert into lead values (1, 'Ada')");
    for name in ["unknown", "expired"] {
        let (word, sentence) = attempt(&desk, name);
        assert_eq!(word, "tls", "{name}: {sentence}");
    }
    assert_eq!(unknown.stats().total.requests + expired.stats().total.requests, 0);
}

#[test]
fn a_certificate_authority_of_one_s_own_is_trusted_where_it_is_set() {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let secure = serve(certificate.pem(), key.serialize_pem());
    let server = Server::preloaded(&[]);
    let file = server.dir.join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    server.set(&[("frontdesk.ca_file", file.to_str().unwrap())]).unwrap();
    server.reload().unwrap();
    let desk = Database::on(&server);
    desk.run(LEADS);
    desk.run(&format!("select frontdesk.add_endpoint('own', '{}', {ONCE})", secure.url("/ok")));
    desk.run("insert into lead values (1, 'Ada')");
    let (word, sentence) = attempt(&desk, "own");
    assert!(word.is_empty(), "{word}: {sentence}");
    assert_eq!(secure.stats().total.accepted, 1);
}
