//! Jobs: on time, after an outage, through a year, and the seeds' own.

use std::time::Duration;
use tests::{Database, Desk, Server, wait_for, wait_until};

/// The cron jobs named in the systems this one takes over from, against tables of their shapes.
const SEEDS: [(&str, &str, &str); 20] = [
    (
        "actualizar-citas-pasadas",
        "0 * * * *",
        "update citas set cita_pasada = 'cita_pasada' where fecha_cita_timezone_cliente < now() and cita_pasada is distinct from 'cita_pasada'",
    ),
    ("recordatorio-citas-24h", "0 * * * *", "select enviar_recordatorio_cita_n8n()"),
    ("verificacion-asistencia-citas", "*/5 * * * *", "select verificar_citas_para_webhook()"),
    (
        "monitor-expiring-api-keys",
        "0 9 * * *",
        "insert into notifications (user_id, type, title, message) select user_id, 'api_key_expiring', service, 'expires soon' from api_keys where expires_at < now() + interval '7 days'",
    ),
    (
        "update-trip-statistics",
        "0 6 * * *",
        "insert into system_metrics (metric_type, metric_name, value) select 'trips', status, count(*) from trips group by status",
    ),
    ("daily-cleanup", "0 2 * * *", "delete from search_hotels where expires_at < now()"),
    ("weekly-maintenance", "0 3 * * 0", "reindex table trips; analyze trips"),
    ("monthly-cleanup", "0 4 1 * *", "delete from webhook_logs where created_at < now() - interval '90 days'"),
    ("search-cache-cleanup", "0 */6 * * *", "delete from search_flights where expires_at < now()"),
    (
        "expire-sessions",
        "0 * * * *",
        "update chat_sessions set ended_at = now() where ended_at is null and created_at < now() - interval '1 day'",
    ),
    (
        "cleanup-executions",
        "0 3 * * *",
        "delete from automation_executions where status in ('completed', 'cancelled') and completed_at < now() - interval '30 days'; delete from automation_executions where status = 'failed' and completed_at < now() - interval '7 days'",
    ),
    (
        "cleanup-expired-search-cache",
        "0 2 * * *",
        "delete from search_destinations where expires_at < now(); delete from search_activities where expires_at < now(); delete from search_flights where expires_at < now(); delete from search_hotels where expires_at < now()",
    ),
    (
        "cleanup-old-session-memories",
        "0 3 * * *",
        "delete from session_memories where created_at < now() - interval '30 days'",
    ),
    (
        "update-table-statistics",
        "0 1 * * *",
        "analyze trips; analyze flights; analyze accommodations; analyze chat_messages; analyze memories",
    ),
    (
        "archive-old-completed-trips",
        "0 4 * * 0",
        "update trips set status = 'archived' where status = 'completed' and updated_at < now() - interval '1 year'",
    ),
    (
        "vacuum-tables",
        "0 5 * * 0",
        "vacuum analyze trips; vacuum analyze flights; vacuum analyze accommodations; vacuum analyze chat_messages; vacuum analyze memories",
    ),
    (
        "generate-memory-embeddings",
        "*/30 * * * *",
        "update memories set metadata = metadata || '{\"needs_embedding\": true}' where embedding is null and created_at > now() - interval '1 hour'",
    ),
    (
        "monitor-database-health",
        "*/5 * * * *",
        "insert into system_metrics (metric_type, metric_name, value) select 'db', 'active_connections', count(*) from pg_stat_activity",
    ),
    (
        "upcoming-appointments",
        "*/15 * * * *",
        "select id from citas where fecha_cita between now() and now() + interval '24 hours' and not recordatorio_enviado",
    ),
    ("past-appointments", "@hourly", "select id from citas where fecha_cita < now() and asistencia is null"),
];

const SHAPES: &str = "
    create table citas (id bigint primary key, fecha_cita timestamptz, fecha_cita_timezone_cliente timestamptz, cita_pasada text, asistencia text,
      recordatorio_enviado boolean default false);
    insert into citas values (1, now() - interval '1 hour', now() - interval '1 hour'), (2, now() + interval '5 hours', now() + interval '5 hours');
    create function enviar_recordatorio_cita_n8n() returns void language plpgsql as $$ begin
      perform frontdesk.emit('cita.recordatorio', jsonb_build_object('id', id)) from public.citas where fecha_cita > now(); end $$;
    create function verificar_citas_para_webhook() returns int language sql as $$ select count(*)::int from public.citas where asistencia is null $$;
    create table notifications (id bigint generated always as identity, user_id uuid, type text, title text, message text);
    create table api_keys (user_id uuid, service text, expires_at timestamptz);
    insert into api_keys values (gen_random_uuid(), 'maps', now() + interval '2 days');
    create table trips (id bigint primary key, status text, updated_at timestamptz);
    insert into trips values (1, 'completed', now() - interval '2 years'), (2, 'planned', now());
    create table flights (id bigint); create table accommodations (id bigint); create table chat_messages (id bigint);
    create table memories (id bigint, embedding real[], metadata jsonb default '{}', created_at timestamptz default now());
    insert into memories (id) values (1);
    create table session_memories (id bigint, created_at timestamptz);
    create table chat_sessions (id bigint, created_at timestamptz, ended_at timestamptz);
    create table search_destinations (expires_at timestamptz); create table search_activities (expires_at timestamptz);
    create table search_flights (expires_at timestamptz); create table search_hotels (expires_at timestamptz);
    create table system_metrics (metric_type text, metric_name text, value numeric);
    create table webhook_logs (created_at timestamptz);
    create table automation_executions (status text, completed_at timestamptz)";

#[test]
fn the_seeds_jobs_run() {
    let database = Database::create();
    database.run(SHAPES);
    for (name, schedule, command) in SEEDS {
        database.run(&format!("select frontdesk.schedule('{name}', '{schedule}', $cmd${command}$cmd$)"));
        database.run(&format!("select frontdesk.run_job('{name}')"));
    }
    wait_for("all ran", Duration::from_secs(60), || {
        database.count("frontdesk_internal.job_run where status not in ('waiting', 'running')") >= SEEDS.len() as i64
    });
    let failed: Vec<String> = database.list(
        "select job_name || ': ' || coalesce(message, '') from frontdesk_internal.job_run where status <> 'succeeded'",
    );
    assert_eq!(failed, [] as [&str; 0]);
    assert_eq!(database.get::<String>("select status from trips where id = 1"), "archived");
    assert_eq!(database.get::<String>("select cita_pasada from citas where id = 1"), "cita_pasada");
    database.wait("(select last_vacuum is not null from pg_stat_user_tables where relname = 'trips')");
}

#[test]
fn jobs_run_on_time_and_a_failure_is_a_webhook() {
    let desk = Desk::open();
    desk.endpoint("alerts", "/alerts", "events => '{job.*}'");
    desk.endpoint("all", "/all", "events => '{*}'");
    desk.run("create table tick (at timestamptz default clock_timestamp()); create table broken (id int)");
    desk.run("select frontdesk.schedule('tick', '1 second', 'insert into tick default values')");
    desk.run("select frontdesk.schedule('fails', '1 second', 'select 1 / (select count(*) from broken)')");
    let requests = desk.await_requests("/alerts", 1);
    assert!(requests[0].body.contains("division by zero"));
    desk.run("insert into broken values (1)");
    wait_until("recovered", || desk.types("/alerts").iter().any(|kind| kind == "job.recovered"));
    // A lone star does not take what the engine says of itself.
    desk.fence("/all");
    assert!(desk.types("/all").iter().all(|kind| !kind.starts_with("job.")));
    wait_until("five ticks", || desk.count("tick") >= 5);
    let late: f64 = desk.get(
        "select percentile_cont(0.5) within group (order by extract(epoch from started_at - scheduled_at))::float8
         from frontdesk_internal.job_run where job_name = 'tick'",
    );
    assert!(late < 0.2, "started {late} s late at the median");
}

#[test]
fn overlap_skips_queues_or_allows() {
    let database = Database::create();
    for overlap in ["skip", "queue", "allow"] {
        database.run(&format!(
            "select frontdesk.schedule('{overlap}', '1 second', 'select pg_sleep(2.5)', overlap => '{overlap}')"
        ));
    }
    wait_for("several came due", Duration::from_secs(20), || {
        database.count("frontdesk_internal.job_run where job_name = 'allow' and status = 'succeeded'") >= 3
    });
    let most = |job: &str| -> i64 {
        database.get(&format!(
            "select max(n) from (select count(*) n from frontdesk_internal.job_run a join frontdesk_internal.job_run b on b.job_name = a.job_name
               and b.status <> 'skipped' and a.started_at >= b.started_at and (b.finished_at is null or a.started_at < b.finished_at)
             where a.job_name = '{job}' and a.status <> 'skipped' group by a.id) s"
        ))
    };
    assert_eq!((most("skip"), most("queue")), (1, 1));
    assert!(most("allow") >= 2);
    assert!(
        database.count("frontdesk_internal.job_run where job_name = 'skip' and message = 'the last run is not over'")
            > 0
    );
    assert!(
        database.count("frontdesk_internal.job_run where job_name = 'queue' and message = 'a run waits already'") > 0
    );
}

#[test]
fn after_a_crash_nothing_is_lost_and_what_ran_is_interrupted() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    database.run(
        "create table ran (job text, at timestamptz default clock_timestamp());
         create table visit (id bigint primary key, starts_at timestamptz);
         select frontdesk.remind('visit', 'starts_at', '0', 'visit.begins');
         select frontdesk.remind('visit', 'starts_at', '0', 'visit.never', name => 'never', expires => '1 second');
         select frontdesk.schedule('long', '@yearly', 'insert into ran (job) values (''long''); select pg_sleep(30)', max_retries => 1, retry_delay => '1 second');
         select frontdesk.schedule('long once', '@yearly', 'select pg_sleep(30)');
         select frontdesk.schedule_once(now() + interval '4 seconds', 'insert into ran (job) values (''one'')', 'one');
         select frontdesk.schedule_once(now() + interval '4 seconds', 'insert into ran (job) values (''none'')', 'none', catch_up => 'none');
         select frontdesk.schedule('boot', '@reboot', 'insert into ran (job) values (''boot'')');
         insert into visit select n, now() + interval '4 seconds' from generate_series(1, 100) n;",
    );
    database.run("select frontdesk.run_job('long'), frontdesk.run_job('long once')");
    database.wait("(select count(*) = 2 from pg_stat_activity where backend_type = 'frontdesk job' and application_name like 'frontdesk job long%')");
    server.kill9().unwrap();
    std::thread::sleep(Duration::from_secs(7));
    server.start().unwrap();
    database.reconnect();
    wait_for("all fired", Duration::from_secs(30), || {
        database.count("frontdesk.event where type = 'visit.begins'") >= 100
    });
    wait_for("made up for", Duration::from_secs(30), || database.count("ran where job in ('one', 'boot')") >= 2);
    assert_eq!(database.count("frontdesk_internal.job_run where status = 'interrupted'"), 2);
    wait_for("tried again", Duration::from_secs(30), || {
        database.count("frontdesk_internal.job_run where job_name = 'long' and attempt = 2 and status = 'running'") == 1
    });
    // Once more, with nothing due: nothing fires twice.
    server.kill9().unwrap();
    server.start().unwrap();
    database.reconnect();
    database.wait("(select count(*) = 2 from ran where job = 'boot')");
    assert_eq!(database.count("frontdesk.event where type = 'visit.begins'"), 100);
    assert_eq!(database.count("frontdesk.event where type = 'visit.never'"), 0);
    assert_eq!(database.count("ran where job = 'one'"), 1);
    assert_eq!(database.count("frontdesk_internal.job_run where job_name = 'long once'"), 1);
}

#[test]
fn a_year_with_a_faked_clock() {
    let server = Server::preloaded(&[("frontdesk.fake_now", "2026-01-01T00:00:00Z"), ("timezone", "UTC")]);
    let database = Database::on(&server);
    database.run(
        "select frontdesk.schedule('monthly', '0 9 1 * *', 'select 1', timezone => 'Europe/Berlin');
         select frontdesk.schedule('dst', '30 2 * * *', 'select 1', timezone => 'Europe/Berlin');
         select frontdesk.schedule('weekdays', '0 8 * * mon-fri', 'select 1', catch_up => 'all', overlap => 'allow');
         select frontdesk.schedule('never late', '0 7 * * *', 'select 1', catch_up => 'none')",
    );
    let go = |moment: &str| {
        server.set(&[("frontdesk.fake_now", moment)]).unwrap();
        server.reload().unwrap();
    };
    // Each month is a jump of the clock: of what was missed one run is made up for, or all, or none.
    for month in 2..=12 {
        go(&format!("2026-{month:02}-01T12:00:00Z"));
        wait_for("the month's run", Duration::from_secs(30), || {
            database.count("frontdesk_internal.job_run where job_name = 'monthly' and status = 'succeeded'")
                == month - 1
        });
        let weekdays: i64 = database.get(&format!(
            "select count(*) from frontdesk.next_runs('0 8 * * mon-fri', 'UTC', 400, '2026-01-01T00:00:00Z') n where n <= '2026-{month:02}-01T12:00:00Z'"
        ));
        wait_for("all weekdays", Duration::from_secs(60), || {
            database.count("frontdesk_internal.job_run where job_name = 'weekdays' and status = 'succeeded'")
                == weekdays
        });
    }
    assert_eq!(database.count("frontdesk_internal.job_run where job_name = 'dst' and status = 'succeeded'"), 11);
    assert_eq!(database.count("frontdesk_internal.job_run where job_name = 'never late' and status = 'succeeded'"), 0);
    assert_eq!(database.count("frontdesk_internal.job_run where job_name = 'never late' and status = 'skipped'"), 11);
    let at_nine: i64 = database.get(
        "select count(*) from frontdesk_internal.job_run where job_name = 'monthly' and extract(hour from scheduled_at at time zone 'Europe/Berlin') = 9",
    );
    assert_eq!(at_nine, 11);
    // Back by an hour: a job at a fixed time is not repeated. On by a minute a day: on time, and skipped by nobody.
    go("2026-12-01T07:00:00Z");
    go("2026-12-02T07:00:10Z");
    wait_for("on time", Duration::from_secs(30), || {
        database.count("frontdesk_internal.job_run where job_name = 'never late' and status = 'succeeded'") == 1
    });
    assert_eq!(database.count("frontdesk_internal.job_run where job_name = 'monthly' and status = 'succeeded'"), 11);
}

#[test]
fn a_run_is_cancelled_and_stop_ends_what_runs() {
    let server = Server::preloaded(&[]);
    let database = Database::on(&server);
    database.run("select frontdesk.schedule('long', '@yearly', 'select pg_sleep(60)')");
    let run: i64 = database.get("select frontdesk.run_job('long')");
    let status = |run: i64| -> String {
        database.get(&format!("select status from frontdesk_internal.job_run where id = {run}"))
    };
    wait_until("it runs", || status(run) == "running");
    assert!(database.get::<bool>(&format!("select frontdesk.cancel_run({run})")));
    wait_until("it is cancelled", || status(run) == "cancelled");
    assert!(!database.get::<bool>(&format!("select frontdesk.cancel_run({run})")), "it is over");
    // However early.
    for _ in 0..10 {
        let run: i64 = database.get("select frontdesk.run_job('long')");
        wait_until("it begins", || status(run) != "waiting");
        assert!(database.get::<bool>(&format!("select frontdesk.cancel_run({run})")));
        wait_until("it is cancelled", || status(run) == "cancelled");
    }

    let run: i64 = database.get("select frontdesk.run_job('long')");
    wait_until("it runs", || status(run) == "running");
    database.run("select frontdesk.stop()");
    database.wait("(select count(*) = 0 from pg_stat_activity where backend_type like 'frontdesk job%')");
    database.run("select frontdesk.start()");
    wait_until("it is interrupted", || status(run) == "interrupted");
}

#[test]
fn a_process_works_again_for_the_same_role_and_remembers_nothing() {
    let server = Server::preloaded(&[("frontdesk.max_running_jobs", "1")]);
    let database = Database::on(&server);
    database.run(
        "create role other;
         create table seen (id int generated always as identity, pid int, owner text, found text);
         grant insert, select on seen to other;
         grant pg_monitor to other;
         do $do$ begin
           for n in 1..20 loop
             perform frontdesk.schedule_once(now() + interval '1 day', $job$
               insert into seen (pid, owner, found) select pg_backend_pid(), session_user, concat_ws(' ', current_user, current_setting('work_mem'),
                 nullif(current_setting('my.own', true), ''), to_regclass('pg_temp.kept'), (select string_agg(name, ' ') from pg_prepared_statements),
                 (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()));
               set work_mem = '77MB'; set my.own = 'mine'; create temp table kept (); prepare left_over as select 1; select pg_advisory_lock(77);
               set role pg_monitor $job$, 'job ' || n, username => case when n % 10 = 0 then 'other' end);
           end loop;
         end $do$;
         select frontdesk.run_job('job ' || n) from generate_series(1, 20) n",
    );
    wait_for("all have run", Duration::from_secs(40), || {
        database.count("frontdesk_internal.job_run where status = 'succeeded'") == 20
    });
    assert_eq!(
        database.list::<String>("select distinct regexp_replace(found, owner, 'itself') from seen"),
        ["itself 4MB 0"],
        "each is as in a new session"
    );
    assert_eq!(database.count("(select pid from seen group by pid having count(distinct owner) > 1) mixed"), 0);
    assert!(database.count("(select distinct pid from seen) processes") < 20, "most came to a process that was there");
}

#[test]
fn without_a_free_worker_a_job_waits_and_says_so() {
    let server = Server::preloaded(&[("max_worker_processes", "4"), ("max_logical_replication_workers", "0")]);
    let database = Database::on(&server);
    // Jobs leave room for the engine; the place that they count on is taken by the engines of other databases.
    let others = [Database::on(&server), Database::on(&server)];
    others.iter().for_each(|other| assert!(other.engine() > 0));
    database.run(
        "select frontdesk.schedule('long ' || n, '@yearly', 'select pg_sleep(1)') from generate_series(1, 4) n;
         select frontdesk.run_job('long ' || n) from generate_series(1, 4) n",
    );
    wait_until("none fits", || server.log().contains("no free worker slot for a job"));
    assert_eq!(database.count("pg_stat_activity where backend_type like 'frontdesk job%'"), 0);
    drop(others);
    wait_for("all have run", Duration::from_secs(40), || {
        database.count("frontdesk_internal.job_run where status = 'succeeded'") == 4
    });
}
