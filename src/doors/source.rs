//! Room 22: webhooks that come in.

use base64::Engine;
use inbound::{Place, Request, Rules};
use pgrx::prelude::*;
use serde_json::Value;
use signing::VerifyScheme;

use crate::doors::webhook::{now, pairs, parse_scheme};
use crate::error::{OrReport, invalid};
use crate::pg::jsonb::Jsonb;
use crate::vault;

/// An error where the settings of a source are none: the scheme, its secret, the places of id and type.
#[pg_extern(sql = false)]
fn check_source(scheme: Option<&str>, secret: Option<&str>, id_path: Option<&str>, type_path: Option<&str>) {
    let scheme = parse_scheme(scheme.unwrap_or_default());
    place("id_path", id_path);
    place("type_path", type_path);
    if !scheme.has_secret() {
        return;
    }
    let headers = [(":url".to_string(), String::new())];
    if let Some(secret) = secret {
        signing::verify(scheme.clone(), secret, &headers, &[], 0, 0).or_report();
    }
    match (scheme, secret) {
        (VerifyScheme::Basic, Some(secret)) if !secret.contains(':') => {
            invalid("the secret of scheme basic is \"user:password\"", Some("As the sender is set up with.".into()))
        }
        (VerifyScheme::Telegram, Some(secret)) if !is_token_of_telegram(secret) => invalid(
            "this cannot be a secret_token of Telegram",
            Some("1 to 256 of A-Z a-z 0-9 _ and -; leave it out to have one made.".into()),
        ),
        _ => {}
    }
}

fn is_token_of_telegram(secret: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=256).contains(&secret.len()) && secret.bytes().all(fits)
}

fn place(what: &str, text: Option<&str>) -> Option<Place> {
    let text = text?;
    let place = Place::parse(text);
    if place.is_none() {
        invalid(
            format!("{what} \"{text}\" is no place in a request"),
            Some("A dotted path into the body, data.object.id, or the name of a header, header:X-Request-Id.".into()),
        );
    }
    place
}

/// Whether the request is its sender's, and what it says. `secrets` (in base64) and `verify_token` are sealed.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn read_webhook(
    scheme: Option<&str>,
    secrets: Option<Vec<Option<String>>>,
    headers: Option<Jsonb>,
    body: Option<&[u8]>,
    query: Option<&str>,
    method: Option<&str>,
    public_url: Option<&str>,
    verify_token: Option<&[u8]>,
    id_path: Option<&str>,
    type_path: Option<&str>,
    tolerance_seconds: Option<i64>,
) -> TableIterator<
    'static,
    (
        name!(status, i32),
        name!(reply, Option<String>),
        name!(id, Option<String>),
        name!(kind, Option<String>),
        name!(document, Option<Jsonb>),
        name!(kept_headers, Option<Jsonb>),
        name!(reason, Option<String>),
    ),
> {
    let answer =
        |status, reply, reason: Option<String>| TableIterator::once((status, reply, None, None, None, None, reason));
    let scheme = parse_scheme(scheme.unwrap_or_default());
    let mut headers = pairs(headers.map_or_else(|| Value::Object(Default::default()), |headers| headers.0));
    let (body, query, method) = (body.unwrap_or_default(), query.unwrap_or_default(), method.unwrap_or("POST"));
    let tolerance = tolerance_seconds.unwrap_or_default();
    let request = Request { headers: &headers, body, query, method };
    let token = verify_token.map(opened);
    match inbound::challenge(&request, token.as_deref()) {
        Some(Ok(challenge)) => return answer(200, Some(challenge), None),
        Some(Err(reason)) => return answer(403, None, Some(reason.to_string())),
        None => {}
    }
    if let Some(url) = public_url {
        let url = if query.is_empty() { url.to_string() } else { format!("{url}?{query}") };
        headers.retain(|(name, _)| name != ":url");
        headers.push((":url".to_string(), url));
    }
    let is_signed =
        |secret: &str| signing::verify(scheme.clone(), secret, &headers, body, now(), tolerance).unwrap_or(false);
    let secrets: Vec<String> = secrets.iter().flatten().flatten().map(|sealed| opened(&bytes(sealed))).collect();
    if scheme.has_secret() && !secrets.iter().any(|secret| is_signed(secret)) {
        return answer(401, None, Some("the signature is missing, wrong, or too old".to_string()));
    }
    // Whatever the header is called, a secret is kept nowhere.
    headers.retain(|(_, value)| !secrets.iter().any(|secret| value.contains(secret.as_str())));
    let kept = Some(Jsonb(Value::Object(inbound::kept(&headers))));
    let rules = Rules { id: place("id_path", id_path), kind: place("type_path", type_path) };
    let request = Request { headers: &headers, body, query, method };
    TableIterator::once(match inbound::read(&scheme, &rules, &request) {
        Ok(read) => (200, read.reply, read.id, Some(read.kind), Some(Jsonb(read.document)), kept, None),
        Err(error) => (400, None, Some(inbound::fingerprint(body)), None, None, kept, Some(error.to_string())),
    })
}

/// Of base64 with line breaks.
fn bytes(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

/// A sealed secret in clear.
fn opened(sealed: &[u8]) -> String {
    vault::open(sealed)
        .unwrap_or_else(|reason| crate::error::raise(PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR, reason, None, None))
}
