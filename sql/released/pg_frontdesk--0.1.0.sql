\echo Use "CREATE EXTENSION pg_frontdesk" to load this file. \quit

-- sql/tables/00_base.sql
-- Nothing that lies in other schemas is meant by the names below; a planted operator would otherwise win where it fits better.
set local search_path = pg_catalog, frontdesk, pg_temp;

-- The engine speaks UTF-8 with the world and with the database.
do $$
begin
  if getdatabaseencoding() <> 'UTF8' then
    raise exception using errcode = 'feature_not_supported',
      message = format('pg_frontdesk needs a database in UTF8, this one is in %s', getdatabaseencoding()),
      hint = 'create database ... encoding ''UTF8'' template template0';
  end if;
end
$$;

-- Who this installation is, and what it is meant to be doing.

create table frontdesk.installation (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid(),
  system_identifier bigint not null,
  database_oid oid not null,
  state text not null default 'running' check (state in ('running', 'paused', 'stopped')),
  state_reason text,
  state_changed_at timestamptz not null default now(),
  config_version bigint not null default 1,
  installed_at timestamptz not null default now()
);
comment on table frontdesk.installation is
  'one row: the identity of this installation (part of every webhook-id), where it was installed, and whether the engine may work. A copy that runs elsewhere stays silent until adopt().';

-- A restored dump brings its own row; it replaces the one that CREATE EXTENSION made.
create function frontdesk.installation_replace() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.installation;
  return new;
end
$$;

comment on function frontdesk.installation_replace() is 'trigger: there is one row, and the last one written is it';

create trigger installation_replace before insert on frontdesk.installation
  for each row execute function frontdesk.installation_replace();

insert into frontdesk.installation (system_identifier, database_oid)
select s.system_identifier, d.oid
from pg_control_system() s, pg_database d
where d.datname = current_database();

select pg_catalog.pg_extension_config_dump('frontdesk.installation', '');

-- sql/tables/10_event.sql
-- The append-only log of what happened. Written by capture() and emit(), read by the engine, dropped by the day.

create sequence frontdesk.event_id_seq;

create table frontdesk.event (
  id bigint not null,
  xid xid8 not null,
  created_at timestamptz not null,
  op "char" not null,
  depth smallint not null,
  type text not null,
  source text,
  key text,
  tenant uuid,
  target bigint,
  record jsonb,
  old_record jsonb,
  actor text not null,
  user_id text
) partition by range (created_at);

comment on table frontdesk.event is 'append-only log of events, partitioned by UTC day, kept for frontdesk.event_retention';
comment on column frontdesk.event.xid is 'transaction that wrote it: the log is read by snapshot window, not by id';
comment on column frontdesk.event.op is 'I insert, U update, D delete, T truncate, E emit(), H http request, S service (endpoint.failing, delivery.exhausted ...)';
comment on column frontdesk.event.depth is 'how many of our own automations led to it; past 8 it is recorded and not routed';
comment on column frontdesk.event.key is 'the row''s key as text; a JSON array when the key has several columns';
comment on column frontdesk.event.target is 'the only endpoint it goes to (test_endpoint, send_webhook_with_retry); null: to all that match';
comment on column frontdesk.event.record is 'the row after the change (before it, for a delete), or what emit() was given';
comment on column frontdesk.event.old_record is 'the row before an update';
comment on column frontdesk.event.actor is 'session user';
comment on column frontdesk.event.user_id is 'setting frontdesk.user_id at the time: the application''s user';

-- The engine reads by (xid, id); people look up by id, which follows the physical order, so a BRIN index is enough
-- and costs the user's transaction next to nothing.
create index event_xid_id on frontdesk.event (xid, id);
create index event_id on frontdesk.event using brin (id) with (pages_per_range = 16);

create table frontdesk.event_default partition of frontdesk.event default;

-- sql/tables/20_endpoint.sql
-- Where events go.

create table frontdesk.endpoint (
  id bigint generated always as identity primary key,
  name text not null unique,
  url text not null,
  events text[] not null,
  headers jsonb not null default '{}',
  filter jsonb,
  payload text not null,
  signature text not null,
  retry jsonb,
  timeout_ms int not null check (timeout_ms between 100 and 120000),
  max_in_flight int not null check (max_in_flight between 1 and 20000),
  rate_per_second numeric check (rate_per_second > 0),
  ordered boolean not null,
  tenant uuid,
  state text not null default 'active' check (state in ('active', 'paused', 'disabled')),
  state_reason text,
  state_changed_at timestamptz not null default now(),
  failing_since timestamptz,
  failures int not null default 0,
  open_until timestamptz,
  created_at timestamptz not null default now(),
  created_snapshot pg_snapshot not null default pg_current_snapshot(),
  updated_at timestamptz not null default now()
);
comment on table frontdesk.endpoint is 'where events are delivered; changed through add_endpoint(), alter_endpoint(), pause_endpoint() ...';
comment on column frontdesk.endpoint.headers is 'headers that are no secret; those that look like credentials are kept in endpoint_secret';
comment on column frontdesk.endpoint.state is 'active; paused by someone; disabled by the engine (410 Gone, or failing for five days)';
comment on column frontdesk.endpoint.failing_since is 'first failure of the present series; null while deliveries succeed';
comment on column frontdesk.endpoint.open_until is 'the circuit breaker is open until then: nothing is sent but a probe after it';
comment on column frontdesk.endpoint.created_snapshot is 'events committed before this are not for this endpoint';

create table frontdesk.endpoint_secret (
  id bigint generated always as identity primary key,
  endpoint_id bigint not null references frontdesk.endpoint on delete cascade,
  header text,
  secret bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
comment on table frontdesk.endpoint_secret is 'signing secrets and credential headers, sealed with the key of frontdesk.secret_key_file when there is one';
comment on column frontdesk.endpoint_secret.header is 'null: a signing secret; else the name of the header whose value this is';
comment on column frontdesk.endpoint_secret.expires_at is 'a rotated secret signs beside the new one until then';
create index endpoint_secret_endpoint_id on frontdesk.endpoint_secret (endpoint_id);

select pg_catalog.pg_extension_config_dump('frontdesk.endpoint', '');
select pg_catalog.pg_extension_config_dump('frontdesk.endpoint_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk.endpoint_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk.endpoint_secret_id_seq', '');

-- sql/tables/21_delivery.sql
-- What became of the events: attempts (append-only), what is to be tried again, what was given up, how far the log was read.

create sequence frontdesk.attempt_id_seq;

create table frontdesk.attempt (
  id bigint not null default nextval('frontdesk.attempt_id_seq'),
  event_id bigint not null,
  endpoint_id bigint not null,
  attempt int not null,
  started_at timestamptz not null,
  duration_ms real not null,
  succeeded boolean not null,
  status smallint,
  error text,
  detail text,
  address inet,
  response text,
  response_headers jsonb,
  response_body bytea
) partition by list (succeeded);

comment on table frontdesk.attempt is 'append-only log of requests made; successes kept for frontdesk.success_retention, failures for frontdesk.failure_retention';
comment on column frontdesk.attempt.endpoint_id is '0: a direct request (http_post and friends)';
comment on column frontdesk.attempt.error is 'what went wrong, as a word: dns, address_refused, connect, connect_timeout, tls, timeout, reset, protocol, status, payload ...';
comment on column frontdesk.attempt.detail is 'what went wrong, as a sentence';
comment on column frontdesk.attempt.response is 'the first 4 kB of the response as text';
comment on column frontdesk.attempt.response_body is 'direct requests only: the response as it came, up to frontdesk.max_response_kb';

create table frontdesk.attempt_success partition of frontdesk.attempt for values in (true) partition by range (started_at);
create table frontdesk.attempt_failure partition of frontdesk.attempt for values in (false) partition by range (started_at);
create table frontdesk.attempt_success_default partition of frontdesk.attempt_success default;
create table frontdesk.attempt_failure_default partition of frontdesk.attempt_failure default;
create index attempt_event_id on frontdesk.attempt (event_id);

create table frontdesk.retry (
  event_id bigint not null,
  endpoint_id bigint not null,
  event_xid xid8 not null,
  event_at timestamptz not null,
  attempts int not null,
  due_at timestamptz not null,
  key text,
  reason text not null,
  primary key (event_id, endpoint_id)
);
comment on table frontdesk.retry is 'deliveries that failed or wait: its size is the size of the trouble, not of the traffic';
comment on column frontdesk.retry.due_at is 'infinity: waits for an earlier event of the same key (ordered endpoints)';
create index retry_due_at on frontdesk.retry (due_at);
create index retry_endpoint_key on frontdesk.retry (endpoint_id, key, event_id) where key is not null;

create table frontdesk.dead_letter (
  event_id bigint not null,
  endpoint_id bigint not null,
  event_xid xid8 not null,
  event_at timestamptz not null,
  attempts int not null,
  reason text not null,
  died_at timestamptz not null,
  primary key (event_id, endpoint_id)
);
comment on table frontdesk.dead_letter is 'deliveries given up after the last retry; replay() sends them again, discard() forgets them';

create table frontdesk.cursor (
  endpoint_id bigint primary key,
  last_snapshot pg_snapshot not null,
  current_snapshot pg_snapshot,
  xid xid8 not null,
  event_id bigint not null,
  since timestamptz not null,
  updated_at timestamptz not null default now()
);
comment on table frontdesk.cursor is 'how far the log was read: endpoint 0 is the engine; another row is an endpoint that is behind and catches up on its own';
comment on column frontdesk.cursor.current_snapshot is 'the window being read is what this sees and last_snapshot did not; null: between windows';
comment on column frontdesk.cursor.since is 'no unread event is older than this';

insert into frontdesk.cursor (endpoint_id, last_snapshot, xid, event_id, since)
values (0, pg_current_snapshot(), '0', 0, '-infinity');

-- sql/tables/30_schedule.sql
-- Jobs: commands with a schedule, and what became of their runs.

create table frontdesk.job (
  id bigint generated always as identity primary key,
  name text not null,
  owner regrole not null,
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
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (owner, name),
  check ((schedule is null) <> (run_at is null))
);
comment on table frontdesk.job is 'commands that run by a schedule or once, as their owner; changed through schedule(), alter_job(), unschedule() ...';
comment on column frontdesk.job.owner is 'the role it runs as; a number where the role was dropped';
comment on column frontdesk.job.run_at is 'when a job without a schedule runs, once';
comment on column frontdesk.job.planned_from is 'no due time before this counts: when its schedule was last changed or it was activated';
comment on column frontdesk.job.timeout is 'a run that takes longer is cancelled';
comment on column frontdesk.job.overlap is 'when it is due and the last run is not over: skip, queue (one waits), allow';
comment on column frontdesk.job.catch_up is 'what was due while nobody was there: none, one, all (at most 1000)';

-- Apart from the job, because the engine writes it at every run; and left out of dumps, because it is about this server.
create table frontdesk.job_state (
  job_id bigint primary key references frontdesk.job on delete cascade,
  handled_until timestamptz,
  failures int not null default 0,
  retry_at timestamptz,
  retry_attempt int,
  retry_scheduled_at timestamptz,
  problem text
) with (fillfactor = 50);
comment on table frontdesk.job_state is 'how far the engine got with a job';
comment on column frontdesk.job_state.handled_until is 'the last due time that was dealt with';
comment on column frontdesk.job_state.failures is 'runs that failed since the last that succeeded';
comment on column frontdesk.job_state.problem is 'why the engine does not run it';

create table frontdesk.job_run (
  id bigint generated always as identity,
  job_id bigint not null,
  job_name text not null,
  owner regrole not null,
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

comment on table frontdesk.job_run is 'runs of jobs: successes kept for frontdesk.job_retention, failures for frontdesk.job_failure_retention';
comment on column frontdesk.job_run.status is 'waiting, running, cancelling; succeeded, skipped; failed, timed out, cancelled, interrupted';
comment on column frontdesk.job_run.attempt is '1, and one more for each retry';
comment on column frontdesk.job_run.scheduled_at is 'when it was due';
comment on column frontdesk.job_run.rows is 'rows that the last statement affected or returned';
comment on column frontdesk.job_run.result is 'the first row of the last result';
comment on column frontdesk.job_run.message is 'the tag of the last statement, or the error';

create table frontdesk.job_run_open partition of frontdesk.job_run for values in ('waiting', 'running', 'cancelling') with (fillfactor = 50);
create table frontdesk.job_run_success partition of frontdesk.job_run for values in ('succeeded', 'skipped') partition by range (started_at);
create table frontdesk.job_run_failure partition of frontdesk.job_run for values in ('failed', 'timed out', 'cancelled', 'interrupted')
  partition by range (started_at);
create table frontdesk.job_run_success_default partition of frontdesk.job_run_success default;
create table frontdesk.job_run_failure_default partition of frontdesk.job_run_failure default;
create index job_run_id on frontdesk.job_run (id);
create index job_run_job on frontdesk.job_run (job_id, id);

-- Everybody has jobs of his own and sees only those. The functions run with the rights of their caller, so that current_user
-- is the caller, whoever's function calls them; these policies then decide, and a trigger checks what is written. A role may
-- have the jobs of the roles it can become (set role), which is what running a command as them amounts to.
alter table frontdesk.job enable row level security;
alter table frontdesk.job_state enable row level security;
alter table frontdesk.job_run enable row level security;
create policy own on frontdesk.job using (pg_has_role(owner::oid, 'set'));
create policy own on frontdesk.job_state for select using (exists (select from frontdesk.job j where j.id = job_id));
create policy own on frontdesk.job_run for select using (pg_has_role(owner::oid, 'set'));
-- run_job() asks for a run, cancel_run() takes it back.
create policy ask on frontdesk.job_run for insert with check (status = 'waiting' and pg_has_role(owner::oid, 'set'));
create policy take_back on frontdesk.job_run for update using (status in ('waiting', 'running', 'cancelling') and pg_has_role(owner::oid, 'set'))
  with check (status in ('cancelled', 'cancelling'));

select pg_catalog.pg_extension_config_dump('frontdesk.job', '');
select pg_catalog.pg_extension_config_dump('frontdesk.job_id_seq', '');

-- sql/tables/31_timer.sql
-- Timers: "emit this event so long before or after that column, if this still holds".

create table frontdesk.timer_rule (
  id bigint generated always as identity primary key,
  name text not null unique,
  source regclass not null,
  source_name text not null,
  at_column name not null,
  at_attnum smallint not null,
  key_columns name[] not null,
  key_attnums smallint[] not null,
  shift interval not null,
  timezone text not null,
  event text not null,
  condition jsonb,
  late text not null check (late in ('fire', 'skip')),
  expires interval check (expires > '0'),
  tenant_column name,
  payload text,
  filled_in text,
  problem text,
  created_at timestamptz not null default now()
);
comment on table frontdesk.timer_rule is 'rules of remind(): which event is emitted how long after (or, negative, before) which column';
comment on column frontdesk.timer_rule.timezone is 'of columns that have none, and of days and months in the offset';
comment on column frontdesk.timer_rule.filled_in is 'the database whose rows have their timers: another one (a restored dump) makes them at its start';
comment on column frontdesk.timer_rule.tenant_column is 'column whose value is the tenant of the event; null: as the table is watched';
comment on column frontdesk.timer_rule.payload is 'signature of a function of a row that makes what the event carries; null: the row itself. As text, because pg_upgrade takes no regprocedure';
comment on column frontdesk.timer_rule.problem is 'why it emits nothing any more';

create table frontdesk.timer (
  rule_id bigint not null,
  key text not null,
  at timestamptz not null,
  due_at timestamptz not null,
  outcome text,
  done_at timestamptz,
  primary key (rule_id, key, at)
);
comment on table frontdesk.timer is 'pending timers, one per rule and row, in step with the row; and those that are done, as long as the row is there, so that none fires twice';
comment on column frontdesk.timer.at is 'the value of the column';
comment on column frontdesk.timer.outcome is 'null: pending; fired, late, expired, broken';
create index timer_due on frontdesk.timer (due_at) where outcome is null;

-- Who owns the table has its rules: remind() runs as its caller, and these policies decide.
alter table frontdesk.timer_rule enable row level security;
alter table frontdesk.timer enable row level security;
create policy own on frontdesk.timer_rule
  using (pg_has_role((select c.relowner from pg_class c where c.oid = source), 'usage'));
create policy own on frontdesk.timer using (rule_id in (select r.id from frontdesk.timer_rule r));

select pg_catalog.pg_extension_config_dump('frontdesk.timer_rule', '');
select pg_catalog.pg_extension_config_dump('frontdesk.timer_rule_id_seq', '');

-- sql/tables/50_scoring.sql
-- Score models: rules over facts, and what they are worth.

create table frontdesk.score_model (
  name text not null,
  tenant uuid not null default '00000000-0000-0000-0000-000000000000',
  description text,
  link text not null default 'linear',
  base numeric not null default 0,
  floor numeric not null default 0,
  cap numeric not null default 100,
  tiers jsonb not null default '{}',
  groups jsonb not null default '{}',
  decay_moment text,
  half_life interval,
  report jsonb,
  shipped boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant, name)
);
comment on table frontdesk.score_model is 'models of score(); change rows, or call set_score_model(): both are checked at once';
comment on column frontdesk.score_model.tenant is 'whose it is, before the model of the same name that is everybody''s (all zeros)';
comment on column frontdesk.score_model.link is 'linear: the points add up to the score; logistic: base and points are log-odds, the score is 100 times the probability';
comment on column frontdesk.score_model.base is 'where every score begins';
comment on column frontdesk.score_model.tiers is 'where each tier begins, as in {"hot": 70, "warm": 40, "cold": 0}; the lowest at the floor';
comment on column frontdesk.score_model.groups is 'what the rules of a group give together at most, as in {"budget": 20}';
comment on column frontdesk.score_model.decay_moment is 'path of a moment among the facts; half of the score is left a half_life after it';
comment on column frontdesk.score_model.report is 'how good a trained model is: rows, AUC, calibration';
comment on column frontdesk.score_model.shipped is 'as the extension brought it, and replaced by its next version; false as soon as someone changes it';

create table frontdesk.score_rule (
  tenant uuid not null default '00000000-0000-0000-0000-000000000000',
  model text not null,
  name text not null,
  position int not null default 0,
  filter jsonb,
  points numeric not null,
  value text,
  value_from numeric,
  value_to numeric,
  part text,
  group_name text,
  reason text,
  primary key (tenant, model, name),
  foreign key (tenant, model) references frontdesk.score_model (tenant, name) on update cascade on delete cascade
);
comment on table frontdesk.score_rule is 'what a score model gives points for';
comment on column frontdesk.score_rule.filter is 'when the rule applies: a filter over the facts; null: always';
comment on column frontdesk.score_rule.points is 'what it gives: at most two decimals; log-odds where the model is logistic';
comment on column frontdesk.score_rule.value is 'path of a number that the points are scaled by: none at value_from, all at value_to';
comment on column frontdesk.score_rule.part is 'another model: the points are the weight of its score';
comment on column frontdesk.score_rule.reason is 'what explain_score() says';

-- Sessions keep compiled models and look here, once in a statement, whether these are still right.
create table frontdesk.score_state (
  only_row boolean primary key default true check (only_row),
  version bigint not null
) with (fillfactor = 50);
comment on table frontdesk.score_state is 'one row: a number that changes with every change of a score model';
-- Not an increment: a change that is rolled back must not leave its number to another.
create sequence frontdesk.score_version_seq;
-- Nor does the number of an extension that was dropped come again.
select setval('frontdesk.score_version_seq', (extract(epoch from clock_timestamp()) * 1000000)::bigint);
insert into frontdesk.score_state (version) values (nextval('frontdesk.score_version_seq'));

create table frontdesk.score_follower (
  job_id bigint primary key references frontdesk.job on delete cascade
);
comment on table frontdesk.score_follower is 'jobs that run whenever a score model was changed; see follow_scores()';

select pg_catalog.pg_extension_config_dump('frontdesk.score_model', 'where not shipped');
select pg_catalog.pg_extension_config_dump('frontdesk.score_rule',
  'where (tenant, model) in (select m.tenant, m.name from frontdesk.score_model m where not m.shipped)');
select pg_catalog.pg_extension_config_dump('frontdesk.score_follower', '');

-- Everybody's own, as jobs are.
alter table frontdesk.score_follower enable row level security;
create policy own on frontdesk.score_follower using (exists (select from frontdesk.job j where j.id = job_id));

-- sql/tables/65_embedder.sql
-- Embedders, the columns that are embedded by them, and what they would not take.

create table frontdesk.embedder (
  id bigint generated always as identity primary key,
  name text not null unique,
  url text not null,
  model text not null,
  dimensions int not null check (dimensions between 1 and 16000),
  send_dimensions boolean not null,
  encoding text not null,
  headers jsonb not null,
  batch_size int not null,
  batch_chars int not null,
  max_in_flight int not null,
  requests_per_minute numeric,
  timeout_ms int not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table frontdesk.embedder is 'services that turn texts into vectors; changed through add_embedder(), alter_embedder() ...';
comment on column frontdesk.embedder.send_dimensions is 'whether the requests ask for so many dimensions; a model of fixed size refuses that';
comment on column frontdesk.embedder.encoding is 'how vectors are asked for: float (a JSON array), or base64 (a quarter of the bytes, where the service has it)';
comment on column frontdesk.embedder.batch_size is 'texts in a request';
comment on column frontdesk.embedder.batch_chars is 'characters in a request; a longer text is marked as failed';
comment on column frontdesk.embedder.headers is 'headers that are no secret';

create table frontdesk.embedder_secret (
  embedder_id bigint not null references frontdesk.embedder on delete cascade,
  header text not null,
  secret bytea not null,
  primary key (embedder_id, header)
);
comment on table frontdesk.embedder_secret is 'credential headers, sealed with the key of frontdesk.secret_key_file when there is one';

-- Apart from the embedder, because it is written with every request; and left out of dumps, because it is about this server.
create table frontdesk.embedder_state (
  embedder_id bigint primary key references frontdesk.embedder on delete cascade,
  requests bigint not null default 0,
  tokens bigint not null default 0,
  embedded bigint not null default 0,
  reused bigint not null default 0,
  failures int not null default 0,
  failing_since timestamptz,
  last_error text,
  last_error_at timestamptz,
  last_success_at timestamptz,
  next_try_at timestamptz,
  next_slot timestamptz
) with (fillfactor = 50);
comment on table frontdesk.embedder_state is 'what an embedder did, and whether it answers';
comment on column frontdesk.embedder_state.failures is 'tries that failed since the last that succeeded';
comment on column frontdesk.embedder_state.next_slot is 'when requests_per_minute allows the next request';

create table frontdesk.embed_source (
  id bigint generated always as identity primary key,
  source regclass not null,
  source_name text not null,
  content_column name not null,
  embedding_column name not null,
  embedder_id bigint not null references frontdesk.embedder,
  condition text not null,
  owner regrole not null,
  job_id bigint,
  created_at timestamptz not null default now(),
  unique (source, embedding_column, embedder_id)
);
comment on table frontdesk.embed_source is 'embed_table(): which column of which table is embedded into which other, and by whom';
comment on column frontdesk.embed_source.condition is 'SQL: of the rows that this embedder embeds';
comment on column frontdesk.embed_source.owner is 'as whom the rows are read and written';

create table frontdesk.embed_failure (
  source_id bigint not null references frontdesk.embed_source on delete cascade,
  content_hash bigint not null,
  reason text not null,
  failed_at timestamptz not null default clock_timestamp(),
  primary key (source_id, content_hash)
);
comment on table frontdesk.embed_failure is
  'contents that the embedder refuses, whatever they are sent with, by their hash: a row is tried again when its content changes, or after retry_embedding()';

-- Without a log: after a crash of the server the queries are embedded again.
create unlogged table frontdesk.embedding_cache (
  embedder_id bigint not null,
  model text not null,
  content_hash bytea not null,
  embedding bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (embedder_id, model, content_hash)
);
comment on table frontdesk.embedding_cache is 'the vectors of embed(): of queries, at most 10000';
create index embedding_cache_created on frontdesk.embedding_cache (created_at);

create table frontdesk.embed_query (
  embedder_id bigint not null,
  tokens bigint not null,
  at timestamptz not null default clock_timestamp()
);
comment on table frontdesk.embed_query is
  'requests of embed() that are not yet counted in embedder_state: a count there would make transactions wait for each other';

-- What a table's owner declared is his: embed_table() runs as its caller, and these policies decide. The right to use an
-- embedder, which costs money, is the right to call embed_table().
alter table frontdesk.embed_source enable row level security;
alter table frontdesk.embed_failure enable row level security;
create policy own on frontdesk.embed_source using (pg_has_role(owner::oid, 'set'))
  with check (pg_has_role(owner::oid, 'set') and pg_has_role((select c.relowner from pg_class c where c.oid = source), 'usage')
    and has_function_privilege('frontdesk.embed_table(regclass,name,name,text,text)', 'execute'));
create policy own on frontdesk.embed_failure using (source_id in (select s.id from frontdesk.embed_source s));

select pg_catalog.pg_extension_config_dump('frontdesk.embedder', '');
select pg_catalog.pg_extension_config_dump('frontdesk.embedder_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk.embedder_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk.embed_source', '');
select pg_catalog.pg_extension_config_dump('frontdesk.embed_source_id_seq', '');

-- sql/functions/00_base.sql
-- Room 00, base: the clock, the engine's life, the identity of this installation.

create or replace function frontdesk.now() returns timestamptz
stable parallel safe
language c as 'MODULE_PATHNAME', 'clock_now_wrapper';
comment on function frontdesk.now() is
  'the clock of the engine: the time of day, or the setting frontdesk.fake_now in tests';

create or replace function frontdesk.engine_slot()
returns table (
  pid int, launcher_pid int, started_at timestamptz, in_flight bigint, queued bigint,
  delivered bigint, failed bigint, max_connections bigint, idle boolean)
language c as 'MODULE_PATHNAME', 'engine_slot_wrapper';
comment on function frontdesk.engine_slot() is
  'what the engine of this database says of itself in shared memory: its process, deliveries in flight and queued in memory, counts since its start';

create or replace function frontdesk.library_version() returns text
immutable parallel safe
language c as 'MODULE_PATHNAME', 'library_version_wrapper';
comment on function frontdesk.library_version() is 'version of the loaded library';

create or replace function frontdesk.wake(reboot boolean = false) returns void
language c as 'MODULE_PATHNAME', 'wake_engine_wrapper';
comment on function frontdesk.wake(boolean) is
  'wake the engine when this transaction commits (starting it if it is not there); reboot: it reads its identity and cursors anew';

create or replace function frontdesk.config_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return null;
end
$$;
comment on function frontdesk.config_changed() is 'trigger: the engine loads its configuration again before it routes what is committed after this';

create or replace function frontdesk.set_state(new_state text, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.installation
  set state = new_state, state_reason = reason, state_changed_at = clock_timestamp(),
      config_version = config_version + 1;
  perform frontdesk.wake();
end
$$;
comment on function frontdesk.set_state(text, text) is 'internal: what the engine is meant to be doing';

create or replace function frontdesk.is_clone() returns boolean
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select i.system_identifier <> s.system_identifier or i.database_oid <> d.oid
  from frontdesk.installation i, pg_control_system() s, pg_database d
  where d.datname = current_database()
$$;
comment on function frontdesk.is_clone() is
  'true where this database is a copy (restored dump, copied or upgraded cluster) that was not adopted: it sends nothing';

create or replace function frontdesk.start() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  i frontdesk.installation;
begin
  if pg_is_in_recovery() then
    raise exception using errcode = 'read_only_sql_transaction',
      message = 'the engine works on a primary only',
      hint = 'After a promotion it starts by itself.';
  end if;
  select * into i from frontdesk.installation;
  if i.state = 'stopped' then
    perform frontdesk.set_state('running', null);
  end if;
  perform frontdesk.wake(reboot => true);
  return case
    when frontdesk.is_clone() then 'starts at commit, silent: this database is a copy; see frontdesk.adopt()'
    when i.state = 'paused' then 'starts at commit, paused: see frontdesk.resume()'
    else 'starts at commit'
  end;
end
$$;
comment on function frontdesk.start() is
  'start the engine of this database when this transaction commits. Needed once after stop(); with or without shared_preload_libraries it otherwise starts by itself when there is work';

create or replace function frontdesk.stop() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk.set_state('stopped', 'stop() by ' || session_user);
  return 'leaves the database at commit; what is outstanding waits for frontdesk.start()';
end
$$;
comment on function frontdesk.stop() is
  'the engine leaves this database when this transaction commits; events go on being recorded and wait for start()';

create or replace function frontdesk.pause(reason text = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk.set_state('paused', coalesce(reason, 'pause() by ' || session_user));
end
$$;
comment on function frontdesk.pause(text) is 'send nothing more until resume(); what is in flight is finished, events are kept';

create or replace function frontdesk.resume() returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if frontdesk.is_clone() then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = 'this database is a copy of another installation and stays silent',
      hint = 'If it takes over from the original: select frontdesk.adopt();';
  end if;
  perform frontdesk.set_state('running', null);
end
$$;
comment on function frontdesk.resume() is 'go on after pause()';

create or replace function frontdesk.adopt(new_identity boolean = true) returns uuid
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  was_clone boolean := frontdesk.is_clone();
  result uuid;
begin
  update frontdesk.installation i
  set system_identifier = s.system_identifier,
      database_oid = d.oid,
      id = case when was_clone and new_identity then gen_random_uuid() else i.id end,
      state = 'running', state_reason = null, state_changed_at = clock_timestamp(),
      config_version = i.config_version + 1
  from pg_control_system() s, pg_database d
  where d.datname = current_database()
  returning i.id into result;
  -- Transaction ids of another cluster mean nothing here: what was committed until now is the past.
  if was_clone then
    update frontdesk.endpoint set created_snapshot = pg_current_snapshot();
    delete from frontdesk.cursor;
    insert into frontdesk.cursor (endpoint_id, last_snapshot, xid, event_id, since)
    values (0, pg_current_snapshot(), '0', 0, '-infinity');
    -- And what was due until now is the original's.
    update frontdesk.timer_rule set filled_in = null;
    perform frontdesk.timer_set(clock_timestamp()), frontdesk.jobs_changed();
  end if;
  perform frontdesk.wake(reboot => true);
  return result;
end
$$;
comment on function frontdesk.adopt(boolean) is
  'make this copy of a database work on its own: deliver what is committed from now on, under a new identity (webhook-ids differ from the original''s) unless new_identity is false';

create or replace function frontdesk.lag(out events bigint, out oldest timestamptz)
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  select count(*), min(e.created_at) into events, oldest
  from frontdesk.cursor c
  cross join lateral (
    select e.created_at
    from frontdesk.event e
    -- One row comparison is the only lower bound: with a second one the index scan starts at the wrong place.
    where (e.xid, e.id) > (greatest(c.xid, pg_snapshot_xmin(c.last_snapshot)),
        case when c.xid >= pg_snapshot_xmin(c.last_snapshot) then c.event_id else 0 end)
      and not pg_visible_in_snapshot(e.xid, c.last_snapshot)
    limit 100000) e
  where c.endpoint_id = 0;
end
$$;
comment on function frontdesk.lag() is 'committed events that the engine has not dealt with yet (counted to 100,000), and the oldest of them';

create or replace function frontdesk.status(
  out state text, out reason text, out pid int, out since timestamptz,
  out lag_events bigint, out lag_seconds numeric, out in_flight bigint, out queued bigint,
  out endpoints_behind bigint, out retrying bigint, out waiting bigint, out dead bigint, out oldest_pending timestamptz,
  out watches bigint, out endpoints bigint, out vector_indexes text, out installation uuid, out extension_version text, out library_version text)
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  i frontdesk.installation;
  slot record;
  behind record;
begin
  select * into i from frontdesk.installation;
  select * into slot from frontdesk.engine_slot();
  -- The engine writes its place in the log down once a second: while it has nothing to do, it is not behind it.
  select l.events, l.oldest into behind from frontdesk.lag() l where i.state <> 'running' or not coalesce(slot.idle, false);
  pid := slot.pid;
  since := slot.started_at;
  in_flight := slot.in_flight;
  queued := slot.queued;
  lag_events := coalesce(behind.events, 0);
  lag_seconds := coalesce(round(extract(epoch from frontdesk.now() - behind.oldest), 3), 0);
  select count(*) into endpoints_behind
  from frontdesk.cursor c join frontdesk.endpoint e on e.id = c.endpoint_id where not e.ordered;
  select count(*) filter (where due_at < 'infinity'), count(*) filter (where due_at = 'infinity'), min(event_at)
  into retrying, waiting, oldest_pending from frontdesk.retry;
  oldest_pending := least(oldest_pending, behind.oldest);
  select count(*) into dead from frontdesk.dead_letter;
  select count(*) into watches from frontdesk.watch;
  select count(*) into endpoints from frontdesk.endpoint;
  -- Of all tables, by the catalog alone: this function asks nothing of a schema that others may write in.
  select string_agg(x.indexrelid::regclass || case
      when p.index_relid is not null then format(' is being built (%s, %s %%)', p.phase, coalesce(round(100.0 * p.tuples_done / nullif(p.tuples_total, 0)), 0))
      when not x.indisvalid then ' is not finished'
      else '' end, ', ' order by x.indexrelid::regclass::text)
  into vector_indexes
  from pg_class c join pg_am m on m.oid = c.relam join pg_index x on x.indexrelid = c.oid
  left join pg_stat_progress_create_index p on p.index_relid = c.oid
  where c.relkind = 'i' and m.amname in ('hnsw', 'ivfflat');
  installation := i.id;
  library_version := frontdesk.library_version();
  select extversion into extension_version from pg_extension where extname = 'pg_frontdesk';
  select s.state, s.reason into state, reason
  from (values
    (pg_is_in_recovery(), 'standby', 'this server is a standby; the engine starts after a promotion'),
    (frontdesk.is_clone(), 'silent', 'this database is a copy; select frontdesk.adopt() makes it work on its own'),
    (not current_setting('frontdesk.enabled')::boolean, 'paused', 'frontdesk.enabled is off on this server'),
    (i.state <> 'running', i.state, i.state_reason),
    (extension_version <> library_version, 'paused',
      format('the library is %s, the extension %s: alter extension pg_frontdesk update', library_version, extension_version)),
    (slot.pid is null, 'not running',
      'no engine process; select frontdesk.start(), and see the server log and max_worker_processes'),
    (true, 'running', null)) s (holds, state, reason)
  where s.holds limit 1;
end
$$;
comment on function frontdesk.status() is
  'one row: is the engine running or why not, how far behind it is (events, seconds), what is in flight, queued in memory, retrying, waiting for an earlier event of its key, dead, the oldest pending event, the vector indexes and which of them are not ready, versions';

-- sql/functions/05_contact.sql
-- Room 05, contact: ways to reach people, in one spelling each.

create or replace function frontdesk.normalize_email(email text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_email_wrapper';
comment on function frontdesk.normalize_email(text, boolean) is
  'the e-mail address in lower case, out of what people paste (spaces, mailto:, Ana <ana@example.com>); null for nothing. '
  'What cannot be one is an error of SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.normalize_phone(phone text, country text = null, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_phone_wrapper';
comment on function frontdesk.normalize_phone(text, text, boolean) is
  'the telephone number as in E.164, +525512345678; country (ISO 3166-1, MX): of numbers written without a country code. Null for nothing. '
  'A length that its country does not have is an error of SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.normalize_handle(handle text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_handle_wrapper';
comment on function frontdesk.normalize_handle(text, boolean) is
  'the name of a profile on Instagram, Messenger or Telegram in lower case, without @ and without the address of the site; null for nothing. '
  'What cannot be one is an error of SQLSTATE 22023; null where strict is false';

create or replace function frontdesk.clean_line(value text, field text = 'text', longest int = 1000) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'clean_line_wrapper';
comment on function frontdesk.clean_line(text, text, int) is
  'one line of text: line breaks and control characters are spaces, runs of them one space, none at the ends; null for nothing. '
  'Longer than that many characters (0: any) is an error of SQLSTATE 22001 that names the field';

create or replace function frontdesk.normalize_row() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_normalize_row';
comment on function frontdesk.normalize_row() is
  'for a trigger before insert or update, for each row, that keeps columns in one spelling; its arguments are pairs of a column of type text and a kind: email, phone (with +), phone MX (the country of numbers without +), '
  'international (numbers with +; others stay as they are), handle, line, line 200 (characters at the most). What cannot be one is an error of SQLSTATE 22023 that says why';

-- sql/functions/05_schema.sql
-- Room 05, schema: JSON Schema, by which what comes from outside is checked before it is used.

create or replace function frontdesk.check_schema(schema jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_schema_wrapper';
comment on function frontdesk.check_schema(jsonb) is
  'the JSON Schema itself, or an error saying what is wrong with it. Patterns run in linear time (no look-around); references lead into the schema itself only';

create or replace function frontdesk.validate_json(schema jsonb, document jsonb) returns table (path text, message text)
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'validate_json_wrapper';
comment on function frontdesk.validate_json(jsonb, jsonb) is
  'what is wrong with a document by a JSON Schema (2020-12, formats checked): a row per mistake with its place as JSON pointer, at most 20; no row: it fits. Compiled schemas are kept for the session';

-- sql/functions/10_event.sql
-- Room 10, event: what is captured, and how.

create or replace function frontdesk.capture() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_capture';
comment on function frontdesk.capture() is
  'trigger: records the row change as an event in the same transaction. Made by watch(); its one argument is the watch as JSON';

create or replace function frontdesk.record_event(
  type text, op "char", record jsonb = null, key text = null, tenant uuid = null, target bigint = null) returns bigint
language c as 'MODULE_PATHNAME', 'frontdesk_record_event';
comment on function frontdesk.record_event(text, "char", jsonb, text, uuid, bigint) is
  'internal: append an event to the log and wake the engine at commit; returns the event id';

create or replace function frontdesk.check_event_type(type text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_event_type_wrapper';
comment on function frontdesk.check_event_type(text) is 'the type itself, or an error saying what a valid event type is';

create or replace function frontdesk.check_filter(filter jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_filter_wrapper';
comment on function frontdesk.check_filter(jsonb) is 'the filter itself, or an error naming the unknown operator, its path and the known ones';

create or replace function frontdesk.emit(type text, data jsonb = '{}', key text = null, tenant uuid = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if type like 'endpoint.%' or type like 'delivery.%' or type = 'http.request' then
    raise exception using errcode = 'reserved_name',
      message = format('event type "%s" is reserved', type),
      detail = 'endpoint.*, delivery.* and http.request are emitted by the engine itself.',
      hint = 'Choose another first segment.';
  end if;
  return frontdesk.record_event(frontdesk.check_event_type(type), 'E', coalesce(data, '{}'), key, tenant);
end
$$;
comment on function frontdesk.emit(text, jsonb, text, uuid) is
  'record an event of your own, delivered like any other when this transaction commits; returns its id. type: dotted [A-Za-z0-9_-] segments';

create or replace function frontdesk.watch_key(source regclass) returns name[]
stable language sql set search_path = pg_catalog, pg_temp as $$
  select array_agg(a.attname order by k.ordinality)
  from pg_index i
  cross join unnest(i.indkey::int2[]) with ordinality k (attnum, ordinality)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = source and i.indisprimary
$$;
comment on function frontdesk.watch_key(regclass) is 'internal: the columns of the primary key, null without one';

create or replace function frontdesk.watch_check(source regclass, columns name[], what text) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  missing name;
begin
  select c into missing from unnest(columns) c
  where c is null or not exists (
    select from pg_attribute a
    where a.attrelid = source and a.attname = c and a.attnum > 0 and not a.attisdropped)
  limit 1;
  if found then
    raise exception using errcode = 'undefined_column',
      message = format('column "%s" of %s does not exist', missing, source),
      detail = format('It is named in %s.', what),
      hint = (select format('The columns are %s.', string_agg(quote_ident(attname), ', ' order by attnum))
              from pg_attribute where attrelid = source and attnum > 0 and not attisdropped);
  end if;
end
$$;
comment on function frontdesk.watch_check(regclass, name[], text) is 'internal: raises where a column named in a watch does not exist';

create or replace function frontdesk.watch_source(source regclass) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  c pg_class;
  schema name;
  root regclass;
begin
  if source is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'source must not be null',
      hint = 'Name a table, as in frontdesk.watch(''leads'').';
  end if;
  select * into c from pg_class where oid = source;
  if not found then
    raise exception using errcode = 'undefined_table', message = format('there is no table with oid %s', source::oid);
  end if;
  select nspname into schema from pg_namespace where oid = c.relnamespace;
  if c.relkind not in ('r', 'p') then
    raise exception using errcode = 'wrong_object_type',
      message = format('%s is %s, not a table', source,
        case c.relkind when 'v' then 'a view' when 'm' then 'a materialized view' when 'f' then 'a foreign table'
          when 'i' then 'an index' when 'S' then 'a sequence' else 'not an ordinary relation' end),
      detail = 'Only changes to the rows of ordinary and partitioned tables can be captured.',
      hint = case when c.relkind in ('v', 'm') then 'Watch the tables that the view reads.' else 'Name an ordinary or partitioned table.' end;
  end if;
  if schema in ('pg_catalog', 'information_schema', 'pg_toast', 'frontdesk') then
    raise exception using errcode = 'wrong_object_type',
      message = format('%s is a system table', source),
      detail = format('Tables of schema %s cannot be watched.', schema);
  end if;
  if not pg_has_role(c.relowner, 'USAGE') then
    raise exception using errcode = 'insufficient_privilege', message = format('must be owner of table %s', source);
  end if;
  select a into root from pg_partition_ancestors(source) a
  where a <> source and exists (select from pg_trigger t where t.tgrelid = a and t.tgfoid = 'frontdesk.capture'::regproc)
  limit 1;
  if found then
    raise exception using errcode = 'object_in_use',
      message = format('%s is a partition of %s, which is watched already', source, root),
      hint = format('Change that watch: frontdesk.watch(%L, ...).', root);
  end if;
end
$$;
comment on function frontdesk.watch_source(regclass) is 'internal: raises unless the caller may watch this relation';

create or replace function frontdesk.watch(
  source regclass, entity text = null, operations text[] = '{insert,update,delete}', state_column name = null,
  columns name[] = null, condition jsonb = null, redact name[] = null, key_columns name[] = null,
  tenant_column name = null) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  unknown text;
  config jsonb;
begin
  perform frontdesk.watch_source(source);
  entity := coalesce(entity, (select regexp_replace(lower(relname), '[^a-z0-9_-]', '_', 'g') from pg_class where oid = source));
  perform frontdesk.check_event_type(entity);
  if entity ~ '^(endpoint|delivery|http)(\.|$)' then
    raise exception using errcode = 'reserved_name', message = format('entity "%s" is reserved', entity),
      hint = 'Give another: frontdesk.watch(..., entity => ''my_' || entity || ''').';
  end if;
  if coalesce(cardinality(operations), 0) = 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'operations must name at least one operation',
      hint = 'Any of insert, update, delete, truncate.';
  end if;
  select o into unknown from unnest(operations) o where coalesce(o, '') not in ('insert', 'update', 'delete', 'truncate') limit 1;
  if found then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('unknown operation "%s"', unknown),
      hint = 'The operations are insert, update, delete and truncate, in lower case.';
  end if;
  perform frontdesk.watch_check(source, array[state_column], 'state_column') where state_column is not null;
  perform frontdesk.watch_check(source, array[tenant_column], 'tenant_column') where tenant_column is not null;
  perform frontdesk.watch_check(source, columns, 'columns');
  perform frontdesk.watch_check(source, redact, 'redact');
  perform frontdesk.watch_check(source, key_columns, 'key_columns');
  if tenant_column is not null and (
    select atttypid <> 'uuid'::regtype from pg_attribute where attrelid = source and attname = tenant_column) then
    raise exception using errcode = 'datatype_mismatch',
      message = format('tenant column "%s" of %s is not of type uuid', tenant_column, source);
  end if;
  perform frontdesk.check_filter(condition) where condition is not null;
  config := jsonb_strip_nulls(jsonb_build_object(
    'entity', entity, 'operations', to_jsonb(operations), 'state', state_column, 'tenant', tenant_column,
    'columns', to_jsonb(columns), 'redact', to_jsonb(redact), 'key', to_jsonb(key_columns)))
    || case when condition is null then '{}' else jsonb_build_object('condition', condition) end;
  perform frontdesk.watch_install(source, config);
end
$$;
comment on function frontdesk.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name) is
  'record changes of this table''s rows as events: <entity>.created, .updated, .deleted, .truncated, or <entity>.<new state> when state_column changes. '
  'columns: an update that changes none of them is no event. condition: a filter over {"op", "new", "old"}. redact: columns left out of the record. '
  'key_columns: default the primary key. tenant_column: a uuid. Called again it replaces the watch. Caller must own the table';

create or replace function frontdesk.watch_install(source regclass, config jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  named name[] := array(
    select distinct n from (
      select config->>'state' union all select config->>'tenant'
      union all select jsonb_array_elements_text(config->'columns')
      union all select jsonb_array_elements_text(config->'redact')
      union all select jsonb_array_elements_text(config->'key')) s (n)
    where n is not null);
  operations text[] := array(select jsonb_array_elements_text(config->'operations'));
  -- The words are ours, whatever the configuration says: they become part of a command.
  row_events text := (select string_agg(o, ' or ') from unnest('{insert,update,delete}'::text[]) o where o = any (operations));
begin
  if not has_function_privilege('frontdesk.capture()', 'execute') then
    raise exception using errcode = 'insufficient_privilege',
      message = format('role %I may not watch tables', current_user),
      detail = 'A watch is a trigger that calls frontdesk.capture(), which this role may not execute.',
      hint = format('An administrator allows it: grant execute on function frontdesk.capture() to %I;', current_user);
  end if;
  -- Column numbers let the watch follow a renamed column.
  config := config || jsonb_build_object('attnums', (
    select coalesce(jsonb_object_agg(attname, attnum), '{}') from pg_attribute
    where attrelid = source and attname = any (named) and attnum > 0 and not attisdropped));
  if row_events is not null then
    execute format('create or replace trigger _frontdesk_capture after %s on %s for each row execute function frontdesk.capture(%L)',
      row_events, source, config);
  else
    perform frontdesk.watch_remove(source, '{_frontdesk_capture}');
  end if;
  if operations && '{delete,truncate}' then
    execute format('create or replace trigger _frontdesk_capture_truncate after truncate on %s for each statement execute function frontdesk.capture(%L)',
      source, config);
  else
    perform frontdesk.watch_remove(source, '{_frontdesk_capture_truncate}');
  end if;
end
$$;
comment on function frontdesk.watch_install(regclass, jsonb) is
  'internal: makes the triggers of a watch. Triggers fire in the order of their names: the underscore puts ours before those that change other rows, so that events have the order of the changes';

create or replace function frontdesk.watch_remove(source regclass, triggers name[]) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  present name[] := array(
    select tgname from pg_trigger
    where tgrelid = source and tgname = any (triggers) and tgfoid = 'frontdesk.capture'::regproc and not tgisinternal and tgparentid = 0);
  each_trigger name;
begin
  foreach each_trigger in array present loop
    execute format('drop trigger %I on %s', each_trigger, source);
  end loop;
  return present <> '{}';
end
$$;
comment on function frontdesk.watch_remove(regclass, name[]) is 'internal: drops those of these triggers that are there; false when none is';

create or replace function frontdesk.unwatch(source regclass) returns boolean
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.watch_remove(source, '{_frontdesk_capture,_frontdesk_capture_truncate}')
$$;
comment on function frontdesk.unwatch(regclass) is 'record changes of this table no more; false when it was not watched. Events already recorded are delivered';

create or replace function frontdesk.watch_config(arguments bytea) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- Who may execute capture() can make a trigger with any argument; one that is no watch must not break what reads them all.
  select case when pg_input_is_valid(a, 'jsonb') then (
    select c from (select a::jsonb) s (c)
    where jsonb_typeof(c->'entity') = 'string' and jsonb_typeof(c->'operations') = 'array' and jsonb_typeof(c->'attnums') = 'object'
      and coalesce(jsonb_typeof(c->'columns'), 'array') = 'array' and coalesce(jsonb_typeof(c->'redact'), 'array') = 'array'
      and coalesce(jsonb_typeof(c->'key'), 'array') = 'array'
      and not exists (select from jsonb_each(c->'attnums') n where n.value::text !~ '^[1-9][0-9]{0,3}$')) end
  from convert_from(substring(arguments from 1 for greatest(position('\x00'::bytea in arguments) - 1, 0)), getdatabaseencoding()) a
$$;
comment on function frontdesk.watch_config(bytea) is 'internal: the configuration in a capture trigger''s argument; null when it is not one';

create or replace view frontdesk.watch as
select
  t.tgrelid::regclass as source,
  c->>'entity' as entity,
  array(select jsonb_array_elements_text(c->'operations')) as operations,
  c->>'state' as state_column,
  case when c ? 'columns' then array(select jsonb_array_elements_text(c->'columns')) end as columns,
  c->'condition' as condition,
  case when c ? 'redact' then array(select jsonb_array_elements_text(c->'redact')) end as redact,
  case when c ? 'key' then array(select jsonb_array_elements_text(c->'key')) else frontdesk.watch_key(t.tgrelid)::text[] end as key_columns,
  c->>'tenant' as tenant_column,
  case
    when c is null then 'the trigger was not made by frontdesk.watch(); call it'
    when t.tgenabled = 'D' then 'the trigger is disabled: alter table ... enable trigger ' || t.tgname
    when missing.names is not null then 'missing columns: ' || missing.names || '; call frontdesk.watch() again'
  end as problem
from (
  select distinct on (tgrelid) * from pg_catalog.pg_trigger
  where tgfoid = 'frontdesk.capture'::regproc and not tgisinternal and tgparentid = 0
  order by tgrelid, tgname) t
cross join lateral frontdesk.watch_config(t.tgargs) c
cross join lateral (
  select string_agg(n, ', ') as names from jsonb_object_keys(c->'attnums') n
  where not exists (
    select from pg_catalog.pg_attribute a where a.attrelid = t.tgrelid and a.attname = n and not a.attisdropped)) missing;
comment on view frontdesk.watch is 'the watched tables, and what is wrong with a watch (null: nothing)';

create or replace function frontdesk.watch_follow() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  w record;
  renamed jsonb;
  attnums jsonb;
  firing jsonb;
  kept record;
begin
  for w in
    -- One trigger per table: making it anew fires this again, which then finds nothing to do.
    select distinct on (t.tgrelid) t.tgrelid::regclass as source, frontdesk.watch_config(t.tgargs) as config
    from pg_event_trigger_ddl_commands() d
    join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
      or d.classid = 'pg_class'::regclass and g.tgrelid = d.objid
    join pg_trigger t on t.tgrelid = g.tgrelid
    where t.tgfoid = 'frontdesk.capture'::regproc and not t.tgisinternal and t.tgparentid = 0
    order by t.tgrelid, t.tgname
  loop
    -- A name that is still there is kept; one that is gone is looked for under its old number.
    select jsonb_object_agg(n.key, coalesce(by_name.attname, by_number.attname)),
           jsonb_object_agg(coalesce(by_name.attname, by_number.attname, n.key), coalesce(by_name.attnum, by_number.attnum, n.value::int2))
    into renamed, attnums
    from jsonb_each_text(w.config->'attnums') n
    left join pg_attribute by_name on by_name.attrelid = w.source and by_name.attname = n.key and not by_name.attisdropped
    left join pg_attribute by_number on by_number.attrelid = w.source and by_number.attnum = n.value::int2 and not by_number.attisdropped;
    if attnums is distinct from w.config->'attnums' and attnums is not null then
      select jsonb_object_agg(g.tgname, g.tgenabled) into firing from pg_trigger g
      where g.tgrelid = w.source and g.tgname in ('_frontdesk_capture', '_frontdesk_capture_truncate');
      perform frontdesk.watch_install(w.source, w.config || jsonb_strip_nulls(jsonb_build_object(
        'state', coalesce(renamed->>(w.config->>'state'), w.config->>'state'),
        'tenant', coalesce(renamed->>(w.config->>'tenant'), w.config->>'tenant'),
        'columns', (select jsonb_agg(coalesce(renamed->>c, c)) from jsonb_array_elements_text(w.config->'columns') c),
        'redact', (select jsonb_agg(coalesce(renamed->>c, c)) from jsonb_array_elements_text(w.config->'redact') c),
        'key', (select jsonb_agg(coalesce(renamed->>c, c)) from jsonb_array_elements_text(w.config->'key') c))));
      -- What was disabled, or enabled for replication too, stays so.
      for kept in select f.key as name, f.value as enabled from jsonb_each_text(firing) f where f.value <> 'O' loop
        execute format('alter table %s %s trigger %I', w.source,
          case kept.enabled when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end, kept.name);
      end loop;
    end if;
  end loop;
end
$$;
comment on function frontdesk.watch_follow() is 'event trigger: a watch follows renamed columns, and learns its column numbers after a restore';

create or replace function frontdesk.watch_guard() returns event_trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  lost record;
begin
  select t.tgrelid::regclass as source, d.address_names[3] as column_name into lost
  from pg_event_trigger_dropped_objects() d
  join pg_trigger t on t.tgrelid = d.objid and t.tgfoid = 'frontdesk.capture'::regproc and t.tgparentid = 0
  where d.classid = 'pg_class'::regclass and d.objsubid > 0
    and frontdesk.watch_config(t.tgargs)->'attnums' ? d.address_names[3]
  limit 1;
  if found then
    raise exception using errcode = 'dependent_objects_still_exist',
      message = format('cannot drop column "%s" of %s: it is named in the table''s watch', lost.column_name, lost.source),
      hint = format('First call frontdesk.watch(%L, ...) without it, or frontdesk.unwatch(%L).', lost.source, lost.source);
  end if;
end
$$;
comment on function frontdesk.watch_guard() is 'event trigger: a column that a watch names cannot be dropped unnoticed';

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'frontdesk_watch_follow') then
    create event trigger frontdesk_watch_follow on ddl_command_end when tag in ('ALTER TABLE', 'CREATE TRIGGER')
      execute function frontdesk.watch_follow();
    create event trigger frontdesk_watch_guard on sql_drop when tag in ('ALTER TABLE')
      execute function frontdesk.watch_guard();
  end if;
end
$$;

-- sql/functions/20_endpoint.sql
-- Room 20, endpoint: where events go.

create or replace function frontdesk.check_url(url text) returns text
language c as 'MODULE_PATHNAME', 'check_url_wrapper';
comment on function frontdesk.check_url(text) is
  'the URL itself, or an error: not http(s), no host, with credentials, or a literal address that frontdesk.allow_networks does not allow';

create or replace function frontdesk.check_pattern(pattern text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_pattern_wrapper';
comment on function frontdesk.check_pattern(text) is 'the event pattern itself, or an error saying what is wrong with it';

create or replace function frontdesk.check_headers(headers jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_headers_wrapper';
comment on function frontdesk.check_headers(jsonb) is
  'the headers themselves, or an error: not an object of strings, a malformed or reserved name, a value with CR, LF or other control characters';

create or replace function frontdesk.check_payload(payload text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_payload_wrapper';
comment on function frontdesk.check_payload(text) is 'the payload shape itself: standard, supabase, record, or a template that parses';

create or replace function frontdesk.check_signature(signature text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_signature_wrapper';
comment on function frontdesk.check_signature(text) is 'the signature scheme itself: standard, sha256, sha256:<Header-Name>, none';

create or replace function frontdesk.check_retry(retry jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_retry_wrapper';
comment on function frontdesk.check_retry(jsonb) is 'the retry policy itself, or an error: {"delays": ["1s", "5m", ...], "final": {filter over the answer}, "expires": "7d", "expires_from": "field"}';

create or replace function frontdesk.check_secret(secret text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_secret_wrapper';
comment on function frontdesk.check_secret(text) is 'the secret itself, or an error: too short, too long, not base64. The error does not repeat it';

create or replace function frontdesk.new_secret() returns text
volatile language c as 'MODULE_PATHNAME', 'new_secret_wrapper';
comment on function frontdesk.new_secret() is 'a new random signing secret, whsec_<base64 of 32 bytes>';

create or replace function frontdesk.seal(plain text) returns bytea
volatile language c as 'MODULE_PATHNAME', 'seal_wrapper';
comment on function frontdesk.seal(text) is
  'internal: encrypt with the key of frontdesk.secret_key_file; without a key the text is kept as it is, after a warning';

create or replace function frontdesk.reseal(sealed bytea, old_key_file text, whose text) returns bytea
volatile language c as 'MODULE_PATHNAME', 'reseal_wrapper';
comment on function frontdesk.reseal(bytea, text, text) is 'internal: encrypt anew with the present key';

create or replace function frontdesk.endpoint_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if coalesce(new.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('invalid endpoint name "%s"', new.name),
      hint = 'Use 1 to 100 of A-Z a-z 0-9 _ - . : and begin with a letter or digit.';
  end if;
  if new.url is null or new.events is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'url and events must not be null';
  end if;
  perform frontdesk.check_url(new.url);
  if cardinality(new.events) = 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'events must name at least one pattern',
      hint = 'For all events: ''{*}''.';
  end if;
  perform frontdesk.check_pattern(p) from unnest(new.events) p;
  perform frontdesk.check_headers(new.headers);
  perform frontdesk.check_filter(new.filter) where new.filter is not null;
  perform frontdesk.check_payload(new.payload);
  perform frontdesk.check_signature(new.signature);
  perform frontdesk.check_retry(new.retry) where new.retry is not null;
  if new.timeout_ms is null or new.timeout_ms not between 100 and 120000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('timeout_ms %s is out of range', coalesce(new.timeout_ms::text, 'null')),
      hint = '100 to 120000 milliseconds; receivers are expected to answer within 15 to 30 seconds.';
  end if;
  if new.max_in_flight is null or new.max_in_flight not between 1 and 20000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('max_in_flight %s is out of range', coalesce(new.max_in_flight::text, 'null')),
      hint = '1 to 20000 requests at a time.';
  end if;
  if new.rate_per_second <= 0 or new.rate_per_second > 1000000 or new.rate_per_second = 'NaN' then
    raise exception using errcode = 'invalid_parameter_value', message = format('rate_per_second %s is out of range', new.rate_per_second),
      hint = 'More than 0 and at most 1000000 a second; 0.2 is one in five seconds; null is no limit.';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk.endpoint_check() is 'trigger: an endpoint is validated when it is declared, so that nothing about it fails later';

create or replace trigger endpoint_check before insert or update of name, url, events, headers, filter, payload, signature, retry,
    timeout_ms, max_in_flight, rate_per_second on frontdesk.endpoint
  for each row execute function frontdesk.endpoint_check();
create or replace trigger config_changed after insert or delete or update of name, url, events, headers, filter, payload, signature,
    retry, timeout_ms, max_in_flight, rate_per_second, ordered, tenant, state on frontdesk.endpoint
  for each statement execute function frontdesk.config_changed();
create or replace trigger config_changed after insert or update or delete on frontdesk.endpoint_secret
  for each statement execute function frontdesk.config_changed();

create or replace function frontdesk.endpoint_id(name text) returns bigint
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint;
begin
  select e.id into result from frontdesk.endpoint e where e.name = endpoint_id.name;
  if not found then
    raise exception using errcode = 'undefined_object',
      message = format('endpoint "%s" does not exist', name),
      hint = coalesce('The endpoints are ' || (select string_agg(e.name, ', ' order by e.name) from (
        select e.name from frontdesk.endpoint e order by e.name limit 20) e) || '.', 'Make one with frontdesk.add_endpoint().');
  end if;
  return result;
end
$$;
comment on function frontdesk.endpoint_id(text) is 'internal: the id of an endpoint, or an error that lists the endpoints';

create or replace function frontdesk.is_credential(header text) returns boolean
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select header ~* '(auth|cookie|token|secret|password|api-?key|-key$|signature)'
$$;
comment on function frontdesk.is_credential(text) is 'true for the names of headers whose values are kept with the secrets and shown to nobody';

create or replace function frontdesk.set_headers(endpoint_id bigint, headers jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.endpoint_secret s where s.endpoint_id = set_headers.endpoint_id and s.header is not null;
  insert into frontdesk.endpoint_secret (endpoint_id, header, secret)
  select set_headers.endpoint_id, h.key, frontdesk.seal(h.value)
  from jsonb_each_text(headers) h where frontdesk.is_credential(h.key);
end
$$;
comment on function frontdesk.set_headers(bigint, jsonb) is 'internal: keep the credential headers of an endpoint with its secrets';

create or replace function frontdesk.plain_headers(headers jsonb) returns jsonb
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(h.key, h.value) filter (where not frontdesk.is_credential(h.key)), '{}')
  from jsonb_each(frontdesk.check_headers(headers)) h
$$;
comment on function frontdesk.plain_headers(jsonb) is 'internal: the headers without the credentials';

create or replace function frontdesk.add_endpoint(
  name text, url text, events text[] = '{*}', secret text = null, headers jsonb = '{}', filter jsonb = null,
  payload text = 'standard', signature text = 'standard', retry jsonb = null, timeout_ms int = 15000,
  max_in_flight int = 64, rate_per_second numeric = null, ordered boolean = false, tenant uuid = null,
  active boolean = true) returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  new_id bigint;
begin
  if exists (select from frontdesk.endpoint e where e.name = add_endpoint.name) then
    raise exception using errcode = 'duplicate_object', message = format('endpoint "%s" already exists', name),
      hint = 'Change it with frontdesk.alter_endpoint(), or choose another name.';
  end if;
  if secret is not null then
    perform frontdesk.check_secret(secret);
  elsif signature <> 'none' then
    secret := frontdesk.new_secret();
  end if;
  insert into frontdesk.endpoint as e (name, url, events, headers, filter, payload, signature, retry, timeout_ms,
    max_in_flight, rate_per_second, ordered, tenant, state, state_reason)
  values (name, url, events, frontdesk.plain_headers(coalesce(headers, '{}')), filter, payload, signature, retry, timeout_ms,
    max_in_flight, rate_per_second, coalesce(ordered, false), tenant,
    case when coalesce(active, true) then 'active' else 'paused' end,
    case when not active then 'added with active => false' end)
  returning e.id into new_id;
  if secret is not null then
    insert into frontdesk.endpoint_secret (endpoint_id, secret) values (new_id, frontdesk.seal(secret));
  end if;
  perform frontdesk.set_headers(new_id, coalesce(headers, '{}'));
  return secret;
end
$$;
comment on function frontdesk.add_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean) is
  'deliver matching events, committed from now on, to this URL; returns the signing secret, which is shown only now. '
  'events: patterns (lead.*, booking.*.cancelled, *). filter: over {"type", "op", "source", "key", "tenant", "new", "old"}. '
  'payload: standard {"type", "timestamp", "data"}, supabase, record, or a template. signature: standard (webhook-signature), sha256 or sha256:<Header-Name>, none. '
  'retry: {"delays": ["5s", "5m", ...]}, beside them "final": a filter over the answer {"status", "body"} whose match is not tried again, and "expires": "7d". timeout_ms: whole request. ordered: one at a time per key, in the order of the row''s changes. tenant: only its events. active: false keeps events until resume_endpoint()';

create or replace function frontdesk.alter_endpoint(
  name text, url text = null, events text[] = null, secret text = null, headers jsonb = null, filter jsonb = null,
  payload text = null, signature text = null, retry jsonb = null, timeout_ms int = null,
  max_in_flight int = null, rate_per_second numeric = null, ordered boolean = null, tenant uuid = null,
  active boolean = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk.endpoint_id(name);
begin
  update frontdesk.endpoint e set
    url = coalesce(url, e.url), events = coalesce(events, e.events),
    headers = coalesce(frontdesk.plain_headers(headers), e.headers),
    filter = case when jsonb_typeof(filter) = 'null' then null else coalesce(filter, e.filter) end,
    payload = coalesce(payload, e.payload), signature = coalesce(signature, e.signature),
    retry = case when jsonb_typeof(retry) = 'null' then null else coalesce(retry, e.retry) end,
    timeout_ms = coalesce(timeout_ms, e.timeout_ms), max_in_flight = coalesce(max_in_flight, e.max_in_flight),
    rate_per_second = nullif(coalesce(rate_per_second, e.rate_per_second), 'infinity'), ordered = coalesce(ordered, e.ordered),
    tenant = nullif(coalesce(tenant, e.tenant), '00000000-0000-0000-0000-000000000000')
  where e.id = this;
  if secret is not null then
    perform frontdesk.check_secret(secret);
    delete from frontdesk.endpoint_secret s where s.endpoint_id = this and s.header is null;
    insert into frontdesk.endpoint_secret (endpoint_id, secret) values (this, frontdesk.seal(secret));
  end if;
  if headers is not null then
    perform frontdesk.set_headers(this, headers);
  end if;
  if active then
    perform frontdesk.resume_endpoint(name);
  elsif not active then
    perform frontdesk.pause_endpoint(name);
  end if;
end
$$;
comment on function frontdesk.alter_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean) is
  'change an endpoint; null keeps what is (to remove: JSON null for filter and retry, infinity for rate_per_second, the nil uuid for tenant). What waits is sent to the new URL, under the new settings. '
  'secret replaces all signing secrets at once; rotate_secret() keeps the old one beside it for a while';

create or replace function frontdesk.remove_endpoint(name text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk.endpoint_id(name);
begin
  delete from frontdesk.retry r where r.endpoint_id = this;
  delete from frontdesk.dead_letter d where d.endpoint_id = this;
  delete from frontdesk.cursor c where c.endpoint_id = this;
  delete from frontdesk.endpoint e where e.id = this;
end
$$;
comment on function frontdesk.remove_endpoint(text) is
  'deliver to this endpoint no more; what waits for it is forgotten, its attempts stay in the log';

create or replace function frontdesk.set_endpoint_state(name text, new_state text, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.endpoint e
  set state = new_state, state_reason = reason, state_changed_at = clock_timestamp(),
      failing_since = null, failures = 0, open_until = null
  where e.id = frontdesk.endpoint_id(set_endpoint_state.name);
end
$$;
comment on function frontdesk.set_endpoint_state(text, text, text) is 'internal: active, paused or disabled';

create or replace function frontdesk.pause_endpoint(name text) returns void
language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.set_endpoint_state(name, 'paused', 'pause_endpoint() by ' || session_user)
$$;
comment on function frontdesk.pause_endpoint(text) is
  'send nothing more to it until resume_endpoint(); its events are kept, at the cost of one row however many there are';

create or replace function frontdesk.resume_endpoint(name text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk.set_endpoint_state(name, 'active', null);
  update frontdesk.retry r set due_at = frontdesk.now()
  where r.endpoint_id = frontdesk.endpoint_id(name) and r.due_at > frontdesk.now() and r.due_at < 'infinity';
end
$$;
comment on function frontdesk.resume_endpoint(text) is
  'go on with a paused or disabled endpoint, from where it stopped; what waits for its next retry is tried at once, so it is also the word for "the receiver is back"';

create or replace function frontdesk.rotate_secret(name text, new_secret text = null, overlap interval = '24 hours') returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk.endpoint_id(name);
begin
  if overlap is null or overlap < '0' or overlap > '90 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('overlap %s is out of range', coalesce(overlap::text, 'null')),
      hint = '0 to 90 days.';
  end if;
  new_secret := frontdesk.check_secret(coalesce(new_secret, frontdesk.new_secret()));
  delete from frontdesk.endpoint_secret s
  where s.endpoint_id = this and s.header is null and s.expires_at <= clock_timestamp();
  update frontdesk.endpoint_secret s set expires_at = least(s.expires_at, clock_timestamp() + overlap)
  where s.endpoint_id = this and s.header is null;
  insert into frontdesk.endpoint_secret (endpoint_id, secret) values (this, frontdesk.seal(new_secret));
  return new_secret;
end
$$;
comment on function frontdesk.rotate_secret(text, text, interval) is
  'sign with a new secret, and with the old ones beside it until the overlap is over; returns the new one, which is shown only now';

create or replace function frontdesk.reencrypt_secrets(old_key_file text = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  of_endpoints bigint;
  of_embedders bigint;
begin
  update frontdesk.endpoint_secret s set secret = frontdesk.reseal(s.secret, old_key_file, format('endpoint "%s"', e.name))
  from frontdesk.endpoint e where e.id = s.endpoint_id;
  get diagnostics of_endpoints = row_count;
  update frontdesk.embedder_secret s set secret = frontdesk.reseal(s.secret, old_key_file, format('embedder "%s"', e.name))
  from frontdesk.embedder e where e.id = s.embedder_id;
  get diagnostics of_embedders = row_count;
  return of_endpoints + of_embedders;
end
$$;
comment on function frontdesk.reencrypt_secrets(text) is
  'encrypt all secrets with the present key: those that were stored without one, and those of the key in old_key_file, a file on the server. Returns how many there are; when one fits neither key, nothing is changed';

create or replace function frontdesk.test_endpoint(name text, payload jsonb = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.record_event('endpoint.test', 'S', coalesce(payload, jsonb_build_object('test', true, 'endpoint', name)),
    target => frontdesk.endpoint_id(name));
end
$$;
comment on function frontdesk.test_endpoint(text, jsonb) is
  'send an event endpoint.test to this endpoint alone, whatever its patterns and filter; returns the event id: see explain_event() or await_response()';

create or replace function frontdesk.endpoint_settings() returns setof text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select (to_jsonb(e) || jsonb_build_object('secrets', coalesce((
    select jsonb_agg(jsonb_build_object('header', s.header, 'secret', encode(s.secret, 'hex'),
      'expires_at', extract(epoch from s.expires_at)) order by s.id desc)
    from frontdesk.endpoint_secret s where s.endpoint_id = e.id), '[]'),
    'failing_since_s', extract(epoch from e.failing_since), 'open_until_s', extract(epoch from e.open_until)))::text
  from frontdesk.endpoint e order by e.id
$$;
comment on function frontdesk.endpoint_settings() is 'engine: every endpoint as JSON, with its sealed secrets';

create or replace view frontdesk.endpoints as
select e.name, e.url, e.state, e.state_reason, e.events, e.failing_since, e.failures, e.open_until,
  c.endpoint_id is not null as behind,
  (select count(*) from frontdesk.retry r where r.endpoint_id = e.id) as retrying,
  (select count(*) from frontdesk.dead_letter d where d.endpoint_id = e.id) as dead,
  (select count(*) from frontdesk.endpoint_secret s where s.endpoint_id = e.id and s.header is null
    and (s.expires_at is null or s.expires_at > clock_timestamp())) as secrets,
  e.headers, (select array_agg(s.header order by s.header) from frontdesk.endpoint_secret s
    where s.endpoint_id = e.id and s.header is not null) as credential_headers,
  e.filter, e.payload, e.signature, e.retry, e.timeout_ms, e.max_in_flight, e.rate_per_second, e.ordered, e.tenant, e.created_at
from frontdesk.endpoint e
left join frontdesk.cursor c on c.endpoint_id = e.id;
comment on view frontdesk.endpoints is 'the endpoints, their state and health; no secret is in it';

-- sql/functions/21_delivery.sql
-- Room 21, delivery: what became of the events, why, and how to send them again.

create or replace function frontdesk.pattern_matches(pattern text, type text) returns boolean
immutable parallel safe language c as 'MODULE_PATHNAME', 'pattern_matches_wrapper';
comment on function frontdesk.pattern_matches(text, text) is
  'does this event pattern match this event type: * is one segment, ** or a trailing * any rest';

create or replace function frontdesk.filter_matches(filter jsonb, document jsonb) returns boolean
immutable parallel safe language c as 'MODULE_PATHNAME', 'filter_matches_wrapper';
comment on function frontdesk.filter_matches(jsonb, jsonb) is 'does this filter match this JSON document';

create or replace function frontdesk.operation(op "char") returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case op when 'I' then 'insert' when 'U' then 'update' when 'D' then 'delete' when 'T' then 'truncate'
    when 'E' then 'emit' when 'H' then 'request' when 'S' then 'service' end
$$;
comment on function frontdesk.operation("char") is 'the word for an event''s op: insert, update, delete, truncate, emit, request, service';

create or replace function frontdesk.event_document(e frontdesk.event) returns jsonb
immutable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_build_object('type', e.type, 'op', frontdesk.operation(e.op), 'source', e.source, 'key', e.key, 'tenant', e.tenant,
    'new', case when e.op <> 'D' then e.record end, 'old', case when e.op = 'D' then e.record else e.old_record end)
$$;
comment on function frontdesk.event_document(frontdesk.event) is 'what an endpoint''s filter sees: {"type", "op", "source", "key", "tenant", "new", "old"}';

create or replace view frontdesk.delivery as
select d.event_id, e.name as endpoint, d.state, d.attempts, d.status, d.reason, d.at, d.due_at
from (
  select event_id, endpoint_id, 'delivered' as state, attempt as attempts, status, null as reason, started_at as at, null::timestamptz as due_at
  from frontdesk.attempt where succeeded
  union all
  select event_id, endpoint_id, case when due_at = 'infinity' then 'waiting' else 'retrying' end, attempts, null, reason, null,
    nullif(due_at, 'infinity')
  from frontdesk.retry
  union all
  select event_id, endpoint_id, 'dead', attempts, null, reason, died_at, null
  from frontdesk.dead_letter) d
left join frontdesk.endpoint e on e.id = d.endpoint_id;
comment on view frontdesk.delivery is
  'one row per event and endpoint it was tried on: delivered, retrying (due_at says when), waiting (for an earlier event of its key), dead. Null endpoint: a direct request';

create or replace view frontdesk.attempts as
select a.id, a.event_id, e.name as endpoint, a.attempt, a.started_at, a.duration_ms, a.succeeded, a.status, a.error, a.detail,
  a.address, a.response
from frontdesk.attempt a left join frontdesk.endpoint e on e.id = a.endpoint_id;
comment on view frontdesk.attempts is 'every request made: when, how long, what came back (first 4 kB) or what went wrong';

create or replace view frontdesk.dead_letters as
select d.event_id, e.name as endpoint, v.type, v.key, d.attempts, d.reason, d.died_at, v.created_at, v.record
from frontdesk.dead_letter d
left join frontdesk.endpoint e on e.id = d.endpoint_id
left join frontdesk.event v on v.xid = d.event_xid and v.id = d.event_id and v.created_at = d.event_at;
comment on view frontdesk.dead_letters is 'deliveries given up after the last retry, with their events: replay() sends them again, discard() forgets them';

create or replace function frontdesk.find_event(event_id bigint) returns frontdesk.event
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  e frontdesk.event;
begin
  select * into e from frontdesk.event v where v.id = find_event.event_id;
  if not found then
    raise exception using errcode = 'no_data_found', message = format('there is no event %s', coalesce(event_id::text, 'null')),
      detail = 'It never was, its transaction is not committed, or its day was dropped (frontdesk.event_retention).';
  end if;
  return e;
end
$$;
comment on function frontdesk.find_event(bigint) is 'internal: the event, or an error saying why it may be gone';

create or replace function frontdesk.replay(event_id bigint, endpoint text = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  e frontdesk.event := frontdesk.find_event(event_id);
  only_to bigint := frontdesk.endpoint_id(endpoint) where endpoint is not null;
  result bigint;
begin
  with chosen as (
    select n.id from frontdesk.endpoint n
    where n.id = only_to or only_to is null and (
      e.target = n.id
      or exists (select from frontdesk.attempt a where a.event_id = e.id and a.endpoint_id = n.id)
      or exists (select from frontdesk.explain_event(e.id) x where x.endpoint = n.name and x.outcome in ('delivered', 'pending', 'dead', 'made later')))
    union all select 0 where e.op = 'H'),
  buried as (delete from frontdesk.dead_letter d using chosen c where d.event_id = e.id and d.endpoint_id = c.id),
  queued as (
    insert into frontdesk.retry as r (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
    select e.id, c.id, e.xid, e.created_at, 0, frontdesk.now(), e.key, 'replay by ' || session_user from chosen c
    on conflict on constraint retry_pkey do update set due_at = excluded.due_at, attempts = 0, reason = excluded.reason
    returning 1)
  select count(*) into result from queued;
  if result > 0 then
    perform frontdesk.wake();
  end if;
  return result;
end
$$;
comment on function frontdesk.replay(bigint, text) is
  'deliver this event again, under the same webhook-id: to one endpoint (whatever its patterns), or to all that it concerns; returns how many deliveries were queued';

create or replace function frontdesk.replay(endpoint text, since timestamptz, until timestamptz = null, only_failed boolean = true) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  n frontdesk.endpoint;
  result bigint;
begin
  select * into n from frontdesk.endpoint e where e.id = frontdesk.endpoint_id(endpoint);
  until := coalesce(until, frontdesk.now());
  if since is null or since > until then
    raise exception using errcode = 'invalid_parameter_value', message = 'since must be given and not be after until';
  end if;
  with chosen as (
    select v.id, v.xid, v.created_at, v.key from frontdesk.event v
    where v.created_at >= since and v.created_at <= until and (
      exists (select from frontdesk.dead_letter d where d.event_id = v.id and d.endpoint_id = n.id)
      or not only_failed and frontdesk.routing(v, n) is null)),
  buried as (delete from frontdesk.dead_letter d using chosen c where d.event_id = c.id and d.endpoint_id = n.id),
  queued as (
    insert into frontdesk.retry as r (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
    select c.id, n.id, c.xid, c.created_at, 0, frontdesk.now(), c.key, 'replay by ' || session_user from chosen c order by c.id
    on conflict on constraint retry_pkey do update set due_at = excluded.due_at, attempts = 0, reason = excluded.reason
    returning 1)
  select count(*) into result from queued;
  if result > 0 then
    perform frontdesk.wake();
  end if;
  return result;
end
$$;
comment on function frontdesk.replay(text, timestamptz, timestamptz, boolean) is
  'deliver to this endpoint again what was recorded between since and until: its dead letters, or with only_failed => false everything that concerns it; returns how many were queued. As in replay(''crm'', since => ''2026-01-31'')';

create or replace function frontdesk.discard(event_id bigint, endpoint text = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk.endpoint_id(endpoint) where endpoint is not null;
  result bigint;
begin
  with r as (delete from frontdesk.retry r where r.event_id = discard.event_id and (this is null or r.endpoint_id = this) returning 1),
  d as (delete from frontdesk.dead_letter d where d.event_id = discard.event_id and (this is null or d.endpoint_id = this) returning 1)
  select (select count(*) from r) + (select count(*) from d) into result;
  -- The engine may have some of them in memory: it reads them again.
  update frontdesk.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return result;
end
$$;
comment on function frontdesk.discard(bigint, text) is 'try this event no more, and forget its dead letters; returns how many deliveries were dropped';

create or replace function frontdesk.discard(endpoint text) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk.endpoint_id(endpoint);
  result bigint;
begin
  with r as (delete from frontdesk.retry r where r.endpoint_id = this returning 1),
  d as (delete from frontdesk.dead_letter d where d.endpoint_id = this returning 1)
  select (select count(*) from r) + (select count(*) from d) into result;
  -- The engine may have some of them in memory: it reads them again.
  update frontdesk.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return result;
end
$$;
comment on function frontdesk.discard(text) is 'try nothing that failed on this endpoint again, and forget its dead letters; returns how many deliveries were dropped';

create or replace function frontdesk.routing(e frontdesk.event, n frontdesk.endpoint, out outcome text, out reason text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  matching text[] := array(select p from unnest(n.events) p where frontdesk.pattern_matches(p, e.type));
begin
  if e.target is not null then
    if e.target <> n.id then
      outcome := 'not for it'; reason := 'the event goes to one endpoint only, and this is another';
    end if;
  elsif e.op = 'H' then
    outcome := 'not for it'; reason := 'a direct request (http_post and friends) goes to its own URL only';
  elsif pg_visible_in_snapshot(e.xid, n.created_snapshot) then
    outcome := 'made later'; reason := format('the endpoint was added at %s, after the event was committed; replay(%s, %L) sends it', n.created_at::timestamptz(0), e.id, n.name);
  elsif e.depth > 8 then
    outcome := 'not routed'; reason := format('it was caused by %s automations in a row; past 8 events are recorded only', e.depth);
  elsif n.tenant is not null and n.tenant is distinct from e.tenant then
    outcome := 'tenant differs'; reason := format('the endpoint takes events of tenant %s, this one has %s', n.tenant, coalesce(e.tenant::text, 'none'));
  elsif matching = '{}' then
    outcome := 'pattern did not match'; reason := format('type "%s" matches none of %s', e.type, n.events);
  elsif e.op = 'S' and not exists (select from unnest(matching) p where p ~ '^(endpoint|delivery|job)\.') then
    outcome := 'pattern did not match';
    reason := format('"%s" is the engine''s own event; only a pattern that begins with endpoint., delivery. or job. takes it', e.type);
  elsif e.op = 'S' and e.record->>'endpoint' = n.name then
    outcome := 'not for it'; reason := 'an endpoint is not told of its own failures';
  elsif n.filter is not null and not frontdesk.filter_matches(n.filter, frontdesk.event_document(e)) then
    outcome := 'filter did not match'; reason := format('filter %s', n.filter);
  end if;
end
$$;
comment on function frontdesk.routing(frontdesk.event, frontdesk.endpoint) is 'internal: null where this event concerns this endpoint, else why it does not';

create or replace function frontdesk.explain_event(event_id bigint, out endpoint text, out outcome text, out reason text, out attempts int, out due_at timestamptz)
returns setof record
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk.find_event(event_id);
  n frontdesk.endpoint;
  a frontdesk.attempt;
  r frontdesk.retry;
  d frontdesk.dead_letter;
begin
  for n in
    select * from frontdesk.endpoint
    union all select (jsonb_populate_record(null::frontdesk.endpoint, '{"id": 0, "state": "active"}')).* where e.op = 'H'
    order by name
  loop
    endpoint := n.name; outcome := null; reason := null; due_at := null;
    select * into a from frontdesk.attempt x where x.event_id = e.id and x.endpoint_id = n.id order by x.succeeded desc, x.id desc limit 1;
    select * into r from frontdesk.retry x where x.event_id = e.id and x.endpoint_id = n.id;
    select * into d from frontdesk.dead_letter x where x.event_id = e.id and x.endpoint_id = n.id;
    attempts := coalesce(d.attempts, r.attempts, a.attempt, 0);
    if r.event_id is not null then
      outcome := 'pending';
      due_at := nullif(r.due_at, 'infinity');
      reason := concat_ws('; ', case when due_at is null then format('waits for an earlier event of key %s', r.key) else format('due at %s', due_at::timestamptz(0)) end,
        case when n.state <> 'active' then format('the endpoint is %s (%s)', n.state, n.state_reason) end, r.reason);
    elsif d.event_id is not null then
      outcome := 'dead'; reason := d.reason;
    elsif a.succeeded then
      outcome := 'delivered'; reason := format('status %s at %s', a.status, a.started_at::timestamptz(0));
    elsif a.event_id is not null then
      outcome := 'failed'; reason := format('%s: %s; discarded or not to be repeated', a.error, a.detail);
    else
      if n.id > 0 then
        select x.outcome, x.reason into outcome, reason from frontdesk.routing(e, n) x;
      end if;
      if outcome is null then
        outcome := 'pending';
        select coalesce(nullif(concat_ws('; ', case when s.state <> 'running' then format('the engine is %s (%s)', s.state, s.reason) end,
          case when n.state <> 'active' then format('the endpoint is %s (%s)', n.state, n.state_reason)
            when n.open_until > frontdesk.now() then format('the endpoint fails since %s; next probe at %s', n.failing_since::timestamptz(0), n.open_until::timestamptz(0))
            when exists (select from frontdesk.cursor c where c.endpoint_id = n.id) then 'the endpoint is behind and catches up' end), ''),
          'about to be sent') into reason from frontdesk.status() s;
      end if;
    end if;
    return next;
  end loop;
end
$$;
comment on function frontdesk.explain_event(bigint) is
  'for every endpoint: was this event delivered to it, and if not, why: waiting for what, pattern or filter did not match, paused, made later, tenant differs ...';

create or replace function frontdesk.verify_webhook(
  secret text, headers jsonb, body bytea, scheme text = 'standard', tolerance interval = '5 minutes') returns boolean
stable parallel safe language c as 'MODULE_PATHNAME', 'verify_webhook_wrapper';
comment on function frontdesk.verify_webhook(text, jsonb, bytea, text, interval) is
  'was this incoming webhook signed with this secret, and lately: schemes standard (Standard Webhooks 1.0), sha256 (GitHub), stripe, twilio (with the full URL as header ":url"), chatwoot. Constant time';

-- sql/functions/21_http.sql
-- Room 21, delivery: direct requests, asynchronous (in the outbox) and synchronous.

create or replace function frontdesk.http_request(
  method text, url text, body bytea = null, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  method := upper(method);
  if method is null or method not in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS') then
    raise exception using errcode = 'invalid_parameter_value', message = format('unknown HTTP method "%s"', method),
      hint = 'GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.';
  end if;
  perform frontdesk.check_url(url);
  headers := frontdesk.check_headers(coalesce(headers, '{}'));
  if timeout_ms is null or timeout_ms not between 100 and 120000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('timeout_ms %s is out of range', coalesce(timeout_ms::text, 'null')),
      hint = '100 to 120000 milliseconds.';
  end if;
  if octet_length(body) > current_setting('frontdesk.max_payload_kb')::bigint * 1024 then
    raise exception using errcode = 'program_limit_exceeded',
      message = format('the body has %s bytes, more than frontdesk.max_payload_kb allows', octet_length(body)),
      hint = 'Send less, or an administrator raises the setting.';
  end if;
  if sign_with is not null then
    perform frontdesk.endpoint_id(sign_with);
  end if;
  -- Credentials in headers are sealed, so that they are not readable in the log.
  return frontdesk.record_event('http.request', 'H', jsonb_strip_nulls(jsonb_build_object(
    'method', method, 'url', url, 'headers', frontdesk.plain_headers(headers),
    'sealed', (select encode(frontdesk.seal(jsonb_object_agg(h.key, h.value)::text), 'hex')
      from jsonb_each(headers) h where frontdesk.is_credential(h.key)),
    'body', encode(body, 'base64'), 'sign_with', sign_with, 'timeout_ms', timeout_ms)));
end
$$;
comment on function frontdesk.http_request(text, text, bytea, jsonb, text, int) is
  'put a request into the outbox; it is sent after this transaction commits, and returns the id for response(). sign_with: the name of an endpoint whose secret signs it. '
  'Any status is an answer, except 429, 502, 503 and 504, which like a failed connection are tried 3 more times (after 1, 5 and 30 s)';

create or replace function frontdesk.http_json(method text, url text, body jsonb, headers jsonb, sign_with text, timeout_ms int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_request(method, url, convert_to(body::text, 'UTF8'),
    case when exists (select from jsonb_object_keys(coalesce(frontdesk.check_headers(headers), '{}')) k where lower(k) = 'content-type') then headers
      else coalesce(headers, '{}') || '{"Content-Type": "application/json"}' end, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_json(text, text, jsonb, jsonb, text, int) is 'internal: a request with a JSON body';

create or replace function frontdesk.http_post(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_json('POST', url, body, headers, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_post(text, jsonb, jsonb, text, int) is 'asynchronous POST of a JSON body; returns the id for response() and await_response(). See http_request()';

create or replace function frontdesk.http_put(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_json('PUT', url, body, headers, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_put(text, jsonb, jsonb, text, int) is 'asynchronous PUT of a JSON body; see http_request()';

create or replace function frontdesk.http_patch(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_json('PATCH', url, body, headers, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_patch(text, jsonb, jsonb, text, int) is 'asynchronous PATCH of a JSON body; see http_request()';

create or replace function frontdesk.http_get(url text, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_request('GET', url, null, headers, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_get(text, jsonb, text, int) is 'asynchronous GET; see http_request()';

create or replace function frontdesk.http_delete(url text, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.http_request('DELETE', url, null, headers, sign_with, timeout_ms);
end
$$;
comment on function frontdesk.http_delete(text, jsonb, text, int) is 'asynchronous DELETE; see http_request()';

create or replace function frontdesk.http_fetch(
  method text, url text, headers jsonb = '{}', body bytea = null, timeout_ms int = 5000)
returns table (status int, response_headers jsonb, response_body bytea, address inet, duration_ms real)
language c as 'MODULE_PATHNAME', 'http_fetch_wrapper';
comment on function frontdesk.http_fetch(text, text, jsonb, bytea, int) is
  'request now and wait for the answer, within the transaction: for tools, not for triggers. Cancel and statement_timeout end it; a failure raises. Not granted to PUBLIC';

create or replace function frontdesk.response(id bigint)
returns table (status int, headers jsonb, body text, error text)
language plpgsql stable security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk.find_event(id);
  a frontdesk.attempt;
begin
  if e.actor <> session_user and not pg_has_role(session_user, (
    select r.extowner from pg_extension r where r.extname = 'pg_frontdesk'), 'USAGE') then
    raise exception using errcode = 'insufficient_privilege', message = format('request %s was made by another user', id);
  end if;
  select * into a from frontdesk.attempt x where x.event_id = e.id order by x.id desc limit 1;
  if found then
    return query select a.status::int, a.response_headers,
      coalesce(frontdesk.utf8(a.response_body), a.response),
      case when a.error is not null and a.status is null then a.error || ': ' || a.detail end;
  end if;
end
$$;
comment on function frontdesk.response(bigint) is
  'the last answer to a request or event: status, headers and body, or the error; no row while there is none. body is text, with invalid UTF-8 replaced; frontdesk.attempt.response_body has the bytes';

create or replace function frontdesk.utf8(bytes bytea) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'utf8_wrapper';
comment on function frontdesk.utf8(bytea) is 'the bytes as text; what is not UTF-8, and NUL, is replaced';

create or replace function frontdesk.await_response(id bigint, timeout interval = '10 seconds')
returns table (status int, headers jsonb, body text, error text)
language plpgsql volatile security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk.find_event(id);
  until timestamptz := clock_timestamp() + timeout;
begin
  if e.xid = pg_current_xact_id_if_assigned() then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('request %s is not sent before this transaction commits', id),
      hint = 'Commit first, or use frontdesk.http_fetch() for an answer within the transaction.';
  end if;
  loop
    -- Settled: there is an attempt and no retry to come.
    if exists (select from frontdesk.attempt a where a.event_id = id)
      and not exists (select from frontdesk.retry r where r.event_id = id) or clock_timestamp() > until then
      return query select * from frontdesk.response(id);
      return;
    end if;
    perform pg_sleep(0.005);
  end loop;
end
$$;
comment on function frontdesk.await_response(bigint, interval) is
  'wait for the answer to a request whose transaction is committed; after the timeout what response() knows, which may be no row';

-- sql/functions/21_webhook.sql
-- Room 21, delivery: the names that existing webhook code uses.

create or replace view frontdesk.webhook_configs as
select e.id, e.name, e.url,
  case when exists (select from frontdesk.endpoint_secret s where s.endpoint_id = e.id and s.header is null) then '********' end as secret,
  e.events, e.headers, e.retry as retry_config, e.state = 'active' as is_active, e.created_at, e.updated_at
from frontdesk.endpoint e;
comment on view frontdesk.webhook_configs is
  'the endpoints as rows that can be inserted, updated and deleted; a secret can be written and is never shown';

create or replace function frontdesk.webhook_configs_write() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    perform frontdesk.remove_endpoint(old.name);
    return old;
  end if;
  if tg_op = 'INSERT' then
    perform frontdesk.add_endpoint(new.name, new.url, coalesce(new.events, '{*}'), new.secret, coalesce(new.headers, '{}'),
      retry => new.retry_config, active => coalesce(new.is_active, true));
  else
    if new.name is null or new.url is null or new.events is null then
      raise exception using errcode = 'null_value_not_allowed', message = 'name, url and events must not be null';
    end if;
    if new.name is distinct from old.name then
      update frontdesk.endpoint e set name = new.name where e.name = old.name;
    end if;
    perform frontdesk.alter_endpoint(new.name, new.url, new.events,
      secret => case when new.secret is distinct from old.secret then new.secret end,
      headers => case when new.headers is distinct from old.headers then new.headers end,
      retry => case when new.retry_config is distinct from old.retry_config then coalesce(new.retry_config, 'null') end,
      active => case when new.is_active is distinct from old.is_active then new.is_active end);
  end if;
  select * into new from frontdesk.webhook_configs c where c.name = new.name;
  return new;
end
$$;
comment on function frontdesk.webhook_configs_write() is 'trigger: writes to webhook_configs become add_endpoint(), alter_endpoint(), remove_endpoint()';
create or replace trigger webhook_configs_write instead of insert or update or delete on frontdesk.webhook_configs
  for each row execute function frontdesk.webhook_configs_write();

create or replace view frontdesk.webhook_logs as
select a.id, a.endpoint_id as webhook_config_id, v.type as event_type, v.record as payload, a.status::int as response_status,
  a.response as response_body, a.attempt as attempt_count, case when not a.succeeded then concat_ws(': ', a.error, a.detail) end as error_message,
  v.created_at, a.started_at + a.duration_ms * interval '1 ms' as completed_at
from frontdesk.attempt a
left join frontdesk.event v on v.id = a.event_id
where a.endpoint_id > 0;
comment on view frontdesk.webhook_logs is 'one row per request made to an endpoint, with its event';

create or replace function frontdesk.send_webhook_with_retry(
  p_webhook_name text, p_event_type text, p_payload jsonb, p_attempt int = 1) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  n frontdesk.endpoint;
begin
  perform frontdesk.check_event_type(p_event_type);
  select * into n from frontdesk.endpoint e where e.name = p_webhook_name;
  if not found then
    raise warning using errcode = 'undefined_object', message = format('webhook "%s" does not exist, nothing is sent', p_webhook_name),
      hint = 'Make it with frontdesk.add_endpoint().';
    return null;
  end if;
  if not exists (select from unnest(n.events) p where frontdesk.pattern_matches(p, p_event_type)) then
    raise warning using errcode = 'undefined_object', message = format('webhook "%s" does not take event "%s", nothing is sent', p_webhook_name, p_event_type),
      detail = format('Its events are %s.', n.events);
    return null;
  end if;
  return frontdesk.record_event(p_event_type, 'E', coalesce(p_payload, '{}'), target => n.id);
end
$$;
comment on function frontdesk.send_webhook_with_retry(text, text, jsonb, int) is
  'send this event to this endpoint when the transaction commits, with retries; returns the event id. An unknown endpoint or an event that it does not take is a warning and null, never an error in a trigger. p_attempt is accepted and not needed';

create or replace function frontdesk.test_webhook(p_webhook_name text, p_test_payload jsonb = '{"test": true}') returns bigint
language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.test_endpoint(p_webhook_name, p_test_payload)
$$;
comment on function frontdesk.test_webhook(text, jsonb) is 'test_endpoint() under the name that existing code uses';

create or replace function frontdesk.get_webhook_stats(p_webhook_name text = null, p_days int = 7)
returns table (webhook_name text, total_calls bigint, successful_calls bigint, failed_calls bigint, avg_response_time interval, events jsonb)
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name, coalesce(sum(t.calls), 0)::bigint, coalesce(sum(t.calls) filter (where t.succeeded), 0)::bigint,
    coalesce(sum(t.calls) filter (where not t.succeeded), 0)::bigint,
    sum(t.ms) / nullif(sum(t.calls), 0) * interval '1 ms',
    coalesce((select jsonb_object_agg(s.type, s.calls) from (
      select v.type, count(*) as calls from frontdesk.attempt a join frontdesk.event v on v.id = a.event_id
      where a.endpoint_id = e.id and a.started_at >= clock_timestamp() - make_interval(days => p_days) group by v.type) s), '{}')
  from frontdesk.endpoint e
  left join lateral (
    select a.succeeded, count(*) as calls, sum(a.duration_ms) as ms from frontdesk.attempt a
    where a.endpoint_id = e.id and a.started_at >= clock_timestamp() - make_interval(days => p_days)
    group by a.succeeded) t on true
  where p_webhook_name is null or e.name = p_webhook_name
  group by e.id, e.name order by e.name
$$;
comment on function frontdesk.get_webhook_stats(text, int) is
  'per endpoint over the last days: requests made, succeeded (2xx), failed (all others), mean response time, requests by event type';

-- sql/functions/25_engine.sql
-- The engine's verbs: every SQL call that the engine makes. It is the only writer of attempt, retry, dead_letter and cursor,
-- so none of them takes a row lock. Those called often are in PL/pgSQL, which keeps their plans.

create or replace function frontdesk.engine_boot(
  out installation uuid, out state text, out silent boolean, out config_version bigint, out extension_version text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select i.id, i.state, frontdesk.is_clone(), i.config_version, x.extversion
  from frontdesk.installation i, pg_extension x where x.extname = 'pg_frontdesk'
$$;
comment on function frontdesk.engine_boot() is 'engine: who am I, and may I work';

create or replace function frontdesk.engine_cursors()
returns table (endpoint_id bigint, last_snapshot text, current_snapshot text, xid xid8, event_id bigint, since timestamptz)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select c.endpoint_id, c.last_snapshot::text, c.current_snapshot::text, c.xid, c.event_id, c.since
  from frontdesk.cursor c order by c.endpoint_id
$$;
comment on function frontdesk.engine_cursors() is 'engine: how far the log was read';

create or replace function frontdesk.engine_window(out snapshot text, out at timestamptz, out config_version bigint)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  select pg_current_snapshot()::text, clock_timestamp(), i.config_version into snapshot, at, config_version
  from frontdesk.installation i;
end
$$;
comment on function frontdesk.engine_window() is
  'engine: the snapshot that ends the next window, with the version of the configuration that was committed in it';

create or replace function frontdesk.engine_prepared() returns boolean
volatile language sql set search_path = pg_catalog, pg_temp as $$
  select exists (select from pg_prepared_xacts p where p.database = current_database())
$$;
comment on function frontdesk.engine_prepared() is 'engine: are there transactions that a session can commit without telling';

create or replace function frontdesk.engine_read(
  last_snapshot text, current_snapshot text, after_xid xid8, after_id bigint, since timestamptz, until timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record text, old_record text)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  s pg_snapshot := last_snapshot::pg_snapshot;
  c pg_snapshot := current_snapshot::pg_snapshot;
  xmax xid8 := pg_snapshot_xmax(s);
  pending xid8[];
  got int := 0;
begin
  -- First the transactions that were under way at the last window's end, then those that began after it: together in order of (xid, id).
  if after_xid < xmax then
    pending := array(select p from pg_snapshot_xip(s) p);
    if cardinality(pending) > 0 then
      return query
        select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record::text, e.old_record::text
        from frontdesk.event e
        where e.xid = any (pending) and (e.xid, e.id) > (after_xid, after_id) and e.created_at >= engine_read.since and e.created_at < engine_read.until
          and pg_visible_in_snapshot(e.xid, c)
        order by e.xid, e.id limit max_rows;
      get diagnostics got = row_count;
    end if;
    after_xid := xmax;
    after_id := 0;
  end if;
  if got < max_rows then
    -- The row comparison is the only lower bound: a second one would start the index scan at the wrong place.
    return query
      select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record::text, e.old_record::text
      from frontdesk.event e
      where (e.xid, e.id) > (after_xid, after_id) and e.xid < pg_snapshot_xmax(c) and e.created_at >= engine_read.since and e.created_at < engine_read.until
        and pg_visible_in_snapshot(e.xid, c)
      order by e.xid, e.id limit max_rows - got;
  end if;
end
$$;
comment on function frontdesk.engine_read(text, text, xid8, bigint, timestamptz, timestamptz, int) is
  'engine: the next events of a window: visible in the current snapshot, not in the last, after (xid, id), in that order; none of them is older than since, none as new as until';

create or replace function frontdesk.engine_list(
  last_snapshot text, current_snapshot text, after_id bigint, since timestamptz, until timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  s pg_snapshot := last_snapshot::pg_snapshot;
  c pg_snapshot := current_snapshot::pg_snapshot;
begin
  return query
    select e.id, e.xid, e.created_at from (
      select e.id, e.xid, e.created_at from frontdesk.event e
      where e.xid = any (array(select p from pg_snapshot_xip(s) p)) and e.created_at >= engine_list.since and e.created_at < engine_list.until and pg_visible_in_snapshot(e.xid, c)
      union all
      select e.id, e.xid, e.created_at from frontdesk.event e
      where e.xid >= pg_snapshot_xmax(s) and e.xid < pg_snapshot_xmax(c) and e.created_at >= engine_list.since and e.created_at < engine_list.until and pg_visible_in_snapshot(e.xid, c)) e
    where e.id > after_id order by e.id limit max_rows;
end
$$;
comment on function frontdesk.engine_list(text, text, bigint, timestamptz, timestamptz, int) is
  'engine: the events of a window in order of their ids, the order in which a row changed, for endpoints that are ordered';

create or replace function frontdesk.engine_events(ids bigint[], xids xid8[], created timestamptz[])
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record text, old_record text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record::text, e.old_record::text
    from unnest(ids, xids, created) with ordinality w (id, xid, created_at, n)
    join frontdesk.event e on e.xid = w.xid and e.id = w.id and e.created_at = w.created_at
    order by w.n;
end
$$;
comment on function frontdesk.engine_events(bigint[], xid8[], timestamptz[]) is 'engine: these events, in this order; without those whose day was dropped';

create or replace function frontdesk.engine_settled(ids bigint[])
returns table (event_id bigint, endpoint_id bigint)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select a.event_id, a.endpoint_id from frontdesk.attempt a where a.event_id = any (ids)
    union
    select r.event_id, r.endpoint_id from frontdesk.retry r where r.event_id = any (ids);
end
$$;
comment on function frontdesk.engine_settled(bigint[]) is 'engine, after a restart: what of these was attempted already';

create or replace function frontdesk.engine_attempts(
  event_ids bigint[], endpoint_ids bigint[], numbers int[], started timestamptz[], durations real[], successes boolean[],
  statuses smallint[], errors text[], details text[], addresses text[], responses text[], headers text[], bodies bytea[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  insert into frontdesk.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, error, detail, address, response,
    response_headers, response_body)
  select u.event_id, u.endpoint_id, u.number, u.started, u.duration, u.success, u.status, u.error, u.detail, u.address::inet, u.response,
    u.headers::jsonb, u.body
  from unnest(event_ids, endpoint_ids, numbers, started, durations, successes, statuses, errors, details, addresses, responses, headers, bodies)
    u (event_id, endpoint_id, number, started, duration, success, status, error, detail, address, response, headers, body);
end
$$;
comment on function frontdesk.engine_attempts(bigint[], bigint[], int[], timestamptz[], real[], boolean[], smallint[], text[], text[], text[], text[], text[], bytea[]) is
  'engine: append attempts';

create or replace function frontdesk.engine_retry(
  event_ids bigint[], endpoint_ids bigint[], xids xid8[], created timestamptz[], attempts int[], due timestamptz[], keys text[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  insert into frontdesk.retry (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
  select u.event_id, u.endpoint_id, u.xid, u.created, u.attempts, u.due, u.key, u.reason
  from unnest(event_ids, endpoint_ids, xids, created, attempts, due, keys, reasons) u (event_id, endpoint_id, xid, created, attempts, due, key, reason)
  where u.endpoint_id = 0 or exists (select from frontdesk.endpoint e where e.id = u.endpoint_id)
  on conflict on constraint retry_pkey do update
  set attempts = excluded.attempts, due_at = excluded.due_at, key = excluded.key, reason = excluded.reason;
end
$$;
comment on function frontdesk.engine_retry(bigint[], bigint[], xid8[], timestamptz[], int[], timestamptz[], text[], text[]) is
  'engine: try these again when they are due';

create or replace function frontdesk.engine_forget() returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  delete from frontdesk.retry r where r.endpoint_id > 0 and not exists (select from frontdesk.endpoint e where e.id = r.endpoint_id);
  delete from frontdesk.dead_letter d where d.endpoint_id > 0 and not exists (select from frontdesk.endpoint e where e.id = d.endpoint_id);
$$;
comment on function frontdesk.engine_forget() is
  'engine: what it wrote for an endpoint while remove_endpoint() was under way and saw it not';

create or replace function frontdesk.engine_done(event_ids bigint[], endpoint_ids bigint[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  delete from frontdesk.retry r using unnest(event_ids, endpoint_ids) u (event_id, endpoint_id)
  where r.event_id = u.event_id and r.endpoint_id = u.endpoint_id;
end
$$;
comment on function frontdesk.engine_done(bigint[], bigint[]) is 'engine: these need no further try';

create or replace function frontdesk.engine_dead(
  event_ids bigint[], endpoint_ids bigint[], xids xid8[], created timestamptz[], attempts int[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  insert into frontdesk.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
  select u.event_id, u.endpoint_id, u.xid, u.created, u.attempts, u.reason, frontdesk.now()
  from unnest(event_ids, endpoint_ids, xids, created, attempts, reasons) u (event_id, endpoint_id, xid, created, attempts, reason)
  on conflict on constraint dead_letter_pkey do update set attempts = excluded.attempts, reason = excluded.reason, died_at = excluded.died_at;
  -- A service event that cannot be delivered is not reported by another.
  perform frontdesk.record_event('delivery.exhausted', 'S', jsonb_build_object('endpoint', n.name, 'event_id', v.id, 'event_type', v.type,
      'key', v.key, 'attempts', u.attempts, 'reason', u.reason, 'data', v.record), v.key, v.tenant)
  from unnest(event_ids, endpoint_ids, xids, created, attempts, reasons) u (event_id, endpoint_id, xid, created, attempts, reason)
  join frontdesk.endpoint n on n.id = u.endpoint_id
  join frontdesk.event v on v.xid = u.xid and v.id = u.event_id and v.created_at = u.created
  where v.op <> 'S';
end
$$;
comment on function frontdesk.engine_dead(bigint[], bigint[], xid8[], timestamptz[], int[], text[]) is
  'engine: these are given up; each is reported by an event delivery.exhausted';

create or replace function frontdesk.engine_release(this_endpoint bigint, this_key text) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  first bigint := (select min(r.event_id) from frontdesk.retry r where r.endpoint_id = this_endpoint and r.key = this_key);
begin
  update frontdesk.retry r set due_at = frontdesk.now()
  where r.endpoint_id = this_endpoint and r.event_id = first and r.due_at = 'infinity';
  return first is not null;
end
$$;
comment on function frontdesk.engine_release(bigint, text) is 'engine, ordered endpoints: the next waiting event of this key is due; false when there is none';

create or replace function frontdesk.engine_blocked() returns table (endpoint_id bigint, key text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select distinct r.endpoint_id, r.key from frontdesk.retry r join frontdesk.endpoint e on e.id = r.endpoint_id
  where e.ordered and r.key is not null
$$;
comment on function frontdesk.engine_blocked() is 'engine, ordered endpoints: the keys whose later events must wait';

create or replace function frontdesk.engine_due(ready_endpoints bigint[], as_of timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record text, old_record text, endpoint_id bigint, attempts int)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select r.event_id, r.event_xid, r.event_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record::text,
      e.old_record::text, r.endpoint_id, r.attempts
    from frontdesk.retry r
    left join frontdesk.event e on e.xid = r.event_xid and e.id = r.event_id and e.created_at = r.event_at
    where r.due_at <= as_of and r.endpoint_id = any (ready_endpoints)
    order by r.due_at, r.event_id limit max_rows;
end
$$;
comment on function frontdesk.engine_due(bigint[], timestamptz, int) is 'engine: retries that are due for these endpoints; op is null where the event''s day was dropped';

create or replace function frontdesk.engine_next_due(ready_endpoints bigint[], as_of timestamptz) returns timestamptz
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select min(r.due_at) from frontdesk.retry r where r.endpoint_id = any (ready_endpoints) and r.due_at > as_of and r.due_at < 'infinity'
$$;
comment on function frontdesk.engine_next_due(bigint[], timestamptz) is 'engine: when the next retry that is not due yet will be';

create or replace function frontdesk.engine_health(ids bigint[], failure_counts int[], failing timestamptz[], open timestamptz[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  update frontdesk.endpoint e set failures = u.failures, failing_since = u.failing, open_until = u.open
  from unnest(ids, failure_counts, failing, open) u (id, failures, failing, open)
  where e.id = u.id;
end
$$;
comment on function frontdesk.engine_health(bigint[], int[], timestamptz[], timestamptz[]) is 'engine: how endpoints do, written when it changes';

create or replace function frontdesk.engine_disable(this_endpoint bigint, why text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  update frontdesk.endpoint set state = 'disabled', state_reason = why, state_changed_at = clock_timestamp()
  where id = this_endpoint and state <> 'disabled'
$$;
comment on function frontdesk.engine_disable(bigint, text) is 'engine: an endpoint answered 410 Gone, or failed for five days';

create or replace function frontdesk.engine_report(this_endpoint bigint, event_type text, details text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.record_event(event_type, 'S', jsonb_build_object('endpoint', n.name, 'url', n.url) || details::jsonb, tenant => n.tenant)
  from frontdesk.endpoint n where n.id = this_endpoint
$$;
comment on function frontdesk.engine_report(bigint, text, text) is 'engine: emit endpoint.failing, endpoint.recovered or endpoint.disabled';

create or replace function frontdesk.engine_save_cursors(
  ids bigint[], last_snapshots text[], current_snapshots text[], xids xid8[], event_ids bigint[], since timestamptz[], dropped bigint[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.cursor c where c.endpoint_id = any (dropped);
  insert into frontdesk.cursor as c (endpoint_id, last_snapshot, current_snapshot, xid, event_id, since)
  select u.id, u.last::pg_snapshot, u.current::pg_snapshot, u.xid, u.event_id, u.since
  from unnest(ids, last_snapshots, current_snapshots, xids, event_ids, since) u (id, last, current, xid, event_id, since)
  where u.id = 0 or exists (select from frontdesk.endpoint e where e.id = u.id)
  on conflict (endpoint_id) do update
  set last_snapshot = excluded.last_snapshot, current_snapshot = excluded.current_snapshot, xid = excluded.xid,
      event_id = excluded.event_id, since = excluded.since, updated_at = clock_timestamp();
end
$$;
comment on function frontdesk.engine_save_cursors(bigint[], text[], text[], xid8[], bigint[], timestamptz[], bigint[]) is
  'engine: remember how far the log is settled; written at most once a second';

-- sql/functions/30_schedule.sql
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
  select coalesce(
    (select substring(c from '(?i)^timezone=(.*)$') from pg_db_role_setting s, unnest(s.setconfig) c
     where s.setdatabase = (select oid from pg_database where datname = current_database()) and s.setrole = 0 and c ilike 'timezone=%'),
    (select f.setting from pg_file_settings f where f.name ilike 'timezone' and f.applied order by f.seqno desc limit 1),
    'UTC')
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
  if tg_op = 'INSERT' or new.owner <> old.owner then
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

create or replace trigger job_check before insert or update on frontdesk.job
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
    owner = case when username is null then j.owner else frontdesk.job_owner(username) end,
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

-- sql/functions/30_schedule_engine.sql
-- Room 30, schedule: the engine's verbs for jobs.

create or replace function frontdesk.unix_us(moment timestamptz) returns bigint
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case when isfinite(moment) then (extract(epoch from moment) * 1000000)::bigint end
$$;
comment on function frontdesk.unix_us(timestamptz) is 'internal: microseconds since 1970; null for infinity';

create or replace function frontdesk.engine_jobs() returns setof text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_build_object(
    'id', j.id, 'name', j.name, 'schedule', j.schedule, 'run_at', frontdesk.unix_us(j.run_at), 'timezone', j.timezone, 'active', j.active,
    'timeout_ms', (extract(epoch from j.timeout) * 1000)::bigint, 'overlap', j.overlap, 'max_retries', j.max_retries,
    'retry_delay_ms', (extract(epoch from j.retry_delay) * 1000)::bigint, 'catch_up', j.catch_up,
    'planned_from', frontdesk.unix_us(greatest(j.planned_from, s.handled_until)), 'changed_at', frontdesk.unix_us(j.planned_from),
    'failures', coalesce(s.failures, 0), 'retry_at', frontdesk.unix_us(s.retry_at), 'retry_attempt', coalesce(s.retry_attempt, 1),
    'retry_scheduled', frontdesk.unix_us(s.retry_scheduled_at), 'rebooted', frontdesk.unix_us(pg_postmaster_start_time()))::text
  from frontdesk.job j left join frontdesk.job_state s on s.job_id = j.id
$$;
comment on function frontdesk.engine_jobs() is 'engine: every job as JSON, with how far the engine got with it';

create or replace function frontdesk.engine_jobs_version() returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select format('%s %s %s', count(*), max(j.updated_at), sum(j.id)) from frontdesk.job j
$$;
comment on function frontdesk.engine_jobs_version() is 'engine: differs after the jobs were changed by a prepared transaction, whose commit wakes nobody';

create or replace function frontdesk.engine_job_problem(this_job bigint, why text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk.job_state as s (job_id, problem) select j.id, why from frontdesk.job j where j.id = this_job
  on conflict (job_id) do update set problem = excluded.problem
$$;
comment on function frontdesk.engine_job_problem(bigint, text) is 'engine: why it does not run this job; null: it does';

create or replace function frontdesk.engine_job_requests() returns table (run_id bigint, job_id bigint, scheduled_at timestamptz, cancel boolean)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.job_run r set status = 'cancelled', finished_at = frontdesk.now(), message = 'the job is gone'
  where r.status = 'waiting' and not exists (select from frontdesk.job j where j.id = r.job_id and j.owner = r.owner);
  return query select r.id, r.job_id, r.scheduled_at, r.status = 'cancelling' from frontdesk.job_run r
    where r.status in ('waiting', 'cancelling') order by r.id;
end
$$;
comment on function frontdesk.engine_job_requests() is 'engine: the runs that run_job() asked for, and those that cancel_run() wants to stop';

create or replace function frontdesk.engine_job_start(job_ids bigint[], run_ids bigint[], attempts int[], scheduled timestamptz[])
returns table (place int, run_id bigint, owner oid, name text, command text)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  u record;
  j frontdesk.job;
  new_id bigint;
  began timestamptz := frontdesk.now();
begin
  -- While a dump is restored the engine may not know yet that this is a copy: it is told so.
  if frontdesk.is_clone() then
    perform frontdesk.wake(reboot => true);
    return;
  end if;
  for u in select * from unnest(job_ids, run_ids, attempts, scheduled) with ordinality u (job_id, run_id, attempt, due, place) loop
    select * into j from frontdesk.job where id = u.job_id;
    continue when not found;
    if u.run_id > 0 then
      -- Taken back meanwhile?
      update frontdesk.job_run r set status = 'running', started_at = began, command = j.command
      where r.id = u.run_id and r.status = 'waiting' returning r.id into new_id;
      continue when not found;
    else
      insert into frontdesk.job_run (job_id, job_name, owner, command, status, attempt, scheduled_at, started_at)
      values (j.id, j.name, j.owner, j.command, 'running', u.attempt, u.due, began) returning id into new_id;
      insert into frontdesk.job_state as s (job_id, handled_until) values (j.id, u.due)
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
comment on function frontdesk.engine_job_start(bigint[], bigint[], int[], timestamptz[]) is
  'engine: these runs begin; run_id 0: a new one. Those whose job is gone are left out';

create or replace function frontdesk.engine_job_finish(
  run_ids bigint[], statuses text[], finished timestamptz[], pids int[], row_counts bigint[], results text[], codes text[], messages text[],
  failure_counts int[], retries timestamptz[], reports text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  u record;
  r frontdesk.job_run;
begin
  for u in select * from unnest(run_ids, statuses, finished, pids, row_counts, results, codes, messages, failure_counts, retries, reports)
    u (run_id, status, at, pid, row_count, result, code, message, failures, retry_at, report)
  loop
    update frontdesk.job_run x set status = u.status, finished_at = u.at, pid = u.pid, rows = u.row_count, result = u.result::jsonb,
      sqlstate = u.code, message = u.message
    where x.id = u.run_id and x.status in ('running', 'cancelling') returning x.* into r;
    continue when not found;
    update frontdesk.job_state s set failures = u.failures, retry_at = u.retry_at,
      retry_attempt = case when u.retry_at is not null then r.attempt + 1 end,
      retry_scheduled_at = case when u.retry_at is not null then r.scheduled_at end
    where s.job_id = r.job_id
      and (s.failures, s.retry_at) is distinct from (u.failures, u.retry_at);
    if u.retry_at is null then
      update frontdesk.job j set active = false where j.id = r.job_id and j.run_at = r.scheduled_at and j.active;
    end if;
    perform frontdesk.report_run(r, u.report, u.failures, u.retry_at) where u.report is not null;
  end loop;
end
$$;
comment on function frontdesk.engine_job_finish(bigint[], text[], timestamptz[], int[], bigint[], text[], text[], text[], int[], timestamptz[], text[]) is
  'engine: these runs are over; the failures of each job in a row, when it is tried again, and whether job.failed or job.recovered is emitted';

create or replace function frontdesk.report_run(r frontdesk.job_run, report text, failures int, retry_at timestamptz) returns bigint
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.record_event(report, 'S', jsonb_build_object('job', r.job_name, 'job_id', r.job_id, 'run_id', r.id, 'owner', r.owner::text,
    'status', r.status, 'attempt', r.attempt, 'scheduled_at', r.scheduled_at, 'started_at', r.started_at, 'finished_at', r.finished_at,
    'sqlstate', r.sqlstate, 'message', r.message, 'failures', failures, 'retry_at', retry_at), r.job_name)
$$;
comment on function frontdesk.report_run(frontdesk.job_run, text, int, timestamptz) is 'internal: emit job.failed or job.recovered';

create or replace function frontdesk.engine_job_skip(job_ids bigint[], scheduled timestamptz[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  insert into frontdesk.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at, finished_at, message)
  select j.id, j.name, j.owner, j.command, 'skipped', u.due, frontdesk.now(), frontdesk.now(), u.reason
  from unnest(job_ids, scheduled, reasons) u (job_id, due, reason) join frontdesk.job j on j.id = u.job_id;
  insert into frontdesk.job_state as s (job_id, handled_until)
  select j.id, max(u.due) from unnest(job_ids, scheduled) u (job_id, due) join frontdesk.job j on j.id = u.job_id group by j.id
  on conflict (job_id) do update set handled_until = greatest(s.handled_until, excluded.handled_until);
end
$$;
comment on function frontdesk.engine_job_skip(bigint[], timestamptz[], text[]) is 'engine: these due times pass without a run, for the reason that is recorded';

create or replace function frontdesk.engine_job_recover() returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.job_run;
  j frontdesk.job;
  again timestamptz;
  failed int;
  recovered bigint := 0;
begin
  -- Processes that outlived their engine: nobody would record what becomes of them.
  perform pg_terminate_backend(a.pid, 5000) from pg_stat_activity a
  where a.datname = current_database() and a.backend_type = 'frontdesk job';
  for r in
    update frontdesk.job_run x set status = 'interrupted', finished_at = frontdesk.now(),
      message = 'the server or the engine ended in the middle of the run'
    where x.status in ('running', 'cancelling') returning x.*
  loop
    recovered := recovered + 1;
    select * into j from frontdesk.job where id = r.job_id;
    continue when not found;
    again := case when r.attempt <= j.max_retries then frontdesk.now() + j.retry_delay * power(2, r.attempt - 1) end;
    insert into frontdesk.job_state as s (job_id, handled_until, failures, retry_at, retry_attempt, retry_scheduled_at)
    values (j.id, r.scheduled_at, 1, again, case when again is not null then r.attempt + 1 end, case when again is not null then r.scheduled_at end)
    on conflict (job_id) do update set failures = s.failures + 1, retry_at = excluded.retry_at, retry_attempt = excluded.retry_attempt,
      retry_scheduled_at = excluded.retry_scheduled_at
    returning s.failures into failed;
    if again is null then
      update frontdesk.job o set active = false where o.id = j.id and o.run_at = r.scheduled_at and o.active;
    end if;
    perform frontdesk.report_run(r, 'job.failed', failed, again);
  end loop;
  return recovered;
end
$$;
comment on function frontdesk.engine_job_recover() is
  'engine, at its start: runs that were under way are interrupted, and tried again if their job says so; returns how many';

-- sql/functions/30_schedule_history.sql
-- Room 30, schedule: what the jobs do, did and will do.

create or replace function frontdesk.engine_state(out state text, out reason text)
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select case
      when pg_is_in_recovery() then 'standby' when frontdesk.is_clone() then 'silent' when i.state <> 'running' then i.state
      when s.pid is null then 'not running' else 'running' end,
    i.state_reason
  from frontdesk.installation i left join frontdesk.engine_slot() s on true
$$;
comment on function frontdesk.engine_state() is 'is the engine of this database running, or why not; in one word, as status() says it at length';

create or replace view frontdesk.jobs with (security_invoker = true) as
select j.id, j.name, j.owner::text as owner, j.schedule, j.run_at, j.timezone, j.command, j.active,
  case when j.active then coalesce(s.retry_at, j.run_at, n.next_run) end as next_run,
  r.status as last_status, r.started_at as last_start, r.finished_at - r.started_at as last_duration, r.message as last_message,
  coalesce(s.failures, 0) as failures, s.problem, j.timeout, j.overlap, j.max_retries, j.retry_delay, j.catch_up
from frontdesk.job j
left join frontdesk.job_state s on s.job_id = j.id
left join lateral (
  select n.next_run from frontdesk.next_runs(coalesce(j.schedule, '@reboot'), j.timezone, 1) n (next_run)) n on true
left join lateral (select * from frontdesk.job_run r where r.job_id = j.id order by r.id desc limit 1) r on true;
comment on view frontdesk.jobs is 'your jobs, when each runs next, how the last run went, and what is wrong with it (null: nothing)';

create or replace function frontdesk.list_scheduled_jobs()
returns table (jobid bigint, schedule text, command text, nodename text, nodeport int, database text, username text, active boolean, jobname text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select j.id, coalesce(j.schedule, 'once at ' || j.run_at), j.command, 'localhost', current_setting('port')::int, current_database()::text,
    j.owner::text, j.active, j.name
  from frontdesk.job j order by j.id
$$;
comment on function frontdesk.list_scheduled_jobs() is 'your jobs';

create or replace function frontdesk.get_job_history(job_name text = null, limit_rows int = 100)
returns table (jobid bigint, job_name text, status text, return_message text, start_time timestamptz, end_time timestamptz, duration interval)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select r.job_id, r.job_name, r.status, r.message, r.started_at, r.finished_at, r.finished_at - r.started_at
  from frontdesk.job_run r
  where get_job_history.job_name is null or r.job_name = get_job_history.job_name
  order by r.id desc limit limit_rows
$$;
comment on function frontdesk.get_job_history(text, int) is 'the runs of your jobs, or of one of them, newest first; more columns are in frontdesk.job_run';

create or replace function frontdesk.explain_job(name text) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  j frontdesk.jobs;
  r frontdesk.job_run;
  engine record;
  lines text[];
begin
  select * into j from frontdesk.jobs v where v.id = frontdesk.job_id(explain_job.name);
  select * into engine from frontdesk.engine_state();
  lines := array[format('job "%s" runs %s as %s', j.name,
    case when j.schedule is null then 'once at ' || j.run_at else format('by "%s" in %s', j.schedule, j.timezone) end, j.owner)];
  if engine.state <> 'running' then
    lines := lines || format('nothing runs: the engine is %s%s', engine.state, coalesce(' (' || engine.reason || ')', ''));
  end if;
  if not exists (select from pg_roles o where o.rolname = trim(both '"' from j.owner) or quote_ident(o.rolname) = j.owner) then
    lines := lines || format('it does not run: its role %s was dropped', j.owner);
  end if;
  if j.problem is not null then
    lines := lines || format('it does not run: %s', j.problem);
  end if;
  if not j.active then
    lines := lines || case when j.run_at is not null then 'it ran and is over' else 'it does not run: it is inactive; alter_job(..., active => true)' end;
  elsif j.schedule in ('@reboot', '@restart') then
    lines := lines || 'it runs when the server starts'::text;
  elsif j.failures > 0 and j.next_run < frontdesk.now() + interval '30 days' and exists (
      select from frontdesk.job_state s where s.job_id = j.id and s.retry_at is not null) then
    lines := lines || format('it failed and is tried again at %s', j.next_run);
  else
    lines := lines || format('the next run is at %s', j.next_run);
  end if;
  for r in select * from frontdesk.job_run x where x.job_id = j.id order by x.id desc limit 5 loop
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
comment on function frontdesk.explain_job(text) is
  'why a job ran or did not: the engine''s state, the job''s, its next run, its last five runs with their errors';

-- sql/functions/31_timer.sql
-- Room 31, timer: reminders. The functions run as their caller, who must own the table; row level security holds them to it.

create or replace function frontdesk.timer_trigger() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_timer_trigger';
comment on function frontdesk.timer_trigger() is
  'trigger: keeps the timer of a row in step with it, in the same transaction. Made by remind(); its one argument is the rule as JSON';

create or replace function frontdesk.timer_set(due timestamptz) returns void
language c as 'MODULE_PATHNAME', 'timer_set_wrapper';
comment on function frontdesk.timer_set(timestamptz) is 'internal: the engine is to be up at this moment, from commit on';

create or replace function frontdesk.timer_keep(this_rule bigint, this_key text, moment timestamptz, shift text, timezone text, existed boolean) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  due timestamptz;
begin
  if existed then
    -- Written so that only the key's index fits, whatever a plan was made for: the table may have grown since.
    delete from frontdesk.timer t
    where t.rule_id = this_rule and t.key = this_key and coalesce(t.outcome, '') = '' and t.at is distinct from moment;
  end if;
  if moment is not null then
    due := date_add(moment, shift::interval, timezone);
    insert into frontdesk.timer (rule_id, key, at, due_at) values (this_rule, this_key, moment, due) on conflict do nothing;
    perform frontdesk.timer_set(due);
  end if;
end
$$;
comment on function frontdesk.timer_keep(bigint, text, timestamptz, text, text, boolean) is
  'internal, called by the trigger: the one pending timer of a row; moment null: none. One that fired for this value fires no more';

create or replace function frontdesk.timer_forget(this_rule bigint, this_key text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if this_key is null then
    delete from frontdesk.timer t where t.rule_id = this_rule;
  else
    delete from frontdesk.timer t where t.rule_id = this_rule and t.key = this_key;
  end if;
end
$$;
comment on function frontdesk.timer_forget(bigint, text) is 'internal, called by the trigger: the row is gone; key null: all rows are';

create or replace function frontdesk.timer_moment(r frontdesk.timer_rule, alias text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case a.atttypid
    when 'timestamptz'::regtype then format('%s.%I', alias, a.attname)
    else format('(%s.%I::timestamp at time zone %L)', alias, a.attname, r.timezone) end
  from pg_attribute a where a.attrelid = r.source and a.attnum = r.at_attnum
$$;
comment on function frontdesk.timer_moment(frontdesk.timer_rule, text) is 'internal: the SQL expression of the moment a rule is about';

create or replace function frontdesk.timer_key(r frontdesk.timer_rule, alias text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case count(*) when 1 then max(format('%s.%I::text', alias, a.attname))
    else '''['' || concat_ws('','', ' || string_agg(format('to_json(%s.%I::text)', alias, a.attname), ', ' order by k.n) || ') || '']''' end
  from unnest(r.key_attnums) with ordinality k (attnum, n) join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum
$$;
comment on function frontdesk.timer_key(frontdesk.timer_rule, text) is 'internal: the SQL expression of a row''s key as text';

create or replace function frontdesk.timer_match(r frontdesk.timer_rule, alias text, key text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select string_agg(format('%s.%I = (%s)::%s', alias, a.attname,
    case when cardinality(r.key_attnums) = 1 then key else format('%s::jsonb->>%s', key, k.n - 1) end,
    format_type(a.atttypid, a.atttypmod)), ' and ' order by k.n)
  from unnest(r.key_attnums) with ordinality k (attnum, n) join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum
$$;
comment on function frontdesk.timer_match(frontdesk.timer_rule, text, text) is 'internal: the SQL condition by which a row is found by its key';

create or replace function frontdesk.timer_fill(this_rule bigint) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
  filled bigint;
  earliest timestamptz;
begin
  select * into r from frontdesk.timer_rule where id = this_rule;
  delete from frontdesk.timer t where t.rule_id = r.id and t.outcome is null;
  execute format(
    'insert into frontdesk.timer (rule_id, key, at, due_at)
     select $1, %1$s, m.at, date_add(m.at, $2, $3) from %2$s s cross join lateral (select %3$s as at) m
     where m.at between ''4000-01-01 bc'' and ''200000-01-01'' and date_add(m.at, $2, $3) > frontdesk.now()
       and ($4 is null or frontdesk.filter_matches($4, to_jsonb(s))) on conflict do nothing',
    frontdesk.timer_key(r, 's'), r.source, frontdesk.timer_moment(r, 's'))
  using r.id, r.shift, r.timezone, r.condition;
  get diagnostics filled = row_count;
  select min(t.due_at) into earliest from frontdesk.timer t where t.rule_id = r.id and t.outcome is null;
  perform frontdesk.timer_set(earliest);
  update frontdesk.timer_rule u set filled_in = frontdesk.timer_home() where u.id = r.id;
  return filled;
end
$$;
comment on function frontdesk.timer_fill(bigint) is 'internal: the timers of the rows that are there; moments that are past are left out. Returns how many';

create or replace function frontdesk.timer_home() returns text
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  select format('%s/%s', s.system_identifier, d.oid) from pg_control_system() s, pg_database d where d.datname = current_database()
$$;
comment on function frontdesk.timer_home() is 'internal: this database, as no other is called';

create or replace function frontdesk.timer_install(r frontdesk.timer_rule) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  config jsonb := jsonb_strip_nulls(jsonb_build_object('rule', r.id, 'at', r.at_column, 'key', to_jsonb(r.key_columns),
    'shift', r.shift::text, 'timezone', r.timezone)) || case when r.condition is null then '{}' else jsonb_build_object('condition', r.condition) end;
begin
  execute format('create or replace trigger %I after insert or update or delete on %s for each row execute function frontdesk.timer_trigger(%L)',
    'frontdesk_timer_' || r.id, r.source, config);
  execute format('create or replace trigger %I after truncate on %s for each statement execute function frontdesk.timer_trigger(%L)',
    'frontdesk_timer_truncate_' || r.id, r.source, config);
end
$$;
comment on function frontdesk.timer_install(frontdesk.timer_rule) is 'internal: makes the triggers of a rule';

create or replace function frontdesk.timer_uninstall(r frontdesk.timer_rule) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set client_min_messages = warning as $$
begin
  if exists (select from pg_class where oid = r.source) then
    execute format('drop trigger if exists %I on %s', 'frontdesk_timer_' || r.id, r.source);
    execute format('drop trigger if exists %I on %s', 'frontdesk_timer_truncate_' || r.id, r.source);
  end if;
end
$$;
comment on function frontdesk.timer_uninstall(frontdesk.timer_rule) is 'internal: drops the triggers of a rule';

create or replace function frontdesk.timer_check_payload(source regclass, payload regprocedure) returns void
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if not exists (
    select from pg_proc p join pg_class c on c.oid = source
    where p.oid = payload and p.prokind = 'f' and not p.proretset and p.prorettype = 'jsonb'::regtype
      and p.pronargs = 1 and p.proargtypes[0] = c.reltype and has_function_privilege(c.relowner, p.oid, 'execute')) then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s cannot make a payload of a row of %s', payload, source),
      hint = format('It must be a function of one argument of type %s, returning jsonb, that the table''s owner may execute.', source);
  end if;
end
$$;
comment on function frontdesk.timer_check_payload(regclass, regprocedure) is 'internal: raises unless this function makes a payload of a row';

create or replace function frontdesk.remind(
  source regclass, at_column name, "offset" interval, event text, condition jsonb = null, name text = null,
  late text = 'fire', expires interval = null, tenant_column name = null, payload regprocedure = null) returns text
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  keys name[];
  at_type oid;
  before frontdesk.timer_rule;
  r frontdesk.timer_rule;
begin
  perform frontdesk.watch_source(source);
  perform frontdesk.watch_check(source, array[at_column], 'at_column');
  perform frontdesk.watch_check(source, array[tenant_column], 'tenant_column') where tenant_column is not null;
  if (select a.atttypid <> 'uuid'::regtype from pg_attribute a where a.attrelid = source and a.attname = tenant_column) then
    raise exception using errcode = 'datatype_mismatch', message = format('tenant column "%s" of %s is not of type uuid', tenant_column, source);
  end if;
  perform frontdesk.timer_check_payload(source, payload) where payload is not null;
  select a.atttypid into at_type from pg_attribute a where a.attrelid = source and a.attname = at_column;
  if at_type not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s is of type %s', at_column, source, format_type(at_type, null)),
      hint = 'A reminder needs a column of type timestamp with time zone, timestamp or date.';
  end if;
  keys := frontdesk.watch_key(source);
  if keys is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('%s has no primary key', source),
      detail = 'At its moment, the row is read again by its key.', hint = format('alter table %s add primary key (...)', source);
  end if;
  if "offset" is null or extract(epoch from "offset") is null or abs(extract(epoch from "offset")) > 86400.0 * 36600 then
    raise exception using errcode = 'invalid_parameter_value', message = format('offset %s is out of range', "offset"),
      hint = 'Negative is before, positive after the column''s moment, at most 100 years: interval ''-24 hours''.';
  end if;
  perform frontdesk.check_event_type(event);
  if event ~ '^(endpoint|delivery|http|job)(\.|$)' then
    raise exception using errcode = 'reserved_name', message = format('event type "%s" is reserved', event), hint = 'Choose another first segment.';
  end if;
  perform frontdesk.check_filter(condition) where condition is not null;
  if late is null or late not in ('fire', 'skip') then
    raise exception using errcode = 'invalid_parameter_value', message = format('late "%s" is unknown', late), hint = 'fire or skip.';
  end if;
  if expires <= '0' then
    raise exception using errcode = 'invalid_parameter_value', message = format('expires %s is out of range', expires),
      hint = 'How long after its moment it may still fire; null is for ever.';
  end if;
  name := coalesce(name, format('%s %s', event, "offset"));
  select * into before from frontdesk.timer_rule o where o.name = name;
  if before.source <> source then
    perform frontdesk.timer_uninstall(before);
  end if;
  -- Rows that change from here on wait for this transaction, so that none is missed between the fill and the trigger.
  execute format('lock table %s in share row exclusive mode', source);
  insert into frontdesk.timer_rule as o (name, source, source_name, at_column, at_attnum, key_columns, key_attnums, shift, timezone, event,
    condition, late, expires, tenant_column, payload)
  values (name, source, source::text, at_column, (select a.attnum from pg_attribute a where a.attrelid = source and a.attname = at_column),
    keys, array(select a.attnum from unnest(keys) with ordinality k (key, n) join pg_attribute a on a.attrelid = source and a.attname = k.key order by k.n),
    "offset", frontdesk.database_timezone(), event, condition, late, expires,
    tenant_column, payload::text)
  on conflict on constraint timer_rule_name_key do update
  set source = excluded.source, source_name = excluded.source_name, at_column = excluded.at_column, at_attnum = excluded.at_attnum,
    key_columns = excluded.key_columns, key_attnums = excluded.key_attnums, shift = excluded.shift, timezone = excluded.timezone,
    event = excluded.event, condition = excluded.condition, late = excluded.late, expires = excluded.expires,
    tenant_column = excluded.tenant_column, payload = excluded.payload, problem = null
  returning o.* into r;
  if before.source <> source then
    delete from frontdesk.timer t where t.rule_id = r.id;
  end if;
  perform frontdesk.timer_install(r);
  perform frontdesk.timer_fill(r.id);
  return name;
end
$$;
comment on function frontdesk.remind(regclass, name, interval, text, jsonb, text, text, interval, name, regprocedure) is
  'emit this event when a row''s column plus offset (negative: before it) is reached, if the condition (a filter over the row) holds then. Returns the rule''s name; '
  'a rule of the same name is replaced. The event carries the row, read at that moment. It is emitted once per row and value of the column, whatever happens. '
  'late: what was due while nobody was there fires, or is skipped when it is more than a minute late. expires: how long after its moment it may still fire. tenant_column: a uuid, default that of the table''s watch. '
  'payload: a function of a row returning jsonb, which the event carries instead of the row; null from it: no event. Caller must own the table';

create or replace function frontdesk.unremind(name text) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
begin
  select * into r from frontdesk.timer_rule o where o.name = unremind.name;
  if not found then
    return false;
  end if;
  perform frontdesk.timer_uninstall(r);
  delete from frontdesk.timer t where t.rule_id = r.id;
  delete from frontdesk.timer_rule o where o.id = r.id;
  return true;
end
$$;
comment on function frontdesk.unremind(text) is 'emit reminders by this rule no more; false when there is none';

create or replace view frontdesk.timers as
select t.due_at, r.name as rule, r.event, r.source_name as source, t.key, r.at_column, t.at, r.shift as "offset", r.condition, r.late, r.expires, r.problem
from frontdesk.timer t join frontdesk.timer_rule r on r.id = t.rule_id
where t.outcome is null and has_table_privilege(r.source, 'select')
order by t.due_at;
comment on view frontdesk.timers is 'what fires next, for which row, and why; of the tables that you may read';

create or replace view frontdesk.reminders with (security_invoker = true) as
select r.name, r.event, r.source_name as source, r.at_column, r.shift as "offset", r.condition, r.late, r.expires, r.problem, r.created_at
from frontdesk.timer_rule r;
comment on view frontdesk.reminders is 'the rules of remind() on your tables, and what is wrong with them (null: nothing)';

-- sql/functions/31_timer_engine.sql
-- Room 31, timer: the engine's verbs, and what becomes of rules whose tables change.

create or replace function frontdesk.query_as(role oid, query text, keys text[], moments timestamptz[]) returns setof jsonb
language c as 'MODULE_PATHNAME', 'query_as_wrapper';
comment on function frontdesk.query_as(oid, text, text[], timestamptz[]) is
  'internal: the first column of a query run with the rights of this role and no other, as for REFRESH MATERIALIZED VIEW: its table may have casts of its own';

create or replace function frontdesk.timer_rows(r frontdesk.timer_rule, keys text[], moments timestamptz[])
returns table (n int, "row" jsonb, payload jsonb)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return query select (q->>'n')::int, q->'row', q->'payload'
    from frontdesk.query_as((select c.relowner from pg_class c where c.oid = r.source),
      format('select jsonb_build_object(''n'', k.n, ''row'', to_jsonb(s)%s) from unnest($1, $2) with ordinality k (key, at, n) join %s s on %s where %s = k.at order by k.n',
        ', ''payload'', ' || r.payload::regprocedure::regproc || '(s)', r.source, frontdesk.timer_match(r, 's', 'k.key'), frontdesk.timer_moment(r, 's')), keys, moments) q;
end
$$;
comment on function frontdesk.timer_rows(frontdesk.timer_rule, text[], timestamptz[]) is
  'internal: the rows with these keys whose column still has these values, and their payloads, read with the rights of the table''s owner; n: which key, from 1';

create or replace function frontdesk.engine_fire_timers(max_rows int, out looked_at bigint, out next_due timestamptz)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
  batch record;
  this_moment timestamptz := frontdesk.now();
begin
  looked_at := 0;
  -- While a dump is restored the engine may not know yet that this is a copy: it is told so.
  if frontdesk.is_clone() then
    perform frontdesk.wake(reboot => true);
    return;
  end if;
  perform frontdesk.timer_refill();
  for batch in
    -- A row that somebody else changes right now is left to him: his change decides whether it fires.
    with due as materialized (
      select t.rule_id, t.key, t.at, t.due_at, t.ctid from frontdesk.timer t
      where t.outcome is null and t.due_at <= this_moment order by t.due_at limit max_rows for update skip locked)
    select d.rule_id, array_agg(d.key order by d.due_at) as keys, array_agg(d.at order by d.due_at) as moments,
      array_agg(d.ctid order by d.due_at) as places, count(*) as n
    from due d group by d.rule_id
  loop
    looked_at := looked_at + batch.n;
    select * into r from frontdesk.timer_rule where id = batch.rule_id;
    begin
      perform frontdesk.fire_timers(r, batch.keys, batch.moments, batch.places, this_moment);
    exception when others then
      -- A bad rule stops nothing else.
      update frontdesk.timer_rule u set problem = sqlerrm where u.id = batch.rule_id;
      update frontdesk.timer t set outcome = 'broken', done_at = this_moment where t.ctid = any (batch.places);
    end;
  end loop;
  select t.due_at into next_due from frontdesk.timer t where t.outcome is null order by t.due_at limit 1;
  if looked_at < max_rows and next_due <= this_moment then
    next_due := this_moment + interval '50 ms';
  end if;
end
$$;
comment on function frontdesk.engine_fire_timers(int) is 'engine: emit the events of timers that are due, at most so many; how many were looked at, and when the next is due';

create or replace function frontdesk.fire_timers(
  r frontdesk.timer_rule, keys text[], moments timestamptz[], places tid[], this_moment timestamptz) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  tenant_column text := coalesce(r.tenant_column, (select w.tenant_column from frontdesk.watch w where w.source = r.source));
  fired tid[];
begin
  -- The rows are locked, so their places hold; by them no plan can go wrong that was made when the table was small.
  if r.id is null or r.problem is not null then
    update frontdesk.timer t set outcome = 'broken', done_at = this_moment where t.ctid = any (places);
    return;
  end if;
  update frontdesk.timer t set done_at = this_moment,
    outcome = case when this_moment > t.due_at + r.expires then 'expired' else 'late' end
  where t.ctid = any (places)
    and (this_moment > t.due_at + r.expires or r.late = 'skip' and this_moment > t.due_at + interval '1 minute');
  if found then
    select array_agg(t.key order by t.due_at), array_agg(t.at order by t.due_at), array_agg(t.ctid order by t.due_at)
    into keys, moments, places from frontdesk.timer t where t.ctid = any (places);
  end if;
  if places is null then
    return;
  end if;
  select array_agg(places[f.n]) into fired
  from (
    select x.n, frontdesk.record_event(r.event, 'E', coalesce(x.payload, x.row), keys[x.n], (x.row->>tenant_column)::uuid)
    from frontdesk.timer_rows(r, keys, moments) x
    where (r.condition is null or frontdesk.filter_matches(r.condition, x.row))
      and coalesce(jsonb_typeof(x.payload), '') <> 'null' offset 0) f;
  update frontdesk.timer t set outcome = 'fired', done_at = this_moment where t.ctid = any (fired);
  -- The row is gone, or the condition does not hold: should it hold again, the row's change sets the timer again.
  delete from frontdesk.timer t where t.ctid = any (places);
end
$$;
comment on function frontdesk.fire_timers(frontdesk.timer_rule, text[], timestamptz[], tid[], timestamptz) is
  'internal: read these rows again, check the condition again, emit the events and remember it, all in one transaction';

create or replace function frontdesk.timer_refill() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
begin
  for r in select * from frontdesk.timer_rule u where u.problem is null and u.filled_in is distinct from frontdesk.timer_home() loop
    begin
      perform count(*) from frontdesk.query_as((select c.relowner from pg_class c where c.oid = r.source),
        format('select to_jsonb(frontdesk.timer_fill(%s))', r.id), '{}', '{}');
    exception when others then
      update frontdesk.timer_rule u set problem = sqlerrm where u.id = r.id;
    end;
  end loop;
end
$$;
comment on function frontdesk.timer_refill() is 'internal: after a restore elsewhere, the timers of the rows that are there';

create or replace function frontdesk.timer_follow() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
  now_named name;
  now_keys name[];
begin
  for r in
    select u.* from frontdesk.timer_rule u
    where u.source in (select d.objid from pg_event_trigger_ddl_commands() d where d.classid = 'pg_class'::regclass) and u.problem is null
  loop
    select a.attname into now_named from pg_attribute a where a.attrelid = r.source and a.attnum = r.at_attnum and not a.attisdropped;
    now_keys := array(select a.attname from unnest(r.key_attnums) with ordinality k (attnum, n)
      join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum and not a.attisdropped order by k.n);
    if now_named is null or cardinality(now_keys) < cardinality(r.key_attnums) then
      update frontdesk.timer_rule u set problem = case when now_named is null then format('column "%s" of %s was dropped', r.at_column, r.source)
        else format('a key column of %s was dropped', r.source) end where u.id = r.id;
      perform frontdesk.timer_uninstall(r);
    elsif now_named <> r.at_column or now_keys <> r.key_columns or r.source::text <> r.source_name then
      update frontdesk.timer_rule u set at_column = now_named, key_columns = now_keys, source_name = r.source::text where u.id = r.id returning u.* into r;
      perform frontdesk.timer_install(r);
    end if;
  end loop;
end
$$;
comment on function frontdesk.timer_follow() is 'event trigger: a rule follows renamed columns, and says so when its column is gone';

create or replace function frontdesk.timer_lost() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.timer_rule u set problem = format('table %s was dropped', u.source_name)
  where u.source in (select d.objid from pg_event_trigger_dropped_objects() d where d.classid = 'pg_class'::regclass and d.objsubid = 0)
    and u.problem is null;
end
$$;
comment on function frontdesk.timer_lost() is 'event trigger: a rule whose table is gone says so';

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'frontdesk_timer_follow') then
    create event trigger frontdesk_timer_follow on ddl_command_end when tag in ('ALTER TABLE') execute function frontdesk.timer_follow();
    create event trigger frontdesk_timer_lost on sql_drop when tag in ('DROP TABLE', 'DROP SCHEMA') execute function frontdesk.timer_lost();
  end if;
end
$$;

-- sql/functions/32_locale.sql
-- Room 32, locale: moments as people read them.

create or replace function frontdesk.format_time(moment timestamptz, timezone text = 'UTC', locale text = 'en', style text = 'full') returns text
stable parallel safe language c as 'MODULE_PATHNAME', 'format_time_wrapper';
comment on function frontdesk.format_time(timestamptz, text, text, text) is
  'a moment on the clocks of a time zone, in words of a language (BCP 47: en, es-MX): "viernes, 13 de noviembre de 2026, 10:00". '
  'style: full, date, time, short. Words and order are those of CLDR';

create or replace function frontdesk.check_locale(locale text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_locale_wrapper';
comment on function frontdesk.check_locale(text) is 'a language tag in its canonical spelling (pt_br is pt-BR), or an error';

-- sql/functions/50_scoring.sql
-- Room 50, scoring: what facts are worth, and why.

create or replace function frontdesk.score_of(facts text, model text, tenant uuid) returns numeric
stable parallel safe cost 20 language c as 'MODULE_PATHNAME', 'score_of_wrapper';
comment on function frontdesk.score_of(text, text, uuid) is 'internal: score() of facts as text';

create or replace function frontdesk.score(facts jsonb, model text = 'default', tenant uuid = null) returns numeric
stable parallel safe language sql return frontdesk.score_of(facts::text, model, tenant);
comment on function frontdesk.score(jsonb, text, uuid) is
  'what a model gives for these facts: 0 to 100, unless the model has another floor or cap. tenant: the model of that name that is theirs goes before everybody''s. '
  'Shipped: completeness, intent, fit, and default, which combines them';

create or replace function frontdesk.score_tier_of(score numeric, model text, tenant uuid) returns text
stable parallel safe language c as 'MODULE_PATHNAME', 'score_tier_of_wrapper';
comment on function frontdesk.score_tier_of(numeric, text, uuid) is 'internal: score_tier()';

create or replace function frontdesk.score_tier(score numeric, model text = 'default', tenant uuid = null) returns text
stable parallel safe language sql return frontdesk.score_tier_of(score, model, tenant);
comment on function frontdesk.score_tier(numeric, text, uuid) is 'which tier of the model a score is in: hot, warm ...; null where the model has none';

create or replace function frontdesk.score_parts(model text = 'default', tenant uuid = null) returns text[]
stable parallel safe language c as 'MODULE_PATHNAME', 'score_parts_wrapper';
comment on function frontdesk.score_parts(text, uuid) is 'the model itself and every model that is a part of it';

create or replace function frontdesk.explain_score_of(facts text, model text, tenant uuid)
returns table (rule text, points numeric, reason text)
stable parallel safe rows 10 language c as 'MODULE_PATHNAME', 'explain_score_of_wrapper';
comment on function frontdesk.explain_score_of(text, text, uuid) is 'internal: explain_score() of facts as text';

create or replace function frontdesk.explain_score(facts jsonb, model text = 'default', tenant uuid = null)
returns table (rule text, points numeric, reason text)
stable parallel safe rows 10 language sql
begin atomic
  select e.rule, e.points, e.reason from frontdesk.explain_score_of(facts::text, model, tenant) e;
end;
comment on function frontdesk.explain_score(jsonb, text, uuid) is
  'why score() says what it says: the points of every rule that gave some, and what groups, cap, floor and age took. They add up to the score';

create or replace function frontdesk.score_book(owner uuid) returns text
stable parallel safe language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_agg(jsonb_build_object(
    'name', m.name, 'link', m.link, 'base', m.base, 'floor', m.floor, 'cap', m.cap, 'tiers', m.tiers, 'groups', m.groups,
    'decay_moment', m.decay_moment, 'half_life', extract(epoch from m.half_life),
    'rules', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'name', r.name, 'filter', r.filter, 'points', r.points, 'value', r.value, 'from', r.value_from, 'to', r.value_to,
        'part', r.part, 'group', r.group_name, 'reason', r.reason) order by r.position, r.name), '[]')
      from frontdesk.score_rule r where r.tenant = m.tenant and r.model = m.name)) order by m.name)::text
  from frontdesk.score_model m
  where exists (select from frontdesk.score_model o where o.tenant = owner)
    and (m.tenant = owner or m.tenant = '00000000-0000-0000-0000-000000000000'
      and not exists (select from frontdesk.score_model o where o.tenant = owner and o.name = m.name))
$$;
comment on function frontdesk.score_book(uuid) is
  'internal: every model that a tenant scores with, the own ones before everybody''s, as JSON; null when there are no own ones';

create or replace function frontdesk.check_score_book(models text) returns void
strict language c as 'MODULE_PATHNAME', 'check_score_book_wrapper';
comment on function frontdesk.check_score_book(text) is 'internal: an error when these models are not right';

create or replace function frontdesk.scores_changed() returns void
language c as 'MODULE_PATHNAME', 'scores_changed_wrapper';
comment on function frontdesk.scores_changed() is 'internal: this session forgets its compiled score models';

create or replace function frontdesk.score_model_check() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  wrong text;
begin
  -- What is no JSON object of numbers, and numbers that JSON does not have, never come as far as the compiler.
  select o.what into wrong
  from (values ('tiers', new.tiers), ('groups', new.groups)) o (what, list)
  where jsonb_typeof(o.list) <> 'object' or exists (
    select from jsonb_each(case jsonb_typeof(o.list) when 'object' then o.list else '{}' end) e where jsonb_typeof(e.value) <> 'number');
  if wrong is not null then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s of model "%s" are not a JSON object of numbers', wrong, new.name),
      hint = 'As in {"hot": 70, "warm": 40, "cold": 0}.';
  end if;
  select o.what into wrong from (values ('base', new.base), ('floor', new.floor), ('cap', new.cap)) o (what, number)
  where o.number not between -1000000 and 1000000;
  if wrong is not null then
    raise exception using errcode = 'numeric_value_out_of_range', message = format('%s of model "%s" is out of range', wrong, new.name),
      hint = 'Between -1000000 and 1000000.';
  end if;
  new.updated_at := clock_timestamp();
  if tg_op = 'UPDATE' then
    -- Whoever changes a shipped model makes it his own; setting shipped gives it back to the next upgrade.
    if new.shipped and old.shipped then
      new.shipped := false;
    end if;
    return new;
  end if;
  -- A dump brings the models that were changed: they take the place of those that came with the extension.
  if exists (select from frontdesk.score_model m where (m.tenant, m.name) = (new.tenant, new.name) and m.shipped) then
    delete from frontdesk.score_rule r where (r.tenant, r.model) = (new.tenant, new.name);
    update frontdesk.score_model m set description = new.description, link = new.link, base = new.base, floor = new.floor, cap = new.cap,
      tiers = new.tiers, groups = new.groups, decay_moment = new.decay_moment, half_life = new.half_life, report = new.report,
      shipped = false, created_at = new.created_at
    where (m.tenant, m.name) = (new.tenant, new.name);
    return null;
  end if;
  return new;
end
$$;
comment on function frontdesk.score_model_check() is 'trigger: a model that is changed is no longer the shipped one';

create or replace function frontdesk.score_rule_check() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  wrong text;
begin
  select o.what into wrong from (values ('points', new.points), ('value_from', new.value_from), ('value_to', new.value_to)) o (what, number)
  where o.number not between -1e9 and 1e9;
  if wrong is not null then
    raise exception using errcode = 'numeric_value_out_of_range',
      message = format('%s of rule "%s" of model "%s" is out of range', wrong, new.name, new.model), hint = 'Between -1000000000 and 1000000000; points to 1000000.';
  end if;
  return new;
end
$$;
comment on function frontdesk.score_rule_check() is 'trigger: numbers that JSON does not have never come as far as the compiler';

create or replace function frontdesk.score_rule_touch() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.score_model m set updated_at = clock_timestamp()
  where m.shipped and (m.tenant, m.name) in (
    (coalesce(new.tenant, old.tenant), coalesce(new.model, old.model)), (coalesce(old.tenant, new.tenant), coalesce(old.model, new.model)));
  return null;
end
$$;
comment on function frontdesk.score_rule_touch() is 'trigger: with a rule of it, a model is changed';

create or replace function frontdesk.score_model_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  owner uuid;
begin
  -- Changes wait for each other here, so that two that only together are wrong do not pass.
  update frontdesk.score_state set version = nextval('frontdesk.score_version_seq');
  perform frontdesk.scores_changed();
  for owner in select distinct m.tenant from frontdesk.score_model m loop
    perform frontdesk.check_score_book(frontdesk.score_book(owner));
  end loop;
  if exists (select from frontdesk.score_follower) then
    insert into frontdesk.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at)
    select j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now()
    from frontdesk.score_follower f join frontdesk.job j on j.id = f.job_id
    where not exists (select from frontdesk.job_run r where r.job_id = j.id and r.status = 'waiting');
    perform frontdesk.jobs_changed();
  end if;
  return null;
end
$$;
comment on function frontdesk.score_model_changed() is
  'trigger: all models together are checked, sessions compile them again, and the jobs of follow_scores() run when this commits';

create or replace trigger score_model_check before insert or update on frontdesk.score_model
  for each row execute function frontdesk.score_model_check();
create or replace trigger score_rule_check before insert or update on frontdesk.score_rule
  for each row execute function frontdesk.score_rule_check();
create or replace trigger score_rule_touch after insert or update or delete on frontdesk.score_rule
  for each row execute function frontdesk.score_rule_touch();
create or replace trigger score_model_changed after insert or update or delete on frontdesk.score_model
  for each statement execute function frontdesk.score_model_changed();
create or replace trigger score_rule_changed after insert or update or delete on frontdesk.score_rule
  for each statement execute function frontdesk.score_model_changed();

create or replace function frontdesk.set_score_model(
  name text, rules jsonb, base numeric = 0, floor numeric = 0, cap numeric = 100,
  tiers jsonb = '{"hot": 70, "warm": 40, "cold": 0}', groups jsonb = '{}', decay_moment text = null, half_life interval = null,
  link text = 'linear', tenant uuid = null, description text = null, report jsonb = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  known constant text[] := '{name,filter,points,value,from,to,part,group,reason}';
  owner uuid := coalesce(tenant, '00000000-0000-0000-0000-000000000000');
  twice text;
  r record;
begin
  if name is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a score model needs a name';
  end if;
  if jsonb_typeof(rules) is distinct from 'array' then
    raise exception using errcode = 'invalid_parameter_value', message = format('rules of model "%s" are not a JSON array', name),
      hint = 'As in [{"name": "has_phone", "filter": {"phone": {"$ne": null}}, "points": 10, "reason": "has a phone"}].';
  end if;
  for r in select x.value as rule, k.key from jsonb_array_elements(rules) x
    left join lateral jsonb_object_keys(case jsonb_typeof(x.value) when 'object' then x.value else '{}' end) k (key) on k.key <> all (known)
  loop
    if jsonb_typeof(r.rule) <> 'object' or r.rule->>'name' is null or r.key is not null then
      raise exception using errcode = 'invalid_parameter_value',
        message = case when r.key is null then format('a rule of model "%s" has no name', name)
          else format('rule "%s" of model "%s" has the unknown key "%s"', r.rule->>'name', name, r.key) end,
        detail = left(r.rule::text, 200), hint = 'Keys of a rule: ' || array_to_string(known, ', ') || '.';
    end if;
    if jsonb_typeof(r.rule->'points') is distinct from 'number' or coalesce(jsonb_typeof(nullif(r.rule->'from', 'null')), 'number') <> 'number'
      or coalesce(jsonb_typeof(nullif(r.rule->'to', 'null')), 'number') <> 'number' then
      raise exception using errcode = 'invalid_parameter_value', detail = left(r.rule::text, 200),
        message = format('rule "%s" of model "%s" needs points, which are a number, as from and to are', r.rule->>'name', name);
    end if;
  end loop;
  select min(d.name) into twice from (
    select x.value->>'name' from jsonb_array_elements(rules) x group by 1 having count(*) > 1) d (name);
  if twice is not null then
    raise exception using errcode = 'invalid_parameter_value', message = format('two rules of model "%s" are called "%s"', name, twice),
      hint = 'Give each rule a name of its own.';
  end if;
  delete from frontdesk.score_rule x where x.tenant = owner and x.model = name;
  insert into frontdesk.score_model as m (name, tenant, description, link, base, floor, cap, tiers, groups, decay_moment, half_life, report)
  values (name, owner, description, coalesce(link, 'linear'), base, floor, cap, coalesce(tiers, '{}'), coalesce(groups, '{}'), decay_moment, half_life, report)
  on conflict on constraint score_model_pkey do update
  set description = coalesce(excluded.description, m.description), link = excluded.link, base = excluded.base, floor = excluded.floor,
    cap = excluded.cap, tiers = excluded.tiers, groups = excluded.groups, decay_moment = excluded.decay_moment,
    half_life = excluded.half_life, report = excluded.report;
  insert into frontdesk.score_rule (tenant, model, name, position, filter, points, value, value_from, value_to, part, group_name, reason)
  select owner, name, x.value->>'name', x.position * 10, nullif(x.value->'filter', 'null'), (x.value->>'points')::numeric, x.value->>'value',
    (x.value->>'from')::numeric, (x.value->>'to')::numeric, x.value->>'part', x.value->>'group', x.value->>'reason'
  from jsonb_array_elements(rules) with ordinality x (value, position);
end
$$;
comment on function frontdesk.set_score_model(text, jsonb, numeric, numeric, numeric, jsonb, jsonb, text, interval, text, uuid, text, jsonb) is
  'make a score model, or another of an old one. rules: [{"name", "filter", "points", "reason", "group"}]; with "value", "from", "to" the points are scaled by a number among the facts; '
  'with "part" the points are the weight of another model''s score. base + points is the score, within floor and cap. tiers: where each begins. groups: the most that rules of a group give. '
  'decay_moment, half_life: half is left that long after this moment. link: logistic when base and points are log-odds. tenant: only for them. Everything is checked here';

create or replace function frontdesk.remove_score_model(name text, tenant uuid = null) returns boolean
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.score_model m
  where m.name = remove_score_model.name and m.tenant = coalesce(remove_score_model.tenant, '00000000-0000-0000-0000-000000000000');
  return found;
end
$$;
comment on function frontdesk.remove_score_model(text, uuid) is
  'remove a model; false when there is none. An error while it is part of another. A shipped one comes back with the next upgrade';

create or replace function frontdesk.follow_scores(job text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  insert into frontdesk.score_follower (job_id) values (frontdesk.job_id(job)) on conflict do nothing;
end
$$;
comment on function frontdesk.follow_scores(text) is
  'run this job of yours (see schedule()) whenever a score model was changed, when that commits; several changes while it waits are one run';

create or replace function frontdesk.keep_score() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_keep_score';
comment on function frontdesk.keep_score() is
  'trigger: before insert or update, for each row; arguments: model, tenant column, score column, tier column, breakdown column. See keep_scores()';

create or replace function frontdesk.score_is_stale(
  source record, model text, tenant_column text = '', score_column text = 'score', tier_column text = 'score_tier',
  breakdown_column text = 'score_breakdown') returns boolean
strict stable parallel safe cost 100 language c as 'MODULE_PATHNAME', 'frontdesk_score_is_stale';
comment on function frontdesk.score_is_stale(record, text, text, text, text, text) is
  'whether a row of a table with keep_scores() would have another score now; select ... from your_table t where frontdesk.score_is_stale(t, ''default'')';

create or replace function frontdesk.keep_scores(
  source regclass, model text = 'default', tenant_column name = null, score_column name = 'score', tier_column name = 'score_tier',
  breakdown_column name = 'score_breakdown') returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
begin
  perform frontdesk.score_tier(0, model);
  for c in
    select w.name, w.wanted, format_type(a.atttypid, a.atttypmod) as type
    from (values (score_column, array['numeric']), (tier_column, array['text']), (breakdown_column, array['jsonb']), (tenant_column, array['uuid'])) w (name, wanted)
    left join pg_attribute a on a.attrelid = source and a.attname = w.name and a.attnum > 0 and not a.attisdropped
    where w.name is not null
  loop
    if c.type is null then
      raise exception using errcode = 'undefined_column', message = format('column "%s" of %s does not exist', c.name, source),
        hint = format('alter table %s add column %I %s, or give its name; null: none.', source, c.name, c.wanted[1]);
    elsif c.type <> all (c.wanted) then
      raise exception using errcode = 'datatype_mismatch', message = format('column "%s" of %s is of type %s', c.name, source, c.type),
        hint = 'A score is numeric, its tier text, its breakdown jsonb; a tenant is a uuid.';
    end if;
  end loop;
  -- After the other triggers that may change the row; they fire in the order of their names.
  execute format('create or replace trigger zz_keep_score before insert or update on %s for each row execute function frontdesk.keep_score(%L, %L, %L, %L, %L)',
    source, model, coalesce(tenant_column, ''), coalesce(score_column, ''), coalesce(tier_column, ''), coalesce(breakdown_column, ''));
end
$$;
comment on function frontdesk.keep_scores(regclass, text, name, name, name, name) is
  'keep a table''s score columns right: a trigger scores every row before it is written, with its columns as the facts. score_column numeric, tier_column text, breakdown_column jsonb (the points of each rule); null: none. '
  'tenant_column: a uuid; whose model is used. Rows that are there: update ... where frontdesk.score_is_stale(...). Caller must own the table';

create or replace function frontdesk.fit_score_model(name text, facts text[], won boolean[]) returns jsonb
strict language c as 'MODULE_PATHNAME', 'fit_score_model_wrapper';
comment on function frontdesk.fit_score_model(text, text[], boolean[]) is
  'learn from past cases, facts as JSON objects and what came of each: {"model": as set_score_model() takes it, with log-odds as points, "report": rows, AUC and calibration by cross-validation}. Logistic regression; at least 30 cases of each outcome';

-- sql/functions/50_scoring_models.sql
-- Room 50, scoring: the models that come with the extension. Who changes one keeps his; the others follow the extension.

create or replace function frontdesk.ship_score_model(name text, description text, tiers jsonb, groups jsonb, rules jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  everybody constant uuid := '00000000-0000-0000-0000-000000000000';
begin
  if exists (select from frontdesk.score_model m where m.name = ship_score_model.name and m.tenant = everybody and not m.shipped) then
    return;
  end if;
  perform frontdesk.set_score_model(name, rules, tiers => tiers, groups => groups, description => description);
  update frontdesk.score_model m set shipped = true where m.name = ship_score_model.name and m.tenant = everybody;
end
$$;
comment on function frontdesk.ship_score_model(text, text, jsonb, jsonb, jsonb) is 'internal: bring a model, unless someone has made it his own';

do $do$
declare
  -- Words of English, Spanish, German, French and Dutch.
  price constant text := '(?i)(?-u:\b)(price|pricing|costs?|how much|quote|rates?|precio|costo|cu[aá]nto (cuesta|vale|sale)|cotizaci[oó]n|tarifas?|preise?|kosten|kostet|prix|combien|tarif|prijs|wat kost)(?-u:\b)';
  budget constant text := '(?i)(?-u:\b)(budget|afford|spend|presupuesto|gastar|ausgeben|d[eé]penser|besteden)(?-u:\b)';
  urgent constant text := '(?i)(?-u:\b)(today|now|asap|urgent(ly)?|immediately|right away|hoy|ahora|urgente|cuanto antes|heute|jetzt|dringend|sofort|aujourd.hui|maintenant|vandaag|nu|spoed)(?-u:\b)';
  visit constant text := '(?i)(?-u:\b)(test.?drive|trial|demo|visit|viewing|appointment|come (by|in|over)|prueba de manejo|prueba|visita|cita|probefahrt|termin|besichtigung|essai|rendez.vous|visite|proefrit|afspraak|bezoek)(?-u:\b)';
  financing constant text := '(?i)(?-u:\b)(financ(e|ing)|loan|leas(e|ing)|instal?lments?|monthly payments?|financiamiento|financiaci[oó]n|cr[eé]dito|cuotas|mensualidades|finanzierung|ratenzahlung|raten|cr[eé]dit|financement|financiering|lening|maandelijks)(?-u:\b)';
begin
  perform frontdesk.ship_score_model('completeness', 'how much of a contact is known',
    '{"very_high": 80, "high": 60, "medium": 40, "low": 0}', '{}', $$[
    {"name": "email", "points": 30, "filter": {"email": {"$contains": "@"}}, "reason": "has an e-mail address"},
    {"name": "phone", "points": 30, "filter": {"phone": {"$nin": [null, "", "null"]}}, "reason": "has a telephone number"},
    {"name": "service", "points": 15, "filter": {"service": {"$nin": [null, "", "null"]}}, "reason": "says which service"},
    {"name": "company", "points": 15, "filter": {"company": {"$nin": [null, "", "null"]}}, "reason": "has a company"},
    {"name": "region", "points": 9, "filter": {"region": {"$nin": [null, "", "null"]}, "country": {"$nin": [null, "", "null"]}}, "reason": "region and country are known"},
    {"name": "postal_code", "points": 6, "filter": {"postal_code": {"$nin": [null, "", "null"]}}, "reason": "has a postal code"}]$$);
  perform frontdesk.ship_score_model('intent', 'how much the message reads like someone who buys',
    '{"hot": 70, "warm": 50, "lukewarm": 30, "cold": 0}', '{"inquiry": 30, "budget": 20, "urgency": 20, "visit": 20}', jsonb_build_array(
    jsonb_build_object('name', 'question', 'points', 15, 'group', 'inquiry', 'filter', '{"message": {"$contains": "?"}}'::jsonb, 'reason', 'asks a question'),
    jsonb_build_object('name', 'service', 'points', 10, 'group', 'inquiry', 'filter', '{"service": {"$nin": [null, ""]}}'::jsonb, 'reason', 'says which service'),
    jsonb_build_object('name', 'details', 'points', 5, 'group', 'inquiry', 'filter', '{"message": {"$regex": "[0-9]"}}'::jsonb, 'reason', 'gives figures'),
    jsonb_build_object('name', 'price', 'points', 25, 'filter', jsonb_build_object('message', jsonb_build_object('$regex', price)), 'reason', 'asks for the price'),
    jsonb_build_object('name', 'website', 'points', 20, 'filter', '{"message": {"$regex": "(?i)(https?://|www\\.|website|sitio web|p[aá]gina web|site web)"}}'::jsonb, 'reason', 'mentions the website'),
    jsonb_build_object('name', 'budget', 'points', 20, 'group', 'budget', 'filter', '{"budget": {"$gt": 0}}'::jsonb, 'reason', 'has a budget'),
    jsonb_build_object('name', 'budget_figure', 'points', 20, 'group', 'budget',
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', budget)), '{"message": {"$regex": "[0-9]"}}'::jsonb)), 'reason', 'names a budget'),
    jsonb_build_object('name', 'budget_word', 'points', 10, 'group', 'budget', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', budget)), 'reason', 'speaks of a budget'),
    jsonb_build_object('name', 'urgent', 'points', 20, 'group', 'urgency', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', urgent)), 'reason', 'wants it now'),
    jsonb_build_object('name', 'this_week', 'points', 15, 'group', 'urgency',
      'filter', '{"message": {"$regex": "(?i)(?-u:\\b)(this week|tomorrow|esta semana|ma[nñ]ana|diese woche|morgen|cette semaine|demain|deze week)(?-u:\\b)"}}'::jsonb, 'reason', 'wants it this week'),
    jsonb_build_object('name', 'soon', 'points', 8, 'group', 'urgency',
      'filter', '{"message": {"$regex": "(?i)(?-u:\\b)(soon|this month|next week|pronto|este mes|bald|n[aä]chste woche|bient[oô]t|binnenkort|volgende week)(?-u:\\b)"}}'::jsonb, 'reason', 'wants it soon'),
    jsonb_build_object('name', 'returns', 'points', 5, 'group', 'urgency', 'filter', '{"touches": {"$gt": 5}}'::jsonb, 'reason', 'keeps coming back'),
    jsonb_build_object('name', 'visit', 'points', 15, 'group', 'visit', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', visit)), 'reason', 'wants to see it'),
    jsonb_build_object('name', 'urgent_visit', 'points', 5, 'group', 'visit',
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', visit)), jsonb_build_object('message', jsonb_build_object('$regex', urgent)))), 'reason', 'wants to see it now'),
    jsonb_build_object('name', 'trade_in', 'points', 10,
      'filter', '{"message": {"$regex": "(?i)(?-u:\\b)(trade.?in|part exchange|permuta|a cuenta|inzahlung|reprise|inruil(en)?)(?-u:\\b)"}}'::jsonb, 'reason', 'has something to trade in'),
    jsonb_build_object('name', 'financing', 'points', 10, 'filter', jsonb_build_object('message', jsonb_build_object('$regex', financing)), 'reason', 'asks about financing'),
    jsonb_build_object('name', 'price_now', 'points', 15,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', urgent)))), 'reason', 'price and urgency together'),
    jsonb_build_object('name', 'price_visit', 'points', 10,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', visit)))), 'reason', 'price and a visit together'),
    jsonb_build_object('name', 'price_financing', 'points', 10,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', financing)))), 'reason', 'price and financing together')));
  perform frontdesk.ship_score_model('fit', 'how well the business suits: budget, size of the company, engagement',
    '{"hot": 70, "warm": 40, "cold": 0}', '{}', $$[
    {"name": "budget", "points": 40, "value": "budget", "from": 0, "to": 10000, "reason": "budget"},
    {"name": "company_size", "points": 30, "value": "custom_attributes.company_size", "from": 0, "to": 250, "reason": "people in the company"},
    {"name": "engagement", "points": 30, "value": "touches", "from": 1, "to": 10, "reason": "how often they wrote"}]$$);
  perform frontdesk.ship_score_model('default', 'completeness, intent and fit together',
    '{"hot": 60, "warm": 40, "lukewarm": 20, "cold": 0}', '{}', $$[
    {"name": "completeness", "points": 0.2, "part": "completeness"},
    {"name": "intent", "points": 0.5, "part": "intent"},
    {"name": "fit", "points": 0.3, "part": "fit"}]$$);
end
$do$;

-- sql/functions/60_knowledge.sql
-- Room 60, knowledge: search over any table with a vector column, and the passages of a text.

create or replace function frontdesk.split_text(content text, size int = 1000, overlap int = 100) returns setof text
immutable parallel safe language c as 'MODULE_PATHNAME', 'split_text_wrapper';
comment on function frontdesk.split_text(text, int, int) is
  'the passages of a text: of at most size characters, cut between paragraphs, sentences or words where that is possible, each beginning with up to overlap characters of the one before';

create or replace function frontdesk.filter_predicate(filter jsonb, place text, containing boolean) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'filter_predicate_wrapper';
comment on function frontdesk.filter_predicate(jsonb, text, boolean) is
  'internal: compile_filter() over an SQL expression that is quoted already; containing: plain objects and arrays are what must be contained, as @> reads them';

create or replace function frontdesk.compile_filter(filter jsonb, "column" text) returns text
immutable parallel safe language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.filter_predicate(filter, (select string_agg(quote_ident(p.name), '.') from unnest(parse_ident("column")) p (name)), false)
$$;
comment on function frontdesk.compile_filter(jsonb, text) is
  'a filter as a predicate of SQL over this jsonb column (metadata, d.metadata), for a WHERE of yours: it answers as filter_matches() does, never raises whatever the column holds, and lets a GIN index find what is equal. $regex is refused';

create or replace function frontdesk.search_columns(
  source regclass, embedding_column name, content_column name, metadata_column name, config regconfig,
  out name name, out halves boolean, out dimensions int, out words text, out words_column name, out metadata text, out shown text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  texts name[];
  jsons name[];
  vectors name[];
  shown_columns text[];
begin
  for c in
    select a.attname, a.atttypid::regtype as type, a.atttypid in ('text'::regtype, 'varchar'::regtype) as is_text
    from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped order by a.attnum
  loop
    if c.type in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype) then
      vectors := vectors || c.attname;
    elsif c.type = 'tsvector'::regtype then
      words_column := coalesce(words_column, case when content_column is null or content_column = c.attname then c.attname end);
    else
      shown_columns := shown_columns || quote_ident(c.attname);
      if c.type = 'jsonb'::regtype then jsons := jsons || c.attname; end if;
      if c.is_text then texts := texts || c.attname; end if;
    end if;
  end loop;
  if content_column is not null and not content_column = any (coalesce(texts, '{}') || coalesce(words_column, '')) then
    raise exception using errcode = 'undefined_column', message = format('%s has no column %I of type text or tsvector', source, content_column);
  end if;
  if metadata_column is not null and not metadata_column = any (coalesce(jsons, '{}')) then
    raise exception using errcode = 'undefined_column', message = format('%s has no column %I of type jsonb', source, metadata_column);
  end if;
  content_column := coalesce(content_column, case when 'content' = any (texts) then 'content' when cardinality(texts) = 1 then texts[1] end);
  if words_column is not null then
    words := format('d.%I', words_column);
  elsif content_column is not null then
    words := format('to_tsvector(%L::regconfig, d.%I)', config, content_column);
  end if;
  metadata_column := coalesce(metadata_column, case when 'metadata' = any (jsons) then 'metadata' when cardinality(jsons) = 1 then jsons[1] end);
  metadata := 'd.' || quote_ident(metadata_column);
  shown := (select string_agg('d.' || s.name, ', ') from unnest(shown_columns) s (name));
  -- A table without vectors can be searched by its words.
  if vectors is not null or embedding_column is not null or words is null then
    select v.name, v.halves, v.dimensions into name, halves, dimensions from frontdesk.vector_column(source, embedding_column) v;
  end if;
end
$$;
comment on function frontdesk.search_columns(regclass, name, name, name, regconfig) is 'internal: which columns of a table search_documents() works with';

create or replace function frontdesk.search_filter(source regclass, filter jsonb, metadata text) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if filter is null or filter = '{}' then
    return null;
  end if;
  if metadata is null then
    raise exception using errcode = 'undefined_column', message = format('%s has no column of type jsonb that is meant by the filter', source),
      hint = 'Name it: metadata_column => ...';
  end if;
  return frontdesk.filter_predicate(filter, metadata, true);
end
$$;
comment on function frontdesk.search_filter(regclass, jsonb, text) is 'internal: the predicate of a filter over a row d';

create or replace function frontdesk.search_documents(
  source regclass, query_embedding @extschema:vector@.vector = null, query text = null, filter jsonb = null, count int = 10,
  threshold float8 = null, embedding_column name = null, content_column name = null, metadata_column name = null,
  config regconfig = null)
returns table (id text, similarity float8, score float8, document jsonb)
stable rows 10 language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  words_config regconfig := coalesce(config, get_current_ts_config());
  c record;
  condition text;
  keys text[];
  depth int;
  given int := @extschema:vector@.vector_dims(query_embedding);
begin
  c := frontdesk.search_columns(source, embedding_column, content_column, metadata_column, words_config);
  perform frontdesk.check_search(source::text, query_embedding, array[coalesce(c.dimensions, given)], search_documents.count, threshold);
  if query !~ '\S' then query := null; end if;
  if query is null and query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'neither a query nor an embedding is given';
  end if;
  if query is not null and c.words is null then
    raise exception using errcode = 'undefined_column', message = format('%s has no column whose words could be searched', source),
      hint = 'Name one of type text or tsvector: content_column => ...';
  end if;
  if query_embedding is not null and c.name is null then
    perform frontdesk.vector_column(source, null);
  end if;
  condition := frontdesk.search_filter(source, filter, c.metadata);
  keys := frontdesk.key_columns(source);
  depth := case when query is null or query_embedding is null then search_documents.count
                else least(greatest(4 * search_documents.count, 40), 10000) end;
  return query execute format(
    'with found as materialized (
       select n.home, n.place, n.position
       from frontdesk.find_nearest(%1$L, %2$L, $1, null, %3$L, %4$L, $3, %5$L, $5) with ordinality n (home, place, distance, way, position)
       where $1 is not null
       union all
       select w.home, w.place, w.position
       from frontdesk.find_words(%1$L, %6$L, %7$L, $2, %8$L, null, %3$L, $3, %5$L) with ordinality w (home, place, rank, position)
       where $2 is not null
     ), fused as (
       select f.home, f.place, sum(1 / (60.0 + f.position))::float8 as score from found f group by 1, 2)
     select r.id, r.similarity, r.score, r.document from (
       select concat_ws('','', %9$s) as id, %10$s as similarity, f.score, (select to_jsonb(x) from (select %11$s) x) as document, %12$s
       from fused f join %1$s d on d.ctid = f.place and d.tableoid = f.home) r
     where $4 is null or r.similarity > $4 order by r.score desc, %13$s limit $6',
    source, c.name, condition, condition ~ ' @> ' and condition !~ '\) (or|is not true)', keys, c.words, c.words_column, words_config,
    (select string_agg('d.' || k, ', ') from unnest(keys) k),
    case when query_embedding is null or c.name is null then 'null::float8'
         else format('case when @extschema:vector@.vector_dims(d.%1$I) = %2$s then 1 - (d.%1$I operator(@extschema:vector@.<=>) $1%3$s) end',
                     c.name, given, case when c.halves then '::@extschema:vector@.halfvec' else '' end) end,
    c.shown, (select string_agg(format('d.%s as key%s', k.name, k.n), ', ') from unnest(keys) with ordinality k (name, n)),
    (select string_agg('r.key' || k.n, ', ') from unnest(keys) with ordinality k (name, n)))
  using query_embedding, query, depth, threshold, coalesce(current_setting('hnsw.ef_search', true)::int, 40), search_documents.count;
end
$$;
comment on function frontdesk.search_documents(regclass, @extschema:vector@.vector, text, jsonb, int, float8, name, name, name, regconfig) is
  'the rows of any table with a vector column that are most like a vector, or have the words of a query, or both (the two rankings fused), best first. filter is over a jsonb column. Columns are found by themselves (metadata, content, the only one of their type); name them where that is not clear. document is the row without vectors. Reads with the rights of the caller';

create or replace function frontdesk.explain_search(
  source regclass, query_embedding @extschema:vector@.vector, filter jsonb = null, count int = 10, embedding_column name = null,
  metadata_column name = null,
  out way text, out reason text, out index regclass, out total_rows bigint, out matching_rows bigint, out returned int, out milliseconds numeric)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  w record;
  condition text;
  indexed boolean;
  began timestamptz;
begin
  if query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'query_embedding is null';
  end if;
  c := frontdesk.search_columns(source, embedding_column, null, metadata_column, get_current_ts_config());
  perform frontdesk.check_search(source::text, query_embedding, array[coalesce(c.dimensions, @extschema:vector@.vector_dims(query_embedding))], explain_search.count, null);
  condition := frontdesk.search_filter(source, filter, c.metadata);
  indexed := condition ~ ' @> ' and condition !~ '\) (or|is not true)';
  index := (frontdesk.vector_index(source, c.name, c.halves, c.dimensions, @extschema:vector@.vector_dims(query_embedding))).index;
  w := frontdesk.search_way(source, index, null, condition, indexed, explain_search.count);
  total_rows := w.total;
  matching_rows := w.matching;
  reason := w.reason;
  began := clock_timestamp();
  select min(n.way), pg_catalog.count(*) into way, returned
  from frontdesk.find_nearest(source, c.name, query_embedding, null, condition, indexed, explain_search.count,
    frontdesk.key_columns(source), coalesce(current_setting('hnsw.ef_search', true)::int, 40)) n;
  milliseconds := round(extract(epoch from clock_timestamp() - began) * 1000, 2);
  way := coalesce(way, w.way);
end
$$;
comment on function frontdesk.explain_search(regclass, @extschema:vector@.vector, jsonb, int, name, name) is
  'which way search_documents() takes to these rows: by which index or exactly, why, how many rows it thinks match (a sample says so), how many it found and how long that took';

-- sql/functions/60_knowledge_nearest.sql
-- Room 60, knowledge: which way to the nearest rows is the faster one, and going it. The names that are put into SQL here
-- are quoted, and filters come from filter_predicate().

create or replace function frontdesk.vector_column(source regclass, wanted name, out name name, out halves boolean, out dimensions int)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  names name[];
begin
  select a.attname, a.atttypid = '@extschema:vector@.halfvec'::regtype, nullif(a.atttypmod, -1) into name, halves, dimensions
  from pg_attribute a
  where a.attrelid = source and a.attname = wanted and not a.attisdropped
    and a.atttypid in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype);
  if found then
    return;
  end if;
  select array_agg(a.attname order by a.attnum), bool_or(a.atttypid = '@extschema:vector@.halfvec'::regtype), max(a.atttypmod)
  into names, halves, dimensions
  from pg_attribute a
  where a.attrelid = source and a.attnum > 0 and not a.attisdropped and (wanted is null or a.attname = wanted)
    and a.atttypid in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype);
  if cardinality(names) = 1 then
    name := names[1];
    dimensions := nullif(dimensions, -1);
    return;
  end if;
  if names is not null then
    raise exception using errcode = 'ambiguous_column', message = format('%s has several columns of type vector', source),
      detail = array_to_string(names, ', ') || '.', hint = 'Name the one that is meant: embedding_column => ...';
  end if;
  raise exception using errcode = 'undefined_column',
    message = format('%s has no column %sof type vector', source, coalesce(quote_ident(wanted) || ' ', '')),
    hint = 'Tables with a column of type vector or halfvec can be searched.';
end
$$;
comment on function frontdesk.vector_column(regclass, name) is 'internal: the vector column of a table, whether it is a halfvec, and its dimensions where the type says them';

create or replace function frontdesk.check_search(source text, embedding @extschema:vector@.vector, expected int[], count int, threshold float8) returns void
immutable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  given int;
begin
  if count is null or count not between 1 and 10000 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('the number of rows must be between 1 and 10000, not %s', coalesce(count::text, 'null'));
  end if;
  if threshold is not null and not threshold between 0 and 1 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('the threshold must be between 0 and 1, not %s', threshold),
      hint = 'Similarity is the cosine: 1 is the same direction, 0 has nothing in common.';
  end if;
  if embedding is not null then
    given := @extschema:vector@.vector_dims(embedding);
    if not given = any (expected) then
      raise exception using errcode = 'data_exception',
        message = format('the query''s embedding has %s dimensions, %s has %s', given, source, array_to_string(expected, ' or ')),
        hint = 'Embed the query with the model that embedded the documents.';
    end if;
    if @extschema:vector@.vector_norm(embedding) = 0 then
      raise exception using errcode = 'data_exception', message = 'the query''s embedding has no direction: all its numbers are 0';
    end if;
  end if;
end
$$;
comment on function frontdesk.check_search(text, @extschema:vector@.vector, int[], int, float8) is 'internal: an error for what cannot be searched with';

create or replace function frontdesk.vector_index(
  source regclass, name name, halves boolean, dimensions int, given int,
  out index regclass, out method name, out target text, out operand text, out condition text, out rough boolean)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  place text := quote_ident(name);
begin
  for c in
    select i.indexrelid::regclass as index, am.amname,
           replace(pg_get_indexdef(i.indexrelid, 1, true), quote_ident('@extschema:vector@') || '.', '') as expression,
           replace(pg_get_expr(i.indpred, i.indrelid), quote_ident('@extschema:vector@') || '.', '') as predicate
    from pg_index i join pg_class k on k.oid = i.indexrelid join pg_am am on am.oid = k.relam
    join pg_opclass o on o.oid = i.indclass[0]
    where i.indrelid = source and i.indisvalid and am.amname in ('hnsw', 'ivfflat')
      and o.opcname in ('vector_cosine_ops', 'halfvec_cosine_ops')
    order by am.amname = 'hnsw' desc, o.opcname = 'vector_cosine_ops' desc, i.indexrelid
  loop
    continue when c.predicate <> format('(vector_dims(%s) = %s)', place, given);
    if c.expression = place and dimensions = given then
      target := 'd.' || place;
      operand := case when halves then '$1::@extschema:vector@.halfvec' else '$1' end;
    elsif c.expression = format('(%s::vector(%s))', place, given) and not halves then
      target := format('(d.%s::@extschema:vector@.vector(%s))', place, given);
      operand := '$1';
    elsif c.expression = format('(%s::halfvec(%s))', place, given) and not halves then
      target := format('(d.%s::@extschema:vector@.halfvec(%s))', place, given);
      operand := format('$1::@extschema:vector@.halfvec(%s)', given);
      rough := true;
    elsif c.expression = format('(subvector(%s, 1, 4000)::halfvec(4000))', place) and not halves and given > 4000 then
      target := format('(@extschema:vector@.subvector(d.%s, 1, 4000)::@extschema:vector@.halfvec(4000))', place);
      operand := '@extschema:vector@.subvector($1, 1, 4000)::@extschema:vector@.halfvec(4000)';
      rough := true;
    else
      continue;
    end if;
    index := c.index;
    method := c.amname;
    rough := coalesce(rough, false) or c.amname = 'ivfflat';
    condition := case when c.predicate is null then 'true'
                      else format('@extschema:vector@.vector_dims(d.%s) = %s', place, given) end;
    return;
  end loop;
end
$$;
comment on function frontdesk.vector_index(regclass, name, boolean, int, int) is
  'internal: the index by which a column''s vectors of this many dimensions are found, and the expressions that make the planner use it; rough: what it finds must be compared again';

create or replace function frontdesk.search_way(
  source regclass, index regclass, base text, filter text, indexed boolean, wanted int,
  out way text, out reason text, out total float8, out matching float8)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  -- What one row costs in microseconds: looked at for the filter; read and compared; found by the index. The last one
  -- twice what was measured: what matches is often not near what is asked for.
  look_cost constant float8 := 0.7;
  exact_cost constant float8 := 8;
  index_cost constant float8 := 50;
  -- The index gives up after hnsw.max_scan_tuples; well before that it is not worth asking.
  most_visited constant float8 := 10000;
  pages float8;
  bound float8;
  share float8;
  exact_time float8;
  index_time float8;
  seen bigint;
  hits bigint;
begin
  select sum(p.pages), sum(case when p.relpages > 0 and p.reltuples >= 0 then p.reltuples / p.relpages * p.pages else p.pages * 10 end)
  into pages, total
  from (select c.relpages, c.reltuples, pg_relation_size(c.oid) / current_setting('block_size')::float8 as pages
        from (select source as relid union select t.relid from pg_partition_tree(source) t where t.isleaf) t
        join pg_class c on c.oid = t.relid where c.relkind <> 'p') p;
  total := coalesce(total, 0);
  way := 'exact';
  if index is null then
    reason := 'there is no index for vectors of these dimensions';
    return;
  end if;
  if row_security_active(source) then
    filter := coalesce(filter, 'true');
  end if;
  if filter is null then
    matching := total;
  elsif total >= 1000 and pages > 0 then
    -- Below the bound comparing every matching row is faster. A sample large enough to tell which side it is: ten rows there,
    -- and pages from all over, as rows written together are alike.
    bound := sqrt(total * wanted * index_cost / exact_cost);
    share := least(1, greatest(10 / bound, 500 / total, 60 / pages));
    execute format('select count(*), count(*) filter (where %s) from %s d tablesample system (%s)', concat_ws(' and ', base, coalesce(filter, 'true')), source, 100 * share)
    into seen, hits;
    matching := total * hits / greatest(seen, 1);
  end if;
  if matching is null then
    reason := format('the table has %s rows only', total);
    return;
  end if;
  exact_time := matching * exact_cost + case when indexed then matching else total end * look_cost;
  index_time := wanted * total / greatest(matching, 1) * index_cost;
  if exact_time <= index_time then
    reason := format('about %s of %s rows match: they are compared one by one', round(matching), round(total));
  elsif wanted * total / matching > most_visited then
    reason := format('the index would visit about %s rows for %s that match', round(wanted * total / matching), wanted);
  else
    way := 'index';
    reason := case when filter is null then format('%s rows, no filter', round(total))
                   else format('about %s of %s rows match: the index finds %s soon', round(matching), round(total), wanted) end;
  end if;
end
$$;
comment on function frontdesk.search_way(regclass, regclass, text, text, boolean, int) is
  'internal: index or exact, whichever is faster for this filter, and why; indexed: whether another index finds what it matches. The filter''s share is asked of a sample: the planner knows nothing of what stands inside a jsonb, nor that vectors are stored out of line';

create or replace function frontdesk.dimensions_test(source regclass, name name, given int) returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  -- A generated column of them saves reading the vector for it.
  select coalesce(
    (select format('d.%I = %s', a.attname, given)
     from pg_attribute a join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
     where a.attrelid = source and a.attgenerated = 's'
       and replace(pg_get_expr(e.adbin, e.adrelid), quote_ident('@extschema:vector@') || '.', '') = format('vector_dims(%I)', name)
     limit 1),
    format('@extschema:vector@.vector_dims(d.%I) = %s', name, given))
$$;
comment on function frontdesk.dimensions_test(regclass, name, int) is 'internal: the predicate that a vector has this many dimensions';

create or replace function frontdesk.nearest_query(
  source regclass, name name, given int, dimensions int, halves boolean, base text, filter text, keys text[],
  way text, target text, operand text, condition text, rough boolean)
returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  distance text := format('d.%I operator(@extschema:vector@.<=>) $1%s', name, case when halves then '::@extschema:vector@.halfvec' else '' end);
  columns text := (select string_agg(format(', d.%s as key%s', k.name, k.n), '') from unnest(keys) with ordinality k (name, n));
  sorting text := (select string_agg(format('s.key%s', k.n), ', ') from unnest(keys) with ordinality k (name, n));
  tests text := coalesce(nullif(concat_ws(' and ', base, filter), ''), 'true');
begin
  if way = 'index' and not rough then
    return format('select d.tableoid as home, d.ctid as place, %s as distance from %s d where %s and %s order by %s operator(@extschema:vector@.<=>) %s, %s limit $2',
      distance, source, condition, tests, target, operand, (select string_agg('d.' || k, ', ') from unnest(keys) k));
  elsif way = 'index' then
    return format('select s.home, s.place, s.distance from (select d.tableoid as home, d.ctid as place, %s as distance%s from %s d where %s and %s order by %s operator(@extschema:vector@.<=>) %s limit 2 * $2 + 20) s order by s.distance, %s limit $2',
      distance, columns, source, condition, tests, target, operand, sorting);
  end if;
  -- The subquery stands between the order and any index.
  return format('select s.home, s.place, s.distance from (select d.tableoid as home, d.ctid as place, %s as distance%s from %s d where d.%I is not null and %s and %s offset 0) s where s.distance <> ''NaN'' order by s.distance, %s limit $2',
    distance, columns, source, name, case when dimensions = given then 'true' else frontdesk.dimensions_test(source, name, given) end, tests, sorting);
end
$$;
comment on function frontdesk.nearest_query(regclass, name, int, int, boolean, text, text, text[], text, text, text, text, boolean) is
  'internal: the query that find_nearest() runs: $1 is the vector, $2 how many';

create or replace function frontdesk.key_columns(source regclass) returns text[]
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return coalesce(
    (select array_agg(quote_ident(a.attname) order by k.n)
     from pg_index i, unnest(i.indkey::int2[]) with ordinality k (attnum, n), pg_attribute a
     where i.indrelid = source and i.indisprimary and a.attrelid = source and a.attnum = k.attnum), '{ctid}');
end
$$;
comment on function frontdesk.key_columns(regclass) is 'internal: the columns of the primary key, quoted; ctid without one';

create or replace function frontdesk.find_nearest(
  source regclass, name name, embedding @extschema:vector@.vector, base text, filter text, indexed boolean, count int, keys text[],
  breadth int = 40, forced text = null)
returns table (home oid, place tid, distance float8, way text)
stable rows 10 language plpgsql
set search_path = pg_catalog, frontdesk, pg_temp
set enable_sort = on set jit = off
set hnsw.iterative_scan = strict_order set hnsw.ef_search = 40
set ivfflat.iterative_scan = relaxed_order set ivfflat.probes = 1 as $$
declare
  given int := @extschema:vector@.vector_dims(embedding);
  v record;
  i record;
  homes oid[];
  places tid[];
  distances float8[];
begin
  v := frontdesk.vector_column(source, name);
  i := frontdesk.vector_index(source, v.name, v.halves, v.dimensions, given);
  if forced is null then
    forced := (frontdesk.search_way(source, i.index, base, filter, indexed, count)).way;
  end if;
  if forced = 'index' and i.index is not null then
    -- All other ways sort. The planner takes them at times, not knowing what a vector stored out of line costs.
    perform set_config('enable_sort', 'off', true);
    if i.method = 'hnsw' then
      breadth := greatest(breadth, case when filter is null then 64 else 200 end, case when i.rough then 2 * count + 20 else count end);
      perform set_config('hnsw.ef_search', least(breadth, 1000)::text, true);
    else
      perform set_config('ivfflat.probes', greatest(1, ceil(sqrt((select substr(o.option, 7)::int from pg_class c, unnest(c.reloptions) o (option)
        where c.oid = i.index and o.option like 'lists=%'))))::text, true);
    end if;
    execute format('select array_agg(n.home), array_agg(n.place), array_agg(n.distance) from (%s) n',
      frontdesk.nearest_query(source, v.name, given, v.dimensions, v.halves, base, filter, keys, 'index', i.target, i.operand, i.condition, i.rough))
    into homes, places, distances using embedding, count;
    perform set_config('enable_sort', 'on', true);
    if cardinality(places) = count then
      return query select r.home, r.place, r.distance, 'index' from unnest(homes, places, distances) r (home, place, distance);
      return;
    end if;
  end if;
  -- Here too when the index gave up early: as many rows as there are is the promise.
  return query execute format('select n.home, n.place, n.distance, %L from (%s) n',
    case when forced = 'index' then 'exact, the index found too few' else 'exact' end,
    frontdesk.nearest_query(source, v.name, given, v.dimensions, v.halves, base, filter, keys, 'exact', null, null, null, null))
  using embedding, count;
end
$$;
comment on function frontdesk.find_nearest(regclass, name, @extschema:vector@.vector, text, text, boolean, int, text[], int, text) is
  'internal: the rows nearest to a vector, by table and place, nearest first. base and filter are predicates over d';

-- sql/functions/60_knowledge_words.sql
-- Room 60, knowledge: rows found by their words.

create or replace function frontdesk.any_words(source regclass, words_column name, query text, config regconfig) returns tsquery
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  with w as (
    select w.lexeme, coalesce(f.frequency, 0) as frequency
    from unnest(to_tsvector(config, query)) w
    left join (
      select e.lexeme, e.frequency
      from pg_stats s join pg_class c on c.oid = source and c.relname = s.tablename and c.relnamespace::regnamespace::text = quote_ident(s.schemaname),
           unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) e (lexeme, frequency)
      where s.attname = words_column and e.lexeme is not null) f using (lexeme))
  -- What stands in every twentieth row tells little and costs much; alone it must do.
  select string_agg('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
  from w where w.frequency <= greatest(0.05, (select min(v.frequency) from w v))
$$;
comment on function frontdesk.any_words(regclass, name, text, regconfig) is 'internal: any of the words of a question that tell something';

create or replace function frontdesk.find_words(
  source regclass, words text, words_column name, query text, config regconfig, base text, filter text, count int, keys text[])
returns table (home oid, place tid, rank float8)
stable rows 10 language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set jit = off as $$
declare
  all_of tsquery := websearch_to_tsquery(config, query);
  any_of tsquery;
  -- Ranking reads every row found: of what is found in very many the first ones must do.
  statement text := format(
    'select array_agg(r.home), array_agg(r.place), array_agg(r.rank) from (
       select s.home, s.place, s.rank from (
         select d.tableoid as home, d.ctid as place, (%1$s @@ $2)::int + ts_rank(%1$s, $1, 1)::float8 as rank%2$s
         from %3$s d where %1$s @@ $1 and %4$s limit 2000) s
       order by s.rank desc, %5$s limit $3) r',
    words, (select string_agg(format(', d.%s as key%s', k.name, k.n), '') from unnest(keys) with ordinality k (name, n)), source,
    coalesce(nullif(concat_ws(' and ', base, filter), ''), 'true'),
    (select string_agg(format('s.key%s', k.n), ', ') from unnest(keys) with ordinality k (name, n)));
  homes oid[];
  places tid[];
  ranks float8[];
begin
  if numnode(all_of) = 0 then
    return;
  end if;
  execute statement into homes, places, ranks using all_of, all_of, count;
  -- A question seldom has all its words in the answer; whoever wrote operators meant them.
  if coalesce(cardinality(places), 0) < count and query !~* '(^|\s)-\S|"|\mor\M' then
    any_of := frontdesk.any_words(source, words_column, query, config);
    execute statement into homes, places, ranks using any_of || all_of, all_of, count;
  end if;
  return query select r.home, r.place, r.rank from unnest(homes, places, ranks) r (home, place, rank);
end
$$;
comment on function frontdesk.find_words(regclass, text, name, text, regconfig, text, text, int, text[]) is
  'internal: the rows with these words, best first: those with all of them, then those with some. words is an expression of type tsvector over d, words_column its column where it is one';

-- sql/functions/65_embedder.sql
-- Room 65, embedder: services that turn texts into vectors, any with OpenAI's /embeddings.

create or replace function frontdesk.embedder_id(name text) returns bigint
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint := (select e.id from frontdesk.embedder e where e.name = embedder_id.name);
begin
  if name is null and (select count(*) from frontdesk.embedder) = 1 then
    return (select e.id from frontdesk.embedder e);
  end if;
  if result is null then
    raise exception using errcode = 'undefined_object',
      message = case when name is null then 'which embedder is not said' else format('embedder "%s" does not exist', name) end,
      hint = coalesce('The embedders are ' || (select string_agg(e.name, ', ' order by e.name) from (
        select e.name from frontdesk.embedder e order by e.name limit 20) e) || '.', 'Make one with frontdesk.add_embedder().');
  end if;
  return result;
end
$$;
comment on function frontdesk.embedder_id(text) is 'internal: the id of an embedder (null: of the only one), or an error that lists the embedders';

create or replace function frontdesk.embedder_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if coalesce(new.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('invalid embedder name "%s"', new.name),
      hint = 'Use 1 to 100 of A-Z a-z 0-9 _ - . : / and begin with a letter or digit.';
  end if;
  perform frontdesk.check_url(new.url);
  if new.model is null or btrim(new.model) = '' or length(new.model) > 200 then
    raise exception using errcode = 'invalid_parameter_value', message = 'an embedder needs the name of its model, of 1 to 200 characters';
  end if;
  if new.encoding is null or new.encoding not in ('float', 'base64') then
    raise exception using errcode = 'invalid_parameter_value', message = format('encoding "%s" is unknown', new.encoding), hint = 'float or base64.';
  end if;
  perform frontdesk.check_range('dimensions', new.dimensions, 1, 16000);
  perform frontdesk.check_range('batch_size', new.batch_size, 1, 2048);
  perform frontdesk.check_range('batch_chars', new.batch_chars, 100, 100000000);
  perform frontdesk.check_range('max_in_flight', new.max_in_flight, 1, 64);
  perform frontdesk.check_range('timeout_ms', new.timeout_ms, 100, 600000);
  if new.requests_per_minute is not null then
    perform frontdesk.check_range('requests_per_minute', new.requests_per_minute, 0.01, 1000000);
  end if;
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk.embedder_check() is 'trigger: an embedder is validated when it is declared';

create or replace function frontdesk.check_range(name text, value numeric, lowest numeric, highest numeric) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if value is null or not value between lowest and highest then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s %s is out of range', name, coalesce(value::text, 'null')),
      hint = format('%s to %s.', lowest, highest);
  end if;
end
$$;
comment on function frontdesk.check_range(text, numeric, numeric, numeric) is 'internal: an error unless the value lies between both';

create or replace trigger embedder_check before insert or update on frontdesk.embedder
  for each row execute function frontdesk.embedder_check();

create or replace function frontdesk.embedder_headers(embedder bigint, headers jsonb, secret text) returns jsonb
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  headers := coalesce(frontdesk.check_headers(headers), '{}');
  if secret is not null then
    if exists (select from jsonb_object_keys(headers) k where lower(k) = 'authorization') then
      raise exception using errcode = 'invalid_parameter_value', message = 'there is a secret and a header Authorization',
        detail = 'The secret is sent as Authorization: Bearer ...', hint = 'Give one of both.';
    end if;
    perform frontdesk.check_headers(jsonb_build_object('Authorization', 'Bearer ' || secret));
    headers := headers || jsonb_build_object('Authorization', 'Bearer ' || secret);
  end if;
  insert into frontdesk.embedder_secret as s (embedder_id, header, secret)
  select embedder, lower(h.key), frontdesk.seal(h.value) from jsonb_each_text(headers) h where frontdesk.is_credential(h.key)
  on conflict (embedder_id, header) do update set secret = excluded.secret;
  return frontdesk.plain_headers(headers);
end
$$;
comment on function frontdesk.embedder_headers(bigint, jsonb, text) is
  'internal: seal the credentials among the headers, and the secret as a bearer token; returns the other headers';

create or replace function frontdesk.add_embedder(
  name text, url text, model text, dimensions int, secret text = null, batch_size int = 100, requests_per_minute numeric = null,
  timeout_ms int = 30000, headers jsonb = '{}', max_in_flight int = 4, batch_chars int = 400000, send_dimensions boolean = false,
  encoding text = 'float') returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint;
begin
  if exists (select from frontdesk.embedder e where e.name = name) then
    raise exception using errcode = 'duplicate_object', message = format('embedder "%s" exists already', name),
      hint = 'Change it with frontdesk.alter_embedder(), or choose another name.';
  end if;
  insert into frontdesk.embedder as e (name, url, model, dimensions, send_dimensions, encoding, headers, batch_size, batch_chars,
    max_in_flight, requests_per_minute, timeout_ms)
  values (name, url, model, dimensions, coalesce(send_dimensions, false), encoding, '{}', batch_size, batch_chars, max_in_flight,
    requests_per_minute, timeout_ms)
  returning e.id into this;
  update frontdesk.embedder e set headers = frontdesk.embedder_headers(this, headers, secret) where e.id = this;
  insert into frontdesk.embedder_state (embedder_id) values (this);
  return name;
end
$$;
comment on function frontdesk.add_embedder(text, text, text, int, text, int, numeric, int, jsonb, int, int, boolean, text) is
  'a service that turns texts into vectors: url is the whole address of its OpenAI-compatible /embeddings. secret is sent as Authorization: Bearer; it and credential headers are sealed and shown to nobody. '
  'dimensions: how many numbers the model answers; send_dimensions asks for so many, of models that can be shortened. batch_size texts and at most batch_chars characters go into a request, '
  'max_in_flight requests are under way at once, requests_per_minute bounds them. encoding: float, or base64 where the service has it (faster)';

create or replace function frontdesk.alter_embedder(
  name text, url text = null, model text = null, dimensions int = null, secret text = null, batch_size int = null,
  requests_per_minute numeric = null, timeout_ms int = null, headers jsonb = null, max_in_flight int = null, batch_chars int = null,
  send_dimensions boolean = null, encoding text = null, active boolean = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk.embedder_id(name);
  before frontdesk.embedder;
begin
  select * into before from frontdesk.embedder e where e.id = this for update;
  if headers is not null then
    delete from frontdesk.embedder_secret s where s.embedder_id = this and s.header <> 'authorization';
  end if;
  if headers is not null or secret is not null then
    headers := frontdesk.embedder_headers(this, coalesce(headers, before.headers), nullif(secret, ''));
  end if;
  if secret = '' then
    delete from frontdesk.embedder_secret s where s.embedder_id = this and s.header = 'authorization';
  end if;
  update frontdesk.embedder e set url = coalesce(url, e.url), model = coalesce(model, e.model), dimensions = coalesce(dimensions, e.dimensions),
    batch_size = coalesce(batch_size, e.batch_size),
    requests_per_minute = nullif(coalesce(requests_per_minute, e.requests_per_minute), 0),
    timeout_ms = coalesce(timeout_ms, e.timeout_ms), headers = coalesce(headers, e.headers), max_in_flight = coalesce(max_in_flight, e.max_in_flight),
    batch_chars = coalesce(batch_chars, e.batch_chars), send_dimensions = coalesce(send_dimensions, e.send_dimensions),
    encoding = coalesce(encoding, e.encoding), active = coalesce(active, e.active)
  where e.id = this;
  -- What was wrong may be right now.
  update frontdesk.embedder_state s set next_try_at = null, next_slot = null, failures = 0, failing_since = null where s.embedder_id = this;
  perform frontdesk.embed_run(s.id) from frontdesk.embed_source s where s.embedder_id = this;
  if (model <> before.model or dimensions <> before.dimensions) and exists (select from frontdesk.embed_source s where s.embedder_id = this) then
    raise notice using message = 'vectors of the former model stay until they are made anew',
      hint = format('select frontdesk.embed_again(%L);', (select string_agg(s.source_name, ', ') from frontdesk.embed_source s where s.embedder_id = this));
  end if;
end
$$;
comment on function frontdesk.alter_embedder(text, text, text, int, text, int, numeric, int, jsonb, int, int, boolean, text, boolean) is
  'change an embedder; null keeps what is. secret => '''' removes it, requests_per_minute => 0 removes the bound, active => false pauses it. One that failed is tried again at once';

create or replace function frontdesk.remove_embedder(name text) returns boolean
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  used text := (select string_agg(format('%s.%I', s.source_name, s.embedding_column), ', ' order by s.id)
    from frontdesk.embed_source s join frontdesk.embedder e on e.id = s.embedder_id where e.name = name);
begin
  if used is not null then
    raise exception using errcode = 'dependent_objects_still_exist', message = format('embedder "%s" is in use', name),
      detail = format('It embeds %s.', used), hint = 'First frontdesk.unembed_table().';
  end if;
  delete from frontdesk.embedding_cache c using frontdesk.embedder e where e.name = name and c.embedder_id = e.id;
  delete from frontdesk.embedder e where e.name = name;
  return found;
end
$$;
comment on function frontdesk.remove_embedder(text) is 'remove an embedder that no table uses; false when there is none. Vectors stay';

create or replace function frontdesk.embed_floats(content text, embedder text = null) returns real[]
stable parallel restricted language c as 'MODULE_PATHNAME', 'embed_floats_wrapper';
comment on function frontdesk.embed_floats(text, text) is 'internal: the numbers of embed()';

create or replace function frontdesk.embed(content text, embedder text = null) returns @extschema:vector@.vector
stable parallel restricted language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.embed_floats(content, embedder)::@extschema:vector@.vector
$$;
comment on function frontdesk.embed(text, text) is
  'the vector of a text, for searching: from the cache, or asked of the embedder now, within the transaction (its timeout_ms bounds that; cancel and statement_timeout end it). '
  'embedder: its name; null: the only one there is. Not granted to PUBLIC, because it costs: grant execute on function frontdesk.embed(text, text) to ...';

create or replace function frontdesk.embedding_known(embedder bigint, model text, hash bytea) returns bytea
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  -- An unlogged table is not there on a standby.
  if pg_is_in_recovery() then
    return null;
  end if;
  return (select c.embedding from frontdesk.embedding_cache c
    where c.embedder_id = embedding_known.embedder and c.model = embedding_known.model and c.content_hash = hash);
end
$$;
comment on function frontdesk.embedding_known(bigint, text, bytea) is 'internal: the vector of a query that was embedded before';

create or replace function frontdesk.embedding_keep(embedder bigint, model text, hash bytea, embedding bytea, tokens bigint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if current_setting('transaction_read_only')::boolean then
    return;
  end if;
  insert into frontdesk.embed_query (embedder_id, tokens) values (embedder, tokens);
  -- Nobody waits for another transaction that keeps the same query.
  if pg_try_advisory_xact_lock(hashtextextended('frontdesk.embedding ' || encode(hash, 'hex'), embedder)) then
    insert into frontdesk.embedding_cache (embedder_id, model, content_hash, embedding) values (embedder, model, hash, embedding)
    on conflict do nothing;
  end if;
  -- Now and then the oldest beyond ten thousand go.
  if random() < 0.01 then
    delete from frontdesk.embedding_cache c where c.ctid in (
      select o.ctid from frontdesk.embedding_cache o
      where o.created_at < (select n.created_at from frontdesk.embedding_cache n order by n.created_at desc offset 10000 limit 1)
      for update skip locked);
  end if;
end
$$;
comment on function frontdesk.embedding_keep(bigint, text, bytea, bytea, bigint) is 'internal: count a request of embed(), and keep its vector';

-- sql/functions/65_embedder_table.sql
-- Room 65, embedder: which columns are embedded. These functions run as their caller, who must own the table.

create or replace function frontdesk.embed_column(source regclass, col name, title text, wanted text) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  a pg_attribute;
  kind text;
begin
  select * into a from pg_attribute x where x.attrelid = source and x.attname = col and x.attnum > 0 and not x.attisdropped;
  if not found then
    raise exception using errcode = 'undefined_column', message = format('%s has no column "%s"', source, col),
      detail = format('It is given as %s.', title);
  end if;
  select case when t.typname in ('vector', 'halfvec') and e.extname = 'vector' then t.typname::text
      when t.typcategory = 'S' then 'text' end into kind
  from pg_type t left join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
  left join pg_extension e on e.oid = d.refobjid
  where t.oid = a.atttypid;
  if kind is null or (wanted = 'text') <> (kind = 'text') then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s is of type %s', col, source, format_type(a.atttypid, a.atttypmod)),
      hint = case wanted when 'text' then 'A text is embedded: give a column of type text or varchar.'
        else 'An embedding is kept in a column of type vector or halfvec.' end;
  end if;
  return kind;
end
$$;
comment on function frontdesk.embed_column(regclass, name, text, text) is 'internal: text, vector or halfvec; an error when the column is not there or of another kind';

create or replace function frontdesk.embed_reset() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], null));
end
$$;
comment on function frontdesk.embed_reset() is 'trigger: made by embed_table(): what changed has no embedding any more';

create or replace function frontdesk.embed_wake() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk.embed_run(s.id)
  from frontdesk.embed_source s join frontdesk.embedder e on e.id = s.embedder_id left join frontdesk.embedder_state t on t.embedder_id = e.id
  -- A partition's row belongs to the table at the top.
  where s.source in (tg_relid, coalesce(pg_partition_root(tg_relid), tg_relid)) and s.embedding_column = tg_argv[0]
    and e.active and (t.next_try_at is null or t.next_try_at <= clock_timestamp());
  return null;
end
$$;
comment on function frontdesk.embed_wake() is 'trigger: made by embed_table(): what came is embedded soon after commit';

create or replace function frontdesk.embed_run(source_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  job bigint := (select s.job_id from frontdesk.embed_source s where s.id = source_id);
  waits timestamptz;
begin
  -- One that waits will see what is committed until it begins. The engine has heard of it, unless a prepared transaction asked.
  waits := (select min(r.started_at) from frontdesk.job_run r
    where r.job_id = job and r.status = 'waiting' and r.message = 'there are rows to embed');
  if waits is not null then
    perform frontdesk.jobs_changed() where waits < frontdesk.now() - interval '10 seconds';
    return;
  end if;
  insert into frontdesk.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at, message)
  select j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now(), 'there are rows to embed'
  from frontdesk.job j where j.id = job and j.active;
  if found then
    perform frontdesk.jobs_changed();
  end if;
end
$$;
comment on function frontdesk.embed_run(bigint) is 'internal: the job of this declaration runs when this transaction commits';

create or replace function frontdesk.embed_where(alias text, s frontdesk.embed_source) returns text
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select format(E'%1$s.%2$I is null and %1$s.%3$I is not null and btrim(%1$s.%3$I::text, E\' \\t\\r\\n\') <> \'\' and (%4$s\n)',
    alias, s.embedding_column, s.content_column, s.condition)
$$;
comment on function frontdesk.embed_where(text, frontdesk.embed_source) is 'internal: the SQL condition of the rows that wait for their vector';

create or replace function frontdesk.embed_table(
  source regclass, content_column name, embedding_column name, embedder text = null, condition text = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, @extschema:vector@, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk.embedder_id(embedder);
  wanted int := frontdesk.embedder_dimensions(this);
  has int;
  s frontdesk.embed_source;
  prefix text;
  label text;
begin
  if source is null or content_column is null or embedding_column is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'source, content_column and embedding_column must not be null';
  end if;
  perform frontdesk.watch_source(source);
  perform frontdesk.embed_column(source, content_column, 'content_column', 'text');
  perform frontdesk.embed_column(source, embedding_column, 'embedding_column', 'vector');
  select a.atttypmod into has from pg_attribute a where a.attrelid = source and a.attname = embedding_column;
  if has > 0 and has <> wanted then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s has %s dimensions, the embedder answers %s', embedding_column, source, has, wanted),
      hint = 'Change the column''s type, or use an embedder that fits.';
  end if;
  condition := coalesce(nullif(btrim(condition), ''), 'true');
  begin
    -- A loop takes one query and no more; the line's end ends a comment.
    for has in execute format(E'select 1 from %s t where (%s\n) limit 0', source, condition) loop
    end loop;
  exception when others then
    raise exception using errcode = sqlstate, message = format('condition: %s', sqlerrm),
      hint = format('SQL about the columns of %s, such as: language = ''en''.', source);
  end;
  -- Rows that change from here on wait for this transaction, so that none is missed.
  execute format('lock table %s in share row exclusive mode', source);
  select left(c.relname, 40) || '_' || left(embedding_column, 12) into prefix from pg_class c where c.oid = source;
  execute format('create index if not exists %I on %s ((0)) where %I is null', prefix || '_pending', source, embedding_column);
  execute format('create index if not exists %I on %s (hashtextextended(%I::text, 0)) where %I is not null', prefix || '_known', source,
    content_column, embedding_column);
  execute format('create or replace trigger %I before update on %s for each row
    when (old.%3$I is distinct from new.%3$I and old.%4$I is not distinct from new.%4$I and new.%4$I is not null) execute function frontdesk.embed_reset(%4$L)',
    'frontdesk_embed_reset_' || left(embedding_column, 40), source, content_column, embedding_column);
  execute format('create or replace trigger %I after insert on %s for each statement execute function frontdesk.embed_wake(%L)',
    'frontdesk_embed_insert_' || left(embedding_column, 39), source, embedding_column);
  execute format('create or replace trigger %I after update on %s for each row
    when (new.%3$I is null and (old.%3$I is not null or old.%4$I is distinct from new.%4$I)) execute function frontdesk.embed_wake(%3$L)',
    'frontdesk_embed_update_' || left(embedding_column, 39), source, embedding_column, content_column);
  insert into frontdesk.embed_source as o (source, source_name, content_column, embedding_column, embedder_id, condition, owner)
  values (source, source::text, content_column, embedding_column, this, condition, current_user::regrole)
  on conflict on constraint embed_source_source_embedding_column_embedder_id_key do update
  set source_name = excluded.source_name, content_column = excluded.content_column, condition = excluded.condition, owner = excluded.owner
  returning o.* into s;
  label := format('embed %s.%s by %s', s.source_name, embedding_column, frontdesk.embedder_name(this));
  -- Rows that no trigger saw (a replica, a load without triggers) are found by the hour.
  update frontdesk.embed_source o set job_id = frontdesk.schedule(label, format('%s * * * *', s.id % 60), format('call frontdesk.embed_pending(%s)', s.id),
      max_retries => 5, catch_up => 'one')
  where o.id = s.id returning o.* into s;
  perform frontdesk.run_job(label);
  return frontdesk.embed_rows(s);
end
$$;
comment on function frontdesk.embed_table(regclass, name, name, text, text) is
  'from now on each row''s text is embedded: rows whose embedding is null and that satisfy the condition (SQL about the row) get their vector soon after commit, and anew when the text changes. '
  'Returns how many rows wait. Makes two small indexes and three triggers on the table, and a job that runs as the caller, who must own the table. The same text is not embedded twice. '
  'Several embedders may share a column, each with its condition. Not granted to PUBLIC, because embedding costs';

create or replace function frontdesk.embedder_dimensions(embedder bigint) returns int
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.dimensions from frontdesk.embedder e where e.id = embedder
$$;
comment on function frontdesk.embedder_dimensions(bigint) is 'internal: how many numbers its vectors have';

create or replace function frontdesk.embedder_model(embedder bigint) returns text
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.model from frontdesk.embedder e where e.id = embedder
$$;
comment on function frontdesk.embedder_model(bigint) is 'internal: what it calls its model';

create or replace function frontdesk.embedder_of(model text, dimensions int) returns text
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name from frontdesk.embedder e
  where e.model = embedder_of.model and e.dimensions = embedder_of.dimensions and e.active order by e.id limit 1
$$;
comment on function frontdesk.embedder_of(text, int) is 'internal: an embedder with this model and so many dimensions; null: there is none';

create or replace function frontdesk.embed_rows(s frontdesk.embed_source, failed boolean = false) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off as $$
declare
  result bigint;
begin
  execute format('select count(*) from (select hashtextextended(t.%I::text, 0) as hash from %s t where %s) r
    where $2 = exists (select from frontdesk.embed_failure f where f.source_id = $1 and f.content_hash = r.hash)',
    s.content_column, s.source, frontdesk.embed_where('t', s))
  into result using s.id, failed;
  return result;
end
$$;
comment on function frontdesk.embed_rows(frontdesk.embed_source, boolean) is 'internal: how many rows wait for their vector, or were refused one';

create or replace function frontdesk.embed_count(source_id bigint, failed boolean = false) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  owner oid := (select s.owner::oid from frontdesk.embed_source s where s.id = source_id and pg_has_role(session_user, s.owner::oid, 'usage'));
begin
  -- The condition is SQL of the table's owner, and runs as him.
  return (select (q #>> '{}')::bigint from frontdesk.query_as(owner, format(
    'select to_jsonb(frontdesk.embed_rows(s, %L)) from frontdesk.embed_source s where s.id = %s', failed, source_id), null, null) q);
exception when others then
  -- The table is gone, or no longer what it was: its job says so.
  return null;
end
$$;
comment on function frontdesk.embed_count(bigint, boolean) is 'internal: how many rows wait for their vector, or were refused one, counted with the rights of the table''s owner';

create or replace function frontdesk.unembed_table(source regclass, embedding_column name = null, embedder text = null) returns int
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set client_min_messages = warning as $$
#variable_conflict use_variable
declare
  s frontdesk.embed_source;
  removed int := 0;
  prefix text := (select left(c.relname, 40) from pg_class c where c.oid = source);
  schema text := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source);
begin
  for s in select * from frontdesk.embed_source o where o.source = source
    and (embedding_column is null or o.embedding_column = embedding_column)
    and (embedder is null or o.embedder_id = frontdesk.embedder_id(embedder))
  loop
    delete from frontdesk.embed_failure f where f.source_id = s.id;
    delete from frontdesk.embed_source o where o.id = s.id;
    perform frontdesk.unschedule(j.id) from frontdesk.job j join frontdesk.job t on t.owner = j.owner and j.name in (t.name, t.name || ' (again)')
      where t.id = s.job_id;
    removed := removed + 1;
    if not exists (select from frontdesk.embed_source o where o.source = source and o.embedding_column = s.embedding_column) then
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_reset_' || left(s.embedding_column, 40), source);
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_insert_' || left(s.embedding_column, 39), source);
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_update_' || left(s.embedding_column, 39), source);
      execute format('drop index if exists %I.%I', schema, prefix || '_' || left(s.embedding_column, 12) || '_pending');
      execute format('drop index if exists %I.%I', schema, prefix || '_' || left(s.embedding_column, 12) || '_known');
    end if;
  end loop;
  return removed;
end
$$;
comment on function frontdesk.unembed_table(regclass, name, text) is 'embed this table no more (this column, by this embedder; null: any); returns how many declarations that were. Vectors stay';

create or replace function frontdesk.retry_embedding(source regclass, embedding_column name = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint;
begin
  delete from frontdesk.embed_failure f using frontdesk.embed_source s
  where s.id = f.source_id and s.source = source and (embedding_column is null or s.embedding_column = embedding_column);
  get diagnostics result = row_count;
  perform frontdesk.run_job(j.name) from frontdesk.embed_source s join frontdesk.job j on j.id = s.job_id
  where s.source = source and (embedding_column is null or s.embedding_column = embedding_column);
  return result;
end
$$;
comment on function frontdesk.retry_embedding(regclass, name) is 'try what the embedder refused once more; returns how many contents those are';

create or replace function frontdesk.embed_again(source regclass, embedding_column name = null, embedder text = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  s frontdesk.embed_source;
  n bigint;
  result bigint := 0;
begin
  for s in select * from frontdesk.embed_source o where o.source = source
    and (embedding_column is null or o.embedding_column = embedding_column)
    and (embedder is null or o.embedder_id = frontdesk.embedder_id(embedder))
  loop
    execute format('update %s t set %2$I = null where t.%2$I is not null and t.%3$I is not null and (%4$s' || E'\n)', source, s.embedding_column,
      s.content_column, s.condition);
    get diagnostics n = row_count;
    result := result + n;
    delete from frontdesk.embed_failure f where f.source_id = s.id;
    perform frontdesk.run_job(j.name) from frontdesk.job j where j.id = s.job_id;
  end loop;
  return result;
end
$$;
comment on function frontdesk.embed_again(regclass, name, text) is 'forget the vectors of a table and make them anew: after the model was changed. Returns how many; until then search finds less';

create or replace function frontdesk.embedder_name(embedder bigint) returns text
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name from frontdesk.embedder e where e.id = embedder
$$;
comment on function frontdesk.embedder_name(bigint) is 'internal: its name';

create or replace function frontdesk.embed_failures(source regclass)
returns table (embedding_column name, ctid tid, content text, reason text, failed_at timestamptz)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off as $$
#variable_conflict use_variable
declare
  s frontdesk.embed_source;
begin
  for s in select * from frontdesk.embed_source o where o.source = source order by o.id loop
    return query execute format('select %L::name, r.place, r.content, f.reason, f.failed_at
      from (select t.ctid as place, t.%I::text as content from %s t where %s) r
      join frontdesk.embed_failure f on f.source_id = $1 and f.content_hash = hashtextextended(r.content, 0) order by f.failed_at',
      s.embedding_column, s.content_column, source, frontdesk.embed_where('t', s)) using s.id;
  end loop;
end
$$;
comment on function frontdesk.embed_failures(regclass) is
  'the rows that the embedder refuses, and its reason. Find one by: select * from ... where ctid = ...; change its text, or call retry_embedding()';

-- sql/functions/65_embedder_view.sql
-- Room 65, embedder: what there is to see.

create or replace view frontdesk.embedders as
select e.name,
  case when not e.active then 'paused' when s.failures > 0 then 'failing' when s.next_try_at > clock_timestamp() then 'waiting'
    when p.pending > 0 then 'working' else 'idle' end as state,
  p.pending, p.failed, s.embedded, s.reused, s.requests + q.requests as requests, s.tokens + q.tokens as tokens,
  s.last_error, s.last_error_at, s.failures, s.failing_since, case when s.next_try_at > clock_timestamp() then s.next_try_at end as next_try_at,
  s.last_success_at, e.url, e.model, e.dimensions, e.send_dimensions, e.encoding, e.headers,
  (select array_agg(x.header order by x.header) from frontdesk.embedder_secret x where x.embedder_id = e.id) as credential_headers,
  e.batch_size, e.batch_chars, e.max_in_flight, e.requests_per_minute, e.timeout_ms, e.created_at
from frontdesk.embedder e
left join frontdesk.embedder_state s on s.embedder_id = e.id
cross join lateral (select count(*) as requests, coalesce(sum(u.tokens), 0)::bigint as tokens from frontdesk.embed_query u where u.embedder_id = e.id) q
cross join lateral (
  select coalesce(sum(frontdesk.embed_count(t.id)), 0)::bigint as pending,
    coalesce(sum(frontdesk.embed_count(t.id, true)), 0)::bigint as failed
  from frontdesk.embed_source t where t.embedder_id = e.id) p;
comment on view frontdesk.embedders is
  'the embedders: state (idle, working, waiting, failing, paused), rows that wait for their vector, rows it refuses, what it did and cost, its last error and when it is tried next; no secret is in it';

create or replace view frontdesk.embed_tables with (security_invoker = true) as
select s.source_name as source, s.content_column, s.embedding_column, frontdesk.embedder_name(s.embedder_id) as embedder, s.condition,
  s.owner, frontdesk.embed_count(s.id) as pending, frontdesk.embed_count(s.id, true) as failed,
  r.status as last_run, r.started_at as last_run_at, case when r.status not in ('succeeded', 'running', 'waiting', 'cancelling') then r.message end as problem
from frontdesk.embed_source s
left join lateral (select x.status, x.started_at, x.message from frontdesk.job_run x where x.job_id = s.job_id order by x.id desc limit 1) r on true;
comment on view frontdesk.embed_tables is 'what embed_table() declared, of your tables: rows that wait, rows that were refused (see embed_failures), and how the last run ended';

-- sql/functions/65_embedder_work.sql
-- Room 65, embedder: the verbs of the job that embeds (src/embedding). It runs as the owner of the declaration: what touches his
-- table runs with his rights, what touches ours is called by the library as the owner of the extension.

create or replace procedure frontdesk.embed_pending(source_id bigint)
language c as 'MODULE_PATHNAME', 'embed_pending_wrapper';
comment on procedure frontdesk.embed_pending(bigint) is
  'internal, the command of a job made by embed_table(): embeds the rows that wait, in batches, each in a transaction of its own; none is open during a request';

create or replace function frontdesk.floats(bytes bytea) returns real[]
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'floats_wrapper';
comment on function frontdesk.floats(bytea) is 'internal: the numbers that lie in these bytes, four each, little-endian';

create or replace function frontdesk.embed_declaration(source_id bigint) returns text
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk.embed_source;
begin
  select * into s from frontdesk.embed_source o where o.id = source_id;
  if not found then
    return null;
  end if;
  -- Its condition is SQL: nobody runs another's as himself.
  if s.owner::oid <> (select r.oid from pg_roles r where r.rolname = current_user) then
    raise exception using errcode = 'insufficient_privilege', message = format('declaration %s belongs to %s', source_id, s.owner);
  end if;
  if not exists (select from pg_class c where c.oid = s.source) then
    delete from frontdesk.embed_source o where o.id = s.id;
    perform frontdesk.unschedule(j.id) from frontdesk.job j join frontdesk.job t on t.owner = j.owner and j.name in (t.name, t.name || ' (again)')
      where t.id = s.job_id;
    return null;
  end if;
  perform frontdesk.embed_column(s.source, s.content_column, 'content_column', 'text');
  perform frontdesk.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector');
  -- Contents that are no longer there are not refused any more.
  if exists (select from frontdesk.embed_failure f where f.source_id = s.id) then
    execute format('delete from frontdesk.embed_failure f where f.source_id = $1 and not exists (
      select from %s t where t.%I is null and hashtextextended(t.%I::text, 0) = f.content_hash)', s.source, s.embedding_column, s.content_column) using s.id;
  end if;
  return jsonb_build_object('embedder', s.embedder_id, 'job', s.job_id, 'extension_owner',
    (select x.extowner::bigint from pg_extension x where x.extname = 'pg_frontdesk'))::text;
end
$$;
comment on function frontdesk.embed_declaration(bigint) is 'job: what is to be embedded by which embedder; null when the declaration or its table is gone';

create or replace function frontdesk.embed_settings(embedder bigint) returns text
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select (to_jsonb(e) || jsonb_build_object(
    'secrets', coalesce((select jsonb_object_agg(s.header, encode(s.secret, 'hex')) from frontdesk.embedder_secret s where s.embedder_id = e.id), '{}'),
    'failures', coalesce(t.failures, 0), 'runs', i.state = 'running',
    'wait_ms', greatest(0, ceil(extract(epoch from t.next_try_at - clock_timestamp()) * 1000))::bigint))::text
  from frontdesk.embedder e cross join frontdesk.installation i left join frontdesk.embedder_state t on t.embedder_id = e.id
  where e.id = embedder
$$;
comment on function frontdesk.embed_settings(bigint) is 'job, as the owner of the extension: an embedder as JSON, with its sealed secrets';

create or replace function frontdesk.embed_lock(source_id bigint) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
  select pg_try_advisory_lock(hashtextextended('frontdesk.embed_pending', source_id))
$$;
comment on function frontdesk.embed_lock(bigint) is 'job: one at a time embeds the rows of a declaration';

create or replace function frontdesk.embed_awake(embedder bigint, job bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  delete from frontdesk.job_run r where r.job_id = job and r.status = 'waiting' and r.message = 'there are rows to embed';
  with counted as (delete from frontdesk.embed_query q where q.embedder_id = embedder returning q.tokens)
  update frontdesk.embedder_state s set requests = s.requests + c.n, tokens = s.tokens + c.tokens
  from (select count(*) as n, sum(tokens) as tokens from counted) c where s.embedder_id = embedder and c.n > 0;
$$;
comment on function frontdesk.embed_awake(bigint, bigint) is
  'job, as the owner of the extension: it looks again, so that runs asked for until now have nothing to do; counts the requests of embed()';

create or replace function frontdesk.embed_reuse(source_id bigint, max_rows int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  s frontdesk.embed_source;
  result bigint;
begin
  select * into s from frontdesk.embed_source o where o.id = source_id;
  if not found then
    return 0;
  end if;
  execute format('with waiting as materialized (
      select t.tableoid as tab, t.ctid as place, t.%1$I::text as content from %2$s t where %3$s limit $1)
    update %2$s t set %4$I = k.embedding
    from (select w.tab, w.place, x.embedding from waiting w cross join lateral (
      select o.%4$I as embedding from %2$s o
      where hashtextextended(o.%1$I::text, 0) = hashtextextended(w.content, 0) and o.%4$I is not null and o.%1$I::text = w.content
        and (select %5$s from (select o.*) t) limit 1) x) k
    where t.tableoid = k.tab and t.ctid = k.place and t.%4$I is null',
    s.content_column, s.source, frontdesk.embed_where('t', s), s.embedding_column, '(' || s.condition || E'\n)') using max_rows;
  get diagnostics result = row_count;
  return result;
end
$$;
comment on function frontdesk.embed_reuse(bigint, int) is 'job: rows whose text was embedded already, in another row, get that vector; returns how many';

create or replace function frontdesk.embed_pick(source_id bigint, max_rows int, max_chars int, busy_tables oid[], busy_rows text[])
returns table (tab oid, place text, hash bigint, content text, characters int)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
  s frontdesk.embed_source;
begin
  select * into s from frontdesk.embed_source o where o.id = source_id;
  if not found then
    return;
  end if;
  return query execute format('select r.tab, r.place::text, r.hash, case when r.characters <= $2 then r.content end, r.characters from (
      select t.tableoid as tab, t.ctid as place, hashtextextended(t.%1$I::text, 0) as hash, t.%1$I::text as content, length(t.%1$I::text) as characters
      from %2$s t where %3$s) r
    where not exists (select from frontdesk.embed_failure f where f.source_id = $1 and f.content_hash = r.hash)
      and not exists (select from unnest($3, $4) b (tab, place) where b.tab = r.tab and b.place::tid = r.place)
    limit $5', s.content_column, s.source, frontdesk.embed_where('t', s)) using s.id, max_chars, busy_tables, busy_rows, max_rows;
end
$$;
comment on function frontdesk.embed_pick(bigint, int, int, oid[], text[]) is
  'job: rows that wait for their vector, besides those under way; content is null where it is longer than a request may be';

create or replace function frontdesk.embed_store(source_id bigint, tables oid[], places text[], hashes bigint[], vectors bytea[]) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, @extschema:vector@, pg_temp set lock_timeout = '1s' as $$
declare
  s frontdesk.embed_source;
  command text;
  result bigint;
begin
  select * into s from frontdesk.embed_source o where o.id = source_id;
  if not found then
    return 0;
  end if;
  -- What a crash takes back is embedded again.
  perform set_config('synchronous_commit', 'off', true);
  command := format('update %s t set %2$I = frontdesk.floats(u.vector)::%3$s
    from unnest($1, $2::tid[], $3, $4) u (tab, place, hash, vector)
    where t.tableoid = u.tab and t.ctid = u.place and t.%2$I is null and hashtextextended(t.%4$I::text, 0) = u.hash', s.source, s.embedding_column,
    frontdesk.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector'), s.content_column);
  begin
    execute command using tables, places, hashes, vectors;
    get diagnostics result = row_count;
  exception when lock_not_available or deadlock_detected then
    -- Somebody holds a row: the others get theirs, that one later.
    execute format('with free as (select t.tableoid as tab, t.ctid as place from %s t where exists (
        select from unnest($1, $2::tid[]) u (tab, place) where u.tab = t.tableoid and u.place = t.ctid) for update skip locked)
      update %1$s t set %2$I = frontdesk.floats(u.vector)::%3$s
      from unnest($1, $2::tid[], $3, $4) u (tab, place, hash, vector) join free f on f.tab = u.tab and f.place = u.place
      where t.tableoid = u.tab and t.ctid = u.place and t.%2$I is null and hashtextextended(t.%4$I::text, 0) = u.hash', s.source, s.embedding_column,
      frontdesk.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector'), s.content_column) using tables, places, hashes, vectors;
    get diagnostics result = row_count;
  end;
  return result;
end
$$;
comment on function frontdesk.embed_store(bigint, oid[], text[], bigint[], bytea[]) is
  'job: writes vectors where the row still is, still waits and still has that text; returns how many';

create or replace function frontdesk.embed_refuse(source_id bigint, hashes bigint[], reason text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk.embed_failure (source_id, content_hash, reason) select source_id, h, reason from unnest(hashes) h
  on conflict (source_id, content_hash) do update set reason = excluded.reason, failed_at = clock_timestamp()
$$;
comment on function frontdesk.embed_refuse(bigint, bigint[], text) is 'job: these contents are not tried again';

create or replace function frontdesk.embed_succeeded(embedder bigint, requests bigint, tokens bigint, embedded bigint, reused bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk.embedder_state as s (embedder_id, requests, tokens, embedded, reused, last_success_at)
  values (embedder, requests, tokens, embedded, reused, clock_timestamp())
  on conflict (embedder_id) do update set requests = s.requests + excluded.requests, tokens = s.tokens + excluded.tokens,
    embedded = s.embedded + excluded.embedded, reused = s.reused + excluded.reused,
    failures = case when excluded.requests > 0 then 0 else s.failures end, failing_since = case when excluded.requests = 0 then s.failing_since end,
    next_try_at = case when excluded.requests = 0 then s.next_try_at end,
    last_success_at = case when excluded.requests > 0 then excluded.last_success_at else s.last_success_at end
$$;
comment on function frontdesk.embed_succeeded(bigint, bigint, bigint, bigint, bigint) is 'job, as the owner of the extension: count what was done';

create or replace function frontdesk.embed_failed(embedder bigint, requests bigint, error text, wait_ms bigint, is_failure boolean) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk.embedder_state as s (embedder_id, requests, failures, failing_since, last_error, last_error_at, next_try_at)
  values (embedder, requests, is_failure::int, case when is_failure then clock_timestamp() end, error, clock_timestamp(),
    clock_timestamp() + wait_ms * interval '1 ms')
  on conflict (embedder_id) do update set requests = s.requests + excluded.requests, failures = s.failures + excluded.failures,
    failing_since = coalesce(s.failing_since, excluded.failing_since), last_error = excluded.last_error, last_error_at = excluded.last_error_at,
    next_try_at = excluded.next_try_at
$$;
comment on function frontdesk.embed_failed(bigint, bigint, text, bigint, boolean) is
  'job, as the owner of the extension: the embedder does not answer as it should, and is left alone for a while; is_failure false: it asked for that itself';

create or replace function frontdesk.embed_slot(embedder bigint, pace_ms bigint) returns bigint
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  update frontdesk.embedder_state s set next_slot = greatest(s.next_slot, clock_timestamp()) + pace_ms * interval '1 ms'
  where s.embedder_id = embedder
  returning ceil(extract(epoch from s.next_slot - pace_ms * interval '1 ms' - clock_timestamp()) * 1000)::bigint
$$;
comment on function frontdesk.embed_slot(bigint, bigint) is 'job, as the owner of the extension: takes the next place in requests_per_minute; returns in how many milliseconds that is';

create or replace function frontdesk.embed_later(source_id bigint, wait_ms bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.schedule_once(clock_timestamp() + wait_ms * interval '1 ms', j.command, j.name || ' (again)')
  from frontdesk.embed_source s join frontdesk.job j on j.id = s.job_id where s.id = source_id
$$;
comment on function frontdesk.embed_later(bigint, bigint) is 'job: go on then';

-- sql/functions/85_crm.sql
-- Room 85, crm: the business, as ordinary tables of whoever calls install_crm(). Its scripts are in sql/crm.

create or replace function frontdesk.crm_scripts() returns table (name text, script text)
immutable language sql set search_path = pg_catalog, pg_temp as $scripts$
values
('10_accounts', $crm$-- Room 10, accounts: the tenants, who may see them, and who is asking.

create table if not exists crm.installation (
  only_row boolean primary key default true check (only_row),
  version text not null,
  installed_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp());
comment on table crm.installation is 'one row: which version of the front desk this schema is';

create table if not exists crm.accounts (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(btrim(name)) between 1 and 200),
  timezone text not null default 'UTC',
  locale text not null default 'en' check (locale ~ '^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),
  country text not null default 'US' check (country ~ '^[A-Z]{2}$'),
  currency text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp());
comment on table crm.accounts is 'a business, or a branch of one: everything else belongs to an account';
comment on column crm.accounts.timezone is 'a zone of pg_timezone_names: of the business''s days and hours';
comment on column crm.accounts.locale is 'language of what clients read, as in BCP 47';
comment on column crm.accounts.country is 'ISO 3166-1: of telephone numbers written without a country code';
comment on column crm.accounts.currency is 'ISO 4217';

create table if not exists crm.member_roles (
  name text primary key,
  may_write boolean not null,
  description text not null);
comment on table crm.member_roles is 'what a member of an account may do';
insert into crm.member_roles values
  ('owner', true, 'everything, members too'), ('member', true, 'reads and writes'), ('viewer', false, 'reads')
on conflict do nothing;

create table if not exists crm.account_members (
  account_id uuid not null references crm.accounts on delete cascade,
  user_id text not null check (user_id <> ''),
  role text not null default 'member' references crm.member_roles,
  created_at timestamptz not null default clock_timestamp(),
  primary key (account_id, user_id));
comment on table crm.account_members is 'which users of the application see which account';
comment on column crm.account_members.user_id is 'the claim "sub" of request.jwt.claims, or the setting frontdesk.user_id';
create index if not exists account_members_user_idx on crm.account_members (user_id);

create table if not exists crm.agents (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200),
  kind text not null default 'ai' check (kind in ('ai', 'person')),
  active boolean not null default true,
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id));
comment on table crm.agents is 'who answers: an AI agent, or a person';

create or replace function crm.current_user_id() returns text
stable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'sub', ''),
                  nullif(current_setting('frontdesk.user_id', true), ''));
end
$$;
comment on function crm.current_user_id() is
  'the application''s user: the claim "sub" of request.jwt.claims (PostgREST, Supabase), else the setting frontdesk.user_id; null: nobody';

create or replace function crm.my_accounts(to_write boolean = false) returns setof uuid
stable language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select m.account_id from crm.account_members m join crm.member_roles r on r.name = m.role
  where m.user_id = crm.current_user_id() and (r.may_write or not to_write);
end
$$;
comment on function crm.my_accounts(boolean) is 'the accounts of the current user; to_write: those whose rows the user may change. The policies ask this once per statement';

create or replace function crm.has_account_access(account uuid) returns boolean
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return account in (select crm.my_accounts());
end
$$;
comment on function crm.has_account_access(uuid) is 'whether the current user is a member of this account';

create or replace function crm.use_account(account uuid = null) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found uuid;
  choices bigint;
begin
  if account is not null then
    select a.id into found from crm.accounts a
    where a.id = account and (crm.current_user_id() is null or crm.has_account_access(a.id));
    if found is null then
      raise exception using errcode = 'insufficient_privilege', message = format('there is no account %s for you', account);
    end if;
    return found;
  end if;
  select count(*), (array_agg(a.id))[1] into choices, found from crm.accounts a
  where crm.current_user_id() is null or a.id in (select crm.my_accounts());
  if choices <> 1 then
    raise exception using errcode = 'invalid_parameter_value',
      message = case choices when 0 then 'you have no account' else 'which account is not said' end,
      hint = case choices when 0 then 'insert into crm.account_members ...' else 'Give its id; they are in crm.accounts.' end;
  end if;
  return found;
end
$$;
comment on function crm.use_account(uuid) is
  'this account, if it is there and the current user is a member of it; null: the only account there is for the user. Otherwise an error. Without a user (see current_user_id) the rights of the database role decide';

create or replace function crm.touch() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function crm.touch() is 'trigger: sets updated_at';

create or replace function crm.check_account() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(new.timezone);
  perform frontdesk.check_locale(new.locale);
  return new;
end
$$;
comment on function crm.check_account() is 'trigger: the zone of an account is one, and dates can be written in its language';

create or replace trigger check_account before insert or update of timezone, locale on crm.accounts
  for each row execute function crm.check_account();
create or replace trigger touch before update on crm.accounts for each row execute function crm.touch();
create or replace trigger touch before update on crm.agents for each row execute function crm.touch();

create or replace function crm.protect(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%I in (select crm.my_accounts()))', source, account_column);
  end if;
  if not exists (select from pg_policy where polrelid = source and polname = 'members_write') then
    execute format('create policy members_write on %s using (%2$I in (select crm.my_accounts(true)))
      with check (%2$I in (select crm.my_accounts(true)))', source, account_column);
  end if;
end
$$;
comment on function crm.protect(regclass, name) is
  'row level security for a table of yours with an account column, as the tables of the front desk have it: members read, those who may write write';

create or replace function crm.protect_history(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%I in (select crm.my_accounts()))', source, account_column);
  end if;
end
$$;
comment on function crm.protect_history(regclass, name) is
  'row level security for a table that members read and only triggers and functions of the owner (security definer) write';

select crm.protect('crm.agents');

alter table crm.accounts enable row level security;
alter table crm.account_members enable row level security;
do $$
begin
  if not exists (select from pg_policy where polrelid = 'crm.accounts'::regclass) then
    create policy members_read on crm.accounts for select using (id in (select crm.my_accounts()));
    create policy members_write on crm.accounts for update using (id in (select crm.my_accounts(true)));
    create policy members_read on crm.account_members for select using (account_id in (select crm.my_accounts()));
  end if;
  -- The first account, so that nothing needs to be set up.
  if not exists (select from crm.installation) and not exists (select from crm.accounts) then
    insert into crm.accounts (name) values ('My business');
  end if;
end
$$;

create or replace function crm.grant_access(role regrole) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('grant usage on schema crm to %s', role);
  execute format('grant select, insert, update, delete on all tables in schema crm to %s', role);
  execute format('revoke insert, update, delete on crm.installation, crm.member_roles, crm.account_members, crm.accounts from %s', role);
  execute format('grant update on crm.accounts to %s', role);
  -- upsert_lead() takes the number of a lead before it has the row.
  execute format('grant usage on all sequences in schema crm to %s', role);
  execute format('grant execute on all functions in schema crm to %s', role);
end
$$;
comment on function crm.grant_access(regrole) is
  'let a role (authenticated, of an application''s users) work in schema crm: row level security shows it the accounts of crm.current_user_id()';
$crm$),
('20_contacts', $crm$-- Room 20, contacts: the address book, one row for a person, and how a person is found again.

create or replace function crm.current_actor() returns text
stable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(nullif(current_setting('crm.actor', true), ''), crm.current_user_id(), 'role ' || session_user);
end
$$;
comment on function crm.current_actor() is
  'who is acting, as histories name him: the setting crm.actor (an AI agent, a job), else the application''s user, else the database role';

create table if not exists crm.contacts (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text,
  first_name text,
  last_name text,
  email text,
  phone text,
  whatsapp text,
  messenger text,
  instagram text,
  telegram text,
  company text,
  country text,
  region text,
  city text,
  postal_code text,
  address text,
  language text,
  timezone text,
  consent boolean,
  consent_at timestamptz,
  consent_source text,
  notes text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  external_id text,
  chatwoot_contact_id bigint,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, id));
comment on table crm.contacts is 'the address book: a person, with every way to reach him. An e-mail address, a telephone number, a handle belong to one contact';
comment on column crm.contacts.email is 'in lower case';
comment on column crm.contacts.phone is 'as in E.164: +14155550123';
comment on column crm.contacts.whatsapp is 'as in E.164';
comment on column crm.contacts.messenger is 'name or number of the profile; in lower case, without @ and address, as the other handles';
comment on column crm.contacts.custom_attributes is 'what your business knows of a contact beyond these columns';
comment on column crm.contacts.external_id is 'the id of this contact in another system';
create unique index if not exists contacts_email_key on crm.contacts (account_id, email) where email is not null;
create unique index if not exists contacts_phone_key on crm.contacts (account_id, phone) where phone is not null;
create unique index if not exists contacts_whatsapp_key on crm.contacts (account_id, whatsapp) where whatsapp is not null;
create unique index if not exists contacts_messenger_key on crm.contacts (account_id, messenger) where messenger is not null;
create unique index if not exists contacts_instagram_key on crm.contacts (account_id, instagram) where instagram is not null;
create unique index if not exists contacts_telegram_key on crm.contacts (account_id, telegram) where telegram is not null;
select crm.protect('crm.contacts');

create or replace function crm.phone_number(phone text, account uuid, country text = null, strict boolean = true) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  home text;
  number text;
begin
  if phone like '+%' then
    return frontdesk.normalize_phone(phone, null, strict);
  end if;
  if country ~ '^[A-Za-z]{2}$' then
    number := frontdesk.normalize_phone(phone, country, false);
  end if;
  if number is null then
    select a.country into home from crm.accounts a where a.id = account;
    number := frontdesk.normalize_phone(phone, home, false);
  end if;
  if number is null and phone ~ '^[1-9][0-9]{9,14}$' then
    -- Digits that begin with a country code but without +, as WhatsApp writes them.
    number := frontdesk.normalize_phone('+' || phone, null, false);
  end if;
  -- What is wrong is said of the number as it was given.
  return coalesce(number, frontdesk.normalize_phone(phone, home, strict));
end
$$;
comment on function crm.phone_number(text, uuid, text, boolean) is
  'a telephone number as in E.164; country: of a number without country code, before the one of the account. An error says what is wrong; null where strict is false';

create or replace function crm.phone_extension(phone text) returns jsonb
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('phone_extension', (regexp_match(phone, '(?:ext\.?|extension|x|#)\s*[:=]?\s*([0-9]{1,7})\s*$', 'i'))[1])
$$;
comment on function crm.phone_extension(text) is 'internal: what is dialled after the connection, which E.164 has no place for, as an attribute';

create or replace function crm.normalize_contact() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Every expression is a cost of every contact: of most, this is the only one.
  if new.phone !~ '^\+[0-9]+$' or new.whatsapp is not null or new.name is null or new.consent or new.timezone is not null then
    if new.phone !~ '^\+[0-9]+$' then
      if new.phone ~* '[x#]' then
        new.custom_attributes := new.custom_attributes || jsonb_strip_nulls(crm.phone_extension(new.phone));
      end if;
      new.phone := crm.phone_number(new.phone, new.account_id, new.country);
    end if;
    if new.whatsapp is not null then
      new.whatsapp := crm.phone_number(new.whatsapp, new.account_id, new.country);
    end if;
    new.name := coalesce(new.name, nullif(concat_ws(' ', new.first_name, new.last_name), ''));
    if new.consent then new.consent_at := coalesce(new.consent_at, frontdesk.now()); end if;
    if new.timezone is not null then perform frontdesk.check_timezone(new.timezone); end if;
  end if;
  return new;
end
$$;
comment on function crm.normalize_contact() is
  'trigger: what of a contact is not normalised by itself, but by its account or its other columns';

create or replace trigger _normalize before insert or update on crm.contacts for each row execute function frontdesk.normalize_row(
  'email', 'email', 'phone', 'international', 'messenger', 'handle', 'instagram', 'handle', 'telegram', 'handle',
  'first_name', 'line 500', 'last_name', 'line 500', 'name', 'line 500', 'company', 'line 500', 'external_id', 'line 200');
create or replace trigger _normalize_contact before insert or update on crm.contacts for each row execute function crm.normalize_contact();
create or replace trigger touch before update on crm.contacts for each row execute function crm.touch();
$crm$),
('30_leads', $crm$-- Room 30, leads: the stages of a sale, and the enquiries in them. 31 moves them, 32 merges them, 33 finds and counts them.

create table if not exists crm.lead_stages (
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  label text not null check (length(btrim(label)) between 1 and 200),
  position int not null,
  probability numeric not null check (probability between 0 and 1),
  kind text not null default 'open' check (kind in ('open', 'won', 'lost')),
  meta_event text,
  meta_value numeric check (meta_value >= 0),
  primary key (account_id, name));
comment on table crm.lead_stages is 'the way of a lead, one row for a stage; an account may change its own';
comment on column crm.lead_stages.name is 'also the end of the event type: lead.qualified';
comment on column crm.lead_stages.position is 'order of the stages';
comment on column crm.lead_stages.probability is 'of winning a lead that is in this stage, 0 to 1';
comment on column crm.lead_stages.kind is 'open, won or lost: only won is a conversion';
comment on column crm.lead_stages.meta_event is 'event name for Meta''s Conversions API; null: nothing is sent';
comment on column crm.lead_stages.meta_value is 'value of that event, in the currency of the account';
select crm.protect('crm.lead_stages');

create or replace function crm.seed_lead_stages(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.lead_stages (account_id, name, label, position, probability, kind, meta_event, meta_value)
  select a.id, s.*
  from crm.accounts a
  cross join (values
    ('new', 'New', 10, 0.05, 'open', 'Lead', 5::numeric),
    ('contacted', 'Contacted', 20, 0.10, 'open', 'Contact', 25),
    ('qualified', 'Qualified', 30, 0.25, 'open', null, null),
    ('appointment_booked', 'Appointment booked', 40, 0.40, 'open', 'Schedule', 75),
    ('in_negotiation', 'In negotiation', 50, 0.60, 'open', 'InitiateCheckout', 150),
    ('won', 'Won', 60, 1, 'won', 'Purchase', 500),
    ('repeat', 'Repeat', 70, 1, 'won', 'Purchase', 750),
    ('lost', 'Lost', 80, 0, 'lost', null, null)) s
  -- One that has stages has chosen them.
  where a.id = account and not exists (select from crm.lead_stages l where l.account_id = a.id)
$$;
comment on function crm.seed_lead_stages(uuid) is 'internal: the stages an account begins with';

create or replace function crm.keep_stage() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- With its account a stage goes, and its leads with it.
  if exists (select from crm.accounts a where a.id = old.account_id) and exists (
    select from crm.leads l where l.account_id = old.account_id and l.stage = old.name)
  then
    raise exception using errcode = 'foreign_key_violation', message = format('there are leads in stage "%s"', old.name),
      hint = 'Move them first: update crm.leads set stage = ... where stage = ...';
  end if;
  return old;
end
$$;
comment on function crm.keep_stage() is 'trigger: a stage with leads in it is not deleted';
create or replace trigger keep_stage before delete on crm.lead_stages for each row execute function crm.keep_stage();

create or replace function crm.account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.seed_lead_stages(new.id);
  return null;
end
$$;
comment on function crm.account_added() is 'trigger: a new account begins with the usual stages';
create or replace trigger account_added after insert on crm.accounts for each row execute function crm.account_added();
select crm.seed_lead_stages(a.id) from crm.accounts a;

create table if not exists crm.leads (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  contact_id bigint,
  agent_id bigint,
  stage text not null default 'new',
  stage_changed_at timestamptz not null default frontdesk.now(),
  converted_at timestamptz,
  score numeric not null default 0,
  score_tier text,
  score_breakdown jsonb,
  name text,
  first_name text,
  last_name text,
  email text,
  phone text,
  whatsapp text,
  messenger text,
  instagram text,
  telegram text,
  company text,
  service text,
  budget numeric check (budget >= 0),
  message text,
  notes text,
  country text,
  region text,
  city text,
  postal_code text,
  language text,
  timezone text,
  source text,
  source_detail text,
  campaign text,
  ad_set text,
  ad text,
  form text,
  page text,
  page_url text,
  referrer_url text,
  utm_source text,
  utm_medium text,
  utm_campaign text,
  utm_content text,
  utm_term text,
  fbclid text,
  fbp text,
  fbc text,
  gclid text,
  ip inet,
  user_agent text,
  consent boolean,
  consent_at timestamptz,
  consent_source text,
  client_reference text,
  external_id text,
  meta_lead_id text,
  chatwoot_contact_id bigint,
  chatwoot_conversation_id bigint,
  session_id text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  touches int not null default 1,
  last_touched_at timestamptz not null default frontdesk.now(),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- By way of its stage a lead belongs to its account: every key that is checked locks a row that all other new leads lock as well.
  constraint leads_stage_fkey foreign key (account_id, stage) references crm.lead_stages on update cascade on delete cascade,
  constraint leads_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete set null (contact_id),
  constraint leads_agent_fkey foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete set null (agent_id))
-- Room for a second version of a row or two on each page: what is not indexed, as a score, then changes without touching an index.
with (fillfactor = 80);
comment on table crm.leads is 'an enquiry as it came in: who, for what, and from where';
comment on column crm.leads.agent_id is 'who looks after it';
comment on column crm.leads.stage_changed_at is 'since when it is in its stage';
comment on column crm.leads.converted_at is 'when it was won; null while it is not';
comment on column crm.leads.email is 'in lower case';
comment on column crm.leads.phone is 'as in E.164: +14155550123';
comment on column crm.leads.whatsapp is 'as in E.164';
comment on column crm.leads.messenger is 'name or number of the profile; in lower case, without @ and address, as the other handles';
comment on column crm.leads.service is 'what is asked for';
comment on column crm.leads.budget is 'in the currency of the account';
comment on column crm.leads.message is 'what the person wrote';
comment on column crm.leads.notes is 'what you write';
comment on column crm.leads.source is 'where it came from: website, meta_ads, whatsapp, a partner ...';
comment on column crm.leads.page_url is 'the page with the form: event_source_url of Meta';
comment on column crm.leads.client_reference is 'your number of this client';
comment on column crm.leads.external_id is 'the id of this lead in another system';
comment on column crm.leads.meta_lead_id is 'lead_id of a form on Facebook or Instagram';
comment on column crm.leads.custom_attributes is 'what else came in';
comment on column crm.leads.touches is 'how often it came in';

create index if not exists leads_email_idx on crm.leads (account_id, email);
create index if not exists leads_phone_idx on crm.leads (account_id, phone);
create index if not exists leads_contact_idx on crm.leads (contact_id);
create index if not exists leads_created_idx on crm.leads (account_id, created_at);
create index if not exists leads_stage_idx on crm.leads (account_id, stage);
-- The last index of those that begin with account_id: while a table is empty they all cost the same, and the planner takes the last one.
create unique index if not exists leads_account_id_id_key on crm.leads (account_id, id);
select crm.protect('crm.leads');

create or replace function crm.normalize_lead() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Every expression is a cost of every lead: of most, this is the only one.
  if new.phone !~ '^\+[0-9]+$' or new.whatsapp is not null or new.name is null or new.consent or new.timezone is not null
    or new.stage <> 'new' or new.converted_at is not null
  then
    if new.phone !~ '^\+[0-9]+$' then
      if new.phone ~* '[x#]' then
        new.custom_attributes := new.custom_attributes || jsonb_strip_nulls(crm.phone_extension(new.phone));
      end if;
      new.phone := crm.phone_number(new.phone, new.account_id, new.country);
    end if;
    if new.whatsapp is not null then
      new.whatsapp := crm.phone_number(new.whatsapp, new.account_id, new.country);
    end if;
    if new.name is null then
      new.name := nullif(concat_ws(' ', new.first_name, new.last_name), '');
    end if;
    if new.consent and new.consent_at is null then
      new.consent_at := frontdesk.now();
    end if;
    if new.timezone is not null then
      perform frontdesk.check_timezone(new.timezone);
    end if;
    if tg_op = 'INSERT' and (new.stage <> 'new' or new.converted_at is not null) then
      new.converted_at := crm.enter_stage(new);
    end if;
  end if;
  return new;
end
$$;
comment on function crm.normalize_lead() is
  'trigger: what of a lead is not normalised by itself, but by its account or its other columns. The name of the trigger is among the first, so that others see the row so';

create or replace trigger _normalize before insert or update of email, phone, messenger, instagram, telegram, name, first_name,
    last_name, company, service, country, region, city, postal_code, source, client_reference, external_id, meta_lead_id
  on crm.leads for each row execute function frontdesk.normalize_row(
    'email', 'email', 'phone', 'international', 'messenger', 'handle', 'instagram', 'handle', 'telegram', 'handle',
    'first_name', 'line 500', 'last_name', 'line 500', 'name', 'line 500', 'company', 'line 500', 'service', 'line 500',
    'country', 'line 200', 'region', 'line 200', 'city', 'line 200', 'postal_code', 'line 50', 'source', 'line 200',
    'client_reference', 'line 200', 'external_id', 'line 200', 'meta_lead_id', 'line 200');
create or replace trigger _normalize_lead before insert or update of phone, whatsapp, name, first_name, last_name, country, consent, timezone
  on crm.leads for each row execute function crm.normalize_lead();
create or replace trigger touch before update on crm.leads for each row execute function crm.touch();

do $$
begin
  -- A watch that was changed since stays as it is. Scores and touches have events of their own.
  if not exists (select from frontdesk.watch w where w.source = 'crm.leads'::regclass) then
    perform frontdesk.watch('crm.leads', 'lead', state_column => 'stage', tenant_column => 'account_id', redact => '{score_breakdown}',
      columns => array(
        select a.attname from pg_attribute a
        where a.attrelid = 'crm.leads'::regclass and a.attnum > 0 and not a.attisdropped
          and a.attname <> all ('{score,score_tier,score_breakdown,stage_changed_at,converted_at,touches,last_touched_at,updated_at}')));
  end if;
end
$$;
$crm$),
('31_lead_stages', $crm$-- Room 30, leads: how they move from stage to stage.

create table if not exists crm.lead_status_history (
  id bigint generated always as identity,
  account_id uuid not null,
  lead_id bigint not null,
  old_stage text,
  new_stage text not null,
  changed_at timestamptz not null,
  changed_by text not null,
  reason text,
  time_in_stage interval,
  primary key (lead_id, id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_status_history is 'every stage a lead was in; written by a trigger, read by members';
comment on column crm.lead_status_history.old_stage is 'null: the lead came in';
comment on column crm.lead_status_history.changed_by is 'the user of the application, the agent, or the database role';
comment on column crm.lead_status_history.time_in_stage is 'how long it was in the old stage';
select crm.protect_history('crm.lead_status_history');

create or replace function crm.enter_stage(lead crm.leads) returns timestamptz
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  kind text := (select s.kind from crm.lead_stages s where s.account_id = lead.account_id and s.name = lead.stage);
begin
  if kind is null then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('there is no stage "%s"', left(lead.stage, 80)),
      hint = coalesce((select 'The stages are ' || string_agg(s.name, ', ' order by s.position) || '.'
                       from crm.lead_stages s where s.account_id = lead.account_id), 'This account has no stages: see crm.lead_stages.');
  end if;
  return case when kind = 'won' then coalesce(lead.converted_at, frontdesk.now()) end;
end
$$;
comment on function crm.enter_stage(crm.leads) is
  'internal: what converted_at becomes in the stage, which must be one of the account''s: set in stages of kind won only, and kept from one to the next';

create or replace function crm.enter_stage() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.converted_at := crm.enter_stage(new);
  new.stage_changed_at := frontdesk.now();
  return new;
end
$$;
comment on function crm.enter_stage() is 'trigger: a lead is in a stage of its account, since now';

-- A new lead enters its stage in crm.normalize_lead(): each trigger is a cost of every lead.
create or replace trigger enter_stage before update of stage on crm.leads
  for each row when (new.stage is distinct from old.stage) execute function crm.enter_stage();

create or replace function crm.record_stage() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    insert into crm.lead_status_history (account_id, lead_id, new_stage, changed_at, changed_by)
    values (new.account_id, new.id, new.stage, new.stage_changed_at,
      -- Mostly nobody is set: that is seen at less cost than by asking.
      case when concat(current_setting('crm.actor', true), current_setting('request.jwt.claims', true), current_setting('frontdesk.user_id', true)) = ''
        then 'role ' || session_user else crm.current_actor() end);
    if coalesce(new.whatsapp, new.instagram, new.messenger, new.telegram, new.meta_lead_id, new.external_id, new.client_reference) is not null
      or new.chatwoot_contact_id is not null
    then
      perform crm.know_lead(new);
    end if;
  else
    insert into crm.lead_status_history (account_id, lead_id, old_stage, new_stage, changed_at, changed_by, reason, time_in_stage)
    values (new.account_id, new.id, old.stage, new.stage, new.stage_changed_at, crm.current_actor(),
      nullif(current_setting('crm.reason', true), ''), new.stage_changed_at - old.stage_changed_at);
  end if;
  return null;
end
$$;
comment on function crm.record_stage() is 'trigger: the history of a lead, which its members may not write themselves; and what a new one is recognised by';

create or replace trigger record_stage_first after insert on crm.leads for each row execute function crm.record_stage();
create or replace trigger record_stage after update of stage on crm.leads
  for each row when (new.stage is distinct from old.stage) execute function crm.record_stage();

create or replace function crm.find_lead(lead_id bigint, to_lock boolean = false) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_lead crm.leads;
begin
  if to_lock then
    select * into found_lead from crm.leads l
    where l.id = lead_id and (crm.current_user_id() is null or l.account_id in (select crm.my_accounts(true))) for update;
  else
    select * into found_lead from crm.leads l
    where l.id = lead_id and (crm.current_user_id() is null or l.account_id in (select crm.my_accounts()));
  end if;
  if found_lead.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no lead %s for you', coalesce(lead_id::text, 'without a number'));
  end if;
  return found_lead;
end
$$;
comment on function crm.find_lead(bigint, boolean) is
  'this lead, if it is there and the current user may read it (to_lock: change it); else an error, the same for the lead of somebody else';

create or replace function crm.set_lead_stage(lead_id bigint, stage text, reason text = null) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result crm.leads := crm.find_lead(lead_id, true);
begin
  if result.stage = set_lead_stage.stage then
    return result;
  end if;
  if set_lead_stage.stage is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a stage is needed',
      hint = 'The stages are in crm.lead_stages.';
  end if;
  perform set_config('crm.reason', coalesce(reason, ''), true);
  update crm.leads l set stage = set_lead_stage.stage where l.id = set_lead_stage.lead_id returning * into result;
  perform set_config('crm.reason', '', true);
  return result;
end
$$;
comment on function crm.set_lead_stage(bigint, text, text) is
  'move a lead to another stage; the reason is kept in crm.lead_status_history. In its stage already: nothing happens. Unknown stage: an error names the known ones';
$crm$),
('32_lead_merge', $crm$-- Room 30, leads: the same person again is the same lead, touched once more.

create table if not exists crm.lead_touches (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  lead_id bigint not null,
  merged boolean not null,
  touched_at timestamptz not null default frontdesk.now(),
  touched_by text not null default crm.current_actor(),
  matched_by text,
  also_matched bigint[] not null default '{}',
  filled text[] not null default '{}',
  details jsonb not null,
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_touches is 'every time somebody came in through upsert_lead(), and all that came with him';
comment on column crm.lead_touches.merged is 'false: it made the lead';
comment on column crm.lead_touches.matched_by is 'what the lead was recognised by';
comment on column crm.lead_touches.also_matched is 'other leads that share an identity with this one';
comment on column crm.lead_touches.filled is 'columns of the lead that were empty until then';
comment on column crm.lead_touches.details is 'what was given to upsert_lead()';
create index if not exists lead_touches_lead_idx on crm.lead_touches (lead_id, id);
select crm.protect('crm.lead_touches');

-- Also what settles a race: two sessions that bring the same person meet at its key.
create table if not exists crm.lead_identities (
  account_id uuid not null,
  channel text not null,
  value text not null,
  lead_id bigint not null,
  primary key (account_id, channel, value),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade deferrable initially deferred);
comment on table crm.lead_identities is
  'what upsert_lead() recognises a lead by, beside its e-mail address and telephone number: handles, ids of other systems, and what its columns have no room for, a second number';
create index if not exists lead_identities_lead_idx on crm.lead_identities (lead_id);
select crm.protect('crm.lead_identities');

create or replace function crm.lead_keys(lead crm.leads, out channels text[], out spellings text[])
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- One order for everybody, so that two sessions never wait for each other crosswise; the same number by telephone and by WhatsApp is one person.
  select array_agg(k.channel order by k.channel, k.value), array_agg(k.value order by k.channel, k.value)
  from (
    select distinct v.channel, v.value from (values
      ('meta_lead_id', lead.meta_lead_id), ('external_id', lead.external_id), ('client_reference', lead.client_reference),
      ('email', lead.email), ('phone', lead.phone), ('phone', lead.whatsapp), ('messenger', lead.messenger),
      ('instagram', lead.instagram), ('telegram', lead.telegram), ('chatwoot', lead.chatwoot_contact_id::text)) v (channel, value)
    where v.value is not null) k
$$;
comment on function crm.lead_keys(crm.leads) is 'internal: what a lead is recognised by';

create or replace function crm.know_lead(lead crm.leads) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.lead_identities (account_id, channel, value, lead_id)
  select lead.account_id, k.channel, k.value, lead.id
  from crm.lead_keys(lead) l, unnest(l.channels, l.spellings) k (channel, value) where k.channel <> 'email'
  on conflict do nothing
$$;
comment on function crm.know_lead(crm.leads) is
  'internal: a lead that was inserted as a row is recognised later; these columns are seldom filled, so an index for each would cost every lead';

create or replace function crm.know_lead() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.know_lead(new);
  return null;
end
$$;
comment on function crm.know_lead() is 'trigger: a lead is recognised by what it has now; as it came in, crm.record_stage() saw to it';

create or replace trigger know_lead after update of whatsapp, instagram, messenger, telegram, meta_lead_id, external_id, client_reference, chatwoot_contact_id
  on crm.leads for each row execute function crm.know_lead();

create or replace function crm.same_leads(account uuid, channels text[], spellings text[])
returns table (lead_id bigint, channel text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  with k as (select t.* from unnest(channels, same_leads.spellings) t (channel, value))
  select s.id, (array_agg(s.channel order by s.rank))[1]
  from (
    select i.lead_id as id, k.channel, array_position('{meta_lead_id,external_id,client_reference,email,phone,messenger,instagram,telegram,chatwoot}', k.channel) as rank
    from k join crm.lead_identities i on i.account_id = account and i.channel = k.channel and i.value = k.value
    -- Leads that were inserted as rows have no entry of these there.
    union all select l.id, k.channel, 4 from k join crm.leads l on l.account_id = account and l.email = k.value where k.channel = 'email'
    union all select l.id, k.channel, 5 from k join crm.leads l on l.account_id = account and l.phone = k.value where k.channel = 'phone') s
  group by s.id
  order by min(s.rank), s.id desc
$$;
comment on function crm.same_leads(uuid, text[], text[]) is 'internal: the leads that share an identity, best first: an id of another system, then e-mail, telephone, handles; the newest first';

create or replace function crm.known_timezone(timezone text) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(timezone);
  return timezone;
exception when invalid_parameter_value then
  return null;
end
$$;
comment on function crm.known_timezone(text) is 'internal: the time zone, or null when there is none of this name';

create or replace function crm.read_lead(account uuid, lead jsonb, strict boolean, out fields jsonb, out rest jsonb)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What is computed, and what says whose row it is, is not taken from outside.
  own constant text[] := '{id,account_id,stage_changed_at,converted_at,score,score_tier,score_breakdown,custom_attributes,touches,last_touched_at,created_at,updated_at}';
  f record;
  read text;
  problem text;
  hint text;
begin
  fields := '{}';
  rest := '{}';
  for f in
    select j.key, j.value, a.atttypid::regtype as type, j.value #>> '{}' as text
    from jsonb_each(lead) j
    left join pg_attribute a on a.attrelid = 'crm.leads'::regclass and a.attname = j.key and a.attnum > 0 and not a.attisdropped and a.attname <> all (own)
    where j.key not in ('account_id', 'custom_attributes') and j.value <> 'null'
  loop
    if f.type is null or jsonb_typeof(f.value) in ('object', 'array') then
      rest := rest || jsonb_build_object(f.key, f.value);
      continue;
    elsif btrim(f.text) = '' or lower(btrim(f.text)) in ('null', 'undefined')
        and f.key not in ('name', 'first_name', 'last_name', 'company', 'message', 'notes') then
      -- Forms and workflows write nothing so; a person may be called Null.
      continue;
    end if;
    read := case
      when f.key = 'timezone' then crm.known_timezone(f.text)
      when f.key = 'email' then frontdesk.normalize_email(f.text, false)
      when f.key in ('phone', 'whatsapp') then crm.phone_number(f.text, account, lead->>'country', false)
      when f.key in ('messenger', 'instagram', 'telegram') then frontdesk.normalize_handle(f.text, false)
      when f.key in ('meta_lead_id', 'external_id', 'client_reference') then frontdesk.clean_line(f.text, f.key, 200)
      when f.type = 'text'::regtype or pg_input_is_valid(f.text, f.type::text) then f.text
    end;
    if read is not null then
      fields := fields || jsonb_build_object(f.key, read);
    elsif not strict then
      rest := rest || jsonb_build_object(f.key, f.value);
    else
      begin
        problem := format('"%s" is not %s', left(f.text, 80), case f.type
          when 'numeric'::regtype then 'a number' when 'bigint'::regtype then 'a whole number' when 'boolean'::regtype then 'true or false'
          when 'inet'::regtype then 'an IP address' when 'timestamptz'::regtype then 'a moment' else 'of type ' || f.type end);
        hint := 'Leave the key out where it is not known.';
        case
          when f.key = 'email' then perform frontdesk.normalize_email(f.text);
          when f.key in ('phone', 'whatsapp') then perform crm.phone_number(f.text, account, lead->>'country');
          when f.key in ('messenger', 'instagram', 'telegram') then perform frontdesk.normalize_handle(f.text);
          when f.key = 'timezone' then perform frontdesk.check_timezone(f.text);
          else null;
        end case;
      exception when invalid_parameter_value then
        get stacked diagnostics problem = message_text, hint = pg_exception_hint;
      end;
      raise exception using errcode = 'invalid_parameter_value', message = format('lead.%s: %s', f.key, problem), hint = hint;
    end if;
  end loop;
end
$$;
comment on function crm.read_lead(uuid, jsonb, boolean) is
  'internal: the keys that are columns of crm.leads, and the rest; what cannot be read is an error, or one of the rest where strict is false';

create or replace function crm.add_lead(lead crm.leads) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  added crm.leads;
  given text[] := array(select quote_ident(k) from jsonb_object_keys(jsonb_strip_nulls(to_jsonb(lead))) k);
begin
  -- Columns that are not named get their defaults.
  execute format('insert into crm.leads (%s) overriding system value values (%s) returning *',
    array_to_string(given, ', '), '($1).' || array_to_string(given, ', ($1).')) into added using lead;
  return added;
end
$$;
comment on function crm.add_lead(crm.leads) is 'internal: insert a lead with the columns that are not null';

create or replace function crm.fill_gaps(known crm.leads, incoming crm.leads) returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  old jsonb := to_jsonb(known);
  filled text[] := array(
    select n.key from jsonb_each(jsonb_strip_nulls(to_jsonb(incoming))) n
    where old->n.key = 'null' order by n.key);
begin
  if incoming.custom_attributes <> '{}' and not known.custom_attributes @> incoming.custom_attributes then
    update crm.leads l set custom_attributes = incoming.custom_attributes || l.custom_attributes
    where l.id = known.id and l.custom_attributes <> incoming.custom_attributes || l.custom_attributes;
  end if;
  if filled <> '{}' then
    execute (select format('update crm.leads l set %s where l.id = ($1).id', string_agg(format('%1$I = ($2).%1$I', c), ', '))
             from unnest(filled) c) using known, incoming;
  end if;
  return filled;
end
$$;
comment on function crm.fill_gaps(crm.leads, crm.leads) is 'internal: what is null in a lead is taken from another; returns which columns';

create or replace function crm.upsert_lead(lead jsonb, strict boolean = true) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  account uuid;
  given record;
  incoming crm.leads;
  known crm.leads;
  keys record;
  same record;
  claimed bigint;
  filled text[];
begin
  account := crm.upsert_account(lead);
  given := crm.read_lead(account, lead, strict);
  incoming := jsonb_populate_record(null::crm.leads, given.fields || jsonb_build_object('account_id', account,
    'custom_attributes', coalesce(nullif(lead->'custom_attributes', 'null'), '{}') || given.rest));
  keys := crm.lead_keys(incoming);

  -- Every statement of this loop sees what others have committed meanwhile.
  for attempt in 1..20 loop
    select (array_agg(s.lead_id))[1] as id, (array_agg(s.channel))[1] as channel, (array_agg(s.lead_id))[2:] as others into same
    from crm.same_leads(account, keys.channels, keys.spellings) s;
    if same.id is null then
      incoming.id := nextval(pg_get_serial_sequence('crm.leads', 'id'));
    else
      select * into known from crm.leads l where l.id = same.id for update;
      continue when known.id is null;
    end if;
    begin
      insert into crm.lead_identities (account_id, channel, value, lead_id)
      select account, k.channel, k.value, coalesce(known.id, incoming.id) from unnest(keys.channels, keys.spellings) k (channel, value)
      on conflict do nothing;
      get diagnostics claimed = row_count;
      if known.id is null and claimed < coalesce(cardinality(keys.channels), 0) then
        -- Somebody else brought this person a moment ago. What was claimed is given back first: he may be waiting for it while he has the lead.
        raise sqlstate 'FD001';
      end if;
    exception when sqlstate 'FD001' then
      continue;
    end;
    exit when known.id is not null;
    known := crm.add_lead(incoming);
    insert into crm.lead_touches (account_id, lead_id, merged, details) values (account, known.id, false, lead);
    return known;
  end loop;
  if known.id is null then
    raise exception using errcode = 'serialization_failure', message = 'others are changing this lead all the time', hint = 'Try again.';
  end if;

  filled := crm.fill_gaps(known, incoming);
  update crm.leads l set touches = l.touches + 1, last_touched_at = frontdesk.now() where l.id = known.id returning * into known;
  insert into crm.lead_touches (account_id, lead_id, merged, matched_by, also_matched, filled, details)
  values (account, known.id, true, same.channel, coalesce(same.others, '{}'), filled, lead);
  return known;
end
$$;
comment on function crm.upsert_lead(jsonb, boolean) is
  'somebody came in: a new lead, or one more touch of the lead with the same e-mail, telephone number, handle or id of another system. A touch fills what was empty, overwrites nothing, '
  'is kept in crm.lead_touches and sends lead.touched. Keys are the columns of crm.leads; others go into custom_attributes. '
  'What cannot be read is an error that names the key; where strict is false it goes into custom_attributes as it came, so that a form loses nothing';

create or replace function crm.upsert_account(lead jsonb) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  account uuid;
begin
  if jsonb_typeof(lead) is distinct from 'object' then
    raise exception using errcode = 'invalid_parameter_value', message = 'a lead is a JSON object',
      hint = 'As in {"name": "Ana", "email": "ana@example.com", "phone": "+525512345678", "service": "..."}.';
  end if;
  if jsonb_typeof(lead->'custom_attributes') not in ('object', 'null') then
    raise exception using errcode = 'invalid_parameter_value', message = 'lead.custom_attributes is not a JSON object';
  end if;
  if not pg_input_is_valid(lead->>'account_id', 'uuid') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('lead.account_id: "%s" is not the id of an account', left(lead->>'account_id', 80));
  end if;
  account := crm.use_account((lead->>'account_id')::uuid);
  if crm.current_user_id() is not null and account not in (select crm.my_accounts(true)) then
    raise exception using errcode = 'insufficient_privilege', message = 'you may read this account, not change it';
  end if;
  return account;
end
$$;
comment on function crm.upsert_account(jsonb) is 'internal: the account a lead is for, if the current user may write there';

create or replace function crm.touched() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.emit('lead.touched',
    (select to_jsonb(l) - 'score_breakdown' from crm.leads l where l.id = new.lead_id) || jsonb_build_object('touch', to_jsonb(new)),
    new.lead_id::text, new.account_id);
  return null;
end
$$;
comment on function crm.touched() is 'trigger: lead.touched, whose data is the lead and, in "touch", what came in; members may not emit events themselves';
create or replace trigger touched after insert on crm.lead_touches for each row when (new.merged) execute function crm.touched();

create or replace function crm.same_contact(lead crm.leads) returns bigint
stable language sql set search_path = pg_catalog, pg_temp as $$
  select c.id from crm.contacts c
  where c.account_id = lead.account_id and (
    c.email = lead.email or c.phone in (lead.phone, lead.whatsapp) or c.whatsapp in (lead.phone, lead.whatsapp)
    or c.messenger = lead.messenger or c.instagram = lead.instagram or c.telegram = lead.telegram)
  order by c.email = lead.email desc nulls last, c.phone in (lead.phone, lead.whatsapp) desc nulls last, c.id
  limit 1
$$;
comment on function crm.same_contact(crm.leads) is 'internal: the contact who shares a way to reach him with this lead; by e-mail first';

create or replace function crm.contact_of_lead(lead_id bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  l crm.leads := crm.find_lead(lead_id, true);
  contact bigint := l.contact_id;
begin
  if contact is not null then
    return contact;
  end if;
  for attempt in 1..20 loop
    contact := crm.same_contact(l);
    exit when contact is not null;
    insert into crm.contacts (account_id, name, first_name, last_name, email, phone, whatsapp, messenger, instagram, telegram, company,
      country, region, city, postal_code, language, timezone, consent, consent_at, consent_source, chatwoot_contact_id)
    values (l.account_id, l.name, l.first_name, l.last_name, l.email, l.phone, l.whatsapp, l.messenger, l.instagram, l.telegram, l.company,
      l.country, l.region, l.city, l.postal_code, l.language, l.timezone, l.consent, l.consent_at, l.consent_source, l.chatwoot_contact_id)
    -- Another session may make the same contact at this moment: then it is found.
    on conflict do nothing returning id into contact;
    exit when contact is not null;
  end loop;
  if contact is null then
    raise exception using errcode = 'serialization_failure', message = 'others are changing this contact all the time', hint = 'Try again.';
  end if;
  update crm.leads x set contact_id = contact where x.id = l.id;
  return contact;
end
$$;
comment on function crm.contact_of_lead(bigint) is 'the contact a lead belongs to: the one it has, else one with the same e-mail, telephone number or handle, else a new one';
$crm$),
('33_lead_search', $crm$-- Room 30, leads: find them, count them, look at them.

create or replace function crm.fold(value text) returns text
immutable strict parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary, value));
end
$$;
comment on function crm.fold(text) is 'in lower case and without accents, for searching; immutable as long as nobody changes the rules of unaccent';

create or replace function crm.lead_words(name text, email text, phone text, whatsapp text, company text, instagram text, messenger text, telegram text)
returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary,
    concat_ws(' ', '', name, email, phone, nullif(whatsapp, phone), company, instagram, messenger, telegram)));
end
$$;
comment on function crm.lead_words(text, text, text, text, text, text, text, text) is 'internal: what search_leads() looks for parts of words in';

create or replace function crm.lead_document(service text, message text, notes text, source text, campaign text, city text) returns tsvector
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- A tsvector ends at 1 MB; what somebody is looked for by stands at the beginning.
  return to_tsvector('simple', lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary,
    concat_ws(' ', service, left(message, 5000), left(notes, 5000), source, campaign, city))));
end
$$;
comment on function crm.lead_document(text, text, text, text, text, text) is 'internal: what search_leads() looks for whole words in';

-- One index for both: every index is a cost of every lead.
create index if not exists leads_search_idx on crm.leads using gin (
  crm.lead_words(name, email, phone, whatsapp, company, instagram, messenger, telegram) @schema:pg_trgm@.gin_trgm_ops,
  crm.lead_document(service, message, notes, source, campaign, city));

create or replace function crm.authorize(account uuid = null) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- Within a security definer function, current_user is its owner; the setting role still tells who called.
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
begin
  if crm.current_user_id() is null and not exists (
    select from pg_roles r, pg_class c
    where r.rolname = caller and c.oid = 'crm.accounts'::regclass and (r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, c.relowner, 'usage')))
  then
    raise exception using errcode = 'insufficient_privilege', message = 'you have no account', hint = 'No user is set: see crm.current_user_id().';
  end if;
  return crm.use_account(account);
end
$$;
comment on function crm.authorize(uuid) is
  'what security definer functions ask first, as row level security does not hold in them: crm.use_account(), and nothing for a role without a user that is under row level security';

create or replace function crm.rare_parts(term text) returns text[]
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- What ANALYZE sampled of the index says which parts are common.
  with sample as (
    select s.histogram_bounds::text::text[] as rows from pg_stats s where s.schemaname = 'crm' and s.tablename = 'leads_search_idx' and s.attname = 'lead_words'),
  parts as (
    select distinct on (p.part) p.part, p.whole, length(p.part) < 3 as short,
      (select count(*) from sample, unnest(sample.rows) r where position(p.part in r) > 0) * 10 > (select cardinality(sample.rows) from sample) as common
    from (
      select part, false as whole from regexp_split_to_table(term, '[^[:alnum:]]+') part where length(part) >= 2
      union all select w, true from regexp_split_to_table(term, ' ') w) p),
  ranked as (
    select *, row_number() over (order by short, whole, coalesce(common, false), length(part) desc) as place from parts)
  select array_agg('%' || case when short then ' ' else '' end || regexp_replace(part, '([\\%_])', '\\\1', 'g') || '%' order by place)
  from ranked where place = 1 or place <= 3 and not short and not whole and common is not true
$$;
comment on function crm.rare_parts(text) is
  'internal: patterns of those parts of a term that not every tenth lead has in it, at least one; less than three characters are looked for at the beginning of words';

create or replace function crm.search_leads(term text, account uuid = null, max_rows int = 50)
returns table (id bigint, name text, email text, phone text, company text, service text, source text, stage text, score numeric,
  score_tier text, created_at timestamptz, rank real)
stable language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_trgm.word_similarity_threshold = 0.4 as $$
declare
  words constant text := 'crm.lead_words(l.name, l.email, l.phone, l.whatsapp, l.company, l.instagram, l.messenger, l.telegram)';
  document constant text := 'crm.lead_document(l.service, l.message, l.notes, l.source, l.campaign, l.city)';
  in_account uuid := crm.authorize(account);
  folded text := crm.fold(frontdesk.clean_line(term, 'the term', 200));
  -- A telephone number is written in many ways, and kept in one.
  digits text := case when folded ~ '^[-+0-9 ().]{4,}$' then nullif(ltrim(regexp_replace(folded, '\D', '', 'g'), '0'), '') end;
  looked_for text := coalesce(digits, folded);
  most int := least(greatest(coalesce(max_rows, 50), 1), 200);
  address text := case when folded like '%@%' then frontdesk.normalize_email(folded, false) end;
  rare text;
  all_words text;
  misspelt text;
  lexemes text;
begin
  if folded is null or octet_length(folded) < 2 then
    raise exception using errcode = 'invalid_parameter_value', message = 'the term to look for is too short', hint = 'Give at least two characters.';
  end if;
  if address is not null then
    return query
      select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at, 2::real
      from crm.leads l where l.account_id = in_account and l.email = address order by l.created_at desc, l.id desc limit most;
    if found then
      return;
    end if;
  end if;
  -- Rare parts are looked for by the index: one that looks for all of "ana@example.com" reads every address with "com" in it.
  select string_agg(format('%s like %L', words, p), ' and ') into rare from unnest(crm.rare_parts(looked_for)) p;
  select string_agg(format('position(%L in l.words) > 0', w), ' and '), string_agg(format('%s operator(@schema:pg_trgm@.%%>) %L', words, w), ' and ')
  into all_words, misspelt from regexp_split_to_table(looked_for, ' ') w;
  select string_agg(quote_literal(t) || ':*', ' & ') into lexemes from unnest(tsvector_to_array(to_tsvector('simple', folded))) t;
  return query execute format($q$
    select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at, f.rank
    from (
      select c.id, max(c.rank)::real as rank
      from (
        (select l.id, 1 + @schema:pg_trgm@.word_similarity(%3$L, l.words) as rank
         from (select l.id, %4$s as words from crm.leads l where l.account_id = %1$L and %8$s offset 0) l where %2$s limit 200)
        union all
        (select l.id, ts_rank(%6$s, %5$L::tsquery, 32) from crm.leads l where l.account_id = %1$L and %6$s @@ %5$L::tsquery limit 200)) c
      group by c.id) f
    join crm.leads l on l.id = f.id
    order by f.rank desc, l.created_at desc, l.id desc limit %7$s $q$,
    in_account, all_words, looked_for, words, coalesce(lexemes, ''), document, most, rare);
  if not found then
    -- Nothing is written so: what is written nearly so.
    return query execute format($q$
      select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at,
        @schema:pg_trgm@.word_similarity(%2$L, %3$s)
      -- Comparing is slow, and what is very common is not worth it.
      from (select * from crm.leads l where l.account_id = %1$L and %5$s limit 250) l
      order by 12 desc, l.created_at desc, l.id desc limit %4$s $q$,
      in_account, folded, words, most, misspelt);
  end if;
end
$$;
comment on function crm.search_leads(text, uuid, int) is
  'leads of an account with these words in them, best first: parts of names, addresses, numbers, companies and handles, whole words of what they want and wrote. '
  'Case and accents do not matter; where nothing is found, misspelt names are. Security definer, for row level security would keep the indexes from being used: it asks crm.authorize() itself';

create or replace function crm.lead_stats("from" timestamptz = null, "to" timestamptz = null, account uuid = null)
returns table (total bigint, open bigint, won bigint, lost bigint, conversion_rate numeric, average_score numeric, with_email bigint,
  with_phone bigint, came_again bigint, median_time_to_win interval, by_stage jsonb, by_source jsonb)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  in_account uuid := crm.use_account(account);
begin
  return query with chosen as (
    select l.*, s.kind from crm.leads l join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
    where l.account_id = in_account
      and l.created_at >= coalesce("from", frontdesk.now() - interval '30 days') and l.created_at < coalesce("to", 'infinity'))
  select count(*), count(*) filter (where kind = 'open'), count(*) filter (where kind = 'won'), count(*) filter (where kind = 'lost'),
    round(100.0 * count(*) filter (where kind = 'won') / nullif(count(*), 0), 2), round(avg(score), 2),
    count(email), count(coalesce(phone, whatsapp)), count(*) filter (where touches > 1),
    justify_interval(percentile_cont(0.5) within group (order by converted_at - created_at) filter (where kind = 'won')),
    (select coalesce(jsonb_object_agg(c.stage, c.n), '{}') from (select stage, count(*) as n from chosen group by stage) c),
    (select coalesce(jsonb_object_agg(c.source, c.n), '{}') from (select coalesce(source, '') as source, count(*) as n from chosen group by 1) c)
  from chosen;
end
$$;
comment on function crm.lead_stats(timestamptz, timestamptz, uuid) is
  'what became of the leads that came in from "from" (30 days ago) until before "to" (now): counts, conversion_rate in percent, average score, how long the median sale took';

create or replace view crm.leads_high_priority with (security_invoker = true) as
select l.id, l.account_id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.agent_id, l.created_at,
  frontdesk.now() - l.stage_changed_at as time_in_stage
from crm.leads l
join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
join crm.accounts a on a.id = l.account_id
where s.kind = 'open'
  and l.score >= case when jsonb_typeof(a.settings->'high_priority_score') = 'number' then (a.settings->>'high_priority_score')::numeric else 60 end
order by l.score desc, l.created_at;
comment on view crm.leads_high_priority is 'open leads with a score of at least 60, or what the account''s setting high_priority_score says; the best first';

create or replace view crm.leads_untouched with (security_invoker = true) as
select l.id, l.account_id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.agent_id, l.created_at,
  frontdesk.now() - l.created_at as waiting
from crm.leads l
where l.stage = (select s.name from crm.lead_stages s where s.account_id = l.account_id and s.kind = 'open' order by s.position limit 1)
order by l.created_at;
comment on view crm.leads_untouched is 'leads still in the first stage: nobody has answered them; the one that has waited longest first';

create or replace view crm.pipeline with (security_invoker = true) as
select s.account_id, s.position, s.name as stage, s.label, s.kind, s.probability, count(l.id) as leads,
  coalesce(sum(l.budget), 0) as value, round(coalesce(sum(l.budget), 0) * s.probability, 2) as expected_value,
  round(avg(l.score), 2) as average_score, frontdesk.now() - min(l.stage_changed_at) as longest_in_stage
from crm.lead_stages s
left join crm.leads l on l.account_id = s.account_id and l.stage = s.name
group by s.account_id, s.name
order by s.account_id, s.position;
comment on view crm.pipeline is 'the stages of an account, and what is in each: number, budgets, budgets times probability, how long the longest waits';
$crm$),
('35_scores', $crm$-- Room 35, scores: every lead has its score from the moment it is written, with the points of each rule.

create table if not exists crm.lead_score_history (
  id bigint generated always as identity,
  account_id uuid not null,
  lead_id bigint not null,
  old_score numeric not null,
  new_score numeric not null,
  old_tier text,
  new_tier text,
  breakdown jsonb,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (lead_id, id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_score_history is 'how scores of leads moved; the first score is the old one of a lead''s first row';
comment on column crm.lead_score_history.breakdown is 'the points of each rule that make up the new score';
select crm.protect_history('crm.lead_score_history');

create or replace function crm.lead_facts(lead crm.leads) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select to_jsonb(lead) - '{score,score_tier,score_breakdown}'::text[]
$$;
comment on function crm.lead_facts(crm.leads) is
  'what score models see of a lead: its columns (budget, message, touches, created_at ...), and custom attributes as custom_attributes.name';

create or replace function crm.lead_score_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into crm.lead_score_history (account_id, lead_id, old_score, new_score, old_tier, new_tier, breakdown)
  values (new.account_id, new.id, old.score, new.score, old.score_tier, new.score_tier, new.score_breakdown);
  if old.score_tier is distinct from new.score_tier then
    perform frontdesk.emit('lead.score_changed', jsonb_build_object('id', new.id, 'account_id', new.account_id, 'name', new.name,
      'score', new.score, 'tier', new.score_tier, 'old_score', old.score, 'old_tier', old.score_tier, 'breakdown', new.score_breakdown),
      key => new.id::text, tenant => new.account_id);
  end if;
  return null;
end
$$;
comment on function crm.lead_score_changed() is 'trigger: history of scores, which members may not write; lead.score_changed when the tier is another';

-- Its name comes after those of all triggers that change the row.
select frontdesk.keep_scores('crm.leads', 'default', 'account_id');
create or replace trigger score_changed after update on crm.leads for each row
  when (old.score is distinct from new.score or old.score_tier is distinct from new.score_tier)
  execute function crm.lead_score_changed();

create or replace function crm.score_lead(lead_id bigint) returns numeric
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm.find_lead(lead_id);
begin
  update crm.leads l set score = l.score where l.id = lead.id and frontdesk.score_is_stale(l, 'default', 'account_id')
  returning l.score into lead.score;
  return coalesce(lead.score, (select l.score from crm.leads l where l.id = lead_id));
end
$$;
comment on function crm.score_lead(bigint) is
  'score a lead now and return its score. Whatever is written to a lead scores it anyway; this is for what changes by itself, such as its age';

create or replace function crm.explain_lead_score(lead_id bigint, model text = 'default') returns table (rule text, points numeric, reason text)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm.find_lead(lead_id);
begin
  return query select e.rule, e.points, e.reason
  from frontdesk.explain_score(crm.lead_facts(lead), coalesce(model, 'default'), lead.account_id) e;
end
$$;
comment on function crm.explain_lead_score(bigint, text) is 'why a lead has the score it has: what each rule gave and why; or what another model says of it';

create or replace function crm.rescore_after(last_id bigint, only_accounts uuid[] = null, batch int = 100000, out next_id bigint, out changed bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  stale bigint[];
begin
  -- By rows, not by ids: those of deleted leads are not there.
  select max(b.id) into next_id from (select l.id from crm.leads l where l.id > last_id order by l.id limit batch) b;
  changed := 0;
  if next_id is null then
    return;
  end if;
  -- Planned for each batch, with parallel workers. The setting plan_cache_mode would have it of all that the triggers do as well.
  execute $q$
    select array(
      select l.id from crm.leads l where l.id > $1 and l.id <= $2
        and ($3 is null or l.account_id = any ($3)) and frontdesk.score_is_stale(l, 'default', 'account_id')) $q$
  into stale using last_id, next_id, only_accounts;
  execute 'update crm.leads l set score = l.score where l.id = any ($1)' using stale;
  get diagnostics changed = row_count;
end
$$;
comment on function crm.rescore_after(bigint, uuid[], int) is
  'internal: score the next batch of leads after this id where that makes a difference; next_id: the last one looked at, null when there was none';

create or replace function crm.rescore(model text = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  only_accounts uuid[];
  step record;
  last_id bigint := 0;
  total bigint := 0;
begin
  if model is not null then
    only_accounts := array(select a.id from crm.accounts a where rescore.model = any (frontdesk.score_parts('default', a.id)));
    if only_accounts = '{}' then
      -- Nobody's leads are scored by it: an error when there is no such model at all.
      perform frontdesk.score_tier(0, model);
      return 0;
    end if;
  end if;
  loop
    select * into step from crm.rescore_after(last_id, only_accounts);
    exit when step.next_id is null;
    last_id := step.next_id;
    total := total + step.changed;
  end loop;
  return total;
end
$$;
comment on function crm.rescore(text) is
  'score all leads anew, or those whose score has this model in it; returns how many changed. The others are not written. After a change of a model this happens by itself, in the background';

do $$
begin
  -- Daily for what fades with time; after each change of a model, in batches that are kept when it is interrupted.
  if not exists (select from frontdesk.jobs j where j.name = 'crm rescore') then
    perform frontdesk.schedule('crm rescore', '@daily', $job$do $do$
declare
  last_id bigint := 0;
begin
  while last_id is not null loop
    select next_id into last_id from crm.rescore_after(last_id, batch => 10000);
    commit;
  end loop;
end $do$ $job$, overlap => 'queue', max_retries => 10, retry_delay => '10 seconds');
  end if;
  perform frontdesk.follow_scores('crm rescore');
end
$$;

create or replace function crm.train_score_model(
  name text, from_stage text, positive text[], negative text[], account_id uuid = null, most int = 20000) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  account uuid := crm.use_account(account_id);
  -- What is recorded only when it is decided would tell the outcome.
  hindsight constant text[] := '{id,account_id,contact_id,agent_id,stage,stage_changed_at,converted_at,touches,last_touched_at,created_at,updated_at,
    notes,client_reference,external_id,meta_lead_id,chatwoot_contact_id,chatwoot_conversation_id,session_id,ip,user_agent,consent_at}';
  unknown text;
  learned jsonb;
  report jsonb;
begin
  select s.name into unknown from unnest(from_stage || positive || negative) s (name)
  where s.name is null or not exists (select from crm.lead_stages k where k.account_id = account and k.name = s.name) limit 1;
  if found then
    raise exception using errcode = 'undefined_object', message = format('stage "%s" does not exist', unknown),
      hint = 'Stages: ' || (select string_agg(k.name, ', ' order by k.position) from crm.lead_stages k where k.account_id = account) || '.';
  end if;
  if coalesce(cardinality(positive), 0) = 0 or coalesce(cardinality(negative), 0) = 0 or positive && negative or from_stage = any (positive || negative) then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'positive and negative are stages of different outcomes, which from_stage is none of',
      hint = 'As in crm.train_score_model(''chance'', ''contacted'', positive => ''{won,repeat}'', negative => ''{lost}'').';
  end if;
  select frontdesk.fit_score_model(name, array_agg(c.facts order by c.id), array_agg(c.won order by c.id)) into learned
  from (
    select l.id, l.stage = any (positive) as won, (crm.lead_facts(l) - hindsight)::text as facts
    from crm.leads l
    where l.account_id = account and l.stage = any (positive || negative)
      and exists (select from crm.lead_status_history h where h.account_id = account and h.lead_id = l.id and h.old_stage = from_stage)
    order by l.id desc limit most) c;
  if learned is null then
    learned := frontdesk.fit_score_model(name, '{}', '{}');
  end if;
  report := learned->'report' || jsonb_build_object('from_stage', from_stage, 'positive_stages', positive, 'negative_stages', negative,
    'trained_at', clock_timestamp());
  perform frontdesk.set_score_model(name, learned->'model'->'rules', base => (learned->'model'->>'base')::numeric, tiers => learned->'model'->'tiers',
    link => 'logistic', tenant => account, report => report,
    description => format('chance of %s rather than %s, learned from %s leads that were %s', array_to_string(positive, ' or '),
      array_to_string(negative, ' or '), report->>'rows', from_stage));
  return report;
end
$$;
comment on function crm.train_score_model(text, text, text[], text[], uuid, int) is
  'learn a score model from the account''s own history: which leads that left from_stage are now in a positive stage, which in a negative one. '
  'Logistic regression; the score is 100 times the probability. Stored as a model of this account; returns rows, AUC and calibration by cross-validation, also kept in its report. '
  'At least 30 leads of each outcome; of more than most the latest. Needs execute on frontdesk.set_score_model()';
$crm$),
('40_calendar', $crm$-- Room 40, calendar: what can be booked, with whom, and when they are there.

create or replace function crm.visible(account uuid) returns boolean
stable language sql set search_path = pg_catalog, pg_temp as $$
  select crm.current_user_id() is null or account in (select crm.my_accounts())
$$;
comment on function crm.visible(uuid) is 'whether rows of this account are there for the current user; without a user the rights of the database role decide';

create or replace function crm.protect_from_writing(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%s)', source,
      case when account_column is null then 'true' else format('%I in (select crm.my_accounts())', account_column) end);
  end if;
end
$$;
comment on function crm.protect_from_writing(regclass, name) is
  'as protect(), for a table that members only read: histories, and with account_column null vocabularies, which all accounts share';

create table if not exists crm.appointment_settings (
  account_id uuid primary key references crm.accounts on delete cascade,
  no_show_penalty interval not null default '1 month' check (no_show_penalty between '0' and '10 years'),
  minimum_notice interval not null default '0' check (minimum_notice between '0' and '1 year'),
  booking_horizon interval not null default '2 years' check (booking_horizon between '1 day' and '20 years'));
comment on table crm.appointment_settings is 'one row for an account: its rules of booking';
comment on column crm.appointment_settings.no_show_penalty is 'how long a client who did not come cannot book; 0: not at all';
comment on column crm.appointment_settings.minimum_notice is 'how long before its start an appointment must be booked';
comment on column crm.appointment_settings.booking_horizon is 'how far ahead one may book';
select crm.protect('crm.appointment_settings');

create table if not exists crm.services (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200 and name !~ '[[:cntrl:]]'),
  description text check (length(description) <= 20000),
  duration interval not null default '1 hour',
  buffer_before interval not null default '0' check (buffer_before between '0' and '1 day'),
  buffer_after interval not null default '0' check (buffer_after between '0' and '1 day'),
  minimum_notice interval check (minimum_notice between '0' and '1 year'),
  meeting_link text,
  price numeric check (price >= 0),
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id),
  constraint services_duration_check check (duration between '1 minute' and '31 days'));
comment on table crm.services is 'what clients book';
comment on column crm.services.buffer_before is 'the resource is taken so long before the start; it may be outside business hours';
comment on column crm.services.minimum_notice is 'null: that of the account';
comment on column crm.services.meeting_link is 'of appointments that have none of their own';
select crm.protect('crm.services');

create table if not exists crm.resources (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200 and name !~ '[[:cntrl:]]'),
  kind text not null default 'person' check (kind in ('person', 'room', 'equipment', 'other')),
  timezone text,
  capacity int not null default 1 check (capacity between 1 and 1000),
  agent_id bigint,
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id),
  constraint resources_agent_fkey foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete set null (agent_id));
comment on table crm.resources is 'who or what an appointment takes up: a person, a room, a machine';
comment on column crm.resources.timezone is 'of its business hours; null: that of the account';
comment on column crm.resources.capacity is 'how many appointments at once';
select crm.protect('crm.resources');

create table if not exists crm.service_resources (
  account_id uuid not null references crm.accounts on delete cascade,
  service_id bigint not null,
  resource_id bigint not null,
  primary key (service_id, resource_id),
  constraint service_resources_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id) on delete cascade,
  constraint service_resources_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.service_resources is 'which resources give a service; a service without rows here is given by all';
select crm.protect('crm.service_resources');

create table if not exists crm.business_hours (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  resource_id bigint,
  weekday smallint not null check (weekday between 1 and 7),
  opens time not null,
  closes time not null,
  valid_from date,
  valid_until date,
  constraint business_hours_order check (opens < closes),
  constraint business_hours_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.business_hours is 'the hours of a week; a resource with rows of its own has only those';
comment on column crm.business_hours.resource_id is 'null: of all resources of the account that have no rows of their own';
comment on column crm.business_hours.weekday is '1 Monday to 7 Sunday';
comment on column crm.business_hours.closes is 'up to 24:00; hours past midnight are a row of the next day';
create index if not exists business_hours_account_idx on crm.business_hours (account_id, weekday);
create index if not exists business_hours_resource_idx on crm.business_hours (resource_id) where resource_id is not null;
select crm.protect('crm.business_hours');

create table if not exists crm.calendar_exceptions (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  resource_id bigint,
  first_day date not null,
  last_day date not null,
  opens time,
  closes time,
  reason text,
  constraint calendar_exceptions_days check (last_day between first_day and first_day + 3660),
  constraint calendar_exceptions_hours check ((opens is null) = (closes is null) and opens < closes),
  constraint calendar_exceptions_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.calendar_exceptions is 'holidays, and days with other hours: on these days the rows here are in place of the business hours';
comment on column crm.calendar_exceptions.resource_id is 'null: of all resources that have no exception of their own on that day';
comment on column crm.calendar_exceptions.opens is 'null: closed';
create index if not exists calendar_exceptions_days_idx on crm.calendar_exceptions (account_id, last_day);
select crm.protect('crm.calendar_exceptions');

create or replace function crm.check_link(link text) returns text
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if link !~* '^(https?://|tel:|sips?:|mailto:)[^[:space:][:cntrl:]<>"]+$' or length(link) > 2000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no link', left(link, 100)),
      hint = 'It begins with https://, tel:, sip: or mailto:, and has no spaces.';
  end if;
  return link;
end
$$;
comment on function crm.check_link(text) is 'the link itself, or an error: what clients click must not be a script';

create or replace function crm.check_service() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.check_link(new.meeting_link);
  return new;
end
$$;
comment on function crm.check_service() is 'trigger: the link of a service is one';

create or replace function crm.check_resource() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.timezone is not null then
    perform frontdesk.check_timezone(new.timezone);
  end if;
  return new;
end
$$;
comment on function crm.check_resource() is 'trigger: the zone of a resource is one';

create or replace trigger check_service before insert or update of meeting_link on crm.services
  for each row execute function crm.check_service();
create or replace trigger check_resource before insert or update of timezone on crm.resources
  for each row execute function crm.check_resource();
create or replace trigger touch before update on crm.services for each row execute function crm.touch();
create or replace trigger touch before update on crm.resources for each row execute function crm.touch();

create or replace function crm.open_hours(resources bigint[], "from" timestamptz, "to" timestamptz)
returns table (resource_id bigint, hours tstzmultirange)
stable language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  with asked as materialized (
    select r.id, r.account_id, coalesce(r.timezone, a.timezone) as zone,
      exists (select from crm.business_hours h where h.resource_id = r.id) as own
    from crm.resources r join crm.accounts a on a.id = r.account_id where r.id = any (resources)),
  exceptions as materialized (
    select e.*, d.day::date from crm.calendar_exceptions e
    cross join generate_series(greatest(e.first_day, open_hours."from"::date - 2), least(e.last_day, open_hours."to"::date + 2), interval '1 day') d (day)
    where e.account_id in (select q.account_id from asked q)
      and e.last_day >= open_hours."from"::date - 2 and e.first_day <= open_hours."to"::date + 2),
  days as (
    select q.*, d.day::date,
      (select min((e.resource_id is null)::int) from exceptions e
       where e.account_id = q.account_id and e.day = d.day and (e.resource_id is null or e.resource_id = q.id)) as exception
    from asked q
    cross join generate_series((open_hours."from" at time zone q.zone)::date - 1, (open_hours."to" at time zone q.zone)::date, interval '1 day') d (day)),
  spans as (
    select d.id, (d.day + e.opens) at time zone d.zone as opens, (d.day + e.closes) at time zone d.zone as closes
    from days d join exceptions e on e.account_id = d.account_id and e.day = d.day
      and case d.exception when 0 then e.resource_id = d.id else e.resource_id is null end
    where d.exception is not null and e.opens is not null
    union all
    select d.id, (d.day + h.opens) at time zone d.zone, (d.day + h.closes) at time zone d.zone
    from days d join crm.business_hours h on h.account_id = d.account_id and h.weekday = extract(isodow from d.day)
      and case when d.own then h.resource_id = d.id else h.resource_id is null end
      and d.day between coalesce(h.valid_from, '-infinity') and coalesce(h.valid_until, 'infinity')
    where d.exception is null)
  -- An hour that the clocks skip may end before it begins.
  select s.id, range_agg(tstzrange(s.opens, greatest(s.opens, s.closes))) from spans s group by s.id;
end
$$;
comment on function crm.open_hours(bigint[], timestamptz, timestamptz) is
  'when these resources are there between two moments (and up to a day around): business hours in the zone of each, less holidays, right when clocks change. A resource that is never there has no row';

create or replace function crm.seed_calendar(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.appointment_settings (account_id) values (account) on conflict do nothing;
  insert into crm.services (account_id, name) values (account, 'Appointment') on conflict do nothing;
  insert into crm.resources (account_id, name, kind) values (account, 'Front desk', 'other') on conflict do nothing;
  insert into crm.business_hours (account_id, weekday, opens, closes) select account, d, '09:00', '18:00' from generate_series(1, 5) d;
$$;
comment on function crm.seed_calendar(uuid) is 'internal: what every account begins with: one service of an hour, one resource, Monday to Friday from 9 to 18';

create or replace function crm.calendar_account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.seed_calendar(new.id);
  return null;
end
$$;
comment on function crm.calendar_account_added() is 'trigger: a new account can be booked at once';
create or replace trigger calendar_account_added after insert on crm.accounts for each row execute function crm.calendar_account_added();
-- Accounts that were there before; one that has its settings was set up.
select crm.seed_calendar(a.id) from crm.accounts a where not exists (select from crm.appointment_settings s where s.account_id = a.id);
$crm$),
('41_appointments', $crm$-- Room 41, appointments: what they are, what can become of them, and what became of them.

create table if not exists crm.appointment_statuses (
  name text primary key check (name ~ '^[a-z][a-z_]{0,62}$'),
  live boolean not null,
  initial boolean not null,
  position int not null,
  description text not null);
comment on table crm.appointment_statuses is 'what state an appointment is in';
comment on column crm.appointment_statuses.live is 'it takes up its resource, and clients are reminded of it';
comment on column crm.appointment_statuses.initial is 'it may be inserted like this';
insert into crm.appointment_statuses values
  ('scheduled', true, true, 10, 'booked'),
  ('confirmed', true, true, 20, 'the client said that he comes'),
  ('rescheduled', true, false, 30, 'moved to another time'),
  ('postponed', false, false, 40, 'put off, with no new time yet'),
  ('cancelled', false, true, 50, 'called off'),
  ('completed', false, true, 60, 'the client came'),
  ('no_show', false, true, 70, 'the client did not come')
on conflict do nothing;
select crm.protect_from_writing('crm.appointment_statuses', null);

create table if not exists crm.appointment_transitions (
  from_status text not null references crm.appointment_statuses on update cascade on delete cascade,
  to_status text not null references crm.appointment_statuses on update cascade on delete cascade,
  primary key (from_status, to_status));
comment on table crm.appointment_transitions is 'which status may follow which; all others are refused';
insert into crm.appointment_transitions
select f, t from (values
  ('scheduled', '{confirmed,rescheduled,postponed,cancelled,completed,no_show}'::text[]),
  ('confirmed', '{rescheduled,postponed,cancelled,completed,no_show}'),
  ('rescheduled', '{confirmed,rescheduled,postponed,cancelled,completed,no_show}'),
  ('postponed', '{rescheduled,cancelled}'),
  ('completed', '{no_show}'),
  ('no_show', '{completed}')) s (f, ts) cross join unnest(s.ts) t
where not exists (select from crm.appointment_transitions)
on conflict do nothing;
select crm.protect_from_writing('crm.appointment_transitions', null);

create table if not exists crm.appointments (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  contact_id bigint not null,
  lead_id bigint,
  service_id bigint not null,
  resource_id bigint not null,
  seat int not null check (seat between 1 and 1000),
  status text not null default 'scheduled' references crm.appointment_statuses on update cascade,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  timezone text not null,
  locale text not null,
  buffer_before interval not null,
  buffer_after interval not null,
  outside_hours boolean not null default false,
  live boolean not null,
  blocked tstzrange not null,
  meeting_link text,
  location text,
  notes text,
  internal_notes text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  external_id text,
  revision int not null default 0,
  status_changed_at timestamptz not null default clock_timestamp(),
  status_changed_by text,
  status_reason text,
  created_at timestamptz not null default clock_timestamp(),
  created_by text,
  updated_at timestamptz not null default clock_timestamp(),
  constraint appointments_order check (ends_at > starts_at),
  constraint appointments_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete cascade,
  constraint appointments_lead_fkey foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete set null (lead_id),
  constraint appointments_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id),
  constraint appointments_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id),
  -- What no bug and no race can get past.
  constraint appointments_no_overlap exclude using gist (
    resource_id with =, seat with =, blocked with &&) where (live));
comment on table crm.appointments is 'a client comes at a time for a service to a resource; a client may have several';
comment on column crm.appointments.seat is 'which of the places of the resource: two live appointments never share one';
comment on column crm.appointments.timezone is 'the client''s';
comment on column crm.appointments.locale is 'the client''s language, as in BCP 47';
comment on column crm.appointments.outside_hours is 'booked outside of business hours on purpose';
comment on column crm.appointments.live is 'kept by a trigger: that of its status';
comment on column crm.appointments.blocked is 'kept by a trigger: the appointment with its buffers';
comment on column crm.appointments.notes is 'for the client too; internal_notes are not';
comment on column crm.appointments.external_id is 'of this appointment in another calendar';
comment on column crm.appointments.revision is 'counts changes that a calendar must know: SEQUENCE of RFC 5545';
create index if not exists appointments_contact_idx on crm.appointments (contact_id);
create index if not exists appointments_lead_idx on crm.appointments (lead_id) where lead_id is not null;
create index if not exists appointments_service_idx on crm.appointments (service_id);
create index if not exists appointments_resource_idx on crm.appointments (resource_id, starts_at);
create index if not exists appointments_account_idx on crm.appointments (account_id, starts_at);
-- The last, as with crm.leads.
create unique index if not exists appointments_account_id_id_key on crm.appointments (account_id, id);
select crm.protect('crm.appointments');

create table if not exists crm.appointment_status_history (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  appointment_id bigint not null,
  old_status text,
  new_status text not null,
  old_starts_at timestamptz,
  new_starts_at timestamptz not null,
  changed_at timestamptz not null default clock_timestamp(),
  changed_by text not null,
  reason text,
  constraint appointment_status_history_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_status_history is 'every booking, change of status and change of time: who, when, why';
create index if not exists appointment_status_history_appointment_idx on crm.appointment_status_history (appointment_id);
select crm.protect_from_writing('crm.appointment_status_history');

create table if not exists crm.appointment_attendance (
  appointment_id bigint primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  attended boolean not null,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text not null,
  note text,
  corrected boolean not null default false,
  constraint appointment_attendance_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_attendance is 'whether the client came, and who says so';
select crm.protect_from_writing('crm.appointment_attendance');

create table if not exists crm.penalties (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  contact_id bigint not null,
  appointment_id bigint,
  reason text not null default 'no_show',
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  lifted_at timestamptz,
  lifted_by text,
  lift_reason text,
  created_at timestamptz not null default clock_timestamp(),
  constraint penalties_order check (ends_at > starts_at),
  constraint penalties_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete cascade,
  constraint penalties_appointment_fkey foreign key (account_id, appointment_id)
    references crm.appointments (account_id, id) on delete set null (appointment_id));
comment on table crm.penalties is 'who may not book until when, because he did not come';
create index if not exists penalties_contact_idx on crm.penalties (contact_id, ends_at) where lifted_at is null;
create index if not exists penalties_appointment_idx on crm.penalties (appointment_id);
select crm.protect('crm.penalties');

create or replace function crm.check_text(what text, value text, longest int, single_line boolean = false) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if length(value) > longest then
    raise exception using errcode = 'string_data_right_truncation', message = format('%s has %s characters', what, length(value)),
      hint = format('At most %s; longer texts belong into a document.', longest);
  elsif value ~ (case when single_line then '[[:cntrl:]]' else '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]' end) then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s has control characters', what),
      hint = case when single_line then 'It is one line of text.' else 'Of these only tabs and line ends are taken.' end;
  end if;
end
$$;
comment on function crm.check_text(text, text, int, boolean) is 'internal: raises when a text is too long or has control characters';

create or replace function crm.check_transition(old_status text, new_status text) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  allowed text;
begin
  if not exists (select from crm.appointment_statuses s where s.name = new_status) then
    raise exception using errcode = 'invalid_parameter_value', message = format('there is no appointment status "%s"', left(new_status, 100)),
      hint = (select format('One of %s.', string_agg(s.name, ', ' order by s.position)) from crm.appointment_statuses s);
  elsif old_status is null then
    if not exists (select from crm.appointment_statuses s where s.name = new_status and s.initial) then
      raise exception using errcode = 'object_not_in_prerequisite_state', message = format('an appointment cannot begin as %s', new_status),
        hint = (select format('It begins as %s.', string_agg(s.name, ', ' order by s.position)) from crm.appointment_statuses s where s.initial);
    end if;
  elsif not exists (select from crm.appointment_transitions t where t.from_status = old_status and t.to_status = new_status) then
    select string_agg(t.to_status, ', ' order by s.position) into allowed
    from crm.appointment_transitions t join crm.appointment_statuses s on s.name = t.to_status where t.from_status = old_status;
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = case when old_status = new_status then format('the appointment is %s already', old_status)
        else format('an appointment that is %s cannot become %s', old_status, new_status) end,
      hint = case when allowed is null then format('%s is final; book a new one.', old_status) else format('It can become %s.', allowed) end;
  end if;
end
$$;
comment on function crm.check_transition(text, text) is 'internal: raises unless crm.appointment_transitions allows this change of status; the error names what it allows';
$crm$),
('42_slots', $crm$-- Room 42, slots: when a service can be had.

create or replace function crm.service(id bigint) returns crm.services
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.services;
begin
  select s.* into found_one from crm.services s where s.id = service.id and crm.visible(s.account_id);
  if found_one.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no service %s', coalesce(service.id::text, '(null)')),
      hint = 'They are in crm.services.';
  end if;
  return found_one;
end
$$;
comment on function crm.service(bigint) is 'this service, if it is there for the current user; otherwise an error';

create or replace function crm.resources_of(service crm.services, resource bigint = null) returns bigint[]
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  ids bigint[] := array(
    select r.id from crm.resources r
    where r.account_id = (service).account_id and r.active and (resource is null or r.id = resource)
      and (not exists (select from crm.service_resources x where x.service_id = (service).id)
        or exists (select from crm.service_resources x where x.service_id = (service).id and x.resource_id = r.id))
    order by r.id);
begin
  if ids = '{}' and resource is not null and exists (
    select from crm.resources r where r.id = resource and r.account_id = (service).account_id) then
    raise exception using errcode = 'invalid_parameter_value', message = format('resource %s does not give the service "%s"', resource, (service).name),
      hint = 'It is not active, or the service has other resources in crm.service_resources.';
  elsif ids = '{}' and resource is not null then
    raise exception using errcode = 'no_data_found', message = format('there is no resource %s', resource), hint = 'They are in crm.resources.';
  end if;
  return ids;
end
$$;
comment on function crm.resources_of(crm.services, bigint) is 'internal: the active resources that give a service, or the one that is asked for, or an error';

create or replace function crm.slot_starts(
  resources bigint[], duration interval, buffer_before interval, buffer_after interval,
  "from" timestamptz, "to" timestamptz, step interval, ignoring bigint = null) returns table (resource_id bigint, starts_at timestamptz)
stable language plpgsql rows 1000 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- In PL/pgSQL, for its plan is made once in a session.
  return query
  with open as materialized (
    select h.resource_id, r.capacity, o as hours
    from crm.open_hours(resources, "from", "to") h join crm.resources r on r.id = h.resource_id cross join unnest(h.hours) o),
  -- A start is forbidden where the new appointment with its buffers would touch another with its own.
  busy as materialized (
    select b.resource_id, b.seat,
      range_agg(tstzrange(lower(t) - slot_starts.duration - slot_starts.buffer_after, upper(t) + slot_starts.buffer_before, '()')) as starts
    from (
      select a.resource_id, a.seat, range_agg(a.blocked) as taken from crm.appointments a
      where a.live and a.resource_id = any (resources) and a.id is distinct from ignoring
        and a.blocked && tstzrange("from" - slot_starts.buffer_before, "to" + slot_starts.buffer_after)
        -- For the index: none lasts longer than a month, buffers included.
        and a.starts_at between "from" - interval '40 days' and "to" + interval '2 days'
      group by a.resource_id, a.seat) b
    cross join unnest(b.taken) t
    group by b.resource_id, b.seat),
  -- As long as one seat has no appointment at all, the others need not be looked at.
  seats as (
    select b.resource_id, b.starts from busy b
    where (select count(*) from busy c where c.resource_id = b.resource_id)
      >= (select r.capacity from crm.resources r where r.id = b.resource_id)
    union all
    select r.id, '{}'::tstzmultirange from crm.resources r
    where r.id = any (resources) and r.capacity > (select count(*) from busy c where c.resource_id = r.id)),
  possible as (
    select o.resource_id, range_agg(tstzrange(greatest(lower(o.hours), "from"), least(upper(o.hours), "to") - duration, '[]')) as starts
    from open o where greatest(lower(o.hours), "from") <= least(upper(o.hours), "to") - duration
    group by o.resource_id),
  free as (
    select p.resource_id, lower(f) as first, upper(f) as last
    from possible p join seats s on s.resource_id = p.resource_id cross join unnest(p.starts - s.starts) f),
  -- Steps are counted from the opening before.
  counted as (
    select m.resource_id, m.first, m.last, max(m.opening) over (partition by m.resource_id order by m.at, m.last nulls first) as opening
    from (
      select f.resource_id, f.first, f.last, f.first as at, null::timestamptz as opening from free f
      union all select o.resource_id, null, null, lower(o.hours), lower(o.hours) from open o) m)
  select distinct c.resource_id, s
  from counted c cross join lateral generate_series(
    c.opening + step * ceil(extract(epoch from c.first - c.opening) / extract(epoch from step))::float8, c.last, step) s
  where c.first is not null;
end
$$;
comment on function crm.slot_starts(bigint[], interval, interval, interval, timestamptz, timestamptz, interval, bigint) is
  'internal: every start between two moments at which one of these resources has a seat and its hours are long enough';

create or replace function crm.available_slots(
  service bigint, "from" timestamptz = null, "to" timestamptz = null, timezone text = null, resource bigint = null,
  step interval = '15 minutes', duration interval = null, locale text = null, ignoring bigint = null)
returns table (slot tstzrange, resource_id bigint, resource_name text, local_start timestamp, local_text text)
stable language plpgsql rows 100 set search_path = pg_catalog, pg_temp as $$
declare
  asked crm.services := crm.service(service);
  settings crm.appointment_settings;
  zone text;
  language text;
  length_of interval := coalesce(duration, asked.duration);
  earliest timestamptz;
  latest timestamptz;
begin
  select s.* into settings from crm.appointment_settings s where s.account_id = asked.account_id;
  select coalesce(available_slots.timezone, a.timezone), coalesce(available_slots.locale, a.locale) into zone, language
  from crm.accounts a where a.id = asked.account_id;
  perform frontdesk.check_timezone(zone);
  perform frontdesk.check_locale(language);
  if step not between '1 minute' and '1 day' or step is null then
    raise exception using errcode = 'invalid_parameter_value', message = format('step %s is out of range', step), hint = '1 minute to 1 day.';
  end if;
  perform crm.check_duration(length_of);
  "from" := coalesce("from", frontdesk.now());
  "to" := coalesce("to", "from" + interval '7 days');
  if not isfinite("from") or not isfinite("to") or "to" < "from" or "to" - "from" > interval '366 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('there are no slots from %s to %s', "from", "to"),
      hint = 'From is before to, and at most 366 days.';
  end if;
  earliest := greatest("from", frontdesk.now() + coalesce(asked.minimum_notice, settings.minimum_notice, '0'));
  latest := least("to", frontdesk.now() + coalesce(settings.booking_horizon, '2 years') + length_of);
  if not asked.active or latest < earliest then
    return;
  end if;
  return query
    select tstzrange(s.starts_at, s.starts_at + length_of), r.id, r.name, s.starts_at at time zone zone,
      case when available_slots.locale is not null then frontdesk.format_time(s.starts_at, zone, language) end
    from crm.slot_starts(crm.resources_of(asked, resource), length_of, asked.buffer_before, asked.buffer_after, earliest, latest, step, ignoring) s
    join crm.resources r on r.id = s.resource_id
    order by s.starts_at, r.id;
end
$$;
comment on function crm.available_slots(bigint, timestamptz, timestamptz, text, bigint, interval, interval, text, bigint) is
  'as free_slots(), one row for a slot and resource, with the start on the clocks of timezone, and with a locale in words of that language. ignoring: an appointment that is to be moved';

create or replace function crm.free_slots(
  service bigint, "from" timestamptz = null, "to" timestamptz = null, timezone text = null, resource bigint = null,
  step interval = '15 minutes') returns setof tstzrange
stable language sql rows 100 set search_path = pg_catalog, pg_temp as $$
  select distinct s.slot from crm.available_slots(service, "from", "to", timezone, resource, step) s order by 1
$$;
comment on function crm.free_slots(bigint, timestamptz, timestamptz, text, bigint, interval) is
  'when a service can be had between two moments (default: the coming week), by this resource or by any: within business hours, with its buffers, counted in steps from each opening. '
  'timezone: of the client, checked here, used by available_slots() for local times. At most 366 days';

create or replace function crm.check_duration(duration interval) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if duration not between '1 minute' and '31 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('an appointment cannot last %s', duration),
      hint = '1 minute to 31 days.';
  end if;
end
$$;
comment on function crm.check_duration(interval) is 'internal: raises when an appointment is too short or too long';

create or replace function crm.local_time(moment timestamptz, timezone text) returns text
stable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select to_char(moment at time zone timezone, 'YYYY-MM-DD"T"HH24:MI:SS') || case when o.shift < 0 then '-' else '+' end
    || to_char(make_interval(secs => abs(o.shift)), 'HH24:MI')
  from (select extract(epoch from (moment at time zone timezone) - (moment at time zone 'UTC'))::float8) o (shift)
$$;
comment on function crm.local_time(timestamptz, text) is 'a moment on the clocks of a time zone as in ISO 8601, with its distance from UTC';

create or replace function crm.next_slots(
  resources bigint[], duration interval, buffer_before interval, buffer_after interval, after timestamptz, timezone text, ignoring bigint = null) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce('The next free slots: ' || string_agg(crm.local_time(t.starts_at, timezone), ', ' order by t.starts_at) || '.',
    'There is no free slot in the two weeks after it.')
  from (
    select distinct s.starts_at
    from crm.slot_starts(resources, duration, buffer_before, buffer_after, greatest(after, frontdesk.now()),
      greatest(after, frontdesk.now()) + interval '14 days', interval '15 minutes', ignoring) s
    order by s.starts_at limit 3) t
$$;
comment on function crm.next_slots(bigint[], interval, interval, interval, timestamptz, text, bigint) is
  'internal: the detail of an error: the next free starts at these resources, on a client''s clock';
$crm$),
('43_appointment_rules', $crm$-- Room 43, rules of appointments: enforced by a trigger, so that they hold whoever writes.

create or replace function crm.raise_taken(a crm.appointments) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'exclusion_violation',
    message = format('%s is taken at %s', (select r.name from crm.resources r where r.id = a.resource_id), crm.local_time(a.starts_at, a.timezone)),
    detail = crm.next_slots(array[a.resource_id], a.ends_at - a.starts_at, a.buffer_before, a.buffer_after, a.starts_at, a.timezone, a.id),
    hint = 'Ask crm.free_slots() for others.', constraint = 'appointments_no_overlap', schema = 'crm', table = 'appointments';
end
$$;
comment on function crm.raise_taken(crm.appointments) is 'internal: the error of who came second, with the next free slots';

create or replace function crm.check_penalty(contact bigint) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  until timestamptz := (select max(p.ends_at) from crm.penalties p
    where p.contact_id = contact and p.lifted_at is null and p.ends_at > frontdesk.now());
begin
  if until is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('contact %s cannot book until %s', contact, until),
      detail = 'An appointment was missed.', hint = 'crm.lift_penalty() lifts it; see crm.active_penalties.';
  end if;
end
$$;
comment on function crm.check_penalty(bigint) is 'internal: raises while a contact is blocked from booking';

create or replace function crm.check_time(a crm.appointments) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  this_moment timestamptz := frontdesk.now();
  service crm.services;
  settings crm.appointment_settings;
  notice interval;
  hours tstzmultirange;
begin
  if not isfinite(a.starts_at) or not isfinite(a.ends_at) then
    raise exception using errcode = 'invalid_parameter_value', message = 'an appointment needs a time', hint = 'Infinity is none.';
  elsif a.ends_at <= a.starts_at then
    raise exception using errcode = 'invalid_parameter_value', message = format('the appointment ends at %s, not after its start', a.ends_at),
      detail = format('It starts at %s.', a.starts_at);
  elsif a.starts_at < this_moment then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is in the past', a.starts_at),
      detail = format('It is %s.', date_trunc('second', this_moment)), hint = 'Choose a time to come: crm.free_slots().';
  end if;
  perform crm.check_duration(a.ends_at - a.starts_at);
  select s.* into service from crm.services s where s.id = a.service_id;
  select s.* into settings from crm.appointment_settings s where s.account_id = a.account_id;
  notice := coalesce(service.minimum_notice, settings.minimum_notice, '0');
  if a.starts_at > this_moment + coalesce(settings.booking_horizon, '2 years') then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is too far ahead', a.starts_at),
      hint = format('One can book %s ahead: booking_horizon in crm.appointment_settings.', coalesce(settings.booking_horizon, '2 years'));
  elsif not a.outside_hours and a.starts_at < this_moment + notice then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is too soon', a.starts_at),
      hint = format('It must be booked %s before.', notice);
  elsif not a.outside_hours then
    select h.hours into hours from crm.open_hours(array[a.resource_id], a.starts_at, a.ends_at) h;
    if not coalesce(hours @> tstzrange(a.starts_at, a.ends_at), false) then
      raise exception using errcode = 'check_violation',
        message = format('%s is not there at %s', (select r.name from crm.resources r where r.id = a.resource_id), crm.local_time(a.starts_at, a.timezone)),
        detail = crm.next_slots(array[a.resource_id], a.ends_at - a.starts_at, a.buffer_before, a.buffer_after, a.starts_at, a.timezone, a.id),
        hint = 'See crm.business_hours and crm.calendar_exceptions; outside_hours => true books all the same.',
        constraint = 'appointments_business_hours', schema = 'crm', table = 'appointments';
    end if;
  end if;
end
$$;
comment on function crm.check_time(crm.appointments) is 'internal: raises unless an appointment may be at its time: not in the past, not too soon, not too far, and within business hours';

create or replace function crm.take_seat(a crm.appointments) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  locked boolean;
  taken int[];
  seat int;
begin
  -- Who comes too late is told so without waiting. The others go one at a time for each resource, so that nobody waits in
  -- the index for somebody who waits for him.
  foreach locked in array '{false,true}'::boolean[] loop
    if locked then
      perform pg_advisory_xact_lock(hashtextextended('crm.resource/' || a.resource_id, 0));
    end if;
    taken := array(
      select o.seat from crm.appointments o
      where o.live and o.resource_id = a.resource_id and o.blocked && a.blocked and o.id is distinct from a.id);
    select s into seat from crm.resources r cross join generate_series(1, r.capacity) s
    where r.id = a.resource_id and s <> all (taken)
    order by s = a.seat desc nulls last, s limit 1;
    if seat is null then
      perform crm.raise_taken(a);
    end if;
  end loop;
  return seat;
end
$$;
comment on function crm.take_seat(crm.appointments) is 'internal: a free seat of the resource, which stays free until this transaction ends; or the error of who came second';

create or replace function crm.appointment_defaults(a crm.appointments) returns crm.appointments
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  service crm.services;
  contact crm.contacts;
  account crm.accounts;
begin
  select s.* into service from crm.services s where s.id = a.service_id and s.account_id = a.account_id;
  if service.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no service %s', coalesce(a.service_id::text, '(null)')),
      hint = 'They are in crm.services.';
  elsif not service.active then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('the service "%s" is not active', service.name);
  elsif not exists (select from crm.resources r where r.id = a.resource_id and r.account_id = a.account_id) then
    raise exception using errcode = 'no_data_found', message = format('there is no resource %s', coalesce(a.resource_id::text, '(null)')),
      hint = 'They are in crm.resources.';
  end if;
  select c.* into contact from crm.contacts c where c.id = a.contact_id and c.account_id = a.account_id;
  if contact.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no contact %s', coalesce(a.contact_id::text, '(null)'));
  end if;
  select c.* into account from crm.accounts c where c.id = a.account_id;
  a.ends_at := coalesce(a.ends_at, a.starts_at + service.duration);
  a.buffer_before := coalesce(a.buffer_before, service.buffer_before);
  a.buffer_after := coalesce(a.buffer_after, service.buffer_after);
  a.meeting_link := coalesce(a.meeting_link, service.meeting_link);
  a.timezone := coalesce(a.timezone, contact.timezone, account.timezone);
  a.locale := coalesce(a.locale, contact.language, account.locale);
  -- What a contact says of himself may be anything; what is said for this appointment is checked.
  begin
    perform frontdesk.check_timezone(a.timezone);
  exception when invalid_parameter_value then
    if a.timezone is distinct from contact.timezone then raise; end if;
    a.timezone := account.timezone;
  end;
  begin
    a.locale := frontdesk.check_locale(a.locale);
  exception when invalid_parameter_value then
    if a.locale is distinct from contact.language then raise; end if;
    a.locale := account.locale;
  end;
  return a;
end
$$;
comment on function crm.appointment_defaults(crm.appointments) is 'internal: a new appointment with what is not said of it taken from its service, contact and account';

create or replace function crm.appointment_rules() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moved boolean := false;
  visible_change boolean;
begin
  perform crm.check_link(new.meeting_link);
  perform crm.check_text('location', new.location, 1000, true);
  perform crm.check_text('notes', new.notes, 20000);
  perform crm.check_text('internal_notes', new.internal_notes, 20000);
  perform crm.check_text('external_id', new.external_id, 1000, true);
  perform crm.check_text('the reason', new.status_reason, 2000);
  perform crm.check_text('custom_attributes', new.custom_attributes::text, 100000);
  if jsonb_typeof(new.custom_attributes) <> 'object' then
    raise exception using errcode = 'invalid_parameter_value', message = format('custom_attributes is of type %s', jsonb_typeof(new.custom_attributes)),
      hint = 'It is a JSON object: {"floor": 3}.';
  end if;
  if tg_op = 'INSERT' then
    if new.starts_at is null then
      raise exception using errcode = 'null_value_not_allowed', message = 'an appointment needs a start', hint = 'Give starts_at.';
    end if;
    new := crm.appointment_defaults(new);
    perform crm.check_transition(null, new.status);
    new.created_by := coalesce(new.created_by, crm.current_actor());
    new.status_changed_by := coalesce(new.status_changed_by, new.created_by);
  else
    if new.account_id <> old.account_id or new.id <> old.id then
      raise exception using errcode = 'object_not_in_prerequisite_state', message = 'an appointment stays with its account and its id';
    end if;
    moved := new.starts_at is distinct from old.starts_at;
    if moved and new.ends_at is not distinct from old.ends_at then
      new.ends_at := new.starts_at + (old.ends_at - old.starts_at);
    end if;
    if moved and new.status = old.status then
      new.status := 'rescheduled';
    end if;
    if moved or new.status <> old.status then
      perform crm.check_transition(old.status, new.status);
      if new.status = 'rescheduled' and not moved and old.live then
        raise exception using errcode = 'invalid_parameter_value', message = format('the appointment is at %s already', new.starts_at),
          hint = 'Give another time.';
      elsif new.status in ('completed', 'no_show') and frontdesk.now() < new.starts_at then
        raise exception using errcode = 'object_not_in_prerequisite_state',
          message = format('the appointment begins at %s; whether the client comes is not known', new.starts_at);
      end if;
      -- The verbs set all three; who changes the row himself need not.
      if new.status_changed_at = old.status_changed_at then
        new.status_changed_at := clock_timestamp();
        new.status_changed_by := crm.current_actor();
        new.status_reason := case when new.status_reason is distinct from old.status_reason then new.status_reason end;
      end if;
    end if;
    if (new.timezone, new.locale) is distinct from (old.timezone, old.locale) then
      perform frontdesk.check_timezone(new.timezone);
      new.locale := frontdesk.check_locale(new.locale);
    end if;
    visible_change := (new.status, new.starts_at, new.ends_at, new.service_id, new.resource_id, new.contact_id, new.meeting_link, new.location, new.notes)
      is distinct from (old.status, old.starts_at, old.ends_at, old.service_id, old.resource_id, old.contact_id, old.meeting_link, old.location, old.notes);
    new.revision := old.revision + visible_change::int;
    new.updated_at := clock_timestamp();
  end if;
  select s.live into new.live from crm.appointment_statuses s where s.name = new.status;
  if new.ends_at < new.starts_at then
    -- A range cannot be made of it; the same error as for the others.
    perform crm.check_time(new);
  end if;
  new.blocked := tstzrange(new.starts_at - new.buffer_before, new.ends_at + new.buffer_after);
  if not new.live then
    new.seat := coalesce(new.seat, 1);
  elsif tg_op = 'INSERT' then
    perform crm.check_penalty(new.contact_id);
    perform crm.check_time(new);
    new.seat := crm.take_seat(new);
  elsif moved or not old.live then
    perform crm.check_time(new);
    new.seat := crm.take_seat(new);
  elsif (new.blocked, new.resource_id, new.seat) is distinct from (old.blocked, old.resource_id, old.seat) then
    new.seat := crm.take_seat(new);
  end if;
  return new;
end
$$;
comment on function crm.appointment_rules() is 'trigger: status by the table of transitions, time to come and within hours, no overlap, what is not said taken from service, contact and account';
create or replace trigger appointment_rules before insert or update on crm.appointments for each row execute function crm.appointment_rules();
$crm$),
('44_booking', $crm$-- Room 44, booking: the verbs.

create or replace function crm.check_writable(account uuid) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if crm.current_user_id() is not null and account not in (select crm.my_accounts(true)) then
    raise exception using errcode = 'insufficient_privilege', message = 'you may read in this account, not write',
      detail = format('It is account %s, of which you are a viewer.', account);
  end if;
end
$$;
comment on function crm.check_writable(uuid) is 'internal: raises when the current user may not change rows of this account';

create or replace function crm.appointment(id bigint, to_change boolean = false) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.appointments;
begin
  select a.* into found_one from crm.appointments a where a.id = appointment.id and crm.visible(a.account_id);
  if found_one.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no appointment %s', coalesce(appointment.id::text, '(null)'));
  end if;
  if to_change then
    perform crm.check_writable(found_one.account_id);
    select a.* into found_one from crm.appointments a where a.id = appointment.id for no key update;
  end if;
  return found_one;
end
$$;
comment on function crm.appointment(bigint, boolean) is 'this appointment, if it is there for the current user, otherwise an error; to_change: locked';

create or replace function crm.book_appointment(
  contact bigint = null, lead bigint = null, service bigint = null, starts_at timestamptz = null, duration interval = null,
  resource bigint = null, timezone text = null, meeting_link text = null, notes text = null, internal_notes text = null,
  locale text = null, location text = null, custom_attributes jsonb = '{}', external_id text = null, outside_hours boolean = false)
returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  asked crm.services := crm.service(service);
  for_lead crm.leads;
  for_contact bigint := contact;
  candidate bigint;
  candidates bigint[];
  booked crm.appointments;
  zone text := coalesce(timezone, (select a.timezone from crm.accounts a where a.id = asked.account_id));
  broken text;
  taken boolean := false;
begin
  perform crm.check_writable(asked.account_id);
  perform crm.check_duration(duration);
  -- Always the lead first, then the resource: two sessions never wait for each other.
  if lead is not null then
    select l.* into for_lead from crm.leads l where l.id = lead and l.account_id = asked.account_id for no key update;
    if for_lead.id is null then
      raise exception using errcode = 'no_data_found', message = format('there is no lead %s', lead);
    end if;
    for_contact := coalesce(for_contact, for_lead.contact_id, crm.contact_of_lead(lead));
  elsif for_contact is not null then
    select l.* into for_lead from crm.leads l join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
    where l.contact_id = for_contact and l.account_id = asked.account_id and s.kind = 'open'
    order by l.id desc limit 1 for no key update of l;
  else
    raise exception using errcode = 'null_value_not_allowed', message = 'who comes is not said', hint = 'Give contact or lead.';
  end if;
  candidates := crm.resources_of(asked, resource);
  if candidates = '{}' then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('nobody gives the service "%s"', asked.name),
      hint = 'insert into crm.resources ..., or make one active.';
  end if;
  foreach candidate in array candidates loop
    begin
      insert into crm.appointments as a (account_id, contact_id, lead_id, service_id, resource_id, starts_at, ends_at, timezone, locale,
        meeting_link, location, notes, internal_notes, custom_attributes, external_id, outside_hours)
      values (asked.account_id, for_contact, for_lead.id, asked.id, candidate, book_appointment.starts_at,
        book_appointment.starts_at + coalesce(duration, asked.duration), book_appointment.timezone, book_appointment.locale,
        book_appointment.meeting_link, book_appointment.location, book_appointment.notes, book_appointment.internal_notes,
        coalesce(book_appointment.custom_attributes, '{}'), book_appointment.external_id, coalesce(book_appointment.outside_hours, false))
      returning a.* into booked;
      exit;
    exception when exclusion_violation or check_violation then
      -- Its lock is given up with it.
      get stacked diagnostics broken = constraint_name;
      if cardinality(candidates) = 1 or broken not in ('appointments_no_overlap', 'appointments_business_hours') then
        raise;
      end if;
      taken := taken or broken = 'appointments_no_overlap';
      if candidate = candidates[cardinality(candidates)] then
        raise exception using errcode = case when taken then 'exclusion_violation' else 'check_violation' end, constraint = broken,
          message = format('nobody is %s at %s', case when taken then 'free' else 'there' end, crm.local_time(book_appointment.starts_at, zone)),
          detail = crm.next_slots(candidates, coalesce(duration, asked.duration), asked.buffer_before, asked.buffer_after, book_appointment.starts_at, zone),
          hint = 'Ask crm.free_slots() for others.', schema = 'crm', table = 'appointments';
      end if;
    end;
  end loop;
  if exists (
    select from crm.lead_stages s join crm.lead_stages goal on goal.account_id = s.account_id and goal.name = 'appointment_booked'
    where s.account_id = for_lead.account_id and s.name = for_lead.stage and s.kind = 'open' and s.position < goal.position)
  then
    perform crm.set_lead_stage(for_lead.id, 'appointment_booked', format('appointment %s', booked.id));
  end if;
  return booked;
end
$$;
comment on function crm.book_appointment(bigint, bigint, bigint, timestamptz, interval, bigint, text, text, text, text, text, text, jsonb, text, boolean) is
  'book an appointment for a contact or a lead (who moves to stage appointment_booked, if he is not past it). duration: default the service''s. resource: default the first that is free. '
  'timezone, locale: of the client, default as his contact says. outside_hours: although it is outside of business hours or too soon. '
  'Taken: SQLSTATE 23P01, outside of hours: 23514, both with the next free slots in the detail; the past and what is out of range: 22023; a missed appointment not forgiven yet: 55000; an id that is not there for you: P0002';

create or replace function crm.change_status(a crm.appointments, status text, reason text, by text) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  changed crm.appointments;
begin
  perform crm.check_transition(a.status, change_status.status);
  update crm.appointments o set status = change_status.status, status_reason = reason,
    status_changed_by = coalesce(by, crm.current_actor()), status_changed_at = clock_timestamp()
  where o.id = a.id returning o.* into changed;
  return changed;
end
$$;
comment on function crm.change_status(crm.appointments, text, text, text) is 'internal: another status, with who and why';

create or replace function crm.reschedule_appointment(
  id bigint, starts_at timestamptz, reason text = null, resource bigint = null, duration interval = null, by text = null) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  a crm.appointments := crm.appointment(id, true);
  asked crm.services;
  changed crm.appointments;
begin
  perform crm.check_transition(a.status, 'rescheduled');
  if starts_at is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'an appointment needs a start', hint = 'To put it off with no new time: crm.postpone_appointment().';
  end if;
  perform crm.check_duration(duration);
  if resource is not null then
    select s.* into asked from crm.services s where s.id = a.service_id;
    perform crm.resources_of(asked, resource);
  end if;
  update crm.appointments o set status = 'rescheduled', starts_at = reschedule_appointment.starts_at,
    ends_at = reschedule_appointment.starts_at + coalesce(duration, a.ends_at - a.starts_at),
    resource_id = coalesce(resource, a.resource_id), status_reason = reason,
    status_changed_by = coalesce(by, crm.current_actor()), status_changed_at = clock_timestamp()
  where o.id = a.id returning o.* into changed;
  return changed;
end
$$;
comment on function crm.reschedule_appointment(bigint, timestamptz, text, bigint, interval, text) is
  'move an appointment to another time, with its resource unless another is given, and its duration; reminders move with it. The errors are those of book_appointment()';

create or replace function crm.postpone_appointment(id bigint, reason text = null, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm.change_status(crm.appointment(id, true), 'postponed', reason, by)
$$;
comment on function crm.postpone_appointment(bigint, text, text) is 'put an appointment off, with no new time yet: its slot is free again; reschedule_appointment() gives it a new one';

create or replace function crm.cancel_appointment(id bigint, reason text = null, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm.change_status(crm.appointment(id, true), 'cancelled', reason, by)
$$;
comment on function crm.cancel_appointment(bigint, text, text) is 'call an appointment off, for good; by: who did, default crm.current_actor()';

create or replace function crm.confirm_appointment(id bigint, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm.change_status(crm.appointment(id, true), 'confirmed', null, by)
$$;
comment on function crm.confirm_appointment(bigint, text) is 'the client said that he comes';

create or replace function crm.record_attendance(
  id bigint, attended boolean, note text = null, correction boolean = false, by text = null) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.appointment(id, true);
begin
  if attended is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'whether the client came is not said', hint = 'true or false.';
  elsif a.status in ('completed', 'no_show') and (not correction or attended = (a.status = 'completed')) then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('the attendance of appointment %s is recorded already: %s', a.id, a.status),
      hint = 'To correct it: crm.record_attendance(..., correction => true) with the other value.';
  end if;
  return crm.change_status(a, case when attended then 'completed' else 'no_show' end, note, by);
end
$$;
comment on function crm.record_attendance(bigint, boolean, text, boolean, text) is
  'the client came (completed) or not (no_show, which blocks him from booking for a while); once the appointment has begun. correction: the other was recorded; a penalty is lifted with it';

create or replace function crm.lift_penalty(id bigint, reason text = null) returns crm.penalties
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lifted crm.penalties;
begin
  select p.* into lifted from crm.penalties p where p.id = lift_penalty.id and crm.visible(p.account_id);
  if lifted.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no penalty %s', coalesce(lift_penalty.id::text, '(null)')),
      hint = 'They are in crm.active_penalties.';
  end if;
  perform crm.check_writable(lifted.account_id);
  perform crm.check_text('the reason', lift_penalty.reason, 2000);
  update crm.penalties p set lifted_at = frontdesk.now(), lifted_by = crm.current_actor(), lift_reason = lift_penalty.reason
  where p.id = lift_penalty.id and p.lifted_at is null returning p.* into lifted;
  if not found then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('penalty %s is lifted already', lift_penalty.id);
  end if;
  return lifted;
end
$$;
comment on function crm.lift_penalty(bigint, text) is 'let a client book again before his penalty is over';
$crm$),
('45_appointment_events', $crm$-- Room 45, events of appointments: what the outside is told, once for each thing that happened.

create or replace function crm.appointment_payload(a crm.appointments) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
  select jsonb_build_object(
    'id', a.id, 'account_id', a.account_id, 'status', a.status, 'contact_id', a.contact_id, 'lead_id', a.lead_id,
    'name', c.name, 'email', c.email, 'phone', coalesce(c.phone, c.whatsapp), 'whatsapp', c.whatsapp, 'company', c.company, 'country', c.country,
    'service_id', a.service_id, 'service', s.name, 'resource_id', a.resource_id, 'resource', r.name,
    'starts_at', a.starts_at, 'ends_at', a.ends_at, 'duration_minutes', round(extract(epoch from a.ends_at - a.starts_at) / 60),
    'timezone', a.timezone, 'locale', a.locale,
    'local_starts_at', crm.local_time(a.starts_at, a.timezone), 'local_ends_at', crm.local_time(a.ends_at, a.timezone))
  || jsonb_build_object(
    'starts_at_text', frontdesk.format_time(a.starts_at, a.timezone, a.locale),
    'business_timezone', z.zone, 'business_starts_at_text', frontdesk.format_time(a.starts_at, z.zone, b.locale),
    'meeting_link', a.meeting_link, 'location', a.location, 'notes', a.notes, 'custom_attributes', a.custom_attributes, 'external_id', a.external_id,
    'attended', case a.status when 'completed' then true when 'no_show' then false end,
    'is_past', a.ends_at <= frontdesk.now(), 'reason', a.status_reason, 'changed_by', a.status_changed_by, 'revision', a.revision,
    'emitted_at', frontdesk.now())
  from crm.accounts b
  join crm.contacts c on c.id = a.contact_id
  join crm.services s on s.id = a.service_id
  join crm.resources r on r.id = a.resource_id
  cross join lateral (select coalesce(r.timezone, b.timezone)) z (zone)
  where b.id = a.account_id
$$;
comment on function crm.appointment_payload(crm.appointments) is
  'what a webhook says of an appointment: with its client, service and resource, its times in UTC, on the client''s clock, and in the client''s words. internal_notes are not in it';

create or replace function crm.record_change(a crm.appointments, old_status text, old_starts_at timestamptz) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.appointment_status_history (account_id, appointment_id, old_status, new_status, old_starts_at, new_starts_at, changed_by, reason)
  values (a.account_id, a.id, old_status, a.status, old_starts_at, a.starts_at, coalesce(a.status_changed_by, crm.current_actor()), a.status_reason)
$$;
comment on function crm.record_change(crm.appointments, text, timestamptz) is 'internal: one row of history';

create or replace function crm.record_outcome(a crm.appointments, old_status text) returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  blocked_until timestamptz;
begin
  if old_status = 'no_show' then
    update crm.penalties p set lifted_at = frontdesk.now(), lifted_by = a.status_changed_by, lift_reason = 'the attendance was corrected'
    where p.appointment_id = a.id and p.lifted_at is null;
  end if;
  if a.status not in ('completed', 'no_show') then
    return null;
  end if;
  insert into crm.appointment_attendance as o (appointment_id, account_id, attended, recorded_by, note)
  values (a.id, a.account_id, a.status = 'completed', a.status_changed_by, a.status_reason)
  on conflict (appointment_id) do update
  set attended = excluded.attended, recorded_at = clock_timestamp(), recorded_by = excluded.recorded_by, note = excluded.note, corrected = true;
  if a.status = 'no_show' then
    insert into crm.penalties as p (account_id, contact_id, appointment_id, starts_at, ends_at)
    select a.account_id, a.contact_id, a.id, frontdesk.now(), date_add(frontdesk.now(), coalesce(s.no_show_penalty, '1 month'), b.timezone)
    from crm.accounts b left join crm.appointment_settings s on s.account_id = b.id
    where b.id = a.account_id and coalesce(s.no_show_penalty, '1 month') > '0'
    returning p.ends_at into blocked_until;
  end if;
  return blocked_until;
end
$$;
comment on function crm.record_outcome(crm.appointments, text) is 'internal: attendance and penalty; returns until when the client is blocked';

create or replace function crm.appointment_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  what text;
  more jsonb := '{}';
  blocked_until timestamptz;
begin
  if tg_op = 'DELETE' then
    perform frontdesk.emit('appointment.deleted', jsonb_build_object('id', old.id, 'account_id', old.account_id, 'status', old.status,
      'contact_id', old.contact_id, 'starts_at', old.starts_at), old.id::text, old.account_id);
    return null;
  end if;
  if tg_op = 'INSERT' then
    perform crm.record_change(new, null, null);
    -- One that begins with its end was brought from elsewhere: there is nothing to tell.
    what := case when new.live then 'created' end;
    if not new.live then
      insert into crm.appointment_attendance (appointment_id, account_id, attended, recorded_by)
      select new.id, new.account_id, new.status = 'completed', new.created_by where new.status in ('completed', 'no_show');
    end if;
  elsif new.status is distinct from old.status or new.starts_at is distinct from old.starts_at then
    perform crm.record_change(new, old.status, old.starts_at);
    blocked_until := crm.record_outcome(new, old.status);
    what := new.status;
    more := jsonb_build_object('previous_status', old.status)
      || case when new.starts_at = old.starts_at then '{}' else jsonb_build_object('previous_starts_at', old.starts_at) end
      || case when new.status = 'no_show' then jsonb_build_object('blocked_until', blocked_until) else '{}' end;
  elsif new.revision <> old.revision then
    what := 'updated';
  end if;
  if tg_op = 'INSERT' then
    perform crm.plan_reminders(new) where new.live;
  elsif (new.live, new.starts_at, new.ends_at, new.service_id) is distinct from (old.live, old.starts_at, old.ends_at, old.service_id) then
    perform crm.plan_reminders(new);
  end if;
  perform frontdesk.emit('appointment.' || what, crm.appointment_payload(new) || more, new.id::text, new.account_id) where what is not null;
  return null;
end
$$;
comment on function crm.appointment_changed() is
  'trigger: history, attendance, penalty, reminders, and one event for what happened. With the rights of the owner of schema crm: members may not write these themselves, nor emit events';
create or replace trigger appointment_changed after insert or update or delete on crm.appointments
  for each row execute function crm.appointment_changed();
$crm$),
('46_reminders', $crm$-- Room 46, reminders: which, when, and what they say. The engine's timers keep the time.

create table if not exists crm.reminder_kinds (
  name text primary key check (name ~ '^[a-z][a-z_]{0,62}$'),
  anchor text not null check (anchor in ('start', 'end')),
  description text not null);
comment on table crm.reminder_kinds is 'what an appointment can remind of; its event is appointment.<name>';
comment on column crm.reminder_kinds.anchor is 'from where the offset counts';
insert into crm.reminder_kinds values
  ('reminder', 'start', 'the client is told that he has an appointment'),
  ('ended', 'end', 'the appointment is past'),
  ('follow_up', 'end', 'somebody is asked whether the client came')
on conflict do nothing;
select crm.protect_from_writing('crm.reminder_kinds', null);

create table if not exists crm.reminder_rules (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  service_id bigint,
  kind text not null references crm.reminder_kinds,
  "offset" interval not null,
  active boolean not null default true,
  send_late boolean not null default true,
  unique nulls not distinct (account_id, service_id, kind, "offset"),
  constraint reminder_rules_offset check (
    "offset" between '-1 year' and '1 year' and case when kind = 'reminder' then "offset" < '0' else "offset" >= '0' end),
  constraint reminder_rules_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id) on delete cascade);
comment on table crm.reminder_rules is 'when an account reminds: rows to change; those of a service are in place of the account''s of the same kind';
comment on column crm.reminder_rules.service_id is 'null: of all services that have no rules of this kind';
comment on column crm.reminder_rules."offset" is 'negative: before the start (reminder); else after the end';
comment on column crm.reminder_rules.send_late is 'who books too late for all reminders gets the last of them at once';
create index if not exists reminder_rules_account_idx on crm.reminder_rules (account_id);
select crm.protect('crm.reminder_rules');

create table if not exists crm.appointment_reminders (
  account_id uuid not null references crm.accounts on delete cascade,
  appointment_id bigint not null,
  rule_id bigint not null references crm.reminder_rules on delete cascade,
  kind text not null references crm.reminder_kinds,
  anchor_at timestamptz not null,
  due_at timestamptz not null,
  primary key (appointment_id, rule_id),
  constraint appointment_reminders_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_reminders is 'what is planned for live appointments, kept in step by triggers: one row for an appointment and rule, each with a timer';
comment on column crm.appointment_reminders.anchor_at is 'the start or end it belongs to';
create index if not exists appointment_reminders_rule_idx on crm.appointment_reminders (rule_id);
select crm.protect_from_writing('crm.appointment_reminders');

create or replace function crm.plan_reminders(a crm.appointments) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  this_moment timestamptz := frontdesk.now();
begin
  if not a.live then
    delete from crm.appointment_reminders m where m.appointment_id = a.id;
    return;
  end if;
  with rules as (
    select r.id, r.kind, r.send_late, k.anchor_at, date_add(k.anchor_at, r."offset", a.timezone) as due_at
    from crm.reminder_rules r
    cross join lateral (select case n.anchor when 'start' then a.starts_at else a.ends_at end from crm.reminder_kinds n where n.name = r.kind) k (anchor_at)
    where r.account_id = a.account_id and r.active
      and r.service_id is not distinct from (
        select max(o.service_id) from crm.reminder_rules o where o.account_id = a.account_id and o.service_id = a.service_id and o.kind = r.kind)),
  -- What is due already was told when it was due, if it belongs to this very time.
  kept as (
    select r.* from rules r join crm.appointment_reminders m on m.appointment_id = a.id and m.rule_id = r.id
    where r.due_at <= this_moment and m.anchor_at = r.anchor_at),
  ahead as (select r.* from rules r where r.due_at > this_moment),
  late as (
    select r.id, r.kind, r.send_late, r.anchor_at, this_moment as due_at from rules r
    where r.kind = 'reminder' and r.send_late and a.starts_at > this_moment
      and not exists (select from ahead o where o.kind = 'reminder') and not exists (select from kept o where o.kind = 'reminder')
    order by r.due_at desc limit 1),
  planned as (select * from ahead union all select * from late),
  gone as (
    delete from crm.appointment_reminders m
    where m.appointment_id = a.id and m.rule_id not in (select p.id from planned p union all select k.id from kept k))
  insert into crm.appointment_reminders as m (account_id, appointment_id, rule_id, kind, anchor_at, due_at)
  select a.account_id, a.id, p.id, p.kind, p.anchor_at, p.due_at from planned p
  on conflict (appointment_id, rule_id) do update set anchor_at = excluded.anchor_at, due_at = excluded.due_at
  where (m.anchor_at, m.due_at) is distinct from (excluded.anchor_at, excluded.due_at);
end
$$;
comment on function crm.plan_reminders(crm.appointments) is
  'internal: the reminders of an appointment as the rules are now. Those that lie ahead; when none does, the last one at once. None of an appointment that is not live';

create or replace function crm.reminder_payload(m crm.appointment_reminders) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments;
  this_moment timestamptz := frontdesk.now();
begin
  select o.* into a from crm.appointments o where o.id = m.appointment_id;
  -- Said too late it would be wrong.
  if not a.live or a.live is null or m.kind = 'reminder' and a.starts_at <= this_moment then
    return null;
  end if;
  return crm.appointment_payload(a) || jsonb_build_object('kind', m.kind)
    || case when m.kind = 'reminder' then jsonb_build_object('minutes_before', floor(extract(epoch from a.starts_at - this_moment) / 60))
       else jsonb_build_object('minutes_after', floor(extract(epoch from this_moment - a.ends_at) / 60)) end;
exception when others then
  -- One row must not end the rule for all: a time zone that the server has no more, a function somebody broke.
  return jsonb_build_object('id', m.appointment_id, 'account_id', m.account_id, 'kind', m.kind, 'status', a.status,
    'contact_id', a.contact_id, 'starts_at', a.starts_at, 'problem', sqlerrm);
end
$$;
comment on function crm.reminder_payload(crm.appointment_reminders) is
  'internal, called when a timer is due: what its event carries, read at that moment; null: the appointment is not live any more, or has begun';

create or replace function crm.reminder_rule_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account uuid := case when tg_op = 'DELETE' then old.account_id else new.account_id end;
begin
  perform crm.plan_reminders(a) from crm.appointments a
  where a.account_id = account and a.live and a.ends_at > frontdesk.now() - interval '1 day'
  order by a.id;
  return null;
end
$$;
comment on function crm.reminder_rule_changed() is 'trigger: what is planned follows the rules. With the rights of the owner of schema crm, as all that keeps the plan';
create or replace trigger reminder_rule_changed after insert or update or delete on crm.reminder_rules
  for each row execute function crm.reminder_rule_changed();

create or replace function crm.seed_reminder_rules(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.reminder_rules (account_id, kind, "offset")
  values (account, 'reminder', '-24 hours'), (account, 'reminder', '-1 hour'), (account, 'ended', '0'), (account, 'follow_up', '30 minutes')
  on conflict do nothing
$$;
comment on function crm.seed_reminder_rules(uuid) is 'internal: what every account begins with: 24 hours and 1 hour before the start, 30 minutes after the end';

create or replace function crm.reminders_account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.seed_reminder_rules(new.id);
  return null;
end
$$;
comment on function crm.reminders_account_added() is 'trigger: a new account reminds its clients';
create or replace trigger reminders_account_added after insert on crm.accounts for each row execute function crm.reminders_account_added();

do $$
declare
  kind text;
begin
  -- The first time: an account that has no rules later wants none.
  if not exists (select from frontdesk.reminders r where r.source = 'crm.appointment_reminders') then
    perform crm.seed_reminder_rules(a.id) from crm.accounts a where not exists (select from crm.reminder_rules r where r.account_id = a.id);
  end if;
  foreach kind in array '{reminder,ended,follow_up}'::text[] loop
    if not exists (select from frontdesk.reminders r where r.name = 'crm.appointment.' || kind) then
      perform frontdesk.remind('crm.appointment_reminders', 'due_at', '0', 'appointment.' || kind, jsonb_build_object('kind', kind),
        'crm.appointment.' || kind, tenant_column => 'account_id', payload => 'crm.reminder_payload(crm.appointment_reminders)');
    end if;
  end loop;
end
$$;
$crm$),
('47_appointment_reports', $crm$-- Room 47, reports of appointments, and their calendar files.

create or replace view crm.upcoming_appointments with (security_invoker = true) as
select a.id, a.account_id, a.status, a.starts_at, a.ends_at, crm.local_time(a.starts_at, a.timezone) as local_starts_at, a.timezone,
  a.starts_at - frontdesk.now() as starts_in, a.contact_id, c.name as contact, c.email, c.phone, a.lead_id, a.service_id, s.name as service,
  a.resource_id, r.name as resource, a.meeting_link, a.location, a.notes
from crm.appointments a
join crm.contacts c on c.id = a.contact_id
join crm.services s on s.id = a.service_id
join crm.resources r on r.id = a.resource_id
where a.live and a.ends_at > frontdesk.now()
order by a.starts_at, a.id;
comment on view crm.upcoming_appointments is 'live appointments that are not over, soonest first';

create or replace view crm.agenda with (security_invoker = true) as
select a.account_id, a.resource_id, r.name as resource, (a.starts_at at time zone z.zone)::date as day,
  a.starts_at at time zone z.zone as starts, a.ends_at at time zone z.zone as ends, z.zone as timezone, a.id, a.status, a.live,
  a.ends_at <= frontdesk.now() as is_past, a.contact_id, c.name as contact, coalesce(c.phone, c.whatsapp) as phone, s.name as service,
  a.meeting_link, a.location, a.notes, a.internal_notes
from crm.appointments a
join crm.accounts b on b.id = a.account_id
join crm.contacts c on c.id = a.contact_id
join crm.services s on s.id = a.service_id
join crm.resources r on r.id = a.resource_id
cross join lateral (select coalesce(r.timezone, b.timezone)) z (zone)
where a.status not in ('cancelled', 'postponed')
order by r.name, a.starts_at;
comment on view crm.agenda is 'each resource''s appointments, past and to come, on its own clock; cancelled and postponed ones are not in it';

create or replace view crm.active_penalties with (security_invoker = true) as
select p.id, p.account_id, p.contact_id, c.name as contact, c.email, c.phone, p.appointment_id, p.reason, p.starts_at, p.ends_at,
  ceil(extract(epoch from p.ends_at - frontdesk.now()) / 86400)::int as days_left
from crm.penalties p join crm.contacts c on c.id = p.contact_id
where p.lifted_at is null and p.ends_at > frontdesk.now();
comment on view crm.active_penalties is 'who cannot book, and for how many days more; lift_penalty() ends it';

create or replace function crm.appointment_stats("from" timestamptz = null, "to" timestamptz = null, account uuid = null,
  out total bigint, out scheduled bigint, out confirmed bigint, out rescheduled bigint, out postponed bigint, out cancelled bigint,
  out completed bigint, out no_show bigint, out upcoming bigint, out unresolved bigint, out moves bigint,
  out completion_rate numeric, out no_show_rate numeric, out cancellation_rate numeric, out hours_booked numeric)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where a.status = 'scheduled'), count(*) filter (where a.status = 'confirmed'),
    count(*) filter (where a.status = 'rescheduled'), count(*) filter (where a.status = 'postponed'),
    count(*) filter (where a.status = 'cancelled'), count(*) filter (where a.status = 'completed'), count(*) filter (where a.status = 'no_show'),
    count(*) filter (where a.live and a.ends_at > frontdesk.now()), count(*) filter (where a.live and a.ends_at <= frontdesk.now()),
    coalesce(sum(h.moves), 0)::bigint,
    round(100.0 * count(*) filter (where a.status = 'completed') / nullif(count(*) filter (where a.status in ('completed', 'no_show')), 0), 1),
    round(100.0 * count(*) filter (where a.status = 'no_show') / nullif(count(*) filter (where a.status in ('completed', 'no_show')), 0), 1),
    round(100.0 * count(*) filter (where a.status = 'cancelled') / nullif(count(*), 0), 1),
    round(coalesce(sum(extract(epoch from a.ends_at - a.starts_at)) filter (where a.live or a.status = 'completed'), 0) / 3600, 2)
  from crm.appointments a
  cross join lateral (select count(*) from crm.appointment_status_history h where h.appointment_id = a.id and h.new_status = 'rescheduled') h (moves)
  where a.starts_at >= coalesce(appointment_stats."from", frontdesk.now() - interval '30 days')
    and a.starts_at < coalesce(appointment_stats."to", frontdesk.now() + interval '30 days')
    and crm.visible(a.account_id) and (account is null or a.account_id = crm.use_account(account))
$$;
comment on function crm.appointment_stats(timestamptz, timestamptz, uuid) is
  'counts of the appointments that start between two moments (default: 30 days back to 30 days ahead), by status; upcoming and unresolved (over, and nobody said whether the client came); '
  'rates in percent: of those whose attendance is known, for cancellations of all. account: default all that you see';

create or replace function crm.ics_text(value text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select replace(replace(replace(
    regexp_replace(regexp_replace(replace(value, '\', '\\'), '\r\n?', E'\n', 'g'), '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '', 'g'),
    ';', '\;'), ',', '\,'), E'\n', '\n')
$$;
comment on function crm.ics_text(text) is 'internal: TEXT of RFC 5545, 3.3.11';

create or replace function crm.ics_fold(line text) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  octets bytea := convert_to(line, 'UTF8');
  folded text := '';
  at int := 1;
  cut int;
begin
  -- A continuation begins with a space, which counts.
  while length(octets) - at + 1 > 75 - (at > 1)::int loop
    cut := at + 75 - (at > 1)::int;
    -- Not within a character.
    while get_byte(octets, cut - 1) & 192 = 128 loop
      cut := cut - 1;
    end loop;
    folded := folded || convert_from(substring(octets from at for cut - at), 'UTF8') || E'\r\n ';
    at := cut;
  end loop;
  return folded || convert_from(substring(octets from at), 'UTF8');
end
$$;
comment on function crm.ics_fold(text) is 'internal: a content line of RFC 5545, 3.1, folded';

create or replace function crm.appointment_ics(id bigint, method text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.appointment(id);
  how text := upper(coalesce(method, case when a.status in ('cancelled', 'postponed') then 'CANCEL' else 'PUBLISH' end));
  written text := 'YYYYMMDD"T"HH24MISS"Z"';
begin
  if how not in ('PUBLISH', 'REQUEST', 'CANCEL') then
    raise exception using errcode = 'invalid_parameter_value', message = format('method "%s" is unknown', left(method, 100)), hint = 'PUBLISH, REQUEST or CANCEL.';
  end if;
  return (
    select string_agg(crm.ics_fold(l.line) || E'\r\n', '' order by l.n)
    from crm.services s, crm.contacts c, crm.accounts b, unnest(array[
      'BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//pg_frontdesk//crm//EN', 'CALSCALE:GREGORIAN', 'METHOD:' || how, 'BEGIN:VEVENT',
      format('UID:appointment-%s@%s', a.id, a.account_id),
      'DTSTAMP:' || to_char(a.updated_at at time zone 'UTC', written),
      'CREATED:' || to_char(a.created_at at time zone 'UTC', written),
      'LAST-MODIFIED:' || to_char(a.updated_at at time zone 'UTC', written),
      'DTSTART:' || to_char(a.starts_at at time zone 'UTC', written),
      'DTEND:' || to_char(a.ends_at at time zone 'UTC', written),
      'SEQUENCE:' || a.revision,
      'STATUS:' || case when how = 'CANCEL' or a.status in ('cancelled', 'postponed') then 'CANCELLED'
        when a.status in ('confirmed', 'completed', 'no_show') then 'CONFIRMED' else 'TENTATIVE' end,
      'SUMMARY:' || crm.ics_text(format('%s (%s)', s.name, b.name)),
      'DESCRIPTION:' || crm.ics_text(nullif(a.notes, '')),
      'LOCATION:' || crm.ics_text(coalesce(nullif(a.location, ''), a.meeting_link)),
      'URL:' || a.meeting_link,
      case when how <> 'PUBLISH' and c.email is not null and coalesce(b.settings->>'email', '') ~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$'
        then 'ORGANIZER:mailto:' || (b.settings->>'email') end,
      case when how <> 'PUBLISH' and c.email ~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$'
        then format('ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN="%s":mailto:%s', regexp_replace(coalesce(c.name, c.email), '["[:cntrl:]]', '', 'g'), c.email) end,
      'END:VEVENT', 'END:VCALENDAR']) with ordinality l (line, n)
    where s.id = a.service_id and c.id = a.contact_id and b.id = a.account_id and l.line is not null);
end
$$;
comment on function crm.appointment_ics(bigint, text) is
  'the appointment as a calendar file (RFC 5545), for a mail or a download. method: PUBLISH, REQUEST (the client is asked; the account''s settings->>''email'' is the organizer) or CANCEL; '
  'default PUBLISH, CANCEL for one that is cancelled. Its UID stays the same, and SEQUENCE grows, so a calendar that has it follows';
$crm$),
('48_appointment_samples', $crm$-- Room 48, a sample of appointments: part of install_crm(sample_data => true), see 90_sample.sql.

create or replace function crm.sample_40_appointments(account uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s record;
  this_lead bigint;
  this_service bigint;
  slot timestamptz;
  booked bigint;
begin
  insert into crm.services (account_id, name, duration, buffer_after, price) values
    (account, 'Revisión', '30 minutes', '10 minutes', 500), (account, 'Limpieza', '45 minutes', '15 minutes', 900),
    (account, 'Implante dental', '90 minutes', '30 minutes', 18000) on conflict do nothing;
  insert into crm.resources (account_id, name, kind) values
    (account, 'Dra. Paredes', 'person'), (account, 'Dr. Ibarra', 'person') on conflict do nothing;
  update crm.services v set active = false where v.account_id = account and v.name = 'Appointment' and v.active;
  update crm.resources r set active = false where r.account_id = account and r.name = 'Front desk' and r.active;
  insert into crm.business_hours (account_id, resource_id, weekday, opens, closes)
  select account, r.id, d, '12:00', '20:00' from crm.resources r cross join generate_series(2, 6) d
  where r.account_id = account and r.name = 'Dr. Ibarra' and not exists (select from crm.business_hours h where h.resource_id = r.id);
  for s in
    select * from (values
      (1, 'sample-5', 'Revisión', 'completed', -12), (2, 'sample-8', 'Limpieza', 'completed', -5), (3, 'sample-6', 'Limpieza', 'no_show', -30),
      (4, 'sample-10', 'Revisión', null, 1), (5, 'sample-2', 'Implante dental', null, 4), (6, 'sample-12', 'Implante dental', 'confirmed', 6)
    ) v (n, lead, service, status, days)
    where not exists (select from crm.appointments a where a.account_id = account and a.external_id = 'sample-' || v.n)
    order by v.n
  loop
    select l.id into this_lead from crm.leads l where l.account_id = account and l.external_id = s.lead;
    continue when not found;
    select v.id into this_service from crm.services v where v.account_id = account and v.name = s.service;
    if s.days < 0 then
      insert into crm.appointments (account_id, contact_id, lead_id, service_id, resource_id, status, starts_at, external_id)
      select account, crm.contact_of_lead(this_lead), this_lead, this_service, r.id, s.status,
        (date_trunc('day', frontdesk.now() at time zone b.timezone) + s.days * interval '1 day' + interval '11 hours') at time zone b.timezone, 'sample-' || s.n
      from crm.resources r join crm.accounts b on b.id = r.account_id where r.account_id = account and r.name = 'Dra. Paredes';
    else
      select lower(f) into slot from crm.free_slots(this_service, frontdesk.now() + s.days * interval '1 day',
        frontdesk.now() + (s.days + 10) * interval '1 day', step => '30 minutes') f limit 1;
      continue when slot is null;
      select b.id into booked from crm.book_appointment(lead => this_lead, service => this_service, starts_at => slot, external_id => 'sample-' || s.n) b;
      if s.status = 'confirmed' then
        perform crm.confirm_appointment(booked);
      end if;
    end if;
  end loop;
end
$$;
comment on function crm.sample_40_appointments(uuid) is 'sample data: two dentists, what they offer, and who was there or is to come';
$crm$),
('55_meta', $crm$-- Room 55, Meta: stages of leads as events of Meta's Conversions API. The rules are those of
-- developers.facebook.com/docs/marketing-api/conversions-api/parameters; where its text leaves open what a spelling
-- becomes, it is what Meta's own library (facebook/capi-param-builder) makes of it.

create table if not exists crm.meta_endpoints (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  pixel_id text not null check (pixel_id ~ '^[0-9]{1,20}$'),
  endpoint text not null unique,
  source_name text not null check (length(btrim(source_name)) between 1 and 100),
  min_score numeric not null default 0,
  require_consent boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (account_id, pixel_id));
comment on table crm.meta_endpoints is 'the pixels (datasets) that hear of an account''s leads; the token is with the endpoint''s secrets, not here';
comment on column crm.meta_endpoints.endpoint is 'the name in frontdesk.endpoints';
comment on column crm.meta_endpoints.source_name is 'lead_event_source: what Meta shows as the CRM the events come from';
comment on column crm.meta_endpoints.require_consent is 'true: only leads that consented; false: all but those that refused';
select crm.protect_from_writing('crm.meta_endpoints');

create table if not exists crm.meta_outcomes (
  name text primary key,
  description text not null);
insert into crm.meta_outcomes values
  ('queued', 'handed to the endpoint; frontdesk.explain_event() knows more'),
  ('no_consent', 'the lead did not consent; sent when it does, if that is within 7 days'),
  ('low_score', 'the score is below that of the endpoint'),
  ('no_identifier', 'nothing by which Meta could find the person'),
  ('too_old', 'older than the 7 days that Meta accepts')
on conflict do nothing;
select crm.protect_from_writing('crm.meta_outcomes', null);

create table if not exists crm.meta_events (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  pixel_id text not null,
  event_name text not null,
  event_id text not null,
  lead_id bigint,
  stage text not null,
  event_time timestamptz not null,
  outcome text not null references crm.meta_outcomes,
  frontdesk_event bigint,
  created_at timestamptz not null default clock_timestamp(),
  unique (account_id, pixel_id, event_name, event_id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete set null (lead_id));
comment on table crm.meta_events is 'what Meta was told, or not told, and why: one row for an event, nothing about the person';
comment on column crm.meta_events.event_id is 'Meta takes a second event of the same name and id for the first one';
comment on column crm.meta_events.frontdesk_event is 'frontdesk.event.id; null: nothing was sent';
create index if not exists meta_events_lead_idx on crm.meta_events (account_id, lead_id);
select crm.protect_from_writing('crm.meta_events');

create or replace function crm.us_state(name text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select '{"alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co", "connecticut": "ct",
    "delaware": "de", "districtofcolumbia": "dc", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id", "illinois": "il",
    "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la", "maine": "me", "maryland": "md",
    "massachusetts": "ma", "michigan": "mi", "minnesota": "mn", "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne",
    "nevada": "nv", "newhampshire": "nh", "newjersey": "nj", "newmexico": "nm", "newyork": "ny", "northcarolina": "nc",
    "northdakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or", "pennsylvania": "pa", "rhodeisland": "ri", "southcarolina": "sc",
    "southdakota": "sd", "tennessee": "tn", "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa",
    "westvirginia": "wv", "wisconsin": "wi", "wyoming": "wy", "puertorico": "pr", "guam": "gu", "virginislands": "vi",
    "americansamoa": "as", "northernmarianaislands": "mp"}'::jsonb->>name
$$;
comment on function crm.us_state(text) is 'internal: the ANSI abbreviation of a state of the US, both in lower case without spaces; null: none is called so';

create or replace function crm.meta_normalize(field text, value text, country text = null) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- The case and the classes of Unicode, whatever the database's locale is.
  lowered text := lower(regexp_replace(value, '^[[:space:]]+|[[:space:]]+$' collate pg_c_utf8, '', 'g') collate pg_c_utf8);
  bare text := regexp_replace(lowered, '[[:space:][:punct:]]' collate pg_c_utf8, '', 'g');
  digits text := regexp_replace(lowered, '[^0-9]', '', 'g');
begin
  return nullif(case field
    when 'em' then case when lowered ~ '^[^@[:space:]]+@[^@[:space:]]+$' then lowered end
    -- Without the plus: Meta hashes digits only.
    when 'ph' then case when length(ltrim(digits, '0')) between 7 and 15 then ltrim(digits, '0') end
    when 'fn' then bare
    when 'ln' then bare
    when 'ge' then case when bare in ('f', 'female') then 'f' when bare in ('m', 'male') then 'm' end
    when 'db' then case when digits ~ '^(19|20)[0-9]{6}$' and pg_input_is_valid(digits, 'date') then digits end
    when 'ct' then bare
    when 'st' then case when lower(country) in ('us', 'usa') then coalesce(crm.us_state(bare), bare) else bare end
    when 'zp' then case when length(split_part(lowered, '-', 1)) > 1 then
      left(regexp_replace(split_part(lowered, '-', 1), '[[:space:]]', '', 'g'), case when lower(country) in ('us', 'usa') then 5 else 100 end) end
    when 'country' then case when bare ~ '^[a-z]{2}$' then bare end
    when 'external_id' then regexp_replace(lowered, '[[:space:]]', '', 'g')
  end, '');
end
$$;
comment on function crm.meta_normalize(text, text, text) is
  'a field of user_data (em, ph, fn, ln, ge, db, ct, st, zp, country, external_id) as Meta wants it before it is hashed; null: there is nothing to send. country matters for states and postal codes of the US';

create or replace function crm.meta_hash(field text, value text, country text = null) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return case when btrim(value) ~ '^[0-9A-Fa-f]{64}$' then lower(btrim(value))
    else encode(sha256(convert_to(crm.meta_normalize(field, value, country), 'UTF8')), 'hex') end;
end
$$;
comment on function crm.meta_hash(text, text, text) is 'SHA-256 in hexadecimal of a normalised field; what is such a hash already stays one; null: there is nothing to send';

create or replace function crm.meta_user_data(l crm.leads) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Planned once in a session, not once for a lead.
  return (with name as (
    select coalesce(l.first_name, split_part(btrim(l.name), ' ', 1)) as first,
      coalesce(l.last_name, case when l.first_name is null then substring(btrim(l.name) from '^[^ ]+ +(.+)$') end) as last),
  hashed as (
    select h.field, crm.meta_hash(h.field, h.value, l.country) as value from name, lateral (values
      ('em', l.email), ('ph', coalesce(l.phone, l.whatsapp)), ('fn', name.first), ('ln', name.last), ('ct', l.city), ('st', l.region),
      ('zp', l.postal_code), ('country', l.country), ('ge', l.custom_attributes->>'gender'), ('db', l.custom_attributes->>'birth_date'),
      ('external_id', coalesce(l.external_id, l.client_reference, 'lead-' || l.id))) h (field, value)
    where h.value is not null)
  select (select jsonb_object_agg(h.field, jsonb_build_array(h.value)) from hashed h where h.value is not null)
    -- None of these is ever hashed.
    || jsonb_strip_nulls(jsonb_build_object(
      'client_ip_address', host(l.ip), 'client_user_agent', nullif(btrim(l.user_agent), ''),
      'fbp', case when l.fbp ~ '^fb\.[0-9]\.[0-9]+\.[0-9]+' then l.fbp end,
      'fbc', case when l.fbc ~ '^fb\.[0-9]\.[0-9]{13}\..' then l.fbc
        when l.fbclid <> '' then format('fb.1.%s.%s', floor(extract(epoch from l.created_at) * 1000), l.fbclid) end,
      -- Exports of Meta's lead ads write l:123.
      'lead_id', case when l.meta_lead_id ~ '^(l:)?[0-9]{1,18}$' then to_jsonb(substring(l.meta_lead_id from '[0-9]+')::bigint) end)));
end
$$;
comment on function crm.meta_user_data(crm.leads) is
  'user_data of a lead: hashed what Meta wants hashed, in clear what it must not be (IP, user agent, fbc, fbp, lead_id). Gender and date of birth come from custom_attributes gender and birth_date';

create or replace function crm.meta_is_known(user_data jsonb) returns boolean
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return user_data ?| '{em,ph,lead_id,fbc,fbp}' or user_data ?& '{client_ip_address,client_user_agent}';
end
$$;
comment on function crm.meta_is_known(jsonb) is 'whether user_data has something by which Meta can find a person; a city and a first name are no such thing';

create or replace function crm.meta_event(l crm.leads, stage text, at timestamptz, source_name text) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return (select jsonb_strip_nulls(jsonb_build_object(
    'event_name', s.meta_event,
    'event_time', floor(extract(epoch from at))::bigint,
    -- One lead reaches one stage once a day: who moves it back and forth tells Meta nothing new.
    'event_id', encode(sha256(convert_to(concat_ws('_', a.id, l.id, s.name, to_char(at at time zone a.timezone, 'YYYY-MM-DD')), 'UTF8')), 'hex'),
    'action_source', 'system_generated',
    'event_source_url', case when l.page_url ~ '^https?://[^[:space:]]+$' then l.page_url end,
    'user_data', crm.meta_user_data(l),
    'custom_data', jsonb_build_object('event_source', 'crm', 'lead_event_source', source_name, 'value', s.meta_value, 'currency', a.currency,
      'content_name', coalesce(l.service, l.form))))
  from crm.accounts a join crm.lead_stages s on s.account_id = a.id
  where a.id = l.account_id and s.name = meta_event.stage and s.meta_event is not null);
end
$$;
comment on function crm.meta_event(crm.leads, text, timestamptz, text) is
  'the event that tells Meta of a lead''s arrival in a stage, as it is sent; null: the stage has none. As in select crm.meta_event(l, l.stage, now(), ''test'') from crm.leads l';

create or replace function crm.tell_meta() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  w record;
  event jsonb;
  consent boolean := coalesce(new.consent, (select c.consent from crm.contacts c where c.id = new.contact_id));
  fate text;
  row_id bigint;
begin
  for w in
    select m.pixel_id, m.source_name, m.min_score, m.require_consent, t.stage, least(t.at, frontdesk.now()) as at
    from crm.meta_endpoints m cross join lateral (
      select new.stage, case tg_op when 'INSERT' then new.created_at else frontdesk.now() end as at
      where tg_op = 'INSERT' or new.stage <> old.stage
      union all
      select e.stage, e.event_time from crm.meta_events e
      where tg_op = 'UPDATE' and new.consent and old.consent is distinct from true
        and e.account_id = new.account_id and e.lead_id = new.id and e.pixel_id = m.pixel_id and e.outcome = 'no_consent') t
    where m.account_id = new.account_id
  loop
    event := crm.meta_event(new, w.stage, w.at, w.source_name);
    continue when event is null;
    fate := case
      when consent is false or w.require_consent and consent is not true then 'no_consent'
      when new.score < w.min_score then 'low_score'
      when w.at < frontdesk.now() - interval '7 days' then 'too_old'
      when not crm.meta_is_known(event->'user_data') then 'no_identifier'
      else 'queued' end;
    insert into crm.meta_events as e (account_id, pixel_id, event_name, event_id, lead_id, stage, event_time, outcome)
    values (new.account_id, w.pixel_id, event->>'event_name', event->>'event_id', new.id, w.stage, w.at, fate)
    on conflict (account_id, pixel_id, event_name, event_id) do update
    set outcome = excluded.outcome, event_time = excluded.event_time where e.outcome <> 'queued'
    returning e.id into row_id;
    if row_id is not null and fate = 'queued' then
      update crm.meta_events e set frontdesk_event = frontdesk.emit(
        format('meta.%s.%s', w.pixel_id, coalesce(nullif(btrim(left(regexp_replace(lower(e.event_name), '[^a-z0-9]+', '_', 'g'), 50), '_'), ''), 'event')),
        event, key => new.id::text, tenant => new.account_id)
      where e.id = row_id;
    end if;
    row_id := null;
  end loop;
  return null;
end
$$;
comment on function crm.tell_meta() is
  'trigger, made by the first add_meta_endpoint(): a lead that arrives in a stage with a Meta event becomes that event, once. Runs as its owner: members neither write meta_events nor emit events';

create or replace function crm.add_meta_endpoint(
  pixel_id text, access_token text, account uuid = null, test_event_code text = null, api_version text = 'v26.0',
  min_score numeric = 0, require_consent boolean = null, source_name text = 'pg_frontdesk', name text = null,
  url text = 'https://graph.facebook.com') returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  account := crm.use_account(account);
  pixel_id := btrim(pixel_id);
  if coalesce(pixel_id, '') !~ '^[0-9]{1,20}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no pixel id', pixel_id),
      hint = 'The number of the pixel or dataset, as Meta''s Events Manager shows it.';
  end if;
  if coalesce(btrim(access_token), '') !~ '^[!-~]+$' or length(access_token) not between 8 and 4000 then
    -- The token is not repeated: errors are written into the log.
    raise exception using errcode = 'invalid_parameter_value', message = 'this is no access token',
      hint = 'Events Manager, Settings, Conversions API, Generate access token; without spaces and line breaks.';
  end if;
  if coalesce(api_version, '') !~ '^v[0-9]{1,3}\.[0-9]{1,2}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no version of the Graph API', api_version),
      hint = 'As v26.0.';
  end if;
  if test_event_code !~ '^[A-Za-z0-9_-]{1,50}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no test event code', test_event_code),
      hint = 'As TEST12345, from the tab Test events.';
  end if;
  if exists (select from crm.meta_endpoints m where m.account_id = account and m.pixel_id = add_meta_endpoint.pixel_id) then
    raise exception using errcode = 'duplicate_object', message = format('pixel %s is told of this account''s leads already', pixel_id),
      hint = format('Remove it first: select crm.remove_meta_endpoint(%L);', pixel_id);
  end if;
  name := coalesce(name, 'meta-' || pixel_id);
  insert into crm.meta_endpoints (account_id, pixel_id, endpoint, source_name, min_score, require_consent)
  values (account, pixel_id, name, source_name, coalesce(min_score, 0),
    coalesce(require_consent, (select lower(a.settings->>'require_consent') = 'true' from crm.accounts a where a.id = account), false));
  perform frontdesk.add_endpoint(name, format('%s/%s/%s/events', rtrim(url, '/'), api_version, pixel_id),
    events => array[format('meta.%s.*', pixel_id)], tenant => account, signature => 'none',
    headers => jsonb_build_object('Authorization', 'Bearer ' || btrim(access_token)),
    payload => case when test_event_code is null then '{"data": [{{ data }}]}'
      else format('{"data": [{{ data }}], "test_event_code": "%s"}', test_event_code) end,
    -- Seven days is what Meta accepts: an older event would fail its request. An error 4xx is about the event, and final,
    -- unless it is about the token (190, 102), the permissions (10, 200), limits (4, 17, 32, 341, 613, 80004) or passes (1, 2).
    retry => '{"delays": ["5s", "1m", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h", "24h", "24h"],
      "final": {"status": {"$gte": 400, "$lt": 500}, "body.error.code": {"$nin": [1, 2, 4, 10, 17, 32, 102, 190, 200, 341, 613, 80004]},
        "body.error.is_transient": {"$ne": true}},
      "expires": "6d23h", "expires_from": "event_time"}');
  if not exists (select from pg_trigger t where t.tgrelid = 'crm.leads'::regclass and t.tgname = 'tell_meta') then
    -- Only now: without a pixel a lead costs nothing for it.
    create trigger tell_meta after insert or update of stage, consent on crm.leads for each row execute function crm.tell_meta();
  end if;
  return name;
end
$$;
comment on function crm.add_meta_endpoint(text, text, uuid, text, text, numeric, boolean, text, text, text) is
  'tell Meta''s Conversions API of this account''s leads: each arrival in a stage with a meta_event, hashed as Meta wants it. The token becomes a secret of the endpoint. '
  'test_event_code: events show up under Test events only. min_score: of leads to be told of. require_consent: default the account''s setting require_consent, else false. Returns the endpoint''s name; needs the rights of frontdesk.add_endpoint() and the ownership of crm.leads';

create or replace function crm.remove_meta_endpoint(pixel_id text, account uuid = null) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  gone text;
begin
  account := crm.use_account(account);
  delete from crm.meta_endpoints m where m.account_id = account and m.pixel_id = remove_meta_endpoint.pixel_id returning m.endpoint into gone;
  if gone is null then
    return false;
  end if;
  if exists (select from frontdesk.endpoints e where e.name = gone) then
    perform frontdesk.remove_endpoint(gone);
  end if;
  if not exists (select from crm.meta_endpoints) then
    drop trigger if exists tell_meta on crm.leads;
  end if;
  return true;
end
$$;
comment on function crm.remove_meta_endpoint(text, uuid) is 'tell this pixel of leads no more; false: it was not told. crm.meta_events stays';
$crm$),
('56_n8n', $crm$-- Room 56, n8n: an endpoint for a workflow that begins with a Webhook node.

create or replace function crm.n8n_payload(names text) returns text
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case names
    when 'english' then
      return 'standard';
    when 'spanish' then
      -- The names and words of the workflows this front desk takes over from: lead, reminder and follow-up in one.
      return $template${"evento": {{ type }}, "enviado_en": {{ timestamp }},
{% if "lead." in type -%}
"client_id": {{ data.client_reference | default(data.id | string) }}, "nombre": {{ data.name }}, "email": {{ data.email }},
"telefono": {{ data.phone }}, "servicio": {{ data.service }}, "empresa": {{ data.company }}, "fuente": {{ data.source }}, "pais": {{ data.country }},
"estado_lead": {{ {"new": "Nuevo Lead", "contacted": "Lead contactado", "qualified": "Lead calificado", "appointment_booked": "Cita agendada",
"in_negotiation": "En proceso de venta", "won": "Venta cerrada", "repeat": "Nueva Venta con el mismo cliente", "lost": "Descartado"}[data.stage] | default(data.stage) }},
"created_at": {{ data.created_at }}
{%- else -%}
"id": {{ data.id }}, "cita_id": {{ data.id }}, "client_id": {{ data.contact_id | string }}, "nombre": {{ data.name }}, "email": {{ data.email }},
"telefono": {{ data.phone }}, "servicio": {{ data.service }}, "resumen": {{ data.notes }}, "pais": {{ data.country }}, "empresa": {{ data.company }},
"estado": {{ {"scheduled": "cita agendada", "confirmed": "cita confirmada", "rescheduled": "cita reagendada", "postponed": "cita pospuesta",
"cancelled": "cita cancelada", "completed": "cita completada", "no_show": "no asistió"}[data.status] | default(data.status) }},
"fecha_cita": {{ data.starts_at }}, "fecha_cita_timezone_cliente": {{ data.local_starts_at }},
"fecha_cita_timezone_legible": {{ data.starts_at_text }}, "fecha_cita_legible": {{ data.business_starts_at_text }},
"duracion_minutos": {{ data.duration_minutes }}, "enlace_reunion": {{ data.meeting_link }},
"asistencia": {{ {"completed": "si_asistio", "no_show": "no_asistio"}[data.status] }}, "cita_pasada": {{ "cita_pasada" if data.is_past else "No" }},
"minutos_despues_cita": {{ data.minutes_after }}
{%- endif %}}$template$;
    else
      raise exception using errcode = 'invalid_parameter_value', message = format('names "%s" are unknown', left(names, 100)), hint = 'english or spanish.';
  end case;
end
$$;
comment on function crm.n8n_payload(text) is
  'the payload of an n8n endpoint: english (the standard one) or spanish (nombre, telefono, fecha_cita ..., as the workflows of the original had them)';

create or replace function crm.add_n8n_endpoint(
  url text, header_name text, header_value text,
  events text[] = '{lead.created,lead.touched,lead.score_changed,lead.won,appointment.*}', account uuid = null,
  names text = 'english', name text = 'n8n', signature text = 'standard') returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  account := crm.use_account(account);
  if header_name is null or coalesce(header_value, '') = '' then
    raise exception using errcode = 'null_value_not_allowed', message = 'the webhook would be open to everybody',
      hint = 'Give the name and the value of a credential Header Auth in n8n, and choose it in the Webhook node.';
  end if;
  if not frontdesk.is_credential(header_name) then
    -- Its value would stand in frontdesk.endpoints for everybody to read.
    raise exception using errcode = 'invalid_parameter_value', message = format('header "%s" does not look like a credential', left(header_name, 100)),
      hint = 'Use a name such as X-API-Key, X-N8N-Auth or Authorization: the values of those are kept with the secrets.';
  end if;
  return frontdesk.add_endpoint(name, url, events => events, tenant => account, payload => crm.n8n_payload(names), signature => signature,
    headers => jsonb_build_object(header_name, header_value),
    -- n8n answers when the workflow is over unless told otherwise.
    timeout_ms => 30000, max_in_flight => 16);
end
$$;
comment on function crm.add_n8n_endpoint(text, text, text, text[], uuid, text, text, text) is
  'send this account''s events to an n8n Webhook node with Header Auth; signed too, as add_endpoint() does. names: english, or spanish for the workflows of the original. Returns the signing secret';
$crm$),
('57_agent_tools', $crm$-- Room 57, tools of AI agents: what a model may call by name, with JSON in and JSON out. What the model says is not
-- trusted: it is validated, held to the agent's account, undone when it fails, and logged either way.

create table if not exists crm.tools (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  description text not null check (length(btrim(description)) between 1 and 1024),
  parameters jsonb not null check (parameters->>'type' = 'object'),
  handler text not null,
  available text,
  active boolean not null default true,
  shipped boolean not null default false,
  position int not null default 100);
comment on table crm.tools is 'what agents can call; a tool of your own is a row here and a function (crm.tool_context, arguments jsonb) returns jsonb';
comment on column crm.tools.description is 'for the model: what it does, and when to use it';
comment on column crm.tools.parameters is 'JSON Schema of the arguments; a property "service" with "enum": ["*"] gets the names of the account''s services there';
comment on column crm.tools.handler is 'the function that does it, with its schema; called with the rights of who calls call_tool()';
comment on column crm.tools.available is 'a function (account uuid) returns boolean: is the tool of any use there; null: always';
comment on column crm.tools.shipped is 'true: install_crm() keeps it up to date; set it to false to have your own wording';

create table if not exists crm.tool_switches (
  account_id uuid not null references crm.accounts on delete cascade,
  agent_id bigint not null,
  tool text not null references crm.tools on update cascade on delete cascade,
  enabled boolean not null,
  primary key (agent_id, tool),
  foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete cascade);
comment on table crm.tool_switches is 'which agent may not use which tool, or may; without a row he may';
select crm.protect('crm.tool_switches');

create table if not exists crm.tool_errors (
  code text primary key,
  sqlstates text[] not null default '{}',
  hint text not null);
comment on table crm.tool_errors is 'what can go wrong with a call, and what the model is told to do about it';
insert into crm.tool_errors values
  ('invalid_arguments', '{22023,22P02,22003,22004,22007,22008,2201W}', 'Correct the arguments named in details, and call the tool again. Ask the client for what you do not know.'),
  ('too_long', '{22001,54000}', 'Shorten the text, and call the tool again.'),
  ('unknown_tool', '{}', 'Call one of the tools in details.'),
  ('slot_taken', '{23P01}', 'Offer the client one of the times in details, or call find_slots.'),
  ('outside_business_hours', '{23514}', 'Offer the client one of the times in details, or call find_slots.'),
  ('not_found', '{P0002}', 'Ask the client for the number of the appointment and for the e-mail address or telephone number it was booked with.'),
  ('which_appointment', '{}', 'Ask the client which of the appointments in details is meant, and give its appointment_id.'),
  ('not_possible', '{55000}', 'Tell the client that this is not possible, and why.'),
  ('not_allowed', '{42501}', 'Tell the client that you cannot do this.'),
  ('try_again', '{40P01,55P03}', 'Call the tool again with the same arguments.'),
  ('internal_error', '{}', 'Tell the client that this does not work at the moment, and that somebody will see to it.')
on conflict do nothing;

create table if not exists crm.tool_calls (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  agent_id bigint not null,
  tool text not null,
  arguments jsonb,
  client jsonb,
  ok boolean not null,
  result jsonb,
  error jsonb,
  called_at timestamptz not null default clock_timestamp(),
  duration_ms numeric not null,
  called_by text not null default session_user,
  foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete cascade);
comment on table crm.tool_calls is 'every call, whatever became of it; what is larger than 64 kB is left out';
comment on column crm.tool_calls.client is 'who the application said that the agent talks with';
comment on column crm.tool_calls.error is 'what the model was told; sqlstate and cause of internal_error stand here only';
create index if not exists tool_calls_agent_idx on crm.tool_calls (agent_id, called_at);

-- Tools are code, so members only read them; a log that its subjects can change is none.
select crm.protect_from_writing('crm.tools', null);
select crm.protect_from_writing('crm.tool_errors', null);
select crm.protect_from_writing('crm.tool_calls');
do $$
begin
  if not exists (select from pg_policy where polrelid = 'crm.tool_calls'::regclass and polname = 'members_call') then
    create policy members_call on crm.tool_calls for insert with check (account_id in (select crm.my_accounts(true)));
  end if;
  if to_regtype('crm.tool_context') is null then
    create type crm.tool_context as (agent_id bigint, account_id uuid, timezone text, locale text, client jsonb);
    comment on type crm.tool_context is 'for whom a tool works: the agent, its account and nothing else; client: who the application says that the agent talks with, null: it does not say';
  end if;
end
$$;

create or replace function crm.check_tool() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_schema(new.parameters);
  if to_regprocedure(new.handler || '(crm.tool_context,jsonb)') is null then
    raise exception using errcode = 'undefined_function', message = format('there is no function %s(crm.tool_context, jsonb)', new.handler),
      hint = 'Give its name with the schema, as crm.tool_find_slots.';
  elsif (select p.prorettype <> 'jsonb'::regtype or p.proretset from pg_proc p where p.oid = to_regprocedure(new.handler || '(crm.tool_context,jsonb)')) then
    raise exception using errcode = 'datatype_mismatch', message = format('%s does not return jsonb', new.handler);
  elsif to_regprocedure(new.available || '(uuid)') is null and new.available is not null then
    raise exception using errcode = 'undefined_function', message = format('there is no function %s(uuid)', new.available);
  end if;
  -- As the catalogue writes them: what is executed later is a name and nothing else.
  new.handler := to_regprocedure(new.handler || '(crm.tool_context,jsonb)')::oid::regproc::text;
  new.available := to_regprocedure(new.available || '(uuid)')::oid::regproc::text;
  return new;
end
$$;
comment on function crm.check_tool() is 'trigger: the schema of a tool is one, and its function is there';
create or replace trigger check_tool before insert or update of parameters, handler, available on crm.tools
  for each row execute function crm.check_tool();

create or replace function crm.agent(id bigint) returns crm.agents
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.agents;
begin
  select a.* into found_one from crm.agents a
  where a.id = agent.id and (crm.current_user_id() is null or a.account_id in (select crm.my_accounts()));
  if found_one.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no agent %s', coalesce(agent.id::text, '(null)')),
      hint = 'They are in crm.agents.';
  elsif not found_one.active then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('agent "%s" is not active', found_one.name);
  end if;
  return found_one;
end
$$;
comment on function crm.agent(bigint) is 'this agent, if it is there for the current user, and active; otherwise an error';

create or replace function crm.tool_parameters(account uuid, parameters jsonb) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case when parameters #> '{properties,service,enum}' is distinct from '["*"]' then parameters
    -- None, or more than a model reads: any text, and the error says which there are.
    when s.number not between 1 and 100 then parameters #- '{properties,service,enum}'
    else jsonb_set(parameters, '{properties,service,enum}', s.names) end
  from (select count(*), jsonb_agg(v.name order by v.name) from crm.services v where v.account_id = account and v.active) s (number, names)
$$;
comment on function crm.tool_parameters(uuid, jsonb) is 'internal: the schema of a tool''s arguments, with the services that this account has';

create or replace function crm.tools_of(agent crm.agents) returns setof crm.tools
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  t crm.tools;
  is_available boolean;
begin
  for t in
    select o.* from crm.tools o left join crm.tool_switches s on s.agent_id = agent.id and s.tool = o.name
    where o.active and coalesce(s.enabled, true) order by o.position, o.name
  loop
    is_available := true;
    if t.available is not null then
      execute format('select %s($1)', t.available) into is_available using agent.account_id;
    end if;
    if is_available then
      t.parameters := crm.tool_parameters(agent.account_id, t.parameters);
      return next t;
    end if;
  end loop;
end
$$;
comment on function crm.tools_of(crm.agents) is 'internal: the tools that this agent may use';

create or replace function crm.agent_tools(agent_id bigint)
returns table (name text, description text, parameters jsonb, openai jsonb, anthropic jsonb)
stable language sql rows 10 set search_path = pg_catalog, pg_temp as $$
  select t.name, t.description, t.parameters,
    jsonb_build_object('type', 'function', 'function', jsonb_build_object('name', t.name, 'description', t.description, 'parameters', t.parameters)),
    jsonb_build_object('name', t.name, 'description', t.description, 'input_schema', t.parameters)
  from crm.tools_of(crm.agent(agent_id)) t
$$;
comment on function crm.agent_tools(bigint) is
  'the tools of an agent with the JSON Schemas of their arguments, and ready for OpenAI-compatible and Anthropic APIs: select jsonb_agg(openai) from crm.agent_tools(1). call_tool() executes what the model answers';

create or replace function crm.tool_error(code text, message text, details jsonb = null) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object('ok', false, 'error', jsonb_build_object('code', e.code, 'message', left(tool_error.message, 500),
    'hint', e.hint, 'details', details)))
  from crm.tool_errors e where e.code = tool_error.code
$$;
comment on function crm.tool_error(text, text, jsonb) is 'internal: what the model is told of a mistake';

create or replace function crm.refuse(code text, message text, details jsonb = null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'P0001', message = message, constraint = code, detail = coalesce(details::text, '');
end
$$;
comment on function crm.refuse(text, text, jsonb) is 'for handlers of tools: end the call with this error of crm.tool_errors; what the tool did is undone';

create or replace function crm.tool_failure(sqlstate text, "constraint" text, message text, detail text) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  what text := case when sqlstate = 'P0001' then "constraint"
    when sqlstate = '42501' and message like 'permission denied for %' then 'internal_error'
    when sqlstate = '23514' and "constraint" is distinct from 'appointments_business_hours' then 'invalid_arguments'
    else (select e.code from crm.tool_errors e where tool_failure.sqlstate = any (e.sqlstates)) end;
begin
  if not exists (select from crm.tool_errors e where e.code = what) or what = 'internal_error' then
    -- The model needs no knowledge of the database; the log has it.
    return crm.tool_error('internal_error', 'The tool failed for a reason of its own.');
  end if;
  return crm.tool_error(what, message, case
    when coalesce(detail, '') = '' then null when pg_input_is_valid(detail, 'jsonb') then detail::jsonb else to_jsonb(detail) end);
end
$$;
comment on function crm.tool_failure(text, text, text, text) is 'internal: what the model is told of an exception';

create or replace function crm.call_tool(agent_id bigint, name text, arguments jsonb = '{}', client jsonb = null) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  largest constant int := 65536;
  agent crm.agents := crm.agent(agent_id);
  tool crm.tools;
  context crm.tool_context;
  actor text := coalesce(current_setting('crm.actor', true), '');
  started timestamptz := clock_timestamp();
  given jsonb := arguments;
  mistakes jsonb;
  answer jsonb;
  result jsonb;
  problem record;
  state text; reason text; message_text text; detail_text text; constraint_text text;
begin
  perform crm.check_writable(agent.account_id);
  if jsonb_typeof(client) not in ('object', 'null') then
    raise exception using errcode = 'invalid_parameter_value', message = 'client is not a JSON object',
      hint = 'Who the agent talks with, as the channel knows him: {"phone": "+525512345678"}, {"email": ...}, {"lead_id": ...} or {"contact_id": ...}.';
  end if;
  select agent.id, agent.account_id, a.timezone, coalesce(agent.settings->>'locale', a.locale), nullif(client, 'null') into context
  from crm.accounts a where a.id = agent.account_id;
  select t.* into tool from crm.tools_of(agent) t where t.name = call_tool.name;
  -- Some models send the object as a text.
  if jsonb_typeof(given) = 'string' and pg_input_is_valid(given #>> '{}', 'jsonb') then
    given := (given #>> '{}')::jsonb;
  end if;
  given := coalesce(nullif(given, 'null'), '{}');
  if tool.name is null then
    answer := crm.tool_error('unknown_tool', format('There is no tool "%s".', left(name, 100)), (select jsonb_agg(t.name) from crm.tools_of(agent) t));
  elsif pg_column_size(given) > largest or octet_length(given::text) > largest then
    answer := crm.tool_error('too_long', format('The arguments have more than %s bytes.', largest));
  else
    select jsonb_agg(jsonb_build_object('path', v.path, 'message', v.message)) into mistakes from frontdesk.validate_json(tool.parameters, given) v;
    if mistakes is not null then
      answer := crm.tool_error('invalid_arguments', 'The arguments do not fit the schema of the tool.', mistakes);
    else
      perform set_config('crm.actor', 'agent ' || agent.name, true);
      begin
        execute format('select %s($1, $2)', tool.handler) into result using context, given;
        answer := jsonb_build_object('ok', true, 'result', coalesce(result, 'null'));
      exception when others then
        get stacked diagnostics state = returned_sqlstate, message_text = message_text, detail_text = pg_exception_detail,
          constraint_text = constraint_name;
        if state = '40001' then
          -- The whole transaction must be begun again.
          raise;
        end if;
        answer := crm.tool_failure(state, constraint_text, message_text, detail_text);
        if answer #>> '{error,code}' = 'internal_error' then
          reason := format('%s %s', state, message_text);
          raise warning using message = format('tool %s of agent "%s" failed: %s', tool.name, agent.name, message_text), errcode = state;
        end if;
      end;
      perform set_config('crm.actor', actor, true);
    end if;
  end if;
  insert into crm.tool_calls (account_id, agent_id, tool, arguments, client, ok, result, error, duration_ms)
  values (agent.account_id, agent.id, coalesce(left(name, 200), '(null)'), case when octet_length(given::text) <= largest then given end, context.client,
    (answer->>'ok')::boolean, case when octet_length((answer->'result')::text) <= largest then answer->'result' end,
    (answer->'error') || case when reason is null then '{}' else jsonb_build_object('cause', reason) end,
    round(extract(epoch from clock_timestamp() - started) * 1000, 3));
  return answer;
end
$$;
comment on function crm.call_tool(bigint, text, jsonb, jsonb) is
  'execute what a model asks for: {"ok": true, "result": ...} or {"ok": false, "error": {"code", "message", "hint", "details"}}, for the model to act on; it raises for mistakes of the caller only. '
  'arguments come from the model. client comes from your application: who the agent talks with, as the channel knows him ({"phone": ...}, {"email": ...}, {"lead_id": ...}, {"contact_id": ...}); '
  'with it tools touch only what is that client''s. Everything is logged in crm.tool_calls; a failed call is undone';
$crm$),
('58_tools', $crm$-- Room 58, the tools that come with the front desk: slots, appointments, leads, knowledge.

create or replace function crm.tool_moment(what text, moment text, timezone text, whole_day boolean = false) returns timestamptz
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if moment is null then
    return null;
  elsif moment ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and not whole_day then
    perform crm.refuse('invalid_arguments', format('%s has no time of day: %s', what, moment));
  elsif moment ~* '(z|[+-][0-9]{2}:?[0-9]{2})$' and moment !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
    if pg_input_is_valid(moment, 'timestamptz') then
      return moment::timestamptz;
    end if;
  elsif pg_input_is_valid(moment, 'timestamp') then
    -- What models write without an offset is meant on the client's clock.
    return moment::timestamp at time zone timezone;
  end if;
  perform crm.refuse('invalid_arguments', format('%s is no moment: %s', what, moment));
end
$$;
comment on function crm.tool_moment(text, text, text, boolean) is 'internal: a moment as a model writes it; without an offset it is in that time zone';

create or replace function crm.tool_timezone(context crm.tool_context, arguments jsonb) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(arguments->>'timezone') where arguments ? 'timezone';
  return coalesce(arguments->>'timezone', context.client->>'timezone', context.timezone);
end
$$;
comment on function crm.tool_timezone(crm.tool_context, jsonb) is 'internal: the clock that a call is about: of its arguments, the client, the account';

create or replace function crm.tool_service(context crm.tool_context, arguments jsonb) returns bigint
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  ids bigint[] := array(
    select s.id from crm.services s where s.account_id = context.account_id and s.active
      and (not arguments ? 'service' or s.name = arguments->>'service'));
begin
  if cardinality(ids) <> 1 then
    perform crm.refuse('invalid_arguments', case when cardinality(ids) = 0 then 'There is no such service.' else 'Which service is not said.' end,
      (select jsonb_agg(s.name order by s.name) from (select v.name from crm.services v where v.account_id = context.account_id and v.active order by v.name limit 100) s));
  end if;
  return ids[1];
end
$$;
comment on function crm.tool_service(crm.tool_context, jsonb) is 'internal: the service by its name; the only one when none is named';

create or replace function crm.tool_resource(context crm.tool_context, arguments jsonb) returns bigint
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  id bigint := (select r.id from crm.resources r where r.account_id = context.account_id and r.active and r.name = arguments->>'resource');
begin
  if id is null and arguments ? 'resource' then
    perform crm.refuse('invalid_arguments', 'There is no such resource.',
      (select jsonb_agg(s.name order by s.name) from (select v.name from crm.resources v where v.account_id = context.account_id and v.active order by v.name limit 100) s));
  end if;
  return id;
end
$$;
comment on function crm.tool_resource(crm.tool_context, jsonb) is 'internal: the resource by its name; null when none is named';

create or replace function crm.tool_contacts(context crm.tool_context, arguments jsonb) returns bigint[]
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What the channel says counts; what the model says only where the channel says nothing.
  who jsonb := coalesce(context.client, arguments);
  email_address text := frontdesk.normalize_email(who->>'email', false);
  numbers text[] := array(
    select crm.phone_number(n, context.account_id, null, false) from unnest(array[who->>'phone', who->>'whatsapp']) n where n is not null);
begin
  return array(
    select c.id from crm.contacts c
    where c.account_id = context.account_id and (
      c.email = email_address or c.phone = any (numbers) or c.whatsapp = any (numbers)
      or c.messenger = context.client->>'messenger' or c.instagram = context.client->>'instagram' or c.telegram = context.client->>'telegram'
      or c.id::text = context.client->>'contact_id'
      or c.id = (select l.contact_id from crm.leads l where l.account_id = context.account_id and l.id::text = context.client->>'lead_id'))
    order by c.id);
end
$$;
comment on function crm.tool_contacts(crm.tool_context, jsonb) is
  'internal: the contacts that the client of this call is: as the application says, else by the e-mail address or telephone number that the model gives';

create or replace function crm.tool_appointment(context crm.tool_context, arguments jsonb) returns crm.appointments
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  contacts bigint[] := crm.tool_contacts(context, arguments);
  found_ones crm.appointments[];
begin
  if context.client is null and not arguments ?| '{email,phone}' then
    perform crm.refuse('invalid_arguments', 'The e-mail address or telephone number that the appointment was booked with is missing.');
  elsif context.client is null and not arguments ? 'appointment_id' then
    -- Who is only named, not known, is told of no appointments.
    perform crm.refuse('invalid_arguments', 'appointment_id is missing.');
  end if;
  found_ones := array(
    select a from crm.appointments a
    where a.account_id = context.account_id and a.contact_id = any (contacts)
      and case when arguments ? 'appointment_id' then a.id::text = arguments->>'appointment_id'
        else (a.live or a.status = 'postponed') and a.ends_at > frontdesk.now() end
    order by a.starts_at limit 20);
  if cardinality(found_ones) = 0 then
    perform crm.refuse('not_found', 'This client has no such appointment.');
  elsif cardinality(found_ones) > 1 then
    perform crm.refuse('which_appointment', format('This client has %s appointments.', cardinality(found_ones)),
      (select jsonb_agg(jsonb_build_object('appointment_id', a.id, 'starts_at', crm.local_time(a.starts_at, a.timezone),
        'service', (select s.name from crm.services s where s.id = a.service_id)) order by a.starts_at) from unnest(found_ones) a));
  end if;
  return found_ones[1];
end
$$;
comment on function crm.tool_appointment(crm.tool_context, jsonb) is
  'internal: the appointment that a call is about, if it is that client''s. Of others nothing is said, not even that they are there';

create or replace function crm.tool_result(a crm.appointments) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object('appointment_id', a.id, 'status', p->'status', 'service', p->'service', 'resource', p->'resource',
    'starts_at', p->'local_starts_at', 'ends_at', p->'local_ends_at', 'timezone', p->'timezone', 'text', p->'starts_at_text',
    'meeting_link', p->'meeting_link', 'location', p->'location'))
  from crm.appointment_payload(a) p
$$;
comment on function crm.tool_result(crm.appointments) is 'internal: what a model is told of an appointment: nothing about the client that it does not know';

create or replace function crm.tool_find_slots(context crm.tool_context, arguments jsonb) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  zone text := crm.tool_timezone(context, arguments);
  service bigint := crm.tool_service(context, arguments);
  first timestamptz := greatest(crm.tool_moment('from', arguments->>'from', zone, true), frontdesk.now());
  last timestamptz := coalesce(
    -- A day as the end is the whole of it.
    crm.tool_moment('to', arguments->>'to', zone, true) + case when arguments->>'to' ~ '^[0-9-]{10}$' then interval '1 day' else '0' end,
    first + interval '7 days');
  how_many int := coalesce((arguments->>'limit')::int, 10);
  slots jsonb;
begin
  if last - first > interval '62 days' then
    perform crm.refuse('invalid_arguments', 'From and to are more than 62 days apart.');
  end if;
  select jsonb_agg(jsonb_build_object('starts_at', crm.local_time(s.starts_at, zone), 'ends_at', crm.local_time(s.ends_at, zone),
    'text', s.local_text, 'resources', s.resources) order by s.starts_at)
  into slots
  from (
    select lower(f.slot) as starts_at, upper(f.slot) as ends_at, min(f.local_text) as local_text, jsonb_agg(f.resource_name order by f.resource_name) as resources
    from crm.available_slots(service, first, last, zone, crm.tool_resource(context, arguments),
      make_interval(mins => coalesce((arguments->>'step_minutes')::int, 30)), make_interval(mins => (arguments->>'duration_minutes')::int), context.locale) f
    group by f.slot order by f.slot limit how_many + 1) s;
  return jsonb_build_object('timezone', zone, 'slots', coalesce((select jsonb_agg(s order by n) from jsonb_array_elements(slots) with ordinality e (s, n) where n <= how_many), '[]'),
    'more', coalesce(jsonb_array_length(slots), 0) > how_many);
end
$$;
comment on function crm.tool_find_slots(crm.tool_context, jsonb) is 'tool: free times, on the client''s clock and in words';

create or replace function crm.tool_lead(context crm.tool_context, arguments jsonb) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  known crm.leads;
  given jsonb;
begin
  if context.client ? 'lead_id' then
    select l.* into known from crm.leads l where l.account_id = context.account_id and l.id::text = context.client->>'lead_id';
    if known.id is null then
      raise exception using errcode = 'no_data_found', message = format('there is no lead %s', left(context.client->>'lead_id', 40));
    end if;
  end if;
  -- Of identities the channel's count: the model cannot give the client those of somebody else.
  given := case when context.client is null then arguments
    else arguments - '{email,phone,whatsapp,messenger,instagram,telegram}'::text[]
      || coalesce((select jsonb_object_agg(c.key, c.value) from jsonb_each(context.client) c
          where c.key in ('email', 'phone', 'whatsapp', 'messenger', 'instagram', 'telegram', 'external_id', 'language', 'timezone')), '{}') end;
  given := given || jsonb_build_object('account_id', context.account_id, 'source', 'agent', 'source_detail', (select a.name from crm.agents a where a.id = context.agent_id))
    || case when known.id is null then '{}' else jsonb_strip_nulls(jsonb_build_object('email', known.email, 'phone', known.phone, 'whatsapp', known.whatsapp,
      'messenger', known.messenger, 'instagram', known.instagram, 'telegram', known.telegram)) end;
  if not given ?| '{email,phone,whatsapp,messenger,instagram,telegram}' then
    perform crm.refuse('invalid_arguments', 'An e-mail address or a telephone number of the client is missing.');
  end if;
  return crm.upsert_lead(given);
end
$$;
comment on function crm.tool_lead(crm.tool_context, jsonb) is 'internal: the lead of a call''s client, made or touched';

create or replace function crm.tool_upsert_lead(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm.tool_lead(context, arguments);
begin
  return jsonb_build_object('lead_id', lead.id, 'new', lead.touches <= 1);
end
$$;
comment on function crm.tool_upsert_lead(crm.tool_context, jsonb) is 'tool: who the client is and what he wants. Nothing that is known of him comes back';

create or replace function crm.tool_book_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  zone text := crm.tool_timezone(context, arguments);
  service bigint := crm.tool_service(context, arguments);
  resource bigint := crm.tool_resource(context, arguments);
  starts_at timestamptz := crm.tool_moment('starts_at', arguments->>'starts_at', zone);
  contact bigint;
  lead crm.leads;
  booked crm.appointments;
begin
  if context.client ? 'contact_id' then
    select c.id into contact from crm.contacts c where c.account_id = context.account_id and c.id::text = context.client->>'contact_id';
    if contact is null then
      raise exception using errcode = 'no_data_found', message = format('there is no contact %s', left(context.client->>'contact_id', 40));
    end if;
  else
    lead := crm.tool_lead(context, arguments - '{starts_at,timezone,duration_minutes,resource,notes}'::text[]);
  end if;
  booked := crm.book_appointment(contact => contact, lead => lead.id, service => service, starts_at => starts_at,
    duration => make_interval(mins => (arguments->>'duration_minutes')::int), resource => resource, timezone => zone, notes => arguments->>'notes');
  return crm.tool_result(booked);
end
$$;
comment on function crm.tool_book_appointment(crm.tool_context, jsonb) is 'tool: book; the client becomes a lead if he is none';

create or replace function crm.tool_reschedule_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.tool_appointment(context, arguments);
  zone text := coalesce(arguments->>'timezone', a.timezone);
begin
  perform frontdesk.check_timezone(zone);
  a := crm.reschedule_appointment(a.id, crm.tool_moment('starts_at', arguments->>'starts_at', zone), arguments->>'reason');
  return crm.tool_result(a);
end
$$;
comment on function crm.tool_reschedule_appointment(crm.tool_context, jsonb) is 'tool: another time for an appointment of the client';

create or replace function crm.tool_cancel_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.tool_appointment(context, arguments);
begin
  a := crm.cancel_appointment(a.id, arguments->>'reason');
  return crm.tool_result(a);
end
$$;
comment on function crm.tool_cancel_appointment(crm.tool_context, jsonb) is 'tool: call off an appointment of the client';

create or replace function crm.has_knowledge(account uuid) returns boolean
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  is_there boolean := false;
begin
  if exists (select from pg_proc p where p.pronamespace = to_regnamespace('crm') and p.proname = 'hybrid_search') and to_regclass('crm.documents') is not null then
    execute 'select exists (select from crm.documents d where d.account_id = $1)' into is_there using account;
  end if;
  return is_there;
end
$$;
comment on function crm.has_knowledge(uuid) is 'whether the account has documents that search_knowledge can search';

create or replace function crm.tool_search_knowledge(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  passages jsonb;
begin
  execute 'select jsonb_agg(jsonb_build_object(''title'', h.title, ''passage'', h.content) order by h.n)
    from (select x.title, x.content, row_number() over () as n from crm.hybrid_search($1, count => $2, account => $3) x) h'
  into passages using arguments->>'query', coalesce((arguments->>'limit')::int, 5), context.account_id;
  return jsonb_build_object('passages', coalesce(passages, '[]'));
end
$$;
comment on function crm.tool_search_knowledge(crm.tool_context, jsonb) is 'tool: passages of the account''s documents that answer a question';

insert into crm.tools as t (name, description, parameters, handler, available, shipped, position)
select v.name, v.description, v.parameters::jsonb, 'crm.tool_' || v.name, v.available, true, v.position
from (values
  ('find_slots', 'Find free times for an appointment. Call it before offering times to the client; offer only what it returns.',
   '{"type": "object", "properties": {
      "service": {"type": "string", "enum": ["*"], "description": "What the client wants to book"},
      "from": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$", "description": "Earliest start, ISO 8601 date or date and time; default now"},
      "to": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$", "description": "Latest end, ISO 8601; a date includes that day; default a week after from"},
      "timezone": {"type": "string", "maxLength": 64, "description": "The client''s time zone, as Europe/Madrid; times without an offset are in it"},
      "resource": {"type": "string", "maxLength": 200, "description": "A certain person or room, by name"},
      "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 1440, "description": "Default: as long as the service takes"},
      "step_minutes": {"type": "integer", "minimum": 5, "maximum": 1440, "description": "Distance of the starts; default 30"},
      "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many; default 10"}},
    "additionalProperties": false}', null, 10),
  ('book_appointment', 'Book an appointment at a time that find_slots returned, once the client has agreed to it. Needs the client''s name and e-mail address or telephone number.',
   '{"type": "object", "properties": {
      "starts_at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?$", "description": "Start, ISO 8601 with offset, as find_slots returned it"},
      "service": {"type": "string", "enum": ["*"], "description": "What the client books"},
      "name": {"type": "string", "minLength": 1, "maxLength": 300, "description": "The client''s name"},
      "email": {"type": "string", "maxLength": 320, "description": "The client''s e-mail address"},
      "phone": {"type": "string", "maxLength": 40, "description": "The client''s telephone number, with country code"},
      "timezone": {"type": "string", "maxLength": 64, "description": "The client''s time zone, as Europe/Madrid"},
      "resource": {"type": "string", "maxLength": 200, "description": "A certain person or room, by name"},
      "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 1440},
      "notes": {"type": "string", "maxLength": 4000, "description": "What the client wants to say about it"}},
    "required": ["starts_at"], "additionalProperties": false}', null, 20),
  ('reschedule_appointment', 'Move an appointment of the client to another time that find_slots returned.',
   '{"type": "object", "properties": {
      "appointment_id": {"type": "integer", "minimum": 1, "description": "Number of the appointment"},
      "starts_at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?$", "description": "New start, ISO 8601 with offset"},
      "email": {"type": "string", "maxLength": 320, "description": "The e-mail address it was booked with"},
      "phone": {"type": "string", "maxLength": 40, "description": "The telephone number it was booked with"},
      "timezone": {"type": "string", "maxLength": 64},
      "reason": {"type": "string", "maxLength": 1000}},
    "required": ["starts_at"], "additionalProperties": false}', null, 30),
  ('cancel_appointment', 'Cancel an appointment of the client, once the client has confirmed that it is to be cancelled.',
   '{"type": "object", "properties": {
      "appointment_id": {"type": "integer", "minimum": 1, "description": "Number of the appointment"},
      "email": {"type": "string", "maxLength": 320, "description": "The e-mail address it was booked with"},
      "phone": {"type": "string", "maxLength": 40, "description": "The telephone number it was booked with"},
      "reason": {"type": "string", "maxLength": 1000, "description": "Why, in the client''s words"}},
    "additionalProperties": false}', null, 40),
  ('upsert_lead', 'Record who the client is and what he wants, as soon as you know his e-mail address or telephone number.',
   '{"type": "object", "properties": {
      "name": {"type": "string", "minLength": 1, "maxLength": 300},
      "email": {"type": "string", "maxLength": 320},
      "phone": {"type": "string", "maxLength": 40, "description": "With country code"},
      "company": {"type": "string", "maxLength": 300},
      "service": {"type": "string", "maxLength": 200, "description": "What he asks for"},
      "message": {"type": "string", "maxLength": 8000, "description": "What he wants, in his words"},
      "budget": {"type": "number", "minimum": 0},
      "country": {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "ISO 3166-1, two letters"},
      "city": {"type": "string", "maxLength": 200},
      "language": {"type": "string", "maxLength": 35, "description": "As en or es-MX"},
      "timezone": {"type": "string", "maxLength": 64},
      "consent": {"type": "boolean", "description": "The client agreed that his data is used for advertising; only if he was asked"}},
    "additionalProperties": false}', null, 50),
  ('search_knowledge', 'Search the documents of the business. Answer questions about it from the passages only.',
   '{"type": "object", "properties": {
      "query": {"type": "string", "minLength": 2, "maxLength": 1000, "description": "The question"},
      "limit": {"type": "integer", "minimum": 1, "maximum": 20, "description": "How many passages; default 5"}},
    "required": ["query"], "additionalProperties": false}', 'crm.has_knowledge', 60)) v (name, description, parameters, available, position)
on conflict (name) do update
set description = excluded.description, parameters = excluded.parameters, handler = excluded.handler, available = excluded.available, position = excluded.position
where t.shipped;
$crm$),
('60_documents', $crm$-- Room 60, documents: what the business knows, its passages, and the vectors they are found by.
--
-- A document has a vector of its own (documents.embedding, given by the application) or passages (document_chunks,
-- embedded by the engine), never both: whoever embeds by itself writes the first, frontdesk.embed_table() works on the
-- second. documents.embedding has the dimensions of the installation (see set_document_dimensions), chunks those of
-- their account (crm.knowledge_settings).

create table if not exists crm.knowledge_settings (
  account_id uuid primary key references crm.accounts on delete cascade,
  model text not null default 'text-embedding-3-small' check (model <> ''),
  dimensions int not null default 1536 check (dimensions between 1 and 4096),
  chunk_size int not null default 1000 check (chunk_size between 50 and 100000),
  chunk_overlap int not null default 100 check (chunk_overlap >= 0),
  updated_at timestamptz not null default clock_timestamp(),
  check (chunk_overlap < chunk_size));
comment on table crm.knowledge_settings is 'how the documents of an account are cut and embedded; change it with crm.configure_knowledge()';
comment on column crm.knowledge_settings.model is 'the embedding model whose vectors are stored: those of two models cannot be compared';
comment on column crm.knowledge_settings.dimensions is 'of every vector of the account; an index of more than 2000 holds half precision';
comment on column crm.knowledge_settings.chunk_size is 'characters of a passage at most';
comment on column crm.knowledge_settings.chunk_overlap is 'characters that a passage repeats of the one before at most';
create or replace trigger touch before update on crm.knowledge_settings for each row execute function crm.touch();

create table if not exists crm.document_categories (
  account_id uuid not null references crm.accounts on delete cascade,
  name varchar(50) not null check (name <> ''),
  description text not null default '',
  primary key (account_id, name));
comment on table crm.document_categories is 'what documents of an account are about';

create table if not exists crm.document_sources (
  name varchar(50) primary key,
  description text not null);
comment on table crm.document_sources is 'where a document came from';
insert into crm.document_sources values
  ('pdf', 'a PDF file'), ('webpage', 'a page of a web site'), ('manual', 'written by hand'), ('api', 'another system')
on conflict do nothing;

create table if not exists crm.documents (
  id bigint generated always as identity primary key,
  account_id uuid not null default crm.use_account() references crm.accounts on delete cascade,
  content text not null check (content ~ '\S'),
  title varchar(500),
  embedding @schema:vector@.vector(1536),
  metadata jsonb not null default '{}',
  category varchar(50),
  source_type varchar(50) references crm.document_sources,
  source_url varchar(1000),
  source_file_name varchar(255),
  language text not null check (language ~ '^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),
  version int not null default 1 check (version > 0),
  is_active boolean not null default true,
  superseded_by bigint unique,
  content_hash bytea not null,
  words tsvector not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  foreign key (account_id, category) references crm.document_categories on update cascade,
  constraint documents_metadata_object check (jsonb_typeof(metadata) = 'object'),
  constraint documents_superseded_inactive check (superseded_by is null or not is_active),
  -- The cosine of a vector without a direction is no number, and its row would never be found.
  constraint documents_embedding_direction check (embedding is null or @schema:vector@.vector_norm(embedding) > 0));
comment on table crm.documents is
  'what the business knows: policies, products, answers. Replaced versions are kept with is_active = false and not searched. Write with crm.add_document(), or plainly';
comment on column crm.documents.embedding is 'the vector of the whole content, where the application made one; otherwise the document has passages in crm.document_chunks';
comment on column crm.documents.language is 'of the content, as in BCP 47; not said: the account''s';
comment on column crm.documents.superseded_by is 'the next version';
comment on column crm.documents.content_hash is 'SHA-256 of the content';
comment on column crm.documents.words is 'for text search, of title and content in their language';

create index if not exists documents_account_idx on crm.documents (account_id, is_active);
create index if not exists documents_category_idx on crm.documents (category);
create index if not exists documents_metadata_idx on crm.documents using gin (metadata);
create index if not exists documents_hash_idx on crm.documents (account_id, content_hash);
create index if not exists documents_created_idx on crm.documents (created_at desc);
create index if not exists documents_words_idx on crm.documents using gin (words);
-- The last, as with crm.leads.
create unique index if not exists documents_account_id_id_key on crm.documents (account_id, id);
do $$
begin
  if not exists (select from pg_constraint where conrelid = 'crm.documents'::regclass and conname = 'documents_superseded_fkey') then
    alter table crm.documents add constraint documents_superseded_fkey
      foreign key (account_id, superseded_by) references crm.documents (account_id, id) deferrable initially deferred;
  end if;
end
$$;

create table if not exists crm.document_chunks (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  document_id bigint not null,
  position int not null check (position > 0),
  content text not null,
  title varchar(500),
  metadata jsonb not null default '{}',
  category varchar(50),
  language text not null,
  embedding @schema:vector@.vector,
  dimensions int generated always as (@schema:vector@.vector_dims(embedding)) stored,
  content_hash bytea not null,
  words tsvector not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (document_id, position),
  foreign key (account_id, document_id) references crm.documents (account_id, id) on delete cascade,
  constraint document_chunks_embedding_direction check (embedding is null or @schema:vector@.vector_norm(embedding) > 0));
comment on table crm.document_chunks is
  'the passages of documents without a vector of their own: cut by the account''s settings, embedded by the engine. Title, category and metadata are the document''s';
comment on column crm.document_chunks.position is 'from 1, in the order of the content';
comment on column crm.document_chunks.dimensions is 'of the embedding';
comment on column crm.document_chunks.content_hash is 'SHA-256 of the content';

create index if not exists document_chunks_account_idx on crm.document_chunks (account_id, document_id);
create index if not exists document_chunks_category_idx on crm.document_chunks (category);
create index if not exists document_chunks_metadata_idx on crm.document_chunks using gin (metadata);
create index if not exists document_chunks_hash_idx on crm.document_chunks (content_hash);
create index if not exists document_chunks_words_idx on crm.document_chunks using gin (words);
-- Those that wait for the engine, and few of the others.
create index if not exists document_chunks_missing_idx on crm.document_chunks (id) where embedding is null;

create or replace function crm.text_search_config(language text) returns regconfig
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case split_part(lower(translate(language, '_', '-')), '-', 1)
    when 'ar' then 'arabic' when 'ca' then 'catalan' when 'da' then 'danish' when 'de' then 'german' when 'el' then 'greek'
    when 'en' then 'english' when 'es' then 'spanish' when 'eu' then 'basque' when 'fi' then 'finnish' when 'fr' then 'french'
    when 'ga' then 'irish' when 'hi' then 'hindi' when 'hu' then 'hungarian' when 'hy' then 'armenian' when 'id' then 'indonesian'
    when 'it' then 'italian' when 'lt' then 'lithuanian' when 'ne' then 'nepali' when 'nl' then 'dutch' when 'no' then 'norwegian'
    when 'nb' then 'norwegian' when 'nn' then 'norwegian' when 'pt' then 'portuguese' when 'ro' then 'romanian' when 'ru' then 'russian'
    when 'sr' then 'serbian' when 'sv' then 'swedish' when 'ta' then 'tamil' when 'tr' then 'turkish' when 'yi' then 'yiddish'
    else 'simple' end::regconfig
$$;
comment on function crm.text_search_config(text) is 'the text search configuration of a language (BCP 47); simple where PostgreSQL has none';

create or replace function crm.document_words(language text, title text, content text) returns tsvector
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  -- A tsvector has a limit of 1 MB; what is longer than this is found by its beginning, and by its passages.
  select setweight(to_tsvector(crm.text_search_config(language), coalesce(title, '')), 'A')
      || setweight(to_tsvector(crm.text_search_config(language), left(content, 100000)), 'B')
$$;
comment on function crm.document_words(text, text, text) is 'what text search finds a document or a passage by';

create or replace function crm.seed_knowledge() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into crm.knowledge_settings (account_id) values (new.id) on conflict do nothing;
  insert into crm.document_categories (account_id, name, description)
  select new.id, c.name, c.description from (values
    ('policy', 'company policies, terms'), ('product', 'product information'), ('faq', 'common questions'),
    ('procedure', 'internal processes'), ('vacancy', 'job listings'), ('general', 'miscellaneous')) c (name, description)
  on conflict do nothing;
  return null;
end
$$;
comment on function crm.seed_knowledge() is
  'trigger: a new account has settings and the usual categories. With the owner''s rights, as whoever makes an account is no member of it yet';
create or replace trigger seed_knowledge after insert on crm.accounts for each row execute function crm.seed_knowledge();

insert into crm.knowledge_settings (account_id) select a.id from crm.accounts a on conflict do nothing;
insert into crm.document_categories (account_id, name, description)
select a.id, c.name, c.description from crm.accounts a, (values
  ('policy', 'company policies, terms'), ('product', 'product information'), ('faq', 'common questions'),
  ('procedure', 'internal processes'), ('vacancy', 'job listings'), ('general', 'miscellaneous')) c (name, description)
where not exists (select from crm.document_categories d where d.account_id = a.id)
on conflict do nothing;

create or replace function crm.check_dimensions(account uuid, embedding @schema:vector@.vector, source text) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted int := (select s.dimensions from crm.knowledge_settings s where s.account_id = account);
begin
  if @schema:vector@.vector_dims(embedding) <> wanted then
    raise exception using errcode = 'data_exception',
      message = format('%s expects vectors of %s dimensions for this account, not %s', source, wanted, @schema:vector@.vector_dims(embedding)),
      detail = format('Account %s.', account),
      hint = 'crm.configure_knowledge() changes model and dimensions of an account.';
  elsif @schema:vector@.vector_norm(embedding) = 0 then
    raise exception using errcode = 'data_exception', message = format('a vector for %s has no direction: all its numbers are 0', source),
      hint = 'Its row would never be found. An embedding that is not known is null.';
  end if;
end
$$;
comment on function crm.check_dimensions(uuid, @schema:vector@.vector, text) is 'internal: an error unless a vector has the dimensions of its account';

create or replace function crm.prepare_document() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.content is null or new.content !~ '\S' then
    raise exception using errcode = 'not_null_violation', message = 'a document needs content';
  end if;
  new.metadata := coalesce(new.metadata, '{}');
  new.is_active := coalesce(new.is_active, true);
  new.version := coalesce(new.version, 1);
  if jsonb_typeof(new.metadata) <> 'object' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('metadata of a document is a JSON object, not %s', case jsonb_typeof(new.metadata) when 'array' then 'an array' else 'a ' || jsonb_typeof(new.metadata) end),
      hint = 'Such as {"source": "handbook.pdf", "page": 15}.';
  end if;
  if new.category is not null and not exists (
    select from crm.document_categories c where c.account_id = new.account_id and c.name = new.category) then
    raise exception using errcode = 'foreign_key_violation',
      message = format('there is no category "%s"', new.category),
      detail = (select 'Known are: ' || string_agg(c.name, ', ' order by c.name) || '.' from crm.document_categories c where c.account_id = new.account_id),
      hint = 'insert into crm.document_categories ...';
  end if;
  new.language := coalesce(new.language, (select a.locale from crm.accounts a where a.id = new.account_id), 'en');
  if tg_op = 'INSERT' or (new.content, new.title, new.language) is distinct from (old.content, old.title, old.language) then
    new.content_hash := sha256(convert_to(new.content, 'UTF8'));
    new.words := crm.document_words(new.language, new.title, new.content);
  end if;
  if new.embedding is not null then
    if tg_op = 'INSERT' or old.embedding is null then
      perform crm.check_dimensions(new.account_id, new.embedding, 'crm.documents');
    elsif new.content <> old.content and new.embedding operator(@schema:vector@.=) old.embedding then
      -- The vector is of the text as it was.
      new.embedding := null;
    else
      perform crm.check_dimensions(new.account_id, new.embedding, 'crm.documents');
    end if;
  end if;
  if tg_op = 'UPDATE' then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function crm.prepare_document() is 'trigger: language, content hash and words of a document; a vector of an earlier content is taken out';
create or replace trigger prepare_document before insert or update on crm.documents
  for each row execute function crm.prepare_document();

create or replace function crm.prepare_chunk() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' or (new.content, new.title, new.language) is distinct from (old.content, old.title, old.language) then
    new.content_hash := sha256(convert_to(new.content, 'UTF8'));
    new.words := crm.document_words(new.language, new.title, new.content);
  end if;
  if new.embedding is not null then
    perform crm.check_dimensions(new.account_id, new.embedding, 'crm.document_chunks');
  end if;
  if tg_op = 'UPDATE' then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function crm.prepare_chunk() is 'trigger: content hash and words of a passage; its vector has the dimensions of its account';
create or replace trigger prepare_chunk before insert or update on crm.document_chunks
  for each row execute function crm.prepare_chunk();

create or replace function crm.chunk_document() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted boolean := new.is_active and new.embedding is null;
begin
  if tg_op = 'UPDATE' then
    if wanted and old.is_active and old.content = new.content
       and exists (select from crm.document_chunks c where c.document_id = new.id) then
      update crm.document_chunks c set title = new.title, metadata = new.metadata, category = new.category, language = new.language
      where c.document_id = new.id
        and (c.title, c.metadata, c.category, c.language) is distinct from (new.title, new.metadata, new.category, new.language);
      return null;
    end if;
  end if;
  -- A passage that is there again keeps its vector.
  with gone as (
    delete from crm.document_chunks c where tg_op = 'UPDATE' and c.document_id = new.id returning c.content_hash, c.embedding
  ), kept as materialized (
    select g.content_hash, (array_agg(g.embedding))[1] as embedding from gone g where g.embedding is not null group by 1
  ), counted as materialized (
    -- All of them are gone before the first new one comes.
    select count(*) from gone
  )
  insert into crm.document_chunks (account_id, document_id, position, content, title, metadata, category, language, embedding)
  select new.account_id, new.id, p.position, p.content, new.title, new.metadata, new.category, new.language, k.embedding
  from counted
  left join crm.knowledge_settings s on s.account_id = new.account_id
  cross join lateral frontdesk.split_text(new.content, coalesce(s.chunk_size, 1000), coalesce(s.chunk_overlap, 100))
    with ordinality p (content, position)
  left join kept k on k.content_hash = sha256(convert_to(p.content, 'UTF8'))
  where wanted;
  return null;
end
$$;
comment on function crm.chunk_document() is
  'trigger: an active document without a vector of its own has passages, every other one has none';
create or replace trigger chunk_document after insert or update on crm.documents
  for each row execute function crm.chunk_document();

select crm.protect('crm.knowledge_settings');
select crm.protect('crm.document_categories');
select crm.protect_from_writing('crm.document_sources', null);
select crm.protect('crm.documents');
select crm.protect('crm.document_chunks');
$crm$),
('60_documents_write', $crm$-- Room 60, documents: writing them, and the settings of an account.

create or replace function crm.add_document(
  content text, title text = null, category text = null, metadata jsonb = '{}', embedding @schema:vector@.vector = null,
  language text = null, source_type text = null, source_url text = null, source_file_name text = null, account uuid = null)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm.use_account(account);
  found crm.documents;
begin
  select * into found from crm.documents d
  where d.account_id = owner and d.is_active and d.content_hash = sha256(convert_to(add_document.content, 'UTF8'))
    and d.title is not distinct from add_document.title and d.category is not distinct from add_document.category
  order by d.id limit 1 for update;
  if found.id is null then
    insert into crm.documents (account_id, content, title, category, metadata, embedding, language, source_type, source_url, source_file_name)
    values (owner, add_document.content, add_document.title, add_document.category, add_document.metadata, add_document.embedding,
            add_document.language, add_document.source_type, add_document.source_url, add_document.source_file_name)
    returning id into found.id;
  else
    update crm.documents d set metadata = coalesce(add_document.metadata, '{}'), embedding = coalesce(add_document.embedding, d.embedding)
    where d.id = found.id
      and (d.metadata <> add_document.metadata or add_document.embedding is not null and d.embedding is null);
  end if;
  return found.id;
end
$$;
comment on function crm.add_document(text, text, text, jsonb, @schema:vector@.vector, text, text, text, text, uuid) is
  'put a document into the knowledge base, and its id. Without an embedding it is cut into passages, which the engine embeds. The same content under the same title and category again is the same document';

create or replace function crm.find_document(document bigint) returns crm.documents
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found crm.documents;
begin
  select * into found from crm.documents d
  where d.id = document and (crm.current_user_id() is null or d.account_id in (select crm.my_accounts(true)))
  for update;
  if found.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no document %s for you', coalesce(document::text, 'null'));
  end if;
  return found;
end
$$;
comment on function crm.find_document(bigint) is 'internal: this document, locked, if it is there and the current user may change it';

create or replace function crm.replace_document(
  document bigint, content text, title text = null, category text = null, metadata jsonb = null,
  embedding @schema:vector@.vector = null, language text = null, source_type text = null, source_url text = null,
  source_file_name text = null)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  old crm.documents := crm.find_document(document);
  new_id bigint;
begin
  if old.superseded_by is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('document %s was replaced already', document),
      detail = format('Its next version is document %s.', old.superseded_by),
      hint = 'Replace the last version.';
  end if;
  insert into crm.documents (account_id, content, title, category, metadata, embedding, language, source_type, source_url,
                             source_file_name, version)
  values (old.account_id, replace_document.content, coalesce(replace_document.title, old.title),
          coalesce(replace_document.category, old.category), coalesce(replace_document.metadata, old.metadata),
          replace_document.embedding, coalesce(replace_document.language, old.language),
          coalesce(replace_document.source_type, old.source_type), coalesce(replace_document.source_url, old.source_url),
          coalesce(replace_document.source_file_name, old.source_file_name), old.version + 1)
  returning id into new_id;
  -- Passages that both versions have keep their vectors: the engine is asked for the new ones only.
  update crm.document_chunks n set embedding = o.embedding
  from crm.document_chunks o
  where n.document_id = new_id and n.embedding is null and o.document_id = old.id
    and o.content_hash = n.content_hash and o.embedding is not null;
  update crm.documents d set is_active = false, superseded_by = new_id where d.id = old.id;
  return new_id;
end
$$;
comment on function crm.replace_document(bigint, text, text, text, jsonb, @schema:vector@.vector, text, text, text, text) is
  'put a new version in the place of a document, and its id; the old version is kept and not searched any more. What is not said is as it was';

create or replace function crm.remove_document(document bigint) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  versions bigint[];
begin
  perform crm.find_document(document);
  with recursive earlier as (
    select d.id from crm.documents d where d.id = document
    union
    select d.id from earlier e join crm.documents d on d.superseded_by = e.id
  ), later as (
    select d.superseded_by as id from crm.documents d where d.id = document
    union
    select d.superseded_by from later l join crm.documents d on d.id = l.id
  )
  select array_agg(e.id) into versions from (select id from earlier union select id from later) e where e.id is not null;
  delete from crm.documents d where d.id = any (versions);
  return cardinality(versions);
end
$$;
comment on function crm.remove_document(bigint) is 'delete a document with all its versions and passages, and how many versions that were';

create or replace function crm.configure_knowledge(
  model text = null, dimensions int = null, chunk_size int = null, chunk_overlap int = null, account uuid = null)
returns crm.knowledge_settings
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm.use_account(account);
  before crm.knowledge_settings;
  s crm.knowledge_settings;
begin
  insert into crm.knowledge_settings (account_id) values (owner) on conflict do nothing;
  select * into before from crm.knowledge_settings k where k.account_id = owner for update;
  update crm.knowledge_settings k
  set model = coalesce(configure_knowledge.model, k.model), dimensions = coalesce(configure_knowledge.dimensions, k.dimensions),
      chunk_size = coalesce(configure_knowledge.chunk_size, k.chunk_size),
      chunk_overlap = coalesce(configure_knowledge.chunk_overlap, k.chunk_overlap)
  where k.account_id = owner returning * into s;
  if s.account_id is null then
    raise exception using errcode = 'insufficient_privilege', message = format('you may not change account %s', owner);
  end if;
  if (s.model, s.dimensions) is distinct from (before.model, before.dimensions) then
    -- Vectors of two models cannot be compared: what the engine made it makes again, what the application made goes.
    update crm.documents d set embedding = null where d.account_id = owner and d.embedding is not null;
    update crm.document_chunks c set embedding = null where c.account_id = owner and c.embedding is not null;
  end if;
  if (s.chunk_size, s.chunk_overlap) is distinct from (before.chunk_size, before.chunk_overlap) then
    delete from crm.document_chunks c where c.account_id = owner;
    update crm.documents d set is_active = true where d.account_id = owner and d.is_active and d.embedding is null;
  end if;
  return s;
end
$$;
comment on function crm.configure_knowledge(text, int, int, int, uuid) is
  'change how the documents of an account are embedded and cut. With another model or number of dimensions all its vectors are made anew, with another size all its passages. What is not said stays';

create or replace function crm.set_document_dimensions(dimensions int) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r record;
begin
  if dimensions not between 1 and 4096 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('dimensions must be between 1 and 4096, not %s', dimensions);
  end if;
  lock table crm.documents in access exclusive mode;
  for r in select i.indexrelid::regclass as index from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
           where i.indrelid = 'crm.documents'::regclass and a.amname in ('hnsw', 'ivfflat') loop
    execute format('drop index %s', r.index);
  end loop;
  execute format('alter table crm.documents alter column embedding type @schema:vector@.vector%s',
                 coalesce('(' || dimensions || ')', ''));
  return case when dimensions is null then 'crm.documents.embedding takes vectors of any dimensions; each account has its own'
              else format('crm.documents.embedding takes vectors of %s dimensions', dimensions) end;
end
$$;
comment on function crm.set_document_dimensions(int) is
  'the dimensions of crm.documents.embedding, for applications that embed by themselves: 1536 at first; null: any, when accounts differ. Vector indexes of the table go, and come back by themselves. The passages of crm.document_chunks need nothing of this';
$crm$),
('61_search', $crm$-- Room 61, search: the documents that answer a question. Passages (crm.document_chunks) and documents with a vector of
-- their own are searched alike; id is the document's.

create or replace function crm.search_filter(category text, filter jsonb, account uuid) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return nullif(concat_ws(' and ',
    case when category is not null then format('d.category = %L', category) end,
    case when filter <> '{}' then frontdesk.filter_predicate(filter, 'd.metadata', true) end,
    case when account is not null then format('d.account_id = %L::uuid', crm.use_account(account))
         -- For a role that row level security lets through; for the others it says the same as their policy.
         when crm.current_user_id() is not null then format('d.account_id = any (%L::uuid[])', array(select crm.my_accounts())) end), '');
end
$$;
comment on function crm.search_filter(text, jsonb, uuid) is
  'internal: the predicate over a document or passage d; null: all. Plain objects and arrays in the filter are what must be contained, as @> reads them';

create or replace function crm.filter_is_indexed(filter text) returns boolean
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select filter ~ '^d\.(category|account_id) = ' or filter ~ '^\([^'']* @> ' and filter !~ '\) (or|is not true)'
$$;
comment on function crm.filter_is_indexed(text) is
  'internal: whether an index other than of vectors finds the rows of a predicate of search_filter(); a guess that costs time only where it is wrong';

create or replace function crm.check_search(embedding @schema:vector@.vector, count int, threshold float8) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_search('crm.documents', embedding,
    (select array_agg(distinct e.dimensions) from (
       select nullif(a.atttypmod, -1) from pg_attribute a where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding'
       union select s.dimensions from crm.knowledge_settings s) e (dimensions) where e.dimensions is not null), count, threshold);
end
$$;
comment on function crm.check_search(@schema:vector@.vector, int, float8) is 'internal: an error for what the documents cannot be searched with';

create or replace function crm.nearest_in(source regclass, embedding @schema:vector@.vector, filter text, count int, forced text = null)
returns table (place tid, similarity float8, way text)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select n.place, 1 - n.distance, n.way
  from frontdesk.find_nearest(source, 'embedding', embedding, case when source = 'crm.documents'::regclass then 'd.is_active' end, filter,
    crm.filter_is_indexed(filter), nearest_in.count, case when source = 'crm.documents'::regclass then '{id}' else '{document_id,id}'::text[] end,
    coalesce(current_setting('hnsw.ef_search', true)::int, 40), forced) n;
end
$$;
comment on function crm.nearest_in(regclass, @schema:vector@.vector, text, int, text) is
  'internal: the nearest rows of crm.documents or crm.document_chunks; forced: index or exact';

create or replace function crm.nearest_documents(embedding @schema:vector@.vector, filter text, count int)
returns table (passage boolean, place tid, similarity float8)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce((select a.atttypmod from pg_attribute a where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding'), -1)
       in (-1, @schema:vector@.vector_dims(embedding)) and pg_relation_size('crm.documents') > 0 then
    return query select false, n.place, n.similarity from crm.nearest_in('crm.documents', embedding, filter, count) n;
  end if;
  if pg_relation_size('crm.document_chunks') > 0 then
    return query select true, n.place, n.similarity from crm.nearest_in('crm.document_chunks', embedding, filter, count) n;
  end if;
end
$$;
comment on function crm.nearest_documents(@schema:vector@.vector, text, int) is 'internal: the nearest documents and the nearest passages, count of each';

create or replace function crm.match_filtered(embedding @schema:vector@.vector, filter text, count int)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  with n as materialized (select * from crm.nearest_documents(embedding, filter, count))
  select d.id, d.content, d.title, d.metadata, d.category, n.similarity
  from n join crm.documents d on d.ctid = n.place where not n.passage
  union all
  select c.document_id, c.content, c.title, c.metadata, c.category, n.similarity
  from n join crm.document_chunks c on c.ctid = n.place where n.passage;
end
$$;
comment on function crm.match_filtered(@schema:vector@.vector, text, int) is 'internal: the nearest documents and passages, count of each';

create or replace function crm.match_by_index(embedding @schema:vector@.vector, count int, effort int)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8, attempt int)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp
-- One plan, kept: the only one that does not sort is the one by the index.
set plan_cache_mode = force_generic_plan set enable_sort = off set jit = off set hnsw.iterative_scan = strict_order set hnsw.ef_search = 40 as $$
#variable_conflict use_column
declare
  found int;
begin
  perform set_config('hnsw.ef_search', effort::text, true);
  return query
  select d.id, d.content, d.title, d.metadata, d.category, 1 - (d.embedding operator(@schema:vector@.<=>) match_by_index.embedding), 1
  from crm.documents d where d.is_active
  order by d.embedding operator(@schema:vector@.<=>) match_by_index.embedding, d.id limit match_by_index.count;
  get diagnostics found = row_count;
  if found < match_by_index.count then
    return query select m.*, 2 from crm.match_filtered(match_by_index.embedding, null, match_by_index.count) m;
  end if;
end
$$;
comment on function crm.match_by_index(@schema:vector@.vector, int, int) is
  'internal: the nearest documents where crm.documents has a plain HNSW index and nothing is filtered; effort: hnsw.ef_search. The last attempt counts';

create or replace function crm.plain_index_effort(dimensions int) returns int
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select min(case when c.reloptions && '{ef_construction=128}' then 40 else 64 end)
    from pg_attribute a
    join pg_index i on i.indrelid = a.attrelid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null
    join pg_class c on c.oid = i.indexrelid and c.relam = (select m.oid from pg_am m where m.amname = 'hnsw')
    join pg_opclass o on o.oid = i.indclass[0] and o.opcname = 'vector_cosine_ops'
    where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding' and a.atttypmod = dimensions);
end
$$;
comment on function crm.plain_index_effort(int) is
  'internal: the least hnsw.ef_search for an HNSW index over all vectors of crm.documents, which are of these dimensions: less for one as crm.vector_indexes() makes it; null without one';

create or replace function crm.match_documents(
  query_embedding @schema:vector@.vector, match_threshold float8 = 0.78, match_count int = 5, filter_category varchar = null,
  filter_metadata jsonb = null, account uuid = null)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  filter text;
  floor float8 := coalesce(match_threshold, '-infinity');
  effort int;
begin
  if query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'query_embedding is null',
      hint = 'Embed the question first, or search by its words: crm.hybrid_search().';
  end if;
  filter := crm.search_filter(filter_category, filter_metadata, account);
  if filter is null and match_count <= 100 and pg_relation_size('crm.document_chunks') = 0 and not row_security_active('crm.documents') then
    effort := crm.plain_index_effort(@schema:vector@.vector_dims(query_embedding));
  end if;
  if effort is not null then
    -- All vectors of the index are of these dimensions.
    perform frontdesk.check_search('crm.documents', query_embedding, null, match_count, match_threshold);
    effort := greatest(effort, coalesce(current_setting('hnsw.ef_search', true)::int, 40));
    return query
    select m.id, m.content, m.title, m.metadata, m.category, m.similarity
    from (select m.*, max(m.attempt) over () as last from crm.match_by_index(query_embedding, match_count, effort) m) m
    where m.attempt = m.last and m.similarity > floor order by m.similarity desc, m.id limit match_count;
  else
    perform crm.check_search(query_embedding, match_count, match_threshold);
    return query
    select m.* from crm.match_filtered(query_embedding, filter, match_count) m
    where m.similarity > floor order by m.similarity desc, m.id limit match_count;
  end if;
end
$$;
comment on function crm.match_documents(@schema:vector@.vector, float8, int, varchar, jsonb, uuid) is
  'the active documents most like a vector: similarity (the cosine) above match_threshold, best first, match_count of them where so many exist. filter_metadata is a filter ({"budget_min": {"$gte": 70000}}), or what metadata must contain. For long documents content is the passage found';

create or replace function crm.match_documents_langchain(
  query_embedding @schema:vector@.vector, match_count int = null, filter jsonb = '{}')
returns table (id bigint, content text, metadata jsonb, similarity float8)
stable rows 10 language sql set search_path = pg_catalog, pg_temp as $$
  select m.id, m.content, m.metadata, m.similarity
  from crm.match_documents(query_embedding, null, coalesce(match_count, 100), null, filter) m
  order by m.similarity desc, m.id
$$;
comment on function crm.match_documents_langchain(@schema:vector@.vector, int, jsonb) is
  'match_documents() in the shape that LangChain''s and Supabase''s clients call; without match_count the best 100, of which the client takes its limit';

create or replace function crm.hybrid_search(
  query text, query_embedding @schema:vector@.vector = null, filter jsonb = null, count int = 10, filter_category text = null, account uuid = null)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8, score float8)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  condition text := crm.search_filter(filter_category, hybrid_search.filter, hybrid_search.account);
  -- What only one of the two lists has far down does not come up by being in the other.
  depth int := least(greatest(4 * hybrid_search.count, 40), 10000);
  config regconfig;
begin
  perform crm.check_search(query_embedding, hybrid_search.count, null);
  if query !~ '\S' then query := null; end if;
  if query is null and query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'neither a query nor an embedding is given';
  end if;
  if query_embedding is null then
    query_embedding := crm.embed_query(query, hybrid_search.account);
  end if;
  config := coalesce(
    (select case when count(distinct l.config) = 1 then min(l.config::oid)::regconfig end
     from (select crm.text_search_config(a.locale) as config from crm.accounts a where hybrid_search.account is null or a.id = hybrid_search.account) l),
    pg_catalog.get_current_ts_config());
  return query
  with found as materialized (
    select v.passage, v.place, row_number() over (order by v.similarity desc, v.passage, v.place) as position
    from crm.nearest_documents(query_embedding, condition, depth) v where query_embedding is not null
    union all
    select w.passage, w.place, row_number() over (order by w.rank desc, w.passage, w.place)
    from (
      select false as passage, t.place, t.rank
      from frontdesk.find_words('crm.documents', 'd.words', 'words', query, config, 'd.is_active and d.embedding is not null', condition, depth, '{id}') t
      where query is not null
      union all
      select true, t.place, t.rank
      from frontdesk.find_words('crm.document_chunks', 'd.words', 'words', query, config, null, condition, depth, '{document_id,id}') t
      where query is not null) w
  ), fused as (
    -- Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009.
    select f.passage, f.place, sum(1 / (60.0 + f.position))::float8 as score
    from found f where f.position <= depth group by 1, 2
  ), best as (
    select r.* from (
      select d.id, d.content, d.title, d.metadata, d.category, d.embedding, f.score, 0 as part
      from fused f join crm.documents d on d.ctid = f.place where not f.passage
      union all
      select c.document_id, c.content, c.title, c.metadata, c.category, c.embedding, f.score, c.position
      from fused f join crm.document_chunks c on c.ctid = f.place where f.passage) r
    order by r.score desc, r.id, r.part limit hybrid_search.count
  )
  select b.id, b.content, b.title, b.metadata, b.category,
    case when @schema:vector@.vector_dims(b.embedding) = @schema:vector@.vector_dims(query_embedding)
         then 1 - (b.embedding operator(@schema:vector@.<=>) query_embedding) end, b.score
  from best b order by b.score desc, b.id, b.part;
end
$$;
comment on function crm.hybrid_search(text, @schema:vector@.vector, jsonb, int, text, uuid) is
  'the active documents and passages that answer a question best, by their words and by their vectors: both rankings are fused (score), so that a name or a number is found as well as a meaning. Without an embedding the account''s embedder makes one (crm.embed_query), and without an embedder the words decide alone; similarity is the cosine where there is an embedding';
$crm$),
('62_vector_indexes', $crm$-- Room 62, vector indexes: built when searching without one takes longer, and watched. CREATE INDEX CONCURRENTLY cannot
-- run inside a function, so a job of its own runs it.

create or replace function crm.vector_indexes()
returns table (source regclass, dimensions int, embedded bigint, missing bigint, index regclass, valid boolean, name name, definition text)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  t record;
  k record;
begin
  for t in
    select a.attrelid::regclass as source, nullif(a.atttypmod, -1) as typed
    from pg_attribute a where a.attrelid in ('crm.documents'::regclass, 'crm.document_chunks'::regclass) and a.attname = 'embedding'
  loop
    for k in execute format(
      'select coalesce(%s, s.dimensions) as dimensions, count(embedding) as embedded, count(*) - count(embedding) as missing
       from %s d left join crm.knowledge_settings s using (account_id) where %s group by 1',
      case when t.typed is not null then t.typed::text when t.source = 'crm.documents'::regclass then '@schema:vector@.vector_dims(d.embedding)' else 'd.dimensions' end, t.source, case when t.source = 'crm.documents'::regclass then 'embedding is not null' else 'true' end)
    loop
      source := t.source; dimensions := k.dimensions; embedded := k.embedded; missing := k.missing;
      name := format('%s_embedding_%s_idx', (select c.relname from pg_class c where c.oid = t.source), dimensions);
      select v.index into index from frontdesk.vector_index(t.source, 'embedding', false, t.typed, k.dimensions) v;
      valid := index is not null;
      if index is null then
        select i.indexrelid::regclass into index from pg_index i where i.indrelid = t.source and i.indexrelid = to_regclass(format('crm.%I', name));
      end if;
      definition := format('create index concurrently %I on %s using hnsw (%s) with (ef_construction = 128) %s', name, t.source,
        case when dimensions > 4000 then '(@schema:vector@.subvector(embedding, 1, 4000)::@schema:vector@.halfvec(4000)) @schema:vector@.halfvec_cosine_ops'
             when dimensions > 2000 then format('(embedding::@schema:vector@.halfvec(%s)) @schema:vector@.halfvec_cosine_ops', dimensions)
             when t.typed is not null then 'embedding @schema:vector@.vector_cosine_ops'
             else format('(embedding::@schema:vector@.vector(%s)) @schema:vector@.vector_cosine_ops', dimensions) end,
        case when t.typed is null then format('where @schema:vector@.vector_dims(embedding) = %s', dimensions) else '' end);
      return next;
    end loop;
  end loop;
end
$$;
comment on function crm.vector_indexes() is 'internal: for each table and number of dimensions how many vectors there are, the index, and how one would be made. Counts the rows';

create or replace function crm.build_vector_indexes(least_rows bigint = 2000) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
  started int := 0;
begin
  for v in select * from crm.vector_indexes() i where i.embedded >= least_rows and not i.valid loop
    -- Memory for the whole graph, within reason: without it the build takes many times as long.
    perform frontdesk.schedule_once(clock_timestamp(),
      format('set maintenance_work_mem = %L; %s%s', least(2000000, v.embedded * (v.dimensions * 5 + 800) / 1024 + 65536, greatest(
               pg_size_bytes(current_setting('maintenance_work_mem')), pg_size_bytes(current_setting('shared_buffers'))) / 1024) || 'kB',
             case when v.index is not null then format('drop index concurrently %s; ', v.index) else '' end, v.definition),
      'crm: build ' || v.name, timeout => '6 hours')
    where not exists (select from pg_stat_progress_create_index p where p.relid = v.source)
      and not exists (select from frontdesk.jobs j where j.name = 'crm: build ' || v.name and j.active);
    started := started + 1;
  end loop;
  return started;
end
$$;
comment on function crm.build_vector_indexes(bigint) is
  'have the engine build the vector indexes that are wanted: for tables of at least least_rows vectors of the same dimensions, which are compared one by one until then. Without blocking writes; what a crash left half built is dropped first. The job "crm: vector indexes" calls it';

create or replace function crm.knowledge_status()
returns table (source regclass, dimensions int, embedded bigint, missing bigint, index regclass, index_size text, state text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select v.source, v.dimensions, v.embedded, v.missing, v.index, pg_size_pretty(pg_relation_size(v.index)),
    case when v.valid then 'index in use'
         when p.relid is not null then format('index is being built: %s, %s %%', p.phase,
           coalesce(round(100.0 * p.tuples_done / nullif(p.tuples_total, 0)), 0))
         when v.index is not null then 'index is not finished: it will be built anew'
         when v.embedded < 2000 then 'no index: comparing all is faster'
         else 'index will be built' end
  from crm.vector_indexes() v
  left join pg_stat_progress_create_index p on p.relid = v.source
  order by v.source::text, v.dimensions
$$;
comment on function crm.knowledge_status() is
  'for documents and passages: how many have a vector, how many wait for one, and what their index is doing';

create or replace function crm.quality_report(sample int = 10, count int = 5)
returns table (source regclass, category text, documents bigint, sampled int, recall numeric, index_ms numeric, exact_ms numeric)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
  c record;
  q record;
  by_index float8[];
  exactly float8[];
  condition text;
  hits int;
  wanted int;
  began timestamptz;
  spent interval[];
begin
  for v in select * from crm.vector_indexes() i where i.valid loop
    for c in execute format('select d.category, count(*) as rows from %s d where d.embedding is not null and @schema:vector@.vector_dims(d.embedding) = $1 %s
                             group by rollup (d.category) having d.category is not null or grouping(d.category) = 1 order by 1 nulls first',
                            v.source, case when v.source = 'crm.documents'::regclass then 'and d.is_active' else '' end) using v.dimensions
    loop
      hits := 0; wanted := 0; sampled := 0; spent := array[interval '0', interval '0'];
      condition := case when c.category is not null then format('d.category = %L', c.category) end;
      -- The same rows at every call, scattered over the table.
      for q in execute format('select d.embedding from %s d where d.embedding is not null and @schema:vector@.vector_dims(d.embedding) = $1 and %s
                               order by hashint8(d.id) limit $2', v.source, coalesce(condition, 'true')) using v.dimensions, sample
      loop
        began := clock_timestamp();
        select array_agg(n.similarity) into by_index from crm.nearest_in(v.source, q.embedding, condition, quality_report.count, 'index') n;
        spent[1] := spent[1] + (clock_timestamp() - began);
        began := clock_timestamp();
        select array_agg(n.similarity) into exactly from crm.nearest_in(v.source, q.embedding, condition, quality_report.count, 'exact') n;
        spent[2] := spent[2] + (clock_timestamp() - began);
        -- By similarity, not by row: of two that are equally near either is right.
        hits := hits + (select count(*) from unnest(by_index) s where s >= exactly[cardinality(exactly)] - 1e-9);
        wanted := wanted + cardinality(exactly);
        sampled := sampled + 1;
      end loop;
      source := v.source; category := c.category; documents := c.rows;
      recall := round(hits::numeric / nullif(wanted, 0), 3);
      index_ms := round(extract(epoch from spent[1]) * 1000 / nullif(sampled, 0), 2);
      exact_ms := round(extract(epoch from spent[2]) * 1000 / nullif(sampled, 0), 2);
      return next;
    end loop;
  end loop;
end
$$;
comment on function crm.quality_report(int, int) is
  'what the vector indexes miss: recall (1 is everything) of the best count rows by the index against comparing all, for sample documents of each category (null: all together), and what both take. Nothing is listed where there is no index';

do $$
begin
  if not exists (select from frontdesk.jobs j where j.name = 'crm: vector indexes') then
    perform frontdesk.schedule('crm: vector indexes', '*/10 * * * *', 'select crm.build_vector_indexes()');
  end if;
end
$$;
$crm$),
('65_embedding', $crm$-- Room 65, embedding: which embedder makes the vectors of an account's passages.

create or replace function crm.use_embedder(embedder text = null, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm.use_account(account);
  this bigint := frontdesk.embedder_id(use_embedder.embedder);
  model text := frontdesk.embedder_model(this);
  dimensions int := frontdesk.embedder_dimensions(this);
begin
  perform crm.configure_knowledge(model => model, dimensions => dimensions, account => owner);
  -- One declaration an embedder: whose passages it makes vectors for is in the settings.
  return frontdesk.embed_table('crm.document_chunks', 'content', 'embedding', frontdesk.embedder_name(this), format(
    'account_id in (select s.account_id from crm.knowledge_settings s where s.model = %L and s.dimensions = %s)', model, dimensions));
end
$$;
comment on function crm.use_embedder(text, uuid) is
  'let this embedder (null: the only one) make the vectors of an account''s passages, of those there are and those to come; returns how many wait. For whoever owns schema crm';

create or replace function crm.embed_query(query text, account uuid = null) returns @schema:vector@.vector
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  embedder text;
begin
  if query is null or query !~ '\S' or not has_function_privilege('frontdesk.embed(text,text)', 'execute') then
    return null;
  end if;
  select min(frontdesk.embedder_of(s.model, s.dimensions)) into embedder from crm.knowledge_settings s
  where embed_query.account is null or s.account_id = embed_query.account
  having count(distinct (s.model, s.dimensions)) = 1;
  if embedder is null then
    return null;
  end if;
  return frontdesk.embed(query, embedder);
exception when connection_failure then
  -- A search by words is better than none.
  raise warning using message = sqlerrm, detail = 'The search goes on without a vector.', hint = 'See frontdesk.embedders.';
  return null;
end
$$;
comment on function crm.embed_query(text, uuid) is
  'the vector of a question by the embedder of the account (null: of all accounts one sees, if they have the same); null without one, without the right to call frontdesk.embed(), or while it does not answer';
$crm$),
('65_exchange', $crm$-- Room 65, exchange: documents with their passages and vectors, as lines of JSON.

create table if not exists crm.document_imports (
  account_id uuid not null references crm.accounts on delete cascade,
  origin_id bigint not null,
  document_id bigint not null,
  next_origin_id bigint,
  primary key (account_id, origin_id),
  foreign key (account_id, document_id) references crm.documents (account_id, id) on delete cascade);
comment on table crm.document_imports is 'what import_document() made of the ids of where the documents came from';
comment on column crm.document_imports.next_origin_id is 'the id, there, of the version that superseded it';
create index if not exists document_imports_document_idx on crm.document_imports (account_id, document_id);
create index if not exists document_imports_next_idx on crm.document_imports (account_id, next_origin_id);
select crm.protect('crm.document_imports');

create or replace function crm.export_documents(account uuid = null, all_versions boolean = true) returns setof text
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- A vector is a JSON string, because a JSON number knows no -0; its text is the shortest that reads back as the same bits.
  select json_build_object('id', d.id, 'title', d.title, 'category', d.category, 'language', d.language, 'version', d.version,
    'is_active', d.is_active, 'superseded_by', d.superseded_by, 'source_type', d.source_type, 'source_url', d.source_url,
    'source_file_name', d.source_file_name, 'created_at', d.created_at, 'updated_at', d.updated_at, 'metadata', d.metadata,
    'content', d.content, 'embedding', d.embedding::text,
    'chunks', (select json_agg(json_build_object('position', c.position, 'content', c.content, 'embedding', c.embedding::text) order by c.position)
      from crm.document_chunks c where c.document_id = d.id))::text
  from crm.documents d
  where d.account_id = crm.use_account(export_documents.account) and (all_versions or d.is_active)
  order by d.id
$$;
comment on function crm.export_documents(uuid, boolean) is
  'the documents of an account with their passages and vectors, a line of JSON each, for import_document(). Call it as "select crm.export_documents()": so the lines are made one by one, however many';

create or replace function crm.import_document(line jsonb, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm.use_account(account);
  origin bigint;
  hash bytea;
  found bigint;
  vector text := line->>'embedding';
begin
  if jsonb_typeof(line) is distinct from 'object' or jsonb_typeof(line->'id') is distinct from 'number'
     or jsonb_typeof(line->'content') is distinct from 'string' then
    raise exception using errcode = 'invalid_parameter_value', message = 'this is no line of export_documents()',
      detail = left(line::text, 200), hint = 'A JSON object with at least "id" (a number) and "content" (a string).';
  end if;
  origin := (line->>'id')::bigint;
  hash := sha256(convert_to(line->>'content', 'UTF8'));
  -- The same line again, or a document that is here already.
  select d.id into found from crm.documents d
  left join crm.document_imports i on i.account_id = d.account_id and i.document_id = d.id and i.origin_id = origin
  where d.account_id = owner and d.content_hash = hash
    and (i.origin_id is not null or d.id = origin
      or (d.title, d.category, d.version) is not distinct from (line->>'title', (line->>'category')::varchar, coalesce((line->>'version')::int, 1)))
  order by i.origin_id is null, d.id <> origin, d.id limit 1;
  if found is null then
    found := crm.insert_document(line, owner, origin);
  elsif vector is not null then
    update crm.documents d set embedding = vector::@schema:vector@.vector where d.id = found and d.embedding is null;
  end if;
  perform crm.import_chunks(found, owner, line->'chunks');
  insert into crm.document_imports as i (account_id, origin_id, document_id, next_origin_id)
  values (owner, origin, found, (line->>'superseded_by')::bigint)
  on conflict (account_id, origin_id) do update set document_id = excluded.document_id, next_origin_id = excluded.next_origin_id;
  -- A version may come before or after the one that superseded it.
  update crm.documents d set superseded_by = n.document_id
  from crm.document_imports o join crm.document_imports n on n.account_id = o.account_id and n.origin_id = o.next_origin_id
  where o.account_id = owner and (o.origin_id = origin or n.origin_id = origin) and d.id = o.document_id
    and d.superseded_by is null and not d.is_active and n.document_id <> d.id
    and not exists (select from crm.documents x where x.superseded_by = n.document_id);
  return found;
end
$$;
comment on function crm.import_document(jsonb, uuid) is
  'take in a line of export_documents(): the document with its passages and vectors, bit by bit. Its id is kept where it is free, otherwise it gets a new one; the same line again changes nothing. Returns the id here';

create or replace function crm.insert_document(line jsonb, owner uuid, origin bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  sequence regclass := pg_get_serial_sequence('crm.documents', 'id');
  this bigint := origin;
  highest bigint;
begin
  if exists (select from crm.document_imports i where i.account_id = owner and i.origin_id = origin) or this is null or this < 1 then
    this := nextval(sequence);
  end if;
  if line->>'category' is not null then
    insert into crm.document_categories (account_id, name) values (owner, line->>'category') on conflict do nothing;
  end if;
  if not exists (select from crm.document_sources s where s.name = line->>'source_type') and line->>'source_type' is not null then
    insert into crm.document_sources values (line->>'source_type', '') on conflict do nothing;
  end if;
  loop
    insert into crm.documents (id, account_id, content, title, embedding, metadata, category, source_type, source_url, source_file_name,
      language, version, is_active, created_at, updated_at)
    overriding system value
    values (this, owner, line->>'content', line->>'title', (line->>'embedding')::@schema:vector@.vector, coalesce(line->'metadata', '{}'),
      line->>'category', line->>'source_type', line->>'source_url', line->>'source_file_name', line->>'language',
      coalesce((line->>'version')::int, 1), coalesce((line->>'is_active')::boolean, true),
      coalesce((line->>'created_at')::timestamptz, clock_timestamp()), coalesce((line->>'updated_at')::timestamptz, clock_timestamp()))
    on conflict (id) do nothing;
    exit when found;
    -- The id belongs to another document here, perhaps to one that we may not see.
    this := nextval(sequence);
  end loop;
  execute format('select last_value from %s', sequence) into highest;
  if this > highest then
    perform setval(sequence, this);
  end if;
  return this;
end
$$;
comment on function crm.insert_document(jsonb, uuid, bigint) is 'internal: a document of import_document(), under its id if that is free; the sequence is moved behind it';

create or replace function crm.import_chunks(document bigint, owner uuid, chunks jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(chunks) is distinct from 'array' then
    return;
  end if;
  -- Already so?
  if not exists (
    select from (select (c->>'position')::int as position, c->>'content' as content, c->>'embedding' as embedding from jsonb_array_elements(chunks) c) n
    full join (select o.position, o.content, o.embedding::text as embedding from crm.document_chunks o where o.document_id = import_chunks.document) o
      on o.position = n.position and o.content = n.content
    where n.position is null or o.position is null or n.embedding is not null and n.embedding is distinct from o.embedding)
  then
    return;
  end if;
  delete from crm.document_chunks c where c.document_id = import_chunks.document;
  insert into crm.document_chunks (account_id, document_id, position, content, title, metadata, category, language, embedding)
  select owner, d.id, (c->>'position')::int, c->>'content', d.title, d.metadata, d.category, d.language, (c->>'embedding')::@schema:vector@.vector
  from crm.documents d cross join jsonb_array_elements(chunks) c where d.id = import_chunks.document;
end
$$;
comment on function crm.import_chunks(bigint, uuid, jsonb) is 'internal: the passages of a document as they were exported';

create or replace function crm.import_documents(lines text, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line text;
  number bigint := 0;
  imported bigint := 0;
  document jsonb;
begin
  foreach line in array string_to_array(lines, E'\n') loop
    number := number + 1;
    continue when line !~ '\S';
    begin
      document := line::jsonb;
    exception when invalid_text_representation or untranslatable_character then
      raise exception using errcode = sqlstate, message = format('line %s is no JSON', number), detail = left(line, 200);
    end;
    perform crm.import_document(document, account);
    imported := imported + 1;
  end loop;
  return imported;
end
$$;
comment on function crm.import_documents(text, uuid) is 'take in several lines of export_documents() at once; returns how many. For a file of any size see import_document()';
$crm$),
('90_sample', $crm$-- A small business to look at: what install_crm(sample_data => true) adds. Every room adds its part by a function crm.sample_NN_name(account uuid).

create or replace function crm.load_sample_data() returns uuid
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  clinic constant uuid := '5a4d91e0-0000-4000-8000-000000000001';
  part record;
begin
  insert into crm.accounts (id, name, timezone, locale, country, currency)
  values (clinic, 'Clínica Sonrisa (sample)', 'America/Mexico_City', 'es-MX', 'MX', 'MXN') on conflict do nothing;
  for part in
    select p.proname from pg_proc p
    where p.pronamespace = 'crm'::regnamespace and p.proname ~ '^sample_[0-9]{2}_' and p.proargtypes = array['uuid'::regtype]::oidvector
    order by p.proname
  loop
    execute format('select crm.%I($1)', part.proname) using clinic;
  end loop;
  return clinic;
end
$$;
comment on function crm.load_sample_data() is
  'a dental clinic with people, enquiries and what came of them, as an account of its own; returns its id. Loaded again, it adds what is missing. delete from crm.accounts where id = ... removes all of it';

create or replace function crm.sample_10_people(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.account_members (account_id, user_id, role)
  values (account, 'sample-owner', 'owner'), (account, 'sample-reception', 'member'), (account, 'sample-viewer', 'viewer') on conflict do nothing;
  insert into crm.agents (account_id, name, kind) values (account, 'Sofía', 'ai'), (account, 'Marta Ruiz', 'person') on conflict do nothing;
$$;
comment on function crm.sample_10_people(uuid) is 'sample data: who works there';

create or replace function crm.sample_30_leads(account uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s record;
  lead bigint;
  agent bigint := (select a.id from crm.agents a where a.account_id = account and a.kind = 'person' order by a.id limit 1);
begin
  for s in
    select * from (values
      (1, 'Ana García López', 'ana.garcia@example.com', '55 1234 5601', 'Implante dental', 'meta_ads', 'Sonrisas de primavera', null, 45000, '¿Cuánto cuesta un implante? Lo necesito este mes.', 'qualified', 26),
      (2, 'Luis Hernández', 'luis.hernandez@example.com', '55 1234 5602', 'Ortodoncia', 'website', null, 'Taller Hernández', 32000, 'Me interesa financiamiento a 12 meses.', 'in_negotiation', 24),
      (3, 'Carmen Ortiz', null, '+52 1 81 8123 4503', 'Limpieza', 'whatsapp', null, null, null, 'Hola, ¿tienen citas mañana?', 'new', 1),
      (4, 'Jorge Núñez', 'jorge@example.org', null, 'Blanqueamiento', 'meta_ads', 'Sonrisas de primavera', null, 6000, null, 'contacted', 6),
      (5, 'Sofía Ramírez', 'sofia.ramirez@example.com', '33 3123 4505', 'Carillas', 'referral', null, 'Estudio Ramírez', 80000, 'Me recomendó Ana.', 'won', 40),
      (6, 'Daniel Cruz', 'daniel.cruz@example.com', '55 1234 5606', 'Limpieza', 'google_ads', 'Limpieza 2x1', null, 900, null, 'lost', 33),
      (7, 'Mariana Flores', 'mariana@example.net', '+34 612 345 607', 'Implante dental', 'website', null, null, 52000, 'Viajo a México en marzo, ¿pueden atenderme entonces?', 'new', 2),
      (8, 'Pablo Méndez', 'pablo.mendez@example.com', '55 1234 5608', 'Ortodoncia', 'referral', null, 'Méndez Arquitectos', 38000, null, 'repeat', 60),
      (9, 'Lucía Torres', null, null, 'Revisión', 'instagram', null, null, null, 'Precio?', 'new', 0),
      (10, 'Ricardo Vega', 'ricardo.vega@example.com', '55 1234 5610', 'Urgencia', 'website', null, null, 3000, 'Me duele mucho una muela.', 'appointment_booked', 3),
      (11, 'Elena Castillo', 'elena@example.com', '55 1234 5611', 'Carillas', 'meta_ads', 'Sonrisas de primavera', null, null, null, 'contacted', 9),
      (12, 'Tomás Aguilar', 'tomas.aguilar@example.com', '55 1234 5612', 'Implante dental', 'partner', null, 'Aseguradora del Valle', 120000, 'Convenio para 15 empleados.', 'in_negotiation', 15)
    ) v (n, name, email, phone, service, source, campaign, company, budget, message, stage, days)
    where not exists (select from crm.leads l where l.account_id = account and l.external_id = 'sample-' || v.n)
    order by v.n
  loop
    insert into crm.leads (account_id, external_id, agent_id, name, email, phone, instagram, service, source, campaign, company, budget, message,
      country, city, consent, created_at)
    values (account, 'sample-' || s.n, agent, s.name, s.email, s.phone, case when s.source = 'instagram' then '@Lucia.Torres' end, s.service, s.source,
      s.campaign, s.company, s.budget, s.message, 'MX', 'Ciudad de México', s.email is not null, clock_timestamp() - s.days * interval '1 day')
    returning id into lead;
    perform crm.set_lead_stage(lead, s.stage, 'sample');
    if s.stage not in ('new', 'lost') then
      perform crm.contact_of_lead(lead);
    end if;
  end loop;
end
$$;
comment on function crm.sample_30_leads(uuid) is 'sample data: enquiries in every stage';
$crm$),
('99_grants', $crm$-- Nothing for PUBLIC: crm.grant_access() says which roles may come in.

revoke all on all tables in schema crm from public;
revoke all on all functions in schema crm from public;
$crm$)
$scripts$;
comment on function frontdesk.crm_scripts() is 'internal: what install_crm() runs, in this order';

create or replace function frontdesk.crm_version() returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found text;
begin
  if to_regclass('crm.installation') is not null then
    execute 'select version from crm.installation' into found;
  end if;
  return found;
end
$$;
comment on function frontdesk.crm_version() is 'the version of schema crm in this database; null where install_crm() was not called';

create or replace function frontdesk.install_crm(sample_data boolean = false) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
  this_version text := (select extversion from pg_extension where extname = 'pg_frontdesk');
  there text;
  owner oid := (select nspowner from pg_namespace where nspname = 'crm');
  needed text;
  s record;
begin
  perform pg_advisory_xact_lock(hashtextextended('frontdesk.install_crm', 0));
  foreach needed in array array['frontdesk.emit(text,jsonb,text,uuid)'] loop
    if not has_function_privilege(needed, 'execute') then
      raise exception using errcode = 'insufficient_privilege',
        message = format('role %s may not call %s, which the front desk needs', current_user, needed),
        hint = format('As the owner of the extension: grant execute on function %s to %I;', needed, current_user);
    end if;
  end loop;
  if owner is null then
    create schema crm;
    comment on schema crm is 'the front desk of a business, by pg_frontdesk';
  elsif not pg_has_role(owner, 'usage') then
    raise exception using errcode = 'insufficient_privilege',
      message = format('schema crm belongs to %s', owner::regrole),
      hint = format('set role %s;', owner::regrole);
  elsif to_regclass('crm.installation') is null then
    if exists (select from pg_depend d where d.refclassid = 'pg_namespace'::regclass and d.refobjid = to_regnamespace('crm')) then
      raise exception using errcode = 'duplicate_schema',
        message = 'schema crm exists and is not one of pg_frontdesk',
        detail = format('It belongs to %s and has objects of its own.', owner::regrole),
        hint = 'Rename it: alter schema crm rename to crm_old;';
    end if;
  end if;
  there := frontdesk.crm_version();
  if string_to_array(there, '.')::int[] > string_to_array(this_version, '.')::int[] then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema crm is of version %s, the extension of %s', there, this_version),
      hint = 'alter extension pg_frontdesk update;';
  end if;
  foreach needed in array array['btree_gist', 'pg_trgm', 'unaccent'] loop
    if not exists (select from pg_extension where extname = needed) then
      execute format('create extension %I schema public', needed);
    end if;
  end loop;
  for s in select c.name, c.script from frontdesk.crm_scripts() c loop
    execute frontdesk.crm_text(s.script);
  end loop;
  execute 'insert into crm.installation (version) values ($1)
    on conflict (only_row) do update set version = excluded.version, updated_at = clock_timestamp()' using this_version;
  if sample_data then
    execute 'select crm.load_sample_data()';
  end if;
  return case
    when there is null then format('crm %s installed', this_version)
    when there = this_version then format('crm %s was there already; its functions were made anew', this_version)
    else format('crm upgraded from %s to %s', there, this_version) end;
end
$$;
comment on function frontdesk.install_crm(boolean) is
  'make, repair or upgrade schema crm: accounts, leads, appointments, documents ... as ordinary tables of the caller. Rows are kept, nothing is dropped. sample_data: a small business to look at. Needs CREATE on the database, and execute on frontdesk.emit()';

create or replace function frontdesk.crm_text(script text) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  e record;
begin
  for e in
    select x.extname, quote_ident(n.nspname) as schema from pg_extension x join pg_namespace n on n.oid = x.extnamespace
    where x.extname in ('vector', 'btree_gist', 'pg_trgm', 'unaccent')
  loop
    script := replace(script, '@schema:' || e.extname || '@', e.schema);
  end loop;
  return script;
end
$$;
comment on function frontdesk.crm_text(text) is 'internal: a script of schema crm with @schema:extension@ replaced by where that extension is';

create or replace function frontdesk.uninstall_crm(confirm text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
  r record;
begin
  if frontdesk.crm_version() is null then
    raise exception using errcode = 'invalid_schema_name', message = 'there is no schema crm of pg_frontdesk here';
  end if;
  if confirm is distinct from current_database() then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'uninstall_crm() drops schema crm with all its rows, and everything that depends on it',
      detail = (select format('%s tables of %s.', count(*), pg_size_pretty(sum(pg_total_relation_size(c.oid))))
                from pg_class c where c.relnamespace = to_regnamespace('crm') and c.relkind in ('r', 'p')),
      hint = format('To go on: select frontdesk.uninstall_crm(%L);', current_database());
  end if;
  for r in select t.name from frontdesk.reminders t where t.source like 'crm.%' loop
    perform frontdesk.unremind(r.name);
  end loop;
  perform frontdesk.unschedule('crm rescore');
  for r in select j.id from frontdesk.jobs j where j.name like 'crm: %' loop
    perform frontdesk.unschedule(r.id);
  end loop;
  drop schema crm cascade;
  return 'schema crm is dropped; endpoints and past events are kept';
end
$$;
comment on function frontdesk.uninstall_crm(text) is 'drop schema crm with all its rows; confirm is the name of this database';

-- sql/functions/90_upkeep.sql
-- Room 90, upkeep: partitions made ahead, retention.

create or replace function frontdesk.make_partition(parent text, day date) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
  if to_regclass('frontdesk.' || partition) is not null then
    return false;
  end if;
  execute format('create table frontdesk.%I partition of frontdesk.%I for values from (%L) to (%L)', partition, parent,
    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  -- A member, so that pg_dump leaves the log alone and DROP EXTENSION takes it along.
  if not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = ('frontdesk.' || partition)::regclass and deptype = 'e') then
    execute format('alter extension pg_frontdesk add table frontdesk.%I', partition);
  end if;
  return true;
exception when check_violation then
  -- The default partition has rows of that day already: they stay there.
  return false;
end
$$;
comment on function frontdesk.make_partition(text, date) is 'internal: the partition of a UTC day; false when it is there or its rows are in the default partition';

create or replace function frontdesk.expired_partitions(parent text, keep interval) returns setof name
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = ('frontdesk.' || parent)::regclass and c.relname ~ '_\d{8}$'
    and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' <= frontdesk.now() - keep
  order by c.relname
$$;
comment on function frontdesk.expired_partitions(text, interval) is 'internal: the days that are wholly older than this';

create or replace function frontdesk.kept(parent text) returns interval
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select current_setting(case parent when 'event' then 'frontdesk.event_retention'
    when 'attempt_success' then 'frontdesk.success_retention' when 'attempt_failure' then 'frontdesk.failure_retention'
    when 'job_run_success' then 'frontdesk.job_retention' else 'frontdesk.job_failure_retention' end)::interval
$$;
comment on function frontdesk.kept(text) is 'internal: how long the rows of this log are kept';

create or replace function frontdesk.maintain_step() returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set lock_timeout = '100ms' as $$
declare
  -- In the order in which a reader of the log locks them.
  logs text[] := '{event,attempt_failure,attempt_success,job_run_failure,job_run_success}';
  today date := (frontdesk.now() at time zone 'UTC')::date;
  log text;
  partition name;
begin
  foreach log in array logs loop
    for day in 0 .. 7 loop
      if frontdesk.make_partition(log, today + day) then
        return true;
      end if;
    end loop;
    for partition in select frontdesk.expired_partitions(log, frontdesk.kept(log)) limit 1 loop
      execute format('alter extension pg_frontdesk drop table frontdesk.%I', partition);
      execute format('drop table frontdesk.%I', partition);
      return true;
    end loop;
  end loop;
  return false;
exception when lock_not_available then
  return null;
end
$$;
comment on function frontdesk.maintain_step() is
  'internal: make one partition of the coming week or drop one that is past its retention; false when there is none, null when somebody reads the log just now';

create or replace function frontdesk.maintain_rest() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  today date := (frontdesk.now() at time zone 'UTC')::date;
  oldest timestamptz := frontdesk.now() - frontdesk.kept('event');
  late text;
begin
  -- Whoever loses events by retention is named a day before.
  select string_agg(e.name, ', ') into late
  from frontdesk.cursor c join frontdesk.endpoint e on e.id = c.endpoint_id
  where c.since > '-infinity' and c.since < oldest + interval '1 day';
  if late is not null then
    raise warning 'endpoints % have events that are about to leave the log unsent (frontdesk.event_retention)', late;
  end if;
  delete from frontdesk.event_default e where e.created_at < oldest;
  delete from frontdesk.attempt_success_default a where a.started_at < frontdesk.now() - frontdesk.kept('attempt_success');
  delete from frontdesk.attempt_failure_default a where a.started_at < frontdesk.now() - frontdesk.kept('attempt_failure');
  delete from frontdesk.job_run_success_default r where r.started_at < frontdesk.now() - frontdesk.kept('job_run_success');
  delete from frontdesk.job_run_failure_default r where r.started_at < frontdesk.now() - frontdesk.kept('job_run_failure');
  delete from frontdesk.job j where j.run_at < frontdesk.now() - frontdesk.kept('job_run_failure') and not j.active;
  delete from frontdesk.retry r where r.event_at < oldest - interval '1 day';
  delete from frontdesk.dead_letter d where d.event_at < oldest - interval '1 day';
  delete from frontdesk.endpoint_secret s where s.expires_at < frontdesk.now();
  perform brin_summarize_new_values(i.indexrelid::regclass)
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
  join pg_inherits h on h.inhrelid = i.indrelid
  where a.amname = 'brin' and h.inhparent = 'frontdesk.event'::regclass
    and i.indrelid::regclass::text ~ (to_char(today, 'YYYYMMDD') || '|' || to_char(today - 1, 'YYYYMMDD') || '|default');
end
$$;
comment on function frontdesk.maintain_rest() is 'internal: what is past its retention outside the daily partitions, and the index by id';

create or replace function frontdesk.maintain() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  steps bigint := 0;
  more boolean;
begin
  loop
    more := frontdesk.maintain_step();
    exit when more is not true;
    steps := steps + 1;
  end loop;
  perform frontdesk.maintain_rest();
  return format('%s partitions made or dropped%s', steps, case when more is null then '; somebody reads the log, call again later' else '' end);
end
$$;
comment on function frontdesk.maintain() is
  'make the partitions of the coming week, drop those past frontdesk.event_retention, success_retention and failure_retention. The engine does it every six hours';

do $$
begin
  perform frontdesk.make_partition(p, (pg_catalog.now() at time zone 'UTC')::date + d)
  from unnest('{event,attempt_success,attempt_failure,job_run_success,job_run_failure}'::text[]) p, generate_series(0, 7) d;
end
$$;

-- sql/functions/99_grants.sql
-- Least privilege: PUBLIC may use what tells nothing and changes nothing.

revoke all on all functions in schema frontdesk from public;
revoke all on all tables in schema frontdesk from public;
revoke all on all sequences in schema frontdesk from public;

grant usage on schema frontdesk to public;
grant execute on function
  frontdesk.now(),
  frontdesk.library_version(),
  frontdesk.pattern_matches(text, text),
  frontdesk.filter_matches(jsonb, jsonb),
  frontdesk.check_event_type(text),
  frontdesk.check_schema(jsonb),
  frontdesk.validate_json(jsonb, jsonb),
  frontdesk.check_filter(jsonb),
  frontdesk.split_text(text, int, int),
  frontdesk.filter_predicate(jsonb, text, boolean),
  frontdesk.compile_filter(jsonb, text),
  frontdesk.vector_column(regclass, name),
  frontdesk.check_search(text, @extschema:vector@.vector, int[], int, float8),
  frontdesk.vector_index(regclass, name, boolean, int, int),
  frontdesk.search_way(regclass, regclass, text, text, boolean, int),
  frontdesk.dimensions_test(regclass, name, int),
  frontdesk.nearest_query(regclass, name, int, int, boolean, text, text, text[], text, text, text, text, boolean),
  frontdesk.key_columns(regclass),
  frontdesk.find_nearest(regclass, name, @extschema:vector@.vector, text, text, boolean, int, text[], int, text),
  frontdesk.any_words(regclass, name, text, regconfig),
  frontdesk.find_words(regclass, text, name, text, regconfig, text, text, int, text[]),
  frontdesk.search_columns(regclass, name, name, name, regconfig),
  frontdesk.search_filter(regclass, jsonb, text),
  frontdesk.search_documents(regclass, @extschema:vector@.vector, text, jsonb, int, float8, name, name, name, regconfig),
  frontdesk.explain_search(regclass, @extschema:vector@.vector, jsonb, int, name, name),
  frontdesk.verify_webhook(text, jsonb, bytea, text, interval),
  frontdesk.format_time(timestamptz, text, text, text),
  frontdesk.check_locale(text),
  frontdesk.watch_config(bytea),
  frontdesk.watch_key(regclass),
  frontdesk.watch_check(regclass, name[], text),
  frontdesk.watch_source(regclass),
  frontdesk.watch_install(regclass, jsonb),
  frontdesk.watch_remove(regclass, name[]),
  frontdesk.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name),
  frontdesk.unwatch(regclass)
to public;
grant select on frontdesk.watch to public;

-- Who has the facts may have them scored; the models are read and written by whom the owner lets.
grant execute on function
  frontdesk.score_of(text, text, uuid),
  frontdesk.score(jsonb, text, uuid),
  frontdesk.score_tier_of(numeric, text, uuid),
  frontdesk.score_tier(numeric, text, uuid),
  frontdesk.score_parts(text, uuid),
  frontdesk.explain_score_of(text, text, uuid),
  frontdesk.explain_score(jsonb, text, uuid),
  frontdesk.score_is_stale(record, text, text, text, text, text),
  frontdesk.keep_score(),
  frontdesk.keep_scores(regclass, text, name, name, name, name),
  frontdesk.fit_score_model(text, text[], boolean[]),
  frontdesk.follow_scores(text)
to public;
grant select, insert, delete on frontdesk.score_follower to public;

-- Jobs and reminders are everybody's own: row level security (sql/tables/30_schedule.sql, 31_timer.sql) says which.
grant execute on function
  frontdesk.check_schedule(text),
  frontdesk.check_timezone(text),
  frontdesk.check_command(text),
  frontdesk.database_timezone(),
  frontdesk.next_runs(text, text, int, timestamptz),
  frontdesk.jobs_changed(),
  frontdesk.job_owner(name),
  frontdesk.job_id(text),
  frontdesk.schedule(text, text, text, text, name, interval, text, int, interval, text, boolean),
  frontdesk.schedule_once(timestamptz, text, text, name, interval, int, interval, text),
  frontdesk.unschedule(text),
  frontdesk.unschedule(bigint),
  frontdesk.alter_job(bigint, text, text, text, name, interval, text, int, interval, text, boolean, text),
  frontdesk.run_job(text),
  frontdesk.cancel_run(bigint),
  frontdesk.engine_state(),
  frontdesk.explain_job(text),
  frontdesk.list_scheduled_jobs(),
  frontdesk.get_job_history(text, int),
  frontdesk.timer_set(timestamptz),
  frontdesk.timer_moment(frontdesk.timer_rule, text),
  frontdesk.timer_key(frontdesk.timer_rule, text),
  frontdesk.timer_fill(bigint),
  frontdesk.timer_home(),
  frontdesk.timer_install(frontdesk.timer_rule),
  frontdesk.timer_uninstall(frontdesk.timer_rule),
  frontdesk.timer_trigger(),
  frontdesk.timer_check_payload(regclass, regprocedure),
  frontdesk.remind(regclass, name, interval, text, jsonb, text, text, interval, name, regprocedure),
  frontdesk.unremind(text)
to public;
grant select, insert, update, delete on frontdesk.job, frontdesk.timer_rule, frontdesk.timer to public;
grant select on frontdesk.job_state, frontdesk.job_run, frontdesk.jobs, frontdesk.timers, frontdesk.reminders to public;
grant insert (job_id, job_name, owner, command, status, scheduled_at, started_at), update (status, finished_at, message)
  on frontdesk.job_run to public;

-- Embedding: the tables of the room hold everybody to what is his (sql/tables/65_embedder.sql).
grant execute on function
  frontdesk.floats(bytea),
  frontdesk.embed_column(regclass, name, text, text),
  frontdesk.embed_reset(),
  frontdesk.embed_wake(),
  frontdesk.embed_where(text, frontdesk.embed_source),
  frontdesk.embed_rows(frontdesk.embed_source, boolean),
  frontdesk.embed_count(bigint, boolean),
  frontdesk.embedder_id(text),
  frontdesk.embedder_name(bigint),
  frontdesk.embedder_dimensions(bigint),
  frontdesk.embedder_model(bigint),
  frontdesk.embedder_of(text, int),
  frontdesk.unembed_table(regclass, name, text),
  frontdesk.embed_failures(regclass),
  frontdesk.embed_declaration(bigint),
  frontdesk.embed_lock(bigint),
  frontdesk.embed_reuse(bigint, int),
  frontdesk.embed_pick(bigint, int, int, oid[], text[]),
  frontdesk.embed_store(bigint, oid[], text[], bigint[], bytea[]),
  frontdesk.embed_refuse(bigint, bigint[], text),
  frontdesk.embed_later(bigint, bigint)
to public;
grant execute on procedure frontdesk.embed_pending(bigint) to public;
grant select, insert, update, delete on frontdesk.embed_source, frontdesk.embed_failure to public;
grant select on frontdesk.embed_tables to public;

-- The engine begins its work when CREATE EXTENSION or ALTER EXTENSION UPDATE commits.
do $$
begin
  perform frontdesk.wake(reboot => true);
end
$$;

-- They tell nothing and change nothing.
grant execute on function
  frontdesk.normalize_email(text, boolean),
  frontdesk.normalize_phone(text, text, boolean),
  frontdesk.normalize_handle(text, boolean),
  frontdesk.clean_line(text, text, int),
  frontdesk.normalize_row()
to public;
