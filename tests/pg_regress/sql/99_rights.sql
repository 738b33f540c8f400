-- Least privilege. The lists below are exact: a function that becomes executable by PUBLIC by accident changes this file's output.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');

-- Every object of the schema is explained: \df+ and \d+ are the manual. Partitions of a day and indexes speak for themselves.

select 'no comment: function ' || p.oid::regprocedure
from pg_proc p where pronamespace = 'frontdesk'::regnamespace and obj_description(p.oid, 'pg_proc') is null order by 1;
select 'no comment: ' || c.oid::regclass
from pg_class c where relnamespace = 'frontdesk'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
  and obj_description(c.oid, 'pg_class') is null order by 1;
select 'no comment: type ' || t.oid::regtype
from pg_type t where typnamespace = 'frontdesk'::regnamespace and typrelid = 0 and typelem = 0 and obj_description(t.oid, 'pg_type') is null order by 1;

-- Every function has a pinned search_path, but for those in C and those whose body was resolved when they were declared.

select 'no search_path: ' || p.oid::regprocedure
from pg_proc p join pg_language l on l.oid = p.prolang
where pronamespace = 'frontdesk'::regnamespace and lanname <> 'c' and prosqlbody is null
  and not exists (select from unnest(proconfig) s where s like 'search_path=%') order by 1;

-- What runs with the rights of the owner looks into pg_temp last.

select 'unsafe search_path: ' || p.oid::regprocedure || ' ' || coalesce(proconfig::text, '')
from pg_proc p where pronamespace = 'frontdesk'::regnamespace and prosecdef
  and not exists (select from unnest(proconfig) s where s ~ '^search_path=pg_catalog(, frontdesk)?, pg_temp$') order by 1;

-- What PUBLIC may execute, read and use.

select p.oid::regprocedure from pg_proc p
where pronamespace = 'frontdesk'::regnamespace and exists (
  select from aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee = 0) order by p.oid::regprocedure::text;
select c.oid::regclass, a.privilege_type from pg_class c, aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
where relnamespace = 'frontdesk'::regnamespace and a.grantee = 0 order by c.oid::regclass::text, 2;
select c.oid::regclass, attname from pg_attribute a join pg_class c on c.oid = attrelid
where relnamespace = 'frontdesk'::regnamespace and attacl is not null order by c.oid::regclass::text, 2;
select a.privilege_type from pg_namespace n, aclexplode(nspacl) a where nspname = 'frontdesk' and a.grantee = 0;

-- A role without rights tries every function and every table. What it may call says something about its arguments or nothing.
-- (utf8() is strict: of a null PostgreSQL knows the result without calling it, and without asking.)

create role regress_nobody;
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
    from pg_proc p where pronamespace = 'frontdesk'::regnamespace and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
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
  for c in select oid from pg_class where relnamespace = 'frontdesk'::regnamespace and relkind in ('r', 'p', 'v', 'S') order by oid loop
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
select frontdesk.watch_install('others_table', '{"entity": "x", "operations": ["insert"]}');
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
grant execute on function frontdesk.capture() to regress_owner;
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

revoke execute on function frontdesk.capture() from regress_owner;
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
grant execute on function frontdesk.add_endpoint, frontdesk.emit, frontdesk.capture, frontdesk.http_post, frontdesk.pause_endpoint,
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
select * from frontdesk.endpoint_secret;
\echo :SQLSTATE
select frontdesk.status();
\echo :SQLSTATE
reset role;

select frontdesk.remove_endpoint('app');
drop owned by regress_nobody, regress_owner, regress_app;
drop role regress_nobody, regress_owner, regress_app;
