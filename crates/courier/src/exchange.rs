//! One request and its response on an open connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Version, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::{ReadBody, read_body};
use crate::coding::decode;
use crate::failure::{Failure, FailureKind};
use crate::heard::Heard;
use crate::message::{Request, Response, is_reserved_header};
use crate::settings::{MAX_HEADER_BYTES, Settings};
use crate::stream::Metered;

type Connection = http1::Connection<TokioIo<Metered>, Full<Bytes>>;

/// An open connection. Whoever waits on it also drives it: one task per connection, no hand-over between tasks.
pub(crate) struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// gone once the connection has ended
    connection: Option<Box<Connection>>,
    heard: Heard,
    timer: Pin<Box<Sleep>>,
}

/// What an exchange on a line came to.
pub(crate) enum Exchanged {
    Answered {
        response: Response,
        reusable: bool,
    },
    /// the connection broke before a byte of the response came, or the receiver says that it has not looked at the request
    Unanswered(Failure),
    Failed(Failure),
}

/// The time given to a step ran out.
pub(crate) struct Elapsed;

impl Line {
    pub(crate) async fn open(stream: Metered, heard: Heard) -> Result<Line, Failure> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEADER_BYTES)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| Failure::from_hyper(&e, "before the request was sent"))?;
        let timer = Box::pin(sleep_until(Instant::now()));
        Ok(Line { sender, connection: Some(Box::new(connection)), heard, timer })
    }

    /// Sends `request` and reads its response until `deadline`.
    pub(crate) async fn exchange(&mut self, request: &Request, settings: &Settings, deadline: Instant) -> Exchanged {
        self.timer.as_mut().reset(deadline);
        let heard = self.heard.count();
        self.heard.begin();
        let sent = self.sender.send_request(to_http(request, settings));
        let mut answer = match self.drive(sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => {
                let failure = Failure::from_hyper(&e, "before it answered");
                if self.heard.count() == heard {
                    return Exchanged::Unanswered(failure);
                }
                // Of headers without end nobody knows what would have come.
                let ends = self.heard.count() - heard < MAX_HEADER_BYTES as u64;
                return match self.heard.status().filter(|_| ends && is_of_headers(failure.kind)) {
                    Some(status) => Exchanged::Answered { response: bare(status), reusable: false },
                    None => Exchanged::Failed(failure),
                };
            }
            Err(Elapsed) => return Exchanged::Failed(timed_out(request, "no response headers")),
        };
        let keep = request.keep;
        let mut body = match self.drive(read_body(answer.body_mut(), keep, settings.max_response_bytes)).await {
            Ok(Ok(body)) => body,
            Ok(Err(e)) => {
                let stage = format!("while sending the body of its response (status {})", answer.status().as_u16());
                return Exchanged::Failed(Failure::from_hyper(&e, &stage));
            }
            Err(Elapsed) => {
                let what = format!("status {} but no complete body", answer.status().as_u16());
                return Exchanged::Failed(timed_out(request, &what));
            }
        };
        decode(answer.headers_mut(), &mut body, keep.min(settings.max_response_bytes));
        let complete = body.complete;
        let response = to_response(&answer, request.keep_headers, body);
        drop(answer);
        let reusable = complete && self.is_ready().await;
        Exchanged::Answered { response, reusable }
    }

    /// Drives the connection while idle; ends when `step` does, or with `Elapsed` when `until` has come or the peer closed.
    pub(crate) async fn idle<S: Future>(&mut self, until: Instant, step: S) -> Result<S::Output, Elapsed> {
        self.timer.as_mut().reset(until);
        let mut step = pin!(step);
        poll_fn(|cx| {
            if let Poll::Ready(output) = step.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.poll_connection(cx).is_ready() || self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Elapsed));
            }
            Poll::Pending
        })
        .await
    }

    /// Runs `step` and the connection together until `step` is done or the timer rings.
    async fn drive<S: Future>(&mut self, step: S) -> Result<S::Output, Elapsed> {
        let mut step = pin!(step);
        poll_fn(|cx| {
            if let Poll::Ready(output) = step.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let _ = self.poll_connection(cx);
            // what the connection just did may have completed the step: no need to be woken for it
            if let Poll::Ready(output) = step.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.timer.as_mut().poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Ready once the connection has ended; its reason reaches the request that is under way. Dropping it then makes
    /// hyper answer a request that it had not begun to send.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(()) };
        match Pin::new(connection).poll(cx) {
            Poll::Ready(_) => {
                self.connection = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether the next request can be sent at once. One that is still being written (the receiver answered early)
    /// is not waited for.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            let _ = self.poll_connection(cx);
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }
}

fn to_http(request: &Request, settings: &Settings) -> http::Request<Full<Bytes>> {
    let mut message = http::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = request.target.path.clone();
    *message.version_mut() = Version::HTTP_11;
    let headers = message.headers_mut();
    headers.reserve(request.headers.len() + 3);
    headers.insert(header::HOST, request.target.host_header.clone());
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_reserved_header(name)) {
        headers.append(name, value.clone());
    }
    headers.entry(header::USER_AGENT).or_insert_with(|| settings.user_agent.clone());
    // RFC 9110, 12.5.3: a request that does not say so may be answered in any coding.
    headers.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    message
}

/// Whether the headers of a response are what is wrong with it. A receiver that has said 200 has taken the request, however
/// odd the lines after it are: sending it again would do no good.
fn is_of_headers(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Protocol | FailureKind::ResponseTooLarge)
}

/// A response of which nothing but the status could be read.
fn bare(status: u16) -> Response {
    Response { status, truncated: true, ..Response::default() }
}

pub(crate) fn to_response<B>(answer: &http::Response<B>, keep_headers: bool, body: ReadBody) -> Response {
    Response {
        status: answer.status().as_u16(),
        headers: if keep_headers { kept_headers(answer.headers()) } else { Vec::new() },
        retry_after: answer.headers().get(header::RETRY_AFTER).map(text),
        body: body.kept,
        truncated: body.truncated,
    }
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

pub(crate) fn timed_out(request: &Request, what: &str) -> Failure {
    Failure::new(FailureKind::Timeout, format!("{what} within {} ms", request.timeout.as_millis()))
}
