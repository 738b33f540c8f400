-- What is wrong with a score model is said when it is declared, by the verb and by the rows alike.
set client_min_messages = warning;
\pset format unaligned
\set SHOW_CONTEXT never

select frontdesk.score('{}', 'none');
select frontdesk.score('[1]');
select frontdesk.explain_score('"text"');
select frontdesk.set_score_model('m', null);
select frontdesk.set_score_model('m', '{}');
select frontdesk.set_score_model('m', '[1]');
select frontdesk.set_score_model('m', '[{"points": 1}]');
select frontdesk.set_score_model('m', '[{"name": "a", "point": 1}]');
select frontdesk.set_score_model('m', '[{"name": "a"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": "many"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "value": "x", "from": "low", "to": 1}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "filter": {"x": {"$above": 1}}}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "filter": {"x": {"$regex": "("}}}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "filter": "x"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1}, {"name": "a", "points": 2}]');
select frontdesk.set_score_model('m', '[{"name": "cap", "points": 1}]');
select frontdesk.set_score_model('M''; drop table x', '[]');
select frontdesk.set_score_model(null, '[]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 0.001}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1e9}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "group": "g"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "group": "g"}]', groups => '{"h": 5}');
select frontdesk.set_score_model('m', '[]', groups => '{"h": "5"}');
select frontdesk.set_score_model('m', '[]', groups => '{"h": -5}');
select frontdesk.set_score_model('m', '[]', tiers => '{"hot": 170, "cold": 0}');
select frontdesk.set_score_model('m', '[]', tiers => '{"hot": 70, "warm": 70, "cold": 0}');
select frontdesk.set_score_model('m', '[]', tiers => '{"hot": 70}');
select frontdesk.set_score_model('m', '[]', tiers => '{"hot": null}');
select frontdesk.set_score_model('m', '[]', tiers => '[70]');
select frontdesk.set_score_model('m', '[]', cap => 0);
select frontdesk.set_score_model('m', '[]', cap => 'NaN');
select frontdesk.set_score_model('m', '[]', decay_moment => 'created_at');
select frontdesk.set_score_model('m', '[]', decay_moment => 'created_at', half_life => '-1 day');
select frontdesk.set_score_model('m', '[]', link => 'probit');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "part": "n"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "part": "m"}]');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "part": "fit"}]', link => 'logistic');
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "value": "x"}]');
select count(*) from frontdesk.score_model where name = 'm';

-- Rows.
select frontdesk.set_score_model('m', '[{"name": "a", "points": 1, "part": "fit"}]');
update frontdesk.score_rule set part = 'm' where model = 'fit' and name = 'budget';
update frontdesk.score_rule set value = null, value_from = null, value_to = null, part = 'm' where model = 'fit' and name = 'budget';
update frontdesk.score_rule set filter = '{"a": {"$is": 1}}' where model = 'm';
update frontdesk.score_model set tiers = '{"hot": 50}' where name = 'm';
update frontdesk.score_rule set points = 'NaN' where model = 'm';
select frontdesk.remove_score_model('fit');
delete from frontdesk.score_model where name = 'completeness';
-- A tenant's model is checked together with everybody's, whichever changes.
select frontdesk.set_score_model('his', '[{"name": "a", "points": 1, "part": "m"}]', tenant => '11111111-1111-1111-1111-111111111111');
select frontdesk.remove_score_model('m');
select frontdesk.remove_score_model('his', '11111111-1111-1111-1111-111111111111'), frontdesk.remove_score_model('m');
select frontdesk.score('{"email": "@"}', 'completeness');

-- Tables.
create table t (id int, score int, score_tier text, score_breakdown jsonb, tenant text);
select frontdesk.keep_scores('t', 'none');
select frontdesk.keep_scores('t');
alter table t alter score type numeric;
select frontdesk.keep_scores('t', tier_column => 'tier');
select frontdesk.keep_scores('t', tenant_column => 'tenant');
create trigger late after insert on t for each row execute function frontdesk_internal.keep_score('default');
insert into t values (1);
drop trigger late on t;
select frontdesk.keep_scores('t');
alter table t alter score_tier type varchar(10);
insert into t values (1);

-- Too little to learn from.
select frontdesk.fit_score_model('m', '{}', '{}');
select frontdesk.fit_score_model('m', array_fill('{"a": 1}'::text, array[100]), array_fill(true, array[50]) || array_fill(false, array[50]));
select frontdesk.fit_score_model('m', array_fill('nonsense'::text, array[100]), array_fill(true, array[100]));

-- Rights: anybody may score, nobody else may write models or read them.
create role regress_scorer;
set role regress_scorer;
select frontdesk.score('{"email": "@"}', 'completeness');
select frontdesk.set_score_model('m', '[]');
select * from frontdesk.score_model;
update frontdesk.score_rule set points = 1;
select frontdesk_internal.score_book('00000000-0000-0000-0000-000000000000');
select frontdesk.follow_scores('again');
reset role;
drop role regress_scorer;
