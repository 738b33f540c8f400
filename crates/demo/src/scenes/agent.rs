//! Tools of an agent: listed, called wrongly, called rightly.

use anyhow::Result;

use crate::stage::Stage;

/// What the messenger knows of whom the agent talks with.
pub const CLIENT: &str = r#"client => '{"phone": "+34600123123"}'"#;

pub fn play(stage: &mut Stage) -> Result<()> {
    stage.sql("insert into crm.agents (account_id, name) select id, 'Reception' from crm.accounts;")?;
    stage.sql("select name, description from crm.agent_tools(1);")?;
    stage.sql("select jsonb_pretty(crm.call_tool(1, 'find_slots', '{\"from\": \"tomorrow\"}'));")?;
    let slots = stage.ask(&format!(
        "select crm.call_tool(1, 'find_slots', jsonb_build_object('from', {monday} + interval '3 days 1 hour', 'limit', 2))",
        monday = super::front_desk::MONDAY
    ))?;
    let slots: serde_json::Value = serde_json::from_str(&slots)?;
    let text = |pointer: &str| slots.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_string();
    let starts_at = text("/result/slots/0/starts_at");
    let day = starts_at.split('T').next().unwrap_or_default();
    stage.sql(&format!(
        "select jsonb_pretty(crm.call_tool(1, 'find_slots', '{{\"from\": \"{day}T10:00:00\", \"limit\": 2}}'));"
    ))?;
    stage.sql(&format!(
        "select jsonb_pretty(crm.call_tool(1, 'book_appointment',\n  '{{\"starts_at\": \"{starts_at}\", \"name\": \"Ana\"}}', {CLIENT}));"
    ))?;
    stage.sql("select tool, ok, error->>'code' as code, duration_ms from crm.tool_calls order by id;")?;
    stage.await_type("office", "appointment.created", 1)?;
    stage.promise(
        stage.ask("select count(*) || ' ' || string_agg(stage, ',') from crm.leads")? == "1 appointment_booked",
        "the channel's number is Ana's: her lead has the appointment, no second one was made",
    )
}
