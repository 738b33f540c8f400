//! What each sender calls a delivery, and what happened, by requests as they send them.

use inbound::{Incoming, Place, Request, Rules, Unreadable, challenge, kept, read};
use proptest::prelude::*;
use serde_json::{Value, json};

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn try_read(scheme: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Incoming, Unreadable> {
    let headers = owned(headers);
    let request = Request { headers: &headers, body, query: "", method: "POST" };
    read(&scheme.parse().unwrap(), &Rules::default(), &request)
}

fn come(scheme: &str, headers: &[(&str, &str)], body: &str) -> Incoming {
    try_read(scheme, headers, body.as_bytes()).unwrap()
}

/// Id and type.
fn known(scheme: &str, headers: &[(&str, &str)], body: &str) -> (String, String) {
    let incoming = come(scheme, headers, body);
    (incoming.id.unwrap_or_default(), incoming.kind)
}

fn pair(id: &str, kind: &str) -> (String, String) {
    (id.to_string(), kind.to_string())
}

#[test]
fn each_sender_has_its_own_names() {
    let standard = r#"{"type": "invoice.paid", "data": {}}"#;
    assert_eq!(known("standard", &[("Webhook-Id", "msg_1")], standard), pair("msg_1", "invoice.paid"));
    assert_eq!(known("standard", &[("svix-id", "msg_2")], standard), pair("msg_2", "invoice.paid"));
    let headers = [("X-GitHub-Delivery", "72d3162e"), ("X-GitHub-Event", "issues")];
    assert_eq!(known("sha256", &headers, r#"{"action": "opened"}"#), pair("72d3162e", "issues.opened"));
    assert_eq!(known("sha256", &headers, "{}"), pair("72d3162e", "issues"));
    let stripe = r#"{"id": "evt_1", "type": "charge.succeeded"}"#;
    assert_eq!(known("stripe", &[], stripe), pair("evt_1", "charge.succeeded"));
    let chatwoot = r#"{"event": "message_created", "id": 5}"#;
    assert_eq!(known("chatwoot", &[("X-Chatwoot-Delivery", "d1")], chatwoot), pair("d1", "message_created"));
    assert_eq!(known("telegram", &[], r#"{"update_id": 9, "message": {"text": "hi"}}"#), pair("9", "message"));
    let slack = r#"{"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}}"#;
    assert_eq!(known("slack", &[], slack), pair("Ev1", "app_mention"));
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");

#[test]
fn twilio_tells_of_one_message_once_for_each_state() {
    let came = come("twilio", &[FORM], "MessageSid=SM1&From=%2B5215512345678&Body=Hola+%C2%BFqu%C3%A9+tal%3F");
    assert_eq!((came.id.as_deref(), came.kind.as_str()), (Some("SM1"), "message.received"));
    assert_eq!(came.document["Body"], "Hola ¿qué tal?");
    assert_eq!(known("twilio", &[FORM], "MessageSid=SM1&MessageStatus=sent"), pair("SM1 sent", "message.sent"));
    assert_eq!(known("twilio", &[FORM], "MessageSid=SM1&MessageStatus=read"), pair("SM1 read", "message.read"));
    assert_eq!(known("twilio", &[FORM], "CallSid=CA1&CallStatus=ringing"), pair("CA1 ringing", "call.ringing"));
    let headers = [FORM, ("I-Twilio-Idempotency-Token", "t1")];
    assert_eq!(known("twilio", &headers, "MessageSid=SM1").0, "t1");
}

#[test]
fn meta_has_no_id_but_repeats_to_the_letter() {
    let message = json!({"object": "whatsapp_business_account", "entry": [{"changes": [
        {"field": "messages", "value": {"messages": [{"id": "wamid.1"}]}}]}]})
    .to_string();
    let first = come("meta", &[], &message);
    assert_eq!(first.kind, "messages");
    assert!(first.id.as_ref().unwrap().starts_with("sha256:"));
    assert_eq!(come("meta", &[], &message).id, first.id);
    assert_ne!(come("meta", &[], &message.replace("wamid.1", "wamid.2")).id, first.id);
    assert_eq!(come("360dialog", &[], &message), first, "it hands on what Meta sends");
    let status = message.replace("\"messages\":[", "\"statuses\":[");
    assert_eq!(come("meta", &[], &status).kind, "statuses");
    let page = r#"{"object": "page", "entry": [{"messaging": [{"sender": {"id": "1"}}]}]}"#;
    assert_eq!(come("meta", &[], page).kind, "messaging");
}

#[test]
fn what_has_no_id_may_be_meant_twice() {
    assert_eq!(come("none", &[], r#"{"n": 1}"#).id, None);
    assert_eq!(come("token", &[("Idempotency-Key", "k")], "{}").id.as_deref(), Some("k"));
}

#[test]
fn a_source_may_say_where_id_and_type_are() {
    let headers = owned(&[("X-Event", "Order/Created")]);
    let body = br#"{"data": {"object": {"id": 17}}}"#;
    let request = Request { headers: &headers, body, query: "", method: "POST" };
    let rules = Rules { id: Place::parse("data.object.id"), kind: Place::parse("header:x-event") };
    let incoming = read(&"none".parse().unwrap(), &rules, &request).unwrap();
    assert_eq!((incoming.id.as_deref(), incoming.kind.as_str()), (Some("17"), "Order.Created"));
    for wrong in ["", "a..b", "header:", "header:é"] {
        assert_eq!(Place::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn the_type_is_one_that_an_event_may_have() {
    let kind = |kind: &str| come("none", &[], &json!({ "type": kind }).to_string()).kind;
    assert_eq!(kind("message:created"), "message.created");
    assert_eq!(kind("a b\tx.c"), "a_b_x.c");
    assert_eq!(kind("..."), "received");
    assert_eq!(kind(""), "received");
    assert!(kind(&"x.".repeat(200)).len() <= 100);
    for text in ["größe.geändert", "\u{202e}x", &"é".repeat(90)] {
        let kind = kind(text);
        assert!(filter::check_event_type(&kind).is_ok(), "{kind:?}");
    }
}

#[test]
fn whatever_the_body_is_the_document_is_an_object() {
    let document = |kind: &str, body: &str| come("none", &[("content-type", kind)], body).document;
    assert_eq!(document("application/json", "[1, 2]"), json!({"body": [1, 2]}));
    assert_eq!(document("text/plain", "hello"), json!({"text": "hello"}));
    assert_eq!(document("text/plain", "{not json"), json!({"text": "{not json"}));
    assert_eq!(document("application/x-www-form-urlencoded", "a=1&b=2&a=3"), json!({"a": ["1", "3"], "b": "2"}));
    assert_eq!(
        document("application/x-www-form-urlencoded", "payload=%7B%22type%22%3A%22x%22%7D"),
        json!({"type": "x"})
    );
    assert_eq!(document("", "\u{feff}{\"a\": 1}"), json!({"a": 1}));
    assert_eq!(document("application/json", ""), json!({}));
}

#[test]
fn what_postgresql_cannot_keep_is_made_harmless() {
    let came =
        come("none", &[], r#"{"a\u0000b": "x\u0000y", "n": 1e999999, "s": 1.50, "big": 12345678901234567890123}"#);
    assert_eq!(came.document["a\u{fffd}b"], "x\u{fffd}y");
    assert!(came.document["n"].as_str().is_some_and(|number| number.contains("999999")));
    assert_eq!(came.document["s"].to_string(), "1.50");
    assert_eq!(came.document["big"].to_string(), "12345678901234567890123");
}

#[test]
fn a_body_that_cannot_be_read_says_why() {
    assert_eq!(try_read("none", &[], b"\xff\xfe"), Err(Unreadable::NotText));
    let error = try_read("none", &[("content-type", "application/json")], b"{\"a\": }").unwrap_err();
    assert!(error.to_string().starts_with("the body is not JSON: "), "{error}");
    let deep = "[".repeat(100_000);
    assert!(matches!(try_read("none", &[], deep.as_bytes()), Err(Unreadable::NotJson(_))));
}

#[test]
fn meta_is_answered_with_its_challenge_if_it_knows_the_token() {
    let ask = |method, query, token| {
        let request = Request { headers: &[], body: b"", query, method };
        challenge(&request, token)
    };
    let query = "hub.mode=subscribe&hub.verify_token=my+token&hub.challenge=1158201444";
    assert_eq!(ask("GET", query, Some("my token")), Some(Ok("1158201444".to_string())));
    assert!(matches!(ask("get", query, Some("other")), Some(Err(_))));
    assert!(matches!(ask("GET", query, None), Some(Err(_))));
    assert_eq!(ask("POST", query, Some("my token")), None);
    assert_eq!(ask("GET", "", Some("my token")), None);
}

#[test]
fn slack_is_answered_with_its_challenge() {
    let body = r#"{"type": "url_verification", "challenge": "3eZbrw1a"}"#;
    assert_eq!(come("slack", &[], body).reply.as_deref(), Some("3eZbrw1a"));
    assert_eq!(come("standard", &[], body).reply, None);
}

#[test]
fn credentials_are_not_kept() {
    let headers = owned(&[
        ("User-Agent", "x"),
        ("Authorization", "Bearer s"),
        ("X-Hub-Signature-256", "sha256=1"),
        ("X-Telegram-Bot-Api-Secret-Token", "s"),
        (":url", "https://x"),
        ("Idempotency-Key", "k"),
        ("X-Long", &"x".repeat(9000)),
    ]);
    let kept = Value::Object(kept(&headers));
    assert_eq!(kept, json!({"user-agent": "x", "idempotency-key": "k"}));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_every_type_is_valid(
        scheme in prop::sample::select(signing::VerifyScheme::KNOWN),
        kind in prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain", ""]),
        body in prop_oneof![
            "\\PC{0,80}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..100),
            "\\{\"(type|event|update_id|id|object|entry)\": (\"\\PC{0,20}\"|[0-9]{1,5}|\\[\\{\\}\\])\\}".prop_map(String::into_bytes),
        ],
    ) {
        if let Ok(incoming) = try_read(scheme, &[("content-type", kind)], &body) {
            prop_assert!(filter::check_event_type(&incoming.kind).is_ok(), "{:?}", incoming.kind);
            prop_assert!(incoming.document.is_object());
            prop_assert!(incoming.id.is_none_or(|id| id.len() <= 200));
        }
    }
}
