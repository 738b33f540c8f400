-- Room 25, handler: an event runs SQL after the commit, as the handler's owner, exactly once. A handler is an endpoint whose
-- receiver is a function: what waits, is repeated, paused, explained and given up is said in rooms 20 and 21.

create or replace function frontdesk_internal.check_has_url(e frontdesk_internal.endpoint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if e.url is null then
    raise exception using errcode = 'wrong_object_type', message = format('"%s" is a handler', e.name),
      hint = 'Change it with frontdesk.alter_handler().';
  end if;
end
$$;
comment on function frontdesk_internal.check_has_url(frontdesk_internal.endpoint) is 'internal: raises for a handler, which has neither a URL nor secrets';

create or replace function frontdesk_internal.handler_function(
  signature text, as_role oid, out function oid, out takes_many boolean, out code text, out trouble text, out advice text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  f pg_proc;
  argument oid;
begin
  select p.* into f from pg_proc p where p.oid = to_regprocedure(signature);
  if f.oid is null then
    code := 'undefined_function'; trouble := format('function %s does not exist', signature); advice := 'Create it, or name another one.';
    return;
  end if;
  argument := f.proargtypes[0];
  if f.prokind <> 'f' or f.proretset or f.pronargs <> 1 or argument not in ('frontdesk.event'::regtype, 'frontdesk.event[]'::regtype) then
    code := 'wrong_object_type'; trouble := format('function %s is no handler', signature);
    advice := 'A handler is a function of (frontdesk.event), or of (frontdesk.event[]) to be given many at once, that returns no set.';
  elsif not exists (select from pg_roles r where r.oid = as_role) then
    code := 'undefined_object'; trouble := 'its owner was dropped'; advice := 'Name its function again: frontdesk.alter_handler(name, handler => ...).';
  elsif not has_function_privilege(as_role, f.oid, 'execute') then
    code := 'insufficient_privilege'; trouble := format('%s may not execute function %s', as_role::regrole, signature);
    advice := format('grant execute on function %s to %s', signature, as_role::regrole);
  elsif not pg_has_role(f.proowner, as_role, 'set') then
    code := 'insufficient_privilege';
    trouble := format('function %s belongs to %s, and would run with the rights of %s', signature, f.proowner::regrole, as_role::regrole);
    advice := format('alter function %s owner to %s', signature, as_role::regrole);
  else
    function := f.oid;
    takes_many := argument = 'frontdesk.event[]'::regtype;
  end if;
end
$$;
comment on function frontdesk_internal.handler_function(text, oid) is
  'internal: the function of a handler that runs as this role, or why it cannot run: nobody''s code runs with the rights of another role than such as its owner can become';

create or replace function frontdesk_internal.handler_signature(handler regprocedure) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select format('%I.%I(%s)', n.nspname, p.proname, (select string_agg(format('%s', t::regtype), ', ' order by k)
    from unnest(p.proargtypes::oid[]) with ordinality a (t, k)))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = handler
$$;
comment on function frontdesk_internal.handler_signature(regprocedure) is 'internal: the function with its schema and the types of its arguments';

create or replace function frontdesk_internal.handler_named(name text) returns frontdesk_internal.handler
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  h frontdesk_internal.handler;
begin
  select x.* into h from frontdesk_internal.handler x join frontdesk_internal.endpoint e on e.id = x.endpoint_id where e.name = handler_named.name;
  if exists (select from frontdesk_internal.endpoint e where e.name = handler_named.name and e.url is not null) then
    raise exception using errcode = 'wrong_object_type', message = format('"%s" is an endpoint with a URL', name),
      hint = 'Change it with frontdesk.alter_endpoint().';
  elsif h.endpoint_id is null then
    raise exception using errcode = 'undefined_object', message = format('handler "%s" does not exist', name),
      hint = coalesce('The handlers are ' || (select string_agg(e.name, ', ' order by e.name) from (
        select e.name from frontdesk_internal.endpoint e where e.url is null order by e.name limit 20) e) || '.', 'Make one with frontdesk.add_handler().');
  end if;
  if not frontdesk_internal.caller_has(h.owner::regrole) then
    raise exception using errcode = 'insufficient_privilege', message = format('must have the rights of the owner of handler "%s"', name),
      detail = format('It runs as %s.', h.owner::regrole);
  end if;
  return h;
end
$$;
comment on function frontdesk_internal.handler_named(text) is 'internal: a handler that the caller may change, or an error';

create or replace function frontdesk_internal.handler_owner(handler regprocedure) returns oid
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- Whoever can become the function's owner lets it run as that role: a superuser's handlers are none of a superuser.
  select case when pg_has_role(frontdesk_internal.caller(), p.proowner, 'set') then p.proowner else frontdesk_internal.caller()::oid end
  from pg_proc p where p.oid = handler
$$;
comment on function frontdesk_internal.handler_owner(regprocedure) is 'internal: as whom a handler of the caller with this function runs';

create or replace function frontdesk_internal.check_handler(h frontdesk_internal.handler, timeout interval) returns int
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  f record;
begin
  select * into f from frontdesk_internal.handler_function(h.function, h.owner);
  if f.trouble is not null then
    raise exception using errcode = f.code, message = f.trouble, hint = f.advice;
  end if;
  if h.batch is null or h.batch not between 1 and 1000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('batch %s is out of range', coalesce(h.batch::text, 'null')),
      hint = '1 to 1000 events in a transaction.';
  end if;
  if timeout is null or timeout not between '100 milliseconds' and '1 hour' then
    raise exception using errcode = 'invalid_parameter_value', message = format('timeout %s is out of range', coalesce(timeout::text, 'null')),
      hint = '100 milliseconds to 1 hour: how long the function may take for a batch.';
  end if;
  return ceil(extract(epoch from timeout) * 1000);
end
$$;
comment on function frontdesk_internal.check_handler(frontdesk_internal.handler, interval) is
  'internal: a handler is validated when it is declared; returns the milliseconds of its timeout';

create or replace function frontdesk.add_handler(
  name text, handler regprocedure, events text[] = '{*}', filter jsonb = null, batch int = 100, ordered boolean = false,
  retry jsonb = null, timeout interval = '1 minute', tenant uuid = null, active boolean = true) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.add_handler(text, regprocedure, text[], jsonb, int, boolean, jsonb, interval, uuid, boolean) is
  'run this function for matching events, committed from now on: after the commit, as the owner of the function (or the caller), its effects exactly once. '
  'handler: a function of (frontdesk.event), or of (frontdesk.event[]) to be given a batch at once. batch: how many events share a transaction; one that fails is told apart. '
  'events, filter, ordered, retry, tenant, active: as for add_endpoint(); pause_endpoint(), resume_endpoint(), replay(), discard() and explain_event() take its name. timeout: for a batch';
create or replace function frontdesk_internal.add_handler(
  name text, handler regprocedure, events text[], filter jsonb, batch int, ordered boolean,
  retry jsonb, timeout interval, tenant uuid, active boolean) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this frontdesk_internal.endpoint;
  h frontdesk_internal.handler;
begin
  if handler is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'handler must not be null',
      hint = 'Name a function of (frontdesk.event) or (frontdesk.event[]).';
  end if;
  if exists (select from frontdesk_internal.endpoint e where e.name = add_handler.name) then
    raise exception using errcode = 'duplicate_object', message = format('endpoint or handler "%s" already exists', name),
      hint = 'Change it with frontdesk.alter_handler(), or choose another name.';
  end if;
  h.owner := frontdesk_internal.handler_owner(handler);
  h.function := frontdesk_internal.handler_signature(handler);
  h.login := frontdesk_internal.job_login(h.owner::regrole);
  h.added_by := frontdesk_internal.job_scheduler(h.owner::regrole);
  h.batch := batch;
  h.timeout_ms := frontdesk_internal.check_handler(h, timeout);
  -- What only requests have is as it is by default.
  this.name := name; this.events := events; this.filter := filter; this.retry := retry; this.headers := '{}';
  this.payload := 'standard'; this.signature := 'none'; this.timeout_ms := 15000; this.max_in_flight := greatest(512, 2 * batch);
  perform frontdesk_internal.check_endpoint(this, false);
  insert into frontdesk_internal.endpoint as e (name, url, events, filter, payload, signature, retry, timeout_ms, max_in_flight, ordered, tenant, state, state_reason)
  values (name, null, events, filter, this.payload, this.signature, retry, this.timeout_ms, this.max_in_flight, coalesce(ordered, false), tenant,
    case when coalesce(active, true) then 'active' else 'paused' end, case when not active then 'added with active => false' end)
  returning e.id into h.endpoint_id;
  insert into frontdesk_internal.handler values (h.*);
end
$$;
comment on function frontdesk_internal.add_handler(text, regprocedure, text[], jsonb, int, boolean, jsonb, interval, uuid, boolean) is 'internal: add_handler()';

create or replace function frontdesk.alter_handler(
  name text, handler regprocedure = null, events text[] = null, filter jsonb = null, batch int = null, ordered boolean = null,
  retry jsonb = null, timeout interval = null, tenant uuid = null, active boolean = null) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.alter_handler(text, regprocedure, text[], jsonb, int, boolean, jsonb, interval, uuid, boolean) is
  'change a handler; null keeps the present value (to remove: JSON null for filter and retry, the nil uuid for tenant). What waits is run under the new settings. Needs the rights of the role that it runs as';
create or replace function frontdesk_internal.alter_handler(
  name text, handler regprocedure, events text[], filter jsonb, batch int, ordered boolean,
  retry jsonb, timeout interval, tenant uuid, active boolean) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  h frontdesk_internal.handler := frontdesk_internal.handler_named(name);
begin
  if handler is not null then
    h.function := frontdesk_internal.handler_signature(handler);
    if not exists (select from pg_roles r where r.oid = h.owner::oid) then
      h.owner := frontdesk_internal.handler_owner(handler);
      h.login := frontdesk_internal.job_login(h.owner::regrole);
      h.added_by := frontdesk_internal.job_scheduler(h.owner::regrole);
    end if;
  end if;
  h.batch := coalesce(batch, h.batch);
  h.timeout_ms := frontdesk_internal.check_handler(h, coalesce(timeout, h.timeout_ms * interval '1 millisecond'));
  update frontdesk_internal.endpoint e set
    events = coalesce(events, e.events), max_in_flight = greatest(512, 2 * h.batch),
    filter = case when jsonb_typeof(filter) = 'null' then null else coalesce(filter, e.filter) end,
    retry = case when jsonb_typeof(retry) = 'null' then null else coalesce(retry, e.retry) end, ordered = coalesce(ordered, e.ordered),
    tenant = nullif(coalesce(tenant, e.tenant), '00000000-0000-0000-0000-000000000000')
  where e.id = h.endpoint_id;
  update frontdesk_internal.handler x set owner = h.owner, login = h.login, added_by = h.added_by, function = h.function, batch = h.batch, timeout_ms = h.timeout_ms
  where x.endpoint_id = h.endpoint_id;
  if active then
    perform frontdesk.resume_endpoint(name);
  elsif not active then
    perform frontdesk.pause_endpoint(name);
  end if;
end
$$;
comment on function frontdesk_internal.alter_handler(text, regprocedure, text[], jsonb, int, boolean, jsonb, interval, uuid, boolean) is 'internal: alter_handler()';

create or replace function frontdesk.remove_handler(name text) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.remove_handler(text) is
  'run this handler no more; what waits for it is forgotten, its attempts stay in the log. Needs the rights of the role that it runs as';
create or replace function frontdesk_internal.remove_handler(name text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  h frontdesk_internal.handler := frontdesk_internal.handler_named(name);
begin
  perform frontdesk.remove_endpoint(name);
end
$$;
comment on function frontdesk_internal.remove_handler(text) is 'internal: remove_handler()';

create or replace view frontdesk.handlers as
select e.name, h.function, h.owner::regrole as owner, e.state, e.state_reason, e.problem, e.events, e.filter, e.failing_since, e.failures, e.open_until,
  -- As frontdesk.endpoints has it.
  exists (select from frontdesk_internal.cursor c left join frontdesk_internal.cursor m on m.endpoint_id = 0
    where c.endpoint_id = e.id
      and (not e.ordered or c.current_snapshot is not null or c.last_snapshot::text is distinct from m.last_snapshot::text)) as behind,
  (select count(*) from frontdesk_internal.retry r where r.endpoint_id = e.id) as retrying,
  (select count(*) from frontdesk_internal.dead_letter d where d.endpoint_id = e.id) as dead,
  h.batch, h.timeout_ms * interval '1 millisecond' as timeout, e.ordered, e.retry, e.tenant, e.created_at
from frontdesk_internal.handler h join frontdesk_internal.endpoint e on e.id = h.endpoint_id;
comment on view frontdesk.handlers is 'the handlers: which function runs for which events, as whom, their state and health';

create or replace trigger config_changed after insert or update or delete on frontdesk_internal.handler
  for each statement execute function frontdesk_internal.config_changed();

create or replace function frontdesk_internal.handlers_owners_changed(roles oid[], new_owner oid) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if new_owner is null then
    perform frontdesk.remove_endpoint(e.name) from frontdesk_internal.handler h join frontdesk_internal.endpoint e on e.id = h.endpoint_id
    where h.owner::oid = any (roles);
    return;
  end if;
  -- A function is code: it runs with the rights of another role only when they have looked at it.
  perform frontdesk_internal.set_endpoint_state(e.name, 'paused', format('its owner %s was replaced by %s', h.owner, new_owner::regrole))
  from frontdesk_internal.handler h join frontdesk_internal.endpoint e on e.id = h.endpoint_id
  where h.owner::oid = any (roles) and h.owner::oid <> new_owner;
  update frontdesk_internal.handler h set owner = new_owner, login = frontdesk_internal.job_login(new_owner), added_by = null where h.owner::oid = any (roles) and h.owner::oid <> new_owner;
end
$$;
comment on function frontdesk_internal.handlers_owners_changed(oid[], oid) is
  'internal: after REASSIGN OWNED the handlers of these roles are the new owner''s, and paused; after DROP OWNED (no new owner) they are gone';

-- In the process of a handler's owner, as the owner of the extension.

create or replace function frontdesk_internal.handler_begin(
  this_endpoint bigint, this_role oid, out function oid, out takes_many boolean, out batch int, out timeout_ms int, out trouble text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  h frontdesk_internal.handler;
begin
  select x.* into h from frontdesk_internal.handler x where x.endpoint_id = this_endpoint and x.owner::oid = this_role;
  if found then
    batch := h.batch;
    timeout_ms := h.timeout_ms;
    select f.function, f.takes_many, f.trouble into function, takes_many, trouble from frontdesk_internal.handler_function(h.function, this_role) f;
    if h.login and not frontdesk_internal.job_login(this_role) then
      trouble := format('its owner %s may not log in any more', h.owner);
    elsif h.added_by is not null and not exists (
      select from pg_roles r where r.rolname = h.added_by and pg_has_role(r.oid, this_role, 'set')) then
      trouble := format('%s, who added it, may not become its owner %s any more', h.added_by, h.owner);
    end if;
  end if;
end
$$;
comment on function frontdesk_internal.handler_begin(bigint, oid) is
  'handler''s process: what to call, or why it cannot be called; all null where there is no such handler of this role any more';

create or replace function frontdesk_internal.handler_events(ids bigint[], xids text, created timestamptz[]) returns frontdesk.event[]
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_indexscan = on set jit = off as $$
begin
  return (
    select array_agg(v.e order by w.n)
    from unnest(ids, xids::xid8[], created) with ordinality w (id, xid, created_at, n)
    cross join lateral (
      select e from frontdesk.event e where e.xid = w.xid and e.id = w.id and e.created_at = w.created_at offset 0) v);
end
$$;
comment on function frontdesk_internal.handler_events(bigint[], text, timestamptz[]) is
  'handler''s process: these events, in this order; without those whose day was dropped';

create or replace function frontdesk_internal.handler_done(this_endpoint bigint, ids bigint[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this_key text;
begin
  for this_key in
    with gone as (delete from frontdesk_internal.retry r where r.endpoint_id = this_endpoint and r.event_id = any (ids) returning r.*)
    -- It may have failed before the handler became ordered, when its key did not matter.
    select distinct coalesce(g.key, v.key) from gone g
    left join frontdesk.event v on g.key is null and v.xid = g.event_xid and v.id = g.event_id and v.created_at = g.event_at
    where coalesce(g.key, v.key) is not null
  loop
    -- Ordered: should the engine end before it does so, who waits for these would wait for ever.
    perform frontdesk_internal.engine_release(this_endpoint, this_key);
  end loop;
end
$$;
comment on function frontdesk_internal.handler_done(bigint, bigint[]) is 'handler''s process: these need no further try, once this transaction commits';
