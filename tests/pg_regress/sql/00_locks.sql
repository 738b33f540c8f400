-- Room 00, base: nobody keeps the extension from its work by a lock that anybody may take.
\pset format unaligned
\set SHOW_CONTEXT never
set client_min_messages = warning;

-- No function of the extension waits for an advisory lock. One is tried, and what it guards is left out when it is taken.
select p.oid::regprocedure from pg_proc p
where p.pronamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace) and p.prosrc ~ 'advisory'
  and p.proname <> 'crm_scripts' order by 1;
create role regress_locker;
grant create on database :DBNAME to regress_locker;
begin;
set local role regress_locker;
savepoint a;
select frontdesk_internal.crm_lock('postgres');
rollback to a;
select frontdesk_internal.crm_lock('regress_locker');
reset role;
select locktype, mode, granted from pg_locks where pid = pg_backend_pid() and locktype = 'userlock';
rollback;

-- A list of dead letters shows how large a record is, not a gigabyte of it.
select frontdesk.add_endpoint('crm', 'https://api.example.com/') is not null as added;
select frontdesk.emit('large', ('[' || repeat('9e131071,', 20) || '1]')::jsonb) > 0, frontdesk.emit('small', '{"a": 1}') > 0;
insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
select e.id, n.id, e.xid, e.created_at, 1, 'too large', now() from frontdesk.event e, frontdesk_internal.endpoint n where e.type in ('large', 'small');
select type, record, bytes from frontdesk.dead_letters order by event_id;
drop owned by regress_locker;
drop role regress_locker;
