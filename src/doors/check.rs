//! What can be wrong about a declaration is said when it is declared.

use std::str::FromStr;

use courier::{Guard, HeaderName, HeaderValue, Moment, Target, Trust, UrlError};
use filter::{Filter, Pattern};
use pgrx::prelude::*;
use report::Report;
use retry::Policy;
use signing::Secret;
use template::Template;

use crate::engine::{Payload, Signature, clock, tls};
use crate::error::{OrReport, invalid, raise};
use crate::pg::jsonb::Jsonb;
use crate::{ffi, guc, vault};

#[pg_extern(sql = false)]
fn check_event_type(kind: Option<&str>) -> &str {
    let kind = kind.unwrap_or_default();
    filter::check_event_type(kind).or_report();
    kind
}

#[pg_extern(sql = false)]
fn is_reserved(kind: Option<&str>) -> bool {
    filter::is_reserved(kind.unwrap_or_default())
}

#[pg_extern(sql = false)]
fn check_own_type<'a>(kind: Option<&'a str>, what: Option<&str>) -> &'a str {
    let kind = check_event_type(kind);
    if filter::is_reserved(kind) {
        raise(
            PgSqlErrorCode::ERRCODE_RESERVED_NAME,
            format!("{} \"{kind}\" is reserved", what.unwrap_or("event type")),
            Some(format!("Events whose first part is one of {} are the engine's own.", filter::RESERVED.join(", "))),
            Some(format!("Choose another first part, such as \"my_{kind}\".")),
        );
    }
    kind
}

#[pg_extern(sql = false)]
fn event_word(text: &str) -> String {
    filter::event_word(text)
}

#[pg_extern(sql = false)]
fn check_pattern(pattern: Option<&str>) -> &str {
    let pattern = pattern.unwrap_or_default();
    Pattern::parse(pattern).or_report();
    pattern
}

#[pg_extern(sql = false)]
fn check_filter(filter: Option<Jsonb>) -> Option<Jsonb> {
    if let Some(Jsonb(filter)) = &filter {
        Filter::parse(filter).or_report();
    }
    filter
}

#[pg_extern(sql = false)]
fn check_url(url: Option<&str>) -> &str {
    let url = url.unwrap_or_default();
    parse_url(url);
    url
}

/// What is wrong with the address alone, which is not raised.
#[pg_extern(sql = false)]
fn check_request_url(url: Option<&str>) -> Option<String> {
    match Target::parse(url.unwrap_or_default(), &Guard::new(guc::allow_networks())) {
        Ok(_) => None,
        Err(refused @ UrlError::Refused(_)) => Some(refused.to_string()),
        Err(error) => wrong_url(&error),
    }
}

pub fn parse_url(url: &str) -> Target {
    Target::parse(url, &Guard::new(guc::allow_networks())).unwrap_or_else(|error| wrong_url(&error))
}

fn wrong_url(error: &UrlError) -> ! {
    invalid(format!("invalid URL: {error}"), error.hint())
}

#[pg_extern(sql = false)]
fn check_headers(headers: Option<Jsonb>) -> Option<Jsonb> {
    if let Some(Jsonb(headers)) = &headers {
        parse_headers(headers);
    }
    headers
}

pub fn parse_headers(headers: &serde_json::Value) -> Vec<(HeaderName, HeaderValue)> {
    let hint = || Some(r#"As in {"X-Source": "crm", "Authorization": "Bearer ..."}."#.to_string());
    let Some(headers) = headers.as_object() else { invalid("headers must be a JSON object", hint()) };
    headers
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(value) => parse_header(name, value),
            None => invalid(format!("the value of header \"{name}\" is not a string"), hint()),
        })
        .collect()
}

fn parse_header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let Ok(parsed) = HeaderName::from_str(name) else {
        invalid(
            format!("invalid header name {name:?}"),
            Some("A name is letters, digits and -, without spaces or line breaks.".into()),
        )
    };
    if courier::is_reserved_header(&parsed) || parsed.as_str().starts_with("webhook-") {
        raise(
            PgSqlErrorCode::ERRCODE_RESERVED_NAME,
            format!("header \"{name}\" is set by the engine"),
            None,
            Some("Leave out Host, Content-Length, Transfer-Encoding, Connection and webhook-*.".into()),
        );
    }
    match HeaderValue::from_str(value) {
        Ok(value) => (parsed, value),
        Err(_) => invalid(
            format!("the value of header \"{name}\" contains control characters"),
            Some("Line breaks would begin another header.".into()),
        ),
    }
}

#[pg_extern(sql = false)]
fn check_payload(payload: Option<&str>) -> &str {
    let payload = payload.unwrap_or_default();
    if Payload::is_name(payload) {
        return payload;
    }
    if !payload.contains('{') {
        invalid(
            format!("unknown payload \"{payload}\""),
            Some("standard, supabase, record, or a template such as {\"text\": {{ data.name }}}.".into()),
        );
    }
    Template::parse(payload).or_report();
    payload
}

#[pg_extern(sql = false)]
fn check_signature(signature: Option<&str>) -> &str {
    let signature = signature.unwrap_or_default();
    Signature::parse(signature).unwrap_or_else(|reason| {
        invalid(reason, Some("standard, sha256 (header X-Hub-Signature-256), sha256:Your-Header, or none.".into()))
    });
    signature
}

#[pg_extern(sql = false)]
fn check_retry(policy: Option<Jsonb>) -> Option<Jsonb> {
    if let Some(Jsonb(value)) = &policy
        && !value.is_null()
    {
        Policy::parse(value).or_report();
    }
    policy
}

#[pg_extern(sql = false)]
fn check_tls(tls: Option<Jsonb>) -> Option<Jsonb> {
    if let Some(Jsonb(value)) = &tls {
        let example = r#"As in {"ca": PEM, "pin": ["sha256/BASE64"], "client_certificate": PEM, "client_key": PEM}."#;
        let options = tls::options(value).unwrap_or_else(|reason| invalid(reason, Some(example.into())));
        let now = Moment::from_unix(u64::try_from(clock::unix_seconds(clock::now())).unwrap_or(0));
        Trust::parse(&options).and_then(|trust| trust.check_validity(now)).unwrap_or_else(|error| {
            let hint = Some(error.hint().to_string());
            raise(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, error.to_string(), error.detail(), hint)
        });
    }
    tls
}

#[pg_extern(sql = false)]
fn check_secret(secret: Option<&str>) -> &str {
    let secret = secret.unwrap_or_default();
    Secret::parse(secret).or_report();
    secret
}

#[pg_extern(sql = false)]
fn new_secret() -> String {
    Secret::generate(ffi::random())
}

#[pg_extern(sql = false)]
fn new_signing_key() -> String {
    Secret::generate_key(ffi::random())
}

#[pg_extern(sql = false)]
fn sealed_public_key(sealed: Option<&[u8]>) -> Option<String> {
    let plain = vault::open(sealed?)
        .unwrap_or_else(|reason| raise(PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR, reason, None, None));
    Secret::parse(&plain).ok()?.public_key()
}

#[pg_extern(sql = false)]
fn seal(plain: Option<&str>) -> Option<Vec<u8>> {
    plain.map(vault::seal)
}

#[pg_extern(sql = false)]
fn reseal(sealed: Option<&[u8]>, old_key_file: Option<&str>, whose: Option<&str>) -> Option<Vec<u8>> {
    sealed.map(|sealed| vault::reseal(sealed, old_key_file, whose.unwrap_or_default()))
}
