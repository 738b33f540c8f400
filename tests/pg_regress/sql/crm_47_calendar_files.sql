-- Calendar files as RFC 5545 and 5546 want them: zones, an organizer always, cancellations that are ones.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
do $$ begin perform frontdesk.install_crm(); end $$;
set frontdesk.fake_now = '2060-03-01 06:00:00Z';
update crm.accounts set timezone = 'Europe/Madrid', name = 'Clínica "Sonrisa"';
select id as account from crm.accounts \gset
insert into crm.contacts (account_id, name, email) values (:'account', 'Ana, "la" García; \', 'ana@example.com') returning id as ana \gset
insert into crm.contacts (account_id, name, phone) values (:'account', 'Beto', '+525512345678') returning id as beto \gset
select id as service from crm.services \gset
select id as desk from crm.resources \gset
create function file(id bigint, method text = null) returns setof text language sql as $$
  select regexp_replace(line, '^(DTSTAMP|CREATED|LAST-MODIFIED|UID|ORGANIZER.*:urn:uuid):.*', '\1')
  from string_to_table(replace(crm.appointment_ics(id, method), E'\r\n ', ''), E'\r\n') line where line <> ''
$$;
select (crm.book_appointment(contact => :ana, service => :service, starts_at => '2060-03-26 09:00Z')).id as a \gset
select (crm.book_appointment(contact => :beto, service => :service, starts_at => '2060-03-29 09:00Z')).id as b \gset

-- On the clocks of the resource, with the zone that explains them. Published, it has an organizer and asks nobody.
select file(:a);
-- The account's address, before that of the agent who stands behind the resource.
insert into crm.agents (account_id, name, kind, settings) values (:'account', 'Marta', 'person', '{"email": "marta@example.com"}') returning id as marta \gset
update crm.resources set agent_id = :marta where id = :desk;
select * from file(:a, 'request') line where line ~ '^(METHOD|ORGANIZER|ATTENDEE|STATUS|SEQUENCE)';
update crm.accounts set settings = '{"email": "hola@example.com"}';
select * from file(:b, 'request') line where line ~ '^(ORGANIZER|ATTENDEE|DTSTART;|DTEND)';
-- An address that would end its line is none.
update crm.accounts set settings = '{"email": "x@example.com\r\nATTENDEE:mailto:eve@example.com"}';
select * from file(:b, 'request') line where line ~ '^(ORGANIZER|ATTENDEE)';
-- A resource elsewhere; in UTC without a zone.
update crm.resources set timezone = 'Asia/Kolkata' where id = :desk;
select * from file(:a) line where line ~ '^(TZ|DTSTART|DTEND)';
update crm.resources set timezone = 'UTC' where id = :desk;
select * from file(:a) line where line ~ '^(TZ|DTSTART|DTEND|BEGIN)';

-- What is called off is cancelled, also when it is asked for as a request; its sequence is higher than all before.
select (crm.cancel_appointment(:a, 'ill')).status;
select * from file(:a) line where line ~ '^(METHOD|STATUS|SEQUENCE|ORGANIZER|ATTENDEE)';
select * from file(:a, 'REQUEST') line where line ~ '^(METHOD|STATUS|SEQUENCE|ATTENDEE)';
select (crm.postpone_appointment(:b)).status;
select * from file(:b, 'REQUEST') line where line ~ '^(METHOD|STATUS|SEQUENCE)';
