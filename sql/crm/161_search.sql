-- Room 161, search: the documents that answer a question. Passages (crm.document_chunks) and documents with a vector of
-- their own are searched alike; id is the document's.

-- These took SQL as a text. Nothing that an application may call does.
drop function if exists crm_internal.nearest_in(regclass, @schema:vector@.vector, text, int, text);
drop function if exists crm_internal.nearest_documents(@schema:vector@.vector, text, int);
drop function if exists crm_internal.match_filtered(@schema:vector@.vector, text, int);
drop function if exists crm.filter_is_indexed(text);
do $$
begin
  if exists (select from pg_proc p where p.oid = to_regprocedure('crm_internal.search_filter(text,jsonb,uuid)') and p.prorettype = 'text'::regtype) then
    drop function crm_internal.search_filter(text, jsonb, uuid);
  end if;
end
$$;

create or replace function crm_internal.search_filter(category text, filter jsonb, account uuid) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  conditions jsonb := '[]';
begin
  if category is not null then
    conditions := conditions || jsonb_build_object('column', 'category', 'is', category);
  end if;
  if filter <> '{}' then
    conditions := conditions || jsonb_build_object('column', 'metadata', 'matches', filter);
  end if;
  if account is not null then
    conditions := conditions || jsonb_build_object('column', 'account_id', 'is', crm_internal.this_account(account));
  elsif crm.current_user_id() is not null then
    -- For a role that row level security lets through; for the others it says the same as their policy.
    conditions := conditions || jsonb_build_object('column', 'account_id', 'in', array(select crm.my_accounts()));
  end if;
  return nullif(conditions, '[]');
end
$$;
comment on function crm_internal.search_filter(text, jsonb, uuid) is
  'internal: the conditions on a document or passage, as frontdesk.find_nearest() takes them; null: all. Plain '
  'objects and arrays in the filter are what must be contained, as @> reads them';

create or replace function crm_internal.check_search(embedding @schema:vector@.vector, count int, threshold float8) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_search('crm.documents', embedding,
    (select array_agg(distinct e.dimensions) from (
       select nullif(a.atttypmod, -1) from pg_attribute a where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding'
       union select s.dimensions from crm.knowledge_settings s) e (dimensions) where e.dimensions is not null), count, threshold);
end
$$;
comment on function crm_internal.check_search(@schema:vector@.vector, int, float8) is
  'internal: an error for what the documents cannot be searched with';

create or replace function crm_internal.nearest_in(passages boolean, embedding @schema:vector@.vector, conditions jsonb, count int, forced text = null)
returns table (place tid, similarity float8, way text)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select n.place, 1 - n.distance, n.way
  from frontdesk.find_nearest(case when passages then 'crm.document_chunks' else 'crm.documents' end::regclass, 'embedding', embedding,
    case when not passages then '[{"column": "is_active", "is": true}]'::jsonb end, conditions, nearest_in.count,
    case when passages then '{document_id,id}' else '{id}' end::name[], coalesce(current_setting('hnsw.ef_search', true)::int, 40), forced) n;
end
$$;
comment on function crm_internal.nearest_in(boolean, @schema:vector@.vector, jsonb, int, text) is
  'internal: the nearest passages or documents; conditions: of search_filter(); forced: index or exact';

create or replace function crm_internal.nearest_documents(embedding @schema:vector@.vector, conditions jsonb, count int)
returns table (passage boolean, place tid, similarity float8)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce((select a.atttypmod from pg_attribute a where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding'), -1)
       in (-1, @schema:vector@.vector_dims(embedding)) and pg_relation_size('crm.documents') > 0 then
    return query select false, n.place, n.similarity from crm_internal.nearest_in(false, embedding, conditions, count) n;
  end if;
  if pg_relation_size('crm.document_chunks') > 0 then
    return query select true, n.place, n.similarity from crm_internal.nearest_in(true, embedding, conditions, count) n;
  end if;
end
$$;
comment on function crm_internal.nearest_documents(@schema:vector@.vector, jsonb, int) is
  'internal: the nearest documents and the nearest passages, count of each';

create or replace function crm_internal.match_filtered(embedding @schema:vector@.vector, conditions jsonb, count int)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  with n as materialized (select * from crm_internal.nearest_documents(embedding, conditions, count))
  select d.id, d.content, d.title, d.metadata, d.category, n.similarity
  from n join crm.documents d on d.ctid = n.place where not n.passage
  union all
  select c.document_id, c.content, c.title, c.metadata, c.category, n.similarity
  from n join crm.document_chunks c on c.ctid = n.place where n.passage;
end
$$;
comment on function crm_internal.match_filtered(@schema:vector@.vector, jsonb, int) is
  'internal: the nearest documents and passages, count of each';

create or replace function crm_internal.match_by_index(embedding @schema:vector@.vector, count int, effort int)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8, attempt int)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp
-- One plan, kept: the only one that does not sort is the one by the index.
set plan_cache_mode = force_generic_plan set enable_sort = off set jit = off set hnsw.iterative_scan = strict_order set hnsw.ef_search = 40 as $$
#variable_conflict use_column
declare
  found int;
begin
  perform set_config('hnsw.ef_search', effort::text, true);
  return query
  select d.id, d.content, d.title, d.metadata, d.category, 1 - (d.embedding operator(@schema:vector@.<=>) match_by_index.embedding), 1
  from crm.documents d where d.is_active
  order by d.embedding operator(@schema:vector@.<=>) match_by_index.embedding, d.id limit match_by_index.count;
  get diagnostics found = row_count;
  if found < match_by_index.count then
    return query select m.*, 2 from crm_internal.match_filtered(match_by_index.embedding, null, match_by_index.count) m;
  end if;
end
$$;
comment on function crm_internal.match_by_index(@schema:vector@.vector, int, int) is
  'internal: the nearest documents where crm.documents has a plain HNSW index and nothing is filtered; effort: '
  'hnsw.ef_search. The last attempt counts';

create or replace function crm_internal.plain_index_effort(dimensions int) returns int
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select min(case when c.reloptions && '{ef_construction=128}' then 40 else 64 end)
    from pg_attribute a
    join pg_index i on i.indrelid = a.attrelid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null
    join pg_class c on c.oid = i.indexrelid and c.relam = (select m.oid from pg_am m where m.amname = 'hnsw')
    join pg_opclass o on o.oid = i.indclass[0] and o.opcname = 'vector_cosine_ops'
    where a.attrelid = 'crm.documents'::regclass and a.attname = 'embedding' and a.atttypmod = dimensions);
end
$$;
comment on function crm_internal.plain_index_effort(int) is
  'internal: the least hnsw.ef_search for an HNSW index over all vectors of crm.documents, which are of these '
  'dimensions: less for one as crm_internal.vector_indexes() makes it; null without one';

create or replace function crm.match_documents(
  query_embedding @schema:vector@.vector, match_threshold float8 = 0.78, match_count int = 5, filter_category varchar = null,
  filter_metadata jsonb = null, account uuid = null)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8)
stable rows 5 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  filter jsonb;
  floor float8 := coalesce(match_threshold, '-infinity');
  effort int;
begin
  if query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'query_embedding is null',
      hint = 'Embed the question first, or search by its words: crm.hybrid_search().';
  end if;
  filter := crm_internal.search_filter(filter_category, filter_metadata, account);
  if filter is null and match_count <= 100 and pg_relation_size('crm.document_chunks') = 0 and not row_security_active('crm.documents') then
    effort := crm_internal.plain_index_effort(@schema:vector@.vector_dims(query_embedding));
  end if;
  if effort is not null then
    -- All vectors of the index are of these dimensions.
    perform frontdesk.check_search('crm.documents', query_embedding, null, match_count, match_threshold);
    effort := greatest(effort, coalesce(current_setting('hnsw.ef_search', true)::int, 40));
    return query
    select m.id, m.content, m.title, m.metadata, m.category, m.similarity
    from (select m.*, max(m.attempt) over () as last from crm_internal.match_by_index(query_embedding, match_count, effort) m) m
    where m.attempt = m.last and m.similarity > floor order by m.similarity desc, m.id limit match_count;
  else
    perform crm_internal.check_search(query_embedding, match_count, match_threshold);
    return query
    select m.* from crm_internal.match_filtered(query_embedding, filter, match_count) m
    where m.similarity > floor order by m.similarity desc, m.id limit match_count;
  end if;
end
$$;
comment on function crm.match_documents(@schema:vector@.vector, float8, int, varchar, jsonb, uuid) is
  'the active documents most like a vector: similarity (the cosine) above match_threshold, best first, match_count of '
  'them where so many exist. filter_metadata is a filter ({"budget_min": {"$gte": 70000}}), or what metadata must '
  'contain. For long documents content is the passage found';

do $$
begin
  if exists (select from pg_proc p where p.proname = 'match_documents_langchain' and p.pronamespace = 'crm'::regnamespace and not 'embedding' = any (p.proargnames)) then
    drop function crm.match_documents_langchain(@schema:vector@.vector, int, jsonb);
  end if;
end
$$;

create or replace function crm.match_documents_langchain(
  query_embedding @schema:vector@.vector, match_count int = null, filter jsonb = '{}')
returns table (id bigint, content text, metadata jsonb, similarity float8, embedding @schema:vector@.vector)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  wanted int := coalesce(match_count, 100);
begin
  if query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'query_embedding is null';
  end if;
  perform crm_internal.check_search(query_embedding, wanted, null);
  return query
  with n as materialized (
    select * from crm_internal.nearest_documents(query_embedding, crm_internal.search_filter(null, match_documents_langchain.filter, null), wanted))
  select m.* from (
    select d.id, d.content, d.metadata, n.similarity, d.embedding from n join crm.documents d on d.ctid = n.place where not n.passage
    union all
    select c.document_id, c.content, c.metadata, n.similarity, c.embedding from n join crm.document_chunks c on c.ctid = n.place where n.passage) m
  order by m.similarity desc, m.id limit wanted;
end
$$;
comment on function crm.match_documents_langchain(@schema:vector@.vector, int, jsonb) is
  'match_documents() in the shape that LangChain''s Python client calls: with the vectors, of which it chooses the '
  'most diverse (MMR). Without match_count the best 100, of which the client takes its limit';

create or replace function crm.match_documents_langchain_js(
  query_embedding @schema:vector@.vector, match_count int = null, filter jsonb = '{}')
returns table (id bigint, content text, metadata jsonb, embedding jsonb, similarity float8)
stable rows 10 language sql set search_path = pg_catalog, pg_temp as $$
  select m.id, m.content, m.metadata, m.embedding::text::jsonb, m.similarity
  from crm.match_documents_langchain(query_embedding, match_count, filter) m
  order by m.similarity desc, m.id
$$;
comment on function crm.match_documents_langchain_js(@schema:vector@.vector, int, jsonb) is
  'match_documents_langchain() for LangChain''s JavaScript client, which reads vectors as arrays of JSON: queryName: '
  '"match_documents_langchain_js"';

create or replace function crm.hybrid_search(
  query text, query_embedding @schema:vector@.vector = null, filter jsonb = null, count int = 10, filter_category text = null, account uuid = null)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float8, score float8)
stable rows 10 language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  condition jsonb := crm_internal.search_filter(filter_category, hybrid_search.filter, hybrid_search.account);
  -- What only one of the two lists has far down does not come up by being in the other.
  depth int := least(greatest(4 * hybrid_search.count, 40), 10000);
  config regconfig;
begin
  perform crm_internal.check_search(query_embedding, hybrid_search.count, null);
  perform crm_internal.check_text('the query', query, 10000);
  if query !~ E'\\S' then query := null; end if;
  if query is null and query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'neither a query nor an embedding is given';
  end if;
  if query_embedding is null then
    query_embedding := crm.embed_query(query, hybrid_search.account);
  end if;
  config := coalesce(
    (select case when count(distinct l.config) = 1 then min(l.config::oid)::regconfig end
     from (select crm.text_search_config(a.locale) as config from crm.accounts a where hybrid_search.account is null or a.id = hybrid_search.account) l),
    pg_catalog.get_current_ts_config());
  return query
  with found as materialized (
    select v.passage, v.place, row_number() over (order by v.similarity desc, v.passage, v.place) as position
    from crm_internal.nearest_documents(query_embedding, condition, depth) v where query_embedding is not null
    union all
    select w.passage, w.place, row_number() over (order by w.rank desc, w.passage, w.place)
    from (
      select false as passage, t.place, t.rank
      from frontdesk.find_words('crm.documents', 'words', null, query, config,
        '[{"column": "is_active", "is": true}, {"column": "embedding", "is_null": false}]', condition, depth, '{id}') t
      where query is not null
      union all
      select true, t.place, t.rank
      from frontdesk.find_words('crm.document_chunks', 'words', null, query, config, null, condition, depth, '{document_id,id}') t
      where query is not null) w
  ), fused as (
    -- Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009.
    select f.passage, f.place, sum(1 / (60.0 + f.position))::float8 as score
    from found f where f.position <= depth group by 1, 2
  ), best as (
    select r.* from (
      select d.id, d.content, d.title, d.metadata, d.category, d.embedding, f.score, 0 as part
      from fused f join crm.documents d on d.ctid = f.place where not f.passage
      union all
      select c.document_id, c.content, c.title, c.metadata, c.category, c.embedding, f.score, c.position
      from fused f join crm.document_chunks c on c.ctid = f.place where f.passage) r
    order by r.score desc, r.id, r.part limit hybrid_search.count
  )
  select b.id, b.content, b.title, b.metadata, b.category,
    case when @schema:vector@.vector_dims(b.embedding) = @schema:vector@.vector_dims(query_embedding)
         then 1 - (b.embedding operator(@schema:vector@.<=>) query_embedding) end, b.score
  from best b order by b.score desc, b.id, b.part;
end
$$;
comment on function crm.hybrid_search(text, @schema:vector@.vector, jsonb, int, text, uuid) is
  'the active documents and passages that answer a question best, by their words and by their vectors: both rankings '
  'are fused (score), so that a name or a number is found as well as a meaning. Without an embedding the account''s '
  'embedder makes one (crm.embed_query), and without an embedder the words decide alone; similarity is the cosine '
  'where there is an embedding';
