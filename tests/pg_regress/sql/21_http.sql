-- Room 21, delivery: direct requests. Asynchronous ones are put into the outbox here and sent in the client tests.
\set SHOW_CONTEXT never
\pset null '(null)'
set client_min_messages = error;
select frontdesk.pause('regression test');
create view outbox as
select type, op, record - '{sealed,body}'::text[] as request, record ? 'sealed' as has_sealed,
  convert_from(decode(record->>'body', 'base64'), 'UTF8') as body
from frontdesk.event order by id;

-- One function per method; the id is for response() and await_response().

select frontdesk.http_get('https://api.example.com/v1/leads?page=2') > 0 as id;
select frontdesk.http_post('https://api.example.com/v1/leads', '{"name": "Ada"}') > 0 as id;
select frontdesk.http_put('https://api.example.com/v1/leads/1', '[1, 2]', timeout_ms => 1000) > 0 as id;
select frontdesk.http_patch('https://api.example.com/v1/leads/1', '"text"', '{"content-type": "application/merge-patch+json"}') > 0 as id;
select frontdesk.http_delete('https://api.example.com/v1/leads/1', '{"Authorization": "Bearer secret-token", "X-Trace": "t-1"}') > 0 as id;
select frontdesk.http_request('options', 'https://api.example.com/', '\x00ff') > 0 as id;
select request, has_sealed from outbox;
select body from outbox where request->>'method' in ('POST', 'PUT', 'PATCH');

-- Credentials are not readable in the log.

select count(*) from frontdesk.event e where e::text like '%secret-token%';

-- Signed with the secret of an endpoint.

select frontdesk.add_endpoint('crm', 'https://hooks.example.com/', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
select frontdesk.http_post('https://api.example.com/', '{}', sign_with => 'crm') > 0 as id;
select request->'sign_with' as sign_with from outbox where request ? 'sign_with';
select frontdesk.http_post('https://api.example.com/', '{}', sign_with => 'nobody');
\echo :SQLSTATE

-- A rolled back request is never sent.

begin;
select frontdesk.http_post('https://api.example.com/rolled-back') > 0 as id;
rollback;
select count(*) from outbox where request->>'url' like '%rolled-back';

-- response(): no row while there is no answer; the answer; the error. What is not UTF-8 is replaced.

select frontdesk.http_get('https://api.example.com/') as id \gset
select * from frontdesk.response(:id);
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, error, detail)
values (:id, 0, 1, clock_timestamp(), 3, false, 'connect', 'connection refused');
select * from frontdesk.response(:id);
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, response, response_headers, response_body)
values (:id, 0, 2, clock_timestamp(), 3, true, 200, 'gr', '{"content-type": "text/plain"}', '\x6772ff00fc');
select status, headers, body, error from frontdesk.response(:id);
select status, body from frontdesk.await_response(:id);
select endpoint, outcome from frontdesk.explain_event(:id) where endpoint is null;
select endpoint, state, attempts, status from frontdesk.delivery where event_id = :id;

-- await_response() waits no longer than it is told, and not for what cannot come.

select frontdesk.http_get('https://api.example.com/never') as id \gset
select * from frontdesk.await_response(:id, '20 ms');
begin;
select frontdesk.http_get('https://api.example.com/') as id \gset
select * from frontdesk.await_response(:id);
\echo :SQLSTATE
rollback;
select * from frontdesk.response(999999999);
\echo :SQLSTATE

-- Of others' requests nothing is told.

create role regress_http_one;
create role regress_http_two;
grant execute on function frontdesk.http_get, frontdesk.http_request, frontdesk.response to regress_http_one, regress_http_two;
set session authorization regress_http_one;
select frontdesk.http_get('https://api.example.com/mine') as id \gset
select * from frontdesk.response(:id);
reset session authorization;
set session authorization regress_http_two;
select * from frontdesk.response(:id);
\echo :SQLSTATE
reset session authorization;
drop owned by regress_http_one, regress_http_two;
drop role regress_http_one, regress_http_two;

-- Bad input.

select frontdesk.http_request('BREW', 'https://api.example.com/');
\echo :SQLSTATE
select frontdesk.http_request(null, 'https://api.example.com/');
\echo :SQLSTATE
select frontdesk.http_get(null);
\echo :SQLSTATE
select frontdesk.http_get('api.example.com');
\echo :SQLSTATE
select frontdesk.http_get('http://169.254.169.254/latest/meta-data/');
\echo :SQLSTATE
select frontdesk.http_get('https://api.example.com/', timeout_ms => 0);
\echo :SQLSTATE
select frontdesk.http_get('https://api.example.com/', timeout_ms => null);
\echo :SQLSTATE
select frontdesk.http_get('https://api.example.com/', '{"X-A": "a\nb"}');
\echo :SQLSTATE
select frontdesk.http_post('https://api.example.com/', '{}', '[]');
\echo :SQLSTATE
select frontdesk.http_post('https://api.example.com/', '{}', '{"Host": "evil"}');
\echo :SQLSTATE
select frontdesk.http_request('POST', 'https://api.example.com/', convert_to(repeat('x', 1024 * 1024 + 1), 'UTF8'));
\echo :SQLSTATE
select frontdesk.http_post('https://api.example.com/', null) > 0 as without_body;

-- http_fetch(): now, within the transaction. Failures are errors.

select * from frontdesk.http_fetch('GET', 'http://127.0.0.1:1/');
\echo :SQLSTATE
select * from frontdesk.http_fetch('GET', 'http://10.0.0.1/');
\echo :SQLSTATE
select * from frontdesk.http_fetch('GET', 'ftp://example.com/');
\echo :SQLSTATE
select * from frontdesk.http_fetch('BREW', 'http://127.0.0.1:1/');
\echo :SQLSTATE
select * from frontdesk.http_fetch('GET', 'http://127.0.0.1:1/', timeout_ms => 99);
\echo :SQLSTATE
select * from frontdesk.http_fetch(null, null);
\echo :SQLSTATE
