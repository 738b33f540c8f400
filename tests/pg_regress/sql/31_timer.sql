-- Reminders: one timer per rule and row, in step with the row.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never

-- What is refused when it is declared.
create table visit (id bigint primary key, starts_at timestamptz, day date, status text not null default 'scheduled', note text);
create view visits as select * from visit;
create table keyless (at timestamptz);
select frontdesk.remind('visits', 'starts_at', '-24 hours', 'visit.reminder');
select frontdesk.remind('keyless', 'at', '-24 hours', 'visit.reminder');
select frontdesk.remind('visit', 'begins_at', '-24 hours', 'visit.reminder');
select frontdesk.remind('visit', 'status', '-24 hours', 'visit.reminder');
select frontdesk.remind('visit', 'starts_at', null, 'visit.reminder');
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'not a type');
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'endpoint.reminder');
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'visit.reminder', '{"status": {"$is": 1}}');
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'visit.reminder', late => 'maybe');
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'visit.reminder', expires => '-1 hour');
select frontdesk.unremind('none');

-- Rows that are there get their timers, unless their moment is past; infinity is no moment.
insert into visit (id, starts_at) values (1, now() + interval '3 days'), (2, now() - interval '3 days'), (3, 'infinity'), (4, null);
select frontdesk.remind('visit', 'starts_at', '-24 hours', 'visit.reminder', '{"status": {"$in": ["scheduled", "confirmed"]}}');
create view pending as select rule, key, due_at = at + "offset" as due from frontdesk.timers order by rule, key;
select * from pending;

-- In step with the row, in the same transaction.
insert into visit (id, starts_at, status) values (5, now() + interval '2 days', 'scheduled'), (6, now() + interval '2 days', 'cancelled');
select * from pending;
begin;
update visit set starts_at = starts_at + interval '1 day' where id = 5;
select key, round(extract(epoch from due_at - now()) / 3600) as hours from frontdesk.timers where key = '5';
rollback;
update visit set status = 'confirmed' where id = 6;
update visit set status = 'cancelled' where id = 5;
update visit set id = 7 where id = 1;
select * from pending;
delete from visit where id = 7;
select * from pending;

-- At its moment the row is read again; once per row and value.
create procedure await(event_type text, n int) language plpgsql as $$
begin
  for i in 1..400 loop
    exit when (select count(*) >= n from frontdesk.event e where e.type = event_type);
    perform pg_sleep(0.02);
    commit;
  end loop;
  perform pg_sleep(0.1);
end $$;
create view fired as select type, op, key, record - 'starts_at' - 'day' as record from frontdesk.event where op = 'E' order by id;
update visit set starts_at = now() + interval '24 hours', note = 'soon' where id = 6;
call await('visit.reminder', 1);
select * from fired;
update visit set note = 'later', status = 'scheduled';
update visit set starts_at = starts_at + interval '5 days' where id = 6;
update visit set starts_at = starts_at - interval '5 days' where id = 6;
insert into visit (id, starts_at) values (8, now() + interval '2 hours');
call await('visit.reminder', 2);
select * from fired;
select * from pending;

-- Late ones are skipped where the rule says so, or past what they are good for.
select frontdesk.remind('visit', 'starts_at', '-1 hour', 'visit.skip', name => 'skip', late => 'skip');
select frontdesk.remind('visit', 'starts_at', '-1 hour', 'visit.expire', name => 'expire', expires => '1 day');
select frontdesk.remind('visit', 'day', '8 hours', 'visit.day', name => 'day');
insert into visit (id, starts_at, day) values (9, now() - interval '2 days', '2020-01-01'), (10, now(), null), (11, null, 'infinity');
call await('visit.expire', 1);
call await('visit.day', 1);
select type, key from fired where type <> 'visit.reminder' order by type;
select r.name, t.key, t.outcome from frontdesk_internal.timer t join frontdesk_internal.timer_rule r on r.id = t.rule_id where t.outcome in ('late', 'expired') order by 1, 2;

-- A rule follows its column, and says so when it is gone.
alter table visit rename starts_at to begins_at;
select name, at_column, problem from frontdesk.reminders order by name;
insert into visit (id, begins_at) values (12, now() + interval '9 days');
select * from pending where key = '12';
truncate visit;
select count(*) from frontdesk_internal.timer;
alter table visit drop column begins_at cascade;
insert into visit (id, day) values (13, current_date + 9);
select name, problem from frontdesk.reminders order by name;
select * from pending;

-- Keys of several columns.
create table slot (room int, label text, at timestamp, primary key (room, label));
insert into slot values (1, 'a"b', now() + interval '1 day');
select frontdesk.remind('slot', 'at', '1 hour', 'slot.over');
insert into slot values (2, 'c d', now() at time zone 'utc' - interval '1 hour');
call await('slot.over', 1);
select type, key, record - 'at' as record from frontdesk.event where type = 'slot.over';
select key from frontdesk.timers where rule like 'slot%';
drop table slot;
select name, problem from frontdesk.reminders order by name;

-- Who owns the table has its rules.
create role desk_owner;
create role desk_other;
create schema theirs authorization desk_owner;
grant usage on schema theirs to desk_other;
set role desk_owner;
create table theirs.task (id uuid primary key default gen_random_uuid(), due timestamptz, done boolean default false);
insert into theirs.task (due) values (now() + interval '1 day');
select frontdesk.remind('theirs.task', 'due', '0', 'task.due', '{"done": false}', 'task');
select count(*) from frontdesk.timers;
select name from frontdesk.reminders;
grant insert, select on theirs.task to desk_other;
set role desk_other;
insert into theirs.task (due) values (now() + interval '2 days');
select frontdesk.unremind('task');
select frontdesk.remind('theirs.task', 'due', '0', 'task.due');
select count(*) from frontdesk.reminders;
select frontdesk_internal.timer_keep(1, 'x', now(), '0', 'UTC', false);
reset role;
select count(*) from frontdesk.timers where rule = 'task';
select frontdesk.unremind('task');
select frontdesk.unremind(name) from frontdesk.reminders order by name;
select count(*) from frontdesk_internal.timer;
drop owned by desk_owner, desk_other;
drop role desk_owner, desk_other;

-- The event can carry what a function makes of the row, and a tenant of its own.
create table call (id int primary key, at timestamptz, owner uuid, muted boolean default false);
create function call_payload(c call) returns jsonb language sql as $$ select case when not c.muted then jsonb_build_object('call', c.id) end $$;
create function not_a_payload(c call) returns text language sql as $$ select 'x' $$;
select frontdesk.remind('call', 'at', '0', 'call.due', payload => 'not_a_payload(call)');
select frontdesk.remind('call', 'at', '0', 'call.due', tenant_column => 'at');
select frontdesk.remind('call', 'at', '0', 'call.due', tenant_column => 'owned_by');
select frontdesk.remind('call', 'at', '0', 'call.due', tenant_column => 'owner', payload => 'call_payload(call)');
insert into call values (1, now(), '00000000-0000-0000-0000-000000000001', true), (2, now(), '00000000-0000-0000-0000-000000000002', false);
call await('call.due', 1);
select tenant, record from frontdesk.event where type = 'call.due';
select frontdesk.unremind('call.due 00:00:00');
drop table call cascade;
