-- Score models: rules over facts, and what they are worth.

create table frontdesk.score_model (
  name text not null,
  tenant uuid not null default '00000000-0000-0000-0000-000000000000',
  description text,
  link text not null default 'linear',
  base numeric not null default 0,
  floor numeric not null default 0,
  cap numeric not null default 100,
  tiers jsonb not null default '{}',
  groups jsonb not null default '{}',
  decay_moment text,
  half_life interval,
  report jsonb,
  shipped boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant, name)
);
comment on table frontdesk.score_model is 'models of score(); change rows, or call set_score_model(): both are checked at once';
comment on column frontdesk.score_model.tenant is 'whose it is, before the model of the same name that is everybody''s (all zeros)';
comment on column frontdesk.score_model.link is 'linear: the points add up to the score; logistic: base and points are log-odds, the score is 100 times the probability';
comment on column frontdesk.score_model.base is 'where every score begins';
comment on column frontdesk.score_model.tiers is 'where each tier begins, as in {"hot": 70, "warm": 40, "cold": 0}; the lowest at the floor';
comment on column frontdesk.score_model.groups is 'what the rules of a group give together at most, as in {"budget": 20}';
comment on column frontdesk.score_model.decay_moment is 'path of a moment among the facts; half of the score is left a half_life after it';
comment on column frontdesk.score_model.report is 'how good a trained model is: rows, AUC, calibration';
comment on column frontdesk.score_model.shipped is 'as the extension brought it, and replaced by its next version; false as soon as someone changes it';

create table frontdesk.score_rule (
  tenant uuid not null default '00000000-0000-0000-0000-000000000000',
  model text not null,
  name text not null,
  position int not null default 0,
  filter jsonb,
  points numeric not null,
  value text,
  value_from numeric,
  value_to numeric,
  part text,
  group_name text,
  reason text,
  primary key (tenant, model, name)
);
comment on table frontdesk.score_rule is 'what a score model gives points for';
comment on column frontdesk.score_rule.filter is 'when the rule applies: a filter over the facts; null: always';
comment on column frontdesk.score_rule.points is 'what it gives: at most two decimals; log-odds where the model is logistic';
comment on column frontdesk.score_rule.value is 'path of a number that the points are scaled by: none at value_from, all at value_to';
comment on column frontdesk.score_rule.part is 'another model: the points are the weight of its score';
comment on column frontdesk.score_rule.reason is 'what explain_score() says';

-- Sessions keep compiled models and look here, once in a statement, whether these are still right.
create table frontdesk_internal.score_state (
  only_row boolean primary key default true check (only_row),
  version bigint not null
) with (fillfactor = 50);
comment on table frontdesk_internal.score_state is 'one row: a number that changes with every change of a score model';
-- Not an increment: a change that is rolled back must not leave its number to another.
create sequence frontdesk_internal.score_version_seq;
-- Nor does the number of an extension that was dropped come again.
select setval('frontdesk_internal.score_version_seq', (extract(epoch from clock_timestamp()) * 1000000)::bigint);
insert into frontdesk_internal.score_state (version) values (nextval('frontdesk_internal.score_version_seq'));

create table frontdesk_internal.score_follower (
  job_id bigint primary key
);
comment on table frontdesk_internal.score_follower is 'jobs that run whenever a score model was changed; see follow_scores()';

select pg_catalog.pg_extension_config_dump('frontdesk.score_model', 'where not shipped');
select pg_catalog.pg_extension_config_dump('frontdesk.score_rule',
  'where (tenant, model) in (select m.tenant, m.name from frontdesk.score_model m where not m.shipped)');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.score_follower', '');
