//! Room 21: webhooks that come in.

use pgrx::prelude::*;
use serde_json::Value;
use signing::VerifyScheme;

use crate::engine::clock;
use crate::error::{OrReport, invalid};
use crate::pg::jsonb::Jsonb;

#[pg_extern(sql = false)]
fn verify_webhook(
    secret: Option<&str>,
    headers: Option<Jsonb>,
    body: Option<&[u8]>,
    scheme: Option<&str>,
    tolerance: Option<Interval>,
) -> bool {
    let scheme = parse_scheme(scheme.unwrap_or("standard"));
    let headers = pairs(headers.map_or(Value::Null, |headers| headers.0));
    let tolerance = tolerance.map_or(300, |interval| {
        i64::from(interval.months()) * 2_592_000 + i64::from(interval.days()) * 86_400 + interval.micros() / 1_000_000
    });
    signing::verify(scheme, secret.unwrap_or_default(), &headers, body.unwrap_or_default(), now(), tolerance)
        .or_report()
}

pub fn parse_scheme(text: &str) -> VerifyScheme {
    text.parse().or_report()
}

/// Names and values of headers that are given as an object; of a list of values the first.
pub fn pairs(headers: Value) -> Vec<(String, String)> {
    let Value::Object(headers) = headers else {
        invalid(
            "headers must be a JSON object",
            Some("As in {\"webhook-id\": \"...\", \"webhook-signature\": \"...\"}.".into()),
        )
    };
    let first = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Array(values) => values.into_iter().find_map(|value| value.as_str().map(str::to_owned)),
        _ => None,
    };
    headers.into_iter().filter_map(|(name, value)| Some((name, first(value)?))).collect()
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    clock::now() / 1_000_000 + clock::UNIX_EPOCH_SECONDS
}
