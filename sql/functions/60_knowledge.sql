-- Room 60, knowledge: search over any table with a vector column, and the passages of a text.

create or replace function frontdesk.split_text(content text, size int = 1000, overlap int = 100) returns setof text
immutable parallel safe language c as 'MODULE_PATHNAME', 'split_text_wrapper';
comment on function frontdesk.split_text(text, int, int) is
  'the passages of a text: of at most size characters, cut between paragraphs, sentences or words where that is possible, each beginning with up to overlap characters of the one before';

create or replace function frontdesk.filter_predicate(filter jsonb, place text, containing boolean) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'filter_predicate_wrapper';
comment on function frontdesk.filter_predicate(jsonb, text, boolean) is
  'internal: compile_filter() over an SQL expression that is quoted already; containing: plain objects and arrays are what must be contained, as @> reads them';

create or replace function frontdesk.compile_filter(filter jsonb, "column" text) returns text
immutable parallel safe language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select frontdesk.filter_predicate(filter, (select string_agg(quote_ident(p.name), '.') from unnest(parse_ident("column")) p (name)), false)
$$;
comment on function frontdesk.compile_filter(jsonb, text) is
  'a filter as a predicate of SQL over this jsonb column (metadata, d.metadata), for a WHERE of yours: it answers as filter_matches() does, never raises whatever the column holds, and lets a GIN index find what is equal. $regex is refused';
