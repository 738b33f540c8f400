//! Free slots of a full month, and two hundred sessions that want the same hundred.

use anyhow::{Result, bail};

use super::Scene;
use crate::server::DATABASE;
use crate::table::{Table, thousands};
use testbed::step;

const OFFICE: &str = "
    insert into crm.contacts (account_id, name) select id, 'Client' from crm.accounts;
    delete from crm.business_hours;
    insert into crm.business_hours (account_id, weekday, opens, closes) select id, d, '08:00', '20:00' from crm.accounts, generate_series(1, 7) d;
    insert into crm.resources (account_id, name) select id, 'resource ' || n from crm.accounts, generate_series(2, 10) n;
    update crm.services set duration = '15 minutes'";

/// Of the 14,400 quarters of an hour that ten resources have in a month, 10,000 are taken.
const FULL: &str = "
    with slot as (
      select r.id as resource, r.account_id, d + time '08:00' + q * interval '15 minutes' as at, row_number() over (order by r.id, d, q) as n
      from crm.resources r, generate_series(current_date + 1, current_date + 30, interval '1 day') d, generate_series(0, 47) q)
    insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at)
    select s.account_id, c.id, v.id, s.resource, s.at at time zone 'UTC' from slot s, crm.contacts c, crm.services v where s.n % 36 >= 11";

pub fn slots(scene: &Scene, table: &mut Table) -> Result<()> {
    scene.sql(OFFICE)?;
    scene.sql(FULL)?;
    scene.sql("analyze crm.appointments")?;
    scene.sql(
        "create function ask(times int) returns table (n bigint, ms float8) language plpgsql as $$
         declare
           began timestamptz;
         begin
           for i in 1..times loop
             began := clock_timestamp();
             select count(*) into n from crm.free_slots((select id from crm.services), current_date + 1, current_date + 31);
             ms := extract(epoch from clock_timestamp() - began) * 1000;
             return next;
           end loop;
         end $$",
    )?;
    let times = scene.scaled(100);
    let measured = scene.sql(&format!(
        "select format('p50 %s ms, p95 %s ms, %s slots', round(percentile_cont(0.5) within group (order by ms)::numeric, 1),
           round(percentile_cont(0.95) within group (order by ms)::numeric, 1), max(n)) from ask({times})"
    ))?;
    let booked: f64 = scene.sql("select count(*) from crm.appointments")?.parse()?;
    table.row(&[
        &format!("free_slots over a month, 10 resources, {} appointments", thousands(booked)),
        &measured,
        "≤ 20 ms",
    ]);
    Ok(())
}

pub fn race(scene: &Scene, table: &mut Table) -> Result<()> {
    scene.cluster.set(&[("max_connections", "250")])?;
    scene.cluster.restart()?;
    scene.sql(OFFICE)?;
    scene.sql("update crm.resources set active = false where name like 'resource %'")?;
    scene.sql(
        "create table outcome (booked boolean, ms float8);
         create function try(n int) returns void language plpgsql as $$
         declare
           began timestamptz := clock_timestamp();
           booked boolean := true;
         begin
           begin
             perform crm.book_appointment(contact => c.id, service => s.id,
               starts_at => (current_date + 2 + n / 48 + time '08:00' + n % 48 * interval '15 minutes') at time zone 'UTC')
             from crm.contacts c, crm.services s;
           exception when exclusion_violation then
             booked := false;
           end;
           insert into outcome values (booked, extract(epoch from clock_timestamp() - began) * 1000);
         end $$",
    )?;
    let script = std::env::temp_dir().join(format!("frontdesk-{}-race.pgbench", std::process::id()));
    std::fs::write(&script, "select try(:client_id % 100);\n")?;
    let mut pgbench = scene.cluster.client("pgbench", DATABASE);
    pgbench.args(["-n", "-c", "200", "-j", "2", "-t", "1", "-f"]).arg(&script);
    let outcome = step::run("200 sessions", &mut pgbench);
    let _ = std::fs::remove_file(&script);
    outcome?;
    let answer = "select format('%s booked, %s told that it is taken, %s deadlocks; p50 %s ms, slowest %s ms', count(*) filter (where booked),
        count(*) filter (where not booked), (select deadlocks from pg_stat_database where datname = current_database()),
        round(percentile_cont(0.5) within group (order by ms)::numeric), round(max(ms)::numeric)) from outcome";
    let measured = scene.sql(answer)?;
    if !measured.starts_with("100 booked, 100 told that it is taken, 0 deadlocks") {
        bail!("200 sessions for 100 slots: {measured}");
    }
    table.row(&["200 sessions racing for 100 slots", &measured, "100 booked, 0 deadlocks"]);
    Ok(())
}
