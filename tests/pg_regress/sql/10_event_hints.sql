-- Room 10, event: a trigger's argument is a hint, never an authority: what a watch names is looked up in the catalog, and what cannot be found sends nothing.
\set SHOW_CONTEXT never
\pset null '(null)'
create view log as select type, key, tenant, record, old_record from frontdesk.event order by id;

-- A tenant is read from a column of type uuid alone.

create table ten (id int primary key, org uuid, p bigint);
select frontdesk.watch('ten', tenant_column => 'org');
insert into ten values (1, '00000000-0000-4000-8000-000000000001', 4711);
alter table ten alter org type bigint using 4711;
insert into ten values (2, 140000000000000, 4711);
alter table ten alter org type text using org::text;
insert into ten values (3, 'x', 4711);
select type, key, tenant from log;
select source, problem from frontdesk.watch;
select frontdesk.unwatch('ten');
truncate frontdesk.event;
create trigger by_hand after insert on ten for each row execute function frontdesk_internal.capture('{"entity": "ten", "operations": ["insert"], "tenant": "p", "attnums": {}, "state": "nothing", "key": ["gone", "id"], "columns": ["gone"]}');
insert into ten values (4, 'x', 4711);
select type, key, tenant from log;
select source, tenant_column, problem from frontdesk.watch;
drop trigger by_hand on ten;

-- Nor does it record events of the engine's, or of a type that is none.

create trigger by_hand after insert on ten for each row execute function frontdesk_internal.capture('{"entity": "endpoint", "operations": ["insert"]}');
insert into ten values (5);
\echo :SQLSTATE
create or replace trigger by_hand after insert on ten for each row execute function frontdesk_internal.capture('{"entity": "x\",\"injected\":\"y", "operations": ["insert"]}');
insert into ten values (5);
create or replace trigger by_hand after insert on ten for each row execute function frontdesk_internal.capture('null');
insert into ten values (5);
create or replace trigger by_hand after insert on ten for each row execute function frontdesk_internal.capture();
insert into ten values (5);
drop table ten;

-- What is to be left out is left out under its new name, also where the name came by inheritance.

create table person (id int primary key, secret text);
create table patient (ward text) inherits (person);
select frontdesk.watch('patient', redact => '{secret}', key_columns => '{id}');
truncate frontdesk.event;
insert into patient values (1, 'hush', 'w');
alter table person rename column secret to diagnosis;
insert into patient values (2, 'hush', 'w');
select key, record from log;
select redact, problem from frontdesk.watch;
-- Where nobody noticed, nothing of the row is recorded, and the watch says why.
alter event trigger frontdesk_watch_follow disable;
alter table person rename column diagnosis to finding;
insert into patient values (3, 'hush', 'w');
update patient set ward = 'x' where id = 3;
select type, key, record, old_record from log where key = '3';
select redact, problem from frontdesk.watch;
alter event trigger frontdesk_watch_follow enable;
alter table person rename column finding to results;
insert into patient values (4, 'hush', 'w');
select key, record from log where key = '4';
-- A column that is gone has no secret.
alter event trigger frontdesk_watch_guard disable;
alter table person drop column results;
alter event trigger frontdesk_watch_guard enable;
insert into patient values (5, 'w');
select key, record from log where key = '5';
drop table person cascade;

-- Our trigger fires first, whatever others are called: the events of a row have the order of its changes, the last of them its last state.

create table orders (id int primary key, state text);
create function progress() returns trigger language plpgsql as $$
begin
  if new.state = 'new' then
    update orders set state = 'checked' where id = new.id;
  elsif new.state = 'checked' then
    update orders set state = 'done' where id = new.id;
  end if;
  return null;
end
$$;
create trigger "#progress" after insert or update on orders for each row execute function progress();
select frontdesk.watch('orders', entity => 'order', state_column => 'state');
truncate frontdesk.event;
insert into orders values (1, 'new');
select type, record->>'state' as state, old_record->>'state' as before from log;
select problem from frontdesk.watch;
alter trigger "#progress" on orders rename to " progress";
select problem from frontdesk.watch;
-- A watch as an older version made it is called as it is now, when it is declared again.
drop table orders;
create table old (id int primary key);
create trigger _frontdesk_capture after insert on old for each row execute function frontdesk_internal.capture('{"entity": "old", "operations": ["insert"], "attnums": {}}');
insert into old values (1);
select frontdesk.watch('old');
insert into old values (2);
select key from log where type = 'old.created';
select tgname from pg_trigger where tgrelid = 'old'::regclass order by tgname;
select frontdesk.unwatch('old'), frontdesk.unwatch('old');

-- States, and tables, of every script are told apart.

create table "顧客" (id int primary key, "状態" text);
create table "予約" (id int primary key, "状態" text);
select frontdesk.watch('"顧客"', state_column => '状態'), frontdesk.watch('"予約"', state_column => '状態');
truncate frontdesk.event;
insert into "顧客" values (1, '新規');
update "顧客" set "状態" = '確認';
update "顧客" set "状態" = '取消';
update "顧客" set "状態" = 'in Arbeit…';
update "顧客" set "状態" = repeat('長', 100);
insert into "予約" values (1, '新規');
update "予約" set "状態" = '✅ / ❌';
select left(type, 20) as type from log;
select frontdesk.pattern_matches('顧客.確認', '顧客.確認'), frontdesk.pattern_matches('顧客.確認', '顧客.取消'), frontdesk.pattern_matches('顧客.*', '顧客.取消');
select frontdesk.emit('預約.確認') is not null;

-- Who may watch is said by a grant on the verb; the trigger function is nobody's, but for the partitions of who may.

create role regress_shop;
grant create on schema public to regress_shop;
set role regress_shop;
create table shop (id int primary key) partition by range (id);
create table shop_1 partition of shop for values from (0) to (100);
select frontdesk.watch('shop');
reset role;
grant execute on function frontdesk.watch to regress_shop;
set role regress_shop;
select frontdesk.watch('pg_class');
select frontdesk.watch('"顧客"');
select frontdesk.unwatch('"顧客"');
select frontdesk.watch('shop');
create table shop_2 partition of shop for values from (100) to (200);
truncate shop;
insert into shop values (1), (101);
reset role;
select source, entity, problem from frontdesk.watch where entity = 'shop';
select type, key, record from log where type like 'shop.%';
drop table shop;
drop owned by regress_shop;
drop role regress_shop;
