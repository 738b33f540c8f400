-- Room 65, embedder: the verbs of the job that embeds (src/embedding). It runs as the owner of the declaration: what touches his
-- table runs with his rights, what touches ours is called by the library as the owner of the extension.

create or replace procedure frontdesk.embed_pending(source_id bigint)
language c as 'MODULE_PATHNAME', 'embed_pending_wrapper';
comment on procedure frontdesk.embed_pending(bigint) is
  
  'the command of the jobs that embed_table() makes: embeds the rows that wait, in batches, each in a transaction of '
  'its own; none is open during a request';

create or replace function frontdesk_internal.floats(bytes bytea) returns real[]
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'floats_wrapper';
comment on function frontdesk_internal.floats(bytea) is 'internal: the numbers that lie in these bytes, four each, little-endian';

create or replace function frontdesk_internal.embed_declaration(source_id bigint) returns text
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_mine(source_id);
  gone bigint[];
begin
  if s.id is null then
    return null;
  end if;
  if not exists (select from pg_class c where c.oid = s.source) then
    perform frontdesk_internal.embed_remove(s.id);
    return null;
  end if;
  perform frontdesk_internal.embed_column(s.source, s.content_column, 'content_column', 'text');
  perform frontdesk_internal.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector');
  if s.forget then
    perform frontdesk_internal.embed_clear(s.id);
  end if;
  -- Contents that are no longer there are not refused any more.
  if exists (select from frontdesk_internal.embed_refused f where f.source_id = s.id) then
    execute format('select array_agg(f.content_hash) from frontdesk_internal.embed_refused f where f.source_id = $1 and not exists (
      select from %s t where t.%I is null and hashtextextended(t.%I::text, 0) = f.content_hash)', s.source, s.embedding_column, s.content_column)
    into gone using s.id;
    perform frontdesk_internal.embed_forget(s.id, gone) where gone is not null;
  end if;
  return jsonb_build_object('embedder', s.embedder_id, 'job', s.job_id, 'extension_owner',
    (select x.extowner::bigint from pg_extension x where x.extname = 'pg_frontdesk'))::text;
end
$$;
comment on function frontdesk_internal.embed_declaration(bigint) is 'job: what is to be embedded by which embedder; null when the declaration or its table is gone';

create or replace function frontdesk_internal.embed_settings(embedder bigint) returns text
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select (to_jsonb(e) || jsonb_build_object(
    'secrets', coalesce((select jsonb_object_agg(s.header, encode(s.secret, 'hex')) from frontdesk_internal.embedder_secret s where s.embedder_id = e.id), '{}'),
    'failures', coalesce(t.failures, 0), 'runs', i.state = 'running',
    'wait_ms', greatest(0, ceil(extract(epoch from t.next_try_at - clock_timestamp()) * 1000))::bigint))::text
  from frontdesk_internal.embedder e cross join frontdesk_internal.installation i left join frontdesk_internal.embedder_state t on t.embedder_id = e.id
  where e.id = embedder
$$;
comment on function frontdesk_internal.embed_settings(bigint) is 'job, as the owner of the extension: an embedder as JSON, with its sealed secrets';

create or replace function frontdesk_internal.embed_awake(embedder bigint, job bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  delete from frontdesk_internal.job_run r where r.job_id = job and r.status = 'waiting' and r.message = 'there are rows to embed';
  with counted as (delete from frontdesk_internal.embed_query q where q.embedder_id = embedder returning q.tokens)
  update frontdesk_internal.embedder_state s set requests = s.requests + c.n, tokens = s.tokens + c.tokens
  from (select count(*) as n, sum(tokens) as tokens from counted) c where s.embedder_id = embedder and c.n > 0;
$$;
comment on function frontdesk_internal.embed_awake(bigint, bigint) is
  'job, as the owner of the extension: it looks again, so that runs asked for until now have nothing to do; counts the requests of embed()';

create or replace function frontdesk_internal.embed_reuse(source_id bigint, max_rows int) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  s frontdesk_internal.embed_source;
  result bigint;
begin
  s := frontdesk_internal.embed_mine(source_id);
  if s.id is null then
    return 0;
  end if;
  execute format('with waiting as materialized (
      select t.tableoid as tab, t.ctid as place, t.%1$I::text as content from %2$s t where %3$s limit $1)
    update %2$s t set %4$I = k.embedding
    from (select w.tab, w.place, x.embedding from waiting w cross join lateral (
      select o.%4$I as embedding from %2$s o
      where hashtextextended(o.%1$I::text, 0) = hashtextextended(w.content, 0) and o.%4$I is not null and o.%1$I::text = w.content
        and (select %5$s from (select o.*) t) limit 1) x) k
    where t.tableoid = k.tab and t.ctid = k.place and t.%4$I is null',
    s.content_column, s.source, frontdesk_internal.embed_where('t', s), s.embedding_column, '(' || s.condition || E'\n)') using max_rows;
  get diagnostics result = row_count;
  return result;
end
$$;
comment on function frontdesk_internal.embed_reuse(bigint, int) is 'job: rows whose text was embedded already, in another row, get that vector; returns how many';

create or replace function frontdesk_internal.embed_pick(source_id bigint, max_rows int, max_chars int, busy_tables oid[], busy_rows text[])
returns table (tab oid, place text, hash bigint, content text, characters int)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
  s frontdesk_internal.embed_source;
begin
  s := frontdesk_internal.embed_mine(source_id);
  if s.id is null then
    return;
  end if;
  return query execute format('select r.tab, r.place::text, r.hash, case when r.characters <= $2 then r.content end, r.characters from (
      select t.tableoid as tab, t.ctid as place, hashtextextended(t.%1$I::text, 0) as hash, t.%1$I::text as content, length(t.%1$I::text) as characters
      from %2$s t where %3$s) r
    where not exists (select from frontdesk_internal.embed_refused f where f.source_id = $1 and f.content_hash = r.hash)
      and not exists (select from unnest($3, $4) b (tab, place) where b.tab = r.tab and b.place::tid = r.place)
    limit $5', s.content_column, s.source, frontdesk_internal.embed_where('t', s)) using s.id, max_chars, busy_tables, busy_rows, max_rows;
end
$$;
comment on function frontdesk_internal.embed_pick(bigint, int, int, oid[], text[]) is
  'job: rows that wait for their vector, besides those under way; content is null where it is longer than a request may be';

create or replace function frontdesk_internal.embed_store(source_id bigint, tables oid[], places text[], hashes bigint[], vectors bytea[]) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, @extschema:vector@, pg_temp set lock_timeout = '1s' as $$
declare
  s frontdesk_internal.embed_source;
  command text;
  result bigint;
begin
  s := frontdesk_internal.embed_mine(source_id);
  if s.id is null then
    return 0;
  end if;
  -- What a crash takes back is embedded again.
  perform set_config('synchronous_commit', 'off', true);
  command := format('update %s t set %2$I = frontdesk_internal.floats(u.vector)::%3$s
    from unnest($1, $2::tid[], $3, $4) u (tab, place, hash, vector)
    where t.tableoid = u.tab and t.ctid = u.place and t.%2$I is null and hashtextextended(t.%4$I::text, 0) = u.hash', s.source, s.embedding_column,
    frontdesk_internal.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector'), s.content_column);
  begin
    execute command using tables, places, hashes, vectors;
    get diagnostics result = row_count;
  exception when lock_not_available or deadlock_detected then
    -- Somebody holds a row: the others get theirs, that one later.
    execute format('with free as (select t.tableoid as tab, t.ctid as place from %s t where exists (
        select from unnest($1, $2::tid[]) u (tab, place) where u.tab = t.tableoid and u.place = t.ctid) for update skip locked)
      update %1$s t set %2$I = frontdesk_internal.floats(u.vector)::%3$s
      from unnest($1, $2::tid[], $3, $4) u (tab, place, hash, vector) join free f on f.tab = u.tab and f.place = u.place
      where t.tableoid = u.tab and t.ctid = u.place and t.%2$I is null and hashtextextended(t.%4$I::text, 0) = u.hash', s.source, s.embedding_column,
      frontdesk_internal.embed_column(s.source, s.embedding_column, 'embedding_column', 'vector'), s.content_column) using tables, places, hashes, vectors;
    get diagnostics result = row_count;
  end;
  return result;
end
$$;
comment on function frontdesk_internal.embed_store(bigint, oid[], text[], bigint[], bytea[]) is
  'job: writes vectors where the row still is, still waits and still has that text; returns how many';

create or replace function frontdesk_internal.embed_succeeded(embedder bigint, requests bigint, tokens bigint, embedded bigint, reused bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk_internal.embedder_state as s (embedder_id, requests, tokens, embedded, reused, last_success_at)
  values (embedder, requests, tokens, embedded, reused, clock_timestamp())
  on conflict (embedder_id) do update set requests = s.requests + excluded.requests, tokens = s.tokens + excluded.tokens,
    embedded = s.embedded + excluded.embedded, reused = s.reused + excluded.reused,
    failures = case when excluded.requests > 0 then 0 else s.failures end, failing_since = case when excluded.requests = 0 then s.failing_since end,
    next_try_at = case when excluded.requests = 0 then s.next_try_at end,
    last_success_at = case when excluded.requests > 0 then excluded.last_success_at else s.last_success_at end
$$;
comment on function frontdesk_internal.embed_succeeded(bigint, bigint, bigint, bigint, bigint) is 'job, as the owner of the extension: count what was done';

create or replace function frontdesk_internal.embed_failed(embedder bigint, requests bigint, error text, wait_ms bigint, is_failure boolean) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  insert into frontdesk_internal.embedder_state as s (embedder_id, requests, failures, failing_since, last_error, last_error_at, next_try_at)
  values (embedder, requests, is_failure::int, case when is_failure then clock_timestamp() end, error, clock_timestamp(),
    clock_timestamp() + wait_ms * interval '1 ms')
  on conflict (embedder_id) do update set requests = s.requests + excluded.requests, failures = s.failures + excluded.failures,
    failing_since = coalesce(s.failing_since, excluded.failing_since), last_error = excluded.last_error, last_error_at = excluded.last_error_at,
    next_try_at = excluded.next_try_at
$$;
comment on function frontdesk_internal.embed_failed(bigint, bigint, text, bigint, boolean) is
  'job, as the owner of the extension: the embedder does not answer as it should, and is left alone for a while; is_failure false: it asked for that itself';

create or replace function frontdesk_internal.embed_slot(embedder bigint, pace_ms bigint) returns bigint
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  update frontdesk_internal.embedder_state s set next_slot = greatest(s.next_slot, clock_timestamp()) + pace_ms * interval '1 ms'
  where s.embedder_id = embedder
  returning ceil(extract(epoch from s.next_slot - pace_ms * interval '1 ms' - clock_timestamp()) * 1000)::bigint
$$;
comment on function frontdesk_internal.embed_slot(bigint, bigint) is 'job, as the owner of the extension: takes the next place in requests_per_minute; returns in how many milliseconds that is';

create or replace function frontdesk_internal.embed_later(source_id bigint, wait_ms bigint) returns void
language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.schedule_once(clock_timestamp() + wait_ms * interval '1 ms', j.command, j.name || ' (again)')
  from frontdesk_internal.embed_own s join frontdesk.jobs j on j.id = s.job_id where s.id = source_id
$$;
comment on function frontdesk_internal.embed_later(bigint, bigint) is 'job: go on then';
