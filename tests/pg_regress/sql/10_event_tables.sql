-- Room 10, event: on every kind of table, whatever the statement, and whatever becomes of the table later.
\set SHOW_CONTEXT never
\pset null '(null)'
create view log as
select type, op, source, key, record, old_record from frontdesk.event order by id;

-- Schemas and quoting.

create schema "Sales Dept";
create table "Sales Dept"."Big ""Deals""" ("Id" int primary key, "Kunde's Name" text, "状態" text);
select frontdesk.watch('"Sales Dept"."Big ""Deals"""', entity => 'deal', state_column => '状態', columns => '{状態,"Kunde''s Name"}');
insert into "Sales Dept"."Big ""Deals""" values (1, 'O''Hara \ "x"', 'neu');
update "Sales Dept"."Big ""Deals""" set "状態" = 'won';
select * from log;

-- Generated columns are in the record.

create table items (id int generated always as identity primary key, net numeric, gross numeric generated always as (net * 1.19) stored);
select frontdesk.watch('items', entity => 'item', columns => '{gross}');
truncate frontdesk.event;
insert into items (net) values (100);
update items set net = 200;
update items set net = 200;
select type, record from log;

-- ON CONFLICT, MERGE, COPY, and statements with RETURNING, in a CTE, from a function.

create table stock (sku text primary key, n int);
select frontdesk.watch('stock');
truncate frontdesk.event;
insert into stock values ('a', 1) on conflict (sku) do update set n = stock.n + excluded.n;
insert into stock values ('a', 1) on conflict (sku) do update set n = stock.n + excluded.n;
insert into stock values ('a', 1) on conflict do nothing;
merge into stock s using (values ('a', 0), ('b', 5), ('c', 7)) v (sku, n) on s.sku = v.sku
when matched then delete
when not matched then insert values (v.sku, v.n);
merge into stock s using (values ('b', 6)) v (sku, n) on s.sku = v.sku when matched then update set n = v.n;
copy stock from stdin;
d	10
e	11
\.
with gone as (delete from stock where sku = 'e' returning *) insert into stock select 'f', n from gone;
do $$ begin update stock set n = 0 where sku = 'f'; end $$;
select type, key, record->'n' as n, old_record->'n' as old_n from log;

-- Savepoints and rolled back subtransactions leave only what was committed.

truncate frontdesk.event;
begin;
insert into stock values ('s1', 1);
savepoint a;
insert into stock values ('s2', 1);
rollback to a;
insert into stock values ('s3', 1);
release a;
do $$
begin
  insert into stock values ('s4', 1);
  insert into stock values ('s4', 1);
exception when unique_violation then
  insert into stock values ('s5', 1);
end
$$;
commit;
select type, key from log;

-- A change that is refused by a constraint is no event.

delete from stock;
alter table stock add check (n >= 0), add unique (n) deferrable initially deferred;
truncate frontdesk.event;
insert into stock values ('bad', -1);
begin;
insert into stock values ('one', 1), ('another', 1);
select count(*) from log;
commit;
select count(*) from log;

-- Triggers that change or suppress rows: the event is the row as it was stored. Our trigger fires before those that go on to
-- change rows themselves, so the order of the events is the order of the changes.

create table shouts (id int primary key, word text, at_home boolean default true);
create function shout() returns trigger language plpgsql as $$
begin
  new.word := upper(new.word);
  return case when new.word <> 'SILENCE' then new end;
end
$$;
create trigger shout before insert or update on shouts for each row execute function shout();
create function away() returns trigger language plpgsql as $$
begin
  update shouts set at_home = false where id = new.id;
  return null;
end
$$;
create trigger away after insert on shouts for each row execute function away();
select frontdesk.watch('shouts', entity => 'shout');
truncate frontdesk.event;
insert into shouts values (1, 'hey'), (2, 'silence');
select type, record, old_record from log;

-- Cascades of foreign keys.

create table parents (id int primary key);
create table children (id int primary key, parent int references parents on delete cascade on update cascade);
create table pets (id int primary key, parent int references parents on delete set null);
select frontdesk.watch('parents', entity => 'parent'), frontdesk.watch('children', entity => 'child'), frontdesk.watch('pets', entity => 'pet');
insert into parents values (1), (2);
insert into children values (1, 1), (2, 2);
insert into pets values (1, 2);
truncate frontdesk.event;
update parents set id = 10 where id = 1;
delete from parents where id = 2;
truncate parents cascade;
select type, key, record, old_record from log;

-- Partitioned tables: the root is watched; partitions made or attached later are too, whatever the order of their columns.

create table bookings (id int, at date, status text, primary key (id, at)) partition by range (at);
create table bookings_2025 partition of bookings for values from ('2025-01-01') to ('2026-01-01');
select frontdesk.watch('bookings', entity => 'booking', state_column => 'status', key_columns => '{id}');
create table bookings_2026 (note text, status text, at date not null, id int not null);
alter table bookings_2026 drop column note;
alter table bookings attach partition bookings_2026 for values from ('2026-01-01') to ('2027-01-01');
create table bookings_rest partition of bookings default partition by hash (id);
create table bookings_rest_0 partition of bookings_rest for values with (modulus 1, remainder 0);
truncate frontdesk.event;
insert into bookings values (1, '2025-05-05', 'new'), (2, '2026-05-05', 'new'), (3, '2030-05-05', 'new');
update bookings set status = 'paid' where id <> 3;
insert into bookings_2026 (id, at, status) values (4, '2026-06-06', 'direct');
-- A row that moves to another partition is deleted there and created here.
update bookings set at = '2026-05-06' where id = 1;
delete from bookings where id = 2;
-- TRUNCATE of the root is recorded; of a single partition it is not: PostgreSQL has no trigger for that.
truncate bookings_rest;
truncate bookings;
select type, op, source, key, record from log;
select source, entity, problem from frontdesk.watch where entity = 'booking';
alter table bookings detach partition bookings_2025;
insert into bookings_2025 values (9, '2025-01-01', 'detached');
select count(*) from log where key = '9';
select frontdesk.unwatch('bookings');
select count(*) from pg_trigger where tgname like '%frontdesk\_capture%' and tgrelid in (select oid from pg_class where relname like 'bookings%');

-- Columns added, renamed and dropped later: the next event follows the table, and so does the watch.

create table leads (id int primary key, name text, status text, phone text, secret text);
select frontdesk.watch('leads', entity => 'lead', state_column => 'status', columns => '{name,status}', redact => '{secret}');
insert into leads values (1, 'Ada', 'new', '1', 'x');
truncate frontdesk.event;
alter table leads add column score int default 42;
alter table leads drop column phone;
update leads set name = 'Ada L.';
alter table leads rename column status to stage;
alter table leads rename column secret to api_key;
alter table leads rename column id to lead_id;
update leads set stage = 'won';
alter table leads alter column name type varchar(20);
update leads set name = 'Countess';
alter table leads rename to prospects;
alter table prospects set schema "Sales Dept";
insert into "Sales Dept".prospects values (2, 'Grace', 'new', 'y', 1);
select type, source, key, record from log;
select * from frontdesk.watch where entity = 'lead';

-- A watch that was disabled, or enabled for replication too, stays so when it follows.

alter table "Sales Dept".prospects enable always trigger "!frontdesk_capture";
alter table "Sales Dept".prospects disable trigger "!frontdesk_capture_truncate";
alter table "Sales Dept".prospects rename column stage to phase;
alter table "Sales Dept".prospects rename column phase to stage;
select tgname, tgenabled from pg_trigger where tgrelid = '"Sales Dept".prospects'::regclass order by tgname;

-- A column that a watch names cannot be dropped unnoticed.

alter table "Sales Dept".prospects drop column stage;
\echo :SQLSTATE
select frontdesk.watch('"Sales Dept".prospects', entity => 'lead', redact => '{api_key}');
alter table "Sales Dept".prospects drop column stage;
truncate frontdesk.event;
insert into "Sales Dept".prospects values (3, 'Kurt');
select type, record from log;

-- After a restore the columns have other numbers, since dropped ones are gone: the watch is found by its names and learns the new.

create table restored (id int primary key, other text, status text);
create trigger _frontdesk_capture after insert or update on restored for each row execute function frontdesk_internal.capture(
  '{"entity": "restored", "operations": ["insert", "update"], "state": "status", "attnums": {"status": 2}}');
alter table restored rename column other to another;
alter table restored rename column status to stage;
truncate frontdesk.event;
insert into restored values (1, 'x', 'new');
update restored set stage = 'won';
select type, record from log;
select state_column, problem from frontdesk.watch where source = 'restored'::regclass;

-- Where it happens all the same (its type was dropped), the watch says so, and no change is ever refused.

create type color as enum ('red', 'blue');
create table cars (id int primary key, color color, tint color);
select frontdesk.watch('cars', entity => 'car', state_column => 'color', columns => '{color}', key_columns => '{id,tint}');
insert into cars values (1, 'red', 'red');
truncate frontdesk.event;
set client_min_messages = warning;
drop type color cascade;
reset client_min_messages;
update cars set id = 2;
select type, key, record from log;
select source, state_column, problem from frontdesk.watch where entity = 'car';
alter table cars disable trigger "!frontdesk_capture";
select source, problem from frontdesk.watch where entity = 'car';

-- Applied by replication: what others have done is not told again.

truncate frontdesk.event;
set session_replication_role = replica;
insert into stock values ('replica', 99);
reset session_replication_role;
select count(*) from log;

-- PREPARE TRANSACTION.

begin;
insert into stock values ('two-phase', 100);
prepare transaction 'regress_two_phase';
select count(*) from log;
commit prepared 'regress_two_phase';
select type, key from log;
begin;
insert into stock values ('rolled back', 101);
prepare transaction 'regress_two_phase';
rollback prepared 'regress_two_phase';
select type, key from log;

-- Big and toasted values: compared by content, and recorded whole.

create table docs (id int primary key, body text, title text);
alter table docs alter column body set storage external;
select frontdesk.watch('docs', entity => 'doc', columns => '{body}');
truncate frontdesk.event;
insert into docs values (1, repeat('x', 3000000), 'title');
update docs set title = 'changed';
update docs set body = repeat('x', 3000000);
update docs set body = repeat('y', 3000000);
select type, length(record->>'body') as length, left(record->>'body', 3) as body, length(old_record->>'body') as old_length from log;

-- A value too big for any webhook is left out, and the row is stored.

insert into docs values (2, repeat('z', 270000000), 'huge');
select type, key, record from log where key = '2';

-- Nothing in a row can refuse it: JSON that jsonb does not take, infinities, arrays, composites, ranges, XML, a NUL byte in bytea.

create type point3 as (x int, y int, z text);
create domain any_json as json;
create table zoo (id int primary key, j json, d any_json, f float8, n numeric, t timestamptz, a int[], p point3, r int4range, b bytea, c "char", bits bit(3));
select frontdesk.watch('zoo');
truncate frontdesk.event;
insert into zoo values (1, '{"b": 1, "a": [1, null]}', '{}', 'infinity', 'NaN', '-infinity', '{1,null}', (1, null, 'z'), '[1,5)', '\x00ff', 'q', '101');
insert into zoo (id, j, d) values (2, '{"nul": "\u0000"}', '"\ud800"');
insert into zoo (id, j) values (3, '1e1000000');
select type, key, record from log;

create type with_json as (j json, n int);
create table nested (id int primary key, a json[], c with_json, flags bool[]);
select frontdesk.watch('nested');
truncate frontdesk.event;
insert into nested values (1, array['{"a": 1}', '2']::json[], ('"x"', 1), '{t}'), (2, array['"\u0000"']::json[], ('"\u0000"', 1), '{f}');
insert into nested (id, flags) select 3, array_agg(true) from generate_series(1, 20000000);
select type, key, record from log;

-- Loosely typed keys: a boolean, a date, an array.

create table odd (id int, on_off boolean, day date, tags text[]);
select frontdesk.watch('odd', key_columns => '{on_off,day,tags}');
truncate frontdesk.event;
insert into odd values (1, true, '2026-01-02', '{a,"b c"}');
select key from log;

-- A key longer than an index could hold is cut, and still tells rows apart.

create table pages (url text, hits int);
select frontdesk.watch('pages', entity => 'page', key_columns => '{url}');
truncate frontdesk.event;
insert into pages select 'https://example.com/' || string_agg(md5(i::text), '') from generate_series(1, 1000) i;
insert into pages select url || '?' from pages;
select left(key, 30) as key, length(key) < 1100 as is_short, count(*) over () as keys from log order by 1;
select count(distinct key) from log;

-- A table without columns, an unlogged and a temporary one; children by inheritance are tables of their own.

create table nothing ();
create unlogged table fast (id int primary key);
create temp table short_lived (id int primary key);
create table base (id int);
create table derived (extra text) inherits (base);
select frontdesk.watch('nothing'), frontdesk.watch('fast'), frontdesk.watch('short_lived'), frontdesk.watch('base');
truncate frontdesk.event;
insert into nothing default values;
insert into fast values (1);
insert into short_lived values (1);
insert into base values (1);
insert into derived values (2, 'not watched');
update base set id = id + 10;
select type, key, record from log;

-- Dropping a table ends its watch.

drop table nothing, fast, derived, base;
select count(*) from frontdesk.watch where entity in ('nothing', 'fast', 'base');
