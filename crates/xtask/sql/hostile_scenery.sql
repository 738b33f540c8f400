-- A database with a little of everything, for those who try what can be done to it: a superuser's things, a tenant's, an
-- application's. Nothing is ever sent: the desk is paused.
set client_min_messages = warning;
create extension pg_frontdesk cascade;
select frontdesk.pause('a scene for the hostile');
select frontdesk.install_crm(sample_data => true);

create role hostile_nobody login;
create role hostile_tenant login;
create role hostile_app login;
create role hostile_other login;
select crm.grant_access('hostile_app');
alter role hostile_app set frontdesk.user_id = 'sample-viewer';

-- An administrator lets them watch their tables.
grant execute on function frontdesk.watch to hostile_tenant, hostile_other;

create schema tenant authorization hostile_tenant;
create schema other authorization hostile_other;
grant usage on schema tenant to hostile_app;

-- What the superuser has.
create table public.lead (
  id int primary key, name text, state text default 'new', at timestamptz default now(), amount numeric, detail jsonb);
select frontdesk.watch('public.lead');
select frontdesk.remind('public.lead', 'at', '-1 hour', 'lead.reminder');
select frontdesk.add_endpoint('house', 'https://receiver.example/house', secret => 'a secret of the house, long enough');
select frontdesk.schedule('house-job', '0 3 * * *', 'select 1');
insert into public.lead (id, name, amount) select i, 'lead ' || i, i from generate_series(1, 20) i;

-- What another tenant has.
set session authorization hostile_other;
create table other.visit (id int primary key, starts_at timestamptz, payload jsonb, secret text);
select frontdesk.watch('other.visit');
select frontdesk.remind('other.visit', 'starts_at', '-1 hour', 'visit.reminder');
select frontdesk.schedule('others-job', '0 4 * * *', 'select 2 /* others-command */');
insert into other.visit select i, now() + i * interval '1 hour', '{"a": 1}', 'others-secret' from generate_series(1, 10) i;
reset session authorization;

-- What the tenant has.
set session authorization hostile_tenant;
create table tenant.visit (id int primary key, starts_at timestamptz, payload jsonb, tags text[], amount numeric);
grant select, insert, update, delete on tenant.visit to hostile_app;
select frontdesk.watch('tenant.visit');
select frontdesk.remind('tenant.visit', 'starts_at', '-1 hour', 'visit.soon');
select frontdesk.schedule('tenants-job', '0 5 * * *', 'select 3');
insert into tenant.visit select i, now() + i * interval '1 hour', '{"a": [1, 2]}', array['x', null], i / 3.0 from generate_series(1, 10) i;
reset session authorization;
