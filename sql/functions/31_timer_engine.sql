-- Room 31, timer: the engine's verbs, and what becomes of rules whose tables change.

create or replace function frontdesk.query_as(role oid, query text, keys text[], moments timestamptz[]) returns setof jsonb
language c as 'MODULE_PATHNAME', 'query_as_wrapper';
comment on function frontdesk.query_as(oid, text, text[], timestamptz[]) is
  'internal: the first column of a query run with the rights of this role and no other, as for REFRESH MATERIALIZED VIEW: its table may have casts of its own';

create or replace function frontdesk.timer_rows(r frontdesk.timer_rule, keys text[], moments timestamptz[])
returns table (n int, "row" jsonb, payload jsonb)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return query select (q->>'n')::int, q->'row', q->'payload'
    from frontdesk.query_as((select c.relowner from pg_class c where c.oid = r.source),
      format('select jsonb_build_object(''n'', k.n, ''row'', to_jsonb(s)%s) from unnest($1, $2) with ordinality k (key, at, n) join %s s on %s where %s = k.at order by k.n',
        ', ''payload'', ' || r.payload::regprocedure::regproc || '(s)', r.source, frontdesk.timer_match(r, 's', 'k.key'), frontdesk.timer_moment(r, 's')), keys, moments) q;
end
$$;
comment on function frontdesk.timer_rows(frontdesk.timer_rule, text[], timestamptz[]) is
  'internal: the rows with these keys whose column still has these values, and their payloads, read with the rights of the table''s owner; n: which key, from 1';

create or replace function frontdesk.engine_fire_timers(max_rows int, out looked_at bigint, out next_due timestamptz)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
  batch record;
  this_moment timestamptz := frontdesk.now();
begin
  looked_at := 0;
  -- While a dump is restored the engine may not know yet that this is a copy: it is told so.
  if frontdesk.is_clone() then
    perform frontdesk.wake(reboot => true);
    return;
  end if;
  perform frontdesk.timer_refill();
  for batch in
    -- A row that somebody else changes right now is left to him: his change decides whether it fires.
    with due as materialized (
      select t.rule_id, t.key, t.at, t.due_at, t.ctid from frontdesk.timer t
      where t.outcome is null and t.due_at <= this_moment order by t.due_at limit max_rows for update skip locked)
    select d.rule_id, array_agg(d.key order by d.due_at) as keys, array_agg(d.at order by d.due_at) as moments,
      array_agg(d.ctid order by d.due_at) as places, count(*) as n
    from due d group by d.rule_id
  loop
    looked_at := looked_at + batch.n;
    select * into r from frontdesk.timer_rule where id = batch.rule_id;
    begin
      perform frontdesk.fire_timers(r, batch.keys, batch.moments, batch.places, this_moment);
    exception when others then
      -- A bad rule stops nothing else.
      update frontdesk.timer_rule u set problem = sqlerrm where u.id = batch.rule_id;
      update frontdesk.timer t set outcome = 'broken', done_at = this_moment where t.ctid = any (batch.places);
    end;
  end loop;
  select t.due_at into next_due from frontdesk.timer t where t.outcome is null order by t.due_at limit 1;
  if looked_at < max_rows and next_due <= this_moment then
    next_due := this_moment + interval '50 ms';
  end if;
end
$$;
comment on function frontdesk.engine_fire_timers(int) is 'engine: emit the events of timers that are due, at most so many; how many were looked at, and when the next is due';

create or replace function frontdesk.fire_timers(
  r frontdesk.timer_rule, keys text[], moments timestamptz[], places tid[], this_moment timestamptz) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  tenant_column text := coalesce(r.tenant_column, (select w.tenant_column from frontdesk.watch w where w.source = r.source));
  fired tid[];
begin
  -- The rows are locked, so their places hold; by them no plan can go wrong that was made when the table was small.
  if r.id is null or r.problem is not null then
    update frontdesk.timer t set outcome = 'broken', done_at = this_moment where t.ctid = any (places);
    return;
  end if;
  update frontdesk.timer t set done_at = this_moment,
    outcome = case when this_moment > t.due_at + r.expires then 'expired' else 'late' end
  where t.ctid = any (places)
    and (this_moment > t.due_at + r.expires or r.late = 'skip' and this_moment > t.due_at + interval '1 minute');
  if found then
    select array_agg(t.key order by t.due_at), array_agg(t.at order by t.due_at), array_agg(t.ctid order by t.due_at)
    into keys, moments, places from frontdesk.timer t where t.ctid = any (places);
  end if;
  if places is null then
    return;
  end if;
  select array_agg(places[f.n]) into fired
  from (
    select x.n, frontdesk.record_event(r.event, 'E', coalesce(x.payload, x.row), keys[x.n], (x.row->>tenant_column)::uuid)
    from frontdesk.timer_rows(r, keys, moments) x
    where (r.condition is null or frontdesk.filter_matches(r.condition, x.row))
      and coalesce(jsonb_typeof(x.payload), '') <> 'null' offset 0) f;
  update frontdesk.timer t set outcome = 'fired', done_at = this_moment where t.ctid = any (fired);
  -- The row is gone, or the condition does not hold: should it hold again, the row's change sets the timer again.
  delete from frontdesk.timer t where t.ctid = any (places);
end
$$;
comment on function frontdesk.fire_timers(frontdesk.timer_rule, text[], timestamptz[], tid[], timestamptz) is
  'internal: read these rows again, check the condition again, emit the events and remember it, all in one transaction';

create or replace function frontdesk.timer_refill() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
begin
  for r in select * from frontdesk.timer_rule u where u.problem is null and u.filled_in is distinct from frontdesk.timer_home() loop
    begin
      perform count(*) from frontdesk.query_as((select c.relowner from pg_class c where c.oid = r.source),
        format('select to_jsonb(frontdesk.timer_fill(%s))', r.id), '{}', '{}');
    exception when others then
      update frontdesk.timer_rule u set problem = sqlerrm where u.id = r.id;
    end;
  end loop;
end
$$;
comment on function frontdesk.timer_refill() is 'internal: after a restore elsewhere, the timers of the rows that are there';

create or replace function frontdesk.timer_follow() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r frontdesk.timer_rule;
  now_named name;
  now_keys name[];
begin
  for r in
    select u.* from frontdesk.timer_rule u
    where u.source in (select d.objid from pg_event_trigger_ddl_commands() d where d.classid = 'pg_class'::regclass) and u.problem is null
  loop
    select a.attname into now_named from pg_attribute a where a.attrelid = r.source and a.attnum = r.at_attnum and not a.attisdropped;
    now_keys := array(select a.attname from unnest(r.key_attnums) with ordinality k (attnum, n)
      join pg_attribute a on a.attrelid = r.source and a.attnum = k.attnum and not a.attisdropped order by k.n);
    if now_named is null or cardinality(now_keys) < cardinality(r.key_attnums) then
      update frontdesk.timer_rule u set problem = case when now_named is null then format('column "%s" of %s was dropped', r.at_column, r.source)
        else format('a key column of %s was dropped', r.source) end where u.id = r.id;
      perform frontdesk.timer_uninstall(r);
    elsif now_named <> r.at_column or now_keys <> r.key_columns or r.source::text <> r.source_name then
      update frontdesk.timer_rule u set at_column = now_named, key_columns = now_keys, source_name = r.source::text where u.id = r.id returning u.* into r;
      perform frontdesk.timer_install(r);
    end if;
  end loop;
end
$$;
comment on function frontdesk.timer_follow() is 'event trigger: a rule follows renamed columns, and says so when its column is gone';

create or replace function frontdesk.timer_lost() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.timer_rule u set problem = format('table %s was dropped', u.source_name)
  where u.source in (select d.objid from pg_event_trigger_dropped_objects() d where d.classid = 'pg_class'::regclass and d.objsubid = 0)
    and u.problem is null;
end
$$;
comment on function frontdesk.timer_lost() is 'event trigger: a rule whose table is gone says so';

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'frontdesk_timer_follow') then
    create event trigger frontdesk_timer_follow on ddl_command_end when tag in ('ALTER TABLE') execute function frontdesk.timer_follow();
    create event trigger frontdesk_timer_lost on sql_drop when tag in ('DROP TABLE', 'DROP SCHEMA') execute function frontdesk.timer_lost();
  end if;
end
$$;
