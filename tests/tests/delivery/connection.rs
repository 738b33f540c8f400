//! Over what a request goes: whom the connection trusts, who we are in it, which version of HTTP is spoken.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use receiver::{Options, Receiver};
use tests::{Desk, wait_until};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn certificate(issuer: &Issuer, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn secure(issuer: &Issuer, options: Options) -> Receiver {
    let (certificates, key) = certificate(issuer, "127.0.0.1");
    let tls = Some(receiver::Tls { certificates, key });
    Receiver::spawn(Options { tls, keep_ids: true, ..options }).unwrap()
}

fn add(desk: &Desk, name: &str, receiver: &Receiver, more: &str) {
    let url = receiver.url("/ok");
    desk.run(&format!("select frontdesk.add_endpoint('{name}', '{url}', {more})"));
}

fn came(receiver: &Receiver) -> u64 {
    receiver.stats().total.requests
}

/// What the last attempt of an endpoint came to.
fn last(desk: &Desk, endpoint: &str) -> String {
    desk.get(&format!(
        "select coalesce((select concat_ws(' ', status, error, detail) from frontdesk.attempts
           where endpoint = '{endpoint}' order by id desc limit 1), '')"
    ))
}

#[test]
fn a_bank_is_trusted_by_its_own_authority_and_shown_a_certificate_of_which_the_key_is_shown_to_nobody() {
    let desk = Desk::with_leads();
    let bank = authority();
    let (chain, key) = certificate(&bank, "frontdesk");
    let receiver = secure(&bank, Options { client_ca: Some(bank.pem()), ..Options::default() });
    let ca = bank.pem();
    let retry = r#"retry => '{"delays": []}'"#;
    add(&desk, "stranger", &receiver, retry);
    let options = format!("'ca', '{ca}', 'client_certificate', '{chain}', 'client_key', '{key}'");
    add(&desk, "known", &receiver, &format!("{retry}, tls => jsonb_build_object({options})"));
    add(&desk, "nameless", &receiver, &format!("{retry}, tls => jsonb_build_object('ca', '{ca}')"));
    let wrong = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let pinned = format!("{retry}, tls => jsonb_build_object({options}, 'pin', '{wrong}')");
    add(&desk, "pinned", &receiver, &pinned);
    desk.run("insert into lead values (1, 'Ada')");
    wait_until("all four were tried", || desk.count("frontdesk.attempts") == 4);
    assert_eq!(last(&desk, "known"), "200");
    assert!(last(&desk, "stranger").contains("unknown authority"), "{}", last(&desk, "stranger"));
    assert!(last(&desk, "nameless").contains("asks for a client certificate"), "{}", last(&desk, "nameless"));
    assert_eq!(came(&receiver), 1);
    // The key that it has is told, and can be pinned.
    let told = last(&desk, "pinned");
    let pin = told.split_once("the receiver's key ").unwrap().1.strip_suffix(" is not pinned").unwrap();
    desk.run(&format!(
        "select frontdesk.alter_endpoint('pinned', tls => jsonb_build_object({options}, 'pin', array['{wrong}', '{pin}']))"
    ));
    desk.run("select frontdesk.test_endpoint('pinned')");
    wait_until("it came", || came(&receiver) == 2);

    let set: Vec<String> = desk.get("select tls from frontdesk.endpoints where name = 'pinned'");
    assert_eq!(set, ["ca", "client_certificate", "pin"]);
    let secret = key.lines().nth(1).unwrap();
    for relation in
        ["frontdesk_internal.endpoint", "frontdesk.endpoints", "frontdesk.attempts", "frontdesk.webhook_configs"]
    {
        let shown: bool = desk
            .get(&format!("select coalesce(bool_or(position('{secret}' in r::text) > 0), false) from {relation} r"));
        assert!(!shown, "{relation} shows the key");
    }
    // Of a key that is lost, as by a dump of one table alone, the endpoint says so, and its events wait.
    desk.run("delete from frontdesk_internal.endpoint_client_key");
    desk.wait("(select problem like '%client_key is missing%' from frontdesk.endpoints where name = 'known')");
    desk.run("select frontdesk.alter_endpoint('known', tls => 'null')");
    desk.wait("(select problem is null from frontdesk.endpoints where name = 'known')");
    let error = desk.error(&format!(
        "select frontdesk.alter_endpoint('known', tls => jsonb_build_object('client_certificate', '{chain}', 'client_key', '{}'))",
        certificate(&bank, "frontdesk").1
    ));
    assert!(error.starts_with("client_key does not belong to client_certificate"), "{error}");
}

#[test]
fn the_version_of_http_is_the_endpoint_s_choice() {
    let desk = Desk::with_leads();
    let issuer = authority();
    let ca = issuer.pem();
    let both = secure(&issuer, Options { http2: true, ..Options::default() });
    let old = secure(&issuer, Options::default());
    let plain = Receiver::spawn(Options { http2: true, keep_ids: true, ..Options::default() }).unwrap();
    let trust = format!("tls => jsonb_build_object('ca', '{ca}'), retry => '{{\"delays\": []}}'");
    add(&desk, "two", &both, &format!("{trust}, http => '2'"));
    add(&desk, "one", &both, &format!("{trust}, http => '1.1'"));
    add(&desk, "plain", &plain, "http => '2'");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 100) n");
    wait_until("all came", || came(&both) == 200 && came(&plain) == 100);
    assert_eq!(both.stats().total.accepted_ids, 100, "each event under one id to both");
    add(&desk, "old", &old, &format!("{trust}, http => '2'"));
    desk.run("select frontdesk.test_endpoint('old')");
    desk.wait("(select count(*) = 1 from frontdesk.attempts where endpoint = 'old')");
    assert!(last(&desk, "old").contains("the receiver does not offer HTTP/2"), "{}", last(&desk, "old"));
    desk.run("select frontdesk.alter_endpoint('old', http => 'auto'); select frontdesk.test_endpoint('old')");
    wait_until("it came", || came(&old) == 1);
}
