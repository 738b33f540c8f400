//! Trust.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use courier::Config;
use courier::FailureKind::{ConnectTimeout, Reset, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use receiver::{Options, Receiver};

use crate::common::{Office, loopback, plain_receiver, post, server};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A receiver with a certificate for `name`, changed by `change` before the authority signs it.
fn secure(issuer: &Issuer, name: &str, change: impl Fn(&mut CertificateParams)) -> Receiver {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).unwrap();
    receive(certificate.pem(), key.serialize_pem())
}

fn receive(certificates: String, key: String) -> Receiver {
    let tls = receiver::Tls { certificates, key };
    Receiver::spawn(Options { tls: Some(tls), ..Options::default() }).unwrap()
}

/// A configuration that trusts `issuer`.
fn trusting(issuer: &Issuer) -> Config {
    Config { extra_ca_file: Some(file(&issuer.pem())), ..loopback() }
}

pub fn file(text: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("courier-{}-{}.pem", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn an_authority_from_the_extra_file_is_trusted() {
    let issuer = authority();
    let receiver = secure(&issuer, "127.0.0.1", |_| {});
    let office = Office::open(trusting(&issuer));
    for id in 0..5 {
        assert_eq!(office.response(post(id, &receiver.url("/ok"))).status, 200);
    }
    assert_eq!(office.courier.stats().connections, 1);
    let named = secure(&issuer, "localhost", |_| {});
    let url = format!("https://localhost:{}/ok", named.address().port());
    assert_eq!(office.response(post(9, &url)).status, 200);
}

#[test]
fn an_unknown_authority_is_not() {
    let receiver = secure(&authority(), "127.0.0.1", |_| {});
    let failure = Office::open(loopback()).failure(post(0, &receiver.url("/ok")));
    assert_eq!(failure.kind, Tls);
    assert!(failure.detail.ends_with("the certificate is self-signed or from an unknown authority"), "{failure}");
    assert_eq!(receiver.stats().total.requests, 0);
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().self_signed(&key).unwrap();
    let receiver = receive(certificate.pem(), key.serialize_pem());
    let failure = Office::open(loopback()).failure(post(0, &receiver.url("/ok")));
    assert_eq!(failure.kind, Tls);
    assert!(failure.detail.contains("self-signed"), "{failure}");
    // what `openssl req -x509` makes
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let receiver = receive(certificate.pem(), key.serialize_pem());
    let failure = Office::open(loopback()).failure(post(0, &receiver.url("/ok")));
    assert_eq!(failure.kind, Tls);
    assert!(failure.detail.contains("CA:TRUE"), "{failure}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let issuer = authority();
    let receiver = secure(&issuer, "127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let failure = Office::open(trusting(&issuer)).failure(post(0, &receiver.url("/ok")));
    assert_eq!((failure.kind, failure.detail.as_str()), (Tls, "TLS handshake failed: the certificate has expired"));
}

#[test]
fn a_certificate_of_tomorrow_is_refused() {
    let issuer = authority();
    let receiver = secure(&issuer, "127.0.0.1", |params| params.not_before = date_time_ymd(2090, 1, 1));
    let failure = Office::open(trusting(&issuer)).failure(post(0, &receiver.url("/ok")));
    assert_eq!(
        (failure.kind, failure.detail.as_str()),
        (Tls, "TLS handshake failed: the certificate is not valid yet")
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let issuer = authority();
    let receiver = secure(&issuer, "elsewhere.example", |_| {});
    let failure = Office::open(trusting(&issuer)).failure(post(0, &receiver.url("/ok")));
    assert_eq!(
        (failure.kind, failure.detail.as_str()),
        (Tls, "TLS handshake failed: the certificate is for another name")
    );
}

#[test]
fn an_unusable_ca_file_is_said_and_plain_http_goes_on() {
    let receiver = plain_receiver();
    for path in [PathBuf::from("/no/such/file"), file("not a certificate"), file("")] {
        let office = Office::open(Config { extra_ca_file: Some(path), ..loopback() });
        let failure = office.failure(post(0, &receiver.url("/ok").replace("http:", "https:")));
        assert_eq!(failure.kind, Tls);
        assert!(failure.detail.starts_with("cannot use CA file"), "{failure}");
        assert_eq!(office.response(post(1, &receiver.url("/ok"))).status, 200);
    }
}

#[test]
fn a_port_without_tls() {
    let address = server(|_, mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        std::mem::forget(stream);
    });
    let failure = Office::open(loopback()).failure(post(0, &format!("https://{address}/")));
    assert_eq!((failure.kind, failure.detail.as_str()), (Tls, "TLS handshake failed: this is not a TLS port"));
    // and the reverse
    let receiver = secure(&authority(), "127.0.0.1", |_| {});
    assert!(Office::open(loopback()).send(post(0, &receiver.url("/ok").replace("https:", "http:"))).result.is_err());
}

#[test]
fn a_handshake_that_breaks_or_hangs() {
    let closing = server(|_, stream| drop(stream));
    let failure = Office::open(loopback()).failure(post(0, &format!("https://{closing}/")));
    assert_eq!(failure.kind, Reset, "{failure}");
    let hanging = server(|_, stream| std::mem::forget(stream));
    let mut request = post(0, &format!("https://{hanging}/"));
    request.timeout = std::time::Duration::from_millis(300);
    let failure = Office::open(loopback()).failure(request);
    assert_eq!((failure.kind, failure.detail.as_str()), (ConnectTimeout, "no TLS handshake in time"));
}

#[test]
fn misbehaviour_under_tls_is_classified_the_same() {
    let issuer = authority();
    let receiver = secure(&issuer, "127.0.0.1", |_| {});
    let office = Office::open(trusting(&issuer));
    assert_eq!(office.failure(post(0, &receiver.url("/reset"))).kind, Reset);
    assert_eq!(office.failure(post(0, &receiver.url("/reset/body"))).kind, Reset);
    assert_eq!(office.failure(post(0, &receiver.url("/garbage"))).kind.as_str(), "protocol");
    assert_eq!(office.failure(post(0, &receiver.url("/headers-endless"))).kind.as_str(), "response_too_large");
}
