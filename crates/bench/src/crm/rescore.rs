//! Scoring a million leads anew, beside the same by the row trigger that crm replaces.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Scene, seed};
use crate::table::{Table, thousands};

/// A share of the leads has each thing; there are three kinds of messages.
const SOURCE: &str = "create table source as
  select n, 'Client ' || n as name, case when n % 10 < 8 then 'client' || n || '@example.com' end as email,
    case when n % 3 > 0 then '+1415' || 5550000 + n % 10000 end as phone, case when n % 2 = 0 then 'Company ' || n % 1000 end as company,
    case when n % 10 < 7 then (array['repair', 'sale', 'advice'])[1 + n % 3] end as service, case when n % 5 < 2 then n % 20000 end as budget,
    case when n % 4 > 0 then 'CA' end as region, 'US' as country, case when n % 20 = 0 then '94' || lpad((n % 1000)::text, 3, '0') end as postal_code,
    case n % 5 when 0 then 'How much is it? I would like to come by for a visit next week, thank you very much in advance.'
      when 1 then 'Please call me back about the thing we talked about, it is still on my mind and I have something to ask.'
      when 2 then 'I need it today, what is your price? My budget is ' || n % 9000 end as message,
    (array['web', 'ad', 'referral'])[1 + n % 3] as source
  from generate_series(1, $rows) n";

pub fn rescore(scene: &Scene, table: &mut Table) -> Result<()> {
    let rows = scene.scaled(1_000_000);
    // The job that scores in the background would do the work that is measured.
    scene.sql("select frontdesk.pause()")?;
    scene.sql("select frontdesk.unwatch('crm.leads')")?;
    scene.sql(&SOURCE.replace("$rows", &rows.to_string()))?;
    scene.sql(
        "insert into crm.leads (account_id, name, email, phone, company, service, budget, region, country, postal_code, message, source)
         select a.id, s.name, email, phone, company, service, budget, region, s.country, postal_code, message, source from crm.accounts a, source s",
    )?;
    let mut seeds = Vec::new();
    for (name, indexed) in [("seed_leads", true), ("seed_bare", false)] {
        scene.sql(&seed::create(name, indexed))?;
        scene.sql(&format!(
            "insert into {name} (lead_id, client_id, nombre, email, telefono, empresa, servicio, estado, pais, codigo_postal, content_attributes, fuente)
             select 'l' || n, 'c' || n, name, email, phone, company, service, region, country, postal_code, message, source from source"
        ))?;
        scene.sql(&format!("vacuum analyze {name}"))?;
        seeds.push(timed(scene, &format!("update {name} set email = email"))?.0);
        scene.sql(&format!("drop table {name}"))?;
    }
    scene.sql("vacuum analyze crm.leads")?;
    let postal_code =
        "update frontdesk.score_rule set points = points + 1 where model = 'completeness' and name = 'postal_code'";
    for (models, choose) in [
        ("completeness, intent and fit together", "select 1"),
        (
            "completeness, as the seed",
            "select frontdesk.set_score_model('default', '[{\"name\": \"completeness\", \"points\": 1, \"part\": \"completeness\"}]')",
        ),
    ] {
        scene.sql(choose)?;
        scene.sql("select crm.rescore()")?;
        scene.sql("vacuum analyze crm.leads")?;
        for (what, change, wanted) in [
            (
                "no score changes",
                "update frontdesk.score_rule set reason = 'has a place' where model = 'completeness'",
                "",
            ),
            ("a rule of 1 lead in 20 changes", postal_code, "10 × the seed's"),
            ("all change", "update frontdesk.score_model set base = base + 1 where name = 'completeness'", ""),
        ] {
            scene.sql(change)?;
            let (took, changed) = timed(scene, "select crm.rescore()")?;
            let times = |seed: &Duration| seed.as_secs_f64() / took.as_secs_f64();
            table.row(&[
                &format!("rescore of {} leads by {models}; {what}", thousands(rows as f64)),
                &format!(
                    "{:.1} s, {} written; the seed's {:.1} s: {:.1} × (without any of its indexes {:.1} s: {:.1} ×)",
                    took.as_secs_f64(),
                    thousands(changed.parse().unwrap_or(0.0)),
                    seeds[0].as_secs_f64(),
                    times(&seeds[0]),
                    seeds[1].as_secs_f64(),
                    times(&seeds[1]),
                ),
                wanted,
            ]);
        }
    }
    Ok(())
}

fn timed(scene: &Scene, statement: &str) -> Result<(Duration, String)> {
    let started = Instant::now();
    let answer = scene.sql(statement)?;
    Ok((started.elapsed(), answer))
}
