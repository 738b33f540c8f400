use super::headers::Headers;
use crate::compare::text_equals;

/// The secret itself in a header; without one of its own, in `Authorization`, after `Bearer` or alone.
pub fn verify(secret: &str, headers: Headers<'_>, header: Option<&str>) -> bool {
    let Some(sent) = headers.get(header.unwrap_or("authorization")) else { return false };
    let sent = sent.trim();
    let bare = match header {
        Some(_) => sent,
        None => match sent.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => sent,
        },
    };
    text_equals(bare, secret)
}
