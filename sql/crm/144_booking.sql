-- Room 144, booking: the verbs.

create or replace function crm_internal.check_writable(account uuid) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if crm.current_user_id() is not null and account not in (select crm.my_accounts(true)) then
    raise exception using errcode = 'insufficient_privilege', message = 'you may read in this account, not write',
      detail = format('It is account %s, of which you are a viewer.', account);
  end if;
end
$$;
comment on function crm_internal.check_writable(uuid) is
  'internal: raises when the current user may not change rows of this account';

create or replace function crm.appointment(id bigint, to_change boolean = false) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.appointments;
begin
  select a.* into found_one from crm.appointments a where a.id = appointment.id and crm.visible(a.account_id);
  if found_one.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('there is no appointment %s', coalesce(appointment.id::text, '(null)'));
  end if;
  if to_change then
    perform crm_internal.check_writable(found_one.account_id);
    select a.* into found_one from crm.appointments a where a.id = appointment.id for no key update;
  end if;
  return found_one;
end
$$;
comment on function crm.appointment(bigint, boolean) is
  'this appointment, if it is there for the current user, otherwise an error; to_change: locked';

create or replace function crm.book_appointment(
  contact bigint = null, lead bigint = null, service bigint = null, starts_at timestamptz = null, duration interval = null,
  resource bigint = null, timezone text = null, meeting_link text = null, notes text = null, internal_notes text = null,
  locale text = null, location text = null, custom_attributes jsonb = '{}', external_id text = null, outside_hours boolean = false)
returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  asked crm.services := crm.service(service);
  for_lead crm.leads;
  for_contact bigint := contact;
  candidate bigint;
  candidates bigint[];
  booked crm.appointments;
  zone text := coalesce(timezone, (select a.timezone from crm.accounts a where a.id = asked.account_id));
  broken text;
  taken boolean := false;
begin
  perform crm_internal.check_writable(asked.account_id);
  perform crm_internal.check_duration(duration);
  -- Always the lead first, then the resource: two sessions never wait for each other.
  if lead is not null then
    select l.* into for_lead from crm.leads l where l.id = lead and l.account_id = asked.account_id for no key update;
    if for_lead.id is null then
      raise exception using errcode = 'no_data_found', message = format('there is no lead %s', lead);
    end if;
    for_contact := coalesce(for_contact, for_lead.contact_id, crm.contact_of_lead(lead));
  elsif for_contact is not null then
    select l.* into for_lead from crm.leads l join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
    where l.contact_id = for_contact and l.account_id = asked.account_id and s.kind = 'open'
    order by l.id desc limit 1 for no key update of l;
  else
    raise exception using errcode = 'null_value_not_allowed', message = 'no contact or lead given',
      hint = 'Pass contact => ... or lead => ....';
  end if;
  candidates := crm_internal.resources_of(asked, resource);
  if candidates = '{}' then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('no resource offers the service "%s"', asked.name),
      hint = 'insert into crm.resources ..., or make one active.';
  end if;
  foreach candidate in array candidates loop
    begin
      insert into crm.appointments as a (account_id, contact_id, lead_id, service_id, resource_id, starts_at, ends_at, timezone, locale,
        meeting_link, location, notes, internal_notes, custom_attributes, external_id, outside_hours)
      values (asked.account_id, for_contact, for_lead.id, asked.id, candidate, book_appointment.starts_at,
        book_appointment.starts_at + coalesce(duration, asked.duration), book_appointment.timezone, book_appointment.locale,
        book_appointment.meeting_link, book_appointment.location, book_appointment.notes, book_appointment.internal_notes,
        coalesce(book_appointment.custom_attributes, '{}'), book_appointment.external_id, coalesce(book_appointment.outside_hours, false))
      returning a.* into booked;
      exit;
    exception when exclusion_violation or check_violation then
      -- Its lock is given up with it.
      get stacked diagnostics broken = constraint_name;
      if cardinality(candidates) = 1 or broken not in ('appointments_no_overlap', 'appointments_business_hours') then
        raise;
      end if;
      taken := taken or broken = 'appointments_no_overlap';
      if candidate = candidates[cardinality(candidates)] then
        raise exception using errcode = case when taken then 'exclusion_violation' else 'check_violation' end, constraint = broken,
          message = format('nobody is %s at %s', case when taken then 'free' else 'there' end, crm.local_time(book_appointment.starts_at, zone)),
          detail = crm_internal.next_slots(candidates, coalesce(duration, asked.duration), asked.buffer_before, asked.buffer_after, book_appointment.starts_at, zone),
          hint = 'Ask crm.free_slots() for others.', schema = 'crm', table = 'appointments';
      end if;
    end;
  end loop;
  if exists (
    select from crm.lead_stages s join crm.lead_stages goal on goal.account_id = s.account_id and goal.name = 'appointment_booked'
    where s.account_id = for_lead.account_id and s.name = for_lead.stage and s.kind = 'open' and s.position < goal.position)
  then
    perform crm.set_lead_stage(for_lead.id, 'appointment_booked', format('appointment %s', booked.id));
  end if;
  return booked;
end
$$;
comment on function crm.book_appointment(bigint, bigint, bigint, timestamptz, interval, bigint, text, text, text, text, text, text, jsonb, text, boolean) is
  'book an appointment for a contact or a lead (which moves to stage appointment_booked unless it is past it). '
  'duration: default the service''s. resource: default the first that is free. timezone, locale: the client''s, by '
  'default those of the contact. outside_hours: allow times outside business hours or too soon. Taken: SQLSTATE '
  '23P01, outside of hours: 23514, both with the next free slots in the detail; the past and what is out of range: '
  '22023; a missed appointment not forgiven yet: 55000; an id that is not there for you: P0002';

create or replace function crm_internal.change_status(a crm.appointments, status text, reason text, by text) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  changed crm.appointments;
begin
  perform crm_internal.check_transition(a.status, change_status.status);
  update crm.appointments o set status = change_status.status, status_reason = reason,
    status_changed_by = coalesce(by, crm.current_actor()), status_changed_at = clock_timestamp()
  where o.id = a.id returning o.* into changed;
  return changed;
end
$$;
comment on function crm_internal.change_status(crm.appointments, text, text, text) is
  'internal: another status, with who and why';

create or replace function crm.reschedule_appointment(
  id bigint, starts_at timestamptz, reason text = null, resource bigint = null, duration interval = null, by text = null) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  a crm.appointments := crm.appointment(id, true);
  asked crm.services;
  changed crm.appointments;
begin
  perform crm_internal.check_transition(a.status, 'rescheduled');
  if starts_at is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'an appointment needs a start',
      hint = 'To put it off with no new time: crm.postpone_appointment().';
  end if;
  perform crm_internal.check_duration(duration);
  if resource is not null then
    select s.* into asked from crm.services s where s.id = a.service_id;
    perform crm_internal.resources_of(asked, resource);
  end if;
  update crm.appointments o set status = 'rescheduled', starts_at = reschedule_appointment.starts_at,
    ends_at = reschedule_appointment.starts_at + coalesce(duration, a.ends_at - a.starts_at),
    resource_id = coalesce(resource, a.resource_id), status_reason = reason,
    status_changed_by = coalesce(by, crm.current_actor()), status_changed_at = clock_timestamp()
  where o.id = a.id returning o.* into changed;
  return changed;
end
$$;
comment on function crm.reschedule_appointment(bigint, timestamptz, text, bigint, interval, text) is
  'move an appointment to another time, with its resource unless another is given, and its duration; reminders move '
  'with it. The errors are those of book_appointment()';

create or replace function crm.postpone_appointment(id bigint, reason text = null, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm_internal.change_status(crm.appointment(id, true), 'postponed', reason, by)
$$;
comment on function crm.postpone_appointment(bigint, text, text) is
  'put an appointment off, with no new time yet: its slot is free again; reschedule_appointment() gives it a new one';

create or replace function crm.cancel_appointment(id bigint, reason text = null, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm_internal.change_status(crm.appointment(id, true), 'cancelled', reason, by)
$$;
comment on function crm.cancel_appointment(bigint, text, text) is
  'call an appointment off, for good; by: who did, default crm.current_actor()';

create or replace function crm.confirm_appointment(id bigint, by text = null) returns crm.appointments
language sql set search_path = pg_catalog, pg_temp as $$
  select crm_internal.change_status(crm.appointment(id, true), 'confirmed', null, by)
$$;
comment on function crm.confirm_appointment(bigint, text) is 'the client confirmed the appointment';

create or replace function crm.record_attendance(
  id bigint, attended boolean, note text = null, correction boolean = false, by text = null) returns crm.appointments
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments := crm.appointment(id, true);
begin
  if attended is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'attended must not be null',
      hint = 'Pass true or false.';
  elsif a.status in ('completed', 'no_show') and (not correction or attended = (a.status = 'completed')) then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('the attendance of appointment %s is recorded already: %s', a.id, a.status),
      hint = 'To correct it: crm.record_attendance(..., correction => true) with the other value.';
  end if;
  return crm_internal.change_status(a, case when attended then 'completed' else 'no_show' end, note, by);
end
$$;
comment on function crm.record_attendance(bigint, boolean, text, boolean, text) is
  'the client came (completed) or not (no_show, which blocks the client from booking for a while); once the '
  'appointment has begun. correction: the other was recorded; a penalty is lifted with it';

create or replace function crm.lift_penalty(id bigint, reason text = null) returns crm.penalties
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lifted crm.penalties;
begin
  select p.* into lifted from crm.penalties p where p.id = lift_penalty.id and crm.visible(p.account_id);
  if lifted.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('there is no penalty %s', coalesce(lift_penalty.id::text, '(null)')),
      hint = 'They are in crm.active_penalties.';
  end if;
  perform crm_internal.check_writable(lifted.account_id);
  perform crm_internal.check_text('the reason', lift_penalty.reason, 2000);
  update crm.penalties p set lifted_at = frontdesk.now(), lifted_by = crm.current_actor(), lift_reason = lift_penalty.reason
  where p.id = lift_penalty.id and p.lifted_at is null returning p.* into lifted;
  if not found then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('penalty %s is lifted already', lift_penalty.id);
  end if;
  return lifted;
end
$$;
comment on function crm.lift_penalty(bigint, text) is 'let a client book again before the penalty is over';
