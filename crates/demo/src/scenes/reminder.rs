//! A reminder on a table of one's own.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    stage.sql(
        "create table appointment (\n  id bigint generated always as identity primary key,\n  client text not null,\n  \
         starts_at timestamptz not null,\n  status text not null default 'scheduled');",
    )?;
    stage.sql(
        "select frontdesk.remind('appointment', 'starts_at', '-24 hours', 'appointment.reminder',\n  \
         '{\"status\": {\"$in\": [\"scheduled\", \"confirmed\"]}}');",
    )?;
    let before = stage.count("crm", "accepted_ids")?;
    stage.sql(
        "insert into appointment (client, starts_at, status) values\n  \
         ('Ada Lovelace', now() + interval '24 hours 3 seconds', 'confirmed'),\n  \
         ('Grace Hopper', now() + interval '24 hours 3 seconds', 'scheduled');",
    )?;
    let started = Instant::now();
    stage.sql("update appointment set status = 'cancelled' where client = 'Grace Hopper';")?;
    stage.sql("select to_char(due_at - now(), 'SS.MS') as due_in_s, event, source, key from frontdesk.timers;")?;
    stage.await_accepted("crm", before + 1, Duration::from_secs(15))?;
    let seconds = started.elapsed().as_secs_f32();
    let arrived = stage.last("crm", 1)?;
    stage.show_arrivals(&arrived);
    let body = arrived.first().and_then(|record| record["body"].as_str()).unwrap_or_default();
    stage.promise(
        body.contains("\"type\":\"appointment.reminder\"") && body.contains("Ada Lovelace"),
        &format!("the reminder arrived {seconds:.1} s after the booking, 24 hours before the appointment"),
    )?;
    let fired = stage.ask("select count(*) from frontdesk.event where type = 'appointment.reminder'")?;
    let timers = stage.ask("select count(*) from frontdesk.timers")?;
    stage.promise([fired, timers] == ["1", "0"], "once, and not for the appointment that was cancelled")
}
