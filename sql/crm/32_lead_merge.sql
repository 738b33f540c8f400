-- Room 30, leads: the same person again is the same lead, touched once more.

create table if not exists crm.lead_touches (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  lead_id bigint not null,
  merged boolean not null,
  touched_at timestamptz not null default frontdesk.now(),
  touched_by text not null default crm.current_actor(),
  matched_by text,
  also_matched bigint[] not null default '{}',
  filled text[] not null default '{}',
  details jsonb not null,
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_touches is 'every time somebody came in through upsert_lead(), and all that came with him';
comment on column crm.lead_touches.merged is 'false: it made the lead';
comment on column crm.lead_touches.matched_by is 'what the lead was recognised by';
comment on column crm.lead_touches.also_matched is 'other leads that share an identity with this one';
comment on column crm.lead_touches.filled is 'columns of the lead that were empty until then';
comment on column crm.lead_touches.details is 'what was given to upsert_lead()';
create index if not exists lead_touches_lead_idx on crm.lead_touches (lead_id, id);
select crm.protect('crm.lead_touches');

-- Also what settles a race: two sessions that bring the same person meet at its key.
create table if not exists crm.lead_identities (
  account_id uuid not null,
  channel text not null,
  value text not null,
  lead_id bigint not null,
  primary key (account_id, channel, value),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade deferrable initially deferred);
comment on table crm.lead_identities is
  'what upsert_lead() recognises a lead by, beside its e-mail address and telephone number: handles, ids of other systems, and what its columns have no room for, a second number';
create index if not exists lead_identities_lead_idx on crm.lead_identities (lead_id);
select crm.protect('crm.lead_identities');

create or replace function crm.lead_keys(lead crm.leads, out channels text[], out spellings text[])
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- One order for everybody, so that two sessions never wait for each other crosswise; the same number by telephone and by WhatsApp is one person.
  select array_agg(k.channel order by k.channel, k.value), array_agg(k.value order by k.channel, k.value)
  from (
    select distinct v.channel, v.value from (values
      ('meta_lead_id', lead.meta_lead_id), ('external_id', lead.external_id), ('client_reference', lead.client_reference),
      ('email', lead.email), ('phone', lead.phone), ('phone', lead.whatsapp), ('messenger', lead.messenger),
      ('instagram', lead.instagram), ('telegram', lead.telegram), ('chatwoot', lead.chatwoot_contact_id::text)) v (channel, value)
    where v.value is not null) k
$$;
comment on function crm.lead_keys(crm.leads) is 'internal: what a lead is recognised by';

create or replace function crm.know_lead(lead crm.leads) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.lead_identities (account_id, channel, value, lead_id)
  select lead.account_id, k.channel, k.value, lead.id
  from crm.lead_keys(lead) l, unnest(l.channels, l.spellings) k (channel, value) where k.channel <> 'email'
  on conflict do nothing
$$;
comment on function crm.know_lead(crm.leads) is
  'internal: a lead that was inserted as a row is recognised later; these columns are seldom filled, so an index for each would cost every lead';

create or replace function crm.know_lead() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.know_lead(new);
  return null;
end
$$;
comment on function crm.know_lead() is 'trigger: a lead is recognised by what it has now; as it came in, crm.record_stage() saw to it';

create or replace trigger know_lead after update of whatsapp, instagram, messenger, telegram, meta_lead_id, external_id, client_reference, chatwoot_contact_id
  on crm.leads for each row execute function crm.know_lead();

create or replace function crm.same_leads(account uuid, channels text[], spellings text[])
returns table (lead_id bigint, channel text)
stable language sql set search_path = pg_catalog, pg_temp as $$
  with k as (select t.* from unnest(channels, same_leads.spellings) t (channel, value))
  select s.id, (array_agg(s.channel order by s.rank))[1]
  from (
    select i.lead_id as id, k.channel, array_position('{meta_lead_id,external_id,client_reference,email,phone,messenger,instagram,telegram,chatwoot}', k.channel) as rank
    from k join crm.lead_identities i on i.account_id = account and i.channel = k.channel and i.value = k.value
    -- Leads that were inserted as rows have no entry of these there.
    union all select l.id, k.channel, 4 from k join crm.leads l on l.account_id = account and l.email = k.value where k.channel = 'email'
    union all select l.id, k.channel, 5 from k join crm.leads l on l.account_id = account and l.phone = k.value where k.channel = 'phone') s
  group by s.id
  order by min(s.rank), s.id desc
$$;
comment on function crm.same_leads(uuid, text[], text[]) is 'internal: the leads that share an identity, best first: an id of another system, then e-mail, telephone, handles; the newest first';

create or replace function crm.known_timezone(timezone text) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(timezone);
  return timezone;
exception when invalid_parameter_value then
  return null;
end
$$;
comment on function crm.known_timezone(text) is 'internal: the time zone, or null when there is none of this name';

create or replace function crm.read_lead(account uuid, lead jsonb, strict boolean, out fields jsonb, out rest jsonb)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What is computed, and what says whose row it is, is not taken from outside.
  own constant text[] := '{id,account_id,stage_changed_at,converted_at,score,score_tier,score_breakdown,custom_attributes,touches,last_touched_at,created_at,updated_at}';
  f record;
  read text;
  problem text;
  hint text;
begin
  fields := '{}';
  rest := '{}';
  for f in
    select j.key, j.value, a.atttypid::regtype as type, j.value #>> '{}' as text
    from jsonb_each(lead) j
    left join pg_attribute a on a.attrelid = 'crm.leads'::regclass and a.attname = j.key and a.attnum > 0 and not a.attisdropped and a.attname <> all (own)
    where j.key not in ('account_id', 'custom_attributes') and j.value <> 'null'
  loop
    if f.type is null or jsonb_typeof(f.value) in ('object', 'array') then
      rest := rest || jsonb_build_object(f.key, f.value);
      continue;
    elsif btrim(f.text) = '' or lower(btrim(f.text)) in ('null', 'undefined')
        and f.key not in ('name', 'first_name', 'last_name', 'company', 'message', 'notes') then
      -- Forms and workflows write nothing so; a person may be called Null.
      continue;
    end if;
    read := case
      when f.key = 'timezone' then crm.known_timezone(f.text)
      when f.key = 'email' then frontdesk.normalize_email(f.text, false)
      when f.key in ('phone', 'whatsapp') then crm.phone_number(f.text, account, lead->>'country', false)
      when f.key in ('messenger', 'instagram', 'telegram') then frontdesk.normalize_handle(f.text, false)
      when f.key in ('meta_lead_id', 'external_id', 'client_reference') then frontdesk.clean_line(f.text, f.key, 200)
      when f.type = 'text'::regtype or pg_input_is_valid(f.text, f.type::text) then f.text
    end;
    if read is not null then
      fields := fields || jsonb_build_object(f.key, read);
    elsif not strict then
      rest := rest || jsonb_build_object(f.key, f.value);
    else
      begin
        problem := format('"%s" is not %s', left(f.text, 80), case f.type
          when 'numeric'::regtype then 'a number' when 'bigint'::regtype then 'a whole number' when 'boolean'::regtype then 'true or false'
          when 'inet'::regtype then 'an IP address' when 'timestamptz'::regtype then 'a moment' else 'of type ' || f.type end);
        hint := 'Leave the key out where it is not known.';
        case
          when f.key = 'email' then perform frontdesk.normalize_email(f.text);
          when f.key in ('phone', 'whatsapp') then perform crm.phone_number(f.text, account, lead->>'country');
          when f.key in ('messenger', 'instagram', 'telegram') then perform frontdesk.normalize_handle(f.text);
          when f.key = 'timezone' then perform frontdesk.check_timezone(f.text);
          else null;
        end case;
      exception when invalid_parameter_value then
        get stacked diagnostics problem = message_text, hint = pg_exception_hint;
      end;
      raise exception using errcode = 'invalid_parameter_value', message = format('lead.%s: %s', f.key, problem), hint = hint;
    end if;
  end loop;
end
$$;
comment on function crm.read_lead(uuid, jsonb, boolean) is
  'internal: the keys that are columns of crm.leads, and the rest; what cannot be read is an error, or one of the rest where strict is false';

create or replace function crm.add_lead(lead crm.leads) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  added crm.leads;
  given text[] := array(select quote_ident(k) from jsonb_object_keys(jsonb_strip_nulls(to_jsonb(lead))) k);
begin
  -- Columns that are not named get their defaults.
  execute format('insert into crm.leads (%s) overriding system value values (%s) returning *',
    array_to_string(given, ', '), '($1).' || array_to_string(given, ', ($1).')) into added using lead;
  return added;
end
$$;
comment on function crm.add_lead(crm.leads) is 'internal: insert a lead with the columns that are not null';

create or replace function crm.fill_gaps(known crm.leads, incoming crm.leads) returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  old jsonb := to_jsonb(known);
  filled text[] := array(
    select n.key from jsonb_each(jsonb_strip_nulls(to_jsonb(incoming))) n
    where old->n.key = 'null' order by n.key);
begin
  if incoming.custom_attributes <> '{}' and not known.custom_attributes @> incoming.custom_attributes then
    update crm.leads l set custom_attributes = incoming.custom_attributes || l.custom_attributes
    where l.id = known.id and l.custom_attributes <> incoming.custom_attributes || l.custom_attributes;
  end if;
  if filled <> '{}' then
    execute (select format('update crm.leads l set %s where l.id = ($1).id', string_agg(format('%1$I = ($2).%1$I', c), ', '))
             from unnest(filled) c) using known, incoming;
  end if;
  return filled;
end
$$;
comment on function crm.fill_gaps(crm.leads, crm.leads) is 'internal: what is null in a lead is taken from another; returns which columns';

create or replace function crm.upsert_lead(lead jsonb, strict boolean = true) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  account uuid;
  given record;
  incoming crm.leads;
  known crm.leads;
  keys record;
  same record;
  claimed bigint;
  filled text[];
begin
  account := crm.upsert_account(lead);
  given := crm.read_lead(account, lead, strict);
  incoming := jsonb_populate_record(null::crm.leads, given.fields || jsonb_build_object('account_id', account,
    'custom_attributes', coalesce(nullif(lead->'custom_attributes', 'null'), '{}') || given.rest));
  keys := crm.lead_keys(incoming);

  -- Every statement of this loop sees what others have committed meanwhile.
  for attempt in 1..20 loop
    select (array_agg(s.lead_id))[1] as id, (array_agg(s.channel))[1] as channel, (array_agg(s.lead_id))[2:] as others into same
    from crm.same_leads(account, keys.channels, keys.spellings) s;
    if same.id is null then
      incoming.id := nextval(pg_get_serial_sequence('crm.leads', 'id'));
    else
      select * into known from crm.leads l where l.id = same.id for update;
      continue when known.id is null;
    end if;
    begin
      insert into crm.lead_identities (account_id, channel, value, lead_id)
      select account, k.channel, k.value, coalesce(known.id, incoming.id) from unnest(keys.channels, keys.spellings) k (channel, value)
      on conflict do nothing;
      get diagnostics claimed = row_count;
      if known.id is null and claimed < coalesce(cardinality(keys.channels), 0) then
        -- Somebody else brought this person a moment ago. What was claimed is given back first: he may be waiting for it while he has the lead.
        raise sqlstate 'FD001';
      end if;
    exception when sqlstate 'FD001' then
      continue;
    end;
    exit when known.id is not null;
    known := crm.add_lead(incoming);
    insert into crm.lead_touches (account_id, lead_id, merged, details) values (account, known.id, false, lead);
    return known;
  end loop;
  if known.id is null then
    raise exception using errcode = 'serialization_failure', message = 'others are changing this lead all the time', hint = 'Try again.';
  end if;

  filled := crm.fill_gaps(known, incoming);
  update crm.leads l set touches = l.touches + 1, last_touched_at = frontdesk.now() where l.id = known.id returning * into known;
  insert into crm.lead_touches (account_id, lead_id, merged, matched_by, also_matched, filled, details)
  values (account, known.id, true, same.channel, coalesce(same.others, '{}'), filled, lead);
  return known;
end
$$;
comment on function crm.upsert_lead(jsonb, boolean) is
  'somebody came in: a new lead, or one more touch of the lead with the same e-mail, telephone number, handle or id of another system. A touch fills what was empty, overwrites nothing, '
  'is kept in crm.lead_touches and sends lead.touched. Keys are the columns of crm.leads; others go into custom_attributes. '
  'What cannot be read is an error that names the key; where strict is false it goes into custom_attributes as it came, so that a form loses nothing';

create or replace function crm.upsert_account(lead jsonb) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  account uuid;
begin
  if jsonb_typeof(lead) is distinct from 'object' then
    raise exception using errcode = 'invalid_parameter_value', message = 'a lead is a JSON object',
      hint = 'As in {"name": "Ana", "email": "ana@example.com", "phone": "+525512345678", "service": "..."}.';
  end if;
  if jsonb_typeof(lead->'custom_attributes') not in ('object', 'null') then
    raise exception using errcode = 'invalid_parameter_value', message = 'lead.custom_attributes is not a JSON object';
  end if;
  if not pg_input_is_valid(lead->>'account_id', 'uuid') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('lead.account_id: "%s" is not the id of an account', left(lead->>'account_id', 80));
  end if;
  account := crm.use_account((lead->>'account_id')::uuid);
  if crm.current_user_id() is not null and account not in (select crm.my_accounts(true)) then
    raise exception using errcode = 'insufficient_privilege', message = 'you may read this account, not change it';
  end if;
  return account;
end
$$;
comment on function crm.upsert_account(jsonb) is 'internal: the account a lead is for, if the current user may write there';

create or replace function crm.touched() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.lead_touches'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.touched() is the trigger of crm.lead_touches';
  end if;
  perform frontdesk.emit('lead.touched',
    (select to_jsonb(l) - 'score_breakdown' from crm.leads l where l.id = new.lead_id) || jsonb_build_object('touch', to_jsonb(new)),
    new.lead_id::text, new.account_id);
  return null;
end
$$;
comment on function crm.touched() is 'trigger: lead.touched, whose data is the lead and, in "touch", what came in; members may not emit events themselves';
create or replace trigger touched after insert on crm.lead_touches for each row when (new.merged) execute function crm.touched();

create or replace function crm.same_contact(lead crm.leads) returns bigint
stable language sql set search_path = pg_catalog, pg_temp as $$
  select c.id from crm.contacts c
  where c.account_id = lead.account_id and (
    c.email = lead.email or c.phone in (lead.phone, lead.whatsapp) or c.whatsapp in (lead.phone, lead.whatsapp)
    or c.messenger = lead.messenger or c.instagram = lead.instagram or c.telegram = lead.telegram)
  order by c.email = lead.email desc nulls last, c.phone in (lead.phone, lead.whatsapp) desc nulls last, c.id
  limit 1
$$;
comment on function crm.same_contact(crm.leads) is 'internal: the contact who shares a way to reach him with this lead; by e-mail first';

create or replace function crm.contact_of_lead(lead_id bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  l crm.leads := crm.find_lead(lead_id, true);
  contact bigint := l.contact_id;
begin
  if contact is not null then
    return contact;
  end if;
  for attempt in 1..20 loop
    contact := crm.same_contact(l);
    exit when contact is not null;
    insert into crm.contacts (account_id, name, first_name, last_name, email, phone, whatsapp, messenger, instagram, telegram, company,
      country, region, city, postal_code, language, timezone, consent, consent_at, consent_source, chatwoot_contact_id)
    values (l.account_id, l.name, l.first_name, l.last_name, l.email, l.phone, l.whatsapp, l.messenger, l.instagram, l.telegram, l.company,
      l.country, l.region, l.city, l.postal_code, l.language, l.timezone, l.consent, l.consent_at, l.consent_source, l.chatwoot_contact_id)
    -- Another session may make the same contact at this moment: then it is found.
    on conflict do nothing returning id into contact;
    exit when contact is not null;
  end loop;
  if contact is null then
    raise exception using errcode = 'serialization_failure', message = 'others are changing this contact all the time', hint = 'Try again.';
  end if;
  update crm.leads x set contact_id = contact where x.id = l.id;
  return contact;
end
$$;
comment on function crm.contact_of_lead(bigint) is 'the contact a lead belongs to: the one it has, else one with the same e-mail, telephone number or handle, else a new one';
