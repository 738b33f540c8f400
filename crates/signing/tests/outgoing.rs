//! Signatures we send.

use proptest::prelude::*;
use signing::{Secret, Verifier, sign_sha256, sign_standard};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const SENT: i64 = 1_649_367_553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
/// The seed of RFC 8032 §7.1, test 1.
const ED25519: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn secret(text: &str) -> Secret {
    Secret::parse(text).unwrap()
}

/// standard-webhooks/libraries/rust/src/lib.rs
#[test]
fn the_published_vector() {
    assert_eq!(sign_standard(&[secret(SECRET)], ID, SENT, BODY), SIGNATURE);
}

#[test]
fn one_signature_per_secret_during_rotation() {
    let old = secret("a secret that is raw text");
    let value = sign_standard(&[old.clone(), secret(SECRET), secret(ED25519)], ID, SENT, BODY);
    let parts: Vec<&str> = value.split(' ').collect();
    assert_eq!(parts[0], sign_standard(&[old], ID, SENT, BODY));
    assert_eq!(parts[1], SIGNATURE);
    assert_eq!(&parts[2][..4], "v1a,");
    assert_eq!(parts.len(), 3);
    for key in [SECRET, ED25519, "a secret that is raw text"] {
        assert!(verifies(key, ID, SENT, &value, BODY), "{key}");
    }
    assert_eq!(sign_standard(&[], ID, SENT, BODY), "");
}

#[test]
fn ed25519_with_the_public_key_alone() {
    let public = secret(ED25519).public_key().unwrap();
    // RFC 8032 §7.1, test 1.
    assert_eq!(public, "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let value = sign_standard(&[secret(ED25519)], ID, SENT, BODY);
    assert!(verifies(&public, ID, SENT, &value, BODY));
    assert!(!verifies(&public, ID, SENT, &value, b"{}"));
    assert!(!verifies(&public, ID, SENT, &value.replace("v1a,", "v1,"), BODY));
    assert_eq!(secret(SECRET).public_key(), None);
}

/// docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
#[test]
fn the_vector_of_github() {
    assert_eq!(
        sign_sha256(&secret("It's a Secret to Everybody"), b"Hello, World!"),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
}

/// Receivers of this scheme are given the secret as it is shown and know no prefix.
#[test]
fn sha256_uses_the_text_of_a_prefixed_secret() {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(BODY);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sign_sha256(&secret(SECRET), BODY), format!("sha256={hex}"));
}

fn verifies(key: &str, id: &str, sent: i64, signatures: &str, body: &[u8]) -> bool {
    Verifier::new(key).unwrap().standard(id, &sent.to_string(), signatures, body, sent, 0)
}

proptest! {
    /// The reference library accepts what we send. It reads the clock, so we sign for now, and takes texts only.
    #[test]
    fn the_reference_library_accepts_ours(random: [u8; 32], id in "[a-zA-Z0-9_-]{1,64}", body: String) {
        let text = Secret::generate(random);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let value = sign_standard(&[secret("another secret, first"), secret(&text)], &id, now, body.as_bytes());

        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        headers.insert("webhook-signature", value.parse().unwrap());
        let reference = standardwebhooks::Webhook::new(&text).unwrap();
        prop_assert!(reference.verify(body.as_bytes(), &headers).is_ok());
    }

    #[test]
    fn our_verifier_accepts_ours_whatever_the_bytes(
        random: [u8; 32],
        id in "[^.]{0,64}",
        sent in 0..i64::MAX,
        body: Vec<u8>,
    ) {
        let text = Secret::generate(random);
        let value = sign_standard(&[secret(&text)], &id, sent, &body);
        prop_assert!(verifies(&text, &id, sent, &value, &body));
    }

    #[test]
    fn any_change_is_noticed(
        body in prop::collection::vec(any::<u8>(), 1..200),
        at: prop::sample::Index,
        flip in 1_u8..,
        asymmetric: bool,
    ) {
        let key = if asymmetric { ED25519 } else { SECRET };
        let value = sign_standard(&[secret(key)], ID, SENT, &body);

        let mut changed = body.clone();
        changed[at.index(body.len())] ^= flip;
        prop_assert!(!verifies(key, ID, SENT, &value, &changed));
        prop_assert!(!verifies(key, "msg_other", SENT, &value, &body));
        prop_assert!(!verifies(key, ID, SENT + 1, &value, &body));

        let mut signature = value.into_bytes();
        let at = at.index(signature.len());
        signature[at] = if signature[at] == b'A' { b'B' } else { b'A' };
        // The last character before the padding has bits that mean nothing; the decoder refuses those that are set.
        prop_assert!(!verifies(key, ID, SENT, std::str::from_utf8(&signature).unwrap(), &body));
    }
}
