//! What an endpoint may ask of TLS, and which version of HTTP is spoken.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use courier::FailureKind::{Protocol, Reset, Tls};
use courier::{Config, Guard, Http, Moment, Request, Target, TlsOptions, Trust, TrustError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use receiver::{Options, Receiver};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use crate::common::{Office, loopback, plain_receiver, post, server};
use crate::tls::file;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn certificate(issuer: &Issuer, name: &str, change: impl Fn(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn receive(issuer: &Issuer, options: Options) -> Receiver {
    let (certificates, key) = certificate(issuer, "127.0.0.1", |_| {});
    Receiver::spawn(Options { tls: Some(receiver::Tls { certificates, key }), ..options }).unwrap()
}

fn ask(id: u64, url: &str, http: Http, options: TlsOptions) -> Request {
    Request { target: target(url, http, Some(Arc::new(Trust::parse(&options).unwrap()))), ..post(id, url) }
}

fn speak(id: u64, url: &str, http: Http) -> Request {
    Request { target: target(url, http, None), ..post(id, url) }
}

fn target(url: &str, http: Http, trust: Option<Arc<Trust>>) -> Arc<Target> {
    let everywhere = Guard::new(vec!["0.0.0.0/0".parse().unwrap()]);
    Arc::new(Target::parse(url, &everywhere).unwrap().with(http, trust))
}

fn trusting(issuer: &Issuer) -> TlsOptions {
    TlsOptions { ca: Some(issuer.pem()), ..TlsOptions::default() }
}

fn wrong(options: TlsOptions) -> TrustError {
    Trust::parse(&options).unwrap_err()
}

fn now() -> Moment {
    Moment::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn an_endpoint_has_an_authority_of_its_own_instead_of_those_of_all() {
    let (ours, theirs) = (authority(), authority());
    let receiver = receive(&ours, Options::default());
    let office = Office::open(Config { extra_ca_file: Some(file(&theirs.pem())), ..loopback() });
    let url = receiver.url("/ok");
    assert_eq!(office.response(ask(0, &url, Http::Auto, trusting(&ours))).status, 200);
    // what it trusts, the others do not, and what they trust, it does not
    assert_eq!(office.failure(post(1, &url)).kind, Tls);
    let receiver = receive(&theirs, Options::default());
    assert_eq!(office.response(post(2, &receiver.url("/ok"))).status, 200);
    assert_eq!(office.failure(ask(3, &receiver.url("/ok"), Http::Auto, trusting(&ours))).kind, Tls);
}

#[test]
fn an_unusable_file_of_authorities_does_not_stop_who_has_their_own() {
    let ours = authority();
    let receiver = receive(&ours, Options::default());
    let office = Office::open(Config { extra_ca_file: Some("/no/such/file".into()), ..loopback() });
    assert_eq!(office.response(ask(0, &receiver.url("/ok"), Http::Auto, trusting(&ours))).status, 200);
}

#[test]
fn a_key_that_is_not_pinned_is_refused_and_named() {
    let ours = authority();
    let receiver = receive(&ours, Options::default());
    let office = Office::open(loopback());
    let other = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    let pinned = |pins| TlsOptions { pins, ..trusting(&ours) };
    let failure = office.failure(ask(0, &receiver.url("/ok"), Http::Auto, pinned(vec![other.clone()])));
    assert_eq!(failure.kind, Tls);
    let key = failure.detail.strip_prefix("TLS handshake failed: the receiver's key ").unwrap();
    let key = key.strip_suffix(" is not pinned").unwrap().to_owned();
    assert_eq!(receiver.stats().total.requests, 0);
    assert_eq!(office.response(ask(1, &receiver.url("/ok"), Http::Auto, pinned(vec![other, key.clone()]))).status, 200);
    // a pin is asked for beside an authority, not instead of one
    let alone = TlsOptions { pins: vec![key], ..TlsOptions::default() };
    assert!(office.failure(ask(2, &receiver.url("/ok"), Http::Auto, alone)).detail.contains("unknown authority"));
}

#[test]
fn a_receiver_that_asks_who_we_are_is_shown_our_certificate() {
    let (ours, bank) = (authority(), authority());
    let receiver = receive(&ours, Options { client_ca: Some(bank.pem()), ..Options::default() });
    let office = Office::open(loopback());
    let with = |issuer: &Issuer| {
        let (chain, key) = certificate(issuer, "frontdesk", |_| {});
        TlsOptions { client_certificate: Some(chain), client_key: Some(key), ..trusting(&ours) }
    };
    assert_eq!(office.response(ask(0, &receiver.url("/ok"), Http::Auto, with(&bank))).status, 200);
    let failure = office.failure(ask(1, &receiver.url("/ok"), Http::Auto, trusting(&ours)));
    assert_eq!(failure.kind, Tls);
    assert!(failure.detail.ends_with("the receiver asks for a client certificate"), "{failure}");
    let failure = office.failure(ask(2, &receiver.url("/ok"), Http::Auto, with(&ours)));
    assert!(failure.detail.contains("the receiver refuses the client certificate"), "{failure}");
    assert_eq!(receiver.stats().total.requests, 1);
}

#[test]
fn a_connection_is_shared_only_by_who_asks_for_the_same() {
    let ours = authority();
    for http2 in [false, true] {
        let receiver = receive(&ours, Options { http2, ..Options::default() });
        let office = Office::open(Config { extra_ca_file: Some(file(&ours.pem())), ..loopback() });
        let url = receiver.url("/ok");
        let connections = |id, http, options: Option<TlsOptions>| {
            let request = match options {
                Some(options) => ask(id, &url, http, options),
                None => speak(id, &url, http),
            };
            assert_eq!(office.response(request).status, 200);
            office.courier.stats().connections
        };
        assert_eq!(connections(0, Http::Auto, None), 1);
        assert_eq!(connections(1, Http::Auto, Some(trusting(&ours))), 2);
        // declared anew, and the same
        assert_eq!(connections(2, Http::Auto, Some(trusting(&ours))), 2);
        assert_eq!(connections(3, Http::Auto, None), 2);
        assert_eq!(connections(4, Http::One, None), 3);
        assert_eq!(connections(5, Http::One, Some(trusting(&ours))), 4);
        assert_eq!(connections(6, Http::One, Some(trusting(&ours))), 4);
    }
}

#[test]
fn the_version_that_is_asked_for_is_spoken_or_nothing_is() {
    let ours = authority();
    let office = Office::open(Config { extra_ca_file: Some(file(&ours.pem())), ..loopback() });
    let both = receive(&ours, Options { http2: true, ..Options::default() });
    // many at once are few connections over the one and many over the other
    let all = |http| (0..40).map(|id| speak(id, &both.url("/delay/100"), http)).collect();
    assert!(office.send_all(all(Http::Two)).iter().all(|receipt| receipt.result.is_ok()));
    assert_eq!(office.courier.stats().connections, 1);
    assert!(office.send_all(all(Http::One)).iter().all(|receipt| receipt.result.is_ok()));
    assert!(office.courier.stats().connections > 10, "{:?}", office.courier.stats());
    let old = receive(&ours, Options::default());
    let failure = office.failure(speak(0, &old.url("/ok"), Http::Two));
    assert_eq!((failure.kind, failure.detail.as_str()), (Protocol, "the receiver does not offer HTTP/2"));
    assert_eq!(office.response(speak(1, &old.url("/ok"), Http::Auto)).status, 200);
}

#[test]
fn http2_is_spoken_without_tls_where_that_is_known_beforehand() {
    let receiver = Receiver::spawn(Options { http2: true, ..Options::default() }).unwrap();
    let office = Office::open(loopback());
    let url = receiver.url("/delay/50");
    let receipts = office.send_all((0..200).map(|id| speak(id, &url, Http::Two)).collect());
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok()));
    assert!(office.courier.stats().connections <= 8, "{:?}", office.courier.stats());
    // who does not speak it is not asked twice
    let old = plain_receiver();
    let failure = office.failure(speak(1, &old.url("/ok"), Http::Two));
    assert!(matches!(failure.kind, Protocol | Reset), "{failure}");
    assert_eq!(old.stats().total.requests, 0);
    assert_eq!(office.response(post(2, &old.url("/ok"))).status, 200);
}

/// A server that ends each connection after an answer, and counts the handshakes that resumed a session.
fn resuming(issuer: &Issuer, resumed: Arc<AtomicUsize>) -> String {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let (chain, key) = certificate(issuer, "127.0.0.1", |_| {});
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let address = server(move |_, tcp| {
        let session = ServerConnection::new(config.clone()).unwrap();
        if answer(session, tcp) == Some(HandshakeKind::Resumed) {
            resumed.fetch_add(1, Ordering::Relaxed);
        }
    });
    format!("https://{address}/")
}

fn answer(session: ServerConnection, tcp: TcpStream) -> Option<HandshakeKind> {
    use std::io::{Read, Write};
    let mut stream = rustls::StreamOwned::new(session, tcp);
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()?;
    stream.conn.handshake_kind()
}

#[test]
fn a_session_is_resumed_by_the_next_connection_and_by_nobody_who_asks_for_something_else() {
    let ours = authority();
    let resumed = Arc::new(AtomicUsize::new(0));
    let url = resuming(&ours, resumed.clone());
    let office = Office::open(Config { extra_ca_file: Some(file(&ours.pem())), ..loopback() });
    let until = |count: usize| {
        office.until("counted", |_| resumed.load(Ordering::Relaxed) == count);
    };
    for id in 0..5 {
        assert_eq!(office.response(post(id, &url)).status, 200);
    }
    until(4);
    assert_eq!(office.response(ask(5, &url, Http::Auto, trusting(&ours))).status, 200);
    assert_eq!(office.response(ask(6, &url, Http::Auto, trusting(&ours))).status, 200);
    until(5);
    // who is not trusted any more is not remembered either
    office.courier.reconfigure(Config { extra_ca_file: Some(file(&authority().pem())), ..loopback() });
    assert_eq!(office.failure(post(7, &url)).kind, Tls);
    assert_eq!(resumed.load(Ordering::Relaxed), 5);
}

#[test]
fn mistakes_are_found_when_they_are_declared() {
    let ours = authority();
    let (chain, key) = certificate(&ours, "frontdesk", |_| {});
    let (_, other) = certificate(&ours, "frontdesk", |_| {});
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(wrong(TlsOptions::default()), TrustError::Empty);
    for text in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key] {
        let error = wrong(TlsOptions { ca: some(text), ..TlsOptions::default() });
        assert!(matches!(error, TrustError::Certificate("ca", _)), "{error:?}");
    }
    for text in ["", "sha256/AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    {
        assert_eq!(wrong(TlsOptions { pins: vec![text.into()], ..trusting(&ours) }), TrustError::Pin(text.into()));
    }
    let identity = |chain: Option<&str>, key: Option<&str>| TlsOptions {
        client_certificate: chain.map(str::to_owned),
        client_key: key.map(str::to_owned),
        ..TlsOptions::default()
    };
    assert_eq!(wrong(identity(Some(&chain), None)), TrustError::Missing("client_key"));
    assert_eq!(wrong(identity(None, Some(&key))), TrustError::Missing("client_certificate"));
    assert_eq!(wrong(identity(Some(&chain), Some(&other))), TrustError::Mismatch);
    assert!(matches!(wrong(identity(Some(&key), Some(&key))), TrustError::Certificate("client_certificate", _)));
    assert!(matches!(wrong(identity(Some(&chain), Some(&chain))), TrustError::Key(_)));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(wrong(identity(Some(&chain), Some(&encrypted))).detail().unwrap(), "It is encrypted with a password.");
    assert!(Trust::parse(&identity(Some(&chain), Some(&key))).is_ok());
}

#[test]
fn what_has_expired_is_said_with_its_date() {
    let past = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    };
    let (chain, key) = certificate(&authority(), "frontdesk", past);
    let options = TlsOptions { client_certificate: Some(chain), client_key: Some(key), ..TlsOptions::default() };
    let trust = Trust::parse(&options).unwrap();
    let error = trust.check_validity(now()).unwrap_err();
    assert_eq!(error.to_string(), "client_certificate has expired");
    assert_eq!(error.detail().unwrap(), "It was valid until 2021-02-03 00:00:00 UTC.");
    assert!(trust.check_validity(Moment::from_unix(1_600_000_000)).is_ok());

    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    past(&mut params);
    let old = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let of = |ca: String| Trust::parse(&TlsOptions { ca: Some(ca), ..TlsOptions::default() }).unwrap();
    assert_eq!(of(old.clone()).check_validity(now()).unwrap_err().to_string(), "ca has expired");
    // one that is valid is enough: authorities are handed over
    assert!(of(old + &authority().pem()).check_validity(now()).is_ok());
}

#[test]
fn the_key_is_in_no_error_and_no_debug_output() {
    let (chain, key) = certificate(&authority(), "frontdesk", |_| {});
    let secret = key.lines().nth(1).unwrap().to_owned();
    let broken = key.replace("-----END", "----END");
    let options = |key: &str| TlsOptions {
        client_certificate: Some(chain.clone()),
        client_key: Some(key.to_owned()),
        ..TlsOptions::default()
    };
    let error = wrong(options(&broken));
    assert!(!format!("{error:?} {error} {:?} {}", error.detail(), error.hint()).contains(&secret));
    let trust = Arc::new(Trust::parse(&options(&key)).unwrap());
    let shown = format!("{trust:?} {:?}", target("https://example.com/", Http::Auto, Some(trust.clone())));
    assert!(!shown.contains(&secret), "{shown}");
}
