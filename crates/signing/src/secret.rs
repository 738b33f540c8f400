use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::SigningKey;
use report::Report;
use zeroize::Zeroizing;

use crate::mac::{HmacSha256, hmac_sha256};

/// Prefix of a symmetric secret in Standard Webhooks.
pub(crate) const SYMMETRIC: &str = "whsec_";
/// Prefix of an ed25519 signing key in Standard Webhooks.
pub(crate) const PRIVATE: &str = "whsk_";
/// Prefix of an ed25519 public key in Standard Webhooks.
pub(crate) const PUBLIC: &str = "whpk_";

/// Receivers differ in whether they keep the padding when a secret is shown, so both are read.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One signing key with its keyed state. `Debug` prints `Secret(***)`; the state is zeroized on drop.
#[derive(Clone)]
pub struct Secret {
    pub(crate) standard: Key,
    /// Schemes other than Standard Webhooks know no `whsec_`: their receivers use the text itself as the key.
    pub(crate) text: HmacSha256,
}

#[derive(Clone)]
pub(crate) enum Key {
    Symmetric(HmacSha256),
    Ed25519(Box<SigningKey>),
}

impl Secret {
    /// Reads a secret as it is shown to users.
    ///
    /// - `whsec_<base64>`: 24 to 64 bytes (Standard Webhooks 1.0, "Signature scheme")
    /// - `whsk_<base64>`: ed25519, the seed of 32 bytes or seed and public key, 64 bytes
    /// - any other text: its bytes, 16 to 512 of them, as GitHub-style receivers use it
    ///
    /// # Errors
    /// Wrong length, bad base64, a key pair whose halves do not belong together, or a public key (`whpk_`), with which
    /// everybody could sign. No error contains the secret.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        if text.starts_with(PUBLIC) {
            return Err(SecretError::PublicKey);
        }
        let standard = if let Some(encoded) = text.strip_prefix(SYMMETRIC) {
            let key = decode(encoded)?;
            check_length(key.len(), 24, 64)?;
            Key::Symmetric(hmac_sha256(&key))
        } else if let Some(encoded) = text.strip_prefix(PRIVATE) {
            Key::Ed25519(Box::new(signing_key(&decode(encoded)?)?))
        } else {
            check_length(text.len(), 16, 512)?;
            Key::Symmetric(hmac_sha256(text.as_bytes()))
        };
        Ok(Secret { standard, text: hmac_sha256(text.as_bytes()) })
    }

    /// Text of a new secret: `whsec_` and the base64 of `random`, which must come from a cryptographic source.
    pub fn generate(random: [u8; 32]) -> String {
        let random = Zeroizing::new(random);
        let mut text = String::with_capacity(SYMMETRIC.len() + 44);
        text.push_str(SYMMETRIC);
        BASE64.encode_string(*random, &mut text);
        text
    }

    /// Text of a new ed25519 key: `whsk_` and the base64 of its 32 bytes, which must come from a cryptographic source.
    pub fn generate_key(random: [u8; 32]) -> String {
        let random = Zeroizing::new(random);
        let mut text = String::with_capacity(PRIVATE.len() + 44);
        text.push_str(PRIVATE);
        BASE64.encode_string(*random, &mut text);
        text
    }

    /// `whpk_<base64>` to hand to receivers of `v1a` signatures; `None` for a symmetric secret.
    pub fn public_key(&self) -> Option<String> {
        match &self.standard {
            Key::Symmetric(_) => None,
            Key::Ed25519(key) => Some(format!("{PUBLIC}{}", BASE64.encode(key.verifying_key().as_bytes()))),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Why a text is no secret. Never contains the text. Lengths are bytes after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("secret is too short: {got} bytes, at least {min} are needed")]
    TooShort { got: usize, min: usize },
    #[error("secret is too long: {got} bytes, at most {max} are allowed")]
    TooLong { got: usize, max: usize },
    #[error("secret is not valid base64 after its prefix")]
    BadBase64,
    #[error("the two halves of the ed25519 key do not belong together")]
    BadKeyPair,
    #[error("a public key is no secret: it verifies and cannot sign")]
    PublicKey,
}

impl Report for SecretError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            SecretError::TooShort { .. } => {
                "Leave the secret NULL to have one generated, or use a longer random one, such as the output of: openssl rand -base64 32"
            }
            SecretError::TooLong { .. } => "Use a random secret of 32 bytes; more adds no strength.",
            SecretError::BadBase64 => {
                "After its prefix the secret is standard base64, without spaces or line breaks: copy it again."
            }
            SecretError::BadKeyPair => {
                "Give the seed of 32 bytes alone (whsk_ and its base64), or the 64 bytes as the key was generated."
            }
            SecretError::PublicKey => {
                "Its receivers know it. Give the key that belongs to it, which begins with whsk_."
            }
        };
        Some(hint.into())
    }
}

pub(crate) fn decode(encoded: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    // Reserved ahead, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(encoded.len()));
    BASE64.decode_vec(encoded, &mut bytes).map_err(|_| SecretError::BadBase64)?;
    Ok(bytes)
}

pub(crate) fn check_length(got: usize, min: usize, max: usize) -> Result<(), SecretError> {
    if got < min {
        return Err(SecretError::TooShort { got, min });
    }
    if got > max {
        return Err(SecretError::TooLong { got, max });
    }
    Ok(())
}

fn signing_key(bytes: &[u8]) -> Result<SigningKey, SecretError> {
    if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
        return Ok(SigningKey::from_bytes(seed));
    }
    if let Ok(pair) = <&[u8; 64]>::try_from(bytes) {
        return SigningKey::from_keypair_bytes(pair).map_err(|_| SecretError::BadKeyPair);
    }
    check_length(bytes.len(), 32, 64)?;
    Err(SecretError::BadKeyPair)
}
