-- Room 50, scoring: what facts are worth, and why.

create or replace function frontdesk_internal.score_of(facts text, model text, tenant uuid) returns numeric
stable parallel safe cost 20 language c as 'MODULE_PATHNAME', 'score_of_wrapper';
comment on function frontdesk_internal.score_of(text, text, uuid) is 'internal: score() of facts as text';

create or replace function frontdesk.score(facts jsonb, model text = 'default', tenant uuid = null) returns numeric
stable parallel safe language sql return frontdesk_internal.score_of(facts::text, model, tenant);
comment on function frontdesk.score is
  'what a model gives for these facts: 0 to 100, unless the model has another floor or cap. tenant: their own model '
  'of that name takes precedence over the shared one; this needs the right to set models. Shipped: completeness, '
  'intent, fit, and default, which combines them';

create or replace function frontdesk_internal.score_tier_of(score numeric, model text, tenant uuid) returns text
stable parallel safe language c as 'MODULE_PATHNAME', 'score_tier_of_wrapper';
comment on function frontdesk_internal.score_tier_of(numeric, text, uuid) is 'internal: score_tier()';

create or replace function frontdesk.score_tier(score numeric, model text = 'default', tenant uuid = null) returns text
stable parallel safe language sql return frontdesk_internal.score_tier_of(score, model, tenant);
comment on function frontdesk.score_tier is
  'which tier of the model a score is in: hot, warm ...; null where the model has none';

create or replace function frontdesk.score_parts(model text = 'default', tenant uuid = null) returns text[]
stable parallel safe language c as 'MODULE_PATHNAME', 'score_parts_wrapper';
comment on function frontdesk.score_parts(text, uuid) is 'the model itself and every model that is a part of it';

create or replace function frontdesk_internal.explain_score_of(facts text, model text, tenant uuid)
returns table (rule text, points numeric, reason text)
stable parallel safe rows 10 language c as 'MODULE_PATHNAME', 'explain_score_of_wrapper';
comment on function frontdesk_internal.explain_score_of(text, text, uuid) is 'internal: explain_score() of facts as text';

create or replace function frontdesk.explain_score(facts jsonb, model text = 'default', tenant uuid = null)
returns table (rule text, points numeric, reason text)
stable parallel safe rows 10 language sql
begin atomic
  select e.rule, e.points, e.reason from frontdesk_internal.explain_score_of(facts::text, model, tenant) e;
end;
comment on function frontdesk.explain_score is
  'why score() says what it says: the points of every rule that gave some, and what groups, cap, floor and age took. '
  'They add up to the score';

create or replace function frontdesk_internal.score_book(owner uuid) returns text
stable parallel safe language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select jsonb_agg(jsonb_build_object(
    'name', m.name, 'link', m.link, 'base', m.base, 'floor', m.floor, 'cap', m.cap, 'tiers', m.tiers, 'groups', m.groups,
    'decay_moment', m.decay_moment, 'half_life', extract(epoch from m.half_life),
    'rules', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'name', r.name, 'filter', r.filter, 'points', r.points, 'value', r.value, 'from', r.value_from, 'to', r.value_to,
        'part', r.part, 'group', r.group_name, 'reason', r.reason) order by r.position, r.name), '[]')
      from frontdesk.score_rule r where r.tenant = m.tenant and r.model = m.name)) order by m.name)::text
  from frontdesk.score_model m
  where exists (select from frontdesk.score_model o where o.tenant = owner)
    and (m.tenant = owner or m.tenant = '00000000-0000-0000-0000-000000000000'
      and not exists (select from frontdesk.score_model o where o.tenant = owner and o.name = m.name))
$$;
comment on function frontdesk_internal.score_book is
  'internal: every model that a tenant scores with, the own ones before everybody''s, as JSON; null when there are no '
  'own ones';

create or replace function frontdesk_internal.score_setter() returns text
stable language sql set search_path = pg_catalog, pg_temp as $$ select 'frontdesk.set_score_model'::regproc::oid::text $$;
comment on function frontdesk_internal.score_setter() is
  'internal: the function whose EXECUTE is the right to use the models of tenants, one''s own and others''';

create or replace function frontdesk_internal.check_score_book(models text) returns void
strict language c as 'MODULE_PATHNAME', 'check_score_book_wrapper';
comment on function frontdesk_internal.check_score_book(text) is 'internal: an error when these models are not right';

create or replace function frontdesk_internal.scores_changed() returns void
language c as 'MODULE_PATHNAME', 'scores_changed_wrapper';
comment on function frontdesk_internal.scores_changed() is 'internal: this session forgets its compiled score models';

create or replace function frontdesk_internal.score_model_check() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  wrong text;
begin
  -- What is no JSON object of numbers, and numbers that JSON does not have, never come as far as the compiler.
  select o.what into wrong
  from (values ('tiers', new.tiers), ('groups', new.groups)) o (what, list)
  where jsonb_typeof(o.list) <> 'object' or exists (
    select from jsonb_each(case jsonb_typeof(o.list) when 'object' then o.list else '{}' end) e where jsonb_typeof(e.value) <> 'number');
  if wrong is not null then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('%s of model "%s" are not a JSON object of numbers', wrong, new.name),
      hint = 'As in {"hot": 70, "warm": 40, "cold": 0}.';
  end if;
  select o.what into wrong from (values ('base', new.base), ('floor', new.floor), ('cap', new.cap)) o (what, number)
  where o.number not between -1000000 and 1000000;
  if wrong is not null then
    raise exception using errcode = 'numeric_value_out_of_range',
      message = format('%s of model "%s" is out of range', wrong, new.name),
      hint = 'Between -1000000 and 1000000.';
  end if;
  new.updated_at := clock_timestamp();
  if tg_op = 'UPDATE' then
    -- Whoever changes a shipped model makes it their own; setting shipped gives it back to the next upgrade.
    if new.shipped and old.shipped then
      new.shipped := false;
    end if;
    return new;
  end if;
  -- A dump brings the models that were changed: they take the place of those that came with the extension.
  if exists (select from frontdesk.score_model m where (m.tenant, m.name) = (new.tenant, new.name) and m.shipped) then
    delete from frontdesk.score_rule r where (r.tenant, r.model) = (new.tenant, new.name);
    update frontdesk.score_model m set description = new.description, link = new.link, base = new.base, floor = new.floor, cap = new.cap,
      tiers = new.tiers, groups = new.groups, decay_moment = new.decay_moment, half_life = new.half_life, report = new.report,
      shipped = false, created_at = new.created_at
    where (m.tenant, m.name) = (new.tenant, new.name);
    return null;
  end if;
  return new;
end
$$;
comment on function frontdesk_internal.score_model_check() is 'trigger: a model that is changed is no longer the shipped one';

create or replace function frontdesk_internal.score_rule_check() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  wrong text;
begin
  select o.what into wrong from (values ('points', new.points), ('value_from', new.value_from), ('value_to', new.value_to)) o (what, number)
  where o.number not between -1e9 and 1e9;
  if wrong is not null then
    raise exception using errcode = 'numeric_value_out_of_range',
      message = format('%s of rule "%s" of model "%s" is out of range', wrong, new.name, new.model),
      hint = 'Between -1000000000 and 1000000000; points to 1000000.';
  end if;
  return new;
end
$$;
comment on function frontdesk_internal.score_rule_check is
  'trigger: numbers that JSON does not have never come as far as the compiler';

create or replace function frontdesk_internal.score_rule_touch() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  update frontdesk.score_model m set updated_at = clock_timestamp()
  where m.shipped and (m.tenant, m.name) in (
    (coalesce(new.tenant, old.tenant), coalesce(new.model, old.model)), (coalesce(old.tenant, new.tenant), coalesce(old.model, new.model)));
  return null;
end
$$;
comment on function frontdesk_internal.score_rule_touch() is 'trigger: with a rule of it, a model is changed';

create or replace function frontdesk_internal.score_model_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  owner uuid;
begin
  -- Changes wait for each other here, so that two that only together are wrong do not pass.
  update frontdesk_internal.score_state set version = nextval('frontdesk_internal.score_version_seq');
  perform frontdesk_internal.scores_changed();
  for owner in select distinct m.tenant from frontdesk.score_model m loop
    perform frontdesk_internal.check_score_book(frontdesk_internal.score_book(owner));
  end loop;
  if exists (select from frontdesk_internal.score_follower) then
    insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at)
    select j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now()
    from frontdesk_internal.score_follower f join frontdesk_internal.job j on j.id = f.job_id
    where not exists (select from frontdesk_internal.job_run r where r.job_id = j.id and r.status = 'waiting');
    perform frontdesk_internal.jobs_changed();
  end if;
  return null;
end
$$;
comment on function frontdesk_internal.score_model_changed is
  'trigger: all models together are checked, sessions compile them again, and the jobs of follow_scores() run when '
  'this commits';

create or replace trigger score_model_check before insert or update on frontdesk.score_model
  for each row execute function frontdesk_internal.score_model_check();
create or replace trigger score_rule_check before insert or update on frontdesk.score_rule
  for each row execute function frontdesk_internal.score_rule_check();
create or replace trigger score_rule_touch after insert or update or delete on frontdesk.score_rule
  for each row execute function frontdesk_internal.score_rule_touch();
create or replace trigger score_model_changed after insert or update or delete on frontdesk.score_model
  for each statement execute function frontdesk_internal.score_model_changed();
create or replace trigger score_rule_changed after insert or update or delete on frontdesk.score_rule
  for each statement execute function frontdesk_internal.score_model_changed();

create or replace function frontdesk.set_score_model(
  name text, rules jsonb, base numeric = 0, floor numeric = 0, cap numeric = 100,
  tiers jsonb = '{"hot": 70, "warm": 40, "cold": 0}', groups jsonb = '{}', decay_moment text = null, half_life interval = null,
  link text = 'linear', tenant uuid = null, description text = null, report jsonb = null) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  known constant text[] := '{name,filter,points,value,from,to,part,group,reason}';
  owner uuid := coalesce(tenant, '00000000-0000-0000-0000-000000000000');
  twice text;
  r record;
begin
  if name is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a score model needs a name';
  end if;
  if jsonb_typeof(rules) is distinct from 'array' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('rules of model "%s" are not a JSON array', name),
      hint = 'As in [{"name": "has_phone", "filter": {"phone": {"$ne": null}}, "points": 10, "reason": "has a phone"}].';
  end if;
  for r in select x.value as rule, k.key from jsonb_array_elements(rules) x
    left join lateral jsonb_object_keys(case jsonb_typeof(x.value) when 'object' then x.value else '{}' end) k (key) on k.key <> all (known)
  loop
    if jsonb_typeof(r.rule) <> 'object' or r.rule->>'name' is null or r.key is not null then
      raise exception using errcode = 'invalid_parameter_value',
        message = case when r.key is null then format('a rule of model "%s" has no name', name)
          else format('rule "%s" of model "%s" has the unknown key "%s"', r.rule->>'name', name, r.key) end,
        detail = left(r.rule::text, 200), hint = 'Keys of a rule: ' || array_to_string(known, ', ') || '.';
    end if;
    if jsonb_typeof(r.rule->'points') is distinct from 'number' or coalesce(jsonb_typeof(nullif(r.rule->'from', 'null')), 'number') <> 'number'
      or coalesce(jsonb_typeof(nullif(r.rule->'to', 'null')), 'number') <> 'number' then
      raise exception using errcode = 'invalid_parameter_value', detail = left(r.rule::text, 200),
        message = format('rule "%s" of model "%s" needs points; points, from and to are numbers', r.rule->>'name', name);
    end if;
  end loop;
  select min(d.name) into twice from (
    select x.value->>'name' from jsonb_array_elements(rules) x group by 1 having count(*) > 1) d (name);
  if twice is not null then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('model "%s" has two rules named "%s"', name, twice),
      hint = 'Give each rule a name of its own.';
  end if;
  delete from frontdesk.score_rule x where x.tenant = owner and x.model = name;
  insert into frontdesk.score_model as m (name, tenant, description, link, base, floor, cap, tiers, groups, decay_moment, half_life, report)
  values (name, owner, description, coalesce(link, 'linear'), base, floor, cap, coalesce(tiers, '{}'), coalesce(groups, '{}'), decay_moment, half_life, report)
  on conflict on constraint score_model_pkey do update
  set description = coalesce(excluded.description, m.description), link = excluded.link, base = excluded.base, floor = excluded.floor,
    cap = excluded.cap, tiers = excluded.tiers, groups = excluded.groups, decay_moment = excluded.decay_moment,
    half_life = excluded.half_life, report = excluded.report;
  insert into frontdesk.score_rule (tenant, model, name, position, filter, points, value, value_from, value_to, part, group_name, reason)
  select owner, name, x.value->>'name', x.position * 10, nullif(x.value->'filter', 'null'), (x.value->>'points')::numeric, x.value->>'value',
    (x.value->>'from')::numeric, (x.value->>'to')::numeric, x.value->>'part', x.value->>'group', x.value->>'reason'
  from jsonb_array_elements(rules) with ordinality x (value, position);
end
$$;
comment on function frontdesk.set_score_model is
  'create or replace a score model. rules: [{"name", "filter", "points", "reason", "group"}]; with "value", "from", '
  '"to" the points are scaled by a number among the facts; with "part" the points are the weight of another model''s '
  'score. base + points is the score, within floor and cap. tiers: where each begins. groups: the most that rules of '
  'a group give. decay_moment, half_life: half is left that long after this moment. link: logistic when base and '
  'points are log-odds. tenant: only for them. Everything is checked here';

create or replace function frontdesk.remove_score_model(name text, tenant uuid = null) returns boolean
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  delete from frontdesk.score_model m
  where m.name = remove_score_model.name and m.tenant = coalesce(remove_score_model.tenant, '00000000-0000-0000-0000-000000000000');
  return found;
end
$$;
comment on function frontdesk.remove_score_model is
  'remove a model; false when there is no such model. An error while another model uses it. A shipped one comes back '
  'with the next upgrade';

create or replace function frontdesk.follow_scores(job text) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.follow_scores is
  'run this job of yours (see schedule()) whenever a score model was changed, when that commits; several changes '
  'while it waits are one run';

create or replace function frontdesk_internal.follow_scores(job text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  id bigint := (select j.id from frontdesk_internal.job j where j.name = job and j.owner = frontdesk_internal.caller());
begin
  -- The caller's own goes before that of a role whose rights they have.
  id := coalesce(id, (select min(j.id) from frontdesk_internal.job j where j.name = job and frontdesk_internal.caller_has(j.owner)));
  if id is null then
    raise exception using errcode = 'undefined_object', message = format('job "%s" does not exist', job),
      hint = 'Make it with frontdesk.schedule(); yours are in frontdesk.jobs.';
  end if;
  insert into frontdesk_internal.score_follower (job_id) values (id) on conflict do nothing;
end
$$;
comment on function frontdesk_internal.follow_scores(text) is 'internal: follow_scores()';

create or replace function frontdesk_internal.keep_score() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_keep_score';
comment on function frontdesk_internal.keep_score is
  'trigger: before insert or update, for each row; arguments: model, tenant column, score column, tier column, '
  'breakdown column. See keep_scores()';

create or replace function frontdesk.score_is_stale(
  source record, model text, tenant_column text = '', score_column text = 'score', tier_column text = 'score_tier',
  breakdown_column text = 'score_breakdown') returns boolean
strict stable parallel safe cost 100 language c as 'MODULE_PATHNAME', 'frontdesk_score_is_stale';
comment on function frontdesk.score_is_stale is
  'whether the score of a row of a table with keep_scores() is out of date; select ... from your_table t where '
  'frontdesk.score_is_stale(t, ''default'')';

create or replace function frontdesk.keep_scores(
  source regclass, model text = 'default', tenant_column name = null, score_column name = 'score', tier_column name = 'score_tier',
  breakdown_column name = 'score_breakdown') returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.keep_scores is
  'keep a table''s score columns right: a trigger scores every row before it is written, with its columns as the '
  'facts. score_column numeric, tier_column text, breakdown_column jsonb (the points of each rule); null: none. '
  'tenant_column: a uuid; whose model is used. Rows that are there: update ... where frontdesk.score_is_stale(...). '
  'Caller must own the table';

create or replace function frontdesk_internal.keep_scores(
  source regclass, model text, tenant_column name, score_column name, tier_column name, breakdown_column name) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  c record;
begin
  perform frontdesk_internal.check_own_table(source);
  perform frontdesk.score_tier(0, model);
  for c in
    select w.name, w.wanted, format_type(a.atttypid, a.atttypmod) as type
    from (values (score_column, array['numeric']), (tier_column, array['text']), (breakdown_column, array['jsonb']), (tenant_column, array['uuid'])) w (name, wanted)
    left join pg_attribute a on a.attrelid = source and a.attname = w.name and a.attnum > 0 and not a.attisdropped
    where w.name is not null
  loop
    if c.type is null then
      raise exception using errcode = 'undefined_column',
        message = format('column "%s" of %s does not exist', c.name, source),
        hint = format('alter table %s add column %I %s, or give its name; null: none.', source, c.name, c.wanted[1]);
    elsif c.type <> all (c.wanted) then
      raise exception using errcode = 'datatype_mismatch',
        message = format('column "%s" of %s is of type %s', c.name, source, c.type),
        hint = 'A score is numeric, its tier text, its breakdown jsonb; a tenant is a uuid.';
    end if;
  end loop;
  -- After the other triggers that may change the row; they fire in the order of their names.
  execute format('create or replace trigger zz_keep_score before insert or update on %s for each row execute function frontdesk_internal.keep_score(%L, %L, %L, %L, %L)',
    source, model, coalesce(tenant_column, ''), coalesce(score_column, ''), coalesce(tier_column, ''), coalesce(breakdown_column, ''));
end
$$;
comment on function frontdesk_internal.keep_scores(regclass, text, name, name, name, name) is 'internal: keep_scores()';

create or replace function frontdesk.fit_score_model(name text, facts text[], won boolean[]) returns jsonb
strict language c as 'MODULE_PATHNAME', 'fit_score_model_wrapper';
comment on function frontdesk.fit_score_model is
  'learn from past cases, facts as JSON objects and what came of each: {"model": as set_score_model() takes it, with '
  'log-odds as points, "report": rows, AUC and calibration by cross-validation}. Logistic regression; at least 30 '
  'cases of each outcome';
