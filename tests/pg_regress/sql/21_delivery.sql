-- Room 21, delivery: what became of an event and why, and how to send it again. The engine is paused, and what it would have
-- written is written by hand, so that nothing here depends on when it works.
\set SHOW_CONTEXT never
\pset null '(null)'
set client_min_messages = error;
select frontdesk.pause('regression test');

-- The languages that decide where an event goes.

select pattern, type, frontdesk.pattern_matches(pattern, type)
from (values ('*', 'lead'), ('*', 'lead.created'), ('lead.*', 'lead.created'), ('lead.*', 'lead.stage.won'), ('lead.*', 'lead'),
  ('booking.*.cancelled', 'booking.flights.cancelled'), ('booking.*.cancelled', 'booking.flights.x.cancelled'),
  ('**', 'a.b.c'), ('lead.created', 'lead.created'), ('lead.created', 'lead.createdx'), ('Lead.*', 'lead.created')) v (pattern, type);
select frontdesk.filter_matches('{"new.score": {"$gte": 80}}', '{"new": {"score": 80}}') as at_least,
  frontdesk.filter_matches('{"$not": {"type": "lead.created"}}', '{"type": "lead.created"}') as negated,
  frontdesk.filter_matches(null, '{}') as no_filter;

-- explain_event(): for every endpoint, was it delivered, and if not, why.

create table leads (id int primary key, org uuid, score int);
select frontdesk.watch('leads', entity => 'lead', tenant_column => 'org');
insert into leads values (0, null, 0);
select max(id) as early from frontdesk.event \gset
select count(frontdesk.add_endpoint(name, 'https://hooks.example.com/' || name, events::text[], 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  filter => filter::jsonb, ordered => name = 'ordered', tenant => tenant::uuid, active => name <> 'paused')) as endpoints
from (values
  ('delivered', '{lead.*}', null, null), ('retrying', '{*}', null, null), ('ordered', '{*}', null, null), ('dead', '{*}', null, null),
  ('failed', '{*}', null, null), ('pending', '{lead.created}', null, null), ('other-pattern', '{deal.*,*.deleted}', null, null),
  ('other-filter', '{*}', '{"new.score": {"$gte": 80}}', null), ('same-filter', '{*}', '{"op": "insert", "new.score": 50}', null),
  ('other-tenant', '{*}', null, '0190a0b0-0000-7000-8000-000000000002'), ('same-tenant', '{*}', null, '0190a0b0-0000-7000-8000-000000000001'),
  ('paused', '{*}', null, null), ('behind', '{*}', null, null), ('open', '{*}', null, null), ('monitor', '{endpoint.*,delivery.*}', null, null)
) v (name, events, filter, tenant);
insert into leads values (1, '0190a0b0-0000-7000-8000-000000000001', 50);
select id as lead, xid, created_at from frontdesk.event where key = '1' \gset
create function endpoint(name text) returns bigint language sql return (select e.id from frontdesk_internal.endpoint e where e.name = endpoint.name);
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, error, detail, address, response)
values
  (:lead, endpoint('delivered'), 1, '2126-01-01 10:00', 12, false, 500, 'status', 'the endpoint answered 500', '93.184.215.14', 'oops'),
  (:lead, endpoint('delivered'), 2, '2126-01-01 10:05', 8, true, 204, null, null, '93.184.215.14', ''),
  (:lead, endpoint('retrying'), 1, '2126-01-01 10:00', 12, false, null, 'connect', 'connection refused', '93.184.215.14', null),
  (:lead, endpoint('failed'), 1, '2126-01-01 10:00', 12, false, 400, 'status', 'the endpoint answered 400', '93.184.215.14', 'no');
insert into frontdesk_internal.retry (event_id, endpoint_id, event_xid, event_at, attempts, due_at, key, reason)
values (:lead, endpoint('retrying'), :'xid', :'created_at', 1, '2126-01-01 10:10', '1', 'connect: connection refused'),
  (:lead, endpoint('ordered'), :'xid', :'created_at', 0, 'infinity', '1', 'an earlier event of its key is not delivered yet');
insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
values (:lead, endpoint('dead'), :'xid', :'created_at', 9, 'status: the endpoint answered 404', '2026-01-03');
insert into frontdesk_internal.cursor (endpoint_id, last_snapshot, xid, event_id, since)
values (endpoint('behind'), pg_current_snapshot(), '0', 0, '-infinity');
update frontdesk_internal.endpoint set open_until = '2999-01-01', failing_since = '2026-01-01', failures = 20 where name = 'open';

select endpoint, outcome, reason, attempts, due_at from frontdesk.explain_event(:lead);

-- Events that were there before the endpoint.

select distinct outcome from frontdesk.explain_event(:early);
select reason like 'the endpoint was added at %, after the event was committed; replay(%, ''pending'') sends it' as says_how
from frontdesk.explain_event(:early) where endpoint = 'pending';

-- The engine's own events go where a pattern asks for them, and never to the endpoint they are about.

select frontdesk_internal.record_event('endpoint.failing', 'S', '{"endpoint": "open"}') as service \gset
select endpoint, outcome, reason from frontdesk.explain_event(:service) where endpoint in ('monitor', 'retrying', 'open');
select frontdesk_internal.record_event('endpoint.failing', 'S', '{"endpoint": "monitor"}') as service \gset
select endpoint, outcome, reason from frontdesk.explain_event(:service) where endpoint = 'monitor';

-- Loops of automations end.

begin;
set local frontdesk.depth = 9;
select frontdesk.emit('lead.won') as deep \gset
commit;
select endpoint, outcome, reason from frontdesk.explain_event(:deep) where endpoint = 'delivered';

-- Direct requests have a line of their own, without an endpoint.

select frontdesk.http_post('https://api.example.com/', '{}') as request \gset
select endpoint, outcome, reason from frontdesk.explain_event(:request) where endpoint is null or endpoint = 'delivered';

-- The views.

select endpoint, state, attempts, status, reason, due_at from frontdesk.delivery where event_id = :lead order by endpoint;
select endpoint, attempt, started_at, duration_ms, succeeded, status, error, detail, address, response
from frontdesk.attempts where event_id = :lead order by started_at, endpoint;
select endpoint, type, key, attempts, reason, died_at, record from frontdesk.dead_letters;
select name, retrying, dead, behind, failures from frontdesk.endpoints where retrying + dead + failures > 0 or behind order by name;

-- replay(): to one endpoint whatever its patterns, or to all that the event concerns.

begin;
select frontdesk.replay(:lead, 'other-pattern');
select frontdesk.replay(:lead, 'dead');
select endpoint, state, attempts, reason = 'replay by ' || session_user as says_who from frontdesk.delivery
where event_id = :lead and endpoint in ('dead', 'other-pattern');
select count(*) from frontdesk.dead_letters;
rollback;
begin;
select frontdesk.replay(:lead);
select endpoint from frontdesk.delivery where event_id = :lead and state = 'retrying' order by endpoint;
select frontdesk.replay(:early);
select frontdesk.replay(:request);
rollback;

-- replay() of a time: dead letters, or everything that concerns the endpoint.

begin;
select frontdesk.replay('dead', since => '-infinity');
select frontdesk.replay('dead', since => '-infinity');
select frontdesk.replay('dead', :'created_at', :'created_at', only_failed => false);
select frontdesk.replay('other-pattern', since => '-infinity', only_failed => false);
rollback;
select frontdesk.replay('dead', since => null);
\echo :SQLSTATE
select frontdesk.replay('dead', '2026-01-02', '2026-01-01');
\echo :SQLSTATE
select frontdesk.replay('nobody', since => '2026-01-01');
\echo :SQLSTATE
select frontdesk.replay(:lead, 'nobody');
\echo :SQLSTATE
select frontdesk.replay(999999999);
\echo :SQLSTATE
select frontdesk.explain_event(999999999);
\echo :SQLSTATE
select frontdesk.explain_event(null);
\echo :SQLSTATE

-- discard(): one delivery, an event, or all of an endpoint.

begin;
select frontdesk.discard(:lead, 'dead');
select frontdesk.discard(:lead);
select frontdesk.discard(:lead);
select count(*) from frontdesk.delivery where state <> 'delivered';
rollback;
select frontdesk.discard('retrying');
select frontdesk.discard('retrying');
select outcome, reason from frontdesk.explain_event(:lead) where endpoint = 'retrying';
select frontdesk.discard('nobody');
\echo :SQLSTATE
