//! The courier's configuration, and its checked form.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

use crate::guard::Guard;
use crate::tls::Tls;

/// Longest time spent on look-up, connect and TLS handshake together; a shorter request timeout wins.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of a response's headers.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;

/// What the embedder sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// networks that may be called although they are not public
    pub allow_networks: Vec<IpNet>,
    /// PEM file with certificate authorities trusted besides the system's
    pub extra_ca_file: Option<PathBuf>,
    /// most bytes of a response body read from the wire; the rest is not read and the connection is closed
    pub max_response_bytes: usize,
    /// most connections open at a time, idle ones included; further requests wait. At least 1.
    pub max_connections: usize,
    /// how long a connection without work is kept; 30 s is less than what common servers allow
    pub idle_timeout: Duration,
    /// the `User-Agent` of requests that bring none; one that cannot be a header value counts as `pg_frontdesk`
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            allow_networks: Vec::new(),
            extra_ca_file: None,
            max_response_bytes: 1024 * 1024,
            max_connections: 256,
            idle_timeout: Duration::from_secs(30),
            user_agent: "pg_frontdesk".into(),
        }
    }
}

/// [`Config`] as the threads use it; replaced as a whole by `reconfigure`.
pub(crate) struct Settings {
    pub(crate) guard: Guard,
    pub(crate) tls: Arc<Tls>,
    pub(crate) max_response_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) user_agent: HeaderValue,
}

impl Settings {
    pub(crate) fn new(config: Config) -> Settings {
        Settings {
            guard: Guard::new(config.allow_networks),
            tls: Tls::shared(config.extra_ca_file),
            max_response_bytes: config.max_response_bytes,
            max_connections: config.max_connections.max(1),
            // a longer one would overflow the clock
            idle_timeout: config.idle_timeout.min(Duration::from_secs(24 * 3600)),
            user_agent: HeaderValue::from_str(&config.user_agent).unwrap_or(HeaderValue::from_static("pg_frontdesk")),
        }
    }
}
