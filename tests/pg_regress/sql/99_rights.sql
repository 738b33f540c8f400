-- Least privilege. The lists below are exact: a function that becomes executable by PUBLIC by accident changes this file's output.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');

-- Every object of both schemas is explained: \df+ and \d+ are the manual. Partitions of a day and indexes speak for themselves.

create view ours as select n.oid from pg_namespace n where nspname in ('frontdesk', 'frontdesk_internal');
select 'no comment: function ' || p.oid::regprocedure
from pg_proc p where pronamespace in (table ours) and obj_description(p.oid, 'pg_proc') is null order by 1;
select 'no comment: ' || c.oid::regclass
from pg_class c where relnamespace in (table ours) and relkind in ('r', 'p', 'v', 'm') and not relispartition
  and obj_description(c.oid, 'pg_class') is null order by 1;
select 'no comment: type ' || t.oid::regtype
from pg_type t where typnamespace in (table ours) and typrelid = 0 and typelem = 0 and obj_description(t.oid, 'pg_type') is null order by 1;

-- Every function has a pinned search_path, but for those in C and those whose body was resolved when they were declared.

select 'no search_path: ' || p.oid::regprocedure
from pg_proc p join pg_language l on l.oid = p.prolang
where pronamespace in (table ours) and lanname <> 'c' and prosqlbody is null
  and not exists (select from unnest(proconfig) s where s like 'search_path=%') order by 1;

-- What runs with the rights of the owner looks into pg_temp last. This list is a reviewed one: what PUBLIC may call of it asks
-- who calls, the rest is granted by name (sql/grants.sql) and its callers are meant to do what it does.

select 'unsafe search_path: ' || p.oid::regprocedure || ' ' || coalesce(proconfig::text, '')
from pg_proc p where pronamespace in (table ours) and prosecdef
  and not exists (select from unnest(proconfig) s where s ~ '^search_path=pg_catalog(, frontdesk)?, pg_temp$') order by 1;
select 'security definer: ' || g.name || ', ' || g.who
from pg_proc p join frontdesk_internal.granted g on g.class = 'pg_proc'::regclass and g.id = p.oid where prosecdef order by 1;

-- A verb and what stands behind it are alike; the defaults are those of the public one.

create function shape(p pg_proc) returns text language sql as $$
  select concat_ws(' ', p.prorettype, p.proretset, p.provolatile, p.proisstrict, p.prokind, p.prosecdef, p.proargnames,
    array_to_string(coalesce(p.proallargtypes, p.proargtypes::oid[]), ','), coalesce(translate(array_to_string(p.proargmodes, ''), 'v', 'i'), repeat('i', p.pronargs)))
$$;
select 'not alike: ' || p.oid::regprocedure
from pg_proc p left join pg_proc i on i.proargtypes = p.proargtypes and i.pronamespace = 'frontdesk_internal'::regnamespace
  and i.proname = p.proname || case when p.pronamespace = i.pronamespace then '_inner' else '' end
where p.pronamespace in (table ours) and p.prosrc = 'verb'
  and (i.oid is null or shape(p) <> shape(i) or p.prosecdef or i.pronargdefaults > 0) order by 1;

-- Who may do what stands in sql/grants.sql: every function and relation has its line, every line its object, and the privileges
-- are those of the lines. Nobody but the owner and PUBLIC has any, unless an administrator gives it.

select 'not listed: ' || g.name from frontdesk_internal.granted g join pg_depend d on d.classid = g.class and d.objid = g.id and d.refclassid = 'pg_namespace'::regclass
where not g.listed and d.refobjid = 'frontdesk'::regnamespace and not exists (select from pg_class c where c.oid = g.id and g.class = 'pg_class'::regclass and c.relispartition) order by 1;
select 'listed twice: ' || min(object) from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o group by o.class, o.id having count(*) > 1 order by 1;
select 'not there: ' || object from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o where o.id is null order by 1;
select 'without a reason: ' || object from frontdesk_internal.grants() where why is null or length(why) < 5 or who not in ('public', 'owner', 'nobody') order by 1;
select 'other privilege: ' || g.name || ', ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end || ' ' || string_agg(distinct a.privilege_type, ', ')
from frontdesk_internal.granted g, aclexplode(g.acl) a
where a.grantee <> g.owner and not (a.grantee = 0 and g.who = 'public' and lower(a.privilege_type) = g.privilege) group by g.name, a.grantee order by 1;
select 'privilege is missing: ' || g.name from frontdesk_internal.granted g
where g.who = 'public' and not exists (select from aclexplode(g.acl) a where a.grantee = 0) order by 1;
select n.nspname, a.privilege_type from pg_namespace n, aclexplode(nspacl) a where n.oid in (table ours) and a.grantee <> n.nspowner order by 1, 2;

-- Schema frontdesk is what one may type and read. Of the other one PUBLIC may use what is called with the rights of whoever
-- calls a verb or reads a view, and nothing else: a list to be reviewed.

select 'in schema frontdesk: ' || g.name || ', ' || g.who from frontdesk_internal.granted g
where g.id in (select oid from pg_class where relnamespace = 'frontdesk'::regnamespace and relkind not in ('v', 'i'))
  or g.id in (select oid from pg_proc where pronamespace = 'frontdesk'::regnamespace and prorettype in ('trigger'::regtype, 'event_trigger'::regtype))
  or g.who = 'nobody' and (g.id in (select oid from pg_class where relnamespace = 'frontdesk'::regnamespace and relkind <> 'i')
    or g.id in (select oid from pg_proc where pronamespace = 'frontdesk'::regnamespace)) order by 1;
select 'in schema frontdesk_internal: ' || g.object || ', ' || g.who from frontdesk_internal.grants() g where g.object like 'frontdesk\_internal.%' order by 1;

-- A grant gives a verb: nobody executes a trigger function, PUBLIC has no privilege on a table, and the views that it reads
-- filter behind a barrier.

select 'trigger function of everybody: ' || p.oid::regprocedure from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
where pronamespace in (table ours) and prorettype in ('trigger'::regtype, 'event_trigger'::regtype) and a.grantee <> p.proowner order by 1;
select 'table of everybody: ' || g.name || ' ' || string_agg(distinct a.privilege_type, ', ')
from frontdesk_internal.granted g join pg_class c on g.class = 'pg_class'::regclass and c.oid = g.id, aclexplode(g.acl) a
where a.grantee <> c.relowner and not (c.relkind = 'v' and a.privilege_type = 'SELECT') group by g.name order by 1;
select 'view without barrier: ' || c.oid::regclass from pg_class c, aclexplode(c.relacl) a
where relnamespace in (table ours) and relkind = 'v' and a.grantee = 0
  and not coalesce(reloptions && '{security_barrier=true,security_barrier=on}', false) order by 1;

-- A role without rights tries every function and every table. What it may call says something about its arguments or nothing.
-- (Of a strict function, as utf8(), PostgreSQL knows the result of a null without calling it, and without asking.)

create role regress_nobody;
grant select on ours to regress_nobody;
create table attempts (what text, outcome text);
grant insert on attempts to regress_nobody;
create table others_table (id int primary key);
set role regress_nobody;
do $$
declare
  f regprocedure;
  c regclass;
  call text;
begin
  for f, call in
    select p.oid, format('select %s(%s)', p.oid::regproc, (
      select string_agg(format('%s => null::%s', quote_ident(coalesce(nullif(proargnames[i], ''), '$' || i)), format_type(proargtypes[i - 1], null)), ', ')
      from generate_series(1, pronargs) i))
    from pg_proc p where pronamespace in (table public.ours) and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    order by p.oid::regprocedure::text
  loop
    begin
      execute call;
      insert into public.attempts values (f::text, 'returned');
    exception when insufficient_privilege then
      null;
    when others then
      insert into public.attempts values (f::text, sqlerrm);
    end;
  end loop;
  for c in select oid from pg_class where relnamespace in (table public.ours) and relkind in ('r', 'p', 'v', 'S') order by oid loop
    begin
      execute format('table %s', c);
      insert into public.attempts values (c::text, 'read');
    exception when insufficient_privilege then
      null;
    when others then
      insert into public.attempts values (c::text, sqlerrm);
    end;
  end loop;
end
$$;
reset role;
select what, outcome from attempts order by what;

-- It cannot watch another's table.

set role regress_nobody;
select frontdesk.watch('others_table');
\echo :SQLSTATE
select frontdesk.unwatch('others_table');
\echo :SQLSTATE
select frontdesk.emit('mine');
\echo :SQLSTATE
insert into frontdesk.event select * from frontdesk.event;
\echo :SQLSTATE
reset role;

-- The owner of a table who is no superuser can watch it once that is allowed, and is told so before.

create role regress_owner;
grant create on schema public to regress_owner;
set role regress_owner;
create table leads (id int primary key, name text);
select frontdesk.watch('leads');
\echo :SQLSTATE
reset role;
grant execute on function frontdesk.watch to regress_owner;
set role regress_owner;
select frontdesk.watch('leads', columns => '{name}');
insert into leads values (1, 'Ada');
alter table leads rename column name to full_name;
update leads set full_name = 'Ada L.';
select frontdesk.unwatch('leads');
select frontdesk.watch('leads');
select source, entity, problem from frontdesk.watch;
select frontdesk.watch('others_table');
\echo :SQLSTATE
select * from frontdesk.event;
\echo :SQLSTATE
reset role;
select type, key, record from frontdesk.event order by id;

-- Who writes into a watched table needs no right of ours.

grant insert on leads to regress_nobody;
set role regress_nobody;
insert into leads values (2, 'Grace');
reset role;
select type, key, actor = session_user as by_session_user from frontdesk.event order by id desc limit 1;

-- A watch made by an administrator follows what the owner does, who may not make one.

revoke execute on function frontdesk.watch from regress_owner;
select frontdesk.watch('leads', columns => '{full_name}');
set role regress_owner;
alter table leads rename column full_name to name;
update leads set name = 'Countess' where id = 1;
reset role;
select columns from frontdesk.watch;
select type, record from frontdesk.event order by id desc limit 1;

-- Nor can others end it.

set role regress_nobody;
select frontdesk.unwatch('leads');
\echo :SQLSTATE
reset role;

-- An application that may add endpoints and emit, and nothing else.

create role regress_app;
grant execute on function frontdesk.add_endpoint, frontdesk.emit, frontdesk.watch, frontdesk.http_post, frontdesk.pause_endpoint,
  frontdesk.test_webhook to regress_app;
set role regress_app;
set client_min_messages = error;
select frontdesk.pause();
\echo :SQLSTATE
select frontdesk.emit('app.started') > 0;
select frontdesk.add_endpoint('app', 'https://hooks.example.com/', signature => 'none', active => false);
select frontdesk.pause_endpoint('app');
select frontdesk.test_webhook('app') > 0, frontdesk.http_post('http://127.0.0.1:1/') > 0;
reset client_min_messages;
select frontdesk.remove_endpoint('app');
\echo :SQLSTATE
select frontdesk.rotate_secret('app');
\echo :SQLSTATE
select * from frontdesk.endpoints;
\echo :SQLSTATE
select * from frontdesk_internal.endpoint_secret;
\echo :SQLSTATE
select frontdesk.status();
\echo :SQLSTATE
reset role;

select frontdesk.remove_endpoint('app');
drop owned by regress_nobody, regress_owner, regress_app;
drop role regress_nobody, regress_owner, regress_app;

-- Who may read and write all data, by roles of PostgreSQL's own, sees no secret and cannot make a job that runs as somebody else.

create role regress_data in role pg_read_all_data, pg_write_all_data;
create table tables_of_nobody as
select c.oid::regclass as relation, c.relrowsecurity from frontdesk_internal.granted g join pg_class c on c.oid = g.id
where g.class = 'pg_class'::regclass and g.who = 'nobody' and c.relkind in ('r', 'p');
select 'without row level security: ' || relation from tables_of_nobody where not relrowsecurity order by 1;
set client_min_messages = error;
select frontdesk.add_endpoint('app', 'https://hooks.example.com/', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') is not null;
reset client_min_messages;
select frontdesk.schedule('nightly', '@daily', 'select 1') > 0;
set role regress_data;
do $$
declare
  r regclass;
  n bigint;
begin
  for r in select relation from public.tables_of_nobody order by 1 loop
    execute format('select count(*) from %s', r) into n;
    insert into public.attempts select r::text, n || ' rows read by pg_read_all_data' where n > 0;
    execute format('delete from %s', r);
    get diagnostics n = row_count;
    insert into public.attempts select r::text, n || ' rows deleted by pg_write_all_data' where n > 0;
    begin
      execute format('insert into %s default values', r);
      insert into public.attempts values (r::text, 'written by pg_write_all_data');
    exception when others then
      null;
    end;
  end loop;
end
$$;
update frontdesk_internal.job set command = 'alter role regress_data superuser';
insert into frontdesk_internal.endpoint_secret (endpoint_id, secret) values (1, '');
\echo :SQLSTATE
select count(*) > 0 as reads_the_log from frontdesk.event;
insert into frontdesk.event (id, xid, created_at, op, depth, type, actor) values (1, '1', now(), 'S', 0, 'job.failed', 'forged');
\echo :SQLSTATE
reset role;
select what, outcome from attempts where outcome like '%_all_data' order by 1;
select command from frontdesk_internal.job;
select frontdesk.remove_endpoint('app');
drop table tables_of_nobody;
drop owned by regress_data;
drop role regress_data;

-- Default privileges of who installs do not reach the extension, nor the partitions that are made later.

drop extension pg_frontdesk;
create role regress_reader;
alter default privileges grant select, insert on tables to regress_reader;
alter default privileges grant usage on sequences to regress_reader;
alter default privileges grant execute on functions to regress_reader with grant option;
alter default privileges grant usage on schemas to regress_reader;
alter default privileges revoke execute on functions from public;
set client_min_messages = warning;
create extension pg_frontdesk;
reset client_min_messages;
select frontdesk.pause('regression test');
set frontdesk.fake_now = '2031-01-01T00:00:00Z';
select frontdesk.maintain() like '%partitions made%';
reset frontdesk.fake_now;
select 'other privilege: ' || g.name || ', ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end || ' ' || string_agg(distinct a.privilege_type, ', ')
from frontdesk_internal.granted g, aclexplode(g.acl) a
where a.grantee <> g.owner and not (a.grantee = 0 and g.who = 'public' and lower(a.privilege_type) = g.privilege) group by g.name, a.grantee order by 1;
select 'privilege is missing: ' || g.name from frontdesk_internal.granted g
where g.who = 'public' and not exists (select from aclexplode(g.acl) a where a.grantee = 0) order by 1;
select n.nspname, a.grantee, a.privilege_type from pg_namespace n, aclexplode(nspacl) a where n.oid in (table ours) and a.grantee <> n.nspowner order by 1, 2;

-- At an upgrade what default privileges brought is taken back again; what an administrator granted on a verb is kept, on a table it is not.

grant execute on function frontdesk.add_endpoint to regress_reader;
grant select on frontdesk.attempts to regress_reader;
grant select on frontdesk_internal.endpoint_secret to regress_reader;
grant select (secret) on frontdesk_internal.endpoint_secret to regress_reader;
grant execute on function frontdesk_internal.caller() to public;
update frontdesk_internal.installation set installed_at = installed_at - interval '1 day';
select frontdesk_internal.apply_grants();
select g.name, a.grantee::regrole, a.privilege_type from frontdesk_internal.granted g, aclexplode(g.acl) a where a.grantee not in (0, g.owner) order by 1;
select has_function_privilege('public', 'frontdesk_internal.caller()', 'execute');
drop owned by regress_reader;
drop role regress_reader;
