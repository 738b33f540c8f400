//! Three statements, then an insert and an update.

use std::time::Duration;

use anyhow::Result;

use crate::stage::{Stage, event_type};
use crate::{latency, numbers::grouped};

const SINGLE_INSERTS: u64 = 100;

pub fn play(stage: &mut Stage) -> Result<()> {
    stage.sql(
        "create table leads (\n  id bigint generated always as identity primary key,\n  name text not null,\n  \
         email text,\n  status text not null default 'new');",
    )?;
    stage.sql("create extension pg_frontdesk cascade;")?;
    let crm = stage.address("crm")?;
    let secret = stage.sql_value(&format!("select frontdesk.add_endpoint('crm', 'http://{crm}/hooks');"))?;
    stage.sql("select frontdesk.watch('leads', entity => 'lead', state_column => 'status');")?;
    stage.receive("crm", &secret)?;

    stage.sql("insert into leads (name, email) values ('Ada Lovelace', 'ada@example.com');")?;
    stage.sql("update leads set status = 'qualified' where name = 'Ada Lovelace';")?;
    stage.await_accepted("crm", 2, Duration::from_secs(5))?;
    let arrived = stage.last("crm", 2)?;
    stage.show_arrivals(&arrived);
    stage.promise(stage.count("crm", "verified")? == 2, "two webhooks arrived, both signatures verified")?;
    let kinds: Vec<String> = arrived.iter().map(event_type).collect();
    stage.promise(
        kinds == ["lead.created", "lead.qualified"],
        "lead.created, then lead.qualified: the new state names the event",
    )?;

    stage.sql(&single_inserts(SINGLE_INSERTS))?;
    let wanted = 2 + SINGLE_INSERTS;
    let accepted = stage.await_accepted("crm", wanted, Duration::from_secs(10))?;
    stage.promise(accepted == wanted, &format!("all {} arrived", grouped(SINGLE_INSERTS)))?;
    let latency = latency::of(stage, &stage.last("crm", SINGLE_INSERTS)?)?;
    stage.out.kept(&format!("from the insert to the receiver: {latency}"));
    stage.numbers.add("from the insert to the receiver", latency.to_string());
    Ok(())
}

/// Each in a transaction of its own.
pub fn single_inserts(count: u64) -> String {
    format!(
        "do $$ begin\n  for i in 1..{count} loop\n    insert into leads (name) values ('lead ' || i);\n    commit;\n    \
         perform pg_sleep(0.005);\n  end loop;\nend $$;"
    )
}
