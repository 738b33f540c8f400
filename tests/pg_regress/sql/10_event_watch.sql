-- Room 10, event: what frontdesk.watch() records of a table's rows, and what each of its parameters does.
\set SHOW_CONTEXT never
create view log as
select type, op, source, key, record, old_record from frontdesk.event order by id;

-- A table is watched by its name. Every row change is an event, in the same transaction.

create table leads (id int primary key, name text, email text, score int);
select frontdesk.watch('leads');
insert into leads values (1, 'Ada', 'ada@example.com', 10);
update leads set score = 20 where id = 1;
delete from leads where id = 1;
select * from log;

-- Several rows of one statement are several events, in the order in which they changed.

insert into leads select i, 'lead ' || i from generate_series(1, 3) i;
select type, key from log offset 3;

-- What is rolled back never happened.

begin;
insert into leads values (9, 'Nobody');
rollback;
select count(*) as of_nobody from log where key = '9';

-- The event knows who and in which transaction.

set frontdesk.user_id = 'user-17';
begin;
insert into leads values (4, 'Grace');
select e.actor = session_user as actor_is_session_user, e.user_id, e.xid = pg_current_xact_id() as xid_is_ours,
  e.created_at between pg_catalog.now() and clock_timestamp() as created_in_this_transaction, e.depth, e.tenant, e.target
from frontdesk.event e where key = '4';
commit;
reset frontdesk.user_id;

-- An update that changes nothing is still an update, as for every other trigger.

update leads set name = name where id = 4;
select type, record = old_record as same from log where key = '4' and op = 'U';

-- watch() again replaces the watch; the view frontdesk.watch shows it.

truncate frontdesk.event;
select frontdesk.watch('leads', entity => 'crm.lead', operations => '{insert,truncate}');
select * from frontdesk.watch;
insert into leads values (5, 'Edsger');
update leads set score = 1 where id = 5;
delete from leads where id = 5;
truncate leads;
select type, op, source, key, record from log;

-- Only deletes: a TRUNCATE deletes every row, so it is recorded with them.

truncate frontdesk.event;
select frontdesk.watch('leads', operations => '{delete}');
insert into leads values (6, 'Barbara');
delete from leads;
truncate leads;
select type, op, key from log;

select frontdesk.watch('leads', operations => '{truncate}');
insert into leads values (7, 'Alan');
truncate leads;
select type, op, key from log offset 2;

-- unwatch() says whether there was a watch.

select frontdesk.unwatch('leads');
select frontdesk.unwatch('leads');
select count(*) from frontdesk.watch;
insert into leads values (8, 'Kurt');
select count(*) from log where key = '8';

-- state_column: an update that moves a row into another state is an event named after it.

create table bookings (id int primary key, status text, note text);
select frontdesk.watch('bookings', entity => 'booking.flights', state_column => 'status');
truncate frontdesk.event;
insert into bookings values (1, 'requested');
update bookings set status = 'booked';
update bookings set note = 'window seat';
update bookings set status = 'booked';
update bookings set status = 'In review: 2nd';
update bookings set status = '';
update bookings set status = null;
update bookings set status = 'deleted';
delete from bookings;
select type, old_record->'status' as before, record->'status' as after from log;

-- An enum or a boolean is a state as well.

create type stage as enum ('new', 'won');
create table deals (id int primary key, stage stage, paid boolean);
select frontdesk.watch('deals', entity => 'deal', state_column => 'stage');
truncate frontdesk.event;
insert into deals values (1, 'new', false);
update deals set stage = 'won';
select frontdesk.watch('deals', entity => 'deal', state_column => 'paid');
update deals set paid = true;
select type from log;

-- columns: an update that changes none of them is no event; inserts and deletes always are.

create table contacts (id int primary key, name text, tags text[], seen_at timestamptz);
select frontdesk.watch('contacts', entity => 'contact', columns => '{name,tags}');
truncate frontdesk.event;
insert into contacts values (1, 'Ada', '{a}');
update contacts set seen_at = '2026-01-01';
update contacts set name = 'Ada', tags = '{a}';
update contacts set name = 'Ada L.';
update contacts set tags = null;
update contacts set tags = null, seen_at = '2026-01-02';
delete from contacts;
select type, record->>'name' as name, record->'tags' as tags from log;

-- condition: a filter over {"op", "new", "old"}. An insert has no old, a delete no new.

create table orders (id int primary key, amount numeric, vip boolean default false);
select frontdesk.watch('orders', entity => 'order', condition => '{"new.amount": {"$gte": 100}}');
truncate frontdesk.event;
insert into orders values (1, 99.99), (2, 100), (3, null), (4, 1e6);
update orders set amount = amount + 1;
delete from orders;
select type, key, record->'amount' as amount from log;

select frontdesk.watch('orders', condition =>
  '{"$or": [{"op": "delete", "old.vip": true}, {"op": "update", "new.vip": true, "old.vip": {"$ne": true}}]}');
truncate frontdesk.event;
insert into orders values (1, 1), (2, 2);
update orders set vip = true where id = 1;
update orders set amount = 3 where id = 1;
delete from orders;
select type, key from log;

-- redact: columns that are left out of the record, old and new. A condition still sees them.

create table users (id int primary key, login text, password text, pin text);
select frontdesk.watch('users', entity => 'user', redact => '{password,pin}', condition => '{"new.pin": {"$ne": "0000"}}');
truncate frontdesk.event;
insert into users values (1, 'ada', 'hunter2', '1234'), (2, 'test', 'hunter2', '0000');
update users set password = 'hunter3';
delete from users;
select type, key, record, old_record from log;

-- A redacted key still identifies the row: it is the key of the event, and no longer in its record.

select frontdesk.watch('users', entity => 'user', redact => '{id}');
truncate frontdesk.event;
insert into users values (3, 'key');
select key, record from log;

-- key_columns: by default the primary key; several columns are a JSON array; none is null, and so is a key with a null in it.

create table seats (flight text, "row" int, seat char(1), holder text, primary key (flight, "row", seat));
create table notes (body text);
create table slugs (id int, slug text);
select frontdesk.watch('seats'), frontdesk.watch('notes'), frontdesk.watch('slugs', key_columns => '{slug}');
truncate frontdesk.event;
insert into seats values ('LH "1"', 12, 'A', 'Ada');
insert into notes values ('keyless');
update notes set body = body || '!';
insert into slugs values (1, 'first'), (2, null);
select frontdesk.watch('slugs', key_columns => '{slug,id}');
insert into slugs values (3, 'third'), (4, null);
update slugs set slug = 'changed' where id = 3;
delete from slugs where id = 3;
select type, key, record from log;
select source, key_columns from frontdesk.watch where source in ('seats'::regclass, 'notes', 'slugs') order by source::text;

-- tenant_column: a uuid that says whose row it is.

create table invoices (id int primary key, org uuid);
select frontdesk.watch('invoices', entity => 'invoice', tenant_column => 'org');
truncate frontdesk.event;
insert into invoices values (1, '0190a0b0-0000-7000-8000-000000000001'), (2, null);
update invoices set org = '0190a0b0-0000-7000-8000-000000000002' where id = 1;
select type, tenant from frontdesk.event order by id;

-- emit(): an event of one's own.

truncate frontdesk.event;
select frontdesk.emit('trip.collaborator.added', '{"trip": 7, "who": "ada"}') > 0 as id;
select frontdesk.emit('chat.message', '"a string is JSON too"', key => 'session-1', tenant => '0190a0b0-0000-7000-8000-000000000001') > 0 as id;
select frontdesk.emit('bare') > 0 as id;
select frontdesk.emit('nothing', null) > 0 as id;
select type, op, source, key, tenant, record from frontdesk.event order by id;

-- Depth: what an automation does carries how many led to it.

begin;
set local frontdesk.depth = 9;
select frontdesk.emit('deep') > 0 as id;
commit;
select type, depth from frontdesk.event where type = 'deep';

-- The entity defaults to the table's name, made into a valid event type.

create table "Größe & Co" (id int);
select frontdesk.watch('"Größe & Co"');
select source, entity, operations from frontdesk.watch where entity like 'gr%';
