-- How privileges become those of sql/grants.sql.

-- What an object of the list is in this database; null where there is none.
create or replace function frontdesk_internal.granted_object(object text, out class oid, out id oid)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if object like '%(%' then
    class := 'pg_proc'::regclass;
    id := to_regprocedure(object);
  else
    class := 'pg_class'::regclass;
    id := to_regclass(object);
  end if;
end
$$;
comment on function frontdesk_internal.granted_object(text) is 'internal: the object of a line of grants()';

create or replace function frontdesk_internal.apply_grants() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What other roles hold at the installation comes from default privileges, which nobody meant for these objects. Later,
  -- what an administrator granted on a verb or a view of the class "owner" or "public" is kept.
  installing boolean := (select bool_and(i.installed_at = now()) from frontdesk_internal.installation i);
  o record;
  grantee regrole;
begin
  for o in select * from frontdesk_internal.granted loop
    if o.who <> 'public' and exists (select from aclexplode(o.acl) a where a.grantee = 0) then
      execute format('revoke all on %s %s from public cascade', o.kind, o.name);
    elsif o.who = 'public' and exists (select from aclexplode(o.acl) a where a.grantee = 0 and lower(a.privilege_type) <> o.privilege) then
      execute format('revoke all on %s %s from public cascade', o.kind, o.name);
      execute format('grant %s on %s %s to public', o.privilege, o.kind, o.name);
    elsif o.who = 'public' and not exists (select from aclexplode(o.acl) a where a.grantee = 0) then
      execute format('grant %s on %s %s to public', o.privilege, o.kind, o.name);
    end if;
    for grantee in
      select distinct a.grantee from aclexplode(o.acl) a
      where a.grantee not in (0, o.owner) and (installing or o.who = 'nobody' or exists (
        select from pg_init_privs i, aclexplode(i.initprivs) b
        where i.objoid = o.id and i.classoid = o.class and i.objsubid = 0 and b.grantee = a.grantee))
    loop
      execute format('revoke all on %s %s from %s cascade', o.kind, o.name, grantee);
    end loop;
  end loop;
  -- Who may write all data of a database by a role of PostgreSQL's could otherwise become whoever a job runs as. Without a
  -- policy the rows are there for the owner alone.
  for o in
    select g.name from frontdesk_internal.granted g join pg_class c on c.oid = g.id
    where g.class = 'pg_class'::regclass and g.who = 'nobody' and c.relkind in ('r', 'p') and not c.relrowsecurity
  loop
    execute format('alter table %s enable row level security', o.name);
  end loop;
  -- Whom an administrator lets read the log reads it; nobody else writes it.
  if not (select c.relrowsecurity from pg_class c where c.oid = 'frontdesk.event'::regclass) then
    alter table frontdesk.event enable row level security;
    create policy read on frontdesk.event for select using (true);
  end if;
  for o in
    select n.nspname, a.grantee from pg_namespace n, aclexplode(n.nspacl) a
    where n.nspname in ('frontdesk', 'frontdesk_internal') and a.grantee <> n.nspowner
      and (installing or a.grantee = 0 or n.nspname = 'frontdesk_internal')
  loop
    execute format('revoke all on schema %I from %s cascade', o.nspname,
      case o.grantee when 0 then 'public' else o.grantee::regrole::text end);
  end loop;
  -- Verbs that run as their caller name what they call in the second; all else there is nobody's.
  grant usage on schema frontdesk, frontdesk_internal to public;
end
$$;
comment on function frontdesk_internal.apply_grants is
  'internal: at installation and upgrade, privileges become those of grants(): what default privileges of others '
  'brought is taken back';
