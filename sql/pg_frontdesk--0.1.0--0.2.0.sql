-- From 0.1.0: what is internal moves into a schema of its own, tables get the columns that they have now, and all functions,
-- views and grants are made as those of a new installation. Rows, secrets, jobs, timers and what waits to be delivered stay.
\echo Use "ALTER EXTENSION pg_frontdesk UPDATE" to load this file. \quit

set local standard_conforming_strings = on;
set local quote_all_identifiers = off;
set local row_security = on;
set local datestyle = 'ISO, MDY';
set local intervalstyle = 'postgres';
set local timezone = 'UTC';
set local default_table_access_method = 'heap';
set local default_tablespace = '';
set local default_toast_compression = 'pglz';
set local plpgsql.extra_warnings = 'none';
set local plpgsql.extra_errors = 'none';
set local plpgsql.check_asserts = on;
set local plpgsql.variable_conflict = 'error';
set local client_min_messages = warning;
set local search_path = pg_catalog, frontdesk, pg_temp;

-- Our own event triggers would look at what is half done.
alter event trigger frontdesk_watch_follow disable;
alter event trigger frontdesk_watch_guard disable;
alter event trigger frontdesk_timer_follow disable;
alter event trigger frontdesk_timer_lost disable;

-- What administrators granted by name is granted again on what has to be made anew.
create temporary table kept_grant on commit drop as
select p.proname as name, true as is_function, a.grantee, a.privilege_type, a.is_grantable
from pg_proc p, aclexplode(p.proacl) a
where p.pronamespace = 'frontdesk'::regnamespace and a.grantee not in (0, p.proowner)
union
select c.relname, false, a.grantee, a.privilege_type, a.is_grantable
from pg_class c, aclexplode(c.relacl) a
where c.relnamespace = 'frontdesk'::regnamespace and a.grantee not in (0, c.relowner);

-- What there is no more, or has other arguments or another result. The views read columns whose type changes.
drop view frontdesk.jobs, frontdesk.timers, frontdesk.reminders, frontdesk.embed_tables, frontdesk.embedders,
  frontdesk.endpoints;
drop function frontdesk.query_as(oid, text, text[], timestamptz[]), frontdesk.engine_fire_timers(int), frontdesk.timer_refill(),
  frontdesk.embedder_model(bigint), frontdesk.embed_lock(bigint), frontdesk.embed_rows(frontdesk.embed_source, boolean),
  frontdesk.alter_embedder(text, text, text, int, text, int, numeric, int, jsonb, int, int, boolean, text, boolean),
  frontdesk.add_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean),
  frontdesk.alter_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean),
  frontdesk.engine_due(bigint[], timestamptz, int), frontdesk.engine_events(bigint[], xid8[], timestamptz[]),
  frontdesk.engine_read(text, text, xid8, bigint, timestamptz, timestamptz, int), frontdesk.engine_slot(),
  frontdesk.find_nearest(regclass, name, @extschema:vector@.vector, text, text, boolean, int, text[], int, text),
  frontdesk.find_words(regclass, text, name, text, regconfig, text, text, int, text[]),
  frontdesk.http_json(text, text, jsonb, jsonb, text, int), frontdesk.job_id(text), frontdesk.job_owner(name),
  frontdesk.search_columns(regclass, name, name, name, regconfig), frontdesk.search_filter(regclass, jsonb, text),
  frontdesk.search_way(regclass, regclass, text, text, boolean, int), frontdesk.status(),
  frontdesk.watch_install(regclass, jsonb), frontdesk.watch_remove(regclass, name[]);
drop trigger installation_replace on frontdesk.installation;
drop function frontdesk.installation_replace();

drop policy own on frontdesk.job;
drop policy own on frontdesk.job_state;
drop policy own on frontdesk.job_run;
drop policy ask on frontdesk.job_run;
drop policy take_back on frontdesk.job_run;
drop policy own on frontdesk.timer_rule;
drop policy own on frontdesk.timer;
drop policy own on frontdesk.score_follower;
drop policy own on frontdesk.embed_source;
drop policy own on frontdesk.embed_failure;

-- Two schemas.
create schema frontdesk_internal;
comment on schema frontdesk_internal is 'pg_frontdesk''s own: tables, what the engine calls, and what stands behind the verbs. It may change in any version';
do $$
declare
  o record;
  moved constant text[] := string_to_array(regexp_replace('
    any_words,capture,check_range,check_score_book,config_changed,crm_scripts,crm_text,database_timezone,
    dimensions_test,embed_awake,embed_column,embed_count,embed_declaration,embed_failed,embed_floats,
    embed_later,embed_pick,embed_refuse,embed_reset,embed_reuse,embed_rows,embed_run,embed_settings,
    embed_slot,embed_store,embed_succeeded,embed_wake,embed_where,embedder_check,embedder_dimensions,
    embedder_headers,embedder_id,embedder_name,embedding_keep,embedding_known,endpoint_check,endpoint_id,
    endpoint_settings,engine_attempts,engine_blocked,engine_boot,engine_cursors,engine_dead,engine_disable,
    engine_done,engine_due,engine_events,engine_forget,engine_health,engine_job_finish,engine_job_problem,
    engine_job_recover,engine_job_requests,engine_job_skip,engine_job_start,engine_jobs,engine_jobs_version,
    engine_list,engine_next_due,engine_prepared,engine_read,engine_release,engine_report,engine_retry,
    engine_save_cursors,engine_settled,engine_slot,engine_state,engine_window,expired_partitions,
    explain_score_of,filter_predicate,find_event,fire_timers,floats,job_changed,job_check,jobs_changed,
    keep_score,kept,key_columns,maintain_rest,maintain_step,make_partition,nearest_query,normalize_row,
    plain_headers,record_event,report_run,reseal,routing,score_book,score_model_changed,score_model_check,
    score_of,score_rule_check,score_rule_touch,score_tier_of,scores_changed,seal,search_columns,
    search_filter,search_way,set_endpoint_state,set_headers,set_state,ship_score_model,timer_check_payload,
    timer_fill,timer_follow,timer_forget,timer_home,timer_install,timer_keep,timer_key,timer_lost,
    timer_match,timer_moment,timer_rows,timer_set,timer_trigger,timer_uninstall,unix_us,vector_column,
    watch_check,watch_config,watch_follow,watch_guard,watch_key,watch_source,webhook_configs_write', E'\\s', '', 'g'), ',');
begin
  for o in
    select c.oid::regclass as name, case c.relkind when 'S' then 'sequence' else 'table' end as kind
    from pg_class c join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk'
    where c.relnamespace = 'frontdesk'::regnamespace and c.relkind in ('r', 'p', 'S')
      and c.relname <> all ('{event,score_model,score_rule}')
      -- The sequence of a column moves with its table.
      and not (c.relkind = 'S' and exists (select from pg_depend i where i.classid = 'pg_class'::regclass and i.objid = c.oid and i.deptype in ('a', 'i')
        and i.refclassid = 'pg_class'::regclass))
  loop
    execute format('alter %s %s set schema frontdesk_internal', o.kind, o.name);
  end loop;
  for o in
    select p.oid::regprocedure as name from pg_proc p where p.pronamespace = 'frontdesk'::regnamespace and p.proname = any (moved)
  loop
    execute format('alter routine %s set schema frontdesk_internal', o.name);
  end loop;
  -- Triggers on tables of the extension come back with the functions; they name columns whose type changes.
  for o in
    select t.tgname, t.tgrelid::regclass as source from pg_trigger t
    join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = t.tgrelid and d.deptype = 'e'
    join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk'
    where not t.tgisinternal and t.tgparentid = 0
  loop
    execute format('drop trigger %I on %s', o.tgname, o.source);
  end loop;
end
$$;

-- What none of the functions below takes the place of is no longer there.
create temporary table former_function on commit drop as
select p.oid, p.ctid as place from pg_proc p join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk';

-- Tables, as in sql/tables.
alter table frontdesk_internal.installation drop column only_row;
alter table frontdesk_internal.installation add primary key (id);
comment on table frontdesk_internal.installation is
  'the identity of this installation (part of every webhook-id), where it was installed, and whether the engine may work. One row; a second one came with the data of a dump. A copy that runs elsewhere stays silent until adopt().';

-- What endpoints and jobs have as their home. Here, because it is their default.
create function frontdesk_internal.installation_id() returns uuid
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select i.id from frontdesk_internal.installation i order by i.installed_at, i.id limit 1
$$;
comment on function frontdesk_internal.installation_id() is 'internal: the identity of this installation';

-- Whose log of events and attempts this database has. Left out of dumps, as the log is: where it is another's than the
-- installation's, what the endpoints say of transactions means nothing here.
create table frontdesk_internal.log_owner (
  installation uuid primary key
);
comment on table frontdesk_internal.log_owner is 'one row: the installation whose events are in the log';
insert into frontdesk_internal.log_owner (installation) select i.id from frontdesk_internal.installation i;

-- A role, as regrole has it, in tables that a dump brings: the name of a role that is not there is no error, which would lose
-- all rows of the table, but 0: nobody. Nor does the number of a role that was dropped become another one elsewhere.
create type frontdesk.role;
create function frontdesk_internal.role_in(cstring) returns frontdesk.role
strict stable parallel safe language c as 'MODULE_PATHNAME', 'role_in_wrapper';
create function frontdesk_internal.role_out(frontdesk.role) returns cstring
strict stable parallel safe language c as 'MODULE_PATHNAME', 'role_out_wrapper';
create type frontdesk.role (input = frontdesk_internal.role_in, output = frontdesk_internal.role_out, like = pg_catalog.oid);
comment on function frontdesk_internal.role_in(cstring) is 'internal: of the type role';
comment on function frontdesk_internal.role_out(frontdesk.role) is 'internal: of the type role';
comment on type frontdesk.role is 'a role by its name; "-", nobody, where there is none of that name';
create cast (frontdesk.role as oid) without function as implicit;
create cast (frontdesk.role as regrole) without function as implicit;
create cast (oid as frontdesk.role) without function as assignment;
create cast (regrole as frontdesk.role) without function as assignment;

-- And a table, as regclass has it: one that was left out of a dump, or is restored later, does not lose the others' rows.
create type frontdesk.relation;
create function frontdesk_internal.relation_in(cstring) returns frontdesk.relation
strict stable parallel safe language c as 'MODULE_PATHNAME', 'relation_in_wrapper';
create function frontdesk_internal.relation_out(frontdesk.relation) returns cstring
strict stable parallel safe language c as 'MODULE_PATHNAME', 'relation_out_wrapper';
create type frontdesk.relation (input = frontdesk_internal.relation_in, output = frontdesk_internal.relation_out, like = pg_catalog.oid);
comment on function frontdesk_internal.relation_in(cstring) is 'internal: of the type relation';
comment on function frontdesk_internal.relation_out(frontdesk.relation) is 'internal: of the type relation';
comment on type frontdesk.relation is 'a table by its name; "-", none, where there is none of that name';
create cast (frontdesk.relation as oid) without function as implicit;
create cast (frontdesk.relation as regclass) without function as implicit;
create cast (oid as frontdesk.relation) without function as assignment;
create cast (regclass as frontdesk.relation) without function as assignment;

alter table frontdesk_internal.endpoint add credentials text[] not null default '{}', add problem text,
  add home uuid default frontdesk_internal.installation_id(), add tls jsonb,
  add http text not null default 'auto' check (http in ('auto', '1.1', '2'));
update frontdesk_internal.endpoint e set credentials = array(
  select s.header from frontdesk_internal.endpoint_secret s where s.endpoint_id = e.id and s.header is not null order by s.header);
comment on column frontdesk_internal.endpoint.credentials is 'the names of the credential headers: without the value of each of them nothing is sent';
comment on column frontdesk_internal.endpoint.problem is 'why nothing is sent to it although it is active; its events wait';
comment on column frontdesk_internal.endpoint.home is 'the installation that it was added to: one that came with a dump, or a part of one, gets nothing before adopt()';
comment on column frontdesk_internal.endpoint.tls is 'its authorities, the pins of its key, and our certificate for it; the key of that is in endpoint_client_key';
comment on column frontdesk_internal.endpoint.http is 'the version of HTTP: auto, 1.1 or 2';
alter table frontdesk_internal.endpoint_secret drop constraint endpoint_secret_endpoint_id_fkey;
create table frontdesk_internal.endpoint_client_key (
  endpoint_id bigint primary key,
  secret bytea not null
);
comment on table frontdesk_internal.endpoint_client_key is 'the keys of the client certificates, sealed as the secrets of endpoints are';
select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint_client_key', '');

-- Handlers are endpoints without a URL.
alter table frontdesk_internal.endpoint alter url drop not null;
comment on column frontdesk_internal.endpoint.url is 'null: it is a handler, whose function is in frontdesk_internal.handler';
create table frontdesk_internal.handler (
  endpoint_id bigint primary key,
  owner frontdesk.role not null,
  function text not null,
  batch int not null check (batch between 1 and 1000),
  timeout_ms int not null check (timeout_ms between 100 and 3600000),
  login boolean not null default true,
  added_by name
);
comment on table frontdesk_internal.handler is 'what of an endpoint is a handler: the function that its events are given to; changed through add_handler(), alter_handler() ...';
comment on column frontdesk_internal.handler.endpoint_id is 'its endpoint, which has no URL';
comment on column frontdesk_internal.handler.owner is 'the role it runs as; a number where the role was dropped';
comment on column frontdesk_internal.handler.function is 'schema.name(type): it is looked up before it runs';
comment on column frontdesk_internal.handler.login is 'its owner could log in when it was added: once they may no longer, it does not run';
comment on column frontdesk_internal.handler.added_by is 'who added it for a role that they could become; null: the owner';
comment on column frontdesk_internal.handler.batch is 'so many events are given to it in one transaction';

-- No foreign key: a parallel restore of a dump brings these rows in any order.
select pg_catalog.pg_extension_config_dump('frontdesk_internal.handler', '');

alter table frontdesk_internal.job alter owner type frontdesk.role using owner::frontdesk.role,
  add home uuid default frontdesk_internal.installation_id(), add login boolean not null default true, add scheduled_by name;
alter table frontdesk_internal.job_run alter owner type frontdesk.role using owner::frontdesk.role;
comment on column frontdesk_internal.job.login is 'its owner could log in when it was scheduled: once they may no longer, it does not run';
comment on column frontdesk_internal.job.scheduled_by is 'who scheduled it for a role that they could become; null: the owner';
comment on column frontdesk_internal.job.home is 'the installation that it was made in: one that came with a dump, or a part of one, does not run before adopt()';
update frontdesk_internal.job j set login = r.rolcanlogin from pg_roles r where r.oid = j.owner::oid;

alter table frontdesk_internal.timer_rule alter source type frontdesk.relation using source::frontdesk.relation;
alter table frontdesk_internal.timer add reason text;
drop index frontdesk_internal.timer_due;
comment on column frontdesk_internal.timer.reason is 'why it is broken';
create index timer_due on frontdesk_internal.timer (rule_id, due_at) where outcome is null;

-- Left out of dumps, because it is about this server.
create table frontdesk_internal.timer_state (
  rule_id bigint primary key,
  batch int check (batch > 0),
  retry_at timestamptz,
  failures int not null default 0,
  broken bigint not null default 0,
  trouble text
) with (fillfactor = 50);
comment on table frontdesk_internal.timer_state is 'rules whose reminders did not all go well: a batch that fails is tried again with half of its timers, down to one, which is then broken';
comment on column frontdesk_internal.timer_state.batch is 'how many timers are taken at once; null: as many as there are';
comment on column frontdesk_internal.timer_state.retry_at is 'when the rule is tried again';
comment on column frontdesk_internal.timer_state.failures is 'in a row';
comment on column frontdesk_internal.timer_state.broken is 'timers that will never fire, because what makes their event fails';
comment on column frontdesk_internal.timer_state.trouble is 'what is wrong at present';

alter table frontdesk.score_rule drop constraint score_rule_tenant_model_fkey;
alter table frontdesk_internal.score_follower drop constraint score_follower_job_id_fkey;

alter table frontdesk_internal.embedder_secret drop constraint embedder_secret_embedder_id_fkey;
alter table frontdesk_internal.embed_failure drop constraint embed_failure_source_id_fkey;
alter table frontdesk_internal.embed_source drop constraint embed_source_embedder_id_fkey,
  alter source type frontdesk.relation using source::frontdesk.relation, alter owner type frontdesk.role using owner::frontdesk.role,
  add forget boolean not null default false, add pending bigint, add failed bigint, add counted_at timestamptz;
-- A view has all columns, in their order.
alter table frontdesk_internal.embed_source rename created_at to declared_at;
alter table frontdesk_internal.embed_source add created_at timestamptz not null default now();
update frontdesk_internal.embed_source set created_at = declared_at;
alter table frontdesk_internal.embed_source drop declared_at;
comment on column frontdesk_internal.embed_source.owner is 'as whom the rows are read and written, and the condition is evaluated: the owner of the table';
comment on column frontdesk_internal.embed_source.forget is 'embed_again() asks the job to make all vectors anew';
comment on column frontdesk_internal.embed_source.pending is 'rows that waited, as the job counted them last: nobody else evaluates the condition';
-- A declaration, and its job, are those of the table's owner.
update frontdesk_internal.embed_source s set owner = c.relowner from pg_class c where c.oid = s.source::oid;
update frontdesk_internal.job j set owner = s.owner from frontdesk_internal.embed_source s where s.job_id = j.id;

-- Room 22, as in a new installation.

create table frontdesk_internal.source (
  id bigint generated always as identity primary key,
  name text not null unique,
  scheme text not null,
  public_url text,
  id_path text,
  type_path text,
  keep interval not null,
  tolerance interval not null,
  tenant uuid,
  active boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table frontdesk_internal.source is 'who sends webhooks here, and how it is known that they do';
comment on column frontdesk_internal.source.public_url is 'the URL that the sender calls, without its query: Twilio signs it, and a proxy hides it';
comment on column frontdesk_internal.source.keep is 'how long bodies and headers are kept; after that only their fingerprints are';

create table frontdesk_internal.source_secret (
  id bigint generated always as identity primary key,
  source_id bigint not null,
  -- What a sender proves itself with, or what Meta asks by (its verify token).
  is_verify_token boolean not null default false,
  secret bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
comment on table frontdesk_internal.source_secret is 'sealed as the secrets of endpoints are';
comment on column frontdesk_internal.source_secret.expires_at is 'a rotated secret counts beside the new one until then';
-- No foreign key: a parallel restore of a dump brings these rows in any order.
create index source_secret_source_id on frontdesk_internal.source_secret (source_id);

create table frontdesk_internal.receipt (
  id bigint generated always as identity primary key,
  source_id bigint not null,
  key text not null,
  status smallint not null,
  received_at timestamptz not null default clock_timestamp(),
  type text,
  event_id bigint,
  repeats bigint not null default 0,
  repeated_at timestamptz,
  reason text,
  query text,
  headers jsonb,
  body bytea,
  body_hash bytea,
  constraint receipt_source_id_key unique (source_id, key)
) with (fillfactor = 85);
comment on table frontdesk_internal.receipt is 'one row for each delivery that came in, however often it came; one for each hour and status of what was refused';
comment on column frontdesk_internal.receipt.key is 'id: and the sender''s id of the delivery, no: and a number where there is none, refused: and hour and status';
comment on column frontdesk_internal.receipt.body_hash is 'SHA-256 of the body';
create index receipt_received_at on frontdesk_internal.receipt (received_at) where body is not null or headers is not null;
create index receipt_event_id on frontdesk_internal.receipt (event_id) where event_id is not null;

create type frontdesk.webhook_answer as (status int, body text, content_type text, receipt bigint);
comment on type frontdesk.webhook_answer is 'what whoever holds the socket of an incoming webhook answers: HTTP status, body, its content type; and the receipt';

select pg_catalog.pg_extension_config_dump('frontdesk_internal.source', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.receipt', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_secret_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.receipt_id_seq', '');

-- Functions, views and grants, as those of a new installation.
@functions@

do $$
declare
  o record;
  r frontdesk_internal.timer_rule;
begin
  for o in
    select p.oid::regprocedure as name from former_function f join pg_proc p on p.oid = f.oid and p.ctid = f.place
  loop
    execute format('drop routine %s', o.name);
  end loop;
  for o in
    select distinct g.kind, g.name, k.grantee::regrole as grantee, k.privilege_type, k.is_grantable
    from kept_grant k
    join frontdesk_internal.granted g on g.who in ('public', 'owner') and g.id in (
      select p.oid from pg_proc p where k.is_function and p.proname = k.name and p.pronamespace = 'frontdesk'::regnamespace
      union all select c.oid from pg_class c where not k.is_function and c.relname = k.name and c.relnamespace = 'frontdesk'::regnamespace)
    join pg_roles a on a.oid = k.grantee
    where not exists (
      select from aclexplode(g.acl) x where x.grantee = k.grantee and x.privilege_type = k.privilege_type and x.is_grantable >= k.is_grantable)
  loop
    execute format('grant %s on %s %s to %s%s', o.privilege_type, o.kind, o.name, o.grantee,
      case when o.is_grantable then ' with grant option' else '' end);
  end loop;
  -- The triggers of reminders name their rule, and no longer what is in it.
  for r in select u.* from frontdesk_internal.timer_rule u join pg_class c on c.oid = u.source where u.problem is null loop
    perform frontdesk_internal.timer_install(r);
  end loop;
end
$$;

drop table kept_grant, former_function;
alter event trigger frontdesk_watch_follow enable;
alter event trigger frontdesk_watch_guard enable;
alter event trigger frontdesk_timer_follow enable;
alter event trigger frontdesk_timer_lost enable;
