//! Rows come, change and go; the server dies; nobody is there for a while.

use tests::{Database, Desk, Server, wait_until};

use super::Notes;

#[test]
fn rows_are_embedded_as_they_come_and_change() {
    let notes = Notes::open();
    notes.write(1, 250);
    notes.await_all();
    assert_eq!((notes.is("embedded"), notes.is("requests")), ("250".into(), "3".into()));
    assert_eq!(notes.is("tokens"), "500");
    // A text has its own vector, whichever batch it was in.
    let apart: i64 = notes.get("select count(distinct vec::text) from note");
    assert_eq!(apart, 250);
    notes.run("update note set body = 'changed' where id = 7");
    notes.wait("(select vec is not null from note where id = 7)");
    assert!(notes.get::<bool>("select vec = frontdesk.embed('changed') from note where id = 7"));
    // Set to null by hand, it comes again.
    notes.run("update note set vec = null where id = 8");
    notes.wait("(select vec is not null from note where id = 8)");
}

#[test]
fn the_same_text_is_sent_once() {
    let notes = Notes::open();
    notes.run("insert into note select n, 'text ' || n % 10 from generate_series(1, 400) n");
    notes.await_all();
    assert_eq!((notes.without_vector(), notes.is("requests"), notes.is("tokens")), (0, "1".into(), "20".into()));
    notes.run("insert into note select n, 'text ' || n % 10 from generate_series(401, 500) n");
    notes.await_all();
    assert_eq!((notes.is("requests"), notes.is("reused")), ("1".into(), "100".into()));
    assert_eq!(notes.get::<i64>("select count(distinct vec::text) from note"), 10);
}

#[test]
fn it_idles_without_a_process() {
    let notes = Notes::open();
    notes.write(1, 3);
    notes.await_all();
    notes.wait("not exists (select from pg_stat_activity where backend_type like 'frontdesk job%' and datname = current_database())");
    // What waits costs no run each.
    let runs: i64 = notes.count("frontdesk_internal.job_run");
    for n in 10..60 {
        notes.write(n, n);
    }
    notes.await_all();
    let more = notes.count("frontdesk_internal.job_run") - runs;
    assert!(more < 10, "{more} runs for 50 rows");
}

#[test]
fn an_outage_loses_nothing() {
    let notes = Notes::by("/toggle/embedder", "");
    notes.receiver.toggle("embedder", 500);
    notes.write(1, 300);
    notes.await_error("status 500");
    notes.write(301, 600);
    notes.wait("(select failures >= 2 from frontdesk.embedders)");
    assert_eq!(
        (notes.is("pending"), notes.is("state"), notes.is("failed")),
        ("600".into(), "failing".into(), "0".into())
    );
    notes.turn_to("/embed/8");
    notes.await_all();
    assert_eq!((notes.without_vector(), notes.is("embedded"), notes.is("failures")), (0, "600".into(), "0".into()));
}

#[test]
fn paused_it_waits() {
    let notes = Notes::open();
    notes.run("select frontdesk.alter_embedder('test', active => false)");
    notes.write(1, 5);
    assert_eq!(notes.is("state"), "paused");
    assert_eq!(notes.is("pending"), "5");
    notes.run("select frontdesk.alter_embedder('test', active => true)");
    notes.await_all();
    assert_eq!(notes.is("embedded"), "5");
}

#[test]
fn a_rate_is_kept() {
    let notes = Notes::by("/embed/8", "batch_size => 10, requests_per_minute => 120");
    let started = std::time::Instant::now();
    notes.write(1, 50);
    notes.await_all();
    // Five requests, half a second apart.
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds > 1.9, "{seconds}");
    assert_eq!(notes.is("requests"), "5");
}

#[test]
fn after_a_crash_it_goes_on() {
    let server = Server::preloaded(&[]);
    let notes = Notes::on(Desk::on(&server), "/embed/8", "batch_size => 20, requests_per_minute => 600");
    notes.write(1, 1000);
    wait_until("some are embedded", || notes.without_vector() < 900);
    server.kill9().unwrap();
    server.start().unwrap();
    notes.reconnect();
    notes.run("select frontdesk.alter_embedder('test', requests_per_minute => 0)");
    notes.await_all();
    assert_eq!((notes.without_vector(), notes.get::<i64>("select count(distinct vec::text) from note")), (0, 1000));
}

#[test]
fn nothing_is_open_while_it_waits() {
    let notes = Notes::by("/hang", "timeout_ms => 8000");
    notes.write(1, 1);
    wait_until("the request is under way", || notes.stats("/hang").requests > 0);
    let held: i64 = notes.count(
        "pg_stat_activity where backend_type like 'frontdesk job%' and datname = current_database()
         and (backend_xmin is not null or backend_xid is not null)",
    );
    assert_eq!(held, 0);
    let locks: i64 = notes.count(
        "pg_locks l join pg_stat_activity a using (pid) where a.backend_type like 'frontdesk job%' and a.datname = current_database()
         and l.locktype = 'relation'",
    );
    assert_eq!(locks, 0);
    notes.run("create index concurrently on note (body)");
}

#[test]
fn a_locked_row_holds_up_nobody() {
    let notes = Notes::by("/embed/8", "batch_size => 5");
    notes.run("select frontdesk.alter_embedder('test', active => false)");
    notes.write(1, 50);
    let mut other = notes.session();
    other.batch_execute("begin; select from note where id = 3 for update").unwrap();
    notes.run("select frontdesk.alter_embedder('test', active => true)");
    notes.wait("(select count(*) = 1 from note where vec is null)");
    other.batch_execute("commit").unwrap();
    notes.run("select frontdesk.run_job('embed note.vec by test')");
    notes.await_all();
}

#[test]
fn a_dropped_table_ends_its_job() {
    let notes = Notes::open();
    notes.write(1, 3);
    notes.await_all();
    notes.run("drop table note; select frontdesk.run_job('embed note.vec by test')");
    notes.wait("(select count(*) = 0 from frontdesk.jobs)");
    assert_eq!(notes.count("frontdesk.embed_tables"), 0);
}

#[test]
fn it_runs_as_its_owner() {
    let database: Desk = Desk::open();
    database.run(&format!(
        "select frontdesk.add_embedder('test', '{}', 'm', 8);
         do $$ begin create role embed_writer; exception when duplicate_object then null; end $$;
         grant create on schema public to embed_writer;
         grant execute on function frontdesk.embed_table(regclass, name, name, text, text) to embed_writer;
         set role embed_writer;
         create table theirs (body text, vec halfvec(8), who text);
         create function who() returns trigger language plpgsql as $f$ begin new.who := current_user; return new; end $f$;
         create trigger who before update on theirs for each row execute function who();
         select frontdesk.embed_table('theirs', 'body', 'vec');
         insert into theirs values ('hello');
         reset role",
        database.receiver.url("/embed/8")
    ));
    database.wait("(select vec is not null from theirs)");
    assert_eq!(database.get::<String>("select who from theirs"), "embed_writer");
    drop_role(&database);
}

fn drop_role(database: &Database) {
    database.run("select frontdesk.unembed_table('theirs'); drop owned by embed_writer cascade");
}
