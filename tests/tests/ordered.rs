//! Endpoints that get the events of a row one at a time, in the order of the row's changes.

use std::collections::HashMap;

use receiver::Arrival;
use tests::{Desk, body, wait_for, wait_until};

/// Panics unless every row's versions were accepted in order, each once, up to `last`; and nothing later was sent before.
fn assert_in_order(arrivals: &[Arrival], last: &HashMap<i64, i64>) {
    let mut next: HashMap<i64, i64> = HashMap::new();
    for arrival in arrivals {
        let data = arrival.data.as_ref().unwrap();
        let (row, version) = (data["id"].as_i64().unwrap(), data["version"].as_i64().unwrap());
        let expected = next.entry(row).or_insert(0);
        assert_eq!(version, *expected, "row {row}: version {version} was sent when {expected} was due");
        if arrival.status == 200 {
            *expected += 1;
        }
    }
    for (row, last) in last {
        assert_eq!(next[row], last + 1, "row {row} is not complete");
    }
}

/// `writers` sessions that update `rows` rows `times` times each, all at once.
fn write(desk: &Desk, writers: usize, rows: i64, times: usize) {
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let mut session = desk.session();
            scope.spawn(move || {
                for turn in 0..times {
                    let row = (writer * 7 + turn * 3) as i64 % rows + 1;
                    session.execute("update doc set version = version + 1 where id = $1", &[&row]).unwrap();
                }
            });
        }
    });
}

fn desk_with_docs(rows: i64) -> Desk {
    let desk = Desk::open();
    desk.run("create table doc (id bigint primary key, version bigint); select frontdesk.watch('doc')");
    desk.run(&format!("insert into doc select n, -1 from generate_series(1, {rows}) n"));
    desk
}

fn versions(desk: &Desk) -> HashMap<i64, i64> {
    desk.rows("select id, version from doc").iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn under_concurrent_writers_every_row_keeps_its_order() {
    let desk = desk_with_docs(3);
    desk.endpoint("ordered", "/ok", "ordered => true");
    write(&desk, 8, 3, 100);
    wait_until("all came", || desk.stats("/ok").accepted_ids == 800);
    assert_in_order(&desk.arrivals("/ok"), &versions(&desk));
    assert_eq!(desk.stats("/ok").repeats, 0);
}

#[test]
fn failures_in_between_change_nothing_about_the_order() {
    let desk = desk_with_docs(4);
    // Every delivery fails once.
    desk.endpoint(
        "ordered",
        "/fail-first-each/1",
        r#"ordered => true, retry => '{"delays": ["1ms", "1ms", "1ms", "1ms"]}'"#,
    );
    // No ten failures in a row: what succeeds resets the count.
    write(&desk, 8, 4, 15);
    wait_for("all came", std::time::Duration::from_secs(30), || desk.stats("/fail-first-each/1").accepted_ids == 120);
    assert_in_order(&desk.arrivals("/fail-first-each/1"), &versions(&desk));
    desk.wait("(select count(*) = 0 from frontdesk_internal.retry)");
}

#[test]
fn a_key_that_is_stuck_holds_up_its_own_events_only() {
    let desk = desk_with_docs(2);
    desk.receiver.toggle("stuck", 500);
    // A template would do as well; here the two keys differ by endpoint behaviour: the first one's version is refused.
    desk.endpoint("ordered", "/toggle/stuck", r#"ordered => true, retry => '{"delays": ["1s", "1s", "1s"]}'"#);
    desk.run("update doc set version = 0 where id = 1");
    desk.wait("(select count(*) = 1 from frontdesk_internal.retry)");
    desk.receiver.toggle("stuck", 200);
    desk.run("update doc set version = 1 where id = 1");
    for version in 0..3 {
        desk.run(&format!("update doc set version = {version} where id = 2"));
    }
    wait_until("the other key's came", || desk.stats("/toggle/stuck").accepted_ids >= 3);
    let first: Vec<i64> = desk
        .arrivals("/toggle/stuck")
        .iter()
        .map(|arrival| arrival.data.as_ref().unwrap()["id"].as_i64().unwrap())
        .collect();
    assert_eq!(first, [1, 2, 2, 2], "key 2 did not wait for key 1");
    let waiting: i64 = desk.get("select waiting from frontdesk.status()");
    assert_eq!(waiting, 1);
    wait_until("all came", || desk.stats("/toggle/stuck").accepted_ids == 5);
    assert_in_order(&desk.arrivals("/toggle/stuck"), &versions(&desk));
}

#[test]
fn a_dead_letter_lets_the_next_of_its_key_go() {
    let desk = desk_with_docs(1);
    desk.receiver.toggle("stuck", 500);
    desk.endpoint("ordered", "/toggle/stuck", r#"ordered => true, retry => '{"delays": ["600ms"]}'"#);
    desk.run("update doc set version = 0");
    desk.run("update doc set version = 1");
    desk.run("update doc set version = 2");
    desk.wait("(select count(*) = 1 from frontdesk.dead_letters)");
    desk.receiver.toggle("stuck", 200);
    wait_until("version 2 came", || {
        desk.arrivals("/toggle/stuck")
            .iter()
            .any(|arrival| arrival.status == 200 && arrival.data.as_ref().unwrap()["version"] == 2)
    });
    desk.wait("(select count(*) = 0 from frontdesk_internal.retry)");
}

#[test]
fn events_without_a_key_are_not_held_up() {
    let desk = Desk::open();
    desk.endpoint("ordered", "/ok", "ordered => true");
    for n in 0..20 {
        desk.run(&format!("select frontdesk.emit('note.made', '{{\"n\": {n}}}')"));
    }
    wait_until("all came", || desk.stats("/ok").accepted_ids == 20);
}

#[test]
fn emitted_events_of_one_key_come_in_order() {
    let desk = Desk::open();
    desk.endpoint("ordered", "/delay/20", "ordered => true");
    desk.run(
        "select frontdesk.emit('note.made', jsonb_build_object('n', n), key => 'a') from generate_series(1, 30) n",
    );
    wait_until("all came", || desk.stats("/delay/20").accepted_ids == 30);
    let came: Vec<i64> =
        desk.requests("/delay/20").iter().map(|request| body(request)["data"]["n"].as_i64().unwrap()).collect();
    assert_eq!(came, (1..=30).collect::<Vec<i64>>());
}

#[test]
fn order_survives_a_restart_of_the_engine() {
    let desk = desk_with_docs(3);
    desk.endpoint("ordered", "/delay/5", "ordered => true");
    std::thread::scope(|scope| {
        scope.spawn({
            let desk = desk.session();
            move || {
                let mut session = desk;
                for _ in 0..3 {
                    std::thread::sleep(std::time::Duration::from_millis(250));
                    session
                        .execute(
                            "select pg_terminate_backend(pid) from frontdesk_internal.engine_slot() where pid is not null",
                            &[],
                        )
                        .unwrap();
                }
            }
        });
        write(&desk, 4, 3, 60);
    });
    let last = versions(&desk);
    let total: i64 = last.values().map(|last| last + 1).sum();
    wait_for("all came", std::time::Duration::from_secs(30), || desk.stats("/delay/5").accepted_ids as i64 == total);
    // What was in flight when the engine ended may have come twice; leaving out repeats, the order holds.
    let mut seen = std::collections::HashSet::new();
    let firsts: Vec<Arrival> =
        desk.arrivals("/delay/5").into_iter().filter(|arrival| seen.insert(arrival.id.clone())).collect();
    assert_in_order(&firsts, &last);
    let repeats = desk.stats("/delay/5").repeats;
    assert!(repeats <= 3 * 3, "{repeats} repeats, more than were in flight at three ends");
}

#[test]
fn an_endpoint_can_become_ordered_while_events_wait() {
    let desk = desk_with_docs(2);
    desk.endpoint("shop", "/ok", "active => false");
    write(&desk, 4, 2, 50);
    desk.run("select frontdesk.alter_endpoint('shop', ordered => true, active => true)");
    wait_until("all came", || desk.stats("/ok").accepted_ids == 200);
    assert_in_order(&desk.arrivals("/ok"), &versions(&desk));
}
