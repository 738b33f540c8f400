//! The logs are tables of PostgreSQL: what happens to them beside, or by their owner, loses and breaks nothing.

use tests::{Database, Desk, wait_until};

/// What amcheck finds: nothing.
const CHECK: &str = "
create schema checks; create extension amcheck schema checks;
create function sound(log regclass) returns text language plpgsql as $$
declare
  i record;
begin
  for i in
    select x.indexrelid::regclass as name from pg_partition_tree(log) t join pg_index x on x.indrelid = t.relid
    join pg_class c on c.oid = x.indexrelid join pg_am a on a.oid = c.relam where t.isleaf and a.amname = 'btree'
  loop
    perform checks.bt_index_check(i.name, heapallindexed => true);
  end loop;
  return coalesce((select string_agg(v::text, '; ') from pg_partition_tree(log) t, checks.verify_heapam(t.relid) v where t.isleaf), 'sound');
end
$$";

#[test]
fn rows_written_while_the_log_s_index_is_rebuilt_beside_are_in_it() {
    let desk = Desk::with_leads();
    desk.run(CHECK);
    desk.endpoint("crm", "/ok", "");
    let mut session = desk.session();
    // A savepoint that is rolled back gives its locks up; what is written after it takes them again.
    session
        .batch_execute(
            "begin; savepoint a; insert into lead select n, 'undone' from generate_series(1, 10) n; rollback to a",
        )
        .unwrap();
    let mut beside = desk.session();
    let rebuild = std::thread::spawn(move || {
        beside.batch_execute("set statement_timeout = '60s'").unwrap();
        beside.batch_execute("reindex table concurrently frontdesk.event").unwrap();
    });
    // It waits for the session where that has kept a lock; else it may be over already.
    wait_until("it is rebuilt beside", || {
        let query = "pg_stat_activity where query like 'reindex%' and pid <> pg_backend_pid()";
        rebuild.is_finished() || desk.count(query) > 0
    });
    session.batch_execute("insert into lead select n, 'kept' from generate_series(11, 20) n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    session.batch_execute("insert into lead select n, 'kept' from generate_series(21, 30) n; commit").unwrap();
    rebuild.join().unwrap();
    assert_eq!(desk.get::<String>("select sound('frontdesk.event')"), "sound");
    desk.run("drop schema checks cascade");
    desk.await_requests("/ok", 20);
}

#[test]
fn the_log_of_attempts_may_have_columns_and_indexes_of_its_owner() {
    let desk = Desk::with_leads();
    desk.run(CHECK);
    desk.run(
        "create index on frontdesk_internal.attempt ((lower(response))); create index on frontdesk_internal.attempt (endpoint_id) where status <> 200;
         alter table frontdesk_internal.attempt add column a int, add column b text default 'b', add column c int default 3,
           add column d text, add column e text generated always as (status || 'x') stored",
    );
    desk.endpoint("crm", "/ok", "");
    desk.endpoint("bad", "/status/500", r#"retry => '{"delays": []}'"#);
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 50) n");
    desk.await_requests("/ok", 50);
    desk.wait("(select count(*) = 50 from frontdesk_internal.attempt where succeeded)");
    desk.wait("(select count(*) >= 1 from frontdesk_internal.attempt where not succeeded)");
    assert_eq!(desk.count("frontdesk_internal.attempt where (b, c, e) is distinct from ('b', 3, status || 'x')"), 0);
    assert_eq!(desk.get::<String>("select sound('frontdesk_internal.attempt')"), "sound");
    desk.run("alter table frontdesk_internal.attempt drop column a, drop column b, drop column c, drop column d, drop column e");
    desk.run("insert into lead select n, 'Ada' from generate_series(51, 60) n");
    desk.wait("(select count(*) = 60 from frontdesk_internal.attempt where succeeded)");
    // For a moment it may have waited for the lock of `alter table`.
    wait_until("it runs", || desk.state() == "running");
    desk.run("drop schema checks cascade");
}

#[test]
fn a_role_that_was_dropped_while_it_is_connected_goes_on_writing() {
    let desk = Database::create();
    desk.run("create table lead (id int primary key); grant all on lead to public; select frontdesk.watch('lead')");
    let role = format!("leaving_{}", std::process::id());
    desk.run(&format!("create role {role} login"));
    let mut session = desk.session();
    session.batch_execute(&format!("set session authorization {role}; insert into lead values (1)")).unwrap();
    let number: u32 = desk.get(&format!("select '{role}'::regrole::oid"));
    desk.run(&format!("drop role {role}"));
    session.batch_execute("insert into lead values (2)").unwrap();
    let actors: Vec<String> = desk.list("select actor from frontdesk.event order by id");
    assert_eq!(actors, [role, number.to_string()]);
}
