//! Scores: models that change while a server runs.

use std::time::Duration;

use tests::{Database, Server, wait_for};

const LEADS: &str = "
    insert into crm.leads (account_id, name, email) select a.id, 'Client ' || n, 'c' || n || '@example.com' from crm.accounts a, generate_series(1, 25000) n";
const RULE: &str =
    "update frontdesk.score_rule set points = points - 1 where model = 'completeness' and name = 'email'";

/// 0.4 of what the rule gives now.
fn right(database: &Database) -> i64 {
    database.count("crm.leads where score = 0.4 * (select points from frontdesk.score_rule where model = 'completeness' and name = 'email')")
}

#[test]
fn after_a_change_of_a_model_leads_are_scored_in_the_background_across_a_crash() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    database.run("select frontdesk.install_crm()");
    database.run(LEADS);
    assert_eq!(right(&database), 25_000);
    database.run(RULE);
    assert!(right(&database) < 25_000, "in the background, not in the statement that changed the rule");
    wait_for("all are scored", Duration::from_secs(120), || right(&database) == 25_000);

    database.run(
        "select frontdesk.alter_job(id, retry_delay => '1 second') from frontdesk.jobs where name = 'crm rescore'",
    );
    // Batches are of 10,000: the last lead is locked, so that the third cannot end.
    let mut other = database.session();
    other
        .batch_execute("begin; select 1 from crm.leads where id = (select max(id) from crm.leads) for update")
        .unwrap();
    database.run(RULE);
    wait_for("two batches are there", Duration::from_secs(120), || right(&database) >= 20_000);
    server.kill9().unwrap();
    server.start().unwrap();
    database.reconnect();
    assert_eq!(right(&database), 20_000, "what was done is kept");
    wait_for("the rest is done", Duration::from_secs(120), || right(&database) == 25_000);
    assert!(
        database.count("frontdesk_internal.job_run where job_name = 'crm rescore' and status = 'interrupted'") >= 1
    );
}

#[test]
fn a_session_sees_what_another_changes_and_a_snapshot_does_not() {
    let database = Database::create();
    let mut other = database.session();
    let score = "select frontdesk.score('{\"email\": \"a@b.c\"}', 'completeness')::float8";
    assert_eq!(database.get::<f64>(score), 30.0);
    database.run("begin isolation level repeatable read");
    assert_eq!(database.get::<f64>(score), 30.0);
    other.batch_execute(RULE).unwrap();
    assert_eq!(database.get::<f64>(score), 30.0);
    database.run("commit");
    assert_eq!(database.get::<f64>(score), 29.0);
    // A change that is rolled back leaves nothing behind, although another then takes its turn.
    database.run(&format!("begin; {RULE}"));
    assert_eq!(database.get::<f64>(score), 28.0);
    database.run("rollback");
    other
        .batch_execute("update frontdesk.score_rule set points = 50 where model = 'completeness' and name = 'email'")
        .unwrap();
    assert_eq!(database.get::<f64>(score), 50.0);
}

#[test]
fn changes_that_are_only_together_wrong_do_not_pass() {
    let database = Database::create();
    let (mut one, mut other) = (database.session(), database.session());
    database.run("select frontdesk.set_score_model('a', '[]'); select frontdesk.set_score_model('b', '[]')");
    one.batch_execute("begin; insert into frontdesk.score_rule (model, name, points, part) values ('a', 'b', 1, 'b')")
        .unwrap();
    let late = std::thread::spawn(move || {
        other.batch_execute("insert into frontdesk.score_rule (model, name, points, part) values ('b', 'a', 1, 'a')")
    });
    std::thread::sleep(Duration::from_millis(500));
    one.batch_execute("commit").unwrap();
    let error = late.join().unwrap().expect_err("they are parts of each other");
    let message = error.as_db_error().map(|error| error.message().to_string()).unwrap_or_default();
    assert_eq!(message, "models are parts of each other: a -> b -> a");
}
