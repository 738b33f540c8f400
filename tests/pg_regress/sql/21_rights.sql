-- Room 21 in hostile hands: requests are their maker's, and replay() reaches nobody that an event was never for.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');
create role regress_app;
create role regress_member in role regress_app;
create role regress_other;
grant execute on function frontdesk.http_post, frontdesk.http_get, frontdesk.http_put, frontdesk.http_patch, frontdesk.http_delete,
  frontdesk.http_request, frontdesk.response, frontdesk.await_response to regress_app, regress_other;

-- Behind one session user two roles make requests: each sees the responses to its own, its members do too.

set role regress_app;
select frontdesk.http_post('https://hooks.example.com/', '{}', headers => '{"Authorization": "Bearer hidden"}') as mine \gset
select frontdesk.http_get('https://hooks.example.com/') as got, frontdesk.http_put('https://hooks.example.com/') as put,
  frontdesk.http_patch('https://hooks.example.com/') as patched, frontdesk.http_delete('https://hooks.example.com/') as deleted \gset
reset role;
insert into frontdesk_internal.attempt (event_id, endpoint_id, attempt, started_at, duration_ms, succeeded, status, response)
select v.id, 0, 1, frontdesk.now(), 1, true, 200, 'an answer' from frontdesk.event v;
select count(*), count(distinct record->>'method') from frontdesk.event where record->>'by' = 'regress_app'::regrole::oid::text;
set role regress_app;
select * from frontdesk.response(:mine);
select status from frontdesk.await_response(:mine, '1 ms');
select count(*) from unnest(array[:got, :put, :patched, :deleted]::bigint[]) i, frontdesk.response(i);
set role regress_member;
select status from frontdesk.response(:mine);
set role regress_other;
select * from frontdesk.response(:mine);
\echo :SQLSTATE
select * from frontdesk.await_response(:mine, '1 ms');
\echo :SQLSTATE
reset role;
select status from frontdesk.response(:mine);

-- So it is where the request is made by a SECURITY DEFINER function: it is its owner's.

create function ask() returns bigint language sql security definer as $$ select frontdesk.http_get('https://hooks.example.com/') $$;
alter function ask() owner to regress_app;
set role regress_other;
select ask() as asked \gset
select * from frontdesk.response(:asked);
\echo :SQLSTATE
set role regress_app;
select count(*) from frontdesk.response(:asked);
reset role;

-- What was never a request is for who administers the extension, and for the session user that recorded it.

select frontdesk.emit('lead.created') as emitted \gset
set role regress_other;
select * from frontdesk.response(:emitted);
\echo :SQLSTATE
reset role;
select count(*) from frontdesk.response(:emitted);

-- An address that must not be called is the request's response, and no error where a trigger makes the request.

create table orders (id int primary key, url text);
create function tell() returns trigger language plpgsql security definer as $$ begin perform frontdesk.http_post(new.url); return new; end $$;
create trigger tell after insert on orders for each row execute function tell();
insert into orders values (1, 'http://127.0.0.1:9/'), (2, 'http://169.254.169.254/latest/meta-data'), (3, 'http://[::1]/');
select count(*) from orders;
select record->>'url' from frontdesk.event order by id desc limit 3;
-- What is no URL is a mistake, and said at once.
insert into orders values (4, 'not a url');
\echo :SQLSTATE

-- replay(): a direct request goes nowhere but to its own URL, with its sealed headers.

select frontdesk.add_endpoint('everything', 'https://a.example.com/', signature => 'none') is null as without_secret;
select frontdesk.add_endpoint('tenant-a', 'https://b.example.com/', signature => 'none', tenant => '00000000-0000-0000-0000-00000000000a') is null as without_secret;
select frontdesk.replay(:mine, 'everything');
\echo :SQLSTATE
select frontdesk.replay(:mine);
select endpoint_id from frontdesk_internal.retry where event_id = :mine;

-- An event of another tenant, or of none, does not reach a tenant's endpoint, however it is replayed.

select frontdesk.emit('lead.won', tenant => '00000000-0000-0000-0000-00000000000b') as of_b, frontdesk.emit('lead.won') as of_none,
  frontdesk.emit('lead.won', tenant => '00000000-0000-0000-0000-00000000000a') as of_a \gset
select frontdesk.replay(:of_b, 'tenant-a');
\echo :SQLSTATE
select frontdesk.replay(:of_none, 'tenant-a');
\echo :SQLSTATE
select frontdesk.replay(:of_a, 'tenant-a'), frontdesk.replay(:of_b, 'everything');
select frontdesk.add_endpoint('made-later', 'https://c.example.com/', events => '{lead.*}', signature => 'none', tenant => '00000000-0000-0000-0000-00000000000a') is null as without_secret;
select endpoint, outcome from frontdesk.explain_event(:of_b) order by endpoint;
select endpoint, outcome from frontdesk.explain_event(:of_a) order by endpoint;
delete from frontdesk_internal.retry;
select frontdesk.replay(:of_b), frontdesk.replay(:of_a);
select e.name, r.event_id = :of_a as of_a from frontdesk_internal.retry r join frontdesk_internal.endpoint e on e.id = r.endpoint_id order by 1, 2;
-- Nor by a dead letter of the time when the endpoint took all.
insert into frontdesk_internal.dead_letter (event_id, endpoint_id, event_xid, event_at, attempts, reason, died_at)
select v.id, e.id, v.xid, v.created_at, 9, 'timeout', frontdesk.now() from frontdesk.event v, frontdesk_internal.endpoint e where v.id in (:of_a, :of_b) and e.name = 'tenant-a';
select frontdesk.replay('tenant-a', since => '-infinity');

-- What is for one endpoint is for no other.

select frontdesk.test_endpoint('everything') as tested \gset
select frontdesk.replay(:tested, 'made-later');
\echo :SQLSTATE

-- The engine's own events are recorded by the engine alone, whatever verb or table is tried.

select frontdesk.emit(t) from unnest('{endpoint.failing,delivery.exhausted,http.request,http.x,job.failed,flow.done,engine.started,job}'::text[]) t limit 1;
create function refusals(call text) returns setof text language plpgsql as $$
declare
  t text;
begin
  foreach t in array '{endpoint.failing,delivery.exhausted,http.request,http.x,job.failed,flow.done,engine.started,job}'::text[] loop
    begin
      execute call using t;
      return next t || ' was recorded';
    exception when reserved_name then
      null;
    end;
  end loop;
end
$$;
create table things (id int primary key, at timestamptz);
select refusals('select frontdesk.emit($1)');
select refusals('select frontdesk.watch(''things'', entity => $1)');
select refusals('select frontdesk.remind(''things'', ''at'', ''1 hour'', $1)');
select refusals('select frontdesk.send_webhook_with_retry(''everything'', $1, ''{}'')');
select frontdesk.emit('jobs.done') > 0 as fine;
-- No type can break out of the JSON that it is put into.
select frontdesk.emit(E'x","injected":"y');
\echo :SQLSTATE
select frontdesk.watch('things', entity => E'x","y');
\echo :SQLSTATE
select frontdesk.remind('things', 'at', '1 hour', E'x","y');
\echo :SQLSTATE

select frontdesk.remove_endpoint(name) from frontdesk_internal.endpoint order by name;
drop function ask();
drop owned by regress_app, regress_member, regress_other;
drop role regress_app, regress_member, regress_other;
