-- Room 10, event: what is watched, and how a watch follows its table.

create or replace function frontdesk_internal.watch_config(arguments bytea) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- A superuser can make a trigger with any argument; one that is no watch must not break what reads them all.
  select case when pg_input_is_valid(a, 'jsonb') then (
    select c from (select a::jsonb) s (c)
    where jsonb_typeof(c->'entity') = 'string' and jsonb_typeof(c->'operations') = 'array' and jsonb_typeof(c->'attnums') = 'object'
      and coalesce(jsonb_typeof(c->'columns'), 'array') = 'array' and coalesce(jsonb_typeof(c->'redact'), 'array') = 'array'
      and coalesce(jsonb_typeof(c->'key'), 'array') = 'array'
      and not exists (select from jsonb_each(c->'attnums') n where n.value::text !~ '^[1-9][0-9]{0,3}$')) end
  from convert_from(substring(arguments from 1 for greatest(position(E'\\x00'::bytea in arguments) - 1, 0)), getdatabaseencoding()) a
$$;
comment on function frontdesk_internal.watch_config(bytea) is 'internal: the configuration in a capture trigger''s argument; null when it is not one';

create or replace view frontdesk.watch with (security_barrier) as
select
  t.tgrelid::regclass as source,
  c->>'entity' as entity,
  array(select jsonb_array_elements_text(c->'operations')) as operations,
  c->>'state' as state_column,
  case when c ? 'columns' then array(select jsonb_array_elements_text(c->'columns')) end as columns,
  c->'condition' as condition,
  case when c ? 'redact' then array(select jsonb_array_elements_text(c->'redact')) end as redact,
  case when c ? 'key' then array(select jsonb_array_elements_text(c->'key')) else frontdesk_internal.watch_key(t.tgrelid)::text[] end as key_columns,
  c->>'tenant' as tenant_column,
  case
    when c is null then 'the trigger was not made by frontdesk.watch(); call it'
    when t.tgenabled = 'D' then 'the trigger is disabled: alter table ... enable trigger ' || quote_ident(t.tgname)
    when missing.secret is not null then 'missing columns: ' || missing.names || '; call frontdesk.watch() again. Until then nothing of a row is recorded, because '
      || missing.secret || ' is to be left out'
    when missing.names is not null then 'missing columns: ' || missing.names || '; call frontdesk.watch() again'
    when tenant.kind <> 'uuid'::regtype then format('tenant column "%s" is of type %s, not uuid: its events go to no endpoint of a tenant', c->>'tenant', tenant.kind)
    when earlier.name is not null then format('trigger "%s" fires before %I: rows that it changes are recorded in the wrong order; give it another name', earlier.name, t.tgname)
  end as problem
from (
  select distinct on (tgrelid) * from pg_catalog.pg_trigger
  where tgfoid = 'frontdesk_internal.capture'::regproc and not tgisinternal and tgparentid = 0
  order by tgrelid, tgname) t
cross join lateral frontdesk_internal.watch_config(t.tgargs) c
cross join lateral (
  select string_agg(n, ', ') as names, string_agg(n, ', ') filter (where c->'redact' ? n) as secret from jsonb_object_keys(c->'attnums') n
  where not exists (
    select from pg_catalog.pg_attribute a where a.attrelid = t.tgrelid and a.attname = n and not a.attisdropped)) missing
left join lateral (
  select a.atttypid::regtype as kind from pg_catalog.pg_attribute a
  where a.attrelid = t.tgrelid and a.attname = c->>'tenant' and not a.attisdropped) tenant on true
left join lateral (
  -- Triggers after rows that do not only look.
  select min(e.tgname) as name from pg_catalog.pg_trigger e
  where e.tgrelid = t.tgrelid and not e.tgisinternal and e.tgname < t.tgname and e.tgtype & 1 = 1 and e.tgtype & 66 = 0
    and t.tgtype & 1 = 1 and e.tgfoid <> t.tgfoid) earlier on true;
comment on view frontdesk.watch is 'the watched tables, and what is wrong with a watch (null: nothing)';

create or replace function frontdesk_internal.watch_follow() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  w record;
  renamed jsonb;
  attnums jsonb;
  firing jsonb;
  kept record;
  names name[] := frontdesk_internal.capture_triggers();
begin
  for w in
    -- A column is renamed in the tables that inherit it, too.
    with recursive touched (relation) as (
      select coalesce(g.tgrelid, d.objid) from pg_event_trigger_ddl_commands() d
      left join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
      where d.classid in ('pg_class'::regclass, 'pg_trigger'::regclass)
      union
      select i.inhrelid from touched u join pg_inherits i on i.inhparent = u.relation)
    -- One trigger per table: making it anew fires this again, which then finds nothing to do.
    select distinct on (t.tgrelid) t.tgrelid::regclass as source, frontdesk_internal.watch_config(t.tgargs) as config
    from touched u
    join pg_trigger t on t.tgrelid = u.relation
    where t.tgfoid = 'frontdesk_internal.capture'::regproc and not t.tgisinternal and t.tgparentid = 0
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
      select jsonb_object_agg(names[1 + (array_position(names, g.tgname) + 1) % 2], g.tgenabled) into firing from pg_trigger g
      where g.tgrelid = w.source and g.tgname = any (names);
      perform frontdesk_internal.watch_install(w.source, w.config || jsonb_strip_nulls(jsonb_build_object(
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
    if exists (select from pg_attribute a where a.attrelid = w.source and a.attname = w.config->>'tenant' and a.atttypid <> 'uuid'::regtype and not a.attisdropped) then
      raise warning using message = format('column "%s" of %s is the tenant column of its watch and no longer of type uuid', w.config->>'tenant', w.source),
        detail = 'Its events go to no endpoint of a tenant.', hint = format('Call frontdesk.watch(%L, ...) with another tenant_column, or without.', w.source);
    end if;
  end loop;
  perform frontdesk_internal.watch_rights();
end
$$;
comment on function frontdesk_internal.watch_follow() is 'event trigger: a watch follows renamed columns, and learns its column numbers after a restore';

create or replace function frontdesk_internal.watch_guard() returns event_trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  lost record;
begin
  select t.tgrelid::regclass as source, d.address_names[3] as column_name into lost
  from pg_event_trigger_dropped_objects() d
  join pg_trigger t on t.tgrelid = d.objid and t.tgfoid = 'frontdesk_internal.capture'::regproc and t.tgparentid = 0
  where d.classid = 'pg_class'::regclass and d.objsubid > 0
    and frontdesk_internal.watch_config(t.tgargs)->'attnums' ? d.address_names[3]
  limit 1;
  if found then
    raise exception using errcode = 'dependent_objects_still_exist',
      message = format('cannot drop column "%s" of %s: it is named in the table''s watch', lost.column_name, lost.source),
      hint = format('First call frontdesk.watch(%L, ...) without it, or frontdesk.unwatch(%L).', lost.source, lost.source);
  end if;
end
$$;
comment on function frontdesk_internal.watch_guard() is 'event trigger: a column that a watch names cannot be dropped unnoticed';

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'frontdesk_watch_follow') then
    create event trigger frontdesk_watch_follow on ddl_command_end when tag in ('ALTER TABLE', 'CREATE TRIGGER')
      execute function frontdesk_internal.watch_follow();
    create event trigger frontdesk_watch_guard on sql_drop when tag in ('ALTER TABLE')
      execute function frontdesk_internal.watch_guard();
  end if;
end
$$;

-- What 0.1.0 made is called as it is now.
do $$
declare
  names name[] := frontdesk_internal.capture_triggers();
  t record;
begin
  for t in
    select g.tgname, g.tgrelid::regclass as source from pg_trigger g
    where g.tgfoid = 'frontdesk_internal.capture'::regproc and g.tgparentid = 0 and not g.tgisinternal and g.tgname = any (names[3:4])
  loop
    execute format('alter trigger %I on %s rename to %I', t.tgname, t.source, names[array_position(names, t.tgname) - 2]);
  end loop;
  -- Those of a partitioned table are fired by what a move consists of.
  perform frontdesk_internal.watch_install(w.source, frontdesk_internal.watch_config(g.tgargs))
  from frontdesk.watch w join pg_class c on c.oid = w.source and c.relkind = 'p'
  join pg_trigger g on g.tgrelid = w.source and g.tgname = names[1]
  where not (g.tgtype & 4 > 0 and g.tgtype & 8 > 0) and frontdesk_internal.watch_config(g.tgargs) is not null;
end
$$;
