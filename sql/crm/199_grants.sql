-- Who may do what. Nothing for PUBLIC; trigger functions for nobody, as a trigger needs no right of its own once it is made.
-- crm.grant_access() lets an application's role in, by the names that stand here. What is not named is for the owner of the schema:
-- row level security for tables of one's own, settings of the installation, imports, endpoints, training, sample data.

drop function if exists crm.grant_access(regrole);

create or replace function crm.application_functions() returns setof regprocedure
stable language sql set search_path = pg_catalog, pg_temp as $$
  select p.oid::regprocedure from unnest(array[
    -- who is asking, and for which account
    'current_user_id', 'my_accounts', 'has_account_access', 'use_account', 'this_account', 'authorize', 'visible', 'check_writable',
    'current_actor',
    -- leads and contacts
    'upsert_lead', 'set_lead_stage', 'find_lead', 'contact_of_lead', 'search_leads', 'lead_stats', 'score_lead',
    'explain_lead_score', 'explain_own_score', 'lead_facts', 'rescore', 'rescore_after', 'train_score_model', 'fold', 'phone_number',
    -- appointments
    'service', 'free_slots', 'available_slots', 'open_hours', 'appointment', 'book_appointment',
    'reschedule_appointment', 'postpone_appointment', 'cancel_appointment', 'confirm_appointment',
    'record_attendance', 'lift_penalty', 'appointment_payload', 'appointment_stats', 'appointment_ics', 'local_time',
    'check_link',
    -- agents
    'agent', 'agent_tools', 'call_tool', 'refuse', 'has_knowledge',
    -- knowledge
    'add_document', 'replace_document', 'remove_document', 'find_document', 'configure_knowledge',
    'knowledge_status', 'export_documents', 'match_documents', 'match_documents_langchain',
    'match_documents_langchain_js', 'hybrid_search', 'embed_query', 'text_search_config',
    -- What the verbs above, the triggers of the tables and their indexes call, with the rights of who writes. None of them knows more
    -- than row level security lets that role see, takes SQL, or writes what the role could not write itself.
    'phone_extension', 'enter_stage', 'lead_keys', 'know_lead', 'same_leads', 'known_timezone', 'read_lead',
    'add_lead', 'fill_gaps', 'upsert_account', 'same_contact', 'phones_of', 'own_phone', 'client_id', 'lead_words', 'lead_document', 'check_text',
    'check_transition', 'resources_of', 'slot_starts', 'check_duration', 'next_slots', 'raise_taken',
    'check_penalty', 'check_time', 'take_seat', 'appointment_defaults', 'change_status', 'ics_text', 'ics_fold', 'ics_person', 'ics_time', 'mail_uri',
    'tool_parameters', 'tools_of', 'tool_error', 'tool_failure', 'tool_moment', 'tool_timezone', 'tool_service',
    'tool_resource', 'tool_contacts', 'tool_appointment', 'tool_result', 'tool_find_slots', 'tool_lead',
    'tool_upsert_lead', 'tool_book_appointment', 'tool_reschedule_appointment', 'tool_cancel_appointment',
    'tool_search_knowledge', 'document_words', 'check_dimensions', 'search_filter', 'check_search', 'nearest_in',
    'nearest_documents', 'match_filtered', 'match_by_index', 'plain_index_effort', 'vector_indexes']) f (name)
  left join pg_proc p on p.pronamespace in (to_regnamespace('crm'), to_regnamespace('crm_internal')) and p.proname = f.name and p.prorettype <> 'trigger'::regtype
$$;
comment on function crm.application_functions() is
  'what an application''s role may call; null for a name that is no longer a function';

create or replace function crm.application_tables() returns table (privileges text, names text[])
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select * from (values
    -- Rows of the accounts that one is a member of, and may write in: policies say so.
    ('select, insert, update, delete', array['agents', 'contacts', 'lead_stages', 'leads', 'lead_touches', 'lead_identities',
      'appointment_settings', 'services', 'resources', 'service_resources', 'business_hours', 'calendar_exceptions', 'appointments', 'penalties',
      'reminder_rules', 'tool_switches', 'knowledge_settings', 'document_categories', 'documents', 'document_chunks']),
    ('select, update', array['accounts']),
    -- call_tool() writes its log with the rights of who calls it.
    ('select, insert', array['tool_calls']),
    ('select', array['installation', 'member_roles', 'account_members', 'lead_status_history', 'lead_score_history',
      'appointment_statuses', 'appointment_transitions', 'appointment_status_history', 'appointment_attendance', 'appointment_reminders',
      'reminder_kinds', 'meta_endpoints', 'meta_outcomes', 'meta_events', 'tools', 'tool_errors', 'document_sources', 'document_imports',
      'leads_high_priority', 'leads_untouched', 'pipeline', 'possible_duplicates', 'upcoming_appointments', 'agenda', 'active_penalties'])) t
$$;
comment on function crm.application_tables() is
  'the tables and views that an application''s role may work with, and how; row level security says which rows';

create or replace function crm.grant_access(role regrole, account uuid = null, as_user text = null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  name name := (select r.rolname from pg_roles r where r.oid = role);
  known boolean := exists (select from crm.access a where a.role = name);
  f regprocedure;
  t record;
begin
  if name is null then
    raise exception using errcode = 'undefined_object', message = 'no role given';
  elsif account is not null and not exists (select from crm.accounts a where a.id = account) then
    raise exception using errcode = 'no_data_found', message = format('there is no account %s', account),
      hint = 'They are in crm.accounts.';
  elsif as_user is null and account is not null then
    as_user := name;
  elsif account is null and not exists (select from crm.account_members m where m.user_id = as_user) and as_user is not null then
    raise exception using errcode = 'no_data_found',
      message = format('"%s" is not a member of any account', left(as_user, 100)),
      hint = format('Say of which one: select crm.grant_access(%L, account => ..., as_user => %L);', name, as_user);
  end if;
  execute format('grant usage on schema crm, crm_internal to %s', role);
  -- 0.1.0 granted all there was.
  if not known and has_function_privilege(role, 'crm_internal.touch()', 'execute') and exists (
    select from pg_proc p, aclexplode(p.proacl) x where p.oid = 'crm_internal.touch()'::regprocedure and x.grantee = role::oid)
  then
    execute format('revoke all on all routines in schema crm, crm_internal from %s', role);
    execute format('revoke all on all tables in schema crm from %s', role);
  end if;
  for f in select a from crm.application_functions() a where a is not null loop
    execute format('grant execute on function %s to %s', f, role);
  end loop;
  for t in select a.privileges, string_agg(format('crm.%I', n), ', ') as names from crm.application_tables() a, unnest(a.names) n group by 1 loop
    execute format('grant %s on %s to %s', t.privileges, t.names, role);
  end loop;
  -- upsert_lead() takes the number of a lead before it has the row.
  execute format('grant usage on sequence %s to %s', pg_get_serial_sequence('crm.leads', 'id'), role);
  insert into crm.access as a (role, user_id) values (name, as_user)
  on conflict on constraint access_pkey do update set user_id = coalesce(excluded.user_id, a.user_id);
  if account is not null then
    insert into crm.account_members (account_id, user_id) values (account, as_user) on conflict do nothing;
  end if;
end
$$;
comment on function crm.grant_access(regrole, uuid, text) is
  'let a role of an application work in schema crm: the verbs and tables of crm.application_functions() and '
  'application_tables(); row level security shows it the accounts of crm.current_user_id(). account: of a role that '
  'connects by itself (n8n, a worker): it is a member of that account, under the name as_user (default the role''s), '
  'and cannot say that it is somebody else';

do $$
declare
  r record;
begin
  revoke all on all tables in schema crm from public;
  revoke all on all routines in schema crm, crm_internal from public;
  revoke all on all sequences in schema crm from public;
  -- What there is new is for those who were let in before, also by 0.1.0, which did not write them down.
  for r in
    select o.oid from pg_proc p cross join lateral aclexplode(p.proacl) x join pg_roles o on o.oid = x.grantee
    where p.oid = 'crm.upsert_lead(jsonb,boolean)'::regprocedure and x.grantee <> p.proowner
  loop
    perform crm.grant_access(r.oid::regrole);
  end loop;
  for r in
    select p.oid::regprocedure as function, x.grantee::regrole as role
    from pg_proc p cross join lateral aclexplode(p.proacl) x
    where p.pronamespace in ('crm'::regnamespace, 'crm_internal'::regnamespace) and p.prorettype = 'trigger'::regtype and x.grantee <> p.proowner
  loop
    execute format('revoke all on function %s from %s', r.function, r.role);
  end loop;
end
$$;
