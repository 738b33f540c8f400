-- Room 30, schedule: jobs. The functions run as their caller; the policies of the tables say whose jobs are whose.

create or replace function frontdesk.check_schedule(schedule text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_schedule_wrapper';
comment on function frontdesk.check_schedule(text) is 'the schedule itself, or an error naming the field, its position and what was expected';

create or replace function frontdesk.check_timezone(timezone text) returns text
stable language c as 'MODULE_PATHNAME', 'check_timezone_wrapper';
comment on function frontdesk.check_timezone(text) is 'the name of the time zone itself, or an error';

create or replace function frontdesk.check_command(command text) returns text
stable language c as 'MODULE_PATHNAME', 'check_command_wrapper';
comment on function frontdesk.check_command(text) is
  'the command itself, or an error when it is empty or does not parse, with the position; its objects need not exist yet';

create or replace function frontdesk.jobs_changed() returns void
language c as 'MODULE_PATHNAME', 'jobs_changed_wrapper';
comment on function frontdesk.jobs_changed() is 'internal: the engine looks at the jobs when this transaction commits';

create or replace function frontdesk.next_runs(
  schedule text, timezone text = 'UTC', count int = 5, after timestamptz = null) returns setof timestamptz
stable language c as 'MODULE_PATHNAME', 'next_runs_wrapper';
comment on function frontdesk.next_runs(text, text, int, timestamptz) is
  'the moments at which a job with this schedule would run; after: now when null. A skipped hour is made up for right after it, a repeated hour counts once for fixed times';

create or replace function frontdesk.database_timezone() returns text
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
comment on function frontdesk.database_timezone() is 'internal: the time zone of this database, whatever that of the session is';

create or replace function frontdesk.job_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  owner_name text := (select rolname from pg_roles where oid = new.owner);
begin
  if coalesce(new.name, '') = '' or length(new.name) > 200 then
    raise exception using errcode = 'invalid_parameter_value', message = 'a job needs a name of 1 to 200 characters';
  end if;
  if tg_op = 'INSERT' and new.owner::oid = 0 then
    -- Of a dump from where there was such a role: kept, and run by nobody.
    null;
  elsif tg_op = 'INSERT' or new.owner <> old.owner then
    if owner_name is null then
      raise exception using errcode = 'undefined_object', message = format('role with oid %s does not exist', new.owner::oid);
    elsif not pg_has_role(new.owner::oid, 'set') then
      raise exception using errcode = 'insufficient_privilege', message = format('permission denied to schedule jobs as role "%s"', owner_name),
        hint = 'A job runs as yourself, or as a role that you could become by set role.';
    end if;
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
      hint = 'More than 0 and at most 30 days; null is no limit.';
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
  end if;
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk.job_check() is 'trigger: a job is validated when it is declared';

create or replace function frontdesk.job_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk.jobs_changed();
  return null;
end
$$;
comment on function frontdesk.job_changed() is 'trigger: the engine reads the jobs again';

create or replace trigger job_check before insert or update of name, owner, schedule, run_at, command, timezone, timeout, overlap,
    max_retries, retry_delay, catch_up, active on frontdesk.job
  for each row execute function frontdesk.job_check();
create or replace trigger job_changed after insert or update or delete on frontdesk.job
  for each statement execute function frontdesk.job_changed();

create or replace function frontdesk.job_owner(username name) returns regrole
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result oid := (select r.oid from pg_roles r where r.rolname = coalesce(username, current_user));
begin
  if result is null then
    raise exception using errcode = 'undefined_object', message = format('role "%s" does not exist', username);
  end if;
  return result::regrole;
end
$$;
comment on function frontdesk.job_owner(name) is 'internal: the role of this name, or the caller';

create or replace function frontdesk.schedule(
  name text, schedule text, command text, timezone text = null, username name = null, timeout interval = null,
  overlap text = 'skip', max_retries int = 0, retry_delay interval = '1 minute', catch_up text = 'one',
  active boolean = true) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint;
begin
  insert into frontdesk.job as j (name, owner, schedule, command, timezone, timeout, overlap, max_retries, retry_delay, catch_up, active)
  values (name, frontdesk.job_owner(username), coalesce(schedule, ''), coalesce(command, ''), coalesce(timezone, frontdesk.database_timezone()),
    timeout, overlap, max_retries, retry_delay, catch_up, coalesce(active, true))
  on conflict on constraint job_owner_name_key do update
  set schedule = excluded.schedule, run_at = null, command = excluded.command, timezone = excluded.timezone, timeout = excluded.timeout,
    overlap = excluded.overlap, max_retries = excluded.max_retries, retry_delay = excluded.retry_delay,
    catch_up = excluded.catch_up, active = excluded.active
  returning j.id into result;
  return result;
end
$$;
comment on function frontdesk.schedule(text, text, text, text, name, interval, text, int, interval, text, boolean) is
  'run this command by this schedule; a job of the same name and owner is replaced. Returns its id. '
  'schedule: five cron fields (six with seconds), @daily and its like, @reboot, 30 seconds, every 2 hours. timezone: default the database''s. '
  'username: the role it runs as, default the caller. timeout: a longer run is cancelled. overlap: when the last run is not over, skip, queue (one waits) or allow. '
  'max_retries, retry_delay: a failed run is tried again, after twice as long each time. catch_up: of what was missed while the server was down, run none, one or all';

create or replace function frontdesk.schedule_once(
  at timestamptz, command text, name text = null, username name = null, timeout interval = null, max_retries int = 0,
  retry_delay interval = '1 minute', catch_up text = 'one') returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint;
begin
  if at is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a job that runs once needs its time';
  end if;
  insert into frontdesk.job as j (name, owner, run_at, command, timezone, timeout, overlap, max_retries, retry_delay, catch_up, active)
  values (coalesce(name, 'once-' || gen_random_uuid()), frontdesk.job_owner(username), at, coalesce(command, ''), 'UTC',
    timeout, 'skip', max_retries, retry_delay, catch_up, true)
  on conflict on constraint job_owner_name_key do update
  set schedule = null, run_at = excluded.run_at, command = excluded.command, timezone = excluded.timezone, timeout = excluded.timeout,
    overlap = excluded.overlap, max_retries = excluded.max_retries, retry_delay = excluded.retry_delay,
    catch_up = excluded.catch_up, active = true
  returning j.id into result;
  return result;
end
$$;
comment on function frontdesk.schedule_once(timestamptz, text, text, name, interval, int, interval, text) is
  'run this command once, at this time (at once when it is past); returns the id of the job, which is inactive after it';

create or replace function frontdesk.job_id(name text) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  found_ids bigint[];
begin
  select array_agg(j.id order by j.owner <> frontdesk.job_owner(null), j.id) into found_ids from frontdesk.job j where j.name = job_id.name;
  if found_ids is null then
    raise exception using errcode = 'undefined_object', message = format('job "%s" does not exist', name),
      hint = coalesce('Your jobs are ' || (select string_agg(j.name, ', ' order by j.name) from (
        select j.name from frontdesk.job j order by j.name limit 20) j) || '.', 'Make one with frontdesk.schedule().');
  end if;
  return found_ids[1];
end
$$;
comment on function frontdesk.job_id(text) is 'internal: the id of a job, the caller''s own first, or an error that lists the jobs';

create or replace function frontdesk.unschedule(name text) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.job j where j.id = (
    select i.id from frontdesk.job i where i.name = unschedule.name order by i.owner <> frontdesk.job_owner(null), i.id limit 1);
  return found;
end
$$;
comment on function frontdesk.unschedule(text) is 'remove a job; false when there is none. A run under way is finished, the history stays';

create or replace function frontdesk.unschedule(id bigint) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.job j where j.id = unschedule.id;
  return found;
end
$$;
comment on function frontdesk.unschedule(bigint) is 'remove a job; false when there is none. A run under way is finished, the history stays';

create or replace function frontdesk.alter_job(
  id bigint, schedule text = null, command text = null, timezone text = null, username name = null, timeout interval = null,
  overlap text = null, max_retries int = null, retry_delay interval = null, catch_up text = null, active boolean = null,
  name text = null) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
begin
  update frontdesk.job j set
    name = coalesce(name, j.name), schedule = coalesce(schedule, j.schedule), run_at = case when schedule is null then j.run_at end,
    command = coalesce(command, j.command), timezone = coalesce(timezone, j.timezone),
    owner = case when username is null then j.owner::regrole else frontdesk.job_owner(username) end,
    timeout = nullif(coalesce(timeout, j.timeout), '0'), overlap = coalesce(overlap, j.overlap),
    max_retries = coalesce(max_retries, j.max_retries), retry_delay = coalesce(retry_delay, j.retry_delay),
    catch_up = coalesce(catch_up, j.catch_up), active = coalesce(active, j.active)
  where j.id = id;
  if not found then
    raise exception using errcode = 'undefined_object', message = format('job %s does not exist', coalesce(id::text, 'null')),
      hint = 'See frontdesk.list_scheduled_jobs().';
  end if;
end
$$;
comment on function frontdesk.alter_job(bigint, text, text, text, name, interval, text, int, interval, text, boolean, text) is
  'change a job; null keeps what is, timeout => ''0'' removes it';

create or replace function frontdesk.run_job(name text) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint;
begin
  -- Nothing waits here for the run: a statement that did would hold up CREATE INDEX CONCURRENTLY by its snapshot.
  insert into frontdesk.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at)
  select j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now()
  from frontdesk.job j where j.id = frontdesk.job_id(run_job.name)
  returning id into result;
  perform frontdesk.jobs_changed();
  return result;
end
$$;
comment on function frontdesk.run_job(text) is
  'run a job in the background when this transaction commits, whatever its schedule and also when it is inactive; returns the id of the run';

create or replace function frontdesk.cancel_run(run_id bigint) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if not exists (select from frontdesk.job_run r where r.id = run_id) then
    raise exception using errcode = 'undefined_object', message = format('run %s does not exist', coalesce(run_id::text, 'null')),
      hint = 'See frontdesk.get_job_history().';
  end if;
  update frontdesk.job_run r set status = 'cancelled', finished_at = frontdesk.now(), message = 'cancelled before it began'
  where r.id = run_id and r.status = 'waiting';
  if found then
    return true;
  end if;
  update frontdesk.job_run r set status = 'cancelling' where r.id = run_id and r.status in ('running', 'cancelling');
  if found then
    perform frontdesk.jobs_changed();
    return true;
  end if;
  return false;
end
$$;
comment on function frontdesk.cancel_run(bigint) is
  'cancel a run that waits or is under way, when this transaction commits; false when it is over. It is not tried again';
