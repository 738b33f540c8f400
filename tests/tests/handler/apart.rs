//! Events that fail, and those beside them.

use std::time::Duration;

use tests::{Database, Desk, wait_for, wait_until};

use super::{assert_each_once, scene};

#[test]
fn events_that_fail_are_told_apart_from_many() {
    let database = Database::create();
    scene(&database);
    database.run(
        "create function choosy(e frontdesk.event[]) returns void language plpgsql as $$ begin
           insert into public.effect (event, lead) select x.id, x.key::int from unnest(e) x;
           if exists (select from unnest(e) x where x.key::int % 50 = 7) then raise 'seven'; end if; end $$;
         select frontdesk.add_handler('choosy', 'choosy(frontdesk.event[])', events => '{lead.*}', retry => '{\"delays\": []}')",
    );
    database.run("insert into lead select n from generate_series(1, 500) n");
    wait_until("the others are handled", || database.count("effect") == 490);
    database.wait("(select count(*) = 10 from frontdesk_internal.dead_letter)");
    assert_each_once(&database, 490);
    let reason: String = database.get("select min(reason) from frontdesk.dead_letters");
    assert!(reason.contains("P0001: seven") && reason.contains("CONTEXT: PL/pgSQL function choosy"), "{reason}");
    // Once it is mended, they are given to it again.
    database.run(
        "create or replace function choosy(e frontdesk.event[]) returns void language sql as $$
           insert into public.effect (event, lead) select x.id, x.key::int from unnest(e) x $$;
         select frontdesk.replay('choosy', since => now() - interval '1 hour')",
    );
    wait_until("all are", || database.count("effect") == 500);
    assert_each_once(&database, 500);
}

#[test]
fn one_that_takes_too_long_holds_up_the_others_for_a_moment() {
    let database = Database::create();
    scene(&database);
    database.run(
        "create function dreamy(e frontdesk.event) returns void language plpgsql as $$ begin
           if e.key = '5' then perform pg_sleep(60); end if;
           insert into public.effect (event, lead) values (e.id, e.key::int); end $$;
         select frontdesk.add_handler('dreamy', 'dreamy(frontdesk.event)', events => '{lead.*}', timeout => '300 milliseconds', retry => '{\"delays\": []}')",
    );
    database.run("insert into lead select n from generate_series(1, 20) n");
    wait_until("the others are handled", || database.count("effect") == 19);
    database.wait("exists (select from frontdesk_internal.dead_letter)");
    let reason: String = database.get("select reason from frontdesk.dead_letters");
    assert!(reason.starts_with("sql: 57014: canceling statement"), "{reason}");
}

#[test]
fn one_that_ends_its_process_becomes_a_dead_letter() {
    let database = Database::create();
    scene(&database);
    database.run(
        "create function deadly(e frontdesk.event) returns void language plpgsql as $$ begin
           if e.key = '5' then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;
           insert into public.effect (event, lead) values (e.id, e.key::int); end $$;
         select frontdesk.add_handler('deadly', 'deadly(frontdesk.event)', events => '{lead.*}', retry => '{\"delays\": [\"10ms\"]}')",
    );
    database.run("insert into lead select n from generate_series(1, 20) n");
    wait_until("the others are handled", || database.count("effect") == 19);
    database.wait("exists (select from frontdesk_internal.dead_letter)");
    assert_each_once(&database, 19);
    let reason: String = database.get("select reason from frontdesk.dead_letters");
    assert!(reason.starts_with("process: 57P01"), "{reason}");
}

#[test]
fn ordered_means_one_after_the_other_for_each_row_whatever_fails() {
    let database = Database::create();
    scene(&database);
    database.run(
        "create table seen (n bigint generated always as identity, lead int, amount int);
         create function see(e frontdesk.event) returns void language plpgsql as $$ begin
           if random() < 0.2 then raise 'by chance'; end if;
           insert into public.seen (lead, amount) values (e.key::int, (e.record->>'amount')::int); end $$;
         insert into lead select n, 0 from generate_series(1, 5) n;
         select frontdesk.add_handler('see', 'see(frontdesk.event)', events => '{lead.*}', ordered => true,
           retry => jsonb_build_object('delays', (select jsonb_agg('1ms'::text) from generate_series(1, 20))))",
    );
    for amount in 1..=40 {
        database.run(&format!("update lead set amount = {amount}"));
    }
    wait_for("all came", Duration::from_secs(60), || database.count("seen") == 205);
    let wrong: i64 = database
        .get("select count(*) from (select amount, row_number() over (partition by lead order by n) as r from seen) s where amount <> r - 1");
    assert_eq!(wrong, 0);
}

#[test]
fn handlers_that_fail_or_hang_hold_up_no_webhook() {
    let desk = Desk::open();
    scene(&desk);
    desk.run(
        "create function hang(e frontdesk.event) returns void language sql as $$ select pg_sleep(600) $$;
         create function fail(e frontdesk.event) returns void language plpgsql as $$ begin raise 'no'; end $$;
         select frontdesk.add_handler('hang', 'hang(frontdesk.event)', events => '{lead.*}');
         select frontdesk.add_handler('fail', 'fail(frontdesk.event)', events => '{lead.*}')",
    );
    desk.endpoint("hook", "/ok", "");
    desk.run("insert into lead select n from generate_series(1, 2000) n");
    wait_until("all came", || desk.stats("/ok").accepted_ids == 2000);
    desk.wait("(select failures >= 10 and open_until is not null from frontdesk.handlers where name = 'fail')");
}
