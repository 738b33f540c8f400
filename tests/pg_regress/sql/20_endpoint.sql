-- Room 20, endpoint: where events go.
\set SHOW_CONTEXT never
select frontdesk.pause('regression test');
set client_min_messages = error; -- the warning that there is no key to seal secrets with: see 20_endpoint_errors

-- The three statements of the README. The secret is shown once.

select frontdesk.add_endpoint('crm', 'https://hooks.example.com/crm') ~ '^whsec_[A-Za-z0-9+/]{43}=$' as is_a_secret;
\x on
select name, url, state, state_reason, events, failing_since, failures, open_until, behind, retrying, dead, secrets, headers,
  credential_headers, filter, payload, signature, retry, timeout_ms, max_in_flight, rate_per_second, ordered, tenant
from frontdesk.endpoints;

-- Everything that can be said about an endpoint.

select frontdesk.add_endpoint(
  name => 'warehouse:eu-1', url => 'http://hooks.example.com:8080/in?source=pg', events => '{lead.*,booking.*.cancelled,**}',
  secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', headers => '{"X-Source": "crm", "Authorization": "Bearer 1234", "X-Api-Key": "k"}',
  filter => '{"new.score": {"$gte": 80}}', payload => '{"text": {{ data.name | tojson }}}', signature => 'sha256:X-Signature',
  retry => '{"delays": ["1s", "5m", "2h"]}', timeout_ms => 30000, max_in_flight => 8, rate_per_second => 0.5, ordered => true,
  tenant => '0190a0b0-0000-7000-8000-000000000001', active => false);
select name, url, state, state_reason, events, secrets, headers, credential_headers, filter, payload, signature, retry, timeout_ms,
  max_in_flight, rate_per_second, ordered, tenant
from frontdesk.endpoints where name = 'warehouse:eu-1';
\x off

-- Without a signature there is no secret, unless one is given.

select frontdesk.add_endpoint('plain', 'https://hooks.example.com/plain', signature => 'none') as secret;
select frontdesk.add_endpoint('record', 'https://hooks.example.com/r', payload => 'record', signature => 'sha256', secret => 'a secret as GitHub has them, plain text') as secret;
select name, secrets from frontdesk.endpoints order by name;

-- Credentials are nowhere to be seen, and neither are secrets.

select count(*) from frontdesk_internal.endpoint e where e::text ~ '(1234|MfKQ9r8)';
select count(*) from frontdesk.endpoints e where e::text ~ '(1234|MfKQ9r8)';
select count(*) from frontdesk.webhook_configs e where e::text ~ '(1234|MfKQ9r8)';

-- alter_endpoint(): null keeps what is.

select frontdesk.alter_endpoint('warehouse:eu-1', timeout_ms => 5000, events => '{lead.won}');
select frontdesk.alter_endpoint('warehouse:eu-1', headers => '{"X-Source": "warehouse", "X-Token": "t"}', ordered => false);
select url, events, headers, credential_headers, filter, retry, timeout_ms, rate_per_second, ordered, state, secrets
from frontdesk.endpoints where name = 'warehouse:eu-1';

-- What is not named stays, headers too. ******** stands for a credential that is stored.

select frontdesk.alter_endpoint('warehouse:eu-1', timeout_ms => 6000);
select headers, credential_headers from frontdesk.endpoints where name = 'warehouse:eu-1';
select headers from frontdesk.webhook_configs where name = 'warehouse:eu-1';
update frontdesk.webhook_configs set headers = headers || '{"X-New": "1", "Cookie": "c"}' where name = 'warehouse:eu-1';
select headers, credential_headers from frontdesk.endpoints where name = 'warehouse:eu-1';
update frontdesk.webhook_configs set headers = headers - 'Cookie' - 'X-New' where name = 'warehouse:eu-1';
select headers, credential_headers, (select count(*) from frontdesk_internal.endpoint_secret s join frontdesk_internal.endpoint x on x.id = s.endpoint_id
  where x.name = e.name and s.header is not null) as stored from frontdesk.endpoints e where name = 'warehouse:eu-1';
select frontdesk.alter_endpoint('warehouse:eu-1', headers => '{"X-Api-Key": "********"}');

-- A credential belongs to the host that it was given for.

select frontdesk.alter_endpoint('warehouse:eu-1', url => 'http://HOOKS.example.com:8080/other/path');
select frontdesk.alter_endpoint('warehouse:eu-1', url => 'https://evil.example.org/in');
select frontdesk.alter_endpoint('warehouse:eu-1', url => 'http://hooks.example.com/in', headers => '{"X-Token": "********"}');
update frontdesk.webhook_configs set url = 'https://evil.example.org/in' where name = 'warehouse:eu-1';
begin;
select frontdesk.alter_endpoint('warehouse:eu-1', url => 'https://new.example.org/in', headers => '{"X-Token": "another"}');
select frontdesk.alter_endpoint('warehouse:eu-1', url => 'https://newer.example.org/in', keep_credentials => true);
select url, credential_headers from frontdesk.endpoints where name = 'warehouse:eu-1';
rollback;
select frontdesk.alter_endpoint('crm', url => 'https://hooks.example.org/crm'), frontdesk.alter_endpoint('crm', url => 'https://hooks.example.com/crm');

-- JSON null takes a filter or a retry policy away.

select frontdesk.alter_endpoint('warehouse:eu-1', filter => 'null', retry => 'null', active => true);
select filter, retry, state, state_reason from frontdesk.endpoints where name = 'warehouse:eu-1';

-- Pause and resume.

select frontdesk.pause_endpoint('crm');
select name, state, state_reason = 'pause_endpoint() by ' || session_user as says_who from frontdesk.endpoints where name = 'crm';
select is_active from frontdesk.webhook_configs where name = 'crm';
select frontdesk.resume_endpoint('crm');
select name, state, state_reason from frontdesk.endpoints where name = 'crm';

-- Rotation: the old secret signs beside the new one for a while. No overlap replaces it at once.

select frontdesk.rotate_secret('crm') ~ '^whsec_' as is_a_secret;
select frontdesk.rotate_secret('crm', overlap => '1 hour') ~ '^whsec_' as is_a_secret;
select secrets from frontdesk.endpoints where name = 'crm';
select count(*) filter (where expires_at is null) as current,
  count(*) filter (where expires_at between clock_timestamp() + '59 minutes' and clock_timestamp() + '1 hour') as for_an_hour,
  count(*) filter (where expires_at > clock_timestamp() + '23 hours') as for_a_day
from frontdesk_internal.endpoint_secret where header is null and endpoint_id = (select id from frontdesk_internal.endpoint where name = 'crm');
select frontdesk.rotate_secret('crm', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', overlap => '0');
select secrets from frontdesk.endpoints where name = 'crm';
select frontdesk.alter_endpoint('crm', secret => 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD');
select secrets from frontdesk.endpoints where name = 'crm';

-- An ed25519 key signs what its public half verifies.

select frontdesk.public_key('crm');
select frontdesk.rotate_secret('crm', 'whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', overlap => '0');
select frontdesk.public_key('crm');
select frontdesk.new_signing_key() ~ '^whsk_[A-Za-z0-9+/]{43}=$' as is_a_key, frontdesk.new_signing_key() <> frontdesk.new_signing_key() as another;
select frontdesk.public_key('nowhere');

-- A test event goes to this endpoint alone, whatever its patterns.

select frontdesk.test_endpoint('warehouse:eu-1') as event_id \gset
select type, op, record, target = (select id from frontdesk_internal.endpoint where name = 'warehouse:eu-1') as for_it
from frontdesk.event where id = :event_id;
select endpoint, outcome, reason from frontdesk.explain_event(:event_id);
select frontdesk.test_endpoint('crm', '{"hello": "world"}') as event_id \gset
select record from frontdesk.event where id = :event_id;

-- Remove: what waits for it is forgotten.

select frontdesk.replay(:event_id, 'crm');
select retrying from frontdesk.endpoints where name = 'crm';
select frontdesk.remove_endpoint('crm');
select count(*) from frontdesk_internal.retry;
select name from frontdesk.endpoints order by name;
select count(*) from frontdesk_internal.endpoint_secret s where not exists (select from frontdesk_internal.endpoint e where e.id = s.endpoint_id);

-- Every change of the configuration is a new version of it, which the engine loads before it routes what comes after.

select config_version as version from frontdesk_internal.installation \gset
select frontdesk.alter_endpoint('plain', timeout_ms => 1000);
select config_version > :version as changed from frontdesk_internal.installation;
