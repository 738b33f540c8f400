//! The questions of somebody who was woken up.

use std::time::Duration;

use anyhow::Result;

use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    // How far the log is settled is written once a second.
    std::thread::sleep(Duration::from_millis(1500));
    stage.sql_expanded("select * from frontdesk.status();")?;
    stage.promise(stage.ask("select state from frontdesk.status()")? == "running", "the engine runs")?;
    stage.sql(
        "select name, state, behind, failing_since::timestamptz(0), failures, retrying, dead from frontdesk.endpoints order by name;",
    )?;
    stage.promise(
        stage.ask("select string_agg(name, ',') from frontdesk.endpoints where failing_since is not null")?
            == "partner",
        "the partner fails, nobody else",
    )?;
    let event = stage.ask("select max(event_id) from frontdesk.attempts where endpoint = 'partner'")?;
    stage.sql(&format!("select endpoint, outcome, reason from frontdesk.explain_event({event});"))?;
    let outcomes = stage.ask(&format!(
        "select string_agg(endpoint || ' ' || outcome, ', ' order by endpoint) from frontdesk.explain_event({event})"
    ))?;
    stage.promise(
        outcomes == "billing pattern did not match, crm delivered, partner pending",
        "one event explained: delivered, not concerned, waiting",
    )?;
    stage.sql(
        "select event_id, attempt, error, detail from frontdesk.attempts\nwhere endpoint = 'partner' order by id desc limit 3;",
    )?;
    stage.sql("select webhook_name, total_calls, successful_calls, failed_calls, avg_response_time from frontdesk.get_webhook_stats();")
}
