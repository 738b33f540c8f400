-- Room 95, compat: the names that people already type, made on request over our own verbs. The scripts are in sql/compat.

create or replace function frontdesk_internal.compat_scripts() returns table (name text, script text)
immutable language sql set search_path = pg_catalog, pg_temp as $scripts$
values
@compat_scripts@
$scripts$;
comment on function frontdesk_internal.compat_scripts() is 'internal: what install_compat() runs';

create or replace function frontdesk.install_compat(name text, schema text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
#variable_conflict use_variable
declare
  script text := frontdesk.compat_script(name);
  place text := coalesce(schema, case name when 'pg_cron' then 'cron' when 'pg_net' then 'net' else name end);
begin
  if exists (select from pg_extension x where x.extname = name) then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('extension "%s" itself is installed here', name),
      hint = format('Drop it first, or give the names another schema: select frontdesk.install_compat(%L, schema => ''...'');', name);
  elsif place !~ '^[a-z_][a-z0-9_]{0,62}$' or place ~ '^(pg_|frontdesk|crm$|information_schema$)' then
    raise exception using errcode = 'invalid_parameter_value', message = format('schema "%s" cannot have these names', place),
      hint = 'Letters, digits and _ of the lower case, and no schema of PostgreSQL or of this extension.';
  end if;
  if to_regnamespace(place) is not null then
    if obj_description(to_regnamespace(place), 'pg_namespace') is distinct from 'the names of ' || name || ', by pg_frontdesk' then
      raise exception using errcode = 'duplicate_schema', message = format('schema "%s" is there already', place),
        hint = 'Give another: schema => ''...''.';
    end if;
    execute format('drop schema %I cascade', place);
  end if;
  execute format('create schema %I', place);
  execute format('comment on schema %I is %L', place, 'the names of ' || name || ', by pg_frontdesk');
  execute replace(script, '@schema@', quote_ident(place));
  return format('the names of %s are in schema %s', name, place);
end
$$;
comment on function frontdesk.install_compat is
  'make the names of another extension over our own verbs, in a schema of the caller: pg_cron (schema cron), pg_net (net), http (http). '
  'Called again it makes them anew. Refused where the extension itself is installed';

create or replace function frontdesk.compat_script(name text) returns text
stable language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  result text := (select c.script from frontdesk_internal.compat_scripts() c where c.name = compat_script.name);
begin
  if result is null then
    raise exception using errcode = 'undefined_object', message = format('there are no names of "%s" here', name),
      hint = format('There are those of %s.', (select string_agg(c.name, ', ' order by c.name) from frontdesk_internal.compat_scripts() c));
  end if;
  return result;
end
$$;
comment on function frontdesk.compat_script(text) is 'the SQL that install_compat() runs, with @schema@ for the schema';

create or replace function frontdesk.uninstall_compat(name text, schema text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
#variable_conflict use_variable
declare
  place text := coalesce(schema, case name when 'pg_cron' then 'cron' when 'pg_net' then 'net' else name end);
begin
  if place is null or obj_description(to_regnamespace(place), 'pg_namespace') is distinct from 'the names of ' || name || ', by pg_frontdesk' then
    raise exception using errcode = 'invalid_schema_name', message = format('the names of "%s" are not in schema "%s"', name, place);
  end if;
  execute format('drop schema %I cascade', place);
  return format('schema %s is dropped; jobs and requests go on', place);
end
$$;
comment on function frontdesk.uninstall_compat is 'drop the names that install_compat() made, and what uses them';
