-- Room 00, base: help() has a line for everything that one may type or read, with what it is for and an example that parses.
\pset format unaligned
\pset tuples_only on
select frontdesk.pause('regression test');

select name, what_for, example, granted from frontdesk.help('event');
select room, name from frontdesk.help('frontdesk.replay(bigint)');
select room, name from frontdesk.help('dead letters');
select count(*) from frontdesk.help('no such thing');

-- Nothing is left out.

select 'without a line: ' || p.oid::regprocedure from pg_proc p
where p.pronamespace = 'frontdesk'::regnamespace and not exists (
  select from frontdesk.help() h where h.name = p.proname || '()' and h.what_for = split_part(obj_description(p.oid, 'pg_proc'), '. ', 1)) order by 1;
select 'without a line: ' || c.oid::regclass from pg_class c
where c.relnamespace = 'frontdesk'::regnamespace and c.relkind in ('r', 'p', 'v') and not exists (
  select from frontdesk.help() h where h.name = c.relname) order by 1;
select 'without what it is for: ' || h.name from frontdesk.help() h where coalesce(length(h.what_for), 0) < 8 order by 1;
select 'without an example: ' || h.name from frontdesk.help() h where h.example is null or position(replace(h.name, '()', '(') in h.example) = 0 order by 1;
select 'an example of nothing: ' || x.name from frontdesk_internal.examples() x
where not exists (select from frontdesk.help() h where h.name = x.name) or (select count(*) from frontdesk_internal.examples() y where y.name = x.name) > 1 order by 1;
select count(frontdesk.check_command(h.example)) > 100 as examples_parse from frontdesk.help() h;

-- Everybody may ask, in the order of the rooms.

create role regress_reader;
set role regress_reader;
select string_agg(room, ' ' order by n) from (select room, min(ordinality) as n from frontdesk.help() with ordinality group by room) r;
reset role;
drop role regress_reader;

-- \df frontdesk.* is a manual that one can read.

select count(*) <= 160 as readable from pg_proc p where p.pronamespace = 'frontdesk'::regnamespace;
