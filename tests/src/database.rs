//! A database with the extension in it, and a session in it.

use std::cell::{RefCell, RefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::types::FromSqlOwned;
use postgres::{Client, NoTls, Row};

use testbed::{amcheck, faults};

use crate::server::Server;
use crate::wait::wait_until;

/// Dropped with its last user.
pub struct Database {
    pub server: Arc<Server>,
    pub name: String,
    session: RefCell<Option<Client>>,
    ours: bool,
}

impl Database {
    /// A new database with the extension, on the shared server.
    pub fn create() -> Database {
        Database::on(&Server::shared())
    }

    /// A new database with the extension. On the server that has many of them it is copied, where it would be created
    /// a hundred times.
    pub fn on(server: &Arc<Server>) -> Database {
        let (database, prepare) = match server.is_shared() {
            true => {
                let name = new_name();
                server.create_silent_copy(&name).expect("a copy of the template");
                (Database::new(server, &name), "select frontdesk.adopt()")
            }
            false => (Database::empty_on(server), "create extension pg_frontdesk cascade"),
        };
        database.run(&format!("set client_min_messages = error; {prepare}"));
        database
    }

    /// A new database without the extension.
    pub fn empty_on(server: &Arc<Server>) -> Database {
        let name = new_name();
        server.psql("postgres", &format!("create database {name}")).expect("create database");
        Database::new(server, &name)
    }

    /// One that goes with this value.
    fn new(server: &Arc<Server>, name: &str) -> Database {
        let mut database = Database::existing(server, name);
        database.ours = true;
        database
    }

    /// A database that is there.
    pub fn existing(server: &Arc<Server>, name: &str) -> Database {
        Database { server: server.clone(), name: name.into(), session: RefCell::new(None), ours: false }
    }

    /// Another session.
    pub fn session(&self) -> Client {
        Client::connect(&self.server.conninfo(&self.name), NoTls).expect("a session")
    }

    /// The next statement gets a new session: after a restart of the server.
    pub fn reconnect(&self) {
        drop(self.session.take());
    }

    fn here(&self) -> RefMut<'_, Client> {
        RefMut::map(self.session.borrow_mut(), |session| session.get_or_insert_with(|| self.session()))
    }

    /// Runs statements, together in one transaction unless they say otherwise.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        self.here().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}\n{}", said(&error)))
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn get<T: FromSqlOwned>(&self, sql: &str) -> T {
        self.here().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}\n{}", said(&error))).get(0)
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        self.here().query(sql, &[]).unwrap_or_else(|error| panic!("{sql}\n{}", said(&error)))
    }

    /// The first column of all rows.
    #[track_caller]
    pub fn list<T: FromSqlOwned>(&self, sql: &str) -> Vec<T> {
        self.rows(sql).iter().map(|row| row.get(0)).collect()
    }

    #[track_caller]
    pub fn count(&self, from: &str) -> i64 {
        self.get(&format!("select count(*) from {from}"))
    }

    /// The message of the error that the statement must end with.
    #[track_caller]
    pub fn error(&self, sql: &str) -> String {
        match self.here().batch_execute(sql) {
            Ok(()) => panic!("this was to fail:\n{sql}"),
            Err(error) => said(&error),
        }
    }

    /// Waits until a boolean expression holds.
    #[track_caller]
    pub fn wait(&self, condition: &str) {
        wait_until(condition, || self.get(&format!("select coalesce({condition}, false)")));
    }

    /// `state` of frontdesk.status().
    #[track_caller]
    pub fn state(&self) -> String {
        self.get("select state from frontdesk.status()")
    }

    /// The engine's process.
    #[track_caller]
    pub fn engine(&self) -> i32 {
        let mut pid = None;
        // Read once: between two readings it may have ended.
        wait_until("there is an engine", || {
            pid = self.get::<Option<i32>>("select pid from frontdesk_internal.engine_slot()");
            pid.is_some()
        });
        pid.unwrap_or_default()
    }

    /// The engine's clock shows `moment` (RFC 3339, in UTC) from now on: it starts anew with it.
    pub fn fake_now(&self, moment: &str) {
        self.run(&format!("alter database {} set frontdesk.fake_now = '{moment}'", self.name));
        self.reconnect();
        let before = self.engine();
        self.run("select pg_terminate_backend(pid) from frontdesk_internal.engine_slot()");
        self.wait(&format!("(select pid <> {before} from frontdesk_internal.engine_slot())"));
        // It makes the partitions of the coming week first, whose locks are in the way of readers.
        self.wait(&format!(
            "to_regclass('frontdesk_internal.attempt_failure_' || to_char('{moment}'::timestamptz at time zone 'UTC' + interval '7 days', 'YYYYMMDD')) is not null"
        ));
    }

    /// What there is to see when a test fails.
    fn report(&self) -> String {
        let queries = [
            "select * from frontdesk.status()",
            "select name, url, state, state_reason, failures, open_until, behind from frontdesk.endpoints",
            "select event_id, endpoint, attempt, status, error, detail from frontdesk.attempts order by id desc limit 15",
            "select id, xid, op, type, key, created_at from frontdesk.event order by id desc limit 15",
            "select * from frontdesk_internal.retry limit 15",
            "select * from frontdesk_internal.cursor",
        ];
        let show = |sql: &&str| {
            self.server.psql(&self.name, &format!("\\x on\n{sql}")).unwrap_or_else(|error| error.to_string())
        };
        let log = self.server.log();
        let complaints = log.lines().filter(|line| line.contains("pg_frontdesk:") && !line.contains("LOG:"));
        let last: Vec<&str> = complaints.rev().take(5).collect();
        queries.iter().map(|sql| format!("-- {sql}\n{}\n", show(sql))).collect::<String>() + &last.join("\n")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
        drop(self.session.take());
        if self.ours && self.server.is_running() {
            let wrong = amcheck::findings(&self.server, &self.name);
            let _ = self.server.psql("postgres", &format!("drop database if exists {} with (force)", self.name));
            let mut wrong = wrong.unwrap_or_else(|error| {
                eprintln!("{} was not looked at by amcheck: {error:#}", self.name);
                Vec::new()
            });
            wrong.extend(faults::crashes(&self.server.log()));
            assert!(wrong.is_empty() || std::thread::panicking(), "{}", wrong.join("\n"));
        }
    }
}

fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Message, detail and hint.
pub fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} {} {}", db.message(), db.detail().unwrap_or_default(), db.hint().unwrap_or_default()),
        None => error.to_string(),
    }
}
