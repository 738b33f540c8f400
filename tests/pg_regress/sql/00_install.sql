-- Installing: under whatever settings, and never into a schema that is somebody else's.
\set SHOW_CONTEXT never
set client_min_messages = warning;
create database frontdesk_regress_install template template0;
\set database :DBNAME
create role regress_install_eve;
\c frontdesk_regress_install
set client_min_messages = error;
create extension vector;

-- Who owns the schema, or has something in it, or may make something in it, could have the extension call what is theirs.

create schema frontdesk authorization regress_install_eve;
create extension pg_frontdesk;
alter schema frontdesk owner to current_user;
create function frontdesk.format(text, name) returns text language sql as $$ select 'planted' $$;
create extension pg_frontdesk;
drop function frontdesk.format(text, name);
create domain frontdesk.jsonb as text;
create extension pg_frontdesk;
drop domain frontdesk.jsonb;
grant create on schema frontdesk to regress_install_eve;
create extension pg_frontdesk;
revoke create on schema frontdesk from regress_install_eve;
grant create on schema frontdesk to public;
create extension pg_frontdesk;
revoke create on schema frontdesk from public;
create extension pg_frontdesk;
drop extension pg_frontdesk;

-- Whatever a database, a role or a session has set.

alter database frontdesk_regress_install set standard_conforming_strings = off;
alter database frontdesk_regress_install set quote_all_identifiers = on;
alter database frontdesk_regress_install set datestyle = 'SQL, DMY';
alter database frontdesk_regress_install set intervalstyle = 'sql_standard';
alter database frontdesk_regress_install set timezone = '<-03>+03';
alter database frontdesk_regress_install set bytea_output = 'escape';
alter database frontdesk_regress_install set extra_float_digits = -5;
alter database frontdesk_regress_install set transform_null_equals = on;
alter database frontdesk_regress_install set array_nulls = off;
alter database frontdesk_regress_install set session_replication_role = 'replica';
alter database frontdesk_regress_install set plan_cache_mode = 'force_generic_plan';
alter database frontdesk_regress_install set jit_above_cost = 0;
alter database frontdesk_regress_install set plpgsql.extra_errors = 'all';
alter database frontdesk_regress_install set plpgsql.extra_warnings = 'all';
alter database frontdesk_regress_install set plpgsql.variable_conflict = 'use_column';
alter database frontdesk_regress_install set search_path = '';
alter database frontdesk_regress_install set row_security = off;
alter database frontdesk_regress_install set check_function_bodies = on;
alter database frontdesk_regress_install set escape_string_warning = on;
\c frontdesk_regress_install
set client_min_messages = warning;
create extension pg_frontdesk;
set session_replication_role = 'origin';
set client_min_messages = error;
create table public.lead (id int primary key, name text, at timestamptz);
select frontdesk.watch('public.lead', entity => 'lead');
insert into public.lead values (1, 'a', '2026-02-01 12:00+00');
select source, problem from frontdesk.watch;
select type, record from frontdesk.event;
select frontdesk.add_endpoint('crm', 'https://hooks.example.com/', headers => '{"Authorization": "x"}') <> '' as added;
select frontdesk.emit('lead.imported') > 0, frontdesk.maintain() is not null, state is not null from frontdesk.status();
select outcome from frontdesk.explain_event(2);
select frontdesk_internal.database_timezone();
set client_min_messages = warning;
select frontdesk.install_crm();

-- All of it belongs to who installed it, and every table of it can be published.

select d.classid::regclass, pg_describe_object(d.classid, d.objid, 0)
from pg_extension x join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = x.oid and d.deptype = 'e'
where x.extname = 'pg_frontdesk' and x.extowner <> coalesce(
  (select relowner from pg_class where d.classid = 'pg_class'::regclass and oid = d.objid),
  (select proowner from pg_proc where d.classid = 'pg_proc'::regclass and oid = d.objid),
  (select typowner from pg_type where d.classid = 'pg_type'::regclass and oid = d.objid),
  (select nspowner from pg_namespace where d.classid = 'pg_namespace'::regclass and oid = d.objid), x.extowner);
select c.oid::regclass as no_replica_identity from pg_class c join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk'
where c.relkind in ('r', 'p') and c.relpersistence = 'p' and c.relreplident = 'd'
  and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary);

-- No foreign key binds the tables of a dump, which a parallel restore loads in any order, and none of their columns takes a name
-- that may be missing where they are restored.

select conrelid::regclass, confrelid::regclass from pg_constraint, pg_extension x
where contype = 'f' and x.extname = 'pg_frontdesk' and conrelid = any (x.extconfig) and confrelid = any (x.extconfig);
select a.attrelid::regclass, a.attname from pg_attribute a join pg_extension x on a.attrelid = any (x.extconfig)
where x.extname = 'pg_frontdesk' and a.attnum > 0 and not a.attisdropped
  and a.atttypid in ('regrole'::regtype, 'regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regnamespace'::regtype, 'regtype'::regtype);
select version from unnest('{0.2.0,0.10.0,0.2.0-rc.1,0.2.0-beta.2,0.2.1,0.2.0-rc.10}'::text[]) version order by frontdesk_internal.version_key(version);
select 'nobody_of_this_name'::frontdesk.role, '16384'::frontdesk.role, '-'::frontdesk.role, 'REGRESS_INSTALL_EVE'::frontdesk.role,
  '"regress_install_eve"'::frontdesk.role, ('regress_install_eve'::frontdesk.role)::oid = 'regress_install_eve'::regrole as same;
\c :database
set client_min_messages = warning;
drop database frontdesk_regress_install;
drop role regress_install_eve;
