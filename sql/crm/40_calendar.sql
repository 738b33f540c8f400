-- Room 40, calendar: what can be booked, with whom, and when they are there.

create or replace function crm.visible(account uuid) returns boolean
stable language sql set search_path = pg_catalog, pg_temp as $$
  select crm.current_user_id() is null or account in (select crm.my_accounts())
$$;
comment on function crm.visible(uuid) is 'whether rows of this account are there for the current user; without a user the rights of the database role decide';

create or replace function crm.protect_from_writing(source regclass, account_column name = 'account_id') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', source);
  if not exists (select from pg_policy where polrelid = source and polname = 'members_read') then
    execute format('create policy members_read on %s for select using (%s)', source,
      case when account_column is null then 'true' else format('%I in (select crm.my_accounts())', account_column) end);
  end if;
end
$$;
comment on function crm.protect_from_writing(regclass, name) is
  'as protect(), for a table that members only read: histories, and with account_column null vocabularies, which all accounts share';

create table if not exists crm.appointment_settings (
  account_id uuid primary key references crm.accounts on delete cascade,
  no_show_penalty interval not null default '1 month' check (no_show_penalty between '0' and '10 years'),
  minimum_notice interval not null default '0' check (minimum_notice between '0' and '1 year'),
  booking_horizon interval not null default '2 years' check (booking_horizon between '1 day' and '20 years'));
comment on table crm.appointment_settings is 'one row for an account: its rules of booking';
comment on column crm.appointment_settings.no_show_penalty is 'how long a client who did not come cannot book; 0: not at all';
comment on column crm.appointment_settings.minimum_notice is 'how long before its start an appointment must be booked';
comment on column crm.appointment_settings.booking_horizon is 'how far ahead one may book';
select crm.protect('crm.appointment_settings');

create table if not exists crm.services (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200 and name !~ '[[:cntrl:]]'),
  description text check (length(description) <= 20000),
  duration interval not null default '1 hour',
  buffer_before interval not null default '0' check (buffer_before between '0' and '1 day'),
  buffer_after interval not null default '0' check (buffer_after between '0' and '1 day'),
  minimum_notice interval check (minimum_notice between '0' and '1 year'),
  meeting_link text,
  price numeric check (price >= 0),
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id),
  constraint services_duration_check check (duration between '1 minute' and '31 days'));
comment on table crm.services is 'what clients book';
comment on column crm.services.buffer_before is 'the resource is taken so long before the start; it may be outside business hours';
comment on column crm.services.minimum_notice is 'null: that of the account';
comment on column crm.services.meeting_link is 'of appointments that have none of their own';
select crm.protect('crm.services');

create table if not exists crm.resources (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (length(btrim(name)) between 1 and 200 and name !~ '[[:cntrl:]]'),
  kind text not null default 'person' check (kind in ('person', 'room', 'equipment', 'other')),
  timezone text,
  capacity int not null default 1 check (capacity between 1 and 1000),
  agent_id bigint,
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, name),
  unique (account_id, id),
  constraint resources_agent_fkey foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete set null (agent_id));
comment on table crm.resources is 'who or what an appointment takes up: a person, a room, a machine';
comment on column crm.resources.timezone is 'of its business hours; null: that of the account';
comment on column crm.resources.capacity is 'how many appointments at once';
select crm.protect('crm.resources');

create table if not exists crm.service_resources (
  account_id uuid not null references crm.accounts on delete cascade,
  service_id bigint not null,
  resource_id bigint not null,
  primary key (service_id, resource_id),
  constraint service_resources_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id) on delete cascade,
  constraint service_resources_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.service_resources is 'which resources give a service; a service without rows here is given by all';
select crm.protect('crm.service_resources');

create table if not exists crm.business_hours (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  resource_id bigint,
  weekday smallint not null check (weekday between 1 and 7),
  opens time not null,
  closes time not null,
  valid_from date,
  valid_until date,
  constraint business_hours_order check (opens < closes),
  constraint business_hours_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.business_hours is 'the hours of a week; a resource with rows of its own has only those';
comment on column crm.business_hours.resource_id is 'null: of all resources of the account that have no rows of their own';
comment on column crm.business_hours.weekday is '1 Monday to 7 Sunday';
comment on column crm.business_hours.closes is 'up to 24:00; hours past midnight are a row of the next day';
create index if not exists business_hours_account_idx on crm.business_hours (account_id, weekday);
create index if not exists business_hours_resource_idx on crm.business_hours (resource_id) where resource_id is not null;
select crm.protect('crm.business_hours');

create table if not exists crm.calendar_exceptions (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  resource_id bigint,
  first_day date not null,
  last_day date not null,
  opens time,
  closes time,
  reason text,
  constraint calendar_exceptions_days check (last_day between first_day and first_day + 3660),
  constraint calendar_exceptions_hours check ((opens is null) = (closes is null) and opens < closes),
  constraint calendar_exceptions_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id) on delete cascade);
comment on table crm.calendar_exceptions is 'holidays, and days with other hours: on these days the rows here are in place of the business hours';
comment on column crm.calendar_exceptions.resource_id is 'null: of all resources that have no exception of their own on that day';
comment on column crm.calendar_exceptions.opens is 'null: closed';
create index if not exists calendar_exceptions_days_idx on crm.calendar_exceptions (account_id, last_day);
select crm.protect('crm.calendar_exceptions');

create or replace function crm.check_link(link text) returns text
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if link !~* '^(https?://|tel:|sips?:|mailto:)[^[:space:][:cntrl:]<>"]+$' or length(link) > 2000 then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no link', left(link, 100)),
      hint = 'It begins with https://, tel:, sip: or mailto:, and has no spaces.';
  end if;
  return link;
end
$$;
comment on function crm.check_link(text) is 'the link itself, or an error: what clients click must not be a script';

create or replace function crm.check_service() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.check_link(new.meeting_link);
  return new;
end
$$;
comment on function crm.check_service() is 'trigger: the link of a service is one';

create or replace function crm.check_resource() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.timezone is not null then
    perform frontdesk.check_timezone(new.timezone);
  end if;
  return new;
end
$$;
comment on function crm.check_resource() is 'trigger: the zone of a resource is one';

create or replace trigger check_service before insert or update of meeting_link on crm.services
  for each row execute function crm.check_service();
create or replace trigger check_resource before insert or update of timezone on crm.resources
  for each row execute function crm.check_resource();
create or replace trigger touch before update on crm.services for each row execute function crm.touch();
create or replace trigger touch before update on crm.resources for each row execute function crm.touch();

create or replace function crm.open_hours(resources bigint[], "from" timestamptz, "to" timestamptz)
returns table (resource_id bigint, hours tstzmultirange)
stable language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  with asked as materialized (
    select r.id, r.account_id, coalesce(r.timezone, a.timezone) as zone,
      exists (select from crm.business_hours h where h.resource_id = r.id) as own
    from crm.resources r join crm.accounts a on a.id = r.account_id where r.id = any (resources)),
  exceptions as materialized (
    select e.*, d.day::date from crm.calendar_exceptions e
    cross join generate_series(greatest(e.first_day, open_hours."from"::date - 2), least(e.last_day, open_hours."to"::date + 2), interval '1 day') d (day)
    where e.account_id in (select q.account_id from asked q)
      and e.last_day >= open_hours."from"::date - 2 and e.first_day <= open_hours."to"::date + 2),
  days as (
    select q.*, d.day::date,
      (select min((e.resource_id is null)::int) from exceptions e
       where e.account_id = q.account_id and e.day = d.day and (e.resource_id is null or e.resource_id = q.id)) as exception
    from asked q
    cross join generate_series((open_hours."from" at time zone q.zone)::date - 1, (open_hours."to" at time zone q.zone)::date, interval '1 day') d (day)),
  spans as (
    select d.id, (d.day + e.opens) at time zone d.zone as opens, (d.day + e.closes) at time zone d.zone as closes
    from days d join exceptions e on e.account_id = d.account_id and e.day = d.day
      and case d.exception when 0 then e.resource_id = d.id else e.resource_id is null end
    where d.exception is not null and e.opens is not null
    union all
    select d.id, (d.day + h.opens) at time zone d.zone, (d.day + h.closes) at time zone d.zone
    from days d join crm.business_hours h on h.account_id = d.account_id and h.weekday = extract(isodow from d.day)
      and case when d.own then h.resource_id = d.id else h.resource_id is null end
      and d.day between coalesce(h.valid_from, '-infinity') and coalesce(h.valid_until, 'infinity')
    where d.exception is null)
  -- An hour that the clocks skip may end before it begins.
  select s.id, range_agg(tstzrange(s.opens, greatest(s.opens, s.closes))) from spans s group by s.id;
end
$$;
comment on function crm.open_hours(bigint[], timestamptz, timestamptz) is
  'when these resources are there between two moments (and up to a day around): business hours in the zone of each, less holidays, right when clocks change. A resource that is never there has no row';

create or replace function crm.seed_calendar(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.appointment_settings (account_id) values (account) on conflict do nothing;
  insert into crm.services (account_id, name) values (account, 'Appointment') on conflict do nothing;
  insert into crm.resources (account_id, name, kind) values (account, 'Front desk', 'other') on conflict do nothing;
  insert into crm.business_hours (account_id, weekday, opens, closes) select account, d, '09:00', '18:00' from generate_series(1, 5) d;
$$;
comment on function crm.seed_calendar(uuid) is 'internal: what every account begins with: one service of an hour, one resource, Monday to Friday from 9 to 18';

create or replace function crm.calendar_account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.accounts'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.calendar_account_added() is the trigger of crm.accounts';
  end if;
  perform crm.seed_calendar(new.id);
  return null;
end
$$;
comment on function crm.calendar_account_added() is 'trigger: a new account can be booked at once';
create or replace trigger calendar_account_added after insert on crm.accounts for each row execute function crm.calendar_account_added();
-- Accounts that were there before; one that has its settings was set up.
select crm.seed_calendar(a.id) from crm.accounts a where not exists (select from crm.appointment_settings s where s.account_id = a.id);
