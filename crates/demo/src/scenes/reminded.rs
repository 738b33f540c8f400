//! A reminder, another time, another reminder.

use anyhow::Result;

use super::agent::CLIENT;
use crate::stage::Stage;

pub fn play(stage: &mut Stage) -> Result<()> {
    let at = |shift: &str| {
        format!(
            "select to_char((starts_at - interval '{shift}') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SSZ') from crm.appointments"
        )
    };
    stage.sql("select due_at, event, key, rule from frontdesk.timers;")?;
    stage.set_clock(&stage.ask(&at("24 hours"))?, "Wednesday, 10:00: the appointment is in 24 hours")?;
    let reminder = stage.await_type("office", "appointment.reminder", 1)?;
    stage.show_arrivals(&[reminder]);
    stage.out.kept("she is reminded");

    let friday =
        stage.ask("select crm.local_time(starts_at + interval '25 hours', 'Europe/Madrid') from crm.appointments")?;
    stage.sql(&format!(
        "select jsonb_pretty(crm.call_tool(1, 'reschedule_appointment',\n  '{{\"starts_at\": \"{friday}\", \"reason\": \"has to work\"}}', {CLIENT}));"
    ))?;
    stage.await_type("office", "appointment.rescheduled", 1)?;
    stage.sql("select due_at, event, key from frontdesk.timers order by due_at;")?;
    stage.set_clock(&stage.ask(&at("24 hours"))?, "Thursday, 11:00: the new time is in 24 hours")?;
    stage.await_type("office", "appointment.reminder", 2)?;
    stage.promise(
        stage.ask("select count(*) from frontdesk.event where type = 'appointment.reminder'")? == "2",
        "reminded again, of the new time; of the old one no more",
    )
}
