use super::headers::Headers;
use crate::compare::{hex_equals, is_fresh, timestamp};
use crate::mac::{HmacSha256, digest};

/// `X-Slack-Signature`: `v0=<hex>`, HMAC-SHA256 over `v0:<timestamp>:<body>`
/// (docs.slack.dev, "Verifying requests from Slack").
pub fn verify(keyed: &HmacSha256, headers: Headers<'_>, body: &[u8], now: i64, tolerance: i64) -> bool {
    let (Some(sent), Some(signature)) = (headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature"))
    else {
        return false;
    };
    let expected = digest(keyed, &[b"v0:", sent.as_bytes(), b":", body]).into();
    timestamp(sent).is_some_and(|seconds| is_fresh(seconds, now, tolerance))
        && signature.trim().strip_prefix("v0=").is_some_and(|signature| hex_equals(signature, &expected))
}
