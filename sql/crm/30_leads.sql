-- Room 30, leads: the stages of a sale, and the enquiries in them. 31 moves them, 32 merges them, 33 finds and counts them.

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
comment on column crm.lead_stages.position is 'order of the stages';
comment on column crm.lead_stages.probability is 'of winning a lead that is in this stage, 0 to 1';
comment on column crm.lead_stages.kind is 'open, won or lost: only won is a conversion';
comment on column crm.lead_stages.meta_event is 'event name for Meta''s Conversions API; null: nothing is sent';
comment on column crm.lead_stages.meta_value is 'value of that event, in the currency of the account';
select crm.protect('crm.lead_stages');

create or replace function crm.seed_lead_stages(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.lead_stages (account_id, name, label, position, probability, kind, meta_event, meta_value)
  select a.id, s.*
  from crm.accounts a
  cross join (values
    ('new', 'New', 10, 0.05, 'open', 'Lead', 5::numeric),
    ('contacted', 'Contacted', 20, 0.10, 'open', 'Contact', 25),
    ('qualified', 'Qualified', 30, 0.25, 'open', null, null),
    ('appointment_booked', 'Appointment booked', 40, 0.40, 'open', 'Schedule', 75),
    ('in_negotiation', 'In negotiation', 50, 0.60, 'open', 'InitiateCheckout', 150),
    ('won', 'Won', 60, 1, 'won', 'Purchase', 500),
    ('repeat', 'Repeat', 70, 1, 'won', 'Purchase', 750),
    ('lost', 'Lost', 80, 0, 'lost', null, null)) s
  -- One that has stages has chosen them.
  where a.id = account and not exists (select from crm.lead_stages l where l.account_id = a.id)
$$;
comment on function crm.seed_lead_stages(uuid) is 'internal: the stages an account begins with';

create or replace function crm.keep_stage() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- With its account a stage goes, and its leads with it.
  if exists (select from crm.accounts a where a.id = old.account_id) and exists (
    select from crm.leads l where l.account_id = old.account_id and l.stage = old.name)
  then
    raise exception using errcode = 'foreign_key_violation', message = format('there are leads in stage "%s"', old.name),
      hint = 'Move them first: update crm.leads set stage = ... where stage = ...';
  end if;
  return old;
end
$$;
comment on function crm.keep_stage() is 'trigger: a stage with leads in it is not deleted';
create or replace trigger keep_stage before delete on crm.lead_stages for each row execute function crm.keep_stage();

create or replace function crm.account_added() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.accounts'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.account_added() is the trigger of crm.accounts';
  end if;
  perform crm.seed_lead_stages(new.id);
  return null;
end
$$;
comment on function crm.account_added() is 'trigger: a new account begins with the usual stages';
create or replace trigger account_added after insert on crm.accounts for each row execute function crm.account_added();
select crm.seed_lead_stages(a.id) from crm.accounts a;

create table if not exists crm.leads (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  contact_id bigint,
  agent_id bigint,
  stage text not null default 'new',
  stage_changed_at timestamptz not null default frontdesk.now(),
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
  last_touched_at timestamptz not null default frontdesk.now(),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- By way of its stage a lead belongs to its account: every key that is checked locks a row that all other new leads lock as well.
  constraint leads_stage_fkey foreign key (account_id, stage) references crm.lead_stages on update cascade on delete cascade,
  constraint leads_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete set null (contact_id),
  constraint leads_agent_fkey foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete set null (agent_id))
-- Room for a second version of a row or two on each page: what is not indexed, as a score, then changes without touching an index.
with (fillfactor = 80);
comment on table crm.leads is 'an enquiry as it came in: who, for what, and from where';
comment on column crm.leads.agent_id is 'who looks after it';
comment on column crm.leads.stage_changed_at is 'since when it is in its stage';
comment on column crm.leads.converted_at is 'when it was won; null while it is not';
comment on column crm.leads.email is 'in lower case';
comment on column crm.leads.phone is 'as in E.164: +14155550123';
comment on column crm.leads.whatsapp is 'as in E.164';
comment on column crm.leads.messenger is 'name or number of the profile; in lower case, without @ and address, as the other handles';
comment on column crm.leads.service is 'what is asked for';
comment on column crm.leads.budget is 'in the currency of the account';
comment on column crm.leads.message is 'what the person wrote';
comment on column crm.leads.notes is 'what you write';
comment on column crm.leads.source is 'where it came from: website, meta_ads, whatsapp, a partner ...';
comment on column crm.leads.page_url is 'the page with the form: event_source_url of Meta';
comment on column crm.leads.client_reference is 'your number of this client';
comment on column crm.leads.external_id is 'the id of this lead in another system';
comment on column crm.leads.meta_lead_id is 'lead_id of a form on Facebook or Instagram';
comment on column crm.leads.custom_attributes is 'what else came in';
comment on column crm.leads.touches is 'how often it came in';

create index if not exists leads_email_idx on crm.leads (account_id, email);
create index if not exists leads_phone_idx on crm.leads (account_id, phone);
create index if not exists leads_contact_idx on crm.leads (contact_id);
create index if not exists leads_created_idx on crm.leads (account_id, created_at);
create index if not exists leads_stage_idx on crm.leads (account_id, stage);
-- The last index of those that begin with account_id: while a table is empty they all cost the same, and the planner takes the last one.
create unique index if not exists leads_account_id_id_key on crm.leads (account_id, id);
select crm.protect('crm.leads');

create or replace function crm.normalize_lead() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Every expression is a cost of every lead: of most, this is the only one.
  if new.phone !~ '^\+[0-9]+$' or new.whatsapp is not null or new.name is null or new.consent or new.timezone is not null
    or new.stage <> 'new' or new.converted_at is not null
  then
    if new.phone !~ '^\+[0-9]+$' then
      if new.phone ~* '[x#]' then
        new.custom_attributes := new.custom_attributes || jsonb_strip_nulls(crm.phone_extension(new.phone));
      end if;
      new.phone := crm.phone_number(new.phone, new.account_id, new.country);
    end if;
    if new.whatsapp is not null then
      new.whatsapp := crm.phone_number(new.whatsapp, new.account_id, new.country);
    end if;
    if new.name is null then
      new.name := nullif(concat_ws(' ', new.first_name, new.last_name), '');
    end if;
    if new.consent and new.consent_at is null then
      new.consent_at := frontdesk.now();
    end if;
    if new.timezone is not null then
      perform frontdesk.check_timezone(new.timezone);
    end if;
    if tg_op = 'INSERT' and (new.stage <> 'new' or new.converted_at is not null) then
      new.converted_at := crm.enter_stage(new);
    end if;
  end if;
  return new;
end
$$;
comment on function crm.normalize_lead() is
  'trigger: what of a lead is not normalised by itself, but by its account or its other columns. The name of the trigger is among the first, so that others see the row so';

select frontdesk.normalize_columns('crm.leads',
  'email', 'email', 'phone', 'international', 'messenger', 'handle', 'instagram', 'handle', 'telegram', 'handle',
  'first_name', 'line 500', 'last_name', 'line 500', 'name', 'line 500', 'company', 'line 500', 'service', 'line 500',
  'country', 'line 200', 'region', 'line 200', 'city', 'line 200', 'postal_code', 'line 50', 'source', 'line 200',
  'client_reference', 'line 200', 'external_id', 'line 200', 'meta_lead_id', 'line 200');
create or replace trigger _normalize_lead before insert or update of phone, whatsapp, name, first_name, last_name, country, consent, timezone
  on crm.leads for each row execute function crm.normalize_lead();
create or replace trigger touch before update on crm.leads for each row execute function crm.touch();

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
