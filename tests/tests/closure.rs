//! Every kind of role calls every function of ours with arguments of the right types and of no sense, and with other
//! people's names and numbers; and tries every command on every relation. Nothing crashes, fails inside, gives a right,
//! shows what is another's, or leaves the caller somebody else. `cargo xtask test hostile closure` runs it;
//! `PG_FRONTDESK_HOSTILE_SECONDS` says for how long functions are called (0: to the end).

mod garbage;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, SimpleQueryMessage};
use tests::{Database, Server, said};

const SCENERY: &str = include_str!("../../crates/xtask/sql/hostile_scenery.sql");

const ROLES: [&str; 4] = ["hostile_nobody", "hostile_tenant", "hostile_app", "postgres"];

/// So often is each function called by each role, if there is the time.
const ROUNDS: usize = 4;

fn is_over(started: Instant) -> bool {
    let seconds = std::env::var("PG_FRONTDESK_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    seconds > 0 && started.elapsed() > Duration::from_secs(seconds)
}

const OURS: &str = "('frontdesk', 'frontdesk_internal', 'crm', 'crm_internal')";

/// What nobody but the role named `hostile_other` (or a superuser) may ever see.
const SECRETS: [&str; 3] = ["others-secret", "others-command", "a secret of the house"];

const SETTINGS: [(&str, &str); 2] = [("frontdesk.allow_networks", ""), ("log_error_verbosity", "verbose")];

fn database() -> Database {
    let server = Server::preloaded(&SETTINGS);
    let database = Database::empty_on(&server);
    server.psql(&database.name, SCENERY).expect("the scenery");
    database
}

fn session(database: &Database, role: &str) -> Client {
    let conninfo = database.server.conninfo(&database.name).replace("user=postgres", &format!("user={role}"));
    let mut session = Client::connect(&conninfo, NoTls).expect("a session");
    session.batch_execute("set statement_timeout = '2s'; set lock_timeout = '500ms'").expect("its timeouts");
    session
}

#[test]
#[ignore = "takes minutes: cargo xtask test hostile closure"]
fn no_call_of_a_function_crashes_fails_inside_or_shows_what_is_another_s() {
    let database = database();
    let functions = database.rows(&format!(
        "select p.oid::regprocedure::text, p.pronamespace::regnamespace || '.' || quote_ident(p.proname),
             array(select format_type(t, null) from unnest(p.proargtypes) with ordinality u (t, i) order by i)
         from pg_proc p where p.pronamespace::regnamespace::text in {OURS} and p.prokind <> 'a'
         -- The same order each time, with every room early in it.
         order by md5(p.oid::regprocedure::text)"
    ));
    assert!(functions.len() > 200, "{} functions", functions.len());
    let mut sessions: Vec<Caller> = ROLES.iter().map(|role| Caller::new(&database, role)).collect();
    let (mut findings, mut calls, started) = (BTreeSet::new(), 0, Instant::now());
    // Every function once by every role, then all once more with other arguments.
    'time: for round in 0..ROUNDS {
        for function in &functions {
            let (name, call, types): (String, String, Vec<String>) =
                (function.get(0), function.get(1), function.get(2));
            let arguments: Vec<String> =
                types.iter().enumerate().map(|(i, kind)| garbage::value(kind, round * 7 + i * 3)).collect();
            let statement = format!("select * from {call}({})", arguments.join(", "));
            for caller in &mut sessions {
                if is_over(started) {
                    break 'time;
                }
                calls += 1;
                findings.extend(tried(&mut caller.session, caller.role, &name, &statement, &caller.state));
                if caller.session.is_closed() {
                    findings.insert(format!("{}: the session ended in {statement}", caller.role));
                    caller.session = reconnected(&database, caller.role);
                }
            }
        }
    }
    println!("{calls} of {} calls", functions.len() * ROLES.len() * ROUNDS);
    report(findings);
}

/// A session of a role, and what it says of itself before anything was called.
struct Caller {
    role: &'static str,
    session: Client,
    state: String,
}

impl Caller {
    fn new(database: &Database, role: &'static str) -> Self {
        let mut session = session(database, role);
        Self { role, state: state(&mut session), session }
    }
}

/// What is wrong with the outcome of one statement, in a transaction that is rolled back.
fn tried(session: &mut Client, role: &str, name: &str, statement: &str, state: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let _ = session.batch_execute("begin");
    let text = match session.simple_query(statement) {
        Ok(messages) => shown(&messages),
        Err(error) => {
            let code = error.code().map(|code| code.code().to_string()).unwrap_or_default();
            if code == "XX000" || code.starts_with("58") {
                findings.push(format!("{role}: {name}: {code}: {} in {statement}", said(&error)));
            }
            said(&error)
        }
    };
    if let Some(secret) = SECRETS.iter().find(|secret| role != "postgres" && text.contains(*secret)) {
        findings.push(format!("{role}: {name} shows \"{secret}\" by {statement}"));
    }
    let _ = session.batch_execute("rollback");
    if !session.is_closed() {
        let now = self::state(session);
        if now != state {
            findings.push(format!("{role}: {name} leaves the session with {now}, not {state}, after {statement}"));
            let _ = session.batch_execute(
                "reset session authorization; reset role; reset search_path; reset default_transaction_read_only",
            );
        }
    }
    findings
}

fn state(session: &mut Client) -> String {
    let sql = "select current_user, session_user, current_setting('is_superuser'), current_setting('search_path'),
        current_setting('role'), current_setting('default_transaction_read_only')";
    session.simple_query(sql).map(|messages| shown(&messages)).unwrap_or_default()
}

fn shown(messages: &[SimpleQueryMessage]) -> String {
    let mut text = String::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            for column in 0..row.len() {
                text.push_str(row.get(column).unwrap_or("~"));
                text.push('|');
            }
        }
    }
    text
}

/// A server that crashed comes back by itself.
fn reconnected(database: &Database, role: &str) -> Client {
    tests::wait_for("the server is back", Duration::from_secs(60), || {
        database.server.psql("postgres", "select 1").is_ok()
    });
    session(database, role)
}

const LOCKS: [&str; 8] = [
    "access share",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share",
    "share row exclusive",
    "exclusive",
    "access exclusive",
];

#[test]
#[ignore = "takes minutes: cargo xtask test hostile closure"]
fn no_role_but_the_owner_has_more_than_a_look_at_a_relation_of_the_engine() {
    let database = database();
    let relations = database.rows(
        "select c.oid::regclass::text, c.relkind = 'S',
             (select quote_ident(attname) from pg_attribute a where a.attrelid = c.oid and attnum > 0 and not attisdropped limit 1)
         from pg_class c where c.relnamespace::regnamespace::text in ('frontdesk', 'frontdesk_internal')
           and c.relkind in ('r', 'p', 'v', 'm', 'S') order by 1",
    );
    let mut findings = BTreeSet::new();
    for role in ["hostile_nobody", "hostile_tenant", "hostile_app"] {
        let mut session = session(&database, role);
        let state = state(&mut session);
        for relation in &relations {
            let (name, is_sequence, column): (String, bool, Option<String>) =
                (relation.get(0), relation.get(1), relation.get(2));
            let column = column.unwrap_or_else(|| "x".into());
            findings.extend(tried(&mut session, role, &name, &format!("select t::text from {name} t"), &state));
            for command in commands(&name, &column, is_sequence) {
                let _ = session.batch_execute("begin");
                if session.batch_execute(&command).is_ok() {
                    findings.insert(format!("{role} may: {command}"));
                }
                let _ = session.batch_execute("rollback");
            }
        }
    }
    report(findings);
}

fn commands(name: &str, column: &str, is_sequence: bool) -> Vec<String> {
    if is_sequence {
        return vec![format!("select nextval('{name}')"), format!("select setval('{name}', 1)")];
    }
    let mut commands = vec![
        format!("insert into {name} default values"),
        format!("insert into {name} select * from {name}"),
        format!("update {name} set {column} = {column}"),
        format!("delete from {name}"),
        format!("truncate {name}"),
        format!("select from {name} for update"),
        format!("select from {name} for key share"),
        format!("copy {name} from program 'true'"),
        format!("alter table {name} add column planted int"),
        format!("create index on {name} ({column})"),
        format!("create trigger t before insert on {name} execute function suppress_redundant_updates_trigger()"),
        format!("create rule r as on insert to {name} do instead nothing"),
        format!("create policy p on {name}"),
        format!("create table pg_temp.child (like {name}) inherits ({name})"),
        format!("create table public.refers (x int references {name})"),
        format!("comment on table {name} is 'mine'"),
        format!("drop table {name}"),
    ];
    commands.extend(LOCKS.iter().map(|mode| format!("lock table {name} in {mode} mode nowait")));
    // A look at a table takes its weakest lock, and whoever may look may take it; what is never granted is more.
    commands.retain(|command| !command.contains("access share mode"));
    commands
}

#[track_caller]
fn report(findings: BTreeSet<String>) {
    let list: Vec<&str> = findings.iter().map(String::as_str).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}
