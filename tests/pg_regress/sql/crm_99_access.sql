-- Schema crm belongs to nobody who can log in; an application's role may call what is listed, with ids of its own accounts only; and
-- whoever looks at a schema crm runs nothing of those who made it.
set client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
\pset null ~
\set SHOW_CONTEXT never

-- A schema crm that somebody made first: a superuser neither runs what is in it nor makes it theirs.

create role crm_eve;
create table ran (what text);
grant insert on ran to public;
create function ran() returns text language plpgsql as $$ begin insert into public.ran values (current_user); return '9.9'; end $$;
create schema crm authorization crm_eve;
set role crm_eve;
create view crm.installation as select ran() as version;
reset role;
select frontdesk.crm_version();
select frontdesk.install_crm();
\echo :SQLSTATE
set role crm_eve;
drop view crm.installation;
create table crm.installation (version text);
insert into crm.installation values ('0.0.1');
create policy peek on crm.installation using (ran() is not null);
alter table crm.installation enable row level security;
grant select on crm.installation to public;
reset role;
select frontdesk.crm_version();
select frontdesk.install_crm();
\echo :SQLSTATE
select * from ran;
drop schema crm cascade;

-- A role of the same name that is another's is not taken for ours.

do $$
begin
  if to_regrole('frontdesk_crm') is null then
    create role frontdesk_crm nologin;
    comment on role frontdesk_crm is 'owner of schema crm, made by pg_frontdesk';
  end if;
end
$$;
grant frontdesk_crm to crm_eve;
select frontdesk.install_crm();
\echo :SQLSTATE
revoke frontdesk_crm from crm_eve;
alter role frontdesk_crm login;
select frontdesk.install_crm();
alter role frontdesk_crm nologin;

-- What a superuser installs, whatever the session's settings, belongs to a role without LOGIN; its jobs run as it.

set standard_conforming_strings = off;
set plpgsql.extra_errors = 'all';
set quote_all_identifiers = on;
select regexp_replace(frontdesk.install_crm(sample_data => true), '[0-9.]+', 'N');
reset standard_conforming_strings;
reset plpgsql.extra_errors;
reset quote_all_identifiers;
select rolname, rolcanlogin, rolsuper from pg_roles where oid = (select nspowner from pg_namespace where nspname = 'crm');
select 'another''s: ' || c.oid::regclass from pg_class c where relnamespace = 'crm'::regnamespace and relowner <> 'frontdesk_crm'::regrole;
select 'another''s: ' || p.oid::regprocedure from pg_proc p where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and proowner <> 'frontdesk_crm'::regrole;
select 'another''s: ' || t.oid::regtype from pg_type t where typnamespace = 'crm'::regnamespace and typowner <> 'frontdesk_crm'::regrole;
select distinct owner from frontdesk.jobs where name like 'crm%';
select session_user = current_user as still_myself, current_setting('role');

-- From a version that a superuser owned it is handed over.

do $$
declare
  o record;
begin
  for o in select c.oid::regclass as source from pg_class c where relnamespace = 'crm'::regnamespace and relkind = 'r' loop
    execute format('alter table %s owner to %I', o.source, session_user);
  end loop;
  for o in select p.oid::regprocedure as f from pg_proc p where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) loop
    execute format('alter routine %s owner to %I', o.f, session_user);
  end loop;
  execute format('alter schema crm owner to %I', session_user);
end
$$;
select regexp_replace(frontdesk.install_crm(), '[0-9.]+', 'N');
select count(*) as another_s from pg_class c where relnamespace = 'crm'::regnamespace and relowner <> 'frontdesk_crm'::regrole;
select count(*) as another_s from pg_proc p where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and proowner <> 'frontdesk_crm'::regrole;
select count(*) from crm.leads;

-- An error of a script says which part it was, and is not followed by the script.

alter table crm.leads rename column company to firm;
do $$
declare
  message text; detail text; context text;
begin
  perform frontdesk.install_crm();
exception when others then
  get stacked diagnostics message = message_text, detail = pg_exception_detail, context = pg_exception_context;
  insert into ran values (message), (detail), (case when length(context) < 1000 then 'a short context' else context end);
end
$$;
select * from ran;
alter table crm.leads rename column firm to company;

-- What is granted: to PUBLIC nothing, trigger functions to nobody, to an application what is listed. What it may call takes no SQL
-- and no table of its choice; and what runs with the rights of the owner has a path and, as a trigger, knows its table.

create role crm_app;
select crm.grant_access('crm_app');
select 'of everybody: ' || p.oid::regprocedure from pg_proc p where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and has_function_privilege('public', p.oid, 'execute');
select 'of everybody: ' || c.oid::regclass from pg_class c, aclexplode(relacl) a where relnamespace = 'crm'::regnamespace and a.grantee = 0;
select 'trigger: ' || p.oid::regprocedure from pg_proc p, aclexplode(proacl) a
where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and prorettype = 'trigger'::regtype and a.grantee <> proowner;
select 'not listed: ' || p.oid::regprocedure from pg_proc p
where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and has_function_privilege('crm_app', p.oid, 'execute') and p.oid not in (select f from crm.application_functions() f where f is not null);
select count(*) as listed_and_gone from crm.application_functions() f where f is null or not has_function_privilege('crm_app', f, 'execute');
select 'takes SQL: ' || p.oid::regprocedure from pg_proc p
where (pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) or pronamespace in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace) and proname ~ '^(find|search|nearest|row|explain)_')
  and prosrc ~ 'execute' and has_function_privilege('crm_app', p.oid, 'execute')
  and exists (select from unnest(proargnames, coalesce(proallargtypes, proargtypes::oid[])) a (name, type) where a.name in ('base', 'filter', 'condition', 'conditions', 'words') and a.type = 'text'::regtype);
select crm_internal.nearest_in(false, '[1,2]', '[{"column": "category = $1 or true --", "is": "x"}]', 1);
select (frontdesk_internal.row_predicate('crm.documents', $$[{"column": "category", "is": "' or true --"}, {"column": "title", "in": ["a'", "}\"", "b"]},
  {"column": "embedding", "is_null": false}, {"column": "metadata", "matches": {"a'": "b'"}}]$$)).*;
select frontdesk_internal.row_predicate('crm.documents', '[{"column": "embedding", "is": "[1]"}]');
select 'takes any table: ' || f from crm.application_functions() f join pg_proc p on p.oid = f
where p.proargtypes::oid[] && array['regclass'::regtype::oid, 'regproc'::regtype, 'regprocedure'::regtype, 'name'::regtype];
select 'listed twice or gone: ' || n from crm.application_tables() t, unnest(t.names) n
group by n having count(*) <> 1 or min(to_regclass('crm.' || n)::oid) is null;
select 'for the owner only: ' || c.relname from pg_class c where relnamespace = 'crm'::regnamespace and relkind in ('r', 'v')
  and relname not in (select n from crm.application_tables() t, unnest(t.names) n);
select 'unsafe: ' || p.oid::regprocedure from pg_proc p
where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and prosecdef
  and (not 'search_path=pg_catalog, pg_temp' = any (proconfig) or prorettype = 'trigger'::regtype and prosrc !~ 'begin\s+if tg_relid <> ');
select p.oid::regprocedure as with_the_rights_of_the_owner from pg_proc p
where pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and prosecdef and prorettype <> 'trigger'::regtype order by 1;

-- Hand-made triggers.

set role crm_app;
create temp table fake (id bigint, account_id text, score text);
create trigger t after update on fake for each row execute function crm_internal.lead_score_changed();
\echo :SQLSTATE
reset role;
create temp table forged as select * from crm.leads limit 0;
create trigger t after insert on forged for each row execute function crm_internal.record_stage();
insert into forged (id, account_id, stage) values (1, 'b0000000-0000-4000-8000-00000000000b', 'won');
\echo :SQLSTATE
drop table forged;

-- Bob has an account with everything in it; Alice another. Alice calls every function she may with ids and rows of Bob's.

insert into crm.accounts (id, name) values ('a0000000-0000-4000-8000-00000000000a', 'Alice''s'), ('b0000000-0000-4000-8000-00000000000b', 'Bob''s');
insert into crm.account_members (account_id, user_id, role) values
  ('a0000000-0000-4000-8000-00000000000a', 'alice', 'owner'), ('b0000000-0000-4000-8000-00000000000b', 'bob', 'owner');
set request.jwt.claims = '{"sub": "bob"}';
select (crm.upsert_lead('{"name": "Bea Client", "email": "bea@example.com", "phone": "+14155550123", "message": "secret of Bob"}')).id > 0;
select crm.add_document('The secret of Bob is under the mat.', 'Secret', 'policy') > 0;
insert into crm.agents (account_id, name) values ('b0000000-0000-4000-8000-00000000000b', 'Bob''s agent');
select (crm.book_appointment(lead => (select max(id) from crm.leads where account_id = 'b0000000-0000-4000-8000-00000000000b'),
  service => (select id from crm.services where account_id = 'b0000000-0000-4000-8000-00000000000b'),
  starts_at => (select lower(s) from crm.free_slots((select id from crm.services where account_id = 'b0000000-0000-4000-8000-00000000000b')) s limit 1))).id > 0;
reset request.jwt.claims;
insert into crm.penalties (account_id, contact_id, starts_at, ends_at)
select account_id, id, now(), now() + interval '1 day' from crm.contacts where account_id = 'b0000000-0000-4000-8000-00000000000b';

create function rows_of_bob() returns table (source text, hash text) language plpgsql as $$
begin
  for source in select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id'
    where c.relnamespace = 'crm'::regnamespace and c.relkind = 'r' order by 1
  loop
    execute format($q$select md5(string_agg(t::text, ' ' order by t::text)) from %s t where account_id = 'b0000000-0000-4000-8000-00000000000b'$q$, source) into hash;
    return next;
  end loop;
end
$$;
create table before as select * from rows_of_bob();
create function b(source regclass) returns text language plpgsql as $$
declare
  result text;
begin
  execute format($q$select t::text from %s t where account_id = 'b0000000-0000-4000-8000-00000000000b' limit 1$q$, source) into result;
  return result;
end
$$;
create table given as
select a.name, a.value from (values
  ('account', 'b0000000-0000-4000-8000-00000000000b'), ('account_id', 'b0000000-0000-4000-8000-00000000000b'), ('owner', 'b0000000-0000-4000-8000-00000000000b'),
  ('lead_id', (select max(id)::text from crm.leads where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('document', (select max(id)::text from crm.documents where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('contact', (select max(id)::text from crm.contacts where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('service', (select max(id)::text from crm.services where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('resource', (select max(id)::text from crm.resources where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('agent_id', (select max(id)::text from crm.agents where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('crm.appointment.id', (select max(id)::text from crm.appointments where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('crm.lift_penalty.id', (select max(id)::text from crm.penalties where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('crm.service.id', (select max(id)::text from crm.services where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('crm.agent.id', (select max(id)::text from crm.agents where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('id', (select max(id)::text from crm.appointments where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('crm.leads', b('crm.leads')), ('crm.appointments', b('crm.appointments')), ('crm.services', b('crm.services')), ('crm.agents', b('crm.agents')),
  ('crm.tool_context', format('(%s,b0000000-0000-4000-8000-00000000000b,UTC,en,"{""email"": ""bea@example.com""}")',
    (select max(id) from crm.agents where account_id = 'b0000000-0000-4000-8000-00000000000b'))),
  ('crm.upsert_lead.lead', '{"account_id": "b0000000-0000-4000-8000-00000000000b", "email": "bea@example.com", "notes": "x"}'),
  ('lead', (select max(id)::text from crm.leads where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('arguments', '{"query": "secret", "email": "bea@example.com", "starts_at": "2031-01-06T10:00:00Z"}'),
  ('name', 'search_knowledge'), ('term', 'bea'), ('query', 'secret'), ('stage', 'won'), ('starts_at', '2031-01-06T10:00:00Z'), ('status', 'cancelled'),
  ('attended', 'true'), ('filter', '{}'), ('conditions', '[{"column": "account_id", "is": "b0000000-0000-4000-8000-00000000000b"}]'),
  ('channels', '{email,phone}'), ('spellings', '{bea@example.com,+14155550123}'), ('resources', (select array_agg(id)::text from crm.resources where account_id = 'b0000000-0000-4000-8000-00000000000b')),
  ('from', '2031-01-01'), ('to', '2031-02-01'), ('duration', '1 hour'), ('buffer_before', '0'), ('buffer_after', '0'), ('step', '1 hour'),
  ('query_embedding', (select array_agg(1)::vector::text from generate_series(1, 1536))), ('embedding', (select array_agg(1)::vector::text from generate_series(1, 1536))),
  ('match_threshold', '0'), ('count', '5'), ('match_count', '5'), ('content', 'x'), ('filter_category', 'policy'), ('category', 'policy')) a (name, value);
create table calls as
select p.oid::regprocedure::text as f, format('select string_agg(x::text, '' '') from %s(%s) x', p.oid::regproc, (
  select string_agg(format('%s%L::%s', case when a.name <> '' then quote_ident(a.name) || ' => ' else '' end,
    (select g.value from given g where g.name in (format('crm.%s.%s', p.proname, a.name), format_type(a.type, null), a.name)
     order by g.name <> format('crm.%s.%s', p.proname, a.name), g.name <> format_type(a.type, null) limit 1), format_type(a.type, null)), ', ' order by a.n)
  from unnest(p.proargtypes::oid[], coalesce(p.proargnames[:p.pronargs], array_fill(''::text, array[p.pronargs]))) with ordinality a (type, name, n)
  where a.n <= p.pronargs)) as call
from crm.application_functions() l join pg_proc p on p.oid = l;
create table answers (f text, answer text);
grant select on calls to crm_app;
grant insert on answers to crm_app;
set role crm_app;
set request.jwt.claims = '{"sub": "alice"}';
do $$
declare
  c record;
  answer text;
begin
  for c in select * from public.calls order by f loop
    begin
      execute c.call into answer;
      insert into public.answers values (c.f, answer);
    exception when others then
      insert into public.answers values (c.f, 'error ' || sqlstate || case when sqlstate like '42%' and sqlstate <> '42501' then ' ' || sqlerrm else '' end);
    end;
  end loop;
end
$$;
reset request.jwt.claims;
reset role;
-- Nothing of Bob's is another.
select b.source from before b full join rows_of_bob() r using (source) where b.hash is distinct from r.hash;
-- Nor is anything told of it that did not stand in the arguments: these are the answers that are one.
select regexp_replace(f, 'public\.', '') || ': ' || regexp_replace(regexp_replace(left(answer, 90), '20[0-9]{2}-[0-9-]{5}[ T][0-9:.+]+', 'T', 'g'), '[0-9]{4,}|(?<="appointment_id": )[0-9]+', 'N', 'g')
from answers where answer !~ '^error ' and answer <> '' order by f;
select 'secret of Bob: ' || f from answers where answer ~ 'under the mat|secret of Bob' and f !~ 'crm\.leads';
select substr(answer, 1, 11) as refused, count(*) > 0 from answers where answer ~ '^error ' group by 1 order by 1;
select f, answer from answers where answer ~ '^error 42' and answer <> 'error 42501' or answer ~ '^error (XX|0A)';

-- A role that connects by itself: what n8n calls back with.

create role crm_n8n;
select crm.grant_access('crm_n8n', 'c0000000-0000-4000-8000-00000000000c');
select crm.grant_access('crm_n8n', as_user => 'nobody');
select crm.grant_access(null);
select crm.grant_access('crm_n8n', 'b0000000-0000-4000-8000-00000000000b');
set role crm_n8n;
select crm.current_user_id(), (select string_agg(name, ' ') from crm.accounts);
select crm.call_tool((select id from crm.agents), 'search_knowledge', '{"query": "mat"}') #>> '{result,passages,0,title}';
select (crm.upsert_lead('{"email": "from.n8n@example.com"}')).account_id;
-- It is who it is, whatever it says.
set request.jwt.claims = '{"sub": "alice"}';
set frontdesk.user_id = 'alice';
select crm.current_user_id(), (select string_agg(name, ' ') from crm.accounts);
reset request.jwt.claims;
reset frontdesk.user_id;
select crm.grant_access('crm_n8n', 'a0000000-0000-4000-8000-00000000000a');
\echo :SQLSTATE
table crm.access;
\echo :SQLSTATE
reset role;
select role, user_id from crm.access order by role;

-- Those whom 0.1.0 let in, to everything: after the upgrade they may call what is listed.

create role crm_old;
grant usage on schema crm to crm_old;
grant execute on all functions in schema crm, crm_internal to crm_old;
grant select, insert, update, delete on all tables in schema crm to crm_old;
select regexp_replace(frontdesk.install_crm(), '[0-9.]+', 'N');
select has_function_privilege('crm_old', 'crm_internal.touch()', 'execute'), has_function_privilege('crm_old', 'crm.protect(regclass,name)', 'execute'),
  has_table_privilege('crm_old', 'crm.tools', 'update'), has_function_privilege('crm_old', 'crm.upsert_lead(jsonb,boolean)', 'execute');

select frontdesk.uninstall_crm(current_database());

-- An ordinary role that may install it owns it, and is told what it lacks.

create role crm_owner;
select format('grant create on database %I to crm_owner', current_database()) \gexec
grant execute on function frontdesk.install_crm, frontdesk.uninstall_crm to crm_owner;
set role crm_owner;
select frontdesk.install_crm();
reset role;
grant execute on function frontdesk.emit, frontdesk.watch to crm_owner;
set role crm_owner;
select regexp_replace(frontdesk.install_crm(), '[0-9.]+', 'N');
select distinct tableowner from pg_tables where schemaname = 'crm';
reset role;
select frontdesk.crm_version() is not null as seen_by_a_superuser;
select frontdesk.install_crm();
\echo :SQLSTATE
set role crm_owner;
select frontdesk.uninstall_crm(current_database());
reset role;
drop owned by crm_owner;
drop role crm_owner;
drop owned by crm_app, crm_n8n, crm_old, crm_eve;
drop role crm_app, crm_n8n, crm_old, crm_eve;
