-- Room 10, event: a row that moves to another partition is one event.
set client_min_messages = warning;
set timezone = 'UTC';
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never

create table visit (id int, region text, at timestamptz, note text, gone int, primary key (id, region)) partition by list (region);
create table visit_north partition of visit for values in ('north');
-- Columns in another order, and one that was dropped.
create table visit_south (note text, spare int, region text not null, id int not null, at timestamptz, gone int);
alter table visit_south drop column spare;
alter table visit attach partition visit_south for values in ('south');
alter table visit drop column gone;
create table visit_west partition of visit for values in ('west', 'far west') partition by list (region);
create table visit_far_west partition of visit_west for values in ('far west');
create table visit_near_west partition of visit_west for values in ('west');
select frontdesk.watch('visit', key_columns => '{id}');

create function told() returns table (op "char", type text, key text, was text, now text, note text) language sql
begin atomic
  select e.op, e.type, e.key, e.old_record->>'region', e.record->>'region', e.record->>'note' from frontdesk.event e order by e.id;
end;
create procedure clear() language sql as 'delete from frontdesk.event';

insert into visit values (1, 'north', null, 'one'), (2, 'south', null, 'two'), (3, 'far west', null, 'three');
call clear();
-- One row, many rows, up and down the tree, and some that stay.
update visit set region = 'south', note = 'moved' where id = 1;
update visit set region = case id when 1 then 'west' when 2 then 'north' else region end, note = note || '!';
update visit set region = 'south' where region in ('west', 'far west');
select * from told();
call clear();
-- In both directions and back within one transaction, with savepoints.
begin;
update visit set region = 'north' where id = 1;
savepoint a;
update visit set region = 'west' where id = 1;
rollback to a;
update visit set region = 'far west' where id = 1;
release a;
update visit set region = 'south' where id = 1;
commit;
begin;
update visit set region = 'north' where id = 1;
rollback;
select * from told();
call clear();
-- MERGE moves rows, too; a row that is deleted or inserted beside them is what it is.
merge into visit v using (values (1, 'north'), (2, null), (9, 'west')) s (id, region) on v.id = s.id
when matched and s.region is null then delete
when matched then update set region = s.region
when not matched then insert values (s.id, s.region, null, 'nine');
with moved as (update visit set region = 'south' where id = 1 returning id), gone as (delete from visit where id = 9 returning id)
insert into visit select 10, 'north', null, 'ten' from moved, gone;
select * from told();
call clear();
-- An upsert is refused by PostgreSQL, and nothing is recorded.
insert into visit values (10, 'north') on conflict (id, region) do update set region = 'south';
select * from told();
-- Where a trigger keeps the row out, it was deleted: in a savepoint, at the end, and before other rows.
create function keep_out() returns trigger language plpgsql as $$ begin return case when new.note = 'out' then null else new end; end $$;
create trigger keep_out before insert on visit_south for each row execute function keep_out();
insert into visit values (11, 'north', null, 'out'), (12, 'north', null, 'out'), (13, 'north', null, 'in'), (14, 'north', null, 'out');
call clear();
begin;
savepoint a;
update visit set region = 'south' where id = 11;
release a;
update visit set region = 'south' where id in (12, 13);
update visit set region = 'south' where id = 14;
insert into visit values (15, 'south', null, 'new');
commit;
select * from told() order by key, op;
select id, region from visit order by id;
call clear();
-- Triggers of the user's that write in between.
create table trail (n int generated always as identity, what text);
select frontdesk.watch('trail');
create function trailed() returns trigger language plpgsql as $$
begin
  begin
    insert into trail (what) values (tg_op || ' ' || tg_table_name);
    if tg_op = 'DELETE' then update visit set region = 'near' where false; end if;
  exception when others then raise;
  end;
  return null;
end $$;
create trigger "  first" after insert or delete on visit for each row execute function trailed();
create trigger trailed after insert or delete on visit for each row execute function trailed();
update visit set region = 'north' where id in (1, 13);
select op, type, coalesce(was || ' -> ' || now, '') as region from told();
call clear();
drop trigger "  first" on visit;
drop trigger trailed on visit;

-- Foreign keys: a row that is referred to moves with what refers to it.
create table bill (id int primary key, visit int, region text,
  foreign key (visit, region) references visit (id, region) on update cascade on delete cascade);
select frontdesk.watch('bill');
insert into bill values (1, 13, 'north');
call clear();
update visit set region = 'south', note = 'in' where id = 13;
select op, type, key, coalesce(was || ' -> ' || now, '') as region from told() order by type;
select * from bill;
call clear();
drop table bill;

-- What is watched of it.
select frontdesk.watch('visit', operations => '{update}', columns => '{region}', key_columns => '{id}');
update visit set region = 'north' where id = 13;
update visit set note = 'same' where id = 13;
insert into visit values (20, 'north', null, 'x');
delete from visit where id = 20;
select * from told();
call clear();
select frontdesk.watch('visit', operations => '{insert}', key_columns => '{id}');
update visit set region = 'west' where id = 13;
insert into visit values (21, 'north', null, 'x');
delete from visit where id = 21;
select * from told();
call clear();
select frontdesk.watch('visit', operations => '{delete}', state_column => 'region', key_columns => '{id}');
update visit set region = 'south' where id = 13;
delete from visit where id = 13;
select * from told();
call clear();
select frontdesk.watch('visit', state_column => 'region', condition => '{"old.region": "north", "new.region": "west"}', key_columns => '{id}');
insert into visit values (22, 'north', null, 'x');
update visit set region = 'west' where id = 22;
update visit set region = 'north' where id = 22;
select * from told();
call clear();
-- A partition that is watched by itself loses and gets rows.
select frontdesk.unwatch('visit');
select frontdesk.watch('visit_north', 'north', key_columns => '{id}'), frontdesk.watch('visit_west', 'west', key_columns => '{id}');
update visit set region = 'far west' where id = 22;
update visit set region = 'west' where id = 22;
update visit set region = 'north' where id = 22;
select op, type, key from told();
call clear();
select frontdesk.unwatch('visit_north'), frontdesk.unwatch('visit_west');

-- A reminder moves with its row, whose key changes by it: one that fired for this moment fires no more.
select frontdesk.remind('visit', 'at', '0', 'visit.due');
update visit set at = '2030-01-01' where id = 22;
update frontdesk_internal.timer set outcome = 'fired' where key like '%22%';
update visit set region = 'south' where id = 22;
select key, at, outcome from frontdesk_internal.timer;
update visit set region = 'north', at = '2031-01-01' where id = 22;
select key, at, outcome from frontdesk_internal.timer order by at;
update visit set region = 'south', note = 'out' where id = 22;
select count(*) from frontdesk_internal.timer;
