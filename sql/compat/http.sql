-- The names of pgsql-http over frontdesk.http_fetch(). @schema@ is http unless install_compat() was told otherwise.

create domain @schema@.http_method as text;
create domain @schema@.content_type as text check (value ~ '^\S+\/\S+');
create type @schema@.http_header as (field varchar, value varchar);
create type @schema@.http_request as (
  method @schema@.http_method, uri varchar, headers @schema@.http_header[], content_type varchar, content varchar);
create type @schema@.http_response as (status integer, content_type varchar, headers @schema@.http_header[], content varchar);

create function @schema@.http_header(field varchar, value varchar) returns @schema@.http_header
immutable language sql set search_path = pg_catalog, pg_temp as $$ select ($1, $2)::@schema@.http_header $$;

create function @schema@.http_headers(variadic args text[]) returns @schema@.http_header[]
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if cardinality(args) % 2 = 1 then
    raise exception using errcode = 'invalid_parameter_value', message = 'headers are pairs of a name and a value';
  end if;
  return array(select (args[n], args[n + 1])::@schema@.http_header from generate_series(1, cardinality(args), 2) n);
end
$$;

create function @schema@.text_to_bytea(data text) returns bytea
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$ select convert_to($1, 'UTF8') $$;

create function @schema@.bytea_to_text(data bytea) returns text
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$ select convert_from($1, 'UTF8') $$;

create function @schema@.urlencode(string bytea) returns text
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(string_agg(case
    when b between 48 and 57 or b between 65 and 90 or b between 97 and 122 or b in (45, 46, 95, 126) then chr(b)
    when b = 32 then '+' else '%' || upper(lpad(to_hex(b), 2, '0')) end, '' order by n), '')
  from generate_series(0, octet_length($1) - 1) n cross join lateral get_byte($1, n) b
$$;

create function @schema@.urlencode(string varchar) returns text
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.urlencode(convert_to($1, 'UTF8')) $$;

create function @schema@.urlencode(data jsonb) returns text
immutable strict parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select string_agg(@schema@.urlencode(p.key::varchar) || '=' || @schema@.urlencode(coalesce(p.value, '')::varchar), '&') from jsonb_each_text($1) p
$$;

-- What of the options has a meaning here; they are settings of the session, under pgsql-http's names.
create function @schema@.http_list_curlopt() returns table (curlopt text, value text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select o.name, current_setting('http.' || lower(o.name), true)
  from (values ('CURLOPT_TIMEOUT'), ('CURLOPT_TIMEOUT_MS'), ('CURLOPT_USERAGENT'), ('CURLOPT_REFERER')) o (name)
  where nullif(current_setting('http.' || lower(o.name), true), '') is not null
$$;

create function @schema@.http_set_curlopt(curlopt varchar, value varchar) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if upper(curlopt) in ('CURLOPT_TIMEOUT', 'CURLOPT_TIMEOUT_MS') then
    if value !~ '^\d{1,6}$' then
      raise exception using errcode = 'invalid_parameter_value', message = format('%s is a number, not "%s"', curlopt, value);
    end if;
  elsif upper(curlopt) not in ('CURLOPT_USERAGENT', 'CURLOPT_REFERER') then
    raise exception using errcode = 'feature_not_supported', message = format('curl option %s has no meaning here', curlopt),
      detail = 'Known are CURLOPT_TIMEOUT, CURLOPT_TIMEOUT_MS, CURLOPT_USERAGENT and CURLOPT_REFERER.',
      hint = 'Certificates are trusted by frontdesk.ca_file, private networks allowed by frontdesk.allow_networks; redirects are not followed.';
  end if;
  perform set_config('http.' || lower(curlopt), value, false);
  return true;
end
$$;
comment on function @schema@.http_set_curlopt(varchar, varchar) is 'as pgsql-http''s, for what has a meaning here; others are an error that names them';

create function @schema@.http_reset_curlopt() returns boolean
language sql set search_path = pg_catalog, pg_temp as $$
  select count(set_config('http.' || lower(o.curlopt), '', false)) >= 0 from @schema@.http_list_curlopt() o
$$;

create function @schema@.http(request @schema@.http_request) returns @schema@.http_response
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  headers jsonb := coalesce((select jsonb_object_agg(h.field, h.value) from unnest(request.headers) h where h.field is not null), '{}');
  milliseconds int := coalesce(nullif(current_setting('http.curlopt_timeout_ms', true), '')::int,
    nullif(current_setting('http.curlopt_timeout', true), '')::int * 1000, nullif(current_setting('http.timeout_msec', true), '')::int, 5000);
  r record;
begin
  if request.content_type is not null and request.content is not null then
    headers := jsonb_build_object('Content-Type', request.content_type) || headers;
  end if;
  headers := coalesce((select jsonb_object_agg(case o.curlopt when 'CURLOPT_USERAGENT' then 'User-Agent' else 'Referer' end, o.value)
    from @schema@.http_list_curlopt() o where o.curlopt in ('CURLOPT_USERAGENT', 'CURLOPT_REFERER')), '{}') || headers;
  select * into r from frontdesk.http_fetch(request.method::text, request.uri, headers, convert_to(request.content, 'UTF8'), milliseconds);
  return (r.status, r.response_headers->>'content-type', array(
      select (h.key, h.value)::@schema@.http_header from jsonb_each_text(r.response_headers) h), frontdesk.utf8(r.response_body))::@schema@.http_response;
end
$$;
comment on function @schema@.http(@schema@.http_request) is 'as pgsql-http''s: a request now, within the transaction; guarded as frontdesk.http_fetch() is';

create function @schema@.http_get(uri varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('GET', $1, null, null, null)::@schema@.http_request) $$;

create function @schema@.http_get(uri varchar, data jsonb) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$
  select @schema@.http(('GET', $1 || case when $1 like '%?%' then '&' else '?' end || @schema@.urlencode($2), null, null, null)::@schema@.http_request)
$$;

create function @schema@.http_post(uri varchar, content varchar, content_type varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('POST', $1, null, $3, $2)::@schema@.http_request) $$;

create function @schema@.http_post(uri varchar, data jsonb) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$
  select @schema@.http(('POST', $1, null, 'application/x-www-form-urlencoded', @schema@.urlencode($2))::@schema@.http_request)
$$;

create function @schema@.http_put(uri varchar, content varchar, content_type varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('PUT', $1, null, $3, $2)::@schema@.http_request) $$;

create function @schema@.http_patch(uri varchar, content varchar, content_type varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('PATCH', $1, null, $3, $2)::@schema@.http_request) $$;

create function @schema@.http_delete(uri varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('DELETE', $1, null, null, null)::@schema@.http_request) $$;

create function @schema@.http_delete(uri varchar, content varchar, content_type varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('DELETE', $1, null, $3, $2)::@schema@.http_request) $$;

create function @schema@.http_head(uri varchar) returns @schema@.http_response
language sql set search_path = pg_catalog, pg_temp as $$ select @schema@.http(('HEAD', $1, null, null, null)::@schema@.http_request) $$;

revoke all on all functions in schema @schema@ from public;
grant execute on function @schema@.http_header(varchar, varchar), @schema@.http_headers(text[]), @schema@.text_to_bytea(text),
  @schema@.bytea_to_text(bytea), @schema@.urlencode(bytea), @schema@.urlencode(varchar), @schema@.urlencode(jsonb) to public;
grant usage on schema @schema@ to public;
