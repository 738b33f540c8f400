//! What can go wrong with a request, as a value.

use std::error::Error;
use std::fmt;
use std::io;

/// A request that got no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    pub kind: FailureKind,
    /// one sentence for a human
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// the name could not be looked up
    Dns,
    /// every address of the host lies in a network that must not be called
    AddressRefused,
    /// no connection: refused, unreachable
    Connect,
    /// no connection in time (connecting or TLS handshake)
    ConnectTimeout,
    /// no trust: certificate or handshake
    Tls,
    /// connected, but no complete response in time
    Timeout,
    /// the connection broke before the response was complete
    Reset,
    /// what came is not HTTP, or not the version that is spoken
    Protocol,
    /// the headers of the response are too many or too long
    ResponseTooLarge,
    /// anything else of the operating system, for example no free file descriptor
    Io,
    /// the courier was shut down before the response was complete
    Shutdown,
    /// called back before it was begun ([`Courier::recall`](crate::Courier::recall))
    Recalled,
    /// the caller of a [`Fetch`](crate::Fetch) gave up
    Interrupted,
}

impl FailureKind {
    /// The kind in snake_case, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Dns => "dns",
            FailureKind::AddressRefused => "address_refused",
            FailureKind::Connect => "connect",
            FailureKind::ConnectTimeout => "connect_timeout",
            FailureKind::Tls => "tls",
            FailureKind::Timeout => "timeout",
            FailureKind::Reset => "reset",
            FailureKind::Protocol => "protocol",
            FailureKind::ResponseTooLarge => "response_too_large",
            FailureKind::Io => "io",
            FailureKind::Shutdown => "shutdown",
            FailureKind::Recalled => "recalled",
            FailureKind::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl Into<String>) -> Failure {
        Failure { kind, detail: detail.into() }
    }

    /// A connect that failed at once.
    pub(crate) fn from_connect(address: impl fmt::Display, error: &io::Error) -> Failure {
        use io::ErrorKind::*;
        let kind = match error.kind() {
            ConnectionRefused | ConnectionReset | ConnectionAborted | HostUnreachable | NetworkUnreachable
            | NetworkDown | AddrNotAvailable => FailureKind::Connect,
            TimedOut => FailureKind::ConnectTimeout,
            _ => FailureKind::Io,
        };
        Failure::new(kind, format!("could not connect to {address}: {}", plain(error)))
    }

    /// An exchange that broke; `stage` says when, as in "while reading the response body".
    pub(crate) fn from_hyper(error: &hyper::Error, stage: &str) -> Failure {
        if error.is_parse_too_large() {
            let detail = "the response has more than 100 headers or more than 64 kB of them";
            return Failure::new(FailureKind::ResponseTooLarge, detail);
        }
        if let Some(io) = source::<io::Error>(error) {
            return Failure::from_io(io, stage);
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Failure::new(FailureKind::Reset, format!("the receiver closed the connection {stage}"));
        }
        Failure::new(FailureKind::Protocol, format!("not an HTTP/1.1 response ({}) {stage}", chain(error)))
    }

    /// A connection that broke.
    pub(crate) fn from_io(error: &io::Error, stage: &str) -> Failure {
        use io::ErrorKind::*;
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Failure::new(FailureKind::Tls, format!("TLS failed {stage}: {}", crate::tls::explain(tls)));
        }
        match error.kind() {
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof | NotConnected => {
                Failure::new(FailureKind::Reset, format!("the connection was reset {stage}"))
            }
            // hyper's decoder of chunks speaks so
            InvalidData | InvalidInput => {
                Failure::new(FailureKind::Protocol, format!("not an HTTP/1.1 response ({error}) {stage}"))
            }
            _ => Failure::new(FailureKind::Io, format!("{} {stage}", plain(error))),
        }
    }
}

/// The operating system's words without Rust's "(os error 111)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The first error of type `T` that `error` was caused by.
fn source<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
