//! How a receiver is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The default is a plain HTTP receiver on a free loopback port that accepts everything.
#[derive(Clone, Debug)]
pub struct Options {
    /// port 0 takes a free one
    pub listen: SocketAddr,
    /// `whsec_...` or `whpk_...`; with any, each request is verified and counted, one that fits is enough
    pub secrets: Vec<String>,
    /// refuse what does not verify: 401
    pub verify: bool,
    /// seconds a timestamp may be off
    pub tolerance: i64,
    /// answer under `/_control/`
    pub control: bool,
    /// listen without TLS too, on a free loopback port, for who asks under `/_control/`
    pub plain_door: bool,
    /// ports to listen on besides, free ones of the same address: as many hosts, to who sends
    pub more_ports: usize,
    /// append one JSON line per request to this file; `-` is stdout
    pub record: Option<PathBuf>,
    /// keep the ids (and small `data`) of each path in order, the last million
    pub keep_ids: bool,
    /// threads that serve; one takes tens of thousands of requests a second
    pub threads: usize,
    /// serve HTTPS
    pub tls: Option<Tls>,
    /// serve only who has a certificate of this authority (PEM)
    pub client_ca: Option<String>,
    /// offer HTTP/2 in the TLS handshake, and without TLS take it from who knows beforehand; misbehaviour below HTTP
    /// then resets the stream
    pub http2: bool,
}

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificates: String,
    pub key: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            secrets: Vec::new(),
            verify: false,
            tolerance: 300,
            control: false,
            plain_door: false,
            more_ports: 0,
            record: None,
            keep_ids: false,
            threads: 1,
            tls: None,
            client_ca: None,
            http2: false,
        }
    }
}
