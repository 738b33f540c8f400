-- Room 30, leads: the stages of a sale, the enquiries in them, and how they moved.

create table if not exists crm.lead_stages (
  account_id uuid not null references crm.accounts on delete cascade,
  name text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  label text not null check (length(btrim(label)) between 1 and 200),
  position int not null,
  probability numeric not null check (probability between 0 and 1),
  kind text not null default 'open' check (kind in ('open', 'won', 'lost')),
  meta_event text,
  meta_value numeric check (meta_value >= 0),
  primary key (account_id, name));
comment on table crm.lead_stages is 'the way of a lead, one row for a stage; an account may change its own';
comment on column crm.lead_stages.name is 'also the end of the event type: lead.qualified';
comment on column crm.lead_stages.position is 'order of the stages; open ones before won and lost ones';
comment on column crm.lead_stages.probability is 'of winning a lead that is in this stage, 0 to 1';
comment on column crm.lead_stages.kind is 'open, won or lost: only won is a conversion';
comment on column crm.lead_stages.meta_event is 'event name for Meta''s Conversions API; null: nothing is sent';
comment on column crm.lead_stages.meta_value is 'value of that event, in the currency of the account';
select crm.protect('crm.lead_stages');

create or replace function crm.seed_lead_stages(account uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into crm.lead_stages (account_id, name, label, position, probability, kind, meta_event, meta_value)
  select account, s.* from (values
    ('new', 'New', 10, 0.05, 'open', 'Lead', 5::numeric),
    ('contacted', 'Contacted', 20, 0.10, 'open', 'Contact', 25),
    ('qualified', 'Qualified', 30, 0.25, 'open', null, null),
    ('appointment_booked', 'Appointment booked', 40, 0.40, 'open', 'Schedule', 75),
    ('in_negotiation', 'In negotiation', 50, 0.60, 'open', 'InitiateCheckout', 150),
    ('won', 'Won', 60, 1, 'won', 'Purchase', 500),
    ('repeat', 'Repeat', 70, 1, 'won', 'Purchase', 750),
    ('lost', 'Lost', 80, 0, 'lost', null, null)) s
  on conflict do nothing
$$;
comment on function crm.seed_lead_stages(uuid) is 'internal: the stages every account begins with';

create or replace function crm.account_added() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform crm.seed_lead_stages(new.id);
  return null;
end
$$;
comment on function crm.account_added() is 'trigger: a new account begins with the usual stages';
create or replace trigger account_added after insert on crm.accounts for each row execute function crm.account_added();
-- Accounts that were there before; one that has stages has chosen them.
select crm.seed_lead_stages(a.id) from crm.accounts a where not exists (select from crm.lead_stages s where s.account_id = a.id);

create table if not exists crm.leads (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  contact_id bigint,
  agent_id bigint,
  stage text not null default 'new',
  stage_changed_at timestamptz not null default clock_timestamp(),
  converted_at timestamptz,
  score numeric not null default 0,
  score_tier text,
  score_breakdown jsonb,
  name text,
  first_name text,
  last_name text,
  email text,
  phone text,
  whatsapp text,
  messenger text,
  instagram text,
  telegram text,
  company text,
  service text,
  budget numeric check (budget >= 0),
  message text,
  notes text,
  country text,
  region text,
  city text,
  postal_code text,
  language text,
  timezone text,
  source text,
  source_detail text,
  campaign text,
  ad_set text,
  ad text,
  form text,
  page text,
  page_url text,
  referrer_url text,
  utm_source text,
  utm_medium text,
  utm_campaign text,
  utm_content text,
  utm_term text,
  fbclid text,
  fbp text,
  fbc text,
  gclid text,
  ip inet,
  user_agent text,
  consent boolean,
  consent_at timestamptz,
  consent_source text,
  client_reference text,
  external_id text,
  meta_lead_id text,
  chatwoot_contact_id bigint,
  chatwoot_conversation_id bigint,
  session_id text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  touches int not null default 1,
  last_touched_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (account_id, id),
  constraint leads_stage_fkey foreign key (account_id, stage) references crm.lead_stages on update cascade,
  constraint leads_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete set null (contact_id),
  constraint leads_agent_fkey foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete set null (agent_id));
comment on table crm.leads is 'an enquiry as it came in: who, for what, and from where';
select crm.protect('crm.leads');

create or replace trigger touch before update on crm.leads for each row execute function crm.touch();

create table if not exists crm.lead_status_history (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  lead_id bigint not null,
  old_stage text,
  new_stage text not null,
  changed_at timestamptz not null default clock_timestamp(),
  changed_by text not null,
  reason text,
  time_in_stage interval,
  foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete cascade);
select crm.protect('crm.lead_status_history');

create or replace function crm.set_lead_stage(lead_id bigint, stage text, reason text = null) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result crm.leads;
begin
  update crm.leads l set stage = set_lead_stage.stage where l.id = set_lead_stage.lead_id returning * into result;
  return result;
end
$$;
comment on function crm.set_lead_stage(bigint, text, text) is 'move a lead to another stage';

create or replace function crm.contact_of_lead(lead_id bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found bigint;
begin
  select contact_id into found from crm.leads l where l.id = lead_id;
  if found is null then
    insert into crm.contacts (account_id, name, email, phone)
    select account_id, name, email, phone from crm.leads l where l.id = lead_id returning id into found;
    update crm.leads l set contact_id = found where l.id = lead_id;
  end if;
  return found;
end
$$;
comment on function crm.contact_of_lead(bigint) is 'the contact a lead belongs to: found by his channels, or made';

create or replace function crm.upsert_lead(lead jsonb) returns crm.leads
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  result crm.leads;
begin
  insert into crm.leads (account_id, name, email, phone, service)
  values (crm.use_account((lead->>'account_id')::uuid), lead->>'name', lead->>'email', lead->>'phone', lead->>'service')
  returning * into result;
  return result;
end
$$;
comment on function crm.upsert_lead(jsonb) is 'an enquiry came in: a new lead, or one more touch of the same';

do $$
begin
  -- A watch that was changed since stays as it is. Scores and touches have events of their own.
  if not exists (select from frontdesk.watch w where w.source = 'crm.leads'::regclass) then
    perform frontdesk.watch('crm.leads', 'lead', state_column => 'stage', tenant_column => 'account_id', redact => '{score_breakdown}',
      columns => array(
        select a.attname from pg_attribute a
        where a.attrelid = 'crm.leads'::regclass and a.attnum > 0 and not a.attisdropped
          and a.attname <> all ('{score,score_tier,score_breakdown,stage_changed_at,converted_at,touches,last_touched_at,updated_at}')));
  end if;
end
$$;
