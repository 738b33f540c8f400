-- Room 20, contacts: the address book, one row for a person, and how a person is found again.

create or replace function crm.current_actor() returns text
stable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(nullif(current_setting('crm.actor', true), ''), crm.current_user_id(), 'role ' || session_user);
end
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
comment on table crm.contacts is 'the address book: a person, with every way to reach him. An e-mail address, a telephone number, a handle belong to one contact';
comment on column crm.contacts.email is 'in lower case';
comment on column crm.contacts.phone is 'as in E.164: +14155550123';
comment on column crm.contacts.whatsapp is 'as in E.164';
comment on column crm.contacts.messenger is 'name or number of the profile; in lower case, without @ and address, as the other handles';
comment on column crm.contacts.custom_attributes is 'what your business knows of a contact beyond these columns';
comment on column crm.contacts.external_id is 'the id of this contact in another system';
create unique index if not exists contacts_email_key on crm.contacts (account_id, email) where email is not null;
create unique index if not exists contacts_phone_key on crm.contacts (account_id, phone) where phone is not null;
create unique index if not exists contacts_whatsapp_key on crm.contacts (account_id, whatsapp) where whatsapp is not null;
create unique index if not exists contacts_messenger_key on crm.contacts (account_id, messenger) where messenger is not null;
create unique index if not exists contacts_instagram_key on crm.contacts (account_id, instagram) where instagram is not null;
create unique index if not exists contacts_telegram_key on crm.contacts (account_id, telegram) where telegram is not null;
select crm.protect('crm.contacts');

create or replace function crm.phone_number(phone text, account uuid, country text = null, strict boolean = true) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  home text;
  number text;
begin
  if phone like '+%' then
    return frontdesk.normalize_phone(phone, null, strict);
  end if;
  if country ~ '^[A-Za-z]{2}$' then
    number := frontdesk.normalize_phone(phone, country, false);
  end if;
  if number is null then
    select a.country into home from crm.accounts a where a.id = account;
    number := frontdesk.normalize_phone(phone, home, false);
  end if;
  if number is null and phone ~ '^[1-9][0-9]{9,14}$' then
    -- Digits that begin with a country code but without +, as WhatsApp writes them.
    number := frontdesk.normalize_phone('+' || phone, null, false);
  end if;
  -- What is wrong is said of the number as it was given.
  return coalesce(number, frontdesk.normalize_phone(phone, home, strict));
end
$$;
comment on function crm.phone_number(text, uuid, text, boolean) is
  'a telephone number as in E.164; country: of a number without country code, before the one of the account. An error says what is wrong; null where strict is false';

create or replace function crm.phone_extension(phone text) returns jsonb
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('phone_extension', (regexp_match(phone, '(?:ext\.?|extension|x|#)\s*[:=]?\s*([0-9]{1,7})\s*$', 'i'))[1])
$$;
comment on function crm.phone_extension(text) is 'internal: what is dialled after the connection, which E.164 has no place for, as an attribute';

create or replace function crm.normalize_contact() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Every expression is a cost of every contact: of most, this is the only one.
  if new.phone !~ '^\+[0-9]+$' or new.whatsapp is not null or new.name is null or new.consent or new.timezone is not null then
    if new.phone !~ '^\+[0-9]+$' then
      if new.phone ~* '[x#]' then
        new.custom_attributes := new.custom_attributes || jsonb_strip_nulls(crm.phone_extension(new.phone));
      end if;
      new.phone := crm.phone_number(new.phone, new.account_id, new.country);
    end if;
    if new.whatsapp is not null then
      new.whatsapp := crm.phone_number(new.whatsapp, new.account_id, new.country);
    end if;
    new.name := coalesce(new.name, nullif(concat_ws(' ', new.first_name, new.last_name), ''));
    if new.consent then new.consent_at := coalesce(new.consent_at, frontdesk.now()); end if;
    if new.timezone is not null then perform frontdesk.check_timezone(new.timezone); end if;
  end if;
  return new;
end
$$;
comment on function crm.normalize_contact() is
  'trigger: what of a contact is not normalised by itself, but by its account or its other columns';

select frontdesk.normalize_columns('crm.contacts',
  'email', 'email', 'phone', 'international', 'messenger', 'handle', 'instagram', 'handle', 'telegram', 'handle',
  'first_name', 'line 500', 'last_name', 'line 500', 'name', 'line 500', 'company', 'line 500', 'external_id', 'line 200');
create or replace trigger _normalize_contact before insert or update on crm.contacts for each row execute function crm.normalize_contact();
create or replace trigger touch before update on crm.contacts for each row execute function crm.touch();
