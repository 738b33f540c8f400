-- Room 30, schedule: the engine's verbs for jobs.

create or replace function frontdesk_internal.unix_us(moment timestamptz) returns bigint
immutable parallel safe
return case when isfinite(moment) then (extract(epoch from moment) * 1000000)::bigint end;
comment on function frontdesk_internal.unix_us(timestamptz) is 'internal: microseconds since 1970; null for infinity';

create or replace function frontdesk_internal.engine_jobs() returns setof text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_build_object(
    'id', j.id, 'name', j.name, 'owner', j.owner::oid::bigint, 'schedule', j.schedule, 'run_at', frontdesk_internal.unix_us(j.run_at), 'timezone', j.timezone,
    -- A job that came with a dump waits for adopt(), and where there is no such role its owner is nobody.
    'active', j.active and j.owner::oid <> 0 and j.home is not distinct from (select frontdesk_internal.installation_id()),
    'timeout_ms', (extract(epoch from j.timeout) * 1000)::bigint, 'overlap', j.overlap, 'max_retries', j.max_retries,
    'retry_delay_ms', (extract(epoch from j.retry_delay) * 1000)::bigint, 'catch_up', j.catch_up,
    'planned_from', frontdesk_internal.unix_us(greatest(j.planned_from, s.handled_until)), 'changed_at', frontdesk_internal.unix_us(j.planned_from),
    'handled_until', frontdesk_internal.unix_us(s.handled_until),
    'failures', coalesce(s.failures, 0), 'retry_at', frontdesk_internal.unix_us(s.retry_at), 'retry_attempt', coalesce(s.retry_attempt, 1),
    'retry_scheduled', frontdesk_internal.unix_us(s.retry_scheduled_at), 'rebooted', frontdesk_internal.unix_us(pg_postmaster_start_time()))::text
  from frontdesk_internal.job j left join frontdesk_internal.job_state s on s.job_id = j.id
$$;
comment on function frontdesk_internal.engine_jobs() is 'engine: every job as JSON, with how far the engine got with it';

create or replace function frontdesk_internal.engine_jobs_version() returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select format('%s %s %s', count(*), max(j.updated_at), sum(j.id)) from frontdesk_internal.job j
$$;
comment on function frontdesk_internal.engine_jobs_version is
  'engine: differs after the jobs were changed by a prepared transaction, whose commit wakes nobody';

create or replace function frontdesk_internal.engine_job_problem(this_job bigint, why text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk_internal.job_state as s (job_id, problem) select j.id, why from frontdesk_internal.job j where j.id = this_job
  on conflict (job_id) do update set problem = excluded.problem
$$;
comment on function frontdesk_internal.engine_job_problem(bigint, text) is 'engine: why it does not run this job; null: it does';

create or replace function frontdesk_internal.engine_job_requests() returns table (run_id bigint, job_id bigint, scheduled_at timestamptz, cancel boolean)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk_internal.job_run r set status = 'cancelled', finished_at = frontdesk.now(), message = 'the job is gone'
  where r.status = 'waiting' and not exists (select from frontdesk_internal.job j where j.id = r.job_id and j.owner = r.owner and j.owner::oid <> 0);
  return query select r.id, r.job_id, r.scheduled_at, r.status = 'cancelling' from frontdesk_internal.job_run r
    where r.status in ('waiting', 'cancelling') order by r.id;
end
$$;
comment on function frontdesk_internal.engine_job_requests is
  'engine: the runs that run_job() asked for, and those that cancel_run() wants to stop';

create or replace function frontdesk_internal.engine_job_start(job_ids bigint[], run_ids bigint[], attempts int[], scheduled timestamptz[])
returns table (place int, run_id bigint, owner oid, name text, command text)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  u record;
  j frontdesk_internal.job;
  new_id bigint;
  why text;
  began timestamptz := frontdesk.now();
begin
  -- While a dump is restored the engine may not know yet that this is a copy: it is told so.
  if frontdesk.is_clone() then
    perform frontdesk.wake(reboot => true);
    return;
  end if;
  for u in select * from unnest(job_ids, run_ids, attempts, scheduled) with ordinality u (job_id, run_id, attempt, due, place) loop
    select * into j from frontdesk_internal.job where id = u.job_id;
    continue when not found or j.owner::oid = 0 or j.home is distinct from frontdesk_internal.installation_id();
    why := (select w.reason from frontdesk_internal.job_reason w where w.job_id = j.id);
    if why is not null then
      update frontdesk_internal.job_run r set status = 'cancelled', finished_at = began,
      message = why where r.id = u.run_id and r.status = 'waiting';
      -- It is said in frontdesk.jobs; a row for every due time would say no more.
      insert into frontdesk_internal.job_state as s (job_id, handled_until) values (j.id, u.due)
      on conflict (job_id) do update set handled_until = greatest(s.handled_until, excluded.handled_until), retry_at = null, retry_attempt = null, retry_scheduled_at = null;
      continue;
    end if;
    if u.run_id > 0 then
      -- Taken back meanwhile?
      update frontdesk_internal.job_run r set status = 'running', started_at = began, command = j.command
      where r.id = u.run_id and r.status = 'waiting' returning r.id into new_id;
      continue when not found;
    else
      insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, attempt, scheduled_at, started_at)
      values (j.id, j.name, j.owner, j.command, 'running', u.attempt, u.due, began) returning id into new_id;
      insert into frontdesk_internal.job_state as s (job_id, handled_until) values (j.id, u.due)
      on conflict (job_id) do update set handled_until = greatest(s.handled_until, excluded.handled_until), retry_at = null,
        retry_attempt = null, retry_scheduled_at = null, problem = null;
    end if;
    place := u.place;
    run_id := new_id;
    owner := j.owner;
    name := j.name;
    command := j.command;
    return next;
  end loop;
end
$$;
comment on function frontdesk_internal.engine_job_start(bigint[], bigint[], int[], timestamptz[]) is
  'engine: these runs begin; run_id 0: a new one. Those whose job is gone are left out';

create or replace function frontdesk_internal.engine_job_finish(
  run_ids bigint[], statuses text[], finished timestamptz[], pids int[], row_counts bigint[], results text[], codes text[], messages text[],
  failure_counts int[], retries timestamptz[], reports text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  u record;
  r frontdesk_internal.job_run;
begin
  for u in select * from unnest(run_ids, statuses, finished, pids, row_counts, results, codes, messages, failure_counts, retries, reports)
    u (run_id, status, at, pid, row_count, result, code, message, failures, retry_at, report)
  loop
    update frontdesk_internal.job_run x set status = u.status, finished_at = u.at, pid = u.pid, rows = u.row_count, result = u.result::jsonb,
      sqlstate = u.code, message = u.message
    where x.id = u.run_id and x.status in ('running', 'cancelling') returning x.* into r;
    continue when not found;
    -- A job that never ran by its schedule has none yet.
    insert into frontdesk_internal.job_state as s (job_id, failures, retry_at, retry_attempt, retry_scheduled_at)
    select j.id, u.failures, u.retry_at, case when u.retry_at is not null then r.attempt + 1 end, case when u.retry_at is not null then r.scheduled_at end
    from frontdesk_internal.job j where j.id = r.job_id
    on conflict (job_id) do update set failures = excluded.failures, retry_at = excluded.retry_at,
      retry_attempt = excluded.retry_attempt, retry_scheduled_at = excluded.retry_scheduled_at
    where (s.failures, s.retry_at) is distinct from (excluded.failures, excluded.retry_at);
    if u.retry_at is null then
      update frontdesk_internal.job j set active = false where j.id = r.job_id and j.run_at = r.scheduled_at and j.active;
    end if;
    perform frontdesk_internal.report_run(r, u.report, u.failures, u.retry_at) where u.report is not null;
  end loop;
end
$$;
comment on function frontdesk_internal.engine_job_finish is
  'engine: these runs are over; the failures of each job in a row, when it is tried again, and whether job.failed or '
  'job.recovered is emitted';

create or replace function frontdesk_internal.report_run(r frontdesk_internal.job_run, report text, failures int, retry_at timestamptz) returns bigint
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.record_event(report, 'S', jsonb_build_object('job', r.job_name, 'job_id', r.job_id, 'run_id', r.id, 'owner', r.owner::text,
    'status', r.status, 'attempt', r.attempt, 'scheduled_at', r.scheduled_at, 'started_at', r.started_at, 'finished_at', r.finished_at,
    'sqlstate', r.sqlstate, 'message', r.message, 'failures', failures, 'retry_at', retry_at), r.job_name)
$$;
comment on function frontdesk_internal.report_run is 'internal: emit job.failed or job.recovered';

create or replace function frontdesk_internal.engine_job_skip(job_ids bigint[], scheduled timestamptz[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at, finished_at, message)
  select j.id, j.name, j.owner, j.command, 'skipped', u.due, frontdesk.now(), frontdesk.now(), u.reason
  from unnest(job_ids, scheduled, reasons) u (job_id, due, reason) join frontdesk_internal.job j on j.id = u.job_id;
  insert into frontdesk_internal.job_state as s (job_id, handled_until)
  select j.id, max(u.due) from unnest(job_ids, scheduled) u (job_id, due) join frontdesk_internal.job j on j.id = u.job_id group by j.id
  on conflict (job_id) do update set handled_until = greatest(s.handled_until, excluded.handled_until);
end
$$;
comment on function frontdesk_internal.engine_job_skip is
  'engine: these due times pass without a run, for the reason that is recorded';

create or replace function frontdesk_internal.engine_job_recover() returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk_internal.job_run;
  j frontdesk_internal.job;
  again timestamptz;
  failed int;
  recovered bigint := 0;
begin
  -- Processes that outlived their engine: nobody would record what becomes of them.
  perform pg_terminate_backend(a.pid, 5000) from pg_stat_activity a
  where a.datname = current_database() and a.backend_type = 'frontdesk job';
  for r in
    update frontdesk_internal.job_run x set status = 'interrupted', finished_at = frontdesk.now(),
      message = 'the server or the engine ended during the run'
    where x.status in ('running', 'cancelling') returning x.*
  loop
    recovered := recovered + 1;
    select * into j from frontdesk_internal.job where id = r.job_id;
    continue when not found;
    again := case when r.attempt <= j.max_retries then frontdesk.now() + j.retry_delay * power(2, r.attempt - 1) end;
    insert into frontdesk_internal.job_state as s (job_id, handled_until, failures, retry_at, retry_attempt, retry_scheduled_at)
    values (j.id, r.scheduled_at, 1, again, case when again is not null then r.attempt + 1 end, case when again is not null then r.scheduled_at end)
    on conflict (job_id) do update set failures = s.failures + 1, retry_at = excluded.retry_at, retry_attempt = excluded.retry_attempt,
      retry_scheduled_at = excluded.retry_scheduled_at
    returning s.failures into failed;
    if again is null then
      update frontdesk_internal.job o set active = false where o.id = j.id and o.run_at = r.scheduled_at and o.active;
    end if;
    perform frontdesk_internal.report_run(r, 'job.failed', failed, again);
  end loop;
  return recovered;
end
$$;
comment on function frontdesk_internal.engine_job_recover is
  'engine, at its start: runs that were under way are interrupted, and tried again if their job says so; returns how '
  'many';

create or replace function frontdesk_internal.jobs_owners_changed(roles oid[], new_owner oid) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.handlers_owners_changed(roles, new_owner);
  if new_owner is null then
    delete from frontdesk_internal.job j where j.owner = any (roles);
    return;
  end if;
  -- A command is code: it runs with the rights of another role only when they have looked at it.
  update frontdesk_internal.job j set owner = new_owner, active = false,
    name = case when exists (select from frontdesk_internal.job o where o.owner = new_owner and o.name = j.name) then left(j.name, 160) || ' (of ' || j.owner || ')' else j.name end
  where j.owner = any (roles) and j.owner <> new_owner;
end
$$;
comment on function frontdesk_internal.jobs_owners_changed is
  'internal: after REASSIGN OWNED the jobs of these roles are the new owner''s, and inactive; after DROP OWNED (no '
  'new owner) they are gone';
