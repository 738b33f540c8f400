use super::headers::Headers;
use crate::compare::{is_fresh, timestamp};
use crate::hub;
use crate::mac::HmacSha256;

/// `X-Chatwoot-Signature`: hex HMAC-SHA256, over `<timestamp>.<body>` when `X-Chatwoot-Timestamp` is there, else
/// over the body alone (older versions).
pub fn verify(keyed: &HmacSha256, headers: Headers<'_>, body: &[u8], now: i64, tolerance: i64) -> bool {
    let Some(signature) = headers.get("x-chatwoot-signature") else {
        return false;
    };
    match headers.get("x-chatwoot-timestamp") {
        // A timestamp moved from its header into the body would make an old request look like one without any.
        None => !starts_with_timestamp(body) && hub::verify(keyed, signature, body),
        Some(sent) => {
            timestamp(sent).is_some_and(|seconds| is_fresh(seconds, now, tolerance))
                && hub::verify(keyed, signature, &[sent.as_bytes(), b".", body].concat())
        }
    }
}

fn starts_with_timestamp(body: &[u8]) -> bool {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && body.get(digits) == Some(&b'.')
}
