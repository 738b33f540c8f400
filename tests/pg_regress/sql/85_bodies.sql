-- Every body is one that PostgreSQL takes: installing does not check them, which would be a third of its time.
\set SHOW_CONTEXT never
set client_min_messages = error;
select frontdesk.install_crm() ~ '^crm .* installed$' as installed;
set check_function_bodies = on;
create temp table refused (function regprocedure, why text);
do $$
declare
  f record;
begin
  for f in
    select p.oid, l.lanname from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace::regnamespace::text in ('frontdesk', 'frontdesk_internal', 'crm') and l.lanname in ('sql', 'plpgsql')
  loop
    begin
      if f.lanname = 'sql' then
        perform fmgr_sql_validator(f.oid);
      else
        perform plpgsql_validator(f.oid);
      end if;
    exception when others then
      insert into refused values (f.oid, sqlerrm);
    end;
  end loop;
end
$$;
select * from refused order by function::text;
