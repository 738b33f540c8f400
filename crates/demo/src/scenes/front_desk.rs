//! install_crm(), and a lead that comes twice.

use anyhow::Result;

use crate::stage::Stage;

/// Monday of next week, 9 o'clock in Madrid: the retention of events goes by the clock too, so it is not far away.
pub const MONDAY: &str =
    "(date_trunc('week', clock_timestamp() at time zone 'Europe/Madrid') + interval '7 days 9 hours')";

pub fn play(stage: &mut Stage) -> Result<()> {
    stage.move_to("front_desk")?;
    stage.sql("create extension pg_frontdesk cascade;")?;
    stage.sql("select frontdesk.install_crm();")?;
    stage.sql(
        "update crm.accounts set name = 'Clinic', timezone = 'Europe/Madrid', country = 'ES';\n\
         update crm.services set name = 'Massage', duration = '30 minutes';",
    )?;
    let office = stage.address("office")?;
    let secret = stage.sql_value(&format!(
        "select frontdesk.add_endpoint('office', 'http://{office}/hooks', events => '{{lead.*,appointment.*}}');"
    ))?;
    stage.receive("office", &secret)?;
    let monday = stage.ask(&format!(
        "select to_char({MONDAY} at time zone 'Europe/Madrid' at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SSZ')"
    ))?;
    stage.set_clock(&monday, "Monday, 9:00 in Madrid")?;

    stage.sql(
        "select id, name, email, stage, score, score_tier from crm.upsert_lead('{\n  \"name\": \"Ana García\", \
         \"email\": \" Ana@Example.com\", \"service\": \"Massage\", \"source\": \"website\",\n  \
         \"message\": \"What is the price? My back hurts, it is urgent.\"}');",
    )?;
    stage.sql("select id, name, email, phone, score, score_tier, touches from crm.upsert_lead('{\"email\": \"ANA@example.com\", \"phone\": \"600 123 123\"}');")?;
    let leads = "select string_agg(concat_ws(' ', email, phone, touches), ', ') from crm.leads";
    stage.promise(
        stage.ask(leads)? == "ana@example.com +34600123123 2",
        "who writes again is the same lead, touched once more; what was missing is filled in",
    )?;
    stage.sql("select * from crm.explain_lead_score(1);")?;
    let reasons = stage.ask("select count(*) from crm.explain_lead_score(1) where points <> 0")?;
    stage.promise(reasons.parse::<u32>()? > 2, "a score with its reasons")?;
    stage.await_type("office", "lead.created", 1)?;
    stage.await_type("office", "lead.touched", 1)?;
    let created = stage.ask("select count(*) from frontdesk.event where type = 'lead.created'")?;
    stage.promise(created == "1", "the office was told of one lead.created and one lead.touched")
}
