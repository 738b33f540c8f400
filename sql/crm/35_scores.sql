-- Room 35, scores: every lead has its score from the moment it is written, with the points of each rule.

create table if not exists crm.lead_score_history (
  id bigint generated always as identity,
  account_id uuid not null,
  lead_id bigint not null,
  old_score numeric not null,
  new_score numeric not null,
  old_tier text,
  new_tier text,
  breakdown jsonb,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (lead_id, id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_score_history is 'how scores of leads moved; the first score is the old one of a lead''s first row';
comment on column crm.lead_score_history.breakdown is 'the points of each rule that make up the new score';
select crm.protect_history('crm.lead_score_history');

create or replace function crm.lead_facts(lead crm.leads) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select to_jsonb(lead) - '{score,score_tier,score_breakdown}'::text[]
$$;
comment on function crm.lead_facts(crm.leads) is
  'what score models see of a lead: its columns (budget, message, touches, created_at ...), and custom attributes as custom_attributes.name';

create or replace function crm.lead_score_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.leads'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.lead_score_changed() is the trigger of crm.leads';
  end if;
  insert into crm.lead_score_history (account_id, lead_id, old_score, new_score, old_tier, new_tier, breakdown)
  values (new.account_id, new.id, old.score, new.score, old.score_tier, new.score_tier, new.score_breakdown);
  if old.score_tier is distinct from new.score_tier then
    perform frontdesk.emit('lead.score_changed', jsonb_build_object('id', new.id, 'account_id', new.account_id, 'name', new.name,
      'score', new.score, 'tier', new.score_tier, 'old_score', old.score, 'old_tier', old.score_tier, 'breakdown', new.score_breakdown),
      key => new.id::text, tenant => new.account_id);
  end if;
  return null;
end
$$;
comment on function crm.lead_score_changed() is 'trigger: history of scores, which members may not write; lead.score_changed when the tier is another';

-- Its name comes after those of all triggers that change the row.
select frontdesk.keep_scores('crm.leads', 'default', 'account_id');
create or replace trigger score_changed after update on crm.leads for each row
  when (old.score is distinct from new.score or old.score_tier is distinct from new.score_tier)
  execute function crm.lead_score_changed();

create or replace function crm.score_lead(lead_id bigint) returns numeric
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm.find_lead(lead_id);
begin
  update crm.leads l set score = l.score where l.id = lead.id and frontdesk.score_is_stale(l, 'default', 'account_id')
  returning l.score into lead.score;
  return coalesce(lead.score, (select l.score from crm.leads l where l.id = lead_id));
end
$$;
comment on function crm.score_lead(bigint) is
  'score a lead now and return its score. Whatever is written to a lead scores it anyway; this is for what changes by itself, such as its age';

create or replace function crm.explain_own_score(lead_id bigint, model text) returns table (rule text, points numeric, reason text)
stable language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- An account's own models need a right that its members do not have; the owner of this schema has it.
  return query select e.rule, e.points, e.reason
  from crm.leads l cross join lateral frontdesk.explain_score(crm.lead_facts(l), model, l.account_id) e
  where l.id = lead_id and l.account_id in (select crm.my_accounts());
end
$$;
comment on function crm.explain_own_score(bigint, text) is 'internal: explain_lead_score() for the members of the account';

create or replace function crm.explain_lead_score(lead_id bigint, model text = 'default') returns table (rule text, points numeric, reason text)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  lead crm.leads := crm.find_lead(lead_id);
begin
  if lead.account_id in (select crm.my_accounts()) then
    return query select e.rule, e.points, e.reason from crm.explain_own_score(lead.id, coalesce(model, 'default')) e;
  else
    return query select e.rule, e.points, e.reason
    from frontdesk.explain_score(crm.lead_facts(lead), coalesce(model, 'default'), lead.account_id) e;
  end if;
end
$$;
comment on function crm.explain_lead_score(bigint, text) is 'why a lead has the score it has: what each rule gave and why; or what another model says of it';

create or replace function crm.rescore_after(last_id bigint, only_accounts uuid[] = null, batch int = 100000, out next_id bigint, out changed bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  stale bigint[];
begin
  -- By rows, not by ids: those of deleted leads are not there.
  select max(b.id) into next_id from (select l.id from crm.leads l where l.id > last_id order by l.id limit batch) b;
  changed := 0;
  if next_id is null then
    return;
  end if;
  -- Planned for each batch, with parallel workers. The setting plan_cache_mode would have it of all that the triggers do as well.
  execute $q$
    select array(
      select l.id from crm.leads l where l.id > $1 and l.id <= $2
        and ($3 is null or l.account_id = any ($3)) and frontdesk.score_is_stale(l, 'default', 'account_id')) $q$
  into stale using last_id, next_id, only_accounts;
  execute 'update crm.leads l set score = l.score where l.id = any ($1)' using stale;
  get diagnostics changed = row_count;
end
$$;
comment on function crm.rescore_after(bigint, uuid[], int) is
  'internal: score the next batch of leads after this id where that makes a difference; next_id: the last one looked at, null when there was none';

create or replace function crm.rescore(model text = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  only_accounts uuid[];
  step record;
  last_id bigint := 0;
  total bigint := 0;
begin
  if model is not null then
    only_accounts := array(select a.id from crm.accounts a where rescore.model = any (frontdesk.score_parts('default', a.id)));
    if only_accounts = '{}' then
      -- Nobody's leads are scored by it: an error when there is no such model at all.
      perform frontdesk.score_tier(0, model);
      return 0;
    end if;
  end if;
  loop
    select * into step from crm.rescore_after(last_id, only_accounts);
    exit when step.next_id is null;
    last_id := step.next_id;
    total := total + step.changed;
  end loop;
  return total;
end
$$;
comment on function crm.rescore(text) is
  'score all leads anew, or those whose score has this model in it; returns how many changed. The others are not written. After a change of a model this happens by itself, in the background';

do $$
begin
  -- Daily for what fades with time; after each change of a model, in batches that are kept when it is interrupted.
  if not exists (select from frontdesk.jobs j where j.name = 'crm rescore') then
    perform frontdesk.schedule('crm rescore', '@daily', $job$do $do$
declare
  last_id bigint := 0;
begin
  while last_id is not null loop
    select next_id into last_id from crm.rescore_after(last_id, batch => 10000);
    commit;
  end loop;
end $do$ $job$, overlap => 'queue', max_retries => 10, retry_delay => '10 seconds');
  end if;
  perform frontdesk.follow_scores('crm rescore');
end
$$;

create or replace function crm.train_score_model(
  name text, from_stage text, positive text[], negative text[], account_id uuid = null, most int = 20000) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  account uuid := crm.use_account(account_id);
  -- What is recorded only when it is decided would tell the outcome.
  hindsight constant text[] := '{id,account_id,contact_id,agent_id,stage,stage_changed_at,converted_at,touches,last_touched_at,created_at,updated_at,
    notes,client_reference,external_id,meta_lead_id,chatwoot_contact_id,chatwoot_conversation_id,session_id,ip,user_agent,consent_at}';
  unknown text;
  learned jsonb;
  report jsonb;
begin
  select s.name into unknown from unnest(from_stage || positive || negative) s (name)
  where s.name is null or not exists (select from crm.lead_stages k where k.account_id = account and k.name = s.name) limit 1;
  if found then
    raise exception using errcode = 'undefined_object', message = format('stage "%s" does not exist', unknown),
      hint = 'Stages: ' || (select string_agg(k.name, ', ' order by k.position) from crm.lead_stages k where k.account_id = account) || '.';
  end if;
  if coalesce(cardinality(positive), 0) = 0 or coalesce(cardinality(negative), 0) = 0 or positive && negative or from_stage = any (positive || negative) then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'positive and negative are stages of different outcomes, which from_stage is none of',
      hint = 'As in crm.train_score_model(''chance'', ''contacted'', positive => ''{won,repeat}'', negative => ''{lost}'').';
  end if;
  select frontdesk.fit_score_model(name, array_agg(c.facts order by c.id), array_agg(c.won order by c.id)) into learned
  from (
    select l.id, l.stage = any (positive) as won, (crm.lead_facts(l) - hindsight)::text as facts
    from crm.leads l
    where l.account_id = account and l.stage = any (positive || negative)
      and exists (select from crm.lead_status_history h where h.account_id = account and h.lead_id = l.id and h.old_stage = from_stage)
    order by l.id desc limit most) c;
  if learned is null then
    learned := frontdesk.fit_score_model(name, '{}', '{}');
  end if;
  report := learned->'report' || jsonb_build_object('from_stage', from_stage, 'positive_stages', positive, 'negative_stages', negative,
    'trained_at', clock_timestamp());
  perform frontdesk.set_score_model(name, learned->'model'->'rules', base => (learned->'model'->>'base')::numeric, tiers => learned->'model'->'tiers',
    link => 'logistic', tenant => account, report => report,
    description => format('chance of %s rather than %s, learned from %s leads that were %s', array_to_string(positive, ' or '),
      array_to_string(negative, ' or '), report->>'rows', from_stage));
  return report;
end
$$;
comment on function crm.train_score_model(text, text, text[], text[], uuid, int) is
  'learn a score model from the account''s own history: which leads that left from_stage are now in a positive stage, which in a negative one. '
  'Logistic regression; the score is 100 times the probability. Stored as a model of this account; returns rows, AUC and calibration by cross-validation, also kept in its report. '
  'At least 30 leads of each outcome; of more than most the latest. Needs execute on frontdesk.set_score_model()';
