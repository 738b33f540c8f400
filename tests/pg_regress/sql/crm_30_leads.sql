-- Leads: how they come in, merge, move, and are found.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
select frontdesk.install_crm() is not null;
delete from crm.accounts;
insert into crm.accounts (id, name, country, timezone) values ('a0000000-0000-4000-8000-00000000000a', 'Clinic', 'MX', 'America/Mexico_City');
create function account() returns uuid return 'a0000000-0000-4000-8000-00000000000a'::uuid;
create temp view events as select type, op, key, tenant is not null as tenant from frontdesk.event where type like 'lead.%' order by id;

-- While tables are empty, a key is checked by the index of the key, and not by one that reads all rows of an account.
explain (costs off) select 1 from only crm.leads x where account_id = account() and id = 1 for key share of x;
explain (costs off) select 1 from only crm.appointments x where account_id = account() and id = 1 for key share of x;
explain (costs off) select 1 from only crm.documents x where account_id = account() and id = 1 for key share of x;

-- The stages of every account.
select name, label, position, probability, kind, meta_event, meta_value from crm.lead_stages order by position;

-- A row is a lead: in one spelling, in its first stage, with history and event.
insert into crm.leads (account_id, name, email, phone, whatsapp, instagram, first_name, service, consent, ip)
values (account(), E' Ana  García\n', 'Ana@Example.COM', '55 1234 5678 x12', '5215512345678', 'https://instagram.com/Ana.G', '', 'Implant', true, '203.0.113.7')
returning id, name, email, phone, whatsapp, instagram, first_name, stage, converted_at, touches, consent_at is not null as consented, custom_attributes;
select old_stage, new_stage, time_in_stage, changed_by = 'role ' || session_user as by_role from crm.lead_status_history;
select * from events;

-- It moves; who, why and how long is kept; only won is a conversion.
set crm.actor = 'agent Sofía';
select stage, converted_at is not null as converted from crm.set_lead_stage(1, 'qualified', 'she called');
set crm.actor = '';
select stage, converted_at is not null as converted from crm.set_lead_stage(1, 'won');
select stage, converted_at is not null as converted from crm.set_lead_stage(1, 'repeat');
select stage, converted_at is not null as converted from crm.set_lead_stage(1, 'repeat');
select stage, converted_at is not null as converted from crm.set_lead_stage(1, 'lost', 'moved away');
update crm.leads set stage = 'contacted' where id = 1;
select old_stage, new_stage, reason, changed_by like 'agent%' as by_agent, time_in_stage >= '0' as time_known from crm.lead_status_history order by id;
select type, key from events offset 1;
-- A lead that is imported as won was converted when that says so.
insert into crm.leads (account_id, name, stage, converted_at) values (account(), 'Old client', 'won', '2020-01-01 00:00Z'), (account(), 'Open', 'new', '2020-01-01 00:00Z')
returning name, stage, converted_at at time zone 'UTC';

-- An account's own stages.
insert into crm.lead_stages (account_id, name, label, position, probability) values (account(), 'trial', 'On trial', 35, 0.3);
select stage from crm.set_lead_stage(2, 'trial');
update crm.lead_stages set name = 'pilot' where name = 'trial';
select stage from crm.leads where id = 2;
delete from crm.lead_stages where name = 'pilot';
select stage from crm.set_lead_stage(2, 'contacted');
delete from crm.lead_stages where name = 'pilot';
select count(*) from crm.leads;

-- The same person again: by e-mail in another spelling, by number, by handle. Gaps are filled, nothing is overwritten, nothing is lost.
truncate crm.leads restart identity cascade;
create function upsert(lead jsonb) returns text language sql as $$
  select concat_ws(' | ', l.id, l.name, l.email, l.phone, l.whatsapp, l.instagram, l.service, l.budget, l.source, l.touches, l.custom_attributes) from crm.upsert_lead(lead) l
$$;
select upsert('{"name": "Ana", "email": "ana@example.com", "utm_source": "fb", "color": "blue", "nested": {"a": 1}, "custom_attributes": {"vip": true}}');
select upsert('{"name": "Ana María", "email": "ANA@example.com", "phone": "55 1234 5678", "budget": 45000, "color": "red", "source": "meta_ads"}');
select upsert('{"phone": "+525512345678", "instagram": "@Ana.G", "service": "Implant", "notes": ""}');
select upsert('{"whatsapp": "5215512345678", "custom_attributes": {"shoe": 38}}');
select upsert('{"instagram": "ana.g", "email": "ana.private@example.com"}');
-- By the second address too, which no column has room for.
select upsert('{"email": "ana.private@example.com", "name": "A. G."}');
select count(*) from crm.leads;
select merged, matched_by, filled, details->>'name' as name from crm.lead_touches order by id;
select channel, value from crm.lead_identities order by 1, 2;
select type, key, count(*) from frontdesk.event where type = 'lead.touched' group by 1, 2;
select record->>'name' as name, record->>'touches' as touches, record->'touch'->'filled' as filled, record ? 'score_breakdown' as secret from frontdesk.event where type = 'lead.touched' order by id limit 1;

-- Ids of other systems; a lead that was inserted as a row is recognised as well; another account's is not.
select upsert('{"meta_lead_id": "l:1", "name": "Form"}');
select upsert('{"meta_lead_id": "l:1", "email": "form@example.com"}');
insert into crm.leads (account_id, name, email) values (account(), 'Row', 'row@example.com');
select upsert('{"email": "row@example.com", "service": "Braces"}');
insert into crm.accounts (id, name) values ('b0000000-0000-4000-8000-00000000000b', 'Other');
select upsert('{"account_id": "b0000000-0000-4000-8000-00000000000b", "email": "row@example.com", "name": "Elsewhere"}');
insert into crm.leads (account_id, name, whatsapp, instagram) values (account(), 'Handle row', '+52 55 7777 0001', '@handle.row');
select upsert('{"account_id": "a0000000-0000-4000-8000-00000000000a", "instagram": "instagram.com/Handle.Row"}');
select upsert('{"account_id": "a0000000-0000-4000-8000-00000000000a", "phone": "55 7777 0001", "telegram": "hrow"}');
update crm.leads set telegram = '@other' where name = 'Handle row';
select (crm.upsert_lead('{"account_id": "a0000000-0000-4000-8000-00000000000a", "telegram": "Other"}')).id
  = (crm.upsert_lead('{"account_id": "a0000000-0000-4000-8000-00000000000a", "telegram": "hrow"}')).id as the_same;
-- Two leads that turn out to be one person: the newer lead of the best match is touched, and the other one named.
select upsert('{"account_id": "a0000000-0000-4000-8000-00000000000a", "email": "row@example.com", "phone": "+525512345678"}');
select lead_id, matched_by, also_matched from crm.lead_touches order by id desc limit 1;
-- Without any identity it is a new lead each time.
select upsert('{"account_id": "a0000000-0000-4000-8000-00000000000a", "name": "Walk-in"}') <> upsert('{"account_id": "a0000000-0000-4000-8000-00000000000a", "name": "Walk-in"}');
-- What comes in does not move a lead, but a new one may begin elsewhere.
select stage from crm.upsert_lead('{"account_id": "a0000000-0000-4000-8000-00000000000a", "email": "new@example.com", "stage": "contacted", "id": 4711, "created_at": "1999-01-01"}');
select stage, custom_attributes from crm.upsert_lead('{"account_id": "a0000000-0000-4000-8000-00000000000a", "email": "new@example.com", "stage": "lost"}');

-- Found by parts of names, without accents, by number in any spelling, by words of what they wrote, and misspelt.
truncate crm.leads restart identity cascade;
insert into crm.leads (account_id, name, email, phone, company, service, message, notes) values
  (account(), 'Ana García López', 'ana.garcia@example.com', '+525512345601', 'Estudio Ñandú', 'Implante', 'Lo necesito este mes', null),
  (account(), 'Luis Hernández', 'luis@example.com', '+525512345602', 'Taller 100% Hernández', 'Ortodoncia', 'financiamiento a 12 meses', null),
  (account(), 'José Muñoz', 'jose@example.org', null, null, 'Limpieza', null, 'vino por ana'),
  (account(), 'محمد علي', null, '+201012345678', null, null, 'أسنان', null),
  (account(), 'Zoë 🎉 O''Brien', 'zoe_b@example.ie', null, null, null, null, null);
create function found(term text) returns text language sql as $$ select coalesce(string_agg(name, ', '), '-') from crm.search_leads(term, account()) $$;
select t as term, found(t) from unnest('{garcia,GARCÍA LÓPEZ,lópez ana,munoz,12345602,(55) 1234-5601,+52 55 1234,luis@example.com,nandu,financiamiento,este mes,implant,محمد,أسنان,o''brien,zoe_b,100%,an,hernandes,garzia lopes,nothing like it,🎉}'::text[]) t;
select found('_');
select found('''; drop table crm.leads; --');
select found('%%'), found('\\');

-- Counted.
truncate crm.leads restart identity cascade;
insert into crm.leads (account_id, name, email, phone, budget, source, stage, created_at)
select account(), 'L' || n, 'l' || n || '@example.com', case when n % 2 = 0 then '+52551234560' || n end, n * 100, case when n < 4 then 'web' end,
  ('{new,new,contacted,won,lost,won}'::text[])[n], clock_timestamp() - n * interval '1 day' from generate_series(1, 6) n;
-- Scores are a room of their own.
alter table crm.leads disable trigger user;
update crm.leads set score = case when name in ('L1', 'L4', 'L3') then 80 else 0 end;
alter table crm.leads enable trigger user;
select total, open, won, lost, conversion_rate, with_email, with_phone, came_again, median_time_to_win > '3 days' as time_to_win, by_stage, by_source
from crm.lead_stats(account => account());
select total from crm.lead_stats(now() - interval '2.5 days', now(), account());
select total, conversion_rate from crm.lead_stats('2001-01-01', '2001-02-01', account());
select name, stage from crm.leads_untouched order by name;
select name, stage, score from crm.leads_high_priority order by name;
update crm.accounts set settings = '{"high_priority_score": 90}' where id = account();
select count(*) from crm.leads_high_priority;
select stage, leads, value, expected_value from crm.pipeline where account_id = account() order by position;
