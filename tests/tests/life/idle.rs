//! An engine with nothing to do.

use std::time::{Duration, Instant};

use tests::{Desk, Server, wait_until};

/// Transactions of the database, and the server's log.
fn footprint(desk: &Desk) -> (i64, usize) {
    let watcher = desk.server.psql(
        "postgres",
        &format!("select xact_commit + xact_rollback from pg_stat_database where datname = '{}'", desk.name),
    );
    (watcher.unwrap().parse().unwrap(), desk.server.log().len())
}

/// Jiffies of processor time that a process has used.
fn jiffies(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
}

#[test]
fn it_runs_no_transaction_uses_no_processor_and_writes_no_log() {
    let server = Server::preloaded(&[("autovacuum", "off"), ("checkpoint_timeout", "1h")]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    desk.endpoint("paused", "/paused", "active => false");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/ok");
    let engine = desk.engine();
    desk.reconnect();
    // Its place in the log is written down at most a second later; statistics are reported by then too.
    let mut before = footprint(&desk);
    wait_until("it has come to rest", || {
        std::thread::sleep(Duration::from_millis(1500));
        let now = footprint(&desk);
        std::mem::replace(&mut before, now) == now
    });
    let used = jiffies(engine);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(footprint(&desk), before);
    if let (Some(before), Some(after)) = (used, jiffies(engine)) {
        assert!(after - before <= 1, "{} jiffies in 3 s of idleness", after - before);
    }
    // And it is awake at once.
    desk.run("insert into lead values (2, 'Bob')");
    desk.await_requests("/ok", 2);
}

#[test]
fn it_takes_transaction_ids_only_to_write() {
    let server = Server::preloaded(&[("autovacuum", "off")]);
    let desk = Desk::with_leads_on(&server);
    desk.endpoint("crm", "/ok", "");
    let next = || desk.get::<i64>("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint");
    desk.run("insert into lead values (0, 'Ada')");
    desk.await_request("/ok");
    let (began, before) = (Instant::now(), next());
    for n in 1..=40 {
        desk.run(&format!("insert into lead values ({n}, 'Ada')"));
        wait_until("it came", || desk.stats("/ok").accepted_ids > n);
    }
    desk.wait("(select count(*) = 41 from frontdesk.attempts)");
    // The insert and the attempt; besides, the place in the log is written down every second.
    let most = 40 * 2 + began.elapsed().as_secs() as i64 + 5;
    let taken = next() - before;
    assert!((80..=most).contains(&taken), "{taken} transaction ids for 40 rows, at most {most} expected");
}
