-- Room 00, base: the clock, the engine's life, the identity of this installation.

create or replace function frontdesk.now() returns timestamptz
stable parallel safe
language c as 'MODULE_PATHNAME', 'clock_now_wrapper';
comment on function frontdesk.now() is
  'the clock of the engine: the time of day, or the setting frontdesk.fake_now in tests';

create or replace function frontdesk_internal.caller() returns regrole
stable parallel restricted
language c as 'MODULE_PATHNAME', 'caller_wrapper';
comment on function frontdesk_internal.caller() is
  'the role that called the verb that is running; an error where none is. Within another verb it is who called that one';

create or replace function frontdesk_internal.caller_has(role regrole) returns boolean
stable parallel restricted
return pg_catalog.pg_has_role(frontdesk_internal.caller(), role, 'usage');
comment on function frontdesk_internal.caller_has(regrole) is
  'does the caller of the verb that is running have the rights of this role: is it the role, a member that inherits from it, or a superuser';

create or replace function frontdesk_internal.check_own_table(source regclass) returns void
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c pg_class;
begin
  if source is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'source must not be null', hint = 'Name a table of yours.';
  end if;
  select * into c from pg_class where oid = source;
  if not found then
    raise exception using errcode = 'undefined_table', message = format('there is no table with oid %s', source::oid);
  elsif c.relkind not in ('r', 'p') then
    raise exception using errcode = 'wrong_object_type', message = format('%s is not a table', source),
      hint = 'Name an ordinary or partitioned table.';
  elsif c.relnamespace::regnamespace::text in ('pg_catalog', 'information_schema', 'pg_toast', 'frontdesk', 'frontdesk_internal') then
    raise exception using errcode = 'wrong_object_type', message = format('%s is a system table', source);
  elsif not frontdesk_internal.caller_has(c.relowner::regrole) then
    raise exception using errcode = 'insufficient_privilege', message = format('must be owner of table %s', source);
  end if;
end
$$;
comment on function frontdesk_internal.check_own_table(regclass) is
  'internal: an error unless this is a table that the caller of the running verb owns, or has the rights of the owner of';

create or replace function frontdesk_internal.engine_slot()
returns table (
  pid int, launcher_pid int, started_at timestamptz, in_flight bigint, queued bigint,
  delivered bigint, failed bigint, max_connections bigint, idle boolean,
  turned_at timestamptz, failing boolean, error text, failed_at timestamptz, held bigint, memory bigint,
  longest_queue bigint, longest_queue_of bigint, has_news boolean)
language c as 'MODULE_PATHNAME', 'engine_slot_wrapper';
comment on function frontdesk_internal.engine_slot() is
  'what the engine of this database says of itself in shared memory: its process, deliveries in flight and queued in memory, counts since its start, when a turn of it last ended, its last error, bytes held and allowed';

create or replace function frontdesk.library_version() returns text
immutable parallel safe
language c as 'MODULE_PATHNAME', 'library_version_wrapper';
comment on function frontdesk.library_version() is 'version of the loaded library';

create or replace function frontdesk.wake(reboot boolean = false) returns void
language c as 'MODULE_PATHNAME', 'wake_engine_wrapper';
comment on function frontdesk.wake(boolean) is
  'wake the engine when this transaction commits (starting it if it is not there); reboot: it reads its identity and cursors again';

create or replace function frontdesk_internal.config_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk_internal.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return null;
end
$$;
comment on function frontdesk_internal.config_changed() is 'trigger: the engine loads its configuration again before it routes what is committed after this';

create or replace function frontdesk_internal.set_state(new_state text, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk_internal.installation
  set state = new_state, state_reason = reason, state_changed_at = clock_timestamp(),
      config_version = config_version + 1;
  perform frontdesk.wake();
end
$$;
comment on function frontdesk_internal.set_state(text, text) is 'internal: what the engine is meant to be doing';

create or replace function frontdesk.is_clone() returns boolean
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  -- With a second row the data of a dump came in: whose they are is not known before adopt(), so nothing is sent.
  select count(*) <> 1 or bool_or(i.system_identifier <> s.system_identifier or i.database_oid <> d.oid)
  from frontdesk_internal.installation i, pg_control_system() s, pg_database d
  where d.datname = current_database()
$$;
comment on function frontdesk.is_clone() is
  'whether this database is a copy (restored dump, copied or upgraded cluster) that was not adopted: it sends nothing';

create or replace function frontdesk.start() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  i frontdesk_internal.installation;
begin
  if pg_is_in_recovery() then
    raise exception using errcode = 'read_only_sql_transaction',
      message = 'the engine works on a primary only',
      hint = 'After a promotion it starts by itself.';
  end if;
  select * into i from frontdesk_internal.installation n order by n.installed_at limit 1;
  if i.state = 'stopped' then
    perform frontdesk_internal.set_state('running', null);
  end if;
  perform frontdesk.wake(reboot => true);
  return case
    when frontdesk.is_clone() then 'starts at commit, silent: this database is a copy; see frontdesk.adopt()'
    when i.state = 'paused' then 'starts at commit, paused: see frontdesk.resume()'
    else 'starts at commit'
  end;
end
$$;
comment on function frontdesk.start() is
  'start the engine of this database when this transaction commits. Needed once after stop(); with or without shared_preload_libraries it otherwise starts by itself when there is work';

create or replace function frontdesk.stop() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.set_state('stopped', 'stop() by ' || session_user);
  return 'leaves the database at commit; what is outstanding waits for frontdesk.start()';
end
$$;
comment on function frontdesk.stop() is
  'the engine leaves this database when this transaction commits; events go on being recorded and wait for start()';

create or replace function frontdesk.pause(reason text = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.set_state('paused', coalesce(reason, 'pause() by ' || session_user));
end
$$;
comment on function frontdesk.pause(text) is 'send nothing more until resume(); what is in flight is finished, events are kept';

create or replace function frontdesk.resume() returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if frontdesk.is_clone() then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = 'this database is a copy of another installation and stays silent',
      hint = 'If it takes over from the original: select frontdesk.adopt();';
  end if;
  perform frontdesk_internal.set_state('running', null);
end
$$;
comment on function frontdesk.resume() is 'go on after pause()';

create or replace function frontdesk.adopt(new_identity boolean = true) returns uuid
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  was_clone boolean := frontdesk.is_clone();
  result uuid;
  continues boolean;
begin
  -- Of two rows the older came with a dump; the other was made by CREATE EXTENSION before its data were loaded.
  select i.id into result from frontdesk_internal.installation i order by i.installed_at, i.id limit 1;
  -- pg_upgrade, and a database made from a template, bring the log along, and its transaction ids mean what they meant.
  continues := not new_identity and exists (select from frontdesk_internal.log_owner l where l.installation = result);
  update frontdesk_internal.installation i set config_version = n.version + 1
  from (select max(m.config_version) as version from frontdesk_internal.installation m) n where i.id = result;
  delete from frontdesk_internal.installation i where i.id <> result;
  update frontdesk_internal.installation i
  set system_identifier = s.system_identifier,
      database_oid = d.oid,
      id = case when was_clone and new_identity then gen_random_uuid() else i.id end,
      state = 'running', state_reason = null, state_changed_at = clock_timestamp()
  from pg_control_system() s, pg_database d
  where d.datname = current_database()
  returning i.id into result;
  if was_clone and continues then
    update frontdesk_internal.timer_rule r set filled_in = frontdesk_internal.timer_home() where r.filled_in is not null;
    perform frontdesk_internal.timer_set(clock_timestamp()), frontdesk_internal.jobs_changed();
  elsif was_clone then
    -- Transaction ids of another cluster mean nothing here: what was committed until now is the past.
    update frontdesk_internal.endpoint set created_snapshot = pg_current_snapshot();
    delete from frontdesk_internal.cursor;
    insert into frontdesk_internal.cursor (endpoint_id, last_snapshot, xid, event_id, since)
    values (0, pg_current_snapshot(), '0', 0, '-infinity');
    delete from frontdesk_internal.log_owner;
    insert into frontdesk_internal.log_owner (installation) values (result);
    -- And what was due until now is the original's.
    update frontdesk_internal.timer_rule set filled_in = null;
    perform frontdesk_internal.timer_set(clock_timestamp()), frontdesk_internal.jobs_changed();
  end if;
  update frontdesk_internal.endpoint e set home = result,
    created_snapshot = case when was_clone and continues then e.created_snapshot else pg_current_snapshot() end
  where e.home is distinct from result;
  update frontdesk_internal.job j set home = result, planned_from = case when was_clone and continues then j.planned_from else frontdesk.now() end
  where j.home is distinct from result or was_clone;
  perform frontdesk.wake(reboot => true);
  return result;
end
$$;
comment on function frontdesk.adopt(boolean) is
  'make this copy of a database work on its own: deliver what is committed from now on, under a new identity (webhook-ids differ from the original''s). With new_identity => false it is the original, moved: where the log came along (pg_upgrade), what was not sent yet is sent too';

create or replace function frontdesk.lag(out events bigint, out oldest timestamptz)
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  select count(*), min(e.created_at) into events, oldest
  from frontdesk_internal.cursor c
  cross join lateral (
    select e.created_at
    from frontdesk.event e
    -- One row comparison is the only lower bound: with a second one the index scan starts at the wrong place.
    where (e.xid, e.id) > (greatest(c.xid, pg_snapshot_xmin(c.last_snapshot)),
        case when c.xid >= pg_snapshot_xmin(c.last_snapshot) then c.event_id else 0 end)
      and not pg_visible_in_snapshot(e.xid, c.last_snapshot)
    limit 100000) e
  where c.endpoint_id = 0;
end
$$;
comment on function frontdesk.lag() is 'committed events that the engine has not processed yet (counted to 100,000), and the oldest of them';

create or replace function frontdesk_internal.engine_blockers(engine int) returns text
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select string_agg(format('process %s (%s), which holds %s', b.pid, coalesce(a.usename, 'a prepared transaction'), b.what), '; ' order by b.pid)
  from (
    select x.pid, string_agg(distinct coalesce(x.relation::text || ' ' || x.mode, 'a row'), ', ') as what
    from (
      select l.pid, l.relation::regclass as relation, l.mode
      from pg_locks l join pg_class c on c.oid = l.relation
      where l.granted and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and c.relnamespace in ('frontdesk'::regnamespace, to_regnamespace('frontdesk_internal'))
        and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      union all
      select p, null, null from unnest(pg_blocking_pids(engine)) p) x
    where x.pid is distinct from engine and x.pid is distinct from pg_backend_pid()
    group by x.pid) b
  left join pg_stat_activity a on a.pid = b.pid
$$;
comment on function frontdesk_internal.engine_blockers(int) is 'internal: who holds a lock that the engine may need';

create or replace function frontdesk.status(
  out state text, out reason text, out pid int, out since timestamptz,
  out lag_events bigint, out lag_seconds numeric, out in_flight bigint, out queued bigint,
  out endpoints_behind bigint, out retrying bigint, out waiting bigint, out dead bigint, out oldest_pending timestamptz,
  out watches bigint, out endpoints bigint, out vector_indexes text, out installation uuid, out extension_version text, out library_version text,
  out last_turn timestamptz, out last_error text, out last_error_at timestamptz, out waits_for text,
  out memory_used bigint, out memory_limit bigint, out longest_queue text)
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  i frontdesk_internal.installation;
  slot record;
  has_slot boolean;
  behind record;
begin
  select * into i from frontdesk_internal.installation n order by n.installed_at limit 1;
  select * into slot from frontdesk_internal.engine_slot();
  has_slot := found;
  -- The engine writes its place in the log down once a second: while it has nothing to do, it is not behind it.
  select l.events, l.oldest into behind from frontdesk.lag() l where i.state <> 'running' or not coalesce(slot.idle, false);
  pid := slot.pid;
  since := slot.started_at;
  last_turn := slot.turned_at;
  last_error := slot.error;
  last_error_at := slot.failed_at;
  memory_used := slot.held;
  memory_limit := slot.memory;
  waits_for := case when slot.failing or cardinality(pg_blocking_pids(slot.pid)) > 0 then frontdesk_internal.engine_blockers(slot.pid) end;
  if waits_for is null and slot.held >= slot.memory / 2 then
    waits_for := 'what is in memory to be received: frontdesk.engine_memory allows no more';
  end if;
  longest_queue := (select format('%s: %s', coalesce(n.name, 'direct requests'), slot.longest_queue)
    from (values (slot.longest_queue_of)) q (id) left join frontdesk_internal.endpoint n on n.id = q.id where q.id is not null);
  in_flight := slot.in_flight;
  queued := slot.queued;
  lag_events := coalesce(behind.events, 0);
  lag_seconds := coalesce(round(extract(epoch from frontdesk.now() - behind.oldest), 3), 0);
  select count(*) into endpoints_behind from frontdesk_internal.endpoint e where frontdesk_internal.is_behind(e.id);
  select count(*) filter (where due_at < 'infinity'), count(*) filter (where due_at = 'infinity'), min(event_at)
  into retrying, waiting, oldest_pending from frontdesk_internal.retry;
  oldest_pending := least(oldest_pending, behind.oldest);
  select count(*) into dead from frontdesk_internal.dead_letter;
  select count(*) into watches from frontdesk.watch;
  select count(*) into endpoints from frontdesk_internal.endpoint;
  -- Of all tables, by the catalog alone: this function asks nothing of a schema that others may write in.
  select string_agg(x.indexrelid::regclass || case
      when p.index_relid is not null then format(' is being built (%s, %s %%)', p.phase, coalesce(round(100.0 * p.tuples_done / nullif(p.tuples_total, 0)), 0))
      when not x.indisvalid then ' is not finished'
      else '' end, ', ' order by x.indexrelid::regclass::text)
  into vector_indexes
  from pg_class c join pg_am m on m.oid = c.relam join pg_index x on x.indexrelid = c.oid
  left join pg_stat_progress_create_index p on p.index_relid = c.oid
  where c.relkind = 'i' and m.amname in ('hnsw', 'ivfflat');
  installation := i.id;
  library_version := frontdesk.library_version();
  select extversion into extension_version from pg_extension where extname = 'pg_frontdesk';
  select s.state, s.reason into state, reason
  from (values
    (pg_is_in_recovery(), 'standby', 'this server is a standby; the engine starts after a promotion'),
    (frontdesk.is_clone(), 'silent', 'this database is a copy; select frontdesk.adopt() makes it work on its own'),
    (not current_setting('frontdesk.enabled')::boolean, 'paused', 'frontdesk.enabled is off on this server'),
    (i.state <> 'running', i.state, i.state_reason),
    (extension_version <> library_version, 'paused',
      format('the library is %s, the extension %s: alter extension pg_frontdesk update', library_version, extension_version)),
    (slot.pid is null, 'not running', concat_ws('; ',
      case when not has_slot then 'this server has more databases with an engine than there is room for'
        when slot.launcher_pid is null then 'no launcher process: max_worker_processes may be too low'
        else 'no engine process' end,
      case when slot.error is not null then format('%s: %s', slot.failed_at::timestamptz(0), slot.error) end,
      'select frontdesk.start(), and see the server log')),
    (slot.failing, 'failing', concat_ws('; ', format('since %s: %s', slot.failed_at::timestamptz(0), slot.error),
      'waits for ' || waits_for)),
    (slot.has_news and slot.turned_at < clock_timestamp() - interval '5 seconds', 'stuck',
      concat_ws('; ', format('its last turn ended at %s', slot.turned_at::timestamptz(0)), 'waits for ' || waits_for)),
    (true, 'running', null)) s (holds, state, reason)
  where s.holds limit 1;
end
$$;
comment on function frontdesk.status() is
  'one row: is the engine running or why not (failing: a part of its last turn failed; stuck: it ends no turn), how far behind it is (events, seconds), what is in flight, queued in memory, retrying, waiting for an earlier event of its key, dead, the oldest pending event, the vector indexes and which of them are not ready, versions, when its last turn ended, its last error, whom it waits for, bytes of events in memory and frontdesk.engine_memory, the endpoint with the longest queue';
