-- The index of what one may type and read: the comments of the catalog by room, with an example and who may.

create or replace function frontdesk_internal.rooms() returns table (place int, room text, about text, name text)
immutable language sql set search_path = pg_catalog, pg_temp as $rooms$
values
@rooms@
$rooms$;
comment on function frontdesk_internal.rooms is
  'internal: the room of each name of schema frontdesk, in the order of the manual';

create or replace function frontdesk.help(topic text = null)
returns table (room text, name text, what_for text, example text, granted text)
stable rows 100 language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.help is
  'what one may type and read, room by room: what it is for, an example, and to whom it is granted. topic: a room '
  '(event, endpoint ...), a part of a name, or words of what it is for; null: everything. The whole comment of a '
  'function, as psql shows it, says all of it';

create or replace function frontdesk_internal.help(topic text)
returns table (room text, name text, what_for text, example text, granted text)
stable rows 100 language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_column
declare
  word text := regexp_replace(regexp_replace(lower(topic), E'^frontdesk\\.', ''), E'\\(.*', '');
  is_room boolean := exists (select from frontdesk_internal.rooms() r where r.room = word);
begin
  return query
    with known as (
      select p.proname::text as key, p.proname || '()' as name, obj_description(p.oid, 'pg_proc') as comment,
        g.who, g.why
      from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o
      join pg_proc p on o.class = 'pg_proc'::regclass and p.oid = o.id and p.pronamespace = 'frontdesk'::regnamespace
      union all
      select c.relname::text, c.relname::text, obj_description(c.oid, 'pg_class'), g.who, g.why
      from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) o
      join pg_class c on o.class = 'pg_class'::regclass and c.oid = o.id and c.relnamespace = 'frontdesk'::regnamespace)
    select r.room, k.name, split_part(k.comment, '. ', 1), x.example,
      case min(k.who) when 'public' then 'to everybody: ' else 'by name: ' end || min(k.why)
    from known k
    join frontdesk_internal.rooms() r on r.name = k.key
    left join frontdesk_internal.examples() x on x.name = k.name
    where word is null or case when is_room then r.room = word
      else position(word in lower(k.name)) > 0 or position(word in lower(split_part(k.comment, '. ', 1))) > 0 end
    group by r.place, r.room, k.name, split_part(k.comment, '. ', 1), x.example
    order by r.place, k.name, 3;
end
$$;
comment on function frontdesk_internal.help(text) is 'internal: help()';
