-- Room 142, slots: when a service can be had.

create or replace function crm.service(id bigint) returns crm.services
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.services;
begin
  select s.* into found_one from crm.services s where s.id = service.id and crm.visible(s.account_id);
  if found_one.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('there is no service %s', coalesce(service.id::text, '(null)')),
      hint = 'They are in crm.services.';
  end if;
  return found_one;
end
$$;
comment on function crm.service(bigint) is 'this service, if it is there for the current user; otherwise an error';

create or replace function crm_internal.resources_of(service crm.services, resource bigint = null) returns bigint[]
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  ids bigint[] := array(
    select r.id from crm.resources r
    where r.account_id = (service).account_id and r.active and (resource is null or r.id = resource)
      and (not exists (select from crm.service_resources x where x.service_id = (service).id)
        or exists (select from crm.service_resources x where x.service_id = (service).id and x.resource_id = r.id))
    order by r.id);
begin
  if ids = '{}' and resource is not null and exists (
    select from crm.resources r where r.id = resource and r.account_id = (service).account_id) then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('resource %s does not offer the service "%s"', resource, (service).name),
      hint = 'It is not active, or the service has other resources in crm.service_resources.';
  elsif ids = '{}' and resource is not null then
    raise exception using errcode = 'no_data_found', message = format('there is no resource %s', resource),
      hint = 'They are in crm.resources.';
  end if;
  return ids;
end
$$;
comment on function crm_internal.resources_of(crm.services, bigint) is
  'internal: the active resources that give a service, or the one that is asked for, or an error';

create or replace function crm_internal.slot_starts(
  resources bigint[], duration interval, buffer_before interval, buffer_after interval,
  "from" timestamptz, "to" timestamptz, step interval, ignoring bigint = null) returns table (resource_id bigint, starts_at timestamptz)
stable language plpgsql rows 1000 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- In PL/pgSQL, for its plan is made once in a session.
  return query
  with open as materialized (
    select h.resource_id, r.capacity, o as hours
    -- With the day after, so that it is known of every opening whether it lasts longer than a day.
    from crm.open_hours(resources, "from", "to" + interval '1 day') h join crm.resources r on r.id = h.resource_id cross join unnest(h.hours) o),
  -- A start is forbidden where the new appointment with its buffers would touch another with its own.
  busy as materialized (
    select b.resource_id, b.seat,
      range_agg(tstzrange(lower(t) - slot_starts.duration - slot_starts.buffer_after, upper(t) + slot_starts.buffer_before, '()')) as starts
    from (
      select a.resource_id, a.seat, range_agg(a.blocked) as taken from crm.appointments a
      where a.live and a.resource_id = any (resources) and a.id is distinct from ignoring
        and a.blocked && tstzrange("from" - slot_starts.buffer_before, "to" + slot_starts.buffer_after)
        -- For the index: none lasts longer than a month, buffers included.
        and a.starts_at between "from" - interval '40 days' and "to" + interval '2 days'
      group by a.resource_id, a.seat) b
    cross join unnest(b.taken) t
    group by b.resource_id, b.seat),
  -- As long as one seat has no appointment at all, the others need not be looked at.
  seats as (
    select b.resource_id, b.starts from busy b
    where (select count(*) from busy c where c.resource_id = b.resource_id)
      >= (select r.capacity from crm.resources r where r.id = b.resource_id)
    union all
    select r.id, '{}'::tstzmultirange from crm.resources r
    where r.id = any (resources) and r.capacity > (select count(*) from busy c where c.resource_id = r.id)),
  possible as (
    select o.resource_id, range_agg(tstzrange(greatest(lower(o.hours), "from"), least(upper(o.hours), "to") - duration, '[]')) as starts
    from open o where greatest(lower(o.hours), "from") <= least(upper(o.hours), "to") - duration
    group by o.resource_id),
  free as (
    select p.resource_id, lower(f) as first, upper(f) as last
    from possible p join seats s on s.resource_id = p.resource_id cross join unnest(p.starts - s.starts) f),
  -- Steps are counted from the opening before; where it is open for longer than a day, from each midnight there: no start may
  -- depend on where the search begins.
  counted as (
    select m.resource_id, m.first, m.last, max(m.opening) over before as opening, max(m.closing) over before as closing
    from (
      select f.resource_id, f.first, f.last, f.first as at, null::timestamptz as opening, null::timestamptz as closing from free f
      union all select o.resource_id, null, null, lower(o.hours), lower(o.hours), upper(o.hours) from open o) m
    window before as (partition by m.resource_id order by m.at, m.last nulls first)),
  pieces as (
    select c.resource_id, c.first, c.last, c.opening from counted c
    where c.first is not null and c.closing - c.opening <= interval '24 hours'
    union all
    select c.resource_id, greatest(c.first, d.midnight), least(c.last, d.next - interval '1 microsecond'), greatest(c.opening, d.midnight)
    from counted c join crm.resources r on r.id = c.resource_id join crm.accounts a on a.id = r.account_id
    cross join lateral (select coalesce(r.timezone, a.timezone)) z (zone)
    cross join lateral (
      select n at time zone z.zone, (n + interval '1 day') at time zone z.zone
      from generate_series(date_trunc('day', c.first at time zone z.zone), c.last at time zone z.zone, interval '1 day') n) d (midnight, next)
    where c.first is not null and c.closing - c.opening > interval '24 hours')
  select distinct p.resource_id, s
  from pieces p cross join lateral generate_series(
    p.opening + step * ceil(extract(epoch from p.first - p.opening) / extract(epoch from step))::float8, p.last, step) s;
end
$$;
comment on function crm_internal.slot_starts(bigint[], interval, interval, interval, timestamptz, timestamptz, interval, bigint) is
  'internal: every start between two moments at which one of these resources has a seat and its hours are long enough';

do $$
begin
  -- As it was in 0.1.0, without starts_at and ends_at.
  if not exists (select from pg_proc p where p.pronamespace = 'crm'::regnamespace and p.proname = 'available_slots' and 'ends_at' = any (p.proargnames)) then
    drop function if exists crm.available_slots(bigint, timestamptz, timestamptz, text, bigint, interval, interval, text, bigint);
  end if;
end
$$;
create or replace function crm.available_slots(
  service bigint, "from" timestamptz = null, "to" timestamptz = null, timezone text = null, resource bigint = null,
  step interval = '15 minutes', duration interval = null, locale text = null, ignoring bigint = null)
returns table (slot tstzrange, resource_id bigint, resource_name text, local_start timestamp, local_text text, starts_at timestamptz, ends_at timestamptz)
stable language plpgsql rows 100 set search_path = pg_catalog, pg_temp as $$
declare
  asked crm.services := crm.service(service);
  settings crm.appointment_settings;
  zone text;
  language text;
  length_of interval := coalesce(duration, asked.duration);
  earliest timestamptz;
  latest timestamptz;
begin
  select s.* into settings from crm.appointment_settings s where s.account_id = asked.account_id;
  select coalesce(available_slots.timezone, a.timezone), coalesce(available_slots.locale, a.locale) into zone, language
  from crm.accounts a where a.id = asked.account_id;
  perform frontdesk.check_timezone(zone);
  perform frontdesk.check_locale(language);
  if step not between '1 minute' and '1 day' or step is null then
    raise exception using errcode = 'invalid_parameter_value', message = format('step %s is out of range', step),
      hint = '1 minute to 1 day.';
  end if;
  perform crm_internal.check_duration(length_of);
  "from" := coalesce("from", frontdesk.now());
  "to" := coalesce("to", "from" + interval '7 days');
  if not isfinite("from") or not isfinite("to") or "to" < "from" or "to" - "from" > interval '366 days' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('there are no slots from %s to %s', "from", "to"),
      hint = '"from" must be before "to", by at most 366 days.';
  end if;
  earliest := greatest("from", frontdesk.now() + coalesce(asked.minimum_notice, settings.minimum_notice, '0'));
  latest := least("to", frontdesk.now() + coalesce(settings.booking_horizon, '2 years') + length_of);
  if not asked.active or latest < earliest then
    return;
  end if;
  return query
    select tstzrange(s.starts_at, s.starts_at + length_of), r.id, r.name, s.starts_at at time zone zone,
      case when available_slots.locale is not null then frontdesk.format_time(s.starts_at, zone, language) end,
      s.starts_at, s.starts_at + length_of
    from crm_internal.slot_starts(crm_internal.resources_of(asked, resource), length_of, asked.buffer_before, asked.buffer_after, earliest, latest, step, ignoring) s
    join crm.resources r on r.id = s.resource_id
    order by s.starts_at, r.id;
end
$$;
comment on function crm.available_slots(bigint, timestamptz, timestamptz, text, bigint, interval, interval, text, bigint) is
  'as free_slots(), one row for a slot and resource: its range, and the same as starts_at and ends_at; the start on '
  'the clocks of timezone, and with a locale in words of that language. ignoring: an appointment that is to be moved';

create or replace function crm.free_slots(
  service bigint, "from" timestamptz = null, "to" timestamptz = null, timezone text = null, resource bigint = null,
  step interval = '15 minutes') returns setof tstzrange
stable language sql rows 100 set search_path = pg_catalog, pg_temp as $$
  select distinct s.slot from crm.available_slots(service, "from", "to", timezone, resource, step) s order by 1
$$;
comment on function crm.free_slots(bigint, timestamptz, timestamptz, text, bigint, interval) is
  'when a service can be had between two moments (default: the coming week), by this resource or by any: within '
  'business hours, with its buffers, counted in steps from each opening, or from midnight where it is open day and '
  'night. available_slots() has start and end as columns. timezone: of the client, checked here, used by '
  'available_slots() for local times. At most 366 days';

create or replace function crm_internal.check_duration(duration interval) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if duration not between '1 minute' and '31 days' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('an appointment cannot last %s', duration),
      hint = '1 minute to 31 days.';
  end if;
end
$$;
comment on function crm_internal.check_duration(interval) is 'internal: raises when an appointment is too short or too long';

create or replace function crm.local_time(moment timestamptz, timezone text) returns text
stable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  there timestamp := moment at time zone timezone;
  shift float8 := extract(epoch from there - (moment at time zone 'UTC'));
begin
  return to_char(there, 'YYYY-MM-DD"T"HH24:MI:SS') || case when shift < 0 then '-' else '+' end
    || to_char(make_interval(secs => abs(shift)), 'HH24:MI');
end
$$;
comment on function crm.local_time(timestamptz, text) is
  'a moment on the clocks of a time zone as in ISO 8601, with its distance from UTC';

create or replace function crm_internal.next_slots(
  resources bigint[], duration interval, buffer_before interval, buffer_after interval, after timestamptz, timezone text, ignoring bigint = null) returns text
stable language sql set search_path = pg_catalog, pg_temp as $$
  select coalesce('The next free slots: ' || string_agg(crm.local_time(t.starts_at, timezone), ', ' order by t.starts_at) || '.',
    'There is no free slot in the two weeks after it.')
  from (
    select distinct s.starts_at
    from crm_internal.slot_starts(resources, duration, buffer_before, buffer_after, greatest(after, frontdesk.now()),
      greatest(after, frontdesk.now()) + interval '14 days', interval '15 minutes', ignoring) s
    order by s.starts_at limit 3) t
$$;
comment on function crm_internal.next_slots(bigint[], interval, interval, interval, timestamptz, text, bigint) is
  'internal: the detail of an error: the next free starts at these resources, on a client''s clock';
