//! A dump of the business brings all of it, and the copy sends nothing.

use std::collections::BTreeMap;

use tests::{Database, Desk, Server};

/// Rows and checksum of every table of crm.
fn tables(database: &Database) -> BTreeMap<String, String> {
    let names = database.list::<String>(
        "select c.oid::regclass::text from pg_class c where c.relnamespace = 'crm'::regnamespace and c.relkind = 'r' order by 1",
    );
    let sum = |name: &String| {
        database.get::<String>(&format!(
            "select count(*) || ' ' || md5(coalesce(string_agg(t::text, chr(10) order by t::text collate \"C\"), '')) from {name} t"
        ))
    };
    names.iter().map(|name| (name.clone(), sum(name))).collect()
}

/// Everything about the shape that pg_dump has to bring: columns, indexes, constraints (PostgreSQL sets their brackets anew), triggers,
/// policies, functions, comments.
const SHAPE: &str = "
    select format('%s.%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), pg_get_expr(d.adbin, d.adrelid))
      from pg_attribute a join pg_class c on c.oid = attrelid left join pg_attrdef d on d.adrelid = attrelid and d.adnum = attnum
      where c.relnamespace = 'crm'::regnamespace and c.relkind in ('r', 'v') and attnum > 0 and not attisdropped
    union all select pg_get_indexdef(indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'crm'::regnamespace
    union all select conrelid::regclass || ' ' || conname || ' ' || translate(pg_get_constraintdef(oid), '()', '') from pg_constraint where connamespace = 'crm'::regnamespace
    union all select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = 'crm'::regnamespace and not tgisinternal
    union all select format('%s.%s %s %s', tablename, policyname, qual, with_check) from pg_policies where schemaname = 'crm'
    union all select pg_get_functiondef(oid) || coalesce(obj_description(oid, 'pg_proc'), '') from pg_proc where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and prokind <> 'a'
    order by 1";

#[test]
fn a_restored_dump_is_the_same_and_silent() {
    let desk = Desk::open();
    desk.run("set client_min_messages = warning");
    desk.run("select frontdesk.install_crm(sample_data => true)");
    desk.endpoint("all", "/ok", "");
    desk.run("select crm.upsert_lead('{\"account_id\": \"5a4d91e0-0000-4000-8000-000000000001\", \"name\": \"José 🎉\", \"email\": \"jose@example.com\", \"x\": [1, 2]}')");
    desk.run("select crm.upsert_lead('{\"account_id\": \"5a4d91e0-0000-4000-8000-000000000001\", \"name\": \"José\", \"email\": \"JOSE@example.com\", \"phone\": \"55 1234 5699\"}')");
    // Created; updated, of another tier and touched.
    desk.await_requests("/ok", 4);
    let dump = desk.server.client("pg_dump", &desk.name).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));

    let elsewhere = Server::preloaded(&[]);
    let copy = Database::empty_on(&elsewhere);
    // A role is of the server, not of a database: the owner of schema crm comes with the globals.
    let globals = desk.server.client("pg_dumpall", "postgres").arg("--globals-only").output().unwrap();
    let globals = String::from_utf8(globals.stdout).unwrap();
    let roles: Vec<&str> = globals.lines().filter(|line| line.contains(" ROLE frontdesk_crm")).collect();
    elsewhere.psql("postgres", &roles.join("\n")).unwrap();
    // An error of any statement fails the test: psql stops there.
    let script = String::from_utf8(dump.stdout).unwrap();
    elsewhere.psql(&copy.name, &format!("\\set ON_ERROR_STOP on\nset client_min_messages = error;\n{script}")).unwrap();

    let (original, restored) = (tables(&desk), tables(&copy));
    assert!(original.len() >= 8 && original["crm.leads"].starts_with("13 "), "{original:#?}");
    assert_eq!(original, restored);
    let (shape, restored) = (desk.list::<String>(SHAPE), copy.list::<String>(SHAPE));
    let only_in = |here: &[String], there: &[String]| {
        here.iter().filter(|part| !there.contains(part)).cloned().collect::<Vec<_>>()
    };
    assert_eq!((only_in(&shape, &restored), only_in(&restored, &shape)), (vec![], vec![]));
    assert_eq!(copy.count("frontdesk.event"), 0, "loading rows is no event");

    // Silent until adopted; then all of it works.
    copy.run("select frontdesk.wake()");
    copy.wait("(select state = 'silent' from frontdesk.status())");
    copy.run("select crm.upsert_lead('{\"account_id\": \"5a4d91e0-0000-4000-8000-000000000001\", \"email\": \"in.the.copy@example.com\"}')");
    desk.fence("/ok");
    assert!(desk.requests("/ok").iter().all(|request| !request.body.contains("in.the.copy")));
    let again: String = copy.get("select frontdesk.install_crm()");
    assert!(again.contains("was there already"), "{again}");
    assert_eq!(copy.count("crm.leads"), 14);
}
