//! Appointments with the engine running: the whole life of one as its webhooks tell it, and many who want the same slots.

use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;

use postgres::error::SqlState;
use receiver::Record;
use serde_json::Value;
use tests::{Database, Desk, Server, body, wait_until};

/// Monday to Friday from 9 to 18 in Madrid, which is UTC+1 then.
const OFFICE: &str = "select frontdesk.install_crm(); update crm.accounts set timezone = 'Europe/Madrid', locale = 'es';
    insert into crm.contacts (account_id, name, phone, language) select id, 'Ana', '+34600111222', 'es' from crm.accounts";

fn verified(desk: &Desk, secret: &str, request: &Record) -> bool {
    let headers = serde_json::to_string(&request.headers).unwrap();
    // By the clock of the engine, which shows another year.
    desk.get(&format!(
        "select frontdesk.verify_webhook($s${secret}$s$, $h${headers}$h$, convert_to($b${}$b$, 'UTF8'), 'standard', '90 days')",
        request.body
    ))
}

#[test]
fn booked_reminded_moved_reminded_again_and_missed() {
    let server = Server::preloaded(&[("frontdesk.fake_now", "2027-03-01T08:00:00Z"), ("timezone", "UTC")]);
    let desk = Desk::on(&server);
    desk.run(OFFICE);
    let secret = desk.endpoint("n8n", "/n8n", "events => '{appointment.*}'");
    let told = |kinds: &[&str]| {
        wait_until(&format!("told of {kinds:?}"), || desk.types("/n8n").len() >= kinds.len());
        let kinds: Vec<_> = kinds.iter().map(|kind| format!("appointment.{kind}")).collect();
        assert_eq!(desk.types("/n8n"), kinds);
        let last: Value = body(desk.requests("/n8n").last().unwrap());
        last["data"].clone()
    };
    let at = |moment: &str| {
        server.set(&[("frontdesk.fake_now", moment)]).unwrap();
        server.reload().unwrap();
        desk.reconnect();
        desk.wait(&format!("frontdesk.now() = '{moment}'"));
    };

    let id: i64 = desk
        .get("select id from crm.book_appointment(contact => 1, service => 1, starts_at => '2027-03-03T09:00:00Z')");
    let created = told(&["created"]);
    assert_eq!(created["name"], "Ana");
    assert_eq!(created["local_starts_at"], "2027-03-03T10:00:00+01:00");
    assert!(created["starts_at_text"].as_str().unwrap().starts_with("miércoles, 3 de marzo de 2027"));

    at("2027-03-02T09:00:00Z");
    assert_eq!(told(&["created", "reminder"])["minutes_before"], 1440);
    desk.run(&format!("select crm.reschedule_appointment({id}, '2027-03-04T15:00:00Z')"));
    assert_eq!(told(&["created", "reminder", "rescheduled"])["previous_starts_at"], "2027-03-03T09:00:00+00:00");
    // What was planned for the old time is not told any more.
    at("2027-03-03T08:30:00Z");
    at("2027-03-03T15:00:00Z");
    assert_eq!(told(&["created", "reminder", "rescheduled", "reminder"])["minutes_before"], 1440);
    at("2027-03-04T14:00:00Z");
    assert_eq!(told(&["created", "reminder", "rescheduled", "reminder", "reminder"])["minutes_before"], 60);
    at("2027-03-04T16:00:00Z");
    told(&["created", "reminder", "rescheduled", "reminder", "reminder", "ended"]);
    at("2027-03-04T16:30:00Z");
    let all = ["created", "reminder", "rescheduled", "reminder", "reminder", "ended", "follow_up"];
    assert_eq!(told(&all)["minutes_after"], 30);
    desk.run(&format!("select crm.record_attendance({id}, false)"));
    let missed = told(&[&all[..], &["no_show"]].concat());
    assert_eq!(missed["attended"], false);
    assert_eq!(missed["blocked_until"], "2027-04-04T15:30:00+00:00");
    let error =
        desk.error("select crm.book_appointment(contact => 1, service => 1, starts_at => '2027-03-08T09:00:00Z')");
    assert!(error.contains("cannot book until"), "{error}");
    at("2027-04-05T08:00:00Z");
    desk.run("select crm.book_appointment(contact => 1, service => 1, starts_at => '2027-04-07T09:00:00Z')");
    told(&[&all[..], &["no_show", "created"]].concat());

    let requests = desk.requests("/n8n");
    assert!(requests.iter().all(|request| verified(&desk, &secret, request)));
    let ids: HashSet<_> = requests.iter().map(|request| request.id.clone()).collect();
    assert_eq!(ids.len(), requests.len());
}

#[test]
fn a_restart_loses_no_reminder_and_repeats_none() {
    let server = Server::preloaded(&[("frontdesk.fake_now", "2027-03-01T08:00:00Z"), ("timezone", "UTC")]);
    let database = Database::on(&server);
    database.run(OFFICE);
    database.run("select crm.book_appointment(contact => 1, service => 1, starts_at => '2027-03-03T09:00:00Z')");
    let reminders = || database.count("frontdesk.event where type = 'appointment.reminder'");
    server.set(&[("frontdesk.fake_now", "2027-03-02T10:00:00Z")]).unwrap();
    server.restart().unwrap();
    database.reconnect();
    wait_until("reminded of what was due meanwhile", || reminders() == 1);
    server.restart().unwrap();
    database.reconnect();
    database.engine();
    server.set(&[("frontdesk.fake_now", "2027-03-03T08:00:00Z")]).unwrap();
    server.reload().unwrap();
    wait_until("reminded an hour before", || reminders() == 2);
}

/// What became of many sessions that do these statements at the same moment: answers and errors.
fn race(database: &Database, statements: Vec<String>) -> Vec<Result<i64, postgres::Error>> {
    let start = Arc::new(Barrier::new(statements.len()));
    let racers: Vec<_> = statements
        .into_iter()
        .map(|statement| {
            let (mut session, start) = (database.session(), start.clone());
            thread::spawn(move || {
                start.wait();
                session.query_one(&statement, &[]).map(|row| row.get(0))
            })
        })
        .collect();
    racers.into_iter().map(|racer| racer.join().unwrap()).collect()
}

fn crowded() -> Database {
    let server = Server::preloaded(&[("max_connections", "250"), ("timezone", "UTC")]);
    let database = Database::on(&server);
    database.run(OFFICE);
    database.run(
        "insert into crm.business_hours (account_id, weekday, opens, closes)
           select id, d, '00:00', '24:00' from crm.accounts, generate_series(1, 7) d;
         create function slot(n int) returns timestamptz language sql return
           date_trunc('day', now() + interval '2 days') + n * interval '15 minutes';
         update crm.services set duration = '15 minutes'",
    );
    database
}

#[track_caller]
fn half_of_them(database: &Database, outcomes: Vec<Result<i64, postgres::Error>>) {
    let booked: HashSet<_> = outcomes.iter().flatten().collect();
    assert_eq!(booked.len(), 100);
    assert_eq!(database.count("crm.appointments where live"), 100);
    let errors: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()?.as_db_error()).collect();
    assert_eq!(errors.len(), 100);
    for error in errors {
        assert_eq!(*error.code(), SqlState::EXCLUSION_VIOLATION, "{error}");
        assert!(error.detail().unwrap_or_default().starts_with("The next free slots: "), "{:?}", error.detail());
    }
    assert_eq!(database.get::<i64>("select deadlocks from pg_stat_database where datname = current_database()"), 0);
    assert_eq!(database.count("frontdesk.event where type = 'appointment.created'"), 100);
}

#[test]
fn two_hundred_sessions_book_a_hundred_slots() {
    let database = crowded();
    let outcomes = race(
        &database,
        (0..200)
            .map(|n| {
                format!(
                    "select id from crm.book_appointment(contact => 1, service => 1, starts_at => slot({}))",
                    n % 100
                )
            })
            .collect(),
    );
    half_of_them(&database, outcomes);
}

#[test]
fn two_hundred_sessions_book_whoever_is_free() {
    let database = crowded();
    database.run("insert into crm.resources (account_id, name) select id, 'room ' || n from crm.accounts, generate_series(2, 10) n");
    let outcomes = race(
        &database,
        (0..200)
            .map(|n| {
                format!(
                    "select id from crm.book_appointment(contact => 1, service => 1, starts_at => slot({}))",
                    n % 10
                )
            })
            .collect(),
    );
    half_of_them(&database, outcomes);
}

#[test]
fn sessions_that_move_each_others_appointments_do_not_lock_each_other_out() {
    let database = crowded();
    database.run("insert into crm.resources (account_id, name) select id, 'room 2' from crm.accounts");
    database.run(
        "select crm.book_appointment(contact => 1, service => 1, resource => 1 + n % 2, starts_at => slot(n))
         from generate_series(1, 20) n",
    );
    database.run(
        "create procedure stir(seed int) language plpgsql as $$
         declare
           a bigint;
         begin
           perform setseed(seed / 100.0);
           for n in 1..40 loop
             a := 1 + floor(random() * 20);
             begin
               case n % 4
                 when 0 then perform crm.confirm_appointment(a);
                 when 1 then perform crm.postpone_appointment(a);
                 else perform crm.reschedule_appointment(a, slot((random() * 30)::int), resource => 1 + n % 2);
               end case;
             exception when exclusion_violation or object_not_in_prerequisite_state or invalid_parameter_value then
               null;
             end;
             commit;
           end loop;
         end $$",
    );
    let stirrers: Vec<_> = (1..=16)
        .map(|seed| {
            let mut session = database.session();
            thread::spawn(move || session.batch_execute(&format!("call stir({seed})")))
        })
        .collect();
    for stirrer in stirrers {
        stirrer.join().unwrap().unwrap();
    }
    let overlaps = database.count(
        "crm.appointments a join crm.appointments b on a.id < b.id and a.live and b.live
           and (a.resource_id, a.seat) = (b.resource_id, b.seat) and a.blocked && b.blocked",
    );
    assert_eq!(overlaps, 0);
    let last = "select count(*) from crm.appointments a where status <>
      (select h.new_status from crm.appointment_status_history h where h.appointment_id = a.id order by h.id desc limit 1)";
    assert_eq!(database.get::<i64>(last), 0);
}
