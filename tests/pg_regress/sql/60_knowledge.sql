-- Search over any table with a vector column, filters as SQL, and the passages of a text.
\set SHOW_CONTEXT never
create table notes (id int primary key, body text, info jsonb, v vector(3));
insert into notes values
  (1, 'red apples', '{"a": 1, "tags": ["fruit", "red"]}', '[1,0,0]'),
  (2, 'green pears', '{"a": 2, "tags": ["fruit"]}', '[0.6,0.8,0]'),
  (3, 'blue sky', '{"a": "many", "place": {"city": "Bonn", "zip": 53111}}', '[0,1,0]'),
  (4, 'no vector', '{"a": 4}', null),
  (5, 'the sky again', null, '[0,0.6,0.8]');

-- columns are found by themselves; a row without a vector is not near anything
select id, round(similarity::numeric, 4) as similarity, document from frontdesk.search_documents('notes', '[1,0,0]');
-- the filter is over the only jsonb column; a value that is no number raises nothing
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"a": {"$gte": 2}}');
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"tags": ["fruit"]}');
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"tags": {"$eq": ["fruit"]}}');
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"place": {"city": "Bonn"}}');
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"$or": [{"place.city": {"$in": ["Bonn", "Ulm"]}}, {"$not": {"a": {"$exists": true}}}]}');
select id from frontdesk.search_documents('notes', '[1,0,0]', threshold => 0.5, count => 10);
-- words alone, and both
select id, similarity from frontdesk.search_documents('notes', query => 'sky', content_column => 'body');
select id, round(similarity::numeric, 2) as similarity from frontdesk.search_documents('notes', '[0,1,0]', 'blue sky', config => 'english');
select id from frontdesk.search_documents('notes', query => 'where is the sky', config => 'english');
-- equal ones in the order of their key
insert into notes select n, 'same', '{}', '[0,0,1]' from generate_series(20, 10, -1) n;
select string_agg(id, ' ') from frontdesk.search_documents('notes', '[0,0,1]', count => 4);

-- other types and shapes: halfvec, a key of two columns, no key at all, partitions, several vectors
create table halves (a int, b text, h halfvec(2), primary key (a, b));
insert into halves values (1, 'x', '[1,0]'), (1, 'y', '[0,1]');
select id, similarity from frontdesk.search_documents('halves', '[1,0]');
create table keyless (t text, v vector);
insert into keyless values ('three', '[1,2,3]'), ('two', '[1,2]');
select document from frontdesk.search_documents('keyless', '[1,2]');
create table parts (id int primary key, v vector(2)) partition by hash (id);
create table parts_0 partition of parts for values with (modulus 2, remainder 0);
create table parts_1 partition of parts for values with (modulus 2, remainder 1);
insert into parts select n, array[n, 5 - n] from generate_series(1, 5) n;
select id from frontdesk.search_documents('parts', '[1,1]', count => 3);
create table two (id int primary key, v vector(2), w vector(2));
insert into two values (1, '[1,0]', '[0,1]');
select similarity from frontdesk.search_documents('two', '[1,0]', embedding_column => 'w');

-- an index is used where that is faster, and what it finds is what comparing all finds
create table many (id int primary key, kind text, metadata jsonb, v vector(8));
select setseed(0.5);
insert into many select n, 'k' || n % 6, jsonb_build_object('n', n, 'rare', n % 1000),
  (select array_agg(random() - 0.5) from generate_series(1, 8) where n > 0) from generate_series(1, 10000) n;
select way, reason from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]');
create index many_v on many using hnsw (v vector_cosine_ops);
analyze many;
select way, reason, index, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', count => 5);
select way, index, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', '{"rare": 7}', 5);
select way, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', '{"n": {"$gt": 5000}}', 5);
-- as many as there are, also where the index gives up
select way, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', '{"n": {"$gt": 9997}}', 5);
select count(*) from frontdesk.find_nearest('many', 'v', '[1,2,3,4,5,6,7,8]', null, '[{"column": "kind", "is": "none"}]', 5, '{id}', 40, 'index');
with q as (select v, id from many where id <= 20),
  a as (select q.id, s.id as found from q, frontdesk.search_documents('many', q.v, filter => '{"n": {"$gt": 2000}}', count => 5) s),
  e as (select q.id, m.id::text as found from q, lateral (select id from many where id > 2000 order by (v <=> q.v) + 0, id limit 5) m)
select count(*) >= 95 as recall from a join e using (id, found);
-- indexes of another shape: half precision, and by number of dimensions
drop index many_v;
create index many_half on many using hnsw ((v::halfvec(8)) halfvec_cosine_ops);
select way, index, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', count => 5);
select (select array_agg(id) from frontdesk.search_documents('many', '[1,2,3,4,5,6,7,8]', count => 5))
     = (select array_agg(id::text) from (select id from many order by (v <=> '[1,2,3,4,5,6,7,8]') + 0, id limit 5) m) as same;
drop index many_half;
alter table many alter v type vector;
create index many_8 on many using hnsw ((v::vector(8)) vector_cosine_ops) where vector_dims(v) = 8;
select way, index, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', count => 5);
select count(*) from frontdesk.search_documents('many', '[1,2]');
drop index many_8;
create index many_ivf on many using ivfflat ((v::vector(8)) vector_cosine_ops) with (lists = 25) where vector_dims(v) = 8;
select way, index, returned from frontdesk.explain_search('many', '[1,2,3,4,5,6,7,8]', count => 5);
-- the caller's settings are as they were
show enable_sort;
show hnsw.ef_search;

-- filters as SQL
select frontdesk.compile_filter('{"budget_min": {"$gte": 70000}, "job_type": "interim"}', 'd.metadata');
select frontdesk.compile_filter('{"a.b": {"$in": ["x", 1]}, "$not": {"c": {"$contains": "it''s \\ "}}}', '"My Column"');
select frontdesk.compile_filter('{}', 'm');
set check_function_bodies = off;
create function random_json(depth int) returns jsonb language sql volatile as $$
  select case (random() * case when depth > 0 then 8.9 else 5.9 end)::int
    when 0 then 'null' when 1 then to_jsonb(random() < 0.5) when 2 then to_jsonb((random() * 6)::int - 3)
    when 3 then to_jsonb(round((random() * 6 - 3)::numeric, 1)) when 4 then to_jsonb((array['', 'a', 'b', 'ab', 'aB', 'é', E'\\', '''', '"', 'A', '10'])[1 + (random() * 10)::int])
    when 5 then to_jsonb(1.0) when 6 then random_array(depth) when 7 then random_array(depth) else random_object(depth) end
$$;
create function random_array(depth int) returns jsonb language sql volatile as $$
  select coalesce(jsonb_agg(random_json(depth - 1)), '[]') from generate_series(1, (random() * 3)::int)
$$;
create function random_object(depth int) returns jsonb language sql volatile as $$
  select coalesce(jsonb_object_agg((array['a', 'b', '0', 'a"b', E'c\\'])[1 + (random() * 4)::int], random_json(depth - 1)), '{}') from generate_series(1, (random() * 4)::int)
$$;
create function random_filter(depth int) returns jsonb language plpgsql volatile as $$
declare
  key text := (select string_agg((array['a', 'b', '0', '-1', 'a"b', E'c\\'])[1 + (random() * 5)::int], '.') from generate_series(0, (random() * 2)::int));
  operator text := (array['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists', '$contains', '$starts_with', '$ends_with'])[1 + (random() * 11)::int];
  operand jsonb;
begin
  if depth > 0 and random() < 0.4 then
    return case (random() * 2)::int when 0 then jsonb_build_object('$and', jsonb_build_array(random_filter(depth - 1), random_filter(depth - 1)))
      when 1 then jsonb_build_object('$or', jsonb_build_array(random_filter(depth - 1), random_filter(depth - 1)))
      else jsonb_build_object('$not', random_filter(depth - 1)) end;
  end if;
  operand := case when operator in ('$in', '$nin') then random_array(2) when operator = '$exists' then to_jsonb(random() < 0.5)
    when operator in ('$gt', '$gte', '$lt', '$lte') then case when random() < 0.5 then to_jsonb((random() * 6)::int - 3) else '"a"' end
    when operator in ('$starts_with', '$ends_with') then to_jsonb((array['', 'a', 'b', E'\\', ''''])[1 + (random() * 4)::int])
    else random_json(2) end;
  return jsonb_build_object(key, case when random() < 0.2 then jsonb_build_object('$not', jsonb_build_object(operator, operand)) else jsonb_build_object(operator, operand) end);
end
$$;
do $$
declare
  f jsonb;
  m jsonb;
  answer boolean;
  yes int := 0;
begin
  perform setseed(0.25);
  for i in 1..3000 loop
    f := random_filter(2);
    m := case when random() < 0.9 then random_object(3) else random_json(2) end;
    execute format('select (%s) is true from (select $1 as m) x', frontdesk.compile_filter(f, 'm')) into answer using m;
    if answer <> frontdesk.filter_matches(f, m) then
      raise exception 'compile_filter says %, filter_matches % of % on %', answer, not answer, f, m;
    end if;
    yes := yes + answer::int;
  end loop;
  raise notice 'the same answer of 3000, both answers often: %', yes between 500 and 2500;
end
$$;

-- passages: none longer than the size, nothing lost, cut between words
select content from frontdesk.split_text(E'First sentence. Second sentence is longer.\n\nA paragraph of its own.', 30, 0) content;
select count(*), max(length(content)) from frontdesk.split_text(repeat('word ', 1000), 100, 20) content;
select count(*), sum(length(content)) from frontdesk.split_text(repeat('x', 300000)) content;
select count(*) from frontdesk.split_text('   ');
select count(*) from frontdesk.split_text(null);
select * from frontdesk.split_text('x', 0);
select * from frontdesk.split_text('x', 10, 10);
