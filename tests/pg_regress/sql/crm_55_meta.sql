-- Meta's Conversions API: what is hashed and how, which events leave, and which do not.
set client_min_messages = warning;
\set SHOW_CONTEXT never
select frontdesk.install_crm();
set frontdesk.fake_now = '2026-11-23T09:00:00Z';
update crm.accounts set currency = 'EUR', timezone = 'Europe/Madrid';
select id as account from crm.accounts \gset
alter table crm.leads alter account_id set default :'account';

-- Hashes that Meta publishes (Customer Information Parameters), then some made by sha256sum of the third column.
select f, v, crm.meta_normalize(f, v) as normalized, crm.meta_hash(f, v) = h as as_published from (values
  ('em', 'John_Smith@gmail.com', '62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f'),
  ('em', E'\t john_smith@GMAIL.com \n', '62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f'),
  ('ph', '+1 (650) 555-1212', 'e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176'),
  ('ph', '001 650 555 1212', 'e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176'),
  ('fn', 'Mary', '6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec'),
  ('fn', '정', '8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14'),
  ('fn', 'VALÉRY', '08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c'),
  ('em', '62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F',
    '62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f')) t (f, v, h);
select f, v, c, crm.meta_normalize(f, v, c) as normalized, left(crm.meta_hash(f, v, c), 16) as hash from (values
  ('ln', '    Na''than-Boile    ', null), ('ge', 'Female', null), ('ge', 'M', null), ('ge', 'unknown', null),
  ('db', '1992-02-29', null), ('db', '1990-02-29', null), ('db', '18991231', null),
  ('ct', 'New York', 'US'), ('ct', 'St. Gallen', 'CH'), ('st', 'California', 'US'), ('st', 'CA', 'us'), ('st', 'Île-de-France', 'FR'),
  ('zp', '37221-3312', 'US'), ('zp', '372213312', 'US'), ('zp', 'SW1A 1AA', 'GB'), ('zp', '1', 'US'),
  ('country', 'US', null), ('country', 'Spain', null), ('external_id', ' Ab 12 ', null),
  ('em', 'nobody', null), ('em', '', null), ('ph', '12', null), ('ph', null, null), ('strange', 'x', null)) t (f, v, c);

-- Bad input is refused, and the token is not repeated.
\set VERBOSITY terse
select crm.add_meta_endpoint('pixel', 'EAAtoken1234567890');
select crm.add_meta_endpoint('1234567890', 'two words of a secret');
select crm.add_meta_endpoint('1234567890', null);
select crm.add_meta_endpoint('1234567890', 'EAAtoken1234567890', api_version => 'latest');
select crm.add_meta_endpoint('1234567890', 'EAAtoken1234567890', test_event_code => '"}]');
select crm.add_meta_endpoint('1234567890', 'EAAtoken1234567890', account => 'c0ffee00-0000-4000-8000-000000000000');
\set VERBOSITY default

-- Without a pixel nothing of this is done.
insert into crm.leads (name, email) values ('Early Bird', 'early@example.com');
select count(*) from pg_trigger where tgname = 'tell_meta';

select crm.add_meta_endpoint('1234567890', 'EAAtoken1234567890', test_event_code => 'TEST42');
select crm.add_meta_endpoint('1234567890', 'EAAtoken1234567890');
select name, url, events, headers, credential_headers, payload, signature, tenant = (select id from crm.accounts) as of_the_account, secrets
from frontdesk.endpoints;
-- The token stands in no table of crm, and in frontdesk only with the secrets.
select count(*) from crm.meta_endpoints m where m::text like '%EAAtoken%';
select count(*) from frontdesk_internal.endpoint e where e::text like '%EAAtoken%';

-- A lead with everything.
insert into crm.leads (name, email, phone, city, region, postal_code, country, ip, user_agent, fbclid, fbp, meta_lead_id, external_id, service,
  page_url, created_at, consent, custom_attributes)
values ('Mary Ann Smith', 'John_Smith@gmail.com', '+16505551212', 'New York', 'New York', '10001-1234', 'US', '203.0.113.7', 'Mozilla/5.0',
  'IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk', 'fb.1.1596403881668.1116446470', 'l:525645896321548', 'C-1', 'Consultation',
  'https://example.com/form', '2026-11-23T08:59:59.25Z', true, '{"gender": "female", "birth_date": "1992-02-29"}');
select jsonb_pretty(record - 'event_id') from frontdesk.event where type like 'meta.%';
select record->>'event_id' = encode(sha256(convert_to(concat_ws('_', l.account_id, l.id, 'new', '2026-11-23'), 'UTF8')), 'hex') as stable
from frontdesk.event e, crm.leads l where e.type like 'meta.%' and l.name like 'Mary%';

-- The stages and their values; a stage without an event is silent, the way back and forth on one day is no second event.
create function pg_temp.sent() returns table (type text, value numeric, currency text, at text) language sql as $$
  select e.type, (e.record->'custom_data'->>'value')::numeric, e.record->'custom_data'->>'currency',
    to_char(to_timestamp((e.record->>'event_time')::bigint) at time zone 'UTC', 'MM-DD HH24:MI:SS')
  from frontdesk.event e where e.type like 'meta.%' order by e.id
$$;
create function pg_temp.move(stage text) returns void language sql as $$
  select crm.set_lead_stage((select id from crm.leads where name like 'Mary%'), stage)
$$;
do $$
begin
  perform pg_temp.move(s) from unnest('{contacted,qualified,contacted,appointment_booked,in_negotiation,won,repeat,lost}'::text[]) s;
end
$$;
select * from pg_temp.sent();
set frontdesk.fake_now = '2026-11-24T10:00:00Z';
do $$ begin perform pg_temp.move('repeat'); end $$;
select event_name, stage, outcome, frontdesk_event is not null as sent from crm.meta_events order by id;

-- What is not sent, and why.
update crm.meta_endpoints set min_score = 1000;
insert into crm.leads (name, email) values ('Low Score', 'low@example.com');
update crm.meta_endpoints set min_score = 0;
insert into crm.leads (name, city, country) values ('Some Body', 'Paris', 'FR');
insert into crm.leads (name, email, consent) values ('Refused', 'no@example.com', false);
insert into crm.leads (name, email, created_at) values ('Old', 'old@example.com', '2026-11-17T09:59:59Z');
insert into crm.leads (name, email, created_at) values ('Nearly', 'nearly@example.com', '2026-11-17T10:00:01Z');
select l.name, e.outcome, e.frontdesk_event is not null as sent from crm.meta_events e join crm.leads l on l.id = e.lead_id
where l.name not like 'Mary%' order by e.id;
-- Who refused and then consents is sent with the time of what happened; who refuses again gets no event back.
set frontdesk.fake_now = '2026-11-26T10:00:00Z';
update crm.leads set consent = true where name = 'Refused';
update crm.leads set consent = false where name = 'Refused';
update crm.leads set consent = true where name = 'Refused';
select e.outcome, count(*) from crm.meta_events e join crm.leads l on l.id = e.lead_id where l.name = 'Refused' group by 1;

-- Consent can be required.
select crm.remove_meta_endpoint('1234567890'), crm.remove_meta_endpoint('1234567890');
select count(*) from frontdesk.endpoints;
update crm.accounts set settings = '{"require_consent": true}';
select crm.add_meta_endpoint('777', 'EAAtoken1234567890', source_name => 'My CRM');
insert into crm.leads (name, email) values ('Unasked', 'unasked@example.com');
insert into crm.leads (name, email, consent) values ('Asked', 'asked@example.com', true);
select l.name, e.outcome from crm.meta_events e join crm.leads l on l.id = e.lead_id where e.pixel_id = '777' order by e.id;
select record->'custom_data' from frontdesk.event where type = 'meta.777.lead';

-- Another account's leads are none of this pixel's business; a stage of one's own has an event of one's own.
insert into crm.accounts (name) values ('Another');
insert into crm.leads (account_id, name, email) select id, 'Foreign', 'foreign@example.com' from crm.accounts where name = 'Another';
select count(*) from crm.meta_events e join crm.leads l on l.id = e.lead_id where l.name = 'Foreign';
update crm.lead_stages s set meta_event = '見込み客 Qualifié!', meta_value = null from crm.accounts a where a.id = s.account_id and a.name = 'My business' and s.name = 'qualified';
update crm.leads set stage = 'qualified' where name = 'Asked';
select type, record->>'event_name' as event_name, record->'custom_data' as custom_data from frontdesk.event where type like 'meta.777.%' order by id desc limit 1;

-- Nothing about a row makes its insert fail.
insert into crm.leads (name, email, phone, meta_lead_id, fbc, fbclid, country, custom_attributes, user_agent, consent)
values (E'\u202e👩🏽 ''; drop table crm.leads; --', null, null, repeat('9', 40), 'fb.1.1.x', 'IwAR🇪🇸', '🇪🇸', '{"gender": [1], "birth_date": {"a": 1}}', ' ', true);
select record->'user_data' ? 'em' as em, record->'user_data' ? 'ph' as ph, record->'user_data' ? 'lead_id' as lead_id,
  record->'user_data' ? 'country' as country, left(record->'user_data'->>'fbc', 5) as fbc, record->'user_data' ? 'client_user_agent' as agent
from frontdesk.event where type = 'meta.777.lead' order by id desc limit 1;
