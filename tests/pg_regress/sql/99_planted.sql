-- Functions, operators, casts and tables planted in public and pg_temp, under names that an unqualified call would find: none of
-- them is ever called, whatever search_path the caller has.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
create table public.planted (what text);
create function public.ran(what text) returns void language plpgsql as $$
begin
  insert into public.planted values (what);
  raise exception 'planted % ran', what;
end
$$;

-- Functions that fit better than those of pg_catalog, by name and by type.

create function public.format(text, name) returns text language plpgsql as $$ begin perform public.ran('format'); return ''; end $$;
create function public.format(text, regclass) returns text language plpgsql as $$ begin perform public.ran('format'); return ''; end $$;
create function public.format(text, text) returns text language plpgsql as $$ begin perform public.ran('format'); return ''; end $$;
create function public.coalesce_(text) returns text language sql as $$ select $1 $$;
create function public.now() returns timestamptz language plpgsql as $$ begin perform public.ran('now'); return null; end $$;
create function public.clock_timestamp() returns timestamptz language plpgsql as $$ begin perform public.ran('clock_timestamp'); return null; end $$;
create function public.jsonb_build_object(text, text) returns jsonb language plpgsql as $$ begin perform public.ran('jsonb_build_object'); return '{}'; end $$;
create function public.array_agg(name) returns name[] language plpgsql as $$ begin perform public.ran('array_agg'); return '{}'; end $$;
create function public.lower(name) returns text language plpgsql as $$ begin perform public.ran('lower'); return ''; end $$;
create function public.cardinality(text[]) returns int language plpgsql as $$ begin perform public.ran('cardinality'); return 0; end $$;
create function public.current_database() returns name language plpgsql as $$ begin perform public.ran('current_database'); return ''; end $$;
create function public.wake() returns void language plpgsql as $$ begin perform public.ran('wake'); end $$;
create function public.record_event(text, "char", jsonb) returns bigint language plpgsql as $$ begin perform public.ran('record_event'); return 0; end $$;

-- Operators for the pairs of types for which pg_catalog has none of its own: an exact match wins over any coercion.

create function public.op(name, text) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(text, name) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(text, text) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(oid, regclass) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(regclass, oid) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(oid, regproc) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(oid, regtype) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(bigint, oid) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.op(int2, int4) returns boolean language plpgsql as $$ begin perform public.ran('operator'); return true; end $$;
create function public.concat_op(text, name) returns text language plpgsql as $$ begin perform public.ran('operator'); return ''; end $$;
create function public.concat_op(text, regclass) returns text language plpgsql as $$ begin perform public.ran('operator'); return ''; end $$;
create operator public.= (leftarg = name, rightarg = text, function = public.op);
create operator public.= (leftarg = text, rightarg = name, function = public.op);
create operator public.= (leftarg = text, rightarg = text, function = public.op);
create operator public.<> (leftarg = text, rightarg = text, function = public.op);
create operator public.~ (leftarg = text, rightarg = text, function = public.op);
create operator public.= (leftarg = oid, rightarg = regclass, function = public.op);
create operator public.= (leftarg = regclass, rightarg = oid, function = public.op);
create operator public.= (leftarg = oid, rightarg = regproc, function = public.op);
create operator public.= (leftarg = oid, rightarg = regtype, function = public.op);
create operator public.<> (leftarg = oid, rightarg = regtype, function = public.op);
create operator public.= (leftarg = bigint, rightarg = oid, function = public.op);
create operator public.= (leftarg = int2, rightarg = int4, function = public.op);
create operator public.|| (leftarg = text, rightarg = name, function = public.concat_op);
create operator public.|| (leftarg = text, rightarg = regclass, function = public.concat_op);

-- Tables and types of our names, temporary and not.

create temp table endpoint (like frontdesk_internal.endpoint);
create temp table endpoint_secret (like frontdesk_internal.endpoint_secret);
create temp table installation (like frontdesk_internal.installation);
create temp table event (id bigint);
create temp table retry (event_id bigint);
create temp table attempt (event_id bigint);
create temp table dead_letter (event_id bigint);
create temp table cursor (endpoint_id bigint);
create temp table pg_class (oid oid, relname name);
create temp table pg_trigger (oid oid);
create temp table pg_attribute (attrelid oid, attname name);
create temp table pg_extension (extname name, extversion text, extowner oid);
create type pg_temp.pg_snapshot as (x int);
create domain pg_temp.jsonb as text;
create domain pg_temp.text as varchar(1);

-- The whole API, as a superuser with a hostile search_path.

set search_path = pg_temp, public, frontdesk, pg_catalog;
set client_min_messages = error;
select frontdesk.pause('regression test');
create table public.leads (id pg_catalog.int4 primary key, name pg_catalog.text, status pg_catalog.text, org pg_catalog.uuid);
select frontdesk.watch('public.leads', entity => 'lead', state_column => 'status', columns => '{name,status}', condition => '{"op": {"$ne": "x"}}',
  redact => '{name}', key_columns => '{id}', tenant_column => 'org');
insert into public.leads values (1, 'Ada', 'new');
update public.leads set status = 'won';
alter table public.leads rename column status to stage;
alter table public.leads drop column stage;
delete from public.leads;
select source::pg_catalog.text, entity, state_column, problem from frontdesk.watch;
select frontdesk.add_endpoint('crm', 'https://hooks.example.com/', events => '{lead.*}', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  headers => '{"X-A": "b", "Authorization": "c"}', filter => '{"op": "insert"}', retry => '{"delays": ["1s"]}');
select frontdesk.alter_endpoint('crm', timeout_ms => 1000);
select frontdesk.pause_endpoint('crm');
select frontdesk.resume_endpoint('crm');
select pg_catalog.length(frontdesk.rotate_secret('crm', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'));
select frontdesk.emit('lead.imported', '{"n": 1}', 'k') operator(pg_catalog.>) 0;
select frontdesk.test_endpoint('crm') operator(pg_catalog.>) 0;
select frontdesk.send_webhook_with_retry('crm', 'lead.x', '{}') operator(pg_catalog.>) 0;
select frontdesk.test_webhook('crm') operator(pg_catalog.>) 0;
select frontdesk.http_post('https://api.example.com/', '{}', '{"X-Token": "t"}', 'crm') as id \gset
select status from frontdesk.response(:id);
select status from frontdesk.await_response(:id, '1 ms');
select outcome from frontdesk.explain_event(:id) order by 1;
select frontdesk.replay(:id), frontdesk.replay('crm', since => '-infinity', only_failed => false), frontdesk.discard(:id), frontdesk.discard('crm');
select name from frontdesk.endpoints;
select pg_catalog.count(*) from frontdesk.delivery;
select pg_catalog.count(*) from frontdesk.dead_letters;
insert into frontdesk.webhook_configs (name, url, events) values ('other', 'https://hooks.example.com/', '{*}');
update frontdesk.webhook_configs set is_active = false where name operator(pg_catalog.=) 'other';
delete from frontdesk.webhook_configs where name operator(pg_catalog.=) 'other';
select pg_catalog.count(*) from frontdesk.webhook_logs;
select webhook_name from frontdesk.get_webhook_stats();
select state, watches, endpoints from frontdesk.status();
select frontdesk.maintain() is not null;
select frontdesk.adopt() is not null;
select frontdesk.stop() is not null, frontdesk.start() is not null;
select frontdesk.resume();
select frontdesk.pause();
select frontdesk.remove_endpoint('crm');
select frontdesk.unwatch('public.leads');
set search_path = pg_catalog;
select * from public.planted;

-- Not even while the extension is created, with public (where vector lies) in the path of the script.

drop extension pg_frontdesk cascade;
set search_path = public, pg_catalog;
create extension pg_frontdesk;
set search_path = pg_catalog;
select * from public.planted;
create table public.orders (id int primary key, status pg_catalog.text);
select frontdesk.watch('public.orders', state_column => 'status');
insert into public.orders values (1, 'new');
update public.orders set status = 'paid';
select source, problem from frontdesk.watch;
select type from frontdesk.event order by id;
select * from public.planted;
