//! What a receiver hears of a lead.

use tests::{Desk, body};

#[test]
fn a_duplicate_is_told_once_as_a_touch() {
    let desk = Desk::open();
    desk.run("set client_min_messages = warning; select frontdesk.install_crm()");
    desk.endpoint("all", "/ok", "");
    desk.run(
        r#"select crm.upsert_lead('{"name": "Ana", "email": "ana@example.com", "utm_source": "x", "color": "blue"}')"#,
    );
    desk.run(r#"select crm.upsert_lead('{"name": "Ana María", "email": "ANA@example.com"}')"#);
    desk.run("select crm.set_lead_stage(min(id), 'qualified', 'called') from crm.leads");
    desk.await_requests("/ok", 3);
    desk.fence("/ok");
    let types: Vec<String> = desk.types("/ok").into_iter().filter(|kind| kind.starts_with("lead.")).collect();
    assert_eq!(types, ["lead.created", "lead.touched", "lead.qualified"]);
    let touched = body(&desk.requests("/ok")[1]);
    assert_eq!(touched["data"]["name"], "Ana");
    assert_eq!(touched["data"]["touches"], 2);
    assert_eq!(touched["data"]["touch"]["details"]["name"], "Ana María");
    let account: String = desk.get("select id::text from crm.accounts");
    assert_eq!(touched["data"]["account_id"], account.as_str());
}
