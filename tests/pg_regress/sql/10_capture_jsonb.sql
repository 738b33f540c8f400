-- What is recorded of a row is what to_jsonb() makes of it, byte for byte, whatever its types, in a session whose settings are those of the spelling that
-- all records have: names of relations with their schema, times in UTC.
create type mood as enum ('calm', 'in a "hurry"');
create type pair as (a int, b text);
create type shape as (side numeric);
create domain short as varchar(10);
create domain amounts as numeric[];
create function shape_json(shape) returns json immutable language sql as $$ select json_build_object('side', $1.side) $$;
create table everything (
  id bigint primary key, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(12, 2), t text, v varchar(20), c char(5), s short, nm name,
  d date, ts timestamp, tz timestamptz, tm time, iv interval, u uuid, j json, jb jsonb, jb2 jsonb, ba bytea, ip inet, m mood, p pair, q shape,
  ints int[], texts text[], grid int[][], moods mood[], pairs pair[], am amounts, r int4range, x xml, bits bit(3), money money, o oid, k regclass, "Größe" text, "a b" int,
  l1 text, l2 text, gone int, secret text);
alter table everything drop column gone;
select frontdesk.watch('everything', redact => '{secret}');
insert into everything (id) values (1);
insert into everything values (2, true, -1, 2147483647, -9223372036854775808, 1.5, 'nan', 'Infinity', 3.10, 'é "quoted" \ and a' || chr(10) || 'line 🙂', 'v', 'c', 'domain', 'name',
  '2026-02-28', 'infinity', '2026-03-01 12:00+02', '13:14:15.5', '1 mon 2 days', '00000000-0000-4000-8000-000000000001', '[1, {"a": null}]', '"scalar"', '{"b": [1.50, true], "a": {}}',
  '\x00ff', '10.0.0.0/8', 'in a "hurry"', '(1,"x y")', '(2.50)', '{1,NULL,3}', '{a,"b c",NULL}', '{{1,2},{3,4}}', '{calm}', array[row(1, 'z')::pair], '{1.0,2.00}', '[1,5)', '<a/>', '101', '12.34', 42,
  'everything', 'groß', 7, repeat('long ', 2000), repeat('x', 300), 'hidden');
insert into everything (id, b, f8, n, t, j, jb, jb2, ints) values (3, false, '-infinity', 'nan', '', '12.0', 'null', '[]', '{}');
-- A cast to json that is made later counts from then on.
create cast (shape as json) with function shape_json(shape);
insert into everything (id, q, n) values (4, '(7)', 100000000000000000000.000);
-- Columns that are added later, with a default that old rows do not hold.
alter table everything add column added int default 5;
update everything set t = 'again' where id in (1, 2);
-- Many rows with what is null in turn, so that every entry of the object falls on every place.
insert into everything (id, b, i2, i4, n, t, jb, ts, ints)
select 10 + n, case when n % 2 = 0 then n % 3 = 0 end, nullif(n % 7, 0), nullif(n % 5, 0) * 100000, case when n % 4 > 0 then n / 7.0 end, repeat('ab', n % 9),
  case n % 6 when 0 then '1'::jsonb when 1 then '{"x": [1, "y"]}' when 2 then '"s"' when 3 then 'true' end, timestamp '2026-01-01' + n * interval '1 hour', array[n, n * 2]
from generate_series(1, 300) n;
create view recorded as
select e.op, e.record, to_jsonb(whole) - 'secret' || case when whole.k is null then '{}'::jsonb else '{"k": "public.everything"}' end as expected, e.old_record from frontdesk.event e join everything whole on whole.id::text = e.key where e.source = 'public.everything';
select op, count(*), count(*) filter (where record = expected), count(*) filter (where record::text = expected::text),
  count(*) filter (where md5(jsonb_send(record)) = md5(jsonb_send(expected)) and pg_column_size(record || '{}') = pg_column_size(expected || '{}'))
from recorded where op = 'U' or record->>'id' not in ('1', '2') and record ? 'added' group by op order by op;
select count(*), bool_and(record || '{"added": 5}' = expected) from recorded where op = 'I' and not record ? 'added' and record->>'id' not in ('1', '2');
select old_record ? 'secret', old_record->>'t', record->>'t', old_record->'jb2'->'b'->0, old_record->'q', record->'q' from recorded where op = 'U' order by record->'id';
-- Every key is found, which is what the order of the keys is for.
select count(*) from recorded r, jsonb_each(r.record) f where r.record->f.key is distinct from f.value or not r.record ? f.key;
-- A condition sees what is redacted.
select frontdesk.watch('everything', redact => '{secret}', condition => '{"new.secret": "opened"}');
insert into everything (id, secret) values (1001, 'opened'), (1002, 'shut');
select key, record ? 'secret' from frontdesk.event where key in ('1001', '1002');
drop table everything cascade;
drop cast (shape as json);
drop function shape_json;
drop type pair, shape, mood;
drop domain short, amounts;
