-- Room 166, n8n: an endpoint for a workflow that begins with a Webhook node.

create or replace function crm.n8n_payload(names text) returns text
immutable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  case names
    when 'english' then
      return 'standard';
    when 'spanish' then
      -- The names and words of the workflows this front desk takes over from: lead, reminder and follow-up in one.
      return $template${"evento": {{ type }}, "enviado_en": {{ timestamp }},
{% if "lead." in type -%}
"client_id": {{ data.client_reference | default(data.id | string) }}, "nombre": {{ data.name }}, "email": {{ data.email }},
"telefono": {{ data.phone }}, "servicio": {{ data.service }}, "empresa": {{ data.company }}, "fuente": {{ data.source }}, "pais": {{ data.country }},
"estado_lead": {{ {"new": "Nuevo Lead", "contacted": "Lead contactado", "qualified": "Lead calificado", "appointment_booked": "Cita agendada",
"in_negotiation": "En proceso de venta", "won": "Venta cerrada", "repeat": "Nueva Venta con el mismo cliente", "lost": "Descartado"}[data.stage] | default(data.stage) }},
"created_at": {{ data.created_at }}
{%- else -%}
"id": {{ data.id }}, "cita_id": {{ data.id }}, "client_id": {{ data.client_id }}, "nombre": {{ data.name }}, "email": {{ data.email }},
"telefono": {{ data.phone }}, "servicio": {{ data.service }}, "resumen": {{ data.notes }}, "pais": {{ data.country }}, "empresa": {{ data.company }},
"estado": {{ {"scheduled": "cita agendada", "confirmed": "cita confirmada", "rescheduled": "cita reagendada", "postponed": "cita pospuesta",
"cancelled": "cita cancelada", "completed": "cita completada", "no_show": "no asistió"}[data.status] | default(data.status) }},
"fecha_cita": {{ data.starts_at }}, "fecha_cita_timezone_cliente": {{ data.local_starts_at }},
"fecha_cita_timezone_legible": {{ data.starts_at_text }}, "fecha_cita_legible": {{ data.business_starts_at_text }},
"duracion_minutos": {{ data.duration_minutes }}, "enlace_reunion": {{ data.meeting_link }},
"asistencia": {{ {"completed": "si_asistio", "no_show": "no_asistio"}[data.status] }}, "cita_pasada": {{ "cita_pasada" if data.is_past else "No" }},
"minutos_despues_cita": {{ data.minutes_after }}
{%- endif %}}$template$;
    else
      raise exception using errcode = 'invalid_parameter_value',
        message = format('names "%s" are unknown', left(names, 100)), hint = 'english or spanish.';
  end case;
end
$$;
comment on function crm.n8n_payload(text) is
  'the payload of an n8n endpoint: english (the standard one) or spanish (nombre, telefono, fecha_cita ..., as the '
  'workflows of the original had them)';

create or replace function crm.add_n8n_endpoint(
  url text, header_name text, header_value text,
  events text[] = '{lead.created,lead.touched,lead.score_changed,lead.won,appointment.*}', account uuid = null,
  names text = 'english', name text = 'n8n', signature text = 'standard') returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
  account := crm_internal.this_account(account);
  if header_name is null or coalesce(header_value, '') = '' then
    raise exception using errcode = 'null_value_not_allowed', message = 'the webhook would be open to everybody',
      hint = 'Give the name and the value of a credential Header Auth in n8n, and choose it in the Webhook node.';
  end if;
  if not frontdesk.is_credential(header_name) then
    -- Its value would stand in frontdesk.endpoints for everybody to read.
    raise exception using errcode = 'invalid_parameter_value',
      message = format('header "%s" does not look like a credential', left(header_name, 100)),
      hint = 'Use a name such as X-API-Key, X-N8N-Auth or Authorization: the values of those are kept with the secrets.';
  end if;
  return frontdesk.add_endpoint(name, url, events => events, tenant => account, payload => crm.n8n_payload(names), signature => signature,
    headers => jsonb_build_object(header_name, header_value),
    -- n8n answers when the workflow is over unless told otherwise.
    timeout_ms => 30000, max_in_flight => 16);
end
$$;
comment on function crm.add_n8n_endpoint(text, text, text, text[], uuid, text, text, text) is
  'send this account''s events to an n8n Webhook node with Header Auth; signed too, as add_endpoint() does. names: '
  'english, or spanish for the workflows of the original. Returns the signing secret';
