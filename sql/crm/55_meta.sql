-- Room 55, Meta: stages of leads as events of Meta's Conversions API. The rules are those of
-- developers.facebook.com/docs/marketing-api/conversions-api/parameters; where its text leaves open what a spelling
-- becomes, it is what Meta's own library (facebook/capi-param-builder) makes of it.

create table if not exists crm.meta_endpoints (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  pixel_id text not null check (pixel_id ~ '^[0-9]{1,20}$'),
  endpoint text not null unique,
  source_name text not null check (length(btrim(source_name)) between 1 and 100),
  min_score numeric not null default 0,
  require_consent boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (account_id, pixel_id));
comment on table crm.meta_endpoints is 'the pixels (datasets) that hear of an account''s leads; the token is with the endpoint''s secrets, not here';
comment on column crm.meta_endpoints.endpoint is 'the name in frontdesk.endpoints';
comment on column crm.meta_endpoints.source_name is 'lead_event_source: what Meta shows as the CRM the events come from';
comment on column crm.meta_endpoints.require_consent is 'true: only leads that consented; false: all but those that refused';
select crm.protect_from_writing('crm.meta_endpoints');

create table if not exists crm.meta_outcomes (
  name text primary key,
  description text not null);
insert into crm.meta_outcomes values
  ('queued', 'handed to the endpoint; frontdesk.explain_event() knows more'),
  ('no_consent', 'the lead did not consent; sent when it does, if that is within 7 days'),
  ('low_score', 'the score is below that of the endpoint'),
  ('no_identifier', 'nothing by which Meta could find the person'),
  ('too_old', 'older than the 7 days that Meta accepts')
on conflict do nothing;
select crm.protect_from_writing('crm.meta_outcomes', null);

create table if not exists crm.meta_events (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  pixel_id text not null,
  event_name text not null,
  event_id text not null,
  lead_id bigint,
  stage text not null,
  event_time timestamptz not null,
  outcome text not null references crm.meta_outcomes,
  frontdesk_event bigint,
  created_at timestamptz not null default clock_timestamp(),
  unique (account_id, pixel_id, event_name, event_id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete set null (lead_id));
comment on table crm.meta_events is 'what Meta was told, or not told, and why: one row for an event, nothing about the person';
comment on column crm.meta_events.event_id is 'Meta takes a second event of the same name and id for the first one';
comment on column crm.meta_events.frontdesk_event is 'frontdesk.event.id; null: nothing was sent';
create index if not exists meta_events_lead_idx on crm.meta_events (account_id, lead_id);
select crm.protect_from_writing('crm.meta_events');

create or replace function crm.us_state(name text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select '{"alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co", "connecticut": "ct",
    "delaware": "de", "districtofcolumbia": "dc", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id", "illinois": "il",
    "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la", "maine": "me", "maryland": "md",
    "massachusetts": "ma", "michigan": "mi", "minnesota": "mn", "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne",
    "nevada": "nv", "newhampshire": "nh", "newjersey": "nj", "newmexico": "nm", "newyork": "ny", "northcarolina": "nc",
    "northdakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or", "pennsylvania": "pa", "rhodeisland": "ri", "southcarolina": "sc",
    "southdakota": "sd", "tennessee": "tn", "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa",
    "westvirginia": "wv", "wisconsin": "wi", "wyoming": "wy", "puertorico": "pr", "guam": "gu", "virginislands": "vi",
    "americansamoa": "as", "northernmarianaislands": "mp"}'::jsonb->>name
$$;
comment on function crm.us_state(text) is 'internal: the ANSI abbreviation of a state of the US, both in lower case without spaces; null: none is called so';

create or replace function crm.meta_normalize(field text, value text, country text = null) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- The case and the classes of Unicode, whatever the database's locale is.
  lowered text := lower(regexp_replace(value, '^[[:space:]]+|[[:space:]]+$' collate pg_c_utf8, '', 'g') collate pg_c_utf8);
  bare text := regexp_replace(lowered, '[[:space:][:punct:]]' collate pg_c_utf8, '', 'g');
  digits text := regexp_replace(lowered, '[^0-9]', '', 'g');
begin
  return nullif(case field
    when 'em' then case when lowered ~ '^[^@[:space:]]+@[^@[:space:]]+$' then lowered end
    -- Without the plus: Meta hashes digits only.
    when 'ph' then case when length(ltrim(digits, '0')) between 7 and 15 then ltrim(digits, '0') end
    when 'fn' then bare
    when 'ln' then bare
    when 'ge' then case when bare in ('f', 'female') then 'f' when bare in ('m', 'male') then 'm' end
    when 'db' then case when digits ~ '^(19|20)[0-9]{6}$' and pg_input_is_valid(digits, 'date') then digits end
    when 'ct' then bare
    when 'st' then case when lower(country) in ('us', 'usa') then coalesce(crm.us_state(bare), bare) else bare end
    when 'zp' then case when length(split_part(lowered, '-', 1)) > 1 then
      left(regexp_replace(split_part(lowered, '-', 1), '[[:space:]]', '', 'g'), case when lower(country) in ('us', 'usa') then 5 else 100 end) end
    when 'country' then case when bare ~ '^[a-z]{2}$' then bare end
    when 'external_id' then regexp_replace(lowered, '[[:space:]]', '', 'g')
  end, '');
end
$$;
comment on function crm.meta_normalize(text, text, text) is
  'a field of user_data (em, ph, fn, ln, ge, db, ct, st, zp, country, external_id) as Meta wants it before it is hashed; null: there is nothing to send. country matters for states and postal codes of the US';

create or replace function crm.meta_hash(field text, value text, country text = null) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return case when btrim(value) ~ '^[0-9A-Fa-f]{64}$' then lower(btrim(value))
    else encode(sha256(convert_to(crm.meta_normalize(field, value, country), 'UTF8')), 'hex') end;
end
$$;
comment on function crm.meta_hash(text, text, text) is 'SHA-256 in hexadecimal of a normalised field; what is such a hash already stays one; null: there is nothing to send';

create or replace function crm.meta_user_data(l crm.leads) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Planned once in a session, not once for a lead.
  return (with name as (
    select coalesce(l.first_name, split_part(btrim(l.name), ' ', 1)) as first,
      coalesce(l.last_name, case when l.first_name is null then substring(btrim(l.name) from '^[^ ]+ +(.+)$') end) as last),
  hashed as (
    select h.field, crm.meta_hash(h.field, h.value, l.country) as value from name, lateral (values
      ('em', l.email), ('ph', coalesce(l.phone, l.whatsapp)), ('fn', name.first), ('ln', name.last), ('ct', l.city), ('st', l.region),
      ('zp', l.postal_code), ('country', l.country), ('ge', l.custom_attributes->>'gender'), ('db', l.custom_attributes->>'birth_date'),
      ('external_id', coalesce(l.external_id, l.client_reference, 'lead-' || l.id))) h (field, value)
    where h.value is not null)
  select (select jsonb_object_agg(h.field, jsonb_build_array(h.value)) from hashed h where h.value is not null)
    -- None of these is ever hashed.
    || jsonb_strip_nulls(jsonb_build_object(
      'client_ip_address', host(l.ip), 'client_user_agent', nullif(btrim(l.user_agent), ''),
      'fbp', case when l.fbp ~ '^fb\.[0-9]\.[0-9]+\.[0-9]+' then l.fbp end,
      'fbc', case when l.fbc ~ '^fb\.[0-9]\.[0-9]{13}\..' then l.fbc
        when l.fbclid <> '' then format('fb.1.%s.%s', floor(extract(epoch from l.created_at) * 1000), l.fbclid) end,
      -- Exports of Meta's lead ads write l:123.
      'lead_id', case when l.meta_lead_id ~ '^(l:)?[0-9]{1,18}$' then to_jsonb(substring(l.meta_lead_id from '[0-9]+')::bigint) end)));
end
$$;
comment on function crm.meta_user_data(crm.leads) is
  'user_data of a lead: hashed what Meta wants hashed, in clear what it must not be (IP, user agent, fbc, fbp, lead_id). Gender and date of birth come from custom_attributes gender and birth_date';

create or replace function crm.meta_is_known(user_data jsonb) returns boolean
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return user_data ?| '{em,ph,lead_id,fbc,fbp}' or user_data ?& '{client_ip_address,client_user_agent}';
end
$$;
comment on function crm.meta_is_known(jsonb) is 'whether user_data has something by which Meta can find a person; a city and a first name are no such thing';

create or replace function crm.meta_event(l crm.leads, stage text, at timestamptz, source_name text) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return (select jsonb_strip_nulls(jsonb_build_object(
    'event_name', s.meta_event,
    'event_time', floor(extract(epoch from at))::bigint,
    -- One lead reaches one stage once a day: who moves it back and forth tells Meta nothing new.
    'event_id', encode(sha256(convert_to(concat_ws('_', a.id, l.id, s.name, to_char(at at time zone a.timezone, 'YYYY-MM-DD')), 'UTF8')), 'hex'),
    'action_source', 'system_generated',
    'event_source_url', case when l.page_url ~ '^https?://[^[:space:]]+$' then l.page_url end,
    'user_data', crm.meta_user_data(l),
    'custom_data', jsonb_build_object('event_source', 'crm', 'lead_event_source', source_name, 'value', s.meta_value, 'currency', a.currency,
      'content_name', coalesce(l.service, l.form))))
  from crm.accounts a join crm.lead_stages s on s.account_id = a.id
  where a.id = l.account_id and s.name = meta_event.stage and s.meta_event is not null);
end
$$;
comment on function crm.meta_event(crm.leads, text, timestamptz, text) is
  'the event that tells Meta of a lead''s arrival in a stage, as it is sent; null: the stage has none. As in select crm.meta_event(l, l.stage, now(), ''test'') from crm.leads l';

create or replace function crm.tell_meta() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  w record;
  event jsonb;
  consent boolean;
  fate text;
  row_id bigint;
begin
  if tg_relid <> 'crm.leads'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.tell_meta() is the trigger of crm.leads';
  end if;
  consent := coalesce(new.consent, (select c.consent from crm.contacts c where c.id = new.contact_id));
  for w in
    select m.pixel_id, m.source_name, m.min_score, m.require_consent, t.stage, least(t.at, frontdesk.now()) as at
    from crm.meta_endpoints m cross join lateral (
      select new.stage, case tg_op when 'INSERT' then new.created_at else frontdesk.now() end as at
      where tg_op = 'INSERT' or new.stage <> old.stage
      union all
      select e.stage, e.event_time from crm.meta_events e
      where tg_op = 'UPDATE' and new.consent and old.consent is distinct from true
        and e.account_id = new.account_id and e.lead_id = new.id and e.pixel_id = m.pixel_id and e.outcome = 'no_consent') t
    where m.account_id = new.account_id
  loop
    event := crm.meta_event(new, w.stage, w.at, w.source_name);
    continue when event is null;
    fate := case
      when consent is false or w.require_consent and consent is not true then 'no_consent'
      when new.score < w.min_score then 'low_score'
      when w.at < frontdesk.now() - interval '7 days' then 'too_old'
      when not crm.meta_is_known(event->'user_data') then 'no_identifier'
      else 'queued' end;
    insert into crm.meta_events as e (account_id, pixel_id, event_name, event_id, lead_id, stage, event_time, outcome)
    values (new.account_id, w.pixel_id, event->>'event_name', event->>'event_id', new.id, w.stage, w.at, fate)
    on conflict (account_id, pixel_id, event_name, event_id) do update
    set outcome = excluded.outcome, event_time = excluded.event_time where e.outcome <> 'queued'
    returning e.id into row_id;
    if row_id is not null and fate = 'queued' then
      update crm.meta_events e set frontdesk_event = frontdesk.emit(
        format('meta.%s.%s', w.pixel_id, coalesce(nullif(btrim(left(regexp_replace(lower(e.event_name), '[^a-z0-9]+', '_', 'g'), 50), '_'), ''), 'event')),
        event, key => new.id::text, tenant => new.account_id)
      where e.id = row_id;
    end if;
    row_id := null;
  end loop;
  return null;
end
$$;
comment on function crm.tell_meta() is
  'trigger, made by the first add_meta_endpoint(): a lead that arrives in a stage with a Meta event becomes that event, once. Runs as its owner: members neither write meta_events nor emit events';

create or replace function crm.add_meta_endpoint(
  pixel_id text, access_token text, account uuid = null, test_event_code text = null, api_version text = 'v26.0',
  min_score numeric = 0, require_consent boolean = null, source_name text = 'pg_frontdesk', name text = null,
  url text = 'https://graph.facebook.com') returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  account := crm.use_account(account);
  pixel_id := btrim(pixel_id);
  if coalesce(pixel_id, '') !~ '^[0-9]{1,20}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no pixel id', pixel_id),
      hint = 'The number of the pixel or dataset, as Meta''s Events Manager shows it.';
  end if;
  if coalesce(btrim(access_token), '') !~ '^[!-~]+$' or length(access_token) not between 8 and 4000 then
    -- The token is not repeated: errors are written into the log.
    raise exception using errcode = 'invalid_parameter_value', message = 'this is no access token',
      hint = 'Events Manager, Settings, Conversions API, Generate access token; without spaces and line breaks.';
  end if;
  if coalesce(api_version, '') !~ '^v[0-9]{1,3}\.[0-9]{1,2}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no version of the Graph API', api_version),
      hint = 'As v26.0.';
  end if;
  if test_event_code !~ '^[A-Za-z0-9_-]{1,50}$' then
    raise exception using errcode = 'invalid_parameter_value', message = format('"%s" is no test event code', test_event_code),
      hint = 'As TEST12345, from the tab Test events.';
  end if;
  if exists (select from crm.meta_endpoints m where m.account_id = account and m.pixel_id = add_meta_endpoint.pixel_id) then
    raise exception using errcode = 'duplicate_object', message = format('pixel %s is told of this account''s leads already', pixel_id),
      hint = format('Remove it first: select crm.remove_meta_endpoint(%L);', pixel_id);
  end if;
  name := coalesce(name, 'meta-' || pixel_id);
  insert into crm.meta_endpoints (account_id, pixel_id, endpoint, source_name, min_score, require_consent)
  values (account, pixel_id, name, source_name, coalesce(min_score, 0),
    coalesce(require_consent, (select lower(a.settings->>'require_consent') = 'true' from crm.accounts a where a.id = account), false));
  perform frontdesk.add_endpoint(name, format('%s/%s/%s/events', rtrim(url, '/'), api_version, pixel_id),
    events => array[format('meta.%s.*', pixel_id)], tenant => account, signature => 'none',
    headers => jsonb_build_object('Authorization', 'Bearer ' || btrim(access_token)),
    payload => case when test_event_code is null then '{"data": [{{ data }}]}'
      else format('{"data": [{{ data }}], "test_event_code": "%s"}', test_event_code) end,
    -- Seven days is what Meta accepts: an older event would fail its request. An error 4xx is about the event, and final,
    -- unless it is about the token (190, 102), the permissions (10, 200), limits (4, 17, 32, 341, 613, 80004) or passes (1, 2).
    retry => '{"delays": ["5s", "1m", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h", "24h", "24h"],
      "final": {"status": {"$gte": 400, "$lt": 500}, "body.error.code": {"$nin": [1, 2, 4, 10, 17, 32, 102, 190, 200, 341, 613, 80004]},
        "body.error.is_transient": {"$ne": true}},
      "expires": "6d23h", "expires_from": "event_time"}');
  if not exists (select from pg_trigger t where t.tgrelid = 'crm.leads'::regclass and t.tgname = 'tell_meta') then
    -- Only now: without a pixel a lead costs nothing for it.
    create trigger tell_meta after insert or update of stage, consent on crm.leads for each row execute function crm.tell_meta();
  end if;
  return name;
end
$$;
comment on function crm.add_meta_endpoint(text, text, uuid, text, text, numeric, boolean, text, text, text) is
  'tell Meta''s Conversions API of this account''s leads: each arrival in a stage with a meta_event, hashed as Meta wants it. The token becomes a secret of the endpoint. '
  'test_event_code: events show up under Test events only. min_score: of leads to be told of. require_consent: default the account''s setting require_consent, else false. Returns the endpoint''s name; needs the rights of frontdesk.add_endpoint() and the ownership of crm.leads';

create or replace function crm.remove_meta_endpoint(pixel_id text, account uuid = null) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  gone text;
begin
  account := crm.use_account(account);
  delete from crm.meta_endpoints m where m.account_id = account and m.pixel_id = remove_meta_endpoint.pixel_id returning m.endpoint into gone;
  if gone is null then
    return false;
  end if;
  if exists (select from frontdesk.endpoints e where e.name = gone) then
    perform frontdesk.remove_endpoint(gone);
  end if;
  if not exists (select from crm.meta_endpoints) then
    drop trigger if exists tell_meta on crm.leads;
  end if;
  return true;
end
$$;
comment on function crm.remove_meta_endpoint(text, uuid) is 'tell this pixel of leads no more; false: it was not told. crm.meta_events stays';
