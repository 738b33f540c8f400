-- Room 60, knowledge: search over any table with a vector column, and the passages of a text.

create or replace function frontdesk.split_text(content text, size int = 1000, overlap int = 100) returns setof text
immutable parallel safe language c as 'MODULE_PATHNAME', 'split_text_wrapper';
comment on function frontdesk.split_text is
  'the passages of a text: of at most size characters, cut between paragraphs, sentences or words where that is '
  'possible, each beginning with up to overlap characters of the one before';

create or replace function frontdesk_internal.filter_predicate(filter jsonb, place text, containing boolean) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'filter_predicate_wrapper';
comment on function frontdesk_internal.filter_predicate is
  'internal: compile_filter() over an SQL expression that is quoted already; containing: plain objects and arrays are '
  'what must be contained, as @> reads them';

create or replace function frontdesk.compile_filter(filter jsonb, "column" text) returns text
immutable parallel safe language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk_internal.filter_predicate(filter, (select string_agg(quote_ident(p.name), '.') from unnest(parse_ident("column")) p (name)), false)
$$;
comment on function frontdesk.compile_filter is
  'a filter as an SQL predicate over this jsonb column (metadata, d.metadata), for a WHERE of yours: it agrees with '
  'filter_matches(), never raises an error whatever the column holds, and can use a GIN index for equality. $regex is '
  'refused';

create or replace function frontdesk_internal.row_predicate(source regclass, conditions jsonb, out predicate text, out indexed boolean)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c jsonb;
  a record;
  test text;
begin
  indexed := false;
  for c in select e.value from jsonb_array_elements(conditions) e loop
    select format('d.%I', x.attname) as place, x.atttypid::regtype as type into a from pg_attribute x
    where x.attrelid = source and x.attname = c->>'column' and x.attnum > 0 and not x.attisdropped;
    if not found then
      raise exception using errcode = 'undefined_column',
        message = format('%s has no column "%s"', source, c->>'column');
    end if;
    if c ? 'matches' and a.type = 'jsonb'::regtype then
      test := frontdesk_internal.filter_predicate(c->'matches', a.place, true);
      indexed := indexed or test ~ ' @> ' and test !~ E'\\) (or|is not true)';
    elsif c->'is_null' in ('true', 'false') then
      test := format('%s is %s', a.place, case c->>'is_null' when 'true' then 'null' else 'not null' end);
    elsif c ?| '{is,in}' and a.type = any ('{boolean,smallint,integer,bigint,text,varchar,uuid}'::regtype[]) then
      test := case when c ? 'is' then format('%s = %L::%s', a.place, c->>'is', a.type)
        else format('%s = any (%L::%s[])', a.place, array(select jsonb_array_elements_text(c->'in')), a.type) end;
      indexed := indexed or a.type <> 'boolean'::regtype;
    else
      raise exception using errcode = 'invalid_parameter_value',
        message = format('invalid condition on column "%s" of %s', c->>'column', source),
        detail = left(c::text, 200);
    end if;
    predicate := concat_ws(' and ', predicate, test);
  end loop;
end
$$;
comment on function frontdesk_internal.row_predicate is
  'internal: conditions over a row d as SQL: a list of {"column": ...} with "is": value, "in": [values], "is_null": '
  'true or false, or "matches": filter. Nothing in them is taken for SQL; indexed: an index other than of vectors may '
  'find the rows';

create or replace function frontdesk_internal.search_columns(
  source regclass, embedding_column name, content_column name, metadata_column name, config regconfig,
  out name name, out halves boolean, out dimensions int, out words_column name, out content name, out metadata name, out shown text)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  texts name[];
  jsons name[];
  vectors name[];
  shown_columns text[];
  kind "char" := (select r.relkind from pg_class r where r.oid = source);
begin
  -- Rows are told apart by their place, which those of a view do not have.
  if kind <> all ('{r,p,m}') then
    raise exception using errcode = 'wrong_object_type',
      message = format('%s is a %s, and has no rows of its own that could be searched', source,
        case kind when 'v' then 'view' when 'f' then 'foreign table' when 'c' then 'type' else 'relation of another kind' end),
      hint = 'Search the table that it reads, or a materialized view of it.';
  end if;
  for c in
    select a.attname, a.atttypid::regtype as type, a.atttypid in ('text'::regtype, 'varchar'::regtype) as is_text
    from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped order by a.attnum
  loop
    if c.type in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype) then
      vectors := vectors || c.attname;
    elsif c.type = 'tsvector'::regtype then
      words_column := coalesce(words_column, case when content_column is null or content_column = c.attname then c.attname end);
    else
      shown_columns := shown_columns || quote_ident(c.attname);
      if c.type = 'jsonb'::regtype then jsons := jsons || c.attname; end if;
      if c.is_text then texts := texts || c.attname; end if;
    end if;
  end loop;
  if content_column is not null and not content_column = any (coalesce(texts, '{}') || coalesce(words_column, '')) then
    raise exception using errcode = 'undefined_column',
      message = format('%s has no column %I of type text or tsvector', source, content_column);
  end if;
  if metadata_column is not null and not metadata_column = any (coalesce(jsons, '{}')) then
    raise exception using errcode = 'undefined_column',
      message = format('%s has no column %I of type jsonb', source, metadata_column);
  end if;
  content_column := coalesce(content_column, case when 'content' = any (texts) then 'content' when cardinality(texts) = 1 then texts[1] end);
  content := content_column;
  metadata := coalesce(metadata_column, case when 'metadata' = any (jsons) then 'metadata' when cardinality(jsons) = 1 then jsons[1] end);
  shown := (select string_agg('d.' || s.name, ', ') from unnest(shown_columns) s (name));
  -- A table without vectors can be searched by its words.
  if vectors is not null or embedding_column is not null or coalesce(words_column, content) is null then
    select v.name, v.halves, v.dimensions into name, halves, dimensions from frontdesk_internal.vector_column(source, embedding_column) v;
  end if;
end
$$;
comment on function frontdesk_internal.search_columns is 'internal: which columns of a table search_documents() works with';

create or replace function frontdesk_internal.search_filter(source regclass, filter jsonb, metadata name) returns jsonb
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if filter is null or filter = '{}' then
    return null;
  end if;
  if metadata is null then
    raise exception using errcode = 'undefined_column',
      message = format('%s has no column of type jsonb for the filter', source),
      hint = 'Name it: metadata_column => ...';
  end if;
  return jsonb_build_array(jsonb_build_object('column', metadata, 'matches', filter));
end
$$;
comment on function frontdesk_internal.search_filter is 'internal: the conditions of a filter over the rows of a table';

create or replace function frontdesk.search_documents(
  source regclass, query_embedding @extschema:vector@.vector = null, query text = null, filter jsonb = null, count int = 10,
  threshold float8 = null, embedding_column name = null, content_column name = null, metadata_column name = null,
  config regconfig = null)
returns table (id text, similarity float8, score float8, document jsonb)
stable rows 10 language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  words_config regconfig := coalesce(config, get_current_ts_config());
  c record;
  condition jsonb;
  keys text[];
  depth int;
  given int := @extschema:vector@.vector_dims(query_embedding);
begin
  c := frontdesk_internal.search_columns(source, embedding_column, content_column, metadata_column, words_config);
  perform frontdesk.check_search(source::text, query_embedding, array[coalesce(c.dimensions, given)], search_documents.count, threshold);
  if query !~ E'\\S' then query := null; end if;
  if length(query) > 10000 then
    raise exception using errcode = 'string_data_right_truncation',
      message = format('the query has %s characters', length(query)),
      hint = 'At most 10000.';
  end if;
  if query is null and query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'neither a query nor an embedding is given';
  end if;
  if query is not null and coalesce(c.words_column, c.content) is null then
    raise exception using errcode = 'undefined_column',
      message = format('%s has no column whose words could be searched', source),
      hint = 'Name one of type text or tsvector: content_column => ...';
  end if;
  if query_embedding is not null and c.name is null then
    perform frontdesk_internal.vector_column(source, null);
  end if;
  condition := frontdesk_internal.search_filter(source, filter, c.metadata);
  keys := frontdesk_internal.key_columns(source);
  depth := case when query is null or query_embedding is null then search_documents.count
                else least(greatest(4 * search_documents.count, 40), 10000) end;
  return query execute format(
    'with found as materialized (
       select n.home, n.place, n.position
       from frontdesk.find_nearest(%1$L, %2$L, $1, null, $7, $3, null, $5) with ordinality n (home, place, distance, way, position)
       where $1 is not null
       union all
       select w.home, w.place, w.position
       from frontdesk.find_words(%1$L, %3$L, %4$L, $2, %5$L, null, $7, $3) with ordinality w (home, place, rank, position)
       where $2 is not null
     ), fused as (
       select f.home, f.place, sum(1 / (60.0 + f.position))::float8 as score from found f group by 1, 2)
     select r.id, r.similarity, r.score, r.document from (
       select concat_ws('','', %6$s) as id, %7$s as similarity, f.score, (select to_jsonb(x) from (select %8$s) x) as document, %9$s
       from fused f join %1$s d on d.ctid = f.place and d.tableoid = f.home) r
     where $4 is null or r.similarity > $4 order by r.score desc, %10$s limit $6',
    source, c.name, c.words_column, c.content, words_config,
    (select string_agg('d.' || k, ', ') from unnest(keys) k),
    case when query_embedding is null or c.name is null then 'null::float8'
         else format('case when @extschema:vector@.vector_dims(d.%1$I) = %2$s then 1 - (d.%1$I operator(@extschema:vector@.<=>) $1%3$s) end',
                     c.name, given, case when c.halves then '::@extschema:vector@.halfvec' else '' end) end,
    c.shown, (select string_agg(format('d.%s as key%s', k.name, k.n), ', ') from unnest(keys) with ordinality k (name, n)),
    (select string_agg('r.key' || k.n, ', ') from unnest(keys) with ordinality k (name, n)))
  using query_embedding, query, depth, threshold, coalesce(current_setting('hnsw.ef_search', true)::int, 40), search_documents.count, condition;
end
$$;
comment on function frontdesk.search_documents is
  'the rows of any table with a vector column that are most like a vector, or have the words of a query, or both (the '
  'two rankings fused), best first. filter is over a jsonb column. Columns are found automatically (metadata, '
  'content, the only one of their type); name them where that is ambiguous. document is the row without vectors. '
  'Reads with the rights of the caller';

create or replace function frontdesk.explain_search(
  source regclass, query_embedding @extschema:vector@.vector, filter jsonb = null, count int = 10, embedding_column name = null,
  metadata_column name = null,
  out way text, out reason text, out index regclass, out total_rows bigint, out matching_rows bigint, out returned int, out milliseconds numeric)
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  w record;
  condition jsonb;
  began timestamptz;
begin
  if query_embedding is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'query_embedding is null';
  end if;
  c := frontdesk_internal.search_columns(source, embedding_column, null, metadata_column, get_current_ts_config());
  perform frontdesk.check_search(source::text, query_embedding, array[coalesce(c.dimensions, @extschema:vector@.vector_dims(query_embedding))], explain_search.count, null);
  condition := frontdesk_internal.search_filter(source, filter, c.metadata);
  index := (frontdesk.vector_index(source, c.name, c.halves, c.dimensions, @extschema:vector@.vector_dims(query_embedding))).index;
  w := frontdesk_internal.search_way(source, index, null, condition, explain_search.count);
  total_rows := w.total;
  matching_rows := w.matching;
  reason := w.reason;
  began := clock_timestamp();
  select min(n.way), pg_catalog.count(*) into way, returned
  from frontdesk.find_nearest(source, c.name, query_embedding, null, condition, explain_search.count, null, coalesce(current_setting('hnsw.ef_search', true)::int, 40)) n;
  milliseconds := round(extract(epoch from clock_timestamp() - began) * 1000, 2);
  way := coalesce(way, w.way);
end
$$;
comment on function frontdesk.explain_search is
  'which way search_documents() takes to these rows: by which index or exactly, why, how many rows it thinks match (a '
  'sample says so), how many it found and how long that took';
