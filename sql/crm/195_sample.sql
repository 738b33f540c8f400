-- A small business to look at: what install_crm(sample_data => true) adds. Every room adds its part by a function crm.sample_NN_name(account uuid).

create or replace function crm.load_sample_data() returns uuid
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  clinic constant uuid := '5a4d91e0-0000-4000-8000-000000000001';
  part record;
  quiet text[];
  command text;
begin
  -- Nobody is told of people who do not exist: an endpoint for all events may be a workflow that writes to them.
  perform set_config('crm.loading_sample', 'on', true);
  quiet := array(
    select format('alter table %s %%s trigger %I', t.tgrelid::regclass, t.tgname) from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = 'crm'::regnamespace and c.oid in (select w.source from frontdesk.watch w) and t.tgname ~ 'frontdesk_capture'
      and t.tgenabled = 'O' and t.tgparentid = 0);
  foreach command in array quiet loop
    execute format(command, 'disable');
  end loop;
  insert into crm.accounts (id, name, timezone, locale, country, currency)
  values (clinic, 'Clínica Sonrisa (sample)', 'America/Mexico_City', 'es-MX', 'MX', 'MXN') on conflict do nothing;
  for part in
    select p.proname from pg_proc p
    where p.pronamespace = 'crm'::regnamespace and p.proname ~ '^sample_[0-9]{2}_' and p.proargtypes = array['uuid'::regtype]::oidvector
    order by p.proname
  loop
    execute format('select crm.%I($1)', part.proname) using clinic;
  end loop;
  foreach command in array quiet loop
    execute format(command, 'enable');
  end loop;
  perform set_config('crm.loading_sample', '', true);
  return clinic;
end
$$;
comment on function crm.load_sample_data() is
  'a dental clinic with people, enquiries and what came of them, as an account of its own; returns its id. Loaded '
  'again, it adds what is missing. No event tells of it, and nobody is reminded: what you change in it later is told. '
  'delete from crm.accounts where id = ... removes all of it';

create or replace function crm.sample_10_people(account uuid) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into crm.account_members (account_id, user_id, role)
  values (account, 'sample-owner', 'owner'), (account, 'sample-reception', 'member'), (account, 'sample-viewer', 'viewer') on conflict do nothing;
  insert into crm.agents (account_id, name, kind) values (account, 'Sofía', 'ai'), (account, 'Marta Ruiz', 'person') on conflict do nothing;
$$;
comment on function crm.sample_10_people(uuid) is 'sample data: who works there';

create or replace function crm.sample_30_leads(account uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s record;
  lead bigint;
  agent bigint := (select a.id from crm.agents a where a.account_id = account and a.kind = 'person' order by a.id limit 1);
begin
  for s in
    select * from (values
      (1, 'Ana García López', 'ana.garcia@example.com', '55 1234 5601', 'Implante dental', 'meta_ads', 'Sonrisas de primavera', null, 45000, '¿Cuánto cuesta un implante? Lo necesito este mes.', 'qualified', 26),
      (2, 'Luis Hernández', 'luis.hernandez@example.com', '55 1234 5602', 'Ortodoncia', 'website', null, 'Taller Hernández', 32000, 'Me interesa financiamiento a 12 meses.', 'in_negotiation', 24),
      (3, 'Carmen Ortiz', null, '+52 1 81 8123 4503', 'Limpieza', 'whatsapp', null, null, null, 'Hola, ¿tienen citas mañana?', 'new', 1),
      (4, 'Jorge Núñez', 'jorge@example.org', null, 'Blanqueamiento', 'meta_ads', 'Sonrisas de primavera', null, 6000, null, 'contacted', 6),
      (5, 'Sofía Ramírez', 'sofia.ramirez@example.com', '33 3123 4505', 'Carillas', 'referral', null, 'Estudio Ramírez', 80000, 'Me recomendó Ana.', 'won', 40),
      (6, 'Daniel Cruz', 'daniel.cruz@example.com', '55 1234 5606', 'Limpieza', 'google_ads', 'Limpieza 2x1', null, 900, null, 'lost', 33),
      (7, 'Mariana Flores', 'mariana@example.net', '+34 612 345 607', 'Implante dental', 'website', null, null, 52000, 'Viajo a México en marzo, ¿pueden atenderme entonces?', 'new', 2),
      (8, 'Pablo Méndez', 'pablo.mendez@example.com', '55 1234 5608', 'Ortodoncia', 'referral', null, 'Méndez Arquitectos', 38000, null, 'repeat', 60),
      (9, 'Lucía Torres', null, null, 'Revisión', 'instagram', null, null, null, 'Precio?', 'new', 0),
      (10, 'Ricardo Vega', 'ricardo.vega@example.com', '55 1234 5610', 'Urgencia', 'website', null, null, 3000, 'Me duele mucho una muela.', 'appointment_booked', 3),
      (11, 'Elena Castillo', 'elena@example.com', '55 1234 5611', 'Carillas', 'meta_ads', 'Sonrisas de primavera', null, null, null, 'contacted', 9),
      (12, 'Tomás Aguilar', 'tomas.aguilar@example.com', '55 1234 5612', 'Implante dental', 'partner', null, 'Aseguradora del Valle', 120000, 'Convenio para 15 empleados.', 'in_negotiation', 15)
    ) v (n, name, email, phone, service, source, campaign, company, budget, message, stage, days)
    where not exists (select from crm.leads l where l.account_id = account and l.external_id = 'sample-' || v.n)
    order by v.n
  loop
    insert into crm.leads (account_id, external_id, agent_id, name, email, phone, instagram, service, source, campaign, company, budget, message,
      country, city, consent, created_at)
    values (account, 'sample-' || s.n, agent, s.name, s.email, s.phone, case when s.source = 'instagram' then '@Lucia.Torres' end, s.service, s.source,
      s.campaign, s.company, s.budget, s.message, 'MX', 'Ciudad de México', s.email is not null, clock_timestamp() - s.days * interval '1 day')
    returning id into lead;
    perform crm.set_lead_stage(lead, s.stage, 'sample');
    if s.stage not in ('new', 'lost') then
      perform crm.contact_of_lead(lead);
    end if;
  end loop;
end
$$;
comment on function crm.sample_30_leads(uuid) is 'sample data: enquiries in every stage';
