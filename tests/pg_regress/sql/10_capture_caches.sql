-- Every kind of look-up that a trigger of ours makes, in few rows. The hostile suite runs this where debug_discard_caches is
-- set, so that no entry of a cache outlives the moment in which it is looked up and a statement takes a hundred times as
-- long: what is not the triggers' own is done without. No composite types: there PostgreSQL's own to_jsonb() goes on
-- using the names of their columns when they are gone.
set debug_discard_caches = 0;
create type mood as enum ('calm', 'in a hurry');
create table visit (
  id int primary key, name text, phone text, at timestamptz, state text, tenant uuid, amount numeric, moods mood[], local timestamp,
  score numeric, score_tier text, score_breakdown jsonb);
select frontdesk.watch('visit', state_column => 'state', tenant_column => 'tenant', redact => '{phone}',
  condition => '{"$or": [{"new.id": {"$exists": true}}, {"op": "delete"}]}');
select frontdesk.remind('visit', 'at', '-1 hour', 'visit.soon', condition => '{"state": {"$ne": "gone"}}');
select frontdesk.normalize_columns('visit', 'phone', 'phone');
select frontdesk.set_score_model('visits', '[{"name": "won", "filter": {"state": "won"}, "points": 5}]');
select frontdesk.keep_scores('visit', 'visits');
reset debug_discard_caches;

insert into visit (id, name, phone, at, amount, moods) values (1, 'Ada', '+1 (201) 555-0123', '2126-02-03 04:05:06+00', 1.50, '{calm,NULL}');
begin;
savepoint a;
update visit set state = 'lost', at = at + interval '1 day';
rollback to a;
update visit set state = 'won';
commit;

set debug_discard_caches = 0;
alter table visit rename column name to full_name;
insert into visit (id) values (2);
reset debug_discard_caches;

update visit set full_name = 'Bob', local = '2026-01-02' where id = 2;
delete from visit where id = 1;

set debug_discard_caches = 0;
select op, type, key, record from frontdesk.event where source = 'public.visit' order by id;
select id, phone, score, score_tier, score_breakdown from visit;
select key, due_at from frontdesk.timers;
