-- Room 148, a sample of appointments: part of install_crm(sample_data => true), see 195_sample.sql.

create or replace function crm.sample_40_appointments(account uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s record;
  this_lead bigint;
  this_service bigint;
  slot timestamptz;
  booked bigint;
begin
  insert into crm.services (account_id, name, duration, buffer_after, price) values
    (account, 'Revisión', '30 minutes', '10 minutes', 500), (account, 'Limpieza', '45 minutes', '15 minutes', 900),
    (account, 'Implante dental', '90 minutes', '30 minutes', 18000) on conflict do nothing;
  insert into crm.resources (account_id, name, kind) values
    (account, 'Dra. Paredes', 'person'), (account, 'Dr. Ibarra', 'person') on conflict do nothing;
  update crm.services v set active = false where v.account_id = account and v.name = 'Appointment' and v.active;
  update crm.resources r set active = false where r.account_id = account and r.name = 'Front desk' and r.active;
  insert into crm.business_hours (account_id, resource_id, weekday, opens, closes)
  select account, r.id, d, '12:00', '20:00' from crm.resources r cross join generate_series(2, 6) d
  where r.account_id = account and r.name = 'Dr. Ibarra' and not exists (select from crm.business_hours h where h.resource_id = r.id);
  for s in
    select * from (values
      (1, 'sample-5', 'Revisión', 'completed', -12), (2, 'sample-8', 'Limpieza', 'completed', -5), (3, 'sample-6', 'Limpieza', 'no_show', -30),
      (4, 'sample-10', 'Revisión', null, 1), (5, 'sample-2', 'Implante dental', null, 4), (6, 'sample-12', 'Implante dental', 'confirmed', 6)
    ) v (n, lead, service, status, days)
    where not exists (select from crm.appointments a where a.account_id = account and a.external_id = 'sample-' || v.n)
    order by v.n
  loop
    select l.id into this_lead from crm.leads l where l.account_id = account and l.external_id = s.lead;
    continue when not found;
    select v.id into this_service from crm.services v where v.account_id = account and v.name = s.service;
    if s.days < 0 then
      insert into crm.appointments (account_id, contact_id, lead_id, service_id, resource_id, status, starts_at, external_id)
      select account, crm.contact_of_lead(this_lead), this_lead, this_service, r.id, s.status,
        (date_trunc('day', frontdesk.now() at time zone b.timezone) + s.days * interval '1 day' + interval '11 hours') at time zone b.timezone, 'sample-' || s.n
      from crm.resources r join crm.accounts b on b.id = r.account_id where r.account_id = account and r.name = 'Dra. Paredes';
    else
      select lower(f) into slot from crm.free_slots(this_service, frontdesk.now() + s.days * interval '1 day',
        frontdesk.now() + (s.days + 10) * interval '1 day', step => '30 minutes') f limit 1;
      continue when slot is null;
      select b.id into booked from crm.book_appointment(lead => this_lead, service => this_service, starts_at => slot, external_id => 'sample-' || s.n) b;
      if s.status = 'confirmed' then
        perform crm.confirm_appointment(booked);
      end if;
    end if;
  end loop;
end
$$;
comment on function crm.sample_40_appointments(uuid) is
  'sample data: two dentists, what they offer, and who was there or is to come';
