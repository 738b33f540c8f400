-- Room 20, endpoint: where events go.

create or replace function frontdesk.check_url(url text) returns text
language c as 'MODULE_PATHNAME', 'check_url_wrapper';
comment on function frontdesk.check_url(text) is
  'the URL itself, or an error: not http(s), no host, with credentials, or a literal address that frontdesk.allow_networks does not allow';

create or replace function frontdesk.check_pattern(pattern text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_pattern_wrapper';
comment on function frontdesk.check_pattern(text) is 'the event pattern itself, or an error saying what is wrong with it';

create or replace function frontdesk.check_headers(headers jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_headers_wrapper';
comment on function frontdesk.check_headers(jsonb) is
  'the headers themselves, or an error: not an object of strings, a malformed or reserved name, a value with CR, LF or other control characters';

create or replace function frontdesk.check_payload(payload text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_payload_wrapper';
comment on function frontdesk.check_payload(text) is 'the payload shape itself: standard, supabase, record, or a template that parses';

create or replace function frontdesk.check_signature(signature text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_signature_wrapper';
comment on function frontdesk.check_signature(text) is 'the signature scheme itself: standard, sha256, sha256:<Header-Name>, none';

create or replace function frontdesk.check_retry(retry jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_retry_wrapper';
comment on function frontdesk.check_retry(jsonb) is 'the retry policy itself, or an error: {"delays": ["1s", "5m", ...], "final": {filter over the answer}, "expires": "7d", "expires_from": "field"}';

create or replace function frontdesk.check_secret(secret text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_secret_wrapper';
comment on function frontdesk.check_secret(text) is 'the secret itself, or an error: too short, too long, not base64. The error does not repeat it';

create or replace function frontdesk.new_secret() returns text
volatile language c as 'MODULE_PATHNAME', 'new_secret_wrapper';
comment on function frontdesk.new_secret() is 'a new random signing secret, whsec_<base64 of 32 bytes>';

create or replace function frontdesk.new_signing_key() returns text
volatile language c as 'MODULE_PATHNAME', 'new_signing_key_wrapper';
comment on function frontdesk.new_signing_key() is
  'a new random ed25519 key, whsk_<base64>, to be given as the secret of an endpoint: its receiver verifies with public_key() and cannot sign';

create or replace function frontdesk_internal.sealed_public_key(sealed bytea) returns text
stable strict language c as 'MODULE_PATHNAME', 'sealed_public_key_wrapper';
comment on function frontdesk_internal.sealed_public_key(bytea) is 'internal: the public half of a stored ed25519 key; null for a shared secret';

create or replace function frontdesk_internal.seal(plain text) returns bytea
volatile language c as 'MODULE_PATHNAME', 'seal_wrapper';
comment on function frontdesk_internal.seal(text) is
  'internal: encrypt with the key of frontdesk.secret_key_file; without a key the text is kept as it is, after a warning';

create or replace function frontdesk_internal.reseal(sealed bytea, old_key_file text, whose text) returns bytea
volatile language c as 'MODULE_PATHNAME', 'reseal_wrapper';
comment on function frontdesk_internal.reseal(bytea, text, text) is 'internal: encrypt again with the present key';

drop function if exists frontdesk_internal.check_endpoint(frontdesk_internal.endpoint);
create or replace function frontdesk_internal.check_endpoint(new frontdesk_internal.endpoint, has_url boolean = true) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if coalesce(new.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('invalid endpoint name "%s"', new.name),
      hint = 'Use 1 to 100 of A-Z a-z 0-9 _ - . : and begin with a letter or digit.';
  end if;
  if has_url and new.url is null or new.events is null then
    raise exception using errcode = 'null_value_not_allowed', message = case when has_url then 'url and ' else '' end || 'events must not be null';
  end if;
  perform frontdesk.check_url(new.url) where has_url;
  perform frontdesk_internal.check_connection(new) where has_url;
  if cardinality(new.events) = 0 then
    raise exception using errcode = 'invalid_parameter_value', message = 'events must name at least one pattern',
      hint = 'For all events: ''{*}''.';
  end if;
  perform frontdesk.check_pattern(p) from unnest(new.events) p;
  perform frontdesk.check_headers(new.headers);
  perform frontdesk.check_filter(new.filter) where new.filter is not null;
  perform frontdesk.check_payload(new.payload);
  perform frontdesk.check_signature(new.signature);
  perform frontdesk.check_retry(new.retry) where new.retry is not null;
  if new.timeout_ms is null or new.timeout_ms not between 100 and 120000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('timeout_ms %s is out of range', coalesce(new.timeout_ms::text, 'null')),
      hint = '100 to 120000 milliseconds; receivers are expected to answer within 15 to 30 seconds.';
  end if;
  if new.max_in_flight is null or new.max_in_flight not between 1 and 20000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('max_in_flight %s is out of range', coalesce(new.max_in_flight::text, 'null')),
      hint = '1 to 20000 requests at a time.';
  end if;
  if new.rate_per_second <= 0 or new.rate_per_second > 1000000 or new.rate_per_second = 'NaN' then
    raise exception using errcode = 'invalid_parameter_value', message = format('rate_per_second %s is out of range', new.rate_per_second),
      hint = 'More than 0 and at most 1000000 a second; 0.2 is one in five seconds; null means no limit.';
  end if;
end
$$;
comment on function frontdesk_internal.check_endpoint(frontdesk_internal.endpoint, boolean) is 'internal: an endpoint is validated when it is declared, so that nothing about it fails later';

create or replace function frontdesk_internal.endpoint_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.check_endpoint(new, has_url => old.url is not null);
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk_internal.endpoint_check() is 'trigger: an endpoint that is changed is validated as one that is added';

-- Not before insert: the rows of a dump come in whatever this server allows, as networks that are not set here yet; the engine
-- says what is wrong with them.
create or replace trigger endpoint_check before update of name, url, events, headers, filter, payload, signature, retry,
    timeout_ms, max_in_flight, rate_per_second, tls, http on frontdesk_internal.endpoint
  for each row execute function frontdesk_internal.endpoint_check();
create or replace trigger config_changed after insert or delete or update of name, url, events, headers, filter, payload, signature,
    retry, timeout_ms, max_in_flight, rate_per_second, ordered, tenant, state, tls, http on frontdesk_internal.endpoint
  for each statement execute function frontdesk_internal.config_changed();
create or replace trigger config_changed after insert or update or delete on frontdesk_internal.endpoint_secret
  for each statement execute function frontdesk_internal.config_changed();

create or replace function frontdesk_internal.endpoint_id(name text) returns bigint
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint;
begin
  select e.id into result from frontdesk_internal.endpoint e where e.name = endpoint_id.name;
  if not found then
    raise exception using errcode = 'undefined_object',
      message = format('endpoint "%s" does not exist', name),
      hint = coalesce('The endpoints are ' || (select string_agg(e.name, ', ' order by e.name) from (
        select e.name from frontdesk_internal.endpoint e order by e.name limit 20) e) || '.', 'Make one with frontdesk.add_endpoint().');
  end if;
  return result;
end
$$;
comment on function frontdesk_internal.endpoint_id(text) is 'internal: the id of an endpoint, or an error that lists the endpoints';

create or replace function frontdesk.is_credential(header text) returns boolean
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select header ~* '(auth|cookie|token|secret|password|api-?key|-key$|signature)'
$$;
comment on function frontdesk.is_credential(text) is 'true for the names of headers whose values are kept with the secrets and shown to nobody';

create or replace function frontdesk_internal.set_headers(endpoint_id bigint, headers jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  unknown text;
begin
  -- What is shown in place of a stored value stands for it.
  select h.key into unknown from jsonb_each_text(headers) h
  where h.value = '********' and frontdesk.is_credential(h.key) and not exists (
    select from frontdesk_internal.endpoint_secret s where s.endpoint_id = set_headers.endpoint_id and lower(s.header) = lower(h.key));
  if unknown is not null then
    raise exception using errcode = 'invalid_parameter_value', message = format('there is no stored value of header "%s"', unknown),
      detail = '******** stands for the value that is stored.', hint = 'Give the value itself.';
  end if;
  delete from frontdesk_internal.endpoint_secret s where s.endpoint_id = set_headers.endpoint_id and s.header is not null
    and not exists (select from jsonb_each_text(headers) h where lower(h.key) = lower(s.header) and h.value = '********');
  insert into frontdesk_internal.endpoint_secret (endpoint_id, header, secret)
  select set_headers.endpoint_id, h.key, frontdesk_internal.seal(h.value)
  from jsonb_each_text(headers) h where frontdesk.is_credential(h.key) and h.value <> '********';
  update frontdesk_internal.endpoint e set credentials = array(
    select s.header from frontdesk_internal.endpoint_secret s where s.endpoint_id = e.id and s.header is not null order by s.header)
  where e.id = set_headers.endpoint_id;
end
$$;
comment on function frontdesk_internal.set_headers(bigint, jsonb) is
  'internal: keep the credential headers of an endpoint with its secrets; the value ******** leaves the stored one as it is';

create or replace function frontdesk_internal.url_origin(url text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select regexp_replace(lower(substring(url from '^[^:/?#]+://[^/?#]*')), '^(http://.*):80$|^(https://.*):443$', E'\\1\\2')
$$;
comment on function frontdesk_internal.url_origin(text) is 'internal: scheme, host and port of a URL';

create or replace function frontdesk_internal.plain_headers(headers jsonb) returns jsonb
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(h.key, h.value) filter (where not frontdesk.is_credential(h.key)), '{}')
  from jsonb_each(frontdesk.check_headers(headers)) h
$$;
comment on function frontdesk_internal.plain_headers(jsonb) is 'internal: the headers without the credentials';

create or replace function frontdesk.add_endpoint(
  name text, url text, events text[] = '{*}', secret text = null, headers jsonb = '{}', filter jsonb = null,
  payload text = 'standard', signature text = 'standard', retry jsonb = null, timeout_ms int = 15000,
  max_in_flight int = 64, rate_per_second numeric = null, ordered boolean = false, tenant uuid = null,
  active boolean = true, tls jsonb = null, http text = 'auto') returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  new_id bigint;
  this frontdesk_internal.endpoint;
begin
  if exists (select from frontdesk_internal.endpoint e where e.name = add_endpoint.name) then
    raise exception using errcode = 'duplicate_object', message = format('endpoint "%s" already exists', name),
      hint = 'Change it with frontdesk.alter_endpoint(), or choose another name.';
  end if;
  if secret is not null then
    perform frontdesk.check_secret(secret);
  elsif signature <> 'none' then
    secret := frontdesk.new_secret();
  end if;
  tls := nullif(tls, 'null');
  perform frontdesk.check_tls(tls);
  this.name := name; this.url := url; this.events := events; this.headers := frontdesk_internal.plain_headers(coalesce(headers, '{}'));
  this.filter := filter; this.payload := payload; this.signature := signature; this.retry := retry;
  this.timeout_ms := timeout_ms; this.max_in_flight := max_in_flight; this.rate_per_second := rate_per_second;
  this.tls := tls - 'client_key'; this.http := http;
  perform frontdesk_internal.check_endpoint(this);
  insert into frontdesk_internal.endpoint as e (name, url, events, headers, filter, payload, signature, retry, timeout_ms,
    max_in_flight, rate_per_second, ordered, tenant, tls, http, state, state_reason)
  values (name, url, events, this.headers, filter, payload, signature, retry, timeout_ms,
    max_in_flight, rate_per_second, coalesce(ordered, false), tenant, this.tls, http,
    case when coalesce(active, true) then 'active' else 'paused' end,
    case when not active then 'added with active => false' end)
  returning e.id into new_id;
  if secret is not null then
    insert into frontdesk_internal.endpoint_secret (endpoint_id, secret) values (new_id, frontdesk_internal.seal(secret));
  end if;
  perform frontdesk_internal.set_headers(new_id, coalesce(headers, '{}')), frontdesk_internal.set_client_key(new_id, tls);
  return secret;
end
$$;
comment on function frontdesk.add_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean, jsonb, text) is
  'deliver matching events, committed from now on, to this URL; returns the signing secret, which is shown only now. '
  'events: patterns (lead.*, booking.*.cancelled, *). filter: over {"type", "op", "source", "key", "tenant", "new", "old"}. '
  'payload: standard {"type", "timestamp", "data"}, supabase, record, or a template. signature: standard (webhook-signature), sha256 or sha256:<Header-Name>, none. '
  'retry: {"delays": ["5s", "5m", ...]}, beside them "final": a filter over the answer {"status", "body"} whose match is not tried again, and "expires": "7d". timeout_ms: whole request. ordered: one at a time per key, in the order of the row''s changes. tenant: only its events. active: false keeps events until resume_endpoint(). '
  'tls: {"ca": PEM, "pin": ["sha256/BASE64", ...], "client_certificate": PEM, "client_key": PEM}: authorities instead of the system''s, keys of which the receiver must have one, and who we are to it. http: auto, 1.1 or 2';

create or replace function frontdesk.alter_endpoint(
  name text, url text = null, events text[] = null, secret text = null, headers jsonb = null, filter jsonb = null,
  payload text = null, signature text = null, retry jsonb = null, timeout_ms int = null,
  max_in_flight int = null, rate_per_second numeric = null, ordered boolean = null, tenant uuid = null,
  active boolean = null, keep_credentials boolean = false, tls jsonb = null, http text = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk_internal.endpoint_id(name);
  before frontdesk_internal.endpoint;
begin
  select * into before from frontdesk_internal.endpoint e where e.id = this for update;
  perform frontdesk_internal.check_has_url(before);
  -- A credential belongs to the host that it was given for.
  if frontdesk_internal.url_origin(url) <> frontdesk_internal.url_origin(before.url) and keep_credentials is not true and before.credentials <> '{}'
    and (headers is null or exists (select from jsonb_each_text(frontdesk.check_headers(headers)) h where h.value = '********')) then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('endpoint "%s" has credentials that were given for %s', name, frontdesk_internal.url_origin(before.url)),
      detail = format('%s would be sent to %s.', array_to_string(before.credentials, ', '), frontdesk_internal.url_origin(url)),
      hint = 'Pass the credentials again in headers, or say keep_credentials => true.';
  end if;
  perform frontdesk.check_tls(nullif(tls, 'null'));
  update frontdesk_internal.endpoint e set
    url = coalesce(url, e.url), events = coalesce(events, e.events),
    headers = case when headers is null then e.headers else frontdesk_internal.plain_headers(headers) end,
    filter = case when jsonb_typeof(filter) = 'null' then null else coalesce(filter, e.filter) end,
    payload = coalesce(payload, e.payload), signature = coalesce(signature, e.signature),
    retry = case when jsonb_typeof(retry) = 'null' then null else coalesce(retry, e.retry) end,
    timeout_ms = coalesce(timeout_ms, e.timeout_ms), max_in_flight = coalesce(max_in_flight, e.max_in_flight),
    rate_per_second = nullif(coalesce(rate_per_second, e.rate_per_second), 'infinity'), ordered = coalesce(ordered, e.ordered),
    tenant = nullif(coalesce(tenant, e.tenant), '00000000-0000-0000-0000-000000000000'),
    tls = case when tls = 'null' then null else coalesce(tls - 'client_key', e.tls) end, http = coalesce(http, e.http)
  where e.id = this;
  if secret is not null then
    perform frontdesk.check_secret(secret);
    delete from frontdesk_internal.endpoint_secret s where s.endpoint_id = this and s.header is null;
    insert into frontdesk_internal.endpoint_secret (endpoint_id, secret) values (this, frontdesk_internal.seal(secret));
  end if;
  if headers is not null then
    perform frontdesk_internal.set_headers(this, headers);
  end if;
  if tls is not null then
    perform frontdesk_internal.set_client_key(this, tls);
  end if;
  if active then
    perform frontdesk.resume_endpoint(name);
  elsif not active then
    perform frontdesk.pause_endpoint(name);
  end if;
end
$$;
comment on function frontdesk.alter_endpoint(text, text, text[], text, jsonb, jsonb, text, text, jsonb, int, int, numeric, boolean, uuid, boolean, boolean, jsonb, text) is
  'change an endpoint; null keeps the present value (to remove: JSON null for filter, retry and tls, infinity for rate_per_second, the nil uuid for tenant). What waits is sent to the new URL, under the new settings. '
  'headers replaces all headers; the value ******** keeps the stored credential. A URL of another host needs the credentials again, or keep_credentials => true. tls replaces all TLS options, the key too. '
  'secret replaces all signing secrets at once; rotate_secret() keeps the old one beside it for a while';

create or replace function frontdesk.remove_endpoint(name text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk_internal.endpoint_id(name);
begin
  delete from frontdesk_internal.retry r where r.endpoint_id = this;
  delete from frontdesk_internal.dead_letter d where d.endpoint_id = this;
  delete from frontdesk_internal.cursor c where c.endpoint_id = this;
  delete from frontdesk_internal.handler h where h.endpoint_id = this;
  delete from frontdesk_internal.endpoint e where e.id = this;
end
$$;
comment on function frontdesk.remove_endpoint(text) is
  'stop delivering to this endpoint; what waits for it is forgotten, its attempts stay in the log';

create or replace function frontdesk_internal.set_endpoint_state(name text, new_state text, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk_internal.endpoint e
  set state = new_state, state_reason = reason, state_changed_at = clock_timestamp(),
      failing_since = null, failures = 0, open_until = null
  where e.id = frontdesk_internal.endpoint_id(set_endpoint_state.name);
end
$$;
comment on function frontdesk_internal.set_endpoint_state(text, text, text) is 'internal: active, paused or disabled';

create or replace function frontdesk.pause_endpoint(name text) returns void
language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.set_endpoint_state(name, 'paused', 'pause_endpoint() by ' || session_user)
$$;
comment on function frontdesk.pause_endpoint(text) is
  'send nothing more to it until resume_endpoint(); its events are kept, at the cost of one row however many there are';

create or replace function frontdesk.resume_endpoint(name text) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.set_endpoint_state(name, 'active', null);
  update frontdesk_internal.retry r set due_at = frontdesk.now()
  where r.endpoint_id = frontdesk_internal.endpoint_id(name) and r.due_at > frontdesk.now() and r.due_at < 'infinity';
end
$$;
comment on function frontdesk.resume_endpoint(text) is
  'go on with a paused or disabled endpoint, from where it stopped; what waits for a retry is tried at once, so call it when the receiver is back';

create or replace function frontdesk.reencrypt_secrets(old_key_file text = null) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with a as (update frontdesk_internal.endpoint_secret s set secret = frontdesk_internal.reseal(s.secret, old_key_file, format('endpoint "%s"', e.name))
    from frontdesk_internal.endpoint e where e.id = s.endpoint_id returning 1),
  b as (update frontdesk_internal.endpoint_client_key k set secret = frontdesk_internal.reseal(k.secret, old_key_file, format('endpoint "%s"', e.name))
    from frontdesk_internal.endpoint e where e.id = k.endpoint_id returning 1),
  c as (update frontdesk_internal.embedder_secret s set secret = frontdesk_internal.reseal(s.secret, old_key_file, format('embedder "%s"', e.name))
    from frontdesk_internal.embedder e where e.id = s.embedder_id returning 1),
  d as (update frontdesk_internal.source_secret x set secret = frontdesk_internal.reseal(x.secret, old_key_file, format('source "%s"', s.name))
    from frontdesk_internal.source s where s.id = x.source_id returning 1)
  select (select count(*) from a) + (select count(*) from b) + (select count(*) from c) + (select count(*) from d)
$$;
comment on function frontdesk.reencrypt_secrets(text) is
  'encrypt all secrets with the present key: those that were stored without one, and those of the key in old_key_file, a file on the server. Returns how many there are; when one fits neither key, nothing is changed';

create or replace function frontdesk.test_endpoint(name text, payload jsonb = null) returns bigint
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return frontdesk_internal.record_event('endpoint.test', 'S', coalesce(payload, jsonb_build_object('test', true, 'endpoint', name)),
    target => frontdesk_internal.endpoint_id(name));
end
$$;
comment on function frontdesk.test_endpoint(text, jsonb) is
  'send an event endpoint.test to this endpoint alone, whatever its patterns and filter; returns the event id: see explain_event() or await_response()';

create or replace function frontdesk_internal.endpoint_settings() returns setof text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select (to_jsonb(e) || jsonb_build_object('secrets', coalesce((
    select jsonb_agg(jsonb_build_object('header', s.header, 'secret', encode(s.secret, 'hex'),
      'expires_at', extract(epoch from s.expires_at)) order by s.id desc)
    from frontdesk_internal.endpoint_secret s where s.endpoint_id = e.id), '[]'),
    'client_key', (select encode(k.secret, 'hex') from frontdesk_internal.endpoint_client_key k where k.endpoint_id = e.id),
    'handler', (select jsonb_build_object('owner', h.owner::oid::bigint, 'batch', h.batch, 'timeout_ms', h.timeout_ms,
      'there', exists (select from pg_roles r where r.oid = h.owner::oid)) from frontdesk_internal.handler h where h.endpoint_id = e.id),
    'stranger', e.home is distinct from (select frontdesk_internal.installation_id()),
    'failing_since_s', extract(epoch from e.failing_since), 'open_until_s', extract(epoch from e.open_until)))::text
  from frontdesk_internal.endpoint e order by e.id
$$;
comment on function frontdesk_internal.endpoint_settings() is 'engine: every endpoint as JSON, with its sealed secrets';

create or replace function frontdesk_internal.is_behind(this_endpoint bigint) returns boolean
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  -- An ordered endpoint always has a place of its own in the log; it is behind while that is not where the engine's is.
  select exists (
    select from frontdesk_internal.cursor c
    join frontdesk_internal.endpoint e on e.id = c.endpoint_id
    left join frontdesk_internal.cursor m on m.endpoint_id = 0
    where c.endpoint_id = this_endpoint
      and (not e.ordered or c.current_snapshot is not null or c.last_snapshot::text is distinct from m.last_snapshot::text))
$$;
comment on function frontdesk_internal.is_behind(bigint) is 'internal: does this endpoint catch up with the log, as it was last written down';

create or replace view frontdesk.endpoints as
select e.name, e.url, e.state, e.state_reason, e.problem, e.events, e.failing_since, e.failures, e.open_until,
  -- As is_behind() has it, which who reads this view may not call.
  exists (select from frontdesk_internal.cursor c left join frontdesk_internal.cursor m on m.endpoint_id = 0
    where c.endpoint_id = e.id
      and (not e.ordered or c.current_snapshot is not null or c.last_snapshot::text is distinct from m.last_snapshot::text)) as behind,
  (select count(*) from frontdesk_internal.retry r where r.endpoint_id = e.id) as retrying,
  (select count(*) from frontdesk_internal.dead_letter d where d.endpoint_id = e.id) as dead,
  (select count(*) from frontdesk_internal.endpoint_secret s where s.endpoint_id = e.id and s.header is null
    and (s.expires_at is null or s.expires_at > clock_timestamp())) as secrets,
  e.headers, (select array_agg(s.header order by s.header) from frontdesk_internal.endpoint_secret s
    where s.endpoint_id = e.id and s.header is not null) as credential_headers,
  e.filter, e.payload, e.signature, e.retry, e.timeout_ms, e.max_in_flight, e.rate_per_second, e.ordered, e.tenant, e.created_at,
  (select array_agg(o order by o) from jsonb_object_keys(e.tls) o) as tls, e.http
from frontdesk_internal.endpoint e where e.url is not null;
comment on view frontdesk.endpoints is 'the endpoints, their state and health; no secret is in it';
