//! A connection of HTTP/2: many requests at once, each a stream (RFC 9113).

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use h2::Reason;
use h2::client::{self, ResponseFuture, SendRequest};
use http::{HeaderValue, Version, header};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::body::read_stream;
use crate::coding::decode;
use crate::exchange::{Exchanged, timed_out, to_response};
use crate::failure::{Failure, FailureKind};
use crate::message::{Request, is_reserved_header};
use crate::settings::{MAX_HEADER_BYTES, Settings};
use crate::stream::Metered;
use crate::target::Origin;

/// Bytes of responses that may be under way, per stream and in all.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

pub(crate) type Connection = client::Connection<Metered, Bytes>;

pub(crate) struct Wide {
    sender: SendRequest<Bytes>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) address: Option<IpAddr>,
    /// what held when it was opened
    settings: Arc<Settings>,
    closing: Notify,
    ended: AtomicBool,
}

/// Speaks HTTP/2 from here on.
pub(crate) async fn handshake(stream: Metered) -> Result<(SendRequest<Bytes>, Connection), Failure> {
    client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .handshake(stream)
        .await
        .map_err(|e| failure(&e, "before the request was sent"))
}

impl Wide {
    pub(crate) fn new(
        sender: SendRequest<Bytes>,
        origin: Arc<Origin>,
        address: Option<IpAddr>,
        settings: Arc<Settings>,
    ) -> Wide {
        Wide { sender, origin, address, settings, closing: Notify::new(), ended: AtomicBool::new(false) }
    }

    /// How many requests the receiver takes at once.
    pub(crate) fn max_streams(&self) -> usize {
        self.sender.current_max_send_streams().max(1)
    }

    pub(crate) fn is_of(&self, settings: &Arc<Settings>) -> bool {
        Arc::ptr_eq(&self.settings, settings)
    }

    /// No stream can be begun any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Ends the connection; nothing is under way on it.
    pub(crate) fn close(&self) {
        self.closing.notify_one();
    }

    /// Drives the connection to its end: the receiver's, [`Wide::close`], or `idle()` when asked after the idle timeout.
    pub(crate) async fn drive(&self, mut connection: Connection, idle: impl Fn() -> bool) {
        let rest = self.settings.idle_timeout;
        let mut timer = Box::pin(sleep_until(Instant::now() + rest));
        let mut closing = pin!(self.closing.notified());
        poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                self.ended.store(true, Ordering::Relaxed);
                return Poll::Ready(());
            }
            if closing.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            while timer.as_mut().poll(cx).is_ready() {
                if idle() {
                    return Poll::Ready(());
                }
                timer.as_mut().reset(Instant::now() + rest);
            }
            Poll::Pending
        })
        .await;
    }

    /// Sends `request` and reads its response until `deadline`.
    pub(crate) async fn exchange(&self, request: &Request, deadline: Instant) -> Exchanged {
        let mut seen = None;
        match timeout_at(deadline, self.converse(request, &mut seen)).await {
            Ok(exchanged) => exchanged,
            Err(_) => Exchanged::Failed(match seen {
                Some(status) => timed_out(request, &format!("status {status} but no complete body")),
                None => timed_out(request, "no response headers"),
            }),
        }
    }

    async fn converse(&self, request: &Request, seen: &mut Option<u16>) -> Exchanged {
        let answer = match self.begin(request).await {
            Ok(answer) => answer.await,
            Err(e) => Err(e),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(e) if is_unprocessed(&e) => return Exchanged::Unanswered(failure(&e, "before it answered")),
            Err(e) => return Exchanged::Failed(failure(&e, "before it answered")),
        };
        *seen = Some(answer.status().as_u16());
        let (head, body) = answer.into_parts();
        let mut head = http::Response::from_parts(head, ());
        let most = self.settings.max_response_bytes;
        match read_stream(body, request.keep, most).await {
            Ok(mut body) => {
                decode(head.headers_mut(), &mut body, request.keep.min(most));
                Exchanged::Answered { response: to_response(&head, request.keep_headers, body), reusable: true }
            }
            Err(e) => {
                let stage = format!("while sending the body of its response (status {})", head.status().as_u16());
                Exchanged::Failed(failure(&e, &stage))
            }
        }
    }

    async fn begin(&self, request: &Request) -> Result<ResponseFuture, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut body) = sender.send_request(to_http(request, &self.settings), request.body.is_empty())?;
        if !request.body.is_empty() {
            // it is in memory already: what the receiver has no room for yet waits there
            body.send_data(request.body.clone(), true)?;
        }
        Ok(answer)
    }
}

fn to_http(request: &Request, settings: &Settings) -> http::Request<()> {
    let mut message = http::Request::new(());
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = request.target.absolute.clone();
    *message.version_mut() = Version::HTTP_2;
    let headers = message.headers_mut();
    headers.reserve(request.headers.len() + 3);
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_reserved_header(name)) {
        headers.append(name, value.clone());
    }
    headers.entry(header::USER_AGENT).or_insert_with(|| settings.user_agent.clone());
    headers.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    headers.insert(header::CONTENT_LENGTH, request.body.len().into());
    message
}

/// The receiver says that it has not looked at the request (RFC 9113, section 8.7), so it can be sent again.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let leaving = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    error.is_remote() && (refused || leaving)
}

fn failure(error: &h2::Error, stage: &str) -> Failure {
    if let Some(io) = error.get_io() {
        return Failure::from_io(io, stage);
    }
    let reason = error.reason();
    if error.is_remote() {
        let detail = match reason {
            Some(reason) => format!("the receiver ended the exchange with {reason:?} {stage}"),
            None => format!("the receiver closed the connection {stage}"),
        };
        return Failure::new(FailureKind::Reset, detail);
    }
    match reason {
        Some(Reason::NO_ERROR | Reason::CANCEL) | None => {
            Failure::new(FailureKind::Reset, format!("the connection ended {stage}"))
        }
        Some(_) => Failure::new(FailureKind::Protocol, format!("not an HTTP/2 response ({error}) {stage}")),
    }
}
