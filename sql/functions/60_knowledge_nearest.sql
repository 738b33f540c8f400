-- Room 60, knowledge: which way to the nearest rows is the faster one, and going it. The names that are put into SQL here
-- are quoted, and conditions are made by row_predicate(): no function that runs SQL takes a text of it.

create or replace function frontdesk_internal.vector_column(source regclass, wanted name, out name name, out halves boolean, out dimensions int)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  names name[];
begin
  select a.attname, a.atttypid = '@extschema:vector@.halfvec'::regtype, nullif(a.atttypmod, -1) into name, halves, dimensions
  from pg_attribute a
  where a.attrelid = source and a.attname = wanted and not a.attisdropped
    and a.atttypid in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype);
  if found then
    return;
  end if;
  select array_agg(a.attname order by a.attnum), bool_or(a.atttypid = '@extschema:vector@.halfvec'::regtype), max(a.atttypmod)
  into names, halves, dimensions
  from pg_attribute a
  where a.attrelid = source and a.attnum > 0 and not a.attisdropped and (wanted is null or a.attname = wanted)
    and a.atttypid in ('@extschema:vector@.vector'::regtype, '@extschema:vector@.halfvec'::regtype);
  if cardinality(names) = 1 then
    name := names[1];
    dimensions := nullif(dimensions, -1);
    return;
  end if;
  if names is not null then
    raise exception using errcode = 'ambiguous_column',
      message = format('%s has several columns of type vector', source),
      detail = array_to_string(names, ', ') || '.', hint = 'Name the one that is meant: embedding_column => ...';
  end if;
  raise exception using errcode = 'undefined_column',
    message = format('%s has no column %sof type vector', source, coalesce(quote_ident(wanted) || ' ', '')),
    hint = 'Tables with a column of type vector or halfvec can be searched.';
end
$$;
comment on function frontdesk_internal.vector_column is
  'internal: the vector column of a table, whether it is a halfvec, and its dimensions where the type says them';

create or replace function frontdesk.check_search(source text, embedding @extschema:vector@.vector, expected int[], count int, threshold float8) returns void
immutable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  given int;
begin
  if count is null or count not between 1 and 10000 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('the number of rows must be between 1 and 10000, not %s', coalesce(count::text, 'null'));
  end if;
  if threshold is not null and not threshold between 0 and 1 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('the threshold must be between 0 and 1, not %s', threshold),
      hint = 'Similarity is the cosine: 1 is the same direction, 0 has nothing in common.';
  end if;
  if embedding is not null then
    given := @extschema:vector@.vector_dims(embedding);
    if not given = any (expected) then
      raise exception using errcode = 'data_exception',
        message = format('the query''s embedding has %s dimensions, %s has %s', given, source, array_to_string(expected, ' or ')),
        hint = 'Embed the query with the model that embedded the documents.';
    end if;
    if @extschema:vector@.vector_norm(embedding) = 0 then
      raise exception using errcode = 'data_exception',
        message = 'the query''s embedding has no direction: all its numbers are 0';
    end if;
  end if;
end
$$;
comment on function frontdesk.check_search is
  'an error for what cannot be searched with: a vector of none of the expected dimensions or without a direction, a '
  'number of rows or a threshold out of range';

create or replace function frontdesk.vector_index(
  source regclass, name name, halves boolean, dimensions int, given int,
  out index regclass, out method name, out target text, out operand text, out condition text, out rough boolean)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
  place text := quote_ident(name);
begin
  for c in
    select i.indexrelid::regclass as index, am.amname,
           replace(pg_get_indexdef(i.indexrelid, 1, true), quote_ident('@extschema:vector@') || '.', '') as expression,
           replace(pg_get_expr(i.indpred, i.indrelid), quote_ident('@extschema:vector@') || '.', '') as predicate
    from pg_index i join pg_class k on k.oid = i.indexrelid join pg_am am on am.oid = k.relam
    join pg_opclass o on o.oid = i.indclass[0]
    where i.indrelid = source and i.indisvalid and am.amname in ('hnsw', 'ivfflat')
      and o.opcname in ('vector_cosine_ops', 'halfvec_cosine_ops')
    order by am.amname = 'hnsw' desc, o.opcname = 'vector_cosine_ops' desc, i.indexrelid
  loop
    continue when c.predicate <> format('(vector_dims(%s) = %s)', place, given);
    if c.expression = place and dimensions = given then
      target := 'd.' || place;
      operand := case when halves then '$1::@extschema:vector@.halfvec' else '$1' end;
    elsif c.expression = format('(%s::vector(%s))', place, given) and not halves then
      target := format('(d.%s::@extschema:vector@.vector(%s))', place, given);
      operand := '$1';
    elsif c.expression = format('(%s::halfvec(%s))', place, given) and not halves then
      target := format('(d.%s::@extschema:vector@.halfvec(%s))', place, given);
      operand := format('$1::@extschema:vector@.halfvec(%s)', given);
      rough := true;
    elsif c.expression = format('(subvector(%s, 1, 4000)::halfvec(4000))', place) and not halves and given > 4000 then
      target := format('(@extschema:vector@.subvector(d.%s, 1, 4000)::@extschema:vector@.halfvec(4000))', place);
      operand := '@extschema:vector@.subvector($1, 1, 4000)::@extschema:vector@.halfvec(4000)';
      rough := true;
    else
      continue;
    end if;
    index := c.index;
    method := c.amname;
    rough := coalesce(rough, false) or c.amname = 'ivfflat';
    condition := case when c.predicate is null then 'true'
                      else format('@extschema:vector@.vector_dims(d.%s) = %s', place, given) end;
    return;
  end loop;
end
$$;
comment on function frontdesk.vector_index is
  'the index by which a column''s vectors of this many dimensions are found (null: none), its method, and the '
  'expressions that make the planner use it; rough: what it finds must be compared again';

create or replace function frontdesk_internal.search_way(
  source regclass, index regclass, base jsonb, filter jsonb, wanted int,
  out way text, out reason text, out total float8, out matching float8)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  -- What one row costs in microseconds: looked at for the filter; read and compared; found by the index. The last one
  -- twice what was measured: what matches is often not near what is asked for.
  look_cost constant float8 := 0.7;
  exact_cost constant float8 := 8;
  index_cost constant float8 := 50;
  -- The index gives up after hnsw.max_scan_tuples; well before that it is not worth asking.
  most_visited constant float8 := 10000;
  pages float8;
  bound float8;
  share float8;
  exact_time float8;
  index_time float8;
  seen bigint;
  hits bigint;
  base_test text := (frontdesk_internal.row_predicate(source, base)).predicate;
  f record := frontdesk_internal.row_predicate(source, filter);
  -- What the policies of the table let through is not known.
  filtered boolean := f.predicate is not null or row_security_active(source);
begin
  select sum(p.pages), sum(case when p.relpages > 0 and p.reltuples >= 0 then p.reltuples / p.relpages * p.pages else p.pages * 10 end)
  into pages, total
  from (select c.relpages, c.reltuples, pg_relation_size(c.oid) / current_setting('block_size')::float8 as pages
        from (select source as relid union select t.relid from pg_partition_tree(source) t where t.isleaf) t
        join pg_class c on c.oid = t.relid where c.relkind <> 'p') p;
  total := coalesce(total, 0);
  way := 'exact';
  if index is null then
    reason := 'there is no index for vectors of these dimensions';
    return;
  end if;
  if not filtered then
    matching := total;
  elsif total >= 1000 and pages > 0 then
    -- Below the bound comparing every matching row is faster. A sample large enough to tell which side it is: ten rows there,
    -- and pages from all over, as rows written together are alike.
    bound := sqrt(total * wanted * index_cost / exact_cost);
    share := least(1, greatest(10 / bound, 500 / total, 60 / pages));
    execute format('select count(*), count(*) filter (where %s) from %s d tablesample system (%s)', concat_ws(' and ', base_test, coalesce(f.predicate, 'true')), source, 100 * share)
    into seen, hits;
    matching := total * hits / greatest(seen, 1);
  end if;
  if matching is null then
    reason := format('the table has %s rows only', total);
    return;
  end if;
  exact_time := matching * exact_cost + case when f.indexed then matching else total end * look_cost;
  index_time := wanted * total / greatest(matching, 1) * index_cost;
  if exact_time <= index_time then
    reason := format('about %s of %s rows match: they are compared one by one', round(matching), round(total));
  elsif wanted * total / matching > most_visited then
    reason := format('the index would visit about %s rows for %s that match', round(wanted * total / matching), wanted);
  else
    way := 'index';
    reason := case when not filtered then format('%s rows, no filter', round(total))
                   else format('about %s of %s rows match: the index finds %s soon', round(matching), round(total), wanted) end;
  end if;
end
$$;
comment on function frontdesk_internal.search_way is
  'internal: index or exact, whichever is faster for these conditions (see row_predicate), and why. The filter''s '
  'share is asked of a sample: the planner knows nothing of what stands inside a jsonb, nor that vectors are stored '
  'out of line';

create or replace function frontdesk_internal.dimensions_test(source regclass, name name, given int) returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  -- A generated column of them saves reading the vector for it.
  select coalesce(
    (select format('d.%I = %s', a.attname, given)
     from pg_attribute a join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
     where a.attrelid = source and a.attgenerated = 's'
       and replace(pg_get_expr(e.adbin, e.adrelid), quote_ident('@extschema:vector@') || '.', '') = format('vector_dims(%I)', name)
     limit 1),
    format('@extschema:vector@.vector_dims(d.%I) = %s', name, given))
$$;
comment on function frontdesk_internal.dimensions_test is 'internal: the predicate that a vector has this many dimensions';

create or replace function frontdesk_internal.nearest_query(
  source regclass, name name, given int, dimensions int, halves boolean, base text, filter text, keys text[],
  way text, target text, operand text, condition text, rough boolean)
returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  distance text := format('d.%I operator(@extschema:vector@.<=>) $1%s', name, case when halves then '::@extschema:vector@.halfvec' else '' end);
  columns text := (select string_agg(format(', d.%s as key%s', k.name, k.n), '') from unnest(keys) with ordinality k (name, n));
  sorting text := (select string_agg(format('s.key%s', k.n), ', ') from unnest(keys) with ordinality k (name, n));
  tests text := coalesce(nullif(concat_ws(' and ', base, filter), ''), 'true');
begin
  if way = 'index' and not rough then
    return format('select d.tableoid as home, d.ctid as place, %s as distance from %s d where %s and %s order by %s operator(@extschema:vector@.<=>) %s, %s limit $2',
      distance, source, condition, tests, target, operand, (select string_agg('d.' || k, ', ') from unnest(keys) k));
  elsif way = 'index' then
    return format('select s.home, s.place, s.distance from (select d.tableoid as home, d.ctid as place, %s as distance%s from %s d where %s and %s order by %s operator(@extschema:vector@.<=>) %s limit 2 * $2 + 20) s order by s.distance, %s limit $2',
      distance, columns, source, condition, tests, target, operand, sorting);
  end if;
  -- The subquery stands between the order and any index.
  return format('select s.home, s.place, s.distance from (select d.tableoid as home, d.ctid as place, %s as distance%s from %s d where d.%I is not null and %s and %s offset 0) s where s.distance <> ''NaN'' order by s.distance, %s limit $2',
    distance, columns, source, name, case when dimensions = given then 'true' else frontdesk_internal.dimensions_test(source, name, given) end, tests, sorting);
end
$$;
comment on function frontdesk_internal.nearest_query is
  'internal: the query that find_nearest() runs: $1 is the vector, $2 how many';

create or replace function frontdesk_internal.key_columns(source regclass) returns text[]
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  return coalesce(
    (select array_agg(quote_ident(a.attname) order by k.n)
     from pg_index i, unnest(i.indkey::int2[]) with ordinality k (attnum, n), pg_attribute a
     where i.indrelid = source and i.indisprimary and a.attrelid = source and a.attnum = k.attnum), '{ctid}');
end
$$;
comment on function frontdesk_internal.key_columns is 'internal: the columns of the primary key, quoted; ctid without one';

create or replace function frontdesk.find_nearest(
  source regclass, name name, embedding @extschema:vector@.vector, base jsonb, filter jsonb, count int, keys name[] = null,
  breadth int = 40, forced text = null)
returns table (home oid, place tid, distance float8, way text)
stable rows 10 language plpgsql
set search_path = pg_catalog, frontdesk, pg_temp
set enable_sort = on set jit = off
set hnsw.iterative_scan = strict_order set hnsw.ef_search = 40
set ivfflat.iterative_scan = relaxed_order set ivfflat.probes = 1 as $$
declare
  given int := @extschema:vector@.vector_dims(embedding);
  v record;
  i record;
  homes oid[];
  places tid[];
  distances float8[];
  base_test text := (frontdesk_internal.row_predicate(source, base)).predicate;
  filter_test text := (frontdesk_internal.row_predicate(source, filter)).predicate;
  ordered text[] := coalesce((select array_agg(quote_ident(k.name) order by k.n) from unnest(keys) with ordinality k (name, n)), frontdesk_internal.key_columns(source));
begin
  v := frontdesk_internal.vector_column(source, name);
  i := frontdesk.vector_index(source, v.name, v.halves, v.dimensions, given);
  if forced is null then
    forced := (frontdesk_internal.search_way(source, i.index, base, filter, count)).way;
  end if;
  if forced = 'index' and i.index is not null then
    -- All other ways sort. The planner takes them at times, not knowing what a vector stored out of line costs.
    perform set_config('enable_sort', 'off', true);
    if i.method = 'hnsw' then
      breadth := greatest(breadth, case when filter_test is null then 64 else 200 end, case when i.rough then 2 * count + 20 else count end);
      perform set_config('hnsw.ef_search', least(breadth, 1000)::text, true);
    else
      perform set_config('ivfflat.probes', greatest(1, ceil(sqrt((select substr(o.option, 7)::int from pg_class c, unnest(c.reloptions) o (option)
        where c.oid = i.index and o.option like 'lists=%'))))::text, true);
    end if;
    execute format('select array_agg(n.home), array_agg(n.place), array_agg(n.distance) from (%s) n',
      frontdesk_internal.nearest_query(source, v.name, given, v.dimensions, v.halves, base_test, filter_test, ordered, 'index', i.target, i.operand, i.condition, i.rough))
    into homes, places, distances using embedding, count;
    perform set_config('enable_sort', 'on', true);
    if cardinality(places) = count then
      return query select r.home, r.place, r.distance, 'index' from unnest(homes, places, distances) r (home, place, distance);
      return;
    end if;
  end if;
  -- Here too when the index gave up early: as many rows as there are is the promise.
  return query execute format('select n.home, n.place, n.distance, %L from (%s) n',
    case when forced = 'index' then 'exact, the index found too few' else 'exact' end,
    frontdesk_internal.nearest_query(source, v.name, given, v.dimensions, v.halves, base_test, filter_test, ordered, 'exact', null, null, null, null))
  using embedding, count;
end
$$;
comment on function frontdesk.find_nearest is
  'the rows nearest to a vector, by table and place (tableoid, ctid), nearest first, equally near ones by keys '
  '(null: the primary key). base and filter are conditions on the rows, a list of {"column": ...} with "is": value, '
  '"in": [values], "is_null": true or false, or "matches": filter; base holds for all rows that an index of vectors '
  'has. breadth: as hnsw.ef_search; forced: index or exact, null: whichever is faster. Reads with the rights of the '
  'caller';
