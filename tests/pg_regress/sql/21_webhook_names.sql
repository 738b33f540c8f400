-- Room 21, delivery: the tables and functions under the names that existing webhook code uses.
\set SHOW_CONTEXT never
\pset null '(null)'
set client_min_messages = error;
select frontdesk.pause('regression test');
create schema crm;
set search_path = crm, frontdesk, public;

-- webhook_configs: endpoints as rows.

insert into webhook_configs (name, url, secret, events) values
  ('trip_events', 'https://hooks.example.com/functions/v1/trip-events', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
   array['trip.collaborator.added', 'trip.collaborator.updated', 'trip.collaborator.removed']);
insert into webhook_configs (name, url, events, headers, retry_config, is_active) values
  ('ai_processing', 'https://hooks.example.com/functions/v1/ai-processing', array['chat.message.process'],
   '{"Authorization": "Bearer service-role-key", "X-Source": "db"}', '{"max_retries": 3, "retry_delay": 1000}', false);
select name, url, secret, events, headers, retry_config, is_active, created_at = updated_at or updated_at > created_at as dated
from webhook_configs order by name;
select name, state, payload, signature, credential_headers from endpoints order by name;

update webhook_configs set is_active = true, retry_config = null, events = events || text 'memory.generate.embedding' where name = 'ai_processing';
update webhook_configs set name = 'trips', url = 'https://hooks.example.com/trips' where name = 'trip_events';
update webhook_configs set headers = '{"X-Source": "trips"}', secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' where name = 'trips';
select name, url, secret, events, headers, retry_config, is_active from webhook_configs order by name;
insert into webhook_configs (name, url, events) values ('short_lived', 'https://hooks.example.com/', '{*}') returning name, secret, is_active;
delete from webhook_configs where name = 'short_lived' returning name;
select name from webhook_configs where is_active order by name;

-- What is wrong is refused as add_endpoint() refuses it.

insert into webhook_configs (name, url, events) values ('trips', 'https://hooks.example.com/', '{*}');
\echo :SQLSTATE
insert into webhook_configs (name, url, events) values ('bad', 'nowhere', '{*}');
\echo :SQLSTATE
update webhook_configs set url = null where name = 'trips';
\echo :SQLSTATE
update webhook_configs set retry_config = '{"retries": 3}' where name = 'trips';
\echo :SQLSTATE

-- send_webhook_with_retry(), also from a trigger. What cannot be sent is a warning and never aborts the change.

set client_min_messages = warning;
select send_webhook_with_retry('trips', 'trip.collaborator.added', '{"trip": 7}') > 0 as id;
select send_webhook_with_retry('nobody', 'trip.collaborator.added', '{}');
select send_webhook_with_retry('trips', 'chat.message.process', '{}');
select send_webhook_with_retry('trips', 'not a type', '{}');
\echo :SQLSTATE
create table crm.trip_collaborators (trip int, who text);
create function crm.webhook_trip_collaboration() returns trigger language plpgsql as $$
begin
  perform send_webhook_with_retry('trips', 'trip.collaborator.added', to_jsonb(new), 2);
  return new;
end
$$;
create trigger trip_collaboration after insert on trip_collaborators for each row execute function webhook_trip_collaboration();
insert into trip_collaborators values (7, 'ada');
select type, op, target = (select id from webhook_configs where name = 'trips') as for_it, record from event order by id;
select endpoint, outcome from explain_event((select max(id) from event));

-- test_webhook(): also to an endpoint that does not take the event.

select test_webhook('trips') > 0 as id;
select test_webhook('trips', '{"test": true, "timestamp": "now"}'::jsonb) > 0 as id;
select test_webhook('nobody');
\echo :SQLSTATE
select type, record from event order by id desc limit 2;

-- webhook_logs and get_webhook_stats(), from what the engine wrote.

insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, error, detail, response)
select e.id, e.target, a.attempt, clock_timestamp() - a.ago, a.ms, a.succeeded, a.status, a.error, a.detail, a.response
from event e, (values (1, interval '2 days', 100, false, 503, 'status', 'the endpoint answered 503', 'busy'),
  (2, '1 day', 50, true, 200, null, null, 'ok'), (1, '30 days', 10, true, 200, null, null, 'long ago')) a (attempt, ago, ms, succeeded, status, error, detail, response)
where e.type = 'trip.collaborator.added' and e.record->>'who' = 'ada';
select event_type, payload, response_status, response_body, attempt_count, error_message, completed_at - created_at < interval '0' as timed
from webhook_logs where response_status >= 400;
select event_type, response_status, attempt_count, error_message from webhook_logs order by completed_at;
select * from get_webhook_stats('trips', 7);
select * from get_webhook_stats() order by webhook_name;
select * from get_webhook_stats('trips', 365);
select * from get_webhook_stats('nobody');
