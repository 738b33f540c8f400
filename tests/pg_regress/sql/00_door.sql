-- The door: a verb declared with the symbol `verb` does its work as the extension's owner, knows who called, and leaves no trace
-- of it behind, however it ends.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');
create role regress_mallory;
create role regress_alice;
create function make(arguments text, result text, body text, extra text = '') returns void language plpgsql as $$
declare
  name text := substring(arguments from '^\w+');
begin
  execute format('create or replace function frontdesk.%s returns %s %s language c as ''$libdir/pg_frontdesk'', ''verb''', arguments, result, extra);
  execute format('create or replace function frontdesk_internal.%s returns %s %s language plpgsql as %L',
    regexp_replace(arguments, ' = [^,)]*', '', 'g'), result, extra, body);
  execute format('alter extension pg_frontdesk add function frontdesk.%I', name);
  execute format('alter extension pg_frontdesk add function frontdesk_internal.%I', name);
  execute format('revoke all on function frontdesk_internal.%I from public', name);
end
$$;
create table frontdesk_internal.probe (who regrole, what text);

-- Who has no right at all writes a table by a verb, and is known by it.

select make('probe_write(what text, times int = 2)', 'text', $$
begin
  insert into frontdesk_internal.probe select frontdesk_internal.caller(), what from generate_series(1, times);
  return format('%s for %s, path %s', current_user = (select extowner::regrole::text from pg_extension where extname = 'pg_frontdesk'),
    frontdesk_internal.caller(), current_setting('search_path'));
end $$);
set role regress_mallory;
select frontdesk.probe_write('a');
select frontdesk.probe_write(times => 1, what => null);
select current_user;
insert into frontdesk_internal.probe values ('regress_alice', 'forged');
\echo :SQLSTATE
select frontdesk_internal.probe_write('a', 1);
\echo :SQLSTATE
select frontdesk_internal.caller();
\echo :SQLSTATE
reset role;
table frontdesk_internal.probe;
select frontdesk_internal.caller();
\echo :SQLSTATE

-- Inside a SECURITY DEFINER function the caller is its owner, as current_user is there.

create function by_alice() returns text language sql security definer as $$ select frontdesk.probe_write('by her') $$;
alter function by_alice() owner to regress_alice;
set role regress_mallory;
select by_alice(), current_user;
reset role;

-- Rows, sets, tables, OUT parameters, nothing, arrays, and what is strict.

select make('probe_table(n int)', 'table (i int, who regrole)',
  $$ begin return query select g, frontdesk_internal.caller() from generate_series(1, n) g; end $$, 'stable');
select make('probe_set(v text[])', 'setof text', $$ begin return query select unnest(v); end $$, 'stable');
select make('probe_out(n int, out a int, out b text)', 'record', $$ begin a := n; b := 'b' || n; end $$, 'immutable');
select make('probe_void()', 'void', $$ begin end $$);
select make('probe_strict(n int)', 'int', $$ begin return n + 1; end $$, 'strict');
select make('probe_strict_set(n int)', 'setof int', $$ begin return next n; end $$, 'strict');
set role regress_mallory;
select * from frontdesk.probe_table(2);
select frontdesk.probe_table(2);
select * from frontdesk.probe_table(2) with ordinality where i > 1;
select * from frontdesk.probe_set('{x,null,z}');
select * from frontdesk.probe_out(7);
select (frontdesk.probe_out(8)).b;
select frontdesk.probe_void() is null;
select frontdesk.probe_strict(1), frontdesk.probe_strict(null) is null;
select * from frontdesk.probe_strict_set(1);
select count(*) from frontdesk.probe_strict_set(null);
select i, x from generate_series(1, 2) i, lateral frontdesk.probe_set(array['a' || i, 'b' || i]) x;
reset role;

-- An error leaves the role, the settings and the caller as they were.

select make('probe_fail(how text)', 'text', $$
begin
  perform set_config('frontdesk.user_id', 'left behind', true), set_config('search_path', 'public', true);
  if how = 'unique' then
    insert into frontdesk_internal.probe_key values (1), (1);
  elsif how = 'role' then
    set local role postgres;
  elsif how is not null then
    raise exception '%', how using errcode = 'P0123', detail = 'a detail', hint = 'a hint';
  end if;
  return frontdesk_internal.caller()::text;
end $$);
create table frontdesk_internal.probe_key (id int primary key);
create function caught(how text) returns text language plpgsql as $$
declare
  con text; det text; hin text;
begin
  return frontdesk.probe_fail(how);
exception when others then
  get stacked diagnostics con = constraint_name, det = pg_exception_detail, hin = pg_exception_hint;
  return concat_ws('; ', sqlstate, sqlerrm, con, det, hin, current_user, current_setting('frontdesk.user_id', true), frontdesk.probe_fail(null));
end
$$;
set role regress_mallory;
set search_path = "$user", public;
select caught('x');
select caught('unique');
select caught('role');
select caught('y') from generate_series(1, 2);
select frontdesk.probe_fail(null), current_setting('frontdesk.user_id', true) is distinct from 'left behind', current_setting('search_path'), current_user;
select frontdesk.probe_fail('z');
\echo :SQLSTATE
select current_user, frontdesk.probe_fail(null);
begin;
savepoint a;
select frontdesk.probe_fail('z');
rollback to a;
select frontdesk.probe_fail(null);
commit;
reset search_path;
reset role;
select frontdesk_internal.caller();
\echo :SQLSTATE

-- A verb within a verb keeps the caller, also after the inner one failed; a role that is taken on in between is one of its own.

select make('probe_nested(how text)', 'text', $$
declare
  inside text;
begin
  begin
    inside := frontdesk.probe_fail(how);
  exception when others then
    inside := sqlerrm;
  end;
  return concat_ws(', ', inside, frontdesk_internal.caller(), frontdesk.probe_fail(null), public.by_alice());
end $$);
set role regress_mallory;
select frontdesk.probe_nested(null);
select frontdesk.probe_nested('broken');
reset role;
select caught('x') = concat_ws('; ', 'P0123', 'x', '', 'a detail', 'a hint', current_user, current_setting('frontdesk.user_id', true), current_user);

-- Nothing planted is found from within, by whatever path.

create schema regress_mallory authorization regress_mallory;
create function make_unpinned() returns void language sql as $$
  select make('probe_words(v text)', 'text', $body$ begin return upper(v) || (1 = 1)::text || current_setting('search_path'); end $body$)
$$;
select make_unpinned();
set role regress_mallory;
set search_path = pg_temp, regress_mallory, pg_catalog;
create function regress_mallory.upper(text) returns text language sql as $$ select 'planted' $$;
create function pg_temp.upper(text) returns text language sql as $$ select 'planted' $$;
create function regress_mallory.never(text, text) returns text language plpgsql as $$ begin raise exception 'planted'; end $$;
create operator regress_mallory.|| (leftarg = text, rightarg = text, function = regress_mallory.never);
create function regress_mallory.equal(int, int) returns boolean language sql as $$ select false $$;
create operator regress_mallory.= (leftarg = int, rightarg = int, function = regress_mallory.equal);
create temp table probe (who pg_catalog.regrole, what pg_catalog.text);
create type regress_mallory.loose as (t pg_catalog.text);
create function regress_mallory.to_text(regress_mallory.loose) returns pg_catalog.text language plpgsql as $$ begin return current_user; end $$;
create cast (regress_mallory.loose as pg_catalog.text) with function regress_mallory.to_text(regress_mallory.loose) as implicit;
select frontdesk.probe_words('abc');
-- A cast of the caller's own runs before the door, as the caller.
select frontdesk.probe_words(row('x')::regress_mallory.loose);
reset search_path;
reset role;

-- It is a function of the extension in both schemas, alike in both, or it is no verb.

create function frontdesk.probe_alone(int) returns int language c as '$libdir/pg_frontdesk', 'verb';
create function frontdesk.probe_foreign(int) returns int language c as '$libdir/pg_frontdesk', 'verb';
create function frontdesk_internal.probe_foreign(int) returns int language sql as 'select 1';
create function frontdesk_internal.probe_itself() returns int language c as '$libdir/pg_frontdesk', 'verb';
alter extension pg_frontdesk add function frontdesk_internal.probe_itself();
create function frontdesk.probe_trigger() returns trigger language c as '$libdir/pg_frontdesk', 'verb';
create table others (id int);
create trigger t before insert on others for each row execute function frontdesk.probe_trigger();
select frontdesk.probe_alone(1);
\echo :SQLSTATE
select frontdesk.probe_foreign(1);
\echo :SQLSTATE
select frontdesk_internal.probe_itself();
\echo :SQLSTATE
insert into others values (1);
\echo :SQLSTATE
alter function frontdesk_internal.probe_strict(int) owner to regress_alice;
select frontdesk.probe_strict(1);
\echo :SQLSTATE
alter function frontdesk_internal.probe_strict(int) owner to current_user;
select frontdesk.probe_strict(1);
drop function frontdesk_internal.probe_foreign(int);

-- What was looked up is looked up again when it changes, in a plan that is kept too.

prepare p as select frontdesk.probe_strict(10);
execute p;
create or replace function frontdesk_internal.probe_strict(n int) returns int strict language sql as 'select n + 2';
execute p;
deallocate p;

-- Read-only transactions and parallel workers.

begin read only;
select frontdesk.probe_write('late');
rollback;
begin read only;
select * from frontdesk.probe_table(1);
rollback;
alter function frontdesk.probe_out(int) parallel safe;
set debug_parallel_query = on;
select * from frontdesk.probe_out(9);
reset debug_parallel_query;
select make('probe_parallel()', 'text', $$ begin return (select string_agg(distinct frontdesk_internal.caller()::text, '') from frontdesk_internal.probe); end $$);
set debug_parallel_query = on;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
set role regress_mallory;
select frontdesk.probe_parallel();
reset role;
reset all;

-- Two microseconds a call are what a door may cost; this is a thousand calls and says whether it is far from it.

select make('probe_cost(n int)', 'int', $$ begin return n; end $$);
select count(frontdesk.probe_cost(i)) from generate_series(1, 1000) i;

drop trigger t on others;
drop table frontdesk_internal.probe, frontdesk_internal.probe_key;
do $$
declare
  f regprocedure;
begin
  for f in select oid from pg_proc where proname like 'probe\_%' and pronamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace) loop
    if exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = f and deptype = 'e') then
      execute format('alter extension pg_frontdesk drop function %s', f);
    end if;
    execute format('drop function %s cascade', f);
  end loop;
end
$$;
drop schema regress_mallory cascade;
drop owned by regress_mallory, regress_alice;
drop role regress_mallory, regress_alice;
