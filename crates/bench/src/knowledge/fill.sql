-- :rows documents of 1536 dimensions: 300 topics, each with its own scatter; words by Zipf's law; a category that goes
-- with the topic for one half and not for the other; metadata that goes with nothing.
set client_min_messages = warning;
select frontdesk.install_crm();
-- The index is built by the bench, when it is its turn.
select frontdesk.alter_job(j.id, active => false) from frontdesk.jobs j where j.name = 'crm: vector indexes';
select setseed(0.42);
create schema bench;
create table bench.pool as
  select n, array_agg(random_normal())::vector as v from generate_series(1, 3300) n, generate_series(1, 1536) d group by n;
create unique index on bench.pool (n);
create function bench.scale(v vector, factor float8) returns vector immutable language sql as $$
  select v * array_fill(factor, array[1536])::vector
$$;
create function bench.share(n int, seed int, of int) returns int immutable language sql as $$
  select (hashint8(n::bigint * 1000003 + seed)::bigint & 2147483647) % of
$$;
insert into crm.documents (content, title, category, metadata, embedding)
select 'Document ' || g.n || ' ' || (select string_agg('w' || floor(20000 ^ random())::int, ' ') from generate_series(1, 60) where g.n > 0), 'Title ' || g.n,
  (array['policy', 'product', 'faq', 'procedure', 'vacancy', 'general'])[1 + case when g.n % 2 = 0 then t.topic else bench.share(g.n, 1, 6) end % 6],
  jsonb_build_object('percent', bench.share(g.n, 2, 100), 'permille', bench.share(g.n, 3, 1000), 'price', bench.share(g.n, 4, 100000),
    'source', 'handbook.pdf', 'tags', jsonb_build_array('t' || g.n % 10)),
  l2_normalize(p.v + bench.scale(q.v, 0.7) + bench.scale(r.v, 0.5))
from generate_series(1, :rows) g (n), lateral (select 1 + bench.share(g.n, 0, 300) as topic) t
join bench.pool p on p.n = t.topic
join lateral (select v from bench.pool where pool.n = 301 + (g.n * 17) % 3000) q on true
join lateral (select v from bench.pool where pool.n = 301 + (g.n / 3000 * 7 + g.n * 13) % 3000) r on true;
vacuum analyze crm.documents;
-- Vectors in their rows, as a client's parameter is: not to be fetched from elsewhere each time that they are looked at.
create table bench.query (n bigint primary key, v vector, category text, words text);
alter table bench.query alter v set storage plain;
insert into bench.query
  select row_number() over (order by d.id) as n, l2_normalize(d.embedding + bench.scale(p.v, 0.02)) as v, d.category::text as category,
    (select string_agg(w, ' ') from (select w from unnest(string_to_array(d.content, ' ')) with ordinality u (w, i) where i between 10 and 13) s) as words
  from (select * from crm.documents order by hashint8(id) limit 200) d join bench.pool p on p.n = 301 + d.id % 3000;

-- As the seed has it.
create function bench.seed_match_documents(
  query_embedding vector(1536), match_threshold float default 0.78, match_count int default 5, filter_category varchar default null,
  filter_metadata jsonb default null)
returns table (id bigint, content text, title varchar, metadata jsonb, category varchar, similarity float) language plpgsql as $$
#variable_conflict use_column
begin
  return query
  select documents.id, documents.content, documents.title, documents.metadata, documents.category,
    1 - (documents.embedding <=> query_embedding) as similarity
  from crm.documents
  where documents.is_active = true
    and (filter_category is null or documents.category = filter_category)
    and (filter_metadata is null or documents.metadata @> filter_metadata)
    and 1 - (documents.embedding <=> query_embedding) > match_threshold
  order by similarity desc limit match_count;
end
$$;

-- $1 is a vector, $2 its category, $3 some words of its document. Each statement is parsed and planned, as a client's is.
create function bench.times(statement text, times int, out p50 numeric, out fewest bigint) language plpgsql as $$
declare
  q bench.query;
  began timestamptz;
  taken float8[];
  returned bigint;
begin
  for i in 0..times loop
    select * into q from bench.query where n = 1 + i % 200;
    began := clock_timestamp();
    execute 'select count(similarity) from (' || statement || ') s' into returned using q.v, q.category, q.words;
    if i > 0 then
      taken := taken || extract(epoch from clock_timestamp() - began)::float8 * 1000;
      fewest := least(fewest, returned);
    end if;
  end loop;
  p50 := round((select percentile_cont(0.5) within group (order by t) from unnest(taken) t)::numeric, 2);
end
$$;

create function bench.recall(statement text, condition text, times int) returns numeric language plpgsql as $$
declare
  q bench.query;
  got float8[];
  best float8[];
  hits bigint := 0;
  wanted bigint := 0;
begin
  for i in 1..times loop
    select * into q from bench.query where n = i;
    execute 'select array_agg(similarity) from (' || statement || ') s' into got using q.v, q.category;
    execute 'select array_agg(similarity) from (select 1 - (d.embedding <=> $1) as similarity from crm.documents d where ' || condition
      || ' order by (d.embedding <=> $1) + 0 limit 5) s' into best using q.v, q.category;
    hits := hits + (select count(*) from unnest(got) s where s >= best[cardinality(best)] - 1e-6);
    wanted := wanted + cardinality(best);
  end loop;
  return round(hits::numeric / wanted, 3);
end
$$;
