//! HTTP/2, where the receiver offers it in the TLS handshake.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use courier::Config;
use courier::FailureKind::{Protocol, Reset, Timeout};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use receiver::{Options, Receiver};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::{Office, loopback, post, server};
use crate::tls::file;

/// An authority, a certificate of it for 127.0.0.1 with its key, and who trusts it.
fn trust() -> (receiver::Tls, Config) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let tls = receiver::Tls { certificates: certificate.pem(), key: key.serialize_pem() };
    (tls, Config { extra_ca_file: Some(file(&issuer.pem())), ..loopback() })
}

fn office() -> (Receiver, Office) {
    let (tls, config) = trust();
    let receiver = Receiver::spawn(Options { tls: Some(tls), http2: true, ..Options::default() }).unwrap();
    (receiver, Office::open(config))
}

/// A server that is given as what it does, below HTTP/2, with its n-th connection.
fn raw(each: impl Fn(usize, StreamOwned<ServerConnection, TcpStream>) + Send + 'static) -> (String, Office) {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let (tls, config) = trust();
    let chain = vec![CertificateDer::from_pem_slice(tls.certificates.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut secure = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    secure.alpn_protocols = vec![b"h2".to_vec()];
    let secure = Arc::new(secure);
    let address =
        server(move |number, tcp| each(number, StreamOwned::new(ServerConnection::new(secure.clone()).unwrap(), tcp)));
    (format!("https://{address}/"), Office::open(config))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Reads until the first request has begun, that is until a frame of headers.
fn until_headers(stream: &mut impl Read) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).unwrap();
        if head[3] == 1 {
            return;
        }
    }
}

#[test]
fn many_at_once_share_one_connection_and_are_each_answered_with_their_own() {
    let (receiver, office) = office();
    let requests = (0..1000).map(|id| {
        let mut request = post(id, &receiver.url(&format!("/echo/{id}")));
        request.body = format!("body {id}").into();
        request.at_once = 64;
        request
    });
    for receipt in office.send_all(requests.collect()) {
        let echo: receiver::Record = serde_json::from_slice(&receipt.result.unwrap().body).unwrap();
        assert_eq!((echo.path, echo.body), (format!("/echo/{}", receipt.id), format!("body {}", receipt.id)));
    }
    assert_eq!(receiver.stats().total.requests, 1000);
    assert_eq!((office.courier.stats().connections, office.courier.stats().idle), (1, 1));
}

#[test]
fn a_slow_receiver_is_asked_by_as_many_streams_as_may_be_under_way() {
    let (receiver, office) = office();
    let begun = Instant::now();
    office.send_all((0..640).map(|id| post(id, &receiver.url("/delay/50"))).collect());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(office.courier.stats().connections <= 8, "{:?}", office.courier.stats());
}

#[test]
fn one_that_hangs_runs_into_its_timeout_and_stops_no_other() {
    let (receiver, office) = office();
    let mut hanging = post(0, &receiver.url("/hang"));
    hanging.timeout = Duration::from_millis(400);
    let mut all = vec![hanging];
    all.extend((1..50).map(|id| post(id, &receiver.url("/delay/20"))));
    for receipt in office.send_all(all) {
        match receipt.id {
            0 => assert_eq!(receipt.result.unwrap_err().kind, Timeout),
            _ => assert_eq!(receipt.result.unwrap().status, 200),
        }
    }
    assert_eq!(office.response(post(99, &receiver.url("/ok"))).status, 200);
}

#[test]
fn large_bodies_pass_the_windows_both_ways() {
    let (receiver, office) = office();
    let mut request = post(0, &receiver.url("/big/700000"));
    request.body = vec![b'x'; 3_000_000].into();
    request.keep = 900_000;
    let response = office.response(request);
    assert_eq!((response.status, response.body.len(), response.truncated), (200, 700_000, false));
    assert_eq!(receiver.stats().total.requests, 1);
    // an endless one is cut off, and the connection goes on
    let mut request = post(1, &receiver.url("/big/50000000"));
    request.keep = 10;
    assert!(office.response(request).truncated);
    assert_eq!(office.response(post(2, &receiver.url("/ok"))).status, 200);
    assert_eq!(office.courier.stats().connections, 1);
}

#[test]
fn a_stream_that_is_reset_is_a_failure_of_that_request_alone() {
    let (receiver, office) = office();
    assert_eq!(office.failure(post(0, &receiver.url("/reset"))).kind, Reset);
    assert_eq!(office.response(post(1, &receiver.url("/ok"))).status, 200);
}

#[test]
fn what_a_leaving_receiver_has_not_looked_at_is_sent_once_more() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    let (url, office) = raw(move |_, mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        until_headers(&mut stream);
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[]));
        // no error, and no stream was looked at
        let _ = stream.write_all(&frame(GOAWAY, 0, 0, &[0; 8]));
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 64]);
    });
    assert_eq!(office.failure(post(0, &url)).kind, Reset);
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[test]
fn garbage_after_the_handshake_is_not_http() {
    let (url, office) = raw(|_, mut stream| {
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[1, 2, 3]));
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 1024]);
        std::thread::sleep(Duration::from_millis(200));
    });
    let failure = office.failure(post(0, &url));
    assert!(matches!(failure.kind, Protocol | Reset), "{failure}");
}

#[test]
fn a_receiver_without_it_is_spoken_to_as_before() {
    let (tls, config) = trust();
    let receiver = Receiver::spawn(Options { tls: Some(tls), ..Options::default() }).unwrap();
    let office = Office::open(config);
    let receipts = office.send_all((0..40).map(|id| post(id, &receiver.url("/delay/100"))).collect());
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok()));
    // all but the first waited for the first one's connection only
    assert!(receipts.iter().all(|receipt| receipt.duration < Duration::from_secs(3)));
    assert!(office.courier.stats().connections > 10, "{:?}", office.courier.stats());
}

#[test]
fn a_host_that_cannot_be_reached_holds_its_requests_no_longer_than_each_by_itself() {
    let hanging = server(|_, stream| std::mem::forget(stream));
    let office = Office::open(loopback());
    let requests = (0..20).map(|id| {
        let mut request = post(id, &format!("https://{hanging}/"));
        request.timeout = Duration::from_millis(300);
        request
    });
    let begun = Instant::now();
    assert!(office.send_all(requests.collect()).iter().all(|receipt| receipt.result.is_err()));
    // the first connection, then all others at once
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn idle_connections_are_closed_and_a_new_configuration_ends_the_old_ones() {
    let (tls, config) = trust();
    let receiver = Receiver::spawn(Options { tls: Some(tls), http2: true, ..Options::default() }).unwrap();
    let office = Office::open(Config { idle_timeout: Duration::from_millis(300), ..config.clone() });
    assert_eq!(office.response(post(0, &receiver.url("/ok"))).status, 200);
    assert_eq!(office.courier.stats().connections, 1);
    office.until("closed", |courier| courier.stats().connections == 0);
    assert_eq!(office.response(post(1, &receiver.url("/ok"))).status, 200);
    office.courier.reconfigure(config);
    office.until("closed", |courier| courier.stats().connections == 0);
    assert_eq!(office.response(post(2, &receiver.url("/ok"))).status, 200);
}

#[test]
fn more_hosts_than_connections_take_turns() {
    let (tls, config) = trust();
    let receivers: Vec<Receiver> = (0..6)
        .map(|_| Receiver::spawn(Options { tls: Some(tls.clone()), http2: true, ..Options::default() }).unwrap())
        .collect();
    let office = Office::open(Config { max_connections: 2, ..config });
    let requests = (0..600).map(|id| post(id, &receivers[id as usize % 6].url("/delay/1")));
    assert!(office.send_all(requests.collect()).iter().all(|receipt| receipt.result.is_ok()));
    assert!(receivers.iter().all(|receiver| receiver.stats().total.requests == 100));
}
