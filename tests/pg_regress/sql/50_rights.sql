-- Room 50 in hostile hands: everybody's models are everybody's; those of a tenant are for who may set models.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');
create role regress_mallory;
create role regress_scorer;
grant create on schema public to regress_mallory, regress_scorer;
grant execute on function frontdesk.set_score_model to regress_scorer;
\set tenant '00000000-0000-0000-0000-00000000000b'
select frontdesk.set_score_model('default', '[{"name": "secret_rule", "filter": {"email": {"$contains": "@"}}, "points": 77, "reason": "their secret"}]', tenant => :'tenant');

-- A role without rights asks about everybody's models as it likes, and about a tenant's in vain.

set role regress_mallory;
select frontdesk.score('{"email": "a@b"}') < 77, count(*) > 0 from frontdesk.explain_score('{"email": "a@b"}');
select frontdesk.score('{"email": "a@b"}', tenant => '00000000-0000-0000-0000-00000000000c') < 77 as without_models;
select * from frontdesk.explain_score('{"email": "a@b"}', tenant => :'tenant');
\echo :SQLSTATE
select frontdesk_internal.explain_score_of('{"email": "a@b"}', 'default', :'tenant');
\echo :SQLSTATE
select frontdesk.score('{"email": "a@b"}', tenant => :'tenant');
\echo :SQLSTATE
select frontdesk.score_tier(1, tenant => :'tenant');
\echo :SQLSTATE
select 'default' = any (frontdesk.score_parts(tenant => :'tenant')), array_length(frontdesk.score_parts(tenant => :'tenant'), 1) > 1 as parts_of_everybodys;
select frontdesk.set_score_model('default', '[]');
\echo :SQLSTATE
table frontdesk.score_rule;
\echo :SQLSTATE

-- Nor does a table of its own tell it: a table is scored with what its owner may use, whoever writes the row.

create table leads (id int primary key, email text, org uuid, score numeric, score_tier text, score_breakdown jsonb);
select frontdesk.keep_scores('leads', tenant_column => 'org');
insert into leads (id, email, org) values (1, 'a@b', :'tenant');
select score < 77, score_breakdown::text like '%secret%' from leads;
select frontdesk.score_is_stale(row(1, 'a@b', :'tenant', 77, 'hot', '{"secret_rule": 77}')::leads, 'default', 'org') as tells_nothing;
create trigger by_hand before insert on leads for each row execute function frontdesk_internal.keep_score('default', 'org', 'score', '', '');
\echo :SQLSTATE
grant insert on leads to regress_scorer;
set role regress_scorer;
insert into leads (id, email, org) values (2, 'a@b', :'tenant');
reset role;
select score < 77 from leads where id = 2;
set role regress_scorer;
create table prospects (id int primary key, email text, org uuid, score numeric, score_tier text, score_breakdown jsonb);
select frontdesk.keep_scores('prospects', tenant_column => 'org');
select * from frontdesk.explain_score('{"email": "a@b"}', tenant => :'tenant');
grant select, insert on prospects to regress_mallory;
set role regress_mallory;
insert into prospects (id, email, org) values (1, 'a@b', :'tenant') returning score;

-- keep_scores() is for the owner's tables, follow_scores() for the caller's jobs.

select frontdesk.keep_scores('prospects');
\echo :SQLSTATE
select frontdesk.keep_scores('pg_class');
\echo :SQLSTATE
select frontdesk.keep_scores('frontdesk.score_model');
\echo :SQLSTATE
select frontdesk.keep_scores(null);
\echo :SQLSTATE
select frontdesk.keep_scores(0);
\echo :SQLSTATE
insert into frontdesk_internal.score_follower select 1;
\echo :SQLSTATE
reset role;
select frontdesk.schedule('administrator''s', '@daily', 'select 1') > 0;
set role regress_mallory;
select frontdesk.follow_scores('administrator''s');
\echo :SQLSTATE
select frontdesk.schedule('mine', '@daily', 'select 1') > 0;
select frontdesk.follow_scores('mine');
reset role;
select j.name from frontdesk_internal.score_follower f join frontdesk_internal.job j on j.id = f.job_id;

drop table leads, prospects;
select frontdesk.unschedule(id) from frontdesk_internal.job;
drop owned by regress_mallory, regress_scorer;
drop role regress_mallory, regress_scorer;
