-- Room 158, the tools that come with the front desk: slots, appointments, leads, knowledge.

create or replace function crm_internal.tool_moment(what text, moment text, timezone text, whole_day boolean = false) returns timestamptz
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if moment is null then
    return null;
  elsif moment ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and not whole_day then
    perform crm.refuse('invalid_arguments', format('%s has no time of day: %s', what, moment));
  elsif moment ~* '(z|[+-][0-9]{2}:?[0-9]{2})$' and moment !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
    if pg_input_is_valid(moment, 'timestamptz') then
      return moment::timestamptz;
    end if;
  elsif pg_input_is_valid(moment, 'timestamp') then
    -- What models write without an offset is meant on the client's clock.
    return moment::timestamp at time zone timezone;
  end if;
  perform crm.refuse('invalid_arguments', format('%s is not a valid point in time: %s', what, moment));
end
$$;
comment on function crm_internal.tool_moment(text, text, text, boolean) is
  'internal: a moment as a model writes it; without an offset it is in that time zone';

create or replace function crm_internal.tool_timezone(context crm.tool_context, arguments jsonb) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_timezone(arguments->>'timezone') where arguments ? 'timezone';
  return coalesce(arguments->>'timezone', context.client->>'timezone', context.timezone);
end
$$;
comment on function crm_internal.tool_timezone(crm.tool_context, jsonb) is
  'internal: the clock that a call is about: of its arguments, the client, the account';

create or replace function crm_internal.tool_service(context crm.tool_context, arguments jsonb) returns bigint
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  ids bigint[] := array(
    select s.id from crm.services s where s.account_id = context.account_id and s.active
      and (not arguments ? 'service' or s.name = arguments->>'service'));
begin
  if cardinality(ids) <> 1 then
    perform crm.refuse('invalid_arguments', case when cardinality(ids) = 0 then 'There is no such service.' else 'No service given.' end,
      (select jsonb_agg(s.name order by s.name) from (select v.name from crm.services v where v.account_id = context.account_id and v.active order by v.name limit 100) s));
  end if;
  return ids[1];
end
$$;
comment on function crm_internal.tool_service(crm.tool_context, jsonb) is
  'internal: the service by its name; the only one when none is named';

create or replace function crm_internal.tool_resource(context crm.tool_context, arguments jsonb) returns bigint
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  id bigint := (select r.id from crm.resources r where r.account_id = context.account_id and r.active and r.name = arguments->>'resource');
begin
  if id is null and arguments ? 'resource' then
    perform crm.refuse('invalid_arguments', 'There is no such resource.',
      (select jsonb_agg(s.name order by s.name) from (select v.name from crm.resources v where v.account_id = context.account_id and v.active order by v.name limit 100) s));
  end if;
  return id;
end
$$;
comment on function crm_internal.tool_resource(crm.tool_context, jsonb) is
  'internal: the resource by its name; null when none is named';

create or replace function crm_internal.tool_contacts(context crm.tool_context, arguments jsonb) returns bigint[]
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What the channel says counts; what the model says only where the channel says nothing.
  who jsonb := coalesce(context.client, arguments);
  email_address text := frontdesk.normalize_email(who->>'email', false);
  -- One phone may be stored in each of its spellings; 1111111111 is nobody's.
  numbers text[] := array(
    select s from (values (who->>'phone', false), (who->>'whatsapp', true)) n (number, is_whatsapp)
    cross join unnest(frontdesk.phone_spellings(crm.phone_number(n.number, context.account_id, null, false, n.is_whatsapp))) s where n.number is not null);
begin
  return array(
    select c.id from crm.contacts c
    where c.account_id = context.account_id and (
      c.email = email_address or c.phone = any (numbers) or c.whatsapp = any (numbers)
      or c.messenger = context.client->>'messenger' or c.instagram = context.client->>'instagram' or c.telegram = context.client->>'telegram'
      or c.id::text = context.client->>'contact_id'
      or c.id = (select l.contact_id from crm.leads l where l.account_id = context.account_id and l.id::text = context.client->>'lead_id'))
    order by c.id);
end
$$;
comment on function crm_internal.tool_contacts(crm.tool_context, jsonb) is
  'internal: the contacts that the client of this call is: as the application says, else by the e-mail address or '
  'phone number that the model gives';

create or replace function crm_internal.tool_appointment(context crm.tool_context, arguments jsonb) returns crm.appointments
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  contacts bigint[] := crm_internal.tool_contacts(context, arguments);
  found_ones crm.appointments[];
begin
  if context.client is null and not arguments ?| '{email,phone}' then
    perform crm.refuse('invalid_arguments', 'The e-mail address or phone number that the appointment was booked with is missing.');
  elsif context.client is null and not arguments ? 'appointment_id' then
    -- Who is only named, not known, is told of no appointments.
    perform crm.refuse('invalid_arguments', 'appointment_id is missing.');
  end if;
  found_ones := array(
    select a from crm.appointments a
    where a.account_id = context.account_id and a.contact_id = any (contacts)
      and case when arguments ? 'appointment_id' then a.id::text = arguments->>'appointment_id'
        else (a.live or a.status = 'postponed') and a.ends_at > frontdesk.now() end
    order by a.starts_at limit 20);
  if cardinality(found_ones) = 0 then
    perform crm.refuse('not_found', 'This client has no such appointment.');
  elsif cardinality(found_ones) > 1 then
    perform crm.refuse('which_appointment', format('This client has %s appointments.', cardinality(found_ones)),
      (select jsonb_agg(jsonb_build_object('appointment_id', a.id, 'starts_at', crm.local_time(a.starts_at, a.timezone),
        'service', (select s.name from crm.services s where s.id = a.service_id)) order by a.starts_at) from unnest(found_ones) a));
  end if;
  return found_ones[1];
end
$$;
comment on function crm_internal.tool_appointment(crm.tool_context, jsonb) is
  'internal: the appointment that a call is about, if it is that client''s. Of others nothing is said, not even that '
  'they are there';

create or replace function crm_internal.tool_result(a crm.appointments) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object('appointment_id', a.id, 'status', p->'status', 'service', p->'service', 'resource', p->'resource',
    'starts_at', p->'local_starts_at', 'ends_at', p->'local_ends_at', 'timezone', p->'timezone', 'text', p->'starts_at_text',
    'meeting_link', p->'meeting_link', 'location', p->'location'))
  from crm.appointment_payload(a) p
$$;
comment on function crm_internal.tool_result(crm.appointments) is
  'internal: what a model is told of an appointment: nothing about the client that it does not know';

create or replace function crm.tool_find_slots(context crm.tool_context, arguments jsonb) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  zone text := crm_internal.tool_timezone(context, arguments);
  service bigint := crm_internal.tool_service(context, arguments);
  first timestamptz := greatest(crm_internal.tool_moment('from', arguments->>'from', zone, true), frontdesk.now());
  last timestamptz := coalesce(
    -- A day as the end is the whole of it.
    crm_internal.tool_moment('to', arguments->>'to', zone, true) + case when arguments->>'to' ~ '^[0-9-]{10}$' then interval '1 day' else '0' end,
    first + interval '7 days');
  how_many int := coalesce((arguments->>'limit')::int, 10);
  slots jsonb;
begin
  if last - first > interval '62 days' then
    perform crm.refuse('invalid_arguments', 'From and to are more than 62 days apart.');
  end if;
  select jsonb_agg(jsonb_build_object('starts_at', crm.local_time(s.starts_at, zone), 'ends_at', crm.local_time(s.ends_at, zone),
    'text', s.local_text, 'resources', s.resources) order by s.starts_at)
  into slots
  from (
    select lower(f.slot) as starts_at, upper(f.slot) as ends_at, min(f.local_text) as local_text, jsonb_agg(f.resource_name order by f.resource_name) as resources
    from crm.available_slots(service, first, last, zone, crm_internal.tool_resource(context, arguments),
      make_interval(mins => coalesce((arguments->>'step_minutes')::int, 30)), make_interval(mins => (arguments->>'duration_minutes')::int), context.locale) f
    group by f.slot order by f.slot limit how_many + 1) s;
  return jsonb_build_object('timezone', zone, 'slots', coalesce((select jsonb_agg(s order by n) from jsonb_array_elements(slots) with ordinality e (s, n) where n <= how_many), '[]'),
    'more', coalesce(jsonb_array_length(slots), 0) > how_many);
end
$$;
comment on function crm.tool_find_slots(crm.tool_context, jsonb) is
  'tool: free times, on the client''s clock and in words';

create or replace function crm_internal.tool_lead(context crm.tool_context, arguments jsonb) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  known crm.leads;
  given jsonb;
begin
  if context.client ? 'lead_id' then
    select l.* into known from crm.leads l where l.account_id = context.account_id and l.id::text = context.client->>'lead_id';
    if known.id is null then
      raise exception using errcode = 'no_data_found',
        message = format('there is no lead %s', left(context.client->>'lead_id', 40));
    end if;
  end if;
  -- Of identities the channel's count: the model cannot give the client those of somebody else.
  given := case when context.client is null then arguments
    else arguments - '{email,phone,whatsapp,messenger,instagram,telegram}'::text[]
      || coalesce((select jsonb_object_agg(c.key, c.value) from jsonb_each(context.client) c
          where c.key in ('email', 'phone', 'whatsapp', 'messenger', 'instagram', 'telegram', 'external_id', 'language', 'timezone')), '{}') end;
  given := given || jsonb_build_object('account_id', context.account_id, 'source', 'agent', 'source_detail', (select a.name from crm.agents a where a.id = context.agent_id))
    || case when known.id is null then '{}' else jsonb_strip_nulls(jsonb_build_object('email', known.email, 'phone', known.phone, 'whatsapp', known.whatsapp,
      'messenger', known.messenger, 'instagram', known.instagram, 'telegram', known.telegram)) end;
  if not given ?| '{email,phone,whatsapp,messenger,instagram,telegram}' then
    perform crm.refuse('invalid_arguments', 'An e-mail address or a phone number of the client is missing.');
  end if;
  return crm.upsert_lead(given);
end
$$;
comment on function crm_internal.tool_lead(crm.tool_context, jsonb) is 'internal: the lead of a call''s client, made or touched';

create or replace function crm.tool_upsert_lead(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm_internal.tool_lead(context, arguments);
begin
  return jsonb_build_object('lead_id', lead.id, 'new', lead.touches <= 1);
end
$$;
comment on function crm.tool_upsert_lead(crm.tool_context, jsonb) is
  'tool: record who the client is and what they want. Nothing known about them is returned';

create or replace function crm.tool_book_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  zone text := crm_internal.tool_timezone(context, arguments);
  service bigint := crm_internal.tool_service(context, arguments);
  resource bigint := crm_internal.tool_resource(context, arguments);
  starts_at timestamptz := crm_internal.tool_moment('starts_at', arguments->>'starts_at', zone);
  contact bigint;
  lead crm.leads;
  booked crm.appointments;
begin
  if context.client ? 'contact_id' then
    select c.id into contact from crm.contacts c where c.account_id = context.account_id and c.id::text = context.client->>'contact_id';
    if contact is null then
      raise exception using errcode = 'no_data_found',
        message = format('there is no contact %s', left(context.client->>'contact_id', 40));
    end if;
  else
    lead := crm_internal.tool_lead(context, arguments - '{starts_at,timezone,duration_minutes,resource,notes}'::text[]);
  end if;
  booked := crm.book_appointment(contact => contact, lead => lead.id, service => service, starts_at => starts_at,
    duration => make_interval(mins => (arguments->>'duration_minutes')::int), resource => resource, timezone => zone, notes => arguments->>'notes');
  return crm_internal.tool_result(booked);
end
$$;
comment on function crm.tool_book_appointment(crm.tool_context, jsonb) is
  'tool: book; a client who is not a lead yet becomes one';

create or replace function crm.tool_reschedule_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm_internal.tool_appointment(context, arguments);
  zone text := coalesce(arguments->>'timezone', a.timezone);
begin
  perform frontdesk.check_timezone(zone);
  a := crm.reschedule_appointment(a.id, crm_internal.tool_moment('starts_at', arguments->>'starts_at', zone), arguments->>'reason');
  return crm_internal.tool_result(a);
end
$$;
comment on function crm.tool_reschedule_appointment(crm.tool_context, jsonb) is
  'tool: another time for an appointment of the client';

create or replace function crm.tool_cancel_appointment(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm_internal.tool_appointment(context, arguments);
begin
  a := crm.cancel_appointment(a.id, arguments->>'reason');
  return crm_internal.tool_result(a);
end
$$;
comment on function crm.tool_cancel_appointment(crm.tool_context, jsonb) is
  'tool: call off an appointment of the client';

create or replace function crm.has_knowledge(account uuid) returns boolean
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  is_there boolean := false;
begin
  if exists (select from pg_proc p where p.pronamespace = to_regnamespace('crm') and p.proname = 'hybrid_search') and to_regclass('crm.documents') is not null then
    execute 'select exists (select from crm.documents d where d.account_id = $1)' into is_there using account;
  end if;
  return is_there;
end
$$;
comment on function crm.has_knowledge(uuid) is 'whether the account has documents that search_knowledge can search';

create or replace function crm.tool_search_knowledge(context crm.tool_context, arguments jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  passages jsonb;
begin
  execute 'select jsonb_agg(jsonb_build_object(''title'', h.title, ''passage'', h.content) order by h.n)
    from (select x.title, x.content, row_number() over () as n from crm.hybrid_search($1, count => $2, account => $3) x) h'
  into passages using arguments->>'query', coalesce((arguments->>'limit')::int, 5), context.account_id;
  return jsonb_build_object('passages', coalesce(passages, '[]'));
end
$$;
comment on function crm.tool_search_knowledge(crm.tool_context, jsonb) is
  'tool: passages of the account''s documents that answer a question';

insert into crm.tools as t (name, description, parameters, handler, available, shipped, position)
select v.name, v.description, v.parameters::jsonb, 'crm.tool_' || v.name, v.available, true, v.position
from (values
  ('find_slots', 'Find free times for an appointment. Call it before offering times to the client; offer only what it returns.',
   '{"type": "object", "properties": {
      "service": {"type": "string", "enum": ["*"], "description": "What the client wants to book"},
      "from": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$", "description": "Earliest start, ISO 8601 date or date and time; default now"},
      "to": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$", "description": "Latest end, ISO 8601; a date includes that day; default a week after from"},
      "timezone": {"type": "string", "maxLength": 64, "description": "The client''s time zone, as Europe/Madrid; times without an offset are in it"},
      "resource": {"type": "string", "maxLength": 200, "description": "A certain person or room, by name"},
      "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 1440, "description": "Default: as long as the service takes"},
      "step_minutes": {"type": "integer", "minimum": 5, "maximum": 1440, "description": "Distance of the starts; default 30"},
      "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many; default 10"}},
    "additionalProperties": false}', null, 10),
  ('book_appointment', 'Book an appointment at a time that find_slots returned, once the client has agreed to it. Needs the client''s name and e-mail address or phone number.',
   '{"type": "object", "properties": {
      "starts_at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?$", "description": "Start, ISO 8601 with offset, as find_slots returned it"},
      "service": {"type": "string", "enum": ["*"], "description": "What the client books"},
      "name": {"type": "string", "minLength": 1, "maxLength": 300, "description": "The client''s name"},
      "email": {"type": "string", "maxLength": 320, "description": "The client''s e-mail address"},
      "phone": {"type": "string", "maxLength": 40, "description": "The client''s phone number, with country code"},
      "timezone": {"type": "string", "maxLength": 64, "description": "The client''s time zone, as Europe/Madrid"},
      "resource": {"type": "string", "maxLength": 200, "description": "A certain person or room, by name"},
      "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 1440},
      "notes": {"type": "string", "maxLength": 4000, "description": "What the client wants to say about it"}},
    "required": ["starts_at"], "additionalProperties": false}', null, 20),
  ('reschedule_appointment', 'Move an appointment of the client to another time that find_slots returned.',
   '{"type": "object", "properties": {
      "appointment_id": {"type": "integer", "minimum": 1, "description": "Number of the appointment"},
      "starts_at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:?[0-9]{2})?$", "description": "New start, ISO 8601 with offset"},
      "email": {"type": "string", "maxLength": 320, "description": "The e-mail address it was booked with"},
      "phone": {"type": "string", "maxLength": 40, "description": "The phone number it was booked with"},
      "timezone": {"type": "string", "maxLength": 64},
      "reason": {"type": "string", "maxLength": 1000}},
    "required": ["starts_at"], "additionalProperties": false}', null, 30),
  ('cancel_appointment', 'Cancel an appointment of the client, once the client has confirmed that it is to be cancelled.',
   '{"type": "object", "properties": {
      "appointment_id": {"type": "integer", "minimum": 1, "description": "Number of the appointment"},
      "email": {"type": "string", "maxLength": 320, "description": "The e-mail address it was booked with"},
      "phone": {"type": "string", "maxLength": 40, "description": "The phone number it was booked with"},
      "reason": {"type": "string", "maxLength": 1000, "description": "Why, in the client''s words"}},
    "additionalProperties": false}', null, 40),
  ('upsert_lead', 'Record who the client is and what they want, as soon as you know their e-mail address or phone number.',
   '{"type": "object", "properties": {
      "name": {"type": "string", "minLength": 1, "maxLength": 300},
      "email": {"type": "string", "maxLength": 320},
      "phone": {"type": "string", "maxLength": 40, "description": "With country code"},
      "company": {"type": "string", "maxLength": 300},
      "service": {"type": "string", "maxLength": 200, "description": "What they ask for"},
      "message": {"type": "string", "maxLength": 8000, "description": "What they want, in their own words"},
      "budget": {"type": "number", "minimum": 0},
      "country": {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "ISO 3166-1, two letters"},
      "city": {"type": "string", "maxLength": 200},
      "language": {"type": "string", "maxLength": 35, "description": "As en or es-MX"},
      "timezone": {"type": "string", "maxLength": 64},
      "consent": {"type": "boolean", "description": "The client agreed to the use of their data for advertising; only if they were asked"}},
    "additionalProperties": false}', null, 50),
  ('search_knowledge', 'Search the documents of the business. Answer questions about it from the passages only.',
   '{"type": "object", "properties": {
      "query": {"type": "string", "minLength": 2, "maxLength": 1000, "description": "The question"},
      "limit": {"type": "integer", "minimum": 1, "maximum": 20, "description": "How many passages; default 5"}},
    "required": ["query"], "additionalProperties": false}', 'crm.has_knowledge', 60)) v (name, description, parameters, available, position)
on conflict (name) do update
set description = excluded.description, parameters = excluded.parameters, handler = excluded.handler, available = excluded.available, position = excluded.position
where t.shipped;
