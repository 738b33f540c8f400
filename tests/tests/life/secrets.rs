//! Secrets at rest, and nowhere else.

use std::sync::Arc;

use tests::{Desk, Server};

const CREDENTIAL: &str = "Bearer very-s3cret-t0ken";

fn server_with_key(content: &str) -> (Arc<Server>, std::path::PathBuf) {
    let server = Server::preloaded(&[]);
    let file = server.dir.join("secret.key");
    std::fs::write(&file, content).unwrap();
    server.set(&[("frontdesk.secret_key_file", file.to_str().unwrap()), ("log_statement", "none")]).unwrap();
    server.reload().unwrap();
    (server, file)
}

/// Everything in the extension's tables and views, as text.
fn everything(desk: &Desk) -> String {
    let relations: Vec<String> = desk.list(
        "select c.oid::regclass::text from pg_class c
         where relnamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace) and relkind in ('r', 'p', 'v') order by 1",
    );
    let text = |relation: &String| -> String {
        desk.get(&format!("select coalesce(string_agg(t::text, E'\\n'), '') from {relation} t"))
    };
    relations.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn sealed_with_a_key_file_they_are_in_no_table_and_no_log() {
    let (server, _) = server_with_key("a key of sufficient length for this");
    let desk = Desk::with_leads_on(&server);
    let secret = desk.endpoint("crm", "/ok", &format!(r#"headers => '{{"Authorization": "{CREDENTIAL}"}}'"#));
    desk.endpoint("fails", "/status/500", &format!("secret => '{secret}', retry => '{{\"delays\": []}}'"));
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    assert_eq!(request.headers["authorization"], CREDENTIAL);
    desk.run(&format!(
        r#"select frontdesk.http_get('{}', '{{"Authorization": "{CREDENTIAL}"}}')"#,
        desk.receiver.url("/direct")
    ));
    desk.await_request("/direct");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters)");
    let tables = everything(&desk);
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let bare = secret.trim_start_matches("whsec_");
    for hidden in [bare, CREDENTIAL, &hex(bare), &hex(CREDENTIAL), "very-s3cret"] {
        assert!(!tables.contains(hidden), "a table or view shows {hidden}");
        assert!(!server.log().contains(hidden), "the log shows {hidden}");
    }
    assert!(!server.log().contains("stored unencrypted"));
}

#[test]
fn with_another_key_nothing_is_sent_the_endpoint_says_why_and_its_events_wait() {
    let (server, file) = server_with_key("a key of sufficient length for this");
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", r#"retry => '{"delays": []}'"#);
    std::fs::write(&file, "another key, of sufficient length too").unwrap();
    server.reload().unwrap();
    desk.run("select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()");
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select problem = 'the secret was encrypted with another key' from frontdesk.endpoints)");
    let why: String = desk.get("select reason from frontdesk.explain_event((select max(id) from frontdesk.event))");
    assert!(why.contains("another key"), "{why}");
    assert!(desk.requests("/ok").is_empty());
    assert_eq!(desk.count("frontdesk_internal.attempt") + desk.count("frontdesk_internal.dead_letter"), 0);
    // The right one again, and a reload: it goes on.
    std::fs::write(&file, "a key of sufficient length for this").unwrap();
    server.reload().unwrap();
    desk.await_request("/ok");
    desk.wait("(select problem is null from frontdesk.endpoints)");
}

#[test]
fn without_its_secret_or_a_credential_nothing_is_sent_and_its_events_wait() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", r#"headers => '{"Authorization": "Bearer abcdefgh"}', retry => '{"delays": []}'"#);
    desk.run("create table kept as select * from frontdesk_internal.endpoint_secret");
    desk.run("delete from frontdesk_internal.endpoint_secret where header is null; insert into lead values (1, 'Ada')");
    desk.wait("(select problem like 'there is no secret%' from frontdesk.endpoints)");
    desk.run("truncate frontdesk_internal.endpoint_secret; insert into frontdesk_internal.endpoint_secret overriding system value select * from kept where header is null");
    desk.wait("(select problem like 'the value of header \"Authorization\" is missing%' from frontdesk.endpoints)");
    // Nor does it sign what others send.
    desk.run(&format!(
        "delete from frontdesk_internal.endpoint_secret; select frontdesk.http_post('{}', sign_with => 'crm')",
        desk.receiver.url("/direct")
    ));
    desk.wait(
        "(select count(*) = 1 from frontdesk_internal.dead_letter where reason like 'secret: there is no secret%')",
    );
    assert_eq!(desk.requests("/direct").len() + desk.requests("/ok").len(), 0);
    desk.run("insert into frontdesk_internal.endpoint_secret overriding system value select * from kept");
    assert_eq!(desk.await_request("/ok").headers["authorization"], "Bearer abcdefgh");
}

#[test]
fn a_receiver_that_answers_with_what_it_was_sent_shows_no_credential() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    let echoed = receiver::Receiver::spawn(receiver::Options::default()).unwrap();
    desk.run(&format!(
        r#"select frontdesk.add_endpoint('echo', '{}', payload => '{{"said": "Bearer very-s3cret-t0ken", "of": {{{{ data.id }}}}}}', headers => '{{"Authorization": "{CREDENTIAL}"}}')"#,
        echoed.url("/echo")
    ));
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk.attempts where endpoint = 'echo' and succeeded)");
    let response: String = desk.get("select response from frontdesk.attempts where endpoint = 'echo'");
    assert!(response.contains("********") && !response.contains("very-s3cret"), "{response}");
    let id: i64 = desk.get(&format!(
        r#"select frontdesk.http_post('{}', '{{"said": "very-s3cret-t0ken"}}', '{{"Authorization": "{CREDENTIAL}"}}')"#,
        echoed.url("/echo")
    ));
    desk.wait(&format!("(select count(*) = 1 from frontdesk_internal.attempt where event_id = {id})"));
    let kept: String =
        desk.get(&format!("select response || encode(response_body, 'escape') || response_headers from frontdesk_internal.attempt where event_id = {id}"));
    assert!(kept.contains("********") && !kept.contains("very-s3cret"), "{kept}");
}

#[test]
fn what_was_stored_without_a_key_or_with_another_one_is_encrypted_with_the_present_one() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    let secret = desk.endpoint("crm", "/ok", &format!(r#"headers => '{{"Authorization": "{CREDENTIAL}"}}'"#));
    desk.run(&format!(
        "select frontdesk.add_embedder('e', '{}', 'm', 3, secret => 'sk-very-s3cret')",
        desk.receiver.url("/embeddings")
    ));
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hidden = [hex(secret.trim_start_matches("whsec_")), hex(CREDENTIAL), hex("sk-very-s3cret")];
    assert!(hidden.iter().all(|hidden| everything(&desk).contains(hidden)));
    assert!(desk.error("select frontdesk.reencrypt_secrets()").contains("no key is set to encrypt with"));
    let (first, second) = (server.dir.join("first.key"), server.dir.join("second.key"));
    std::fs::write(&first, "the first key, of sufficient length").unwrap();
    std::fs::write(&second, "the second key, of sufficient length").unwrap();
    let delivers = |key: &std::path::Path, encrypt: &str, id: i32| {
        server.set(&[("frontdesk.secret_key_file", key.to_str().unwrap())]).unwrap();
        server.reload().unwrap();
        let file = format!("current_setting('frontdesk.secret_key_file') = '{}'", key.display());
        desk.wait(&format!("({file})"));
        assert_eq!(desk.get::<i64>(&format!("select frontdesk.reencrypt_secrets({encrypt})")), 3);
        let tables = everything(&desk);
        assert!(!hidden.iter().any(|hidden| tables.contains(hidden)));
        desk.run(&format!("insert into lead values ({id}, 'Ada')"));
        desk.wait(&format!("(select count(*) = {id} from frontdesk.attempts where succeeded)"));
        assert_eq!(desk.requests("/ok").last().unwrap().headers["authorization"], CREDENTIAL);
    };
    delivers(&first, "", 1);
    delivers(&second, &format!("'{}'", first.display()), 2);
    // Of a key that is lost nothing can be made.
    server.set(&[("frontdesk.secret_key_file", first.to_str().unwrap())]).unwrap();
    server.reload().unwrap();
    desk.wait(&format!("(current_setting('frontdesk.secret_key_file') = '{}')", first.display()));
    let error = desk.error("select frontdesk.reencrypt_secrets()");
    assert!(error.contains("endpoint \"crm\": the secret was encrypted with another key"), "{error}");
    assert!(desk.error("select frontdesk.reencrypt_secrets('/nowhere')").contains("old_key_file: cannot read the key"));
}

#[test]
fn without_a_key_there_is_a_warning_and_only_the_owner_can_read_them() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    assert!(desk.server.log().contains("secrets are stored unencrypted"));
    assert!(!desk.get::<bool>("select has_table_privilege('pg_monitor', 'frontdesk.event', 'select')"));
    for table in ["endpoint_secret", "endpoint", "attempt", "installation"] {
        let sql = format!("select has_table_privilege('pg_monitor', 'frontdesk_internal.{table}', 'select')");
        assert!(!desk.get::<bool>(&sql), "{table}");
    }
}

#[test]
fn a_key_file_that_is_missing_or_short_is_said_when_a_secret_is_to_be_kept() {
    let (server, file) = server_with_key("short");
    let desk = Desk::on(&server);
    let error = desk.error("select frontdesk.add_endpoint('crm', 'http://127.0.0.1/')");
    assert!(error.contains("secret_key_file"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = desk.error("select frontdesk.add_endpoint('crm', 'http://127.0.0.1/')");
    assert!(error.contains("secret_key_file"), "{error}");
    assert_eq!(desk.count("frontdesk.endpoints"), 0);
}
