-- Jobs: declared, refused, run, explained.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never

-- When they run.
select * from frontdesk.next_runs('30 9 * * mon-fri', 'UTC', 3, '2026-01-01 00:00Z');
select * from frontdesk.next_runs('0 0 L * *', 'UTC', 2, '2026-01-01 00:00Z');
select * from frontdesk.next_runs('0 0 13 * fri', 'UTC', 3, '2026-01-01 00:00Z');
select * from frontdesk.next_runs('every 2 hours', 'UTC', 2, '2026-01-01 00:30Z');
-- The skipped hour is made up for, the repeated one counts once.
select * from frontdesk.next_runs('30 2 * * *', 'Europe/Berlin', 2, '2026-03-28 12:00Z');
select * from frontdesk.next_runs('30 2 * * *', 'Europe/Berlin', 2, '2026-10-24 12:00Z');
select count(*) from frontdesk.next_runs('@reboot');

-- What is refused when it is declared.
select frontdesk.schedule('x', '60 * * * *', 'select 1');
select frontdesk.schedule('x', '0 0 30 2 *', 'select 1');
select frontdesk.schedule('x', '* * * *', 'select 1');
select frontdesk.schedule('x', null, 'select 1');
select frontdesk.schedule('x', '-5 seconds', 'select 1');
select frontdesk.schedule('x', '0 seconds', 'select 1');
select frontdesk.schedule('x', '@daily', 'select 1', timezone => 'Mars/Olympus');
select frontdesk.schedule('x', '@daily', '');
select frontdesk.schedule('x', '@daily', ' -- nothing');
select frontdesk.schedule('x', '@daily', 'select 1; selct 2');
select frontdesk.schedule('x', '@daily', 'select 1', username => 'nobody_at_all');
select frontdesk.schedule('x', '@daily', 'select 1', timeout => '-1 s');
select frontdesk.schedule('x', '@daily', 'select 1', timeout => '0');
select frontdesk.schedule('x', '@daily', 'select 1', overlap => 'wait');
select frontdesk.schedule('x', '@daily', 'select 1', catch_up => 'two');
select frontdesk.schedule('x', '@daily', 'select 1', max_retries => -1);
select frontdesk.schedule('x', '@daily', 'select 1', retry_delay => '0');
select frontdesk.schedule('', '@daily', 'select 1');
select frontdesk.schedule_once(null, 'select 1');
select frontdesk.schedule_once('infinity', 'select 1');
select frontdesk.run_job('x');
select frontdesk.explain_job('x');
select frontdesk.alter_job(99, active => false);
select frontdesk.cancel_run(99);
select frontdesk.cancel_run(null);
select frontdesk.unschedule('x'), frontdesk.unschedule(99);

-- A job of the same name is replaced. Its objects need not exist yet.
create table note (id int generated always as identity, what text, who text default session_user);
select frontdesk.schedule('later', '@yearly', 'select * from not_there_yet') > 0 as scheduled;
select frontdesk.schedule('later', '0 4 * * *', 'insert into note (what) values (''a''), (''b'')', timezone => 'Europe/Madrid') is not null as replaced;
select jobname, schedule, command, username, active from frontdesk.list_scheduled_jobs();
select frontdesk.alter_job((select id from frontdesk.jobs where name = 'later'), active => false, timeout => '1 minute');
select name, timezone, active, timeout, next_run from frontdesk.jobs;

-- Run in the background, whatever the schedule; nothing waits inside the statement.
create procedure run(name text) language plpgsql as $$
declare
  run_id bigint := frontdesk.run_job(name);
begin
  commit;
  for i in 1..400 loop
    exit when exists (select from frontdesk.job_runs r where r.id = run_id and r.status not in ('waiting', 'running'));
    perform pg_sleep(0.02);
    commit;
  end loop;
end $$;
create view last_run as select status, rows, result, sqlstate, message from frontdesk_internal.job_run order by id desc limit 1;
call run('later');
select * from last_run;
select what, who from note;

-- Several statements share a transaction; those that cannot are on their own.
select frontdesk.schedule('half', '@yearly', 'insert into note (what) values (''undone''); select 1/0', 'UTC') > 0 as scheduled;
call run('half');
select * from last_run;
select frontdesk.schedule('vacuum', '@yearly', 'insert into note (what) values (''c''); vacuum analyze note; select count(*) as n, max(what) as last from note') > 0 as scheduled;
call run('vacuum');
select * from last_run;
select frontdesk.schedule('index', '@yearly', 'create index concurrently note_what on note (what); reindex index concurrently note_what; drop index concurrently note_what') > 0 as scheduled;
call run('index');
select * from last_run;
create procedure twice() language plpgsql as $$ begin insert into note (what) values ('first'); commit; insert into note (what) values ('second'); rollback; end $$;
select frontdesk.schedule('procedure', '@yearly', 'call twice()') > 0 as scheduled;
call run('procedure');
select * from last_run;
select frontdesk.schedule('block', '@yearly', 'begin; insert into note (what) values (''block''); commit; insert into note (what) values (''after'')') > 0 as scheduled;
call run('block');
select * from last_run;
select string_agg(what, ' ' order by id) from note;

-- What a command may do to itself.
select frontdesk.schedule('open', '@yearly', 'begin; insert into note (what) values (''lost'')') > 0 as scheduled;
call run('open');
select * from last_run;
select frontdesk.schedule('kill', '@yearly', 'select pg_terminate_backend(pg_backend_pid())') > 0 as scheduled;
call run('kill');
select status, sqlstate from last_run;
select frontdesk.schedule('own code', '@yearly', $$do 'begin raise exception ''no'' using errcode = ''ZX123'', detail = ''d'', hint = ''h''; end'$$) > 0 as scheduled;
call run('own code');
select * from last_run;
select frontdesk.schedule('long', '@yearly', 'select pg_sleep(60)', timeout => '200 ms') > 0 as scheduled;
call run('long');
select * from last_run;

-- Once.
select frontdesk.schedule_once(now() - interval '1 hour', 'select 7 as seven', 'once') > 0 as scheduled;
do $$ begin for i in 1..400 loop exit when not (select active from frontdesk.jobs where name = 'once'); perform pg_sleep(0.02); end loop; end $$;
select * from last_run;
select active, next_run, last_status from frontdesk.jobs where name = 'once';

-- Everybody has jobs of his own.
create role desk_clerk;
create role desk_guest;
grant insert, select on note to desk_clerk;
set role desk_clerk;
select frontdesk.schedule('mine', '@yearly', 'insert into note (what) values (''clerk'') returning session_user, current_user') > 0 as scheduled;
call run('mine');
reset role;
grant execute on procedure run(text) to public;
set role desk_clerk;
call run('mine');
select status, result from frontdesk.job_runs;
select jobname from frontdesk.list_scheduled_jobs();
select job_name, status from frontdesk.get_job_history();
select frontdesk.run_job('later');
select frontdesk.unschedule(id) from frontdesk.jobs where name <> 'mine';
select frontdesk.schedule('theirs', '@yearly', 'select 1', username => 'desk_guest');
select frontdesk.schedule('root', '@yearly', 'select 1', username => 'postgres');
insert into frontdesk_internal.job (name, owner, schedule, command, timezone, overlap, max_retries, retry_delay, catch_up, active, planned_from)
values ('forged', 'postgres', '@daily', 'select 1', 'UTC', 'skip', 0, '1 minute', 'one', true, now());
select count(*) from frontdesk_internal.engine_jobs();
set role desk_guest;
select count(*) from frontdesk.jobs;
select count(*) from frontdesk.job_runs;
reset role;

-- A role that is gone stops its jobs only.
create role desk_temp;
select frontdesk.schedule('orphan', '@yearly', 'select 1', 'UTC', username => 'desk_temp') > 0 as scheduled;
drop role desk_temp;
call run('orphan');
select status, sqlstate from last_run;
select regexp_replace(line, '\d{4}-\S+ \S+|\d+', '…', 'g') from regexp_split_to_table(frontdesk.explain_job('orphan'), '\n') line;
select regexp_replace(line, '\d{4}-\S+ \S+|\d+', '…', 'g') from regexp_split_to_table(frontdesk.explain_job('half'), '\n') line;
select regexp_replace(line, '\d{4}-\S+ \S+|\d+', '…', 'g') from regexp_split_to_table(frontdesk.explain_job('later'), '\n') line;

-- A failure is an event.
select type, op, record->>'job' as job, record->>'status' as status, record->>'sqlstate' as sqlstate, record->>'failures' as failures
from frontdesk.event where type like 'job.%' order by id;
select frontdesk.unschedule(name) from frontdesk.jobs order by name;
reset role;
drop owned by desk_clerk;
drop role desk_clerk, desk_guest;
select frontdesk.schedule_once('2100-01-01', 'select 1', 'only once') > 0 as scheduled;
select frontdesk.explain_job('only once') like 'job "only once" runs once at 2100-01-01 %' as says_when;
