-- What the first system of appointments promised, one promise after the other, each with what became of it there.
-- A file of this folder is run by psql in a database with the extension; it must not raise.
set client_min_messages = warning;
select frontdesk.install_crm();
update crm.accounts set timezone = 'America/Mexico_City', locale = 'es-MX', country = 'MX', currency = 'MXN';

-- The clock of this session; the engine's own shows another year and leaves these timers alone.
create procedure at(moment timestamptz) language plpgsql as $$
begin
  perform set_config('frontdesk.fake_now', moment::text, false);
  for rule in 1..5 loop
    perform frontdesk_internal.timers_fire(o.oid, 10000) from pg_roles o;
  end loop;
end $$;
create function told(event_type text, appointment bigint) returns bigint language sql as $$
  select count(*) from frontdesk.event e where e.type = event_type and (e.record->>'id')::bigint = appointment
$$;
create function refused(statement text, state text) returns text language plpgsql as $$
declare
  what text;
begin
  execute statement;
  raise 'this was to be refused: %', statement;
exception when others then
  get stacked diagnostics what = message_text;
  if sqlstate <> state then
    raise 'refused with % (%), not %: %', sqlstate, what, state, statement;
  end if;
  return what;
end $$;

call at('2060-03-01 08:00 America/Mexico_City');
insert into crm.contacts (account_id, name, email, phone, company, country)
select id, 'Ana López', 'ana@example.com', '+525512345678', 'Panadería López', 'MX' from crm.accounts;
insert into crm.leads (account_id, name, email, service, source) select id, 'Berta Ruiz', 'berta@example.com', 'Asesoría', 'Meta_ADS' from crm.accounts;
select id as service from crm.services \gset
select id as ana from crm.contacts where email = 'ana@example.com' \gset
select id as berta from crm.leads where email = 'berta@example.com' \gset
select set_config('test.service', :'service', false), set_config('test.ana', :'ana', false), set_config('test.berta', :'berta', false);

-- 1. A booking is stored with its client, service, length, link and notes, and its times for both sides.
--    There: the client's local time was a column that could stay empty, and reminders then failed silently.
select id as first from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-04 10:00 America/Mexico_City',
  timezone => 'Europe/Madrid', locale => 'es', meeting_link => 'https://meet.example.com/ana', notes => 'Primera cita') \gset
select set_config('test.first', :'first', false);
do $$
declare
  p jsonb := (select record from frontdesk.event where type = 'appointment.created' and record->>'id' = current_setting('test.first'));
begin
  assert p->>'status' = 'scheduled' and p->>'name' = 'Ana López' and p->>'phone' = '+525512345678' and p->>'email' = 'ana@example.com';
  assert p->>'company' = 'Panadería López' and p->>'country' = 'MX' and p->>'service' = 'Appointment' and (p->>'duration_minutes')::int = 60;
  assert p->>'meeting_link' = 'https://meet.example.com/ana' and p->>'notes' = 'Primera cita';
  assert p->>'starts_at' = '2060-03-04T16:00:00+00:00' and p->>'local_starts_at' = '2060-03-04T17:00:00+01:00';
  assert p->>'starts_at_text' like 'jueves, 4 de marzo de 2060%17:00', p->>'starts_at_text';
  assert p->>'business_starts_at_text' like 'jueves, 4 de marzo de 2060%10:00%', p->>'business_starts_at_text';
end $$;

-- 2. Never in the past.
select refused(format('select crm.book_appointment(contact => %s, service => %s, starts_at => %L)', :ana, :service, '2060-02-29 10:00 America/Mexico_City'), '22023');

-- 3. Statuses are a vocabulary. There: free text, in three vocabularies that did not agree.
select refused(format('update crm.appointments set status = %L where id = %s', 'cita agendada', :first), '22023');
select refused(format('update crm.appointments set status = %L where id = %s', 'completed', :first), '55000');

-- 4. Nobody is booked twice. There: nothing prevented it.
select refused(format('select crm.book_appointment(lead => %s, service => %s, starts_at => %L)', :berta, :service, '2060-03-04 10:30 America/Mexico_City'), '23P01');

-- 5. Several appointments of one client. There: every change rewrote all of the client's rows.
select id as second from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-05 10:00 America/Mexico_City') \gset
select crm.cancel_appointment(:second, 'ya no puede', 'Ana');
do $$
begin
  assert (select array_agg(status order by id) from crm.appointments) = '{scheduled,cancelled}';
end $$;

-- 6. A lead that books moves to its stage, and is told of once.
select id as berta_1 from crm.book_appointment(lead => :berta, service => :service, starts_at => '2060-03-04 12:00 America/Mexico_City') \gset
select set_config('test.second', :'second', false), set_config('test.berta_1', :'berta_1', false);
do $$
begin
  assert (select stage from crm.leads) = 'appointment_booked';
  assert (select count(*) from frontdesk.event where type = 'lead.appointment_booked') = 1;
end $$;

-- 7. The reminder 24 hours before. There: sent to cancelled appointments too, and marked as sent when the receiver answered 500
--    (deliveries are retried here: docs/guide.md).
call at('2060-03-03 10:01 America/Mexico_City');
do $$
begin
  assert told('appointment.reminder', current_setting('test.first')::bigint) = 1;
  assert told('appointment.reminder', current_setting('test.berta_1')::bigint) = 0, 'not before its time';
end $$;
call at('2060-03-04 09:30 America/Mexico_City');
do $$
declare
  p jsonb := (select record from frontdesk.event where type = 'appointment.reminder' and record->>'id' = current_setting('test.first') order by id desc limit 1);
begin
  -- And one hour before.
  assert told('appointment.reminder', current_setting('test.first')::bigint) = 2;
  assert told('appointment.reminder', current_setting('test.second')::bigint) = 0, 'cancelled';
  assert p ?& '{id,contact_id,name,phone,meeting_link,local_starts_at}', 'the fields of the original''s reminder';
  assert (p->>'minutes_before')::int = 30, p->>'minutes_before';
end $$;

-- 8. Who books late is reminded too. There: bookings made less than 23 hours ahead never were.
select id as late from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-04 15:00 America/Mexico_City') \gset
select set_config('test.late', :'late', false);
call at('2060-03-04 14:00 America/Mexico_City');
do $$
begin
  assert told('appointment.reminder', current_setting('test.late')::bigint) = 1;
end $$;

-- 9. Past appointments are known as such. There: an hourly scan wrote a word into a column, and so were told an hour late.
do $$
begin
  assert told('appointment.ended', current_setting('test.first')::bigint) = 1;
  assert (select is_past from crm.agenda where id = current_setting('test.first')::bigint);
  assert not (select is_past from crm.agenda where id = current_setting('test.late')::bigint);
  assert not exists (select from crm.upcoming_appointments where id in (current_setting('test.first')::bigint, current_setting('test.second')::bigint)),
    'neither past nor cancelled ones are upcoming';
end $$;

-- 10. The follow-up half an hour after the end, once. There: after the start, whatever the length; a failure was never tried again.
do $$
declare
  p jsonb := (select record from frontdesk.event where type = 'appointment.follow_up' and record->>'id' = current_setting('test.first'));
begin
  assert told('appointment.follow_up', current_setting('test.first')::bigint) = 1;
  assert p ?& '{id,contact_id,status,name,starts_at,email,phone,service,notes,country,company,meeting_link,duration_minutes,attended,is_past,local_starts_at,starts_at_text,business_starts_at_text,emitted_at,minutes_after}',
    'the fields of the original''s follow-up';
  assert (p->>'is_past')::boolean and (p->>'minutes_after')::int >= 30;
end $$;
call at('2060-03-04 15:30 America/Mexico_City');
do $$
begin
  assert told('appointment.follow_up', current_setting('test.late')::bigint) = 0, 'it is not over';
end $$;

-- 11. A rescheduled appointment is reminded and followed up again. There: only if the workflow outside reset a column, and the follow-up never.
select crm.reschedule_appointment(:first, '2060-03-09 10:00 America/Mexico_City', 'no pudo conectarse');
do $$
begin
  assert told('appointment.rescheduled', current_setting('test.first')::bigint) = 1;
  assert (select record->>'previous_starts_at' from frontdesk.event where type = 'appointment.rescheduled') = '2060-03-04T16:00:00+00:00';
end $$;
call at('2060-03-08 10:00 America/Mexico_City');
call at('2060-03-09 09:00 America/Mexico_City');
call at('2060-03-09 11:30 America/Mexico_City');
call at('2060-03-09 11:30 America/Mexico_City');
do $$
begin
  assert told('appointment.reminder', current_setting('test.first')::bigint) = 4;
  assert told('appointment.follow_up', current_setting('test.first')::bigint) = 2;
end $$;

-- 12. Attendance is yes or no, once. There: the workflow wrote other words than the database looked for.
select crm.record_attendance(:first, true, 'llegó puntual');
select crm.record_attendance(:late, false);
select refused(format('select crm.record_attendance(%s, false)', :late), '55000');

-- 13. Who does not come cannot book for a month. There: never, for the words did not match; and an old no-show turned itself into an attendance.
select refused(format('select crm.book_appointment(contact => %s, service => %s, starts_at => %L)', :ana, :service, '2060-03-15 10:00 America/Mexico_City'), '55000');
do $$
begin
  assert (select days_left from crm.active_penalties) between 30 and 31;
  assert (select status from crm.appointments where id = current_setting('test.late')::bigint) = 'no_show';
  perform set_config('frontdesk.fake_now', '2060-05-09 18:00:00+00', true);
  assert not exists (select from crm.active_penalties), 'it ends by itself';
end $$;
call at('2060-03-09 12:00 America/Mexico_City');
select crm.lift_penalty(id, 'fue culpa nuestra') from crm.active_penalties;
select id as again from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-15 10:00 America/Mexico_City') \gset

-- 14. The history of every change, with who and why. There: its numbers were max(id) + 1, and two changes at once broke one of them.
do $$
begin
  assert (select array_agg(new_status order by id) from crm.appointment_status_history where appointment_id = current_setting('test.first')::bigint)
    = '{scheduled,rescheduled,completed}';
  assert (select array_agg(coalesce(reason, '-') order by id) from crm.appointment_status_history where appointment_id = current_setting('test.first')::bigint)
    = '{-,"no pudo conectarse","llegó puntual"}';
  assert (select changed_by from crm.appointment_status_history where new_status = 'cancelled') = 'Ana';
  assert (select attended from crm.appointment_attendance where appointment_id = current_setting('test.first')::bigint);
end $$;

-- 15. Statistics that count what is there. There: 0 completed, 0 cancelled, 0 pending, whatever the rows said.
do $$
declare
  s record;
begin
  select * into s from crm.appointment_stats('2060-03-01', '2060-04-01');
  assert (s.total, s.completed, s.cancelled, s.no_show, s.scheduled, s.upcoming, s.unresolved) = (5, 1, 1, 1, 2, 1, 1), s::text;
  assert s.completion_rate = 50 and s.moves = 1;
end $$;

-- 16. What is rolled back was never said. There: the webhook was sent before the commit.
begin;
select crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-16 10:00 America/Mexico_City');
rollback;
do $$
begin
  assert not exists (select from frontdesk.event where record->>'starts_at' = '2060-03-16T16:00:00+00:00');
  assert not exists (select from crm.appointment_reminders where anchor_at >= '2060-03-16');
end $$;

-- 17. Each happening is one event.
do $$
begin
  assert not exists (
    select from frontdesk.event where type in ('appointment.created', 'appointment.cancelled', 'appointment.completed', 'appointment.no_show')
    group by type, key having count(*) > 1);
  assert (select count(*) from frontdesk.event where type = 'appointment.no_show') = 1;
  assert (select record ? 'blocked_until' from frontdesk.event where type = 'appointment.no_show');
end $$;

-- 18. Nobody sees the clients of others, and PUBLIC may call nothing. There: no row level security on leads, USING (true) on appointments.
insert into crm.accounts (name) values ('Another business');
create role scenario_member;
select crm.grant_access('scenario_member');
insert into crm.account_members (account_id, user_id) select id, 'them' from crm.accounts where name = 'Another business';
set role scenario_member;
set frontdesk.user_id = 'them';
do $$
begin
  assert not exists (select from crm.appointments) and not exists (select from crm.upcoming_appointments) and not exists (select from crm.appointment_status_history)
    and not exists (select from crm.active_penalties) and not exists (select from crm.appointment_reminders);
  assert (select total from crm.appointment_stats('2060-01-01', '2061-01-01')) = 0;
end $$;
reset role;
reset frontdesk.user_id;
do $$
begin
  assert not exists (
    select from pg_proc p where p.pronamespace = 'crm'::regnamespace and has_function_privilege('public', p.oid, 'execute'));
end $$;
drop owned by scenario_member;
drop role scenario_member;
