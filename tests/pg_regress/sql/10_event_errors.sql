-- Room 10, event: what is wrong about a watch or an event is said when it is declared: SQLSTATE, what, which, and what to do.
\set SHOW_CONTEXT never
create table leads (id int primary key, name text, status text, org text);
create view lead_names as select name from leads;
create materialized view lead_count as select count(*) from leads;
create sequence numbers;
create foreign data wrapper elsewhere;
create server elsewhere foreign data wrapper elsewhere;
create foreign table far_away (id int) server elsewhere;

-- What cannot be watched.

select frontdesk.watch('nowhere');
\echo :SQLSTATE
select frontdesk.watch(null);
\echo :SQLSTATE
select frontdesk.watch(0::regclass);
\echo :SQLSTATE
select frontdesk.watch('lead_names');
\echo :SQLSTATE
select frontdesk.watch('lead_count');
\echo :SQLSTATE
select frontdesk.watch('far_away');
\echo :SQLSTATE
select frontdesk.watch('numbers');
\echo :SQLSTATE
select frontdesk.watch('leads_pkey');
\echo :SQLSTATE
select frontdesk.watch('pg_class');
\echo :SQLSTATE
select frontdesk.watch('information_schema.sql_features');
\echo :SQLSTATE
select frontdesk.watch('frontdesk_internal.endpoint');
\echo :SQLSTATE
select frontdesk.unwatch('nowhere');
\echo :SQLSTATE
select frontdesk.unwatch(null);

-- Names.

select frontdesk.watch('leads', entity => '');
\echo :SQLSTATE
select frontdesk.watch('leads', entity => 'lead of the day');
\echo :SQLSTATE
select frontdesk.watch('leads', entity => 'a..b');
\echo :SQLSTATE
select frontdesk.watch('leads', entity => 'endpoint.mine');
\echo :SQLSTATE
select frontdesk.watch('leads', entity => 'delivery');
\echo :SQLSTATE

-- Operations.

select frontdesk.watch('leads', operations => '{upsert}');
\echo :SQLSTATE
select frontdesk.watch('leads', operations => '{INSERT}');
\echo :SQLSTATE
select frontdesk.watch('leads', operations => '{insert,null}');
\echo :SQLSTATE
select frontdesk.watch('leads', operations => '{}');
\echo :SQLSTATE
select frontdesk.watch('leads', operations => null);
\echo :SQLSTATE

-- Columns.

select frontdesk.watch('leads', state_column => 'state');
\echo :SQLSTATE
select frontdesk.watch('leads', columns => '{name,nmae}');
\echo :SQLSTATE
select frontdesk.watch('leads', redact => '{"Name"}');
\echo :SQLSTATE
select frontdesk.watch('leads', key_columns => '{ctid}');
\echo :SQLSTATE
select frontdesk.watch('leads', tenant_column => 'tenant');
\echo :SQLSTATE
select frontdesk.watch('leads', tenant_column => 'org');
\echo :SQLSTATE
select frontdesk.watch('leads', columns => '{name,null}');
\echo :SQLSTATE

-- Conditions.

select frontdesk.watch('leads', condition => '{"new.name": {"$like": "A%"}}');
\echo :SQLSTATE
select frontdesk.watch('leads', condition => '{"new.name": {"$regex": "("}}');
\echo :SQLSTATE
select frontdesk.watch('leads', condition => '{"$or": {"a": 1}}');
\echo :SQLSTATE
select frontdesk.watch('leads', condition => '[1]');
\echo :SQLSTATE
select frontdesk.watch('leads', condition => 'null');
\echo :SQLSTATE
select frontdesk.watch('leads', condition => '{"new.name": {"$in": "Ada"}}');
\echo :SQLSTATE

-- Nothing of all this left a watch.

select count(*) from frontdesk.watch;

-- Events.

select frontdesk.emit(null);
\echo :SQLSTATE
select frontdesk.emit('');
\echo :SQLSTATE
select frontdesk.emit('two words');
\echo :SQLSTATE
select frontdesk.emit('a..b');
\echo :SQLSTATE
select frontdesk.emit('.a');
\echo :SQLSTATE
select frontdesk.emit('große größe');
\echo :SQLSTATE
select frontdesk.emit(repeat('a', 300));
\echo :SQLSTATE
select frontdesk.emit('lead.*');
\echo :SQLSTATE
select frontdesk.emit('endpoint.failing');
\echo :SQLSTATE
select frontdesk.emit('delivery.exhausted');
\echo :SQLSTATE
select frontdesk.emit('http.request');
\echo :SQLSTATE
select frontdesk.emit('ok', '{not json');
\echo :SQLSTATE
select count(*) from frontdesk.event;

-- capture() is a trigger function, for watch() to use.

select frontdesk_internal.capture();
\echo :SQLSTATE
create trigger mine before insert on leads for each row execute function frontdesk_internal.capture();
insert into leads values (1);
\echo :SQLSTATE
drop trigger mine on leads;
create trigger mine after insert or update or delete on leads for each statement execute function frontdesk_internal.capture('{"entity": "lead"}');
insert into leads values (1);
\echo :SQLSTATE
update leads set id = id;
delete from leads;
drop trigger mine on leads;
create trigger mine after insert on leads for each row execute function frontdesk_internal.capture('no watch');
insert into leads values (1);
\echo :SQLSTATE
select source, entity, problem from frontdesk.watch;
select frontdesk.unwatch('leads');
alter table leads rename column org to organisation;
drop trigger mine on leads;

-- A trigger made by hand that says it is a watch is no way to run commands as who alters the table.

create trigger mine after insert on leads for each row execute function frontdesk_internal.capture(
  '{"entity": "x", "operations": ["insert on leads for each row execute function frontdesk_internal.capture(); create table owned (); --"], "attnums": {"name": 2}, "columns": ["name"]}');
alter table leads rename column name to full_name;
select to_regclass('owned');

-- A partition belongs to the watch of its root.

create table log (id int, at date) partition by range (at);
create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');
select frontdesk.watch('log');
select frontdesk.watch('log_1');
\echo :SQLSTATE
select frontdesk.unwatch('log_1');
\echo :SQLSTATE
select frontdesk.unwatch('log');
select frontdesk.watch('log_1');
select frontdesk.watch('log');
\echo :SQLSTATE
create table log_2 (id int, at date);
select frontdesk.unwatch('log_1');
select frontdesk.watch('log'), frontdesk.watch('log_2');
alter table log attach partition log_2 for values from ('2026-02-01') to ('2026-03-01');
\echo :SQLSTATE
