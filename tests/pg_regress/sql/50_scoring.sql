-- Scores: the shipped models, explanations, a model of one's own, tables that keep their scores.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never

-- The seed's weights reach both ends.
select frontdesk.score('{}', 'completeness') as least,
  frontdesk.score('{"email": "ada@example.com", "phone": "+14155550123", "service": "x", "company": "x", "region": "x", "country": "x", "postal_code": "1"}', 'completeness') as most,
  frontdesk.score('{"email": "ada@example.com", "phone": "null", "service": "", "region": "only half"}', 'completeness') as literal_null;
select * from frontdesk.explain_score('{"email": "ada@example.com", "phone": "+1", "service": "x", "company": "x", "region": "x", "country": "x", "postal_code": "1"}', 'completeness');
select * from frontdesk.explain_score('{"message": "How much does it cost? I could come by for a test drive today, and I need financing. My budget is 5000.", "touches": 7}', 'intent');
select message, frontdesk.score(jsonb_build_object('message', message), 'intent') from (values
  ('¿Cuánto cuesta? Lo necesito hoy'), ('Was kostet das? Ich möchte diese Woche einen Termin'), ('Wat is de prijs? Graag vandaag een proefrit'),
  ('the toolbar is unlockable nowhere'), ('')) m (message);
select * from frontdesk.explain_score('{"budget": 5000, "touches": 4, "custom_attributes": {"company_size": "25"}}', 'fit');
select * from frontdesk.explain_score('{"budget": 1e400, "custom_attributes": {"company_size": "15k"}}', 'fit');
select sum(points), frontdesk.score(f), frontdesk.score_tier(frontdesk.score(f))
from (values ('{"email": "a@b", "message": "price? http://x", "budget": 333}'::jsonb)) v (f), frontdesk.explain_score(f) group by f;
select frontdesk.score(null), frontdesk.score('{}', null), frontdesk.score_tier(100), frontdesk.score_tier(-5), frontdesk.score_tier(null);
select frontdesk.score_parts(), frontdesk.score_parts('fit');

-- A model of one's own: every kind of line, and the lines add up.
select frontdesk.set_score_model('house', $$[
  {"name": "garden", "points": 20, "filter": {"garden": true}, "group": "outside", "reason": "has a garden"},
  {"name": "pool", "points": 30, "filter": {"pool": {"$exists": true}}, "group": "outside"},
  {"name": "size", "points": 12.5, "value": "rooms", "from": 1, "to": 9},
  {"name": "noise", "points": -40, "filter": {"street": {"$regex": "(?i)motorway"}}, "reason": "is loud"},
  {"name": "taste", "points": 0.33, "part": "completeness"}]$$,
  base => 5, cap => 60, tiers => '{"good": 40, "poor": 0}', groups => '{"outside": 35}', decay_moment => 'seen_at', half_life => '10 days');
set frontdesk.fake_now = '2026-05-11 00:00:00+00';
create view houses as select * from (values
  (1, '{"garden": true, "pool": 1, "rooms": 5, "email": "a@b.c", "phone": "1"}'::jsonb),
  (2, '{"garden": true, "pool": 1, "rooms": 50, "email": "a@b.c", "phone": "1", "seen_at": "2026-05-01T00:00:00Z"}'),
  (3, '{"street": "At the Motorway 1", "rooms": 0}'),
  (4, '{"seen_at": "2027-01-01", "garden": true}'),
  (5, '{"seen_at": "infinity", "garden": true}')) h (id, facts);
select h.id, e.* from houses h, frontdesk.explain_score(h.facts, 'house') e;
select h.id, frontdesk.score(h.facts, 'house') as score, frontdesk.score_tier(frontdesk.score(h.facts, 'house'), 'house') as tier,
  (select sum(points) from frontdesk.explain_score(h.facts, 'house')) = frontdesk.score(h.facts, 'house') as adds_up from houses h;
reset frontdesk.fake_now;

-- Log-odds: the score is a probability.
select frontdesk.set_score_model('chance', '[{"name": "phone", "points": 2.1972, "filter": {"phone": {"$exists": true}}}, {"name": "budget", "points": -1, "value": "budget", "from": 0, "to": 10}]',
  link => 'logistic');
select * from frontdesk.explain_score('{"phone": 1, "budget": 10}', 'chance');
select frontdesk.score('{}', 'chance'), frontdesk.score('{"phone": 1}', 'chance'), frontdesk.score('{"phone": 1, "budget": "10"}', 'chance');

-- A tenant's model goes before everybody's, in parts too.
select frontdesk.set_score_model('fit', '[{"name": "all", "points": 50}]', tenant => '11111111-1111-1111-1111-111111111111');
select frontdesk.score('{}', 'fit'), frontdesk.score('{}', 'fit', '11111111-1111-1111-1111-111111111111') as his, frontdesk.score('{}', 'default', '11111111-1111-1111-1111-111111111111') as whole,
  frontdesk.score('{}', 'fit', '22222222-2222-2222-2222-222222222222') as other;
select frontdesk.remove_score_model('fit', '11111111-1111-1111-1111-111111111111'), frontdesk.remove_score_model('fit', '11111111-1111-1111-1111-111111111111');

-- Rows: what is changed counts at once, also within a statement and after a rollback.
select points from frontdesk.score_rule where model = 'completeness' and name = 'email';
do $$
begin
  update frontdesk.score_rule set points = 31 where model = 'completeness' and name = 'email';
  raise warning '%', frontdesk.score('{"email": "@"}', 'completeness');
  begin
    update frontdesk.score_rule set points = 32 where model = 'completeness' and name = 'email';
    raise warning '%', frontdesk.score('{"email": "@"}', 'completeness');
    raise exception 'back';
  exception when raise_exception then
    raise warning '% again', frontdesk.score('{"email": "@"}', 'completeness');
  end;
end $$;
begin;
update frontdesk.score_rule set points = 33 where model = 'completeness' and name = 'email';
select frontdesk.score('{"email": "@"}', 'completeness');
rollback;
select frontdesk.score('{"email": "@"}', 'completeness');

-- Whoever changes a shipped model keeps his; an upgrade brings the others anew.
select name, shipped from frontdesk.score_model where tenant::text ~ '^0' order by name;
select frontdesk_internal.ship_score_model('completeness', 'new', '{"low": 0}', '{}', '[{"name": "email", "points": 1}]');
select frontdesk_internal.ship_score_model('fit', 'new', '{"low": 0}', '{}', '[{"name": "budget", "points": 1}]');
select m.name, m.shipped, m.description, count(r) from frontdesk.score_model m left join frontdesk.score_rule r on r.model = m.name where m.name in ('completeness', 'fit') group by m.tenant, m.name order by m.name;
-- A dump brings what was changed, and it takes the shipped one's place.
insert into frontdesk.score_model (name, base, tiers) values ('fit', 7, '{"any": 0}');
insert into frontdesk.score_rule (model, name, points) values ('fit', 'mine', 3);
select frontdesk.score('{"budget": 5}', 'fit'), frontdesk.score_tier(10, 'fit');
select shipped from frontdesk.score_model where name = 'fit';

-- Any table keeps its scores.
create table visitor (id int primary key, owner uuid, email text, budget numeric, touches int, at timestamptz, data jsonb,
  score numeric, score_tier text, score_breakdown jsonb);
select frontdesk.keep_scores('visitor', tenant_column => 'owner');
insert into visitor (id, email, budget, touches) values (1, 'a@b.c', 1, 2), (2, null, null, null), (3, 'a@b.c', 'NaN', 2);
select id, score, score_tier, score_breakdown from visitor order by id;
select bool_and(score = frontdesk.score(to_jsonb(v) - '{score,score_tier,score_breakdown}'::text[]))  as same_as_json,
  bool_and(score_breakdown = (select coalesce(jsonb_object_agg(rule, points), '{}') from frontdesk.explain_score(to_jsonb(v)))) as same_lines from visitor v;
update visitor set email = null where id = 1;
update visitor set score = 99, score_tier = 'hot' where id = 2;
select id, score, score_tier from visitor order by id;
update frontdesk.score_model set base = 17 where name = 'fit';
select id, score, frontdesk.score_is_stale(v, 'default', 'owner') from visitor v order by id;
update visitor v set score = score where frontdesk.score_is_stale(v, 'default', 'owner');
select id, score, frontdesk.score_is_stale(v, 'default', 'owner') from visitor v order by id;
-- Columns that come and go while the session keeps what it knows of the table.
do $$
begin
  alter table visitor drop column email, add column phone text;
  insert into visitor (id, phone) values (4, '+1');
  alter table visitor alter column budget type text;
  insert into visitor (id, budget) values (5, '10000');
  alter table visitor rename column phone to company;
  insert into visitor (id, company) values (6, 'x');
end $$;
select id, score, score_breakdown from visitor where id > 3 order by id;
-- Without its model a row is left as it is.
select frontdesk.keep_scores('visitor', 'house', score_column => 'score', tier_column => null, breakdown_column => null);
select frontdesk.remove_score_model('house');
insert into visitor (id, score) values (7, 5);
select score from visitor where id = 7;

-- Learning: known weights are found again.
select m->'model'->>'link' as link, (m->'report'->>'rows')::int as rows, (m->'report'->>'auc')::numeric > 0.7 as good,
  jsonb_array_length(m->'report'->'calibration') as bins, m->'model'->'rules'->0->>'reason' as most_important
from (select frontdesk.fit_score_model('learned', array_agg(jsonb_build_object('source', case when n % 2 = 0 then 'ad' else 'friend' end, 'size', n % 7)::text order by n),
  array_agg(case when n % 2 = 0 then n % 10 = 0 else n % 10 <> 1 end order by n)) from generate_series(1, 400) n) f (m);

-- The jobs of follow_scores() run when a model was changed: once, however many changes.
select frontdesk.pause();
select frontdesk.schedule('again', '@yearly', 'select 1') > 0;
select frontdesk.follow_scores('again');
update frontdesk.score_rule set points = 3 where model = 'fit';
update frontdesk.score_rule set points = 4 where model = 'fit';
select job_name, status, count(*) from frontdesk_internal.job_run group by 1, 2;
