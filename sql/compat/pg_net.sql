-- The names of pg_net over frontdesk's outbox. @schema@ is net unless install_compat() was told otherwise.

create type @schema@.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type @schema@.http_response as (status_code integer, headers jsonb, body text);
create type @schema@.http_response_result as (status @schema@.request_status, message text, response @schema@.http_response);

create function @schema@._urlencode_string(string varchar) returns text
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(string_agg(case when c ~ '^[A-Za-z0-9_.~-]$' then c
    else regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '%\1', 'g') end, '' order by n), '')
  from regexp_split_to_table($1, '') with ordinality x (c, n) where c <> ''
$$;

create function @schema@._encode_url_with_params_array(url text, params_array text[]) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case when cardinality(params_array) > 0
    then url || case when url like '%?%' then '&' else '?' end || array_to_string(params_array, '&') else url end
$$;

create function @schema@._url(url text, params jsonb) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select @schema@._encode_url_with_params_array(url, array(
    select @schema@._urlencode_string(p.key) || '=' || @schema@._urlencode_string(p.value) from jsonb_each_text(coalesce(params, '{}')) p))
$$;

create function @schema@.http_get(url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  select frontdesk.http_get(@schema@._url(url, params), headers, timeout_ms => timeout_milliseconds)
$$;
comment on function @schema@.http_get(text, jsonb, jsonb, int) is 'as pg_net''s: sent when this transaction commits';

create function @schema@.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds int default 5000) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  kind text := (select h.value from jsonb_each_text(headers) h where lower(h.key) = 'content-type');
begin
  if kind is not null and kind !~* '^application/json' then
    raise exception using errcode = 'invalid_parameter_value', message = 'Content-Type header must be "application/json"',
      hint = 'For other bodies: frontdesk.http_request(''POST'', url, body bytea, headers).';
  end if;
  return frontdesk.http_post(@schema@._url(url, params), coalesce(body, 'null'), headers, timeout_ms => timeout_milliseconds);
end
$$;
comment on function @schema@.http_post(text, jsonb, jsonb, jsonb, int) is 'as pg_net''s: sent when this transaction commits';

create function @schema@.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000, body jsonb default null) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
  select frontdesk.http_request('DELETE', @schema@._url(url, params), convert_to(body::text, 'UTF8'),
    case when body is null then headers else '{"Content-Type": "application/json"}' || headers end, timeout_ms => timeout_milliseconds)
$$;
comment on function @schema@.http_delete(text, jsonb, jsonb, int, jsonb) is 'as pg_net''s: sent when this transaction commits';

create view @schema@._http_response with (security_invoker) as
select r.id, r.status as status_code, r.headers->>'content-type' as content_type, r.headers, r.body as content,
  coalesce(r.error like 'timeout%' or r.error like 'connect_timeout%', false) as timed_out, r.error as error_msg, r.finished_at as created
from frontdesk.requests r where r.state <> 'pending';
comment on view @schema@._http_response is 'responses to your requests with pg_net''s columns; kept for frontdesk.success_retention and failure_retention, through a crash as well';

create view @schema@.http_request_queue with (security_invoker) as
select r.id, r.method, r.url, r.request_headers as headers, null::bytea as body, r.timeout_ms as timeout_milliseconds
from frontdesk.requests r where r.state = 'pending';
comment on view @schema@.http_request_queue is 'your requests that were not answered yet, with pg_net''s columns';

create function @schema@._http_collect_response(request_id bigint, async boolean default true) returns @schema@.http_response_result
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r record;
begin
  if async then
    select * into r from frontdesk.response(request_id);
  else
    select * into r from frontdesk.await_response(request_id, '1 minute');
  end if;
  if not found then
    return ('PENDING', 'request is pending processing', null)::@schema@.http_response_result;
  elsif r.error is not null then
    return ('ERROR', r.error, null)::@schema@.http_response_result;
  end if;
  return ('SUCCESS', 'ok', (r.status, r.headers, r.body)::@schema@.http_response)::@schema@.http_response_result;
end
$$;
comment on function @schema@._http_collect_response(bigint, boolean) is 'as pg_net''s; async => false waits for the answer, in a transaction after the one that asked';

create function @schema@.http_collect_response(request_id bigint, async boolean default true) returns @schema@.http_response_result
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@._http_collect_response(request_id, async) $$;
comment on function @schema@.http_collect_response(bigint, boolean) is 'as pg_net''s';

create function @schema@._await_response(request_id bigint) returns boolean
language sql set search_path = pg_catalog, pg_temp as $$ select exists (select from frontdesk.await_response(request_id, '1 minute')) $$;
comment on function @schema@._await_response(bigint) is 'as pg_net''s: waits until there is an answer';

create function @schema@.check_worker_is_up() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s record;
begin
  select * into s from frontdesk.status();
  if s.state <> 'running' then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('the engine is %s', s.state), detail = s.reason;
  end if;
end
$$;
comment on function @schema@.check_worker_is_up() is 'an error unless the engine works';

create function @schema@.worker_restart() returns boolean
language sql set search_path = pg_catalog, pg_temp as $$ select frontdesk.wake(reboot => true) is null or true $$;
create function @schema@.wake() returns void
language sql set search_path = pg_catalog, pg_temp as $$ select frontdesk.wake() $$;

-- The trigger function of Supabase's database webhooks: url, method, headers, params, timeout in milliseconds.
create function @schema@.http_request() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  url text := tg_argv[0];
  method text := upper(tg_argv[1]);
  headers jsonb := coalesce(nullif(tg_argv[2], 'null')::jsonb, '{"Content-Type": "application/json"}');
  params jsonb := coalesce(nullif(tg_argv[3], 'null')::jsonb, '{}');
  timeout_ms int := greatest(coalesce(nullif(tg_argv[4], 'null')::int, 1000), 100);
  payload jsonb;
begin
  if url is null or url = 'null' then
    raise exception using errcode = 'invalid_parameter_value', message = 'url argument is missing';
  elsif method is null or method not in ('GET', 'POST') then
    raise exception using errcode = 'invalid_parameter_value', message = format('method argument %s is invalid', coalesce(tg_argv[1], 'is missing')), hint = 'GET or POST.';
  end if;
  if method = 'GET' then
    perform @schema@.http_get(url, params, headers, timeout_ms);
  else
    payload := jsonb_build_object('type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
      'record', case when tg_op <> 'DELETE' then to_jsonb(new) end, 'old_record', case when tg_op <> 'INSERT' then to_jsonb(old) end);
    perform @schema@.http_post(url, payload, params, headers, timeout_ms);
  end if;
  return coalesce(new, old);
end
$$;
comment on function @schema@.http_request() is 'trigger: as supabase_functions.http_request(). Who may execute it sends with the rights of its owner';

revoke all on all functions in schema @schema@ from public;
