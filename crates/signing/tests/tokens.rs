//! Senders that prove themselves by other means than a signature of ours: Slack, Meta, Telegram, tokens, a password.

use signing::{VerifyScheme, verify};

const NOW: i64 = 1_531_420_618;

fn check(scheme: &str, secret: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
    check_at(NOW, scheme, secret, headers, body)
}

fn check_at(now: i64, scheme: &str, secret: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    verify(scheme.parse::<VerifyScheme>().unwrap(), secret, &headers, body, now, 300).unwrap()
}

#[test]
fn slack_signs_its_version_the_time_and_the_body() {
    // The example of Slack's documentation.
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let secret = "8f742231b10e8888abcd99yyyzzz85a5";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let headers =
        |time: &'static str, signature| [("X-Slack-Request-Timestamp", time), ("X-Slack-Signature", signature)];
    assert!(check("slack", secret, &headers("1531420618", signature), body));
    assert!(!check("slack", secret, &headers("1531420619", signature), body));
    assert!(!check("slack", secret, &headers("1531420618", &signature[3..]), body));
    assert!(!check("slack", secret, &headers("1531420618", signature), b"token=other"));
    assert!(!check_at(NOW + 301, "slack", secret, &headers("1531420618", signature), body), "too old");
    assert!(!check("slack", secret, &[("X-Slack-Signature", signature)], body));
}

#[test]
fn meta_signs_the_body_with_the_secret_of_the_app() {
    let signature = "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914";
    assert!(check("meta", "secret", &[("X-Hub-Signature-256", signature)], b"test"));
    assert!(!check("meta", "secret", &[("X-Hub-Signature-256", signature)], b"test "));
    assert!(!check("meta", "secret", &[("X-Hub-Signature", signature)], b"test"));
}

#[test]
fn twilio_signs_with_sha256_where_its_settings_say_so() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let newer = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=";
    let settings = ("X-Twilio-Webhooks-Signature-Settings", "key=k1,algorithm=HMAC_SHA256");
    assert!(check("twilio", "12345", &[(":url", url), ("X-Twilio-Signature", newer), settings], body));
    assert!(!check("twilio", "12345", &[(":url", url), ("X-Twilio-Signature", newer)], body));
    let older = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    assert!(check("twilio", "12345", &[(":url", url), ("X-Twilio-Signature", older)], body));
    assert!(!check("twilio", "12345", &[(":url", url), ("X-Twilio-Signature", older), settings], body));
}

#[test]
fn a_token_is_in_the_header_that_was_agreed_on() {
    assert!(check("telegram", "s3cret", &[("X-Telegram-Bot-Api-Secret-Token", "s3cret")], b""));
    assert!(!check("telegram", "s3cret", &[("Authorization", "s3cret")], b""));
    assert!(check("token", "s3cret", &[("authorization", "Bearer s3cret")], b""));
    assert!(check("360dialog", "s3cret", &[("authorization", "s3cret")], b""));
    assert!(check("token:X-Shared", "s3cret", &[("x-shared", "s3cret")], b""));
    for wrong in ["", "s3cre", "s3cret ", "Bearer s3crets"] {
        assert_eq!(check("token", "s3cret", &[("authorization", wrong)], b""), wrong.trim() == "s3cret", "{wrong:?}");
    }
    assert!(!check("token:X-Shared", "s3cret", &[("x-shared", "Bearer s3cret")], b""));
}

#[test]
fn basic_is_a_name_and_a_password() {
    assert!(check("basic", "Aladdin:open sesame", &[("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")], b""));
    assert!(!check("basic", "Aladdin:open", &[("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")], b""));
    assert!(!check("basic", "Aladdin:open sesame", &[("Authorization", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")], b""));
}

#[test]
fn none_says_that_nothing_is_proved() {
    assert!(check("none", "", &[], b"anything"));
}
