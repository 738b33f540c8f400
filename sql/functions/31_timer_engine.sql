-- Room 31, timer: the engine's verbs, and what becomes of rules whose tables change.

create or replace function frontdesk_internal.texts_as(role oid, query text, keys text[], moments timestamptz[]) returns setof text
strict language c as 'MODULE_PATHNAME', 'texts_as_wrapper';
comment on function frontdesk_internal.texts_as is
  'internal: the first column of a query run with the rights of this role and no other, as for REFRESH MATERIALIZED '
  'VIEW: its table may have casts of its own';

create or replace function frontdesk_internal.timer_rows_as(role oid, query text, rule_id bigint) returns bigint
strict language c as 'MODULE_PATHNAME', 'timer_rows_as_wrapper';
comment on function frontdesk_internal.timer_rows_as is
  'internal: keys and moments that a query gives with the rights of this role and no other, so many at a time, become '
  'timers of the rule; returns how many rows';

create or replace function frontdesk_internal.timer_at_work(rule_id bigint, timers int, key text, moment timestamptz) returns void
language c as 'MODULE_PATHNAME', 'timer_at_work_wrapper';
comment on function frontdesk_internal.timer_at_work(bigint, int, text, timestamptz) is
  'internal: what this process does next, should it not live to tell; key and moment of a timer that is alone';

create or replace function frontdesk_internal.engine_timers() returns table (owner oid, due_at timestamptz)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  -- While a dump is restored the engine may not know yet that this is a copy: it is told so.
  if frontdesk.is_clone() then
    perform frontdesk.wake(reboot => true);
    return;
  end if;
  return query
    select c.relowner, min(greatest(case when r.filled_in is distinct from frontdesk_internal.timer_home() then '-infinity' else t.due_at end, s.retry_at))
    from frontdesk_internal.timer_rule r
    join pg_class c on c.oid = r.source
    left join frontdesk_internal.timer_state s on s.rule_id = r.id
    left join lateral (
      select d.due_at from frontdesk_internal.timer d where d.rule_id = r.id and d.outcome is null order by d.due_at limit 1) t on true
    where r.problem is null and (t.due_at is not null or r.filled_in is distinct from frontdesk_internal.timer_home())
    group by c.relowner;
end
$$;
comment on function frontdesk_internal.engine_timers is
  'engine: when the next reminder is due on the tables of each owner, whose process sees to it';

create or replace function frontdesk_internal.timers_fire(this_owner oid, max_rows int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk_internal.timer_rule;
  keys text[];
  moments timestamptz[];
  places tid[];
  trouble text;
  batch int;
  this_moment timestamptz := frontdesk.now();
begin
  if frontdesk.is_clone() then
    return null;
  end if;
  select u.* into r
  from frontdesk_internal.timer_rule u
  join pg_class c on c.oid = u.source
  left join frontdesk_internal.timer_state s on s.rule_id = u.id
  left join lateral (
    select d.due_at from frontdesk_internal.timer d where d.rule_id = u.id and d.outcome is null and d.due_at <= this_moment order by d.due_at limit 1) t on true
  where c.relowner = this_owner and u.problem is null and coalesce(s.retry_at, '-infinity') <= this_moment
    and (t.due_at is not null or u.filled_in is distinct from frontdesk_internal.timer_home())
  order by s.retry_at nulls first, t.due_at nulls first limit 1;
  if not found then
    return null;
  end if;
  -- A rule whose tables' owner changed, and whose function did not, is not run.
  perform frontdesk_internal.timer_at_work(r.id, 0, null, null);
  trouble := frontdesk_internal.timer_trouble(r);
  if trouble is not null then
    perform frontdesk_internal.timer_wait(r.id, trouble, interval '1 minute');
    return 0;
  end if;
  if r.filled_in is distinct from frontdesk_internal.timer_home() then
    perform frontdesk_internal.timer_fill(r.id);
    return 0;
  end if;
  select s.batch into batch from frontdesk_internal.timer_state s where s.rule_id = r.id;
  -- A row that somebody else changes right now is left to them: their change decides whether it fires.
  with due as materialized (
    select t.key, t.at, t.due_at, t.ctid from frontdesk_internal.timer t
    where t.rule_id = r.id and t.outcome is null and t.due_at <= this_moment
    order by t.due_at limit least(max_rows, batch) for update skip locked)
  select array_agg(d.key order by d.due_at), array_agg(d.at order by d.due_at), array_agg(d.ctid order by d.due_at)
  into keys, moments, places from due d;
  if places is null then
    return null;
  end if;
  perform frontdesk_internal.timer_at_work(r.id, cardinality(keys), keys[1], moments[1]);
  perform frontdesk_internal.fire_timers(r, keys, moments, places, this_moment);
  if batch is not null or exists (select from frontdesk_internal.timer_state s where s.rule_id = r.id and (s.trouble is not null or s.failures > 0)) then
    -- Back to whole batches, unless they take long.
    update frontdesk_internal.timer_state s set failures = 0, trouble = null, retry_at = null,
      batch = case when s.batch * 2 < max_rows then
        case when clock_timestamp() - transaction_timestamp() < current_setting('frontdesk.reminder_timeout')::interval / 4 then s.batch * 2 else s.batch end end
    where s.rule_id = r.id;
  end if;
  return cardinality(keys);
end
$$;
comment on function frontdesk_internal.timers_fire is
  'in the process of a tables'' owner: emit the events of one rule''s timers that are due, at most so many; returns '
  'how many were looked at, null: nothing is due';

create or replace function frontdesk_internal.timer_trouble(r frontdesk_internal.timer_rule) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  relowner regrole;
  forced boolean;
  f record;
begin
  select c.relowner, c.relrowsecurity and c.relforcerowsecurity and not (o.rolsuper or o.rolbypassrls) into relowner, forced
  from pg_class c join pg_roles o on o.oid = c.relowner where c.oid = r.source;
  if relowner is null then
    return format('table %s was dropped', r.source_name);
  elsif forced then
    return format('row level security is forced on %s, so that its owner %s does not see the rows', r.source, relowner);
  end if;
  select p.oid::regprocedure as name, p.proowner::regrole as owner, pg_has_role(p.proowner, relowner, 'set') as is_trusted,
    has_function_privilege(relowner, p.oid, 'execute') as is_allowed
  into f from pg_proc p where p.oid = to_regprocedure(r.payload);
  if r.payload is not null and f is null then
    return format('function %s was dropped', r.payload);
  elsif not f.is_allowed then
    return format('%s may not execute function %s', relowner, f.name);
  elsif not f.is_trusted then
    return format('function %s belongs to %s, and would run with the rights of %s, who owns the table', f.name, f.owner, relowner);
  end if;
  -- What a value is written with runs too: the owner of its type made it.
  with recursive used (type) as (
    select a.atttypid from pg_attribute a where a.attrelid = r.source and a.attnum > 0 and not a.attisdropped and a.atttypid >= 16384
    union
    select x.type from used u join pg_type t on t.oid = u.type
    cross join lateral (
      select t.typelem union select t.typbasetype
      union select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      union select g.rngsubtype from pg_range g where t.oid in (g.rngtypid, g.rngmultitypid)) x (type)
    where x.type >= 16384)
  select t.oid::regtype as name, t.typowner::regrole as owner into f
  from used u join pg_type t on t.oid = u.type where not pg_has_role(t.typowner, relowner, 'set') limit 1;
  if f is not null then
    return format('type %s belongs to %s, and is used with the rights of %s, who owns the table', f.name, f.owner, relowner);
  end if;
  return null;
end
$$;
comment on function frontdesk_internal.timer_trouble is
  'internal: why no reminder of this rule can be made now: the owner does not see the rows, or somebody else''s code '
  'would run with their rights';

create or replace function frontdesk_internal.timer_wait(this_rule bigint, why text, pause interval) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk_internal.timer_state as s (rule_id, retry_at, failures, trouble) values (this_rule, frontdesk.now() + pause, 1, why)
  on conflict (rule_id) do update set retry_at = excluded.retry_at, failures = s.failures + 1, trouble = excluded.trouble
$$;
comment on function frontdesk_internal.timer_wait is 'internal: a rule is left alone for a while, and says why';

create or replace function frontdesk_internal.timers_failed(
  this_owner oid, this_rule bigint, timers int, this_key text, moment timestamptz, code text, why text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.timer_state;
  this_moment timestamptz := frontdesk.now();
begin
  if this_rule = 0 then
    perform frontdesk_internal.timer_wait(r.id, why, interval '10 seconds')
    from frontdesk_internal.timer_rule r join pg_class c on c.oid = r.source where c.relowner = this_owner and r.problem is null;
    return;
  end if;
  if not exists (select from frontdesk_internal.timer_rule r where r.id = this_rule) then
    return;
  end if;
  insert into frontdesk_internal.timer_state (rule_id) values (this_rule) on conflict do nothing;
  select * into s from frontdesk_internal.timer_state o where o.rule_id = this_rule for update;
  -- Not the fault of a row.
  if timers = 0 or code in ('55P03', '40P01', '40001') then
    perform frontdesk_internal.timer_wait(this_rule,
      case when code = '55P03' then 'somebody holds a lock on its table' else why end, least(interval '1 second' * 2 ^ least(s.failures, 6), interval '1 minute'));
  elsif timers > 1 then
    -- Other rules of the same owner have their turn.
    update frontdesk_internal.timer_state o set batch = timers / 2, trouble = why, retry_at = this_moment + interval '10 ms' where o.rule_id = this_rule;
  else
    update frontdesk_internal.timer t set outcome = 'broken', done_at = this_moment, reason = why
    where t.rule_id = this_rule and t.outcome is null
      and (t.key, t.at) = (select d.key, d.at from frontdesk_internal.timer d where d.rule_id = this_rule and d.outcome is null and d.due_at <= this_moment
        and (this_key is null or d.key = this_key and d.at = moment) order by d.due_at limit 1);
    update frontdesk_internal.timer_state o set broken = o.broken + 1, failures = o.failures + 1, trouble = format('key %s: %s', this_key, why)
    where o.rule_id = this_rule;
    -- It is not the rows.
    update frontdesk_internal.timer_rule r set problem = format('the last %s reminders failed: %s', s.failures + 1, why) where r.id = this_rule and s.failures >= 19;
  end if;
end
$$;
comment on function frontdesk_internal.timers_failed is
  'engine, and the process of a tables'' owner: a batch of so many timers failed (rule 0: the process itself, before '
  'it began one). It is tried with half of them; one alone is broken, and twenty in a row stop the rule';

create or replace function frontdesk_internal.timer_rows(r frontdesk_internal.timer_rule, keys text[], moments timestamptz[])
returns table (n int, "row" jsonb, payload jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query select (q->>'n')::int, q->'row', q->'payload'
    from frontdesk_internal.texts_as((select c.relowner from pg_class c where c.oid = r.source),
      format('select pg_catalog.jsonb_build_object(''n'', k.n, ''row'', pg_catalog.to_jsonb(s)%s)::text from unnest($1, $2) with ordinality k (key, at, n) join %s s on %s where %s operator(pg_catalog.=) k.at order by k.n',
        ', ''payload'', ' || r.payload::regprocedure::regproc || '(s)', r.source, frontdesk_internal.timer_match(r, 's', 'k.key'), frontdesk_internal.timer_moment(r, 's')), keys, moments) t
    cross join lateral (select t::jsonb) j (q);
end
$$;
comment on function frontdesk_internal.timer_rows is
  'internal: the rows with these keys whose column still has these values, and their payloads, read with the rights '
  'of the table''s owner; n: which key, from 1';

create or replace function frontdesk_internal.fire_timers(
  r frontdesk_internal.timer_rule, keys text[], moments timestamptz[], places tid[], this_moment timestamptz) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  tenant_column text := coalesce(r.tenant_column, (select w.tenant_column from frontdesk.watch w where w.source = r.source));
  fired tid[];
begin
  -- The rows are locked, so their places hold; by them no plan can go wrong that was made when the table was small.
  update frontdesk_internal.timer t set done_at = this_moment,
    outcome = case when this_moment > t.due_at + r.expires then 'expired' else 'late' end
  where t.ctid = any (places)
    and (this_moment > t.due_at + r.expires or r.late = 'skip' and this_moment > t.due_at + interval '1 minute');
  if found then
    select array_agg(t.key order by t.due_at), array_agg(t.at order by t.due_at), array_agg(t.ctid order by t.due_at)
    into keys, moments, places from frontdesk_internal.timer t where t.ctid = any (places);
  end if;
  if places is null then
    return;
  end if;
  select array_agg(places[f.n]) into fired
  from (
    select x.n, frontdesk_internal.record_event(r.event, 'E', coalesce(x.payload, x.row), keys[x.n], (x.row->>tenant_column)::uuid)
    from frontdesk_internal.timer_rows(r, keys, moments) x
    where (r.condition is null or frontdesk.filter_matches(r.condition, x.row))
      and coalesce(jsonb_typeof(x.payload), '') <> 'null' offset 0) f;
  update frontdesk_internal.timer t set outcome = 'fired', done_at = this_moment where t.ctid = any (fired);
  -- The row is gone, or the condition does not hold: should it hold again, the row's change sets the timer again.
  delete from frontdesk_internal.timer t where t.ctid = any (places);
end
$$;
comment on function frontdesk_internal.fire_timers(frontdesk_internal.timer_rule, text[], timestamptz[], tid[], timestamptz) is
  'internal: read these rows again, check the condition again, emit the events and remember it, all in one transaction';

create or replace function frontdesk_internal.timer_follow() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk_internal.timer_rule;
  now_named name;
  now_keys name[];
begin
  for r in
    select u.* from frontdesk_internal.timer_rule u
    where u.source in (select d.objid from pg_event_trigger_ddl_commands() d where d.classid = 'pg_class'::regclass) and u.problem is null
  loop
    select a.attname into now_named from pg_attribute a where a.attrelid = r.source and a.attnum = r.at_attnum and not a.attisdropped;
    now_keys := array(select a.attname from unnest(r.key_attnums) with ordinality k (attnum, n)
      join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum and not a.attisdropped order by k.n);
    if now_named is null or cardinality(now_keys) < cardinality(r.key_attnums) then
      update frontdesk_internal.timer_rule u set problem = case when now_named is null then format('column "%s" of %s was dropped', r.at_column, r.source)
        else format('a key column of %s was dropped', r.source) end where u.id = r.id;
      perform frontdesk_internal.timer_uninstall(r);
    elsif now_named <> r.at_column or now_keys <> r.key_columns or r.source::text <> r.source_name then
      update frontdesk_internal.timer_rule u set at_column = now_named, key_columns = now_keys, source_name = r.source::text where u.id = r.id returning u.* into r;
      perform frontdesk_internal.timer_install(r);
    end if;
  end loop;
end
$$;
comment on function frontdesk_internal.timer_follow is
  'event trigger: a rule follows renamed columns, and says so when its column is gone';

create or replace function frontdesk_internal.timer_lost() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk_internal.timer_rule u set problem = format('table %s was dropped', u.source_name)
  where u.source in (select d.objid from pg_event_trigger_dropped_objects() d where d.classid = 'pg_class'::regclass and d.objsubid = 0)
    and u.problem is null;
end
$$;
comment on function frontdesk_internal.timer_lost() is 'event trigger: a rule whose table is gone says so';

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'frontdesk_timer_follow') then
    create event trigger frontdesk_timer_follow on ddl_command_end when tag in ('ALTER TABLE') execute function frontdesk_internal.timer_follow();
    create event trigger frontdesk_timer_lost on sql_drop when tag in ('DROP TABLE', 'DROP SCHEMA') execute function frontdesk_internal.timer_lost();
  end if;
end
$$;
