-- The script means the same whatever the session, its database or its role has set.
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

-- What somebody else has put into the schema would be found by the names below, and who owns the schema could do it later.
set local search_path = pg_catalog, pg_temp;
do $$
declare
  schema pg_catalog.pg_namespace;
  there text;
begin
  select n.* into strict schema from pg_catalog.pg_namespace n where n.nspname = 'frontdesk';
  if not (schema.nspowner = (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user)
    or exists (select from pg_catalog.pg_roles r where r.oid = schema.nspowner and r.rolsuper)) then
    raise exception using errcode = 'duplicate_schema',
      message = format('schema frontdesk exists and belongs to %s', pg_catalog.pg_get_userbyid(schema.nspowner)),
      detail = 'Its owner could change what the extension does with the rights of a superuser.',
      hint = 'drop schema frontdesk, or: alter schema frontdesk rename to frontdesk_old';
  end if;
  select pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) into there
  from pg_catalog.pg_depend d
  where d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.refobjid = schema.oid
    and d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
  order by 1 limit 1;
  if found then
    raise exception using errcode = 'duplicate_schema', message = 'schema frontdesk exists and is not empty',
      detail = format('There is %s, for example.', there), hint = 'alter schema frontdesk rename to frontdesk_old';
  end if;
  select case a.grantee when 0 then 'everybody' else pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text end into there from pg_catalog.aclexplode(schema.nspacl) a
  where a.privilege_type = 'CREATE' and a.grantee <> schema.nspowner limit 1;
  if found then
    raise exception using errcode = 'duplicate_schema', message = format('%s may create objects in schema frontdesk', there),
      hint = 'revoke create on schema frontdesk, or drop the schema';
  end if;
end
$$;

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

-- Schema frontdesk is what one may type and read: verbs, views, types. All the rest is here: tables, what the engine calls,
-- trigger functions, helpers. A public verb that writes our tables is declared
--   create or replace function frontdesk.v(...) returns ... language c as 'MODULE_PATHNAME', 'verb';
-- and does its work in frontdesk_internal.v with the same argument types, as the extension's owner (src/pg/door.rs). There
-- frontdesk_internal.caller() is the role that called, which pg_has_role() is asked about. So nobody needs a right on a table.
create schema frontdesk_internal;
comment on schema frontdesk_internal is 'pg_frontdesk''s own: tables, what the engine calls, and what stands behind the verbs. It may change in any version';

-- Who this installation is, and what it is meant to be doing.

create table frontdesk_internal.installation (
  id uuid primary key default gen_random_uuid(),
  system_identifier bigint not null,
  database_oid oid not null,
  state text not null default 'running' check (state in ('running', 'paused', 'stopped')),
  state_reason text,
  state_changed_at timestamptz not null default now(),
  config_version bigint not null default 1,
  installed_at timestamptz not null default now()
);
comment on table frontdesk_internal.installation is
  'the identity of this installation (part of every webhook-id), where it was installed, and whether the engine may work. One row; a second one came with the data of a dump. A copy that runs elsewhere stays silent until adopt().';

insert into frontdesk_internal.installation (system_identifier, database_oid)
select s.system_identifier, d.oid
from pg_control_system() s, pg_database d
where d.datname = current_database();

select pg_catalog.pg_extension_config_dump('frontdesk_internal.installation', '');

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
