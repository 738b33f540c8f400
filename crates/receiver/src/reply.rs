//! Bodies and responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::{Interval, interval};

const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 * 1024]);

/// What a response consists of.
pub(crate) enum Reply {
    Whole(Bytes),
    /// that many times `x`
    Big(u64),
    /// a byte at each tick, for ever
    Drip(Interval),
}

impl Reply {
    pub(crate) fn drip(pause: Duration) -> Reply {
        Reply::Drip(interval(pause.max(Duration::from_millis(1))))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Reply::Whole(bytes) => std::mem::take(bytes),
            Reply::Big(left) => {
                let size = (*left).min(CHUNK.len() as u64);
                *left -= size;
                CHUNK.slice(..size as usize)
            }
            Reply::Drip(interval) => match interval.poll_tick(cx) {
                Poll::Ready(_) => Bytes::from_static(b"."),
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reply::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Reply::Big(left) => SizeHint::with_exact(*left),
            Reply::Drip(_) => SizeHint::default(),
        }
    }
}

/// A JSON response.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The usual answer for a status: `{"ok":true}`, or the status.
pub(crate) fn plain(status: u16) -> Response<Reply> {
    match status {
        200 => json(200, Bytes::from_static(br#"{"ok":true}"#)),
        204 | 304 => json(status, Bytes::new()),
        other => json(other, format!(r#"{{"ok":{},"status":{other}}}"#, (200..300).contains(&other))),
    }
}
