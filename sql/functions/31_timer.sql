-- Room 31, timer: reminders. The verbs run as the owner of the extension, and ask whether the caller owns the table.

create or replace function frontdesk_internal.timer_trigger() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_timer_trigger';
comment on function frontdesk_internal.timer_trigger() is
  'trigger: keeps the timer of a row in step with it, in the same transaction. Made by remind(); its one argument says which rule';

create or replace function frontdesk_internal.timer_set(due timestamptz) returns void
language c as 'MODULE_PATHNAME', 'timer_set_wrapper';
comment on function frontdesk_internal.timer_set(timestamptz) is 'internal: the engine is to be up at this moment, from commit on';

create or replace function frontdesk_internal.timer_keep(this_rule bigint, this_key text, moment timestamptz, shift text, timezone text, existed boolean) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  due timestamptz;
begin
  if existed then
    -- Written so that only the key's index fits, whatever a plan was made for: the table may have grown since.
    delete from frontdesk_internal.timer t
    where t.rule_id = this_rule and t.key = this_key and coalesce(t.outcome, '') = '' and t.at is distinct from moment;
  end if;
  if moment is not null then
    due := date_add(moment, shift::interval, timezone);
    insert into frontdesk_internal.timer (rule_id, key, at, due_at) values (this_rule, this_key, moment, due) on conflict do nothing;
    perform frontdesk_internal.timer_set(due);
  end if;
end
$$;
comment on function frontdesk_internal.timer_keep(bigint, text, timestamptz, text, text, boolean) is
  'internal, called by the trigger: the one pending timer of a row; moment null: none. One that fired for this value fires no more';

create or replace function frontdesk_internal.timer_forget(this_rule bigint, this_key text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if this_key is null then
    delete from frontdesk_internal.timer t where t.rule_id = this_rule;
  else
    delete from frontdesk_internal.timer t where t.rule_id = this_rule and t.key = this_key;
  end if;
end
$$;
comment on function frontdesk_internal.timer_forget(bigint, text) is 'internal, called by the trigger: the row is gone; key null: all rows are';

create or replace function frontdesk_internal.timer_rekey(this_rule bigint, old_key text, new_key text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  with taken as (delete from frontdesk_internal.timer t where t.rule_id = this_rule and t.key = old_key returning *)
  insert into frontdesk_internal.timer (rule_id, key, at, due_at, outcome, done_at, reason)
  select rule_id, new_key, at, due_at, outcome, done_at, reason from taken on conflict do nothing
$$;
comment on function frontdesk_internal.timer_rekey(bigint, text, text) is
  'internal, called by the trigger: the row has another key';

create or replace function frontdesk_internal.timer_moment(r frontdesk_internal.timer_rule, alias text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case a.atttypid
    when 'timestamptz'::regtype then format('%s.%I', alias, a.attname)
    -- Far from what a timestamp can be, so that one row's date is no error of all.
    else format('case when %1$s.%2$I between ''4000-01-01 bc'' and ''100000-01-01'' then %1$s.%2$I::timestamp at time zone %3$L end', alias, a.attname, r.timezone) end
  from pg_attribute a where a.attrelid = r.source and a.attnum = r.at_attnum
$$;
comment on function frontdesk_internal.timer_moment(frontdesk_internal.timer_rule, text) is 'internal: the SQL expression of the moment a rule is about';

create or replace function frontdesk_internal.timer_key(r frontdesk_internal.timer_rule, alias text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case count(*) when 1 then max(format('%s.%I::text', alias, a.attname))
    else '''['' || concat_ws('','', ' || string_agg(format('to_json(%s.%I::text)', alias, a.attname), ', ' order by k.n) || ') || '']''' end
  from unnest(r.key_attnums) with ordinality k (attnum, n) join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum
$$;
comment on function frontdesk_internal.timer_key(frontdesk_internal.timer_rule, text) is 'internal: the SQL expression of a row''s key as text';

create or replace function frontdesk_internal.timer_match(r frontdesk_internal.timer_rule, alias text, key text) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select string_agg(format('%s.%I = (%s)::%s', alias, a.attname,
    case when cardinality(r.key_attnums) = 1 then key else format('%s::jsonb->>%s', key, k.n - 1) end,
    format_type(a.atttypid, a.atttypmod)), ' and ' order by k.n)
  from unnest(r.key_attnums) with ordinality k (attnum, n) join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum
$$;
comment on function frontdesk_internal.timer_match(frontdesk_internal.timer_rule, text, text) is 'internal: the SQL condition by which a row is found by its key';

create or replace function frontdesk_internal.timer_fill(this_rule bigint) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set datestyle = 'ISO, YMD' set timezone = 'UTC' set intervalstyle = 'postgres'
set bytea_output = 'hex' set extra_float_digits = 1 as $$
declare
  r frontdesk_internal.timer_rule;
  filled bigint;
  earliest timestamptz;
begin
  select * into r from frontdesk_internal.timer_rule where id = this_rule;
  delete from frontdesk_internal.timer t where t.rule_id = r.id and t.outcome is null;
  filled := frontdesk_internal.timer_rows_as((select c.relowner from pg_class c where c.oid = r.source),
    format('select %1$s, m.at from %2$s s cross join lateral (select %3$s as at) m where m.at between ''4000-01-01 bc'' and ''100000-01-01''%4$s',
      frontdesk_internal.timer_key(r, 's'), r.source, frontdesk_internal.timer_moment(r, 's'),
      case when r.condition is null then '' else format(' and frontdesk.filter_matches(%L, pg_catalog.to_jsonb(s))', r.condition) end), r.id);
  select min(t.due_at) into earliest from frontdesk_internal.timer t where t.rule_id = r.id and t.outcome is null;
  perform frontdesk_internal.timer_set(earliest);
  update frontdesk_internal.timer_rule u set filled_in = frontdesk_internal.timer_home() where u.id = r.id;
  return filled;
end
$$;
comment on function frontdesk_internal.timer_fill(bigint) is
  'internal: the timers of the rows that are there, read with the rights of the table''s owner; moments that are past are left out. Returns how many rows';

create or replace function frontdesk_internal.timer_put(this_rule bigint, keys text[], moments timestamptz[]) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk_internal.timer (rule_id, key, at, due_at)
  select r.id, u.key, u.at, d.due_at
  from frontdesk_internal.timer_rule r
  cross join unnest(keys, moments) u (key, at)
  cross join lateral (select case when u.at between '4000-01-01 bc' and '100000-01-01' then date_add(u.at, r.shift, r.timezone) end) d (due_at)
  where r.id = this_rule and u.key is not null and d.due_at > frontdesk.now() on conflict do nothing
$$;
comment on function frontdesk_internal.timer_put(bigint, text[], timestamptz[]) is 'internal: timers of rows that are there';

create or replace function frontdesk_internal.timer_config(rule_id bigint, relation oid) returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp set intervalstyle = 'postgres' as $$
  select case when relation = r.source or r.source in (select a from pg_partition_ancestors(relation) a) then
    (jsonb_build_object('at', r.at_column, 'key', to_jsonb(r.key_columns), 'shift', r.shift::text, 'timezone', r.timezone)
      || case when r.condition is null then '{}' else jsonb_build_object('condition', r.condition) end)::text
    else '' end
  from frontdesk_internal.timer_rule r where r.id = rule_id
$$;
comment on function frontdesk_internal.timer_config(bigint, oid) is
  'internal, called by the trigger: the rule as JSON; empty when it belongs to another table, null when there is no such rule';

create or replace function frontdesk_internal.timer_home() returns text
stable language sql security definer set search_path = pg_catalog, pg_temp as $$
  select format('%s/%s', s.system_identifier, d.oid) from pg_control_system() s, pg_database d where d.datname = current_database()
$$;
comment on function frontdesk_internal.timer_home() is 'internal: this database, as no other is called';

create or replace function frontdesk_internal.timer_install(r frontdesk_internal.timer_rule) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  config jsonb := jsonb_build_object('rule', r.id);
begin
  execute format('create or replace trigger %I after insert or update or delete on %s for each row execute function frontdesk_internal.timer_trigger(%L)',
    'frontdesk_timer_' || r.id, r.source, config);
  execute format('create or replace trigger %I after truncate on %s for each statement execute function frontdesk_internal.timer_trigger(%L)',
    'frontdesk_timer_truncate_' || r.id, r.source, config);
end
$$;
comment on function frontdesk_internal.timer_install(frontdesk_internal.timer_rule) is 'internal: makes the triggers of a rule';

create or replace function frontdesk_internal.timer_uninstall(r frontdesk_internal.timer_rule) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set client_min_messages = warning as $$
begin
  if exists (select from pg_class where oid = r.source) then
    execute format('drop trigger if exists %I on %s', 'frontdesk_timer_' || r.id, r.source);
    execute format('drop trigger if exists %I on %s', 'frontdesk_timer_truncate_' || r.id, r.source);
  end if;
end
$$;
comment on function frontdesk_internal.timer_uninstall(frontdesk_internal.timer_rule) is 'internal: drops the triggers of a rule';

create or replace function frontdesk_internal.timer_check_payload(source regclass, payload regprocedure) returns void
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if not exists (
    select from pg_proc p join pg_class c on c.oid = source
    where p.oid = payload and p.prokind = 'f' and not p.proretset and p.prorettype = 'jsonb'::regtype
      and p.pronargs = 1 and p.proargtypes[0] = c.reltype and has_function_privilege(c.relowner, p.oid, 'execute')) then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s cannot make a payload of a row of %s', payload, source),
      hint = format('It must be a function of one argument of type %s, returning jsonb, that the table''s owner may execute.', source);
  end if;
end
$$;
comment on function frontdesk_internal.timer_check_payload(regclass, regprocedure) is 'internal: raises unless this function makes a payload of a row';

create or replace function frontdesk_internal.may_have_reminder(source regclass) returns boolean
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select source is null or pg_has_role(frontdesk_internal.caller(), coalesce((select c.relowner from pg_class c where c.oid = source), 10), 'usage')
$$;
comment on function frontdesk_internal.may_have_reminder(regclass) is 'whether the caller owns this table; one that is gone is a superuser''s';

create or replace function frontdesk.remind(
  source regclass, at_column name, "offset" interval, event text, condition jsonb = null, name text = null,
  late text = 'fire', expires interval = null, tenant_column name = null, payload regprocedure = null) returns text
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.remind(regclass, name, interval, text, jsonb, text, text, interval, name, regprocedure) is
  'emit this event when a row''s column plus offset (negative: before it) is reached, if the condition (a filter over the row) holds then. Returns the rule''s name; '
  'a rule of the same name is replaced. The event carries the row, read at that moment. It is emitted once per row and value of the column, whatever happens. '
  'late: what was due while the engine did not run fires, or is skipped when it is more than a minute late. expires: how long after its moment it may still fire. tenant_column: a uuid, default that of the table''s watch. '
  'payload: a function of a row returning jsonb, which the event carries instead of the row; when it returns null there is no event. Caller must own the table';
create or replace function frontdesk_internal.remind(
  source regclass, at_column name, "offset" interval, event text, condition jsonb, name text,
  late text, expires interval, tenant_column name, payload regprocedure) returns text
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  keys name[];
  at_type oid;
  before frontdesk_internal.timer_rule;
  r frontdesk_internal.timer_rule;
  trouble text;
begin
  perform frontdesk_internal.watch_source_inner(source);
  perform frontdesk_internal.watch_check(source, array[at_column], 'at_column');
  perform frontdesk_internal.watch_check(source, array[tenant_column], 'tenant_column') where tenant_column is not null;
  if (select a.atttypid <> 'uuid'::regtype from pg_attribute a where a.attrelid = source and a.attname = tenant_column) then
    raise exception using errcode = 'datatype_mismatch', message = format('tenant column "%s" of %s is not of type uuid', tenant_column, source);
  end if;
  perform frontdesk_internal.timer_check_payload(source, payload) where payload is not null;
  select a.atttypid into at_type from pg_attribute a where a.attrelid = source and a.attname = at_column;
  if at_type not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s is of type %s', at_column, source, format_type(at_type, null)),
      hint = 'A reminder needs a column of type timestamp with time zone, timestamp or date.';
  end if;
  keys := frontdesk_internal.watch_key(source);
  if keys is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('%s has no primary key', source),
      detail = 'At its moment, the row is read again by its key.', hint = format('alter table %s add primary key (...)', source);
  end if;
  if "offset" is null or extract(epoch from "offset") is null or abs(extract(epoch from "offset")) > 86400.0 * 36600 then
    raise exception using errcode = 'invalid_parameter_value', message = format('offset %s is out of range', "offset"),
      hint = 'Negative is before, positive after the column''s moment, at most 100 years: interval ''-24 hours''.';
  end if;
  perform frontdesk.check_own_type(event);
  perform frontdesk.check_filter(condition) where condition is not null;
  if late is null or late not in ('fire', 'skip') then
    raise exception using errcode = 'invalid_parameter_value', message = format('late "%s" is unknown', late), hint = 'fire or skip.';
  end if;
  if expires <= '0' then
    raise exception using errcode = 'invalid_parameter_value', message = format('expires %s is out of range', expires),
      hint = 'How long after its moment it may still fire; null means for ever.';
  end if;
  name := coalesce(name, format('%s %s', event, "offset"));
  select * into before from frontdesk_internal.timer_rule o where o.name = name;
  if not frontdesk_internal.may_have_reminder(before.source) then
    raise exception using errcode = 'insufficient_privilege', message = format('reminder "%s" belongs to a table of another role', name),
      hint = 'Give yours another name.';
  end if;
  if before.source <> source then
    perform frontdesk_internal.timer_uninstall(before);
  end if;
  -- Rows that change from here on wait for this transaction, so that none is missed between the fill and the trigger.
  execute format('lock table %s in share row exclusive mode', source);
  insert into frontdesk_internal.timer_rule as o (name, source, source_name, at_column, at_attnum, key_columns, key_attnums, shift, timezone, event,
    condition, late, expires, tenant_column, payload)
  values (name, source, source::text, at_column, (select a.attnum from pg_attribute a where a.attrelid = source and a.attname = at_column),
    keys, array(select a.attnum from unnest(keys) with ordinality k (key, n) join pg_attribute a on a.attrelid = source and a.attname = k.key order by k.n),
    "offset", frontdesk_internal.database_timezone(), event, condition, late, expires,
    tenant_column, payload::text)
  on conflict on constraint timer_rule_name_key do update
  set source = excluded.source, source_name = excluded.source_name, at_column = excluded.at_column, at_attnum = excluded.at_attnum,
    key_columns = excluded.key_columns, key_attnums = excluded.key_attnums, shift = excluded.shift, timezone = excluded.timezone,
    event = excluded.event, condition = excluded.condition, late = excluded.late, expires = excluded.expires,
    tenant_column = excluded.tenant_column, payload = excluded.payload, problem = null
  returning o.* into r;
  if before.source <> source then
    delete from frontdesk_internal.timer t where t.rule_id = r.id;
  end if;
  delete from frontdesk_internal.timer_state s where s.rule_id = r.id;
  trouble := frontdesk_internal.timer_trouble(r);
  if trouble is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('%s cannot have reminders', source), detail = trouble;
  end if;
  perform frontdesk_internal.timer_install(r);
  perform frontdesk_internal.timer_fill(r.id);
  return name;
end
$$;
comment on function frontdesk_internal.remind(regclass, name, interval, text, jsonb, text, text, interval, name, regprocedure) is 'behind frontdesk.remind()';

create or replace function frontdesk.unremind(name text) returns boolean
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.unremind(text) is 'stop the reminders of this rule; false when there is no such rule';
create or replace function frontdesk_internal.unremind(name text) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk_internal.timer_rule;
begin
  select * into r from frontdesk_internal.timer_rule o where o.name = unremind.name;
  if not found or not frontdesk_internal.may_have_reminder(r.source) then
    return false;
  end if;
  perform frontdesk_internal.timer_uninstall(r);
  delete from frontdesk_internal.timer t where t.rule_id = r.id;
  delete from frontdesk_internal.timer_state s where s.rule_id = r.id;
  delete from frontdesk_internal.timer_rule o where o.id = r.id;
  return true;
end
$$;
comment on function frontdesk_internal.unremind(text) is 'behind frontdesk.unremind()';

create or replace view frontdesk.timers with (security_barrier) as
select t.due_at, r.name as rule, r.event, r.source_name as source, t.key, r.at_column, t.at, r.shift as "offset", r.condition, r.late, r.expires,
  coalesce(r.problem, s.trouble) as problem
from frontdesk_internal.timer_rule r join frontdesk_internal.timer t on t.rule_id = r.id left join frontdesk_internal.timer_state s on s.rule_id = r.id
where t.outcome is null and pg_has_role(coalesce((select c.relowner from pg_class c where c.oid = r.source), 10), 'usage')
order by t.due_at;
comment on view frontdesk.timers is 'what fires next, for which row, and why; of the tables that you own, as their row level security does not hold here';

create or replace view frontdesk.reminders with (security_barrier) as
select r.name, r.event, r.source_name as source, r.at_column, r.shift as "offset", r.condition, r.late, r.expires,
  coalesce(r.problem, s.trouble, case when not exists (select from pg_class c where c.oid = r.source)
    then format('table %s is not there; call frontdesk.remind() again once it is', r.source_name) end) as problem,
  r.created_at, coalesce(s.broken, 0) as broken
from frontdesk_internal.timer_rule r left join frontdesk_internal.timer_state s on s.rule_id = r.id
where pg_has_role(coalesce((select c.relowner from pg_class c where c.oid = r.source), 10), 'usage');
comment on view frontdesk.reminders is
  'the rules of remind() on your tables, what is wrong with them (null: nothing), and how many timers are broken: what makes their event failed';
