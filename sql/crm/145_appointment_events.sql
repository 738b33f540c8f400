-- Room 145, events of appointments: what the outside is told, once for each thing that happened.

create or replace function crm.client_id(lead bigint, contact bigint) returns text
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(
    (select coalesce(l.client_reference, l.id::text) from crm.leads l where l.id = lead),
    (select coalesce(l.client_reference, l.id::text) from crm.leads l where l.contact_id = contact order by l.id limit 1),
    'contact-' || contact);
end
$$;
comment on function crm.client_id(bigint, bigint) is
  'what a client is called in webhooks, the same in events of leads and of appointments: your number of them '
  '(client_reference), else that of their lead; contact-17 for one who never was a lead';

create or replace function crm.appointment_payload(a crm.appointments) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  -- Here and below: in PL/pgSQL a plan is made once in a session.
  return (select jsonb_build_object(
    'id', a.id, 'account_id', a.account_id, 'status', a.status, 'contact_id', a.contact_id, 'lead_id', a.lead_id,
    'client_id', crm.client_id(a.lead_id, a.contact_id),
    'name', c.name, 'email', c.email, 'phone', coalesce(c.phone, c.whatsapp), 'whatsapp', c.whatsapp, 'company', c.company, 'country', c.country,
    'service_id', a.service_id, 'service', s.name, 'resource_id', a.resource_id, 'resource', r.name,
    'starts_at', a.starts_at, 'ends_at', a.ends_at, 'duration_minutes', round(extract(epoch from a.ends_at - a.starts_at) / 60),
    'timezone', a.timezone, 'locale', a.locale,
    'local_starts_at', crm.local_time(a.starts_at, a.timezone), 'local_ends_at', crm.local_time(a.ends_at, a.timezone))
  || jsonb_build_object(
    'starts_at_text', frontdesk.format_time(a.starts_at, a.timezone, a.locale),
    'business_timezone', z.zone, 'business_starts_at_text', frontdesk.format_time(a.starts_at, z.zone, b.locale),
    'meeting_link', a.meeting_link, 'location', a.location, 'notes', a.notes, 'custom_attributes', a.custom_attributes, 'external_id', a.external_id,
    'attended', case a.status when 'completed' then true when 'no_show' then false end,
    'is_past', a.ends_at <= frontdesk.now(), 'reason', a.status_reason, 'changed_by', a.status_changed_by, 'revision', a.revision,
    'emitted_at', frontdesk.now())
  from crm.accounts b
  join crm.contacts c on c.id = a.contact_id
  join crm.services s on s.id = a.service_id
  join crm.resources r on r.id = a.resource_id
  cross join lateral (select coalesce(r.timezone, b.timezone)) z (zone)
  where b.id = a.account_id);
end
$$;
comment on function crm.appointment_payload(crm.appointments) is
  'what a webhook says of an appointment: with its client, service and resource, its times in UTC, on the client''s '
  'clock, and in the client''s words. internal_notes are not in it';

create or replace function crm_internal.record_change(a crm.appointments, old_status text, old_starts_at timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into crm.appointment_status_history (account_id, appointment_id, old_status, new_status, old_starts_at, new_starts_at, changed_by, reason)
  values (a.account_id, a.id, old_status, a.status, old_starts_at, a.starts_at, coalesce(a.status_changed_by, crm.current_actor()), a.status_reason);
end
$$;
comment on function crm_internal.record_change(crm.appointments, text, timestamptz) is 'internal: one row of history';

create or replace function crm_internal.record_outcome(a crm.appointments, old_status text) returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  blocked_until timestamptz;
begin
  if old_status = 'no_show' then
    update crm.penalties p set lifted_at = frontdesk.now(), lifted_by = a.status_changed_by, lift_reason = 'the attendance was corrected'
    where p.appointment_id = a.id and p.lifted_at is null;
  end if;
  if a.status not in ('completed', 'no_show') then
    return null;
  end if;
  insert into crm.appointment_attendance as o (appointment_id, account_id, attended, recorded_by, note)
  values (a.id, a.account_id, a.status = 'completed', a.status_changed_by, a.status_reason)
  on conflict (appointment_id) do update
  set attended = excluded.attended, recorded_at = clock_timestamp(), recorded_by = excluded.recorded_by, note = excluded.note, corrected = true;
  if a.status = 'no_show' then
    insert into crm.penalties as p (account_id, contact_id, appointment_id, starts_at, ends_at)
    select a.account_id, a.contact_id, a.id, frontdesk.now(), date_add(frontdesk.now(), coalesce(s.no_show_penalty, '1 month'), b.timezone)
    from crm.accounts b left join crm.appointment_settings s on s.account_id = b.id
    where b.id = a.account_id and coalesce(s.no_show_penalty, '1 month') > '0'
    returning p.ends_at into blocked_until;
  end if;
  return blocked_until;
end
$$;
comment on function crm_internal.record_outcome(crm.appointments, text) is
  'internal: attendance and penalty; returns until when the client is blocked';

create or replace function crm_internal.appointment_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  what text;
  more jsonb := '{}';
  blocked_until timestamptz;
begin
  if tg_relid <> 'crm.appointments'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated',
      message = 'crm_internal.appointment_changed() is the trigger of crm.appointments';
  end if;
  if tg_op = 'DELETE' then
    perform frontdesk.emit('appointment.deleted', jsonb_build_object('id', old.id, 'account_id', old.account_id, 'status', old.status,
      'contact_id', old.contact_id, 'starts_at', old.starts_at), old.id::text, old.account_id);
    return null;
  end if;
  if tg_op = 'INSERT' then
    perform crm_internal.record_change(new, null, null);
    -- One that begins with its end was brought from elsewhere: there is nothing to tell.
    what := case when new.live then 'created' end;
    if not new.live then
      insert into crm.appointment_attendance (appointment_id, account_id, attended, recorded_by)
      select new.id, new.account_id, new.status = 'completed', new.created_by where new.status in ('completed', 'no_show');
    end if;
  elsif new.status is distinct from old.status or new.starts_at is distinct from old.starts_at then
    perform crm_internal.record_change(new, old.status, old.starts_at);
    blocked_until := crm_internal.record_outcome(new, old.status);
    what := new.status;
    more := jsonb_build_object('previous_status', old.status)
      || case when new.starts_at = old.starts_at then '{}' else jsonb_build_object('previous_starts_at', old.starts_at) end
      || case when new.status = 'no_show' then jsonb_build_object('blocked_until', blocked_until) else '{}' end;
  elsif new.revision <> old.revision then
    what := 'updated';
  end if;
  if tg_op = 'INSERT' then
    perform crm_internal.plan_reminders(new) where new.live and not crm_internal.is_sample(new.account_id);
  elsif (new.live, new.starts_at, new.ends_at, new.service_id) is distinct from (old.live, old.starts_at, old.ends_at, old.service_id)
    and not crm_internal.is_sample(new.account_id)
  then
    perform crm_internal.plan_reminders(new);
  end if;
  perform frontdesk.emit('appointment.' || what, crm.appointment_payload(new) || more, new.id::text, new.account_id)
  where what is not null and not crm_internal.is_sample(new.account_id);
  return null;
end
$$;
comment on function crm_internal.appointment_changed() is
  'trigger: history, attendance, penalty, reminders, and one event for what happened. With the rights of the owner of '
  'schema crm: members may not write these themselves, nor emit events';
create or replace trigger appointment_changed after insert or update or delete on crm.appointments
  for each row execute function crm_internal.appointment_changed();
