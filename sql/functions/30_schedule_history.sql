-- Room 30, schedule: what the jobs do, did and will do.

create or replace function frontdesk_internal.engine_state(out state text, out reason text)
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select case
      when pg_is_in_recovery() then 'standby' when frontdesk.is_clone() then 'silent' when i.state <> 'running' then i.state
      when s.pid is null then 'not running' else 'running' end,
    i.state_reason
  from frontdesk_internal.installation i left join frontdesk_internal.engine_slot() s on true
$$;
comment on function frontdesk_internal.engine_state is
  'is the engine of this database running, or why not; in one word, as status() says it at length';

create or replace view frontdesk_internal.job_reason as
select j.id as job_id,
  case when j.home is distinct from frontdesk_internal.installation_id() then 'it came with a dump, and waits for frontdesk.adopt()'
    when o.oid is null then format('its role %s was dropped', j.owner)
    when j.login and not o.rolcanlogin then format('its role %s may not log in any more', j.owner)
    when j.scheduled_by is not null and s.oid is null then format('%s, who scheduled it as %s, is not there', j.scheduled_by, j.owner)
    when not coalesce(pg_has_role(s.oid, o.oid, 'set'), true) then format('%s, who scheduled it, may not become %s any more', j.scheduled_by, j.owner)
  end as reason
from frontdesk_internal.job j left join pg_roles o on o.oid = j.owner::oid left join pg_roles s on s.rolname = j.scheduled_by;
comment on view frontdesk_internal.job_reason is 'why the roles of a job do not let it run; null: they do';

create or replace view frontdesk.jobs with (security_barrier) as
select j.id, j.name, j.owner::text as owner, j.schedule, j.run_at, j.timezone, j.command, j.active,
  case when j.active then coalesce(s.retry_at, j.run_at, n.next_run) end as next_run,
  r.status as last_status, r.started_at as last_start, r.finished_at - r.started_at as last_duration, r.message as last_message,
  coalesce(s.failures, 0) as failures, coalesce(w.reason, s.problem) as problem, j.timeout, j.overlap, j.max_retries, j.retry_delay, j.catch_up
from frontdesk_internal.job j
left join frontdesk_internal.job_state s on s.job_id = j.id
left join frontdesk_internal.job_reason w on w.job_id = j.id
left join lateral (
  select n.next_run from frontdesk.next_runs(coalesce(j.schedule, '@reboot'), j.timezone, 1) n (next_run)) n on true
left join lateral (select * from frontdesk_internal.job_run r where r.job_id = j.id order by r.id desc limit 1) r on true
where pg_has_role(j.owner::oid, 'set');
comment on view frontdesk.jobs is
  'your jobs, when each runs next, how the last run went, and what is wrong with it (null: nothing)';

create or replace view frontdesk.job_runs with (security_barrier) as
select r.id, r.job_id, r.job_name, r.owner::text as owner, r.command, r.status, r.attempt, r.scheduled_at, r.started_at, r.finished_at, r.pid, r.rows,
  r.result, r.sqlstate, r.message
from frontdesk_internal.job_run r
where pg_has_role(r.owner::oid, 'set');
comment on view frontdesk.job_runs is
  'the runs of your jobs: waiting, running, cancelling; succeeded, skipped; failed, timed out, cancelled, '
  'interrupted. rows, result: how many the last statement affected or returned, and the first of them';

create or replace function frontdesk.list_scheduled_jobs()
returns table (jobid bigint, schedule text, command text, nodename text, nodeport int, database text, username text, active boolean, jobname text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select j.id, coalesce(j.schedule, 'once at ' || j.run_at), j.command, 'localhost', current_setting('port')::int, current_database()::text,
    j.owner, j.active, j.name
  from frontdesk.jobs j order by j.id
$$;
comment on function frontdesk.list_scheduled_jobs() is 'your jobs';

create or replace function frontdesk.get_job_history(job_name text = null, limit_rows int = 100)
returns table (jobid bigint, job_name text, status text, return_message text, start_time timestamptz, end_time timestamptz, duration interval)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select r.job_id, r.job_name, r.status, r.message, r.started_at, r.finished_at, r.finished_at - r.started_at
  from frontdesk.job_runs r
  where get_job_history.job_name is null or r.job_name = get_job_history.job_name
  order by r.id desc limit limit_rows
$$;
comment on function frontdesk.get_job_history is
  'the runs of your jobs, or of one of them, newest first; more columns are in frontdesk.job_runs';

create or replace function frontdesk_internal.job_share() returns int
stable language c as 'MODULE_PATHNAME', 'job_share_wrapper';
comment on function frontdesk_internal.job_share is
  'how many jobs of one role run at once: frontdesk.max_jobs_per_role, or half of the slots';

create or replace function frontdesk.explain_job(name text) returns text
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.explain_job(text) is
  'why a job ran or did not: the engine''s state, the job''s, that of its roles, its next run, its last five runs '
  'with their errors';
create or replace function frontdesk_internal.explain_job(name text) returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.explain_job(frontdesk_internal.job_id(name, true))
$$;
comment on function frontdesk_internal.explain_job(text) is 'behind frontdesk.explain_job()';

create or replace function frontdesk.explain_job(id bigint) returns text
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.explain_job(bigint) is
  'why a job ran or did not: the engine''s state, the job''s, that of its roles, its next run, its last five runs '
  'with their errors';
create or replace function frontdesk_internal.explain_job(id bigint) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  j frontdesk.jobs;
  r frontdesk_internal.job_run;
  engine record;
  running bigint;
  lines text[];
begin
  select * into j from frontdesk.jobs v where v.id = frontdesk_internal.job_id(explain_job.id, true);
  select * into engine from frontdesk_internal.engine_state();
  select count(*) into running from frontdesk_internal.job_run x join frontdesk_internal.job o on o.owner = x.owner where o.id = j.id and x.status in ('running', 'cancelling');
  lines := array[format('job "%s" runs %s as %s', j.name,
    case when j.schedule is null then 'once at ' || j.run_at else format('by "%s" in %s', j.schedule, j.timezone) end, j.owner)];
  if engine.state <> 'running' then
    lines := lines || format('nothing runs: the engine is %s%s', engine.state, coalesce(' (' || engine.reason || ')', ''));
  end if;
  if j.problem is not null then
    lines := lines || format('it does not run: %s', j.problem);
  end if;
  if not j.active then
    lines := lines || case when j.run_at is not null then 'it ran and is over' else 'it does not run: it is inactive; alter_job(..., active => true)' end;
  elsif j.schedule in ('@reboot', '@restart') then
    lines := lines || 'it runs when the server starts'::text;
  elsif j.failures > 0 and j.next_run < frontdesk.now() + interval '30 days' and exists (
      select from frontdesk_internal.job_state s where s.job_id = j.id and s.retry_at is not null) then
    lines := lines || format('it failed and is tried again at %s', j.next_run);
  else
    lines := lines || format('the next run is at %s', j.next_run);
  end if;
  if j.last_status is distinct from 'running' and running >= frontdesk_internal.job_share() then
    lines := lines || format('it waits for its turn: %s jobs of %s run, which is its share (frontdesk.max_jobs_per_role)', running, j.owner);
  end if;
  for r in select * from frontdesk_internal.job_run x where x.job_id = j.id order by x.id desc limit 5 loop
    lines := lines || format('run %s, due %s, %s%s%s', r.id, r.scheduled_at, r.status,
      case when r.attempt > 1 then format(' (attempt %s)', r.attempt) end,
      case when r.status not in ('running', 'waiting', 'cancelling') then ': ' || coalesce(r.sqlstate || ' ', '') || coalesce(r.message, '') end);
  end loop;
  if r is null then
    lines := lines || 'it has not run yet'::text;
  end if;
  return array_to_string(lines, E'\n');
end
$$;
comment on function frontdesk_internal.explain_job(bigint) is 'behind frontdesk.explain_job()';
