-- Every heap and every B-tree of a database, looked at by amcheck. Prints a line for each thing that is wrong.
-- The settings are those of whoever the database belongs to; what is read must not depend on them.
set role none;
set session characteristics as transaction read write;
set search_path = pg_catalog;
set statement_timeout = '120s';
set lock_timeout = '10s';
set client_min_messages = error;
create schema if not exists amcheck_of_the_tests;
create extension if not exists amcheck schema amcheck_of_the_tests;
create temp table wrong (line text);

do $$
declare
  relation record;
begin
  for relation in
    select c.oid, c.relkind, a.amname, exists (select from pg_catalog.pg_index i where i.indexrelid = c.oid and i.indisvalid) as valid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_am a on a.oid = c.relam
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\_temp%'
      and n.nspname not like 'pg\_toast\_temp%' and c.relpersistence = 'p' and c.relkind in ('r', 'm', 't', 'i')
  loop
    begin
      if relation.relkind <> 'i' then
        insert into wrong
        select format('%s: block %s, item %s, column %s: %s', relation.oid::pg_catalog.regclass, blkno, offnum, attnum, msg)
        from amcheck_of_the_tests.verify_heapam(relation.oid::pg_catalog.regclass, check_toast => true);
      elsif relation.amname = 'btree' and relation.valid then
        perform amcheck_of_the_tests.bt_index_check(relation.oid::pg_catalog.regclass, heapallindexed => true);
      end if;
    exception
      -- Dropped meanwhile, or held by a test: nothing is known of it then, which is no finding.
      when undefined_table or undefined_object or lock_not_available or deadlock_detected then null;
      when others then
        -- Of what was dropped between the two, a partition of a log, PostgreSQL says so as an internal error.
        insert into wrong
        select format('%s: %s: %s', relation.oid::pg_catalog.regclass, sqlstate, sqlerrm)
        where exists (select from pg_catalog.pg_class c where c.oid = relation.oid);
    end;
  end loop;
end $$;

select line from wrong;
