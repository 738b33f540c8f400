-- Room 80, health: what is wrong here, what it costs, and what to type.

create or replace function frontdesk_internal.findings()
returns table (severity text, area text, finding text, remedy text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s record;
  workers int := current_setting('max_worker_processes')::int;
begin
  select * into s from frontdesk.status();
  return query
  -- The engine.
  select 'critical', 'engine', format('the engine is %s: %s', s.state, s.reason),
    case s.state when 'silent' then 'select frontdesk.adopt();' when 'stopped' then 'select frontdesk.start();'
      when 'paused' then case when s.extension_version <> s.library_version then 'alter extension pg_frontdesk update;'
        when current_setting('frontdesk.enabled')::boolean then 'select frontdesk.resume();'
        else 'alter system set frontdesk.enabled = on; select pg_reload_conf();' end
      when 'standby' then 'Call it on the primary.' when 'not running' then 'select frontdesk.start();'
      else 'End what it waits for, or see the log of the server.' end
  where s.state <> 'running'
  union all
  select 'warning', 'engine', format('%s events are not processed yet, the oldest for %s seconds', s.lag_events, s.lag_seconds),
    'select * from frontdesk.status();'
  where s.lag_seconds > 60 and s.state = 'running'
  union all
  select 'warning', 'engine', format('events hold %s of %s allowed', pg_size_pretty(s.memory_used), pg_size_pretty(s.memory_limit)),
    'A receiver is slow, or events are large: see longest_queue in frontdesk.status(), and frontdesk.engine_memory.'
  where s.memory_used > 0.9 * s.memory_limit
  union all
  select 'warning', 'settings', 'the library is not preloaded: after a restart of the server the engine starts with the first change only',
    format('alter system set shared_preload_libraries = %s; and restart the server.',
      concat_ws(', ', nullif(current_setting('shared_preload_libraries'), ''), 'pg_frontdesk'))
  where current_setting('shared_preload_libraries') !~ '(^|[ ,"])pg_frontdesk($|[ ,"])'
  union all
  select 'warning', 'settings', format('max_worker_processes is %s: jobs want up to %s processes, beside an engine for each database, a launcher, and parallel queries',
      workers, current_setting('frontdesk.max_running_jobs')),
    format('alter system set max_worker_processes = %s; and restart the server.', current_setting('frontdesk.max_running_jobs')::int + 8)
  where workers < current_setting('frontdesk.max_running_jobs')::int + 3
  union all
  select 'critical', 'settings', format('%s is off: after a crash of the machine nothing is certain', g), format('alter system set %s = on; select pg_reload_conf();', g)
  from unnest('{fsync,full_page_writes}'::text[]) g where current_setting(g) = 'off'
  union all
  select 'warning', 'settings', 'autovacuum is off', 'alter system set autovacuum = on; select pg_reload_conf();'
  where current_setting('autovacuum') = 'off'
  union all
  select 'warning', 'secrets', 'secrets are stored unencrypted: there was no key when they were stored',
    'Set frontdesk.secret_key_file, then: select frontdesk.reencrypt_secrets();'
  where exists (
    select from (select x.secret from frontdesk_internal.endpoint_secret x union all select x.secret from frontdesk_internal.embedder_secret x
      union all select x.secret from frontdesk_internal.source_secret x) x
    where get_byte(x.secret, 0) = 0)
  -- Deliveries.
  union all
  select case when n.state = 'disabled' then 'critical' else 'warning' end, 'endpoint',
    format('endpoint "%s" is %s: %s', n.name, n.state, n.state_reason), format('select frontdesk.resume_endpoint(%L);', n.name)
  from frontdesk_internal.endpoint n where n.state <> 'active'
  union all
  select 'critical', 'endpoint', format('nothing is sent to endpoint "%s": %s', n.name, n.problem), format('select * from frontdesk.endpoints where name = %L;', n.name)
  from frontdesk_internal.endpoint n where n.problem is not null
  union all
  select 'warning', 'endpoint', format('endpoint "%s" fails since %s, %s times', n.name, n.failing_since::timestamptz(0), n.failures),
    format('select * from frontdesk.attempts where endpoint = %L and not succeeded order by id desc limit 5;', n.name)
  from frontdesk_internal.endpoint n where n.state = 'active' and n.failing_since < clock_timestamp() - interval '1 minute'
  union all
  select 'warning', 'endpoint', format('%s deliveries to %s are dead', d.n, coalesce(format('endpoint "%s"', d.name), 'direct requests')),
    coalesce(format('select frontdesk.replay(%L, since => %L); or frontdesk.discard(%L);', d.name, d.since::timestamptz(0), d.name),
      'select * from frontdesk.dead_letters where endpoint is null;')
  from (select n.name, count(*) as n, min(d.event_at) as since from frontdesk_internal.dead_letter d
    left join frontdesk_internal.endpoint n on n.id = d.endpoint_id group by n.name) d
  union all
  select 'info', 'endpoint', format('endpoint "%s" is called without TLS: who is on the way reads along', n.name),
    format('select frontdesk.alter_endpoint(%L, url => ''https://...'');', n.name)
  from frontdesk_internal.endpoint n where n.url like 'http://%' and n.url !~ '^http://(localhost|127\.|\[::1\])'
  union all
  select 'warning', 'source', format('source "%s" refused %s webhooks in the last day: %s', c.name, r.repeats + 1, r.reason),
    format('select * from frontdesk.receipts where source = %L and status >= 400 order by received_at desc;', c.name)
  from frontdesk_internal.receipt r join frontdesk_internal.source c on c.id = r.source_id
  where r.status >= 400 and r.received_at > clock_timestamp() - interval '1 day'
  -- What is watched.
  union all
  select 'critical', 'watch', format('trigger %s of %s is disabled: its changes are recorded nowhere', t.tgname, t.tgrelid::regclass),
    format('alter table %s enable trigger %I;', t.tgrelid::regclass, t.tgname)
  from pg_trigger t
  join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and d.classid = 'pg_proc'::regclass and d.objid = t.tgfoid
  join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk'
  where not t.tgisinternal and t.tgenabled in ('D', 'R') and t.tgparentid = 0
  -- Jobs and reminders.
  union all
  select 'critical', 'job', format('job "%s" does not run: %s', coalesce(j.name, j.id::text), w.reason), format('select * from frontdesk.explain_job(%s);', j.id)
  from frontdesk_internal.job j join frontdesk_internal.job_reason w on w.job_id = j.id where w.reason is not null and j.active
  union all
  select 'warning', 'job', format('job "%s" failed %s times in a row%s', coalesce(j.name, j.id::text), t.failures, coalesce(': ' || t.problem, '')),
    format('select * from frontdesk.explain_job(%s);', j.id)
  from frontdesk_internal.job j join frontdesk_internal.job_state t on t.job_id = j.id where t.failures > 0 or t.problem is not null
  union all
  select 'warning', 'reminder', format('reminder "%s": %s', r.name, coalesce(r.problem, t.trouble)), format('select * from frontdesk.reminders where name = %L;', r.name)
  from frontdesk_internal.timer_rule r left join frontdesk_internal.timer_state t on t.rule_id = r.id where coalesce(r.problem, t.trouble) is not null
  -- The log.
  union all
  select 'warning', 'log', format('there is no partition of %s for tomorrow', l), 'select frontdesk.maintain();'
  from unnest('{event,attempt_success,attempt_failure,job_run_success,job_run_failure}'::text[]) l
  where not exists (
    select from pg_class c join pg_namespace m on m.oid = c.relnamespace
    where m.nspname in ('frontdesk', 'frontdesk_internal')
      and c.relname = l || '_' || to_char((frontdesk.now() + interval '1 day') at time zone 'UTC', 'YYYYMMDD'))
  -- The server.
  union all
  select 'critical', 'server', format('replication slot %s is not in use and holds %s of WAL', r.slot_name, pg_size_pretty(h.bytes)),
    format('select pg_drop_replication_slot(%L); if nobody comes back to it.', r.slot_name)
  from pg_replication_slots r cross join lateral (
    select case when pg_is_in_recovery() then 0 else pg_wal_lsn_diff(pg_current_wal_lsn(), r.restart_lsn) end as bytes) h
  where not r.active and h.bytes > 1::bigint << 30
  union all
  select 'warning', 'server', format('process %s of %s is in a transaction since %s (%s)', a.pid, a.usename, a.xact_start::timestamptz(0), a.state),
    format('select pg_terminate_backend(%s); VACUUM cannot clean behind it.', a.pid)
  from pg_stat_activity a
  where a.datname = current_database() and a.backend_type = 'client backend' and a.xact_start < clock_timestamp() - interval '1 hour'
  union all
  select 'warning', 'server', format('a prepared transaction of %s waits since %s', p.owner, p.prepared::timestamptz(0)),
    format('rollback prepared %L; or commit it.', p.gid)
  from pg_prepared_xacts p where p.database = current_database() and p.prepared < clock_timestamp() - interval '1 hour'
  union all
  select 'warning', 'server', format('table %s will soon need a vacuum against the wraparound of transaction ids', c.oid::regclass),
    format('vacuum (freeze) %s;', c.oid::regclass)
  from pg_class c where c.relkind in ('r', 'm', 't') and age(c.relfrozenxid) > 1500000000
  -- The business.
  union all
  select 'warning', 'crm', format('schema crm is of version %s, the extension of %s', v.version, s.extension_version), 'select frontdesk.install_crm();'
  from (select frontdesk.crm_version() as version) v where v.version <> s.extension_version;
end
$$;
comment on function frontdesk_internal.findings() is 'internal: what doctor() shows, in no order';

create or replace function frontdesk.doctor() returns table (severity text, area text, finding text, remedy text)
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  select f.severity, f.area, f.finding, f.remedy from frontdesk_internal.findings() f
  order by array_position('{critical,warning,info}', f.severity), f.area, f.finding
$$;
comment on function frontdesk.doctor() is
  'what is wrong here, the worst first, each with what to type or do about it: engine, settings, secrets, endpoints, sources, '
  'watched tables, jobs, reminders, the log, the server, crm. No row: nothing was found';

create or replace function frontdesk.health_check() returns jsonb
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  with status as (select * from frontdesk.status()),
  worst as (
    select case when bool_or(f.severity = 'critical') then 'unhealthy' when bool_or(f.severity = 'warning') then 'degraded' else 'healthy' end as status
    from frontdesk_internal.findings() f)
  select jsonb_build_object(
    'status', coalesce(w.status, 'healthy'),
    'databases', jsonb_build_object('main', jsonb_build_object(
      'status', 'healthy', 'type', 'postgresql', 'name', current_database(),
      'table_counts', (
        select coalesce(jsonb_object_agg(t.name, t.rows), '{}')
        from (select case n.nspname when 'public' then c.relname::text else format('%s.%s', n.nspname, c.relname) end as name, greatest(c.reltuples, 0)::bigint as rows
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'frontdesk', 'frontdesk_internal')
          order by c.reltuples desc, 1 limit 100) t),
      'database_size', pg_size_pretty(pg_database_size(current_database())))),
    'performance', (
      select jsonb_build_object('active_connections', d.numbackends, 'transactions_committed', d.xact_commit,
        'transactions_rolled_back', d.xact_rollback, 'tuples_returned', d.tup_returned, 'tuples_fetched', d.tup_fetched,
        'cache_hit_ratio', round(100.0 * d.blks_hit / nullif(d.blks_hit + d.blks_read, 0), 2), 'deadlocks', d.deadlocks)
      from pg_stat_database d where d.datname = current_database()),
    'engine', jsonb_build_object('state', s.state, 'reason', s.reason, 'lag_events', s.lag_events, 'lag_seconds', s.lag_seconds,
      'in_flight', s.in_flight, 'retrying', s.retrying, 'dead', s.dead, 'version', s.library_version))
  from status s cross join worst w
$$;
comment on function frontdesk.health_check() is
  '{"status": "healthy" | "degraded" | "unhealthy", "databases": {"main": ...}, "performance": ..., "engine": ...}: status is '
  'the worst of doctor(); table_counts are the estimates of ANALYZE for the 100 largest tables';

create or replace function frontdesk_internal.metric(name text, kind text, help text, samples text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case when samples is not null then format(E'# TYPE %s %s\n# HELP %s %s\n%s\n', name, kind, name, help, samples) end
$$;
comment on function frontdesk_internal.metric is 'internal: a family of metrics in OpenMetrics text; null without samples';

create or replace function frontdesk_internal.label(value text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select '"' || replace(replace(replace(left(value, 100), '\', '\\'), '"', '\"'), E'\n', '\n') || '"'
$$;
comment on function frontdesk_internal.label is 'internal: the value of a label in OpenMetrics text';

create or replace function frontdesk.metrics() returns text
stable language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  s record;
  slot record;
  result text;
begin
  select * into s from frontdesk.status();
  select * into slot from frontdesk_internal.engine_slot();
  result := concat(
    frontdesk_internal.metric('frontdesk_up', 'gauge', '1 while the engine works', 'frontdesk_up ' || (s.state = 'running')::int),
    frontdesk_internal.metric('frontdesk_state', 'stateset', 'what the engine does',
      (select string_agg(format('frontdesk_state{frontdesk_state=%s} %s', frontdesk_internal.label(x), (x = s.state)::int), E'\n')
        from unnest('{running,paused,stopped,silent,standby,failing,stuck,not running}'::text[]) x)),
    frontdesk_internal.metric('frontdesk_lag_events', 'gauge', 'committed events that are not processed yet', 'frontdesk_lag_events ' || s.lag_events),
    frontdesk_internal.metric('frontdesk_lag_seconds', 'gauge', 'age of the oldest of them', 'frontdesk_lag_seconds ' || s.lag_seconds),
    frontdesk_internal.metric('frontdesk_in_flight', 'gauge', 'requests that wait for an answer', 'frontdesk_in_flight ' || coalesce(s.in_flight, 0)),
    frontdesk_internal.metric('frontdesk_queued', 'gauge', 'deliveries in memory that have not left', 'frontdesk_queued ' || coalesce(s.queued, 0)),
    frontdesk_internal.metric('frontdesk_retrying', 'gauge', 'deliveries that wait for another attempt', 'frontdesk_retrying ' || s.retrying),
    frontdesk_internal.metric('frontdesk_waiting', 'gauge', 'deliveries that wait for an earlier one of their key', 'frontdesk_waiting ' || s.waiting),
    frontdesk_internal.metric('frontdesk_dead', 'gauge', 'deliveries that were given up', 'frontdesk_dead ' || s.dead),
    frontdesk_internal.metric('frontdesk_oldest_pending_seconds', 'gauge', 'age of the oldest delivery that is not done',
      'frontdesk_oldest_pending_seconds ' || coalesce(round(extract(epoch from clock_timestamp() - s.oldest_pending), 3), 0)),
    frontdesk_internal.metric('frontdesk_memory_bytes', 'gauge', 'bytes of events in the memory of the engine', 'frontdesk_memory_bytes ' || coalesce(s.memory_used, 0)),
    frontdesk_internal.metric('frontdesk_memory_limit_bytes', 'gauge', 'frontdesk.engine_memory', 'frontdesk_memory_limit_bytes ' || coalesce(s.memory_limit, 0)),
    frontdesk_internal.metric('frontdesk_requests', 'counter', 'requests since the engine started, by outcome',
      format(E'frontdesk_requests_total{outcome="delivered"} %s\nfrontdesk_requests_total{outcome="failed"} %s',
        coalesce(slot.delivered, 0), coalesce(slot.failed, 0))),
    -- Per endpoint: the five hundred with the most trouble.
    (select concat(
        frontdesk_internal.metric('frontdesk_endpoint_up', 'gauge', '1 while deliveries to the endpoint succeed',
          string_agg(format('frontdesk_endpoint_up{endpoint=%s} %s', e.label, e.up), E'\n' order by e.label)),
        frontdesk_internal.metric('frontdesk_endpoint_retrying', 'gauge', 'its deliveries that wait for another attempt',
          string_agg(format('frontdesk_endpoint_retrying{endpoint=%s} %s', e.label, e.retrying), E'\n' order by e.label)),
        frontdesk_internal.metric('frontdesk_endpoint_dead', 'gauge', 'its deliveries that were given up',
          string_agg(format('frontdesk_endpoint_dead{endpoint=%s} %s', e.label, e.dead), E'\n' order by e.label)))
      from (
        select frontdesk_internal.label(n.name) as label, (n.state = 'active' and n.failing_since is null and n.problem is null)::int as up,
          coalesce(r.n, 0) as retrying, coalesce(d.n, 0) as dead
        from frontdesk_internal.endpoint n
        left join (select endpoint_id, count(*) as n from frontdesk_internal.retry group by endpoint_id) r on r.endpoint_id = n.id
        left join (select endpoint_id, count(*) as n from frontdesk_internal.dead_letter group by endpoint_id) d on d.endpoint_id = n.id
        order by coalesce(d.n, 0) + coalesce(r.n, 0) desc, n.name limit 500) e),
    (select concat(
        frontdesk_internal.metric('frontdesk_jobs', 'gauge', 'jobs that are scheduled', 'frontdesk_jobs ' || count(*) filter (where j.active)),
        frontdesk_internal.metric('frontdesk_jobs_failing', 'gauge', 'jobs whose last run failed, or that cannot run',
          'frontdesk_jobs_failing ' || count(*) filter (where t.failures > 0 or t.problem is not null)))
      from frontdesk_internal.job j left join frontdesk_internal.job_state t on t.job_id = j.id),
    frontdesk_internal.metric('frontdesk_log_bytes', 'gauge', 'size of the logs on disk',
      (select string_agg(format('frontdesk_log_bytes{log=%s} %s', frontdesk_internal.label(l.name), l.bytes), E'\n' order by l.name)
        from (
          select regexp_replace(c.relname, '_(\d{8}|default)$', '') as name, sum(pg_total_relation_size(c.oid)) as bytes
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('frontdesk', 'frontdesk_internal') and c.relispartition and c.relkind = 'r'
          group by 1) l)),
    frontdesk_internal.metric('frontdesk_build', 'info', 'versions',
      format('frontdesk_build_info{version=%s,postgresql=%s} 1', frontdesk_internal.label(s.library_version), frontdesk_internal.label(current_setting('server_version')))),
    E'# EOF\n');
  return result;
end
$$;
comment on function frontdesk.metrics() is
  'the state of the engine, its deliveries, endpoints (at most 500) and jobs as OpenMetrics 1.0 text, as Prometheus scrapes it';

create or replace function frontdesk.verify_extensions() returns table (extension_name text, installed boolean, version text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select w.name, x.oid is not null, coalesce(x.extversion, 'not needed: ' || w.instead)
  from (values ('pg_frontdesk', 'it is'), ('vector', 'only for search by meaning'), ('btree_gist', 'only for crm'), ('pg_trgm', 'only for crm'),
    ('unaccent', 'only for crm'), ('pg_stat_statements', 'only for slow_queries()'), ('pg_cron', 'frontdesk.schedule()'),
    ('pg_net', 'frontdesk.http_post()'), ('http', 'frontdesk.http_fetch()'), ('pgcrypto', 'frontdesk signs by itself'),
    ('uuid-ossp', 'gen_random_uuid() is PostgreSQL''s own')) w (name, instead)
  left join pg_extension x on x.extname = w.name
$$;
comment on function frontdesk.verify_extensions() is 'the extensions that matter here: which are installed, and what stands in for those that are not needed';

create or replace function frontdesk.verify_automation_setup() returns table (component text, status text, details text)
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  select 'scheduler', case when s.state = 'running' then 'working' else s.state end,
    format('%s jobs; %s', (select count(*) from frontdesk_internal.job j where j.active), coalesce(s.reason, 'pg_cron is not needed'))
  from frontdesk.status() s
  union all
  select 'webhooks', case when s.state = 'running' then 'working' else s.state end,
    format('%s endpoints, %s watched tables, %s dead deliveries; pg_net is not needed', s.endpoints, s.watches, s.dead)
  from frontdesk.status() s
  union all
  select 'realtime', case when exists (select from pg_publication p where p.pubname = 'supabase_realtime') then 'configured' else 'missing' end,
    format('%s tables in publication supabase_realtime', (select count(*) from pg_publication_tables t where t.pubname = 'supabase_realtime'))
  union all
  select 'sources', case when count(*) > 0 then 'configured' else 'none' end, format('%s senders may call receive_webhook()', count(*))
  from frontdesk_internal.source
  union all
  select 'crm', case when frontdesk.crm_version() is null then 'missing' else 'installed' end,
    coalesce('version ' || frontdesk.crm_version(), 'select frontdesk.install_crm();')
$$;
comment on function frontdesk.verify_automation_setup() is 'is everything there that webhooks, jobs and the business need: one row for each part, also for what is missing';

create or replace function frontdesk.blocking_sessions()
returns table (blocked_pid int, blocked_user name, blocked_query text, waits_since timestamptz, blocking_pid int, blocking_user name, blocking_query text, blocking_state text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select a.pid, a.usename, left(a.query, 1000), a.state_change, b.pid, b.usename, left(b.query, 1000), b.state
  from pg_stat_activity a cross join lateral unnest(pg_blocking_pids(a.pid)) p (pid) left join pg_stat_activity b on b.pid = p.pid
  where a.wait_event_type = 'Lock'
  order by a.state_change, a.pid
$$;
comment on function frontdesk.blocking_sessions() is 'who waits for whom, row locks and prepared transactions included (a blocking pid of 0); queries of other roles are for members of pg_read_all_stats';

create or replace function frontdesk.long_transactions(longer_than interval = '5 minutes')
returns table (pid int, username name, application text, state text, since timestamptz, duration interval, query text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select a.pid, a.usename, a.application_name, a.state, a.xact_start, clock_timestamp() - a.xact_start, left(a.query, 1000)
  from pg_stat_activity a
  where a.datname = current_database() and a.backend_type = 'client backend' and a.xact_start < clock_timestamp() - longer_than
  order by a.xact_start
$$;
comment on function frontdesk.long_transactions(interval) is 'transactions that are open for long: VACUUM cleans nothing that is younger, and locks are held';

create or replace function frontdesk.slow_queries(min_ms numeric = 100, most int = 20)
returns table (query text, calls bigint, mean_ms numeric, max_ms numeric, total_ms numeric, rows bigint)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  place text := (select n.nspname from pg_extension x join pg_namespace n on n.oid = x.extnamespace where x.extname = 'pg_stat_statements');
begin
  if place is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = 'extension pg_stat_statements is not installed',
      hint = 'Add it to shared_preload_libraries, restart the server, and: create extension pg_stat_statements;';
  end if;
  return query execute format(
    'select left(s.query, 2000), s.calls, round(s.mean_exec_time::numeric, 3), round(s.max_exec_time::numeric, 3), round(s.total_exec_time::numeric, 3), s.rows
     from %I.pg_stat_statements s where s.dbid = (select d.oid from pg_database d where d.datname = current_database()) and s.mean_exec_time >= $1
     order by s.mean_exec_time desc limit $2', place) using min_ms, most;
end
$$;
comment on function frontdesk.slow_queries(numeric, int) is
  'statements that take at least so many milliseconds on average, the slowest first; by pg_stat_statements, whose rows of other roles are for members of pg_read_all_stats';

create or replace function frontdesk.table_sizes(most int = 50)
returns table (relation regclass, rows bigint, total text, total_bytes bigint, table_bytes bigint, index_bytes bigint, toast_bytes bigint)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select t.oid::regclass, t.rows, pg_size_pretty(t.total), t.total, t.main, t.indexes, t.total - t.main - t.indexes
  from (
    select coalesce(pg_partition_root(c.oid), c.oid::regclass)::oid as oid, sum(greatest(c.reltuples, 0))::bigint as rows,
      sum(pg_total_relation_size(c.oid))::bigint as total, sum(pg_relation_size(c.oid))::bigint as main, sum(pg_indexes_size(c.oid))::bigint as indexes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    group by 1) t
  order by t.total desc, t.oid limit most
$$;
comment on function frontdesk.table_sizes(int) is 'the largest tables with all their partitions; rows are the estimate of ANALYZE';

create or replace function frontdesk.index_usage()
returns table (relation regclass, index regclass, scans bigint, bytes bigint, unique_ boolean)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select s.relid::regclass, s.indexrelid::regclass, s.idx_scan, pg_relation_size(s.indexrelid), i.indisunique
  from pg_stat_user_indexes s join pg_index i on i.indexrelid = s.indexrelid
  order by s.idx_scan, pg_relation_size(s.indexrelid) desc
$$;
comment on function frontdesk.index_usage() is 'how often each index was used since the statistics were reset, the least used first; a unique one (unique_) is needed all the same';

create or replace function frontdesk.connection_stats()
returns table (state text, connections bigint, oldest_seconds numeric, of_max numeric)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(a.state, 'other'), count(*), round(extract(epoch from clock_timestamp() - min(a.state_change)), 1),
    round(100.0 * count(*) / current_setting('max_connections')::int, 1)
  from pg_stat_activity a where a.backend_type = 'client backend' group by 1 order by 2 desc
$$;
comment on function frontdesk.connection_stats() is 'connections by state, how long the oldest is in it, and per cent of max_connections';

create or replace function frontdesk.cache_hit_ratio() returns table (what text, hits bigint, reads bigint, per_cent numeric)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select 'tables', sum(heap_blks_hit)::bigint, sum(heap_blks_read)::bigint, round(100.0 * sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0), 2)
  from pg_statio_user_tables
  union all
  select 'indexes', sum(idx_blks_hit)::bigint, sum(idx_blks_read)::bigint, round(100.0 * sum(idx_blks_hit) / nullif(sum(idx_blks_hit + idx_blks_read), 0), 2)
  from pg_statio_user_tables
$$;
comment on function frontdesk.cache_hit_ratio() is 'how much of what was read stood in shared_buffers; below 99 per cent for a busy database they may be too small';
