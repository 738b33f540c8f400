//! What goes in and what comes out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};

use crate::failure::Failure;
use crate::target::Target;

/// One HTTP request to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// the caller's tag, returned in the receipt
    pub id: u64,
    /// requests of one group share a limit; the others of it wait, in the order in which they were sent
    pub group: i64,
    /// most requests of its group that are under way at once; 0 counts as 1
    pub at_once: usize,
    pub method: Method,
    pub target: Arc<Target>,
    /// sent as given, except those for which [`is_reserved_header`] holds, which are left out
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// covers look-up, connect, TLS, sending and the whole response, from the moment a connection is free for it
    pub timeout: Duration,
    /// bytes of the response body to keep
    pub keep: usize,
    /// whether to keep the response's headers
    pub keep_headers: bool,
}

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub id: u64,
    /// when work on it began (after any wait for a free connection)
    pub started_at: SystemTime,
    pub duration: Duration,
    /// the address that was dialled last, when there was one
    pub address: Option<IpAddr>,
    pub result: Result<Response, Failure>,
}

/// A complete HTTP response, whatever its status.
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    /// empty unless the request asked for them; bytes that are not UTF-8 are replaced
    pub headers: Vec<(String, String)>,
    /// the `Retry-After` header as it came, always
    pub retry_after: Option<String>,
    /// the first `keep` bytes
    pub body: Vec<u8>,
    /// whether the body was longer than what was kept
    pub truncated: bool,
}

/// Headers that frame the message or name the peer: the courier sets them, a caller's would make two receivers read one
/// request differently (request smuggling, RFC 9112 section 11.2).
pub fn is_reserved_header(name: &HeaderName) -> bool {
    const RESERVED: [HeaderName; 8] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
    ];
    RESERVED.contains(name) || name == "keep-alive" || name == "proxy-connection"
}
