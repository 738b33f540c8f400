//! Fuzz target: no headers, body and secret make a verification panic or last, none is signed by chance, and what is
//! signed is accepted whatever stands beside it.

use fuzzing::{at_once, texts};
use proptest::collection::vec;
use proptest::prelude::*;
use signing::{Secret, VerifyScheme, sign_standard, verify};

/// A line each: what senders write, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

/// All that sign; a token is no signature.
const SCHEMES: [VerifyScheme; 7] = [
    VerifyScheme::Standard,
    VerifyScheme::Sha256,
    VerifyScheme::Meta,
    VerifyScheme::Stripe,
    VerifyScheme::Twilio,
    VerifyScheme::Chatwoot,
    VerifyScheme::Slack,
];

const NAMES: [&str; 15] = [
    "webhook-id",
    "Webhook-Timestamp",
    "webhook-signature",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "x-hub-signature-256",
    "stripe-signature",
    "x-twilio-signature",
    ":url",
    "x-chatwoot-signature",
    "x-chatwoot-timestamp",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-twilio-webhooks-signature-settings",
];

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![6 => prop::sample::select(&NAMES[..]).prop_map(String::from), 1 => texts(CORPUS)];
    vec((name, texts(CORPUS)), 0..12)
}

proptest! {
    #[test]
    fn nothing_is_signed_by_chance(
        secret in texts(CORPUS),
        headers in headers(),
        body in vec(any::<u8>(), 0..200),
        now in prop_oneof![Just(1_700_000_000), any::<i64>()],
        tolerance in prop_oneof![Just(300), any::<i64>()],
    ) {
        at_once(&secret, || {
            for scheme in SCHEMES {
                let verdict = verify(scheme.clone(), &secret, &headers, &body, now, tolerance);
                prop_assert!(verdict != Ok(true), "{scheme:?}: {headers:?}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_signed_is_accepted_whatever_stands_beside_it(
        secret in texts(CORPUS),
        id in texts(CORPUS),
        others in headers(),
        beside in texts(CORPUS),
        body in vec(any::<u8>(), 0..200),
        now in 0..i64::MAX,
    ) {
        at_once(&secret, || {
            let Ok(parsed) = Secret::parse(&secret) else { return Ok(()) };
            let signature = format!("{beside} {}", sign_standard(&[parsed], &id, now, &body));
            let ours = [("webhook-id", id.clone()), ("webhook-timestamp", now.to_string()), ("webhook-signature", signature)];
            let all: Vec<_> = ours.into_iter().map(|(name, value)| (name.to_string(), value)).chain(others).collect();
            prop_assert_eq!(verify(VerifyScheme::Standard, &secret, &all, &body, now, 0), Ok(true), "{:?}", all);
            Ok(())
        })?;
    }
}
