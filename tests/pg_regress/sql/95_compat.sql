-- Room 95, compat: the names of pg_cron and pg_net.
\set SHOW_CONTEXT never
select frontdesk.pause('regression test');

select frontdesk.install_compat('pg_cron');
select cron.schedule('nightly', '0 3 * * *', 'vacuum') > 0 as scheduled;
select cron.schedule('*/5 * * * *', 'select 1') > 0 as scheduled;
select cron.schedule('nightly', '30 3 * * *', 'vacuum analyze') = (select jobid from cron.job where jobname = 'nightly') as replaced;
select cron.schedule('every', '30 seconds', 'select 2') > 0 as scheduled;
select cron.schedule('last day', '0 0 $ * *', 'select 3') > 0 as scheduled;
select schedule, command, nodename, database = current_database() as here, username = current_user as mine, active, jobname from cron.job order by jobid;
select timezone from frontdesk.jobs where name = 'nightly';
select cron.alter_job((select jobid from cron.job where jobname = 'every'), active => false);
update cron.job set schedule = '0 4 * * *', command = 'select 4' where jobname = 'nightly';
update cron.job set active = true where jobname = 'every';
select schedule, command, active, jobname from cron.job where jobname in ('nightly', 'every') order by 4;
insert into cron.job (schedule, command, jobname) values ('@daily', 'select 5', 'inserted');
delete from cron.job where jobname = 'last day';
select jobname, schedule from cron.job order by jobid;
select cron.unschedule('inserted');
select cron.unschedule(jobid) from cron.job where jobname = 'every';
select cron.unschedule('inserted');
select cron.unschedule(987654321);
select cron.schedule('bad', '61 * * * *', 'select 1');
select cron.schedule_in_database('x', '* * * * *', 'select 1', 'elsewhere');
select cron.schedule_in_database('there', '* * * * *', 'select 1', current_database()) > 0 as scheduled;
select * from cron.job_run_details;
delete from cron.job_run_details where end_time < now() - interval '7 days';

-- Others see and change their own jobs only.

create role compat_user nologin;
set role compat_user;
select cron.schedule('theirs', '* * * * *', 'select 1') > 0 as scheduled;
select count(*) from cron.job;
create temporary view forged as select 1 as jobid;
create trigger t instead of delete on forged for each row execute function cron.write_job();
select frontdesk.receive_webhook('x', '{}', '{}');
select frontdesk.doctor();
select frontdesk.metrics();
table frontdesk.receipts;
select frontdesk_internal.read_webhook('none', null, '{}', '', '', '', null, null, null, null, 1);
select cron.unschedule('nightly');
reset role;

-- Again is the same anew; another schema, or none, where there is one already.

select frontdesk.install_compat('pg_cron');
select count(*) > 0 as jobs_go_on from cron.job;
create schema net;
select frontdesk.install_compat('pg_net');
drop schema net;
select frontdesk.install_compat('pg_net', schema => 'frontdesk');
select frontdesk.install_compat('pg_net', schema => 'Net;');
select frontdesk.install_compat('http2');
select frontdesk.uninstall_compat('http2');
select frontdesk.install_compat(null);

select frontdesk.install_compat('pg_net');
select net._urlencode_string('a b&c=ü/~');
select net._encode_url_with_params_array('https://x.example/a?b=1', '{c=2}');
select net.http_post('https://hooks.example.com/in', '{"a": 1}', '{"q": "a b"}', '{"X-Key": "k"}', 2000) > 0 as sent;
select net.http_get('https://hooks.example.com/in', '{"q": "a b", "r": "2"}') > 0 as sent;
select net.http_delete('https://hooks.example.com/in', body => '{"a": 1}') > 0 as sent;
select net.http_post('https://hooks.example.com/in', headers => '{"content-type": "text/plain"}');
select method, url, headers, timeout_milliseconds from net.http_request_queue order by id;
select frontdesk.emit('not.a.request', '{"by": "x", "timeout_ms": "y"}') is not null as emitted;
select method, url, state, attempts, status, error from frontdesk.requests order by id;
select * from net._http_response;
select status, message from net._http_collect_response((select max(id) from net.http_request_queue));
create table visit (id int, name text);
create trigger hook after insert or update or delete on visit for each row
  execute function net.http_request('https://hooks.example.com/hook', 'POST', '{"Content-Type": "application/json"}', '{}', '1000');
insert into visit values (1, 'Ana');
select convert_from(decode(e.record->>'body', 'base64'), 'UTF8')::jsonb from frontdesk.event e order by id desc limit 1;
create trigger bad after insert on visit for each row execute function net.http_request('https://hooks.example.com/hook', 'PUT');
insert into visit values (2, 'Bea');

-- Who was given nothing sends nothing and sees nothing.

set role compat_user;
select net.http_get('https://hooks.example.com/in');
select count(*) from frontdesk.requests;
create temporary table mine (id int);
create trigger hook after insert on mine for each row execute function net.http_request('https://hooks.example.com/hook', 'POST');
reset role;

-- pgsql-http: at once, and guarded.

select frontdesk.install_compat('http');
set search_path = public, http;
select urlencode('a b&c=ü/~');
select urlencode('{"a": "x y", "b": 2}'::jsonb);
select http_headers('A', '1', 'B', '2');
select http_headers('A');
select http_set_curlopt('CURLOPT_TIMEOUT', '2'), http_set_curlopt('CURLOPT_USERAGENT', 'desk');
select * from http_list_curlopt();
select http_set_curlopt('CURLOPT_PROXY', 'x');
select http_set_curlopt('CURLOPT_TIMEOUT', 'soon');
select http_reset_curlopt();
select * from http_list_curlopt();
select status from http_get('http://127.0.0.1/');
select status from http(('GET', 'http://169.254.169.254/latest', array[http_header('A', 'b')], null, null)::http_request);
reset search_path;

select frontdesk.uninstall_compat('http');
select frontdesk.uninstall_compat('pg_net');
select frontdesk.uninstall_compat('pg_cron');
select frontdesk.uninstall_compat('pg_cron');
drop owned by compat_user;
drop role compat_user;
