-- Room 20, endpoint: whom a connection trusts, who we are in it, and what is spoken on it.

create or replace function frontdesk.check_tls(tls jsonb) returns jsonb
stable language c as 'MODULE_PATHNAME', 'check_tls_wrapper';
comment on function frontdesk.check_tls(jsonb) is
  'the TLS options of an endpoint themselves, or an error saying what is wrong with them: {"ca": PEM, "pin": ["sha256/BASE64", ...], "client_certificate": PEM, "client_key": PEM}. No error repeats the key';

create or replace function frontdesk_internal.check_connection(new frontdesk_internal.endpoint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if new.http is null or new.http not in ('auto', '1.1', '2') then
    raise exception using errcode = 'invalid_parameter_value', message = format('unknown version of HTTP "%s"', coalesce(new.http, 'null')),
      hint = 'auto (HTTP/2 where the receiver offers it in the TLS handshake), 1.1 or 2.';
  end if;
  if new.tls is not null and new.url !~* '^https:' then
    raise exception using errcode = 'invalid_parameter_value', message = format('endpoint "%s" has TLS options and a URL without TLS', new.name),
      detail = format('%s would be called without them.', frontdesk_internal.url_origin(new.url)),
      hint = 'Use an https URL, or tls => ''null'' for none.';
  end if;
end
$$;
comment on function frontdesk_internal.check_connection(frontdesk_internal.endpoint) is 'internal: a part of check_endpoint()';

create or replace function frontdesk_internal.set_client_key(this_endpoint bigint, tls jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk_internal.endpoint_client_key k where k.endpoint_id = this_endpoint;
  if jsonb_typeof(tls) = 'object' and tls ? 'client_key' then
    insert into frontdesk_internal.endpoint_client_key (endpoint_id, secret) values (this_endpoint, frontdesk_internal.seal(tls ->> 'client_key'));
  end if;
end
$$;
comment on function frontdesk_internal.set_client_key(bigint, jsonb) is 'internal: keep the key of the client certificate with the secrets, in place of the one before';

create or replace trigger config_changed after insert or update or delete on frontdesk_internal.endpoint_client_key
  for each statement execute function frontdesk_internal.config_changed();
