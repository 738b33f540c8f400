-- Schema crm: installed, again, by whom; and no account sees or changes anything of another, in any table.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never

select regexp_replace(frontdesk.install_crm(sample_data => true), '[0-9.]+', 'N');
select regexp_replace(frontdesk.install_crm(sample_data => true), '[0-9.]+', 'N');
select name, timezone, country from crm.accounts order by name;

-- Sample data loaded twice is there once.
select count(*) as leads, count(distinct external_id) as once, count(contact_id) > 0 as with_contact from crm.leads;

-- An account.
insert into crm.accounts (name, timezone) values ('Nowhere', 'Mars/Olympus');
\set VERBOSITY terse
insert into crm.accounts (name, country) values ('Nowhere', 'usa');
insert into crm.accounts (name, locale) values ('Nowhere', 'english, please');
insert into crm.accounts (name) values (' ');
\set VERBOSITY default
insert into crm.accounts (id, name) values ('b0000000-0000-4000-8000-00000000000b', 'Somebody else');
insert into crm.account_members values ('b0000000-0000-4000-8000-00000000000b', 'stranger', 'owner');
insert into crm.account_members values ('b0000000-0000-4000-8000-00000000000b', 'boss', 'king');

-- A foreign schema is not touched; uninstalling wants to be meant.
\set VERBOSITY terse
select frontdesk.uninstall_crm('no');
\set VERBOSITY default

create role crm_app;
select crm.grant_access('crm_app');

-- Who is who: a setting, or the claims of PostgREST, which come first.
set role crm_app;
select crm.current_user_id(), count(*) from crm.accounts;
set frontdesk.user_id = 'sample-viewer';
select crm.current_user_id(), count(*) from crm.accounts;
set request.jwt.claims = '{"sub": "stranger", "role": "authenticated"}';
select crm.current_user_id(), count(*) from crm.accounts;
select crm.has_account_access('b0000000-0000-4000-8000-00000000000b'), crm.has_account_access('5a4d91e0-0000-4000-8000-000000000001');
set request.jwt.claims = 'no json';
select crm.current_user_id();
reset request.jwt.claims;
reset frontdesk.user_id;
reset role;

-- Every table that has an account is under row level security, every view reads as its reader.
select c.relname as not_protected from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id' and not a.attisdropped
where c.relnamespace = 'crm'::regnamespace and c.relkind in ('r', 'p') and not (c.relrowsecurity
  and exists (select from pg_policy p where p.polrelid = c.oid and pg_get_expr(p.polqual, p.polrelid) like '%my_accounts%'));
select p.tablename as not_restricted, p.policyname from pg_policies p
where p.schemaname = 'crm' and (p.tablename = 'accounts' or exists (
    select from pg_attribute a where a.attrelid = to_regclass(format('crm.%I', p.tablename)) and a.attname = 'account_id' and not a.attisdropped))
  and coalesce(p.qual, '') !~ 'my_accounts' and coalesce(p.with_check, '') !~ 'my_accounts';
select c.relname as not_as_its_reader from pg_class c
where c.relnamespace = 'crm'::regnamespace and c.relkind = 'v' and not coalesce(c.reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1}';
select p.oid::regprocedure as open_to_everybody from pg_proc p
where p.pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and has_function_privilege('public', p.oid, 'execute') order by 1;

-- Tries every such table as each of them. What a table lets happen that it must not comes out.
create function attempt(source regclass, statement text) returns text language plpgsql as $$
declare
  n bigint;
begin
  execute statement;
  get diagnostics n = row_count;
  raise exception 'undo' using errcode = 'ZZ001', detail = n::text;
exception
  when sqlstate 'ZZ001' then
    get stacked diagnostics statement = pg_exception_detail;
    return statement;
  when others then
    return sqlstate;
end
$$;
create table tried (source regclass, who text, what text, result text);
grant all on tried to crm_app;
grant execute on function attempt to crm_app;
create procedure try_all() language plpgsql as $$
declare
  a constant uuid := '5a4d91e0-0000-4000-8000-000000000001';
  t record;
  who text;
  n bigint;
  row_of_a jsonb;
begin
  for t in
    select c.oid::regclass as source from pg_class c join pg_attribute x on x.attrelid = c.oid and x.attname = 'account_id' and not x.attisdropped
    where c.relnamespace = 'crm'::regnamespace and c.relkind in ('r', 'p') order by c.relname
  loop
    execute format('select count(*) from %s where account_id = $1', t.source) into n using a;
    execute format('select to_jsonb(x) from %s x where account_id = $1 limit 1', t.source) into row_of_a using a;
    insert into tried values (t.source, 'owner', 'read', n::text);
    foreach who in array array['sample-reception', 'sample-viewer', 'stranger', ''] loop
      perform set_config('frontdesk.user_id', who, false);
      set role crm_app;
      insert into tried values
        (t.source, who, 'read', attempt(t.source, format('select from %s where account_id = %L', t.source, a))),
        (t.source, who, 'update', attempt(t.source, format('update %s set account_id = account_id where account_id = %L', t.source, a))),
        (t.source, who, 'delete', attempt(t.source, format('delete from %s where account_id = %L', t.source, a))),
        (t.source, who, 'insert', attempt(t.source, format('insert into %1$s overriding system value select * from jsonb_populate_record(null::%1$s, %2$L)', t.source, row_of_a))),
        (t.source, who, 'give away', attempt(t.source, format('update %s set account_id = ''b0000000-0000-4000-8000-00000000000b'' where account_id = %L', t.source, a)));
      reset role;
    end loop;
  end loop;
  perform set_config('frontdesk.user_id', '', false);
end
$$;
call try_all();
select count(distinct source) >= 8 as tables, count(*) > 100 as tries, count(*) filter (where who = 'owner' and result <> '0') > 4 as tables_with_rows from tried;
-- Strangers and nobody read nothing.
select * from tried where what = 'read' and who in ('stranger', '') and result not in ('0', '42501');
-- Members read what there is.
select m.* from tried m join tried o on o.source = m.source and o.who = 'owner' and o.what = 'read'
where m.what = 'read' and m.who in ('sample-reception', 'sample-viewer') and m.result <> o.result;
-- Only those who may write change anything, and nobody gives a row to another account.
select * from tried where what <> 'read' and who in ('sample-viewer', 'stranger', '') and result ~ '^[0-9]{1,4}$' and result <> '0';
select * from tried where what = 'give away' and who = 'sample-reception' and result ~ '^[0-9]{1,4}$' and result <> '0';
-- And members do write.
select result <> '0' as members_write from tried where source = 'crm.leads'::regclass and who = 'sample-reception' and what = 'update';

-- Functions with the id of somebody else: as if it were not there.
select min(id) as lead from crm.leads where account_id = '5a4d91e0-0000-4000-8000-000000000001' \gset
set role crm_app;
set frontdesk.user_id = 'stranger';
select crm.set_lead_stage(:lead, 'won') is null;
select crm.set_lead_stage(-1, 'won') is null;
select crm.contact_of_lead(:lead);
select crm.upsert_lead('{"account_id": "5a4d91e0-0000-4000-8000-000000000001", "email": "ana.garcia@example.com"}') is null;
select count(*) from crm.search_leads('Ana', '5a4d91e0-0000-4000-8000-000000000001');
select count(*) from crm.search_leads('Ana');
select total from crm.lead_stats(account => '5a4d91e0-0000-4000-8000-000000000001');
select count(*) from crm.leads_high_priority;
select sum(leads) from crm.pipeline;
set frontdesk.user_id = 'sample-viewer';
select count(*) from crm.search_leads('ana garcia');
select crm.set_lead_stage(:lead, 'won') is null;
select crm.upsert_lead('{"email": "ana.garcia@example.com"}') is null;
reset frontdesk.user_id;
select count(*) from crm.search_leads('Ana', '5a4d91e0-0000-4000-8000-000000000001');
select crm.set_lead_stage(:lead, 'won') is null;
reset role;

-- Who has two accounts says which: with each call, once for the session, or for one transaction.
insert into crm.account_members
values ('b0000000-0000-4000-8000-00000000000b', 'both', 'owner'), ('5a4d91e0-0000-4000-8000-000000000001', 'both', 'owner');
set role crm_app;
set frontdesk.user_id = 'both';
select crm.use_account();
select crm.use_account('b0000000-0000-4000-8000-00000000000b');
insert into crm.contacts (name) values ('Of the second') returning account_id;
begin;
set local frontdesk.account_id = '5a4d91e0-0000-4000-8000-000000000001';
select crm.use_account();
commit;
select crm.use_account();
select crm.use_account('c0000000-0000-4000-8000-00000000000c');
set frontdesk.user_id = 'sample-viewer';
select crm.use_account();
reset frontdesk.account_id;
select crm.use_account();
reset frontdesk.user_id;
reset role;

drop table tried;
revoke all on function attempt from crm_app;
select frontdesk.uninstall_crm(current_database());
drop owned by crm_app;
drop role crm_app;
create schema crm;
create table crm.mine (id int);
select frontdesk.install_crm();
