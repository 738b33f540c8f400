-- Room 60, knowledge: rows found by their words.

create or replace function frontdesk_internal.any_words(source regclass, words_column name, query text, config regconfig) returns tsquery
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  with w as (
    select w.lexeme, coalesce(f.frequency, 0) as frequency
    from unnest(to_tsvector(config, query)) w
    left join (
      select e.lexeme, e.frequency
      from pg_stats s join pg_class c on c.oid = source and c.relname = s.tablename and c.relnamespace::regnamespace::text = quote_ident(s.schemaname),
           unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) e (lexeme, frequency)
      where s.attname = words_column and e.lexeme is not null) f using (lexeme))
  -- What stands in every twentieth row tells little and costs much; alone it must do.
  select string_agg('''' || replace(replace(w.lexeme, E'\\', E'\\\\'), '''', '''''') || '''', ' | ')::tsquery
  from w where w.frequency <= greatest(0.05, (select min(v.frequency) from w v))
$$;
comment on function frontdesk_internal.any_words is 'internal: any of the words of a question that tell something';

create or replace function frontdesk.find_words(
  source regclass, words_column name, content_column name, query text, config regconfig, base jsonb, filter jsonb, count int, keys name[] = null)
returns table (home oid, place tid, rank float8)
stable rows 10 language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set jit = off as $$
declare
  all_of tsquery := websearch_to_tsquery(config, query);
  any_of tsquery;
  words text := case when words_column is not null then format('d.%I', words_column)
    else format('to_tsvector(%L::regconfig, d.%I)', config, content_column) end;
  ordered text[] := coalesce((select array_agg(quote_ident(k.name) order by k.n) from unnest(keys) with ordinality k (name, n)), frontdesk_internal.key_columns(source));
  -- Ranking reads every row found: of what is found in very many the first ones must do.
  statement text := format(
    'select array_agg(r.home), array_agg(r.place), array_agg(r.rank) from (
       select s.home, s.place, s.rank from (
         select d.tableoid as home, d.ctid as place, (%1$s @@ $2)::int + ts_rank(%1$s, $1, 1)::float8 as rank%2$s
         from %3$s d where %1$s @@ $1 and %4$s limit 2000) s
       order by s.rank desc, %5$s limit $3) r',
    words, (select string_agg(format(', d.%s as key%s', k.name, k.n), '') from unnest(ordered) with ordinality k (name, n)), source,
    coalesce(nullif(concat_ws(' and ', (frontdesk_internal.row_predicate(source, base)).predicate, (frontdesk_internal.row_predicate(source, filter)).predicate), ''), 'true'),
    (select string_agg(format('s.key%s', k.n), ', ') from unnest(ordered) with ordinality k (name, n)));
  homes oid[];
  places tid[];
  ranks float8[];
begin
  if numnode(all_of) = 0 then
    return;
  end if;
  execute statement into homes, places, ranks using all_of, all_of, count;
  -- A question seldom has all its words in the answer; whoever wrote operators meant them.
  if coalesce(cardinality(places), 0) < count and query !~* E'(^|\\s)-\\S|"|\\mor\\M' then
    any_of := frontdesk_internal.any_words(source, words_column, query, config);
    execute statement into homes, places, ranks using any_of || all_of, all_of, count;
  end if;
  return query select r.home, r.place, r.rank from unnest(homes, places, ranks) r (home, place, rank);
end
$$;
comment on function frontdesk.find_words is
  'the rows with these words, best first: those with all of them, then those with some; by table and place '
  '(tableoid, ctid). words_column is of type tsvector; null: the words of content_column. base and filter are '
  'conditions as those of find_nearest(). Reads with the rights of the caller';
