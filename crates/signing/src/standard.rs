use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};

use crate::compare::{is_fresh, text_equals, timestamp};
use crate::mac::{HmacSha256, digest};
use crate::secret::{BASE64, Key, PUBLIC, check_length, decode};
use crate::{Secret, SecretError};

/// Value of `webhook-signature`: `v1,<base64>` per symmetric secret and `v1a,<base64>` per ed25519 key,
/// separated by spaces (Standard Webhooks 1.0, "Webhook headers").
///
/// `timestamp` is the attempt's, in seconds since the epoch. `id` must not contain a `.`.
pub fn sign_standard(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut prefix = String::with_capacity(id.len() + 22);
    // Writing to a String cannot fail.
    let _ = write!(prefix, "{id}.{timestamp}.");

    let mut value = String::with_capacity(secrets.len() * 48);
    for secret in secrets {
        if !value.is_empty() {
            value.push(' ');
        }
        match &secret.standard {
            Key::Symmetric(keyed) => {
                value.push_str("v1,");
                STANDARD.encode_string(digest(keyed, &[prefix.as_bytes(), body]), &mut value);
            }
            Key::Ed25519(key) => {
                value.push_str("v1a,");
                let content = [prefix.as_bytes(), body].concat();
                STANDARD.encode_string(key.sign(&content).to_bytes(), &mut value);
            }
        }
    }
    value
}

/// Verifies Standard Webhooks of one sender: the key is prepared once.
#[derive(Clone)]
pub struct Verifier(VerifierKey);

#[derive(Clone)]
enum VerifierKey {
    Symmetric(HmacSha256),
    Ed25519(VerifyingKey),
}

impl Verifier {
    /// Takes what [`Secret::parse`] takes, and `whpk_<base64>`, an ed25519 public key of 32 bytes.
    ///
    /// # Errors
    /// As [`Secret::parse`]; [`SecretError::BadKeyPair`] for 32 bytes that are no public key.
    pub fn new(secret: &str) -> Result<Verifier, SecretError> {
        if let Some(encoded) = secret.strip_prefix(PUBLIC) {
            return Ok(Verifier(VerifierKey::Ed25519(public_key(encoded)?)));
        }
        Ok(Verifier(match Secret::parse(secret)?.standard {
            Key::Symmetric(keyed) => VerifierKey::Symmetric(keyed),
            Key::Ed25519(key) => VerifierKey::Ed25519(key.verifying_key()),
        }))
    }

    /// Whether one of the signatures is right and the timestamp at most `tolerance` seconds from `now`.
    /// `id`, `timestamp` and `signatures` are the values of the three headers as they came.
    pub fn standard(
        &self,
        id: &str,
        timestamp_header: &str,
        signatures: &str,
        body: &[u8],
        now: i64,
        tolerance: i64,
    ) -> bool {
        if !timestamp(timestamp_header).is_some_and(|sent| is_fresh(sent, now, tolerance)) {
            return false;
        }
        let content: [&[u8]; 5] = [id.as_bytes(), b".", timestamp_header.as_bytes(), b".", body];
        let mut given = signatures.split_ascii_whitespace();
        match &self.0 {
            VerifierKey::Symmetric(keyed) => {
                let mut expected = String::with_capacity(47);
                expected.push_str("v1,");
                STANDARD.encode_string(digest(keyed, &content), &mut expected);
                given.any(|signature| text_equals(signature, &expected))
            }
            VerifierKey::Ed25519(key) => {
                let content = content.concat();
                given
                    .filter_map(|signature| signature.strip_prefix("v1a,"))
                    .take(MAX_ASYMMETRIC)
                    .any(|encoded| verifies(key, &content, encoded))
            }
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

/// Checking one costs 40 µs, and whoever sends the request chooses how many there are.
const MAX_ASYMMETRIC: usize = 8;

fn verifies(key: &VerifyingKey, content: &[u8], encoded: &str) -> bool {
    let Ok(bytes) = BASE64.decode(encoded) else {
        return false;
    };
    Signature::from_slice(&bytes).is_ok_and(|signature| key.verify_strict(content, &signature).is_ok())
}

fn public_key(encoded: &str) -> Result<VerifyingKey, SecretError> {
    let bytes = decode(encoded)?;
    check_length(bytes.len(), 32, 32)?;
    let bytes = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SecretError::BadKeyPair)?;
    VerifyingKey::from_bytes(bytes).map_err(|_| SecretError::BadKeyPair)
}
