use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::headers::Headers;
use crate::compare::text_equals;

/// `Authorization: Basic` of RFC 7617; the secret is `user:password`.
pub fn verify(secret: &str, headers: Headers<'_>) -> bool {
    let Some((scheme, sent)) = headers.get("authorization").and_then(|value| value.trim().split_once(' ')) else {
        return false;
    };
    scheme.eq_ignore_ascii_case("basic") && text_equals(sent.trim(), &STANDARD.encode(secret))
}
