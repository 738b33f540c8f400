//! Power cuts under load.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use postgres::{Client, NoTls};
use tests::{Desk, Server, wait_for};

#[test]
fn kill_9_under_load_loses_nothing_and_repeats_what_was_in_flight_at_most() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    const IN_FLIGHT: u64 = 8;
    desk.endpoint("crm", "/delay/3", &format!("max_in_flight => {IN_FLIGHT}, events => '{{lead.*}}'"));
    desk.reconnect();
    const KILLS: u64 = 3;
    let (next, done) = (AtomicI64::new(1), AtomicBool::new(false));
    let place = server.conninfo(&desk.name);
    let mut kept_attempts: Vec<String> = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let Ok(mut session) = Client::connect(&place, NoTls) else {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    };
                    while !done.load(Ordering::SeqCst) {
                        let id = next.fetch_add(1, Ordering::SeqCst) as i32;
                        if session.execute("insert into lead values ($1, 'Ada')", &[&id]).is_err() {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            });
        }
        for round in 1..=KILLS {
            std::thread::sleep(Duration::from_millis(700 + 130 * round));
            server.kill9().unwrap();
            server.start().unwrap();
            desk.reconnect();
            kept_attempts.push(format!("{}", desk.count("frontdesk_internal.attempt where succeeded")));
        }
        std::thread::sleep(Duration::from_millis(300));
        done.store(true, Ordering::SeqCst);
    });
    let committed = desk.count("lead") as u64;
    assert!(committed > 300, "{committed} rows are no load");
    wait_for("every committed row was delivered", Duration::from_secs(30), || {
        desk.stats("/delay/3").accepted_ids >= committed
    });
    let stats = desk.stats("/delay/3");
    // Nothing was sent that the crash undid.
    assert_eq!(stats.accepted_ids, committed);
    desk.wait(&format!(
        "(select count(distinct event_id) = {committed} from frontdesk_internal.attempt where succeeded)"
    ));
    // What was in flight, and what had come back and was not written down yet (2 ms' worth).
    let outstanding = KILLS * IN_FLIGHT * 3;
    assert!(
        stats.repeats <= outstanding,
        "{} repeats after {KILLS} crashes, attempts kept at each: {kept_attempts:?}",
        stats.repeats
    );
    // None of an attempt that was on record.
    assert_eq!(
        desk.count("(select from frontdesk_internal.attempt where succeeded group by event_id having count(*) > 1) x"),
        0
    );
}

#[test]
fn retries_and_dead_letters_survive_a_crash() {
    let server = Server::preloaded(&[]);
    let desk = Desk::with_leads_on(&server);
    desk.receiver.toggle("shop", 500);
    desk.endpoint("shop", "/toggle/shop", r#"retry => '{"delays": ["1500ms"]}'"#);
    desk.endpoint("dead", "/status/500", r#"retry => '{"delays": []}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry) and (select count(*) = 1 from frontdesk_internal.dead_letter)");
    desk.receiver.toggle("shop", 200);
    server.kill9().unwrap();
    server.start().unwrap();
    desk.reconnect();
    tests::wait_until("the retry came", || desk.stats("/toggle/shop").accepted_ids == 1);
    assert_eq!(desk.count("frontdesk.dead_letters"), 1);
    assert_eq!(desk.stats("/status/500").requests, 1);
}

#[test]
fn asynchronous_commits_are_on_disk_before_they_are_sent() {
    let server = Server::preloaded(&[
        ("wal_writer_delay", "10s"),
        ("wal_writer_flush_after", "0"),
        ("synchronous_commit", "off"),
    ]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "events => '{lead.*}'");
    for n in 1..=20 {
        desk.run(&format!("insert into lead values ({n}, 'Ada')"));
    }
    tests::wait_until("all came", || desk.stats("/ok").accepted_ids == 20);
    server.kill9().unwrap();
    server.start().unwrap();
    desk.reconnect();
    assert_eq!(desk.count("lead"), 20, "what the receiver knows of is there");
}
