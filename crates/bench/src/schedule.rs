//! `cargo xtask bench schedule`: how late jobs start, how many start at once, what timers cost and how fast they fire.
//! Beside pg_cron with background workers when the server offers it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Options;
use super::server::{self, DATABASE};
use super::table::{Table, thousands};
use testbed::cluster::Cluster;
use testbed::postgres::Postgres;

const SECONDS: u64 = 60;
const JOBS: i64 = 100;
/// A command that notes when it really began, which a scheduler may see otherwise.
const TABLE: &str = "create table ran (at timestamptz default clock_timestamp())";
const COMMAND: &str = "insert into ran default values";

pub fn run(postgres: &Postgres, options: &Options) -> Result<()> {
    let quick = options.quick;
    let mut table = Table::new(&["what", "measured", "at least"]);
    on_time(postgres, if quick { 10 } else { SECONDS }, &mut table)?;
    on_the_minute(postgres, &mut table)?;
    at_once(postgres, &mut table)?;
    plan(postgres, &mut table)?;
    timers(postgres, if quick { 100_000 } else { 1_000_000 }, &mut table)?;
    table.print();
    Ok(())
}

fn on_time(postgres: &Postgres, seconds: u64, table: &mut Table) -> Result<()> {
    let cluster = server::start(
        postgres,
        &[("frontdesk.log_jobs", "off"), ("frontdesk.max_running_jobs", "24"), ("frontdesk.max_jobs_per_role", "24")],
    )?;
    sql(&cluster, TABLE)?;
    sql(
        &cluster,
        &format!("select frontdesk.schedule('job ' || n, '1 second', '{COMMAND}') from generate_series(1, {JOBS}) n"),
    )?;
    std::thread::sleep(Duration::from_secs(2));
    let from = sql(&cluster, "select date_trunc('second', now()) + interval '1 second'")?;
    std::thread::sleep(Duration::from_secs(seconds + 2));
    sql(&cluster, "select frontdesk.unschedule(id) from frontdesk.jobs")?;
    let within = format!("'{from}' and '{from}'::timestamptz + interval '{seconds} s'");
    let late = late("second", &format!("ran where at between {within}"));
    let measured = sql(&cluster, &late)?;
    let missed = sql(
        &cluster,
        &format!(
            "select {JOBS} * {seconds} - count(*) from frontdesk_internal.job_run r
             where r.status = 'succeeded' and r.scheduled_at between {within} and r.scheduled_at < '{from}'::timestamptz + interval '{seconds} s'"
        ),
    )?;
    table.row(&[
        &format!("start error of {JOBS} one-second jobs over {seconds} s"),
        &format!("{measured}, missed {missed}"),
        "p99 ≤ 250 ms, missed 0",
    ]);
    Ok(())
}

/// How long after the whole second or minute the commands began.
fn late(unit: &str, ran: &str) -> String {
    let late = format!("extract(epoch from at - date_trunc('{unit}', at)) * 1000");
    format!(
        "select 'p50 ' || round((percentile_cont(0.5) within group (order by {late}))::numeric, 1) || ' ms, p99 ' ||
           round((percentile_cont(0.99) within group (order by {late}))::numeric, 1) || ' ms' from {ran}"
    )
}

/// Jobs of two whole minutes, which pg_cron has too.
fn on_the_minute(postgres: &Postgres, table: &mut Table) -> Result<()> {
    let ours = {
        let cluster = server::start(
            postgres,
            &[
                ("frontdesk.log_jobs", "off"),
                ("frontdesk.max_running_jobs", "24"),
                ("frontdesk.max_jobs_per_role", "24"),
            ],
        )?;
        sql(&cluster, TABLE)?;
        sql(
            &cluster,
            &format!(
                "select frontdesk.schedule('job ' || n, '* * * * *', '{COMMAND}') from generate_series(1, {JOBS}) n"
            ),
        )?;
        wait(&cluster, &format!("select count(*) >= 2 * {JOBS} from ran"))?;
        sql(&cluster, &late("minute", "ran"))?
    };
    let peer = match cron(postgres, JOBS, COMMAND)? {
        Some(cluster) => {
            wait(&cluster, &format!("select count(*) >= 2 * {JOBS} from ran"))?;
            format!("pg_cron {}", sql(&cluster, &late("minute", "ran"))?)
        }
        None => "pg_cron is not installed".to_string(),
    };
    table.row(&[&format!("{JOBS} jobs of every minute, start error"), &format!("{ours} ({peer})"), "p50 ≤ pg_cron's"]);
    Ok(())
}

/// Jobs that are all due at the same moment, from that moment to the last one's end.
fn at_once(postgres: &Postgres, table: &mut Table) -> Result<()> {
    let ours = {
        let cluster = server::start(
            postgres,
            &[
                ("frontdesk.log_jobs", "off"),
                ("frontdesk.max_running_jobs", "24"),
                ("frontdesk.max_jobs_per_role", "24"),
            ],
        )?;
        let at = sql(&cluster, "select date_trunc('second', now()) + interval '4 seconds'")?;
        sql(
            &cluster,
            &format!("select frontdesk.schedule_once('{at}', 'select 1', 'job ' || n) from generate_series(1, 1000) n"),
        )?;
        wait(&cluster, "select count(*) >= 1000 from frontdesk_internal.job_run where status = 'succeeded'")?;
        sql(
            &cluster,
            "select round(1000 / extract(epoch from max(finished_at) - min(scheduled_at))) from frontdesk_internal.job_run",
        )?
    };
    let peer = match cron(postgres, 1000, "select 1")? {
        Some(cluster) => {
            wait(&cluster, "select count(*) >= 1000 from cron.job_run_details where status = 'succeeded'")?;
            let rate = "select round(1000 / extract(epoch from max(end_time) - date_trunc('minute', min(start_time))))
              from (select * from cron.job_run_details order by runid limit 1000) r";
            format!("pg_cron {}/s", sql(&cluster, rate)?)
        }
        None => "pg_cron is not installed".to_string(),
    };
    table.row(&["jobs of select 1 started at once", &format!("{ours}/s ({peer})"), "2 × pg_cron"]);
    Ok(())
}

/// pg_cron with background workers, and so many jobs of every minute.
fn cron(postgres: &Postgres, jobs: i64, command: &str) -> Result<Option<Cluster>> {
    let settings = [
        ("shared_preload_libraries", "pg_cron"),
        ("cron.use_background_workers", "on"),
        ("cron.max_running_jobs", "24"),
        ("cron.database_name", DATABASE),
    ];
    let probe = server::start(postgres, &[])?;
    if server::offered(&probe, &["pg_cron"])?.is_empty() {
        return Ok(None);
    }
    probe.set(&settings)?;
    probe.restart()?;
    sql(&probe, "create extension pg_cron")?;
    sql(&probe, TABLE)?;
    let schedule = format!("select cron.schedule('job ' || n, '* * * * *', '{command}')");
    sql(&probe, &format!("{schedule} from generate_series(1, {jobs}) n"))?;
    Ok(Some(probe))
}

/// The next moments of 10,000 different schedules, as the engine works them out when jobs are changed.
fn plan(postgres: &Postgres, table: &mut Table) -> Result<()> {
    let cluster = server::start(postgres, &[])?;
    let plan = "select count(r.next) from generate_series(1, 10000) n,
      frontdesk.next_runs(format('%s %s * * %s', n % 60, n % 24, n % 7), 'America/New_York', 1) r (next)";
    let mut milliseconds = Vec::new();
    for _ in 0..5 {
        let spent = sql(
            &cluster,
            &format!(
                "create temp table began as select clock_timestamp() as at; {plan};
          select extract(epoch from clock_timestamp() - at) * 1000 from began"
            ),
        )?;
        milliseconds.push(spent.parse().unwrap_or(f64::NAN));
    }
    milliseconds.sort_by(f64::total_cmp);
    let figure = format!("{:.1} ms", milliseconds[2]);
    table.row(&["next-run arithmetic, 10,000 jobs planned again (by next_runs())", &figure, "≤ 100 ms"]);
    Ok(())
}

fn timers(postgres: &Postgres, rows: u64, table: &mut Table) -> Result<()> {
    let cluster = server::start(postgres, &[])?;
    sql(&cluster, "create table plain (id bigint primary key, at timestamptz, status text)")?;
    sql(&cluster, "create table watched (id bigint primary key, at timestamptz, status text)")?;
    sql(&cluster, "select frontdesk.remind('watched', 'at', '-1 hour', 'bench.timer', '{\"status\": \"open\"}')")?;
    let fill = |name: &str| -> Result<Duration> {
        let started = Instant::now();
        sql(
            &cluster,
            &format!(
                "insert into {name} select n, now() + interval '9 days' + n * interval '1 ms', 'open' from generate_series(1, {rows}) n"
            ),
        )?;
        Ok(started.elapsed())
    };
    let (plain, watched) = (fill("plain")?, fill("watched")?);
    let micros = (watched.as_secs_f64() - plain.as_secs_f64()) * 1e6 / rows as f64;
    table.row(&[
        &format!("insert of a row with a timer, {} of them: overhead", thousands(rows as f64)),
        &format!("{micros:.1} µs a row"),
        "≤ 60 µs a row",
    ]);
    sql(&cluster, "select frontdesk.pause()")?;
    sql(&cluster, "insert into watched select -n, now() + interval '1 hour', 'open' from generate_series(1, 10000) n")?;
    sql(&cluster, "select frontdesk.resume()")?;
    let started = Instant::now();
    wait(&cluster, "select count(*) >= 10000 from frontdesk.event where type = 'bench.timer'")?;
    let span = sql(
        &cluster,
        "select count(*) / extract(epoch from max(created_at) - min(created_at)) from frontdesk.event where type = 'bench.timer'",
    )?;
    let whole = 10_000.0 / started.elapsed().as_secs_f64();
    table.row(&[
        &format!("10,000 due at once, {} pending", thousands(rows as f64)),
        &format!(
            "{} events/s (first to last), {} from resume()",
            thousands(span.parse().unwrap_or(0.0)),
            thousands(whole)
        ),
        "10,000 events/s",
    ]);
    Ok(())
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
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
