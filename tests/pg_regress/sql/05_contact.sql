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

-- A trigger for any table.
create table client (id int, gone int, email text, "Phone" varchar(40), mobile text, instagram text, name text, city text);
alter table client drop column gone;
create trigger normalize before insert or update on client for each row execute function
  frontdesk_internal.normalize_row('email', 'email', 'Phone', 'phone ES', 'mobile', 'international', 'instagram', 'handle', 'name', 'line', 'city', 'line 10');
insert into client values (1, ' Ana <Ana@Example.com>', '612 34 56 78', '+34 (612) 345-678', '@Ana', E' Ana\n García ', ' Jaén '), (2, '', null, '612 x3', ' ', ' ', null);
select * from client order by id;
insert into client (email) values ('ana@example');
insert into client ("Phone") values ('1234');
insert into client (mobile) values ('+1234');
insert into client (instagram) values ('not a name');
insert into client (city) values ('longer than it may be');
update client set email = 'BOB@EXAMPLE.COM' where id = 1 returning email, "Phone";
-- Columns that are named otherwise since, or exchanged.
alter table client rename city to town;
insert into client (email) values ('a@example.com');
alter table client rename town to city;
alter table client rename email to name2;
alter table client rename name to email;
alter table client rename name2 to name;
insert into client (id, email, name) values (3, 'EVE@EXAMPLE.COM', ' Eve ');
select email, name from client where id = 3;
alter table client alter email type bigint using null;
insert into client (email) values (8);
alter table client alter email type text using null;
-- A number with its country code can be longer than its column.
alter table client alter "Phone" type varchar(9) using null;
insert into client ("Phone") values ('612345678');
-- What is wrong with a trigger is said by the first row.
create function pg_temp.try(arguments text) returns void language plpgsql as $$
begin
  execute format('create or replace trigger normalize before insert on client for each row execute function frontdesk_internal.normalize_row(%s)', arguments);
  insert into client (id) values (4);
end $$;
select pg_temp.try('''email''');
select pg_temp.try('''nothing'', ''email''');
select pg_temp.try('''id'', ''line''');
select pg_temp.try('''email'', ''mail''');
select pg_temp.try('''email'', ''line -1''');
select pg_temp.try('''email'', ''phone Spain''');
select pg_temp.try('');
create trigger late after insert on client for each row execute function frontdesk_internal.normalize_row('email', 'email');
insert into client (id) values (5);

-- normalize_columns() makes the trigger for who may not execute its function, on tables of theirs.
create role contact_owner;
grant create on schema public to contact_owner;
set role contact_owner;
create table customers (id int primary key, email text, phone text);
select frontdesk.normalize_columns('customers', 'email', 'email', 'phone', 'phone ES');
insert into customers values (1, ' Ana@Example.com', '612 34 56 78') returning *;
update customers set phone = '612 34 56 79' returning phone;
create trigger by_hand before insert on customers for each row execute function frontdesk_internal.normalize_row('email', 'email');
select frontdesk.normalize_columns('client', 'email', 'email');
select frontdesk.normalize_columns('customers', 'email');
select frontdesk.normalize_columns('customers', 'mail', 'email');
select frontdesk.normalize_columns('customers', variadic array['email', null]);
select frontdesk.normalize_columns('customers', variadic '{}');
reset role;
drop table customers;
drop owned by contact_owner;
drop role contact_owner;
