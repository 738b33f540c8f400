-- The names of pg_cron over frontdesk's scheduler. @schema@ is cron unless install_compat() was told otherwise.

create function @schema@.schedule(job_name text, schedule text, command text) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$ select frontdesk.schedule($1, $2, $3, timezone => 'GMT') $$;
comment on function @schema@.schedule(text, text, text) is 'as pg_cron''s: by the clock of GMT; a job of the same name is replaced';

create function @schema@.schedule(schedule text, command text) returns bigint
language sql strict set search_path = pg_catalog, pg_temp as $$
  select frontdesk.schedule('cron-' || gen_random_uuid(), $1, $2, timezone => 'GMT')
$$;
comment on function @schema@.schedule(text, text) is 'as pg_cron''s: a job without a name';

create function @schema@.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null, active boolean default true) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  if database <> current_database() then
    raise exception using errcode = 'feature_not_supported', message = format('a job runs in the database that it is in, this is %s', current_database()),
      hint = format('Create extension pg_frontdesk in %s, which has its own engine, and schedule it there.', database);
  end if;
  return frontdesk.schedule(job_name, schedule, command, timezone => 'GMT', username => username, active => active);
end
$$;
comment on function @schema@.schedule_in_database(text, text, text, text, text, boolean) is 'as pg_cron''s, for this database';

create function @schema@.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null, username text default null,
  active boolean default null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  if database <> current_database() then
    raise exception using errcode = 'feature_not_supported', message = format('a job runs in the database that it is in, this is %s', current_database());
  end if;
  perform frontdesk.alter_job(job_id, schedule => schedule, command => command, username => username, active => active);
end
$$;
comment on function @schema@.alter_job(bigint, text, text, text, text, boolean) is 'as pg_cron''s';

create function @schema@.unschedule(job_id bigint) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not frontdesk.unschedule(job_id) then
    raise exception using errcode = 'undefined_object', message = format('could not find valid entry for job %s', job_id);
  end if;
  return true;
end
$$;
comment on function @schema@.unschedule(bigint) is 'as pg_cron''s: an error where there is no such job';

create function @schema@.unschedule(job_name text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not frontdesk.unschedule(job_name) then
    raise exception using errcode = 'undefined_object', message = format('could not find valid entry for job ''%s''', job_name);
  end if;
  return true;
end
$$;
comment on function @schema@.unschedule(text) is 'as pg_cron''s: an error where there is no such job';

create view @schema@.job with (security_invoker) as
select j.id as jobid, coalesce(j.schedule, 'once at ' || j.run_at) as schedule, j.command, 'localhost'::text as nodename,
  current_setting('port')::int as nodeport, current_database()::text as database, j.owner as username, j.active,
  case when j.name !~ '^cron-[0-9a-f]{8}-[0-9a-f]{4}-' then j.name end as jobname
from frontdesk.jobs j;
comment on view @schema@.job is 'your jobs with pg_cron''s columns; can be inserted into, updated and deleted from';

create function @schema@.write_job() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    perform frontdesk.unschedule(old.jobid);
    return old;
  elsif tg_op = 'INSERT' then
    new.jobid := frontdesk.schedule(coalesce(new.jobname, 'cron-' || gen_random_uuid()), new.schedule, new.command, timezone => 'GMT',
      username => new.username, active => coalesce(new.active, true));
    return new;
  end if;
  perform frontdesk.alter_job(old.jobid, schedule => nullif(new.schedule, old.schedule), command => nullif(new.command, old.command),
    username => nullif(new.username, old.username), active => new.active, name => nullif(new.jobname, old.jobname));
  return new;
end
$$;
comment on function @schema@.write_job() is 'trigger: writes to the view become schedule(), alter_job(), unschedule()';
create trigger write_job instead of insert or update or delete on @schema@.job for each row execute function @schema@.write_job();

create view @schema@.job_run_details with (security_invoker) as
select r.job_id as jobid, r.id as runid, r.pid as job_pid, current_database()::text as database, r.owner as username, r.command,
  case r.status when 'waiting' then 'starting' when 'cancelling' then 'running'
    when 'running' then 'running' when 'succeeded' then 'succeeded' else 'failed' end as status,
  coalesce(r.message, case when r.status = 'succeeded' then concat(coalesce(r.rows, 0), case r.rows when 1 then ' row' else ' rows' end)
    when r.status in ('skipped', 'timed out', 'cancelled', 'interrupted') then r.status end) as return_message,
  r.started_at as start_time, r.finished_at as end_time
from frontdesk.job_runs r;
comment on view @schema@.job_run_details is 'the runs of your jobs with pg_cron''s columns and statuses; they are kept for frontdesk.job_retention';

create function @schema@.keep_runs() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise notice using message = 'runs are dropped by frontdesk.job_retention and frontdesk.job_failure_retention, not by hand';
  return null;
end
$$;
comment on function @schema@.keep_runs() is 'trigger: a clean-up that was written for pg_cron is not needed, and deletes nothing';
create trigger keep_runs instead of delete on @schema@.job_run_details for each row execute function @schema@.keep_runs();

revoke all on function @schema@.schedule_in_database(text, text, text, text, text, boolean), @schema@.alter_job(bigint, text, text, text, text, boolean) from public;
revoke all on function @schema@.write_job(), @schema@.keep_runs() from public;
grant usage on schema @schema@ to public;
grant select, insert, update, delete on @schema@.job to public;
grant select, delete on @schema@.job_run_details to public;
