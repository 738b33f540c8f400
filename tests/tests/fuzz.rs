//! Generated tables and rows: values of every type, at its edges and beyond. What fits its table fits it while it is
//! watched, looks the same from every session, and is delivered or is one dead letter. `cargo xtask test hostile fuzz`
//! runs it; `PG_FRONTDESK_HOSTILE_SECONDS` says for how long.

mod arguments;
mod headers;
mod texts;
mod values;

use std::time::{Duration, Instant};

use postgres::Client;
use tests::{Desk, Server, said, wait_for};
use values::Chance;

/// Settings of a session that change how values are written.
const SESSIONS: [&str; 3] = [
    "reset all",
    "set datestyle = 'SQL, DMY'; set timezone = 'Asia/Kathmandu'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape'",
    "set datestyle = 'Postgres, MDY'; set timezone = 'America/St_Johns'; set extra_float_digits = -15; set xmlbinary = 'hex'",
];

fn seconds() -> Duration {
    let text = std::env::var("PG_FRONTDESK_HOSTILE_SECONDS").ok();
    Duration::from_secs(text.and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0).unwrap_or(20))
}

/// An error of the server's or ours that no argument is to lead to, or the end of the session.
fn is_inside(error: &postgres::Error) -> bool {
    error
        .code()
        .is_none_or(|code| code.code() == "XX000" || code.code().starts_with("58") || code.code().starts_with("57P"))
}

#[test]
#[ignore = "takes a minute: cargo xtask test hostile fuzz"]
fn a_row_that_fits_its_table_fits_it_while_it_is_watched_and_looks_the_same_from_every_session() {
    let desk = Desk::on(&Server::preloaded(&[("statement_timeout", "60s")]));
    desk.run(values::TYPES);
    desk.endpoint("all", "/ok", "events => '{**}'");
    let mut session = desk.session();
    let first = desk.get::<i64>("select extract(epoch from clock_timestamp())::bigint") as u64;
    println!("the numbers begin with {first}");
    let (mut chance, mut number, started) = (Chance(first), 0, Instant::now());
    let mut findings = Vec::new();
    while started.elapsed() < seconds() && findings.len() < 20 {
        number += 1;
        findings.extend(one_table(&mut session, number, &mut chance));
        if session.is_closed() {
            findings.push(format!("the session ended at table {number}"));
            break;
        }
    }
    assert!(findings.is_empty(), "{number} tables, {} findings:\n{}", findings.len(), findings.join("\n"));
    // Nothing has stopped the engine, and nothing is left over.
    desk.wait("(select state = 'running' from frontdesk.status())");
    wait_for("everything is delivered or dead", Duration::from_secs(120), || {
        desk.get("select lag_events = 0 and in_flight = 0 and retrying = 0 from frontdesk.status()")
    });
    desk.fence("/ok");
}

/// What goes wrong with the rows of one generated table.
fn one_table(session: &mut Client, number: usize, chance: &mut Chance) -> Vec<String> {
    let columns = values::columns(chance);
    let list: Vec<String> = columns.iter().enumerate().map(|(i, kind)| format!("c{i} {kind}")).collect();
    let (plain, watched) = (format!("plain_{number}"), format!("watched_{number}"));
    let mut findings = Vec::new();
    let made = session.batch_execute(&format!(
        "reset all; create table {plain} (id int primary key, {0}); create table {watched} (id int primary key, {0});
         select frontdesk.watch('{watched}', entity => 'thing', condition => {1})",
        list.join(", "),
        values::condition(chance)
    ));
    if let Err(error) = made {
        let _ = session.batch_execute(&format!("drop table if exists {plain}, {watched}"));
        // A condition may name what the table does not have.
        let code = error.code().map(|code| code.code().to_string()).unwrap_or_default();
        let is_refused = ["22023", "42703", "54011"].contains(&code.as_str());
        return if is_refused { Vec::new() } else { vec![format!("{code}: {}", said(&error))] };
    }
    for row in 0..4 {
        let values: Vec<String> = columns.iter().map(|kind| values::value(kind, chance)).collect();
        let insert = |table: &str, id: usize| format!("insert into {table} values ({id}, {})", values.join(", "));
        let _ = session.batch_execute("reset all");
        if session.batch_execute(&insert(&plain, row)).is_err() {
            continue;
        }
        for (i, settings) in SESSIONS.iter().enumerate() {
            let _ = session.batch_execute(settings);
            let id = row * SESSIONS.len() + i;
            for statement in [
                insert(&watched, id),
                format!("update {watched} set id = id where id = {id}"),
                format!("delete from {watched} where id = {id}"),
            ] {
                // The value itself may be read otherwise in this session: that is the table's matter.
                let in_plain =
                    statement.replace(&watched, &plain).replace(&format!("values ({id},"), &format!("values (10{id},"));
                if let Err(error) = session.batch_execute(&statement)
                    && session.batch_execute(&in_plain).is_ok()
                {
                    let shown: String = statement.chars().take(700).collect();
                    findings.push(format!(
                        "{}: {shown} ({})",
                        said(&error),
                        list.join(", ").chars().take(300).collect::<String>()
                    ));
                }
            }
        }
    }
    let _ = session.batch_execute("reset all");
    findings.extend(differences(session, &watched, &list.join(", ")));
    let _ = session.batch_execute(&format!("drop table {plain}, {watched}"));
    findings
}

/// The events of one row by three sessions say the same.
fn differences(session: &mut Client, watched: &str, list: &str) -> Vec<String> {
    let sql = format!(
        "select a.record::text, b.record::text
         from frontdesk.event a join frontdesk.event b on b.op = a.op and (b.record->>'id')::int / 3 = (a.record->>'id')::int / 3
         where a.source = 'public.{watched}' and b.source = a.source and (a.record->>'id')::int % 3 = 0
           and a.record - 'id' <> b.record - 'id' limit 2"
    );
    match session.query(&sql, &[]) {
        Ok(rows) => rows
            .iter()
            .map(|row| {
                let (a, b): (String, String) = (row.get(0), row.get(1));
                let short = |text: &str| text.chars().take(400).collect::<String>();
                format!(
                    "one row, two looks: {} and {} ({})",
                    short(&a),
                    short(&b),
                    list.chars().take(300).collect::<String>()
                )
            })
            .collect(),
        Err(error) => vec![format!("the log is not readable: {}", said(&error))],
    }
}
