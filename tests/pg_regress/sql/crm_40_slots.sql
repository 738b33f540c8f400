-- Calendars and slots: hours, holidays, zones, changes of the clocks, buffers, capacity.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
do $$ begin perform frontdesk.install_crm(); end $$;
-- A Monday. Engine and tests are years apart, so that no timer fires meanwhile.
set frontdesk.fake_now = '2060-03-01 06:00:00Z';
update crm.accounts set timezone = 'Europe/Madrid';
select id as account from crm.accounts \gset
insert into crm.contacts (account_id, name) values (:'account', 'Ana') returning id as ana \gset
select id as service from crm.services \gset
select id as desk from crm.resources \gset
create view hours as
select resource_id, lower(h) at time zone 'Europe/Madrid' as opens, upper(h) at time zone 'Europe/Madrid' as closes, upper(h) - lower(h) as long
from (select array_agg(id) ids from crm.resources) r cross join crm.open_hours(r.ids, '2060-03-26 12:00Z', '2060-03-29 12:00Z') o cross join unnest(o.hours) h
order by 1, 2;

-- What an account begins with.
select name, duration, buffer_before, buffer_after, active from crm.services;
select weekday, opens, closes from crm.business_hours order by weekday;
select count(*), min(lower(s)), max(upper(s)) from crm.free_slots(:service, '2060-03-01', '2060-03-08') s;
select s from crm.free_slots(:service, '2060-03-01', '2060-03-02', step => '2 hours') s;

-- Hours of a resource are in place of the account's; a row of another day follows on midnight; on the 28th the clocks skip from 2 to 3.
insert into crm.resources (account_id, name, timezone) values (:'account', 'Night owl', 'Europe/Madrid') returning id as owl \gset
insert into crm.business_hours (account_id, resource_id, weekday, opens, closes)
values (:'account', :owl, 6, '22:00', '24:00'), (:'account', :owl, 7, '00:00', '04:00'), (:'account', :owl, 7, '02:15', '02:45');
insert into crm.business_hours (account_id, resource_id, weekday, opens, closes, valid_until) values (:'account', :owl, 5, '10:00', '11:00', '2060-03-25');
select * from hours;
select count(*), max(upper(s)) - min(lower(s)) as long from crm.free_slots(:service, '2060-03-27 12:00Z', '2060-03-28 12:00Z', resource => :owl) s;
select count(*), max(upper(s)) - min(lower(s)) as long from crm.free_slots(:service, '2060-10-30 12:00Z', '2060-10-31 12:00Z', resource => :owl) s;
select local_start, local_text from crm.available_slots(:service, '2060-03-27 23:00Z', '2060-03-28 04:00Z', 'Europe/London', :owl, '1 hour', locale => 'en-GB');

-- Holidays and days with other hours; a resource's own come first.
insert into crm.calendar_exceptions (account_id, first_day, last_day, reason) values (:'account', '2060-03-26', '2060-03-27', 'Easter');
insert into crm.calendar_exceptions (account_id, resource_id, first_day, last_day, opens, closes) values
  (:'account', :owl, '2060-03-27', '2060-03-27', '12:00', '13:00'), (:'account', :owl, '2060-03-27', '2060-03-27', '15:00', '16:00');
select * from hours;
delete from crm.calendar_exceptions;

-- Another zone: nine o'clock in Tokyo.
insert into crm.resources (account_id, name, timezone) values (:'account', 'Tokyo', 'Asia/Tokyo') returning id as tokyo \gset
select lower(s) from crm.free_slots(:service, '2060-03-02', '2060-03-03', resource => :tokyo, step => '4 hours') s;
update crm.resources set active = false where id <> :desk;

-- Buffers keep their distance from each other's, and may lie outside of business hours.
update crm.services set buffer_before = '15 minutes', buffer_after = '30 minutes', duration = '45 minutes';
select (crm.book_appointment(:ana, service => :service, starts_at => '2060-03-02 12:00 Europe/Madrid')).blocked;
select lower(s) at time zone 'Europe/Madrid' from crm.free_slots(:service, '2060-03-02 09:00Z', '2060-03-02 14:00Z') s;
select min(lower(s)) at time zone 'Europe/Madrid' as first, max(upper(s)) at time zone 'Europe/Madrid' as last
from crm.free_slots(:service, '2060-03-02', '2060-03-03') s;

-- Steps are counted from each opening; what is booked at odd times leaves what fits.
update crm.services set buffer_before = '0', buffer_after = '0', duration = '30 minutes';
update crm.business_hours set opens = '09:10', closes = '11:10' where weekday = 3 and resource_id is null;
select id from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-03 09:47 Europe/Madrid', duration => '20 minutes');
select lower(s) at time zone 'Europe/Madrid' from crm.free_slots(:service, '2060-03-03', '2060-03-04', step => '10 minutes') s;

-- A slot ends at its hour; one that begins when another ends is free.
select lower(s) at time zone 'Europe/Madrid' from crm.free_slots(:service, '2060-03-03 08:00', '2060-03-03 09:07', step => '1 minute') s limit 3;
select lower(s) at time zone 'Europe/Madrid' from crm.free_slots(:service, '2060-03-03 09:06', '2060-03-03 09:38', step => '1 minute') s;

-- Several at once: each takes a seat of its own.
insert into crm.resources (account_id, name, capacity) values (:'account', 'Classroom', 3) returning id as room \gset
insert into crm.services (account_id, name, duration) values (:'account', 'Course', '2 hours') returning id as course \gset
insert into crm.service_resources values (:'account', :course, :room);
select n, (crm.book_appointment(:ana, service => :course, starts_at => '2060-03-04 09:00 Europe/Madrid')).seat from generate_series(1, 3) n;
select crm.book_appointment(:ana, service => :course, starts_at => '2060-03-04 10:00 Europe/Madrid');
select (crm.book_appointment(:ana, service => :course, starts_at => '2060-03-04 11:00 Europe/Madrid')).seat;
select lower(s) at time zone 'Europe/Madrid' from crm.free_slots(:course, '2060-03-04', '2060-03-05', step => '1 hour') s;
select (crm.cancel_appointment(id)).status from crm.appointments where seat = 2 and resource_id = :room;
select (crm.book_appointment(:ana, service => :course, starts_at => '2060-03-04 10:00 Europe/Madrid')).seat;

-- Any resource that is free.
update crm.resources set active = true, timezone = null where id = :tokyo;
select r.name from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-05 10:00 Europe/Madrid') a join crm.resources r on r.id = a.resource_id;
select r.name from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-05 10:00 Europe/Madrid') a join crm.resources r on r.id = a.resource_id;
update crm.resources set active = false where id in (:room, :owl);
select crm.book_appointment(:ana, service => :service, starts_at => '2060-03-05 10:00 Europe/Madrid');
select crm.book_appointment(:ana, service => :service, starts_at => '2060-03-05 23:00 Europe/Madrid', timezone => 'America/New_York');
update crm.resources set active = true where id = :room;
select resource_name, count(*) from crm.available_slots(:service, '2060-03-05 08:00Z', '2060-03-05 10:00Z') group by 1 order by 1;

-- Notice and horizon.
update crm.appointment_settings set minimum_notice = '1 day', booking_horizon = '10 days';
select min(lower(s)), max(lower(s)) from crm.free_slots(:service, '2060-03-01', '2060-04-01') s;
select crm.book_appointment(:ana, service => :service, starts_at => '2060-03-01 10:00 Europe/Madrid');
select crm.book_appointment(:ana, service => :service, starts_at => '2060-03-12 10:00 Europe/Madrid');

-- Slots are exactly what can be booked: each of them books, and no other quarter of an hour does.
update crm.appointment_settings set minimum_notice = '0', booking_horizon = '1 year';
update crm.resources set active = id = :desk;
update crm.services set buffer_before = '10 minutes', buffer_after = '5 minutes', duration = '40 minutes' where id = :service;
select id from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-08 11:20 Europe/Madrid');
select id from crm.book_appointment(:ana, service => :service, starts_at => '2060-03-08 15:05 Europe/Madrid');
create function books(starts timestamptz, service bigint, contact bigint) returns boolean language plpgsql as $$
begin
  perform crm.book_appointment(contact, service => service, starts_at => starts);
  raise exception using errcode = 'UUUUU';
exception
  when sqlstate 'UUUUU' then return true;
  when exclusion_violation or check_violation then return false;
end $$;
select count(*) as quarters, count(*) filter (where books(t, :service, :ana)) as bookable,
  count(*) filter (where books(t, :service, :ana) <> exists (select from crm.free_slots(:service, '2060-03-08', '2060-03-09') s where lower(s) = t)) as wrong
from generate_series('2060-03-08'::timestamptz, '2060-03-08 23:45', '15 minutes') t;

-- Bad input.
select * from crm.free_slots(4711);
select * from crm.free_slots(null);
select * from crm.free_slots(:service, timezone => 'Mars/Olympus');
select * from crm.free_slots(:service, timezone => ''';drop table crm.appointments;--');
select * from crm.free_slots(:service, '2060-03-08', '2060-03-07');
select * from crm.free_slots(:service, '2060-03-08', '2063-03-07');
select * from crm.free_slots(:service, '-infinity', 'infinity');
select * from crm.free_slots(:service, step => '0');
select * from crm.free_slots(:service, step => '-15 minutes');
select * from crm.free_slots(:service, step => '1 month');
select * from crm.free_slots(:service, step => null);
select * from crm.free_slots(:service, resource => 4711);
select * from crm.free_slots(:service, resource => :room);
select count(*) from crm.free_slots(:service, '2059-01-01', '2059-02-01');
select count(*) from crm.available_slots(:service, duration => '2 months');
select * from crm.available_slots(:service, locale => 'not a tag');
\set VERBOSITY terse
insert into crm.business_hours (account_id, weekday, opens, closes) values (:'account', 8, '09:00', '10:00');
insert into crm.business_hours (account_id, weekday, opens, closes) values (:'account', 1, '10:00', '09:00');
insert into crm.calendar_exceptions (account_id, first_day, last_day) values (:'account', '2060-01-02', '2060-01-01');
insert into crm.calendar_exceptions (account_id, first_day, last_day, opens) values (:'account', '2060-01-02', '2060-01-02', '09:00');
insert into crm.resources (account_id, name, timezone) values (:'account', 'x', 'Nowhere');
insert into crm.resources (account_id, name, capacity) values (:'account', 'x', 0);
insert into crm.services (account_id, name, duration) values (:'account', 'x', '200 years');
insert into crm.services (account_id, name, duration) values (:'account', 'x', '-1 hour');
insert into crm.services (account_id, name, meeting_link) values (:'account', 'x', 'javascript:alert(1)');
insert into crm.services (account_id, name) values (:'account', E'two\nlines');

-- Starts do not depend on where the search begins: not with steps that do not divide an hour, not where it is open day and night.
insert into crm.resources (account_id, name, timezone) values (:'account', 'Hotline', 'America/St_Johns') returning id as hotline \gset
insert into crm.business_hours (account_id, resource_id, weekday, opens, closes) select :'account', :hotline, d, '00:00', '24:00' from generate_series(1, 7) d;
insert into crm.services (account_id, name, duration) values (:'account', 'Call', '50 minutes') returning id as call \gset
insert into crm.service_resources (account_id, service_id, resource_id) values (:'account', :call, :hotline);
create function starts(service bigint, day timestamptz, step interval) returns timestamptz[] language sql as $$
  select array(select s.starts_at from crm.available_slots(service, day, day + interval '3 days', step => step) s order by 1)
$$;
with searches as (
  select step, shift, array(
    select t from unnest(starts(:call, timestamptz '2060-03-16 00:00Z' + shift, step)) t where t between '2060-03-17 12:00Z' and '2060-03-18 12:00Z') as found
  from unnest('{50 minutes,7 minutes,45 minutes,1 day,13:37}'::interval[]) step, unnest('{0,00:01,05:13,17:00,1 day}'::interval[]) shift)
select step, count(distinct found) as answers, min(cardinality(found)) as starts from searches group by step order by step;
select starts_at at time zone 'America/St_Johns' as starts, ends_at - starts_at as long, slot = tstzrange(starts_at, ends_at) as same
from crm.available_slots(:call, '2060-03-17 01:00Z', '2060-03-17 04:30Z', step => '50 minutes') s;
-- A night that goes over midnight is counted from its opening, in one go.
update crm.resources set active = true where id = :owl;
insert into crm.service_resources (account_id, service_id, resource_id) values (:'account', :service, :owl) on conflict do nothing;
select starts_at at time zone 'Europe/Madrid' from crm.available_slots(:service, '2060-03-20 22:40Z', '2060-03-21 01:00Z', resource => :owl, step => '50 minutes') s;
