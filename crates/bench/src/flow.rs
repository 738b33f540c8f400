//! `cargo xtask bench flow`: how fast events become effects in the database.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Options;
use super::server::{self, DATABASE};
use super::table::{Table, thousands};
use testbed::cluster::Cluster;
use testbed::postgres::Postgres;

/// A trivial function in both forms: a row for each event, which says when.
const SCENE: &str = "create table lead (id int primary key);
    create table effect (event bigint, at timestamptz default clock_timestamp(), after interval);
    create function one(e frontdesk.event) returns void language plpgsql as $$ begin
      insert into public.effect (event, after) values (e.id, clock_timestamp() - e.created_at); end $$;
    create function many(e frontdesk.event[]) returns void language plpgsql as $$ begin
      insert into public.effect (event) select x.id from unnest(e) x; end $$;
    create procedure write(rows int) language plpgsql as $$ begin
      for n in 1..rows loop insert into public.lead values (n); commit; perform pg_sleep(0.01); end loop; end $$;";
const ROWS: [&str; 3] = ["backlog", "one-by-one", "latency"];

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    options.check_rows(&ROWS)?;
    let mut table = Table::new(&["what", "measured", "at least"]);
    let count = |whole: u32, quick: u32| if options.quick { quick } else { whole };
    if options.wants(ROWS[0]) {
        let events = count(100_000, 20_000);
        for (function, what) in [("many(frontdesk.event[])", "of many"), ("one(frontdesk.event)", "of one event")] {
            let rate = backlog(postgres, function, 100, events)?;
            let what = format!("handler {what}, backlog of {} events, batch 100", thousands(f64::from(events)));
            table.row(&[&what, &format!("{}/s", thousands(rate)), "20,000/s"]);
        }
    }
    if options.wants(ROWS[1]) {
        let events = count(20_000, 5_000);
        let rate = backlog(postgres, "one(frontdesk.event)", 1, events)?;
        let what = format!("handler, backlog of {} events, batch 1", thousands(f64::from(events)));
        table.row(&[&what, &format!("{}/s", thousands(rate)), "1,500/s"]);
    }
    if options.wants(ROWS[2]) {
        let measured = latency(postgres, count(3_000, 500))?;
        table.row(&["commit to a handler's effect at 100/s", &measured, "p50 ≤ 2 ms, p99 ≤ 15 ms"]);
    }
    table.print();
    Ok(())
}

/// Events a second, from the moment that a handler with a backlog is resumed.
fn backlog(postgres: &Postgres, function: &str, batch: u32, events: u32) -> Result<f64> {
    let cluster = server::start(postgres, &[])?;
    sql(&cluster, SCENE)?;
    sql(&cluster, "select frontdesk.watch('lead')")?;
    sql(
        &cluster,
        &format!("select frontdesk.add_handler('h', '{function}', events => '{{lead.*}}', batch => {batch})"),
    )?;
    // Its process is there, and what it needs is known.
    sql(&cluster, "insert into lead select -n from generate_series(1, 100) n")?;
    wait(&cluster, "select count(*) = 100 from effect")?;
    sql(&cluster, "select frontdesk.pause_endpoint('h')")?;
    sql(&cluster, &format!("insert into lead select n from generate_series(1, {events}) n"))?;
    sql(&cluster, "checkpoint")?;
    wait(&cluster, "select behind from frontdesk.handlers")?;
    let from = sql(&cluster, "select frontdesk.resume_endpoint('h'); select clock_timestamp()")?;
    wait(&cluster, &format!("select count(*) = {events} + 100 from effect"))?;
    let seconds = sql(&cluster, &format!("select extract(epoch from max(at) - '{from}') from effect"))?;
    Ok(f64::from(events) / seconds.parse::<f64>()?)
}

fn latency(postgres: &Postgres, events: u32) -> Result<String> {
    let cluster = server::start(postgres, &[])?;
    sql(&cluster, SCENE)?;
    sql(&cluster, "select frontdesk.watch('lead')")?;
    sql(&cluster, "select frontdesk.add_handler('h', 'one(frontdesk.event)', events => '{lead.*}')")?;
    sql(&cluster, "insert into lead select -n from generate_series(1, 100) n")?;
    wait(&cluster, "select count(*) = 100 from effect")?;
    sql(&cluster, "truncate effect")?;
    sql(&cluster, &format!("call write({events})"))?;
    wait(&cluster, &format!("select count(*) = {events} from effect"))?;
    let percentile = |part: &str| {
        format!("round((1000 * percentile_cont({part}) within group (order by extract(epoch from after)))::numeric, 2)")
    };
    sql(
        &cluster,
        &format!(
            "select 'p50 ' || {} || ' ms, p99 ' || {} || ' ms' from effect",
            percentile("0.5"),
            percentile("0.99")
        ),
    )
}

fn sql(cluster: &Cluster, text: &str) -> Result<String> {
    let answer = cluster.psql(DATABASE, text)?;
    Ok(answer.lines().last().unwrap_or_default().to_string())
}

fn wait(cluster: &Cluster, condition: &str) -> Result<()> {
    let started = Instant::now();
    while sql(cluster, condition)? != "t" {
        if started.elapsed() > Duration::from_secs(180) {
            bail!("in vain: {condition}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
