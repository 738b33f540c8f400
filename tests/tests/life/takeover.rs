//! A take-over by logical replication, as docs/operations.md has it: the tables are subscribed to, and the
//! extension's own data comes with a dump.

use std::time::Duration;

use tests::{Database, Desk, Server, body, wait_until};

#[test]
fn a_subscriber_takes_over_with_its_reminders_jobs_and_endpoints() {
    let old = Server::preloaded(&[("wal_level", "logical")]);
    let new = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&old);
    desk.endpoint("crm", "/ok", r#"headers => '{"Authorization": "Bearer abcdefgh"}'"#);
    desk.run(
        "select frontdesk.install_crm();
         update crm.accounts set timezone = 'Europe/Madrid';
         insert into crm.contacts (account_id, name, phone) select id, 'Ana', '+34600111222' from crm.accounts;
         create table visit (id int primary key, at timestamptz);
         select frontdesk.remind('visit', 'at', '0', 'visit.due'), frontdesk.schedule('daily', '@daily', 'select 1');
         insert into visit select n, now() + interval '1 day' from generate_series(1, 100) n;
         insert into lead select n, 'Ada' from generate_series(1, 20) n;
         select crm.book_appointment(contact => 1, service => 1, starts_at => s.starts_at)
         from crm.available_slots(service => 1, \"from\" => now() + interval '3 days', \"to\" => now() + interval '20 days') s limit 1",
    );
    wait_until("its events came", || desk.stats("/ok").accepted_ids >= 20);
    let timers = "frontdesk_internal.timer where outcome is null";
    desk.wait(&format!("(select count(*) > 100 from {timers})"));

    // The roles and the schema, then what the extension knows, then the rows.
    new.psql("postgres", "create role frontdesk_crm").unwrap();
    let copy = Database::empty_on(&new);
    for args in [&["--schema-only"][..], &["--data-only", "--schema=frontdesk", "--extension=pg_frontdesk"]] {
        let dump = old.client("pg_dump", &desk.name).args(args).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        new.psql(&copy.name, &format!("set client_min_messages = error;\n{}", String::from_utf8(dump.stdout).unwrap()))
            .unwrap();
    }
    desk.run("create publication takeover for tables in schema public, crm");
    copy.run(&format!("create subscription takeover connection '{}' publication takeover", old.conninfo(&desk.name)));
    let rows = "(select count(*) from lead) + (select count(*) from visit) + (select count(*) from crm.contacts)";
    let there: i64 = desk.get(&format!("select {rows}"));
    wait_until("the rows are there", || copy.get::<i64>(&format!("select {rows}")) == there);
    // Changes follow, and nothing is said by the subscriber: neither captured nor sent.
    desk.run(
        "insert into visit values (101, now() + interval '2 days');
         update visit set at = now() + interval '3 seconds' where id = 1",
    );
    wait_until("they followed", || copy.count("visit where id = 101 or at < now() + interval '1 minute'") == 2);
    desk.wait(
        "(select count(*) = 1 from frontdesk_internal.timer t join frontdesk_internal.timer_rule r on r.id = t.rule_id
          where r.event = 'visit.due' and t.key = '1' and t.outcome is not null)",
    );
    desk.fence("/ok");
    assert_eq!(copy.state(), "silent");
    assert_eq!(copy.count("frontdesk.event"), 0);

    // The take-over: the original stops, the last changes arrive, the subscriber is adopted.
    desk.run("select frontdesk.stop()");
    let position: String = desk.get("select pg_current_wal_lsn()::text");
    desk.wait(&format!("(select bool_and(confirmed_flush_lsn >= '{position}') from pg_replication_slots)"));
    let pending: i64 = desk.count(timers);
    copy.run("drop subscription takeover");
    copy.run(
        "select setval(pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname), 1000)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attidentity <> ''
         where n.nspname in ('public', 'crm') and c.relkind in ('r', 'p')",
    );
    copy.run("select frontdesk.adopt(new_identity => false)");
    wait_until("the timers of all rows are there", || copy.count(timers) == pending);
    copy.run("insert into lead values (500, 'taken over')");
    let came = || desk.requests("/ok").into_iter().rfind(|request| body(request)["data"]["name"] == "taken over");
    wait_until("it speaks", || came().is_some());
    let came = came().unwrap();
    let original: String = desk.get("select replace(id::text, '-', '') from frontdesk_internal.installation");
    assert!(came.id.unwrap().contains(&original));
    assert_eq!(came.headers["authorization"], "Bearer abcdefgh");
    assert_eq!(copy.count("frontdesk_internal.job where name = 'daily'"), 1);
    // A reminder of a row that came by replication fires.
    copy.run("update visit set at = now() where id = 2");
    let due = || desk.requests("/ok").iter().filter(|request| body(request)["type"] == "visit.due").count();
    wait_until("a reminder came", || due() >= 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(due(), 2, "the one that the original has told is not told again");
}
