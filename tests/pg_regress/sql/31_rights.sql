-- Reminders: whose code runs as whom, what a trigger's argument is worth, and what one row can do to others.
set client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
\pset null ~
\set SHOW_CONTEXT never
create role timer_mallory login;
create role timer_owner login;
create schema theirs authorization timer_owner;
grant usage on schema theirs to timer_mallory;
create procedure await(event_type text, n int) language plpgsql as $$
begin
  for i in 1..400 loop
    exit when (select count(*) >= n from frontdesk.event e where e.type = event_type);
    perform pg_sleep(0.02);
    commit;
  end loop;
  perform pg_sleep(0.1);
end $$;
create procedure await_problem(rule text, what text) language plpgsql as $$
begin
  for i in 1..400 loop
    exit when (select problem ~ what from frontdesk.reminders where name = rule);
    perform pg_sleep(0.02);
    commit;
  end loop;
end $$;
create view fired as select type, key from frontdesk.event where op = 'E' order by type, key;
set role timer_owner;
create table theirs.visit (id int primary key, at timestamptz, what text default 'x');
select frontdesk.remind('theirs.visit', 'at', '0', 'visit.due', name => 'visit');
grant select, insert on theirs.visit to timer_mallory;
alter table theirs.visit enable row level security;
create policy none on theirs.visit for select to timer_mallory using (false);
create policy all_in on theirs.visit for insert to timer_mallory with check (true);
insert into theirs.visit values (1, now() + interval '1 day');

-- No table to lock, no row to write; and no look at rows that one may not see.
set role timer_mallory;
begin;
lock table frontdesk_internal.timer in access exclusive mode;
rollback;
update frontdesk_internal.timer_rule set event = E'x","injected":"y';
delete from frontdesk_internal.timer;
select count(*) from frontdesk.timers;
select count(*) from frontdesk.reminders;
select frontdesk.remind('theirs.visit', 'at', '0', 'visit.mine');
select frontdesk.unremind('visit');
create temp table hers (id int primary key, at timestamptz);
select frontdesk.remind('hers', 'at', '0', 'visit.mine', name => 'visit');
-- A hand-made trigger is nobody's.
create trigger x after insert on hers for each statement execute function frontdesk_internal.timer_trigger('{"rule":1,"at":"at","key":["id"],"shift":"0","timezone":"UTC"}');
reset role;
-- What it is made for, it asks for itself; and the argument says no more than which rule.
create temp table forged (id int primary key, at timestamptz, org bigint);
create trigger x after insert on forged for each statement execute function frontdesk_internal.timer_trigger('{"rule":1,"at":"at","key":["id"],"shift":"0","timezone":"UTC"}');
insert into forged values (1, now());
drop trigger x on forged;
create trigger x before insert on forged for each row execute function frontdesk_internal.timer_trigger('{"rule":1}');
insert into forged values (1, now());
drop trigger x on forged;
select format('create trigger x after insert on forged for each row execute function frontdesk_internal.timer_trigger(%L)',
  json_build_object('rule', id, 'at', 'org', 'key', '{id}'::text[], 'shift', '0', 'timezone', 'UTC')) from frontdesk_internal.timer_rule where name = 'visit' \gexec
insert into forged values (1, now(), 4711);
drop trigger x on forged;
create trigger x after insert on forged for each row execute function frontdesk_internal.timer_trigger('no JSON');
insert into forged values (1, now());
drop trigger x on forged;
select key from frontdesk.timers;

-- A row written by anybody fires with the rights of the table's owner.
set role timer_mallory;
insert into theirs.visit values (2, now());
reset role;
call await('visit.due', 1);
select * from fired;

-- A key is written in one way, whatever the session that writes it says.
set role timer_owner;
create table theirs.day (d date, t timestamptz, b bytea, f float8, i interval, at timestamptz, primary key (d, t, b, f, i));
select frontdesk.remind('theirs.day', 'at', '0', 'day.due', name => 'day');
set datestyle = 'SQL, DMY';
set timezone = 'Asia/Tokyo';
set intervalstyle = 'sql_standard';
set bytea_output = 'escape';
set extra_float_digits = -5;
insert into theirs.day values ('27/03/2026', '2026-03-27 12:00Z', '\x00ff', 0.1::float8 + 0.2, '1 day -2 hours', now() - interval '1 second');
insert into theirs.day values ('28/03/2026', '2026-03-27 12:00Z', '\x00ff', 0.1::float8 + 0.2, '1 day -2 hours', now() + interval '1 day');
reset datestyle; reset timezone; reset intervalstyle; reset bytea_output; reset extra_float_digits;
update theirs.day set at = now() where d = '2026-03-28';
reset role;
call await('day.due', 2);
select * from fired where type = 'day.due';

-- One row that fails is broken, and says so; the others fire. Twenty in a row are the rule's fault.
set role timer_owner;
create table theirs.call (id int primary key, at timestamptz, divisor int);
create function theirs.pay(c theirs.call) returns jsonb language sql as $$ select jsonb_build_object('is', 100 / c.divisor) $$;
select frontdesk.remind('theirs.call', 'at', '0', 'call.due', name => 'call', payload => 'theirs.pay(theirs.call)');
insert into theirs.call select n, now(), case when n % 7 = 0 then 0 else 1 end from generate_series(1, 20) n;
reset role;
call await('call.due', 18);
select count(*) from fired where type = 'call.due';
select t.key, t.outcome, t.reason from frontdesk_internal.timer t join frontdesk_internal.timer_rule r on r.id = t.rule_id where r.name = 'call' and t.outcome <> 'fired' order by 1;
select name, broken from frontdesk.reminders where name = 'call';
insert into theirs.call select n, now(), 0 from generate_series(101, 130) n;
call await_problem('call', 'the last 20 reminders failed');
select problem from frontdesk.reminders where name = 'call';

-- Nothing that a function sets stays, and it is nobody but the owner of the table.
set role timer_owner;
create table theirs.trick (id int primary key, at timestamptz);
create view theirs.pg_extension as select 'pg_frontdesk' as extname, 1/0 as extowner;
create function theirs.trick(t theirs.trick) returns jsonb language plpgsql as $$
begin
  perform set_config('search_path', 'theirs, pg_catalog', false), set_config('default_transaction_read_only', 'on', false),
    set_config('session_replication_role', 'origin', false) where false;
  perform set_config('search_path', 'theirs, pg_catalog', false), set_config('default_transaction_read_only', 'on', false);
  perform pg_advisory_unlock_all();
  return jsonb_build_object('user', current_user, 'session', session_user);
end $$;
create function theirs.climb(t theirs.trick) returns jsonb language plpgsql as $$ begin execute 'reset role'; execute 'set role postgres'; return '1'; end $$;
select frontdesk.remind('theirs.trick', 'at', '0', 'trick.due', name => 'trick', payload => 'theirs.trick(theirs.trick)');
insert into theirs.trick values (1, now()), (2, now());
reset role;
call await('trick.due', 2);
set role timer_owner;
insert into theirs.trick values (3, now());
reset role;
call await('trick.due', 3);
select distinct record from frontdesk.event where type = 'trick.due';
set role timer_owner;
select frontdesk.remind('theirs.trick', 'at', '0', 'trick.due', name => 'trick', payload => 'theirs.climb(theirs.trick)');
insert into theirs.trick values (4, now());
reset role;
call await_problem('trick', 'key 4');
select problem from frontdesk.reminders where name = 'trick';

-- A table that came to another owner does not run the old one's code.
select frontdesk.remind('theirs.trick', 'at', '0', 'trick.due', name => 'trick', payload => 'theirs.trick(theirs.trick)');
alter table theirs.trick owner to current_user;
insert into theirs.trick values (5, now());
call await_problem('trick', 'belongs to');
select regexp_replace(problem, current_user, '…') from frontdesk.reminders where name = 'trick';
create type theirs.mood as enum ('good', 'bad');
alter type theirs.mood owner to timer_owner;
create table feels (id int primary key, at timestamptz, mood theirs.mood[]);
\set VERBOSITY terse
select frontdesk.remind('feels', 'at', '0', 'feels.due');
drop table feels;

-- Row level security that holds the owner too is no silent loss.
set role timer_owner;
create table theirs.forced (id int primary key, at timestamptz);
alter table theirs.forced enable row level security;
select frontdesk.remind('theirs.forced', 'at', '0', 'forced.due', name => 'forced');
alter table theirs.forced force row level security;
create policy i on theirs.forced for insert with check (true);
insert into theirs.forced values (1, now());
call await_problem('forced', 'is forced');
select problem from frontdesk.reminders where name = 'forced';
reset role;

select frontdesk.unremind(name) from frontdesk.reminders order by name;
select count(*) from frontdesk_internal.timer, frontdesk_internal.timer_state;
drop schema theirs cascade;
drop owned by timer_mallory, timer_owner;
drop role timer_mallory, timer_owner;
