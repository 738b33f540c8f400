//! The only crate with sockets: `Request` -> `Receipt`.
//!
//! [`Courier`] sends any number of requests from one extra thread (tokio current-thread, hyper and h2, own pool of
//! connections; HTTP/2 where the receiver offers it in the TLS handshake). [`Fetch`] sends a single one while the caller waits and can interrupt.
//!
//! What holds for both:
//! - every resolved address passes the [`Guard`] and exactly that address is dialled: no second look-up;
//! - redirects are answers, never followed;
//! - one timeout covers look-up, connect, TLS, sending and the whole response; sizes are bounded;
//! - a failure is a value ([`Failure`]), and every request gets exactly one [`Receipt`].
//!
//! Neither thread ever calls PostgreSQL. The embedder blocks signals before it calls [`Courier::spawn`] or
//! [`Fetch::start`], because threads inherit the mask and a handler of the server must not run in them.
#![forbid(unsafe_code)]

mod body;
mod certificate;
mod coding;
mod connect;
mod courier;
mod exchange;
mod failure;
mod fetch;
mod guard;
mod heard;
mod inbox;
mod message;
mod pin;
mod pool;
mod resolve;
mod settings;
mod slot;
mod stream;
mod target;
mod tls;
mod trust;
mod trust_error;
mod wide;
mod worker;

pub use bytes::Bytes;
pub use certificate::Moment;
pub use courier::{Courier, Stats};
pub use failure::{Failure, FailureKind};
pub use fetch::Fetch;
pub use guard::{Guard, Refused};
pub use http::{HeaderName, HeaderValue, Method};
pub use ipnet::IpNet;
pub use message::{Receipt, Request, Response, is_reserved_header};
pub use resolve::{Resolve, SystemResolver};
pub use settings::Config;
pub use target::{Http, Target, UrlError};
pub use trust::{TlsOptions, Trust};
pub use trust_error::TrustError;
