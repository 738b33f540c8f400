//! Signatures of webhooks that come in.

use proptest::prelude::*;
use report::Report;
use signing::VerifyScheme::{Chatwoot, Sha256, Standard, Stripe, Twilio};
use signing::{Secret, SecretError, VerifyError, VerifyScheme, sign_standard, verify};

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

fn check(scheme: VerifyScheme, secret: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
    check_at(NOW, scheme, secret, headers, body)
}

fn check_at(now: i64, scheme: VerifyScheme, secret: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
    verify(scheme, secret, &owned(headers), body, now, 300).unwrap()
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

mod standard {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn signed() -> String {
        sign_standard(&[Secret::parse(SECRET).unwrap()], "msg_1", NOW, BODY)
    }

    #[test]
    fn under_its_own_names_and_those_of_svix() {
        let signature = signed();
        let headers = [("Webhook-Id", "msg_1"), ("webhook-timestamp", "1700000000"), ("WEBHOOK-SIGNATURE", &signature)];
        assert!(check(Standard, SECRET, &headers, BODY));
        let headers = [("svix-id", "msg_1"), ("svix-timestamp", "1700000000"), ("svix-signature", &signature)];
        assert!(check(Standard, SECRET, &headers, BODY));
        let mixed = [("webhook-id", "msg_1"), ("svix-timestamp", "1700000000"), ("svix-signature", &signature)];
        assert!(!check(Standard, SECRET, &mixed, BODY));
    }

    #[test]
    fn only_within_the_tolerance() {
        let signature = signed();
        let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1700000000"), ("webhook-signature", &signature)];
        for (now, expected) in [(NOW + 300, true), (NOW + 301, false), (NOW - 300, true), (NOW - 301, false)] {
            assert_eq!(check_at(now, Standard, SECRET, &headers, BODY), expected, "{now}");
        }
    }

    #[test]
    fn among_others_and_not_without_its_version() {
        let signature = signed();
        let bare = signature.trim_start_matches("v1,");
        for (value, expected) in [
            (format!("v1,AAAA v9,x {signature} v1a,zzz"), true),
            (format!("  {signature}  "), true),
            (bare.to_owned(), false),
            (format!("v1a,{bare}"), false),
            (format!("v1, {bare}"), false),
            (signature.to_lowercase(), false),
            (String::new(), false),
        ] {
            let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1700000000"), ("webhook-signature", &value)];
            assert_eq!(check(Standard, SECRET, &headers, BODY), expected, "{value:?}");
        }
    }

    #[test]
    fn many_asymmetric_ones_are_not_all_tried() {
        let key = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
        let signature = sign_standard(&[Secret::parse(key).unwrap()], "msg_1", NOW, BODY);
        let value = format!("{}{signature}", "v1a,AAAA ".repeat(8));
        let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1700000000"), ("webhook-signature", &value)];
        assert!(!check(Standard, key, &headers, BODY));
    }
}

mod github {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn the_published_vector() {
        assert!(check(Sha256, SECRET, &[("X-Hub-Signature-256", SIGNATURE)], b"Hello, World!"));
        assert!(!check(Sha256, SECRET, &[("X-Hub-Signature-256", SIGNATURE)], b"Hello, World?"));
        assert!(!check(Sha256, "another", &[("X-Hub-Signature-256", SIGNATURE)], b"Hello, World!"));
        assert!(!check(Sha256, SECRET, &[("X-Hub-Signature", SIGNATURE)], b"Hello, World!"));
    }

    #[test]
    fn of_two_headers_the_first_counts() {
        let headers = [("x-hub-signature-256", "sha256=00"), ("x-hub-signature-256", SIGNATURE)];
        assert!(!check(Sha256, SECRET, &headers, b"Hello, World!"));
    }
}

mod stripe {
    use super::*;

    const SECRET: &str = "whsec_test_secret";
    const V1: &str = "v1=248a374f50f943a28b0f6ab50faf9a7e7e29b710fa26df9fb1618b9bf8ea9c9a";

    fn check_value(now: i64, value: &str) -> bool {
        check_at(now, Stripe, SECRET, &[("Stripe-Signature", value)], BODY)
    }

    #[test]
    fn one_or_several_of_the_known_version() {
        let other = format!("v1={}", "0".repeat(64));
        for (value, expected) in [
            (format!("t=1700000000,{V1}"), true),
            (format!("t=1700000000,{other},{V1},v0=abc"), true),
            (format!("{V1}, t=1700000000"), true),
            (format!("t=1700000000,{}", V1.replace("v1", "v0")), false),
            (format!("t=1700000001,{V1}"), false),
            (format!("t=1700000001,t=1700000000,{V1}"), false),
            (V1.to_owned(), false),
            ("t=1700000000".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(check_value(NOW, &value), expected, "{value}");
        }
    }

    #[test]
    fn only_within_the_tolerance() {
        let value = format!("t=1700000000,{V1}");
        assert!(check_value(NOW + 300, &value));
        assert!(!check_value(NOW + 301, &value));
        assert!(!check_value(NOW - 301, &value));
    }
}

mod chatwoot {
    use super::*;

    const SECRET: &str = "chatwoot_secret";
    const TIMED: &str = "2e34eb3fb13d74ff2b48c4eaedc2b6135a1c9332563542f9227175ddabde3272";
    const UNTIMED: &str = "ff3a6ad4b4f9bdc3616ced401ccd7acbd83e13fa871e0f2eb68de061fe2e881f";

    #[test]
    fn with_a_timestamp() {
        for signature in [TIMED.to_owned(), format!("sha256={TIMED}")] {
            let headers = [("X-Chatwoot-Signature", &*signature), ("X-Chatwoot-Timestamp", "1700000000")];
            assert!(check(Chatwoot, SECRET, &headers, BODY));
            assert!(!check_at(NOW + 301, Chatwoot, SECRET, &headers, BODY));
        }
        let headers = [("X-Chatwoot-Signature", UNTIMED), ("X-Chatwoot-Timestamp", "1700000000")];
        assert!(!check(Chatwoot, SECRET, &headers, BODY));
    }

    #[test]
    fn without_one() {
        assert!(check(Chatwoot, SECRET, &[("X-Chatwoot-Signature", UNTIMED)], BODY));
        assert!(!check(Chatwoot, SECRET, &[("X-Chatwoot-Signature", TIMED)], BODY));
        assert!(!check(Chatwoot, SECRET, &[], BODY));
    }

    /// The same signature is right for `<timestamp>.<body>` as a body; that would never expire.
    #[test]
    fn an_old_request_cannot_drop_its_timestamp() {
        let body = [b"1700000000.", BODY].concat();
        assert!(!check(Chatwoot, SECRET, &[("X-Chatwoot-Signature", TIMED)], &body));
    }
}

mod twilio {
    use super::*;

    // twilio-python, tests/unit/test_request_validator.py
    const TOKEN: &str = "1c892n40nd03kdnc0112slzkl3091j20";
    const URL: &str = "http://www.postbin.org/1ed898x";
    const SIGNATURE: &str = "fF+xx6dTinOaCdZ0aIeNkHr/ZAA=";
    const FORM: &[u8] = b"ToZip=94612&AccountSid=AC9a9f9392lad99kla0sklakjs90j092j3&ApiVersion=2010-04-01\
        &CallSid=CAd800bb12c0426a7ea4230e492fef2a4f&CallStatus=ringing&Called=%2B15306384866&CalledCity=OAKLAND\
        &CalledCountry=US&CalledState=CA&CalledZip=94612&Caller=%2b15306666666&CallerCity=SOUTH+LAKE+TAHOE\
        &CallerCountry=US&CallerName=CA%20Wireless%20Call&CallerState=CA&CallerZip=89449&Direction=inbound\
        &From=%2B15306666666&FromCity=SOUTH+LAKE+TAHOE&FromCountry=US&FromState=CA&FromZip=89449\
        &To=%2B15306384866&ToCity=OAKLAND&ToCountry=US&ToState=CA";

    fn check_url(url: &str, signature: &str, body: &[u8]) -> bool {
        check(Twilio, TOKEN, &[(":url", url), ("X-Twilio-Signature", signature)], body)
    }

    #[test]
    fn a_form() {
        assert!(check_url(URL, SIGNATURE, FORM));
        assert!(!check_url(URL, SIGNATURE, &FORM[1..]));
        assert!(!check_url("http://www.postbin.org/1ed898y", SIGNATURE, FORM));
        assert!(!check_url(URL, &SIGNATURE.to_lowercase(), FORM));
        assert!(!check(Twilio, TOKEN, &[(":url", URL)], FORM));
    }

    // The example of twilio.com/docs/usage/security as the tests of Twilio's libraries have it.
    const EXAMPLE: &str = "mycompany.com/myapp.php?foo=1&bar=2";
    const EXAMPLE_FORM: &[u8] =
        b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

    fn check_example(url: &str, signature: &str, body: &[u8]) -> bool {
        check(Twilio, "12345", &[(":url", url), ("X-Twilio-Signature", signature)], body)
    }

    #[test]
    fn the_example_of_the_documentation() {
        let url = format!("https://{EXAMPLE}");
        assert!(check_example(&url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", EXAMPLE_FORM));
        // Signed with the port 80.
        let url = format!("http://{EXAMPLE}");
        assert!(check_example(&url, "0ZXoZLH/DfblKGATFgpif+LLRf4=", EXAMPLE_FORM));
        let url = format!("https://{}", EXAMPLE.replace(".com", ".com:1234"));
        assert!(check_example(&url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", EXAMPLE_FORM));
    }

    #[test]
    fn a_pair_that_is_there_twice_counts_once() {
        let doubled = [FORM, b"&ToState=CA"].concat();
        assert!(check_url(URL, SIGNATURE, &doubled));
        let other = [FORM, b"&ToState=NY"].concat();
        assert!(!check_url(URL, SIGNATURE, &other));
    }

    #[test]
    fn a_port_more_or_less() {
        assert!(check_url("http://www.postbin.org:80/1ed898x", SIGNATURE, FORM));
        assert!(check_url("http://www.postbin.org:1234/1ed898x", SIGNATURE, FORM));
        assert!(!check_url("https://www.postbin.org/1ed898x", SIGNATURE, FORM));
    }

    #[test]
    fn json_by_its_hash() {
        const SIGNATURE: &str = "a9nBmqA0ju/hNViExpshrM61xv4=";
        let url =
            format!("https://{EXAMPLE}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620");
        assert!(check_example(&url, SIGNATURE, br#"{"property": "value", "boolean": true}"#));
        assert!(!check_example(&url, SIGNATURE, b"{}"));
        let only_hash = url.replace("foo=1&bar=2&", "");
        assert!(check_example(
            &only_hash,
            "y77kIzt2vzLz71DgmJGsen2scGs=",
            br#"{"property": "value", "boolean": true}"#
        ));
    }

    #[test]
    fn without_its_url_nothing_can_be_said() {
        let headers = owned(&[("X-Twilio-Signature", SIGNATURE)]);
        let error = verify(Twilio, TOKEN, &headers, FORM, NOW, 300).unwrap_err();
        assert_eq!(error, VerifyError::UrlMissing);
        assert!(error.hint().unwrap().contains(":url"));
    }
}

#[test]
fn what_the_caller_got_wrong_is_an_error() {
    let error = |scheme, secret, tolerance| verify(scheme, secret, &[], BODY, NOW, tolerance).unwrap_err();
    assert_eq!(error(Stripe, "x", -1), VerifyError::NegativeTolerance(-1));
    assert_eq!(error(Sha256, "", 300), VerifyError::EmptySecret);
    let short = SecretError::TooShort { got: 5, min: 16 };
    assert_eq!(error(Standard, "short", 300), VerifyError::Secret(short));
    assert_eq!(error(Standard, "whsec_!", 300), VerifyError::Secret(SecretError::BadBase64));
    assert_eq!(error(Standard, "whpk_AAAA", 300), VerifyError::Secret(SecretError::TooShort { got: 3, min: 32 }));
    // Everybody who verifies has it, so it is nothing to compute a signature with.
    for scheme in [Sha256, Stripe, Twilio, Chatwoot] {
        let public = "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(error(scheme, public, 300), VerifyError::Secret(SecretError::PublicKey));
    }
    assert_eq!(error(Standard, "", 300).to_string(), "secret is empty");
    assert_eq!(error(Stripe, "x", -1).to_string(), "tolerance is negative: -1 seconds");
}

proptest! {
    /// Whoever is not given the secret gets in with nothing, and nothing makes it panic.
    #[test]
    fn noise_is_refused(
        values in prop::collection::vec("\\PC{0,80}|[0-9a-f]{64}|t=[0-9]{0,20},v1=[0-9a-f]{64}", 8),
        url in "(https?://)?[a-z\\[\\]:@/?#&=%é.]{0,40}(bodySHA256=[0-9a-f]{0,64})?",
        body: Vec<u8>,
    ) {
        let names = [
            "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "stripe-signature",
            "x-twilio-signature", "x-chatwoot-signature", "x-chatwoot-timestamp",
        ];
        let mut headers: Vec<(String, String)> =
            names.iter().zip(values).map(|(name, value)| (name.to_string(), value)).collect();
        headers.push((":url".into(), url));
        for scheme in [Standard, Sha256, Stripe, Twilio, Chatwoot] {
            prop_assert_eq!(verify(scheme, "a secret of good length", &headers, &body, NOW, i64::MAX), Ok(false));
        }
    }
}
