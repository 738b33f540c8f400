-- Room 90, upkeep: partitions made ahead, retention.

create or replace function frontdesk_internal.revoke_from_others(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  grantee text;
begin
  for grantee in
    select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    from pg_class c, aclexplode(c.relacl) a where c.oid = relation and a.grantee <> c.relowner
  loop
    execute format('revoke all on table %s from %s cascade', relation, grantee);
  end loop;
  -- Without a policy, so that pg_write_all_data does not write it either.
  execute format('alter table %s enable row level security', relation);
end
$$;
comment on function frontdesk_internal.revoke_from_others(regclass) is 'internal: this relation is for its owner alone';

create or replace function frontdesk_internal.dropped_relations() returns oid[]
stable language sql set search_path = pg_catalog, pg_temp as $$
  select array_agg(distinct l.oid order by l.oid) from (
    select c.oid from pg_extension x join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = x.oid and d.deptype = 'e'
    join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relkind in ('r', 'p')
    where x.extname = 'pg_frontdesk'
    union all
    select t.tgrelid from pg_extension x join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = x.oid and d.deptype = 'e'
    join pg_trigger t on d.classid = 'pg_proc'::regclass and t.tgfoid = d.objid
    where x.extname = 'pg_frontdesk') l
$$;
comment on function frontdesk_internal.dropped_relations is
  'internal: what DROP EXTENSION locks: the tables of the extension, and those with triggers of it';

create or replace function frontdesk_internal.give_identity() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  r regclass;
begin
  for r in
    select c.oid from pg_depend d join pg_extension x on x.oid = d.refobjid and x.extname = 'pg_frontdesk'
    join pg_class c on c.oid = d.objid
    where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and d.classid = 'pg_class'::regclass
      and c.relkind in ('r', 'p') and c.relpersistence = 'p' and c.relreplident = 'd'
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
  loop
    execute format('alter table %s replica identity full', r);
  end loop;
end
$$;
comment on function frontdesk_internal.give_identity is
  'internal: a table without a primary key has its whole rows as replica identity: where all tables are published, '
  'its rows can be changed and deleted all the same';

create or replace function frontdesk_internal.log_table(log text) returns regclass
stable language sql set search_path = pg_catalog, pg_temp as $$
  select case log when 'event' then 'frontdesk.event' else 'frontdesk_internal.' || log end::regclass
$$;
comment on function frontdesk_internal.log_table is 'internal: the table of this log';

create or replace function frontdesk_internal.make_partition(parent text, day date) returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
  if to_regclass('frontdesk_internal.' || partition) is not null then
    return false;
  end if;
  execute format('create table frontdesk_internal.%I partition of %s for values from (%L) to (%L)', partition,
    frontdesk_internal.log_table(parent), day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  -- Default privileges of the role that makes it are not meant for the log.
  perform frontdesk_internal.revoke_from_others(format('frontdesk_internal.%I', partition)::regclass);
  -- A member, so that pg_dump leaves the log alone and DROP EXTENSION takes it along.
  if not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = ('frontdesk_internal.' || partition)::regclass and deptype = 'e') then
    execute format('alter extension pg_frontdesk add table frontdesk_internal.%I', partition);
  end if;
  execute format('alter table frontdesk_internal.%I replica identity full', partition);
  return true;
exception when check_violation then
  -- The default partition has rows of that day already: they stay there.
  return false;
end
$$;
comment on function frontdesk_internal.make_partition is
  'internal: the partition of a UTC day; false when it is there or its rows are in the default partition';

create or replace function frontdesk_internal.expired_partitions(parent text, keep interval) returns setof name
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = frontdesk_internal.log_table(parent) and c.relname ~ E'_\\d{8}$'
    and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' <= frontdesk.now() - keep
  order by c.relname
$$;
comment on function frontdesk_internal.expired_partitions is 'internal: the days that are wholly older than this';

create or replace function frontdesk_internal.kept(parent text) returns interval
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select current_setting(case parent when 'event' then 'frontdesk.event_retention'
    when 'attempt_success' then 'frontdesk.success_retention' when 'attempt_failure' then 'frontdesk.failure_retention'
    when 'job_run_success' then 'frontdesk.job_retention' else 'frontdesk.job_failure_retention' end)::interval
$$;
comment on function frontdesk_internal.kept(text) is 'internal: how long the rows of this log are kept';

create or replace function frontdesk_internal.maintain_step() returns boolean
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set lock_timeout = '100ms' as $$
declare
  -- In the order in which a reader of the log locks them.
  logs text[] := '{event,attempt_failure,attempt_success,job_run_failure,job_run_success}';
  today date := (frontdesk.now() at time zone 'UTC')::date;
  log text;
  partition name;
begin
  foreach log in array logs loop
    for day in 0 .. 7 loop
      if frontdesk_internal.make_partition(log, today + day) then
        return true;
      end if;
    end loop;
    for partition in select frontdesk_internal.expired_partitions(log, frontdesk_internal.kept(log)) limit 1 loop
      execute format('alter extension pg_frontdesk drop table frontdesk_internal.%I', partition);
      execute format('drop table frontdesk_internal.%I', partition);
      return true;
    end loop;
  end loop;
  return false;
exception when lock_not_available then
  return null;
end
$$;
comment on function frontdesk_internal.maintain_step is
  'internal: make one partition of the coming week or drop one that is past its retention; false when there is none, '
  'null when somebody reads the log just now';

create or replace function frontdesk_internal.maintain_rest() returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  today date := (frontdesk.now() at time zone 'UTC')::date;
  oldest timestamptz := frontdesk.now() - frontdesk_internal.kept('event');
  late text;
begin
  -- Whoever loses events by retention is named a day before.
  select string_agg(e.name, ', ') into late
  from frontdesk_internal.cursor c join frontdesk_internal.endpoint e on e.id = c.endpoint_id
  where c.since > '-infinity' and c.since < oldest + interval '1 day';
  if late is not null then
    raise warning 'endpoints % have events that are about to leave the log unsent (frontdesk.event_retention)', late;
  end if;
  delete from frontdesk_internal.event_default e where e.created_at < oldest;
  delete from frontdesk_internal.attempt_success_default a where a.started_at < frontdesk.now() - frontdesk_internal.kept('attempt_success');
  delete from frontdesk_internal.attempt_failure_default a where a.started_at < frontdesk.now() - frontdesk_internal.kept('attempt_failure');
  delete from frontdesk_internal.job_run_success_default r where r.started_at < frontdesk.now() - frontdesk_internal.kept('job_run_success');
  delete from frontdesk_internal.job_run_failure_default r where r.started_at < frontdesk.now() - frontdesk_internal.kept('job_run_failure');
  delete from frontdesk_internal.job j where j.run_at < frontdesk.now() - frontdesk_internal.kept('job_run_failure') and not j.active;
  delete from frontdesk_internal.retry r where r.event_at < oldest - interval '1 day';
  delete from frontdesk_internal.dead_letter d where d.event_at < oldest - interval '1 day';
  delete from frontdesk_internal.endpoint_secret s where s.expires_at < frontdesk.now();
  perform frontdesk_internal.forget_receipts();
  perform brin_summarize_new_values(i.indexrelid::regclass)
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
  join pg_inherits h on h.inhrelid = i.indrelid
  where a.amname = 'brin' and h.inhparent = 'frontdesk.event'::regclass
    and i.indrelid::regclass::text ~ (to_char(today, 'YYYYMMDD') || '|' || to_char(today - 1, 'YYYYMMDD') || '|default');
end
$$;
comment on function frontdesk_internal.maintain_rest is
  'internal: what is past its retention outside the daily partitions, and the index by id';

create or replace function frontdesk.maintain() returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  steps bigint := 0;
  more boolean;
begin
  loop
    more := frontdesk_internal.maintain_step();
    exit when more is not true;
    steps := steps + 1;
  end loop;
  perform frontdesk_internal.maintain_rest();
  return format('%s partitions made or dropped%s', steps, case when more is null then '; somebody reads the log, call again later' else '' end);
end
$$;
comment on function frontdesk.maintain is
  'make the partitions of the coming week, drop those past frontdesk.event_retention, success_retention and '
  'failure_retention. The engine does it every six hours';

do $$
begin
  perform frontdesk_internal.make_partition(p, (pg_catalog.now() at time zone 'UTC')::date + d)
  from unnest('{event,attempt_success,attempt_failure,job_run_success,job_run_failure}'::text[]) p, generate_series(0, 7) d;
  perform frontdesk_internal.give_identity();
end
$$;
