-- Room 57, tools of AI agents: what a model may call by name, with JSON in and JSON out. What the model says is not
-- trusted: it is validated, held to the agent's account, undone when it fails, and logged either way.

create table if not exists crm.tools (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  description text not null check (length(btrim(description)) between 1 and 1024),
  parameters jsonb not null check (parameters->>'type' = 'object'),
  handler text not null,
  available text,
  active boolean not null default true,
  shipped boolean not null default false,
  position int not null default 100);
comment on table crm.tools is 'what agents can call; a tool of your own is a row here and a function (crm.tool_context, arguments jsonb) returns jsonb';
comment on column crm.tools.description is 'for the model: what it does, and when to use it';
comment on column crm.tools.parameters is 'JSON Schema of the arguments; a property "service" with "enum": ["*"] gets the names of the account''s services there';
comment on column crm.tools.handler is 'the function that does it, with its schema; called with the rights of who calls call_tool()';
comment on column crm.tools.available is 'a function (account uuid) returns boolean: is the tool of any use there; null: always';
comment on column crm.tools.shipped is 'true: install_crm() keeps it up to date; set it to false to have your own wording';

create table if not exists crm.tool_switches (
  account_id uuid not null references crm.accounts on delete cascade,
  agent_id bigint not null,
  tool text not null references crm.tools on update cascade on delete cascade,
  enabled boolean not null,
  primary key (agent_id, tool),
  foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete cascade);
comment on table crm.tool_switches is 'which agent may not use which tool, or may; without a row he may';
select crm.protect('crm.tool_switches');

create table if not exists crm.tool_errors (
  code text primary key,
  sqlstates text[] not null default '{}',
  hint text not null);
comment on table crm.tool_errors is 'what can go wrong with a call, and what the model is told to do about it';
insert into crm.tool_errors values
  ('invalid_arguments', '{22023,22P02,22003,22004,22007,22008,2201W}', 'Correct the arguments named in details, and call the tool again. Ask the client for what you do not know.'),
  ('too_long', '{22001,54000}', 'Shorten the text, and call the tool again.'),
  ('unknown_tool', '{}', 'Call one of the tools in details.'),
  ('slot_taken', '{23P01}', 'Offer the client one of the times in details, or call find_slots.'),
  ('outside_business_hours', '{23514}', 'Offer the client one of the times in details, or call find_slots.'),
  ('not_found', '{P0002}', 'Ask the client for the number of the appointment and for the e-mail address or telephone number it was booked with.'),
  ('which_appointment', '{}', 'Ask the client which of the appointments in details is meant, and give its appointment_id.'),
  ('not_possible', '{55000}', 'Tell the client that this is not possible, and why.'),
  ('not_allowed', '{42501}', 'Tell the client that you cannot do this.'),
  ('try_again', '{40P01,55P03}', 'Call the tool again with the same arguments.'),
  ('internal_error', '{}', 'Tell the client that this does not work at the moment, and that somebody will see to it.')
on conflict do nothing;

create table if not exists crm.tool_calls (
  id bigint generated always as identity primary key,
  account_id uuid not null references crm.accounts on delete cascade,
  agent_id bigint not null,
  tool text not null,
  arguments jsonb,
  client jsonb,
  ok boolean not null,
  result jsonb,
  error jsonb,
  called_at timestamptz not null default clock_timestamp(),
  duration_ms numeric not null,
  called_by text not null default session_user,
  foreign key (account_id, agent_id) references crm.agents (account_id, id) on delete cascade);
comment on table crm.tool_calls is 'every call, whatever became of it; what is larger than 64 kB is left out';
comment on column crm.tool_calls.client is 'who the application said that the agent talks with';
comment on column crm.tool_calls.error is 'what the model was told; sqlstate and cause of internal_error stand here only';
create index if not exists tool_calls_agent_idx on crm.tool_calls (agent_id, called_at);

-- Tools are code, so members only read them; a log that its subjects can change is none.
select crm.protect_from_writing('crm.tools', null);
select crm.protect_from_writing('crm.tool_errors', null);
select crm.protect_from_writing('crm.tool_calls');
do $$
begin
  if not exists (select from pg_policy where polrelid = 'crm.tool_calls'::regclass and polname = 'members_call') then
    create policy members_call on crm.tool_calls for insert with check (account_id in (select crm.my_accounts(true)));
  end if;
  if to_regtype('crm.tool_context') is null then
    create type crm.tool_context as (agent_id bigint, account_id uuid, timezone text, locale text, client jsonb);
    comment on type crm.tool_context is 'for whom a tool works: the agent, its account and nothing else; client: who the application says that the agent talks with, null: it does not say';
  end if;
end
$$;

create or replace function crm.check_tool() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform frontdesk.check_schema(new.parameters);
  if to_regprocedure(new.handler || '(crm.tool_context,jsonb)') is null then
    raise exception using errcode = 'undefined_function', message = format('there is no function %s(crm.tool_context, jsonb)', new.handler),
      hint = 'Give its name with the schema, as crm.tool_find_slots.';
  elsif (select p.prorettype <> 'jsonb'::regtype or p.proretset from pg_proc p where p.oid = to_regprocedure(new.handler || '(crm.tool_context,jsonb)')) then
    raise exception using errcode = 'datatype_mismatch', message = format('%s does not return jsonb', new.handler);
  elsif to_regprocedure(new.available || '(uuid)') is null and new.available is not null then
    raise exception using errcode = 'undefined_function', message = format('there is no function %s(uuid)', new.available);
  end if;
  -- As the catalogue writes them: what is executed later is a name and nothing else.
  new.handler := to_regprocedure(new.handler || '(crm.tool_context,jsonb)')::oid::regproc::text;
  new.available := to_regprocedure(new.available || '(uuid)')::oid::regproc::text;
  return new;
end
$$;
comment on function crm.check_tool() is 'trigger: the schema of a tool is one, and its function is there';
create or replace trigger check_tool before insert or update of parameters, handler, available on crm.tools
  for each row execute function crm.check_tool();

create or replace function crm.agent(id bigint) returns crm.agents
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one crm.agents;
begin
  select a.* into found_one from crm.agents a
  where a.id = agent.id and (crm.current_user_id() is null or a.account_id in (select crm.my_accounts()));
  if found_one.id is null then
    raise exception using errcode = 'no_data_found', message = format('there is no agent %s', coalesce(agent.id::text, '(null)')),
      hint = 'They are in crm.agents.';
  elsif not found_one.active then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('agent "%s" is not active', found_one.name);
  end if;
  return found_one;
end
$$;
comment on function crm.agent(bigint) is 'this agent, if it is there for the current user, and active; otherwise an error';

create or replace function crm.tool_parameters(account uuid, parameters jsonb) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case when parameters #> '{properties,service,enum}' is distinct from '["*"]' then parameters
    -- None, or more than a model reads: any text, and the error says which there are.
    when s.number not between 1 and 100 then parameters #- '{properties,service,enum}'
    else jsonb_set(parameters, '{properties,service,enum}', s.names) end
  from (select count(*), jsonb_agg(v.name order by v.name) from crm.services v where v.account_id = account and v.active) s (number, names)
$$;
comment on function crm.tool_parameters(uuid, jsonb) is 'internal: the schema of a tool''s arguments, with the services that this account has';

create or replace function crm.tools_of(agent crm.agents) returns setof crm.tools
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  t crm.tools;
  is_available boolean;
begin
  for t in
    select o.* from crm.tools o left join crm.tool_switches s on s.agent_id = agent.id and s.tool = o.name
    where o.active and coalesce(s.enabled, true) order by o.position, o.name
  loop
    is_available := true;
    if t.available is not null then
      execute format('select %s($1)', t.available) into is_available using agent.account_id;
    end if;
    if is_available then
      t.parameters := crm.tool_parameters(agent.account_id, t.parameters);
      return next t;
    end if;
  end loop;
end
$$;
comment on function crm.tools_of(crm.agents) is 'internal: the tools that this agent may use';

create or replace function crm.agent_tools(agent_id bigint)
returns table (name text, description text, parameters jsonb, openai jsonb, anthropic jsonb)
stable language sql rows 10 set search_path = pg_catalog, pg_temp as $$
  select t.name, t.description, t.parameters,
    jsonb_build_object('type', 'function', 'function', jsonb_build_object('name', t.name, 'description', t.description, 'parameters', t.parameters)),
    jsonb_build_object('name', t.name, 'description', t.description, 'input_schema', t.parameters)
  from crm.tools_of(crm.agent(agent_id)) t
$$;
comment on function crm.agent_tools(bigint) is
  'the tools of an agent with the JSON Schemas of their arguments, and ready for OpenAI-compatible and Anthropic APIs: select jsonb_agg(openai) from crm.agent_tools(1). call_tool() executes what the model answers';

create or replace function crm.tool_error(code text, message text, details jsonb = null) returns jsonb
stable language sql set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(jsonb_build_object('ok', false, 'error', jsonb_build_object('code', e.code, 'message', left(tool_error.message, 500),
    'hint', e.hint, 'details', details)))
  from crm.tool_errors e where e.code = tool_error.code
$$;
comment on function crm.tool_error(text, text, jsonb) is 'internal: what the model is told of a mistake';

create or replace function crm.refuse(code text, message text, details jsonb = null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using errcode = 'P0001', message = message, constraint = code, detail = coalesce(details::text, '');
end
$$;
comment on function crm.refuse(text, text, jsonb) is 'for handlers of tools: end the call with this error of crm.tool_errors; what the tool did is undone';

create or replace function crm.tool_failure(sqlstate text, "constraint" text, message text, detail text) returns jsonb
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  what text := case when sqlstate = 'P0001' then "constraint"
    when sqlstate = '42501' and message like 'permission denied for %' then 'internal_error'
    when sqlstate = '23514' and "constraint" is distinct from 'appointments_business_hours' then 'invalid_arguments'
    else (select e.code from crm.tool_errors e where tool_failure.sqlstate = any (e.sqlstates)) end;
begin
  if not exists (select from crm.tool_errors e where e.code = what) or what = 'internal_error' then
    -- The model needs no knowledge of the database; the log has it.
    return crm.tool_error('internal_error', 'The tool failed for a reason of its own.');
  end if;
  return crm.tool_error(what, message, case
    when coalesce(detail, '') = '' then null when pg_input_is_valid(detail, 'jsonb') then detail::jsonb else to_jsonb(detail) end);
end
$$;
comment on function crm.tool_failure(text, text, text, text) is 'internal: what the model is told of an exception';

create or replace function crm.call_tool(agent_id bigint, name text, arguments jsonb = '{}', client jsonb = null) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  largest constant int := 65536;
  agent crm.agents := crm.agent(agent_id);
  tool crm.tools;
  context crm.tool_context;
  actor text := coalesce(current_setting('crm.actor', true), '');
  started timestamptz := clock_timestamp();
  given jsonb := arguments;
  mistakes jsonb;
  answer jsonb;
  result jsonb;
  problem record;
  state text; reason text; message_text text; detail_text text; constraint_text text;
begin
  perform crm.check_writable(agent.account_id);
  if jsonb_typeof(client) not in ('object', 'null') then
    raise exception using errcode = 'invalid_parameter_value', message = 'client is not a JSON object',
      hint = 'Who the agent talks with, as the channel knows him: {"phone": "+525512345678"}, {"email": ...}, {"lead_id": ...} or {"contact_id": ...}.';
  end if;
  select agent.id, agent.account_id, a.timezone, coalesce(agent.settings->>'locale', a.locale), nullif(client, 'null') into context
  from crm.accounts a where a.id = agent.account_id;
  select t.* into tool from crm.tools_of(agent) t where t.name = call_tool.name;
  -- Some models send the object as a text.
  if jsonb_typeof(given) = 'string' and pg_input_is_valid(given #>> '{}', 'jsonb') then
    given := (given #>> '{}')::jsonb;
  end if;
  given := coalesce(nullif(given, 'null'), '{}');
  if tool.name is null then
    answer := crm.tool_error('unknown_tool', format('There is no tool "%s".', left(name, 100)), (select jsonb_agg(t.name) from crm.tools_of(agent) t));
  elsif pg_column_size(given) > largest or octet_length(given::text) > largest then
    answer := crm.tool_error('too_long', format('The arguments have more than %s bytes.', largest));
  else
    select jsonb_agg(jsonb_build_object('path', v.path, 'message', v.message)) into mistakes from frontdesk.validate_json(tool.parameters, given) v;
    if mistakes is not null then
      answer := crm.tool_error('invalid_arguments', 'The arguments do not fit the schema of the tool.', mistakes);
    else
      perform set_config('crm.actor', 'agent ' || agent.name, true);
      begin
        execute format('select %s($1, $2)', tool.handler) into result using context, given;
        answer := jsonb_build_object('ok', true, 'result', coalesce(result, 'null'));
      exception when others then
        get stacked diagnostics state = returned_sqlstate, message_text = message_text, detail_text = pg_exception_detail,
          constraint_text = constraint_name;
        if state = '40001' then
          -- The whole transaction must be begun again.
          raise;
        end if;
        answer := crm.tool_failure(state, constraint_text, message_text, detail_text);
        if answer #>> '{error,code}' = 'internal_error' then
          reason := format('%s %s', state, message_text);
          raise warning using message = format('tool %s of agent "%s" failed: %s', tool.name, agent.name, message_text), errcode = state;
        end if;
      end;
      perform set_config('crm.actor', actor, true);
    end if;
  end if;
  insert into crm.tool_calls (account_id, agent_id, tool, arguments, client, ok, result, error, duration_ms)
  values (agent.account_id, agent.id, coalesce(left(name, 200), '(null)'), case when octet_length(given::text) <= largest then given end, context.client,
    (answer->>'ok')::boolean, case when octet_length((answer->'result')::text) <= largest then answer->'result' end,
    (answer->'error') || case when reason is null then '{}' else jsonb_build_object('cause', reason) end,
    round(extract(epoch from clock_timestamp() - started) * 1000, 3));
  return answer;
end
$$;
comment on function crm.call_tool(bigint, text, jsonb, jsonb) is
  'execute what a model asks for: {"ok": true, "result": ...} or {"ok": false, "error": {"code", "message", "hint", "details"}}, for the model to act on; it raises for mistakes of the caller only. '
  'arguments come from the model. client comes from your application: who the agent talks with, as the channel knows him ({"phone": ...}, {"email": ...}, {"lead_id": ...}, {"contact_id": ...}); '
  'with it tools touch only what is that client''s. Everything is logged in crm.tool_calls; a failed call is undone';
