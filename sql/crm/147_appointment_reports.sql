-- Room 147, reports of appointments, and their calendar files.

create or replace view crm.upcoming_appointments with (security_invoker = true) as
select a.id, a.account_id, a.status, a.starts_at, a.ends_at, crm.local_time(a.starts_at, a.timezone) as local_starts_at, a.timezone,
  a.starts_at - frontdesk.now() as starts_in, a.contact_id, c.name as contact, c.email, c.phone, a.lead_id, a.service_id, s.name as service,
  a.resource_id, r.name as resource, a.meeting_link, a.location, a.notes
from crm.appointments a
join crm.contacts c on c.id = a.contact_id
join crm.services s on s.id = a.service_id
join crm.resources r on r.id = a.resource_id
where a.live and a.ends_at > frontdesk.now()
order by a.starts_at, a.id;
comment on view crm.upcoming_appointments is 'live appointments that are not over, soonest first';

create or replace view crm.agenda with (security_invoker = true) as
select a.account_id, a.resource_id, r.name as resource, (a.starts_at at time zone z.zone)::date as day,
  a.starts_at at time zone z.zone as starts, a.ends_at at time zone z.zone as ends, z.zone as timezone, a.id, a.status, a.live,
  a.ends_at <= frontdesk.now() as is_past, a.contact_id, c.name as contact, coalesce(c.phone, c.whatsapp) as phone, s.name as service,
  a.meeting_link, a.location, a.notes, a.internal_notes
from crm.appointments a
join crm.accounts b on b.id = a.account_id
join crm.contacts c on c.id = a.contact_id
join crm.services s on s.id = a.service_id
join crm.resources r on r.id = a.resource_id
cross join lateral (select coalesce(r.timezone, b.timezone)) z (zone)
where a.status not in ('cancelled', 'postponed')
order by r.name, a.starts_at;
comment on view crm.agenda is
  'each resource''s appointments, past and to come, on its own clock; cancelled and postponed ones are not in it';

create or replace view crm.active_penalties with (security_invoker = true) as
select p.id, p.account_id, p.contact_id, c.name as contact, c.email, c.phone, p.appointment_id, p.reason, p.starts_at, p.ends_at,
  ceil(extract(epoch from p.ends_at - frontdesk.now()) / 86400)::int as days_left
from crm.penalties p join crm.contacts c on c.id = p.contact_id
where p.lifted_at is null and p.ends_at > frontdesk.now();
comment on view crm.active_penalties is 'who cannot book, and for how many days more; lift_penalty() ends it';

create or replace function crm.appointment_stats("from" timestamptz = null, "to" timestamptz = null, account uuid = null,
  out total bigint, out scheduled bigint, out confirmed bigint, out rescheduled bigint, out postponed bigint, out cancelled bigint,
  out completed bigint, out no_show bigint, out upcoming bigint, out unresolved bigint, out moves bigint,
  out completion_rate numeric, out no_show_rate numeric, out cancellation_rate numeric, out hours_booked numeric)
stable language sql set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where a.status = 'scheduled'), count(*) filter (where a.status = 'confirmed'),
    count(*) filter (where a.status = 'rescheduled'), count(*) filter (where a.status = 'postponed'),
    count(*) filter (where a.status = 'cancelled'), count(*) filter (where a.status = 'completed'), count(*) filter (where a.status = 'no_show'),
    count(*) filter (where a.live and a.ends_at > frontdesk.now()), count(*) filter (where a.live and a.ends_at <= frontdesk.now()),
    coalesce(sum(h.moves), 0)::bigint,
    round(100.0 * count(*) filter (where a.status = 'completed') / nullif(count(*) filter (where a.status in ('completed', 'no_show')), 0), 1),
    round(100.0 * count(*) filter (where a.status = 'no_show') / nullif(count(*) filter (where a.status in ('completed', 'no_show')), 0), 1),
    round(100.0 * count(*) filter (where a.status = 'cancelled') / nullif(count(*), 0), 1),
    round(coalesce(sum(extract(epoch from a.ends_at - a.starts_at)) filter (where a.live or a.status = 'completed'), 0) / 3600, 2)
  from crm.appointments a
  cross join lateral (select count(*) from crm.appointment_status_history h where h.appointment_id = a.id and h.new_status = 'rescheduled') h (moves)
  where a.starts_at >= coalesce(appointment_stats."from", frontdesk.now() - interval '30 days')
    and a.starts_at < coalesce(appointment_stats."to", frontdesk.now() + interval '30 days')
    and crm.visible(a.account_id) and (account is null or a.account_id = crm_internal.this_account(account))
$$;
comment on function crm.appointment_stats(timestamptz, timestamptz, uuid) is
  'counts of the appointments that start between two moments (default: 30 days back to 30 days ahead), by status; '
  'upcoming and unresolved (over, and nobody said whether the client came); rates in percent: of those whose '
  'attendance is known, for cancellations of all. account: default all that you see';

create or replace function crm_internal.ics_text(value text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select replace(replace(replace(
    regexp_replace(regexp_replace(replace(value, E'\\', E'\\\\'), E'\\r\\n?', E'\n', 'g'), E'[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]', '', 'g'),
    ';', E'\\;'), ',', E'\\,'), E'\n', E'\\n')
$$;
comment on function crm_internal.ics_text(text) is 'internal: TEXT of RFC 5545, 3.3.11';

create or replace function crm_internal.ics_fold(line text) returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  octets bytea := convert_to(line, 'UTF8');
  folded text := '';
  at int := 1;
  cut int;
begin
  -- A continuation begins with a space, which counts.
  while length(octets) - at + 1 > 75 - (at > 1)::int loop
    cut := at + 75 - (at > 1)::int;
    -- Not within a character.
    while get_byte(octets, cut - 1) & 192 = 128 loop
      cut := cut - 1;
    end loop;
    folded := folded || convert_from(substring(octets from at for cut - at), 'UTF8') || E'\r\n ';
    at := cut;
  end loop;
  return folded || convert_from(substring(octets from at), 'UTF8');
end
$$;
comment on function crm_internal.ics_fold(text) is 'internal: a content line of RFC 5545, 3.1, folded';

create or replace function crm_internal.ics_person(property text, name text, address text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  -- RFC 5545, 3.3.3 and 3.2: a parameter has neither quotes nor control characters, an address is a URI.
  select property || coalesce(format(';CN="%s"', nullif(btrim(regexp_replace(name, '["[:cntrl:]]', '', 'g')), '')), '') || ':' || address
$$;
comment on function crm_internal.ics_person(text, text, text) is
  'internal: ORGANIZER or ATTENDEE of RFC 5545; null without an address';

create or replace function crm_internal.mail_uri(email text) returns text
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select 'mailto:' || email where email ~ '^[^[:space:][:cntrl:]@"<>]+@[^[:space:][:cntrl:]@"<>]+$'
$$;
comment on function crm_internal.mail_uri(text) is 'internal: an e-mail address as a URI; null when it is not one';

create or replace function crm_internal.ics_time(property text, moment timestamptz, zone text) returns text
stable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case when zone in ('UTC', 'Etc/UTC', 'GMT', 'Etc/GMT', 'Z', 'Zulu', 'Etc/Zulu')
    then property || to_char(moment at time zone 'UTC', ':YYYYMMDD"T"HH24MISS"Z"')
    else format('%s;TZID=%s%s', property, zone, to_char(moment at time zone zone, ':YYYYMMDD"T"HH24MISS')) end
$$;
comment on function crm_internal.ics_time(text, timestamptz, text) is
  'internal: DTSTART or DTEND of RFC 5545, on the clocks of a zone, or in UTC';

create or replace function crm.appointment_ics(id bigint, method text = null) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.appointment(id);
  is_off boolean := a.status in ('cancelled', 'postponed');
  how text := upper(coalesce(method, case when is_off then 'CANCEL' else 'PUBLISH' end));
  written text := 'YYYYMMDD"T"HH24MISS"Z"';
begin
  if how not in ('PUBLISH', 'REQUEST', 'CANCEL') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('method "%s" is unknown', left(method, 100)), hint = 'PUBLISH, REQUEST or CANCEL.';
  end if;
  -- Nobody is asked to come to what is called off (RFC 5546, 3.2.5).
  how := case when how = 'REQUEST' and is_off then 'CANCEL' else how end;
  return (
    select string_agg(crm_internal.ics_fold(l.line) || E'\r\n', '' order by l.n)
    from crm.services s, crm.contacts c, crm.accounts b, crm.resources r
    left join crm.agents g on g.account_id = r.account_id and g.id = r.agent_id
    cross join lateral (select coalesce(r.timezone, b.timezone)) z (zone)
    cross join lateral unnest(array['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//pg_frontdesk//crm//EN', 'CALSCALE:GREGORIAN', 'METHOD:' || how]
      || case when crm_internal.ics_time('', a.starts_at, z.zone) not like '%Z' then frontdesk.vtimezone(z.zone, a.starts_at, a.ends_at) end || array[
      'BEGIN:VEVENT',
      format('UID:appointment-%s@%s', a.id, a.account_id),
      'DTSTAMP:' || to_char(a.updated_at at time zone 'UTC', written),
      'CREATED:' || to_char(a.created_at at time zone 'UTC', written),
      'LAST-MODIFIED:' || to_char(a.updated_at at time zone 'UTC', written),
      crm_internal.ics_time('DTSTART', a.starts_at, z.zone),
      crm_internal.ics_time('DTEND', a.ends_at, z.zone),
      'SEQUENCE:' || a.revision,
      'STATUS:' || case when how = 'CANCEL' or is_off then 'CANCELLED'
        when a.status in ('confirmed', 'completed', 'no_show') then 'CONFIRMED' else 'TENTATIVE' end,
      'SUMMARY:' || crm_internal.ics_text(format('%s (%s)', s.name, b.name)),
      'DESCRIPTION:' || crm_internal.ics_text(nullif(a.notes, '')),
      'LOCATION:' || crm_internal.ics_text(coalesce(nullif(a.location, ''), a.meeting_link)),
      'URL:' || a.meeting_link,
      -- Every method has an organizer (RFC 5546, 3.2); without an address it is at least told which business it is.
      crm_internal.ics_person('ORGANIZER', b.name, coalesce(crm_internal.mail_uri(b.settings->>'email'), crm_internal.mail_uri(g.settings->>'email'), 'urn:uuid:' || b.id)),
      case when how <> 'PUBLISH' then crm_internal.ics_person(
        'ATTENDEE;ROLE=REQ-PARTICIPANT' || case how when 'REQUEST' then ';PARTSTAT=NEEDS-ACTION;RSVP=TRUE' else '' end,
        coalesce(c.name, c.email, c.phone), coalesce(crm_internal.mail_uri(c.email), 'tel:' || substring(coalesce(c.phone, c.whatsapp) from '^\+[0-9]+$'))) end,
      'END:VEVENT', 'END:VCALENDAR']) with ordinality l (line, n)
    where s.id = a.service_id and c.id = a.contact_id and b.id = a.account_id and r.id = a.resource_id and l.line is not null);
end
$$;
comment on function crm.appointment_ics(bigint, text) is
  'the appointment as a calendar file (RFC 5545, 5546), for a mail or a download, on the clocks of its resource. '
  'method: PUBLISH, REQUEST (the client is asked) or CANCEL; default PUBLISH, CANCEL for one that is cancelled or '
  'postponed, and CANCEL in place of REQUEST then. The organizer is the account''s settings->>''email'', else that of '
  'the resource''s agent, else the account without an address. Its UID stays the same, and SEQUENCE grows, so a '
  'calendar that has it follows';
