-- Jobs: commands with a schedule, and what became of their runs.

create table frontdesk_internal.job (
  id bigint generated always as identity primary key,
  name text not null,
  owner frontdesk.role not null,
  schedule text,
  run_at timestamptz,
  command text not null,
  timezone text not null,
  timeout interval,
  overlap text not null,
  max_retries int not null,
  retry_delay interval not null,
  catch_up text not null,
  active boolean not null,
  planned_from timestamptz not null,
  home uuid default frontdesk_internal.installation_id(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  login boolean not null default true,
  scheduled_by name,
  unique (owner, name),
  check ((schedule is null) <> (run_at is null))
);
comment on table frontdesk_internal.job is 'commands that run by a schedule or once, as their owner; changed through schedule(), alter_job(), unschedule() ...';
comment on column frontdesk_internal.job.owner is 'the role it runs as; a number where the role was dropped';
comment on column frontdesk_internal.job.login is 'its owner could log in when it was scheduled: once they may no longer, it does not run';
comment on column frontdesk_internal.job.scheduled_by is 'who scheduled it for a role that they could become; null: the owner';
comment on column frontdesk_internal.job.run_at is 'when a job without a schedule runs, once';
comment on column frontdesk_internal.job.home is 'the installation that it was made in: one that came with a dump, or a part of one, does not run before adopt()';
comment on column frontdesk_internal.job.planned_from is 'no due time before this counts: when its schedule was last changed or it was activated';
comment on column frontdesk_internal.job.timeout is 'a run that takes longer is cancelled';
comment on column frontdesk_internal.job.overlap is 'when it is due and the last run is not over: skip, queue (one waits), allow';
comment on column frontdesk_internal.job.catch_up is 'what was due while nobody was there: none, one, all (at most 1000)';

-- Apart from the job, because the engine writes it at every run; and left out of dumps, because it is about this server.
create table frontdesk_internal.job_state (
  job_id bigint primary key references frontdesk_internal.job on delete cascade,
  handled_until timestamptz,
  failures int not null default 0,
  retry_at timestamptz,
  retry_attempt int,
  retry_scheduled_at timestamptz,
  problem text
) with (fillfactor = 50);
comment on table frontdesk_internal.job_state is 'how far the engine got with a job';
comment on column frontdesk_internal.job_state.handled_until is 'the last due time that was dealt with';
comment on column frontdesk_internal.job_state.failures is 'runs that failed since the last that succeeded';
comment on column frontdesk_internal.job_state.problem is 'why the engine does not run it';

create table frontdesk_internal.job_run (
  id bigint generated always as identity,
  job_id bigint not null,
  job_name text not null,
  owner frontdesk.role not null,
  command text not null,
  status text not null,
  attempt int not null default 1,
  scheduled_at timestamptz not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  pid int,
  rows bigint,
  result jsonb,
  sqlstate text,
  message text
) partition by list (status);

comment on table frontdesk_internal.job_run is 'runs of jobs: successes kept for frontdesk.job_retention, failures for frontdesk.job_failure_retention';
comment on column frontdesk_internal.job_run.status is 'waiting, running, cancelling; succeeded, skipped; failed, timed out, cancelled, interrupted';
comment on column frontdesk_internal.job_run.attempt is '1, and one more for each retry';
comment on column frontdesk_internal.job_run.scheduled_at is 'when it was due';
comment on column frontdesk_internal.job_run.rows is 'rows that the last statement affected or returned';
comment on column frontdesk_internal.job_run.result is 'the first row of the last result';
comment on column frontdesk_internal.job_run.message is 'the tag of the last statement, or the error';

create table frontdesk_internal.job_run_open partition of frontdesk_internal.job_run for values in ('waiting', 'running', 'cancelling') with (fillfactor = 50);
create table frontdesk_internal.job_run_success partition of frontdesk_internal.job_run for values in ('succeeded', 'skipped') partition by range (started_at);
create table frontdesk_internal.job_run_failure partition of frontdesk_internal.job_run for values in ('failed', 'timed out', 'cancelled', 'interrupted')
  partition by range (started_at);
create table frontdesk_internal.job_run_success_default partition of frontdesk_internal.job_run_success default;
create table frontdesk_internal.job_run_failure_default partition of frontdesk_internal.job_run_failure default;
create index job_run_id on frontdesk_internal.job_run (id);
create index job_run_job on frontdesk_internal.job_run (job_id, id);

-- The tables are nobody's: the verbs write them as the owner of the extension, and ask who called. A role may have the jobs of
-- the roles it can become (set role), which is what running a command as them amounts to.

select pg_catalog.pg_extension_config_dump('frontdesk_internal.job', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.job_id_seq', '');
