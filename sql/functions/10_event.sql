-- Room 10, event: what is captured, and how.

create or replace function frontdesk_internal.capture() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_capture';
comment on function frontdesk_internal.capture() is
  'trigger: records the row change as an event in the same transaction. Made by watch(); its one argument is the watch as JSON';

create or replace function frontdesk_internal.record_event(
  type text, op "char", record jsonb = null, key text = null, tenant uuid = null, target bigint = null) returns bigint
language c as 'MODULE_PATHNAME', 'frontdesk_record_event';
comment on function frontdesk_internal.record_event(text, "char", jsonb, text, uuid, bigint) is
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
  'the type itself, or an error: not a valid type, or reserved for the engine';

create or replace function frontdesk.check_filter(filter jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_filter_wrapper';
comment on function frontdesk.check_filter(jsonb) is 'the filter itself, or an error naming the unknown operator, its path and the known ones';

create or replace function frontdesk.emit(type text, data jsonb = '{}', key text = null, tenant uuid = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk_internal.record_event(frontdesk.check_own_type(type), 'E', coalesce(data, '{}'), key, tenant);
end
$$;
comment on function frontdesk.emit(text, jsonb, text, uuid) is
  'record an event of your own, delivered like any other when this transaction commits; returns its id. type: parts of letters, digits, _ and - with dots between';

create or replace function frontdesk_internal.watch_key(source regclass) returns name[]
stable language sql set search_path = pg_catalog, pg_temp as $$
  select array_agg(a.attname order by k.ordinality)
  from pg_index i
  cross join unnest(i.indkey::int2[]) with ordinality k (attnum, ordinality)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = source and i.indisprimary
$$;
comment on function frontdesk_internal.watch_key(regclass) is 'internal: the columns of the primary key, null without one';

create or replace function frontdesk_internal.watch_check(source regclass, columns name[], what text) returns void
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
comment on function frontdesk_internal.watch_check(regclass, name[], text) is 'internal: raises where a column named in a watch does not exist';

create or replace function frontdesk_internal.watch_source(source regclass) returns void
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.watch_source(regclass) is 'internal: raises unless the caller may watch this relation';
create or replace function frontdesk_internal.watch_source_inner(source regclass) returns void
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
  where a <> source and exists (select from pg_trigger t where t.tgrelid = a and t.tgfoid = 'frontdesk_internal.capture'::regproc)
  limit 1;
  if found then
    raise exception using errcode = 'object_in_use',
      message = format('%s is a partition of %s, which is watched already', source, root),
      hint = format('Change that watch: frontdesk.watch(%L, ...).', root);
  end if;
end
$$;
comment on function frontdesk_internal.watch_source_inner(regclass) is 'internal: raises unless the caller of the running verb may watch this relation';

create or replace function frontdesk.watch(
  source regclass, entity text = null, operations text[] = '{insert,update,delete}', state_column name = null,
  columns name[] = null, condition jsonb = null, redact name[] = null, key_columns name[] = null,
  tenant_column name = null) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name) is
  'record changes of this table''s rows as events: <entity>.created, .updated, .deleted, .truncated, or <entity>.<new state> when state_column changes. '
  'columns: an update that changes none of them makes no event. condition: a filter over {"op", "new", "old"}. redact: columns left out of the record. '
  'key_columns: default the primary key. tenant_column: a uuid. Called again it replaces the watch. Caller must own the table';

create or replace function frontdesk_internal.watch(
  source regclass, entity text, operations text[], state_column name, columns name[], condition jsonb, redact name[],
  key_columns name[], tenant_column name) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  unknown text;
  config jsonb;
begin
  perform frontdesk_internal.watch_source_inner(source);
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
  perform frontdesk_internal.watch_check(source, array[state_column], 'state_column') where state_column is not null;
  perform frontdesk_internal.watch_check(source, array[tenant_column], 'tenant_column') where tenant_column is not null;
  perform frontdesk_internal.watch_check(source, columns, 'columns');
  perform frontdesk_internal.watch_check(source, redact, 'redact');
  perform frontdesk_internal.watch_check(source, key_columns, 'key_columns');
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
    detail = 'Open transactions have written to it. The trigger is created at a moment without any.',
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
  -- A row that moves to another partition is deleted here and inserted there: one is known for a move by the other.
  row_events text := (
    select string_agg(o, ' or ') from unnest('{insert,update,delete}'::text[]) o
    where o = any (operations) or o <> 'update' and operations && '{insert,update,delete}'
      and exists (select from pg_class where oid = source and relkind = 'p'));
  names name[] := frontdesk_internal.capture_triggers();
begin
  -- Column numbers let the watch follow a renamed column.
  config := config || jsonb_build_object('attnums', (
    select coalesce(jsonb_object_agg(attname, attnum), '{}') from pg_attribute
    where attrelid = source and attname = any (named) and attnum > 0 and not attisdropped));
  if row_events is not null then
    execute format('create or replace trigger %I after %s on %s for each row execute function frontdesk_internal.capture(%L)',
      names[1], row_events, source, config);
  else
    perform frontdesk_internal.watch_remove(source, names[1:1]);
  end if;
  if operations && '{delete,truncate}' then
    execute format('create or replace trigger %I after truncate on %s for each statement execute function frontdesk_internal.capture(%L)',
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
    where tgrelid = source and tgname = any (triggers) and tgfoid = 'frontdesk_internal.capture'::regproc and not tgisinternal and tgparentid = 0);
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
    where t.tgfoid = 'frontdesk_internal.capture'::regproc and t.tgparentid = 0 and c.relkind = 'p'
      and has_function_privilege(c.relowner, w.oid, 'execute') and not has_function_privilege(c.relowner, t.tgfoid, 'execute')
  loop
    execute format('grant execute on function frontdesk_internal.capture() to %s', r.owner);
  end loop;
end
$$;
comment on function frontdesk_internal.watch_rights() is
  'internal: a new partition of a watched table gets its triggers by a command of its owner, who needs the right to; only owners who may call watch() get it';

create or replace function frontdesk.unwatch(source regclass) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.unwatch(regclass) is 'stop recording changes of this table; false when it was not watched. Events already recorded are delivered';

create or replace function frontdesk_internal.unwatch(source regclass) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.check_own_table(source);
  return frontdesk_internal.watch_remove(source, frontdesk_internal.capture_triggers());
end
$$;
comment on function frontdesk_internal.unwatch(regclass) is 'internal: unwatch()';
