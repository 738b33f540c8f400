//! What a lead costs when it comes in, and how fast one is found among a million.

use std::time::Instant;

use anyhow::Result;

use super::{Scene, seed};
use crate::pgbench::Pgbench;
use crate::server::DATABASE;
use crate::table::{Table, thousands};

/// The same enquiry for both, as a form sends it: `:n` makes it somebody else each time.
const OURS: &str = r#"\set n random(1, 1000000000)
insert into crm.leads (account_id, name, email, phone, service, company, region, country, postal_code, source, form, campaign, utm_source, utm_medium, page_url, user_agent, ip)
values ('00000000-0000-4000-8000-000000000001', 'Ana García ' || :n, 'Ana.' || :n || '@Example.com', '+52 55 ' || (10000000 + :n % 89999999), 'Implant', 'Dental ' || :n % 5000, 'CDMX', 'MX', '06000', 'meta_ads', 'contact', 'spring', 'facebook', 'cpc', 'https://example.com/implants?x=' || :n, 'Mozilla/5.0 (X11; Linux x86_64)', '203.0.113.7');
"#;

fn seeds(table: &str) -> String {
    format!(
        r#"\set n random(1, 1000000000)
insert into {table} (lead_id, client_id, nombre, email, telefono, servicio, empresa, estado, pais, codigo_postal, fuente, nombre_formulario, nombre_campana, utm_source, utm_medium, url_origen, user_agent, direccion_ip)
values ('l' || clock_timestamp() || :n, 'c' || clock_timestamp() || :n, 'Ana García ' || :n, 'Ana.' || :n || '@Example.com', '+52 55 ' || (10000000 + :n % 89999999), 'Implant', 'Dental ' || :n % 5000, 'CDMX', 'MX', '06000', 'meta_ads', 'contact', 'spring', 'facebook', 'cpc', 'https://example.com/implants?x=' || :n, 'Mozilla/5.0 (X11; Linux x86_64)', '203.0.113.7');
"#
    )
}

pub fn insert(scene: &Scene, table: &mut Table) -> Result<()> {
    scene.sql("insert into crm.accounts (id, name, country, timezone) values ('00000000-0000-4000-8000-000000000001', 'Bench', 'MX', 'America/Mexico_City')")?;
    scene.sql(&seed::create("seed_leads", true))?;
    scene.sql(&seed::create("seed_bare", false))?;
    let seconds = if scene.quick { 3 } else { 15 };
    let run = |script: &str| -> Result<f64> {
        Ok(Pgbench { database: DATABASE, script, clients: 4, threads: 1, seconds, ..Default::default() }
            .run(scene.cluster)?
            .tps)
    };
    let mut rounds = Vec::new();
    for round in 0..if scene.quick { 1 } else { 5 } {
        let measured = [run(OURS)?, run(&seeds("seed_leads"))?, run(&seeds("seed_bare"))?];
        eprintln!("    round {round}: {measured:.0?} tps");
        rounds.push(measured);
    }
    let median = |of: &dyn Fn(&[f64; 3]) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let line = format!(
        "{}/s, the seed's {}/s: {:.2} × (without any of its indexes {}/s: {:.2} ×)",
        thousands(median(&|r| r[0])),
        thousands(median(&|r| r[1])),
        median(&|r| r[0] / r[1]),
        thousands(median(&|r| r[2])),
        median(&|r| r[0] / r[2]),
    );
    table.row(&["insert of a lead: normalised, scored, with history, event and search indexes; the seed's with its score trigger only", &line, "1.0 ×"]);
    Ok(())
}

const FIRST: &str = "{Ana,María,José,Luis,Carmen,Sofía,Diego,Lucía,Mateo,Elena,Jürgen,Zoë,André,Noémie,Olga,Fatima,Yusuf,Wei,Hiroshi,Priya}";
const LAST: &str = "{García,Hernández,López,Martínez,González,Pérez,Rodríguez,Sánchez,Ramírez,Cruz,Flores,Gómez,Müller,Schmidt,Dubois,Rossi,Novák,Kowalski,Nguyen,Tanaka}";

/// Names of two parts with a made-up syllable each, so that there are 160,000 of them as in life.
fn fill(rows: u64) -> String {
    format!(
        "insert into crm.leads (account_id, name, email, phone, company, service, source, message, stage)
         select '00000000-0000-4000-8000-000000000001',
           ('{FIRST}'::text[])[1 + h % 20] || substr('aeiou', 1 + (h >> 5) % 5, 1) || ' ' || ('{LAST}'::text[])[1 + (h >> 9) % 20] || substr(md5((h >> 14)::text), 1, 2),
           'user' || n || '@' || substr(md5(n::text), 1, 6) || '.example.com', '+52' || (5510000000 + n),
           'Company ' || substr(md5((n % 50000)::text), 1, 5), ('{{implant,cleaning,braces,whitening,surgery}}'::text[])[1 + h % 5],
           ('{{meta_ads,website,whatsapp,partner}}'::text[])[1 + h % 4], 'I would like to know what ' || substr(md5((n % 9000)::text), 1, 6) || ' costs', 'contacted'
         from (select n, abs(hashint8(n)) as h from generate_series(1, {rows}) n) s"
    )
}

/// What people type: a name, half a name, an address, a company, a number, a word of the message, a misspelt name.
const TERMS: [(&str, &str); 7] = [
    ("name", "select name from crm.leads where id = %n"),
    ("half a name", "select left(name, 4) || ' ' || left(split_part(name, ' ', 2), 4) from crm.leads where id = %n"),
    ("e-mail", "select email from crm.leads where id = %n"),
    ("company", "select company from crm.leads where id = %n"),
    ("telephone", "select right(phone, 8) from crm.leads where id = %n"),
    ("word of the message", "select split_part(message, ' ', 7) from crm.leads where id = %n"),
    ("misspelt name", "select overlay(name placing 'x' from 3 for 1) from crm.leads where id = %n"),
];

pub fn search(scene: &Scene, table: &mut Table) -> Result<()> {
    let rows = scene.scaled(1_000_000);
    scene.sql(
        "insert into crm.accounts (id, name, country) values ('00000000-0000-4000-8000-000000000001', 'Bench', 'MX')",
    )?;
    // Only how they are found is measured here.
    scene.sql(&format!("set session_replication_role = replica; {}", fill(rows)))?;
    scene.sql("vacuum analyze crm.leads")?;
    let mut every = Vec::new();
    for (kind, term) in TERMS {
        let started = Instant::now();
        let times = scene.sql(&format!(
            "create temp table took (ms float8);
             do $$
             declare
               term text;
               began timestamptz;
             begin
               for i in 1..{count} loop
                 execute replace($t${term}$t$, '%n', (1 + (i * 7919) % {rows})::text) into term;
                 began := clock_timestamp();
                 perform * from crm.search_leads(term, '00000000-0000-4000-8000-000000000001');
                 insert into took values (extract(epoch from clock_timestamp() - began) * 1000);
               end loop;
             end $$;
             select string_agg(round(ms::numeric, 2)::text, ' ') from took",
            count = if scene.quick { 20 } else { 200 }
        ))?;
        let mut times: Vec<f64> = times.split(' ').filter_map(|ms| ms.parse().ok()).collect();
        eprintln!("    {kind}: {} in {:.1?}", percentiles(&mut times), started.elapsed());
        table.row(&[
            &format!("search_leads of {} leads: {kind}", thousands(rows as f64)),
            &percentiles(&mut times),
            "p95 ≤ 30 ms",
        ]);
        every.extend(times);
    }
    table.row(&[
        &format!("search_leads of {} leads, all of these", thousands(rows as f64)),
        &percentiles(&mut every),
        "p95 ≤ 30 ms",
    ]);
    Ok(())
}

fn percentiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1))).copied();
    format!("p50 {:.1} ms, p95 {:.1} ms", at(0.5).unwrap_or(f64::NAN), at(0.95).unwrap_or(f64::NAN))
}
