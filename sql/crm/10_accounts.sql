-- Room 10, accounts: the tenants, who may see them, and who is asking.

create table if not exists crm.installation (
  only_row boolean primary key default true check (only_row),
  version text not null,
  installed_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp());
comment on table crm.installation is 'one row: which version of the front desk this schema is';

create table if not exists crm.accounts (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(btrim(name)) between 1 and 200),
  timezone text not null default 'UTC',
  locale text not null default 'en' check (locale ~ '^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),
  country text not null default 'US' check (country ~ '^[A-Z]{2}$'),
  currency text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp());
comment on table crm.accounts is 'a business, or a branch of one: everything else belongs to an account';
comment on column crm.accounts.timezone is 'a zone of pg_timezone_names: of the business''s days and hours';
comment on column crm.accounts.locale is 'language of what clients read, as in BCP 47';
comment on column crm.accounts.country is 'ISO 3166-1: of telephone numbers written without a country code';
comment on column crm.accounts.currency is 'ISO 4217';

create table if not exists crm.member_roles (
  name text primary key,
  may_write boolean not null,
  description text not null);
comment on table crm.member_roles is 'what a member of an account may do';
insert into crm.member_roles values
  ('owner', true, 'everything, members too'), ('member', true, 'reads and writes'), ('viewer', false, 'reads')
on conflict do nothing;

create table if not exists crm.account_members (
  account_id uuid not null references crm.accounts on delete cascade,
  user_id text not null check (user_id <> ''),
  role text not null default 'member' references crm.member_roles,
  created_at timestamptz not null default clock_timestamp(),
  primary key (account_id, user_id));
comment on table crm.account_members is 'which users of the application see which account';
comment on column crm.account_members.user_id is 'the claim "sub" of request.jwt.claims, or the setting frontdesk.user_id';
create index if not exists account_members_user_idx on crm.account_members (user_id);

create table if not exists crm.agents (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200),
  kind text not null default 'ai' check (kind in ('ai', 'person')),
  active boolean not null default true,
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id));
comment on table crm.agents is 'who answers: an AI agent, or a person';

create table if not exists crm.access (
  role name primary key,
  user_id text check (user_id <> ''),
  granted_at timestamptz not null default clock_timestamp());
comment on table crm.access is 'the database roles that crm.grant_access() let in';
comment on column crm.access.user_id is 'who the role always is, whatever it sets; null: who crm.current_user_id() says';

create or replace function crm.current_user_id() returns text
stable parallel safe language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(
    -- The setting role tells who called, also where current_user is the owner of a function.
    (select a.user_id from crm.access a where a.role = coalesce(nullif(current_setting('role'), 'none'), session_user)::name),
    nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'sub', ''),
    nullif(current_setting('frontdesk.user_id', true), ''));
end
$$;
comment on function crm.current_user_id() is
  'the application''s user: who crm.grant_access() said that the role is, else the claim "sub" of request.jwt.claims (PostgREST, Supabase), else the setting frontdesk.user_id; null: nobody';

create or replace function crm.my_accounts(to_write boolean = false) returns setof uuid
stable language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select m.account_id from crm.account_members m join crm.member_roles r on r.name = m.role
  where m.user_id = crm.current_user_id() and (r.may_write or not to_write);
end
$$;
comment on function crm.my_accounts(boolean) is 'the accounts of the current user; to_write: those whose rows the user may change. The policies ask this once per statement';

create or replace function crm.has_account_access(account uuid) returns boolean
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return account in (select crm.my_accounts());
end
$$;
comment on function crm.has_account_access(uuid) is 'whether the current user is a member of this account';

create or replace function crm.use_account(account uuid = null) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found uuid;
  choices bigint;
begin
  if account is not null then
    select a.id into found from crm.accounts a
    where a.id = account and (crm.current_user_id() is null or crm.has_account_access(a.id));
    if found is null then
      raise exception using errcode = 'insufficient_privilege', message = format('there is no account %s for you', account);
    end if;
    return found;
  end if;
  select count(*), (array_agg(a.id))[1] into choices, found from crm.accounts a
  where crm.current_user_id() is null or a.id in (select crm.my_accounts());
  if choices <> 1 then
    raise exception using errcode = 'invalid_parameter_value',
      message = case choices when 0 then 'you have no account' else 'which account is not said' end,
      hint = case choices when 0 then 'insert into crm.account_members ...' else 'Give its id; they are in crm.accounts.' end;
  end if;
  return found;
end
$$;
comment on function crm.use_account(uuid) is
  'this account, if it is there and the current user is a member of it; null: the only account there is for the user. Otherwise an error. Without a user (see current_user_id) the rights of the database role decide';

create or replace function crm.touch() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end
$$;
comment on function crm.touch() is 'trigger: sets updated_at';

create or replace function crm.check_account() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(new.timezone);
  perform frontdesk.check_locale(new.locale);
  return new;
end
$$;
comment on function crm.check_account() is 'trigger: the zone of an account is one, and dates can be written in its language';

create or replace trigger check_account before insert or update of timezone, locale on crm.accounts
  for each row execute function crm.check_account();
create or replace trigger touch before update on crm.accounts for each row execute function crm.touch();
create or replace trigger touch before update on crm.agents for each row execute function crm.touch();

create or replace function crm.protect(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%I in (select crm.my_accounts()))', source, account_column);
  end if;
  if not exists (select from pg_policy where polrelid = source and polname = 'members_write') then
    execute format('create policy members_write on %s using (%2$I in (select crm.my_accounts(true)))
      with check (%2$I in (select crm.my_accounts(true)))', source, account_column);
  end if;
end
$$;
comment on function crm.protect(regclass, name) is
  'row level security for a table of yours with an account column, as the tables of the front desk have it: members read, those who may write write';

create or replace function crm.protect_history(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%I in (select crm.my_accounts()))', source, account_column);
  end if;
end
$$;
comment on function crm.protect_history(regclass, name) is
  'row level security for a table that members read and only triggers and functions of the owner (security definer) write';

select crm.protect('crm.agents');

alter table crm.accounts enable row level security;
alter table crm.account_members enable row level security;
do $$
begin
  if not exists (select from pg_policy where polrelid = 'crm.accounts'::regclass) then
    create policy members_read on crm.accounts for select using (id in (select crm.my_accounts()));
    create policy members_write on crm.accounts for update using (id in (select crm.my_accounts(true)));
    create policy members_read on crm.account_members for select using (account_id in (select crm.my_accounts()));
  end if;
  -- The first account, so that nothing needs to be set up.
  if not exists (select from crm.installation) and not exists (select from crm.accounts) then
    insert into crm.accounts (name) values ('My business');
  end if;
end
$$;
