-- Room 21, delivery: the names that existing webhook code uses.

create or replace view frontdesk.webhook_configs as
select e.id, e.name, e.url,
  case when exists (select from frontdesk_internal.endpoint_secret s where s.endpoint_id = e.id and s.header is null) then '********' end as secret,
  e.events, e.headers || coalesce((select jsonb_object_agg(c, '********') from unnest(e.credentials) c), '{}') as headers, e.retry as retry_config, e.state = 'active' as is_active, e.created_at, e.updated_at
from frontdesk_internal.endpoint e where e.url is not null;
comment on view frontdesk.webhook_configs is
  'the endpoints as rows that can be inserted, updated and deleted; a secret or a credential header can be written '
  'and is never shown: ******** keeps the stored value';

create or replace function frontdesk_internal.webhook_configs_write() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    perform frontdesk.remove_endpoint(old.name);
    return old;
  end if;
  if tg_op = 'INSERT' then
    perform frontdesk.add_endpoint(new.name, new.url, coalesce(new.events, '{*}'), new.secret, coalesce(new.headers, '{}'),
      retry => new.retry_config, active => coalesce(new.is_active, true));
  else
    if new.name is null or new.url is null or new.events is null then
      raise exception using errcode = 'null_value_not_allowed', message = 'name, url and events must not be null';
    end if;
    if new.name is distinct from old.name then
      update frontdesk_internal.endpoint e set name = new.name where e.name = old.name;
    end if;
    perform frontdesk.alter_endpoint(new.name, new.url, new.events,
      secret => case when new.secret is distinct from old.secret then new.secret end,
      headers => case when new.headers is distinct from old.headers then new.headers end,
      retry => case when new.retry_config is distinct from old.retry_config then coalesce(new.retry_config, 'null') end,
      active => case when new.is_active is distinct from old.is_active then new.is_active end);
  end if;
  select * into new from frontdesk.webhook_configs c where c.name = new.name;
  return new;
end
$$;
comment on function frontdesk_internal.webhook_configs_write is
  'trigger: writes to webhook_configs become add_endpoint(), alter_endpoint(), remove_endpoint()';
create or replace trigger webhook_configs_write instead of insert or update or delete on frontdesk.webhook_configs
  for each row execute function frontdesk_internal.webhook_configs_write();

create or replace view frontdesk.webhook_logs as
select a.id, a.endpoint_id as webhook_config_id, v.type as event_type, v.record as payload, a.status::int as response_status,
  a.response as response_body, a.attempt as attempt_count, case when not a.succeeded then concat_ws(': ', a.error, a.detail) end as error_message,
  v.created_at, a.started_at + a.duration_ms * interval '1 ms' as completed_at
from frontdesk_internal.attempt a
left join frontdesk.event v on v.id = a.event_id
where a.endpoint_id > 0;
comment on view frontdesk.webhook_logs is 'one row per request made to an endpoint, with its event';

create or replace function frontdesk.send_webhook_with_retry(
  p_webhook_name text, p_event_type text, p_payload jsonb, p_attempt int = 1) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  n frontdesk_internal.endpoint;
begin
  perform frontdesk.check_own_type(p_event_type);
  select * into n from frontdesk_internal.endpoint e where e.name = p_webhook_name;
  if not found then
    raise warning using errcode = 'undefined_object',
      message = format('webhook "%s" does not exist, nothing is sent', p_webhook_name),
      hint = 'Make it with frontdesk.add_endpoint().';
    return null;
  end if;
  if not exists (select from unnest(n.events) p where frontdesk.pattern_matches(p, p_event_type)) then
    raise warning using errcode = 'undefined_object',
      message = format('webhook "%s" does not take event "%s", nothing is sent', p_webhook_name, p_event_type),
      detail = format('Its events are %s.', n.events);
    return null;
  end if;
  return frontdesk_internal.record_event(p_event_type, 'E', coalesce(p_payload, '{}'), target => n.id);
end
$$;
comment on function frontdesk.send_webhook_with_retry is
  'send this event to this endpoint when the transaction commits, with retries; returns the event id. An unknown '
  'endpoint or an event that it does not take is a warning and null, never an error in a trigger. p_attempt is '
  'accepted and not needed';

create or replace function frontdesk.test_webhook(p_webhook_name text, p_test_payload jsonb = '{"test": true}') returns bigint
language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.test_endpoint(p_webhook_name, p_test_payload)
$$;
comment on function frontdesk.test_webhook(text, jsonb) is 'test_endpoint() under the name that existing code uses';

create or replace function frontdesk.get_webhook_stats(p_webhook_name text = null, p_days int = 7)
returns table (webhook_name text, total_calls bigint, successful_calls bigint, failed_calls bigint, avg_response_time interval, events jsonb)
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name, coalesce(sum(t.calls), 0)::bigint, coalesce(sum(t.calls) filter (where t.succeeded), 0)::bigint,
    coalesce(sum(t.calls) filter (where not t.succeeded), 0)::bigint,
    sum(t.ms) / nullif(sum(t.calls), 0) * interval '1 ms',
    coalesce((select jsonb_object_agg(s.type, s.calls) from (
      select v.type, count(*) as calls from frontdesk_internal.attempt a join frontdesk.event v on v.id = a.event_id
      where a.endpoint_id = e.id and a.started_at >= clock_timestamp() - make_interval(days => p_days) group by v.type) s), '{}')
  from frontdesk_internal.endpoint e
  left join lateral (
    select a.succeeded, count(*) as calls, sum(a.duration_ms) as ms from frontdesk_internal.attempt a
    where a.endpoint_id = e.id and a.started_at >= clock_timestamp() - make_interval(days => p_days)
    group by a.succeeded) t on true
  where p_webhook_name is null or e.name = p_webhook_name
  group by e.id, e.name order by e.name
$$;
comment on function frontdesk.get_webhook_stats is
  'per endpoint over the last days: requests made, succeeded (2xx), failed (all others), mean response time, requests '
  'by event type';
