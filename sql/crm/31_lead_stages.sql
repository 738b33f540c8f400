-- Room 30, leads: how they move from stage to stage.

create table if not exists crm.lead_status_history (
  id bigint generated always as identity,
  account_id uuid not null,
  lead_id bigint not null,
  old_stage text,
  new_stage text not null,
  changed_at timestamptz not null,
  changed_by text not null,
  reason text,
  time_in_stage interval,
  primary key (lead_id, id),
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
comment on table crm.lead_status_history is 'every stage a lead was in; written by a trigger, read by members';
comment on column crm.lead_status_history.old_stage is 'null: the lead came in';
comment on column crm.lead_status_history.changed_by is 'the user of the application, the agent, or the database role';
comment on column crm.lead_status_history.time_in_stage is 'how long it was in the old stage';
select crm.protect_history('crm.lead_status_history');

create or replace function crm.enter_stage(lead crm.leads) returns timestamptz
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  kind text := (select s.kind from crm.lead_stages s where s.account_id = lead.account_id and s.name = lead.stage);
begin
  if kind is null then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('there is no stage "%s"', left(lead.stage, 80)),
      hint = coalesce((select 'The stages are ' || string_agg(s.name, ', ' order by s.position) || '.'
                       from crm.lead_stages s where s.account_id = lead.account_id), 'This account has no stages: see crm.lead_stages.');
  end if;
  return case when kind = 'won' then coalesce(lead.converted_at, frontdesk.now()) end;
end
$$;
comment on function crm.enter_stage(crm.leads) is
  'internal: what converted_at becomes in the stage, which must be one of the account''s: set in stages of kind won only, and kept from one to the next';

create or replace function crm.enter_stage() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.converted_at := crm.enter_stage(new);
  new.stage_changed_at := frontdesk.now();
  return new;
end
$$;
comment on function crm.enter_stage() is 'trigger: a lead is in a stage of its account, since now';

-- A new lead enters its stage in crm.normalize_lead(): each trigger is a cost of every lead.
create or replace trigger enter_stage before update of stage on crm.leads
  for each row when (new.stage is distinct from old.stage) execute function crm.enter_stage();

create or replace function crm.record_stage() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.leads'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.record_stage() is the trigger of crm.leads';
  end if;
  if tg_op = 'INSERT' then
    insert into crm.lead_status_history (account_id, lead_id, new_stage, changed_at, changed_by)
    values (new.account_id, new.id, new.stage, new.stage_changed_at,
      -- Mostly nobody is set: that is seen at less cost than by asking.
      case when concat(current_setting('crm.actor', true), current_setting('request.jwt.claims', true), current_setting('frontdesk.user_id', true)) = ''
        then 'role ' || session_user else crm.current_actor() end);
    if coalesce(new.whatsapp, new.instagram, new.messenger, new.telegram, new.meta_lead_id, new.external_id, new.client_reference) is not null
      or new.chatwoot_contact_id is not null
    then
      perform crm.know_lead(new);
    end if;
  else
    insert into crm.lead_status_history (account_id, lead_id, old_stage, new_stage, changed_at, changed_by, reason, time_in_stage)
    values (new.account_id, new.id, old.stage, new.stage, new.stage_changed_at, crm.current_actor(),
      nullif(current_setting('crm.reason', true), ''), new.stage_changed_at - old.stage_changed_at);
  end if;
  return null;
end
$$;
comment on function crm.record_stage() is 'trigger: the history of a lead, which its members may not write themselves; and what a new one is recognised by';

create or replace trigger record_stage_first after insert on crm.leads for each row execute function crm.record_stage();
create or replace trigger record_stage after update of stage on crm.leads
  for each row when (new.stage is distinct from old.stage) execute function crm.record_stage();

create or replace function crm.find_lead(lead_id bigint, to_lock boolean = false) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_lead crm.leads;
begin
  if to_lock then
    select * into found_lead from crm.leads l
    where l.id = lead_id and (crm.current_user_id() is null or l.account_id in (select crm.my_accounts(true))) for update;
  else
    select * into found_lead from crm.leads l
    where l.id = lead_id and (crm.current_user_id() is null or l.account_id in (select crm.my_accounts()));
  end if;
  if found_lead.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no lead %s for you', coalesce(lead_id::text, 'without a number'));
  end if;
  return found_lead;
end
$$;
comment on function crm.find_lead(bigint, boolean) is
  'this lead, if it is there and the current user may read it (to_lock: change it); else an error, the same for the lead of somebody else';

create or replace function crm.set_lead_stage(lead_id bigint, stage text, reason text = null) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result crm.leads := crm.find_lead(lead_id, true);
begin
  if result.stage = set_lead_stage.stage then
    return result;
  end if;
  if set_lead_stage.stage is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'a stage is needed',
      hint = 'The stages are in crm.lead_stages.';
  end if;
  perform set_config('crm.reason', coalesce(reason, ''), true);
  update crm.leads l set stage = set_lead_stage.stage where l.id = set_lead_stage.lead_id returning * into result;
  perform set_config('crm.reason', '', true);
  return result;
end
$$;
comment on function crm.set_lead_stage(bigint, text, text) is
  'move a lead to another stage; the reason is kept in crm.lead_status_history. In its stage already: nothing happens. Unknown stage: an error names the known ones';
