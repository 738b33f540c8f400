-- Room 65, embedder: what there is to see.

create or replace view frontdesk.embedders as
select e.name,
  case when not e.active then 'paused' when s.failures > 0 then 'failing' when s.next_try_at > clock_timestamp() then 'waiting'
    when p.pending > 0 then 'working' else 'idle' end as state,
  p.pending, p.failed, s.embedded, s.reused, s.requests + q.requests as requests, s.tokens + q.tokens as tokens,
  s.last_error, s.last_error_at, s.failures, s.failing_since, case when s.next_try_at > clock_timestamp() then s.next_try_at end as next_try_at,
  s.last_success_at, e.url, e.model, e.dimensions, e.send_dimensions, e.encoding, e.headers,
  (select array_agg(x.header order by x.header) from frontdesk_internal.embedder_secret x where x.embedder_id = e.id) as credential_headers,
  e.batch_size, e.batch_chars, e.max_in_flight, e.requests_per_minute, e.timeout_ms, e.created_at
from frontdesk_internal.embedder e
left join frontdesk_internal.embedder_state s on s.embedder_id = e.id
cross join lateral (select count(*) as requests, coalesce(sum(u.tokens), 0)::bigint as tokens from frontdesk_internal.embed_query u where u.embedder_id = e.id) q
cross join lateral (
  -- Of others' tables as their job counted last: whoever looks evaluates none of their conditions.
  select coalesce(sum(case when o.mine then frontdesk_internal.embed_count(t.id) else t.pending end), 0)::bigint as pending,
    coalesce(sum(case when o.mine then frontdesk_internal.embed_count(t.id, true) else t.failed end), 0)::bigint as failed
  from frontdesk_internal.embed_source t cross join lateral (select t.owner::oid = (select r.oid from pg_roles r where r.rolname = current_user)) o (mine)
  where t.embedder_id = e.id) p;
comment on view frontdesk.embedders is
  'the embedders: state (idle, working, waiting, failing, paused), rows that wait for their vector, rows it refuses, '
  'what it did and cost, its last error and when it is tried next; no secret is in it';

create or replace view frontdesk.embed_tables with (security_barrier) as
select s.source_name as source, s.content_column, s.embedding_column, frontdesk_internal.embedder_name(s.embedder_id) as embedder, s.condition,
  s.owner, frontdesk_internal.embed_count(s.id) as pending, frontdesk_internal.embed_count(s.id, true) as failed,
  r.status as last_run, r.started_at as last_run_at, case when r.status not in ('succeeded', 'running', 'waiting', 'cancelling') then r.message end as problem
from frontdesk_internal.embed_source s
left join lateral (select x.status, x.started_at, x.message from frontdesk_internal.job_run x where x.job_id = s.job_id order by x.id desc limit 1) r on true
where pg_has_role(s.owner::oid, 'usage');
comment on view frontdesk.embed_tables is
  'what embed_table() declared, of your tables: rows that wait, rows that were refused (see embed_failures), and how '
  'the last run ended';
