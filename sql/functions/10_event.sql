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

create or replace function frontdesk_internal.event_word(text text) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'event_word_wrapper';
comment on function frontdesk_internal.event_word(text) is 'internal: a text as one part of an event type: what may not stand there becomes _';

create or replace function frontdesk_internal.is_reserved(type text) returns boolean
immutable parallel safe language c as 'MODULE_PATHNAME', 'is_reserved_wrapper';
comment on function frontdesk_internal.is_reserved(text) is
  'do events of this type belong to the engine: endpoint.*, delivery.*, http.*, job.*, flow.*, engine.*; the same of an entity and of a pattern';

create or replace function frontdesk.check_own_type(type text, what text = 'event type') returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_own_type_wrapper';
comment on function frontdesk.check_own_type(text, text) is
  'the type itself, or an error saying that it is none or belongs to the engine: asked wherever somebody names a type of events to be recorded';

create or replace function frontdesk.check_filter(filter jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_filter_wrapper';
comment on function frontdesk.check_filter(jsonb) is 'the filter itself, or an error naming the unknown operator, its path and the known ones';

create or replace function frontdesk.emit(type text, data jsonb = '{}', key text = null, tenant uuid = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk.record_event(frontdesk.check_own_type(type), 'E', coalesce(data, '{}'), key, tenant);
end
$$;
comment on function frontdesk.emit(text, jsonb, text, uuid) is
  'record an event of your own, delivered like any other when this transaction commits; returns its id. type: parts of letters, digits, _ and - with dots between';

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

create or replace function frontdesk_internal.watch_source(source regclass) returns void
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
  if schema in ('pg_catalog', 'information_schema', 'pg_toast', 'frontdesk', 'frontdesk_internal') then
    raise exception using errcode = 'wrong_object_type',
      message = format('%s is a system table', source),
      detail = format('Tables of schema %s cannot be watched.', schema);
  end if;
  if not frontdesk_internal.caller_has(c.relowner::regrole) then
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
comment on function frontdesk_internal.watch_source(regclass) is 'internal: raises unless the caller of the running verb may watch this relation';

create or replace function frontdesk.watch(
  source regclass, entity text = null, operations text[] = '{insert,update,delete}', state_column name = null,
  columns name[] = null, condition jsonb = null, redact name[] = null, key_columns name[] = null,
  tenant_column name = null) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name) is
  'record changes of this table''s rows as events: <entity>.created, .updated, .deleted, .truncated, or <entity>.<new state> when state_column changes. '
  'columns: an update that changes none of them is no event. condition: a filter over {"op", "new", "old"}. redact: columns left out of the record. '
  'key_columns: default the primary key. tenant_column: a uuid. Called again it replaces the watch. Caller must own the table';

create or replace function frontdesk_internal.watch(
  source regclass, entity text, operations text[], state_column name, columns name[], condition jsonb, redact name[],
  key_columns name[], tenant_column name) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  unknown text;
  config jsonb;
begin
  perform frontdesk_internal.watch_source(source);
  entity := coalesce(entity, (select frontdesk_internal.event_word(lower(relname)) from pg_class where oid = source));
  perform frontdesk.check_own_type(entity, 'entity');
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
  perform frontdesk_internal.watch_lock(source);
  perform frontdesk_internal.watch_install(source, config);
  perform frontdesk_internal.watch_rights();
end
$$;
comment on function frontdesk_internal.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name) is 'internal: watch()';

create or replace function frontdesk_internal.watch_lock(source regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
begin
  for attempt in 1 .. 20 loop
    begin
      execute format('lock table %s in share row exclusive mode', source);
      return;
    exception when lock_not_available then
      -- Whoever waits for the table holds up all who come after: they go first.
      perform pg_sleep(0.2);
    end;
  end loop;
  raise exception using errcode = 'lock_not_available', message = format('table %s is busy', source),
    detail = 'Others have been writing to it in transactions that are not over. A trigger is made in a moment without any.',
    hint = 'Call it again; pg_stat_activity shows the open transactions.';
end
$$;
comment on function frontdesk_internal.watch_lock(regclass) is
  'internal: the lock that making a trigger takes, tried for some seconds without holding up the table''s writers for more than a moment';

create or replace function frontdesk_internal.capture_triggers() returns name[]
immutable parallel safe language sql
-- The first sorts before all that users would call a trigger, and before those of foreign keys: triggers fire in the order of
-- their names, and one that changes rows itself would else have its changes recorded first. The others are those of 0.1.0.
return '{!frontdesk_capture,!frontdesk_capture_truncate,_frontdesk_capture,_frontdesk_capture_truncate}'::name[];
comment on function frontdesk_internal.capture_triggers() is 'internal: the names of the triggers of a watch, and those that they had before';

create or replace function frontdesk_internal.watch_install(source regclass, config jsonb) returns void
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
  names name[] := frontdesk_internal.capture_triggers();
begin
  -- Column numbers let the watch follow a renamed column.
  config := config || jsonb_build_object('attnums', (
    select coalesce(jsonb_object_agg(attname, attnum), '{}') from pg_attribute
    where attrelid = source and attname = any (named) and attnum > 0 and not attisdropped));
  if row_events is not null then
    execute format('create or replace trigger %I after %s on %s for each row execute function frontdesk.capture(%L)',
      names[1], row_events, source, config);
  else
    perform frontdesk_internal.watch_remove(source, names[1:1]);
  end if;
  if operations && '{delete,truncate}' then
    execute format('create or replace trigger %I after truncate on %s for each statement execute function frontdesk.capture(%L)',
      names[2], source, config);
  else
    perform frontdesk_internal.watch_remove(source, names[2:2]);
  end if;
  perform frontdesk_internal.watch_remove(source, names[3:4]);
end
$$;
comment on function frontdesk_internal.watch_install(regclass, jsonb) is 'internal: makes the triggers of a watch';

create or replace function frontdesk_internal.watch_remove(source regclass, triggers name[]) returns boolean
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
comment on function frontdesk_internal.watch_remove(regclass, name[]) is 'internal: drops those of these triggers that are there; false when none is';

create or replace function frontdesk_internal.watch_rights() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r record;
begin
  for r in
    select distinct c.relowner::regrole as owner
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc w on w.pronamespace = 'frontdesk'::regnamespace and w.proname = 'watch'
    where t.tgfoid = 'frontdesk.capture'::regproc and t.tgparentid = 0 and c.relkind = 'p'
      and has_function_privilege(c.relowner, w.oid, 'execute') and not has_function_privilege(c.relowner, t.tgfoid, 'execute')
  loop
    execute format('grant execute on function frontdesk.capture() to %s', r.owner);
  end loop;
end
$$;
comment on function frontdesk_internal.watch_rights() is
  'internal: a new partition of a watched table gets its triggers by a command of its owner, who needs the right to; only owners who may call watch() get it';

create or replace function frontdesk.unwatch(source regclass) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.unwatch(regclass) is 'record changes of this table no more; false when it was not watched. Events already recorded are delivered';

create or replace function frontdesk_internal.unwatch(source regclass) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.check_own_table(source);
  return frontdesk_internal.watch_remove(source, frontdesk_internal.capture_triggers());
end
$$;
comment on function frontdesk_internal.unwatch(regclass) is 'internal: unwatch()';

create or replace function frontdesk.watch_config(arguments bytea) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- Who may execute capture() can make a trigger with any argument; one that is no watch must not break what reads them all.
  select case when pg_input_is_valid(a, 'jsonb') then (
    select c from (select a::jsonb) s (c)
    where jsonb_typeof(c->'entity') = 'string' and jsonb_typeof(c->'operations') = 'array' and jsonb_typeof(c->'attnums') = 'object'
      and coalesce(jsonb_typeof(c->'columns'), 'array') = 'array' and coalesce(jsonb_typeof(c->'redact'), 'array') = 'array'
      and coalesce(jsonb_typeof(c->'key'), 'array') = 'array'
      and not exists (select from jsonb_each(c->'attnums') n where n.value::text !~ '^[1-9][0-9]{0,3}$')) end
  from convert_from(substring(arguments from 1 for greatest(position(E'\\x00'::bytea in arguments) - 1, 0)), getdatabaseencoding()) a
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
    when t.tgenabled = 'D' then 'the trigger is disabled: alter table ... enable trigger ' || quote_ident(t.tgname)
    when missing.secret is not null then 'missing columns: ' || missing.names || '; call frontdesk.watch() again. Until then nothing of a row is recorded, because '
      || missing.secret || ' is to be left out'
    when missing.names is not null then 'missing columns: ' || missing.names || '; call frontdesk.watch() again'
    when tenant.kind <> 'uuid'::regtype then format('tenant column "%s" is of type %s, not uuid: its events go to no endpoint of a tenant', c->>'tenant', tenant.kind)
    when earlier.name is not null then format('trigger "%s" fires before %I: rows that it changes are recorded in the wrong order; give it another name', earlier.name, t.tgname)
  end as problem
from (
  select distinct on (tgrelid) * from pg_catalog.pg_trigger
  where tgfoid = 'frontdesk.capture'::regproc and not tgisinternal and tgparentid = 0
  order by tgrelid, tgname) t
cross join lateral frontdesk.watch_config(t.tgargs) c
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

create or replace function frontdesk.watch_follow() returns event_trigger
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
    select distinct on (t.tgrelid) t.tgrelid::regclass as source, frontdesk.watch_config(t.tgargs) as config
    from touched u
    join pg_trigger t on t.tgrelid = u.relation
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
      raise warning using message = format('column "%s" of %s is the tenant of its watch and no uuid any more', w.config->>'tenant', w.source),
        detail = 'Its events go to no endpoint of a tenant.', hint = format('Call frontdesk.watch(%L, ...) with another tenant_column, or without.', w.source);
    end if;
  end loop;
  perform frontdesk_internal.watch_rights();
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

-- What 0.1.0 made is called as it is now.
drop function if exists frontdesk.watch_install(regclass, jsonb), frontdesk.watch_remove(regclass, name[]);
do $$
declare
  names name[] := frontdesk_internal.capture_triggers();
  t record;
begin
  for t in
    select g.tgname, g.tgrelid::regclass as source from pg_trigger g
    where g.tgfoid = 'frontdesk.capture'::regproc and g.tgparentid = 0 and not g.tgisinternal and g.tgname = any (names[3:4])
  loop
    execute format('alter trigger %I on %s rename to %I', t.tgname, t.source, names[array_position(names, t.tgname) - 2]);
  end loop;
end
$$;
