-- Room 21, delivery: verify_webhook() checks webhooks that come in. The clock is fixed so that published vectors are in time.
\set SHOW_CONTEXT never
create function said(secret text, headers jsonb, body text, scheme text = 'standard', tolerance interval = '5 minutes') returns boolean
language sql as $$ select frontdesk.verify_webhook(secret, headers, convert_to(body, 'UTF8'), scheme, tolerance) $$;

-- Standard Webhooks 1.0: the vector of the reference libraries.

set frontdesk.fake_now = '2022-04-07 21:39:13+00'; -- 1649367553
\set secret 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
\set body '{"email":"test@example.com","username":"test_user"}'
\set headers '{"webhook-id": "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "webhook-timestamp": "1649367553", "webhook-signature": "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="}'
select said(:'secret', :'headers', :'body') as published_vector;
select said(:'secret', (select jsonb_object_agg(upper(key), value) from jsonb_each(:'headers')), :'body') as names_in_any_case;
select said(:'secret', :'headers'::jsonb || '{"webhook-signature": "v1,AAAA v1a,xyz v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="}', :'body') as one_of_several;
select said('C2FVsBQIhrscChlQIMV+b5sSYspob7oD', :'headers', :'body') as without_prefix;
select said(:'secret', :'headers', :'body' || ' ') as other_body;
select said('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', :'headers', :'body') as other_secret;
select said(:'secret', :'headers'::jsonb || '{"webhook-id": "msg_other"}', :'body') as other_id;
select said(:'secret', :'headers'::jsonb || '{"webhook-timestamp": "1649367554"}', :'body') as other_time;
select said(:'secret', :'headers'::jsonb - 'webhook-signature', :'body') as no_signature;
select said(:'secret', '{}', :'body') as no_headers;
select said(:'secret', :'headers'::jsonb || '{"webhook-timestamp": "soon"}', :'body') as malformed_time;

-- Too old, and from the future.

set frontdesk.fake_now = '2022-04-07 21:44:13+00';
select said(:'secret', :'headers', :'body') as after_5_minutes, said(:'secret', :'headers', :'body', tolerance => '4 minutes') as too_old;
set frontdesk.fake_now = '2022-04-07 21:44:14+00';
select said(:'secret', :'headers', :'body') as too_old, said(:'secret', :'headers', :'body', tolerance => '1 day') as tolerated;
set frontdesk.fake_now = '2022-04-07 21:34:12+00';
select said(:'secret', :'headers', :'body') as from_the_future;

-- GitHub: the example of its documentation.

select said('It''s a Secret to Everybody', '{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}', 'Hello, World!', 'sha256') as github;
select said('It''s a Secret to Everybody', '{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18"}', 'Hello, World!', 'sha256') as forged;

-- Stripe, with signatures made here.

create extension if not exists pgcrypto;
set frontdesk.fake_now = '2022-04-07 21:39:13+00';
select said('whsec_stripe_secret', jsonb_build_object('Stripe-Signature',
  't=1649367553,v1=' || encode(hmac('1649367553.{"id":"evt_1"}', 'whsec_stripe_secret', 'sha256'), 'hex') || ',v0=ignored'), '{"id":"evt_1"}', 'stripe') as stripe;
select said('whsec_stripe_secret', jsonb_build_object('Stripe-Signature',
  't=1649360000,v1=' || encode(hmac('1649360000.{"id":"evt_1"}', 'whsec_stripe_secret', 'sha256'), 'hex')), '{"id":"evt_1"}', 'stripe') as replayed;

-- Twilio: the URL and the sorted form fields, with the auth token. Its documentation's example.

select said('12345', '{":url": "https://mycompany.com/myapp.php?foo=1&bar=2", "X-Twilio-Signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="}',
  'CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212', 'twilio') as twilio;
select said('12345', '{":url": "https://mycompany.com/myapp.php?foo=1&bar=2", "X-Twilio-Signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="}',
  'CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=9999&From=%2B12349013030&To=%2B18005551212', 'twilio') as forged;

-- Chatwoot: as it signs its webhooks since version 4.

select said('chatwoot secret', jsonb_build_object('X-Chatwoot-Timestamp', '1649367553', 'X-Chatwoot-Signature',
  'sha256=' || encode(hmac('1649367553.{"event":"message_created"}', 'chatwoot secret', 'sha256'), 'hex')), '{"event":"message_created"}', 'chatwoot') as chatwoot;

-- What is no webhook at all.

select said(:'secret', :'headers', :'body', 'sha3');
\echo :SQLSTATE
select frontdesk.verify_webhook('whsec_!!!', :'headers', '');
\echo :SQLSTATE
select frontdesk.verify_webhook(:'secret', '[]', '');
\echo :SQLSTATE
select frontdesk.verify_webhook(null, :'headers', convert_to(:'body', 'UTF8'));
\echo :SQLSTATE
select frontdesk.verify_webhook(:'secret', null, '');
\echo :SQLSTATE
select frontdesk.verify_webhook(:'secret', :'headers', null) as no_body;
