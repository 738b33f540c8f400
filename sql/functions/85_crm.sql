-- Room 85, crm: the business, as ordinary tables of whoever calls install_crm(). Its scripts are in sql/crm.

create or replace function frontdesk.crm_scripts() returns table (name text, script text)
immutable language sql set search_path = pg_catalog, pg_temp as $scripts$
values
@crm_scripts@
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
