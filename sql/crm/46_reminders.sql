-- Room 46, reminders: which, when, and what they say. The engine's timers keep the time.

create table if not exists crm.reminder_kinds (
  name text primary key check (name ~ '^[a-z][a-z_]{0,62}$'),
  anchor text not null check (anchor in ('start', 'end')),
  description text not null);
comment on table crm.reminder_kinds is 'what an appointment can remind of; its event is appointment.<name>';
comment on column crm.reminder_kinds.anchor is 'from where the offset counts';
insert into crm.reminder_kinds values
  ('reminder', 'start', 'the client is told that he has an appointment'),
  ('ended', 'end', 'the appointment is past'),
  ('follow_up', 'end', 'somebody is asked whether the client came')
on conflict do nothing;
select crm.protect_from_writing('crm.reminder_kinds', null);

create table if not exists crm.reminder_rules (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  service_id bigint,
  kind text not null references crm.reminder_kinds,
  "offset" interval not null,
  active boolean not null default true,
  send_late boolean not null default true,
  unique nulls not distinct (account_id, service_id, kind, "offset"),
  constraint reminder_rules_offset check (
    "offset" between '-1 year' and '1 year' and case when kind = 'reminder' then "offset" < '0' else "offset" >= '0' end),
  constraint reminder_rules_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id) on delete cascade);
comment on table crm.reminder_rules is 'when an account reminds: rows to change; those of a service are in place of the account''s of the same kind';
comment on column crm.reminder_rules.service_id is 'null: of all services that have no rules of this kind';
comment on column crm.reminder_rules."offset" is 'negative: before the start (reminder); else after the end';
comment on column crm.reminder_rules.send_late is 'who books too late for all reminders gets the last of them at once';
create index if not exists reminder_rules_account_idx on crm.reminder_rules (account_id);
select crm.protect('crm.reminder_rules');

create table if not exists crm.appointment_reminders (
  account_id uuid not null references crm.accounts on delete cascade,
  appointment_id bigint not null,
  rule_id bigint not null references crm.reminder_rules on delete cascade,
  kind text not null references crm.reminder_kinds,
  anchor_at timestamptz not null,
  due_at timestamptz not null,
  primary key (appointment_id, rule_id),
  constraint appointment_reminders_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_reminders is 'what is planned for live appointments, kept in step by triggers: one row for an appointment and rule, each with a timer';
comment on column crm.appointment_reminders.anchor_at is 'the start or end it belongs to';
create index if not exists appointment_reminders_rule_idx on crm.appointment_reminders (rule_id);
select crm.protect_from_writing('crm.appointment_reminders');

create or replace function crm.plan_reminders(a crm.appointments) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  this_moment timestamptz := frontdesk.now();
begin
  if not a.live then
    delete from crm.appointment_reminders m where m.appointment_id = a.id;
    return;
  end if;
  with rules as (
    select r.id, r.kind, r.send_late, k.anchor_at, date_add(k.anchor_at, r."offset", a.timezone) as due_at
    from crm.reminder_rules r
    cross join lateral (select case n.anchor when 'start' then a.starts_at else a.ends_at end from crm.reminder_kinds n where n.name = r.kind) k (anchor_at)
    where r.account_id = a.account_id and r.active
      and r.service_id is not distinct from (
        select max(o.service_id) from crm.reminder_rules o where o.account_id = a.account_id and o.service_id = a.service_id and o.kind = r.kind)),
  -- What is due already was told when it was due, if it belongs to this very time.
  kept as (
    select r.* from rules r join crm.appointment_reminders m on m.appointment_id = a.id and m.rule_id = r.id
    where r.due_at <= this_moment and m.anchor_at = r.anchor_at),
  ahead as (select r.* from rules r where r.due_at > this_moment),
  late as (
    select r.id, r.kind, r.send_late, r.anchor_at, this_moment as due_at from rules r
    where r.kind = 'reminder' and r.send_late and a.starts_at > this_moment
      and not exists (select from ahead o where o.kind = 'reminder') and not exists (select from kept o where o.kind = 'reminder')
    order by r.due_at desc limit 1),
  planned as (select * from ahead union all select * from late),
  gone as (
    delete from crm.appointment_reminders m
    where m.appointment_id = a.id and m.rule_id not in (select p.id from planned p union all select k.id from kept k))
  insert into crm.appointment_reminders as m (account_id, appointment_id, rule_id, kind, anchor_at, due_at)
  select a.account_id, a.id, p.id, p.kind, p.anchor_at, p.due_at from planned p
  on conflict (appointment_id, rule_id) do update set anchor_at = excluded.anchor_at, due_at = excluded.due_at
  where (m.anchor_at, m.due_at) is distinct from (excluded.anchor_at, excluded.due_at);
end
$$;
comment on function crm.plan_reminders(crm.appointments) is
  'internal: the reminders of an appointment as the rules are now. Those that lie ahead; when none does, the last one at once. None of an appointment that is not live';

create or replace function crm.reminder_payload(m crm.appointment_reminders) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  a crm.appointments;
  this_moment timestamptz := frontdesk.now();
begin
  select o.* into a from crm.appointments o where o.id = m.appointment_id;
  -- Said too late it would be wrong.
  if not a.live or a.live is null or m.kind = 'reminder' and a.starts_at <= this_moment then
    return null;
  end if;
  return crm.appointment_payload(a) || jsonb_build_object('kind', m.kind)
    || case when m.kind = 'reminder' then jsonb_build_object('minutes_before', floor(extract(epoch from a.starts_at - this_moment) / 60))
       else jsonb_build_object('minutes_after', floor(extract(epoch from this_moment - a.ends_at) / 60)) end;
exception when others then
  -- One row must not end the rule for all: a time zone that the server has no more, a function somebody broke.
  return jsonb_build_object('id', m.appointment_id, 'account_id', m.account_id, 'kind', m.kind, 'status', a.status,
    'contact_id', a.contact_id, 'starts_at', a.starts_at, 'problem', sqlerrm);
end
$$;
comment on function crm.reminder_payload(crm.appointment_reminders) is
  'internal, called when a timer is due: what its event carries, read at that moment; null: the appointment is not live any more, or has begun';

create or replace function crm.reminder_rule_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account uuid;
begin
  if tg_relid <> 'crm.reminder_rules'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.reminder_rule_changed() is the trigger of crm.reminder_rules';
  end if;
  account := case when tg_op = 'DELETE' then old.account_id else new.account_id end;
  perform crm.plan_reminders(a) from crm.appointments a
  where a.account_id = account and a.live and a.ends_at > frontdesk.now() - interval '1 day'
  order by a.id;
  return null;
end
$$;
comment on function crm.reminder_rule_changed() is 'trigger: what is planned follows the rules. With the rights of the owner of schema crm, as all that keeps the plan';
create or replace trigger reminder_rule_changed after insert or update or delete on crm.reminder_rules
  for each row execute function crm.reminder_rule_changed();

create or replace function crm.seed_reminder_rules(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.reminder_rules (account_id, kind, "offset")
  values (account, 'reminder', '-24 hours'), (account, 'reminder', '-1 hour'), (account, 'ended', '0'), (account, 'follow_up', '30 minutes')
  on conflict do nothing
$$;
comment on function crm.seed_reminder_rules(uuid) is 'internal: what every account begins with: 24 hours and 1 hour before the start, 30 minutes after the end';

create or replace function crm.reminders_account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.accounts'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.reminders_account_added() is the trigger of crm.accounts';
  end if;
  perform crm.seed_reminder_rules(new.id);
  return null;
end
$$;
comment on function crm.reminders_account_added() is 'trigger: a new account reminds its clients';
create or replace trigger reminders_account_added after insert on crm.accounts for each row execute function crm.reminders_account_added();

do $$
declare
  kind text;
begin
  -- The first time: an account that has no rules later wants none.
  if not exists (select from frontdesk.reminders r where r.source = 'crm.appointment_reminders') then
    perform crm.seed_reminder_rules(a.id) from crm.accounts a where not exists (select from crm.reminder_rules r where r.account_id = a.id);
  end if;
  foreach kind in array '{reminder,ended,follow_up}'::text[] loop
    if not exists (select from frontdesk.reminders r where r.name = 'crm.appointment.' || kind) then
      perform frontdesk.remind('crm.appointment_reminders', 'due_at', '0', 'appointment.' || kind, jsonb_build_object('kind', kind),
        'crm.appointment.' || kind, tenant_column => 'account_id', payload => 'crm.reminder_payload(crm.appointment_reminders)');
    end if;
  end loop;
end
$$;
