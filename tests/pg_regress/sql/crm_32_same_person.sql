-- Who is the same person, and who is not: spellings of one phone, numbers that are nobody's, addresses that contradict a number.
set client_min_messages = notice;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
\set VERBOSITY default
do $$ begin perform frontdesk.install_crm(); end $$;
create function upsert(lead jsonb, strict boolean = true) returns text language sql as $$
  select concat_ws(' | ', l.id, l.name, l.email, l.phone, l.whatsapp, l.touches) from crm.upsert_lead(lead, strict) l
$$;

-- A new account has no country, and nobody guesses one: the number stays as it was given, which is said once in a transaction.
select country from crm.accounts;
begin;
select upsert('{"name": "Ana", "phone": "55 1234 5678"}');
select upsert('{"name": "Ana", "phone": "(55) 1234-5678"}');
insert into crm.leads (name, phone) values ('Row', '415 555 0123 x7') returning phone, custom_attributes;
commit;
-- Digits alone are no country code either; of a WhatsApp address they begin with one.
select upsert('{"name": "Digits", "phone": "14155550199"}');
select upsert('{"name": "Chat", "whatsapp": "5215512340099"}');
select upsert('{"name": "None", "phone": "call me"}');
select upsert('{"name": "Spain", "phone": "612 345 678", "country": "ES"}');
update crm.accounts set country = 'MX';
select upsert('{"name": "Home", "phone": "55 1234 5670"}');
set client_min_messages = warning;
truncate crm.leads restart identity cascade;

-- Whatever stands around a number.
select upsert(jsonb_build_object('name', 'Beto', key, number)) from (values
  (1, 'whatsapp', 'whatsapp:+5215512340077'), (2, 'phone', 'tel:+52-55-1234-0077'), (3, 'whatsapp', 'https://wa.me/5215512340077?text=Hola'),
  (4, 'phone', '+52 1 (55) 1234 0077'), (5, 'whatsapp', '5215512340077@s.whatsapp.net'), (6, 'phone', '＋５２ ５５ １２３４ ００７７')) v (n, key, number) order by n;

-- One phone has one key, however it was written down; the number itself stays. The other way round, and as a row.
select upsert('{"name": "Caio", "phone": "+5541988887777"}');
select upsert('{"name": "Caio", "whatsapp": "554188887777"}');
select upsert('{"name": "Davi", "whatsapp": "whatsapp:+554199990000"}');
select upsert('{"name": "Davi", "phone": "+55 41 9 9999-0000"}');
insert into crm.leads (name, phone) values ('Emilia', '+22997123456');
select upsert('{"name": "Emilia", "phone": "+229 01 97 12 34 56"}');
insert into crm.leads (name, phone) values ('Fede', '+54 11 2345-6789');
select upsert('{"name": "Fede", "whatsapp": "whatsapp:+5491123456789"}');
-- The address book knows them too.
insert into crm.contacts (name, phone) values ('Caio', '+554188887777') returning id as caio \gset
select crm.contact_of_lead(l.id) = :caio as same from crm.leads l where l.name = 'Caio';

-- What people type where a form insists is nobody's.
truncate crm.leads restart identity cascade;
truncate crm.contacts cascade;
select upsert(jsonb_build_object('name', name, 'email', name || '@example.com', 'phone', number)) from (values
  ('a', '1111111111'), ('b', '1111111111'), ('c', '+521111111111'), ('d', '0000000000'), ('e', '1234567890'), ('f', '1234567890'), ('g', '+15555555555'), ('h', '+15555555555'))
  v (name, number) order by name;
select upsert('{"name": "i", "phone": "1111111111"}'), upsert('{"name": "j", "phone": "1111111111"}');
select count(*), count(crm.contact_of_lead(id)) from crm.leads;
select count(*), count(phone) from crm.contacts;

-- The same number with another address is a question, not a merge.
truncate crm.leads restart identity cascade;
truncate crm.contacts cascade;
select upsert('{"name": "Gael", "email": "gael@example.com", "phone": "+525512345601"}');
select upsert('{"name": "Hana", "email": "hana@example.com", "phone": "+525512345601"}');
select upsert('{"name": "Hana", "email": "hana@example.com", "phone": "+525512345601"}');
select upsert('{"name": "Gael", "email": "gael@example.com", "phone": "+525512345602"}');
select lead_id, merged, matched_by, also_matched from crm.lead_touches order by id;
select lead_id, other_lead_id, name, other_name, email, other_email, phone = other_phone as same_phone from crm.possible_duplicates order by 1, 2;
-- In the address book the number belongs to whoever had it first.
select count(crm.contact_of_lead(l.id)) from (select id from crm.leads order by id offset 0) l;
select name, email, phone from crm.contacts order by id;
-- A number without an address is the newest lead's who has it; an address alone decides, whatever the number says.
select upsert('{"phone": "+525512345601"}');
select upsert('{"email": "gael@example.com", "phone": "+525512345601"}');
-- An id of another system decides before both.
select upsert('{"name": "Ines", "email": "ines@example.com", "phone": "+525512345603", "external_id": "x-1"}');
select upsert('{"name": "Ines", "email": "ines.new@example.com", "phone": "+525512345603", "external_id": "x-1"}');

-- One domain in the DNS is one address.
truncate crm.leads restart identity cascade;
select upsert('{"name": "Jo", "email": "jo@köln.de"}');
select upsert('{"name": "Jo", "email": "Jo@xn--kln-sna.DE"}');
select upsert('{"name": "Jo", "email": "jo@KÖLN.de"}');

-- An id that a client brings along is taken; who has one account need not name it; who has several must.
insert into crm.leads (id, name) values (4711, 'Import') returning id, account_id = (select id from crm.accounts) as own;
insert into crm.leads (id, name) values (4711, 'Import again') on conflict (id) do update set name = excluded.name returning id, name;
insert into crm.contacts (id, name) values (4712, 'Import') returning id;
insert into crm.documents (id, content) values (4713, 'Opening hours: 9 to 18.') returning id, account_id is not null as own;
select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = 'crm'::regnamespace and a.attidentity = 'a';
insert into crm.accounts (name) values ('Second');
insert into crm.leads (name) values ('Whose?');
create role same_person_app;
select crm.grant_access('same_person_app');
insert into crm.account_members (account_id, user_id) select id, 'ada' from crm.accounts where name = 'Second';
set role same_person_app;
insert into crm.leads (name) values ('Nobody');
set frontdesk.user_id = 'ada';
insert into crm.leads (name) values ('Hers') returning name;
insert into crm.services (name) values ('Hers too') returning name;
reset frontdesk.user_id;
reset role;
select l.name, a.name from crm.leads l join crm.accounts a on a.id = l.account_id where l.name = 'Hers';

-- Errors say what is wrong, also where there is nothing to choose from.
insert into crm.accounts (name) values ('Bare') returning id as bare \gset
delete from crm.lead_stages where account_id = :'bare';
delete from crm.document_categories where account_id = :'bare';
select crm.train_score_model('chance', 'contacted', '{won}', '{lost}', :'bare');
insert into crm.documents (account_id, content, category) values (:'bare', 'Text', 'none');

-- A search of one letter, as somebody types.
select (crm.search_leads('h', (select id from crm.accounts where name = 'Second'))).name;
select name from crm.search_leads('x', (select id from crm.accounts where name = 'Second'));

-- A complete lead of a new account is a good one.
insert into crm.leads (account_id, name, email, phone, service, company, region, country, postal_code, message)
select id, 'Complete', 'complete@example.com', '+525512345609', 'Implant', 'Acme', 'CDMX', 'MX', '01000', 'Hello' from crm.accounts where name = 'Second' returning score, score_tier;

-- Sample data is told nobody, and reminds nobody; what is done in the sample is.
select count(*) as events, max(id) as last from frontdesk.event \gset
select crm.load_sample_data() as clinic \gset
select count(*) as told from frontdesk.event where id > :last and tenant = :'clinic';
select count(*) as reminders from crm.appointment_reminders where account_id = :'clinic';
select crm.load_sample_data() = :'clinic' as again;
update crm.leads set stage = 'lost' where account_id = :'clinic' and external_id = 'sample-1';
select type from frontdesk.event where id > :last and tenant = :'clinic';

-- A client has one name in webhooks: that of their lead, in events of appointments too.
update crm.leads set client_reference = 'K-77' where account_id = :'clinic' and external_id = 'sample-12';
select l.external_id, crm.appointment_payload(a)->>'client_id' = coalesce(l.client_reference, l.id::text) as same
from crm.appointments a join crm.leads l on l.id = a.lead_id where a.account_id = :'clinic' order by l.id;
select crm.client_id(null, 0) as never_a_lead;
drop owned by same_person_app;
drop role same_person_app;
