use crate::Secret;
use crate::compare::hex_equals;
use crate::mac::{HmacSha256, digest};

/// `sha256=<hex>` of the body: the value of GitHub's `X-Hub-Signature-256`.
///
/// The key is the secret's text as the user sees it, prefix included, because receivers of this
/// scheme know no prefixes.
pub fn sign_sha256(secret: &Secret, body: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut value = String::with_capacity(7 + 64);
    value.push_str("sha256=");
    for byte in digest(&secret.text, &[body]) {
        value.push(DIGITS[usize::from(byte >> 4)] as char);
        value.push(DIGITS[usize::from(byte & 15)] as char);
    }
    value
}

/// Whether `signature` is that of the body; the prefix `sha256=` may be missing.
pub fn verify(keyed: &HmacSha256, signature: &str, body: &[u8]) -> bool {
    hex_equals(signature.trim(), &digest(keyed, &[body]).into())
}
