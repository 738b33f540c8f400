-- Room 10, event: a row that fits into its table can always be stored, whatever its record becomes; what does not fit into that is
-- left out, and named.
\set SHOW_CONTEXT never
\pset null '(null)'
create view log as
select type, op, key, record->'_truncated' as truncated, record - '_truncated' as record, old_record from frontdesk.event order by id;

-- Two kilobytes on disk, a gigabyte as text. With a condition too, which sees what is recorded.

create table ledger (id int primary key, payload jsonb, amount numeric, note text default 'kept');
select frontdesk.watch('ledger');
insert into ledger (id, payload) values (1, ('[' || repeat('9e131071,', 8199) || '1]')::jsonb);
insert into ledger (id, payload) values (2, ('{"deep": {"er": [' || repeat('-1e-16383,', 3000) || '1]}}')::jsonb);
insert into ledger (id, amount) values (3, 1e131071);
insert into ledger (id, payload, amount) values (4, '{"n": 100.00}', 1234567890123456.780);
update ledger set note = 'changed';
select op, key, truncated, pg_column_size(record) < 100000 as is_small, record - 'amount' as record from log order by key, op;
select frontdesk.watch('ledger', condition => '{"new.note": "kept"}');
truncate frontdesk.event;
insert into ledger (id, payload) values (5, ('[' || repeat('9e131071,', 8199) || '1]')::jsonb);
select key, truncated, record->>'note' as note from log;
-- Forty columns that fit alone and not together.
do $$
begin
  execute format('create table wide (id int primary key, %s)', (select string_agg(format('n%s numeric', n), ', ') from generate_series(1, 200) n));
end
$$;
select frontdesk.watch('wide');
truncate frontdesk.event;
do $$
begin
  execute format('insert into wide values (1, %s)', (select string_agg('1e131071', ', ') from generate_series(1, 200)));
end
$$;
select jsonb_array_length(truncated) between 50 and 150 as some, length(record::text) between 10000000 and 16777216 as fits from log;

-- Arrays of nulls, composites of nulls, ranges, and what is in them.

create type entry as (a int, b numeric, c text, d json);
do $$
begin
  execute format('create type many as (%s)', (select string_agg(format('a_column_with_quite_a_long_name_%s int', n), ', ') from generate_series(1, 1000) n));
end
$$;
create domain money_list as numeric[];
create table odd (id int primary key, flags bool[], manies many[], lines entry[], list money_list, range numrange, ranges nummultirange, nested int[][], document json);
select frontdesk.watch('odd');
truncate frontdesk.event;
insert into odd (id, flags) select 1, array_agg(null::bool) from generate_series(1, 5000000);
insert into odd (id, flags) select 2, array_agg(null::bool) from generate_series(1, 5);
insert into odd (id, manies) select 4, array_agg(m) from (select json_populate_record(null::many, '{}') as m from generate_series(1, 3000)) s;
insert into odd (id, lines) values (5, array[row(1, 1e131071, 'x', null), null, row(null, null, null, '{"a": 1e5}')]::entry[]);
insert into odd (id, lines) select 6, array_agg(row(n, 1e131071, 'x', null)::entry) from generate_series(1, 200) n;
insert into odd (id, list) select 7, array_agg(1e131071) from generate_series(1, 200);
insert into odd (id, list) values (8, '{1.50,NULL,NaN}');
insert into odd (id, range, ranges) values (9, '[1.0,2.50)', '{[1,2),[3,4)}');
insert into odd (id, ranges) select 10, range_agg(numrange(n * 1e131000, n * 1e131000 + 1)) from generate_series(1, 200) n;
insert into odd (id, nested) values (11, '{{1,2},{3,NULL}}');
insert into odd (id, document) values (12, ('[' || repeat('9e131071,', 8199) || '1]')::json);
insert into odd (id, document) values (13, (repeat('[', 3000) || repeat(']', 3000))::json);
insert into odd (id, document) values (14, '{"a": 1E2, "b": "\u00e9\n", "c": [true, null]}');
insert into odd (id, document) values (15, '{"nul": "\u0000"}');
update odd set id = id + 100;
delete from odd where id in (101, 104);
select op, key, truncated, case when length(record::text) < 1000 then jsonb_strip_nulls(record) end as record, jsonb_typeof(old_record) as old from log order by op, key::int;

-- What is redacted is not named as left out either; a column of the note's own name gives way to it.

create table secret (id int primary key, _truncated text, payload jsonb, hidden jsonb);
select frontdesk.watch('secret', redact => '{hidden}');
truncate frontdesk.event;
insert into secret select 1, 'mine', p, p from (select ('[' || repeat('9e131071,', 8199) || '1]')::jsonb) s (p);
insert into secret select 2, 'mine', '1', p from (select ('[' || repeat('9e131071,', 8199) || '1]')::jsonb) s (p);
select key, record from frontdesk.event order by id;

-- A text of many characters that are written with six; and what is large and plain.

create table texts (id int primary key, a text, b bytea);
select frontdesk.watch('texts');
truncate frontdesk.event;
insert into texts values (1, repeat(E'\x01', 2000000), null), (2, repeat(E'\x01', 3000000), null), (3, repeat('x', 15000000), null), (4, null, convert_to(repeat('x', 9000000), 'utf8')),
  (5, repeat('"', 8000000), null);
select key, truncated, length(record->>'a') as a, length(record->>'b') as b from log;

-- A key of a million digits stands for its row, and is short.

create table numbers (n numeric, d jsonb);
select frontdesk.watch('numbers', key_columns => '{n,d}');
truncate frontdesk.event;
insert into numbers values (1e131071, '1'), (2e131071, '1'), (1, ('[' || repeat('9e131071,', 8199) || '1]')::jsonb), (1, ('[' || repeat('9e131071,', 8199) || '2]')::jsonb);
select count(distinct key) as keys, max(length(key)) < 1100 as short from frontdesk.event;

-- An event of one's own is refused when it is larger than any record.

select frontdesk.emit('mine', ('[' || repeat('9e131071,', 8199) || '1]')::jsonb);
\echo :SQLSTATE
select frontdesk.emit('mine', ('{"a": [' || repeat('9e13,', 819) || '1]}')::jsonb) is not null;

-- A row whose value is nested deep is judged by the rest of it, by a watch's condition and by a filter.
create table deeply (id int primary key, state text, document jsonb);
select frontdesk.watch('deeply', condition => '{"new.state": "kept"}');
insert into deeply select n, case when n % 2 = 0 then 'kept' else 'left' end,
  (repeat('[', depth) || '1' || repeat(']', depth))::jsonb from unnest('{1,1,126,126,127,127,128,128,3000,3000}'::int[]) with ordinality d (depth, n);
select key, record->>'state' as state, frontdesk_internal.json_bytes(record->'document') as bytes from frontdesk.event where source = 'public.deeply' order by id;
update deeply set state = 'kept';
select count(*), min(length(record::text)) > 0 as readable from frontdesk.event where source = 'public.deeply' and op = 'U';
select frontdesk.filter_matches('{"new.document": {"$exists": true}, "new.state": "kept"}',
  jsonb_build_object('new', to_jsonb(d))) from deeply d where id = 10;
-- So is one whose keys look like marks of the parser.
insert into deeply values (20, 'kept', '{"$serde_json::private::Number": "x"}'), (21, 'kept', '{"$serde_json::private::RawValue": "{"}');
select key from frontdesk.event where source = 'public.deeply' and op = 'I' and key::int >= 20 order by id;
