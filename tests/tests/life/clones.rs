//! Copies keep silent until they are adopted; a standby that is promoted goes on.

use tests::{Database, Desk, LEADS, Server, body, wait_for, wait_until};

/// The copy says nothing until it is adopted; then it speaks under an identity of its own, of new events only.
fn assert_silent_until_adopted(original: &Desk, copy: &Database) {
    let before = original.receiver.stats().total.requests;
    copy.run("insert into lead values (100, 'in the copy')");
    copy.run("select frontdesk.wake()");
    wait_until("the copy says that it is one", || copy.state() == "silent");
    let refused = copy.error("select frontdesk.resume()");
    assert!(refused.contains("adopt"), "{refused}");
    // The original goes on meanwhile.
    original.fence("/ok");
    assert_eq!(original.receiver.stats().total.requests, before + 1);

    let identity: String = copy.get("select frontdesk.adopt()::text");
    copy.run("insert into lead values (101, 'after the adoption')");
    wait_until("the copy speaks", || {
        original.requests("/ok").iter().any(|request| {
            body(request)["data"]["name"] == "after the adoption"
                && request.id.as_ref().unwrap().contains(&identity.replace('-', ""))
        })
    });
    assert!(!original.requests("/ok").iter().any(|request| body(request)["data"]["name"] == "in the copy"));
    assert_eq!(copy.state(), "running");
    assert_eq!(original.state(), "running");
}

#[test]
fn a_copied_database_is_silent() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    desk.reconnect();
    let name = format!("{}_copy", desk.name);
    desk.server.psql("postgres", &format!("create database {name} template {}", desk.name)).unwrap();
    let copy = Database::existing(&desk.server, &name);
    assert_silent_until_adopted(&desk, &copy);
    drop(copy);
    desk.server.psql("postgres", &format!("drop database {name} with (force)")).unwrap();
}

/// A dump of the desk's database, restored as another one on the server.
fn restore(desk: &Desk, server: &std::sync::Arc<Server>) -> Database {
    let dump = desk.server.client("pg_dump", &desk.name).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let copy = Database::empty_on(server);
    server
        .psql(&copy.name, &format!("set client_min_messages = error;\n{}", String::from_utf8(dump.stdout).unwrap()))
        .unwrap();
    copy
}

#[test]
fn a_restored_dump_is_silent() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    let copy = restore(&desk, &desk.server);
    assert_silent_until_adopted(&desk, &copy);
}

#[test]
fn a_dump_brings_watches_endpoints_and_secrets_and_no_log() {
    let desk = Desk::with_leads();
    let secret = desk.endpoint("crm", "/ok", r#"headers => '{"Authorization": "Bearer x"}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    let elsewhere = Server::preloaded(&[]);
    let copy = restore(&desk, &elsewhere);
    assert_eq!(copy.count("frontdesk.event"), 0, "the rows were loaded before their triggers were there");
    assert_eq!(copy.count("frontdesk.watch where problem is null"), 1);
    assert_eq!(copy.count("frontdesk.endpoints"), 1);
    assert_eq!(copy.count("lead"), 1);
    copy.run("select frontdesk.adopt(new_identity => false)");
    copy.run("insert into lead values (2, 'Bob')");
    let came = desk.await_requests("/ok", 2).remove(1);
    assert_eq!(came.headers["authorization"], "Bearer x");
    let headers = serde_json::to_string(&came.headers).unwrap();
    assert!(copy.get::<bool>(&format!(
        "select frontdesk.verify_webhook('{secret}', $h${headers}$h$, convert_to($b${}$b$, 'UTF8'))",
        came.body
    )));
    let original: String = desk.get("select id::text from frontdesk_internal.installation");
    assert!(came.id.unwrap().contains(&original.replace('-', "")));
}

#[test]
fn a_promoted_standby_goes_on_from_the_logged_place() {
    let primary = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&primary);
    desk.endpoint("crm", "/ok", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 50) n");
    wait_until("50 came", || desk.stats("/ok").accepted_ids == 50);
    desk.wait("(select count(*) = 50 from frontdesk_internal.attempt)");
    let standby = primary.standby();
    let copy = Database::existing(&standby, &desk.name);
    // While it is one, it reads and sends nothing.
    assert_eq!(copy.state(), "standby");
    desk.run("select frontdesk.stop()");
    desk.wait("(select pid is null from frontdesk_internal.engine_slot())");
    desk.run("insert into lead select n, 'Bob' from generate_series(51, 70) n");
    desk.run("select frontdesk.start()");
    wait_until("70 came", || desk.stats("/ok").accepted_ids == 70);
    desk.wait("(select count(*) = 70 from frontdesk_internal.attempt)");
    desk.run("select frontdesk.pause(); insert into lead values (71, 'outstanding')");
    wait_until("the standby has it all", || copy.count("lead") == 71);
    primary.kill9().unwrap();
    standby.promote().unwrap();
    wait_for("the promoted server is a primary", tests::PATIENCE, || !copy.get::<bool>("select pg_is_in_recovery()"));
    copy.run("select frontdesk.resume()");
    wait_until("what was outstanding came", || desk.stats("/ok").accepted_ids == 71);
    copy.run("insert into lead values (72, 'new')");
    wait_until("and what is new", || desk.stats("/ok").accepted_ids == 72);
    assert_eq!(desk.stats("/ok").repeats, 0);
    assert_eq!(copy.state(), "running");
}

#[test]
fn the_schema_of_the_tests_is_watched() {
    // Keeps LEADS honest: what the other tests take for watched is.
    let desk = Database::create();
    desk.run(LEADS);
    assert_eq!(desk.count("frontdesk.watch where source = 'lead'::regclass"), 1);
}
