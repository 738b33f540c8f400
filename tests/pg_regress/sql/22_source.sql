-- Room 22, source: webhooks that come in.
\set SHOW_CONTEXT never
select frontdesk.pause('regression test');
set client_min_messages = error; -- the warning that there is no key to seal secrets with

create view came as
select source, delivery_id, status, type, repeats, reason, headers, convert_from(body, 'UTF8') as body,
  (select e.record from frontdesk.event e where e.id = r.event_id) as event
from frontdesk.receipts r order by id;

-- A source is told by its scheme. What is made here is shown once; what the sender shows must be given.

select frontdesk.add_source('github', 'sha256') ~ '^whsec_[A-Za-z0-9+/]{43}=$' as made;
select frontdesk.add_source('bot', 'telegram') ~ '^[0-9a-f]{64}$' as made;
select frontdesk.add_source('whatsapp', 'meta', 'secret') ~ '^[0-9a-f]{32}$' as verify_token;
select frontdesk.add_source('sms', 'twilio', '12345', public_url => 'https://mycompany.com/myapp.php');
select frontdesk.add_source('form', 'token:X-Shared', 's3cret', id_path => 'form.id', type_path => 'header:x-kind', tenant => '0190a0b0-0000-7000-8000-000000000001');
select frontdesk.add_source('open', 'none');
select frontdesk.add_source('old', 'basic', 'ana:pass', keep => '1 hour', active => false);
select name, scheme, public_url, id_path, type_path, keep, tolerance, tenant, active from frontdesk.sources order by name;
select count(*) from frontdesk.sources s where s::text ~ '(s3cret|12345|ana:pass)';

-- Meta: the body's signature; a repeat to the letter is the same delivery.

select status, body from frontdesk.receive_webhook('whatsapp', '{"X-Hub-Signature-256": "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914", "User-Agent": "facebookplatform/1.0"}', 'test');
select status, body from frontdesk.receive_webhook('whatsapp', '{"x-hub-signature-256": ["sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"]}', 'test');
select status, body from frontdesk.receive_webhook('whatsapp', '{"X-Hub-Signature-256": "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"}', 'tesT');
select status, body from frontdesk.receive_webhook('whatsapp', '{}', 'test');

-- And its question whether this is the place that was told.

select frontdesk.alter_source('whatsapp', verify_token => 'my token');
select * from frontdesk.receive_webhook('whatsapp', '{}', '', 'hub.mode=subscribe&hub.verify_token=my+token&hub.challenge=1158201444', 'GET');
select status, body from frontdesk.receive_webhook('whatsapp', '{}', '', 'hub.mode=subscribe&hub.verify_token=other&hub.challenge=1158201444', 'GET');

-- Twilio signs the URL that it called: the public one, and the query that it came with.

select status, body from frontdesk.receive_webhook('sms', '{"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}',
  'CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212', 'foo=1&bar=2');
select status, body from frontdesk.receive_webhook('sms', '{"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", ":url": "https://mycompany.com/myapp.php?foo=1&bar=2"}',
  'CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212', 'foo=1');

-- A token, places of id and type, the tenant. The token is nowhere to be seen.

select status, body from frontdesk.receive_webhook('form', '{"X-Shared": "s3cret", "X-Kind": "Signup/Done"}', convert_to('{"form": {"id": 7}, "text": "a\u0000b"}', 'UTF8'));
select status, body from frontdesk.receive_webhook('form', '{"X-Shared": "s3cret", "X-Kind": "Signup/Done"}', '{"form": {"id": 7}, "text": "sent again"}');
select status, body from frontdesk.receive_webhook('form', '{"X-Shared": "s3cre"}', '{"form": {"id": 8}}');
select type, tenant, op from frontdesk.event where type like 'form.%';
select count(*) from frontdesk.receipts r where r::text ~ '(s3cret|RSOYD|sha256=)';

-- What has no id may be meant twice. What cannot be read is kept with the reason.

select status, body from frontdesk.receive_webhook('open', '{}', '{"type": "ping", "n": 1e999999}');
select status, body from frontdesk.receive_webhook('open', '{}', '{"type": "ping", "n": 1e999999}');
select status, body from frontdesk.receive_webhook('open', '{"content-type": "application/json"}', '{"a": ');
select status, body from frontdesk.receive_webhook('open', '{"content-type": "application/json"}', '{"a": ');
select status, body from frontdesk.receive_webhook('open', '{}', '\xfffe');
select status, body from frontdesk.receive_webhook('open', '{}', null);
select status, body from frontdesk.receive_webhook('open', null, convert_to(repeat('x', 20000000), 'UTF8'));
select status, body from frontdesk.receive_webhook('old', '{}', '{}');
select * from frontdesk.receive_webhook('nobody', '{}', '{}');
select source, delivery_id is not null as has_id, status, type, repeats, reason, headers, event from came;

-- Rotation: both secrets count until the overlap is over.

select frontdesk.rotate_source_secret('form', 'n3wer');
select status from frontdesk.receive_webhook('form', '{"X-Shared": "s3cret"}', '{"form": {"id": 11}}');
select status from frontdesk.receive_webhook('form', '{"X-Shared": "n3wer"}', '{"form": {"id": 12}}');
select frontdesk.rotate_source_secret('form', 'newest', overlap => '0');
select status from frontdesk.receive_webhook('form', '{"X-Shared": "n3wer"}', '{"form": {"id": 13}}');
select status from frontdesk.receive_webhook('form', '{"X-Shared": "newest"}', '{"form": {"id": 14}}');

-- Retention: bodies and headers go first, the rest stays for 90 days, so that a late repeat is known.

select status from frontdesk.receive_webhook('form', '{"X-Shared": "newest"}', '{"form": {"id": 15}}');
select set_config('frontdesk.fake_now', (now() + interval '8 days')::text, false) is not null as later;
select frontdesk.maintain() is not null as kept_up;
select delivery_id, headers, body, length(body_sha256) from frontdesk.receipts order by id;
reset frontdesk.fake_now;
select status from frontdesk.receive_webhook('form', '{"X-Shared": "newest"}', '{"form": {"id": 15}}');
select delivery_id, repeats from frontdesk.receipts order by id;

-- What is no source is told when it is declared.

select frontdesk.add_source('open', 'none');
select frontdesk.add_source('Open', 'none');
select frontdesk.add_source('job', 'none');
select frontdesk.add_source(null, 'none');
select frontdesk.add_source('x', 'md5');
select frontdesk.add_source('x', null);
select frontdesk.add_source('x', 'stripe');
select frontdesk.add_source('x', 'standard', 'short');
select frontdesk.add_source('x', 'twilio', 'token');
select frontdesk.add_source('x', 'twilio', 'token', public_url => 'mycompany.com');
select frontdesk.add_source('x', 'basic', 'password');
select frontdesk.add_source('x', 'telegram', 'not a token');
select frontdesk.add_source('x', 'none', 'secret');
select frontdesk.add_source('x', 'token', verify_token => 'x');
select frontdesk.add_source('x', 'none', id_path => 'a..b');
select frontdesk.add_source('x', 'none', keep => '-1 day');
select frontdesk.add_source('x', 'none', tolerance => '0');
select frontdesk.alter_source('open', scheme => 'slack');
select frontdesk.alter_source('nobody', active => false);
select frontdesk.rotate_source_secret('open');
select frontdesk.remove_source('nobody');

select frontdesk.remove_source(name) from frontdesk.sources;
select count(*) from frontdesk.receipts;
