-- Everything that the extension consists of, a line an object, as two databases are to have it alike. Partitions of a day have
-- names of their own; the order of a table's columns is that in which they came.
with member as (
  select d.classid, d.objid from pg_depend d join pg_extension x on x.oid = d.refobjid
  where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and x.extname = 'pg_frontdesk'),
relation as (
  select c.* from pg_class c join member m on m.classid = 'pg_class'::regclass and m.objid = c.oid where c.relname !~ '_\d{8}$'),
function as (
  select p.* from pg_proc p join member m on m.classid = 'pg_proc'::regclass and m.objid = p.oid)
select line from (
  select 'member ' || pg_describe_object(m.classid, m.objid, 0) from member m
  where pg_describe_object(m.classid, m.objid, 0) !~ '_\d{8}$'
  union all
  select concat_ws(' | ', 'function', p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
    p.prosecdef, p.provolatile, p.proisstrict, p.proparallel, p.procost, p.prorows, p.prolang, p.proconfig, p.probin,
    coalesce(p.prosrc, ''), pg_get_function_sqlbody(p.oid), (select array_agg(x::text order by x::text) from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) x),
    obj_description(p.oid, 'pg_proc')) from function p
  union all
  select concat_ws(' | ', 'relation', c.oid::regclass, c.relkind, c.relpersistence, c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
    c.reloptions, (select array_agg(x::text order by x::text) from unnest(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))) x),
    pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'),
    case when c.relkind = 'v' then pg_get_viewdef(c.oid) end) from relation c
  union all
  select concat_ws(' | ', 'column', c.oid::regclass || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
    a.attgenerated, pg_get_expr(e.adbin, e.adrelid), a.attacl, col_description(c.oid, a.attnum))
  from relation c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef e on e.adrelid = c.oid and e.adnum = a.attnum
  union all
  select concat_ws(' | ', 'constraint', c.oid::regclass, o.conname, pg_get_constraintdef(o.oid))
  from relation c join pg_constraint o on o.conrelid = c.oid
  union all
  select 'index ' || pg_get_indexdef(i.indexrelid) from relation c join pg_index i on i.indrelid = c.oid
  union all
  select concat_ws(' | ', 'policy', c.oid::regclass, p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  from relation c join pg_policy p on p.polrelid = c.oid
  union all
  select concat_ws(' | ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled) from relation c join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
  union all
  select concat_ws(' | ', 'event trigger', t.evtname, t.evtevent, t.evttags, t.evtenabled, t.evtfoid::regprocedure) from pg_event_trigger t
  union all
  select concat_ws(' | ', 'cast', format_type(k.castsource, null), format_type(k.casttarget, null), k.castcontext, k.castmethod)
  from pg_cast k join member m on m.classid = 'pg_cast'::regclass and m.objid = k.oid
  union all
  select concat_ws(' | ', 'type', t.oid::regtype, t.typinput, t.typoutput, t.typlen, t.typbyval, obj_description(t.oid, 'pg_type'))
  from pg_type t join member m on m.classid = 'pg_type'::regclass and m.objid = t.oid
  union all
  select concat_ws(' | ', 'dumped', config::regclass, condition) from pg_extension x, unnest(x.extconfig, x.extcondition) u (config, condition)
  where x.extname = 'pg_frontdesk'
  union all
  select concat_ws(' | ', 'schema', n.nspname, (select array_agg(x::text order by x::text) from unnest(n.nspacl) x), obj_description(n.oid, 'pg_namespace')) from pg_namespace n where n.nspname ~ '^frontdesk'
  union all
  select concat_ws(' | ', 'shipped model', m.name, m.shipped, m.tiers, m.groups,
    (select jsonb_agg(to_jsonb(r) order by r.position, r.name) from frontdesk.score_rule r where r.model = m.name)) from frontdesk.score_model m
) o (line) order by line collate "C"
