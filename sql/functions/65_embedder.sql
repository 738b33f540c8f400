-- Room 65, embedder: services that turn texts into vectors, any with OpenAI's /embeddings.

create or replace function frontdesk_internal.embedder_id(name text) returns bigint
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  result bigint := (select e.id from frontdesk_internal.embedder e where e.name = embedder_id.name);
begin
  if name is null and (select count(*) from frontdesk_internal.embedder) = 1 then
    return (select e.id from frontdesk_internal.embedder e);
  end if;
  if result is null then
    raise exception using errcode = 'undefined_object',
      message = case when name is null then 'no embedder named' else format('embedder "%s" does not exist', name) end,
      hint = coalesce('The embedders are ' || (select string_agg(e.name, ', ' order by e.name) from (
        select e.name from frontdesk_internal.embedder e order by e.name limit 20) e) || '.', 'Make one with frontdesk.add_embedder().');
  end if;
  return result;
end
$$;
comment on function frontdesk_internal.embedder_id is
  'internal: the id of an embedder (null: of the only one), or an error that lists the embedders';

create or replace function frontdesk_internal.check_embedder(new frontdesk_internal.embedder) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if coalesce(new.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('invalid embedder name "%s"', new.name),
      hint = 'Use 1 to 100 of A-Z a-z 0-9 _ - . : / and begin with a letter or digit.';
  end if;
  perform frontdesk.check_url(new.url);
  if new.model is null or btrim(new.model) = '' or length(new.model) > 200 then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'an embedder needs the name of its model, of 1 to 200 characters';
  end if;
  if new.encoding is null or new.encoding not in ('float', 'base64') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('encoding "%s" is unknown', new.encoding), hint = 'float or base64.';
  end if;
  perform frontdesk_internal.check_range('dimensions', new.dimensions, 1, 16000);
  perform frontdesk_internal.check_range('batch_size', new.batch_size, 1, 2048);
  perform frontdesk_internal.check_range('batch_chars', new.batch_chars, 100, 100000000);
  perform frontdesk_internal.check_range('max_in_flight', new.max_in_flight, 1, 64);
  perform frontdesk_internal.check_range('timeout_ms', new.timeout_ms, 100, 600000);
  if new.requests_per_minute is not null then
    perform frontdesk_internal.check_range('requests_per_minute', new.requests_per_minute, 0.01, 1000000);
  end if;
end
$$;
comment on function frontdesk_internal.check_embedder is 'internal: an embedder is validated when it is declared';

create or replace function frontdesk_internal.embedder_check() returns trigger
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.check_embedder(new);
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function frontdesk_internal.embedder_check is
  'trigger: an embedder that is changed is validated as one that is added';

create or replace function frontdesk_internal.check_range(name text, value numeric, lowest numeric, highest numeric) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if value is null or not value between lowest and highest then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('%s %s is out of range', name, coalesce(value::text, 'null')),
      hint = format('%s to %s.', lowest, highest);
  end if;
end
$$;
comment on function frontdesk_internal.check_range is 'internal: an error unless the value lies between both';

-- Not before insert: the rows of a dump come in whatever this server allows.
create or replace trigger embedder_check before update on frontdesk_internal.embedder
  for each row execute function frontdesk_internal.embedder_check();

create or replace function frontdesk_internal.embedder_headers(embedder bigint, headers jsonb, secret text) returns jsonb
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  headers := coalesce(frontdesk.check_headers(headers), '{}');
  if secret is not null then
    if exists (select from jsonb_object_keys(headers) k where lower(k) = 'authorization') then
      raise exception using errcode = 'invalid_parameter_value',
        message = 'there is a secret and a header Authorization',
        detail = 'The secret is sent as Authorization: Bearer ...', hint = 'Give only one of them.';
    end if;
    perform frontdesk.check_headers(jsonb_build_object('Authorization', 'Bearer ' || secret));
    headers := headers || jsonb_build_object('Authorization', 'Bearer ' || secret);
  end if;
  insert into frontdesk_internal.embedder_secret as s (embedder_id, header, secret)
  select embedder, lower(h.key), frontdesk_internal.seal(h.value) from jsonb_each_text(headers) h where frontdesk.is_credential(h.key)
  on conflict (embedder_id, header) do update set secret = excluded.secret;
  return frontdesk_internal.plain_headers(headers);
end
$$;
comment on function frontdesk_internal.embedder_headers(bigint, jsonb, text) is
  'internal: seal the credentials among the headers, and the secret as a bearer token; returns the other headers';

create or replace function frontdesk.add_embedder(
  name text, url text, model text, dimensions int, secret text = null, batch_size int = 100, requests_per_minute numeric = null,
  timeout_ms int = 30000, headers jsonb = '{}', max_in_flight int = 4, batch_chars int = 400000, send_dimensions boolean = false,
  encoding text = 'float') returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint;
  declared frontdesk_internal.embedder;
begin
  if exists (select from frontdesk_internal.embedder e where e.name = name) then
    raise exception using errcode = 'duplicate_object', message = format('embedder "%s" exists already', name),
      hint = 'Change it with frontdesk.alter_embedder(), or choose another name.';
  end if;
  declared.name := name; declared.url := url; declared.model := model; declared.dimensions := dimensions;
  declared.encoding := encoding; declared.batch_size := batch_size; declared.batch_chars := batch_chars;
  declared.max_in_flight := max_in_flight; declared.timeout_ms := timeout_ms; declared.requests_per_minute := requests_per_minute;
  perform frontdesk_internal.check_embedder(declared);
  insert into frontdesk_internal.embedder as e (name, url, model, dimensions, send_dimensions, encoding, headers, batch_size, batch_chars,
    max_in_flight, requests_per_minute, timeout_ms)
  values (name, url, model, dimensions, coalesce(send_dimensions, false), encoding, '{}', batch_size, batch_chars, max_in_flight,
    requests_per_minute, timeout_ms)
  returning e.id into this;
  update frontdesk_internal.embedder e set headers = frontdesk_internal.embedder_headers(this, headers, secret) where e.id = this;
  insert into frontdesk_internal.embedder_state (embedder_id) values (this);
  return name;
end
$$;
comment on function frontdesk.add_embedder is
  'a service that turns texts into vectors: url is the whole address of its OpenAI-compatible /embeddings. secret is '
  'sent as Authorization: Bearer; it and credential headers are sealed and shown to nobody. dimensions: how many '
  'numbers the model returns; send_dimensions requests this number, from models that can shorten their vectors. '
  'batch_size texts and at most batch_chars characters go into a request, max_in_flight requests are under way at '
  'once, requests_per_minute limits them. encoding: float, or base64 where the service offers it (faster)';

create or replace function frontdesk.alter_embedder(
  name text, url text = null, model text = null, dimensions int = null, secret text = null, batch_size int = null,
  requests_per_minute numeric = null, timeout_ms int = null, headers jsonb = null, max_in_flight int = null, batch_chars int = null,
  send_dimensions boolean = null, encoding text = null, active boolean = null, keep_credentials boolean = false) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk_internal.embedder_id(name);
  before frontdesk_internal.embedder;
  kept text;
begin
  select * into before from frontdesk_internal.embedder e where e.id = this for update;
  -- A credential belongs to the host that it was given for.
  if frontdesk_internal.url_origin(url) <> frontdesk_internal.url_origin(before.url) and keep_credentials is not true then
    select string_agg(s.header, ', ' order by s.header) into kept from frontdesk_internal.embedder_secret s
    where s.embedder_id = this and case s.header when 'authorization' then secret else headers::text end is null;
    if kept is not null then
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = format('embedder "%s" has credentials that were given for %s', name, frontdesk_internal.url_origin(before.url)),
        detail = format('%s would be sent to %s.', kept, frontdesk_internal.url_origin(url)),
        hint = 'Pass them again in secret and headers, or say keep_credentials => true.';
    end if;
  end if;
  if headers is not null then
    delete from frontdesk_internal.embedder_secret s where s.embedder_id = this and s.header <> 'authorization';
  end if;
  if headers is not null or secret is not null then
    headers := frontdesk_internal.embedder_headers(this, coalesce(headers, before.headers), nullif(secret, ''));
  end if;
  if secret = '' then
    delete from frontdesk_internal.embedder_secret s where s.embedder_id = this and s.header = 'authorization';
  end if;
  update frontdesk_internal.embedder e set url = coalesce(url, e.url), model = coalesce(model, e.model), dimensions = coalesce(dimensions, e.dimensions),
    batch_size = coalesce(batch_size, e.batch_size),
    requests_per_minute = nullif(coalesce(requests_per_minute, e.requests_per_minute), 0),
    timeout_ms = coalesce(timeout_ms, e.timeout_ms), headers = coalesce(headers, e.headers), max_in_flight = coalesce(max_in_flight, e.max_in_flight),
    batch_chars = coalesce(batch_chars, e.batch_chars), send_dimensions = coalesce(send_dimensions, e.send_dimensions),
    encoding = coalesce(encoding, e.encoding), active = coalesce(active, e.active)
  where e.id = this;
  -- What was wrong may be right now.
  update frontdesk_internal.embedder_state s set next_try_at = null, next_slot = null, failures = 0, failing_since = null where s.embedder_id = this;
  perform frontdesk_internal.embed_run(s.id) from frontdesk_internal.embed_source s where s.embedder_id = this;
  if (model <> before.model or dimensions <> before.dimensions) and exists (select from frontdesk_internal.embed_source s where s.embedder_id = this) then
    raise notice using message = 'vectors of the former model stay until they are computed again',
      hint = format('select frontdesk.embed_again(%L);', (select string_agg(s.source_name, ', ') from frontdesk_internal.embed_source s where s.embedder_id = this));
  end if;
end
$$;
comment on function frontdesk.alter_embedder is
  'change an embedder; null keeps the present value. secret => '''' removes it, requests_per_minute => 0 removes the '
  'limit, active => false pauses it. A URL of another host needs the credentials again, or keep_credentials => true. '
  'One that failed is tried again at once';

create or replace function frontdesk.remove_embedder(name text) returns boolean
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  used text := (select string_agg(format('%s.%I', s.source_name, s.embedding_column), ', ' order by s.id)
    from frontdesk_internal.embed_source s join frontdesk_internal.embedder e on e.id = s.embedder_id where e.name = name);
begin
  if used is not null then
    raise exception using errcode = 'dependent_objects_still_exist', message = format('embedder "%s" is in use', name),
      detail = format('It embeds %s.', used), hint = 'First frontdesk.unembed_table().';
  end if;
  delete from frontdesk_internal.embedding_cache c using frontdesk_internal.embedder e where e.name = name and c.embedder_id = e.id;
  delete from frontdesk_internal.embedder e where e.name = name;
  return found;
end
$$;
comment on function frontdesk.remove_embedder is
  'remove an embedder that no table uses; false when there is no such embedder. Vectors stay';

create or replace function frontdesk_internal.embed_floats(content text, embedder text = null) returns real[]
stable parallel restricted language c as 'MODULE_PATHNAME', 'embed_floats_wrapper';
comment on function frontdesk_internal.embed_floats(text, text) is 'internal: the numbers of embed()';

create or replace function frontdesk.embed(content text, embedder text = null) returns @extschema:vector@.vector
stable parallel restricted language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.embed_floats(content, embedder)::@extschema:vector@.vector
$$;
comment on function frontdesk.embed is
  'the vector of a text, for searching: from the cache, or asked of the embedder now, within the transaction (its '
  'timeout_ms bounds that; cancel and statement_timeout end it). embedder: its name; null: the only one there is. Not '
  'granted to PUBLIC, because it costs: grant execute on function frontdesk.embed(text, text) to ...';

create or replace function frontdesk_internal.embedding_known(embedder bigint, model text, hash bytea) returns bytea
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  -- An unlogged table is not there on a standby.
  if pg_is_in_recovery() then
    return null;
  end if;
  return (select c.embedding from frontdesk_internal.embedding_cache c
    where c.embedder_id = embedding_known.embedder and c.model = embedding_known.model and c.content_hash = hash);
end
$$;
comment on function frontdesk_internal.embedding_known is 'internal: the vector of a query that was embedded before';

create or replace function frontdesk_internal.embedding_keep(embedder bigint, model text, hash bytea, embedding bytea, tokens bigint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if current_setting('transaction_read_only')::boolean then
    return;
  end if;
  insert into frontdesk_internal.embed_query (embedder_id, tokens) values (embedder, tokens);
  -- Nobody waits for another transaction that keeps the same query.
  if pg_try_advisory_xact_lock(hashtextextended('frontdesk.embedding ' || encode(hash, 'hex'), embedder)) then
    insert into frontdesk_internal.embedding_cache (embedder_id, model, content_hash, embedding) values (embedder, model, hash, embedding)
    on conflict do nothing;
  end if;
  -- Now and then the oldest beyond ten thousand go.
  if random() < 0.01 then
    delete from frontdesk_internal.embedding_cache c where c.ctid in (
      select o.ctid from frontdesk_internal.embedding_cache o
      where o.created_at < (select n.created_at from frontdesk_internal.embedding_cache n order by n.created_at desc offset 10000 limit 1)
      for update skip locked);
  end if;
end
$$;
comment on function frontdesk_internal.embedding_keep is 'internal: count a request of embed(), and keep its vector';
