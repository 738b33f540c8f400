//! The follow-up, the penalty, and the sum of it all.

use std::collections::BTreeMap;

use anyhow::Result;

use super::agent::CLIENT;
use crate::numbers::grouped;
use crate::stage::{Stage, event_type};

pub fn play(stage: &mut Stage) -> Result<()> {
    let late = stage.ask(
        "select to_char((ends_at + interval '30 minutes') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SSZ') from crm.appointments",
    )?;
    stage.set_clock(&late, "Friday, half an hour after the end")?;
    stage.await_type("office", "appointment.follow_up", 1)?;
    stage.sql("select id, status, ends_at from crm.record_attendance(1, attended => false);")?;
    stage.await_type("office", "appointment.no_show", 1)?;
    stage.sql("select contact, reason, days_left from crm.active_penalties;")?;
    stage.promise(stage.ask("select count(*) from crm.active_penalties")? == "1", "she is blocked for a month")?;
    let monday = stage.ask(
        "select crm.local_time(date_trunc('week', starts_at) + interval '7 days 10 hours', 'Europe/Madrid') from crm.appointments",
    )?;
    let call = format!("crm.call_tool(1, 'book_appointment', '{{\"starts_at\": \"{monday}\"}}', {CLIENT})");
    stage.sql(&format!("select jsonb_pretty({call});"))?;
    stage.promise(
        stage.ask(&format!("select {call} #>> '{{error,code}}'"))? == "not_possible",
        "and the agent is told so, in words for the client",
    )?;

    let sent = "select count(*) from frontdesk.event where type like any ('{lead.%,appointment.%}')";
    let sent: u64 = stage.ask(sent)?.parse()?;
    let accepted = stage.await_accepted("office", sent, std::time::Duration::from_secs(10))?;
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for record in stage.last("office", 100)? {
        *kinds.entry(event_type(&record)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    stage.out.about(&format!("The office received: {}.", kinds.join(", ")));
    let [requests, verified] = ["requests", "verified"].map(|what| stage.count("office", what));
    let (requests, verified) = (requests?, verified?);
    stage.promise(
        accepted == sent && verified == requests,
        &format!("{} webhooks, every one received and its signature verified", grouped(sent)),
    )
}
