-- Room 85, crm: the business, as ordinary tables of whoever calls install_crm(). Its scripts are in sql/crm.

create or replace function frontdesk_internal.crm_scripts() returns table (name text, script text)
immutable language sql set search_path = pg_catalog, pg_temp as $scripts$
values
@crm_scripts@
$scripts$;
comment on function frontdesk_internal.crm_scripts() is 'internal: what install_crm() runs, in this order';

create or replace function frontdesk.crm_version() returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found text;
begin
  -- Schema crm is somebody's, and whoever looks runs nothing of theirs: a table of the schema's owner, a column of type text, no policy.
  if exists (
    select from pg_namespace n join pg_class c on c.relnamespace = n.oid join pg_attribute a on a.attrelid = c.oid
    where n.nspname = 'crm' and c.relname = 'installation' and c.relkind = 'r' and c.relowner = n.nspowner and not c.relrowsecurity
      and a.attname = 'version' and a.atttypid = 'text'::regtype and not a.attisdropped)
    and has_table_privilege('crm.installation', 'select')
  then
    execute 'select version from only crm.installation' into found;
  end if;
  return found;
end
$$;
comment on function frontdesk.crm_version() is
  'the version of schema crm in this database; null where install_crm() was not called, or where you may not read it';

create or replace function frontdesk_internal.run_script(role regrole, script text) returns void
strict language c as 'MODULE_PATHNAME', 'run_script_wrapper';
comment on function frontdesk_internal.run_script(regrole, text) is
  'internal, for superusers: a script of install_crm() with the rights of this role and no more, as which nobody gets back to those of the caller';

create or replace function frontdesk_internal.crm_role() returns regrole
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  title constant text := 'owner of schema crm, made by pg_frontdesk';
  r pg_roles;
  stranger name;
begin
  select * into r from pg_roles where rolname = 'frontdesk_crm';
  if r.oid is null then
    begin
      create role frontdesk_crm nologin;
      execute format('comment on role frontdesk_crm is %L', title);
    exception when duplicate_object or unique_violation then
      null; -- another database has just made it
    end;
    return 'frontdesk_crm'::regrole;
  end if;
  select m.member::regrole::name into stranger from pg_auth_members m join pg_roles o on o.oid = m.member
  where m.roleid = r.oid and not o.rolsuper order by 1 limit 1;
  if shobj_description(r.oid, 'pg_authid') is distinct from title or r.rolcanlogin or r.rolsuper or r.rolcreaterole or r.rolcreatedb
    or r.rolreplication or r.rolbypassrls or stranger is not null and to_regnamespace('crm') is null
  then
    raise exception using errcode = 'duplicate_object',
      message = 'role frontdesk_crm exists and is not the one that install_crm() makes',
      detail = case when stranger is not null then format('%I is a member of it.', stranger)
        else 'Schema crm would belong to it: a role without LOGIN or any other attribute.' end,
      hint = 'Rename it: alter role frontdesk_crm rename to ...; or call install_crm() as the role that is to own schema crm.';
  end if;
  return r.oid;
end
$$;
comment on function frontdesk_internal.crm_role() is
  'internal: the role without LOGIN that owns schema crm where a superuser installs it, made when it is missing';

create or replace function frontdesk_internal.crm_owner() returns regrole
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner oid := (select n.nspowner from pg_namespace n where n.nspname = 'crm');
  by_superuser boolean := (select r.rolsuper from pg_roles r where r.rolname = current_user);
  ours boolean := exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'crm' and c.relname = 'installation' and c.relkind = 'r' and c.relowner = n.nspowner);
begin
  if owner is null then
    if by_superuser then
      return frontdesk_internal.crm_role();
    end if;
    return quote_ident(current_user)::regrole;
  elsif by_superuser and not (select r.rolsuper from pg_roles r where r.oid = owner) and owner::regrole::text <> 'frontdesk_crm'
    or not by_superuser and not pg_has_role(owner, 'usage')
  then
    -- A superuser too: what lies in another's schema may be anything.
    raise exception using errcode = 'insufficient_privilege', message = format('schema crm belongs to %s', owner::regrole),
      hint = format('set role %s;', owner::regrole);
  elsif not ours and exists (
    select from pg_depend d where d.refclassid = 'pg_namespace'::regclass and d.refobjid = to_regnamespace('crm'))
  then
    raise exception using errcode = 'duplicate_schema',
      message = 'schema crm exists and is not one of pg_frontdesk',
      detail = format('It belongs to %s and has objects of its own.', owner::regrole),
      hint = 'Rename it: alter schema crm rename to crm_old;';
  end if;
  if by_superuser then
    return frontdesk_internal.crm_role();
  end if;
  return quote_ident(current_user)::regrole;
end
$$;
comment on function frontdesk_internal.crm_owner() is
  'internal: as whom install_crm() works: its caller, or for a superuser frontdesk_crm; an error where schema crm is somebody else''s';

create or replace function frontdesk_internal.crm_hand_over(owner regrole) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  o record;
begin
  -- Of a version that a superuser installed, and owned.
  for o in
    select format('alter %s %s owner to %s', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
        c.oid::regclass, owner) as command
    from pg_class c join pg_roles r on r.oid = c.relowner
    where c.relnamespace in ('crm'::regnamespace, to_regnamespace('crm_internal')) and r.rolsuper and (c.relkind in ('r', 'p', 'v', 'm') or c.relkind = 'S' and not exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')))
    union all
    select format('alter routine %s owner to %s', p.oid::regprocedure, owner)
    from pg_proc p join pg_roles r on r.oid = p.proowner where p.pronamespace in ('crm'::regnamespace, to_regnamespace('crm_internal')) and r.rolsuper
    union all
    select format('alter type %s owner to %s', t.oid::regtype, owner)
    from pg_type t join pg_roles r on r.oid = t.typowner left join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'crm'::regnamespace and r.rolsuper and (c.oid is null and t.typelem = 0 or c.relkind = 'c')
  loop
    execute o.command;
  end loop;
  execute format('alter schema crm owner to %s', owner);
  if to_regnamespace('crm_internal') is not null then
    execute format('alter schema crm_internal owner to %s', owner);
  end if;
  perform frontdesk.alter_job(j.id, username => crm_hand_over.owner::name)
  from frontdesk.jobs j join pg_roles r on r.oid::regrole::text = j.owner
  where r.rolsuper and (j.name = 'crm rescore' or j.name like 'crm: %');
end
$$;
comment on function frontdesk_internal.crm_hand_over(regrole) is 'internal: schema crm, which a superuser owns, goes to the role that is to own it';

create or replace function frontdesk_internal.crm_lock(owner regrole) returns void
language c strict as 'MODULE_PATHNAME', 'crm_lock_wrapper';
comment on function frontdesk_internal.crm_lock(regrole) is
  'internal: one installation of crm at a time, to the end of the transaction; for roles with the rights of its owner';

create or replace function frontdesk_internal.version_key(version text) returns int[]
immutable strict language sql set search_path = pg_catalog, pg_temp as $$
  -- A version that was not released yet (0.3.0-beta.2, 0.3.0-rc.1) comes before the release.
  select string_to_array(split_part(version, '-', 1), '.')::int[]
    || case when version like '%-%' then ascii(lower(split_part(version, '-', 2))) else 1000 end
    || array(select n[1]::int from regexp_matches(split_part(version, '-', 2), '[0-9]+', 'g') n)
$$;
comment on function frontdesk_internal.version_key is 'internal: what orders versions';

create or replace function frontdesk.install_crm(sample_data boolean = false) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning
set standard_conforming_strings = on set check_function_bodies = off set quote_all_identifiers = off
set default_tablespace = '' set default_table_access_method = 'heap' set datestyle = 'ISO, YMD' set intervalstyle = 'postgres'
set plpgsql.extra_errors = 'none' set plpgsql.extra_warnings = 'none' set row_security = on as $$
declare
  this_version text := (select extversion from pg_extension where extname = 'pg_frontdesk');
  there text;
  by_superuser boolean := (select r.rolsuper from pg_roles r where r.rolname = current_user);
  owner regrole;
  needed text;
  s record;
  script text;
begin
  perform frontdesk_internal.crm_lock(frontdesk_internal.crm_owner());
  owner := frontdesk_internal.crm_owner();
  -- Events of its triggers, watches of its tables, and score models of its accounts; the first it cannot do without.
  for needed in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = 'frontdesk'::regnamespace and p.proname in ('emit', 'watch', 'set_score_model')
      and not has_function_privilege(owner, p.oid, 'execute')
  loop
    if by_superuser then
      execute format('grant execute on function %s to %s', needed, owner);
    elsif needed like 'frontdesk.emit%' then
      raise exception using errcode = 'insufficient_privilege',
        message = format('role %s may not call %s, which the front desk needs', current_user, needed),
        hint = format('As the owner of the extension: grant execute on function %s to %I;', needed, current_user);
    end if;
  end loop;
  if to_regnamespace('crm') is null then
    execute format('create schema crm authorization %s', owner);
    comment on schema crm is 'the front desk of a business, by pg_frontdesk';
  elsif (select r.rolsuper from pg_namespace n join pg_roles r on r.oid = n.nspowner where n.nspname = 'crm') and owner::oid <> quote_ident(current_user)::regrole then
    perform frontdesk_internal.crm_hand_over(owner);
  end if;
  if to_regnamespace('crm_internal') is null then
    execute format('create schema crm_internal authorization %s', owner);
    comment on schema crm_internal is 'helpers and trigger functions of schema crm, which may change in any version';
  elsif (select n.nspowner::regrole from pg_namespace n where n.nspname = 'crm_internal') <> owner then
    raise exception using errcode = 'duplicate_schema',
      message = format('schema crm_internal belongs to %s', (select n.nspowner::regrole from pg_namespace n where n.nspname = 'crm_internal')),
      detail = format('Functions of schema crm, which belongs to %s, would be in it.', owner),
      hint = 'Rename it: alter schema crm_internal rename to ...;';
  end if;
  there := frontdesk.crm_version();
  if frontdesk_internal.version_key(there) > frontdesk_internal.version_key(this_version) then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('schema crm has version %s, the extension %s', there, this_version),
      hint = 'alter extension pg_frontdesk update;';
  end if;
  foreach needed in array array['btree_gist', 'pg_trgm', 'unaccent'] loop
    if not exists (select from pg_extension where extname = needed) then
      execute format('create extension %I schema public', needed);
    end if;
  end loop;
  for needed in
    select distinct n.nspname from pg_extension x join pg_namespace n on n.oid = x.extnamespace
    where x.extname in ('vector', 'btree_gist', 'pg_trgm', 'unaccent') and by_superuser and not has_schema_privilege(owner, n.oid, 'usage')
  loop
    execute format('grant usage on schema %I to %s', needed, owner);
  end loop;
  for s in
    select c.name, c.script from frontdesk_internal.crm_scripts() c
    union all
    select 'the version', format('insert into crm.installation (version) values (%L)
      on conflict (only_row) do update set version = excluded.version, updated_at = clock_timestamp()', this_version)
    union all
    select 'the sample data', 'select crm.load_sample_data()' where sample_data
  loop
    script := frontdesk_internal.crm_text(s.script);
    begin
      if by_superuser then
        perform frontdesk_internal.run_script(owner, script);
      else
        execute script;
      end if;
    exception when others then
      -- Said anew, because the context of an error is the whole script.
      declare
        message text; detail text; hint text;
      begin
        get stacked diagnostics message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
        raise exception using errcode = sqlstate, message = message,
          detail = concat_ws(E'\n', nullif(detail, ''), format('In the part "%s" of schema crm.', s.name)), hint = coalesce(hint, '');
      end;
    end;
  end loop;
  return case
    when there is null then format('crm %s installed', this_version)
    when there = this_version then format('crm %s was there already; its functions were recreated', this_version)
    else format('crm upgraded from %s to %s', there, this_version) end;
end
$$;
comment on function frontdesk.install_crm(boolean) is
  'create, repair or upgrade schema crm: accounts, leads, appointments, documents ... as ordinary tables. They belong to the caller, or to a role frontdesk_crm without LOGIN when a superuser calls it. Rows are kept, nothing is dropped. sample_data: a small business to look at. Needs CREATE on the database, and execute on frontdesk.emit()';

create or replace function frontdesk_internal.crm_text(script text) returns text
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
comment on function frontdesk_internal.crm_text(text) is 'internal: a script of schema crm with @schema:extension@ replaced by where that extension is';

create or replace function frontdesk.uninstall_crm(confirm text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
  r record;
begin
  if frontdesk.crm_version() is null then
    raise exception using errcode = 'invalid_schema_name', message = 'there is no schema crm of pg_frontdesk in this database';
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
  for r in
    select j.id from frontdesk.jobs j join pg_namespace n on n.nspname = 'crm' and n.nspowner::regrole::text = j.owner
    where j.name = 'crm rescore' or j.name like 'crm: %'
  loop
    perform frontdesk.unschedule(r.id);
  end loop;
  drop schema if exists crm, crm_internal cascade;
  return 'schema crm is dropped; endpoints and past events are kept';
end
$$;
comment on function frontdesk.uninstall_crm(text) is 'drop schema crm with all its rows; confirm is the name of this database';
