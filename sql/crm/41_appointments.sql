-- Room 41, appointments: what they are, what can become of them, and what became of them.

create table if not exists crm.appointment_statuses (
  name text primary key check (name ~ '^[a-z][a-z_]{0,62}$'),
  live boolean not null,
  initial boolean not null,
  position int not null,
  description text not null);
comment on table crm.appointment_statuses is 'what state an appointment is in';
comment on column crm.appointment_statuses.live is 'it takes up its resource, and clients are reminded of it';
comment on column crm.appointment_statuses.initial is 'it may be inserted like this';
insert into crm.appointment_statuses values
  ('scheduled', true, true, 10, 'booked'),
  ('confirmed', true, true, 20, 'the client said that he comes'),
  ('rescheduled', true, false, 30, 'moved to another time'),
  ('postponed', false, false, 40, 'put off, with no new time yet'),
  ('cancelled', false, true, 50, 'called off'),
  ('completed', false, true, 60, 'the client came'),
  ('no_show', false, true, 70, 'the client did not come')
on conflict do nothing;
select crm.protect_from_writing('crm.appointment_statuses', null);

create table if not exists crm.appointment_transitions (
  from_status text not null references crm.appointment_statuses on update cascade on delete cascade,
  to_status text not null references crm.appointment_statuses on update cascade on delete cascade,
  primary key (from_status, to_status));
comment on table crm.appointment_transitions is 'which status may follow which; all others are refused';
insert into crm.appointment_transitions
select f, t from (values
  ('scheduled', '{confirmed,rescheduled,postponed,cancelled,completed,no_show}'::text[]),
  ('confirmed', '{rescheduled,postponed,cancelled,completed,no_show}'),
  ('rescheduled', '{confirmed,rescheduled,postponed,cancelled,completed,no_show}'),
  ('postponed', '{rescheduled,cancelled}'),
  ('completed', '{no_show}'),
  ('no_show', '{completed}')) s (f, ts) cross join unnest(s.ts) t
where not exists (select from crm.appointment_transitions)
on conflict do nothing;
select crm.protect_from_writing('crm.appointment_transitions', null);

create table if not exists crm.appointments (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  contact_id bigint not null,
  lead_id bigint,
  service_id bigint not null,
  resource_id bigint not null,
  seat int not null check (seat between 1 and 1000),
  status text not null default 'scheduled' references crm.appointment_statuses on update cascade,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  timezone text not null,
  locale text not null,
  buffer_before interval not null,
  buffer_after interval not null,
  outside_hours boolean not null default false,
  live boolean not null,
  blocked tstzrange not null,
  meeting_link text,
  location text,
  notes text,
  internal_notes text,
  custom_attributes jsonb not null default '{}' check (jsonb_typeof(custom_attributes) = 'object'),
  external_id text,
  revision int not null default 0,
  status_changed_at timestamptz not null default clock_timestamp(),
  status_changed_by text,
  status_reason text,
  created_at timestamptz not null default clock_timestamp(),
  created_by text,
  updated_at timestamptz not null default clock_timestamp(),
  constraint appointments_order check (ends_at > starts_at),
  constraint appointments_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete cascade,
  constraint appointments_lead_fkey foreign key (account_id, lead_id) references crm.leads (account_id, id) on delete set null (lead_id),
  constraint appointments_service_fkey foreign key (account_id, service_id) references crm.services (account_id, id),
  constraint appointments_resource_fkey foreign key (account_id, resource_id) references crm.resources (account_id, id),
  -- What no bug and no race can get past.
  constraint appointments_no_overlap exclude using gist (
    resource_id with =, seat with =, blocked with &&) where (live));
comment on table crm.appointments is 'a client comes at a time for a service to a resource; a client may have several';
comment on column crm.appointments.seat is 'which of the places of the resource: two live appointments never share one';
comment on column crm.appointments.timezone is 'the client''s';
comment on column crm.appointments.locale is 'the client''s language, as in BCP 47';
comment on column crm.appointments.outside_hours is 'booked outside of business hours on purpose';
comment on column crm.appointments.live is 'kept by a trigger: that of its status';
comment on column crm.appointments.blocked is 'kept by a trigger: the appointment with its buffers';
comment on column crm.appointments.notes is 'for the client too; internal_notes are not';
comment on column crm.appointments.external_id is 'of this appointment in another calendar';
comment on column crm.appointments.revision is 'counts changes that a calendar must know: SEQUENCE of RFC 5545';
create index if not exists appointments_contact_idx on crm.appointments (contact_id);
create index if not exists appointments_lead_idx on crm.appointments (lead_id) where lead_id is not null;
create index if not exists appointments_service_idx on crm.appointments (service_id);
create index if not exists appointments_resource_idx on crm.appointments (resource_id, starts_at);
create index if not exists appointments_account_idx on crm.appointments (account_id, starts_at);
-- The last, as with crm.leads.
create unique index if not exists appointments_account_id_id_key on crm.appointments (account_id, id);
select crm.protect('crm.appointments');

create table if not exists crm.appointment_status_history (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  appointment_id bigint not null,
  old_status text,
  new_status text not null,
  old_starts_at timestamptz,
  new_starts_at timestamptz not null,
  changed_at timestamptz not null default clock_timestamp(),
  changed_by text not null,
  reason text,
  constraint appointment_status_history_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_status_history is 'every booking, change of status and change of time: who, when, why';
create index if not exists appointment_status_history_appointment_idx on crm.appointment_status_history (appointment_id);
select crm.protect_from_writing('crm.appointment_status_history');

create table if not exists crm.appointment_attendance (
  appointment_id bigint primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  attended boolean not null,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text not null,
  note text,
  corrected boolean not null default false,
  constraint appointment_attendance_appointment_fkey
    foreign key (account_id, appointment_id) references crm.appointments (account_id, id) on delete cascade);
comment on table crm.appointment_attendance is 'whether the client came, and who says so';
select crm.protect_from_writing('crm.appointment_attendance');

create table if not exists crm.penalties (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  contact_id bigint not null,
  appointment_id bigint,
  reason text not null default 'no_show',
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  lifted_at timestamptz,
  lifted_by text,
  lift_reason text,
  created_at timestamptz not null default clock_timestamp(),
  constraint penalties_order check (ends_at > starts_at),
  constraint penalties_contact_fkey foreign key (account_id, contact_id) references crm.contacts (account_id, id) on delete cascade,
  constraint penalties_appointment_fkey foreign key (account_id, appointment_id)
    references crm.appointments (account_id, id) on delete set null (appointment_id));
comment on table crm.penalties is 'who may not book until when, because he did not come';
create index if not exists penalties_contact_idx on crm.penalties (contact_id, ends_at) where lifted_at is null;
create index if not exists penalties_appointment_idx on crm.penalties (appointment_id);
select crm.protect('crm.penalties');

create or replace function crm.check_text(what text, value text, longest int, single_line boolean = false) returns void
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if length(value) > longest then
    raise exception using errcode = 'string_data_right_truncation', message = format('%s has %s characters', what, length(value)),
      hint = format('At most %s; longer texts belong into a document.', longest);
  elsif value ~ (case when single_line then '[[:cntrl:]]' else '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]' end) then
    raise exception using errcode = 'invalid_parameter_value', message = format('%s has control characters', what),
      hint = case when single_line then 'It is one line of text.' else 'Of these only tabs and line ends are taken.' end;
  end if;
end
$$;
comment on function crm.check_text(text, text, int, boolean) is 'internal: raises when a text is too long or has control characters';

create or replace function crm.check_transition(old_status text, new_status text) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  allowed text;
begin
  if not exists (select from crm.appointment_statuses s where s.name = new_status) then
    raise exception using errcode = 'invalid_parameter_value', message = format('there is no appointment status "%s"', left(new_status, 100)),
      hint = (select format('One of %s.', string_agg(s.name, ', ' order by s.position)) from crm.appointment_statuses s);
  elsif old_status is null then
    if not exists (select from crm.appointment_statuses s where s.name = new_status and s.initial) then
      raise exception using errcode = 'object_not_in_prerequisite_state', message = format('an appointment cannot begin as %s', new_status),
        hint = (select format('It begins as %s.', string_agg(s.name, ', ' order by s.position)) from crm.appointment_statuses s where s.initial);
    end if;
  elsif not exists (select from crm.appointment_transitions t where t.from_status = old_status and t.to_status = new_status) then
    select string_agg(t.to_status, ', ' order by s.position) into allowed
    from crm.appointment_transitions t join crm.appointment_statuses s on s.name = t.to_status where t.from_status = old_status;
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = case when old_status = new_status then format('the appointment is %s already', old_status)
        else format('an appointment that is %s cannot become %s', old_status, new_status) end,
      hint = case when allowed is null then format('%s is final; book a new one.', old_status) else format('It can become %s.', allowed) end;
  end if;
end
$$;
comment on function crm.check_transition(text, text) is 'internal: raises unless crm.appointment_transitions allows this change of status; the error names what it allows';
