-- Ways to reach people, in one spelling each. The crate's own tests have many more.
\pset format unaligned
\pset null ~
\set SHOW_CONTEXT never
\set VERBOSITY default

select frontdesk.normalize_email(' Ana García <Ana@Example.COM> '), frontdesk.normalize_email(''), frontdesk.normalize_email(null);
select frontdesk.normalize_email('ana@example');
select frontdesk.normalize_email('ana@example', false), frontdesk.normalize_email('ana@example', null);
select frontdesk.normalize_phone('(55) 1234-5678', 'MX'), frontdesk.normalize_phone('+1 415 555 0123'), frontdesk.normalize_phone('', 'MX'), frontdesk.normalize_phone(null, 'MX');
select frontdesk.normalize_phone('1234', 'MX');
select frontdesk.normalize_phone('55 1234 5678');
select frontdesk.normalize_phone('55 1234 5678', 'Mexico');
select frontdesk.normalize_phone('55 1234 5678', strict => false), frontdesk.normalize_phone('x', 'MX', false);
select frontdesk.normalize_handle('https://instagram.com/Ana.Garcia?igsh=1'), frontdesk.normalize_handle('@Ana'), frontdesk.normalize_handle(' ');
select frontdesk.normalize_handle('not a name');
select frontdesk.clean_line(E'  Ana \n\t García\x01 '), frontdesk.clean_line(E'\n'), frontdesk.clean_line('مرحبا 🎉');
select frontdesk.clean_line(repeat('é', 1001), 'name');
select length(frontdesk.clean_line(repeat('é', 1000), 'name')), length(frontdesk.clean_line(repeat('x', 1000000), 'notes', 0));

-- Immutable: they may be in an index and a generated column.
create table person (phone text, number text generated always as (frontdesk.normalize_phone(phone, 'ES', false)) stored);
create unique index on person (frontdesk.normalize_phone(phone, 'ES', false));
insert into person values ('612 34 56 78');
insert into person values ('+34612345678');
-- Everybody may ask.
create role contact_anybody;
set role contact_anybody;
select frontdesk.normalize_email('A@B.de'), frontdesk.clean_line(' a ');
reset role;
drop role contact_anybody;
