//! Secrets at rest: XChaCha20-Poly1305 with a key derived from a file's content.
//!
//! A sealed value is one byte of format (0: plain, 1: sealed), then for 1 a nonce of 24 bytes and the ciphertext with its tag.
#![forbid(unsafe_code)]

mod mask;

pub use mask::{MASK, forms, mask};

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const NONCE: usize = 24;
/// Less than this is a word, not a key.
const SHORTEST_KEY: usize = 16;

pub struct Key(XChaCha20Poly1305);

#[derive(Debug, PartialEq, Eq, Error)]
pub enum SealError {
    #[error("the key has {0} bytes, at least {SHORTEST_KEY} are needed")]
    KeyTooShort(usize),
    #[error("the secret is encrypted and no key is set (frontdesk.secret_key_file)")]
    KeyMissing,
    #[error("the secret was encrypted with another key")]
    WrongKey,
    #[error("the stored secret is malformed")]
    Malformed,
}

impl Key {
    /// `material` is any random content of at least 16 bytes; white space around it does not count, so that a file may end in a newline.
    pub fn derive(material: &[u8]) -> Result<Key, SealError> {
        let material = material.trim_ascii();
        if material.len() < SHORTEST_KEY {
            return Err(SealError::KeyTooShort(material.len()));
        }
        let key = Zeroizing::new(<[u8; 32]>::from(
            Sha256::new().chain_update(b"pg_frontdesk secret key v1\0").chain_update(material).finalize(),
        ));
        Ok(Key(XChaCha20Poly1305::new(key.as_slice().into())))
    }

    pub fn seal(&self, plain: &[u8], nonce: [u8; NONCE]) -> Vec<u8> {
        let mut sealed = vec![SEALED];
        sealed.extend_from_slice(&nonce);
        // It fails for messages past 256 GB only, which no caller has; then nothing is kept rather than the plain text.
        sealed.extend(self.0.encrypt(XNonce::from_slice(&nonce), plain).unwrap_or_default());
        sealed
    }
}

/// What is stored where there is no key.
pub fn keep_plain(plain: &[u8]) -> Vec<u8> {
    let mut kept = vec![PLAIN];
    kept.extend_from_slice(plain);
    kept
}

pub fn open(key: Option<&Key>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    match sealed.split_first() {
        Some((&PLAIN, plain)) => Ok(plain.to_vec()),
        Some((&SEALED, rest)) if rest.len() > NONCE => {
            let (nonce, ciphertext) = rest.split_at(NONCE);
            key.ok_or(SealError::KeyMissing)?
                .0
                .decrypt(XNonce::from_slice(nonce), ciphertext)
                .map_err(|_| SealError::WrongKey)
        }
        _ => Err(SealError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_only() {
        let key = Key::derive(b"0123456789abcdef\n").unwrap();
        let sealed = key.seal(b"whsec_secret", [7; NONCE]);
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(open(Some(&key), &sealed).unwrap(), b"whsec_secret");
        assert_eq!(open(Some(&Key::derive(b"0123456789abcdef").unwrap()), &sealed).unwrap(), b"whsec_secret");
        assert_eq!(open(Some(&Key::derive(b"another key, longer").unwrap()), &sealed), Err(SealError::WrongKey));
        assert_eq!(open(None, &sealed), Err(SealError::KeyMissing));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let key = Key::derive(b"0123456789abcdef").unwrap();
        let sealed = key.seal(b"secret", [1; NONCE]);
        for i in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(open(Some(&key), &changed), Err(SealError::WrongKey), "byte {i}");
        }
    }

    #[test]
    fn without_a_key_the_text_is_kept() {
        assert_eq!(open(None, &keep_plain(b"secret")).unwrap(), b"secret");
    }

    #[test]
    fn short_keys_and_rubbish_are_refused() {
        assert_eq!(Key::derive(b" short \n").err(), Some(SealError::KeyTooShort(5)));
        assert_eq!(open(None, b""), Err(SealError::Malformed));
        assert_eq!(open(None, &[SEALED, 1, 2]), Err(SealError::Malformed));
        assert_eq!(open(None, &[9, 1, 2]), Err(SealError::Malformed));
    }
}
