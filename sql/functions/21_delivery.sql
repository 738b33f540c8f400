-- Room 21, delivery: what became of the events, why, and how to send them again.

create or replace function frontdesk.pattern_matches(pattern text, type text) returns boolean
immutable parallel safe language c as 'MODULE_PATHNAME', 'pattern_matches_wrapper';
comment on function frontdesk.pattern_matches(text, text) is
  'whether this event pattern matches this event type: * is one segment, ** or a trailing * any rest';

create or replace function frontdesk.filter_matches(filter jsonb, document jsonb) returns boolean
immutable parallel safe language c as 'MODULE_PATHNAME', 'filter_matches_wrapper';
comment on function frontdesk.filter_matches(jsonb, jsonb) is 'whether this filter matches this JSON document';

create or replace function frontdesk.operation(op "char") returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case op when 'I' then 'insert' when 'U' then 'update' when 'D' then 'delete' when 'T' then 'truncate'
    when 'E' then 'emit' when 'H' then 'request' when 'S' then 'service' end
$$;
comment on function frontdesk.operation("char") is 'the word for an event''s op: insert, update, delete, truncate, emit, request, service';

create or replace function frontdesk.event_document(e frontdesk.event) returns jsonb
immutable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_build_object('type', e.type, 'op', frontdesk.operation(e.op), 'source', e.source, 'key', e.key, 'tenant', e.tenant,
    'new', case when e.op <> 'D' then e.record end, 'old', case when e.op = 'D' then e.record else e.old_record end)
$$;
comment on function frontdesk.event_document(frontdesk.event) is 'what an endpoint''s filter sees: {"type", "op", "source", "key", "tenant", "new", "old"}';

create or replace view frontdesk.delivery as
select d.event_id, e.name as endpoint, d.state, d.attempts, d.status, d.reason, d.at, d.due_at
from (
  select event_id, endpoint_id, 'delivered' as state, attempt as attempts, status, null as reason, started_at as at, null::timestamptz as due_at
  from frontdesk_internal.attempt where succeeded
  union all
  select event_id, endpoint_id, case when due_at = 'infinity' then 'waiting' else 'retrying' end, attempts, null, reason, null,
    nullif(due_at, 'infinity')
  from frontdesk_internal.retry
  union all
  select event_id, endpoint_id, 'dead', attempts, null, reason, died_at, null
  from frontdesk_internal.dead_letter) d
left join frontdesk_internal.endpoint e on e.id = d.endpoint_id;
comment on view frontdesk.delivery is
  'one row per event and endpoint it was tried on: delivered, retrying (due_at says when), waiting (for an earlier event of its key), dead. Null endpoint: a direct request';

create or replace view frontdesk.attempts as
select a.id, a.event_id, e.name as endpoint, a.attempt, a.started_at, a.duration_ms, a.succeeded, a.status, a.error, a.detail,
  a.address, a.response
from frontdesk_internal.attempt a left join frontdesk_internal.endpoint e on e.id = a.endpoint_id;
comment on view frontdesk.attempts is 'every request made: when, how long, what came back (first 4 kB) or what went wrong';

create or replace function frontdesk_internal.json_bytes(value jsonb) returns bigint
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'json_bytes_wrapper';
comment on function frontdesk_internal.json_bytes(jsonb) is
  'internal: how many bytes a jsonb takes as text, without making the text: a number of two bytes can stand for '
  '131,072 digits';

create or replace view frontdesk.dead_letters as
-- A record of a few kilobytes can be a gigabyte as text: who looks at a list is told its size.
select d.event_id, e.name as endpoint, v.type, v.key, d.attempts, d.reason, d.died_at, v.created_at,
  case when frontdesk_internal.json_bytes(v.record) <= 1048576 then v.record end as record,
  frontdesk_internal.json_bytes(v.record) as bytes
from frontdesk_internal.dead_letter d
left join frontdesk_internal.endpoint e on e.id = d.endpoint_id
left join frontdesk.event v on v.xid = d.event_xid and v.id = d.event_id and v.created_at = d.event_at;
comment on view frontdesk.dead_letters is
  'deliveries given up after the last retry, with their events: replay() sends them again, discard() forgets them. '
  'A record of more than a megabyte is null, and bytes says how many it has as text';

create or replace function frontdesk_internal.find_event(event_id bigint) returns frontdesk.event
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  e frontdesk.event;
begin
  select * into e from frontdesk.event v where v.id = find_event.event_id;
  if not found then
    raise exception using errcode = 'no_data_found', message = format('there is no event %s', coalesce(event_id::text, 'null')),
      detail = 'It never was, its transaction is not committed, or its day was dropped (frontdesk.event_retention).';
  end if;
  return e;
end
$$;
comment on function frontdesk_internal.find_event(bigint) is 'internal: the event, or an error saying why it may be gone';

create or replace function frontdesk.replay(event_id bigint, endpoint text = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  e frontdesk.event := frontdesk_internal.find_event(event_id);
  only_to frontdesk_internal.endpoint;
  never record;
  result bigint;
begin
  if endpoint is not null then
    select * into only_to from frontdesk_internal.endpoint n where n.id = frontdesk_internal.endpoint_id(endpoint);
    select * into never from frontdesk_internal.never_for(e, only_to);
    if never.outcome is not null then
      raise exception using errcode = 'invalid_parameter_value',
        message = format('event %s is not for endpoint "%s"', e.id, only_to.name), detail = never.reason,
        hint = case when e.op = 'H' then format('Without an endpoint it goes to its own URL again: replay(%s).', e.id)
          else format('For which endpoints it is: select * from frontdesk.explain_event(%s);', e.id) end;
    end if;
  end if;
  with chosen as (
    select n.id from frontdesk_internal.endpoint n
    where n.id = only_to.id or endpoint is null and frontdesk_internal.may_receive(e, n) and (
      e.target = n.id
      or exists (select from frontdesk_internal.attempt a where a.event_id = e.id and a.endpoint_id = n.id)
      or exists (select from frontdesk.explain_event(e.id) x where x.endpoint = n.name and x.outcome in ('delivered', 'pending', 'dead', 'made later')))
    union all select 0 where e.op = 'H'),
  buried as (delete from frontdesk_internal.dead_letter d using chosen c where d.event_id = e.id and d.endpoint_id = c.id),
  queued as (
    insert into frontdesk_internal.retry as r (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
    select e.id, c.id, e.xid, e.created_at, 0, frontdesk.now(), e.key, 'replay by ' || session_user from chosen c
    on conflict on constraint retry_pkey do update set due_at = excluded.due_at, attempts = 0, reason = excluded.reason
    returning 1)
  select count(*) into result from queued;
  if result > 0 then
    perform frontdesk.wake();
  end if;
  return result;
end
$$;
comment on function frontdesk.replay(bigint, text) is
  'deliver this event again, under the same webhook-id: to one endpoint (whatever its patterns, but of its tenant), or to all that it concerns; returns how many deliveries were queued';

create or replace function frontdesk.replay(endpoint text, since timestamptz, until timestamptz = null, only_failed boolean = true) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  n frontdesk_internal.endpoint;
  result bigint;
begin
  select * into n from frontdesk_internal.endpoint e where e.id = frontdesk_internal.endpoint_id(endpoint);
  until := coalesce(until, frontdesk.now());
  if since is null or since > until then
    raise exception using errcode = 'invalid_parameter_value', message = 'since must be given and not be after until';
  end if;
  with chosen as (
    select v.id, v.xid, v.created_at, v.key from frontdesk.event v
    where v.created_at >= since and v.created_at <= until and (
      exists (select from frontdesk_internal.dead_letter d where d.event_id = v.id and d.endpoint_id = n.id) and frontdesk_internal.may_receive(v, n)
      or not only_failed and frontdesk_internal.routing(v, n) is null)),
  buried as (delete from frontdesk_internal.dead_letter d using chosen c where d.event_id = c.id and d.endpoint_id = n.id),
  queued as (
    insert into frontdesk_internal.retry as r (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
    select c.id, n.id, c.xid, c.created_at, 0, frontdesk.now(), c.key, 'replay by ' || session_user from chosen c order by c.id
    on conflict on constraint retry_pkey do update set due_at = excluded.due_at, attempts = 0, reason = excluded.reason
    returning 1)
  select count(*) into result from queued;
  if result > 0 then
    perform frontdesk.wake();
  end if;
  return result;
end
$$;
comment on function frontdesk.replay(text, timestamptz, timestamptz, boolean) is
  'deliver to this endpoint again what was recorded between since and until: its dead letters, or with only_failed => false everything that concerns it; returns how many were queued. As in replay(''crm'', since => ''2026-01-31'')';

create or replace function frontdesk.discard(event_id bigint, endpoint text = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk_internal.endpoint_id(endpoint) where endpoint is not null;
  result bigint;
begin
  with r as (delete from frontdesk_internal.retry r where r.event_id = discard.event_id and (this is null or r.endpoint_id = this) returning 1),
  d as (delete from frontdesk_internal.dead_letter d where d.event_id = discard.event_id and (this is null or d.endpoint_id = this) returning 1)
  select (select count(*) from r) + (select count(*) from d) into result;
  -- The engine may have some of them in memory: it reads them again.
  update frontdesk_internal.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return result;
end
$$;
comment on function frontdesk.discard(bigint, text) is 'stop retrying this event, and forget its dead letters; returns how many deliveries were dropped';

create or replace function frontdesk.discard(endpoint text) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk_internal.endpoint_id(endpoint);
  result bigint;
begin
  with r as (delete from frontdesk_internal.retry r where r.endpoint_id = this returning 1),
  d as (delete from frontdesk_internal.dead_letter d where d.endpoint_id = this returning 1)
  select (select count(*) from r) + (select count(*) from d) into result;
  -- The engine may have some of them in memory: it reads them again.
  update frontdesk_internal.installation set config_version = config_version + 1;
  perform frontdesk.wake();
  return result;
end
$$;
comment on function frontdesk.discard(text) is 'stop retrying what failed on this endpoint, and forget its dead letters; returns how many deliveries were dropped';

create or replace function frontdesk_internal.never_for(e frontdesk.event, n frontdesk_internal.endpoint, out outcome text, out reason text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if e.target is not null then
    if e.target <> n.id then
      outcome := 'not for it'; reason := 'the event goes to one endpoint only, and this is another';
    end if;
  elsif e.op = 'H' then
    outcome := 'not for it'; reason := 'a direct request (http_post and friends) goes to its own URL only';
  elsif n.tenant is not null and n.tenant is distinct from e.tenant then
    outcome := 'tenant differs'; reason := format('the endpoint takes events of tenant %s, this one has %s', n.tenant, coalesce(e.tenant::text, 'none'));
  end if;
end
$$;
comment on function frontdesk_internal.never_for(frontdesk.event, frontdesk_internal.endpoint) is
  'internal: why this event must not reach this endpoint, not by replay() either; null where it may';

create or replace function frontdesk_internal.may_receive(e frontdesk.event, n frontdesk_internal.endpoint) returns boolean
stable return (select x.outcome is null from frontdesk_internal.never_for(e, n) x);
comment on function frontdesk_internal.may_receive(frontdesk.event, frontdesk_internal.endpoint) is 'internal: may this event reach this endpoint at all';

create or replace function frontdesk_internal.routing(e frontdesk.event, n frontdesk_internal.endpoint, out outcome text, out reason text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  matching text[] := array(select p from unnest(n.events) p where frontdesk.pattern_matches(p, e.type));
begin
  select x.outcome, x.reason into outcome, reason from frontdesk_internal.never_for(e, n) x;
  if outcome is not null or e.target is not null then
    return;
  elsif e.depth > 8 then
    outcome := 'not routed'; reason := format('it was caused by %s automations in a row; past 8 events are recorded only', e.depth);
  elsif matching = '{}' then
    outcome := 'pattern did not match'; reason := format('type "%s" matches none of %s', e.type, n.events);
  elsif e.op = 'S' and not exists (select from unnest(matching) p where frontdesk_internal.is_reserved(p)) then
    outcome := 'pattern did not match';
    reason := format('"%s" is the engine''s own event; only a pattern that begins with endpoint., delivery. or job. takes it', e.type);
  elsif e.op = 'S' and e.record->>'endpoint' = n.name then
    outcome := 'not for it'; reason := 'an endpoint is not told of its own failures';
  elsif n.filter is not null and not frontdesk.filter_matches(n.filter, frontdesk.event_document(e)) then
    outcome := 'filter did not match'; reason := format('filter %s', n.filter);
  elsif pg_visible_in_snapshot(e.xid, n.created_snapshot) then
    outcome := 'made later'; reason := format('the endpoint was added at %s, after the event was committed; replay(%s, %L) sends it', n.created_at::timestamptz(0), e.id, n.name);
  end if;
end
$$;
comment on function frontdesk_internal.routing(frontdesk.event, frontdesk_internal.endpoint) is 'internal: null where this event concerns this endpoint, else why it does not';

create or replace function frontdesk.explain_event(event_id bigint, out endpoint text, out outcome text, out reason text, out attempts int, out due_at timestamptz)
returns setof record
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk_internal.find_event(event_id);
  n frontdesk_internal.endpoint;
  a frontdesk_internal.attempt;
  r frontdesk_internal.retry;
  d frontdesk_internal.dead_letter;
begin
  for n in
    select * from frontdesk_internal.endpoint
    union all select (jsonb_populate_record(null::frontdesk_internal.endpoint, '{"id": 0, "state": "active"}')).* where e.op = 'H'
    order by name
  loop
    endpoint := n.name; outcome := null; reason := null; due_at := null;
    select * into a from frontdesk_internal.attempt x where x.event_id = e.id and x.endpoint_id = n.id order by x.succeeded desc, x.id desc limit 1;
    select * into r from frontdesk_internal.retry x where x.event_id = e.id and x.endpoint_id = n.id;
    select * into d from frontdesk_internal.dead_letter x where x.event_id = e.id and x.endpoint_id = n.id;
    attempts := coalesce(d.attempts, r.attempts, a.attempt, 0);
    if r.event_id is not null then
      outcome := 'pending';
      due_at := nullif(r.due_at, 'infinity');
      reason := concat_ws('; ', case when due_at is null then format('waits for an earlier event of key %s', r.key) else format('due at %s', due_at::timestamptz(0)) end,
        case when n.state <> 'active' then format('the endpoint is %s (%s)', n.state, n.state_reason)
          when n.problem is not null then format('nothing is sent to the endpoint: %s', n.problem) end, r.reason);
    elsif d.event_id is not null then
      outcome := 'dead'; reason := d.reason;
    elsif a.succeeded then
      outcome := 'delivered'; reason := format(case when a.status is null then 'done' else 'status ' || a.status end || ' at %s', a.started_at::timestamptz(0));
    elsif a.event_id is not null then
      outcome := 'failed'; reason := format('%s: %s; discarded or not to be repeated', a.error, a.detail);
    else
      if n.id > 0 then
        select x.outcome, x.reason into outcome, reason from frontdesk_internal.routing(e, n) x;
      end if;
      if outcome is null then
        outcome := 'pending';
        select coalesce(nullif(concat_ws('; ', case when s.state <> 'running' then format('the engine is %s (%s)', s.state, s.reason) end,
          case when n.state <> 'active' then format('the endpoint is %s (%s)', n.state, n.state_reason)
            when n.problem is not null then format('nothing is sent to the endpoint: %s', n.problem)
            when n.open_until > frontdesk.now() then format('the endpoint fails since %s; next probe at %s', n.failing_since::timestamptz(0), n.open_until::timestamptz(0))
            when frontdesk_internal.is_behind(n.id) then 'the endpoint is behind and catches up' end), ''),
          'about to be sent') into reason from frontdesk.status() s;
      end if;
    end if;
    return next;
  end loop;
end
$$;
comment on function frontdesk.explain_event(bigint) is
  'for every endpoint: was this event delivered to it, and if not, why: waiting for what, pattern or filter did not match, paused, made later, tenant differs ...';

create or replace function frontdesk.verify_webhook(
  secret text, headers jsonb, body bytea, scheme text = 'standard', tolerance interval = '5 minutes') returns boolean
stable parallel safe language c as 'MODULE_PATHNAME', 'verify_webhook_wrapper';
comment on function frontdesk.verify_webhook(text, jsonb, bytea, text, interval) is
  'whether this incoming webhook was signed with this secret, and recently; schemes: standard (Standard Webhooks 1.0), sha256 (GitHub), stripe, twilio (with the full URL as header ":url"), chatwoot. Constant time';
