-- Room 25, handler: an event runs SQL after the commit.
set client_min_messages = warning;
\set SHOW_CONTEXT never
\pset null ~
create procedure wait(condition text) language plpgsql as $$
declare
  holds boolean;
begin
  for i in 1..1000 loop
    execute 'select ' || condition into holds;
    exit when holds;
    commit;
    perform pg_sleep(0.02);
  end loop;
  if holds is not true then
    raise exception 'in vain: %', condition;
  end if;
end $$;

create table lead (id int primary key, name text, amount int);
select frontdesk.watch('lead');
create table done (n bigint generated always as identity, what text);

-- A function of one event.
create function note(event frontdesk.event) returns void language plpgsql as $$
begin
  insert into public.done (what) values (event.type || ' ' || coalesce(event.key, '') || ' ' || coalesce(event.record->>'name', '') || ' by ' || current_user);
end $$;
select frontdesk.add_handler('note', 'note(frontdesk.event)', events => '{lead.*}', filter => '{"new.amount": {"$gt": 10}}');
\x on
select name, function, owner = current_user::regrole as mine, state, state_reason, problem, events, filter, failures, behind, retrying, dead,
  batch, timeout, ordered, retry, tenant from frontdesk.handlers;
\x off
insert into lead values (1, 'Ada', 20), (2, 'Grace', 5), (3, 'Edsger', 30);
call wait('(select count(*) = 2 from done)');
select replace(what, current_user, 'me') as what from done order by n;

-- It is no endpoint with a URL, and is one for all the rest.
select name from frontdesk.endpoints;
select name from frontdesk.webhook_configs;
select x.endpoint, x.outcome, regexp_replace(x.reason, ' at .*', ' at ...') as reason, x.attempts
from frontdesk.event e, frontdesk.explain_event(e.id) x where e.type = 'lead.created' order by e.id;
select endpoint, state, attempts, status from frontdesk.delivery order by event_id;
select endpoint, attempt, succeeded, status, error from frontdesk.attempts order by id;
select frontdesk.alter_endpoint('note', url => 'https://example.com');
select frontdesk.rotate_secret('note');
select frontdesk.pause_endpoint('note');
insert into lead values (4, 'Barbara', 40);
select state, state_reason like 'pause_endpoint() by %' as by_whom from frontdesk.handlers;
select frontdesk.resume_endpoint('note');
call wait('(select count(*) = 3 from done)');
select frontdesk.test_endpoint('note') > 0;
call wait('(select count(*) = 4 from done)');
select frontdesk.replay('note', since => '2020-01-01', only_failed => false);
call wait('(select count(*) = 8 from done)');
select count(*), count(distinct what) from done;
truncate done;

-- A function of many, and what is one transaction.
create function note_all(events frontdesk.event[]) returns bigint language sql as $$
  with n as (insert into public.done (what) select 'many: ' || string_agg(e.key, ' ' order by e.key::int) from unnest(events) e returning 1) select count(*) from n
$$;
select frontdesk.alter_handler('note', 'note_all(frontdesk.event[])', filter => 'null', batch => 3);
select frontdesk.pause_endpoint('note');
insert into lead select n, 'many', 0 from generate_series(11, 17) n;
select frontdesk.resume_endpoint('note');
call wait('(select count(*) = 3 from done)');
select what from done order by n;
truncate done;

-- One that fails is told apart from its batch, tried again, and is a dead letter in the end.
create function choosy(event frontdesk.event) returns void language plpgsql as $$
begin
  insert into public.done (what) values (event.key);
  if (event.record->>'amount')::int = 0 then
    raise exception using errcode = '22012', message = 'no amount', detail = 'It is 0.', hint = 'Give it one.';
  end if;
end $$;
select frontdesk.alter_handler('note', 'choosy(frontdesk.event)', batch => 100, retry => '{"delays": ["10ms"]}');
insert into lead select n, 'choosy', case when n = 25 then 0 else 1 end from generate_series(21, 29) n;
call wait('(select count(*) = 8 from done) and exists (select from frontdesk_internal.dead_letter)');
select string_agg(what, ' ' order by what) from done;
select endpoint, key, attempts, reason from frontdesk.dead_letters;
select attempt, succeeded, status, error, regexp_replace(detail, 'PL/pgSQL function .*', 'PL/pgSQL function ...') as detail from frontdesk.attempts where not succeeded order by id;
select x.outcome, x.attempts from frontdesk_internal.dead_letter d, frontdesk.explain_event(d.event_id) x;
update lead set amount = 1 where id = 25;
call wait('(select count(*) = 9 from done)');
select frontdesk.discard('note');
select retrying, dead, failures from frontdesk.handlers;
truncate done;

-- What only the commit finds out is told apart as well.
create table parent (id int primary key);
create table child (parent int references parent deferrable initially deferred);
insert into parent select n from generate_series(31, 38) n where n <> 34;
create function orphan(event frontdesk.event) returns void language sql as $$ insert into public.child values (event.key::int) $$;
select frontdesk.alter_handler('note', 'orphan(frontdesk.event)', retry => '{"delays": []}');
insert into lead select n, 'orphan', 1 from generate_series(31, 38) n;
call wait('(select count(*) = 7 from child) and exists (select from frontdesk_internal.dead_letter)');
select key, split_part(reason, E'\n', 1) as reason from frontdesk.dead_letters;
select frontdesk.discard('note');

-- Neither roles nor settings that a function sets are there for the next, and none commits.
create role handler_other;
create function leaves_things(event frontdesk.event) returns void language plpgsql as $$
begin
  insert into public.done (what) values (current_user = session_user and current_setting('work_mem') <> '77kB' and current_setting('frontdesk.user_id', true) is distinct from 'x');
  set work_mem = '77kB';
  perform set_config('frontdesk.user_id', 'x', false);
  execute 'set role handler_other';
end $$;
grant insert on done to handler_other;
select frontdesk.alter_handler('note', 'leaves_things(frontdesk.event)', batch => 1);
insert into lead select n, 'settings', 1 from generate_series(41, 43) n;
call wait('(select count(*) = 3 from done)');
select what, count(*) from done group by 1;
truncate done;
create function commits(event frontdesk.event) returns void language plpgsql as $$ begin insert into public.done (what) values ('no'); commit; end $$;
select frontdesk.alter_handler('note', 'commits(frontdesk.event)');
insert into lead values (51, 'commits', 1);
call wait('exists (select from frontdesk_internal.dead_letter)');
select reason ~ '^sql: 2D000: invalid transaction termination' from frontdesk.dead_letters;
select count(*) from done;
select frontdesk.discard('note');

-- A handler that makes events for itself comes to an end.
create function again(event frontdesk.event) returns void language plpgsql as $$
begin
  reset all;
  insert into public.lead values ((event.record->>'id')::int + 1, 'again', 1);
end $$;
select frontdesk.alter_handler('note', 'again(frontdesk.event)', events => '{lead.created}');
insert into lead values (100, 'again', 1);
call wait('exists (select from frontdesk.event e where e.depth = 9)');
select depth, key, (select x.outcome from frontdesk.explain_event(e.id) x) as outcome from frontdesk.event e where key::int >= 100 order by e.id;

-- What is gone disables it, with its reason, and nothing is lost.
select frontdesk.alter_handler('note', 'note(frontdesk.event)', retry => 'null');
drop function note(frontdesk.event);
insert into lead values (201, 'gone', 1);
call wait('(select state = ''disabled'' from frontdesk.handlers)');
select state, state_reason, retrying from frontdesk.handlers;
create function note(event frontdesk.event) returns int language sql as $$ insert into public.done (what) values ('here again: ' || event.key) returning 1 $$;
select frontdesk.resume_endpoint('note');
call wait('exists (select from done)');
select what from done;
select state, retrying, dead from frontdesk.handlers;

-- What is refused.
\set VERBOSITY default
select frontdesk.add_handler('note', 'note(frontdesk.event)');
select frontdesk.add_handler('no name', 'note(frontdesk.event)');
select frontdesk.add_handler('x', null);
select frontdesk.add_handler('x', 'lower(text)');
select frontdesk.add_handler('x', 'note(frontdesk.event)', batch => 0);
select frontdesk.add_handler('x', 'note(frontdesk.event)', batch => 1001);
select frontdesk.add_handler('x', 'note(frontdesk.event)', timeout => '1 day');
select frontdesk.add_handler('x', 'note(frontdesk.event)', events => '{}');
select frontdesk.add_handler('x', 'note(frontdesk.event)', events => '{a..b}');
select frontdesk.add_handler('x', 'note(frontdesk.event)', filter => '{"new.a": {"$near": 1}}');
select frontdesk.add_handler('x', 'note(frontdesk.event)', retry => '{"delays": "soon"}');
create function many_rows(event frontdesk.event) returns setof int language sql as $$ select 1 $$;
create procedure proc(event frontdesk.event) language sql as $$ select 1 $$;
select frontdesk.add_handler('x', 'many_rows(frontdesk.event)');
select frontdesk.add_handler('x', 'proc(frontdesk.event)');
select frontdesk.alter_handler('nobody', active => false);
select frontdesk.remove_handler('nobody');
select frontdesk.remove_handler('note');
select count(*) from frontdesk.handlers;
select count(*) from frontdesk_internal.handler;

-- Whose code runs as whom.
create role handler_ann login;
create role handler_mallory login;
create role handler_team;
grant handler_team to handler_ann;
grant usage, create on schema public to handler_ann, handler_mallory, handler_team;
grant insert on done to handler_ann, handler_mallory, handler_team;
truncate done;
set role handler_ann;
create function who_ann(event frontdesk.event) returns void language sql as $$ insert into public.done (what) values ('ann''s as ' || session_user || ', ' || current_user) $$;
select frontdesk.add_handler('ann', 'who_ann(frontdesk.event)');
select * from frontdesk.handlers;
reset role;
grant execute on function frontdesk.add_handler, frontdesk.alter_handler, frontdesk.remove_handler to handler_ann, handler_mallory;
set role handler_mallory;
create function who_mallory(event frontdesk.event) returns void language sql as $$ insert into public.done (what) values ('mallory''s as ' || session_user || ', ' || current_user) $$;
select frontdesk.add_handler('mallory', 'who_mallory(frontdesk.event)', events => '{lead.*}');
select frontdesk.add_handler('of-ann', 'who_ann(frontdesk.event)');
set role handler_ann;
select frontdesk.add_handler('ann', 'who_ann(frontdesk.event)', events => '{lead.*}');
select frontdesk.add_handler('of-mallory', 'who_mallory(frontdesk.event)');
select frontdesk.alter_handler('mallory', batch => 1);
select frontdesk.remove_handler('mallory');
set role handler_team;
create function who_team(event frontdesk.event) returns void language sql as $$ insert into public.done (what) values ('the team''s as ' || session_user || ', ' || current_user) $$;
set role handler_ann;
select frontdesk.add_handler('team', 'who_team(frontdesk.event)', events => '{lead.*}');
reset role;
-- A superuser's is none of a superuser.
select frontdesk.add_handler('super', 'who_mallory(frontdesk.event)', events => '{lead.*}');
select name, owner from frontdesk.handlers order by name;
insert into lead values (301, 'who', 1);
call wait('(select count(*) = 4 from done)');
select what, count(*) from done group by 1 order by 1;
truncate done;
-- Who may no longer is no longer run as.
alter role handler_mallory nologin;
revoke handler_team from handler_ann;
alter function who_ann(frontdesk.event) owner to handler_mallory;
insert into lead values (302, 'who', 1);
call wait('(select count(*) = 4 from frontdesk.handlers where state = ''disabled'')');
select name, state_reason from frontdesk.handlers order by name;
select count(*) from done;
alter role handler_mallory login;
alter function who_ann(frontdesk.event) owner to handler_ann;
-- REASSIGN OWNED and DROP OWNED see handlers.
reassign owned by handler_mallory to handler_team;
select name, owner, state, state_reason from frontdesk.handlers where owner = 'handler_team'::regrole order by name;
drop owned by handler_team;
select name from frontdesk.handlers order by name;
-- DROP OWNED takes the handlers of a role along.
select frontdesk.resume_endpoint('ann');
call wait('(select count(*) = 1 from done)');
select what from done;
drop owned by handler_ann;
select count(*) from frontdesk.handlers;
drop owned by handler_mallory, handler_other;
drop role handler_ann, handler_mallory, handler_team, handler_other;
