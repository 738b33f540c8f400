//! What came back.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

/// What became of one request.
#[derive(Debug)]
pub struct Receipt {
    pub request: u64,
    /// Microseconds since 2000-01-01.
    pub started_at: i64,
    pub duration_ms: f32,
    pub address: Option<IpAddr>,
    pub reply: Reply,
}

#[derive(Debug)]
pub enum Reply {
    Answer(Answer),
    /// There was none.
    Failure {
        /// The word for frontdesk_internal.attempt.error.
        error: &'static str,
        detail: String,
    },
    /// It was called back before it was sent.
    Recalled,
    /// A handler has run, and its attempt is written in the same transaction as its effects.
    Handled,
    /// A handler cannot run any more: its function or its owner is gone. It is disabled, and its events wait.
    Broken(String),
}

/// A response, without the credentials that were sent.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
    /// As much as is kept.
    pub body: Vec<u8>,
    /// As JSON; of direct requests.
    pub headers: Option<String>,
}

/// Bytes of a response that an attempt shows as text.
const SHOWN: usize = 4096;

impl Answer {
    /// The whole body.
    pub(crate) fn text(&self) -> String {
        readable(&self.body)
    }

    /// The beginning of the body.
    pub(crate) fn shown(&self) -> String {
        readable(&self.body[..self.body.len().min(SHOWN)])
    }
}

/// A request that could not be made.
#[derive(Debug)]
pub struct Unsendable {
    /// The word for frontdesk_internal.attempt.error.
    pub error: &'static str,
    pub detail: String,
    /// Can it never succeed as it is?
    pub hopeless: bool,
}

/// Bytes as text that PostgreSQL can keep.
pub fn readable(bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) if !text.contains('\0') => text.to_owned(),
        text => text.replace('\0', "\u{fffd}"),
    }
}
