-- Room 10, event: a row looks the same from every session. Its key, its record and its type do not depend on settings.
\set SHOW_CONTEXT never
\pset null '(null)'
create type stay as (arrival date, nights interval, paid timestamptz);
create table bookings (
  d date, ts timestamp, tz timestamptz, iv interval, ba bytea, f float8, f4 float4, m money, c regclass, p stay, r daterange, tr tstzrange, ds date[], tzs timestamptz[],
  fs float8[], bs bytea[], ms money[], t text, b bool, n numeric, u uuid, tm time, tt timetz, x xml, pt point, e jsonb,
  primary key (d, ts, tz, iv, ba, f, m, c));
select frontdesk.watch('bookings', entity => 'booking', state_column => 'tz', condition => '{"op": {"$in": ["insert", "update"]}}');
create table states (id int primary key, d date, f float8);
select frontdesk.watch('states', entity => 'day', state_column => 'd');
create table by_zone (at timestamptz primary key, n int);
select frontdesk.watch('by_zone');
create procedure write(n int) language plpgsql as $$
begin
  insert into public.bookings values ('2026-02-03', '2026-02-03 04:05:06', '2026-02-03 04:05:06+00', '1 mon 2 days 03:04:05', '\x00ff41', 0.1 + 0.2, 1.1, 12.34::money, 'public.bookings',
    row('2026-02-03', '1 mon 2 days', '2026-02-03 04:05:06+00'), '[2026-02-03,2026-03-04)', '[2026-02-03 04:05:06+00,)', '{2026-02-03}', '{2026-02-03 04:05:06+00,infinity}',
    array[0.1::float8 + 0.2], '{"\\x00ff"}', array[12.34::money], 'text', true, 1.50, '00000000-0000-4000-8000-000000000001', '13:14:15', '13:14:15+02', '<a/>', '(0.1,0.3)', '{"a": 1.50}');
  update public.bookings set tz = '2026-02-03 05:06:07+00';
  delete from public.bookings;
  insert into public.states values (n, '2026-02-03', 0.1::float8 + 0.2);
  update public.states set d = '2026-03-04' where id = n;
  delete from public.states;
  insert into public.by_zone values ('2026-03-29 01:30:00+00', n);
  delete from public.by_zone;
end
$$;
call write(1);
set datestyle = 'SQL, DMY';
call write(1);
set datestyle = 'German';
set intervalstyle = 'iso_8601';
set timezone = 'America/St_Johns';
set bytea_output = 'escape';
set extra_float_digits = -3;
set xmloption = content;
set xmlbinary = hex;
call write(1);
set datestyle = 'Postgres, MDY';
set intervalstyle = 'sql_standard';
set timezone = 'Asia/Kathmandu';
set search_path = pg_temp;
set quote_all_identifiers = on;
call public.write(1);
set lc_monetary = 'C.UTF-8';
call public.write(1);
-- The session's own settings are as they were, and so are the values that it sees.
select current_setting('datestyle'), current_setting('intervalstyle'), current_setting('timezone'), current_setting('bytea_output'), current_setting('extra_float_digits'),
  current_setting('search_path'), date '2026-02-03', interval '1 mon 2 days';
reset all;
\set SHOW_CONTEXT never
-- Five sessions of each kind wrote the same rows: each is there five times, and never in two ways.
select source, type, count(*), count(distinct key) as keys, count(distinct record::text) as records, count(distinct old_record::text) as old_records
from frontdesk.event group by source, type order by source, type;
select distinct on (type) type, key, record from frontdesk.event order by type, id;
-- An error in the middle leaves the settings alone.
set datestyle = 'SQL, DMY';
do $$
begin
  insert into states values (1, '2026-02-03'), (1, '2026-02-03');
exception when unique_violation then
  null;
end
$$;
show datestyle;
