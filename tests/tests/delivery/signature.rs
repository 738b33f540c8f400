//! How a request is signed, and that others can verify it.

use http::HeaderMap;
use receiver::Record;
use standardwebhooks::Webhook;
use tests::Desk;

/// With the reference library of Standard Webhooks.
fn verifies(secret: &str, request: &Record) -> bool {
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.headers[name].parse().unwrap());
    }
    Webhook::new(secret).unwrap().verify(request.body.as_bytes(), &headers).is_ok()
}

fn verifies_here(desk: &Desk, secret: &str, request: &Record, scheme: &str) -> bool {
    let headers = serde_json::to_string(&request.headers).unwrap();
    desk.get(&format!(
        "select frontdesk.verify_webhook($s${secret}$s$, $h${headers}$h$, convert_to($b${}$b$, 'UTF8'), '{scheme}')",
        request.body
    ))
}

#[test]
fn the_reference_library_verifies() {
    let desk = Desk::with_leads();
    let secret = desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ädä')");
    let request = desk.await_request("/ok");
    assert!(secret.starts_with("whsec_"));
    assert!(verifies(&secret, &request));
    assert!(!verifies("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &request));
    assert!(!verifies(&secret, &Record { body: request.body.replace('1', "2"), ..request.clone() }));
    assert!(verifies_here(&desk, &secret, &request, "standard"));
}

#[test]
fn the_webhook_id_names_the_installation_and_the_event() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    let id: String = desk.get(
        "select format('msg_%s_%s_', replace(i.id::text, '-', ''), e.id) from frontdesk_internal.installation i, frontdesk.event e",
    );
    let sent = desk.await_request("/ok").id.unwrap();
    assert!(sent.starts_with(&id), "{sent} does not begin with {id}");
    assert!(!sent.contains('.'), "Standard Webhooks keeps the full stop for itself");
}

#[test]
fn sha256_as_github_signs() {
    let desk = Desk::with_leads();
    let secret = desk.endpoint("a", "/a", "signature => 'sha256'");
    desk.endpoint("b", "/b", "signature => 'sha256:X-Shop-Signature', secret => 'it is a plain secret'");
    desk.run("insert into lead values (1, 'Ada')");
    let (a, b) = (desk.await_request("/a"), desk.await_request("/b"));
    assert!(verifies_here(&desk, &secret, &a, "sha256"));
    assert!(!verifies_here(&desk, "it is another secret", &a, "sha256"));
    let secret = signing::Secret::parse("it is a plain secret").unwrap();
    let expected = signing::sign_sha256(&secret, b.body.as_bytes());
    assert_eq!(b.headers["x-shop-signature"], expected);
    assert!(!b.headers.contains_key("webhook-signature"));
}

#[test]
fn none_signs_nothing() {
    let desk = Desk::with_leads();
    assert_eq!(desk.endpoint("open", "/ok", "signature => 'none'"), "");
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    assert!(!request.headers.contains_key("webhook-signature"));
    assert!(request.headers.contains_key("webhook-id"));
}

#[test]
fn ed25519_signatures_verify_with_the_public_key() {
    let desk = Desk::with_leads();
    // The seed of the specification's own example, in another coat: 32 bytes.
    let private = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    desk.endpoint("crm", "/ok", &format!("secret => '{private}'"));
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    let public = signing::Secret::parse(private).unwrap().public_key().unwrap();
    let signature = &request.headers["webhook-signature"];
    assert!(signature.starts_with("v1a,"), "{signature}");
    let (id, timestamp) = (request.id.unwrap(), request.timestamp.unwrap());
    let verifier = signing::Verifier::new(&public).unwrap();
    let now = timestamp.parse().unwrap();
    assert!(verifier.standard(&id, &timestamp, signature, request.body.as_bytes(), now, 300));
    assert!(!verifier.standard(&id, &timestamp, signature, b"{}", now, 300));
}

#[test]
fn while_a_secret_is_rotated_both_sign() {
    let desk = Desk::with_leads();
    let old = desk.endpoint("crm", "/ok", "");
    let new: String = desk.get("select frontdesk.rotate_secret('crm', overlap => '2 seconds')");
    desk.run("insert into lead values (1, 'Ada')");
    let during = desk.await_request("/ok");
    assert_eq!(during.headers["webhook-signature"].split(' ').count(), 2);
    assert!(verifies(&old, &during) && verifies(&new, &during));

    desk.wait("(select max(expires_at) < clock_timestamp() from frontdesk_internal.endpoint_secret)");
    desk.run("insert into lead values (2, 'Bob')");
    let after = desk.await_requests("/ok", 2).remove(1);
    assert_eq!(after.headers["webhook-signature"].split(' ').count(), 1);
    assert!(!verifies(&old, &after) && verifies(&new, &after));
}

#[test]
fn while_a_secret_of_sha256_is_rotated_its_receiver_takes_every_event_with_the_old_one_and_with_the_new_one() {
    let desk = Desk::with_leads();
    // The receiver refuses the first attempt, as one that does not know the new secret yet.
    let old = desk.endpoint("hub", "/fail-first-each/1", r#"signature => 'sha256', retry => '{"delays": ["100ms"]}'"#);
    let new: String = desk.get("select frontdesk.rotate_secret('hub', overlap => '1 hour')");
    desk.run("insert into lead values (1, 'Ada')");
    let came = desk.await_requests("/fail-first-each/1", 2);
    let signed = |secret: &str, n: usize| {
        signing::sign_sha256(&signing::Secret::parse(secret).unwrap(), came[n].body.as_bytes())
    };
    assert_eq!(came[0].headers["x-hub-signature-256"], signed(&new, 0));
    assert_eq!(came[1].headers["x-hub-signature-256"], signed(&old, 1));
    let both = format!("{}, {}", signed(&new, 0), signed(&old, 0));
    assert!(came.iter().all(|request| request.headers["x-hub-signature-256-all"] == both));
    desk.wait("(select count(*) = 1 from frontdesk_internal.attempt where succeeded)");
    desk.run("select frontdesk.rotate_secret('hub', overlap => '0'); insert into lead values (2, 'Bob')");
    let after = desk.await_requests("/fail-first-each/1", 4).remove(2);
    assert!(!after.headers.contains_key("x-hub-signature-256-all"));
}

#[test]
fn a_secret_can_be_replaced_at_once() {
    let desk = Desk::with_leads();
    let old = desk.endpoint("crm", "/ok", "");
    desk.run("select frontdesk.alter_endpoint('crm', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')");
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    assert!(!verifies(&old, &request));
    assert!(verifies("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &request));
}
