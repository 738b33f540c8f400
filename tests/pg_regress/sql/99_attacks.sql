-- A role with LOGIN and nothing else tries everything: every function with values of its types, ids and names of others among them,
-- and every relation with every command. It learns nothing of others, changes nothing of theirs, and holds no lock on our tables.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');

-- What is there to be had: each thing of others has this word in it somewhere.

set client_min_messages = error;
create table others (id int primary key, name text, at timestamptz, score numeric, score_tier text, score_breakdown jsonb, org uuid, embedding vector(3));
select frontdesk.add_endpoint('crm', 'https://hooks.example.com/HIDDEN', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', headers => '{"Authorization": "HIDDEN"}', tenant => '00000000-0000-0000-0000-00000000000a') is not null;
select frontdesk.watch('others');
select frontdesk.remind('others', 'at', '1 hour', 'others.due', name => 'rule HIDDEN');
select frontdesk.set_score_model('theirs', '[{"name": "hidden", "points": 5, "reason": "HIDDEN"}]', tenant => '00000000-0000-0000-0000-00000000000a');
select frontdesk.set_score_model('default', '[{"name": "hidden", "points": 5, "reason": "HIDDEN"}]', tenant => '00000000-0000-0000-0000-00000000000a');
select frontdesk.keep_scores('others', tenant_column => 'org');
insert into others (id, name, at, org) select g, 'HIDDEN', now() + interval '1 day', '00000000-0000-0000-0000-00000000000a' from generate_series(1, 3) g;
select frontdesk.schedule('nightly', '@daily', 'select ''HIDDEN''') is not null;
select frontdesk.schedule_once(now() + interval '1 day', 'select ''HIDDEN''', name => 'once') is not null;
select frontdesk.http_post('https://hooks.example.com/HIDDEN', '{"a": "HIDDEN"}', headers => '{"Authorization": "HIDDEN"}') is not null;
select frontdesk.add_embedder('default', 'https://models.example.com/HIDDEN', 'HIDDEN', 3, secret => 'HIDDEN') is not null;
select frontdesk.embed_table('others', 'name', 'embedding', 'default') is not null;
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, response)
select v.id, 1, 1, frontdesk.now(), 1, true, 200, 'HIDDEN' from frontdesk.event v;
insert into frontdesk_internal.retry (event_id, endpoint_id, event_xid, event_at, attempts, due_at, reason)
select v.id, 1, v.xid, v.created_at, 1, 'infinity', 'HIDDEN' from frontdesk.event v;
insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
select v.id, 1, v.xid, v.created_at, 9, 'HIDDEN', frontdesk.now() from frontdesk.event v;

create role regress_mallory;
grant create on schema public to regress_mallory;
create table found (what text);
grant insert on found to regress_mallory;
create view ours as
select c.oid::regclass as relation, c.relkind from pg_class c
where c.relnamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace) and c.relkind in ('r', 'p', 'v', 'S') and c.relname !~ '_\d{8}$';
create view verbs as
select p.oid, p.proname, p.pronamespace::regnamespace as schema, p.prokind, p.prorettype, p.proargtypes::regtype[] as types, p.provariadic <> 0 as is_variadic, p.pronargs, p.pronargdefaults
from pg_proc p where p.pronamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace);
grant select on ours, verbs to regress_mallory;
create function is_public(regprocedure) returns boolean language sql as $$ select has_function_privilege('regress_mallory', $1, 'execute') and has_schema_privilege('regress_mallory', (select pronamespace from pg_proc where oid = $1), 'usage') $$;

create table before (relation regclass, line text);
do $$
declare
  r regclass;
begin
  for r in select relation from ours where relkind = 'r' loop
    execute format('insert into before select %L, t::text from %s t', r, r);
  end loop;
end
$$;

-- Every function that it may call, with five values for each type.

create table values_of (type regtype, n int, value text);
insert into values_of
select t, n, v from (values
  ('bigint'::regtype, array['1', '2', '3', '-1', '9223372036854775807']), ('integer', array['1', '2', '3', '-1', '2147483647']), ('smallint', array['1', '2', '3', '-1', '0']),
  ('text', array['nightly', 'crm', 'rule HIDDEN', 'default', 'theirs', '@daily', 'select 1']), ('name', array['name', 'id', 'embedding', 'org', 'postgres']),
  ('regclass', array['others', 'others', 'frontdesk.event', 'frontdesk_internal.endpoint_secret', 'pg_authid']), ('regprocedure', array['frontdesk.status()', 'frontdesk.emit(text,jsonb,text,uuid)', 'frontdesk_internal.capture()', 'pg_read_file(text)', 'frontdesk.stop()']),
  ('jsonb', array['{}', '[]', '{"name": "HIDE"}', '{"entity": "endpoint", "operations": ["insert"], "attnums": {}}', '1']), ('uuid', array_fill('00000000-0000-0000-0000-00000000000a'::text, array[5])),
  ('interval', array['1 hour', '-1 hour', '1 day', '0', '100 years']), ('timestamptz', array['2026-01-01', '2030-01-01', 'infinity', '-infinity', 'epoch']),
  ('boolean', array['true', 'false', 'true', 'false', 'true']), ('numeric', array['1', '5', 'NaN', '-1', '1e100']), ('real', array['1', 'NaN', '-1', '0', 'infinity']), ('double precision', array['1', 'NaN', '-1', '0', 'infinity']),
  ('text[]', array['{name}', '{insert}', '{*}', '{}', '{null}']), ('name[]', array['{name}', '{id}', '{}', '{null}', '{xmin}']), ('bytea', array['\x', '\x00', '\x31', '\xff', '\x7b7d']),
  ('bigint[]', array['{1}', '{1,2}', '{}', '{null}', '{-1}']), ('integer[]', array['{1}', '{1,2}', '{}', '{null}', '{-1}']), ('oid[]', array['{1}', '{}', '{0}', '{null}', '{16384}']), ('boolean[]', array['{t}', '{}', '{t,f}', '{null}', '{f}']),
  ('regconfig', array['simple', 'english', 'spanish', 'simple', 'german']), ('"char"', array['E', 'H', 'S', 'I', 'X']), ('vector', array['[1,2,3]', '[0,0,0]', '[1]', '[1,2]', '[-1,0,1]']), ('regrole', array['postgres', 'regress_mallory', 'postgres', 'pg_monitor', 'postgres'])
) s (t, vs) cross join lateral unnest(vs) with ordinality u (v, n);
grant select on values_of to regress_mallory;
create function pg_temp.call(f verbs, n int, given int) returns text language sql as $$
  select format('select string_agg(t::text, %L) from %s.%I(%s) t', ' ', f.schema, f.proname, (
    select string_agg(format('%s%L::%s', case when f.is_variadic and o = f.pronargs then 'variadic ' end, v.value, t), ', ' order by o)
    from unnest(f.types) with ordinality a (t, o) left join public.values_of v on v.type = a.t and v.n = 1 + (call.n - 1 + case when call.n > 4 then o::int else 0 end) % (select count(*) from public.values_of w where w.type = a.t) where o <= given))
$$;
set role regress_mallory;
do $$
declare
  f public.verbs;
  outcome text;
  detail text;
  tried int := 0;
begin
  for f in select * from public.verbs v where v.prokind = 'f' and v.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) order by v.oid::regprocedure::text loop
    for given in (f.pronargs - f.pronargdefaults) .. f.pronargs loop
      for n in 1..7 loop
        begin
          execute pg_temp.call(f, n, given) into outcome;
          if replace(outcome, 'rule HIDDEN', '') like '%HIDDEN%' then
            insert into public.found values (format('%s tells %s', f.oid::regprocedure, left(outcome, 200)));
          end if;
          -- What it was given, it may be told.
        exception when others then
          get stacked diagnostics outcome = message_text, detail = pg_exception_detail;
          if replace(replace(outcome || detail, 'rule HIDDEN', ''), 'near "HIDDEN"', '') like '%HIDDEN%' then
            insert into public.found values (format('%s says %s %s', f.oid::regprocedure, outcome, detail));
          elsif sqlstate like 'XX%' or sqlstate in ('57014', '53200') then
            insert into public.found values (format('%s ends with %s %s', f.oid::regprocedure, sqlstate, outcome));
          end if;
        end;
      end loop;
    end loop;
  end loop;
end
$$;

-- Every relation with every command, and LOCK. A view of one's own rows may be read.

do $$
declare
  r public.ours;
  command text;
  outcome text;
begin
  for r in select * from public.ours o order by o.relation::text loop
    foreach command in array array[
      'select string_agg(t::text, '' '') from %s t', 'select t::text from %s t for update', 'select t::text from %s t for key share', 'select nextval(%1$L)::text', 'select setval(%1$L, 1)::text',
      'insert into %s default values', 'delete from %s', 'truncate %s', 'lock table %s in access share mode', 'lock table %s in row exclusive mode', 'lock table %s in access exclusive mode', 'copy %s to program ''true''',
      'alter table %s owner to regress_mallory', 'drop table %s', 'create trigger t after insert on %s for each row execute function frontdesk_internal.capture()', 'create table public.child () inherits (%s)',
      'create table public.child (x bigint references %s)', 'comment on table %s is null', 'create publication p for table %s']
    loop
      begin
        outcome := null;
        if command like 'select%' then
          execute format(command, r.relation) into outcome;
        else
          execute format(command, r.relation);
        end if;
        if r.relkind <> 'v' or command not like 'select string_agg%' and command not like '%access share%' or outcome like '%HIDDEN%' then
          insert into public.found values (format(command, r.relation) || case when outcome like '%HIDDEN%' then ' tells ' || left(outcome, 200) else '' end);
        end if;
      exception when insufficient_privilege or wrong_object_type or feature_not_supported or object_not_in_prerequisite_state or undefined_object or invalid_table_definition then
        null;
      when others then
        insert into public.found values (format(command, r.relation) || ' ends with ' || sqlstate || ' ' || sqlerrm);
      end;
    end loop;
  end loop;
end
$$;
reset role;
select distinct what from found order by what;

-- Nothing of others is another, or gone; what is new is its own. The engine goes on in the log meanwhile.

create table after (like before);
do $$
declare
  r regclass;
begin
  for r in select relation from ours where relkind = 'r' loop
    execute format('insert into after select %L, t::text from %s t', r, r);
  end loop;
end
$$;
select 'changed: ' || b.relation || ' ' || left(b.line, 300) from before b where not exists (select from after a where a.relation = b.relation and a.line = b.line)
  and b.relation::text <> 'frontdesk_internal.cursor' order by 1;
select 'new: ' || a.relation || case when bool_and(a.line like '%regress_mallory%') then ', its own' else ', ' || min(left(a.line, 200)) end
from after a where not exists (select from before b where b.relation = a.relation and b.line = a.line) and a.relation::text <> 'frontdesk_internal.cursor'
group by a.relation order by 1;
select e.state from frontdesk_internal.installation e;
