-- Contacts: one row for a person, every way to reach him in one spelling.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
select frontdesk.install_crm() is not null;
update crm.accounts set country = 'MX', timezone = 'America/Mexico_City';
create temp view account as select id from crm.accounts;

insert into crm.contacts (account_id, first_name, last_name, email, phone, whatsapp, instagram, telegram, consent)
select id, ' Ana ', 'García', 'ANA@example.com ', '(55) 1234 5678 ext. 12', '5215512345678', 'https://instagram.com/Ana.G/', '@ana_g', true from account
returning name, email, phone, whatsapp, instagram, telegram, consent_at is not null as consented, custom_attributes;

-- One e-mail address, number, handle: one contact.
insert into crm.contacts (account_id, email) select id, 'nobody' from account;
insert into crm.contacts (account_id, phone) select id, '123' from account;
insert into crm.contacts (account_id, timezone) select id, 'Europe/Atlantis' from account;
\set VERBOSITY terse
insert into crm.contacts (account_id, custom_attributes) select id, '[]' from account;
insert into crm.contacts (account_id, email) select id, 'Ana@Example.com' from account;
insert into crm.contacts (account_id, phone) select id, '+525512345678' from account;
\set VERBOSITY default
insert into crm.contacts (account_id, name) select id, repeat('x', 1000) from account;
-- A number of another country, by the contact's own.
insert into crm.contacts (account_id, name, phone, country) select id, 'Bea', '612 34 56 78', 'ES' from account returning phone;
update crm.contacts set phone = null, email = ' BEA@example.es' where name = 'Bea' returning phone, email, updated_at > created_at as later;

-- The contact of a lead: by e-mail, by number, by handle; else a new one; and the same when asked again.
insert into crm.leads (account_id, name, email) select id, 'Ana', 'ana@example.com' from account;
insert into crm.leads (account_id, name, whatsapp) select id, 'A.', '55 1234 5678' from account;
insert into crm.leads (account_id, name, instagram) select id, 'ana.g', '@ana.g' from account;
insert into crm.leads (account_id, name, email, phone, consent) select id, 'Carlos', 'carlos@example.com', '5598765432', true from account;
insert into crm.leads (account_id, name) select id, 'No channel' from account;
select count(crm.contact_of_lead(id)) from crm.leads;
select l.name, c.name as contact, c.email, c.phone from crm.leads l join crm.contacts c on c.id = l.contact_id order by l.id;
select count(*) from crm.contacts;
select bool_and(crm.contact_of_lead(l.id) = l.contact_id) from crm.leads l;
select crm.contact_of_lead(0);
select crm.contact_of_lead(null);

-- A contact that goes leaves its leads.
delete from crm.contacts where name = 'Carlos';
select name, contact_id from crm.leads where name = 'Carlos';
