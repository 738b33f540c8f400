//! Several databases in a cluster, and commands that want one for themselves.

use tests::{Database, Desk, LEADS, Server, wait_until};

#[test]
fn every_database_has_its_own_engine() {
    let server = Server::preloaded(&[]);
    let desks: Vec<Desk> = (0..4).map(|_| Desk::with_leads_on(&server)).collect();
    for (n, desk) in desks.iter().enumerate() {
        desk.endpoint("crm", "/ok", "");
        desk.run(&format!("insert into lead values ({n}, 'Ada')"));
    }
    for (n, desk) in desks.iter().enumerate() {
        assert_eq!(tests::body(&desk.await_request("/ok"))["data"]["id"], n);
    }
    let pids: std::collections::HashSet<i32> = desks.iter().map(|desk| desk.engine()).collect();
    assert_eq!(pids.len(), 4);
    // One that stops leaves the others alone.
    desks[0].run("select frontdesk.stop()");
    desks[1].run("insert into lead values (10, 'Bob')");
    desks[1].await_requests("/ok", 2);
}

#[test]
fn a_database_without_the_extension_has_no_engine() {
    let server = Server::preloaded(&[]);
    let plain = Database::empty_on(&server);
    let desk = Desk::on(&server);
    desk.engine();
    let of_plain: i64 = desk.get(&format!(
        "select count(*) from pg_stat_activity where datname = '{}' and backend_type like 'frontdesk%'",
        plain.name
    ));
    assert_eq!(of_plain, 0);
}

#[test]
fn a_database_can_be_dropped_while_its_engine_works() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.reconnect();
    desk.server.psql("postgres", &format!("drop database {}", desk.name)).unwrap();
    // Another of its name is another.
    desk.server.psql("postgres", &format!("create database {}", desk.name)).unwrap();
    desk.run("set client_min_messages = error; create extension pg_frontdesk cascade");
    desk.run(LEADS);
    desk.endpoint("crm", "/again", "");
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_request("/again");
}

#[test]
fn a_database_can_be_renamed_while_its_engine_works() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.reconnect();
    let renamed = format!("{}_renamed", desk.name);
    desk.server.psql("postgres", &format!("alter database {} rename to {renamed}", desk.name)).unwrap();
    let moved = Database::existing(&desk.server, &renamed);
    moved.run("insert into lead values (1, 'Ada')");
    wait_until("its event came", || desk.types("/ok") == ["lead.created"]);
    drop(moved);
    desk.server.psql("postgres", &format!("alter database {renamed} rename to {}", desk.name)).unwrap();
}

#[test]
fn a_database_can_be_a_template_while_its_engine_works() {
    let desk = Desk::with_leads();
    desk.endpoint("crm", "/ok", "");
    desk.fence("/ok");
    desk.reconnect();
    let copy = format!("{}_copy", desk.name);
    desk.server.psql("postgres", &format!("create database {copy} template {}", desk.name)).unwrap();
    desk.run("insert into lead values (1, 'Ada')");
    desk.await_requests("/ok", 2);
    desk.server.psql("postgres", &format!("drop database {copy}")).unwrap();
}
