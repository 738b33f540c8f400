//! Webhooks that come in become events, once each.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Desk, body};

fn receive(desk: &Desk, source: &str, headers: &Value, body: &str) -> (i32, Option<i64>) {
    let row = desk
        .session()
        .query_one(
            "select status, receipt from frontdesk.receive_webhook($1, $2::text::jsonb, convert_to($3, 'UTF8'))",
            &[&source, &headers.to_string(), &body],
        )
        .unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn what_one_desk_sends_another_takes_and_hands_on() {
    let sender = Desk::with_leads();
    let secret = sender.endpoint("partner", "/ok", "");
    sender.run("insert into lead values (1, 'Ana')");
    let sent = sender.await_request("/ok");
    let headers: BTreeMap<&String, &String> = sent.headers.iter().collect();

    let taker = Desk::open();
    taker.run(&format!("select frontdesk.add_source('partner', 'standard', '{secret}')"));
    taker.endpoint("crm", "/ok", "'{partner.*}'");
    let (status, receipt) = receive(&taker, "partner", &json!(headers), &sent.body);
    assert_eq!(status, 200);
    let came = body(&taker.await_request("/ok"));
    assert_eq!(came["type"], "partner.lead.created");
    assert_eq!(came["data"]["data"]["name"], "Ana");

    // The same again is no other event; a changed body is refused.
    assert_eq!(receive(&taker, "partner", &json!(headers), &sent.body), (200, receipt));
    assert_eq!(receive(&taker, "partner", &json!(headers), &sent.body.replace("Ana", "Eve")).0, 401);
    assert_eq!(taker.count("frontdesk.event where type like 'partner.%'"), 1);
    let id: String = taker.get("select delivery_id from frontdesk.receipts where status = 200");
    assert_eq!(Some(&id), sent.id.as_ref());
}

#[test]
fn a_delivery_that_comes_a_thousand_times_at_once_is_one_event() {
    let desk = Desk::open();
    desk.run("select frontdesk.add_source('bot', 'telegram', 'token')");
    let headers = json!({"X-Telegram-Bot-Api-Secret-Token": "token"});
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut session = desk.session();
            let headers = headers.to_string();
            scope.spawn(move || {
                for _ in 0..125 {
                    let row = session
                        .query_one(
                            "select status from frontdesk.receive_webhook('bot', $1::text::jsonb, '{\"update_id\": 7, \"message\": {}}')",
                            &[&headers],
                        )
                        .unwrap();
                    assert_eq!(row.get::<_, i32>(0), 200);
                }
            });
        }
    });
    assert_eq!(desk.count("frontdesk.event where type = 'bot.message'"), 1);
    assert_eq!(desk.get::<i64>("select repeats from frontdesk.receipts"), 999);
}

#[test]
fn what_is_rolled_back_was_never_taken() {
    let desk = Desk::open();
    desk.run("select frontdesk.add_source('open', 'none', id_path => 'id')");
    desk.run("begin; select frontdesk.receive_webhook('open', '{}', '{\"id\": 1}'); rollback");
    assert_eq!(desk.count("frontdesk.receipts"), 0);
    assert_eq!(receive(&desk, "open", &json!({}), "{\"id\": 1}").0, 200);
    assert_eq!(desk.get::<i64>("select repeats from frontdesk.receipts"), 0);
    assert_eq!(desk.count("frontdesk.event where type = 'open.received'"), 1);
}

#[test]
fn a_role_needs_the_right_to_receive_and_no_other() {
    let desk = Desk::open();
    desk.run("select frontdesk.add_source('open', 'none')");
    let app = format!("web_{}", desk.name);
    desk.run(&format!("create role {app}"));
    let call = "select frontdesk.receive_webhook('open', '{}', '{}')";
    let as_app = |sql: &str| format!("set role {app}; {sql}; reset role");
    assert!(desk.error(&as_app(call)).contains("permission denied"));
    desk.run(&format!("reset role; grant execute on function frontdesk.receive_webhook to {app}"));
    desk.run(&as_app(call));
    for closed in ["table frontdesk.receipts", "table frontdesk.sources", "select frontdesk.add_source('x', 'none')"] {
        assert!(desk.error(&as_app(closed)).contains("permission denied"), "{closed}");
        desk.run("reset role");
    }
    desk.run(&format!("drop owned by {app}; drop role {app}"));
}
