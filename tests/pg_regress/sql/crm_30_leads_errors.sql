-- Leads: what is refused, with what to do about it; and what is odd but kept.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
select frontdesk.install_crm() is not null;
delete from crm.accounts;
insert into crm.accounts (id, name, country, timezone) values ('a0000000-0000-4000-8000-00000000000a', 'Clinic', 'MX', 'America/Mexico_City');
create function account() returns uuid return 'a0000000-0000-4000-8000-00000000000a'::uuid;

insert into crm.leads (account_id, email) values (account(), 'not an address');
insert into crm.leads (account_id, email) values (account(), 'a@b@c');
insert into crm.leads (account_id, phone) values (account(), 'call me');
insert into crm.leads (account_id, phone) values (account(), '555 1234');
insert into crm.leads (account_id, phone) values (account(), '+999 1234567');
insert into crm.leads (account_id, whatsapp) values (account(), '12');
insert into crm.leads (account_id, instagram) values (account(), 'two words');
insert into crm.leads (account_id, timezone) values (account(), 'Mars/Olympus');
insert into crm.leads (account_id, stage) values (account(), 'nearly');
\set VERBOSITY terse
insert into crm.leads (account_id, stage) values (account(), null);
insert into crm.leads (account_id, budget) values (account(), -1);
insert into crm.leads (account_id, custom_attributes) values (account(), '"text"');
\set VERBOSITY default
insert into crm.leads (account_id, name) values (account(), repeat('x', 1000000));
insert into crm.leads (account_id, name) values ('00000000-0000-4000-8000-000000000000', 'no account');
insert into crm.leads (account_id, name, contact_id) values (account(), 'no contact', 4711);
insert into crm.leads (account_id, name) values (account(), E'nul \x00 in it');
select count(*) from crm.leads;

select crm.upsert_lead(null);
select crm.upsert_lead('[1]');
select crm.upsert_lead('{"email": "nobody"}');
select crm.upsert_lead('{"phone": "call me"}');
select crm.upsert_lead('{"phone": "12", "country": "ES"}');
select crm.upsert_lead('{"budget": "a lot"}');
select crm.upsert_lead('{"ip": "unknown"}');
select crm.upsert_lead('{"consent": "perhaps"}');
select crm.upsert_lead('{"telegram": "no name"}');
select crm.upsert_lead('{"timezone": "Mars/Olympus"}');
select crm.upsert_lead('{"stage": "nearly"}');
select crm.upsert_lead('{"name": "nul \u0000 in it"}');
select crm.upsert_lead('{"account_id": "mine"}');
select crm.upsert_lead('{"account_id": "00000000-0000-4000-8000-000000000000"}');
select crm.upsert_lead('{"custom_attributes": 1}');
select crm.upsert_lead('not json');
select count(*) from crm.leads;

-- Where nothing may be lost, what cannot be read is kept as it came.
select name, email, phone, budget, custom_attributes
from crm.upsert_lead('{"name": "Ana", "email": "nobody", "phone": "call me", "budget": "a lot", "ip": "unknown", "timezone": "Mars/Olympus"}', strict => false);

insert into crm.leads (account_id, name) values (account(), 'Ana');
select crm.set_lead_stage(max(id), 'nearly') is null from crm.leads;
select crm.set_lead_stage(max(id), null) is null from crm.leads;
select crm.set_lead_stage(0, 'won') is null;
select crm.set_lead_stage(null, 'won') is null;
delete from crm.lead_stages where name = 'new';
insert into crm.lead_stages (account_id, name, label, position, probability) values (account(), 'Not A Name', 'x', 1, 0);
insert into crm.lead_stages (account_id, name, label, position, probability) values (account(), 'x', 'x', 1, 2);
insert into crm.lead_stages (account_id, name, label, position, probability, kind) values (account(), 'x', 'x', 1, 0, 'maybe');
select * from crm.search_leads('');
select * from crm.search_leads(null);
select count(*) from crm.search_leads('a');
select * from crm.search_leads(repeat('x', 1000));
select * from crm.search_leads('ana', '00000000-0000-4000-8000-000000000000');
select * from crm.lead_stats(account => '00000000-0000-4000-8000-000000000000');

-- Odd, and kept as it is: emoji, right to left, marks that join, SQL, markup, a megabyte.
truncate crm.leads restart identity cascade;
insert into crm.leads (account_id, name, company, notes, message, custom_attributes) values
  (account(), '👩‍👩‍👧 Ана', 'מרפאת שיניים', E'line 1\nline 2\ttab', '<script>alert(1)</script>', '{"''; drop table crm.leads; --": "\"}"}'),
  (account(), '‮evil‬', '''; drop table crm.leads; --', repeat('a long note. ', 80000), '{{ 7 * 7 }} $1 %s \', '{"deep": {"er": [null, 1e400]}}');
select name, company, length(notes) as notes, message, custom_attributes from crm.leads order by id;
select (crm.upsert_lead(jsonb_build_object('email', 'long@example.com', 'notes', repeat('x', 1000000), '''; drop table crm.leads; --', 1))).custom_attributes;
select (crm.upsert_lead('{"email": "o''brien+\"x@example.com"}')).email;
select (crm.upsert_lead('{"email": "o''brien@example.com", "name": "Robert''); DROP TABLE students;--"}')).name;
select count(*), bool_and(octet_length(record::text) > 500) as recorded from frontdesk.event where type = 'lead.created' and (record->>'id')::int < 3;
select count(*) from crm.search_leads('long note');
