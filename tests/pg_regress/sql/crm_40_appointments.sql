-- Appointments: what can become of them, what is told, who is reminded.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
do $$ begin perform frontdesk.install_crm(); end $$;
-- A Monday. Engine and tests are years apart, so that no timer fires but by this.
create procedure at(moment timestamptz) language plpgsql as $$
begin
  perform set_config('frontdesk.fake_now', moment::text, false);
  for rule in 1..5 loop
    perform frontdesk_internal.timers_fire(o.oid, 10000) from pg_roles o;
  end loop;
end $$;
call at('2060-03-01 08:00Z');
update crm.accounts set timezone = 'Europe/Madrid', locale = 'es';
select id as account from crm.accounts \gset
insert into crm.contacts (account_id, name, email, phone) values (:'account', 'Ana', 'ana@example.com', '+34600111222') returning id as ana \gset
select id as service from crm.services \gset
select id as desk from crm.resources \gset
create view told as
select row_number() over (order by e.id) as n, e.type, e.key, e.record->>'status' as status, e.record->>'local_starts_at' as starts,
  coalesce(e.record->>'minutes_before', e.record->>'minutes_after') as minutes, e.tenant is not null as tenant
from frontdesk.event e where e.type like 'appointment.%' order by 1;
create view planned as
select appointment_id as id, kind, due_at, (select count(*) from frontdesk.timers t where t.key = jsonb_build_array(appointment_id::text, rule_id::text)::text
    or t.key = format('["%s","%s"]', appointment_id, rule_id)) as timers
from crm.appointment_reminders order by 1, 3;

-- Which status may follow which: every pair, by the verbs and by hand.
create function become(a bigint, status text) returns text language plpgsql as $$
begin
  update crm.appointments set status = become.status where id = a;
  return 'yes';
exception when others then
  return sqlerrm;
end $$;
begin;
insert into crm.resources (account_id, name, capacity) values (:'account', 'Hall', 100) returning id as hall \gset
insert into crm.business_hours (account_id, resource_id, weekday, opens, closes) select :'account', :hall, d, '00:00', '24:00' from generate_series(1, 7) d;
create table made as
select f.name as f, t.name as t, (crm.book_appointment(:ana, service => :service, resource => :hall, starts_at => '2060-03-01 09:00Z')).id
from crm.appointment_statuses f cross join crm.appointment_statuses t;
select set_config('frontdesk.fake_now', '2060-03-01 09:30Z', true);
update crm.appointments a set status = 'confirmed' from made m where m.id = a.id and m.f = 'confirmed';
update crm.appointments a set starts_at = '2060-03-01 09:31Z' from made m where m.id = a.id and m.f = 'rescheduled';
update crm.appointments a set status = m.f from made m where m.id = a.id and m.f in ('postponed', 'cancelled', 'completed', 'no_show');
select set_config('frontdesk.fake_now', '2060-03-01 09:32Z', true);
select f, string_agg(t, ', ' order by t) filter (where how = 'yes') as becomes, count(*) filter (where how <> 'yes') as refused
from (select m.f, m.t, become(m.id, m.t) as how from made m where m.t <> 'rescheduled' and m.f <> m.t) s group by f order by f;
select become(id, 'confirmed') from crm.appointments a where status = 'cancelled' limit 1;
select become(id, 'scheduled') from crm.appointments a where status = 'completed' limit 1;
rollback;

-- A life.
select id as a from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-04 10:00 Europe/Madrid', meeting_link => 'https://meet.example.com/1', notes => 'First') \gset
select * from planned;
select status, revision from crm.confirm_appointment(:a);
select status, revision, status_reason, status_changed_by from crm.reschedule_appointment(:a, '2060-03-05 12:00 Europe/Madrid', 'ill', by => 'Ana');
select * from planned;
select status, revision from crm.postpone_appointment(:a, 'still ill');
select * from planned;
select count(*) from crm.free_slots(:service, '2060-03-05 11:00Z', '2060-03-05 12:00Z', step => '1 hour');
select status, seat from crm.reschedule_appointment(:a, '2060-03-08 12:00 Europe/Madrid');
update crm.appointments set starts_at = '2060-03-08 13:00 Europe/Madrid' where id = :a;
update crm.appointments set meeting_link = 'https://meet.example.com/2' where id = :a;
update crm.appointments set internal_notes = 'nobody is told of this' where id = :a;
select status, ends_at - starts_at as long, revision from crm.appointments;
select * from planned;
call at('2060-03-08 08:00Z');
call at('2060-03-08 11:00Z');
call at('2060-03-08 11:05Z');
call at('2060-03-08 14:00Z');
select * from planned;
select status from crm.record_attendance(:a, true, 'on time');
select * from planned;
select * from told;
select old_status, new_status, old_starts_at, new_starts_at, changed_by, reason from crm.appointment_status_history order by id;
select attended, recorded_by, note, corrected from crm.appointment_attendance;

-- What is told.
select jsonb_pretty(record - 'account_id') from frontdesk.event where type = 'appointment.follow_up';
select record->>'starts_at_text', record->>'previous_status', record->>'previous_starts_at', record->>'reason', record->>'changed_by'
from frontdesk.event where type = 'appointment.rescheduled' order by id limit 1;

-- Corrections.
select status from crm.record_attendance(:a, false, 'it was another', correction => true);
select contact, days_left, ends_at from crm.active_penalties;
select attended, note, corrected from crm.appointment_attendance;
select crm.book_appointment(:ana, service => :service, starts_at => '2060-03-09 10:00 Europe/Madrid');
select status from crm.record_attendance(:a, true, correction => true);
select contact from crm.active_penalties;
select lifted_by, lift_reason from crm.penalties;

-- Penalties are of the length the account wants, and none when it wants none.
update crm.appointment_settings set no_show_penalty = '3 days';
select id as b from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-09 10:00 Europe/Madrid') \gset
call at('2060-03-09 09:10Z');
select status from crm.record_attendance(:b, false);
select days_left, ends_at from crm.active_penalties;
select record->>'blocked_until' from frontdesk.event where type = 'appointment.no_show' order by id desc limit 1;
select lifted_at, lift_reason from crm.lift_penalty((select id from crm.active_penalties), 'called before');
select crm.lift_penalty((select max(id) from crm.penalties));
update crm.appointment_settings set no_show_penalty = '0';
select id as c from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-09 12:00 Europe/Madrid') \gset
call at('2060-03-09 11:10Z');
select status from crm.record_attendance(:c, false);
select count(*) from crm.active_penalties;

-- Rules of reminders are rows: those of a service in place of the account's, followed by what is planned.
select id as d from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-10 12:00 Europe/Madrid') \gset
select * from planned where id = :d;
insert into crm.reminder_rules (account_id, service_id, kind, "offset") values (:'account', :service, 'reminder', '-2 hours'), (:'account', :service, 'reminder', '-15 minutes');
select * from planned where id = :d;
update crm.reminder_rules set "offset" = '-3 hours' where "offset" = '-2 hours';
update crm.reminder_rules set active = false where kind = 'follow_up';
select * from planned where id = :d;
delete from crm.reminder_rules where service_id is not null;
update crm.reminder_rules set active = true;
select * from planned where id = :d;
-- Booked too late for all of them: the nearest at once; what moves nothing does not repeat it, nor does a new rule; a new time does.
call at('2060-03-10 10:20Z');
select id as e from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-11 09:00Z') \gset
call at('2060-03-11 08:20Z');
select id as f from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-11 08:40Z', resource => :desk, duration => '20 minutes') \gset
select * from planned where id = :f;
call at('2060-03-11 08:21Z');
select status from crm.confirm_appointment(:f);
insert into crm.reminder_rules (account_id, kind, "offset") values (:'account', 'reminder', '-2 days');
call at('2060-03-11 08:22Z');
select status from crm.reschedule_appointment(:f, '2060-03-11 08:39Z');
call at('2060-03-11 08:23Z');
select type, minutes, starts from told where key like '%' || :f || '%' and type = 'appointment.reminder';
update crm.reminder_rules set send_late = false;
select id as h from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-11 10:00Z', duration => '10 minutes') \gset
select status from crm.reschedule_appointment(:h, '2060-03-11 10:05Z');
select status from crm.reschedule_appointment(:h, '2060-03-11 10:10Z');
select * from planned where id = :h;
call at('2060-03-11 09:30Z');
select type, minutes from told where key like '%' || :h || '%' and type = 'appointment.reminder';
select status from crm.reschedule_appointment(:h, '2060-03-11 10:20Z');
select * from planned where id = :h;
-- Nobody is reminded of what has begun: the engine was away.
select id as g from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-15 09:00Z') \gset
call at('2060-03-15 09:30Z');
select type, minutes from told where key like '%' || :g || '%' order by n;

-- What is brought from elsewhere tells nothing, and may be past; deleting does.
insert into crm.appointments (account_id, contact_id, service_id, resource_id, status, starts_at) values (:'account', :ana, :service, :desk, 'completed', '2059-01-02 10:00Z') returning id as old \gset
select a.status, a.seat, a.live, a.timezone, a.locale, t.attended from crm.appointments a join crm.appointment_attendance t on t.appointment_id = a.id where a.id = :old;
select count(*) from told where key = :'old';
delete from crm.appointments where id = :old;
select type, status from told where key = :'old';

-- Reports.
select status, local_starts_at, starts_in, contact, service from crm.upcoming_appointments;
select resource, day, starts, ends, status, is_past, contact from crm.agenda;
\x on
select * from crm.appointment_stats('2060-03-01', '2060-04-01');
select * from crm.appointment_stats('2061-03-01', '2061-04-01');
\x off

-- Restoring a dump or installing again changes nothing.
select count(*) from frontdesk.reminders;
delete from crm.reminder_rules;
do $$ begin perform frontdesk.install_crm(); end $$;
select name, event, source, tenant_column, payload from frontdesk_internal.timer_rule order by name;
select count(*) from crm.reminder_rules;
select count(*) from crm.services;
select frontdesk.uninstall_crm(current_database());
select count(*) from frontdesk.reminders;
select count(*) from frontdesk_internal.timer;
