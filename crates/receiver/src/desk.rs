//! From a request to what is done with it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Request, Response};
use signing::Verifier;
use thiserror::Error;

use crate::behaviour::{Behaviour, Stage};
use crate::control;
use crate::embedder;
use crate::options::Options;
use crate::raw::Raw;
use crate::record::{Log, Seen};
use crate::reply::{Reply, json, plain};
use crate::tally::{Tally, unix_us};

/// What all connections share.
pub(crate) struct Desk {
    verifiers: Vec<Verifier>,
    verify: bool,
    tolerance: i64,
    control: bool,
    tally: Mutex<Tally>,
    log: Option<Mutex<Log>>,
}

/// Why there is no HTTP response.
#[derive(Debug, Error)]
pub(crate) enum NoAnswer {
    #[error("the connection gets something that is not HTTP")]
    Raw(Raw),
    #[error("the request could not be read")]
    Broken,
}

impl Desk {
    pub(crate) fn new(options: &Options) -> io::Result<Desk> {
        let verifiers = options.secrets.iter().map(|secret| {
            Verifier::new(secret).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))
        });
        Ok(Desk {
            verifiers: verifiers.collect::<io::Result<_>>()?,
            verify: options.verify,
            tolerance: options.tolerance,
            control: options.control,
            tally: Mutex::new(Tally::new(options.keep_ids)),
            log: options.record.as_deref().map(Log::open).transpose()?.map(Mutex::new),
        })
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Result<Response<Reply>, NoAnswer> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| NoAnswer::Broken)?.to_bytes();
        if self.control && head.uri.path().starts_with("/_control/") {
            return Ok(control::answer(&mut self.tally(), &head.method, &head.uri));
        }
        let mut seen = Seen {
            at: SystemTime::now(),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
            verified: None,
        };
        if !self.verifiers.is_empty() {
            seen.verified = Some(self.is_signed(&seen));
        }
        let refused = self.verify && seen.verified != Some(true);
        let behaviour = match Behaviour::of(seen.uri.path(), seen.uri.query()) {
            Behaviour::Toggle(name) if self.tally().toggle(&name) == 0 => Behaviour::Hang,
            behaviour => behaviour,
        };
        let seen = Arc::new(seen);
        self.write_down(&seen);
        let answer = match refused {
            true => Ok(json(401, &br#"{"ok":false,"error":"the signature is wrong"}"#[..])),
            false => self.respond(behaviour.clone(), &seen),
        };
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let hangs = behaviour == Behaviour::Hang && !refused;
        self.tally().count(seen, status.filter(|_| !hangs));
        match behaviour {
            _ if refused => {}
            Behaviour::Delay(pause) => tokio::time::sleep(pause).await,
            Behaviour::Hang => std::future::pending().await,
            _ => {}
        }
        answer
    }

    fn respond(&self, behaviour: Behaviour, seen: &Seen) -> Result<Response<Reply>, NoAnswer> {
        Ok(match behaviour {
            Behaviour::Ok | Behaviour::Delay(_) | Behaviour::Hang => plain(200),
            Behaviour::Status(status) => plain(status),
            Behaviour::Gone => plain(410),
            Behaviour::Toggle(name) => plain(self.tally().toggle(&name)),
            Behaviour::FailFirst { count, tag, each, retry_after } => {
                let id = if each { seen.id() } else { None };
                match self.tally().fails(tag, id, count) {
                    true => with_header(plain(500), RETRY_AFTER, retry_after),
                    false => plain(200),
                }
            }
            Behaviour::RetryAfter(status, after) => with_header(plain(status), RETRY_AFTER, Some(after)),
            Behaviour::Redirect(status, to) => with_header(plain(status), LOCATION, Some(to)),
            Behaviour::Drip(pause) => Response::new(Reply::drip(pause)),
            Behaviour::Big(bytes) => Response::new(Reply::Big(bytes)),
            Behaviour::Binary => Response::new(Reply::Whole(Bytes::from_static(b"a\xff\xfe\x00b"))),
            Behaviour::Embed(dimensions, lie) => {
                let (status, body) = embedder::answer(&seen.body, dimensions, lie);
                json(status, body)
            }
            Behaviour::Echo => json(200, serde_json::to_vec(&seen.record()).unwrap_or_default()),
            Behaviour::Reset(Stage::Start) => return Err(NoAnswer::Raw(Raw::Reset(b""))),
            Behaviour::Reset(Stage::Headers) => {
                return Err(NoAnswer::Raw(Raw::Reset(b"HTTP/1.1 200 OK\r\ncontent-type: text/pl")));
            }
            Behaviour::Reset(Stage::Body) => {
                return Err(NoAnswer::Raw(Raw::Reset(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")));
            }
            Behaviour::Close => return Err(NoAnswer::Raw(Raw::Close)),
            Behaviour::Garbage => return Err(NoAnswer::Raw(Raw::Garbage)),
            Behaviour::HeadersEndless => return Err(NoAnswer::Raw(Raw::HeadersEndless)),
        })
    }

    fn is_signed(&self, seen: &Seen) -> bool {
        let headers = (seen.id(), seen.header("webhook-timestamp"), seen.header("webhook-signature"));
        let (Some(id), Some(timestamp), Some(signatures)) = headers else { return false };
        let now = (unix_us(seen.at) / 1_000_000) as i64;
        let fits = |verifier: &Verifier| verifier.standard(id, timestamp, signatures, &seen.body, now, self.tolerance);
        self.verifiers.iter().any(fits)
    }

    fn write_down(&self, seen: &Seen) {
        let Some(log) = &self.log else { return };
        let written = log.lock().unwrap_or_else(PoisonError::into_inner).write(&seen.record());
        if let Err(e) = written {
            eprintln!("receiver: cannot record a request: {e}");
        }
    }
}

fn with_header(
    mut response: Response<Reply>,
    name: hyper::header::HeaderName,
    value: Option<String>,
) -> Response<Reply> {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(name, value);
    }
    response
}
