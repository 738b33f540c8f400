-- Room 25, engine: every SQL call that the engine makes for delivery. It is the only writer of attempt, retry, dead_letter
-- and cursor, so none of them takes a row lock. Those called often are in PL/pgSQL, which keeps their plans.

create or replace function frontdesk_internal.engine_boot(
  out installation uuid, out state text, out silent boolean, out config_version bigint, out extension_version text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select i.id, i.state, frontdesk.is_clone(), (select sum(n.config_version) from frontdesk_internal.installation n)::bigint, x.extversion
  from frontdesk_internal.installation i, pg_extension x where x.extname = 'pg_frontdesk' order by i.installed_at limit 1
$$;
comment on function frontdesk_internal.engine_boot() is 'engine: who am I, and may I work';

create or replace function frontdesk_internal.engine_cursors()
returns table (endpoint_id bigint, last_snapshot text, current_snapshot text, xid xid8, event_id bigint, since timestamptz)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select c.endpoint_id, c.last_snapshot::text, c.current_snapshot::text, c.xid, c.event_id, c.since
  from frontdesk_internal.cursor c order by c.endpoint_id
$$;
comment on function frontdesk_internal.engine_cursors() is 'engine: how far the log was read';

create or replace function frontdesk_internal.engine_window(out snapshot text, out at timestamptz, out config_version bigint)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  select pg_current_snapshot()::text, clock_timestamp(), sum(i.config_version) into snapshot, at, config_version
  from frontdesk_internal.installation i;
end
$$;
comment on function frontdesk_internal.engine_window() is
  'engine: the snapshot that ends the next window, with the version of the configuration that was committed in it';

create or replace function frontdesk_internal.engine_prepared() returns boolean
volatile language sql set search_path = pg_catalog, pg_temp as $$
  select exists (select from pg_prepared_xacts p where p.database = current_database())
$$;
comment on function frontdesk_internal.engine_prepared() is 'engine: are there transactions that a session can commit without telling';

create or replace function frontdesk_internal.engine_read(
  last_snapshot text, current_snapshot text, after_xid xid8, after_id bigint, since timestamptz, until timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record jsonb, old_record jsonb)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  s pg_snapshot := last_snapshot::pg_snapshot;
  c pg_snapshot := current_snapshot::pg_snapshot;
  xmax xid8 := pg_snapshot_xmax(s);
  pending xid8[];
  got int := 0;
begin
  -- First the transactions that were under way at the last window's end, then those that began after it: together in order of (xid, id).
  if after_xid < xmax then
    pending := array(select p from pg_snapshot_xip(s) p);
    if cardinality(pending) > 0 then
      return query
        select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record, e.old_record
        from frontdesk.event e
        where e.xid = any (pending) and (e.xid, e.id) > (after_xid, after_id) and e.created_at >= engine_read.since and e.created_at < engine_read.until
          and pg_visible_in_snapshot(e.xid, c)
        order by e.xid, e.id limit max_rows;
      get diagnostics got = row_count;
    end if;
    after_xid := xmax;
    after_id := 0;
  end if;
  if got < max_rows then
    -- The row comparison is the only lower bound: a second one would start the index scan at the wrong place.
    return query
      select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record, e.old_record
      from frontdesk.event e
      where (e.xid, e.id) > (after_xid, after_id) and e.xid < pg_snapshot_xmax(c) and e.created_at >= engine_read.since and e.created_at < engine_read.until
        and pg_visible_in_snapshot(e.xid, c)
      order by e.xid, e.id limit max_rows - got;
  end if;
end
$$;
comment on function frontdesk_internal.engine_read(text, text, xid8, bigint, timestamptz, timestamptz, int) is
  'engine: the next events of a window: visible in the current snapshot, not in the last, after (xid, id), in that order; none of them is older than since, none as new as until';

create or replace function frontdesk_internal.engine_list(
  last_snapshot text, current_snapshot text, after_id bigint, since timestamptz, until timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  s pg_snapshot := last_snapshot::pg_snapshot;
  c pg_snapshot := current_snapshot::pg_snapshot;
begin
  return query
    select e.id, e.xid, e.created_at from (
      select e.id, e.xid, e.created_at from frontdesk.event e
      where e.xid = any (array(select p from pg_snapshot_xip(s) p)) and e.created_at >= engine_list.since and e.created_at < engine_list.until and pg_visible_in_snapshot(e.xid, c)
      union all
      select e.id, e.xid, e.created_at from frontdesk.event e
      where e.xid >= pg_snapshot_xmax(s) and e.xid < pg_snapshot_xmax(c) and e.created_at >= engine_list.since and e.created_at < engine_list.until and pg_visible_in_snapshot(e.xid, c)) e
    where e.id > after_id order by e.id limit max_rows;
end
$$;
comment on function frontdesk_internal.engine_list(text, text, bigint, timestamptz, timestamptz, int) is
  'engine: the events of a window in order of their ids, the order in which a row changed, for endpoints that are ordered';

create or replace function frontdesk_internal.engine_events(ids bigint[], xids xid8[], created timestamptz[])
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record jsonb, old_record jsonb)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select e.id, e.xid, e.created_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record, e.old_record
    from unnest(ids, xids, created) with ordinality w (id, xid, created_at, n)
    join frontdesk.event e on e.xid = w.xid and e.id = w.id and e.created_at = w.created_at
    order by w.n;
end
$$;
comment on function frontdesk_internal.engine_events(bigint[], xid8[], timestamptz[]) is 'engine: these events, in this order; without those whose day was dropped';

create or replace function frontdesk_internal.engine_settled(ids bigint[])
returns table (event_id bigint, endpoint_id bigint)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select a.event_id, a.endpoint_id from frontdesk_internal.attempt a where a.event_id = any (ids)
    union
    select r.event_id, r.endpoint_id from frontdesk_internal.retry r where r.event_id = any (ids);
end
$$;
comment on function frontdesk_internal.engine_settled(bigint[]) is 'engine, after a restart: what of these was attempted already';

create or replace function frontdesk_internal.engine_attempts(
  event_ids bigint[], endpoint_ids bigint[], numbers int[], started timestamptz[], durations real[], successes boolean[],
  statuses smallint[], errors text[], details text[], addresses text[], responses text[], headers text[], bodies bytea[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, error, detail, address, response,
    response_headers, response_body)
  select u.event_id, u.endpoint_id, u.number, u.started, u.duration, u.success, u.status, u.error, u.detail, u.address::inet, u.response,
    u.headers::jsonb, u.body
  from unnest(event_ids, endpoint_ids, numbers, started, durations, successes, statuses, errors, details, addresses, responses, headers, bodies)
    u (event_id, endpoint_id, number, started, duration, success, status, error, detail, address, response, headers, body);
end
$$;
comment on function frontdesk_internal.engine_attempts(bigint[], bigint[], int[], timestamptz[], real[], boolean[], smallint[], text[], text[], text[], text[], text[], bytea[]) is
  'engine: append attempts';

create or replace function frontdesk_internal.engine_retry(
  event_ids bigint[], endpoint_ids bigint[], xids xid8[], created timestamptz[], attempts int[], due timestamptz[], keys text[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  insert into frontdesk_internal.retry (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
  select u.event_id, u.endpoint_id, u.xid, u.created, u.attempts, u.due, u.key, u.reason
  from unnest(event_ids, endpoint_ids, xids, created, attempts, due, keys, reasons) u (event_id, endpoint_id, xid, created, attempts, due, key, reason)
  where u.endpoint_id = 0 or exists (select from frontdesk_internal.endpoint e where e.id = u.endpoint_id)
  on conflict on constraint retry_pkey do update
  set attempts = excluded.attempts, due_at = excluded.due_at, key = excluded.key, reason = excluded.reason;
end
$$;
comment on function frontdesk_internal.engine_retry(bigint[], bigint[], xid8[], timestamptz[], int[], timestamptz[], text[], text[]) is
  'engine: try these again when they are due';

create or replace function frontdesk_internal.engine_forget() returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  delete from frontdesk_internal.retry r where r.endpoint_id > 0 and not exists (select from frontdesk_internal.endpoint e where e.id = r.endpoint_id);
  delete from frontdesk_internal.dead_letter d where d.endpoint_id > 0 and not exists (select from frontdesk_internal.endpoint e where e.id = d.endpoint_id);
$$;
comment on function frontdesk_internal.engine_forget() is
  'engine: remove rows that were written for an endpoint while remove_endpoint() deleted it';

create or replace function frontdesk_internal.engine_done(event_ids bigint[], endpoint_ids bigint[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  delete from frontdesk_internal.retry r using unnest(event_ids, endpoint_ids) u (event_id, endpoint_id)
  where r.event_id = u.event_id and r.endpoint_id = u.endpoint_id;
end
$$;
comment on function frontdesk_internal.engine_done(bigint[], bigint[]) is 'engine: these need no further try';

create or replace function frontdesk_internal.engine_exhausted(this_event bigint, this_xid xid8, this_at timestamptz, this_endpoint bigint,
  attempts int, reason text, with_data boolean) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  -- A service event that cannot be delivered is not reported by another; what is too large to be sent is not sent in a report.
  select frontdesk_internal.record_event('delivery.exhausted', 'S', jsonb_build_object('endpoint', n.name, 'event_id', v.id, 'event_type', v.type,
      'key', left(v.key, 1000), 'attempts', attempts, 'reason', reason,
      'data', case when with_data and pg_column_size(v.record) < 4000000 and frontdesk_internal.json_bytes(v.record) < 1000000 then v.record end),
    left(v.key, 1000), v.tenant)
  from frontdesk_internal.endpoint n
  join frontdesk.event v on v.xid = this_xid and v.id = this_event and v.created_at = this_at
  where n.id = this_endpoint and v.op <> 'S'
$$;
comment on function frontdesk_internal.engine_exhausted(bigint, xid8, timestamptz, bigint, int, text, boolean) is
  'engine: emit delivery.exhausted';

create or replace function frontdesk_internal.engine_dead(
  event_ids bigint[], endpoint_ids bigint[], xids xid8[], created timestamptz[], attempts int[], reasons text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  i int;
begin
  insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
  select u.event_id, u.endpoint_id, u.xid, u.created, u.attempts, u.reason, frontdesk.now()
  from unnest(event_ids, endpoint_ids, xids, created, attempts, reasons) u (event_id, endpoint_id, xid, created, attempts, reason)
  on conflict on constraint dead_letter_pkey do update set attempts = excluded.attempts, reason = excluded.reason, died_at = excluded.died_at;
  -- The letter counts, whatever can be said of it: an event that cannot be read is reported without its data.
  for i in 1 .. cardinality(event_ids) loop
    begin
      perform frontdesk_internal.engine_exhausted(event_ids[i], xids[i], created[i], endpoint_ids[i], attempts[i], reasons[i], true);
    exception
      when query_canceled or lock_not_available or admin_shutdown then
        raise;
      when others then
        perform frontdesk_internal.engine_exhausted(event_ids[i], xids[i], created[i], endpoint_ids[i], attempts[i], reasons[i], false);
    end;
  end loop;
end
$$;
comment on function frontdesk_internal.engine_dead(bigint[], bigint[], xid8[], timestamptz[], int[], text[]) is
  'engine: these are given up; each is reported by an event delivery.exhausted';

create or replace function frontdesk_internal.engine_release(this_endpoint bigint, this_key text) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  first bigint := (select min(r.event_id) from frontdesk_internal.retry r where r.endpoint_id = this_endpoint and r.key = this_key);
begin
  update frontdesk_internal.retry r set due_at = frontdesk.now()
  where r.endpoint_id = this_endpoint and r.event_id = first and r.due_at = 'infinity';
  return first is not null;
end
$$;
comment on function frontdesk_internal.engine_release(bigint, text) is 'engine, ordered endpoints: the next waiting event of this key is due; false when there is none';

create or replace function frontdesk_internal.engine_blocked() returns table (endpoint_id bigint, key text)
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select distinct r.endpoint_id, r.key from frontdesk_internal.retry r join frontdesk_internal.endpoint e on e.id = r.endpoint_id
  where r.key is not null
$$;
comment on function frontdesk_internal.engine_blocked() is 'engine, ordered endpoints: the keys whose later events must wait';

create or replace function frontdesk_internal.engine_due(ready_endpoints bigint[], as_of timestamptz, max_rows int)
returns table (id bigint, xid xid8, created_at timestamptz, op "char", depth smallint, type text, source text, key text, tenant text,
  target bigint, record jsonb, old_record jsonb, endpoint_id bigint, attempts int)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select r.event_id, r.event_xid, r.event_at, e.op, e.depth, e.type, e.source, e.key, e.tenant::text, e.target, e.record,
      e.old_record, r.endpoint_id, r.attempts
    from frontdesk_internal.retry r
    left join frontdesk.event e on e.xid = r.event_xid and e.id = r.event_id and e.created_at = r.event_at
    where r.due_at <= as_of and r.endpoint_id = any (ready_endpoints)
    order by r.due_at, r.event_id limit max_rows;
end
$$;
comment on function frontdesk_internal.engine_due(bigint[], timestamptz, int) is 'engine: retries that are due for these endpoints; op is null where the event''s day was dropped';

create or replace function frontdesk_internal.engine_next_due(ready_endpoints bigint[], as_of timestamptz) returns timestamptz
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select min(r.due_at) from frontdesk_internal.retry r where r.endpoint_id = any (ready_endpoints) and r.due_at > as_of and r.due_at < 'infinity'
$$;
comment on function frontdesk_internal.engine_next_due(bigint[], timestamptz) is 'engine: when the next retry that is not due yet will be';

create or replace function frontdesk_internal.engine_health(ids bigint[], failure_counts int[], failing timestamptz[], open timestamptz[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
begin
  update frontdesk_internal.endpoint e set failures = u.failures, failing_since = u.failing, open_until = u.open
  from unnest(ids, failure_counts, failing, open) u (id, failures, failing, open)
  where e.id = u.id;
end
$$;
comment on function frontdesk_internal.engine_health(bigint[], int[], timestamptz[], timestamptz[]) is 'engine: how endpoints do, written when it changes';

create or replace function frontdesk_internal.engine_disable(this_endpoint bigint, why text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  update frontdesk_internal.endpoint set state = 'disabled', state_reason = why, state_changed_at = clock_timestamp()
  where id = this_endpoint and state <> 'disabled'
$$;
comment on function frontdesk_internal.engine_disable(bigint, text) is 'engine: an endpoint answered 410 Gone, or failed for five days';

create or replace function frontdesk_internal.engine_problem(this_endpoint bigint, why text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  update frontdesk_internal.endpoint set problem = why where id = this_endpoint and problem is distinct from why
$$;
comment on function frontdesk_internal.engine_problem(bigint, text) is
  'engine: why nothing is sent to an endpoint, as when a secret is missing or cannot be read; null: nothing is wrong';

create or replace function frontdesk_internal.engine_report(this_endpoint bigint, event_type text, details text) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.record_event(event_type, 'S', jsonb_build_object('endpoint', n.name, 'url', n.url) || details::jsonb, tenant => n.tenant)
  from frontdesk_internal.endpoint n where n.id = this_endpoint
$$;
comment on function frontdesk_internal.engine_report(bigint, text, text) is 'engine: emit endpoint.failing, endpoint.recovered or endpoint.disabled';

create or replace function frontdesk_internal.engine_save_cursors(
  ids bigint[], last_snapshots text[], current_snapshots text[], xids xid8[], event_ids bigint[], since timestamptz[], dropped bigint[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk_internal.cursor c where c.endpoint_id = any (dropped);
  insert into frontdesk_internal.cursor as c (endpoint_id, last_snapshot, current_snapshot, xid, event_id, since)
  select u.id, u.last::pg_snapshot, u.current::pg_snapshot, u.xid, u.event_id, u.since
  from unnest(ids, last_snapshots, current_snapshots, xids, event_ids, since) u (id, last, current, xid, event_id, since)
  where u.id = 0 or exists (select from frontdesk_internal.endpoint e where e.id = u.id)
  on conflict (endpoint_id) do update
  set last_snapshot = excluded.last_snapshot, current_snapshot = excluded.current_snapshot, xid = excluded.xid,
      event_id = excluded.event_id, since = excluded.since, updated_at = clock_timestamp();
end
$$;
comment on function frontdesk_internal.engine_save_cursors(bigint[], text[], text[], xid8[], bigint[], timestamptz[], bigint[]) is
  'engine: remember how far the log is settled; written at most once a second';
