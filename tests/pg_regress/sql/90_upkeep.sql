-- Room 90, upkeep: partitions are made ahead and dropped when their time is over. The clock is set by hand.
\set SHOW_CONTEXT never
\pset null '(null)'

-- The engine, which calls maintain() by the real clock, is sent away.

create procedure wait_until(engine_is_there boolean) language plpgsql as $$
begin
  for i in 1..1000 loop
    exit when exists (select from frontdesk_internal.engine_slot() where pid is not null) = engine_is_there;
    perform pg_sleep(0.01);
  end loop;
end
$$;
call wait_until(true);
select frontdesk.stop() is not null as stops;
call wait_until(false);

create view partitions as
select i.inhparent::regclass as parent, c.relname, pg_get_expr(c.relpartbound, c.oid) as bound,
  exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') as member
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where c.relkind = 'r' and i.inhparent in ('frontdesk.event'::regclass, 'frontdesk_internal.attempt_success'::regclass, 'frontdesk_internal.attempt_failure'::regclass);

-- Made with the extension: a week ahead, by the UTC day, and a default that nothing should need.

select parent, count(*) as partitions, count(*) filter (where member) as members,
  bool_or(relname like '%default') as has_default,
  bool_or(relname like '%' || to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD')) as has_today
from partitions group by parent order by parent::text;
select frontdesk.emit('today') > 0 as id;
select tableoid::regclass::text = 'frontdesk_internal.event_' || to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD') as in_its_day from frontdesk.event;

-- As time goes by: a maintenance in 2030 makes the days of 2030 and drops what is older than the settings say.

set frontdesk.fake_now = '2030-01-10 12:00+00';
show frontdesk.event_retention;
show frontdesk.success_retention;
show frontdesk.failure_retention;
select frontdesk.maintain();
select relname, bound, member from partitions where parent = 'frontdesk.event'::regclass order by relname;
select parent, count(*) from partitions group by parent order by parent::text;
select count(*) from frontdesk.event;
select frontdesk.maintain();
set frontdesk.fake_now = '2030-01-11 00:00+00';
select frontdesk.maintain();

-- Attempts of success leave before those of failure; what is to be retried goes a day after its event.

insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded)
values (1, 1, 1, '2030-01-10 10:00+00', 1, true), (1, 1, 1, '2030-01-10 10:00+00', 1, false),
  (2, 1, 1, '2030-01-17 10:00+00', 1, true), (3, 1, 1, '2020-01-01', 1, false);
insert into frontdesk_internal.retry (event_id, endpoint_id, event_xid, event_at, attempts, due_at, reason)
values (1, 1, '1', '2030-01-10', 1, '2030-02-01', 'timeout'), (2, 1, '1', '2030-02-10', 1, '2030-02-11', 'timeout');
insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
values (1, 1, '1', '2030-01-10', 9, 'timeout', '2030-01-11'), (2, 1, '1', '2030-02-10', 9, 'timeout', '2030-02-11');
select tableoid::regclass, event_id, succeeded from frontdesk_internal.attempt order by 2, 3;
set frontdesk.fake_now = '2030-01-18 00:00+00';
select frontdesk.maintain();
select event_id, succeeded from frontdesk_internal.attempt order by 1, 2;
select (select count(*) from frontdesk_internal.retry) as retry, (select count(*) from frontdesk_internal.dead_letter) as dead;
set frontdesk.fake_now = '2030-02-12 00:00+00';
select frontdesk.maintain();
select event_id, succeeded from frontdesk_internal.attempt order by 1, 2;
select event_id from frontdesk_internal.retry;
select event_id from frontdesk_internal.dead_letter;

-- An endpoint that is about to lose events is named a day before.

set client_min_messages = error;
select frontdesk.add_endpoint('slow', 'https://hooks.example.com/', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
reset client_min_messages;
insert into frontdesk_internal.cursor (endpoint_id, last_snapshot, xid, event_id, since)
select id, pg_current_snapshot(), '0', 0, '2030-01-13 12:00+00' from frontdesk_internal.endpoint;
select frontdesk.maintain();

-- Expired secrets are forgotten.

select frontdesk.rotate_secret('slow', overlap => '0') ~ '^whsec_' as rotated;
select frontdesk.rotate_secret('slow', overlap => '1 hour') ~ '^whsec_' as rotated;
select count(*) from frontdesk_internal.endpoint_secret;
set client_min_messages = error;
select frontdesk.maintain();
reset client_min_messages;
select count(*) from frontdesk_internal.endpoint_secret;

-- A day whose rows went into the default partition stays there: nothing fails, nothing is lost.

set frontdesk.fake_now = '2030-06-01 12:00+00';
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded) values (4, 1, 1, '2030-06-02 10:00+00', 1, true);
set client_min_messages = error;
select frontdesk.maintain();
reset client_min_messages;
select tableoid::regclass from frontdesk_internal.attempt where event_id = 4;
select to_regclass('frontdesk_internal.attempt_success_20300602') as not_made, to_regclass('frontdesk_internal.attempt_success_20300603') as made;

-- The log is part of the extension: DROP EXTENSION takes all of it.

begin;
set local client_min_messages = warning;
drop view partitions;
drop extension pg_frontdesk;
select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('frontdesk', 'frontdesk_internal');
rollback;
