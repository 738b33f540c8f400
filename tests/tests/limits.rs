//! How much an endpoint gets at a time, and that none is held up by another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use tests::{Desk, wait_for, wait_until};

#[test]
fn rate_per_second_holds() {
    let desk = Desk::with_leads();
    desk.endpoint("slow", "/slow", "events => '{lead.*}', rate_per_second => 20");
    desk.endpoint("other", "/other", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 80) n");
    wait_until("all came", || desk.stats("/slow").accepted_ids == 80);
    let mut at: Vec<u64> = desk
        .receiver
        .last(100)
        .iter()
        .filter(|request| request.path == "/slow")
        .map(|request| request.at_unix_us)
        .collect();
    at.sort_unstable();
    // No second has more than the bucket holds and what flows into it meanwhile.
    for (n, start) in at.iter().enumerate() {
        let within = at[n..].iter().take_while(|moment| **moment < start + 1_000_000).count();
        assert!(within <= 42, "{within} requests within a second");
    }
    let seconds = (at[at.len() - 1] - at[0]) as f64 / 1e6;
    assert!((1.8..8.0).contains(&seconds), "{} requests took {seconds} s", at.len());
    assert_eq!(desk.stats("/other").accepted_ids, 80);
}

#[test]
fn a_rate_below_one_a_second_holds() {
    let desk = Desk::with_leads();
    desk.endpoint("slow", "/slow", "rate_per_second => 0.5");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 3) n");
    desk.await_requests("/slow", 3);
    let came = desk.requests("/slow");
    let seconds = (came[2].at_unix_us - came[0].at_unix_us) as f64 / 1e6;
    assert!((1.9..6.0).contains(&seconds), "{seconds}");
}

/// A receiver that answers after a while and remembers how many requests it had at a time. One request per connection.
fn counting_receiver(pause: Duration) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (present, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let report = most.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), present, most) = (stream, present.clone(), most.clone()) else { continue };
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                if !matches!(stream.read(&mut buffer), Ok(1..)) {
                    return;
                }
                most.fetch_max(present.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(pause);
                present.fetch_sub(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            });
        }
    });
    (port, report)
}

#[test]
fn max_in_flight_holds_and_is_used() {
    let desk = Desk::with_leads();
    let (port, most) = counting_receiver(Duration::from_millis(50));
    desk.run(&format!("select frontdesk.add_endpoint('shop', 'http://127.0.0.1:{port}/', max_in_flight => 7)"));
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 100) n");
    desk.wait("(select count(*) = 100 from frontdesk.delivery where state = 'delivered')");
    assert_eq!(most.load(Ordering::SeqCst), 7);
}

#[test]
fn an_endpoint_that_hangs_delays_nobody() {
    let desk = Desk::with_leads();
    desk.endpoint("hangs", "/hang", "events => '{lead.*}', max_in_flight => 8, timeout_ms => 60000");
    desk.endpoint("quick", "/quick", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 6000) n");
    wait_until("the quick one has all", || desk.stats("/quick").accepted_ids == 6000);
    let started = Instant::now();
    for n in 0..50 {
        desk.run(&format!("insert into lead values ({}, 'Bob')", 7000 + n));
    }
    wait_until("and what came after", || desk.stats("/quick").accepted_ids == 6050);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(desk.stats("/hang").requests, 8);
    assert_eq!(desk.count("frontdesk_internal.retry"), 0, "what waits stays in the log");
    desk.wait("(select behind from frontdesk.endpoints where name = 'hangs')");
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_tried_again() {
    let desk = Desk::with_leads();
    desk.endpoint("slow", "/delay/3000", r#"timeout_ms => 300, retry => '{"delays": ["100ms"]}'"#);
    desk.run("insert into lead values (1, 'Ada')");
    desk.wait(
        "(select count(*) = 2 from frontdesk.attempts where error = 'timeout' and duration_ms between 250 and 2500)",
    );
}

#[test]
fn many_endpoints_all_get_everything() {
    let desk = Desk::with_leads();
    desk.run(&format!(
        "select count(frontdesk.add_endpoint('e' || n, '{}' || n)) from generate_series(1, 200) n",
        desk.receiver.url("/many/")
    ));
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 20) n");
    wait_for("4000 came", Duration::from_secs(20), || desk.receiver.stats().total.accepted_ids == 4000);
    let stats = desk.receiver.stats();
    assert_eq!(stats.paths.len(), 200);
    assert!(stats.paths.values().all(|path| path.ids == 20 && path.repeats == 0));
}

#[test]
fn one_endpoint_that_is_behind_catches_up_while_the_others_go_on() {
    let desk = Desk::with_leads();
    desk.endpoint("slow", "/delay/2", "events => '{lead.*}', max_in_flight => 2");
    desk.endpoint("quick", "/quick", "");
    for batch in 0..5 {
        desk.run(&format!(
            "insert into lead select n, 'Ada' from generate_series({} , {}) n",
            batch * 1000 + 1,
            (batch + 1) * 1000
        ));
    }
    wait_until("the quick one has all", || desk.stats("/quick").accepted_ids == 5000);
    wait_for("the slow one too", Duration::from_secs(30), || desk.stats("/delay/2").accepted_ids == 5000);
    assert_eq!(desk.stats("/delay/2").repeats, 0);
    desk.wait("(select endpoints_behind = 0 from frontdesk.status())");
}

/// How many deliveries are in flight, those whose outcome is not written yet among them.
fn in_flight(desk: &Desk) -> i64 {
    desk.get("select in_flight from frontdesk.status()")
}

#[test]
fn what_a_receiver_that_stops_answering_has_ahead_is_called_back() {
    let desk = Desk::with_leads();
    desk.endpoint("shop", "/toggle/shop", "timeout_ms => 4000, retry => '{\"delays\": [\"1s\", \"1s\", \"1s\"]}'");
    let stats = || desk.stats("/toggle/shop");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 20000) n");
    wait_until("some came", || stats().accepted_ids > 2000);
    desk.receiver.toggle("shop", 0);
    wait_until("only what may be in flight is", || in_flight(&desk) == 64);
    let waits = "(select count(*) from frontdesk.delivery where reason like 'called back%')";
    assert!(desk.get::<i64>(waits) > 0, "{}", desk.state());
    assert_eq!(desk.count("frontdesk.attempts where not succeeded"), 0);
    desk.receiver.toggle("shop", 200);
    wait_for("all came", Duration::from_secs(60), || stats().accepted_ids == 20_000);
    assert_eq!(stats().requests, 20_000 + 64, "what hung was sent again, nothing else");
}

#[test]
fn a_backlog_can_be_halted_and_resumed_at_any_moment() {
    let desk = Desk::with_leads();
    let (pause, resume) = ("select frontdesk.pause_endpoint('shop')", "select frontdesk.resume_endpoint('shop')");
    let restart = "select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()";
    let halts = [
        (pause, resume),
        ("select frontdesk.pause()", "select frontdesk.resume()"),
        ("select frontdesk.alter_endpoint('shop', ordered => true)", "select 1"),
        (pause, resume),
        ("select frontdesk.alter_endpoint('shop', ordered => false)", "select 1"),
        (restart, "select 1"),
    ];
    desk.endpoint("shop", "/shop", "");
    let mut total = 0;
    for (halt, resume) in halts {
        let before = desk.stats("/shop").accepted_ids;
        desk.run(&format!("insert into lead select n, 'Ada' from generate_series({total} + 1, {total} + 8000) n"));
        total += 8000;
        wait_until("some came", || desk.stats("/shop").accepted_ids > before + 1000);
        desk.run(halt);
        if resume != "select 1" {
            wait_until("it has halted", || in_flight(&desk) == 0);
            let halted = desk.stats("/shop").requests;
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(desk.stats("/shop").requests, halted);
            assert!(halted < total, "there was nothing left to halt");
        }
        desk.run(resume);
        wait_until("all came", || desk.stats("/shop").accepted_ids >= total);
        assert_eq!(desk.stats("/shop").repeats, 0, "after {halt}");
    }
}

#[test]
fn what_a_removed_endpoint_has_in_flight_holds_up_nothing() {
    let desk = Desk::with_leads();
    desk.endpoint("hanging", "/hang", "timeout_ms => 60000");
    desk.endpoint("shop", "/shop", "");
    desk.run("insert into lead select n, 'Ada' from generate_series(1, 500) n");
    wait_until("it hangs", || desk.stats("/hang").requests == 64);
    let settled = "(select bool_and(pg_visible_in_snapshot(e.xid, c.last_snapshot))
        from frontdesk.event e, frontdesk_internal.cursor c where c.endpoint_id = 0)";
    assert!(!desk.get::<bool>(&format!("select {settled}")));
    desk.run("select frontdesk.remove_endpoint('hanging')");
    desk.run("insert into lead values (501, 'Eve')");
    wait_until("the other has all", || desk.stats("/shop").accepted_ids == 501);
    desk.wait(settled);
}
