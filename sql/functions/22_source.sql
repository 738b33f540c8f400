-- Room 22, source: webhooks that come in, verified, kept once, and made into events.

create or replace function frontdesk_internal.check_source(scheme text, secret text, id_path text, type_path text) returns void
language c as 'MODULE_PATHNAME', 'check_source_wrapper';
comment on function frontdesk_internal.check_source is 'internal: an error where these are no settings of a source';

create or replace function frontdesk_internal.read_webhook(
  scheme text, secrets text[], headers jsonb, body bytea, query text, method text, public_url text, verify_token bytea,
  id_path text, type_path text, tolerance_seconds bigint)
returns table (status int, reply text, id text, kind text, document jsonb, kept_headers jsonb, reason text)
language c as 'MODULE_PATHNAME', 'read_webhook_wrapper';
comment on function frontdesk_internal.read_webhook is
  'internal: whether a request is its sender''s (401, 403), whether it can be read (400), and what it says';

create or replace function frontdesk_internal.source_named(name text) returns frontdesk_internal.source
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result frontdesk_internal.source;
begin
  select * into result from frontdesk_internal.source s where s.name = source_named.name;
  if not found then
    raise exception using errcode = 'undefined_object', message = format('source "%s" does not exist', name),
      hint = coalesce('The sources are ' || (select string_agg(s.name, ', ' order by s.name) from (
        select s.name from frontdesk_internal.source s order by s.name limit 20) s) || '.',
        'Make one with frontdesk.add_source().');
  end if;
  return result;
end
$$;
comment on function frontdesk_internal.source_named is 'internal: a source, or an error that lists the sources';

create or replace function frontdesk_internal.check_source(s frontdesk_internal.source, secret text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(s.name, '') !~ '^[a-z0-9][a-z0-9_-]{0,59}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('invalid source name "%s"', s.name),
      detail = 'It is the first part of the type of its events.',
      hint = 'Use 1 to 60 of a-z 0-9 _ - and begin with a letter or digit.';
  end if;
  perform frontdesk.check_own_type(s.name || '.received');
  perform frontdesk_internal.check_source(s.scheme, secret, s.id_path, s.type_path);
  if s.scheme = 'twilio' and s.public_url is null then
    raise exception using errcode = 'invalid_parameter_value', message = 'scheme twilio needs public_url',
      detail = 'Twilio signs the URL that it calls, which a proxy may have changed.',
      hint = 'Give it as it is set up at Twilio: public_url => ''https://example.com/in/sms''.';
  elsif s.public_url !~ '^https?://[^/?#\s]+[^?#\s]*$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('public_url "%s" is no URL', s.public_url),
      hint = 'Scheme, host and path without a query, as in https://example.com/in/sms.';
  end if;
  if s.keep is null or s.keep < '0' or s.keep > '10 years' then
    raise exception using errcode = 'invalid_parameter_value', message = format('keep %s is out of range', coalesce(s.keep::text, 'null')),
      hint = '0 to 10 years.';
  end if;
  if s.tolerance is null or s.tolerance < '1 second' or s.tolerance > '1 day' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('tolerance %s is out of range', coalesce(s.tolerance::text, 'null')), hint = '1 second to 1 day; senders expect 5 minutes.';
  end if;
end
$$;
comment on function frontdesk_internal.check_source(frontdesk_internal.source, text) is
  'internal: a source is validated when it is declared, so that nothing about it fails when a webhook comes';

create or replace function frontdesk_internal.make_source_secret(scheme text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if scheme in ('standard', 'sha256') then
    return frontdesk.new_secret();
  elsif scheme = 'telegram' or scheme = '360dialog' or scheme like 'token%' then
    return replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  elsif scheme = 'none' then
    return null;
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('scheme %s needs the secret of the sender', scheme),
    hint = case scheme when 'meta' then 'The app secret: App settings, Basic.' when 'twilio' then 'The auth token of the account.'
      when 'stripe' then 'The signing secret of the endpoint, whsec_...' when 'slack' then 'The signing secret of the app.'
      when 'basic' then 'user:password, as the sender is set up with.' else 'As the sender shows it.' end;
end
$$;
comment on function frontdesk_internal.make_source_secret is 'internal: a secret for who lets one choose it';

create or replace function frontdesk.add_source(
  name text, scheme text, secret text = null, public_url text = null, id_path text = null, type_path text = null,
  keep interval = '7 days', tenant uuid = null, verify_token text = null, tolerance interval = '5 minutes', active boolean = true)
returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  this frontdesk_internal.source;
  result text;
begin
  if exists (select from frontdesk_internal.source s where s.name = add_source.name) then
    raise exception using errcode = 'duplicate_object', message = format('source "%s" already exists', name),
      hint = 'Change it with frontdesk.alter_source(), or choose another name.';
  end if;
  this.name := name; this.scheme := scheme; this.public_url := public_url; this.id_path := id_path; this.type_path := type_path;
  this.keep := keep; this.tolerance := tolerance; this.tenant := tenant;
  perform frontdesk_internal.check_source(this, secret);
  if verify_token is not null and scheme <> 'meta' then
    raise exception using errcode = 'invalid_parameter_value', message = 'verify_token is for scheme meta';
  end if;
  if secret is null then
    secret := frontdesk_internal.make_source_secret(scheme);
    result := secret;
  elsif scheme = 'none' then
    raise exception using errcode = 'invalid_parameter_value', message = 'scheme none has no secret',
      hint = 'Choose the scheme of the sender, or leave the secret out.';
  end if;
  if scheme = 'meta' then
    result := case when verify_token is null then replace(gen_random_uuid()::text, '-', '') end;
    verify_token := coalesce(verify_token, result);
  end if;
  insert into frontdesk_internal.source as s (name, scheme, public_url, id_path, type_path, keep, tolerance, tenant, active)
  values (name, scheme, public_url, id_path, type_path, keep, tolerance, tenant, coalesce(active, true))
  returning s.* into this;
  insert into frontdesk_internal.source_secret (source_id, is_verify_token, secret)
  select this.id, x.is_verify_token, frontdesk_internal.seal(x.secret)
  from (values (false, secret), (true, verify_token)) x (is_verify_token, secret) where x.secret is not null;
  return result;
end
$$;
comment on function frontdesk.add_source is
  'webhooks of this sender may come in by receive_webhook(), and become events <name>.<type>. scheme: standard, sha256 (GitHub), '
  'meta, stripe, twilio, chatwoot, slack, telegram, 360dialog, token or token:<Header-Name>, basic, none. Returns the secret, '
  'or the verify token of meta, that was made here and is shown only now; null where you gave it. public_url: as the sender '
  'calls it, for twilio. id_path, type_path: data.object.id or header:<Name>, where the id of a delivery and its type are, in '
  'place of what the sender is known for. keep: how long bodies are kept. tenant: whose its events are. active: false answers 503';

create or replace function frontdesk.alter_source(
  name text, scheme text = null, secret text = null, public_url text = null, id_path text = null, type_path text = null,
  keep interval = null, tenant uuid = null, verify_token text = null, tolerance interval = null, active boolean = null)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  this frontdesk_internal.source := frontdesk_internal.source_named(name);
begin
  if scheme is not null and scheme <> this.scheme and secret is null and scheme <> 'none' then
    raise exception using errcode = 'invalid_parameter_value', message = 'another scheme needs its secret',
      hint = 'Give both: scheme and secret.';
  end if;
  this.scheme := coalesce(scheme, this.scheme); this.public_url := nullif(coalesce(public_url, this.public_url), '');
  this.id_path := nullif(coalesce(id_path, this.id_path), ''); this.type_path := nullif(coalesce(type_path, this.type_path), '');
  this.keep := coalesce(keep, this.keep); this.tolerance := coalesce(tolerance, this.tolerance);
  perform frontdesk_internal.check_source(this, secret);
  update frontdesk_internal.source s set scheme = this.scheme, public_url = this.public_url, id_path = this.id_path,
    type_path = this.type_path, keep = this.keep, tolerance = this.tolerance,
    tenant = nullif(coalesce(tenant, s.tenant), '00000000-0000-0000-0000-000000000000'), active = coalesce(active, s.active),
    updated_at = clock_timestamp()
  where s.id = this.id;
  if secret is not null then
    delete from frontdesk_internal.source_secret x where x.source_id = this.id and not x.is_verify_token;
    insert into frontdesk_internal.source_secret (source_id, secret) values (this.id, frontdesk_internal.seal(secret));
  end if;
  if verify_token is not null then
    delete from frontdesk_internal.source_secret x where x.source_id = this.id and x.is_verify_token;
    insert into frontdesk_internal.source_secret (source_id, is_verify_token, secret) values (this.id, true, frontdesk_internal.seal(verify_token));
  end if;
end
$$;
comment on function frontdesk.alter_source is
  'change a source; null keeps the present value (to remove: an empty text for public_url, id_path and type_path, the nil uuid '
  'for tenant). secret replaces all its secrets at once; rotate_source_secret() keeps the old one beside it for a while';

create or replace function frontdesk.rotate_source_secret(name text, new_secret text = null, overlap interval = '24 hours') returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  this frontdesk_internal.source := frontdesk_internal.source_named(name);
begin
  if overlap is null or overlap < '0' or overlap > '90 days' then
    raise exception using errcode = 'invalid_parameter_value', message = format('overlap %s is out of range', coalesce(overlap::text, 'null')),
      hint = '0 to 90 days.';
  end if;
  new_secret := coalesce(new_secret, frontdesk_internal.make_source_secret(this.scheme));
  if new_secret is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('source "%s" has no secret', name),
      detail = 'Its scheme is none.';
  end if;
  perform frontdesk_internal.check_source(this, new_secret);
  update frontdesk_internal.source_secret x set expires_at = least(x.expires_at, clock_timestamp() + overlap)
  where x.source_id = this.id and not x.is_verify_token;
  insert into frontdesk_internal.source_secret (source_id, secret) values (this.id, frontdesk_internal.seal(new_secret));
  return new_secret;
end
$$;
comment on function frontdesk.rotate_source_secret is
  'take a new secret, and the old ones beside it until the overlap is over; returns the new one, which is shown only now';

create or replace function frontdesk.remove_source(name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  this frontdesk_internal.source := frontdesk_internal.source_named(name);
begin
  delete from frontdesk_internal.receipt r where r.source_id = this.id;
  delete from frontdesk_internal.source_secret x where x.source_id = this.id;
  delete from frontdesk_internal.source s where s.id = this.id;
end
$$;
comment on function frontdesk.remove_source is 'take no more webhooks of this sender, and forget its receipts; its events stay in the log';

create or replace function frontdesk_internal.refuse_webhook(source frontdesk_internal.source, status int, reason text) returns frontdesk.webhook_answer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  receipt bigint;
begin
  insert into frontdesk_internal.receipt as r (source_id, key, status, reason, repeats)
  values (source.id, format('refused:%s %s', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24'), status), status, reason, 0)
  on conflict on constraint receipt_source_id_key
    do update set repeats = r.repeats + 1, repeated_at = clock_timestamp(), reason = excluded.reason
  returning r.id into receipt;
  return (status, reason, 'text/plain; charset=utf-8', receipt)::frontdesk.webhook_answer;
end
$$;
comment on function frontdesk_internal.refuse_webhook is 'internal: counts what was refused, one row for each hour and status';

create or replace function frontdesk.receive_webhook(source text, headers jsonb, body bytea, query text = null, method text = 'POST')
returns frontdesk.webhook_answer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  largest bigint := current_setting('frontdesk.max_payload_kb')::bigint * 1024;
  s frontdesk_internal.source;
  secrets text[];
  verify_token bytea;
  r record;
  receipt bigint;
  event bigint;
begin
  select x.* into s from frontdesk_internal.source x where x.name = receive_webhook.source;
  if not found then
    return (404, 'no such source', 'text/plain; charset=utf-8', null)::frontdesk.webhook_answer;
  elsif not s.active then
    return frontdesk_internal.refuse_webhook(s, 503, 'the source is not active');
  elsif octet_length(body) > largest then
    return frontdesk_internal.refuse_webhook(s, 413, format('the body has %s bytes, at most %s are taken', octet_length(body), largest));
  end if;
  select array_agg(encode(x.secret, 'base64')) filter (where not x.is_verify_token), (array_agg(x.secret) filter (where x.is_verify_token))[1]
  into secrets, verify_token
  from frontdesk_internal.source_secret x
  where x.source_id = s.id and (x.expires_at is null or x.expires_at > clock_timestamp());
  select * into r from frontdesk_internal.read_webhook(s.scheme, secrets, headers, body, query, method, s.public_url, verify_token, s.id_path, s.type_path,
    extract(epoch from s.tolerance)::bigint);
  if r.status in (401, 403) then
    return frontdesk_internal.refuse_webhook(s, r.status, r.reason);
  elsif r.reply is not null then
    return (200, r.reply, 'text/plain; charset=utf-8', null)::frontdesk.webhook_answer;
  end if;
  insert into frontdesk_internal.receipt as x (source_id, key, status, type, reason, query, headers, body, body_hash)
  values (s.id, coalesce('id:' || r.id, 'no:' || gen_random_uuid()), r.status, s.name || '.' || r.kind, r.reason, left(query, 8000),
    r.kept_headers, body, sha256(coalesce(body, '')))
  on conflict on constraint receipt_source_id_key do nothing
  returning x.id into receipt;
  if receipt is null then
    update frontdesk_internal.receipt x set repeats = x.repeats + 1, repeated_at = clock_timestamp()
    where x.source_id = s.id and x.key = 'id:' || r.id
    returning x.id, x.status, x.reason into receipt, r.status, r.reason;
  elsif r.status = 200 then
    event := frontdesk_internal.record_event(s.name || '.' || r.kind, 'E', r.document, null, s.tenant);
    update frontdesk_internal.receipt x set event_id = event where x.id = receipt;
  end if;
  return (r.status, coalesce(r.reason, ''), 'text/plain; charset=utf-8', receipt)::frontdesk.webhook_answer;
end
$$;
comment on function frontdesk.receive_webhook is
  'take a webhook that came in: for whoever holds the socket. headers: an object; body: the bytes as they came; query: what '
  'stands after ? in the URL. Returns what to answer: 200 with one event <source>.<type> for each delivery, however often it '
  'comes; 400 cannot be read, 401 not signed, 403 Meta''s question with a wrong token, 404 no such source, 413 too large, '
  '503 not active. The event is committed with this transaction: answer after the commit';

create or replace view frontdesk.sources as
select s.name, s.scheme, s.public_url, s.id_path, s.type_path, s.keep, s.tolerance, s.tenant, s.active, s.created_at, s.updated_at
from frontdesk_internal.source s;
comment on view frontdesk.sources is 'who sends webhooks here; secrets are shown to nobody';

create or replace view frontdesk.receipts as
select r.id, s.name as source, r.status, r.received_at, r.type, case when r.key like 'id:%' then substr(r.key, 4) end as delivery_id,
  r.event_id, r.repeats, r.repeated_at, r.reason, r.query, r.headers, r.body, encode(r.body_hash, 'hex') as body_sha256
from frontdesk_internal.receipt r join frontdesk_internal.source s on s.id = r.source_id;
comment on view frontdesk.receipts is
  'webhooks that came in: one row for each delivery (repeats: how often it came again), one for each hour and status of what '
  'was refused. Body and headers are kept as long as the source says, the rest for 90 days more';

create or replace function frontdesk_internal.forget_receipts() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update frontdesk_internal.receipt r set body = null, headers = null, query = null
  from frontdesk_internal.source s
  where s.id = r.source_id and (r.body is not null or r.headers is not null) and r.received_at < frontdesk.now() - s.keep;
  delete from frontdesk_internal.receipt r using frontdesk_internal.source s
  where s.id = r.source_id and r.received_at < frontdesk.now() - s.keep - interval '90 days';
  delete from frontdesk_internal.source_secret x where x.expires_at < frontdesk.now();
end
$$;
comment on function frontdesk_internal.forget_receipts is 'internal: what is past its retention';
