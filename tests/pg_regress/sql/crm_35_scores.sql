-- Scores of leads: at once, with history, rescored when a model changes, learned from history.
set client_min_messages = warning;
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
select frontdesk.pause();
select frontdesk.install_crm() is not null;

insert into crm.leads (account_id, name, email, phone, budget, message, custom_attributes)
select a.id, l.* from crm.accounts a, (values
  ('Ada', 'ada@example.com', '+14155550123', 8000::numeric, 'How much is it? I need it this week.', '{"company_size": 40}'::jsonb),
  ('Ben', 'ben@example.com', null, null, null, '{}'),
  ('Cy', null, null, null, 'price?', '{}')) l;
select name, score, score_tier, score_breakdown from crm.leads order by id;
select * from crm.explain_lead_score(1);
select * from crm.explain_lead_score(3, 'intent');
select bool_and((select sum(points) from crm.explain_lead_score(l.id)) = l.score) as adds_up from crm.leads l;
select type, record->'score' as score, record->'score_tier' as tier, record ? 'score_breakdown' as breakdown from frontdesk.event where type = 'lead.created' and key = '1';
select count(*) from crm.lead_score_history;

-- A fact changes: score and history in the same statement, an event when the tier changes.
update crm.leads set budget = 8100 where id = 1 returning score, score_tier;
update crm.leads set message = 'I want a test drive today. What is the price, and can I get financing? My budget is 9000, see www.example.com' where id = 1 returning score, score_tier;
update crm.leads set custom_attributes = '{"colour": "red"}' where id = 2 returning score, score_tier;
update crm.leads set score = 100, score_tier = 'hot' where id = 2 returning score, score_tier;
select lead_id, old_score, new_score, old_tier, new_tier, breakdown is not null as breakdown from crm.lead_score_history order by id;
select key, record - 'account_id' as record from frontdesk.event where type = 'lead.score_changed' order by id;

-- A model changes: the job is asked to run; rescore() does the same at once and writes only what differs.
select job_name, status, count(*) from frontdesk_internal.job_run group by 1, 2;
update frontdesk.score_rule set points = 20 where model = 'completeness' and name = 'phone';
select job_name, status, count(*) from frontdesk_internal.job_run group by 1, 2;
select schedule, overlap, max_retries from frontdesk.jobs where name = 'crm rescore';
select crm.rescore('intent'), crm.rescore('completeness'), crm.rescore('completeness'), crm.rescore();
select frontdesk.set_score_model('unused', '[]', tiers => '{}');
select crm.rescore('unused');
select crm.rescore('none');
select id, score from crm.leads order by id;
-- In batches, each after the last.
update frontdesk.score_rule set points = 10 where model = 'completeness' and name = 'email';
select * from crm_internal.rescore_after(0, batch => 1);
select * from crm_internal.rescore_after(1, batch => 1);
select * from crm_internal.rescore_after(2);
select * from crm_internal.rescore_after(3);

-- Age: half of the score is left after ten days, without anything being written to the lead.
select frontdesk.set_score_model('default', '[{"name": "fit", "points": 1, "part": "fit"}]', tenant => (select id from crm.accounts), decay_moment => 'created_at', half_life => '10 days');
select crm.rescore() > 0;
update crm.leads set created_at = '2026-01-01 00:00:00+00' where id = 1;
set frontdesk.fake_now = '2026-01-01 00:00:00+00';
select crm.score_lead(1);
set frontdesk.fake_now = '2026-01-11 00:00:00+00';
select crm.score_lead(1), crm.score_lead(1);
select * from crm.explain_lead_score(1);
reset frontdesk.fake_now;
select frontdesk.remove_score_model('default', (select id from crm.accounts));

-- Another account has a default of its own, and nobody else sees its leads.
insert into crm.accounts (id, name) values ('22222222-2222-2222-2222-222222222222', 'Other');
insert into crm.account_members (account_id, user_id, role) select id, case when name = 'Other' then 'olga' else 'mia' end, 'member' from crm.accounts;
select frontdesk.set_score_model('default', '[{"name": "email", "points": 77, "filter": {"email": {"$ne": null}}}]', tenant => '22222222-2222-2222-2222-222222222222');
insert into crm.leads (account_id, name, email) values ('22222222-2222-2222-2222-222222222222', 'Dot', 'dot@example.com') returning name, score, score_tier, score_breakdown;
create role regress_member;
select crm.grant_access('regress_member');
set role regress_member;
set frontdesk.user_id = 'mia';
select id, score from crm.leads order by id;
update crm.leads set budget = 5000 where name = 'Ben' returning score;
insert into crm.leads (account_id, name, email) select id, 'Eve', 'eve@example.com' from crm.accounts returning score;
select lead_id, new_score from crm.lead_score_history order by id desc limit 1;
select crm.rescore();
select crm.score_lead(4);
select * from crm.explain_lead_score(4);
select crm.score_lead(null);
insert into crm.lead_score_history (account_id, lead_id, old_score, new_score) values ('22222222-2222-2222-2222-222222222222', 4, 0, 1);
select crm.train_score_model('chance', 'new', '{won}', '{lost}', '22222222-2222-2222-2222-222222222222');
set frontdesk.user_id = 'olga';
select name, score from crm.leads;
select count(*) from crm.lead_score_history;
reset role;
reset frontdesk.user_id;

-- Odd input does no harm.
insert into crm.leads (account_id, name, message, service)
select '22222222-2222-2222-2222-222222222222', n, m, $$x'); drop table crm.leads; --$$
from (values ('👩‍💻 שלום', repeat('price? ', 150000)), (E'\u202Eright to left', E'today\u0001\u0002 pr\u00EDce')) l (n, m);
select count(*) from crm.leads where account_id = '22222222-2222-2222-2222-222222222222' and score = 0;

-- Learning from the account's own history.
select crm.train_score_model('chance', 'contacted', '{won}', '{lost}', id) from crm.accounts where name <> 'Other';
insert into crm.leads (account_id, source, company, stage)
select a.id, case when n % 2 = 0 then 'ad' else 'referral' end, case when n % 3 > 0 then 'c' || n end, 'contacted'
from crm.accounts a, generate_series(1, 300) n where a.name <> 'Other';
select count(crm.set_lead_stage(l.id, case when (l.source = 'referral') = (l.id % 10 > 1) then 'won' else 'lost' end)) from crm.leads l where l.source is not null;
select r->'rows' as rows, r->'positive' as positive, (r->>'auc')::numeric between 0.7 and 0.9 as auc, round((r->>'brier')::numeric, 2) as brier,
  r->'from_stage' as from_stage, jsonb_array_length(r->'calibration') as bins
from (select crm.train_score_model('chance', 'contacted', '{won,repeat}', '{lost}', id) from crm.accounts where name <> 'Other') t (r);
select m.name, m.link, m.shipped, m.description, m.report->'rows' as rows from frontdesk.score_model m where m.name = 'chance';
select rule, points > 0 as positive, reason from frontdesk.explain_score('{"source": "referral"}', 'chance', (select id from crm.accounts where name <> 'Other'));
select frontdesk.set_score_model('default', '[{"name": "chance", "points": 1, "part": "chance"}]', tenant => id) from crm.accounts where name <> 'Other';
select crm.rescore() > 300 as rescored;
select source, round(avg(score), -1) as score from crm.leads where source is not null group by 1 order by 1;
-- What is wrong with the request.
select crm.train_score_model('chance', 'contacted', '{sold}', '{lost}', id) from crm.accounts where name <> 'Other';
select crm.train_score_model('chance', 'contacted', '{won}', '{won}', id) from crm.accounts where name <> 'Other';
select crm.train_score_model('chance', 'contacted', '{}', '{lost}', id) from crm.accounts where name <> 'Other';
select crm.train_score_model('No Name', 'contacted', '{won}', '{lost}', id) from crm.accounts where name <> 'Other';
select crm.train_score_model('chance', 'qualified', '{won}', '{lost}', id) from crm.accounts where name <> 'Other';

-- Installing again keeps all of it, and does not ask for the job twice.
select frontdesk.install_crm();
select count(*) from frontdesk.jobs where name = 'crm rescore';
select crm.rescore();
select frontdesk.uninstall_crm(current_database());
select count(*) from frontdesk.jobs;
drop owned by regress_member;
drop role regress_member;
