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

-- What only the verbs themselves call. A public verb that writes our tables is declared
--   create or replace function frontdesk.v(...) returns ... language c as 'MODULE_PATHNAME', 'verb';
-- and does its work in frontdesk_internal.v with the same argument types, as the extension's owner (src/pg/door.rs). There
-- frontdesk_internal.caller() is the role that called, which pg_has_role() is asked about. So nobody needs a right on a table.
create schema frontdesk_internal;
comment on schema frontdesk_internal is 'pg_frontdesk''s own: what stands behind its verbs. Nobody but the owner may use it';

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
