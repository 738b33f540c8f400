-- Room 65, embedder: which columns are embedded. What touches a table runs as its owner, who is the only one to evaluate its
-- condition; what touches ours is behind a door (see 65_embedder_door.sql).

create or replace function frontdesk_internal.embed_column(source regclass, col name, title text, wanted text) returns text
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  a pg_attribute;
  kind text;
begin
  select * into a from pg_attribute x where x.attrelid = source and x.attname = col and x.attnum > 0 and not x.attisdropped;
  if not found then
    raise exception using errcode = 'undefined_column', message = format('%s has no column "%s"', source, col),
      detail = format('It is given as %s.', title);
  end if;
  select case when t.typname in ('vector', 'halfvec') and e.extname = 'vector' then t.typname::text
      when t.typcategory = 'S' then 'text' end into kind
  from pg_type t left join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
  left join pg_extension e on e.oid = d.refobjid
  where t.oid = a.atttypid;
  if kind is null or (wanted = 'text') <> (kind = 'text') then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s is of type %s', col, source, format_type(a.atttypid, a.atttypmod)),
      hint = case wanted when 'text' then 'A text is embedded: give a column of type text or varchar.'
        else 'An embedding is kept in a column of type vector or halfvec.' end;
  end if;
  return kind;
end
$$;
comment on function frontdesk_internal.embed_column is
  'internal: text, vector or halfvec; an error when the column is not there or of another kind';

create or replace function frontdesk_internal.embed_reset() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_when <> 'BEFORE' or tg_level <> 'ROW' or tg_op <> 'UPDATE' or tg_nargs <> 1 then
    raise exception using errcode = 'trigger_protocol_violated',
      message = 'embed_reset() is the trigger of embed_table()';
  end if;
  return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], null));
end
$$;
comment on function frontdesk_internal.embed_reset() is 'trigger: made by embed_table(): what changed has no embedding any more';

create or replace function frontdesk_internal.embed_wake() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  perform frontdesk_internal.embed_run(s.id)
  from frontdesk_internal.embed_source s join frontdesk_internal.embedder e on e.id = s.embedder_id left join frontdesk_internal.embedder_state t on t.embedder_id = e.id
  -- A partition's row belongs to the table at the top.
  where s.source in (tg_relid, coalesce(pg_partition_root(tg_relid), tg_relid)) and s.embedding_column = tg_argv[0]
    and e.active and (t.next_try_at is null or t.next_try_at <= clock_timestamp());
  return null;
end
$$;
comment on function frontdesk_internal.embed_wake() is 'trigger: made by embed_table(): what came is embedded soon after commit';

create or replace function frontdesk_internal.embed_run(source_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  job bigint := (select s.job_id from frontdesk_internal.embed_source s where s.id = source_id);
  waits timestamptz;
begin
  -- One that waits will see what is committed until it begins. The engine has heard of it, unless a prepared transaction asked.
  waits := (select min(r.started_at) from frontdesk_internal.job_run r
    where r.job_id = job and r.status = 'waiting' and r.message = 'there are rows to embed');
  if waits is not null then
    perform frontdesk_internal.jobs_changed() where waits < frontdesk.now() - interval '10 seconds';
    return;
  end if;
  insert into frontdesk_internal.job_run (job_id, job_name, owner, command, status, scheduled_at, started_at, message)
  select j.id, j.name, j.owner, j.command, 'waiting', frontdesk.now(), frontdesk.now(), 'there are rows to embed'
  from frontdesk_internal.job j where j.id = job and j.active;
  if found then
    perform frontdesk_internal.jobs_changed();
  end if;
end
$$;
comment on function frontdesk_internal.embed_run is 'internal: the job of this declaration runs when this transaction commits';

create or replace function frontdesk_internal.embed_where(alias text, s frontdesk_internal.embed_source) returns text
immutable language sql set search_path = pg_catalog, pg_temp as $$
  select format(E'%1$s.%2$I is null and %1$s.%3$I is not null and btrim(%1$s.%3$I::text, E\' \\t\\r\\n\') <> \'\' and (%4$s\n)',
    alias, s.embedding_column, s.content_column, s.condition)
$$;
comment on function frontdesk_internal.embed_where is 'internal: the SQL condition of the rows that wait for their vector';

create or replace function frontdesk_internal.embed_mine(source_id bigint) returns frontdesk_internal.embed_source
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source;
begin
  select * into s from frontdesk_internal.embed_own o where o.id = source_id;
  -- Its condition is SQL: nobody runs another's as themselves, and a superuser least of all.
  if found and s.owner::oid <> (select r.oid from pg_roles r where r.rolname = current_user) then
    raise exception using errcode = 'insufficient_privilege',
      message = format('the embeddings of %s belong to %s', s.source_name, s.owner),
      hint = format('set role %s;', s.owner);
  end if;
  return s;
end
$$;
comment on function frontdesk_internal.embed_mine is
  'internal: a declaration of the role that asks, null when it is gone, an error when it is another''s';

create or replace function frontdesk.embed_table(
  source regclass, content_column name, embedding_column name, embedder text = null, condition text = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, @extschema:vector@, pg_temp as $$
#variable_conflict use_variable
declare
  this bigint := frontdesk_internal.embedder_id(embedder);
  wanted int := frontdesk_internal.embedder_dimensions(this);
  has int;
  prefix text;
  waiting bigint;
begin
  if source is null or content_column is null or embedding_column is null then
    raise exception using errcode = 'null_value_not_allowed',
      message = 'source, content_column and embedding_column must not be null';
  end if;
  perform frontdesk_internal.watch_source(source);
  perform frontdesk_internal.embed_column(source, content_column, 'content_column', 'text');
  perform frontdesk_internal.embed_column(source, embedding_column, 'embedding_column', 'vector');
  select a.atttypmod into has from pg_attribute a where a.attrelid = source and a.attname = embedding_column;
  if has > 0 and has <> wanted then
    raise exception using errcode = 'datatype_mismatch',
      message = format('column "%s" of %s has %s dimensions, the embedder returns %s', embedding_column, source, has, wanted),
      hint = 'Change the column''s type, or use an embedder that fits.';
  end if;
  condition := coalesce(nullif(btrim(condition), ''), 'true');
  begin
    -- A loop takes one query and no more; the line's end ends a comment.
    for has in execute format(E'select 1 from %s t where (%s\n) limit 0', source, condition) loop
    end loop;
  exception when others then
    raise exception using errcode = sqlstate, message = format('condition: %s', sqlerrm),
      hint = format('SQL about the columns of %s, such as: language = ''en''.', source);
  end;
  -- Rows that change from here on wait for this transaction, so that none is missed.
  execute format('lock table %s in share row exclusive mode', source);
  select left(c.relname, 40) || '_' || left(embedding_column, 12) into prefix from pg_class c where c.oid = source;
  execute format('create index if not exists %I on %s ((0)) where %I is null', prefix || '_pending', source, embedding_column);
  execute format('create index if not exists %I on %s (hashtextextended(%I::text, 0)) where %I is not null', prefix || '_known', source,
    content_column, embedding_column);
  this := frontdesk_internal.embed_declare(source, content_column, embedding_column, this, condition);
  execute format(E'select count(*) from (select hashtextextended(t.%1$I::text, 0) as hash from %2$s t
    where t.%3$I is null and t.%1$I is not null and btrim(t.%1$I::text, E\' \\t\\r\\n\') <> \'\' and (%4$s\n)) r
    where not exists (select from frontdesk_internal.embed_refused f where f.source_id = $1 and f.content_hash = r.hash)',
    content_column, source, embedding_column, condition)
  into waiting using this;
  perform frontdesk_internal.embed_note(this, waiting, 0);
  return waiting;
end
$$;
comment on function frontdesk.embed_table is
  'from now on each row''s text is embedded: rows whose embedding is null and that satisfy the condition (SQL about '
  'the row) get their vector soon after commit, and again when the text changes. Returns how many rows wait. Makes '
  'two small indexes and three triggers on the table, and a job that runs as the table''s owner, whom the caller must '
  'be or be a member of. The same text is not embedded twice. Several embedders may share a column, each with its '
  'condition. Not granted to PUBLIC, because embedding costs';

create or replace function frontdesk_internal.embedder_dimensions(embedder bigint) returns int
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.dimensions from frontdesk_internal.embedder e where e.id = embedder
$$;
comment on function frontdesk_internal.embedder_dimensions(bigint) is 'internal: how many numbers its vectors have';

create or replace function frontdesk_internal.may_embed() returns boolean
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select has_function_privilege(frontdesk_internal.caller(), 'frontdesk.embed_table(regclass,name,name,text,text)', 'execute')
    or has_function_privilege(frontdesk_internal.caller(), 'frontdesk.embed(text,text)', 'execute')
$$;
comment on function frontdesk_internal.may_embed is
  'internal: whether the caller of the running verb may have texts embedded, and so know with what';

create or replace function frontdesk.find_embedder(embedder text = null, out name text, out model text, out dimensions int)
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.find_embedder is
  'the name of an embedder (null: of the only one there is), what it calls its model, and how many numbers its vectors '
  'have; null for roles that may not embed';
create or replace function frontdesk_internal.find_embedder(embedder text, out name text, out model text, out dimensions int)
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if frontdesk_internal.may_embed() then
    select e.name, e.model, e.dimensions into find_embedder.name, find_embedder.model, find_embedder.dimensions
    from frontdesk_internal.embedder e where e.id = frontdesk_internal.embedder_id(embedder);
  end if;
end
$$;
comment on function frontdesk_internal.find_embedder(text) is 'internal: find_embedder()';

create or replace function frontdesk.embedder_of(model text, dimensions int) returns text
stable language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.embedder_of is
  'an embedder with this model and number of dimensions, for roles that may embed; null when there is none';
create or replace function frontdesk_internal.embedder_of(model text, dimensions int) returns text
stable language sql set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name from frontdesk_internal.embedder e
  where e.model = embedder_of.model and e.dimensions = embedder_of.dimensions and e.active and frontdesk_internal.may_embed() order by e.id limit 1
$$;
comment on function frontdesk_internal.embedder_of(text, int) is 'internal: embedder_of()';

create or replace function frontdesk_internal.embed_rows(source_id bigint, failed boolean = false) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_mine(source_id);
  result bigint;
begin
  if s.id is null then
    return null;
  end if;
  execute format('select count(*) from (select hashtextextended(t.%I::text, 0) as hash from %s t where %s) r
    where $2 = exists (select from frontdesk_internal.embed_refused f where f.source_id = $1 and f.content_hash = r.hash)',
    s.content_column, s.source, frontdesk_internal.embed_where('t', s))
  into result using s.id, failed;
  return result;
end
$$;
comment on function frontdesk_internal.embed_rows is
  'internal: how many rows wait for their vector, or were refused one, of a table of one''s own';

create or replace function frontdesk_internal.embed_count(source_id bigint, failed boolean = false) returns bigint
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source;
begin
  select * into s from frontdesk_internal.embed_own o where o.id = source_id;
  if s.owner::oid <> (select r.oid from pg_roles r where r.rolname = current_user) then
    return case when failed then s.failed else s.pending end;
  end if;
  return frontdesk_internal.embed_rows(source_id, failed);
exception when others then
  -- The table is gone, or no longer what it was: its job says so.
  return null;
end
$$;
comment on function frontdesk_internal.embed_count is
  'internal: how many rows wait for their vector, or were refused one: counted now for the table''s owner, for others '
  'as the job counted them last';

create or replace function frontdesk_internal.embed_counted(source_id bigint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  if (frontdesk_internal.embed_mine(source_id)).id is not null then
    perform frontdesk_internal.embed_note(source_id, frontdesk_internal.embed_count(source_id), frontdesk_internal.embed_count(source_id, true));
  end if;
end
$$;
comment on function frontdesk_internal.embed_counted(bigint) is 'job: count what waits, for those who may not';

create or replace function frontdesk.unembed_table(source regclass, embedding_column name = null, embedder text = null) returns int
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp set client_min_messages = warning as $$
#variable_conflict use_variable
declare
  s record;
  removed int := 0;
  prefix text := (select left(c.relname, 40) from pg_class c where c.oid = source);
  schema text := (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source);
begin
  for s in select * from frontdesk_internal.embed_own o where o.source = source
    and (embedding_column is null or o.embedding_column = embedding_column)
    and (embedder is null or o.embedder_id = frontdesk_internal.embedder_id(embedder))
  loop
    perform frontdesk_internal.embed_remove(s.id);
    removed := removed + 1;
    if not exists (select from frontdesk_internal.embed_own o where o.source = source and o.embedding_column = s.embedding_column) then
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_reset_' || left(s.embedding_column, 40), source);
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_insert_' || left(s.embedding_column, 39), source);
      execute format('drop trigger if exists %I on %s', 'frontdesk_embed_update_' || left(s.embedding_column, 39), source);
      execute format('drop index if exists %I.%I', schema, prefix || '_' || left(s.embedding_column, 12) || '_pending');
      execute format('drop index if exists %I.%I', schema, prefix || '_' || left(s.embedding_column, 12) || '_known');
    end if;
  end loop;
  return removed;
end
$$;
comment on function frontdesk.unembed_table is
  'stop embedding this table (this column, by this embedder; null: any); returns how many declarations were removed. '
  'Vectors stay';

create or replace function frontdesk.retry_embedding(source regclass, embedding_column name = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  result bigint := 0;
  s record;
begin
  for s in select o.id from frontdesk_internal.embed_own o
    where o.source = source and (embedding_column is null or o.embedding_column = embedding_column)
  loop
    result := result + frontdesk_internal.embed_forget(s.id, null);
    perform frontdesk_internal.embed_start(s.id, false);
  end loop;
  return result;
end
$$;
comment on function frontdesk.retry_embedding is
  'try what the embedder refused once more; returns how many contents those are';

create or replace function frontdesk.embed_again(source regclass, embedding_column name = null, embedder text = null) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  s record;
  result bigint := 0;
begin
  for s in select * from frontdesk_internal.embed_own o where o.source = source
    and (embedding_column is null or o.embedding_column = embedding_column)
    and (embedder is null or o.embedder_id = frontdesk_internal.embedder_id(embedder))
  loop
    if s.owner::oid = (select r.oid from pg_roles r where r.rolname = current_user) then
      result := result + frontdesk_internal.embed_clear(s.id);
      perform frontdesk_internal.embed_start(s.id, false);
    else
      -- The condition is another's SQL: their job does it.
      perform frontdesk_internal.embed_start(s.id, true);
      result := null;
    end if;
  end loop;
  return result;
end
$$;
comment on function frontdesk.embed_again is
  'forget the vectors of a table and compute them again, after the model was changed. Returns how many; null where '
  'the job of the table''s owner, another role, does that. Until then search finds less';

create or replace function frontdesk_internal.embed_clear(source_id bigint) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_mine(source_id);
  result bigint;
begin
  if s.id is null then
    return null;
  end if;
  execute format('update %s t set %2$I = null where t.%2$I is not null and t.%3$I is not null and (%4$s' || E'\n)', s.source, s.embedding_column,
    s.content_column, s.condition);
  get diagnostics result = row_count;
  perform frontdesk_internal.embed_forget(s.id, null);
  return result;
end
$$;
comment on function frontdesk_internal.embed_clear is
  'internal: the vectors of a declaration of one''s own go, and what was refused';

create or replace function frontdesk_internal.embedder_name(embedder bigint) returns text
stable language sql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
  select e.name from frontdesk_internal.embedder e where e.id = embedder
$$;
comment on function frontdesk_internal.embedder_name(bigint) is 'internal: its name';

create or replace function frontdesk.embed_failures(source regclass)
returns table (embedding_column name, ctid tid, content text, reason text, failed_at timestamptz)
language plpgsql stable set search_path = pg_catalog, frontdesk, pg_temp set enable_seqscan = off as $$
#variable_conflict use_variable
declare
  s frontdesk_internal.embed_source;
  o record;
begin
  for o in select e.id from frontdesk_internal.embed_own e where e.source = source order by e.id loop
    s := frontdesk_internal.embed_mine(o.id);
    return query execute format('select %L::name, r.place, r.content, f.reason, f.failed_at
      from (select t.ctid as place, t.%I::text as content from %s t where %s) r
      join frontdesk_internal.embed_refused f on f.source_id = $1 and f.content_hash = hashtextextended(r.content, 0) order by f.failed_at',
      s.embedding_column, s.content_column, source, frontdesk_internal.embed_where('t', s)) using s.id;
  end loop;
end
$$;
comment on function frontdesk.embed_failures is
  'the rows that the embedder refuses, and its reason. Find one by: select * from ... where ctid = ...; change its '
  'text, or call retry_embedding()';
