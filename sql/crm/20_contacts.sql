-- Room 20, contacts: the address book, one row for a person, and how a person is found again.

create or replace function crm.current_actor() returns text
stable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(current_setting('crm.actor', true), ''), crm.current_user_id(), 'role ' || session_user)
$$;
comment on function crm.current_actor() is
  'who is acting, as histories name him: the setting crm.actor (an AI agent, a job), else the application''s user, else the database role';

create table if not exists crm.contacts (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  name text,
  first_name text,
  last_name text,
  email text,
  phone text,
  whatsapp text,
  messenger text,
  instagram text,
  telegram text,
  company text,
  country text,
  region text,
  city text,
  postal_code text,
  address text,
  language text,
  timezone text,
  consent boolean,
  consent_at timestamptz,
  consent_source text,
  notes text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  external_id text,
  chatwoot_contact_id bigint,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, id));
comment on table crm.contacts is 'the address book: a person, with every way to reach him';
comment on column crm.contacts.email is 'in lower case';
comment on column crm.contacts.phone is 'as in E.164: +14155550123';
comment on column crm.contacts.whatsapp is 'as in E.164';
comment on column crm.contacts.messenger is 'name or number of the profile; in lower case, without @ and address, as the other handles';
comment on column crm.contacts.custom_attributes is 'what your business knows of a contact beyond these columns';
comment on column crm.contacts.external_id is 'the id of this contact in another system';
create index if not exists contacts_email_idx on crm.contacts (account_id, email) where email is not null;
create index if not exists contacts_phone_idx on crm.contacts (account_id, phone) where phone is not null;
create index if not exists contacts_whatsapp_idx on crm.contacts (account_id, whatsapp) where whatsapp is not null;
create index if not exists contacts_messenger_idx on crm.contacts (account_id, messenger) where messenger is not null;
create index if not exists contacts_instagram_idx on crm.contacts (account_id, instagram) where instagram is not null;
create index if not exists contacts_telegram_idx on crm.contacts (account_id, telegram) where telegram is not null;
select crm.protect('crm.contacts');

create or replace trigger touch before update on crm.contacts for each row execute function crm.touch();
