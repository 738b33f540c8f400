-- Room 162, vector indexes: built when searching without one takes longer, and watched. CREATE INDEX CONCURRENTLY cannot
-- run inside a function, so a job of its own runs it.

create or replace function crm_internal.vector_indexes()
returns table (source regclass, dimensions int, embedded bigint, missing bigint, index regclass, valid boolean, name name, definition text)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  t record;
  k record;
begin
  for t in
    select a.attrelid::regclass as source, nullif(a.atttypmod, -1) as typed
    from pg_attribute a where a.attrelid in ('crm.documents'::regclass, 'crm.document_chunks'::regclass) and a.attname = 'embedding'
  loop
    for k in execute format(
      'select coalesce(%s, s.dimensions) as dimensions, count(embedding) as embedded, count(*) - count(embedding) as missing
       from %s d left join crm.knowledge_settings s using (account_id) where %s group by 1',
      case when t.typed is not null then t.typed::text when t.source = 'crm.documents'::regclass then '@schema:vector@.vector_dims(d.embedding)' else 'd.dimensions' end, t.source, case when t.source = 'crm.documents'::regclass then 'embedding is not null' else 'true' end)
    loop
      source := t.source; dimensions := k.dimensions; embedded := k.embedded; missing := k.missing;
      name := format('%s_embedding_%s_idx', (select c.relname from pg_class c where c.oid = t.source), dimensions);
      select v.index into index from frontdesk.vector_index(t.source, 'embedding', false, t.typed, k.dimensions) v;
      valid := index is not null;
      if index is null then
        select i.indexrelid::regclass into index from pg_index i where i.indrelid = t.source and i.indexrelid = to_regclass(format('crm.%I', name));
      end if;
      definition := format('create index concurrently %I on %s using hnsw (%s) with (ef_construction = 128) %s', name, t.source,
        case when dimensions > 4000 then '(@schema:vector@.subvector(embedding, 1, 4000)::@schema:vector@.halfvec(4000)) @schema:vector@.halfvec_cosine_ops'
             when dimensions > 2000 then format('(embedding::@schema:vector@.halfvec(%s)) @schema:vector@.halfvec_cosine_ops', dimensions)
             when t.typed is not null then 'embedding @schema:vector@.vector_cosine_ops'
             else format('(embedding::@schema:vector@.vector(%s)) @schema:vector@.vector_cosine_ops', dimensions) end,
        case when t.typed is null then format('where @schema:vector@.vector_dims(embedding) = %s', dimensions) else '' end);
      return next;
    end loop;
  end loop;
end
$$;
comment on function crm_internal.vector_indexes() is
  'internal: for each table and number of dimensions how many vectors there are, the index, and how one would be '
  'made. Counts the rows';

create or replace function crm.build_vector_indexes(least_rows bigint = 2000) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
  started int := 0;
begin
  for v in select * from crm_internal.vector_indexes() i where i.embedded >= least_rows and not i.valid loop
    -- Memory for the whole graph, within reason: without it the build takes many times as long.
    perform frontdesk.schedule_once(clock_timestamp(),
      format('set maintenance_work_mem = %L; %s%s', least(2000000, v.embedded * (v.dimensions * 5 + 800) / 1024 + 65536, greatest(
               pg_size_bytes(current_setting('maintenance_work_mem')), pg_size_bytes(current_setting('shared_buffers'))) / 1024) || 'kB',
             case when v.index is not null then format('drop index concurrently %s; ', v.index) else '' end, v.definition),
      'crm: build ' || v.name, timeout => '6 hours')
    where not exists (select from pg_stat_progress_create_index p where p.relid = v.source)
      and not exists (select from frontdesk.jobs j where j.name = 'crm: build ' || v.name and j.active);
    started := started + 1;
  end loop;
  return started;
end
$$;
comment on function crm.build_vector_indexes(bigint) is
  'have the engine build the vector indexes that are wanted: for tables of at least least_rows vectors of the same '
  'dimensions, which are compared one by one until then. Without blocking writes; what a crash left half built is '
  'dropped first. The job "crm: vector indexes" calls it';

create or replace function crm.knowledge_status()
returns table (source regclass, dimensions int, embedded bigint, missing bigint, index regclass, index_size text, state text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select v.source, v.dimensions, v.embedded, v.missing, v.index, pg_size_pretty(pg_relation_size(v.index)),
    case when v.valid then 'index in use'
         when p.relid is not null then format('index is being built: %s, %s %%', p.phase,
           coalesce(round(100.0 * p.tuples_done / nullif(p.tuples_total, 0)), 0))
         when v.index is not null then 'index is not finished: it will be built again'
         when v.embedded < 2000 then 'no index: comparing all is faster'
         else 'index will be built' end
  from crm_internal.vector_indexes() v
  left join pg_stat_progress_create_index p on p.relid = v.source
  order by v.source::text, v.dimensions
$$;
comment on function crm.knowledge_status() is
  'for documents and passages: how many have a vector, how many wait for one, and what their index is doing';

create or replace function crm.quality_report(sample int = 10, count int = 5)
returns table (source regclass, category text, documents bigint, sampled int, recall numeric, index_ms numeric, exact_ms numeric)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
  c record;
  q record;
  by_index float8[];
  exactly float8[];
  condition jsonb;
  hits int;
  wanted int;
  began timestamptz;
  spent interval[];
begin
  for v in select * from crm_internal.vector_indexes() i where i.valid loop
    for c in execute format('select d.category, count(*) as rows from %s d where d.embedding is not null and @schema:vector@.vector_dims(d.embedding) = $1 %s
                             group by rollup (d.category) having d.category is not null or grouping(d.category) = 1 order by 1 nulls first',
                            v.source, case when v.source = 'crm.documents'::regclass then 'and d.is_active' else '' end) using v.dimensions
    loop
      hits := 0; wanted := 0; sampled := 0; spent := array[interval '0', interval '0'];
      condition := case when c.category is not null then jsonb_build_array(jsonb_build_object('column', 'category', 'is', c.category)) end;
      -- The same rows at every call, scattered over the table.
      for q in execute format('select d.embedding from %s d where d.embedding is not null and @schema:vector@.vector_dims(d.embedding) = $1 and %s
                               order by hashint8(d.id) limit $2', v.source, case when c.category is null then 'true' else format('d.category = %L', c.category) end) using v.dimensions, sample
      loop
        began := clock_timestamp();
        select array_agg(n.similarity) into by_index from crm_internal.nearest_in(v.source = 'crm.document_chunks'::regclass, q.embedding, condition, quality_report.count, 'index') n;
        spent[1] := spent[1] + (clock_timestamp() - began);
        began := clock_timestamp();
        select array_agg(n.similarity) into exactly from crm_internal.nearest_in(v.source = 'crm.document_chunks'::regclass, q.embedding, condition, quality_report.count, 'exact') n;
        spent[2] := spent[2] + (clock_timestamp() - began);
        -- By similarity, not by row: of two that are equally near either is right.
        hits := hits + (select count(*) from unnest(by_index) s where s >= exactly[cardinality(exactly)] - 1e-9);
        wanted := wanted + cardinality(exactly);
        sampled := sampled + 1;
      end loop;
      source := v.source; category := c.category; documents := c.rows;
      recall := round(hits::numeric / nullif(wanted, 0), 3);
      index_ms := round(extract(epoch from spent[1]) * 1000 / nullif(sampled, 0), 2);
      exact_ms := round(extract(epoch from spent[2]) * 1000 / nullif(sampled, 0), 2);
      return next;
    end loop;
  end loop;
end
$$;
comment on function crm.quality_report(int, int) is
  'what the vector indexes miss: recall (1 is everything) of the best count rows by the index against comparing all, '
  'for sample documents of each category (null: all together), and what both take. Nothing is listed where there is '
  'no index';

do $$
begin
  if not exists (select from frontdesk.jobs j where j.name = 'crm: vector indexes') then
    perform frontdesk.schedule('crm: vector indexes', '*/10 * * * *', 'select crm.build_vector_indexes()');
  end if;
end
$$;
