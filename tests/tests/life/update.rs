//! ALTER EXTENSION UPDATE from the first release: the catalog is that of a new installation, and what was there goes on.

use testbed::cluster::StopMode;
use tests::{Database, Desk, Server, body, wait_until};

/// What the extension consists of, an object a line.
const CATALOG: &str = include_str!("catalog.sql");

/// A database with the first release of the extension; the library is the present one. Its engine waits for the update.
fn first_release(server: &std::sync::Arc<Server>) -> Desk {
    let database = Database::empty_on(server);
    database
        .run("set client_min_messages = error; create extension vector; create extension pg_frontdesk version '0.1.0'");
    Desk { database, receiver: tests::receiver() }
}

#[test]
fn an_updated_catalog_is_that_of_a_new_installation() {
    let server = Server::preloaded(&[]);
    let desk = first_release(&server);
    desk.run("alter extension pg_frontdesk update");
    let fresh = Database::on(&server);
    let (updated, wanted): (Vec<String>, Vec<String>) = (desk.list(CATALOG), fresh.list(CATALOG));
    assert!(wanted.len() > 1000, "{} lines", wanted.len());
    let missing: Vec<&String> = wanted.iter().filter(|line| !updated.contains(line)).collect();
    let left: Vec<&String> = updated.iter().filter(|line| !wanted.contains(line)).collect();
    assert!(missing.is_empty() && left.is_empty(), "missing: {missing:#?}\nnot in a new one: {left:#?}");
}

#[test]
fn rows_secrets_jobs_timers_and_what_waits_go_on() {
    let server = Server::preloaded(&[]);
    let desk = first_release(&server);
    desk.run("create role updated login; create role operator");
    let secret = desk.endpoint("crm", "/ok", r#"headers => '{"Authorization": "Bearer abcdefgh"}'"#);
    desk.endpoint("paused", "/paused", "active => false");
    desk.run(
        "create table lead (id int primary key, name text, state text default 'new');
         create table visit (id int primary key, at timestamptz);
         insert into visit select n, now() + interval '1 day' from generate_series(1, 5) n;
         select frontdesk.watch('lead');
         select frontdesk.remind('visit', 'at', '-1 hour', 'visit.soon', name => 'soon');
         select frontdesk.schedule('theirs', '@daily', 'select 1', username => 'updated'),
           frontdesk.schedule('ours', '0 3 * * *', 'select 2', timezone => 'Europe/Madrid');
         select frontdesk.set_score_model('vip', '[{\"name\": \"a\", \"points\": 5}]');
         grant execute on function frontdesk.alter_endpoint, frontdesk.status, frontdesk.emit to operator;
         grant select on frontdesk.endpoints, frontdesk.attempts to operator;
         insert into lead select n, 'Ada' from generate_series(1, 30) n;",
    );
    // The scripts of its schema crm, which this library runs only once the extension is updated.
    desk.run("create table old_crm as select * from frontdesk.crm_scripts() with ordinality");
    let kept = "
        select to_jsonb(e) - '{credentials,problem,home,updated_at,tls,http}'::text[] from {}endpoint e
        union all select to_jsonb(s) from {}endpoint_secret s
        union all select to_jsonb(j) - '{home,login,scheduled_by,updated_at}'::text[] from {}job j
        union all select to_jsonb(t) - 'reason' from {}timer t
        union all select to_jsonb(r) - 'updated_at' from {}timer_rule r
        union all select to_jsonb(i) - '{only_row,config_version}'::text[] from {}installation i
        union all select to_jsonb(v) from frontdesk.event v
        union all select to_jsonb(m) - 'updated_at' from frontdesk.score_model m where not m.shipped";
    let rows = |schema: &str| {
        desk.list::<serde_json::Value>(&format!(
            "select * from ({}) r (r) order by r::text",
            kept.replace("{}", schema)
        ))
    };
    let before = rows("frontdesk.");
    assert!(before.len() > 40, "{} rows", before.len());

    desk.run("alter extension pg_frontdesk update");
    assert_eq!(rows("frontdesk_internal."), before);
    let privileges = "select bool_and(p) from unnest(array[
        has_function_privilege('operator', (select oid from pg_proc where proname = 'alter_endpoint'), 'execute'),
        has_function_privilege('operator', 'frontdesk.status()', 'execute'),
        has_table_privilege('operator', 'frontdesk.endpoints', 'select'),
        has_table_privilege('operator', 'frontdesk.attempts', 'select'),
        not has_function_privilege('operator', (select oid from pg_proc where proname = 'add_endpoint'), 'execute')]) p";
    assert!(desk.get::<bool>(privileges), "what was granted by name is kept");

    // What waited is sent, under the same secret.
    wait_until("what waited came", || desk.stats("/ok").accepted_ids == 30);
    desk.run("select frontdesk.resume_endpoint('paused')");
    wait_until("and what the paused endpoint missed", || desk.stats("/paused").accepted_ids == 30);
    desk.run("insert into lead values (31, 'Bob')");
    wait_until("what is new came", || desk.stats("/ok").accepted_ids == 31);
    let last = desk.requests("/ok").into_iter().rfind(|request| body(request)["data"]["name"] == "Bob").unwrap();
    assert_eq!(last.headers["authorization"], "Bearer abcdefgh");
    let headers = serde_json::to_string(&last.headers).unwrap();
    assert!(desk.get::<bool>(&format!(
        "select frontdesk.verify_webhook('{secret}', $h${headers}$h$, convert_to($b${}$b$, 'UTF8'))",
        last.body
    )));
    assert_eq!(desk.count("frontdesk.jobs where problem is null and next_run > now()"), 2);
    desk.run("update visit set at = at + interval '1 hour' where id = 1; insert into visit values (6, now() + interval '2 days')");
    assert_eq!(desk.count("frontdesk.timers"), 6);

    // The front desk of a business, as the first release made it.
    desk.run(
        "create extension btree_gist; create extension pg_trgm; create extension unaccent; create schema crm;
         do $$
         declare
           s text;
         begin
           for s in select frontdesk_internal.crm_text(script) from old_crm order by ordinality loop
             -- Triggers name the function as it is called now.
             execute replace(s, 'frontdesk.normalize_row', 'frontdesk_internal.normalize_row');
           end loop;
         end
         $$;
         insert into crm.installation (version) values ('0.1.0');
         insert into crm.leads (account_id, name, email) select id, 'Ana', 'ana@example.com' from crm.accounts",
    );
    assert_eq!(desk.get::<String>("select frontdesk.install_crm()"), "crm upgraded from 0.1.0 to 0.2.0");
    assert_eq!(desk.count("crm.leads where email = 'ana@example.com' and score > 0"), 1);
    desk.run("select crm.upsert_lead('{\"name\": \"Bea\", \"email\": \"bea@example.com\"}')");

    // And so it stays.
    server.stop(StopMode::Fast).unwrap();
    server.start().unwrap();
    desk.reconnect();
    desk.wait("(select state = 'running' from frontdesk.status())");
    desk.run("drop owned by operator, updated; drop role operator, updated");
}
