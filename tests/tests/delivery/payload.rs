//! What is in a request.

use serde_json::json;
use tests::{Desk, body};

#[test]
fn an_insert_becomes_a_request() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    assert_eq!(request.method, "POST");
    assert_eq!(request.headers["content-type"], "application/json");
    let body = body(&request);
    assert_eq!(body["type"], "lead.created");
    assert_eq!(body["data"], json!({"id": 1, "name": "Ada", "state": "new"}));
    assert_eq!(body.get("previous"), None);
    let sent: f64 = request.timestamp.unwrap().parse().unwrap();
    let created: f64 = desk.get("select extract(epoch from created_at)::float8 from frontdesk.event");
    assert!((sent - created).abs() < 5.0);
}

#[test]
fn an_update_brings_the_old_values_of_what_changed() {
    let desk = Desk::with_leads();
    desk.run("insert into lead values (1, 'Ada', 'new')");
    desk.endpoint("crm", "/ok", "");
    desk.run("update lead set state = 'won'");
    let body = body(&desk.await_request("/ok"));
    assert_eq!(body["type"], "lead.updated");
    assert_eq!(body["data"], json!({"id": 1, "name": "Ada", "state": "won"}));
    assert_eq!(body["previous"], json!({"state": "new"}));
}

#[test]
fn deletes_and_truncates_are_told() {
    let desk = Desk::with_leads();
    desk.run("insert into lead values (1, 'Ada'), (2, 'Bob')");
    desk.endpoint("crm", "/ok", "max_in_flight => 1");
    desk.run("delete from lead where id = 1");
    desk.run("truncate lead");
    let came = desk.await_requests("/ok", 2);
    assert_eq!(body(&came[0])["type"], "lead.deleted");
    assert_eq!(body(&came[0])["data"]["name"], "Ada");
    assert_eq!(body(&came[1])["type"], "lead.truncated");
}

#[test]
fn supabase_shape() {
    let desk = Desk::with_leads();
    desk.endpoint("edge", "/ok", "payload => 'supabase', max_in_flight => 1");
    desk.run("insert into lead values (1, 'Ada')");
    desk.run("update lead set name = 'Ada L.'");
    desk.run("delete from lead");
    let bodies: Vec<_> = desk.await_requests("/ok", 3).iter().map(body).collect();
    let row = |name| json!({"id": 1, "name": name, "state": "new"});
    let shape = |kind, record, old_record| json!({"type": kind, "table": "lead", "schema": "public", "record": record, "old_record": old_record});
    assert_eq!(bodies[0], shape("INSERT", row("Ada"), json!(null)));
    assert_eq!(bodies[1], shape("UPDATE", row("Ada L."), row("Ada")));
    assert_eq!(bodies[2], shape("DELETE", json!(null), row("Ada L.")));
}

#[test]
fn supabase_shape_of_a_quoted_table() {
    let desk = Desk::open();
    desk.run(r#"create schema "S p"; create table "S p"."My.""T""" (id int primary key)"#);
    desk.run(r#"select frontdesk.watch('"S p"."My.""T"""', entity => 'thing')"#);
    desk.endpoint("edge", "/ok", "payload => 'supabase'");
    desk.run(r#"insert into "S p"."My.""T""" values (1)"#);
    let body = body(&desk.await_request("/ok"));
    assert_eq!((&body["schema"], &body["table"]), (&json!("S p"), &json!(r#"My."T""#)));
}

#[test]
fn record_shape() {
    let desk = Desk::with_leads();
    desk.endpoint("n8n", "/ok", "payload => 'record'");
    desk.run("insert into lead values (1, 'Ada')");
    assert_eq!(body(&desk.await_request("/ok")), json!({"id": 1, "name": "Ada", "state": "new"}));
}

#[test]
fn a_template_makes_any_shape() {
    let desk = Desk::with_leads();
    desk.endpoint(
        "chat",
        "/json",
        r#"payload => '{"text": "{{ data.name }} is {{ data.state }}", "was": {{ previous | tojson }}}'"#,
    );
    desk.endpoint("sms", "/text", "payload => 'Hello {{ data.name }}!'");
    desk.run(r#"insert into lead values (1, 'Ada "the" L.')"#);
    let json = desk.await_request("/json");
    assert_eq!(body(&json), json!({"text": "Ada \"the\" L. is new", "was": null}));
    assert_eq!(json.headers["content-type"], "application/json");
    let text = desk.await_request("/text");
    assert_eq!(text.body, "Hello Ada \"the\" L.!");
    assert!(text.headers["content-type"].starts_with("text/plain"));
}

#[test]
fn headers_are_sent_and_credentials_shown_to_nobody() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", r#"headers => '{"X-Source": "frontdesk", "Authorization": "Bearer t0p-s3cret"}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    let request = desk.await_request("/ok");
    assert_eq!(request.headers["x-source"], "frontdesk");
    assert_eq!(request.headers["authorization"], "Bearer t0p-s3cret");
    let shown: String = desk.get("select e::text from frontdesk.endpoints e");
    assert!(shown.contains("frontdesk") && shown.contains("Authorization") && !shown.contains("t0p-s3cret"), "{shown}");
}

#[test]
fn text_of_all_kinds_arrives_as_it_was() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run(r#"insert into lead values (1, E'ü \U0001F600 \\ " \n\t end')"#);
    assert_eq!(body(&desk.await_request("/ok"))["data"]["name"], "ü 😀 \\ \" \n\t end");
}
