-- Room 30, schedule: jobs. The verbs run as the owner of the extension, and ask whose jobs the caller may have.

create or replace function frontdesk.check_schedule(schedule text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_schedule_wrapper';
comment on function frontdesk.check_schedule is
  'the schedule itself, or an error naming the field, its position and what was expected';

create or replace function frontdesk.check_timezone(timezone text) returns text
stable language c as 'MODULE_PATHNAME', 'check_timezone_wrapper';
comment on function frontdesk.check_timezone(text) is 'the name of the time zone itself, or an error';

create or replace function frontdesk.check_command(command text) returns text
stable language c as 'MODULE_PATHNAME', 'check_command_wrapper';
comment on function frontdesk.check_command is
  'the command itself, or an error when it is empty or does not parse, with the position; its objects need not exist '
  'yet';

create or replace function frontdesk_internal.jobs_changed() returns void
language c as 'MODULE_PATHNAME', 'jobs_changed_wrapper';
comment on function frontdesk_internal.jobs_changed() is 'internal: the engine looks at the jobs when this transaction commits';

create or replace function frontdesk.next_runs(
  schedule text, timezone text = 'UTC', count int = 5, after timestamptz = null) returns setof timestamptz
stable language c as 'MODULE_PATHNAME', 'next_runs_wrapper';
comment on function frontdesk.next_runs is
  'the moments at which a job with this schedule would run; after: now when null. A skipped hour is made up for right '
  'after it, a repeated hour counts once for fixed times';

create or replace function frontdesk_internal.database_timezone() returns text
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  -- "<-03>+03" is how PostgreSQL writes an offset without a name; the zones of that kind that have one are Etc/GMT+3 and its like.
  select case when z.name !~ '<' then z.name
    when z.name ~ '^<[^>]*>[-+]?[0-9]{1,2}$' then format('Etc/GMT%s', to_char(substring(z.name from '[-+0-9]+$')::int, 'SGFM99'))
    else 'UTC' end
  from (select coalesce(
    (select substring(c from '(?i)^timezone=(.*)$') from pg_db_role_setting s, unnest(s.setconfig) c
     where s.setdatabase = (select oid from pg_database where datname = current_database()) and s.setrole = 0 and c ilike 'timezone=%'),
    (select f.setting from pg_file_settings f where f.name ilike 'timezone' and f.applied order by f.seqno desc limit 1),
    'UTC')) z (name)
$$;
comment on function frontdesk_internal.database_timezone is
  'internal: the time zone of this database, whatever that of the session is';

create or replace function frontdesk_internal.job_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  owner_name text := (select rolname from pg_roles where oid = new.owner);
begin
  if coalesce(new.name, '') = '' or length(new.name) > 200 then
    raise exception using errcode = 'invalid_parameter_value', message = 'a job needs a name of 1 to 200 characters';
  end if;
  -- Of a dump from where there was such a role the owner is nobody: kept, and run by nobody.
  if (tg_op = 'INSERT' and new.owner::oid <> 0 or new.owner <> old.owner) and owner_name is null then
    raise exception using errcode = 'undefined_object', message = format('role with oid %s does not exist', new.owner::oid);
  end if;
  if new.run_at is null then
    perform frontdesk.check_schedule(new.schedule);
  end if;
  if new.run_at in ('infinity', '-infinity') then
    raise exception using errcode = 'invalid_parameter_value', message = 'a job cannot run at infinity';
  end if;
  perform frontdesk.check_timezone(new.timezone);
  perform frontdesk.check_command(new.command);
  if new.timeout <= '0' or new.timeout > '30 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('timeout %s is out of range', new.timeout),
      hint = 'More than 0 and at most 30 days; null means no limit.';
  end if;
  if new.overlap is null or new.overlap not in ('skip', 'queue', 'allow') then
    raise exception using errcode = 'invalid_parameter_value', message = format('overlap "%s" is unknown', new.overlap),
      hint = 'skip, queue (one waits) or allow.';
  end if;
  if new.catch_up is null or new.catch_up not in ('none', 'one', 'all') then
    raise exception using errcode = 'invalid_parameter_value', message = format('catch_up "%s" is unknown', new.catch_up),
      hint = 'none, one (for all that was missed), or all.';
  end if;
  if new.max_retries is null or new.max_retries not between 0 and 100 then
    raise exception using errcode = 'invalid_parameter_value', message = format('max_retries %s is out of range', new.max_retries), hint = '0 to 100.';
  end if;
  if new.retry_delay is null or new.retry_delay <= '0' or new.retry_delay > '30 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('retry_delay %s is out of range', new.retry_delay),
      hint = 'More than 0 and at most 30 days; each further retry waits twice as long.';
  end if;
  if tg_op = 'INSERT' or (new.schedule, new.run_at, new.timezone) is distinct from (old.schedule, old.run_at, old.timezone)
    or new.active and not old.active then
    new.planned_from := frontdesk.now();
    -- What was dealt with was another plan.
    update frontdesk_internal.job_state s set handled_until = null where s.job_id = new.id and tg_op = 'UPDATE';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk_internal.job_check() is 'trigger: a job is validated when it is declared';

create or replace function frontdesk_internal.job_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.jobs_changed();
  return null;
end
$$;
comment on function frontdesk_internal.job_changed() is 'trigger: the engine reads the jobs again';

create or replace trigger job_check before insert or update of name, owner, schedule, run_at, command, timezone, timeout, overlap,
    max_retries, retry_delay, catch_up, active on frontdesk_internal.job
  for each row execute function frontdesk_internal.job_check();
create or replace trigger job_changed after insert or update or delete on frontdesk_internal.job
  for each statement execute function frontdesk_internal.job_changed();

create or replace function frontdesk_internal.job_owner(username name) returns regrole
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result oid := case when username is null then frontdesk_internal.caller()::oid else (select r.oid from pg_roles r where r.rolname = username) end;
begin
  if result is null then
    raise exception using errcode = 'undefined_object', message = format('role "%s" does not exist', username);
  elsif not pg_has_role(frontdesk_internal.caller(), result, 'set') then
    raise exception using errcode = 'insufficient_privilege', message = format('permission denied to schedule jobs as role "%s"', username),
      hint = 'A job runs as yourself, or as a role that you could become by set role.';
  end if;
  return result::regrole;
end
$$;
comment on function frontdesk_internal.job_owner is
  'the role of this name, which the caller must be able to become, or the caller';

create or replace function frontdesk_internal.job_scheduler(owner regrole) returns name
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select r.rolname from pg_roles r where r.oid = frontdesk_internal.caller() and r.oid <> owner and not r.rolsuper
$$;
comment on function frontdesk_internal.job_scheduler is
  'who has to remain a member of a job''s owner for it to run; null: nobody';

create or replace function frontdesk_internal.job_login(owner regrole) returns boolean
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select r.rolcanlogin from pg_roles r where r.oid = owner
$$;
comment on function frontdesk_internal.job_login(regrole) is 'whether this role can log in';

create or replace function frontdesk_internal.job_limit(owner regrole) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if not (select r.rolsuper from pg_roles r where r.oid = job_limit.owner)
    and exists (select from frontdesk_internal.job j where j.owner::oid = job_limit.owner and j.active offset 10000) then
    raise exception using errcode = 'program_limit_exceeded', message = 'a role cannot have more than 10000 active jobs',
      hint = 'One job can do the work of many: let it read from a table what is due.';
  end if;
end
$$;
comment on function frontdesk_internal.job_limit(regrole) is 'raises when this role has more active jobs than it may';

create or replace function frontdesk.schedule(
  name text, schedule text, command text, timezone text = null, username name = null, timeout interval = null,
  overlap text = 'skip', max_retries int = 0, retry_delay interval = '1 minute', catch_up text = 'one',
  active boolean = true) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.schedule is
  'run this command by this schedule; a job of the same name and owner is replaced. Returns its id. schedule: five '
  'cron fields (six with seconds), @daily and the like, @reboot, 30 seconds, every 2 hours. timezone: default the '
  'database''s. username: the role it runs as, default the caller. timeout: a longer run is cancelled. overlap: when '
  'the last run is not over, skip, queue (one waits) or allow. max_retries, retry_delay: a failed run is tried again, '
  'after twice as long each time. catch_up: of what was missed while the server was down, run none, one or all';
create or replace function frontdesk_internal.schedule(
  name text, schedule text, command text, timezone text, username name, timeout interval,
  overlap text, max_retries int, retry_delay interval, catch_up text,
  active boolean) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint;
  owner regrole := frontdesk_internal.job_owner(username);
begin
  insert into frontdesk_internal.job as j (name, owner, login, scheduled_by, schedule, command, timezone, timeout, overlap, max_retries, retry_delay, catch_up, active)
  values (name, owner, frontdesk_internal.job_login(owner), frontdesk_internal.job_scheduler(owner), coalesce(schedule, ''), coalesce(command, ''), coalesce(timezone, frontdesk_internal.database_timezone()),
    timeout, overlap, max_retries, retry_delay, catch_up, coalesce(active, true))
  on conflict on constraint job_owner_name_key do update
  set login = excluded.login, scheduled_by = excluded.scheduled_by, schedule = excluded.schedule, run_at = null, command = excluded.command, timezone = excluded.timezone, timeout = excluded.timeout,
    overlap = excluded.overlap, max_retries = excluded.max_retries, retry_delay = excluded.retry_delay,
    catch_up = excluded.catch_up, active = excluded.active
  returning j.id into result;
  perform frontdesk_internal.job_limit(owner);
  return result;
end
$$;
comment on function frontdesk_internal.schedule is 'behind frontdesk.schedule()';

create or replace function frontdesk.schedule_once(
  at timestamptz, command text, name text = null, username name = null, timeout interval = null, max_retries int = 0,
  retry_delay interval = '1 minute', catch_up text = 'one') returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.schedule_once is
  'run this command once, at this time (at once when it is past); returns the id of the job, which is inactive after '
  'it';
create or replace function frontdesk_internal.schedule_once(
  at timestamptz, command text, name text, username name, timeout interval, max_retries int,
  retry_delay interval, catch_up text) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint;
  owner regrole := frontdesk_internal.job_owner(username);
begin
  if at is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a job that runs once needs its time';
  end if;
  insert into frontdesk_internal.job as j (name, owner, login, scheduled_by, run_at, command, timezone, timeout, overlap, max_retries, retry_delay, catch_up, active)
  values (coalesce(name, 'once-' || gen_random_uuid()), owner, frontdesk_internal.job_login(owner), frontdesk_internal.job_scheduler(owner), at, coalesce(command, ''), 'UTC',
    timeout, 'skip', max_retries, retry_delay, catch_up, true)
  on conflict on constraint job_owner_name_key do update
  set login = excluded.login, scheduled_by = excluded.scheduled_by, schedule = null, run_at = excluded.run_at, command = excluded.command, timezone = excluded.timezone, timeout = excluded.timeout,
    overlap = excluded.overlap, max_retries = excluded.max_retries, retry_delay = excluded.retry_delay,
    catch_up = excluded.catch_up, active = true
  returning j.id into result;
  perform frontdesk_internal.job_limit(owner);
  return result;
end
$$;
comment on function frontdesk_internal.schedule_once is 'behind frontdesk.schedule_once()';

create or replace function frontdesk_internal.job_id(job text, needed boolean) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  caller oid := frontdesk_internal.caller();
  those frontdesk_internal.job[];
begin
  select array_agg(j order by j.id) into those from frontdesk_internal.job j where j.name = job and j.owner::oid = caller;
  if those is null then
    select array_agg(j order by j.id) into those from frontdesk_internal.job j where j.name = job and pg_has_role(caller, j.owner::oid, 'set');
  end if;
  if those is null and needed then
    raise exception using errcode = 'undefined_object', message = format('job "%s" does not exist', job),
      hint = coalesce('Your jobs are ' || (select string_agg(j.name, ', ' order by j.name) from (
        select j.name from frontdesk_internal.job j where pg_has_role(caller, j.owner::oid, 'set') order by j.name limit 20) j) || '.',
        'Make one with frontdesk.schedule().');
  elsif cardinality(those) > 1 then
    raise exception using errcode = 'ambiguous_parameter', message = format('job name "%s" is ambiguous', job),
      detail = (select string_agg(format('Job %s belongs to %s.', f.id, f.owner), ' ' order by f.id) from unnest(those) f),
      hint = 'Give its id instead of its name.';
  end if;
  return (those[1]).id;
end
$$;
comment on function frontdesk_internal.job_id(text, boolean) is
  'the id of the job of this name: the caller''s own, or the only one among those of roles that they can become; an '
  'error when there are several';

create or replace function frontdesk_internal.job_id(job bigint, needed boolean) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if exists (select from frontdesk_internal.job j where j.id = job and pg_has_role(frontdesk_internal.caller(), j.owner::oid, 'set')) then
    return job;
  elsif needed then
    raise exception using errcode = 'undefined_object', message = format('job %s does not exist', coalesce(job::text, 'null')),
      hint = 'See frontdesk.list_scheduled_jobs().';
  end if;
  return null;
end
$$;
comment on function frontdesk_internal.job_id(bigint, boolean) is 'the job of this id, when it is one of the caller''s';

create or replace function frontdesk.unschedule(name text) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.unschedule(text) is
  'remove a job; false when there is no such job. A run under way is finished, the history stays';
create or replace function frontdesk_internal.unschedule(name text) returns boolean
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  with gone as (delete from frontdesk_internal.job j where j.id = frontdesk_internal.job_id(unschedule.name, false) returning 1)
  select exists (select from gone)
$$;
comment on function frontdesk_internal.unschedule(text) is 'behind frontdesk.unschedule()';

create or replace function frontdesk.unschedule(id bigint) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.unschedule(bigint) is
  'remove a job; false when there is no such job. A run under way is finished, the history stays';
create or replace function frontdesk_internal.unschedule(id bigint) returns boolean
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  with gone as (delete from frontdesk_internal.job j where j.id = frontdesk_internal.job_id(unschedule.id, false) returning 1)
  select exists (select from gone)
$$;
comment on function frontdesk_internal.unschedule(bigint) is 'behind frontdesk.unschedule()';

create or replace function frontdesk.alter_job(
  id bigint, schedule text = null, command text = null, timezone text = null, username name = null, timeout interval = null,
  overlap text = null, max_retries int = null, retry_delay interval = null, catch_up text = null, active boolean = null,
  name text = null) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.alter_job(bigint, text, text, text, name, interval, text, int, interval, text, boolean, text) is
  'change a job; null keeps the present value, timeout => ''0'' removes it';
create or replace function frontdesk_internal.alter_job(
  id bigint, schedule text, command text, timezone text, username name, timeout interval, overlap text, max_retries int, retry_delay interval,
  catch_up text, active boolean, name text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
begin
  update frontdesk_internal.job j set
    name = coalesce(name, j.name), schedule = coalesce(schedule, j.schedule), run_at = case when schedule is null then j.run_at end,
    command = coalesce(command, j.command), timezone = coalesce(timezone, j.timezone),
    owner = case when username is null then j.owner::regrole else frontdesk_internal.job_owner(username) end,
    timeout = nullif(coalesce(timeout, j.timeout), '0'), overlap = coalesce(overlap, j.overlap),
    max_retries = coalesce(max_retries, j.max_retries), retry_delay = coalesce(retry_delay, j.retry_delay),
    catch_up = coalesce(catch_up, j.catch_up), active = coalesce(active, j.active)
  where j.id = frontdesk_internal.job_id(id, true);
  -- Whoever changes what it does or by whom it is done answers for it from here on.
  if username is not null or command is not null or active then
    update frontdesk_internal.job j set login = frontdesk_internal.job_login(j.owner), scheduled_by = frontdesk_internal.job_scheduler(j.owner) where j.id = id;
    perform frontdesk_internal.job_limit(j.owner) from frontdesk_internal.job j where j.id = id;
  end if;
end
$$;
comment on function frontdesk_internal.alter_job(bigint, text, text, text, name, interval, text, int, interval, text, boolean, text) is
  'behind frontdesk.alter_job()';

create or replace function frontdesk.alter_job(
  job text, schedule text = null, command text = null, timezone text = null, username name = null, timeout interval = null,
  overlap text = null, max_retries int = null, retry_delay interval = null, catch_up text = null, active boolean = null,
  name text = null) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.alter_job(text, text, text, text, name, interval, text, int, interval, text, boolean, text) is
  'change a job by its name; null keeps the present value, timeout => ''0'' removes it, name => ... gives it another';
create or replace function frontdesk_internal.alter_job(
  job text, schedule text, command text, timezone text, username name, timeout interval, overlap text, max_retries int, retry_delay interval,
  catch_up text, active boolean, name text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.alter_job(frontdesk_internal.job_id(job, true), schedule, command, timezone, username, timeout, overlap, max_retries,
    retry_delay, catch_up, active, name)
$$;
comment on function frontdesk_internal.alter_job(text, text, text, text, name, interval, text, int, interval, text, boolean, text) is
  'behind frontdesk.alter_job()';

create or replace function frontdesk.run_job(id bigint) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.run_job(bigint) is
  'run a job in the background when this transaction commits, whatever its schedule and also when it is inactive; '
  'returns the id of the run';
create or replace function frontdesk_internal.run_job(id bigint) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint;
  j frontdesk_internal.job;
begin
  select * into j from frontdesk_internal.job o where o.id = frontdesk_internal.job_id(run_job.id, true);
  if (select count(*) from (select from frontdesk_internal.job_run r where r.status = 'waiting' and r.owner = j.owner limit 1000) w) >= 1000 then
    raise exception using errcode = 'program_limit_exceeded', message = format('1000 runs of the jobs of %s wait already', j.owner),
      hint = 'frontdesk.max_jobs_per_role says how many run at once.';
  end if;
  -- Nothing waits here for the run: a statement that did would hold up CREATE INDEX CONCURRENTLY by its snapshot.
  insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at)
  values (j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now()) returning job_run.id into result;
  perform frontdesk_internal.jobs_changed();
  return result;
end
$$;
comment on function frontdesk_internal.run_job(bigint) is 'behind frontdesk.run_job()';

create or replace function frontdesk.run_job(name text) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.run_job(text) is
  'run a job in the background when this transaction commits, whatever its schedule and also when it is inactive; '
  'returns the id of the run';
create or replace function frontdesk_internal.run_job(name text) returns bigint
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.run_job(frontdesk_internal.job_id(name, true))
$$;
comment on function frontdesk_internal.run_job(text) is 'behind frontdesk.run_job()';

create or replace function frontdesk.cancel_run(run_id bigint) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.cancel_run is
  'cancel a run that waits or is under way, when this transaction commits; false when it is over. It is not tried '
  'again';
create or replace function frontdesk_internal.cancel_run(run_id bigint) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if not exists (select from frontdesk_internal.job_run r where r.id = run_id and pg_has_role(frontdesk_internal.caller(), r.owner::oid, 'set')) then
    raise exception using errcode = 'undefined_object', message = format('run %s does not exist', coalesce(run_id::text, 'null')),
      hint = 'See frontdesk.get_job_history().';
  end if;
  update frontdesk_internal.job_run r set status = 'cancelled', finished_at = frontdesk.now(), message = 'cancelled before it began'
  where r.id = run_id and r.status = 'waiting';
  if found then
    return true;
  end if;
  update frontdesk_internal.job_run r set status = 'cancelling' where r.id = run_id and r.status in ('running', 'cancelling');
  if found then
    perform frontdesk_internal.jobs_changed();
    return true;
  end if;
  return false;
end
$$;
comment on function frontdesk_internal.cancel_run(bigint) is 'behind frontdesk.cancel_run()';
