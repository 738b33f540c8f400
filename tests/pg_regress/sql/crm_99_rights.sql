-- The laws of 99_rights for the schemas of the business, as install_crm() makes them.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');
set client_min_messages = error;
select frontdesk.install_crm() is not null as installed;
reset client_min_messages;
create view of_crm as select n.oid from pg_namespace n where nspname in ('crm', 'crm_internal');

-- Every object is explained, and every function has a pinned search_path, but for those in C and those whose body was
-- resolved when they were declared.

select 'no comment: function ' || p.oid::regprocedure
from pg_proc p where pronamespace in (table of_crm) and obj_description(p.oid, 'pg_proc') is null order by 1;
select 'no comment: ' || c.oid::regclass
from pg_class c where relnamespace in (table of_crm) and relkind in ('r', 'p', 'v', 'm') and not relispartition
  and obj_description(c.oid, 'pg_class') is null order by 1;
select 'no search_path: ' || p.oid::regprocedure
from pg_proc p join pg_language l on l.oid = p.prolang
where pronamespace in (table of_crm) and lanname <> 'c' and prosqlbody is null
  and not exists (select from unnest(proconfig) s where s like 'search_path=%') order by 1;

-- Nobody may execute a trigger function, and nobody has a right that is not given by name: nothing is PUBLIC's.

select 'trigger function of everybody: ' || p.oid::regprocedure
from pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
where pronamespace in (table of_crm) and prorettype in ('trigger'::regtype, 'event_trigger'::regtype) and a.grantee <> p.proowner order by 1;
select 'everybody''s: ' || c.oid::regclass || ' ' || string_agg(a.privilege_type, ', ')
from pg_class c, aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
where relnamespace in (table of_crm) and a.grantee = 0 and not (relkind = 'v' and a.privilege_type = 'SELECT') group by c.oid order by 1;

-- What runs with the rights of the owner: a pinned path, pg_temp last. The list is a reviewed one: each asks who calls.

select 'unsafe search_path: ' || p.oid::regprocedure || ' ' || coalesce(proconfig::text, '')
from pg_proc p where pronamespace in (table of_crm) and prosecdef
  and not exists (select from unnest(proconfig) s where s ~ '^search_path=pg_catalog, pg_temp$') order by 1;
select 'security definer: ' || p.oid::regprocedure from pg_proc p where pronamespace in (table of_crm) and prosecdef order by 1;

-- A view shows rows by the policies of who reads it, or filters them behind a barrier.

select 'view without barrier: ' || c.oid::regclass
from pg_class c where relnamespace in (table of_crm) and relkind = 'v'
  and not coalesce(reloptions && '{security_invoker=true,security_invoker=on,security_barrier=true,security_barrier=on}', false) order by 1;
select 'materialized view: ' || c.oid::regclass from pg_class c where relnamespace in (table of_crm) and relkind = 'm' order by 1;
