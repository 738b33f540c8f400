//! Triggers that no verb has made: their functions, fired at any time, with arguments of any content. Only a superuser can
//! make them, and even theirs do not fail inside or break what reads all triggers.

use std::time::Instant;

use postgres::Client;
use tests::{Desk, Server, said};

use super::texts::Texts;
use super::values::Chance;
use super::{is_inside, seconds};

const FUNCTIONS: [&str; 4] = ["capture", "timer_trigger", "normalize_row", "keep_score"];

const TIMES: [&str; 8] = [
    "before insert or update on thing for each row",
    "after insert or update or delete on thing for each row",
    "before insert or update or delete on thing for each row",
    "after insert or update or delete or truncate on thing for each statement",
    "before insert or truncate on thing for each statement",
    "after truncate on thing for each statement",
    "instead of insert or update or delete on thing_view for each row",
    "after insert on part_1 for each row",
];

const TABLES: &str = "
    create table thing (id int primary key, name text, state text, score numeric, tier text, breakdown jsonb, tenant uuid,
      at timestamptz);
    create view thing_view as select * from thing;
    create table part (id int, name text, at timestamptz) partition by range (id);
    create table part_1 partition of part for values from (0) to (100);
    create table reminded (id int primary key, at timestamptz);
    select frontdesk.remind('reminded', 'at', '-1 hour', 'thing.soon');";

/// What fires them, and what reads all of them.
const STATEMENTS: [&str; 14] = [
    "insert into thing (id, name, at) values (1, 'a', now()), (2, ' B@x.example ', now())",
    "insert into thing_view (id, name) values (3, 'c')",
    "insert into part values (4, 'd', now())",
    "update thing set name = 'x' || name, state = 'won', tenant = gen_random_uuid()",
    "update thing_view set name = null",
    "delete from thing where id = 1",
    "delete from thing_view where id = 3",
    "alter table thing rename state to phase",
    "update thing set phase = 'lost'",
    "alter table thing drop column name, alter column score type text",
    "update thing set phase = phase",
    "truncate thing, part",
    "select * from frontdesk.watch",
    "select * from frontdesk.doctor()",
];

#[test]
#[ignore = "takes a minute: cargo xtask test hostile fuzz"]
fn a_trigger_with_any_arguments_works_or_is_refused() {
    let desk = Desk::on(&Server::preloaded(&[("statement_timeout", "60s")]));
    desk.run(TABLES);
    let mut session = desk.session();
    let (mut chance, mut texts) = (Chance(desk.engine() as u64), Texts::of(include_str!("arguments.txt")));
    let (mut triggers, mut findings, started) = (0, Vec::new(), Instant::now());
    while started.elapsed() < seconds() && findings.len() < 20 && !session.is_closed() {
        triggers += 1;
        findings.extend(one_trigger(&mut session, &mut chance, &mut texts));
    }
    assert!(findings.is_empty(), "{triggers} triggers, {} findings:\n{}", findings.len(), findings.join("\n"));
    desk.wait("(select state = 'running' from frontdesk.status())");
}

fn one_trigger(session: &mut Client, chance: &mut Chance, texts: &mut Texts) -> Vec<String> {
    let arguments: Vec<String> = (0..chance.below(7)).map(|_| texts.literal()).collect();
    // Twice as often as it is to be.
    let time = TIMES[chance.below(TIMES.len() + 2) % TIMES.len()];
    let function = FUNCTIONS[chance.below(FUNCTIONS.len())];
    let made =
        format!("create trigger mine {time} execute function frontdesk_internal.{function}({})", arguments.join(", "));
    let _ = session.batch_execute("begin");
    let mut findings = Vec::new();
    for statement in std::iter::once(made.as_str()).chain(STATEMENTS) {
        let _ = session.batch_execute("savepoint a");
        if let Err(error) = session.batch_execute(statement) {
            if is_inside(&error) {
                findings.push(format!("{}: {statement} after {made}", said(&error)));
            }
            let _ = session.batch_execute("rollback to a");
        }
    }
    let _ = session.batch_execute("rollback");
    findings
}
