-- Room 00, base: the clock, the engine's life, the identity of an installation.
\set SHOW_CONTEXT never

-- The clock of the engine is the time of day, or what a test says.

select frontdesk.now() between clock_timestamp() - interval '1 second' and clock_timestamp() as is_now;
set frontdesk.fake_now = '2026-02-28 23:59:59.5+00';
select frontdesk.now();
set frontdesk.fake_now = 'tomorrow';
reset frontdesk.fake_now;

-- The library and the extension are of one version.

select status.library_version = x.extversion as same, status.extension_version = x.extversion as same_too
from frontdesk.status(), pg_extension x where x.extname = 'pg_frontdesk';

-- Pause: events go on being recorded, nothing is sent. status() says who paused and why.

select frontdesk.pause('moving house');
select state, reason, lag_events, lag_seconds, in_flight, retrying, waiting, dead, oldest_pending, watches, endpoints, endpoints_behind
from frontdesk.status();
select frontdesk.pause();
select state, reason = 'pause() by ' || session_user as says_who from frontdesk.status();
create table leads (id int);
select frontdesk.watch('leads');
insert into leads select generate_series(1, 5);
select lag_events, lag_seconds >= 0 as lag_seconds, oldest_pending is not null as oldest_pending, watches from frontdesk.status();

-- Stop and start.

select frontdesk.stop();
select state, reason = 'stop() by ' || session_user as says_who from frontdesk.status();
select frontdesk.pause('while stopped');
select frontdesk.start();
select state, reason from frontdesk.status();
select frontdesk.resume();
select i.state, i.state_reason from frontdesk_internal.installation i;
select frontdesk.start();
select frontdesk.stop();
select frontdesk.start();
select i.state, i.state_reason from frontdesk_internal.installation i;

-- Settings that do not exist are refused, and what is for administrators is for them alone.

set frontdesk.no_such_setting = 1;
\echo :SQLSTATE
create role regress_base_nobody;
set role regress_base_nobody;
set frontdesk.fake_now = '2026-01-01';
\echo :SQLSTATE
set frontdesk.depth = 3;
\echo :SQLSTATE
set frontdesk.user_id = 'allowed to everyone';
show frontdesk.user_id;
reset role;
drop role regress_base_nobody;

-- A copy of a database is silent: it was installed elsewhere, and somebody else delivers.

select id as identity from frontdesk_internal.installation \gset
select frontdesk.add_endpoint('crm', 'https://hooks.example.com/', signature => 'none');
begin;
update frontdesk_internal.installation set database_oid = 1;
select state, reason from frontdesk.status();
select frontdesk.is_clone();
select frontdesk.start();
savepoint a;
select frontdesk.resume();
\echo :SQLSTATE
rollback to a;

-- Adopted, it delivers what is committed from now on, as somebody new.

select frontdesk.adopt() <> :'identity' as is_new;
select frontdesk.is_clone(), i.state from frontdesk_internal.installation i;
select lag_events from frontdesk.status();
rollback;

-- Or as who it was, where it takes over from the original.

begin;
update frontdesk_internal.installation set system_identifier = 1;
select frontdesk.adopt(new_identity => false) = :'identity' as is_same;
rollback;

-- Where the log came along, as with pg_upgrade, an endpoint that was paused goes on from its place in it.

begin;
insert into frontdesk_internal.cursor (endpoint_id, last_snapshot, xid, event_id, since)
select e.id, c.last_snapshot, c.xid, c.event_id, c.since from frontdesk_internal.endpoint e, frontdesk_internal.cursor c where e.name = 'crm' and c.endpoint_id = 0;
select created_snapshot as before from frontdesk_internal.endpoint where name = 'crm' \gset
update frontdesk_internal.installation set system_identifier = 1;
select frontdesk.adopt(new_identity => false) = :'identity' as is_same;
select count(*) as places from frontdesk_internal.cursor;
select created_snapshot::text = :'before' as unchanged from frontdesk_internal.endpoint where name = 'crm';
rollback;

-- Adopting what is no copy changes nothing.

begin;
select frontdesk.adopt() = :'identity' as is_same;
rollback;

-- The data of a dump bring their identity beside the one that is here, whatever triggers are disabled: a copy, until it is adopted.

begin;
insert into frontdesk_internal.installation (id, system_identifier, database_oid, installed_at)
select '0190a0b0-0000-7000-8000-000000000001', i.system_identifier, i.database_oid, '2026-01-01' from frontdesk_internal.installation i;
select count(*), frontdesk.is_clone() from frontdesk_internal.installation;
select state, reason from frontdesk.status();
select frontdesk.adopt(new_identity => false);
select id, count(*) over (), frontdesk.is_clone() from frontdesk_internal.installation;
rollback;

-- Dropping the extension takes the triggers of watched tables along, when asked to, and nothing else.

drop extension pg_frontdesk;
\echo :SQLSTATE
begin;
set local client_min_messages = warning;
drop extension pg_frontdesk cascade;
select count(*) from pg_trigger where tgrelid = 'leads'::regclass;
insert into leads values (6);
select count(*) from leads;
create extension pg_frontdesk;
select count(*) from frontdesk.event;
rollback;
insert into leads values (7);

-- The engine speaks UTF-8.

create database frontdesk_regress_latin1 encoding 'LATIN1' locale 'C' template template0;
\set database :DBNAME
\c frontdesk_regress_latin1
create extension pg_frontdesk cascade;
\echo :SQLSTATE
\c :database
drop database frontdesk_regress_latin1;
