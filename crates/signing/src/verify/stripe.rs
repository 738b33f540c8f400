use crate::compare::{hex_equals, is_fresh, timestamp};
use crate::mac::{HmacSha256, digest};

/// `t=<seconds>,v1=<hex>[,v1=<hex>]`, HMAC-SHA256 over `<seconds>.<body>`; several `v1` while a secret is rolled
/// (docs.stripe.com/webhooks, "Verify webhook signatures manually").
pub fn verify(keyed: &HmacSha256, header: &str, body: &[u8], now: i64, tolerance: i64) -> bool {
    let items = || header.split(',').filter_map(|item| item.trim().split_once('='));
    let Some((_, sent)) = items().find(|(key, _)| *key == "t") else {
        return false;
    };
    if !timestamp(sent).is_some_and(|seconds| is_fresh(seconds, now, tolerance)) {
        return false;
    }
    let expected = digest(keyed, &[sent.as_bytes(), b".", body]).into();
    items().any(|(key, value)| key == "v1" && hex_equals(value, &expected))
}
