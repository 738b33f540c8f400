-- Room 143, rules of appointments: enforced by a trigger, so that they hold whoever writes.

create or replace function crm_internal.raise_taken(a crm.appointments) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'exclusion_violation',
    message = format('%s is taken at %s', (select r.name from crm.resources r where r.id = a.resource_id), crm.local_time(a.starts_at, a.timezone)),
    detail = crm_internal.next_slots(array[a.resource_id], a.ends_at - a.starts_at, a.buffer_before, a.buffer_after, a.starts_at, a.timezone, a.id),
    hint = 'Ask crm.free_slots() for others.', constraint = 'appointments_no_overlap',
    schema = 'crm', table = 'appointments';
end
$$;
comment on function crm_internal.raise_taken(crm.appointments) is
  'internal: the error of who came second, with the next free slots';

create or replace function crm_internal.check_penalty(contact bigint) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  until timestamptz := (select max(p.ends_at) from crm.penalties p
    where p.contact_id = contact and p.lifted_at is null and p.ends_at > frontdesk.now());
begin
  if until is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('contact %s cannot book until %s', contact, until),
      detail = 'An appointment was missed.', hint = 'crm.lift_penalty() lifts it; see crm.active_penalties.';
  end if;
end
$$;
comment on function crm_internal.check_penalty(bigint) is 'internal: raises while a contact is blocked from booking';

create or replace function crm_internal.check_time(a crm.appointments) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  this_moment timestamptz := frontdesk.now();
  service crm.services;
  settings crm.appointment_settings;
  notice interval;
  hours tstzmultirange;
begin
  if not isfinite(a.starts_at) or not isfinite(a.ends_at) then
    raise exception using errcode = 'invalid_parameter_value', message = 'an appointment needs a time',
      hint = 'It must be finite.';
  elsif a.ends_at <= a.starts_at then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('the appointment ends at %s, not after its start', a.ends_at),
      detail = format('It starts at %s.', a.starts_at);
  elsif a.starts_at < this_moment then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is in the past', a.starts_at),
      detail = format('It is %s.', date_trunc('second', this_moment)),
      hint = 'Choose a time in the future: crm.free_slots().';
  end if;
  perform crm_internal.check_duration(a.ends_at - a.starts_at);
  select s.* into service from crm.services s where s.id = a.service_id;
  select s.* into settings from crm.appointment_settings s where s.account_id = a.account_id;
  notice := coalesce(service.minimum_notice, settings.minimum_notice, '0');
  if a.starts_at > this_moment + coalesce(settings.booking_horizon, '2 years') then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is too far ahead', a.starts_at),
      hint = format('Bookings are possible up to %s ahead: booking_horizon in crm.appointment_settings.', coalesce(settings.booking_horizon, '2 years'));
  elsif not a.outside_hours and a.starts_at < this_moment + notice then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s is too soon', a.starts_at),
      hint = format('It must be booked %s ahead.', notice);
  elsif not a.outside_hours then
    select h.hours into hours from crm.open_hours(array[a.resource_id], a.starts_at, a.ends_at) h;
    if not coalesce(hours @> tstzrange(a.starts_at, a.ends_at), false) then
      raise exception using errcode = 'check_violation',
        message = format('%s is not there at %s', (select r.name from crm.resources r where r.id = a.resource_id), crm.local_time(a.starts_at, a.timezone)),
        detail = crm_internal.next_slots(array[a.resource_id], a.ends_at - a.starts_at, a.buffer_before, a.buffer_after, a.starts_at, a.timezone, a.id),
        hint = 'See crm.business_hours and crm.calendar_exceptions; outside_hours => true books anyway.',
        constraint = 'appointments_business_hours', schema = 'crm', table = 'appointments';
    end if;
  end if;
end
$$;
comment on function crm_internal.check_time(crm.appointments) is
  'internal: raises unless an appointment may be at its time: not in the past, not too soon, not too far, and within '
  'business hours';

create or replace function crm_internal.take_seat(a crm.appointments) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  locked boolean;
  taken int[];
  seat int;
begin
  -- Who comes too late is told so without waiting. The others go one at a time for each resource, so that nobody waits in
  -- the index for somebody who waits for him.
  foreach locked in array '{false,true}'::boolean[] loop
    if locked then
      perform pg_advisory_xact_lock(hashtextextended('crm.resource/' || a.resource_id, 0));
    end if;
    taken := array(
      select o.seat from crm.appointments o
      where o.live and o.resource_id = a.resource_id and o.blocked && a.blocked and o.id is distinct from a.id);
    select s into seat from crm.resources r cross join generate_series(1, r.capacity) s
    where r.id = a.resource_id and s <> all (taken)
    order by s = a.seat desc nulls last, s limit 1;
    if seat is null then
      perform crm_internal.raise_taken(a);
    end if;
  end loop;
  return seat;
end
$$;
comment on function crm_internal.take_seat(crm.appointments) is
  'internal: a free seat of the resource, which stays free until this transaction ends; or the error of who came '
  'second';

create or replace function crm_internal.appointment_defaults(a crm.appointments) returns crm.appointments
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  service crm.services;
  contact crm.contacts;
  account crm.accounts;
begin
  select s.* into service from crm.services s where s.id = a.service_id and s.account_id = a.account_id;
  if service.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('there is no service %s', coalesce(a.service_id::text, '(null)')),
      hint = 'They are in crm.services.';
  elsif not service.active then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('the service "%s" is not active', service.name);
  elsif not exists (select from crm.resources r where r.id = a.resource_id and r.account_id = a.account_id) then
    raise exception using errcode = 'no_data_found',
      message = format('there is no resource %s', coalesce(a.resource_id::text, '(null)')),
      hint = 'They are in crm.resources.';
  end if;
  select c.* into contact from crm.contacts c where c.id = a.contact_id and c.account_id = a.account_id;
  if contact.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('there is no contact %s', coalesce(a.contact_id::text, '(null)'));
  end if;
  select c.* into account from crm.accounts c where c.id = a.account_id;
  a.ends_at := coalesce(a.ends_at, a.starts_at + service.duration);
  a.buffer_before := coalesce(a.buffer_before, service.buffer_before);
  a.buffer_after := coalesce(a.buffer_after, service.buffer_after);
  a.meeting_link := coalesce(a.meeting_link, service.meeting_link);
  a.timezone := coalesce(a.timezone, contact.timezone, account.timezone);
  a.locale := coalesce(a.locale, contact.language, account.locale);
  -- What a contact says of himself may be anything; what is said for this appointment is checked.
  begin
    perform frontdesk.check_timezone(a.timezone);
  exception when invalid_parameter_value then
    if a.timezone is distinct from contact.timezone then raise; end if;
    a.timezone := account.timezone;
  end;
  begin
    a.locale := frontdesk.check_locale(a.locale);
  exception when invalid_parameter_value then
    if a.locale is distinct from contact.language then raise; end if;
    a.locale := account.locale;
  end;
  return a;
end
$$;
comment on function crm_internal.appointment_defaults(crm.appointments) is
  'internal: a new appointment with what was not given taken from its service, contact and account';

create or replace function crm_internal.appointment_rules() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  moved boolean := false;
  visible_change boolean;
begin
  perform crm.check_link(new.meeting_link);
  perform crm_internal.check_text('location', new.location, 1000, true);
  perform crm_internal.check_text('notes', new.notes, 20000);
  perform crm_internal.check_text('internal_notes', new.internal_notes, 20000);
  perform crm_internal.check_text('external_id', new.external_id, 1000, true);
  perform crm_internal.check_text('the reason', new.status_reason, 2000);
  perform crm_internal.check_text('custom_attributes', new.custom_attributes::text, 100000);
  if jsonb_typeof(new.custom_attributes) <> 'object' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('custom_attributes is of type %s', jsonb_typeof(new.custom_attributes)),
      hint = 'It is a JSON object: {"floor": 3}.';
  end if;
  if tg_op = 'INSERT' then
    if new.starts_at is null then
      raise exception using errcode = 'null_value_not_allowed', message = 'an appointment needs a start',
        hint = 'Give starts_at.';
    end if;
    new := crm_internal.appointment_defaults(new);
    perform crm_internal.check_transition(null, new.status);
    new.created_by := coalesce(new.created_by, crm.current_actor());
    new.status_changed_by := coalesce(new.status_changed_by, new.created_by);
  else
    if new.account_id <> old.account_id or new.id <> old.id then
      raise exception using errcode = 'object_not_in_prerequisite_state',
        message = 'an appointment stays with its account and its id';
    end if;
    moved := new.starts_at is distinct from old.starts_at;
    if moved and new.ends_at is not distinct from old.ends_at then
      new.ends_at := new.starts_at + (old.ends_at - old.starts_at);
    end if;
    if moved and new.status = old.status then
      new.status := 'rescheduled';
    end if;
    if moved or new.status <> old.status then
      perform crm_internal.check_transition(old.status, new.status);
      if new.status = 'rescheduled' and not moved and old.live then
        raise exception using errcode = 'invalid_parameter_value',
          message = format('the appointment is at %s already', new.starts_at),
          hint = 'Give another time.';
      elsif new.status in ('completed', 'no_show') and frontdesk.now() < new.starts_at then
        raise exception using errcode = 'object_not_in_prerequisite_state',
          message = format('the appointment begins at %s; attendance is recorded after that', new.starts_at);
      end if;
      -- The verbs set all three; who changes the row himself need not.
      if new.status_changed_at = old.status_changed_at then
        new.status_changed_at := clock_timestamp();
        new.status_changed_by := crm.current_actor();
        new.status_reason := case when new.status_reason is distinct from old.status_reason then new.status_reason end;
      end if;
    end if;
    if (new.timezone, new.locale) is distinct from (old.timezone, old.locale) then
      perform frontdesk.check_timezone(new.timezone);
      new.locale := frontdesk.check_locale(new.locale);
    end if;
    visible_change := (new.status, new.starts_at, new.ends_at, new.service_id, new.resource_id, new.contact_id, new.meeting_link, new.location, new.notes)
      is distinct from (old.status, old.starts_at, old.ends_at, old.service_id, old.resource_id, old.contact_id, old.meeting_link, old.location, old.notes);
    new.revision := old.revision + visible_change::int;
    new.updated_at := clock_timestamp();
  end if;
  select s.live into new.live from crm.appointment_statuses s where s.name = new.status;
  if new.ends_at < new.starts_at then
    -- A range cannot be made of it; the same error as for the others.
    perform crm_internal.check_time(new);
  end if;
  new.blocked := tstzrange(new.starts_at - new.buffer_before, new.ends_at + new.buffer_after);
  if not new.live then
    new.seat := coalesce(new.seat, 1);
  elsif tg_op = 'INSERT' then
    perform crm_internal.check_penalty(new.contact_id);
    perform crm_internal.check_time(new);
    new.seat := crm_internal.take_seat(new);
  elsif moved or not old.live then
    perform crm_internal.check_time(new);
    new.seat := crm_internal.take_seat(new);
  elsif (new.blocked, new.resource_id, new.seat) is distinct from (old.blocked, old.resource_id, old.seat) then
    new.seat := crm_internal.take_seat(new);
  end if;
  return new;
end
$$;
comment on function crm_internal.appointment_rules() is
  'trigger: status by the table of transitions, time to come and within hours, no overlap, what was not given taken '
  'from service, contact and account';
create or replace trigger appointment_rules before insert or update on crm.appointments for each row execute function crm_internal.appointment_rules();
