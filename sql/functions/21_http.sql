-- Room 21, delivery: direct requests, asynchronous (in the outbox) and synchronous.

create or replace function frontdesk.http_request(
  method text, url text, body bytea = null, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_request is
  'put a request into the outbox; it is sent after this transaction commits, and returns the id for response(). '
  'sign_with: the name of an endpoint whose secret signs it. Any status is a response, except 429, 502, 503 and 504, '
  'which like a failed connection are tried 3 more times (after 1, 5 and 30 s)';

create or replace function frontdesk_internal.http_request(
  method text, url text, body bytea, headers jsonb, sign_with text, timeout_ms int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  refused text;
begin
  method := upper(method);
  if method is null or method not in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS') then
    raise exception using errcode = 'invalid_parameter_value', message = format('unknown HTTP method "%s"', method),
      hint = 'GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.';
  end if;
  -- An address that must not be called is found out here only where the URL spells it out; of a name it is found out when the
  -- request is made. Either way that is the request's response and no error: a row whose trigger calls this is written.
  refused := frontdesk_internal.check_request_url(url);
  if refused is not null then
    raise notice using message = 'the request will not be sent: ' || refused, hint = 'response() will say so too.';
  end if;
  headers := frontdesk.check_headers(coalesce(headers, '{}'));
  if timeout_ms is null or timeout_ms not between 100 and 120000 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('timeout_ms %s is out of range', coalesce(timeout_ms::text, 'null')),
      hint = '100 to 120000 milliseconds.';
  end if;
  if octet_length(body) > current_setting('frontdesk.max_payload_kb')::bigint * 1024 then
    raise exception using errcode = 'program_limit_exceeded',
      message = format('the body has %s bytes, more than frontdesk.max_payload_kb allows', octet_length(body)),
      hint = 'Send less, or let an administrator raise the setting.';
  end if;
  if sign_with is not null then
    perform frontdesk_internal.endpoint_id(sign_with);
  end if;
  -- Credentials in headers are sealed, so that they are not readable in the log. "by" is who may see the response.
  return frontdesk_internal.record_event('http.request', 'H', jsonb_strip_nulls(jsonb_build_object(
    'method', method, 'url', url, 'headers', frontdesk_internal.plain_headers(headers),
    'sealed', (select encode(frontdesk_internal.seal(jsonb_object_agg(h.key, h.value)::text), 'hex')
      from jsonb_each(headers) h where frontdesk.is_credential(h.key)),
    'body', encode(body, 'base64'), 'sign_with', sign_with, 'timeout_ms', timeout_ms,
    'by', frontdesk_internal.caller()::oid::bigint)));
end
$$;
comment on function frontdesk_internal.http_request(text, text, bytea, jsonb, text, int) is 'internal: http_request()';

create or replace function frontdesk_internal.check_request_url(url text) returns text
stable language c as 'MODULE_PATHNAME', 'check_request_url_wrapper';
comment on function frontdesk_internal.check_request_url(text) is
  'internal: why the address in this URL must not be called, null where it may; an error where it is no URL';

create or replace function frontdesk_internal.http_json(method text, url text, body jsonb, headers jsonb, sign_with text, timeout_ms int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk_internal.http_request(method, url, convert_to(body::text, 'UTF8'),
    case when exists (select from jsonb_object_keys(coalesce(frontdesk.check_headers(headers), '{}')) k where lower(k) = 'content-type') then headers
      else coalesce(headers, '{}') || '{"Content-Type": "application/json"}' end, sign_with, timeout_ms);
end
$$;
comment on function frontdesk_internal.http_json is 'internal: a request with a JSON body';

create or replace function frontdesk.http_post(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_post is
  'asynchronous POST of a JSON body; returns the id for response() and await_response(). See http_request()';
create or replace function frontdesk_internal.http_post(url text, body jsonb, headers jsonb, sign_with text, timeout_ms int) returns bigint
return frontdesk_internal.http_json('POST', url, body, headers, sign_with, timeout_ms);
comment on function frontdesk_internal.http_post(text, jsonb, jsonb, text, int) is 'internal: http_post()';

create or replace function frontdesk.http_put(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_put is 'asynchronous PUT of a JSON body; see http_request()';
create or replace function frontdesk_internal.http_put(url text, body jsonb, headers jsonb, sign_with text, timeout_ms int) returns bigint
return frontdesk_internal.http_json('PUT', url, body, headers, sign_with, timeout_ms);
comment on function frontdesk_internal.http_put(text, jsonb, jsonb, text, int) is 'internal: http_put()';

create or replace function frontdesk.http_patch(url text, body jsonb = '{}', headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_patch is 'asynchronous PATCH of a JSON body; see http_request()';
create or replace function frontdesk_internal.http_patch(url text, body jsonb, headers jsonb, sign_with text, timeout_ms int) returns bigint
return frontdesk_internal.http_json('PATCH', url, body, headers, sign_with, timeout_ms);
comment on function frontdesk_internal.http_patch(text, jsonb, jsonb, text, int) is 'internal: http_patch()';

create or replace function frontdesk.http_get(url text, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_get(text, jsonb, text, int) is 'asynchronous GET; see http_request()';
create or replace function frontdesk_internal.http_get(url text, headers jsonb, sign_with text, timeout_ms int) returns bigint
return frontdesk_internal.http_request('GET', url, null, headers, sign_with, timeout_ms);
comment on function frontdesk_internal.http_get(text, jsonb, text, int) is 'internal: http_get()';

create or replace function frontdesk.http_delete(url text, headers jsonb = '{}', sign_with text = null, timeout_ms int = 5000) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.http_delete(text, jsonb, text, int) is 'asynchronous DELETE; see http_request()';
create or replace function frontdesk_internal.http_delete(url text, headers jsonb, sign_with text, timeout_ms int) returns bigint
return frontdesk_internal.http_request('DELETE', url, null, headers, sign_with, timeout_ms);
comment on function frontdesk_internal.http_delete(text, jsonb, text, int) is 'internal: http_delete()';

create or replace function frontdesk.http_fetch(
  method text, url text, headers jsonb = '{}', body bytea = null, timeout_ms int = 5000)
returns table (status int, response_headers jsonb, response_body bytea, address inet, duration_ms real)
language c as 'MODULE_PATHNAME', 'http_fetch_wrapper';
comment on function frontdesk.http_fetch is
  'send a request now and wait for the response, within the transaction: for tools, not for triggers. Cancel and '
  'statement_timeout end it; a failure raises. Not granted to PUBLIC';

create or replace function frontdesk.response(id bigint)
returns table (status int, headers jsonb, body text, error text)
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.response is
  'the last response to a request or event: status, headers and body, or the error; no row until there is one. body '
  'is text, with invalid UTF-8 replaced; frontdesk_internal.attempt.response_body has the bytes';

create or replace function frontdesk_internal.response(id bigint)
returns table (status int, headers jsonb, body text, error text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk_internal.find_event(id);
  a frontdesk_internal.attempt;
begin
  perform frontdesk_internal.check_requester(e);
  select * into a from frontdesk_internal.attempt x where x.event_id = e.id order by x.id desc limit 1;
  if found then
    return query select a.status::int, a.response_headers,
      coalesce(frontdesk.utf8(a.response_body), a.response),
      case when a.error is not null and a.status is null then a.error || ': ' || a.detail end;
  end if;
end
$$;
comment on function frontdesk_internal.response(bigint) is 'internal: response()';

create or replace function frontdesk_internal.check_requester(e frontdesk.event) returns void
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  -- The session's user says little: behind a pool or PostgREST it is the same for all. Whoever is it may become each of them.
  if e.op = 'H' and frontdesk_internal.caller_has((e.record->>'by')::oid::regrole)
    or e.actor = (select r.rolname from pg_roles r where r.oid = frontdesk_internal.caller())
    or frontdesk_internal.caller_has((select x.extowner::regrole from pg_extension x where x.extname = 'pg_frontdesk'))
  then
    return;
  end if;
  raise exception using errcode = 'insufficient_privilege',
    message = format('request %s was made by another role', e.id),
    hint = 'Only the role that made it, its members, and the extension''s owner may see the response.';
end
$$;
comment on function frontdesk_internal.check_requester(frontdesk.event) is
  'internal: an error unless the caller made this request, or has the rights of the role that did';

create or replace function frontdesk.utf8(bytes bytea) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'utf8_wrapper';
comment on function frontdesk.utf8(bytea) is 'the bytes as text; what is not UTF-8, and NUL, is replaced';

create or replace function frontdesk.await_response(id bigint, timeout interval = '10 seconds')
returns table (status int, headers jsonb, body text, error text)
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.await_response is
  'wait for the response to a request whose transaction is committed; after the timeout returns what response() '
  'knows, which may be no row';
create or replace function frontdesk_internal.await_response(id bigint, timeout interval)
returns table (status int, headers jsonb, body text, error text)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  e frontdesk.event := frontdesk_internal.find_event(id);
  until timestamptz := clock_timestamp() + timeout;
begin
  perform frontdesk_internal.check_requester(e);
  if e.xid = pg_current_xact_id_if_assigned() then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('request %s is not sent before this transaction commits', id),
      hint = 'Commit first, or use frontdesk.http_fetch() for an answer within the transaction.';
  end if;
  loop
    -- Settled: there is an attempt and no retry to come.
    if exists (select from frontdesk_internal.attempt a where a.event_id = id)
      and not exists (select from frontdesk_internal.retry r where r.event_id = id) or clock_timestamp() > until then
      return query select * from frontdesk_internal.response(id);
      return;
    end if;
    perform pg_sleep(0.005);
  end loop;
end
$$;
comment on function frontdesk_internal.await_response(bigint, interval) is 'internal: await_response()';

create or replace view frontdesk.requests with (security_barrier) as
select e.id, e.record->>'method' as method, e.record->>'url' as url, e.record->'headers' as request_headers,
  (e.record->>'timeout_ms')::int as timeout_ms, e.created_at,
  case when a.id is null or r.event_id is not null then 'pending' when d.event_id is not null or a.status is null then 'failed' else 'answered' end as state,
  a.attempt as attempts, a.status::int as status, a.response_headers as headers, coalesce(frontdesk.utf8(a.response_body), a.response) as body,
  case when a.error is not null and a.status is null then concat_ws(': ', a.error, a.detail) end as error,
  a.started_at + a.duration_ms * interval '1 ms' as finished_at
from frontdesk.event e
left join lateral (select * from frontdesk_internal.attempt x where x.event_id = e.id order by x.id desc limit 1) a on true
left join frontdesk_internal.retry r on r.event_id = e.id and r.endpoint_id = 0
left join frontdesk_internal.dead_letter d on d.event_id = e.id and d.endpoint_id = 0
-- In a case, so that nothing of an event of somebody's own is taken for a number.
where case when e.op = 'H' then (e.record->>'by')::oid end in (select o.oid from pg_roles o where pg_has_role(o.oid, 'usage'));
comment on view frontdesk.requests is
  'the requests made by http_post() and its kin, by you or roles whose rights you have: pending, answered (with any status), '
  'failed; with the last answer or the last error. Credentials are left out';
