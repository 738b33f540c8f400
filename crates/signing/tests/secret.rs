//! Secrets as users give them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::prelude::*;
use report::Report;
use signing::{Secret, SecretError, Verifier};

fn error(text: &str) -> SecretError {
    Secret::parse(text).unwrap_err()
}

fn prefixed(prefix: &str, bytes: usize) -> String {
    format!("{prefix}{}", STANDARD.encode(vec![7; bytes]))
}

#[test]
fn symmetric_ones_have_24_to_64_bytes() {
    for bytes in [24, 32, 64] {
        assert!(Secret::parse(&prefixed("whsec_", bytes)).is_ok(), "{bytes}");
    }
    assert_eq!(error(&prefixed("whsec_", 23)), SecretError::TooShort { got: 23, min: 24 });
    assert_eq!(error(&prefixed("whsec_", 65)), SecretError::TooLong { got: 65, max: 64 });
    assert_eq!(error("whsec_"), SecretError::TooShort { got: 0, min: 24 });
}

#[test]
fn base64_needs_its_alphabet_but_no_padding() {
    let unpadded = format!("whsec_{}", STANDARD_NO_PAD.encode([7; 32]));
    assert!(Secret::parse(&unpadded).is_ok());
    for text in [
        "whsec_not base64 at all, is it?",
        &format!("{}\n", prefixed("whsec_", 32)),
        "whsec_________________________________",
    ] {
        assert_eq!(error(text), SecretError::BadBase64, "{text:?}");
    }
}

#[test]
fn raw_texts_have_16_to_512_bytes() {
    assert!(Secret::parse(&"x".repeat(16)).is_ok());
    assert!(Secret::parse(&"é".repeat(256)).is_ok());
    assert_eq!(error("fifteen letters"), SecretError::TooShort { got: 15, min: 16 });
    assert_eq!(error(""), SecretError::TooShort { got: 0, min: 16 });
    assert_eq!(error(&"x".repeat(513)), SecretError::TooLong { got: 513, max: 512 });
}

#[test]
fn ed25519_as_seed_or_pair() {
    let seed = [7; 32];
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let from_seed = Secret::parse(&format!("whsk_{}", STANDARD.encode(seed))).unwrap();
    let from_pair = Secret::parse(&format!("whsk_{}", STANDARD.encode(key.to_keypair_bytes()))).unwrap();
    assert_eq!(from_seed.public_key(), from_pair.public_key());
    assert_eq!(error(&prefixed("whsk_", 64)), SecretError::BadKeyPair);
    assert_eq!(error(&prefixed("whsk_", 31)), SecretError::TooShort { got: 31, min: 32 });
    assert_eq!(error(&prefixed("whsk_", 40)), SecretError::BadKeyPair);
    assert_eq!(error(&prefixed("whsk_", 65)), SecretError::TooLong { got: 65, max: 64 });
}

#[test]
fn a_public_key_signs_nothing() {
    assert_eq!(error(&from_public_key()), SecretError::PublicKey);
    assert_eq!(error("whpk_"), SecretError::PublicKey);
}

fn from_public_key() -> String {
    Secret::parse(&prefixed("whsk_", 32)).unwrap().public_key().unwrap()
}

#[test]
fn neither_shows_itself() {
    let text = prefixed("whsec_", 32);
    assert_eq!(format!("{:?}", Secret::parse(&text).unwrap()), "Secret(***)");
    assert_eq!(format!("{:?}", Verifier::new(&text).unwrap()), "Verifier(***)");
}

#[test]
fn errors_say_what_to_do() {
    assert_eq!(error("short").to_string(), "secret is too short: 5 bytes, at least 16 are needed");
    for text in ["short", "whsec_?", &"x".repeat(600), &prefixed("whsk_", 64)] {
        assert!(error(text).hint().is_some());
    }
}

proptest! {
    #[test]
    fn what_is_generated_is_read(random: [u8; 32]) {
        let text = Secret::generate(random);
        prop_assert_eq!(&text, &format!("whsec_{}", STANDARD.encode(random)));
        prop_assert!(Secret::parse(&text).is_ok());
    }

    #[test]
    fn no_error_shows_the_secret(secret in "(whsec_|whsk_|whpk_)?[a-zA-Z0-9+/=?]{12,80}") {
        if let Err(error) = Secret::parse(&secret) {
            let told = format!("{error} {error:?} {:?}", error.hint());
            prop_assert!(!told.contains(&secret[6..]));
        }
    }
}
