-- Jobs: what a role with nothing but LOGIN can do to others' jobs, and what stops a job.
set client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
\pset null ~
\set SHOW_CONTEXT never
create role job_mallory login;
create role job_team;
create role job_member login;
grant job_team to job_member;
create procedure run(job bigint) language plpgsql as $$
declare
  run_id bigint := frontdesk.run_job(job);
begin
  commit;
  for i in 1..400 loop
    exit when exists (select from frontdesk_internal.job_run r where r.id = run_id and r.status not in ('waiting', 'running'));
    perform pg_sleep(0.02);
    commit;
  end loop;
end $$;
create view last_run as select status, result, sqlstate, message from frontdesk_internal.job_run order by id desc limit 1;
select frontdesk.schedule('nightly', '@yearly', 'select 1') > 0;

-- Nobody has a table: neither to write it, nor to lock it.
set role job_mallory;
begin;
lock table frontdesk_internal.job in access exclusive mode;
rollback;
begin;
lock table frontdesk_internal.job_run in row share mode;
rollback;
select count(*) from frontdesk_internal.job;
insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at) values (1, 'x', 'job_mallory', 'select 1', 'waiting', now(), now());
update frontdesk_internal.job_state set failures = 0;
select count(*) from frontdesk.jobs;
select count(*) from frontdesk.job_runs;
select frontdesk.run_job('nightly');
select frontdesk.alter_job('nightly', command => 'select 2');
select frontdesk.schedule('root', '@yearly', 'select 1', username => 'postgres');
select frontdesk.schedule('nightly', '@yearly', 'select ''hers''') > 0;
select count(*) from frontdesk.jobs;
reset role;

-- One name, two owners: whose is meant is asked. One's own comes first.
select frontdesk.schedule('same', '@yearly', 'select 1', username => 'job_mallory') > 0, frontdesk.schedule('same', '@yearly', 'select 1', username => 'job_team') > 0;
\set VERBOSITY terse
select frontdesk.unschedule('same');
select frontdesk.run_job('same');
select frontdesk.alter_job('same', active => false);
select frontdesk.explain_job('same');
\set VERBOSITY default
select count(*) from frontdesk.jobs where name = 'same';
select frontdesk.schedule('same', '@yearly', 'select 1') > 0;
select frontdesk.alter_job('same', schedule => '@monthly', name => 'mine');
select owner = current_user, schedule from frontdesk.jobs where name = 'mine';
select frontdesk.explain_job(id) like 'job "same" runs by "@yearly" % as job_team%' from frontdesk.jobs where owner = 'job_team';
select frontdesk.unschedule(id) from frontdesk.jobs where name in ('same', 'mine');

create table kept (id int);

-- A job has no client to copy from or to, neither when it is declared nor when it is run.
select frontdesk.schedule('export', '@daily', 'copy (select 1) to stdout');
select frontdesk.schedule('import', '@daily', 'select 1; copy pg_class from stdin');
select frontdesk.schedule('export', '@yearly', 'select 1') as id \gset
alter table frontdesk_internal.job disable trigger job_check;
update frontdesk_internal.job set command = 'copy kept from stdin' where id = :id;
alter table frontdesk_internal.job enable trigger job_check;
call run(:id);
select * from last_run;

-- What the first row cannot be as JSON undoes nothing.
select frontdesk.schedule('nul', '@yearly', $$insert into kept values (1); select '"\u0000"'::json as it$$) as id \gset
call run(:id);
select * from last_run;
table kept;

-- A time zone as POSIX writes it is one.
select * from frontdesk.next_runs('0 9 * * *', '<-03>+03', 1, '2026-01-01 00:00Z');

-- Who may not log in any more, and who may not become the owner any more, has no runs; explain_job() says so.
select frontdesk.schedule('gone', '@yearly', 'select 1', username => 'job_mallory') as gone \gset
set role job_member;
select frontdesk.schedule('team', '@yearly', 'select current_user', username => 'job_team') as team \gset
reset role;
call run(:gone);
select status from last_run;
call run(:team);
select status, result from last_run;
alter role job_mallory nologin;
revoke job_team from job_member;
call run(:gone);
select status, message from last_run;
call run(:team);
select status, message from last_run;
select line from regexp_split_to_table(frontdesk.explain_job(:gone), '\n') line where line like 'it %';
select name, problem from frontdesk.jobs where problem is not null order by name;
grant job_team to job_member;
alter role job_mallory login;
call run(:gone);
select status from last_run;
call run(:team);
select status, result from last_run;

-- REASSIGN OWNED and DROP OWNED see jobs. A command that comes to another role waits until somebody has looked at it.
reassign owned by job_mallory to job_member;
select name, owner, active from frontdesk.jobs where id = :gone;
select line from regexp_split_to_table(frontdesk.explain_job(:gone), '\n') line where line like 'it %';
drop owned by job_team;
select count(*) from frontdesk.jobs where id = :team;
select frontdesk.unschedule(id) from frontdesk.jobs order by id;
drop owned by job_mallory, job_team, job_member;
drop role job_mallory, job_team, job_member;
