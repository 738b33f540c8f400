//! Room 21: a request now, within the transaction.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use courier::{Bytes, Fetch, Method, Request};
use pgrx::prelude::*;
use pgrx::{Inet, JsonB};

use super::check::{parse_headers, parse_url};
use crate::engine;
use crate::error::{invalid, raise};
use crate::guc;
use crate::pg::jsonb::Jsonb;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn http_fetch(
    method: Option<&str>,
    url: Option<&str>,
    headers: Option<Jsonb>,
    body: Option<&[u8]>,
    timeout_ms: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(status, i32),
        name!(response_headers, JsonB),
        name!(response_body, Vec<u8>),
        name!(address, Option<Inet>),
        name!(duration_ms, f32),
    ),
> {
    let method: Method = match method.unwrap_or_default().to_ascii_uppercase().as_str() {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        "HEAD" => Method::HEAD,
        "OPTIONS" => Method::OPTIONS,
        other => invalid(
            format!("unknown HTTP method \"{other}\""),
            Some("GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.".into()),
        ),
    };
    let timeout = timeout_ms.unwrap_or(5000);
    if !(100..=120_000).contains(&timeout) {
        invalid(format!("timeout_ms {timeout} is out of range"), Some("100 to 120000 milliseconds.".into()));
    }
    let target = parse_url(url.unwrap_or_default());
    let request = Request {
        id: 0,
        group: 0,
        at_once: usize::MAX,
        method,
        target: Arc::new(target),
        headers: headers.map(|json| parse_headers(&json.0)).unwrap_or_default(),
        body: Bytes::copy_from_slice(body.unwrap_or_default()),
        timeout: Duration::from_millis(timeout as u64),
        keep: guc::max_response_bytes(),
        keep_headers: true,
    };
    let fetch = engine::without_signals(|| Fetch::start(engine::courier_config(1), request)).unwrap_or_else(|error| {
        raise(PgSqlErrorCode::ERRCODE_SYSTEM_ERROR, format!("cannot start a thread: {error}"), None, None)
    });
    // A cancel raises from here and ends the wait; what else interrupts (a barrier of DROP DATABASE) is only attended to.
    let receipt = fetch.wait(&|| {
        check_for_interrupts!();
        false
    });
    match receipt.result {
        Ok(response) => {
            let headers = response.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
            TableIterator::once((
                response.status.into(),
                JsonB(serde_json::Value::Object(headers)),
                response.body,
                receipt.address.map(|address: IpAddr| Inet(address.to_string())),
                receipt.duration.as_secs_f32() * 1000.0,
            ))
        }
        Err(failure) => raise(
            PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
            format!("HTTP request failed: {}", failure.kind.as_str()),
            Some(failure.detail),
            None,
        ),
    }
}
