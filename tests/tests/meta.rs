//! Meta's Conversions API and n8n, played by a receiver.

use serde_json::{Value, json};
use tests::{Desk, body};

const TOKEN: &str = "EAAsecretTokenOfMeta1234567890";

/// A desk with crm and a pixel whose requests go to `path` of the receiver, followed by /v26.0/42/events.
fn desk_with_pixel(path: &str) -> Desk {
    let desk = Desk::open();
    desk.run("set client_min_messages = error; select frontdesk.install_crm()");
    desk.run("alter table crm.leads alter account_id set default crm.use_account()");
    add_pixel(&desk, path);
    desk
}

fn add_pixel(desk: &Desk, path: &str) {
    let url = desk.receiver.url(path);
    desk.run(&format!("select crm.add_meta_endpoint('42', '{TOKEN}', url => '{url}', test_event_code => 'TEST7')"));
}

#[test]
fn a_lead_arrives_at_meta_as_meta_wants_it() {
    let desk = desk_with_pixel("/graph");
    desk.run("insert into crm.leads (name, email) values ('Mary', 'John_Smith@gmail.com')");
    let came = desk.await_request("/graph/v26.0/42/events");
    assert_eq!(came.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(came.headers["content-type"], "application/json");
    assert!(!came.headers.contains_key("webhook-signature"));
    let body = body(&came);
    assert_eq!(body["test_event_code"], "TEST7");
    let events = body["data"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event["event_name"], "Lead");
    assert_eq!(event["action_source"], "system_generated");
    assert_eq!(event["custom_data"]["event_source"], "crm");
    assert_eq!(event["custom_data"]["value"], json!(5));
    let hash = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
    assert_eq!(event["user_data"]["em"], json!([hash]));
    let created: i64 = desk.get("select floor(extract(epoch from created_at))::bigint from crm.leads");
    assert_eq!(event["event_time"], Value::from(created));
    // Each stage once, however often the row is written.
    desk.run(
        "update crm.leads set stage = 'won'; update crm.leads set notes = 'x'; update crm.leads set stage = 'won'",
    );
    let came = desk.await_requests("/graph/v26.0/42/events", 2);
    let second = &serde_json::from_str::<Value>(&came[1].body).unwrap()["data"][0];
    assert_eq!((&second["event_name"], &second["custom_data"]["value"]), (&json!("Purchase"), &json!(500)));
}

/// Everything in the tables and views of both schemas, as text.
fn everything(desk: &Desk) -> String {
    let relations: Vec<String> = desk.list(
        "select format('%s.%I', relnamespace::regnamespace, relname) from pg_class
         where relnamespace::regnamespace::text in ('frontdesk', 'frontdesk_internal', 'crm') and relkind in ('r', 'p', 'v') order by 1",
    );
    let text = |relation: &String| -> String {
        desk.get(&format!("select coalesce(string_agg(t::text, E'\\n'), '') from {relation} t"))
    };
    relations.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_error_about_the_event_is_a_dead_letter_at_once_and_the_token_is_nowhere() {
    let desk = desk_with_pixel("/status/400/");
    desk.run("insert into crm.leads (name, email) values ('Mary', 'mary@example.com')");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters where type = 'meta.42.lead')");
    assert_eq!(desk.requests("/status/400/v26.0/42/events").len(), 1);
    let row = &desk.rows("select status, response, error from frontdesk.attempts")[0];
    assert_eq!((row.get::<_, i16>(0), row.get::<_, &str>(2)), (400, "status"));
    let reason: String = desk.get("select reason from frontdesk.dead_letters");
    assert!(reason.contains("400") && reason.contains("final"), "{reason}");
    // The test server has no key file: the sealed secret is the only place where the token may stand.
    desk.run("delete from frontdesk_internal.endpoint_secret");
    assert!(!everything(&desk).contains(TOKEN), "a table or view shows the token");
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!everything(&desk).contains(&hex), "a table or view shows the token's bytes");
    let name = &desk.name;
    let log = desk.server.log();
    let shown = log.lines().filter(|line| line.contains(name) && line.contains(TOKEN) && !line.contains("statement:"));
    assert_eq!(shown.count(), 0, "the log shows the token");
}

#[test]
fn an_error_of_metas_own_is_tried_again() {
    let desk = desk_with_pixel("/fail-first/1/meta");
    desk.run(
        r#"select frontdesk.alter_endpoint('meta-42', retry => '{"delays": ["50ms"], "final": {"status": 400}}')"#,
    );
    desk.run("insert into crm.leads (name, email) values ('Mary', 'mary@example.com')");
    let came = desk.await_requests("/fail-first/1/meta/v26.0/42/events", 2);
    let id = |n: usize| body(&came[n])["data"][0]["event_id"].clone();
    assert_eq!(id(0), id(1));
    desk.wait("(select count(*) = 1 from frontdesk.delivery where state = 'delivered')");
}

#[test]
fn what_an_outage_made_too_old_is_not_sent() {
    let desk = desk_with_pixel("/graph");
    desk.run("select frontdesk.pause_endpoint('meta-42')");
    // Within the seven days when it happened and was recorded, past them when the endpoint is back.
    desk.run("insert into crm.leads (name, email, created_at) values ('Old', 'old@example.com', now() - interval '6 days 22 hours 59 minutes 59 seconds')");
    desk.run("insert into crm.leads (name, email) values ('New', 'new@example.com')");
    desk.run("select pg_sleep(1.5)");
    desk.run("select frontdesk.resume_endpoint('meta-42')");
    let came = desk.await_request("/graph/v26.0/42/events");
    assert_eq!(body(&came)["data"][0]["event_name"], "Lead");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters)");
    let reason: String = desk.get("select reason from frontdesk.dead_letters");
    assert!(reason.starts_with("expired: "), "{reason}");
    assert_eq!(
        desk.get::<String>("select l.name from frontdesk.dead_letters d join crm.leads l on l.id::text = d.key"),
        "Old"
    );
}

#[test]
fn an_expired_event_does_not_take_the_place_of_the_probe() {
    let desk = Desk::with_leads();
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"retry => '{"delays": ["1h"]}'"#);
    desk.run("insert into lead select n, 'lead ' || n from generate_series(1, 10) n");
    desk.wait("(select open_until is not null from frontdesk.endpoints)");
    // Those that are left are too old now; the one that is not must come through as soon as a probe may be sent.
    desk.run(r#"select frontdesk.alter_endpoint('shop', retry => '{"delays": ["1h"], "expires": "1s", "expires_from": "until"}')"#);
    desk.receiver.toggle("shop", 200);
    desk.run("select frontdesk.emit('lead.old', '{\"until\": 1}') from generate_series(1, 3)");
    desk.run("select frontdesk.emit('lead.fresh', jsonb_build_object('until', extract(epoch from now() + interval '1 hour')))");
    tests::wait_for("the fresh one came", std::time::Duration::from_secs(30), || {
        desk.types("/toggle/shop").contains(&"lead.fresh".to_string())
    });
    assert!(!desk.types("/toggle/shop").contains(&"lead.old".to_string()));
    desk.wait("(select count(*) >= 3 from frontdesk.dead_letters where reason like 'expired%')");
}

#[test]
fn n8n_gets_the_names_it_knows() {
    let desk = Desk::open();
    desk.run("set client_min_messages = error; select frontdesk.install_crm()");
    desk.run("alter table crm.leads alter account_id set default crm.use_account()");
    let url = desk.receiver.url("/webhook/leads");
    let secret: String =
        desk.get(&format!("select crm.add_n8n_endpoint('{url}', 'X-N8N-Auth', 'top secret', names => 'spanish')"));
    assert!(secret.starts_with("whsec_"));
    desk.run("insert into crm.leads (name, email, service) values ('Ana \"La Jefa\"', 'ana@example.com', 'Consulta')");
    let came = desk.await_request("/webhook/leads");
    assert_eq!(came.headers["x-n8n-auth"], "top secret");
    assert!(came.headers.contains_key("webhook-signature"));
    let lead = body(&came);
    assert_eq!(lead["evento"], "lead.created");
    assert_eq!(lead["nombre"], "Ana \"La Jefa\"");
    assert_eq!(lead["servicio"], "Consulta");
    assert_eq!(lead["estado_lead"], "Nuevo Lead");
    assert_eq!(lead["telefono"], Value::Null);
    let appointment = json!({
        "id": 7, "contact_id": 3, "name": "Ana", "status": "rescheduled", "starts_at": "2026-11-23T16:00:00+00:00",
        "local_starts_at": "2026-11-23T10:00:00-06:00", "starts_at_text": "lunes, 23 de noviembre de 2026, 10:00", "duration_minutes": 60,
    });
    let account: String = desk.get("select id::text from crm.accounts");
    desk.run(&format!("select frontdesk.emit('appointment.reminder', '{appointment}', tenant => '{account}')"));
    let reminder = body(&desk.await_requests("/webhook/leads", 2)[1]);
    assert_eq!(reminder["cita_id"], 7);
    assert_eq!(reminder["estado"], "cita reagendada");
    assert_eq!(reminder["fecha_cita_timezone_cliente"], "2026-11-23T10:00:00-06:00");
    assert_eq!(reminder["asistencia"], Value::Null);
    assert_eq!(reminder["cita_pasada"], "No");
    assert!(!desk.get::<String>("select string_agg(e::text, '') from frontdesk.endpoints e").contains("top secret"));
}
