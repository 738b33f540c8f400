//! pg_upgrade: the log comes along, nothing is sent before adopt(), and then all that was not sent yet.

use std::process::Command;
use std::time::Duration;

use testbed::account;
use testbed::cluster::StopMode;
use tests::{Database, Desk, Server, body, wait_until};

/// Runs it from the one cluster to the other, both of which are stopped by it, and starts the second.
fn upgrade(old: &Server, new: &Server) {
    old.stop(StopMode::Fast).unwrap();
    new.stop(StopMode::Fast).unwrap();
    let bin = &new.postgres.bin_dir;
    let mut command = Command::new(bin.join("pg_upgrade"));
    command.args(["-U", testbed::cluster::USER, "--no-sync"]);
    command.arg("-b").arg(bin).arg("-B").arg(bin).arg("-d").arg(old.data_dir()).arg("-D").arg(new.data_dir());
    command.arg("-s").arg(&new.dir).args(["-p", &old.port.to_string(), "-P", &new.port.to_string()]);
    let output = account::as_server(&mut command).unwrap().current_dir(&new.dir).output().unwrap();
    assert!(output.status.success(), "pg_upgrade: {}", String::from_utf8_lossy(&output.stdout));
    new.start().unwrap();
}

#[test]
fn pg_upgrade_brings_everything_and_nothing_is_sent_before_it_is_adopted() {
    let (old, new) = (Server::preloaded(&[]), Server::preloaded(&[]));
    let desk = Desk::with_leads_on(&old);
    let secret = desk.endpoint("crm", "/ok", r#"headers => '{"Authorization": "Bearer abcdefgh"}'"#);
    desk.endpoint("paused", "/paused", "");
    desk.endpoint("failing", "/status/500", "");
    desk.run(
        "create role upgraded login;
         create table visit (id int primary key, at timestamptz);
         select frontdesk.remind('visit', 'at', '-1 hour', 'visit.soon'),
           frontdesk.schedule('theirs', '* * * * * *', 'select 1', username => 'upgraded', active => false),
           frontdesk.schedule('daily', '@daily', 'select 1', username => 'upgraded');
         insert into lead select n, 'Ada' from generate_series(1, 30) n;
         insert into visit select n, now() + interval '1 day' from generate_series(1, 5) n",
    );
    wait_until("its events came", || desk.stats("/ok").accepted_ids == 30 && desk.stats("/paused").accepted_ids == 30);
    desk.run("select frontdesk.pause_endpoint('paused')");
    desk.run("insert into lead select n, 'Bob' from generate_series(31, 40) n");
    wait_until("ten more came", || desk.stats("/ok").accepted_ids == 40);
    desk.wait("(select count(*) >= 10 from frontdesk_internal.retry)");
    // And what nobody has sent: it was committed while the engine stood still.
    desk.run("select frontdesk.pause()");
    desk.run("insert into lead select n, 'Cleo' from generate_series(41, 45) n");
    let contents = "
        select count(*)::text from frontdesk.event union all select count(*)::text from frontdesk_internal.attempt
        union all select count(*)::text from frontdesk_internal.timer union all select count(*)::text from frontdesk_internal.retry
        union all select string_agg(format('%s %s %s', j.name, j.owner, j.active), ',' order by j.name) from frontdesk_internal.job j
        union all select string_agg(format('%s %s', w.source, w.problem), ',') from frontdesk.watch w
        union all select count(*)::text from lead union all select id::text from frontdesk_internal.installation";
    let before: Vec<Option<String>> = desk.list(contents);
    desk.reconnect();

    upgrade(&old, &new);
    let copy = Database::existing(&new, &desk.name);
    assert_eq!(copy.list::<Option<String>>(contents), before);
    let sent = desk.receiver.stats().total.requests;
    copy.run("insert into lead values (46, 'after'); select frontdesk.wake()");
    wait_until("it says that it is a copy", || copy.state() == "silent");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(desk.receiver.stats().total.requests, sent, "nothing is sent");

    copy.run("select frontdesk.adopt(new_identity => false)");
    wait_until("what was outstanding came", || desk.stats("/ok").accepted_ids == 46);
    copy.run("select frontdesk.resume_endpoint('paused')");
    wait_until("and what the paused endpoint missed", || desk.stats("/paused").accepted_ids == 46);
    assert_eq!((desk.stats("/ok").repeats, desk.stats("/paused").repeats), (0, 0));
    assert_eq!(copy.count("frontdesk_internal.timer where outcome is null"), 5);
    let last = desk.requests("/ok").into_iter().rfind(|request| body(request)["data"]["name"] == "after").unwrap();
    assert_eq!(last.headers["authorization"], "Bearer abcdefgh");
    let headers = serde_json::to_string(&last.headers).unwrap();
    assert!(copy.get::<bool>(&format!(
        "select frontdesk.verify_webhook('{secret}', $h${headers}$h$, convert_to($b${}$b$, 'UTF8'))",
        last.body
    )));
    assert_eq!(copy.count("frontdesk_internal.job where owner = 'upgraded'::regrole"), 2);
}
