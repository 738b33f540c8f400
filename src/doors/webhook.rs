//! Room 21: webhooks that come in.

use pgrx::prelude::*;
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
    let scheme: VerifyScheme = scheme.unwrap_or("standard").parse().or_report();
    let Some(Jsonb(serde_json::Value::Object(headers))) = headers else {
        invalid(
            "headers must be a JSON object",
            Some("As in {\"webhook-id\": \"...\", \"webhook-signature\": \"...\"}.".into()),
        )
    };
    let headers: Vec<(String, String)> =
        headers.into_iter().filter_map(|(name, value)| value.as_str().map(|value| (name, value.to_owned()))).collect();
    let tolerance = tolerance.map_or(300, |interval| {
        i64::from(interval.months()) * 2_592_000 + i64::from(interval.days()) * 86_400 + interval.micros() / 1_000_000
    });
    let now = clock::now() / 1_000_000 + clock::UNIX_EPOCH_SECONDS;
    signing::verify(scheme, secret.unwrap_or_default(), &headers, body.unwrap_or_default(), now, tolerance).or_report()
}
