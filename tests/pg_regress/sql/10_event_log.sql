-- Room 10, event: the log is a table of PostgreSQL, and stays right whatever its owner does to it.
\set SHOW_CONTEXT never
\pset null '(null)'
set timezone = 'UTC';
create extension amcheck;
create table leads (id int primary key, email text, paid boolean);
select frontdesk.watch('leads', entity => 'lead');
create view today as
  select c.oid::regclass as partition from frontdesk.event e join pg_class c on c.oid = e.tableoid order by e.id desc limit 1;
-- What amcheck finds in the indexes of a log: nothing. And how many rows each b-tree has, which is what it should have.
create function sound(log regclass) returns text language plpgsql as $$
declare
  i record;
begin
  for i in
    select x.indexrelid::regclass as name from pg_partition_tree(log) t join pg_index x on x.indrelid = t.relid join pg_class c on c.oid = x.indexrelid
    join pg_am a on a.oid = c.relam where t.isleaf and a.amname = 'btree'
  loop
    perform bt_index_check(i.name, heapallindexed => true);
  end loop;
  return coalesce((select string_agg(v::text, '; ') from pg_partition_tree(log) t, verify_heapam(t.relid) v where t.isleaf), 'sound');
end
$$;

-- Indexes of every kind: over an expression, partial, included columns, hash, gin, and one that an exclusion constraint needs.

create index on frontdesk.event ((record->>'email'));
create index on frontdesk.event (key) where (record->>'paid')::boolean;
create index on frontdesk.event using gin (record);
create index on frontdesk.event using hash (type) with (fillfactor = 50);
create index on frontdesk.event (upper(key)) include (type);
insert into leads select n, 'lead' || n || '@example.com', n % 2 = 0 from generate_series(1, 100) n;
insert into leads values (101, 'single@example.com', true);
select sound('frontdesk.event');
set enable_seqscan = off;
set enable_bitmapscan = off;
select count(*) from frontdesk.event where record->>'email' = 'lead7@example.com';
explain (costs off) select count(*) from frontdesk_internal.event_default where (record->>'paid')::boolean and key > '';
select count(*) from frontdesk.event where (record->>'paid')::boolean and key > '';
set enable_bitmapscan = on;
select count(*) from frontdesk.event where record @> '{"email": "single@example.com"}';
select count(*) from frontdesk.event where type = 'lead.created';
reset enable_seqscan;

-- Columns of the owner's own, with a default, generated, and none; constraints are held to; triggers fire.

alter table frontdesk.event add column region text default 'eu', add column noted_by text default current_user,
  add column email text generated always as (lower(record->>'email')) stored, add column nothing int;
create table noticed (id bigint, type text);
create function notice() returns trigger language plpgsql as $$
begin
  insert into public.noticed values (new.id, new.type);
  return null;
end
$$;
create trigger notice after insert on frontdesk.event for each row execute function notice();
create function shout() returns trigger language plpgsql as $$
begin
  new.region := upper(new.region);
  return case when new.key <> 'secret' then new end;
end
$$;
create trigger shout before insert on frontdesk.event for each row when (new.key is not null) execute function shout();
insert into leads select n, 'Lead' || n || '@Example.com' from generate_series(201, 203) n;
select frontdesk.emit('mine', '{"email": "A@b.example"}', key => 'secret') is not null, frontdesk.emit('mine', '{"email": "A@b.example"}') is not null;
select type, key, region, noted_by = current_user as noted, email, nothing from frontdesk.event where id > (select max(id) from frontdesk.event) - 5 order by id;
select count(*) from noticed;
\set VERBOSITY sqlstate
alter table frontdesk.event add constraint no_spam check (key <> 'spam');
select frontdesk.emit('mine', key => 'spam');
\set VERBOSITY default
drop trigger shout on frontdesk.event;
drop trigger notice on frontdesk.event;
alter table frontdesk.event drop constraint no_spam, drop column region, drop column noted_by, drop column email, drop column nothing;

-- In the middle of a transaction, too.

begin;
insert into leads select n from generate_series(301, 310) n;
alter table frontdesk.event add column later int default 7;
insert into leads select n from generate_series(311, 320) n;
create index later on frontdesk.event (later);
insert into leads select n from generate_series(321, 330) n;
commit;
select later, count(*) from frontdesk.event where key between '301' and '330' group by later;
select sound('frontdesk.event');
alter table frontdesk.event drop column later;

-- A column of ours with another type is said, not written as something else.

alter table frontdesk.event alter column user_id type int using null;
\set VERBOSITY terse
select frontdesk.emit('mine');
\echo :SQLSTATE
\set VERBOSITY default
alter table frontdesk.event alter column user_id type text;

-- Where a row belongs is what the catalog says, whatever partitions are called: one that was detached gets nothing more.

select partition as before from today \gset
alter table frontdesk.event detach partition :before;
insert into leads select n, 'detached' from generate_series(401, 402) n;
select count(*) from :before where record->>'email' = 'detached';
select partition = 'frontdesk_internal.event_default'::regclass as in_default, count(*) from today, frontdesk.event where record->>'email' = 'detached' group by 1;
truncate frontdesk_internal.event_default;
select format('alter table frontdesk.event attach partition %s for values from (%L) to (%L)', :'before', date_trunc('day', now()), date_trunc('day', now()) + interval '1 day') as attach \gset
:attach;
insert into leads values (403, 'attached');
select partition = :'before'::regclass as back from today;
-- One of the owner's own making, with its columns in another order, and partitioned once more.
alter table frontdesk.event detach partition :before;
create table own (user_id text, actor text not null, old_record jsonb, record jsonb, target bigint, tenant uuid, key text, source text, type text not null, depth smallint not null,
  op "char" not null, created_at timestamptz not null, gone int, xid xid8 not null, id bigint not null) partition by list (op);
alter table own drop column gone;
create table own_inserts partition of own for values in ('I', 'D') partition by range (created_at);
create table own_inserts_all partition of own_inserts for values from ('2000-01-01') to ('2100-01-01');
create table own_rest partition of own default;
alter table frontdesk.event attach partition own for values from ('2000-01-01') to ('2020-01-01');
select format('alter table frontdesk.event attach partition own for values from (%L) to (%L)', date_trunc('day', now()), date_trunc('day', now()) + interval '1 day') as attach \gset
alter table frontdesk.event detach partition own;
:attach;
insert into leads select n, 'own' from generate_series(501, 503) n;
update leads set email = 'updated' where email = 'own';
select tableoid::regclass, op, count(*), min(record->>'email') as email from own group by 1, 2 order by 1, 2;
alter table frontdesk.event detach partition own;
drop table own;
-- Without any place for it, the event is refused as PostgreSQL refuses it, and nothing is lost in silence.
alter table frontdesk.event detach partition frontdesk_internal.event_default;
select frontdesk.emit('nowhere');
\echo :SQLSTATE
alter table frontdesk.event attach partition frontdesk_internal.event_default default;

-- Savepoints: whatever is made in one that is rolled back is gone, and the transaction goes on.

alter extension pg_frontdesk drop table :before;
drop table :before;
truncate frontdesk.event;
begin;
savepoint made;
select frontdesk_internal.make_partition('event', (now() at time zone 'UTC')::date);
insert into leads select n, 'undone' from generate_series(611, 620) n;
rollback to made;
insert into leads select n from generate_series(601, 606) n;
do $$
begin
  for n in 1..5 loop
    begin
      insert into leads select 620 + n * 10 + m, 'in a block' from generate_series(0, 3) m;
      if n % 2 = 0 then
        raise division_by_zero;
      end if;
    exception when division_by_zero then
      null;
    end;
  end loop;
end
$$;
commit;
select record->>'email' as email, count(*) from frontdesk.event where key between '601' and '699' group by 1 order by 1;
truncate frontdesk.event;
select frontdesk_internal.make_partition('event', (now() at time zone 'UTC')::date);
insert into leads select n, 'again' from generate_series(701, 710) n;
select sound('frontdesk.event');
begin;
savepoint a;
create table fresh (id int);
select frontdesk.watch('fresh');
insert into fresh select generate_series(1, 50);
rollback to a;
create table fresh (id int);
select frontdesk.watch('fresh');
insert into fresh select generate_series(1, 5);
prepare transaction 'regress_log';
commit prepared 'regress_log';
select count(*) from frontdesk.event where source = 'public.fresh';

-- Rebuilt in the middle, and put aside: the next rows are where they belong.

insert into leads select n, 'rebuilt' from generate_series(801, 810) n;
reindex table frontdesk.event;
insert into leads select n, 'rebuilt' from generate_series(811, 820) n;
select partition as here from today \gset
vacuum full :here;
insert into leads select n, 'rebuilt' from generate_series(821, 830) n;
insert into leads select n, 'rebuilt' from generate_series(831, 840) n;
select count(*) from frontdesk.event where record->>'email' = 'rebuilt';
select sound('frontdesk.event');

-- The application's user is who the claims are about, unless the setting says otherwise.

truncate frontdesk.event;
insert into leads values (901);
set request.jwt.claims = '{"sub": "11111111-0000-4000-8000-000000000001", "role": "authenticated"}';
insert into leads values (902);
set request.jwt.claims = '{"role": "anon"}';
insert into leads values (903);
set request.jwt.claims = 'no JSON';
insert into leads values (904);
set request.jwt.claims = '{"sub": "from the claims"}';
set frontdesk.user_id = 'from the setting';
insert into leads values (905);
reset frontdesk.user_id;
reset request.jwt.claims;
insert into leads values (906);
select key, user_id from frontdesk.event order by id;
drop function sound;
drop extension amcheck;
