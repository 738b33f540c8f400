-- In a read-only transaction, and so on a standby: what reads works, what writes says that it cannot.
\set SHOW_CONTEXT never
create table leads (id int primary key);
set client_min_messages = error;
select frontdesk.pause('regression test');
select frontdesk.add_endpoint('crm', 'https://hooks.example.com/', signature => 'none');
select frontdesk.watch('leads');
insert into leads values (1);
reset client_min_messages;
select max(id) as event_id from frontdesk.event \gset
create temp table scratch (id int);
select frontdesk.watch('scratch');
set default_transaction_read_only = on;

-- Reading.

select state, reason, lag_events, endpoints, watches from frontdesk.status();
select source, entity from frontdesk.watch order by entity;
select name, state from frontdesk.endpoints;
select endpoint, outcome, reason from frontdesk.explain_event(:event_id);
select count(*) from frontdesk.delivery;
select frontdesk.check_url('https://hooks.example.com/');
select frontdesk.verify_webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', '{}', '');
select * from frontdesk.get_webhook_stats();

-- Writing.

select frontdesk.emit('lead.created');
\echo :SQLSTATE
select frontdesk.http_post('https://api.example.com/');
\echo :SQLSTATE
select frontdesk.test_endpoint('crm');
\echo :SQLSTATE
select frontdesk.watch('leads');
\echo :SQLSTATE
select frontdesk.unwatch('leads');
\echo :SQLSTATE
select frontdesk.add_endpoint('other', 'https://hooks.example.com/', signature => 'none');
\echo :SQLSTATE
select frontdesk.alter_endpoint('crm', timeout_ms => 1000);
\echo :SQLSTATE
select frontdesk.remove_endpoint('crm');
\echo :SQLSTATE
select frontdesk.pause();
\echo :SQLSTATE
select frontdesk.resume();
\echo :SQLSTATE
select frontdesk.stop();
\echo :SQLSTATE
select frontdesk.adopt();
\echo :SQLSTATE
select frontdesk.replay(:event_id);
\echo :SQLSTATE
select frontdesk.discard(:event_id);
\echo :SQLSTATE
select frontdesk.maintain();
\echo :SQLSTATE
insert into leads values (2);
\echo :SQLSTATE

-- A temporary table can be written even then; its watch cannot.

insert into scratch values (1);
\echo :SQLSTATE
set default_transaction_read_only = off;
select count(*) from frontdesk.event;
