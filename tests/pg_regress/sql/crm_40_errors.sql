-- Appointments: bad input, hostile text, and somebody else's ids.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
do $$ begin perform frontdesk.install_crm(); end $$;
-- A Monday.
set frontdesk.fake_now = '2060-03-01 08:00:00Z';
update crm.accounts set timezone = 'Europe/Madrid';
select id as account from crm.accounts \gset
insert into crm.contacts (account_id, name, email) values (:'account', 'Ana', 'ana@example.com') returning id as ana \gset
select id as service from crm.services \gset
select id as desk from crm.resources \gset
create function book(starts_at text, more text = '') returns text language plpgsql as $$
declare
  booked text;
begin
  execute format('select a.status from crm.book_appointment(contact => %s, service => %s, starts_at => %L%s) a',
    (select min(id) from crm.contacts), (select min(id) from crm.services), starts_at, more) into booked;
  return booked;
end $$;

-- Who, what, when.
select crm.book_appointment();
select crm.book_appointment(service => :service);
select crm.book_appointment(contact => :ana);
select crm.book_appointment(contact => :ana, service => :service);
select crm.book_appointment(contact => 4711, service => :service, starts_at => '2060-03-02 09:00Z');
select crm.book_appointment(lead => 4711, service => :service, starts_at => '2060-03-02 09:00Z');
select crm.book_appointment(contact => :ana, service => 4711, starts_at => '2060-03-02 09:00Z');
select book('2060-03-02 09:00Z', ', resource => 4711');
select book('yesterday at noon');
select book('2060-02-30 09:00Z');
select book('2060-02-28 09:00Z');
select book('infinity');
select book('-infinity');
select book('2259-03-02 09:00Z');
select book('2060-03-02 09:00Z', ', duration => interval ''200 years''');
select book('2060-03-02 09:00Z', ', duration => ''0''');
select book('2060-03-02 09:00Z', ', duration => ''-1 hour''');
select book('2060-03-02 09:00Z', ', duration => ''10 hours''');
select book('2060-03-06 09:00Z');
select book('2060-03-02 17:30Z');
select book('2060-03-02 09:00Z', ', timezone => ''Mars/Olympus''');
select book('2060-03-02 09:00Z', ', locale => ''no such language''');
select book('2060-03-02 09:00Z', ', meeting_link => ''javascript:alert(1)''');
select book('2060-03-02 09:00Z', ', meeting_link => ''https://a b''');
select book('2060-03-02 09:00Z', ', notes => repeat(''x'', 1048576)');
select book('2060-03-02 09:00Z', ', notes => E''bell \x07''');
select book('2060-03-02 09:00Z', ', notes => E''nul \x00''');
select book('2060-03-02 09:00Z', ', location => E''two\nlines''');
select book('2060-03-02 09:00Z', ', custom_attributes => ''[1]''');
select book('2060-03-02 09:00Z', ', custom_attributes => ''{"a": ''');
select book('2060-03-02 09:00Z', ', custom_attributes => jsonb_build_object(''a'', repeat(''x'', 200000))');
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at) values (:'account', :ana, :service, :desk, null);
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at, ends_at) values (:'account', :ana, :service, :desk, '2060-03-02 10:00Z', '2060-03-02 09:00Z');
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at, status) values (:'account', :ana, :service, :desk, '2060-03-02 10:00Z', 'rescheduled');
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at, status) values (:'account', :ana, :service, :desk, '2060-03-02 10:00Z', 'cita agendada');
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at) values (:'account', :ana, :service, 4711, '2060-03-02 10:00Z');
update crm.services set active = false;
select book('2060-03-02 09:00Z');
update crm.services set active = true;
update crm.resources set active = false;
select book('2060-03-02 09:00Z');
update crm.resources set active = true;
select count(*) from crm.appointments;

-- What became of it cannot be undone.
select id as a from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-02 09:00Z') \gset
select crm.record_attendance(:a, true);
select crm.record_attendance(:a, null);
select crm.reschedule_appointment(:a, '2060-03-02 09:00Z');
select crm.reschedule_appointment(:a, '2060-02-02 09:00Z');
select crm.reschedule_appointment(:a, null);
select crm.reschedule_appointment(:a, '2060-03-03 09:00Z', resource => 4711);
select crm.reschedule_appointment(:a, '2060-03-03 09:00Z', duration => '-1 hour');
update crm.appointments set ends_at = starts_at - interval '1 hour' where id = :a;
update crm.appointments set account_id = gen_random_uuid() where id = :a;
update crm.appointments set status = 'rescheduled' where id = :a;
update crm.appointments set timezone = 'x' where id = :a;
select status from crm.cancel_appointment(:a, repeat('because ', 10), 'Ana');
select crm.cancel_appointment(:a);
select crm.confirm_appointment(:a);
select crm.reschedule_appointment(:a, '2060-03-03 09:00Z');
select crm.postpone_appointment(:a);
select crm.record_attendance(:a, true);
select id as b from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-02 09:00Z') \gset
select crm.cancel_appointment(:b, repeat('x', 3000));
select crm.confirm_appointment(4711);
select crm.cancel_appointment(null);
set frontdesk.fake_now = '2060-03-02 10:00Z';
select status from crm.record_attendance(:b, true);
select crm.record_attendance(:b, true);
select crm.record_attendance(:b, false);
select crm.record_attendance(:b, true, correction => true);
select crm.lift_penalty(4711);
select crm.appointment_ics(:b, 'DESTROY');
select crm.appointment_ics(4711);

-- Overlap: by the verb, by the table, by moving into another; and the constraint behind it all.
select id as c from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-04 09:00Z') \gset
select id as d from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-04 10:00Z') \gset
select book('2060-03-04 09:59Z');
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at) values (:'account', :ana, :service, :desk, '2060-03-04 08:01Z');
select crm.reschedule_appointment(:c, '2060-03-04 09:30Z');
update crm.appointments set ends_at = '2060-03-04 10:01Z' where id = :c;
alter table crm.appointments disable trigger appointment_rules;
update crm.appointments set blocked = '[2060-03-04 09:00Z, 2060-03-04 10:01Z)' where id = :c;
alter table crm.appointments enable trigger appointment_rules;
select status from crm.reschedule_appointment(:c, '2060-03-04 08:30Z', duration => '90 minutes');

-- When the clocks change: Sunday the 28th has no 02:30, and on 31 October it comes twice.
insert into crm.business_hours (account_id, weekday, opens, closes) values (:'account', 7, '00:00', '24:00');
select starts_at, ends_at, crm.local_time(starts_at, timezone), crm.local_time(ends_at, timezone)
from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-28 02:30 Europe/Madrid', duration => '2 hours');
select starts_at, ends_at, crm.local_time(starts_at, timezone), crm.local_time(ends_at, timezone)
from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-28 01:30 Europe/Madrid', duration => '30 minutes');
select starts_at, ends_at, crm.local_time(starts_at, timezone), crm.local_time(ends_at, timezone)
from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-10-31 02:30+02', duration => '1 hour');
select crm.local_time(starts_at, timezone), frontdesk.format_time(starts_at, timezone, 'en')
from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-10-31 02:30+01', duration => '1 hour');
-- A reminder of "a day before" is at the same hour by the client's clock; one of 24 hours is not.
update crm.reminder_rules set "offset" = '-1 day' where "offset" = '-24 hours';
select a.starts_at, crm.local_time(m.due_at, a.timezone) from crm.appointment_reminders m join crm.appointments a on a.id = m.appointment_id
where m.kind = 'reminder' and m.due_at > '2060-10-01' order by 1, 2;

-- Any text is text: emoji, right to left, SQL, what a calendar file could stumble over.
insert into crm.contacts (account_id, name, email) values
  (:'account', E'"; drop table crm.appointments; --', 'x@example.com'), (:'account', 'שלום 👩‍👩‍👧 עולם', 'y@example.com');
insert into crm.services (account_id, name) values (:'account', E'\';delete from crm.services;--'), (:'account', 'ชาร้อน, ja; nein\ 🫖');
select (crm.book_appointment(contact => c.id, service => s.id, starts_at => timestamptz '2060-03-08 08:00Z' + (row_number() over ()) * interval '1 hour',
  notes => E'a;b,c\\d\r\ne\nBEGIN:VEVENT\nשלום 👩‍👩‍👧 ' || repeat('é', 90) || repeat('漢', 60) || repeat('🫖', 40), location => '$1 %s {{ x }} \n ; "', internal_notes => '''; rollback; --',
  external_id => $$');--$$, custom_attributes => '{"\";--": "\u0001 {{7*7}}"}')).id is not null as booked
from crm.contacts c cross join crm.services s where c.id > :ana and s.id > :service order by c.id, s.id;
select count(*) from crm.services;
select record->>'name' as name, record->>'service' as service, record->>'location' as location, record->'custom_attributes' as attributes, record ? 'internal_notes' as internal
from frontdesk.event where type = 'appointment.created' order by id desc limit 4;
select max(octet_length(line)) as octets, count(*) filter (where line ~ '\r|\n') as bare, count(*) filter (where line like 'BEGIN:VEVENT%') as events, count(*) as lines
from crm.appointments a cross join crm.appointment_ics(a.id) i cross join string_to_table(i, E'\r\n') line where a.notes is not null;
select string_agg(regexp_replace(line, '^(DTSTAMP|CREATED|LAST-MODIFIED|UID|ORGANIZER.*:urn:uuid):.*', '\1'), E'\n' order by n)
from (select max(id) id from crm.appointments) a cross join crm.appointment_ics(a.id, 'request') i cross join string_to_table(i, E'\r\n') with ordinality l (line, n);
-- Unfolded and unescaped it is what was written.
select replace(replace(replace(replace(replace(l.line, '\\', chr(1)), '\n', E'\n'), '\,', ','), '\;', ';'), chr(1), '\') = 'DESCRIPTION:' || replace(a.notes, E'\r', '') as same
from (select * from crm.appointments order by id desc limit 1) a
cross join string_to_table(replace(crm.appointment_ics(a.id), E'\r\n ', ''), E'\r\n') l (line) where l.line like 'DESCRIPTION%';

-- Somebody else's.
insert into crm.accounts (name) values ('Theirs') returning id as theirs \gset
insert into crm.account_members (account_id, user_id, role) values (:'account', 'me', 'owner'), (:'account', 'guest', 'viewer'), (:'theirs', 'them', 'owner');
select id as their_service from crm.services where account_id = :'theirs' \gset
select id as their_desk from crm.resources where account_id = :'theirs' \gset
insert into crm.contacts (account_id, name) values (:'theirs', 'Zoe') returning id as zoe \gset
insert into crm.penalties (account_id, contact_id, starts_at, ends_at) values (:'theirs', :zoe, '2060-03-01', '2060-04-01') returning id as penalty \gset
insert into crm.leads (account_id, name) values (:'theirs', 'Yan') returning id as yan \gset
select id as their_appointment from crm.book_appointment(lead => :yan, service => :their_service, starts_at => '2060-03-10 09:00Z') \gset
-- Without row level security it is the functions that hold.
create table theirs as select :their_service::bigint as service, :their_desk::bigint as desk, :zoe::bigint as zoe, :yan::bigint as yan,
  :penalty::bigint as penalty, :their_appointment::bigint as appointment, :'theirs'::uuid as account, :service::bigint as my_service, :ana::bigint as ana;
create function attempts() returns table (attempt text, answer text) language plpgsql as $$
declare
  t theirs;
begin
  select * into t from theirs;
  foreach attempt in array array[
    format('select crm.free_slots(%s)', t.service), format('select crm.available_slots(%s)', t.service), format('select crm.free_slots(%s, resource => %s)', t.my_service, t.desk),
    format('select crm.book_appointment(contact => %s, service => %s, starts_at => ''2060-03-11 09:00Z'')', t.ana, t.service),
    format('select crm.book_appointment(contact => %s, service => %s, starts_at => ''2060-03-11 09:00Z'')', t.zoe, t.my_service),
    format('select crm.book_appointment(lead => %s, service => %s, starts_at => ''2060-03-11 09:00Z'')', t.yan, t.my_service),
    format('select crm.book_appointment(contact => %s, service => %s, resource => %s, starts_at => ''2060-03-11 09:00Z'')', t.ana, t.my_service, t.desk),
    format('select crm.appointment(%s)', t.appointment), format('select crm.reschedule_appointment(%s, ''2060-03-11 09:00Z'')', t.appointment),
    format('select crm.postpone_appointment(%s)', t.appointment), format('select crm.cancel_appointment(%s)', t.appointment),
    format('select crm.confirm_appointment(%s)', t.appointment), format('select crm.record_attendance(%s, true)', t.appointment),
    format('select crm.appointment_ics(%s)', t.appointment), format('select crm.lift_penalty(%s)', t.penalty),
    format('select crm.appointment_stats(account => %L)', t.account), format('select total from crm.appointment_stats(''2060-03-10'', ''2060-03-11'')')]
  loop
    begin
      execute attempt into answer;
    exception when others then
      answer := sqlstate || ' ' || sqlerrm;
    end;
    attempt := replace(attempt, t.account::text, 'theirs');
    answer := replace(answer, t.account::text, 'theirs');
    return next;
  end loop;
end $$;
set frontdesk.user_id = 'me';
select * from attempts();
-- With row level security as well, and nothing of theirs is to be seen or written in any table.
create role crm_40_member;
select crm.grant_access('crm_40_member');
grant select on theirs to crm_40_member;
set role crm_40_member;
select count(*) filter (where answer !~ '^(P0002|42501|0)') as let_in from attempts();
select (select count(*) from crm.services), (select count(*) from crm.penalties), (select count(*) from crm.agenda where resource is null),
  (select count(*) from crm.appointments a, theirs t where a.account_id = t.account) as appointments,
  (select count(*) from crm.appointment_status_history a, theirs t where a.account_id = t.account) as history,
  (select count(*) from crm.appointment_reminders a, theirs t where a.account_id = t.account) as reminders,
  (select count(*) from crm.reminder_rules a, theirs t where a.account_id = t.account) as rules,
  (select count(*) from crm.business_hours a, theirs t where a.account_id = t.account) as hours,
  (select count(*) from crm.appointment_settings a, theirs t where a.account_id = t.account) as settings;
insert into crm.penalties (account_id, contact_id, starts_at, ends_at) select account, zoe, now(), now() + interval '1 day' from theirs;
insert into crm.appointments (account_id, contact_id, service_id, resource_id, starts_at) select account, zoe, service, desk, '2060-03-12 09:00Z' from theirs;
select status from crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-12 09:00Z');
-- Histories and vocabularies are read.
insert into crm.appointment_transitions values ('cancelled', 'confirmed');
update crm.appointment_statuses set live = false returning name;
delete from crm.reminder_kinds returning name;
update crm.appointment_status_history set reason = 'it was not me' returning id;
delete from crm.appointment_attendance returning appointment_id;
delete from crm.appointment_reminders returning appointment_id;
set frontdesk.user_id = 'guest';
\set VERBOSITY terse
select crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-12 10:00Z');
select count(*) > 0 from crm.upcoming_appointments;
select crm.cancel_appointment(min(id)) from crm.upcoming_appointments;
set frontdesk.user_id = 'nobody';
select * from crm.free_slots(:service);
select (select count(*) from crm.appointments), (select count(*) from crm.services), (select count(*) from crm.resources);
reset role;
reset frontdesk.user_id;
drop owned by crm_40_member;
drop role crm_40_member;
